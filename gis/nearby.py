"""Metres from places to the borders of grids, and which grids lie within so many metres of a place."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import shapely

from gis.crs import metres_per_degree
from gis.partition import Geometries

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Bytes = npt.NDArray[np.uint8]

#: From this many pairs or boxes on the compiled loop is worth its import (0.3 s); below it numpy answers, with the same bits.
COMPILE_FROM = 512

#: shapely's number for a plain polygon.
_POLYGON = 3

#: Segments that share one bounding box.
RUN = 16


@dataclass(frozen=True)
class Borders:
    """The border vertices of every grid in one array: grid g owns rows `start[g]:stop[g]` of `vertices` (lon, lat).

    Every ring, hole or shell, ends with a row of NaN, so that no segment leads from one ring to the next. RUN segments share a
    box (west, south, east, north): those of grid g begin at row `first_box[g]` of `boxes`.
    """

    vertices: Floats
    start: Ints
    stop: Ints
    boxes: Floats
    first_box: Ints

    @property
    def arrays(self) -> tuple[Floats, Ints, Ints, Floats, Ints]:
        """All of it, in the order in which the compiled loops ask for it."""
        return self.vertices, self.start, self.stop, self.boxes, self.first_box


def borders_of(geometry: Geometries) -> Borders:
    """The borders of an array of polygons and multipolygons; a third dimension is dropped."""
    if len(geometry) == 0:
        nobody = np.empty(0, dtype=np.int64)
        return Borders(np.empty((0, 2)), nobody, nobody, np.empty((0, 4)), nobody)
    rings, sizes = _rings(geometry)
    after = np.cumsum(sizes + 1)
    spaced = np.empty((int(after[-1]) if len(after) else 0, 2))
    drawn = np.ones(len(spaced), dtype=bool)
    drawn[after - 1] = False
    spaced[drawn] = shapely.get_coordinates(geometry)
    spaced[after - 1] = np.nan
    start = np.concatenate([[0], after])[np.concatenate([[0], np.cumsum(rings)])].astype(np.int64)
    boxes, first_box = _boxes(spaced, start)
    return Borders(spaced, start[:-1], start[1:], boxes, first_box[:-1])


def _rings(geometry: Geometries) -> tuple[Ints, Ints]:
    """(rings of every grid, vertices of every ring), in the order in which shapely lists vertices."""
    rings = (~shapely.is_empty(geometry)).astype(np.int64)
    # Nearly every grid is one ring, as long as the grid: only the others are taken apart, which copies them.
    several = np.flatnonzero(
        (shapely.get_type_id(geometry) != _POLYGON) | (shapely.get_num_interior_rings(geometry) > 0)
    )
    parts, grid = shapely.get_parts(geometry[several], return_index=True)
    taken, part = shapely.get_rings(parts, return_index=True)
    rings[several] = np.bincount(grid[part], minlength=len(several))
    sizes = np.repeat(shapely.get_num_coordinates(geometry), rings).astype(np.int64)
    of_several = np.zeros(len(geometry), dtype=bool)
    of_several[several] = True
    sizes[np.repeat(of_several, rings)] = shapely.get_num_coordinates(taken)
    return rings, sizes


def with_changed(borders: Borders, grids: Ints, geometry: Geometries) -> Borders:
    """The borders after `grids` were drawn anew as `geometry`: appended behind the others, whose rows stay where they are."""
    drawn = borders_of(geometry)
    start, stop, first_box = borders.start.copy(), borders.stop.copy(), borders.first_box.copy()
    start[grids] = drawn.start + len(borders.vertices)
    stop[grids] = drawn.stop + len(borders.vertices)
    first_box[grids] = drawn.first_box + len(borders.boxes)
    vertices = np.concatenate([borders.vertices, drawn.vertices])
    return Borders(vertices, start, stop, np.concatenate([borders.boxes, drawn.boxes]), first_box)


def _boxes(vertices: Floats, start: Ints) -> tuple[Floats, Ints]:
    """The boxes of all runs of RUN segments, and the first of every grid."""
    runs = -(-np.diff(start) // RUN)
    first_box = np.concatenate([[0], np.cumsum(runs)]).astype(np.int64)
    if not len(vertices):
        return np.empty((0, 4)), first_box
    if len(vertices) >= RUN * COMPILE_FROM:
        from gis.nearquery import box_runs

        boxes = np.empty((first_box[-1], 4))
        box_runs(vertices, start, first_box, boxes)
        return boxes, first_box
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
    from gis.nearquery import distances

    out = np.empty(len(grid))
    distances(*borders.arrays, grid.astype(np.int64), lon, lat, east, north, out)
    return out


def _one_distance_m(borders: Borders, grid: int, lon: float, lat: float, east: float, north: float) -> float:
    """The same arithmetic as the compiled loop, operation by operation, over all segments of one grid at once."""
    vertices = borders.vertices[borders.start[grid] : borders.stop[grid]]
    x = (vertices[:, 0] - lon) * east
    y = (vertices[:, 1] - lat) * north
    ax, ay = x[:-1], y[:-1]
    dx, dy = x[1:] - ax, y[1:] - ay
    squared = dx * dx + dy * dy
    # A repeated vertex makes a segment of length 0: any t does, for it is multiplied by 0.
    t = np.clip(-(ax * dx + ay * dy) / np.where(squared == 0.0, 1.0, squared), 0.0, 1.0)
    nx, ny = ax + t * dx, ay + t * dy
    return float(np.sqrt(np.fmin.reduce(nx * nx + ny * ny, initial=np.inf)))


def near_pairs(tree: shapely.STRtree, lon: Floats, lat: Floats, within_m: float) -> tuple[Ints, Ints]:
    """(place, grid) for every grid whose bounding box may come within `within_m` metres of a place, or covers it."""
    east, north = metres_per_degree(lat)
    # A hundredth more than needed: the scale changes a little over the distance; who is too far is dropped later.
    half_lon = 1.01 * within_m / np.maximum(east, 1.0)
    half_lat = 1.01 * within_m / north
    boxes = shapely.box(lon - half_lon, lat - half_lat, lon + half_lon, lat + half_lat)
    place, grid = tree.query(boxes)
    return place.astype(np.int64), grid.astype(np.int64)
