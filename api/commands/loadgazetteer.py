"""`gridbeat load gazetteer`: names and places into the store; a dry run unless --commit."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from api.commands.options import (
    SHOWN,
    Commit,
    Constant,
    Crs,
    Encoding,
    File,
    Lat,
    Lon,
    Mapped,
    Rejected,
    column_mapping,
    field_pairs,
    row_progress,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from data.gazetteer import GazetteerLoaded
    from data.rowchunk import Rejection

Source = Annotated[
    str | None, typer.Option(help="What the file is an edition of: its older entries go. Its name if left out.")
]
LayerName = Annotated[str | None, typer.Option("--layer-name", help="The file's layer, where it has several.")]


def gazetteer(
    file: File,
    *,
    source: Source = None,
    map_: Mapped = None,
    set_: Constant = None,
    lon: Lon = None,
    lat: Lat = None,
    crs: Crs = None,
    layer_name: LayerName = None,
    encoding: Encoding = None,
    rejected: Rejected = None,
    commit: Commit = False,
) -> None:
    """Names with places, so that a report with an address alone finds its grid: CSV, POI tables, OpenStreetMap roads and buildings.

    A row needs a name (or address) and a place; kind, admin names (省, 市, 区, 镇, 村), aliases and an address help. Loading a
    source again replaces its entries.
    """
    from api.session import opened, terminal_caller
    from api.settings import Settings
    from data.rejected import RejectedWriter
    from gis.store.gazetteer import replace_source

    target = rejected or file.with_name(f"{file.name}.rejected.csv")
    given = {"mapped": column_mapping(map_, lon, lat), "constants": field_pairs(set_, "--set")}
    first: list[Rejection] = []
    with RejectedWriter(target) as writer, row_progress(file.name) as advance:

        def note(refused: list[Rejection]) -> None:
            writer.write(refused)
            first.extend(refused[: SHOWN - len(first)])

        loaded = _read(file, source or file.name, crs, layer_name, encoding, given, note, advance)
    if commit:
        with opened(Settings()) as engine, engine.begin() as connection:
            loaded.version = replace_source(
                connection, source or file.name, loaded.entries, actor=terminal_caller().actor
            )
    _show(file, loaded, first, target)
    raise typer.Exit(int(loaded.rejected > 0))


def _read(
    file: Path,
    source: str,
    crs: str | None,
    layer_name: str | None,
    encoding: str | None,
    given: dict[str, Any],
    note: Callable[[list[Rejection]], None],
    advance: Callable[[int], None],
) -> GazetteerLoaded:
    """The entries of a file of shapes or of a table, by what the file is."""
    from data.gazetteer import has_shapes, plan_gazetteer, shape_entries, table_entries
    from data.tabledatum import datum_of_table
    from data.tables import open_table

    if has_shapes(file):
        from data.readers import read_shapes

        frame, shapes, datum, notes = read_shapes(file, layer_name=layer_name, crs=crs)
        for one in notes:
            typer.echo(f"note: {one}")
        rows = frame.drop(columns=frame.geometry.name)
        plan = plan_gazetteer([str(name) for name in rows.columns], source, datum=datum, **given)
        return shape_entries(rows.to_dict("records"), list(shapes), plan, on_rejected=note)
    table = open_table(file, encoding=encoding)
    plan = plan_gazetteer(
        table.columns, source, datum=datum_of_table(table, crs, place=file.name), position=table.position, **given
    )
    return table_entries(table, plan, on_rejected=note, on_progress=advance)


def _show(file: Path, loaded: GazetteerLoaded, first: list[Rejection], target: Path) -> None:
    kinds = ", ".join(f"{kind} {n}" for kind, n in sorted(loaded.kinds.items()))
    typer.echo(f"{file.name}: {loaded.rows} rows, {len(loaded.entries)} entries ({kinds or 'none'})")
    if loaded.nameless:
        typer.echo(f"{loaded.nameless} shapes have no name and no address; nobody can ask for them")
    for one in first:
        typer.echo(f"  row {one.row}: {one.reason} [{one.code}]")
    if loaded.rejected:
        typer.echo(f"{loaded.rejected} rows rejected; they are in {target}")
    if loaded.version is None:
        typer.echo("dry run: nothing is stored; --commit stores it")
    else:
        typer.echo(f"stored as version {loaded.version} of the gazetteer")
