"""Load: a file of grids becomes a generation, a table of reports becomes events; a dry run first, the same code then for real."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from data.batch import RowPlan, TableRows, rejection, row_of, table_rows
from data.decide import Policy
from data.intakerows import RowResult, accept_rows
from data.lanes import LANES, Turn, in_lanes, unswept
from data.publishing import publish_incoming
from data.readers import GridFile
from data.rowchunk import Rejection, RowChunk
from gis.findings import Finding
from gis.hierarchy import parent_findings
from gis.partition import Boundaries
from gis.store import generations
from gis.store.engine import Connection, Engine
from gis.store.generations import Generation, Publication
from gis.store.keys import open_rehearsal
from gis.store.live import Live
from gis.supersede import Incoming, Supersession
from gis.topology import check_raw, has_errors, mode_of, ordered

#: Rows that are committed together.
CHUNK = 5_000


@dataclass
class EventsLoaded:
    """What became of a table of reports; in a dry run, what would."""

    rows: int = 0
    stored: int = 0
    repeated: int = 0
    rejected: int = 0
    methods: Counter[str] = field(default_factory=Counter)
    reasons: Counter[str] = field(default_factory=Counter)

    def add(self, results: Iterable[RowResult]) -> None:
        """Count the results of stored and repeated rows."""
        for one in results:
            if one.repeated:
                self.repeated += 1
            elif one.error is None and one.method is not None:
                self.stored += 1
                self.methods[one.method] += 1
                if one.reason:
                    self.reasons[one.reason] += 1


def file_key(path: Path) -> str:
    """SHA-256 of a file: with the row number it names a row that has no id of its own, so that loading twice stores once."""
    with path.open("rb") as file:
        return f"file:{hashlib.file_digest(file, 'sha256').hexdigest()}"


def load_events(
    engine: Engine,
    live: Live,
    chunks: Iterable[RowChunk],
    plan: RowPlan,
    *,
    actor: str,
    commit: bool,
    policy: Policy | None = None,
    on_rejected: Callable[[Rejection], None] = lambda _: None,
    on_progress: Callable[[int], None] = lambda _: None,
    on_taken: Callable[[TableRows], None] = lambda _: None,
) -> EventsLoaded:
    """Every usable row is an event once, committed in chunks; the others go to `on_rejected`. Memory stays flat.

    A load that was cut off is repeated whole: rows that are there already count as `repeated`. `on_taken` sees the usable
    rows. Without `commit` nothing is stored and the figures are those of the real run.
    """
    loaded = EventsLoaded()
    with (
        _storing(engine, live, actor=actor, policy=policy, commit=commit) as store,
        unswept() as between,
        closing(in_lanes(_parts(chunks, plan, on_taken), store, lanes=LANES if commit else 1)) as stored,
    ):
        for part, results in stored:
            loaded.rows += part.count
            loaded.add(results)
            refused = part.refused + [
                rejection(one.row, one.error, row_of(part.taken.chunk, one.row))
                for one in results
                if one.error is not None
            ]
            loaded.rejected += len(refused)
            for one in sorted(refused, key=lambda one: one.row):
                on_rejected(one)
            on_progress(loaded.rows)
            between()
    return loaded


@dataclass(frozen=True)
class _Part:
    """Rows that are committed together, those that cannot be taken, and how many there were."""

    taken: TableRows
    refused: list[Rejection]
    count: int


def _parts(chunks: Iterable[RowChunk], plan: RowPlan, on_taken: Callable[[TableRows], None]) -> Iterator[_Part]:
    for chunk in chunks:
        for piece in chunk.pieces(CHUNK):
            rows, refused = table_rows(piece, plan, datetime.now(UTC))
            on_taken(rows)
            yield _Part(rows, refused, len(piece) + len(piece.rejected))


@contextmanager
def _storing(
    engine: Engine, live: Live, *, actor: str, policy: Policy | None, commit: bool
) -> Iterator[Callable[[_Part, Turn], list[RowResult]]]:
    """How a part is stored, in a transaction of its own; without `commit` it is rehearsed, all parts on one connection."""

    def store(part: _Part, turn: Turn) -> list[RowResult]:
        with engine.begin() as connection:
            return accept_rows(connection, live, part.taken, actor=actor, policy=policy, turn=turn)

    if commit:
        yield store
        return
    with engine.connect() as connection:
        with connection.begin():
            open_rehearsal(connection)

        def rehearse(part: _Part, _: Turn) -> list[RowResult]:
            with connection.begin():
                return accept_rows(connection, live, part.taken, actor=actor, policy=policy, rehearse=True)

        yield rehearse


@dataclass(frozen=True)
class GridsLoaded:
    """What is wrong with a file of grids, what it would change (None when errors forbid it), and the generation it became."""

    findings: list[Finding]
    change: Supersession | None = None
    generation: Generation | None = None


def incoming_of(file: GridFile, *, profile: str = "external", match: str = "code") -> Incoming:
    """A file's grids as the whole content of their layer and level; a grid without a name is called by its code."""
    names = tuple(name or code for name, code in zip(file.names, file.codes, strict=True))
    return Incoming(
        file.layer, file.level, tuple(file.codes), names, tuple(file.parents), file.geometry, profile, match
    )


def load_grids(
    connection: Connection,
    file: GridFile,
    publication: Publication,
    *,
    enclaves: Sequence[tuple[float, float]] = (),
    commit: bool,
) -> GridsLoaded:
    """The file's findings and what it would change; with `commit` and no error it is published in the caller's transaction.

    `publication.incoming` is the file (`incoming_of`). Open events follow. Raises what `gis.store.generations.publish` raises.
    """
    mode = mode_of(file.layer)
    voided = generations.voided_codes(connection)
    findings = check_raw(file.codes, file.geometry, names=file.names, enclaves=enclaves, voided=voided, mode=mode)
    if has_errors(findings):
        return GridsLoaded(findings)
    _, after, change = generations.preview(connection, publication)
    findings = ordered([*findings, *_parent_findings(file, after)])
    if not commit or has_errors(findings):
        return GridsLoaded(findings, change)
    return GridsLoaded(findings, change, publish_incoming(connection, publication))


def _parent_findings(file: GridFile, after: Boundaries) -> list[Finding]:
    """The file against the grids above, as they will be when it is in force."""
    partition, above = after.partition(file.layer, file.level), after.above(file.level)
    if partition is None or above is None:
        return []
    units = (after.by_code[code] for code in partition.codes)
    parent_of = {unit.code: after.units[unit.parent].code for unit in units if unit.parent}
    lenient = mode_of(file.layer) == "overlay"
    return parent_findings(partition.codes, partition.geometry, above, parent_of, lenient=lenient)


def summary_of(loaded: EventsLoaded) -> dict[str, Any]:
    """The figures of a load as JSON."""
    return {
        "rows": loaded.rows,
        "stored": loaded.stored,
        "repeated": loaded.repeated,
        "rejected": loaded.rejected,
        "methods": dict(loaded.methods),
        "reasons": dict(loaded.reasons),
    }
