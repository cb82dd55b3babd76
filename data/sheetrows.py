"""XLSX as a stream of chunks, and a guard against zip bombs."""

from __future__ import annotations

import warnings
import zipfile
from collections.abc import Iterator
from itertools import chain, islice
from typing import Any, BinaryIO

from data.csvrows import find_header, head_of, opened
from data.rowchunk import RowChunk, Source, Table
from gis.errors import FieldMissing, FileUnreadable

#: What a zip file may hold unpacked; beyond the first figure it must not be packed tighter than the ratio.
SUSPECT_BYTES = 100_000_000
MAX_BYTES = 1_500_000_000
MAX_RATIO = 100

_SAMPLE = 20


def refuse_bomb(file: BinaryIO, max_bytes: int = MAX_BYTES) -> None:
    """The zip file unpacks to a size that can be borne; FileUnreadable otherwise, before anything is unpacked.

    The sizes are those the archive states: Python's zipfile never unpacks more of a member than it states.
    """
    try:
        with zipfile.ZipFile(file) as archive:
            members = archive.infolist()
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError) as error:
        raise FileUnreadable(f"the file is no readable zip archive: {error}") from error
    unpacked = sum(member.file_size for member in members)
    packed = max(sum(member.compress_size for member in members), 1)
    if unpacked > max_bytes or (unpacked > SUSPECT_BYTES and unpacked > MAX_RATIO * packed):
        raise FileUnreadable(
            f"the archive of {packed:,} bytes unpacks to {unpacked:,}: refused as a zip bomb",
            unpacked=unpacked,
            packed=packed,
        )


def open_xlsx(source: Source, *, chunk_rows: int, sheet: str | None = None, header: int | None = None) -> Table:
    """A sheet of a workbook opened, the first one unless named; dates come as datetime, numbers as int or float, text as text."""
    rows = _cell_rows(source, sheet)
    sample = list(islice(rows, _SAMPLE))
    filled = [row for row in sample if _any(row)]
    if not filled:
        raise FileUnreadable("the sheet has no rows", place=sheet)
    at = find_header(filled) if header is None else header - 1
    _, columns = head_of(filled, at)
    above = sample.index(filled[at]) + 1 if at >= 0 else 0
    notes = (f"the first {above - 1} rows are a title, not data",) if above > 1 else ()
    return Table("xlsx", columns, _chunks(islice(chain(sample, rows), above, None), columns, chunk_rows), notes=notes)


def _cell_rows(source: Source, sheet: str | None) -> Iterator[tuple[Any, ...]]:
    from openpyxl import load_workbook  # 0.2 s, for workbooks only

    with opened(source) as file:
        refuse_bomb(file)
        file.seek(0)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # styles and validations that openpyxl does not keep; no cell is lost
            try:
                book = load_workbook(file, read_only=True, data_only=True)
            except (KeyError, ValueError, OSError, zipfile.BadZipFile) as error:
                raise FileUnreadable(f"the file is no workbook: {error}") from error
            try:
                if sheet is not None and sheet not in book.sheetnames:
                    raise FieldMissing(
                        f"no sheet is called {sheet}: there are {', '.join(book.sheetnames)}", place=sheet
                    )
                page = book[sheet] if sheet is not None else book.worksheets[0]
                page.reset_dimensions()  # what the file states may be wrong
                yield from page.iter_rows(values_only=True)
            finally:
                book.close()


def _any(row: tuple[Any, ...]) -> bool:
    return any(cell not in (None, "") for cell in row)


def _chunks(rows: Iterator[tuple[Any, ...]], columns: tuple[str, ...], chunk_rows: int) -> Iterator[RowChunk]:
    numbered = enumerate(rows, start=1)
    while batch := list(islice(numbered, chunk_rows)):
        filled = [(number, row) for number, row in batch if _any(row)]
        width = max([len(columns), *(len(row) for _, row in filled)])
        # Cells beyond the header are kept under a name of their own.
        names = [*columns, *(f"column_{i}" for i in range(len(columns) + 1, width + 1))]
        cells = [[*row, *[None] * (width - len(row))] for _, row in filled]
        by_column = zip(*cells, strict=True) if cells else ([] for _ in names)
        values = {
            name: [None if cell == "" else cell for cell in column]
            for name, column in zip(names, by_column, strict=True)
        }
        kept = {
            name: column for name, column in values.items() if name in columns or any(c is not None for c in column)
        }
        yield RowChunk([number for number, _ in filled], kept)
