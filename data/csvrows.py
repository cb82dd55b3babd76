"""CSV as a stream of chunks: header and separator found, all cells kept as text (codes keep their leading zeros)."""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import chain, islice
from pathlib import Path
from typing import Any, BinaryIO

from data.rowchunk import Rejection, RowChunk, Source, Table
from data.tableencoding import encoding_of
from gis.errors import FileUnreadable

#: Longest line in characters; a longer one is no table of reports.
MAX_LINE = 32_000_000

#: Longest cell in characters; the row of a longer one is rejected.
MAX_CELL = 131_072

_SAMPLE = 20


@contextmanager
def opened(source: Source) -> Iterator[BinaryIO]:
    """The source as a binary file at its start; a path is closed afterwards, a caller's file is not."""
    if isinstance(source, Path):
        try:
            with source.open("rb") as file:
                yield file
        except OSError as error:
            raise FileUnreadable(f"{source}: {error.strerror}", place=str(source)) from error
    else:
        source.seek(0)
        yield source


def open_csv(source: Source, *, chunk_rows: int, encoding: str | None = None, header: int | None = None) -> Table:
    """A CSV file opened; `header` is the line of the header (1-based, 0: there is none, None: find it)."""
    with opened(source) as file:
        codec = encoding_of(file, encoding)
        marked = file.read(3) == b"\xef\xbb\xbf"
        sample = list(islice(_text_lines(file, codec), _SAMPLE))
    delimiter = _delimiter(sample)
    records = [
        record for _, record in _numbered(iter(sample), delimiter, 0) if isinstance(record, list) and any(record)
    ]
    if not records:
        raise FileUnreadable("the file has no rows", place="line 1")
    at = find_header(records) if header is None else header - 1
    skip, columns = head_of(records, at)
    notes = [f"the first {at} lines are a title, not data"] if at > 0 else []
    if at < 0:
        notes.append("there is no header: columns are called column_1, column_2 ...")
    if codec == "gb18030":
        notes.append("read as GB18030")
    chunks = _chunks(source, codec, delimiter, skip, columns, chunk_rows)
    shown = "utf-8" if codec == "utf-8-sig" and not marked else codec
    return Table("csv", columns, chunks, encoding=shown, notes=tuple(notes))


def find_header(records: Sequence[Sequence[Any]]) -> int:
    """The index of the header among the first records, -1 when there is none.

    A title above a table fills few cells: such records are passed over. The first other one is the header unless it holds a number.
    """
    filled = [sum(cell not in (None, "") for cell in record) for record in records]
    width = Counter(filled).most_common(1)[0][0]
    for i, (record, count) in enumerate(zip(records, filled, strict=True)):
        if width >= 3 and count <= width // 3:
            continue
        return -1 if any(_is_number(cell) for cell in record) else i
    return -1


def head_of(records: Sequence[Sequence[Any]], at: int) -> tuple[int, tuple[str, ...]]:
    """How many records come before the data, and the names of the columns: unique, none of them empty."""
    head = records[at] if 0 <= at < len(records) else [None] * max(map(len, records))
    names: list[str] = []
    for i, cell in enumerate(head, start=1):
        name = str(cell).strip() if cell not in (None, "") else f"column_{i}"
        names.append(name if name not in names else f"{name}_{i}")
    return at + 1, tuple(names)


def _is_number(cell: Any) -> bool:
    try:
        float(cell)
    except (TypeError, ValueError):
        return False
    return True


def _text_lines(file: BinaryIO, codec: str) -> Iterator[str]:
    """The lines of the file with their ends; memory stays flat whatever they hold."""
    file.seek(0)
    text = io.TextIOWrapper(file, encoding=codec, newline="")
    try:
        while line := text.readline(MAX_LINE):
            if len(line) == MAX_LINE:
                raise FileUnreadable(f"a line is longer than {MAX_LINE:,} characters: this is no table of reports")
            yield line
    finally:
        text.detach()  # the file belongs to the caller


def _delimiter(sample: Sequence[str]) -> str:
    """The separator that most lines of the sample have the most of."""
    votes = Counter(max(",\t;|", key=line.count) for line in sample if any(mark in line for mark in ",\t;|"))
    return votes.most_common(1)[0][0] if votes else ","


def _chunks(
    source: Source, codec: str, delimiter: str, skip: int, columns: tuple[str, ...], chunk_rows: int
) -> Iterator[RowChunk]:
    with opened(source) as file:
        records = _numbered(_text_lines(file, codec), delimiter, skip)
        while batch := list(islice(records, chunk_rows)):
            yield _chunk(batch, columns)


def _numbered(lines: Iterator[str], delimiter: str, skip: int) -> Iterator[tuple[int, list[str] | Rejection]]:
    """Every data record with its number; one that cannot be read as a Rejection. Blank lines above the header do not count."""
    reader = csv.reader(lines, delimiter=delimiter)
    number = -skip
    while True:
        begun = reader.line_num + 1
        try:
            record: list[str] | Rejection = next(reader)
        except StopIteration:
            return
        except csv.Error:
            span = f"line {begun}" if reader.line_num == begun else f"lines {begun} to {reader.line_num}"
            reason = f"{span}: a cell longer than {MAX_CELL:,} characters, or a quotation mark that is never closed"
            record = Rejection(number + 1, "body-unreadable", reason)
        if number < 0 and not (isinstance(record, list) and any(record)):
            continue
        number += 1
        if number > 0:
            yield number, record


def _chunk(batch: list[tuple[int, list[str] | Rejection]], columns: tuple[str, ...]) -> RowChunk:
    width = len(columns)
    numbers: list[int] = []
    cells: list[list[str]] = []
    rejected: list[Rejection] = []
    for number, record in batch:
        if isinstance(record, Rejection):
            rejected.append(record)
        elif len(record) == width:
            if any(record):
                numbers.append(number)
                cells.append(record)
        elif any(record):
            fitted = _fitted(number, record, columns)
            if isinstance(fitted, Rejection):
                rejected.append(fitted)
            else:
                numbers.append(number)
                cells.append(fitted)
    by_column = zip(*cells, strict=True) if cells else ([] for _ in columns)
    filled = {name: [cell or None for cell in column] for name, column in zip(columns, by_column, strict=True)}
    return RowChunk(numbers, filled, rejected)


def _fitted(number: int, record: list[str], columns: tuple[str, ...]) -> list[str] | Rejection:
    """A short record filled up with empty cells; a long one is rejected unless the surplus is empty."""
    width = len(columns)
    if any(record[width:]):
        reason = f"the row has {len(record)} cells and the header {width}: is a comma in a text not quoted?"
        surplus = {f"column_{i}": cell for i, cell in enumerate(record[width:], start=width + 1)}
        return Rejection(
            number, "body-unreadable", reason, dict(chain(zip(columns, record, strict=False), surplus.items()))
        )
    return [*record, *[""] * (width - len(record))][:width]
