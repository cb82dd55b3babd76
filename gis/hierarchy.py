"""Grids and their parents: which grid lies outside the grid one level up, or crosses its border, by how many m2."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence

import numpy as np
import shapely
from shapely.geometry.base import BaseGeometry

from gis.crs import area_m2
from gis.findings import ERROR_M2, Finding, Severity, m2_text, polygonal
from gis.partition import Geometries, Partition
from gis.shapes import mended


def parent_findings(
    codes: Sequence[str],
    shapes: Geometries,
    parents: Partition,
    parent_of: Mapping[str, str] | None,
    *,
    lenient: bool = False,
) -> list[Finding]:
    """`outside_parent` for a grid that shares no ground with its parent, `crosses_parent` for one with > 1 m2 beyond it.

    The parent is the one `parent_of` names, else the one that holds most of the grid. `lenient` (dedicated grids, which
    may lie in several parents): crossing is a warning.
    """
    over = _solid(parents)
    touched: dict[int, list[int]] = defaultdict(list)
    for grid, parent in zip(*shapely.STRtree(over).query(shapes, predicate="intersects"), strict=True):
        touched[int(grid)].append(int(parent))
    found = []
    for i, code in enumerate(codes):
        named = None if parent_of is None else parent_of.get(code)
        judged = _judge(code, shapes[i], named, touched[i], parents, over, lenient=lenient)
        if judged is not None:
            found.append(judged)
    return found


def _solid(parents: Partition) -> Geometries:
    """The parents' shapes, broken ones mended: their own check reports them."""
    out = np.empty(len(parents), dtype=object)
    out[:] = [
        shape if shapely.is_valid(shape) else mended(shape) or shapely.Polygon()
        for shape in (polygonal(shape) for shape in parents.geometry)
    ]
    return out


def _judge(
    code: str,
    shape: BaseGeometry,
    named: str | None,
    touched: Sequence[int],
    parents: Partition,
    over: Geometries,
    *,
    lenient: bool,
) -> Finding | None:
    if named is not None and named not in parents.position:
        m2 = _m2(shape)
        return Finding(
            "outside_parent", "error", (code,), m2, shape, f"{code} names the parent {named}, which is not there"
        )
    mine = parents.position[named] if named is not None else _most(shape, touched, over)
    if mine is not None and shapely.covers(over[mine], shape):
        return None
    beyond = shape if mine is None else polygonal(shapely.difference(shape, over[mine]))
    m2, whole = _m2(beyond), _m2(shape)
    if mine is None or whole - m2 <= min(ERROR_M2, whole / 2):
        told = f"{code} lies outside its parent {named}" if named is not None else f"{code} lies in no parent"
        return Finding("outside_parent", "error", (code,) if named is None else (code, named), whole, shape, told)
    if m2 <= ERROR_M2:
        return None
    others = sorted(parents.codes[p] for p in touched if p != mine and _m2(polygonal(beyond & over[p])) > ERROR_M2)
    parent = parents.codes[mine]
    told = f"{m2_text(m2)} of {code} lie beyond its parent {parent}" + (f", in {', '.join(others)}" if others else "")
    severity: Severity = "warning" if lenient else "error"
    return Finding("crosses_parent", severity, (code, parent, *others), m2, beyond, told)


def _most(shape: BaseGeometry, touched: Sequence[int], over: Geometries) -> int | None:
    """The parent that holds most of a shape (the first in code order on a tie), or None."""
    if not touched:
        return None
    candidates = sorted(touched)
    shared = shapely.area(shapely.intersection(over[candidates], shape))
    return candidates[int(np.argmax(shared))] if shared.max() > 0 else None


def _m2(shape: BaseGeometry) -> float:
    held = np.empty(1, dtype=object)
    held[0] = shape
    return 0.0 if shape.is_empty else float(area_m2(held)[0])
