"""Finding: a fault the topology check found, with its kind, its place and its size; the limits that make a size a fault.

The kinds are the contract's. Errors block loading and publishing, warnings do not. A gap somebody accepted (a real
enclave) stays in the list as `accepted`, is a warning and never counts against the partition.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final, Literal

import numpy as np
import shapely
from shapely.geometry.base import BaseGeometry

from gis.partition import Geometries

Severity = Literal["error", "warning"]

#: Overlaps and gaps above this are errors; below it they are slivers.
ERROR_M2: Final = 1.0
#: Overlaps and gaps up to this are rounding and not reported.
SLIVER_M2: Final = 0.0001
_POLYGON: Final = 3  # shapely's type id

ERRORS: Final = (
    "invalid",
    "duplicate_code",
    "overlap",
    "gap",
    "outside_parent",
    "crosses_parent",
    "unmatched_edge",
)
WARNINGS: Final = (
    "sliver",
    "size",
    "multipart",
    "duplicate_name",
    "reused_code",
    "compactness",
    "crosses_community",
)
KINDS: Final = ERRORS + WARNINGS
#: Faults of the file itself: no area, yet nothing can be trusted before they are mended.
_FIRST: Final = ("invalid", "duplicate_code")


@dataclass(frozen=True)
class Finding:
    """One fault: `kind`, how severe, which grids it concerns, how many m2, where (WGS 84), and a plain sentence.

    `grids` are codes; for a gap the neighbours around it. `area_m2` is geodesic and 0 for what has no area.
    """

    kind: str
    severity: Severity
    grids: tuple[str, ...]
    area_m2: float
    geometry: BaseGeometry | None
    message: str
    accepted: bool = False

    def as_json(self) -> dict[str, Any]:
        """The finding as the report file and HTTP write it; the geometry as GeoJSON or null."""
        return {
            "kind": self.kind,
            "severity": self.severity,
            "grids": list(self.grids),
            "area_m2": self.area_m2,
            "geometry": None if self.geometry is None else shapely.geometry.mapping(self.geometry),
            "message": self.message,
            "accepted": self.accepted,
        }

    def lon_lat(self) -> tuple[float, float] | None:
        """A place on the fault itself to look at (not the centre of its box), or None where it has no geometry."""
        if self.geometry is None or self.geometry.is_empty:
            return None
        point = self.geometry.representative_point()
        return float(point.x), float(point.y)


@dataclass(frozen=True)
class Limits:
    """Thresholds of the `size` warning; None switches one off. Areas in m2, households as counted per code."""

    min_area_m2: float | None = None
    max_area_m2: float | None = None
    min_households: int | None = None
    max_households: int | None = None


def has_errors(findings: Iterable[Finding]) -> bool:
    """True when a finding blocks loading and publishing."""
    return any(finding.severity == "error" and not finding.accepted for finding in findings)


def summary(findings: Iterable[Finding]) -> dict[str, int]:
    """How many findings of each kind there are, accepted ones included; kinds without one are left out, in KINDS order."""
    counted = Counter(finding.kind for finding in findings)
    return {kind: counted[kind] for kind in KINDS if counted[kind]}


def ordered(findings: Iterable[Finding]) -> list[Finding]:
    """The findings, most severe and largest first; the order depends on nothing but the findings."""
    return sorted(findings, key=_rank)


def _rank(finding: Finding) -> tuple[Any, ...]:
    return (
        finding.accepted,
        finding.severity != "error",
        finding.kind not in _FIRST,
        -finding.area_m2,
        KINDS.index(finding.kind),
        finding.grids,
        finding.message,
    )


def m2_text(m2: float) -> str:
    """An area as a sentence says it: whole m2 from 100, two digits below 1."""
    return f"{m2:,.0f} m2" if m2 >= 100 else f"{m2:.2g} m2" if m2 < 1 else f"{m2:.1f} m2"


def polygonal(geometry: BaseGeometry | None) -> BaseGeometry:
    """Only the polygons of a geometry: lines and points that an overlay left behind are gone; may be empty."""
    if geometry is None:
        return shapely.MultiPolygon()
    if geometry.geom_type in {"Polygon", "MultiPolygon"}:
        return geometry
    parts = shapely.get_parts(shapely.get_parts(geometry))  # an overlay's polygons do not overlap: no union is needed
    return shapely.multipolygons(parts[shapely.get_type_id(parts) == _POLYGON])


def polygonal_each(geometries: Geometries) -> Geometries:
    """`polygonal` of every element."""
    out = np.empty(len(geometries), dtype=object)
    out[:] = [polygonal(geometry) for geometry in geometries]
    return out
