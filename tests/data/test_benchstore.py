"""What the bench does at the store: its rows can be taken out and copied in again, and its peers store one row a call."""

from __future__ import annotations

import asyncio
from typing import Any

import sqlalchemy as sa

from data.decide import Policy
from data.intake import Submission, accept
from data.report import clean
from gis.store import benchcopy
from gis.store.benchpeers import FIELDS, AsyncpgStore, CoreStore
from gis.store.generations import clock
from gis.store.ids import uuid7
from gis.store.live import Live
from tests.town import LAT, LON, drawn, published


def stored(engine: sa.Engine, reports: int) -> None:
    with engine.begin() as connection:
        published(connection, drawn("AB"))
        now = clock(connection)
        told = [{"lon": LON, "lat": LAT, "channel": "x", "external_id": str(n)} for n in range(reports)]
        accept(connection, Live(), [Submission(clean(one, now)) for one in told], actor="t", policy=Policy())


def test_rows_are_copied_in_again_as_they_were(engine: sa.Engine) -> None:
    stored(engine, 5)
    rows = benchcopy.taken(engine)
    benchcopy.empty(engine)
    assert benchcopy.count(engine) == (0, 0)
    assert benchcopy.copied(engine, rows) > 0
    assert benchcopy.count(engine) == (5, 5)
    assert benchcopy.taken(engine) == rows


def row_of(engine: sa.Engine) -> dict[str, Any]:
    with engine.begin() as connection:
        now = clock(connection)
    values = dict.fromkeys(FIELDS, "x") | {"grid": None, "generation": 1, "id": uuid7(now), "status": "open"}
    return values | dict.fromkeys(("received_at", "reported_at", "occurred_at"), now)


def test_peers_store_one_row_a_call(engine: sa.Engine, database: str) -> None:
    core = CoreStore(database)
    core.store(row_of(engine) | {"raw": {"a": 1}, "code": "extra"}, LON, LAT)
    core.engine.dispose()

    async def by_asyncpg() -> None:
        store = AsyncpgStore(database)
        await store.open()
        await store.store(row_of(engine) | {"raw": '{"a": 1}'}, LON, LAT)
        await store.pool.close()

    asyncio.run(by_asyncpg())
    with engine.begin() as connection:
        rows = connection.execute(sa.text("SELECT raw, ST_X(geom), ST_Y(geom) FROM event")).all()
    assert rows == [({"a": 1}, LON, LAT)] * 2
