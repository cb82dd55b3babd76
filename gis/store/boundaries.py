"""Boundaries as they were at one instant, as known at another: whole for the kernel, in pages for people."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
import shapely
import sqlalchemy as sa

from gis.errors import CodeVoided, GridUnknown
from gis.partition import Boundaries, Partition, Unit
from gis.supersede import CARRIES


@dataclass(frozen=True)
class Moment:
    """Which state of the boundaries is meant: true in the world at `at`, as the system knew it at `known_at`."""

    at: datetime
    known_at: datetime


#: The facts of every grid in force; the parts below add what they need. Ranges are half-open.
IN_FORCE = """
    FROM grid g
    JOIN grid_shape s ON s.grid = g.uid AND s.valid @> CAST(:at AS timestamptz) AND s.recorded @> CAST(:known_at AS timestamptz)
    JOIN grid_code c ON c.grid = g.uid AND c.valid @> CAST(:at AS timestamptz) AND c.recorded @> CAST(:known_at AS timestamptz)
    LEFT JOIN grid_name n ON n.grid = g.uid AND n.valid @> CAST(:at AS timestamptz) AND n.recorded @> CAST(:known_at AS timestamptz)
    LEFT JOIN grid_parent p ON p.grid = g.uid AND p.ordinal = 0
        AND p.valid @> CAST(:at AS timestamptz) AND p.recorded @> CAST(:known_at AS timestamptz)
"""

GENERATION_AT = sa.text(
    "SELECT coalesce(max(number), 0) FROM generation WHERE published_at <= :known_at AND effective_at <= :at"
)

READ_ALL = sa.text(
    "SELECT g.uid::text AS uid, g.layer, g.level, c.code, coalesce(n.name, '') AS name, p.parent::text AS parent, "
    "ST_AsBinary(s.geom) AS shape " + IN_FORCE
)

FURTHER_PARENTS = sa.text("""
    SELECT grid::text AS grid, array_agg(parent::text ORDER BY ordinal) AS parents
    FROM grid_parent
    WHERE ordinal > 0 AND valid @> CAST(:at AS timestamptz) AND recorded @> CAST(:known_at AS timestamptz)
    GROUP BY grid
""")


def generation_at(connection: sa.Connection, moment: Moment) -> int:
    """The newest generation that was published and in effect; 0 before the first."""
    number: int = connection.execute(GENERATION_AT, vars(moment)).scalar_one()
    return number


NEWEST = sa.text("SELECT coalesce(max(number), 0) FROM generation")


def newest_generation(connection: sa.Connection) -> int:
    """The number of the newest published generation; 0 when there is none."""
    number: int = connection.execute(NEWEST).scalar_one()
    return number


def read_boundaries(connection: sa.Connection, moment: Moment) -> Boundaries:
    """Every partition in force, with names, parents and priorities; polygons in WGS 84.

    Several statements, but one state: what was published in between is not half in it.
    """
    while True:
        newest = newest_generation(connection)
        found = _read(connection, moment)
        if newest_generation(connection) == newest:
            return found


def _read(connection: sa.Connection, moment: Moment) -> Boundaries:
    rows = connection.execute(READ_ALL, vars(moment)).all()
    further = {row.grid: tuple(row.parents) for row in connection.execute(FURTHER_PARENTS, vars(moment))}
    units = {
        row.uid: Unit(row.uid, row.code, row.name, row.layer, row.level, row.parent, further.get(row.uid, ()))
        for row in rows
    }
    return Boundaries(
        generation=generation_at(connection, moment),
        partitions=_partitions(rows),
        units=units,
        priorities={row.name: row.priority for row in connection.execute(sa.text("SELECT name, priority FROM layer"))},
    )


def _partitions(rows: Any) -> tuple[Partition, ...]:
    members: dict[tuple[str, str], list[Any]] = defaultdict(list)
    for row in rows:
        members[row.layer, row.level].append(row)
    return tuple(
        Partition(
            layer,
            level,
            tuple(row.code for row in held),
            np.asarray(shapely.from_wkb([bytes(row.shape) for row in held]), dtype=object),
            tuple(row.name for row in held),
        )
        for (layer, level), held in sorted(members.items())
    )


@dataclass(frozen=True)
class GridFilter:
    """What a list of grids is narrowed by; None does not narrow. `q` is looked for in codes and names."""

    layer: str | None = None
    level: str | None = None
    parent: str | None = None
    bbox: tuple[float, float, float, float] | None = None
    q: str | None = None
    limit: int = 100
    after: str | None = None


GRID_COLUMNS = """
    SELECT g.uid::text AS uid, c.code, coalesce(n.name, '') AS name, g.layer, g.level, pc.code AS parent,
           s.area_m2, lower(s.valid) AS valid_from, upper(s.valid) AS valid_until, s.generation,
           ST_AsGeoJSON(s.geom, 9) AS geometry
"""
PARENT_CODE = """
    LEFT JOIN grid_code pc ON pc.grid = p.parent
        AND pc.valid @> CAST(:at AS timestamptz) AND pc.recorded @> CAST(:known_at AS timestamptz)
"""
NARROWED = """
    WHERE (CAST(:layer AS text) IS NULL OR g.layer = :layer)
      AND (CAST(:level AS text) IS NULL OR g.level = :level)
      AND (CAST(:parent AS text) IS NULL OR pc.code = :parent OR p.parent::text = :parent)
      AND (CAST(:west AS float8) IS NULL OR (s.geom && ST_MakeEnvelope(:west, :south, :east, :north, 4326)
           AND ST_Intersects(s.geom, ST_MakeEnvelope(:west, :south, :east, :north, 4326))))
      AND (CAST(:q AS text) IS NULL OR strpos(lower(c.code), lower(:q)) > 0 OR strpos(lower(n.name), lower(:q)) > 0)
      AND (CAST(:after AS text) IS NULL OR c.code > CAST(:after AS text) COLLATE "C")
    ORDER BY c.code
    LIMIT :limit
"""
LIST_GRIDS = sa.text(GRID_COLUMNS + IN_FORCE + PARENT_CODE + NARROWED)
ONE_GRID = sa.text(GRID_COLUMNS + IN_FORCE + PARENT_CODE + "WHERE c.code = :name OR g.uid::text = :name")


def list_grids(connection: sa.Connection, moment: Moment, wanted: GridFilter) -> list[dict[str, Any]]:
    """One page of grids by code, at most `wanted.limit`, after `wanted.after`."""
    west, south, east, north = wanted.bbox or (None, None, None, None)
    narrowed = {key: value for key, value in vars(wanted).items() if key != "bbox"}
    values = vars(moment) | narrowed | {"west": west, "south": south, "east": east, "north": north}
    return [dict(row._mapping) for row in connection.execute(LIST_GRIDS, values)]


def find_grid(connection: sa.Connection, moment: Moment, name: str) -> dict[str, Any]:
    """One grid by its code at that moment, or by its uid.

    Raises CodeVoided with the successors' codes when the code was in use before, else GridUnknown.
    """
    row = connection.execute(ONE_GRID, vars(moment) | {"name": name}).first()
    if row is not None:
        return dict(row._mapping)
    _refuse_voided(connection, moment, name)
    raise GridUnknown(f"no grid has the code or uid {name} at {moment.at.isoformat()}", place=name)


VOIDED = sa.text("""
    SELECT grid::text AS grid, voided_at FROM voided_code
    WHERE code = :name AND voided_at <= :at AND recorded_at <= :known_at
    ORDER BY voided_at DESC LIMIT 1
""")
SUCCESSORS = sa.text("""
    WITH RECURSIVE heirs AS (
        SELECT CAST(:grid AS uuid) AS uid
        UNION
        SELECT l.successor FROM heirs h JOIN lineage l ON l.predecessor = h.uid JOIN generation n ON n.number = l.generation
        WHERE l.successor IS NOT NULL AND n.published_at <= :known_at AND n.effective_at <= :at
    )
    SELECT c.code FROM heirs JOIN grid_code c ON c.grid = heirs.uid
     AND c.valid @> CAST(:at AS timestamptz) AND c.recorded @> CAST(:known_at AS timestamptz)
    ORDER BY c.code
""")


def _refuse_voided(connection: sa.Connection, moment: Moment, code: str) -> None:
    row = connection.execute(VOIDED, vars(moment) | {"name": code}).first()
    if row is None:
        return
    successors = list(connection.execute(SUCCESSORS, vars(moment) | {"grid": row.grid}).scalars())
    raise CodeVoided(
        f"the code {code} is void since {row.voided_at.isoformat()}",
        place=code,
        successors=successors,
        voided_at=row.voided_at.isoformat(),
    )


HISTORY = sa.text("""
    SELECT 'shape' AS fact, NULL AS value, area_m2, valid, recorded, generation FROM grid_shape WHERE grid = :uid
    UNION ALL SELECT 'code', code, NULL, valid, recorded, generation FROM grid_code WHERE grid = :uid
    UNION ALL SELECT 'name', name, NULL, valid, recorded, generation FROM grid_name WHERE grid = :uid
    UNION ALL SELECT 'parent', parent::text, NULL, valid, recorded, generation FROM grid_parent WHERE grid = :uid
    ORDER BY generation, 1, valid
""")
LINEAGE = sa.text("""
    SELECT l.kind, l.predecessor::text AS predecessor, l.successor::text AS successor, l.share, l.generation, n.effective_at, n.published_at
    FROM lineage l JOIN generation n ON n.number = l.generation
    WHERE l.predecessor = :uid OR l.successor = :uid ORDER BY l.generation, l.id
""")
UID_OF = sa.text("""
    SELECT grid::text FROM grid_code WHERE code = :name OR grid::text = :name
    ORDER BY upper_inf(recorded) DESC, lower(valid) DESC LIMIT 1
""")


def grid_history(connection: sa.Connection, name: str) -> dict[str, Any]:
    """All facts ever known of a grid, by code (also a void one: the latest that had it) or uid, and its lineage."""
    uid = connection.execute(UID_OF, {"name": name}).scalar()
    if uid is None:
        raise GridUnknown(f"no grid ever had the code or uid {name}", place=name)
    facts = [dict(row._mapping) for row in connection.execute(HISTORY, {"uid": uid})]
    for fact in facts:
        for kind in ("valid", "recorded"):
            times = fact.pop(kind)
            fact[f"{kind}_from"], fact[f"{kind}_until"] = times.lower, times.upper
    return {
        "uid": uid,
        "facts": facts,
        "lineage": [
            dict(row._mapping) | {"carries": CARRIES[row.kind]} for row in connection.execute(LINEAGE, {"uid": uid})
        ],
    }
