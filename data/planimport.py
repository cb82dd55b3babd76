"""Plan import: a file that a planner edited elsewhere becomes the operations of a plan."""

from __future__ import annotations

import re
import tempfile
from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final
from uuid import UUID

import numpy as np
import shapely

from data.load import incoming_of
from data.plans import Applied, Draft, Drafts, apply, on_newest
from data.readers import GridFile, read_grids
from gis.errors import GridError, ParameterInvalid, StateConflict
from gis.findings import Finding, ordered
from gis.partition import Boundaries, Partition, default_level
from gis.recognise import recognise
from gis.redrawrules import reused_codes
from gis.snapping import NOISE, rounding, settled
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

#: So many grids are named where there may be many.
NAMED: Final = 20


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
    """What a file became: the plan after its last operation (None: the file changes nothing), and what is doubtful about the file.

    `notes` say how it was read, and which grids it leaves out.
    """

    last: Applied | None
    kinds: Counter[str]
    findings: list[Finding]
    notes: list[str]


def read_sent(body: bytes, kind: str, fields: Fields) -> GridFile:
    """The grids of a file that came as bytes. ParameterInvalid for a media type that holds none."""
    if kind not in ENDINGS:
        raise ParameterInvalid(f"a file of grids is {', '.join(ENDINGS)}, not {kind}", place="Content-Type")
    with tempfile.TemporaryDirectory(prefix="gridbeat-") as folder:
        path = Path(folder) / f"sent{ENDINGS[kind]}"
        path.write_bytes(body)
        try:
            return fields.read(path)
        except GridError as error:  # the reader speaks of the terminal's options
            error.message = _as_parameters(error.message)
            error.place = None if error.place is None else _as_parameters(error.place)
            raise


def _as_parameters(words: str) -> str:
    return re.sub(r"--([a-z]+(?:-[a-z]+)*)", lambda option: option[1].replace("-", "_"), words)


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
    file, notes = _unrounded(file, draft.boundaries)
    incoming = incoming_of(file, match=match)
    findings = check_raw(file.codes, file.geometry, names=file.names, mode=mode_of(file.layer))
    # Other programs leave out the neighbour's vertex when they cut a border: the operations put it back.
    findings = [one for one in findings if one.kind != "unmatched_edge"]
    findings = ordered([*findings, *_reused(draft.boundaries, file)])
    if has_errors(findings):
        return Imported(None, Counter(), findings, notes)
    last: Applied | None = None
    seen, kinds = expected, Counter[str]()
    for body in recognise(draft.boundaries, incoming):
        last = apply(connection, drafts, plan, body, seen, author)
        seen = last.plan.revision
        kinds[last.operation.op] += 1
    if last is None and not findings:
        raise StateConflict("the file says what the plan says already", place="body")
    return Imported(last, kinds, findings, [*notes, *_left_out(draft, last)])


def _unrounded(file: GridFile, before: Boundaries) -> tuple[GridFile, list[str]]:
    """The file with what its few decimals moved put back on our borders, and a note of it."""
    held = before.partition(file.layer, file.level)
    near = rounding(file.frame.geometry.to_numpy() if file.frame is not None else file.geometry)
    polygons = np.isin(shapely.get_type_id(file.geometry), (3, 6)) & shapely.is_valid(file.geometry)
    if held is None or near <= NOISE or not polygons.all():
        return file, []
    note = f"the file's coordinates have few decimals: what differs by less than {near * 111_000:.2f} m is taken for rounding"
    return replace(file, geometry=settled(file.geometry, held.geometry, near)), [note]


def _left_out(before: Draft, last: Applied | None) -> list[str]:
    """A note that names the grids which the file has not, nor anything made of them."""
    net = last.draft.net if last is not None else ()
    units = (before.boundaries.units.get(one.predecessor or "") for one in net if one.successor is None)
    codes = sorted(unit.code for unit in units if unit is not None)
    more = f" and {len(codes) - NAMED} more" if len(codes) > NAMED else ""
    return [f"the file does not have {', '.join(codes[:NAMED])}{more}: these grids end"] if codes else []


def _reused(before: Boundaries, file: GridFile) -> list[Finding]:
    held = before.partition(file.layer, file.level)
    if held is None or len(set(file.codes)) != len(file.codes):
        return []
    return reused_codes(held, Partition(file.layer, file.level, tuple(file.codes), file.geometry))


def told(kinds: Counter[str]) -> dict[str, Any]:
    """How many operations of each kind."""
    return dict(sorted(kinds.items()))
