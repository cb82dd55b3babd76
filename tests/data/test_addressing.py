"""Addresses obey the policy: thresholds, joint and ask, rules of jurisdiction; and replays agree.

general    A A B B
           A C B B
dedicated  . M M .  over the southern row. 门店 lies in C and M, 关口 on the border of C and B within M, 北站 on that of A and B.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import shapely
import sqlalchemy as sa

from data.intake import Submission, accept
from data.replay import Difference, replay
from data.report import clean
from gis.gazetteer import Entry
from gis.store.events import receipts
from gis.store.gazetteer import replace_source
from gis.store.generations import clock
from gis.store.live import Live
from gis.store.policies import newest_policy, publish_policy
from tests.town import drawn, place, published

PLACES = {"门店大厦": (1.5, 0.5), "关口大厦": (2.0, 0.5), "北站大厦": (2.0, 1.5)}
RULE = {"id": "town", "first": "general", "author": "Li", "reason": "closed", "until": None, "categories": ["06*"]}


@pytest.fixture
def town(connection: sa.Connection) -> sa.Connection:
    published(connection, drawn("AABB\nACBB"), drawn(".MM.", layer="dedicated"))
    entries = [Entry(name, "building", shapely.Point(*place(*at)), radius_m=10.0) for name, at in PLACES.items()]
    replace_source(connection, "drawn", entries, actor="tester")
    return connection


def put(connection: sa.Connection, **policy: Any) -> None:
    publish_policy(connection, policy, newest_policy(connection), actor="Li", role="supervisor", reason="agreed")


def asked(connection: sa.Connection, address: str, **more: Any) -> dict[str, Any]:
    """The receipt's answer to a report with an address alone."""
    report = clean({"address": address, "channel": "hotline", "category": "06010"} | more, datetime.now(UTC))
    (outcome,) = accept(connection, Live(), [Submission(report)], actor="tester")
    assert outcome.event is not None
    answer: dict[str, Any] = receipts(connection, outcome.event)[-1]["answer"]
    return answer


def test_without_a_policy_the_priorities_decide_and_the_next_layer_backs_up(town: sa.Connection) -> None:
    answer = asked(town, "门店大厦")
    assert (answer["grid"], answer["method"], answer["rule"], answer["backup"]) == ("M", "address", None, "C")


def test_a_rule_puts_another_layer_first_at_an_address_too(town: sa.Connection) -> None:
    put(town, rules=[RULE])
    answer = asked(town, "门店大厦")
    assert (answer["grid"], answer["rule"], answer["backup"]) == ("C", "town", "M")
    assert (answer["path"][-1]["code"], answer["layers"]) == ("C", {"dedicated": "M", "general": "C"})
    other = asked(town, "门店大厦", category="09012")
    assert (other["grid"], other["rule"]) == ("M", None)


def test_a_rule_may_make_an_address_unsure(town: sa.Connection) -> None:
    assert asked(town, "关口大厦")["ambiguous"] is False
    put(town, rules=[RULE])
    answer = asked(town, "关口大厦")
    assert (answer["ambiguous"], {*answer["owners"], *answer["told"]}) == (True, {"B", "C"})


@pytest.mark.parametrize(
    ("entry", "owners", "told", "reason"),
    [
        ({"policy": "auto"}, 1, 1, None),
        ({"policy": "joint"}, 2, 0, None),
        ({"policy": "ask"}, 0, 0, "ambiguous"),
        ({"policy": "ask", "categories": ["09*"]}, 1, 1, None),
        ({"policy": "ask", "threshold": 0.3}, 1, 0, None),
        ({"policy": "auto", "tell": 0.7}, 1, 0, None),
    ],
)
def test_the_policy_says_what_becomes_of_an_address_on_a_border(
    town: sa.Connection, entry: dict[str, Any], owners: int, told: int, reason: str | None
) -> None:
    put(town, doubt=[entry])
    answer = asked(town, "北站大厦")
    assert (len(answer["owners"]), len(answer["told"]), answer["reason"]) == (owners, told, reason)
    assert (answer["grid"] is None) == (reason is not None)
    assert {one["grid"] for one in answer["candidates"]} == {"A", "B"}


def test_a_replay_agrees_under_every_policy_that_was(town: sa.Connection) -> None:
    documents: list[dict[str, Any]] = [{}, {"rules": [RULE]}, {"doubt": [{"policy": "ask"}]}, {"rules": []}]
    for document in documents:
        put(town, **document)
        for address in (*PLACES, "没有的地方"):
            asked(town, address)
    published(town, drawn("CCCC"), at=None)
    replace_source(town, "drawn", [], actor="tester")
    differences: list[Difference] = []
    now = clock(town)
    found = replay(town, Live(), now - timedelta(hours=1), now + timedelta(hours=1), differences.append)
    assert (found.equal, differences) == (16, [])
