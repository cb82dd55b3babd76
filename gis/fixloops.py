"""Which fixes of a member can be reached from each other: compiled loops. Importing this module loads numba, so it is imported late.

Consecutive fixes that can be reached from each other form runs. The believed ones are the chain of runs with the most fixes, where
a link between runs that cannot be reached from each other costs as much as `believed_run` fixes: so a spike is left out, and a
journey by plane with all that lies before and after it is not.
"""

from __future__ import annotations

import math

import numpy as np

from gis.compiled import compiled

#: A run is joined to one of so many runs before it, or to the best chain of all before.
_BACK = 32
_JUMP, _SPEED = 8, 9


@compiled
def _slack(accuracy: float, unknown: float) -> float:
    return accuracy if accuracy > 0.0 else unknown


@compiled
def _reachable(
    i: int, k: int, at: np.ndarray, lon: np.ndarray, lat: np.ndarray, east: np.ndarray, north: np.ndarray,
    accuracy: np.ndarray, measures: np.ndarray,
) -> bool:  # fmt: skip
    """Whether one gets from fix i to fix k in time, if both lie as wrong as their accuracy allows."""
    wide = abs(lon[k] - lon[i])
    wide = min(wide, 360.0 - wide)
    metres = math.hypot(wide * min(east[i], east[k]), (lat[k] - lat[i]) * north[i])
    slack = _slack(accuracy[i], measures[1]) + _slack(accuracy[k], measures[1])
    return bool(metres - slack <= measures[0] * (at[k] - at[i]) * 1e-6)


@compiled
def _chain(
    runs: np.ndarray, at: np.ndarray, lon: np.ndarray, lat: np.ndarray, east: np.ndarray, north: np.ndarray,
    accuracy: np.ndarray, measures: np.ndarray,
) -> np.ndarray:  # fmt: skip
    """Which runs are believed; run r is the fixes runs[r]..runs[r + 1] - 1."""
    count = runs.size - 1
    worth, before = np.zeros(count), np.full(count, -1, np.int64)
    best = -1
    for r in range(count):
        own = float(runs[r + 1] - runs[r])
        worth[r] = own
        if best >= 0 and worth[best] - measures[2] > 0.0:
            worth[r], before[r] = own + worth[best] - measures[2], best
        for k in range(r - 1, max(r - 1 - _BACK, -1), -1):
            if own + worth[k] > worth[r] and _reachable(
                runs[k + 1] - 1, runs[r], at, lon, lat, east, north, accuracy, measures
            ):
                worth[r], before[r] = own + worth[k], k
        if best < 0 or worth[r] > worth[best]:
            best = r
    believed = np.zeros(count, np.bool_)
    while best >= 0:
        believed[best] = True
        best = before[best]
    return believed


@compiled
def _explain(
    runs: np.ndarray, believed: np.ndarray, at: np.ndarray, lon: np.ndarray, lat: np.ndarray, east: np.ndarray,
    north: np.ndarray, accuracy: np.ndarray, measures: np.ndarray, found: np.ndarray,
) -> None:  # fmt: skip
    """JUMP for runs between two believed ones that can be reached from each other, SPEED for the others that are not believed."""
    last, r = -1, 0
    while r < believed.size:
        if believed[r]:
            last = runs[r + 1] - 1
            r += 1
            continue
        stop = r
        while stop < believed.size and not believed[stop]:
            stop += 1
        back = last >= 0 and stop < believed.size
        if back:
            back = _reachable(last, runs[stop], at, lon, lat, east, north, accuracy, measures)
        for i in range(runs[r], runs[stop]):
            found[i] = _JUMP if back else _SPEED
        r = stop


@compiled
def believe(
    member: np.ndarray, at: np.ndarray, lon: np.ndarray, lat: np.ndarray, east: np.ndarray, north: np.ndarray,
    accuracy: np.ndarray, measures: np.ndarray, found: np.ndarray,
) -> None:  # fmt: skip
    """`found[i]` becomes JUMP or SPEED for fixes that are not believed; they come sorted by member and time, one a time.

    `measures`: greatest speed, the accuracy where none is known, the price of an impossible link in fixes.
    """
    begin = 0
    while begin < member.size:
        end = begin
        runs = [begin]
        while end + 1 < member.size and member[end + 1] == member[begin]:
            end += 1
            if not _reachable(end - 1, end, at, lon, lat, east, north, accuracy, measures):
                runs.append(end)
        runs.append(end + 1)
        if len(runs) > 2:
            bounds = np.array(runs)
            believed = _chain(bounds, at, lon, lat, east, north, accuracy, measures)
            _explain(bounds, believed, at, lon, lat, east, north, accuracy, measures, found)
        begin = end + 1
