"""Cutting: ground and lines give faces; faces give grids. Every vertex of a face is a vertex of what went in."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, pairwise
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import shapely

from gis.crs import area_m2
from gis.errors import LineAlongBorder, LineCrossesItself, LineMisses, PieceTooSmall
from gis.findings import ERROR_M2, m2_text
from gis.noding import Bounds, Edge, Net, Vertex, edges_of, lines_of
from gis.partition import Geometries

Floats = npt.NDArray[np.float64]

#: Degrees, 1 cm: a line that ends inside, so short of a border, is led on to it.
SHORT = 1e-7

#: Edge -> its new vertices, in the edge's direction.
Knots: TypeAlias = Mapping[Edge, tuple[Vertex, ...]]


@dataclass(frozen=True)
class Cut:
    """Ground cut by lines: its faces, the pairs of faces that pieces of line i part, and the new vertices of old edges."""

    faces: Geometries
    parted: tuple[tuple[tuple[int, int], ...], ...]
    knots: Knots

    @property
    def pairs(self) -> list[tuple[int, int]]:
        """All pairs of faces that lines part."""
        return sorted(set(chain.from_iterable(self.parted)))

    @property
    def divided(self) -> list[int]:
        """The faces that a line parts from another."""
        return sorted(set(chain.from_iterable(self.pairs)))


def outline_of(shapes: Iterable[Any], within: Bounds | None = None) -> list[Edge]:
    """The edges of a union of polygons that share their borders vertex for vertex: those that one of them alone has."""
    counted = Counter(one for shape in shapes for one in edges_of(shape, within))
    return [one for one, times in counted.items() if times == 1]


def united(shapes: Sequence[Any] | Geometries) -> Any:
    """The union of polygons that share their borders vertex for vertex, in normal form; no vertex of its border is lost or new."""
    if len(shapes) == 1:
        return shapely.normalize(shapes[0])
    return shapely.normalize(shapely.coverage_union_all(as_array(shapes)))


def as_array(shapes: Sequence[Any] | Geometries) -> Geometries:
    """Shapes as an array of objects."""
    array = np.empty(len(shapes), dtype=object)
    array[:] = list(shapes)
    return array


def cut(shapes: Sequence[Any], lines: Sequence[Sequence[Vertex]]) -> Cut:
    """The faces of the ground of `shapes` after lines were laid over it; what of a line lies beyond is left out.

    Borders between the shapes are gone. Lines may reach beyond, touch vertices, run along the border for a while, cross each
    other and be closed.
    """
    ground = united(shapes)
    net, inner = _laid(ground, outline_of(shapes, _reach_of(lines)), lines)
    return _faces(ground, _sections(with_knots(ground, net.inserted), inner), inner, net)


def cut_along(shapes: Sequence[Any], lines: Sequence[Sequence[Vertex]]) -> Cut:
    """The same with the borders between the shapes: every face lies in one of them."""
    ground, edges = united(shapes), list(dict.fromkeys(chain.from_iterable(map(edges_of, shapes))))
    net, inner = _laid(ground, edges, lines)
    return _faces(ground, lines_of(net.pieces(edges)), inner, net)


def _reach_of(lines: Sequence[Sequence[Vertex]]) -> Bounds:
    """The box of lines, and a little more."""
    west, south, east, north = shapely.total_bounds(
        shapely.multipoints(np.array(list(chain.from_iterable(lines))))
    ).tolist()
    return west - 2 * SHORT, south - 2 * SHORT, east + 2 * SHORT, north + 2 * SHORT


def _laid(ground: Any, edges: Sequence[Edge], lines: Sequence[Sequence[Vertex]]) -> tuple[Net, list[list[Edge]]]:
    """The net of edges and lines, and of each line the pieces that run through the ground."""
    net = Net(edges)
    shapely.prepare(ground)
    laid = [net.lay(led_on(line, ground, net)) for line in lines]
    return net, [_inside(ground, net.pieces(fresh)) for fresh in laid]


def _sections(ground: Any, inner: Sequence[Sequence[Edge]]) -> Geometries:
    """The rings of the ground as lines, cut where a piece begins or ends and where rings touch."""
    rings = [shapely.get_coordinates(ring)[:-1] for ring in shapely.get_rings(shapely.get_parts(ground))]
    nodes = {v for one in chain.from_iterable(inner) for v in one} | _touching(np.vstack(rings))
    abscissas = np.array(sorted({x for x, _ in nodes}))
    sections: list[Any] = []
    for places in rings:
        likely = np.flatnonzero(np.isin(places[:, 0], abscissas)).tolist()
        at = [i for i in likely if tuple(places[i].tolist()) in nodes]
        turned = np.roll(places, -(at or [0])[0], axis=0)
        closed = np.vstack([turned, turned[:1]])
        stops = [0, *(i - at[0] for i in at[1:]), len(turned)]
        sections += [shapely.LineString(closed[a : b + 1]) for a, b in pairwise(stops)]
    return as_array(sections)


def _touching(places: Floats) -> set[Vertex]:
    """The vertices that stand in several rings: a hole that touches the border, bodies that meet in a corner."""
    ordered = places[np.lexsort(places.T)]
    again = ordered[1:][(ordered[1:] == ordered[:-1]).all(axis=1)]
    return set(map(tuple, again.tolist()))


def _faces(ground: Any, border: Geometries, inner: Sequence[Sequence[Edge]], net: Net) -> Cut:
    drawn = lines_of(dict.fromkeys(chain.from_iterable(inner)))
    faces = _ordered(shapely.polygonize(np.concatenate([border, drawn])))
    faces = faces[shapely.covers(ground, shapely.point_on_surface(faces))]
    return Cut(faces, _parted(faces, inner), net.inserted)


def faces_within(edges: Iterable[Edge]) -> Geometries:
    """The faces that noded edges enclose, in normal form and in an order that depends on nothing but the faces."""
    return _ordered(shapely.polygonize(lines_of(dict.fromkeys(edges))))


def _ordered(found: Any) -> Geometries:
    faces = shapely.normalize(shapely.get_parts(found))
    return np.asarray(faces[np.lexsort(shapely.bounds(faces).reshape(-1, 4).T)], dtype=object)


def led_on(line: Sequence[Vertex], ground: Any, net: Net) -> list[Vertex]:
    """The line; an end that lies inside, less than SHORT from a border or an earlier line, is led on to it."""
    if line[0] == line[-1]:
        return list(line)
    first, last = (
        net.reached(end, SHORT) if shapely.intersects_xy(ground, *end) else [] for end in (line[0], line[-1])
    )
    return [*first, *line, *last]


def _inside(ground: Any, pieces: Sequence[Edge]) -> list[Edge]:
    """The pieces that run through the ground, not along its border or beyond."""
    if not pieces:
        return []
    middle = np.array(pieces).mean(axis=1)
    kept = shapely.contains_xy(ground, middle[:, 0], middle[:, 1])
    return [one for one, inner in zip(pieces, kept.tolist(), strict=True) if inner]


def _parted(faces: Geometries, inner: Sequence[Sequence[Edge]]) -> tuple[tuple[tuple[int, int], ...], ...]:
    """For each line the pairs of faces on both sides of its pieces."""
    drawn = set(chain.from_iterable(inner))
    beside: dict[Edge, list[int]] = defaultdict(list)
    within = _reach_of(list(drawn)) if drawn else None
    for i, face in enumerate(faces):
        for one in drawn.intersection(edges_of(face, within)):
            beside[one].append(i)
    return tuple(
        tuple(sorted({(beside[one][0], beside[one][1]) for one in pieces if len(beside[one]) == 2})) for pieces in inner
    )


def with_knots(shape: Any, knots: Knots) -> Any:
    """The shape with new vertices in those of its edges that have some; the same object where none has."""
    bodies = shapely.get_parts(shape)
    dense = [[_dense(shapely.get_coordinates(ring), knots) for ring in shapely.get_rings(body)] for body in bodies]
    if not any(changed for rings in dense for _, changed in rings):
        return shape
    drawn = [shapely.Polygon(rings[0][0], [ring for ring, _ in rings[1:]]) for rings in dense]
    return drawn[0] if shape.geom_type == "Polygon" else shapely.MultiPolygon(drawn)


def _dense(vertices: Floats, knots: Knots) -> tuple[Floats, bool]:
    """A ring with the new vertices of its edges, and whether there were any."""
    at: list[int] = []
    new: list[Vertex] = []
    for (a, b), between in knots.items():
        for here in np.flatnonzero(vertices[:-1, 0] == a[0]).tolist():
            if tuple(vertices[here]) == a and tuple(vertices[here + 1]) == b:
                at, new = [*at, *[here + 1] * len(between)], [*new, *between]
        for here in np.flatnonzero(vertices[:-1, 0] == b[0]).tolist():
            if tuple(vertices[here]) == b and tuple(vertices[here + 1]) == a:
                at, new = [*at, *[here + 1] * len(between)], [*new, *between[::-1]]
    return (np.insert(vertices, at, new, axis=0), True) if at else (vertices, False)


def check_line(line: Sequence[Vertex], place: str) -> None:
    """LineCrossesItself for a line that crosses or touches itself; a ring may close."""
    if not shapely.is_simple(shapely.LineString(line)):
        raise LineCrossesItself(
            "the line crosses or touches itself: draw it as two lines or without the loop", place=place
        )


def check_parts(done: Cut, ground: Any, lines: Sequence[Sequence[Vertex]], places: Sequence[str]) -> None:
    """LineMisses or LineAlongBorder for the first line that parts nothing."""
    for line, pairs, place in zip(lines, done.parted, places, strict=True):
        if pairs:
            continue
        drawn = shapely.LineString(line)
        border = shapely.buffer(shapely.boundary(ground), 10 * SHORT)
        if shapely.length(shapely.intersection(drawn, border)) > shapely.length(drawn) / 2:
            raise LineAlongBorder("the line runs along the border: draw it through the ground", place=place)
        raise LineMisses(
            "the line does not divide the ground: it must lead from border to border, or from one line to another",
            place=place,
        )


def check_sizes(shapes: Sequence[Any] | Geometries, place: str) -> None:
    """PieceTooSmall when one of the bodies has less than 1 m2: a border drawn beside another is a slip of the hand."""
    bodies = np.asarray(shapely.get_parts(as_array(shapes)), dtype=object)
    bodies = bodies[np.argsort(shapely.area(bodies), kind="stable")[:4]]
    sizes = area_m2(bodies)
    small = int(np.argmin(sizes))
    if sizes[small] < ERROR_M2:
        lon, lat = shapely.get_coordinates(shapely.centroid(bodies[small]))[0].tolist()
        raise PieceTooSmall(
            f"a piece of {m2_text(float(sizes[small]))} would come into being at {lon:.6f}, {lat:.6f}: "
            "draw clear of the border, or along it",
            place=place,
            lon=lon,
            lat=lat,
        )
