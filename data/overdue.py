"""Deadlines: which places are overdue, which are unknown, which will be overdue; and the certificate of a cycle."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any, Final, Literal

import numpy as np

from data.coverage import TownCoverage
from data.coverageanswers import figure, grid_codes, head, row_of, totals
from data.evidence import utc
from gis.duetimes import DUE_STATES, DueTimes, due_at, due_times, seen_since
from gis.errors import ParameterInvalid
from gis.fixes import Flags, Floats, Ints, Times
from gis.forecast import WEEK, Hindsight, chance_of_visit, hindsight

By = Literal["place", "household", "street"]
#: The longest time that is looked ahead, in days.
MOST_AHEAD: Final = 7


@dataclass(frozen=True, eq=False)
class Things:
    """What has to be visited again, of one kind: due times, whose it is (row of a grid, -1: nobody's), and how to name it."""

    by: By
    last: Times
    due: Times
    interval_days: Floats
    owner: Ints
    listed: Flags
    unsure: Flags


@dataclass(frozen=True, eq=False)
class Deadlines:
    """Due times of all things of a kind at the window's end, with what is to be expected."""

    coverage: TownCoverage
    things: Things
    ahead_days: int

    @cached_property
    def chance(self) -> Floats | None:
        """The chance of each thing that falls due within `ahead_days` to be visited before; NaN: not asked. None: no history."""
        if self.visited is None:
            return None
        left = (self.things.due - self.coverage.end) / np.timedelta64(1, "us") / 86_400e6
        near = (left > 0) & (left <= self.ahead_days)
        return chance_of_visit(self.visited, np.where(near, left, 0.0), self._group)

    @cached_property
    def visited(self) -> Flags | None:
        """Whether each thing was visited on each of the days back that evidence reaches; None for less than two weeks."""
        evidence = self.coverage.found.evidence
        days = int((self.coverage.end - evidence.since) / np.timedelta64(1, "D"))
        if self.things.by == "street" or days < 2 * WEEK or not len(self.things.last):
            return None
        town, visits = self.coverage.found.town, evidence.visit_days(self.coverage.end, days)
        found: Flags = town.of_households(visits) if self.things.by == "household" else town.of_places(visits)
        return found

    @cached_property
    def _group(self) -> Ints:
        return np.unique(self.things.interval_days, return_inverse=True)[1].astype(np.int64)

    @cached_property
    def times(self) -> DueTimes:
        """State and due time of each thing."""
        watched = np.append(self.coverage.watched(self.coverage.tracked_cycle), False)[self.things.owner]
        return due_times(
            self.things.last, self.things.due, self.coverage.end,
            tracked=watched, chance=self.chance, unsure=self.things.unsure,
        )  # fmt: skip

    @cached_property
    def hindsight(self) -> Hindsight | None:
        """What forecasts of the last weeks were worth; None where there is too little to learn from."""
        if self.visited is None:
            return None
        rows = np.flatnonzero(self.things.listed)
        return hindsight(
            self.visited[rows], self.things.interval_days[rows], self._group[rows], ahead_days=self.ahead_days
        )

    def counts(self, rows: Ints) -> dict[str, int]:
        """How many of these things have each state."""
        return dict(
            zip(DUE_STATES, np.bincount(self.times.state[rows], minlength=len(DUE_STATES)).tolist(), strict=True)
        )


def deadlines(coverage: TownCoverage, by: By, ahead_days: int = 2) -> Deadlines:
    """Due times by place, household or street. ParameterInvalid for a time ahead that is not 1 to MOST_AHEAD days."""
    if not 1 <= ahead_days <= MOST_AHEAD:
        raise ParameterInvalid(f"ahead_days is 1 to {MOST_AHEAD}", place="ahead_days")
    return Deadlines(
        coverage, {"place": _places, "household": _households, "street": _streets}[by](coverage), ahead_days
    )


def _places(coverage: TownCoverage) -> Things:
    town = coverage.found.town
    owner, last = town.of_places(coverage.site_owner), town.of_places(coverage.last_visits)
    listed = coverage.listed & (owner >= 0)
    return Things("place", last, coverage.place_due, coverage.place_days, owner, listed, coverage.place_unsure)


def _households(coverage: TownCoverage) -> Things:
    town = coverage.found.town
    return _ever_there(
        coverage, "household", town.of_households(coverage.last_visits), town.of_households(coverage.site_owner)
    )


def _ever_there(coverage: TownCoverage, by: By, last: Times, owner: Ints) -> Things:
    """Things without a date of their own: they were there before evidence begins, and have the deployment's interval."""
    days, since = np.full(len(last), coverage.wish.revisit_days), np.full(len(last), coverage.found.evidence.since)
    due = due_at(last, since, days)
    unsure = coverage.unsure(last, due, since - np.timedelta64(1, "us"))
    return Things(by, last, due, days, owner, owner >= 0, unsure)


def _streets(coverage: TownCoverage) -> Things:
    """Streets are as old as the freshest `enough` of their length within the layer's grids."""
    samples, count = coverage.streets.samples, len(coverage.streets.rows)
    inside = coverage.street_owner >= 0
    last = seen_since(
        np.where(inside, samples.street, -1), samples.length_m, coverage.street_last, count, coverage.wish.enough
    )
    owner = np.full(count, -1, np.int64)
    owner[samples.street[inside][::-1]] = coverage.street_owner[inside][::-1]
    return _ever_there(coverage, "street", last, owner)


@dataclass(frozen=True)
class OverdueWish:
    """Which rows are asked for: of these states, of one grid (code or uid), from a position on, at most so many."""

    states: tuple[str, ...] = ("overdue", "unknown", "soon")
    grid: str | None = None
    start: int = 0
    limit: int = 100


def overdue_json(found: Deadlines, wanted: OverdueWish) -> tuple[dict[str, Any], int | None]:
    """(the list, worst first, with counts and what forecasts are worth; the position of the next page)."""
    coverage = found.coverage
    row = row_of(coverage, wanted.grid)
    order = found.times.worst_first()
    mine = found.things.listed if row is None else found.things.listed & (found.things.owner == row)
    order = order[mine[order]]
    states = {DUE_STATES.index(name) for name in wanted.states}
    shown = order[np.isin(found.times.state[order], list(states))]
    page = shown[wanted.start : wanted.start + wanted.limit]
    end = wanted.start + wanted.limit
    past = found.hindsight
    body = {
        **head(coverage, found.things.by),
        "ahead_days": found.ahead_days,
        "counts": found.counts(order),
        "forecast": None if past is None else past.as_json(),
        "items": due_rows(found, page),
    }
    return body, end if len(shown) > end else None


def due_rows(found: Deadlines, rows: Ints) -> list[dict[str, Any]]:
    """These things, in this order: what each is, where, whose, last visit, due time, state, and the chance of a visit in time."""
    codes = grid_codes(found.coverage)
    days, chance = found.times.overdue_days, found.chance
    told = []
    for i in rows.tolist():
        owner = int(found.things.owner[i])
        last = found.times.last[i]
        probability = None if chance is None or np.isnan(chance[i]) else round(float(chance[i]), 3)
        told.append(_named(found, i) | {
            "grid": codes[owner] if owner >= 0 else None, "last": None if np.isnat(last) else utc(last),
            "due": utc(found.times.due[i]), "overdue_days": round(float(days[i]), 3),
            "state": DUE_STATES[found.times.state[i]], "probability": probability,
        })  # fmt: skip
    return told


def _named(found: Deadlines, i: int) -> dict[str, Any]:
    town = found.coverage.found.town
    if found.things.by == "place":
        place = town.places[i]
        return {
            name: place[key]
            for name, key in (("place", "code"), ("kind", "kind"), ("name", "name"), ("lon", "lon"), ("lat", "lat"))
        }
    if found.things.by == "household":
        one = town.households[i]
        return {"household": one.external_id or one.uid, "address": one.address, "households": one.households,
                "lon": one.lon, "lat": one.lat}  # fmt: skip
    row = found.coverage.streets.rows[i]
    middle = row["geometry"].interpolate(0.5, normalized=True)
    return {"street": row["id"], "name": row["name"], "length_m": row["length_m"], "lon": middle.x, "lat": middle.y}


# -- the certificate of a cycle ---------------------------------------------------------------------------------------


def certificate_json(coverage: TownCoverage, made_at: datetime) -> dict[str, Any]:
    """What can be certified of the cycle that ends at the window's end: shares of places on time and late, of those of which it is
    known; the share unknown, of all; the oldest place; each grid.
    """
    found = deadlines(coverage, "place")
    rows = np.flatnonzero(found.things.listed & ~coverage.place_pending)
    pending = int((found.things.listed & coverage.place_pending).sum())
    counts = found.counts(rows)
    on_time = counts["due"] + counts["soon"]
    return head(coverage, "place") | totals(coverage) | {
        "made_at": made_at,
        "places": len(rows),
        "counts_of_places": {"visited": on_time, "missed": counts["overdue"], "unknown": counts["unknown"], "n/a": pending},
        "on_time": figure(float(on_time), float(on_time + counts["overdue"])),
        "late": figure(float(counts["overdue"]), float(on_time + counts["overdue"])),
        "unknown": figure(float(counts["unknown"]), float(len(rows))),
        "grids_on_time": coverage.revisits.on_time.as_json(),
        "oldest": _oldest(found, rows),
        "grids": [_certified(found, rows, i) for i in range(coverage.count)],
    }  # fmt: skip


def _certified(found: Deadlines, rows: Ints, grid: int) -> dict[str, Any]:
    mine = rows[found.things.owner[rows] == grid]
    counts = found.counts(mine)
    unit = found.coverage.last.state.boundaries.units[found.coverage.keys[grid]]
    return {
        "grid": unit.code, "name": unit.name, "places": len(mine), "on_time": counts["due"] + counts["soon"],
        "late": counts["overdue"], "unknown": counts["unknown"], "oldest": _oldest(found, mine),
    }  # fmt: skip


def _oldest(found: Deadlines, rows: Ints) -> dict[str, Any] | None:
    """The place that was not visited for longest; one never visited since evidence begins is older than all."""
    if not len(rows):
        return None
    at = found.things.last[rows].view(np.int64)
    i = int(rows[np.argmin(at)])  # NaT is the least of all
    (row,) = due_rows(found, np.array([i]))
    days = None
    if row["last"] is not None:
        days = (found.coverage.wish.end - row["last"]).total_seconds() / 86_400
    return {name: row[name] for name in ("place", "kind", "name", "grid", "last", "due", "state")} | {"age_days": days}
