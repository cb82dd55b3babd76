"""Duty: members' shifts and leave. Spans of one member and kind never overlap; the roster's own ids serve to correct them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

import sqlalchemy as sa

from gis.errors import ShiftOverlaps, ShiftUnknown
from gis.store.generations import clock
from gis.store.ids import uuid7, uuids7

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
LOCK_ALL = sa.text("SELECT FROM member WHERE uid = ANY(CAST(:members AS uuid[])) ORDER BY uid FOR UPDATE")
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
#: Which of the told spans meet one of their member that stands, or bear an external id that is known: their numbers.
MET = """
    SELECT t.number FROM unnest(CAST(:members AS uuid[]), CAST(:begins AS timestamptz[]), CAST(:ends AS timestamptz[]),
                                CAST(:external_ids AS text[])) WITH ORDINALITY AS t(member, begin, ending, external_id, number)
    WHERE EXISTS (SELECT FROM {table} s WHERE s.member = t.member AND s.during && tstzrange(t.begin, t.ending))
       OR EXISTS (SELECT FROM {table} s WHERE s.external_id = t.external_id)
"""
INSERT_ALL = {
    "shift": """
        INSERT INTO shift (id, member, during, external_id)
        SELECT id, member, tstzrange(begin, ending), external_id
        FROM unnest(CAST(:ids AS uuid[]), CAST(:members AS uuid[]), CAST(:begins AS timestamptz[]), CAST(:ends AS timestamptz[]),
                    CAST(:external_ids AS text[])) AS t(id, member, begin, ending, external_id)
    """,
    "leave": """
        INSERT INTO leave (id, member, during, external_id, kind)
        SELECT id, member, tstzrange(begin, ending), external_id, kind
        FROM unnest(CAST(:ids AS uuid[]), CAST(:members AS uuid[]), CAST(:begins AS timestamptz[]), CAST(:ends AS timestamptz[]),
                    CAST(:external_ids AS text[]), CAST(:kinds AS text[])) AS t(id, member, begin, ending, external_id, kind)
    """,
}
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


def keep_spans(connection: sa.Connection, table: Kind, told: Sequence[tuple[UUID, Span]]) -> list[tuple[UUID, str]]:
    """The spans (member, span) are stored as `keep_span` would one after the other: of each its id and what became of it, in order.

    Those that meet no other, stored or told, go in together. Raises as `keep_span`; nothing is stored then that the caller commits.
    """
    connection.execute(LOCK_ALL, {"members": sorted({member for member, _ in told})})
    columns = _columns(told)
    met = connection.execute(sa.text(MET.format(table=table)), {k: v for k, v in columns.items() if k != "kinds"})
    single = {number - 1 for (number,) in met} | _meeting(told)
    free = [i for i in range(len(told)) if i not in single]
    ids = uuids7(clock(connection), len(free))
    if free:
        values = _columns([told[i] for i in free]) | {"ids": ids}
        connection.execute(sa.text(INSERT_ALL[table]), values)
    kept = dict(zip(free, [(uid, "stored") for uid in ids], strict=True))
    kept |= {i: keep_span(connection, table, *told[i]) for i in sorted(single)}
    return [kept[i] for i in range(len(told))]


def _columns(told: Sequence[tuple[UUID, Span]]) -> dict[str, list[Any]]:
    return {
        "members": [member for member, _ in told], "begins": [span.begin for _, span in told],
        "ends": [span.end for _, span in told], "external_ids": [span.external_id for _, span in told],
        "kinds": [span.kind for _, span in told],
    }  # fmt: skip


def _meeting(told: Sequence[tuple[UUID, Span]]) -> set[int]:
    """The positions of spans that overlap another of their member, or share an external id."""
    named = Counter(span.external_id for _, span in told if span.external_id is not None)
    found = {i for i, (_, span) in enumerate(told) if span.external_id is not None and named[span.external_id] > 1}
    order = sorted(range(len(told)), key=lambda i: (told[i][0], told[i][1].begin, told[i][1].end))
    last: int | None = None  # of the spans so far the one of this member that ends last
    for i in order:
        if last is not None and told[last][0] == told[i][0] and told[i][1].begin < told[last][1].end:
            found |= {last, i}
        if last is None or told[last][0] != told[i][0] or told[i][1].end > told[last][1].end:
            last = i
    return found


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
