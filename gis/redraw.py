"""Redraw: boundaries and an operation give the boundaries after it, lineage, and the operation complete.

Vertices are shared: what is drawn goes into every ring that it meets, and nothing else moves by a bit (`gis.noding`). The completed
operation holds every code, name and uid that was proposed, so the same boundaries and it give the same bytes again: undo is
to carry out all operations but the last.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import shapely

from gis.codes import sequence
from gis.creating import create, set_shapes
from gis.cutting import as_array, check_line, check_parts, check_sizes, cut, united
from gis.drawing import OVER_SEVERAL, Drawing
from gis.errors import GridMissing, GridsApart, OperationInvalid, ParentsDiffer
from gis.grounds import Flow, connected, follow, give, touch
from gis.operations import Operation, lines_in, parse_operation, shape_of
from gis.partition import Boundaries, Unit
from gis.reshaping import reshape
from gis.supersede import Lineage
from gis.task import Outcome, Task, follows_parents


@dataclass(frozen=True)
class Redrawn:
    """Boundaries after an operation (or several: `operations`), what it made of which grid, and whom it touched.

    `touched` are the uids whose shape, code, name or parent changed, at every level, with the created and the retired; `moved`
    those of them whose ground changed (the others may have new vertices in their border). Lineage names only these.
    """

    boundaries: Boundaries
    operation: Operation
    lineage: tuple[Lineage, ...]
    touched: frozenset[str]
    moved: frozenset[str] = frozenset()
    operations: tuple[Operation, ...] = ()


def redraw(
    boundaries: Boundaries,
    operation: Operation,
    *,
    new_uid: Callable[[], str],
    voided: Container[str] = frozenset(),
    profile: str | None = None,
) -> Redrawn:
    """The boundaries after one operation; the ones given are unchanged.

    `profile` names the form of new codes (`gis.codes`); by default cn15 where all codes of the layer and level have its form, else
    external. A code in `voided` is neither proposed nor accepted: a plan passes the codes of its base too, so that none is given
    to another grid. Raises RedrawRefused leaves, CodeInvalid, OperationInvalid; `place` is the member at fault.
    """
    task = Task(Drawing(boundaries), operation, new_uid, voided, profile)
    drawing = task.drawing
    outcome = _CARRIED_OUT[operation.op](task)
    drawing.place_parents()
    drawing.check(_PLACE.get(operation.op, "grid"), free=_is_free(operation))
    complete = parse_operation(operation.completed(**outcome.members).body)
    changed = (Lineage("reshape", uid, uid) for uid in sorted(drawing.moved) if _goes_on(drawing, uid))
    lineage = tuple(dict.fromkeys([*outcome.lineage, *changed]))
    return Redrawn(drawing.finished(), complete, lineage, drawing.touched, frozenset(drawing.moved), (complete,))


def redraw_all(
    boundaries: Boundaries,
    operations: Iterable[Operation],
    *,
    new_uid: Callable[[], str],
    voided: Container[str] = frozenset(),
    profile: str | None = None,
) -> Redrawn:
    """The boundaries after all operations, one after the other; lineage follows them, touched grids are united.

    Without operations the boundaries themselves; `operation` is then an empty `shapes`.
    """
    done = Redrawn(boundaries, Operation("shapes", {"op": "shapes"}), (), frozenset())
    for operation in operations:
        one = redraw(done.boundaries, operation, new_uid=new_uid, voided=voided, profile=profile)
        done = Redrawn(
            one.boundaries,
            one.operation,
            done.lineage + one.lineage,
            done.touched | one.touched,
            done.moved | one.moved,
            done.operations + one.operations,
        )
    return done


#: The member that is at fault when a partition would break.
_PLACE = {
    "split": "lines", "merge": "grids", "reshape": "line", "transfer": "area", "create": "area", "shapes": "shapes",
}  # fmt: skip


def _is_free(operation: Operation) -> bool:
    """Whether a layer may win or lose ground by this operation."""
    if operation.op == "create":
        return operation.body.get("mode") != "carve" or operation.body["layer"] in OVER_SEVERAL
    return operation.op == "shapes" or (operation.op == "retire" and "into" not in operation.body)


def _goes_on(drawing: Drawing, uid: str) -> bool:
    return uid in drawing.before.units and drawing.is_there(uid)


def _parent_code(drawing: Drawing, unit: Unit) -> str | None:
    return drawing.now(unit.parent).code if unit.parent else None


# -- split -------------------------------------------------------------------------------------------------------------


def _split(task: Task) -> Outcome:
    unit = task.grid("grid")
    task.refuse_children([unit], "grid")
    whole, lines = task.drawing.shape(unit.uid), lines_in(task.operation)
    places = [f"lines[{i}]" for i in range(len(lines))]
    for line, place in zip(lines, places, strict=True):
        check_line(line, place)
    done = cut([whole], lines)
    check_parts(done, whole, lines, places)
    check_sizes(done.faces[done.divided], "lines")
    parts = _parts(done.faces, done.divided)
    return _divided(task, unit, parts, done.knots)


def _parts(faces: Any, divided: Sequence[int]) -> list[Any]:
    """The parts in the order of the codes; bodies that no line divides go with the nearest one that a line does."""
    held = {i: [faces[i]] for i in divided}
    for i in sorted(set(range(len(faces))) - set(divided)):
        nearest = min(held, key=lambda k: (shapely.distance(faces[k], faces[i]), k))
        held[nearest].append(faces[i])
    parts = as_array([united(some) for some in held.values()])
    return list(parts[sequence(inner_points(parts))])


def inner_points(shapes: Any) -> Any:
    """An inner point of every polygon, (n, 2): what decides the order of codes."""
    return shapely.get_coordinates(shapely.point_on_surface(shapes))


def _divided(task: Task, unit: Unit, parts: Sequence[Any], knots: Any) -> Outcome:
    drawing = task.drawing
    given = {member: _of_length(task, member, len(parts)) for member in ("codes", "names", "uids")}
    share = shapely.area(as_array(parts)) / shapely.area(drawing.shape(unit.uid))
    drawing.retire(unit.uid)
    new: list[Unit] = []
    for i, part in enumerate(parts):
        code = task.new_code(given["codes"][i], unit, _parent_code(drawing, unit), f"codes[{i}]")
        name = given["names"][i]
        name = (f"{unit.name}-{i + 1}" if unit.name else "") if name is None else name
        new.append(replace(unit, uid=task.uid(given["uids"][i]), code=code, name=name))
        drawing.write(new[-1])
        drawing.draw(new[-1].uid, part)
    drawing.knot(unit.layer, knots)
    lineage = tuple(Lineage("split", unit.uid, part.uid, float(one)) for part, one in zip(new, share, strict=True))
    members = {"codes": [u.code for u in new], "names": [u.name for u in new], "uids": [u.uid for u in new]}
    return Outcome(members, lineage)


def _of_length(task: Task, member: str, number: int) -> list[str | None]:
    given = task.body.get(member)
    if given is None:
        return [None] * number
    if len(given) != number:
        raise OperationInvalid(
            f"the lines make {number} parts (west to east, north first), but there are {len(given)} {member}",
            place=member,
        )
    return list(given)


# -- merge, retire -----------------------------------------------------------------------------------------------------


def _merge(task: Task) -> Outcome:
    units = task.grids()
    drawing = task.drawing
    if follows_parents(units[0]) and len({unit.parent for unit in units}) > 1:
        raise ParentsDiffer(
            "grids of different parents are not merged: give one another parent first (reparent)",
            place="grids",
            parents=sorted({_parent_code(drawing, unit) or "" for unit in units}),
        )
    shapes = [drawing.shape(unit.uid) for unit in units]
    for i, reached in enumerate(connected(shapes)):
        if not reached:
            raise GridsApart(
                f"{units[i].code} shares no border with the others (a corner is none)",
                place=f"grids[{i}]",
                grid=units[i].code,
            )
    whole = united(shapes)
    heir, members = _heir(task, units, shapes)
    return Outcome(members, _absorbed(drawing, heir, units, whole))


def _heir(task: Task, units: Sequence[Unit], shapes: Sequence[Any]) -> tuple[Unit, dict[str, Any]]:
    """The grid that the merged ones become: `into`, or a new one."""
    name = task.body.get("name")
    if "into" in task.body:
        heir = next((unit for unit in units if task.body["into"] in {unit.code, unit.uid}), None)
        if heir is None:
            raise GridMissing("into names one of the grids that are merged", place="into", grid=task.body["into"])
        heir = replace(heir, name=heir.name if name is None else name)
        return heir, {"name": heir.name}
    largest = units[int(np.argmax(shapely.area(as_array(shapes))))]
    code = task.new_code(task.body.get("code"), largest, _parent_code(task.drawing, largest), "code")
    uid = task.uid(task.body.get("uid"))
    heir = replace(largest, uid=uid, code=code, name=largest.name if name is None else name)
    return heir, {"name": heir.name, "code": code, "uid": uid}


def _absorbed(drawing: Drawing, heir: Unit, units: Sequence[Unit], whole: Any) -> tuple[Lineage, ...]:
    """The heir has the whole ground, the others are gone, their children are its own."""
    gone = [unit for unit in units if unit.uid != heir.uid]
    orphans = [child for child in drawing.children(unit.uid for unit in gone) if child.layer == "general"]
    for unit in gone:
        drawing.retire(unit.uid)
    drawing.write(heir)
    drawing.draw(heir.uid, whole)
    for child in orphans:
        drawing.write(replace(child, parent=heir.uid))
    return tuple(Lineage("merge", unit.uid, heir.uid, 1.0) for unit in gone)


def _retire(task: Task) -> Outcome:
    unit, drawing = task.grid("grid"), task.drawing
    if "into" not in task.body:
        if follows_parents(unit):
            raise OperationInvalid(
                f"{unit.code} is of layer {unit.layer}: name the neighbour that gets its ground (into)", place="into"
            )
        drawing.retire(unit.uid)
        return Outcome(lineage=(Lineage("retire", unit.uid, None),))
    heir = task.grid("into")
    task.same_level(unit, heir, "into")
    ground = drawing.shape(unit.uid)
    if not touch(ground, drawing.shape(heir.uid)):
        raise GridsApart(f"{heir.code} shares no border with {unit.code}", place="into", grid=heir.code)
    if follows_parents(unit):
        follow(drawing, [Flow(unit.uid, heir.uid, (ground,))], "into", across=task.across)
    whole = united([drawing.shape(unit.uid), drawing.shape(heir.uid)])
    return Outcome(lineage=_absorbed(drawing, heir, [unit, heir], whole))


# -- transfer ----------------------------------------------------------------------------------------------------------


def _transfer(task: Task) -> Outcome:
    giver, taker = task.grid("from"), task.grid("to")
    task.same_level(giver, taker, "to")
    task.refuse_children([giver, taker], "from")
    flow = give(task.drawing, giver, taker, [shape_of(task.body["area"])], "area")
    if follows_parents(giver):
        follow(task.drawing, [flow], "area", across=task.across)
    return Outcome()


# -- rename, recode, reparent ------------------------------------------------------------------------------------------


def _rename(task: Task) -> Outcome:
    unit = task.grid("grid")
    task.drawing.write(replace(unit, name=task.body["name"]))
    return Outcome(lineage=(Lineage("rename", unit.uid, unit.uid),))


def _recode(task: Task) -> Outcome:
    unit = task.grid("grid")
    code = task.new_code(task.body.get("code"), unit, _parent_code(task.drawing, unit), "code")
    task.drawing.write(replace(unit, code=code))
    return Outcome({"code": code}, (Lineage("recode", unit.uid, unit.uid),))


def _reparent(task: Task) -> Outcome:
    """The parents' border follows; a grid whose parent is another than before must touch the new one."""
    unit, parent, drawing = task.grid("grid"), task.grid("parent"), task.drawing
    if (parent.layer, parent.level) != ("general", drawing.above(unit.level)):
        raise GridMissing(
            f"{parent.code} is a {parent.level} of layer {parent.layer}; the parent of {unit.code} is a "
            f"{drawing.above(unit.level) or 'grid that is not there'}",
            place="parent",
            grid=parent.code,
        )
    if follows_parents(unit) and unit.parent and unit.parent != parent.uid:
        ground = drawing.shape(unit.uid)
        above = give(drawing, drawing.now(unit.parent), parent, [ground], "parent")
        follow(drawing, [above], "parent", across=True)
    further = tuple(uid for uid in (unit.parent, *unit.further_parents) if uid and uid != parent.uid)
    drawing.write(replace(unit, parent=parent.uid, further_parents=() if follows_parents(unit) else further))
    return Outcome(lineage=(Lineage("reparent", unit.uid, unit.uid),))


_CARRIED_OUT: dict[str, Callable[[Task], Outcome]] = {
    "split": _split,
    "merge": _merge,
    "reshape": reshape,
    "transfer": _transfer,
    "create": create,
    "retire": _retire,
    "rename": _rename,
    "recode": _recode,
    "reparent": _reparent,
    "shapes": set_shapes,
}
