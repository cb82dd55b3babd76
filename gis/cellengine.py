"""The quick engine: the cell lattice and the compiled loops over it. Importing this module imports numba."""

from __future__ import annotations

import numpy as np
import shapely

from gis import cells as lattice
from gis.cellquery import locate, locate_one
from gis.crs import metres_per_degree, metres_per_degree_at
from gis.engine import Answers, Pairs
from gis.nearby import Borders, Bytes, Floats, Ints, borders_of, with_changed
from gis.nearquery import OUT, distances, near, near_place, sort_boxes
from gis.partition import Geometries

#: Most grids about one place that are answered without asking twice.
_USUAL = 64

#: Cells along a side of the lattice of bounding boxes.
_MIN_SIDE, _MAX_SIDE = 8, 512


class _Boxes:
    """The grids' bounding boxes (west, south, east, north), sorted into a lattice."""

    def __init__(self, bounds: Floats) -> None:
        self.bounds = bounds
        side = float(np.clip(np.ceil(2 * np.sqrt(len(bounds))), _MIN_SIDE, _MAX_SIDE))
        drawn = bounds[np.isfinite(bounds[:, 0])]
        west, south, east, north = (
            (*drawn[:, :2].min(axis=0), *drawn[:, 2:].max(axis=0)) if len(drawn) else (0.0, 0.0, 1.0, 1.0)
        )
        scale = side / max(east - west, 1e-9), side / max(north - south, 1e-9)
        self.frame = np.array([west, south, *scale, side, side])
        self.start = np.zeros(int(side * side) + 2, dtype=np.int64)
        sort_boxes(bounds, self.frame, self.start, np.empty(0, dtype=np.int32))
        self.grids = np.empty(self.start[-1], dtype=np.int32)
        sort_boxes(bounds, self.frame, self.start, self.grids)

    def meeting(self, area: Floats) -> Ints:
        """The grids whose boxes meet an area, ascending."""
        b = self.bounds
        apart = (b[:, 0] > area[2]) | (b[:, 2] < area[0]) | (b[:, 1] > area[3]) | (b[:, 3] < area[1])
        return np.flatnonzero(~(apart | np.isnan(b[:, 0]))).astype(np.int64)


class CellEngine:
    """The borders of all grids, the cells they cross and the boxes they fill; immutable."""

    def __init__(self, borders: Borders, layer_of: Bytes, cells: lattice.Cells, boxes: _Boxes) -> None:
        self._borders, self._layer_of, self.cells, self._boxes = borders, layer_of, cells, boxes
        self._tables = (
            cells.frame, cells.tiles, cells.words, cells.codes, cells.rows, borders.vertices, layer_of
        )  # fmt: skip
        self._around = (*borders.arrays, boxes.bounds, boxes.frame, boxes.start, boxes.grids)

    @classmethod
    def of(cls, geometry: Geometries, layer_of: Bytes, layers: int) -> CellEngine:
        """The engine over polygons; `layer_of[i]` is the layer of polygon i."""
        borders = borders_of(geometry)
        cells = lattice.cells_of(borders, layer_of, layers)
        return cls(borders, layer_of, cells, _Boxes(_bounds(geometry)))

    def replaced(self, grids: Ints, geometry: Geometries) -> CellEngine:
        """The engine after `grids` were drawn anew; only tiles that old or new borders touch are made again."""
        borders = with_changed(self._borders, grids, geometry[grids])
        bounds = self._boxes.bounds.copy()
        bounds[grids] = _bounds(geometry[grids])
        boxes = _Boxes(bounds)
        area = _around(np.concatenate([self._boxes.bounds[grids], bounds[grids]]))
        if area is None:
            return CellEngine(borders, self._layer_of, self.cells, boxes)
        cells = None
        if not _mostly_waste(borders, self.cells):
            window = lattice.window_of(self.cells.frame, area)
            if window is not None:
                meeting = boxes.meeting(lattice.bounds_of(self.cells.frame, window))
                cells = lattice.replaced(self.cells, borders, self._layer_of, meeting, window)
        if cells is None:
            return CellEngine.of(geometry, self._layer_of, self.cells.layers)
        return CellEngine(borders, self._layer_of, cells, boxes)

    @property
    def nbytes(self) -> int:
        """Memory in bytes of all arrays; the polygons themselves are the caller's."""
        return self.cells.nbytes + sum(array.nbytes for array in self._around)

    def cover(self, lon: Floats, lat: Floats, span: slice, outside: int, answers: Answers) -> None:
        """Winner, method, reason and the lowest grid of every layer, written into `answers`."""
        # Whole arrays and not slices of them: rows cut out of `by_layer` would be another type, compiled anew.
        locate(
            lon, lat, span.start, span.stop, *self._tables, outside,
            answers.winner, answers.method, answers.reason, answers.by_layer,
        )  # fmt: skip

    def place(self, lon: float, lat: float) -> tuple[int, int, list[int]]:
        """(winner, method, lowest grid per layer) of one place; -1 for none."""
        by_layer = np.empty((self.cells.layers, 1), dtype=np.int32)
        winner, method = locate_one(lon, lat, *self._tables, by_layer)
        return winner, method, by_layer[:, 0].tolist()

    def distances_m(self, grid: Ints, lon: Floats, lat: Floats) -> Floats:
        """Metres to the border of `grid[i]`; NaN where that is -1."""
        out = np.empty(len(grid))
        distances(*self._borders.arrays, grid, lon, lat, *metres_per_degree(np.where(grid < 0, 0.0, lat)), out)
        return out

    def near(self, lon: Floats, lat: Floats, within_m: float) -> Pairs:
        """Who covers finite places or comes within so many metres of them, in no particular order."""
        scales = metres_per_degree(lat)
        until = np.zeros(len(lon), dtype=np.int64)
        pairs = _Room(4 * len(lon) + _USUAL)
        begin = 0
        while (begin := near(*self._around, lon, lat, *scales, within_m, begin, until, *pairs.arrays)) < len(lon):
            pairs = pairs.larger(2 * int(until[begin]))
        used = int(until[-1]) if len(lon) else 0
        place = np.repeat(np.arange(len(lon)), np.diff(until, prepend=0))
        grid, metres, state = pairs.arrays
        return Pairs(place, grid[:used].astype(np.int64), metres[:used], state[:used] != OUT)

    def near_one(self, lon: float, lat: float, within_m: float) -> list[tuple[int, float, bool]]:
        """(grid, metres to its border, does it cover) of those who cover one finite place or come so near."""
        east, north = metres_per_degree_at(lat)
        grid, metres, state = _Room(_USUAL).arrays
        used = near_place(*self._around, lon, lat, east, north, within_m, grid, metres, state, 0)
        if used > _USUAL:
            pairs = self.near(np.array([lon]), np.array([lat]), within_m)
            return list(zip(pairs.grid.tolist(), pairs.metres.tolist(), pairs.covers.tolist(), strict=True))
        return [(int(grid[k]), float(metres[k]), state[k] != OUT) for k in range(used)]


class _Room:
    """Room for so many pairs: grid, metres, state."""

    def __init__(self, size: int) -> None:
        self.arrays = np.empty(size, dtype=np.int32), np.empty(size), np.empty(size, dtype=np.uint8)

    def larger(self, size: int) -> _Room:
        """The same pairs in more room."""
        room = _Room(size)
        for k in range(3):
            room.arrays[k][: len(self.arrays[k])] = self.arrays[k]
        return room


def _bounds(geometry: Geometries) -> Floats:
    """The bounding box of every polygon; NaN for an empty one."""
    return np.ascontiguousarray(shapely.bounds(geometry), dtype=np.float64).reshape(-1, 4)


def _around(boxes: Floats) -> Floats | None:
    """The box around boxes; None when all are empty."""
    drawn = boxes[np.isfinite(boxes[:, 0])]
    if not len(drawn):
        return None
    return np.concatenate([drawn[:, :2].min(axis=0), drawn[:, 2:].max(axis=0)])


def _mostly_waste(borders: Borders, cells: lattice.Cells) -> bool:
    """Whether what earlier changes left behind outweighs what is in use."""
    used = int((borders.stop - borders.start).sum())
    return len(borders.vertices) > 2 * used + 4096 or int(cells.used[1]) > 2 * cells.made_of + (1 << 16)
