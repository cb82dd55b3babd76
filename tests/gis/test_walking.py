"""Metres on foot: along streets and across the yard, round corners, over jumps; the oracle is SciPy's Dijkstra on the bare network."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse.csgraph import dijkstra

from gis.errors import ParameterInvalid
from gis.fixes import Floats
from gis.streetgraph import StreetGraph
from gis.walking import Walking, walking
from tests.gis.streettown import Spot, blocks, graph, metres, spots

#: Two blocks side by side, 100 m square; the street between them is a lane that ends after 60 m.
TOWN = (
    [(0.0, 0.0), (200.0, 0.0)],
    [(0.0, 100.0), (200.0, 100.0)],
    [(0.0, 0.0), (0.0, 100.0)],
    [(200.0, 0.0), (200.0, 100.0)],
    [(100.0, 0.0), (100.0, 60.0)],
)


def places(town: StreetGraph, *drawn: Spot, **more: float) -> Walking:
    return walking(town, metres(*drawn), **more)


def far(town: StreetGraph, *drawn: Spot, **more: float) -> Floats:
    """Metres between all places."""
    every = np.arange(len(drawn))
    return places(town, *drawn, **more).metres(every, every)


def length(line: Floats) -> float:
    return float(np.hypot(*np.diff(line, axis=0).T).sum())


def test_the_way_leads_round_the_block_and_to_the_door() -> None:
    """From a door 5 m off the lane's end to one 10 m off the northern street: 5 + 60 + 100 + 100 + 100 + 10."""
    found = places(graph(*TOWN), (95, 60), (100, 110))
    assert found.metres(np.array([0]), np.array([1])) == pytest.approx(375, abs=0.05)
    way = found.way(0, 1)
    assert way.metres == pytest.approx(375, abs=0.05)
    assert way.straight_m == pytest.approx(15, abs=0.05)
    corners = [(95, 60), (100, 60), (100, 0)], [(100, 100), (100, 110)]
    assert spots(way.line)[:3] == corners[0]
    assert spots(way.line)[-2:] == corners[1]
    assert length(way.line) == pytest.approx(375, abs=0.05)


def test_places_on_one_street_are_as_far_apart_as_along_it() -> None:
    found = far(graph(*TOWN), (10, 0), (70, 0), (10, 3), (190, 0))
    assert found[0] == pytest.approx([0, 60, 3, 180], abs=0.05)
    assert found[2, 1] == pytest.approx(63, abs=0.05)


def test_the_shorter_of_two_streets_between_the_same_corners_is_walked() -> None:
    town = graph(
        [(0.0, 0.0), (50.0, 40.0), (100.0, 0.0)],
        [(0.0, 0.0), (50.0, -10.0), (100.0, 0.0)],
        [(100.0, 0.0), (150.0, 0.0)],
    )
    found = places(town, (0, 0), (150, 0), (50, 40))
    assert (50, -10) in spots(found.way(0, 1).line)
    assert found.way(2, 0).metres == pytest.approx(np.hypot(50, 40), abs=0.05)


def test_doors_of_one_yard_are_walked_between_straight_at_twice_the_metres() -> None:
    """Both 80 m from the street and 10 m apart; a third 30 m from the street is nearer to it than to them."""
    found = places(graph([(0.0, 0.0), (200.0, 0.0)]), (100, 80), (110, 80), (100, 30))
    assert found.metres(np.arange(3), np.arange(3))[0] == pytest.approx([0, 20, 110], abs=0.05)
    way = found.way(0, 1)
    assert (way.metres, way.straight_m) == pytest.approx((20, 10), abs=0.05)
    assert spots(way.line) == [(100, 80), (110, 80)]


def test_a_jump_counts_more_than_its_length_and_is_told() -> None:
    """50 m between two streets that nothing joins."""
    town = graph([(0.0, 0.0), (100.0, 0.0)], [(150.0, 0.0), (250.0, 0.0)])
    found = places(town, (0, 0), (250, 0))
    assert found.way(0, 1).metres == pytest.approx(300, abs=0.05)
    assert found.way(0, 1).straight_m == pytest.approx(50, abs=0.05)
    assert far(town, (0, 0), (250, 0), straight_factor=3.0)[0, 1] == pytest.approx(350, abs=0.05)


def test_a_place_far_from_all_streets_is_walked_to_straight() -> None:
    assert far(graph(*TOWN), (100, -900), (100, 60))[0, 1] == pytest.approx(960, abs=0.1)


def test_from_a_place_to_itself_there_is_no_way() -> None:
    way = places(graph(*TOWN), (95, 60)).way(0, 0)
    assert (way.metres, way.straight_m, spots(way.line)) == (0, 0, [(95, 60)])


def test_a_factor_below_one_is_refused() -> None:
    for factor in (0.9, np.nan):
        with pytest.raises(ParameterInvalid):
            places(graph(*TOWN), (0, 0), straight_factor=factor)


def oracle(town: StreetGraph, at: Walking, one: int, other: int) -> float:
    """By way of the ends of both edges, or along the edge that both are on."""
    size = len(town.node)
    low, high = town.ends.min(axis=1), town.ends.max(axis=1)
    cost = scipy.sparse.coo_array((town.length_m, (low, high)), (size, size)).tocsr()
    between = dijkstra(cost, directed=False)
    feet = at.at

    def reaches(place: int) -> list[tuple[int, float]]:
        edge, along = int(feet.edge[place]), float(feet.along_m[place])
        tail, head = town.ends[edge].tolist()
        return [(tail, along), (head, float(town.length_m[edge]) - along)]

    ways = [a + float(between[i, j]) + b for i, a in reaches(one) for j, b in reaches(other)]
    if feet.edge[one] == feet.edge[other]:
        ways.append(abs(float(feet.along_m[one] - feet.along_m[other])))
    return min(ways) + float(feet.off_m[one] + feet.off_m[other])


spot = st.tuples(st.integers(-3, 33), st.integers(-3, 33)).map(lambda s: (10.0 * s[0] + 1.5, 10.0 * s[1] + 2.5))


@given(st.lists(spot, min_size=2, max_size=6, unique=True))
@settings(max_examples=60)
def test_metres_are_those_of_the_bare_network(drawn: list[Spot]) -> None:
    town = blocks(3)
    at = places(town, *drawn)
    every = np.arange(len(drawn))
    found = at.metres(every, every)
    assert found == pytest.approx(found.T)
    for i in every.tolist():
        for j in range(i):
            apart = float(np.hypot(*(at.at.place[i] - at.at.place[j])))
            inside = apart <= min(at.at.off_m[i], at.at.off_m[j])
            wanted = min(oracle(town, at, i, j), 2 * apart if inside else np.inf)
            assert found[i, j] == pytest.approx(wanted, abs=1e-6)


@given(st.lists(spot, min_size=2, max_size=4, unique=True))
@settings(max_examples=60)
def test_a_way_begins_and_ends_at_its_places_and_is_as_long_as_it_says(drawn: list[Spot]) -> None:
    at = places(blocks(3), *drawn)
    for i, j in ((0, 1), (1, 0), (0, len(drawn) - 1)):
        way = at.way(i, j)
        assert way.metres == pytest.approx(float(at.metres(np.array([i]), np.array([j]))[0, 0]))
        assert spots(way.line[[0, -1]]) == spots(at.at.place[[i, j]])
        straight = len(way.line) == 2 and way.straight_m > 0 and way.metres == pytest.approx(2 * way.straight_m)
        assert length(way.line) == pytest.approx(way.straight_m if straight else way.metres, abs=0.05)
