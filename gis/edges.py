"""Unmatched edges: borders that two grids share without sharing every vertex, and no overlap or gap tells why."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
import numpy.typing as npt
import pyproj
import shapely
from shapely.geometry.base import BaseGeometry

from gis.findings import Finding
from gis.partition import Geometries

_NEAR: Final = 1e-7  # degrees, about 1 cm: an edge that runs so near to a fault's ground belongs to that fault
_ALONG: Final = 2.0  # an edge must share more than this many times _NEAR with it: touching a tip does not explain it


def unmatched_edges(codes: Sequence[str], flags: Geometries, explaining: Sequence[BaseGeometry]) -> list[Finding]:
    """One `unmatched_edge` per grid with flagged edges that do not run along the ground of `explaining`, partners named.

    `flags[i]` are the edges `shapely.coverage_invalid_edges` returned for grid i. The area is 0: what an unmatched edge
    encloses is told by its overlap, gap or sliver.
    """
    owner, edges = _segments(flags)
    kept = ~_explained(edges, explaining)
    owner, edges = owner[kept], edges[kept]
    if not len(edges):
        return []
    partners = _partners(owner, edges)
    grids, first = np.unique(owner, return_index=True)  # edges come grid by grid
    lines = (shapely.line_merge(shapely.multilinestrings(held)) for held in np.split(edges, first[1:]))
    return [
        _finding(codes, grid, partners.get(grid, ()), line) for grid, line in zip(grids.tolist(), lines, strict=True)
    ]


def _finding(codes: Sequence[str], grid: int, partners: Sequence[int], lines: BaseGeometry) -> Finding:
    others = tuple(sorted((codes[i] for i in partners), key=str.encode))
    metres = abs(pyproj.Geod(ellps="WGS84").geometry_length(lines))
    beside = f" of {', '.join(others)}" if others else " beside it"
    message = f"{metres:,.1f} m of the border of {codes[grid]} do not meet the border{beside} vertex for vertex"
    return Finding("unmatched_edge", "error", (codes[grid], *others), 0.0, lines, message)


def _segments(flags: Geometries) -> tuple[npt.NDArray[np.intp], Geometries]:
    """Single two-point edges and the grid each belongs to."""
    lines, grid = shapely.get_parts(flags, return_index=True)
    xy, line = shapely.get_coordinates(lines, return_index=True)
    joined = np.flatnonzero(line[1:] == line[:-1])
    pairs = np.stack((xy[joined], xy[joined + 1]), axis=1)
    return grid[line[joined]], shapely.linestrings(pairs)


def _explained(edges: Geometries, explaining: Sequence[BaseGeometry]) -> npt.NDArray[np.bool_]:
    """True for edges that run along or through the ground of a known fault."""
    told = np.zeros(len(edges), dtype=bool)
    if not len(edges) or not explaining:
        return told
    grown = shapely.buffer(np.array(explaining, dtype=object), _NEAR, join_style="mitre")
    at, fault = shapely.STRtree(grown).query(edges, predicate="intersects")
    along = shapely.length(shapely.intersection(edges[at], grown[fault]))
    enough = along > np.minimum(_ALONG * _NEAR, 0.5 * shapely.length(edges[at]))
    told[at[enough]] = True
    return told


def _partners(owner: npt.NDArray[np.intp], edges: Geometries) -> dict[int, tuple[int, ...]]:
    """Grid -> other grids whose unmatched edges lie along its own."""
    left, right = shapely.STRtree(edges).query(edges, predicate="dwithin", distance=_NEAR)
    pairs = np.column_stack((owner[left], owner[right]))
    pairs = np.unique(pairs[pairs[:, 0] != pairs[:, 1]], axis=0)
    grids, first = np.unique(pairs[:, 0], return_index=True)
    others = np.split(pairs[:, 1], first[1:]) if len(grids) else []
    return {grid: tuple(held.tolist()) for grid, held in zip(grids.tolist(), others, strict=True)}
