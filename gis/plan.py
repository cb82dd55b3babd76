"""Plan: what a draft really changes, whether its base still stands, and its lineage from first to last: pure.

base --operations--> draft           what the draft touched
base --others' generations--> now    whether that is still as the draft found it
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

import numpy as np
import shapely

from gis.crs import area_m2
from gis.partition import Boundaries, Partition, Unit
from gis.supersede import Lineage, same_shape

#: Ground that differs by no more than this is the same: a vertex that a neighbour's split put into a border moves nothing.
SAME_M2: Final = 0.01


def same_ground(one: Any, other: Any) -> bool:
    """Whether two polygons cover the same ground to 0.01 m2, whatever vertices their rings have."""
    if same_shape(one, other):
        return True
    apart = np.empty(1, dtype=object)
    apart[0] = shapely.symmetric_difference(one, other)
    return bool(area_m2(apart)[0] <= SAME_M2)


def changes(before: Boundaries, after: Boundaries, touched: Collection[str], moved: Collection[str]) -> frozenset[str]:
    """The touched uids that are created, retired, or have another ground (`moved`), code, name or parent.

    The others only got vertices into their border, which hinders nobody else.
    """
    return frozenset(uid for uid in touched if uid in moved or before.units.get(uid) != after.units.get(uid))


def changed_since(base: Boundaries, now: Boundaries, uids: Iterable[str]) -> list[str]:
    """Those of the uids which `base` has and `now` has not, or with another ground, code, name or parent; in their order by code."""
    held = sorted((uid for uid in uids if uid in base.units), key=lambda uid: base.units[uid].code.encode())
    return [
        uid
        for uid in held
        if base.units[uid] != now.units.get(uid) or not same_ground(base.shapes[uid], now.shapes[uid])
    ]


def net_lineage(lineage: Sequence[Lineage], before: Boundaries, after: Boundaries) -> tuple[Lineage, ...]:
    """What became of which grid from `before` to `after`, when `lineage` tells it operation by operation.

    Grids that came and went in between are left out, and shares multiplied along the way. Grids that kept their identity stand
    with their own kinds only where these name them; every retired and every created grid stands at least once.
    """
    direct: dict[tuple[str, str], str | None] = {}
    shares: dict[tuple[str, str], list[float | None]] = defaultdict(list)
    steps = [one for one in lineage if one.predecessor and one.successor and one.predecessor != one.successor]
    leaving: dict[str | None, list[int]] = defaultdict(list)
    for i, one in enumerate(steps):
        leaving[one.predecessor].append(i)
    for i, one in enumerate(steps):
        if one.predecessor not in before.units:
            continue
        for heir, share, far in _ends(steps, leaving, i, after):
            pair = (str(one.predecessor), heir)
            direct[pair] = one.kind if not far and direct.get(pair, one.kind) == one.kind else None
            shares[pair].append(share)
    pairs = {pair: _sum(found) for pair, found in shares.items() if pair[0] != pair[1]}
    found = [Lineage(direct[pair] or _kind(pair, pairs, before), *pair, share) for pair, share in pairs.items()]
    return (*found, *_alone(pairs, before, after))


def _ends(
    steps: Sequence[Lineage], leaving: Mapping[str | None, Sequence[int]], i: int, after: Boundaries
) -> Iterator[tuple[str, float | None, bool]]:
    """Where the ground of step i lies in the end: (uid, share, whether there were further steps)."""
    waiting: list[tuple[int, float | None, bool]] = [(i, steps[i].share, False)]
    while waiting:
        at, share, far = waiting.pop()
        heir = str(steps[at].successor)
        if heir in after.units:
            yield heir, share, far
            continue
        waiting += [(k, _times(share, steps[k].share), True) for k in leaving.get(heir, ()) if k > at]


def _times(one: float | None, other: float | None) -> float | None:
    return None if one is None or other is None else one * other


def _sum(shares: Sequence[float | None]) -> float | None:
    known = [share for share in shares if share is not None]
    return min(sum(known), 1.0) if len(known) == len(shares) else None


def _kind(pair: tuple[str, str], pairs: Collection[tuple[str, str]], before: Boundaries) -> str:
    """split, merge, successor (one for one) or redistribute, by who else gave and got."""
    gave = pair[0]
    heirs = {successor for predecessor, successor in pairs if predecessor == gave}
    alone = all(p == gave for p, s in pairs if s in heirs) and not any(heir in before.units for heir in heirs)
    if len(heirs) > 1:
        return "split" if alone else "redistribute"
    return "successor" if alone else "merge"


def _alone(pairs: Collection[tuple[str, str]], before: Boundaries, after: Boundaries) -> Iterator[Lineage]:
    """Grids that are gone without an heir, and those that came from nowhere."""
    gave, got = {pair[0] for pair in pairs}, {pair[1] for pair in pairs}
    for uid in before.units:
        if uid not in after.units and uid not in gave:
            yield Lineage("retire", uid, None)
    for uid in after.units:
        if uid not in before.units and uid not in got:
            yield Lineage("create", None, uid)


def assembled(units: dict[str, Unit], shapes: Mapping[str, Any], like: Boundaries) -> Boundaries:
    """The boundaries of these grids, by uid; generation and priorities as `like` has them."""
    members: dict[tuple[str, str], list[Unit]] = defaultdict(list)
    for unit in units.values():
        members[unit.layer, unit.level].append(unit)
    partitions = []
    for key, held in sorted(members.items()):
        geometry = np.empty(len(held), dtype=object)
        geometry[:] = [shapes[unit.uid] for unit in held]
        codes, names = tuple(unit.code for unit in held), tuple(unit.name for unit in held)
        partitions.append(Partition(*key, codes, geometry, names))
    return Boundaries(like.generation, tuple(partitions), units, like.priorities)
