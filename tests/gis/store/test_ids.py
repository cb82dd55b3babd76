"""UUIDv7: version, variant, time."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from gis.store.ids import hexes7, made_at, span_of, uuid7, uuids7


@given(st.floats(min_value=6e8, max_value=7e9))
def test_an_id_tells_its_millisecond(seconds: float) -> None:
    at = datetime.fromtimestamp(seconds, UTC)
    uid = uuid7(at)
    assert (uid.version, uid.variant) == (7, "specified in RFC 4122")
    assert timedelta(0) <= at - made_at(uid) < timedelta(milliseconds=1)


def test_ids_sort_by_time() -> None:
    start = datetime(2026, 1, 1, tzinfo=UTC)
    made = [uuid7(start + timedelta(milliseconds=i)) for i in range(1000)]
    assert made == sorted(made)
    assert len({uuid7(start) for _ in range(1000)}) == 1000


def test_ids_in_digits_are_ids_ascending_and_of_their_instant() -> None:
    at = datetime(2026, 5, 3, 8, 0, 0, 123_456, tzinfo=UTC)
    made = [UUID(one) for one in hexes7(at, 2_000)]
    assert made == sorted(set(made))
    assert {(made_at(one), one.version, one.variant) for one in made} == {
        (at.replace(microsecond=123_000), 7, "specified in RFC 4122")
    }
    assert hexes7(at, 0) == []


@given(st.integers(0, 5_000_000), st.integers(0, 5_000_000), st.integers(0, 5_000_000))
def test_a_span_of_time_is_a_span_of_ids(begin: int, end: int, at: int) -> None:
    start = datetime(2026, 1, 1, tzinfo=UTC)
    instants = [start + timedelta(microseconds=one) for one in (begin, end, at)]
    below, until = span_of(*instants[:2])
    assert all(below < one <= until for one in uuids7(instants[2], 3)) or not begin <= at < end


def test_a_span_beyond_what_ids_can_say_ends_where_they_do() -> None:
    below, until = span_of(datetime(1, 1, 1, tzinfo=UTC), datetime(9999, 12, 31, tzinfo=UTC))
    assert below == UUID(int=0)
    assert below < uuid7(datetime(2026, 1, 1, tzinfo=UTC)) < until
