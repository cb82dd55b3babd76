"""`gridbeat check`: what exactly is wrong with a file of grids, where, and how many m2; and, on request, a proposal that mends it.

Exit 0: no error (warnings allowed unless --strict). Exit 1: errors, with --strict also warnings, or a file that was refused
(unreadable, no coordinate system, no such column). Exit 2: wrong usage.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from api.commands.options import lon_lat

if TYPE_CHECKING:
    from data.readers import GridFile
    from gis.crs import Datum
    from gis.findings import Finding, Limits
    from gis.partition import Partition
    from gis.repair import Repair
    from gis.topology import Mode

_LAYERS = "general, dedicated, micro, frontage or unit; dedicated and frontage may have gaps"

Grids = Annotated[
    Path,
    typer.Argument(
        metavar="GRIDS",
        help="GeoJSON, GeoPackage, Shapefile (.shp or .zip), KML, FlatGeobuf or GeoParquet.",
        exists=True,
        dir_okay=False,
    ),
]
LayerName = Annotated[str | None, typer.Option(help="The file's layer, where it has several.")]
Layer = Annotated[str, typer.Option(help=f"Gridbeat's layer: {_LAYERS}.")]
CodeField = Annotated[str | None, typer.Option(help="Column of the grid code; guessed from its name if left out.")]
NameField = Annotated[str | None, typer.Option(help="Column of the grid's name.")]
ParentField = Annotated[str | None, typer.Option(help="Column of the parent's code.")]
Crs = Annotated[
    str | None, typer.Option(help="wgs84, cgcs2000, gcj02, bd09 or EPSG:n, where the file does not say it.")
]
Parent = Annotated[
    Path | None, typer.Option(help="File of the grids one level up, to check against.", exists=True, dir_okay=False)
]
ParentCodeField = Annotated[str | None, typer.Option(help="Column of the code in the parents' file.")]
Enclave = Annotated[
    list[str] | None, typer.Option(metavar="LON,LAT", help="The gap at this WGS 84 place is meant; may be repeated.")
]
RepairOut = Annotated[
    Path | None,
    typer.Option(
        "--repair",
        metavar="OUT",
        help="Write a mended proposal (.geojson .gpkg .parquet .fgb .zip) and list its changes.",
    ),
]
RepairGaps = Annotated[
    float | None,
    typer.Option(
        "--repair-gaps-m2", help="Fill gaps up to this size; default: the median grid. Larger ones stay open."
    ),
]
ReportOut = Annotated[Path | None, typer.Option("--report", metavar="OUT.json", help="Write every finding as JSON.")]
Strict = Annotated[bool, typer.Option("--strict", help="Warnings fail too.")]
MinArea = Annotated[float | None, typer.Option("--min-area-m2", help="Warn of smaller grids.")]
MaxArea = Annotated[float | None, typer.Option("--max-area-m2", help="Warn of larger grids.")]


def register(app: typer.Typer) -> None:
    """Afterwards `app` has the command `check`."""
    app.command(
        epilog="Exit 0: no errors. 1: errors (--strict: warnings too) or a file that cannot be used. 2: usage."
    )(check)


def check(
    grids: Grids,
    *,
    layer_name: LayerName = None,
    layer: Layer = "general",
    code_field: CodeField = None,
    name_field: NameField = None,
    parent_field: ParentField = None,
    crs: Crs = None,
    parent: Parent = None,
    parent_code_field: ParentCodeField = None,
    enclave: Enclave = None,
    repair: RepairOut = None,
    repair_gaps_m2: RepairGaps = None,
    report: ReportOut = None,
    strict: Strict = False,
    min_area_m2: MinArea = None,
    max_area_m2: MaxArea = None,
) -> None:
    """Show overlaps, gaps, broken shapes and every other fault of a file of grids. Nothing is stored."""
    from gis.errors import GridError
    from gis.findings import Limits
    from gis.topology import mode_of

    _known_layer(layer)
    _writable(repair, grids)
    places = [lon_lat(text) for text in enclave or []]
    datum = _datum(crs)
    try:
        file = _read(grids, layer, layer_name, code_field, name_field, parent_field, datum)
        above = None if parent is None else _parents(parent, layer, parent_code_field, datum)
        limits = Limits(min_area_m2=min_area_m2, max_area_m2=max_area_m2)
        places += [place for place in file.enclaves if place not in places]
        findings = _find(file, above, places, limits, mode_of(layer))
        _show(grids, file, findings, places)
        if report is not None:
            write_report(report, findings)
        if repair is not None:
            _mend(repair, file, places, mode_of(layer), repair_gaps_m2)
    except GridError as error:
        typer.echo(f"refused: {error.message}", err=True)
        raise typer.Exit(1) from error
    raise typer.Exit(int(_fails(findings, strict=strict)))


def write_report(path: Path, findings: list[Finding]) -> None:
    """The report file of the contract: how many findings of each kind, and every finding with its GeoJSON."""
    from gis.findings import summary

    body = {"summary": summary(findings), "findings": [finding.as_json() for finding in findings]}
    path.write_text(json.dumps(body, ensure_ascii=False), encoding="utf-8")


def _fails(findings: list[Finding], *, strict: bool) -> bool:
    from gis.findings import has_errors

    return has_errors(findings) or (strict and any(not finding.accepted for finding in findings))


def _known_layer(layer: str) -> None:
    from gis.partition import LAYERS

    if layer not in {name for name, _, _ in LAYERS}:
        raise typer.BadParameter(f"{layer} is no layer: {_LAYERS}", param_hint="--layer")


def _writable(path: Path | None, source: Path) -> None:
    from data.gridwriter import refuse_ending
    from gis.errors import FileUnreadable

    if path is None:
        return
    try:
        refuse_ending(path)
    except FileUnreadable as error:
        raise typer.BadParameter(error.message, param_hint="--repair") from error
    if not path.absolute().parent.is_dir():
        raise typer.BadParameter(f"the folder {path.absolute().parent} does not exist", param_hint="--repair")
    if path.resolve() == source.resolve():
        raise typer.BadParameter("the proposal may not overwrite the file that is checked", param_hint="--repair")


def _datum(text: str | None) -> Datum | None:
    from gis.crs import parse_datum
    from gis.errors import DatumUnknown

    if text is None:
        return None
    try:
        return parse_datum(text)
    except DatumUnknown as error:
        raise typer.BadParameter(error.message, param_hint="--crs") from error


def _read(
    path: Path,
    layer: str,
    layer_name: str | None,
    code_field: str | None,
    name_field: str | None,
    parent_field: str | None,
    datum: Datum | None,
) -> GridFile:
    from data.readers import read_grids

    return read_grids(
        path,
        layer=layer,
        layer_name=layer_name,
        code_field=code_field,
        name_field=name_field,
        parent_field=parent_field,
        crs=datum,
        rows_as_codes=True,
    )


def _parents(path: Path, layer: str, code_field: str | None, datum: Datum | None) -> Partition:
    """The parents' partition; `--crs` speaks for this file too where it does not say for itself."""
    from data.readers import read_grids
    from gis.errors import DatumUnknown
    from gis.partition import partition_of

    try:
        file = read_grids(path, layer=layer, code_field=code_field, rows_as_codes=True)
    except DatumUnknown:
        file = read_grids(path, layer=layer, code_field=code_field, rows_as_codes=True, crs=datum)
    return partition_of(file.codes, list(file.geometry), layer=layer)


def _find(
    file: GridFile, above: Partition | None, places: list[tuple[float, float]], limits: Limits, mode: Mode
) -> list[Finding]:
    from gis.topology import check_raw

    return check_raw(
        file.codes,
        file.geometry,
        names=file.names,
        parents=above,
        parent_of=file.parent_of(),
        enclaves=places,
        limits=limits,
        mode=mode,
    )


def _show(path: Path, file: GridFile, findings: list[Finding], places: list[tuple[float, float]]) -> None:
    from api.commands.findingtable import print_findings
    from gis.topology import unused_enclaves

    typer.echo(f"{path.name}: {len(file)} grids")
    for note in file.notes:
        typer.echo(f"  {note}")
    for lon, lat in unused_enclaves(findings, places):
        typer.echo(f"  no gap at --enclave {lon:g},{lat:g}: nothing accepted there")
    print_findings(findings)


def _mend(
    out: Path, file: GridFile, places: list[tuple[float, float]], mode: Mode, fill_up_to_m2: float | None
) -> None:
    """Write the proposal and list what it changes; the file that was checked is not touched."""
    from api.commands.findingtable import print_repair
    from data.gridwriter import write_grids
    from gis.repair import repair

    proposal: Repair = repair(
        file.codes, file.geometry, names=file.names, enclaves=places, mode=mode, fill_up_to_m2=fill_up_to_m2
    )
    accepted = tuple(place for place in places if _accepted(proposal, place))
    notes: list[Any] = write_grids(out, file.frame, proposal.geometry, accepted)
    print_repair(proposal)
    for note in notes:
        typer.echo(f"  {note}")
    typer.echo(f"Proposal written to {out} (WGS 84). It is a proposal: look at it before you load it.")


def _accepted(proposal: Repair, place: tuple[float, float]) -> bool:
    from gis.topology import unused_enclaves

    return not unused_enclaves(proposal.remaining, [place])
