"""Coverage of city B by 1,000 tracks of 3,000 fixes: CPU time, exact buffers as the truth, and whatever way the fixes come the same."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt
import shapely

from data.benchcoverage import BEGIN, FIXES, NOW, SIGHT_M, Beat, beat_of, tracks_of_member, window
from data.citygen import CITIES, city
from gis.cellowners import CellOwners, cell_owners
from gis.compactfixes import CompactFixes, compacted, joined, settled
from gis.fixes import clean
from gis.gridvisits import GridVisits, Span, grid_visits
from gis.places import PlaceVisits, stays
from gis.sweep import Sweep
from gis.tracks import Tracks, changed, stops_of, tracks_of, walked
from tests.acceptance.check import Check, at_least, at_most, equal

#: It measures CPU time.
ON_REQUEST = True

Floats = npt.NDArray[np.float64]
T = TypeVar("T")

MEMBERS = 1000
DAYS = np.timedelta64(1, "D")
#: Members whose visits to grids are compared; places at which stays are.
VISITORS, PLACES = 30, 30_000


def run(shared: Path, work: Path) -> Iterator[Check]:
    """City B is made here (needs scipy); CPU seconds of this process, kernels compiled before."""
    beat = beat_of(city(CITIES["B"]), MEMBERS)
    _warm(beat)
    yield from _swept(beat)


def _cpu(job: Callable[[], T]) -> tuple[T, float]:
    begun = time.process_time()
    return job(), time.process_time() - begun


def _warm(beat: Beat) -> None:
    """Every loop is compiled."""
    few = Beat(beat.shapes, beat.fixes.take(np.arange(20)))
    made = few.sweep(few.tracks())
    made.seen(BEGIN + np.timedelta64(9, "h"), NOW)
    made.last_seen(NOW)


def _swept(beat: Beat) -> Iterator[Check]:
    tracks, took = _cpu(beat.tracks)
    yield at_least("cleaning and joining, fixes a CPU second", 1e6, len(beat.fixes) / took)
    made, took = _cpu(lambda: beat.sweep(tracks))
    yield at_most("1,000 tracks of 3,000 fixes over city B: stamp", 2.0, took, "CPU s")
    parts = [tracks_of_member(tracks, m) for m in range(MEMBERS)]
    one_by_one = beat.sweep()
    times = [_cpu(partial(one_by_one.add, part))[1] for part in parts]
    yield at_most("one new track, median", 5.0, float(np.median(times)) * 1000, "CPU ms")
    owners = cell_owners(beat.frame, beat.index, "general")
    for first, last in ((7.0, 14.0), (0.0, 14.0), (6.4, 14.0), (2.35, 9.0)):
        read, took = _cpu(partial(_window, made, owners, first, last))
        yield at_most(f"window of days {first:g} to {last:g}: read", 50.0, took * 1000, "CPU ms")
        yield equal(
            f"window of days {first:g} to {last:g}: one by one the same",
            True,
            bool((read == _window(one_by_one, owners, first, last)).all()),
        )
    yield at_most("memory of the sweep", 150.0, made.nbytes / 1e6, "MB")
    share = np.divide(*_window(made, owners, 7.0, 14.0))
    yield from _errors(beat, tracks, share)
    grid_visits(parts[1], [Span(BEGIN, NOW, beat.index)], "general")
    visits, took = _cpu(lambda: grid_visits(parts[0], [Span(BEGIN, NOW, beat.index)], "general"))
    yield at_most("visits of one track", 100.0, took * 1000, "CPU ms")
    yield equal("seconds of its visits", 10.0 * (FIXES - 1), float(visits.dwell_s.sum()))
    yield from _same_however_it_came(beat, owners)


def _window(made: Sweep, owners: CellOwners, first: float, last: float) -> npt.NDArray[np.int64]:
    return np.stack(window(made, owners, first, last))


# --- however it came -------------------------------------------------------------------------------------------------


def _arrivals(beat: Beat) -> Iterator[tuple[str, list[npt.NDArray[np.int64]]]]:
    """(how, the rows of the batches in which they come)."""
    rng = np.random.default_rng(3)
    rows = np.arange(len(beat.fixes))
    mixed = rng.permutation(rows)
    half = len(rows) // 2
    yield "in order, one batch", [rows]
    yield "shuffled", [mixed]
    yield "every row twice, shuffled", [rng.permutation(np.concatenate([rows, rows]))]
    yield "halved at random, the second half sent again with the first", [mixed[:half], mixed]
    yield (
        "late: every other fix, then the others in four batches",
        [rows[::2], *np.array_split(rng.permutation(rows[1::2]), 4)],
    )


def _same_however_it_came(beat: Beat, owners: CellOwners) -> Iterator[Check]:
    """As intake does: each batch is settled with what is held; legs that it takes back are exchanged, the others added."""
    whole = compacted(beat.fixes, np.zeros(len(beat.fixes), np.int16))
    first: _State | None = None
    for how, batches in _arrivals(beat):
        state, exchanged = _arrived(beat, [whole.take(rows) for rows in batches])
        if first is None:
            first = state
            continue
        found = state.unlike(first, owners)
        yield equal(f"{how} ({exchanged} exchanges): what differs, bit for bit", [], found)


def _arrived(beat: Beat, batches: list[CompactFixes]) -> tuple[_State, int]:
    held, made, exchanges = batches[0].take(slice(0, 0)), beat.sweep(), 0
    before = _tracks(held)
    for batch in batches:
        held = settled(joined([held, settled(batch)]))
        after = _tracks(held)
        gone, new = changed(before, after)
        if len(gone):
            made.exchange(gone, [after])
            exchanges += 1
        made.add(new)
        before = after
    return _State.of(beat, before, made), exchanges


def _tracks(held: CompactFixes) -> Tracks:
    return tracks_of(clean(held.fixes(), now=NOW).fixes)


@dataclass(frozen=True, eq=False)
class _State:
    """All that is known of fixes in the end."""

    tracks: Tracks
    averaged: Tracks
    sweep: Sweep
    visits: GridVisits
    stays: PlaceVisits

    @classmethod
    def of(cls, beat: Beat, tracks: Tracks, sweep: Sweep) -> _State:
        at = np.random.default_rng(5).integers(0, len(beat.fixes), PLACES)
        few = tracks.fixes.member < VISITORS
        some = Tracks(tracks.fixes.take(few), tracks.joined[few], tracks.bridged[few])
        return cls(
            tracks,
            walked(tracks, stops_of(tracks)),
            sweep,
            grid_visits(some, [Span(BEGIN, NOW, beat.index)], "general"),
            stays(tracks, beat.fixes.lon[at], beat.fixes.lat[at], beat.frame.plane),
        )

    def unlike(self, other: _State, owners: CellOwners) -> list[str]:
        """The names of what is not the same, value by value."""
        pairs = {
            "tracks": (_columns(self.tracks), _columns(other.tracks)),
            "averaged walks": (_columns(self.averaged), _columns(other.averaged)),
            "stamps and bits": (_stamps(self.sweep), _stamps(other.sweep)),
            "windows": tuple(
                [_window(one.sweep, owners, a, b) for a, b in ((0, 14), (6.4, 14))] for one in (self, other)
            ),
            "visits to grids": (list(vars(self.visits).values()), list(vars(other.visits).values())),
            "stays at places": (list(vars(self.stays).values()), list(vars(other.stays).values())),
        }
        return [name for name, (own, others) in pairs.items() if not _equal(own, others)]


def _equal(own: list[Any], others: list[Any]) -> bool:
    return len(own) == len(others) > 0 and all(
        np.array_equal(a, b, equal_nan=np.asarray(a).dtype.kind == "f") for a, b in zip(own, others, strict=True)
    )


def _columns(tracks: Tracks) -> list[Any]:
    fixes = tracks.fixes
    return [fixes.member, fixes.micros, fixes.lon, fixes.lat, fixes.accuracy_m, tracks.joined, tracks.bridged]


def _stamps(made: Sweep) -> list[Any]:
    """Of every slot where its seen tiles lie, their stamps, their bits and the newest stamp."""
    found: list[Any] = []
    for number, slot in sorted(made.slots.items()):
        rows = slot.directory[slot.tiles]
        used = slot.bits[rows].any(axis=1)
        found += [
            number,
            np.argwhere(slot.tiles)[used],
            slot.stamps[rows][used],
            slot.bits[rows][used],
            slot.newest // made.unit,
        ]
    return found


def _errors(beat: Beat, tracks: Tracks, share: Floats) -> Iterator[Check]:
    """Exact buffers of every leg, in the plane, of 400 grids."""
    plane, shapes = beat.frame.plane, beat.grounds_m
    recent = tracks.fixes.take(tracks.fixes.at >= BEGIN + 7 * DAYS)
    metres = plane.metres(recent.lon, recent.lat).reshape(-1, FIXES, 2)
    short = np.array([shapely.LineString(walk[k : k + 21]) for walk in metres for k in range(0, FIXES - 1, 20)])
    tree = shapely.STRtree(short)
    errors = []
    for i in np.random.default_rng(1).permutation(len(shapes))[:400].tolist():
        near = short[tree.query(shapes[i], predicate="dwithin", distance=SIGHT_M)]
        if len(near):
            seen = shapely.union_all(shapely.buffer(near, SIGHT_M, quad_segs=32))
            errors.append(abs(shapely.area(shapely.intersection(seen, shapes[i])) / shapely.area(shapes[i]) - share[i]))
    yield at_most("mean error of a grid's share", 0.0005, float(np.mean(errors)))
    yield at_most("99th percentile of the error", 0.004, float(np.percentile(errors, 99)))
