"""Stops and averaged walks: compiled loops. Importing this module loads numba, so it is imported late."""

from __future__ import annotations

import math

import numpy as np

from gis.compiled import compiled

#: Directions in which a stop's extent is measured: their greatest is at most 2 % below the diameter (cos(π/16) = 0.981).
_DIRECTIONS = 8
_COS = np.cos(np.arange(_DIRECTIONS) * np.pi / _DIRECTIONS)
_SIN = np.sin(np.arange(_DIRECTIONS) * np.pi / _DIRECTIONS)

#: Of places that scatter round one spot (normally, alike in both directions) one in 90 is farther off than this many median distances.
_APART = 2.55


@compiled
def _widen(low: np.ndarray, high: np.ndarray, x: float, y: float) -> None:
    """The extents take in a place."""
    for d in range(_DIRECTIONS):
        along = x * _COS[d] + y * _SIN[d]
        low[d], high[d] = min(low[d], along), max(high[d], along)


@compiled
def _suffixes(x: np.ndarray, y: np.ndarray, begin: int, end: int) -> tuple[np.ndarray, np.ndarray]:
    """(low, high): row k holds the extents of the places begin + k .. end - 1."""
    low, high = np.full((end - begin + 1, _DIRECTIONS), np.inf), np.full((end - begin + 1, _DIRECTIONS), -np.inf)
    for k in range(end - begin - 1, -1, -1):
        low[k], high[k] = low[k + 1], high[k + 1]
        _widen(low[k], high[k], x[begin + k], y[begin + k])
    return low, high


@compiled
def _fits(
    low: np.ndarray, high: np.ndarray, other_low: np.ndarray, other_high: np.ndarray, x: float, y: float, limit: float
) -> bool:
    """Whether both extents and one more place are together no wider than the limit."""
    for d in range(_DIRECTIONS):
        along = x * _COS[d] + y * _SIN[d]
        least, most = min(low[d], other_low[d], along), max(high[d], other_high[d], along)
        if most - least > limit:
            return False
    return True


@compiled
def find_stops(
    x: np.ndarray, y: np.ndarray, at: np.ndarray, first: np.ndarray, diameter: float, micros: int, stop: np.ndarray,
    follows: np.ndarray,
) -> int:  # fmt: skip
    """`stop[i]` is the number of the stop that place i belongs to, or -1; returns how many there are.

    A place belongs to a stop when it lies in any window of at least `micros` whose places are all within a diameter. The places of
    overlapping windows are one stop as long as one window holds them all; else `follows[i]` is true where the second begins: it was a
    stay from the place before on. Piece p is the places first[p]..first[p + 1] - 1.
    A window over two runs of extents, as a queue of two stacks: every place is taken in twice.
    """
    count = 0
    for p in range(first.size - 1):
        begin = first[p]
        end = middle = marked = begin
        label = begin - 1  # where the present stop's label begins
        front_low, front_high = _suffixes(x, y, begin, begin)
        offset = begin
        low, high = np.full(_DIRECTIONS, np.inf), np.full(_DIRECTIONS, -np.inf)
        while begin < first[p + 1]:
            while end < first[p + 1] and _fits(
                front_low[min(begin, middle) - offset], front_high[min(begin, middle) - offset], low, high,
                x[end], y[end], diameter,
            ):  # fmt: skip
                _widen(low, high, x[end], y[end])
                end += 1
            if end > max(begin, marked) and at[end - 1] - at[begin] >= micros:
                if begin > label:
                    label = max(begin, marked)
                    follows[label] = begin < marked
                    count += 1
                stop[max(begin, marked) : end] = count - 1
                marked = end
            begin += 1
            if begin >= middle:
                end = max(end, begin)
                front_low, front_high = _suffixes(x, y, begin, end)
                offset, middle = begin, end
                low[:], high[:] = np.inf, -np.inf
    return count


@compiled
def still_part(x: np.ndarray, y: np.ndarray, stop: np.ndarray, out: np.ndarray) -> None:
    """`out` is `stop` without the first and the last places of each stop that lie apart: those were walked up to it and away from it.

    Apart: farther from the stop's middle (the medians of x and of y) than `_APART` times the median distance to it.
    """
    out[:] = stop
    begin = 0
    while begin < stop.size:
        end = begin + 1
        while end < stop.size and stop[end] == stop[begin]:
            end += 1
        if stop[begin] >= 0:
            metres = np.hypot(x[begin:end] - np.median(x[begin:end]), y[begin:end] - np.median(y[begin:end]))
            limit = _APART * np.median(metres)
            first, last = begin, end - 1
            while metres[first - begin] > limit:
                out[first] = -1
                first += 1
            while metres[last - begin] > limit:
                out[last] = -1
                last -= 1
        begin = end


@compiled
def _bin_end(
    x: np.ndarray, y: np.ndarray, at: np.ndarray, stop: np.ndarray, begin: int, last: int, micros: int, metres: float
) -> int:
    """The place after the last one that is averaged with place `begin`."""
    i = begin + 1
    while i <= last and stop[i] == stop[begin]:
        far = at[i] - at[begin] > micros or math.hypot(x[i] - x[begin], y[i] - y[begin]) > metres
        if far and stop[begin] < 0:
            break
        i += 1
    return i


@compiled
def _put(
    out: np.ndarray,
    when: np.ndarray,
    source: np.ndarray,
    used: int,
    x: float,
    y: float,
    instant: int,
    of: int,
    first: int,
) -> int:
    """A place of the averaged walk is put down, unless the piece already has one at that instant; returns how many there are."""
    if used > 0 and source[used - 1] >= first and when[used - 1] >= instant:
        return used
    out[used, 0], out[used, 1], when[used], source[used] = x, y, instant, of
    return used + 1


@compiled
def average(
    x: np.ndarray, y: np.ndarray, at: np.ndarray, first: np.ndarray, stop: np.ndarray, micros: int, metres: float,
    out: np.ndarray, when: np.ndarray, source: np.ndarray,
) -> int:  # fmt: skip
    """The walk with its noise averaged stands in `out`, `when`, `source` (the place it is of); returns its length.

    Places are averaged over at most `micros` and within `metres` of the first; a stop is its mean place at its begin and end; a
    piece keeps its first and its last place.
    """
    used = 0
    for p in range(first.size - 1):
        i, last = first[p], first[p + 1] - 1
        if stop[i] < 0:
            used = _put(out, when, source, used, x[i], y[i], at[i], i, first[p])
        while i <= last:
            end = _bin_end(x, y, at, stop, i, last, micros, metres)
            mx, my = x[i] + np.mean(x[i:end] - x[i]), y[i] + np.mean(y[i:end] - y[i])
            if stop[i] >= 0:
                used = _put(out, when, source, used, mx, my, at[i], i, first[p])
                used = _put(out, when, source, used, mx, my, at[end - 1], i, first[p])
            else:
                used = _put(out, when, source, used, mx, my, (at[i] + at[end - 1]) // 2, i, first[p])
            i = end
        if stop[last] < 0:
            used = _put(out, when, source, used, x[last], y[last], at[last], last, first[p])
    return used
