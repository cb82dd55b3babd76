"""Tracks: the walked line between fixes, where it is known; stops and moves on it; how much of a duty was tracked.

Between two fixes less than a maximum apart the member is taken to have gone straight. A longer gap ends a piece: there nothing
is known, neither that a place was seen nor that it was not.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from gis.crs import metres_per_degree
from gis.errors import ParameterInvalid
from gis.fixes import MICRO, Duty, Fixes, Flags, Floats, Ints, Times, micros_of


@dataclass(frozen=True)
class Gaps:
    """Up to which gap two fixes are joined: seconds and metres. Legs of more than `steady_s` are joined, and marked as bridged."""

    max_gap_s: float = 300.0
    max_gap_m: float = 1000.0
    max_speed_mps: float = 35.0
    steady_s: float = 60.0


@dataclass(frozen=True, eq=False)
class Tracks:
    """Clean fixes, sorted by member and time; `joined[i]`: the way from fix i to fix i + 1 is known. `bridged`: over a long gap.

    Leg i leads from fix i to fix i + 1, or is fix i alone where nothing is joined to it: so every fix has one leg.
    """

    fixes: Fixes
    joined: Flags
    bridged: Flags

    def __len__(self) -> int:
        return len(self.fixes)

    @cached_property
    def first(self) -> Ints:
        """Piece p is the fixes first[p]..first[p + 1] - 1, each joined to the next."""
        ends = np.flatnonzero(~self.joined) + 1
        return np.concatenate([[0], ends]).astype(np.int64)

    @cached_property
    def metres(self) -> Floats:
        """(n, 2) metres east and north of the first fix of each piece, on the ellipsoid's plane there."""
        start = np.repeat(self.first[:-1], np.diff(self.first))
        east, north = metres_per_degree(self.fixes.lat[start])
        return np.column_stack(
            [(self.fixes.lon - self.fixes.lon[start]) * east, (self.fixes.lat - self.fixes.lat[start]) * north]
        )

    def gaps(self) -> Duty:
        """The spans between two pieces of a member: where nobody knows where it was."""
        ends = np.flatnonzero(~self.joined)[:-1]
        ends = ends[self.fixes.member[ends] == self.fixes.member[ends + 1]] if len(ends) else ends
        return Duty(self.fixes.member[ends], self.fixes.at[ends], self.fixes.at[ends + 1])


def tracks_of(fixes: Fixes, gaps: Gaps = Gaps()) -> Tracks:
    """The tracks of clean fixes. Raises ParameterInvalid for fixes that `gis.fixes.clean` did not put in order."""
    member, micros = fixes.member, fixes.micros
    count = len(fixes)
    joined, bridged = np.zeros(count, dtype=bool), np.zeros(count, dtype=bool)
    if count < 2:
        return Tracks(fixes, joined, bridged)
    same, passed = member[1:] == member[:-1], micros[1:] - micros[:-1]
    if not bool((np.where(same, passed > 0, member[1:] > member[:-1])).all()):
        raise ParameterInvalid("fixes come in order of member and time, one a time: clean them first", place="fixes")
    east, north = metres_per_degree(fixes.lat)
    metres = np.hypot((fixes.lon[1:] - fixes.lon[:-1]) * east[1:], (fixes.lat[1:] - fixes.lat[:-1]) * north[1:])
    seconds = passed / MICRO
    slack = 2.0 * np.nan_to_num(np.fmax(fixes.accuracy_m[1:], fixes.accuracy_m[:-1]), nan=20.0)
    near = (metres <= gaps.max_gap_m) & (metres <= gaps.max_speed_mps * seconds + slack)
    joined[:-1] = same & (seconds <= gaps.max_gap_s) & near
    bridged[:-1] = joined[:-1] & (seconds > gaps.steady_s)
    return Tracks(fixes, joined, bridged)


@dataclass(frozen=True, eq=False)
class Stops:
    """Stop s: `member[s]` stayed round `lon[s]`, `lat[s]` from `begin[s]` to `end[s]`; `of[i]` is the stop of fix i, -1: moving."""

    member: npt.NDArray[np.int32]
    begin: Times
    end: Times
    lon: Floats
    lat: Floats
    of: Ints

    @property
    def seconds(self) -> Floats:
        """How long each lasted."""
        return (self.end - self.begin).view(np.int64) / MICRO


def stops_of(tracks: Tracks, *, diameter_m: float = 60.0, at_least_s: float = 120.0, rejoin_s: float = 60.0) -> Stops:
    """Where members stayed: every fix that lies in some window of at least so long within a diameter.

    No stop is wider than the diameter (the greatest of eight directions, at most 2 % below it): a slow drift is several, one from the
    end of the other, so that no time of such a window is lost.
    Two stops of a piece less than `rejoin_s` and half a diameter apart are one: a single reading off does not end a stay. All
    else of a piece is moving.
    """
    from gis.trackloops import find_stops

    of, follows = np.full(len(tracks), -1, np.int64), np.zeros(len(tracks), dtype=bool)
    x, y = np.ascontiguousarray(tracks.metres.T)
    count = find_stops(x, y, tracks.fixes.micros, tracks.first, diameter_m, round(at_least_s * MICRO), of, follows)
    first, last = _ends(of, count)
    stops = _stops(tracks, first, last, follows)
    east, north = metres_per_degree(stops.lat[:-1])
    apart = np.hypot(np.diff(stops.lon) * east, np.diff(stops.lat) * north)
    piece = np.searchsorted(tracks.first, first, side="right")
    waited = (stops.begin[1:] - stops.end[:-1]).view(np.int64)
    one = (piece[1:] == piece[:-1]) & (apart <= diameter_m / 2) & (waited <= rejoin_s * MICRO)
    return _stops(tracks, first[np.append(True, ~one)[: len(first)]], last[np.append(~one, True)[: len(last)]], follows)


def _ends(of: Ints, count: int) -> tuple[Ints, Ints]:
    """The first and the last fix of each stop."""
    still = np.flatnonzero(of >= 0)
    bounds = np.searchsorted(of[still], np.arange(count + 1))
    return still[bounds[:-1]], still[bounds[1:] - 1] if count else still[:0]


def _stops(tracks: Tracks, first: Ints, last: Ints, follows: Flags) -> Stops:
    """The stops that the fixes first[s]..last[s] are; one that `follows` takes over from the one before without a moment between."""
    fixes, size = tracks.fixes, last - first + 1
    step = np.zeros(len(tracks) + 1, np.int64)
    step[first] = 1
    step[last + 1] -= 1
    still = np.cumsum(step[:-1]) > 0
    of = np.full(len(tracks), -1, np.int64)
    of[still] = np.repeat(np.arange(len(first)), size)
    middle = [
        np.bincount(of[still], weights=column[still] - np.repeat(column[first], size), minlength=len(first)) / size
        + column[first]
        for column in (fixes.lon, fixes.lat)
    ]
    end = fixes.at[last]
    taken_over = np.flatnonzero(follows[first[1:]])
    end[taken_over] = fixes.at[first[1:][taken_over]]
    return Stops(fixes.member[first], fixes.at[first], end, middle[0], middle[1], of)


def walked(tracks: Tracks, stops: Stops | None = None, *, over_s: float = 20.0, within_m: float = 20.0) -> Tracks:
    """The same tracks with their noise averaged out: what length and swept area are to be taken of.

    Positions are averaged over at most `over_s` and `within_m`; a stop is one place from its begin to its end; a piece keeps its
    first and last place. Fixes every 5 s with 5 m of noise otherwise triple a walk's length.
    """
    from gis.trackloops import average, still_part

    fixes, first = tracks.fixes, tracks.first
    of = np.full(len(tracks), -1, np.int64)
    room = 2 * len(tracks) + 2 * len(first)
    out, when, source = np.empty((room, 2)), np.empty(room, np.int64), np.empty(room, np.int64)
    x, y = np.ascontiguousarray(tracks.metres.T)
    if stops is not None:
        still_part(x, y, stops.of, of)
    used = average(x, y, fixes.micros, first, of, round(over_s * MICRO), within_m, out, when, source)
    source, out = source[:used], out[:used]
    piece = np.searchsorted(first, source, side="right") - 1
    start = first[piece]
    east, north = metres_per_degree(fixes.lat[start])
    averaged = Fixes(
        fixes.member[source], when[:used].view("datetime64[us]"), fixes.lon[start] + out[:, 0] / east,
        fixes.lat[start] + out[:, 1] / north, fixes.accuracy_m[source],
    )  # fmt: skip
    joined, bridged = np.zeros(used, dtype=bool), np.zeros(used, dtype=bool)
    joined[:-1] = piece[1:] == piece[:-1]
    bridged[:-1] = joined[:-1] & (np.diff(when[:used]) > over_s * MICRO)
    return Tracks(averaged, joined, bridged & tracks.bridged[source])


def length_m(tracks: Tracks) -> Floats:
    """The length of each piece in metres, of its legs as they are: give it what `walked` answers."""
    metres = tracks.metres
    step = np.zeros(len(tracks))
    step[:-1] = np.hypot(*(metres[1:] - metres[:-1]).T)
    step[~tracks.joined] = 0.0
    return np.add.reduceat(step, tracks.first[:-1]) if len(tracks) else np.empty(0)


def tracked_s(tracks: Tracks, duty: Duty) -> Floats:
    """Of each span of duty, the seconds in which its member's way is known; 0 where the device was silent."""
    return _known_until(tracks, duty.member, duty.end) - _known_until(tracks, duty.member, duty.begin)


def between(tracks: Tracks, begin: np.datetime64, end: np.datetime64) -> Tracks:
    """What of the tracks lies in [begin, end): a leg that crosses a side is cut there, on its straight way.

    The last moment before `end` is a microsecond before it.
    """
    low, high = micros_of(begin), micros_of(end) - 1
    fixes, micros = tracks.fixes, tracks.fixes.micros
    after = np.arange(len(tracks)) + tracks.joined
    enters = np.flatnonzero((micros < low) & (micros[after] > low))
    leaves = np.flatnonzero((micros < high) & (micros[after] > high))
    lon, lat, at = fixes.lon.copy(), fixes.lat.copy(), micros.copy()
    for legs, rows, instant in ((enters, enters, low), (leaves, after[leaves], high)):
        share = (instant - micros[legs]) / (micros[after[legs]] - micros[legs])
        for moved, given in ((lon, fixes.lon), (lat, fixes.lat)):
            moved[rows] = given[legs] + share * (given[after[legs]] - given[legs])
        at[rows] = instant
    joined = tracks.joined.copy()
    joined[after[leaves]] = False
    kept = (at >= low) & (at <= high)
    cut = Fixes(fixes.member, at.view("datetime64[us]"), lon, lat, fixes.accuracy_m)
    joined[:-1] &= kept[1:]
    return Tracks(cut.take(kept), joined[kept], (tracks.bridged & joined)[kept])


def known_pieces(tracks: Tracks) -> Tracks:
    """The pieces of tracks by their ends alone: all that `tracked_s` asks for, in two fixes a piece."""
    ends = tracks.first[1:] - 1
    long = ends > tracks.first[:-1]
    rows = np.column_stack([tracks.first[:-1][long], ends[long]]).ravel()
    joined = np.zeros(len(rows), dtype=bool)
    joined[::2] = True
    return Tracks(tracks.fixes.take(rows), joined, np.zeros(len(rows), dtype=bool))


def _known_until(tracks: Tracks, member: npt.NDArray[np.int32], at: Times) -> Floats:
    """The seconds of known way of a member until an instant, from an arbitrary but common beginning."""
    fixes, micros = tracks.fixes, tracks.fixes.micros
    leg = np.zeros(len(tracks) + 1, np.int64)
    leg[: len(tracks) - 1] = np.where(tracks.joined[:-1], np.diff(micros), 0) if len(tracks) else 0
    before = np.concatenate([[0], np.cumsum(leg[:-1])])
    instant = at.astype("datetime64[us]").view(np.int64)
    # Of all fixes by member and time, those that do not come after each question.
    who, when = np.concatenate([fixes.member, member]), np.concatenate([micros, instant])
    asked = np.arange(len(who)) >= len(tracks)
    order = np.lexsort((asked, when, who))
    passed = np.empty(len(who), np.int64)
    passed[order] = np.cumsum(~asked[order])
    last, first = passed[len(tracks) :] - 1, np.searchsorted(fixes.member, member, side="left")
    known = last >= first
    row = np.where(known, last, len(tracks))
    inside = np.minimum(instant - np.append(micros, 0)[row], leg[row])
    total = np.where(known, before[np.maximum(row, 0)] + inside, before[first])
    return total / MICRO


def changed(before: Tracks, after: Tracks) -> tuple[Tracks, Tracks]:
    """(gone, new): the legs that only one of two states of the same members' tracks has, as tracks.

    Where nothing is gone, `Sweep.add(new)` is all there is to do; else `Sweep.exchange(gone, everybody's)`.
    """
    old, fresh = _leg_keys(before), _leg_keys(after)
    return _only(before, ~np.isin(old, fresh)), _only(after, ~np.isin(fresh, old))


def _leg_keys(tracks: Tracks) -> npt.NDArray[np.void]:
    """One value per leg that says all of it."""
    fixes = tracks.fixes
    end = np.arange(len(tracks)) + tracks.joined
    columns = [fixes.member.astype(np.int64), fixes.micros, fixes.micros[end]]
    columns += [c[rows].view(np.int64) for rows in (slice(None), end) for c in (fixes.lon, fixes.lat)]
    table = np.ascontiguousarray(np.column_stack(columns))
    return table.view([("", np.int64)] * len(columns)).ravel()


def _only(tracks: Tracks, legs: Flags) -> Tracks:
    """Tracks of these legs alone: of each its begin, and its end where the next leg is not one of them."""
    joined, kept = legs & tracks.joined, legs.copy()
    kept[1:] |= joined[:-1]
    return Tracks(tracks.fixes.take(kept), joined[kept], tracks.bridged[kept])
