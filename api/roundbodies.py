"""Request bodies of spot checks and campaigns as /docs shows them."""

from __future__ import annotations

from typing import Any, Final

from data.spotchecks import MOST_SEED, OUTCOMES
from gis.partition import LAYERS

_TEXT: Final = {"type": "string"}
_TEXTS: Final = {"type": "array", "items": _TEXT}
_TIME: Final = {"type": "string", "format": "date-time", "description": "RFC 3339 with offset"}


def _body(properties: dict[str, Any], required: tuple[str, ...] = (), example: dict[str, Any] | None = None) -> Any:
    schema: dict[str, Any] = {"type": "object", "properties": properties, "additionalProperties": False}
    schema |= {"required": list(required)} if required else {}
    schema |= {"example": example} if example else {}
    return {"requestBody": {"required": True, "content": {"application/json": {"schema": schema}}}}


DRAW: Final = _body(
    {
        "n": {"type": "integer", "minimum": 1, "description": "so many grids; all of them where there are fewer"},
        "seed": {"type": "integer", "minimum": 0, "maximum": MOST_SEED, "description": "drawn and told when left out"},
        "layer": {"type": "string", "enum": [name for name, _, _ in LAYERS], "default": "general"},
        "at": _TIME | {"description": "by the boundaries in force at; now when left out"},
        "reason": _TEXT | {"maxLength": 2000},
    },
    ("n",),
    {"n": 40, "reason": "五月四不两直"},
)
OUTCOME: Final = _body(
    {"outcome": {"type": "string", "enum": list(OUTCOMES)}, "note": _TEXT | {"maxLength": 2000}},
    example={"outcome": "fault", "note": "楼道堆物，消防通道堵塞"},
)
_AREA: Final = {"type": "object", "description": "GeoJSON Polygon or MultiPolygon in WGS 84"}
CAMPAIGN: Final = _body(
    {
        "code": _TEXT | {"maxLength": 64},
        "title": _TEXT | {"maxLength": 200},
        "kind": _TEXT | {"maxLength": 64},
        "begin": _TIME,
        "end": _TIME | {"description": "not itself"},
        "places": _TEXTS | {"description": "codes of must-visit places"},
        "place_kinds": _TEXTS | {"description": "all must-visit places of these kinds, as they come and go"},
        "area": _AREA,
        "note": _TEXT | {"maxLength": 2000},
    },
    ("code", "title", "kind", "begin", "end"),
    {
        "code": "gas-2026-06",
        "title": "燃气安全排查",
        "kind": "燃气",
        "begin": "2026-06-01T00:00:00+08:00",
        "end": "2026-07-01T00:00:00+08:00",
        "place_kinds": ["餐饮", "出租屋"],
    },
)
CAMPAIGN_CHANGE: Final = _body(
    {
        "title": _TEXT | {"maxLength": 200},
        "end": _TIME,
        "closed": {"type": "boolean"},
        "note": _TEXT | {"maxLength": 2000},
        "places": {
            "type": "object",
            "properties": {"add": _TEXTS, "remove": _TEXTS},
            "description": "codes of places that are named from now on, and no more",
        },
    },
    example={"closed": True, "note": "提前完成"},
)
