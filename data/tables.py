"""Tables of points and reports as streams: CSV, NDJSON, GeoJSON, XLSX, Parquet and the point files of GDAL.

Nothing is dropped in silence: a row comes out in a chunk or as a Rejection with its number and reason. Memory does not grow
with the file (a workbook's texts are the exception: XLSX keeps them apart from its rows).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from data.csvrows import open_csv
from data.jsonrows import open_json, open_ndjson
from data.rowchunk import CHUNK_ROWS, Rejection, RowChunk, Source, Table
from gis.errors import FieldMissing, FileUnreadable

__all__ = [
    "Rejection",
    "RowChunk",
    "Table",
    "as_numbers",
    "crs_column",
    "fields_of",
    "find_place",
    "iter_table",
    "kind_of",
    "open_table",
]

#: Ending -> how the file is read.
KINDS = {
    ".csv": "csv", ".tsv": "csv", ".txt": "csv",
    ".ndjson": "ndjson", ".jsonl": "ndjson", ".geojsonl": "ndjson", ".geojsons": "ndjson",
    ".geojson": "json", ".json": "json",
    ".xlsx": "xlsx", ".xlsm": "xlsx",
    ".parquet": "parquet", ".geoparquet": "parquet", ".pq": "parquet",
    ".gpkg": "points", ".shp": "points", ".zip": "points", ".fgb": "points", ".kml": "points", ".gpx": "points",
}  # fmt: skip

#: What people call the columns of a place, longitude beside latitude.
_PLACE_NAMES = (
    ("lon", "lat"), ("lng", "lat"), ("long", "lat"), ("longitude", "latitude"), ("经度", "纬度"), ("easting", "northing"),
    ("x", "y"), ("东坐标", "北坐标"), ("geometry_lon", "geometry_lat"),
)  # fmt: skip


#: What people call the column of the datum.
_CRS_NAMES = frozenset({"crs", "datum", "坐标系"})


def kind_of(name: str) -> str:
    """How a file is read, by its ending; FileUnreadable for an ending that no table has."""
    ending = Path(name).suffix.lower()
    if ending not in KINDS:
        raise FileUnreadable(f"{name}: a table ends in one of {', '.join(KINDS)}", place=name)
    return KINDS[ending]


def open_table(
    source: Source,
    *,
    kind: str | None = None,
    encoding: str | None = None,
    header: int | None = None,
    sheet: str | None = None,
    chunk_rows: int = CHUNK_ROWS,
) -> Table:
    """A table opened and its rows as a stream of chunks.

    `kind` is one of csv, ndjson, json, xlsx, parquet, points: needed for an open file, else taken from the path's ending.
    `encoding` (CSV, NDJSON) is found when it is not given; `header` is the number of the filled line that names the columns
    (0: none); `sheet` names a sheet or a GeoPackage's layer. Raises FileUnreadable, FieldMissing.
    """
    if isinstance(source, Path) and not source.exists():
        raise FileUnreadable(f"{source}: no such file", place=str(source))
    kind = kind or (kind_of(source.name) if isinstance(source, Path) else None)
    if kind == "csv":
        return open_csv(source, chunk_rows=chunk_rows, encoding=encoding, header=header)
    if kind == "ndjson":
        return open_ndjson(source, chunk_rows=chunk_rows, encoding=encoding)
    if kind == "json":
        return open_json(source, chunk_rows=chunk_rows)
    return _open_heavy(source, kind, header=header, sheet=sheet, chunk_rows=chunk_rows)


def _open_heavy(source: Source, kind: str | None, *, header: int | None, sheet: str | None, chunk_rows: int) -> Table:
    """The formats whose libraries take long to import."""
    from data.arrowrows import open_parquet, open_points
    from data.sheetrows import open_xlsx

    if kind == "xlsx":
        return open_xlsx(source, chunk_rows=chunk_rows, sheet=sheet, header=header)
    if kind == "parquet":
        return open_parquet(source, chunk_rows=chunk_rows)
    if kind == "points" and isinstance(source, Path):
        return open_points(source, chunk_rows=chunk_rows, layer=sheet)
    raise FileUnreadable(f"a table of kind {kind} cannot be read from a stream")


def iter_table(
    source: Source,
    *,
    mapping: Mapping[str, str] | None = None,
    constants: Mapping[str, Any] | None = None,
    kind: str | None = None,
    encoding: str | None = None,
    header: int | None = None,
    sheet: str | None = None,
    chunk_rows: int = CHUNK_ROWS,
) -> Iterator[RowChunk]:
    """The chunks of a table, its columns renamed and constants added as `fields_of` says; other parameters as `open_table`."""
    table = open_table(source, kind=kind, encoding=encoding, header=header, sheet=sheet, chunk_rows=chunk_rows)
    yield from fields_of(table, mapping or {}, constants or {}).chunks


def fields_of(table: Table, mapping: Mapping[str, str], constants: Mapping[str, Any]) -> Table:
    """The table with `--map field=COLUMN` and `--set field=value` carried out.

    A mapped column takes the field's name; the other columns stay. A constant fills the field in rows where it is empty.
    Raises FieldMissing for a COLUMN that the table has not.
    """
    for field, column in mapping.items():
        if column not in table.columns:
            raise FieldMissing(f"--map {field}={column}: {_no_column(column, table.columns)}", place=column)
    if not mapping and not constants:
        return table
    renamed = {column: field for field, column in mapping.items()}
    columns = tuple(dict.fromkeys([*(_renamed(name, renamed, mapping) for name in table.columns), *constants]))
    chunks = (_with_fields(chunk, renamed, mapping, constants) for chunk in table.chunks)
    return replace(table, columns=columns, chunks=chunks)


def _renamed(name: str, renamed: Mapping[str, str], mapping: Mapping[str, str]) -> str:
    """The field's name for a mapped column; a column that had the field's name steps aside."""
    if name in renamed:
        return renamed[name]
    return f"{name}_input" if name in mapping else name


def _with_fields(
    chunk: RowChunk, renamed: Mapping[str, str], mapping: Mapping[str, str], constants: Mapping[str, Any]
) -> RowChunk:
    columns = {_renamed(name, renamed, mapping): values for name, values in chunk.columns.items()}
    for field, constant in constants.items():
        given = columns.get(field, [None] * len(chunk))
        columns[field] = [constant if value is None else value for value in given]
    return replace(chunk, columns=columns)


def find_place(table: Table, lon: str | None = None, lat: str | None = None) -> tuple[str, str]:
    """The columns that hold longitude (or easting) and latitude (or northing): the named ones, the geometry's, or by their usual names.

    Raises FieldMissing with the columns that there are.
    """
    if lon is not None or lat is not None:
        for option, column in (("--lon", lon), ("--lat", lat)):
            if column is None or column not in table.columns:
                raise FieldMissing(f"{option}: {_no_column(column or 'that', table.columns)}", place=option)
        return str(lon), str(lat)
    if table.position is not None:
        return table.position
    known = {name.strip().lower(): name for name in table.columns}
    for east, north in _PLACE_NAMES:
        if east in known and north in known:
            return known[east], known[north]
    raise FieldMissing(
        f"which columns hold the place? Say --lon and --lat; there are {_list(table.columns)}", place="lon"
    )


def _no_column(column: str, columns: Sequence[str]) -> str:
    return f"no column is called {column}; there are {_list(columns)}"


def _list(columns: Sequence[str]) -> str:
    shown = ", ".join(columns[:30])
    return f"{shown} and {len(columns) - 30} more" if len(columns) > 30 else shown or "none"


def as_numbers(values: Sequence[Any] | None, n: int) -> npt.NDArray[np.float64]:
    """The values as float64; NaN for what is missing or no number. `values` None: n times NaN."""
    if values is None:
        return np.full(n, np.nan)
    try:
        numbers = np.array(values, dtype=np.float64)
    except (TypeError, ValueError, OverflowError):
        numbers = None
    if numbers is None or numbers.ndim != 1:  # lists of numbers would make a table of their own
        return np.array([_number(value) for value in values], dtype=np.float64)
    return numbers


def _number(value: Any) -> float:
    if isinstance(value, bool):
        return np.nan
    try:
        return float(value)
    except (TypeError, ValueError, OverflowError):
        return np.nan


def crs_column(columns: Iterable[str]) -> str | None:
    """The column in which each row declares its own datum, if there is one."""
    return next((name for name in columns if name.strip().lower() in _CRS_NAMES), None)
