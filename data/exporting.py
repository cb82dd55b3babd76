"""Boundaries as files for other programs: GeoJSON, GeoPackage, zipped Shapefile, KML, FlatGeobuf, GeoParquet, or a CSV of codes.

Every file carries code, name, parent, level, layer, path and area_m2, names that fit a Shapefile's ten characters. In wgs84
and cgcs2000 the shapes are ours bit for bit. A file in gcj02 or bd09 never wears a tag of another datum: it says its own
where there is a place for it (GeoJSON, KML), else it has none and whoever reads it must name the datum.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from data.exportfiles import write_geojson, write_kml, write_shapefile
from gis.crs import WGS84, Datum, area_m2
from gis.errors import GridUnknown, ParameterInvalid
from gis.outward import in_datum
from gis.partition import LEVELS, Boundaries, Geometries, Partition

#: The columns of every exported file, in this order.
COLUMNS: Final = ("code", "name", "parent", "level", "layer", "path", "area_m2")

#: Ending -> media type of what can be exported.
MEDIA_TYPES: Final = {
    ".geojson": "application/geo+json",
    ".json": "application/geo+json",
    ".gpkg": "application/geopackage+sqlite3",
    ".zip": "application/zip",
    ".kml": "application/vnd.google-earth.kml+xml",
    ".csv": "text/csv; charset=utf-8",
    ".fgb": "application/flatgeobuf",
    ".parquet": "application/vnd.apache.parquet",
    ".geoparquet": "application/vnd.apache.parquet",
}


@dataclass(frozen=True)
class Wanted:
    """Which grids are exported and in which datum; None does not narrow."""

    layer: str | None = None
    level: str | None = None
    datum: Datum = WGS84


#: All grids in WGS 84.
EVERYTHING: Final = Wanted()


@dataclass(frozen=True)
class Exported:
    """A file in memory with its media type, its name, and what a reader of it should know."""

    body: bytes
    media_type: str
    filename: str
    notes: tuple[str, ...]


def refuse_export(path: Path, datum: Datum) -> None:
    """The file can be written under this name in this datum; else ParameterInvalid that says what can."""
    ending = path.suffix.lower()
    if ending not in MEDIA_TYPES:
        raise ParameterInvalid(f"{path.name}: grids are exported as {', '.join(MEDIA_TYPES)}", place="output")
    if ending == ".kml" and not (datum.lossy or datum.name in {"wgs84", "cgcs2000"}):
        raise ParameterInvalid(f"KML is in degrees by its definition, {datum} is not: leave --crs out", place="crs")
    if not path.absolute().parent.is_dir():
        raise ParameterInvalid(f"the folder {path.absolute().parent} does not exist", place="output")


def export_grids(boundaries: Boundaries, path: Path, wanted: Wanted = EVERYTHING) -> list[str]:
    """The grids of `boundaries` stand in `path`, widest level first, then by layer and code; returned is what its reader should know.

    Raises ParameterInvalid for an ending or a datum that cannot be written, GridUnknown where nothing is left to export,
    DatumOutside where gcj02 or bd09 is not defined.
    """
    refuse_export(path, wanted.datum)
    rows, geometry = rows_of(boundaries, wanted)
    if path.suffix.lower() == ".csv":
        _write_codes(path, rows)
        return []
    shapes = in_datum(geometry, wanted.datum)
    return [*_WRITERS[path.suffix.lower()](path, rows, shapes, wanted.datum), *_datum_notes(path, wanted.datum)]


def exported(boundaries: Boundaries, ending: str, wanted: Wanted = EVERYTHING, *, stem: str = "grids") -> Exported:
    """The same as `export_grids` in memory: for HTTP. `ending` is a key of MEDIA_TYPES, with or without the dot."""
    ending = f".{ending.lower().removeprefix('.')}"
    with tempfile.TemporaryDirectory(prefix="gridbeat-") as folder:
        path = Path(folder) / f"{stem}{ending}"
        notes = export_grids(boundaries, path, wanted)
        return Exported(path.read_bytes(), MEDIA_TYPES[ending], path.name, tuple(notes))


def rows_of(boundaries: Boundaries, wanted: Wanted) -> tuple[dict[str, list[Any]], Geometries]:
    """COLUMNS -> values, and the shapes in WGS 84; `parent` is a code, `path` the names of the ancestors. Raises GridUnknown for none."""
    import numpy as np

    held = list(_chosen(boundaries, wanted))
    if not held:
        said = (("layer", wanted.layer), ("level", wanted.level))
        narrowed = "".join(f", {name} {value}" for name, value in said if value)
        raise GridUnknown(f"there are no grids to export{narrowed}", place=wanted.layer or wanted.level)
    rows: dict[str, list[Any]] = {name: [] for name in COLUMNS}
    for partition in held:
        for code in partition.codes:
            unit = boundaries.by_code[code]
            above = boundaries.units.get(unit.parent or "")
            names = [step["name"] or step["code"] for step in boundaries.path(code)[:-1]]
            values = (code, unit.name, above.code if above else None, unit.level, unit.layer, " > ".join(names) or None)
            for name, value in zip(COLUMNS, values, strict=False):
                rows[name].append(value)
    geometry = np.concatenate([partition.geometry for partition in held])
    rows["area_m2"] = [round(area, 2) for area in area_m2(geometry).tolist()]
    return rows, geometry


def _chosen(boundaries: Boundaries, wanted: Wanted) -> Iterator[Partition]:
    for partition in sorted(
        boundaries.partitions, key=lambda p: (LEVELS.index(p.level), p.layer != "general", p.layer)
    ):
        if wanted.layer in {None, partition.layer} and wanted.level in {None, partition.level} and len(partition):
            yield partition


def _write_codes(path: Path, rows: dict[str, list[Any]]) -> None:
    from data.tablewriters import writer

    with writer(path, COLUMNS, mark=True) as write:  # the mark is what makes a spreadsheet show Chinese
        write(rows, [None] * len(rows["code"]))


def _write_frame(path: Path, rows: dict[str, list[Any]], shapes: Geometries, datum: Datum) -> list[str]:
    import geopandas

    from data.gridwriter import write_frame

    return write_frame(path, geopandas.GeoDataFrame(rows, geometry=list(shapes), crs=datum.epsg))


def _datum_notes(path: Path, datum: Datum) -> list[str]:
    ending = path.suffix.lower()
    if datum.lossy and ending in {".geojson", ".json", ".kml"}:
        told = f"{ending[1:]} cannot say {datum} in a way that others read: other programs will take it for WGS 84"
        return [f"{told}, hundreds of metres off; gridbeat reads it as {datum}"]
    if datum.lossy:
        return [f"{datum} has no tag that programs know, so the file has none: read it with --crs {datum}"]
    if ending == ".kml" and datum.name == "cgcs2000":
        return ["KML is WGS 84 by its definition; cgcs2000 is the same to this system"]
    return []


_WRITERS: Final[dict[str, Callable[[Path, dict[str, list[Any]], Geometries, Datum], list[str]]]] = {
    ".geojson": write_geojson,
    ".json": write_geojson,
    ".kml": write_kml,
    ".zip": write_shapefile,
    ".gpkg": _write_frame,
    ".fgb": _write_frame,
    ".parquet": _write_frame,
    ".geoparquet": _write_frame,
}
