"""`gridbeat check` on files with real faults: Pune's wards, DC's areas, city B; the truths are CATALOG.md's and expected.json's."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import typer
from typer.testing import CliRunner

from api.commands import check as command
from data.readers import read_grids
from gis.findings import has_errors, summary
from gis.repair import repair
from gis.topology import check_raw
from tests.acceptance.check import Check, at_most, equal

#: Pune cantonment lies inside the city and is no part of it.
PUNE_ENCLAVE = "73.889,18.507"


def run(shared: Path, work: Path) -> Iterator[Check]:
    """Counts of findings, exit codes, and repairs that pass the check.

    expected.json counts 24 gaps in Pune 2017: it measured in UTM, where one hole (197.6 m2, nearly pinched off) falls into two of
    156.6 and 40.9 m2. In the file's own coordinates it is one, so 23 is right here.
    """
    yield from _pune(shared / "pune" / "wards_2012.geojson", work)
    yield from _dc(shared / "dc", work)
    yield from _others(shared)
    yield from _city_b(shared)


def _gridbeat(*arguments: object) -> tuple[int, str]:
    app = typer.Typer()
    app.callback()(lambda: None)
    command.register(app)
    result = CliRunner().invoke(app, ["check", *map(str, arguments)])
    return result.exit_code, result.output


def _reported(path: Path, work: Path, *arguments: object) -> tuple[int, dict[str, int], list[dict[str, object]]]:
    out = work / "report.json"
    code, _ = _gridbeat(path, "--report", out, *arguments)
    body = json.loads(out.read_text(encoding="utf-8"))
    return code, body["summary"], body["findings"]


def _pune(path: Path, work: Path) -> Iterator[Check]:
    field = ("--code-field", "wardnum")
    code, counted, _ = _reported(path, work, *field)
    yield equal("Pune 2012: overlaps, gaps > 1 m2, exit", (48, 214, 1), (counted["overlap"], counted["gap"], code))
    _, _, findings = _reported(path, work, *field, "--enclave", PUNE_ENCLAVE)
    accepted = [finding for finding in findings if finding["accepted"]]
    yield equal("Pune 2012: gaps accepted by --enclave", 1, len(accepted))
    for ending in (".geojson", ".gpkg", ".zip"):
        mended = work / f"pune{ending}"
        _, said = _gridbeat(path, *field, "--enclave", PUNE_ENCLAVE, "--repair", mended)
        yield equal(
            f"Pune 2012 repaired as {ending}: differences listed", "57 of 76", said.partition("Differences: ")[2][:8]
        )
        code, counted, _ = _reported(mended, work, *field)
        yield equal(f"Pune 2012 repaired as {ending}: exit, findings", (0, {"gap": 1}), (code, counted))


def _dc(dc: Path, work: Path) -> Iterator[Check]:
    code, counted, _ = _reported(dc / "smd_2013.parquet", work, "--code-field", "SMD_ID")
    yield equal("DC SMD 2013: exit, findings", (0, {}), (code, counted))
    parents = ("--parent", dc / "anc_2013.parquet", "--parent-field", "ANC_ID", "--parent-code-field", "ANC_ID")
    code, counted, _ = _reported(dc / "smd_2013.parquet", work, "--code-field", "SMD_ID", *parents)
    yield equal("DC SMD 2013 in their ANCs: exit, findings", (0, {}), (code, counted))
    code, counted, _ = _reported(dc / "voting_precinct_2012.parquet", work)
    yield equal("DC precincts 2012: overlaps, gaps, exit", (17, 34, 1), (counted["overlap"], counted["gap"], code))
    code, counted, findings = _reported(dc / "smd_2002.parquet", work, "--code-field", "SMD_ID")
    gaps = sum(finding["kind"] == "sliver" and "no grid" in str(finding["message"]) for finding in findings)
    got = (counted["invalid"], gaps, counted["sliver"] - gaps, counted["unmatched_edge"], code)
    yield equal("DC SMD 2002: invalid, sliver gaps, sliver overlaps, unmatched, exit", (1, 5, 5, 10, 1), got)
    for name in ("smd_2002", "voting_precinct_2012"):
        mended = work / f"{name}.gpkg"
        _gridbeat(dc / f"{name}.parquet", "--repair", mended)
        yield equal(f"DC {name} repaired: exit", 0, _gridbeat(mended)[0])


def _others(shared: Path) -> Iterator[Check]:
    for name, overlaps, gaps in (("pune/wards_2017.geojson", 23, 23), ("providence/precincts.parquet", 1, 3)):
        file = read_grids(shared / name, layer="general", rows_as_codes=True)
        counted = summary(check_raw(file.codes, file.geometry))
        yield equal(f"{name}: overlaps, gaps > 1 m2", (overlaps, gaps), (counted["overlap"], counted["gap"]))
    for name in ("shanghai/streets_7_bund.geojson", "dc/ward_2012.parquet", "dc/anc_2013.parquet", "dc/psa.parquet"):
        file = read_grids(shared / name, layer="general", rows_as_codes=True)
        yield equal(f"{name}: errors", False, has_errors(check_raw(file.codes, file.geometry)))


def _city_b(shared: Path) -> Iterator[Check]:
    """City B's general layer, when somebody made it (GRIDBEAT_BENCH, else /tmp/gridbeat-bench)."""
    import os

    path = Path(os.environ.get("GRIDBEAT_BENCH", "/tmp/gridbeat-bench")) / "B_grids.parquet"  # noqa: S108 - the generator's own place
    if not path.exists():
        return
    file = read_grids(path, layer="general")
    rows = np.flatnonzero(file.frame["layer"].to_numpy() == "general")
    codes, shapes = [file.codes[row] for row in rows], file.geometry[rows]
    begun = time.monotonic()
    findings = check_raw(codes, shapes)
    took = time.monotonic() - begun
    yield equal("city B, general layer: errors", 0, sum(finding.severity == "error" for finding in findings))
    yield at_most("city B, general layer: check takes", 3.0, took, "s")
    yield equal("city B, general layer: grids a repair changes", 0, len(repair(codes, shapes).changes))
