"""Lattice: which grids may cover a place, by the cell in which it lies; cells keep neighbouring places together as well."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import shapely

from gis.nearby import Floats, Ints
from gis.partition import Geometries

#: Cells along a side: few for a village, at most so many that a cell's number fits 16 bits, which numpy sorts by radix.
MIN_SIDE, MAX_SIDE = 16, 256


@dataclass(frozen=True)
class Lattice:
    """Square-ish cells over `bounds` (west, south, east, north), `side` by `side`, numbered row by row.

    The grids whose bounding box meets cell c are `grids[start[c]:start[c + 1]]`.
    """

    bounds: tuple[float, float, float, float]
    side: int
    start: Ints
    grids: Ints

    def cell_of(self, lon: Floats, lat: Floats) -> Ints:
        """The cell of places that lie within the bounds."""
        west, south, east, north = self.bounds
        column = (lon - west) * ((self.side - 1e-6) / max(east - west, 1e-12))
        row = (lat - south) * ((self.side - 1e-6) / max(north - south, 1e-12))
        return row.astype(np.int64) * self.side + column.astype(np.int64)

    def ordered(self, lon: Floats, lat: Floats) -> tuple[Ints, Ints]:
        """Indices of the places within the bounds, those of one cell together, and their cells.

        Twice as quick for what follows: the polygons of a neighbourhood stay in the processor's cache.
        """
        west, south, east, north = self.bounds
        within = np.flatnonzero((lon >= west) & (lon <= east) & (lat >= south) & (lat <= north))
        cell = self.cell_of(lon[within], lat[within])
        order = np.argsort(cell.astype(np.uint16), kind="stable")
        return within[order].astype(np.int64), cell[order]

    def pairs(self, cell: Ints) -> tuple[Ints, Ints]:
        """(i, grid) for every grid that may cover a place in `cell[i]`."""
        first = self.start[cell]
        count = self.start[cell + 1] - first
        place = np.repeat(np.arange(len(cell)), count)
        before = np.cumsum(count) - count
        return place, self.grids[np.arange(len(place)) + np.repeat(first - before, count)]


def lattice_of(geometry: Geometries, tree: shapely.STRtree) -> Lattice:
    """The lattice over an array of polygons, from their search tree."""
    side = int(np.clip(4 * np.sqrt(len(geometry)), MIN_SIDE, MAX_SIDE))
    west, south, east, north = bounds = (
        tuple(shapely.total_bounds(geometry).tolist()) if len(geometry) else (np.nan,) * 4
    )
    if not np.isfinite(bounds).all():
        return Lattice(
            (np.inf, np.inf, -np.inf, -np.inf), side, np.zeros(side * side + 1, dtype=np.int64), np.empty(0, np.int64)
        )
    row, column = np.divmod(np.arange(side * side), side)
    wide, high = max(east - west, 1e-12) / side, max(north - south, 1e-12) / side
    # A little larger than they are: rounding may put a place on a cell's rim into its neighbour.
    x, y, rim_x, rim_y = west + column * wide, south + row * high, 1e-3 * wide, 1e-3 * high
    cell, grids = tree.query(shapely.box(x - rim_x, y - rim_y, x + wide + rim_x, y + high + rim_y))
    order = np.lexsort((grids, cell))
    start = np.searchsorted(cell[order], np.arange(side * side + 1)).astype(np.int64)
    return Lattice((west, south, east, north), side, start, grids[order].astype(np.int64))
