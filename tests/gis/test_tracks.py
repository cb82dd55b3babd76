"""Tracks: joined below a gap and never above; stops kept; length and swept ground not inflated by noise; tracked time."""

from __future__ import annotations

import itertools

import numpy as np
import numpy.typing as npt
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from gis.errors import ParameterInvalid
from gis.fixes import Duty
from gis.sweep import Sweep
from gis.tracks import length_m, stops_of, tracked_s, tracks_of, walked
from tests.gis.walks import DAY, at, fixes, frame, line, tracks

Floats = npt.NDArray[np.float64]


def seconds(times: npt.NDArray[np.datetime64]) -> list[float]:
    return ((times - DAY).astype(np.int64) / 1e6).tolist()


def test_a_gap_above_the_maximum_ends_a_piece_and_is_listed() -> None:
    walk = tracks(fixes([(0, 0, 0), (300, 100, 0), (601, 200, 0), (620, 210, 0)]), fixes([(700, 0, 0)], member=1))
    assert walk.joined.tolist() == [True, False, True, False, False]
    assert walk.bridged.tolist() == [True, False, False, False, False]
    assert walk.first.tolist() == [0, 2, 4, 5]
    gaps = walk.gaps()
    assert (gaps.member.tolist(), seconds(gaps.begin), seconds(gaps.end)) == ([0], [300.0], [601.0])


def test_what_is_too_far_for_one_leg_is_not_joined() -> None:
    assert tracks(fixes([(0, 0, 0), (200, 1200, 0)])).joined.tolist() == [False, False]


def test_fixes_out_of_order_are_refused() -> None:
    with pytest.raises(ParameterInvalid, match="clean them first"):
        tracks_of(fixes([(10, 0, 0), (0, 0, 0)]))


def test_no_fixes_make_no_tracks() -> None:
    nothing = tracks(fixes([]))
    assert nothing.first.tolist() == [0]
    assert (
        len(walked(nothing))
        == len(stops_of(nothing).begin)
        == len(length_m(nothing))
        == len(nothing.gaps().member)
        == 0
    )


# --- stops -------------------------------------------------------------------------------------------------------------------


def extent(points: Floats) -> float:
    """The greatest width in eight directions."""
    angles = np.arange(8) * np.pi / 8
    along = points @ np.array([np.cos(angles), np.sin(angles)])
    return float(np.ptp(along, axis=0).max())


def still(points: Floats, times: Floats, diameter: float, least: float) -> list[bool]:
    """Whether each place lies in a window that is long enough and narrow enough, by trying them all."""
    found = np.zeros(len(points), dtype=bool)
    for i in range(len(points)):
        for end in range(i + 1, len(points) + 1):
            if extent(points[i:end]) <= diameter and times[end - 1] - times[i] >= least:
                found[i:end] = True
    return found.tolist()


def standing(points: Floats, times: Floats, diameter: float, least: float) -> float:
    """The seconds that lie in any window that is long enough and narrow enough, by trying them all."""
    legs = np.zeros(len(points), dtype=bool)
    for i in range(len(points)):
        for end in range(i + 1, len(points) + 1):
            if extent(points[i:end]) <= diameter and times[end - 1] - times[i] >= least:
                legs[i : end - 1] = True
    return float(np.diff(times)[legs[:-1]].sum())


steps = st.tuples(
    st.sampled_from([0.0, 7.0, -9.0, 45.0]), st.sampled_from([0.0, 8.0, -6.0]), st.sampled_from([5.0, 40.0, 130.0])
)


@settings(max_examples=150, deadline=None)
@given(moves=st.lists(steps, min_size=1, max_size=40))
def test_stops_are_those_of_the_definition(moves: list[tuple[float, float, float]]) -> None:
    x, y, t = np.cumsum(np.array(moves), axis=0).T
    walk = tracks(fixes(np.column_stack([t, x + 500, y + 500]).tolist()))
    stops = stops_of(walk, diameter_m=40.0, at_least_s=120.0, rejoin_s=-1.0)
    of = stops.of
    assert (of >= 0).tolist() == still(walk.metres, t, 40.0, 120.0)
    for stop in range(of.max() + 1):
        rows = np.flatnonzero(of == stop)
        assert rows.tolist() == list(range(rows[0], rows[-1] + 1))
        assert extent(walk.metres[rows]) <= 40.0
    assert stops.seconds.sum() == pytest.approx(standing(walk.metres, t, 40.0, 120.0))
    assert (stops.begin[1:] >= stops.end[:-1]).all()


def test_stationary_time_is_kept() -> None:
    rng = np.random.default_rng(3)
    there = line(1.2, 600, 10)
    stay = [
        (600 + t, 920 + e, 500 + n)
        for t, (e, n) in zip(np.arange(10, 1200, 10), rng.normal(0, 5, (119, 2)), strict=True)
    ]
    on = [(1800 + t, 920 + 1.2 * t, 500.0) for t in np.arange(0.0, 600, 10)]
    walk = tracks(fixes([*there, *stay, *on]))
    stops = stops_of(walk)
    assert len(stops.begin) == 1
    assert stops.seconds[0] == pytest.approx(1200, abs=100)  # and the steps within a diameter of it
    place = frame().plane.metres(stops.lon, stops.lat) - frame().plane.metres(*_place(920, 500))
    assert np.hypot(*place[0]) < 5
    averaged = walked(walk, stops)
    assert seconds(averaged.fixes.at)[0] == 0.0
    assert seconds(averaged.fixes.at)[-1] == 2390.0
    assert averaged.joined.sum() == len(averaged) - 1
    assert length_m(averaged)[0] == pytest.approx(1.2 * 1190, rel=0.02)


def test_the_way_to_a_door_and_away_from_it_is_no_part_of_the_stay() -> None:
    """Up to a door at a corner and on round it, without noise: of 60 m round the door nothing is cut off."""
    there, on = line(1.2, 250, 10), [(450.0 + t, 500.0, 500.0 + 1.2 * t) for t in np.arange(10.0, 251, 10).tolist()]
    walk = tracks(fixes([*there, *[(t, 500.0, 500.0) for t in np.arange(260.0, 451, 10).tolist()], *on]))
    averaged = walked(walk, stops_of(walk))
    assert length_m(averaged)[0] == pytest.approx(600, rel=0.005)
    door = frame().plane.metres(*_place(500, 500))
    assert np.hypot(*(frame().plane.metres(averaged.fixes.lon, averaged.fixes.lat) - door).T).min() < 0.1


def _place(x: float, y: float) -> tuple[Floats, Floats]:
    one = fixes([(0, x, y)])
    return one.lon, one.lat


def test_ten_thousand_places_at_one_spot_are_one_stop() -> None:
    walk = tracks(fixes([(0.01 * k, 500.0, 500.0) for k in range(10_000)]))
    assert stops_of(walk, at_least_s=1000.0).of.tolist() == [-1] * 10_000
    assert set(stops_of(walk, at_least_s=90.0).of.tolist()) == {0}


# --- length and ground of a walk with noise --------------------------------------------------------------------------------------


def wander(seed: int) -> tuple[Floats, Floats]:
    """(seconds, places) of an hour's walk at 1.2 m/s through streets: straight, with a turn now and then; every second."""
    rng = np.random.default_rng(seed)
    heading, found = 0.0, [np.array([700.0, 700.0])]
    for second in range(3600):
        if second % 75 == 0:
            heading += rng.choice([-1, 1]) * np.pi / 2
        found.append(np.clip(found[-1] + 1.2 * np.array([np.cos(heading), np.sin(heading)]), 100, 1300))
    return np.arange(3601.0), np.array(found)


def noisy(times: Floats, places: Floats, step: int, seed: int) -> list[tuple[float, float, float]]:
    rng = np.random.default_rng(seed)
    rows = np.arange(0, len(times), step)
    return [(float(times[k]), *(places[k] + rng.normal(0, 5.0, 2)).tolist()) for k in rows]


@pytest.mark.parametrize("step", [5, 10, 30])
def test_length_is_not_inflated_by_noise(step: int) -> None:
    shares, raw = [], []
    for seed in range(4):
        times, places = wander(seed)
        true = float(np.hypot(*np.diff(places, axis=0).T).sum())
        walk = tracks(fixes(noisy(times, places, step, 1 + seed)))
        shares.append(length_m(walked(walk, stops_of(walk)))[0] / true)
        raw.append(length_m(walk)[0] / true)
    assert np.mean(shares) == pytest.approx(1.0, abs=0.05)
    assert step > 5 or np.mean(raw) > 1.5


@pytest.mark.parametrize("step", [5, 10, 30])
def test_ground_seen_is_the_truth_within_two_percent(step: int) -> None:
    shares = []
    for seed in range(4):
        times, places = wander(seed)
        true = shapely.area(shapely.buffer(shapely.LineString(places), 25.0))
        made = Sweep(frame(), origin=DAY)
        walk = tracks(fixes(noisy(times, places, step, 7 + seed)))
        made.add(walked(walk, stops_of(walk)))
        shares.append(made.seen(DAY, at(86_400)).count * 25 / true)
    assert np.mean(shares) == pytest.approx(1.0, abs=0.02)


# --- tracked time -----------------------------------------------------------------------------------------------------------------


@settings(max_examples=100, deadline=None)
@given(
    sent=st.lists(st.tuples(st.integers(0, 1), st.integers(0, 30)), max_size=20, unique=True),
    spans=st.lists(st.tuples(st.integers(0, 2), st.integers(0, 300), st.integers(0, 300)), max_size=5),
)
def test_tracked_time_is_the_known_part_of_duty(sent: list[tuple[int, int]], spans: list[tuple[int, int, int]]) -> None:
    parts = [fixes([(10.0 * k, 500.0, 500.0)], member=m) for m, k in sent]
    walk = tracks(*parts, max_gap_s=25.0)
    spans = [(m, min(a, b), max(a, b)) for m, a, b in spans]
    duty = Duty(
        np.array([m for m, _, _ in spans], np.int32),
        np.array([at(a) for _, a, _ in spans], "datetime64[us]"),
        np.array([at(b) for _, _, b in spans], "datetime64[us]"),
    )
    expected = []
    for member, begin, end in spans:
        own = sorted(10 * k for m, k in sent if m == member)
        known = {t for a, b in itertools.pairwise(own) if b - a <= 25 for t in range(a, b)}
        expected.append(len(known & set(range(begin, end))))
    assert tracked_s(walk, duty).tolist() == expected
