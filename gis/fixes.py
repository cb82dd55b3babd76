"""Fixes: where members' devices say they were; cleaning them takes out what cannot be true, and says why, each row once.

What comes out depends on the set of fixes alone: not on the order in which they came, nor on how often one was sent.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from gis.crs import metres_per_degree
from gis.errors import ParameterInvalid

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]
Times = npt.NDArray[np.datetime64]

#: Why a fix is not used, by number; 0: it is.
REASONS: Final = (
    "kept", "no-position", "ancient", "future", "accuracy", "off-duty", "duplicate", "two-places", "jump", "speed",
)  # fmt: skip
KEPT, NO_POSITION, ANCIENT, FUTURE, ACCURACY, OFF_DUTY, DUPLICATE, TWO_PLACES, JUMP, SPEED = range(len(REASONS))

MICRO: Final = 1_000_000


def micros_of(instant: np.datetime64) -> int:
    """Microseconds since 1970."""
    return int(instant.astype("datetime64[us]").astype(np.int64))


@dataclass(frozen=True, eq=False)
class Fixes:
    """n readings: `member[i]` (an index of the caller's: a member or a device) was at `lon[i]`, `lat[i]` (WGS 84) at `at[i]`, UTC.

    `accuracy_m` is the 68 % radius, NaN where the device did not say. Make one with `fixes_of`.
    """

    member: npt.NDArray[np.int32]
    at: Times
    lon: Floats
    lat: Floats
    accuracy_m: npt.NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.member)

    @property
    def micros(self) -> Ints:
        """The times as microseconds since 1970."""
        return self.at.view(np.int64)

    def take(self, rows: npt.NDArray[np.bool_] | Ints) -> Fixes:
        """These rows, in this order."""
        return Fixes(self.member[rows], self.at[rows], self.lon[rows], self.lat[rows], self.accuracy_m[rows])


def fixes_of(
    member: npt.ArrayLike,
    at: npt.ArrayLike,
    lon: npt.ArrayLike,
    lat: npt.ArrayLike,
    accuracy_m: npt.ArrayLike | None = None,
) -> Fixes:
    """Fixes from columns of equal length; times are datetime64 or seconds since 1970 (UTC). Raises ParameterInvalid."""
    given = np.asarray(at)
    if given.dtype.kind != "M":
        with np.errstate(invalid="ignore"):
            seconds = np.asarray(given, np.float64)
            micros = np.where(np.abs(seconds) < 9e12, np.rint(seconds * MICRO), np.nan)
        given = np.full(len(seconds), np.datetime64("NaT"), "datetime64[us]")
        known = np.isfinite(micros)
        given[known] = micros[known].astype(np.int64).view("datetime64[us]")
    x = np.array(lon, np.float64)
    with np.errstate(over="ignore"):  # what single precision cannot hold is infinite
        accuracy = np.full(len(x), np.nan, np.float32) if accuracy_m is None else np.array(accuracy_m, np.float32)
    columns = (np.array(member, np.int32), given.astype("datetime64[us]"), x, np.array(lat, np.float64), accuracy)
    if len({len(column) for column in columns}) != 1:
        raise ParameterInvalid("member, at, lon, lat and accuracy_m differ in length", place="fixes")
    return Fixes(*columns)


def together(parts: Sequence[Fixes]) -> Fixes:
    """All fixes of several batches, one after the other."""
    if not parts:
        return fixes_of([], [], [], [])
    names = ("member", "at", "lon", "lat", "accuracy_m")
    return Fixes(*(np.concatenate([getattr(part, name) for part in parts]) for name in names))


@dataclass(frozen=True)
class Limits:
    """What is believed of a fix. Metres, seconds, metres a second.

    `unknown_accuracy_m` stands for the accuracy that a device does not give (none, or 0) where a distance is judged. Members
    walk, ride and drive: `max_speed_mps` is where a reading stops being a journey. A run of readings that cannot be
    reached from the others is believed only from `believed_run` of them on.
    """

    max_accuracy_m: float = 100.0
    max_speed_mps: float = 35.0
    future_s: float = 120.0
    oldest: np.datetime64 = np.datetime64("2000-01-01", "us")  # noqa: RUF009 - a constant
    same_place_m: float = 10.0
    unknown_accuracy_m: float = 20.0
    believed_run: int = 5


@dataclass(frozen=True, eq=False)
class Duty:
    """Spans in which members are on duty: `member[i]` from `begin[i]` until just before `end[i]`; they may overlap."""

    member: npt.NDArray[np.int32]
    begin: Times
    end: Times


@dataclass(frozen=True, eq=False)
class Cleaned:
    """The fixes that are used, sorted by member and time, no two of a member at one time; `reason[i]` of each that came in."""

    fixes: Fixes
    reason: npt.NDArray[np.uint8]

    @property
    def counts(self) -> dict[str, int]:
        """How many were kept and how many fell to each reason; every fix is counted once."""
        found = np.bincount(self.reason, minlength=len(REASONS)).tolist()
        return dict(zip(REASONS, found, strict=True))


def clean(fixes: Fixes, limits: Limits = Limits(), *, now: np.datetime64, duty: Duty | None = None) -> Cleaned:
    """The fixes that can be true, in order, and of each of the others why it was left out.

    In this order: `no-position` (not finite, no degrees, 0/0, no time), `ancient` (before `limits.oldest`: a clock that was never
    set), `future` (after `now` + `future_s`), `accuracy` (above the maximum, or negative: the device knows it is wrong; 0 and NaN
    are unknown: NaN in what comes out), `off-duty` (outside every span of `duty`, if given), `duplicate` (member, time and place
    as another's), `two-places` (another place at the same time: the more accurate is used; if both are equally accurate and
    farther than `same_place_m` apart, neither), `jump` (out and back faster than possible), `speed` (unreachable, no way back).
    """
    reason = _judged_alone(fixes, limits, now)
    if duty is not None:
        usable = np.flatnonzero(reason == KEPT)
        reason[usable[~on_duty(fixes.take(usable), duty)]] = OFF_DUTY
    # Written in one way, so that it does not matter which of two equal fixes is used.
    known = np.where(fixes.accuracy_m == 0, np.float32(np.nan), fixes.accuracy_m)
    fixes = Fixes(fixes.member, fixes.at, fixes.lon + 0.0, fixes.lat + 0.0, known)
    rows = np.flatnonzero(reason == KEPT)
    order = rows[_order(fixes.take(rows))]
    ordered = fixes.take(order)
    reason[order] = same = _at_one_time(ordered, limits)
    order = order[same == KEPT]
    reason[order] = far = _reached(fixes.take(order), limits)
    return Cleaned(fixes.take(order[far == KEPT]), reason)


def _judged_alone(fixes: Fixes, limits: Limits, now: np.datetime64) -> npt.NDArray[np.uint8]:
    """The reason against each fix that it gives by itself."""
    lon, lat, accuracy = fixes.lon, fixes.lat, fixes.accuracy_m
    with np.errstate(invalid="ignore"):
        placed = (np.abs(lon) <= 180.0) & (np.abs(lat) <= 90.0) & ~((lon == 0.0) & (lat == 0.0))
        rough = (accuracy > limits.max_accuracy_m) | (accuracy < 0.0)
    latest = now.astype("datetime64[us]") + np.timedelta64(round(limits.future_s * MICRO), "us")
    return np.select(
        [~placed | np.isnat(fixes.at), fixes.at < limits.oldest, fixes.at > latest, rough],
        [NO_POSITION, ANCIENT, FUTURE, ACCURACY],
        KEPT,
    ).astype(np.uint8)


def _order(fixes: Fixes) -> Ints:
    """By member and time; of one member at one time the most accurate first (unknown last), then by lon and lat."""
    order = np.lexsort((fixes.micros, fixes.member))
    member, at = fixes.member[order], fixes.micros[order]
    tied = np.zeros(len(order), dtype=bool)
    same = (member[1:] == member[:-1]) & (at[1:] == at[:-1])
    tied[1:] |= same
    tied[:-1] |= same
    few = order[tied]
    keys = (fixes.lat[few], fixes.lon[few], _known(fixes.accuracy_m[few]), fixes.micros[few], fixes.member[few])
    order[tied] = few[np.lexsort(keys)]
    return order


def _known(accuracy: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """The accuracy, infinite where it is unknown (NaN)."""
    return np.where(np.isnan(accuracy), np.float32(np.inf), accuracy)


def _at_one_time(fixes: Fixes, limits: Limits) -> npt.NDArray[np.uint8]:
    """Of ordered fixes: who says the same as, or contradicts, the first of that member at that time."""
    count = len(fixes)
    found = np.zeros(count, np.uint8)
    if not count:
        return found
    fresh = np.ones(count, dtype=bool)
    fresh[1:] = (fixes.member[1:] != fixes.member[:-1]) | (fixes.at[1:] != fixes.at[:-1])
    group = np.cumsum(fresh) - 1
    first = np.flatnonzero(fresh)[group]
    east, north = metres_per_degree(fixes.lat)
    apart = np.hypot((fixes.lon - fixes.lon[first]) * east, (fixes.lat - fixes.lat[first]) * north)
    equal = (fixes.lon == fixes.lon[first]) & (fixes.lat == fixes.lat[first])
    accuracy = _known(fixes.accuracy_m)
    doubted = np.bincount(group, weights=(apart > limits.same_place_m) & (accuracy == accuracy[first])) > 0
    found[~fresh & equal] = DUPLICATE
    found[(~fresh & ~equal) | (fresh & doubted[group])] = TWO_PLACES
    return found


def _reached(fixes: Fixes, limits: Limits) -> npt.NDArray[np.uint8]:
    """Of ordered fixes, one a time: JUMP or SPEED for those that the believed ones cannot be reached from."""
    from gis.fixloops import believe

    found = np.zeros(len(fixes), np.uint8)
    east, north = metres_per_degree(fixes.lat)
    measures = np.array([limits.max_speed_mps, limits.unknown_accuracy_m, float(limits.believed_run)])
    believe(fixes.member, fixes.micros, fixes.lon, fixes.lat, east, north, fixes.accuracy_m, measures, found)
    return found


def on_duty(fixes: Fixes, duty: Duty) -> Flags:
    """Whether each fix lies in a span of its member; overlapping and repeated spans count once."""
    begun = _spans_before(fixes, duty.member, duty.begin)
    ended = _spans_before(fixes, duty.member, duty.end)
    return begun > ended


def _spans_before(fixes: Fixes, member: npt.NDArray[np.int32], at: Times) -> Ints:
    """How many of these instants of the fix's member are not after it."""
    who = np.concatenate([member, fixes.member])
    when = np.concatenate([at.astype("datetime64[us]").view(np.int64), fixes.micros])
    is_fix = np.concatenate([np.zeros(len(member), np.int8), np.ones(len(fixes), np.int8)])
    order = np.lexsort((is_fix, when, who))
    passed = np.cumsum(is_fix[order] == 0)
    own = np.searchsorted(who[order], fixes.member, side="left")
    before_own = np.concatenate([[0], passed])[own]
    counted = np.empty(len(fixes), np.int64)
    counted[order[is_fix[order] == 1] - len(member)] = passed[is_fix[order] == 1]
    counted -= before_own
    return counted
