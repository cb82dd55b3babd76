"""`gridbeat blocks ROADS --within GRIDS -o OUT`: the pieces that streets cut grids into; no database."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from api.commands.options import Crs


def register(app: typer.Typer) -> None:
    """Afterwards `app` has the command `blocks`."""
    app.command()(blocks)


def blocks(
    roads: Annotated[Path, typer.Argument(metavar="ROADS", exists=True, dir_okay=False, help="Lines of streets.")],
    *,
    within: Annotated[Path, typer.Option("--within", metavar="GRIDS", exists=True, dir_okay=False, help="The grids.")],
    output: Annotated[Path, typer.Option("--output", "-o", help=".geojson .gpkg .zip .fgb .parquet")],
    smallest_m2: Annotated[float, typer.Option(help="A piece below this is no block.")] = 400.0,
    narrowest_m: Annotated[float, typer.Option(help="A piece nowhere wider than this is no block.")] = 8.0,
    layer: Annotated[str, typer.Option(help="Layer of the grids; dedicated and frontage may leave gaps.")] = "general",
    layer_name: Annotated[str | None, typer.Option(help="The grids file's layer, where it has several.")] = None,
    code_field: Annotated[str | None, typer.Option(help="Column of the grid code.")] = None,
    name_field: Annotated[str | None, typer.Option(help="Column of the name.")] = None,
    crs: Crs = None,
    roads_layer: Annotated[str | None, typer.Option(help="The streets file's layer, where it has several.")] = None,
    roads_crs: Annotated[str | None, typer.Option(help="As --crs, for the streets.")] = None,
) -> None:
    """Blocks bounded by streets, each within one grid, numbered from west to east. Streets that lead nowhere bound nothing."""
    from data.blockfile import write_blocks
    from data.readers import read_grids

    grids = read_grids(
        within, layer=layer, layer_name=layer_name, code_field=code_field, name_field=name_field, crs=crs
    )  # fmt: skip
    cut = write_blocks(
        roads, grids, output, roads_layer=roads_layer, crs=roads_crs, smallest_m2=smallest_m2, narrowest_m=narrowest_m
    )  # fmt: skip
    for note in (*grids.notes, *cut.notes):
        typer.echo(f"note: {note}")
    typer.echo(
        f"{output}: {len(cut.blocks)} blocks in {len(grids)} grids, bounded by {cut.streets} streets; "
        f"{cut.blocks.joined} pieces were too small or too narrow and joined a neighbour"
    )
