"""Plans: drafts of boundaries as they are stored; every write names the revision it has seen and counts one up.

    operations, by number      1  2  3  4  5       undo, undo, then a new one:
    their steps                1  2  3  2  3       5 stands behind 4, 4 behind 1; 2 and 3 are history

`step` of the plan says how many of the line are in force; what stands behind it can be redone. Rows of operations never
change, so a plan that was read stays what it was, whatever is written meanwhile.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from gis.errors import PlanUnknown, Stale, StateConflict
from gis.store.audit import as_json
from gis.store.generations import clock
from gis.store.ids import uuid7

STATES = ("draft", "submitted", "approved", "published", "withdrawn")


@dataclass(frozen=True)
class StoredPlan:
    """A plan as it stands: `base` is the generation it is drawn on (0: none yet), `generation` the one it became."""

    id: UUID
    title: str
    base: int
    author: str
    made_at: datetime
    changed_at: datetime
    state: str
    revision: int
    newest: int
    step: int
    forked_from: UUID | None
    forked_step: int | None
    generation: int | None


@dataclass(frozen=True)
class StoredOperation:
    """One operation, complete: applied again to the same boundaries it gives the same bytes. `codes`: those that it brings."""

    id: UUID
    number: int
    step: int
    op: str
    body: dict[str, Any]
    codes: tuple[str, ...]
    author: str
    made_at: datetime


COLUMNS = (
    "id, title, coalesce(base, 0) AS base, author, made_at, changed_at, state, revision, newest, step, forked_from, "
    "forked_step, generation"
)
ONE = sa.text(f"SELECT {COLUMNS} FROM plan WHERE id = :id")  # noqa: S608 - a constant
HELD = sa.text(f"SELECT {COLUMNS} FROM plan WHERE id = :id FOR UPDATE")  # noqa: S608
LISTED = sa.text(
    f"SELECT {COLUMNS} FROM plan WHERE (CAST(:state AS text) IS NULL OR state = :state) "  # noqa: S608
    "AND (CAST(:before AS uuid) IS NULL OR id < :before) ORDER BY id DESC LIMIT :limit"
)
ADD = sa.text("""
    INSERT INTO plan (id, title, base, author, made_at, changed_at, newest, step, forked_from, forked_step)
    VALUES (:id, :title, nullif(:base, 0), :author, :now, :now, :step, :step, :forked_from, :forked_step)
""")
WRITE = sa.text("""
    UPDATE plan SET revision = revision + 1, changed_at = greatest(changed_at, :now), base = nullif(:base, 0), state = :state,
           newest = :newest, step = :step, generation = :generation
    WHERE id = :id
""")


def create(connection: sa.Connection, title: str, base: int, author: str) -> StoredPlan:
    """An empty draft on a base generation (0: nothing is published yet) is stored once the caller commits."""
    now = clock(connection)
    plan = uuid7(now)
    values = {"forked_from": None, "forked_step": None, "step": 0}
    connection.execute(ADD, values | {"id": plan, "title": title, "base": base, "author": author, "now": now})
    return read(connection, plan)


def read(connection: sa.Connection, plan: UUID) -> StoredPlan:
    """The plan as it stands; PlanUnknown when there is none."""
    return _found(connection.execute(ONE, {"id": plan}).first(), plan)


def _found(row: Any, plan: UUID) -> StoredPlan:
    if row is None:
        raise PlanUnknown(f"no plan has the id {plan}", place=str(plan))
    return StoredPlan(**row._mapping)


def list_plans(
    connection: sa.Connection, state: str | None = None, limit: int = 100, before: UUID | None = None
) -> list[StoredPlan]:
    """Plans, newest first, made before `before`."""
    rows = connection.execute(LISTED, {"state": state, "before": before, "limit": limit})
    return [StoredPlan(**row._mapping) for row in rows]


def hold(connection: sa.Connection, plan: UUID, expected: int) -> StoredPlan:
    """The plan, held until the transaction ends; Stale when it is not at the revision `expected` any more."""
    held = _found(connection.execute(HELD, {"id": plan}).first(), plan)
    if held.revision != expected:
        raise Stale(
            f"the plan is at revision {held.revision}, not {expected}: read it again",
            place="If-Match",
            revision=held.revision,
        )
    return held


def refuse_unless(plan: StoredPlan, *states: str) -> None:
    """Returns if the plan is in one of these states; StateConflict otherwise."""
    if plan.state not in states:
        raise StateConflict(f"the plan is {plan.state}; this needs one that is {' or '.join(states)}", place="state")


def _write(connection: sa.Connection, plan: StoredPlan, now: datetime | None = None, **changed: Any) -> StoredPlan:
    held = {name: getattr(plan, name) for name in ("id", "base", "state", "newest", "step", "generation")}
    connection.execute(WRITE, held | {"now": now or clock(connection)} | changed)
    return read(connection, plan.id)


#: Later operations that stand at or before its step have put an operation out of the line.
LINE = sa.text("""
    SELECT id, number, step, op, body, codes, author, made_at FROM (
        SELECT o.*, min(step) OVER (ORDER BY number DESC ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS later
        FROM plan_operation o WHERE plan = :id AND number <= :newest
    ) AS of_plan
    WHERE coalesce(later > step, true) ORDER BY step
""")
#: The same, without what they say.
LINE_IDS = sa.text("""
    SELECT id FROM (
        SELECT id, step, min(step) OVER (ORDER BY number DESC ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS later
        FROM plan_operation WHERE plan = :id AND number <= :newest
    ) AS of_plan
    WHERE coalesce(later > step, true) ORDER BY step LIMIT :step
""")
SOME = sa.text("""
    SELECT id, number, step, op, body, codes, author, made_at FROM plan_operation
    WHERE id = ANY(CAST(:ids AS uuid[])) ORDER BY step
""")
HISTORY = sa.text("""
    SELECT id, number, step, op, body, codes, author, made_at FROM plan_operation
    WHERE plan = :id AND number <= :newest ORDER BY number
""")


def _operations(connection: sa.Connection, statement: sa.TextClause, plan: StoredPlan) -> list[StoredOperation]:
    return _as_operations(connection.execute(statement, {"id": plan.id, "newest": plan.newest}))


def _as_operations(rows: Iterable[Any]) -> list[StoredOperation]:
    return [StoredOperation(**dict(row._mapping) | {"codes": tuple(row.codes)}) for row in rows]


def read_line(connection: sa.Connection, plan: StoredPlan) -> tuple[list[StoredOperation], list[StoredOperation]]:
    """The operations in force, in order, and behind them those that can be redone, as of when `plan` was read."""
    line = _operations(connection, LINE, plan)
    return line[: plan.step], line[plan.step :]


def read_line_ids(connection: sa.Connection, plan: StoredPlan) -> list[UUID]:
    """The ids of the operations in force, in order."""
    values = {"id": plan.id, "newest": plan.newest, "step": plan.step}
    return list(connection.execute(LINE_IDS, values).scalars())


def read_operations(connection: sa.Connection, ids: Sequence[UUID]) -> list[StoredOperation]:
    """These operations of one plan's line, in order."""
    return _as_operations(connection.execute(SOME, {"ids": list(ids)})) if ids else []


def read_history(connection: sa.Connection, plan: StoredPlan) -> list[StoredOperation]:
    """Every operation ever made, by number, those out of the line too."""
    return _operations(connection, HISTORY, plan)


ADD_OPERATION = sa.text("""
    INSERT INTO plan_operation (id, plan, number, step, op, body, codes, author, made_at)
    VALUES (:id, :plan, :number, :step, :op, CAST(:body AS jsonb), :codes, :author, :now)
""")


def append(
    connection: sa.Connection, plan: StoredPlan, body: dict[str, Any], codes: Sequence[str], author: str
) -> tuple[StoredPlan, StoredOperation]:
    """The operation stands behind the plan's step, and what could be redone is out of the line. `plan` is held, a draft."""
    now = clock(connection)
    made = StoredOperation(uuid7(now), plan.newest + 1, plan.step + 1, body["op"], body, tuple(codes), author, now)
    _insert(connection, plan.id, [made], now)
    return _write(connection, plan, now, newest=made.number, step=made.step), made


def _insert(connection: sa.Connection, plan: UUID, made: Sequence[StoredOperation], now: datetime) -> None:
    rows = [vars(one) | {"plan": plan, "body": as_json(one.body), "codes": list(one.codes), "now": now} for one in made]
    if rows:
        connection.execute(ADD_OPERATION, rows)


def stand_at(connection: sa.Connection, plan: StoredPlan, step: int) -> StoredPlan:
    """So many operations of the line are in force afterwards; StateConflict when there are not so many."""
    done, undone = read_line(connection, plan)
    if not 0 <= step <= len(done) + len(undone):
        word, there = ("undone", len(done)) if step < 0 else ("redone", len(undone))
        number = {0: "is nothing", 1: "is 1 operation"}.get(there, f"are {there} operations")
        raise StateConflict(f"there {number} that could be {word}", place="step")
    return _write(connection, plan, step=step)


def rebase(connection: sa.Connection, plan: StoredPlan, base: int) -> StoredPlan:
    """The plan is drawn on another generation afterwards; its operations stay."""
    return _write(connection, plan, base=base)


def set_state(connection: sa.Connection, plan: StoredPlan, state: str, generation: int | None = None) -> StoredPlan:
    """The plan is in another state afterwards; the store refuses what does not follow. `generation`: what it became."""
    return _write(connection, plan, state=state, generation=generation)


def fork(connection: sa.Connection, plan: StoredPlan, step: int, title: str, author: str) -> StoredPlan:
    """A new draft begins with the first `step` operations of this one's line; StateConflict when there are fewer."""
    line, undone = read_line(connection, plan)
    if not 0 <= step <= len(line) + len(undone):
        raise StateConflict(f"the plan has {len(line) + len(undone)} operations, not {step}", place="step")
    now = clock(connection)
    made = uuid7(now)
    values = {"id": made, "title": title, "base": plan.base, "author": author, "now": now, "step": step}
    connection.execute(ADD, values | {"forked_from": plan.id, "forked_step": step})
    copies = [
        StoredOperation(uuid7(now), i, i, one.op, one.body, one.codes, one.author, now)
        for i, one in enumerate([*line, *undone][:step], start=1)
    ]
    _insert(connection, made, copies, now)
    return read(connection, made)


RESERVED = sa.text("""
    SELECT DISTINCT unnest(o.codes) FROM plan_operation o JOIN plan p ON p.id = o.plan
    WHERE p.state IN ('draft', 'submitted', 'approved') AND p.id <> :id
""")


def reserved_codes(connection: sa.Connection, plan: UUID) -> frozenset[str]:
    """Codes that other plans under way bring: this one proposes others, so that both can be published."""
    return frozenset(connection.execute(RESERVED, {"id": plan}).scalars())


ADD_COMMENT = sa.text("""
    INSERT INTO plan_comment (id, plan, geom, text, author, made_at)
    VALUES (:id, :plan, ST_SetSRID(ST_MakePoint(CAST(:lon AS float8), CAST(:lat AS float8)), 4326), :text, :author, :now)
""")
COMMENTS = sa.text("""
    SELECT id, ST_X(geom) AS lon, ST_Y(geom) AS lat, text, author, made_at FROM plan_comment WHERE plan = :id ORDER BY id
""")


def comment(
    connection: sa.Connection, plan: StoredPlan, text: str, place: tuple[float, float] | None, author: str
) -> StoredPlan:
    """The words stand at a place (lon, lat) of the plan, or on it as a whole."""
    now = clock(connection)
    lon, lat = place or (None, None)
    values = {"id": uuid7(now), "plan": plan.id, "lon": lon, "lat": lat, "text": text, "author": author, "now": now}
    connection.execute(ADD_COMMENT, values)
    return _write(connection, plan, now)


def read_comments(connection: sa.Connection, plan: UUID) -> list[dict[str, Any]]:
    """Comments, oldest first."""
    return [dict(row._mapping) for row in connection.execute(COMMENTS, {"id": plan})]


ADD_REVIEW = sa.text("""
    INSERT INTO plan_review (id, plan, revision, reviewer, verdict, words, made_at)
    VALUES (:id, :plan, :revision, :reviewer, :verdict, :words, :now)
""")
REVIEWS = sa.text("""
    SELECT id, revision, reviewer, verdict, words, made_at FROM plan_review WHERE plan = :id ORDER BY id
""")


def review(connection: sa.Connection, plan: StoredPlan, verdict: str, words: str, reviewer: str) -> StoredPlan:
    """A submitted plan is approved, or returned to its author as a draft, with the reviewer's words."""
    now = clock(connection)
    values = {"id": uuid7(now), "plan": plan.id, "revision": plan.revision, "now": now}
    connection.execute(ADD_REVIEW, values | {"reviewer": reviewer, "verdict": verdict, "words": words})
    return _write(connection, plan, now, state="approved" if verdict == "approved" else "draft")


def read_reviews(connection: sa.Connection, plan: UUID) -> list[dict[str, Any]]:
    """Reviews, oldest first."""
    return [dict(row._mapping) for row in connection.execute(REVIEWS, {"id": plan})]
