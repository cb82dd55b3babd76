"""How things look outside: rows of the store as JSON and GeoJSON, pages with cursors."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable
from datetime import datetime, tzinfo
from typing import Any, Final
from uuid import UUID

import orjson
from starlette.responses import Response

from api.settings import Caller
from data.explain import explain
from data.report import parse_time
from gis.errors import ParameterInvalid, TimeInvalid

NO_CURSOR: Final = "the cursor is not one that this service gave"


class Json(Response):
    """JSON by orjson: UTC times as RFC 3339, NaN as null, UUIDs as text."""

    media_type = "application/json"

    def render(self, content: Any) -> bytes:
        """The bytes of `content`."""
        return orjson.dumps(content, option=orjson.OPT_NON_STR_KEYS | orjson.OPT_SERIALIZE_NUMPY)


class GeoJson(Json):
    """The same, announced as GeoJSON."""

    media_type = "application/geo+json"


#: Members of an event that are about people: shown to those who dispatch, not to those who look.
PERSONAL = ("reporter", "raw", "text", "address", "suggestions")


def event_json(row: dict[str, Any], caller: Caller) -> dict[str, Any]:
    """An event as the contract spells it: the report's fields, times, `grid` with `reason`, and the assignment."""
    event = {key: value for key, value in row.items() if key not in {"answer", "cause"}}
    if not caller.may("member"):
        event = {key: value for key, value in event.items() if key not in PERSONAL}
    elif event["raw"] is not None:
        event["raw"] = orjson.Fragment(json.dumps(event["raw"], ensure_ascii=False))  # may hold numbers beyond 64 bits
    answer = row["answer"]
    return event | {"grid": answer["grid"], "reason": answer["reason"], "assignment": answer}


def receipt_json(receipt: dict[str, Any], zone: tzinfo, caller: Caller) -> dict[str, Any]:
    """A receipt with its explanation; the address that a citizen gave is shown to those who work with it."""
    if not caller.may("member"):
        place = receipt["grounds"]["place"] | {"address": None}
        receipt = receipt | {"grounds": {**receipt["grounds"], "place": place, "readings": None}}
    return receipt | {"explanation": explain(receipt, zone)}


def point(row: dict[str, Any]) -> dict[str, Any] | None:
    """The geometry of an event; None for one with an address alone."""
    return None if row["lon"] is None else {"type": "Point", "coordinates": [row["lon"], row["lat"]]}


def feature(uid: Any, geometry: Any, properties: dict[str, Any]) -> dict[str, Any]:
    """A GeoJSON Feature."""
    return {"type": "Feature", "id": uid, "geometry": geometry, "properties": properties}


def collection(features: Iterable[dict[str, Any]], cursor: str | None = None, **more: Any) -> dict[str, Any]:
    """A GeoJSON FeatureCollection; `next` is the cursor of the following page, null on the last."""
    listed = list(features)
    return {"type": "FeatureCollection", "features": listed, "numberReturned": len(listed), "next": cursor, **more}


def grid_feature(row: dict[str, Any]) -> dict[str, Any]:
    """A grid as a Feature; its geometry comes from the store as JSON text."""
    properties = {key: value for key, value in row.items() if key != "geometry"}
    return feature(row["code"], orjson.Fragment(row["geometry"]), properties)


def to_cursor(*parts: object) -> str:
    """An opaque cursor; `from_cursor` takes it apart again."""
    return base64.urlsafe_b64encode(orjson.dumps(parts, default=str)).rstrip(b"=").decode()


def from_cursor(cursor: str | None, *kinds: type) -> list[Any] | None:
    """The parts of a cursor, each of its kind; None without one. ParameterInvalid for one that we did not make."""
    if cursor is None:
        return None
    try:
        parts = orjson.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
    except ValueError:  # also binascii.Error and orjson's
        parts = None
    if not isinstance(parts, list) or [type(part) for part in parts] != list(kinds):
        raise ParameterInvalid(NO_CURSOR, place="cursor")
    return parts


def code_cursor(cursor: str | None) -> str | None:
    """The code after which a list of grids goes on."""
    parts = from_cursor(cursor, str)
    if parts and "\0" in parts[0]:
        raise ParameterInvalid(NO_CURSOR, place="cursor")
    return parts[0] if parts else None


def id_cursor(cursor: str | None) -> UUID | None:
    """The id before which a list goes on."""
    parts = from_cursor(cursor, str)
    try:
        return UUID(parts[0]) if parts else None
    except ValueError:
        raise ParameterInvalid(NO_CURSOR, place="cursor") from None


def number_cursor(cursor: str | None) -> int | None:
    """The number before which a list of generations goes on."""
    parts = from_cursor(cursor, int)
    if parts and not 0 <= parts[0] < 1 << 31:
        raise ParameterInvalid(NO_CURSOR, place="cursor")
    return parts[0] if parts else None


def event_cursor(cursor: str | None) -> tuple[datetime, UUID] | None:
    """Where a list of events goes on."""
    parts = from_cursor(cursor, str, str)
    if parts is None:
        return None
    try:
        return parse_time(parts[0], "cursor"), UUID(parts[1])
    except (ValueError, TimeInvalid):
        raise ParameterInvalid(NO_CURSOR, place="cursor") from None
