"""The demo town's fixes: walks read off by devices that err, fall silent, repeat themselves and now and then tell nonsense.

    steps of all walks -> one line in time -> a place every minute or so -> the side of the street -> noise -> faults

A device's error wanders: neighbouring fixes err alike. Every fault is planted and counted under the reason that intake will give.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from data.town_plan import METRES_PER_DEGREE, ORIGIN
from data.town_walks import Steps
from gis.crs import from_storage, parse_datum

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]

#: What becomes of a planted row at intake.
KEPT, DUPLICATE, JUMP, ACCURACY, OFF_DUTY = range(5)
WORDS: Final = ("kept", "duplicate", "jump", "accuracy", "off-duty")
_DIGITS: Final = 7  # degrees are told to 11 mm
_SIDEWALK_M: Final = 3.5
_WANDER_M, _JITTER_M = 2.6, 0.9
_WANDER_FIXES: Final = 6
_JUMP_M: Final = 9_000.0  # north, out of the town
#: How many of a thousand shifts have a gap, a device that goes on after the end, a jump, repeated and inaccurate fixes.
_GAPS, _LATE_ENDS, _JUMPS, _REPEATS, _ROUGH = 25, 15, 12, 30, 25
_LATE_END_S: Final = 600
#: Farther apart than any shift is long.
_APART_S: Final = 1e6


@dataclass(frozen=True, eq=False)
class Walked:
    """Shifts that were walked: of each the steps (numbered as in `Steps`) with the seconds stayed, its begin and end (seconds since 1970)
    and the member's device. `has_calls`: a gap would hide a visit.
    """

    steps: Sequence[Ints]
    stays: Sequence[Sequence[float]]
    member: Ints
    begin: Ints
    end: Ints
    pace: Floats
    every_s: Ints
    tells_accuracy: Flags
    is_gcj: Flags
    has_calls: Flags


@dataclass(frozen=True, eq=False)
class ToldFixes:
    """n fixes as devices tell them, by time: member (by position), seconds since 1970, x and y in WGS 84 or, where `is_gcj`, GCJ-02;
    metres of accuracy (NaN: not told); `shift` it belongs to; what intake makes of it (of WORDS), by plan.
    """

    member: Ints
    at: Ints
    x: Floats
    y: Floats
    accuracy_m: Floats
    is_gcj: Flags
    shift: Ints
    reason: Ints

    def __len__(self) -> int:
        return len(self.member)

    @property
    def counts(self) -> Counter[str]:
        """How many rows end under each reason."""
        return Counter(dict(zip(WORDS, np.bincount(self.reason, minlength=len(WORDS)).tolist(), strict=True)))

    def take(self, rows: Ints | Flags) -> ToldFixes:
        """These rows, in this order."""
        return ToldFixes(*(column[rows] for column in vars(self).values()))


def tell_fixes(
    walked: Walked, steps: Steps, until: int, leave: tuple[Ints, Ints, Ints], rng: np.random.Generator
) -> ToldFixes:
    """What the devices tell before `until` (seconds since 1970); `leave`: member, begin and end of spans off duty."""
    shift, at, since = _instants(walked, until, rng)
    xy = _places(walked, steps, shift, since, rng)
    accuracy_m = np.round(3.0 + 9.0 * rng.random(len(at)) ** 2, 1)
    accuracy_m[~walked.tells_accuracy[shift]] = np.nan
    member = walked.member[shift]
    reason = np.where((at >= walked.end[shift]) | _within(member, at, leave), OFF_DUTY, KEPT)
    told = _faulty(walked, shift, at, xy, accuracy_m, reason, rng)
    return told.take(np.lexsort((told.reason, told.member, told.at)))


def _instants(walked: Walked, until: int, rng: np.random.Generator) -> tuple[Ints, Ints, Ints]:
    """(shift, at, seconds since its begin) of every fix, without those that fall into a gap."""
    count = len(walked.member)
    luck = rng.random((count, 5))
    late = np.where(luck[:, 0] * 1000 < _LATE_ENDS, _LATE_END_S, 0)
    end = np.minimum(walked.end + late, until)
    phase = (luck[:, 1] * walked.every_s).astype(np.int64)
    fixes = np.maximum((end - 1 - walked.begin - phase) // walked.every_s + 1, 0)
    shift = np.repeat(np.arange(count), fixes)
    order = np.arange(len(shift)) - np.repeat(np.cumsum(fixes) - fixes, fixes)
    since = phase[shift] + order * walked.every_s[shift]
    since = since + rng.integers(0, 4, len(since))
    has_gap = (luck[:, 2] * 1000 < _GAPS) & ~walked.has_calls
    begin = 1_800 + luck[:, 3] * 5_400
    gone = has_gap[shift] & (since >= begin[shift]) & (since < (begin + 360 + 900 * luck[:, 4])[shift])
    kept = ~gone & (walked.begin[shift] + since < end[shift])
    return shift[kept], (walked.begin[shift] + since)[kept], since[kept]


def _places(walked: Walked, steps: Steps, shift: Ints, since: Ints, rng: np.random.Generator) -> Floats:
    """Where each fix is told, in metres: on the walk, at its side of the street, with the device's error."""
    count = np.array([len(own) for own in walked.steps], np.int64)
    step = np.concatenate(walked.steps)
    stay = np.concatenate([np.asarray(own, np.float64) for own in walked.stays])
    owner = np.repeat(np.arange(len(count)), count)
    size = steps.count[step]
    last = np.cumsum(size) - 1
    row = np.repeat(steps.first[step], size) + np.arange(last[-1] + 1) - np.repeat(last + 1 - size, size)
    xy, whose, street = steps.xy[row], np.repeat(owner, size), np.repeat(steps.is_street[step], size)
    passed = np.zeros(len(row))
    passed[1:] = np.hypot(*np.diff(xy, axis=0).T) / walked.pace[whose[1:]]
    first = np.flatnonzero(np.diff(whose, prepend=-1))
    passed[first] = 0.0
    passed[last] += stay
    # The first step of a walk is a stay, whose only vertex stands at its end: what is told before is told there.
    time = np.cumsum(passed)
    time += whose * _APART_S - np.repeat(time[first] - passed[first], np.diff(np.append(first, len(row))))
    told = np.maximum(shift * _APART_S + since, time[first][shift])
    place = np.column_stack([np.interp(told, time, xy[:, k]) for k in (0, 1)])
    leg = np.clip(np.searchsorted(time, told, side="right"), 1, len(time) - 1)
    way = xy[leg] - xy[leg - 1]
    length = np.hypot(*way.T)
    on_street = street[leg] & (whose[leg] == whose[leg - 1]) & (length > 0.01)
    side = np.where(on_street, _SIDEWALK_M / np.maximum(length, 0.01), 0.0)
    found: Floats = place + np.column_stack([way[:, 1], -way[:, 0]]) * side[:, None] + _errors(len(told), rng)
    return found


def _errors(count: int, rng: np.random.Generator) -> Floats:
    """Errors of devices, metres: they wander within some fixes, and jitter a little."""
    white = np.clip(rng.standard_normal((count + _WANDER_FIXES, 2)), -2.5, 2.5)
    total = np.vstack([np.zeros((1, 2)), np.cumsum(white, axis=0)])
    wander = (total[_WANDER_FIXES : count + _WANDER_FIXES] - total[:count]) / np.sqrt(_WANDER_FIXES)
    jitter = np.clip(rng.standard_normal((count, 2)), -2.5, 2.5)
    found: Floats = _WANDER_M * wander + _JITTER_M * jitter
    return found


def _within(member: Ints, at: Ints, spans: tuple[Ints, Ints, Ints]) -> Flags:
    """Whether each fix lies in a span of its member."""
    inside = np.zeros(len(member), dtype=bool)
    order = np.argsort(member, kind="stable")
    ordered = member[order]
    for whose, begin, end in zip(*(column.tolist() for column in spans), strict=True):
        own = order[np.searchsorted(ordered, whose) : np.searchsorted(ordered, whose, side="right")]
        inside[own[(at[own] >= begin) & (at[own] < end)]] = True
    return inside


def _faulty(
    walked: Walked, shift: Ints, at: Ints, xy: Floats, accuracy_m: Floats, reason: Ints, rng: np.random.Generator
) -> ToldFixes:
    """The fixes with their planted faults, told in the datum of each device."""
    alone = _lonely(shift, at, walked.every_s[shift], reason, rng)
    parts = np.cumsum([_JUMPS, _REPEATS]) * len(alone) // (_JUMPS + _REPEATS + _ROUGH)
    jumps, repeats, rough = np.split(alone, parts)
    xy[jumps, 1] += _JUMP_M
    reason[jumps] = JUMP
    accuracy_m[rough] = np.round(150.0 + 600.0 * rng.random(len(rough)), 1)
    reason[rough] = ACCURACY
    degrees = np.round(np.asarray(ORIGIN) + xy / np.asarray(METRES_PER_DEGREE), _DIGITS)
    is_gcj = walked.is_gcj[shift]
    x, y = degrees[:, 0].copy(), degrees[:, 1].copy()
    east, north = from_storage(x[is_gcj], y[is_gcj], parse_datum("gcj02"))
    x[is_gcj], y[is_gcj] = np.round(east, _DIGITS), np.round(north, _DIGITS)
    told = ToldFixes(walked.member[shift], at, x, y, accuracy_m, is_gcj, shift, reason)
    again = told.take(repeats)
    again.reason[:] = DUPLICATE
    return ToldFixes(*(np.concatenate([getattr(told, name), getattr(again, name)]) for name in vars(told)))


def _lonely(shift: Ints, at: Ints, every_s: Ints, reason: Ints, rng: np.random.Generator) -> Ints:
    """Fixes that a fault may have, one a shift at most: in the middle of one, with good neighbours on time."""
    steady = np.zeros(len(at), dtype=bool)
    for k in (-2, -1, 1, 2):
        steady_k = (np.roll(shift, k) == shift) & (np.abs(np.roll(at, k) - at) <= (every_s + 4) * abs(k))
        steady_k &= np.roll(reason, k) == KEPT
        steady = steady_k if k == -2 else steady & steady_k
    steady &= (reason == KEPT) & (every_s <= 60)
    rows = rng.permutation(np.flatnonzero(steady))
    _, first = np.unique(shift[rows], return_index=True)
    wanted = len(np.unique(shift)) * (_JUMPS + _REPEATS + _ROUGH) // 1000
    found: Ints = rows[np.sort(first)][:wanted]
    return found
