"""Segments of a coverage: how long a border two polygons share, and which vertices of a border no line ends at."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import shapely

from gis.crs import metres_per_degree
from gis.partition import Geometries

Floats = npt.NDArray[np.float64]
Indices = npt.NDArray[np.intp]

#: Degrees (a micrometre) by which a vertex on the line of its neighbours may lie beside it: an intersection is a rounded double.
_STRAIGHT: Final = 1e-11


def borders_shared(shapes: Geometries) -> Iterator[tuple[int, int, float]]:
    """Every two polygons that share whole segments, lower index first, and the metres they share.

    Segments are compared by their ends, bit for bit, as a valid coverage has them.
    """
    ends, owner = _segments(shapes)
    _, which = np.unique(ends, axis=0, return_inverse=True)
    order = np.argsort(which, kind="stable")
    twice = np.flatnonzero(which[order][1:] == which[order][:-1])
    one, other = owner[order[twice]], owner[order[twice + 1]]
    pairs = np.sort(np.column_stack((one, other)), axis=1)
    distinct, of = np.unique(pairs, axis=0, return_inverse=True)
    metres = np.bincount(of.ravel(), weights=_metres(ends[order[twice]]), minlength=len(distinct))
    for (low, high), length in zip(distinct.tolist(), metres.tolist(), strict=True):
        if low != high:
            yield low, high, length


def _segments(shapes: Geometries) -> tuple[Floats, Indices]:
    """(n, 4) ends of all segments, the lower end first, and the polygon of each."""
    rings, polygon = _rings(shapes)
    points, ring = shapely.get_coordinates(rings, return_index=True)
    at = np.flatnonzero(ring[1:] == ring[:-1])
    a, b = points[at], points[at + 1]
    turned = (a[:, 0] > b[:, 0]) | ((a[:, 0] == b[:, 0]) & (a[:, 1] > b[:, 1]))
    low, high = np.where(turned[:, None], b, a), np.where(turned[:, None], a, b)
    return np.column_stack((low, high)), polygon[ring[at]]


def _rings(shapes: Geometries) -> tuple[Geometries, Indices]:
    parts, shape = shapely.get_parts(shapes, return_index=True)
    rings, part = shapely.get_rings(parts, return_index=True)
    return rings, shape[part]


def _metres(ends: Floats) -> Floats:
    east, north = metres_per_degree((ends[:, 1] + ends[:, 3]) / 2)
    return np.hypot((ends[:, 2] - ends[:, 0]) * east, (ends[:, 3] - ends[:, 1]) * north)


def without_passings(shapes: Geometries, originals: Floats) -> Geometries:
    """The polygons of a coverage without vertices that a straight border passes, unless they are among `originals` ((n, 2)).

    Such a vertex is left where a line ended that bounds nothing any more; without it the border is again what it was.
    """
    passing = _passings(np.unique(_segments(shapes)[0], axis=0))
    passing = passing[~np.isin(passing, _keys(originals))]
    if not len(passing):
        return shapes
    points, shape = shapely.get_coordinates(shapes, return_index=True)
    touched = np.unique(shape[np.isin(_keys(points), passing)])
    mended = np.array(shapes, dtype=object)
    mended[touched] = [_without(polygon, passing) for polygon in shapes[touched]]
    return mended


def _passings(segments: Floats) -> npt.NDArray[np.complex128]:
    """Where just two segments meet in a straight line, as far as doubles can tell."""
    ends = np.concatenate((_keys(segments[:, :2]), _keys(segments[:, 2:])))
    others = np.concatenate((_keys(segments[:, 2:]), _keys(segments[:, :2])))
    order = np.argsort(ends, kind="stable")
    vertices, first, meeting = np.unique(ends[order], return_index=True, return_counts=True)
    vertices, first = vertices[meeting == 2], first[meeting == 2]
    one, other = others[order[first]] - vertices, others[order[first + 1]] - vertices
    across = np.abs((one.conj() * other).imag) / np.abs(one - other)
    straight: npt.NDArray[np.complex128] = vertices[(across <= _STRAIGHT) & ((one.conj() * other).real < 0)]
    return straight


def _without(polygon: Any, places: Any) -> Any:
    outer, *holes = [shapely.get_coordinates(ring)[:-1] for ring in (polygon.exterior, *polygon.interiors)]
    kept = [ring[~np.isin(_keys(ring), places)] for ring in (outer, *holes)]
    return shapely.Polygon(kept[0], kept[1:])


def _keys(points: Floats) -> Any:
    """Places as complex numbers, so that sets of them can be compared; -0 is 0."""
    return np.ascontiguousarray(points + 0.0).view(np.complex128).ravel()
