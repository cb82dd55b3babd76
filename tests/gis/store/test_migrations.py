"""Migrations: from empty to newest, in step with the tables, safe in a race, forgiving about months."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
import sqlalchemy as sa
from alembic import command

from gis.errors import DatabaseUnavailable
from gis.store.engine import alembic_config, create_engine, forget, migrate, newest_revision, revision
from tests.town import drawn, published


def test_the_chain_runs_from_empty_and_matches_the_tables(empty_database: str) -> None:
    assert migrate(empty_database) == newest_revision()
    engine = create_engine(empty_database)
    with engine.connect() as connection:
        connection.execute(sa.text("SELECT ensure_month(now())"))
        command.check(alembic_config(connection))  # raises when tables.py and the migrations differ
        assert revision(connection) == newest_revision()
    engine.dispose()


def test_several_processes_may_migrate_at_once(empty_database: str) -> None:
    with ThreadPoolExecutor(4) as pool:
        assert set(pool.map(migrate, [empty_database] * 4)) == {newest_revision()}


def test_before_the_first_migration_there_is_no_revision(empty_database: str) -> None:
    engine = create_engine(empty_database)
    with engine.connect() as connection:
        assert revision(connection) is None
    engine.dispose()


def test_a_server_that_is_not_there_is_unavailable() -> None:
    with pytest.raises(DatabaseUnavailable) as refused:
        migrate("postgresql://nobody@127.0.0.1:1/nothing")
    assert "nobody" not in refused.value.message


def test_months_may_be_made_by_several_at_once(engine: sa.Engine) -> None:
    ready = threading.Barrier(4)

    def make(_: int) -> None:
        with engine.begin() as connection:
            ready.wait()
            connection.execute(sa.text("SELECT ensure_month('2031-07-09T00:00:00Z')"))

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(make, range(4)))
    with engine.connect() as connection:
        assert connection.scalar(sa.text("SELECT to_regclass('event_2031_07')")) is not None


def test_a_month_begins_at_midnight_utc(connection: sa.Connection) -> None:
    connection.execute(sa.text("SELECT ensure_month('2031-12-31T23:59:59Z')"))
    bounds = connection.scalar(
        sa.text("SELECT pg_get_expr(relpartbound, oid) FROM pg_class WHERE relname = 'assignment_2031_12'")
    )
    assert "2031-12-01 00:00:00+00" in str(bounds)
    assert "2032-01-01 00:00:00+00" in str(bounds)


def test_forgetting_leaves_an_empty_store_at_the_newest_revision(database: str) -> None:
    engine = create_engine(database)
    with engine.begin() as connection:
        published(connection, drawn("AB"))
    engine.dispose()
    forget(database)
    engine = create_engine(database)
    with engine.connect() as connection:
        assert connection.scalar(sa.text("SELECT count(*) FROM grid")) == 0
        assert revision(connection) == newest_revision()
    engine.dispose()
