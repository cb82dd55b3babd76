"""Reshaping: a new common border of two grids."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import shapely

from gis.cutting import Cut, as_array, check_line, check_parts, check_sizes, cut, cut_along, outline_of, united
from gis.errors import GridsApart, GridSwallowed, LineMisses
from gis.grounds import Flow, follow, touch
from gis.noding import Vertex, edges_of
from gis.operations import lines_in
from gis.partition import Unit
from gis.task import Outcome, Task, follows_parents


def reshape(task: Task) -> Outcome:
    """Two grids have a new common border.

    A line that divides their common ground is the border; a line that leads from the old border to the old border replaces what
    lies between. What is on the side of a grid's larger part stays with it.
    """
    one, other = task.grids()
    task.refuse_children([one, other], "grids")
    drawing, line = task.drawing, lines_in(task.operation)[0]
    check_line(line, "line")
    old = [drawing.shape(one.uid), drawing.shape(other.uid)]
    if not touch(*old):
        raise GridsApart(f"{one.code} and {other.code} share no border", place="grids", grid=other.code)
    done = cut(old, [line])
    owners = _sides(done, old) if done.pairs else None
    if owners is None:
        done = cut_along(old, [line])
        owners = _bulges(done, old)
    if owners is None:
        check_parts(cut(old, [line]), united(old), [line], ["line"])
        raise LineMisses("the line does not lead from border to border", place="line")
    drawing.knot(one.layer, done.knots)
    return _given(task, (one, other), done, owners)


def _given(task: Task, units: tuple[Unit, Unit], done: Cut, owners: Sequence[int]) -> Outcome:
    drawing, line = task.drawing, lines_in(task.operation)[0]
    for i, unit in enumerate(units):
        if i not in owners:
            raise GridSwallowed(f"nothing would be left of {unit.code}", place="line", grid=unit.code)
    check_sizes(done.faces[done.divided], "line")
    old = [drawing.shape(unit.uid) for unit in units]
    new = [united(done.faces[np.array(owners) == i]) for i in (0, 1)]
    flows: list[Flow] = []
    if follows_parents(units[0]) and units[0].parent != units[1].parent:
        new, flows = _apart(units, old, new, line)
    for unit, shape in zip(units, new, strict=True):
        drawing.draw(unit.uid, shape)
    follow(drawing, flows, "line", across=task.across)
    return Outcome()


def _apart(
    units: tuple[Unit, Unit], old: Sequence[Any], new: Sequence[Any], line: Sequence[Vertex]
) -> tuple[list[Any], list[Flow]]:
    """The new shapes with a vertex wherever the new border crosses the old, and the ground between them that changes hands."""
    faces = cut_along(old, [line]).faces
    points = shapely.point_on_surface(faces)
    was, now = ([int(shapely.covers(shapes[1], point)) for point in points] for shapes in (old, new))
    before, after = np.array(was), np.array(now)
    moved = [(i, faces[(before == i) & (after == 1 - i)]) for i in (0, 1)]
    flows = [Flow(units[i].uid, units[1 - i].uid, tuple(gone)) for i, gone in moved if len(gone)]
    return [united(faces[after == i]) for i in (0, 1)], flows


def _sides(done: Cut, old: Sequence[Any]) -> list[int] | None:
    """The grid of each face: faces that the line parts are of different grids, so that most ground stays; None if they cannot be."""
    beside: dict[int, list[int]] = defaultdict(list)
    for a, b in done.pairs:
        beside[a].append(b)
        beside[b].append(a)
    owners: dict[int, int] = {}
    for first in sorted(beside):
        if first not in owners:
            side = _two_sides(first, beside)
            if side is None:
                return None
            owners |= _kept(done, old, side)
    rest = set(range(len(done.faces))) - set(owners)
    if any(_is_common(done.faces[i], old) for i in rest):
        return None
    return [owners[i] if i in owners else _owner(done.faces[i], old) for i in range(len(done.faces))]


def _two_sides(first: int, beside: dict[int, list[int]]) -> dict[int, int] | None:
    """0 or 1 for every face that hangs together with the first over the line, another one across it; None if that cannot be."""
    side, queue = {first: 0}, [first]
    for here in queue:
        queue += [there for there in dict.fromkeys(beside[here]) if there not in side]
        side |= {there: 1 - side[here] for there in beside[here] if there not in side}
        if any(side[there] == side[here] for there in beside[here]):
            return None
    return side


def _is_common(face: Any, old: Sequence[Any]) -> bool:
    """Whether both grids have ground in a face."""
    return bool((shapely.area(shapely.intersection(as_array(old), face)) > 0).all())


def _kept(done: Cut, old: Sequence[Any], side: dict[int, int]) -> dict[int, int]:
    """Sides as grids, the way round that leaves more ground where it was."""
    faces = done.faces[list(side)]
    mine, yours = (shapely.area(shapely.intersection(faces, shape)) for shape in old)
    stays = np.where(np.array(list(side.values())) == 0, mine - yours, yours - mine).sum()
    return {i: s if stays >= 0 else 1 - s for i, s in side.items()}


def _owner(face: Any, old: Sequence[Any]) -> int:
    return int(np.argmax(shapely.area(shapely.intersection(as_array(old), face))))


def _bulges(done: Cut, old: Sequence[Any]) -> list[int] | None:
    """The grid of each face when ground between the line and the old common border changes hands; None when there is none."""
    outer = {piece for one in outline_of(old) for piece in pairwise([one[0], *done.knots.get(one, ()), one[1]])}
    outer |= {(b, a) for a, b in outer}
    owners = [_owner(face, old) for face in done.faces]
    bulges = [i for i in done.divided if outer.isdisjoint(edges_of(done.faces[i]))]
    for i in bulges:
        owners[i] = 1 - owners[i]
    return owners if bulges else None
