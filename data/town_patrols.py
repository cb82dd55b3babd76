"""The demo town's patrols: four weeks of 600 members, their duty, walks, check-ins and visits, and what is planted in them.

    plants (what shall go wrong where) -> places -> nets of streets -> roster -> errands -> walks -> fixes, check-ins, visits

Everything is invented, ends at `now`, and is the same for the same seed and `now` (to the minute), bit for bit on one version of GEOS.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import numpy.typing as npt
import shapely

from data.town_fixes import ToldFixes, Walked, tell_fixes
from data.town_places import Spot, apart_from, choose_spots, near_streets
from data.town_plan import METRES_PER_DEGREE, ORIGIN
from data.town_plants import CLEAR_M, PatrolGround, Plants, choose_plants, patrol_ground
from data.town_reports import local
from data.town_roster import CORE, NIGHT, SHIFT_S, Away, Person, Turn, hire, leave_of, shifts_of
from data.town_told import Called, Desk, tell_checkins, tell_visits
from data.town_walks import Net, Steps, Task, make_net, walk

if TYPE_CHECKING:
    from data.demo import Town

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

MEMBERS: Final = 600
DAYS: Final = 28
_IDLE_DOORS: Final = 8
#: Larger grids are ridden through.
_RIDDEN_M2: Final = 400_000.0
_SIDE_WALKS: Final = (
    3  # of members outside the core, one in so many walks a part of the grid that no street joins to the rest
)


@dataclass(frozen=True)
class Planted:
    """What the coverage of these patrols has to show at `now`: codes of grids and places, external ids of streets.

    Places by story: `missed` in grids that were tracked, `never` in `never_grid` (tracked elsewhere), `silent` in `silent_grids`,
    `day_late` and `fortnight_late` overdue, `soon` unlikely to be visited before they are due. `unwalked` streets are walked by
    nobody; those of them in `side_streets` are the only fault of their grid. `fresh_grid` was walked whole within a day.
    """

    missed: tuple[str, ...]
    missed_grids: tuple[str, ...]
    never: tuple[str, ...]
    never_grid: str
    silent: tuple[str, ...]
    silent_grids: tuple[str, ...]
    day_late: tuple[str, ...]
    fortnight_late: tuple[str, ...]
    late_grids: tuple[str, ...]
    soon: tuple[str, ...]
    fresh_grid: str
    unwalked: tuple[str, ...]
    side_streets: tuple[str, ...]
    intake: Mapping[str, int]


@dataclass(frozen=True, eq=False)
class TownPatrols:
    """Four weeks up to `now`. Rows are in the fields of the intake; of `members` who moved there are two, in order.

    `places` stand in the order of `spots`; `fixes` name members by their position in `codes`. `calls` are the stays at places.
    """

    now: datetime
    codes: tuple[str, ...]
    members: list[dict[str, Any]]
    shifts: list[dict[str, Any]]
    leave: list[dict[str, Any]]
    places: list[dict[str, Any]]
    checkins: list[dict[str, Any]]
    visits: list[dict[str, Any]]
    fixes: ToldFixes
    spots: list[Spot]
    calls: list[Called]
    turns: list[Turn]
    planted: Planted


def build_patrols(town: Town, seed: int, *, now: datetime, members: int = MEMBERS, days: int = DAYS) -> TownPatrols:
    """The patrols of this seed in the `days` before `now`; fewer than 22 days are too few for every story to be told.

    Raises TimeInvalid for a `now` without an offset, ParameterInvalid for fewer members than the grids need.
    """
    now = local(now).replace(second=0)
    rng = np.random.default_rng([seed, 3])
    ground = patrol_ground(town)
    plants = choose_plants(ground, rng)
    spots = choose_spots(ground, plants, rng)
    people = hire(ground, plants, members, rng)
    turns = shifts_of(people, plants, now, days)
    leave = leave_of(people, turns, rng)
    streets = _Streets.of(ground, plants, spots, rng)
    walked, calls = _walk_all(streets, ground, people, turns, spots, now, rng)
    spans = _spans(leave)
    fixes = tell_fixes(walked, Steps.of(list(streets.nets.values())), _seconds(now), spans, rng)
    codes = [f"DEMO-P-{i:03d}" for i in range(1, len(spots) + 1)]
    desk = Desk(ground, people, turns, leave, spots, codes, streets.posts, now)
    begin = (now - timedelta(days=days - 1)).replace(hour=0, minute=0)
    areas = [one.code for one in (*town.grids, *town.dedicated)]
    return TownPatrols(
        now, tuple(one.code for one in people), _member_rows(people, areas, begin, days), _shift_rows(people, turns),
        _leave_rows(people, leave), _place_rows(spots, codes, begin), tell_checkins(desk, calls, rng),
        tell_visits(desk, calls, town.reports, rng), fixes, spots, calls, turns,
        _planted(plants, spots, codes, areas, fixes.counts),
    )  # fmt: skip


def _seconds(at: datetime) -> int:
    return int(at.timestamp())


# -- streets and walks ------------------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class _Streets:
    """The net of each grid that is walked; `at[grid][spot]` is the door of a place, `idle` are other doors, `posts` in metres."""

    nets: dict[int, Net]
    at: dict[int, dict[int, int]]
    idle: dict[int, list[int]]
    posts: dict[int, Floats]
    fresh: int

    @staticmethod
    def of(ground: PatrolGround, plants: Plants, spots: Sequence[Spot], rng: np.random.Generator) -> _Streets:
        """The nets of all grids but the one that nobody walks."""
        storied = [np.array([spot.x, spot.y]) for spot in spots if spot.story]
        found = _Streets({}, {}, {}, {}, plants.fresh)
        for grid in range(len(ground.grids)):
            if grid != plants.never:
                own = [i for i, spot in enumerate(spots) if spot.grid == grid and spot.story != "missed"]
                doors = [np.array([spots[i].x, spots[i].y]) for i in own]
                doors += _idle_doors(ground, plants, grid, storied, rng)
                parts = [[ground.lines[i] for i in part] for part in plants.walkable(ground, grid)]
                found.nets[grid] = make_net(parts, np.array(doors))
                found.at[grid] = {spot: door for door, spot in enumerate(own)}
                found.idle[grid] = list(range(len(own), len(doors))) or [0]
                found.posts[grid] = doors[found.idle[grid][0]]
        return found


def _idle_doors(
    ground: PatrolGround, plants: Plants, grid: int, storied: list[Floats], rng: np.random.Generator
) -> list[Floats]:
    """Homes at which members stop, none near a place with a story, the innermost first; a dedicated grid has its places alone."""
    if grid >= ground.general:
        return []
    homes = [ground.homes[i] for i in rng.permutation(near_streets(ground, plants, grid)).tolist()]
    free = [xy for xy in homes if apart_from(xy, storied, CLEAR_M)][:_IDLE_DOORS]
    border = ground.grids[grid].exterior
    return sorted(free, key=lambda xy: -border.distance(shapely.Point(xy)))


def _walk_all(
    streets: _Streets,
    ground: PatrolGround,
    people: Sequence[Person],
    turns: Sequence[Turn],
    spots: Sequence[Spot],
    now: datetime,
    rng: np.random.Generator,
) -> tuple[Walked, list[Called]]:
    """Every shift that has begun and was not silent, as a walk; and the stays at must-visit places before `now`."""
    offset = dict(zip(streets.nets, Steps.of(list(streets.nets.values())).offset.tolist(), strict=True))
    begun = [i for i, turn in enumerate(turns) if turn.begin < now and not turn.silent]
    errands = _errands(people, turns, begun, spots)
    walked = {grid: [-1] * len(net.ends) for grid, net in streets.nets.items()}
    door_of = {grid: {door: spot for spot, door in own.items()} for grid, own in streets.at.items()}
    luck, until = rng.random((len(begun), 37)), _seconds(now)
    steps, stays, calls = [], [], []
    pace = _paces(ground, [turns[i] for i in begun], luck[:, 1])
    for row, i in enumerate(begun):
        turn, own = turns[i], luck[row].tolist()
        task = _task(streets, people[turn.member], turn, errands.get(i, ()), float(pace[row]), own[2])
        made = walk(streets.nets[turn.grid], task, walked[turn.grid], row, own)
        steps.append(np.asarray(made.steps, np.int64) + offset[turn.grid])
        stays.append(made.stays)
        begin = _seconds(turn.begin)
        for door, at, seconds in made.calls:
            spot = door_of[turn.grid].get(door)
            if spot is not None and at + seconds <= min(SHIFT_S, until - begin):
                calls.append(Called(i, spot, begin + int(at), seconds))
    return _walked([turns[i] for i in begun], people, steps, stays, pace, [i in errands for i in begun]), calls


def _paces(ground: PatrolGround, turns: Sequence[Turn], luck: Floats) -> Floats:
    """Metres a second: on foot in the old town, by bicycle in the country."""
    is_ridden = np.array([ground.grids[turn.grid].area > _RIDDEN_M2 for turn in turns], dtype=bool)
    return np.where(is_ridden, 1.9 + 0.6 * luck, 1.0 + 0.4 * luck)


def _errands(
    people: Sequence[Person], turns: Sequence[Turn], begun: Sequence[int], spots: Sequence[Spot]
) -> dict[int, list[int]]:
    """Shift -> places that it has to call at: those of its grid, day and half of the day, dealt out among the core."""
    crews: dict[tuple[int, int, int], list[int]] = {}
    for i in begun:
        turn = turns[i]
        if people[turn.member].number < CORE and turn.slot != NIGHT and people[turn.member].grids[0] == turn.grid:
            crews.setdefault((turn.grid, turn.back, turn.slot), []).append(i)
    own: dict[int, list[int]] = {}
    for number, spot in enumerate(spots):
        own.setdefault(spot.grid, []).append(number)
    found: dict[int, list[int]] = {}
    for (grid, back, slot), crew in crews.items():
        weekday = turns[crew[0]].begin.weekday()
        called = [n for n in own.get(grid, ()) if spots[n].is_called(n, back, weekday, slot)]
        for k, number in enumerate(called):
            found.setdefault(crew[k % len(crew)], []).append(number)
    return found


def _task(streets: _Streets, person: Person, turn: Turn, errands: Sequence[int], pace: float, luck: float) -> Task:
    """What a shift does: it begins at the post; a few begin in a part of the grid that is apart, and stay there."""
    net, grid = streets.nets[turn.grid], turn.grid
    if len(net.starts) > 1 and not errands and (person.number + turn.back) % _SIDE_WALKS == 0:
        return Task(net.starts[1 + int(luck * (len(net.starts) - 1))], (), (), pace, SHIFT_S)
    idle = streets.idle[grid]
    doors = () if grid == streets.fresh else idle  # who has to walk it whole does not linger
    return Task(net.doors[idle[0]], [streets.at[grid][spot] for spot in errands], doors, pace, SHIFT_S)


def _walked(
    turns: Sequence[Turn],
    people: Sequence[Person],
    steps: list[Ints],
    stays: list[list[float]],
    pace: Floats,
    has_calls: list[bool],
) -> Walked:
    own = [people[turn.member] for turn in turns]
    return Walked(
        steps, stays,
        np.array([turn.member for turn in turns], np.int64),
        np.array([_seconds(turn.begin) for turn in turns], np.int64),
        np.array([_seconds(turn.end) for turn in turns], np.int64),
        pace,
        np.array([one.every_s for one in own], np.int64),
        np.array([one.tells_accuracy for one in own], dtype=bool),
        np.array([one.datum == "gcj02" for one in own], dtype=bool),
        np.array(has_calls, dtype=bool),
    )  # fmt: skip


# -- rows -------------------------------------------------------------------------------------------------------------


def _spans(leave: Sequence[Away]) -> tuple[Ints, Ints, Ints]:
    columns = [(one.member, _seconds(one.begin), _seconds(one.end)) for one in leave]
    member, begin, end = np.array(columns, np.int64).reshape(-1, 3).T
    return member, begin, end


def _member_rows(people: Sequence[Person], areas: Sequence[str], begin: datetime, days: int) -> list[dict[str, Any]]:
    """Members from the first day on; who moved stands once more, with the new grid and the day of the move."""
    rows = []
    for one in people:
        grids = [(one.grids, begin)]
        if one.moved is not None:
            grids.append(((one.moved,), begin + timedelta(days=days - days // 2)))
        for own, since in grids:
            codes = [areas[grid] for grid in own]
            rows.append(
                {"code": one.code, "name": one.name, "role": one.role, "grids": codes, "since": since.isoformat()}
            )
    return rows


def _shift_rows(people: Sequence[Person], turns: Sequence[Turn]) -> list[dict[str, Any]]:
    return [
        {
            "member": people[turn.member].code, "begin": turn.begin.isoformat(), "end": turn.end.isoformat(),
            "external_id": f"DEMO-S-{number:05d}",
        }
        for number, turn in enumerate(turns, start=1)
    ]  # fmt: skip


def _leave_rows(people: Sequence[Person], leave: Sequence[Away]) -> list[dict[str, Any]]:
    return [
        {
            "member": people[one.member].code, "begin": one.begin.isoformat(), "end": one.end.isoformat(),
            "external_id": f"DEMO-L-{number:04d}", "kind": one.kind, "leave": "yes",
        }
        for number, one in enumerate(leave, start=1)
    ]  # fmt: skip


def _place_rows(spots: Sequence[Spot], codes: Sequence[str], begin: datetime) -> list[dict[str, Any]]:
    degrees = np.asarray(ORIGIN) + np.array([(s.x, s.y) for s in spots]) / np.asarray(METRES_PER_DEGREE)
    return [
        {
            "code": code, "kind": spot.kind, "name": spot.name, "address": spot.address, "lon": lon, "lat": lat,
            "crs": "wgs84", "revisit_days": spot.interval, "since": begin.isoformat(),
        }
        for spot, code, (lon, lat) in zip(spots, codes, degrees.round(7).tolist(), strict=True)
    ]  # fmt: skip


def _planted(
    plants: Plants, spots: Sequence[Spot], codes: Sequence[str], areas: Sequence[str], intake: Counter[str]
) -> Planted:
    by_story: dict[str, tuple[str, ...]] = {}
    for spot, code in zip(spots, codes, strict=True):
        by_story[spot.story] = (*by_story.get(spot.story, ()), code)

    def named(grids: Sequence[int]) -> tuple[str, ...]:
        return tuple(areas[grid] for grid in sorted(grids))

    return Planted(
        by_story["missed"], named([*plants.missed]), by_story["never"], areas[plants.never], by_story["silent"],
        named(plants.silent), by_story["day-late"], by_story["fortnight-late"], named(plants.late),
        by_story["soon-weekly"] + by_story["soon-slack"], areas[plants.fresh],
        tuple(street_id(line) for line in sorted(plants.barred)), tuple(street_id(line) for line in plants.aside),
        dict(intake),
    )  # fmt: skip


def street_id(number: int) -> str:
    """What the town's street of this number (from 0) is called outside."""
    return f"DEMO-ST-{number + 1:04d}"
