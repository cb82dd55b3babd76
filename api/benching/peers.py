"""The peers of `gridbeat bench report`: minimal routes that find the grid with our index and store one row, no receipt, no key.

`create_plain`: a `def` route with SQLAlchemy Core. `create_async`: an `async` route with asyncpg. Both commit before they answer.
"""

from __future__ import annotations

import json
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

from fastapi import FastAPI
from pydantic import BaseModel

from gis.crs import CONVERTER
from gis.locate import GridIndex
from gis.store.benchpeers import AsyncpgStore, CoreStore
from gis.store.engine import create_engine
from gis.store.ids import uuid7
from gis.store.live import Live, State


class Report(BaseModel):
    """What the bench posts."""

    lon: float
    lat: float
    channel: str
    category: str | None = None
    text: str | None = None


def create_plain() -> FastAPI:
    """The application with the `def` route."""
    url = os.environ["GRIDBEAT_DATABASE_URL"]
    state, store = _state(url), CoreStore(url)
    app = FastAPI()

    @app.post("/events", status_code=201)
    def report(report: Report) -> dict[str, Any]:
        row = _row(report, state)
        store.store(row, report.lon, report.lat)
        return _answer(row)

    return app


def create_async() -> FastAPI:
    """The application with the `async` route."""
    url = os.environ["GRIDBEAT_DATABASE_URL"]
    state, store = _state(url), AsyncpgStore(url)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        await store.open()
        yield

    app = FastAPI(lifespan=lifespan)

    @app.post("/events", status_code=201)
    async def report(report: Report) -> dict[str, Any]:
        row = _row(report, state)
        await store.store(row | {"raw": json.dumps(row["raw"])}, report.lon, report.lat)
        return _answer(row)

    return app


def _state(url: str) -> State:
    """The boundaries in force, ready."""
    engine = create_engine(url, pool_size=1)
    try:
        with engine.connect() as connection:
            live = Live()
            return live.state(connection, live.now(connection))
    finally:
        engine.dispose()


def _row(report: Report, state: State) -> dict[str, Any]:
    index: GridIndex = state.index
    found = index.one(report.lon, report.lat, tolerance_m=10.0)
    now = datetime.now(UTC)
    return {
        "id": uuid7(now), "received_at": now, "reported_at": now, "occurred_at": now, "channel": report.channel,
        "category": report.category, "text": report.text, "raw": report.model_dump(), "crs": "wgs84", "converter": CONVERTER,
        "status": "open", "grid": state.boundaries.by_code[found.grid].uid if found.grid is not None else None,
        "method": found.method, "reason": found.reason, "generation": found.generation, "actor": "peer",
        "code": found.grid,
    }  # fmt: skip


def _answer(row: dict[str, Any]) -> dict[str, Any]:
    return {"id": str(row["id"]), "grid": row["code"], "method": row["method"], "reason": row["reason"]}
