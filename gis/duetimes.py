"""Due times: when a place has to be visited again; what is overdue, what is unknown, what will be overdue."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from gis.errors import ParameterInvalid
from gis.fixes import MICRO, Flags, Floats, Ints, Times, micros_of

#: The states by number: in time; in time, and unlikely to be visited before it is due; overdue; nobody knows.
DUE_STATES: Final = ("due", "soon", "overdue", "unknown")
DUE, SOON, OVERDUE, UNSURE = range(len(DUE_STATES))

_DAY: Final = 86_400 * MICRO
_NEVER: Final = np.iinfo(np.int64).min  # what NaT is


@dataclass(frozen=True, eq=False)
class DueTimes:
    """Thing i was last visited at `last[i]` (NaT: never since evidence begins) and is due at `due[i]`; `state[i]` is of DUE_STATES."""

    last: Times
    due: Times
    state: npt.NDArray[np.uint8]
    as_of: np.datetime64

    @property
    def overdue_days(self) -> Floats:
        """How many days ago each was due; negative: in so many days."""
        return (micros_of(self.as_of) - self.due.view(np.int64)) / _DAY

    @property
    def counts(self) -> dict[str, int]:
        """How many have each state."""
        return dict(zip(DUE_STATES, np.bincount(self.state, minlength=len(DUE_STATES)).tolist(), strict=True))

    def worst_first(self) -> Ints:
        """The things by state and time: overdue, unknown, soon, in time; within each by when they are due, then by position."""
        rank = np.array([3, 2, 0, 1])[self.state]
        return np.lexsort((np.arange(len(self.due)), self.due.view(np.int64), rank))


def due_at(last: Times, since: Times, interval_days: Floats) -> Times:
    """`interval_days` after the last visit; where there was none, after `since`: when the thing came on the list, or evidence begins.

    Raises ParameterInvalid for an interval that is not above 0.
    """
    if not bool((interval_days > 0).all()):
        raise ParameterInvalid("a revisit interval is above 0 days", place="revisit_days")
    begin = np.where(np.isnat(last), since.view(np.int64), last.view(np.int64))
    return (begin + np.rint(interval_days * _DAY).astype(np.int64)).view("datetime64[us]")


def due_times(
    last: Times, due: Times, as_of: np.datetime64, *,
    tracked: Flags, chance: Floats | None = None, likely: float = 0.5, unsure: Flags | None = None,
) -> DueTimes:  # fmt: skip
    """The state of each thing at an instant.

    Due before it: overdue, or unknown where its members were not `tracked`. Else soon where the `chance` of a visit before it is due
    (NaN: not asked) is below `likely`. What is `unsure` is unknown, due or not: evidence is too young to say when it was visited.
    """
    late = due.view(np.int64) <= micros_of(as_of)
    doubtful = np.zeros(len(due), dtype=bool) if chance is None else np.nan_to_num(chance, nan=1.0) < likely
    blind = np.zeros(len(due), dtype=bool) if unsure is None else unsure
    cases = [late & tracked & ~blind, late | blind, doubtful]
    state = np.select(cases, [OVERDUE, UNSURE, SOON], DUE).astype(np.uint8)
    return DueTimes(last, due, state, as_of)


def seen_since(owner: Ints, weight: Floats, last: Times, count: int, enough: float) -> Times:
    """Of each of so many owners the newest instant since which things of `enough` of its weight were seen; NaT: they never were.

    `last[i]` is when thing i, of weight[i] (metres, or 1), was last seen (NaT: never); `owner[i]` whose it is (-1: nobody's). So a
    grid of which 80 % of the streets were seen is as old as the oldest of the 80 % that are freshest. Owners without things: NaT.
    """
    if not 0.0 < enough <= 1.0:
        raise ParameterInvalid("enough is a share above 0", place="enough")
    held = np.flatnonzero((owner >= 0) & (weight > 0))
    whose, size, at = owner[held], weight[held], last.view(np.int64)[held]
    order = np.lexsort((-(at // 2), whose))  # halved: the negative of NaT is no number; ties do not matter below 2 us
    whose, size, at = whose[order], size[order], at[order]
    total = np.bincount(whose, weights=size, minlength=count)
    passed = np.cumsum(size)
    before = np.concatenate([[0.0], np.cumsum(total)])[whose]
    # A sum of parts may miss the whole by rounding.
    reached = passed - before >= enough * total[whose] * (1 - 1e-9)
    found = np.full(count, _NEVER)
    first = np.flatnonzero(reached)[::-1]
    found[whose[first]] = at[first]
    return found.view("datetime64[us]")
