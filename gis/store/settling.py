"""Settling: an event gets another assignment, status or position after it was stored; every step leaves a receipt or an audit line."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from gis.errors import EventUnknown
from gis.store import owing
from gis.store.audit import as_json
from gis.store.events import when
from gis.store.ids import span_of, uuid7


@dataclass(frozen=True)
class HeldEvent:
    """An event whose row this transaction holds: nobody else can settle it until it ends."""

    id: UUID
    received_at: datetime
    status: str
    method: str
    generation: int
    grid: str | None  # uid
    grounds: dict[str, Any]
    answer: dict[str, Any]


@dataclass(frozen=True)
class NewReceipt:
    """A further receipt of an event: why, decided at which moment, by which boundaries, and what it says."""

    cause: str
    at: datetime
    known_at: datetime
    made_at: datetime
    generation: int
    kernel: str
    converter: str
    grid: str | None  # uid
    method: str
    reason: str | None
    lon: float | None
    lat: float | None
    answer: dict[str, Any]
    grounds: dict[str, Any]
    actor: str


HOLD = sa.text("""
    SELECT id, received_at, status, method, generation, grid::text AS grid FROM event
    WHERE id = :id AND received_at >= :from AND received_at < :until FOR UPDATE
""")
NEWEST_RECEIPT = sa.text("""
    SELECT grounds, answer FROM assignment WHERE event = :id AND received_at = :received_at ORDER BY id DESC LIMIT 1
""")


def hold(connection: sa.Connection, event: UUID) -> HeldEvent:
    """The event, held until the transaction ends; EventUnknown when there is none. Nobody reassigns meanwhile."""
    owing.settle_beside_others(connection)
    row = connection.execute(HOLD, {"id": event, **when(event)}).first()
    if row is None:
        raise EventUnknown(f"no event has the id {event}", place=str(event))
    receipt = connection.execute(NEWEST_RECEIPT, {"id": event, "received_at": row.received_at}).one()
    return HeldEvent(**row._mapping, grounds=receipt.grounds, answer=receipt.answer)


ADD_RECEIPT = sa.text("""
    INSERT INTO assignment (id, event, received_at, made_at, cause, at, known_at, generation, kernel, converter, grid, method,
                            reason, lon, lat, answer, grounds, actor)
    VALUES (:id, :event, :received_at, :made_at, :cause, :at, :known_at, :generation, :kernel, :converter, CAST(:grid AS uuid),
            :method, :reason, :lon, :lat, CAST(:answer AS json), CAST(:grounds AS json), :actor)
""")
FOLLOW_RECEIPT = sa.text("""
    UPDATE event SET grid = CAST(:grid AS uuid), method = :method, reason = :reason, generation = :generation,
           geom = CASE WHEN CAST(:lon AS float8) IS NOT NULL THEN ST_SetSRID(ST_MakePoint(:lon, :lat), 4326) END
    WHERE id = :event AND received_at = :received_at
""")


def add_receipt(connection: sa.Connection, event: HeldEvent, receipt: NewReceipt) -> None:
    """The event belongs where the receipt says afterwards; its earlier receipts stay as they are."""
    values = vars(receipt) | {
        "id": uuid7(receipt.made_at),
        "event": event.id,
        "received_at": event.received_at,
        "answer": as_json(receipt.answer),
        "grounds": as_json(receipt.grounds),
    }
    connection.execute(ADD_RECEIPT, values)
    connection.execute(FOLLOW_RECEIPT, values)


SET_PLACE = sa.text("""
    UPDATE event SET crs = :crs, accuracy_m = :accuracy_m, address = coalesce(:address, address)
    WHERE id = :event AND received_at = :received_at
""")


def set_place(
    connection: sa.Connection, event: HeldEvent, crs: str, accuracy_m: float | None, address: str | None
) -> None:
    """The event has the datum and the accuracy of its new place, and its address where there is a new one; `raw` stays."""
    values = {"crs": crs, "accuracy_m": accuracy_m, "address": address}
    connection.execute(SET_PLACE, values | {"event": event.id, "received_at": event.received_at})


SET_STATUS = sa.text("""
    UPDATE event SET status = :status, closed_at = :closed_at, status_reason = :reason
    WHERE id = :event AND received_at = :received_at
""")


def set_status(
    connection: sa.Connection, event: HeldEvent, status: str, closed_at: datetime | None, reason: str | None
) -> None:
    """The event is open or closed afterwards, with the reason."""
    values = {"status": status, "closed_at": closed_at, "reason": reason}
    connection.execute(SET_STATUS, values | {"event": event.id, "received_at": event.received_at})


@dataclass(frozen=True)
class StoredReceipt:
    """A receipt as it was written."""

    id: UUID
    event: UUID
    made_at: datetime
    at: datetime
    known_at: datetime
    kernel: str
    lon: float | None
    lat: float | None
    answer: dict[str, Any]
    grounds: dict[str, Any]


BETWEEN = sa.text("""
    SELECT id, event, made_at, at, known_at, kernel, lon, lat, answer, grounds FROM assignment
    WHERE id > :after AND id <= :until AND made_at >= :begin AND made_at < :end
    ORDER BY id LIMIT :limit
""")


def receipts_between(
    connection: sa.Connection, begin: datetime, end: datetime, after: StoredReceipt | None, limit: int
) -> list[StoredReceipt]:
    """A page of the receipts made in [begin, end), oldest first, after the last one of the page before.

    A receipt's id begins with the millisecond of `made_at`, so that the primary key leads to them.
    """
    below, until = span_of(begin, end)
    asked = {"after": after.id if after else below, "until": until, "begin": begin, "end": end, "limit": limit}
    rows = connection.execute(BETWEEN, asked)
    return [StoredReceipt(**row._mapping) for row in rows]
