"""`gridbeat spotcheck`: draws grids to be looked at unannounced; a dry run unless --commit."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from api.commands.options import SHOWN, Commit

if TYPE_CHECKING:
    from api.settings import Settings
    from data.spotchecks import DrawWish
    from gis.store.engine import Connection
    from gis.store.live import Live

Number = Annotated[int, typer.Option("--number", "-n", help="So many grids; all of them where there are fewer.")]
Seed = Annotated[
    int | None, typer.Option(help="The same seed draws the same grids; one is drawn and told if left out.")
]
Layer = Annotated[str, typer.Option(help="general, dedicated, micro, frontage or unit.")]
At = Annotated[
    str | None, typer.Option(metavar="T", help="By the boundaries in force at; RFC 3339 with offset; default now.")
]
Reason = Annotated[str, typer.Option(help="What the spot check is for.")]
Output = Annotated[
    Path | None, typer.Option("--output", "-o", metavar="OUT.csv", help="The inspector's list; also .xlsx.")
]


def _recency(connection: Connection, live: Live, settings: Settings, wish: DrawWish) -> dict[str, float | None] | None:
    from zoneinfo import ZoneInfo

    from data.campaignevidence import grid_recency
    from data.coverage import LiveCoverage
    from data.coverageground import LiveGround
    from data.evidence import LiveEvidence

    kept = LiveCoverage(LiveEvidence(ZoneInfo(settings.timezone), settings.coverage_days), LiveGround())
    return grid_recency(connection, live, kept, settings.sight_m, wish.layer, wish.at)


def register(app: typer.Typer) -> None:
    """Afterwards `app` has the command `spotcheck`."""
    app.command()(spotcheck)


def spotcheck(
    number: Number,
    seed: Seed = None,
    layer: Layer = "general",
    at: At = None,
    reason: Reason = "",
    output: Output = None,
    commit: Commit = False,
) -> None:
    """Grids for an unannounced spot check (四不两直): by community and class of risk, each with its reasons and its probability."""
    from api.session import opened, terminal_caller
    from api.settings import Settings
    from data.report import parse_time
    from data.spotchecks import DrawWish, draw, keep, named, write_sheet
    from data.tablewriters import refuse_output
    from gis.store.boundaries import Moment
    from gis.store.live import Live

    if output is not None:
        refuse_output(output)
    wish = DrawWish(number, layer, parse_time(at, "--at") if at else None, seed, reason)
    live, who = Live(1), terminal_caller()
    settings = Settings()
    with opened(settings) as engine, engine.begin() as connection:
        made = draw(connection, live, wish, _recency(connection, live, settings, wish))
        grids = named(
            connection, live, Moment(made.at, live.now(connection).known_at), [vars(one) for one in made.grids]
        )
        if commit:
            uid = keep(connection, made, who.actor, who.role)
    total = sum(one["grids"] for one in made.strata)
    typer.echo(
        f"{len(grids)} of {total} grids, seed {made.seed}, generation {made.generation}, {len(made.strata)} strata"
    )
    if number > total:
        typer.echo(f"note: {number} were asked for; these are all there are")
    for one in grids[:SHOWN]:
        typer.echo(f"  {one['rank']}. {one['code']} {one['name']}: {one['reason_en']}")
    if len(grids) > SHOWN:
        typer.echo(f"  ... and {len(grids) - SHOWN} more")
    if output is not None:
        write_sheet(output, grids)
        typer.echo(f"{output}: {output.stat().st_size:,} bytes")
    again = f"--seed {made.seed} --at {made.at.isoformat()} --commit"
    typer.echo(f"spot check {uid}" if commit else f"dry run: nothing is stored; {again} stores it")
