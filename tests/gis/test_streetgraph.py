"""Streets as a file has them become a network: what meets is joined, what is drawn twice is one, what lies apart is jumped to."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from gis.errors import CoordinateInvalid, GeometryInvalid, ParameterInvalid
from gis.streetgraph import JUMP, StreetGraph, street_graph
from gis.streetjoins import groups, jumps
from tests.gis.streettown import EPSG, graph, line, lines, lonlat, metres, spots

CROSS = ([(0.0, 50.0), (100.0, 50.0)], [(60.0, 0.0), (60.0, 80.0)])


def edges(town: StreetGraph) -> set[tuple[tuple[float, float], tuple[float, float], int]]:
    """(one end, other end, street) of every edge."""
    tips = [sorted(spots(town.node[pair])) for pair in town.ends]
    return {(a, b, s) for (a, b), s in zip(tips, town.street.tolist(), strict=True)}


def test_lines_that_cross_meet_though_neither_has_a_vertex_there() -> None:
    town = graph(*CROSS)
    assert town.epsg == EPSG
    assert edges(town) == {
        ((0, 50), (60, 50), 0),
        ((60, 50), (100, 50), 0),
        ((60, 0), (60, 50), 1),
        ((60, 50), (60, 80), 1),
    }
    assert sorted(town.length_m) == pytest.approx([30, 40, 50, 60], abs=0.02)
    assert town.jump_m == 0


def test_every_edge_is_drawn_from_its_first_node_to_its_second() -> None:
    town = graph(*CROSS, [(60.0, 80.0), (90.0, 90.0), (100.0, 50.0)])
    for end in (0, 1):
        tips = shapely.get_coordinates(shapely.get_point(town.line, -end))
        assert tips == pytest.approx(town.node[town.ends[:, end]], abs=0.011)


def test_a_street_that_ends_a_little_beside_another_is_joined_to_it() -> None:
    through = [(0.0, 0.0), (100.0, 0.0)]
    near = graph(through, [(40.0, 0.6), (40.0, 70.0)])
    assert len(near.node) == 4
    assert sorted(near.street) == [0, 0, 1]
    apart = graph(through, [(40.0, 1.4), (40.0, 70.0)])
    assert apart.is_jump.sum() == 1
    assert len(graph(through, [(40.0, 1.4), (40.0, 70.0)], join_m=1.5).node) == 4


def test_ends_beside_each_other_are_one_node() -> None:
    town = graph([(0.0, 0.0), (50.0, 0.0)], [(50.5, 0.5), (50.5, 60.0)], [(50.0, -0.4), (90.0, -0.4)])
    assert len(town.node) == 4
    assert len(town.ends) == 3
    assert np.bincount(town.ends.ravel()).max() == 3


def test_both_directions_of_a_street_are_one_edge_of_the_lower() -> None:
    there = [(0.0, 0.0), (30.0, 5.0), (60.0, 0.0)]
    assert edges(graph(there, there[::-1])) == {((0, 0), (60, 0), 0)}


def test_a_street_that_runs_along_another_for_a_while_shares_its_edge() -> None:
    town = graph([(0.0, 0.0), (100.0, 0.0)], [(50.0, 0.0), (150.0, 0.0)])
    assert {s: town.length_m[town.street == s].sum() for s in (0, 1)} == pytest.approx({0: 100, 1: 50}, abs=0.02)
    assert spots(town.node[town.ends[town.street == 1]].reshape(-1, 2)) == [(100, 0), (150, 0)]


def test_streets_in_pieces_are_taken_whole_and_what_is_no_street_is_passed_over() -> None:
    streets = np.empty(1003, dtype=object)
    streets[1] = shapely.LineString()
    streets[1001] = shapely.MultiLineString([line((0, 0), (40, 0)), line((40, 0), (70, 0))])
    streets[1002] = shapely.force_3d(line((70, 0), (70, 50)), 8.0)
    town = street_graph(streets)
    assert edges(town) == {((0, 0), (70, 0), 1001), ((70, 0), (70, 50), 1002)}
    assert shapely.length(town.lines[1001]) == pytest.approx(70, abs=0.01)


def test_a_ring_is_one_edge_that_ends_where_it_begins() -> None:
    town = graph([(0.0, 0.0), (30.0, 0.0), (30.0, 40.0), (0.0, 0.0)])
    assert len(town.node) == 1
    assert town.length_m == pytest.approx([120], abs=0.02)


def test_parts_that_lie_apart_are_joined_by_the_shortest_jumps() -> None:
    """Three streets in one line, 30 m and 20 m between them, and one 50 m north of the last."""
    town = graph(
        [(0.0, 0.0), (100.0, 0.0)],
        [(130.0, 0.0), (200.0, 0.0)],
        [(220.0, 0.0), (300.0, 0.0)],
        [(300.0, 50.0), (340.0, 90.0)],
    )
    leaps = {edge[:2] for edge in edges(town) if edge[2] == JUMP}
    assert leaps == {((100, 0), (130, 0)), ((200, 0), (220, 0)), ((300, 0), (300, 50))}
    assert town.jump_m == pytest.approx(100, abs=0.02)


Node = tuple[int, int]


@given(st.lists(st.tuples(st.integers(0, 12), st.integers(0, 12)), unique=True, min_size=1, max_size=12), st.data())
def test_jumps_are_a_least_tree_of_the_groups(places: list[Node], data: st.DataObject) -> None:
    """Against Kruskal's tree over all pairs of nodes."""
    names = data.draw(st.lists(st.integers(0, 3), min_size=len(places), max_size=len(places)))
    node, label = np.array(places, np.float64), list(names)
    found = jumps(node, np.array(names))
    least = 0.0
    for far, a, b in sorted(
        (float(np.hypot(*(node[a] - node[b]))), a, b) for a, b in combinations(range(len(node)), 2)
    ):
        if label[a] != label[b]:
            least += far
            label = [label[a] if name == label[b] else name for name in label]
    assert np.hypot(*(node[found[:, 0]] - node[found[:, 1]]).T).sum() == pytest.approx(least)
    assert len(found) == len(set(names)) - 1


spot = st.tuples(st.integers(0, 6).map(lambda k: 20.0 * k), st.integers(0, 6).map(lambda k: 20.0 * k))
drawn = st.lists(st.lists(spot, min_size=2, max_size=3, unique=True), min_size=1, max_size=7)


@given(drawn, st.data())
@settings(max_examples=60)
def test_neither_order_nor_direction_of_streets_matters(
    streets: list[list[tuple[float, float]]], data: st.DataObject
) -> None:
    turned = [spots[::-1] if data.draw(st.booleans()) else spots for spots in data.draw(st.permutations(streets))]
    one, other = graph(*streets), graph(*turned)
    assert np.array_equal(one.node, other.node)
    assert np.array_equal(one.ends, other.ends)
    assert one.length_m == pytest.approx(other.length_m)
    assert all(shapely.equals_exact(one.line, other.line, 1e-6))


@given(drawn)
@settings(max_examples=60)
def test_a_network_hangs_together_and_is_as_long_as_its_lines_laid_on_each_other(
    streets: list[list[tuple[float, float]]],
) -> None:
    town = graph(*streets)
    assert set(groups(len(town.node), town.ends).tolist()) == {0}
    once = shapely.union_all([shapely.LineString(spots) for spots in streets])
    assert town.length_m[~town.is_jump].sum() == pytest.approx(shapely.length(once), abs=0.05)


def test_places_meet_the_nearest_street() -> None:
    town = graph([(0.0, 0.0), (100.0, 0.0)], [(0.0, 80.0), (100.0, 80.0)])
    at = town.footings(metres((30, 20), (140, 80), (50, 0)))
    assert town.street[at.edge].tolist() == [0, 1, 0]
    assert spots(at.foot) == [(30, 0), (100, 80), (50, 0)]
    assert at.off_m == pytest.approx([20, 40, 0], abs=0.01)
    assert at.along_m == pytest.approx([30, 100, 50], abs=0.02)


def test_degrees_lead_back() -> None:
    town = graph(*CROSS)
    assert town.degrees(metres((10, 20)))[0] == pytest.approx(lonlat(10, 20), abs=1e-12)
    assert spots(town.metres(*lonlat(10, 20))) == [(10, 20)]


def test_what_cannot_be_walked_on_is_refused() -> None:
    for none in ([], [None], [shapely.LineString()], [line((0, 0), (0, 0))]):
        with pytest.raises(ParameterInvalid):
            street_graph(np.array(none, dtype=object))
    with pytest.raises(GeometryInvalid):
        street_graph(np.array([shapely.box(120, 31, 121, 32)], dtype=object))
    with pytest.raises(CoordinateInvalid):
        street_graph(np.array([shapely.LineString([(120, 31), (120, 3100)])], dtype=object))
    for join_m in (-1.0, np.nan):
        with pytest.raises(ParameterInvalid):
            street_graph(lines(*CROSS), join_m=join_m)
    with pytest.raises(CoordinateInvalid):
        graph(*CROSS).metres(np.nan, 31.0)
