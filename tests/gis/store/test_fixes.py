"""Fixes in the store: the same set whatever the order, batches and repetition; compact; days that go whole."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gis.compactfixes import DAY_MICROS, CompactFixes, settled
from gis.store.duty import Span, keep_span
from gis.store.fixes import drop_fixes, duty_spans, read_compact, read_fixes, store_fixes
from gis.store.members import NewMember, find_member, keep_member
from tests.gis.store.test_truths import refused
from tests.gis.test_compactfixes import Row, of, rows

NOON = datetime(2026, 5, 3, 12, tzinfo=UTC)
BEGIN, END = NOON - timedelta(days=3), NOON + timedelta(days=3)
MICROS = int(NOON.timestamp()) * 1_000_000


@pytest.fixture
def members(connection: sa.Connection) -> list[int]:
    return named(connection, "a", "b", "c")


def named(connection: sa.Connection, *codes: str) -> list[int]:
    for code in codes:
        keep_member(connection, NewMember(code, code))
    return [find_member(connection, code)["number"] for code in codes]


def at(second: float, member: int, lon: int = 7, lat: int = 8, accuracy: int = 0) -> Row:
    return member, MICROS + round(second * 1e6), lon, lat, accuracy, 0


def stored(connection: sa.Connection) -> list[Row]:
    return sorted(rows(read_compact(connection, BEGIN, END)))


def days(connection: sa.Connection) -> list[Any]:
    rows = connection.execute(sa.text("SELECT member, day, fixes, first_at, last_at FROM fix_day ORDER BY 1, 2"))
    return [tuple(row) for row in rows]


def test_a_reading_comes_back_as_it_was_stored(connection: sa.Connection, members: list[int]) -> None:
    told = [(members[0], MICROS + 123_456, -1_799_999_999, 899_999_999, 32_767, 4), at(1, members[1])]
    found = store_fixes(connection, of(told))
    assert (found.added, found.removed, found.repeated.any()) == (2, 0, False)
    assert stored(connection) == sorted(told)
    back = read_fixes(connection, BEGIN, END, [members[0]])
    assert (back.lon.tolist(), back.accuracy_m.tolist()) == ([-179.9999999], [pytest.approx(3276.7)])


def test_a_reading_sent_again_is_known_and_stored_once(connection: sa.Connection, members: list[int]) -> None:
    told = of([at(0, members[0]), at(5, members[0])])
    store_fixes(connection, told)
    found = store_fixes(connection, told)
    assert (found.added, found.removed, found.repeated.tolist()) == (0, 0, [True, True])
    assert len(stored(connection)) == 2


def test_a_better_reading_of_the_same_instant_takes_the_place_of_the_worse(
    connection: sa.Connection, members: list[int]
) -> None:
    store_fixes(connection, of([at(0, members[0], accuracy=300), at(5, members[0])]))
    found = store_fixes(connection, of([at(0, members[0], lon=99, accuracy=50)]))
    assert (found.added, found.removed, found.elsewhere.tolist()) == (1, 1, [True])
    assert stored(connection) == [at(0, members[0], lon=99, accuracy=50), at(5, members[0])]
    assert [row[2] for row in days(connection)] == [2]


def test_a_member_s_day_says_how_many_from_when_to_when(connection: sa.Connection, members: list[int]) -> None:
    store_fixes(connection, of([at(10, members[0]), at(20, members[0]), at(86_400, members[0])]))
    store_fixes(connection, of([at(15, members[0]), at(-5, members[0]), at(0, members[1])]))
    second = timedelta(seconds=1)
    assert days(connection) == [
        (members[0], date(2026, 5, 3), 4, NOON - 5 * second, NOON + 20 * second),
        (members[0], date(2026, 5, 4), 1, NOON + timedelta(days=1), NOON + timedelta(days=1)),
        (members[1], date(2026, 5, 3), 1, NOON, NOON),
    ]


def changes(connection: sa.Connection) -> list[int]:
    return list(connection.execute(sa.text("SELECT change FROM fix_day ORDER BY member")).scalars())


def test_a_day_counts_as_changed_when_something_came_and_not_when_nothing_did(
    connection: sa.Connection, members: list[int]
) -> None:
    store_fixes(connection, of([at(0, members[0]), at(0, members[1])]))
    first = changes(connection)
    store_fixes(connection, of([at(0, members[0]), at(0, members[1])]))
    assert changes(connection) == first
    store_fixes(connection, of([at(0, members[0]), at(9, members[1])]))
    assert [a < b for a, b in zip(first, changes(connection), strict=True)] == [False, True]


readings = st.lists(
    st.tuples(st.sampled_from((0, 1)), st.sampled_from((-86_400, -1, 0, 1, 43_200)), *[st.integers(0, 2)] * 3),
    max_size=14,
)


@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(readings, st.lists(st.integers(0, 14), max_size=3), st.randoms(use_true_random=False))
def test_shuffled_repeated_and_cut_arrival_gives_the_same_store(
    connection: sa.Connection, members: list[int], told: list[Any], cuts: list[int], chance: Any
) -> None:
    whole = [at(second, members[who], lon, lat, accuracy) for who, second, lon, lat, accuracy in told]
    sent = whole + whole[: len(whole) // 2]
    chance.shuffle(sent)
    undo = connection.begin_nested()
    for part in parts(sent, cuts):
        store_fixes(connection, of(part))
    assert stored(connection) == sorted(rows(settled(of(whole))))
    assert sum(row[2] for row in days(connection)) == len(stored(connection))
    undo.rollback()


@pytest.mark.parametrize("most", [1, 7, 10**6])
def test_what_is_stored_already_is_read_a_part_at_a_time_and_nothing_is_lost(
    connection: sa.Connection, members: list[int], monkeypatch: pytest.MonkeyPatch, most: int
) -> None:
    """Three members' readings of three days, every second one first: then all of them, some better, some elsewhere, some known."""
    read: list[int] = []

    def reading(*asked: Any) -> CompactFixes:
        found = read_compact(*asked)
        read.append(len(found))
        return found

    monkeypatch.setattr("gis.store.fixes.MOST_HELD", most)
    monkeypatch.setattr("gis.store.fixes.read_compact", reading)
    early = [at(86_400 * day + k, who) for day in (-1, 0, 1) for who in members for k in range(0, 10, 2)]
    late = [(member, instant, 7 + k % 3, 8, k % 2, 0) for k, (member, instant, *_) in enumerate(early)]
    new = [at(86_400 * day + k, who) for day in (-1, 0, 1) for who in members for k in range(1, 10, 2)]
    store_fixes(connection, of(early))
    chance = np.random.default_rng(1)
    sent = [[*late, *new][k] for k in chance.permutation(len(late) + len(new)).tolist()]
    found = store_fixes(connection, of(sent))
    assert stored(connection) == sorted(rows(settled(of([*early, *sent]))))
    known = {row[:4] for row in early}
    instants = {row[:2] for row in early}
    assert found.repeated.tolist() == [row[:4] in known for row in sent]
    assert found.elsewhere.tolist() == [row[:4] not in known and row[:2] in instants for row in sent]
    assert sum(row[2] for row in days(connection)) == len(stored(connection))
    assert found.added - found.removed == len(stored(connection)) - len(early)
    assert (sum(read), max(read)) == (len(early), {1: 5, 7: 5, 10**6: 15}[most])


def parts(sent: list[Row], cuts: list[int]) -> Iterable[list[Row]]:
    edges = [0, *sorted(min(cut, len(sent)) for cut in cuts), len(sent)]
    return [sent[a:b] for a, b in pairwise(edges)]


def test_writers_of_one_member_s_day_wait_for_each_other(engine: sa.Engine) -> None:
    with engine.begin() as connection:
        (member,) = named(connection, "a")
    told = of([at(second, member) for second in range(200)])
    ready = threading.Barrier(4)

    def send(_: int) -> None:
        with engine.begin() as connection:
            ready.wait()
            store_fixes(connection, told)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(send, range(4)))
    with engine.connect() as connection:
        assert stored(connection) == rows(told)


def test_a_fix_costs_at_most_55_bytes(connection: sa.Connection, members: list[int]) -> None:
    n = 40_000
    fixes = CompactFixes(
        np.full(n, members[0], np.int32), MICROS + np.arange(n) * 1_000_000, np.arange(n, dtype=np.int32),
        np.arange(n, dtype=np.int32), np.full(n, 50, np.int16), np.zeros(n, np.int16),
    )  # fmt: skip
    assert store_fixes(connection, fixes).added == n
    size = connection.execute(sa.text("SELECT pg_total_relation_size('fix_2026_05_03')")).scalar_one()
    assert 40 < size / n <= 55


def test_whole_days_go_and_the_others_stay(connection: sa.Connection, members: list[int]) -> None:
    store_fixes(connection, of([at(0, members[0]), at(86_400, members[0]), at(2 * 86_400, members[0])]))
    assert drop_fixes(connection, date(2026, 5, 4)) == 1
    assert stored(connection) == [at(86_400, members[0]), at(2 * 86_400, members[0])]
    assert [row[1] for row in days(connection)] == [date(2026, 5, 4), date(2026, 5, 5)]
    assert connection.scalar(sa.text("SELECT to_regclass('fix_2026_05_03')")) is None


def test_duty_is_shifts_without_leave(connection: sa.Connection, members: list[int]) -> None:
    uid, hour = find_member(connection, "a")["uid"], timedelta(hours=1)
    keep_span(connection, "shift", uid, Span(NOON, NOON + 4 * hour))
    keep_span(connection, "shift", uid, Span(NOON + 4 * hour, NOON + 6 * hour))
    keep_span(connection, "leave", uid, Span(NOON + hour, NOON + 2 * hour))
    duty = duty_spans(connection, BEGIN, END)
    begins, ends = ((one.view(np.int64) - MICROS) / 3.6e9 for one in (duty.begin, duty.end))
    assert (duty.member.tolist(), begins.tolist(), ends.tolist()) == ([members[0]] * 2, [0, 2], [1, 6])
    assert len(duty_spans(connection, BEGIN, END, [members[1]]).member) == 0


# -- the truths -------------------------------------------------------------------------------------------------------

INSERT = """
    INSERT INTO fix (at, member, lon, lat, accuracy, datum)
    VALUES ('2026-05-03T12:00:00Z', {member}, {lon}, {lat}, {accuracy}, {datum})
"""


@pytest.mark.parametrize(
    ("change", "constraint"),
    [({"member": 999_999}, "fix_member_fkey"), ({"lon": 1_800_000_001}, "fix_lon"), ({"lat": -900_000_001}, "fix_lat"),
     ({"accuracy": -1}, "fix_accuracy"), ({"datum": 5}, "fix_datum")],
)  # fmt: skip
@pytest.mark.parametrize("table", ["fix", "fix_2026_05_03"])
def test_a_fix_is_some_member_s_and_lies_on_earth(
    connection: sa.Connection, members: list[int], table: str, change: dict[str, int], constraint: str
) -> None:
    connection.execute(sa.text("SELECT ensure_fix_day('2026-05-03')"))
    values = {"member": members[0], "lon": 0, "lat": 0, "accuracy": 0, "datum": 0} | change
    assert refused(connection, INSERT.format(**values).replace("INTO fix ", f"INTO {table} ")) == constraint


def test_a_fix_lies_in_the_table_of_its_day(connection: sa.Connection, members: list[int]) -> None:
    connection.execute(sa.text("SELECT ensure_fix_day('2026-05-04')"))
    wrong = INSERT.format(member=members[0], lon=0, lat=0, accuracy=0, datum=0).replace(
        "INTO fix ", "INTO fix_2026_05_04 "
    )
    assert "partition" in refused(connection, wrong)


def test_a_day_s_figures_belong_to_the_day(connection: sa.Connection, members: list[int]) -> None:
    store_fixes(connection, of([at(0, members[0])]))
    assert refused(connection, "UPDATE fix_day SET last_at = '2026-05-04T00:00:00Z'") == "fix_day_is_its_own"
    assert refused(connection, "UPDATE fix_day SET fixes = 0") == "fix_day_is_its_own"
    assert "fix_day" in refused(connection, "UPDATE fix_day SET member = 999999")


def test_days_end_at_midnight_utc(connection: sa.Connection, members: list[int]) -> None:
    midnight = MICROS // DAY_MICROS * DAY_MICROS + DAY_MICROS
    told = [(members[0], midnight - 1, 0, 1, 0, 0), (members[0], midnight, 0, 1, 0, 0)]
    store_fixes(connection, of(told))
    assert [row[1] for row in days(connection)] == [date(2026, 5, 3), date(2026, 5, 4)]
