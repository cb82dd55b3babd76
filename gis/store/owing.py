"""Owing: what every published generation owes to open events, and the statements that pay it: once, whenever that is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import numpy as np
import numpy.typing as npt
import orjson
import shapely
import sqlalchemy as sa

from gis.crs import metres_per_degree
from gis.store import copyrows
from gis.store.ids import octets7

#: Who settles an event holds it shared, who reassigns alone: so an event that is being moved is not missed.
SETTLING_LOCK = 0x6772_6965

#: With more boxes than this every open event within their bounds is looked at.
MANY_BOXES = 400

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Owed:
    """A generation whose open events are to be reassigned by a rule, at `due_at` or later."""

    generation: int
    rule: str
    due_at: datetime
    published_at: datetime
    actor: str


OWE = sa.text(
    "INSERT INTO reassignment (generation, rule, due_at) VALUES (:number, :rule, greatest(:effective, :published))"
)
EVERY = """
    SELECT r.generation, r.rule, r.due_at, g.published_at, g.actor FROM reassignment r JOIN generation g ON g.number = r.generation
"""
OWED = EVERY + "WHERE r.done_at IS NULL "
LAST = sa.text(EVERY + "WHERE r.done_at IS NOT NULL ORDER BY r.due_at DESC, r.generation DESC LIMIT 1")
DUE = sa.text(OWED + "AND r.due_at <= clock_timestamp() ORDER BY r.due_at, r.generation")
TAKE = sa.text(OWED + "AND r.generation = :number FOR UPDATE OF r")
NEXT = sa.text(
    "SELECT extract(epoch FROM min(due_at) - clock_timestamp())::float8 FROM reassignment WHERE done_at IS NULL"
)
PAID = sa.text("UPDATE reassignment SET done_at = clock_timestamp(), moved = :moved WHERE generation = :number")


def owe(connection: sa.Connection, number: int, rule: str, *, effective: datetime, published: datetime) -> None:
    """The generation owes a reassignment from the later of the two instants on."""
    connection.execute(OWE, {"number": number, "rule": rule, "effective": effective, "published": published})


def due(connection: sa.Connection) -> list[Owed]:
    """What is owed and due, the earliest first."""
    return [Owed(**row._mapping) for row in connection.execute(DUE)]


def seconds_to_next(connection: sa.Connection) -> float | None:
    """Seconds until the next reassignment is due, negative when one is overdue; None when none is owed."""
    found: float | None = connection.execute(NEXT).scalar()
    return found


def last_paid(connection: sa.Connection) -> Owed | None:
    """The reassignment by whose boundaries open events were last looked at; None before the first one."""
    row = connection.execute(LAST).first()
    return None if row is None else Owed(**row._mapping)


def settle_alone(connection: sa.Connection) -> None:
    """Nobody else settles an event from here until the transaction ends."""
    connection.execute(sa.text("SELECT pg_advisory_xact_lock(:key)"), {"key": SETTLING_LOCK})


def settle_beside_others(connection: sa.Connection) -> None:
    """Nobody reassigns from here until the transaction ends."""
    connection.execute(sa.text("SELECT pg_advisory_xact_lock_shared(:key)"), {"key": SETTLING_LOCK})


def take(connection: sa.Connection, number: int) -> Owed | None:
    """The reassignment, held until the transaction ends; None when it is done already."""
    row = connection.execute(TAKE, {"number": number}).first()
    return None if row is None else Owed(**row._mapping)


def paid(connection: sa.Connection, number: int, moved: int) -> None:
    """The reassignment is done, and so many events have another grid."""
    connection.execute(PAID, {"number": number, "moved": moved})


#: Whatever a generation closed or opened bears the instant of its publication.
REDRAWN = sa.text("""
    SELECT grid::text AS grid, upper(recorded) IS NOT DISTINCT FROM :published AS old, ST_AsBinary(geom) AS shape FROM grid_shape
    WHERE upper(recorded) = :published OR (lower(recorded) = :published AND generation = :number)
""")
#: A grid's code can decide who owns its border, so its ground is looked at too.
RECODED = sa.text("""
    SELECT c.grid::text AS grid, ST_AsBinary(s.geom) AS shape FROM grid_code c
    JOIN grid_shape s ON s.grid = c.grid AND upper_inf(s.recorded) AND s.valid @> CAST(:at AS timestamptz)
    WHERE lower(c.recorded) = :published AND c.generation = :number
""")
HEIRS = sa.text("""
    SELECT predecessor::text AS predecessor, array_agg(DISTINCT successor::text) AS successors FROM lineage
    WHERE generation = :number AND successor IS NOT NULL AND predecessor IS NOT NULL AND predecessor <> successor
    GROUP BY predecessor
""")
GROUND = sa.text("""
    SELECT ST_XMin(geom) AS west, ST_YMin(geom) AS south, ST_XMax(geom) AS east, ST_YMax(geom) AS north FROM grid_shape
    WHERE lower(recorded) = :published OR upper(recorded) = :published
""")


def heirs(connection: sa.Connection, number: int) -> dict[str, list[str]]:
    """Uid -> the uids that came after it by this generation."""
    rows = connection.execute(HEIRS, {"number": number})
    return {row.predecessor: row.successors for row in rows}


@dataclass(frozen=True)
class Touched:
    """What a generation did to the ground: uids of grids that are gone, of those drawn anew, and of those that got a code.

    `boxes` (n, 4: west, south, east, north) hold all ground that changed hands.
    """

    retired: frozenset[str]
    redrawn: frozenset[str]
    recoded: frozenset[str]
    boxes: Floats


def touched_by(connection: sa.Connection, owed: Owed) -> Touched:
    """What the generation did to grids of any level."""
    rows = connection.execute(REDRAWN, {"published": owed.published_at, "number": owed.generation}).all()
    old, new = ({row.grid: bytes(row.shape) for row in rows if row.old == gone} for gone in (True, False))
    both = old.keys() & new.keys()
    recoded = connection.execute(
        RECODED, {"published": owed.published_at, "number": owed.generation, "at": owed.due_at}
    ).all()
    named = shapely.from_wkb([bytes(row.shape) for row in recoded])
    alone = shapely.from_wkb([shape for held in (old, new) for uid, shape in held.items() if uid not in both])
    before, after = (shapely.from_wkb([held[uid] for uid in sorted(both)]) for held in (old, new))
    # Of few grids the very ground that changed; of many the bounds of all are as good and quicker.
    changed = (
        shapely.symmetric_difference(before, after) if len(both) <= MANY_BOXES else np.concatenate((before, after))
    )
    ground = np.concatenate((alone, named, shapely.get_parts(changed)))
    boxes = shapely.bounds(ground[~shapely.is_empty(ground)]).reshape(-1, 4)
    return Touched(frozenset(old.keys() - both), frozenset(both), frozenset(row.grid for row in recoded), boxes)


@dataclass(frozen=True)
class OpenEvents:
    """Open events as columns: ids, `grid` a uid or None; `lon`, `lat`, `accuracy_m` NaN where there is none."""

    id: list[UUID]
    received_at: list[datetime]
    grid: list[str | None]
    method: list[str]
    lon: Floats
    lat: Floats
    accuracy_m: Floats

    def __len__(self) -> int:
        return len(self.id)


#: A place that is sure to 100 m can be somebody's whose ground begins so many metres away; and so many times its accuracy.
NEAR_M, REACH = 250.0, 2.5

OPEN_EVENT = """
    SELECT e.id, e.received_at, e.grid::text, e.method, ST_X(e.geom), ST_Y(e.geom), e.accuracy_m FROM event e
    WHERE e.status = 'open' AND e.received_at < %(before)s
"""
BY_GRID = OPEN_EVENT + "AND e.grid = ANY(%(grids)s::uuid[])"
BY_ADDRESS = OPEN_EVENT + "AND e.geom IS NULL AND e.grid = ANY(%(redrawn)s::uuid[])"
WITHOUT_PLACE = OPEN_EVENT + "AND e.geom IS NULL AND e.grid IS NULL"
IN_BOUNDS = OPEN_EVENT + "AND e.geom && ST_MakeEnvelope(%(west)s, %(south)s, %(east)s, %(north)s, 4326)"
#: Places that are sure in the boxes, others also `near` degrees around them.
IN_BOXES = """
    SELECT e.id, e.received_at, e.grid::text, e.method, ST_X(e.geom), ST_Y(e.geom), e.accuracy_m
    FROM (SELECT ST_MakeEnvelope(w, s, e, n, 4326) AS box
          FROM unnest(%(wests)s::float8[], %(souths)s::float8[], %(easts)s::float8[], %(norths)s::float8[]) AS b (w, s, e, n)) AS boxes
    JOIN event e ON e.geom && ST_Expand(boxes.box, %(near)s) AND (e.accuracy_m IS NOT NULL OR e.geom && boxes.box)
    WHERE e.status = 'open' AND e.received_at < %(before)s
"""
UNSURE = OPEN_EVENT + (  # noqa: S608 - constants
    "AND e.accuracy_m > 100 AND e.geom && ST_Expand(ST_MakeEnvelope(%(west)s, %(south)s, %(east)s, %(north)s, 4326), "
    "%(reach)s * (SELECT max(accuracy_m) FROM event WHERE status = 'open' AND accuracy_m > 100))"
)


def open_events(connection: sa.Connection, before: datetime, touched: Touched, pad_m: float) -> OpenEvents:
    """Open events received before an instant whose grid or its code may be another one now, oldest first.

    Those of grids that are gone or got a code; those within `pad_m` metres of ground that changed hands, unsure ones farther away;
    those by their address alone in grids that were redrawn, and those that have neither place nor grid.
    """
    boxes = _padded(touched.boxes, pad_m)
    bounds = [*boxes[:, :2].min(axis=0), *boxes[:, 2:].max(axis=0)] if len(boxes) else [0.0] * 4
    values: dict[str, Any] = {"before": before, "redrawn": list(touched.redrawn), **_near(bounds)}
    values["grids"] = list(touched.retired | touched.recoded)
    values |= dict(zip(("west", "south", "east", "north"), map(float, bounds), strict=True))
    values |= dict(zip(("wests", "souths", "easts", "norths"), boxes.T.tolist(), strict=True))
    placed = IN_BOXES if len(boxes) <= MANY_BOXES else IN_BOUNDS
    cursor: Any = connection.connection.cursor()
    cursor.execute(
        f"{BY_GRID} UNION {BY_ADDRESS} UNION {WITHOUT_PLACE} UNION {placed} UNION {UNSURE} ORDER BY 2, 1", values
    )
    columns = list(zip(*cursor.fetchall(), strict=True)) or [()] * 7
    numbers = [np.array(column, dtype=np.float64) for column in columns[4:]]
    ids, received_at, grid, method = (list(column) for column in columns[:4])
    return OpenEvents(ids, received_at, grid, method, *numbers)


def _padded(boxes: Floats, metres: float) -> Floats:
    if not len(boxes):
        return boxes
    east, north = metres_per_degree(np.abs(boxes[:, [1, 3]]).max(axis=1))
    return boxes + metres * np.column_stack((-1.0 / east, -1.0 / north, 1.0 / east, 1.0 / north))


def _near(bounds: Sequence[float]) -> dict[str, float]:
    """How many degrees NEAR_M metres are at most within the bounds, and how many a metre of accuracy reaches."""
    widest = metres_per_degree(np.array([bounds[1], bounds[3]]))
    metre = 1.0 / float(min(widest[0].min(), widest[1].min()))
    return {"near": NEAR_M * metre, "reach": REACH * metre}


@dataclass(frozen=True)
class Latest:
    """The newest receipt of an event: what was asked and answered."""

    id: UUID
    received_at: datetime
    grid: str | None
    method: str
    answer: dict[str, Any]
    grounds: dict[str, Any]


#: Ids are of one transaction, months may be many: each event leads to its own month.
LATEST = """
    SELECT asked.id, asked.received_at, e.grid::text, e.method, a.answer::text, a.grounds::text
    FROM unnest(%(ids)s::uuid[], %(times)s::timestamptz[]) AS asked (id, received_at)
    JOIN event e ON e.id = asked.id AND e.received_at = asked.received_at
    JOIN LATERAL (SELECT answer, grounds FROM assignment a WHERE a.event = asked.id AND a.received_at = asked.received_at
                  ORDER BY a.id DESC LIMIT 1) AS a ON true
"""


def latest_receipts(connection: sa.Connection, ids: Sequence[UUID], received_at: Sequence[datetime]) -> list[Latest]:
    """The newest receipt of each of these events."""
    cursor: Any = connection.connection.cursor()
    cursor.execute(LATEST, {"ids": list(ids), "times": list(received_at)})
    return [
        Latest(event, at, grid, method, orjson.loads(answer), orjson.loads(grounds))
        for event, at, grid, method, answer, grounds in cursor.fetchall()
    ]


@dataclass(frozen=True)
class Receipts:
    """Further receipts of many events, decided at one moment; the columns are equally long, `grid` holds uids."""

    at: datetime
    known_at: datetime
    made_at: datetime
    generation: int
    kernel: str
    converter: str
    actor: str
    event: list[UUID]
    received_at: list[datetime]
    grid: list[str | None]
    method: list[str]
    reason: list[str | None]
    lon: list[float | None]
    lat: list[float | None]
    answer: list[dict[str, Any]]
    grounds: list[dict[str, Any]]


COPY_RECEIPTS = (
    "assignment (id, event, received_at, made_at, cause, at, known_at, generation, kernel, converter, grid, method, reason, "
    "lon, lat, answer, grounds, actor)"
)
FOLLOW = """
    UPDATE event e SET grid = told.grid, method = told.method, reason = told.reason, generation = %(generation)s
    FROM unnest(%(ids)s::uuid[], %(times)s::timestamptz[], %(grids)s::uuid[], %(methods)s::text[], %(reasons)s::text[])
         AS told (id, received_at, grid, method, reason)
    WHERE e.id = told.id AND e.received_at = told.received_at
"""


def add_receipts(connection: sa.Connection, receipts: Receipts) -> None:
    """The events belong where the receipts (cause `published`) say afterwards; their earlier receipts stay as they are."""
    rows = len(receipts.event)
    if not rows:
        return
    instant = {
        name: copyrows.repeated(copyrows.instants([getattr(receipts, name)]), rows)
        for name in ("made_at", "at", "known_at")
    }
    columns = [
        copyrows.octets(octets7(receipts.made_at, rows)),
        copyrows.uuids(receipts.event),
        copyrows.instants(receipts.received_at),
        instant["made_at"],
        copyrows.same("published", rows),
        instant["at"],
        instant["known_at"],
        copyrows.repeated(copyrows.integers([receipts.generation]), rows),
        copyrows.same(receipts.kernel, rows),
        copyrows.same(receipts.converter, rows),
        copyrows.uuids(receipts.grid),
        copyrows.texts(receipts.method),
        copyrows.texts(receipts.reason),
        copyrows.numbers(receipts.lon),
        copyrows.numbers(receipts.lat),
        copyrows.documents(receipts.answer),
        copyrows.documents(receipts.grounds),
        copyrows.same(receipts.actor, rows),
    ]
    copyrows.copy(connection, COPY_RECEIPTS, columns)
    cursor: Any = connection.connection.cursor()
    values = {"generation": receipts.generation, "ids": receipts.event, "times": receipts.received_at}
    values |= {"grids": receipts.grid, "methods": receipts.method, "reasons": receipts.reason}
    cursor.execute(FOLLOW, values)
