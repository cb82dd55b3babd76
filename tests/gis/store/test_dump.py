from __future__ import annotations

import stat
from pathlib import Path

import psycopg
import pytest
import sqlalchemy as sa

from gis.errors import DatabaseUnavailable, FileUnreadable, StateConflict
from gis.store import dump, owing, plans
from gis.store.engine import create_engine, migrate, newest_revision
from tests.town import drawn, published


def put_layer(url: str, name: str) -> None:
    engine = create_engine(url, pool_size=1)
    with engine.begin() as connection:
        connection.execute(
            sa.text(
                "INSERT INTO layer (name, priority, title_zh, title_en) SELECT :n, max(priority) + 1, :n, :n FROM layer"
            ),
            {"n": name},
        )
    engine.dispose()


def layers(url: str) -> set[str]:
    engine = create_engine(url, pool_size=1)
    with engine.connect() as connection:
        found = set(connection.scalars(sa.text("SELECT name FROM layer")))
    engine.dispose()
    return found


def shape_of(url: str) -> list[tuple[object, ...]]:
    """Every column, constraint, index, trigger and function of the schema, as text."""
    engine = create_engine(url, pool_size=1)
    with engine.connect() as connection:
        rows = connection.execute(
            sa.text("""
            SELECT 'column', table_name, column_name, data_type, column_default FROM information_schema.columns WHERE table_schema = 'gridbeat'
            UNION ALL SELECT 'constraint', conrelid::regclass::text, conname, contype::text, pg_get_constraintdef(oid) FROM pg_constraint WHERE connamespace = 'gridbeat'::regnamespace
            UNION ALL SELECT 'index', tablename, indexname, '', indexdef FROM pg_indexes WHERE schemaname = 'gridbeat'
            UNION ALL SELECT 'trigger', tgrelid::regclass::text, tgname, '', pg_get_triggerdef(oid) FROM pg_trigger WHERE NOT tgisinternal
            UNION ALL SELECT 'function', proname, '', '', pg_get_functiondef(oid) FROM pg_proc WHERE pronamespace = 'gridbeat'::regnamespace
            ORDER BY 1, 2, 3, 5
        """)  # noqa: E501
        ).all()
    engine.dispose()
    return [tuple(row) for row in rows]


def test_a_restore_into_an_empty_database_gives_the_same_tables_and_rows(
    database: str, empty_database: str, tmp_path: Path
) -> None:
    put_layer(database, "夜间网格")
    file = tmp_path / "town.dump"
    done = dump.backup(database, file)
    assert (done.revision, done.size) == (newest_revision(), file.stat().st_size)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    dump.restore(empty_database, file)
    assert "夜间网格" in layers(empty_database)
    assert shape_of(empty_database) == shape_of(database)
    assert migrate(empty_database) == newest_revision()


def test_plans_and_what_is_owed_come_back_too(database: str, empty_database: str, tmp_path: Path) -> None:
    engine = create_engine(database, pool_size=1)
    with engine.begin() as connection:
        published(connection, drawn("AB"))
        plan = plans.create(connection, "a plan", 1, "ann")
        plan, _ = plans.append(connection, plan, {"op": "rename", "grid": "A", "name": "西"}, [], "ann")
        plan = plans.comment(connection, plan, "why?", (121.2, 32.0), "bob")
    engine.dispose()
    dump.backup(database, tmp_path / "b.dump")
    dump.restore(empty_database, tmp_path / "b.dump")
    engine = create_engine(empty_database, pool_size=1)
    with engine.begin() as connection:
        assert plans.read(connection, plan.id) == plan
        assert [one.body["name"] for one in plans.read_line(connection, plan)[0]] == ["西"]
        assert [one["text"] for one in plans.read_comments(connection, plan.id)] == ["why?"]
        assert [one.generation for one in owing.due(connection)] == [1]
        assert plans.stand_at(connection, plan, 0).revision == plan.revision + 1
    engine.dispose()


def test_a_restore_takes_back_what_was_stored_since_the_backup(database: str, tmp_path: Path) -> None:
    put_layer(database, "before")
    dump.backup(database, tmp_path / "b.dump")
    put_layer(database, "after")
    dump.restore(database, tmp_path / "b.dump")
    assert {"before", "after"} & layers(database) == {"before"}


@pytest.mark.parametrize(
    "content",
    [b"", b"hello", b"PGDMP\x01\x0e\x00garbage" * 40, b"PK\x03\x04" * 9],
    ids=["empty", "text", "magic only", "zip"],
)
def test_a_file_that_is_no_backup_is_refused_and_the_data_stay(database: str, tmp_path: Path, content: bytes) -> None:
    put_layer(database, "kept")
    file = tmp_path / "x.dump"
    file.write_bytes(content)
    with pytest.raises(FileUnreadable, match="no backup made by"):
        dump.restore(database, file)
    assert "kept" in layers(database)


def test_a_backup_cut_short_is_refused_and_the_data_stay(database: str, tmp_path: Path) -> None:
    """Cut at every tenth of its length: whichever table it breaks in, nothing of it is stored."""
    file = tmp_path / "whole.dump"
    dump.backup(database, file)
    put_layer(database, "kept")
    whole = file.read_bytes()
    for tenth in range(1, 10):
        cut = tmp_path / "cut.dump"
        cut.write_bytes(whole[: len(whole) * tenth // 10])
        with pytest.raises(FileUnreadable, match="nothing was changed"):
            dump.restore(database, cut)
        assert "kept" in layers(database)


def test_a_dump_of_another_program_is_refused(empty_database: str, database: str, tmp_path: Path) -> None:
    with psycopg.connect(empty_database.replace("+psycopg", "")) as other:
        other.execute("CREATE SCHEMA shop")
        other.execute("CREATE TABLE shop.item (id int)")
    target = dump._Target.of(empty_database)
    dump._run(target, "pg_dump", "-Fc", "-n", "shop", "-f", str(tmp_path / "shop.dump"), "-d", target.url)
    with pytest.raises(FileUnreadable, match="no backup made by"):
        dump.restore(database, tmp_path / "shop.dump")


def test_a_backup_of_a_newer_gridbeat_is_refused_with_its_revision(database: str, tmp_path: Path) -> None:
    engine = create_engine(database, pool_size=1)
    with engine.begin() as connection:
        connection.execute(sa.text("UPDATE alembic_version SET version_num = '9999'"))
    engine.dispose()
    dump.backup(database, tmp_path / "future.dump")
    with pytest.raises(FileUnreadable, match="revision 9999, which this Gridbeat does not know"):
        dump.restore(database, tmp_path / "future.dump")


def test_a_backup_never_replaces_a_file_unasked(database: str, tmp_path: Path) -> None:
    file = tmp_path / "b.dump"
    file.write_text("precious")
    with pytest.raises(StateConflict, match="there already"):
        dump.backup(database, file)
    assert file.read_text() == "precious"
    assert dump.backup(database, file, overwrite=True).size > 1000
    assert [path.name for path in tmp_path.iterdir()] == ["b.dump"]


def test_a_database_without_tables_has_nothing_to_back_up(empty_database: str, tmp_path: Path) -> None:
    with pytest.raises(StateConflict, match="never migrated"):
        dump.backup(empty_database, tmp_path / "b.dump")


def test_a_restore_gives_up_when_somebody_keeps_the_tables_busy(
    database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dump, "OPENING", dump.OPENING.replace("20s", "200ms"))
    dump.backup(database, tmp_path / "b.dump")
    put_layer(database, "kept")
    with psycopg.connect(database.replace("+psycopg", "")) as busy:
        busy.execute("SELECT * FROM gridbeat.layer")
        with pytest.raises(StateConflict, match="keeps the tables busy"):
            dump.restore(database, tmp_path / "b.dump")
    assert "kept" in layers(database)


def test_a_backup_of_a_database_that_does_not_answer_says_so(tmp_path: Path) -> None:
    with pytest.raises(DatabaseUnavailable):
        dump.backup("postgresql://gridbeat@/gridbeat?host=/nonexistent", tmp_path / "b.dump")
    assert list(tmp_path.iterdir()) == []
