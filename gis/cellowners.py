"""CellOwners: which cell of a sweep is whose ground, and how much of everybody's ground was seen."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
import shapely

from gis.cellframe import SIDE, CellFrame, Seen
from gis.fixes import Ints
from gis.locate import GridIndex
from gis.partition import Geometries, partition_of

#: Rows of tiles that are asked about in one go.
_BATCH = 8


@dataclass(frozen=True, eq=False)
class CellOwners:
    """The cells of a frame by the grid that has their centre (the rule of `gis.locate`), as runs along the rows of tiles.

    `grid[r]` indexes `codes`; runs of line l (row of a tile, tiles in order) are `start[l]:start[l + 1]`, cells begin..end.
    """

    frame: CellFrame
    codes: tuple[str, ...]
    start: Ints
    begin: npt.NDArray[np.uint8]
    end: npt.NDArray[np.uint8]
    grid: npt.NDArray[np.int32]

    @property
    def nbytes(self) -> int:
        """Memory in bytes."""
        return self.start.nbytes + self.begin.nbytes + self.end.nbytes + self.grid.nbytes

    @cached_property
    def cells(self) -> Ints:
        """How many cells each grid has."""
        length = self.end.astype(np.int64) - self.begin + 1
        return np.bincount(self.grid, weights=length, minlength=len(self.codes)).astype(np.int64)


def cell_owners(frame: CellFrame, index: GridIndex, layer: str, *, water: Geometries | None = None) -> CellOwners:
    """Whose ground each cell of the frame is in a layer; cells whose centre lies in `water` (polygons, WGS 84) are nobody's."""
    lakes = None
    if water is not None and len(water):
        lakes = GridIndex.of([partition_of([f"{i}" for i in range(len(water))], list(water))])
    rows = range(0, frame.rows, _BATCH)
    parts = (_owners(frame, index, layer, lakes, row, min(row + _BATCH, frame.rows)) for row in rows)
    return _cut(frame, index.codes, parts)


def _cut(frame: CellFrame, codes: tuple[str, ...], parts: Iterable[npt.NDArray[np.int32]]) -> CellOwners:
    """The owners of (lines, SIDE) cells (-1: nobody's) that come in parts, in the order of lines."""
    from gis.runloops import cut_runs

    runs = []
    for owner in parts:
        size = int((owner >= 0).sum())
        count = np.zeros(len(owner), np.int64)
        begin, end, grid = np.empty(size, np.uint8), np.empty(size, np.uint8), np.empty(size, np.int32)
        used = cut_runs(owner, count, begin, end, grid)
        runs.append((count, begin[:used].copy(), end[:used].copy(), grid[:used].copy()))
    count, begin, end, grid = (np.concatenate(column) for column in zip(*runs, strict=True))
    start = np.concatenate([[0], np.cumsum(count)]).astype(np.int64)
    return CellOwners(frame, codes, start, begin, end, grid)


def owners_within(owners: CellOwners, area: Any) -> CellOwners:
    """The same owners on the cells whose centre the area (a polygon, WGS 84; its edge counts) covers; all others are nobody's."""
    ground = GridIndex.of([partition_of(["area"], [area])])
    near = _tiles_within(owners.frame, area)
    lines, last = _BATCH * owners.frame.columns * SIDE, len(owners.start) - 1
    parts = (_within(owners, ground, near, line, min(line + lines, last)) for line in range(0, last, lines))
    return _cut(owners.frame, owners.codes, parts)


#: What a tile has of an area: nothing, perhaps some of its cells, all of them.
_NONE, _SOME, _ALL = range(3)


def _tiles_within(frame: CellFrame, area: Any) -> npt.NDArray[np.uint8]:
    """Which of these each tile is, by its corners in degrees, a cell farther out: more than a tile's edges bend there."""
    column, row = np.meshgrid(np.arange(frame.columns, dtype=np.float64), np.arange(frame.rows, dtype=np.float64))
    corners = [(-1, -1), (SIDE + 1, -1), (SIDE + 1, SIDE + 1), (-1, SIDE + 1)]
    places = [frame.places((column * SIDE + dx).ravel(), (row * SIDE + dy).ravel()) for dx, dy in corners]
    tiles = shapely.polygons(np.stack(places, axis=1))
    shapely.prepare(area)
    return np.select([shapely.covers(area, tiles), shapely.intersects(area, tiles)], [_ALL, _SOME], _NONE).astype(
        np.uint8
    )


def _within(
    owners: CellOwners, ground: GridIndex, near: npt.NDArray[np.uint8], low: int, high: int
) -> npt.NDArray[np.int32]:
    """(lines, SIDE) grids of the cells of the lines low..high - 1 that lie in an area, -1: nobody's."""
    found = np.full((high - low, SIDE), -1, np.int32)
    line = np.repeat(np.arange(low, high), np.diff(owners.start[low : high + 1]))
    runs = owners.start[low] + np.flatnonzero(near[line // SIDE] != _NONE)
    line = line[runs - owners.start[low]]
    length = owners.end[runs].astype(np.int64) - owners.begin[runs] + 1
    cell = np.arange(length.sum()) - np.repeat(np.cumsum(length) - length - owners.begin[runs], length)
    line, grid = np.repeat(line, length), np.repeat(owners.grid[runs], length)
    inside = near[line // SIDE] == _ALL
    asked = np.flatnonzero(~inside)
    inside[asked] = ground.locate(*_centres(owners.frame, line[asked], cell[asked]), distance=False).winner >= 0
    found[line[inside] - low, cell[inside]] = grid[inside]
    return found


def _centres(frame: CellFrame, line: Ints, cell: Ints) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Lon and lat of the centres of cells of lines."""
    (row, column), inner = np.divmod(line // SIDE, frame.columns), line % SIDE
    x, y = ((tile * SIDE + at).astype(np.float64) + 0.5 for tile, at in ((column, cell), (row, inner)))
    lon, lat = np.ascontiguousarray(frame.places(x, y).T)
    return lon, lat


def _owners(
    frame: CellFrame, index: GridIndex, layer: str, lakes: GridIndex | None, low: int, high: int
) -> npt.NDArray[np.int32]:
    """(lines, SIDE) grids of the cells of the tile rows low..high - 1, -1: nobody's."""
    width = frame.columns * SIDE
    column, row = np.meshgrid(np.arange(width) + 0.5, np.arange(low * SIDE, high * SIDE) + 0.5)
    lon, lat = np.ascontiguousarray(frame.places(column.ravel(), row.ravel()).T)
    owner = index.locate(lon, lat, distance=False).by_layer.get(layer, np.full(len(lon), -1, np.int32))
    if lakes is not None:
        owner = np.where(lakes.locate(lon, lat, distance=False).winner >= 0, np.int32(-1), owner)
    tiled = owner.reshape(high - low, SIDE, frame.columns, SIDE).transpose(0, 2, 1, 3)
    return np.ascontiguousarray(tiled.reshape(-1, SIDE))


def ground_seen(
    spans: Sequence[tuple[CellOwners, Seen]], keys: Sequence[Sequence[str]] | None = None
) -> tuple[tuple[str, ...], Ints, Ints]:
    """(keys, seen, cells): of each grid the cells that were its own at some time of the window, and those seen while they were.

    A span is a stretch of the window with the boundaries in force in it and what was seen in it. `keys[s]` names the grids of
    span s over time (uids; default: codes). A cell that was a grid's in several spans counts once.
    """
    from gis.runloops import count_seen

    named = [list(owners.codes) for owners, _ in spans] if keys is None else [list(names) for names in keys]
    known: dict[str, int] = {}
    for names in named:
        for name in names:
            known.setdefault(name, len(known))
    lines = len(spans[0][0].start) - 1 if spans else 0
    starts, begins, ends, grids, directories, bits = [], [], [], [], [], []
    runs = tiles = 0
    for (owners, seen), names in zip(spans, named, strict=True):
        number = np.array([known[name] for name in names], np.int64)
        starts.append(owners.start + runs)
        begins.append(owners.begin)
        ends.append(owners.end)
        grids.append(number[owners.grid])
        flat = seen.directory.ravel().astype(np.int64)
        directories.append(np.where(flat >= 0, flat + tiles, -1))
        bits.append(seen.bits)
        runs, tiles = runs + len(owners.grid), tiles + len(seen.bits)
    total, found = np.zeros(len(known), np.int64), np.zeros(len(known), np.int64)
    if spans:
        start, begin, end, grid = (np.concatenate(column) for column in (starts, begins, ends, grids))
        directory = np.stack(directories)
        count_seen(start, begin, end, grid, lines, directory, np.concatenate(bits), total, found)
    return tuple(known), found, total
