"""Fixes taken in: the store after any number of batches depends on the rows alone, duty, doubts and repetition included."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from data.fixes import WORDS, FixesTaken, FixPolicy, gathered, take_fixes
from data.fixrows import FixRows, plan_fixes, rows_of_chunk
from data.rowchunk import Rejection, RowChunk
from gis.store.duty import Span, keep_span
from gis.store.fixes import read_fixes
from gis.store.members import NewMember, find_member, keep_member

NOON = datetime(2026, 5, 3, 12, tzinfo=UTC)
NOW = NOON + timedelta(days=1)
PLAN = plan_fixes(("member", "at", "lon", "lat", "accuracy_m", "crs"))


def on_duty(connection: sa.Connection) -> sa.Connection:
    for code in ("a", "b"):
        keep_member(connection, NewMember(code, code))
        keep_span(connection, "shift", find_member(connection, code)["uid"], Span(NOON, NOON + timedelta(hours=4)))
    keep_span(connection, "leave", find_member(connection, "b")["uid"], Span(NOON, NOON + timedelta(seconds=60)))
    return connection


@pytest.fixture
def town(connection: sa.Connection) -> sa.Connection:
    return on_duty(connection)


def rows(told: list[Any]) -> FixRows:
    names = ("member", "at", "lon", "lat", "accuracy_m", "crs")
    columns = {name: [one[i] for one in told] for i, name in enumerate(names)}
    return rows_of_chunk(RowChunk(list(range(1, len(told) + 1)), columns), PLAN)


def at(second: float) -> str:
    return (NOON + timedelta(seconds=second)).isoformat()


def held(connection: sa.Connection) -> Any:
    fixes = read_fixes(connection, NOON - timedelta(days=2), NOON + timedelta(days=2))
    accuracy = [None if value != value else value for value in fixes.accuracy_m.tolist()]
    return list(
        zip(fixes.member.tolist(), fixes.micros.tolist(), fixes.lon.tolist(), fixes.lat.tolist(), accuracy, strict=True)
    )


told = st.tuples(
    st.sampled_from(["a", "b", "nobody", None]),
    st.sampled_from([at(0), at(30), at(60), at(90), at(-5), at(15_000), "soon", None, at(200_000), 0]),
    st.sampled_from([121.2, 121.20001, 121.9, 0, "x"]),
    st.sampled_from([32.05, 32.06]),
    st.sampled_from([None, 5, 30, 5_000, -1]),
    st.sampled_from([None, "wgs84", "gcj02", "mars"]),
)


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(told, min_size=1, max_size=20), st.integers(0, 20), st.randoms(use_true_random=False))
def test_shuffled_cut_and_sent_again_the_store_is_the_same(
    town: sa.Connection, sent: list[Any], cut: int, chance: Any
) -> None:
    undo = town.begin_nested()
    whole = take_fixes(town, rows(sent), FixPolicy(), NOW)
    expected = held(town)
    undo.rollback()
    undo = town.begin_nested()
    again = sent + sent[: len(sent) // 2]
    chance.shuffle(again)
    taken = FixesTaken()
    for part in (again[:cut], again[cut:]):
        taken.add(take_fixes(town, rows(part), FixPolicy(), NOW))
    assert held(town) == expected
    assert whole.stored == taken.stored == len(expected)
    assert (sum(whole.counts.values()), sum(taken.counts.values())) == (len(sent), len(again))
    undo.rollback()


def test_a_dry_run_counts_and_stores_nothing(town: sa.Connection) -> None:
    sent = rows([("a", at(n), 121.2, 32.05, None, None) for n in (1, 2, 2)])
    taken = take_fixes(town, sent, FixPolicy(), NOW, commit=False)
    assert (taken.stored, dict(taken.counts), held(town)) == (2, {"kept": 2, "duplicate": 1}, [])


def test_rejected_rows_are_told_with_what_to_do(town: sa.Connection) -> None:
    sent = [("nobody", at(1), 121.2, 32.05, None, None), ("a", at(1), 32.05, 121.2, None, None), ("a", at(1), 121.2, 32.05, 900, None),
            ("a", "2026-05-03T12:00:00", 121.2, 32.05, None, None), ("a", at(1), 121.2, 32.05, None, "mars")]  # fmt: skip
    heard: list[Rejection] = []
    take_fixes(town, rows(sent), FixPolicy(), NOW, tell=heard.extend)
    assert [(one.row, one.code) for one in heard] == [
        (1, "unknown-member"), (2, "no-position"), (3, "accuracy"), (4, "no-time"), (5, "no-position"),
    ]  # fmt: skip
    assert all(word in one.reason for one, word in zip(heard, ("nobody", "lat", "900", "offset", "crs"), strict=True))


def test_parts_are_gathered_without_losing_whose_and_what(town: sa.Connection) -> None:
    parts = [
        rows([(who, at(n), 121.2, 32.05, None, crs)])
        for n, (who, crs) in enumerate([("a", "gcj02"), (None, None), ("b", "wgs84")])
    ]
    (whole,) = gathered(parts)
    assert [whole.codes[i] if i >= 0 else None for i in whole.member.tolist()] == ["a", None, "b"]
    assert [whole.datums[i].name for i in whole.datum.tolist()] == ["gcj02", "wgs84", "wgs84"]
    assert [len(part) for part in gathered(parts, rows=2)] == [2, 1]


def test_numbers_are_seconds_or_from_1e11_on_milliseconds(town: sa.Connection) -> None:
    second = int(NOON.timestamp()) + 5
    sent = [("a", value, 121.2, 32.05, None, None) for value in (second, second * 1000, str(second), at(5))]
    assert take_fixes(town, rows(sent), FixPolicy(), NOW).counts == {"kept": 1, "duplicate": 3}


def test_four_phones_at_once_store_each_fix_once(engine: sa.Engine) -> None:
    with engine.begin() as connection:
        on_duty(connection)
    sent = [("a", at(second), 121.2, 32.05, None, None) for second in range(120)]
    ready = threading.Barrier(4)

    def send(number: int) -> FixesTaken:
        chance = np.random.default_rng(number)
        with engine.begin() as connection:
            ready.wait()
            return take_fixes(connection, rows([sent[i] for i in chance.permutation(120)]), FixPolicy(), NOW)

    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(send, range(4)))
    assert sorted(one.stored for one in found) == [0, 0, 0, 120]
    with engine.connect() as connection:
        assert len(held(connection)) == 120
    assert set(found[0].as_json()["counts"]) == set(WORDS)
