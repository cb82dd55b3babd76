"""What a member should walk next, over HTTP: overdue first, within the time, from where they are; the same for the same seed."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
import pytest
import shapely

from gis.store.visits import NewPlace, NewStreet, keep_places, replace_streets
from tests.asking import LAT, LON, MERGED, Asking

NOW = datetime.now(UTC)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)


def place(x: float, y: float) -> tuple[float, float]:
    return LON + x / 100, LAT + y / 100


@pytest.fixture
def town(alone: Asking) -> Asking:
    """One street runs west to east through A1 (944 m), with places at both its ends; P3 lies in B3, which m1 does not work."""
    body = {"code": "m1", "name": "m1", "grids": ["A1"], "since": MERGED.isoformat()}
    assert alone.http.post("/v1/members", json=body).status_code == 201
    spots = {"P1": (0.05, 0.5), "P2": (0.95, 0.5), "P3": (1.5, 0.5)}
    with alone.app.state.engine.begin() as connection:
        keep_places(
            connection,
            [
                NewPlace(code, "shop", f"名{code}", *place(x, y), "wgs84", "", since=MERGED)
                for code, (x, y) in spots.items()
            ],
        )
        line = shapely.LineString([place(0, 0.5), place(1, 0.5)])
        replace_streets(connection, "drawn", [NewStreet(line, 944.0, "南街", external_id="s1")])
    return alone


def asked(asking: Asking, **parameters: Any) -> Any:
    answer = asking.http.get("/v1/members/m1/next", params={"lon": LON + 0.005, "lat": LAT + 0.005} | parameters)
    assert answer.status_code == 200, answer.text
    return answer.json()


def visited(asking: Asking, code: str, at: datetime) -> None:
    told = {"place": code, "member": "m1", "at": at.isoformat()}
    assert asking.http.post("/v1/visits", json=told).status_code == 201


def test_all_that_is_owed_is_done_when_there_is_time_and_each_stop_says_why(town: Asking) -> None:
    found = asked(town, minutes=120)
    keys = [one["key"] for one in found["errands"]]
    assert {"P1", "P2"} < set(keys)
    assert any(key.startswith("street ") for key in keys)
    assert "P3" not in keys
    assert found["cleared"] == pytest.approx(found["owed"])
    assert found["used_s"] <= 120 * 60
    for one in found["errands"]:
        assert "逾期" in one["reason_zh"] or "到期" in one["reason_zh"]
        assert one["grid"] == "A1"
    assert found["geometry"]["type"] == "LineString"
    assert found["start"]["known_by"] == "asked"


def test_little_time_goes_to_what_is_most_overdue(town: Asking) -> None:
    """Both ends are as near; P1 was seen yesterday, P2 eight days ago: only one can be reached in ten minutes."""
    visited(town, "P1", NOW - 6.5 * DAY)
    visited(town, "P2", NOW - 12 * DAY)
    found = asked(town, minutes=12)
    assert [one["key"] for one in found["errands"] if one["key"].startswith("P")] == ["P2"]
    assert found["used_s"] <= 12 * 60
    visited(town, "P2", NOW - HOUR)
    assert [one["key"] for one in asked(town, minutes=12)["errands"] if one["key"].startswith("P")] == ["P1"]


def test_the_same_seed_gives_the_same_walk_and_the_day_has_its_own(town: Asking) -> None:
    one, other = (asked(town, minutes=40, seed=5) for _ in range(2))
    timed = ("at", "parameters", "errands", "owed", "cleared", "summary_zh", "summary_en")
    assert {k: v for k, v in one.items() if k not in timed} == {k: v for k, v in other.items() if k not in timed}
    assert [e["key"] for e in one["errands"]] == [e["key"] for e in other["errands"]]
    assert asked(town, minutes=40)["parameters"]["seed"] == asked(town, minutes=40)["parameters"]["seed"] != 5


def test_events_nearby_make_a_place_weigh_more(town: Asking) -> None:
    before = {one["key"]: one["weight"] for one in asked(town, minutes=120)["errands"]}
    for _ in range(3):
        x, y = place(0.06, 0.5)
        assert town.http.post("/v1/events", json={"lon": x, "lat": y, "channel": "hotline"}).status_code == 201
    after = {one["key"]: one for one in asked(town, minutes=120)["errands"]}
    assert after["P1"]["weight"] > 2 * before["P1"]
    assert after["P1"]["risk"] == pytest.approx(1 + 1.386, abs=0.01)
    assert after["P2"]["weight"] == pytest.approx(before["P2"], rel=0.01)


def test_the_shift_that_is_left_less_the_leave_to_come_is_the_time(town: Asking) -> None:
    assert town.http.get("/v1/members/m1/next").json()["place"] == "minutes"
    now = datetime.now(UTC)
    span = {"member": "m1", "begin": (now - HOUR).isoformat(), "end": (now + 2 * HOUR).isoformat()}
    assert town.http.post("/v1/shifts", json=span).status_code == 201
    assert asked(town)["minutes"] == pytest.approx(120, abs=3)
    away = {"member": "m1", "begin": (now + HOUR).isoformat(), "end": (now + 2 * HOUR).isoformat()}
    assert town.http.post("/v1/leave", json=away).status_code == 201
    assert asked(town)["minutes"] == pytest.approx(60, abs=3)
    found = town.http.get("/v1/members/m1/next").json()
    assert found["start"]["known_by"] == "grid"
    fix = {"member": "m1", "at": (now - timedelta(minutes=1)).isoformat(), "lon": LON + 0.009, "lat": LAT + 0.005}
    sent = town.http.post("/v1/fixes", content=orjson.dumps(fix), headers={"Content-Type": "application/x-ndjson"})
    assert sent.json()["stored"] == 1
    start = town.http.get("/v1/members/m1/next").json()["start"]
    assert (start["known_by"], start["lon"]) == ("fix", pytest.approx(LON + 0.009, abs=1e-6))


def test_nothing_owed_is_no_walk_and_says_so(town: Asking) -> None:
    for code in ("P1", "P2"):
        visited(town, code, NOW - HOUR)
    with town.app.state.engine.begin() as connection:
        replace_streets(
            connection, "drawn", [NewStreet(shapely.LineString([place(1.2, 0.5), place(1.8, 0.5)]), 566.0, "东街")]
        )
    found = asked(town, minutes=60)
    assert (found["errands"], found["nothing"], found["geometry"]) == ([], "no-debts", None)
    assert found["summary_zh"]


def test_who_works_no_grid_or_is_unknown_is_refused(town: Asking) -> None:
    assert town.http.get("/v1/members/zz/next?minutes=5").json()["code"] == "member-unknown"
    assert town.http.post("/v1/members", json={"code": "m2", "name": "m2"}).status_code == 201
    assert town.http.get("/v1/members/m2/next?minutes=5").status_code == 409
    assert town.as_("v-key").get("/v1/members/m1/next?minutes=5").status_code == 403
    for query, fault in (
        ("minutes=-1", "minutes"),
        ("minutes=5&lon=121", "lon"),
        ("minutes=5&seed=-1", "seed"),
        ("minutes=5&layer=x", "layer"),
    ):
        answer = town.http.get(f"/v1/members/m1/next?{query}")
        assert (answer.status_code, fault in answer.json()["place"]) == (400, True)


def test_a_town_without_streets_has_no_walk(town: Asking) -> None:
    with town.app.state.engine.begin() as connection:
        replace_streets(connection, "drawn", [])
    assert town.http.get("/v1/members/m1/next?minutes=5").json()["code"] == "state-conflict"
