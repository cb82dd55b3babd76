"""Grounds: pieces of ground change hands between grids of one level, and the levels above follow."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import shapely

from gis.cutting import as_array, check_sizes, cut, united
from gis.drawing import Drawing
from gis.errors import AreaOutside, GridsApart, GridSwallowed, ParentsDiffer
from gis.noding import Vertex, edges_of
from gis.partition import Unit


@dataclass(frozen=True)
class Flow:
    """Ground that went from one grid to another of the same level."""

    giver: str
    taker: str
    ground: tuple[Any, ...]


def rings_of(shapes: Iterable[Any]) -> list[list[Vertex]]:
    """The closed rings of polygons as lines."""
    rings = shapely.get_rings(shapely.get_parts(as_array(list(shapes))))
    return [list(map(tuple, shapely.get_coordinates(ring).tolist())) for ring in rings]


def touch(one: Any, other: Any) -> bool:
    """Whether two polygons share an edge; a corner is not enough."""
    return not set(edges_of(one)).isdisjoint(edges_of(other))


def give(drawing: Drawing, giver: Unit, taker: Unit, ground: Sequence[Any], place: str) -> Flow:
    """What of `ground` lies in `giver` is `taker`'s from now on; all else stays where it was.

    Raises AreaOutside when nothing of it lies there, GridSwallowed when nothing would be left, GridsApart when a piece would
    lie apart from the taker, PieceTooSmall.
    """
    area = united(ground)
    done = cut([drawing.shape(giver.uid)], rings_of([area]))
    gone = shapely.covers(area, shapely.point_on_surface(done.faces))
    given, left = done.faces[gone], done.faces[~gone]
    if not len(given):
        raise AreaOutside(f"the area covers nothing of {giver.code}", place=place, grid=giver.code)
    if not len(left):
        raise GridSwallowed(
            f"nothing would be left of {giver.code}: retire it into {taker.code}", place=place, grid=giver.code
        )
    check_sizes([*given, *left], place)
    drawing.knot(giver.layer, done.knots)
    taken = drawing.shape(taker.uid)
    grown = united([taken, *given])
    if shapely.get_num_geometries(grown) > shapely.get_num_geometries(taken):
        raise GridsApart(
            f"a piece of the area shares no border with {taker.code}: it would lie apart", place=place, grid=taker.code
        )
    drawing.draw(giver.uid, united(left))
    drawing.draw(taker.uid, grown)
    return Flow(giver.uid, taker.uid, tuple(given))


def follow(drawing: Drawing, flows: Sequence[Flow], place: str, *, across: bool) -> None:
    """The levels above have the borders of what lies below again: ground that went from a parent's child to another's is the other's.

    Raises ParentsDiffer when that moves a border and nobody said `across`.
    """
    moved: dict[tuple[str, str], list[Any]] = defaultdict(list)
    for flow in flows:
        giver, taker = drawing.now(flow.giver), drawing.now(flow.taker)
        if giver.parent and taker.parent and giver.parent != taker.parent:
            moved[giver.parent, taker.parent] += flow.ground
    if not moved:
        return
    parents = {uid: drawing.now(uid) for pair in moved for uid in pair}
    if not across:
        one, other = (parents[uid].code for uid in next(iter(moved)))
        raise ParentsDiffer(
            f"this moves the border between {one} and {other}: say so with across_parent: true",
            place="across_parent",
            parents=sorted({one, other}),
        )
    above = [give(drawing, parents[a], parents[b], ground, place) for (a, b), ground in moved.items()]
    follow(drawing, above, place, across=across)


def connected(shapes: Sequence[Any]) -> list[bool]:
    """For each polygon whether it hangs together with the first, over shared edges."""
    edges = [set(edges_of(shape)) for shape in shapes]
    reached = [i == 0 for i in range(len(shapes))]
    held, grown = edges[0], True
    while grown:
        grown = False
        for i, own in enumerate(edges):
            if not reached[i] and not held.isdisjoint(own):
                reached[i], held, grown = True, held | own, True
    return reached
