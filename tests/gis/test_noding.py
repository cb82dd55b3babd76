"""Noding: exact crossings, and what lies so near that it is meant to be the same."""

from __future__ import annotations

from fractions import Fraction

import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st

from gis.cutting import cut, with_knots
from gis.noding import NEAR, Net, edge, edges_of

SQUARE = shapely.box(0, 0, 4, 4)


def net() -> Net:
    return Net(edges_of(SQUARE))


def test_a_crossing_is_a_knot_of_the_edge_and_a_vertex_of_the_line() -> None:
    drawn = net()
    assert drawn.lay([(-1.0, 1.0), (5.0, 1.0)]) == [
        ((-1.0, 1.0), (0.0, 1.0)),
        ((0.0, 1.0), (4.0, 1.0)),
        ((4.0, 1.0), (5.0, 1.0)),
    ]
    assert drawn.inserted == {((0.0, 0.0), (0.0, 4.0)): ((0.0, 1.0),), ((4.0, 0.0), (4.0, 4.0)): ((4.0, 1.0),)}


def test_a_line_that_passes_near_a_vertex_goes_through_it() -> None:
    drawn = net()
    drawn.lay([(-1.0, -1.0 + NEAR / 2), (5.0, 5.0 + NEAR / 2)])
    assert drawn.inserted == {}


def test_a_line_that_ends_near_an_edge_ends_on_it() -> None:
    drawn = net()
    assert drawn.lay([(NEAR / 2, 1.0), (2.0, 1.0)]) == [((0.0, 1.0), (2.0, 1.0))]


def test_what_runs_along_an_edge_is_not_new() -> None:
    drawn = net()
    assert drawn.lay([(0.0, -1.0), (0.0, 2.0)]) == [((0.0, -1.0), (0.0, 0.0))]
    assert drawn.lay([(0.0, 1.0), (0.0, 3.0)]) == []


def test_two_lines_that_meet_an_edge_at_one_place_share_the_knot() -> None:
    drawn = net()
    drawn.lay([(-1.0, 1.0), (2.0, 1.0)])
    drawn.lay([(-1.0, 2.0), (0.5, 0.5 + NEAR / 3)])
    assert [len(knots) for knots in drawn.inserted.values()] == [1]


def test_a_later_line_cuts_an_earlier_one() -> None:
    drawn = net()
    first = drawn.lay([(-1.0, 1.0), (5.0, 1.0)])
    drawn.lay([(2.0, -1.0), (2.0, 5.0)])
    assert edge((0.0, 1.0), (2.0, 1.0)) in drawn.pieces(first)


def test_knots_go_into_rings_of_either_direction_and_into_holes() -> None:
    ring = [(0.0, 0.0), (4.0, 0.0), (4.0, 4.0), (0.0, 4.0)]
    knots = {((0.0, 0.0), (4.0, 0.0)): ((1.0, 0.0), (2.0, 0.0))}
    for turned in (ring, ring[::-1]):
        dense = with_knots(shapely.Polygon(turned), knots)
        assert shapely.is_valid(dense)
        assert shapely.get_num_coordinates(dense) == 7
    hollow = shapely.Polygon([(-9, -9), (9, -9), (9, 9), (-9, 9)], [ring])
    assert shapely.get_num_coordinates(with_knots(hollow, knots)) == 12
    assert with_knots(SQUARE, {((7.0, 7.0), (8.0, 8.0)): ((7.5, 7.5),)}) is SQUARE


PLACES = st.tuples(st.floats(-3, 3), st.floats(-3, 3))


@given(PLACES, PLACES)
def test_the_knot_is_the_nearest_double_of_the_exact_crossing(
    start: tuple[float, float], end: tuple[float, float]
) -> None:
    slanted = edge((-1.7, -2.9), (0.3, 2.8))
    drawn = Net([slanted])
    drawn.lay([start, end])
    (ax, ay), (bx, by) = ((Fraction(x), Fraction(y)) for x, y in slanted)
    for x, y in drawn.inserted.get(slanted, ()):
        (cx, cy), (dx, dy) = ((Fraction(x), Fraction(y)) for x, y in (start, end))
        cross = (bx - ax) * (dy - cy) - (by - ay) * (dx - cx)
        if cross == 0 or shapely.distance(shapely.LineString(slanted), shapely.MultiPoint([start, end])) <= NEAR:
            continue  # an end that was led on to the edge is no crossing
        share = ((cx - ax) * (dy - cy) - (cy - ay) * (dx - cx)) / cross
        assert (x, y) == (float(ax + share * (bx - ax)), float(ay + share * (by - ay)))


@pytest.mark.parametrize("turn", [0.0, 0.1, 1.0, 2.5])
def test_faces_fill_the_ground(turn: float) -> None:
    ground = shapely.affinity.rotate(shapely.box(0, 0, 3, 2), turn, use_radians=True)
    lines = [[(-9.0, 1.0), (9.0, 1.2)], [(1.0, -9.0), (1.3, 9.0)], [(-9.0, -9.0), (9.0, 9.0)]]
    done = cut([ground], lines)
    assert shapely.area(done.faces).sum() == pytest.approx(shapely.area(ground), abs=1e-12)
    assert shapely.coverage_is_valid(done.faces)
    assert all(pairs for pairs in done.parted)


def test_a_hole_that_touches_the_border_is_cut_as_well() -> None:
    ground = shapely.Polygon([(0, 0), (2, 0), (4, 0), (4, 4), (0, 4)], [[(2, 0), (3, 2), (2, 3), (1, 2)]])
    done = cut([ground], [[(-1.0, 2.5), (5.0, 2.5)]])
    assert shapely.area(done.faces).sum() == pytest.approx(shapely.area(ground))
    assert len(done.faces) == 3
