"""`/maps/...`: folium pages and pictures, with local assets only."""

from __future__ import annotations

from typing import Annotated, Literal
from uuid import UUID
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Depends, Query
from starlette.background import BackgroundTask
from starlette.responses import Response

from api.coveragedeps import AskedCoverage, CoverageKept
from api.deps import (
    AtMoment,
    BBox,
    Connection,
    LiveBoundaries,
    SettingsInForce,
    Viewer,
    instant,
    interval,
    known_parameters,
)
from api.memory import give_back
from api.plandeps import DraftsKept, LoadsKept
from data.mapview import MapWish, grids_view
from data.planmap import PlanWish
from data.planmap import plan_map as drawn_plan
from gis.errors import ParameterInvalid
from gis.store.events import EventFilter
from gis.store.plans import read as read_plan

#: 64 MB while it is drawn.
MOST_PIXELS = 16_000_000

router = APIRouter(prefix="/maps", tags=["maps"], dependencies=[Depends(known_parameters)])


@router.get("/grids", summary="Grids and the reports upon them", response_class=Response)
def grids_map(
    who: Viewer,
    connection: Connection,
    boundaries: LiveBoundaries,
    moment: AtMoment,
    given: SettingsInForce,
    bbox: BBox,
    f: Annotated[Literal["html", "png"], Query(description="page or picture")] = "html",
    layer: str | None = None,
    when: Annotated[str | None, Query(alias="datetime", description="begin/end of occurred_at; .. is open")] = None,
    category: str | None = None,
    channel: str | None = None,
    status: Literal["open", "closed"] | None = None,
    collapse: Annotated[bool, Query(description="true: linked duplicates count once, by the earliest")] = False,
    lang: Literal["zh", "en"] | None = None,
    width: Annotated[int, Query(ge=400, le=8_000)] = 1_600,
    height: Annotated[int, Query(ge=300, le=8_000)] = 1_131,
) -> Response:
    """The grids in force at a moment, by layer, with reports counted by grid; as a page or a PNG."""
    from maps.grids import render_html, render_png

    _few_pixels(f, width, height)
    begin, end = interval(when)
    wanted = EventFilter(
        bbox, begin, end, layer=layer, category=category, channel=channel, status=status, collapse=collapse
    )
    wish = MapWish(wanted, ZoneInfo(given.timezone), layer, lang or given.language, notes=who.may("member"))
    view = grids_view(connection, boundaries.state(connection, moment), moment, wish)
    if f == "png":
        return Response(render_png(view, width, height), media_type="image/png", background=BackgroundTask(give_back))
    return Response(render_html(view), media_type="text/html; charset=utf-8", background=BackgroundTask(give_back))


@router.get("/coverage", summary="Who saw what when, what is overdue, where nobody can say", response_class=Response)
def coverage_map(
    who: Viewer,
    connection: Connection,
    found: AskedCoverage,
    kept: CoverageKept,
    given: SettingsInForce,
    f: Annotated[Literal["html", "png"], Query(description="page or picture")] = "html",
    by: Annotated[Literal["grid", "street"], Query(description="what is coloured")] = "grid",
    day: Annotated[
        str | None, Query(description="RFC 3339 with offset: whose tracks; the window's last if left out")
    ] = None,
    lang: Literal["zh", "en"] | None = None,
    width: Annotated[int, Query(ge=400, le=8_000)] = 2_400,
    height: Annotated[int, Query(ge=300, le=8_000)] = 1_697,
) -> Response:
    """Recency by grid and street, states, the overdue list (members), the tracks of a day (dispatchers); as a page or a PNG."""
    from data.coveragemap import CoverageMapWish, coverage_view
    from maps.coverage import render_html, render_png

    _few_pixels(f, width, height)
    wish = CoverageMapWish(
        ZoneInfo(given.timezone), lang or given.language, names=who.may("member"), positions=who.may("dispatcher"), day=instant(day, "day")
    )  # fmt: skip
    view = coverage_view(connection, kept, found, wish)
    after = BackgroundTask(give_back)
    if f == "png":
        return Response(render_png(view, width, height, by=by), media_type="image/png", background=after)
    return Response(render_html(view, by=by), media_type="text/html; charset=utf-8", background=after)


def _few_pixels(f: str, width: int, height: int) -> None:
    if f == "png" and width * height > MOST_PIXELS:
        raise ParameterInvalid(f"a picture has at most {MOST_PIXELS:,} pixels, not {width} x {height}", place="width")


@router.get("/plans/{plan}", summary="A plan before and after", response_class=Response)
def plan_map(
    _: Viewer,
    plan: UUID,
    connection: Connection,
    drafts: DraftsKept,
    loads: LoadsKept,
    given: SettingsInForce,
    f: Annotated[Literal["html", "png", "pdf"], Query(description="page, picture, or printable A3 sheet")] = "html",
    layer: str | None = None,
    lang: Literal["zh", "en"] | None = None,
    width: Annotated[int, Query(ge=400, le=4_800)] = 2_400,
) -> Response:
    """Before and after, ground and events that change hands, the table of changes; as a page, a PNG or a PDF."""
    from maps.plan import render_html, render_pdf, render_png

    wish = PlanWish(ZoneInfo(given.timezone), layer, lang or given.language)
    view = drawn_plan(connection, drafts, loads, read_plan(connection, plan), wish)
    after = BackgroundTask(give_back)
    if f == "pdf":
        name = f'inline; filename="gridbeat-plan-{plan}.pdf"'
        return Response(render_pdf(view), 200, {"Content-Disposition": name}, "application/pdf", after)
    if f == "png":
        return Response(render_png(view, width), media_type="image/png", background=after)
    return Response(render_html(view), media_type="text/html; charset=utf-8", background=after)
