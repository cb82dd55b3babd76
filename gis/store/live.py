"""Live: the index of the boundaries in force, kept in the process and never behind the store.

A process keeps one index a state. Which state is meant follows from the generations alone: those known at `known_at`, and
of these the last change at or before `at`. The newest generation's number is asked of the store each time (one index-only
read), so a publication by another process is seen by the very next call.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from concurrent.futures import Future
from copy import copy
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import numpy as np
import shapely
import sqlalchemy as sa

from gis.claims import Claims
from gis.errors import ParameterInvalid
from gis.locate import GridIndex
from gis.partition import Boundaries, Partition
from gis.policy import PolicyDocument
from gis.store.boundaries import Moment, newest_generation, read_boundaries
from gis.store.context import LiveStreets
from gis.store.gazetteer import LiveGazetteer
from gis.store.generations import clock
from gis.store.households import LiveHouseholds
from gis.store.policies import newest_policy, read_policy


@dataclass(frozen=True)
class State:
    """One state of the boundaries and its index; `at` is the instant the state began, None before the first generation."""

    boundaries: Boundaries
    index: GridIndex
    since: datetime | None
    _ordered: dict[tuple[str, ...], GridIndex] = field(default_factory=dict)
    _claims: dict[tuple[str, ...], Claims] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    #: What callers made of the state alone and want to find again, by its kind.
    derived: dict[type, Any] = field(default_factory=dict)

    def index_of(self, layer: str | None) -> GridIndex:
        """The index over all layers, or over one alone; ParameterInvalid for a layer without grids."""
        if layer is None:
            return self.index
        self.demand(layer)
        return self.in_order((layer,))

    def demand(self, layer: str) -> None:
        """There are grids of this layer; ParameterInvalid when there are none."""
        if layer not in self.index.layers:
            raise ParameterInvalid(f"no grids of layer {layer} are in force at this moment", place="layer")

    def in_order(self, layers: tuple[str, ...]) -> GridIndex:
        """The index over these layers, the winning one first; made once."""
        if layers == self.index.layers:
            return self.index
        if layers in self._ordered:  # nobody waits for what is there while another order is made
            return self._ordered[layers]
        with self._lock:
            if layers not in self._ordered:
                held = {partition.layer: partition for partition in self.boundaries.assignable()}
                self._ordered[layers] = GridIndex([held[layer] for layer in layers], self.boundaries)
            return self._ordered[layers]

    def claims(self, layers: tuple[str, ...]) -> Claims:
        """Who has which ground when these layers go first in this order, for places that are known to so many metres; made once."""
        index = self.in_order(layers)
        if layers in self._claims:
            return self._claims[layers]
        with self._lock:
            if layers not in self._claims:
                self._claims[layers] = Claims.of(index)
            return self._claims[layers]


@dataclass(frozen=True)
class _Published:
    number: int
    published_at: datetime
    effective_at: datetime


#: Up to so many moved grids, and this share of all besides, an index is made from the one before.
_MOVED, _MOVED_SHARE = 16, 0.02

#: A state: the newest generation known, and the last change in effect.
_Key = tuple[int, datetime | None]


class Live:
    """States of the boundaries by moment, at most `keep` of them, the longest unused dropped first. Safe in threads."""

    def __init__(self, keep: int = 6) -> None:
        self._keep = keep
        self._states: OrderedDict[_Key, State] = OrderedDict()
        self._making: dict[_Key, Future[State | None]] = {}
        self._line: tuple[_Published, ...] = ()
        self._policies: dict[int, PolicyDocument] = {}
        self._lock = threading.Lock()
        self.gazetteer = LiveGazetteer()
        self.households = LiveHouseholds()
        self.streets = LiveStreets()

    def policy(self, connection: sa.Connection, number: int | None = None) -> PolicyDocument:
        """A version of the policy by its number, the newest without one; each is read once."""
        wanted = newest_policy(connection) if number is None else number
        if wanted not in self._policies:
            self._policies[wanted] = read_policy(connection, wanted).document()
        return self._policies[wanted]

    def now(self, connection: sa.Connection) -> Moment:
        """The present moment by the server's clock."""
        instant = clock(connection)
        return Moment(instant, instant)

    def state(self, connection: sa.Connection, moment: Moment, *, newest: int | None = None) -> State:
        """The state of the boundaries at a moment; `newest` spares the question when the caller has just asked it.

        Who asks for a state that is held never waits; who asks for one that another thread is making waits for that one alone.
        """
        number = newest_generation(connection) if newest is None else newest
        while True:
            line = self._line_to(connection, number)
            key = _key(line, moment)
            state, making, mine = self._held(key)
            if state is None and not mine:
                state = making.result()  # None: could not be made, or does not belong here
            if state is not None:
                return state
            if not mine:
                continue
            try:
                made = self._made(connection, moment, key)
                # What was published while it was being read may be in it, and would not belong under this key.
                number = number if newest is not None else newest_generation(connection)
                state = made if number <= (line[-1].number if line else 0) else None
            finally:
                self._keep_made(key, state, making)
            if state is not None:
                return state

    def _line_to(self, connection: sa.Connection, number: int) -> tuple[_Published, ...]:
        """All generations as far as this one at least."""
        line = self._line
        if line and line[-1].number >= number:
            return line
        line = _line(connection)
        with self._lock:
            if line and (not self._line or self._line[-1].number < line[-1].number):
                self._line = line
        return line

    def _held(self, key: _Key) -> tuple[State | None, Future[State | None], bool]:
        """(the state when it is held, else who makes it, whether that is the caller from now on)."""
        with self._lock:
            state = self._states.get(key)
            if state is not None:
                self._states.move_to_end(key)
                return state, Future(), False
            mine = key not in self._making
            return None, self._making.setdefault(key, Future()), mine

    def _keep_made(self, key: _Key, state: State | None, making: Future[State | None]) -> None:
        """A state that was made is held, and who waited for it goes on."""
        with self._lock:
            del self._making[key]
            if state is not None:
                self._states[key] = state
                while len(self._states) > self._keep:
                    self._states.popitem(last=False)
        making.set_result(state)

    def _made(self, connection: sa.Connection, moment: Moment, key: _Key) -> State:
        boundaries = read_boundaries(connection, moment)
        with self._lock:
            newest = max(self._states.values(), key=lambda held: held.boundaries.generation, default=None)
        index = GridIndex.build(boundaries) if newest is None else following(newest.index, boundaries)
        return State(boundaries, index, key[1])


def following(index: GridIndex, boundaries: Boundaries) -> GridIndex:
    """The index over other boundaries, with the answers of one built anew; where few shapes differ, it shares the rest with `index`.

    So it is after a publication that moved some borders: the layers, their order and their codes are the same. Else it is built.
    """
    before, after = index.boundaries.assignable(), boundaries.assignable()
    if [(p.layer, p.level, p.codes) for p in before] != [(p.layer, p.level, p.codes) for p in after]:
        return GridIndex.build(boundaries)
    ends = np.cumsum([len(part) for part in after])[:-1]
    moved = [
        np.flatnonzero(~shapely.equals_exact(old, part.geometry)).tolist()
        for old, part in zip(np.split(index.geometry, ends), after, strict=True)
    ]
    if sum(map(len, moved)) > _MOVED + len(index) * _MOVED_SHARE:
        return GridIndex.build(boundaries)
    index = copy(index)
    index.boundaries = boundaries
    for part, rows in zip(after, moved, strict=True):
        if rows:
            codes = tuple(part.codes[i] for i in rows)
            index = index.replaced(Partition(part.layer, part.level, codes, part.geometry[rows]), boundaries)
    return index


def _line(connection: sa.Connection) -> tuple[_Published, ...]:
    rows = connection.execute(sa.text("SELECT number, published_at, effective_at FROM generation ORDER BY number"))
    return tuple(_Published(*row) for row in rows)


def _key(line: tuple[_Published, ...], moment: Moment) -> _Key:
    known = [one for one in line if one.published_at <= moment.known_at]
    if not known:
        return 0, None
    begun = [one.effective_at for one in known if one.effective_at <= moment.at]
    return known[-1].number, max(begun, default=None)
