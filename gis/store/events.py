"""Events: how reports are stored with their receipts, once each, and read back."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import groupby
from typing import Any
from uuid import UUID

import numpy as np
import sqlalchemy as sa

from gis.errors import EventUnknown, GridUnknown, ParameterInvalid
from gis.partition import LAYERS
from gis.store import copyrows
from gis.store.audit import as_json
from gis.store.copyrows import Cells
from gis.store.generations import GENERATION_LOCK
from gis.store.ids import EPOCH, made_at, octets7, uuid7


@dataclass(frozen=True)
class Admission:
    """An open intake: the instant it happened, and the newest generation and policy, which cannot change until it commits.

    `month_ready`: whether that instant's month can be stored into.
    """

    received_at: datetime
    newest: int
    policy: int
    month_ready: bool


@dataclass
class NewEvent:
    """An event about to be stored with its first receipt; `keys` are those under which it may come again."""

    id: UUID
    received_at: datetime
    reported_at: datetime
    occurred_at: datetime
    channel: str
    external_id: str | None
    category: str | None
    category_scheme: str | None
    text: str | None
    address: str | None
    reporter: str | None
    accuracy_m: float | None
    raw: dict[str, Any]
    crs: str
    converter: str
    lon: float | None
    lat: float | None
    status: str
    closed_at: datetime | None
    grid: str | None  # uid
    method: str
    reason: str | None
    generation: int
    actor: str
    answer: dict[str, Any]
    grounds: dict[str, Any]
    kernel: str
    body_hash: bytes
    keys: tuple[str, ...] = ()


#: A statement of its own: its snapshot must be taken after the lock was. (Sent in one message, they still are two.)
ENTER = f"SELECT pg_advisory_xact_lock_shared({GENERATION_LOCK})"
ADMIT = """
    SELECT now, (SELECT coalesce(max(number), 0) FROM generation),
           (SELECT coalesce(max(number), 0) FROM policy),
           to_regclass('event_' || to_char(now AT TIME ZONE 'UTC', 'YYYY_MM')) IS NOT NULL
    FROM (SELECT clock_timestamp() AS now OFFSET 0) AS clock
"""


def admit(connection: sa.Connection, *, hold: bool = True) -> Admission:
    """The instant of reception; with `hold` no generation is published from here until the transaction ends."""
    cursor: Any = connection.connection.cursor()
    cursor.execute(f"{ENTER};{ADMIT}" if hold else ADMIT, prepare=False)
    if hold:
        cursor.nextset()
    return Admission(*cursor.fetchone())


ENSURE_MONTH = sa.text("SELECT ensure_month(:instant)")


def ensure_month(connection: sa.Connection, admission: Admission) -> None:
    """The month of the admission can be stored into afterwards."""
    if not admission.month_ready:
        connection.execute(ENSURE_MONTH, {"instant": admission.received_at})


EVENT_ROW = (
    "event (id, received_at, reported_at, occurred_at, channel, external_id, category, category_scheme, text, address, "
    "reporter, accuracy_m, raw, crs, converter, geom, status, closed_at, grid, method, reason, generation, actor)"
)
RECEIPT_ROW = (
    "assignment (id, event, received_at, made_at, cause, at, known_at, generation, kernel, converter, grid, method, reason, "
    "lon, lat, answer, grounds, actor)"
)
#: Whether receipts may go straight into their month. The lock is the one that storing them takes anyway, and that `watch_receipts`
#: waits for: so nobody begins to watch in between. (Sent in one message, they still are two.)
UNWATCHED = """
    LOCK TABLE ONLY assignment IN ROW EXCLUSIVE MODE;
    SELECT NOT EXISTS (SELECT FROM pg_trigger WHERE tgrelid = 'assignment'::regclass AND tgname = 'assignment_tells_webhooks')
"""


def _places(row: str) -> str:
    return ", ".join(["%s"] * (row.count(",") + 1))


#: One event and its receipt in one message; the driver prepares it after its fifth use.
INSERT_ONE = (
    f"WITH stored AS (INSERT INTO {EVENT_ROW} VALUES ({_places(EVENT_ROW)})) "  # noqa: S608 - constants
    f"INSERT INTO {RECEIPT_ROW} VALUES ({_places(RECEIPT_ROW)})"
)


#: For fewer receipts, asking whether webhooks watch costs more than the way past them saves.
MANY = 100


def store_events(connection: sa.Connection, events: Sequence[NewEvent], cause: str = "received") -> None:
    """The events and their first receipts are in the caller's transaction; one by INSERT, many by COPY."""
    if len(events) == 1:
        cursor: Any = connection.connection.cursor()
        cursor.execute(INSERT_ONE, (*_event_row(events[0]), *_receipt_row(events[0], cause)))
        return
    store_cells(connection, cells_of(events), [event.received_at for event in events], cause)


def cells_of(events: Sequence[NewEvent]) -> dict[str, Cells]:
    """Every column of EVENT_ROW, and those of RECEIPT_ROW that tell of the decision, as COPY takes it."""
    return _cells({name: [getattr(event, name) for event in events] for name in _FIELDS})


def store_cells(
    connection: sa.Connection, cells: Mapping[str, Cells], received_at: Sequence[datetime], cause: str = "received"
) -> None:
    """The events whose cells these are (as `cells_of` makes them) and their first receipts are in the caller's transaction."""
    month = month_of(received_at)
    _copy(connection, EVENT_ROW, cells, month)
    receipts = {
        "id": copyrows.octets(np.concatenate([octets7(at, sum(1 for _ in rows)) for at, rows in groupby(received_at)])),
        "event": cells["id"],
        **dict.fromkeys(("made_at", "at", "known_at"), cells["received_at"]),
        "cause": copyrows.same(cause, len(received_at)),
    }
    straight = len(received_at) >= MANY and _unwatched(connection)
    _copy(connection, RECEIPT_ROW, {**cells, **receipts}, month if straight else "")


def _copy(connection: sa.Connection, row: str, cells: Mapping[str, Cells], month: str) -> None:
    """The rows are in their table; those of one month go straight into it, at half of what finding it for every row costs."""
    table, columns = row.split(" ", 1)
    copyrows.copy(connection, f"{table}{month} {columns}", [cells[name] for name in _names(row)])


def _unwatched(connection: sa.Connection) -> bool:
    """Whether no webhook is told of receipts before this transaction ends."""
    cursor: Any = connection.connection.cursor()
    cursor.execute(UNWATCHED, prepare=False)
    cursor.nextset()
    return bool(cursor.fetchone()[0])


def month_of(received_at: Sequence[datetime]) -> str:
    """What the tables of the month that all instants lie in are called behind `event`, `assignment`; "" for several."""
    months = {f"{at.astimezone(UTC):_%Y_%m}" for at in set(received_at)}
    return months.pop() if len(months) == 1 else ""


def _names(row: str) -> list[str]:
    return row[row.index("(") + 1 : -1].split(", ")


def _cells(columns: dict[str, list[Any]]) -> dict[str, Cells]:
    """Every column as COPY takes it."""
    cells = {name: _KINDS.get(name, copyrows.texts)(values) for name, values in columns.items()}
    return cells | {"geom": copyrows.points(columns["lon"], columns["lat"])}


_FIELDS = tuple(name for name in NewEvent.__dataclass_fields__ if name not in {"body_hash", "keys"})

#: What the columns hold; the others are text.
_KINDS: dict[str, Callable[[Any], Cells]] = {
    **dict.fromkeys(("id", "grid"), copyrows.uuids),
    **dict.fromkeys(("received_at", "reported_at", "occurred_at", "closed_at"), copyrows.instants),
    **dict.fromkeys(("accuracy_m", "lon", "lat"), copyrows.numbers),
    **dict.fromkeys(("raw", "answer", "grounds"), copyrows.documents),
    "generation": copyrows.integers,
}


def _event_row(event: NewEvent) -> tuple[Any, ...]:
    point = None if event.lon is None else f"SRID=4326;POINT({event.lon!r} {event.lat!r})"
    return (
        event.id, event.received_at, event.reported_at, event.occurred_at, event.channel, event.external_id, event.category,
        event.category_scheme, event.text, event.address, event.reporter, event.accuracy_m, as_json(event.raw), event.crs,
        event.converter, point, event.status, event.closed_at, event.grid, event.method, event.reason, event.generation,
        event.actor,
    )  # fmt: skip


def _receipt_row(event: NewEvent, cause: str) -> tuple[Any, ...]:
    return (
        uuid7(event.received_at), event.id, event.received_at, event.received_at, cause, event.received_at, event.received_at,
        event.generation, event.kernel, event.converter, event.grid, event.method, event.reason, event.lon, event.lat,
        as_json(event.answer), as_json(event.grounds), event.actor,
    )  # fmt: skip


def as_read(event: NewEvent, cause: str = "received") -> dict[str, Any]:
    """The row that `read_event` gives for an event that was just stored, without asking."""
    kept = {name: getattr(event, name) for name in READ_FIELDS}
    suggestions = (
        event.grounds["readings"]["candidates"] if event.grid is None and "readings" in event.grounds else None
    )
    told = {"status_reason": None, "cause": cause, "suggestions": suggestions}
    return kept | {"raw": json.loads(as_json(event.raw)), **told}


#: What an event keeps as it was given.
READ_FIELDS = (
    "id", "received_at", "reported_at", "occurred_at", "channel", "external_id", "category", "category_scheme", "text",
    "address", "reporter", "accuracy_m", "crs", "status", "closed_at", "method", "reason", "generation", "lon", "lat", "answer",
)  # fmt: skip

EVENT_COLUMNS = """
    SELECT e.id, e.received_at, e.reported_at, e.occurred_at, e.channel, e.external_id, e.category, e.category_scheme, e.text,
           e.address, e.reporter, e.accuracy_m, e.crs, e.raw, e.status, e.closed_at, e.status_reason, e.method, e.reason,
           e.generation, ST_X(e.geom) AS lon, ST_Y(e.geom) AS lat, a.answer, a.cause,
           CASE WHEN e.grid IS NULL THEN a.grounds->'readings'->'candidates' END AS suggestions
    FROM event e
    JOIN LATERAL (
        SELECT answer, cause, grounds FROM assignment a WHERE a.event = e.id AND a.received_at = e.received_at ORDER BY a.id DESC LIMIT 1
    ) a ON true
"""
ONE_EVENT = sa.text(EVENT_COLUMNS + "WHERE e.id = :id AND e.received_at >= :from AND e.received_at < :until")


def when(event: UUID) -> dict[str, datetime]:
    """The millisecond an id was made in: leads to the month without asking all. Empty for an id beyond the calendar."""
    try:
        instant = made_at(event)
        return {"from": instant, "until": instant + timedelta(milliseconds=1)}
    except OverflowError:  # no id of ours
        return {"from": EPOCH, "until": EPOCH}


def read_event(connection: sa.Connection, event: UUID) -> dict[str, Any]:
    """One event with its newest assignment; EventUnknown when there is none."""
    row = connection.execute(ONE_EVENT, {"id": event, **when(event)}).first()
    if row is None:
        raise EventUnknown(f"no event has the id {event}", place=str(event))
    return dict(row._mapping)


@dataclass(frozen=True)
class EventFilter:
    """What a list of events is narrowed by; None does not narrow. Times are of `occurred_at`, half-open."""

    bbox: tuple[float, float, float, float] | None = None
    begin: datetime | None = None
    end: datetime | None = None
    grid: str | None = None
    layer: str | None = None
    category: str | None = None
    channel: str | None = None
    status: str | None = None
    unassigned: bool = False
    collapse: bool = False  # of linked duplicates only the earliest, which stands for the others
    limit: int = 100
    before: tuple[datetime, UUID] | None = None


LAYER_NAMES = tuple(name for name, _, _ in LAYERS)
#: Each condition stands alone, so that the planner sees only those that were asked for.
CONDITIONS = {
    "bbox": "e.geom && ST_MakeEnvelope(:west, :south, :east, :north, 4326)",
    "begin": "e.occurred_at >= :begin",
    "end": "e.occurred_at < :end",
    "grid": "e.grid = ANY(CAST(:grid_uids AS uuid[]))",
    "layer": "EXISTS (SELECT 1 FROM grid g WHERE g.uid = e.grid AND g.layer = :layer)",
    "category": "e.category = :category",
    "channel": "e.channel = :channel",
    "status": "e.status = :status",
    "unassigned": "e.grid IS NULL AND e.status = 'open'",
    "collapse": "NOT EXISTS (SELECT 1 FROM event_duplicate d WHERE d.event = e.id)",
    "before": "(e.received_at, e.id) < (:before_at, :before_id)",
}


def _conditions(wanted: EventFilter) -> tuple[str, dict[str, Any]]:
    asked = {name: value for name, value in vars(wanted).items() if name in CONDITIONS and value not in (None, False)}
    if wanted.layer is not None and wanted.layer not in LAYER_NAMES:
        raise ParameterInvalid(f"there is no layer {wanted.layer}: use {', '.join(LAYER_NAMES)}", place="layer")
    values = {"limit": wanted.limit} | {name: value for name, value in asked.items() if name not in {"bbox", "before"}}
    if wanted.bbox:
        values |= dict(zip(("west", "south", "east", "north"), wanted.bbox, strict=True))
    if wanted.before:
        values |= {"before_at": wanted.before[0], "before_id": wanted.before[1]}
    where = " AND ".join(CONDITIONS[name] for name in asked)
    return (f"WHERE {where} " if where else ""), values


def list_events(connection: sa.Connection, wanted: EventFilter) -> list[dict[str, Any]]:
    """One page of events, newest received first. `grid` is a code, of any time, or a uid; GridUnknown for one that never was."""
    where, values = _conditions(wanted)
    if wanted.grid is not None:
        values["grid_uids"] = _uids_of(connection, wanted.grid)
    statement = EVENT_COLUMNS + where + "ORDER BY e.received_at DESC, e.id DESC LIMIT :limit"
    return [dict(row._mapping) for row in connection.execute(sa.text(statement), values)]


def _uids_of(connection: sa.Connection, name: str) -> list[str]:
    rows = connection.execute(
        sa.text("SELECT DISTINCT grid::text FROM grid_code WHERE code = :name OR grid::text = :name"), {"name": name}
    )
    uids = list(rows.scalars())
    if not uids:
        raise GridUnknown(f"no grid ever had the code or uid {name}", place=name)
    return uids


MAPPED = """
    SELECT e.grid::text AS grid, e.method, e.category, e.channel, e.status, e.reported_at, e.text, e.address,
           ST_X(e.geom) AS lon, ST_Y(e.geom) AS lat
    FROM event e
"""


def mapped_events(connection: sa.Connection, wanted: EventFilter, most: int) -> Sequence[Any]:
    """What a map needs of the events that the filter lets through, at most the `most` newest, newest first (no cursor)."""
    where, values = _conditions(wanted)
    if wanted.grid is not None:
        values["grid_uids"] = _uids_of(connection, wanted.grid)
    newest = "ORDER BY e.received_at DESC, e.id DESC LIMIT :limit"
    return connection.execute(sa.text(MAPPED + where + newest), values | {"limit": most}).all()


RECEIPTS = sa.text("""
    SELECT id, made_at, cause, at, known_at, generation, kernel, converter, method, reason, lon, lat, answer, grounds, actor
    FROM assignment WHERE event = :id AND received_at >= :from AND received_at < :until ORDER BY id
""")


def receipts(connection: sa.Connection, event: UUID) -> list[dict[str, Any]]:
    """All receipts of an event, oldest first; EventUnknown when there is no such event."""
    read_event(connection, event)
    return [dict(row._mapping) for row in connection.execute(RECEIPTS, {"id": event, **when(event)})]


def count_by_grid(connection: sa.Connection, *, collapse: bool = False) -> dict[str | None, int]:
    """Number of events by the uid of their grid; None counts those without one. `collapse` counts linked duplicates once."""
    where, _ = _conditions(EventFilter(collapse=collapse))
    rows = connection.execute(sa.text(f"SELECT grid::text AS grid, count(*) AS n FROM event e {where}GROUP BY grid"))  # noqa: S608 - constants
    return {row.grid: row.n for row in rows}


def reports_named(connection: sa.Connection, external_ids: Sequence[str]) -> dict[str, tuple[UUID, datetime]]:
    """External id -> id and time of occurrence, of those of these reports that are stored."""
    rows = connection.execute(
        sa.text("SELECT external_id, id, occurred_at FROM event WHERE external_id = ANY(CAST(:named AS text[]))"),
        {"named": list(external_ids)},
    )
    return {row.external_id: (row.id, row.occurred_at) for row in rows}
