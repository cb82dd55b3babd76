"""`/v1/events/{event}/links`: officers say that two events tell of one thing, and take it back; nothing links by itself."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from fastapi import APIRouter, Depends, Request

from api import bodies
from api.answers import Json
from api.deps import Connection, Dispatcher, JsonObject, Member, Viewer, engine_of, known_parameters
from api.linked import duplicates_json, links_json
from data.duplicates import likely_duplicates
from data.settle import reason_of
from gis.errors import FieldMissing, ParameterInvalid
from gis.store import audit
from gis.store.duplicates import say_linked
from gis.store.events import read_event

router = APIRouter(prefix="/v1/events", tags=["events"], dependencies=[Depends(known_parameters)])


@router.get("/{event}/duplicates", summary="Events that may tell of the same thing")
def duplicates(_: Member, event: UUID, request: Request, connection: Connection) -> Json:
    """What the answer to the report would list now: score, reasons, metres and minutes apart; null when the store is too busy."""
    found = likely_duplicates(engine_of(request), read_event(connection, event))
    return Json({"event": event, "duplicates": duplicates_json(found)})


@router.get("/{event}/links", summary="The duplicates an event is linked with")
def links(who: Viewer, event: UUID, connection: Connection) -> Json:
    """Links in force, the whole group they hold together, and the earliest event, which counts for all of it."""
    read_event(connection, event)
    return Json({"event": event} | links_json(connection, event, who))


@router.post("/{event}/links", status_code=201, summary="Two events tell of one thing", openapi_extra=bodies.LINK)
def link(event: UUID, body: JsonObject, connection: Connection, who: Dispatcher) -> Json:
    """The events are linked as duplicates for `reason`; both stay as they are, counts may collapse them. 409 when they are linked."""
    return _say(event, body, connection, who, linked=True)


@router.post("/{event}/links/undo", summary="Two events do not tell of one thing", openapi_extra=bodies.LINK)
def unlink(event: UUID, body: JsonObject, connection: Connection, who: Dispatcher) -> Json:
    """The link between the two is taken back for `reason`; links through third events hold. 409 when there is none."""
    return _say(event, body, connection, who, linked=False)


def _say(event: UUID, body: dict[str, Any], connection: Connection, who: Dispatcher, *, linked: bool) -> Json:
    other, reason = _other(body), reason_of(body.get("reason"))
    say_linked(connection, event, other, linked=linked, actor=who.actor, reason=reason)
    action = "link" if linked else "unlink"
    for one, two in ((event, other), (other, event)):
        audit.record(connection, who.actor, who.role, action, f"event/{one}", {"event": str(two), "reason": reason})
    return Json({"event": event} | links_json(connection, event, who), 201 if linked else 200)


def _other(body: dict[str, Any]) -> UUID:
    if unknown := sorted(set(body) - {"event", "reason"}):
        raise ParameterInvalid("a link names the other event and a reason", place=unknown[0])
    given = body.get("event")
    if not isinstance(given, str):
        raise FieldMissing("this needs the id of the other event", place="event")
    try:
        return UUID(given)
    except ValueError:
        raise ParameterInvalid("event is the id of the other event", place="event") from None
