"""What the routes of plans share: the drafts and loads of the process, and how a plan looks outside."""

from __future__ import annotations

from typing import Annotated, Any
from uuid import UUID

import numpy as np
import orjson
import shapely
from fastapi import Depends, Request

from api.answers import Json, feature
from api.conditional import etag
from api.deps import at_least
from api.settings import Caller
from data.plans import Draft, Drafts, Standing, standing
from gis.errors import ParameterInvalid
from gis.findings import Finding, summary
from gis.partition import Boundaries
from gis.store import plans
from gis.store.engine import Connection
from gis.store.plans import StoredOperation, StoredPlan
from gis.store.townloads import LiveLoads


async def drafts_of(request: Request) -> Drafts:
    """The process's drafts."""
    found: Drafts = request.app.state.drafts
    return found


async def loads_of(request: Request) -> LiveLoads:
    """The process's loads."""
    found: LiveLoads = request.app.state.loads
    return found


DraftsKept = Annotated[Drafts, Depends(drafts_of)]
LoadsKept = Annotated[LiveLoads, Depends(loads_of)]
Planner = Annotated[Caller, Depends(at_least("planner"))]


def text_of(body: dict[str, Any], name: str, longest: int) -> str:
    """A text that must be there and say something."""
    value = body.get(name)
    if not isinstance(value, str) or not value.strip() or len(value) > longest or "\0" in value:
        raise ParameterInvalid(f"{name} is a text of 1 to {longest} characters", place=name)
    return value.strip()


def only(body: dict[str, Any], *members: str) -> None:
    """Returns if the body has no other members than these."""
    unknown = sorted(set(body) - set(members))
    if unknown:
        raise ParameterInvalid(f"there is no member {unknown[0]}; members are {', '.join(members)}", place=unknown[0])


def count_of(body: dict[str, Any], name: str, default: int | None, least: int = 1) -> int | None:
    """A small whole number, or the default."""
    value = body.get(name, default)
    if value is not None and (not isinstance(value, int) or isinstance(value, bool) or not least <= value <= 100_000):
        raise ParameterInvalid(f"{name} is a whole number from {least} on", place=name)
    return value


def plan_json(plan: StoredPlan) -> dict[str, Any]:
    """A plan without its operations."""
    return {name: value for name, value in vars(plan).items() if name != "newest"}


def operation_json(one: StoredOperation) -> dict[str, Any]:
    """An operation with its complete body."""
    return {
        "number": one.number, "step": one.step, "op": one.op, "operation": one.body, "author": one.author,
        "made_at": one.made_at,
    }  # fmt: skip


def standing_json(one: Standing) -> dict[str, Any]:
    """Whether the plan could be published on the newest generation, and if not, why."""
    return {"base": one.base, "newest_generation": one.newest, "conflict": one.conflict}


def whole_plan(connection: Connection, drafts: Drafts, plan: UUID, status: int = 200, **more: Any) -> Json:
    """The answer to every read and write of a plan: how it stands, with its operations, and the ETag of its revision."""
    found = plans.read(connection, plan)
    done, undone = plans.read_line(connection, found)
    content = plan_json(found) | {
        "operations": [operation_json(one) for one in done],
        "redoable": [operation_json(one) for one in undone],
        "standing": standing_json(standing(connection, drafts, found)),
        "reviews": plans.read_reviews(connection, plan),
    }
    headers = etag(found.revision) | ({"Location": f"/v1/plans/{plan}"} if status == 201 else {})
    return Json(content | more, status, headers)


def findings_json(findings: list[Finding]) -> dict[str, Any]:
    """Findings as `gridbeat check --report` writes them."""
    return {"summary": summary(findings), "findings": [finding.as_json() for finding in findings]}


def grids_of(draft: Draft, layer: str | None, level: str | None, *, changed: bool) -> list[dict[str, Any]]:
    """The grids of the draft as Features, by layer, level and code; with `changed` only those that the plan changes.

    `change` is created, reshaped, changed (its code, name or parent alone), or None; retired grids stand last, as they were.
    """
    wanted = [uid for uid in draft.boundaries.units if not changed or uid in draft.changed]
    gone = [uid for uid in draft.changed if uid not in draft.boundaries.units and uid in draft.base.units]
    there = [_grid(draft.boundaries, uid, _change(draft, uid)) for uid in wanted]
    retired = [_grid(draft.base, uid, "retired") for uid in gone]
    listed = [
        one
        for one in (*there, *retired)
        if layer in {None, one["properties"]["layer"]} and level in {None, one["properties"]["level"]}
    ]
    return sorted(listed, key=_place_in_list)


def _place_in_list(one: dict[str, Any]) -> tuple[bool, str, str, bytes]:
    told = one["properties"]
    return told["change"] == "retired", told["layer"], told["level"], told["code"].encode()


def _change(draft: Draft, uid: str) -> str | None:
    if uid not in draft.base.units:
        return "created"
    if uid not in draft.changed:
        return None
    return "reshaped" if draft.base.shapes[uid] is not draft.boundaries.shapes[uid] else "changed"


def _grid(boundaries: Boundaries, uid: str, change: str | None) -> dict[str, Any]:
    unit = boundaries.units[uid]
    parent = boundaries.units.get(unit.parent or "")
    shape = np.asarray(shapely.to_geojson(boundaries.shapes[uid])).item()
    properties = {
        "uid": uid, "code": unit.code, "name": unit.name, "layer": unit.layer, "level": unit.level,
        "parent": parent.code if parent else None, "change": change,
    }  # fmt: skip
    return feature(unit.code, orjson.Fragment(shape), properties)
