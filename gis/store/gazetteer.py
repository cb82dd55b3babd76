"""The stored gazetteer: entries by source, and the index of all of them, kept in the process and never behind the store."""

from __future__ import annotations

import threading
from collections.abc import Sequence

import numpy as np
import shapely
import sqlalchemy as sa

from gis.gazetteer import Entry, Gazetteer
from gis.store.generations import clock

#: Loads of several processes take their versions one after the other; readers are not held up.
LOCK = sa.text("LOCK TABLE gazetteer_source IN EXCLUSIVE MODE")
VERSION = sa.text("SELECT coalesce(max(version), 0) FROM gazetteer_source")
SOURCE = sa.text("""
    INSERT INTO gazetteer_source (source, version, loaded_at, actor, entries)
    VALUES (:source, :version, :loaded_at, :actor, :entries)
    ON CONFLICT (source) DO UPDATE SET version = excluded.version, loaded_at = excluded.loaded_at,
        actor = excluded.actor, entries = excluded.entries
""")
INSERT = sa.text("""
    INSERT INTO gazetteer_entry (source, external_id, name, kind, admin, aliases, address, radius_m, geom)
    VALUES (:source, :external_id, :name, :kind, :admin, :aliases, :address, :radius_m, ST_SetSRID(ST_GeomFromWKB(:geom), 4326))
""")
READ = sa.text("""
    SELECT source, external_id, name, kind, admin, aliases, address, radius_m, ST_AsBinary(geom) AS shape
    FROM gazetteer_entry ORDER BY id
""")


def gazetteer_version(connection: sa.Connection) -> int:
    """The number of the last load, 0 before the first."""
    number: int = connection.execute(VERSION).scalar_one()
    return number


def replace_source(connection: sa.Connection, source: str, entries: Sequence[Entry], *, actor: str) -> int:
    """The entries of this source are these and no others, once the caller's transaction commits; returns the new version."""
    connection.execute(LOCK)
    version = gazetteer_version(connection) + 1
    facts = {"source": source, "version": version, "loaded_at": clock(connection), "actor": actor}
    connection.execute(sa.text("DELETE FROM gazetteer_entry WHERE source = :source"), {"source": source})
    connection.execute(SOURCE, facts | {"entries": len(entries)})
    if entries:
        shapes = shapely.to_wkb(_array([entry.geometry for entry in entries]))
        connection.execute(
            INSERT,
            [_row(entry, source, shape) for entry, shape in zip(entries, shapes, strict=True)],
        )
    return version


def _array(shapes: Sequence[object]) -> np.ndarray[tuple[int], np.dtype[np.object_]]:
    array = np.empty(len(shapes), dtype=object)
    array[:] = shapes
    return array


def _row(entry: Entry, source: str, shape: bytes) -> dict[str, object]:
    return {
        "source": source,
        "external_id": entry.external_id,
        "name": entry.name,
        "kind": entry.kind,
        "admin": list(entry.admin),
        "aliases": list(entry.aliases),
        "address": entry.address,
        "radius_m": entry.radius_m,
        "geom": shape,
    }


def read_entries(connection: sa.Connection) -> list[Entry]:
    """Every entry of every source."""
    rows = connection.execute(READ).all()
    shapes = shapely.from_wkb([bytes(row.shape) for row in rows]) if rows else []
    return [
        Entry(
            row.name, row.kind, shape, tuple(row.admin), tuple(row.aliases), row.address, row.external_id, row.source,
            row.radius_m,
        )
        for row, shape in zip(rows, shapes, strict=True)
    ]  # fmt: skip


class LiveGazetteer:
    """The gazetteer of this process, made anew when the store has a newer version. Safe in threads.

    Making it takes about 5 s for 100,000 entries, in which the first to ask waits; the others wait with it.
    """

    def __init__(self) -> None:
        self._held = Gazetteer(())
        self._lock = threading.Lock()

    def now(self, connection: sa.Connection) -> Gazetteer:
        """The gazetteer as stored: one index-only question when nothing changed."""
        version = gazetteer_version(connection)
        with self._lock:
            if self._held.version != version:
                self._held = Gazetteer(read_entries(connection), version)
            return self._held
