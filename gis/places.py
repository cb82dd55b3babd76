"""Places: who visited which must-visit place: by staying there, by a check-in or by a report; "nothing found" counts as much."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
import shapely

from gis.errors import ParameterInvalid
from gis.fixes import MICRO, Floats, Ints, Times, micros_of
from gis.plane import Plane
from gis.tracks import Tracks

#: How a visit is known.
BY: Final = ("dwell", "checkin", "report")

#: At most so many boxes along a side hold the places.
_SIDE: Final = 1024


@dataclass(frozen=True, eq=False)
class PlaceVisits:
    """Visit v: `member[v]` was at place `place[v]` (an index of the caller's) from `begin[v]` to `end[v]`, known `by[v]` (of BY).

    `dwell_s` is the time within reach; 0 for a check-in or a report.
    """

    place: Ints
    member: npt.NDArray[np.int32]
    begin: Times
    end: Times
    dwell_s: Floats
    by: npt.NDArray[np.uint8]

    def __len__(self) -> int:
        return len(self.place)


def stays(
    tracks: Tracks,
    lon: Floats,
    lat: Floats,
    plane: Plane,
    *,
    within_m: float = 30.0,
    minutes: float = 3.0,
    away_s: float = 60.0,
) -> PlaceVisits:
    """Every stay of at least so many minutes within so many metres of a place (WGS 84 `lon`, `lat`).

    Exact on the legs: from where a leg enters the circle to where it leaves it. Being outside for no longer than `away_s` does not
    end a stay, and is no part of its dwell; neither is a gap. Raises ParameterInvalid.
    """
    from gis.placeloops import find_stays

    if not (within_m > 0 and minutes >= 0 and away_s >= 0):
        raise ParameterInvalid("within_m is above 0, minutes and away_s are not below it", place="within_m")
    if not len(lon) or not len(tracks):
        return _none()
    places = plane.metres(lon, lat)
    start, order, columns, corner = _boxes(places, within_m)
    fixes = tracks.fixes
    metres = plane.metres(fixes.lon, fixes.lat)
    measures = np.array([within_m, minutes * 60 * MICRO, away_s * MICRO])
    found = find_stays(
        fixes.member, metres, fixes.micros, tracks.joined, places, start, order, columns, corner, measures
    )
    found = found[np.lexsort((found[:, 0], found[:, 1], found[:, 2]))]
    times = np.ascontiguousarray(found[:, 2:4].T).view("datetime64[us]")
    by = np.zeros(len(found), np.uint8)
    return PlaceVisits(found[:, 0].copy(), found[:, 1].astype(np.int32), times[0], times[1], found[:, 4] / MICRO, by)


def _boxes(places: Floats, within_m: float) -> tuple[Ints, Ints, int, Floats]:
    """(start, order, columns, corner): the places sorted into square boxes not smaller than the reach."""
    west, south = places.min(axis=0)
    side = max(within_m, float(np.ptp(places, axis=0).max()) / _SIDE) + 1e-6
    column, row = ((places - [west, south]) / side).astype(np.int64).T
    columns = int(column.max()) + 1
    box = row * columns + column
    order = np.argsort(box, kind="stable")
    start = np.searchsorted(box[order], np.arange(columns * (int(row.max()) + 1) + 1)).astype(np.int64)
    return start, order, columns, np.array([west, south, side])


def noted(
    by: str, member: npt.NDArray[np.int32], at: Times, lon: Floats, lat: Floats,
    place_lon: Floats, place_lat: Floats, plane: Plane, *, within_m: float = 30.0,
) -> PlaceVisits:  # fmt: skip
    """The visits that check-ins or reports (`by`) prove: of the nearest place within reach; of all of them where several are as near.

    Households of one building share its coordinates, so each of them is visited; a shop next door is not.
    """
    if not len(place_lon) or not len(lon):
        return _none()
    tree = shapely.STRtree(shapely.points(plane.metres(place_lon, place_lat)))
    told = shapely.points(plane.metres(lon, lat))
    row, place = tree.query_nearest(told, max_distance=within_m, all_matches=True)
    order = np.lexsort((place, row))
    return told_of(by, place[order].astype(np.int64), member[row[order]], at[row[order]])


def told_of(by: str, place: Ints, member: npt.NDArray[np.int32], at: Times) -> PlaceVisits:
    """The visits that check-ins or reports prove which name their place."""
    when = at.astype("datetime64[us]")
    return PlaceVisits(place, member, when, when, np.zeros(len(place)), np.full(len(place), BY.index(by), np.uint8))


def _none() -> PlaceVisits:
    nobody = np.empty(0, np.int64)
    return told_of("dwell", nobody, nobody.astype(np.int32), nobody.view("datetime64[us]"))


def all_visits(parts: Sequence[PlaceVisits]) -> PlaceVisits:
    """The visits of several kinds in one, by time, place and member."""
    if not parts:
        return _none()
    names = ("place", "member", "begin", "end", "dwell_s", "by")
    columns = [np.concatenate([getattr(part, name) for part in parts]) for name in names]
    order = np.lexsort((columns[5], columns[1], columns[0], columns[2]))
    return PlaceVisits(*(column[order] for column in columns))


def visited(visits: PlaceVisits, count: int, begin: np.datetime64, end: np.datetime64) -> npt.NDArray[np.bool_]:
    """Of each of so many places whether a visit to it reaches into [begin, end)."""
    since, until = micros_of(begin), micros_of(end)
    inside = (visits.begin.view(np.int64) < until) & (visits.end.view(np.int64) >= since)
    found = np.zeros(count, dtype=bool)
    found[visits.place[inside]] = True
    return found


def latest(place: Ints, at: Times, count: int, as_of: np.datetime64) -> Times:
    """The newest of these instants before `as_of`, per place; NaT: never. Any order, any repetition."""
    micros = at.astype("datetime64[us]").view(np.int64)
    known = (micros < micros_of(as_of)) & ~np.isnat(at)
    found = np.full(count, np.iinfo(np.int64).min)  # what NaT is
    np.maximum.at(found, place[known], micros[known])
    return found.view("datetime64[us]")
