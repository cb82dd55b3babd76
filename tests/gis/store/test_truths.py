"""The truths the database itself keeps: each is attacked by hand."""

from __future__ import annotations

from typing import Any

import psycopg
import pytest
import sqlalchemy as sa

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
