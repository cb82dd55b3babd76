"""Drawing: boundaries while one operation is carried out: what it changes so far, over what was there before.

The boundaries it began with are never changed; `finished` makes new ones that share every partition that nothing touched.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import replace
from functools import cached_property
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import shapely

from gis.cutting import Knots, as_array, with_knots
from gis.errors import GridMissing, PartitionBroken
from gis.noding import lines_of
from gis.partition import LEVELS, Boundaries, Geometries, Partition, Unit
from gis.supersede import parents_by_place

Floats = npt.NDArray[np.float64]

#: Layers whose grids may lie in several parents.
OVER_SEVERAL: Final = frozenset({"dedicated", "frontage"})


class Drawing:
    """Boundaries being redrawn. `moved` are the uids whose ground changed, `knotted` those that only got new vertices."""

    def __init__(self, boundaries: Boundaries) -> None:
        self.before = boundaries
        self.moved: set[str] = set()
        self.knotted: set[str] = set()
        self._shapes: dict[str, Any] = {}
        self._units: dict[str, Unit] = {}
        self._retired: set[str] = set()
        self._dense: dict[str, Any] = {}  # shapes as they were, with the new vertices of their edges

    # -- what is there ---------------------------------------------------------------------------------------------

    def unit(self, name: str, place: str) -> Unit:
        """The grid with this code or uid; GridMissing when there is none."""
        held = self.before.by_code.get(name) or self.before.units.get(name)
        if held is None:
            raise GridMissing(f"no grid has the code or uid {name} in these boundaries", place=place, grid=name)
        return self.now(held.uid)

    def now(self, uid: str) -> Unit:
        """The grid of a uid as it is by now."""
        return self._units.get(uid) or self.before.units[uid]

    def shape(self, uid: str) -> Any:
        """The polygon of a grid as it is by now."""
        if uid in self._shapes:
            return self._shapes[uid]
        unit = self.before.units[uid]
        held = self.before.partition(unit.layer, unit.level)
        if held is None or unit.code not in held.position:
            raise GridMissing(f"grid {unit.code} has no shape in these boundaries", place="grid", grid=unit.code)
        return held.geometry[held.position[unit.code]]

    def is_there(self, uid: str) -> bool:
        """Whether a grid is there and not retired."""
        return uid not in self._retired and (uid in self._units or uid in self.before.units)

    def near(self, layer: str, level: str, shapes: Geometries) -> list[str]:
        """The uids of one layer and level whose boxes meet the boxes of `shapes`, in the order of their codes."""
        held = self.before.partition(layer, level)
        found: set[str] = set()
        if held is not None:
            rows = np.unique(held.tree.query(shapes)[1]).tolist()
            found = {self.before.by_code[held.codes[row]].uid for row in rows}
        changed = [uid for uid in self._shapes if (self.now(uid).layer, self.now(uid).level) == (layer, level)]
        if changed:
            tree = shapely.STRtree(as_array([self._shapes[uid] for uid in changed]))
            found |= {changed[i] for i in np.unique(tree.query(shapes)[1]).tolist()}
        return sorted(filter(self.is_there, found), key=lambda uid: self.now(uid).code.encode())

    def above(self, level: str) -> str | None:
        """The next wider level of the general layer that has grids; None when there is none."""
        held = self.before.above(level)
        return held.level if held is not None else None

    def children(self, uids: Iterable[str]) -> list[Unit]:
        """The grids that name one of these as their parent, first or further, by code."""
        wanted = set(uids)
        candidates = {uid for parent in wanted for uid in self._below.get(parent, ())} | set(self._units)
        units = [self.now(uid) for uid in candidates if self.is_there(uid)]
        found = [u for u in units if u.parent in wanted or not wanted.isdisjoint(u.further_parents)]
        return sorted(found, key=lambda u: u.code.encode())

    @cached_property
    def _below(self) -> dict[str, list[str]]:
        below: dict[str, list[str]] = defaultdict(list)
        for unit in self.before.units.values():
            for parent in (unit.parent, *unit.further_parents):
                if parent:
                    below[parent].append(unit.uid)
        return below

    @property
    def codes(self) -> set[str]:
        """All codes in use, and those of grids that this operation retires."""
        return {*self.before.by_code, *(unit.code for unit in self._units.values())}

    # -- what changes ----------------------------------------------------------------------------------------------

    def draw(self, uid: str, shape: Any) -> None:
        """The grid has this ground from now on."""
        self._shapes[uid] = shape
        self.moved.add(uid)

    def write(self, unit: Unit) -> None:
        """The grid has this code, name and parent from now on; a uid that is not there yet becomes a grid."""
        self._units[unit.uid] = unit

    def retire(self, uid: str) -> None:
        """The grid is gone."""
        self._retired.add(uid)
        self._shapes.pop(uid, None)
        self._units.pop(uid, None)

    def knot(self, layer: str, knots: Knots) -> None:
        """New vertices stand in every ring of the layer, at all levels, that has their edges."""
        if not knots:
            return
        where = lines_of(knots)
        for held in (p for p in self.before.partitions if p.layer == layer):
            for row in np.unique(held.tree.query(where)[1]).tolist():
                self._knot_old(self.before.by_code[held.codes[row]].uid, knots)
            for uid in self.near(layer, held.level, where):
                old, now = self._dense.get(uid), self._shapes.get(uid)
                dense = old if now is None else with_knots(now, knots)
                if dense is not None and dense is not now:
                    self._shapes[uid] = dense
                    self.knotted.add(uid)

    def _knot_old(self, uid: str, knots: Knots) -> None:
        held = self._dense.get(uid, self._original(uid))
        dense = with_knots(held, knots)
        if dense is not held:
            self._dense[uid] = dense

    def place_parents(self) -> None:
        """Overlays that moved, and grids below or over ground that moved, have their parents by place again.

        A general grid keeps its parent as long as there is one. Overlays may have several, the one with most of them first.
        """
        own = [
            self.now(uid) for uid in sorted(self.moved) if self.is_there(uid) and self.now(uid).layer in OVER_SEVERAL
        ]
        for child in [*own, *self.children(self.moved | self._retired)]:
            above = self.above(child.level)
            if above is None or (child.layer == "general" and child.parent not in self._retired):
                continue
            shape = as_array([self.shape(child.uid)])
            near = self.near("general", above, shape)
            # Here the codes of the partition are uids, for a code may change hands within an operation.
            parents = parents_by_place(
                shape, Partition("general", above, tuple(near), as_array([*map(self.shape, near)]))
            )
            further = tuple(parents[0][1:]) if child.layer in OVER_SEVERAL else ()
            first = parents[0][0] if parents[0] else None
            self.write(replace(child, parent=first, further_parents=further))

    # -- the end ---------------------------------------------------------------------------------------------------

    @property
    def touched(self) -> frozenset[str]:
        """The uids whose shape, code, name or parent changed, the created and the retired."""
        written = {uid for uid, unit in self._units.items() if self.before.units.get(uid) != unit}
        return frozenset(self.moved | self.knotted | written | self._retired)

    def check(self, place: str, *, free: bool) -> None:
        """PartitionBroken where a changed grid is invalid or the grids of a level no longer share out the same ground.

        `free`: ground may be won or lost, as long as nobody overlaps a neighbour and all meet vertex for vertex.
        """
        there = {uid for uid in self._shapes if self.is_there(uid)}
        valid = shapely.is_valid(as_array([self._shapes[uid] for uid in sorted(there)]))
        for uid, good in zip(sorted(there), valid.tolist(), strict=True):
            if not good:
                code = self.now(uid).code
                raise PartitionBroken(f"the border of {code} would touch or cross itself", place=place, grid=code)
        changed = there | self._retired
        for layer, level in sorted({(self.now(uid).layer, self.now(uid).level) for uid in changed}):
            here = [u for u in sorted(changed) if (self.now(u).layer, self.now(u).level) == (layer, level)]
            if free or not self._same_ground(here):
                near = self.near(layer, level, as_array([self._shapes[uid] for uid in here if uid in there]))
                self._check_together(near, place)
                if not free:
                    raise PartitionBroken("ground would be lost or won: draw clear of what is there", place=place)

    def _check_together(self, near: Sequence[str], place: str) -> None:
        faults = shapely.coverage_invalid_edges(as_array([self.shape(uid) for uid in near]))
        wrong = np.flatnonzero(~shapely.is_empty(faults)).tolist()
        if not wrong:
            return
        was = shapely.coverage_invalid_edges(as_array([self._original(u) for u in near if u in self.before.units]))
        # Faults that were there before are told by the topology check; an operation adds none.
        if shapely.length(faults).sum() <= shapely.length(was).sum() * (1 + 1e-9):
            return
        codes = [self.now(near[i]).code for i in wrong[:4]]
        lon, lat = shapely.get_coordinates(faults[wrong[0]])[0].tolist()
        raise PartitionBroken(
            f"{', '.join(codes)} would overlap or not meet vertex for vertex at {lon:.6f}, {lat:.6f}",
            place=place,
            grids=codes,
            lon=lon,
            lat=lat,
        )

    def _same_ground(self, changed: Sequence[str]) -> bool:
        """Whether the directed edges of the changed grids, now less before, cancel out.

        If so, and every ring is valid, the grids cover each place as often as before: a sum of areas is told by its boundary.
        Exact, and no tolerance in it.
        """
        old = [self._dense.get(uid, self._original(uid)) for uid in changed if uid in self.before.units]
        new = [self._shapes[uid] for uid in changed if uid in self._shapes and self.is_there(uid)]
        edges, sign = zip(_directed(new, 1), _directed(old, -1), strict=True)
        rows, signs = np.concatenate(edges), np.concatenate(sign)
        order = np.lexsort(rows.T)
        rows, signs = rows[order], signs[order]
        first = np.flatnonzero(np.r_[True, (rows[1:] != rows[:-1]).any(axis=1)])
        return not np.add.reduceat(signs, first).any()

    def _original(self, uid: str) -> Any:
        unit = self.before.units[uid]
        held = self.before.partition(unit.layer, unit.level)
        return held.geometry[held.position[unit.code]] if held is not None else shapely.Polygon()

    def finished(self) -> Boundaries:
        """The boundaries with all changes; partitions that nothing touched are the same objects."""
        before = self.before
        units = {uid: unit for uid, unit in before.units.items() if uid not in self._retired} | self._units
        keys = {(self._any(uid).layer, self._any(uid).level) for uid in self.touched}
        kept = {(p.layer, p.level): p for p in before.partitions}
        made = {key: self._partition(*key, kept.get(key)) for key in keys}
        partitions = [made.get(key, held) for key, held in kept.items()]
        partitions += [made[key] for key in sorted(made.keys() - kept.keys(), key=_rank)]
        return Boundaries(before.generation, tuple(p for p in partitions if len(p)), units, before.priorities)

    def _any(self, uid: str) -> Unit:
        return self._units.get(uid) or self.before.units[uid]

    def _keeps_row(self, uid: str) -> bool:
        """Whether a grid that was there before still is, with the same code and name."""
        old = self.before.units.get(uid)
        return (
            old is not None and self.is_there(uid) and (old.code, old.name) == (self.now(uid).code, self.now(uid).name)
        )

    def _partition(self, layer: str, level: str, held: Partition | None) -> Partition:
        """The partition after the operation; only what changed is put in another place."""
        here = {
            uid for uid in {*self._units, *self._shapes} if (self.now(uid).layer, self.now(uid).level) == (layer, level)
        }
        old: dict[int, str] = {}
        if held is not None:
            units = (self.before.units[uid] for uid in here | self._retired if uid in self.before.units)
            old = {held.position[u.code]: u.uid for u in units if (u.layer, u.level) == (layer, level)}
        if held is not None and all(self._keeps_row(uid) for uid in {*old.values(), *here}):
            return _redrawn(held, {row: self.shape(uid) for row, uid in old.items()})
        new = [(unit.code, unit.name, self.shape(unit.uid)) for unit in map(self.now, sorted(here))]
        kept = [i for i in range(len(held)) if i not in old] if held is not None else []
        rows = [(held.codes[i], held.names[i] if held.names else "", held.geometry[i]) for i in kept] if held else []
        every = [*rows, *new]
        shapes = as_array([shape for _, _, shape in every])
        return Partition(layer, level, tuple(code for code, _, _ in every), shapes, tuple(name for _, name, _ in every))


def _redrawn(held: Partition, shapes: dict[int, Any]) -> Partition:
    """The partition with new shapes at some rows; codes, names and order stay, so nothing is sorted or checked again."""
    geometry = held.geometry.copy()
    for row, shape in shapes.items():
        geometry[row] = shape
    geometry.flags.writeable = False
    after = object.__new__(Partition)
    fields = {"layer": held.layer, "level": held.level, "codes": held.codes, "names": held.names, "geometry": geometry}
    for name, value in fields.items():
        object.__setattr__(after, name, value)
    return after


def _directed(shapes: Sequence[Any], sign: int) -> tuple[Floats, npt.NDArray[np.int64]]:
    """The edges of polygons, smaller vertex first, and the sign with which each runs that way, the polygon on its left."""
    rings = shapely.get_rings(shapely.get_parts(shapely.orient_polygons(as_array(shapes))))
    places, ring = shapely.get_coordinates(rings, return_index=True)
    joined = np.flatnonzero(ring[1:] == ring[:-1])
    a, b = places[joined], places[joined + 1]
    turned = (a[:, 0] > b[:, 0]) | ((a[:, 0] == b[:, 0]) & (a[:, 1] > b[:, 1]))
    rows = np.where(turned[:, None], np.hstack([b, a]), np.hstack([a, b]))
    return rows, np.where(turned, -sign, sign)


def _rank(key: tuple[str, str]) -> tuple[str, int]:
    return key[0], LEVELS.index(key[1])
