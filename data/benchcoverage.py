"""`gridbeat bench coverage`: what patrols saw of a synthetic city, beside exact buffers and movingpandas, in one run.

The walks: persistent, 12 m a fix (every 10 s), pulled back home, a fifth of the time standing, 3 m of noise, over 14 days. A peer does
the same job on a sample, and its time is multiplied by what the sample is of; its note says so.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import shapely

from data.benchlocate import seconds
from data.citygen import EAST, LAT0, LON0, NORTH, City
from data.coveragepeers import gaps_of, stays_of, trajectories_of
from data.peers import PeerMissing
from gis.cellframe import CellFrame, frame_of
from gis.cellowners import CellOwners, cell_owners, ground_seen
from gis.fixes import Fixes, clean, fixes_of
from gis.gridvisits import Span, grid_visits
from gis.locate import GridIndex
from gis.partition import Geometries, partition_of
from gis.places import stays
from gis.sweep import Sweep
from gis.tracks import Tracks, stops_of, tracks_of

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

FIXES: Final = 3000
SIGHT_M: Final = 25.0
DAYS: Final = 14
BEGIN: Final = np.datetime64("2026-03-02", "us")
NOW: Final = np.datetime64("2026-04-01", "us")

#: So many grids are swept exactly by shapely and by PostGIS, so many tracks are given to movingpandas and to visits.
SHAPELY_GRIDS, POSTGIS_GRIDS, PEER_TRACKS, VISIT_TRACKS = 150, 60, 4, 50
#: Places at which stays are looked for.
PLACES: Final = 30_000
#: Fixes of a piece of a walk that is buffered as one line.
_PIECE: Final = 20

GROUND, GAPS, STOPS = "ground seen, every grid", "gaps over 5 minutes", "stops"


@dataclass(frozen=True)
class Line:
    """One line of the table: what for, who, seconds for all of it (None: took no part), how many times ours, a note."""

    job: str
    engine: str
    seconds: float | None
    times: float | None
    note: str = ""


#: Which of so many grids were asked for, with the share of each that was seen.
Swept = Callable[[Ints], Floats]


def walks(shapes: Geometries, rng: np.random.Generator, members: int, fixes: int = FIXES) -> Fixes:
    """`fixes` readings of each of so many members, by member and time; everybody walks on one of the 14 days from eight o'clock on."""
    home = shapely.get_coordinates(shapely.point_on_surface(shapes))[rng.integers(0, len(shapes), members)]
    home = (home - [LON0, LAT0]) * [EAST, NORTH]
    place, heading = home.copy(), rng.uniform(0, 6.28, members)
    found = np.empty((members, fixes, 2))
    for k in range(fixes):
        found[:, k] = place + rng.normal(0, 3, (members, 2))
        heading += rng.normal(0, 0.35, members)
        turning = rng.random(members) < 0.03
        heading[turning] += rng.choice([-1, 1], turning.sum()) * np.pi / 2
        away = home - place
        far = np.hypot(*away.T) > 350
        heading[far] = np.arctan2(away[far, 1], away[far, 0]) + rng.normal(0, 0.4, far.sum())
        going = rng.random(members) > 0.2
        place = place + going[:, None] * 12 * np.column_stack([np.cos(heading), np.sin(heading)])
    begin = (rng.integers(0, DAYS, members) * 86_400 + 8 * 3600)[:, None].astype("timedelta64[s]")
    at = BEGIN + begin + np.arange(fixes) * np.timedelta64(10, "s")
    lonlat = found / [EAST, NORTH] + [LON0, LAT0]
    return fixes_of(np.repeat(np.arange(members), fixes), at.ravel(), lonlat[..., 0].ravel(), lonlat[..., 1].ravel())


@dataclass(frozen=True, eq=False)
class Beat:
    """The general grids of a city, the walks in it, and the frame of its cells."""

    shapes: Geometries
    fixes: Fixes

    @cached_property
    def frame(self) -> CellFrame:
        """The cells of the town."""
        west, south, east, north = shapely.total_bounds(self.shapes).tolist()
        return frame_of((west, south, east, north))

    @cached_property
    def index(self) -> GridIndex:
        """The grids."""
        return GridIndex.of([partition_of([f"{i:07d}" for i in range(len(self.shapes))], list(self.shapes))])

    @cached_property
    def grounds_m(self) -> Geometries:
        """The grids in metres of the plane."""
        metres = self.frame.plane.metres
        return np.asarray(shapely.transform(self.shapes, lambda xy: metres(*np.ascontiguousarray(xy.T))), dtype=object)

    @cached_property
    def lines_m(self) -> Geometries:
        """The walks as lines of a few legs each, in metres of the plane."""
        fixes = self.fixes
        metres = self.frame.plane.metres(fixes.lon, fixes.lat)
        last = np.flatnonzero(np.append(fixes.member[1:] != fixes.member[:-1], True)).tolist()
        first = [0, *(k + 1 for k in last[:-1])]
        cuts = [(k, min(k + _PIECE, e)) for b, e in zip(first, last, strict=True) for k in range(b, e, _PIECE)]
        return np.array([shapely.LineString(metres[a : b + 1]) for a, b in cuts])

    def tracks(self) -> Tracks:
        """The walks, cleaned and joined."""
        return tracks_of(clean(self.fixes, now=NOW).fixes)

    def sweep(self, *parts: Tracks) -> Sweep:
        """What these saw."""
        made = Sweep(self.frame, SIGHT_M, origin=BEGIN)
        for part in parts:
            made.add(part)
        return made


def beat_of(town: City, members: int) -> Beat:
    """So many members' walks over the general grids of a city."""
    shapes: Geometries = town.geometry[town.plan.dedicated :]
    return Beat(shapes, walks(shapes, np.random.default_rng(77), members))


def tracks_of_member(tracks: Tracks, member: int) -> Tracks:
    """The tracks of one member alone."""
    rows = np.flatnonzero(tracks.fixes.member == member)
    return Tracks(tracks.fixes.take(rows), tracks.joined[rows], tracks.bridged[rows])


def window(made: Sweep, owners: CellOwners, first: float, last: float) -> tuple[Ints, Ints]:
    """(seen, cells) of every grid from one day to another, counted from the first one on."""
    begin, end = (BEGIN + np.timedelta64(round(day * 86_400), "s") for day in (first, last))
    _, seen, cells = ground_seen([(owners, made.seen(begin, end))])
    return seen, cells


def run(beat: Beat, server: Callable[[Beat], Swept]) -> Iterator[Line]:
    """Our lines and the peers' beside them; `server` makes PostGIS ready or raises PeerMissing."""
    _compile(beat)
    tracks = beat.tracks()
    yield from _ground(beat, tracks, server)
    yield from _parts(beat, tracks)
    yield from _beside_movingpandas(beat, tracks)


def _compile(beat: Beat) -> None:
    """Every loop is compiled, with the first fixes of one walk."""
    few = Beat(beat.shapes, beat.fixes.take(np.arange(min(40, len(beat.fixes)))))
    tracks = few.tracks()
    made = few.sweep(tracks)
    made.last_seen(NOW)
    window(made, cell_owners(few.frame, beat.index, "general"), 0.0, DAYS)
    stops_of(tracks)
    stays(tracks, beat.fixes.lon[:2], beat.fixes.lat[:2], few.frame.plane)
    grid_visits(tracks, [Span(BEGIN, NOW, beat.index)], "general")


def _ground(beat: Beat, tracks: Tracks, server: Callable[[Beat], Swept]) -> Iterator[Line]:
    """From fixes to the share of every grid that was seen, and how far off it is."""
    owners = cell_owners(beat.frame, beat.index, "general")

    def all_of_it() -> tuple[Ints, Ints]:
        return window(beat.sweep(beat.tracks()), owners, 0.0, DAYS)

    taken = seconds(all_of_it, 3)
    share = np.divide(*window(beat.sweep(tracks), owners, 0.0, DAYS))
    rng = np.random.default_rng(1)
    found = [
        _exact("shapely buffers", _shapely(beat), share, rng.permutation(len(share))[:SHAPELY_GRIDS], time.process_time)
    ]
    try:
        found.append(
            _exact(
                "PostGIS buffers", server(beat), share, rng.permutation(len(share))[:POSTGIS_GRIDS], time.perf_counter
            )
        )
    except PeerMissing as missing:
        found.append(Line(GROUND, "PostGIS buffers", None, None, f"missing: {missing}"))
    yield Line(GROUND, "Gridbeat", taken, 1.0, f"{len(beat.fixes):,} fixes cleaned, joined, swept, read")
    for line in found:
        yield Line(line.job, line.engine, line.seconds, line.seconds and line.seconds / taken, line.note)


def _exact(engine: str, swept: Swept, share: Floats, some: Ints, clock: Callable[[], float]) -> Line:
    """A peer's line: a sample of grids, and how far our shares are from its."""
    begun = clock()
    exact = swept(some)
    taken = (clock() - begun) * len(share) / len(some)
    off = np.abs(exact - share[some])
    note = f"{len(some)} of {len(share):,} grids; our shares are off by {off.mean():.5f}, at most {off.max():.4f}"
    return Line(GROUND, engine, taken, None, note)


def _shapely(beat: Beat) -> Swept:
    """Buffers of the lines near a grid, united and cut with it."""
    lines, tree = beat.lines_m, shapely.STRtree(beat.lines_m)

    def one(grid: shapely.Geometry) -> float:
        near = lines[tree.query(grid, predicate="dwithin", distance=SIGHT_M)]
        seen = shapely.union_all(shapely.buffer(near, SIGHT_M))
        return float(shapely.area(shapely.intersection(seen, grid)) / shapely.area(grid))

    return lambda some: np.array([one(beat.grounds_m[i]) for i in some.tolist()])


def _parts(beat: Beat, tracks: Tracks) -> Iterator[Line]:
    """What each step of ours takes."""
    made = beat.sweep(tracks)
    owners = cell_owners(beat.frame, beat.index, "general")
    members = range(int(tracks.fixes.member.max()) + 1)
    alone = beat.sweep()
    single = [seconds(partial(alone.add, tracks_of_member(tracks, m)), 1) for m in members]
    few = tracks.fixes.member < VISIT_TRACKS
    some = Tracks(tracks.fixes.take(few), tracks.joined[few], tracks.bridged[few])
    at = np.random.default_rng(5).integers(0, len(beat.fixes), PLACES)
    lon, lat = beat.fixes.lon[at], beat.fixes.lat[at]
    spans = [Span(BEGIN, NOW, beat.index)]
    yield _own("clean and join", beat.tracks, f"{len(beat.fixes):,} fixes")
    yield _own("stamp all tracks", lambda: beat.sweep(tracks), f"{made.nbytes / 1e6:.0f} MB")
    yield Line("stamp one new track", "Gridbeat", float(np.median(single)), None, f"median of {len(single):,}")
    yield _own("read a window of 7 days", lambda: window(made, owners, 7.0, 14.0), "every grid")
    yield _own(
        "whose ground each cell is", lambda: cell_owners(beat.frame, beat.index, "general"), "once per boundaries"
    )
    number = len(np.unique(some.fixes.member))
    yield _own("visits to grids", lambda: grid_visits(some, spans, "general"), f"{number} tracks")
    yield _own("stays at places", lambda: stays(tracks, lon, lat, beat.frame.plane), f"{PLACES:,} places, all tracks")


def _own(job: str, work: Callable[[], Any], note: str) -> Line:
    return Line(job, "Gridbeat", seconds(work, 3), None, note)


def _beside_movingpandas(beat: Beat, tracks: Tracks) -> Iterator[Line]:
    """Gaps and stops, ours of all tracks and movingpandas' of a few."""
    members = len(np.unique(tracks.fixes.member))
    ours = {
        GAPS: seconds(lambda: tracks_of(tracks.fixes).gaps(), 3),
        STOPS: seconds(lambda: stops_of(tracks), 3),
    }
    rows = np.flatnonzero(tracks.fixes.member < PEER_TRACKS)
    plane, some = beat.frame.plane, tracks.fixes.take(rows)
    try:
        theirs = _movingpandas(some, plane.metres(some.lon, some.lat), plane.epsg)
    except PeerMissing as missing:
        for job, taken in ours.items():
            yield Line(job, "Gridbeat", taken, 1.0)
            yield Line(job, "movingpandas", None, None, f"missing: {missing}")
        return
    number = len(np.unique(tracks.fixes.member[rows]))
    for job, taken in ours.items():
        yield Line(job, "Gridbeat", taken, 1.0, f"{members:,} tracks")
        whole = seconds(theirs[job], 1) * members / number
        yield Line(job, "movingpandas", whole, whole / taken, f"{number} of {members:,} tracks")


def _movingpandas(fixes: Fixes, metres: Floats, epsg: int) -> dict[str, Callable[[], Any]]:
    """Its jobs on these fixes, made ready outside the clock."""
    trajectories = trajectories_of(fixes, metres, epsg)
    return {GAPS: lambda: gaps_of(trajectories, 300.0), STOPS: lambda: stays_of(trajectories, 60.0, 120.0)}
