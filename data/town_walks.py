"""The demo town's walks: the streets of a grid as a net with doors on it, and a member's way from door to door in a shift.

A walk takes the errands of its shift and, between them, the streets that were not walked for longest: so a crew covers its grid.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np
import numpy.typing as npt
import shapely

from data.town_plants import node_key

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

#: Nearer than this to a crossing a door is reached from the crossing.
_AT_CROSSING_M = 1.0


@dataclass(frozen=True, eq=False)
class Net:
    """Streets cut at crossings and at the foot of every door, with a path to each door. Nodes are crossings, feet and doors.

    `ends[p]` are the nodes of piece p, `shapes[p]` its line in metres from the first to the second. `onward[u][v]` is the piece that
    begins the shortest way from u to v, doubled, plus one when it is walked backwards (-1: no way), `metres[u][v]` its length.
    `streets[u]` are the pieces of street that can be reached from u, the nearest first. `doors[d]` is the node of door d; `starts`
    has a node of every part of the net, the main one (with all doors) first.
    """

    nodes: Floats
    ends: list[tuple[int, int]]
    shapes: list[Floats]
    lengths: list[float]
    streets: list[list[int]]
    onward: list[list[int]]
    metres: list[list[float]]
    doors: list[int]
    starts: list[int]


def make_net(parts: Sequence[Sequence[shapely.LineString]], doors: Floats) -> Net:
    """The net of these streets, in groups that are apart from each other; doors are reached from the first group."""
    lines = [line for part in parts for line in part]
    feet = _feet(np.array(parts[0], dtype=object), doors)
    nodes: list[tuple[float, float]] = []
    known: dict[tuple[float, float], int] = {}

    def node(xy: Sequence[float] | Floats) -> int:
        key = node_key(xy)
        if key not in known:
            known[key] = len(nodes)
            nodes.append((float(xy[0]), float(xy[1])))
        return known[key]

    ends, shapes = [], []
    for i, line in enumerate(lines):
        coords = shapely.get_coordinates(line)
        for piece in _cut(coords, sorted({at for of, at in feet if of == i})):
            ends.append((node(piece[0]), node(piece[-1])))
            shapes.append(piece)
    starts = [node(part[0].coords[0]) for part in parts]
    pieces, at_door = len(ends), []
    for (of, at), door in zip(feet, doors, strict=True):
        foot = _along(shapely.get_coordinates(lines[of]), at)
        ends.append((node(foot), len(nodes)))
        at_door.append(len(nodes))
        nodes.append((float(door[0]), float(door[1])))
        shapes.append(np.array([foot, door]))
    lengths = [float(np.hypot(*np.diff(shape, axis=0).T).sum()) for shape in shapes]
    onward, metres = _shortest(len(nodes), ends, lengths)
    streets = _nearest_first(metres, ends[:pieces])
    return Net(np.array(nodes), ends, shapes, lengths, streets, onward.tolist(), metres.tolist(), at_door, starts)


def _feet(lines: npt.NDArray[np.object_], doors: Floats) -> list[tuple[int, float]]:
    """Of each door the nearest line and how far along it."""
    if not len(doors):
        return []
    points = shapely.points(doors)
    nearest = shapely.STRtree(lines).nearest(points)
    length = shapely.length(lines)
    found = []
    for line, point in zip(nearest.tolist(), points, strict=True):
        at = round(float(shapely.line_locate_point(lines[line], point)), 0)
        is_end = at < _AT_CROSSING_M or at > length[line] - _AT_CROSSING_M
        found.append((int(line), (0.0 if at < length[line] / 2 else float(length[line])) if is_end else at))
    return found


def _along(coords: Floats, at: float) -> Floats:
    """The place so many metres along a line."""
    passed = np.concatenate([[0.0], np.cumsum(np.hypot(*np.diff(coords, axis=0).T))])
    if at >= passed[-1]:
        return np.array(coords[-1])
    return np.array([np.interp(at, passed, coords[:, k]) for k in (0, 1)])


def _cut(coords: Floats, at: Sequence[float]) -> list[Floats]:
    """The line in pieces, cut at these metres along it."""
    passed = np.concatenate([[0.0], np.cumsum(np.hypot(*np.diff(coords, axis=0).T))])
    inner = [metres for metres in at if 0.0 < metres < passed[-1]]
    edges = [0.0, *inner, float(passed[-1])]
    pieces = []
    for begin, end in pairwise(edges):
        between = coords[(passed > begin + 1e-6) & (passed < end - 1e-6)]
        pieces.append(np.vstack([_along(coords, begin), between, _along(coords, end)]))
    return pieces


def _shortest(
    count: int, ends: Sequence[tuple[int, int]], lengths: Sequence[float]
) -> tuple[Ints, npt.NDArray[np.float64]]:
    """(onward, metres) between all nodes (Floyd and Warshall)."""
    metres = np.full((count, count), np.inf)
    onward = np.full((count, count), -1, np.int64)
    np.fill_diagonal(metres, 0.0)
    for piece, ((a, b), length) in enumerate(zip(ends, lengths, strict=True)):
        if length < metres[a, b]:
            metres[a, b] = metres[b, a] = length
            onward[a, b], onward[b, a] = 2 * piece, 2 * piece + 1
    for k in range(count):
        via = metres[:, k, None] + metres[None, k, :]
        shorter = via < metres - 1e-6
        metres = np.where(shorter, via, metres)
        onward = np.where(shorter, onward[:, k, None], onward)
    return onward, metres


def _nearest_first(metres: Floats, ends: Sequence[tuple[int, int]]) -> list[list[int]]:
    """Of each node the pieces of street that can be reached from it, the nearest first."""
    begin, end = np.array(ends, np.int64).T
    near = np.minimum(metres[:, begin], metres[:, end])
    order = np.argsort(near, axis=1, kind="stable")
    reached = np.isfinite(near).sum(axis=1)
    return [row[:count] for row, count in zip(order.tolist(), reached.tolist(), strict=True)]


@dataclass(frozen=True)
class Task:
    """What a member does in a shift: `errands` and idle `doors` are doors of the net; `pace` in metres a second."""

    start: int
    errands: Sequence[int]
    doors: Sequence[int]
    pace: float
    seconds: float


@dataclass
class Walk:
    """A way through a net: step k walks a piece (doubled, plus one when backwards), or for `stays[k]` seconds stays at a node (which
    stands behind the pieces). `calls` are stays at doors: (door, seconds after the begin, how long).
    """

    net: Net
    task: Task
    walked: list[int]
    stamp: int
    node: int
    at: float = 0.0
    steps: list[int] = field(default_factory=list)
    stays: list[float] = field(default_factory=list)
    calls: list[tuple[int, float, float]] = field(default_factory=list)

    def stay(self, seconds: float) -> None:
        """The member stays where it is."""
        self.steps.append(2 * len(self.net.ends) + self.node)
        self.stays.append(seconds)
        self.at += seconds

    def take(self, way: int) -> None:
        """The member walks one piece."""
        piece, is_back = divmod(way, 2)
        self.node = self.net.ends[piece][1 - is_back]
        self.at += self.net.lengths[piece] / self.task.pace
        self.walked[piece] = self.stamp
        self.steps.append(way)
        self.stays.append(0.0)

    def go(self, target: int) -> None:
        """The member walks to a node by the shortest way, as far as the shift lasts."""
        onward = self.net.onward
        while self.node != target and self.at < self.task.seconds:
            self.take(onward[self.node][target])

    def call(self, door: int, seconds: float) -> None:
        """The member goes to a door, stays there and comes back to the street."""
        target = self.net.doors[door]
        self.go(target)
        if self.node == target and self.at < self.task.seconds:
            self.calls.append((door, self.at, seconds))
            self.stay(seconds)

    def freshen(self) -> None:
        """The member walks the street that was not walked for longest; of several the nearest."""
        walked, own = self.walked, self.net.streets[self.node]
        oldest = min([walked[p] for p in own])
        piece = next(p for p in own if walked[p] == oldest)
        metres = self.net.metres[self.node]
        a, b = self.net.ends[piece]
        self.go(a if metres[a] <= metres[b] else b)
        if self.at < self.task.seconds:
            self.take(2 * piece + (self.node != a))


def walk(net: Net, task: Task, walked: list[int], stamp: int, luck: Sequence[float]) -> Walk:
    """The walk of a shift; `walked[p]` is the stamp of the last walk along piece p, and is told of this one. `luck` are numbers in 0..1."""
    made = Walk(net, task, walked, stamp, task.start)
    made.stay(20.0 + 160.0 * luck[0])
    errands, turn = list(task.errands), 0
    while made.at < task.seconds:
        turn += 1
        chance, length = luck[turn % len(luck)], luck[(3 * turn + 1) % len(luck)]
        if errands and (turn % 2 or len(errands) > 2):
            made.call(errands.pop(0), 300.0 + 420.0 * length)
        elif task.doors and chance < 0.25:
            made.call(task.doors[int(chance * 4.0 * len(task.doors))], 180.0 + 1_020.0 * length * length)
        else:
            made.freshen()
    return made


@dataclass(frozen=True, eq=False)
class Steps:
    """Steps of all nets as lines: step k is `xy[first[k]:first[k] + count[k]]` in metres; on a street the member keeps to its side."""

    xy: Floats
    first: Ints
    count: Ints
    is_street: npt.NDArray[np.bool_]
    offset: Ints

    @staticmethod
    def of(nets: Sequence[Net]) -> Steps:
        """The steps of these nets; those of net i are numbered from `offset[i]` on."""
        parts: list[Floats] = []
        street: list[bool] = []
        offset = []
        for net in nets:
            offset.append(len(parts))
            paths = set(net.doors)
            for shape, (_, end) in zip(net.shapes, net.ends, strict=True):
                parts += [shape[1:], shape[::-1][1:]]
                street += [end not in paths] * 2
            parts += list(net.nodes[:, None, :])
            street += [False] * len(net.nodes)
        count = np.array([len(part) for part in parts], np.int64)
        return Steps(np.concatenate(parts), np.cumsum(count) - count, count, np.array(street), np.array(offset))
