"""Evidence of days: the same from any arrival; ways across midnight in both days; windows and last visits by brute force."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gis.dayevidence import DayEvidence, EvidenceGround, Sites, day_evidence, day_number, with_members
from gis.errors import ParameterInvalid
from gis.evidence import Evidence, ages_days
from gis.fixes import Duty, Fixes, fixes_of, together
from gis.places import all_visits, told_of
from gis.tracks import Tracks, between, known_pieces, tracked_s
from tests.gis.test_places import places
from tests.gis.test_sweep import cells, stamps
from tests.gis.walks import DAY, at, fixes, frame, line, tracks

MIDNIGHT = 86_400.0
SPOTS = ((500.0, 500.0), (900.0, 900.0))
GROUND = EvidenceGround(frame(), DAY, Sites(*places(*SPOTS)))


def later(rows: list[tuple[float, float, float]], seconds: float) -> list[tuple[float, float, float]]:
    return [(t + seconds, x, y) for t, x, y in rows]


def stay(begin: float, end: float, spot: tuple[float, float] = SPOTS[0]) -> list[tuple[float, float, float]]:
    return [(t, *spot) for t in np.arange(begin, end + 1, 60.0).tolist()]


def evidence(*days: DayEvidence, told: Any = None) -> Evidence:
    return Evidence(GROUND, {day.number: day for day in days}, told or all_visits([]), DAY)


def days_of(given: Fixes, *numbers: int) -> list[DayEvidence]:
    return [day_evidence(GROUND, number, given) for number in numbers]


# --- parts of tracks -------------------------------------------------------------------------------------------------


def test_a_leg_is_cut_where_a_span_begins_and_ends() -> None:
    walk = tracks(fixes(line(1.0, 100, 50)))
    part = between(walk, at(20), at(60))
    assert [round(float(s)) for s in (part.fixes.at - DAY).astype(np.int64) / 1e6] == [20, 50, 60]
    assert part.joined.tolist() == [True, True, False]
    middle = fixes([(20, 220, 500)])
    assert abs(part.fixes.lon[0] - middle.lon[0]) < 1e-9
    inside = between(walk, at(60), at(80))
    assert (len(inside), inside.joined.tolist()) == (2, [True, False])


def test_what_touches_a_side_belongs_to_the_span_that_begins_there() -> None:
    walk = tracks(fixes(line(1.0, 100, 50)))
    assert len(between(walk, at(0), at(50))) == 2
    assert len(between(walk, at(50), at(100.000001))) == 2
    assert len(between(walk, at(100), at(200))) == 1
    assert len(between(walk, at(101), at(200))) == len(between(tracks(fixes([])), at(0), at(1))) == 0


@settings(max_examples=60)
@given(
    st.lists(st.integers(0, 4_000), min_size=0, max_size=25, unique=True), st.lists(st.integers(0, 4_000), max_size=4)
)
def test_parts_of_a_track_are_the_whole(times: list[int], cuts: list[int]) -> None:
    rows = [(float(t), 300.0 + 0.1 * t, 500.0) for t in times]
    walk = tracks(fixes(rows), fixes(rows[::2], member=1))
    edges = sorted({0, 4_001, *cuts})
    parts = [between(walk, at(a), at(b)) for a, b in pairwise(edges)]
    duty = Duty(np.array([0, 1], np.int32), *(np.array([at(s), at(s)]) for s in (0, 4_001)))
    whole = tracked_s(walk, duty)
    assert np.allclose(sum(tracked_s(part, duty) for part in parts), whole, atol=1e-5)
    assert np.array_equal(tracked_s(known_pieces(walk), duty), whole)
    for part, (a, b) in zip(parts, pairwise(edges), strict=True):
        assert bool(((part.fixes.at >= at(a)) & (part.fixes.at < at(b))).all())


# --- a day -----------------------------------------------------------------------------------------------------------


def test_a_way_across_midnight_is_in_both_days() -> None:
    walk = fixes(later(line(1.0, 400, 20), MIDNIGHT - 200))
    first, second, third = days_of(walk, 0, 1, 2)
    whole = cells(evidence(first, second).seen(at(0), at(2 * MIDNIGHT)))
    apart = [cells(evidence(day).seen(at(0), at(2 * MIDNIGHT))) for day in (first, second)]
    assert apart[0] | apart[1] == whole
    assert all(len(one) < 0.65 * len(whole) for one in apart)
    assert third.is_empty
    duty = Duty(np.array([0], np.int32), np.array([at(0)]), np.array([at(2 * MIDNIGHT)]))
    assert evidence(first, second).tracked_s(duty)[0] == pytest.approx(400, abs=1e-5)


def test_a_stay_across_midnight_is_a_visit_of_both_days_to_its_end() -> None:
    walk = fixes(stay(MIDNIGHT - 100, MIDNIGHT + 140))
    for day in days_of(walk, 0, 1):
        assert day.stays.place.tolist() == [0]
        assert (day.stays.end[0] - DAY).astype(np.int64) / 1e6 == pytest.approx(MIDNIGHT + 140, abs=61)


def test_the_hour_before_decides_what_is_believed() -> None:
    """A single reading 20 km away just after midnight is a jump, which only the fixes before midnight tell."""
    steady = line(0.5, 1_200, 20)
    far = [(MIDNIGHT + 5.0, 20_200.0, 500.0)]
    (day,) = days_of(fixes([*later(steady, MIDNIGHT - 600), *far]), 1)
    assert day.walks is not None
    assert bool((np.abs(day.walks.fixes.lon - GROUND.sites.lon[0]) < 0.05).all())


def test_a_day_nobody_walked_is_empty_and_its_number_follows_the_origin() -> None:
    (day,) = days_of(fixes([]), 5)
    assert day.is_empty
    assert [day_number(GROUND, at(s)) for s in (-1, 0, MIDNIGHT - 1, MIDNIGHT)] == [-1, 0, 0, 1]


def walks_of(rng: np.random.Generator, member: int, count: int) -> Fixes:
    times = np.sort(rng.choice(3_000, count, replace=False)).astype(float) * 10
    steps = np.cumsum(rng.normal(0, 15, (count, 2)), axis=0) + 700
    return fixes([(t, *xy) for t, xy in zip(times.tolist(), steps.tolist(), strict=True)], member=member)


def as_told(day: DayEvidence) -> tuple[Any, ...]:
    """All that a day says, comparable bit for bit."""
    whole = evidence(day)
    visits, known = day.stays, day.known
    return (
        cells(whole.seen(at(0), at(MIDNIGHT))),
        stamps(whole.last_seen(at(2 * MIDNIGHT))),
        [column.tolist() for column in (visits.place, visits.member, visits.begin, visits.end, visits.dwell_s)],
        [column.tolist() for column in (known.fixes.member, known.fixes.micros, known.fixes.lon, known.joined)],
        day.slot.newest,
    )


@pytest.mark.parametrize("seed", range(8))
def test_a_member_told_anew_gives_what_all_told_at_once_give(seed: int) -> None:
    rng = np.random.default_rng(seed)
    given = [walks_of(rng, member, int(rng.integers(2, 120))) for member in range(4)]
    early = [one.take(np.sort(rng.choice(len(one), len(one) // 2, replace=False))) for one in given]
    before = day_evidence(GROUND, 0, together(early))
    kept = as_told(before)
    changed = [1, 3]
    after = with_members(GROUND, before, np.array(changed), together([given[m] for m in changed]))
    wanted = day_evidence(GROUND, 0, together([early[0], given[1], early[2], given[3]]))
    assert as_told(after) == as_told(wanted)
    assert as_told(before) == kept
    rows = rng.permutation(np.tile(np.arange(sum(map(len, given))), 2))
    assert as_told(day_evidence(GROUND, 0, together(given).take(rows))) == as_told(
        day_evidence(GROUND, 0, together(given))
    )


def test_a_day_without_its_walks_takes_no_member_anew() -> None:
    (day,) = days_of(fixes(line(1, 100, 10)), 0)
    with pytest.raises(ParameterInvalid):
        with_members(GROUND, day.light(), np.array([0]), fixes([]))


# --- days together ---------------------------------------------------------------------------------------------------


def test_a_window_inside_a_day_needs_its_walks_and_says_so() -> None:
    (day,) = days_of(fixes(line(1.0, 400, 20)), 0)
    whole = evidence(day)
    light = evidence(day.light())
    assert (whole.lacking(at(200)), light.lacking(at(200)), light.lacking(at(MIDNIGHT)), light.lacking(at(500))) == (
        None,
        0,
        None,
        None,
    )
    with pytest.raises(ParameterInvalid):
        light.seen(at(0), at(200))
    assert isinstance(day.walks, Tracks)
    light.walks[0] = day.walks
    assert cells(light.seen(at(0), at(200))) == cells(whole.seen(at(0), at(200))) < cells(whole.seen(at(0), at(500)))
    assert light.lacking(at(200)) is None


def seconds(times: npt.NDArray[np.datetime64]) -> list[float | None]:
    return [None if np.isnat(t) else float((t - DAY).astype(np.int64) / 1e6) for t in times]


def test_last_and_first_visits_are_those_before_and_in_the_window() -> None:
    told = told_of("checkin", np.array([1, 0]), np.array([7, 7], np.int32), np.array([at(50), at(2 * MIDNIGHT + 30)]))
    found = evidence(*days_of(fixes(stay(1_000, 1_300)), 0), told=told)
    assert seconds(found.last_visits(at(2 * MIDNIGHT))) == [pytest.approx(1_300, abs=61), 50]
    assert seconds(found.last_visits(at(40))) == [None, None]
    assert seconds(found.last_visits(at(1_100)))[0] == pytest.approx(1_100)  # being visited just then
    assert seconds(found.first_visits(at(1_100), at(3 * MIDNIGHT))) == [pytest.approx(1_100), None]
    assert seconds(found.first_visits(at(MIDNIGHT), at(3 * MIDNIGHT))) == [2 * MIDNIGHT + 30, None]
    assert found.visit_days(at(3 * MIDNIGHT), 3).tolist() == [[True, False, True], [False, False, True]]
    assert found.visit_days(at(3 * MIDNIGHT), 2).tolist() == [[True, False], [False, False]]


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 1), st.integers(0, 500_000), st.integers(0, 200_000)), max_size=12),
    st.integers(1, 700_000),
)
def test_visits_by_day_are_what_looking_at_every_hour_gives(rows: list[tuple[int, int, int]], until: int) -> None:
    from dataclasses import replace

    given = told_of(
        "report",
        np.array([r[0] for r in rows], np.int64),
        np.zeros(len(rows), np.int32),
        np.array([at(r[1]) for r in rows], "datetime64[us]"),
    )
    given = replace(given, end=np.array([at(r[1] + r[2]) for r in rows], "datetime64[us]"))
    found = evidence(told=given).visit_days(at(until), 6)
    for site in range(2):
        for k in range(6):
            low, high = until - (k + 1) * MIDNIGHT, until - k * MIDNIGHT
            here = any(s == site and b < high and b + long >= low and b < until for s, b, long in rows)
            assert found[site, k] == here


def test_without_any_fix_nothing_is_known() -> None:
    nothing = evidence()
    assert nothing.is_empty
    assert cells(nothing.seen(at(0), at(MIDNIGHT))) == set()
    assert seconds(nothing.last_visits(at(5))) == [None, None]
    assert np.isnan(ages_days(nothing.last_visits(at(5)), at(5))).all()
    assert nothing.newest == DAY
    assert ages_days(np.array([at(0)]), at(2 * MIDNIGHT)).tolist() == [2.0]
    assert nothing.tracked_s(Duty(np.array([0], np.int32), np.array([at(0)]), np.array([at(9)]))).tolist() == [0.0]
    assert len(fixes_of([], [], [], [])) == 0
