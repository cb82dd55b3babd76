"""Ground: areas that add up, on the ellipsoid."""

from __future__ import annotations

import numpy as np
import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st

from gis.crs import area_m2
from gis.ground import border_m, ground_m2


def array(*shapes: object) -> np.ndarray:
    held = np.empty(len(shapes), dtype=object)
    held[:] = shapes
    return held


@given(st.floats(-80, 80), st.floats(-170, 170), st.sampled_from([1e-3, 1e-2]))
def test_it_is_the_geodesic_area_of_many_short_edges(lat: float, lon: float, size: float) -> None:
    square = shapely.box(lon, lat, lon + size, lat + size)
    dense = shapely.segmentize(square, size / 100)
    assert ground_m2(array(square))[0] == pytest.approx(area_m2(array(dense))[0], rel=1e-8)


def test_pieces_add_up_where_geodesic_areas_do_not() -> None:
    square = shapely.box(121.0, 40.0, 121.1, 40.1)
    pieces = array(*(shapely.box(121.0 + i / 100, 40.0, 121.0 + (i + 1) / 100, 40.1) for i in range(10)))
    whole = array(square)
    assert ground_m2(pieces).sum() == pytest.approx(ground_m2(whole)[0], rel=1e-11)
    assert area_m2(pieces).sum() != pytest.approx(area_m2(whole)[0], rel=1e-8)


def test_holes_are_taken_off_parts_added_and_the_rest_is_nothing() -> None:
    block, hole = shapely.box(121.0, 32.0, 121.003, 32.003), shapely.box(121.001, 32.001, 121.002, 32.002)
    far = shapely.box(121.1, 32.001, 121.101, 32.002)
    both = shapely.multipolygons([block - hole, far])
    areas = ground_m2(array(block, hole, block - hole, both, None, shapely.Polygon(), shapely.Point(1, 1)))
    assert areas[2] == pytest.approx(areas[0] - areas[1])
    assert areas[3] == pytest.approx(areas[0])
    assert areas[4:].tolist() == [0, 0, 0]
    assert ground_m2(array()).tolist() == []


def test_a_ring_may_run_either_way() -> None:
    square = shapely.box(121.0, 32.0, 121.001, 32.001)
    assert ground_m2(array(square)) == ground_m2(array(shapely.reverse(square)))


def test_a_border_counts_its_holes_and_a_line_its_length() -> None:
    block = shapely.box(121.0, 0.0, 121.01, 0.01)
    east, north = 1113.1949, 1105.7428  # a hundredth of a degree on the equator
    line = shapely.LineString([(121.0, 0.0), (121.01, 0.0)])
    assert border_m(array(block, line, None)) == pytest.approx([2 * (east + north), east, 0.0], rel=1e-7)
