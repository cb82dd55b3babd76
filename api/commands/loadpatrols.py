"""`gridbeat load fixes | members | shifts | places | streets`: what patrols need, into the store; a dry run unless --commit."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from datetime import UTC
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from api.commands.alarm import show_alarms
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
    Zone,
    column_mapping,
    field_pairs,
    row_progress,
)

if TYPE_CHECKING:
    from data.datumwatch import DatumWatch
    from data.fixes import FixesTaken
    from data.fixrows import FixRows
    from data.rowchunk import Rejection

Source = Annotated[
    str | None, typer.Option(help="What the file is an edition of: its older streets go. Its name if left out.")
]
LayerName = Annotated[str | None, typer.Option("--layer-name", help="The file's layer, where it has several.")]


def fixes(
    file: File,
    *,
    map_: Mapped = None,
    set_: Constant = None,
    lon: Lon = None,
    lat: Lat = None,
    tz: Zone = None,
    crs: Crs = None,
    encoding: Encoding = None,
    rejected: Rejected = None,
    commit: Commit = False,
) -> None:
    """Positions of members (GPX, CSV, Parquet, NDJSON ...): member, at, lon, lat, accuracy_m. One member for a file: --set member=CODE."""
    from api.fixbodies import zone_of
    from api.session import opened
    from api.settings import Settings
    from data.datumwatch import DatumWatch, stored_ground
    from data.fixes import FixPolicy, gathered, load_fixes
    from data.rejected import RejectedWriter
    from gis.store.live import Live

    settings = Settings()
    given = {
        "mapped": column_mapping(map_, lon, lat),
        "constants": field_pairs(set_, "--set"),
        "zone": zone_of(tz or settings.timezone),
    }
    target, watch = rejected or file.with_name(f"{file.name}.rejected.csv"), DatumWatch()
    first: list[Rejection] = []
    rows = _seen(_fix_rows(file, crs, encoding, given), watch)
    policy = FixPolicy(settings.fixes_off_duty, settings.fixes_kept_days)
    with opened(settings) as engine, RejectedWriter(target) as writer, row_progress(file.name) as advance:
        tell = _noting(writer.write, first)
        taken = load_fixes(engine, gathered(rows), policy, commit=commit, tell=tell, on_progress=advance)
        with engine.connect() as connection:
            show_alarms(watch.alarms(stored_ground(connection, Live(1))))
    _show_fixes(taken, first, target, commit=commit)
    raise typer.Exit(int(taken.rejected > 0))


def _fix_rows(file: Path, crs: str | None, encoding: str | None, given: dict[str, Any]) -> Iterator[FixRows]:
    """The readings of a file: Parquet by columns, the track points of a GPX, any other table row by row."""
    from data.fixes import PART_ROWS
    from data.fixrows import parquet_rows, plan_fixes, table_rows
    from data.tabledatum import datum_of_table
    from data.tables import open_table

    is_gpx = file.suffix.lower() == ".gpx"
    table = open_table(file, encoding=encoding, sheet="track_points" if is_gpx else None)
    if is_gpx:
        given = given | {"zone": UTC}  # its times are, and come without saying so
    datum = datum_of_table(table, crs, place=file.name)
    if table.kind == "parquet" and table.position is None:
        return parquet_rows(file, plan_fixes(table.columns, datum=datum, **given), PART_ROWS)
    return table_rows(table, datum=datum, **given)


def _seen(parts: Iterable[FixRows], watch: DatumWatch) -> Iterator[FixRows]:
    """The same parts; the watch has seen their places."""
    for rows in parts:
        watch.see_fixes(rows)
        yield rows


def _noting(write: Callable[[Iterable[Rejection]], None], first: list[Rejection]) -> Callable[[list[Rejection]], None]:
    def note(refused: list[Rejection]) -> None:
        write(refused)
        first.extend(refused[: SHOWN - len(first)])

    return note


def _show_fixes(taken: FixesTaken, first: list[Rejection], target: Path, *, commit: bool) -> None:
    verb = "stored" if commit else "would be stored, unless they are known already"
    typer.echo(f"{taken.rows} rows: {taken.stored} {verb}, {taken.rejected} rejected")
    typer.echo(", ".join(f"{word} {n}" for word, n in taken.as_json()["counts"].items() if n) or "nothing")
    _show_rejected(first, taken.rejected, target, commit=commit)


def _show_rejected(first: list[Rejection], rejected: int, target: Path, *, commit: bool) -> None:
    for one in first:
        typer.echo(f"  row {one.row}: {one.reason} [{one.code}]")
    if rejected:
        typer.echo(f"rejected rows are in {target}")
    if not commit:
        typer.echo("dry run: nothing is stored; --commit stores it")


def members(
    file: File,
    *,
    map_: Mapped = None,
    set_: Constant = None,
    tz: Zone = None,
    encoding: Encoding = None,
    rejected: Rejected = None,
    commit: Commit = False,
) -> None:
    """Members: code, name, role, active, grids (codes parted by commas), since. A known code is changed."""
    _rows("members", file, column_mapping(map_, None, None), set_, tz, None, encoding, rejected, commit=commit)


def shifts(
    file: File,
    *,
    map_: Mapped = None,
    set_: Constant = None,
    tz: Zone = None,
    encoding: Encoding = None,
    rejected: Rejected = None,
    commit: Commit = False,
) -> None:
    """Shifts: member, begin, end, external_id. Leave: a column leave, or --set leave=yes. One that overlaps another is rejected."""
    _rows("shifts", file, column_mapping(map_, None, None), set_, tz, None, encoding, rejected, commit=commit)


def places(
    file: File,
    *,
    map_: Mapped = None,
    set_: Constant = None,
    lon: Lon = None,
    lat: Lat = None,
    tz: Zone = None,
    crs: Crs = None,
    encoding: Encoding = None,
    rejected: Rejected = None,
    commit: Commit = False,
) -> None:
    """Must-visit places: code, kind, name, lon, lat, address, revisit_days, since, until. A known code is changed."""
    _rows("places", file, column_mapping(map_, lon, lat), set_, tz, crs, encoding, rejected, commit=commit)


def _rows(
    kind: str,
    file: Path,
    mapped: dict[str, str],
    set_: list[str] | None,
    tz: str | None,
    crs: str | None,
    encoding: str | None,
    rejected: Path | None,
    *,
    commit: bool,
) -> None:
    from api.fixbodies import zone_of
    from api.session import opened
    from api.settings import Settings
    from data.members import load_rows, plan_of
    from data.rejected import RejectedWriter
    from data.tabledatum import datum_of_table
    from data.tables import open_table

    settings = Settings()
    table = open_table(file, encoding=encoding)
    datum = datum_of_table(table, crs, place=file.name) if kind == "places" else None
    constants, zone = field_pairs(set_, "--set"), zone_of(tz or settings.timezone)
    plan = plan_of(kind, table, mapped=mapped, constants=constants, datum=datum, zone=zone)
    target = rejected or file.with_name(f"{file.name}.rejected.csv")
    first: list[Rejection] = []
    with (
        opened(settings) as engine,
        RejectedWriter(target, table.columns) as writer,
        row_progress(file.name) as advance,
    ):
        note = _noting(writer.write, first)
        kept = load_rows(engine, table.chunks, plan, commit=commit, on_rejected=note, on_progress=advance)
    results = ", ".join(f"{kept.results[word]} {word}" for word in ("stored", "changed", "repeated"))
    typer.echo(f"{kept.rows} rows: {results}, {kept.rejected} rejected")
    _show_rejected(first, kept.rejected, target, commit=commit)
    raise typer.Exit(int(kept.rejected > 0))


def streets(
    file: File,
    *,
    source: Source = None,
    layer_name: LayerName = None,
    crs: Crs = None,
    rejected: Rejected = None,
    commit: Commit = False,
) -> None:
    """Lines of roads that patrols are measured against, as OpenStreetMap's. Loading a source again replaces its streets."""
    from api.session import opened
    from api.settings import Settings
    from data.rejected import RejectedWriter
    from data.streets import read_streets_file
    from gis.store.visits import replace_streets

    found = read_streets_file(file, layer_name=layer_name, crs=crs)
    target = rejected or file.with_name(f"{file.name}.rejected.csv")
    with RejectedWriter(target) as writer:
        writer.write(found.rejected)
    if commit:
        with opened(Settings()) as engine, engine.begin() as connection:
            replace_streets(connection, source or file.name, found.streets)
    for one in found.notes:
        typer.echo(f"note: {one}")
    typer.echo(
        f"{found.rows} rows: {len(found.streets)} streets, {found.length_m / 1000:.1f} km, {len(found.rejected)} rejected"
    )
    _show_rejected(found.rejected[:SHOWN], len(found.rejected), target, commit=commit)
    raise typer.Exit(int(bool(found.rejected)))
