"""The policy over HTTP: rules put another layer first, for one place and for many; versions; replay."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from data.replay import Difference, replay
from gis.store.engine import create_engine
from gis.store.generations import clock
from gis.store.households import NewHousehold, store_households
from gis.store.live import Live
from tests.asking import LAT, LON, Asking

#: In the market M (dedicated) and in A1 (general).
MARKET = (LON + 0.009, LAT + 0.009)
RULE = {
    "id": "drains",
    "first": "general",
    "categories": ["06*"],
    "author": "Li",
    "reason": "the town's drains",
    "until": None,
}


def put(asking: Asking, number: int, *rules: dict[str, Any], **more: Any) -> Any:
    body = {"policy": {"rules": list(rules)} | more, "reason": "agreed on Monday"}
    return asking.http.put("/v1/policy", json=body, headers={"If-Match": f'"{number}"'})


def winner(asking: Asking, **fields: Any) -> tuple[str | None, str | None, str | None]:
    answer = asking.report(lon=MARKET[0], lat=MARKET[1], **fields).json()["assignment"]
    return answer["grid"], answer["rule"], answer["backup"]


def test_without_a_policy_the_priorities_decide(alone: Asking) -> None:
    read = alone.http.get("/v1/policy")
    assert (read.json()["number"], read.headers["etag"]) == (0, '"0"')
    assert winner(alone) == ("M", None, "A1")


def test_a_rule_puts_another_layer_first_and_is_named(alone: Asking) -> None:
    assert put(alone, 0, RULE).json()["number"] == 1
    assert winner(alone, category="06010") == ("A1", "drains", "M")
    assert winner(alone, category="09012") == ("M", None, "A1")
    asked = {"lon": MARKET[0], "lat": MARKET[1], "category": "06010"}
    answer = alone.http.get("/v1/locate", params=asked).json()
    assert (answer["grid"], answer["rule"], answer["path"][-1]["code"]) == ("A1", "drains", "A1")


def test_one_place_and_many_agree_under_rules(alone: Asking) -> None:
    put(alone, 0, RULE | {"categories": []})
    points = [list(MARKET), [LON + 0.002, LAT + 0.002], [LON + 0.0112, LAT + 0.0112], [LON - 1, LAT]]
    many = alone.http.post("/v1/locate", json={"points": points}).json()
    one = [alone.http.get("/v1/locate", params={"lon": lon, "lat": lat}).json() for lon, lat in points]
    assert many["grid"] == [answer["grid"] for answer in one] == ["A1", "A1", "B3", None]
    assert many["method"] == [answer["method"] for answer in one]
    assert many["distance_to_edge_m"] == [answer["distance_to_edge_m"] for answer in one]


def test_of_two_editors_the_second_reads_again(alone: Asking) -> None:
    assert put(alone, 0, RULE).status_code == 200
    late = put(alone, 0, RULE)
    assert (late.status_code, late.json()["code"], late.json()["newest"]) == (412, "stale", 1)
    assert put(alone, 1).json()["number"] == 2
    assert alone.http.get("/v1/policy?number=1").json()["policy"]["rules"] == [RULE]
    assert alone.http.get("/v1/policy?number=9").status_code == 404


@pytest.mark.parametrize(
    ("body", "place"),
    [
        ({"policy": {"rules": [RULE | {"first": "ward"}]}, "reason": "x"}, "rules[0].first"),
        ({"policy": {"doubt": [{"policy": "guess"}]}, "reason": "x"}, "doubt[0].policy"),
        ({"policy": {"doubt": [{"policy": "auto", "prior": "home"}]}, "reason": "x"}, "doubt[0].prior"),
        ({"policy": {"doubt": [{"policy": "auto", "prior": ["none"]}]}, "reason": "x"}, "doubt[0].prior"),
        ({"policy": {"doubt": [{"policy": "ask", "threshold": 8}]}, "reason": "x"}, "doubt[0].threshold"),
        ({"policy": {"timezone": "Mars/Base"}, "reason": "x"}, "timezone"),
        ({"policy": {"colour": 1}, "reason": "x"}, "policy"),
        ({"policy": {}}, "body"),
    ],
)
def test_a_policy_that_cannot_be_meant_is_refused(alone: Asking, body: dict[str, Any], place: str) -> None:
    answer = alone.http.put("/v1/policy", json=body, headers={"If-Match": '"0"'})
    assert (answer.status_code, answer.json()["place"]) == (400, place)
    assert alone.http.get("/v1/policy").json()["number"] == 0


def test_a_policy_needs_if_match_and_a_supervisor(alone: Asking) -> None:
    body = {"policy": {}, "reason": "x"}
    assert alone.http.put("/v1/policy", json=body).json()["place"] == "If-Match"
    assert alone.as_("d-key").put("/v1/policy", json=body, headers={"If-Match": '"0"'}).status_code == 403


def test_a_replay_uses_the_policy_of_then(alone: Asking) -> None:
    put(alone, 0, RULE)
    winner(alone, category="06010")
    put(alone, 1)
    winner(alone, category="06010")
    differences: list[Difference] = []
    engine = create_engine(alone.url)
    with engine.connect() as connection:
        now = clock(connection)
        found = replay(connection, Live(), now - timedelta(hours=1), now + timedelta(hours=1), differences.append)
    engine.dispose()
    assert (found.equal, found.different, differences) == (2, 0, [])


def test_where_households_live_tips_a_report_a_question_and_many(alone: Asking) -> None:
    engine = create_engine(alone.url, pool_size=1)
    with engine.begin() as connection:
        crowd = [NewHousehold(LON + 0.002, LAT + 0.002, 900), NewHousehold(LON + 0.015, LAT + 0.005, 100)]
        store_households(connection, crowd)
    engine.dispose()
    put(alone, 0, doubt=[{"policy": "auto", "prior": "households", "channels": ["hotline"]}])
    border = {"lon": LON + 0.01002, "lat": LAT + 0.002, "accuracy_m": 20}  # two metres inside B3
    assert alone.report(**border, channel="app").json()["grid"] == "B3"
    event = alone.report(**border).json()
    assert event["grid"] == "A1"
    (receipt,) = alone.http.get(f"/v1/events/{event['id']}/assignments").json()["assignments"]
    kept = receipt["grounds"]["prior"]
    assert (kept["name"], set(kept["weights"]), kept["weights"]["A1"] > 1 > kept["weights"]["B3"]) == (
        "households", {"A1", "B3"}, True,
    )  # fmt: skip
    asked = alone.http.get("/v1/locate", params=border | {"channel": "hotline"}).json()
    assert (asked["grid"], asked["probability"]) == ("A1", event["assignment"]["probability"])
    assert alone.http.get("/v1/locate", params=border).json()["grid"] == "B3"
