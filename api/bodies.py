"""Request bodies as /docs shows them: read by our own code, so that a refusal says row and field, and described here."""

from __future__ import annotations

from typing import Any, Final

from data.report import LENGTHS

_TIME: Final = {"type": "string", "format": "date-time", "description": "RFC 3339 with offset"}
_PLACE: Final = {
    "lon": {"type": "number", "description": "longitude, or the easting of a projected crs"},
    "lat": {"type": "number", "description": "latitude, or the northing"},
    "crs": {"type": "string", "default": "wgs84", "description": "wgs84, cgcs2000, gcj02, bd09 or EPSG:n"},
    "accuracy_m": {"type": "number", "exclusiveMinimum": 0, "description": "68 % radius in metres"},
}

_REPORT: Final[dict[str, Any]] = {
    "type": "object",
    "required": ["channel"],
    "properties": _PLACE
    | {name: {"type": "string", "maxLength": longest} for name, longest in LENGTHS.items()}
    | dict.fromkeys(("occurred_at", "reported_at", "closed_at"), _TIME)
    | {"status": {"type": "string", "enum": ["open", "closed"]}},
    "example": {"lon": 121.2, "lat": 32.05, "channel": "hotline", "text": "路灯不亮"},
}

_POINTS: Final[dict[str, Any]] = {
    "type": "object",
    "required": ["points"],
    "properties": {
        "points": {
            "type": "array",
            "items": {"type": "array", "items": {"type": "number"}, "minItems": 2, "maxItems": 2},
        },
        "crs": _PLACE["crs"],
        "accuracy_m": _PLACE["accuracy_m"],
        "at": _TIME,
        "known_at": _TIME,
        "layer": {"type": "string"},
    },
    "example": {"points": [[121.2, 32.05], [121.21, 32.06]]},
}


def _body(schemas: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """What a route adds to its OpenAPI operation: media type -> schema."""
    return {"requestBody": {"required": True, "content": {kind: {"schema": one} for kind, one in schemas.items()}}}


_TEXT: Final[dict[str, Any]] = {"type": "string"}
_BYTES: Final[dict[str, Any]] = {"type": "string", "format": "binary"}

REPORT: Final = _body({"application/json": _REPORT})
BATCH: Final = _body(
    {
        "application/x-ndjson": _TEXT,
        "text/csv": _TEXT,
        "application/geo+json": {"type": "object"},
        "application/json": {"type": "array", "items": _REPORT},
    }
)
POINTS: Final = _body({"application/json": _POINTS, "text/csv": _TEXT, "application/vnd.apache.arrow.stream": _BYTES})

_REASON: Final = {
    "type": "string",
    "maxLength": 2000,
    "description": "why, in words; kept in the receipt and the audit",
}
_GRID: Final = {"type": "string", "description": "code of a grid in force"}

CHANGE: Final = _body(
    {
        "application/json": {
            "type": "object",
            "properties": _PLACE
            | {
                "address": {
                    "type": "string",
                    "maxLength": LENGTHS["address"],
                    "description": "without lon, lat: looked up",
                },
                "status": {"type": "string", "enum": ["open", "closed"]},
                "reason": _REASON,
            },
            "example": {"status": "closed", "reason": "路灯已修复"},
        }
    }
)
OVERRIDE: Final = _body(
    {
        "application/json": {
            "type": "object",
            "required": ["grid", "reason"],
            "properties": {"grid": _GRID, "reason": _REASON},
        }
    }
)
RESOLVE: Final = _body(
    {
        "application/json": {
            "type": "object",
            "required": ["events", "grid", "reason"],
            "properties": {
                "events": {"type": "array", "items": {"type": "string", "format": "uuid"}},
                "grid": _GRID,
                "reason": _REASON,
            },
        }
    }
)

_TEXTS: Final = {"type": "array", "items": {"type": "string"}}
_RULE: Final = {
    "type": "object",
    "required": ["id", "first", "author", "reason", "until"],
    "properties": {name: {"type": "string"} for name in ("id", "first", "backup", "author", "reason")}
    | dict.fromkeys(("categories", "channels", "owners", "grids"), _TEXTS)
    | {"since": _TIME, "until": _TIME | {"type": ["string", "null"]}}
    | {"hours": {"type": "object", "example": {"from": "22:00", "to": "06:00", "days": [1, 2, 3, 4, 5, 6, 7]}}},
}
_IN_DOUBT: Final = {
    "type": "object",
    "required": ["policy"],
    "properties": {
        "policy": {"type": "string", "enum": ["auto", "joint", "ask"]},
        "threshold": {"type": "number", "default": 0.8},
        "tell": {"type": "number", "default": 0.1},
        "prior": {"type": "string", "enum": ["none", "households"], "default": "none"},
        "categories": _TEXTS,
        "channels": _TEXTS,
    },
}
POLICY: Final = _body(
    {
        "application/json": {
            "type": "object",
            "required": ["policy", "reason"],
            "properties": {
                "policy": {
                    "type": "object",
                    "properties": {
                        "timezone": {"type": "string", "default": "Asia/Shanghai"},
                        "rules": {"type": "array", "items": _RULE},
                        "doubt": {"type": "array", "items": _IN_DOUBT},
                        "redraw": {"type": "object", "example": {"max_households": 500, "min_compactness": 0.2}},
                    },
                },
                "reason": _REASON,
            },
        }
    }
)
WEBHOOK: Final = _body(
    {
        "application/json": {
            "type": "object",
            "required": ["url", "topics"],
            "properties": {
                "url": {"type": "string", "description": "http or https, outside, or named by GRIDBEAT_WEBHOOK_ALLOW"},
                "topics": {"type": "array", "items": {"type": "string", "enum": ["event", "assignment"]}},
                "secret": {"type": "string", "minLength": 16, "maxLength": 256, "description": "made when left out"},
            },
            "example": {"url": "https://hooks.example.org/gridbeat", "topics": ["event", "assignment"]},
        }
    }
)

LINK: Final = _body(
    {
        "application/json": {
            "type": "object",
            "required": ["event", "reason"],
            "properties": {
                "event": {"type": "string", "format": "uuid", "description": "the other event"},
                "reason": _REASON,
            },
        }
    }
)

_STRING: Final = {"type": "string"}
MEMBER: Final = _body(
    {
        "application/json": {
            "type": "object",
            "required": ["code", "name"],
            "properties": {
                "code": _STRING,
                "name": _STRING,
                "role": {"type": "string", "enum": ["member", "lead"], "default": "member"},
                "active": {"type": "boolean", "default": True},
                "grids": {"type": "array", "items": _STRING, "description": "all grids worked from `since` on"},
                "since": _TIME,
            },
            "example": {"code": "0001", "name": "张三", "grids": ["320612001001001"]},
        }
    }
)
SPAN: Final = _body(
    {
        "application/json": {
            "type": "object",
            "required": ["member", "begin", "end"],
            "properties": {"member": _STRING, "begin": _TIME, "end": _TIME, "external_id": _STRING, "kind": _STRING},
        }
    }
)
CHECKIN: Final = _body(
    {
        "application/json": {
            "type": "object",
            "required": ["member", "lon", "lat"],
            "properties": _PLACE
            | {"member": _STRING, "at": _TIME, "note": _STRING}
            | {"kind": {"type": "string", "enum": ["in", "out", "visit"], "default": "in"}},
        }
    }
)
VISIT: Final = _body(
    {
        "application/json": {
            "type": "object",
            "required": ["place"],
            "properties": {"place": _STRING, "member": _STRING, "event": _STRING, "at": _TIME, "note": _STRING}
            | {"outcome": {"type": "string", "enum": ["nothing", "found"], "default": "nothing"}},
        }
    }
)
FIXES: Final = _body({"application/x-ndjson": _TEXT, "text/csv": _TEXT, "application/vnd.apache.arrow.stream": _BYTES})
