"""Coordinates: declared datum in, WGS 84 out; what contradicts the datum is refused in words that help."""

from __future__ import annotations

import itertools
import math
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pyproj
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from gis import crs, gcj
from gis.crs import BD09, CGCS2000, GCJ02, WGS84, convert_geometry, one_to_storage, parse_datum, problems, to_storage
from gis.errors import CoordinateInvalid, DatumContradiction, DatumOutside, DatumUnknown, GeometryInvalid, GridError

# Facts of googollee/eviltransform's own test (MIT): WGS 84 lat, lon -> GCJ-02 lat, lon.
EVILTRANSFORM = [
    (31.1774276, 121.5272106, 31.17530398364597, 121.531541859215),
    (22.543847, 113.912316, 22.540796131694766, 113.9171764808363),
    (39.911954, 116.377817, 39.91334545536069, 116.38404722455657),
]
ELSEWHERE = [(-104.9903, 39.7392), (153.0251, -27.4698), (-43.1729, -22.9068)]
TOWN = (121.2, 32.05)
ZONE_40 = parse_datum("EPSG:4549")  # 3-degree zone, central meridian 120 E, easting without zone number

# The formula's range less a rim of 3 km: at its very edge the offset ends in a step, and nothing can come back.
china_lon = st.floats(gcj.WEST + 0.03, gcj.EAST - 0.03)
china_lat = st.floats(gcj.SOUTH + 0.03, gcj.NORTH - 0.03)


def metres_apart(lon_a: Any, lat_a: Any, lon_b: Any, lat_b: Any) -> Any:
    return pyproj.Geod(ellps="WGS84").inv(lon_a, lat_a, lon_b, lat_b)[2]


def one_problem(x: float, y: float, datum: crs.Datum) -> GridError:
    """The error of one place, which the array, the scalar and the NaN rule must agree upon."""
    found = problems([x], [y], datum)[0]
    assert isinstance(found, GridError)
    with pytest.raises(type(found)) as raised:
        one_to_storage(x, y, datum)
    assert raised.value.message == found.message
    lon, lat = to_storage([x], [y], datum)
    assert math.isnan(lon[0])
    assert math.isnan(lat[0])
    return found


# --- names


@pytest.mark.parametrize(
    ("text", "name", "epsg", "projected", "lossy"),
    [
        ("wgs84", "wgs84", 4326, False, False),
        ("WGS-84", "wgs84", 4326, False, False),
        ("WGS 84", "wgs84", 4326, False, False),
        ("EPSG:4326", "wgs84", 4326, False, False),
        ("4326", "wgs84", 4326, False, False),
        ("urn:ogc:def:crs:OGC:1.3:CRS84", "wgs84", 4326, False, False),
        ("http://www.opengis.net/def/crs/OGC/1.3/CRS84", "wgs84", 4326, False, False),
        ("gcj02", "gcj02", None, False, True),
        ("GCJ-02", "gcj02", None, False, True),
        ("bd09", "bd09", None, False, True),
        ("BD-09", "bd09", None, False, True),
        ("bd09ll", "bd09", None, False, True),
        ("CGCS2000", "cgcs2000", 4490, False, False),
        ("epsg:4490", "cgcs2000", 4490, False, False),
        (" epsg:4549 ", "EPSG:4549", 4549, True, False),
        ("urn:ogc:def:crs:EPSG::4549", "EPSG:4549", 4549, True, False),
        ("EPSG:4610", "EPSG:4610", 4610, False, False),
    ],
)
def test_a_datum_has_one_name_whatever_it_is_called(
    text: str, name: str, epsg: int | None, projected: bool, lossy: bool
) -> None:
    datum = parse_datum(text)
    assert (datum.name, datum.epsg, datum.projected, datum.lossy) == (name, epsg, projected, lossy)
    assert parse_datum(datum.name) == datum


@pytest.mark.parametrize(
    "text", ["", "mars", "EPSG:", "EPSG:999999", "EPSG:4978", "EPSG:5773", "bd09mc", "nan", "4549.0", "EPSG:４５４９"]
)
def test_an_unknown_datum_is_refused_with_the_list_of_known_ones(text: str) -> None:
    with pytest.raises(DatumUnknown, match="use wgs84, cgcs2000, gcj02"):
        parse_datum(text)


# --- GCJ-02 and BD-09


@pytest.mark.parametrize(("lat", "lon", "gcj_lat", "gcj_lon"), EVILTRANSFORM)
def test_the_public_vectors_hold_to_a_billionth_of_a_degree(
    lat: float, lon: float, gcj_lat: float, gcj_lon: float
) -> None:
    x, y = crs.from_storage([lon], [lat], GCJ02)
    assert x[0] == pytest.approx(gcj_lon, abs=1e-9, rel=0)
    assert y[0] == pytest.approx(gcj_lat, abs=1e-9, rel=0)
    back = one_to_storage(gcj_lon, gcj_lat, GCJ02)
    assert back == pytest.approx((lon, lat), abs=1e-9, rel=0)


@pytest.mark.parametrize(("lon", "lat"), ELSEWHERE)
def test_outside_its_range_gcj02_is_wgs84_and_a_gcj02_report_is_refused(lon: float, lat: float) -> None:
    x, y = crs.from_storage([lon], [lat], GCJ02)
    assert (x[0], y[0]) == (lon, lat)
    for datum in (GCJ02, BD09):
        found = one_problem(lon, lat, datum)
        assert isinstance(found, DatumOutside)
        assert "72.004" in found.message
        assert "declare wgs84" in found.message


def test_the_limits_of_gcj02_are_where_the_offset_ends() -> None:
    lon, lat = (
        np.array([72.003, 72.005, 137.8346, 137.8348, 110.0, 110.0]),
        np.array([40.0, 40.0, 40.0, 40.0, 0.8292, 55.827]),
    )
    moved = crs.from_storage(lon, lat, GCJ02)[0] != lon
    assert moved.tolist() == [False, True, True, False, False, True]


def test_a_gcj02_place_in_the_town_lies_hundreds_of_metres_off_and_bd09_over_a_kilometre() -> None:
    far = {
        d.name: float(metres_apart(*TOWN, *(v[0] for v in crs.from_storage([TOWN[0]], [TOWN[1]], d))))
        for d in (GCJ02, BD09)
    }
    assert 450 < far["gcj02"] < 600
    assert 1000 < far["bd09"] < 1400


@given(china_lon, china_lat, st.sampled_from([GCJ02, BD09]))
@settings(max_examples=500, deadline=None)
def test_there_and_back_is_within_a_micrometre(lon: float, lat: float, datum: crs.Datum) -> None:
    x, y = crs.from_storage([lon], [lat], datum)
    back = one_to_storage(float(x[0]), float(y[0]), datum)
    # On 105 E itself the formula has a root without a slope: five steps leave a micrometre there.
    assert metres_apart(lon, lat, *back) < (1e-6 if abs(lon - 105.0) > 1e-6 else 3e-6)


@given(
    st.lists(st.tuples(st.floats(73, 137), st.floats(1.5, 55)), min_size=1, max_size=40),
    st.sampled_from([GCJ02, BD09, WGS84, CGCS2000]),
)
@settings(max_examples=200, deadline=None)
def test_one_place_and_many_give_the_same_answer(places: list[tuple[float, float]], datum: crs.Datum) -> None:
    lon, lat = to_storage(*zip(*places, strict=True), datum)
    each = np.array([one_to_storage(x, y, datum) for x, y in places])
    assert np.abs(each[:, 0] - lon).max() < 1e-12
    assert np.abs(each[:, 1] - lat).max() < 1e-12


def test_the_answer_does_not_depend_on_the_place_in_the_array_nor_on_its_length() -> None:
    rng = np.random.default_rng(4)
    x, y = rng.uniform(73, 137, 40_000), rng.uniform(2, 55, 40_000)
    for datum in (GCJ02, BD09):
        lon, lat = to_storage(x, y, datum)
        for start, stop in ((1, 40_000), (3, 12), (16_383, 16_386)):
            part_lon, part_lat = to_storage(x[start:stop], y[start:stop], datum)
            assert np.array_equal(part_lon, lon[start:stop])
            assert np.array_equal(part_lat, lat[start:stop])


# --- EPSG codes


def test_cgcs2000_is_wgs84_as_proj_says_and_lon_comes_first() -> None:
    lon, lat = to_storage([121.2], [32.05], parse_datum("EPSG:4490"))
    assert (lon[0], lat[0]) == (121.2, 32.05)
    by_proj = pyproj.Transformer.from_crs(4490, 4326, always_xy=True).transform(121.2, 32.05)
    assert by_proj == (121.2, 32.05)


@pytest.mark.parametrize(
    ("epsg", "central", "false_easting"),
    [(4547, 114.0, 500_000.0), (4549, 120.0, 500_000.0), (4528, 120.0, 40_500_000.0)],
)
def test_the_central_meridian_of_a_3_degree_zone_is_its_false_easting(
    epsg: int, central: float, false_easting: float
) -> None:
    # North-first by definition: were the order not fixed, easting and northing would change places.
    x, y = crs.from_storage([central], [32.05], parse_datum(f"EPSG:{epsg}"))
    assert x[0] == pytest.approx(false_easting, abs=1e-6)
    assert 3_540_000 < y[0] < 3_550_000
    assert one_to_storage(float(x[0]), float(y[0]), parse_datum(f"EPSG:{epsg}")) == pytest.approx(
        (central, 32.05), abs=1e-10
    )


def test_every_3_degree_zone_with_and_without_zone_number_gives_the_same_place() -> None:
    for i in range(21):
        central = 75.0 + 3.0 * i
        plain, prefixed = parse_datum(f"EPSG:{4534 + i}"), parse_datum(f"EPSG:{4513 + i}")
        area = crs.metric_crs(central, 40.0).area_of_use
        assert area is not None
        lat = (area.south + area.north) / 2
        (x,), (y,) = crs.from_storage([central + 1.2], [lat], plain)
        assert one_to_storage(x, y, plain) == pytest.approx((central + 1.2, lat), abs=1e-9)
        assert one_to_storage(x + 1e6 * (25 + i), y, prefixed) == pytest.approx((central + 1.2, lat), abs=1e-9)


def test_one_place_declared_in_every_datum_is_one_place() -> None:
    rng = np.random.default_rng(5)
    for lon, lat in rng.uniform((121.1, 31.95), (121.3, 32.15), (50, 2)):
        for datum in (WGS84, CGCS2000, GCJ02, BD09, ZONE_40, parse_datum("EPSG:3857"), parse_datum("EPSG:32651")):
            (x,), (y,) = crs.from_storage([lon], [lat], datum)
            assert metres_apart(lon, lat, *one_to_storage(float(x), float(y), datum)) < 1e-6


def test_transformers_are_not_shared_by_threads() -> None:
    def many(seed: int) -> float:
        rng = np.random.default_rng(seed)
        lon, lat = rng.uniform(119, 121.4, 200), rng.uniform(28, 36, 200)
        worst = 0.0
        for _ in range(20):
            for epsg in (4549, 4528, 3857):
                back = to_storage(*crs.from_storage(lon, lat, parse_datum(f"EPSG:{epsg}")), parse_datum(f"EPSG:{epsg}"))
                worst = max(worst, float(np.abs(back[0] - lon).max()))
        assert crs.metric_crs(120.0, 30.0) is crs.metric_crs(120.0, 30.0)
        return worst

    with ThreadPoolExecutor(4) as pool:
        assert max(pool.map(many, range(8))) < 1e-9
        objects = list(pool.map(lambda _: crs.metric_crs(120.0, 30.0), range(8)))
    assert all(o is not crs.metric_crs(120.0, 30.0) for o in objects)


# --- what is refused


def test_nan_and_infinity_are_named() -> None:
    assert "lon is missing" in one_problem(math.nan, 32.0, WGS84).message
    assert "lat is infinite" in one_problem(121.0, math.inf, GCJ02).message
    assert (
        "easting is missing or not a number and northing is missing" in one_problem(math.nan, math.nan, ZONE_40).message
    )


def test_zero_zero_is_no_position_in_any_datum() -> None:
    for datum in (WGS84, CGCS2000, GCJ02, BD09, ZONE_40):
        found = one_problem(0.0, 0.0, datum)
        assert isinstance(found, CoordinateInvalid)
        assert "0/0" in found.message


def test_zero_alone_is_a_place() -> None:
    assert one_to_storage(0.0, 51.5, WGS84) == (0.0, 51.5)
    assert one_to_storage(32.0, 0.0, WGS84) == (32.0, 0.0)


def test_swapped_lon_and_lat_are_recognised_and_the_right_order_is_shown() -> None:
    found = one_problem(31.2, 121.5, WGS84)
    assert isinstance(found, CoordinateInvalid)
    assert found.message.endswith("lon and lat look swapped; send lon 121.5, lat 31.2")
    # Below 90 E a swap is a valid place in WGS 84, but not where GCJ-02 is defined.
    assert problems([43.8], [87.6], WGS84)[0] is None
    west = one_problem(43.8, 87.6, GCJ02)
    assert isinstance(west, DatumOutside)
    assert "look swapped" in west.message


@pytest.mark.parametrize(
    ("lon", "lat", "what"),
    [(181.0, 30.0, "lon 181"), (-9999.0, -9999.0, "lon -9999"), (120.0, 91.0, "lat 91"), (200.0, 95.0, "lon 200")],
)
def test_out_of_range_is_named(lon: float, lat: float, what: str) -> None:
    found = one_problem(lon, lat, WGS84)
    assert isinstance(found, CoordinateInvalid)
    assert what in found.message
    assert "out of range" in found.message


@pytest.mark.parametrize(
    ("x", "y", "hint"),
    [
        (613_221.4, 3_548_003.2, "perhaps a 3-degree zone"),
        (40_613_221.4, 3_548_003.2, "perhaps EPSG:4528)"),
        (3_548_003.2, 40_613_221.4, "perhaps EPSG:4528, and easting and northing seem to be swapped"),
        (13_492_000.0, 3_770_000.0, "perhaps EPSG:3857"),
        (121_527_210.0, 31_177_427.0, "degrees times 1,000,000"),
    ],
)
def test_metres_declared_as_degrees_are_a_contradiction_with_a_hint(x: float, y: float, hint: str) -> None:
    for datum in (WGS84, CGCS2000, GCJ02, BD09):
        found = one_problem(x, y, datum)
        assert isinstance(found, DatumContradiction)
        assert hint in found.message
        assert found.details == {"crs": datum.name}


def test_degrees_declared_as_epsg_4549_are_a_contradiction() -> None:
    for x, y in ((121.2, 32.05), (32.05, 121.2)):
        found = one_problem(x, y, ZONE_40)
        assert isinstance(found, DatumContradiction)
        assert "look like degrees, but EPSG:4549 (CGCS2000 / 3-degree Gauss-Kruger CM 120E)" in found.message


def test_a_zone_number_too_many_or_missing_names_the_right_code() -> None:
    assert "declare EPSG:4528" in one_problem(40_613_221.4, 3_548_003.2, ZONE_40).message
    assert "declare EPSG:4549" in one_problem(613_221.4, 3_548_003.2, parse_datum("EPSG:4528")).message


def test_northing_before_easting_is_recognised() -> None:
    found = one_problem(3_548_003.2, 613_221.4, ZONE_40)
    assert isinstance(found, CoordinateInvalid)
    assert "easting and northing look swapped" in found.message


def test_a_neighbouring_zone_s_town_is_still_accepted() -> None:
    (x,), (y,) = crs.from_storage([123.4], [32.05], ZONE_40)
    assert one_to_storage(float(x), float(y), ZONE_40) == pytest.approx((123.4, 32.05), abs=1e-9)


@given(
    st.lists(
        st.tuples(*[st.floats(allow_nan=True) | st.floats(-200, 200) | st.just(0.0) | st.floats(1e5, 5e7)] * 2),
        min_size=1,
        max_size=20,
    ),
    st.sampled_from([WGS84, CGCS2000, GCJ02, BD09, ZONE_40, parse_datum("EPSG:3857"), parse_datum("EPSG:4610")]),
)
@settings(max_examples=300, deadline=None)
def test_a_row_is_nan_exactly_when_it_has_a_problem_and_rows_do_not_disturb_each_other(
    places: list[tuple[float, float]], datum: crs.Datum
) -> None:
    lon, lat = to_storage(*zip(*places, strict=True), datum)
    found = problems(*zip(*places, strict=True), datum)
    for i, (x, y) in enumerate(places):
        assert (found[i] is not None) == math.isnan(lon[i]) == math.isnan(lat[i])
        if found[i] is None:
            assert one_to_storage(x, y, datum) == pytest.approx((lon[i], lat[i]), abs=1e-12, rel=0)
            assert abs(lon[i]) <= 180.0
            assert abs(lat[i]) <= 90.0
        else:
            with pytest.raises(type(found[i])):
                one_to_storage(x, y, datum)


# --- scale and metric systems


@pytest.mark.parametrize(
    ("lon", "lat", "epsg"),
    [
        (121.2, 32.05, 4549),
        (120.0, 32.05, 4549),
        (118.49, 32.05, 4548),
        (118.5, 32.05, 4549),
        (73.0, 39.0, 4534),
        (135.5, 48.0, 4554),
        (113.9, 22.5, 4547),
        (-77.0, 38.9, 32618),
        (-43.2, -22.9, 32723),
        (180.0, 10.0, 32660),
        (120.0, 2.9, 32651),
    ],
)
def test_the_metric_system_of_a_place(lon: float, lat: float, epsg: int) -> None:
    assert crs.metric_crs(lon, lat).to_epsg() == epsg


def test_nowhere_has_no_metric_system() -> None:
    for lon, lat in ((math.nan, 30.0), (120.0, 91.0), (500_000.0, 3_500_000.0)):
        with pytest.raises(CoordinateInvalid):
            crs.metric_crs(lon, lat)


@given(st.floats(-89, 89))
@settings(max_examples=100, deadline=None)
def test_metres_per_degree_agree_with_short_geodesics(lat: float) -> None:
    east, north = crs.metres_per_degree([lat])
    d = 1e-4
    assert metres_apart(10 - d, lat, 10 + d, lat) / (2 * d) == pytest.approx(float(east[0]), rel=1e-6)
    assert metres_apart(10, lat - d, 10, lat + d) / (2 * d) == pytest.approx(float(north[0]), rel=1e-6)


def test_a_degree_at_the_equator_is_as_long_as_the_textbook_says() -> None:
    east, north = crs.metres_per_degree([0.0])
    assert float(east[0]) == pytest.approx(111_319.4908, abs=1e-4)
    assert float(north[0]) == pytest.approx(110_574.2758, abs=1e-4)


def test_area_is_geodesic_whatever_way_rings_run_and_holes_are_taken_off() -> None:
    outer, hole = shapely.box(120.0, 30.0, 120.01, 30.01), shapely.box(120.004, 30.004, 120.006, 30.006)
    ring = shapely.Polygon(outer.exterior.coords, [hole.exterior.coords])
    both = shapely.MultiPolygon([ring, hole])
    turned = shapely.Polygon(outer.exterior.coords[::-1], [hole.exterior.coords[::-1]])
    areas = crs.area_m2(
        np.array([outer, ring, both, turned, None, shapely.Polygon(), shapely.Point(1, 1)], dtype=object)
    )
    by_proj = abs(pyproj.Geod(ellps="WGS84").geometry_area_perimeter(outer)[0])
    assert areas[0] == pytest.approx(by_proj)
    assert areas[1] == pytest.approx(0.96 * areas[0], rel=1e-4)
    assert areas[2] == pytest.approx(areas[0])
    assert areas[3] == pytest.approx(areas[1])
    assert areas[4:].tolist() == [0.0, 0.0, 0.0]


# --- shapes

BENT = [GCJ02, BD09, ZONE_40]


def shapes(*geoms: Any) -> Any:
    array = np.empty(len(geoms), dtype=object)
    array[:] = geoms
    return array


def square_in(datum: crs.Datum, size: float = 0.05) -> tuple[float, float, float, float]:
    """A square of about 5 km in the datum's own unit, near the town."""
    if datum.projected:
        return 600_000.0, 3_540_000.0, 600_000.0 + size * 1e5, 3_540_000.0 + size * 1e5
    return 121.2, 32.0, 121.2 + size, 32.0 + size


@pytest.mark.parametrize("datum", BENT)
def test_edges_get_a_vertex_at_least_every_200_metres_and_keep_their_own(datum: crs.Datum) -> None:
    box = shapely.box(*square_in(datum))
    (drawn,) = convert_geometry(shapes(box), datum)
    corners = shapely.points(np.column_stack(to_storage(*shapely.get_coordinates(box).T, datum)))
    assert set(corners) <= set(shapely.points(shapely.get_coordinates(drawn)))
    xy = shapely.get_coordinates(drawn)
    steps = metres_apart(xy[:-1, 0], xy[:-1, 1], xy[1:, 0], xy[1:, 1])
    longest = 100 if datum == BD09 else 200
    assert longest / 2 < min(steps) < max(steps) < longest * 1.003


def five_km_edges(datum: crs.Datum) -> Any:
    """Two hundred straight edges of some 5 km in the datum, all over China."""
    rng = np.random.default_rng(0)
    turn = rng.uniform(0, 2 * math.pi, 200)
    way = np.column_stack((np.cos(turn), np.sin(turn)))
    if datum.projected:
        start, scale = rng.uniform((4e5, 3e6), (6.5e5, 4e6), (200, 2)), np.array([[5000.0, 5000.0]])
    else:
        start = rng.uniform((100, 20), (125, 42), (200, 2))
        scale = 5000.0 / np.column_stack(crs.metres_per_degree(start[:, 1]))
    return np.stack((start, start + way * scale), axis=1)


@pytest.mark.parametrize(
    ("datum", "bare_m", "dense_m"), [(GCJ02, 2.0, 0.007), (BD09, 20.0, 0.02), (ZONE_40, 0.2, 0.001)]
)
def test_a_5_km_edge_bends_by_metres_without_new_vertices_and_not_with_them(
    datum: crs.Datum, bare_m: float, dense_m: float
) -> None:
    bare, dense = [], []
    for a, b in five_km_edges(datum):
        true = np.column_stack(to_storage(*(a + (b - a) * np.linspace(0, 1, 501)[:, None]).T, datum))
        flat = np.column_stack(crs.metres_per_degree(true[:1, 1]))
        drawn = convert_geometry(shapes(shapely.LineString([a, b])), datum)[0]
        for line, found in ((true[[0, -1]], bare), (shapely.get_coordinates(drawn), dense)):
            found.append(shapely.distance(shapely.points(true * flat), shapely.LineString(line * flat)).max())
    assert max(bare) > bare_m
    assert max(dense) < dense_m


@pytest.mark.parametrize("datum", [WGS84, CGCS2000])
def test_storage_datums_keep_every_vertex_bit_for_bit(datum: crs.Datum) -> None:
    given_shapes = shapes(shapely.box(121.2, 32.0, 121.3, 32.1), shapely.LineString([(121, 32), (122, 33)]))
    assert shapely.equals_exact(convert_geometry(given_shapes, datum), given_shapes).all()


def test_every_kind_of_shape_keeps_its_kind_and_none_and_empty_stay() -> None:
    hole = shapely.Polygon(
        shapely.box(121, 32, 121.1, 32.1).exterior, [shapely.box(121.04, 32.04, 121.06, 32.06).exterior]
    )
    far = shapely.box(121.2, 32, 121.21, 32.01)
    line = shapely.LineString([(121, 32), (121.05, 32.02)])
    given_shapes = shapes(
        None,
        shapely.Polygon(),
        hole,
        shapely.MultiPolygon([far, hole]),
        line,
        shapely.MultiLineString([line]),
        shapely.Point(121, 32),
        shapely.MultiPoint([(121, 32), (121.1, 32.1)]),
        shapely.GeometryCollection([far, shapely.Point(121, 32), line]),
        far,
        shapely.MultiPolygon([far]),
        shapely.Polygon([(121, 32, 5), (121.01, 32, 5), (121, 32.01, 5)]),
    )
    drawn = convert_geometry(given_shapes, GCJ02)
    assert drawn[0] is None
    assert shapely.get_type_id(drawn).tolist() == shapely.get_type_id(given_shapes).tolist()
    assert shapely.get_num_interior_rings(drawn[2]) == 1
    assert shapely.get_num_geometries(drawn[[3, 7, 8, 10]]).tolist() == [2, 2, 3, 1]
    assert drawn[1].is_empty
    assert drawn[3].geoms[1].equals(drawn[2])
    assert drawn[8].geoms[0].equals(drawn[9])
    assert tuple(drawn[6].coords[0]) == one_to_storage(121.0, 32.0, GCJ02)
    assert not shapely.has_z(drawn).any()
    assert given_shapes[11].has_z
    assert shapely.is_valid(drawn[1:]).all()


def wobbly_town(seed: int, datum: crs.Datum, n: int = 4) -> Any:
    """Returns n x n quadrilaterals over shared, jittered corners; every ring starts elsewhere and runs either way."""
    rng = np.random.default_rng(seed)
    west, south, east, north = square_in(datum, 0.04)
    step_x, step_y = (east - west) / n, (north - south) / n
    xs = west + step_x * (np.arange(n + 1)[:, None] + rng.uniform(-0.3, 0.3, (n + 1, n + 1)))
    ys = south + step_y * (np.arange(n + 1)[None, :] + rng.uniform(-0.3, 0.3, (n + 1, n + 1)))
    town = []
    for i in range(n):
        for j in range(n):
            ring = [(xs[a, b], ys[a, b]) for a, b in ((i, j), (i + 1, j), (i + 1, j + 1), (i, j + 1))]
            turn = int(rng.integers(4))
            ring = ring[turn:] + ring[:turn]
            town.append(shapely.Polygon(ring[:: int(rng.choice([-1, 1]))]))
    return shapes(*town)


@given(st.integers(0, 2**32), st.sampled_from(BENT))
@settings(max_examples=40, deadline=None)
def test_neighbours_share_their_border_bit_for_bit_after_conversion(seed: int, datum: crs.Datum) -> None:
    town = wobbly_town(seed, datum)
    assert shapely.coverage_is_valid(town)
    drawn = convert_geometry(town, datum)
    assert shapely.coverage_is_valid(drawn)
    edges: dict[frozenset[tuple[float, float]], int] = {}
    for polygon in drawn:
        ring = list(polygon.exterior.coords)
        for a, b in itertools.pairwise(ring):
            edges[frozenset((a, b))] = edges.get(frozenset((a, b)), 0) + 1
    border = sum(1 for times in edges.values() if times == 1)
    assert set(edges.values()) == {1, 2}
    outline = shapely.union_all(drawn).exterior
    assert border == len(outline.coords) - 1
    # Converted alone, as another file would be, a shape has the same vertices.
    assert shapely.equals_exact(convert_geometry(town[3:4], datum)[0], drawn[3])


@given(st.floats(72.1, 137), st.floats(1, 55), st.floats(-0.05, 0.05), st.floats(-0.05, 0.05))
@settings(max_examples=200, deadline=None)
def test_an_edge_gets_the_same_vertices_in_both_directions(lon: float, lat: float, east: float, north: float) -> None:
    there = shapely.LineString([(lon, lat), (lon + east, lat + north)])
    drawn = convert_geometry(shapes(there, there.reverse()), GCJ02)
    assert list(drawn[0].coords) == list(drawn[1].coords)[::-1]


def test_a_shape_with_an_unusable_vertex_is_refused_by_its_number() -> None:
    good = shapely.box(121, 32, 121.1, 32.1)
    metres = shapely.box(600_000, 3_540_000, 601_000, 3_541_000)
    with pytest.raises(DatumContradiction, match="look like projected metres") as raised:
        convert_geometry(shapes(good, metres), WGS84)
    assert (raised.value.place, raised.value.details["index"]) == ("shape 2", 1)
    with pytest.raises(DatumContradiction, match="look like degrees"):
        convert_geometry(shapes(None, good), ZONE_40)
    with pytest.raises(DatumOutside):
        convert_geometry(shapes(good, shapely.box(-77, 38, -76, 39)), GCJ02)
    found = crs.shape_problems(shapes(good, None, metres, shapely.LineString([(121, 32), (121, math.inf)])), WGS84)
    assert [type(f) for f in found] == [type(None), type(None), DatumContradiction, CoordinateInvalid]


def test_a_shape_may_pass_through_0_0() -> None:
    box = shapely.box(0, 0, 1, 1)
    assert convert_geometry(shapes(box), WGS84)[0].equals(box)


def test_a_map_of_the_world_is_no_grid() -> None:
    line = shapely.LineString([(-2e7, 0.0), (2e7, 1.0)] * 60)
    with pytest.raises(GeometryInvalid, match="far too long for grids"):
        convert_geometry(shapes(*[line] * 3), parse_datum("EPSG:3857"))
