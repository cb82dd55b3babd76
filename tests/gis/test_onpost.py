"""On post: minutes computed by hand; silence is unknown, leave is not due, order does not matter."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gis.onpost import OnPost, on_post, spans_of

EIGHT = datetime(2026, 5, 3, 8, tzinfo=UTC)


def clock(minute: float) -> datetime:
    return EIGHT + timedelta(minutes=minute)


def spans(*pairs: tuple[float, float]) -> Any:
    return spans_of([(clock(a), clock(b)) for a, b in pairs])


def seen(*readings: tuple[float, bool]) -> tuple[Any, Any]:
    at = np.array([round((clock(minute).timestamp()) * 1e6) for minute, _ in readings], dtype=np.int64)
    return at, np.array([here for _, here in readings], dtype=bool)


def minutes(found: OnPost) -> tuple[float, ...]:
    return tuple(
        round(value / 60, 6) for value in (found.due_s, found.on_s, found.elsewhere_s, found.unknown_s, found.leave_s)
    )


def test_a_shift_without_any_reading_is_unknown_and_not_zero() -> None:
    found = on_post(spans((0, 60)), spans(), *seen())
    assert minutes(found) == (60, 0, 0, 60, 0)
    assert (found.share, found.share_of_known, found.unknown_share) == (0.0, None, 1.0)


def test_readings_at_most_ten_minutes_apart_leave_no_silence() -> None:
    found = on_post(spans((0, 20)), spans(), *seen((0, True), (10, True), (20, True)))
    assert minutes(found) == (20, 20, 0, 0, 0)


def test_a_lone_reading_vouches_for_five_minutes_on_either_side() -> None:
    assert minutes(on_post(spans((0, 60)), spans(), *seen((30, True)))) == (60, 10, 0, 50, 0)
    assert minutes(on_post(spans((0, 60)), spans(), *seen((58, True)))) == (60, 7, 0, 53, 0)
    assert minutes(on_post(spans((0, 60)), spans(), *seen((-2, True)))) == (60, 3, 0, 57, 0)


def test_between_a_reading_inside_and_one_outside_the_middle_decides() -> None:
    found = on_post(spans((0, 8)), spans(), *seen((0, True), (4, False), (8, False)))
    assert minutes(found) == (8, 2, 6, 0, 0)
    assert found.share_of_known == 0.25


def test_leave_inside_a_shift_is_not_due() -> None:
    found = on_post(spans((0, 60)), spans((20, 40), (35, 50), (90, 99)), *seen((10, True), (30, False)))
    # Due 0-20 and 50-60; 5-15 on post; 25-35 lies in the leave.
    assert minutes(found) == (30, 10, 0, 20, 30)


def test_a_shift_all_on_leave_has_no_share() -> None:
    found = on_post(spans((0, 60)), spans((-10, 70)), *seen((30, True)))
    assert minutes(found) == (0, 0, 0, 0, 60)
    assert (found.share, found.share_of_known, found.unknown_share) == (None, None, None)


def test_of_two_readings_at_one_instant_one_in_the_grid_is_enough() -> None:
    assert minutes(on_post(spans((0, 10)), spans(), *seen((5, False), (5, True)))) == (10, 10, 0, 0, 0)


@pytest.mark.parametrize("hold_s", [60.0, 300.0, 3600.0])
def test_all_figures_add_up_whatever_the_hold(hold_s: float) -> None:
    found = on_post(spans((0, 30), (45, 60)), spans((5, 6)), *seen((1, True), (29, False), (44, True)), hold_s)
    assert found.on_s + found.elsewhere_s + found.unknown_s == found.due_s == 44 * 60


reading = st.tuples(st.integers(-20, 80), st.booleans())
span = st.tuples(st.integers(-10, 70), st.integers(0, 30)).map(lambda one: (one[0], one[0] + one[1]))


@given(st.lists(reading, max_size=12), st.lists(span, max_size=4), st.randoms(use_true_random=False))
def test_order_and_repetition_of_readings_and_leave_change_nothing(
    readings: list[Any], leave: list[Any], chance: Any
) -> None:
    first = on_post(spans((0, 60)), spans(*leave), *seen(*readings))
    again, away = readings * 2, leave * 2
    chance.shuffle(again)
    chance.shuffle(away)
    assert on_post(spans((0, 60)), spans(*away), *seen(*again)) == first
    assert first.on_s + first.elsewhere_s + first.unknown_s == first.due_s
    assert first.due_s + first.leave_s == 3600


@given(st.lists(reading, min_size=1, max_size=6), st.lists(span, max_size=3))
def test_every_second_is_judged_by_the_nearest_reading(readings: list[Any], leave: list[Any]) -> None:
    found = on_post(spans((0, 60)), spans(*leave), *seen(*readings))
    at: dict[int, bool] = {}
    for minute, here in readings:
        at[minute] = at.get(minute, False) or here
    on = off = due = 0
    for half in range(240):  # the middles of quarter minutes
        moment = (half + 0.5) / 4
        if any(a <= moment < b for a, b in leave):
            continue
        due += 1
        near = min(at, key=lambda minute: abs(minute - moment))
        if abs(near - moment) < 5:
            on, off = on + at[near], off + (not at[near])
    assert minutes(found)[:3] == (due / 4, on / 4, off / 4)
