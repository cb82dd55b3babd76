"""The sweep: within sight of a walked leg and nowhere else; any window; any order; against exact buffers."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from gis.cellframe import SIDE, LastSeen, Seen
from gis.cellowners import cell_owners, ground_seen
from gis.datum import transform
from gis.errors import ParameterInvalid
from gis.fixes import together
from gis.locate import GridIndex
from gis.partition import partition_of
from gis.plane import plane_of
from gis.sweep import Sweep
from gis.tracks import Tracks, changed
from tests.gis.walks import BOUNDS, DAY, at, corner, fixes, frame, in_metres, line, square, tracks

DAYS = 86_400


def sweep(*walks: Tracks, sight_m: float = 25.0, **more: Any) -> Sweep:
    made = Sweep(frame(), sight_m, origin=DAY, **more)
    for walk in walks:
        made.add(walk)
    return made


def cells(seen: Seen) -> set[tuple[int, int]]:
    """The seen cells as (column, row)."""
    found = set()
    for row, column in np.argwhere(seen.directory >= 0).tolist():
        for j, word in enumerate(seen.bits[seen.directory[row, column]].tolist()):
            found |= {(column * SIDE + i, row * SIDE + j) for i in range(SIDE) if word >> i & 1}
    return found


def stamps(last: LastSeen) -> dict[tuple[int, int], int]:
    """Cell -> seconds since the first midnight."""
    found = {}
    for row, column in np.argwhere(last.directory >= 0).tolist():
        tile = last.seconds[last.directory[row, column]]
        for j, i in np.argwhere(tile > 0).tolist():
            found[column * SIDE + i, row * SIDE + j] = int(tile[j, i]) - int(DAY.astype(np.int64)) // 10**6
    return found


def within(walk: Tracks, sight_m: float = 25.0, rim: float = 1e-6) -> tuple[set[tuple[int, int]], set[tuple[int, int]]]:
    """(surely, perhaps): the cells whose centre is nearer than the sight, and those within it and a hair."""
    x, y = frame().cells(walk.fixes.lon, walk.fixes.lat)
    pairs = [(k, k + 1 if walk.joined[k] else k) for k in range(len(walk))]
    legs = shapely.linestrings([[(x[a], y[a]), (x[b], y[b])] for a, b in pairs])
    west, south, east, north = (
        int(v) for v in shapely.total_bounds(legs) + np.array([-1, -1, 1, 1]) * (sight_m / 5 + 2)
    )
    i, j = np.meshgrid(np.arange(west, east + 1), np.arange(south, north + 1))
    metres = 5.0 * shapely.distance(shapely.points(i.ravel() + 0.5, j.ravel() + 0.5)[:, None], legs).min(axis=1)
    both = list(zip(i.ravel().tolist(), j.ravel().tolist(), strict=True))
    return ({c for c, m in zip(both, metres, strict=True) if m < sight_m - rim},
            {c for c, m in zip(both, metres, strict=True) if m <= sight_m + rim})  # fmt: skip


# --- the plane -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "bounds", [BOUNDS, (113.7, 22.4, 114.7, 22.9), (-79.7, 43.5, -79.1, 43.9), (10.0, -34.0, 11.0, -33.0)]
)
def test_the_plane_is_proj_within_a_millimetre(bounds: tuple[float, float, float, float]) -> None:
    plane = plane_of(bounds)
    rng = np.random.default_rng(1)
    lon, lat = rng.uniform(bounds[0], bounds[2], 500), rng.uniform(bounds[1], bounds[3], 500)
    x, y = transform(4326, plane.epsg, lon, lat)
    assert np.abs(plane.metres(lon, lat) - np.column_stack([x, y])).max() < 0.001
    assert np.abs(plane.degrees(x, y) - np.column_stack([lon, lat])).max() * 111_320 < 0.001


@pytest.mark.parametrize("bounds", [(121.0, 31.0, 121.0, 32.0), (60.0, -50.0, 120.0, 50.0)])
def test_a_box_without_width_or_too_wide_for_a_plane_is_refused(bounds: tuple[float, float, float, float]) -> None:
    with pytest.raises(ParameterInvalid):
        plane_of(bounds)


# --- what is seen ----------------------------------------------------------------------------------------------------------

corners = st.tuples(st.floats(0, 700), st.floats(0, 700))


@settings(max_examples=60, deadline=None)
@given(
    ends=st.lists(corners, min_size=1, max_size=6),
    straight=st.sampled_from([None, 1, 2]),
    sight=st.sampled_from([4.0, 25.0, 60.0]),
)
def test_exactly_the_cells_within_sight_of_a_leg_are_seen(
    ends: list[tuple[float, float]], straight: int | None, sight: float
) -> None:
    rows = [
        (60.0 * k, *(300.0 if straight == axis else end[axis - 1] for axis in (1, 2))) for k, end in enumerate(ends)
    ]
    walk = tracks(fixes(rows), max_gap_s=100)
    surely, perhaps = within(walk, sight)
    found = cells(sweep(walk, sight_m=sight).seen(DAY, at(DAYS)))
    assert surely <= found <= perhaps


def test_a_stationary_member_covers_its_disc() -> None:
    for rows in ([(0, 400, 400)], [(0, 400, 400), (60, 400, 400)], [(0, 400, 400), (9000, 400, 400)]):
        seen = sweep(tracks(fixes(rows))).seen(DAY, at(DAYS))
        assert seen.count * 25 == pytest.approx(np.pi * 25**2, rel=0.03)


def test_what_is_walked_outside_the_frame_is_no_towns_ground() -> None:
    far = fixes([(0, -90_000, 0), (60, -90_000, 500)])
    assert sweep(tracks(far)).seen(DAY, at(DAYS)).count == 0


def test_a_gap_is_not_crossed() -> None:
    rows = [(0, 100, 500), (301, 400, 500)]
    seen = sweep(tracks(fixes(rows))).seen(DAY, at(DAYS))
    x, y = frame().cells(*(fixes([(0, 250, 500), (0, 100, 500)]).lon, fixes([(0, 250, 500), (0, 100, 500)]).lat))
    assert seen.at(x, y).tolist() == [False, True]


def test_sight_slot_and_stretch_of_nothing_are_refused() -> None:
    with pytest.raises(ParameterInvalid):
        sweep(sight_m=0.0)


# --- windows and recency ---------------------------------------------------------------------------------------------------


def three_days() -> list[Tracks]:
    """The same street on three days at nine, each day 100 m further."""
    return [
        tracks(fixes([(day * DAYS + 32_400 + t, 100 + 100 * day + x, y) for t, x, y in line(1.0, 300, 10)]))
        for day in range(3)
    ]


def test_a_window_of_days_sees_what_was_walked_in_them() -> None:
    walks = three_days()
    made = sweep(*walks)
    for first in range(3):
        for last in range(first + 1, 4):
            alone = sweep(*walks[first:last]).seen(DAY, at(9 * DAYS))
            assert cells(made.seen(at(first * DAYS), at(last * DAYS))) == cells(alone)


def test_a_window_that_begins_within_a_walk_sees_the_rest_of_it() -> None:
    walk = tracks(fixes(line(1.0, 600, 10)))
    made = sweep(walk, stretch_s=2.0)
    found = cells(made.seen(at(300), at(DAYS)))
    rest = within(tracks(fixes([row for row in line(1.0, 600, 10) if row[0] >= 300])))
    more = within(tracks(fixes([row for row in line(1.0, 600, 10) if row[0] >= 290])))
    assert rest[0] <= found <= more[1]


def test_a_window_that_ends_before_the_last_walk_of_a_day_needs_its_tracks() -> None:
    walk = tracks(fixes([*line(1.0, 300, 10), *[(t + 400, x, 900.0) for t, x, _ in line(1.0, 300, 10)]]), max_gap_s=60)
    made = sweep(walk)
    with pytest.raises(ParameterInvalid, match="tracks of that slot"):
        made.seen(DAY, at(350))
    assert cells(made.seen(DAY, at(350), walk)) == cells(sweep(tracks(fixes(line(1.0, 300, 10)))).seen(DAY, at(DAYS)))
    assert max(stamps(made.last_seen(at(350), walk)).values()) <= 300


def test_a_window_up_to_now_needs_no_tracks() -> None:
    """The last fix came a moment ago; slots need not be a whole number of stamps long."""
    made = sweep(tracks(fixes([(99.5, 400, 400)])), slot_s=86_401)
    assert made.seen(at(0), at(99.6)).count == made.seen(at(0), at(86_401)).count > 0
    with pytest.raises(ParameterInvalid):
        made.seen(at(0), at(99.5))


def test_the_end_of_a_window_is_not_part_of_it() -> None:
    made = sweep(tracks(fixes([(100, 400, 400)])))
    one = tracks(fixes([(100, 400, 400)]))
    assert made.seen(at(0), at(100), one).count == 0
    assert made.seen(at(100), at(102)).count > 0
    assert made.seen(at(102), at(200)).count == 0
    assert made.seen(at(200), at(100)).count == 0


def test_last_seen_is_the_newest_stamp_before_an_instant() -> None:
    walks = [tracks(fixes([(day * DAYS + 3600, 400, 400)])) for day in (0, 2, 5)]
    made = sweep(*walks)
    for days, expected in ((1, 0), (3, 2), (5, 2), (9, 5)):
        assert set(stamps(made.last_seen(at(days * DAYS))).values()) == {expected * DAYS + 3600}
    assert stamps(made.last_seen(at(0))) == {}


def test_a_stamp_is_never_before_the_cell_was_in_sight_and_at_most_a_stretch_after() -> None:
    walk = tracks(fixes([(0, 100, 500), (200, 500, 500)]))
    found = stamps(sweep(walk, stretch_s=10.0).last_seen(at(DAYS)))
    west = frame().cells(walk.fixes.lon, walk.fixes.lat)[0][0]
    for (i, j), seconds in found.items():
        metres = 5 * (i + 0.5 - west)
        off = 5 * (j + 0.5 - frame().cells(walk.fixes.lon, walk.fixes.lat)[1][0])
        leaves = min(200.0, (metres + np.sqrt(max(25.0**2 - off**2, 0.0))) / 2)
        assert leaves - 2 <= seconds <= min(200.0, leaves + 10)


def test_a_walk_over_midnight_belongs_to_both_days() -> None:
    walk = tracks(fixes([(DAYS - 100, 200, 500), (DAYS + 100, 600, 500)]))
    made = sweep(walk)
    first, second = cells(made.seen(DAY, at(DAYS))), cells(made.seen(at(DAYS), at(2 * DAYS)))
    surely, perhaps = within(tracks(fixes([(0, 200, 500), (100, 400, 500)])))
    assert surely <= first <= perhaps
    assert len(first & second) * 25 == pytest.approx(np.pi * 25**2, rel=0.05)


def test_forgotten_slots_are_gone() -> None:
    made = sweep(*three_days())
    made.forget(at(2 * DAYS))
    assert sorted(made.slots) == [2]
    assert made.seen(DAY, at(2 * DAYS)).count == 0


# --- laws --------------------------------------------------------------------------------------------------------------------

walks = st.lists(
    st.tuples(st.integers(0, 2), st.integers(0, 3000), st.lists(corners, min_size=1, max_size=4)),
    min_size=1,
    max_size=5,
)


def drawn(given: list[tuple[int, int, list[tuple[float, float]]]]) -> list[Tracks]:
    return [
        tracks(fixes([(day * DAYS + begin + 60 * k, *end) for k, end in enumerate(ends)], member=m), max_gap_s=100)
        for m, (day, begin, ends) in enumerate(given)
    ]


def state(made: Sweep) -> list[Any]:
    """All that a sweep knows, tile by tile in the order of the ground."""
    found: list[Any] = []
    for number, slot in sorted(made.slots.items()):
        rows = slot.directory[slot.tiles]
        used = slot.bits[rows].any(axis=1)
        found.append(
            (number, np.argwhere(slot.tiles)[used].tolist(), slot.stamps[rows][used].tolist(), slot.newest // made.unit)
        )
    return [entry for entry in found if entry[1]]


@settings(max_examples=30, deadline=None)
@given(given_walks=walks, data=st.data())
def test_the_order_of_tracks_and_their_repetition_do_not_matter(
    given_walks: list[tuple[int, int, list[tuple[float, float]]]], data: st.DataObject
) -> None:
    found = drawn(given_walks)
    order = data.draw(st.permutations([*range(len(found)), 0]))
    assert state(sweep(*found)) == state(sweep(*(found[k] for k in order)))
    assert state(sweep(*found)) == state(sweep(tracks(*(walk.fixes for walk in found), max_gap_s=100)))


@settings(max_examples=30, deadline=None)
@given(given_walks=walks, data=st.data())
def test_covered_ground_grows_with_sight_and_window(
    given_walks: list[tuple[int, int, list[tuple[float, float]]]], data: st.DataObject
) -> None:
    found = drawn(given_walks)
    a, b, c, d = sorted(data.draw(st.lists(st.integers(0, 3 * DAYS), min_size=4, max_size=4)))
    every = tracks(*(walk.fixes for walk in found), max_gap_s=100)
    made, wide = sweep(*found), sweep(*found, sight_m=40.0)
    small = cells(made.seen(at(b), at(c), every))
    assert small <= cells(made.seen(at(a), at(d), every))
    assert small <= cells(wide.seen(at(b), at(c), every))


@settings(max_examples=30, deadline=None)
@given(ends=st.lists(corners, min_size=3, max_size=9), data=st.data())
def test_a_batch_that_comes_late_leaves_what_it_would_have_left_in_order(
    ends: list[tuple[float, float]], data: st.DataObject
) -> None:
    rows = [(60.0 * k, *end) for k, end in enumerate(ends)]
    late = data.draw(st.sets(st.sampled_from(range(len(rows))), max_size=len(rows) - 1))
    other = tracks(fixes(line(1.2, 600, 60), member=9))
    early = tracks(fixes([row for k, row in enumerate(rows) if k not in late]), max_gap_s=200)
    whole = tracks(fixes(rows), max_gap_s=200)
    made = sweep(early, other)
    gone, new = changed(early, whole)
    if len(gone):
        made.exchange(gone, [whole, other])
    made.add(new)
    assert state(made) == state(sweep(whole, other))


def test_changed_legs_are_those_that_only_one_has() -> None:
    early, whole = tracks(fixes(line(1, 60, 20))), tracks(fixes([*line(1, 60, 20), (30, 230, 520), (80, 280, 500)]))
    gone, new = changed(early, whole)
    assert [int(t.astype(np.int64) - DAY.astype(np.int64)) // 10**6 for t in gone.fixes.at] == [20, 40, 60]
    assert gone.joined.tolist() == [True, False, False]
    assert [int(t.astype(np.int64) - DAY.astype(np.int64)) // 10**6 for t in new.fixes.at] == [20, 30, 40, 60, 80]
    assert changed(whole, whole)[0].joined.tolist() == []


# --- whose ground ------------------------------------------------------------------------------------------------------------


def town() -> tuple[GridIndex, list[Any]]:
    """Four grids: two upper, two lower, with a bent border between."""
    bent = [(0, 600), (300, 640), (500, 560), (800, 600), (1200, 610)]
    upper, lower = (shapely.Polygon([*bent, (1200, y), (0, y)]) for y in (1100, 100))
    halves = [
        shapely.intersection(part, shapely.box(west, 0, west + 600, 2000))
        for part in (upper, lower)
        for west in (0, 600)
    ]
    plane = frame().plane
    shapes = [shapely.transform(h, lambda xy: plane.degrees(*(xy + corner(plane)).T)) for h in halves]
    return GridIndex.of([partition_of(["a", "b", "c", "d"], shapes)]), shapes


def long_walk() -> Tracks:
    rng = np.random.default_rng(5)
    heading = np.cumsum(rng.normal(0, 0.4, 400))
    steps = 12 * np.column_stack([np.cos(heading), np.sin(heading)])
    x, y = np.clip(np.cumsum(steps, axis=0) + 500.0, 60, 1150).T
    return tracks(fixes([(10.0 * k, x[k], y[k]) for k in range(400)]))


def test_shares_of_grids_are_those_of_exact_buffers() -> None:
    index, shapes = town()
    walk = long_walk()
    keys, seen, cells_of = ground_seen([(cell_owners(frame(), index, "general"), sweep(walk).seen(DAY, at(DAYS)))])
    metres = np.column_stack([walk.fixes.lon, walk.fixes.lat])
    buffer = shapely.buffer(in_metres(shapely.LineString(metres)), 25.0, quad_segs=32)
    exact = [shapely.area(shapely.intersection(in_metres(s), buffer)) / shapely.area(in_metres(s)) for s in shapes]
    assert keys == ("a", "b", "c", "d")
    assert max(exact) > 0.3
    assert np.abs(seen / cells_of - exact).max() < 0.004


def test_the_seen_ground_of_all_grids_is_the_towns() -> None:
    index, shapes = town()
    seen = sweep(long_walk()).seen(DAY, at(DAYS))
    whole = GridIndex.of([partition_of(["town"], [shapely.union_all(shapes)])])
    parts = ground_seen([(cell_owners(frame(), index, "general"), seen)])
    town_ = ground_seen([(cell_owners(frame(), whole, "general"), seen)])
    assert (parts[1].sum(), parts[2].sum()) == (town_[1][0], town_[2][0])


def test_water_is_nobodys_ground() -> None:
    index, _ = town()
    lake = np.array([square(100, 200, 200, 300)], dtype=object)
    dry, wet = (cell_owners(frame(), index, "general", water=w) for w in (None, lake))
    assert (dry.cells - wet.cells).tolist() == [0, 0, 400, 0]


def test_a_border_that_moved_credits_each_walk_to_the_grid_of_its_day() -> None:
    before = GridIndex.of([partition_of(["a", "b"], [square(0, 0, 500, 800), square(500, 0, 1000, 800)])])
    after = GridIndex.of([partition_of(["a", "b"], [square(0, 0, 300, 800), square(300, 0, 1000, 800)])])
    walk = [(t, 350.0, 100.0 + t) for t in (0.0, 100.0, 200.0, 300.0)]
    owners = [cell_owners(frame(), index, "general") for index in (before, after)]
    for day, credited in ((1, [True, False]), (5, [False, True])):
        made = sweep(tracks(fixes([(day * DAYS + t, x, y) for t, x, y in walk])))
        parts = [made.seen(DAY, at(4 * DAYS)), made.seen(at(4 * DAYS), at(7 * DAYS))]
        keys, seen, total = ground_seen(list(zip(owners, parts, strict=True)))
        assert (seen > 0).tolist() == credited
        assert keys == ("a", "b")
        assert total.tolist() == [500 * 800 // 25, 700 * 800 // 25]


def test_a_fresh_batch_is_one_with_the_whole() -> None:
    parts = [fixes(line(1.2, 600, 10, y=300.0 + 200 * m), member=m) for m in range(3)]
    assert state(sweep(tracks(together(parts)))) == state(sweep(*(tracks(part) for part in parts)))
