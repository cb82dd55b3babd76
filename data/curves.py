"""Curved shapes in a GeoPackage: GDAL straightens them without a word, and neighbours differently, so they are found here.

Blob: "GP", version, flags (bits 1-3: kind of envelope), srs id, envelope, then WKB (OGC 12-128 2.1.3).
"""

from __future__ import annotations

import contextlib
import sqlite3
import struct
from pathlib import Path
from typing import Final

_ENVELOPE_BYTES: Final = {0: 0, 1: 32, 2: 48, 3: 48, 4: 64}
#: CircularString, CompoundCurve, CurvePolygon, MultiCurve, MultiSurface.
_CURVED: Final = frozenset({8, 9, 10, 11, 12})
_HEAD: Final = 80


def first_curved_row(path: Path, layer: str | None) -> int | None:
    """The first row (1-based) of a GeoPackage's layer that holds a curved shape, or None; None too for what is no GeoPackage."""
    try:
        with contextlib.closing(sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)) as database:
            columns = database.execute("SELECT table_name, column_name FROM gpkg_geometry_columns").fetchall()
            for table, column in columns:
                if layer in {None, table}:
                    return _first(database, str(table), str(column))
    except sqlite3.DatabaseError:
        return None
    return None


def _first(database: sqlite3.Connection, table: str, column: str) -> int | None:
    # Names come from the file and cannot be parameters: quoted, with quotes doubled.
    names = [name.replace('"', '""') for name in (column, table)]
    heads = database.execute(f'SELECT substr("{names[0]}", 1, {_HEAD}) FROM "{names[1]}"')  # noqa: S608
    return next((row for row, (head,) in enumerate(heads, start=1) if isinstance(head, bytes) and _curved(head)), None)


def _curved(head: bytes) -> bool:
    if len(head) < 13 or head[:2] != b"GP":
        return False
    at = 8 + _ENVELOPE_BYTES.get((head[3] >> 1) & 7, 0)
    if len(head) < at + 5:
        return False
    (kind,) = struct.unpack_from("<I" if head[at] else ">I", head, at + 1)
    return kind % 1000 in _CURVED
