"""Parquet, GeoParquet and the point files of GDAL (GeoPackage, Shapefile, FlatGeobuf, KML, GPX) as streams of chunks."""

from __future__ import annotations

import atexit
import json
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from data.archive import unpack_one
from data.csvrows import opened
from data.fileencoding import BYTES, declared_by, encoding_of
from data.rowchunk import PLACE, RowChunk, Source, Table
from gis.errors import FileUnreadable


def open_parquet(source: Source, *, chunk_rows: int) -> Table:
    """A Parquet file opened; a geometry column (GeoParquet, points) becomes `lon` and `lat`."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    with opened(source) as file:
        try:
            schema = pq.ParquetFile(file).schema_arrow
        except (pa.ArrowInvalid, OSError) as error:
            raise FileUnreadable(f"the file is no Parquet: {error}") from error
    geometry, crs = _geo(schema)
    schema = _placed_schema(schema.remove_metadata(), geometry)
    chunks = _chunks(_parquet_batches(source, chunk_rows), geometry)
    return Table("parquet", tuple(schema.names), chunks, None, crs, PLACE if geometry else None, schema)


def open_points(path: Path, *, chunk_rows: int, layer: str | None = None) -> Table:
    """A file that GDAL reads opened; its geometry (points) becomes `lon` and `lat`. A zipped one is unpacked, guarded, for this process."""
    import pyogrio
    from pyogrio.errors import DataSourceError

    place = path.name
    if path.suffix.lower() == ".zip":
        folder = tempfile.mkdtemp(prefix="gridbeat-")
        atexit.register(shutil.rmtree, folder, ignore_errors=True)
        path, _ = unpack_one(path, Path(folder), (".shp", ".gpkg", ".fgb", ".kml", ".gpx"), layer)
    try:
        encoding = _dbf_encoding(path) if path.suffix.lower() == ".shp" else None
        options = {"layer": layer, "batch_size": chunk_rows, "use_pyarrow": True, "encoding": encoding}
        with pyogrio.open_arrow(path, **options) as (meta, reader):
            geometry = meta["geometry_name"] or "wkb_geometry"
            crs, schema = meta["crs"], reader.schema
    except (DataSourceError, ValueError) as error:
        raise FileUnreadable(f"{place}: {error}", place=place) from error
    named = geometry if geometry in schema.names else None
    schema = _placed_schema(schema.remove_metadata(), named)
    chunks = _chunks(_gdal_batches(path, options), named)
    return Table("points", tuple(schema.names), chunks, encoding, crs, PLACE if named else None, schema)


def _dbf_encoding(path: Path) -> str:
    """The encoding of a Shapefile's texts, found over all of them; FileUnreadable where nothing fits."""
    import pyogrio

    declared = declared_by(path)
    options = {"use_pyarrow": True, "encoding": BYTES, "read_geometry": False}
    with pyogrio.open_arrow(path, **options) as (_, reader):
        texts = (
            text
            for batch in reader
            for column in batch.columns
            if str(column.type).endswith("string")
            for text in column.to_pylist()
        )
        return encoding_of((text for text in texts if text), declared, path.name)[0]


def _parquet_batches(source: Source, chunk_rows: int) -> Iterator[Any]:
    import pyarrow.parquet as pq

    with opened(source) as file:
        yield from pq.ParquetFile(file).iter_batches(batch_size=chunk_rows)


def _gdal_batches(path: Path, options: dict[str, Any]) -> Iterator[Any]:
    import pyogrio

    with pyogrio.open_arrow(path, **options) as (_, reader):
        yield from reader


def _geo(schema: Any) -> tuple[str | None, str | None]:
    """The geometry column of a GeoParquet and its crs as `EPSG:n`; no crs in the metadata means WGS 84."""
    stored = (schema.metadata or {}).get(b"geo")
    if stored is None:
        return None, None
    geo = json.loads(stored)
    name = geo["primary_column"]
    crs = geo["columns"][name].get("crs", {"id": {"authority": "EPSG", "code": 4326}})
    found = (crs or {}).get("id", {})
    code = "4326" if found.get("code") == "CRS84" else found.get("code")
    return name, f"EPSG:{code}" if code is not None else None


def _placed_schema(schema: Any, geometry: str | None) -> Any:
    """The types of the columns, with the place where the geometry was (see `placed`)."""
    import pyarrow as pa

    if geometry is None:
        return schema
    kept = [f.with_name(f"property_{f.name}") if f.name in PLACE else f for f in schema if f.name != geometry]
    return pa.schema([*kept, *(pa.field(name, pa.float64()) for name in PLACE)])


def _chunks(batches: Iterator[Any], geometry: str | None) -> Iterator[RowChunk]:
    number = 1
    for batch in batches:
        columns = {
            f"property_{name}" if geometry and name in PLACE else name: batch.column(i).to_pylist()
            for i, name in enumerate(batch.schema.names)
            if name != geometry
        }
        if geometry is not None:
            columns |= _places(batch.column(batch.schema.get_field_index(geometry)))
        yield RowChunk(list(range(number, number + batch.num_rows)), columns)
        number += batch.num_rows


def _places(column: Any) -> dict[str, list[float | None]]:
    """Lon and lat of a column of WKB points; what is no point has none."""
    import shapely

    points = shapely.from_wkb(column.to_numpy(zero_copy_only=False))
    # NaN for None, for an empty point and for every other kind of geometry.
    axes = (shapely.get_x(points).tolist(), shapely.get_y(points).tolist())
    return {name: [None if value != value else value for value in axis] for name, axis in zip(PLACE, axes, strict=True)}
