"""Datum alarm: whether coordinates would make clearly more sense in another datum than the declared one.

A declared datum decides, and nothing here changes a coordinate: people are told, with figures. Places are read in turn as
wgs84, gcj02 and bd09 (cgcs2000 is wgs84 here) and compared with the declared reading, place by place:

    streets   of the places that lie within the streets' hull under both readings, how many come nearer to a street under the other one
    area      of the places that lie inside the served area under one reading only, how many do so under the other one

Each is a sign test against a fair coin, exact, one-sided. It raises the alarm when all of this holds:
    at least 30 places decide (MIN_DECIDING) and p < 0.001 (MAX_P);
    streets: the median distance under the declared reading is at least 1.5 times that under the other one (CLEARLY_FARTHER);
    area: at least 90 % of all places lie inside under the other reading (MOSTLY_INSIDE), and of those that change side at least
    three come in for one that goes out (CLEARLY_MORE). A table of a whole city says little about one district of it: its places
    change side both ways, however dense it is on one side of the border.
Where the streets speak for the declared reading (p < 0.001), the area does not overrule them.

Places are not independent when many reports name one spot, so one place of a cell of 0.001 degree counts, the first (`Places`).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import shapely

from gis.crs import metres_per_degree, to_storage
from gis.datum import BD09, CGCS2000, GCJ02, WGS84, Datum

MIN_DECIDING: Final = 30
MAX_P: Final = 1e-3
CLEARLY_FARTHER: Final = 1.5
CLEARLY_MORE: Final = 3.0
MOSTLY_INSIDE: Final = 0.9

#: One place of a cell of this many degrees counts (about 100 m), and at most so many places.
CELL: Final = 0.001
MOST_PLACES: Final = 20_000

Floats = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]
#: Whether each WGS 84 place lies in the served area; NaN lies nowhere.
Covers = Callable[[Floats, Floats], Mask]


@dataclass
class Places:
    """Places in one declared datum as they came in, thinned as they come: memory stays flat."""

    x: list[float] = field(default_factory=list)
    y: list[float] = field(default_factory=list)
    seen: int = 0
    _cells: set[tuple[int, int]] = field(default_factory=set)

    def add(self, x: Floats, y: Floats) -> None:
        """The places count, unless their cell is taken or there are enough; what is not finite does not."""
        finite = np.isfinite(x) & np.isfinite(y)
        self.seen += int(finite.sum())
        if len(self.x) >= MOST_PLACES:
            return
        x, y = x[finite], y[finite]
        cells = np.floor(np.column_stack([x, y]) / CELL).astype(np.int64)
        first = np.sort(np.unique(cells, axis=0, return_index=True)[1]) if len(cells) else np.empty(0, dtype=np.int64)
        for i, cell in zip(first.tolist(), map(tuple, cells[first].tolist()), strict=True):
            if cell not in self._cells and len(self.x) < MOST_PLACES:
                self._cells.add(cell)
                self.x.append(float(x[i]))
                self.y.append(float(y[i]))


class Streets:
    """Street lines (WGS 84) to measure distances to, and the hull within which they are known."""

    def __init__(self, lines: npt.NDArray[np.object_]) -> None:
        parts = shapely.get_parts(shapely.force_2d(lines))
        parts = parts[shapely.get_type_id(parts) == 1]
        self.hull = shapely.convex_hull(shapely.geometrycollections(parts))
        shapely.prepare(self.hull)
        middle = np.array([self.hull.centroid.y if len(parts) else 0.0])
        east, north = metres_per_degree(middle)
        self._scale = np.array([east[0], north[0]])
        self._tree = shapely.STRtree(shapely.transform(parts, lambda xy: xy * self._scale))

    def __len__(self) -> int:
        return len(self._tree.geometries)

    def distance_m(self, lon: Floats, lat: Floats) -> Floats:
        """Metres to the nearest street; NaN outside the hull, where nobody knows the streets."""
        out = np.full(len(lon), np.nan)
        known = np.flatnonzero(shapely.intersects_xy(self.hull, lon, lat))
        if len(known) and len(self):
            points = shapely.points(np.column_stack([lon[known], lat[known]]) * self._scale)
            (at, _), metres = self._tree.query_nearest(points, return_distance=True, all_matches=False)
            out[known[at]] = metres
        return out


@dataclass(frozen=True)
class Reading:
    """What the places look like in one datum: the share inside the served area, the median distance to a street (None: not known)."""

    datum: str
    share_inside: float | None
    street_m: float | None


@dataclass(frozen=True)
class Evidence:
    """One comparison of another reading with the declared one, place by place: how many speak `for_other`, how many `against`.

    `declared` and `other` are the shares inside (kind `area`) or the median metres to a street (kind `streets`), the latter of
    the places that decide. `p_value`: how often a fair coin would do so, or more.
    """

    kind: str
    datum: str
    for_other: int
    against: int
    p_value: float
    declared: float
    other: float
    clear: bool


@dataclass(frozen=True)
class DatumReport:
    """What the places say of their datum. `suspected` is None when all is quiet; `silent` then says why nothing could be said.

    `silent`: `projected` (metres: no other datum to try), `too-few` (under 30 places), `no-ground` (neither grids nor streets).
    """

    declared: str
    places: int
    readings: tuple[Reading, ...] = ()
    evidence: tuple[Evidence, ...] = ()
    suspected: str | None = None
    silent: str | None = None

    @property
    def alarm(self) -> bool:
        """Whether somebody should look at the declared datum."""
        return self.suspected is not None

    @property
    def grounds(self) -> tuple[Evidence, ...]:
        """The comparisons that raised the alarm."""
        return tuple(one for one in self.evidence if one.clear and one.datum == self.suspected)

    def as_json(self) -> dict[str, Any]:
        """The report as JSON values."""
        return {
            "declared": self.declared,
            "suspected": self.suspected,
            "places": self.places,
            "silent": self.silent,
            "readings": [vars(one) for one in self.readings],
            "evidence": [vars(one) for one in self.evidence],
        }


def examine(
    places: Places, declared: Datum, *, covers: Covers | None = None, streets: Streets | None = None
) -> DatumReport:
    """Whether places declared in a datum make clearly more sense in another; see the rule above. Deterministic."""
    if streets is not None and not len(streets):
        streets = None
    if declared.projected or declared not in {WGS84, CGCS2000, GCJ02, BD09}:
        return DatumReport(declared.name, len(places.x), silent="projected")
    if covers is None and streets is None:
        return DatumReport(declared.name, len(places.x), silent="no-ground")
    if len(places.x) < MIN_DECIDING:
        return DatumReport(declared.name, len(places.x), silent="too-few")
    own = _read(places, declared, covers, streets)
    others = [_read(places, one, covers, streets) for one in (WGS84, GCJ02, BD09) if _differs(one, declared)]
    evidence = [found for other in others for found in _compared(own, other)]
    return DatumReport(
        declared.name,
        len(places.x),
        tuple(one.reading() for one in (own, *others)),
        tuple(evidence),
        _suspect(evidence, {one.datum: one.reading() for one in others}),
    )


def _differs(one: Datum, other: Datum) -> bool:
    return one != other and {one, other} != {WGS84, CGCS2000}


@dataclass(frozen=True)
class _Read:
    """The places in one datum: whether inside the served area, how far from a street."""

    datum: str
    inside: Mask | None
    street_m: Floats | None

    def reading(self) -> Reading:
        share = None if self.inside is None else float(self.inside.mean())
        known = np.empty(0) if self.street_m is None else self.street_m[np.isfinite(self.street_m)]
        return Reading(self.datum, share, float(np.median(known)) if len(known) else None)


def _read(places: Places, datum: Datum, covers: Covers | None, streets: Streets | None) -> _Read:
    lon, lat = to_storage(places.x, places.y, datum)
    return _Read(
        datum.name,
        None if covers is None else covers(lon, lat),
        None if streets is None else streets.distance_m(lon, lat),
    )


def _compared(own: _Read, other: _Read) -> list[Evidence]:
    found = []
    if own.street_m is not None and other.street_m is not None:
        found.append(_by_streets(other.datum, own.street_m, other.street_m))
    if own.inside is not None and other.inside is not None:
        found.append(_by_area(other.datum, own.inside, other.inside))
    if found and found[0].kind == "streets" and sign_test(found[0].against, found[0].for_other) < MAX_P:
        return [found[0], *(_unclear(one) for one in found[1:])]
    return found


def _unclear(one: Evidence) -> Evidence:
    return Evidence(**(vars(one) | {"clear": False}))


def _by_streets(datum: str, own: Floats, other: Floats) -> Evidence:
    both = np.isfinite(own) & np.isfinite(other) & (own != other)
    own, other = own[both], other[both]
    nearer = int((other < own).sum())
    farther = len(own) - nearer
    medians = (float(np.median(own)), float(np.median(other))) if len(own) else (math.nan, math.nan)
    p_value = sign_test(nearer, farther)
    clear = len(own) >= MIN_DECIDING and p_value < MAX_P and medians[0] >= CLEARLY_FARTHER * medians[1]
    return Evidence("streets", datum, nearer, farther, p_value, *medians, clear)


def _by_area(datum: str, own: Mask, other: Mask) -> Evidence:
    entering, leaving = int((other & ~own).sum()), int((own & ~other).sum())
    p_value = sign_test(entering, leaving)
    clear = (
        entering + leaving >= MIN_DECIDING
        and p_value < MAX_P
        and entering >= CLEARLY_MORE * leaving
        and float(other.mean()) >= MOSTLY_INSIDE
    )
    return Evidence("area", datum, entering, leaving, p_value, float(own.mean()), float(other.mean()), clear)


def _suspect(evidence: list[Evidence], readings: dict[str, Reading]) -> str | None:
    """The datum that raised the alarm; of several the one nearest to the streets, then the one with most places inside."""
    raised = {one.datum for one in evidence if one.clear}

    def rank(name: str) -> tuple[float, float]:
        reading = readings[name]
        return (math.inf if reading.street_m is None else reading.street_m, -(reading.share_inside or 0.0))

    return min(sorted(raised), key=rank, default=None)


def sign_test(successes: int, failures: int) -> float:
    """How often a fair coin thrown so many times shows at least so many successes: the exact upper binomial tail.

    The first term by log gamma, the others by their ratio; below 1e-300 it is 0.
    """
    n = successes + failures
    if successes <= 0:
        return 1.0
    term = math.exp(math.lgamma(n + 1) - math.lgamma(successes + 1) - math.lgamma(failures + 1) - n * math.log(2.0))
    total = 0.0
    for k in range(successes, n + 1):
        total += term
        term *= (n - k) / (k + 1)
    return min(1.0, total)


_SILENT: Final = {
    "projected": "the coordinates are metres, there is no other datum to try",
    "too-few": f"fewer than {MIN_DECIDING} places apart from each other, nothing can be said",
    "no-ground": "neither grids nor streets to compare with",
}


def told(report: DatumReport) -> list[str]:
    """The report in plain sentences: an alarm with its figures, or one line why it is quiet."""
    if report.silent is not None:
        return [f"datum {report.declared}: {_SILENT[report.silent]}"]
    if report.suspected is None:
        return [f"datum {report.declared}: no other datum fits {report.places:,} places better"]
    first = f"datum alarm: {report.places:,} places declared {report.declared} look like {report.suspected}"
    return [first, *(_sentence(one, report.declared) for one in report.grounds)]


def _sentence(one: Evidence, declared: str) -> str:
    decided = one.for_other + one.against
    p_value = f"p {one.p_value:.1g}" if one.p_value > 0.0 else "p below 1e-300"
    if one.kind == "streets":
        return (
            f"  streets: read as {one.datum} half of {decided:,} places lie within {one.other:.1f} m of a street, "
            f"as {declared} within {one.declared:.1f} m; {one.for_other:,} come nearer, {one.against:,} do not ({p_value})"
        )
    return (
        f"  area: read as {one.datum} {one.other:.1%} lie inside the grids, as {declared} {one.declared:.1%}; "
        f"{one.for_other:,} come in, {one.against:,} go out ({p_value})"
    )
