"""Toronto's snow ploughs as visits to streets: 6,392 segments with the city's own time of last pass, in five partial snapshots.

Two clocks stand in the file: `completetime` (the pass, UTC) and `receivedtime` (the city's computer, local). The shift between them is
found in the data: `status` is the city's class of recency, 1 below 4 hours, 2 below 12, 3 below 24; under one whole number of
hours every row of a snapshot has the age of its class. A snapshot's instant is its `receivedtime` on the clock of passes. (The second
snapshot has no row of class 1, so its newest pass is four hours old: that is why its clocks seem to be one hour apart.)
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow.parquet as pq
import shapely

from gis.cellframe import frame_of
from gis.coverage import revisits
from gis.fixes import Fixes, clean, fixes_of
from gis.partition import Geometries
from gis.places import latest
from gis.shares import Shares
from gis.streetsamples import street_samples
from gis.sweep import Sweep
from gis.tracks import tracks_of
from tests.acceptance.check import Check, at_least, equal

Ints = npt.NDArray[np.int64]
Times = npt.NDArray[np.datetime64]

#: Hours by which passes run ahead of their receipt, in every snapshot: Toronto's winter time.
SHIFT = 5
#: The ages in hours from which a street is of the next class.
CLASSES = (0.0, 4.0, 12.0, 24.0)
HOUR = np.timedelta64(1, "h")
#: A plough drives through its segment at so many metres a second, and ends at its time.
SPEED_MPS = 6.0


@dataclass(frozen=True, eq=False)
class Passes:
    """Row i of the file: segment `street[i]`, passed `at[i]`, of class `status[i]`, told in snapshot `told[i]`.

    Snapshot k was `received[k]`, which is `instant[k]` on the clock of passes; `fits[k, h]` of its rows have the age of their class
    when that is h hours later.
    """

    street: Ints
    at: Times
    status: Ints
    told: Ints
    shapes: Geometries
    received: Times
    fits: Ints

    @property
    def instant(self) -> Times:
        """When the snapshots were."""
        found: Times = self.received + self.fits.argmax(axis=1) * HOUR
        return found

    @property
    def streets(self) -> int:
        """How many segments there are in all."""
        return int(self.street.max()) + 1


def run(shared: Path, work: Path) -> Iterator[Check]:
    """The shifts, then every snapshot by visits in shuffled order, then by walks through the sweep."""
    passes = _read(shared / "toronto_plow" / "plow_segments.parquet")
    yield from _shifts(passes)
    for k in range(len(passes.instant)):
        yield from _by_visits(passes, k)
    yield from _by_walks(passes)


def _read(path: Path) -> Passes:
    table = pq.read_table(path)
    street = np.unique(table["unqueid"].to_numpy(), return_inverse=True)[1].astype(np.int64)
    at, received, snapshot = (
        table[name].to_numpy().astype("datetime64[us]") for name in ("completetime", "receivedtime", "snapshot")
    )
    told = np.unique(snapshot, return_inverse=True)[1]
    status = table["status"].to_numpy().astype(np.int64)
    newest = np.array([received[told == k].max() for k in range(int(told.max()) + 1)])
    fits = [
        [int(_of_class(newest[k] + h * HOUR - at, status)[told == k].sum()) for h in range(13)]
        for k in range(len(newest))
    ]
    shapes = np.asarray(shapely.from_wkb(table["geometry"].to_numpy(zero_copy_only=False)), dtype=object)
    return Passes(street, at, status, told, shapes, newest, np.array(fits))


def _of_class(age: npt.NDArray[np.timedelta64], status: Ints) -> npt.NDArray[np.bool_]:
    """Whether each age is one of its class."""
    found: npt.NDArray[np.bool_] = np.digitize(age / HOUR, CLASSES) == status
    return found


def _shifts(passes: Passes) -> Iterator[Check]:
    yield equal("Toronto: segments", 6392, passes.streets)
    for k, fits in enumerate(passes.fits.tolist()):
        rows, name = int((passes.told == k).sum()), f"snapshot {k + 1}, received {str(passes.received[k])[:19]}"
        yield equal(f"{name}: passes run ahead by (found by the classes)", f"{SHIFT} h", f"{fits.index(max(fits))} h")
        yield equal(f"{name}: rows whose age fits their class", rows, max(fits))
        yield equal(f"{name}: shifts of 0 to 12 hours under which every row fits", 1, fits.count(rows))
    first, second = (dict(_pairs(passes, k)) for k in (0, 1))
    both = set(first) & set(second)
    # The same passes told twice: there is one clock of passes.
    yield equal("passes told alike by the first two snapshots", len(both), sum(first[s] == second[s] for s in both))


def _pairs(passes: Passes, snapshot: int) -> Iterator[tuple[int, int]]:
    rows = passes.told == snapshot
    return zip(passes.street[rows].tolist(), passes.at[rows].view(np.int64).tolist(), strict=True)


def _by_visits(passes: Passes, k: int) -> Iterator[Check]:
    """What was told by snapshot k, shuffled, a third of it twice; beside the newest time by hand, and the city's own."""
    name, as_of = f"as of {str(passes.instant[k])[:19]}", passes.instant[k]
    known = np.flatnonzero(passes.told <= k)
    rng = np.random.default_rng(k)
    sent = rng.permutation(np.concatenate([known, known[: len(known) // 3]]))
    found = latest(passes.street[sent], passes.at[sent], passes.streets, as_of)
    newest: dict[int, int] = {}
    for earlier in range(k + 1):
        for street, at in _pairs(passes, earlier):
            newest[street] = max(at, newest.get(street, at))
    right = sum(int(found[street].astype(np.int64)) == at for street, at in newest.items())
    yield equal(f"{name}: streets whose recency is the newest pass known by then", len(newest), right)
    official = list(_pairs(passes, k))
    same = sum(int(found[street].astype(np.int64)) == at for street, at in official)
    yield equal(f"{name}: streets of the snapshot with the city's own time", len(official), same)
    rows = np.flatnonzero(passes.told == k)
    fits = _of_class(as_of - found[passes.street[rows]], passes.status[rows])
    yield equal(f"{name}: streets of the snapshot in the city's own class of recency", len(rows), int(fits.sum()))
    unseen = np.isnat(found)
    yield equal(f"{name}: streets nobody was seen in", passes.streets - len(newest), int(unseen.sum()))
    keys = tuple(map(str, range(passes.streets)))
    silence = Shares("tracked", "s", keys, np.zeros(len(keys)), np.zeros(len(keys)))
    counts = revisits(keys, np.arange(len(keys)), found, silence, as_of=as_of, revisit_days=1.0).counts
    recent = sum(at >= int((as_of - 24 * HOUR).astype(np.int64)) for at in newest.values())
    states = "/".join(str(counts[state]) for state in ("visited", "missed", "unknown"))
    yield equal(f"{name}: visited/missed/unknown, within a day", f"{recent}/0/{passes.streets - recent}", states)
    # All that was ever told, with what came later, asked as of then: some passes of before were told late; none of after counts.
    every = rng.permutation(len(passes.at))
    whole = latest(passes.street[every], passes.at[every], passes.streets, as_of)
    late = int((~np.isnat(whole) & (np.isnat(found) | (whole > found))).sum())
    later = int((whole[~np.isnat(whole)] >= as_of).sum()) + int((whole[~unseen] < found[~unseen]).sum())
    yield equal(f"{name}: of all five snapshots ({late} streets told late): later than then", 0, later)


def _by_walks(passes: Passes) -> Iterator[Check]:
    """Every pass is a drive through its segment that ends at its time; recency of street pieces is read from the sweep."""
    bounds = tuple(shapely.total_bounds(passes.shapes).tolist())
    frame = frame_of((bounds[0], bounds[1], bounds[2], bounds[3]))
    one_of = np.unique(passes.street, return_index=True)[1]
    pieces = street_samples(passes.shapes[one_of], frame)
    begins = np.searchsorted(pieces.street, np.arange(passes.streets + 1))
    middle = (begins[:-1] + begins[1:]) // 2
    for k in (1, 4):
        as_of, known = passes.instant[k], np.flatnonzero(passes.told <= k)
        tracks = tracks_of(clean(_drives(passes, np.random.default_rng(k).permutation(known)), now=as_of).fixes)
        made = Sweep(frame, 15.0, origin=np.datetime64("2022-02-01", "us"))
        made.add(tracks)
        last = pieces.last_seen(made.last_seen(as_of, tracks))[middle]
        told = latest(passes.street[known], passes.at[known], passes.streets, as_of)
        seen = ~np.isnat(told)
        seconds = last[seen] - told[seen].view(np.int64) / 1e6
        name = f"by walks, as of {str(as_of)[:19]}"
        yield equal(f"{name}: streets later than then", 0, int((last > as_of.astype(np.int64) / 1e6).sum()))
        near = float((np.abs(seconds) <= 120.0).mean())
        # Others are seen from a crossing or from the other carriageway, later; none may be seen earlier than its own pass.
        yield at_least(f"{name}: streets within two minutes of the newest pass", 0.95, near)
        drive = np.bincount(pieces.street, weights=pieces.length_m, minlength=passes.streets)[seen] / SPEED_MPS
        yield equal(f"{name}: streets seen before their newest pass", 0, int((seconds < -drive - 2.0).sum()))


def _drives(passes: Passes, rows: Ints) -> Fixes:
    """A fix at every vertex of the segments of these rows; the last at the row's time. Every row is a member of its own."""
    points, of = shapely.get_coordinates(passes.shapes[rows], return_index=True)
    step = np.zeros(len(points))
    step[1:] = np.hypot((points[1:, 0] - points[:-1, 0]) * 80_500, (points[1:, 1] - points[:-1, 1]) * 111_100)
    step[np.append(True, of[1:] != of[:-1])] = 0.0
    along = np.cumsum(step)
    end = np.append(np.flatnonzero(of[1:] != of[:-1]), len(of) - 1)
    before = np.maximum((along[end][of] - along) / SPEED_MPS, 0.0)
    at = passes.at[rows][of] - np.rint(before * 1e6).astype("timedelta64[us]")
    return fixes_of(rows[of], at, points[:, 0], points[:, 1])
