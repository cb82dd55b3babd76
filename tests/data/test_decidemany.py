"""Deciding many at once says what deciding each alone says."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from data.decide import Place, Policy, Question, decide
from data.decidemany import decide_many
from gis.crs import from_storage, parse_datum
from gis.jurisdiction import Facts
from gis.policy import parse_policy
from gis.store.live import Live, State
from tests.town import drawn, place, published

NOW = datetime(2026, 5, 3, 4, 0, tzinfo=UTC)
LAYERS = ("dedicated", "general")
RULE = {
    "id": "night",
    "first": "general",
    "hours": {"from": "22:00", "to": "06:00"},
    "until": None,
    "author": "t",
    "reason": "markets sleep",
}
DOCUMENTS: tuple[dict[str, Any], ...] = ({}, {"rules": [RULE]}, {"doubt": [{"policy": "ask"}]})


@pytest.fixture
def state(connection: sa.Connection) -> State:
    published(connection, drawn("AABB\nAABB"), drawn("..MM\n....", layer="dedicated"))
    live = Live()
    return live.state(connection, live.now(connection))


def question(column: float, row: float, datum: str, accuracy_m: float | None, hour: int, given: bool) -> Question:
    lon, lat = place(column, row)
    x, y = (float(one[0]) for one in from_storage([lon], [lat], parse_datum(datum)))
    where = Place(x, y, datum, accuracy_m) if given else Place(None, None, address="somewhere")
    return Question(where, Facts(NOW + timedelta(hours=hour), category="06010"))


questions = st.builds(
    question,
    column=st.one_of(st.sampled_from([0.0, 1.0, 2.0, 2.5, 3.0, 4.0, 4.01, 9.0]), st.floats(-1, 5)),
    row=st.one_of(st.sampled_from([0.0, 0.5, 1.0, 2.0]), st.floats(-1, 3)),
    datum=st.sampled_from(["wgs84", "gcj02", "bd09"]),
    accuracy_m=st.one_of(st.none(), st.none(), st.sampled_from([5.0, 400.0])),
    hour=st.integers(0, 23),
    given=st.sampled_from([True, True, True, False]),
)


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(asked=st.lists(questions, max_size=30), document=st.sampled_from(DOCUMENTS))
def test_many_at_once_are_decided_as_each_alone(state: State, asked: list[Question], document: dict[str, Any]) -> None:
    policy = Policy(document=parse_policy(document, LAYERS))
    assert decide_many(state, asked, policy) == [decide(state, one, policy) for one in asked]
