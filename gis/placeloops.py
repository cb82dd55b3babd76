"""Who stayed near which place: compiled loops. Importing this module loads numba, so it is imported late."""

from __future__ import annotations

import math

import numpy as np

from gis.compiled import compiled

#: What is kept of a place while a member's track goes on: member, last moment near it, begin, time near it, row of its visit.
_MEMBER, _EXIT, _BEGIN, _DWELL, _ROW = range(5)


@compiled
def _inside(ax: float, ay: float, bx: float, by: float, x: float, y: float, radius: float) -> tuple[float, float]:
    """From which to which share of its way a leg is within the radius of a place; the first greater: never."""
    dx, dy, ex, ey = bx - ax, by - ay, ax - x, ay - y
    square, near = dx * dx + dy * dy, ex * ex + ey * ey - radius * radius
    if square == 0.0:
        return (0.0, 1.0) if near <= 0.0 else (1.0, 0.0)
    half = ex * dx + ey * dy
    root = half * half - square * near
    if root < 0.0:
        return 1.0, 0.0
    root = math.sqrt(root)
    return max(0.0, (-half - root) / square), min(1.0, (-half + root) / square)


@compiled
def _note(
    state: np.ndarray,
    place: int,
    member: int,
    begin: int,
    end: int,
    least: int,
    away: int,
    found: np.ndarray,
    used: int,
) -> tuple[np.ndarray, int]:
    """A member was near a place from begin to end: its stay there goes on or begins; a visit once it is long enough."""
    own = state[place]
    if own[_MEMBER] != member or begin - own[_EXIT] > away:
        own[_MEMBER], own[_BEGIN], own[_DWELL], own[_ROW] = member, begin, 0, -1
    own[_DWELL] += end - begin
    own[_EXIT] = end
    if own[_DWELL] < least:
        return found, used
    if own[_ROW] < 0:
        if used == len(found):
            wider = np.empty((2 * used + 16, 5), np.int64)
            wider[:used] = found
            found = wider
        own[_ROW] = used
        found[used, 0], found[used, 1], found[used, 2] = place, member, own[_BEGIN]
        used += 1
    found[own[_ROW], 3], found[own[_ROW], 4] = end, own[_DWELL]
    return found, used


@compiled
def _meet(
    leg: int, metres: np.ndarray, at: np.ndarray, joined: np.ndarray, member: int, place: int, x: float, y: float,
    measures: np.ndarray, state: np.ndarray, found: np.ndarray, used: int,
) -> tuple[np.ndarray, int]:  # fmt: skip
    """One leg and one place."""
    k = leg + 1 if joined[leg] else leg
    p, q = _inside(metres[leg, 0], metres[leg, 1], metres[k, 0], metres[k, 1], x, y, measures[0])
    if p > q:
        return found, used
    length = at[k] - at[leg]
    begin, end = at[leg] + int(p * length), at[leg] + int(q * length)
    return _note(state, place, member, begin, end, int(measures[1]), int(measures[2]), found, used)


@compiled
def find_stays(
    member: np.ndarray, metres: np.ndarray, at: np.ndarray, joined: np.ndarray, places: np.ndarray,
    start: np.ndarray, order: np.ndarray, columns: int, corner: np.ndarray, measures: np.ndarray,
) -> np.ndarray:  # fmt: skip
    """(visits, 5): place, member, begin, end, time within the radius, of every stay that is long enough.

    The places of box b (row by row, `columns` in a row, `corner`: west, south, side) are `order[start[b]:start[b + 1]]`.
    `measures`: the radius, the least time, the longest time away that does not end a stay.
    """
    radius, side = measures[0], corner[2]
    rows = (start.size - 1) // columns
    state = np.full((len(places), 5), -1, np.int64)
    found, used = np.empty((16, 5), np.int64), 0
    for i in range(member.size):
        k = i + 1 if joined[i] else i
        low = max(0, math.floor((min(metres[i, 1], metres[k, 1]) - radius - corner[1]) / side))
        high = min(rows - 1, math.floor((max(metres[i, 1], metres[k, 1]) + radius - corner[1]) / side))
        first = max(0, math.floor((min(metres[i, 0], metres[k, 0]) - radius - corner[0]) / side))
        last = min(columns - 1, math.floor((max(metres[i, 0], metres[k, 0]) + radius - corner[0]) / side))
        if first > last:
            continue
        for row in range(low, high + 1):
            for slot in range(start[row * columns + first], start[row * columns + last + 1]):
                x, y = places[order[slot], 0], places[order[slot], 1]
                found, used = _meet(i, metres, at, joined, member[i], order[slot], x, y, measures, state, found, used)
    return found[:used].copy()
