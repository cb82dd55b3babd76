"""What goes through COPY comes back as it went in."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gis.store import copyrows
from gis.store.ids import made_at, uuids7

TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), max_size=20)
AWKWARD = st.sampled_from(["\\N", "\\.", "\t", "a\\\tb", "\r\n", "", '"', "\\\\n", "网格\\"])
ROW = st.tuples(
    st.none() | TEXT | AWKWARD,
    st.none() | st.floats(allow_nan=False, allow_infinity=False),
    st.none() | st.integers(0, 3_000_000_000).map(lambda s: datetime.fromtimestamp(s, timezone(timedelta(hours=8)))),
    st.dictionaries(TEXT | AWKWARD, TEXT | AWKWARD, max_size=3),
    st.binary(max_size=5),
    st.none() | st.tuples(st.floats(-180, 180), st.floats(-90, 90)),
)
MAKE = """
    CREATE TEMP TABLE IF NOT EXISTS through
    (n serial, t text, f float8, at timestamptz, j json, b bytea, p geometry(Point, 4326)) ON COMMIT DROP
"""


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(rows=st.lists(ROW, min_size=1, max_size=8))
def test_any_row_reads_back_as_it_was_written(connection: sa.Connection, rows: list[Any]) -> None:
    connection.execute(sa.text(MAKE))
    connection.execute(sa.text("TRUNCATE through"))
    text, number, at, document, binary, position = map(list, zip(*rows, strict=True))
    lon, lat = ([None if one is None else one[k] for one in position] for k in (0, 1))
    copyrows.copy(
        connection,
        "through (t, f, at, j, b, p)",
        [
            copyrows.texts(text),
            copyrows.numbers(number),
            copyrows.instants(at),
            copyrows.documents(document),
            copyrows.digests(binary),
            copyrows.points(lon, lat),
        ],
    )
    read = connection.execute(sa.text("SELECT t, f, at, j, b, ST_X(p), ST_Y(p) FROM through ORDER BY n")).all()
    cleaned = [{key.replace("\x00", "\ufffd"): value for key, value in one.items()} for one in document]
    assert [(*row[:4], bytes(row[4]), *row[5:]) for row in read] == list(
        zip(text, number, at, cleaned, binary, lon, lat, strict=True)
    )


def test_ids_made_together_are_different_ascending_and_of_their_instant() -> None:
    at = datetime(2026, 5, 3, 8, 0, 0, 123_000, tzinfo=UTC)
    ids = uuids7(at, 2_000)
    assert ids == sorted(set(ids))
    assert {made_at(one) for one in ids} == {at}
    assert {(one.version, one.variant) for one in ids} == {(7, "specified in RFC 4122")}
