"""Intake of tables: rows stored as `data.intake.accept` stores submissions, the plain ones a column at a time."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from datetime import datetime
from itertools import repeat
from typing import Any, TypeVar
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

Item = TypeVar("Item")


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
    by = _entered(connection, live, actor, policy, hold=not rehearse)
    if not len(rows):
        return []
    made = _decided(connection, live, rows, by)
    if rehearse:
        return _told(made, keys.rehearse_keys(connection, made.keyed))
    return _stored(connection, made, by, turn or nullcontext())


def accept_each(
    connection: Connection,
    live: Live,
    parts: Iterable[tuple[Item, TableRows]],
    *,
    actor: str,
    policy: Policy | None = None,
) -> Iterator[tuple[Item, list[RowResult]]]:
    """Each part's results as `accept_rows` gives them, part after part in the caller's transaction, beside what came with it.

    While the server stores one part, another thread takes the next from `parts` and decides it, as far as that needs no question
    to the store.
    """
    source = iter(parts)
    with ThreadPoolExecutor(1) as pool:
        ahead = pool.submit(_next, source, _entered(connection, live, actor, policy))
        while (found := ahead.result()) is not None:
            item, rows, made, by = found
            ahead = pool.submit(_next, source, _entered(connection, live, actor, policy))
            if len(rows):
                made = made or _decided(connection, live, rows, by)
            yield item, _stored(connection, made, by, nullcontext()) if made else []


def _next(
    source: Iterator[tuple[Item, TableRows]], by: _Decision
) -> tuple[Item, TableRows, _Rows | None, _Decision] | None:
    """The next part, with its rows decided when all are plain; None when there is none."""
    found = next(source, None)
    if found is None:
        return None
    item, rows = found
    if rows.plain is None or rows.others or by.policy.document.rules:
        return item, rows, None, by
    return item, rows, _plain(rows.plain, rows, hexes7(by.admission.received_at, len(rows)), by), by


def _entered(connection: Connection, live: Live, actor: str, policy: Policy | None, *, hold: bool = True) -> _Decision:
    """An instant of reception, and by what is decided then."""
    if not connection.in_transaction():
        connection.begin()
    admission = events.admit(connection, hold=hold)
    state = live.state(connection, Moment(admission.received_at, admission.received_at), newest=admission.newest)
    return _Decision(admission, state, in_force(connection, live, state, policy or Policy(), admission.policy), actor)


def _stored(connection: Connection, made: _Rows, by: _Decision, turn: AbstractContextManager[None]) -> list[RowResult]:
    """The rows whose keys are new are in the caller's transaction; the results of all. Keys are claimed within `turn`."""
    with turn:
        claims = keys.claim_keys(connection, made.keyed)
    new = made if not claims else made.picked([i for i in range(len(made.keyed)) if i not in claims])
    if new.keyed:
        events.ensure_month(connection, by.admission)
        events.store_cells(connection, new.cells, [by.admission.received_at] * len(new.keyed))
    return _told(made, claims)


def _told(made: _Rows, claims: dict[int, keys.Claim]) -> list[RowResult]:
    """The results, those of rows whose key another event holds among them."""
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
    if by.policy.document.rules:  # they look at every row
        rows = rows.one_by_one()
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
