"""Coverage over HTTP: what was seen, missed and unknown apart; deadlines; the boundary of the time; refusals."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import orjson
import pytest
import sqlalchemy as sa

from gis.errors import EvidencePending
from gis.store.visits import NewPlace, NewStreet, keep_places, replace_streets
from tests.asking import LAT, LON, MERGED, Asking, Drawn, incoming, square

#: Noon in Shanghai, four days ago: every test looks back from now.
NOW = datetime.now(UTC).replace(microsecond=0)
TODAY = NOW.replace(hour=4, minute=0, second=0) - timedelta(days=1)
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)


@pytest.fixture
def town(alone: Asking) -> Asking:
    """m1 works A1, m2 A2, m3 B3; a place in the middle of each, P4 beside P1 in A1; a street through A1, A2 and B3."""
    for code, grid in (("m1", "A1"), ("m2", "A2"), ("m3", "B3")):
        body = {"code": code, "name": code, "grids": [grid], "since": MERGED.isoformat()}
        assert alone.http.post("/v1/members", json=body).status_code == 201
    spots = {"P1": (0.5, 0.5), "P2": (0.5, 1.5), "P3": (1.5, 0.5), "P4": (0.2, 0.2)}
    places = [
        NewPlace(code, "shop", code, LON + x / 100, LAT + y / 100, "wgs84", "", since=MERGED)
        for code, (x, y) in spots.items()
    ]
    with alone.app.state.engine.begin() as connection:
        keep_places(connection, places)
        lines = [
            NewStreet(line(0.1, 0.5, 0.9, 0.5), 756.0, "南街", external_id="s1"),
            NewStreet(line(0.5, 1.1, 0.5, 1.9), 890.0, "北街", external_id="s2"),
            NewStreet(line(1.1, 0.5, 1.9, 0.5), 756.0, "东街", external_id="s3"),
        ]
        replace_streets(connection, "drawn", lines)
    shift(alone, "m1", NOW - 30 * DAY, 0.1)
    assert walk(
        alone, "m1", NOW - 30 * DAY, (0.9, 0.9), (0.9, 0.9), minutes=2
    )  # evidence begins then, far from all places
    return alone


def line(*hundredths: float) -> Any:
    import shapely

    pairs = zip(hundredths[::2], hundredths[1::2], strict=True)
    return shapely.LineString([(LON + x / 100, LAT + y / 100) for x, y in pairs])


def shift(asking: Asking, code: str, begin: datetime, hours: float = 2) -> None:
    body = {"member": code, "begin": begin.isoformat(), "end": (begin + timedelta(hours=hours)).isoformat()}
    assert asking.http.post("/v1/shifts", json=body).status_code == 201


def walk(asking: Asking, code: str, begin: datetime, *way: tuple[float, float], minutes: float = 60) -> int:
    """A member walks along a way (hundredths of a degree) in so many minutes, a fix every half minute."""
    steps = int(minutes * 2) + 1
    along = np.linspace(0, len(way) - 1, steps)
    x, y = (np.interp(along, np.arange(len(way)), [one[k] for one in way]) for k in (0, 1))
    rows = [
        {
            "member": code,
            "at": (begin + k * MINUTE / 2).isoformat(),
            "lon": LON + float(x[k]) / 100,
            "lat": LAT + float(y[k]) / 100,
            "accuracy_m": 5,
        }
        for k in range(steps)
    ]
    answer = asking.http.post(
        "/v1/fixes", content=b"\n".join(map(orjson.dumps, rows)), headers={"Content-Type": "application/x-ndjson"}
    )
    assert answer.status_code == 200
    stored: int = answer.json()["stored"]
    return stored


def asked(asking: Asking, path: str = "", **parameters: Any) -> Any:
    answer = asking.http.get(f"/v1/coverage{path}", params=parameters)
    assert answer.status_code == 200, answer.text
    return answer.json()


def rows(answer: Any) -> dict[str, Any]:
    return {row["grid"]: row for row in answer["grids"]}


def patrolled(asking: Asking) -> Asking:
    """Yesterday m1 walked the south street and stood at P1 for ten minutes; m2 was on duty and silent; m3 had no duty."""
    shift(asking, "m1", TODAY)
    shift(asking, "m2", TODAY)
    walk(asking, "m1", TODAY, (0.1, 0.5), (0.5, 0.5), minutes=55)
    walk(asking, "m1", TODAY + 55 * MINUTE, (0.5, 0.5), (0.5, 0.5), minutes=10)
    walk(asking, "m1", TODAY + 65 * MINUTE, (0.5, 0.5), (0.9, 0.5), minutes=54)
    return asking


def test_what_was_seen_what_was_missed_and_what_nobody_knows(town: Asking) -> None:
    answer = asked(patrolled(town))
    found = rows(answer)
    assert set(found) == {"A1", "A2", "B3"}
    a1 = found["A1"]["figures"]
    assert a1["street_seen_one_side"]["value"] == 1.0
    assert a1["places_visited"] == {
        "numerator": 1.0, "denominator": 2.0, "value": 0.5, "unknown": 0.0,
    }  # fmt: skip
    assert a1["households_visited"]["value"] is None
    assert 0.03 < a1["swept_area"]["value"] < 0.05  # 756 m by 50 m of about 944 m by 1,109 m
    assert a1["tracked"]["value"] == pytest.approx(119 / 120, abs=0.001)
    assert [found[grid]["state"] for grid in ("A1", "A2", "B3")] == ["missed", "unknown", "unknown"]
    assert found["A2"]["figures"]["tracked"] == {"numerator": 0.0, "denominator": 7200.0, "value": 0.0, "unknown": 0.0}
    assert found["A2"]["figures"]["places_visited"] == {
        "numerator": 0.0,
        "denominator": 1.0,
        "value": None,
        "unknown": 1.0,
    }
    assert found["B3"]["figures"]["tracked"]["value"] is None
    assert [found[grid]["recency"]["kind"] for grid in ("A1", "A2", "B3")] == ["seen", "unknown", "unknown"]
    assert answer["counts"] == {"visited": 0, "missed": 1, "unknown": 2, "n/a": 0}
    assert answer["on_time"]["unknown"] == 2
    assert answer["on_time"]["denominator"] == 1
    assert answer["totals"]["places_visited"]["numerator"] == 1
    for name in ("revisit_days", "sight_m", "layer", "from", "to", "tracked_min", "enough", "cell_m", "evidence_since"):
        assert name in answer["parameters"]


def test_a_place_visited_by_word_makes_its_grid_visited(town: Asking) -> None:
    patrolled(town)
    assert rows(asked(town))["A1"]["state"] == "missed"
    told = {"place": "P4", "member": "m1", "at": (TODAY + MINUTE).isoformat(), "outcome": "nothing"}
    assert town.http.post("/v1/visits", json=told).status_code == 201
    assert rows(asked(town))["A1"]["state"] == "visited"
    checkin = {"member": "m2", "at": TODAY.isoformat(), "kind": "visit", "lon": LON + 0.005, "lat": LAT + 0.015}
    assert town.http.post("/v1/checkins", json=checkin).status_code == 201
    report = {
        "lon": LON + 0.015,
        "lat": LAT + 0.005,
        "channel": "grid",
        "reporter": "m3",
        "occurred_at": NOW.isoformat(),
    }
    assert town.http.post("/v1/events", json=report).status_code == 201
    later = asked(town, to=(NOW + MINUTE).isoformat())
    assert [rows(later)[grid]["state"] for grid in ("A2", "B3")] == ["visited", "visited"]
    assert later["on_time"]["value"] == 1.0


def test_late_repeated_and_shuffled_fixes_give_the_same_answer(town: Asking, databases: Any) -> None:
    window = {"from": (TODAY - DAY).isoformat(), "to": (TODAY + DAY / 2).isoformat()}
    shift(town, "m1", TODAY)
    walk(town, "m1", TODAY + 60 * MINUTE, (0.5, 0.5), (0.9, 0.5), minutes=50)
    first = asked(town, **window)
    walk(town, "m1", TODAY, (0.1, 0.5), (0.5, 0.5), minutes=55)
    walk(town, "m1", TODAY + 60 * MINUTE, (0.5, 0.5), (0.9, 0.5), minutes=50)
    second = asked(town, **window)
    assert second["totals"]["swept_area"]["numerator"] > first["totals"]["swept_area"]["numerator"]
    anew = Asking(town.url)
    with anew.http:
        assert asked(anew, **window) == second


def test_streets_places_and_cells_are_answered_as_features(town: Asking) -> None:
    patrolled(town)
    streets = {f["properties"]["name"]: f["properties"] for f in asked(town, by="street")["features"]}
    assert {name: one["state"] for name, one in streets.items()} == {
        "南街": "visited",
        "北街": "unknown",
        "东街": "unknown",
    }
    assert streets["南街"]["recency"]["kind"] == "seen"
    assert streets["南街"]["seen_both_sides"]["value"] == 1.0
    assert [f["properties"]["name"] for f in asked(town, by="street", grid="A2")["features"]] == ["北街"]
    places = {f["properties"]["place"]: f["properties"] for f in asked(town, by="place")["features"]}
    assert {name: one["state"] for name, one in places.items()} == {
        "P1": "visited",
        "P2": "unknown",
        "P3": "unknown",
        "P4": "missed",
    }
    assert places["P1"]["grid"] == "A1"
    assert places["P4"]["last"] is None
    cells = asked(town, by="cell", grid="A1", cell_m=100)["features"]
    seen = [c for c in cells if c["properties"]["seen_area"]["numerator"] > 0]
    assert 100 < len(cells) < 160
    assert 7 <= len(seen) <= 20
    assert {c["properties"]["recency"]["kind"] for c in cells} == {"seen", "never"}
    page = asked(town, by="place", limit=3)
    rest = asked(town, by="place", limit=3, cursor=page["next"])
    assert [f["properties"]["place"] for f in page["features"] + rest["features"]] == ["P1", "P2", "P3", "P4"]
    assert rest["next"] is None


def test_a_window_that_ends_in_the_middle_of_a_walk_holds_its_first_part(town: Asking) -> None:
    patrolled(town)
    part = rows(asked(town, to=(TODAY + 30 * MINUTE).isoformat()))["A1"]["figures"]
    whole = rows(asked(town))["A1"]["figures"]
    assert 0.2 < part["street_seen_one_side"]["value"] < 0.4
    assert part["places_visited"]["numerator"] == 0
    assert whole["places_visited"]["numerator"] == 1


def test_a_border_moved_on_day_four_credits_each_walk_to_the_grid_of_its_day(town: Asking) -> None:
    """The south street is A1's until the border moves; then all of A1's ground is A2's. Each day the same way is walked."""
    days = [TODAY - k * DAY for k in range(5, -1, -1)]
    for day in days:
        shift(town, "m1", day)
        walk(town, "m1", day, (0.1, 0.5), (0.9, 0.5), minutes=100)
    moved = days[3] - MINUTE
    west = {"A1": ("南桥", "V1", square(0, 0, 1, 0.4)), "A2": ("甲二", "V1", square(0, 0.4, 1, 2))}
    east = {"B3": ("乙三", "V2", square(1, 0, 2, 1).union(square(1, 1, 2, 2)))}
    Drawn(town.url).publish(incoming(west | east), effective_at=moved, correction=True, reason="test")
    window = {"from": days[0].isoformat(), "to": NOW.isoformat()}
    found = rows(asked(town, **window))
    both = [found[grid]["figures"]["street_seen_one_side"] for grid in ("A1", "A2")]
    assert [one["numerator"] for one in both] == pytest.approx([756, 756], abs=3)
    assert both[0]["denominator"] == pytest.approx(756, abs=3)
    before = rows(asked(town, **{"from": days[0].isoformat(), "to": moved.isoformat()}))
    after = rows(asked(town, **{"from": moved.isoformat(), "to": NOW.isoformat()}))
    assert [before[g]["figures"]["places_visited"]["numerator"] for g in ("A1", "A2")] == [1, 0]
    assert [after[g]["figures"]["places_visited"]["numerator"] for g in ("A1", "A2")] == [0, 1]
    assert before["A1"]["figures"]["street_seen_one_side"]["value"] == 1.0
    assert after["A1"]["figures"]["street_seen_one_side"]["value"] is None  # no street is left in it: n/a, not 0
    assert after["A2"]["figures"]["street_seen_one_side"]["numerator"] == pytest.approx(756, abs=3)


# --- deadlines -------------------------------------------------------------------------------------------------------


def test_overdue_places_come_worst_first_and_the_silent_grid_is_unknown(town: Asking) -> None:
    patrolled(town)
    answer = asked(town, "/overdue")
    assert [(one["place"], one["state"]) for one in answer["items"]] == [
        ("P4", "overdue"),
        ("P2", "unknown"),
        ("P3", "unknown"),
    ]
    assert answer["counts"] == {"due": 1, "soon": 0, "overdue": 1, "unknown": 2}
    assert answer["items"][0]["last"] is None
    assert answer["items"][0]["overdue_days"] == pytest.approx(30 - 7, abs=1.1)
    everything = asked(town, "/overdue", state="due", by="place")["items"]
    assert [(one["place"], one["grid"]) for one in everything] == [("P1", "A1")]
    assert datetime.fromisoformat(everything[0]["due"]) == pytest.approx(TODAY + 65 * MINUTE + 7 * DAY, abs=6 * MINUTE)
    first = asked(town, "/overdue", limit=2)
    assert [one["place"] for one in asked(town, "/overdue", limit=2, cursor=first["next"])["items"]] == ["P3"]
    streets = asked(town, "/overdue", by="street")["items"]
    assert {one["name"]: one["state"] for one in streets} == {"北街": "unknown", "东街": "unknown"}


def test_a_weekly_habit_is_foretold_and_hindsight_tells_how_often_that_was_right(town: Asking) -> None:
    """P1 is visited each week on one day; due every 3 days, it is always overdue on the fourth."""
    with town.app.state.engine.begin() as connection:
        connection.execute(sa.text("UPDATE place SET revisit_days = 3 WHERE code = 'P1'"))
    for week in range(5):
        told = {"place": "P1", "member": "m1", "at": (NOW - 2 * DAY - 7 * week * DAY).isoformat()}
        assert town.http.post("/v1/visits", json=told).status_code == 201
    answer = asked(town, "/overdue", state="soon", grid="A1")
    assert [(one["place"], one["state"]) for one in answer["items"]] == [("P1", "soon")]
    assert answer["items"][0]["probability"] < 0.3
    assert answer["forecast"]["found"]["denominator"] > 0
    assert answer["forecast"]["hits"]["value"] == 1.0


def test_the_certificate_tells_shares_and_the_oldest_place(town: Asking) -> None:
    found = asked(patrolled(town), "/certificate")
    assert (
        found["places"],
        found["on_time"]["numerator"],
        found["late"]["numerator"],
        found["unknown"]["numerator"],
    ) == (4, 1, 1, 2)
    assert found["oldest"]["place"] in {"P2", "P3", "P4"}
    assert [(g["grid"], g["places"], g["on_time"], g["late"], g["unknown"]) for g in found["grids"]] == [
        ("A1", 2, 1, 1, 0), ("A2", 1, 0, 0, 1), ("B3", 1, 0, 0, 1),
    ]  # fmt: skip


# --- one member ------------------------------------------------------------------------------------------------------


def test_the_track_of_a_member_has_pieces_stops_gaps_and_visits_of_the_time(town: Asking) -> None:
    """m1 walks from A1 over the border into B3 and stands there, is silent for twenty minutes, and walks on."""
    shift(town, "m1", TODAY)
    walk(town, "m1", TODAY, (0.6, 0.5), (1.4, 0.5), minutes=20)
    walk(town, "m1", TODAY + 20.5 * MINUTE, (1.4, 0.5), (1.4, 0.5), minutes=10)
    walk(town, "m1", TODAY + 50 * MINUTE, (1.4, 0.5), (1.8, 0.5), minutes=10)
    window = {"from": TODAY.isoformat(), "to": (TODAY + DAY / 2).isoformat()}
    found = town.http.get("/v1/members/m1/track", params=window).json()
    assert [(one["grid"], one["entered"], one["left"]) for one in found["visits"]] == [
        ("A1", False, True), ("B3", True, False), ("B3", False, False),
    ]  # fmt: skip
    assert found["visits"][0]["dwell_s"] == pytest.approx(600, abs=20)
    assert found["length_m"] == pytest.approx(1.2 * 943.5, rel=0.03)
    assert [len(found[name]) for name in ("pieces", "gaps")] == [2, 1]
    assert max(one["seconds"] for one in found["stops"]) == pytest.approx(600, abs=130)
    assert found["tracked_s"] == pytest.approx(30.5 * 60 + 600, abs=1)
    assert found["fixes"] == {"kept": 41 + 21 + 21}
    part = town.http.get("/v1/members/m1/track", params=window | {"to": (TODAY + 5 * MINUTE).isoformat()}).json()
    assert (part["tracked_s"], [one["grid"] for one in part["visits"]]) == (pytest.approx(300, abs=0.01), ["A1"])
    assert town.as_("m-key").get("/v1/members/m1/track", params=window).status_code == 403
    assert town.http.get("/v1/members/zz/track", params=window).json()["code"] == "member-unknown"
    assert town.http.get("/v1/members/m1/track", params=window | {"to": window["from"]}).status_code == 400
    assert (
        town.http.get("/v1/members/m1/track", params=window | {"layer": "dedicated"}).json()["length_m"]
        == found["length_m"]
    )


# --- what else asks for evidence -------------------------------------------------------------------------------------


def test_campaigns_count_what_was_walked_and_where_members_stayed(town: Asking) -> None:
    """Of the southern half of A1 and the whole of A2 the band along the south street was seen; m1 stood at P1."""
    patrolled(town)
    period = {"begin": (TODAY - DAY).isoformat(), "end": (NOW + DAY).isoformat()}
    import shapely

    area = shapely.geometry.mapping(square(0, 0, 1, 0.5).union(square(0, 1, 1, 2)))
    told = {"code": "straw", "title": "秸秆禁烧", "kind": "秸秆禁烧", "area": area} | period
    assert town.http.post("/v1/campaigns", json=told).status_code == 201
    straw = {row["grid"]: row for row in town.http.get("/v1/campaigns/straw").json()["done"]["grids"]}
    assert straw["A1"]["numerator"] == pytest.approx(756 * 25 + np.pi * 25**2 / 2, rel=0.04)  # cells of 5 m
    assert straw["A1"]["denominator"] == pytest.approx(943.5 * 554.5, rel=0.01)
    assert [straw[grid]["state"] for grid in ("A1", "A2")] == ["missed", "unknown"]
    told = {"code": "gas", "title": "燃气", "kind": "燃气", "places": ["P1", "P2", "P4"]} | period
    assert town.http.post("/v1/campaigns", json=told).status_code == 201
    gas = {row["grid"]: row for row in town.http.get("/v1/campaigns/gas").json()["done"]["grids"]}
    assert [(gas[g]["numerator"], gas[g]["denominator"], gas[g]["state"]) for g in ("A1", "A2")] == [
        (1, 2, "missed"),
        (0, 1, "unknown"),
    ]


def test_spot_checks_know_how_long_ago_grids_were_seen(town: Asking) -> None:
    patrolled(town)
    drawn = town.http.post("/v1/spotchecks", json={"n": 3, "seed": 5}).json()
    reasons = {one["code"]: one["reason_en"] for one in drawn["grids"]}
    assert "days ago" in reasons["A1"]
    assert "never, or unknown" in reasons["A2"]
    assert drawn["parameters"]["recency"] is True
    answer = town.http.get(f"/v1/spotchecks/{drawn['id']}?verify=true").json()
    assert answer["reproduced"] is True


# --- evidence that is young ------------------------------------------------------------------------------------------


def test_what_evidence_is_too_young_to_say_is_unknown_and_neither_missed_nor_on_time(town: Asking) -> None:
    """Nothing is known before yesterday, when all but P4 of A1 was seen: in a week P4 may well have been visited."""
    town.query("TRUNCATE fix, fix_day")
    patrolled(town)
    answer = asked(town)
    assert answer["parameters"]["evidence_since"] > (TODAY - DAY).isoformat()
    assert rows(answer)["A1"]["state"] == "unknown"
    assert answer["on_time"]["value"] is None
    assert {one["place"]: one["state"] for one in asked(town, "/overdue", state="due,soon,overdue,unknown")["items"]} == {
        "P1": "due", "P2": "unknown", "P3": "unknown", "P4": "unknown",
    }  # fmt: skip
    assert asked(town, "/certificate")["unknown"]["numerator"] == 3
    daily = asked(town, revisit_days=0.5, **{"from": (NOW - DAY).isoformat()})
    assert rows(daily)["A1"]["state"] in {"missed", "unknown"}  # a shift of yesterday may lie before the last half day
    with town.app.state.engine.begin() as connection:
        keep_places(
            connection,
            [NewPlace("P4", "shop", "P4", LON + 0.002, LAT + 0.002, "wgs84", "", since=NOW - timedelta(hours=1))],
        )
    assert rows(asked(town))["A1"]["places_revisited"] == {"numerator": 1, "denominator": 1, "value": 1.0}
    assert (
        rows(asked(town))["A1"]["state"] == "visited"
    )  # what came on the list an hour ago is not due, and no part of it
    told = asked(town, "/certificate")
    assert (told["places"], told["counts_of_places"]["n/a"], told["on_time"]["numerator"]) == (3, 1, 1)


def test_a_browser_that_comes_too_early_is_told_to_wait_and_asks_again(
    town: Asking, monkeypatch: pytest.MonkeyPatch
) -> None:
    def pending(*_: Any, **__: Any) -> Any:
        raise EvidencePending("being read")

    monkeypatch.setattr(type(town.app.state.coverage.evidence), "evidence", pending)
    page = town.http.get("/maps/coverage", headers={"Accept": "text/html,*/*"})
    assert (page.status_code, page.headers["refresh"], page.headers["content-type"]) == (
        503,
        "4",
        "text/html; charset=utf-8",
    )
    assert "正在读取" in page.text
    assert "being read" in town.http.get("/maps/coverage?lang=en", headers={"Accept": "text/html"}).text
    answer = town.http.get("/v1/coverage")
    assert (answer.json()["code"], answer.headers["retry-after"]) == ("evidence-pending", "5")


# --- who may see, what is refused ------------------------------------------------------------------------------------


def test_what_tells_where_members_are_is_for_those_who_dispatch(town: Asking) -> None:
    """Below them windows have full hours and recency whole days: nobody is followed by what was seen from second to second."""
    patrolled(town)
    needed = {
        "?by=place": "m-key", "?by=household": "m-key", "?by=street": "m-key", "/overdue": "m-key", "/overdue?by=street": "m-key",
        "/certificate": "m-key", "?by=cell&grid=A1": "d-key", "?sight_m=50": "d-key",
    }  # fmt: skip
    for path, key in needed.items():
        lower = {"m-key": "v-key", "d-key": "m-key"}[key]
        assert town.as_(lower).get(f"/v1/coverage{path}").status_code == 403, path
        assert town.as_(key).get(f"/v1/coverage{path}").status_code == 200, path
    coarse = town.as_("v-key").get("/v1/coverage", params={"to": (TODAY + 90 * MINUTE).isoformat()}).json()
    assert coarse["parameters"]["to"] == (TODAY + 60 * MINUTE).isoformat()
    now = town.as_("v-key").get("/v1/coverage").json()
    recency = rows(now)["A1"]["recency"]
    assert recency["at"] is None
    assert recency["days"] == int(recency["days"])
    page = town.as_("v-key").get("/maps/coverage").text
    assert '"withheld":["places","streets","tracks"]' in page.replace(" ", "")
    assert "南街" not in page
    shift(town, "m3", NOW - HOUR, 2)
    walk(town, "m3", NOW - timedelta(minutes=5), (1.5, 0.5), (1.5, 0.5), minutes=2)
    starts = {
        key: town.as_(key).get("/v1/members/m3/next?minutes=30").json()["start"]["known_by"]
        for key in ("m-key", "d-key")
    }
    assert starts == {"m-key": "grid", "d-key": "fix"}


def test_totals_count_ground_that_changed_hands_once(town: Asking) -> None:
    patrolled(town)
    before = asked(town)["totals"]
    west = {"A1": ("南桥", "V1", square(0, 0, 1, 0.4)), "A2": ("甲二", "V1", square(0, 0.4, 1, 2))}
    east = {"B3": ("乙三", "V2", square(1, 0, 2, 1).union(square(1, 1, 2, 2)))}
    Drawn(town.url).publish(incoming(west | east), effective_at=TODAY - DAY, correction=True, reason="test")
    after = asked(town)["totals"]
    for name in ("swept_area", "street_seen_one_side", "places_visited", "tracked"):
        assert after[name]["denominator"] == pytest.approx(before[name]["denominator"], rel=1e-6), name
        assert after[name]["numerator"] == pytest.approx(before[name]["numerator"], rel=1e-6), name


def test_a_grid_seen_long_ago_and_untracked_since_is_unknown_and_not_old(town: Asking) -> None:
    shift(town, "m2", TODAY - 20 * DAY)
    walk(town, "m2", TODAY - 20 * DAY, (0.5, 1.1), (0.5, 1.9), minutes=60)
    shift(town, "m2", TODAY)
    recency = rows(asked(town))["A2"]["recency"]
    assert (recency["kind"], round(recency["days"])) == ("unknown", pytest.approx(21, abs=1))


@pytest.mark.parametrize(
    ("query", "place"),
    [
        ("to=2999-01-01T00:00:00Z", "to"),
        ("from=2020-01-01T00:00:00Z", "from"),
        ("from=2026-01-02T00:00:00Z&to=2026-01-01T00:00:00Z", "to"),
        ("to=0001-01-02T00:00:00Z", "to"),
        ("layer=nothing", "layer"),
        ("revisit_days=0", "revisit_days"),
        ("sight_m=-3", "sight_m"),
        ("by=cell", "bbox"),
        ("by=cell&grid=A1&cell_m=7", "cell_m"),
        ("by=cell&cell_m=5&bbox=121.2,32.05,121.22,32.07", "bbox"),
        ("grid=Z9", "grid"),
        ("by=street&cursor=xx", "cursor"),
        ("by=road", "by"),
        ("colour=red", "colour"),
    ],
)
def test_what_cannot_be_answered_is_refused_with_its_place(asking: Asking, query: str, place: str) -> None:
    answer = asking.http.get(f"/v1/coverage?{query}")
    assert answer.status_code == 400
    assert place in answer.json()["place"]


def test_a_town_without_grids_fixes_places_or_streets_says_so(asking: Asking, bare: Asking) -> None:
    assert bare.http.get("/v1/coverage").status_code == 400
    answer = asked(asking)
    assert {row["state"] for row in answer["grids"]} == {None}
    assert {row["recency"]["kind"] for row in answer["grids"]} == {"none"}
    assert {
        figure["value"] for row in answer["grids"] for name, figure in row["figures"].items() if name != "swept_area"
    } == {None}
    assert answer["on_time"]["value"] is None
    assert asked(asking, "/overdue")["items"] == []
    assert asked(asking, "/certificate")["oldest"] is None
