"""RowChunk: some rows of a table with their numbers; Rejection: a row that could not be read, with the reason."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

#: Rows that a chunk holds at most, unless asked otherwise.
CHUNK_ROWS = 20_000

#: The columns that a geometry becomes: longitude or easting, latitude or northing.
PLACE = ("lon", "lat")

#: A file on disk, or an open binary file that can seek (an upload).
Source = Path | BinaryIO


@dataclass(frozen=True)
class Rejection:
    """A row that is left out: its number, a stable code, the reason in plain words, and what could be read of it."""

    row: int
    code: str
    reason: str
    record: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class RowChunk:
    """Rows of a table, column by column: `columns[name][i]` belongs to the row with number `numbers[i]`.

    Numbers count data rows from 1 (the header is none; blank and rejected rows are counted); in NDJSON they are line numbers.
    An empty cell is None in every format. `rejected` are the rows between these that could not be read.
    """

    numbers: list[int]
    columns: dict[str, list[Any]]
    rejected: list[Rejection] = field(default_factory=list)

    @property
    def first_row(self) -> int:
        """The lowest row number in this chunk, 0 when it is empty."""
        return min([*self.numbers[:1], *(rejection.row for rejection in self.rejected[:1])], default=0)

    def __len__(self) -> int:
        return len(self.numbers)

    def pieces(self, rows: int) -> Iterator[RowChunk]:
        """The chunk in pieces of at most so many rows; the rejected ones stand with the first."""
        if len(self) <= rows:
            yield self
            return
        for begin in range(0, len(self), rows):
            part = slice(begin, begin + rows)
            columns = {name: cells[part] for name, cells in self.columns.items()}
            yield RowChunk(self.numbers[part], columns, [] if begin else self.rejected)

    @property
    def rows(self) -> list[dict[str, Any]]:
        """The rows as dicts, in order."""
        if not self.columns:
            return [{} for _ in self.numbers]
        names = tuple(self.columns)
        return [dict(zip(names, values, strict=True)) for values in zip(*self.columns.values(), strict=True)]


@dataclass(frozen=True)
class Table:
    """An opened table: what is known before the first row, and the rows as a stream (once through)."""

    kind: str
    columns: tuple[str, ...]
    chunks: Iterator[RowChunk]
    encoding: str | None = None
    crs_declared: str | None = None
    #: The columns that hold the place, when the file has geometry.
    position: tuple[str, str] | None = None
    #: The Arrow types of the columns, when the file has types of its own (Parquet, GeoPackage ...).
    schema: Any = None
    notes: tuple[str, ...] = ()


def chunk_of_rows(rows: list[tuple[int, dict[str, Any]]], rejected: list[Rejection]) -> RowChunk:
    """A chunk from numbered dicts whose keys may differ; a missing key is None."""
    numbers, records = [number for number, _ in rows], [row for _, row in rows]
    kinds = dict.fromkeys(map(tuple, records))
    names = list(dict.fromkeys(name for kind in kinds for name in kind))
    if len(kinds) == 1:
        cells = zip(*map(dict.values, records), strict=True)
        return RowChunk(numbers, dict(zip(names, map(list, cells), strict=True)), rejected)
    return RowChunk(numbers, {name: [row.get(name) for row in records] for name in names}, rejected)


def placed(properties: dict[str, Any], lon: float | None, lat: float | None) -> dict[str, Any]:
    """Properties with the place of their geometry as `lon`, `lat`; a property of that name becomes `property_lon`."""
    row = {f"property_{name}" if name in PLACE else name: value for name, value in properties.items()}
    return row | {"lon": lon, "lat": lat}
