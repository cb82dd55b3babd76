"""What campaigns and spot checks ask of the evidence of patrols: visits, ground and duty in a period; how long ago grids were seen."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np

from data.coverage import CoverageWish, LiveCoverage, town_coverage
from data.evidence import TownEvidence, instant64, utc
from gis.cellframe import Seen
from gis.cellowners import CellOwners
from gis.coverage import tracked
from gis.fixes import Ints, Times
from gis.shares import Shares
from gis.store.engine import Connection
from gis.store.evidence import grid_duty
from gis.store.live import Live


@dataclass(frozen=True)
class TownCampaignEvidence:
    """The evidence of patrols as campaigns ask it (`data.campaigns.CampaignEvidence`); what lies before it is not known."""

    connection: Connection
    live: Live
    kept: LiveCoverage
    found: TownEvidence

    def visits(self, places: Sequence[str], begin: datetime, end: datetime) -> tuple[Ints, Times]:
        """Every visit to these places in [begin, end): (a position in `places`, the first instant of the visit in the window)."""
        town, visits = self.found.town, self.found.evidence.visits
        asked = {uid: i for i, uid in enumerate(places)}
        position = np.array([asked.get(one["uid"], -1) for one in town.places], np.int64)
        position = np.append(position, np.full(len(town.households) + 1, -1))
        low, high = instant64(begin), instant64(end)
        rows = np.flatnonzero((visits.begin < high) & (visits.end >= low) & (position[visits.place] >= 0))
        return position[visits.place[rows]], np.maximum(visits.begin[rows], low)

    def tracked(self, layer: str, grids: Sequence[str], begin: datetime, end: datetime) -> Shares:  # noqa: ARG002 - the grids are of it
        """Of each of these grids the seconds of duty in which its members' ways are known, over all their duty."""
        duty, owners = grid_duty(self.connection, begin, end)
        position = {uid: i for i, uid in enumerate(grids)}
        seconds = (duty.end - duty.begin).view(np.int64) / 1e6
        owner = np.array([position.get(uid, -1) for uid in owners], np.int64)
        return tracked(tuple(grids), owner, self.found.evidence.tracked_s(duty), seconds)

    def ground(self, layer: str, begin: datetime, end: datetime) -> Sequence[tuple[CellOwners, Seen, Sequence[str]]]:
        """The window cut where boundaries change: whose cells are, which were seen, and the uid of each of the owners' codes."""
        known_at = self.live.now(self.connection).known_at
        parts = self.kept.ground.stretches(self.connection, self.live, self.found, layer, begin, end, known_at)
        self.kept.evidence.walks(self.connection, self.found, *(one.end64 for one in parts))
        return [(one.cells, self.found.evidence.seen(one.begin64, one.end64), one.uids()) for one in parts]


def campaign_evidence(
    connection: Connection, live: Live, kept: LiveCoverage, sight_m: float
) -> TownCampaignEvidence | None:
    """The evidence as it is now; None where no grids are in force."""
    if not len(live.state(connection, live.now(connection)).index):
        return None
    return TownCampaignEvidence(connection, live, kept, kept.evidence.evidence(connection, live, sight_m))


def grid_recency(
    connection: Connection, live: Live, kept: LiveCoverage, sight_m: float, layer: str, at: datetime | None
) -> dict[str, float | None] | None:
    """Grid (uid) -> how many days before `at` (None: now) its streets were last seen; None: never, or nobody knows.

    None for all where there are no grids of the layer or no streets, and for an instant that evidence does not reach.
    """
    now = live.now(connection).at
    state = live.state(connection, live.now(connection))
    end = at or now
    if layer not in state.index.layers:
        return None
    found = kept.evidence.evidence(connection, live, sight_m)
    begin = utc(found.evidence.since)
    if not begin < end <= now + timedelta(minutes=2):
        return None
    coverage = town_coverage(connection, live, kept, CoverageWish(begin, end, layer, sight_m=sight_m))
    if not coverage.streets.rows:
        return None
    return {uid: one["days"] for uid, one in zip(coverage.keys, coverage.recency, strict=True)}
