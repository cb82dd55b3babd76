"""How an exported GeoJSON, KML and Shapefile are written, byte for byte: full doubles, Chinese whole, no false tag of a datum."""

from __future__ import annotations

import tempfile
import warnings
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final
from xml.sax.saxutils import escape

import shapely

from gis.crs import Datum
from gis.errors import ParameterInvalid
from gis.partition import Geometries

Rows = dict[str, list[Any]]

#: A dBASE text holds so many bytes.
_DBF_TEXT: Final = 254
_DBF_NAME: Final = 10
_GB18030_DRIVER: Final = 0x4D  # code page 936, of which GB18030 is the superset
_DRIVER_AT: Final = 29


def write_geojson(path: Path, rows: Rows, shapes: Geometries, datum: Datum) -> list[str]:
    """A FeatureCollection; no `crs` member in wgs84 (RFC 7946), one for other EPSG codes, `gridbeat_crs` for gcj02 and bd09."""
    import orjson

    features = [
        {"type": "Feature", "properties": record, "geometry": shapely.geometry.mapping(shape)}
        for record, shape in zip(_records(rows), shapes, strict=True)
    ]
    path.write_bytes(orjson.dumps({"type": "FeatureCollection", **_said(datum), "features": features}))
    return []


def _said(datum: Datum) -> dict[str, Any]:
    if datum.lossy:
        return {"gridbeat_crs": datum.name}
    if datum.name == "wgs84":
        return {}
    return {"crs": {"type": "name", "properties": {"name": f"urn:ogc:def:crs:EPSG::{datum.epsg}"}}}


def _records(rows: Rows) -> Iterator[dict[str, Any]]:
    for values in zip(*rows.values(), strict=True):
        yield dict(zip(rows, values, strict=True))


def write_kml(path: Path, rows: Rows, shapes: Geometries, datum: Datum) -> list[str]:
    """A KML document: the name as the placemark's, every column as extended data, coordinates as full doubles."""
    fields = "".join(f'<SimpleField name="{name}" type="string"/>' for name in rows)
    said = f'<!-- gridbeat_crs="{datum.name}" -->' if datum.lossy else ""
    marks = "\n".join(_placemark(record, shape) for record, shape in zip(_records(rows), shapes, strict=True))
    path.write_text(
        '<?xml version="1.0" encoding="UTF-8"?>\n<kml xmlns="http://www.opengis.net/kml/2.2"><Document>'
        f'{said}<name>grids</name><Schema name="grids" id="grids">{fields}</Schema>\n{marks}\n</Document></kml>\n',
        encoding="utf-8",
    )
    return []


def _placemark(record: dict[str, Any], shape: Any) -> str:
    held = ((name, "" if value is None else str(value)) for name, value in record.items())
    data = "".join(f'<SimpleData name="{name}">{escape(value)}</SimpleData>' for name, value in held if value)
    parts = "".join(_kml_polygon(part) for part in shapely.get_parts(shape))
    shown = f"<MultiGeometry>{parts}</MultiGeometry>" if shape.geom_type == "MultiPolygon" else parts
    return (
        f"<Placemark><name>{escape(record['name'] or record['code'])}</name><ExtendedData>"
        f'<SchemaData schemaUrl="#grids">{data}</SchemaData></ExtendedData>{shown}</Placemark>'
    )


def _kml_polygon(part: Any) -> str:
    holes = "".join(f"<innerBoundaryIs>{_kml_ring(ring)}</innerBoundaryIs>" for ring in part.interiors)
    return f"<Polygon><outerBoundaryIs>{_kml_ring(part.exterior)}</outerBoundaryIs>{holes}</Polygon>"


def _kml_ring(ring: Any) -> str:
    # repr is the shortest text that gives the double back
    places = " ".join(f"{lon!r},{lat!r}" for lon, lat in shapely.get_coordinates(ring).tolist())
    return f"<LinearRing><coordinates>{places}</coordinates></LinearRing>"


def write_shapefile(path: Path, rows: Rows, shapes: Geometries, datum: Datum) -> list[str]:
    """A zip of .shp, .shx, .dbf, .cpg (GB18030: all of Unicode) and, where the datum has an EPSG code, .prj.

    Raises ParameterInvalid for a code, name or parent over 254 bytes; a longer path is left out, with a note.
    """
    import geopandas
    import pyogrio

    kept, notes = _within_dbf(rows)
    frame = geopandas.GeoDataFrame(kept, geometry=list(shapes), crs=datum.epsg)
    with tempfile.TemporaryDirectory(prefix="gridbeat-") as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # no .prj is meant where no tag can name the datum
        whole = Path(folder) / "grids.shp"
        pyogrio.write_dataframe(frame, whole, driver="ESRI Shapefile", encoding="GB18030")
        _mark_encoding(whole.with_suffix(".dbf"))
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            for member in sorted(Path(folder).iterdir()):
                archive.write(member, member.name)
    return notes


def _mark_encoding(table: Path) -> None:
    """The language driver of the .dbf says GB18030's code page too: some programs read it and not the .cpg."""
    with table.open("r+b") as file:
        file.seek(_DRIVER_AT)
        file.write(bytes([_GB18030_DRIVER]))


def _within_dbf(rows: Rows) -> tuple[Rows, list[str]]:
    if any(len(name.encode()) > _DBF_NAME for name in rows):
        raise ParameterInvalid(f"a Shapefile's column names have {_DBF_NAME} bytes at most", place="output")
    kept, notes = dict(rows), []
    for name, values in rows.items():
        long = [value for value in values if isinstance(value, str) and len(value.encode("gb18030")) > _DBF_TEXT]
        if long and name != "path":
            raise ParameterInvalid(
                f"a Shapefile's texts have {_DBF_TEXT} bytes at most, the {name} {long[0][:20]}… has more: "
                "export a GeoPackage",
                place=name,
            )
        if long:
            kept[name] = [None if value in long else value for value in values]
            notes.append(f"{len(long)} paths are longer than a Shapefile's {_DBF_TEXT} bytes and left out")
    return kept, notes
