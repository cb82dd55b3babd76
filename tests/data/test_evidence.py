"""Evidence kept in a process: what changed is read again, and nothing else; late fixes and many threads get what one reading gives."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pytest
import sqlalchemy as sa

import data.evidence
from data.evidence import LiveEvidence, TownEvidence, instant64, utc
from gis.compactfixes import compacted, settled
from gis.errors import EvidencePending, ParameterInvalid
from gis.fixes import fixes_of
from gis.store.engine import create_engine
from gis.store.fixes import drop_fixes, store_fixes
from gis.store.live import Live
from gis.store.members import NewMember, find_member, keep_member
from gis.store.visits import NewPlace, keep_places
from tests.asking import LAT, LON, publish_town
from tests.gis.test_sweep import cells, stamps

ZONE: tzinfo = ZoneInfo("Asia/Shanghai")
NOW = datetime.now(UTC)
NOON = NOW.astimezone(ZONE).replace(hour=12, minute=0, second=0, microsecond=0) - timedelta(days=1)
MINUTE, DAY = timedelta(minutes=1), timedelta(days=1)
MEMBERS = ("a", "b", "c", "d", "e")


@pytest.fixture
def store(database: str) -> Iterator[sa.Engine]:
    """The drawn town with five members and a place."""
    publish_town(database)
    engine = create_engine(database, pool_size=6)
    with engine.begin() as connection:
        for code in MEMBERS:
            keep_member(connection, NewMember(code, code))
        keep_places(
            connection, [NewPlace("P1", "shop", "一", LON + 0.005, LAT + 0.005, "wgs84", "", since=NOON - 90 * DAY)]
        )
    yield engine
    engine.dispose()


def walk(engine: sa.Engine, code: str, begin: datetime, minutes: int = 30, y: float = 0.005) -> None:
    """A member walks eastwards, a fix a minute, from begin on; committed."""
    with engine.begin() as connection:
        keep_walk(connection, code, begin, minutes, y)


def keep_walk(connection: sa.Connection, code: str, begin: datetime, minutes: int = 30, y: float = 0.005) -> None:
    number = find_member(connection, code)["number"]
    at = instant64(begin) + np.arange(minutes) * np.timedelta64(60, "s")
    fixes = fixes_of(np.full(minutes, number), at, LON + 0.001 + np.arange(minutes) * 3e-4, np.full(minutes, LAT + y))
    store_fixes(connection, settled(compacted(fixes, np.zeros(minutes, np.int16))))


def asked(engine: sa.Engine, live: LiveEvidence, sight_m: float = 25.0) -> TownEvidence:
    with engine.connect() as connection:
        return live.evidence(connection, Live(1), sight_m)


def told(found: TownEvidence) -> tuple[Any, ...]:
    """All that the evidence says, bit for bit."""
    evidence = found.evidence
    end = evidence.newest + np.timedelta64(1, "D")
    visits, known = evidence.visits, evidence.known
    return (
        cells(evidence.seen(evidence.since, end)),
        stamps(evidence.last_seen(end)),
        [column.tolist() for column in (visits.place, visits.member, visits.begin, visits.end)],
        [column.tolist() for column in (known.fixes.member, known.fixes.micros, known.fixes.lon, known.joined)],
    )


@pytest.fixture
def readings(monkeypatch: pytest.MonkeyPatch) -> list[tuple[datetime, Any]]:
    """From when on, and of whom, fixes are read."""
    found: list[tuple[datetime, Any]] = []
    original = data.evidence.read_fixes

    def read(connection: Any, begin: datetime, end: datetime, members: Any = None) -> Any:
        found.append((begin, members))
        return original(connection, begin, end, members)

    monkeypatch.setattr(data.evidence, "read_fixes", read)
    return found


def test_nothing_is_read_again_that_did_not_change(store: sa.Engine, readings: list[Any]) -> None:
    for code in MEMBERS:
        walk(store, code, NOON)
        walk(store, code, NOON - 9 * DAY)
    live = LiveEvidence(ZONE)
    first = asked(store, live)
    assert len({begin.date() for begin, _ in readings}) == 2
    readings.clear()
    assert asked(store, live) is first
    assert readings == []
    walk(store, "b", NOON + 60 * MINUTE)
    second = asked(store, live)
    number = 2
    assert [members for _, members in readings] == [[number]]
    assert second.version > first.version
    assert told(second) == told(asked(store, LiveEvidence(ZONE)))
    assert told(first) != told(second)


def test_a_late_fix_of_an_older_day_makes_that_day_anew(store: sa.Engine, readings: list[Any]) -> None:
    walk(store, "a", NOON)
    walk(store, "a", NOON - 9 * DAY)
    live = LiveEvidence(ZONE)
    asked(store, live)
    readings.clear()
    walk(store, "b", NOON - 9 * DAY, y=0.008)
    found = asked(store, live)
    assert [(begin.astimezone(ZONE).date() - (NOON - 10 * DAY).date()).days for begin, _ in readings] == [0]
    assert told(found) == told(asked(store, LiveEvidence(ZONE)))


def test_a_change_that_is_committed_after_a_later_one_is_seen(store: sa.Engine) -> None:
    live = LiveEvidence(ZONE)
    walk(store, "c", NOON, y=0.002)  # the day's table is there
    with store.connect() as slow:
        transaction = slow.begin()
        keep_walk(slow, "a", NOON)
        walk(store, "b", NOON, y=0.008)  # a later change, committed first
        asked(store, live)
        transaction.commit()
    assert told(asked(store, live)) == told(asked(store, LiveEvidence(ZONE)))
    assert len(set(asked(store, live).evidence.known.fixes.member.tolist())) == 3


def test_another_place_or_sight_is_looked_for_in_all_days(store: sa.Engine) -> None:
    walk(store, "a", NOON, minutes=5)
    live = LiveEvidence(ZONE)
    first = asked(store, live)
    wide = asked(store, live, 60.0)
    assert len(told(wide)[0]) > 1.5 * len(told(first)[0])
    with store.begin() as connection:
        spot = NewPlace("P2", "shop", "二", LON + 0.001, LAT + 0.005, "wgs84", "", since=NOON - DAY)
        keep_places(connection, [spot])
    found = asked(store, live)
    assert len(found.evidence.ground.sites.lon) == 2
    assert told(found) == told(asked(store, LiveEvidence(ZONE)))


def test_days_that_were_dropped_are_gone(store: sa.Engine) -> None:
    walk(store, "a", NOON)
    walk(store, "a", NOON - 9 * DAY)
    live = LiveEvidence(ZONE)
    assert len(asked(store, live).evidence.days) >= 2
    with store.begin() as connection:
        drop_fixes(connection, (NOON - 3 * DAY).date())
    found = asked(store, live).evidence
    assert {
        utc(found.ground.span(number)[0]).astimezone(ZONE).date()
        for number, day in found.days.items()
        if not day.is_empty
    } == {NOON.date()}


def test_a_town_without_grids_has_no_evidence(database: str) -> None:
    engine = create_engine(database, pool_size=1)
    with pytest.raises(ParameterInvalid):
        asked(engine, LiveEvidence(ZONE))
    engine.dispose()


def test_who_comes_while_evidence_is_being_read_gets_what_was_known_or_is_told_to_come_again(
    store: sa.Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    walk(store, "a", NOON)
    live = LiveEvidence(ZONE, patience_s=0.05)
    reading, go_on = threading.Event(), threading.Event()
    original = data.evidence.read_fixes

    def slow(*given: Any) -> Any:
        reading.set()
        assert go_on.wait(20)
        return original(*given)

    monkeypatch.setattr(data.evidence, "read_fixes", slow)
    threads = Threads()
    first = threads.start(asked, store, live)
    assert reading.wait(20)
    with pytest.raises(EvidencePending):
        asked(store, live)
    go_on.set()
    first.join()
    known = asked(store, live)
    go_on.clear()
    reading.clear()
    walk(store, "b", NOON, y=0.008)
    second = threads.start(asked, store, live)
    assert reading.wait(20)
    assert asked(store, live) is known
    go_on.set()
    second.join()
    assert len(set(asked(store, live).evidence.known.fixes.member.tolist())) == 2
    assert threads.faults == []


def test_a_reading_that_failed_half_way_is_made_up_for(store: sa.Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    live = LiveEvidence(ZONE)
    asked(store, live)
    for days in (3, 1):
        walk(store, "a", NOON - days * DAY)
    original, calls = data.evidence.read_fixes, list[Any]()

    def failing(*given: Any) -> Any:
        calls.append(given)
        if len(calls) == 2:
            raise ConnectionError
        return original(*given)

    monkeypatch.setattr(data.evidence, "read_fixes", failing)
    with pytest.raises(ConnectionError):
        asked(store, live)
    assert told(asked(store, live)) == told(asked(store, LiveEvidence(ZONE)))


class Threads:
    """Jobs that run at once; their faults are kept."""

    def __init__(self) -> None:
        self.faults: list[BaseException] = []
        self.stopped = threading.Event()

    def start(self, job: Any, *given: Any) -> threading.Thread:
        def safely() -> None:
            try:
                job(*given)
            except BaseException as fault:  # noqa: BLE001 - the test shows it
                self.faults.append(fault)

        thread = threading.Thread(target=safely)
        thread.start()
        return thread


def test_threads_that_ask_while_fixes_come_see_a_state_that_was(store: sa.Engine) -> None:
    """Two write, three ask; what was seen only grows, and the end is what one reading gives."""
    live, boundaries, threads = LiveEvidence(ZONE), Live(1), Threads()

    def write(code: str) -> None:
        for k in range(12):
            walk(store, code, NOON + (k * 7 % 12) * 5 * MINUTE, minutes=5, y=0.002 + 0.001 * (k % 5))

    def ask() -> None:
        before: set[Any] = set()
        while not threads.stopped.is_set():
            with store.connect() as connection:
                evidence = live.evidence(connection, boundaries).evidence
            members = set(evidence.known.fixes.member.tolist())
            assert before <= members
            before = members
            evidence.seen(evidence.since, evidence.newest + np.timedelta64(1, "D"))

    askers = [threads.start(ask) for _ in range(3)]
    for thread in [threads.start(write, code) for code in MEMBERS[:2]]:
        thread.join()
    threads.stopped.set()
    for thread in askers:
        thread.join()
    assert threads.faults == []
    assert told(asked(store, live)) == told(asked(store, LiveEvidence(ZONE)))
