"""`/v1/coverage`: what patrols saw, what is overdue, what can be certified."""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal

from fastapi import APIRouter, Depends, Query
from starlette.background import BackgroundTask
from starlette.responses import Response

from api.answers import GeoJson, Json, collection
from api.coveragedeps import AskedCoverage, CoverageKept, page_cursor, page_start
from api.deps import BBox, Connection, LiveBoundaries, Member, SettingsInForce, Viewer, demand, known_parameters
from api.memory import give_back
from data.coverage import TownCoverage
from data.coverageanswers import Narrowing, by_grid, by_site, by_street, head, totals
from data.coveragecells import by_cell
from data.overdue import MOST_AHEAD, OverdueWish, certificate_json, deadlines, overdue_json
from gis.duetimes import DUE_STATES
from gis.errors import ParameterInvalid

router = APIRouter(tags=["coverage"], dependencies=[Depends(known_parameters)])

#: Where people live, which shops are looked after and which streets were walked is for those who work there; cells of metres tell
#: where somebody was.
NEEDED: Final = {"place": "member", "household": "member", "street": "member", "cell": "dispatcher"}
Limit = Annotated[int, Query(ge=1, le=10_000)]


@router.get("/v1/coverage", summary="What patrols saw in a window, and what nobody can say")
def coverage(
    who: Viewer,
    found: AskedCoverage,
    bbox: BBox,
    by: Literal["grid", "street", "place", "household", "cell"] = "grid",
    grid: Annotated[str | None, Query(description="code or uid: this grid alone")] = None,
    cell_m: Annotated[float, Query(ge=5, le=5_000, description="side of a cell in metres, a multiple of 5")] = 50.0,
    limit: Limit = 1_000,
    cursor: str | None = None,
) -> Response:
    """Figures with numerator and denominator; states visited, missed, unknown (nobody was tracked: never missed, never 0)."""
    demand(who, NEEDED.get(by, "viewer"))
    if by == "grid":
        return Json(by_grid(found, grid))
    return GeoJson(_features(found, by, Narrowing(grid, bbox, _after(cursor), limit), cell_m))


def _features(found: TownCoverage, by: str, wanted: Narrowing, cell_m: float) -> dict[str, Any]:
    if by == "cell":
        return collection(by_cell(found, wanted, cell_m), **head(found, by), cell_m=cell_m)
    if by == "street":
        features, last = by_street(found, wanted)
    else:
        features, last = by_site(found, wanted, households=by == "household")
    return collection(
        features, None if last is None else page_cursor(last, found.wish), **head(found, by), **totals(found)
    )


def _after(cursor: str | None) -> int:
    page = page_start(cursor)
    return page[0] if page else 0


@router.get("/v1/coverage/overdue", summary="What is overdue, and what will be")
def overdue(
    who: Viewer,
    found: AskedCoverage,
    by: Literal["place", "household", "street"] = "place",
    state: Annotated[
        str, Query(description="which of overdue, unknown, soon, due; parted by commas")
    ] = "overdue,unknown,soon",
    grid: Annotated[str | None, Query(description="code or uid: this grid alone")] = None,
    ahead_days: Annotated[int, Query(ge=1, le=MOST_AHEAD, description="how far is looked ahead")] = 2,
    limit: Limit = 100,
    cursor: str | None = None,
) -> Json:
    """Worst first. `soon`: due within `ahead_days`, and unlikely to be visited before, by the last weeks; `forecast` says how often
    such a word came true. `unknown`: overdue as far as anybody knows, its members were not tracked.
    """
    demand(who, NEEDED[by])
    wanted = OverdueWish(_states(state), grid, _after(cursor), limit)
    body, following = overdue_json(deadlines(found, by, ahead_days), wanted)
    return Json(body | {"next": None if following is None else page_cursor(following, found.wish)})


def _states(text: str) -> tuple[str, ...]:
    states = tuple(part.strip() for part in text.split(","))
    unknown = [part for part in states if part not in DUE_STATES]
    if unknown:
        raise ParameterInvalid(f"state is of {', '.join(DUE_STATES)}, not {unknown[0]!r}", place="state")
    return states


@router.get("/v1/coverage/certificate", summary="What can be certified of a cycle", response_class=Response)
def certificate(
    _: Member,
    found: AskedCoverage,
    connection: Connection,
    boundaries: LiveBoundaries,
    given: SettingsInForce,
    f: Annotated[
        Literal["json", "html", "pdf"], Query(description="figures, printable page, or sheets of A4")
    ] = "json",
    lang: Literal["zh", "en"] | None = None,
) -> Response:
    """As of `to`: the share of places visited on time of those known, the share unknown, the oldest place, each grid."""
    now = boundaries.now(connection).at
    if f == "json":
        return Json(certificate_json(found, now))
    from data.certificate import certificate_view
    from maps.certificate import render_html, render_pdf

    view = certificate_view(found, now, given.zone, lang or given.language)
    after = BackgroundTask(give_back)
    if f == "pdf":
        name = 'inline; filename="gridbeat-certificate.pdf"'
        return Response(render_pdf(view), 200, {"Content-Disposition": name}, "application/pdf", after)
    return Response(render_html(view), media_type="text/html; charset=utf-8", background=after)


@router.get("/v1/members/{code}/next", summary="What a member should walk next")
def what_next(
    who: Member,
    code: str,
    connection: Connection,
    boundaries: LiveBoundaries,
    kept: CoverageKept,
    given: SettingsInForce,
    minutes: Annotated[float | None, Query(ge=0, le=1_440, description="what is left of the shift if left out")] = None,
    lon: Annotated[
        float | None, Query(ge=-180, le=180, description="start, WGS 84; the last known place if left out")
    ] = None,
    lat: Annotated[float | None, Query(ge=-90, le=90)] = None,
    seed: Annotated[int | None, Query(ge=0, lt=2**53, description="the member's and the day's own if left out")] = None,
    service_minutes: Annotated[float, Query(ge=0, le=120, description="what a place takes")] = 5.0,
    layer: str = "general",
    revisit_days: Annotated[float | None, Query(gt=0, le=366)] = None,
) -> Json:
    """The walk over the streets that clears the most debt in the time: how overdue x how much happens there x the minutes it takes.
    Each stop says why it is there. The same seed gives the same walk. It begins at the member's last known place for those who may see
    that (dispatchers), for others in the middle of the grid unless a start is given.
    """
    if (lon is None) != (lat is None):
        raise ParameterInvalid("a start needs both lon and lat", place="lon")
    from data.nextwalk import NextWish, asked_for, next_walk_json

    start = None if lon is None or lat is None else (lon, lat)
    wish = NextWish(code, minutes, start, seed, service_minutes, is_seen=who.may("dispatcher"))
    asked = asked_for(boundaries.now(connection).at, layer, revisit_days or given.revisit_days, given.sight_m)
    return Json(next_walk_json(connection, boundaries, kept, wish, asked, given.zone))
