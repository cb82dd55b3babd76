"""Cluster: Gridbeat's own PostGIS server, private to one directory, reachable over one Unix socket and nothing else.

    HOME/postgres/            0700, belongs to the user that the server runs as
        data/                 what initdb made; appears only when it is whole
        run/                  the socket (elsewhere, under a short path, when this one is too long for a socket)
        lock                  one start, stop or initdb at a time
        server.log, local.conf (yours, optional)

Whoever can enter the socket's directory may connect (trust); nobody but that user and root can. As root the server
runs as the system user `gridbeat`, or as the owner of the directory when it is there already.

Everything here may be killed at any instant and started again: a half-made data directory is thrown away, leftover pid
and lock files are told from live ones by looking for the process itself, and a server that is still recovering or
shutting down is waited for.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
import shutil
import signal
import stat
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

from gis.errors import DatabaseUnavailable
from gis.store import bootstrap, postgres, tuning
from gis.store.bootstrap import DATABASE, ROLE
from gis.store.postgres import Account, Programs

#: pg_ctl counts as the server that it is starting: its starter may have been killed meanwhile.
HEADS = {b"postgres", b"postmaster", b"pg_ctl"}
LONGEST_SOCKET = 107 - len("/.s.PGSQL.5432.lock")


def default_home(environ: Mapping[str, str], uid: int) -> Path:
    """The per-user data directory: /var/lib/gridbeat for root, never root's home; else in XDG_DATA_HOME or ~/.local/share."""
    if uid == 0:
        return Path("/var/lib/gridbeat")
    base = environ.get("XDG_DATA_HOME") or str(Path(environ.get("HOME") or Path.home()) / ".local" / "share")
    return Path(base) / "gridbeat"


@dataclass(frozen=True)
class ClusterStatus:
    """What the server does: `running` answers, `starting` does not yet (or no more), `stopped`, or `absent`: never made."""

    state: str
    pid: int | None
    major: int | None
    data: Path
    log: Path
    url: str


@dataclass(frozen=True)
class Cluster:
    """The private server of one home directory. `options`: server settings that win over ours; `patience` in seconds."""

    home: Path
    options: Mapping[str, str] = field(default_factory=dict)
    patience: float = 120.0

    @classmethod
    def at(cls, home: Path, options: Mapping[str, str] | None = None) -> Cluster:
        """The cluster that lives, or will live, in `home`; nothing is touched."""
        return cls(Path(os.path.abspath(home.expanduser())), dict(options or {}))  # noqa: PTH100 - resolve() would follow links

    @property
    def root(self) -> Path:
        """The directory that belongs to the server's user."""
        return self.home / "postgres"

    @property
    def data(self) -> Path:
        """The data directory."""
        return self.root / "data"

    @property
    def log(self) -> Path:
        """The server's log."""
        return self.root / "server.log"

    @property
    def name(self) -> str:
        """A short name that is this directory's own: it stands in the title of every server process."""
        return "gridbeat-" + hashlib.sha256(os.fsencode(self.root)).hexdigest()[:10]

    @property
    def sockets(self) -> Path:
        """The directory of the socket; one below /tmp when the home's path is too long or too unusual for a socket."""
        usual = self.root / "run"
        if len(os.fsencode(usual)) <= LONGEST_SOCKET and re.fullmatch(r"[A-Za-z0-9/._-]+", str(usual)):
            return usual
        return Path("/tmp") / self.name  # noqa: S108 - owner and mode are checked before use

    @property
    def url(self) -> str:
        """The address for SQLAlchemy."""
        return f"postgresql+psycopg://{ROLE}@/{DATABASE}?host={quote(str(self.sockets), safe='/')}&port=5432"

    def start(self) -> str:
        """Afterwards the server runs, holds the database with its extensions, and answers at the returned address.

        PostgisMissing without a usable PostgreSQL; DatabaseUnavailable with the log's end when it does not come up.
        """
        programs = self._programs()
        account = self._prepare_directories()
        with self._lock(account) as lock:
            if self.major is None:
                self._create(programs, account, lock)
            self._bring_up(programs, account)
            bootstrap.prepare(self._conninfo)
        return self.url

    def stop(self) -> bool:
        """Afterwards no server runs; True when one did. Open sessions are ended, what was committed is kept."""
        if self.status().state in {"absent", "stopped"}:
            return False
        programs, account = self._programs(), postgres.account_of(self.root)
        with self._lock(account):
            for mode in ("fast", "immediate"):
                if not self._postmaster():
                    break
                command = [
                    programs.path("pg_ctl"),
                    "stop",
                    "-D",
                    str(self.data),
                    "-m",
                    mode,
                    "-w",
                    "-t",
                    str(int(self.patience)),
                ]
                postgres.run(command, account, cwd=self.root)
            self._wait_for_end(self.patience)
        return True

    def status(self) -> ClusterStatus:
        """What is there and what it does, without changing anything."""
        try:
            major, pid = self.major, self._postmaster()
        except PermissionError as error:
            raise self._not_ours(error) from error
        state = "absent" if major is None else "stopped"
        if pid is not None:
            state = "running" if self._answers() else "starting"
        return ClusterStatus(state, pid, major, self.data, self.log, self.url)

    @property
    def major(self) -> int | None:
        """The PostgreSQL version that wrote the data; None before there are any."""
        try:
            return int((self.data / "PG_VERSION").read_text("ascii"))
        except FileNotFoundError:
            return None

    # -- directories ----------------------------------------------------------------------------------------------

    def _programs(self) -> Programs:
        try:
            major = self.major
        except PermissionError as error:
            raise self._not_ours(error) from error
        return postgres.newest() if major is None else postgres.for_data(major)

    def _not_ours(self, error: OSError) -> DatabaseUnavailable:
        return DatabaseUnavailable(
            f"{error.filename or self.root} cannot be used: {error.strerror}. Run this as the user that it belongs to, "
            "or set GRIDBEAT_HOME to a directory of your own."
        )

    def _prepare_directories(self) -> Account:
        """Afterwards our directories are there and the server's user, and nobody else, can enter them."""
        account = postgres.account_of(self.root)
        try:
            if not self.home.exists():
                self.home.mkdir(parents=True)
                self.home.chmod(0o711 if account.foreign else 0o700)
            for directory in (self.root, self.sockets):
                _private_directory(directory, account)
        except OSError as error:
            raise self._not_ours(error) from error
        if account.foreign and postgres.run(["test", "-w", str(self.root)], account, cwd=Path("/"))[0] != 0:
            closed = next((str(p) for p in self.root.parents if not p.stat().st_mode & stat.S_IXOTH), str(self.home))
            raise DatabaseUnavailable(
                f"the server runs as the user {account.name}, who cannot enter {closed}: "
                f"set GRIDBEAT_HOME to a directory outside it, or allow it with `chmod o+x {closed}`"
            )
        return account

    @contextmanager
    def _lock(self, account: Account) -> Iterator[int]:
        """We alone start, stop or make this cluster; the lock falls when we die."""
        path = self.root / "lock"
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            account.own(path, 0o600)
            deadline = time.monotonic() + self.patience
            while True:
                try:
                    fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    break
                except BlockingIOError:
                    if time.monotonic() > deadline:
                        raise DatabaseUnavailable(
                            f"another process has been starting or stopping {self.root} for too long"
                        ) from None
                    time.sleep(0.05)
            yield handle
        finally:
            os.close(handle)

    def _create(self, programs: Programs, account: Account, lock: int) -> None:
        """Afterwards `data` is a whole, synced data directory: initdb works beside it and the result is renamed."""
        making = self.root / "data.making"
        shutil.rmtree(making, ignore_errors=True)
        with suppress(FileNotFoundError):
            _remove_if_empty(self.data)
        command = [
            programs.path("initdb"), "-D", str(making), "-U", "postgres", "--auth=trust", "--encoding=UTF8",
            "--locale=C.UTF-8", "--data-checksums",
        ]  # fmt: skip
        if self.options.get("fsync") == "off":
            command.append("--no-sync")
        code, said = postgres.run(command, account, cwd=self.root, keep_open=[lock])
        if code != 0:
            raise DatabaseUnavailable(f"initdb could not make {self.data}:\n{said}")
        (making / "pg_hba.conf").write_text(
            "# the socket's directory decides who gets in\nlocal all all trust\n", "utf-8"
        )
        with (making / "postgresql.conf").open("a", encoding="utf-8") as conf:
            conf.write("\ninclude 'gridbeat.conf'\n")
        self._configure(making, account)
        for written in (making / "pg_hba.conf", making / "postgresql.conf", making / "gridbeat.conf", making):
            _synced(written)
        making.rename(self.data)
        _synced(self.root)

    def _configure(self, data: Path, account: Account) -> None:
        fresh = data / "gridbeat.conf.new"
        local = self.root / "local.conf"
        fresh.write_text(tuning.configuration(self.name, self.sockets, self.options, local), "utf-8")
        account.own(fresh, 0o600)
        fresh.replace(data / "gridbeat.conf")

    # -- processes ------------------------------------------------------------------------------------------------

    def _bring_up(self, programs: Programs, account: Account) -> None:
        """Afterwards the server answers, whatever state it was in."""
        deadline = time.monotonic() + self.patience
        launches = 0
        while not self._answers():
            if self._postmaster() is None:
                if launches == 2:
                    raise DatabaseUnavailable(f"PostgreSQL does not start; the end of {self.log}:\n{self.log_tail()}")
                launches += 1
                self._launch(programs, account)
            elif time.monotonic() > deadline:
                raise DatabaseUnavailable(
                    f"PostgreSQL does not answer after {self.patience:.0f} s; {self.log}:\n{self.log_tail()}"
                )
            else:
                time.sleep(0.1)

    def _launch(self, programs: Programs, account: Account) -> None:
        self._wait_for_end(10.0)
        for leftover in [self.data / "postmaster.pid", *self.sockets.glob(".s.PGSQL.*")]:
            leftover.unlink(missing_ok=True)
        if self.log.exists() and self.log.stat().st_size > 16 * tuning.MB:
            self.log.replace(self.log.with_suffix(".log.1"))
        self._configure(self.data, account)
        command = [programs.path("pg_ctl"), "start", "-D", str(self.data), "-w", "-t", str(int(self.patience)), "-s"]
        postgres.run(command, account, cwd=self.root, output=self.log)
        account.own(self.log, 0o600)

    def _processes(self) -> Iterator[tuple[int, bool]]:
        """(pid, is it the postmaster) of every live process of this server.

        Read from the command lines: a pid in a leftover file may by now be anybody's, and a zombie has no command line.
        """
        title, path = f"postgres: {self.name}: ".encode(), os.fsencode(self.data)
        for entry in Path("/proc").glob("[0-9]*"):
            try:
                words = (entry / "cmdline").read_bytes().split(b"\0")
            except OSError:
                continue
            is_head = os.path.basename(words[0]) in HEADS and path in words  # noqa: PTH119 - bytes
            if is_head or words[0].startswith(title):
                yield int(entry.name), is_head

    def _postmaster(self) -> int | None:
        return next((pid for pid, is_head in self._processes() if is_head), None)

    def _wait_for_end(self, patience: float) -> None:
        """Afterwards no process of this server is left; those that outlive their postmaster for too long are ended."""
        begun = time.monotonic()
        while left := list(self._processes()):
            waited = time.monotonic() - begun
            if waited > patience + 20:
                raise DatabaseUnavailable(
                    f"processes of {self.root} do not end: {', '.join(str(pid) for pid, _ in left)}"
                )
            if waited > patience:
                for pid, _ in left:
                    with suppress(ProcessLookupError):
                        os.kill(pid, signal.SIGQUIT if waited < patience + 5 else signal.SIGKILL)
            time.sleep(0.05)

    def log_tail(self, lines: int = 15) -> str:
        """The last lines of the server's log."""
        try:
            with self.log.open("rb") as log:
                log.seek(max(0, self.log.stat().st_size - 8192))
                return "\n".join(log.read().decode("utf-8", "replace").splitlines()[-lines:])
        except OSError:
            return "(no log)"

    def _conninfo(self, database: str) -> str:
        import psycopg.conninfo

        return psycopg.conninfo.make_conninfo(
            host=str(self.sockets), port=5432, user="postgres", dbname=database, connect_timeout=5
        )

    def _answers(self) -> bool:
        """True when the server takes a connection."""
        import psycopg

        try:
            psycopg.connect(self._conninfo("postgres")).close()
        except psycopg.OperationalError:
            return False
        return True


def _private_directory(directory: Path, account: Account) -> None:
    """Afterwards `directory` is a real directory of `account`, mode 0700; PermissionError when it is somebody else's."""
    with suppress(FileExistsError):
        directory.mkdir(mode=0o700)
        account.own(directory, 0o700)
    there = directory.lstat()
    if not stat.S_ISDIR(there.st_mode) or there.st_uid not in {account.uid, 0 if account.foreign else account.uid}:
        raise PermissionError(1, "it belongs to somebody else", str(directory))
    account.own(directory, 0o700)


def _remove_if_empty(data: Path) -> None:
    try:
        data.rmdir()
    except OSError as error:
        if isinstance(error, FileNotFoundError):
            raise
        raise DatabaseUnavailable(
            f"{data} is not empty and is no PostgreSQL data directory: move it away and start again"
        ) from error


def _synced(path: Path) -> None:
    """Afterwards what was written to `path`, a file or directory, survives a power cut."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
