"""The demo town with its patrols in a store: intake counts what was planted, and coverage shows exactly that."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from fastapi.testclient import TestClient

from api.app import create_app
from api.settings import DEMO_KEY, Settings
from data.demopatrols import PatrolsLoaded, patrols_loaded
from data.demotown import DemoLoaded, is_loaded, load_town
from gis.store.engine import create_engine
from tests.conftest import Databases

#: The last Wednesday noon in Shanghai that is over: what the town does depends on the day of the week and the hour.
_YESTERDAY = datetime.now(UTC).replace(hour=4, minute=30, second=0, microsecond=0) - timedelta(days=1)
NOW = _YESTERDAY - timedelta(days=(_YESTERDAY.weekday() - 2) % 7)


@pytest.fixture(scope="module")
def url(databases: Databases, template: str) -> Iterator[str]:
    url = databases.make(template)
    yield url
    databases.drop(url)


@pytest.fixture(scope="module")
def loaded(url: str) -> Iterator[DemoLoaded]:
    """A smaller town: half of the members, three weeks."""
    engine = create_engine(url)
    with engine.connect() as connection:
        assert not is_loaded(connection)
        assert not patrols_loaded(connection)
    yield load_town(engine, NOW, members=285, days=22)
    engine.dispose()


@pytest.fixture(scope="module")
def patrols(loaded: DemoLoaded) -> PatrolsLoaded:
    return loaded.patrols


@pytest.fixture(scope="module")
def http(url: str, patrols: PatrolsLoaded) -> Iterator[TestClient]:
    app = create_app(Settings(database_url=url, demo=True))
    with TestClient(app, headers={"Authorization": f"Bearer {DEMO_KEY}"}) as client:
        yield client


@pytest.fixture(scope="module")
def rows(url: str, patrols: PatrolsLoaded) -> Iterator[sa.Connection]:
    engine = create_engine(url)
    with engine.connect() as connection:
        yield connection
    engine.dispose()


def asked(http: TestClient, patrols: PatrolsLoaded, path: str = "", **parameters: Any) -> Any:
    given = {"to": patrols.patrols.now.isoformat(), "limit": 2_000, **parameters}
    for _ in range(60):
        answer = http.get(f"/v1/coverage{path}", params=given)
        if answer.status_code != 503:  # the weeks before are being read since the start
            break
        time.sleep(2)
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_the_store_holds_the_town_with_its_patrols(rows: sa.Connection, patrols: PatrolsLoaded) -> None:
    assert is_loaded(rows)
    assert patrols_loaded(rows)
    count = {
        table: rows.execute(sa.text(f"SELECT count(*) FROM {table}")).scalar_one()
        for table in ("member", "shift", "leave", "place", "checkin", "visit", "street", "fix")
    }
    told = patrols.patrols
    assert (count["member"], count["shift"], count["leave"]) == (285, len(told.shifts), len(told.leave))
    assert (count["place"], count["checkin"]) == (len(told.places), len(told.checkins))
    assert count["checkin"] + count["visit"] == patrols.told["stored"]
    assert count["fix"] == patrols.fixes.stored
    assert count["street"] > 400


def test_intake_counts_every_fault_that_was_planted(patrols: PatrolsLoaded) -> None:
    counts = {word: n for word, n in patrols.fixes.as_json()["counts"].items() if n}
    assert counts == patrols.patrols.planted.intake
    kept = counts["kept"] + counts["jump"]
    assert patrols.fixes.stored == kept
    assert patrols.duty == {"stored": len(patrols.patrols.shifts) + len(patrols.patrols.leave)}
    assert set(patrols.told) == {"stored"}


def test_check_ins_are_mostly_inside_some_on_the_edge_some_outside(rows: sa.Connection) -> None:
    found = dict(rows.execute(sa.text("SELECT standing, count(*) FROM checkin GROUP BY 1")).all())
    assert set(found) == {"inside", "edge", "outside"}
    assert found["inside"] > 0.85 * sum(found.values())


def test_the_map_shows_every_state_where_it_was_planted(http: TestClient, patrols: PatrolsLoaded) -> None:
    planted = patrols.patrols.planted
    grids = {row["grid"]: row for row in asked(http, patrols)["grids"]}
    missed = {*planted.missed_grids, *planted.late_grids, planted.never_grid}
    assert {code for code, row in grids.items() if row["state"] == "missed"} == missed
    assert {code for code, row in grids.items() if row["state"] == "unknown"} == set(planted.silent_grids)
    assert {row["state"] for row in grids.values()} == {"visited", "missed", "unknown"}
    kinds = {code: row["recency"]["kind"] for code, row in grids.items()}
    assert {code for code, kind in kinds.items() if kind == "never"} == {planted.never_grid}
    assert {code for code, kind in kinds.items() if kind == "unknown"} <= set(planted.silent_grids)
    fresh = grids[planted.fresh_grid]
    assert fresh["recency"]["days"] < 1.0
    assert fresh["figures"]["street_seen_one_side"]["value"] > 0.99


def test_deadlines_name_the_places_that_were_planted(http: TestClient, patrols: PatrolsLoaded) -> None:
    planted = patrols.patrols.planted
    answer = asked(http, patrols, "/overdue")
    by_state: dict[str, set[str]] = {"overdue": set(), "unknown": set(), "soon": set()}
    for one in answer["items"]:
        by_state[one["state"]].add(one["place"])
    late = {*planted.missed, *planted.never, *planted.day_late, *planted.fortnight_late}
    assert by_state["overdue"] == late
    assert by_state["unknown"] == set(planted.silent)
    daily = {
        row["code"] for row in patrols.patrols.places if row["revisit_days"] == 1.0
    }  # due within hours, at any time
    assert by_state["soon"] - daily == set(planted.soon)
    assert answer["forecast"]["found"]["denominator"] > 0


def test_streets_that_nobody_walks_are_missed(http: TestClient, patrols: PatrolsLoaded, rows: sa.Connection) -> None:
    named = dict(rows.execute(sa.text("SELECT id, external_id FROM street")).all())
    states = {named[f["id"]]: f["properties"]["state"] for f in asked(http, patrols, by="street")["features"]}
    planted = patrols.patrols.planted
    assert {states[street] for street in planted.unwalked} == {"missed"}
    assert len([street for street, state in states.items() if state == "missed"]) <= len(planted.unwalked) + 8
