"""Audit: who did what, append-only."""

from __future__ import annotations

import json
from typing import Any

import orjson
import sqlalchemy as sa

RECORD = sa.text(
    "INSERT INTO audit (actor, role, action, subject, detail) VALUES (:actor, :role, :action, :subject, CAST(:detail AS jsonb))"
)


def as_json(value: Any) -> str:
    """JSON text for a jsonb parameter: Chinese stays readable, NUL (which jsonb cannot hold) is replaced, NaN is null."""
    try:
        text = orjson.dumps(value, default=str).decode()
    except TypeError:  # integers beyond 64 bits, keys that are no text: rare, and the slower one knows them
        text = json.dumps(value, ensure_ascii=False, allow_nan=False, default=str)
    return text.replace("\\u0000", "\\ufffd")


def record(connection: sa.Connection, actor: str, role: str, action: str, subject: str, detail: dict[str, Any]) -> None:
    """One line of the audit is written in the caller's transaction."""
    connection.execute(
        RECORD, {"actor": actor, "role": role, "action": action, "subject": subject, "detail": as_json(detail)}
    )


def read(connection: sa.Connection, subject: str) -> list[dict[str, Any]]:
    """Everything that was done to a subject, oldest first."""
    rows = connection.execute(
        sa.text("SELECT made_at, actor, role, action, subject, detail FROM audit WHERE subject = :subject ORDER BY id"),
        {"subject": subject},
    )
    return [dict(row._mapping) for row in rows]
