"""Crosswalk: the pieces of ground between two states of a partition; who had each, and who has it.

Every bit of ground of either state lies in exactly one piece: (before, after), (before, outside) or (outside, after). A grid that is
the same in both is one piece, uncut. Areas are those of `gis.ground`, so a grid's pieces add up to the grid.
"""

from __future__ import annotations

from collections.abc import Container, Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import shapely

from gis.findings import SLIVER_M2, polygonal_each
from gis.ground import ground_m2
from gis.partition import Geometries, Partition

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

#: Grids by identity: a mapping uid -> polygon, or a Partition, whose codes then stand for the uids.
Shapes = Mapping[str, Any] | Partition

OUTSIDE: Final = -1


@dataclass(frozen=True)
class Pieces:
    """Piece k, `geometry[k]` of `area_m2[k]`, belonged to `before_uids[before[k]]` and belongs to `after_uids[after[k]]`.

    -1 is outside: nobody's. Sorted by before and after, outside last. Pieces up to 0.0001 m2 are rounding and left out.
    """

    before: Ints
    after: Ints
    geometry: Geometries
    area_m2: Floats
    before_uids: tuple[str, ...]
    after_uids: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.before)

    def flows(self) -> dict[tuple[str | None, str | None], float]:
        """(from, to) -> m2 of what changed hands, None for outside; empty when nothing did."""
        pairs = zip(self._uids(self.before, self.before_uids), self._uids(self.after, self.after_uids), strict=True)
        return {pair: float(m2) for pair, m2 in zip(pairs, self.area_m2, strict=True) if pair[0] != pair[1]}

    def _uids(self, index: Ints, uids: tuple[str, ...]) -> list[str | None]:
        return [uids[i] if i >= 0 else None for i in index.tolist()]


def crosswalk(before: Shapes, after: Shapes, *, touched: Container[str] | None = None) -> Pieces:
    """The pieces between two states of one layer and level (see Pieces): one for each pair that shares ground.

    `touched` are uids beyond which nothing changed: only they are compared and cut (a uid of one state alone always is); None
    compares all. Grids of one state must not overlap: ground that two of them hold counts for both. One pair, one piece,
    of as many parts as it has.
    """
    old, new = _sorted(before), _sorted(after)
    kept = [uid for uid in old if uid in new and _same(old[uid], new[uid], uid, touched)]
    changed = [[uid for uid in side if uid not in set(kept)] for side in (old, new)]
    cut = _cut(*(_array([side[uid] for uid in uids]) for side, uids in zip((old, new), changed, strict=True)))
    before_uids, after_uids = tuple(old), tuple(new)
    rows = [_positions(uids, changed[i]) for i, uids in enumerate((before_uids, after_uids))]
    whole = [_positions(uids, kept) for uids in (before_uids, after_uids)]
    left = np.concatenate([whole[0], _through(rows[0], cut[0])])
    right = np.concatenate([whole[1], _through(rows[1], cut[1])])
    shapes = np.concatenate([_array([new[uid] for uid in kept]), cut[2]])
    area = np.concatenate([ground_m2(shapes[: len(kept)]), cut[3]])
    order = np.lexsort((_outside_last(right), _outside_last(left)))
    return Pieces(left[order], right[order], shapes[order], area[order], before_uids, after_uids)


def _sorted(shapes: Shapes) -> dict[str, Any]:
    if isinstance(shapes, Partition):
        return dict(zip(shapes.codes, shapes.geometry, strict=True))
    return {uid: shapes[uid] for uid in sorted(shapes, key=str.encode)}


def _same(old: Any, new: Any, uid: str, touched: Container[str] | None) -> bool:
    if touched is not None and uid not in touched:
        return True
    return old is new or bool(shapely.equals_identical(old, new))


def _cut(old: Geometries, new: Geometries) -> tuple[Ints, Ints, Geometries, Floats]:
    """(before, after, geometry, m2) of the pieces between two arrays of polygons."""
    i, j = shapely.STRtree(new).query(old, predicate="intersects")
    shared = polygonal_each(shapely.intersection(old[i], new[j]))
    shared_m2 = ground_m2(shared)
    lost, lost_m2 = _beyond(old, new, i, j, shared_m2)
    won, won_m2 = _beyond(new, old, j, i, shared_m2)
    left, right = np.flatnonzero(lost_m2 > SLIVER_M2), np.flatnonzero(won_m2 > SLIVER_M2)
    real = shared_m2 > SLIVER_M2
    return (
        np.concatenate([i[real], left, np.full(len(right), OUTSIDE)]).astype(np.int64),
        np.concatenate([j[real], np.full(len(left), OUTSIDE), right]).astype(np.int64),
        np.concatenate([shared[real], lost[left], won[right]]),
        np.concatenate([shared_m2[real], lost_m2[left], won_m2[right]]),
    )


def _beyond(of: Geometries, others: Geometries, i: Ints, j: Ints, shared_m2: Floats) -> tuple[Geometries, Floats]:
    """What of each polygon lies in none of the others, and its m2: cut only where the pieces do not add up to the whole."""
    found = _array([shapely.Polygon()] * len(of))
    whole = ground_m2(of)
    missing = np.abs(whole - np.bincount(i, shared_m2, minlength=len(of)))
    for k in np.flatnonzero(missing > SLIVER_M2 / 2).tolist():
        found[k] = shapely.difference(of[k], shapely.union_all(others[j[i == k]]))
    found = polygonal_each(found)
    return found, ground_m2(found)


def _array(shapes: list[Any]) -> Geometries:
    held = np.empty(len(shapes), dtype=object)
    held[:] = shapes
    return held


def _positions(uids: tuple[str, ...], wanted: list[str]) -> Ints:
    at = {uid: i for i, uid in enumerate(uids)}
    return np.array([at[uid] for uid in wanted], dtype=np.int64)


def _through(rows: Ints, index: Ints) -> Ints:
    """`rows[index]`, outside where the index says so."""
    return np.where(index >= 0, np.append(rows, OUTSIDE)[index], OUTSIDE)


def _outside_last(index: Ints) -> Ints:
    return np.where(index == OUTSIDE, np.iinfo(np.int64).max, index)
