"""Faults of single grids: a shape that is none, a code or name that stands twice, a size beyond the limits."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Container, Mapping, Sequence
from typing import Final

import numpy as np
import numpy.typing as npt
import shapely
from shapely.errors import GEOSException
from shapely.geometry.base import BaseGeometry

from gis.crs import area_m2
from gis.findings import Finding, Limits, m2_text, polygonal
from gis.partition import Geometries

Rows = npt.NDArray[np.intp]

_POLYGONAL: Final = frozenset({"Polygon", "MultiPolygon"})
_WHERE = re.compile(r"^(?P<reason>[^\[]*)\[(?P<lon>\S+) (?P<lat>[^\s\]]+)")
#: GEOS's reasons in words that say what to look for.
_PLAIN: Final = {
    "Ring Self-intersection": "its border touches itself",
    "Self-intersection": "its border crosses itself",
    "Hole lies outside shell": "a hole lies outside its border",
    "Holes are nested": "a hole lies in another hole",
    "Interior is disconnected": "holes cut it into separate pieces",
    "Nested shells": "one part lies inside another",
    "Duplicate Rings": "a ring stands twice",
    "Too few points in geometry component": "a ring has fewer than three different points",
    "Ring is not closed": "a ring is not closed",
}


def usable(
    codes: Sequence[str], geometry: Sequence[BaseGeometry | None] | Geometries
) -> tuple[Rows, Geometries, list[Finding]]:
    """Row numbers (0-based) and shapes that can be checked further, and an `invalid` finding for each that had to be mended or dropped."""
    rows: list[int] = []
    shapes: list[BaseGeometry] = []
    found: list[Finding] = []
    for row, shape in enumerate(geometry):
        fault = _unusable(shape)
        if fault is None and shape is not None and not shapely.is_valid(shape):
            found.append(_broken(codes[row], row, shape))
            shape = mended(shape)
            fault = None if shape is not None else ""
        if fault is None and shape is not None:
            rows.append(row)
            shapes.append(shapely.force_2d(shape))
        elif fault:
            found.append(
                Finding("invalid", "error", (codes[row],), 0.0, _drawn(shape), f"{_name(codes[row], row)} {fault}")
            )
    out = np.empty(len(shapes), dtype=object)
    out[:] = shapes
    return np.array(rows, dtype=np.intp), out, found


def mended(shape: BaseGeometry) -> BaseGeometry | None:
    """The polygons that a broken shape most likely meant (GEOS `make_valid`, structure method), or None where nothing is left."""
    try:
        valid = polygonal(shapely.make_valid(shape, method="structure", keep_collapsed=False))
    except GEOSException:
        return None
    return None if valid.is_empty else valid


def _unusable(shape: BaseGeometry | None) -> str | None:
    """Why a shape is no polygon at all, or None."""
    if shape is None:
        return "has no geometry"
    if shape.is_empty:
        return f"has an empty geometry ({shape.geom_type})"
    if shape.geom_type not in _POLYGONAL:
        return f"is a {shape.geom_type}, not a polygon"
    if not np.isfinite(shapely.get_coordinates(shape)).all():
        return "has a coordinate that is not a number"  # without it nobody knows the shape
    return None


def _drawn(shape: BaseGeometry | None) -> BaseGeometry | None:
    if shape is None or shape.is_empty or not np.isfinite(shapely.get_coordinates(shape)).all():
        return None
    return shapely.force_2d(shape)


def _name(code: str, row: int) -> str:
    return f"{code} (row {row + 1})"


def _broken(code: str, row: int, shape: BaseGeometry) -> Finding:
    said = str(shapely.is_valid_reason(shape))
    match = _WHERE.match(said)
    reason = match["reason"].strip() if match else said
    place = shapely.Point(float(match["lon"]), float(match["lat"])) if match else None
    where = f" at {place.x:.7f}, {place.y:.7f}" if place is not None else ""
    return Finding("invalid", "error", (code,), 0.0, place, f"{_name(code, row)}: {_PLAIN.get(reason, reason)}{where}")


def duplicates(codes: Sequence[str], rows: Rows | None = None, shapes: Geometries | None = None) -> list[Finding]:
    """A `duplicate_code` for each code that stands more than once, with the rows (1-based)."""
    held: dict[str, list[int]] = defaultdict(list)
    for row, code in enumerate(codes):
        held[code].append(row)
    return [
        Finding(
            "duplicate_code",
            "error",
            (code,),
            0.0,
            _spots(at, rows, shapes),
            f"code {code} stands {len(at)} times: {_rows(at)}",
        )
        for code, at in held.items()
        if len(at) > 1
    ]


def same_names(codes: Sequence[str], names: Sequence[str], rows: Rows, shapes: Geometries) -> list[Finding]:
    """A `duplicate_name` for each name that several grids bear; blank names are no names."""
    held: dict[str, list[int]] = defaultdict(list)
    for row, name in enumerate(names):
        if name.strip():
            held[name.strip()].append(row)
    return [
        Finding(
            "duplicate_name",
            "warning",
            tuple(sorted({codes[row] for row in at}, key=str.encode)),
            0.0,
            _spots(at, rows, shapes),
            f"{len(at)} grids are called {name}: {_rows(at)}",
        )
        for name, at in held.items()
        if len(at) > 1
    ]


def reused(codes: Sequence[str], voided: Container[str], rows: Rows, shapes: Geometries) -> list[Finding]:
    """A `reused_code` for each code that was voided before."""
    return [
        Finding(
            "reused_code",
            "warning",
            (code,),
            0.0,
            _spots([row], rows, shapes),
            f"code {code} was voided earlier and is used again",
        )
        for row, code in enumerate(codes)
        if code in voided
    ]


def _rows(at: Sequence[int]) -> str:
    return "rows " + ", ".join(str(row + 1) for row in at[:10]) + (" ..." if len(at) > 10 else "")


def _spots(at: Sequence[int], rows: Rows | None, shapes: Geometries | None) -> BaseGeometry | None:
    """An inner point of each of these rows' shapes."""
    if rows is None or shapes is None:
        return None
    chosen = shapes[np.isin(rows, at)]
    return shapely.multipoints(shapely.point_on_surface(chosen)) if len(chosen) else None


def multipart(codes: Sequence[str], shapes: Geometries) -> list[Finding]:
    """A `multipart` for each grid of several pieces, showing all pieces but the largest."""
    found = []
    for i in np.flatnonzero(shapely.get_num_geometries(shapes) > 1).tolist():
        parts = shapely.get_parts(shapes[i])
        sizes_m2 = area_m2(parts)
        lesser = np.delete(parts, int(np.argmax(sizes_m2)))
        m2 = float(sizes_m2.sum() - sizes_m2.max())
        message = f"{codes[i]} has {len(parts)} separate parts; all but the largest make {m2_text(m2)}"
        found.append(Finding("multipart", "warning", (codes[i],), m2, shapely.multipolygons(lesser), message))
    return found


def sizes(
    codes: Sequence[str], shapes: Geometries, limits: Limits, households: Mapping[str, int] | None
) -> list[Finding]:
    """A `size` for each grid below or above a given limit; without limits none."""
    if limits == Limits() or not len(shapes):
        return []
    found = []
    for code, shape, m2 in zip(codes, shapes, area_m2(shapes), strict=True):
        faults = _beyond(float(m2), limits.min_area_m2, limits.max_area_m2, "m2")
        if households is not None and code in households:
            faults += _beyond(households[code], limits.min_households, limits.max_households, "households")
        found += [Finding("size", "warning", (code,), float(m2), shape, f"{code} has {fault}") for fault in faults]
    return found


def _beyond(value: float, low: float | None, high: float | None, unit: str) -> list[str]:
    below = [f"{value:,.0f} {unit}, less than {low:,.0f}"] if low is not None and value < low else []
    return below + ([f"{value:,.0f} {unit}, more than {high:,.0f}"] if high is not None and value > high else [])
