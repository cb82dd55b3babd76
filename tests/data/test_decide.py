"""Decisions in doubt: the likeliest winner, and what the policy makes of it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
import sqlalchemy as sa

from data.decide import Place, Policy, Question, decide
from gis.assignment import Assignment
from gis.jurisdiction import Facts
from gis.policy import PolicyDocument, parse_policy
from gis.store.live import Live, State
from tests.town import drawn, place, published

LAYERS = ("dedicated", "general")
NOW = datetime(2026, 5, 3, 4, 0, tzinfo=UTC)


@pytest.fixture
def state(connection: sa.Connection) -> State:
    published(connection, drawn("AABB\nAABB"), drawn("..MM\n....", layer="dedicated"))
    live = Live()
    return live.state(connection, live.now(connection))


def answer(state: State, column: float, row: float, accuracy_m: float | None = None, **policy: Any) -> Assignment:
    lon, lat = place(column, row)
    document = parse_policy(policy, LAYERS) if policy else PolicyDocument()
    question = Question(Place(lon, lat, accuracy_m=accuracy_m), Facts(NOW, category="06010"))
    return decide(state, question, Policy(document=document)).assignment


def test_without_an_accuracy_there_is_no_doubt(state: State) -> None:
    found = answer(state, 1.0, 0.5)
    assert (found.grid, found.probability, found.ambiguous, found.owners) == ("A", None, False, ())


def test_far_from_a_border_the_answer_is_sure(state: State) -> None:
    found = answer(state, 1.0, 1.0, 10)
    assert found.probability == pytest.approx(1.0, abs=1e-6)
    assert (found.grid, found.ambiguous, found.owners, found.told) == ("A", False, ("A",), ())


def test_on_a_straight_border_it_is_one_in_two_and_the_lower_code_has_it(state: State) -> None:
    found = answer(state, 2.0, 0.5, 10)
    assert found.probability == pytest.approx(0.5, abs=1e-3)
    assert (found.grid, found.ambiguous, found.told) == ("A", True, ("B",))
    assert {c.grid: round(c.probability or 0, 2) for c in found.candidates} == {"A": 0.5, "B": 0.5}


def test_joint_gives_it_to_both(state: State) -> None:
    found = answer(state, 2.0, 0.5, 10, doubt=[{"policy": "joint"}])
    assert (found.grid, found.owners) == ("A", ("A", "B"))


def test_ask_leaves_it_to_a_person(state: State) -> None:
    found = answer(state, 2.0, 0.5, 10, doubt=[{"policy": "ask", "categories": ["06*"]}])
    assert (found.grid, found.method, found.reason, found.ambiguous) == (None, "none", "ambiguous", True)
    assert {c.grid for c in found.candidates} == {"A", "B"}
    other = answer(state, 2.0, 0.5, 10, doubt=[{"policy": "ask", "categories": ["09*"]}])
    assert other.grid == "A"


def test_probabilities_follow_the_rule_that_puts_another_layer_first(state: State) -> None:
    rule = {"id": "r", "first": "general", "author": "Li", "reason": "closed", "until": None}
    assert answer(state, 3.0, 1.5, 10).grid == "M"
    found = answer(state, 3.0, 1.5, 10, rules=[rule])
    assert (found.grid, found.rule, found.backup) == ("B", "r", "M")
    assert found.probability == pytest.approx(1.0, abs=1e-6)
