"""GridIndex: whose is it? Places in, one grid each out, by one written rule.

The rule: a grid covers a place that lies inside it or on its border. Of all that cover it, the layer with the smallest
priority wins, and within a layer the lowest code by UTF-8 bytes. So a place on a shared edge belongs to exactly one grid,
the same one alone, in any batch, in any order and in any thread. No tolerance is involved: the predicate is exact in float64.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import shapely

from gis.assignment import (
    BEYOND,
    EDGE,
    FOUND,
    INSIDE,
    METHODS,
    NEAREST,
    NO_BOUNDARIES,
    NO_POSITION,
    NONE,
    OUTSIDE,
    REASONS,
    Assignment,
    Candidate,
)
from gis.lattice import lattice_of
from gis.nearby import Borders, Floats, Ints, border_distance_m, borders_of, near_pairs
from gis.partition import Boundaries, Geometries, Partition

__all__ = ["KERNEL", "METHODS", "REASONS", "Assignment", "Candidate", "GridIndex", "Located", "Near"]

#: Version of the rule and its arithmetic, written into receipts.
KERNEL = "gridbeat-locate/1"

#: Places are answered in blocks of this size, so that memory stays flat.
BLOCK = 1 << 16

#: Nobody knows yet: larger than any index.
_FREE = np.iinfo(np.int32).max

#: A place that lies on a border is measured as nearer than this to it (rounding is below a micrometre).
_TOUCHING_M = 1e-3

Indices = npt.NDArray[np.int32]
Bytes = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class Located:
    """The answer for n places, as arrays of length n.

    `winner` and each of `by_layer` index `codes` (-1: none); `method` indexes METHODS, `reason` REASONS; `distance_m` is to the
    winner's border in metres (0 on an edge, NaN without a winner or when distances were not asked for).
    """

    codes: tuple[str, ...]
    winner: Indices
    method: Bytes
    reason: Bytes
    distance_m: Floats
    by_layer: dict[str, Indices]

    def grids(self, layer: str | None = None) -> list[str | None]:
        """The winner's code per place, or the code in one layer; None where there is none."""
        chosen = self.winner if layer is None else self.by_layer[layer]
        return [self.codes[i] if i >= 0 else None for i in chosen.tolist()]

    def methods(self) -> list[str]:
        """The method per place as a word."""
        return [METHODS[i] for i in self.method.tolist()]

    def reasons(self) -> list[str | None]:
        """The reason per place as a word, None where a grid was found."""
        return [REASONS[i] for i in self.reason.tolist()]


@dataclass(frozen=True)
class Near:
    """Who covers or lies near n places, ragged: pair k says that `grid[k]` is `distance_m[k]` metres from `place[k]`.

    0 metres where `covers[k]`. Sorted by place, then covering grids in the order of the rule, then the others by distance and index.
    """

    place: Ints
    grid: Ints
    distance_m: Floats
    covers: npt.NDArray[np.bool_]


class GridIndex:
    """All grids that reports are assigned to, at one instant, ready to be asked from any number of threads.

    Index i stands for `codes[i]` of layer `layers[layer_of[i]]`; the lower index wins. Immutable: a new generation is a new index.
    The polygons are the caller's own (no copy); beside them stand a search tree, GEOS's prepared forms and one array of vertices.
    """

    def __init__(self, partitions: Sequence[Partition], boundaries: Boundaries) -> None:
        self.boundaries = boundaries
        self.layers = tuple(dict.fromkeys(partition.layer for partition in partitions))
        self.codes: tuple[str, ...] = tuple(code for partition in partitions for code in partition.codes)
        self.layer_of: Bytes = np.repeat(
            np.array([self.layers.index(p.layer) for p in partitions], dtype=np.uint8), [len(p) for p in partitions]
        )
        self.geometry: Geometries = _joined(partitions)
        self._borders: Borders = borders_of(self.geometry)
        self._tree = shapely.STRtree(self.geometry)
        self._lattice = lattice_of(self.geometry, self._tree)
        _warm_up(self.geometry, self._borders, self._tree)

    @classmethod
    def build(cls, boundaries: Boundaries) -> GridIndex:
        """An index over the boundaries in force: of each layer the narrowest level, by the deployment's priorities."""
        return cls(boundaries.assignable(), boundaries)

    @classmethod
    def of(cls, partitions: Sequence[Partition]) -> GridIndex:
        """An index over partitions that stand in priority order, the winning layer first; without names or paths."""
        priorities = {partition.layer: i for i, partition in reversed(list(enumerate(partitions)))}
        return cls(partitions, Boundaries(0, tuple(partitions), priorities=priorities))

    @property
    def generation(self) -> int:
        """The generation of the boundaries, 0 before anything was published."""
        return self.boundaries.generation

    def __len__(self) -> int:
        return len(self.codes)

    def locate(self, lon: Floats, lat: Floats, *, tolerance_m: float = 0.0, distance: bool = True) -> Located:
        """Every place has its grid, or a reason why not.

        `lon`, `lat`: WGS 84 degrees, equally long; what is not finite is "no-position". A place that nobody covers goes to the
        nearest grid within `tolerance_m` metres (method "nearest"). `distance=False` leaves `distance_m` NaN.
        """
        lon = np.ascontiguousarray(lon, dtype=np.float64)
        lat = np.ascontiguousarray(lat, dtype=np.float64)
        best = np.full((len(self.layers), len(lon)), _FREE, dtype=np.int32)
        located = self._blank(lon, lat, tolerance_m)
        if len(self.codes):
            order, cell = self._lattice.ordered(lon, lat)
            for first in range(0, len(order), BLOCK):
                block = slice(first, first + BLOCK)
                self._locate_block(order[block], cell[block], lon, lat, best, located)
            if tolerance_m > 0.0:
                self._nearest(lon, lat, tolerance_m, located)
        if not distance:
            located.distance_m[:] = np.nan
        best[best == _FREE] = -1
        located.by_layer.update(zip(self.layers, best, strict=True))
        return located

    def one(self, lon: float, lat: float, *, tolerance_m: float = 0.0, candidates_within_m: float = 50.0) -> Assignment:
        """Whose is this place, with its path, its layers and everybody within `candidates_within_m` metres.

        The same answer as `locate` gives for an array of one; a few dozen microseconds and no compiled code.
        """
        place = np.array([lon], dtype=np.float64), np.array([lat], dtype=np.float64)
        near = self.candidates(*place, max(candidates_within_m, tolerance_m))
        grids, covers = near.grid.tolist(), near.covers.tolist()
        layers = self._layers_of([g for g, covered in zip(grids, covers, strict=True) if covered])
        if not grids or not (covers[0] or near.distance_m[0] <= tolerance_m):
            reason = REASONS[self._blank(*place, tolerance_m).reason[0]]
            return self._assignment(None, "none", reason, layers, None, self._listed(near, candidates_within_m, None))
        listed = self._listed(near, candidates_within_m, grids[0])
        if covers[0] and not shapely.contains_xy(self.geometry[grids[0]], lon, lat):
            return self._assignment(grids[0], "edge", None, layers, 0.0, listed)
        metres = float(border_distance_m(self._borders, near.grid[:1], *place)[0])
        return self._assignment(grids[0], "inside" if covers[0] else "nearest", None, layers, metres, listed)

    def candidates(self, lon: Floats, lat: Floats, within_m: float) -> Near:
        """Every grid that covers a place or comes within `within_m` metres of it, in the order of the rule."""
        finite = np.flatnonzero(np.isfinite(lon) & np.isfinite(lat))
        place, grid = near_pairs(self._tree, lon[finite], lat[finite], within_m)
        place = finite[place]
        covers = shapely.intersects_xy(self.geometry[grid], lon[place], lat[place])
        distance = np.zeros(len(grid))
        outside = np.flatnonzero(~covers)
        distance[outside] = border_distance_m(self._borders, grid[outside], lon[place[outside]], lat[place[outside]])
        keep = np.flatnonzero(covers | (distance <= within_m))
        order = keep[np.lexsort((grid[keep], distance[keep], ~covers[keep], place[keep]))]
        return Near(place[order], grid[order], distance[order], covers[order])

    def _blank(self, lon: Floats, lat: Floats, tolerance_m: float) -> Located:
        """Nobody found yet, with the reason that holds if it stays so."""
        n = len(lon)
        usual = NO_BOUNDARIES if not self.codes else BEYOND if tolerance_m > 0.0 else OUTSIDE
        reason = np.full(n, usual, dtype=np.uint8)
        reason[~(np.isfinite(lon) & np.isfinite(lat))] = NO_POSITION
        winner, method = np.full(n, -1, dtype=np.int32), np.full(n, NONE, dtype=np.uint8)
        return Located(self.codes, winner, method, reason, np.full(n, np.nan), {})

    def _locate_block(self, block: Ints, cell: Ints, lon: Floats, lat: Floats, best: Indices, located: Located) -> None:
        """The winner, the grid of every layer, method and distance of the places in `block`, written in place."""
        x, y = lon[block], lat[block]
        place, grid = self._lattice.pairs(cell)
        covers = shapely.intersects_xy(self.geometry[grid], x[place], y[place])
        place, grid = place[covers], grid[covers].astype(np.int32)
        lowest = np.full(len(self.layers) * len(block), _FREE, dtype=np.int32)
        # The lowest index of every layer; layers stand in priority order, so the lowest of all wins.
        np.minimum.at(lowest, self.layer_of[grid] * np.int64(len(block)) + place, grid)
        by_layer = lowest.reshape(len(self.layers), len(block))
        best[:, block] = by_layer
        winner = by_layer.min(axis=0)
        found = np.flatnonzero(winner != _FREE)
        x, y, block, winner = x[found], y[found], block[found], winner[found]
        located.winner[block] = winner
        located.reason[block] = FOUND
        metres = border_distance_m(self._borders, winner.astype(np.int64), x, y)
        # Only who is this near a border can lie on it: the exact predicate is asked for these alone.
        touching = metres < _TOUCHING_M
        edge = np.flatnonzero(touching)[~shapely.contains_xy(self.geometry[winner[touching]], x[touching], y[touching])]
        located.method[block] = INSIDE
        located.method[block[edge]] = EDGE
        metres[edge] = 0.0
        located.distance_m[block] = metres

    def _nearest(self, lon: Floats, lat: Floats, tolerance_m: float, located: Located) -> None:
        """Places that nobody covers go to the nearest grid within the tolerance; equally near: the lower index."""
        open_places = np.flatnonzero(located.reason == BEYOND)
        for first in range(0, len(open_places), BLOCK):
            block = open_places[first : first + BLOCK]
            near = self.candidates(lon[block], lat[block], tolerance_m)
            place, at = np.unique(near.place, return_index=True)
            rows = block[place]
            located.winner[rows] = near.grid[at]
            located.method[rows] = NEAREST
            located.reason[rows] = FOUND
            located.distance_m[rows] = near.distance_m[at]

    def _layers_of(self, covering: Sequence[int]) -> dict[str, str | None]:
        """The lowest of the covering grids in every layer."""
        layers: dict[str, str | None] = dict.fromkeys(self.layers)
        for grid in sorted(covering, reverse=True):
            layers[self.layers[self.layer_of[grid]]] = self.codes[grid]
        return layers

    def _listed(self, near: Near, within_m: float, winner: int | None) -> tuple[Candidate, ...]:
        """Those within `within_m` metres, and the winner, also when it is farther."""
        pairs = zip(near.grid.tolist(), near.distance_m.tolist(), strict=True)
        return tuple(
            Candidate(self.codes[grid], self.layers[self.layer_of[grid]], None, metres)
            for grid, metres in pairs
            if metres <= within_m or grid == winner
        )

    def _assignment(
        self,
        grid: int | None,
        method: str,
        reason: str | None,
        layers: dict[str, str | None],
        metres: float | None,
        candidates: tuple[Candidate, ...],
    ) -> Assignment:
        code = None if grid is None else self.codes[grid]
        path = [] if code is None else self.boundaries.path(code)
        # Probability and doubt need an accuracy; their own issue brings them.
        return Assignment(
            code,
            method,
            reason,
            layers,
            path,
            metres,
            None,
            ambiguous=False,
            candidates=candidates,
            generation=self.generation,
        )


def _joined(partitions: Sequence[Partition]) -> Geometries:
    """The polygons of all partitions, in their order."""
    joined = np.empty(sum(len(partition) for partition in partitions), dtype=object)
    joined[:] = [polygon for partition in partitions for polygon in partition.geometry]
    return joined


def _warm_up(geometry: Geometries, borders: Borders, tree: shapely.STRtree) -> None:
    """Tree and prepared polygons are complete: nothing is left to be built at first use.

    GEOS builds their inner indexes lazily and without a lock; first use from two threads corrupts memory. A place inside the
    bounding box is needed, or the predicate answers before it builds; a vertex also takes the path of the edge.
    """
    tree.query(shapely.box(-180, -90, 180, 90))
    shapely.prepare(geometry)
    drawn = np.flatnonzero(np.diff(borders.start))
    vertex = borders.vertices[borders.start[drawn]]
    inner = shapely.get_coordinates(shapely.point_on_surface(geometry[drawn]))
    for predicate in (shapely.intersects_xy, shapely.contains_xy):
        predicate(geometry[drawn], vertex[:, 0], vertex[:, 1])
        predicate(geometry[drawn], inner[:, 0], inner[:, 1])
