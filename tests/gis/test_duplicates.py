"""Likely duplicates by hand-computed scores; groups of links by law."""

from __future__ import annotations

import itertools
import math
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gis.duplicates import (
    DEFAULT_RULE,
    LIKELY,
    DuplicateRule,
    Likeness,
    Told,
    groups,
    likely,
    likeness,
    plain,
    text_similarity,
)

NOON = datetime(2026, 11, 22, 4, tzinfo=UTC)


def told(number: int, minutes: float = 0.0, **more: str | None) -> Told:
    return Told(UUID(int=number), NOON + timedelta(minutes=minutes), **more)


def odds(score: float) -> float:
    return math.log(score / (1.0 - score))


def test_the_evidence_adds_up_in_log_odds() -> None:
    one = told(1, category="06010", text="路灯不亮", address="幸福路3号", reporter="mia")
    other = told(2, -360.0, category="06010", text="路灯，不亮！", address="幸福路 ３ 号", reporter="mia")
    found = likeness(one, other, 10.0, DEFAULT_RULE)
    # near 0.8, recent 0.75, texts equal but for punctuation: 3 (1 - 0.4) = 1.8
    assert odds(found.score) == pytest.approx(-1 + 2 * 0.8 + 0.75 + 1 + 1.8 + 1 + 0.5)
    assert found.reasons == ("near", "recent", "same-category", "similar-text", "same-address", "same-reporter")
    assert (found.event, found.distance_m, found.minutes) == (other.event, 10.0, 360.0)


@pytest.mark.parametrize(
    ("other", "metres", "expected"),
    [
        (told(2), 0.0, -1 + 2 + 1),  # what neither says counts for neither side
        (told(2, category="06010"), 50.0, -1 + 0 + 1 + 1),
        (told(2, category="09012"), 50.0, -1 + 0 + 1 - 1.5),
        (told(2, category="06010", category_scheme="local"), 50.0, -1 + 0 + 1),  # two schemes cannot be compared
        (told(2, 1440.0, category="06010"), 25.0, -1 + 1 + 0 + 1),
    ],
)
def test_distance_time_and_category(other: Told, metres: float, expected: float) -> None:
    one = told(1, category="06010")
    assert odds(likeness(one, other, metres, DEFAULT_RULE).score) == pytest.approx(expected)


def test_another_text_of_another_category_at_one_spot_is_not_likely() -> None:
    one, other = told(1, category="06010", text="路灯不亮"), told(2, 5.0, category="09012", text="消防通道被占用")
    assert likeness(one, other, 3.0, DEFAULT_RULE).score < LIKELY
    assert likeness(one, told(3, 5.0, category="06010", text="路灯坏了，不亮"), 3.0, DEFAULT_RULE).score > 0.9


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        ("路灯不亮", "路灯不亮", 1.0),
        ("ＡＢＣＤ！", "abcd", 1.0),
        ("路灯不亮", "路灯坏了不亮", 2 * 4 / (4 + 6)),
        ("abcd", "wxyz", 0.0),
        ("灯坏", "灯坏", None),  # too little to say anything
        (None, "路灯不亮", None),
        ("🙂🙂🙂🙂", "🙂🙂🙂🙂", None),
    ],
)
def test_text_similarity(one: str | None, other: str | None, expected: float | None) -> None:
    assert text_similarity(one, other) == (None if expected is None else pytest.approx(expected))


def test_only_the_beginning_of_a_long_text_is_read() -> None:
    assert len(plain("长" * 20_000)) == 500


def test_the_likeliest_come_first_and_the_others_not_at_all() -> None:
    found = [Likeness(UUID(int=n), score, (), 0.0, 0.0) for n, score in ((1, 0.7), (2, 0.9), (3, 0.59), (4, 0.9))]
    assert [one.event.int for one in likely(found)] == [2, 4, 1]
    assert [one.event.int for one in likely(found, most=1)] == [2]


def test_a_likeness_is_json() -> None:
    found = likeness(told(1), told(2, 1.26), 12.34, DuplicateRule(100.0, 60.0)).as_json()
    assert (found["distance_m"], found["minutes"], found["reasons"]) == (12.3, 1.3, ["near", "recent"])


EVENTS = st.integers(1, 12).map(lambda n: UUID(int=n))
PAIRS = st.lists(st.tuples(EVENTS, EVENTS).filter(lambda pair: pair[0] != pair[1]), max_size=15)


@given(PAIRS, st.randoms(use_true_random=False))
def test_groups_are_what_the_links_reach_in_any_order(pairs: list[tuple[UUID, UUID]], chance) -> None:
    reached = {event: {event} for pair in pairs for event in pair}
    for _ in range(12):
        for one, other in pairs:
            both = reached[one] | reached[other]
            for event in both:
                reached[event] = both
    expected = sorted({tuple(sorted(group)) for group in reached.values()})
    turned = [pair[::-1] for pair in pairs]
    chance.shuffle(turned)
    assert [tuple(group) for group in groups(pairs)] == [tuple(group) for group in groups(turned)] == expected


def test_a_chain_and_a_cycle_are_one_group() -> None:
    a, b, c, d = (UUID(int=n) for n in range(1, 5))
    assert groups([(d, c), (c, b), (b, a)]) == groups(list(itertools.permutations([a, b, c, d], 2))) == [[a, b, c, d]]
