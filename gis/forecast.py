"""Forecast: how likely a place is to be visited before it is due, learnt from the last weeks; and how often that came true.

    chance of a visit on a coming day = what places visited so many days ago were given on such a day (a hazard, pooled),
                                        drawn towards how often this very place was visited on that day of the week

A deliberately plain model with two pieces of memory, rhythm and age; its worth is what `hindsight` says: the same forecast made on
days of the past, from what was known then, held against what happened.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from gis.errors import ParameterInvalid
from gis.fixes import Flags, Floats, Ints
from gis.shares import Share

WEEK: Final = 7
#: Ages above are one class.
_OLDEST: Final = 15
#: The pooled hazard weighs as much as so many weeks of the place's own.
_POOLED_WEEKS: Final = 2.0


def chance_of_visit(visited: Flags, left_days: Floats, group: Ints) -> Floats:
    """The chance of each thing to be visited within `left_days`; NaN where that is not above 0.

    `visited[i, k]`: thing i was visited in the k-th 24 hours back, 0 the last; at least 8 columns. `group[i]`: things whose habits
    are pooled (of one revisit interval). Raises ParameterInvalid.
    """
    if visited.shape[1] <= WEEK:
        raise ParameterInvalid("a forecast needs more than a week of visits", place="visited")
    ages = _ages(visited)
    none_yet = np.ones(len(visited))
    days = int(np.ceil(left_days.max(initial=0.0)))
    hazard = _hazards(visited, ages, group)
    for j in range(1, days + 1):
        own = visited[:, WEEK * -(-j // WEEK) - j :: WEEK]
        pooled = hazard[group, np.minimum(ages[:, 0] + j, _OLDEST)]
        daily = (_POOLED_WEEKS * pooled + own.sum(axis=1)) / (_POOLED_WEEKS + own.shape[1])
        none_yet *= (1.0 - daily) ** np.clip(left_days - (j - 1), 0.0, 1.0)
    return np.where(left_days > 0, 1.0 - none_yet, np.nan)


def _ages(visited: Flags) -> npt.NDArray[np.int64]:
    """(n, days): how many days before the end of the k-th day back the last visit was, at most _OLDEST; 0: in it."""
    count, days = visited.shape
    ages = np.full((count, days), _OLDEST, np.int64)
    age = np.full(count, _OLDEST, np.int64)
    for k in range(days - 1, -1, -1):
        age = np.where(visited[:, k], 0, np.minimum(age + 1, _OLDEST))
        ages[:, k] = age
    return ages


def _hazards(visited: Flags, ages: Ints, group: Ints) -> Floats:
    """(groups, _OLDEST + 1): how often things were visited on the day that would make them so old; sparse ages lean on all."""
    groups = int(group.max(initial=-1)) + 1
    before = np.minimum(ages[:, 1:] + 1, _OLDEST)
    cell = (group[:, None] * (_OLDEST + 1) + before).ravel()
    size = (groups, _OLDEST + 1)
    tried = np.bincount(cell, minlength=size[0] * size[1]).reshape(size)
    met = np.bincount(cell, weights=visited[:, :-1].ravel(), minlength=size[0] * size[1]).reshape(size)
    rate = (met.sum(axis=1, keepdims=True) + 0.5) / (tried.sum(axis=1, keepdims=True) + 1.0)
    found: Floats = (met + 4.0 * rate) / (tried + 4.0)
    return found


@dataclass(frozen=True)
class Hindsight:
    """What forecasts of the past were worth. `hits`: of those foretold to become overdue, how many did; `found`: of those that became
    overdue, how many had been foretold; `right`: of all forecasts, how many came true either way. `days` were tried.
    """

    hits: Share
    found: Share
    right: Share
    days: int

    def as_json(self) -> dict[str, Any]:
        """The figures with numerators and denominators."""
        return {
            "hits": self.hits.as_json(),
            "found": self.found.as_json(),
            "right": self.right.as_json(),
            "days": self.days,
        }


def hindsight(
    visited: Flags, interval_days: Floats, group: Ints, *, ahead_days: int = 2, days: int = 14, likely: float = 0.5
) -> Hindsight:
    """The forecasts that would have been made on each of the last `days` days, from what was known then, of what fell due within
    `ahead_days` after; whole days. Days that leave less than two weeks to learn from are not tried.
    """
    told, became = [], []
    tried = 0
    for back in range(ahead_days, min(days + ahead_days - 1, visited.shape[1] - 2 * WEEK) + 1):
        history = visited[:, back:]
        ages = _ages(history)[:, 0]
        left = np.where(ages < _OLDEST, interval_days - ages, np.nan)
        near = (left > 0) & (left <= ahead_days)
        asked = np.flatnonzero(near)
        tried += 1
        chance = chance_of_visit(history, np.where(near, left, 0.0), group)[asked]
        told.append(chance < likely)
        limit = np.ceil(left[asked]).astype(np.int64)
        coming = visited[asked][:, back - ahead_days : back][:, ::-1]  # the first day after comes first
        met = (coming & (np.arange(ahead_days) < limit[:, None])).any(axis=1)
        became.append(~met)
    foretold = np.concatenate(told) if told else np.zeros(0, dtype=bool)
    overdue = np.concatenate(became) if became else np.zeros(0, dtype=bool)
    parameters = {"ahead_days": ahead_days, "days": tried, "likely": likely}

    def share(name: str, part: Flags, whole: Flags) -> Share:
        return Share(name, "forecasts", int((part & whole).sum()), int(whole.sum()), parameters)

    everything = np.ones(len(foretold), dtype=bool)
    return Hindsight(
        share("forecast_hits", overdue, foretold),
        share("forecast_found", foretold, overdue),
        share("forecast_right", foretold == overdue, everything),
        tried,
    )
