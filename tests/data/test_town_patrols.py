"""The demo town's patrols: their figures, that they are the same every time, and that what is planted holds, by brute force."""

from __future__ import annotations

from collections import Counter
from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import shapely

from data.demo import SEED, Town, build_town, write_town
from data.demopatrols import fix_parts
from data.fixrows import parquet_rows, plan_fixes
from data.members import member_of, new_place, span_of
from data.tables import open_table
from data.town_fixes import KEPT, OFF_DUTY
from data.town_patrols import TownPatrols, build_patrols, street_id
from data.town_plants import in_metres, to_metres
from data.town_reports import local
from gis.crs import parse_datum, to_storage
from gis.errors import ParameterInvalid, TimeInvalid

NOW = datetime.fromisoformat("2026-11-25T15:20:40+08:00")
DAY = timedelta(days=1)
FEW = {"members": 285, "days": 22}


@pytest.fixture(scope="module")
def town() -> Town:
    return build_town(now=NOW)


@pytest.fixture(scope="module")
def patrols(town: Town) -> TownPatrols:
    return build_patrols(town, SEED, now=NOW)


@pytest.fixture(scope="module")
def metres(patrols: TownPatrols) -> np.ndarray:
    """Where each fix is, in metres of the plan."""
    fixes = patrols.fixes
    x, y = fixes.x.copy(), fixes.y.copy()
    own = fixes.is_gcj
    x[own], y[own] = to_storage(x[own], y[own], parse_datum("gcj02"))
    return to_metres(np.column_stack([x, y]))


def kept(patrols: TownPatrols) -> np.ndarray:
    return patrols.fixes.reason == KEPT


def spots(patrols: TownPatrols, codes: tuple[str, ...]) -> list[Any]:
    position = {row["code"]: i for i, row in enumerate(patrols.places)}
    return [patrols.spots[position[code]] for code in codes]


def shape(town: Town, code: str) -> Any:
    return in_metres([next(one.geometry for one in town.grids if one.code == code)])[0]


def test_it_has_600_members_in_every_grid_and_some_two_million_fixes(town: Town, patrols: TownPatrols) -> None:
    members = {row["code"]: row for row in patrols.members}
    assert len(members) == len(patrols.codes) == 600
    assert 600 < len(patrols.members) <= 620  # who moved stands twice
    worked = Counter(grid for row in patrols.members for grid in row["grids"])
    assert {one.code for one in (*town.grids, *town.dedicated)} == set(worked)
    assert min(worked.values()) >= 10
    leads = Counter(row["grids"][0] for row in members.values() if row["role"] == "lead")
    assert set(leads.values()) == {1}
    assert len(leads) == 57
    assert any(len(row["grids"]) == 2 for row in patrols.members)
    assert 350 <= len(patrols.places) <= 450
    assert 1_500_000 <= len(patrols.fixes) <= 2_500_000
    assert {row["revisit_days"] for row in patrols.places} == {None, 1.0, 3.0, 14.0, 30.0}


def test_it_ends_now_and_begins_four_weeks_before(patrols: TownPatrols) -> None:
    now = NOW.replace(second=0).timestamp()
    at = patrols.fixes.at
    assert now - 60 <= at[-1] < now  # the afternoon's shift is under way
    assert now - 28 * 86_400 < at[0] < now - 26 * 86_400
    assert (np.diff(at) >= 0).all()
    assert max(row["at"] for row in patrols.checkins) <= NOW.isoformat()
    assert max(datetime.fromisoformat(row["at"]) for row in patrols.visits) <= NOW


def test_shifts_never_overlap_and_some_cross_midnight(patrols: TownPatrols) -> None:
    by_member: dict[str, list[Any]] = {}
    for row in patrols.shifts:
        by_member.setdefault(row["member"], []).append(span_of("shift", row))
    for own in by_member.values():
        assert all(a.end <= b.begin for a, b in pairwise(sorted(own, key=lambda one: one.begin)))
    nights = [one for own in by_member.values() for one in own if local(one.begin).date() != local(one.end).date()]
    assert len(nights) > 50
    days = Counter(datetime.fromisoformat(row["begin"]).weekday() for row in patrols.shifts)
    assert days[5] == days[6] < days[0] / 4
    assert any(span.end - span.begin >= DAY for span in (span_of("leave", row) for row in patrols.leave))
    assert any(span.end - span.begin == DAY / 24 for span in (span_of("leave", row) for row in patrols.leave))


def test_every_fix_that_is_kept_lies_in_its_member_s_duty_and_every_other_off_it(patrols: TownPatrols) -> None:
    position = {code: i for i, code in enumerate(patrols.codes)}
    counted = np.zeros(len(patrols.fixes), dtype=np.int64)
    for rows, weight in ((patrols.shifts, 1), (patrols.leave, -2)):
        for row in rows:
            begin, end = (int(datetime.fromisoformat(row[name]).timestamp()) for name in ("begin", "end"))
            low, high = np.searchsorted(patrols.fixes.at, [begin, end])
            counted[low:high] += weight * (patrols.fixes.member[low:high] == position[row["member"]])
    assert ((counted == 1) == (patrols.fixes.reason != OFF_DUTY)).all()
    assert patrols.planted.intake == dict(patrols.fixes.counts)
    assert min(patrols.planted.intake.values()) > 100


def test_members_keep_to_the_streets_and_the_paths_to_doors(
    town: Town, patrols: TownPatrols, metres: np.ndarray
) -> None:
    rows = np.flatnonzero(kept(patrols))[::97]
    streets = shapely.STRtree(in_metres([one.geometry for one in town.streets]))
    _, apart = streets.query_nearest(shapely.points(metres[rows]), return_distance=True, all_matches=False)
    in_hall = shapely.intersects(
        shapely.union_all(in_metres([one.geometry for one in town.dedicated])).buffer(60.0),
        shapely.points(metres[rows]),
    )
    assert apart[~in_hall].max() < 45.0 + 20.0
    assert np.quantile(apart[~in_hall], 0.5) < 8.0


def test_errors_wander_and_stops_are_long(patrols: TownPatrols, metres: np.ndarray) -> None:
    """At a door the place is the same for minutes: neighbouring fixes err more alike than those of different members."""
    call = next(c for c in patrols.calls if c.seconds > 600)
    own = kept(patrols) & (patrols.fixes.member == patrols.turns[call.turn].member)
    own &= (patrols.fixes.at > call.at) & (patrols.fixes.at < call.at + call.seconds)
    spot = patrols.spots[call.spot]
    assert own.sum() >= 4
    assert np.hypot(*(metres[own] - [spot.x, spot.y]).T).max() < 20.0


def test_nobody_comes_near_a_missed_place_or_into_the_grid_that_is_never_patrolled(
    town: Town, patrols: TownPatrols, metres: np.ndarray
) -> None:
    own = metres[kept(patrols)]
    for spot in (*spots(patrols, patrols.planted.missed), *spots(patrols, patrols.planted.never)):
        assert np.hypot(*(own - [spot.x, spot.y]).T).min() > 60.0
    inner = shape(town, patrols.planted.never_grid).buffer(-40.0)
    assert not shapely.intersects_xy(inner, own).any()
    members = {row["code"] for row in patrols.members if patrols.planted.never_grid in row["grids"]}
    position = [patrols.codes.index(code) for code in members]
    assert len(members) >= 10
    assert np.isin(patrols.fixes.member, position).sum() > 20_000  # tracked, elsewhere


def test_the_devices_of_silent_grids_tell_nothing_in_the_last_week(patrols: TownPatrols) -> None:
    week = NOW.timestamp() - 7 * 86_400
    ever = []
    for grid in patrols.planted.silent_grids:
        own = [patrols.codes.index(row["code"]) for row in patrols.members if grid in row["grids"]]
        at = patrols.fixes.at[np.isin(patrols.fixes.member, own)]
        assert not (at >= week).any()
        assert any(row["member"] in {patrols.codes[i] for i in own} for row in patrols.checkins)  # they were on duty
        ever.append(len(at) > 0)
    assert sorted(ever) == [False, True]


def test_streets_that_nobody_walks_are_not_seen_from_others(
    town: Town, patrols: TownPatrols, metres: np.ndarray
) -> None:
    own = shapely.STRtree(shapely.points(metres[kept(patrols)]))
    for number, street in enumerate(in_metres([one.geometry for one in town.streets])):
        if street_id(number) in patrols.planted.side_streets:
            middle = shapely.line_interpolate_point(street, [0.4, 0.5, 0.6], normalized=True)
            _, apart = own.query_nearest(middle, return_distance=True, all_matches=False)
            assert apart.min() > 25.0
    assert len(patrols.planted.side_streets) == 4
    assert set(patrols.planted.side_streets) < set(patrols.planted.unwalked)


def test_places_with_a_story_were_last_called_at_on_their_days(patrols: TownPatrols) -> None:
    planted, found = patrols.planted, {}
    for call in patrols.calls:
        code = patrols.places[call.spot]["code"]
        found[code] = max(found.get(code, 0), call.at)
    ages = {code: (NOW.timestamp() - at) / 86_400 for code, at in found.items()}
    assert all(7.0 < ages[code] < 9.0 for code in planted.day_late)
    assert all(20.0 < ages[code] < 22.0 for code in planted.fortnight_late)
    assert [len(part) for part in (planted.day_late, planted.fortnight_late, planted.soon)] == [3, 3, 6]
    told = {row["place"] for row in patrols.visits}
    storied = {
        *planted.day_late,
        *planted.fortnight_late,
        *planted.soon,
        *planted.missed,
        *planted.never,
        *planted.silent,
    }
    assert not told & storied
    plain = [row for row in patrols.places if row["code"] not in storied]
    assert all(ages[row["code"]] < (row["revisit_days"] or 7.0) for row in plain)


def test_visits_are_told_by_members_and_by_reports(town: Town, patrols: TownPatrols) -> None:
    outcomes = Counter((row["report"] is not None, row["outcome"]) for row in patrols.visits)
    assert set(outcomes) == {(False, "nothing"), (False, "found"), (True, "found")}
    reports = {row["external_id"]: row for row in town.reports}
    assert all(reports[row["report"]]["occurred_at"] == row["at"] for row in patrols.visits if row["report"])
    assert Counter(row["kind"] for row in patrols.checkins).keys() == {"in", "out", "visit"}


def same(one: TownPatrols, other: TownPatrols) -> bool:
    columns = zip(vars(one.fixes).values(), vars(other.fixes).values(), strict=True)
    equal = all(np.array_equal(a, b, equal_nan=a.dtype.kind == "f") for a, b in columns)
    return equal and all(value == getattr(other, name) for name, value in vars(one).items() if name != "fixes")


def test_the_same_seed_and_minute_give_the_same_patrols(town: Town) -> None:
    first = build_patrols(town, SEED, now=NOW, **FEW)
    assert same(first, build_patrols(town, SEED, now=NOW - timedelta(seconds=35), **FEW))
    later = build_patrols(town, SEED, now=NOW + DAY, **FEW)
    assert later.planted.never_grid == first.planted.never_grid
    assert not same(first, later)
    assert not same(first, build_patrols(town, 5, now=NOW, **FEW))


def test_fewer_members_than_the_grids_need_and_times_without_offset_are_refused(town: Town) -> None:
    with pytest.raises(ParameterInvalid):
        build_patrols(town, SEED, now=NOW, members=284)
    with pytest.raises(TimeInvalid):
        build_patrols(town, SEED, now=NOW.replace(tzinfo=None))


def test_parts_of_fixes_are_all_of_them_and_end_when_nobody_is_on_duty(patrols: TownPatrols) -> None:
    parts = list(fix_parts(patrols))
    assert sum(map(len, parts)) == len(patrols.fixes)
    assert len(parts) > 4
    for a, b in pairwise(parts):
        assert (b.at[0] - a.at[-1]) / 1e6 > 3_600


def test_the_files_are_what_the_intake_reads(town: Town, patrols: TownPatrols, tmp_path: Path) -> None:
    paths = {path.name: path for path in write_town(town, tmp_path, patrols)}
    for name, read, rows in (
        ("members.csv", member_of, patrols.members),
        ("places.csv", new_place, patrols.places),
        ("shifts.csv", lambda row: span_of("leave", row), [*patrols.shifts, *patrols.leave]),
    ):
        table = open_table(paths[name])
        found = [read({k: v for k, v in row.items() if v != ""}) for chunk in table.chunks for row in chunk.rows]
        assert found == [read(row) for row in rows]
    plan = plan_fixes(("member", "at", "lon", "lat", "accuracy_m", "crs"))
    (fixes,) = parquet_rows(paths["fixes.parquet"], plan, 1_000_000)
    own = patrols.fixes.at >= NOW.replace(second=0).timestamp() - 86_400
    assert len(fixes) == own.sum() > 10_000
    assert (fixes.x == patrols.fixes.x[own]).all()
    assert [fixes.codes[i] for i in fixes.member[:50]] == [patrols.codes[i] for i in patrols.fixes.member[own][:50]]
    assert {datum.name for datum in fixes.datums} == {"wgs84", "gcj02"}
