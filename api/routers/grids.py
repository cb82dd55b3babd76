"""`/v1/grids` and `/v1/generations`: boundaries, at any moment."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Query

from api.answers import GeoJson, Json, code_cursor, collection, grid_feature, number_cursor, to_cursor
from api.deps import AtMoment, BBox, Connection, LiveBoundaries, Viewer, known_parameters
from gis.errors import GridUnknown
from gis.store.boundaries import GridFilter, find_grid, grid_history, list_grids
from gis.store.generations import list_generations

router = APIRouter(prefix="/v1", tags=["boundaries"], dependencies=[Depends(known_parameters)])

Limit = Annotated[int, Query(ge=1, le=10_000)]


@router.get("/grids", summary="Grids at a moment")
def grids(
    _: Viewer,
    connection: Connection,
    moment: AtMoment,
    bbox: BBox,
    layer: str | None = None,
    level: str | None = None,
    parent: Annotated[str | None, Query(description="code or uid of the grid above")] = None,
    q: Annotated[str | None, Query(max_length=100, description="part of a code or name")] = None,
    limit: Limit = 100,
    cursor: str | None = None,
) -> GeoJson:
    """A page of grids by code, as GeoJSON; `next` is the cursor of the following page."""
    after = code_cursor(cursor)
    rows = list_grids(connection, moment, GridFilter(layer, level, parent, bbox, q, limit + 1, after))
    more = to_cursor(rows[limit - 1]["code"]) if len(rows) > limit else None
    return GeoJson(collection(map(grid_feature, rows[:limit]), more))


@router.get("/grids/{name}", summary="One grid by code or uid")
def grid(_: Viewer, name: str, connection: Connection, moment: AtMoment, boundaries: LiveBoundaries) -> GeoJson:
    """The grid with its shape and path; a voided code answers 410 with its successors."""
    row = find_grid(connection, moment, name)
    path = boundaries.state(connection, moment).boundaries.path(row["code"])
    return GeoJson(grid_feature(row | {"path": path}))


@router.get("/grids/{name}/history", summary="All that was ever known of a grid")
def history(_: Viewer, name: str, connection: Connection) -> Json:
    """Shapes, codes, names, parents with their valid and recorded times, and the lineage."""
    return Json(grid_history(connection, name))


@router.get("/grids/{name}/neighbours", summary="The grids that touch one, in its layer and level")
def neighbours(_: Viewer, name: str, connection: Connection, moment: AtMoment, boundaries: LiveBoundaries) -> Json:
    """Codes of the neighbours, and how many metres of border are shared (0: a corner only)."""
    row = find_grid(connection, moment, name)
    partition = boundaries.state(connection, moment).boundaries.partition(row["layer"], row["level"])
    if partition is None or row["code"] not in partition.position:
        raise GridUnknown(f"grid {name} has no neighbours at this moment", place=name)
    return Json({"grid": row["code"], "neighbours": partition.neighbours(row["code"])})


@router.get("/generations", summary="Published generations, newest first")
def generations(_: Viewer, connection: Connection, limit: Limit = 100, cursor: str | None = None) -> Json:
    """Number, when published, when in effect, by whom, and what changed."""
    before = number_cursor(cursor)
    found = list_generations(connection, limit + 1, before)
    more = to_cursor(found[limit - 1].number) if len(found) > limit else None
    return Json({"generations": [vars(one) for one in found[:limit]], "next": more})
