"""The PostgreSQL programs of this machine: which are installed, which of them have PostGIS, how they are run."""

from __future__ import annotations

import os
import pwd
import re
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from gis.errors import DatabaseUnavailable, PostgisMissing

APT_LINE = "apt-get install postgresql-postgis"
OLDEST_POSTGRESQL = 14
OLDEST_POSTGIS = (3, 2)

#: Where Debian, Ubuntu and the PostgreSQL project's own packages put one folder a major version.
LIBRARIES: tuple[Path, ...] = (Path("/usr/lib/postgresql"),)
SHARES = Path("/usr/share/postgresql")


@dataclass(frozen=True)
class Programs:
    """The programs of one PostgreSQL major version; `postgis` is the version they can install, None without any."""

    major: int
    bindir: Path
    postgis: tuple[int, ...] | None

    @property
    def serves(self) -> bool:
        """True when these programs can run Gridbeat's database: initdb and pg_ctl, and a PostGIS that is new enough."""
        has_server = (self.bindir / "initdb").exists() and (self.bindir / "pg_ctl").exists()
        return has_server and self.major >= OLDEST_POSTGRESQL and (self.postgis or (0,)) >= OLDEST_POSTGIS

    def path(self, program: str) -> str:
        """The full path of one program."""
        return str(self.bindir / program)

    def __str__(self) -> str:
        postgis = ".".join(map(str, self.postgis)) if self.postgis else "no PostGIS"
        return (
            f"PostgreSQL {self.major} ({postgis})"
            if not self.postgis
            else f"PostgreSQL {self.major} with PostGIS {postgis}"
        )


def postgis_of(share: Path) -> tuple[int, ...] | None:
    """The PostGIS version that the extension folder below `share` offers, None when there is none."""
    try:
        text = (share / "extension" / "postgis.control").read_text("utf-8")
    except OSError:
        return None
    found = re.search(r"^default_version\s*=\s*'(\d+(?:\.\d+)*)", text, re.MULTILINE)
    return tuple(int(part) for part in found[1].split(".")) if found else None


def installed(libraries: Sequence[Path] = LIBRARIES, shares: Path = SHARES) -> list[Programs]:
    """Every PostgreSQL that is installed, the newest first."""

    def all_of() -> Iterator[Programs]:
        for library in libraries:
            for folder in library.glob("[0-9]*"):
                if folder.name.isdigit() and (folder / "bin").is_dir():
                    yield Programs(int(folder.name), folder / "bin", postgis_of(shares / folder.name))

    return sorted(all_of(), key=lambda programs: -programs.major)


def newest(found: Sequence[Programs] | None = None) -> Programs:
    """The newest programs that can run Gridbeat's database. PostgisMissing says what is there and what to install."""
    found = installed() if found is None else found
    for programs in found:
        if programs.serves:
            return programs
    wanted = f"PostgreSQL {OLDEST_POSTGRESQL} or newer with PostGIS {'.'.join(map(str, OLDEST_POSTGIS))} or newer"
    there = ", ".join(map(str, found)) or "no PostgreSQL"
    raise PostgisMissing(
        f"{wanted} is needed; found: {there}. Install it with\n    {APT_LINE}\n"
        "(as root or with sudo), or set GRIDBEAT_DATABASE_URL to a PostGIS database that is there already."
    )


def for_data(major: int, found: Sequence[Programs] | None = None) -> Programs:
    """The programs that can serve data written by version `major`. PostgisMissing says how to get them back."""
    for programs in installed() if found is None else found:
        if programs.major == major and programs.serves:
            return programs
    raise PostgisMissing(
        f"the database was written by PostgreSQL {major}, and that version with PostGIS is not installed any more. "
        f"Install it with\n    apt-get install postgresql-{major}-postgis-3\n"
        "or move the data directory away, start anew and restore a backup."
    )


def client_for(server_major: int, found: Sequence[Programs] | None = None) -> Programs:
    """The oldest installed pg_dump, pg_restore and psql that such a server accepts; PostgisMissing when there are none."""
    able = [
        p
        for p in (installed() if found is None else found)
        if p.major >= server_major and (p.bindir / "pg_dump").exists()
    ]
    if able:
        return able[-1]
    raise PostgisMissing(
        f"the server is PostgreSQL {server_major}, and pg_dump of that version or newer is needed. Install it with\n"
        f"    apt-get install postgresql-client-{server_major}"
    )


@dataclass(frozen=True)
class Account:
    """The user that the server runs as."""

    uid: int
    gid: int

    @property
    def name(self) -> str:
        """The login name, or the number when it has none."""
        try:
            return pwd.getpwuid(self.uid).pw_name
        except KeyError:
            return str(self.uid)

    @property
    def foreign(self) -> bool:
        """True when we are somebody else, that is, root."""
        return self.uid != os.geteuid()

    def own(self, path: Path, mode: int) -> None:
        """Afterwards `path` belongs to this account and has this mode."""
        path.chmod(mode)
        if self.foreign:
            os.chown(path, self.uid, self.gid)


def account_of(path: Path, name: str = "gridbeat") -> Account:
    """Who runs the server for the data at `path`: ourselves.

    PostgreSQL refuses to run as root: then it is the directory's owner, or the system user `name`, made when missing.
    """
    if os.geteuid() != 0:
        return Account(os.geteuid(), os.getegid())
    if path.exists() and path.stat().st_uid != 0:
        return Account(path.stat().st_uid, path.stat().st_gid)
    try:
        entry = pwd.getpwnam(name)
    except KeyError:
        _make_system_user(name)
        entry = pwd.getpwnam(name)
    return Account(entry.pw_uid, entry.pw_gid)


def _make_system_user(name: str) -> None:
    useradd = shutil.which("useradd") or "/usr/sbin/useradd"
    line = [useradd, "--system", "--no-create-home", "--home-dir", "/nonexistent", "--shell", "/usr/sbin/nologin", name]
    try:
        done = subprocess.run(line, capture_output=True, text=True, check=False)
    except OSError as error:
        raise DatabaseUnavailable(f"the system user {name} cannot be made: {error}") from error
    if done.returncode not in (0, 9):  # 9: somebody else just made it
        raise DatabaseUnavailable(f"the system user {name} cannot be made: {done.stderr.strip()}")


def environment() -> dict[str, str]:
    """Our environment without PostgreSQL's own variables, which would redirect the programs, and with plain messages."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("PG", "LC_"))}
    return kept | {"LC_ALL": "C.UTF-8", "LANG": "C.UTF-8"}


def run(
    command: Sequence[str], account: Account, *, cwd: Path, output: Path | None = None, keep_open: Sequence[int] = ()
) -> tuple[int, str]:
    """Exit code and messages of a program run as `account`; with `output` its messages are appended there instead.

    `keep_open` are descriptors that the program inherits (the lock, so that it outlives us if we are killed).
    """
    identity = {"user": account.uid, "group": account.gid, "extra_groups": []} if account.foreign else {}
    sink = output.open("ab") if output else None
    try:
        done = subprocess.run(  # type: ignore[call-overload]  # the overloads know no **identity
            list(command), cwd=cwd, env=environment(), stdin=subprocess.DEVNULL,
            stdout=sink or subprocess.PIPE, stderr=subprocess.STDOUT, check=False, pass_fds=tuple(keep_open), umask=0o077,
            **identity,
        )  # fmt: skip
    except OSError as error:
        raise DatabaseUnavailable(f"{command[0]} cannot be run: {error}") from error
    finally:
        if sink:
            sink.close()
    return done.returncode, (done.stdout or b"").decode("utf-8", "replace").strip()
