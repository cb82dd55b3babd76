"""Spot checks: draws as they were made, what was found in the grids drawn, and what the store knows that makes a grid likelier."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from gis.errors import FieldMissing, SpotcheckUnknown
from gis.store.audit import as_json
from gis.store.generations import clock
from gis.store.ids import uuid7


@dataclass(frozen=True)
class DrawnGrid:
    """A grid of a draw: `rank` is the order in which to go there, `probability` the chance that it had."""

    grid: str  # uid
    code: str
    rank: int
    stratum: str
    probability: float
    reason_zh: str
    reason_en: str


@dataclass(frozen=True)
class NewDraw:
    """A draw about to be stored. `strata`, `parameters` and `frame` are JSON values; from `frame` and `seed` it can be made again."""

    at: datetime
    generation: int
    layer: str
    n: int
    seed: int
    strata: list[dict[str, Any]]
    parameters: dict[str, Any]
    frame: dict[str, Any]
    reason: str
    grids: tuple[DrawnGrid, ...]


DRAW = sa.text("""
    INSERT INTO spotcheck (id, made_at, actor, at, generation, layer, n, drawn, seed, strata, parameters, frame, reason)
    VALUES (:id, :now, :actor, :at, :generation, :layer, :n, :drawn, :seed, CAST(:strata AS json), CAST(:parameters AS json),
            CAST(:frame AS json), :reason)
""")
GRID = sa.text("""
    INSERT INTO spotcheck_grid (spotcheck, grid, code, rank, stratum, probability, reason_zh, reason_en)
    VALUES (:spotcheck, CAST(:grid AS uuid), :code, :rank, :stratum, :probability, :reason_zh, :reason_en)
""")
#: With how many of its grids were looked at, and in how many something was wrong.
LIST = """
    SELECT s.id, s.made_at, s.actor, s.at, s.generation, s.layer, s.n, s.drawn, s.seed, s.reason, {more}
           count(g.outcome) AS checked, count(*) FILTER (WHERE g.outcome = 'fault') AS faults
    FROM spotcheck s JOIN spotcheck_grid g ON g.spotcheck = s.id
"""
PAGE = sa.text(
    LIST.format(more="")
    + "WHERE CAST(:before AS uuid) IS NULL OR s.id < CAST(:before AS uuid) GROUP BY s.id ORDER BY s.id DESC LIMIT :limit"
)
#: JSON columns cannot be grouped by; the primary key stands for the row.
ONE = sa.text(LIST.format(more="s.strata, s.parameters, s.frame,") + "WHERE s.id = :id GROUP BY s.id")
GRIDS = sa.text("""
    SELECT grid::text AS grid, code, rank, stratum, probability, reason_zh, reason_en, outcome, note, checked_at, checked_by
    FROM spotcheck_grid WHERE spotcheck = :id ORDER BY rank
""")
#: Locked, so that the audit names the outcome that was there before.
BEFORE = sa.text("""
    SELECT outcome, note, checked_at, checked_by FROM spotcheck_grid WHERE spotcheck = :id AND code = :code FOR UPDATE
""")
NOTE = sa.text("""
    UPDATE spotcheck_grid SET outcome = :outcome, note = :note, checked_at = :now, checked_by = :actor
    WHERE spotcheck = :id AND code = :code
""")
#: Linked duplicates count once. An event is open at an instant if it was received by then and is not closed by then.
EVENTS = sa.text("""
    SELECT grid::text AS grid,
           count(*) FILTER (WHERE status = 'open' OR closed_at > :at) AS open,
           count(*) FILTER (WHERE status = 'closed' AND coalesce(closed_at <= :at, true)) AS recent
    FROM event e
    WHERE grid IS NOT NULL AND received_at <= :at AND (status = 'open' OR closed_at > :at OR occurred_at >= :since)
      AND NOT EXISTS (SELECT FROM event_duplicate d WHERE d.event = e.id)
    GROUP BY grid
""")
CHECKED = sa.text(
    "SELECT grid::text AS grid, max(checked_at) AS at FROM spotcheck_grid WHERE checked_at <= :at GROUP BY grid"
)


def keep_draw(connection: sa.Connection, draw: NewDraw, actor: str) -> UUID:
    """The draw and its grids are stored in the caller's transaction: its id."""
    now = clock(connection)
    uid = uuid7(now)
    kept = {name: as_json(getattr(draw, name)) for name in ("strata", "parameters", "frame")}
    told = {"id": uid, "now": now, "actor": actor, "drawn": len(draw.grids)}
    connection.execute(DRAW, vars(draw) | kept | told)
    connection.execute(GRID, [vars(one) | {"spotcheck": uid} for one in draw.grids])
    return uid


def list_draws(connection: sa.Connection, limit: int = 100, before: UUID | None = None) -> list[dict[str, Any]]:
    """Draws, newest first, older than `before`, with how many grids were looked at and how many had a fault."""
    return [dict(row._mapping) for row in connection.execute(PAGE, {"limit": limit, "before": before})]


def read_draw(connection: sa.Connection, uid: UUID) -> dict[str, Any]:
    """One draw with its `strata`, `parameters` and `frame`, and `grids` in the order of going; SpotcheckUnknown when there is none."""
    row = connection.execute(ONE, {"id": uid}).first()
    if row is None:
        raise SpotcheckUnknown(f"no spot check has the id {uid}", place=str(uid))
    grids = [dict(one._mapping) for one in connection.execute(GRIDS, {"id": uid})]
    return dict(row._mapping) | {"grids": grids}


def note_outcome(
    connection: sa.Connection, uid: UUID, code: str, outcome: str | None, note: str | None, actor: str
) -> tuple[dict[str, Any], dict[str, Any]]:
    """What was found in a grid of a draw is noted: (as it was, as it is). None leaves outcome or note as they are.

    SpotcheckUnknown when the draw has no such grid, FieldMissing for words without an outcome. Noting the same again changes nothing,
    nor when it was noted and by whom.
    """
    row = connection.execute(BEFORE, {"id": uid, "code": code}).first()
    if row is None:
        raise SpotcheckUnknown(f"spot check {uid} did not draw a grid {code}", place=code)
    before = dict(row._mapping)
    told = {
        "outcome": before["outcome"] if outcome is None else outcome,
        "note": before["note"] if note is None else note,
    }
    if told["outcome"] is None:
        raise FieldMissing("a note needs the outcome: fine or fault", place="outcome")
    if told.items() <= before.items():
        return before, before
    now = clock(connection)
    connection.execute(NOTE, told | {"id": uid, "code": code, "now": now, "actor": actor})
    return before, told | {"checked_at": now, "checked_by": actor}


def events_by_grid(connection: sa.Connection, at: datetime, since: datetime) -> dict[str, tuple[int, int]]:
    """Uid of a grid -> (events open at `at`, those closed by then that occurred from `since` on); grids without any are left out."""
    rows = connection.execute(EVENTS, {"at": at, "since": since})
    return {row.grid: (row.open, row.recent) for row in rows}


def last_checked(connection: sa.Connection, at: datetime) -> dict[str, datetime]:
    """Uid of a grid -> when it was last spot-checked by `at`. A grid that was drawn and not looked at was not."""
    rows: Sequence[Any] = connection.execute(CHECKED, {"at": at}).all()
    return {row.grid: row.at for row in rows}
