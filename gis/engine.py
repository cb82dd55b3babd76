"""Engine: what a GridIndex asks to find out which grids cover a place; two of them give the same answers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from gis.nearby import Bytes, Floats, Ints
from gis.partition import Geometries

Indices = npt.NDArray[np.int32]


@dataclass(frozen=True)
class Answers:
    """Room for the answers to n places: winner, method, reason of length n, `by_layer` of shape (layers, n)."""

    winner: Indices
    method: Bytes
    reason: Bytes
    by_layer: Indices

    @classmethod
    def blank(cls, places: int, layers: int) -> Answers:
        """Room in which nothing is known; an engine fills all of it."""
        return cls(
            np.empty(places, dtype=np.int32),
            np.empty(places, dtype=np.uint8),
            np.empty(places, dtype=np.uint8),
            np.empty((layers, places), dtype=np.int32),
        )


@dataclass(frozen=True)
class Pairs:
    """Pair k: `grid[k]`'s border is `metres[k]` from `place[k]` (0 on it), and `covers[k]` says whether the grid covers it."""

    place: Ints
    grid: Ints
    metres: Floats
    covers: npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Listed:
    """Answers to n finite places with who is near, as numbers. `metres` is from place i to its winner's border, NaN without one.

    Ragged: pair k says that `grid[k]` is `distance_m[k]` metres from `place[k]` (0 where it covers it), in the order of the rule.
    """

    answers: Answers
    metres: Floats
    place: Ints
    grid: Ints
    distance_m: Floats


class Engine(Protocol):
    """Which grids cover places, and how far borders are. Indices are those of the GridIndex; safe in any number of threads."""

    @property
    def nbytes(self) -> int:
        """Memory in bytes of the engine's own arrays, as far as it knows."""

    def cover(self, lon: Floats, lat: Floats, span: slice, outside: int, answers: Answers) -> None:
        """The span of `answers` is filled in: winner (-1: none), method, reason (`outside` where nobody covers), the lowest per layer."""

    def place(self, lon: float, lat: float) -> tuple[int, int, list[int]]:
        """(winner, method, lowest grid per layer) of one place; -1 for none."""

    def distances_m(self, grid: Ints, lon: Floats, lat: Floats) -> Floats:
        """Metres from place i to the border of `grid[i]`, inside or outside; NaN where that is -1."""

    def near(self, lon: Floats, lat: Floats, within_m: float) -> Pairs:
        """Who covers finite places or comes within so many metres of them, in no particular order."""

    def near_one(self, lon: float, lat: float, within_m: float) -> list[tuple[int, float, bool]]:
        """(grid, metres to its border, does it cover) of those who cover one finite place or come so near."""

    def replaced(self, grids: Ints, geometry: Geometries) -> Engine:
        """The engine after `grids` were drawn anew; `geometry` holds all. This one stays as it is."""


def listed(answers: Answers, pairs: Pairs, nearest: int, tolerance_m: float, within_m: float) -> Listed:
    """The answers with everybody within `within_m` metres and the winner.

    `answers` as the engine's `cover` filled them in, `pairs` as its `near` found them, at least so far as both distances. A place
    that nobody covers goes to the nearest grid within the tolerance, by the method `nearest`; equally near: the lower index.
    """
    winner, method = answers.winner.copy(), answers.method.copy()
    far = np.where(pairs.covers, 0.0, pairs.metres)
    order = np.lexsort((pairs.grid, far, ~pairs.covers, pairs.place))
    place, grid, far, metres = (column[order] for column in (pairs.place, pairs.grid, far, pairs.metres))
    known, first = np.unique(place, return_index=True)
    free = (winner[known] < 0) & (far[first] <= tolerance_m)
    winner[known[free]] = grid[first[free]]
    method[known[free]] = nearest
    own = grid == winner[place]
    to_border = np.full(len(winner), np.nan)
    to_border[place[own]] = metres[own]
    told = pairs.covers[order] | (far <= within_m) | own
    answered = Answers(winner, method, answers.reason, answers.by_layer)
    return Listed(answered, to_border, place[told], grid[told], far[told])
