"""Evidence kept in the process: read from the store once, day by day, and no more than what changed since.

A day is made anew when the marks of its fixes differ; of the two newest days only the members whose fixes changed are read. Other
sites (places, households), another sight or a town that grew make all days anew.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta, tzinfo
from typing import Any, Final

import numpy as np
import shapely

from gis.cellframe import CellFrame, frame_of
from gis.dayevidence import DayEvidence, EvidenceGround, EvidenceRules, Sites, day_evidence, day_number, with_members
from gis.errors import EvidencePending, ParameterInvalid
from gis.evidence import Evidence
from gis.fixes import Ints
from gis.places import PlaceVisits, all_visits, noted, told_of
from gis.store import evidence as store
from gis.store.engine import Connection
from gis.store.evidence import TownMarks
from gis.store.fixes import read_fixes
from gis.store.live import Live, State
from gis.store.visits import read_places
from gis.tracks import Tracks

#: Days whose walks stay in memory, so that a member's new fixes are added and not the whole day made anew.
KEPT_WALKS: Final = 2
#: Degrees to which the town's box is widened: a border that moves a little needs no new cells.
_BOX: Final = 0.02
_BEGIN: Final = datetime(1970, 1, 1, tzinfo=UTC)
_END: Final = datetime(9000, 1, 1, tzinfo=UTC)

Day = int


@dataclass(frozen=True, eq=False)
class TownSites:
    """Sites in one line: the must-visit places by code, then the points with households."""

    places: list[dict[str, Any]]
    households: list[Any]
    sites: Sites

    @property
    def household_counts(self) -> Ints:
        """How many households each of the latter points has."""
        return np.array([one.households for one in self.households], np.int64)

    def of_places(self, column: Any) -> Any:
        """The part of a column over sites that is about places."""
        return column[: len(self.places)]

    def of_households(self, column: Any) -> Any:
        """The part of a column over sites that is about households."""
        return column[len(self.places) :]


@dataclass(frozen=True, eq=False)
class TownEvidence:
    """The evidence as of a moment, with the sites it speaks of; equal `version`, equal evidence.

    Fixes before `horizon` are not looked at; `evidence.since` is later where nothing is known of the first days.
    """

    evidence: Evidence
    town: TownSites
    version: int
    horizon: datetime

    @property
    def parameters(self) -> dict[str, Any]:
        """What every figure made from it depends on."""
        ground = self.evidence.ground
        rules, since = ground.rules.as_json(), self.evidence.since
        return rules | {"cell_m": ground.frame.cell_m, "evidence_since": utc(since)}


@dataclass
class _Held:
    """What is kept for one sight: marks of what it was made from. `answer` is what was known last, `is_stale`: parts are newer."""

    ground: EvidenceGround
    town: TownSites
    marks: TownMarks
    days: dict[Day, DayEvidence] = field(default_factory=dict)
    marks_of: dict[Day, tuple[int, int]] = field(default_factory=dict)
    changes: dict[Day, dict[tuple[int, date], int]] = field(default_factory=dict)
    told: PlaceVisits | None = None
    since: np.datetime64 | None = None
    answer: TownEvidence | None = None
    is_stale: bool = True


class LiveEvidence:
    """Evidence of the last `days` days by sight, at most `keep` sights. Safe in threads: one makes it, the others wait.

    They wait `patience_s` at most, for each holds a connection that reports need: then they get what was known before.
    """

    def __init__(self, zone: tzinfo, days: int = 35, keep: int = 2, patience_s: float = 2.0) -> None:
        self._zone, self._days, self._keep, self._patience_s = zone, days, keep, patience_s
        self._held: OrderedDict[float, _Held] = OrderedDict()
        self._lock = threading.Lock()
        self._versions = 0

    def evidence(self, connection: Connection, live: Live, sight_m: float = 25.0) -> TownEvidence:
        """All that is known now; a moment older while another thread reads what is new.

        ParameterInvalid where no grids are in force, or the sight is not above 0; EvidencePending while another reads all of it for
        the first time.
        """
        now = live.now(connection)
        state = live.state(connection, now)
        if not self._lock.acquire(timeout=self._patience_s):
            held = self._held.get(sight_m)
            if held is None or held.answer is None:
                raise EvidencePending("the patrols of the last weeks are being read; come again in a few seconds")
            return held.answer
        try:
            return self._renewed(connection, state, now.at, sight_m)
        finally:
            self._lock.release()

    def _renewed(self, connection: Connection, state: State, now: datetime, sight_m: float) -> TownEvidence:
        """What is held, renewed where the store has something else. The caller has the lock."""
        held = self._ground(connection, state, now, sight_m)
        first, last = self._numbers(held.ground, now)
        horizon = held.ground.span(first)[0]
        since = max(horizon, self._begun(connection, held.ground, horizon))
        self._renew_days(connection, held, first, last)
        if held.told is None or held.since != since:
            held.told, held.since, held.is_stale = _told(connection, held.ground, held.town, utc(horizon)), since, True
        if held.is_stale or held.answer is None:
            self._versions += 1
            held.answer = TownEvidence(
                Evidence(held.ground, dict(held.days), held.told, since), held.town, self._versions, utc(horizon)
            )
            held.is_stale = False
        return held.answer

    def walks(self, connection: Connection, found: TownEvidence, *ends: np.datetime64) -> None:
        """Windows that end at these instants can be asked of the evidence afterwards."""
        for end in ends:
            number = found.evidence.lacking(end)
            if number is not None:
                self.walks_of(connection, found, number)

    def walks_of(self, connection: Connection, found: TownEvidence, number: Day) -> Tracks | None:
        """The walks of a day; of an older one they are read, and kept with this evidence. None for a day nobody walked."""
        evidence = found.evidence
        day = evidence.days.get(number)
        if day is None or day.walks is not None:
            return None if day is None else day.walks
        if number not in evidence.walks:
            made = day_evidence(evidence.ground, number, _fixes(connection, evidence.ground, number)).walks
            if made is not None:
                evidence.walks[number] = made
        return evidence.walks.get(number)

    def _begun(self, connection: Connection, ground: EvidenceGround, horizon: np.datetime64) -> np.datetime64:
        """The beginning of the first day of which anything is known."""
        earliest = store.earliest_evidence(connection)
        return horizon if earliest is None else ground.span(day_number(ground, instant64(earliest)))[0]

    def _numbers(self, ground: EvidenceGround, now: datetime) -> tuple[Day, Day]:
        last = day_number(ground, instant64(now))
        return last - self._days + 1, last

    def _ground(self, connection: Connection, state: State, now: datetime, sight_m: float) -> _Held:
        """What is held of this sight, made anew where its cells or sites are no longer right."""
        marks = store.town_marks(connection)
        frame, origin = _frame(state), _origin(self._zone, now)
        held = self._held.get(sight_m)
        if held is not None and _is_same_ground(held, frame, origin, marks):
            if held.marks.told != marks.told:
                held.told = None
            held.marks = marks
        else:
            town = _town(connection)
            fresh = _Held(EvidenceGround(frame, origin, town.sites, EvidenceRules(sight_m)), town, marks)
            fresh.answer = None if held is None else held.answer
            self._held[sight_m] = held = fresh
        self._held.move_to_end(sight_m)
        while len(self._held) > self._keep:
            self._held.popitem(last=False)
        return held

    def _renew_days(self, connection: Connection, held: _Held, first: Day, last: Day) -> None:
        """The days from first to last are as the store has them."""
        wanted = {number: _wanted(held.ground, number) for number in range(first, last + 1)}
        found = store.span_marks(connection, wanted)
        gone = [number for number in held.marks_of if number not in wanted]
        different = [number for number in wanted if held.marks_of.get(number) != found.get(number)]
        held.is_stale |= bool(gone or different)  # said first: what fails half way is made anew the next time
        for number in gone:
            _drop(held, number)
        for number in different:
            if number in found:
                _renew(connection, held, number, wanted[number], is_new=number > last - KEPT_WALKS)
                held.marks_of[number] = found[number]
            else:
                _drop(held, number)
        for number, day in held.days.items():
            if number <= last - KEPT_WALKS and day.walks is not None:
                held.days[number] = day.light()
                held.changes.pop(number, None)


def _drop(held: _Held, number: Day) -> None:
    """Nothing is known of a day."""
    held.days.pop(number, None)
    held.marks_of.pop(number, None)
    held.changes.pop(number, None)


def _renew(connection: Connection, held: _Held, number: Day, span: tuple[datetime, datetime], *, is_new: bool) -> None:
    """One day is as the store has it; of a new one only the members are read whose fixes changed, where they are few."""
    changes = store.member_changes(connection, *span) if is_new else {}
    known, day = held.changes.get(number), held.days.get(number)
    if known is not None and day is not None and day.walks is not None:
        members = {key[0] for key in changes.keys() | known.keys() if changes.get(key) != known.get(key)}
        if 2 * len(members) <= len({member for member, _ in changes}):
            ordered = sorted(members)
            fixes = _fixes(connection, held.ground, number, ordered)
            held.days[number] = with_members(held.ground, day, np.array(ordered, np.int64), fixes)
            held.changes[number] = changes
            return
    made = day_evidence(held.ground, number, _fixes(connection, held.ground, number))
    held.days[number] = made if is_new else made.light()
    if is_new:
        held.changes[number] = changes


def _fixes(connection: Connection, ground: EvidenceGround, number: Day, members: list[int] | None = None) -> Any:
    return read_fixes(connection, *_wanted(ground, number), members)


def _is_same_ground(held: _Held, frame: CellFrame, origin: np.datetime64, marks: TownMarks) -> bool:
    mine = held.ground.frame
    is_same_frame = (mine.plane, mine.south, mine.west, mine.rows, mine.columns) == (
        frame.plane, frame.south, frame.west, frame.rows, frame.columns,
    )  # fmt: skip
    sites = (held.marks.places, held.marks.households) == (marks.places, marks.households)
    return is_same_frame and held.ground.origin == origin and sites


def _frame(state: State) -> CellFrame:
    """The cells of the town: all its grids, and some ground round them."""
    shapes = [partition.geometry for partition in state.boundaries.assignable() if len(partition)]
    if not shapes:
        raise ParameterInvalid("no grids are in force: load grids first", place="layer")
    west, south, east, north = shapely.total_bounds(np.concatenate(shapes)).tolist()
    low = [float(np.floor(edge / _BOX) * _BOX) for edge in (west, south)]
    high = [float(np.ceil(edge / _BOX) * _BOX) for edge in (east, north)]
    return frame_of((low[0], low[1], high[0], high[1]))


def _origin(zone: tzinfo, now: datetime) -> np.datetime64:
    """A local midnight, by the clock that the zone has now."""
    offset = now.astimezone(zone).utcoffset() or timedelta()
    return instant64(datetime(2000, 1, 3, tzinfo=UTC) - offset)


def _town(connection: Connection) -> TownSites:
    places, households = read_places(connection, _BEGIN, _END), store.read_household_sites(connection)
    lon, lat = (
        np.array([*(one[name] for one in places), *(getattr(one, name) for one in households)], np.float64)
        for name in ("lon", "lat")
    )
    return TownSites(places, households, Sites(lon, lat))


def _told(connection: Connection, ground: EvidenceGround, town: TownSites, since: datetime) -> PlaceVisits:
    """Visits to sites by check-ins, by reports of members from there, and those that were noted."""
    sites, rules, plane = ground.sites, ground.rules, ground.frame.plane
    parts = []
    for by, read in (("checkin", store.read_checkins), ("report", store.read_member_reports)):
        told = read(connection, since, _END)
        parts.append(
            noted(by, told.member, told.at, told.lon, told.lat, sites.lon, sites.lat, plane, within_m=rules.within_m)
        )
    position = {one["code"]: i for i, one in enumerate(town.places)}
    codes, member, at = store.read_told_visits(connection, since, _END)
    place = np.array([position.get(code, -1) for code in codes], np.int64)
    known = place >= 0
    parts.append(told_of("report", place[known], member[known], at[known]))
    return all_visits(parts)


def _wanted(ground: EvidenceGround, number: Day) -> tuple[datetime, datetime]:
    """From when to when a day needs fixes."""
    begin, end = ground.wanted(number)
    return utc(begin), utc(end)


def utc(at: np.datetime64) -> datetime:
    """An instant as the store takes it."""
    return _BEGIN + timedelta(microseconds=int(at.astype("datetime64[us]").astype(np.int64)))


def instant64(at: datetime) -> np.datetime64:
    """An instant as numpy has it."""
    return np.datetime64(at.astimezone(UTC).replace(tzinfo=None), "us")
