"""`gridbeat export grids`: boundaries as files for other programs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from api.choices import one_of
from api.commands.options import Crs


def register(app: typer.Typer) -> None:
    """Afterwards `app` has the group `export`."""
    group = typer.Typer(no_args_is_help=True, help="Files for other programs.")

    @group.callback()
    def only() -> None:
        """Files for other programs."""

    group.command()(grids)
    app.add_typer(group, name="export")


def grids(
    output: Annotated[
        Path,
        typer.Option("--output", "-o", help="By ending: .geojson .gpkg .zip (Shapefile) .kml .csv .fgb .parquet."),
    ],
    *,
    layer: Annotated[str | None, typer.Option(help="general, dedicated, micro, frontage or unit; default all.")] = None,
    level: Annotated[
        str | None, typer.Option(help="district, subdistrict, community, grid or micro_grid; default all.")
    ] = None,
    at: Annotated[
        str | None, typer.Option(metavar="T", help="Boundaries in force then (RFC 3339); default now.")
    ] = None,
    known_at: Annotated[str | None, typer.Option("--known-at", metavar="T", help="... as known then.")] = None,
    crs: Crs = None,
) -> None:
    """Grids with code, name, parent, level, layer, path and area, in any of our datums (default wgs84)."""
    from api.session import opened
    from api.settings import Settings
    from data.exporting import Wanted, export_grids, refuse_export
    from data.report import parse_time
    from gis.crs import WGS84, parse_datum
    from gis.partition import LAYERS, LEVELS
    from gis.store.boundaries import Moment, read_boundaries
    from gis.store.live import Live

    one_of(layer, [name for name, _, _ in LAYERS], "--layer")
    one_of(level, LEVELS, "--level")
    wanted = Wanted(layer, level, parse_datum(crs) if crs else WGS84)
    refuse_export(output, wanted.datum)
    instants = [parse_time(text, option) if text else None for text, option in ((at, "--at"), (known_at, "--known-at"))]
    with opened(Settings()) as engine, engine.connect() as connection:
        now = Live(1).now(connection)
        moment = Moment(instants[0] or now.at, instants[1] or now.known_at)
        boundaries = read_boundaries(connection, moment)
    notes = export_grids(boundaries, output, wanted)
    for note in notes:
        typer.echo(f"note: {note}")
    typer.echo(f"{output}: generation {boundaries.generation}, crs {wanted.datum}, {output.stat().st_size:,} bytes")
