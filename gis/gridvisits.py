"""GridVisits: when a member entered a grid, left it, and how long it stayed, by the boundaries in force at that time.

The way between two fixes is a straight line in lon/lat; where it crosses a border is found on it, also when the grid between has no
fix at all. Near a border a reading does not tell on which side one is: a member has gone over into another grid once its way lies
deeper in it than the readings are accurate, and then since the crossing; until then it is where it was. So a walk along a
border is one visit, not forty.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
import shapely

from gis.crs import metres_per_degree
from gis.fixes import MICRO, Flags, Floats, Ints, Times, micros_of
from gis.locate import GridIndex
from gis.tracks import Tracks

#: Stands for the accuracy that a device does not give, in metres.
UNKNOWN_M: Final = 20.0


@dataclass(frozen=True, eq=False)
class Span:
    """A stretch [begin, end) of time with the index of the boundaries in force in it; `keys[i]` is grid i's identity (default: code)."""

    begin: np.datetime64
    end: np.datetime64
    index: GridIndex
    keys: tuple[str, ...] | None = None


@dataclass(frozen=True, eq=False)
class GridVisits:
    """Visit v: `member[v]` was in grid `keys[grid[v]]` from `begin[v]` until `end[v]`; -1: in none. By member and time.

    `entered` / `left`: a crossing begins / ends it; else the track or its boundaries begin or end there. `sure`: the way lay deeper in
    the grid than the readings are accurate. Consecutive visits of a piece follow each other without a gap.
    """

    keys: tuple[str, ...]
    member: npt.NDArray[np.int32]
    grid: Ints
    begin: Times
    end: Times
    entered: Flags
    left: Flags
    sure: Flags

    def __len__(self) -> int:
        return len(self.member)

    @property
    def dwell_s(self) -> Floats:
        """How long each lasted, in seconds."""
        return (self.end - self.begin).view(np.int64) / MICRO

    def dwell_by_grid_s(self) -> Floats:
        """Seconds in each grid, of all members together."""
        held = self.grid >= 0
        return np.bincount(self.grid[held], weights=self.dwell_s[held], minlength=len(self.keys)).astype(np.float64)


@dataclass(frozen=True, eq=False)
class _Ways:
    """Straight ways in one span, in order: of which fix, from and to when (microseconds), from and to where, how accurate."""

    fix: Ints
    begin: Ints
    end: Ints
    a: Floats
    b: Floats
    accuracy_m: Floats

    def parts(self, way: Ints, low: Floats, high: Floats) -> _Ways:
        """Parts of ways, from one share of their length to another."""
        length, step = self.end[way] - self.begin[way], self.b[way] - self.a[way]
        times = [self.begin[way] + (share * length).astype(np.int64) for share in (low, high)]
        ends = [self.a[way] + share[:, None] * step for share in (low, high)]
        return _Ways(self.fix[way], times[0], times[1], ends[0], ends[1], self.accuracy_m[way])


def grid_visits(tracks: Tracks, spans: Sequence[Span], layer: str) -> GridVisits:
    """The visits to the grids of a layer within the spans, which follow each other in time. What lies in no span is left out."""
    known: dict[str, int] = {}
    chains: list[tuple[int, int, int, int, bool, bool, bool]] = []
    piece_of = np.searchsorted(tracks.first, np.arange(len(tracks)), side="right")
    for span in spans:
        index = _of_layer(span.index, layer)
        codes = dict(zip(span.index.codes, span.keys or span.index.codes, strict=True))
        number = np.array([known.setdefault(codes[code], len(known)) for code in index.codes] + [-1], np.int64)
        ways = _cut(_ways(tracks, span), index)
        owner, deep = _owners(ways, index)
        chains += _settled(ways, piece_of, number[owner], deep > ways.accuracy_m)
    return _answer(tuple(known), tracks, chains)


def _of_layer(index: GridIndex, layer: str) -> GridIndex:
    """An index over one layer alone, so that distances are to its own borders."""
    if index.layers == (layer,):
        return index
    return GridIndex.of([p for p in index.boundaries.assignable() if p.layer == layer])


def _ways(tracks: Tracks, span: Span) -> _Ways:
    """The parts of legs that lie in a span; a fix to which nothing is joined is a way of no length."""
    fixes, count = tracks.fixes, len(tracks)
    to = np.arange(count) + tracks.joined
    at = fixes.micros
    until = np.maximum(at[to], at + 1)  # a place alone takes up its instant
    since, stop = micros_of(span.begin), micros_of(span.end)
    rows = np.flatnonzero((at < stop) & (until > since))
    to, length = to[rows], np.maximum(at[to[rows]] - at[rows], 1)
    begin, end = np.maximum(at[rows], since), np.minimum(at[to], stop)
    places = np.column_stack([fixes.lon, fixes.lat])
    step = places[to] - places[rows]
    a = places[rows] + ((begin - at[rows]) / length)[:, None] * step
    b = np.where((end == at[to])[:, None], places[to], places[rows] + ((end - at[rows]) / length)[:, None] * step)
    accuracy = np.where(fixes.accuracy_m > 0, fixes.accuracy_m, np.float32(UNKNOWN_M)).astype(np.float64)
    return _Ways(rows, begin, end, a, b, np.maximum(accuracy[rows], accuracy[to]))


def _cut(ways: _Ways, index: GridIndex) -> _Ways:
    """The ways, cut where they meet a border."""
    near = np.flatnonzero(_may_cross(ways, index))
    lines = shapely.linestrings(np.stack([ways.a[near], ways.b[near]], axis=1))
    borders = shapely.boundary(index.geometry)
    pair, grid = shapely.STRtree(borders).query(lines, predicate="intersects")
    points, of = shapely.get_coordinates(shapely.intersection(lines[pair], borders[grid]), return_index=True)
    way = near[pair[of]]
    step = ways.b[way] - ways.a[way]
    share = ((points - ways.a[way]) * step).sum(axis=1) / np.maximum((step * step).sum(axis=1), 1e-300)
    inner = (share > 0.0) & (share < 1.0)
    every = np.arange(len(ways.fix))
    owner = np.concatenate([every, way[inner], every])
    cuts = np.concatenate([np.zeros(len(every)), share[inner], np.ones(len(every))])
    order = np.lexsort((cuts, owner))
    owner, cuts = owner[order], cuts[order]
    kept = (owner[1:] == owner[:-1]) & (cuts[1:] > cuts[:-1])
    return ways.parts(owner[:-1][kept], cuts[:-1][kept], cuts[1:][kept])


def _may_cross(ways: _Ways, index: GridIndex) -> Flags:
    """Whether a way may meet a border: not if it is shorter than the way from its begin to the border of the grid round it."""
    found = index.locate(*np.ascontiguousarray(ways.a.T))
    east, north = metres_per_degree(ways.a[:, 1])
    step = ways.b - ways.a
    metres = np.hypot(step[:, 0] * east, step[:, 1] * north)
    surely_inside = (found.winner >= 0) & (metres * 1.01 < found.distance_m)
    return (metres > 0) & ~surely_inside


def _owners(ways: _Ways, index: GridIndex) -> tuple[Ints, Floats]:
    """Whose each way is, by its middle, and how deep it lies there: metres from the border; outside, metres from any grid."""
    lon, lat = np.ascontiguousarray(((ways.a + ways.b) / 2).T)
    found = index.locate(lon, lat)
    deep = np.where(found.winner >= 0, found.distance_m, np.inf)
    out = np.flatnonzero(found.winner < 0)
    if len(out):
        near = index.candidates(lon[out], lat[out], float(ways.accuracy_m[out].max()))
        np.minimum.at(deep, out[near.place], near.distance_m)
    return found.winner.astype(np.int64), deep


def _settled(
    ways: _Ways, piece_of: Ints, owner: Ints, sure: Flags
) -> list[tuple[int, int, int, int, bool, bool, bool]]:
    """(fix, grid, begin, end, entered, left, sure) of the visits of one span, after hysteresis."""
    if not len(ways.fix):
        return []
    piece = piece_of[ways.fix]
    fresh = np.append(True, (piece[1:] != piece[:-1]) | (owner[1:] != owner[:-1]))
    first = np.flatnonzero(fresh)
    last = np.append(first[1:], len(owner)) - 1
    certain = np.logical_or.reduceat(sure, first)
    rows = zip(
        ways.fix[first].tolist(), piece[first].tolist(), owner[first].tolist(), ways.begin[first].tolist(),
        ways.end[last].tolist(), certain.tolist(), strict=True,
    )  # fmt: skip
    found: list[tuple[int, int, int, int, bool, bool, bool]] = []
    current = -1
    for fix, number, grid, begin, end, known in rows:
        if number == current and (grid == found[-1][1] or not known):
            _, held, since, _, entered, left, before = found[-1]
            found[-1] = (found[-1][0], held, since, end, entered, left, before or (known and grid == held))
            continue
        crossed = number == current
        if crossed:
            found[-1] = (*found[-1][:3], begin, found[-1][4], True, found[-1][6])
        found.append((fix, grid, begin, end, crossed, False, known))
        current = number
    return found


def _answer(
    keys: tuple[str, ...], tracks: Tracks, chains: list[tuple[int, int, int, int, bool, bool, bool]]
) -> GridVisits:
    """The visits in order; two of one grid that only a new generation parted are one."""
    piece = np.searchsorted(tracks.first, np.array([row[0] for row in chains], np.int64), side="right").tolist()
    joined: list[tuple[int, tuple[int, int, int, int, bool, bool, bool]]] = []
    for number, row in sorted(zip(piece, chains, strict=True), key=lambda pair: (pair[0], pair[1][2])):
        if joined and joined[-1][0] == number and joined[-1][1][1] == row[1] and joined[-1][1][3] == row[2]:
            before = joined[-1][1]
            joined[-1] = (number, (*before[:3], row[3], before[4], row[5], before[6] or row[6]))
        else:
            joined.append((number, row))
    table = np.array([row for _, row in joined], np.int64).reshape(-1, 7)
    begin, end = np.ascontiguousarray(table[:, 2:4].T).view("datetime64[us]")
    flags = table[:, 4:].astype(bool)
    member = tracks.fixes.member[table[:, 0]]
    return GridVisits(keys, member, table[:, 1].copy(), begin, end, flags[:, 0], flags[:, 1], flags[:, 2])
