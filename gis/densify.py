"""Densify: vertices added along straight edges, the same ones whichever way an edge runs; shapes taken apart and put together."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import shapely

from gis.errors import GeometryInvalid

Floats = npt.NDArray[np.float64]
Indices = npt.NDArray[np.intp]
Geometries = npt.NDArray[np.object_]

#: More new vertices than this are no grids but a mistake (metres taken as degrees, a map of the world).
MOST_INSERTED = 20_000_000


def insert_vertices(points: Floats, owner: Indices, pieces: Floats) -> tuple[Floats, Indices, npt.NDArray[np.bool_]]:
    """The points with `pieces[i]` equal pieces between point i and point i+1, their owners, and which are new.

    `points` is (n, 2), sorted by `owner` (the ring or line they belong to); `pieces` has n-1 entries, NaN and anything
    below 1 count as 1, and so does an edge between two owners. New points are reckoned from the edge's lower end (by x, then
    y), so both neighbours of an edge get the same doubles. Raises GeometryInvalid past 20 million new points.
    """
    count = np.where((owner[1:] == owner[:-1]) & (pieces > 1.0), pieces, 1.0)
    if count.sum() - len(count) > MOST_INSERTED:
        raise GeometryInvalid("the edges are far too long for grids: is the coordinate reference system right?")
    whole = np.append(count.astype(np.intp), 1)
    start = np.repeat(np.arange(len(points)), whole)
    step = np.arange(len(start)) - np.repeat(np.cumsum(whole) - whole, whole)
    new = step > 0
    edge, along = start[new], step[new]
    a, b = points[edge], points[edge + 1]
    turned = (a[:, 0] > b[:, 0]) | ((a[:, 0] == b[:, 0]) & (a[:, 1] > b[:, 1]))
    low, high = np.where(turned[:, None], b, a), np.where(turned[:, None], a, b)
    share = np.where(turned, whole[edge] - along, along) / whole[edge]
    dense = points[start]
    dense[new] = low + (high - low) * share[:, None]
    return dense, owner[start], new


Redraw = Callable[[Floats, Indices, Indices], tuple[Floats, Indices]]


def redraw(geoms: Geometries, change: Redraw) -> Geometries:
    """New shapes of the same kinds, drawn through `change(points, owner, index)` -> (points, owner); None and empty stay.

    `change` gets all vertices of all rings, lines and points at once with the ring they belong to and the index of their
    shape, and may add vertices within a ring. Heights are dropped. A collection is redrawn member by member.
    """
    result = np.array(geoms, dtype=object)
    kind = np.where(shapely.is_empty(result), -1, shapely.get_type_id(result))
    for simple, several, build in ((3, 6, _polygons), (1, 5, _lines), (0, 4, _points)):
        chosen = np.flatnonzero((kind == simple) | (kind == several))
        if len(chosen):
            parts, part_of = shapely.get_parts(result[chosen], return_index=True)
            filled = ~shapely.is_empty(parts)
            parts, part_of = parts[filled], part_of[filled]
            parts = build(parts, chosen[part_of], change)
            result[chosen] = _joined(parts, part_of, kind[chosen] == several)
    for i in np.flatnonzero(kind == 7):

        def member(points: Floats, owner: Indices, index: Indices, whole: int = int(i)) -> tuple[Floats, Indices]:
            return change(points, owner, np.full_like(index, whole))

        result[i] = shapely.geometrycollections(redraw(shapely.get_parts(result[i]), member))
    return result


def _polygons(parts: Geometries, index: Indices, change: Redraw) -> Any:
    rings, ring_of = shapely.get_rings(parts, return_index=True)
    points, owner = shapely.get_coordinates(rings, return_index=True)
    points, owner = change(points, owner, index[ring_of][owner])
    return shapely.polygons(shapely.linearrings(points, indices=owner), indices=ring_of)


def _lines(parts: Geometries, index: Indices, change: Redraw) -> Any:
    points, owner = shapely.get_coordinates(parts, return_index=True)
    points, owner = change(points, owner, index[owner])
    return shapely.linestrings(points, indices=owner)


def _points(parts: Geometries, index: Indices, change: Redraw) -> Any:
    points, owner = shapely.get_coordinates(parts, return_index=True)
    points, _ = change(points, owner, index)
    return shapely.points(points)


def _joined(parts: Geometries, part_of: Indices, several: npt.NDArray[np.bool_]) -> Geometries:
    """One shape per owner: the part itself, or the collection of its parts where the original was one."""
    joined = np.empty(len(several), dtype=object)
    single = ~several[part_of]
    joined[part_of[single]] = parts[single]
    if several.any():
        inside = np.flatnonzero(~single)
        family = {0: shapely.multipoints, 1: shapely.multilinestrings, 3: shapely.multipolygons}
        build = family[int(shapely.get_type_id(parts[inside[0]]))]
        rank = np.cumsum(several) - 1
        joined[several] = build(parts[inside], indices=rank[part_of[inside]])
    return joined
