"""`gridbeat db`: the private PostGIS, its migrations, backup and restore."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gis.errors import ParameterInvalid

if TYPE_CHECKING:
    from gis.store.cluster import Cluster

GIVEN = "GRIDBEAT_DATABASE_URL is set: that server is not Gridbeat's to start or stop."

File = Annotated[Path, typer.Argument(metavar="FILE", help="The backup file.", dir_okay=False)]


def register(app: typer.Typer) -> None:
    """Afterwards `app` has the group `db`."""
    group = typer.Typer(no_args_is_help=True, help="Start, stop, migrate, back up and restore the database.")
    for command in (start, stop, status, migrate, backup, restore, expire):
        group.command()(command)
    app.add_typer(group, name="db")


def _given() -> str | None:
    from api.settings import Settings

    return Settings().database_url or None


def _cluster() -> Cluster:
    from api.settings import Settings
    from gis.store.cluster import Cluster

    return Cluster.at(Settings().home)


def _url() -> str:
    """The address of a database that answers: the given one, else the private one, started if need be."""
    return _given() or _cluster().start()


def _shown(url: str) -> str:
    """The address as it may be printed: without the password."""
    head, at, tail = url.rpartition("@")
    scheme, slashes, account = head.partition("://")
    return f"{scheme}{slashes}{account.partition(':')[0]}{at}{tail}" if at else url


def start() -> None:
    """Start the private PostGIS; make it first when there is none. Prints its address."""
    if given := _given():
        typer.echo(GIVEN, err=True)
        typer.echo(_shown(given))
        return
    typer.echo(_cluster().start())


def stop() -> None:
    """Stop the private PostGIS; what was stored stays."""
    if _given():
        typer.echo(GIVEN, err=True)
        return
    typer.echo("stopped" if _cluster().stop() else "was not running")


def status() -> None:
    """Say whether the database answers, where it lies, and at which revision its tables are. Exit 1 when it does not."""
    from gis.store.dump import revision_at

    if given := _given():
        rows = {"server": "given by GRIDBEAT_DATABASE_URL", "address": _shown(given)}
        running = True
    else:
        now = _cluster().status()
        rows = {"server": "private", "state": now.state, "address": now.url, "data": str(now.data), "log": str(now.log)}
        if now.major:
            rows["postgresql"] = f"{now.major}" + (f", process {now.pid}" if now.pid else "")
        running = now.state == "running"
    for key, value in rows.items():
        typer.echo(f"{key:11} {value}")
    if not running:
        raise typer.Exit(1)
    typer.echo(f"{'revision':11} {revision_at(_given() or rows['address']) or 'none yet: gridbeat db migrate'}")


def migrate() -> None:
    """Bring the tables to the revision of this Gridbeat; safe to repeat. Prints the revision."""
    from gis.store import engine

    typer.echo(f"revision {engine.migrate(_url())}")


def backup(
    file: File,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace FILE when it is there already.")] = False,
) -> None:
    """Write everything that is stored to FILE (pg_dump's own format), while the server goes on."""
    from gis.store import dump

    done = dump.backup(_url(), file, overwrite=overwrite)
    typer.echo(f"{done.file}: {done.size:,} bytes, revision {done.revision}")


def restore(
    file: File,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask before the stored data are replaced.")] = False,
) -> None:
    """Replace everything that is stored by what FILE holds: all of it or, on any error, nothing. Stop the server first."""
    from gis.store import dump, engine

    found = dump.inspect(file)  # a wrong file is refused before anybody is asked or anything started
    if not yes:
        if not sys.stdin.isatty():
            raise ParameterInvalid(
                "restoring replaces everything that is stored: say --yes where nobody can be asked", place="--yes"
            )
        typer.confirm(f"Replace everything stored by {file} ({found.size:,} bytes)?", abort=True)
    url = _url()
    dump.restore(url, file)
    typer.echo(f"restored {file}; revision {engine.migrate(url)}")


def expire() -> None:
    """Drop the fixes of days older than GRIDBEAT_FIXES_KEPT_DAYS; run it once a day where that is set."""
    from datetime import UTC, datetime

    from api.session import opened
    from api.settings import Settings
    from data.fixes import expire_fixes

    settings = Settings()
    if not settings.fixes_kept_days:
        typer.echo("GRIDBEAT_FIXES_KEPT_DAYS is 0: all fixes are kept")
        return
    with opened(settings) as engine, engine.begin() as connection:
        gone = expire_fixes(connection, settings.fixes_kept_days, datetime.now(UTC))
    typer.echo(f"{gone} fixes dropped; those of the last {settings.fixes_kept_days} days stay")
