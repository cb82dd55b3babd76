"""`/v1/events`: reports come in, events are read back."""

from __future__ import annotations

from datetime import UTC, datetime
from email.message import Message
from typing import Annotated, Any, Literal
from uuid import UUID
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Depends, Header, Query, Request
from starlette.concurrency import run_in_threadpool

from api import bodies, bulk
from api.answers import GeoJson, Json, collection, event_cursor, event_json, feature, point, receipt_json, to_cursor
from api.deps import (
    BBox,
    BulkBody,
    Connection,
    JsonObject,
    LiveBoundaries,
    Member,
    PolicyInForce,
    SettingsInForce,
    Viewer,
    engine_of,
    gathering_of,
    in_a_rush,
    interval,
    known_parameters,
    turn,
)
from api.linked import duplicates_json, links_json
from api.settings import Caller
from data.duplicates import likely_duplicates
from data.intake import Submission
from data.report import clean
from gis.duplicates import Likeness
from gis.errors import BatchRefused, DatabaseUnavailable
from gis.store.duplicates import stands_for
from gis.store.events import EventFilter, list_events, read_event, receipts

router = APIRouter(prefix="/v1/events", tags=["events"], dependencies=[Depends(known_parameters)])

Limit = Annotated[int, Query(ge=1, le=10_000)]
LONGEST_KEY = 256
Key = Annotated[
    str | None, Header(max_length=LONGEST_KEY, description="the same key and body answer with the same event")
]


@router.post("", status_code=201, summary="One report", openapi_extra=bodies.REPORT)
async def report(
    request: Request,
    who: Member,
    body: JsonObject,
    idempotency_key: Key = None,
    duplicates: Annotated[bool, Query(description="false: do not look for likely duplicates")] = True,
) -> Json:
    """201 with the event, its assignment and likely duplicates; 200 with the same event when key and body were sent before; 409
    for another body.
    """
    submission = Submission(clean(body, datetime.now(UTC)), idempotency_key, actor=who.actor)
    kept = await gathering_of(request).store(submission)
    answer = event_json(kept.row, who)
    if duplicates:
        answer["duplicates"] = duplicates_json(await _likely(request, kept.row))
    return Json(answer, 200 if kept.repeated else 201, {"Location": f"/v1/events/{kept.row['id']}"})


async def _likely(request: Request, row: dict[str, Any]) -> list[Likeness] | None:
    """After the commit: a look that fails or is slow can take nothing back, and in a rush others go first."""
    if in_a_rush(request):
        return None
    try:
        async with turn(request):
            return await run_in_threadpool(likely_duplicates, engine_of(request), row)
    except DatabaseUnavailable:
        return None


@router.post("/batch", summary="Many reports", openapi_extra=bodies.BATCH)
def batch(
    who: Member,
    request: Request,
    body: BulkBody,
    connection: Connection,
    boundaries: LiveBoundaries,
    policy: PolicyInForce,
    atomic: Annotated[bool, Query(description="true: all rows or none")] = False,
    crs: Annotated[str | None, Query(description="datum of rows that declare none")] = None,
) -> Json:
    """NDJSON, CSV or GeoJSON: a result a row; valid rows are stored, rejected rows come back with number and reason."""
    sent = Message()
    sent["content-type"] = request.headers.get("content-type", "")
    kind = sent.get_content_type() if "content-type" in request.headers else ""
    table = bulk.report_table(kind, body, sent.get_content_charset())
    results = bulk.accept_table(connection, boundaries, table, crs, actor=who.actor, policy=policy)
    if atomic and results["rejected"]:
        raise BatchRefused(
            f"{results['rejected']} of {results['rows']} rows were rejected, so none is stored (atomic=true)",
            results=[result for result in results["results"] if result["result"] == "rejected"],
        )
    return Json(results)


@router.get("", summary="Events as GeoJSON")
def events(
    who: Viewer,
    connection: Connection,
    bbox: BBox,
    when: Annotated[
        str | None, Query(alias="datetime", description="instant or begin/end of occurred_at, .. is open")
    ] = None,
    grid: Annotated[str | None, Query(description="code or uid")] = None,
    layer: str | None = None,
    category: str | None = None,
    channel: str | None = None,
    status: Literal["open", "closed"] | None = None,
    collapse: Annotated[bool, Query(description="true: of linked duplicates only the earliest")] = False,
    limit: Limit = 100,
    cursor: str | None = None,
) -> GeoJson:
    """A page of events, newest received first. With `collapse`, `stands_for` says how many further events each one counts for."""
    begin, end = interval(when)
    wanted = EventFilter(
        bbox, begin, end, grid, layer, category, channel, status, collapse=collapse, limit=limit + 1,
        before=event_cursor(cursor),
    )  # fmt: skip
    rows = list_events(connection, wanted)
    if collapse:
        further = stands_for(connection, [row["id"] for row in rows])
        rows = [row | {"stands_for": further.get(row["id"], 0)} for row in rows]
    return _page(rows, limit, who)


@router.get("/unassigned", summary="The queue: open events without a grid")
def unassigned(who: Viewer, connection: Connection, limit: Limit = 100, cursor: str | None = None) -> GeoJson:
    """Events that no grid was found for, with the reason; newest first."""
    wanted = EventFilter(unassigned=True, limit=limit + 1, before=event_cursor(cursor))
    return _page(list_events(connection, wanted), limit, who)


@router.get("/{event}", summary="One event")
def one_event(who: Viewer, event: UUID, connection: Connection) -> Json:
    """The event with its newest assignment and the duplicates it is linked with."""
    return Json(event_json(read_event(connection, event), who) | links_json(connection, event, who))


@router.get("/{event}/assignments", summary="All receipts of an event")
def assignments(who: Viewer, event: UUID, connection: Connection, given: SettingsInForce) -> Json:
    """Why it belongs where it does: every receipt, oldest first, each explained in a Chinese and an English sentence."""
    zone = ZoneInfo(given.timezone)
    listed = [receipt_json(receipt, zone, who) for receipt in receipts(connection, event)]
    return Json({"event": event, "assignments": listed})


def _page(rows: list[dict[str, Any]], limit: int, who: Caller) -> GeoJson:
    shown = rows[:limit]
    more = to_cursor(shown[-1]["received_at"].isoformat(), shown[-1]["id"]) if len(rows) > limit else None
    return GeoJson(collection((feature(row["id"], point(row), event_json(row, who)) for row in shown), more))
