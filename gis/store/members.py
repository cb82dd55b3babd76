"""Members and the grids they work, over time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from gis.errors import MemberUnknown, StateConflict
from gis.store.boundaries import Moment, find_grid
from gis.store.generations import clock
from gis.store.ids import uuid7


@dataclass(frozen=True)
class NewMember:
    """A member as told. `grids` (codes) are all that the member works from `since` on (None: now); None leaves them as they are."""

    code: str
    name: str
    role: str = "member"
    active: bool = True
    grids: tuple[str, ...] | None = None
    since: datetime | None = None


@dataclass(frozen=True)
class Belonging:
    """A grid that a member works from `begin` until just before `end` (None: still)."""

    grid: str
    begin: datetime
    end: datetime | None


UPSERT = sa.text("""
    INSERT INTO member (uid, code, name, role, active, made_at, changed_at)
    VALUES (:uid, :code, :name, :role, :active, :now, :now)
    ON CONFLICT (code) DO UPDATE SET name = excluded.name, role = excluded.role, active = excluded.active,
        changed_at = excluded.changed_at
    WHERE (member.name, member.role, member.active) IS DISTINCT FROM (excluded.name, excluded.role, excluded.active)
    RETURNING uid, made_at = changed_at AS is_new
""")
FIND = sa.text("SELECT uid, number, code, name, role, active FROM member WHERE code = :code")
#: Whoever changes where a member works waits for whoever else does.
LOCK = sa.text("SELECT FROM member WHERE uid = :member FOR UPDATE")
HELD = sa.text("""
    SELECT grid FROM membership WHERE member = :member AND valid @> CAST(:since AS timestamptz) AND upper_inf(valid)
""")
LATER = sa.text("""
    SELECT min(lower(valid)) FROM membership WHERE member = :member AND lower(valid) > :since
""")
END = sa.text("""
    WITH ending AS (
        DELETE FROM membership WHERE member = :member AND upper_inf(valid) AND valid @> CAST(:since AS timestamptz)
            AND grid <> ALL(CAST(:kept AS uuid[]))
        RETURNING grid, valid
    )
    INSERT INTO membership (member, grid, valid)
    SELECT :member, grid, tstzrange(lower(valid), :since) FROM ending WHERE lower(valid) < :since
""")
BEGIN = sa.text("INSERT INTO membership (member, grid, valid) VALUES (:member, :grid, tstzrange(:since, NULL))")
BELONGING = sa.text("""
    SELECT grid::text AS grid, lower(valid) AS begin, upper(valid) AS end FROM membership
    WHERE member = :member AND valid && tstzrange(:begin, :end, '[)') ORDER BY lower(valid), grid
""")
BELONGING_ALL = sa.text("""
    SELECT member, grid::text AS grid, lower(valid) AS begin, upper(valid) AS end FROM membership
    WHERE member = ANY(CAST(:members AS uuid[])) ORDER BY member, lower(valid), grid
""")
#: Members by code, with the codes that their grids have at the moment.
LIST = sa.text("""
    SELECT m.uid, m.code, m.name, m.role, m.active,
           coalesce(array_agg(c.code ORDER BY c.code) FILTER (WHERE c.code IS NOT NULL), '{}') AS grids
    FROM member m
    LEFT JOIN membership b ON b.member = m.uid AND b.valid @> CAST(:at AS timestamptz)
    LEFT JOIN grid_code c ON c.grid = b.grid AND c.valid @> CAST(:at AS timestamptz) AND c.recorded @> CAST(:known_at AS timestamptz)
    WHERE (CAST(:after AS text) IS NULL OR m.code > CAST(:after AS text) COLLATE "C")
      AND (CAST(:active AS boolean) IS NULL OR m.active = :active)
      AND (CAST(:q AS text) IS NULL OR strpos(lower(m.code), lower(:q)) > 0 OR strpos(lower(m.name), lower(:q)) > 0)
    GROUP BY m.uid
    HAVING CAST(:grid AS text) IS NULL OR :grid = ANY(array_agg(c.code))
    ORDER BY m.code LIMIT :limit
""")


def keep_member(connection: sa.Connection, told: NewMember) -> tuple[UUID, str]:
    """The member is stored as told in the caller's transaction: uid, and `stored`, `changed` or `repeated` (already so).

    Raises GridUnknown or CodeVoided for a grid that is not in force at `since`, StateConflict when grids were told from a later
    instant on (what is known of later is not overwritten in silence).
    """
    now = clock(connection)
    facts = {name: getattr(told, name) for name in ("code", "name", "role", "active")}
    row = connection.execute(UPSERT, facts | {"uid": uuid7(now), "now": now}).first()
    uid: UUID = row.uid if row is not None else find_member(connection, told.code)["uid"]
    moved = told.grids is not None and _work(connection, uid, told, now)
    if row is not None and row.is_new:
        return uid, "stored"
    return uid, "changed" if row is not None or moved else "repeated"


def _work(connection: sa.Connection, member: UUID, told: NewMember, now: datetime) -> bool:
    """From `since` on the member works the grids told and no others; whether that was news."""
    since = told.since or now
    grids = {UUID(find_grid(connection, Moment(since, now), code)["uid"]) for code in told.grids or ()}
    connection.execute(LOCK, {"member": member})
    held = set(connection.execute(HELD, {"member": member, "since": since}).scalars())
    later = connection.execute(LATER, {"member": member, "since": since}).scalar()
    if later is not None:
        raise StateConflict(
            f"where {told.code} works is known from {later.isoformat()} on; tell it from then on or later",
            place="since",
        )
    if held == grids:
        return False
    connection.execute(END, {"member": member, "since": since, "kept": list(grids)})
    for grid in sorted(grids - held):
        connection.execute(BEGIN, {"member": member, "grid": grid, "since": since})
    return True


def find_member(connection: sa.Connection, code: str) -> dict[str, Any]:
    """One member by code: uid, number, code, name, role, active; MemberUnknown when there is none."""
    row = connection.execute(FIND, {"code": code}).first()
    if row is None:
        raise MemberUnknown(f"no member has the code {code}", place="member")
    return dict(row._mapping)


def member_numbers(connection: sa.Connection) -> dict[str, int]:
    """Code -> number, of every member that ever was."""
    return {row.code: row.number for row in connection.execute(sa.text("SELECT code, number FROM member"))}


def member_uids(connection: sa.Connection) -> dict[str, UUID]:
    """Code -> uid, of every member that ever was."""
    return {row.code: row.uid for row in connection.execute(sa.text("SELECT code, uid FROM member"))}


def belongings(connection: sa.Connection, member: UUID, begin: datetime, end: datetime) -> Sequence[Belonging]:
    """The grids (uids) that the member works at some time from `begin` until just before `end`."""
    rows = connection.execute(BELONGING, {"member": member, "begin": begin, "end": end})
    return [Belonging(**row._mapping) for row in rows]


def all_belongings(connection: sa.Connection, members: Sequence[UUID]) -> dict[UUID, list[Belonging]]:
    """Member -> the grids (uids) worked at any time, of each of these members."""
    found: dict[UUID, list[Belonging]] = {member: [] for member in members}
    for row in connection.execute(BELONGING_ALL, {"members": list(found)}):
        found[row.member].append(Belonging(row.grid, row.begin, row.end))
    return found


def has_members(connection: sa.Connection) -> bool:
    """Whether any member was ever told."""
    found: bool = connection.execute(sa.text("SELECT EXISTS (SELECT FROM member)")).scalar_one()
    return found


def list_members(
    connection: sa.Connection,
    moment: Moment,
    *,
    grid: str | None = None,
    active: bool | None = None,
    q: str | None = None,
    after: str | None = None,
    limit: int = 100,
) -> list[dict[str, Any]]:
    """One page of members by code, after `after`, with the codes of the grids they work at that moment."""
    values = {"grid": grid, "active": active, "q": q, "after": after, "limit": limit}
    return [dict(row._mapping) for row in connection.execute(LIST, vars(moment) | values)]
