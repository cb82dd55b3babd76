"""Street files: lines of roads, as OpenStreetMap's, become the streets that patrols are measured against."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import shapely

from data.gazetteerfields import text_of
from data.headings import columns_by_heading
from data.readers import read_shapes
from data.rowchunk import Rejection
from gis.errors import FileUnreadable
from gis.store.visits import NewStreet

HEADINGS: Final[dict[str, tuple[str, ...]]] = {
    "name": ("name", "名称", "路名", "道路名称"),
    "kind": ("highway", "fclass", "kind", "类别", "类型"),
    "external_id": ("external_id", "osm_id", "@id", "id", "编号", "编码"),
}
_LINES: Final = ("LineString", "MultiLineString")


@dataclass(frozen=True)
class StreetFile:
    """The streets of a file, the rows that are none, and notes of what was done."""

    rows: int
    streets: list[NewStreet] = field(default_factory=list)
    rejected: list[Rejection] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def length_m(self) -> float:
        """Metres of street in all."""
        return sum(street.length_m for street in self.streets)


def read_streets_file(path: Path, *, layer_name: str | None = None, crs: str | None = None) -> StreetFile:
    """The lines of a file of shapes, in WGS 84; what is no line is rejected with its row. Raises what `read_shapes` raises.

    An external id that several rows share (pieces of one road) is kept by none of them.
    """
    frame, shapes, _, notes = read_shapes(path, layer_name=layer_name, crs=crs)
    columns = columns_by_heading([str(name) for name in frame.columns], HEADINGS)
    rows = frame.drop(columns=frame.geometry.name).to_dict("records")
    found = StreetFile(len(rows), notes=list(notes))
    ids = [text_of(row.get(columns.get("external_id", ""))) for row in rows]
    repeated = {one for one, count in Counter(ids).items() if count > 1}
    for number, (row, shape, own) in enumerate(zip(rows, shapes, ids, strict=True), start=1):
        length_m = _length_m(shape)
        if length_m <= 0.0:
            reason = "the row is no line: streets are lines with a length"
            found.rejected.append(Rejection(number, "geometry-invalid", reason, dict(row)))
        else:
            found.streets.append(_street(row, columns, shape, length_m, None if own in repeated or not own else own))
    if not found.streets:
        raise FileUnreadable(f"{path.name} has no lines that could be streets", place=path.name)
    return found


def _length_m(shape: Any) -> float:
    if shape is None or shape.geom_type not in _LINES or shapely.is_empty(shape):
        return 0.0
    from pyproj import Geod

    return float(Geod(ellps="WGS84").geometry_length(shapely.force_2d(shape)))


def _street(
    row: Mapping[str, Any], columns: Mapping[str, str], shape: Any, length_m: float, external_id: str | None
) -> NewStreet:
    name, kind = (text_of(row.get(columns.get(field_, ""))) for field_ in ("name", "kind"))
    return NewStreet(shape, length_m, name, kind, external_id)
