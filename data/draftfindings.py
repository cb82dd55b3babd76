"""Draft findings: what is wrong with the grids that a draft touched and those around them, without looking at the others."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
import shapely

from gis.crs import area_m2
from gis.findings import ERROR_M2, Finding, ordered, polygonal
from gis.hierarchy import parent_findings
from gis.partition import Boundaries, Partition
from gis.topology import check_raw, mode_of


def findings_after(
    base: Boundaries,
    after: Boundaries,
    touched: Collection[str],
    *,
    known: Sequence[Finding] = (),
    before: Boundaries | None = None,
) -> list[Finding]:
    """The findings of `after` that concern a touched grid or the ground of a retired one, worst first.

    `known` are findings of the boundaries `before`: those that concern other grids are taken over. A gap that the base has
    already is accepted.
    """
    source = before or base
    gone = {source.units[uid].code for uid in touched if uid in source.units}
    here = {after.units[uid].code for uid in touched if uid in after.units}
    kept = [finding for finding in known if not (gone | here).intersection(finding.grids)]
    found = [finding for part in after.partitions for finding in _of(part, base, source, after, touched)]
    return ordered({_key(finding): finding for finding in (*kept, *found)}.values())


def _key(finding: Finding) -> tuple[str, tuple[str, ...], str]:
    return finding.kind, finding.grids, finding.message


def _of(
    part: Partition, base: Boundaries, before: Boundaries, after: Boundaries, touched: Collection[str]
) -> list[Finding]:
    """The findings of one partition, by the touched grids of its layer and level."""
    rows, given_up = _rows(part, before, after, touched)
    if not len(rows) and not len(given_up):
        return []
    tree = shapely.STRtree(part.geometry)
    ground = np.concatenate((part.geometry[rows], given_up))
    around = np.unique(np.concatenate((rows, tree.query(ground, predicate="intersects")[1])))
    found = check_raw([part.codes[i] for i in around], part.geometry[around], mode=mode_of(part.layer))
    # A hole where ground was given up touches none of the grids that were changed.
    near = tree.query(given_up, predicate="intersects")[1] if len(given_up) else rows
    concerned = {part.codes[i] for i in np.unique(np.concatenate((rows, near)))}
    judged = (_gap(finding, part, tree, base, after) if finding.kind == "gap" else finding for finding in found)
    kept = [finding for finding in judged if finding is not None and concerned.intersection(finding.grids)]
    return [*kept, *_parents(part, rows, after)]


def _rows(
    part: Partition, before: Boundaries, after: Boundaries, touched: Collection[str]
) -> tuple[npt.NDArray[Any], npt.NDArray[Any]]:
    """The rows of touched grids and of those whose parent was touched; and the shapes of grids of this layer and level that are gone."""
    key = (part.layer, part.level)
    own = [after.units[uid] for uid in touched if uid in after.units]
    below = [unit for unit in after.units.values() if unit.parent in touched]
    rows = {part.position[unit.code] for unit in (*own, *below) if (unit.layer, unit.level) == key}
    gone = [uid for uid in touched if uid in before.units and uid not in after.units]
    ground = [before.shapes[uid] for uid in gone if (before.units[uid].layer, before.units[uid].level) == key]
    given_up = np.empty(len(ground), dtype=object)
    given_up[:] = ground
    return np.array(sorted(rows), dtype=np.intp), given_up


def _gap(
    finding: Finding, part: Partition, tree: shapely.STRtree, base: Boundaries, after: Boundaries
) -> Finding | None:
    """The gap without what other grids have of it; None when nothing is left.

    Accepted when the base has it already, or grids of another layer fill it: ground that was carved out for them.
    """
    others = part.geometry[tree.query(finding.geometry, predicate="intersects")]
    left = polygonal(shapely.difference(finding.geometry, shapely.union_all(others)))
    size = _m2(left)
    if size <= ERROR_M2:
        return None
    held = base.partition(part.layer, part.level)
    shapes = [] if held is None else held.geometry[shapely.STRtree(held.geometry).query(left, predicate="intersects")]
    taken = _m2(polygonal(shapely.intersection(left, shapely.union_all(shapes)))) if len(shapes) else 0.0
    if (taken <= ERROR_M2 and held is not None) or _is_filled(left, part, after):
        return replace(finding, severity="warning", area_m2=size, geometry=left, accepted=True)
    return replace(finding, area_m2=size, geometry=left)


def _is_filled(gap: shapely.Geometry, part: Partition, after: Boundaries) -> bool:
    """Whether grids of other layers have all of the gap."""
    layers = [p for p in after.partitions if p.layer != part.layer and p.level == part.level]
    over = [p.geometry[p.tree.query(gap, predicate="intersects")] for p in layers]
    shapes = np.concatenate(over) if over else np.empty(0, dtype=object)
    return bool(len(shapes)) and _m2(polygonal(shapely.difference(gap, shapely.union_all(shapes)))) <= ERROR_M2


def _m2(shape: shapely.Geometry) -> float:
    one = np.empty(1, dtype=object)
    one[0] = shape
    return 0.0 if shapely.is_empty(shape) else float(area_m2(one)[0])


def _parents(part: Partition, rows: npt.NDArray[Any], after: Boundaries) -> list[Finding]:
    above = after.above(part.level)
    if above is None:
        return []
    units = [after.by_code[part.codes[i]] for i in rows.tolist()]
    parent_of = {unit.code: after.units[unit.parent].code for unit in units if unit.parent in after.units}
    lenient = mode_of(part.layer) == "overlay"
    return parent_findings([unit.code for unit in units], part.geometry[rows], above, parent_of, lenient=lenient)
