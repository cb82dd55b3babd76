"""read_grids: a file of polygons in any of the usual formats -> codes, names, parents and WGS 84 shapes, with notes of what was done.

GeoJSON, GeoPackage, Shapefile (.shp or zipped), KML, FlatGeobuf, GeoParquet. Shapes are as found: broken, empty or missing ones
are for `gis.topology` to report. What cannot be known (encoding, coordinate system, code column) is refused, never guessed silently.
"""

from __future__ import annotations

import re
import tempfile
import warnings
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

import numpy as np

from data.archive import unpack_one
from data.curves import first_curved_row
from data.enclaves import Places, in_archive, in_metadata, in_text
from data.fileencoding import BYTES, declared_by, decoded, encoding_of, utf8_bytes
from data.griddatum import Chosen, choose
from data.gridfields import code_column, codes_in, columns_of, no_code_column, optional_column, parents_in, texts_in
from gis.crs import Datum, convert_geometry, parse_datum, shape_problems
from gis.errors import DatumContradiction, FileUnreadable, GeometryInvalid, GridError
from gis.partition import Geometries, default_level

_TEXT: Final = frozenset({".geojson", ".json", ".kml"})
_PARQUET: Final = frozenset({".parquet", ".geoparquet", ".pq"})
_BINARY: Final = frozenset({".gpkg", ".shp", ".fgb"})
FORMATS: Final = _TEXT | _PARQUET | _BINARY | {".zip"}
_OWN_CRS: Final = re.compile(rb'gridbeat_crs"?\s*[:=]\s*"(gcj02|bd09)"')
_CRS_MEMBER: Final = re.compile(rb'"crs"\s*:\s*\{\s*"(?:type|properties)"')


@dataclass(frozen=True)
class GridFile:
    """Rows of a grids file: `codes[i]`, `names[i]` ("" for none), `parents[i]` and `geometry[i]` in WGS 84 (any type, None for none).

    `crs_declared` is the file's own tag, `crs_used` the datum the coordinates were taken for. `notes` say what a user should know.
    `frame` keeps all columns as read (a GeoDataFrame in the file's own coordinates). `coded` is False where rows are called by number.
    `enclaves` are the (lon, lat) of gaps that `gridbeat check --repair` found accepted and wrote into the file.
    """

    codes: list[str]
    names: list[str]
    parents: list[str | None]
    geometry: Geometries
    layer: str
    level: str
    crs_declared: str | None
    crs_used: str
    notes: list[str]
    frame: Any = field(repr=False, compare=False, default=None)
    coded: bool = True
    enclaves: Places = ()

    def __len__(self) -> int:
        return len(self.codes)

    def parent_of(self) -> dict[str, str] | None:
        """Code -> parent's code for the rows that name one; None where the file has no parents."""
        named = {code: parent for code, parent in zip(self.codes, self.parents, strict=True) if parent is not None}
        return named or None


@dataclass(frozen=True)
class _Read:
    """A frame and what is known of it before its columns are looked at."""

    frame: Any
    tag: Any
    default: str | None = None
    notes: tuple[str, ...] = ()
    kml: bool = False
    enclaves: Places = ()
    own: str | None = None  # gcj02 or bd09, where a file of our own says so


def read_grids(
    path: Path | str,
    *,
    layer: str,
    level: str | None = None,
    layer_name: str | None = None,
    code_field: str | None = None,
    name_field: str | None = None,
    parent_field: str | None = None,
    crs: str | Datum | None = None,
    rows_as_codes: bool = False,
) -> GridFile:
    """The rows of a grids file, shapes in WGS 84, in the file's order.

    `layer` and `level` are Gridbeat's; `layer_name` is the file's. `rows_as_codes`: where no column looks like a code, call the
    rows by number instead of refusing. Raises FileUnreadable, FieldMissing, CodeInvalid, GeometryInvalid (curved), DatumUnknown,
    DatumContradiction, CoordinateInvalid, DatumOutside, each naming the row or the column.
    """
    wanted = parse_datum(crs) if isinstance(crs, str) else crs
    source = Path(path)
    read = _read(source, layer_name)
    chosen = choose(read.tag, wanted, place=source.name, default=read.default, own=read.own)
    shapes, shape_notes = _shapes(read.frame, chosen)
    code = code_column(read.frame, code_field, kml=read.kml)
    if code is None and not rows_as_codes:
        raise no_code_column(read.frame)
    name = optional_column(read.frame, name_field, "name")
    parent = optional_column(read.frame, parent_field, "parent")
    rows = len(read.frame)
    return GridFile(
        codes=codes_in(read.frame[code].tolist()) if code else [f"row {row}" for row in range(1, rows + 1)],
        names=texts_in(read.frame[name].tolist()) if name else [""] * rows,
        parents=parents_in(read.frame[parent].tolist()) if parent else [None] * rows,
        geometry=shapes,
        layer=layer,
        level=level or default_level(layer),
        crs_declared=chosen.declared,
        crs_used=chosen.datum.name,
        notes=[
            *chosen.notes,
            *read.notes,
            *shape_notes,
            _columns_note(read.frame, code, name, parent),
            *_remembered(read),
        ],
        frame=read.frame,
        coded=code is not None,
        enclaves=read.enclaves,
    )


def read_shapes(
    path: Path, *, layer_name: str | None = None, crs: str | Datum | None = None
) -> tuple[Any, Geometries, Datum, list[str]]:
    """All columns of a file of shapes as a frame, its shapes of any type in WGS 84 (None for none), the datum used, and notes.

    For files that are no grids and need no codes. Raises what `read_grids` raises of files and coordinates.
    """
    wanted = parse_datum(crs) if isinstance(crs, str) else crs
    read = _read(path, layer_name)
    chosen = choose(read.tag, wanted, place=path.name, default=read.default, own=read.own)
    shapes, notes = _shapes(read.frame, chosen)
    return read.frame, shapes, chosen.datum, [*chosen.notes, *read.notes, *notes]


def _columns_note(frame: Any, code: str | None, name: str | None, parent: str | None) -> str:
    used = [f"{column} as {role}" for role, column in (("code", code), ("name", name), ("parent", parent)) if column]
    if code is None:
        held = ", ".join(columns_of(frame)) or "none"
        used.append(
            f"no column looks like a code, so grids are called by row; say which with --code-field (columns: {held})"
        )
    return f"columns: {'; '.join(used)}"


def _remembered(read: _Read) -> list[str]:
    places = "; ".join(f"{lon:.6f},{lat:.6f}" for lon, lat in read.enclaves)
    return [f"enclaves accepted earlier, remembered by the file: {places}"] if places else []


def _read(path: Path, layer_name: str | None) -> _Read:
    if not path.is_file():
        raise FileUnreadable(f"there is no file {path}", place=str(path))
    suffix = path.suffix.lower()
    if suffix not in FORMATS:
        raise FileUnreadable(
            f"{path.name}: cannot read {suffix or 'a file without ending'}; use {', '.join(sorted(FORMATS))}",
            place=path.name,
        )
    if suffix == ".zip":
        with tempfile.TemporaryDirectory(prefix="gridbeat-") as folder:
            inner, name = unpack_one(path, Path(folder), FORMATS - {".zip"}, layer_name)
            read = _read(inner, None if inner.suffix.lower() == ".shp" else layer_name)
            notes = (f"read {name} from {path.name}", *read.notes)
            return replace(read, notes=notes, enclaves=read.enclaves or in_archive(path))
    if suffix in _PARQUET:
        return _read_parquet(path)
    if suffix == ".shp":
        return _read_shapefile(path)
    return _read_text(path, layer_name) if suffix in _TEXT else _read_vector(path, path, layer_name)


def _read_text(path: Path, layer_name: str | None) -> _Read:
    raw, note = utf8_bytes(path)
    said = _OWN_CRS.search(raw)
    read = replace(_read_vector(path, raw, layer_name), own=said[1].decode() if said else None)
    if path.suffix.lower() == ".kml":
        return replace(read, notes=(note,) if note else (), kml=True)
    untagged = not _CRS_MEMBER.search(raw)
    notes = (note,) if note else ()
    return replace(read, tag=None if untagged else read.tag, default="wgs84", notes=notes, enclaves=in_text(raw))


def _read_vector(path: Path, source: Path | bytes, layer_name: str | None, encoding: str | None = None) -> _Read:
    """A layer through GDAL; `source` is the file or its bytes."""
    import pyogrio
    from pyogrio.errors import DataLayerError, DataSourceError

    try:
        layer = _layer(path, pyogrio.list_layers(source), layer_name)
        info = pyogrio.read_info(source, layer=layer, encoding=encoding)
        _refuse_curves(path, layer)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # what GDAL grumbles about is checked here: columns, rings, coordinates
            frame = pyogrio.read_dataframe(source, layer=layer, encoding=encoding)
    except (DataSourceError, DataLayerError, UnicodeDecodeError, ValueError) as error:
        raise FileUnreadable(f"{path.name} cannot be read: {_plainly(error, path.name)}", place=path.name) from error
    return _Read(_with_geometry(path, frame), _tag(frame), enclaves=in_metadata(info["layer_metadata"]))


def _plainly(error: Exception, name: str) -> str:
    """What GDAL says, without our own paths and its advice to programmers."""
    words = str(error).split(" It might help")[0].rstrip(".;")
    return re.sub(r"'?/\S*(?:vsimem|gridbeat-)\S*'?", name, words)


def _refuse_curves(path: Path, layer: str | None) -> None:
    row = first_curved_row(path, layer) if path.suffix.lower() == ".gpkg" else None
    if row is not None:
        raise GeometryInvalid(
            f"{path.name}: row {row} is a curved shape; turn curves into straight pieces first (segmentize)",
            place=f"row {row}",
        )


def _layer(path: Path, listed: Any, layer_name: str | None) -> str | None:
    """The layer to read; attribute tables do not count."""
    names = [str(name) for name, kind in listed if kind is not None]
    if layer_name is not None and layer_name in names:
        return layer_name
    if len(names) == 1 and layer_name in {None, path.stem}:
        return None  # GeoJSON read from memory has a name of the moment
    held = ", ".join(names) or "none with shapes"
    told = "name one with --layer-name" if layer_name is None else f"there is no {layer_name}"
    raise FileUnreadable(f"{path.name} has the layers: {held}; {told}", place=layer_name or path.name, layers=names)


def _with_geometry(path: Path, frame: Any) -> Any:
    import geopandas

    if not isinstance(frame, geopandas.GeoDataFrame):
        raise FileUnreadable(f"{path.name} has no shapes, only a table", place=path.name)
    return frame


def _tag(frame: Any) -> Any:
    """The frame's CRS, None where the file has none or only a stand-in for none."""
    tag = getattr(frame, "crs", None)
    return None if tag is None or str(tag.name).lower().startswith(("undefined", "unknown")) else tag


def _read_shapefile(path: Path) -> _Read:
    if not path.with_suffix(".dbf").exists() and not path.with_suffix(".DBF").exists():
        raise FileUnreadable(
            f"{path.name} comes without its .dbf, which holds the codes; zip all parts together", place=path.name
        )
    read = _read_vector(path, path, None, encoding=BYTES)
    frame = read.frame
    texts = [column for column in frame.columns if column != "geometry" and frame[column].dtype.kind in "OTU"]
    values = [value for column in texts for value in frame[column] if isinstance(value, str)]
    encoding, note = encoding_of([*map(str, frame.columns), *values], declared_by(path), path.name)
    for column in texts:
        frame[column] = [decoded(value, encoding) if isinstance(value, str) else value for value in frame[column]]
    frame = frame.rename(columns={column: decoded(str(column), encoding) for column in frame.columns})
    return replace(read, frame=frame, notes=(note,) if note else ())


def _read_parquet(path: Path) -> _Read:
    import geopandas
    import pyarrow as pa
    import pyarrow.parquet

    try:
        frame = geopandas.read_parquet(path)
    except (ValueError, pa.ArrowException, OSError) as error:
        raise FileUnreadable(f"{path.name} is no GeoParquet file that can be read: {error}", place=path.name) from error
    kept = pa.parquet.read_schema(path).metadata
    return _Read(frame.reset_index(drop=True), _tag(frame), enclaves=in_metadata(kept))


def _shapes(frame: Any, chosen: Chosen) -> tuple[Geometries, list[str]]:
    """The shapes in WGS 84, two-dimensional, and notes; a shape with a coordinate that is no number becomes None, with a note."""
    import shapely

    shapes = np.array(frame.geometry.to_numpy(), dtype=object)
    high = int(np.count_nonzero(shapely.has_z(shapes)))
    notes = [f"height values dropped from {high} of {len(shapes)} shapes"] if high else []
    if high:
        shapes = shapely.force_2d(shapes)
    problems = shape_problems(shapes, chosen.datum)
    bad = np.flatnonzero(problems.astype(bool))
    for row in bad:
        if np.isfinite(shapely.get_coordinates(shapes[row])).all():
            raise _at_row(int(row), problems[row])
        notes.append(f"row {row + 1} has no usable shape: {problems[row].message}")
        shapes[row] = None
    return convert_geometry(shapes, chosen.datum), notes


def _at_row(row: int, problem: GridError) -> GridError:
    """The same refusal, naming the row."""
    hint = "; give the file's real coordinate system with --crs" if isinstance(problem, DatumContradiction) else ""
    return type(problem)(f"row {row + 1}: {problem.message}{hint}", place=f"row {row + 1}", **problem.details)
