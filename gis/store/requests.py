"""Service requests: events as Open311 lists them, newest requested first."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from gis.store.events import when

#: A report may claim to be made so much after it was received (a clock that runs ahead).
AHEAD = timedelta(minutes=10)


@dataclass(frozen=True)
class RequestFilter:
    """What a list of requests is narrowed by; `begin`, `end` bound `reported_at`, half-open. Empty does not narrow."""

    begin: datetime
    end: datetime
    codes: Sequence[str] = ()
    statuses: Sequence[str] = ()
    limit: int = 1_000
    offset: int = 0


COLUMNS = """
    SELECT e.id, e.status, e.status_reason, e.category, e.category_scheme, c.name_zh, c.name_en, e.text, e.address,
           e.accuracy_m, e.reported_at, e.closed_at, ST_X(e.geom) AS lon, ST_Y(e.geom) AS lat, a.answer,
           greatest(a.made_at, e.closed_at) AS updated_at
    FROM event e
    JOIN LATERAL (
        SELECT answer, made_at FROM assignment a WHERE a.event = e.id AND a.received_at = e.received_at ORDER BY a.id DESC LIMIT 1
    ) a ON true
    LEFT JOIN LATERAL (
        SELECT c.name_zh, c.name_en FROM category c
        WHERE c.code = e.category AND (e.category_scheme IS NULL OR c.scheme = e.category_scheme)
        ORDER BY c.active DESC, c.scheme LIMIT 1
    ) c ON true
"""
#: `received_at` says which months to look into: nobody reports after we received it, but for a clock that runs ahead.
LIST = sa.text(
    COLUMNS
    + """
    WHERE e.reported_at >= :begin AND e.reported_at < :end AND e.received_at >= :earliest
      AND (cardinality(CAST(:codes AS text[])) = 0 OR e.category = ANY(CAST(:codes AS text[])))
      AND (cardinality(CAST(:statuses AS text[])) = 0 OR e.status = ANY(CAST(:statuses AS text[])))
    ORDER BY e.reported_at DESC, e.id DESC LIMIT :limit OFFSET :offset
"""
)
ONE = sa.text(COLUMNS + "WHERE e.id = :id AND e.received_at >= :from AND e.received_at < :until")


def list_requests(connection: sa.Connection, wanted: RequestFilter) -> list[dict[str, Any]]:
    """A page of requests, newest requested first."""
    values = vars(wanted) | {"codes": list(wanted.codes), "statuses": list(wanted.statuses)}
    rows = connection.execute(LIST, values | {"earliest": wanted.begin - AHEAD})
    return [dict(row._mapping) for row in rows]


def find_requests(connection: sa.Connection, events: Sequence[UUID]) -> list[dict[str, Any]]:
    """Those of the ids that there are, in their order."""
    found = (connection.execute(ONE, {"id": event, **when(event)}).first() for event in events)
    return [dict(row._mapping) for row in found if row is not None]
