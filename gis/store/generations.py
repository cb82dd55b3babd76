"""Generations: the line of published states, and the one way to add to it.

    publish:  read before -> `gis.supersede` says what changes -> lock -> close and open facts -> receipts of it -> commit

While a publication writes, it holds GENERATION_LOCK; every intake holds the same lock shared from the moment it takes its
`received_at` until it commits. So a report received after `effective_at` is never answered by the old boundary, and one
received before is never caught half way.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import shapely
import sqlalchemy as sa

from gis.crs import area_m2
from gis.errors import GenerationOrder, StateConflict
from gis.partition import Boundaries
from gis.store import audit
from gis.store.boundaries import Moment, newest_generation, read_boundaries
from gis.store.ids import uuid7
from gis.store.owing import owe
from gis.supersede import Incoming, Supersession, compare, receive_all

#: Key of the advisory lock that orders publications and intakes.
GENERATION_LOCK = 0x6772_6964


@dataclass(frozen=True)
class Generation:
    """One published state of all boundaries."""

    number: int
    published_at: datetime
    effective_at: datetime
    correction: bool
    reason: str | None
    actor: str
    summary: dict[str, Any]


@dataclass(frozen=True)
class Publication:
    """What is to be published: `effective_at` None means now; a correction may lie in the past and needs a reason.

    `rule` says what becomes of open events of changed areas: `move`, `stay` or `follow_member`.
    """

    incoming: tuple[Incoming, ...]
    actor: str
    role: str
    effective_at: datetime | None = None
    correction: bool = False
    reason: str | None = None
    rule: str = "move"


COLUMNS = "number, published_at, effective_at, correction, reason, actor, summary"
CLOCK = sa.text("SELECT clock_timestamp()")


def clock(connection: sa.Connection) -> datetime:
    """The server's clock, not the transaction's."""
    now: datetime = connection.execute(CLOCK).scalar_one()
    return now


STATE_OF = sa.text("""
    SELECT max(effective_at) AS at, max(published_at) AS known_at FROM generation WHERE number <= :number
""")


def moment_of(connection: sa.Connection, number: int) -> Moment:
    """The moment whose boundaries are the last of the line as it was when generation `number` was published; now for 0."""
    if number == 0:
        now = clock(connection)
        return Moment(now, now)
    row = connection.execute(STATE_OF, {"number": number}).one()
    return Moment(row.at, row.known_at)


CHANGED_BY = sa.text("""
    SELECT max(n.number) FROM generation n WHERE n.number > :base AND EXISTS (
        SELECT FROM grid_shape s WHERE s.grid = CAST(:uid AS uuid) AND n.published_at IN (lower(s.recorded), upper(s.recorded))
        UNION ALL SELECT FROM grid_code c WHERE c.grid = CAST(:uid AS uuid) AND n.published_at IN (lower(c.recorded), upper(c.recorded))
        UNION ALL SELECT FROM grid_name a WHERE a.grid = CAST(:uid AS uuid) AND n.published_at IN (lower(a.recorded), upper(a.recorded))
        UNION ALL SELECT FROM grid_parent p WHERE p.grid = CAST(:uid AS uuid) AND n.published_at IN (lower(p.recorded), upper(p.recorded)))
""")
#: A grid's facts that begin after an instant: what a correction of that instant would not reach.
LATER = sa.text("""
    SELECT f.grid::text AS uid, f.generation, lower(f.valid) AS since FROM (
        SELECT grid, valid, recorded, generation FROM grid_shape
        UNION ALL SELECT grid, valid, recorded, generation FROM grid_code
        UNION ALL SELECT grid, valid, recorded, generation FROM grid_parent
    ) AS f
    WHERE f.grid = ANY(CAST(:uids AS uuid[])) AND upper_inf(f.recorded) AND lower(f.valid) > :at
    ORDER BY lower(f.valid), f.grid LIMIT 1
""")


def changed_by(connection: sa.Connection, uid: str, base: int) -> int | None:
    """The newest generation after `base` that changed a fact of the grid; None when none did."""
    number: int | None = connection.execute(CHANGED_BY, {"uid": uid, "base": base}).scalar()
    return number


def first_later(connection: sa.Connection, uids: Iterable[str], at: datetime) -> tuple[str, int, datetime] | None:
    """(uid, generation, instant) of the first fact of these grids that begins after `at`; None when there is none."""
    row = connection.execute(LATER, {"uids": list(uids), "at": at}).first()
    return None if row is None else (row.uid, row.generation, row.since)


def list_generations(connection: sa.Connection, limit: int = 1000, before: int | None = None) -> list[Generation]:
    """Generations, newest first, numbered below `before`."""
    rows = connection.execute(
        sa.text(
            f"SELECT {COLUMNS} FROM generation WHERE CAST(:before AS integer) IS NULL OR number < :before "  # noqa: S608 - a constant
            "ORDER BY number DESC LIMIT :limit"
        ),
        {"limit": limit, "before": before},
    )
    return [Generation(**row._mapping) for row in rows]


def first_actor(connection: sa.Connection) -> str | None:
    """Who published the first generation; None before there was one."""
    found: str | None = connection.execute(sa.text("SELECT actor FROM generation ORDER BY number LIMIT 1")).scalar()
    return found


def preview(connection: sa.Connection, publication: Publication) -> tuple[Boundaries, Boundaries, Supersession]:
    """What publishing would change: the boundaries before and after, and the facts in between. Nothing is written."""
    now = clock(connection)
    refuse_disorder(connection, publication, publication.effective_at or now)
    before = read_boundaries(connection, Moment(publication.effective_at or now, now))
    after = receive_all(before, publication.incoming, lambda: str(uuid7(now)))
    return before, after, compare(before, after)


#: A slip of the pen in the year would hold up every later publication.
FARTHEST = timedelta(days=400)


def refuse_disorder(connection: sa.Connection, publication: Publication, effective_at: datetime) -> None:
    """Returns if this may take effect at `effective_at`; GenerationOrder otherwise."""
    newest: datetime | None = connection.execute(sa.text("SELECT max(effective_at) FROM generation")).scalar()
    if effective_at > clock(connection) + FARTHEST:
        raise GenerationOrder(
            f"{effective_at.isoformat()} is more than {FARTHEST.days} days ahead: nothing could take effect before it any more",
            place="effective_at",
        )
    if publication.correction:
        if not (publication.reason or "").strip():
            raise GenerationOrder("a correction needs a reason", place="reason")
    elif newest is not None and effective_at < newest:
        raise GenerationOrder(
            f"the newest published generation takes effect at {newest.isoformat()}; a later one cannot take effect before it "
            "(a correction can, with a reason)",
            place="effective_at",
            newest_effective_at=newest.isoformat(),
        )


def publish(connection: sa.Connection, publication: Publication) -> Generation:
    """A new generation is in the store once the caller commits; its shapes, names, codes and parents are opened and closed.

    Runs in the caller's transaction. Raises GenerationOrder, StateConflict when nothing changes or somebody published in
    between, CodeInvalid as `gis.supersede` does. Open events are the caller's next step (`data.reassign`).
    """
    base = newest_generation(connection)
    _, _, facts = preview(connection, publication)
    profiles = {code: one.profile for one in publication.incoming for code in one.codes}
    return publish_facts(connection, publication, base, facts, profiles)


def publish_facts(
    connection: sa.Connection, publication: Publication, base: int, facts: Supersession, profiles: Mapping[str, str]
) -> Generation:
    """The facts, found while generation `base` was the newest, are a generation once the caller commits.

    `profiles` names the form of new codes (without one: external). From here until the transaction ends nobody else
    publishes and no report is received. Raises StateConflict when there are none, or `base` is not the newest any more.
    """
    if not facts:
        raise StateConflict("nothing changes: the store already says the same", place="grids")
    areas = _areas(facts)
    connection.execute(sa.text("SELECT pg_advisory_xact_lock(:key)"), {"key": GENERATION_LOCK})
    if newest_generation(connection) != base:
        raise StateConflict("another generation was published in between; look again and repeat", place="generation")
    generation = _number(connection, publication, base + 1, facts)
    _write(connection, generation, facts, areas, profiles)
    times = {"effective": generation.effective_at, "published": generation.published_at}
    owe(connection, generation.number, publication.rule, **times)
    audit.record(
        connection,
        publication.actor,
        publication.role,
        "publish",
        f"generation/{generation.number}",
        {"effective_at": generation.effective_at.isoformat(), "rule": publication.rule, **generation.summary},
    )
    connection.execute(sa.text("SELECT pg_notify('gridbeat_generation', :number)"), {"number": str(generation.number)})
    return generation


def _areas(facts: Supersession) -> dict[str, float]:
    shapes = np.empty(len(facts.shapes), dtype=object)
    shapes[:] = list(facts.shapes.values())
    return dict(zip(facts.shapes, map(float, area_m2(shapes)), strict=True))


def _number(connection: sa.Connection, publication: Publication, number: int, facts: Supersession) -> Generation:
    published_at = clock(connection)
    generation = Generation(
        number,
        published_at,
        publication.effective_at or published_at,
        publication.correction,
        publication.reason,
        publication.actor,
        facts.summary(),
    )
    connection.execute(
        sa.text(
            f"INSERT INTO generation ({COLUMNS}) VALUES (:number, :published_at, :effective_at, :correction, :reason, :actor, "  # noqa: S608
            "CAST(:summary AS jsonb))"
        ),
        vars(generation) | {"summary": audit.as_json(generation.summary)},
    )
    return generation


#: Closes the row in force at `effective` for each grid named, keeps the part before it, and says until when it was to be valid.
CLOSE = """
    WITH closed AS (
        UPDATE {table} SET recorded = tstzrange(lower(recorded), :published)
        WHERE grid = ANY(CAST(:grids AS uuid[])) AND upper_inf(recorded) AND valid @> CAST(:effective AS timestamptz)
        RETURNING grid, {columns}, valid, generation
    ), kept AS (
        INSERT INTO {table} (grid, {columns}, valid, recorded, generation)
        SELECT grid, {columns}, tstzrange(lower(valid), :effective), tstzrange(:published, NULL), generation
        FROM closed WHERE lower(valid) < :effective
    )
    SELECT grid::text AS grid, upper(valid) AS until FROM closed
"""
FACTS = {
    "grid_shape": "geom, area_m2",
    "grid_code": "code, profile",
    "grid_name": "name",
    "grid_parent": "parent, ordinal",
}


def _close(
    connection: sa.Connection, table: str, generation: Generation, grids: Sequence[str]
) -> dict[str, datetime | None]:
    """Facts of these grids end at `effective_at`, as known from `published_at` on; returns until when each was to hold."""
    if not grids:
        return {}
    rows = connection.execute(
        sa.text(CLOSE.format(table=table, columns=FACTS[table])),
        {"published": generation.published_at, "effective": generation.effective_at, "grids": list(grids)},
    )
    return {row.grid: row.until for row in rows}


#: A grid that comes back after it was retired is there already.
NEW_GRID = sa.text(
    "INSERT INTO grid (uid, layer, level, generation) VALUES (CAST(:uid AS uuid), :layer, :level, :number) "
    "ON CONFLICT DO NOTHING"
)
OPEN = """
    INSERT INTO {table} (grid, {columns}, valid, recorded, generation)
    VALUES (CAST(:grid AS uuid), {values}, tstzrange(:effective, :until), tstzrange(:published, NULL), :generation)
"""
VALUES = {
    "grid_shape": "ST_Multi(ST_SetSRID(ST_GeomFromWKB(:geom), 4326)), :area_m2",
    "grid_code": ":code, :profile",
    "grid_name": ":name",
    "grid_parent": "CAST(:parent AS uuid), :ordinal",
}


def _open(
    connection: sa.Connection,
    table: str,
    generation: Generation,
    facts: Sequence[dict[str, Any]],
    until: dict[str, datetime | None],
) -> None:
    if facts:
        times = {
            "published": generation.published_at,
            "effective": generation.effective_at,
            "generation": generation.number,
        }
        connection.execute(
            sa.text(OPEN.format(table=table, columns=FACTS[table], values=VALUES[table])),
            [fact | times | {"until": until.get(fact["grid"])} for fact in facts],
        )


def _write(
    connection: sa.Connection,
    generation: Generation,
    facts: Supersession,
    areas: dict[str, float],
    profiles: Mapping[str, str],
) -> None:
    """Close what ended, then open what began: in this order a code can pass from one grid to another at the same instant."""
    if facts.created:
        units = [vars(unit) | {"number": generation.number} for unit in facts.created.values()]
        connection.execute(NEW_GRID, units)
    changed: dict[str, Iterable[str]] = {
        "grid_shape": facts.shapes,
        "grid_code": facts.codes,
        "grid_name": facts.names,
        "grid_parent": facts.parents,
    }
    ending = {
        table: [*(uid for uid in uids if uid not in facts.created), *facts.retired] for table, uids in changed.items()
    }
    until = {table: _close(connection, table, generation, uids) for table, uids in ending.items()}
    for table, rows in _rows(facts, areas, profiles).items():
        _open(connection, table, generation, rows, until[table])
    _write_lineage(connection, generation, facts)


def _rows(facts: Supersession, areas: dict[str, float], profiles: Mapping[str, str]) -> dict[str, list[dict[str, Any]]]:
    """The facts to open, by table."""
    return {
        "grid_shape": [
            {"grid": uid, "geom": shapely.to_wkb(shapely.force_2d(shape)), "area_m2": areas[uid]}
            for uid, shape in facts.shapes.items()
        ],
        "grid_code": [
            {"grid": uid, "code": code, "profile": profiles.get(code, "external")} for uid, code in facts.codes.items()
        ],
        "grid_name": [{"grid": uid, "name": name} for uid, name in facts.names.items()],
        "grid_parent": [
            {"grid": uid, "parent": parent, "ordinal": ordinal}
            for uid, parents in facts.parents.items()
            for ordinal, parent in enumerate(parents)
        ],
    }


def _write_lineage(connection: sa.Connection, generation: Generation, facts: Supersession) -> None:
    if facts.lineage:
        connection.execute(
            sa.text(
                "INSERT INTO lineage (kind, predecessor, successor, share, generation) "
                "VALUES (:kind, CAST(:predecessor AS uuid), CAST(:successor AS uuid), :share, :generation)"
            ),
            [vars(one) | {"generation": generation.number} for one in facts.lineage],
        )
    if facts.voided:
        connection.execute(
            sa.text(
                "INSERT INTO voided_code (code, grid, profile, voided_at, recorded_at, generation) "
                "VALUES (:code, CAST(:grid AS uuid), 'external', :effective_at, :published_at, :number)"
            ),
            [
                {"code": code, "grid": uid}
                | {key: getattr(generation, key) for key in ("effective_at", "published_at", "number")}
                for code, uid in facts.voided.items()
            ],
        )


def voided_codes(connection: sa.Connection) -> frozenset[str]:
    """Every code that ever went out of use: a profile never gives one of them again."""
    return frozenset(connection.execute(sa.text("SELECT code FROM voided_code")).scalars())
