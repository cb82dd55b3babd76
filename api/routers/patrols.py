"""`/v1/fixes`, `/v1/checkins`, `/v1/visits`: what members' devices send; late, repeated and unordered is welcome."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request

from api import bodies
from api.answers import Json
from api.deps import BulkBody, Connection, JsonObject, LiveBoundaries, Member, SettingsInForce, known_parameters
from api.fixbodies import accept_fixes, zone_of
from data.checkins import checkin_json, take_checkin, take_visit
from data.fixes import FixPolicy

router = APIRouter(prefix="/v1", tags=["patrols"], dependencies=[Depends(known_parameters)])


@router.post("/fixes", summary="Positions of members, many at once", openapi_extra=bodies.FIXES)
def fixes(
    _: Member,
    request: Request,
    body: BulkBody,
    connection: Connection,
    boundaries: LiveBoundaries,
    settings: SettingsInForce,
    crs: Annotated[str | None, Query(description="of all rows; each may declare its own when left out")] = None,
    member: Annotated[str | None, Query(description="code of the member, when the rows name none")] = None,
    tz: Annotated[str | None, Query(description="zone of times without offset")] = None,
) -> Json:
    """Columns member, at, lon, lat, accuracy_m, crs. Each row is stored once, or counted under the reason why not; rows sent again,
    late or in another order give the same store.
    """
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    policy = FixPolicy(settings.fixes_off_duty, settings.fixes_kept_days)
    now = boundaries.now(connection).at
    return Json(accept_fixes(connection, boundaries, body, kind, policy, now, crs=crs, member=member, zone=zone_of(tz)))


@router.post("/checkins", status_code=201, summary="A member checks in", openapi_extra=bodies.CHECKIN)
def checkin(_: Member, body: JsonObject, connection: Connection, boundaries: LiveBoundaries) -> Json:
    """Stored with its standing (inside, edge, outside) against the member's own grid by the boundary of that instant; 200 when it was
    known already, 409 `key-reused` when the member told another one of this kind at this instant.
    """
    now = boundaries.now(connection).at
    uid, result = take_checkin(connection, boundaries, body, now)
    return Json(checkin_json(connection, boundaries, uid, now), 201 if result == "stored" else 200)


@router.post("/visits", status_code=201, summary="A must-visit place was visited", openapi_extra=bodies.VISIT)
def visit(_: Member, body: JsonObject, connection: Connection, boundaries: LiveBoundaries) -> Json:
    """By a member, or by a report from there (`event`); "nothing found" counts as a visit. 200 when it was known already."""
    uid, result = take_visit(connection, body, boundaries.now(connection).at)
    return Json({"id": uid, "result": result}, 201 if result == "stored" else 200)
