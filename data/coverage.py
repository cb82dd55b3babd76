"""Coverage of a layer in a window: every figure with its denominator, recency, what was re-visited on time; and what nobody can say.

    evidence (seen cells, visits, known ways) + boundaries of the window + duty -> figures by grid

Ground, streets, places and households are credited to the grid that had them at the time; recency and re-visits ask how things
stand at the window's end, by the boundaries in force then.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from data.coverageground import LiveGround, Stretch, TownStreets, numbered
from data.evidence import LiveEvidence, TownEvidence, instant64, utc
from data.recency import recencies
from gis.coverage import Credit, Revisits, credited, owners_of, revisits_on_time, swept_area, tracked
from gis.duetimes import due_at, seen_since
from gis.errors import ParameterInvalid
from gis.fixes import Duty, Flags, Floats, Ints, Times
from gis.shares import Share, Shares
from gis.store.engine import Connection
from gis.store.evidence import grid_duty, instants
from gis.store.live import Live

#: Figures in the order in which they are told.
FIGURES = (
    "swept_area", "street_seen_one_side", "street_seen_both_sides", "places_visited", "households_visited", "tracked",
)  # fmt: skip


@dataclass(frozen=True)
class CoverageWish:
    """What is asked: [begin, end) of a layer; every threshold travels with the answer."""

    begin: datetime
    end: datetime
    layer: str = "general"
    revisit_days: float = 7.0
    sight_m: float = 25.0
    enough: float = 0.8
    tracked_min: float = 0.8
    known_at: datetime | None = None
    exact: bool = True

    def as_json(self) -> dict[str, Any]:
        """The parameters by name."""
        return {
            "from": self.begin, "to": self.end, "layer": self.layer, "revisit_days": self.revisit_days,
            "enough": self.enough, "tracked_min": self.tracked_min,
        }  # fmt: skip


@dataclass(frozen=True)
class LiveCoverage:
    """What a process keeps to answer about coverage."""

    evidence: LiveEvidence
    ground: LiveGround


@dataclass(frozen=True, eq=False)
class TownCoverage:
    """Coverage of a window. `keys` are grids (uids): first those in force at its end, `count` of them, then those that went in it."""

    wish: CoverageWish
    found: TownEvidence
    stretches: list[Stretch]
    streets: TownStreets
    keys: tuple[str, ...]
    count: int
    duty: Duty
    duty_grids: list[str]

    @property
    def parameters(self) -> dict[str, Any]:
        """All that the figures depend on."""
        return self.wish.as_json() | self.found.parameters

    @property
    def last(self) -> Stretch:
        """The stretch in force at the window's end."""
        return self.stretches[-1]

    @cached_property
    def end(self) -> np.datetime64:
        """The window's end."""
        return instant64(self.wish.end)

    @cached_property
    def position(self) -> dict[str, int]:
        """Grid (uid) -> its row."""
        return {key: i for i, key in enumerate(self.keys)}

    # -- who was on duty, and tracked ---------------------------------------------------------------------------------

    @cached_property
    def _duty_owner(self) -> Ints:
        return np.array([self.position.get(grid, -1) for grid in self.duty_grids], np.int64)

    def tracked_in(self, begin: np.datetime64, end: np.datetime64) -> Shares:
        """`tracked` of each grid within a part of what evidence there is."""
        low, high = np.maximum(self.duty.begin, begin), np.minimum(self.duty.end, end)
        rows = np.flatnonzero(high > low)
        duty = Duty(self.duty.member[rows], low[rows], high[rows])
        seconds = (duty.end - duty.begin).view(np.int64) / 1e6
        return tracked(self.keys, self._duty_owner[rows], self.found.evidence.tracked_s(duty), seconds)

    @cached_property
    def tracked(self) -> Shares:
        """`tracked` in the window."""
        return self.tracked_in(instant64(self.wish.begin), self.end)

    @cached_property
    def tracked_cycle(self) -> Shares:
        """`tracked` in the last revisit interval."""
        back = np.timedelta64(round(self.wish.revisit_days * 86_400), "s")
        return self.tracked_in(max(self.end - back, self.found.evidence.since), self.end)

    @cached_property
    def tracked_ever(self) -> Shares:
        """`tracked` since evidence begins."""
        return self.tracked_in(self.found.evidence.since, self.end)

    def watched(self, shares: Shares) -> Flags:
        """Which grids were tracked enough for "missed" and "never" to be said."""
        known: Flags = (shares.denominator > 0) & (shares.numerator >= self.wish.tracked_min * shares.denominator)
        return known

    # -- the figures --------------------------------------------------------------------------------------------------

    @cached_property
    def figures(self) -> Mapping[str, Shares]:
        """Name -> shares by grid, in the order of FIGURES."""
        return {name: getattr(self, name) for name in FIGURES}

    @cached_property
    def swept_area(self) -> Shares:
        """(a) the ground within sight, without water."""
        spans = [(one.cells, self.found.evidence.seen(one.begin64, one.end64)) for one in self.stretches]
        found = swept_area(spans, self.parameters, [one.uids() for one in self.stretches])
        return found.aligned(self.keys)

    @cached_property
    def _street_seen(self) -> list[tuple[Ints, Flags, Flags]]:
        """Of each stretch the owner of each piece, and whether one and both of its sides were within sight."""
        samples = self.streets.samples
        return [
            (self.rows_of(one, one.streets), *samples.seen(self.found.evidence.seen(one.begin64, one.end64)))
            for one in self.stretches
        ]

    def rows_of(self, stretch: Stretch, index: npt.NDArray[np.int32]) -> Ints:
        """Rows of grids that are given as positions in a stretch's codes."""
        rows = np.array([*(self.position.get(uid, -1) for uid in stretch.uids()), -1], np.int64)
        found: Ints = rows[index]
        return found

    @cached_property
    def street_seen_one_side(self) -> Shares:
        """(b) the length of street of which one side at least was within sight."""
        return self._share("street_seen_one_side")

    @cached_property
    def street_seen_both_sides(self) -> Shares:
        """(b) the length of street of which both sides were."""
        return self._share("street_seen_both_sides")

    def _share(self, name: str) -> Shares:
        parts, weight, unit = self._credits[name]
        return credited(name, unit, self.keys, parts, weight, self.parameters)

    @cached_property
    def _credits(self) -> dict[str, tuple[list[Credit], Floats, str]]:
        """Name -> whose things were and were they done, stretch by stretch; what each weighs; in which unit."""
        town, metres = self.found.town, self.streets.samples.length_m
        counts = town.household_counts.astype(np.float64)
        return {
            "street_seen_one_side": ([Credit(owner, one) for owner, one, _ in self._street_seen], metres, "m"),
            "street_seen_both_sides": ([Credit(owner, both) for owner, _, both in self._street_seen], metres, "m"),
            "places_visited": (self._visits(town.of_places), self.listed.astype(np.float64), "places"),
            "households_visited": (self._visits(town.of_households), counts, "households"),
        }

    @cached_property
    def street_pieces_seen(self) -> tuple[Flags, Flags]:
        """Whether each piece was seen in the window, from one side and from both."""
        one, both = (np.any([seen[k] for seen in self._street_seen], axis=0) for k in (1, 2))
        return one, both

    @cached_property
    def places_visited(self) -> Shares:
        """(c) must-visit places visited in the window."""
        return self._share("places_visited")

    @cached_property
    def households_visited(self) -> Shares:
        """(c) households visited in the window."""
        return self._share("households_visited")

    def _visits(self, part: Any) -> list[Credit]:
        """Of each stretch whose each place (or household) was, and whether it was visited in it."""
        sites = self.found.evidence.ground.sites
        return [
            Credit(
                self._site_owners(one, part(sites.lon), part(sites.lat)),
                ~np.isnat(part(self.found.evidence.first_visits(one.begin64, one.end64))),
            )
            for one in self.stretches
        ]

    def _site_owners(self, stretch: Stretch, lon: Floats, lat: Floats) -> Ints:
        by_code = stretch.state.boundaries.by_code
        rows = {code: self.position.get(by_code[code].uid, -1) for code in stretch.state.index.codes}
        return owners_of(stretch.state.index, self.wish.layer, lon, lat, rows)

    # -- how things stand at the end ----------------------------------------------------------------------------------

    @cached_property
    def site_owner(self) -> Ints:
        """The row of the grid that has each site at the window's end; -1: nobody."""
        sites = self.found.evidence.ground.sites
        return self._site_owners(self.last, sites.lon, sites.lat)

    @cached_property
    def last_visits(self) -> Times:
        """The newest visit to each site before the window's end; NaT: never since evidence begins."""
        return self.found.evidence.last_visits(self.end)

    @cached_property
    def listed(self) -> Flags:
        """Which places are on the list at the window's end."""
        end = self.wish.end
        return np.array(
            [one["since"] <= end and (one["until"] is None or one["until"] > end) for one in self.found.town.places],
            dtype=bool,
        )

    @cached_property
    def place_days(self) -> Floats:
        """How often each place has to be visited: by its own interval or the deployment's."""
        return np.array([one["revisit_days"] or self.wish.revisit_days for one in self.found.town.places], np.float64)

    @cached_property
    def place_since(self) -> Times:
        """When each place came on the list."""
        return instants(one["since"] for one in self.found.town.places)

    @cached_property
    def place_due(self) -> Times:
        """When each place is due."""
        since = np.maximum(self.place_since, self.found.evidence.since)
        return due_at(self.found.town.of_places(self.last_visits), since, self.place_days)

    @cached_property
    def place_unsure(self) -> Flags:
        """Places of which nobody can say, since evidence began less than an interval ago and knows of no visit."""
        return self.unsure(self.found.town.of_places(self.last_visits), self.place_due, self.place_since)

    def unsure(self, last: Times, due: Times, since: Times) -> Flags:
        """What was not visited since evidence begins, was there before, and is not due by what evidence can say."""
        found: Flags = np.isnat(last) & (since < self.found.evidence.since) & (due > self.end)
        return found

    @cached_property
    def place_pending(self) -> Flags:
        """Places that came on the list a short while ago, were not visited yet and are not due: no part of any figure of re-visits."""
        found: Flags = np.isnat(self.found.town.of_places(self.last_visits)) & (self.place_due > self.end)
        return found & ~self.place_unsure

    @cached_property
    def revisits(self) -> Revisits:
        """(e) which grids were fully re-visited on time: every place on the list, each by its interval."""
        owner = np.where(self.listed & ~self.place_pending, self.found.town.of_places(self.site_owner), -1)
        on_time = (self.place_due > self.end) & ~self.place_unsure
        return revisits_on_time(
            self.keys, owner, on_time, self.tracked_cycle, self.parameters,
            tracked_min=self.wish.tracked_min, unsure=self.place_unsure,
        )  # fmt: skip

    @cached_property
    def street_last(self) -> Times:
        """When each piece of street was last within sight before the window's end; NaT: never since evidence begins."""
        seconds = self.streets.samples.last_seen(self.found.evidence.last_seen(self.end))
        return np.where(seconds > 0, seconds * 1_000_000, np.iinfo(np.int64).min).view("datetime64[us]")

    @cached_property
    def street_owner(self) -> Ints:
        """The row of the grid that has each piece at the window's end."""
        return self.rows_of(self.last, self.last.streets)

    @cached_property
    def grid_seen_since(self) -> Times:
        """(d) the newest instant since which `enough` of each grid's streets were seen; NaT: never, or no streets."""
        samples = self.streets.samples
        return seen_since(self.street_owner, samples.length_m, self.street_last, len(self.keys), self.wish.enough)

    @cached_property
    def recency(self) -> list[dict[str, Any]]:
        """(d) of each grid `{"kind": seen | never | unknown | none, "days", "at"}`; unknown may have the age of what is known."""
        metres = np.bincount(
            self.street_owner[self.street_owner >= 0],
            weights=self.streets.samples.length_m[self.street_owner >= 0],
            minlength=len(self.keys),
        )
        return self.recencies(
            self.grid_seen_since, self.watched(self.tracked_ever), self.watched(self.tracked_cycle), metres > 0
        )

    def recencies(self, last: Times, ever: Flags, lately: Flags, there: Flags) -> list[dict[str, Any]]:
        """Recency of things: whether their members were tracked since evidence begins (`ever`) and in the last interval (`lately`).

        Seen longer ago than an interval, and nobody was tracked since: it may have been seen again, nobody knows.
        """
        found = recencies(last, self.end, ever, there, whole_days=not self.wish.exact)
        for one, is_watched in zip(found, lately.tolist(), strict=True):
            if one["kind"] == "seen" and one["days"] > self.wish.revisit_days and not is_watched:
                one["kind"] = "unknown"
        return found

    @cached_property
    def totals(self) -> Mapping[str, Share]:
        """Name -> the figure of the whole layer: what changed hands in the window counts once, a member of several grids too."""
        spans = [(one.cells, self.found.evidence.seen(one.begin64, one.end64)) for one in self.stretches]
        whole = [["all" if uid in self.position else "" for uid in one.uids()] for one in self.stretches]
        shares = {"swept_area": swept_area(spans, self.parameters, whole).aligned(("all",))}
        for name, (parts, weight, unit) in self._credits.items():
            united = [Credit(np.where(one.owner >= 0, 0, -1), one.done) for one in parts]
            shares[name] = credited(name, unit, ("all",), united, weight, self.parameters)
        return {name: one.total for name, one in shares.items()} | {"tracked": self._tracked_once}

    @cached_property
    def _tracked_once(self) -> Share:
        """`tracked` in the window of all members, each once."""
        begin = instant64(self.wish.begin)
        low, high = np.maximum(self.duty.begin, begin), np.minimum(self.duty.end, self.end)
        rows = np.flatnonzero((high > low) & (self._duty_owner >= 0))
        keys = np.column_stack([self.duty.member[rows], low[rows].view(np.int64), high[rows].view(np.int64)])
        rows = rows[np.unique(keys, axis=0, return_index=True)[1]]
        duty = Duty(self.duty.member[rows], low[rows], high[rows])
        known = float(self.found.evidence.tracked_s(duty).sum())
        return Share("tracked", "s", known, float((duty.end - duty.begin).view(np.int64).sum()) / 1e6, self.parameters)


def town_coverage(connection: Connection, live: Live, kept: LiveCoverage, wish: CoverageWish) -> TownCoverage:
    """The coverage that is asked for, ready to be read. ParameterInvalid for a window that is none, or that evidence does not reach."""
    _check(wish)
    now = live.now(connection)
    found = kept.evidence.evidence(connection, live, wish.sight_m)
    since = utc(found.evidence.since)
    if wish.begin < found.horizon:
        raise ParameterInvalid(
            f"fixes are looked at from {found.horizon.isoformat()} on (GRIDBEAT_COVERAGE_DAYS); from lies before",
            place="from",
        )
    stretches = kept.ground.stretches(
        connection, live, found, wish.layer, wish.begin, wish.end, wish.known_at or now.known_at
    )
    kept.evidence.walks(connection, found, *(one.end64 for one in stretches))
    duty, grids = grid_duty(connection, min(since, wish.begin), wish.end)
    position = numbered(stretches)
    of_layer = [
        uid
        for uid in position
        if any((unit := one.state.boundaries.units.get(uid)) and unit.layer == wish.layer for one in stretches)
    ]
    in_force = [uid for uid in of_layer if uid in stretches[-1].state.boundaries.units]
    keys = (*in_force, *(uid for uid in of_layer if uid not in stretches[-1].state.boundaries.units))
    streets = kept.ground.streets(connection, found.evidence.ground.frame)
    return TownCoverage(wish, found, stretches, streets, keys, len(in_force), duty, grids)


def _check(wish: CoverageWish) -> None:
    if not wish.begin < wish.end:
        raise ParameterInvalid("to lies after from", place="to")
    if not (wish.revisit_days > 0 and wish.sight_m > 0):
        raise ParameterInvalid("revisit_days and sight_m are above 0", place="revisit_days")
