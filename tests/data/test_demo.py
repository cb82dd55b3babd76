"""The demo town: its figures, its partition, its reports, and that it is the same town every time."""

from __future__ import annotations

import csv
import json
from collections import Counter
from datetime import UTC, datetime, timedelta
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
import shapely

from data.demo import SEED, Town, build_town, write_town
from data.report import clean
from data.town_names import numeral
from data.town_plan import BORDER_LATTICE, METRES_PER_DEGREE, POINT_LATTICE
from data.town_reports import FIELDS
from gis.errors import InputError, TimeInvalid

NOW = datetime.fromisoformat("2026-11-22T12:00:00+08:00")
METRE = 1.0 / METRES_PER_DEGREE[1]


@pytest.fixture(scope="module")
def town() -> Town:
    return build_town(now=NOW)


def shapes(areas: list) -> np.ndarray:
    array = np.empty(len(areas), dtype=object)
    array[:] = [area.geometry for area in areas]
    return array


def places(town: Town) -> dict[str, shapely.Point]:
    """WGS 84 position of every report with coordinates, by external id, through the intake's own reader."""
    found = {}
    for row in town.reports:
        report = clean(row, NOW)
        if report.lon is not None:
            found[row["external_id"]] = shapely.Point(report.lon, report.lat)
    return found


def loads(town: Town) -> np.ndarray:
    points = shapely.points([(h.lon, h.lat) for h in town.households])
    which, grid = shapely.STRtree(shapes(town.grids)).query(points, predicate="within")
    assert len(which) == len(town.households)  # nobody lives on a border, or outside
    return np.bincount(grid, np.array([h.count for h in town.households])[which], len(town.grids))


def test_it_has_the_figures_of_the_press_report(town: Town) -> None:
    assert [len(part) for part in (town.district, town.subdistrict, town.communities, town.grids, town.dedicated)] == [
        1, 1, 12, 53, 4,
    ]  # fmt: skip
    assert len(town.reports) == 1034
    assert 3000 <= len(town.buildings) <= 6000
    assert len(town.fields) > 1000


def test_it_says_that_it_is_synthetic(town: Town) -> None:
    assert "合成" in town.subdistrict[0].name
    assert "合成" in town.district[0].name
    assert "synthetic" in town.note
    assert town.district[0].code == "320699"


def test_grids_villages_and_town_are_coverages_without_gap_or_hole(town: Town) -> None:
    for areas in (town.grids, town.communities, town.subdistrict):
        geometry = shapes(areas)
        assert shapely.coverage_is_valid(geometry)
        assert shapely.is_valid(geometry).all()
        assert all(g.geom_type == "Polygon" and not g.interiors for g in geometry)
        assert shapely.union_all(geometry).equals(town.subdistrict[0].geometry)


def test_a_village_is_exactly_the_union_of_its_grids_vertex_by_vertex(town: Town) -> None:
    for village in town.communities:
        own = shapes([g for g in town.grids if g.parent_code == village.code])
        union = shapely.coverage_union_all(own)
        assert shapely.normalize(union).equals_exact(shapely.normalize(village.geometry), 0.0)


def test_a_dedicated_grid_lies_in_the_village_of_its_code_and_meets_no_other_one(town: Town) -> None:
    villages = {v.code: v.geometry for v in town.communities}
    assert [sorted(villages)[0] < d.code for d in town.dedicated] == [True] * 4
    for area in town.dedicated:
        assert area.parent_code == area.code[:12]
        assert villages[area.parent_code].covers(area.geometry)
    assert not any(a.geometry.intersects(b.geometry) for a, b in combinations(town.dedicated, 2))


def test_two_dedicated_grids_share_their_outline_with_general_borders_or_streets_and_two_stand_behind_a_wall(
    town: Town,
) -> None:
    lines = shapely.union_all([*(s.geometry for s in town.streets), *(w.axis for w in town.water)])
    near = lines.buffer(METRE)
    share = {d.name: d.geometry.exterior.intersection(near).length / d.geometry.exterior.length for d in town.dedicated}
    assert share["农贸市场专属网格"] > 0.9
    assert share["工业园专属网格"] > 0.9
    assert share["学校医院专属网格"] < 0.2
    assert share["客运站商场专属网格"] < 0.2


def test_codes_run_by_village_from_west_to_east_with_dedicated_grids_last(town: Town) -> None:
    villages = [v.code for v in town.communities]
    assert villages == [f"320699101{n}" for n in range(201, 213)]
    everything = sorted([*town.grids, *town.dedicated], key=lambda a: a.code)
    assert len({a.code for a in everything}) == 57
    for village in town.communities:
        own = [a for a in everything if a.parent_code == village.code]
        assert [a.code for a in own] == [f"{village.code}{n:03d}" for n in range(1, len(own) + 1)]
        assert [a.layer for a in own] == sorted((a.layer for a in own), reverse=True)  # general before dedicated
        for layer in ("general", "dedicated"):
            inner = [a.geometry.point_on_surface().coords[0] for a in own if a.layer == layer]
            assert inner == sorted(inner, key=lambda p: (p[0], -p[1]))
    inner = [v.geometry.point_on_surface().x for v in town.communities]
    assert inner == sorted(inner)


def test_every_grid_has_about_as_many_households(town: Town) -> None:
    load = loads(town)
    assert load.sum() == 53 * 372
    assert load.min() >= 250
    assert load.max() <= 520


def test_inner_borders_run_along_streets_and_water(town: Town) -> None:
    lines = [*(s.geometry for s in town.streets), *(w.axis for w in town.water if w.kind != "ditch")]
    rivers = [w.geometry for w in town.water if w.kind == "river"]
    along = shapely.union_all([shapely.union_all(lines).buffer(METRE), *rivers])
    outline = town.subdistrict[0].geometry.exterior.buffer(METRE / 10)
    inner = shapely.union_all(shapely.boundary(shapes(town.grids))).difference(outline)
    assert inner.intersection(along).length / inner.length >= 0.80


def test_grids_are_compact(town: Town) -> None:
    scaled = shapely.transform(shapes(town.grids), lambda xy: xy * np.array(METRES_PER_DEGREE))
    compactness = 4 * np.pi * shapely.area(scaled) / shapely.length(scaled) ** 2
    assert np.median(compactness) > 0.5
    assert compactness.min() > 0.2


def test_no_building_is_split_by_a_grid_or_stands_in_the_water_or_in_another(town: Town) -> None:
    built = shapes(town.buildings)
    which, _ = shapely.STRtree(shapes(town.grids)).query(built, predicate="within")
    assert len(which) == len(built)
    assert len(shapely.STRtree(shapes(town.water)).query(built, predicate="intersects")[0]) == 0
    left, right = shapely.STRtree(built).query(built, predicate="intersects")
    assert (left == right).all()


def test_vertices_lie_on_the_lattice_so_that_shared_borders_are_identical(town: Town) -> None:
    xy = shapely.get_coordinates(shapes([*town.grids, *town.dedicated]))
    assert (np.round(xy / BORDER_LATTICE) * BORDER_LATTICE == xy).all()
    xy = np.array([(h.lon, h.lat) for h in town.households])
    assert (np.round(xy / POINT_LATTICE) * POINT_LATTICE == xy).all()


def test_the_channels_stand_as_478_members_to_556_others(town: Town) -> None:
    channels = Counter(row["channel"] for row in town.reports)
    assert channels == {"member": 478, "citizen": 331, "micro_member": 147, "hotline": 78}
    assert sum(channels.values()) - channels["member"] == 556


def test_reports_declare_their_datum_and_some_know_an_address_only(town: Town) -> None:
    assert Counter(row["crs"] for row in town.reports) == {
        "wgs84": 971, "gcj02": 21, "bd09": 4, "cgcs2000": 6, "EPSG:4549": 6, None: 26,
    }  # fmt: skip
    for row in town.reports:
        assert (row["lon"] is None) == (row["lat"] is None) == (row["crs"] is None)
        assert row["address"].startswith("示范镇")


def test_every_stored_report_is_acceptable_and_unique(town: Town) -> None:
    assert all(tuple(row) == FIELDS for row in town.reports)
    assert len(places(town)) == 1034 - 26
    assert len({row["external_id"] for row in town.reports}) == 1034


def test_the_bad_rows_are_refused_for_the_stated_reasons(town: Town) -> None:
    expected = [row["expected"] for row in town.bad_reports]
    assert Counter(expected) == {
        "coordinate-invalid": 2, "datum-contradiction": 2, "datum-unknown": 1, "datum-outside": 1,
    }  # fmt: skip
    for row in town.bad_reports:
        with pytest.raises(InputError) as refused:
            clean({name: row[name] for name in FIELDS}, NOW)
        assert refused.value.code == row["expected"]


def test_24_reports_lie_exactly_on_borders_8_of_them_where_three_grids_meet(town: Town) -> None:
    grids = shapes(town.grids)
    touching = {key: int(shapely.intersects(grids, place).sum()) for key, place in places(town).items()}
    on_border = {key for key, n in touching.items() if n >= 2}
    assert len(on_border) == 24
    assert sum(n >= 3 for n in touching.values()) == 8
    for key in on_border:
        nearest = shapely.distance(shapely.boundary(grids), places(town)[key])
        assert (np.sort(nearest)[:2] == 0.0).all()


def test_10_reports_lie_outside_all_grids_by_a_hundred_metres_and_more(town: Town) -> None:
    outline = town.subdistrict[0].geometry
    outside = [place for place in places(town).values() if not outline.covers(place)]
    assert len(outside) == 10
    assert min(outline.distance(place) for place in outside) > 90 * METRE


def test_a_report_in_another_datum_lies_in_the_town(town: Town) -> None:
    where = places(town)
    other = [row["external_id"] for row in town.reports if row["crs"] not in {"wgs84", None}]
    assert len(other) == 37
    assert all(town.subdistrict[0].geometry.covers(where[key]) for key in other)


def test_each_dedicated_grid_has_reports(town: Town) -> None:
    points = np.array(list(places(town).values()), dtype=object)
    assert all(shapely.covers(area.geometry, points).sum() >= 5 for area in town.dedicated)


def test_times_fill_the_last_30_days_in_order_and_with_an_offset(town: Town) -> None:
    reported = [datetime.fromisoformat(row["reported_at"]) for row in town.reports]
    assert reported == sorted(reported)
    assert NOW - timedelta(days=30) <= reported[0] < NOW - timedelta(days=28)
    assert NOW - timedelta(days=2) < reported[-1] < NOW
    for row in town.reports:
        occurred, came = (datetime.fromisoformat(row[name]) for name in ("occurred_at", "reported_at"))
        assert row["reported_at"].endswith("+08:00")
        assert occurred <= came
        assert (row["status"] == "closed") == (row["closed_at"] is not None)
        assert row["closed_at"] is None or came < datetime.fromisoformat(row["closed_at"]) <= NOW


def test_members_report_at_work_and_nearly_nobody_at_night(town: Town) -> None:
    hours = [datetime.fromisoformat(r["reported_at"]).hour for r in town.reports if r["channel"] == "member"]
    assert sum(8 <= hour < 18 for hour in hours) / len(hours) > 0.75
    assert sum(hour < 5 for hour in hours) == 0


def test_the_same_seed_gives_the_same_town_and_now_moves_no_border(town: Town) -> None:
    again = build_town(SEED, now=NOW)
    assert [shapely.to_wkb(a.geometry) for a in again.grids] == [shapely.to_wkb(a.geometry) for a in town.grids]
    assert again == town
    later = build_town(SEED, now=datetime(2027, 3, 1, tzinfo=UTC))
    assert later.grids == town.grids
    assert later.households == town.households
    assert later.reports != town.reports


@pytest.mark.parametrize("seed", [1, 7])
def test_another_seed_gives_another_town_that_holds_as_well(seed: int, town: Town) -> None:
    other = build_town(seed, now=NOW)
    assert other.grids != town.grids
    assert shapely.coverage_is_valid(shapes(other.grids))
    assert [len(other.grids), len(other.communities), len(other.dedicated)] == [53, 12, 4]
    assert loads(other).sum() == 53 * 372
    assert len(other.reports) == 1034


def test_a_time_without_offset_is_refused() -> None:
    with pytest.raises(TimeInvalid):
        build_town(now=datetime(2026, 11, 22))  # noqa: DTZ001 - the point of the test


def test_files_read_back_to_the_same_numbers(town: Town, tmp_path: Path) -> None:
    paths = {path.name: path for path in write_town(town, tmp_path / "town")}
    wanted = {
        "villages.geojson",
        "grids.geojson",
        "dedicated.geojson",
        "streets.geojson",
        "households.csv",
        "reports.csv",
    }
    assert wanted <= set(paths)
    features = json.loads(paths["grids.geojson"].read_text("utf-8"))["features"]
    read = [shapely.geometry.shape(f["geometry"]) for f in features]
    assert [f["properties"]["code"] for f in features] == [g.code for g in town.grids]
    assert all(a.equals_exact(b.geometry, 0.0) for a, b in zip(read, town.grids, strict=True))
    with paths["reports.csv"].open(encoding="utf-8", newline="") as handle:
        rows = list(csv.DictReader(handle))
    assert len(rows) == 1034 + 6
    assert [r["external_id"] for r in rows[1034:]] == [f"DEMO-BAD-{n}" for n in range(1, 7)]
    assert [float(r["lon"]) for r in rows if r["lon"]] == [
        r["lon"] for r in [*town.reports, *town.bad_reports] if r["lon"] is not None
    ]


@pytest.mark.parametrize(("number", "words"), [(7, "七"), (10, "十"), (12, "十二"), (20, "二十"), (44, "四十四")])
def test_numbers_are_written_as_in_an_address(number: int, words: str) -> None:
    assert numeral(number) == words
