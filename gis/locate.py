"""GridIndex: whose is it? Places in, one grid each out, by one written rule.

The rule: a grid covers a place that lies inside it or on its border. Of all that cover it, the layer with the smallest
priority wins, and within a layer the lowest code by UTF-8 bytes. So a place on a shared edge belongs to exactly one grid,
the same one alone, in any batch, in any order and in any thread. No tolerance is involved: the predicate is exact in float64.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import cache
from typing import Literal

import numpy as np
import numpy.typing as npt
import shapely

from gis.assignment import (
    BEYOND,
    EDGE,
    FOUND,
    METHODS,
    NEAREST,
    NO_BOUNDARIES,
    NO_POSITION,
    OUTSIDE,
    REASONS,
    Assignment,
    Candidate,
)
from gis.degrees import check_degrees
from gis.engine import Answers, Engine, Indices, Listed, listed
from gis.errors import CodeInvalid
from gis.geosengine import GeosEngine
from gis.nearby import Bytes, Floats, Ints
from gis.partition import Boundaries, Geometries, Partition, partition_of

__all__ = ["KERNEL", "METHODS", "REASONS", "Assignment", "Candidate", "GridIndex", "Located", "Near", "compile_kernels"]

#: Version of the rule and its arithmetic, written into receipts.
KERNEL = "gridbeat-locate/1"

#: Fewer places than this are not worth a second thread.
_PER_THREAD = 10_000

#: Threads take the places in at most so many turns each: one whose core is wanted elsewhere leaves the rest to the others.
_TURNS = 16

#: What finds the covering grids: our compiled cell lattice, or GEOS, slower by far and with the same answers.
EngineName = Literal["cells", "geos"]


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

    Index i stands for `codes[i]` of layer `layers[layer_of[i]]`; the lower index wins. Immutable: a new generation is a new index,
    and `replaced` makes one that shares what did not change. Raises GeometryInvalid for a grid across the antimeridian or
    with coordinates that are no degrees.
    """

    def __init__(
        self, partitions: Sequence[Partition], boundaries: Boundaries, *, engine: EngineName = "cells"
    ) -> None:
        self.boundaries = boundaries
        self._partitions = tuple(partitions)
        self.layers = tuple(dict.fromkeys(partition.layer for partition in partitions))
        self.codes: tuple[str, ...] = tuple(code for partition in partitions for code in partition.codes)
        self.layer_of: Bytes = np.repeat(
            np.array([self.layers.index(p.layer) for p in partitions], dtype=np.uint8), [len(p) for p in partitions]
        )
        self.geometry: Geometries = _joined(partitions)
        check_degrees(self.codes, self.geometry)
        self._engine = _engine(engine, self.geometry, self.layer_of, len(self.layers))

    @classmethod
    def build(cls, boundaries: Boundaries, *, engine: EngineName = "cells") -> GridIndex:
        """An index over the boundaries in force: of each layer the narrowest level, by the deployment's priorities."""
        return cls(boundaries.assignable(), boundaries, engine=engine)

    @classmethod
    def of(cls, partitions: Sequence[Partition], *, engine: EngineName = "cells") -> GridIndex:
        """An index over partitions that stand in priority order, the winning layer first; without names or paths."""
        priorities = {partition.layer: i for i, partition in reversed(list(enumerate(partitions)))}
        return cls(partitions, Boundaries(0, tuple(partitions), priorities=priorities), engine=engine)

    def replaced(self, changed: Partition, boundaries: Boundaries | None = None) -> GridIndex:
        """An index in which the grids of `changed` have their new shapes; this one goes on to answer as before.

        Codes, layers and priorities stay; a moved border takes milliseconds, for all that lies elsewhere is shared. `boundaries`
        are those of the new state (without them: the present ones with the new shapes, same generation). Raises
        CodeInvalid for a code that the layer does not have: grids come and go by a new index.
        """
        at = next(
            (i for i, p in enumerate(self._partitions) if (p.layer, p.level) == (changed.layer, changed.level)), None
        )
        unknown = [c for c in changed.codes if at is None or c not in self._partitions[at].position]
        if at is None or unknown:
            raise CodeInvalid(
                f"layer {changed.layer} has no grid {', '.join(unknown[:3])} to be drawn anew", place="grid"
            )
        check_degrees(changed.codes, changed.geometry)
        before = self._partitions[at]
        rows = np.array([before.position[code] for code in changed.codes], dtype=np.int64)
        after = _redrawn(before, rows, changed)
        index = object.__new__(GridIndex)
        index.boundaries = boundaries or _with_partition(self.boundaries, before, after)
        index._partitions = (*self._partitions[:at], after, *self._partitions[at + 1 :])
        index.layers, index.codes, index.layer_of = self.layers, self.codes, self.layer_of
        grids = rows + sum(len(p) for p in self._partitions[:at])
        index.geometry = self.geometry.copy()
        index.geometry[grids] = changed.geometry
        index._engine = self._engine.replaced(grids, index.geometry)
        return index

    @property
    def generation(self) -> int:
        """The generation of the boundaries, 0 before anything was published."""
        return self.boundaries.generation

    @property
    def nbytes(self) -> int:
        """Memory in bytes of the index itself; the polygons are the caller's."""
        return self._engine.nbytes

    def __len__(self) -> int:
        return len(self.codes)

    def locate(
        self, lon: Floats, lat: Floats, *, tolerance_m: float = 0.0, distance: bool = True, threads: int = 1
    ) -> Located:
        """Every place has its grid, or a reason why not.

        `lon`, `lat`: WGS 84 degrees, equally long; what is not finite is "no-position". A place that nobody covers goes to the
        nearest grid within `tolerance_m` metres (method "nearest"). `distance=False` leaves `distance_m` NaN and takes a
        fraction of the time. `threads` share the places; the answers do not depend on how many.
        """
        lon, lat = _floats(lon), _floats(lat)
        answers = Answers.blank(len(lon), len(self.layers))
        metres = np.empty(len(lon))  # first touched in the thread that fills it, as the answers are

        def part(span: slice) -> None:
            self._engine.cover(lon, lat, span, self._unfound(tolerance_m), answers)
            metres[span] = np.nan
            if distance:
                on_edge = answers.method[span] == EDGE
                inside = np.where(on_edge, -1, answers.winner[span])
                metres[span] = np.where(on_edge, 0.0, self._engine.distances_m(inside, lon[span], lat[span]))
            if tolerance_m > 0.0 and len(self.codes):
                self._nearest(lon, lat, span, tolerance_m, answers, metres if distance else None)

        crew = min(threads, 1 + len(lon) // _PER_THREAD)
        turns = 1 if crew == 1 else max(crew, min(crew * _TURNS, len(lon) // _PER_THREAD))
        bounds = np.linspace(0, len(lon), turns + 1).astype(int).tolist()
        spans = [slice(*pair) for pair in itertools.pairwise(bounds)]
        if crew == 1:
            part(spans[0])
        else:
            with ThreadPoolExecutor(crew) as pool:
                list(pool.map(part, spans))
        by_layer = dict(zip(self.layers, answers.by_layer, strict=True))
        return Located(self.codes, answers.winner, answers.method, answers.reason, metres, by_layer)

    def _unfound(self, tolerance_m: float) -> int:
        """The reason of a place that nobody covers."""
        return NO_BOUNDARIES if not self.codes else BEYOND if tolerance_m > 0.0 else OUTSIDE

    def one(self, lon: float, lat: float, *, tolerance_m: float = 0.0, candidates_within_m: float = 50.0) -> Assignment:
        """Whose is this place, with its path, its layers and everybody within `candidates_within_m` metres.

        The same answer as `locate` gives for an array of one.
        """
        lon, lat = float(lon), float(lat)
        winner, method, lowest = self._engine.place(lon, lat)
        finite = lon - lon == 0.0 and lat - lat == 0.0
        within = float(max(candidates_within_m, tolerance_m))
        near = self._engine.near_one(lon, lat, within) if finite else None
        return self._answer(winner, method, lowest, near, tolerance_m, candidates_within_m)

    def many(
        self, lon: Floats, lat: Floats, *, tolerance_m: float = 0.0, candidates_within_m: float = 50.0
    ) -> list[Assignment]:
        """What `one` answers for every place, in order, at a fraction of the cost."""
        lon, lat = _floats(lon), _floats(lat)
        answers = Answers.blank(len(lon), len(self.layers))
        self._engine.cover(lon, lat, slice(0, len(lon)), OUTSIDE, answers)
        finite = np.isfinite(lon) & np.isfinite(lat)
        pairs = self._engine.near(lon[finite], lat[finite], float(max(candidates_within_m, tolerance_m)))
        order = np.argsort(pairs.place, kind="stable")
        until = np.searchsorted(pairs.place[order], np.arange(int(finite.sum())), side="right").tolist()
        around = [column[order].tolist() for column in (pairs.grid, pairs.metres, pairs.covers)]
        held = list(zip(*around, strict=True))
        begins = iter(itertools.pairwise([0, *until]))
        near = [held[slice(*next(begins))] if known else None for known in finite.tolist()]
        rows = zip(answers.winner.tolist(), answers.method.tolist(), answers.by_layer.T.tolist(), near, strict=True)
        return [self._answer(*row, tolerance_m, candidates_within_m) for row in rows]

    def listed(
        self, lon: Floats, lat: Floats, *, tolerance_m: float = 0.0, candidates_within_m: float = 50.0
    ) -> Listed:
        """What `many` answers for finite places, as numbers: grids are indices, and `answers.reason` is of those without one."""
        lon, lat = _floats(lon), _floats(lat)
        answers = Answers.blank(len(lon), len(self.layers))
        self._engine.cover(lon, lat, slice(0, len(lon)), self._unfound(tolerance_m), answers)
        pairs = self._engine.near(lon, lat, float(max(candidates_within_m, tolerance_m)))
        return listed(answers, pairs, NEAREST, tolerance_m, candidates_within_m)

    def _answer(
        self,
        winner: int,
        method: int,
        lowest: list[int],
        near: list[tuple[int, float, bool]] | None,
        tolerance_m: float,
        candidates_within_m: float,
    ) -> Assignment:
        """The assignment of one place from what the engine found; `near` is None for a place that is not finite."""
        layers = {layer: self.codes[g] if g >= 0 else None for layer, g in zip(self.layers, lowest, strict=True)}
        around = [] if near is None else near if len(near) < 2 else sorted(near, key=_by_rule)
        if winner < 0 and around and around[0][1] <= tolerance_m:
            winner, method = around[0][0], NEAREST
        listed = self._listed(around, candidates_within_m, winner)
        if winner < 0:
            reason = REASONS[NO_POSITION if near is None else self._unfound(tolerance_m)]
            return self._assignment(None, "none", reason, layers, None, listed)
        metres = next(far for grid, far, _ in around if grid == winner)
        return self._assignment(winner, METHODS[method], None, layers, metres, listed)

    def place(self, lon: float, lat: float) -> tuple[int, int, list[int]]:
        """(winner, method, lowest grid of every layer) of one place, as numbers: the bare kernel. -1 for none."""
        return self._engine.place(float(lon), float(lat))

    def layers_at(self, lon: float, lat: float) -> dict[str, str | None]:
        """The grid of every layer at one place, in the order of the layers; None where none of a layer covers it."""
        _, _, lowest = self.place(lon, lat)
        return {layer: self.codes[i] if i >= 0 else None for layer, i in zip(self.layers, lowest, strict=True)}

    def candidates(self, lon: Floats, lat: Floats, within_m: float) -> Near:
        """Every grid that covers a place or comes within `within_m` metres of it, in the order of the rule."""
        finite = np.flatnonzero(np.isfinite(lon) & np.isfinite(lat))
        pairs = self._engine.near(_floats(lon[finite]), _floats(lat[finite]), float(within_m))
        metres = np.where(pairs.covers, 0.0, pairs.metres)
        order = np.lexsort((pairs.grid, metres, ~pairs.covers, pairs.place))
        grid = pairs.grid[order].astype(np.int64)
        return Near(finite[pairs.place[order]], grid, metres[order], pairs.covers[order])

    def _nearest(
        self, lon: Floats, lat: Floats, span: slice, tolerance_m: float, answers: Answers, metres: Floats | None
    ) -> None:
        """Places that nobody covers go to the nearest grid within the tolerance; equally near: the lower index."""
        open_places = np.flatnonzero(answers.reason[span] == BEYOND) + span.start
        near = self.candidates(lon[open_places], lat[open_places], tolerance_m)
        place, at = np.unique(near.place, return_index=True)
        rows = open_places[place]
        answers.winner[rows] = near.grid[at]
        answers.method[rows] = NEAREST
        answers.reason[rows] = FOUND
        if metres is not None:
            metres[rows] = near.distance_m[at]

    def _listed(self, near: Sequence[tuple[int, float, bool]], within_m: float, winner: int) -> tuple[Candidate, ...]:
        """Those within `within_m` metres, and the winner, also when it is farther."""
        return tuple(
            Candidate(self.codes[grid], self.layers[self.layer_of[grid]], None, 0.0 if covers else metres)
            for grid, metres, covers in near
            if covers or metres <= within_m or grid == winner
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
        return Assignment(
            code, method, reason, layers, path, metres, None, ambiguous=False, candidates=candidates,
            generation=self.generation,
        )  # fmt: skip


def _joined(partitions: Sequence[Partition]) -> Geometries:
    """The polygons of all partitions, in their order."""
    joined = np.empty(sum(len(partition) for partition in partitions), dtype=object)
    joined[:] = [polygon for partition in partitions for polygon in partition.geometry]
    return joined


def _floats(values: Floats) -> Floats:
    """The values as numbers that compiled loops take: a copy where they are no float64, lie apart or must not be written."""
    return np.require(values, np.float64, ["C", "A", "W"])


@cache
def compile_kernels() -> None:
    """Every compiled loop of the index is loaded, or made (some twenty seconds, once a machine); later calls cost nothing.

    A server calls this before it takes requests, and `scripts/setup` when the loops have changed.
    """
    town = [partition_of(["a"], [shapely.box(0, 0, 1, 1)], "dedicated"), partition_of(["b"], [shapely.box(0, 0, 2, 2)])]
    index = GridIndex.of(town)
    index.locate(np.zeros(1), np.zeros(1), tolerance_m=1.0)
    index.one(0.0, 0.0)
    index.replaced(partition_of(["b"], [shapely.box(0, 0, 2, 1)]))


def _by_rule(near: tuple[int, float, bool]) -> tuple[bool, float, int]:
    """Covering grids first, by index; then the others by distance and index."""
    grid, metres, covers = near
    return not covers, 0.0 if covers else metres, grid


def _engine(name: EngineName, geometry: Geometries, layer_of: Bytes, layers: int) -> Engine:
    if name == "geos":
        return GeosEngine(geometry, layer_of, layers)
    from gis.cellengine import CellEngine  # numba: 0.3 s and 60 MB that --help never pays

    return CellEngine.of(geometry, layer_of, layers)


def _redrawn(before: Partition, rows: Ints, changed: Partition) -> Partition:
    """The partition with new shapes at `rows`; codes, names and their order stay, so nothing is sorted or checked again."""
    after = object.__new__(Partition)
    geometry = before.geometry.copy()
    geometry[rows] = changed.geometry
    geometry.flags.writeable = False
    fields = {"layer": before.layer, "level": before.level, "codes": before.codes, "names": before.names}
    for name, value in (fields | {"geometry": geometry}).items():
        object.__setattr__(after, name, value)
    return after


def _with_partition(boundaries: Boundaries, before: Partition, after: Partition) -> Boundaries:
    """The boundaries with one partition in another's place."""
    return replace(boundaries, partitions=tuple(after if p is before else p for p in boundaries.partitions))
