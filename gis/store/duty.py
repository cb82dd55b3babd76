"""Duty: members' shifts and leave. Spans of one member and kind never overlap; the roster's own ids serve to correct them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

import sqlalchemy as sa

from gis.errors import ShiftOverlaps, ShiftUnknown
from gis.store.generations import clock
from gis.store.ids import uuid7

Kind = Literal["shift", "leave"]


@dataclass(frozen=True)
class Span:
    """From `begin` until just before `end`; `external_id` is what the roster calls it, `kind` what sort of leave it is."""

    begin: datetime
    end: datetime
    external_id: str | None = None
    kind: str = ""


#: Whoever tells a member's spans waits for whoever else does: so a refusal can name the span that stands.
LOCK = sa.text("SELECT FROM member WHERE uid = :member FOR UPDATE")
STANDING = """
    SELECT id, lower(during) AS begin, upper(during) AS end, external_id FROM {table}
    WHERE member = :member AND during && tstzrange(:begin, :end)
      AND (CAST(:external_id AS text) IS NULL OR external_id IS DISTINCT FROM :external_id)
    ORDER BY lower(during) LIMIT 1
"""
NAMED = "SELECT id, member, lower(during) AS begin, upper(during) AS end FROM {table} WHERE external_id = :external_id"
INSERT = {
    "shift": "INSERT INTO shift (id, member, during, external_id) VALUES (:id, :member, tstzrange(:begin, :end), :external_id)",
    "leave": "INSERT INTO leave (id, member, during, external_id, kind) "
    "VALUES (:id, :member, tstzrange(:begin, :end), :external_id, :kind)",
}
UPDATE = "UPDATE {table} SET member = :member, during = tstzrange(:begin, :end) WHERE id = :id"
LIST = """
    SELECT id, lower(during) AS begin, upper(during) AS end, external_id FROM {table}
    WHERE member = :member AND during && tstzrange(:begin, :end) ORDER BY lower(during)
"""


def keep_span(connection: sa.Connection, table: Kind, member: UUID, told: Span) -> tuple[UUID, str]:
    """The span is stored in the caller's transaction: its id, and `stored`, `changed` (its external id was known) or `repeated`.

    ShiftOverlaps, with the span that stands, when it overlaps another of the member. The very same span again is no overlap.
    """
    values = {
        "member": member,
        "begin": told.begin,
        "end": told.end,
        "external_id": told.external_id,
        "kind": told.kind,
    }
    connection.execute(LOCK, {"member": member})
    named = None
    if told.external_id is not None:
        named = connection.execute(sa.text(NAMED.format(table=table)), {"external_id": told.external_id}).first()
    if named is not None and (named.member, named.begin, named.end) == (member, told.begin, told.end):
        return named.id, "repeated"
    standing = connection.execute(sa.text(STANDING.format(table=table)), values).first()
    if standing is not None:
        if (standing.begin, standing.end) == (told.begin, told.end) and told.external_id in {
            None,
            standing.external_id,
        }:
            return standing.id, "repeated"
        raise _overlap(table, told, standing)
    if named is not None:
        connection.execute(sa.text(UPDATE.format(table=table)), values | {"id": named.id})
        return named.id, "changed"
    uid = uuid7(clock(connection))
    connection.execute(sa.text(INSERT[table]), values | {"id": uid})
    return uid, "stored"


def _overlap(table: Kind, told: Span, standing: Any) -> ShiftOverlaps:
    word = "a shift" if table == "shift" else "leave"
    return ShiftOverlaps(
        f"the member has {word} from {standing.begin.isoformat()} to {standing.end.isoformat()}, which "
        f"{told.begin.isoformat()} to {told.end.isoformat()} overlaps; correct that one (by its external_id) or delete it first",
        place="begin",
        standing=str(standing.id),
        begin=standing.begin.isoformat(),
        end=standing.end.isoformat(),
    )


def delete_span(connection: sa.Connection, table: Kind, uid: UUID) -> None:
    """There is no such span any more; ShiftUnknown when there was none."""
    found = connection.execute(sa.text(f"DELETE FROM {table} WHERE id = :id RETURNING id"), {"id": uid}).first()  # noqa: S608 - a Literal
    if found is None:
        raise ShiftUnknown(f"no {table} has the id {uid}", place="id")


def spans(
    connection: sa.Connection, table: Kind, member: UUID, begin: datetime, end: datetime
) -> Sequence[dict[str, Any]]:
    """The member's spans that touch the time from `begin` to `end`, in order: id, begin, end, external_id."""
    rows = connection.execute(sa.text(LIST.format(table=table)), {"member": member, "begin": begin, "end": end})
    return [dict(row._mapping) for row in rows]
