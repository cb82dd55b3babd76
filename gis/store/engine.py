"""Engines and migrations: the only room that opens connections."""

from __future__ import annotations

import re
import select
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
import sqlalchemy as sa

from gis.errors import ParameterInvalid, PostgisMissing
from gis.store.errors import translating

#: What rooms without SQL hand through: they know that there is a connection, not what it is.
Connection = sa.Connection
Engine = sa.Engine

SCHEMA = "gridbeat"
MIGRATIONS = Path(__file__).resolve().parents[2] / "migrations"

#: A connection unused for so long is asked before it is trusted.
LONG_REST_S = 30.0

#: What stands in no metadata: months of `event` and `assignment`, days of `fix` (made at run time), PostGIS's and Alembic's own tables.
FOREIGN = re.compile(r"^((event|assignment)_\d{4}_\d{2}|fix_\d{4}_\d{2}_\d{2}|spatial_ref_sys|alembic_version)$")


@contextmanager
def savepoint(connection: sa.Connection) -> Iterator[None]:
    """What happens within is undone alone when it is refused."""
    with connection.begin_nested():
        yield


@contextmanager
def undone(connection: sa.Connection) -> Iterator[None]:
    """What happens within is undone in any case; locks that it took are held until the transaction ends."""
    nested = connection.begin_nested()
    try:
        yield
    finally:
        nested.rollback()


def driver_url(url: str) -> sa.URL:
    """The URL with psycopg as its driver, whatever form `postgresql://` came in."""
    try:
        parsed = sa.make_url(url)
    except sa.exc.ArgumentError:
        place = "GRIDBEAT_DATABASE_URL"
        raise ParameterInvalid(
            "this is no address of a database, such as postgresql://user@host/name", place=place
        ) from None
    return parsed.set(drivername="postgresql+psycopg")


def create_engine(url: str, *, pool_size: int = 10, application: str = "gridbeat") -> sa.Engine:
    """An engine whose connections see schema `gridbeat` first and speak UTC.

    A connection that died with the server is noticed at checkout and replaced. Statements are prepared by the driver
    after their fifth use. `pool_size` connections are kept, as many again may be opened in a rush.
    """
    engine = sa.create_engine(
        driver_url(url),
        pool_size=pool_size,
        max_overflow=pool_size,
        pool_timeout=10,
        connect_args={
            "options": f"-csearch_path={SCHEMA},public -ctimezone=UTC -cjit=off",
            "application_name": application,
            "connect_timeout": 5,
        },
    )
    sa.event.listen(engine, "checkin", _note_use)
    sa.event.listen(engine, "checkout", _refuse_dead)
    return engine


def _note_use(_: Any, record: Any) -> None:
    record.info["used"] = time.monotonic()


def _refuse_dead(raw: Any, record: Any, _: Any) -> None:
    """A connection whose server is gone is replaced, and all others with it.

    An idle connection has nothing to say: bytes that wait on its socket are the server's farewell or the end of the line.
    Looking costs nothing; after a long rest, when a firewall may have forgotten the connection, the server is asked.
    """
    waiting = select.poll()
    waiting.register(raw.pgconn.socket, select.POLLIN)
    if waiting.poll(0):
        raise sa.exc.InvalidatePoolError
    if time.monotonic() - record.info.get("used", time.monotonic()) > LONG_REST_S:
        try:
            raw.execute("")
            raw.rollback()
        except psycopg.Error as error:
            raise sa.exc.InvalidatePoolError from error


def is_ours(thing: Any, name: str | None, kind: str, reflected: bool, compare_to: Any) -> bool:  # noqa: ARG001 - Alembic's signature
    """Whether Alembic compares this: not what `FOREIGN` names."""
    table = name if kind == "table" else getattr(getattr(thing, "table", None), "name", "")
    # A foreign key to a partitioned table has a shadow on each of its months.
    target = thing.elements[0].target_fullname if kind == "foreign_key_constraint" else ""
    return not any(FOREIGN.match(part) for part in (table or "", target.split(".")[0]))


def _prepare(connection: sa.Connection) -> None:
    """Schema and extensions exist afterwards; PostgisMissing when the server cannot give them."""
    try:
        for extension in ("postgis", "btree_gist"):
            connection.execute(sa.text(f"CREATE EXTENSION IF NOT EXISTS {extension} SCHEMA public"))
        connection.execute(sa.text(f"CREATE SCHEMA IF NOT EXISTS {SCHEMA}"))
        connection.commit()
    except (sa.exc.NotSupportedError, sa.exc.ProgrammingError) as error:
        raise PostgisMissing(
            "this PostgreSQL cannot create the extensions postgis and btree_gist: install them on the server "
            "(Debian/Ubuntu: apt-get install postgresql-postgis postgresql-contrib) or create them as its superuser",
            place="extension",
        ) from error


def migrate(url: str) -> str:
    """The store at `url` is at the newest revision afterwards; returns it. Safe when several processes call it at once.

    Raises PostgisMissing without the extensions, DatabaseUnavailable when nothing answers.
    """
    engine = create_engine(url, pool_size=1)
    try:
        with translating(), engine.connect() as connection:
            # A lock of the session: it outlives the transactions that each revision commits.
            connection.execute(sa.text("SELECT pg_advisory_lock(hashtext('gridbeat.migrate'))"))
            connection.commit()
            try:
                _prepare(connection)
                _upgrade(connection)
            finally:
                connection.rollback()
                connection.execute(sa.text("SELECT pg_advisory_unlock_all()"))
                connection.commit()
        return newest_revision()
    finally:
        engine.dispose()


def _upgrade(connection: sa.Connection) -> None:
    if revision(connection) == newest_revision():
        return
    from alembic import command

    connection.rollback()  # Alembic begins and commits by itself
    command.upgrade(alembic_config(connection), "head")
    connection.commit()


def alembic_config(connection: sa.Connection) -> Any:
    """Alembic's configuration for our migrations on an open connection."""
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    config.attributes["connection"] = connection
    return config


def revision(connection: sa.Connection) -> str | None:
    """The revision the store is at; None before the first migration."""
    if connection.scalar(sa.text("SELECT to_regclass('gridbeat.alembic_version')")) is None:
        return None
    found: str | None = connection.scalar(sa.text("SELECT version_num FROM gridbeat.alembic_version"))
    return found


def newest_revision() -> str:
    """The revision this code was written for: that of the last file, as they are numbered. Alembic itself takes half a second to ask."""
    return max(path.name.partition("_")[0] for path in (MIGRATIONS / "versions").glob("[0-9]*_*.py"))


def forget(url: str) -> None:
    """Everything stored at `url` is gone afterwards, and the schema is at the newest revision. There is no way back."""
    engine = create_engine(url, pool_size=1)
    try:
        with translating(), engine.begin() as connection:
            connection.execute(sa.text(f"DROP SCHEMA IF EXISTS {SCHEMA} CASCADE"))
    finally:
        engine.dispose()
    migrate(url)
