"""Redraw rules: what a redrawn grid should be, though nothing breaks when it is not: warnings, never errors.

Of single grids, so after an operation only what it touched is judged anew. `gis.topology` tells what must be.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import shapely

from gis.errors import ParameterInvalid
from gis.findings import ERROR_M2, Finding, m2_text, ordered, polygonal_each
from gis.ground import Floats, border_m, ground_m2
from gis.partition import Geometries, Partition
from gis.shapes import multipart, reused
from gis.supersede import SUCCESSOR_SHARE, overlaps

#: Below this a grid is stringy: some 1 in 200 of real districts of 2,000 people are (DC 2013, Providence, Pune).
MIN_COMPACTNESS: Final = 0.2


@dataclass(frozen=True)
class RuleLimits:
    """Thresholds of the rules; None switches a rule off.

    Sizes are whatever a district decides (the press names 300-500 households), so there is no default. `min_compactness` is
    Polsby-Popper, 0..1; `max_across_m2` the ground a grid may have beyond the community with most of it; `max_detached_m2`
    the ground of all its parts but the largest.
    """

    min_area_m2: float | None = None
    max_area_m2: float | None = None
    min_households: float | None = None
    max_households: float | None = None
    min_members: float | None = None
    max_members: float | None = None
    min_compactness: float | None = MIN_COMPACTNESS
    max_across_m2: float | None = ERROR_M2
    max_detached_m2: float | None = ERROR_M2


def parse_limits(value: Any) -> RuleLimits:
    """The thresholds a JSON object states, null for a rule that is off; ParameterInvalid names the member at fault."""
    known = RuleLimits.__dataclass_fields__
    if not isinstance(value, dict) or set(value) - set(known):
        raise ParameterInvalid(f"redraw has the members {', '.join(known)}", place="redraw")
    for name, limit in value.items():
        if limit is not None and (isinstance(limit, bool) or not isinstance(limit, int | float) or not limit >= 0):
            raise ParameterInvalid(f"{name} is a number from 0 on, or null", place=f"redraw.{name}")
    limits = RuleLimits(**value)
    for least, most in (
        ("min_area_m2", "max_area_m2"),
        ("min_households", "max_households"),
        ("min_members", "max_members"),
    ):
        low, high = getattr(limits, least), getattr(limits, most)
        if low is not None and high is not None and low > high:
            raise ParameterInvalid(f"{least} is above {most}", place=f"redraw.{least}")
    return limits


def rule_warnings(
    partition: Partition,
    *,
    limits: RuleLimits = RuleLimits(),
    communities: Partition | None = None,
    households: Mapping[str, float] | None = None,
    members: Mapping[str, float] | None = None,
    only: Collection[str] | None = None,
) -> list[Finding]:
    """A warning for each rule that a grid breaks, the largest ground first; of the codes in `only`, or of all grids.

    `households` and `members` are counts by code (`Impact` has them); a code that is not there is unknown and not judged, so give
    0 where nobody lives. Kinds: `size`, `compactness`, `crosses_community`, `multipart`.
    """
    rows = [i for i, code in enumerate(partition.codes) if only is None or code in only]
    codes, shapes = [partition.codes[i] for i in rows], partition.geometry[rows]
    m2 = ground_m2(shapes)
    found = _sizes(codes, shapes, m2, limits, households or {}, members or {})
    found += _stringy(codes, shapes, m2, limits.min_compactness)
    if limits.max_detached_m2 is not None:
        found += [finding for finding in multipart(codes, shapes) if finding.area_m2 > limits.max_detached_m2]
    if communities is not None and limits.max_across_m2 is not None:
        found += _across(codes, shapes, communities, limits.max_across_m2)
    return ordered(found)


def compactness(shapes: Geometries) -> Floats:
    """Polsby-Popper of each shape, 4 pi area / border squared: 1 for a circle, 0.785 for a square; NaN where there is no border."""
    border = border_m(shapes)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(4 * np.pi * ground_m2(shapes) / border**2, dtype=np.float64)


def reused_codes(before: Partition, after: Partition) -> list[Finding]:
    """A `reused_code` for each code of both whose grid keeps less than 1 % of its former ground: another grid under an old code.

    Files say no more than codes, so with `--match code` such a grid would pass for the old one. The share is that of `gis.supersede`.
    """
    i, j, share = overlaps(before.geometry, after.geometry)
    kept = {
        before.codes[a]: float(part)
        for a, b, part in zip(i.tolist(), j.tolist(), share, strict=True)
        if before.codes[a] == after.codes[b]
    }
    elsewhere = {code for code in after.codes if code in before.position and kept.get(code, 0.0) < SUCCESSOR_SHARE}
    found = reused(after.codes, elsewhere, np.arange(len(after)), after.geometry)
    told = "code {} now stands for other ground: {:.1%} of its former grid lie in it"
    return [
        Finding(f.kind, f.severity, f.grids, f.area_m2, f.geometry, told.format(f.grids[0], kept.get(f.grids[0], 0.0)))
        for f in found
    ]


def _sizes(
    codes: Sequence[str],
    shapes: Geometries,
    m2: Floats,
    limits: RuleLimits,
    households: Mapping[str, float],
    members: Mapping[str, float],
) -> list[Finding]:
    areas = dict(zip(codes, m2.tolist(), strict=True))
    rules = (
        (areas, limits.min_area_m2, limits.max_area_m2, "m2"),
        (households, limits.min_households, limits.max_households, "households"),
        (members, limits.min_members, limits.max_members, "members"),
    )
    return [
        Finding("size", "warning", (code,), areas[code], shapes[k], f"{code} has {fault}")
        for counts, low, high, unit in rules
        for k, code in enumerate(codes)
        if code in counts and (fault := _beyond(counts[code], low, high, unit))
    ]


def _beyond(value: float, low: float | None, high: float | None, unit: str) -> str:
    if low is not None and value < low:
        return f"{value:,.0f} {unit}, less than {low:,.0f}"
    if high is not None and value > high:
        return f"{value:,.0f} {unit}, more than {high:,.0f}"
    return ""


def _stringy(codes: Sequence[str], shapes: Geometries, m2: Floats, least: float | None) -> list[Finding]:
    if least is None:
        return []
    scores = compactness(shapes)
    return [
        Finding(
            "compactness",
            "warning",
            (codes[k],),
            float(m2[k]),
            shapes[k],
            f"{codes[k]} is long or jagged: compactness {scores[k]:.2f}, less than {least:.2f} (1 is a circle)",
        )
        for k in np.flatnonzero(scores < least).tolist()
    ]


def _across(codes: Sequence[str], shapes: Geometries, communities: Partition, most: float) -> list[Finding]:
    """A `crosses_community` for each grid with more than `most` m2 in communities other than the one that has most of it."""
    grid, community = shapely.STRtree(communities.geometry).query(shapes, predicate="intersects")
    shared = polygonal_each(shapely.intersection(shapes[grid], communities.geometry[community]))
    m2 = ground_m2(shared)
    found = []
    for k, code in enumerate(codes):
        pairs = np.flatnonzero((grid == k) & (m2 > 0))
        pairs = pairs[np.lexsort((community[pairs], -m2[pairs]))]
        beyond = float(m2[pairs[1:]].sum())
        if beyond > most:
            others = [f"{m2_text(m2[p])} in {communities.codes[community[p]]}" for p in pairs[1:].tolist()]
            message = f"{code} lies mostly in {communities.codes[community[pairs[0]]]}, but has " + ", ".join(others)
            where = shapely.union_all(shared[pairs[1:]])
            found.append(Finding("crosses_community", "warning", (code,), beyond, where, message))
    return found
