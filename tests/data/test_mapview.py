"""The map's view from the store: counts by grid, households, a cap that says so."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
import sqlalchemy as sa

from data import mapview
from data.intake import Submission, accept
from data.mapview import MapWish, grids_view
from data.report import clean
from gis.store.events import EventFilter
from gis.store.households import NewHousehold, store_households
from gis.store.live import Live
from maps.grids import GridsView
from tests.town import drawn, place, published


def view(connection: sa.Connection) -> GridsView:
    live = Live()
    now = live.now(connection)
    return grids_view(connection, live.state(connection, now), now, MapWish(EventFilter(), UTC))


def send(connection: sa.Connection, *columns: float) -> None:
    for column in columns:
        lon, lat = place(column, 0.5)
        report = clean({"lon": lon, "lat": lat, "channel": "hotline"}, datetime.now(UTC))
        accept(connection, Live(), [Submission(report)], actor="tester")


@pytest.fixture
def town(connection: sa.Connection) -> sa.Connection:
    published(connection, drawn("VVVV", level="community", names={"V": "河东村"}), drawn("AABB"))
    return connection


def test_grids_come_with_their_path_their_outlines_and_reports(town: sa.Connection) -> None:
    send(town, 0.5, 3.5, 9.0)
    shown = view(town)
    assert [(one.code, one.path) for one in shown.grids] == [("A", "河东村"), ("B", "河东村")]
    assert [one.code for one in shown.outlines] == ["V"]
    assert list(shown.reports.grid) == ["A", "B", None]
    assert shown.heading.startswith("河东村")
    assert not shown.notes


def test_households_are_unknown_until_they_are_loaded(town: sa.Connection) -> None:
    assert [one.households for one in view(town).grids] == [None, None]
    store_households(town, [NewHousehold(*place(0.5, 0.5), households=12)])
    assert [one.households for one in view(town).grids] == [12, 0]


def test_reports_of_a_grid_that_is_gone_are_shown_where_they_lie(town: sa.Connection) -> None:
    send(town, 3.5)
    published(town, drawn("AAAA"), at=None)
    assert list(view(town).reports.grid) == ["A"]


def test_more_reports_than_the_cap_are_cut_to_the_newest_and_it_is_said(
    town: sa.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mapview, "EVENTS_CAP", 2)
    send(town, 0.5, 3.5, 3.6)
    shown = view(town)
    assert list(shown.reports.grid) == ["B", "B"]
    assert "2" in shown.notes[0]
