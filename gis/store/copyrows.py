"""Rows for COPY: columns of values in, the text format of PostgreSQL out, made a column at a time because that is quick.

The format: https://www.postgresql.org/docs/current/sql-copy.html: cells parted by tabs, NULL is a backslash and N, and the backslash,
tab, newline and carriage return of a text are written as two characters each.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

import numpy as np
import sqlalchemy as sa

from gis.store.audit import as_json

Cells = list[str]

NULL = r"\N"
_SPECIAL = re.compile(r"[\\\t\n\r]")
_ESCAPES = str.maketrans({"\\": r"\\", "\t": r"\t", "\n": r"\n", "\r": r"\r"})

#: Rows that are sent in one message.
_ROWS_A_MESSAGE = 2_000


def texts(values: Iterable[str | None]) -> Cells:
    """Text of any kind; that most columns have nothing to escape is found out all at once."""
    values = list(values)
    joined = "".join(filter(None, values))
    if not any(special in joined for special in "\\\t\n\r"):
        return [NULL if text is None else text for text in values]
    return [NULL if text is None else text.translate(_ESCAPES) if _SPECIAL.search(text) else text for text in values]


def words(values: Iterable[Any]) -> Cells:
    """What needs no escape: ids, numbers, words of our own, instants that `instants` does not know."""
    return [NULL if value is None else str(value) for value in values]


def instants(values: Iterable[datetime | None]) -> Cells:
    """Instants with their offset; rows that share one are common, so it is spelled once."""
    spelled: dict[datetime | None, str] = {None: NULL}
    cells = []
    for value in values:
        text = spelled.get(value)
        if text is None:
            text = spelled[value] = value.isoformat() if value else NULL
        cells.append(text)
    return cells


def numbers(values: Iterable[float | None]) -> Cells:
    """Numbers as the shortest text that reads back the same."""
    return [NULL if value is None else repr(value) for value in values]


def documents(values: Iterable[Any]) -> Cells:
    """Values as JSON."""
    return written(map(as_json, values))


def written(texts: Iterable[str]) -> Cells:
    """JSON that is text already: the only character of it that COPY knows is the backslash."""
    return [text.replace("\\", "\\\\") if "\\" in text else text for text in texts]


def hexes(values: Iterable[bytes]) -> Cells:
    """Bytes, for bytea."""
    return [rf"\\x{value.hex()}" for value in values]


def points(lon: Sequence[float | None], lat: Sequence[float | None]) -> Cells:
    """Points of SRID 4326 as the hexadecimal EWKB that PostGIS prints itself; NULL without a place."""
    placed = np.zeros(len(lon), dtype=[("head", "S5"), ("srid", "<u4"), ("lon", "<f8"), ("lat", "<f8")])
    placed["head"] = b"\x01\x01\x00\x00\x20"  # little endian, a point that names its SRID
    placed["srid"] = 4326
    placed["lon"] = [0.0 if value is None else value for value in lon]
    placed["lat"] = [0.0 if value is None else value for value in lat]
    every, size = placed.tobytes().hex(), 2 * placed.itemsize
    return [NULL if value is None else every[i * size : (i + 1) * size] for i, value in enumerate(lon)]


def same(value: str | None, rows: int) -> Cells:
    """The same text in every row."""
    return texts([value]) * rows


def copy(connection: sa.Connection, statement: str, columns: Sequence[Cells]) -> None:
    """The rows are in the caller's transaction; `columns` are those the COPY statement names, equally long."""
    lines = ["\t".join(cells) for cells in zip(*columns, strict=True)]
    cursor: Any = connection.connection.cursor()
    with cursor.copy(statement) as out:
        for begin in range(0, len(lines), _ROWS_A_MESSAGE):
            out.write("\n".join([*lines[begin : begin + _ROWS_A_MESSAGE], ""]))
