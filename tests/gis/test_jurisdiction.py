"""Jurisdiction: who answers first, by rule; hours over midnight; no rule leaves a covered place alone."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gis.errors import ParameterInvalid
from gis.jurisdiction import Facts, Hours, choose, parse_rules

ZONE = ZoneInfo("Asia/Shanghai")
LAYERS = ("dedicated", "frontage", "general", "micro", "unit")
BOTH = {"dedicated": "M", "general": "A"}
NOON = datetime(2026, 5, 3, 12, 0, tzinfo=ZONE)  # a Sunday
NIGHT = datetime(2026, 5, 3, 23, 0, tzinfo=ZONE)


def rule(**more: Any) -> dict[str, Any]:
    return {"id": "r", "first": "general", "author": "Li", "reason": "market closed", "until": None} | more


def layer(facts: Facts, *rules: dict[str, Any], layers: dict[str, str | None] | None = None) -> str | None:
    choice = choose(layers or BOTH, parse_rules(list(rules), LAYERS), facts, ZONE)
    return choice.layer if choice else None


def test_without_a_rule_the_smallest_priority_wins_and_the_next_backs_up() -> None:
    choice = choose(BOTH, (), Facts(NOON), ZONE)
    assert choice is not None
    assert (choice.layer, choice.backup, choice.rule) == ("dedicated", "A", None)


def test_outside_market_hours_the_general_grid_answers() -> None:
    closed = rule(hours={"from": "18:00", "to": "05:00"})
    assert layer(Facts(NOON), closed) == "dedicated"
    assert layer(Facts(NIGHT), closed) == "general"


def test_the_reply_names_the_rule_and_its_backup() -> None:
    choice = choose(BOTH, parse_rules([rule(backup="dedicated")], LAYERS), Facts(NOON), ZONE)
    assert choice is not None
    assert (choice.layer, choice.backup) == ("general", "M")
    assert choice.rule is not None
    assert choice.rule.id == "r"


@pytest.mark.parametrize(
    ("condition", "facts", "fits"),
    [
        ({"categories": ["06*"]}, Facts(NOON, category="06010"), True),
        ({"categories": ["06*"]}, Facts(NOON, category="09012"), False),
        ({"categories": ["06*"]}, Facts(NOON), False),
        ({"channels": ["hotline"]}, Facts(NOON, channel="hotline"), True),
        ({"channels": ["hotline"]}, Facts(NOON, channel="member"), False),
        ({"owners": ["power company"]}, Facts(NOON, owner="power company"), True),
        ({"owners": ["power company"]}, Facts(NOON), False),
        ({"grids": ["M"]}, Facts(NOON), True),
        ({"grids": ["N"]}, Facts(NOON), False),
        ({"until": "2026-05-03T12:00:00+08:00"}, Facts(NOON), False),
        ({"until": "2026-05-03T12:00:01+08:00"}, Facts(NOON), True),
        ({"since": "2026-05-03T12:00:00+08:00"}, Facts(NOON), True),
        ({"since": "2026-05-03T12:00:01+08:00"}, Facts(NOON), False),
    ],
)
def test_conditions_narrow(condition: dict[str, Any], facts: Facts, fits: bool) -> None:
    assert layer(facts, rule(**condition)) == ("general" if fits else "dedicated")


def test_the_first_fitting_rule_decides() -> None:
    rules = [rule(id="never", categories=["x"]), rule(id="one"), rule(id="two", first="dedicated")]
    choice = choose(BOTH, parse_rules(rules, LAYERS), Facts(NOON), ZONE)
    assert choice is not None
    assert choice.rule is not None
    assert choice.rule.id == "one"


def test_a_rule_for_a_layer_that_is_not_there_does_not_fit() -> None:
    assert layer(Facts(NOON), rule(first="frontage")) == "dedicated"


def test_nobody_covers_an_empty_place() -> None:
    assert layer(Facts(NOON), rule(), layers={"dedicated": None, "general": None}) is None


def test_hours_over_midnight_belong_to_the_day_they_began() -> None:
    friday = Hours(time(22), time(6), frozenset({5}))
    friday_night = datetime(2026, 5, 1, 23, 0, tzinfo=ZONE)
    assert friday.covers(friday_night)
    assert friday.covers(friday_night + timedelta(hours=6))  # Saturday, 5 in the morning
    assert not friday.covers(friday_night + timedelta(hours=7))
    assert not friday.covers(friday_night - timedelta(days=1))
    assert not friday.covers(friday_night + timedelta(days=1))


def test_hours_are_local() -> None:
    closed = rule(hours={"from": "18:00", "to": "05:00"})
    assert layer(Facts(datetime(2026, 5, 3, 15, 0, tzinfo=UTC)), closed) == "general"  # 23:00 in Shanghai


@given(
    st.dictionaries(st.sampled_from(LAYERS), st.one_of(st.none(), st.sampled_from("ABC")), min_size=1),
    st.lists(st.tuples(st.sampled_from(LAYERS), st.one_of(st.none(), st.sampled_from(LAYERS))), max_size=4),
)
def test_a_covered_place_always_has_a_winner_that_covers_it(
    layers: dict[str, str | None], drawn: list[tuple[str, str | None]]
) -> None:
    rules = parse_rules(
        [rule(id=str(i), first=first, backup=backup) for i, (first, backup) in enumerate(drawn)], LAYERS
    )
    choice = choose(layers, rules, Facts(NOON), ZONE)
    assert (choice is None) == (not any(layers.values()))
    assert choice is None or layers[choice.layer] is not None


@pytest.mark.parametrize(
    ("changed", "place"),
    [
        ({"first": "ward"}, "rules[0].first"),
        ({"backup": "ward"}, "rules[0].backup"),
        ({"author": ""}, "rules[0].author"),
        ({"reason": None}, "rules[0].reason"),
        ({"until": "tomorrow"}, "rules[0].until"),
        ({"until": "2026-05-03T12:00:00"}, "rules[0].until"),
        ({"hours": {"from": "25:00", "to": "06:00"}}, "rules[0].hours"),
        ({"hours": {"from": "06:00", "to": "06:00"}}, "rules[0].hours"),
        ({"hours": {"from": "06:00", "to": "07:00", "days": [0]}}, "rules[0].hours"),
        ({"categories": "06010"}, "rules[0].categories"),
        ({"colour": "red"}, "rules[0]"),
    ],
)
def test_a_rule_that_cannot_be_meant_is_refused_by_place(changed: dict[str, Any], place: str) -> None:
    with pytest.raises(ParameterInvalid) as refused:
        parse_rules([rule(**changed)], LAYERS)
    assert refused.value.place == place


def test_a_rule_without_an_expiry_is_refused() -> None:
    with pytest.raises(ParameterInvalid, match="until"):
        parse_rules([{key: value for key, value in rule().items() if key != "until"}], LAYERS)


def test_two_rules_with_one_id_are_refused() -> None:
    with pytest.raises(ParameterInvalid, match="id of its own"):
        parse_rules([rule(), rule()], LAYERS)
