"""`gridbeat locate`: every row of a table of places gets its grid, from a file of grids, without a database.

Exit 0: every row had a usable place. Exit 1: rows were rejected or had no usable place, or a file was refused. Exit 2: wrong usage.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from api.commands.alarm import show_alarms

if TYPE_CHECKING:
    from data.datumwatch import DatumWatch
    from data.locating import Locator, Tally
    from data.rowchunk import RowChunk, Table

#: Rows located at a time: enough to keep neighbours together, little enough to stay small.
_CHUNK_ROWS = 50_000

_CORES = os.cpu_count() or 1

#: Files whose later rows may bring columns that the first ones have not.
_LOOSE = ("ndjson", "geojson")

Points = Annotated[
    Path,
    typer.Argument(
        metavar="POINTS",
        help="CSV, NDJSON, GeoJSON, XLSX, (Geo)Parquet, GeoPackage, Shapefile, FlatGeobuf, KML or GPX.",
        exists=True,
        dir_okay=False,
    ),
]
Grids = Annotated[
    Path, typer.Option("--grids", metavar="GRIDS", help="The file of grids.", exists=True, dir_okay=False)
]
LayerName = Annotated[str | None, typer.Option(help="The grids file's layer, where it has several.")]
CodeField = Annotated[str | None, typer.Option(help="Column of the grid code; guessed from its name if left out.")]
LayerField = Annotated[str | None, typer.Option(help="Column that names each grid's layer; needs --priority.")]
Priority = Annotated[str, typer.Option(metavar="A,B", help="The layers of --layer-field, the winner first.")]
Lon = Annotated[str | None, typer.Option(help="Column of the longitude (or easting).")]
Lat = Annotated[str | None, typer.Option(help="Column of the latitude (or northing).")]
Crs = Annotated[str | None, typer.Option(help="Of the points: wgs84 (default), gcj02, bd09, cgcs2000 or EPSG:n.")]
GridsCrs = Annotated[str | None, typer.Option(help="Of the grids, where their file does not say it.")]
Encoding = Annotated[str | None, typer.Option(help="Of a CSV: utf-8 or gb18030; found if left out.")]
Sheet = Annotated[
    str | None, typer.Option(help="The sheet of a workbook, or the layer of a GeoPackage; the first if left out.")
]
Tolerance = Annotated[
    float,
    typer.Option("--tolerance-m", min=0.0, max=100_000.0, help="A place outside goes to the nearest grid so far away."),
]
Out = Annotated[
    Path,
    typer.Option("-o", "--output", metavar="OUT", help="Result: .csv .parquet .geojson .ndjson .xlsx", dir_okay=False),
]
Threads = Annotated[int, typer.Option(min=1, max=256, help="Threads; the answers do not depend on it.")]


@dataclass(frozen=True)
class _Reading:
    """How the points file is read, twice where its columns must be known before the first row is written."""

    path: Path
    encoding: str | None
    sheet: str | None

    def open(self) -> Table:
        from data.tables import open_table

        return open_table(self.path, encoding=self.encoding, sheet=self.sheet, chunk_rows=_CHUNK_ROWS)


def register(app: typer.Typer) -> None:
    """Afterwards `app` has the command `locate`."""
    app.command(epilog="Exit 0: every row had a usable place. 1: some had not, or a file was refused. 2: usage.")(
        locate
    )


def locate(
    points: Points,
    grids: Grids,
    output: Out,
    *,
    layer_name: LayerName = None,
    code_field: CodeField = None,
    layer_field: LayerField = None,
    priority: Priority = "",
    lon: Lon = None,
    lat: Lat = None,
    crs: Crs = None,
    grids_crs: GridsCrs = None,
    encoding: Encoding = None,
    sheet: Sheet = None,
    tolerance_m: Tolerance = 0.0,
    threads: Threads = _CORES,
) -> None:
    """Give every row of a table its grid; order and columns stay, grid, method, distance_to_edge_m and reason are added."""
    from data.datumwatch import DatumWatch, ground_of
    from data.locating import Locator
    from data.tabledatum import datum_of_table
    from data.tables import crs_column, find_place
    from data.tablewriters import refuse_output
    from gis.crs import parse_datum
    from gis.errors import DatumUnknown, FieldMissing, GridError, ParameterInvalid

    if (layer_field is None) != (not priority):
        raise typer.BadParameter("--layer-field and --priority belong together", param_hint="--priority")
    try:
        refuse_output(output, points, grids)
        reading = _Reading(points, encoding, sheet)
        table = reading.open()
        place = find_place(table, lon, lat)
        datum = datum_of_table(table, crs, place=points.name) or parse_datum("wgs84")
        index = _index(grids, layer_name, code_field, grids_crs, layer_field, [p.strip() for p in priority.split(",")])
        own = crs_column(table.columns) if crs is None else None
        where = f"places: {place[0]}, {place[1]} as {f'column {own} says, else ' if own else ''}{datum.name}"
        for note in (*table.notes, where):
            _say(note)
        locator = Locator(partial(index.locate, tolerance_m=tolerance_m), datum, place, threads, own)
        watch = DatumWatch()
        tally, rejected = _run(reading, table, locator, output, watch)
    except (DatumUnknown, FieldMissing, ParameterInvalid) as error:
        raise typer.BadParameter(error.message) from error
    except GridError as error:
        typer.echo(f"refused: {error.message}", err=True)
        raise typer.Exit(1) from error
    _summary(tally, rejected, output)
    show_alarms(watch.alarms(ground_of(index)))
    raise typer.Exit(int(tally.unusable > 0 or rejected > 0))


def _index(
    grids: Path,
    layer_name: str | None,
    code_field: str | None,
    crs: str | None,
    layer_field: str | None,
    priority: list[str],
) -> Any:
    from data.locating import partitions_of
    from data.readers import read_grids
    from gis.locate import GridIndex

    file = read_grids(grids, layer="general", layer_name=layer_name, code_field=code_field, crs=crs)
    partitions, notes = partitions_of(file, layer_field, priority if layer_field else ())
    for note in (*file.notes, *notes):
        _say(f"grids: {note}")
    return GridIndex.of(partitions)


def _run(reading: _Reading, table: Table, locator: Locator, output: Path, watch: DatumWatch) -> tuple[Tally, int]:
    """Every row is written to `output`, every rejected one beside it; how many went where."""
    from data.locating import ADDED, Tally, kept_name
    from data.rejected import RejectedWriter
    from data.tablewriters import writer

    columns, schema = _shape(reading, table, output)
    tally = Tally()
    names = [*map(kept_name, columns), *ADDED]
    mark = table.kind == "xlsx" or table.encoding not in {None, "utf-8"}
    with ExitStack() as stack:
        rejects = stack.enter_context(RejectedWriter(output.with_name(f"{output.stem}.rejected.csv"), table.columns))
        write = stack.enter_context(writer(output, names, schema=schema, mark=mark))
        for chunk in stack.enter_context(_progress(table)):
            rows = locator.locate(chunk)
            watch.see_rows(chunk, locator.place, locator.datum.name, locator.crs_column)
            filled = {
                name: rows.columns.get(name, [None] * len(chunk)) for name in (names if columns else rows.columns)
            }
            write(filled, rows.places)
            rejects.write(chunk.rejected)
            tally.add(rows.tally)
        return tally, rejects.count


def _shape(reading: _Reading, table: Table, output: Path) -> tuple[tuple[str, ...], Any]:
    """The input columns of the result (none: as each row has them) and, for Parquet, the types of all its columns."""
    from data.locating import kept_name
    from data.tablewriters import found_schema

    ending = output.suffix.lower()
    if ending in {".ndjson", ".jsonl", ".geojson"}:
        return (), None
    schema = table.schema
    if table.kind in _LOOSE or (table.kind == "xlsx" and ending == ".parquet"):
        schema = found_schema(reading.open())
    columns = table.columns if schema is None else tuple(schema.names)
    return columns, _with_added(schema, [kept_name(name) for name in columns]) if ending == ".parquet" else None


def _with_added(schema: Any, columns: list[str]) -> Any:
    import pyarrow as pa

    from data.locating import ADDED

    kept = [pa.string()] * len(columns) if schema is None else schema.types
    added = [pa.float64() if name == "distance_to_edge_m" else pa.string() for name in ADDED]
    return pa.schema(list(zip([*columns, *ADDED], [*kept, *added], strict=True)))


@contextmanager
def _progress(table: Table) -> Iterator[Iterator[RowChunk]]:
    """The chunks of the table, with a count of rows on stderr while they pass."""
    from rich.console import Console
    from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    console = Console(stderr=True)
    shown = (SpinnerColumn(), TextColumn("{task.completed:,.0f} rows located"), TimeElapsedColumn())
    with Progress(*shown, console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task("locating", total=None)

        def counted() -> Iterator[RowChunk]:
            for chunk in table.chunks:
                yield chunk
                progress.advance(task, len(chunk))

        yield counted()


def _say(note: str) -> None:
    typer.echo(note, err=True)


def _summary(tally: Tally, rejected: int, output: Path) -> None:
    found = tally.inside + tally.edge + tally.nearest
    typer.echo(
        f"{tally.rows:,} rows: {found:,} have a grid ({tally.inside:,} inside, {tally.edge:,} on an edge, {tally.nearest:,} nearest), "
        f"{tally.none:,} lie in none, {tally.unusable:,} have no usable place (see the column reason)"
    )
    if rejected:
        typer.echo(f"{rejected:,} rows could not be read: {output.with_name(f'{output.stem}.rejected.csv')}")
    typer.echo(f"written: {output}")
