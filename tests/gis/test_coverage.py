"""Coverage: every figure with its denominator; unknown is neither missed nor 0; nothing to cover is n/a."""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from gis.cellowners import cell_owners
from gis.coverage import (
    STATES,
    Credit,
    credited,
    ground_ages,
    owners_of,
    revisits,
    revisits_on_time,
    states,
    swept_area,
    tracked,
)
from gis.errors import ParameterInvalid
from gis.locate import GridIndex
from gis.partition import partition_of
from gis.shares import Share, Shares, summed
from gis.streetsamples import StreetSamples, street_samples
from gis.sweep import Sweep
from gis.tracks import Tracks
from tests.gis.walks import DAY, at, degrees, fixes, frame, line, square, tracks

DAYS = 86_400


def sweep(*walks: Tracks) -> Sweep:
    made = Sweep(frame(), 25.0, origin=DAY)
    for walk in walks:
        made.add(walk)
    return made


def halves() -> GridIndex:
    """a: the western 500 m, b: the eastern 500 m, 800 m high."""
    return GridIndex.of([partition_of(["a", "b"], [square(0, 0, 500, 800), square(500, 0, 1000, 800)])])


def watched(**seconds: tuple[float, float]) -> Shares:
    """Tracked and duty seconds by grid."""
    return Shares("tracked", "s", tuple(seconds), *np.array(list(seconds.values()), np.float64).reshape(-1, 2).T)


# --- one figure ------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("done", "whole", "written"),
    [
        (371, 372, "99.7 %"),
        (2999, 3000, "99.9 %"),
        (3000, 3000, "100.0 %"),
        (1, 3000, "0.1 %"),
        (0, 3000, "0.0 %"),
        (0, 0, "n/a"),
        (1, 2, "50.0 %"),
    ],
)
def test_a_share_is_whole_only_when_nothing_is_missing(done: int, whole: int, written: str) -> None:
    assert Share("households_visited", "households", done, whole).percent() == written


def test_a_figure_carries_all_it_depends_on() -> None:
    shares = Shares("swept_area", "m2", ("a", "b"), np.array([50.0, 0.0]), np.array([100.0, 0.0]), {"sight_m": 25.0})
    assert shares.one("a").as_json() == {
        "name": "swept_area", "unit": "m2", "numerator": 50.0, "denominator": 100.0, "value": 0.5, "parameters": {"sight_m": 25.0},
    }  # fmt: skip
    assert [row["value"] for row in shares.as_json()["shares"]] == [0.5, None]
    assert shares.total.value == 0.5
    assert shares.aligned(["b", "x", "a"]).denominator.tolist() == [0.0, 0.0, 100.0]


# --- swept area ------------------------------------------------------------------------------------------------------------------


def test_the_swept_share_of_a_straight_walk() -> None:
    made = sweep(tracks(fixes(line(1.0, 600, 10, y=400.0, x=100.0))))
    found = swept_area([(cell_owners(frame(), halves(), "general"), made.seen(DAY, at(DAYS)))], made.parameters)
    assert found.keys == ("a", "b")
    assert found.numerator == pytest.approx([400 * 50 + np.pi * 25**2 / 2, 200 * 50 + np.pi * 25**2 / 2], rel=0.02)
    assert found.denominator == pytest.approx([400_000, 400_000], rel=0.01)
    assert found.parameters["sight_m"] == 25.0


def test_a_grid_without_ground_is_not_applicable() -> None:
    """A grid that is all water, and one smaller than a cell."""
    index = GridIndex.of([partition_of(["lake", "land"], [square(0, 0, 100, 100), square(100, 0, 300, 100)])])
    water = np.array([square(-10, -10, 110, 110)], dtype=object)
    made = sweep(tracks(fixes(line(1.0, 300, 10, y=50.0, x=0.0))))
    owners = cell_owners(frame(), index, "general", water=water)
    found = swept_area([(owners, made.seen(DAY, at(DAYS)))], made.parameters)
    assert np.isnan(found.value).tolist() == [True, False]
    assert states(found, watched(lake=(0, 10))).tolist() == [3, 2]


def test_no_spans_no_figures() -> None:
    assert len(swept_area([], {})) == 0
    assert credited("places_visited", "places", ("a",), [], np.empty(0), {}).one("a").value is None


# --- states ----------------------------------------------------------------------------------------------------------------------


def test_a_silent_device_makes_unknown_and_a_tracked_one_missed() -> None:
    shares = Shares("x", "places", ("a", "b", "c", "d", "e"), np.array([3.0, 2, 2, 2, 0]), np.array([3.0, 3, 3, 3, 0]))
    tracking = watched(a=(0, 100), b=(90, 100), c=(70, 100), d=(0, 0), e=(100, 100))
    assert states(shares, tracking).tolist() == [0, 1, 2, 2, 3]
    assert states(shares, tracking, enough=0.5).tolist() == [0, 0, 0, 0, 3]
    assert states(shares, tracking, tracked_min=0.7).tolist() == [0, 1, 1, 2, 3]


@pytest.mark.parametrize("bad", [{"enough": 1.5}, {"tracked_min": 0.0}])
def test_thresholds_that_are_no_shares_are_refused(bad: dict[str, float]) -> None:
    with pytest.raises(ParameterInvalid):
        states(watched(a=(0, 0)), watched(a=(0, 0)), **bad)


figures = st.lists(
    st.tuples(st.integers(0, 4), st.integers(0, 4), st.integers(0, 10), st.integers(0, 10)), min_size=1, max_size=20
)


@settings(max_examples=100, deadline=None)
@given(rows=figures, enough=st.sampled_from([0.0, 0.3, 1.0]), least=st.sampled_from([0.1, 0.8, 1.0]))
def test_unknown_is_never_missed_and_only_the_tracked_can_miss(
    rows: list[tuple[int, int, int, int]], enough: float, least: float
) -> None:
    keys = tuple(str(k) for k in range(len(rows)))
    done, whole, known, duty = np.array([(min(a, b), b, min(c, d), d) for a, b, c, d in rows], np.float64).T
    found = states(
        Shares("x", "m", keys, done, whole), Shares("tracked", "s", keys, known, duty), enough=enough, tracked_min=least
    )
    for state, a, b, c, d in zip(found.tolist(), done, whole, known, duty, strict=True):
        assert (state == 3) == (b == 0)
        assert state != 1 or (d > 0 and c >= least * d and a < b)
        assert state != 2 or d == 0 or c < least * d
        assert state != 0 or a >= enough * b


def test_three_thousand_grids_and_one_planted_miss() -> None:
    """Every grid has two places, visited within seven days; one tracked member skipped one; one device was silent."""
    keys = tuple(f"{g:04d}" for g in range(3000))
    owner = np.repeat(np.arange(3000), 2)
    rng = np.random.default_rng(1)
    last = DAY + rng.integers(0, 7 * DAYS, 6000).astype("timedelta64[s]")
    last[2 * 1234] = np.datetime64("NaT")
    last[2 * 77 + 1] = at(-3 * DAYS)
    duty = np.full(3000, 100.0)
    known = duty.copy()
    known[77] = 5.0
    found = revisits(keys, owner, last, tracked(keys, np.arange(3000), known, duty), as_of=at(7 * DAYS))
    assert found.counts == {"visited": 2998, "missed": 1, "unknown": 1, "n/a": 0}
    assert [keys[k] for k in np.flatnonzero(found.state == 1)] == ["1234"]
    assert (found.on_time.numerator, found.on_time.denominator) == (2998, 2999)
    assert found.on_time.parameters["unknown"] == 1
    assert found.on_time.percent() == "99.9 %"
    assert found.as_json()["grids"][77]["state"] == "unknown"


@pytest.mark.parametrize(("days", "visited"), [(6.0, True), (7.0, True), (7.01, False), (0.0, False)])
def test_the_deadline_is_to_the_second(days: float, visited: bool) -> None:
    last = np.array([at(10 * DAYS - days * DAYS)])
    found = revisits(("a",), np.array([0]), last, watched(a=(1, 1)), as_of=at(10 * DAYS))
    assert found.state.tolist() == [0 if visited else 1]


def test_a_revisit_interval_of_nothing_is_refused() -> None:
    with pytest.raises(ParameterInvalid):
        revisits(("a",), np.array([0]), np.array([DAY]), watched(a=(1, 1)), as_of=DAY, revisit_days=0)


# --- things credited to the grid of their day ------------------------------------------------------------------------------------


def test_a_place_is_credited_to_the_grid_that_had_it_then() -> None:
    keys = ("a", "b")
    moved = [Credit(np.array([0, 0]), np.array([True, False])), Credit(np.array([0, 1]), np.array([True, True]))]
    found = credited("places_visited", "places", keys, moved, np.ones(2), {})
    assert found.numerator.tolist() == [1.0, 1.0]
    assert found.denominator.tolist() == [2.0, 1.0]


@settings(max_examples=100, deadline=None)
@given(
    spans=st.lists(
        st.lists(st.tuples(st.integers(-1, 2), st.booleans()), min_size=5, max_size=5), min_size=1, max_size=3
    ),
    weight=st.lists(st.integers(0, 4), min_size=5, max_size=5),
)
def test_every_thing_counts_once_for_each_grid_that_had_it(
    spans: list[list[tuple[int, bool]]], weight: list[int]
) -> None:
    keys = ("a", "b", "c")
    parts = [Credit(np.array([o for o, _ in span]), np.array([d for _, d in span])) for span in spans]
    found = credited("places_visited", "places", keys, parts, np.array(weight, np.float64), {})
    for grid in range(3):
        held = {t for span, t in product(spans, range(5)) if span[t][0] == grid}
        done = {t for span, t in product(spans, range(5)) if span[t] == (grid, True)}
        assert found.denominator[grid] == sum(weight[t] for t in held)
        assert found.numerator[grid] == sum(weight[t] for t in done)


def test_owners_are_positions_of_keys() -> None:
    index = halves()
    spots = fixes([(0, 100, 100), (0, 700, 100), (0, 1200, 100)])
    assert owners_of(index, "general", spots.lon, spots.lat, {"b": 0, "a": 1}).tolist() == [1, 0, -1]
    assert owners_of(index, "micro", spots.lon, spots.lat, {"a": 0}).tolist() == [-1, -1, -1]


# --- streets ---------------------------------------------------------------------------------------------------------------------


def streets(*lines: list[tuple[float, float]], **more: Any) -> StreetSamples:
    shapes = np.empty(len(lines), dtype=object)
    shapes[:] = [degrees(shapely.LineString(each)) if each else None for each in lines]
    return street_samples(shapes, frame(), **more)


def test_a_street_is_cut_into_pieces_that_add_up() -> None:
    found = streets([(0, 100), (0, 203)], [], [(100, 100), (130, 140), (130, 140), (180, 140)])
    metres = np.bincount(found.street, weights=found.length_m, minlength=3)
    assert metres == pytest.approx([103, 0, 100], abs=1e-6)
    assert found.length_m.max() <= 5.0 + 1e-9
    assert found.count == 3


def test_street_length_seen_from_one_side_and_from_both() -> None:
    """A walk 20 m north of a street 12 m wide sees its near side; one 10 m north of it sees both."""
    road = streets([(100, 400), (900, 400)])
    for north, both_sides in ((20.0, False), (10.0, True)):
        made = sweep(tracks(fixes(line(1.0, 400, 10, y=400.0 + north, x=300.0))))
        one, both = road.seen(made.seen(DAY, at(DAYS)))
        assert road.length_m[one].sum() == pytest.approx(400 + 2 * np.sqrt(25**2 - (north - 6) ** 2), abs=10)
        assert bool(both.any()) == both_sides


def test_street_figures_by_grid_and_not_applicable_without_streets() -> None:
    road = streets([(100, 400), (480, 400)])
    made = sweep(tracks(fixes(line(1.0, 100, 10, y=400.0, x=200.0))))
    owner = owners_of(halves(), "general", road.lon, road.lat, {"a": 0, "b": 1})
    one, _ = road.seen(made.seen(DAY, at(DAYS)))
    found = credited("street_seen_one_side", "m", ("a", "b"), [Credit(owner, one)], road.length_m, {"side_m": 6.0})
    assert found.one("a").value == pytest.approx(150 / 380, abs=0.03)
    assert found.one("b").value is None
    assert states(found, watched(a=(1, 1), b=(0, 1))).tolist() == [1, 3]


def test_recency_of_a_street_is_its_newest_pass_before_the_instant() -> None:
    road = streets([(100, 400), (300, 400)])
    walk = [
        tracks(fixes([(d * DAYS + t, x, 400.0) for t, x, _ in line(1.0, 50, 10, x=x)]))
        for d, x in ((0, 100.0), (2, 240.0))
    ]
    made = sweep(*walk)
    for as_of, newest in ((1, [0, 0]), (3, [0, 2])):
        found = road.last_seen(made.last_seen(at(as_of * DAYS)))
        days = (found - int(DAY.astype(np.int64)) // 10**6) // DAYS
        assert days[[2, -2]].tolist() == [newest[0], newest[1] if newest[1] else days[-2]]
        assert (found[-2] == 0) == (as_of == 1)


def test_measures_of_streets_that_mean_nothing_are_refused() -> None:
    with pytest.raises(ParameterInvalid):
        streets([(0, 0), (10, 0)], step_m=0.0)


# --- recency of ground -----------------------------------------------------------------------------------------------------------


def test_ages_of_ground_add_up_to_the_ground() -> None:
    walks = [tracks(fixes([(day * DAYS + 100, 100.0 + 200 * day, 400.0)])) for day in (0, 3, 4)]
    made, owners = sweep(*walks), cell_owners(frame(), halves(), "general")
    keys, ages = ground_ages(owners, made.last_seen(at(5 * DAYS)), at(5 * DAYS), days=(1, 2, 4))
    disc = np.pi * 25**2
    assert keys == ("a", "b")
    assert ages[0] == pytest.approx([0, 0, 0, disc, ages[0].sum() - disc], rel=0.03)
    assert ages[1] == pytest.approx([disc, disc, 0, 0, ages[1].sum() - 2 * disc], rel=0.03)
    assert ages.sum(axis=1) == pytest.approx(owners.cells * 25.0)


def test_sums_by_owner_leave_out_nobody() -> None:
    found = summed("x", "m", ("a",), np.array([-1, 0, 0]), np.array([9.0, 2.0, 1.0]), np.array([True, True, False]), {})
    assert (found.numerator.tolist(), found.denominator.tolist()) == ([2.0], [3.0])


def test_a_place_of_which_nobody_can_say_makes_its_grid_unknown_unless_another_was_missed() -> None:
    keys, owner = ("a", "b", "c"), np.array([0, 0, 1, 1, 2])
    on_time, unsure = np.array([True, False, False, False, True]), np.array([False, True, True, False, False])
    watched = Shares("tracked", "s", keys, np.full(3, 9.0), np.full(3, 10.0))
    found = revisits_on_time(keys, owner, on_time, watched, {}, unsure=unsure)
    assert [STATES[state] for state in found.state] == ["unknown", "missed", "visited"]
    plain = revisits_on_time(keys, owner, on_time, watched, {})
    assert [STATES[state] for state in plain.state] == ["missed", "missed", "visited"]
