"""Tables written as streams: CSV, NDJSON, GeoJSON, XLSX and Parquet, by the ending of the file."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import date, datetime
from pathlib import Path
from typing import Any

import orjson

from data.rejected import as_text
from data.rowchunk import Table
from gis.errors import FileUnreadable, ParameterInvalid

Columns = Mapping[str, Sequence[Any]]

#: Takes some rows, column by column, and their places as (lon, lat) in WGS 84 (None: no place).
Write = Callable[[Columns, Sequence[tuple[float, float] | None]], None]

#: Endings that can be written.
ENDINGS = (".csv", ".ndjson", ".jsonl", ".geojson", ".xlsx", ".parquet")

MAX_SHEET_ROWS = 1_048_575
_MAX_EXACT = 10**15


def refuse_output(path: Path, *inputs: Path) -> None:
    """The result can be written under this name: a known ending, an existing folder, none of the inputs. ParameterInvalid otherwise."""
    if path.suffix.lower() not in ENDINGS:
        raise ParameterInvalid(f"{path.name}: the result can end in {', '.join(ENDINGS)}", place="output")
    if not path.parent.is_dir():
        raise ParameterInvalid(f"there is no folder {path.parent}", place="output")
    if any(path.exists() and path.samefile(given) for given in inputs):
        raise ParameterInvalid(f"{path.name} is an input: write the result elsewhere", place="output")


@contextmanager
def writer(path: Path, columns: Sequence[str], *, schema: Any = None, mark: bool = False) -> Iterator[Write]:
    """A function that appends rows to `path`; the file appears under its name when all is written, and not at all on an error.

    `schema` gives the Arrow types (Parquet; without it every column is text), `mark` a byte-order mark to a CSV.
    """
    refuse_output(path)
    part = path.with_name(f".{path.name}.part")
    try:
        with _open(path.suffix.lower(), part, columns, schema, mark) as write:
            yield write
        part.replace(path)
    except OSError as error:
        raise FileUnreadable(f"{path} cannot be written: {error.strerror}", place=str(path)) from error
    finally:
        part.unlink(missing_ok=True)


def _open(ending: str, part: Path, columns: Sequence[str], schema: Any, mark: bool) -> Any:
    if ending == ".csv":
        return _csv(part, columns, mark)
    if ending == ".geojson":
        return _geojson(part)
    if ending == ".xlsx":
        return _xlsx(part, columns)
    if ending == ".parquet":
        return _parquet(part, columns, schema)
    return _ndjson(part)


@contextmanager
def _csv(path: Path, columns: Sequence[str], mark: bool) -> Iterator[Write]:
    with path.open("w", encoding="utf-8-sig" if mark else "utf-8", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(columns)

        def write(chunk: Columns, _places: Sequence[Any]) -> None:
            rows.writerows(zip(*([as_text(value) for value in chunk[name]] for name in columns), strict=True))

        yield write


@contextmanager
def _ndjson(path: Path) -> Iterator[Write]:
    with path.open("wb") as file:

        def write(chunk: Columns, _places: Sequence[Any]) -> None:
            names = tuple(chunk)
            for values in zip(*chunk.values(), strict=True):
                file.write(_json(dict(zip(names, values, strict=True))) + b"\n")

        yield write


@contextmanager
def _geojson(path: Path) -> Iterator[Write]:
    with path.open("wb") as file:
        file.write(b'{"type":"FeatureCollection","features":[')
        between = b"\n"

        def write(chunk: Columns, places: Sequence[tuple[float, float] | None]) -> None:
            nonlocal between
            names = tuple(chunk)
            for place, values in zip(places, zip(*chunk.values(), strict=True), strict=True):
                geometry = None if place is None else {"type": "Point", "coordinates": place}
                properties = dict(zip(names, values, strict=True))
                file.write(between + _json({"type": "Feature", "geometry": geometry, "properties": properties}))
                between = b",\n"

        yield write
        file.write(b"\n]}\n")


def _json(value: Any) -> bytes:
    return orjson.dumps(value, default=str, option=orjson.OPT_NON_STR_KEYS)


@contextmanager
def _xlsx(path: Path, columns: Sequence[str]) -> Iterator[Write]:
    from openpyxl import Workbook
    from openpyxl.cell import WriteOnlyCell

    book = Workbook(write_only=True)
    sheet = book.create_sheet("reports")
    sheet.append([_cell(sheet, name, WriteOnlyCell) for name in columns])
    left = MAX_SHEET_ROWS

    def write(chunk: Columns, _places: Sequence[Any]) -> None:
        nonlocal left
        for values in zip(*(chunk[name] for name in columns), strict=True):
            left -= 1
            if left < 0:
                raise ParameterInvalid(f"a sheet holds {MAX_SHEET_ROWS:,} rows: write CSV or Parquet", place="output")
            sheet.append([_cell(sheet, value, WriteOnlyCell) for value in values])

    yield write
    book.save(path)


def _cell(sheet: Any, value: Any, make: Any) -> Any:
    """A cell that shows the value: text never as a formula, a number too long for a spreadsheet as text."""
    from openpyxl.cell.cell import ILLEGAL_CHARACTERS_RE

    if value is None or (isinstance(value, bool | float | date) and getattr(value, "tzinfo", None) is None):
        return value
    if isinstance(value, int) and abs(value) < _MAX_EXACT:
        return value
    cell = make(sheet, value=ILLEGAL_CHARACTERS_RE.sub("\ufffd", as_text(value)))
    cell.data_type = "s"
    return cell


@contextmanager
def _parquet(path: Path, columns: Sequence[str], schema: Any) -> Iterator[Write]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    types = schema or pa.schema([(name, pa.string()) for name in columns])
    with pq.ParquetWriter(path, types) as file:

        def write(chunk: Columns, _places: Sequence[Any]) -> None:
            arrays = [_array(chunk[field.name], field.type) for field in types]
            file.write_batch(pa.record_batch(arrays, schema=types))

        yield write


def _array(values: Sequence[Any], kind: Any) -> Any:
    import pyarrow as pa

    if pa.types.is_string(kind):
        values = [None if value is None else as_text(value) for value in values]
    return pa.array(values, type=kind)


def found_schema(table: Table) -> Any:
    """The Arrow types that hold every value of a table without types of its own; reads it to its end.

    Whole numbers, numbers, booleans, dates and times keep their kind where a column has one kind; all else is text.
    """
    import pyarrow as pa

    kinds: dict[str, set[type]] = {name: set() for name in table.columns}
    for chunk in table.chunks:
        for name, values in chunk.columns.items():
            kinds[name] = kinds.get(name, set()) | set(map(type, values))
    types: dict[frozenset[type], Any] = {
        frozenset({int}): pa.int64(),
        frozenset({float}): pa.float64(),
        frozenset({int, float}): pa.float64(),
        frozenset({bool}): pa.bool_(),
        frozenset({datetime}): pa.timestamp("us"),
    }
    return pa.schema([(name, types.get(frozenset(kind - {type(None)}), pa.string())) for name, kind in kinds.items()])
