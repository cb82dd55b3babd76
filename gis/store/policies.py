"""Policies: versions of the policy document, append-only; a report is decided by the newest at its reception."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from gis.errors import NotFound, Stale
from gis.partition import LAYERS
from gis.policy import PolicyDocument, parse_policy
from gis.store import audit
from gis.store.generations import GENERATION_LOCK, clock

LAYER_NAMES = tuple(name for name, _, _ in LAYERS)


@dataclass(frozen=True)
class StoredPolicy:
    """One version: its number, when and by whom it was published and why, and the document as it was sent."""

    number: int
    published_at: datetime | None
    actor: str | None
    reason: str | None
    body: dict[str, Any]

    def document(self) -> PolicyDocument:
        """The version as the kernel reads it."""
        return parse_policy(self.body, LAYER_NAMES, self.number)


def newest_policy(connection: sa.Connection) -> int:
    """The number of the newest version; 0 when none was published."""
    number: int = connection.execute(sa.text("SELECT coalesce(max(number), 0) FROM policy")).scalar_one()
    return number


def read_policy(connection: sa.Connection, number: int) -> StoredPolicy:
    """A version by its number; 0 is the empty default. NotFound for a number that was never published."""
    if number == 0:
        return StoredPolicy(0, None, None, None, {})
    row = connection.execute(
        sa.text("SELECT number, published_at, actor, reason, body FROM policy WHERE number = :number"),
        {"number": number},
    ).first()
    if row is None:
        raise NotFound(f"there is no policy {number}", place=str(number))
    return StoredPolicy(**row._mapping)


def publish_policy(
    connection: sa.Connection, body: dict[str, Any], base: int, *, actor: str, role: str, reason: str
) -> StoredPolicy:
    """The document is the newest version once the caller commits; Stale when `base` is not the newest any more.

    Raises ParameterInvalid for a document that cannot be meant. Waits for reports that are being stored, as publishing does.
    """
    parse_policy(body, LAYER_NAMES)
    connection.execute(sa.text("SELECT pg_advisory_xact_lock(:key)"), {"key": GENERATION_LOCK})
    newest = newest_policy(connection)
    if base != newest:
        raise Stale(f"the policy is at version {newest}, not {base}: read it again", place="If-Match", newest=newest)
    stored = StoredPolicy(newest + 1, clock(connection), actor, reason, body)
    connection.execute(
        sa.text(
            "INSERT INTO policy (number, published_at, actor, reason, body) "
            "VALUES (:number, :published_at, :actor, :reason, CAST(:body AS jsonb))"
        ),
        vars(stored) | {"body": audit.as_json(body)},
    )
    audit.record(connection, actor, role, "policy", f"policy/{stored.number}", {"reason": reason})
    return stored
