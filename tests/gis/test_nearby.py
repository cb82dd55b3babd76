"""Metres to borders: drawn answers, and the same bits alone and in a batch."""

from __future__ import annotations

import numpy as np
import pyproj
import shapely

from gis.crs import metres_per_degree
from gis.nearby import COMPILE_FROM, RUN, border_distance_m, borders_of

EAST, NORTH = (float(scale[0]) for scale in metres_per_degree(np.array([32.0])))


def metres(polygon: shapely.Geometry, lon: float, lat: float) -> float:
    return float(border_distance_m(borders_of(geometries(polygon)), np.array([0]), np.array([lon]), np.array([lat]))[0])


def geometries(*polygons: shapely.Geometry) -> np.ndarray:
    array = np.empty(len(polygons), dtype=object)
    array[:] = polygons
    return array


def test_the_nearest_wall_of_a_square_counts_from_inside_and_from_outside() -> None:
    square = shapely.box(121.0, 31.99, 121.02, 32.01)
    assert np.isclose(metres(square, 121.005, 32.0), 0.005 * EAST, rtol=1e-12)
    assert np.isclose(metres(square, 120.999, 32.0), 0.001 * EAST, rtol=1e-12)
    assert np.isclose(metres(square, 121.03, 32.0), 0.01 * EAST, rtol=1e-12)


def test_beyond_a_corner_the_corner_is_nearest() -> None:
    square = shapely.box(121.0, 32.001, 121.02, 32.02)
    assert np.isclose(metres(square, 120.999, 32.0), np.hypot(0.001 * EAST, 0.001 * NORTH), rtol=1e-12)


def test_the_wall_of_a_hole_is_a_border_and_no_line_leads_from_ring_to_ring() -> None:
    # Shell 0..0.1, hole 0.04..0.06: from 0.03 the hole is 0.01 away; a line from shell to hole would be nearer.
    holed = shapely.Polygon(
        shapely.box(121, 31.95, 121.1, 32.05).exterior, [shapely.box(121.04, 31.99, 121.06, 32.01).exterior]
    )
    assert np.isclose(metres(holed, 121.03, 32.0), 0.01 * EAST, rtol=1e-12)
    assert np.isclose(metres(holed, 121.02, 32.0), 0.02 * EAST, rtol=1e-12)


def test_the_nearest_part_of_a_multipart_grid_counts() -> None:
    parts = shapely.MultiPolygon([shapely.box(121, 31.99, 121.01, 32.01), shapely.box(121.03, 31.99, 121.04, 32.01)])
    assert np.isclose(metres(parts, 121.027, 32.0), 0.003 * EAST, rtol=1e-12)


def test_a_third_dimension_and_a_repeated_vertex_change_nothing() -> None:
    flat = shapely.Polygon([(121, 32), (121.01, 32), (121.01, 32.01), (121, 32.01)])
    solid = shapely.Polygon([(121, 32, 9), (121.01, 32, 9), (121.01, 32, 9), (121.01, 32.01, 9), (121, 32.01, 9)])
    assert metres(flat, 121.012, 32.004) == metres(solid, 121.012, 32.004)


def test_the_plane_agrees_with_the_geodesic_within_a_millimetre_in_a_hundred_metres() -> None:
    north_wall = shapely.box(121.0, 32.0, 121.1, 32.1)
    lon, lat = 121.05, 32.0 - 100 / NORTH
    _, _, true = pyproj.Geod(ellps="WGS84").inv(lon, lat, lon, 32.0)
    assert abs(metres(north_wall, lon, lat) - true) < 1e-3
    west_wall = 121.0 - 100 / EAST
    _, _, true = pyproj.Geod(ellps="WGS84").inv(west_wall, 32.05, 121.0, 32.05)
    assert abs(metres(north_wall, west_wall, 32.05) - true) < 1e-3


def test_a_place_alone_and_in_a_compiled_batch_has_the_same_bits() -> None:
    rng = np.random.default_rng(5)
    stars = []
    for lon, lat in rng.uniform((121, 31.9), (121.2, 32.1), (20, 2)):
        angle, radius = np.linspace(0, 2 * np.pi, 95, endpoint=False), rng.uniform(0.004, 0.02, 95)
        ring = np.column_stack([lon + radius * np.cos(angle), lat + radius * np.sin(angle)])
        hole = np.column_stack([lon + 0.2 * radius * np.cos(angle), lat + 0.2 * radius * np.sin(angle)])
        stars.append(shapely.Polygon(ring, [hole]))
    borders = borders_of(geometries(*stars))
    n = 4 * COMPILE_FROM
    lon, lat, grid = rng.uniform(120.9, 121.3, n), rng.uniform(31.8, 32.2, n), rng.integers(0, 20, n)
    vertices = shapely.get_coordinates(stars)
    lon[:50], lat[:50] = vertices[:50].T
    together = border_distance_m(borders, grid, lon, lat)
    alone = [border_distance_m(borders, grid[i : i + 1], lon[i : i + 1], lat[i : i + 1])[0] for i in range(n)]
    assert together.tolist() == alone


def test_every_ring_of_every_kind_of_grid_stands_in_its_order_and_ends_with_a_mark() -> None:
    box, ringed = shapely.box(0, 0, 1, 1), shapely.box(0, 0, 9, 9).difference(shapely.box(1, 1, 2, 2))
    several = shapely.MultiPolygon([shapely.box(20, 0, 21, 1), ringed, shapely.Polygon()])
    high = shapely.Polygon([(0, 0, 7), (1, 0, 8), (1, 1, 9)])
    grids = [box, shapely.Polygon(), ringed, shapely.MultiPolygon(), several, high, shapely.MultiPolygon([box]), box]
    borders = borders_of(geometries(*grids))
    for i, grid in enumerate(grids):
        expected = []
        for part in getattr(grid, "geoms", [grid]):
            for ring in [] if part.is_empty else [part.exterior, *part.interiors]:
                expected += [list(vertex[:2]) for vertex in ring.coords] + [[np.nan, np.nan]]
        found = borders.vertices[borders.start[i] : borders.stop[i]]
        np.testing.assert_array_equal(found, np.array(expected).reshape(-1, 2))


def test_the_boxes_of_a_large_city_are_those_of_its_grids_one_by_one() -> None:
    angle = np.linspace(0, 2 * np.pi, 401)
    shell, hole = (np.column_stack([r * np.cos(angle), r * np.sin(angle) * 0.7]) for r in (2.0, 0.3))
    grids = [shapely.Polygon(shell + k, [hole + k]) for k in range(RUN * COMPILE_FROM // 800 + 3)]
    together = borders_of(geometries(*grids, shapely.Polygon()))
    assert len(together.vertices) >= RUN * COMPILE_FROM
    alone = [borders_of(geometries(grid)).boxes for grid in grids]
    np.testing.assert_array_equal(together.boxes, np.concatenate(alone))
    assert together.first_box.tolist() == np.cumsum([0, *map(len, alone)]).tolist()
