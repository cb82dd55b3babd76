"""The engine that asks GEOS: prepared polygons, a search tree, no compiled code of ours. Slow, and what the quick one is tested against."""

from __future__ import annotations

import numpy as np
import shapely

from gis.assignment import EDGE, FOUND, INSIDE, NO_POSITION, NONE
from gis.engine import Answers, Pairs
from gis.lattice import lattice_of
from gis.nearby import Borders, Bytes, Floats, Ints, border_distance_m, borders_of, near_pairs
from gis.partition import Geometries

#: Places are answered in blocks of this size, so that memory stays flat.
BLOCK = 1 << 16

#: Nobody knows yet: larger than any index.
_FREE = np.iinfo(np.int32).max


class GeosEngine:
    """All grids in one array, their search tree and prepared forms."""

    def __init__(self, geometry: Geometries, layer_of: Bytes, layers: int) -> None:
        self.geometry, self._layer_of, self._layers = geometry, layer_of, layers
        self._borders = borders_of(geometry)
        self._tree = shapely.STRtree(geometry)
        self._lattice = lattice_of(geometry, self._tree)
        _warm_up(geometry, self._borders, self._tree)

    @property
    def nbytes(self) -> int:
        """Memory in bytes of the borders; what GEOS holds is not known."""
        return sum(array.nbytes for array in self._borders.arrays)

    def replaced(self, grids: Ints, geometry: Geometries) -> GeosEngine:
        """The engine after `grids` were drawn anew; `geometry` holds all."""
        del grids  # everything is made anew
        return GeosEngine(geometry, self._layer_of, self._layers)

    def cover(self, lon: Floats, lat: Floats, span: slice, outside: int, answers: Answers) -> None:
        """Winner, method, reason and the lowest grid of every layer, written into `answers`."""
        answers.by_layer[:, span] = -1
        answers.winner[span] = -1
        answers.method[span] = NONE
        lon, lat = lon[span], lat[span]
        answers.reason[span] = np.where(np.isfinite(lon) & np.isfinite(lat), outside, NO_POSITION)
        if len(self.geometry):
            order, cell = self._lattice.ordered(lon, lat)
            for first in range(0, len(order), BLOCK):
                block = order[first : first + BLOCK]
                self._cover_block(block + span.start, cell[first : first + BLOCK], lon[block], lat[block], answers)

    def _cover_block(self, block: Ints, cell: Ints, x: Floats, y: Floats, answers: Answers) -> None:
        place, grid = self._lattice.pairs(cell)
        covers = shapely.intersects_xy(self.geometry[grid], x[place], y[place])
        place, grid = place[covers], grid[covers].astype(np.int32)
        lowest = np.full(self._layers * len(block), _FREE, dtype=np.int32)
        # The lowest index of every layer; the lowest of all wins.
        np.minimum.at(lowest, self._layer_of[grid] * np.int64(len(block)) + place, grid)
        by_layer = lowest.reshape(self._layers, len(block))
        winner = by_layer.min(axis=0)
        found = np.flatnonzero(winner != _FREE)
        by_layer[by_layer == _FREE] = -1
        answers.by_layer[:, block] = by_layer
        x, y, block, winner = x[found], y[found], block[found], winner[found]
        answers.winner[block] = winner
        answers.reason[block] = FOUND
        within = shapely.contains_xy(self.geometry[winner], x, y)
        answers.method[block] = np.where(within, INSIDE, EDGE)

    def place(self, lon: float, lat: float) -> tuple[int, int, list[int]]:
        """(winner, method, lowest grid per layer) of one place; -1 for none."""
        answers = Answers.blank(1, self._layers)
        self.cover(np.array([lon]), np.array([lat]), slice(0, 1), FOUND, answers)
        return int(answers.winner[0]), int(answers.method[0]), answers.by_layer[:, 0].tolist()

    def distances_m(self, grid: Ints, lon: Floats, lat: Floats) -> Floats:
        """Metres to the border of `grid[i]`; NaN where that is -1."""
        metres = np.full(len(grid), np.nan)
        some = np.flatnonzero(grid >= 0)
        for first in range(0, len(some), BLOCK):
            rows = some[first : first + BLOCK]
            metres[rows] = border_distance_m(self._borders, grid[rows], lon[rows], lat[rows])
        return metres

    def near(self, lon: Floats, lat: Floats, within_m: float) -> Pairs:
        """Who covers finite places or comes within so many metres of them, in no particular order."""
        place, grid = near_pairs(self._tree, lon, lat, within_m)
        covers = shapely.intersects_xy(self.geometry[grid], lon[place], lat[place])
        metres = border_distance_m(self._borders, grid, lon[place], lat[place])
        metres[covers & ~shapely.contains_xy(self.geometry[grid], lon[place], lat[place])] = 0.0
        keep = covers | (metres <= within_m)
        return Pairs(place[keep], grid[keep], metres[keep], covers[keep])

    def near_one(self, lon: float, lat: float, within_m: float) -> list[tuple[int, float, bool]]:
        """(grid, metres to its border, does it cover) of those who cover one finite place or come so near."""
        pairs = self.near(np.array([lon]), np.array([lat]), within_m)
        return list(zip(pairs.grid.tolist(), pairs.metres.tolist(), pairs.covers.tolist(), strict=True))


def _warm_up(geometry: Geometries, borders: Borders, tree: shapely.STRtree) -> None:
    """Tree and prepared polygons are complete: nothing is left to be built at first use.

    GEOS builds their inner indexes lazily and without a lock; first use from two threads corrupts memory. A place inside the
    bounding box is needed, or the predicate answers before it builds; a vertex also takes the path of the edge.
    """
    tree.query(shapely.box(-180, -90, 180, 90))
    shapely.prepare(geometry)
    drawn = np.flatnonzero(borders.stop - borders.start)
    vertex = borders.vertices[borders.start[drawn]]
    inner = shapely.get_coordinates(shapely.point_on_surface(geometry[drawn]))
    for predicate in (shapely.intersects_xy, shapely.contains_xy):
        predicate(geometry[drawn], vertex[:, 0], vertex[:, 1])
        predicate(geometry[drawn], inner[:, 0], inner[:, 1])
