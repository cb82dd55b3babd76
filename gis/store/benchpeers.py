"""What the peers of `gridbeat bench report` do at the store: one row of `event` a request, one statement, one commit."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from gis.store import tables
from gis.store.engine import SCHEMA, create_engine, driver_url

#: Connections of a peer: more than its cores can use.
POOL = 20

FIELDS = (
    "id", "received_at", "reported_at", "occurred_at", "channel", "category", "text", "raw", "crs", "converter", "status",
    "grid", "method", "reason", "generation", "actor",
)  # fmt: skip


#: Compiled once, and prepared by the driver after its fifth use.
INSERT = sa.insert(tables.event)


def ensure_month(engine: sa.Engine) -> None:
    """The present month can be stored into."""
    with engine.begin() as connection:
        connection.execute(sa.text("SELECT ensure_month(clock_timestamp())"))


class CoreStore:
    """One INSERT by SQLAlchemy Core on psycopg, in a transaction of its own."""

    def __init__(self, url: str) -> None:
        self.engine = create_engine(url, pool_size=POOL, application="gridbeat-bench-core")
        ensure_month(self.engine)

    def store(self, row: dict[str, Any], lon: float, lat: float) -> None:
        """The row is committed."""
        with self.engine.begin() as connection:
            values = {name: row[name] for name in FIELDS}
            connection.execute(INSERT, values | {"geom": f"SRID=4326;POINT({lon!r} {lat!r})"})


class AsyncpgStore:
    """One INSERT by asyncpg, committed by itself, its statement prepared."""

    statement = (
        f"INSERT INTO event ({', '.join(FIELDS)}, geom) VALUES "  # noqa: S608 - constants
        f"({', '.join(f'${i + 1}' for i in range(len(FIELDS)))}, "
        f"ST_SetSRID(ST_MakePoint(${len(FIELDS) + 1}, ${len(FIELDS) + 2}), 4326))"
    )

    def __init__(self, url: str) -> None:
        self.url = driver_url(url)
        self.pool: Any = None

    async def open(self) -> None:
        """Connections are made; ImportError without asyncpg (extra bench)."""
        import asyncpg

        engine = create_engine(str(self.url.render_as_string(hide_password=False)), pool_size=1)
        ensure_month(engine)
        engine.dispose()
        self.pool = await asyncpg.create_pool(
            host=self.url.query.get("host") or self.url.host,
            port=int(str(self.url.query.get("port") or self.url.port or 5432)),
            user=self.url.username,
            password=self.url.password,
            database=self.url.database,
            min_size=POOL,
            max_size=POOL,
            server_settings={"search_path": f"{SCHEMA},public", "timezone": "UTC", "jit": "off"},
        )

    async def store(self, row: dict[str, Any], lon: float, lat: float) -> None:
        """The row is committed."""
        await self.pool.execute(self.statement, *[row[name] for name in FIELDS], lon, lat)
