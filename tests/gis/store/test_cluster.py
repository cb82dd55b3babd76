from __future__ import annotations

import os
import signal
import socket
import stat
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import psycopg
import pytest
import sqlalchemy as sa

from gis.errors import DatabaseUnavailable
from gis.store.cluster import Cluster, default_home

pytestmark = pytest.mark.cluster

ROOT = Path(__file__).parents[3]
AS_ROOT = os.geteuid() == 0


def ask(url: str, question: str) -> str:
    engine = sa.create_engine(url, poolclass=sa.NullPool)
    with engine.begin() as connection:
        answer = connection.exec_driver_sql(question)
        return str(answer.scalar()) if answer.returns_rows else ""


def store_one_row(url: str) -> None:
    ask(url, "CREATE SCHEMA IF NOT EXISTS gridbeat")
    ask(url, "CREATE TABLE kept AS SELECT 42 AS answer")


STARTER = """
import sys, pathlib
from gis.store.cluster import Cluster
print(Cluster.at(pathlib.Path(sys.argv[1])).start())
"""


def starter_of(home: Path) -> subprocess.Popen[str]:
    """Another process that starts the cluster of `home` and prints its address."""
    return subprocess.Popen([sys.executable, "-c", STARTER, str(home)], cwd=ROOT, stdout=subprocess.PIPE, text=True)


def kill_server(cluster: Cluster) -> int:
    pid = cluster.status().pid
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    return pid


def test_a_start_makes_a_database_with_postgis_that_is_durable_and_speaks_over_its_socket_only(home: Path) -> None:
    cluster = Cluster.at(home)
    assert cluster.status().state == "absent"
    url = cluster.start()
    assert "3." in ask(url, "SELECT postgis_version()")
    assert ask(url, "SELECT extname FROM pg_extension WHERE extname = 'btree_gist'") == "btree_gist"
    assert ask(url, "SELECT current_user") == "gridbeat"
    assert ask(url, "SELECT rolsuper FROM pg_roles WHERE rolname = current_user") == "False"
    for setting, value in {
        "listen_addresses": "", "fsync": "on", "synchronous_commit": "on", "data_checksums": "on", "jit": "off",
        "server_encoding": "UTF8", "lc_collate": "C.UTF-8", "search_path": "gridbeat, public",
    }.items():  # fmt: skip
        assert ask(url, f"SHOW {setting}") == value, setting
    assert tcp_ports_of(cluster.status().pid) == []
    assert stat.S_IMODE(cluster.sockets.stat().st_mode) == 0o700
    assert stat.S_IMODE(cluster.data.stat().st_mode) == 0o700
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(host="127.0.0.1", port=5432, user="gridbeat", dbname="gridbeat", connect_timeout=2)


def tcp_ports_of(pid: int | None) -> list[int]:
    """Ports on which the process listens, read from the kernel's own tables."""
    inodes = set()
    for entry in Path(f"/proc/{pid}/fd").iterdir():
        with suppress(FileNotFoundError):
            inodes.add(str(entry.readlink()).removeprefix("socket:[").removesuffix("]"))
    rows = [row.split() for table in ("tcp", "tcp6") for row in Path(f"/proc/net/{table}").read_text().splitlines()[1:]]
    return [int(row[1].rsplit(":", 1)[1], 16) for row in rows if row[3] == "0A" and row[9] in inodes]


def test_tcp_ports_of_sees_a_listening_process() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        assert tcp_ports_of(os.getpid()) == [listening.getsockname()[1]]


def test_a_second_start_changes_nothing_and_a_stop_keeps_the_data(home: Path) -> None:
    cluster = Cluster.at(home)
    url = cluster.start()
    store_one_row(url)
    pid = cluster.status().pid
    assert (cluster.start(), cluster.status().pid) == (url, pid)
    assert cluster.stop() is True
    assert cluster.status().state == "stopped"
    assert cluster.stop() is False
    assert ask(cluster.start(), "SELECT answer FROM kept") == "42"


def test_the_server_runs_as_an_unprivileged_user(home: Path) -> None:
    cluster = Cluster.at(home)
    cluster.start()
    owner = Path(f"/proc/{cluster.status().pid}").stat().st_uid
    assert owner != 0
    assert owner == cluster.data.stat().st_uid
    assert not AS_ROOT or home.stat().st_uid == 0


def test_a_killed_server_starts_again_with_what_was_committed(home: Path) -> None:
    cluster = Cluster.at(home)
    store_one_row(cluster.start())
    killed = kill_server(cluster)
    assert (cluster.data / "postmaster.pid").exists()
    assert ask(cluster.start(), "SELECT answer FROM kept") == "42"
    assert cluster.status().pid != killed


def test_a_killed_server_with_a_busy_session_starts_again(home: Path) -> None:
    cluster = Cluster.at(home)
    url = cluster.start()
    store_one_row(url)
    command = [
        sys.executable,
        "-c",
        "import sys, psycopg; psycopg.connect(sys.argv[1]).execute('SELECT pg_sleep(600)')",
    ]
    plain = url.replace("+psycopg", "")
    busy = subprocess.Popen([*command, plain], stderr=subprocess.DEVNULL)
    try:
        while (
            ask(url, "SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%%pg_sleep(600)%%' AND state = 'active'")
            != "2"
        ):
            time.sleep(0.02)  # two: the sleeper, and the question itself
        kill_server(cluster)
        assert ask(cluster.start(), "SELECT answer FROM kept") == "42"
    finally:
        busy.kill()
        busy.wait()


@pytest.mark.parametrize(
    "content",
    ["", "garbage\n", f"{os.getpid()}\n/nowhere\n1\n5432\n\n\n\nready\n"],
    ids=["empty", "garbage", "recycled"],
)
def test_a_stale_pid_file_and_stale_sockets_are_swept_away(home: Path, content: str) -> None:
    """`recycled`: the pid in the file lives, but by now it is another program's (ours)."""
    cluster = Cluster.at(home)
    store_one_row(cluster.start())
    cluster.stop()
    (cluster.data / "postmaster.pid").write_text(content)
    for name in (".s.PGSQL.5432", ".s.PGSQL.5432.lock"):
        (cluster.sockets / name).write_text(content)
    assert cluster.status().state == "stopped"
    assert ask(cluster.start(), "SELECT answer FROM kept") == "42"


def test_a_half_made_data_directory_is_thrown_away(home: Path) -> None:
    cluster = Cluster.at(home)
    making = cluster.root / "data.making"
    (making / "base").mkdir(parents=True)
    (making / "PG_VERSION").write_text("15\n")
    cluster.data.mkdir()
    assert cluster.status().state == "absent"
    assert ask(cluster.start(), "SELECT 1") == "1"
    assert not making.exists()


def test_a_start_that_is_killed_during_initdb_is_made_good_by_the_next(home: Path) -> None:
    cluster = Cluster.at(home)
    victim = starter_of(home)
    while not (cluster.root / "data.making" / "base").exists():
        assert victim.poll() is None
        time.sleep(0.005)
    victim.kill()
    victim.communicate()
    assert not cluster.data.exists()
    assert ask(cluster.start(), "SELECT 1") == "1"


def test_a_data_directory_that_is_not_ours_is_refused_and_left_alone(home: Path) -> None:
    cluster = Cluster.at(home)
    cluster.data.mkdir(parents=True)
    (cluster.data / "letter.txt").write_text("mine")
    with pytest.raises(DatabaseUnavailable, match="not empty and is no PostgreSQL data directory"):
        cluster.start()
    assert (cluster.data / "letter.txt").read_text() == "mine"


def test_two_processes_that_start_at_the_same_time_get_the_same_server(home: Path) -> None:
    starters = [starter_of(home) for _ in range(3)]
    urls = {starter.communicate()[0].strip() for starter in starters}
    assert [starter.returncode for starter in starters] == [0, 0, 0]
    assert urls == {Cluster.at(home).url}
    assert ask(urls.pop(), "SELECT 1") == "1"


def test_a_start_waits_for_a_server_that_is_still_shutting_down(home: Path) -> None:
    cluster = Cluster.at(home)
    url = cluster.start()
    store_one_row(url)
    session = psycopg.connect(url.replace("+psycopg", ""))
    pid = cluster.status().pid
    assert pid is not None
    os.kill(pid, signal.SIGTERM)  # smart shutdown: no new sessions, waits for the open one
    starter = starter_of(home)
    time.sleep(0.5)
    assert starter.poll() is None
    session.close()
    starter.communicate()
    assert starter.returncode == 0
    assert cluster.status().pid not in {None, pid}
    assert ask(url, "SELECT answer FROM kept") == "42"


def test_a_server_that_cannot_start_says_why_with_the_end_of_its_log(home: Path) -> None:
    cluster = Cluster.at(home)
    cluster.start()
    cluster.stop()
    (cluster.root / "local.conf").write_text("no_such_setting = 1\n")
    with pytest.raises(DatabaseUnavailable, match="no_such_setting"):
        cluster.start()
    (cluster.root / "local.conf").write_text("work_mem = '9MB'\n")
    assert ask(cluster.start(), "SHOW work_mem") == "9MB"


def test_a_home_with_a_long_and_unusual_path_gets_a_short_socket(home: Path) -> None:
    cluster = Cluster.at(home / ("很长的目录 " * 3) / ("x" * 100))
    try:
        url = cluster.start()
        assert len(str(cluster.sockets)) < 40
        assert ask(url, "SELECT 1") == "1"
    finally:
        cluster.stop()
        cluster.sockets.rmdir()


def test_a_socket_directory_that_somebody_else_laid_out_is_refused(home: Path) -> None:
    cluster = Cluster.at(home / ("x" * 120))
    cluster.sockets.symlink_to(home)
    try:
        with pytest.raises(DatabaseUnavailable, match="belongs to somebody else"):
            cluster.start()
    finally:
        cluster.sockets.unlink()


def test_variables_of_the_caller_do_not_redirect_the_server(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {
        "PGHOST": "/nowhere",
        "PGPORT": "1",
        "PGDATA": "/nowhere",
        "PGUSER": "nobody",
        "PGDATABASE": "no",
    }.items():
        monkeypatch.setenv(name, value)
    assert ask(Cluster.at(home).start(), "SELECT current_user") == "gridbeat"


@pytest.mark.parametrize(
    ("uid", "environ", "expected"),
    [
        (0, {"HOME": "/root"}, "/var/lib/gridbeat"),
        (1000, {"HOME": "/home/li"}, "/home/li/.local/share/gridbeat"),
        (1000, {"HOME": "/home/li", "XDG_DATA_HOME": "/data/li"}, "/data/li/gridbeat"),
    ],
)
def test_the_default_home_is_per_user_and_never_roots_own(uid: int, environ: dict[str, str], expected: str) -> None:
    assert default_home(environ, uid) == Path(expected)
