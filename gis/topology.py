"""Is it a partition? Overlaps, gaps, slivers, unmatched edges and the faults of single grids: where, and how many m2.

`check` takes a Partition; `check_raw` takes what a reader brought (codes may repeat, shapes may be broken, empty or
missing). A broken shape is reported once and then checked in its made-valid form, so one fault does not hide the others.
Mode `partition` (general, micro, unit): gaps count. Mode `overlay` (dedicated, frontage): gaps are natural and not sought.
"""

from __future__ import annotations

from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
import numpy.typing as npt
import shapely
from shapely.geometry.base import BaseGeometry

from gis.crs import area_m2
from gis.edges import unmatched_edges
from gis.findings import (
    ERROR_M2,
    KINDS,
    SLIVER_M2,
    Finding,
    Limits,
    Severity,
    has_errors,
    m2_text,
    ordered,
    polygonal_each,
    summary,
)
from gis.hierarchy import parent_findings
from gis.partition import Geometries, Partition
from gis.shapes import duplicates, multipart, reused, same_names, sizes, usable

__all__ = [
    "KINDS",
    "Finding",
    "Limits",
    "Mode",
    "check",
    "check_raw",
    "gaps_in",
    "has_errors",
    "mode_of",
    "neighbours_of",
    "ordered",
    "summary",
    "unused_enclaves",
]

Mode = Literal["partition", "overlay"]
_OVERLAYS: Final = frozenset({"dedicated", "frontage"})
_TOUCH: Final = 1e-9  # degrees, about 0.1 mm: what still touches after overlay rounded a crossing
_NAMED: Final = 6  # a message names so many grids and counts the rest


def mode_of(layer: str) -> Mode:
    """The mode a layer is checked in: `overlay` for dedicated and frontage, else `partition`."""
    return "overlay" if layer in _OVERLAYS else "partition"


def check(
    partition: Partition,
    *,
    parents: Partition | None = None,
    parent_of: Mapping[str, str] | None = None,
    enclaves: Sequence[tuple[float, float]] = (),
    limits: Limits = Limits(),  # noqa: B008 - frozen
    households: Mapping[str, int] | None = None,
    codes: Sequence[str] | None = None,
    voided: Container[str] = (),
    mode: Mode | None = None,
) -> list[Finding]:
    """Every fault of a partition, most severe and largest first; empty when there is none.

    `enclaves` are (lon, lat) of gaps that are meant. `codes`: all codes as they stood in the source, repeats included,
    when they differ from the partition's. `mode` defaults to the layer's. See `check_raw` for the rest.
    """
    found = check_raw(
        partition.codes,
        partition.geometry,
        names=partition.names,
        parents=parents,
        parent_of=parent_of,
        enclaves=enclaves,
        limits=limits,
        households=households,
        voided=voided,
        mode=mode or mode_of(partition.layer),
    )
    return found if codes is None else ordered([*found, *duplicates(codes)])


def check_raw(
    codes: Sequence[str],
    geometry: Sequence[BaseGeometry | None] | Geometries,
    *,
    names: Sequence[str] = (),
    parents: Partition | None = None,
    parent_of: Mapping[str, str] | None = None,
    enclaves: Sequence[tuple[float, float]] = (),
    limits: Limits = Limits(),  # noqa: B008 - frozen
    households: Mapping[str, int] | None = None,
    voided: Container[str] = (),
    mode: Mode = "partition",
) -> list[Finding]:
    """Every fault of raw rows `codes[i]`, `geometry[i]` (WGS 84; any type, None, empty, 3D), most severe and largest first.

    `parents` with `parent_of` (code -> parent code) checks each grid against the parent it names; without `parent_of`
    against the parent it mostly lies in. `voided` are codes that were used once and may not come back.
    """
    rows, shapes, found = usable(codes, geometry)
    held = tuple(codes[row] for row in rows)
    found += duplicates(codes, rows, shapes)
    found += same_names(codes, names, rows, shapes)
    found += reused(codes, voided, rows, shapes)
    found += multipart(held, shapes)
    found += sizes(held, shapes, limits, households)
    found += _together(held, shapes, enclaves, mode)
    if parents is not None:
        found += parent_findings(held, shapes, parents, parent_of, lenient=mode == "overlay")
    return ordered(found)


def gaps_in(codes: Sequence[str], shapes: Geometries, enclaves: Sequence[tuple[float, float]] = ()) -> list[Finding]:
    """The gaps (and sliver gaps) between valid polygons, accepted ones marked; nothing else is checked."""
    if not len(shapes):
        return []
    flagged = ~shapely.is_empty(shapely.coverage_invalid_edges(shapes))
    return [_gap_finding(codes, area, enclaves) for area in _gaps(shapes, flagged, shapely.STRtree(shapes))]


def unused_enclaves(findings: Sequence[Finding], enclaves: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """The accepted places that lie in no gap: most likely a slip of the pen."""
    accepted = [finding.geometry for finding in findings if finding.accepted]
    return [place for place in enclaves if not any(shapely.covers(gap, shapely.Point(place)) for gap in accepted)]


@dataclass(frozen=True)
class _Area:
    """A piece of ground that belongs to two grids or to none."""

    shape: BaseGeometry
    m2: float
    grids: tuple[int, ...]


def _together(
    codes: Sequence[str], shapes: Geometries, enclaves: Sequence[tuple[float, float]], mode: Mode
) -> list[Finding]:
    """Overlaps, gaps and unmatched edges: what is wrong between grids that may each be right."""
    if not len(shapes):
        return []
    flags = shapely.coverage_invalid_edges(shapes)
    flagged = ~shapely.is_empty(flags)
    tree = shapely.STRtree(shapes)
    overlaps = _overlaps(shapes, flagged, tree)
    gaps = _gaps(shapes, flagged, tree) if mode == "partition" else []
    explaining = [area.shape for area in (*overlaps, *gaps) if area.m2 > ERROR_M2]
    return [
        *(_overlap_finding(codes, area) for area in overlaps),
        *(_gap_finding(codes, area, enclaves) for area in gaps),
        *unmatched_edges(codes, flags, explaining),
    ]


def _overlaps(shapes: Geometries, flagged: npt.NDArray[np.bool_], tree: shapely.STRtree) -> list[_Area]:
    """Every pair that shares ground. Of such a pair GEOS flags at least one (of a nested pair only the inner one)."""
    suspects = np.flatnonzero(flagged)
    if not len(suspects):
        return []
    left, right = tree.query(shapes[suspects], predicate="intersects")
    pairs = np.unique(np.sort(np.column_stack((suspects[left], right)), axis=1), axis=0)
    pairs = pairs[pairs[:, 0] != pairs[:, 1]]
    shared = shapely.intersection(shapes[pairs[:, 0]], shapes[pairs[:, 1]])
    solid = shapely.area(shared) > 0
    return _areas(polygonal_each(shared[solid]), [(int(a), int(b)) for a, b in pairs[solid]])


def _gaps(shapes: Geometries, flagged: npt.NDArray[np.bool_], tree: shapely.STRtree) -> list[_Area]:
    """Every hole enclosed by the grids, islands inside it taken off, with the grids around it.

    `flagged` are the grids with an invalid edge: the others form a valid coverage, whose union is quick.
    """
    clean = [shapely.coverage_union_all(shapes[~flagged])] if not flagged.all() else []
    union = shapely.union_all([*shapes[flagged], *clean]) if flagged.any() else clean[0]
    bodies = shapely.get_parts(polygonal_each(np.array([union], dtype=object))[0])
    holes = np.array([shapely.Polygon(ring) for body in bodies for ring in body.interiors], dtype=object)
    if not len(holes):
        return []
    holes = _without_islands(holes, bodies)
    around = tree.query(holes, predicate="dwithin", distance=_TOUCH)
    return _areas(holes, [tuple(int(i) for i in np.sort(around[1][around[0] == k])) for k in range(len(holes))])


def _without_islands(holes: Geometries, bodies: Geometries) -> Geometries:
    """The holes less the bodies that lie in them: a grid in the middle of a hole is no part of the gap."""
    inner, body = shapely.STRtree(bodies).query(holes, predicate="contains_properly")
    touching, edge = shapely.STRtree(bodies).query(holes, predicate="covers")
    inner, body = np.concatenate((inner, touching)), np.concatenate((body, edge))
    for hole in np.unique(inner):
        holes[hole] = shapely.difference(holes[hole], shapely.union_all(bodies[body[inner == hole]]))
    return polygonal_each(holes)


def _areas(shapes: Geometries, grids: Sequence[tuple[int, ...]]) -> list[_Area]:
    sizes_m2 = area_m2(shapes)
    found = (_Area(shape, float(m2), who) for shape, m2, who in zip(shapes, sizes_m2, grids, strict=True))
    return [area for area in found if area.m2 > SLIVER_M2]


def _overlap_finding(codes: Sequence[str], area: _Area) -> Finding:
    grids = neighbours_of(codes, area.grids)
    kind, severity = _kind("overlap", area.m2)
    message = f"{grids[0]} and {grids[-1]} both cover the same {m2_text(area.m2)}"
    return Finding(kind, severity, grids, area.m2, area.shape, message)


def _gap_finding(codes: Sequence[str], area: _Area, enclaves: Sequence[tuple[float, float]]) -> Finding:
    grids = neighbours_of(codes, area.grids)
    between = _listed(grids)
    if any(shapely.covers(area.shape, shapely.Point(place)) for place in enclaves):
        message = f"accepted enclave of {m2_text(area.m2)}, enclosed by {between}"
        return Finding("gap", "warning", grids, area.m2, area.shape, message, accepted=True)
    kind, severity = _kind("gap", area.m2)
    return Finding(
        kind, severity, grids, area.m2, area.shape, f"{m2_text(area.m2)} enclosed by {between} belong to no grid"
    )


def _kind(kind: str, m2: float) -> tuple[str, Severity]:
    return (kind, "error") if m2 > ERROR_M2 else ("sliver", "warning")


def neighbours_of(codes: Sequence[str], rows: Sequence[int]) -> tuple[str, ...]:
    """The codes of rows, in the order of their UTF-8 bytes."""
    return tuple(sorted((codes[row] for row in rows), key=str.encode))


def _listed(grids: Sequence[str]) -> str:
    shown = ", ".join(grids[:_NAMED])
    return shown if len(grids) <= _NAMED else f"{shown} and {len(grids) - _NAMED} more"
