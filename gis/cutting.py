"""Cutting: ground and lines give faces; faces give grids. Every vertex of a face is a vertex of what went in."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import shapely

from gis.crs import area_m2
from gis.errors import LineAlongBorder, LineCrossesItself, LineMisses, PieceTooSmall
from gis.findings import ERROR_M2, m2_text
from gis.noding import Edge, Net, Vertex, edges_of, lines_of
from gis.partition import Geometries

Floats = npt.NDArray[np.float64]

#: Degrees, 1 cm: a line that ends inside, so short of a border, is led on to it.
SHORT = 1e-7

#: Edge -> its new vertices, in the edge's direction.
Knots: TypeAlias = Mapping[Edge, tuple[Vertex, ...]]


@dataclass(frozen=True)
class Cut:
    """Ground cut by lines: its faces, the pairs of faces that pieces of line i part, the old edges and their new vertices."""

    faces: Geometries
    parted: tuple[tuple[tuple[int, int], ...], ...]
    border: tuple[Edge, ...]
    knots: Knots

    @property
    def pairs(self) -> list[tuple[int, int]]:
        """All pairs of faces that lines part."""
        return sorted(set(chain.from_iterable(self.parted)))

    @property
    def divided(self) -> list[int]:
        """The faces that a line parts from another."""
        return sorted(set(chain.from_iterable(self.pairs)))


def outline_of(shapes: Iterable[Any]) -> list[Edge]:
    """The edges of a union of polygons that share their borders vertex for vertex: those that one of them alone has."""
    counted = Counter(chain.from_iterable(map(edges_of, shapes)))
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
    return _cut(united(shapes), outline_of(shapes), lines)


def cut_along(shapes: Sequence[Any], lines: Sequence[Sequence[Vertex]]) -> Cut:
    """The same with the borders between the shapes: every face lies in one of them."""
    return _cut(united(shapes), list(dict.fromkeys(chain.from_iterable(map(edges_of, shapes)))), lines)


def _cut(ground: Any, edges: Sequence[Edge], lines: Sequence[Sequence[Vertex]]) -> Cut:
    net = Net(edges)
    shapely.prepare(ground)
    laid = [net.lay(led_on(line, ground, net)) for line in lines]
    border = net.pieces(edges)
    inner = [_inside(ground, net.pieces(fresh)) for fresh in laid]
    faces = faces_within([*border, *chain.from_iterable(inner)])
    faces = faces[shapely.covers(ground, shapely.point_on_surface(faces))]
    return Cut(faces, _parted(faces, inner), tuple(edges), net.inserted)


def faces_within(edges: Iterable[Edge]) -> Geometries:
    """The faces that noded edges enclose, in normal form and in an order that depends on nothing but the faces."""
    found = shapely.get_parts(shapely.polygonize(lines_of(dict.fromkeys(edges))))
    faces = shapely.normalize(found)
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
    for i, face in enumerate(faces):
        for one in drawn.intersection(edges_of(face)):
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
        is_a, is_b = (vertices == a).all(axis=1), (vertices == b).all(axis=1)
        for here in np.flatnonzero(is_a[:-1] & is_b[1:]).tolist():
            at, new = [*at, *[here + 1] * len(between)], [*new, *between]
        for here in np.flatnonzero(is_b[:-1] & is_a[1:]).tolist():
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
