"""Metres from places to the borders of grids, and which grids lie within so many metres of a place."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt
import shapely

from gis.crs import metres_per_degree
from gis.partition import Geometries

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

#: From this many pairs on the compiled loop is worth its import (0.3 s); below it numpy answers, with the same bits.
COMPILE_FROM = 512

#: Segments that share one bounding box.
RUN = 16

#: A segment is skipped only when it is farther than the best by more than rounding can hide: relative, and metres.
_SLACK, _SLACK_M = 1.0 + 1e-12, 1e-6


@dataclass(frozen=True)
class Borders:
    """The border vertices of every grid in one array: grid g owns rows `start[g]:start[g + 1]` of `vertices` (lon, lat).

    Every ring, hole or shell, ends with a row of NaN, so that no segment leads from one ring to the next. RUN segments share a
    box (west, south, east, north): grid g owns rows `first_box[g]:first_box[g + 1]` of `boxes`.
    """

    vertices: Floats
    start: Ints
    boxes: Floats
    first_box: Ints


def borders_of(geometry: Geometries) -> Borders:
    """The borders of an array of polygons and multipolygons; a third dimension is dropped."""
    if len(geometry) == 0:
        return Borders(np.empty((0, 2)), np.zeros(1, dtype=np.int64), np.empty((0, 4)), np.zeros(1, dtype=np.int64))
    # The empty multipolygon in front makes shapely answer in one form, also when every grid is a plain polygon.
    mixed = np.concatenate([np.array([shapely.MultiPolygon()], dtype=object), geometry])
    _, vertices, (rings, polygons, grids) = shapely.to_ragged_array(mixed, include_z=False)
    ring_of = np.repeat(np.arange(len(rings) - 1), np.diff(rings))
    spaced = np.full((len(vertices) + len(rings) - 1, 2), np.nan)
    spaced[np.arange(len(vertices)) + ring_of] = vertices
    first_ring = polygons[grids[1:]]
    start = (rings[first_ring] + first_ring).astype(np.int64)
    return Borders(spaced, start, *_boxes(spaced, start))


def _boxes(vertices: Floats, start: Ints) -> tuple[Floats, Ints]:
    """The boxes of all runs of RUN segments, and the first of every grid."""
    runs = -(-np.diff(start) // RUN)
    first_box = np.concatenate([[0], np.cumsum(runs)]).astype(np.int64)
    if not len(vertices):
        return np.empty((0, 4)), first_box
    begin = np.repeat(start[:-1] - first_box[:-1] * RUN, runs) + np.arange(first_box[-1]) * RUN
    end = np.minimum(
        begin + RUN + 1, np.repeat(start[1:], runs)
    )  # the next run's first vertex ends this one's last segment
    padded = np.vstack([vertices, [[np.nan, np.nan]]])
    ranges = np.column_stack([begin, end]).ravel()
    low, high = np.fmin.reduceat(padded, ranges)[::2], np.fmax.reduceat(padded, ranges)[::2]
    return np.hstack([low, high]), first_box


def border_distance_m(borders: Borders, grid: Ints, lon: Floats, lat: Floats) -> Floats:
    """Metres from place i to the nearest border point of grid `grid[i]`, whether it lies inside or outside.

    The plane is the ellipsoid's tangent scale at the place (metres per degree east and north, WGS 84): for borders within
    some kilometres the error is far below a millimetre per hundred metres. One place and a million give the same bits.
    """
    east, north = metres_per_degree(lat)
    if len(grid) < COMPILE_FROM:
        rows = zip(grid.tolist(), lon.tolist(), lat.tolist(), east.tolist(), north.tolist(), strict=True)
        return np.array([_one_distance_m(borders, *row) for row in rows], dtype=np.float64)
    out = np.empty(len(grid))
    loop = _compiled()
    loop(
        borders.vertices,
        borders.start,
        borders.boxes,
        borders.first_box,
        grid.astype(np.int64),
        lon,
        lat,
        east,
        north,
        out,
    )
    return out


def _one_distance_m(borders: Borders, grid: int, lon: float, lat: float, east: float, north: float) -> float:
    """The same arithmetic as the compiled loop, operation by operation, over all segments of one grid at once."""
    vertices = borders.vertices[borders.start[grid] : borders.start[grid + 1]]
    x = (vertices[:, 0] - lon) * east
    y = (vertices[:, 1] - lat) * north
    ax, ay = x[:-1], y[:-1]
    dx, dy = x[1:] - ax, y[1:] - ay
    squared = dx * dx + dy * dy
    # A repeated vertex makes a segment of length 0: any t does, for it is multiplied by 0.
    t = np.clip(-(ax * dx + ay * dy) / np.where(squared == 0.0, 1.0, squared), 0.0, 1.0)
    nx, ny = ax + t * dx, ay + t * dy
    return float(np.sqrt(np.fmin.reduce(nx * nx + ny * ny, initial=np.inf)))


@cache
def _compiled() -> Callable[..., None]:
    """The loop over places and segments, compiled once a machine (numba's cache) and loaded when first needed."""
    from numba import njit  # 0.3 s and 60 MB that a server without batches never pays

    options: dict[str, Any] = {"nogil": True, "cache": True, "error_model": "numpy"}
    try:
        return njit(**options)(_distances)  # type: ignore[no-any-return]
    except RuntimeError:  # no folder to cache in: compile in every process
        return njit(**(options | {"cache": False}))(_distances)  # type: ignore[no-any-return]


def _distances(
    vertices: Floats,
    start: Ints,
    boxes: Floats,
    first_box: Ints,
    grid: Ints,
    lon: Floats,
    lat: Floats,
    east: Floats,
    north: Floats,
    out: Floats,
) -> None:
    """The least distance over all segments; runs whose box is farther than the best are passed over.

    One function, for numba's cache does not see a change in a function that another one calls.
    """
    for i in range(len(grid)):
        g = grid[i]
        begin, end = first_box[g], first_box[g + 1]
        nearest, least = begin, np.inf
        for run in range(begin, end):
            x = max((boxes[run, 0] - lon[i]) * east[i], (lon[i] - boxes[run, 2]) * east[i], 0.0)
            y = max((boxes[run, 1] - lat[i]) * north[i], (lat[i] - boxes[run, 3]) * north[i], 0.0)
            if x * x + y * y < least:
                nearest, least = run, x * x + y * y
        best, reach = np.inf, np.inf
        # An extra turn before all others: the run with the nearest box makes most of them needless.
        for turn in range(begin - min(1, end - begin), end):
            run = nearest if turn < begin else turn
            x = max((boxes[run, 0] - lon[i]) * east[i], (lon[i] - boxes[run, 2]) * east[i], 0.0)
            y = max((boxes[run, 1] - lat[i]) * north[i], (lat[i] - boxes[run, 3]) * north[i], 0.0)
            if x * x + y * y > reach * reach:
                continue
            first = start[g] + (run - begin) * RUN
            bx, by = np.nan, np.nan
            for k in range(first, min(first + RUN + 1, start[g + 1])):
                ax, ay = bx, by
                bx = (vertices[k, 0] - lon[i]) * east[i]
                by = (vertices[k, 1] - lat[i]) * north[i]
                dx, dy = bx - ax, by - ay
                squared = dx * dx + dy * dy
                t = -(ax * dx + ay * dy) / (1.0 if squared == 0.0 else squared)
                t = 0.0 if t < 0.0 else (1.0 if t > 1.0 else t)
                nx, ny = ax + t * dx, ay + t * dy
                found = nx * nx + ny * ny
                if found < best:  # never true of NaN, the mark between two rings
                    best = found
                    reach = np.sqrt(found) * _SLACK + _SLACK_M
        out[i] = np.sqrt(best)


def near_pairs(tree: shapely.STRtree, lon: Floats, lat: Floats, within_m: float) -> tuple[Ints, Ints]:
    """(place, grid) for every grid whose bounding box may come within `within_m` metres of a place, or covers it."""
    east, north = metres_per_degree(lat)
    # A hundredth more than needed: the scale changes a little over the distance; who is too far is dropped later.
    half_lon = 1.01 * within_m / np.maximum(east, 1.0)
    half_lat = 1.01 * within_m / north
    boxes = shapely.box(lon - half_lon, lat - half_lat, lon + half_lon, lat + half_lat)
    place, grid = tree.query(boxes)
    return place.astype(np.int64), grid.astype(np.int64)
