"""Impact: what an edit of the boundaries does to every grid, before and after, and what goes from which grid to which.

Figures of a grid: `area_m2` of its ground as drawn, one for each column of the loads, `<load>_by` (counts by window and label),
`dedicated_cut` (grids of overlay layers that lie in it in part only) and `load_index`. Every point has one grid: the one
`gis.locate` names, so a dedicated grid takes over what lies in it. Only grids that the edit touched, or that gain or lose
something by it, are told of.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from gis.errors import ParameterInvalid
from gis.flows import OUTSIDE
from gis.impactanswer import EVENTS, OUTSIDE_WORD, Flow, GridImpact, Impact, Moves, Section, Weights
from gis.impactsums import Held, Sums
from gis.loads import Load
from gis.partition import LEVELS, Boundaries
from gis.reach import Reach, Side, changed_uids

__all__ = ["EVENTS", "OUTSIDE_WORD", "Flow", "GridImpact", "Impact", "Moves", "Section", "Weights", "impact"]

#: Figures that no load may bring.
_OWN: Final = frozenset({"area_m2", "dedicated_cut", "load_index"})


def impact(
    before: Boundaries,
    after: Boundaries,
    loads: Mapping[str, Load],
    *,
    touched: frozenset[str] | None = None,
    weights: Weights = Weights(),  # noqa: B008 - frozen
) -> Impact:
    """What changes between two states for the grids and the loads on them (see Impact); nothing listed where nothing changes.

    `touched`: uids whose shape, code, name or parent changed, created and retired ones too, as an operation returns
    them; None compares everything. The answers are those of asking `gis.locate` for every point of town before and after.
    Raises ParameterInvalid when two loads have a column of the same name.
    """
    _check_columns(loads)
    touched = changed_uids(before, after) if touched is None else touched
    assigned = Side(before, before.assignable()), Side(after, after.assignable())
    main = _Study(*assigned, loads, weights).section(touched)
    wider = []
    for layer, level in _wider(before, after, touched):
        sides = [
            Side(state, tuple(p for p in (state.partition(layer, level),) if p is not None))
            for state in (before, after)
        ]
        wider.append((layer, level, _Study(sides[0], sides[1], loads, weights).section(touched)))
    return Impact(main.grids, main.flows, main.totals, main.moved, tuple(wider), weights)


def _check_columns(loads: Mapping[str, Load]) -> None:
    seen = set(_OWN)
    for name, load in loads.items():
        for column in load.totals:
            if column in seen:
                raise ParameterInvalid(f"column {column} of load {name} is there already", place=column)
            seen.add(column)


def _wider(before: Boundaries, after: Boundaries, touched: frozenset[str]) -> list[tuple[str, str]]:
    """(layer, level) of touched grids that no reports are assigned to, where a shape changes; widest first."""
    assigned = {(p.layer, p.level) for state in (before, after) for p in state.assignable()}
    found = set()
    for uid in touched:
        unit = after.units.get(uid) or before.units[uid]
        if (unit.layer, unit.level) not in assigned and before.shapes.get(uid) is not after.shapes.get(uid):
            found.add((unit.layer, unit.level))
    return sorted(found, key=lambda key: (LEVELS.index(key[1]), key[0]))


@dataclass(frozen=True)
class _Study:
    """Both states of the partitions under study, and the loads."""

    before: Side
    after: Side
    loads: Mapping[str, Load]
    weights: Weights

    def section(self, touched: frozenset[str]) -> Section:
        """The section of the touched grids that are here, and of those that gain or lose something with them."""
        told = {uid for uid in touched if self._shapes(uid) != (None, None)}
        asked = told | {below for uid in told for below in self._beneath(uid)}
        while True:
            reach = Reach(self.before, self.after, asked)
            held = {name: self._held(load, reach) for name, load in self.loads.items()}
            movers = {reach.uids[i] for one in held.values() for i in _ends(one) if i != OUTSIDE}
            if movers <= asked:
                return self._summed(reach, held, told | movers)
            asked |= movers  # grids that overlapped: rare, and theirs are counted too

    def _shapes(self, uid: str) -> tuple[Any, Any]:
        return self.before.shape(uid), self.after.shape(uid)

    def _beneath(self, uid: str) -> list[str]:
        """Grids of layers that lose to this one's, where it lay and where it lies."""
        unit = self.after.boundaries.units.get(uid) or self.before.boundaries.units[uid]
        sides = zip((self.before, self.after), self._shapes(uid), strict=True)
        return [below for side, shape in sides if shape is not None for below in side.beneath(unit.layer, shape)]

    def _held(self, load: Load, reach: Reach) -> Held:
        sample = load.within(reach.boxes, reach.borders)
        return Held(sample.row, *reach.located(sample.lon, sample.lat), sample.columns, load.tally)

    def _summed(self, reach: Reach, held: Mapping[str, Held], told: set[str]) -> Section:
        sums = Sums((self.before, self.after), reach, held, self.loads, self.weights, told)
        moved = {name: _moves(one, reach) for name, one in held.items()}
        return Section(sums.grids, sums.flows, sums.totals, moved)


def _ends(held: Held) -> set[int]:
    moving = held.before != held.after
    return {*held.before[moving].tolist(), *held.after[moving].tolist()}


def _moves(held: Held, reach: Reach) -> Moves:
    moving = held.before != held.after
    return Moves(held.row[moving], held.before[moving], held.after[moving], reach.uids)
