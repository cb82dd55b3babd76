"""`gridbeat load categories`: what kinds of reports there are; a dry run unless --commit."""

from __future__ import annotations

from typing import Annotated

import typer

from api.commands.options import SHOWN, Commit, Encoding, File

Scheme = Annotated[str | None, typer.Option(help="Name of the scheme, where the file has no column for it.")]


def categories(file: File, *, scheme: Scheme = None, encoding: Encoding = None, commit: Commit = False) -> None:
    """A table of categories (scheme, code, name, name_en, group, keywords, active) replaces its schemes; any bad row refuses it.

    Codes that left a scheme stay known for the events that name them, but are no longer active.
    """
    from api.session import opened
    from api.settings import Settings
    from data.categories import load_categories
    from data.tables import open_table

    table = open_table(file, encoding=encoding)
    with opened(Settings()) as engine:
        loaded = load_categories(engine, table.columns, table.chunks, scheme=scheme, commit=commit)
    typer.echo(f"{loaded.rows} rows, {len(loaded.rejected)} rejected")
    for name, change in loaded.changes.items():
        typer.echo(
            f"scheme {name}: {change.codes} codes, {change.new} new, {change.changed} changed, {change.left} left"
        )
    for one in loaded.rejected[:SHOWN]:
        typer.echo(f"  row {one.row}: {one.reason} [{one.code}]")
    if loaded.rejected:
        typer.echo("refused: nothing is stored until every row is right")
    elif not commit:
        typer.echo("dry run: nothing is stored; --commit stores it")
    raise typer.Exit(int(bool(loaded.rejected)))
