"""Boundaries as files: what is in force, or a plan, out; a planner's edited file in, as operations."""

from __future__ import annotations

from email.message import Message
from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Request
from starlette.responses import Response

from api import planbodies
from api.answers import Json
from api.choices import one_of
from api.conditional import Expected, etag
from api.deps import AtMoment, BulkBody, Connection, LiveBoundaries, Viewer, known_parameters
from api.plandeps import DraftsKept, Planner, findings_json, plan_json
from data.exporting import Exported, Wanted, exported
from data.planimport import Fields, import_file, read_sent, told
from gis.crs import WGS84, parse_datum
from gis.partition import LAYERS, LEVELS, Boundaries
from gis.store import plans

router = APIRouter(prefix="/v1", tags=["exchange"], dependencies=[Depends(known_parameters)])

Form = Annotated[
    Literal["geojson", "gpkg", "zip", "kml", "csv", "fgb", "parquet"],
    Query(description="zip: Shapefile with a GB18030 table; csv: codes without shapes"),
]
Layer = Annotated[str | None, Query(description="general, dedicated, micro, frontage or unit")]
Level = Annotated[str | None, Query(description="district, subdistrict, community, grid or micro_grid")]
Crs = Annotated[str | None, Query(description="wgs84, cgcs2000, gcj02, bd09 or EPSG:n")]


def _file(boundaries: Boundaries, f: str, crs: str | None, layer: str | None, level: str | None, stem: str) -> Response:
    one_of(layer, tuple(name for name, _, _ in LAYERS), "layer")
    one_of(level, LEVELS, "level")
    wanted = Wanted(layer, level, parse_datum(crs) if crs else WGS84)
    return _answer(exported(boundaries, f, wanted, stem=stem))


def _answer(made: Exported) -> Response:
    headers = {"Content-Disposition": f'attachment; filename="{made.filename}"'}
    if made.notes:  # header text is Latin-1; notes are English sentences
        headers["Gridbeat-Note"] = "; ".join(made.notes).encode("ascii", "replace").decode()
    return Response(made.body, 200, headers, made.media_type)


@router.get("/export/grids", summary="Boundaries as a file", response_class=Response)
def export_grids(
    _: Viewer,
    connection: Connection,
    boundaries: LiveBoundaries,
    moment: AtMoment,
    f: Form = "geojson",
    crs: Crs = None,
    layer: Layer = None,
    level: Level = None,
) -> Response:
    """The grids in force at a moment, in any of our datums; a note in `Gridbeat-Note` says what the format cannot."""
    state = boundaries.state(connection, moment).boundaries
    return _file(state, f, crs, layer, level, f"grids-{state.generation}")


@router.get("/plans/{plan}/export", summary="A plan's boundaries as a file", response_class=Response)
def export_plan(
    _: Viewer,
    plan: UUID,
    connection: Connection,
    drafts: DraftsKept,
    f: Form = "geojson",
    crs: Crs = None,
    layer: Layer = None,
    level: Level = None,
) -> Response:
    """The grids as the plan draws them: to be looked at, or edited further, in another program."""
    draft = drafts.draft(connection, plans.read(connection, plan))
    return _file(draft.boundaries, f, crs, layer, level, f"plan-{plan}")


@router.post("/plans/{plan}/import", summary="An edited file becomes operations", openapi_extra=planbodies.FILE)
def import_plan(
    request: Request,
    plan: UUID,
    body: BulkBody,
    seen: Expected,
    connection: Connection,
    drafts: DraftsKept,
    who: Planner,
    layer: Annotated[str, Query(description="the layer that the file is the whole of")] = "general",
    level: Level = None,
    match: Annotated[Literal["code", "area"], Query(description="how grids keep their identity")] = "code",
    layer_name: str | None = None,
    code_field: str | None = None,
    name_field: str | None = None,
    parent_field: str | None = None,
    crs: Crs = None,
) -> Json:
    """The file is the whole content of its layer and level. What it changes stands at the end of the plan: as splits, merges, borders
    where that is recognised, else as shapes. With errors of its own it changes nothing, and they are answered.
    """
    one_of(layer, tuple(name for name, _, _ in LAYERS), "layer")
    one_of(level, LEVELS, "level")
    sent = Message()
    sent["content-type"] = request.headers.get("content-type", "")
    fields = Fields(layer, level, layer_name, code_field, name_field, parent_field, crs, match)
    file = read_sent(body, sent.get_content_type(), fields)
    done = import_file(connection, drafts, plan, seen, file, match, who.actor)
    held = plans.read(connection, plan)
    content = {"plan": plan_json(held), "operations": told(done.kinds), "notes": [*file.notes, *done.notes]}
    return Json(content | findings_json(done.findings), 201 if done.last else 422, etag(held.revision))
