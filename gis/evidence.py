"""Evidence: days put together: what was seen in a window, when each place was last visited, how much of a duty was tracked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import numpy.typing as npt
import shapely

from gis.cellframe import LastSeen, Seen
from gis.coverage import ground_ages
from gis.dayevidence import DayEvidence, EvidenceGround, day_number, tracks_together
from gis.fixes import Duty, Floats, Ints, Times, micros_of
from gis.places import PlaceVisits, all_visits
from gis.sweep import Sweep
from gis.tracks import Tracks, tracked_s


@dataclass(frozen=True, eq=False)
class Evidence:
    """All that is known of the days since `since` (the first instant of the oldest day), by site and by cell.

    `told` are visits to sites that people told: check-ins, reports from there, visits noted. Nothing here changes: a new day, or a
    late fix, makes a new Evidence that shares the other days. Only `walks` may be filled: ways of older days, read for a window that
    ends in the middle of one.
    """

    ground: EvidenceGround
    days: Mapping[int, DayEvidence]
    told: PlaceVisits
    since: np.datetime64
    walks: dict[int, Tracks] = field(default_factory=dict)

    @cached_property
    def sweep(self) -> Sweep:
        """The ground seen, day by day."""
        return self.ground.sweep({number: day.slot for number, day in self.days.items()})

    @cached_property
    def visits(self) -> PlaceVisits:
        """Every visit to a site, by time; a stay across midnight stands once for each of its days."""
        return all_visits([*(self.days[number].stays for number in sorted(self.days)), self.told])

    @cached_property
    def known(self) -> Tracks:
        """The pieces of all days in which members' ways are known."""
        return tracks_together([self.days[number].known for number in sorted(self.days)])

    @cached_property
    def newest(self) -> np.datetime64:
        """The last instant of which anything is known by fixes; `since` when nothing is."""
        latest = max((day.slot.newest for day in self.days.values()), default=-1)
        return np.datetime64(max(latest, micros_of(self.since)), "us")

    @property
    def is_empty(self) -> bool:
        """Whether no fix at all is known."""
        return all(day.is_empty for day in self.days.values())

    def seen(self, begin: np.datetime64, end: np.datetime64) -> Seen:
        """The cells seen in [begin, end)."""
        return self.sweep.seen(begin, end, self._walks_at(end))

    def last_seen(self, as_of: np.datetime64) -> LastSeen:
        """When each cell was last seen before an instant; the same answer is kept while nothing newer is known."""
        if micros_of(as_of) > micros_of(self.newest):
            return self._newest_seen
        return self.sweep.last_seen(as_of, self._walks_at(as_of))

    @cached_property
    def _newest_seen(self) -> LastSeen:
        return self.sweep.last_seen(self.newest + np.timedelta64(1, "D"))

    def lacking(self, end: np.datetime64) -> int | None:
        """The day whose walks a window that ends at `end` needs and that are not held (`walks`); None: none.

        Those are needed of a day in which somebody walked after the window's end.
        """
        number = day_number(self.ground, end)
        day = self.days.get(number)
        if day is None or day.walks is not None or number in self.walks or day.slot.newest < micros_of(end):
            return None
        return number

    def _walks_at(self, end: np.datetime64) -> Tracks | None:
        """The walks of the day in which a window ends."""
        number = day_number(self.ground, end)
        day = self.days.get(number)
        return self.walks.get(number) if day is None or day.walks is None else day.walks

    def last_visits(self, as_of: np.datetime64) -> Times:
        """The newest moment before `as_of` at which each site was being visited; NaT: never since `since`."""
        until = micros_of(as_of)
        begun = self.visits.begin.view(np.int64) < until
        place = self.visits.place[begun]
        at = np.minimum(self.visits.end.view(np.int64)[begun], until - 1)
        found = np.full(len(self.ground.sites.lon), np.iinfo(np.int64).min)  # what NaT is
        np.maximum.at(found, place, at)
        return found.view("datetime64[us]")

    def first_visits(self, begin: np.datetime64, end: np.datetime64) -> Times:
        """The first moment in [begin, end) at which each site was being visited; NaT: never in it."""
        since, until = micros_of(begin), micros_of(end)
        inside = (self.visits.begin.view(np.int64) < until) & (self.visits.end.view(np.int64) >= since)
        at = np.maximum(self.visits.begin.view(np.int64)[inside], since)
        found = np.full(len(self.ground.sites.lon), np.iinfo(np.int64).max)
        np.minimum.at(found, self.visits.place[inside], at)
        return np.where(found == np.iinfo(np.int64).max, np.iinfo(np.int64).min, found).view("datetime64[us]")

    def tracked_s(self, duty: Duty) -> Floats:
        """Of each span of duty the seconds in which its member's way is known."""
        return tracked_s(self.known, duty)

    def visit_days(self, as_of: np.datetime64, count: int) -> npt.NDArray[np.bool_]:
        """(sites, count): whether a site was being visited in the k-th 24 hours back from `as_of`; 0 is the last day."""
        day = 86_400 * 1_000_000
        until = micros_of(as_of)
        found = np.zeros((len(self.ground.sites.lon), count), dtype=bool)
        begin = self.visits.begin.view(np.int64)
        rows = np.flatnonzero(begin < until)
        last = (until - 1 - np.minimum(self.visits.end.view(np.int64)[rows], until - 1)) // day
        first = (until - 1 - begin[rows]) // day
        for k in range(int((first - last).max(initial=-1)) + 1):
            here = (last + k <= first) & (last + k < count)
            found[self.visits.place[rows[here]], last[here] + k] = True
        return found


def ages_days(last: Times | Ints, as_of: np.datetime64) -> Floats:
    """How many days ago each instant was; NaN for NaT."""
    micros = last.view(np.int64)
    never = micros == np.iinfo(np.int64).min
    return np.where(never, np.nan, (micros_of(as_of) - np.where(never, 0, micros)) / 86_400e6)


def compile_evidence() -> None:
    """The compiled loops of evidence and coverage are on disk afterwards: a small town is walked through, as it would be in earnest."""
    from gis.cellframe import frame_of
    from gis.cellowners import cell_owners, ground_seen
    from gis.dayevidence import EvidenceRules, Sites, day_evidence, with_members
    from gis.fixes import fixes_of
    from gis.locate import GridIndex
    from gis.partition import partition_of
    from gis.streetsamples import street_samples

    square, day = shapely.box(121.0, 32.0, 121.01, 32.01), np.datetime64("2026-01-05", "us")
    index = GridIndex.of([partition_of(["1"], [square])])
    frame = frame_of((121.0, 32.0, 121.01, 32.01))
    ground = EvidenceGround(frame, day, Sites(np.array([121.005]), np.array([32.005])), EvidenceRules())
    seconds = np.arange(0, 3_600, 60)
    fixes = fixes_of(
        np.zeros(len(seconds)),
        day + seconds.astype("timedelta64[s]"),
        121.004 + seconds * 1e-6,
        np.full(len(seconds), 32.005),
    )
    first = day_evidence(ground, 0, fixes.take(np.arange(30)))
    found = with_members(ground, first, np.array([0]), fixes.take(np.arange(1, len(seconds))))
    evidence = Evidence(ground, {0: found}, all_visits([]), day)
    noon = day + np.timedelta64(30, "m")
    owners = cell_owners(frame, index, "general", water=np.array([square.buffer(-0.004)], dtype=object))
    ground_seen([(owners, evidence.seen(day, noon)), (owners, evidence.seen(noon, day + np.timedelta64(1, "D")))])
    last = evidence.last_seen(noon)
    ground_ages(owners, last, noon)
    street_samples(
        np.array([shapely.LineString([(121.001, 32.005), (121.009, 32.005)])], dtype=object), frame
    ).last_seen(last)
