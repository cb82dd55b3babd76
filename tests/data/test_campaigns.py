"""Campaigns with evidence: tracks add visits and ground, and tell the missed from the unknown."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pytest
import shapely
import sqlalchemy as sa

from data.campaigns import CampaignEvidence, campaign_json
from gis.cellframe import CellFrame, Seen, frame_of
from gis.cellowners import CellOwners, cell_owners
from gis.coverage import tracked
from gis.fixes import Ints, Times
from gis.shares import Shares
from gis.store.boundaries import Moment
from gis.store.campaigns import NewCampaign, keep_campaign, place_uids, read_campaign
from gis.store.live import Live
from gis.store.visits import NewPlace, keep_places
from tests.town import LAT, LON, STEP, drawn, place, published

BEGIN = datetime(2026, 5, 1, tzinfo=UTC)
DAY = timedelta(days=1)


@pytest.fixture
def town(connection: sa.Connection) -> sa.Connection:
    """A and B side by side; P in A, Q and R in B."""
    published(connection, drawn("AB"))
    spots = {"P": (0.5, 0.5), "Q": (1.2, 0.5), "R": (1.8, 0.5)}
    keep_places(
        connection,
        [NewPlace(code, "餐饮", code, *place(*spot), "wgs84", "", since=BEGIN) for code, spot in spots.items()],
    )
    return connection


@dataclass
class Walked:
    """Evidence of the test's own: visits by code, tracked seconds of 100 by grid, and all cells below a row were seen."""

    connection: sa.Connection
    live: Live
    visited: dict[str, datetime] = field(default_factory=dict)
    tracked_s: dict[str, float] = field(default_factory=dict)
    below: int = 0
    asked: list[tuple[datetime, datetime]] = field(default_factory=list)

    def visits(self, places: Sequence[str], begin: datetime, end: datetime) -> tuple[Ints, Times]:
        self.asked.append((begin, end))
        position = {uid: i for i, uid in enumerate(places)}
        uids = place_uids(self.connection, list(self.visited))
        rows = np.array([position[uids[code]] for code in self.visited], np.int64)
        return rows, np.array([at.replace(tzinfo=None) for at in self.visited.values()], "datetime64[us]")

    def tracked(self, layer: str, grids: Sequence[str], begin: datetime, end: datetime) -> Shares:
        units = self._state(begin).boundaries.units
        seconds = np.array([self.tracked_s.get(units[uid].code, 0.0) for uid in grids])
        return tracked(tuple(grids), np.arange(len(grids)), seconds, np.full(len(grids), 100.0))

    def ground(self, layer: str, begin: datetime, end: datetime) -> Sequence[tuple[CellOwners, Seen, Sequence[str]]]:
        state, frame = self._state(begin), frame_of((LON, LAT, LON + 2 * STEP, LAT + STEP))
        owners = cell_owners(frame, state.index, layer)
        return [(owners, self._seen(frame), [state.boundaries.by_code[code].uid for code in owners.codes])]

    def _state(self, at: datetime) -> Any:
        return self.live.state(self.connection, Moment(at, self.live.now(self.connection).at))

    def _seen(self, frame: CellFrame) -> Seen:
        """All cells of the rows below one, counted from the frame's corner."""
        bits = np.zeros((frame.rows * frame.columns, 64), np.uint64)
        for row in range(self.below):
            bits[row // 64 * frame.columns : (row // 64 + 1) * frame.columns, row % 64] = 2**64 - 1
        directory = np.arange(frame.rows * frame.columns, dtype=np.int32).reshape(frame.rows, frame.columns)
        return Seen(frame, directory, bits)


def told(connection: sa.Connection, evidence: CampaignEvidence | None, **about: Any) -> dict[str, Any]:
    keep_campaign(connection, NewCampaign("c", "t", "k", BEGIN, BEGIN + 10 * DAY, **about), "dan")
    return campaign_json(connection, Live(), read_campaign(connection, "c"), evidence)


def figures(campaign: dict[str, Any]) -> dict[str, tuple[float, float, str]]:
    return {row["grid"]: (row["numerator"], row["denominator"], row["state"]) for row in campaign["done"]["grids"]}


def test_visits_by_tracks_count_and_who_was_tracked_missed_what_is_left(town: sa.Connection) -> None:
    walked = Walked(town, Live(), {"P": BEGIN + DAY, "Q": BEGIN + DAY}, {"B": 90})
    found = told(town, walked, place_kinds=("餐饮",))
    assert figures(found) == {"A": (1, 1, "visited"), "B": (1, 2, "missed")}
    assert found["done"]["parameters"]["tracks"] is True
    assert walked.asked == [(BEGIN, BEGIN + 10 * DAY)]
    assert [one["visited_at"] for one in found["grids"][1]["places"]] == ["2026-05-02T00:00:00Z", None]


def test_a_visit_by_tracks_outside_the_period_does_not_count(town: sa.Connection) -> None:
    walked = Walked(town, Live(), {"P": BEGIN - DAY, "Q": BEGIN + 10 * DAY}, {"A": 100, "B": 10})
    assert figures(told(town, walked, place_kinds=("餐饮",))) == {"A": (0, 1, "missed"), "B": (0, 2, "unknown")}


def test_the_ground_of_an_area_is_done_where_it_was_seen(town: sa.Connection) -> None:
    """The area is the eastern half of A and all of B; all rows of cells below the middle were seen, which lie a degree askew."""
    west, south = place(0.5, 0.0)
    area = shapely.multipolygons([shapely.box(west, south, west + 1.5 * STEP, south + STEP)])
    live = Live()
    frame = frame_of((LON, LAT, LON + 2 * STEP, LAT + STEP))
    middle = int(frame.cells(np.array([LON + STEP]), np.array([LAT + STEP / 2]))[1][0])
    found = told(town, Walked(town, live, tracked_s={"A": 100}, below=middle), area=area)
    rows = {row["grid"]: row for row in found["done"]["grids"]}
    assert {code: row["value"] for code, row in rows.items()} == pytest.approx({"A": 0.5, "B": 0.5}, abs=0.08)
    assert {code: row["state"] for code, row in rows.items()} == {"A": "missed", "B": "unknown"}
    told_m2 = {row["grid"]: row["area_m2"] for row in found["grids"]}
    assert {code: row["denominator"] for code, row in rows.items()} == pytest.approx(
        told_m2, rel=0.08
    )  # cells of 5 m in grids of 100
    assert found["grids"][0]["share"] == pytest.approx(0.5)


def test_nothing_is_known_of_an_area_without_evidence(town: sa.Connection) -> None:
    west, south = place(0.25, 0.25)
    found = told(town, None, area=shapely.multipolygons([shapely.box(west, south, west + STEP / 2, south + STEP / 2)]))
    assert found["done"] is None
    assert [(row["grid"], round(row["share"], 9)) for row in found["grids"]] == [("A", 0.25)]


def test_a_border_that_moves_in_the_period_cuts_it(connection: sa.Connection) -> None:
    """Until day 5 A has both places; then B gets the eastern one, which was visited before. A keeps the merit, B has it still to do."""
    published(connection, drawn("AA.\n..B"))
    published(connection, drawn("AB.\n..B"), at=BEGIN + 5 * DAY)
    spots = {"P": (0.5, 1.5), "Q": (1.5, 1.5)}
    keep_places(
        connection,
        [NewPlace(code, "餐饮", code, *place(*spot), "wgs84", "", since=BEGIN) for code, spot in spots.items()],
    )
    walked = Walked(connection, Live(), {"P": BEGIN + DAY, "Q": BEGIN + DAY})
    found = told(connection, walked, place_kinds=("餐饮",))
    assert figures(found) == {"A": (2, 2, "visited"), "B": (0, 1, "unknown")}
    assert [(row["grid"], [one["code"] for one in row["places"]]) for row in found["grids"]] == [
        ("A", ["P"]),
        ("B", ["Q"]),
    ]


def test_a_place_that_leaves_the_list_in_the_period_counts_while_it_was_on_it(town: sa.Connection) -> None:
    """R leaves on day 2 and was never visited."""
    keep_places(town, [NewPlace("R", "餐饮", "R", *place(1.8, 0.5), "wgs84", "", since=BEGIN, until=BEGIN + 2 * DAY)])
    assert figures(told(town, None, place_kinds=("餐饮",))) == {"A": (0, 1, "unknown"), "B": (0, 2, "unknown")}
