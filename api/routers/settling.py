"""`/v1/events/...`: what officers do with stored events: move the pin, name the grid, close, settle the queue."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from fastapi import APIRouter, Depends

from api import bodies
from api.answers import Json, event_json
from api.deps import Connection, Dispatcher, JsonObject, LiveBoundaries, PolicyInForce, known_parameters
from data.decide import Place
from data.report import address_of, place_of
from data.settle import move, override, reason_of, set_status
from gis.errors import FieldMissing, GridError, ParameterInvalid
from gis.store.engine import savepoint
from gis.store.events import read_event

router = APIRouter(prefix="/v1/events", tags=["events"], dependencies=[Depends(known_parameters)])

#: More events than this are settled in several calls.
MOST = 1_000
CHANGES = frozenset({"lon", "lat", "crs", "accuracy_m", "address", "status", "reason"})


@router.patch("/{event}", summary="Move the pin, or close and open", openapi_extra=bodies.CHANGE)
def change(
    event: UUID,
    body: JsonObject,
    connection: Connection,
    boundaries: LiveBoundaries,
    policy: PolicyInForce,
    who: Dispatcher,
) -> Json:
    """A moved pin, or an `address` alone, is decided anew, by the boundary of its reception; `status` needs a reason. Answers the
    event.
    """
    unknown = sorted(set(body) - CHANGES)
    if unknown or not ({"lon", "lat", "address", "status"} & set(body)):
        raise ParameterInvalid(
            "a change names lon and lat, an address, or status with reason", place=unknown[0] if unknown else "body"
        )
    place = _place(body)
    if place is not None:
        move(connection, boundaries, event, place, policy, actor=who.actor, role=who.role)
    if "status" in body:
        now = boundaries.now(connection).at
        reason = reason_of(body.get("reason"))
        set_status(connection, event, str(body["status"]), reason, now, actor=who.actor, role=who.role)
    return Json(event_json(read_event(connection, event), who))


def _place(body: dict[str, Any]) -> Place | None:
    """Where the event lies from now on: a pin, or an address in words, which has a doubt of its own; None when it stays."""
    address = address_of(body) if "address" in body else None
    if "lon" in body or "lat" in body:
        x, y, datum, accuracy_m = place_of(body)
        return Place(x, y, datum.name, accuracy_m, address)
    stray = sorted({"crs", "accuracy_m"} & set(body))
    if stray:
        raise ParameterInvalid(f"{stray[0]} goes with lon and lat", place=stray[0])
    return None if address is None else Place(None, None, address=address)


@router.post("/{event}/override", summary="An officer names the grid", openapi_extra=bodies.OVERRIDE)
def name_grid(
    event: UUID, body: JsonObject, connection: Connection, boundaries: LiveBoundaries, who: Dispatcher
) -> Json:
    """The event belongs to `grid` for `reason`, whatever its place says; both are logged. Answers the event."""
    grid, reason = _grid(body), reason_of(body.get("reason"))
    override(connection, boundaries, event, grid, reason, actor=who.actor, role=who.role)
    return Json(event_json(read_event(connection, event), who))


@router.post("/unassigned/resolve", summary="Settle one or many of the queue", openapi_extra=bodies.RESOLVE)
def resolve(body: JsonObject, connection: Connection, boundaries: LiveBoundaries, who: Dispatcher) -> Json:
    """Each of `events` gets `grid` for `reason`: a result each; those that cannot be settled say why, the others are."""
    grid, reason = _grid(body), reason_of(body.get("reason"))
    results: list[dict[str, Any]] = []
    for event in _events(body.get("events")):
        try:
            with savepoint(connection):
                found = override(
                    connection, boundaries, event, grid, reason, actor=who.actor, role=who.role, cause="resolved"
                )
            results.append({"event": event, "result": "resolved", "grid": found.grid})
        except GridError as error:
            results.append({"event": event, "result": "refused", "code": error.code, "reason": error.message})
    resolved = sum(result["result"] == "resolved" for result in results)
    return Json({"resolved": resolved, "refused": len(results) - resolved, "results": results})


def _grid(body: dict[str, Any]) -> str:
    grid = body.get("grid")
    if not isinstance(grid, str) or not grid:
        raise FieldMissing("this needs the code of a grid", place="grid")
    return grid


def _events(value: Any) -> list[UUID]:
    if not isinstance(value, list) or not value:
        raise FieldMissing("events is a list of ids", place="events")
    if len(value) > MOST:
        raise ParameterInvalid(f"at most {MOST} events are settled at once", place="events")
    try:
        return [UUID(str(one)) for one in dict.fromkeys(map(str, value))]
    except ValueError:
        raise ParameterInvalid("events is a list of ids", place="events") from None
