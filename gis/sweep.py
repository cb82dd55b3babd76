"""Sweep: which ground was within sight of somebody who walked, and when last; cells of 5 m in the town's metric plane.

Time is cut into slots (a day). Of each slot a cell holds one bit, seen or not, and its last stamp; both lie in tiles of 64 by 64
cells that exist only where somebody walked in that slot. So every question about a window has its exact answer:

- slots wholly inside the window: their bits, or-ed;
- the slot in which the window begins: cells whose last stamp is not before it;
- the slot in which it ends: its last stamps cannot tell (a later pass hides an earlier one), so where somebody walked in that
  slot after the end, its tracks are swept anew up to the end; the caller hands them in. Up to now, or to a slot's end, none are needed.

A stamp is the end of the stretch (at most `stretch_s`) in which the cell was within sight. Stamping takes maxima and ors bits: the
order of tracks does not matter. What a late fix takes back (a leg that led past it: `gis.tracks.changed`) is withdrawn by `exchange`.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Final

import numpy as np
import numpy.typing as npt

from gis.cellframe import SIDE, CellFrame, Int32s, LastSeen, Seen, Words
from gis.errors import ParameterInvalid
from gis.fixes import MICRO, Flags, Floats, Ints, micros_of
from gis.tracks import Tracks

#: Stamps are two bytes: a slot has at most so many units.
_STAMPS: Final = 65_534


@dataclass(eq=False)
class Slot:
    """What was seen from `begin` on, for one length of a slot: tiles of stamps and of bits; `newest`: the last instant, -1: none.

    Instants are microseconds since 1970.
    """

    begin: int
    directory: Int32s
    stamps: npt.NDArray[np.uint16] = field(default_factory=lambda: np.zeros((0, SIDE, SIDE), np.uint16))
    bits: Words = field(default_factory=lambda: np.zeros((0, SIDE), np.uint64))
    used: int = 0
    newest: int = -1

    def make_room(self, touched: Flags) -> None:
        """Every touched tile exists."""
        fresh = np.flatnonzero(touched.ravel() & (self.directory.ravel() < 0))
        if self.used + len(fresh) > len(self.stamps):
            size = max(self.used + len(fresh), min(2 * len(self.stamps), self.directory.size))
            stamps, bits = np.zeros((size, SIDE, SIDE), np.uint16), np.zeros((size, SIDE), np.uint64)
            stamps[: self.used], bits[: self.used] = self.stamps[: self.used], self.bits[: self.used]
            self.stamps, self.bits = stamps, bits
        self.directory.ravel()[fresh] = np.arange(self.used, self.used + len(fresh), dtype=np.int32)
        self.used += len(fresh)

    @property
    def tiles(self) -> Flags:
        """Which tiles exist."""
        return self.directory >= 0

    @property
    def nbytes(self) -> int:
        """Memory of its tiles in bytes."""
        return self.stamps.nbytes + self.bits.nbytes + self.directory.nbytes


@dataclass(eq=False)
class Sweep:
    """All that was seen of a town, slot by slot. Sight, cells, slots and stretches are parameters and travel with every result.

    `origin` is where a slot begins, such as a local midnight; `slot_s` its length. Not safe in two threads while it is added to.
    """

    frame: CellFrame
    sight_m: float = 25.0
    slot_s: int = 86_400
    origin: np.datetime64 = np.datetime64("1970-01-01T00:00:00", "us")  # noqa: RUF009 - a constant
    stretch_s: float = 30.0
    slots: dict[int, Slot] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not (self.sight_m > 0 and self.slot_s >= 1 and self.stretch_s > 0):
            raise ParameterInvalid("sight, slot and stretch are greater than 0", place="sight_m")

    @property
    def parameters(self) -> dict[str, float]:
        """What every figure taken from here depends on."""
        return {
            "sight_m": self.sight_m,
            "cell_m": self.frame.cell_m,
            "stretch_s": self.stretch_s,
            "slot_s": self.slot_s,
        }

    @property
    def unit(self) -> int:
        """The microseconds between two stamps: whole seconds, 2 for a day."""
        return -(-self.slot_s // _STAMPS) * MICRO

    @cached_property
    def _origin(self) -> int:
        return micros_of(self.origin)

    def slot_of(self, micros: Ints | int) -> Ints:
        """The number of the slot in which instants lie."""
        return np.asarray((np.asarray(micros, np.int64) - self._origin) // (self.slot_s * MICRO))

    def begin_of(self, slot: int) -> int:
        """When a slot begins, in microseconds."""
        return self._origin + slot * self.slot_s * MICRO

    def add(self, tracks: Tracks) -> None:
        """All ground within sight of the tracks is seen, at the times they were there; adding twice changes nothing."""
        walk = _Walk.of(self, tracks)
        for number in walk.slots:
            slot = self.slots.get(number) or Slot(self.begin_of(number), self.nowhere())
            self.slots[number] = slot
            legs = walk.legs(number)
            slot.make_room(walk.touched(legs))
            walk.stamp(slot, slot.directory, legs, slot.begin, slot.begin + self.slot_s * MICRO)

    def tiles(self, tracks: Tracks) -> dict[int, Flags]:
        """Of each slot the tiles on which tracks may leave a stamp."""
        walk = _Walk.of(self, tracks)
        return {number: walk.touched(walk.legs(number)) for number in walk.slots}

    def exchange(self, gone: Tracks, tracks: Iterable[Tracks]) -> None:
        """The tiles near what is gone are empty, and seen anew from `tracks`: all that hold, on these tiles in these slots."""
        affected = self.tiles(gone)
        for number, touched in affected.items():
            slot = self.slots.get(number)
            if slot is None:
                continue
            held = slot.directory[touched & slot.tiles]
            slot.stamps[held], slot.bits[held] = 0, 0
            left = int(slot.stamps.max(initial=0))
            slot.newest = min(slot.newest, slot.begin + left * self.unit - 1) if left else -1
        for part in tracks:
            walk = _Walk.of(self, part)
            for number in set(walk.slots) & set(affected):
                slot = self.slots.get(number) or Slot(self.begin_of(number), self.nowhere())
                self.slots[number] = slot
                legs = walk.legs(number)
                slot.make_room(walk.touched(legs) & affected[number])
                only = np.where(affected[number], slot.directory, np.int32(-1)).astype(np.int32)
                walk.stamp(slot, only, legs, slot.begin, slot.begin + self.slot_s * MICRO)

    def forget(self, before: np.datetime64) -> None:
        """Slots that end at or before an instant are gone."""
        last = micros_of(before)
        for number in [n for n in self.slots if self.begin_of(n + 1) <= last]:
            del self.slots[number]

    def seen(self, begin: np.datetime64, end: np.datetime64, tracks: Tracks | None = None) -> Seen:
        """The cells seen in [begin, end).

        `tracks`: all of the slot in which the window ends, needed only where somebody walked in it after the end (ParameterInvalid
        without them). Where the window begins inside a slot, a cell counts when its last stamp is not before that.
        """
        from gis.sweeploops import add_bits

        start, until = micros_of(begin), micros_of(end)
        slots = [
            (slot, max(1, 1 + (start - slot.begin) // self.unit))
            for slot in self._until(start, until, tracks)
            if slot.used
        ]
        directory = self._union([slot for slot, _ in slots])
        bits = np.zeros((int(directory.max(initial=-1)) + 1, SIDE), np.uint64)
        for slot, since in slots:
            add_bits(bits, _places(slot, directory), slot.bits, slot.stamps, since)
        return Seen(self.frame, directory, bits)

    def last_seen(self, as_of: np.datetime64, tracks: Tracks | None = None) -> LastSeen:
        """When each cell was last seen before an instant; `tracks` as for `seen`."""
        from gis.sweeploops import add_latest

        slots = [slot for slot in self._until(None, micros_of(as_of), tracks) if slot.used]
        directory = self._union(slots)
        seconds = np.zeros((int(directory.max(initial=-1)) + 1, SIDE, SIDE), np.int64)
        for slot in sorted(slots, key=lambda s: -s.begin):
            begin = slot.begin // MICRO
            add_latest(seconds, _places(slot, directory), slot.bits, slot.stamps, begin, self.unit // MICRO)
        return LastSeen(self.frame, directory, seconds)

    @property
    def nbytes(self) -> int:
        """Memory in bytes."""
        return sum(slot.nbytes for slot in self.slots.values())

    def nowhere(self) -> Int32s:
        """A directory without any tile."""
        return np.full((self.frame.rows, self.frame.columns), -1, np.int32)

    def _union(self, slots: list[Slot]) -> Int32s:
        """A directory of all tiles that these slots have, numbered in order."""
        directory = self.nowhere()
        there = np.zeros(directory.shape, dtype=bool)
        for slot in slots:
            there |= slot.tiles
        directory[there] = np.arange(int(there.sum()), dtype=np.int32)
        return directory

    def _until(self, start: int | None, until: int, tracks: Tracks | None) -> list[Slot]:
        """The slots that reach into [start, until), the one in which it ends holding nothing that was seen later."""
        if start is not None and start >= until:
            return []
        found = [
            slot
            for number, slot in sorted(self.slots.items())
            if slot.begin < until and (start is None or self.begin_of(number + 1) > start)
        ]
        if found and found[-1].newest >= until:
            if tracks is None:
                raise ParameterInvalid(
                    "the window ends before the last walks of a slot: hand in the tracks of that slot", place="to"
                )
            found[-1] = self._anew(found[-1], until, tracks)
        return found

    def _anew(self, slot: Slot, until: int, tracks: Tracks) -> Slot:
        """What the tracks saw in the slot before an instant."""
        fresh = Slot(slot.begin, self.nowhere())
        walk = _Walk.of(self, tracks)
        legs = walk.legs(int(self.slot_of(slot.begin)))
        fresh.make_room(walk.touched(legs))
        walk.stamp(fresh, fresh.directory, legs, slot.begin, until)
        return fresh


@dataclass(frozen=True, eq=False)
class _Walk:
    """Tracks in cells, and in which slots their legs lie."""

    sweep: Sweep
    x: Floats
    y: Floats
    at: Ints
    joined: Flags
    first_slot: Ints
    last_slot: Ints

    @classmethod
    def of(cls, sweep: Sweep, tracks: Tracks) -> _Walk:
        x, y = sweep.frame.cells(tracks.fixes.lon, tracks.fixes.lat)
        at = np.ascontiguousarray(tracks.fixes.micros)
        ends = at.copy()
        ends[:-1] = np.where(tracks.joined[:-1], at[1:] - 1, at[:-1])
        return cls(sweep, x, y, at, np.ascontiguousarray(tracks.joined), sweep.slot_of(at), sweep.slot_of(ends))

    @property
    def slots(self) -> list[int]:
        """The slots in which legs lie."""
        longer = np.flatnonzero(self.last_slot > self.first_slot)
        ways = zip(self.first_slot[longer].tolist(), self.last_slot[longer].tolist(), strict=True)
        found = {slot for low, high in ways for slot in range(low, high + 1)}
        return sorted(found | set(np.unique(self.first_slot).tolist()))

    def legs(self, slot: int) -> Ints:
        """The legs that lie in a slot, or partly."""
        return np.flatnonzero((self.first_slot <= slot) & (self.last_slot >= slot))

    @property
    def _radius(self) -> float:
        return self.sweep.sight_m / self.sweep.frame.cell_m

    def touched(self, legs: Ints) -> Flags:
        """The tiles on which these legs may leave a stamp."""
        from gis.sweeploops import mark_tiles

        touched = np.zeros((self.sweep.frame.rows, self.sweep.frame.columns), dtype=bool)
        mark_tiles(self.x, self.y, self.joined, legs, self._radius, touched)
        return touched

    def stamp(self, slot: Slot, directory: Int32s, legs: Ints, start: int, until: int) -> None:
        """The slot holds what these legs saw in [start, until) on the tiles of the directory."""
        from gis.sweeploops import stamp_legs

        clock = np.array([slot.begin, start, until, self.sweep.unit, round(self.sweep.stretch_s * MICRO)], np.int64)
        newest = stamp_legs(
            self.x, self.y, self.at, self.joined, legs, clock, self._radius, directory, slot.stamps, slot.bits
        )
        slot.newest = max(slot.newest, int(newest))


def _places(slot: Slot, directory: Int32s) -> Int32s:
    """Where tile k of the slot lies in a directory; as many as the slot uses."""
    held = slot.tiles
    place = np.empty(slot.used, np.int32)
    place[slot.directory[held]] = directory[held]
    return place
