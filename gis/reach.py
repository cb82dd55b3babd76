"""Reach: which grids an edit concerns, where they lie, and who has a place there before and after it.

Only what lies about the touched grids is looked at, so an edit in a large city costs as much as one in a village. The answers are
those of `gis.locate` over the whole city: every grid that could cover a place in the boxes is asked.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
import shapely

from gis.flows import OUTSIDE
from gis.loads import Boxes, Floats, Ints, few
from gis.locate import GridIndex
from gis.partition import Boundaries, Geometries, Partition


def changed_uids(before: Boundaries, after: Boundaries) -> frozenset[str]:
    """The uids whose shape, code, name or parents differ, or that are in one of both only."""
    old, new = before.units, after.units
    shapes = before.shapes, after.shapes
    return frozenset(
        uid
        for uid in old.keys() | new.keys()
        if old.get(uid) != new.get(uid) or not _same(shapes[0].get(uid), shapes[1].get(uid))
    )


def _same(one: Any, other: Any) -> bool:
    return one is other or bool(shapely.equals_identical(one, other))


@dataclass(frozen=True)
class Side:
    """One of both states: its boundaries, and those of its partitions that are asked, the winning layer first."""

    boundaries: Boundaries
    partitions: tuple[Partition, ...]

    @cached_property
    def bounds(self) -> tuple[Boxes, ...]:
        """The box of every grid, partition by partition."""
        return tuple(np.asarray(shapely.bounds(p.geometry)).reshape(-1, 4) for p in self.partitions)

    def shape(self, uid: str) -> Any | None:
        """The grid's polygon if it is in one of these partitions."""
        unit = self.boundaries.units.get(uid)
        for partition in self.partitions if unit else ():
            if unit and (partition.layer, partition.level) == (unit.layer, unit.level):
                at = partition.position.get(unit.code)
                return None if at is None else partition.geometry[at]
        return None

    def uids(self, partition: Partition, rows: Iterable[int]) -> list[str]:
        """The uids of some grids of a partition."""
        by_code = self.boundaries.by_code
        return [by_code[partition.codes[row]].uid for row in rows]

    def near(self, boxes: Boxes) -> tuple[Partition, ...]:
        """The partitions with only those grids whose box meets one of the boxes; empty ones are left out."""
        found = []
        for partition, bounds in zip(self.partitions, self.bounds, strict=True):
            rows = np.flatnonzero(_meets(bounds, few(boxes)))
            if len(rows):
                codes = tuple(partition.codes[row] for row in rows.tolist())
                found.append(Partition(partition.layer, partition.level, codes, partition.geometry[rows]))
        return tuple(found)

    def beneath(self, layer: str, shape: Any) -> list[str]:
        """The grids of layers that lose to `layer` and share ground or border with a shape of it."""
        layers = [partition.layer for partition in self.partitions]
        lower = layers.index(layer) + 1 if layer in layers else 0
        box = np.asarray(shapely.bounds(shape)).reshape(1, 4)
        found: list[str] = []
        for partition, bounds in list(zip(self.partitions, self.bounds, strict=True))[lower:]:
            rows = np.flatnonzero(_meets(bounds, box))
            found += self.uids(partition, rows[shapely.intersects(partition.geometry[rows], shape)].tolist())
        return found


def _meets(bounds: Boxes, boxes: Boxes) -> npt.NDArray[np.bool_]:
    met = np.zeros(len(bounds), dtype=bool)
    for west, south, east, north in boxes.tolist():
        met |= (bounds[:, 0] <= east) & (bounds[:, 2] >= west) & (bounds[:, 1] <= north) & (bounds[:, 3] >= south)
    return met


def boxes_of(sides: Iterable[Side], uids: Collection[str]) -> Boxes:
    """The boxes of some grids in every state, (n, 4)."""
    shapes = [shape for side in sides for uid in uids if (shape := side.shape(uid)) is not None]
    held = np.empty(len(shapes), dtype=object)
    held[:] = shapes
    return np.asarray(shapely.bounds(held), dtype=np.float64).reshape(-1, 4)


class Reach:
    """Both states about some grids, ready to be asked who has a place; index i stands for `uids[i]`, -1 for nobody.

    `concerned`: the uids asked for. `uids`: those, and every other grid that may have a place in their boxes.
    """

    def __init__(self, before: Side, after: Side, concerned: Collection[str]) -> None:
        self.concerned = tuple(sorted(concerned))
        self.boxes = boxes_of((before, after), self.concerned)
        near = before.near(self.boxes), after.near(self.boxes)
        sides = before, after
        codes = [
            [uid for p in parts for uid in side.uids(p, range(len(p)))] for side, parts in zip(sides, near, strict=True)
        ]
        self.uids: tuple[str, ...] = tuple(sorted({*concerned, *codes[0], *codes[1]}))
        self.number = {uid: i for i, uid in enumerate(self.uids)}
        self._numbers = [np.array([*(self.number[uid] for uid in held), OUTSIDE], dtype=np.int64) for held in codes]
        self._indexes = [GridIndex.of(p, engine="geos") for p in near]  # asked once: what it spares in building counts
        self.near = near

    @property
    def borders(self) -> Geometries:
        """Every shape about, of both states: where lines have to be cut."""
        return np.concatenate([index.geometry for index in self._indexes])

    def located(self, lon: Floats, lat: Floats) -> tuple[Ints, Ints]:
        """(before, after): who has each place; right for places in `boxes`."""
        found = [index.locate(lon, lat, distance=False).winner for index in self._indexes]
        before, after = (numbers[winner] for numbers, winner in zip(self._numbers, found, strict=True))
        return before, after
