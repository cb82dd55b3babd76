"""Snapping: shapes that came back from another program lie on ours again where they differ by rounding only.

A program rounds coordinates (7 to 15 decimals of a degree), drops vertices that a line passes, and adds some where it cut. What is
nearer than NOISE to what we have is taken for the same; nothing of ours is moved.
"""

from __future__ import annotations

from collections import defaultdict
from itertools import pairwise
from typing import Any, Final, TypeAlias

import numpy as np
import numpy.typing as npt
import shapely

from gis.findings import polygonal
from gis.noding import Vertex, edge
from gis.partition import Geometries

Floats = npt.NDArray[np.float64]
Ends: TypeAlias = tuple[Vertex, Vertex]

#: Degrees, 2 cm northwards: nearer is noise. Rounding to 7 decimals moves a vertex by 0.8 cm at most.
NOISE: Final = 1.8e-7
#: Degrees: nearer a computed place is on its edge.
ON: Final = 1e-12


def rounding(shapes: Geometries) -> float:
    """How far rounding may have moved the vertices of a file, in degrees: NOISE, more where it has 6 decimals or fewer.

    Less than one unit of the last decimal, so nobody's edit in such a file is taken for rounding. Shapes as the file has them;
    coordinates that are no degrees were not rounded so.
    """
    places = shapely.get_coordinates(shapes)
    if len(places) and (np.abs(places) <= (180.0, 90.0)).all():
        for decimals in (5, 6):
            if np.array_equal(places, np.round(places, decimals)):
                return float(0.75 * 10.0**-decimals)
    return NOISE


def settled(shapes: Geometries, ours: Geometries, near: float = NOISE) -> Geometries:
    """The shapes with every vertex near one of ours on it, near one of our edges on that, and with our vertices where they pass.

    Polygons in, polygons out; one that falls to nothing is empty. Neighbours that shared a border still do.
    """
    points, back = _distinct(shapes)
    moved = _moved(points, ours, near)
    drawn = shapely.set_coordinates(np.array(shapes, dtype=object), moved[back])
    vertices = np.concatenate((shapely.get_coordinates(ours), moved))
    return _clean(with_vertices(drawn, vertices, near))


def _distinct(shapes: Geometries) -> tuple[Floats, npt.NDArray[np.intp]]:
    points, back = np.unique(shapely.get_coordinates(shapes), axis=0, return_inverse=True)
    return points, back.ravel()


def _moved(points: Floats, ours: Geometries, near: float) -> Floats:
    """Each point, or the vertex of ours, else the place on an edge of ours, that it is so near to."""
    moved = points.copy()
    known = np.unique(shapely.get_coordinates(ours), axis=0)
    at, vertex = _nearest(shapely.points(points), shapely.points(known), near)
    moved[at] = known[vertex]
    rest = np.setdiff1d(np.arange(len(points)), at)
    edges = _edges(ours)
    lines = shapely.linestrings(edges)
    at, line = _nearest(shapely.points(points[rest]), lines, near)
    feet = shapely.line_interpolate_point(
        lines[line], shapely.line_locate_point(lines[line], shapely.points(points[rest[at]]))
    )
    moved[rest[at]] = shapely.get_coordinates(feet)
    return moved


def _nearest(shapes: Any, among: Any, near: float) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]:
    """(index, index among) of those that have a neighbour nearer than `near`; the first of several equally near ones."""
    if not len(shapes) or not len(among):
        return np.empty(0, np.intp), np.empty(0, np.intp)
    index, found = shapely.STRtree(among).query_nearest(shapes, max_distance=near)
    once, first = np.unique(index, return_index=True)
    return once, found[first]


def _edges(shapes: Geometries) -> Floats:
    """(n, 2, 2): every edge once, the smaller end first."""
    rings = shapely.get_rings(shapely.get_parts(shapes))
    points, ring = shapely.get_coordinates(rings, return_index=True)
    at = np.flatnonzero(ring[1:] == ring[:-1])
    a, b = points[at], points[at + 1]
    turned = (a[:, 0] > b[:, 0]) | ((a[:, 0] == b[:, 0]) & (a[:, 1] > b[:, 1]))
    low, high = np.where(turned[:, None], b, a), np.where(turned[:, None], a, b)
    distinct = np.unique(np.column_stack((low, high)), axis=0)
    return np.asarray(distinct[(distinct[:, :2] != distinct[:, 2:]).any(axis=1)].reshape(-1, 2, 2), dtype=np.float64)


def with_vertices(shapes: Geometries, vertices: Floats, near: float = NOISE) -> Geometries:
    """The shapes with each of `vertices` that one of their edges passes nearer than `near` degrees put into that edge.

    A shape that this would make cross itself stays as it is.
    """
    edges, vertices = _edges(shapes), np.unique(vertices, axis=0)
    vertex, at = shapely.STRtree(shapely.linestrings(edges)).query(
        shapely.points(vertices), predicate="dwithin", distance=near
    )
    inner = ((vertices[vertex][:, None] != edges[at]).any(axis=2)).all(axis=1)
    between: dict[Ends, list[Vertex]] = defaultdict(list)
    for place, (a, b) in zip(vertices[vertex[inner]].tolist(), edges[at[inner]].tolist(), strict=True):
        between[(a[0], a[1]), (b[0], b[1])].append((place[0], place[1]))
    for (a, b), places in between.items():
        ahead = (b[0] - a[0], b[1] - a[1])
        places.sort(key=lambda p, a=a, ahead=ahead: (p[0] - a[0]) * ahead[0] + (p[1] - a[1]) * ahead[1])  # type: ignore[misc]
    if not between:
        return shapes
    dense = np.empty(len(shapes), dtype=object)
    dense[:] = [_dense(shape, between) for shape in shapes]
    broken = ~shapely.is_valid(dense) & shapely.is_valid(shapes)
    dense[broken] = shapes[broken]
    return dense


def _dense(shape: Any, between: dict[Ends, list[Vertex]]) -> Any:
    parts = []
    for part in shapely.get_parts(shape):
        rings = [_dense_ring(shapely.get_coordinates(ring).tolist(), between) for ring in shapely.get_rings(part)]
        parts.append(shapely.Polygon(rings[0], rings[1:]))
    return parts[0] if len(parts) == 1 else shapely.MultiPolygon(parts)


def _dense_ring(ring: list[list[float]], between: dict[Ends, list[Vertex]]) -> list[Vertex]:
    vertices = [(lon, lat) for lon, lat in ring]
    dense = vertices[:1]
    for a, b in pairwise(vertices):
        held = between.get(edge(a, b), [])
        dense += held if a < b else held[::-1]
        dense.append(b)
    return dense


def _clean(shapes: Geometries) -> Geometries:
    """Polygons without vertices that stand twice, and without what rounding made invalid."""
    clean = shapely.remove_repeated_points(shapes, 0)
    for i in np.flatnonzero(~shapely.is_valid(clean)):
        clean[i] = polygonal(shapely.make_valid(clean[i], method="structure", keep_collapsed=False))
    return np.asarray(clean, dtype=object)
