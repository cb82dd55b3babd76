"""A proposal that mends a partition: overlaps given to one grid, gaps to a neighbour, borders matched vertex for vertex.

Nothing is silent: every grid that changes is listed with its m2 before and after and what for, and the result is
checked again, so what remains is listed too. Somebody has to say yes; no other module calls this on its own.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import pyproj
import shapely
from shapely.geometry.base import BaseGeometry

from gis.crs import area_m2
from gis.findings import SLIVER_M2, Finding, m2_text, polygonal, polygonal_each
from gis.partition import Geometries
from gis.shapes import Rows, usable
from gis.topology import Mode, check_raw, gaps_in

#: Vertices nearer than this (degrees, about 1 mm) become one; the next are tried where borders still do not match.
_SNAPS: Final = (1e-8, 1e-9, 1e-7)
_WIDE_M: Final = 20.0  # a gap of this mean width (twice its area by its border) is hardly a slip of the pen
_DETAIL: Final = 4


@dataclass(frozen=True)
class Change:
    """What the proposal does to one grid: `row` is 0-based; areas in m2; `symmetric_difference_m2` is the ground that changes side."""

    code: str
    row: int
    before_m2: float
    after_m2: float
    symmetric_difference_m2: float
    why: tuple[str, ...]

    def as_json(self) -> dict[str, Any]:
        """The change as a report writes it."""
        return {
            "code": self.code,
            "row": self.row + 1,
            "before_m2": self.before_m2,
            "after_m2": self.after_m2,
            "symmetric_difference_m2": self.symmetric_difference_m2,
            "why": list(self.why),
        }


@dataclass(frozen=True)
class Repair:
    """A proposal: `geometry[i]` is the new shape of row i (the very same object where nothing changes).

    `changes`: largest first. `doubtful`: gaps that were filled though they look like real places. `left_open`: gaps as
    large as a grid, that only a person can judge. `remaining`: the findings of the proposal itself.
    """

    geometry: Geometries
    changes: tuple[Change, ...]
    doubtful: tuple[Finding, ...]
    left_open: tuple[Finding, ...]
    remaining: tuple[Finding, ...]


def repair(
    codes: Sequence[str],
    geometry: Sequence[BaseGeometry | None] | Geometries,
    *,
    names: Sequence[str] = (),
    enclaves: Sequence[tuple[float, float]] = (),
    mode: Mode = "partition",
    fill_up_to_m2: float | None = None,
) -> Repair:
    """A proposal in which what can be mended without judgement is mended (see Repair); rows without a polygon stay as they are.

    Broken rings are made valid, then `shapely.coverage_clean` gives an overlap to the grid with the longest border on it and a
    gap to its neighbour with the longest. Gaps at an `enclaves` place (lon, lat) stay open, and so do gaps larger than
    `fill_up_to_m2`: default the median grid, since a hole as large as a grid is no slip of the pen.
    """
    before = check_raw(codes, geometry, enclaves=enclaves, mode=mode)
    rows, shapes, _ = usable(codes, geometry)
    held = [codes[row] for row in rows]
    gaps = gaps_in(held, shapes, enclaves) if mode == "partition" else []
    limit = _limit(shapes, fill_up_to_m2)
    closed = [gap for gap in gaps if not gap.accepted and gap.area_m2 <= limit]
    left_open = [gap for gap in gaps if not gap.accepted and gap.area_m2 > limit]
    kept_open = [gap.geometry for gap in gaps if gap.accepted or gap.area_m2 > limit]
    mended = _cleaned(shapes, [shape for shape in kept_open if shape is not None], fill=mode == "partition")
    proposal = _proposed(geometry, rows, mended)
    return Repair(
        geometry=proposal,
        changes=tuple(_changes(codes, geometry, rows, shapes, proposal, before)),
        doubtful=tuple(gap for gap in closed if _mean_width_m(gap.geometry) >= _WIDE_M),
        left_open=tuple(left_open),
        remaining=tuple(check_raw(codes, proposal, names=names, enclaves=enclaves, mode=mode)),
    )


def _limit(shapes: Geometries, fill_up_to_m2: float | None) -> float:
    if fill_up_to_m2 is not None:
        return fill_up_to_m2
    return float(np.median(area_m2(shapes))) if len(shapes) else 0.0


def _cleaned(shapes: Geometries, kept_open: Sequence[BaseGeometry], *, fill: bool) -> Geometries:
    """The shapes as a valid coverage. Gaps that stay open take part as polygons of their own, so nobody swallows them."""
    if not len(shapes):
        return shapes
    everything = np.empty(len(shapes) + len(kept_open), dtype=object)
    everything[:] = [*shapes, *kept_open]
    west, south, east, north = shapely.total_bounds(everything)
    width = float(np.hypot(east - west, north - south)) if fill else 0.0
    cleaned = shapes
    for snap in _SNAPS:
        result = shapely.coverage_clean(everything, gap_width=width, snapping_distance=snap)
        cleaned = polygonal_each(result[: len(shapes)])
        if shapely.coverage_is_valid(cleaned) and bool(shapely.is_valid(cleaned).all()):
            break
    return cleaned


def _proposed(geometry: Sequence[BaseGeometry | None] | Geometries, rows: Rows, mended: Geometries) -> Geometries:
    """All rows: the new shape where it differs from what stood there, else the object that stood there."""
    proposal = np.empty(len(geometry), dtype=object)
    proposal[:] = list(geometry)
    for row, shape in zip(rows, mended, strict=True):
        if not _same(geometry[row], shape):
            proposal[row] = shape
    return proposal


def _same(left: BaseGeometry | None, right: BaseGeometry) -> bool:
    """True when both have the same rings vertex for vertex, wherever they begin and whichever way they run."""
    if left is None or left.geom_type not in {"Polygon", "MultiPolygon"} or left.has_z:
        return False
    parts = [shapely.normalize(shapely.multipolygons(shapely.get_parts(shape))) for shape in (left, right)]
    return bool(shapely.equals_exact(parts[0], parts[1], 0.0))


def _changes(
    codes: Sequence[str],
    geometry: Sequence[BaseGeometry | None] | Geometries,
    rows: Rows,
    shapes: Geometries,
    proposal: Geometries,
    findings: Iterable[Finding],
) -> list[Change]:
    """One Change per row whose shape is another, the largest first. Areas before are those of the made-valid shape."""
    told: Mapping[str, list[Finding]] = _by_grid(findings)
    found = []
    for row, shape in zip(rows, shapes, strict=True):
        after = proposal[row]
        if after is geometry[row]:
            continue
        moved = polygonal(shapely.symmetric_difference(shape, after))
        before_m2, after_m2, moved_m2 = (float(m2) for m2 in area_m2(np.array([shape, after, moved], dtype=object)))
        why = _why(codes[row], told.get(codes[row], []), shape, moved)
        found.append(Change(codes[row], int(row), before_m2, after_m2, moved_m2, why))
    return sorted(found, key=lambda change: (-change.symmetric_difference_m2, change.row))


def _by_grid(findings: Iterable[Finding]) -> dict[str, list[Finding]]:
    held: dict[str, list[Finding]] = defaultdict(list)
    for finding in findings:
        for code in finding.grids:
            held[code].append(finding)
    return held


def _why(code: str, findings: Sequence[Finding], before: BaseGeometry, moved: BaseGeometry) -> tuple[str, ...]:
    """What the change is for, in words; the largest areas first, the rest counted."""
    kinds = {finding.kind for finding in findings}
    reasons = ["broken ring made valid"] if "invalid" in kinds else []
    areas = sorted(_shares(findings, moved), key=lambda share: -share[0])
    for m2, finding, piece in areas[:_DETAIL]:
        inside = bool(shapely.intersects(before, shapely.point_on_surface(piece)))  # it was this grid's: now it is not
        others = ", ".join(other for other in finding.grids if other != code)
        reasons.append(
            f"gives {m2_text(m2)} of an overlap to {others}"
            if inside
            else f"takes {m2_text(m2)} that belonged to nobody"
        )
    if len(areas) > _DETAIL:
        rest = sum(m2 for m2, _, _ in areas[_DETAIL:])
        reasons.append(f"{len(areas) - _DETAIL} smaller overlaps and gaps, {m2_text(rest)}")
    if not reasons or (not areas and "unmatched_edge" in kinds):
        reasons.append("border matched to its neighbours' vertices")
    return tuple(reasons)


def _shares(findings: Sequence[Finding], moved: BaseGeometry) -> list[tuple[float, Finding, BaseGeometry]]:
    """How many m2 of each overlap and gap changed side, where any did, and the ground: its own m2 by the share (in degrees)."""
    held = [f for f in findings if f.kind in {"overlap", "gap", "sliver"} and f.geometry is not None and not f.accepted]
    if not held:
        return []
    grounds = np.array([finding.geometry for finding in held], dtype=object)
    pieces = shapely.intersection(grounds, moved)
    m2 = np.array([finding.area_m2 for finding in held]) * shapely.area(pieces) / shapely.area(grounds)
    return [(float(m2[i]), held[i], pieces[i]) for i in np.flatnonzero(m2 > SLIVER_M2 / 2).tolist()]


def _mean_width_m(shape: BaseGeometry | None) -> float:
    """Twice the area by the length of the border: the width of a strip, the radius of a disc."""
    if shape is None:
        return 0.0
    area, border = pyproj.Geod(ellps="WGS84").geometry_area_perimeter(shapely.normalize(shape))
    return 2.0 * abs(area) / border if border else 0.0
