"""What is planted in the demo town's patrols: grids whose devices are silent, a grid nobody walks, places and streets that are missed.

Chosen so that each shows on the coverage map as what it is: where nobody shall come, the streets are barred for everybody.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
import numpy.typing as npt
import shapely

from data.town_plan import METRES_PER_DEGREE, ORIGIN

if TYPE_CHECKING:
    from data.demo import Town

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]
Geometries = npt.NDArray[np.object_]

#: A door is at most so far from the street that leads to it, a place that nobody may come near at least so far from every walk.
DOOR_M: Final = 45.0
CLEAR_M: Final = 85.0
#: Ground so far inside a grid is not seen from the streets along its border.
INNER_M: Final = 40.0
_ROOMY_M: Final = 2_500.0
_PART_M: Final = 300.0
_SPOTS: Final = 80
#: A side street that nobody walks is so long at least, and at most such a part of the streets of its grid.
_ASIDE_M: Final = 150.0
_ASIDE: Final = 0.12


@dataclass(frozen=True, eq=False)
class PatrolGround:
    """The town in metres of its plan: streets, grids (the general ones first, `general` of them), homes with their address and grid,
    and halls with the grid (a dedicated one) that each stands in.
    """

    lines: Geometries
    grids: Geometries
    general: int
    homes: Floats
    addresses: Sequence[str]
    home_grid: Ints
    halls: Floats
    hall_grid: Ints

    def lines_of(self, grid: int) -> Ints:
        """The streets that the members of a grid walk: in it and along its border; of a dedicated one those that lead to it."""
        if grid < self.general:
            return np.flatnonzero(shapely.covers(self.grids[grid].buffer(5.0), self.lines))
        return np.flatnonzero(shapely.intersects(self.grids[grid].buffer(30.0), self.lines))

    def inner_share(self, grid: int) -> float:
        """The part of a grid's streets that nobody sees who keeps to its border."""
        own = self.lines[self.lines_of(grid)]
        inner = shapely.length(shapely.intersection(own, self.grids[grid].buffer(-INNER_M))).sum()
        return float(inner / max(shapely.length(own).sum(), 1.0))


def patrol_ground(town: Town) -> PatrolGround:
    """What patrols need to know of the town."""
    grids = in_metres([one.geometry for one in (*town.grids, *town.dedicated)])
    homes = to_metres(np.array([(one.lon, one.lat) for one in town.households]))
    middles = shapely.get_coordinates(
        shapely.centroid(in_metres([one.geometry for one in town.buildings if one.kind == "hall"]))
    )
    general, tree = len(town.grids), shapely.STRtree(grids)
    home_grid, hall_grid = np.full(len(homes), -1, np.int64), np.full(len(middles), -1, np.int64)
    for points, owner, layer in ((homes, home_grid, False), (middles, hall_grid, True)):
        row, grid = tree.query(shapely.points(points), predicate="within")
        mine = (grid >= general) == layer
        owner[row[mine]] = grid[mine]
    lines = in_metres([one.geometry for one in town.streets])
    addresses = [one.address for one in town.households]
    return PatrolGround(lines, grids, general, homes, addresses, home_grid, middles, hall_grid)


def to_metres(degrees: Floats) -> Floats:
    """(n, 2) metres of the plan of places in degrees."""
    metres: Floats = (degrees - np.asarray(ORIGIN)) * np.asarray(METRES_PER_DEGREE)
    return metres


def in_metres(shapes: Sequence[shapely.Geometry]) -> Geometries:
    """The shapes in metres of the plan."""
    array = np.empty(len(shapes), dtype=object)
    array[:] = list(shapes)
    moved: Geometries = shapely.transform(array, to_metres)
    return moved


def parts_of(ground: PatrolGround, lines: Iterable[int]) -> list[Ints]:
    """The streets in groups that can be walked without leaving them, the longest group first."""
    own = [int(i) for i in lines]
    root: dict[tuple[float, float], tuple[float, float]] = {}

    def found(key: tuple[float, float]) -> tuple[float, float]:
        root.setdefault(key, key)
        while root[key] != key:
            root[key] = root[root[key]]
            key = root[key]
        return key

    ends = {i: [node_key(ground.lines[i].coords[k]) for k in (0, -1)] for i in own}
    for a, b in ends.values():
        root[found(a)] = found(b)
    groups: dict[tuple[float, float], list[int]] = {}
    for i in own:
        groups.setdefault(found(ends[i][0]), []).append(i)
    lengths = shapely.length(ground.lines)
    ordered = sorted(groups.values(), key=lambda group: (-float(lengths[group].sum()), group))
    return [np.array(group, np.int64) for group in ordered]


def node_key(xy: Sequence[float] | Floats) -> tuple[float, float]:
    """Equal for ends of streets that meet."""
    return round(float(xy[0]), 1), round(float(xy[1]), 1)


@dataclass(frozen=True, eq=False)
class Plants:
    """Grids by number. `never` is walked by nobody: its members are always in `elsewhere`. `silent`: devices told nothing in the last
    days, or ever. `missed[grid]` is a home that nobody comes near, `barred` are streets that nobody walks, `aside` those of them that
    are side streets in grids with no other fault. In `late` grids some places are overdue, in `soon` some will be; `fresh` is walked
    whole every day.
    """

    never: int
    elsewhere: int
    silent: tuple[int, ...]
    missed: dict[int, int]
    late: tuple[int, ...]
    soon: tuple[int, ...]
    fresh: int
    barred: frozenset[int]
    aside: tuple[int, ...]

    @property
    def special(self) -> frozenset[int]:
        """Grids with a fault, in which nothing else may go wrong."""
        return frozenset({self.never, self.elsewhere, *self.silent, *self.missed, *self.late, *self.soon, self.fresh})

    def walkable(self, ground: PatrolGround, grid: int) -> list[Ints]:
        """The streets of a grid that are walked, in groups as of `parts_of`; a short one that is apart from the longest is left out."""
        parts = parts_of(ground, (i for i in ground.lines_of(grid).tolist() if i not in self.barred))
        lengths = shapely.length(ground.lines)
        return parts[:1] + [part for part in parts[1:] if lengths[part].sum() >= _PART_M]


def choose_plants(ground: PatrolGround, rng: np.random.Generator) -> Plants:
    """The plants of this town: grids with streets enough, apart from each other, without a dedicated grid in them."""
    lengths = shapely.length(ground.lines)
    walked = [float(lengths[parts[0]].sum()) if (parts := parts_of(ground, ground.lines_of(g))) else 0.0
              for g in range(ground.general)]  # fmt: skip
    held = shapely.union_all(ground.grids[ground.general :])
    free = [g for g in range(ground.general) if not shapely.intersects(ground.grids[g], held)]
    roomy = [g for g in free if walked[g] >= _ROOMY_M]
    inner = {g: ground.inner_share(g) for g in roomy}
    hidden = _apart(ground, sorted(roomy, key=lambda g: (-inner[g], g)), 3)
    others = [g for g in rng.permutation(roomy).tolist() if g not in hidden]
    apart = [g for g in others if not shapely.intersects(ground.grids[g], ground.grids[hidden[0]])]
    beside = [g for g in others if g not in apart] or others[-1:]
    elsewhere = max(beside, key=lambda g: (walked[g], g))
    picked = [g for g in apart if g != elsewhere][:8]
    barred = set(_inside(ground, hidden[0]))
    missed = {}
    for grid in picked[:2]:
        missed[grid], closed = _missed_home(ground, grid, barred, rng)
        barred |= closed
    taken = {*hidden, elsewhere, *picked}
    whole = [g for g in free if g not in taken and walked[g] > 600.0 and len(parts_of(ground, ground.lines_of(g))) == 1]
    fresh = min(whole, key=lambda g: (walked[g], g))
    aside = _side_streets(ground, [g for g in rng.permutation(roomy).tolist() if g not in taken], barred)
    return Plants(
        hidden[0], elsewhere, tuple(hidden[1:]), missed, tuple(picked[2:5]), tuple(picked[5:8]), fresh,
        frozenset(barred | set(aside)), tuple(aside),
    )  # fmt: skip


def _apart(ground: PatrolGround, ranked: Sequence[int], count: int) -> list[int]:
    """The first grids that touch none before them; where these are too few, the first of the others."""
    chosen: list[int] = []
    for grid in ranked:
        if not any(shapely.intersects(ground.grids[grid], ground.grids[one]) for one in chosen):
            chosen.append(grid)
    return [*chosen, *(grid for grid in ranked if grid not in chosen)][:count]


def _inside(ground: PatrolGround, grid: int) -> list[int]:
    """Streets that lead deeper into a grid than its border's are seen from."""
    deep = shapely.length(shapely.intersection(ground.lines, ground.grids[grid].buffer(-INNER_M / 2)))
    return [int(i) for i in np.flatnonzero(deep > 1.0)]


def _missed_home(ground: PatrolGround, grid: int, barred: set[int], rng: np.random.Generator) -> tuple[int, set[int]]:
    """A home by a street of the grid, and the streets near it: those without which most of the grid can still be walked."""
    lengths = shapely.length(ground.lines)
    own = ground.lines_of(grid)
    within = shapely.length(shapely.intersection(ground.lines[own], ground.grids[grid].buffer(-1.0)))
    inside = set(own[within > 0.9 * lengths[own]].tolist())
    homes = rng.permutation(np.flatnonzero(ground.home_grid == grid))[:_SPOTS]
    best: tuple[float, int, set[int]] = (-np.inf, -1, set())
    for home in homes.tolist():
        apart = shapely.distance(shapely.Point(ground.homes[home]), ground.lines)
        if apart[own].min() > DOOR_M:
            continue
        closed = {int(i) for i in np.flatnonzero(apart < CLEAR_M)}
        left = parts_of(ground, (i for i in own.tolist() if i not in closed | barred))
        metres = float(lengths[left[0]].sum()) if left else 0.0
        metres -= 3.0 * float(lengths[[i for i in sorted(closed) if i not in inside]].sum())  # neighbours need them
        best = max(best, (metres, home, closed), key=lambda one: one[:2])
    return best[1], best[2]


def _side_streets(ground: PatrolGround, grids: Sequence[int], barred: set[int], count: int = 4) -> list[int]:
    """A street in each of some grids without which all the others are still walked, and that is seen from none of them."""
    lengths = shapely.length(ground.lines)
    found: list[int] = []
    for grid in grids:
        own = [int(i) for i in ground.lines_of(grid) if int(i) not in barred]
        whole = parts_of(ground, own)[0]
        most = _ASIDE * float(lengths[ground.lines_of(grid)].sum()) if len(own) == len(ground.lines_of(grid)) else 0.0
        fitting = [int(i) for i in whole if _ASIDE_M < lengths[i] < most]
        for line in sorted(fitting, key=lambda i: (float(lengths[i]), i)):
            others = [i for i in range(len(ground.lines)) if i != line]
            middle = shapely.line_interpolate_point(ground.lines[line], [0.25, 0.5, 0.75], normalized=True)
            near = min(float(shapely.distance(ground.lines[others], one).min()) for one in middle)
            left = parts_of(ground, (i for i in whole.tolist() if i != line))
            if near > 36.0 and left and len(left[0]) == len(whole) - 1:
                found.append(line)
                break
        if len(found) == count:
            break
    return found
