"""Cells of grids as runs, and how many of them were seen: compiled loops. Importing this module loads numba, so it is imported late.

A line is one row of one tile, 64 cells. The runs of line l are start[l]..start[l + 1] - 1: cells begin..end of the line belong to a
grid.
"""

from __future__ import annotations

import numpy as np

from gis.compiled import compiled

_SIDE = 64


@compiled
def cut_runs(owner: np.ndarray, count: np.ndarray, begin: np.ndarray, end: np.ndarray, grid: np.ndarray) -> int:
    """The runs of lines whose cells belong to `owner[line, cell]` (-1: nobody); `count[line]` of each. Returns how many."""
    used = 0
    for line in range(owner.shape[0]):
        before = used
        i = 0
        while i < _SIDE:
            k = i
            while k + 1 < _SIDE and owner[line, k + 1] == owner[line, i]:
                k += 1
            if owner[line, i] >= 0:
                begin[used], end[used], grid[used] = i, k, owner[line, i]
                used += 1
            i = k + 1
        count[line] = used - before
    return used


@compiled
def _ones(word: np.uint64) -> int:
    """How many bits of a word are set."""
    word -= (word >> np.uint64(1)) & np.uint64(0x5555555555555555)
    word = (word & np.uint64(0x3333333333333333)) + ((word >> np.uint64(2)) & np.uint64(0x3333333333333333))
    word = (word + (word >> np.uint64(4))) & np.uint64(0x0F0F0F0F0F0F0F0F)
    return int((word * np.uint64(0x0101010101010101)) >> np.uint64(56))


@compiled
def _collect(
    start: np.ndarray, begin: np.ndarray, end: np.ndarray, grid: np.ndarray, line: int, seen: np.uint64,
    who: np.ndarray, ground: np.ndarray, found: np.ndarray, used: int,
) -> int:  # fmt: skip
    """The runs of one line are added to the lists of grids, their cells and their seen cells; returns the lists' length."""
    full = np.uint64(0xFFFFFFFFFFFFFFFF)
    for run in range(start[line], start[line + 1]):
        mask = (full << np.uint64(begin[run])) & (full >> np.uint64(_SIDE - 1 - end[run]))
        k = 0
        while k < used and who[k] != grid[run]:
            k += 1
        if k == used:
            who[k], ground[k], found[k] = grid[run], np.uint64(0), np.uint64(0)
            used += 1
        ground[k] |= mask
        found[k] |= mask & seen
    return used


@compiled
def count_seen(
    start: np.ndarray, begin: np.ndarray, end: np.ndarray, grid: np.ndarray, lines: int, directory: np.ndarray,
    bits: np.ndarray, total: np.ndarray, seen: np.ndarray,
) -> None:  # fmt: skip
    """`total[g]` and `seen[g]` grow by the cells of grid g and those of them that were seen while they were its own.

    Spans follow each other in the arrays: span s has the lines s * lines ... of `start`, its tiles of bits at `directory[s]`.
    A cell that was a grid's in several spans counts once.
    """
    spans = start.size // (lines + 1)
    who = np.empty(_SIDE * spans, np.int64)
    ground, found = np.empty(_SIDE * spans, np.uint64), np.empty(_SIDE * spans, np.uint64)
    for line in range(lines):
        used = 0
        for span in range(spans):
            tile = directory[span, line // _SIDE]
            word = bits[tile, line % _SIDE] if tile >= 0 else np.uint64(0)
            used = _collect(start, begin, end, grid, span * (lines + 1) + line, word, who, ground, found, used)
        for k in range(used):
            total[who[k]] += _ones(ground[k])
            seen[who[k]] += _ones(found[k])


@compiled
def count_ages(
    start: np.ndarray, begin: np.ndarray, end: np.ndarray, grid: np.ndarray, directory: np.ndarray, seconds: np.ndarray,
    limits: np.ndarray, found: np.ndarray,
) -> None:  # fmt: skip
    """`found[g, k]` grows by the cells of grid g last seen after limits[k] (descending; the first that fits).

    The last column counts those never seen, the last but one those seen before all limits.
    """
    for line in range(start.size - 1):
        tile = directory[line // _SIDE]
        for run in range(start[line], start[line + 1]):
            for cell in range(begin[run], end[run] + 1):
                at = seconds[tile, line % _SIDE, cell] if tile >= 0 else 0
                k = 0
                while k < limits.size and at <= limits[k]:
                    k += 1
                found[grid[run], limits.size + 1 if at == 0 else k] += 1
