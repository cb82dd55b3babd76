from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner, Result

from api.commands import db
from gis.errors import FileUnreadable, StateConflict
from gis.store.cluster import Cluster
from gis.store.engine import newest_revision


def gridbeat(*words: str) -> Result:
    app = typer.Typer()
    db.register(app)
    app.command()(lambda: None)  # a second command, so that Typer keeps `db` as a group
    return CliRunner().invoke(app, ["db", *words])


@pytest.fixture
def private_home(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    home = Path(tempfile.mkdtemp(prefix="gridbeat-db-", dir="/tmp"))
    home.chmod(0o711)
    monkeypatch.setenv("GRIDBEAT_HOME", str(home))
    yield home
    Cluster.at(home).stop()
    shutil.rmtree(home)


@pytest.mark.cluster
def test_the_private_server_goes_through_its_life_by_command(private_home: Path, tmp_path: Path) -> None:
    nothing = gridbeat("status")
    assert (nothing.exit_code, "absent" in nothing.stdout) == (1, True)
    assert gridbeat("start").stdout.strip() == Cluster.at(private_home).url
    assert "none yet: gridbeat db migrate" in gridbeat("status").stdout
    assert gridbeat("migrate").stdout == f"revision {newest_revision()}\n"
    up = gridbeat("status")
    assert (up.exit_code, "running" in up.stdout, newest_revision() in up.stdout) == (0, True, True)
    file = tmp_path / "town.dump"
    assert gridbeat("backup", str(file)).exit_code == 0
    assert gridbeat("stop").stdout == "stopped\n"
    assert gridbeat("stop").stdout == "was not running\n"
    assert gridbeat("restore", str(file), "--yes").exit_code == 0  # starts the server again


def test_a_given_server_is_neither_started_nor_stopped_and_its_password_not_shown(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("GRIDBEAT_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("GRIDBEAT_DATABASE_URL", "postgresql://li:secret@127.0.0.1:1/town")
    for command in ("start", "stop"):
        done = gridbeat(command)
        assert done.exit_code == 0
        assert "not Gridbeat's to start or stop" in done.stderr
        assert "secret" not in done.output
    assert not (tmp_path / "home").exists()


def test_a_given_server_is_migrated_backed_up_and_restored(
    monkeypatch: pytest.MonkeyPatch, empty_database: str, tmp_path: Path
) -> None:
    monkeypatch.setenv("GRIDBEAT_DATABASE_URL", empty_database)
    assert gridbeat("migrate").exit_code == 0
    assert gridbeat("backup", str(tmp_path / "b.dump")).exit_code == 0
    again = gridbeat("backup", str(tmp_path / "b.dump"))
    assert (again.exit_code, type(again.exception)) == (1, StateConflict)
    assert gridbeat("restore", str(tmp_path / "b.dump"), "--yes").exit_code == 0
    status = gridbeat("status")
    assert (status.exit_code, "given by GRIDBEAT_DATABASE_URL" in status.stdout) == (0, True)


def test_a_file_that_is_no_backup_is_refused_before_any_server_is_started(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("GRIDBEAT_HOME", str(tmp_path / "home"))
    (tmp_path / "x.dump").write_text("no dump")
    done = gridbeat("restore", str(tmp_path / "x.dump"), "--yes")
    assert (done.exit_code, type(done.exception)) == (1, FileUnreadable)
    assert not (tmp_path / "home").exists()


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("postgresql://li:se@cret@host/town", "postgresql://li@host/town"),
        ("postgresql://li@host/town", "postgresql://li@host/town"),
        ("postgresql:///town", "postgresql:///town"),
    ],
)
def test_an_address_is_shown_without_its_password(url: str, shown: str) -> None:
    assert db._shown(url) == shown


def test_an_unknown_argument_is_a_usage_error() -> None:
    assert gridbeat("start", "now").exit_code == 2
    assert os.environ["GRIDBEAT_HOME"].startswith("/nonexistent")
