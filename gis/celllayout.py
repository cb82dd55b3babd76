"""Layout of the cell lattice: how places, tiles, cells and records are numbered and packed.

Cells are rectangles whose sides are powers of two in degrees, so that the cell of a place and the corners of a cell are exact.
SIDE by SIDE cells make a tile. A lattice is described by a `frame`, six float64: cells per degree east and north, the global
number of its first column and row of cells, and how many tiles it has in a row and in a column. The outermost tiles are empty.

`tiles[t]` >= 0 is a row of `rows`, the answer for the whole tile; else `-1 - tiles[t]` is twice the number of its area, and odd
when the area is wide. Area a of `words` (int32) begins at word a times ALIGN with its cells' 16-bit codes, row by row from the
south-west, two a word; in a wide area its shift follows. A cell's word stands `code` words into the area, in a wide one
`code << shift`: >= 0 is a row of `rows`; else a record begins there:

    -1 - row                              the answer when none of the following grids covers the place
    grid * 4 + inside * 2 + more          a grid to be tested, lowest index first; is the cell's south-west corner inside it;
                                          does another grid follow after its runs
    first vertex, edges * 2 + more        edges `first..first + edges` of its border; does another run of the same grid follow

`rows[r]` is the lowest of all grids (the winner), then the lowest of every layer; -1 for none. Row 0 is -1 throughout.
"""

from __future__ import annotations

import numpy as np

from gis.compiled import lean

#: Cells along a tile's side, its power of two, and cells in a tile.
SIDE, BITS, CELLS = 8, 3, 64

#: Areas begin at multiples of so many words: a cache line.
ALIGN = 16

#: Words of the codes of an area; in a wide one the shift stands behind them.
HEAD = 32

#: An edge is taken to touch a cell when it comes this near, in cells or tiles: far more than rounding, far less than matters.
_SLACK = 1e-6

#: 2**64 divided by the golden ratio, odd: spreads numbers over a hash table (Knuth).
_GOLDEN = np.uint64(0x9E3779B97F4A7C15)

#: No grid of the layer: larger than any index.
FREE = np.iinfo(np.int32).max


@lean
def columns_of(ax: float, ay: float, bx: float, by: float, row: int) -> tuple[int, int]:
    """The first and last column that an edge may touch within a row of unit squares; coordinates are in squares.

    Never too few: heights are widened by more than the rounding of scaled coordinates.
    """
    low, high = min(ax, bx), max(ax, bx)
    if ay != by:
        t = min(max((row - _SLACK - ay) / (by - ay), 0.0), 1.0)
        u = min(max((row + 1 + _SLACK - ay) / (by - ay), 0.0), 1.0)
        at_t, at_u = ax + t * (bx - ax), ax + u * (bx - ax)
        low, high = max(low, min(at_t, at_u)), min(high, max(at_t, at_u))
    return int(np.floor(low - _SLACK)), int(np.floor(high + _SLACK))


@lean
def rows_of(ay: float, by: float) -> tuple[int, int]:
    """The first and last row of unit squares that an edge may touch; it passes no line between rows but those from the second on."""
    return int(np.floor(min(ay, by) - _SLACK)), int(np.floor(max(ay, by) + _SLACK))


@lean
def is_edge(vertices: np.ndarray, k: int) -> bool:
    """Whether an edge leads from vertex k to the next: not from ring to ring (a row of NaN), nor to itself."""
    ax, ay, bx, by = vertices[k, 0], vertices[k, 1], vertices[k + 1, 0], vertices[k + 1, 1]
    return bool(ax == ax and bx == bx and (ax != bx or ay != by))  # NaN is not itself


@lean
def _is_row(answer: np.ndarray, rows: np.ndarray, row: int) -> bool:
    """Whether a row holds an answer."""
    same = True
    for k in range(answer.size):
        same &= rows[row, 1 + k] == (answer[k] if answer[k] != FREE else -1)
    return same


@lean
def _slot_of(answer: np.ndarray, rows: np.ndarray, slots: np.ndarray) -> int:
    """The slot of the row that holds an answer, or the free slot where it belongs. FREE and -1 both say none."""
    mixed = np.uint64(0)
    for k in range(answer.size):
        grid = answer[k] if answer[k] != FREE else -1
        mixed = (mixed ^ np.uint64(np.uint32(grid))) * _GOLDEN
        mixed ^= mixed >> np.uint64(29)
    last = slots.size - 1  # the size is a power of two
    at = np.int64((mixed >> np.uint64(29)) & np.uint64(last))
    while slots[at] >= 0:
        if _is_row(answer, rows, slots[at]):
            break
        at = (at + 1) & last
    return int(at)


@lean
def row_number(answer: np.ndarray, rows: np.ndarray, slots: np.ndarray, used: np.ndarray, guess: int) -> int:
    """The row that holds an answer (the lowest grid of every layer, FREE for none), added if it is new; quick when it is `guess`.

    `slots` is an open hash table of rows, its size a power of two, and never full; `used[0]` counts rows.
    """
    if _is_row(answer, rows, guess):
        return guess
    at = _slot_of(answer, rows, slots)
    if slots[at] < 0:
        row = used[0]
        used[0] += 1
        slots[at] = row
        rows[row, 0] = -1
        for k in range(answer.size):
            grid = answer[k] if answer[k] != FREE else -1
            rows[row, 1 + k] = grid
            if grid >= 0 and (rows[row, 0] < 0 or grid < rows[row, 0]):
                rows[row, 0] = grid
    return int(slots[at])


@lean
def fill_slots(rows: np.ndarray, used: int, slots: np.ndarray) -> None:
    """The first `used` rows stand in an empty hash table."""
    for row in range(used):
        slots[_slot_of(rows[row, 1:], rows, slots)] = row
