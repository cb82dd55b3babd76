"""`/v1/locate`: whose is this place? Nothing is stored."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request
from starlette.responses import Response

from api import bulk
from api.answers import Json
from api.deps import (
    AtMoment,
    BulkBody,
    Connection,
    LiveBoundaries,
    PolicyInForce,
    Viewer,
    instant,
    known_parameters,
    parse_object,
)
from data.report import accuracy
from gis.crs import one_to_storage, parse_datum
from gis.store.boundaries import Moment

router = APIRouter(prefix="/v1/locate", tags=["locate"], dependencies=[Depends(known_parameters)])


@router.get("", summary="The assignment of one place")
def locate_one(
    connection: Connection,
    boundaries: LiveBoundaries,
    moment: AtMoment,
    policy: PolicyInForce,
    _: Viewer,
    lon: Annotated[float, Query(description="longitude, or the easting of a projected crs")],
    lat: Annotated[float, Query(description="latitude, or the northing of a projected crs")],
    crs: str = "wgs84",
    accuracy_m: float | None = None,
    layer: str | None = None,
) -> Json:
    """Whose the place is at `at` as known at `known_at`: winner, layers, path, distance to the edge, candidates."""
    place = one_to_storage(lon, lat, parse_datum(crs))
    index = boundaries.state(connection, moment).index_of(layer)
    within_m = policy.within_m(accuracy(accuracy_m))
    found = index.one(*place, tolerance_m=policy.tolerance_m, candidates_within_m=within_m)
    return Json(found.as_json())


@router.post("", summary="The assignment of many places")
def locate_many(
    request: Request,
    body: BulkBody,
    connection: Connection,
    boundaries: LiveBoundaries,
    policy: PolicyInForce,
    _: Viewer,
) -> Response:
    """JSON `{"points": [[lon, lat], ...], "crs", "at", "known_at", "layer"}`, `text/csv` or an Arrow IPC stream with lon, lat."""
    kind = request.headers.get("content-type", "application/json").partition(";")[0].strip().lower()
    asked: dict[str, Any] = parse_object(body) if kind == "application/json" else {}
    now = boundaries.now(connection)
    moment = Moment(
        instant(asked.get("at"), "at") or now.at, instant(asked.get("known_at"), "known_at") or now.known_at
    )
    state = boundaries.state(connection, moment)
    return bulk.locate(kind, body, asked, state, policy)
