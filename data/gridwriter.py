"""Write grids to a file by its ending: GeoJSON, GeoPackage, GeoParquet, FlatGeobuf or a zipped Shapefile; all columns kept, WGS 84."""

from __future__ import annotations

import json
import tempfile
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import numpy as np

from data.enclaves import KEY, MEMBER, Places, as_text
from gis.errors import FileUnreadable
from gis.partition import Geometries

_LAYER: Final = "grids"
_DBF_NAME: Final = 10


def refuse_ending(path: Path) -> None:
    """Raises FileUnreadable when a file with this ending cannot be written."""
    if path.suffix.lower() not in _WRITERS:
        raise FileUnreadable(f"cannot write {path.name}: use {', '.join(sorted(_WRITERS))}", place=path.name)


def write_grids(path: Path, frame: Any, geometry: Geometries, enclaves: Places = ()) -> list[str]:
    """The rows of `frame` with `geometry[i]` (WGS 84) as their shapes now stand in `path`; returns notes on what the format cannot hold.

    `frame` is a GeoDataFrame; its own geometry is replaced. `enclaves` are remembered where the format allows.
    """
    refuse_ending(path)
    import geopandas

    columns = frame.drop(columns=frame.geometry.name).copy()
    shapes = geopandas.array.from_shapely(np.asarray(geometry, dtype=object), crs=4326)
    written = geopandas.GeoDataFrame(columns, geometry=shapes)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # cut column names are in the notes
        return _WRITERS[path.suffix.lower()](path, written, enclaves)


def write_frame(path: Path, frame: Any) -> list[str]:
    """The GeoDataFrame as it stands, in its own coordinates and with its own tag, in a .gpkg, .fgb, .parquet or .geoparquet file."""
    if path.suffix.lower() not in {".gpkg", ".fgb", ".parquet", ".geoparquet"}:
        raise FileUnreadable(f"cannot write {path.name} in its own coordinates", place=path.name)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a frame without a tag is meant: no tag can name gcj02 or bd09
        return _WRITERS[path.suffix.lower()](path, frame, ())


def _geojson(path: Path, frame: Any, enclaves: Places) -> list[str]:
    held = json.loads(frame.to_json(ensure_ascii=False, drop_id=True))
    body = {"type": "FeatureCollection", KEY: [list(place) for place in enclaves], "features": held["features"]}
    if not enclaves:
        del body[KEY]
    path.write_text(json.dumps(body, ensure_ascii=False), encoding="utf-8")
    return []


def _geopackage(path: Path, frame: Any, enclaves: Places) -> list[str]:
    import pyogrio

    path.unlink(missing_ok=True)
    kept = {KEY: as_text(enclaves)} if enclaves else None
    pyogrio.write_dataframe(
        _flat(frame), path, layer=_LAYER, driver="GPKG", layer_metadata=kept, promote_to_multi=False
    )
    return []


def _flatgeobuf(path: Path, frame: Any, enclaves: Places) -> list[str]:
    import pyogrio

    path.unlink(missing_ok=True)
    # The spatial index would put the rows into another order.
    pyogrio.write_dataframe(_flat(frame), path, driver="FlatGeobuf", SPATIAL_INDEX="NO", geometry_type="Unknown")
    return _forgotten(path, enclaves)


def _parquet(path: Path, frame: Any, enclaves: Places) -> list[str]:
    import pyarrow.parquet as pq

    frame.to_parquet(path)
    if enclaves:
        table = pq.read_table(path)
        pq.write_table(
            table.replace_schema_metadata({**table.schema.metadata, KEY.encode(): as_text(enclaves).encode()}), path
        )
    return []


def _shapefile(path: Path, frame: Any, enclaves: Places) -> list[str]:
    import pyogrio

    long = [str(column) for column in frame.columns if len(str(column).encode()) > _DBF_NAME]
    with tempfile.TemporaryDirectory(prefix="gridbeat-") as folder:
        pyogrio.write_dataframe(_flat(frame), Path(folder) / f"{_LAYER}.shp", driver="ESRI Shapefile", encoding="UTF-8")
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            for member in sorted(Path(folder).iterdir()):
                archive.write(member, member.name)
            if enclaves:
                archive.writestr(MEMBER, as_text(enclaves))
    return [f"a Shapefile cuts column names to {_DBF_NAME} bytes: {', '.join(long)}"] if long else []


def _forgotten(path: Path, enclaves: Places) -> list[str]:
    return (
        [f"{path.suffix} cannot remember the accepted enclaves: give --enclave again when you load it"]
        if enclaves
        else []
    )


def _flat(frame: Any) -> Any:
    """Lists and objects in cells (GeoJSON has them) as JSON text: tables hold plain values."""
    for column in frame.columns:
        if column != frame.geometry.name and frame[column].dtype == object:
            frame[column] = [
                json.dumps(value, ensure_ascii=False) if isinstance(value, dict | list) else value
                for value in frame[column]
            ]
    return frame


_WRITERS: Final[dict[str, Callable[[Path, Any, Places], list[str]]]] = {
    ".geojson": _geojson,
    ".json": _geojson,
    ".gpkg": _geopackage,
    ".parquet": _parquet,
    ".geoparquet": _parquet,
    ".fgb": _flatgeobuf,
    ".zip": _shapefile,
}
