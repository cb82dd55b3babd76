"""Must-visit places: a stay long enough and near enough, a check-in or a report; nobody else's."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from gis.errors import ParameterInvalid
from gis.places import BY, PlaceVisits, all_visits, latest, noted, stays, told_of, visited
from gis.tracks import Tracks
from tests.gis.walks import DAY, at, fixes, frame, line, tracks

Floats = npt.NDArray[np.float64]


def places(*spots: tuple[float, float]) -> tuple[Floats, Floats]:
    found = fixes([(0, *spot) for spot in spots])
    return found.lon, found.lat


def stayed(walk: Tracks, *spots: tuple[float, float], **more: Any) -> PlaceVisits:
    return stays(walk, *places(*spots), frame().plane, **more)


def rows(visits: PlaceVisits) -> list[tuple[int, int, float, float, float]]:
    begin, end = (((t - DAY).astype(np.int64) / 1e6).tolist() for t in (visits.begin, visits.end))
    return list(zip(visits.place.tolist(), visits.member.tolist(), begin, end, visits.dwell_s.tolist(), strict=True))


def test_passing_by_is_no_visit_and_staying_is() -> None:
    passing = tracks(fixes(line(1.0, 600, 10)))
    assert len(stayed(passing, (500, 500))) == 0
    (visit,) = rows(stayed(passing, (500, 500), minutes=1.0))
    assert visit == (0, 0, pytest.approx(270, abs=0.01), pytest.approx(330, abs=0.01), pytest.approx(60, abs=0.01))
    staying = tracks(fixes([(0, 480, 500), (240, 490, 500)]))
    assert [row[:2] for row in rows(stayed(staying, (500, 500), (900, 900)))] == [(0, 0)]


def test_a_moment_outside_does_not_end_a_stay_and_is_no_dwell() -> None:
    walk = tracks(fixes([(0, 500, 500), (120, 500, 500), (140, 560, 500), (160, 500, 500), (300, 500, 500)]))
    (visit,) = rows(stayed(walk, (500, 500)))
    assert visit[2:] == (0, 300, pytest.approx(280, abs=0.1))
    assert len(stayed(walk, (500, 500), away_s=5.0, minutes=2.4)) == 1
    assert len(stayed(walk, (500, 500), away_s=5.0)) == 0


def test_two_members_do_not_share_a_stay() -> None:
    walk = tracks(fixes([(0, 500, 500), (100, 500, 500)]), fixes([(100, 500, 500), (200, 500, 500)], member=1))
    assert len(stayed(walk, (500, 500))) == 0


def test_silence_is_no_stay() -> None:
    assert len(stayed(tracks(fixes([(0, 500, 500), (900, 500, 500)])), (500, 500))) == 0
    assert len(stayed(tracks(fixes([])), (500, 500))) == len(stayed(tracks(fixes(line(1, 60, 10))))) == 0


def test_measures_that_mean_nothing_are_refused() -> None:
    with pytest.raises(ParameterInvalid):
        stayed(tracks(fixes([])), (0, 0), within_m=0.0)


spot = st.tuples(st.sampled_from([300.0, 310.0, 340.0, 420.0]), st.sampled_from([500.0, 512.0, 560.0]))


@settings(max_examples=100, deadline=None)
@given(
    walk=st.lists(st.tuples(st.integers(0, 1), spot), min_size=1, max_size=12),
    spots=st.lists(spot, min_size=1, max_size=5),
    minutes=st.sampled_from([0.5, 1.0, 3.0]),
)
def test_stays_are_those_of_every_leg_and_every_circle(
    walk: list[tuple[int, tuple[float, float]]], spots: list[tuple[float, float]], minutes: float
) -> None:
    made = tracks(*(fixes([(45.0 * k, *place)], member=m) for k, (m, place) in enumerate(walk)), max_gap_s=100)
    metres = frame().plane.metres(made.fixes.lon, made.fixes.lat)
    expected = []
    for p, centre in enumerate(frame().plane.metres(*places(*spots)).tolist()):
        circle = shapely.buffer(shapely.Point(centre), 30.0, quad_segs=256)
        found: list[list[float]] = []
        for i in range(len(made)):
            k = i + 1 if made.joined[i] else i
            leg = shapely.LineString([metres[i], metres[k]])
            if not shapely.dwithin(leg, shapely.Point(centre), 30.0):
                continue
            begin = float((made.fixes.at[i] - DAY).astype(np.int64)) / 1e6
            share = [shapely.line_locate_point(leg, shapely.Point(c), normalized=True)
                     for c in shapely.get_coordinates(shapely.intersection(leg, circle))] if leg.length else [0.0, 1.0]  # fmt: skip
            length = float((made.fixes.at[k] - made.fixes.at[i]).astype(np.int64)) / 1e6
            s, e = (begin + length * v for v in (min(share, default=0.0), max(share, default=0.0)))
            member = int(made.fixes.member[i])
            if found and found[-1][0] == member and s - found[-1][2] <= 60:
                found[-1][2:] = [e, found[-1][3] + e - s]
            else:
                found.append([member, s, e, e - s])
        expected += [(p, *row) for row in found if row[3] >= 60 * minutes]
    got = rows(stays(made, *places(*spots), frame().plane, minutes=minutes))
    close = [row for row in expected if abs(row[4] - 60 * minutes) < 0.5]
    if not close and not any(abs(row[4] - 60 * minutes) < 0.5 for row in got):
        assert sorted(row[:2] for row in got) == sorted((row[0], int(row[1])) for row in expected)
        assert sum(row[4] for row in got) == pytest.approx(sum(row[4] for row in expected), abs=0.5)


def test_a_check_in_or_report_visits_the_nearest_place_and_all_at_one_door() -> None:
    doors = places((500, 500), (500, 500), (515, 500), (700, 500))
    told = fixes([(60, 498, 500), (90, 600, 500), (120, 702, 500)])
    found = noted("report", told.member, told.at, told.lon, told.lat, *doors, frame().plane)
    assert found.place.tolist() == [0, 1, 3]
    assert {BY[k] for k in found.by.tolist()} == {"report"}
    assert visited(found, 4, DAY, at(100)).tolist() == [True, True, False, False]
    nobody = told.take(np.zeros(0, np.int64))
    assert len(noted("checkin", nobody.member, nobody.at, nobody.lon, nobody.lat, *doors, frame().plane)) == 0


def test_three_hundred_and_seventy_one_of_372_households_leave_one() -> None:
    place = np.delete(np.arange(372), 17)
    told = told_of("checkin", place, np.zeros(371, np.int32), np.full(371, at(50)))
    assert np.flatnonzero(~visited(told, 372, DAY, at(100))).tolist() == [17]


def test_a_visit_counts_in_every_window_it_reaches_into() -> None:
    visits = stayed(tracks(fixes([(0, 500, 500), (240, 500, 500)])), (500, 500))
    windows = [(0, 240), (100, 110), (240, 300), (241, 300), (-50, 0)]
    assert [bool(visited(visits, 1, at(a), at(b))[0]) for a, b in windows] == [True, True, True, False, False]


def test_visits_of_all_kinds_stand_in_order() -> None:
    one = told_of("report", np.array([1, 0]), np.zeros(2, np.int32), np.array([at(9), at(5)]))
    two = told_of("checkin", np.array([0]), np.zeros(1, np.int32), np.array([at(7)]))
    assert [row[:3] for row in rows(all_visits([one, two]))] == [(0, 0, 5.0), (0, 0, 7.0), (1, 0, 9.0)]
    assert len(all_visits([])) == 0


@settings(max_examples=50, deadline=None)
@given(
    passes=st.lists(st.tuples(st.integers(0, 3), st.integers(0, 20)), max_size=20),
    instant=st.integers(0, 21),
    data=st.data(),
)
def test_recency_is_the_newest_pass_known_by_then_never_a_later_one(
    passes: list[tuple[int, int]], instant: int, data: st.DataObject
) -> None:
    order = data.draw(st.permutations([*passes, *passes[:3]]))
    place = np.array([p for p, _ in order], np.int64)
    times = np.array([at(t) for _, t in order], "datetime64[us]")
    found = latest(place, times, 4, at(instant))
    for p in range(4):
        known = [t for q, t in passes if q == p and t < instant]
        assert bool(np.isnat(found[p])) if not known else found[p] == at(max(known))
