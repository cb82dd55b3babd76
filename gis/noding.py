"""Noding: lines laid over borders meet them in shared vertices, and nothing that was there moves by a bit.

A crossing is computed exactly (fractions of the doubles given) and rounded once: the new vertex is the nearest double. It goes into
the edge it lies on, wherever that edge stands; if the edge then bends by less than the rounding, it does so in all rings alike.
What is drawn gives way: a line that passes a vertex nearer than NEAR goes through that vertex.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from fractions import Fraction
from itertools import pairwise
from typing import Any, TypeAlias

import numpy as np
import shapely

from gis.partition import Geometries

Vertex: TypeAlias = tuple[float, float]
#: Two vertices, the smaller one first: an edge has no direction.
Edge: TypeAlias = tuple[Vertex, Vertex]
Bounds: TypeAlias = tuple[float, float, float, float]

#: Degrees, 0.1 mm: so near to a vertex or an edge a drawn line is meant to be on it. GeoJSON often has 9 digits.
NEAR = 1e-9
#: Degrees, ten nanometres: so near to an edge a vertex was computed to lie on it, and is its knot as it is.
ROUNDING = 1e-13


def edge(one: Vertex, other: Vertex) -> Edge:
    """The edge between two vertices."""
    return (one, other) if one < other else (other, one)


def edges_of(shape: Any, within: Bounds | None = None) -> list[Edge]:
    """The edges of a polygon's or multipolygon's rings; with `within` those whose boxes meet it (west, south, east, north)."""
    places, ring = shapely.get_coordinates(shapely.get_rings(shapely.get_parts(shape)), return_index=True)
    a, b = places[:-1], places[1:]
    kept = ring[1:] == ring[:-1]
    if within is not None:
        west, south, east, north = within
        kept &= (np.maximum(a[:, 0], b[:, 0]) >= west) & (np.minimum(a[:, 0], b[:, 0]) <= east)
        kept &= (np.maximum(a[:, 1], b[:, 1]) >= south) & (np.minimum(a[:, 1], b[:, 1]) <= north)
    ends = zip(map(tuple, a[kept].tolist()), map(tuple, b[kept].tolist()), strict=True)
    return [edge(one, other) for one, other in ends]


def lines_of(edges: Iterable[Edge]) -> Geometries:
    """One line a edge."""
    pairs = np.array(list(edges), dtype=np.float64).reshape(-1, 2, 2)
    return np.asarray(shapely.linestrings(pairs), dtype=object)


class Net:
    """Borders with lines laid over them: every edge knows the new vertices (knots) that lines made on it."""

    def __init__(self, edges: Iterable[Edge]) -> None:
        self.edges: list[Edge] = list(dict.fromkeys(edges))
        self._all = set(self.edges)
        self._own = frozenset(self._all)
        self._knots: dict[Edge, dict[Vertex, Fraction]] = {}
        self._trees = [(0, shapely.STRtree(lines_of(self.edges)))]

    def lay(self, line: Sequence[Vertex]) -> list[Edge]:
        """The edges of a line after it was bent to what it nearly touches, without those that were there before.

        Once all lines are laid, `pieces` tells them as later lines cut them.
        """
        settled = self._settled(line)
        bent = [(a, b) for a, b in pairwise(settled) if a != b]
        laid: list[Edge] = []
        for (start, end), crossed in zip(bent, self._met(bent), strict=True):
            here = sorted(crossed, key=lambda v: crossed[v])
            laid += [edge(a, b) for a, b in pairwise([start, *here, end]) if a != b]
        cut = set(self.pieces(self._knots))
        fresh = [one for one in dict.fromkeys(laid) if one not in cut and (one not in self._all or one in self._knots)]
        if fresh:
            self._trees.append((len(self.edges), shapely.STRtree(lines_of(fresh))))
            self.edges += fresh
            self._all.update(fresh)
        return fresh

    def reached(self, end: Vertex, within: float) -> list[Vertex]:
        """The place of an edge nearest to a line's end, if it is not on it and not farther than so many degrees; else none."""
        point = np.array([shapely.Point(end)], dtype=object)
        near = [one for _, one in self._near(point, within)]
        drawn = shapely.multilinestrings(lines_of(near)) if near else shapely.MultiLineString()
        if not near or shapely.distance(drawn, point[0]) == 0:
            return []
        x, y = shapely.get_coordinates(shapely.shortest_line(point[0], drawn))[1].tolist()
        return [(x, y)]

    def pieces(self, edges: Iterable[Edge]) -> list[Edge]:
        """The edges, each cut at its knots."""
        held = list(edges)
        cut = [edge(a, b) for one in held if one in self._knots for a, b in pairwise(self.chain(one))]
        return [*(one for one in held if one not in self._knots), *cut]

    def chain(self, one: Edge) -> list[Vertex]:
        """An edge's vertices with the knots between them."""
        knots = self._knots.get(one, {})
        return [one[0], *sorted(knots, key=lambda v: knots[v]), one[1]]

    @property
    def inserted(self) -> dict[Edge, tuple[Vertex, ...]]:
        """Edges that were there before the lines -> their new vertices, in the edge's direction."""
        return {one: tuple(self.chain(one)[1:-1]) for one in sorted(self._own.intersection(self._knots))}

    def _near(self, shapes: Geometries, within: float = NEAR) -> Iterator[tuple[int, Edge]]:
        """(index of shape, edge) for all edges that come within so many degrees, in a fixed order."""
        found: list[tuple[int, int]] = []
        for first, tree in self._trees:
            drawn, at = tree.query(shapes, predicate="dwithin", distance=within)
            found += zip(drawn.tolist(), (at + first).tolist(), strict=True)
        return ((drawn, self.edges[at]) for drawn, at in sorted(found))

    def _settled(self, line: Sequence[Vertex]) -> list[Vertex]:
        """The line's vertices; one that lies on an edge, or nearly so, is that edge's vertex, knot or a new knot."""
        settled = list(line)
        near: dict[int, list[Edge]] = {}
        for i, one in self._near(np.asarray(shapely.points(np.array(line)), dtype=object)):
            near.setdefault(i, []).append(one)
        for i, edges in near.items():
            settled[i] = self._on(line[i], edges)
        return settled

    def _on(self, place: Vertex, edges: Sequence[Edge]) -> Vertex:
        known = [(math.dist(place, v), v) for one in edges for v in self.chain(one)]
        far, vertex = min(known)
        if far <= NEAR:
            return vertex
        along = min(edges, key=lambda one: (_distance(place, one), one))
        foot = _foot(place, along)
        return self._knot(along, foot, place if _distance(place, along) <= ROUNDING else None)

    def _knot(self, on: Edge, share: Fraction, known: Vertex | None = None) -> Vertex:
        """The nearest double of a place on an edge, or the vertex known to be there, now a knot of it."""
        (ax, ay), (bx, by) = _exact(on[0]), _exact(on[1])
        vertex = known or (float(ax + share * (bx - ax)), float(ay + share * (by - ay)))
        if vertex not in on:
            self._knots.setdefault(on, {}).setdefault(vertex, share)
        return vertex

    def _met(self, bent: Sequence[Edge]) -> list[dict[Vertex, Fraction]]:
        """For each edge of a line the vertices at which it meets others, and how far along it they lie."""
        met: list[dict[Vertex, Fraction]] = [{} for _ in bent]
        if bent:
            for i, one in self._near(lines_of(bent)):
                met[i].update(self._meeting(bent[i], one))
        return met

    def _meeting(self, drawn: Edge, there: Edge) -> dict[Vertex, Fraction]:
        ends = set(drawn)
        chain = self.chain(there)
        through = [v for v in chain if v not in ends and _distance(v, drawn) <= NEAR]
        if through or ends & set(chain):
            return {v: _foot(v, drawn) for v in through}
        shares = _crossing(drawn, there)
        if shares is None:
            return {}
        vertex = self._knot(there, shares[1])
        return {} if vertex in ends else {vertex: shares[0]}


def _exact(v: Vertex) -> tuple[Fraction, Fraction]:
    return Fraction(v[0]), Fraction(v[1])


def _distance(v: Vertex, one: Edge) -> float:
    """Degrees from a vertex to an edge."""
    (ax, ay), (bx, by) = one
    dx, dy = bx - ax, by - ay
    share = ((v[0] - ax) * dx + (v[1] - ay) * dy) / (dx * dx + dy * dy)
    share = min(max(share, 0.0), 1.0)
    return math.hypot(v[0] - (ax + share * dx), v[1] - (ay + share * dy))


def _foot(v: Vertex, one: Edge) -> Fraction:
    """How far along an edge, 0 to 1, the place nearest to a vertex lies; exact."""
    (ax, ay), (bx, by), (x, y) = _exact(one[0]), _exact(one[1]), _exact(v)
    dx, dy = bx - ax, by - ay
    share = ((x - ax) * dx + (y - ay) * dy) / (dx * dx + dy * dy)
    return min(max(share, Fraction(0)), Fraction(1))


def _crossing(one: Edge, other: Edge) -> tuple[Fraction, Fraction] | None:
    """How far along each of two edges they cross, exactly; None when they do not or are parallel."""
    (ax, ay), (bx, by) = _exact(one[0]), _exact(one[1])
    (cx, cy), (dx, dy) = _exact(other[0]), _exact(other[1])
    cross = (bx - ax) * (dy - cy) - (by - ay) * (dx - cx)
    if cross == 0:
        return None
    along = ((cx - ax) * (dy - cy) - (cy - ay) * (dx - cx)) / cross
    beside = ((cx - ax) * (by - ay) - (cy - ay) * (bx - ax)) / cross
    return (along, beside) if 0 <= along <= 1 and 0 <= beside <= 1 else None
