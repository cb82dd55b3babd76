"""Context shapes: streets, water, buildings and fields that help to find one's way on a map."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import shapely
import sqlalchemy as sa

from gis.datumalarm import Streets


@dataclass(frozen=True)
class Context:
    """One shape: `kind` is street, water, building or field; `geometry` in WGS 84; `width` relative to an ordinary street."""

    kind: str
    geometry: Any
    name: str = ""
    width: float = 1.0


INSERT = sa.text(
    "INSERT INTO context_shape (kind, name, width, geom) "
    "VALUES (:kind, :name, :width, ST_SetSRID(ST_GeomFromWKB(:geom), 4326))"
)
#: Streets and water first, since they help most.
READ = sa.text("""
    SELECT kind, name, width, ST_AsBinary(geom) AS shape FROM context_shape
    ORDER BY array_position(ARRAY['street', 'water', 'field', 'building'], kind), id LIMIT :limit
""")


def replace_context(connection: sa.Connection, shapes: Iterable[Context]) -> None:
    """These shapes are the context afterwards, and nothing else."""
    connection.execute(sa.text("DELETE FROM context_shape"))
    rows = [vars(shape) | {"geom": shapely.to_wkb(shape.geometry)} for shape in shapes]
    if rows:
        connection.execute(INSERT, rows)


def read_context(connection: sa.Connection, limit: int) -> list[Context]:
    """At most `limit` shapes."""
    rows = connection.execute(READ, {"limit": limit}).all()
    shapes = np.asarray(shapely.from_wkb([bytes(row.shape) for row in rows]), dtype=object)
    return [Context(row.kind, shape, row.name, row.width) for row, shape in zip(rows, shapes, strict=True)]


#: Those of `load streets`; where none were loaded, those drawn on maps.
STREETS = sa.text("""
    SELECT shape FROM (
        SELECT ST_AsBinary(geom) AS shape, id FROM street
        UNION ALL SELECT ST_AsBinary(geom), id FROM context_shape WHERE kind = 'street' AND NOT EXISTS (SELECT FROM street)
    ) AS lines ORDER BY id
""")


def read_streets(connection: sa.Connection) -> Any:
    """The lines of all streets (an array of shapes, WGS 84); empty when none are known."""
    shapes = shapely.from_wkb([bytes(shape) for shape in connection.execute(STREETS).scalars()])
    return np.asarray(shapes, dtype=object)


#: Loading or drawing streets again gives them new ids.
STREETS_AS_STORED = sa.text("""
    SELECT (SELECT (count(*), max(id))::text FROM street) || (SELECT (count(*), max(id))::text FROM context_shape WHERE kind = 'street')
""")


class LiveStreets:
    """The streets as this process knows them, read anew when others are stored. Safe in threads."""

    def __init__(self) -> None:
        self._held: tuple[str, Streets | None] = ("", None)
        self._lock = threading.Lock()

    def streets(self, connection: sa.Connection) -> Streets | None:
        """What distances to streets are measured with; None when no streets are known."""
        stored: str = connection.execute(STREETS_AS_STORED).scalar_one()
        with self._lock:
            if self._held[0] != stored:
                lines = read_streets(connection)
                made = Streets(lines) if len(lines) else None
                if made is not None:
                    # GEOS finishes a tree and a prepared shape when they are first asked, which two threads must not do at once.
                    made.distance_m(np.array([made.hull.centroid.x]), np.array([made.hull.centroid.y]))
                self._held = (stored, made)
            return self._held[1]
