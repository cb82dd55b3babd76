"""A week of a town, from fixes and visits to states: one planted miss, one silent device, one household of 372, one moved border."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
import shapely

from gis.cellowners import cell_owners, ground_seen
from gis.coverage import STATES, Credit, credited, owners_of, revisits, tracked
from gis.fixes import Duty, Fixes, clean, fixes_of
from gis.gridvisits import Span, grid_visits
from gis.locate import GridIndex
from gis.partition import partition_of
from gis.places import PlaceVisits, all_visits, latest, told_of, visited
from gis.shares import Shares
from gis.streetsamples import street_samples
from gis.sweep import Sweep
from gis.tracks import Tracks, tracked_s, tracks_of
from tests.gis.walks import DAY, LATER, at, degrees, fixes, frame, square, tracks

Floats = npt.NDArray[np.float64]

DAYS, HOUR = 86_400, 3600
WEEK = at(7 * DAYS)


# --- 3,000 grids, seven days -----------------------------------------------------------------------------------------------------

GRIDS = 3000
KEYS = tuple(f"{g:04d}" for g in range(GRIDS))
#: Place 2 g and place 2 g + 1 are grid g's; member g works it from nine to twelve on each of the seven days.
OWNER = np.repeat(np.arange(GRIDS), 2)
MISSED, SILENT, SILENT_BUT_DONE, HALF_TRACKED = 1234, 77, 500, 2048


def week_of_duty() -> Duty:
    member, day = np.divmod(np.arange(7 * GRIDS), 7)
    begin = DAY + (day * DAYS + 9 * HOUR).astype("timedelta64[s]")
    return Duty(member.astype(np.int32), begin, begin + np.timedelta64(3, "h"))


def week_of_fixes(duty: Duty) -> Fixes:
    """A fix every five minutes of duty, of every member but the silent ones; one falls silent at eleven each day. In any order."""
    offsets = np.arange(0, 3 * HOUR + 1, 300)
    member = np.repeat(duty.member, len(offsets))
    second = np.tile(offsets, len(duty.member))
    heard = ~np.isin(member, (SILENT, SILENT_BUT_DONE)) & ~((member == HALF_TRACKED) & (second > 2 * HOUR))
    when = np.repeat(duty.begin, len(offsets)) + second.astype("timedelta64[s]")
    lon, lat = 121.0 + (member % 60) * 0.004, 32.0 + (member // 60) * 0.004
    rows = np.random.default_rng(4).permutation(np.flatnonzero(heard))
    return fixes_of(member[rows], when[rows], lon[rows], lat[rows])


def week_of_visits() -> PlaceVisits:
    """Every place once or more on random days, by a check-in or a report; one never, two longer ago than seven days."""
    rng = np.random.default_rng(9)
    place = np.concatenate([np.arange(2 * GRIDS), rng.integers(0, 2 * GRIDS, 4 * GRIDS)])
    when = DAY + rng.integers(0, 7 * DAYS, len(place)).astype("timedelta64[s]")
    for grid, instant in ((SILENT, -1), (HALF_TRACKED, -5 * HOUR)):
        when[place == 2 * grid] = at(instant)
    kept = place != 2 * MISSED + 1
    place, when = place[kept], when[kept]
    member = OWNER[place].astype(np.int32)
    first = rng.random(len(place)) < 0.5
    kinds = [
        told_of(kind, place[own], member[own], when[own]) for kind, own in (("checkin", first), ("report", ~first))
    ]
    return all_visits([*kinds, kinds[0]])


def test_of_three_thousand_grids_exactly_the_one_tracked_and_not_done_is_missed_and_the_silent_are_unknown() -> None:
    duty = week_of_duty()
    walks = tracks_of(clean(week_of_fixes(duty), now=LATER, duty=duty).fixes)
    on_duty_s = (duty.end - duty.begin).astype(np.int64) / 1e6
    watched = tracked(KEYS, duty.member.astype(np.int64), tracked_s(walks, duty), on_duty_s)
    visits = week_of_visits()
    last = latest(visits.place, visits.end, 2 * GRIDS, WEEK)
    found = revisits(KEYS, OWNER, last, watched, as_of=WEEK)
    others = {int(k): STATES[found.state[k]] for k in np.flatnonzero(found.state)}
    assert others == {MISSED: "missed", SILENT: "unknown", HALF_TRACKED: "unknown"}
    # Of 37 fixes the last lies on the end of duty, which is no part of it.
    assert watched.one(KEYS[MISSED]).percent() == "97.2 %"
    assert (watched.one(KEYS[SILENT]).value, watched.one(KEYS[HALF_TRACKED]).percent()) == (0.0, "66.7 %")
    assert (found.on_time.numerator, found.on_time.denominator) == (GRIDS - 3, GRIDS - 2)
    assert found.on_time.percent() == "99.9 %"
    # The same a day later, when nobody went out again: what was done on the first day alone is overdue.
    later = revisits(KEYS, OWNER, last, watched, as_of=at(8 * DAYS))
    overdue = {int(g) for g in OWNER[np.isnat(last) | (last < at(DAYS))]}
    assert {int(g) for g in np.flatnonzero(later.state)} == overdue
    assert len(overdue) > 100


def test_without_the_planted_faults_every_grid_is_visited() -> None:
    everywhere = np.full(2 * GRIDS, at(3 * DAYS))
    watched = Shares("tracked", "s", KEYS, np.ones(GRIDS), np.ones(GRIDS))
    assert revisits(KEYS, OWNER, everywhere, watched, as_of=WEEK).counts["visited"] == GRIDS
    everywhere[2 * MISSED] = np.datetime64("NaT")
    alone = revisits(KEYS, OWNER, everywhere, watched, as_of=WEEK)
    assert np.flatnonzero(alone.state).tolist() == [MISSED]
    assert alone.counts == {"visited": GRIDS - 1, "missed": 1, "unknown": 0, "n/a": 0}


def test_371_of_372_households_of_one_grid_are_99_7_percent_and_the_grid_is_not_visited() -> None:
    """Several doors are called at twice, by two members and in both ways."""
    rng = np.random.default_rng(5)
    doors = np.delete(np.arange(372), 200)

    def called(kind: str, some: npt.NDArray[np.int64]) -> PlaceVisits:
        when = DAY + rng.integers(0, 7 * DAYS, len(some)).astype("timedelta64[s]")
        return told_of(kind, some, rng.integers(0, 2, len(some)).astype(np.int32), when)

    calls = [called("checkin", doors), called("report", rng.choice(doors, 100))]
    done = visited(all_visits(calls), 372, DAY, WEEK)
    found = credited(
        "households_visited", "households", ("5",), [Credit(np.zeros(372, np.int64), done)], np.ones(372), {}
    )
    assert (found.one("5").numerator, found.one("5").denominator) == (371, 372)
    assert found.one("5").percent() == "99.7 %"
    assert found.one("5").value != 1.0


# --- a border that moved on the fourth of seven days -----------------------------------------------------------------------------
#
#        x  0     205       300            500      605        1000
#   days 1-3|-------- a ------------------|--------- b --------|
#   days 4-7|---- a --------|------------- b ------------------|
#   walk           ----------------------------->               every noon, 1 m/s, a fix every 10 s

MOVED = 3 * DAYS


def town(edge: float) -> GridIndex:
    return GridIndex.of([partition_of(["a", "b"], [square(0, 0, edge, 800), square(edge, 0, 1000, 800)])])


BEFORE, AFTER = town(500), town(300)


def spans() -> list[Span]:
    return [Span(DAY, at(MOVED), BEFORE), Span(at(MOVED), WEEK, AFTER)]


def noon_walks() -> Tracks:
    rows = [(day * DAYS + 12 * HOUR + t, 205.0 + t, 400.0) for day in range(7) for t in range(0, 401, 10)]
    return tracks(fixes(rows, accuracy=3.0))


def test_each_second_is_credited_to_the_grid_of_its_day() -> None:
    """Three days 295 s in a and 105 s in b, four days 95 s in a and 305 s in b."""
    found = grid_visits(noon_walks(), spans(), "general")
    assert len(found) == 14
    dwell = dict(zip(found.keys, found.dwell_by_grid_s().tolist(), strict=True))
    assert dwell == {"a": pytest.approx(3 * 295 + 4 * 95, abs=0.1), "b": pytest.approx(3 * 105 + 4 * 305, abs=0.1)}
    crossed = ((found.begin[found.entered] - DAY).astype(np.int64) / 1e6) % DAYS - 12 * HOUR
    assert crossed == pytest.approx([295.0] * 3 + [95.0] * 4, abs=0.01)


def test_each_fix_is_credited_to_the_grid_of_its_day() -> None:
    walk = noon_walks().fixes
    early = walk.at < at(MOVED)
    counts = {
        day: np.bincount(index.locate(walk.lon[rows], walk.lat[rows], distance=False).winner, minlength=2).tolist()
        for day, index, rows in (("before", BEFORE, early), ("after", AFTER, ~early))
    }
    # Of 41 fixes a day 205, 215 ... 495 lie west of 500 (30), and 205 ... 295 west of 300 (10).
    assert counts == {"before": [3 * 30, 3 * 11], "after": [4 * 10, 4 * 31]}


@pytest.mark.parametrize(
    ("x", "before", "after"), [(295.0, "a", "a"), (305.0, "a", "b"), (495.0, "a", "b"), (505.0, "b", "b")]
)
def test_five_metres_on_either_side_of_the_old_and_the_new_border(x: float, before: str, after: str) -> None:
    seen = tracks(fixes([(day * DAYS + 12 * HOUR, x, 400.0) for day in range(7)], accuracy=3.0))
    found = grid_visits(seen, spans(), "general")
    assert [found.keys[g] for g in found.grid.tolist()] == [before] * 3 + [after] * 4
    assert found.sure.all()


def test_ground_is_credited_to_the_grid_that_had_it_when_it_was_seen() -> None:
    """a: what was seen west of 500 on the first three days; b: what was seen east of 300 on the others; each with one round end."""
    made = Sweep(frame(), 25.0, origin=DAY)
    made.add(noon_walks())
    parts = [made.seen(DAY, at(MOVED)), made.seen(at(MOVED), WEEK)]
    owners = [cell_owners(frame(), index, "general") for index in (BEFORE, AFTER)]
    keys, seen, ground = ground_seen(list(zip(owners, parts, strict=True)))
    cap = np.pi * 25**2 / 2
    assert keys == ("a", "b")
    assert seen * 25 == pytest.approx([295 * 50 + cap, 305 * 50 + cap], rel=0.01)
    assert (ground * 25).tolist() == [500 * 800, 700 * 800]


def test_places_and_streets_are_credited_to_the_grid_of_the_day() -> None:
    """Places at 250 (always a's), 400 (a's, then b's; called at on the second day alone), 550 (always b's)."""
    spots = fixes([(0, x, 400.0) for x in (250.0, 400.0, 550.0)])
    position = {"a": 0, "b": 1}
    calls = told_of(
        "checkin", np.array([0, 1, 2]), np.zeros(3, np.int32), np.array([at(DAYS), at(1.5 * DAYS), at(6 * DAYS)])
    )
    parts = [(DAY, at(MOVED), BEFORE), (at(MOVED), WEEK, AFTER)]
    places = [
        Credit(owners_of(index, "general", spots.lon, spots.lat, position), visited(calls, 3, begin, end))
        for begin, end, index in parts
    ]
    found = credited("places_visited", "places", ("a", "b"), places, np.ones(3), {})
    assert (found.numerator.tolist(), found.denominator.tolist()) == ([2.0, 1.0], [2.0, 2.0])
    made = Sweep(frame(), 25.0, origin=DAY)
    made.add(noon_walks())
    street = np.array([degrees(shapely.LineString([(100, 400), (900, 400)]))], dtype=object)
    pieces = street_samples(street, frame())
    seen = [pieces.seen(made.seen(begin, end))[0] for begin, end, _ in parts]
    by_span = [
        Credit(owners_of(index, "general", pieces.lon, pieces.lat, position), one)
        for one, (_, _, index) in zip(seen, parts, strict=True)
    ]
    metres = credited("street_seen_one_side", "m", ("a", "b"), by_span, pieces.length_m, {})
    # a had 100..500 and was walked from 180 on; b had 300..900 and was walked up to 630.
    assert metres.denominator == pytest.approx([400, 600], abs=10)
    assert metres.numerator == pytest.approx([320, 330], abs=10)
