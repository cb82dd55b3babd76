"""Drawn towns near 121.2 E, 32.05 N. One unit is 0.001 degree: 94.44 m by 110.89 m, so a unit square is 10,472 m2 (worked out
by hand from the ellipsoid's degree lengths 111412.84 cos f - 93.5 cos 3f + 0.118 cos 5f and 111132.92 - 559.82 cos 2f + 1.175 cos 4f).
"""

from __future__ import annotations

import json

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from shapely import Polygon

from gis.findings import Finding, Limits
from gis.partition import partition_of
from gis.topology import check, check_raw, has_errors, mode_of, ordered, summary, unused_enclaves

UNIT_M2 = 10_472.4
WEST, SOUTH, STEP = 121.2, 32.05, 0.001


def at(x: float, y: float) -> tuple[float, float]:
    return WEST + x * STEP, SOUTH + y * STEP


def drawn(*corners: tuple[float, float]) -> Polygon:
    return Polygon([at(x, y) for x, y in corners])


def square(x0: float, y0: float, x1: float, y1: float) -> Polygon:
    return drawn((x0, y0), (x1, y0), (x1, y1), (x0, y1))


def without_a_number() -> Polygon:
    with np.errstate(invalid="ignore"):
        return Polygon([at(0, 0), (np.nan, 32.05), at(1, 1), at(0, 1)])


def kinds(findings: list[Finding]) -> list[tuple[str, tuple[str, ...]]]:
    return [(finding.kind, finding.grids) for finding in findings]


def ring_town() -> dict[str, Polygon]:
    """Four grids around a hole of one unit.

    A A B
    D . B
    D C C
    """
    return {
        "A": drawn((0, 2), (1, 2), (2, 2), (2, 3), (0, 3)),
        "B": drawn((2, 1), (3, 1), (3, 3), (2, 3), (2, 2)),
        "C": drawn((1, 0), (3, 0), (3, 1), (2, 1), (1, 1)),
        "D": drawn((0, 0), (1, 0), (1, 1), (1, 2), (0, 2)),
    }


def found(town: dict[str, Polygon], **more: object) -> list[Finding]:
    return check_raw(list(town), list(town.values()), **more)  # type: ignore[arg-type]


def test_a_town_that_fits_has_no_finding() -> None:
    town = {"A": square(0, 0, 1, 1), "B": square(1, 0, 2, 1)}
    assert found(town) == []
    assert not has_errors([])
    assert summary([]) == {}


def test_an_overlap_is_one_error_for_the_pair_with_its_square_metres() -> None:
    [overlap] = found({"B": square(0, 0, 2, 1), "A": square(1.5, 0, 3, 1)})
    assert (overlap.kind, overlap.severity, overlap.grids) == ("overlap", "error", ("A", "B"))
    assert overlap.area_m2 == pytest.approx(UNIT_M2 / 2, rel=1e-4)
    assert overlap.geometry is not None
    assert overlap.geometry.bounds == pytest.approx((*at(1.5, 0), *at(2, 1)))
    assert overlap.lon_lat() is not None


def test_a_grid_within_another_overlaps_it_wholly() -> None:
    overlaps = [f for f in found({"big": square(0, 0, 4, 4), "small": square(1, 1, 2, 2)}) if f.kind == "overlap"]
    assert [f.grids for f in overlaps] == [("big", "small")]
    assert overlaps[0].area_m2 == pytest.approx(UNIT_M2, rel=1e-4)


def test_the_same_shape_twice_is_an_overlap() -> None:
    assert summary(found({"A": square(0, 0, 1, 1), "B": square(0, 0, 1, 1)})) == {"overlap": 1}


def test_three_grids_on_one_spot_are_three_pairs() -> None:
    spot = {"A": square(0, 0, 1, 1), "B": square(0, 0, 1, 1), "C": square(0, 0, 1, 1)}
    assert {f.grids for f in found(spot)} == {("A", "B"), ("A", "C"), ("B", "C")}


def test_a_gap_names_the_grids_around_it_and_its_square_metres() -> None:
    [gap] = found(ring_town())
    assert (gap.kind, gap.severity, gap.grids) == ("gap", "error", ("A", "B", "C", "D"))
    assert gap.area_m2 == pytest.approx(UNIT_M2, rel=1e-4)
    assert has_errors([gap])


def test_a_bay_that_is_open_to_the_outside_is_no_gap() -> None:
    town = ring_town()
    del town["A"]
    assert found(town) == []


def test_an_island_in_a_gap_is_no_part_of_it() -> None:
    town = {
        "ring": Polygon(square(0, 0, 4, 4).exterior, [square(1, 1, 3, 3).exterior]),
        "isle": square(1.5, 1.5, 2.5, 2.5),
    }
    [gap] = found(town)
    assert gap.area_m2 == pytest.approx(3 * UNIT_M2, rel=1e-3)
    assert gap.grids == ("isle", "ring")


def test_an_accepted_enclave_is_listed_and_no_error() -> None:
    [gap] = found(ring_town(), enclaves=[at(1.5, 1.5)])
    assert (gap.kind, gap.accepted, gap.severity) == ("gap", True, "warning")
    assert not has_errors([gap])
    assert summary([gap]) == {"gap": 1}


def test_an_enclave_beside_the_gap_accepts_nothing_and_is_told() -> None:
    outside = at(0.5, 0.5)
    findings = found(ring_town(), enclaves=[outside])
    assert has_errors(findings)
    assert unused_enclaves(findings, [outside]) == [outside]
    assert unused_enclaves(found(ring_town(), enclaves=[at(1.5, 1.5)]), [at(1.5, 1.5)]) == []


def test_an_overlay_layer_may_have_gaps_but_no_overlaps() -> None:
    assert found(ring_town(), mode="overlay") == []
    assert summary(found({"A": square(0, 0, 2, 1), "B": square(1, 0, 3, 1)}, mode="overlay")) == {"overlap": 1}


@pytest.mark.parametrize(
    ("layer", "mode"),
    [("general", "partition"), ("micro", "partition"), ("dedicated", "overlay"), ("frontage", "overlay")],
)
def test_layers_have_their_mode(layer: str, mode: str) -> None:
    assert mode_of(layer) == mode
    town = ring_town()
    assert bool(check(partition_of(list(town), list(town.values()), layer=layer))) == (mode == "partition")


@pytest.mark.parametrize(
    ("width_m", "expected"),
    [(0.0000005, {}), (0.001, {"sliver": 1}), (0.0085, {"sliver": 1}), (0.0095, {"overlap": 1}), (5.0, {"overlap": 1})],
)
def test_an_overlap_counts_from_a_square_metre_and_is_a_sliver_below(width_m: float, expected: dict[str, int]) -> None:
    """A strip 110.89 m long: 0.001 m wide are 0.11 m2, 0.0085 m 0.94 m2, 0.0095 m 1.05 m2, half a micrometre nothing."""
    wide = width_m / 94.441
    counted = summary(found({"A": square(0, 0, 1 + wide, 1), "B": square(1, 0, 2, 1)}))
    counted.pop("unmatched_edge", None)
    assert counted == expected


def test_a_sliver_gap_is_a_warning() -> None:
    town = ring_town()
    thin = 0.00005  # of a unit: 4.7 mm by 110.89 m, 0.52 m2
    town["E"] = square(1 + thin, 1, 2, 2)
    slivers = [f for f in found(town) if f.kind == "sliver"]
    assert [f.severity for f in slivers] == ["warning"]
    assert slivers[0].area_m2 == pytest.approx(0.5236, rel=1e-3)
    assert "gap" not in summary(found(town))


def test_a_corner_on_one_side_only_is_an_unmatched_edge_of_both() -> None:
    """A | B over C: A has no vertex where B and C meet."""
    findings = found({"A": square(0, 0, 1, 2), "B": square(1, 1, 2, 2), "C": square(1, 0, 2, 1)})
    assert {f.kind for f in findings} == {"unmatched_edge"}
    assert {f.grids[0]: set(f.grids[1:]) for f in findings} == {"A": {"B", "C"}, "B": {"A", "C"}, "C": {"A", "B"}}
    assert all(f.severity == "error" and f.area_m2 == 0 for f in findings)


def test_the_edges_of_an_overlap_are_not_told_a_second_time() -> None:
    assert summary(found({"A": square(0, 0, 2, 1), "B": square(1.5, 0, 3, 1)})) == {"overlap": 1}


def test_a_shape_that_crosses_itself_is_told_with_its_place_and_the_rest_is_checked() -> None:
    bow = drawn((0, 0), (2, 2), (2, 0), (0, 2))
    findings = found({"bow": bow, "A": square(4, 0, 6, 1), "B": square(5, 0, 7, 1)})
    assert kinds(findings) == [("invalid", ("bow",)), ("overlap", ("A", "B")), ("multipart", ("bow",))]
    assert findings[0].geometry is not None
    assert (findings[0].geometry.x, findings[0].geometry.y) == pytest.approx(at(1, 1))
    assert "crosses itself" in findings[0].message


def test_a_broken_shape_is_checked_in_its_mended_form() -> None:
    """The bow tie's right wing lies under B."""
    bow = drawn((0, 0), (2, 2), (2, 0), (0, 2))
    assert ("overlap", ("B", "bow")) in kinds(found({"bow": bow, "B": square(1, 0, 3, 2)}))


@pytest.mark.parametrize(
    ("shape", "words"),
    [
        (None, "no geometry"),
        (Polygon(), "empty"),
        (shapely.LineString([at(0, 0), at(1, 1)]), "LineString"),
        (shapely.GeometryCollection([square(0, 0, 1, 1)]), "GeometryCollection"),
        (without_a_number(), "not a number"),
    ],
)
def test_what_is_no_polygon_is_invalid_and_names_its_row(shape: object, words: str) -> None:
    findings = check_raw(["A", "X"], [square(0, 0, 1, 1), shape])  # type: ignore[list-item]
    assert kinds(findings) == [("invalid", ("X",))]
    assert words in findings[0].message
    assert "row 2" in findings[0].message


def test_nothing_at_all_is_no_fault() -> None:
    assert check_raw([], []) == []


def test_heights_do_not_disturb() -> None:
    flat, high = square(0, 0, 1, 1), shapely.force_3d(square(1, 0, 2, 1), 7.0)
    assert check_raw(["A", "B"], [flat, high]) == []


def test_a_code_that_stands_twice_is_an_error_with_its_rows() -> None:
    findings = check_raw(["01", "02", "01"], [square(0, 0, 1, 1), square(1, 0, 2, 1), square(2, 0, 3, 1)])
    assert kinds(findings) == [("duplicate_code", ("01",))]
    assert "rows 1, 3" in findings[0].message
    assert has_errors(findings)


def test_codes_of_the_source_are_judged_when_given() -> None:
    town = partition_of(["1", "2"], [square(0, 0, 1, 1), square(1, 0, 2, 1)])
    assert summary(check(town, codes=["1", "2", "2"])) == {"duplicate_code": 1}


def test_a_grid_in_two_pieces_is_a_warning_that_shows_the_smaller() -> None:
    parts = shapely.MultiPolygon([square(0, 0, 2, 1), square(4, 0, 5, 1)])
    [finding] = check_raw(["A"], [parts])
    assert (finding.kind, finding.severity) == ("multipart", "warning")
    assert finding.area_m2 == pytest.approx(UNIT_M2, rel=1e-4)
    assert finding.geometry is not None
    assert finding.geometry.bounds == pytest.approx((*at(4, 0), *at(5, 1)))


def test_one_piece_in_a_multipolygon_is_no_multipart() -> None:
    assert check_raw(["A"], [shapely.MultiPolygon([square(0, 0, 1, 1)])]) == []


def test_names_that_stand_twice_warn_and_blank_names_do_not() -> None:
    shapes = [square(i, 0, i + 1, 1) for i in range(4)]
    findings = check_raw(["1", "2", "3", "4"], shapes, names=["东街", "东街 ", "", ""])
    assert kinds(findings) == [("duplicate_name", ("1", "2"))]
    assert findings[0].severity == "warning"


def test_a_voided_code_that_comes_back_warns() -> None:
    assert kinds(check_raw(["1", "2"], [square(0, 0, 1, 1), square(1, 0, 2, 1)], voided={"2"})) == [
        ("reused_code", ("2",))
    ]


def test_sizes_are_judged_only_with_limits() -> None:
    town = {"small": square(0, 0, 1, 1), "large": square(1, 0, 4, 1)}
    assert found(town) == []
    findings = found(town, limits=Limits(min_area_m2=11_000, max_area_m2=30_000))
    assert kinds(findings) == [("size", ("large",)), ("size", ("small",))]
    assert {f.severity for f in findings} == {"warning"}


def test_households_are_judged_by_their_limits() -> None:
    town = {"A": square(0, 0, 1, 1), "B": square(1, 0, 2, 1), "C": square(2, 0, 3, 1)}
    findings = found(
        town, limits=Limits(min_households=300, max_households=500), households={"A": 299, "B": 500, "C": 501}
    )
    assert kinds(findings) == [("size", ("A",)), ("size", ("C",))]


def test_errors_come_first_and_larger_ones_before_smaller() -> None:
    town = {
        "A": square(0, 0, 2, 1),
        "B": square(1.5, 0, 4, 1),
        "C": square(3, 0, 5, 1),
        "D": shapely.MultiPolygon([square(6, 0, 7, 1), square(8, 0, 9, 1)]),
    }
    findings = found(town, limits=Limits(max_area_m2=1))
    assert kinds(findings)[:2] == [("overlap", ("B", "C")), ("overlap", ("A", "B"))]
    assert [f.severity for f in findings] == ["error"] * 2 + ["warning"] * 5


def test_the_order_of_rows_does_not_change_what_is_found() -> None:
    town = {**ring_town(), "X": square(2.5, 0, 4, 1), "Y": square(3.5, 0, 5, 1)}
    backwards = dict(reversed(town.items()))
    one, two = found(town), found(backwards)
    assert kinds(one) == kinds(two)
    assert [f.area_m2 for f in one] == pytest.approx([f.area_m2 for f in two])


def test_a_finding_is_json_as_the_contract_says() -> None:
    [gap] = found(ring_town(), enclaves=[at(1.5, 1.5)])
    body = json.loads(json.dumps(gap.as_json()))
    assert list(body) == ["kind", "severity", "grids", "area_m2", "geometry", "message", "accepted"]
    assert body["geometry"]["type"] == "Polygon"
    assert body["accepted"] is True
    missing = Finding("invalid", "error", ("A",), 0.0, None, "has no geometry")
    assert missing.as_json()["geometry"] is None
    assert missing.lon_lat() is None


PARENTS = partition_of(["P", "Q"], [square(0, 0, 2, 2), square(2, 0, 4, 2)], level="community")


def below(shape: Polygon, parent: str | None = None, **more: object) -> list[Finding]:
    return check_raw(["g"], [shape], parents=PARENTS, parent_of={"g": parent} if parent else None, **more)  # type: ignore[arg-type]


def test_a_grid_in_its_parent_is_right_named_or_not() -> None:
    assert below(square(0, 0, 1, 2)) == []
    assert below(square(2, 0, 4, 2), "Q") == []


def test_a_grid_beyond_its_parents_border_crosses_it_by_so_many_square_metres() -> None:
    [finding] = below(square(1, 0, 2.5, 1))
    assert (finding.kind, finding.grids) == ("crosses_parent", ("g", "P", "Q"))
    assert finding.area_m2 == pytest.approx(UNIT_M2 / 2, rel=1e-4)


def test_a_square_metre_beyond_the_parent_is_tolerated() -> None:
    assert below(square(1, 0, 2 + 0.0085 / 94.441, 1)) == []
    assert summary(below(square(1, 0, 2 + 0.0095 / 94.441, 1))) == {"crosses_parent": 1}


def test_a_grid_elsewhere_lies_outside_its_parent() -> None:
    assert kinds(below(square(3, 0, 4, 1), "P")) == [("outside_parent", ("g", "P"))]
    assert kinds(below(square(9, 9, 10, 10))) == [("outside_parent", ("g",))]


def test_a_parent_that_is_not_there_is_told() -> None:
    [finding] = below(square(0, 0, 1, 1), "R")
    assert finding.kind == "outside_parent"
    assert "R" in finding.message


def test_a_dedicated_grid_in_two_parents_is_only_a_warning() -> None:
    [finding] = below(square(1, 0, 3, 1), mode="overlay")
    assert (finding.kind, finding.severity) == ("crosses_parent", "warning")


cuts = st.lists(st.integers(1, 19), min_size=1, max_size=6, unique=True).map(sorted)


@settings(max_examples=40, deadline=None)
@given(across=cuts, up=cuts, drop=st.integers(0, 48))
def test_a_lattice_is_a_partition_and_without_an_inner_piece_has_one_gap(
    across: list[int], up: list[int], drop: int
) -> None:
    xs, ys = [0, *across, 20], [0, *up, 20]
    town = {
        f"{i}-{j}": square(xs[i], ys[j], xs[i + 1], ys[j + 1]) for i in range(len(xs) - 1) for j in range(len(ys) - 1)
    }
    assert found(town) == []
    inner = [f"{i}-{j}" for i in range(1, len(xs) - 2) for j in range(1, len(ys) - 2)]
    if not inner:
        return
    lost = town.pop(inner[drop % len(inner)])
    [gap] = found(town)
    assert gap.kind == "gap"
    assert gap.geometry is not None
    assert shapely.symmetric_difference(gap.geometry, lost).area == 0


@settings(max_examples=40, deadline=None)
@given(st.permutations(range(6)))
def test_sorting_forgets_the_order_findings_came_in(order: list[int]) -> None:
    held = [Finding("gap", "error", (str(i),), float(i), None, "") for i in range(6)]
    assert ordered(held[i] for i in order) == ordered(held)
