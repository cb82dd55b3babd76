"""`gridbeat load`: files into the store; a dry run unless --commit."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from api.choices import one_of
from api.commands.alarm import show_alarms
from api.commands.loadcategories import categories
from api.commands.loadgazetteer import gazetteer
from api.commands.loadpatrols import fixes, members, places, shifts, streets
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
    Rule,
    Zone,
    column_mapping,
    field_pairs,
    lon_lat,
    row_progress,
)
from gis.errors import ParameterInvalid

if TYPE_CHECKING:
    from data.batch import RowPlan
    from data.load import EventsLoaded, GridsLoaded
    from data.readers import GridFile
    from data.rowchunk import Rejection
    from data.tables import Table
    from gis.store.generations import Publication


def register(app: typer.Typer) -> None:
    """Afterwards `app` has the group `load`."""
    group = typer.Typer(no_args_is_help=True, help="Load files into the store; a dry run unless --commit.")
    for command in (grids, events, households, gazetteer, categories, members, shifts, places, streets, fixes):
        group.command()(command)
    app.add_typer(group, name="load")


def grids(
    file: File,
    *,
    layer: Annotated[str, typer.Option(help="general, dedicated, micro, frontage or unit.")],
    level: Annotated[str | None, typer.Option(help="district, subdistrict, community, grid or micro_grid.")] = None,
    layer_name: Annotated[str | None, typer.Option(help="The file's layer, where it has several.")] = None,
    code_field: Annotated[str | None, typer.Option(help="Column of the grid code.")] = None,
    name_field: Annotated[str | None, typer.Option(help="Column of the name.")] = None,
    parent_field: Annotated[str | None, typer.Option(help="Column of the parent's code; else found by place.")] = None,
    crs: Crs = None,
    effective: Annotated[
        str | None, typer.Option(metavar="T", help="In force from; RFC 3339 with offset; default now.")
    ] = None,
    match: Annotated[str, typer.Option(help="Grids keep their identity by code, or by area.")] = "code",
    profile: Annotated[str, typer.Option(help="Code profile: external, plain or cn15.")] = "external",
    enclave: Annotated[
        list[str] | None, typer.Option(metavar="LON,LAT", help="The gap at this place is meant.")
    ] = None,
    correction: Annotated[bool, typer.Option("--correction", help="May lie before the newest generation.")] = False,
    reason: Annotated[str | None, typer.Option(help="Why; a correction needs it.")] = None,
    rule: Rule = "move",
    commit: Commit = False,
) -> None:
    """The file is the whole content of its layer and level from --effective on. Any error in it refuses the file."""
    from api.session import opened, terminal_caller
    from api.settings import Settings
    from data.load import incoming_of, load_grids
    from data.readers import read_grids
    from data.report import parse_time
    from gis.codes import PROFILES
    from gis.partition import LAYERS, LEVELS, default_level
    from gis.store.generations import Publication
    from gis.topology import has_errors

    one_of(layer, [name for name, _, _ in LAYERS], "--layer")
    one_of(level or default_level(layer), LEVELS, "--level")
    one_of(profile, PROFILES, "--profile")
    found = read_grids(
        file, layer=layer, level=level, layer_name=layer_name, code_field=code_field, name_field=name_field,
        parent_field=parent_field, crs=crs,
    )  # fmt: skip
    for code in found.codes:
        PROFILES[profile].validate(code)
    who = terminal_caller()
    instant = parse_time(effective, "--effective") if effective else None
    incoming = incoming_of(found, profile=profile, match=match)
    publication = Publication((incoming,), who.actor, who.role, instant, correction, reason, rule)
    enclaves = (*map(lon_lat, enclave or []), *found.enclaves)
    with opened(Settings()) as engine, engine.begin() as connection:
        loaded = load_grids(connection, found, publication, enclaves=enclaves, commit=commit)
    _show_grids(file, found, loaded, publication, commit=commit)
    raise typer.Exit(int(has_errors(loaded.findings)))


def _show_grids(file: Path, found: GridFile, loaded: GridsLoaded, publication: Publication, *, commit: bool) -> None:
    from gis.topology import has_errors, summary

    typer.echo(f"{file.name}: {len(found)} grids, layer {found.layer}, level {found.level}, crs {found.crs_used}")
    for note in found.notes:
        typer.echo(f"note: {note}")
    counts = summary(loaded.findings)
    typer.echo("findings: " + (", ".join(f"{kind} {n}" for kind, n in counts.items()) or "none"))
    for finding in loaded.findings[:SHOWN]:
        typer.echo(f"  {finding.severity} {finding.kind}: {finding.message}")
    if len(loaded.findings) > SHOWN:
        typer.echo(f"  and {len(loaded.findings) - SHOWN} more: gridbeat check {file} --report findings.json")
    if has_errors(loaded.findings):
        typer.echo(f"refused: mend the errors first (gridbeat check {file} --repair mended.geojson proposes how)")
        return
    if loaded.change is not None:
        typer.echo("change: " + ", ".join(f"{kind} {n}" for kind, n in loaded.change.summary().items()))
        _show_retired([unit.code for unit in loaded.change.retired.values()])
    if loaded.generation is not None:
        typer.echo(
            f"published generation {loaded.generation.number}, in force from {loaded.generation.effective_at.isoformat()}"
        )
    elif not commit:
        when = publication.effective_at.isoformat() if publication.effective_at else "now"
        typer.echo(f"dry run: nothing is stored; --commit publishes it, in force from {when}")


def _show_retired(codes: list[str]) -> None:
    """A file is the whole of its layer and level: what it leaves out ends, and must not end unseen."""
    if codes:
        more = f" and {len(codes) - SHOWN} more" if len(codes) > SHOWN else ""
        typer.echo(f"  not in the file, so they end ({len(codes)}): {', '.join(sorted(codes)[:SHOWN])}{more}")


def events(
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
    """A table of reports becomes events, each with its grid. Rejected rows go to a file with number and reason."""
    from api.session import opened, terminal_caller
    from api.settings import Settings
    from data.datumwatch import DatumWatch, stored_ground
    from data.decide import Policy
    from data.load import load_events
    from data.rejected import RejectedWriter
    from data.tables import open_table
    from gis.store.live import Live

    settings = Settings()
    table = open_table(file, encoding=encoding, chunk_rows=5_000)
    plan = _plan(file, table, column_mapping(map_, lon, lat), field_pairs(set_, "--set"), crs, tz or settings.timezone)
    _show_plan(file, table, plan)
    target = rejected or file.with_name(f"{file.name}.rejected.csv")
    first: list[Rejection] = []
    watch, live = DatumWatch(), Live(2)
    policy = Policy(settings.nearest_tolerance_m, settings.candidates_within_m)
    with (
        opened(settings) as engine,
        RejectedWriter(target, table.columns) as writer,
        row_progress(file.name) as advance,
    ):

        def note(one: Rejection) -> None:
            writer.write([one])
            if len(first) < SHOWN:
                first.append(one)

        loaded = load_events(
            engine, live, table.chunks, plan, actor=terminal_caller().actor, commit=commit, policy=policy,
            on_rejected=note, on_progress=advance, on_taken=watch.see_taken,
        )  # fmt: skip
        with engine.connect() as connection:
            alarms = watch.alarms(stored_ground(connection, live))
    _show_events(loaded, first, target, commit=commit)
    show_alarms(alarms)
    raise typer.Exit(int(loaded.rejected > 0))


def _plan(
    file: Path, table: Table, mapped: dict[str, str], constants: dict[str, Any], crs: str | None, zone: str
) -> RowPlan:
    from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

    from data.batch import plan_table
    from data.load import file_key

    try:
        offset = ZoneInfo(zone)
    except (ZoneInfoNotFoundError, ValueError):
        raise ParameterInvalid(f"there is no time zone {zone}; one is Asia/Shanghai", place="--tz") from None
    return plan_table(
        table, crs, place=file.name, mapped=mapped, constants=constants,
        zone=offset, source=file.name, file_key=file_key(file),
    )  # fmt: skip


def _show_plan(file: Path, table: Table, plan: RowPlan) -> None:
    fed = [f"{name} <- {column}" for name, column in plan.columns.items()]
    fed += [f"{name} = {value}" for name, value in plan.constants.items()]
    fed += [f"{name} = {value} where the row says none" for name, value in plan.defaults.items()]
    typer.echo(f"{file.name} ({table.kind}{', ' + table.encoding if table.encoding else ''}): {'; '.join(fed)}")
    for note in table.notes:
        typer.echo(f"note: {note}")


def _show_events(loaded: EventsLoaded, first: list[Rejection], target: Path, *, commit: bool) -> None:
    verb = "stored" if commit else "would be stored"
    typer.echo(
        f"{loaded.rows} rows: {loaded.stored} {verb}, {loaded.repeated} known already, {loaded.rejected} rejected"
    )
    typer.echo("assigned: " + (", ".join(f"{method} {n}" for method, n in sorted(loaded.methods.items())) or "none"))
    for reason, n in sorted(loaded.reasons.items()):
        typer.echo(f"  without a grid, {reason}: {n}")
    for one in first:
        typer.echo(f"  row {one.row}: {one.reason} [{one.code}]")
    if loaded.rejected:
        typer.echo(f"rejected rows are in {target}")
    if not commit:
        typer.echo("dry run: nothing is stored; --commit stores it")


def households(
    file: File,
    *,
    map_: Mapped = None,
    lon: Lon = None,
    lat: Lat = None,
    crs: Crs = None,
    encoding: Encoding = None,
    rejected: Rejected = None,
    commit: Commit = False,
) -> None:
    """A table of household points (lon, lat, households or count, external_id, address); a known external id is replaced."""
    from api.session import opened
    from api.settings import Settings
    from data.households import load_households, plan_households
    from data.rejected import RejectedWriter
    from data.tabledatum import datum_of_table
    from data.tables import open_table

    table = open_table(file, encoding=encoding)
    plan = plan_households(table, column_mapping(map_, lon, lat), datum_of_table(table, crs, place=file.name))
    target = rejected or file.with_name(f"{file.name}.rejected.csv")
    with (
        opened(Settings()) as engine,
        RejectedWriter(target, table.columns) as writer,
        row_progress(file.name) as advance,
    ):
        loaded = load_households(
            engine, table.chunks, plan, commit=commit, on_rejected=writer.write, on_progress=advance
        )
    typer.echo(
        f"{loaded.rows} rows: {loaded.points} points with {loaded.households} households, {loaded.rejected} rejected"
    )
    if loaded.rejected:
        typer.echo(f"rejected rows are in {target}")
    if not commit:
        typer.echo("dry run: nothing is stored; --commit stores it")
    raise typer.Exit(int(loaded.rejected > 0))
