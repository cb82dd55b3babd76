"""UUIDv7: version, variant, time."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from gis.store.ids import made_at, uuid7


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
