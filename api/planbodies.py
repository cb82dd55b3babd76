"""Request bodies of plans as /docs shows them."""

from __future__ import annotations

from typing import Any, Final

from data.planimport import ENDINGS
from data.reassign import RULES
from gis.operations import OPS

_TEXT: Final = {"type": "string"}
_WHOLE: Final = {"type": "integer"}
_TIME: Final = {"type": "string", "format": "date-time", "description": "RFC 3339 with offset; now when left out"}
_RULE: Final = {"type": "string", "enum": list(RULES), "default": "move", "description": "what open events do"}


def _body(properties: dict[str, Any], required: tuple[str, ...] = (), example: dict[str, Any] | None = None) -> Any:
    schema: dict[str, Any] = {"type": "object", "properties": properties, "additionalProperties": False}
    schema |= {"required": list(required)} if required else {}
    schema |= {"example": example} if example else {}
    return {"requestBody": {"required": True, "content": {"application/json": {"schema": schema}}}}


PLAN: Final = _body({"title": _TEXT}, ("title",), {"title": "城南三网格调整"})
STEPS: Final = _body({"steps": _WHOLE | {"default": 1}}, example={"steps": 1})
FORK: Final = _body({"title": _TEXT, "step": _WHOLE}, ("title",), {"title": "方案二"})
COMMENT: Final = _body({"text": _TEXT, "lon": {"type": "number"}, "lat": {"type": "number"}}, ("text",))
EMPTY: Final = _body({}, example={})
REASON: Final = _body({"reason": _TEXT}, ("reason",))
VERDICT: Final = _body(
    {"verdict": {"type": "string", "enum": ["approved", "returned"], "default": "approved"}, "words": _TEXT},
    example={"verdict": "approved"},
)
PUBLISH: Final = _body(
    {"effective_at": _TIME, "rule": _RULE, "reason": _TEXT, "correction": {"type": "boolean", "default": False}},
    example={"rule": "move", "reason": "新小区入住"},
)
REVERT: Final = _body({"effective_at": _TIME, "rule": _RULE, "reason": _TEXT}, ("reason",))
FILE: Final = {
    "requestBody": {
        "required": True,
        "content": {kind: {"schema": {"type": "string", "format": "binary"}} for kind in ENDINGS},
    }
}
OPERATION: Final = {
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {
                "schema": {
                    "type": "object",
                    "required": ["op"],
                    "properties": {"op": {"type": "string", "enum": list(OPS)}},
                    "additionalProperties": True,
                    "example": {
                        "op": "split",
                        "grid": "320682117204005",
                        "lines": [{"type": "LineString", "coordinates": [[121.2, 32.04], [121.21, 32.06]]}],
                    },
                }
            }
        },
    }
}
