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
