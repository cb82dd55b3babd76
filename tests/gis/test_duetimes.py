"""Due times, what is unknown apart from overdue; how old a grid's streets are; forecasts that learn a rhythm, and their hindsight."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gis.duetimes import DUE_STATES, due_at, due_times, seen_since
from gis.errors import ParameterInvalid
from gis.forecast import chance_of_visit, hindsight

NOW = np.datetime64("2026-05-20T08:00", "us")
NEVER = np.datetime64("NaT", "us")


def ago(*days: float | None) -> npt.NDArray[np.datetime64]:
    return np.array(
        [NEVER if d is None else NOW - np.timedelta64(round(d * 86_400), "s") for d in days], "datetime64[us]"
    )


def test_a_place_is_due_its_interval_after_the_last_visit_or_after_it_came_on_the_list() -> None:
    due = due_at(ago(6.5, 8, None, None), ago(30, 30, 30, 2), np.full(4, 7.0))
    assert ((NOW - due).astype(float) / 86_400e6).tolist() == [-0.5, 1.0, 23.0, -5.0]
    with pytest.raises(ParameterInvalid):
        due_at(ago(1), ago(2), np.array([0.0]))


def test_silence_makes_unknown_and_a_small_chance_makes_soon() -> None:
    last = ago(6.5, 8, 8, 6.5, 1)
    due = due_at(last, ago(*[30] * 5), np.full(5, 7.0))
    tracked = np.array([True, True, False, False, False])
    found = due_times(last, due, NOW, tracked=tracked, chance=np.array([0.9, 0.0, 0.0, 0.2, np.nan]))
    assert [DUE_STATES[s] for s in found.state] == ["due", "overdue", "unknown", "soon", "due"]
    assert found.counts == {"due": 2, "soon": 1, "overdue": 1, "unknown": 1}
    assert found.worst_first().tolist() == [1, 2, 3, 0, 4]
    assert found.overdue_days.tolist() == [-0.5, 1.0, 1.0, -0.5, -6.0]


def test_what_nobody_can_say_is_unknown_whether_due_or_not() -> None:
    last = ago(None, 8, 1)
    due = due_at(last, ago(2, 2, 2), np.full(3, 7.0))
    found = due_times(last, due, NOW, tracked=np.ones(3, dtype=bool), unsure=np.array([True, False, False]))
    assert [DUE_STATES[s] for s in found.state] == ["unknown", "overdue", "due"]


def test_what_is_due_this_very_moment_is_overdue() -> None:
    last = ago(7)
    assert due_times(last, due_at(last, last, np.array([7.0])), NOW, tracked=np.array([True])).counts["overdue"] == 1


def test_a_grid_is_as_old_as_the_oldest_of_the_freshest_four_fifths() -> None:
    owner, metres = np.array([0, 0, 0, 1, 1, -1]), np.array([60.0, 20.0, 20.0, 70.0, 30.0, 9.0])
    found = seen_since(owner, metres, ago(1, 3, None, 2, None, 0), 3, 0.8)
    assert found.tolist() == [ago(3)[0].item(), None, None]
    assert seen_since(owner, metres, ago(1, 3, 9, 2, 5, 0), 3, 1.0).tolist() == [
        ago(9)[0].item(),
        ago(5)[0].item(),
        None,
    ]


@given(
    st.lists(st.tuples(st.integers(-1, 2), st.integers(0, 5), st.none() | st.integers(0, 9)), max_size=30),
    st.integers(1, 10),
)
def test_seen_since_is_what_trying_every_instant_gives(rows: list[tuple[int, int, int | None]], tenths: int) -> None:
    owner, weight = np.array([r[0] for r in rows], np.int64), np.array([float(r[1]) for r in rows])
    found = seen_since(owner, weight, ago(*[r[2] for r in rows]), 3, tenths / 10)
    for grid in range(3):
        own = [(w, days) for g, w, days in rows if g == grid and w > 0]
        fits = [
            d
            for d in range(10)
            if sum(w for w, days in own if days is not None and days <= d)
            >= tenths / 10 * sum(w for w, _ in own) - 1e-9
        ]
        wanted = min((d for d in fits if own), default=None)
        assert found[grid].item() == ago(wanted)[0].item()


# --- forecasts -------------------------------------------------------------------------------------------------------


def rhythm(*days_back: int, count: int = 28) -> list[bool]:
    return [k in days_back for k in range(count)]


def test_a_weekly_rhythm_is_learnt() -> None:
    """Visited each week on one day: certain when that day comes before it is due, unlikely when it does not."""
    tomorrow = rhythm(6, 13, 20, 27)  # six days before the last day: again in one day
    yesterday = rhythm(1, 8, 15, 22)
    visited = np.array([tomorrow] * 30 + [yesterday] * 30)
    chance = chance_of_visit(visited, np.full(60, 1.0), np.zeros(60, np.int64))
    assert chance[:30].min() > 0.9
    assert chance[30:].max() < 0.1
    assert chance_of_visit(visited, np.full(60, 6.0), np.zeros(60, np.int64))[30:].min() > 0.9


def test_half_a_day_gives_less_chance_than_a_whole_one_and_none_is_not_asked() -> None:
    visited = np.random.default_rng(4).random((200, 28)) < 0.3
    group = np.zeros(200, np.int64)
    half, whole = (chance_of_visit(visited, np.full(200, left), group) for left in (0.5, 1.0))
    assert bool((half < whole).all())
    assert np.isnan(chance_of_visit(visited, np.zeros(200), group)).all()
    assert whole.mean() == pytest.approx(0.3, abs=0.03)


def test_places_without_any_visit_have_a_small_chance_and_groups_do_not_mix() -> None:
    visited = np.vstack([np.zeros((50, 28), dtype=bool), np.ones((50, 28), dtype=bool)])
    group = np.repeat([0, 1], 50)
    chance = chance_of_visit(visited, np.full(100, 1.0), group)
    assert chance[:50].max() < 0.02
    assert chance[50:].min() > 0.98


def test_a_forecast_needs_more_than_a_week() -> None:
    with pytest.raises(ParameterInvalid):
        chance_of_visit(np.zeros((1, 7), dtype=bool), np.ones(1), np.zeros(1, np.int64))


def test_hindsight_of_a_strict_rhythm_is_right_and_of_chance_is_not() -> None:
    """One visit every 9 days in turn: what falls due after 7 days is overdue for 2, always."""
    visited = np.array([[(k - shift) % 9 == 0 for k in range(40)] for shift in range(9)] * 20)
    found = hindsight(visited, np.full(180, 7.0), np.zeros(180, np.int64))
    assert found.days == 14
    assert found.hits.denominator > 100
    assert found.hits.value == found.found.value == found.right.value == 1.0
    rng = np.random.default_rng(1)
    chaos = hindsight(rng.random((300, 40)) < 0.25, np.full(300, 3.0), np.zeros(300, np.int64))
    assert chaos.right.value is not None
    assert 0.4 < chaos.right.value < 0.75


def test_hindsight_knows_nothing_of_what_came_later() -> None:
    """Two weeks of one habit and then its opposite: a forecast that looked ahead would be right."""
    weekly = np.array([rhythm(*range(k, 42, 7), count=42) for k in range(7)] * 10)
    stopped = weekly.copy()
    stopped[:, :10] = False
    before, after = (hindsight(v, np.full(70, 7.0), np.zeros(70, np.int64), days=8) for v in (weekly, stopped))
    assert before.right.value == 1.0
    assert after.right.value is not None
    assert after.right.value < 0.5


def test_too_short_a_past_is_not_tried() -> None:
    found = hindsight(np.zeros((3, 15), dtype=bool), np.full(3, 7.0), np.zeros(3, np.int64))
    assert (found.days, found.right.value) == (0, None)
