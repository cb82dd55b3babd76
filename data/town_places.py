"""The demo town's must-visit places: shops, rented homes, schools, water intakes and refuse points, each with its rhythm of visits."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
import shapely

from data.town_plants import CLEAR_M, DOOR_M, INNER_M, PatrolGround, Plants

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

#: Kind, what its places are called, the intervals (days; None: the deployment's) that they have, and how many of 20 they are.
_KINDS: Final = (
    ("三小场所", ("便利店", "五金加工坊", "小吃店", "理发店", "早餐铺"), (None, None, None, 14.0), 9),
    ("出租屋", ("出租屋",), (None, 14.0, 30.0), 5),
    ("学校/敬老院", ("幼儿园", "敬老院", "小学"), (1.0, None), 2),
    ("河道取水口", ("取水口",), (None, 14.0), 2),
    ("垃圾点", ("垃圾投放点",), (3.0, None, 1.0), 2),
)
_SIGNS: Final = ("顺发", "永兴", "惠民", "和顺", "福临", "聚源", "春晖", "安康", "鸿运", "金穗", "东升", "百合")
_A_GRID: Final = 7
_AT_A_HALL: Final = 6
#: Places that are visited daily at most, of a kind of interval: the few who work at weekends have to do it.
_DAILY: Final = 2
#: Days back from today on which places with a story were visited: each story with the interval its places have.
STORIES: Final[dict[str, tuple[float | None, tuple[int, ...]]]] = {
    "day-late": (None, (8, 15, 22)),
    "fortnight-late": (None, (21, 26)),
    "soon-weekly": (3.0, (2, 9, 16, 23)),
    "soon-slack": (None, (6, 16, 26)),
    "missed": (None, ()),
    "never": (None, ()),
}
_LATE: Final = ("day-late", "fortnight-late")
_SOON: Final = ("soon-weekly", "soon-slack")


@dataclass(frozen=True)
class Spot:
    """A must-visit place at x, y (metres) that the members of `grid` visit. `story` is of STORIES, "silent" (its members' devices were)
    or "" for one that is visited by its interval.
    """

    x: float
    y: float
    grid: int
    kind: str
    name: str
    address: str
    interval: float | None
    story: str = ""

    def is_called(self, number: int, back: int, weekday: int, slot: int) -> bool:
        """Whether a member calls so many days before today, in the morning (slot 0) or afternoon (1); `number` is the place's."""
        if self.story in STORIES:
            return slot == 0 and back in STORIES[self.story][1]
        if self.interval == 1.0:
            return True
        if self.interval == 3.0:
            return slot == number % 2
        days = {number % 5} if self.interval else {number % 2, number % 2 + 3}
        return weekday in days and slot == number // 2 % 2


def choose_spots(ground: PatrolGround, plants: Plants, rng: np.random.Generator) -> list[Spot]:
    """The must-visit places by grid: first those with a story, then all others, apart from them."""
    chosen: list[tuple[int, int, str]] = []
    for grid, home in plants.missed.items():
        chosen.append((grid, home, "missed"))
    hidden = [(plants.never, "never"), *((grid, "silent") for grid in plants.silent)]
    for grid, story in hidden:
        chosen += [(grid, home, story) for home in _some(ground, plants, grid, _A_GRID - 1, chosen, rng)]
    for grids, stories in ((plants.late, _LATE), (plants.soon, _SOON)):
        for grid in grids:
            homes = _some(ground, plants, grid, 2, chosen, rng)
            chosen += [(grid, home, story) for home, story in zip(homes, stories, strict=False)]
    storied = list(chosen)
    for grid in range(ground.general):
        if grid not in {plants.never, *plants.silent}:
            wanted = _A_GRID - sum(one[0] == grid for one in storied)
            chosen += [(grid, home, "") for home in _some(ground, plants, grid, wanted, storied, rng)]
    spots = _named(ground, plants, sorted(chosen, key=lambda one: one[0]), rng)
    return spots + _halls(ground, rng)


def _some(
    ground: PatrolGround,
    plants: Plants,
    grid: int,
    count: int,
    storied: Iterable[tuple[int, int, str]],
    rng: np.random.Generator,
) -> list[int]:
    """So many homes of a grid that can be reached, apart from each other and farther still from the places with a story."""
    homes = rng.permutation(near_streets(ground, plants, grid))
    taken = [ground.homes[home] for _, home, _ in storied]
    hidden = grid in {plants.never, *plants.silent}
    found: list[int] = []
    for home in homes.tolist():
        xy = ground.homes[home]
        is_free = apart_from(xy, taken, CLEAR_M) and apart_from(xy, [ground.homes[one] for one in found], DOOR_M)
        if is_free and (not hidden or _is_inner(ground, grid, xy)):
            found.append(home)
        if len(found) == count:
            break
    return found


def near_streets(ground: PatrolGround, plants: Plants, grid: int) -> Ints:
    """The homes of a grid whose nearest street is one that its members walk; where nobody walks, every home by a street."""
    homes = np.flatnonzero(ground.home_grid == grid)
    points = shapely.points(ground.homes[homes])
    parts = plants.walkable(ground, grid)
    apart = _distance(ground.lines, points)
    if grid != plants.never and parts:
        apart = np.where(_distance(ground.lines[parts[0]], points) <= apart + 1e-6, apart, np.inf)
    return homes[apart <= DOOR_M]


def _distance(lines: npt.NDArray[np.object_], points: npt.NDArray[np.object_]) -> Floats:
    """From each point to the nearest of the lines."""
    found: Floats = shapely.STRtree(lines).query_nearest(points, return_distance=True, all_matches=False)[1]
    return found


def apart_from(xy: Floats, others: list[Floats], metres: float) -> bool:
    """Whether a place is so far from all others."""
    return not others or float(np.hypot(*(np.array(others) - xy).T).min()) >= metres


def _is_inner(ground: PatrolGround, grid: int, xy: Floats) -> bool:
    """Whether nobody who keeps to the grid's border comes near."""
    return bool(shapely.covers(ground.grids[grid].buffer(-INNER_M - CLEAR_M), shapely.Point(xy)))


def _named(
    ground: PatrolGround, plants: Plants, chosen: list[tuple[int, int, str]], rng: np.random.Generator
) -> list[Spot]:
    weights = np.array([kind[3] for kind in _KINDS], np.float64)
    daily: dict[tuple[int, float], int] = {}
    spots = []
    for grid, home, story in chosen:
        kind, names, intervals, _ = _KINDS[int(rng.choice(len(_KINDS), p=weights / weights.sum()))]
        interval = intervals[int(rng.integers(len(intervals)))]
        if story:
            interval = STORIES[story][0] if story in STORIES else None
        elif grid == plants.fresh:
            interval = 1.0
        elif interval in {1.0, 3.0}:
            daily[grid, interval] = daily.get((grid, interval), 0) + 1
            interval = interval if daily[grid, interval] <= _DAILY else None
        name = f"{_SIGNS[int(rng.integers(len(_SIGNS)))]}{names[int(rng.integers(len(names)))]}"
        x, y = ground.homes[home].tolist()
        spots.append(Spot(x, y, grid, kind, name, ground.addresses[home], interval, story))
    return spots


def _halls(ground: PatrolGround, rng: np.random.Generator) -> list[Spot]:
    """Shops and workshops in the halls of the dedicated grids."""
    spots = []
    for grid in range(ground.general, len(ground.grids)):
        halls = rng.permutation(np.flatnonzero(ground.hall_grid == grid))[:_AT_A_HALL]
        for number, hall in enumerate(np.sort(halls).tolist(), start=1):
            kind, names, _, _ = _KINDS[0]
            name = f"{_SIGNS[int(rng.integers(len(_SIGNS)))]}{names[int(rng.integers(len(names)))]}"
            x, y = ground.halls[hall].tolist()
            spots.append(Spot(x, y, grid, kind, name, f"第{number}号厂房/门店", None))
    return spots
