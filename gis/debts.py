"""Debts: what is owed a visit in a district, place by place and street by street, and how much each weighs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from gis.duetimes import DUE_STATES, OVERDUE
from gis.errors import ParameterInvalid
from gis.fixes import Floats, Ints

Texts = Sequence[str | None]

#: The street of a debt that is a place.
NO_STREET = -1


@dataclass(frozen=True, eq=False)
class Debts:
    """Debt i, called `key[i]`, weighs `weight[i]` (0: nothing is owed) and takes `minutes[i]` where it lies, besides walking.

    It is the place at `lon[i]`, `lat[i]`, or all of street `street[i]` of the graph, whose place does not matter. The rest explains:
    `overdue_days` (negative: due in so many days; NaN: not told), `risk` (NaN: not told), `state` (a number of DUE_STATES), name, kind
    and grid. Make them with `debts_of`.
    """

    key: Sequence[str]
    lon: Floats
    lat: Floats
    weight: Floats
    minutes: Floats
    street: Ints
    overdue_days: Floats
    risk: Floats
    state: npt.NDArray[np.uint8]
    name: Texts
    kind: Texts
    grid: Texts

    def __len__(self) -> int:
        return len(self.key)

    def in_order(self) -> Ints:
        """The debts that weigh anything, in an order that is theirs however they came: by key, then by what they are."""
        told = np.nan_to_num(np.stack([self.minutes, self.weight, self.lat, self.lon]))
        order = np.lexsort((*told, self.street, np.array(self.key, dtype=str)))
        return order[self.weight[order] > 0]


def debts_of(
    key: Sequence[str],
    lon: npt.ArrayLike,
    lat: npt.ArrayLike,
    weight: npt.ArrayLike,
    minutes: npt.ArrayLike,
    *,
    street: npt.ArrayLike | None = None,
    overdue_days: npt.ArrayLike | None = None,
    risk: npt.ArrayLike | None = None,
    state: npt.ArrayLike | None = None,
    name: Texts | None = None,
    kind: Texts | None = None,
    grid: Texts | None = None,
) -> Debts:
    """The debts of these columns, all of one length; what is left out is not told, and the state is then overdue.

    Raises ParameterInvalid for columns of other lengths, and for weights and minutes that are negative or not finite.
    """
    count = len(key)
    debts = Debts(
        key=key,
        lon=np.asarray(lon, np.float64),
        lat=np.asarray(lat, np.float64),
        weight=np.asarray(weight, np.float64),
        minutes=np.asarray(minutes, np.float64),
        street=np.full(count, NO_STREET) if street is None else np.asarray(street, np.int64),
        overdue_days=np.full(count, np.nan) if overdue_days is None else np.asarray(overdue_days, np.float64),
        risk=np.full(count, np.nan) if risk is None else np.asarray(risk, np.float64),
        state=np.full(count, OVERDUE, np.uint8) if state is None else np.asarray(state, np.uint8),
        name=name if name is not None else [None] * count,
        kind=kind if kind is not None else [None] * count,
        grid=grid if grid is not None else [None] * count,
    )
    _check(debts)
    return debts


def _check(debts: Debts) -> None:
    for column, values in vars(debts).items():
        if len(values) != len(debts):
            raise ParameterInvalid(f"{column} has {len(values)} values for {len(debts)} debts", place=column)
    for column, measure in (("weight", debts.weight), ("minutes", debts.minutes)):
        wrong = np.flatnonzero(~(np.isfinite(measure) & (measure >= 0)))
        if len(wrong):
            raise ParameterInvalid(f"{column} of {debts.key[wrong[0]]} is not a finite number from 0 on", place=column)
    if len(debts) and int(debts.state.max()) >= len(DUE_STATES):
        raise ParameterInvalid("a state is not one of the due states", place="state")
