"""`gridbeat plan`: plans from a terminal: list them, make one of an edited file, print its map sheet."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated
from uuid import UUID

import typer

from api.choices import one_of
from api.commands.options import SHOWN, Commit, Crs
from gis.errors import ParameterInvalid

PlanId = Annotated[UUID, typer.Argument(metavar="ID", help="The plan, as `gridbeat plan list` names it.")]


def register(app: typer.Typer) -> None:
    """Afterwards `app` has the group `plan`."""
    group = typer.Typer(no_args_is_help=True, help="Plans: drafts of boundaries.")
    group.command(name="list")(listed)
    group.command(name="import")(import_)
    group.command()(sheet)
    app.add_typer(group, name="plan")


def listed(
    state: Annotated[str | None, typer.Option(help="draft, submitted, approved, published or withdrawn.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=1_000, help="At most so many, newest first.")] = 50,
) -> None:
    """Plans, newest first: id, state, base generation, operations in force, title."""
    from api.session import opened
    from api.settings import Settings
    from gis.store.plans import STATES, list_plans

    one_of(state, STATES, "--state")
    with opened(Settings()) as engine, engine.connect() as connection:
        found = list_plans(connection, state, limit)
    for one in found:
        typer.echo(f"{one.id}  {one.state:<9}  generation {one.base:<4} {one.step:>4} operations  {one.title}")
    if not found:
        typer.echo("there are no plans" if state is None else f"there are no plans that are {state}")


def import_(
    file: Annotated[Path, typer.Argument(help="GeoJSON, GeoPackage, zipped Shapefile, KML ... edited elsewhere.")],
    *,
    layer: Annotated[str, typer.Option(help="The layer that the file is the whole of.")] = "general",
    level: Annotated[str | None, typer.Option(help="Its level; default the narrowest of the layer.")] = None,
    title: Annotated[str | None, typer.Option(help="The plan's title; default the file's name.")] = None,
    match: Annotated[str, typer.Option(help="Grids keep their identity by code, or by area.")] = "code",
    layer_name: Annotated[str | None, typer.Option(help="The layer within the file.")] = None,
    code_field: Annotated[str | None, typer.Option(help="Column of the codes.")] = None,
    name_field: Annotated[str | None, typer.Option(help="Column of the names.")] = None,
    parent_field: Annotated[str | None, typer.Option(help="Column of the parents' codes.")] = None,
    crs: Crs = None,
    commit: Commit = False,
) -> None:
    """An edited file becomes a plan: splits, merges, borders where that is recognised, else shapes. A dry run unless --commit."""
    from api.session import opened, terminal_caller
    from api.settings import Settings
    from data.planimport import Fields, import_file, told
    from data.plans import Drafts, begin
    from gis.findings import has_errors, summary
    from gis.partition import LAYERS, LEVELS

    one_of(layer, [name for name, _, _ in LAYERS], "--layer")
    one_of(level, LEVELS, "--level")
    one_of(match, ["code", "area"], "--match")
    found = Fields(layer, level, layer_name, code_field, name_field, parent_field, crs, match).read(file)
    typer.echo(f"{file.name}: {len(found)} grids, layer {found.layer}, level {found.level}, crs {found.crs_used}")
    who, drafts = terminal_caller(), Drafts()
    with opened(Settings()) as engine, engine.connect() as connection:
        plan = begin(connection, title or file.stem, who.actor)
        done = import_file(connection, drafts, plan.id, plan.revision, found, match, who.actor)
        if commit and done.last is not None:
            connection.commit()
    for note in (*found.notes, *done.notes):
        typer.echo(f"note: {note}")
    typer.echo("findings: " + (", ".join(f"{kind} {n}" for kind, n in summary(done.findings).items()) or "none"))
    for finding in done.findings[:SHOWN]:
        typer.echo(f"  {finding.severity} {finding.kind}: {finding.message}")
    if done.last is None:
        typer.echo("refused: mend the errors first" if has_errors(done.findings) else "the file changes nothing")
        raise typer.Exit(int(has_errors(done.findings)))
    typer.echo("operations: " + ", ".join(f"{kind} {n}" for kind, n in told(done.kinds).items()))
    typer.echo(f"plan {plan.id}" if commit else "a dry run: nothing is stored; add --commit to keep the plan")


def sheet(
    plan: PlanId,
    output: Annotated[Path, typer.Option("--output", "-o", help="By ending: .pdf (A3), .png or .html.")],
    layer: Annotated[str | None, typer.Option(help="One layer alone.")] = None,
    lang: Annotated[str, typer.Option(help="zh or en.")] = "zh",
) -> None:
    """The map of a plan: before, after, what changes hands, the table of changes."""
    from zoneinfo import ZoneInfo

    from api.session import opened
    from api.settings import Settings
    from data.planmap import PlanWish, plan_map
    from data.plans import Drafts
    from gis.store.plans import read
    from gis.store.townloads import LiveLoads
    from maps import plan as drawing

    ending = output.suffix.lower()
    if ending not in {".pdf", ".png", ".html"}:
        raise ParameterInvalid(f"{output.name}: a plan is drawn as .pdf, .png or .html", place="--output")
    if lang not in {"zh", "en"}:
        raise ParameterInvalid("--lang is zh or en", place="--lang")
    settings = Settings()
    wish = PlanWish(ZoneInfo(settings.timezone), layer, "en" if lang == "en" else "zh")
    with opened(settings) as engine, engine.connect() as connection:
        view = plan_map(connection, Drafts(), LiveLoads(), read(connection, plan), wish)
    if ending == ".html":
        output.write_text(drawing.render_html(view, "inline"), "utf-8")
    else:
        output.write_bytes(drawing.render_pdf(view) if ending == ".pdf" else drawing.render_png(view))
    typer.echo(f"{output}: {output.stat().st_size:,} bytes")
