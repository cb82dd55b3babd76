"""Claims: every grid drawn for the Gaussian's loops, once as it is and once as far as no other grid goes before it.

The winner of a place is the lowest index that covers it (the rule of `gis.locate`). So grid g wins on its ground: its polygon
without all polygons of a lower index. Those of its own layer take nothing away, for the grids of a layer do not overlap (loading
refuses them); for data that nobody checked there is `overlaps=True`. The grounds of all grids are disjoint: the probabilities of
winning and of "nobody" add up to 1.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt
import shapely

from gis.crs import metres_per_degree
from gis.locate import GridIndex
from gis.partition import Geometries

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

#: Edges that share one bounding box.
RUN = 16

#: Outlines are kept for the next place until they hold so many vertices (64 MB); then the keeping starts anew.
KEPT_VERTICES = 4_000_000

#: Accuracies from 1 mm (below it the plane's own rounding shows) up to here (beyond it a plane says nothing).
MIN_ACCURACY_M, MAX_ACCURACY_M = 1e-3, 100_000.0


class Outline(NamedTuple):
    """The rings of a polygon in runs of at most RUN edges.

    `vertices`: (n, 2) lon, lat, shells counter-clockwise, holes clockwise; run r leads from vertex `runs[r, 0]` to vertex
    `runs[r, 1]` of one ring within `boxes[r]` (west, south, east, north).
    """

    vertices: Floats
    runs: Ints
    boxes: Floats


#: A polygon's outline, and that of its ground where it is another.
Drawn: TypeAlias = tuple[Outline, Outline | None]


def outlines_of(polygons: Geometries) -> list[Outline]:
    """The outlines of polygons and multipolygons; an empty one has no runs, a third dimension is dropped."""
    # The empty multipolygon in front makes shapely answer in one form.
    mixed = np.concatenate([np.array([shapely.MultiPolygon()], dtype=object), shapely.orient_polygons(polygons)])
    _, vertices, (rings, parts, grids) = shapely.to_ragged_array(mixed, include_z=False)
    edges = np.maximum(np.diff(rings) - 1, 0)
    count = -(-edges // RUN)
    first_run = np.concatenate([[0], np.cumsum(count)]).astype(np.int64)
    first = np.repeat(rings[:-1] - first_run[:-1] * RUN, count) + np.arange(first_run[-1]) * RUN
    last = np.minimum(first + RUN, np.repeat(rings[1:] - 1, count))
    ring_of = parts[grids[1:]]
    vertex_of, run_of = rings[ring_of].astype(np.int64), first_run[ring_of]
    runs = np.column_stack([first, last]) - np.repeat(vertex_of[:-1], np.diff(run_of))[:, None]
    boxes = _boxes(vertices, np.column_stack([first, last + 1]).ravel())
    pieces = [zip(ends[:-1].tolist(), ends[1:].tolist(), strict=True) for ends in (vertex_of, run_of)]
    return [Outline(vertices[a:b], runs[c:d], boxes[c:d]) for (a, b), (c, d) in zip(*pieces, strict=True)]


def _boxes(vertices: Floats, ranges: Ints) -> Floats:
    """The bounding box of the vertices from ranges[2 r] up to, not with, ranges[2 r + 1]."""
    if not len(ranges):
        return np.empty((0, 4))
    padded = np.vstack([vertices, vertices[-1:]])  # one more row, for reduceat accepts no end behind the last
    return np.hstack([np.minimum.reduceat(padded, ranges)[::2], np.maximum.reduceat(padded, ranges)[::2]])


class Claims:
    """What `gis.doubt` asks: the grids of an index, their outlines and grounds, made when first needed and kept.

    One belongs to one GridIndex, and like it may be asked from any number of threads. `Claims.of(index)` also loads the compiled
    loops (on a machine where nobody ever did, it compiles them: some seconds), so that no request pays for that. With `overlaps` the
    grids of one layer may overlap: the lower code has the common ground; the first question about a grid then costs some 0.1 ms more.
    """

    def __init__(self, index: GridIndex, *, overlaps: bool = False) -> None:
        self.index = index
        self.overlaps = overlaps
        self.position: dict[str, int] = {code: grid for grid, code in reversed(list(enumerate(index.codes)))}
        self.typical_m = _typical_extent_m(index)
        self._tree = shapely.STRtree(index.geometry)
        # GEOS builds the tree at its first query, which must not happen in two threads.
        self._tree.query(shapely.box(-180, -90, 180, 90))
        self._drawn: dict[int, Drawn] = {}
        self._vertices = 0
        self._grounds: dict[int, Any] = {}

    @classmethod
    def of(cls, index: GridIndex, *, overlaps: bool = False) -> Claims:
        """The claims of an index, with the compiled loops loaded and run once."""
        from gis import gaussian

        nowhere = Outline(np.zeros((1, 2)), np.array([[0, 0]]), np.zeros((1, 4)))
        one = np.ones(1)
        gaussian.mass(*nowhere, 0.0, 0.0, 1.0, 1.0)
        gaussian.masses(*nowhere, one, one, one, one, np.empty(1))
        return cls(index, overlaps=overlaps)

    def within(self, lon: Floats, lat: Floats, half_lon: Floats, half_lat: Floats) -> tuple[Ints, Ints]:
        """(place, grid) for every grid whose bounding box comes within so many degrees of a place, by place."""
        boxes = shapely.box(lon - half_lon, lat - half_lat, lon + half_lon, lat + half_lat)
        place, grid = self._tree.query(boxes)
        return place.astype(np.int64), grid.astype(np.int64)

    def at(self, lon: float, lat: float, half_lon: float, half_lat: float) -> Ints:
        """The grids, in order, whose bounding box comes within so many degrees of one place."""
        grid = self._tree.query(shapely.box(lon - half_lon, lat - half_lat, lon + half_lon, lat + half_lat))
        return np.sort(grid).astype(np.int64)

    def drawn(self, grids: Sequence[int]) -> list[Drawn]:
        """The outline of every grid's polygon and of its ground, None where the ground is the polygon."""
        drawn = self._drawn
        missing = [grid for grid in grids if grid not in drawn]
        if missing:
            drawn = self._draw(missing, {grid: drawn[grid] for grid in grids if grid in drawn})
        return [drawn[grid] for grid in grids]

    def _draw(self, missing: Sequence[int], known: dict[int, Drawn]) -> dict[int, Drawn]:
        """The known ones and the missing, which are kept as well; when there are too many, the keeping starts anew."""
        self._settle([grid for grid in missing if grid not in self._grounds])
        cut = [grid for grid in missing if self._grounds[grid] is not None]
        shapes = outlines_of(self.index.geometry[np.array(missing, dtype=np.int64)])
        grounds = dict(zip(cut, outlines_of(_array([self._grounds[grid] for grid in cut])), strict=True))
        known.update({grid: (shape, grounds.get(grid)) for grid, shape in zip(missing, shapes, strict=True)})
        self._vertices += sum(len(shape.vertices) for shape in shapes)
        if self._vertices > KEPT_VERTICES:
            self._drawn, self._vertices = {}, 0
        self._drawn.update(known)
        return known

    def _settle(self, grids: Sequence[int]) -> None:
        """The grounds of these grids are known: the polygon's rest, or None where nobody takes anything away."""
        grounds: dict[int, Any] = dict.fromkeys(grids)
        geometry, layer_of = self.index.geometry, self.index.layer_of
        chosen = np.array(grids, dtype=np.int64)
        at, before = self._tree.query(geometry[chosen])
        lower = (before < chosen[at]) & (self.overlaps | (layer_of[before] != layer_of[chosen[at]]))
        grid, before = chosen[at[lower]], before[lower]
        # Copies, for preparing a polygon that another thread is asking would not be safe.
        some, at = np.unique(grid, return_inverse=True)
        copies = shapely.transform(geometry[some], np.array)
        shapely.prepare(copies)
        taken = shapely.relate_pattern(copies[at], geometry[before], "T********")
        for i in np.unique(grid[taken]).tolist():
            grounds[i] = _without(geometry[i], geometry[before[taken & (grid == i)]])
        self._grounds.update(grounds)


def _array(polygons: Sequence[Any]) -> Geometries:
    array = np.empty(len(polygons), dtype=object)
    array[:] = polygons
    return array


def _without(polygon: Any, others: Geometries) -> Any:
    """What the others leave of a polygon; where one of them crosses itself, of its mended form."""
    try:
        return shapely.difference(polygon, shapely.union_all(others))
    except shapely.GEOSException:
        whole = shapely.make_valid([polygon, *others], method="structure", keep_collapsed=False)
        return shapely.difference(whole[0], shapely.union_all(whole[1:]))


def _typical_extent_m(index: GridIndex) -> float:
    """The median of the grids' larger side; infinite without grids."""
    bounds = shapely.bounds(index.geometry)
    bounds = bounds[np.isfinite(bounds).all(axis=1)]
    if not len(bounds):
        return np.inf
    east, north = metres_per_degree((bounds[:, 1] + bounds[:, 3]) / 2)
    sides = np.maximum((bounds[:, 2] - bounds[:, 0]) * east, (bounds[:, 3] - bounds[:, 1]) * north)
    return float(np.median(sides))
