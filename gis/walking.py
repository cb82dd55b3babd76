"""Walking: metres on foot between places beside the streets, and the line one walks.

A place is walked to along the streets and, from the nearest point of its nearest street, straight. Jumps between parts of the network
that no street joins count `straight_factor` times their length, as nobody walks through walls. Two places that are nearer to each
other than either is to a street (doors of one compound) are walked between straight, at the same factor, where that is shorter.
Shortest ways are Dijkstra's, by rustworkx.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from itertools import pairwise
from typing import Any, Final

import numpy as np
import shapely

from gis.errors import ParameterInvalid
from gis.fixes import Floats, Ints
from gis.streetgraph import Footings, StreetGraph

#: A metre walked straight where there is no street counts as so many.
STRAIGHT_FACTOR: Final = 2.0
#: The edge of a stretch between a street and a place beside it.
_BESIDE: Final = -1
_REPEAT_M: Final = 0.001


@dataclass(frozen=True)
class Way:
    """A way from place to place of `metres`, as they count; `straight_m`, as they are, lie along no street. `line` is (n, 2) metres."""

    metres: float
    straight_m: float
    line: Floats


@dataclass(frozen=True, eq=False)
class _Stretches:
    """Stretch k leads from node `tail[k]` to `head[k]`, along edge `edge[k]` from `begin[k]` to `end[k]` metres; `cost[k]` counts."""

    tail: Ints
    head: Ints
    edge: Ints
    begin: Floats
    end: Floats
    cost: Floats


@dataclass(frozen=True, eq=False)
class Walking:
    """Places beside the streets of a graph, numbered as given; see `walking`."""

    graph: StreetGraph
    at: Footings
    straight_factor: float
    stretches: _Stretches
    net: Any = field(repr=False)

    def metres(self, sources: Ints, targets: Ints) -> Floats:
        """(sources, targets): metres from place to place, as they count; 0 from a place to itself."""
        import rustworkx as rx

        found = np.zeros((len(sources), len(targets)))
        cost, wanted = self._cost, [self._node(j) for j in targets.tolist()]
        for row, i in enumerate(sources.tolist()):
            own = self._node(i)
            far = rx.dijkstra_shortest_path_lengths(self.net, own, cost)
            # The start itself is not among the ends that rustworkx tells.
            found[row] = [far[node] if node != own else 0.0 for node in wanted]
        straight = self._straight(sources[:, None], targets[None, :])
        return np.minimum(found, straight)

    def way(self, one: int, other: int) -> Way:
        """The shortest way from a place to another."""
        import rustworkx as rx

        source, target = self._node(one), self._node(other)
        if source == target:
            return Way(0.0, 0.0, self.at.place[[one]])
        nodes = list(rx.dijkstra_shortest_paths(self.net, source, target, self._cost)[target])
        taken = [min(self.net.get_all_edge_data(a, b), key=self._cost) for a, b in pairwise(nodes)]
        metres = float(self.stretches.cost[taken].sum())
        straight = float(self._straight(np.array(one), np.array(other)))
        if straight < metres:
            ends = self.at.place[[one, other]]
            return Way(straight, float(np.hypot(*(ends[1] - ends[0]))), ends)
        lines = [self._drawn(k, a) for k, (a, _) in zip(taken, pairwise(nodes), strict=True)]
        pathless = self._pathless()[taken]
        long = np.abs(self.stretches.end - self.stretches.begin)[taken]
        return Way(metres, float(long[pathless].sum()), without_repeats(np.concatenate(lines)))

    def _node(self, place: int) -> int:
        return len(self.graph.node) + len(self.at.place) + place

    @cached_property
    def _cost(self) -> Callable[[int], float]:
        # Of all ways to look a number up by its place, a list's is the one that Rust calls quickest.
        costs: list[float] = self.stretches.cost.tolist()
        return costs.__getitem__

    def _straight(self, one: Ints, other: Ints) -> Floats:
        """What the straight line between two places counts; inf where a street is nearer to one of them."""
        apart = np.hypot(*np.moveaxis(self.at.place[one] - self.at.place[other], -1, 0))
        near = apart <= np.minimum(self.at.off_m[one], self.at.off_m[other])
        found: Floats = np.where(near, apart * self.straight_factor, np.inf)
        return found

    def _pathless(self) -> Any:
        edge = self.stretches.edge
        return (edge == _BESIDE) | self.graph.is_jump[edge]

    def _drawn(self, stretch: int, first: int) -> Floats:
        """The line of a stretch, walked from the node `first`."""
        s = self.stretches
        edge = int(s.edge[stretch])
        if edge == _BESIDE:
            place = int(s.head[stretch]) - self._node(0)
            line = np.stack([self.at.foot[place], self.at.place[place]])
        else:
            line = stretch_of(self.graph.line[edge], float(s.begin[stretch]), float(s.end[stretch]))
        return line if s.tail[stretch] == first else line[::-1]


def walking(graph: StreetGraph, place: Floats, *, straight_factor: float = STRAIGHT_FACTOR) -> Walking:
    """These places, (n, 2) in the graph's metres, ready to be walked between. Raises ParameterInvalid."""
    import rustworkx as rx

    if not (np.isfinite(straight_factor) and straight_factor >= 1.0):
        raise ParameterInvalid("straight_factor is not below 1", place="straight_factor")
    at = graph.footings(place)
    stretches = _stretches(graph, at, straight_factor)
    net = rx.PyGraph()
    net.add_nodes_from(range(len(graph.node) + 2 * len(place)))
    number = range(len(stretches.edge))
    net.add_edges_from(list(zip(stretches.tail.tolist(), stretches.head.tolist(), number, strict=True)))
    return Walking(graph, at, straight_factor, stretches, net)


def _stretches(graph: StreetGraph, at: Footings, straight_factor: float) -> _Stretches:
    """The edges of the graph, cut at the feet of places, and the lines from there to the places.

    Nodes are those of the graph, then a foot for every place, then the places.
    """
    count, nodes = len(at.place), len(graph.node)
    order = np.lexsort((at.along_m, at.edge))
    edge, along, foot = at.edge[order], at.along_m[order], nodes + order
    first = np.append(True, edge[1:] != edge[:-1])[:count]
    last = np.append(edge[1:] != edge[:-1], True)[:count]
    whole = np.setdiff1d(np.arange(len(graph.line)), edge)
    cut, place = edge[last], np.arange(count)
    tails = graph.ends[whole, 0], np.where(first, graph.ends[edge, 0], np.roll(foot, 1)), foot[last], nodes + place
    heads = graph.ends[whole, 1], foot, graph.ends[cut, 1], nodes + count + place
    begins = np.zeros(len(whole)), np.where(first, 0.0, np.roll(along, 1)), along[last], np.zeros(count)
    ends = graph.length_m[whole], along, graph.length_m[cut], at.off_m
    edges = np.concatenate([whole, edge, cut, np.full(count, _BESIDE)])
    begin, end = np.concatenate(begins), np.concatenate(ends)
    factor = np.where((edges != _BESIDE) & graph.is_jump[edges], straight_factor, 1.0)
    cost = np.maximum(end - begin, 0.0) * factor
    return _Stretches(np.concatenate(tails), np.concatenate(heads), edges, begin, end, cost)


def without_repeats(points: Floats) -> Floats:
    """The points without those that lie within a millimetre of the one before."""
    steps = np.hypot(*np.diff(points, axis=0).T)
    kept: Floats = points[np.append(True, steps > _REPEAT_M)]
    return kept


def stretch_of(line: Any, begin: float, end: float) -> Floats:
    """(n, 2): the vertices of a line from `begin` to `end` metres along it, both ends included."""
    points = shapely.get_coordinates(line)
    far = np.concatenate([[0.0], np.cumsum(np.hypot(*np.diff(points, axis=0).T))])
    inner = points[(far > begin) & (far < end)]
    tips = [np.column_stack([np.interp(at, far, points[:, axis]) for axis in (0, 1)]) for at in ([begin], [end])]
    return np.concatenate([tips[0], inner, tips[1]])
