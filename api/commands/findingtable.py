"""Findings and repairs as tables on a terminal, plain enough to be read from a log file too."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING

import typer
from rich.console import Console
from rich.table import Table

from gis.findings import KINDS, Finding, has_errors

if TYPE_CHECKING:
    from gis.repair import Repair

_SHOWN = 20
#: One plain line per kind: what it means for the reader.
MEANING = {
    "invalid": "a shape that is broken or missing",
    "duplicate_code": "a code that stands twice",
    "overlap": "ground of two grids, > 1 m2",
    "gap": "enclosed ground of no grid, > 1 m2",
    "outside_parent": "a grid outside its parent",
    "crosses_parent": "a grid beyond its parent's border",
    "unmatched_edge": "a border not shared vertex for vertex",
    "sliver": "overlap or gap up to 1 m2",
    "size": "beyond the limits given",
    "multipart": "a grid in separate pieces",
    "duplicate_name": "a name that stands twice",
    "reused_code": "a code that was voided before",
    "compactness": "a long or jagged grid",
    "crosses_community": "a grid in several communities",
}


def console() -> Console:
    """A console on stdout, wide enough for a row even where the output goes into a file."""
    found = Console(highlight=False, soft_wrap=False)
    return found if found.is_terminal else Console(highlight=False, width=150)


def print_findings(findings: Sequence[Finding]) -> None:
    """The summary, then the most severe and largest findings with their place."""
    out = console()
    if not findings:
        typer.echo("No findings: the grids do not overlap, leave no gap and match vertex for vertex.")
        return
    out.print(_summary(findings))
    out.print(_first(findings))
    if len(findings) > _SHOWN:
        typer.echo(f"{len(findings) - _SHOWN} more findings; --report OUT.json lists all of them with their shapes.")
    errors = sum(finding.severity == "error" for finding in findings)
    accepted = sum(finding.accepted for finding in findings)
    told = f"{errors} errors, {len(findings) - errors - accepted} warnings"
    typer.echo(told + (f", {accepted} accepted" if accepted else ""))


def _summary(findings: Sequence[Finding]) -> Table:
    table = Table("kind", "what it is", title="Findings", title_justify="left")
    for column in ("errors", "warnings", "accepted", "m2"):
        table.add_column(column, justify="right")
    counted = Counter((f.kind, "accepted" if f.accepted else f.severity) for f in findings)
    for kind in KINDS:
        mine = [finding for finding in findings if finding.kind == kind]
        if mine:
            figures = [str(counted[kind, which] or "") for which in ("error", "warning", "accepted")]
            total = sum(finding.area_m2 for finding in mine)
            table.add_row(kind, MEANING[kind], *figures, _m2(total) if total else "")
    return table


def _first(findings: Sequence[Finding]) -> Table:
    shown = findings[:_SHOWN]
    title = (
        "Every finding"
        if len(shown) == len(findings)
        else f"The first {len(shown)}: errors before warnings, largest first"
    )
    table = Table("severity", "kind", title=title, title_justify="left")
    table.add_column("m2", justify="right")
    table.add_column("lon, lat", no_wrap=True)
    table.add_column("what", overflow="fold")
    for finding in shown:
        place = finding.lon_lat()
        where = f"{place[0]:.6f}, {place[1]:.6f}" if place else "-"
        severity = "accepted" if finding.accepted else finding.severity
        table.add_row(severity, finding.kind, _m2(finding.area_m2) if finding.area_m2 else "-", where, finding.message)
    return table


def print_repair(repair: Repair) -> None:
    """Every grid that the proposal changes, the gaps that a person should look at, and what remains."""
    if repair.changes:
        console().print(_changes(repair))
    else:
        typer.echo("The proposal changes no grid.")
    for gap in repair.doubtful:
        typer.echo(f"Filled, but it looks like a real place: {gap.message}. To keep it open: --enclave {_lon_lat(gap)}")
    for gap in repair.left_open:
        typer.echo(f"Left open, as large as a grid: {gap.message}. If it is meant: --enclave {_lon_lat(gap)}")
    errors = [finding for finding in repair.remaining if finding.severity == "error" and not finding.accepted]
    if not has_errors(repair.remaining):
        typer.echo("The proposal was checked again: no errors.")
        return
    typer.echo(f"The proposal was checked again: {len(errors)} errors remain for you to settle.")
    console().print(_first(errors))


def _changes(repair: Repair) -> Table:
    title = f"Differences: {len(repair.changes)} of {len(repair.geometry)} grids change, in m2"
    table = Table("grid", title=title, title_justify="left")
    for column in ("before", "after", "moved"):
        table.add_column(column, justify="right", no_wrap=True)
    table.add_column("what for", overflow="fold")
    for change in repair.changes:
        figures = (change.before_m2, change.after_m2, change.symmetric_difference_m2)
        table.add_row(change.code, *(_m2(m2) for m2 in figures), "; ".join(change.why))
    return table


def _lon_lat(finding: Finding) -> str:
    lon, lat = finding.lon_lat() or (0.0, 0.0)
    return f"{lon:.6f},{lat:.6f}"


def _m2(m2: float) -> str:
    return f"{m2:,.1f}" if m2 >= 1 else f"{m2:.2g}"
