"""`/v1/plans`: drafts of boundaries, edited operation by operation, undone, forked and talked about."""

from __future__ import annotations

from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Depends, Query

from api import planbodies
from api.answers import GeoJson, Json, collection, feature, id_cursor, to_cursor
from api.choices import one_of
from api.conditional import Expected, etag
from api.deps import Connection, JsonObject, Viewer, known_parameters
from api.plandeps import (
    DraftsKept,
    Planner,
    count_of,
    findings_json,
    grids_of,
    only,
    operation_json,
    plan_json,
    text_of,
    whole_plan,
)
from data import plans as drawing
from data.planfindings import plan_findings
from gis.errors import ParameterInvalid
from gis.partition import LAYERS, LEVELS
from gis.store import plans

router = APIRouter(prefix="/v1/plans", tags=["plans"], dependencies=[Depends(known_parameters)])

State = Literal["draft", "submitted", "approved", "published", "withdrawn"]
Limit = Annotated[int, Query(ge=1, le=1_000)]
LONGEST_TITLE = 200
LONGEST_COMMENT = 4_000


@router.post("", status_code=201, summary="Begin a plan", openapi_extra=planbodies.PLAN)
def begin(body: JsonObject, connection: Connection, drafts: DraftsKept, who: Planner) -> Json:
    """An empty draft on the newest generation; the `ETag` is what every write wants as `If-Match`."""
    only(body, "title")
    made = drawing.begin(connection, text_of(body, "title", LONGEST_TITLE), who.actor)
    return whole_plan(connection, drafts, made.id, 201)


@router.get("", summary="Plans, newest first")
def listed(
    _: Viewer, connection: Connection, state: State | None = None, limit: Limit = 100, cursor: str | None = None
) -> Json:
    """Title, state, base and revision of each, without their operations."""
    found = plans.list_plans(connection, state, limit + 1, id_cursor(cursor))
    more = to_cursor(found[limit - 1].id) if len(found) > limit else None
    return Json({"plans": [plan_json(one) for one in found[:limit]], "next": more})


@router.get("/{plan}", summary="A plan with its operations")
def read(_: Viewer, plan: UUID, connection: Connection, drafts: DraftsKept) -> Json:
    """State, operations in force and those that can be redone, reviews, and how it stands to what was published since."""
    return whole_plan(connection, drafts, plan)


@router.post("/{plan}/operations", summary="One edit", openapi_extra=planbodies.OPERATION)
def operate(
    plan: UUID, body: JsonObject, seen: Expected, connection: Connection, drafts: DraftsKept, who: Planner
) -> Json:
    """The operation as it was completed (codes, names, uids), and the findings of what the plan touches; 412 when stale, 422 when the
    boundaries do not allow it, 409 when what the plan touched was published anew meanwhile.
    """
    applied = drawing.apply(connection, drafts, plan, body, seen, who.actor)
    content = {
        "plan": plan_json(applied.plan),
        "operation": operation_json(applied.operation),
        "changed": sorted(_codes(applied.draft, applied.draft.by_step[-1])),
        **findings_json(plan_findings(connection, applied.draft)),
    }
    return Json(content, 201, etag(applied.plan.revision))


def _codes(draft: drawing.Draft, uids: frozenset[str]) -> set[str]:
    units = (draft.boundaries.units.get(uid) or draft.base.units.get(uid) for uid in uids)
    return {unit.code for unit in units if unit is not None}


@router.post("/{plan}/undo", summary="Take the last edits back", openapi_extra=planbodies.STEPS)
def undo(plan: UUID, body: JsonObject, seen: Expected, connection: Connection, drafts: DraftsKept, _: Planner) -> Json:
    """So many `steps` (1) are no longer in force; they can be redone until another operation is made."""
    only(body, "steps")
    drawing.undo(connection, plan, seen, count_of(body, "steps", 1) or 1)
    return whole_plan(connection, drafts, plan)


@router.post("/{plan}/redo", summary="Bring edits back", openapi_extra=planbodies.STEPS)
def redo(plan: UUID, body: JsonObject, seen: Expected, connection: Connection, drafts: DraftsKept, _: Planner) -> Json:
    """So many `steps` (1) that were undone are in force again."""
    only(body, "steps")
    drawing.redo(connection, plan, seen, count_of(body, "steps", 1) or 1)
    return whole_plan(connection, drafts, plan)


@router.post("/{plan}/fork", status_code=201, summary="A new plan from this one", openapi_extra=planbodies.FORK)
def fork(plan: UUID, body: JsonObject, connection: Connection, drafts: DraftsKept, who: Planner) -> Json:
    """A draft of its own with the first `step` operations (those in force); this plan stays as it is."""
    only(body, "title", "step")
    step = count_of(body, "step", None, least=0)
    made = drawing.fork(connection, plan, text_of(body, "title", LONGEST_TITLE), who.actor, step)
    return whole_plan(connection, drafts, made.id, 201)


@router.get("/{plan}/grids", summary="The boundaries as the plan draws them")
def grids(
    _: Viewer,
    plan: UUID,
    connection: Connection,
    drafts: DraftsKept,
    layer: str | None = None,
    level: str | None = None,
    changed: Annotated[bool, Query(description="true: only grids that the plan changes, retired ones too")] = False,
) -> GeoJson:
    """Every grid of the draft with what the plan does to it."""
    one_of(layer, tuple(name for name, _, _ in LAYERS), "layer")
    one_of(level, LEVELS, "level")
    draft = drafts.draft(connection, plans.read(connection, plan))
    return GeoJson(collection(grids_of(draft, layer, level, changed=changed)))


@router.get("/{plan}/findings", summary="What is wrong or doubtful")
def findings(_: Viewer, plan: UUID, connection: Connection, drafts: DraftsKept) -> Json:
    """Findings about the grids that the plan touched; errors block publishing, warnings need a word."""
    return Json(findings_json(plan_findings(connection, drafts.draft(connection, plans.read(connection, plan)))))


@router.get("/{plan}/comments", summary="What was said about a plan")
def comments(_: Viewer, plan: UUID, connection: Connection) -> GeoJson:
    """Comments as GeoJSON, oldest first; one on the plan as a whole has no geometry."""
    plans.read(connection, plan)
    rows = plans.read_comments(connection, plan)
    return GeoJson(
        collection(
            feature(
                row["id"],
                None if row["lon"] is None else {"type": "Point", "coordinates": [row["lon"], row["lat"]]},
                {name: row[name] for name in ("text", "author", "made_at")},
            )
            for row in rows
        )
    )


@router.post(
    "/{plan}/comments", status_code=201, summary="Say something about a plan", openapi_extra=planbodies.COMMENT
)
def comment(plan: UUID, body: JsonObject, seen: Expected, connection: Connection, who: Planner) -> Json:
    """A text at a place (lon, lat), or on the plan as a whole."""
    only(body, "text", "lon", "lat")
    held = plans.hold(connection, plan, seen)
    after = plans.comment(connection, held, text_of(body, "text", LONGEST_COMMENT), _place(body), who.actor)
    return Json(plan_json(after), 201, etag(after.revision))


def _place(body: dict[str, Any]) -> tuple[float, float] | None:
    if "lon" not in body and "lat" not in body:
        return None
    lon, lat = body.get("lon"), body.get("lat")
    numbers = [one for one in (lon, lat) if isinstance(one, int | float) and not isinstance(one, bool)]
    if len(numbers) != 2 or not (abs(numbers[0]) <= 180 and abs(numbers[1]) <= 90):
        raise ParameterInvalid("lon and lat are degrees, WGS 84, and come together", place="lon")
    return float(numbers[0]), float(numbers[1])
