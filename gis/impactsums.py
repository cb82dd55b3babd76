"""ImpactSums: the figures of an impact, added up grid by grid and flow by flow."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
import shapely

from gis.crosswalk import crosswalk
from gis.findings import ERROR_M2, polygonal_each
from gis.flows import OUTSIDE, flow_table
from gis.ground import ground_m2
from gis.impactanswer import Figures, Flow, GridImpact, Weights
from gis.loads import Columns, Floats, Ints, Load, Tally
from gis.partition import Geometries, Unit
from gis.reach import Reach, Side
from gis.topology import mode_of

Pair = tuple[str | None, str | None]
Raw = dict[str, float]


@dataclass(frozen=True)
class Held:
    """A load's sample: who had (`before`) and who has (`after`) each point of it, as indices of the reach."""

    row: Ints
    before: Ints
    after: Ints
    columns: Columns
    tally: Tally | None

    @cached_property
    def moving(self) -> Held:
        """Only what changes its grid."""
        there = self.before != self.after
        columns = {name: values[there] for name, values in self.columns.items()}
        return Held(self.row[there], self.before[there], self.after[there], columns, self.tally)


@dataclass(frozen=True)
class Sums:
    """Grids, flows and totals of a section; `told` are reported in any case, others of the reach where their figures change."""

    sides: tuple[Side, Side]
    reach: Reach
    held: Mapping[str, Held]
    loads: Mapping[str, Load]
    weights: Weights
    told: Collection[str]

    @cached_property
    def _whole(self) -> frozenset[str]:
        return frozenset().union(*(load.whole for load in self.loads.values()))

    @cached_property
    def _columns(self) -> list[str]:
        return [column for load in self.loads.values() for column in load.totals]

    @cached_property
    def _shapes(self) -> tuple[dict[str, Any], dict[str, Any]]:
        """The polygons of the grids asked for, in each state."""
        one, other = (
            {uid: shape for uid in self.reach.concerned if (shape := side.shape(uid)) is not None}
            for side in self.sides
        )
        return one, other

    @cached_property
    def _raw(self) -> tuple[dict[str, Raw], dict[str, Raw]]:
        """Uid -> area and columns in each state, not rounded."""
        return self._raw_of(0), self._raw_of(1)

    def _raw_of(self, state: int) -> dict[str, Raw]:
        sums = {
            name: _by_grid(one.after if state else one.before, values, len(self.reach.uids))
            for one in self.held.values()
            for name, values in one.columns.items()
        }
        shapes = self._shapes[state]
        areas = ground_m2(_array(shapes.values()))
        return {
            uid: {"area_m2": float(m2)} | {name: float(values[self.reach.number[uid]]) for name, values in sums.items()}
            for uid, m2 in zip(shapes, areas, strict=True)
        }

    def _figures(self, state: int) -> dict[str, Figures]:
        """Uid -> what is told of it in one state."""
        raw, shapes = self._raw[state], self._shapes[state]
        cut = self._cut(state, shapes)
        told: dict[str, Figures] = {
            uid: self._rounded(figures) | {"load_index": self._load_index(figures)} for uid, figures in raw.items()
        }
        for uid, number in cut.items():
            told[uid]["dedicated_cut"] = number
        for name, one in self.held.items():
            if one.tally is not None:
                counts = tallied(one.tally, one.row, one.after if state else one.before, len(self.reach.uids))
                for uid, figures in told.items():
                    figures[f"{name}_by"] = counts[self.reach.number[uid]]
        return told

    def _cut(self, state: int, shapes: Mapping[str, Any]) -> dict[str, int]:
        """Uid of a grid of a partition (not of an overlay) -> overlay grids that lie in it in part only."""
        overlays = [p.geometry for p in self.reach.near[state] if mode_of(p.layer) == "overlay"]
        units = self.sides[state].boundaries.units
        grids = [uid for uid in shapes if mode_of(units[uid].layer) == "partition"]
        counts = cut_counts(_array(shapes[uid] for uid in grids), np.concatenate([_array([]), *overlays]))
        return dict(zip(grids, counts.tolist(), strict=True))

    def _rounded(self, raw: Raw) -> Figures:
        return {name: number(value, whole=name in self._whole) for name, value in raw.items()}

    @cached_property
    def _means(self) -> dict[str, float]:
        """Column with a weight -> everything of it by the number of grids before; without those nobody has anything of."""
        grids = sum(len(partition) for partition in self.sides[0].partitions)
        totals = {name: total for load in self.loads.values() for name, total in load.totals.items()}
        return {name: totals[name] / grids for name in self.weights.of if grids and totals.get(name, 0.0) > 0.0}

    def _load_index(self, raw: Raw) -> float | None:
        """See `Weights`; None where no column has a weight."""
        weight = sum(self.weights.of[name] for name in self._means)
        if not weight > 0.0:
            return None
        sum_of = sum(self.weights.of[name] * raw[name] / mean for name, mean in self._means.items())
        return round(sum_of / weight, 6)

    @cached_property
    def grids(self) -> tuple[GridImpact, ...]:
        """The grids in the order of layer priority, level and code."""
        old, new = self._figures(0), self._figures(1)
        uids = [uid for uid in self.reach.concerned if uid in old or uid in new]
        found = [self._grid(uid, old.get(uid), new.get(uid)) for uid in uids if self._is_told(uid, old, new)]
        return tuple(sorted(found, key=self._rank))

    def _is_told(self, uid: str, old: Mapping[str, Figures], new: Mapping[str, Figures]) -> bool:
        return uid in self.told or old.get(uid) != new.get(uid)

    def _grid(self, uid: str, old: Figures | None, new: Figures | None) -> GridImpact:
        was, now = self._unit(0, uid) if old else None, self._unit(1, uid) if new else None
        unit = now or was
        assert unit is not None  # noqa: S101 - a grid of the section stands in one of both states
        return GridImpact(uid, unit.layer, unit.level, unit.code, was.code if was else None, unit.name, old, new)

    def _unit(self, state: int, uid: str) -> Unit | None:
        return self.sides[state].boundaries.units.get(uid)

    def _rank(self, grid: GridImpact) -> tuple[Any, ...]:
        priority = self.sides[1].boundaries.priorities.get(grid.layer, 1000)
        return priority, grid.layer, grid.level, grid.code.encode(), grid.uid

    @cached_property
    def _raw_flows(self) -> dict[Pair, Raw]:
        """(uid before, uid after) -> area and columns of what goes that way, not rounded."""
        blank = dict.fromkeys(("area_m2", *self._columns), 0.0)
        found: dict[Pair, Raw] = {pair: blank | {"area_m2": m2} for pair, m2 in self._area_flows().items()}
        for one in self.held.values():
            table = flow_table(one.moving.before, one.moving.after, one.moving.columns)
            for k, pair in enumerate(self._pairs(table.before, table.after)):
                found.setdefault(pair, dict(blank)).update({c: float(v[k]) for c, v in table.columns.items()})
        return found

    def _area_flows(self) -> dict[Pair, float]:
        """What ground changes hands within each layer."""
        keys = {self._key(state, uid) for state in (0, 1) for uid in self._shapes[state]}
        found: dict[Pair, float] = {}
        for key in sorted(keys):
            old, new = (
                {uid: shape for uid, shape in self._shapes[state].items() if self._key(state, uid) == key}
                for state in (0, 1)
            )
            found |= crosswalk(old, new).flows()
        return found

    def _key(self, state: int, uid: str) -> tuple[str, str]:
        unit = self.sides[state].boundaries.units[uid]
        return unit.layer, unit.level

    def _pairs(self, before: Ints, after: Ints) -> list[Pair]:
        named = (*self.reach.uids, None)
        return [(named[i], named[j]) for i, j in zip(before.tolist(), after.tolist(), strict=True)]

    @cached_property
    def flows(self) -> tuple[Flow, ...]:
        """Every pair between which something goes, by code, outside last."""
        told = {pair: self._rounded(raw) for pair, raw in self._raw_flows.items()}
        for name, one in self.held.items():
            if one.tally is None:
                continue
            pairs, group = np.unique(
                np.column_stack((one.moving.before, one.moving.after)), axis=0, return_inverse=True
            )
            counts = tallied(one.tally, one.moving.row, group.reshape(-1), len(pairs))
            for figures in told.values():
                figures[f"{name}_by"] = {}
            for pair, count in zip(self._pairs(pairs[:, 0], pairs[:, 1]), counts, strict=True):
                told[pair][f"{name}_by"] = count
        return tuple(sorted((self._flow(pair, figures) for pair, figures in told.items()), key=_flow_rank))

    def _flow(self, pair: Pair, figures: Figures) -> Flow:
        source, target = (self._unit(state, uid) if uid else None for state, uid in enumerate(pair))
        return Flow(*pair, source.code if source else None, target.code if target else None, figures)

    @cached_property
    def totals(self) -> dict[str, Figures]:
        """The reported grids added up, and what came from and went to nobody: before + from_outside = after + to_outside."""
        names = ("area_m2", *self._columns)
        told = {grid.uid for grid in self.grids}
        parts = {
            "before": [raw for uid, raw in self._raw[0].items() if uid in told],
            "after": [raw for uid, raw in self._raw[1].items() if uid in told],
            "from_outside": [raw for pair, raw in self._raw_flows.items() if pair[0] is None],
            "to_outside": [raw for pair, raw in self._raw_flows.items() if pair[1] is None],
        }
        return {
            part: self._rounded({name: float(sum(raw[name] for raw in held)) for name in names})
            for part, held in parts.items()
        }


def number(value: float, *, whole: bool) -> int | float:
    """A sum as JSON holds it: a whole number, or rounded to 1e-6 (so it does not depend on the order of many summands)."""
    return round(value) if whole else round(value, 6) + 0.0


def cut_counts(grids: Geometries, overlays: Geometries) -> Ints:
    """Per grid, how many overlays lie in it in part only: more than 1 m2 inside and more than 1 m2 beyond."""
    grid, overlay = shapely.STRtree(overlays).query(grids, predicate="intersects")
    shared = ground_m2(polygonal_each(shapely.intersection(grids[grid], overlays[overlay])))
    cut = (shared > ERROR_M2) & (ground_m2(overlays)[overlay] - shared > ERROR_M2)
    return np.bincount(grid[cut], minlength=len(grids)).astype(np.int64)


def tallied(tally: Tally, row: Ints, group: Ints, groups: int) -> list[dict[str, dict[str, int]]]:
    """Per group {window: {label: count}} of the load's rows `row[k]`, which belong to `group[k]` (-1: none); no zeros."""
    found: list[dict[str, dict[str, int]]] = [{} for _ in range(groups)]
    labels = len(tally.labels)
    for window, there in tally.windows.items():
        counted = there[row] & (group != OUTSIDE) & (tally.label[row] >= 0)
        counts = np.bincount(group[counted] * labels + tally.label[row][counted], minlength=groups * labels)
        for at in np.flatnonzero(counts).tolist():
            found[at // labels].setdefault(window, {})[tally.labels[at % labels]] = int(counts[at])
    return found


def _by_grid(grid: Ints, values: npt.NDArray[Any], grids: int) -> Floats:
    sums = np.bincount(grid + 1, values.astype(np.float64), minlength=grids + 1)[1:]
    return np.asarray(sums, dtype=np.float64)


def _array(shapes: Iterable[Any]) -> Geometries:
    listed = list(shapes)
    held = np.empty(len(listed), dtype=object)
    held[:] = listed
    return held


def _flow_rank(flow: Flow) -> tuple[Any, ...]:
    codes = flow.source_code, flow.target_code
    return tuple((code is None, (code or "").encode()) for code in codes)
