"""What the page is given: exact counts, short labels, display shapes that leave the real ones alone."""

from __future__ import annotations

from datetime import UTC

import numpy as np
import pytest
import shapely
from shapely.geometry import Point, Polygon

from gis.errors import ParameterInvalid
from maps import payload
from maps.base import Basemap
from maps.grids import ContextShape, GridShape, GridsView, Reports
from tests.maps import drawn


def by_code(data: dict[str, object], code: str) -> dict[str, object]:
    return next(f["properties"] for f in data["grids"]["features"] if f["properties"]["code"] == code)


def test_counts_are_those_counted_by_hand() -> None:
    data = payload.payload(drawn.view())
    assert data["totals"] == {
        "total": 9, "open": 8, "assigned": 6, "edge": 1, "unassigned": 3, "placed": 8, "unplaced": 1,
    }  # fmt: skip
    assert [by_code(data, "320699101001001")[k] for k in ("n", "open", "edge")] == [3, 3, 1]
    assert [by_code(data, "320699101002003")[k] for k in ("n", "open", "edge")] == [1, 0, 0]
    assert by_code(data, "320699101002001")["n"] == 0


def test_counts_stay_exact_when_single_reports_are_capped() -> None:
    data = payload.payload(drawn.view(single_cap=4))
    assert data["totals"]["total"] == 9
    assert sum(f["properties"]["n"] for f in data["grids"]["features"]) == 6
    assert len(data["reports"]["lon"]) == 4


def test_a_cap_keeps_unassigned_then_edge_then_newest() -> None:
    assert payload.chosen_singles(drawn.reports(), 4).tolist() == [0, 2, 6, 7]


def test_a_report_of_a_grid_that_is_not_drawn_is_assigned_all_the_same() -> None:
    data = payload.payload(drawn.view(grids=drawn.grids()[1:]))
    assert data["totals"]["assigned"] == 6
    assert data["reports"]["grid"][:3] == [-2, -2, -2]


def test_households_unknown_stay_unknown() -> None:
    data = payload.payload(drawn.view())
    assert by_code(data, "320699101001001")["households"] is None
    assert by_code(data, "320699101001002")["households"] == 372


def test_short_codes_drop_the_parent_or_the_common_start() -> None:
    square = drawn.square(0, 0)
    shapes = [
        GridShape("320699101001007", "", "general", "grid", square, parent="320699101001"),
        GridShape("WH-A-01", "", "micro", "micro_grid", square),
        GridShape("WH-A-02", "", "micro", "micro_grid", square),
        GridShape("北区", "", "unit", "grid", square),
        GridShape("320699101900001", "", "dedicated", "grid", square),
    ]
    assert payload.short_codes(shapes) == ["007", "-01".lstrip("-"), "02", "北区", "001"]


def test_labels_of_a_general_grid_stand_outside_the_dedicated_one() -> None:
    data = payload.payload(drawn.view())
    market = drawn.grids()[-1].geometry
    for feature in data["grids"]["features"][:-1]:
        place = Point(feature["properties"]["point"])
        assert Polygon(feature["geometry"]["coordinates"][0]).contains(place)
        assert not market.contains(place)


def test_neighbours_are_filled_differently() -> None:
    fills = payload.fills(drawn.grids()[:-1])
    assert len({fills[i] for i in (1, 2, 4, 5)}) == 4  # A2, A3, B2, B3 meet in one corner


def test_coordinates_have_six_decimals() -> None:
    ring = payload.geojson(Polygon([(121.12345678, 32), (121.2, 32.00000049), (121.2, 32.1)]), lambda p: p)[
        "coordinates"
    ][0]
    assert ring.tolist() == [[121.123457, 32.0], [121.2, 32.0], [121.2, 32.1], [121.123457, 32.0]]


def test_simplification_is_for_display_and_leaves_the_shapes_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(payload, "VERTEX_BUDGET", 300)
    bends = np.linspace(0, 1, 400)
    border = np.column_stack([121.21 + 1e-5 * np.sin(bends * 200), 32.05 + 0.01 * bends])
    left = Polygon([*border, (121.2, 32.06), (121.2, 32.05)])
    right = Polygon([*border, (121.22, 32.06), (121.22, 32.05)])
    shapes = [GridShape(c, c, "general", "grid", g) for c, g in (("a", left), ("b", right))]
    before = [shapely.to_wkb(left), shapely.to_wkb(right)]
    shown, metres = payload.display_shapes(shapes)
    assert metres == 2.0
    assert shapely.coverage_is_valid(shown)
    assert shapely.get_num_coordinates(shown).sum() < 300
    assert [shapely.to_wkb(s.geometry) for s in shapes] == before


def test_few_vertices_are_drawn_as_they_are() -> None:
    shapes = drawn.grids()
    shown, metres = payload.display_shapes(shapes)
    assert metres is None
    assert all(a is b.geometry for a, b in zip(shown, shapes, strict=True))


def test_context_of_one_kind_and_width_is_one_feature() -> None:
    line = shapely.LineString([(121.2, 32.05), (121.21, 32.05)])
    shapes = [
        ContextShape("street", line),
        ContextShape("street", line),
        ContextShape("street", line, 2.0),
        ContextShape("sky", line),
    ]
    found = payload.payload(drawn.view(context=shapes))["context"]
    assert [(f["properties"]["width"], len(f["geometry"]["coordinates"])) for f in found] == [(1.0, 2), (2.0, 1)]


def test_nothing_loaded_looks_at_china() -> None:
    assert payload.payload(GridsView([]))["extent"] == [73.0, 18.0, 135.0, 54.0]


def test_times_are_shown_in_the_zone_of_the_map() -> None:
    in_utc = drawn.view(at=drawn.AT.astimezone(UTC))
    assert payload.time_text(in_utc.at) == "2026-11-22 01:00 +00:00"
    assert payload.payload(in_utc)["reports"]["received"][0] == "2026-11-22 01:00"


def test_gcj02_tiles_shift_what_lies_on_them() -> None:
    tiles = Basemap("https://tiles.example/{z}/{x}/{y}.png", "示例", "GS(2026)0001", crs="gcj02")
    plain, shifted = payload.payload(drawn.view())["extent"], payload.payload(drawn.view(basemap=tiles))["extent"]
    assert 0.003 < shifted[0] - plain[0] < 0.006
    assert abs(shifted[1] - plain[1]) > 0.001


def test_a_basemap_needs_its_approval_number() -> None:
    with pytest.raises(ParameterInvalid, match="审图号"):
        Basemap("https://tiles.example/{z}/{x}/{y}.png", "示例", " ")


def test_columns_of_different_length_are_refused() -> None:
    with pytest.raises(ParameterInvalid, match="lat"):
        Reports(np.zeros(2), np.zeros(1))
