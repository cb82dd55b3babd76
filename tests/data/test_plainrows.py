"""Rows of a table are stored a column at a time as they would be one by one: the same events, receipts, keys and refusals."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from data.batch import TableRows, plan_rows, rejection, submissions_of, table_rows
from data.intake import accept
from data.intakerows import accept_rows
from data.rowchunk import RowChunk
from gis.crs import from_storage, parse_datum
from gis.store import events
from gis.store.events import Admission
from gis.store.live import Live
from tests.town import drawn, place, published

NOW = datetime(2026, 11, 22, 9, 0, tzinfo=UTC)
EVENTS = """
    SELECT received_at, reported_at, occurred_at, channel, external_id, category, category_scheme, text, address, reporter,
           accuracy_m, raw::jsonb, crs, converter, encode(ST_AsEWKB(geom), 'hex'), status, closed_at, grid, method, reason,
           generation, actor
    FROM event ORDER BY id
"""
RECEIPTS = """
    SELECT a.received_at, made_at, cause, at, known_at, a.generation, kernel, a.converter, a.grid, a.method, a.reason,
           lon, lat, answer::text, grounds::text, a.actor
    FROM assignment a JOIN event e ON e.id = a.event AND e.received_at = a.received_at ORDER BY e.id
"""
KEYS = """
    SELECT k.channel, key, encode(body_hash, 'hex'), row_number FROM event_key k
    JOIN (SELECT id, row_number() OVER (ORDER BY id) FROM event) e ON e.id = k.event ORDER BY 1, 2
"""


def stored(connection: sa.Connection) -> list[list[tuple[Any, ...]]]:
    return [[tuple(row) for row in connection.execute(sa.text(asked))] for asked in (EVENTS, RECEIPTS, KEYS)]


@pytest.fixture
def town(connection: sa.Connection, monkeypatch: pytest.MonkeyPatch) -> sa.Connection:
    published(connection, drawn("AABB\nAABB"), drawn("..MM\n....", layer="dedicated"))
    received(connection, monkeypatch)
    return connection


def received(connection: sa.Connection, monkeypatch: pytest.MonkeyPatch, policy: int = 0) -> None:
    """Whatever comes from now on is received at one instant."""
    at = connection.execute(sa.text("SELECT clock_timestamp()")).scalar_one()
    newest = connection.execute(sa.text("SELECT max(number) FROM generation")).scalar_one()
    connection.execute(sa.text("SELECT ensure_month(:at)"), {"at": at})
    admission = Admission(at, newest, policy, month_ready=True)
    monkeypatch.setattr(events, "admit", lambda *_, **__: admission)


def both_ways(connection: sa.Connection, chunk: RowChunk, **plan: Any) -> tuple[TableRows, list[Any], list[Any]]:
    """The rows, and what was stored and said of them a column at a time, and one by one."""
    planned = plan_rows(tuple(chunk.columns), **plan)
    live = Live()
    rows, refused = table_rows(chunk, planned, NOW)
    outer = connection.begin_nested()
    results = accept_rows(connection, live, rows, actor="t")
    refused += [rejection(one.row, one.error) for one in results if one.error is not None]
    columnar = [*stored(connection), sorted((one.row, one.code, one.reason) for one in refused)]
    columnar.append([(one.row, one.grid, one.method, one.reason, one.repeated) for one in results if one.error is None])
    outer.rollback()
    taken, refused = submissions_of(chunk, planned, NOW)
    outer = connection.begin_nested()
    outcomes = accept(connection, live, [one for _, one in taken], actor="t")
    numbered = [(number, one) for (number, _), one in zip(taken, outcomes, strict=True)]
    refused += [rejection(number, one.error) for number, one in numbered if one.error is not None]
    single = [*stored(connection), sorted((one.row, one.code, one.reason) for one in refused)]
    single.append(
        [
            (number, a.grid if a else None, a.method if a else None, a.reason if a else None, one.repeated)
            for number, one in numbered
            for a in [one.assignment]
            if one.error is None
        ]
    )
    outer.rollback()
    return rows, columnar, single


DATA = {
    "channel": st.sampled_from(["hotline", "member", "hot\\line", "", None, " member", 5]),
    "lon": st.none(),
    "lat": st.none(),
    "external_id": st.sampled_from([None, None, "1", "2", "3", 'a"b', "x\\N"]),
    "category": st.sampled_from([None, "06", "06 ", "x" * 65, 3.0]),
    "text": st.one_of(
        st.none(), st.text(max_size=8), st.sampled_from(["a\tb", "a\nb", '"', "\\", "网格", "\u2028", "\x7f", "\ud800"])
    ),
    "address": st.sampled_from([None, "路1号", "somewhere\\"]),
    "reported_at": st.sampled_from(
        [
            None,
            "2026-05-03T08:00:00+08:00",
            "2026-05-03 08:00",
            "2026/5/3 8:00",
            "soon",
            "2031-01-01T00:00:00Z",
            "2026-05-03T08:00:00.5+20:00",
        ]
    ),
    "closed_at": st.sampled_from([None, None, None, "2026-05-04T08:00:00Z"]),
    "status": st.sampled_from([None, None, "open", "closed", "lost"]),
    "accuracy_m": st.sampled_from([None, None, None, 12.5, "far"]),
    "asset_owner": st.sampled_from([None, "city"]),
    "crs": st.sampled_from([None, None, "wgs84", "gcj02"]),
    "处置部门": st.one_of(st.none(), st.integers(), st.floats(), st.sampled_from(["城管", "x\x00y", ["a", {"b": 1}]])),
}
ALWAYS = ("channel", "lon", "lat")
POSITIONS = st.one_of(
    st.tuples(
        st.sampled_from([0.0, 0.5, 1.0, 2.0, 2.5, 3.0, 4.0, 4.001, 9.0]), st.sampled_from([0.0, 0.5, 1.0, 1.5, 2.0])
    ),
    st.tuples(st.floats(-1, 5), st.floats(-1, 3)),
)
BROKEN = st.sampled_from(
    [(0, 0), (None, None), (181, 1), ("1_0", "2"), ("nan", 1), ("x", "y"), (None, 31.0), ("1e400", 1), (True, 1)]
)


@st.composite
def chunks(draw: st.DrawFn) -> RowChunk:
    """Rows that have mostly usual values, in usual or unusual forms, and by times nothing usual at all."""
    names = [*ALWAYS, *draw(st.lists(st.sampled_from([one for one in DATA if one not in ALWAYS]), unique=True))]
    rows = draw(st.integers(1, 12))
    usual = draw(st.booleans())
    columns: dict[str, list[Any]] = {}
    for name in names:
        values = (
            DATA[name]
            if not usual
            else st.sampled_from(
                [{"channel": "hotline"}.get(name), {"channel": "member", "text": "垃圾", "external_id": "7"}.get(name)]
            )
        )
        columns[name] = draw(st.lists(values, min_size=rows, max_size=rows))
    if usual:
        columns["channel"] = [one or "hotline" for one in columns["channel"]]
    datum = parse_datum(draw(st.sampled_from(["wgs84", "gcj02"])))
    as_text = draw(st.booleans())
    for i in range(rows):
        if draw(st.integers(0, 9)):
            lon, lat = place(*draw(POSITIONS))
            x, y = (float(one[0]) for one in from_storage([lon], [lat], datum))
            pair: tuple[Any, Any] = (repr(x), repr(y)) if as_text else (x, y)
        else:
            pair = draw(BROKEN)
        columns["lon"][i], columns["lat"][i] = pair
    return RowChunk(list(range(3, 3 + 2 * rows, 2)), columns, [])


PLANS = st.sampled_from(
    [
        {},
        {"zone": ZoneInfo("Asia/Shanghai"), "source": 'a"路.csv', "file_key": "file:abc"},
        {"constants": {"crs": "gcj02", "channel": "热线"}},
        {"defaults": {"crs": "gcj02"}, "source": "b.csv"},
    ]
)


@settings(
    max_examples=120, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow], deadline=None
)
@given(chunk=chunks(), plan=PLANS)
def test_a_column_at_a_time_is_as_one_by_one(town: sa.Connection, chunk: RowChunk, plan: dict[str, Any]) -> None:
    _, columnar, single = both_ways(town, chunk, **plan)
    assert columnar == single


def usual(rows: int, **columns: Any) -> RowChunk:
    lon, lat = zip(*(place(4.2 * i / rows, 0.7) for i in range(rows)), strict=True)
    given = {"lon": list(map(repr, lon)), "lat": list(map(repr, lat)), "channel": ["hotline"] * rows}
    return RowChunk(list(range(1, rows + 1)), given | columns)


def test_usual_rows_are_plain_and_unusual_ones_beside_them_keep_their_place(town: sa.Connection) -> None:
    accuracy = [None if i % 3 else "15" for i in range(30)]
    ids = [f"{i % 20}" for i in range(30)]  # the last ten are refused: other rows have their ids
    rows, columnar, single = both_ways(town, usual(30, accuracy_m=accuracy, external_id=ids), source="a.csv")
    assert (len(rows.plain or ()), len(rows.others)) == (20, 10)
    assert columnar == single
    assert len(columnar[0]) == 20


def test_a_file_as_it_should_be_is_plain_throughout(town: sa.Connection) -> None:
    chunk = usual(
        40,
        text=['路边有"垃圾"\n无人清理\\'] * 40,
        reported_at=["2026-05-03 08:00"] * 40,
        closed_at=[None, "2026-05-04"] * 20,
    )
    rows, columnar, single = both_ways(town, chunk, zone=ZoneInfo("Asia/Shanghai"), file_key="file:a")
    assert (len(rows.plain or ()), rows.others) == (40, [])
    assert columnar == single
    assert len(columnar[1]) == 40


def test_a_column_whose_name_is_no_text_is_refused_row_by_row(town: sa.Connection) -> None:
    rows, columnar, single = both_ways(town, usual(3, **{"\ud800": [None, 1, None]}))
    assert rows.plain is None
    assert columnar == single
    assert [one[0] for one in columnar[3]] == [2]


def test_where_rules_speak_every_row_is_decided_by_them(town: sa.Connection, monkeypatch: pytest.MonkeyPatch) -> None:
    always = {"id": "always", "first": "general", "until": None, "author": "t", "reason": "r"}
    body = json.dumps({"rules": [always]})
    town.execute(sa.text("INSERT INTO policy VALUES (1, now(), 't', 'r', CAST(:body AS jsonb))"), {"body": body})
    received(town, monkeypatch, policy=1)
    _, columnar, single = both_ways(town, usual(12))
    assert columnar == single
    assert ['"rule":"always"' in one[13] for one in columnar[1]] == [True] * 12
