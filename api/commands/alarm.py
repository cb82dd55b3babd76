"""`gridbeat alarm datum`: which channels send positions that make more sense in another datum than the declared one."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from gis.datumalarm import DatumReport

Channel = Annotated[str | None, typer.Option("--channel", metavar="C", help="This channel alone; all if left out.")]
Begin = Annotated[
    str | None, typer.Option("--from", metavar="T", help="Events received from then on; RFC 3339 with offset.")
]
AsJson = Annotated[bool, typer.Option("--json", help="All figures as JSON lines.")]


def register(app: typer.Typer) -> None:
    """Afterwards `app` has the group `alarm`."""
    group = typer.Typer(no_args_is_help=True, help="What somebody should look at in the events that are stored.")

    @group.callback()
    def _() -> None:
        """What somebody should look at in the events that are stored."""

    group.command(epilog="Exit 0, also with an alarm: it is a warning.")(datum)
    app.add_typer(group, name="alarm")


def datum(*, channel: Channel = None, begin: Begin = None, json: AsJson = False) -> None:
    """Compare each channel's positions, read in every datum, with the grids and streets in the store; nothing is changed."""
    from api.session import opened
    from api.settings import Settings
    from data.datumwatch import channel_reports, stored_ground
    from data.report import parse_time
    from gis.store.live import Live

    since = parse_time(begin, "--from") if begin else None
    with opened(Settings()) as engine, engine.connect() as connection:
        found = channel_reports(connection, stored_ground(connection, Live(1)), channel, since)
    if not found:
        typer.echo("no events with a position")
    for name, report in found:
        show(name, report, json=json)


def show_alarms(reports: Iterable[DatumReport]) -> None:
    """A warning on stderr for each alarm, with its figures."""
    from gis.datumalarm import told

    for report in reports:
        for line in told(report):
            typer.echo(f"warning: {line}" if not line.startswith(" ") else line, err=True)


def show(name: str, report: DatumReport, *, json: bool) -> None:
    """One channel's report, in sentences or as a JSON line."""
    from gis.datumalarm import told

    if json:
        import orjson

        typer.echo(orjson.dumps({"channel": name} | report.as_json()).decode())
        return
    for line in told(report):
        typer.echo(f"{name}: {line.strip()}")
