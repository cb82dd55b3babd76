"""How things look outside: rows of the store as JSON and GeoJSON, pages with cursors."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterable
from datetime import datetime
from typing import Any
from uuid import UUID

import orjson
from starlette.responses import Response

from api.settings import Caller
from gis.errors import ParameterInvalid


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
PERSONAL = ("reporter", "raw", "text", "address")


def event_json(row: dict[str, Any], caller: Caller) -> dict[str, Any]:
    """An event as the contract spells it: the report's fields, times, `grid` with `reason`, and the assignment."""
    event = {key: value for key, value in row.items() if key not in {"answer", "cause"}}
    if not caller.may("member"):
        event = {key: value for key, value in event.items() if key not in PERSONAL}
    answer = row["answer"]
    return event | {"grid": answer["grid"], "reason": answer["reason"], "assignment": answer}


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


def from_cursor(cursor: str | None) -> list[Any]:
    """The parts of a cursor, empty without one; ParameterInvalid for one that we did not make."""
    if cursor is None:
        return []
    try:
        parts = orjson.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
    except (binascii.Error, ValueError):
        raise ParameterInvalid("the cursor is not one that this service gave", place="cursor") from None
    if not isinstance(parts, list):
        raise ParameterInvalid("the cursor is not one that this service gave", place="cursor")
    return parts


def event_cursor(cursor: str | None) -> tuple[datetime, UUID] | None:
    """Where a list of events goes on."""
    parts = from_cursor(cursor)
    if not parts:
        return None
    try:
        received_at, uid = parts
        return datetime.fromisoformat(received_at), UUID(uid)
    except (ValueError, TypeError):
        raise ParameterInvalid("the cursor is not one that this service gave", place="cursor") from None
