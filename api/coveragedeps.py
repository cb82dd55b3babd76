"""What routes about coverage ask for: the coverage of a window, with its parameters checked."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Annotated

from fastapi import Depends, Query, Request

from api.answers import NO_CURSOR, from_cursor, to_cursor
from api.deps import Connection, LiveBoundaries, SettingsInForce, Viewer, demand, instant
from data.coverage import CoverageWish, LiveCoverage, TownCoverage, town_coverage
from data.report import parse_time
from gis.errors import ParameterInvalid, TimeInvalid

#: A window of the future holds nothing yet.
AHEAD = timedelta(minutes=2)
#: A process keeps evidence for few sights: they are not to be told apart by a hair.
SIGHT_STEP_M = 5.0


def live_coverage(request: Request) -> LiveCoverage:
    """The process's evidence of patrols."""
    found: LiveCoverage = request.app.state.coverage
    return found


CoverageKept = Annotated[LiveCoverage, Depends(live_coverage)]


def coverage_wish(
    request: Request,
    who: Viewer,
    connection: Connection,
    boundaries: LiveBoundaries,
    given: SettingsInForce,
    begin: Annotated[
        str | None, Query(alias="from", description="RFC 3339 with offset; a revisit interval before `to` if left out")
    ] = None,
    end: Annotated[
        str | None, Query(alias="to", description="RFC 3339 with offset; not itself; now if left out")
    ] = None,
    known_at: Annotated[str | None, Query(description="boundaries as the system knew them at")] = None,
    layer: Annotated[str, Query(description="whose grids")] = "general",
    revisit_days: Annotated[
        float | None, Query(gt=0, le=366, description="places without an interval of their own")
    ] = None,
    sight_m: Annotated[
        float | None,
        Query(ge=5, le=500, description="how far a member sees; another than the deployment's: dispatcher"),
    ] = None,
    enough: Annotated[float, Query(gt=0, le=1, description="share of a street that makes it seen")] = 0.8,
    tracked_min: Annotated[float, Query(gt=0, le=1, description="tracked share below which nothing is missed")] = 0.8,
) -> CoverageWish:
    """The window and the thresholds; the deployment's own where they are left out.

    Who may not see where members are cannot follow them by what was seen from second to second: for them windows begin and end with
    full hours, and recency is told in whole days. Another sight has all days read again, and is for those who dispatch.
    """
    exact = who.may("dispatcher")
    if sight_m is not None and sight_m != given.sight_m:
        demand(who, "dispatcher")
        if sight_m % SIGHT_STEP_M:
            raise ParameterInvalid(f"sight_m is a multiple of {SIGHT_STEP_M:g}", place="sight_m")
    now = boundaries.now(connection)
    days = given.revisit_days if revisit_days is None else revisit_days
    page = page_start(request.query_params.get("cursor"))
    until = instant(end, "to") or (page[1] if page else now.at)
    if until > now.at + AHEAD:
        raise ParameterInvalid("to lies in the future: nobody was anywhere yet", place="to")
    until = until if exact else _full_hour(until)
    since = instant(begin, "from") or _before(until, days)
    since = since if exact else _full_hour(since)
    return CoverageWish(
        since, until, layer, days, given.sight_m if sight_m is None else sight_m, enough, tracked_min,
        instant(known_at, "known_at") or now.known_at, exact,
    )  # fmt: skip


def page_cursor(key: int, wish: CoverageWish) -> str:
    """The cursor of a page that begins after a key: all pages are of one window, however long their reader takes."""
    return to_cursor(key, wish.end.isoformat())


def page_start(cursor: str | None) -> tuple[int, datetime] | None:
    """The key after which a page begins, and the end of its window; None for the first. ParameterInvalid for a foreign cursor."""
    parts = from_cursor(cursor, int, str)
    if parts is None:
        return None
    if not 0 <= parts[0] < 1 << 62:
        raise ParameterInvalid(NO_CURSOR, place="cursor")
    try:
        return parts[0], parse_time(parts[1], "cursor")
    except TimeInvalid:
        raise ParameterInvalid(NO_CURSOR, place="cursor") from None


def _full_hour(at: datetime) -> datetime:
    return at.replace(minute=0, second=0, microsecond=0)


def _before(until: datetime, days: float) -> datetime:
    try:
        return until - timedelta(days=days)
    except OverflowError:
        raise ParameterInvalid("to lies before all time", place="to") from None


AskedWindow = Annotated[CoverageWish, Depends(coverage_wish, scope="function")]


def _coverage(
    connection: Connection, boundaries: LiveBoundaries, kept: CoverageKept, wish: AskedWindow
) -> TownCoverage:
    """The coverage of the window that is asked for."""
    return town_coverage(connection, boundaries, kept, wish)


AskedCoverage = Annotated[TownCoverage, Depends(_coverage, scope="function")]
