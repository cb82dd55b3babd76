"""Backup and restore of everything Gridbeat stored, by pg_dump and pg_restore.

A backup holds the schema `gridbeat`, without owners and without the extensions: it can be restored into any server that
has PostGIS, private or not, of the same version or a newer one. A restore is one transaction that drops the schema and
fills it anew; it is committed only after pg_restore has read the whole file, so whatever goes wrong, and whoever is
killed meanwhile, the old data stand as they were.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from contextlib import suppress
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import IO

import sqlalchemy as sa

from gis.errors import DatabaseUnavailable, FileUnreadable, StateConflict
from gis.store import postgres
from gis.store.engine import MIGRATIONS, SCHEMA, create_engine, revision
from gis.store.errors import translating
from gis.store.postgres import Programs

MAGIC = b"PGDMP"

OPENING = f"""
BEGIN;
SET LOCAL lock_timeout = '20s';
SET LOCAL client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS postgis SCHEMA public;
CREATE EXTENSION IF NOT EXISTS btree_gist SCHEMA public;
DROP SCHEMA IF EXISTS {SCHEMA} CASCADE;
"""


@dataclass(frozen=True)
class Backup:
    """A backup file: its size in bytes and the revision of the store that it holds."""

    file: Path
    size: int
    revision: str


@dataclass(frozen=True)
class _Target:
    """A database as the PostgreSQL programs are told of it; the password goes by the environment, never by `ps`."""

    programs: Programs
    url: str
    environment: dict[str, str]
    revision: str | None

    @classmethod
    def of(cls, url: str) -> _Target:
        engine = create_engine(url, pool_size=1)
        try:
            with translating(), engine.connect() as connection:
                version = connection.scalar(sa.text("SELECT current_setting('server_version_num')::int"))
                found = revision(connection)
        finally:
            engine.dispose()
        parsed = engine.url
        environment = postgres.environment()
        if parsed.password:
            environment["PGPASSWORD"] = str(parsed.password)
        plain = sa.URL.create(
            "postgresql", parsed.username, None, parsed.host, parsed.port, parsed.database, parsed.query
        )  # fmt: skip
        return cls(postgres.client_for((version or 0) // 10000), plain.render_as_string(), environment, found)

    def command(self, program: str, *words: str) -> list[str]:
        return [self.programs.path(program), *words]


def revision_at(url: str) -> str | None:
    """The revision of the store at `url`, None before the first migration; DatabaseUnavailable when nothing answers."""
    engine = create_engine(url, pool_size=1)
    try:
        with translating(), engine.connect() as connection:
            return revision(connection)
    finally:
        engine.dispose()


def backup(url: str, file: Path, *, overwrite: bool = False) -> Backup:
    """Afterwards `file` is a whole backup of the store at `url`, readable by nobody but its owner.

    Written beside and renamed, so a broken run leaves no half file. StateConflict when `file` is there already and
    `overwrite` is not given, or when nothing was ever stored; FileUnreadable when it cannot be written.
    """
    if file.exists() and not overwrite:
        raise StateConflict(f"{file} is there already: choose another name, or add --overwrite")
    target = _Target.of(url)
    if target.revision is None:
        raise StateConflict("there is nothing to back up: this database was never migrated (gridbeat db migrate)")
    part = file.with_name(file.name + ".part")
    try:
        part.touch(0o600)
        part.chmod(0o600)
        words = ["-Fc", "-n", SCHEMA, "--no-owner", "--no-privileges", "-f", str(part), "-d", target.url]
        _run(target, "pg_dump", *words)
        os.replace(part, file)  # noqa: PTH105 - overwrites
    except OSError as error:
        raise FileUnreadable(f"{file} cannot be written: {error.strerror}") from error
    finally:
        part.unlink(missing_ok=True)
    return Backup(file, file.stat().st_size, target.revision)


def restore(url: str, file: Path) -> Backup:
    """Afterwards the store at `url` holds what `file` holds, and nothing else; on any error it is as it was.

    FileUnreadable when `file` is no whole backup of a Gridbeat that this one understands; StateConflict when somebody
    keeps the tables busy. The store is then at the backup's revision: migrate it.
    """
    target = _Target.of(url)
    found = inspect(file, target.programs)
    with tempfile.TemporaryFile() as reader_said, tempfile.TemporaryFile() as writer_said:
        reader = subprocess.Popen(
            target.command("pg_restore", "--no-owner", "--no-privileges", "-f", "-", str(file)),
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=reader_said, env=target.environment,
        )  # fmt: skip
        writer = subprocess.Popen(
            target.command("psql", "-X", "-q", "-v", "ON_ERROR_STOP=1", "-o", os.devnull, "-d", target.url),
            stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=writer_said, env=target.environment,
        )  # fmt: skip
        assert reader.stdout is not None  # noqa: S101 - for the type checker: a PIPE was asked for
        assert writer.stdin is not None  # noqa: S101
        whole = _pour(reader, reader.stdout, writer.stdin)
        if writer.wait() != 0:
            raise _refusal(_messages(writer_said), file)
        if not whole:
            raise FileUnreadable(f"{file} is damaged; nothing was changed: {_messages(reader_said)}")
    return found


def _pour(reader: subprocess.Popen[bytes], source: IO[bytes], sink: IO[bytes]) -> bool:
    """Everything from `source` has gone to `sink` between BEGIN and COMMIT; without COMMIT, and False, when it broke."""
    try:
        with suppress(BrokenPipeError):  # psql stopped at an error: its own words say which
            sink.write(OPENING.encode())
            shutil.copyfileobj(source, sink, 1 << 18)
            if reader.wait() == 0:
                sink.write(b"\nCOMMIT;\n")
                sink.flush()
                return True
        return False
    finally:
        source.close()  # ends a pg_restore that is still writing
        with suppress(BrokenPipeError):
            sink.close()
        reader.wait()


def _refusal(said: str, file: Path) -> Exception:
    if "lock timeout" in said:
        return StateConflict("somebody keeps the tables busy: stop `gridbeat serve` and try again; nothing was changed")
    return FileUnreadable(f"{file} cannot be restored; nothing was changed: {said}")


def inspect(file: Path, programs: Programs | None = None) -> Backup:
    """What a backup file holds, without any database. FileUnreadable when it is none, or from a newer Gridbeat."""
    programs = programs or postgres.client_for(0)
    try:
        with file.open("rb") as start:
            magic = start.read(len(MAGIC))
    except OSError as error:
        raise FileUnreadable(f"{file} cannot be read: {error.strerror}") from error
    listed = _pg_restore(programs, "-l", str(file)) if magic == MAGIC else None
    if listed is None or f"SCHEMA - {SCHEMA} " not in listed:
        raise FileUnreadable(f"{file} is no backup made by `gridbeat db backup`; nothing was changed")
    rows = (_pg_restore(programs, "-a", "-t", "alembic_version", "-f", "-", str(file)) or "").splitlines()
    copied = [after for before, after in pairwise(rows) if before.startswith("COPY ")]
    found = copied[0] if copied else ""
    if not any(MIGRATIONS.glob(f"versions/{found}_*.py")):
        raise FileUnreadable(
            f"{file} holds revision {found or '(none)'}, which this Gridbeat does not know: "
            "restore it with the version that wrote it, or a newer one; nothing was changed",
        )
    return Backup(file, file.stat().st_size, found)


def _pg_restore(programs: Programs, *words: str) -> str | None:
    """What pg_restore printed, None when it failed."""
    command = [programs.path("pg_restore"), *words]
    done = subprocess.run(
        command, capture_output=True, text=True, errors="replace", check=False, env=postgres.environment()
    )
    return done.stdout if done.returncode == 0 else None


def _run(target: _Target, program: str, *words: str) -> None:
    done = subprocess.run(
        target.command(program, *words), capture_output=True, text=True, errors="replace", check=False,
        env=target.environment, stdin=subprocess.DEVNULL,
    )  # fmt: skip
    if done.returncode != 0:
        raise DatabaseUnavailable(f"{program} failed: {done.stderr.strip()}")


def _messages(stream: IO[bytes], lines: int = 4) -> str:
    stream.seek(0)
    said = stream.read(8192).decode("utf-8", "replace").splitlines()
    return " ".join(line for line in said if "ERROR" in line or "error" in line or "FATAL" in line)[:600] or " ".join(
        said[:lines]
    )
