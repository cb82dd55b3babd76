"""StreetNumbers: where the numbers of one street stand, and where a number must be that nobody has recorded.

A street's name may stand for several streets (人民路 of three towns); their numbers then fall into clumps far apart, and an
answer is given for each clump.
"""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cache
from statistics import median

from gis.crs import metres_per_degree

#: Places of one number that lie within so many metres of the next one are the same place.
SAME_M = 250.0
#: Neighbouring numbers belong to one street when they are no farther apart than this, plus so much for each number between.
APART_M, APART_PER_NUMBER_M = 120.0, 8.0
#: A number is looked for between recorded ones at most so far from it.
REACH = 200
#: Recorded numbers on each side that are looked at.
SIDE = 6
#: The doubt of a recorded number, of one in between and of one beyond; metres, and per number of distance.
EXACT_M, BETWEEN_M, BEYOND_M, BEYOND_PER_NUMBER_M = 25.0, 35.0, 45.0, 3.0


@dataclass(frozen=True, slots=True)
class Numbered:
    """One recorded number: where, in which admin names, as which house of its lane, and the entry that says so."""

    number: int
    lon: float
    lat: float
    admin: tuple[str, ...]
    sub: int | None
    entry: int


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a number stands: place, 68 % radius, how good the evidence is (0..1), what kind it is, and who says so."""

    lon: float
    lat: float
    radius_m: float
    score: float
    how: str
    witnesses: tuple[Numbered, ...]


@dataclass
class StreetNumbers:
    """The recorded numbers of one name, in order once `settle` was called."""

    found: list[Numbered] = field(default_factory=list)
    _numbers: list[int] = field(default_factory=list)

    def settle(self) -> None:
        """Numbers can be asked for afterwards."""
        self.found.sort(key=lambda one: (one.number, one.entry))
        self._numbers = [one.number for one in self.found]

    def standing(self, number: int, sub: int | None = None) -> list[Standing]:
        """Where the number stands, one answer for each clump of evidence, the best first; empty when nothing is near it."""
        exact = self.found[bisect_left(self._numbers, number) : bisect_right(self._numbers, number)]
        if exact:
            same_house = [one for one in exact if sub is not None and one.sub == sub]
            groups = clumps(same_house or exact, SAME_M)
            return [_recorded(clump, len(clump) / len(groups[0])) for clump in groups]
        below, above = self._neighbours(number)
        found = [_derived(clump, number) for clump in clumps([*below, *above], APART_M, APART_PER_NUMBER_M)]
        return sorted((one for one in found if one is not None), key=lambda one: -one.score)

    def _neighbours(self, number: int) -> tuple[list[Numbered], list[Numbered]]:
        at = bisect_left(self._numbers, number)
        below = [one for one in self.found[max(at - SIDE, 0) : at] if number - one.number <= REACH]
        above = [one for one in self.found[at : at + SIDE] if one.number - number <= REACH]
        return below, above

    def whole(self) -> list[Standing]:
        """Where the name is at all: one vague answer for each clump of its numbers."""
        few = self.found[:: len(self.found) // 60 + 1]
        return [_spread(clump) for clump in clumps(few, 700.0)]


def metres_between(a: tuple[float, float], b: tuple[float, float]) -> float:
    """Metres between two places (lon, lat) less than a few kilometres apart."""
    east, north = scale_at(a[1])
    return math.hypot((a[0] - b[0]) * east, (a[1] - b[1]) * north)


def scale_at(lat: float) -> tuple[float, float]:
    """Metres per degree of longitude and latitude, to a tenth of a degree of latitude."""
    return _scale(round(lat * 10))


@cache
def _scale(tenths: int) -> tuple[float, float]:
    east, north = metres_per_degree(tenths / 10)
    return float(east), float(north)


def clumps(found: Sequence[Numbered], within_m: float, per_number_m: float = 0.0) -> list[list[Numbered]]:
    """The places in groups: two are in one group when a chain of places leads from one to the other, each step `within_m` at most.

    A step may be `per_number_m` longer for each number between the two. The largest group first.
    """
    groups: list[list[Numbered]] = []
    for one in found[:80]:
        near = [g for g in groups if any(_beside(one, other, within_m, per_number_m) for other in g)]
        joined = [one, *(member for g in near for member in g)]
        groups = [*(g for g in groups if all(g is not n for n in near)), joined]
    return sorted(groups, key=len, reverse=True)


def _beside(a: Numbered, b: Numbered, within_m: float, per_number_m: float) -> bool:
    reach = within_m + per_number_m * abs(a.number - b.number)
    return metres_between((a.lon, a.lat), (b.lon, b.lat)) <= reach


def _middle(places: Iterable[Numbered]) -> tuple[float, float, float]:
    """The median place and the distance from it that 68 % of the places keep."""
    held = list(places)
    lon, lat = median(one.lon for one in held), median(one.lat for one in held)
    away = sorted(metres_between((lon, lat), (one.lon, one.lat)) for one in held)
    return lon, lat, away[min(int(0.68 * len(away)), len(away) - 1)]


def _recorded(clump: list[Numbered], share: float) -> Standing:
    """A clump with fewer witnesses than another is worth less: one of many who put a number elsewhere is mistaken."""
    lon, lat, away = _middle(clump)
    return Standing(lon, lat, max(EXACT_M, away), 0.75 + 0.25 * share, "number", tuple(clump))


def _spread(clump: list[Numbered]) -> Standing:
    lon, lat, away = _middle(clump)
    return Standing(lon, lat, max(BEYOND_M, 1.2 * away), 0.8, "along", tuple(clump))


def _derived(clump: list[Numbered], number: int) -> Standing | None:
    """The place of a number among its neighbours: on the line between the two nearest, or beside the one nearest."""
    below = [one for one in clump if one.number < number]
    above = [one for one in clump if one.number > number]
    if below and above:
        return _between(_nearest(below, number), _nearest(above, number), number, clump)
    one = _nearest(clump, number)
    gap = abs(one.number - number)
    score = 0.9 - gap / 200.0
    return Standing(one.lon, one.lat, BEYOND_M + BEYOND_PER_NUMBER_M * gap, max(score, 0.3), "beyond", tuple(clump))


def _nearest(places: Sequence[Numbered], number: int) -> Numbered:
    """The nearest by number; one across the street (other parity) only when it is clearly nearer."""
    return min(places, key=lambda one: abs(one.number - number) + (8 if (one.number - number) % 2 else 0))


def _between(a: Numbered, b: Numbered, number: int, clump: list[Numbered]) -> Standing:
    share = (number - a.number) / (b.number - a.number)
    apart = metres_between((a.lon, a.lat), (b.lon, b.lat))
    lon, lat = a.lon + share * (b.lon - a.lon), a.lat + share * (b.lat - a.lat)
    doubt = max(BETWEEN_M, 0.5 * min(share, 1 - share) * apart + 0.1 * apart)
    score = 0.95 - min((b.number - a.number) / 2000.0, 0.2)
    return Standing(lon, lat, doubt, score, "between", tuple(clump))
