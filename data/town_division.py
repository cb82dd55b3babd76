"""Blocks merged into villages and grids: connected, about equally many households, borders along water and main roads.

Recursive bisection with a local search after each cut: the blocks are cut along the best of several directions, then single
blocks change sides while that lowers the cost. cost = sum over borders of length times the kind's cost, plus
`BALANCE` x (households / quota - 1)^2 x quota for either side.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

#: Directions (unit vectors, written out so that no machine's cosine decides) along which blocks are cut.
DIRECTIONS = (
    (1.0, 0.0), (0.9659258262890683, 0.25881904510252074), (0.8660254037844387, 0.5), (0.7071067811865476, 0.7071067811865476),
    (0.5, 0.8660254037844387), (0.25881904510252074, 0.9659258262890683), (0.0, 1.0), (-0.25881904510252074, 0.9659258262890683),
    (-0.5, 0.8660254037844387), (-0.7071067811865476, 0.7071067811865476), (-0.8660254037844387, 0.5),
    (-0.9659258262890683, 0.25881904510252074),
)  # fmt: skip
#: Border metres that one grid's worth of imbalance costs.
BALANCE = 10_000.0
_PASSES = 12


@dataclass(frozen=True)
class Graph:
    """What the division needs to know of the blocks: households, a point inside, the cost of a border between neighbours."""

    households: npt.NDArray[np.float64]
    centres: npt.NDArray[np.float64]
    cost: tuple[dict[int, float], ...]
    quota: float  # households of one grid
    balance: float = BALANCE


def divide(graph: Graph, blocks: Sequence[int], parts: Sequence[int]) -> list[list[int]]:
    """The blocks in len(parts) connected groups; group k has room for parts[k] grids' households."""
    if len(parts) == 1:
        return [sorted(blocks)]
    best: tuple[float, set[int], int] | None = None
    middle = len(parts) // 2
    for at in sorted({middle, (len(parts) + 1) // 2}):
        for direction in DIRECTIONS:
            left = _cut(graph, blocks, direction, sum(parts[:at]) / sum(parts))
            if left is None:
                continue
            left = _improved(graph, set(blocks), left, sum(parts[:at]), sum(parts[at:]))
            cost = _cost(graph, set(blocks), left, sum(parts[:at]), sum(parts[at:]))
            if best is None or cost < best[0] - 1e-6:
                best = cost, left, at
    if best is None:
        raise ValueError(f"{len(blocks)} blocks cannot be cut into {len(parts)} connected parts")
    _, left, at = best
    return divide(graph, sorted(left), parts[:at]) + divide(graph, sorted(set(blocks) - left), parts[at:])


def _cut(graph: Graph, blocks: Sequence[int], direction: tuple[float, float], share: float) -> set[int] | None:
    """The first blocks along a direction with that share of the households, if both sides are connected."""
    along = graph.centres[list(blocks)] @ np.asarray(direction)
    order = [blocks[i] for i in np.argsort(along, kind="stable")]
    reached = np.cumsum(graph.households[order])
    first = int(np.argmin(np.abs(reached - share * reached[-1])))
    for size in (first + 1, first, first + 2, first - 1, first + 3):
        left = set(order[:size])
        if 0 < size < len(order) and connected(graph, left) and connected(graph, set(order[size:])):
            return left
    return None


def connected(graph: Graph, blocks: set[int]) -> bool:
    """Whether one can walk from any of the blocks to any other through common borders."""
    if not blocks:
        return False
    start = min(blocks)
    seen, todo = {start}, [start]
    while todo:
        for neighbour in graph.cost[todo.pop()]:
            if neighbour in blocks and neighbour not in seen:
                seen.add(neighbour)
                todo.append(neighbour)
    return len(seen) == len(blocks)


def _imbalance(graph: Graph, blocks: Iterable[int], grids: int) -> float:
    quota = graph.quota * grids
    share = float(graph.households[list(blocks)].sum()) / quota - 1.0
    return graph.balance * share * share * grids


def _cost(graph: Graph, whole: set[int], left: set[int], grids_left: int, grids_right: int) -> float:
    border = sum(
        cost for i in sorted(left) for j, cost in sorted(graph.cost[i].items()) if j in whole and j not in left
    )
    return border + _imbalance(graph, left, grids_left) + _imbalance(graph, whole - left, grids_right)


def _improved(graph: Graph, whole: set[int], left: set[int], grids_left: int, grids_right: int) -> set[int]:
    """The left side after single blocks changed sides as long as that lowers the cost and both sides stay connected."""
    sums = [float(graph.households[sorted(left)].sum()), float(graph.households[sorted(whole - left)].sum())]
    grids = (grids_left, grids_right)
    left = set(left)
    for _ in range(_PASSES):
        moved = False
        for block in sorted(whole):
            side = 0 if block in left else 1
            gain = _gain(graph, whole, left, block, sums, grids, side)
            if gain <= 1e-6:
                continue
            trial = left ^ {block}
            if trial and whole - trial and connected(graph, trial) and connected(graph, whole - trial):
                left = trial
                sums[side] -= float(graph.households[block])
                sums[1 - side] += float(graph.households[block])
                moved = True
        if not moved:
            break
    return left


def _gain(
    graph: Graph, whole: set[int], left: set[int], block: int, sums: Sequence[float], grids: Sequence[int], side: int
) -> float:
    """How much the cost falls when the block changes sides."""
    border, at_border = 0.0, False
    for neighbour, cost in graph.cost[block].items():
        if neighbour in whole:
            across = (neighbour in left) != (side == 0)
            at_border |= across
            border += cost if across else -cost
    if not at_border:
        return 0.0
    moving = float(graph.households[block])
    before = _square(graph, sums[0], grids[0]) + _square(graph, sums[1], grids[1])
    after = _square(graph, sums[side] - moving, grids[side]) + _square(graph, sums[1 - side] + moving, grids[1 - side])
    return border + before - after


def _square(graph: Graph, households: float, grids: int) -> float:
    share = households / (graph.quota * grids) - 1.0
    return graph.balance * share * share * grids


def refine(graph: Graph, groups: list[list[int]], families: Sequence[int]) -> list[list[int]]:
    """Groups of the same family (grids of a village) exchange border blocks until no exchange helps."""
    sets = [set(group) for group in groups]
    for _ in range(_PASSES):
        moved = False
        for a in range(len(sets)):
            for b in range(a + 1, len(sets)):
                if families[a] != families[b] or not _touch(graph, sets[a], sets[b]):
                    continue
                after = _improved(graph, sets[a] | sets[b], sets[a], 1, 1)
                if after != sets[a]:
                    sets[a], sets[b] = after, (sets[a] | sets[b]) - after
                    moved = True
        if not moved:
            break
    return [sorted(group) for group in sets]


def _touch(graph: Graph, a: set[int], b: set[int]) -> bool:
    return any(neighbour in b for block in a for neighbour in graph.cost[block])
