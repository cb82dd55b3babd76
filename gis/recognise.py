"""Recognise: what a planner did to a file of grids, as operations that do the same to our boundaries.

The file is laid on ours (`gis.snapping`): what differs by rounding is no change. Grids that changed fall into groups that exchanged
ground; each group is tried as a split, a merge, a new border, transfers, new grids carved out. What is found is carried out
and compared with the file, so a guess that does not give the file's shapes is not told; the rest becomes one `shapes`.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from copy import copy
from dataclasses import dataclass, field
from itertools import count
from typing import Any, Final

import numpy as np
import shapely

from gis.errors import GridError, PartitionBroken
from gis.findings import polygonal_each
from gis.operations import parse_operation
from gis.partition import Boundaries, Geometries, Partition
from gis.recogniseguesses import Group, geojson, guesses, transfers
from gis.redraw import redraw_all
from gis.snapping import NOISE, ON, settled, with_vertices
from gis.supersede import Incoming, overlaps, same_shape

Body = dict[str, Any]

#: Groups of more grids than this are told as shapes: nobody reads hundreds of transfers.
MOST_IN_GROUP: Final = 40


def recognise(before: Boundaries, incoming: Incoming) -> list[Body]:
    """Operations (JSON bodies) that make of `before` what the file says, in an order in which they can be carried out.

    Names, codes and parents in the file that differ from ours are told too; a name equal to the code, or a missing parent, says
    nothing. Shapes come out as the file's up to 2 cm, where our vertices stay; those of a new division (most grids changed, and
    not told) to the bit. `match` is that of the file; a code that one of our grids has stays with it. Raises what `gis.redraw`
    raises when the file's grids are no partition.
    """
    work = _Work(before, incoming)
    left = [group for group in work.groups() if not _told(work, group)]
    if left:
        work = _with_shapes(work, left)
    work.carry_out([*_names(work), *_codes(work), *_parents(work)])
    if left and incoming.layer == "general":
        _follow(work)
    return work.told


@dataclass
class _Work:
    """The boundaries as they are after the operations told so far, beside what the file wants."""

    state: Boundaries
    incoming: Incoming
    told: list[Body] = field(default_factory=list)
    to_the_bit: bool = False
    _uids: Iterator[int] = field(default_factory=count)

    def __post_init__(self) -> None:
        self.before = self.state
        self.base = frozenset(unit.code for unit in self.state.units.values())
        self.old = self.partition()
        self.wanted = _wanted(self.incoming.geometry, self.old.geometry)
        self.origin = _origins(self.old, self.incoming, self.wanted)
        self.index = {code: j for j, code in enumerate(self.incoming.codes)}

    def partition(self) -> Partition:
        """The grids of the file's layer and level as they are now."""
        layer, level = self.incoming.layer, self.incoming.level
        return self.state.partition(layer, level) or Partition(layer, level, (), np.empty(0, dtype=object))

    def after(self, bodies: list[Body]) -> Boundaries:
        """The boundaries once these are carried out. Raises what `gis.redraw` raises."""
        done = redraw_all(
            self.state,
            [parse_operation(body) for body in bodies],
            new_uid=lambda: f"recognised-{next(self._uids)}",
            voided=self.base,
        )
        return done.boundaries

    def carry_out(self, bodies: list[Body]) -> None:
        """These are told, and the boundaries are those after them."""
        self.state = self.after(bodies)
        self.told += bodies

    def code_now(self, j: int) -> str:
        """The code that grid j of the file has in the boundaries until recodes are told."""
        origin = self.origin[j]
        return self.incoming.codes[j] if origin is None else origin

    def groups(self) -> list[Group]:
        """The grids that changed, in groups that exchanged ground, each with its whole identity in one group."""
        i, j = _shared(self.old.geometry, self.wanted)
        same = _same_ground(self.old, self.wanted, i, j, self.origin)
        leader = list(range(len(self.old) + len(self.wanted)))

        def leading(k: int) -> int:
            while leader[k] != k:
                leader[k] = leader[leader[k]]
                k = leader[k]
            return k

        for a, b in zip(i.tolist(), j.tolist(), strict=True):
            leader[leading(len(self.old) + b)] = leading(a)
        for b, code in enumerate(self.origin):  # one that is somewhere else altogether is one grid all the same
            if code is not None:
                leader[leading(len(self.old) + b)] = leading(self.old.position[code])
        members: dict[int, tuple[list[int], list[int]]] = defaultdict(lambda: ([], []))
        for k in range(len(leader)):
            a, b = (k, -1) if k < len(self.old) else (-1, k - len(self.old))
            if a not in same.values() and b not in same:
                members[leading(k)][b >= 0].append(max(a, b))
        return [self._group(olds, news) for olds, news in members.values()]

    def _group(self, olds: list[int], news: list[int]) -> Group:
        units = [self.state.by_code[self.old.codes[i]] for i in olds]
        kept = {self.origin[j] for j in news}
        return Group(
            layer=self.incoming.layer,
            level=self.incoming.level,
            old={self.old.codes[i]: self.old.geometry[i] for i in olds},
            new={self.code_now(j): self.wanted[j] for j in news},
            created=frozenset(self.code_now(j) for j in news if self.origin[j] is None),
            retired=tuple(self.old.codes[i] for i in olds if self.old.codes[i] not in kept),
            names={self.code_now(j): self.incoming.names[j] for j in news},
            parents={self.code_now(j): parent for j in news if (parent := self.incoming.parents[j]) is not None},
            across=len({unit.parent for unit in units}) > 1,
        )


def _wanted(given: Geometries, ours: Geometries) -> Geometries:
    """The file's shapes laid on ours. Where two of its vertices were nearer than noise to one of ours, its borders are joined again."""
    if not len(ours):
        return given
    laid = settled(given, ours)
    if shapely.coverage_is_valid(given) and not shapely.coverage_is_valid(laid):
        laid = np.asarray(shapely.coverage_clean(laid), dtype=object)
    return laid


def _origins(old: Partition, incoming: Incoming, wanted: Geometries) -> list[str | None]:
    """For each grid of the file the code of ours that it continues: by code, then (match `area`) by the largest shared ground."""
    origin: list[str | None] = [code if code in old.position else None for code in incoming.codes]
    if incoming.match == "area" and len(old):
        used = {code for code in origin if code is not None}
        i, j, share = overlaps(old.geometry, wanted)
        for k in np.argsort(-share * shapely.area(old.geometry)[i], kind="stable"):
            code = old.codes[i[k]]
            if origin[j[k]] is None and code not in used:
                origin[j[k]] = code
                used.add(code)
    return origin


def _shared(old: Geometries, new: Geometries) -> tuple[Any, Any]:
    """Pairs that share more ground than noise: something is left of it when NOISE is taken off all round."""
    if not len(old) or not len(new):
        return np.empty(0, np.intp), np.empty(0, np.intp)
    i, j = shapely.STRtree(new).query(old, predicate="intersects")
    common = polygonal_each(shapely.intersection(old[i], new[j]))
    there = ~shapely.is_empty(shapely.buffer(common, -NOISE, join_style="mitre"))
    return i[there], j[there]


def _same_ground(old: Partition, new: Geometries, i: Any, j: Any, origin: list[str | None]) -> dict[int, int]:
    """File's grid -> ours, for pairs with one ground and one identity that share ground with nobody else."""
    once_i, once_j = np.bincount(i, minlength=len(old)) == 1, np.bincount(j, minlength=len(new)) == 1
    alone = np.flatnonzero(once_i[i] & once_j[j]).tolist() if len(i) else []
    return {
        int(j[k]): int(i[k]) for k in alone if origin[j[k]] == old.codes[i[k]] and alike(old.geometry[i[k]], new[j[k]])
    }


def alike(one: Any, other: Any) -> bool:
    """Whether two shapes have the same ground up to noise."""
    if shapely.is_empty(one) or shapely.is_empty(other):
        return bool(shapely.is_empty(one) and shapely.is_empty(other))
    return bool(shapely.hausdorff_distance(shapely.boundary(one), shapely.boundary(other)) <= 2 * NOISE)


def _told(work: _Work, group: Group) -> bool:
    """Whether a guess gives the group's shapes; then it is carried out and told."""
    if len(group.old) + len(group.new) > MOST_IN_GROUP:
        return False
    for guess in guesses(group):
        bodies = _completed(work, group, guess)
        if bodies is not None:
            work.carry_out(bodies)
            return True
    return False


def _completed(work: _Work, group: Group, bodies: list[Body]) -> list[Body] | None:
    """The guess with the transfers it still needs, or None where it does not lead to the file's shapes."""
    try:
        if bodies and bodies[0]["op"] == "split":
            bodies = [group.named(bodies[0], _at(work, work.after(bodies)))]
        state = work.after(bodies)
        # In a file that overlaps itself two grids would take the same ground from each other for ever.
        while more := [body for body in transfers(group, _at(work, state)) if body not in bodies]:
            first = _first_possible(work, bodies, more)
            if first is None:
                return None
            bodies, state = first
    except GridError:
        return None
    shapes = _at(work, state)
    gone = all(code not in shapes for code in group.old if code not in group.new)
    return (
        bodies if gone and all(code in shapes and alike(shapes[code], new) for code, new in group.new.items()) else None
    )


def _first_possible(work: _Work, bodies: list[Body], more: list[Body]) -> tuple[list[Body], Boundaries] | None:
    for body in more:
        try:
            return [*bodies, body], work.after([*bodies, body])
        except GridError:
            continue
    return None


def _at(work: _Work, state: Boundaries) -> dict[str, Any]:
    held = state.partition(work.incoming.layer, work.incoming.level)
    return dict(zip(held.codes, held.geometry, strict=True)) if held is not None else {}


# -- the rest ----------------------------------------------------------------------------------------------------------


def _with_shapes(work: _Work, left: list[Group]) -> _Work:
    """The work with the groups that no guess gave set as they are in the file.

    Where they do not meet what was told vertex for vertex, all of the file is set instead. Where they are most of the file it is
    a new division: it is set as it came, to the bit, for borders that lie on ours by chance are not ours.
    """
    given = work.incoming.geometry
    if 2 * sum(len(group.new) for group in left) > len(given) and shapely.coverage_is_valid(given):
        return _set_whole(work, given, to_the_bit=True)
    try:
        work.carry_out([_shapes(work, left)])
    except PartitionBroken:
        if not shapely.coverage_is_valid(work.wanted):
            raise
        return _set_whole(work, work.wanted)
    return work


def _set_whole(work: _Work, shapes: Geometries, *, to_the_bit: bool = False) -> _Work:
    """The work begun anew, with all of the file set at once."""
    anew = copy(work)
    anew.state, anew.told, anew.wanted, anew.to_the_bit = work.before, [], shapes, to_the_bit
    anew.carry_out([_whole_file(anew)])
    return anew


def _whole_file(work: _Work) -> Body:
    kept = {code: geojson(shape) for code, shape in zip(work.origin, work.wanted, strict=True) if code is not None}
    created = [code for code, origin in zip(work.incoming.codes, work.origin, strict=True) if origin is None]
    return {
        "op": "shapes", "layer": work.incoming.layer, "level": work.incoming.level, "shapes": kept,
        "create": [_created(work, code, work.wanted[work.index[code]]) for code in created],
        "retire": [code for code in work.old.codes if code not in kept],
    }  # fmt: skip


def _shapes(work: _Work, groups: list[Group]) -> Body:
    """One operation that sets the shapes of all these groups, with the new vertices in the rings of their neighbours."""
    new = {code: shape for group in groups for code, shape in group.new.items()}
    gone = [code for group in groups for code in group.retired]
    others = {c: s for c, s in _at(work, work.state).items() if c not in new and c not in gone}
    held = np.array([*others.values()], dtype=object)
    drawn = _array(list(new.values()))
    drawn = settled(drawn, held) if len(held) else drawn
    near = (
        sorted(set(shapely.STRtree(held).query(drawn, predicate="dwithin", distance=NOISE)[1].tolist()))
        if len(held)
        else []
    )
    dense = with_vertices(held[near], shapely.get_coordinates(drawn), ON) if near else held[:0]
    created = frozenset().union(*(group.created for group in groups))
    wanted = dict(zip(new, drawn, strict=True))
    codes = list(others)
    shapes = {code: shape for code, shape in wanted.items() if code not in created}
    for k, shape in zip(near, dense, strict=True):
        if shapely.get_num_coordinates(shape) != shapely.get_num_coordinates(held[k]):
            shapes[codes[k]] = shape
    body: Body = {"op": "shapes", "layer": work.incoming.layer, "level": work.incoming.level}
    body["shapes"] = {code: geojson(shape) for code, shape in shapes.items()}
    if created:
        body["create"] = [_created(work, code, wanted[code]) for code in sorted(created, key=str.encode)]
    return body | ({"retire": sorted(gone, key=str.encode)} if gone else {})


def _array(shapes: list[Any]) -> Geometries:
    held = np.empty(len(shapes), dtype=object)
    held[:] = shapes
    return held


def _created(work: _Work, code: str, shape: Any) -> Body:
    j = work.index[code]
    body: Body = {"code": code, "name": work.incoming.names[j], "geometry": geojson(shape)}
    parent = work.incoming.parents[j]
    return body if parent is None else body | {"parent": parent}


def _follow(work: _Work) -> None:
    """The levels above have the borders of their grids again, where `shapes`, which leaves them, moved ground from one to another."""
    level, equal = work.incoming.level, same_shape if work.to_the_bit else alike
    while (above := work.state.above(level)) is not None:
        below = work.state.partition("general", level)
        children: dict[str, list[Any]] = defaultdict(list)
        for code, shape in zip(below.codes, below.geometry, strict=True) if below is not None else ():
            children[work.state.units[work.state.by_code[code].parent or ""].code].append(shape)
        unions = {code: shapely.coverage_union_all(_array(held)) for code, held in children.items()}
        held = dict(zip(above.codes, above.geometry, strict=True))
        moved = [code for code, union in unions.items() if not equal(union, held[code])]
        if not moved:
            return
        near = [c for c, union in unions.items() if any(shapely.dwithin(union, unions[m], NOISE) for m in moved)]
        shapes = {c: geojson(unions[c]) for c in near if not same_shape(unions[c], held[c])}
        work.carry_out([{"op": "shapes", "layer": "general", "level": above.level, "shapes": shapes}])
        level = above.level


def _names(work: _Work) -> Iterator[Body]:
    for j, name in enumerate(work.incoming.names):
        unit = work.state.by_code[work.code_now(j)]
        if name and name != unit.name and name != work.incoming.codes[j]:
            yield {"op": "rename", "grid": unit.code, "name": name}


def _codes(work: _Work) -> Iterator[Body]:
    for j, code in enumerate(work.incoming.codes):
        if work.code_now(j) != code:
            yield {"op": "recode", "grid": work.code_now(j), "code": code}


def _parents(work: _Work) -> Iterator[Body]:
    for j, code in enumerate(work.incoming.codes):
        unit, parent = work.state.by_code[work.code_now(j)], work.incoming.parents[j]
        held = work.state.units.get(unit.parent or "")
        if parent is not None and (held is None or held.code != parent):
            yield {"op": "reparent", "grid": code, "parent": parent}
