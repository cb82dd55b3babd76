"""Cells: the lattice of cells over all grids of all layers, by which a place finds its grids without asking the others.

A cell that no border crosses answers at once; a border cell knows the few edges in it and which grids cover its corner, and
the place is led to that corner: exact in float64 (`gis.orientation`). Neighbouring cells with one answer form a tile.
"""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from gis.cellareas import fill_tiles
from gis.celledges import extent, list_edges, mark_inside
from gis.celllayout import ALIGN, FREE, SIDE, fill_slots
from gis.nearby import Borders, Bytes, Floats, Ints

#: Border cells at most: a share of all edges, and so many at least while the city is small.
_CELLS_PER_EDGE, _FEW_CELLS, _CELLS_PER_EDGE_OF_FEW = 0.33, 1 << 19, 16

#: Tiles at most: their table stays in the second cache.
_MOST_TILES = 1 << 19

Int32s = npt.NDArray[np.int32]


@dataclass(frozen=True)
class Cells:
    """The lattice as `gis.celllayout` packs it; immutable but for spare room that no tile refers to.

    `used` are the rows and words in use, `slots` the hash table of the rows; `made_of` were the words in use when it was built.
    """

    frame: Floats
    tiles: Int32s
    words: Int32s
    codes: npt.NDArray[np.uint16]
    rows: Int32s
    slots: Int32s
    used: Ints
    layers: int
    made_of: int = 0

    @property
    def nbytes(self) -> int:
        """Memory in bytes."""
        return sum(array.nbytes for array in (self.tiles, self.words, self.rows, self.slots))


def cells_of(borders: Borders, layer_of: Bytes, layers: int) -> Cells:
    """The lattice over the borders of all grids; grid g lies in layer `layer_of[g]` of so many `layers`."""
    frame = _frame(borders)
    width, height = int(frame[4]), int(frame[5])
    blank = Cells(
        frame,
        np.zeros(width * height, dtype=np.int32),
        *_words(1 << 18),
        np.full((1024, 1 + layers), -1, dtype=np.int32),
        np.full(4096, -1, dtype=np.int32),
        np.array([1, 0], dtype=np.int64),  # row 0 is nobody's: tiles begin with it
        layers,
    )
    fill_slots(blank.rows, 1, blank.slots)
    grids = np.arange(len(borders.start), dtype=np.int64)
    whole = np.array([0, width - 1, 0, height - 1], dtype=np.int64)
    cells = _settled(blank, borders, layer_of, grids, whole)
    spare = int(cells.used[1]) + (1 << 14)
    return dataclasses.replace(cells, words=cells.words[:spare], codes=cells.codes[: 2 * spare], made_of=spare)


def replaced(cells: Cells, borders: Borders, layer_of: Bytes, grids: Ints, window: Ints) -> Cells:
    """The lattice after borders within a window of tiles have changed; the old one stays valid.

    `grids` are all whose bounding box meets the window, ascending. Tiles outside the window stay as they are.
    """
    words, codes = _words(int(cells.used[1]) + (1 << 17), cells.words)
    copy = dataclasses.replace(
        cells, tiles=cells.tiles.copy(), words=words, codes=codes,
        rows=cells.rows.copy(), slots=cells.slots.copy(), used=cells.used.copy(),
    )  # fmt: skip
    return _settled(copy, borders, layer_of, grids, window)


def window_of(frame: Floats, area: Floats) -> Ints | None:
    """The tiles that an area (west, south, east, north) meets, with their neighbours; None when it leaves the lattice."""
    low = np.floor((area[:2] * frame[:2] - frame[2:4]) / SIDE).astype(np.int64)
    high = np.floor((area[2:] * frame[:2] - frame[2:4]) / SIDE).astype(np.int64)
    if (low < 1).any() or (high > frame[4:6] - 2).any():
        return None
    return np.array([low[0] - 1, high[0] + 1, low[1] - 1, high[1] + 1], dtype=np.int64)


def bounds_of(frame: Floats, window: Ints) -> Floats:
    """The area of a window of tiles, a little widened."""
    low, high = window[[0, 2]] - 0.01, window[[1, 3]] + 1.01
    return np.concatenate([(frame[2:4] + low * SIDE) / frame[:2], (frame[2:4] + high * SIDE) / frame[:2]])


def _frame(borders: Borders) -> Floats:
    """A lattice as fine as its memory allows, with a rim of empty tiles; for nobody, four empty tiles."""
    west, south, east, north, wide, high, edges = extent(borders.vertices)
    if edges == 0:
        return np.array([1.0, 1.0, 0.0, 0.0, 2.0, 2.0])
    most = max(_CELLS_PER_EDGE * edges, min(_FEW_CELLS, _CELLS_PER_EDGE_OF_FEW * edges))
    # Where a degree of longitude is short, cells are wider in degrees by a power of two.
    narrow = round(math.log2(1.0 / max(math.cos(math.radians((south + north) / 2.0)), 1.0 / 64.0)))
    bottom, top = np.array([west, south]), np.array([east, north])
    frame = _frame_of_power(-9, narrow, bottom, top)
    for power in range(-8, 31):
        finer = _frame_of_power(power, narrow, bottom, top)
        # Most borders are shared by two grids: half the sum over all of them.
        crossed = (wide * finer[0] + high * finer[1]) / 2.0
        if finer[4] * finer[5] > _MOST_TILES or crossed > most:
            break
        frame = finer
    return frame


def _frame_of_power(power: int, narrow: int, low: Floats, high: Floats) -> Floats:
    """The lattice with 2**power cells a degree northwards."""
    scale = np.array([2.0 ** (power - narrow), 2.0**power])
    first = (np.floor(low * scale / SIDE) - 1.0) * SIDE
    tiles = np.floor((high * scale - first) / SIDE) + 2.0
    return np.concatenate([scale, first, tiles])


def _settled(cells: Cells, borders: Borders, layer_of: Bytes, grids: Ints, window: Ints) -> Cells:
    """The lattice with the tiles of a window written anew, in place where there is room."""
    ground = borders.vertices, borders.start, borders.stop, grids
    count = int((window[1] - window[0] + 1) * (window[3] - window[2] + 1))
    start = np.zeros(count + 2, dtype=np.int64)
    nobody = np.empty(0, dtype=np.int32)
    list_edges(*ground, cells.frame, window, start, nobody, nobody)
    edge, owner = np.empty(start[-1], dtype=np.int32), np.empty(start[-1], dtype=np.int32)
    list_edges(*ground, cells.frame, window, start, edge, owner)
    inside = np.zeros(len(edge), dtype=np.uint8)
    full = np.full((count, cells.layers), FREE, dtype=np.int32)
    mark_inside(*ground, layer_of, cells.frame, window, start, owner, inside, full)
    begin = 0
    while True:
        tables = cells.tiles, cells.words, cells.codes, cells.rows, cells.slots, cells.used
        begin = fill_tiles(
            borders.vertices, start, edge, owner, inside, full, layer_of, cells.frame, window, *tables, begin
        )  # fmt: skip
        if begin == count:
            return cells
        cells = _roomier(cells)


def _words(size: int, held: Int32s | None = None) -> tuple[Int32s, npt.NDArray[np.uint16]]:
    """`size` words that begin at a cache line, filled from `held`, and the same memory as 16-bit codes."""
    raw = np.empty(size + ALIGN, dtype=np.int32)
    first = (-raw.ctypes.data % 64) // 4
    words = raw[first : first + size]
    if held is not None:
        kept = min(size, len(held))
        words[:kept] = held[:kept]
    return words, words.view(np.uint16)


def _roomier(cells: Cells) -> Cells:
    """The same with room for as many words again, and for as many rows where these may run out."""
    used_rows, used_words = cells.used.tolist()
    words, codes = _words(2 * used_words + (1 << 20), cells.words[:used_words])
    if 2 * used_rows < len(cells.rows):
        return dataclasses.replace(cells, words=words, codes=codes)
    rows = np.full((4 * len(cells.rows), cells.rows.shape[1]), -1, dtype=np.int32)
    rows[:used_rows] = cells.rows[:used_rows]
    slots = np.full(4 * len(rows), -1, dtype=np.int32)
    fill_slots(rows, used_rows, slots)
    return dataclasses.replace(cells, words=words, codes=codes, rows=rows, slots=slots)
