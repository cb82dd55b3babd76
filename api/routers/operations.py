"""Whether the service is alive, and whether it is ready."""

from __future__ import annotations

from fastapi import APIRouter, Request
from starlette.responses import Response

from api.answers import Json
from api.errors import problem
from gis.errors import GridError
from gis.store.engine import newest_revision, revision
from gis.store.errors import translating

router = APIRouter(tags=["operations"])


@router.get("/healthz", summary="The process lives")
async def healthz() -> Json:
    """200 as long as the process answers; asks nothing of the database."""
    return Json({"status": "ok"}, headers={"Cache-Control": "no-store"})


@router.get("/readyz", summary="The service can answer")
def readyz(request: Request) -> Response:
    """200 when the store answers at this code's revision and the boundaries are loaded, else 503 with what is missing."""
    state = request.app.state
    try:
        with translating(), state.engine.connect() as connection:
            found = revision(connection)
            if found != newest_revision():
                return problem(503, "not-migrated", f"the store is at revision {found}: run gridbeat db migrate")
            boundaries = state.live.state(connection, state.live.now(connection)).boundaries
    except GridError as error:
        return problem(503, "not-ready", error.message)
    grids = {f"{p.layer}/{p.level}": len(p) for p in boundaries.partitions}
    return Json(
        {"status": "ready", "generation": boundaries.generation, "grids": grids}, headers={"Cache-Control": "no-store"}
    )
