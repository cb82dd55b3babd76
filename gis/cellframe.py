"""CellFrame: where a town's cells lie; which of them were seen, and when last."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from gis.fixes import Flags, Floats, Ints
from gis.plane import Plane, plane_of

Int32s = npt.NDArray[np.int32]
Words = npt.NDArray[np.uint64]

#: Cells along a side of a tile: a row of it is one machine word.
SIDE: Final = 64


@dataclass(frozen=True, eq=False)
class CellFrame:
    """Where the cells of a town lie: `rows` by `columns` tiles from tile `south`, `west` on, counted from the plane's origin.

    Cells lie at multiples of `cell_m` of the plane, so two frames of one plane have the same cells.
    """

    plane: Plane
    cell_m: float
    south: int
    west: int
    rows: int
    columns: int

    def cells(self, lon: Floats, lat: Floats) -> tuple[Floats, Floats]:
        """Columns and rows of places, in cells from the frame's corner; a whole number is a cell's edge."""
        metres = self.plane.metres(lon, lat)
        x, y = metres[:, 0] / self.cell_m - self.west * SIDE, metres[:, 1] / self.cell_m - self.south * SIDE
        return np.ascontiguousarray(x), np.ascontiguousarray(y)

    def places(self, column: Floats, row: Floats) -> Floats:
        """(n, 2) lon and lat of what `cells` would answer."""
        return self.plane.degrees((column + self.west * SIDE) * self.cell_m, (row + self.south * SIDE) * self.cell_m)

    @property
    def cell_m2(self) -> float:
        """The area of a cell."""
        return self.cell_m**2


def frame_of(bounds: tuple[float, float, float, float], *, cell_m: float = 5.0, margin_m: float = 200.0) -> CellFrame:
    """The frame that holds a WGS 84 box and a margin round it. What is walked outside the frame is no town's ground."""
    plane = plane_of(bounds)
    west, south, east, north = plane.extent
    tile = SIDE * cell_m
    first = [int(np.floor((side - margin_m) / tile)) for side in (west, south)]
    last = [int(np.floor((side + margin_m) / tile)) for side in (east, north)]
    return CellFrame(plane, cell_m, first[1], first[0], last[1] - first[1] + 1, last[0] - first[0] + 1)


@dataclass(frozen=True, eq=False)
class Seen:
    """Which cells were seen: bit i of `bits[directory[row, column], j]` is cell i of row j of that tile (-1: none of it)."""

    frame: CellFrame
    directory: Int32s
    bits: Words

    def at(self, column: Floats, row: Floats) -> Flags:
        """Whether the cells at these places (as `CellFrame.cells` answers) were seen; places outside the frame were not."""
        inside, i, j = _inside(self.frame, column, row)
        tile = self.directory[j // SIDE, i // SIDE]
        words = self.bits[tile, j % SIDE] if len(self.bits) else np.zeros(len(i), np.uint64)
        found = np.zeros(len(inside), dtype=bool)
        found[inside] = (tile >= 0) & (words >> (i % SIDE).astype(np.uint64) & np.uint64(1)).astype(bool)
        return found

    @property
    def count(self) -> int:
        """How many cells were seen."""
        return int(np.bitwise_count(self.bits).sum())


@dataclass(frozen=True, eq=False)
class LastSeen:
    """When cells were last seen, in seconds since 1970, 0: never since the first slot kept; tiles as in `Seen`."""

    frame: CellFrame
    directory: Int32s
    seconds: Ints

    def at(self, column: Floats, row: Floats) -> Ints:
        """The seconds of the cells at these places; 0 outside the frame."""
        inside, i, j = _inside(self.frame, column, row)
        tile = self.directory[j // SIDE, i // SIDE]
        found = np.zeros(len(inside), np.int64)
        if len(self.seconds):
            found[inside] = np.where(tile >= 0, self.seconds[tile, j % SIDE, i % SIDE], 0)
        return found


def _inside(frame: CellFrame, column: Floats, row: Floats) -> tuple[Flags, Ints, Ints]:
    """Which places lie in the frame, and the column and row of the cells of those."""
    inside = (column >= 0) & (row >= 0) & (column < frame.columns * SIDE) & (row < frame.rows * SIDE)
    return inside, column[inside].astype(np.int64), row[inside].astype(np.int64)
