"""`/v1/locate`: whose is this place? Nothing is stored."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request
from starlette.responses import Response

from api import bodies, bulk
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
from data.answerone import answer_one, place_asked
from data.decide import Question
from data.inforce import in_force
from data.report import accuracy
from gis.crs import parse_datum
from gis.errors import ParameterInvalid
from gis.jurisdiction import Facts
from gis.store.boundaries import Moment

router = APIRouter(prefix="/v1/locate", tags=["locate"], dependencies=[Depends(known_parameters)])


@router.get("", summary="The assignment of one place")
def locate_one(
    _: Viewer,
    connection: Connection,
    boundaries: LiveBoundaries,
    moment: AtMoment,
    policy: PolicyInForce,
    lon: Annotated[float | None, Query(description="longitude, or the easting of a projected crs")] = None,
    lat: Annotated[float | None, Query(description="latitude, or the northing of a projected crs")] = None,
    address: Annotated[str | None, Query(description="words instead of lon and lat")] = None,
    crs: str = "wgs84",
    accuracy_m: float | None = None,
    layer: str | None = None,
    category: Annotated[str | None, Query(max_length=64, description="rules of jurisdiction may look at it")] = None,
    channel: Annotated[str | None, Query(max_length=64, description="likewise")] = None,
) -> Json:
    """Whose the place is at `at` as known at `known_at`: winner, layers, path, distance to the edge, candidates.

    By the rules in force now; one `layer` alone is asked without rules. With an `address`, read by the gazetteer of now, also what it may
    mean: `suggestions`.
    """
    place = place_asked(lon, lat, address, crs=parse_datum(crs).name, accuracy_m=accuracy(accuracy_m))
    question = Question(place, Facts(moment.at, category, channel))
    state = boundaries.state(connection, moment)
    return Json(answer_one(connection, boundaries, state, question, policy, layer))


@router.post("", summary="The assignment of many places", openapi_extra=bodies.POINTS)
def locate_many(
    _: Viewer,
    request: Request,
    body: BulkBody,
    connection: Connection,
    boundaries: LiveBoundaries,
    policy: PolicyInForce,
    crs: str | None = None,
    at: str | None = None,
    known_at: str | None = None,
    layer: str | None = None,
) -> Response:
    """JSON `{"points": [[lon, lat], ...], "crs", "accuracy_m", "at", "known_at", "layer"}`, `text/csv` or Arrow IPC with lon, lat.

    crs, at, known_at and layer may also come as parameters, as they must with CSV and Arrow.
    """
    kind = request.headers.get("content-type", "application/json").partition(";")[0].strip().lower()
    asked = {"crs": crs, "at": at, "known_at": known_at, "layer": layer}
    sent = parse_object(body) if kind == "application/json" else {}
    points = members(asked, sent) if sent or kind == "application/json" else None
    now = boundaries.now(connection)
    moment = Moment(instant(asked["at"], "at") or now.at, instant(asked["known_at"], "known_at") or now.known_at)
    datum = parse_datum(asked["crs"] or "wgs84")
    state = boundaries.state(connection, moment)
    question = bulk.Question(
        state,
        datum,
        in_force(connection, boundaries, state, policy),
        Facts(moment.at),
        asked["layer"],
        accuracy(sent.get("accuracy_m")),
    )
    return bulk.locate(kind, body, points, question)


def members(asked: dict[str, str | None], body: dict[str, Any]) -> Any:
    """The points of a JSON body; its other members go into `asked`. ParameterInvalid for one that is unknown, no text, or said twice."""
    for name, value in body.items():
        if name in {"points", "accuracy_m"} or value is None:
            continue
        if name not in asked:
            raise ParameterInvalid(
                f"unknown member {name}; known are points, accuracy_m, {', '.join(asked)}", place=name
            )
        if not isinstance(value, str) or asked[name] is not None:
            raise ParameterInvalid(f"{name} is one text, in the body or as a parameter", place=name)
        asked[name] = value
    return body.get("points")
