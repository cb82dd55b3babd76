"""Near: metres to borders, and which grids cover a place or come near it, compiled. The arrays are those of `gis.nearby`."""

from __future__ import annotations

import numpy as np

from gis.compiled import lean
from gis.orientation import orientation

#: Segments that share one bounding box, as in `gis.nearby`.
RUN = 16

#: A segment is skipped only when it is farther than the best by more than rounding can hide: relative, and metres.
_SLACK, _SLACK_M = 1.0 + 1e-12, 1e-6

#: How a place lies to a grid.
OUT, WITHIN, ON = 0, 1, 2


@lean
def _apart(box: np.ndarray, lon: float, lat: float, east: float, north: float) -> float:
    """Square metres of the distance to a box (west, south, east, north); NaN for an empty one."""
    x = max((box[0] - lon) * east, (lon - box[2]) * east, 0.0)
    y = max((box[1] - lat) * north, (lat - box[3]) * north, 0.0)
    return float(x * x + y * y)


@lean
def _nearest_in_run(
    vertices: np.ndarray, first: int, last: int, lon: float, lat: float, east: float, north: float, best: float
) -> float:
    """The least square distance to the segments between the vertices `first..last`, or `best` if that is less."""
    bx, by = np.nan, np.nan
    for k in range(first, last + 1):
        ax, ay = bx, by
        bx = (vertices[k, 0] - lon) * east
        by = (vertices[k, 1] - lat) * north
        dx, dy = bx - ax, by - ay
        squared = dx * dx + dy * dy
        t = -(ax * dx + ay * dy) / (1.0 if squared == 0.0 else squared)
        t = 0.0 if t < 0.0 else (1.0 if t > 1.0 else t)
        nx, ny = ax + t * dx, ay + t * dy
        found = nx * nx + ny * ny
        if found < best:  # never true of NaN, the mark between two rings
            best = found
    return best


@lean
def box_runs(vertices: np.ndarray, start: np.ndarray, first_box: np.ndarray, boxes: np.ndarray) -> None:
    """Every run of RUN segments has its box (west, south, east, north), NaN for one without vertices."""
    for grid in range(start.size - 1):
        for run in range(first_box[grid + 1] - first_box[grid]):
            begin = start[grid] + run * RUN
            box = boxes[first_box[grid] + run]
            box[:] = np.nan
            for k in range(begin, min(begin + RUN + 1, start[grid + 1])):
                x, y = vertices[k, 0], vertices[k, 1]
                if x == x:  # not the NaN between two rings
                    box[0], box[1] = np.fmin(box[0], x), np.fmin(box[1], y)
                    box[2], box[3] = np.fmax(box[2], x), np.fmax(box[3], y)


@lean
def distance_m(
    vertices: np.ndarray, start: np.ndarray, stop: np.ndarray, boxes: np.ndarray, first_box: np.ndarray,
    grid: int, lon: float, lat: float, east: float, north: float,
) -> float:  # fmt: skip
    """Metres to the border of one grid, inside or outside; runs whose box is farther than the best are passed over."""
    first = first_box[grid]
    runs = -(-(stop[grid] - start[grid]) // RUN)
    nearest, least = 0, np.inf
    for run in range(runs):
        apart = _apart(boxes[first + run], lon, lat, east, north)
        if apart < least:
            nearest, least = run, apart
    best, reach = np.inf, np.inf
    # An extra turn before all others: the run with the nearest box makes most of them needless.
    for turn in range(-1, runs):
        run = nearest if turn < 0 else turn
        if runs == 0 or _apart(boxes[first + run], lon, lat, east, north) > reach * reach:
            continue
        at = start[grid] + run * RUN
        found = _nearest_in_run(vertices, at, min(at + RUN, stop[grid] - 1), lon, lat, east, north, best)
        if found < best:
            best = found
            reach = np.sqrt(found) * _SLACK + _SLACK_M
    return float(np.sqrt(best))


@lean
def distances(
    vertices: np.ndarray, start: np.ndarray, stop: np.ndarray, boxes: np.ndarray, first_box: np.ndarray,
    grid: np.ndarray, lon: np.ndarray, lat: np.ndarray, east: np.ndarray, north: np.ndarray, out: np.ndarray,
) -> None:  # fmt: skip
    """`out[i]` is the distance of place i to the border of `grid[i]`; NaN where that is -1."""
    for i in range(grid.size):
        out[i] = np.nan
        if grid[i] >= 0:
            out[i] = distance_m(
                vertices, start, stop, boxes, first_box, grid[i], lon[i], lat[i], east[i], north[i]
            )  # fmt: skip


@lean
def _ray_crosses(ax: float, ay: float, bx: float, by: float, x: float, y: float) -> int:
    """Whether the ray from a place towards east crosses an edge, ends counted so that a border is crossed once; or ON."""
    straddles = (ay > y) != (by > y)
    if not straddles and ay != y and by != y:
        return 0
    if max(ax, bx) < x:
        return 0
    found = orientation(ax, ay, bx, by, x, y)
    if found == 0 and min(ax, bx) <= x and min(ay, by) <= y <= max(ay, by):
        return ON
    return int(straddles and (found > 0) == (by > ay))


@lean
def lies(
    vertices: np.ndarray, start: np.ndarray, stop: np.ndarray, boxes: np.ndarray, first_box: np.ndarray,
    grid: int, lon: float, lat: float,
) -> int:  # fmt: skip
    """OUT, WITHIN or ON: how a place lies to one grid, exactly."""
    odd = 0
    first = first_box[grid]
    for run in range(-(-(stop[grid] - start[grid]) // RUN)):
        box = boxes[first + run]
        if not (box[1] <= lat <= box[3] and lon <= box[2]):
            continue
        at = start[grid] + run * RUN
        for k in range(at, min(at + RUN, stop[grid] - 1)):
            ax, ay, bx, by = vertices[k, 0], vertices[k, 1], vertices[k + 1, 0], vertices[k + 1, 1]
            if ax == ax and bx == bx:  # NaN, between two rings, is not itself
                crossed = _ray_crosses(ax, ay, bx, by, lon, lat)
                if crossed == ON:
                    return ON
                odd ^= crossed
    return odd


@lean
def _cell(value: float, first: float, scale: float, count: float) -> int:
    """The column or row of the lattice of boxes, the outermost for what lies outside."""
    return int(min(max(np.floor((value - first) * scale), 0.0), count - 1.0))


@lean
def _cells_of_box(frame: np.ndarray, west: float, south: float, east: float, north: float) -> tuple[int, int, int, int]:
    """The first and last column and row that a box meets. `frame` is west, south, cells a degree east and north, columns, rows."""
    return (
        _cell(west, frame[0], frame[2], frame[4]), _cell(east, frame[0], frame[2], frame[4]),
        _cell(south, frame[1], frame[3], frame[5]), _cell(north, frame[1], frame[3], frame[5]),
    )  # fmt: skip


@lean
def sort_boxes(bounds: np.ndarray, frame: np.ndarray, start: np.ndarray, grids: np.ndarray) -> None:
    """Cell c holds the boxes of `grids[start[c]:start[c + 1]]`, ascending; first called with empty `grids` to count into `start`."""
    for g in range(bounds.shape[0]):
        if not bounds[g, 0] <= bounds[g, 2]:
            continue  # an empty shape
        west, east, south, north = _cells_of_box(frame, bounds[g, 0], bounds[g, 1], bounds[g, 2], bounds[g, 3])
        for row in range(south, north + 1):
            for column in range(west, east + 1):
                cell = row * int(frame[4]) + column
                if grids.size == 0:
                    start[cell + 2] += 1
                else:
                    grids[start[cell + 1]] = g
                    start[cell + 1] += 1
    if grids.size == 0:
        for cell in range(2, start.size):
            start[cell] += start[cell - 1]


@lean
def near_place(
    vertices: np.ndarray, start: np.ndarray, stop: np.ndarray, boxes: np.ndarray, first_box: np.ndarray,
    bounds: np.ndarray, frame: np.ndarray, cell_start: np.ndarray, cell_grids: np.ndarray,
    lon: float, lat: float, east: float, north: float, within_m: float,
    grid: np.ndarray, metres: np.ndarray, state: np.ndarray, used: int,
) -> int:  # fmt: skip
    """The grids that cover one place or come within `within_m` metres stand from position `used` on; returns the one after them,
    which may lie beyond the arrays: then those beyond are not written.
    """
    # A hundredth more than needed: the scale changes a little over the distance; who is too far is dropped below.
    half_lon, half_lat = 1.01 * within_m / max(east, 1.0), 1.01 * within_m / north
    first, last, low, high = _cells_of_box(frame, lon - half_lon, lat - half_lat, lon + half_lon, lat + half_lat)
    for row in range(low, high + 1):
        for column in range(first, last + 1):
            cell = row * int(frame[4]) + column
            for k in range(cell_start[cell], cell_start[cell + 1]):
                g = cell_grids[k]
                box = bounds[g]
                if (
                    box[0] > lon + half_lon
                    or box[2] < lon - half_lon
                    or box[1] > lat + half_lat
                    or box[3] < lat - half_lat
                ):
                    continue
                own_first, _, own_low, _ = _cells_of_box(frame, box[0], box[1], box[2], box[3])
                if row != max(low, own_low) or column != max(first, own_first):
                    continue  # met in an earlier cell
                how = lies(vertices, start, stop, boxes, first_box, g, lon, lat)
                far = (
                    distance_m(vertices, start, stop, boxes, first_box, g, lon, lat, east, north) if how != ON else 0.0
                )
                if how != OUT or far <= within_m:
                    if used < grid.size:
                        grid[used], metres[used], state[used] = g, far, how
                    used += 1
    return used


@lean
def near(
    vertices: np.ndarray, start: np.ndarray, stop: np.ndarray, boxes: np.ndarray, first_box: np.ndarray,
    bounds: np.ndarray, frame: np.ndarray, cell_start: np.ndarray, cell_grids: np.ndarray,
    lon: np.ndarray, lat: np.ndarray, east: np.ndarray, north: np.ndarray, within_m: float, begin: int,
    until: np.ndarray, grid: np.ndarray, metres: np.ndarray, state: np.ndarray,
) -> int:  # fmt: skip
    """Place i has the pairs `until[i - 1]..until[i]` for i >= begin; returns the first place that found no room, whose `until` tells
    how much is needed.
    """
    used = until[begin - 1] if begin > 0 else 0
    for i in range(begin, lon.size):
        used = near_place(
            vertices, start, stop, boxes, first_box, bounds, frame, cell_start, cell_grids,
            lon[i], lat[i], east[i], north[i], within_m, grid, metres, state, used,
        )  # fmt: skip
        until[i] = used
        if used > grid.size:
            return i
    return lon.size
