"""Coverage of city B by 1,000 tracks of 3,000 fixes: CPU time, exact buffers as the truth, any order the same; GeoLife's gaps and stops."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import TypeVar

import numpy as np
import numpy.typing as npt
import shapely

from data.citygen import CITIES, EAST, LAT0, LON0, NORTH, city
from gis.cellframe import CellFrame, frame_of
from gis.cellowners import CellOwners, cell_owners, ground_seen
from gis.fixes import Fixes, clean, fixes_of
from gis.gridvisits import Span, grid_visits
from gis.locate import GridIndex
from gis.partition import Geometries, partition_of
from gis.sweep import Sweep
from gis.tracks import Tracks, stops_of, tracks_of
from tests.acceptance.check import Check, at_least, at_most, equal

#: It measures CPU time.
ON_REQUEST = True

Floats = npt.NDArray[np.float64]
T = TypeVar("T")

DAY, DAYS = np.datetime64("2026-03-02", "us"), np.timedelta64(1, "D")
NOW = np.datetime64("2026-04-01", "us")
MEMBERS, FIXES = 1000, 3000
SIGHT_M = 25.0


def run(shared: Path, work: Path) -> Iterator[Check]:
    """City B is made here (needs scipy); CPU seconds of this process, kernels compiled before."""
    yield from _geolife(shared / "tracks" / "geolife_small_5tracks.geojson")
    plan = CITIES["B"]
    shapes: Geometries = city(plan).geometry[plan.dedicated :]
    index = GridIndex.of([partition_of([f"{i:05d}" for i in range(len(shapes))], list(shapes))])
    bounds = tuple(shapely.total_bounds(shapes).tolist())
    frame = frame_of((bounds[0], bounds[1], bounds[2], bounds[3]))
    given = _walks(shapes, np.random.default_rng(77))
    _warm(frame, given)
    yield from _swept(frame, index, shapes, given)


def _cpu(job: Callable[[], T]) -> tuple[T, float]:
    begun = time.process_time()
    return job(), time.process_time() - begun


def _walks(shapes: Geometries, rng: np.random.Generator) -> Fixes:
    """Persistent walks of 12 m a fix (every 10 s), pulled back home, a fifth of the time standing; 3 m of noise; over 14 days."""
    home = shapely.get_coordinates(shapely.point_on_surface(shapes))[rng.integers(0, len(shapes), MEMBERS)]
    home = (home - [LON0, LAT0]) * [EAST, NORTH]
    place, heading = home.copy(), rng.uniform(0, 6.28, MEMBERS)
    found = np.empty((MEMBERS, FIXES, 2))
    for k in range(FIXES):
        found[:, k] = place + rng.normal(0, 3, (MEMBERS, 2))
        heading += rng.normal(0, 0.35, MEMBERS)
        turning = rng.random(MEMBERS) < 0.03
        heading[turning] += rng.choice([-1, 1], turning.sum()) * np.pi / 2
        away = home - place
        far = np.hypot(*away.T) > 350
        heading[far] = np.arctan2(away[far, 1], away[far, 0]) + rng.normal(0, 0.4, far.sum())
        going = rng.random(MEMBERS) > 0.2
        place = place + going[:, None] * 12 * np.column_stack([np.cos(heading), np.sin(heading)])
    day = rng.integers(0, 14, MEMBERS)
    at = DAY + (day * 86_400 + 8 * 3600)[:, None].astype("timedelta64[s]") + np.arange(FIXES) * np.timedelta64(10, "s")
    lonlat = found / [EAST, NORTH] + [LON0, LAT0]
    return fixes_of(np.repeat(np.arange(MEMBERS), FIXES), at.ravel(), lonlat[..., 0].ravel(), lonlat[..., 1].ravel())


def _tracks(fixes: Fixes) -> Tracks:
    return tracks_of(clean(fixes, now=NOW).fixes)


def _sweep(frame: CellFrame, *parts: Tracks) -> Sweep:
    made = Sweep(frame, SIGHT_M, origin=DAY)
    for part in parts:
        made.add(part)
    return made


def _warm(frame: CellFrame, given: Fixes) -> None:
    """Every loop is compiled."""
    few = _sweep(frame, _tracks(given.take(np.arange(20))))
    few.seen(DAY + np.timedelta64(9, "h"), NOW)
    few.last_seen(NOW)


def _swept(frame: CellFrame, index: GridIndex, shapes: Geometries, given: Fixes) -> Iterator[Check]:
    tracks, took = _cpu(lambda: _tracks(given))
    yield at_least("cleaning and joining, fixes a CPU second", 1e6, len(given) / took)
    made, took = _cpu(lambda: _sweep(frame, tracks))
    yield at_most("1,000 tracks of 3,000 fixes over city B: stamp", 2.0, took, "CPU s")
    parts = [_part(tracks, m) for m in range(MEMBERS)]
    one_by_one = Sweep(frame, SIGHT_M, origin=DAY)
    times = [_cpu(partial(one_by_one.add, part))[1] for part in parts]
    yield at_most("one new track, median", 5.0, float(np.median(times)) * 1000, "CPU ms")
    owners = cell_owners(frame, index, "general")
    for first, last in ((7.0, 14.0), (0.0, 14.0), (6.4, 14.0), (2.35, 9.0)):
        read, took = _cpu(partial(_window, made, owners, first, last))
        yield at_most(f"window of days {first:g} to {last:g}: read", 50.0, took * 1000, "CPU ms")
        yield equal(
            f"window of days {first:g} to {last:g}: one by one the same",
            True,
            bool((read == _window(one_by_one, owners, first, last)).all()),
        )
    yield at_most("memory of the sweep", 150.0, made.nbytes / 1e6, "MB")
    yield from _same_in_any_order(frame, given, made, owners)
    share = np.divide(*_window(made, owners, 7.0, 14.0))
    yield from _errors(frame, tracks, shapes, share)
    grid_visits(parts[1], [Span(DAY, NOW, index)], "general")
    visits, took = _cpu(lambda: grid_visits(parts[0], [Span(DAY, NOW, index)], "general"))
    yield at_most("visits of one track", 100.0, took * 1000, "CPU ms")
    yield equal("seconds of its visits", 10.0 * (FIXES - 1), float(visits.dwell_s.sum()))


def _part(tracks: Tracks, member: int) -> Tracks:
    rows = np.flatnonzero(tracks.fixes.member == member)
    return Tracks(tracks.fixes.take(rows), tracks.joined[rows], tracks.bridged[rows])


def _window(made: Sweep, owners: CellOwners, first: float, last: float) -> npt.NDArray[np.int64]:
    begin, end = (DAY + np.timedelta64(round(day * 86_400), "s") for day in (first, last))
    _, seen, cells = ground_seen([(owners, made.seen(begin, end))])
    return np.stack([seen, cells])


def _same_in_any_order(frame: CellFrame, given: Fixes, made: Sweep, owners: CellOwners) -> Iterator[Check]:
    """Shuffled, and the second half of everything sent twice."""
    rng = np.random.default_rng(3)
    rows = rng.permutation(np.concatenate([np.arange(len(given)), np.arange(len(given) // 2, len(given))]))
    mixed = _sweep(frame, _tracks(given.take(rows)))
    same = all(
        np.array_equal(slot.stamps[slot.directory[slot.tiles]], other.stamps[other.directory[other.tiles]])
        for slot, other in zip(made.slots.values(), mixed.slots.values(), strict=True)
    )
    yield equal("shuffled, half of it twice: every stamp the same", True, same)
    yield equal(
        "shuffled: every figure the same",
        True,
        bool((_window(made, owners, 0, 14) == _window(mixed, owners, 0, 14)).all()),
    )


def _errors(frame: CellFrame, tracks: Tracks, shapes: Geometries, share: Floats) -> Iterator[Check]:
    """Exact buffers of every leg, in the plane, of 400 grids."""
    plane = frame.plane
    recent = tracks.fixes.take(tracks.fixes.at >= DAY + 7 * DAYS)
    metres = plane.metres(recent.lon, recent.lat).reshape(-1, FIXES, 2)
    short = np.array([shapely.LineString(walk[k : k + 21]) for walk in metres for k in range(0, FIXES - 1, 20)])
    tree = shapely.STRtree(short)
    errors = []
    for i in np.random.default_rng(1).permutation(len(shapes))[:400].tolist():
        grid = shapely.transform(shapes[i], lambda xy: plane.metres(*np.ascontiguousarray(xy.T)))
        near = short[tree.query(grid, predicate="dwithin", distance=SIGHT_M)]
        if len(near):
            seen = shapely.union_all(shapely.buffer(near, SIGHT_M, quad_segs=32))
            errors.append(abs(shapely.area(shapely.intersection(seen, grid)) / shapely.area(grid) - share[i]))
    yield at_most("mean error of a grid's share", 0.0005, float(np.mean(errors)))
    yield at_most("99th percentile of the error", 0.004, float(np.percentile(errors, 99)))


def _geolife(path: Path) -> Iterator[Check]:
    """Five real tracks: every gap over five minutes ends a piece, nothing else does below the speed of a train."""
    rows = [
        (f["properties"]["trajectory_id"], f["properties"]["t"][:19], *f["geometry"]["coordinates"])
        for f in json.loads(path.read_text("utf-8"))["features"]
    ]
    member, at, lon, lat = zip(*rows, strict=True)
    fixes = fixes_of(member, np.array(at, "datetime64[us]"), lon, lat)
    found = clean(fixes, now=NOW)
    yield equal("GeoLife: fixes counted", len(rows), sum(found.counts.values()))
    tracks = tracks_of(found.fixes)
    kept = found.fixes
    gap = (kept.member[1:] == kept.member[:-1]) & (np.diff(kept.micros) > 300 * 10**6)
    yield equal(
        "GeoLife: gaps over five minutes that end a piece", int(gap.sum()), int((gap & ~tracks.joined[:-1]).sum())
    )
    stops = stops_of(tracks, diameter_m=30.0, at_least_s=60.0)
    yield at_least("GeoLife: stops found", 1, len(stops.begin))
