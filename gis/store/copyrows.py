"""Rows for COPY: columns of values in, the binary format of PostgreSQL out, made a column at a time because that is quick.

The format: https://www.postgresql.org/docs/current/sql-copy.html: a signature, then of every row the number of its cells, and of every
cell its bytes behind their number, -1 for NULL; numbers have their highest byte first. The server reads it at half the cost of text.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import numpy as np
import numpy.typing as npt
import sqlalchemy as sa

from gis.store.audit import as_json

Octets = npt.NDArray[np.uint8]
Ints = npt.NDArray[np.int64]

_SIGNATURE = b"PGCOPY\n\xff\r\n\0" + bytes(8)
_END = b"\xff\xff"

#: What PostgreSQL counts instants from.
_Y2000 = datetime(2000, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


@dataclass(frozen=True)
class Cells:
    """A column: cell i is `size[i]` bytes of `data` from `start[i]` on, NULL where the size is -1."""

    data: Octets
    start: Ints
    size: Ints

    def __len__(self) -> int:
        return len(self.size)

    def picked(self, rows: Sequence[int]) -> Cells:
        """The cells of these rows alone, in this order."""
        return Cells(self.data, self.start[rows], self.size[rows])

    def then(self, other: Cells) -> Cells:
        """These cells, and those of another column of the same kind behind them."""
        start = np.concatenate([self.start, other.start + len(self.data)])
        return Cells(np.concatenate([self.data, other.data]), start, np.concatenate([self.size, other.size]))

    def otherwise(self, other: Cells) -> Cells:
        """The cells, another column's where they are NULL."""
        null = self.size < 0
        start = np.where(null, other.start + len(self.data), self.start)
        return Cells(np.concatenate([self.data, other.data]), start, np.where(null, other.size, self.size))


def _behind(data: bytes, size: Ints) -> Cells:
    """Cells that stand in `data` one behind the other."""
    until = np.cumsum(np.maximum(size, 0))
    return Cells(np.frombuffer(data, dtype=np.uint8), until - np.maximum(size, 0), size)


def _wide(values: npt.NDArray[Any], null: npt.NDArray[np.bool_] | None = None) -> Cells:
    """Cells of one width: the items of an array (or its rows, when it has them), NULL where said."""
    values = np.ascontiguousarray(values)
    width = values.nbytes // max(len(values), 1)
    size = np.full(len(values), width, dtype=np.int64)
    if null is not None:
        size[null] = -1
    return Cells(np.frombuffer(values.tobytes(), dtype=np.uint8), np.arange(len(values), dtype=np.int64) * width, size)


def _nulls(values: Sequence[Any]) -> npt.NDArray[np.bool_] | None:
    """Where there is none; None when there is one everywhere."""
    return np.fromiter((value is None for value in values), dtype=bool, count=len(values)) if None in values else None


def texts(values: Sequence[str | None]) -> Cells:
    """Text of any kind, and JSON that is text already. That a column is empty, or plain ASCII, is found out all at once."""
    filled = [text for text in values if text is not None]
    if not filled:
        return same(None, len(values))
    joined = "".join(filled)
    if joined.isascii():
        data, sizes = joined.encode(), map(len, filled)
    else:
        encoded = list(map(str.encode, filled))
        data, sizes = b"".join(encoded), map(len, encoded)
    found = np.fromiter(sizes, dtype=np.int64, count=len(filled))
    if len(filled) == len(values):
        return _behind(data, found)
    size = np.full(len(values), -1, dtype=np.int64)
    size[np.fromiter((text is not None for text in values), dtype=bool, count=len(values))] = found
    return _behind(data, size)


def uuids(values: Sequence[UUID | str | None]) -> Cells:
    """Ids, as such or in their usual spelling."""
    kinds = set(map(type, values))
    spelled: Iterable[Any] = values
    if kinds != {str}:
        spelled = ("0" * 32 if value is None else value.hex if isinstance(value, UUID) else value for value in values)
    found = bytes.fromhex("".join(spelled).replace("-", ""))
    return _wide(np.frombuffer(found, dtype=np.uint8).reshape(len(values), 16), _nulls(values))


def octets(values: Octets) -> Cells:
    """Bytes in rows of one width: ids, digests."""
    return _wide(values)


def digests(values: Sequence[bytes]) -> Cells:
    """Bytes, for bytea."""
    return _behind(b"".join(values), np.fromiter(map(len, values), dtype=np.int64, count=len(values)))


def instants(values: Sequence[datetime | None]) -> Cells:
    """Instants; rows that share one are common, so it is counted once."""
    counted: dict[datetime | None, int] = {None: 0}
    for value in set(values):
        if value is not None:
            counted[value] = (value - _Y2000) // _MICROSECOND
    micros = np.fromiter(map(counted.__getitem__, values), dtype=np.int64, count=len(values))
    return _wide(micros.astype(">i8"), _nulls(values))


def numbers(values: Sequence[float | None]) -> Cells:
    """Numbers of double precision."""
    found = np.array(values, dtype=np.float64)  # None becomes NaN
    return _wide(found.astype(">f8"), _nulls(values))


def integers(values: Sequence[int]) -> Cells:
    """Whole numbers of 32 bits."""
    return _wide(np.array(values, dtype=">i4"))


def documents(values: Iterable[Any]) -> Cells:
    """Values as JSON, for a column of type `json`."""
    return texts(list(map(as_json, values)))


def points(lon: Sequence[float | None], lat: Sequence[float | None]) -> Cells:
    """Points of SRID 4326 as EWKB; NULL without a place."""
    placed = np.zeros(len(lon), dtype=[("head", "S5"), ("srid", "<u4"), ("lon", "<f8"), ("lat", "<f8")])
    placed["head"] = b"\x01\x01\x00\x00\x20"  # little endian, a point that names its SRID
    placed["srid"] = 4326
    placed["lon"] = np.array(lon, dtype=np.float64)
    placed["lat"] = np.array(lat, dtype=np.float64)
    return _wide(placed, _nulls(lon))


def same(value: str | None, rows: int) -> Cells:
    """The same text in every row."""
    data = b"" if value is None else value.encode()
    return repeated(_behind(data, np.array([-1 if value is None else len(data)])), rows)


def repeated(cell: Cells, rows: int) -> Cells:
    """The first of these cells in every row."""
    return Cells(cell.data, np.repeat(cell.start[:1], rows), np.repeat(cell.size[:1], rows))


def copy(connection: sa.Connection, table: str, columns: Sequence[Cells]) -> None:
    """The rows are in the caller's transaction; `columns` are those that `table (...)` names, equally long, each of its type."""
    cursor: Any = connection.connection.cursor()
    with cursor.copy(f"COPY {table} FROM STDIN (FORMAT binary)") as out:
        out.write(_SIGNATURE)
        if len(columns[0]):
            out.write(_laid(columns).data)
        out.write(_END)


def _laid(columns: Sequence[Cells]) -> Octets:
    """The rows as they are sent."""
    from gis.rowloops import lay_rows  # numba: 0.3 s that no command without rows pays

    begins = np.cumsum([0, *(len(cells.data) for cells in columns[:-1])])
    start = np.stack([cells.start + begin for cells, begin in zip(columns, begins.tolist(), strict=True)])
    size = np.stack([cells.size for cells in columns])
    room = size.shape[1] * (2 + 4 * len(columns)) + int(np.maximum(size, 0).sum())
    rows = np.empty(room, dtype=np.uint8)
    lay_rows(np.concatenate([cells.data for cells in columns]), start, size, rows)
    return rows
