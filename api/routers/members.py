"""`/v1/members`, `/v1/shifts`, `/v1/leave`: who works which grid, and when; how much of a shift they were on post."""

from __future__ import annotations

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Query

from api import bodies
from api.answers import Json, code_cursor, to_cursor
from api.deps import AtMoment, Connection, Dispatcher, JsonObject, LiveBoundaries, Member, instant, known_parameters
from data.checkins import on_post_of
from data.members import HEADINGS, keep_duty, member_of
from data.trackanswers import track_json
from gis.errors import ParameterInvalid
from gis.onpost import HOLD_S
from gis.store import audit
from gis.store.duty import Kind, delete_span
from gis.store.members import keep_member, list_members

router = APIRouter(prefix="/v1", tags=["patrols"], dependencies=[Depends(known_parameters)])

#: A longer time is asked in parts.
MOST_DAYS = 31

SPAN = frozenset({"member", "begin", "end", "external_id", "kind"})


@router.get("/members", summary="Members and the grids they work at a moment")
def members(
    _: Member,
    connection: Connection,
    moment: AtMoment,
    grid: Annotated[str | None, Query(description="code of a grid they work then")] = None,
    active: bool | None = None,
    q: Annotated[str | None, Query(max_length=100, description="part of a code or name")] = None,
    limit: Annotated[int, Query(ge=1, le=10_000)] = 100,
    cursor: str | None = None,
) -> Json:
    """A page of members by code; `next` is the cursor of the following page."""
    after = code_cursor(cursor)
    found = list_members(connection, moment, grid=grid, active=active, q=q, after=after, limit=limit + 1)
    more = to_cursor(found[limit - 1]["code"]) if len(found) > limit else None
    return Json({"members": found[:limit], "next": more})


@router.post(
    "/members", status_code=201, summary="A member, and the grids they work from now on", openapi_extra=bodies.MEMBER
)
def tell_member(body: JsonObject, connection: Connection, who: Dispatcher) -> Json:
    """A new member is a 201; a known code is changed, a 200. `grids` are all that the member works from `since` on."""
    _known(body, HEADINGS["members"])
    told = member_of(body)
    uid, result = keep_member(connection, told)
    if result != "repeated":
        audit.record(connection, who.actor, who.role, "member", f"member/{told.code}", {"result": result, **body})
    return Json({"uid": uid, "code": told.code, "result": result}, 201 if result == "stored" else 200)


@router.get("/members/{code}/onpost", summary="How much of the shifts a member was on post")
def onpost(
    _: Dispatcher,
    code: str,
    connection: Connection,
    boundaries: LiveBoundaries,
    begin: Annotated[str, Query(alias="from", description="RFC 3339 with offset")],
    end: Annotated[str, Query(alias="to", description="RFC 3339 with offset; not itself")],
    hold_s: Annotated[
        float, Query(gt=0, le=86_400, description="a reading vouches for so long on either side")
    ] = HOLD_S,
) -> Json:
    """Seconds on post, elsewhere and unknown (silence) of those due (shifts less leave), in all and per shift."""
    first, last = instant(begin, "from"), instant(end, "to")
    if first is None or last is None or not first < last or (last - first).days > MOST_DAYS:
        raise ParameterInvalid(f"to lies after from, by {MOST_DAYS} days at most", place="to")
    now = boundaries.now(connection).at
    return Json(on_post_of(connection, boundaries, code, first, last, now, hold_s))


@router.get("/members/{code}/track", summary="Where a member was")
def track(
    _: Dispatcher,
    code: str,
    connection: Connection,
    boundaries: LiveBoundaries,
    begin: Annotated[str, Query(alias="from", description="RFC 3339 with offset")],
    end: Annotated[str, Query(alias="to", description="RFC 3339 with offset; not itself")],
    layer: Annotated[str, Query(description="whose grids are visited")] = "general",
) -> Json:
    """Pieces of way that are known, stops on them, gaps between them, and visits to grids by the boundaries of each moment."""
    first, last = instant(begin, "from"), instant(end, "to")
    if first is None or last is None:
        raise ParameterInvalid("from and to are needed", place="from")
    return Json(track_json(connection, boundaries, code, first, last, layer))


@router.post("/shifts", status_code=201, summary="A shift of a member", openapi_extra=bodies.SPAN)
def tell_shift(body: JsonObject, connection: Connection, who: Dispatcher) -> Json:
    """201 when it is new; 200 when it was known, or corrected by its `external_id`; 409 `shift-overlaps` names the one that stands."""
    return _tell(connection, "shift", body, who)


@router.delete("/shifts/{uid}", summary="A shift is taken back")
def drop_shift(uid: UUID, connection: Connection, who: Dispatcher) -> Json:
    """There is no such shift any more. Positions that were stored because of it stay."""
    return _drop(connection, "shift", uid, who)


@router.post("/leave", status_code=201, summary="Leave of a member", openapi_extra=bodies.SPAN)
def tell_leave(body: JsonObject, connection: Connection, who: Dispatcher) -> Json:
    """As shifts; it may lie inside a shift or beside it, and is not due."""
    return _tell(connection, "leave", body, who)


@router.delete("/leave/{uid}", summary="Leave is taken back")
def drop_leave(uid: UUID, connection: Connection, who: Dispatcher) -> Json:
    """There is no such leave any more."""
    return _drop(connection, "leave", uid, who)


def _tell(connection: Connection, table: Kind, body: dict[str, Any], who: Dispatcher) -> Json:
    _known(body, SPAN)
    uid, result = keep_duty(connection, table, body)
    if result != "repeated":
        audit.record(connection, who.actor, who.role, table, f"{table}/{uid}", {"result": result, **body})
    return Json({"id": uid, "result": result}, 201 if result == "stored" else 200)


def _drop(connection: Connection, table: Kind, uid: UUID, who: Dispatcher) -> Json:
    delete_span(connection, table, uid)
    audit.record(connection, who.actor, who.role, f"delete {table}", f"{table}/{uid}", {})
    return Json({"id": uid, "result": "deleted"})


def _known(body: dict[str, Any], fields: Any) -> None:
    unknown = sorted(set(body) - set(fields))
    if unknown:
        raise ParameterInvalid(f"unknown member {unknown[0]}; known are {', '.join(sorted(fields))}", place=unknown[0])
