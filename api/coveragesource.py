"""Where commands about coverage get theirs: the store, through the same gathering as HTTP, with all that a terminal may see."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

    from data.coverage import LiveCoverage, TownCoverage
    from gis.store.engine import Connection
    from gis.store.live import Live


@dataclass(frozen=True)
class CoverageRequest:
    """The window and thresholds as options name them; None: as the deployment has it."""

    since: datetime | None = None
    until: datetime | None = None
    layer: str = "general"
    revisit_days: float | None = None
    sight_m: float | None = None
    enough: float = 0.8
    tracked_min: float = 0.8


@dataclass(frozen=True)
class OpenCoverage:
    """The coverage of a request, and what it was gathered with."""

    connection: Connection
    live: Live
    kept: LiveCoverage
    found: TownCoverage
    now: datetime
    zone: ZoneInfo


@contextmanager
def coverage_from_store(request: CoverageRequest) -> Iterator[OpenCoverage]:
    """The coverage of a request while its connection is open."""
    from zoneinfo import ZoneInfo

    from api.session import opened
    from api.settings import Settings
    from data.coverage import CoverageWish, LiveCoverage, town_coverage
    from data.coverageground import LiveGround
    from data.evidence import LiveEvidence
    from gis.store.live import Live

    settings = Settings()
    zone, live = ZoneInfo(settings.timezone), Live(2)
    kept = LiveCoverage(LiveEvidence(zone, settings.coverage_days), LiveGround())
    with opened(settings) as engine, engine.connect() as connection:
        now = live.now(connection)
        days, until = request.revisit_days or settings.revisit_days, request.until or now.at
        wish = CoverageWish(
            request.since or until - timedelta(days=days), until, request.layer, days,
            request.sight_m or settings.sight_m, request.enough, request.tracked_min, now.known_at,
        )  # fmt: skip
        yield OpenCoverage(connection, live, kept, town_coverage(connection, live, kept, wish), now.at, zone)
