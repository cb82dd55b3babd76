"""The datum alarm: silent about what is right or too little, loud with figures about a mix-up; on the demo town and on drawn ground."""

from __future__ import annotations

from datetime import datetime
from math import comb

import numpy as np
import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st

from data.datumwatch import DatumWatch, Ground, ground_of
from data.demo import Town, build_town
from data.report import clean
from gis.crs import BD09, GCJ02, WGS84, from_storage, metres_per_degree, parse_datum
from gis.datumalarm import CELL, MIN_DECIDING, DatumReport, Places, Streets, examine, sign_test, told
from gis.locate import GridIndex
from gis.partition import partition_of

NOW = datetime.fromisoformat("2026-11-22T12:00:00+08:00")
LON, LAT = 121.2, 32.05
EAST, NORTH = (float(scale) for scale in metres_per_degree(LAT))


@pytest.fixture(scope="module")
def town() -> Town:
    return build_town(now=NOW)


@pytest.fixture(scope="module")
def positions(town: Town) -> tuple[np.ndarray, np.ndarray]:
    """WGS 84 lon and lat of the town's reports."""
    reports = [clean(row, NOW) for row in town.reports]
    pairs = [(one.lon, one.lat) for one in reports if one.lon is not None]
    lon, lat = np.array(pairs, dtype=np.float64).T
    return lon, lat


@pytest.fixture(scope="module")
def ground(town: Town) -> Ground:
    index = GridIndex.of([partition_of([a.code for a in town.grids], [a.geometry for a in town.grids])])
    lines = np.array([street.geometry for street in town.streets], dtype=object)
    return ground_of(index, Streets(lines))


def asked(x: np.ndarray, y: np.ndarray, declared: str, ground: Ground) -> DatumReport:
    watch = DatumWatch()
    watch.see(declared, x, y)
    (report,) = watch.reports(ground)
    return report


@pytest.mark.parametrize("parts", ["area", "streets", "both"])
@pytest.mark.parametrize(
    ("sent", "declared", "suspected"),
    [
        ("wgs84", "wgs84", None),
        ("wgs84", "cgcs2000", None),
        ("gcj02", "gcj02", None),
        ("bd09", "bd09", None),
        ("gcj02", "wgs84", "gcj02"),
        ("gcj02", "cgcs2000", "gcj02"),
        ("bd09", "wgs84", "bd09"),
        ("wgs84", "gcj02", "wgs84"),
        ("wgs84", "bd09", "wgs84"),
        ("gcj02", "bd09", "gcj02"),
    ],
)
def test_the_towns_reports_raise_the_alarm_only_in_the_wrong_datum(
    positions: tuple[np.ndarray, np.ndarray],
    ground: Ground,
    sent: str,
    declared: str,
    suspected: str | None,
    parts: str,
) -> None:
    ground = Ground(ground.covers if parts != "streets" else None, ground.streets if parts != "area" else None)
    report = asked(*from_storage(*positions, parse_datum(sent)), declared, ground)
    assert (report.suspected, report.silent, report.alarm) == (suspected, None, suspected is not None)
    assert {one.kind for one in report.grounds} <= {"area", "streets"}
    assert all(one.p_value < 1e-3 and one.for_other + one.against >= MIN_DECIDING for one in report.grounds)


def test_the_sentences_name_the_datum_and_the_figures(positions: tuple[np.ndarray, np.ndarray], ground: Ground) -> None:
    report = asked(*from_storage(*positions, GCJ02), "wgs84", ground)
    first, streets, area = told(report)
    assert first.startswith(f"datum alarm: {report.places:,} places declared wgs84 look like gcj02")
    assert "come nearer" in streets
    assert "lie inside the grids" in area
    assert report.as_json()["suspected"] == "gcj02"
    assert told(asked(*positions, "wgs84", ground)) == [
        f"datum wgs84: no other datum fits {len(_thin(*positions).x):,} places better"
    ]


def _thin(lon: np.ndarray, lat: np.ndarray) -> Places:
    places = Places()
    places.add(lon, lat)
    return places


def test_two_channels_of_two_datums_are_told_apart(positions: tuple[np.ndarray, np.ndarray], ground: Ground) -> None:
    watch = DatumWatch()
    watch.see("wgs84", *positions)
    watch.see("bd09", *from_storage(*positions, GCJ02))
    assert [(one.declared, one.suspected) for one in watch.alarms(ground)] == [("bd09", "gcj02")]


# -- drawn ground -----------------------------------------------------------------------------------------------------


def spread(n: int, west_m: float, east_m: float) -> tuple[np.ndarray, np.ndarray]:
    """So many places each way between two distances east of the corner, and as far north, a cell of its own each."""
    metres = np.linspace(west_m, east_m, n)
    x, y = np.meshgrid(LON + metres / EAST, LAT + metres / NORTH)
    return x.ravel(), y.ravel()


def box(side_m: float) -> Ground:
    area = shapely.box(LON, LAT, LON + side_m / EAST, LAT + side_m / NORTH)
    return Ground(lambda lon, lat: shapely.intersects_xy(area, lon, lat), None)


def test_too_few_places_stay_silent_however_wrong_they_are() -> None:
    x, y = from_storage(*spread(5, 100.0, 3900.0), BD09)
    report = asked(x, y, "wgs84", box(4000.0))
    assert (report.places, report.silent, report.alarm) == (25, "too-few", False)
    assert "fewer than 30" in told(report)[0]


def test_one_spot_named_a_thousand_times_is_one_place() -> None:
    x, y = spread(1, 100.0, 100.0)
    places = _thin(np.repeat(x, 1000), np.repeat(y, 1000))
    assert (len(places.x), places.seen) == (1, 1000)


def test_without_grids_and_streets_nothing_is_said() -> None:
    report = asked(*spread(10, 0.0, 4000.0), "wgs84", Ground())
    assert report.silent == "no-ground"
    assert (
        examine(_thin(*spread(10, 0.0, 4000.0)), WGS84, streets=Streets(np.array([], dtype=object))).silent
        == "no-ground"
    )


def test_metres_have_no_other_datum() -> None:
    assert asked(np.arange(100) * 500.0, np.full(100, 3.5e6), "EPSG:4547", box(4000.0)).silent == "projected"


def test_a_table_of_a_whole_city_says_nothing_of_one_district() -> None:
    """Places lie all round, three times as dense behind one border: read otherwise more of them come in, yet most lie outside."""
    x, y = spread(40, -8000.0, 12_000.0)
    dense_x, dense_y = spread(60, 2000.0, 6000.0)
    report = asked(np.concatenate([x, dense_x]), np.concatenate([y, dense_y]), "wgs84", box(4000.0))
    area = [one for one in report.evidence if one.kind == "area"]
    assert any(one.p_value < 1e-3 for one in area)
    assert not report.alarm


def test_places_that_change_side_both_ways_are_no_alarm() -> None:
    report = asked(*spread(60, -400.0, 4400.0), "wgs84", box(4000.0))
    assert not report.alarm


def test_distances_are_metres_and_unknown_outside_the_hull() -> None:
    corner, far = (LON, LAT), (LON + 1000.0 / EAST, LAT)
    top = (LON, LAT + 1000.0 / NORTH)
    streets = Streets(np.array([shapely.LineString([top, corner, far])], dtype=object))
    lon = LON + np.array([30.0, 400.0, 900.0, np.nan]) / EAST
    lat = LAT + np.array([200.0, 10.0, 900.0, 0.0]) / NORTH
    found = streets.distance_m(lon, lat)
    assert found[:2] == pytest.approx([30.0, 10.0], rel=1e-3)
    assert np.isnan(found[2:]).all()


@given(st.lists(st.tuples(st.floats(-1, 1), st.floats(-1, 1)), max_size=40))
def test_thinning_keeps_the_first_place_of_every_cell(pairs: list[tuple[float, float]]) -> None:
    first: dict[tuple[int, int], tuple[float, float]] = {}
    for x, y in pairs:
        first.setdefault((int(np.floor(x / CELL)), int(np.floor(y / CELL))), (x, y))
    places = Places()
    for part in (pairs[:7], pairs[7:]):
        xy = np.array(part, dtype=np.float64).reshape(-1, 2)
        places.add(xy[:, 0], xy[:, 1])
    assert list(zip(places.x, places.y, strict=True)) == list(first.values())


@given(st.integers(0, 60), st.integers(0, 60))
def test_the_sign_test_is_the_exact_binomial_tail(successes: int, failures: int) -> None:
    n = successes + failures
    exact = sum(comb(n, k) for k in range(successes, n + 1)) / 2**n
    assert sign_test(successes, failures) == pytest.approx(exact, rel=1e-9)


def test_the_sign_test_bears_many_places() -> None:
    assert sign_test(20_000, 0) == 0.0
    assert sign_test(10_000, 10_000) == pytest.approx(0.5, abs=0.01)
