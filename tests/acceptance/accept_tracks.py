"""Real tracks through the command line into the store: GeoLife's walkers, a bus line, a walk; their gaps and stops beside movingpandas.

At equal diameter and duration our stops are all windows that hold still; movingpandas measures the diagonal of a rotated box, which
is up to 1.4 times as wide, and begins anew where a window breaks: so all of its stop time has to be ours, and not the reverse. What
is ours alone is checked against every window there is.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import geopandas as gpd
import numpy as np
import numpy.typing as npt
import pandas as pd

from data.coveragepeers import Stretch, gaps_of, stays_of, trajectories_of
from gis.fixes import Fixes, clean
from gis.plane import Plane, plane_of
from gis.store.engine import create_engine
from gis.store.fixes import read_fixes
from gis.tracks import Tracks, stops_of, tracks_of
from tests.acceptance.check import Check, at_least, equal
from tests.acceptance.stage import Stage, stage

Floats = npt.NDArray[np.float64]
NOW = np.datetime64("2026-06-01", "us")
SECOND = np.timedelta64(1, "s")
GAP_S = 300.0
#: Diameter (m), duration (s).
STOPS = ((30.0, 60.0), (60.0, 120.0))
#: By diameter: seconds on which we and movingpandas agree, and seconds known.
Agreed = dict[float, Floats]

GEOLIFE, BUS, WALK = "geolife_small_5tracks.geojson", "liverpool_bus14.csv", "walk_304_to_UL.gpx"
#: (file, words of the command, rows, members, gaps over five minutes)
FILES = (
    (GEOLIFE, ("--map", "member=trajectory_id", "--map", "at=t"), 5908, 5, 8),
    (BUS, ("--map", "member=vehicle_id", "--tz", "Europe/London"), 1533, 8, 8),
    (WALK, ("--set", "member=walker"), 2144, 1, 0),
)


def run(shared: Path, work: Path) -> Iterator[Check]:
    """Each file is loaded as a user would, twice; then its tracks are made of what the store holds."""
    folder = shared / "tracks"
    agreed: Agreed = {diameter_m: np.zeros(2) for diameter_m, _ in STOPS}
    with stage(work, "tracks", GRIDBEAT_FIXES_OFF_DUTY="true") as one:
        told = {name: _told(folder / name) for name, *_ in FILES}
        codes = sorted({code for table in told.values() for code in table["member"]})
        (work / "members.csv").write_text("code,name\n" + "".join(f"{code},{code}\n" for code in codes), "utf-8")
        one.do("load", "members", work / "members.csv", "--set", "since=2000-01-01T00:00:00Z", "--commit")
        for name, words, rows, members, gaps in FILES:
            yield from _loaded(one, folder / name, words, rows)
            fixes = _held(one, told[name])
            yield equal(f"{name}: readings in the store are those of the file", 0, _unlike(one, fixes, told[name]))
            yield from _beside(name, fixes, members, gaps, agreed)
    for diameter_m, at_least_s in STOPS:
        alike_s, known_s = agreed[diameter_m].tolist()
        name = f"all files, {diameter_m:g} m, {at_least_s:g} s: of {known_s:.0f} s known, both say stop or both say way"
        yield at_least(name, 0.95, alike_s / known_s)


def _told(path: Path) -> pd.DataFrame:
    """member, at (UTC), lon, lat as other readers see them."""
    if path.name == GEOLIFE:
        rows = json.loads(path.read_text("utf-8"))["features"]
        own = [
            (str(f["properties"]["trajectory_id"]), f["properties"]["t"], *f["geometry"]["coordinates"]) for f in rows
        ]
        found = pd.DataFrame(own, columns=["member", "at", "lon", "lat"])
        return found.assign(at=pd.to_datetime(found["at"], utc=True))
    if path.name == BUS:
        bus = pd.read_csv(path, dtype={"vehicle_id": str})
        at = pd.to_datetime(bus["timestamp"]).dt.tz_localize("Europe/London").dt.tz_convert(UTC)
        return pd.DataFrame({"member": bus["vehicle_id"], "at": at, "lon": bus["longitude"], "lat": bus["latitude"]})
    walk = gpd.read_file(path, layer="track_points")
    at = pd.to_datetime(walk["time"], utc=True)
    return pd.DataFrame({"member": "walker", "at": at, "lon": walk.geometry.x, "lat": walk.geometry.y})


def _loaded(one: Stage, path: Path, words: Sequence[str], rows: int) -> Iterator[Check]:
    """Dry, for real, and once more."""
    load: list[str | Path] = ["load", "fixes", path, *words, "--rejected", one.home.parent / "rejected.csv"]
    for more, expected in (
        ((), f"{rows} rows: {rows} would be stored, unless they are known already, 0 rejected"),
        (("--commit",), f"{rows} rows: {rows} stored, 0 rejected"),
        (("--commit",), f"duplicate {rows}"),
    ):
        said = one.gridbeat(*load, *more).out
        yield equal(
            f"{path.name}: load fixes {' '.join(more)}", expected, expected if expected in said else said[-300:]
        )


def _held(one: Stage, told: pd.DataFrame) -> Fixes:
    """What the store has of the file's members."""
    engine = create_engine(one.cluster.url, pool_size=1)
    try:
        with engine.connect() as connection:
            numbers = _numbers(one)
            members = [numbers[code] for code in sorted(set(told["member"]))]
            return read_fixes(connection, datetime(2000, 1, 1, tzinfo=UTC), datetime(2027, 1, 1, tzinfo=UTC), members)
    finally:
        engine.dispose()


def _numbers(one: Stage) -> dict[str, int]:
    return {row.code: row.number for row in one.rows("SELECT code, number FROM member")}


def _unlike(one: Stage, fixes: Fixes, told: pd.DataFrame) -> int:
    """Readings that differ from the file's, in member, in time, or in place by more than half of 1e-7 degree."""
    numbers = _numbers(one)
    table = told.assign(number=told["member"].map(numbers), micros=told["at"].dt.as_unit("us").astype("int64"))
    table = table.sort_values(["number", "micros", "lon", "lat"])
    if len(table) != len(fixes):
        return abs(len(table) - len(fixes))
    same = (table["number"].to_numpy() == fixes.member) & (table["micros"].to_numpy() == fixes.micros)
    for column, own in (("lon", fixes.lon), ("lat", fixes.lat)):
        same &= np.abs(table[column].to_numpy() - own) < 5.1e-8
    return int((~same).sum())


def _beside(name: str, fixes: Fixes, members: int, gaps: int, agreed: Agreed) -> Iterator[Check]:
    """Gaps and stops of one file."""
    kept = clean(fixes, now=NOW)
    yield equal(f"{name}: of these used for tracks", len(fixes), kept.counts["kept"])
    fixes = kept.fixes
    plane = plane_of((fixes.lon.min() - 0.01, fixes.lat.min() - 0.01, fixes.lon.max() + 0.01, fixes.lat.max() + 0.01))
    metres = plane.metres(fixes.lon, fixes.lat)
    tracks = tracks_of(fixes)
    whole = trajectories_of(fixes, metres, plane.epsg)
    yield equal(f"{name}: members", members, len(whole))
    ours = tracks.gaps()
    long = (ours.end - ours.begin) > GAP_S * SECOND
    own = set(zip(ours.member[long].tolist(), ours.begin[long].tolist(), ours.end[long].tolist(), strict=True))
    theirs = {(member, begin.item(), end.item()) for member, begin, end in gaps_of(whole, GAP_S)}
    yield equal(f"{name}: gaps over five minutes, movingpandas'", gaps, len(theirs))
    yield equal(f"{name}: gaps over five minutes, ours and theirs", len(theirs | own), len(theirs & own))
    for diameter_m, at_least_s in STOPS:
        yield from _stops(name, tracks, plane, (diameter_m, at_least_s), agreed)


def _stops(name: str, tracks: Tracks, plane: Plane, rule: tuple[float, float], agreed: Agreed) -> Iterator[Check]:
    """Stop time, piece by piece of the tracks, so that nobody stands still in a gap."""
    fixes, (diameter_m, at_least_s) = tracks.fixes, rule
    piece = np.searchsorted(tracks.first, np.arange(len(fixes)), side="right").astype(np.int32)
    metres = plane.metres(fixes.lon, fixes.lat)
    pieces = trajectories_of(replace(fixes, member=piece), metres, plane.epsg)
    stops = stops_of(tracks, diameter_m=diameter_m, at_least_s=at_least_s, rejoin_s=-1.0)
    still = np.flatnonzero(stops.of >= 0)
    first = still[np.unique(stops.of[still], return_index=True)[1]]
    ours = list(zip(piece[first].tolist(), stops.begin, stops.end, strict=True))
    theirs = stays_of(pieces, diameter_m, at_least_s)
    both, own, other = _common_s(ours, theirs), _seconds(ours), _seconds(theirs)
    known_s = sum(float((one.df.index[-1] - one.df.index[0]).total_seconds()) for one in pieces)
    title = f"{name}, stops {diameter_m:g} m, {at_least_s:g} s:"
    yield at_least(f"{title} movingpandas' {other:.0f} s in {len(theirs)} that are ours", 0.95, both / other)
    yield at_least(f"{title} our {own:.0f} s in {len(ours)} that are movingpandas'", 0.7, both / own)
    agreed[diameter_m] += np.array([known_s - (own + other - 2 * both), known_s])
    # Our extent is the greatest of eight directions, at most 2 % below the diameter.
    narrow, wide = (_windows(metres, fixes, piece, limit, at_least_s) for limit in (diameter_m, diameter_m / 0.98))
    yield at_least(
        f"{title} seconds of all {_seconds(narrow):.0f} that are ours", 1.0, _common_s(ours, narrow) / _seconds(narrow)
    )
    yield at_least(f"{title} our seconds that are of any window 2 % wider", 1.0, _common_s(ours, wide) / own)


def _windows(
    metres: Floats, fixes: Fixes, piece: npt.NDArray[np.int32], diameter_m: float, least_s: float
) -> list[Stretch]:
    """The time in windows in which no two places are farther apart and that last long enough, by trying all of them."""
    held = np.zeros(len(fixes), dtype=bool)  # of the leg from each fix to the next
    end = 0
    for begin in range(len(fixes)):
        end = max(end, begin + 1)
        while end < len(fixes) and piece[end] == piece[begin]:
            if np.hypot(*(metres[begin:end] - metres[end]).T).max() > diameter_m:
                break
            end += 1
        if fixes.micros[end - 1] - fixes.micros[begin] >= least_s * 1e6:
            held[begin : end - 1] = True
    legs = np.flatnonzero(held)
    return [(int(piece[k]), fixes.at[k], fixes.at[k + 1]) for k in legs.tolist()]


def _seconds(stretches: Sequence[Stretch]) -> float:
    return float(sum((end - begin) / SECOND for _, begin, end in stretches))


def _common_s(ours: Sequence[Stretch], theirs: Sequence[Stretch]) -> float:
    return float(
        sum(
            max(0.0, (min(end, other_end) - max(begin, other_begin)) / SECOND)
            for piece, begin, end in ours
            for other, other_begin, other_end in theirs
            if piece == other
        )
    )
