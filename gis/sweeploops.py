"""Stamping walked legs into cells: compiled loops. Importing this module loads numba, so it is imported late.

Everything is in cells: cell (i, j) is the square from i to i + 1 and j to j + 1, its centre at one half. A tile is SIDE by
SIDE cells; `directory[row, column]` says at which number a tile's cells lie, -1: nowhere, so nothing is written.
Leg i leads from place i to place i + 1, or is place i alone where nothing is joined to it. Times are microseconds.
"""

from __future__ import annotations

import math

import numpy as np

from gis.compiled import compiled

SIDE = 64
_SHIFT, _MASK = 6, 63
#: A direction whose sine or cosine is below this runs along an axis.
_FLAT = 1e-12


@compiled
def mark_tiles(
    x: np.ndarray, y: np.ndarray, joined: np.ndarray, legs: np.ndarray, radius: float, touched: np.ndarray
) -> None:
    """`touched[row, column]` is set for every tile that the box of a leg, widened by `radius`, meets."""
    rows, columns = touched.shape
    for i in legs:
        k = i + 1 if joined[i] else i
        if not (x[i] - x[i] == 0.0 and y[i] - y[i] == 0.0 and x[k] - x[k] == 0.0 and y[k] - y[k] == 0.0):
            continue
        south, north = min(y[i], y[k]) - radius, max(y[i], y[k]) + radius
        west, east = min(x[i], x[k]) - radius, max(x[i], x[k]) + radius
        if north < 0.0 or east < 0.0 or south >= rows * SIDE or west >= columns * SIDE:
            continue
        low, high = max(0, int(south) >> _SHIFT), min(rows - 1, int(north) >> _SHIFT)
        first, last = max(0, int(west) >> _SHIFT), min(columns - 1, int(east) >> _SHIFT)
        for row in range(low, high + 1):
            for column in range(first, last + 1):
                touched[row, column] = True


@compiled
def _fill(
    j: int, first: int, last: int, value: np.uint16, directory: np.ndarray, stamps: np.ndarray, bits: np.ndarray
) -> None:
    """The cells first..last of row j are seen, at `value` or later."""
    row, inner = j >> _SHIFT, j & _MASK
    for column in range(first >> _SHIFT, (last >> _SHIFT) + 1):
        tile = directory[row, column]
        if tile < 0:
            continue
        begin = max(first - (column << _SHIFT), 0)
        end = min(last - (column << _SHIFT), SIDE - 1)
        ones = np.uint64(0xFFFFFFFFFFFFFFFF)
        bits[tile, inner] |= (ones << np.uint64(begin)) & (ones >> np.uint64(SIDE - 1 - end))
        line = stamps[tile, inner]
        for i in range(np.uint64(begin), np.uint64(end + 1)):
            line[i] = max(line[i], value)


@compiled
def _span(
    up: float, over: float, ax: float, bx: float, r: float, half: float, slope: float, fall: float
) -> tuple[float, float]:
    """From where to where a row is near a segment; west > east: nowhere. What is near a segment is convex: one interval.

    The row lies `up` above the one end (at ax) and `over` above the other: the discs round both and the strip between them,
    which is `half` < 0 where it leads along the row, and straight up where `fall` is 0.
    """
    west, east = math.inf, -math.inf
    if abs(up) <= r:
        reach = math.sqrt(r * r - up * up)
        west, east = ax - reach, ax + reach
    if abs(over) <= r:
        reach = math.sqrt(r * r - over * over)
        west, east = min(west, bx - reach), max(east, bx + reach)
    if half < 0.0:
        return west, east
    left, right = ax + up * slope - half, ax + up * slope + half
    if fall != 0.0:
        begin, end = ax - up * fall, bx - over * fall
        left, right = max(left, min(begin, end)), min(right, max(begin, end))
    elif up * over > 0.0:  # above or below both ends
        return west, east
    if left <= right:
        west, east = min(west, left), max(east, right)
    return west, east


@compiled
def _stamp(
    ax: float, ay: float, bx: float, by: float, r: float, value: np.uint16,
    directory: np.ndarray, stamps: np.ndarray, bits: np.ndarray,
) -> None:  # fmt: skip
    """Every cell whose centre is within r of a segment has at least this stamp."""
    rows, columns = directory.shape[0] * SIDE, directory.shape[1] * SIDE
    if max(ax, bx) + r < 0.0 or min(ax, bx) - r > columns or max(ay, by) + r < 0.0 or min(ay, by) - r > rows:
        return
    dx, dy = bx - ax, by - ay
    length = math.hypot(dx, dy)
    half, slope, fall = -1.0, 0.0, 0.0
    if abs(dy) > _FLAT * length:
        half, slope = r * length / abs(dy), dx / dy
        fall = dy / dx if abs(dx) > _FLAT * length else 0.0
    low = max(0, math.ceil(min(ay, by) - r - 0.5))
    high = min(rows - 1, math.floor(max(ay, by) + r - 0.5))
    for j in range(low, high + 1):
        west, east = _span(j + 0.5 - ay, j + 0.5 - by, ax, bx, r, half, slope, fall)
        if west > east:
            continue
        first, last = max(0, math.ceil(west - 0.5)), min(columns - 1, math.floor(east - 0.5))
        if first <= last:
            _fill(j, first, last, value, directory, stamps, bits)


@compiled
def stamp_legs(
    x: np.ndarray, y: np.ndarray, at: np.ndarray, joined: np.ndarray, legs: np.ndarray,
    clock: np.ndarray, radius: float, directory: np.ndarray, stamps: np.ndarray, bits: np.ndarray,
) -> int:  # fmt: skip
    """The cells near what was walked of these legs in [clock[1], clock[2]) are stamped; returns the last instant stamped, -1: none.

    A leg counts from its begin to just before its end; a place alone at its instant. `clock`: the slot's begin, from, to, the
    unit of stamps and the longest stretch that has one stamp. A stamp is 1 + whole units since the slot's begin, taken
    at the end of the stretch.
    """
    begin, start, until, unit, stretch = clock[0], clock[1], clock[2], clock[3], clock[4]
    newest = -1
    for i in legs:
        if not joined[i]:
            if start <= at[i] < until and x[i] - x[i] == 0.0 and y[i] - y[i] == 0.0:
                value = 1 + (at[i] - begin) // unit
                _stamp(x[i], y[i], x[i], y[i], radius, np.uint16(value), directory, stamps, bits)
                newest = max(newest, at[i])
            continue
        ta, tb = at[i], at[i + 1]
        u, w = max(ta, start), min(tb, until)
        ax, ay, bx, by = x[i], y[i], x[i + 1], y[i + 1]
        if u >= w or not (ax - ax == 0.0 and ay - ay == 0.0 and bx - bx == 0.0 and by - by == 0.0):
            continue
        pieces = (w - u + stretch - 1) // stretch
        for k in range(pieces):
            s, e = u + (w - u) * k // pieces, u + (w - u) * (k + 1) // pieces
            p, q = (s - ta) / (tb - ta), (e - ta) / (tb - ta)
            value = 1 + (e - 1 - begin) // unit
            px, py = (ax + p * (bx - ax), ay + p * (by - ay)) if p > 0.0 else (ax, ay)
            qx, qy = (ax + q * (bx - ax), ay + q * (by - ay)) if q < 1.0 else (bx, by)
            _stamp(px, py, qx, qy, radius, np.uint16(value), directory, stamps, bits)
            newest = max(newest, e - 1)
    return newest


@compiled
def add_bits(into: np.ndarray, place: np.ndarray, bits: np.ndarray, stamps: np.ndarray, since: int) -> None:
    """The seen cells of tile k with a stamp of at least `since` are added to tile `place[k]` of `into`, where that is not -1."""
    for k in range(place.size):
        if place[k] < 0:
            continue
        for j in range(SIDE):
            if bits[k, j] == 0:
                continue
            if since <= 1:
                into[place[k], j] |= bits[k, j]
                continue
            word = np.uint64(0)
            line = stamps[k, j]
            for i in range(SIDE):
                if line[i] >= since:
                    word |= np.uint64(1) << np.uint64(i)
            into[place[k], j] |= word


@compiled
def add_latest(
    into: np.ndarray, place: np.ndarray, bits: np.ndarray, stamps: np.ndarray, begin: int, unit: int
) -> None:
    """Cells of `into` that are still 0 get `begin` + `unit` times the whole units of their stamp; all in seconds."""
    for k in range(place.size):
        if place[k] < 0:
            continue
        for j in range(SIDE):
            if bits[k, j] == 0:
                continue
            line, target = stamps[k, j], into[place[k], j]
            for i in range(SIDE):
                if line[i] > 0 and target[i] == 0:
                    target[i] = begin + (line[i] - 1) * unit
