"""Creating: new grids drawn over others or carved out of them, and the shapes of a whole file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import shapely

from gis.crs import area_m2
from gis.cutting import as_array, check_sizes, cut, faces_within, united
from gis.drawing import OVER_SEVERAL, Drawing
from gis.errors import AreaOutside, GridMissing, GridSwallowed, GroundTaken, OperationInvalid
from gis.findings import ERROR_M2, m2_text, polygonal
from gis.grounds import Flow, follow, rings_of
from gis.noding import Net, edges_of
from gis.operations import shape_of
from gis.partition import Unit
from gis.supersede import Lineage, parents_by_place
from gis.task import Outcome, Task


def create(task: Task) -> Outcome:
    """A new grid has the area: over other layers (`overlay`), or taken from the grids that have it (`carve`).

    An overlay layer (dedicated, frontage) is carved out of the general grids of its level, any other out of its own. Slivers up
    to 1 m2 that the area shares with grids of its own layer and level stay theirs.
    """
    body, drawing = task.body, task.drawing
    kind = Unit("", "", body.get("name", ""), body["layer"], body["level"])
    carve = body.get("mode", "overlay") == "carve"
    area = shapely.normalize(shape_of(body["area"]))
    check_sizes([area], "area")
    shape, taken = _fitted(task, kind, area, from_own=carve and kind.layer not in OVER_SEVERAL)
    if carve and kind.layer in OVER_SEVERAL:
        shape, taken = _carved_below(task, kind, shape)
    if carve and not taken:
        raise AreaOutside("there is no ground to carve this out of: draw it as an overlay", place="area")
    new = _placed(task, kind, shape)
    code = task.new_code(body.get("code"), new, drawing.now(new.parent).code if new.parent else None, "code")
    new = replace(new, uid=task.uid(body.get("uid")), code=code)
    drawing.write(new)
    drawing.draw(new.uid, shape)
    if kind.layer not in OVER_SEVERAL:
        follow(drawing, [replace(flow, taker=new.uid) for flow in taken], "area", across=task.across)
    parent = {"parent": drawing.now(new.parent).code} if new.parent else {}
    made = {"uid": new.uid, "code": code, "name": new.name, **parent}
    return Outcome(made, (Lineage("create", None, new.uid),))


def _fitted(task: Task, kind: Unit, area: Any, *, from_own: bool) -> tuple[Any, list[Flow]]:
    """The area noded with the grids of its layer and level: what nobody has, or with `from_own` what they give up."""
    drawing = task.drawing
    near = drawing.near(kind.layer, kind.level, as_array([area]))
    shapes = [drawing.shape(uid) for uid in near]
    net = Net([one for shape in shapes for one in edges_of(shape)])
    for ring in rings_of([area]):
        net.lay(ring)
    faces = faces_within(net.pieces(net.edges))
    points = shapely.point_on_surface(faces)
    faces, points = (some[shapely.covers(area, points)] for some in (faces, points))
    owner = np.full(len(faces), -1)
    for i, shape in enumerate(shapes):
        owner[shapely.covers(shape, points)] = i
    if not from_own:
        _refuse_taken(drawing, near, faces[owner >= 0], owner[owner >= 0])
    chosen = (owner >= 0) == from_own  # carved is what grids give up; drawn is what nobody has
    faces, owner = faces[chosen], owner[chosen]
    if not len(faces) and from_own:
        raise AreaOutside("there is no ground to carve this out of: draw it as an overlay", place="area")
    if not len(faces):
        raise GroundTaken("all of this ground belongs to others of the layer and level: carve it out", place="area")
    drawing.knot(kind.layer, net.inserted)
    flows = []
    for i in np.unique(owner[owner >= 0]).tolist():
        flows += [_given_up(task, drawing.now(near[i]), faces[owner == i])]
    return united(faces), flows


def _refuse_taken(drawing: Drawing, near: Sequence[str], faces: Any, owner: Any) -> None:
    for i in np.unique(owner).tolist():
        m2 = float(area_m2(faces[owner == i]).sum())
        if m2 > ERROR_M2:
            code = drawing.now(near[i]).code
            raise GroundTaken(
                f"{code} of the same layer and level has {m2_text(m2)} of this area: carve it out, or draw beside it",
                place="area",
                grid=code,
            )


def _given_up(task: Task, giver: Unit, gone: Any) -> Flow:
    """The giver keeps the rest; GridSwallowed when there is none."""
    task.refuse_children([giver], "area")
    drawing = task.drawing
    held = cut([drawing.shape(giver.uid)], rings_of([united(gone)]))
    left = held.faces[~shapely.covers(united(gone), shapely.point_on_surface(held.faces))]
    if not len(left):
        raise GridSwallowed(f"nothing would be left of {giver.code}", place="area", grid=giver.code)
    check_sizes([*gone, *left], "area")
    drawing.knot(giver.layer, held.knots)
    drawing.draw(giver.uid, united(left))
    return Flow(giver.uid, giver.uid, tuple(gone))


def _carved_below(task: Task, kind: Unit, shape: Any) -> tuple[Any, list[Flow]]:
    """The shape, with a vertex wherever it crosses a border of the general grids, which no longer have this ground."""
    drawing = task.drawing
    near = drawing.near("general", kind.level, as_array([shape]))
    shapes = [drawing.shape(uid) for uid in near]
    rings = rings_of([shape])
    net = Net([one for other in shapes for one in edges_of(other)])
    for ring in rings:
        net.lay(ring)
    faces = faces_within(net.pieces(net.edges))
    faces = faces[shapely.covers(shape, shapely.point_on_surface(faces))]
    whole = united(faces)
    drawing.knot("general", net.inserted)
    drawing.knot(kind.layer, _new_vertices(shape, whole))
    flows = []
    for uid, other in zip(near, shapes, strict=True):
        gone = faces[shapely.covers(other, shapely.point_on_surface(faces))]
        if len(gone):
            flows.append(_given_up(task, drawing.now(uid), gone))
    return whole, flows


def _new_vertices(old: Any, new: Any) -> dict[Any, Any]:
    """The knots that make the rings of `old` those of `new`, which have the same vertices and more."""
    net = Net(edges_of(old))
    for ring in rings_of([new]):
        net.lay(ring)
    return net.inserted


def _placed(task: Task, kind: Unit, shape: Any) -> Unit:
    """The new grid with the parent given, else by place; AreaOutside when it lies beyond."""
    drawing, level = task.drawing, task.drawing.above(kind.level)
    if "parent" in task.body:
        parent = task.grid("parent")
        if (parent.layer, parent.level) != ("general", level):
            raise GridMissing(
                f"{parent.code} is a {parent.level}, but the next wider level is {level}",
                place="parent",
                grid=parent.code,
            )
    elif level is None:
        return kind
    held = drawing.before.partition("general", level or "")
    by_place = parents_by_place(as_array([shape]), held)[0] if held is not None else ()
    uids = [drawing.before.by_code[code].uid for code in by_place]
    if not uids:
        raise AreaOutside(f"the area lies in no {level}: there is nothing to create it in", place="area")
    if "parent" in task.body:
        uids = [parent.uid, *(uid for uid in uids if uid != parent.uid)]
    if kind.layer in OVER_SEVERAL:
        return replace(kind, parent=uids[0], further_parents=tuple(uids[1:]))
    _refuse_beyond(drawing, uids[0], shape)
    return replace(kind, parent=uids[0])


def _refuse_beyond(drawing: Drawing, parent: str, shape: Any) -> None:
    beyond = polygonal(shapely.difference(shape, drawing.shape(parent)))
    m2 = float(area_m2(as_array([beyond]))[0])
    if m2 > ERROR_M2:
        code = drawing.now(parent).code
        raise AreaOutside(f"{m2_text(m2)} of the area lie beyond its parent {code}", place="area", grid=code)


# -- shapes ------------------------------------------------------------------------------------------------------------


def set_shapes(task: Task) -> Outcome:
    """Grids of one layer and level have the shapes given, new ones are there, others gone.

    Free: ground may be lost or won, but what results is a partition (else PartitionBroken). Parents keep their shapes; what then
    lies beyond them the topology check finds.
    """
    drawing, body = task.drawing, task.body
    kept = {drawing.unit(code, f"shapes.{code}"): shape_of(shape) for code, shape in body.get("shapes", {}).items()}
    gone = [drawing.unit(code, f"retire[{i}]") for i, code in enumerate(body.get("retire", []))]
    every = [*kept, *gone]
    if len({unit.uid for unit in every}) < len(every):
        raise OperationInvalid("a grid gets one shape, or is retired", place="shapes")
    layer = body.get("layer", every[0].layer if every else "general")
    level = body.get("level", every[0].level if every else "grid")
    for unit in every:
        if (unit.layer, unit.level) != (layer, level):
            raise GridMissing(f"{unit.code} is not of layer {layer}, level {level}", place="shapes", grid=unit.code)
    for unit in gone:
        drawing.retire(unit.uid)
    for unit, shape in kept.items():
        drawing.draw(unit.uid, shapely.normalize(shape))
    made = [_made(task, Unit("", "", "", layer, level), one, i) for i, one in enumerate(body.get("create", []))]
    created = tuple(Lineage("create", None, one["uid"]) for one in made)
    return Outcome({"create": made} if made else {}, (*created, *(Lineage("retire", unit.uid, None) for unit in gone)))


def _made(task: Task, kind: Unit, given: dict[str, Any], i: int) -> dict[str, Any]:
    drawing, shape = task.drawing, shapely.normalize(shape_of(given["geometry"]))
    parent = drawing.unit(given["parent"], f"create[{i}].parent") if "parent" in given else None
    held = drawing.before.above(kind.level)
    if parent is None and held is not None:
        placed = parents_by_place(as_array([shape]), held)[0]
        parent = drawing.before.by_code[placed[0]] if placed else None
    code = task.new_code(given.get("code"), kind, parent.code if parent else None, f"create[{i}].code")
    uid = task.uid(given.get("uid"))
    drawing.write(replace(kind, uid=uid, code=code, name=given.get("name", ""), parent=parent.uid if parent else None))
    drawing.draw(uid, shape)
    return (
        given | {"uid": uid, "code": code, "name": given.get("name", "")} | ({"parent": parent.code} if parent else {})
    )
