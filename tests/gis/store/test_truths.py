"""The truths the database itself keeps: each is attacked by hand."""

from __future__ import annotations

from typing import Any

import psycopg
import pytest
import sqlalchemy as sa
from alembic import command

from gis.store.engine import alembic_config, create_engine, migrate
from gis.store.ids import uuid7
from tests.town import SINCE, drawn, published

NOW = "2026-05-03T00:00:00Z"


@pytest.fixture
def town(connection: sa.Connection) -> sa.Connection:
    published(connection, drawn("AB"))
    return connection


def refused(connection: sa.Connection, statement: str, **values: Any) -> str:
    """The constraint that refuses a statement; fails when nothing does."""

    def attempt() -> None:
        with connection.begin_nested():
            connection.execute(sa.text(statement), values)
            connection.execute(sa.text("SET CONSTRAINTS ALL IMMEDIATE"))

    with pytest.raises(sa.exc.DBAPIError) as caught:
        attempt()
    assert isinstance(caught.value.orig, psycopg.errors.IntegrityError)
    return caught.value.orig.diag.constraint_name or str(caught.value.orig)


def copy_of(table: str, columns: str, **changed: str) -> str:
    """Insert a copy of every row of a table of facts, some columns changed."""
    names = [*columns.split(", "), "grid", "valid", "recorded", "generation"]
    return f"INSERT INTO {table} ({', '.join(names)}) SELECT {', '.join(changed.get(n, n) for n in names)} FROM {table}"


def test_a_grid_has_one_shape_at_a_time(town: sa.Connection) -> None:
    assert refused(town, copy_of("grid_shape", "geom, area_m2")) == "grid_shape_once"


def test_a_grid_has_one_code_at_a_time(town: sa.Connection) -> None:
    assert refused(town, copy_of("grid_code", "code, profile", code="code || '-2'")) == "grid_code_once"


def test_a_code_belongs_to_one_grid_at_a_time(town: sa.Connection) -> None:
    swap = "(SELECT uid FROM grid WHERE uid <> grid_code.grid)"
    assert refused(town, copy_of("grid_code", "code, profile", grid=swap)) in {"grid_code_unique", "grid_code_once"}


def test_a_grid_has_one_name_at_a_time(town: sa.Connection) -> None:
    assert refused(town, copy_of("grid_name", "name")) == "grid_name_once"


def test_a_grid_is_not_its_own_parent(town: sa.Connection) -> None:
    statement = (
        "INSERT INTO grid_parent (grid, parent, valid, recorded, generation) "
        "SELECT grid, grid, valid, recorded, generation FROM grid_shape"
    )
    assert "check" in refused(town, statement)


def test_a_shape_that_crosses_itself_is_refused(town: sa.Connection) -> None:
    bow = "ST_Multi(ST_GeomFromText('POLYGON((0 0, 1 1, 1 0, 0 1, 0 0))', 4326))"
    later = "tstzrange('2100-01-01', NULL)"
    assert "geom_check" in refused(town, copy_of("grid_shape", "geom, area_m2", geom=bow, recorded=later))


def test_an_empty_range_is_refused(town: sa.Connection) -> None:
    assert "valid_check" in refused(town, copy_of("grid_name", "name", valid="'empty'::tstzrange"))


@pytest.mark.parametrize("table", ["grid_shape", "grid_code", "grid_name"])
def test_what_was_once_known_is_kept(town: sa.Connection, table: str) -> None:
    assert "keeps what was once known" in refused(town, f"DELETE FROM {table}")
    assert "keeps what was once known" in refused(town, f"UPDATE {table} SET valid = tstzrange(NULL, NULL)")
    closed = f"UPDATE {table} SET recorded = tstzrange(lower(recorded), '2100-01-01')"
    town.execute(sa.text(closed))  # closing is allowed, once
    assert "keeps what was once known" in refused(town, closed)


@pytest.mark.parametrize("statement", ["UPDATE generation SET actor = 'x'", "DELETE FROM generation"])
def test_a_generation_never_changes(town: sa.Connection, statement: str) -> None:
    assert "append-only" in refused(town, statement)


@pytest.mark.parametrize("table", ["lineage", "audit"])
def test_lineage_and_audit_are_append_only(town: sa.Connection, table: str) -> None:
    assert "append-only" in refused(town, f"DELETE FROM {table}")


INSERT_GENERATION = (
    "INSERT INTO generation (number, published_at, effective_at, actor, correction, reason) "
    "VALUES (:number, :published, :effective, 'x', :correction, :reason)"
)


def generation(**changed: Any) -> dict[str, Any]:
    return {
        "number": 2,
        "published": "2100-01-01Z",
        "effective": "2100-01-01Z",
        "correction": False,
        "reason": None,
    } | changed


def test_generations_are_numbered_without_a_gap(town: sa.Connection) -> None:
    assert "order of publication" in refused(town, INSERT_GENERATION, **generation(number=3))


def test_generations_are_published_in_order(town: sa.Connection) -> None:
    assert "order of publication" in refused(town, INSERT_GENERATION, **generation(published="2001-01-01Z"))


def test_generations_take_effect_in_order(town: sa.Connection) -> None:
    assert refused(town, INSERT_GENERATION, **generation(effective="2001-01-01Z")) == "generation_order"


def test_a_correction_has_a_reason(town: sa.Connection) -> None:
    values = generation(effective="2001-01-01Z", correction=True, reason="")
    assert refused(town, INSERT_GENERATION, **values) == "generation_correction_has_reason"
    town.execute(sa.text(INSERT_GENERATION), values | {"reason": "surveyed wrongly"})


EVENT = {
    "id": None, "received_at": NOW, "reported_at": NOW, "occurred_at": NOW, "channel": "hotline", "raw": "{}", "crs": "wgs84",
    "converter": "x", "method": "none", "reason": "outside-all-grids", "generation": 1, "actor": "x", "address": "somewhere",
}  # fmt: skip


def insert_event(**changed: Any) -> tuple[str, dict[str, Any]]:
    values = EVENT | {"id": uuid7(SINCE)} | changed
    casts = [f"CAST(:{name} AS jsonb)" if name == "raw" else f":{name}" for name in values]
    return f"INSERT INTO event ({', '.join(values)}) VALUES ({', '.join(casts)})", values


@pytest.fixture
def month(town: sa.Connection) -> sa.Connection:
    town.execute(sa.text("SELECT ensure_month(:now)"), {"now": NOW})
    return town


@pytest.mark.parametrize(
    ("changed", "constraint"),
    [
        ({"address": None}, "event_has_a_place"),
        ({"address": ""}, "event_has_a_place"),
        ({"reason": None}, "event_without_grid_says_why"),
        ({"status": "lost"}, "event_status_check"),
        ({"channel": ""}, "event_channel_check"),
        ({"accuracy_m": 0}, "event_accuracy_m_check"),
        ({"accuracy_m": float("inf")}, "event_accuracy_m_check"),
        ({"grid": uuid7(SINCE)}, "event_grid_fkey"),
    ],
)
def test_an_event_is_whole(month: sa.Connection, changed: dict[str, Any], constraint: str) -> None:
    statement, values = insert_event(**changed)
    assert refused(month, statement, **values) == constraint


RECEIPT = (
    "INSERT INTO assignment (id, event, received_at, made_at, cause, at, known_at, generation, kernel, converter, method, reason, "
    "answer, grounds, actor) VALUES (:id, :event, :now, :now, :cause, :now, :now, 1, 'k', 'c', 'none', :reason, '{}', '{}', 'x')"
)


def test_a_receipt_belongs_to_an_event_and_is_never_changed(month: sa.Connection) -> None:
    statement, values = insert_event()
    month.execute(sa.text(statement), values)
    receipt = {"id": uuid7(SINCE), "event": values["id"], "now": NOW, "cause": "received", "reason": "why"}
    assert "fkey" in refused(month, RECEIPT, **(receipt | {"event": uuid7(SINCE)}))
    assert refused(month, RECEIPT, **(receipt | {"reason": None})) == "assignment_without_grid_says_why"
    assert "cause_check" in refused(month, RECEIPT, **(receipt | {"cause": "whim"}))
    month.execute(sa.text(RECEIPT), receipt)
    assert "append-only" in refused(month, "DELETE FROM assignment")
    assert "append-only" in refused(month, "UPDATE assignment SET actor = 'y'")


#: A receipt by which an event belongs to a grid.
NAMING = RECEIPT.replace("method, reason", "method, reason, grid").replace(
    "'none', :reason", "'inside', :reason, CAST(:grid AS uuid)"
)
INTO = ["assignment", "assignment_2026_05"]


@pytest.mark.parametrize("table", INTO)
def test_a_receipt_names_an_event_and_a_grid_that_are_there_whichever_way_it_comes(
    month: sa.Connection, table: str
) -> None:
    statement, values = insert_event()
    month.execute(sa.text(statement), values)
    receipt = {"id": uuid7(SINCE), "event": values["id"], "now": NOW, "cause": "received", "reason": "why"}
    into = NAMING.replace("INTO assignment", f"INTO {table}")
    good = receipt | {"grid": month.scalar(sa.text("SELECT uid FROM grid LIMIT 1"))}
    assert refused(month, into, **(good | {"event": uuid7(SINCE)})) == "assignment_event_received_at_fkey"
    assert refused(month, into, **(good | {"now": "2026-05-04T00:00:00Z"})) == "assignment_event_received_at_fkey"
    assert refused(month, into, **(good | {"grid": uuid7(SINCE)})) == "assignment_grid_fkey"
    month.execute(sa.text(into), good)


@pytest.mark.parametrize("table", INTO)
def test_among_many_receipts_one_without_its_event_refuses_all(month: sa.Connection, table: str) -> None:
    statement, values = insert_event()
    month.execute(sa.text(statement), values)
    many = (
        f"INSERT INTO {table} (id, event, received_at, made_at, cause, at, known_at, generation, kernel, converter, method, reason, "
        "answer, grounds, actor) SELECT gen_random_uuid(), CASE WHEN n = 77 THEN gen_random_uuid() ELSE e.id END, e.received_at, "
        "now(), 'moved', now(), now(), 1, 'k', 'c', 'none', 'r', '{}', '{}', 'x' FROM event e, generate_series(1, :rows) AS n"
    )
    assert refused(month, many, rows=100) == "assignment_event_received_at_fkey"
    month.execute(sa.text(many), {"rows": 76})


def test_an_event_is_given_only_grids_that_are_there(month: sa.Connection) -> None:
    statement, values = insert_event()
    straight = statement.replace("INTO event", "INTO event_2026_05")
    with_grid = straight.replace("(id,", "(grid, id,").replace("VALUES (", "VALUES (:grid, ")
    assert refused(month, with_grid, **(values | {"grid": uuid7(SINCE)})) == "event_grid_fkey"
    month.execute(sa.text(straight), values)
    assert refused(month, "UPDATE event SET grid = :grid", grid=uuid7(SINCE)) == "event_grid_fkey"
    month.execute(sa.text("UPDATE event SET grid = (SELECT uid FROM grid LIMIT 1)"))


@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM event",
        "DELETE FROM event_2026_05",
        "UPDATE event SET id = gen_random_uuid()",
        "UPDATE event SET received_at = received_at + interval '1 day'",
        "DELETE FROM grid",
        "UPDATE grid SET uid = gen_random_uuid()",
        "TRUNCATE event CASCADE",
        "TRUNCATE grid CASCADE",
    ],
)
def test_what_a_receipt_refers_to_stays(month: sa.Connection, statement: str) -> None:
    statement_of_event, values = insert_event()
    month.execute(sa.text(statement_of_event), values)
    receipt = {"id": uuid7(SINCE), "event": values["id"], "now": NOW, "cause": "received", "reason": "why"}
    month.execute(sa.text(RECEIPT), receipt)
    month.execute(sa.text("SET CONSTRAINTS ALL IMMEDIATE"))  # a table with checks that wait cannot be emptied anyway
    assert "receipts" in refused(month, statement)


def test_months_from_before_are_kept_as_new_ones_are(empty_database: str) -> None:
    engine = create_engine(empty_database)
    with engine.begin() as connection:
        for extension in ("postgis", "btree_gist"):
            connection.execute(sa.text(f"CREATE EXTENSION IF NOT EXISTS {extension} SCHEMA public"))
        connection.execute(sa.text("CREATE SCHEMA gridbeat"))
    with engine.connect() as connection:
        command.upgrade(alembic_config(connection), "0003")
        connection.commit()
    with engine.begin() as connection:
        connection.execute(sa.text("SELECT ensure_month(:now)"), {"now": NOW})
        published(connection, drawn("AB"))
        statement, values = insert_event(raw='{"b": 1, "a": "\\u7f51"}')
        connection.execute(sa.text(statement), values)
        receipt = {"id": uuid7(SINCE), "event": values["id"], "now": NOW, "cause": "received", "reason": "why"}
        connection.execute(sa.text(RECEIPT), receipt)
    migrate(empty_database)
    with engine.begin() as connection:
        assert connection.scalar(sa.text("SELECT raw FROM event")) == {"a": "网", "b": 1}
        connection.execute(sa.text("SELECT ensure_month('2026-06-01T00:00:00Z')"))
        found = connection.execute(
            sa.text("SELECT tgrelid::regclass::text, tgname FROM pg_trigger WHERE tgname LIKE 'names_%' ORDER BY 1, 2")
        )
        months = ["", "_2026_05", "_2026_06"]
        assert [tuple(row) for row in found] == [
            *((f"assignment{month}", name) for month in months for name in ("names_events", "names_grids")),
            *((f"event{month}", "names_grids") for month in months),
        ]
        into = RECEIPT.replace("INTO assignment", "INTO assignment_2026_05")
        again = receipt | {"id": uuid7(SINCE), "event": uuid7(SINCE)}
        assert refused(connection, into, **again) == "assignment_event_received_at_fkey"
    engine.dispose()
