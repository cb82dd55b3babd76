"""What routes about coverage ask for: the coverage of a window, with its parameters checked."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Annotated

from fastapi import Depends, Query, Request

from api.deps import Connection, LiveBoundaries, SettingsInForce, instant
from data.coverage import CoverageWish, LiveCoverage, TownCoverage, town_coverage
from gis.errors import ParameterInvalid

#: A window of the future holds nothing yet.
AHEAD = timedelta(minutes=2)


def live_coverage(request: Request) -> LiveCoverage:
    """The process's evidence of patrols."""
    found: LiveCoverage = request.app.state.coverage
    return found


CoverageKept = Annotated[LiveCoverage, Depends(live_coverage)]


def coverage_wish(
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
    sight_m: Annotated[float | None, Query(ge=5, le=500, description="how far a member sees")] = None,
    enough: Annotated[float, Query(gt=0, le=1, description="share of a street that makes it seen")] = 0.8,
    tracked_min: Annotated[float, Query(gt=0, le=1, description="tracked share below which nothing is missed")] = 0.8,
) -> CoverageWish:
    """The window and the thresholds; the deployment's own where they are left out."""
    now = boundaries.now(connection)
    days = given.revisit_days if revisit_days is None else revisit_days
    until = instant(end, "to") or now.at
    if until > now.at + AHEAD:
        raise ParameterInvalid("to lies in the future: nobody was anywhere yet", place="to")
    since = instant(begin, "from") or _before(until, days)
    return CoverageWish(
        since, until, layer, days, given.sight_m if sight_m is None else sight_m, enough, tracked_min,
        instant(known_at, "known_at") or now.known_at,
    )  # fmt: skip


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
