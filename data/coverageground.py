"""What coverage is measured on, kept in the process: whose each cell is, streets in pieces, whose grids the town had in a window."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import pairwise
from typing import Any, Final, TypeVar

import numpy as np
import numpy.typing as npt

from data.evidence import TownEvidence, instant64
from gis.cellframe import CellFrame
from gis.cellowners import CellOwners, cell_owners
from gis.store.boundaries import Moment
from gis.store.engine import Connection
from gis.store.evidence import read_water, town_marks
from gis.store.generations import list_generations
from gis.store.live import Live, State
from gis.store.visits import read_street_pieces
from gis.streetsamples import StreetSamples, street_samples

#: States whose cells and streets are kept.
_KEEP: Final = 6
T = TypeVar("T")


@dataclass(frozen=True, eq=False)
class TownStreets:
    """The streets that patrols are measured against, as stored (`rows`: id, name, kind, length_m, geometry), and their pieces."""

    rows: list[dict[str, Any]]
    samples: StreetSamples

    @property
    def geometry(self) -> npt.NDArray[np.object_]:
        """Their lines, WGS 84."""
        found = np.empty(len(self.rows), dtype=object)
        found[:] = [row["geometry"] for row in self.rows]
        return found


@dataclass(frozen=True, eq=False)
class Stretch:
    """A part of a window with the boundaries in force in it, the owner of each cell, and of each street piece (positions in codes)."""

    begin: datetime
    end: datetime
    state: State
    cells: CellOwners
    streets: npt.NDArray[np.int32]

    @property
    def begin64(self) -> np.datetime64:
        """When it begins, as numpy has it."""
        return instant64(self.begin)

    @property
    def end64(self) -> np.datetime64:
        """When it ends."""
        return instant64(self.end)

    def uids(self) -> list[str]:
        """The identity of each grid of the index, in the order of its codes."""
        by_code = self.state.boundaries.by_code
        return [by_code[code].uid for code in self.state.index.codes]


@dataclass
class LiveGround:
    """Cells by owner and streets by piece of the boundaries last asked about. Safe in threads: one makes a thing, the others wait."""

    _held: OrderedDict[Hashable, Any] = field(default_factory=OrderedDict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def streets(self, connection: Connection, frame: CellFrame) -> TownStreets:
        """The town's streets, cut into pieces once."""
        marks = town_marks(connection).streets

        def make() -> TownStreets:
            rows = read_street_pieces(connection)
            shapes = np.empty(len(rows), dtype=object)
            shapes[:] = [row["geometry"] for row in rows]
            return TownStreets(rows, street_samples(shapes, frame))

        return self._kept(("streets", marks, id(frame)), frame, make)

    def stretches(
        self, connection: Connection, live: Live, found: TownEvidence, layer: str, begin: datetime, end: datetime, known_at: datetime
    ) -> list[Stretch]:  # fmt: skip
        """The window cut where boundaries change, as they were known at `known_at`. ParameterInvalid for a layer without grids."""
        edges = {
            one.effective_at
            for one in list_generations(connection)
            if one.published_at <= known_at and begin < one.effective_at < end
        }
        return [
            self._stretch(connection, live, found, layer, first, last, known_at)
            for first, last in pairwise(sorted({begin, end, *edges}))
        ]

    def _stretch(
        self, connection: Connection, live: Live, found: TownEvidence, layer: str, begin: datetime, end: datetime, known_at: datetime
    ) -> Stretch:  # fmt: skip
        state = live.state(connection, Moment(begin, known_at))
        state.demand(layer)
        frame = found.evidence.ground.frame
        water = town_marks(connection).water
        cells = self._kept(
            ("cells", id(state), layer, water, id(frame)),
            (state, frame),
            lambda: cell_owners(frame, state.index, layer, water=read_water(connection)),
        )
        streets = self.streets(connection, frame)
        owners = self._kept(
            ("owners", id(state), layer, id(streets)), (state, streets), lambda: _owners(state, layer, streets.samples)
        )
        return Stretch(begin, end, state, cells, owners)

    def _kept(self, key: Hashable, alive: object, make: Callable[[], T]) -> T:
        """What was made for this key; `alive` is kept with it, so that no other thing takes its id."""
        with self._lock:
            if key not in self._held:
                self._held[key] = (alive, make())
            self._held.move_to_end(key)
            while len(self._held) > 3 * _KEEP:
                self._held.popitem(last=False)
            made: T = self._held[key][1]
            return made


def _owners(state: State, layer: str, samples: StreetSamples) -> npt.NDArray[np.int32]:
    """Whose ground the middle of each piece is, by position in the index's codes; -1: nobody's."""
    found = state.index.locate(samples.lon, samples.lat, distance=False).by_layer.get(layer)
    return np.full(len(samples.lon), -1, np.int32) if found is None else found.astype(np.int32)


def numbered(stretches: Sequence[Stretch]) -> dict[str, int]:
    """Grid (uid) -> its number over the whole window: those of the last stretch first, so that these are who is in force at the end."""
    known: dict[str, int] = {}
    for stretch in reversed(stretches):
        for uid in stretch.uids():
            known.setdefault(uid, len(known))
    return known
