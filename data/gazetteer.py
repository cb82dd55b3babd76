"""Gazetteer files: tables of named points, shapes with names (OpenStreetMap roads and buildings), the demo town -> entries.

The same fields are looked for in both: columns of a table, properties of a shape. What cannot be used is rejected with its row
number and the reason; shapes without any name (most pieces of road) are only counted.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import shapely

from data.batch import rejection
from data.gazetteerfields import ADMIN, HEADINGS, kind_of_row, text_of
from data.headings import columns_by_heading
from data.readers import FORMATS
from data.rowchunk import Rejection, RowChunk
from data.tables import Table
from gis.addresswords import normalised
from gis.crs import Datum, one_to_storage, parse_datum
from gis.errors import CoordinateInvalid, FieldMissing, GeometryInvalid, GridError, ParameterInvalid
from gis.gazetteer import KINDS, Entry

#: The longest name that can be a name.
LONGEST_NAME = 200
_LIST = re.compile(r"[;；、|,，]")
_SHAPES = ("Point", "LineString", "MultiLineString", "Polygon", "MultiPolygon", "MultiPoint")


@dataclass(frozen=True)
class GazetteerPlan:
    """Which column feeds which field, which columns are admin names (widest first), constants, the datum, what the source is called."""

    columns: Mapping[str, str]
    admin: tuple[str, ...]
    constants: Mapping[str, Any]
    datum: Datum
    source: str


@dataclass
class GazetteerLoaded:
    """What became of a file: entries by kind, rows rejected, shapes without a name; in a dry run, what would."""

    rows: int = 0
    entries: list[Entry] = field(default_factory=list)
    rejected: int = 0
    nameless: int = 0
    version: int | None = None

    @property
    def kinds(self) -> Counter[str]:
        """How many entries there are of each kind."""
        return Counter(entry.kind for entry in self.entries)


def plan_gazetteer(
    names: Sequence[str],
    source: str,
    *,
    mapped: Mapping[str, str] | None = None,
    constants: Mapping[str, Any] | None = None,
    datum: Datum | None = None,
    position: tuple[str, str] | None = None,
) -> GazetteerPlan:
    """The plan for a file with these columns; ParameterInvalid for a field or column that is not there, FieldMissing without any name."""
    found = columns_by_heading(names, HEADINGS)
    if position is not None:
        found["lon"], found["lat"] = position
    columns = found | _checked(mapped or {}, names)
    for name in constants or {}:
        if name not in HEADINGS and name != "admin":
            raise ParameterInvalid(f"--set {name}: a gazetteer has {', '.join(HEADINGS)}", place=name)
    if (constants or {}).get("kind", "poi") not in KINDS:
        raise ParameterInvalid(f"--set kind= is one of {', '.join(KINDS)}", place="kind")
    if not {"name", "address", "number"} & columns.keys():
        raise FieldMissing(f"the file needs a column name or address; it has {', '.join(names)}", place="name")
    folded = {name.strip().lower(): name for name in reversed(names)}
    admin = tuple(folded[heading] for headings in ADMIN for heading in headings if heading in folded)
    return GazetteerPlan(columns, admin, dict(constants or {}), datum or parse_datum("wgs84"), source)


def _checked(mapped: Mapping[str, str], names: Sequence[str]) -> dict[str, str]:
    for name, column in mapped.items():
        if name not in HEADINGS:
            raise ParameterInvalid(f"--map {name}={column}: a gazetteer has {', '.join(HEADINGS)}", place=name)
        if column not in names:
            raise ParameterInvalid(f"--map {name}={column}: no such column; there are {', '.join(names)}", place=column)
    return dict(mapped)


def has_shapes(path: Path) -> bool:
    """Whether a file holds shapes of any type, to be read whole, rather than rows with columns of a place."""
    if path.suffix.lower() not in {".parquet", ".geoparquet", ".pq"}:
        return path.suffix.lower() in FORMATS
    import pyarrow.parquet

    return b"geo" in (pyarrow.parquet.read_schema(path).metadata or {})


def table_entries(
    table: Table,
    plan: GazetteerPlan,
    *,
    on_rejected: Callable[[list[Rejection]], None] = lambda _: None,
    on_progress: Callable[[int], None] = lambda _: None,
) -> GazetteerLoaded:
    """The entries of a table of points."""
    loaded = GazetteerLoaded()
    for chunk in table.chunks:
        refused = [*chunk.rejected, *_take(loaded, _numbered(chunk), plan)]
        loaded.rows += len(chunk.numbers) + len(chunk.rejected)
        loaded.rejected += len(refused)
        on_rejected(sorted(refused, key=lambda one: one.row))
        on_progress(loaded.rows)
    return loaded


def shape_entries(
    rows: Iterable[Mapping[str, Any]],
    shapes: Sequence[Any],
    plan: GazetteerPlan,
    *,
    on_rejected: Callable[[list[Rejection]], None] = lambda _: None,
) -> GazetteerLoaded:
    """The entries of shapes with properties; `shapes` are in WGS 84, None where there is none."""
    loaded = GazetteerLoaded()
    refused = _take(loaded, ((n, row, shape) for n, (row, shape) in enumerate(zip(rows, shapes, strict=True), 1)), plan)
    loaded.rows = len(shapes)
    loaded.rejected = len(refused)
    on_rejected(refused)
    return loaded


_NO_SHAPE = object()


def _numbered(chunk: RowChunk) -> Iterator[tuple[int, Mapping[str, Any], Any]]:
    return ((number, row, _NO_SHAPE) for number, row in zip(chunk.numbers, chunk.rows, strict=True))


def _take(
    loaded: GazetteerLoaded, rows: Iterable[tuple[int, Mapping[str, Any], Any]], plan: GazetteerPlan
) -> list[Rejection]:
    refused: list[Rejection] = []
    for number, row, shape in rows:
        told = dict(plan.constants) | {
            name: row[column] for name, column in plan.columns.items() if text_of(row.get(column))
        }
        if shape is not _NO_SHAPE and not (text_of(told.get("name")) or _address(told)):
            loaded.nameless += 1
            continue
        try:
            loaded.entries.append(_entry(told, row, shape, plan))
        except GridError as error:
            refused.append(rejection(number, error, row))
    return refused


def _entry(told: Mapping[str, Any], row: Mapping[str, Any], shape: Any, plan: GazetteerPlan) -> Entry:
    address = _address(told)
    name = text_of(told.get("name")) or address
    if not name:
        raise FieldMissing("the row has no name and no address", place="name")
    if len(name) > LONGEST_NAME:
        raise ParameterInvalid(f"the name has {len(name)} characters; at most {LONGEST_NAME} are kept", place="name")
    if not normalised(name):
        raise ParameterInvalid(f"the name has no letter and no digit that could be looked for: {name}", place="name")
    geometry = _point(told, plan.datum) if shape is _NO_SHAPE else _usable(shape)
    aliases = [part.strip() for part in _LIST.split(text_of(told.get("aliases"))) if part.strip()]
    return Entry(
        name=name,
        kind=kind_of_row(told, name, geometry.geom_type),
        geometry=geometry,
        admin=_admin(told, row, plan),
        aliases=tuple(alias for alias in dict.fromkeys(aliases) if normalised(alias)),
        address=address,
        external_id=text_of(told.get("external_id")) or None,
        source=plan.source,
        radius_m=_radius(told.get("radius_m")),
    )


def _address(told: Mapping[str, Any]) -> str:
    """The row's address, or what OpenStreetMap keeps in two properties; "" for one that says nothing, such as a dash."""
    whole = text_of(told.get("address"))
    if normalised(whole):
        return whole[:LONGEST_NAME]
    street, number = text_of(told.get("street")), text_of(told.get("number"))
    if not street or not number:
        return ""
    return f"{street}{number}" if number[-1] in "号弄室" else f"{street}{number}号"


def _admin(told: Mapping[str, Any], row: Mapping[str, Any], plan: GazetteerPlan) -> tuple[str, ...]:
    """The admin names of a row, widest first: one column of all, or a column each."""
    whole = [part.strip() for part in re.split(r"[/>;,，、\s]+", text_of(told.get("admin"))) if part.strip()]
    single = [text_of(row.get(column)) for column in plan.admin]
    return tuple(dict.fromkeys(name for name in (*whole, *single) if normalised(name)))


def _point(told: Mapping[str, Any], datum: Datum) -> Any:
    given = [told.get("lon"), told.get("lat")]
    if any(text_of(value) == "" for value in given):
        raise FieldMissing("the row has no place: lon and lat are needed", place="lon")
    try:
        x, y = (float(value) for value in given)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        raise CoordinateInvalid(f"lon and lat are numbers, not {given[0]} and {given[1]}", place="lon") from None
    return shapely.Point(*one_to_storage(x, y, datum))


def _usable(shape: Any) -> Any:
    if shape is None or shapely.is_empty(shape):
        raise FieldMissing("the row has no place: its shape is empty", place="geometry")
    if shape.geom_type not in _SHAPES:
        raise GeometryInvalid(f"a {shape.geom_type} has no single place", place="geometry")
    return shapely.make_valid(shape) if shape.geom_type.endswith("Polygon") else shape


def _radius(value: Any) -> float | None:
    if text_of(value) == "":
        return None
    try:
        metres = float(value)
    except (TypeError, ValueError):
        metres = math.nan
    if not 0.0 < metres <= 100_000.0:
        raise ParameterInvalid("radius_m is metres above 0", place="radius_m")
    return metres
