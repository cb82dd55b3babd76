"""Priors at the intake: where households live weighs the grids, the receipt names it, and a replay needs no table for it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest
import sqlalchemy as sa

from data import decide
from data.decide import Place, Policy
from data.explain import explain
from data.intake import Submission, accept
from data.replay import Difference, replay
from data.report import clean
from data.settle import move, override
from gis.store.events import receipts
from gis.store.generations import clock
from gis.store.households import NewHousehold, store_households
from gis.store.live import Live
from gis.store.policies import publish_policy
from tests.town import drawn, place, published

WHO = {"actor": "officer", "role": "dispatcher"}
ASKING = {"policy": "auto", "prior": "households", "categories": ["06*"]}


@pytest.fixture
def town(connection: sa.Connection) -> sa.Connection:
    published(connection, drawn("AABB"))
    publish_policy(connection, {"doubt": [ASKING]}, 0, actor="Li", role="supervisor", reason="agreed")
    return connection


def live_in(connection: sa.Connection, **households: int) -> None:
    """So many households in the middle of each grid, instead of those from before."""
    middle = {"A": place(1.0, 0.5), "B": place(3.0, 0.5)}
    store_households(connection, [NewHousehold(*middle[code], n, external_id=code) for code, n in households.items()])


def sent(connection: sa.Connection, live: Live, column: float = 2.02, **more: Any) -> UUID:
    """A report just inside B, unless told otherwise, known to 20 m."""
    lon, lat = place(column, 0.5)
    fields = {"lon": lon, "lat": lat, "accuracy_m": 20, "category": "06010", "channel": "hotline"} | more
    (outcome,) = accept(connection, live, [Submission(clean(fields, datetime.now(UTC)))], actor="tester")
    assert outcome.event is not None
    return outcome.event


def newest(connection: sa.Connection, event: UUID) -> dict[str, Any]:
    return receipts(connection, event)[-1]


def replayed(connection: sa.Connection) -> tuple[int, list[Difference]]:
    differences: list[Difference] = []
    now = clock(connection)
    found = replay(connection, Live(), now - timedelta(hours=1), now + timedelta(hours=1), differences.append)
    return found.equal, differences


def test_where_households_live_tips_a_place_near_a_border(town: sa.Connection) -> None:
    live = Live()
    unknown = newest(town, sent(town, live))
    assert (unknown["answer"]["grid"], unknown["grounds"]["doubt"]["prior"]) == ("B", None)
    live_in(town, A=300, B=100)
    receipt = newest(town, sent(town, live))
    # A has 1.5 times the mean density, B half of it; one half of all reports comes from anywhere.
    assert receipt["grounds"]["prior"] == {"name": "households", "weights": {"A": 1.25, "B": 0.75}}
    assert (receipt["answer"]["grid"], receipt["grounds"]["doubt"]["prior"]) == ("A", "households")
    before, after = unknown["grounds"]["doubt"]["wins"], receipt["grounds"]["doubt"]["wins"]
    weighed = {code: weight * before[code] for code, weight in receipt["grounds"]["prior"]["weights"].items()}
    nobody = unknown["grounds"]["doubt"]["outside"]
    assert after["A"] == pytest.approx(weighed["A"] / (sum(weighed.values()) + nobody), abs=1e-5)


def test_a_sentence_names_the_prior(town: sa.Connection) -> None:
    live_in(town, A=300, B=100)
    told = explain(newest(town, sent(town, Live())), ZoneInfo("Asia/Shanghai"))
    assert "已计入住户分布" in told["zh"]
    assert "counting where households live" in told["en"]


@pytest.mark.parametrize("more", [{"category": "09012"}, {"accuracy_m": None}])
def test_nobody_else_is_weighed(town: sa.Connection, more: dict[str, Any]) -> None:
    live_in(town, A=300, B=100)
    receipt = newest(town, sent(town, Live(), **more))
    assert (receipt["answer"]["grid"], "prior" in receipt["grounds"]) == ("B", False)


def test_only_grids_in_reach_are_kept(town: sa.Connection) -> None:
    live_in(town, A=300, B=100)
    receipt = newest(town, sent(town, Live(), column=0.5, accuracy_m=5))
    assert receipt["grounds"]["prior"]["weights"] == {"A": 1.25}


def test_where_too_many_grids_are_in_reach_there_is_no_prior(
    town: sa.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    live_in(town, A=300, B=100)
    monkeypatch.setattr(decide, "IN_REACH", 1)
    receipt = newest(town, sent(town, Live()))
    assert (receipt["grounds"]["doubt"]["prior"], "prior" in receipt["grounds"]) == (None, False)


def test_new_households_count_at_once_and_old_receipts_still_agree(town: sa.Connection) -> None:
    live = Live()
    live_in(town, A=300, B=100)
    first = sent(town, live)
    live_in(town, A=100, B=300)
    second = sent(town, live, column=1.98)
    assert [newest(town, event)["answer"]["grid"] for event in (first, second)] == ["A", "B"]
    assert newest(town, second)["grounds"]["prior"]["weights"] == {"A": 0.75, "B": 1.25}
    town.execute(sa.text("DELETE FROM household"))
    publish_policy(town, {}, 1, actor="Li", role="supervisor", reason="no prior any more")
    published(town, drawn("CCCC"), at=None)
    assert replayed(town) == (2, [])


def test_a_replay_sees_a_weight_that_lies(town: sa.Connection) -> None:
    live_in(town, A=300, B=100)
    sent(town, Live())
    town.execute(sa.text("ALTER TABLE assignment DISABLE TRIGGER assignment_is_append_only"))
    town.execute(sa.text("""UPDATE assignment SET grounds = jsonb_set(grounds::jsonb, '{prior,weights,B}', '9')"""))
    _, (difference,) = replayed(town)
    assert {"grid", "doubt"} <= set(difference.members)


def test_a_moved_pin_is_weighed_by_what_is_known_then(town: sa.Connection) -> None:
    live_in(town, A=300, B=100)
    event = sent(town, Live())
    live_in(town, A=100, B=300)
    move(town, Live(), event, Place(*place(1.98, 0.5), accuracy_m=20), Policy(), **WHO)
    moved = newest(town, event)
    assert (moved["answer"]["grid"], moved["grounds"]["prior"]["weights"]) == ("B", {"A": 0.75, "B": 1.25})
    override(town, Live(), event, "A", "known to the village", **WHO)
    assert newest(town, event)["grounds"]["prior"] == moved["grounds"]["prior"]
    assert replayed(town) == (2, [])


def test_many_at_once_are_weighed_as_one(town: sa.Connection) -> None:
    live_in(town, A=300, B=100)
    lat = place(0, 0.5)[1]
    fields = [
        {"lon": place(column / 10, 0)[0], "lat": lat, "accuracy_m": 20, "category": "06", "channel": "c"}
        for column in range(1, 40)
    ]
    now, live = datetime.now(UTC), Live()
    many = accept(town, live, [Submission(clean(one, now)) for one in fields], actor="tester")
    ones = [accept(town, live, [Submission(clean(one, now))], actor="tester")[0] for one in fields]
    assert [one.assignment for one in many] == [one.assignment for one in ones]
