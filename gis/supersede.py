"""Supersede: the boundaries after a partition came in whole, and what changed: the pure half of publishing.

Boundaries before + Incoming -> Boundaries after        `receive`
before, after                -> Supersession            `compare`: facts to open and close, and lineage
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final, TypeVar

import numpy as np
import numpy.typing as npt
import shapely

from gis.errors import CodeInvalid, ParameterInvalid
from gis.partition import LEVELS, Boundaries, Geometries, Partition, Unit

Fact = TypeVar("Fact")

#: A piece smaller than this share of a vanished grid makes nobody its successor: borders are redrawn with a little noise.
SUCCESSOR_SHARE = 0.01
#: Overlay grids name every parent that holds at least this share of them.
PARENT_SHARE = 0.001


@dataclass(frozen=True)
class Incoming:
    """The whole content of one layer and level from some instant on: what a file brings.

    `names` and `parents` (codes of the next wider level; None = find by place) are as long as `codes`. `match` says how
    grids keep their identity: `code` (same code, same grid) or `area` (largest overlap, one to one).
    """

    layer: str
    level: str
    codes: tuple[str, ...]
    names: tuple[str, ...]
    parents: tuple[str | None, ...]
    geometry: Geometries
    profile: str = "external"
    match: str = "code"


#: Which way the totals of past windows may be carried along a lineage, without counting events anew. `forward`: all that the
#: predecessor had is the successor's (a part of its past); `backward`: what the parts have adds up to what the one before had.
CARRIES: Final[dict[str, str]] = {
    "split": "backward",
    "merge": "forward",
    "successor": "both",
    "rename": "both",
    "recode": "both",
    "reparent": "both",
    "redistribute": "neither",
    "reshape": "neither",
    "retire": "neither",
    "create": "neither",
}


@dataclass(frozen=True)
class Lineage:
    """One grid became, or was changed into, another; `share` is the part of the predecessor's area that went this way."""

    kind: str
    predecessor: str | None
    successor: str | None
    share: float | None = None


@dataclass(frozen=True)
class Supersession:
    """What has to be opened and closed, by uid. A uid in `shapes` that is not in `created` is a reshape, and so on."""

    created: dict[str, Unit] = field(default_factory=dict)
    shapes: dict[str, Any] = field(default_factory=dict)
    codes: dict[str, str] = field(default_factory=dict)
    names: dict[str, str] = field(default_factory=dict)
    parents: dict[str, tuple[str, ...]] = field(default_factory=dict)
    retired: dict[str, Unit] = field(default_factory=dict)
    voided: dict[str, str] = field(default_factory=dict)  # code -> uid that had it
    lineage: tuple[Lineage, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.shapes or self.codes or self.names or self.parents or self.retired)

    def summary(self) -> dict[str, int]:
        """Counts a person checks before publishing."""
        facts: dict[str, Collection[str]] = {
            "reshaped": self.shapes,
            "renamed": self.names,
            "recoded": self.codes,
            "reparented": self.parents,
        }
        kept = {kind: sum(uid not in self.created for uid in uids) for kind, uids in facts.items()}
        return {"created": len(self.created), **kept, "retired": len(self.retired)}


def overlaps(
    old: Geometries, new: Geometries
) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp], npt.NDArray[np.float64]]:
    """Pairs (i, j, share) where `new[j]` takes that share of the area of `old[i]`; planar degrees, as shares need no metres."""
    if len(old) == 0 or len(new) == 0:
        return np.empty(0, np.intp), np.empty(0, np.intp), np.empty(0)
    i, j = shapely.STRtree(new).query(old, predicate="intersects")
    area = shapely.area(shapely.intersection(old[i], new[j]))
    share = area / shapely.area(old)[i]
    there = share > 0
    return i[there], j[there], share[there]


def parents_by_place(children: Geometries, parents: Partition) -> list[tuple[str, ...]]:
    """For each child the codes of the parents it lies in, the one with its largest share first; empty when outside all."""
    found: list[list[tuple[float, str]]] = [[] for _ in children]
    i, j, share = overlaps(children, parents.geometry)
    for child, parent, part in zip(i, j, share, strict=True):
        if part >= PARENT_SHARE:
            found[child].append((-float(part), parents.codes[parent]))
    return [tuple(code for _, code in sorted(one)) for one in found]


def _match_by_area(before: Boundaries, incoming: Incoming) -> dict[str, str]:
    """Code in the file -> uid it continues: largest shared area first, one to one."""
    held = before.partition(incoming.layer, incoming.level)
    if held is None:
        return {}
    i, j, share = overlaps(held.geometry, incoming.geometry)
    area = share * shapely.area(held.geometry)[i]
    taken: dict[str, str] = {}
    used: set[str] = set()
    for k in np.lexsort((j, i, -area)):
        uid, code = before.by_code[held.codes[i[k]]].uid, incoming.codes[j[k]]
        if code not in taken and uid not in used:
            taken[code] = uid
            used.add(uid)
    return taken


def _match_by_code(before: Boundaries, incoming: Incoming) -> dict[str, str]:
    """Code in the file -> uid of the grid of this layer and level that has it."""
    held = before.partition(incoming.layer, incoming.level)
    return {code: before.by_code[code].uid for code in held.codes} if held else {}


def _identities(before: Boundaries, incoming: Incoming, new_uid: Callable[[], str]) -> list[str]:
    if incoming.match not in {"code", "area"}:
        raise ParameterInvalid("match is code or area", place="match")
    known = _match_by_code(before, incoming) if incoming.match == "code" else _match_by_area(before, incoming)
    elsewhere = {
        unit.code for unit in before.units.values() if (unit.layer, unit.level) != (incoming.layer, incoming.level)
    }
    for code in incoming.codes:
        if code in elsewhere:
            unit = before.by_code[code]
            raise CodeInvalid(f"code {code} is in use in layer {unit.layer}, level {unit.level}", place=code)
    return [known[code] if code in known else new_uid() for code in incoming.codes]


def _with_parents(boundaries: Boundaries, layer: str, level: str, given: dict[str, str | None]) -> dict[str, Unit]:
    """The units of one partition with their parents: as given by code, else by place."""
    children = boundaries.partition(layer, level)
    above = boundaries.above(level)
    if children is None:
        return {}
    by_place = parents_by_place(children.geometry, above) if above else [()] * len(children)
    placed: dict[str, Unit] = {}
    for code, codes in zip(children.codes, by_place, strict=True):
        named = given.get(code)
        if named is not None:
            if above is None or named not in above.position:
                raise CodeInvalid(f"grid {code} names the parent {named}, which is not there", place=code)
            codes = (named, *(c for c in codes if c != named))
        uids = [boundaries.by_code[c].uid for c in codes]
        unit = boundaries.by_code[code]
        further = tuple(uids[1:]) if layer in {"dedicated", "frontage"} else ()
        placed[unit.uid] = replace(unit, parent=uids[0] if uids else None, further_parents=further)
    return placed


def _below(boundaries: Boundaries, level: str) -> list[Partition]:
    """The partitions whose parents are looked for on this level."""
    return [
        p
        for p in boundaries.partitions
        if LEVELS.index(p.level) > LEVELS.index(level) and (above := boundaries.above(p.level)) and above.level == level
    ]


def receive(before: Boundaries, incoming: Incoming, new_uid: Callable[[], str]) -> Boundaries:
    """The boundaries once `incoming` has replaced its layer and level; other partitions keep their shapes.

    Grids below whose parent vanished or now lies on a nearer level are given their parent by place. `new_uid` makes the
    identities of new grids. Raises CodeInvalid for a code in use elsewhere or a parent that is not there.
    """
    uids = _identities(before, incoming, new_uid)
    key = (incoming.layer, incoming.level)
    units = {uid: unit for uid, unit in before.units.items() if (unit.layer, unit.level) != key}
    for uid, code, name in zip(uids, incoming.codes, incoming.names, strict=True):
        units[uid] = Unit(uid, code, name, *key)
    fresh = Partition(*key, incoming.codes, incoming.geometry, incoming.names)
    others = tuple(p for p in before.partitions if (p.layer, p.level) != key)
    after = replace(before, partitions=(*others, fresh) if len(fresh) else others, units=units)
    after.units.update(_with_parents(after, *key, dict(zip(incoming.codes, incoming.parents, strict=True))))
    if incoming.layer == "general":
        for child in _below(after, incoming.level):
            lost = [c for c in child.codes if not _keeps_parent(after, c, incoming.level)]
            placed = _with_parents(after, child.layer, child.level, {})
            after.units.update({after.by_code[c].uid: placed[after.by_code[c].uid] for c in lost})
    return replace(after)  # a fresh object: what was cached while the units were filled in is dropped


def _keeps_parent(boundaries: Boundaries, code: str, level: str) -> bool:
    parent = boundaries.units.get(boundaries.by_code[code].parent or "")
    return parent is not None and parent.level == level


def receive_all(before: Boundaries, incoming: Iterable[Incoming], new_uid: Callable[[], str]) -> Boundaries:
    """`receive` for several partitions, widest level first."""
    after = before
    for one in sorted(incoming, key=lambda one: (LEVELS.index(one.level), one.layer != "general")):
        after = receive(after, one, new_uid)
    return after


def same_shape(one: Any, other: Any) -> bool:
    """Whether two polygons have the same rings, whatever vertex a ring starts at and whether wrapped in a MultiPolygon."""
    return bool(shapely.equals_identical(_canonical(one), _canonical(other)))


def _canonical(shape: Any) -> Any:
    parts = shapely.get_parts(shape)
    return shapely.normalize(shapely.multipolygons(shapely.force_2d(parts)))


def compare(before: Boundaries, after: Boundaries, touched: Collection[str] | None = None) -> Supersession:
    """What changed between two states, as facts to open and close; identity is the uid.

    `touched`, when known, are the only uids that can have another shape.
    """
    old, new = before.units, after.units
    created = {uid: unit for uid, unit in new.items() if uid not in old}
    retired = {uid: unit for uid, unit in old.items() if uid not in new}
    shapes = {
        uid: shape
        for uid, shape in after.shapes.items()
        if uid not in old or ((touched is None or uid in touched) and not same_shape(before.shapes[uid], shape))
    }
    still = {unit.code for unit in new.values()}
    voided = {unit.code: uid for uid, unit in old.items() if unit.code not in still}
    codes = _changed(old, new, lambda unit: unit.code)
    names = _changed(old, new, lambda unit: unit.name)
    parents = {uid: above for uid, above in _changed(old, new, _parents).items() if above or uid in old}
    facts = Supersession(created, shapes, codes, names, parents, retired, voided)
    return replace(facts, lineage=(*_own_lineage(facts), *_successions(before, after, facts)))


def _changed(old: dict[str, Unit], new: dict[str, Unit], fact: Callable[[Unit], Fact]) -> dict[str, Fact]:
    return {uid: fact(unit) for uid, unit in new.items() if uid not in old or fact(old[uid]) != fact(unit)}


def _parents(unit: Unit) -> tuple[str, ...]:
    return (unit.parent, *unit.further_parents) if unit.parent else ()


def _own_lineage(facts: Supersession) -> list[Lineage]:
    """What happened to grids that kept their identity."""
    kinds: Sequence[tuple[str, Iterable[str]]] = (
        ("reshape", facts.shapes),
        ("rename", facts.names),
        ("recode", facts.codes),
        ("reparent", facts.parents),
    )
    return [Lineage(kind, uid, uid) for kind, uids in kinds for uid in uids if uid not in facts.created]


def _successions(before: Boundaries, after: Boundaries, facts: Supersession) -> list[Lineage]:
    """Who came after the retired grids, and which new grids came from nowhere."""
    successors, predecessors = _flows(before, after, facts.retired)
    found: list[Lineage] = []
    for uid in facts.retired:
        shares = successors.get(uid, {})
        if not shares:
            found.append(Lineage("retire", uid, None))
        kind = _kind(uid, shares, predecessors, facts)
        found.extend(Lineage(kind, uid, successor, share) for successor, share in shares.items())
    found.extend(Lineage("create", None, uid) for uid in facts.created if uid not in predecessors)
    return found


def _flows(
    before: Boundaries, after: Boundaries, retired: dict[str, Unit]
) -> tuple[dict[str, dict[str, float]], dict[str, set[str]]]:
    """Retired uid -> {uid of a grid of the same layer and level: share}, and the reverse."""
    successors: dict[str, dict[str, float]] = defaultdict(dict)
    predecessors: dict[str, set[str]] = defaultdict(set)
    for key in {(unit.layer, unit.level) for unit in retired.values()}:
        gone = [uid for uid, unit in retired.items() if (unit.layer, unit.level) == key]
        held = after.partition(*key)
        if held is None:
            continue
        shapes = np.array([before.shapes[uid] for uid in gone], dtype=object)
        for i, j, share in zip(*overlaps(shapes, held.geometry), strict=True):
            if share >= SUCCESSOR_SHARE:
                heir = after.by_code[held.codes[j]].uid
                successors[gone[i]][heir] = min(float(share), 1.0)
                predecessors[heir].add(gone[i])
    return successors, predecessors


def _kind(uid: str, shares: dict[str, float], predecessors: dict[str, set[str]], facts: Supersession) -> str:
    """split, merge, successor (one for one) or redistribute."""
    alone = all(predecessors[heir] == {uid} and heir in facts.created for heir in shares)
    if len(shares) > 1:
        return "split" if alone else "redistribute"
    return "successor" if alone else "merge"
