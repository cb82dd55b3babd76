"""Plan import: a file that a planner edited elsewhere becomes the operations of a plan."""

from __future__ import annotations

import tempfile
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from uuid import UUID

from data.load import incoming_of
from data.plans import Applied, Drafts, apply, on_newest
from data.readers import GridFile, read_grids
from gis.errors import ParameterInvalid, StateConflict
from gis.findings import Finding, ordered
from gis.partition import Boundaries, Partition, default_level
from gis.recognise import recognise
from gis.redrawrules import reused_codes
from gis.store import plans
from gis.store.engine import Connection
from gis.topology import check_raw, has_errors, mode_of

#: Media type -> ending of the files of grids that come over HTTP.
ENDINGS: Final = {
    "application/geo+json": ".geojson",
    "application/json": ".geojson",
    "application/geopackage+sqlite3": ".gpkg",
    "application/zip": ".zip",
    "application/vnd.google-earth.kml+xml": ".kml",
}


@dataclass(frozen=True)
class Fields:
    """Which layer, level and columns of a file are meant; None: as the reader finds them."""

    layer: str
    level: str | None = None
    layer_name: str | None = None
    code_field: str | None = None
    name_field: str | None = None
    parent_field: str | None = None
    crs: str | None = None
    match: str = "code"

    def read(self, path: Path) -> GridFile:
        """The file's grids."""
        return read_grids(
            path, layer=self.layer, level=self.level or default_level(self.layer), layer_name=self.layer_name,
            code_field=self.code_field, name_field=self.name_field, parent_field=self.parent_field, crs=self.crs,
        )  # fmt: skip


@dataclass(frozen=True)
class Imported:
    """What a file became: the plan after its last operation (None: the file changes nothing), and what is doubtful about the file."""

    last: Applied | None
    kinds: Counter[str]
    findings: list[Finding]


def read_sent(body: bytes, kind: str, fields: Fields) -> GridFile:
    """The grids of a file that came as bytes. ParameterInvalid for a media type that holds none."""
    if kind not in ENDINGS:
        raise ParameterInvalid(f"a file of grids is {', '.join(ENDINGS)}, not {kind}", place="Content-Type")
    with tempfile.TemporaryDirectory(prefix="gridbeat-") as folder:
        path = Path(folder) / f"sent{ENDINGS[kind]}"
        path.write_bytes(body)
        return fields.read(path)


def import_file(
    connection: Connection, drafts: Drafts, plan: UUID, expected: int, file: GridFile, match: str, author: str
) -> Imported:
    """What the file changes stands at the end of the plan, as operations, when the caller commits.

    A file with errors of its own changes nothing: they are the findings. Codes that stand for other ground than before are
    findings too. Raises Stale, StateConflict, and what `gis.redraw` raises.
    """
    if match not in {"code", "area"}:
        raise ParameterInvalid("match is code or area", place="match")
    held = plans.hold(connection, plan, expected)
    plans.refuse_unless(held, "draft")
    _, draft = on_newest(connection, drafts, held)
    incoming = incoming_of(file, match=match)
    findings = check_raw(file.codes, file.geometry, names=file.names, mode=mode_of(file.layer))
    # Other programs leave out the neighbour's vertex when they cut a border: the operations put it back.
    findings = [one for one in findings if one.kind != "unmatched_edge"]
    findings = ordered([*findings, *_reused(draft.boundaries, file)])
    if has_errors(findings):
        return Imported(None, Counter(), findings)
    last: Applied | None = None
    seen, kinds = expected, Counter[str]()
    for body in recognise(draft.boundaries, incoming):
        last = apply(connection, drafts, plan, body, seen, author)
        seen = last.plan.revision
        kinds[last.operation.op] += 1
    if last is None and not findings:
        raise StateConflict("the file says what the plan says already", place="body")
    return Imported(last, kinds, findings)


def _reused(before: Boundaries, file: GridFile) -> list[Finding]:
    held = before.partition(file.layer, file.level)
    if held is None or len(set(file.codes)) != len(file.codes):
        return []
    return reused_codes(held, Partition(file.layer, file.level, tuple(file.codes), file.geometry))


def told(kinds: Counter[str]) -> dict[str, Any]:
    """How many operations of each kind."""
    return dict(sorted(kinds.items()))
