"""`/v1/spotchecks`: grids drawn to be looked at unannounced (四不两直), and what was found there."""

from __future__ import annotations

from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, Depends, Query
from starlette.responses import Response

from api import roundbodies
from api.answers import Json, id_cursor, to_cursor
from api.coveragedeps import CoverageKept
from api.deps import Connection, Dispatcher, JsonObject, LiveBoundaries, SettingsInForce, Supervisor, known_parameters
from api.plandeps import only
from data.campaignevidence import grid_recency
from data.spotchecks import draw, keep, sheet_csv, spotcheck_json, take_outcome, wish_of
from gis.store import audit
from gis.store.spotchecks import list_draws

router = APIRouter(prefix="/v1/spotchecks", tags=["rounds"], dependencies=[Depends(known_parameters)])


@router.post("", status_code=201, summary="Draw grids for a spot check", openapi_extra=roundbodies.DRAW)
def make(
    body: JsonObject,
    connection: Connection,
    boundaries: LiveBoundaries,
    kept: CoverageKept,
    given: SettingsInForce,
    who: Supervisor,
) -> Json:
    """A sample by community and class of risk, with the reasons and the probability of every grid. The same seed, n, layer and instant
    give the same grids as long as what was known of that instant is the same.
    """
    only(body, "n", "seed", "layer", "at", "reason")
    wish = wish_of(body)
    recency = grid_recency(connection, boundaries, kept, given.sight_m, wish.layer, wish.at)
    made = draw(connection, boundaries, wish, recency)
    uid = keep(connection, made, who.actor, who.role)
    return Json(spotcheck_json(connection, boundaries, uid), 201, {"Location": f"/v1/spotchecks/{uid}"})


@router.get("", summary="Spot checks, newest first")
def listed(
    _: Dispatcher, connection: Connection, limit: Annotated[int, Query(ge=1, le=1_000)] = 100, cursor: str | None = None
) -> Json:
    """When, by whom, how many grids of which layer, how many of them were looked at, and in how many something was wrong."""
    found = list_draws(connection, limit + 1, id_cursor(cursor))
    more = to_cursor(found[limit - 1]["id"]) if len(found) > limit else None
    return Json({"spotchecks": found[:limit], "next": more})


@router.get("/{spotcheck}", summary="A spot check with its grids", response_class=Response)
def read(
    _: Dispatcher,
    spotcheck: UUID,
    connection: Connection,
    boundaries: LiveBoundaries,
    f: Annotated[Literal["json", "csv"], Query(description="csv: the inspector's list")] = "json",
    verify: Annotated[
        bool, Query(description="true: draw again from what is stored, and say whether it is the same")
    ] = False,
) -> Response:
    """The grids in the order of going, each with stratum, probability, reasons and what was found."""
    found = spotcheck_json(connection, boundaries, spotcheck, verify=verify)
    if f == "json":
        return Json(found)
    headers = {"Content-Disposition": f'attachment; filename="spotcheck-{spotcheck}.csv"'}
    return Response(sheet_csv(found["grids"]), 200, headers, "text/csv; charset=utf-8")


@router.patch("/{spotcheck}/grids/{code}", summary="What was found in a grid", openapi_extra=roundbodies.OUTCOME)
def note(spotcheck: UUID, code: str, body: JsonObject, connection: Connection, who: Supervisor) -> Json:
    """`fine` or `fault`, with words; it may be corrected, and every word stays in the audit."""
    only(body, "outcome", "note")
    before, after = take_outcome(connection, spotcheck, code, body, who.actor)
    if after != before:
        change = {"code": code, "before": before, "after": after}
        audit.record(connection, who.actor, who.role, "spotcheck outcome", f"spotcheck/{spotcheck}", change)
    return Json({"spotcheck": spotcheck, "code": code, **after})
