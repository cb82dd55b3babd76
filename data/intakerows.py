"""Intake of tables: rows stored as `data.intake.accept` stores submissions, the plain ones a column at a time."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from datetime import datetime
from itertools import repeat
from typing import Any
from uuid import UUID

from data.batch import TableRows
from data.decide import Policy, Question
from data.decidemany import decide_many
from data.inforce import in_force
from data.intake import Submission, new_event, refusal, with_readings
from data.plainrows import PlainRows
from data.receipttexts import Decided, decided
from gis.crs import CONVERTER
from gis.errors import GridError
from gis.locate import KERNEL
from gis.store import copyrows, events, keys
from gis.store.audit import as_json
from gis.store.boundaries import Moment
from gis.store.copyrows import Cells
from gis.store.engine import Connection
from gis.store.ids import hexes7
from gis.store.keys import KeyedRow
from gis.store.live import Live, State


@dataclass(slots=True)
class RowResult:
    """What became of the row with this number: its event (None when it was refused: `error`), new or `repeated`, and its answer."""

    row: int
    event: UUID | str | None
    grid: str | None = None
    method: str | None = None
    reason: str | None = None
    repeated: bool = False
    error: GridError | None = None


@dataclass(frozen=True)
class _Decision:
    """Who asks, and by what is decided."""

    admission: events.Admission
    state: State
    policy: Policy
    actor: str


@dataclass(frozen=True)
class _Rows:
    """Rows that are decided: with their keys, the cells to be stored, and their results; equally long."""

    keyed: list[KeyedRow]
    cells: dict[str, Cells]
    results: list[RowResult]

    def picked(self, order: Sequence[int]) -> _Rows:
        """These rows alone, in this order."""
        return _Rows(
            [self.keyed[i] for i in order],
            {name: cells.picked(order) for name, cells in self.cells.items()},
            [self.results[i] for i in order],
        )


def accept_rows(
    connection: Connection,
    live: Live,
    rows: TableRows,
    *,
    actor: str,
    policy: Policy | None = None,
    rehearse: bool = False,
    turn: AbstractContextManager[None] | None = None,
) -> list[RowResult]:
    """Every row is stored once, as `data.intake.accept` does it, when the caller's transaction commits; a result each, by number."""
    if not connection.in_transaction():
        connection.begin()
    admission = events.admit(connection, hold=not rehearse)
    state = live.state(connection, Moment(admission.received_at, admission.received_at), newest=admission.newest)
    by = in_force(connection, live, state, policy or Policy(), admission.policy)
    if by.document.rules:  # they look at every row
        rows = rows.one_by_one()
    if not len(rows):
        return []
    made = _decided(connection, live, rows, _Decision(admission, state, by, actor))
    if rehearse:
        claims = keys.rehearse_keys(connection, made.keyed)
    else:
        with turn or nullcontext():
            claims = keys.claim_keys(connection, made.keyed)
        new = made if not claims else made.picked([i for i in range(len(rows)) if i not in claims])
        if new.keyed:
            events.ensure_month(connection, admission)
            events.store_cells(connection, new.cells, [admission.received_at] * len(new.keyed))
    for i, claim in claims.items():
        made.results[i] = _known(made.results[i].row, made.keyed[i], claim)
    return made.results


def _known(row: int, keyed: KeyedRow, claim: keys.Claim) -> RowResult:
    """The result of a row whose key another event holds."""
    if claim.same_body:
        return RowResult(row, claim.event, repeated=True)
    return RowResult(row, None, error=refusal(keyed.channel, claim))


def _decided(connection: Connection, live: Live, rows: TableRows, by: _Decision) -> _Rows:
    """All rows in the order of their numbers; so are their ids."""
    ids = hexes7(by.admission.received_at, len(rows))
    plain = rows.plain
    if plain is None:
        return _others(connection, live, rows.others, ids, by)
    if not rows.others:
        return _plain(plain, rows, ids, by)
    numbered = [*plain.numbers, *(number for number, _ in rows.others)]
    order = sorted(range(len(rows)), key=numbered.__getitem__)
    named = [""] * len(rows)
    for one, place in zip(ids, order, strict=True):
        named[place] = one
    first, second = (
        _plain(plain, rows, named[: len(plain)], by),
        _others(connection, live, rows.others, named[len(plain) :], by),
    )
    cells = {name: first.cells[name].then(second.cells[name]) for name in first.cells}
    return _Rows(first.keyed + second.keyed, cells, first.results + second.results).picked(order)


def _others(
    connection: Connection, live: Live, rows: Sequence[tuple[int, Submission]], ids: Sequence[str], by: _Decision
) -> _Rows:
    """Rows that are no plain ones, each decided for itself."""
    submissions = [submission for _, submission in rows]
    at = by.admission.received_at
    asked = with_readings(connection, live, [Question.of_report(one.report, at) for one in submissions])
    decisions = decide_many(by.state, asked, by.policy)
    made = [
        new_event(UUID(one), submission, decision, by.state, by.admission, submission.actor or by.actor)
        for one, submission, decision in zip(ids, submissions, decisions, strict=True)
    ]
    keyed = [KeyedRow(str(one.id), one.channel, one.keys, one.received_at, one.body_hash) for one in made]
    results = [
        RowResult(number, event.id, decision.assignment.grid, event.method, event.reason)
        for (number, _), event, decision in zip(rows, made, decisions, strict=True)
    ]
    return _Rows(keyed, events.cells_of(made), results)


def _plain(plain: PlainRows, rows: TableRows, ids: list[str], by: _Decision) -> _Rows:
    """Plain rows: the same, without a step of Python more a row than must be."""
    found = decided(by.state, plain, by.policy, by.admission.received_at)
    at, file_key = by.admission.received_at, rows.plan.file_key
    own = plain.texts["external_id"]
    named = [
        (f"id:{own_id}",) if own_id else (f"key:{file_key}:{number}",) if file_key else ()
        for own_id, number in zip(own, plain.numbers, strict=True)
    ]
    channels: list[Any] = plain.texts["channel"]
    keyed = list(map(KeyedRow, ids, channels, named, repeat(at), plain.hashes))
    results = list(map(RowResult, plain.numbers, ids, found.grid, found.method, found.reason))
    return _Rows(keyed, _cells(plain, found, rows.plan.source, ids, by), results)


def _cells(plain: PlainRows, found: Decided, source: str | None, ids: list[str], by: _Decision) -> dict[str, Cells]:
    """What `gis.store.events.cells_of` makes of the events of plain rows."""
    count = len(plain)
    received = copyrows.repeated(copyrows.instants([by.admission.received_at]), count)
    reported = _instants(plain.times["reported_at"], received)
    constant = {
        "crs": plain.datum.name,
        "converter": CONVERTER,
        "actor": by.actor,
        "kernel": KERNEL,
    }
    shared = ("channel", "external_id", "category", "category_scheme", "text", "address", "reporter")
    return {
        **{name: copyrows.same(value, count) for name, value in constant.items()},
        **{name: copyrows.texts(plain.texts[name]) for name in shared},
        "id": copyrows.uuids(ids),
        "received_at": received,
        "reported_at": reported,
        "occurred_at": _instants(plain.times["occurred_at"], reported),
        "closed_at": _instants(plain.times["closed_at"], copyrows.same(None, count)),
        "accuracy_m": copyrows.same(None, count),
        "raw": copyrows.texts(_raw(plain, source)),
        "geom": copyrows.points(plain.lon, plain.lat),
        "lon": copyrows.numbers(plain.lon),
        "lat": copyrows.numbers(plain.lat),
        "status": copyrows.texts(plain.status),
        "grid": copyrows.uuids(found.uid),
        "method": copyrows.texts(found.method),
        "reason": copyrows.texts(found.reason),
        "generation": copyrows.repeated(copyrows.integers([by.state.index.generation]), count),
        "answer": copyrows.texts(found.answer),
        "grounds": copyrows.texts(found.grounds),
    }


def _instants(given: list[datetime | None], otherwise: Cells) -> Cells:
    """The cells of instants, another column's where there is none."""
    return copyrows.instants(given).otherwise(otherwise) if any(given) else otherwise


def _raw(plain: PlainRows, source: str | None) -> list[str]:
    """What was sent, with the file and row it came from."""
    if source is None:
        return plain.raw
    tail = f',"source":{{"file":{as_json(source)},"row":'
    return [f"{raw[:-1]}{tail}{number}}}}}" for raw, number in zip(plain.raw, plain.numbers, strict=True)]
