"""Repair proposals on drawn towns; one unit is 0.001 degree, a unit square 10,472.4 m2 (see test_topology)."""

from __future__ import annotations

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from shapely import Polygon, box

from gis.findings import has_errors
from gis.repair import Change, repair
from gis.topology import check_raw

UNIT_M2 = 10_472.4
WEST, SOUTH, STEP = 121.2, 32.05, 0.001


def square(x0: float, y0: float, x1: float, y1: float) -> Polygon:
    return box(WEST + x0 * STEP, SOUTH + y0 * STEP, WEST + x1 * STEP, SOUTH + y1 * STEP)


def blocks(columns: int, rows: int) -> dict[str, Polygon]:
    return {f"{x}{y}": square(x, y, x + 1, y + 1) for x in range(columns) for y in range(rows)}


def by_code(changes: tuple[Change, ...]) -> dict[str, Change]:
    return {change.code: change for change in changes}


def test_a_town_that_fits_is_left_as_it_is_object_for_object() -> None:
    town = blocks(3, 3)
    proposal = repair(list(town), list(town.values()))
    assert proposal.changes == ()
    assert all(new is old for new, old in zip(proposal.geometry, town.values(), strict=True))
    assert proposal.remaining == ()


def test_an_overlap_goes_to_one_grid_and_the_other_is_listed_with_its_loss() -> None:
    shapes = [square(0, 0, 2, 1), square(1.75, 0, 3, 1)]
    proposal = repair(["A", "B"], shapes)
    assert proposal.remaining == ()
    assert shapely.union_all(proposal.geometry).equals(shapely.union_all(shapes))
    [change] = [c for c in proposal.changes if c.symmetric_difference_m2 > 0.01]
    assert change.symmetric_difference_m2 == pytest.approx(UNIT_M2 / 4, rel=1e-3)
    assert change.before_m2 - change.after_m2 == pytest.approx(UNIT_M2 / 4, rel=1e-3)
    assert "overlap" in change.why[0]


def test_a_gap_smaller_than_a_grid_goes_to_a_neighbour_who_is_listed_with_its_gain() -> None:
    town = blocks(3, 3)
    town["11"] = square(1, 1, 2, 1.75)
    proposal = repair(list(town), list(town.values()))
    assert not has_errors(proposal.remaining)
    gained = sum(c.after_m2 - c.before_m2 for c in proposal.changes)
    assert gained == pytest.approx(UNIT_M2 / 4, rel=1e-3)
    assert "takes" in proposal.changes[0].why[0]


def test_a_hole_larger_than_the_median_grid_stays_open_and_is_listed() -> None:
    town = blocks(4, 4)
    for code in ("11", "12", "21"):
        del town[code]
    proposal = repair(list(town), list(town.values()))
    assert proposal.changes == ()
    assert [f.kind for f in proposal.left_open] == ["gap"]
    assert [f.kind for f in proposal.remaining] == ["gap"]
    assert has_errors(proposal.remaining)


def test_a_larger_limit_fills_it_and_says_that_it_looks_like_a_real_place() -> None:
    town = blocks(4, 4)
    del town["11"], town["12"]
    proposal = repair(list(town), list(town.values()), fill_up_to_m2=3 * UNIT_M2)
    assert proposal.remaining == () or not has_errors(proposal.remaining)
    assert [round(f.area_m2 / UNIT_M2) for f in proposal.doubtful] == [2]


def test_an_accepted_enclave_stays_open_while_the_rest_is_mended() -> None:
    town = blocks(3, 3)
    del town["11"]
    town["00"] = square(0, 0, 1.25, 1)
    place = (WEST + 1.5 * STEP, SOUTH + 1.5 * STEP)
    proposal = repair(list(town), list(town.values()), enclaves=[place])
    assert not has_errors(proposal.remaining)
    assert [f.accepted for f in proposal.remaining if f.kind == "gap"] == [True]
    assert not shapely.covers(shapely.union_all(proposal.geometry), shapely.Point(place))


def test_gaps_of_an_overlay_layer_stay() -> None:
    town = blocks(3, 3)
    town["11"] = square(1, 1, 2, 1.75)
    proposal = repair(list(town), list(town.values()), mode="overlay")
    before, after = shapely.union_all(list(town.values())), shapely.union_all(proposal.geometry)
    assert shapely.symmetric_difference(before, after).area < 1e-12


def test_a_missing_corner_is_added_on_the_other_side() -> None:
    shapes = [square(0, 0, 1, 2), square(1, 1, 2, 2), square(1, 0, 2, 1)]
    proposal = repair(["A", "B", "C"], shapes)
    assert proposal.remaining == ()
    [change] = proposal.changes
    assert change.code == "A"
    assert change.symmetric_difference_m2 == pytest.approx(0, abs=1e-6)
    assert change.why == ("border matched to its neighbours' vertices",)


def test_a_bow_tie_becomes_two_wings_and_says_so() -> None:
    bow = Polygon([(WEST, SOUTH), (WEST + STEP, SOUTH + STEP), (WEST + STEP, SOUTH), (WEST, SOUTH + STEP)])
    proposal = repair(["bow"], [bow])
    assert shapely.is_valid(proposal.geometry[0])
    assert "broken ring made valid" in proposal.changes[0].why
    assert {f.kind for f in proposal.remaining} == {"multipart"}


def test_rows_without_a_polygon_are_kept_and_remain_findings() -> None:
    line = shapely.LineString([(WEST, SOUTH), (WEST + STEP, SOUTH)])
    proposal = repair(["A", "none", "line"], [square(0, 0, 1, 1), None, line])
    assert proposal.geometry[1] is None
    assert proposal.geometry[2] is line
    assert sorted(f.grids[0] for f in proposal.remaining) == ["line", "none"]


def test_repeated_codes_are_not_settled_but_listed() -> None:
    proposal = repair(["A", "A"], [square(0, 0, 1, 1), square(1, 0, 2, 1)])
    assert [f.kind for f in proposal.remaining] == ["duplicate_code"]


def test_a_change_as_json_counts_rows_from_one() -> None:
    proposal = repair(["A", "B"], [square(0, 0, 2, 1), square(1.75, 0, 3, 1)])
    body = proposal.changes[0].as_json()
    assert body["row"] in {1, 2}
    assert set(body) == {"code", "row", "before_m2", "after_m2", "symmetric_difference_m2", "why"}


@settings(max_examples=30, deadline=None)
@given(
    nudges=st.lists(
        st.tuples(st.floats(-0.02, 0.02, allow_subnormal=False), st.floats(-0.02, 0.02, allow_subnormal=False)),
        min_size=16,
        max_size=16,
    )
)
def test_a_town_traced_by_a_shaky_hand_is_mended_and_nothing_far_from_its_borders_moves(
    nudges: list[tuple[float, float]],
) -> None:
    """Sixteen squares, each shifted by up to 1.9 m on its own."""
    town = [
        square(
            x + nudges[4 * x + y][0],
            y + nudges[4 * x + y][1],
            x + 1 + nudges[4 * x + y][0],
            y + 1 + nudges[4 * x + y][1],
        )
        for x in range(4)
        for y in range(4)
    ]
    codes = [str(i) for i in range(16)]
    proposal = repair(codes, town)
    assert not has_errors(proposal.remaining)
    assert not has_errors(check_raw(codes, proposal.geometry))
    for i, shape in enumerate(town):
        core = shapely.buffer(shape, -0.05 * STEP)
        assert shapely.covers(proposal.geometry[i], core)
    changed = {change.row for change in proposal.changes}
    assert all(proposal.geometry[i] is town[i] for i in range(16) if i not in changed)
    assert np.isfinite([c.symmetric_difference_m2 for c in proposal.changes]).all()
