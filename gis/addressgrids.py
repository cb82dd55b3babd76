"""Address to grids: a candidate's doubt spread over the grids, since a place told in words is never a point."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cache

import numpy as np
import numpy.typing as npt
import shapely

from gis.addressanswer import AddressAnswer, AddressCandidate
from gis.assignment import METHODS, Assignment, Candidate
from gis.doubt import AMBIGUOUS
from gis.locate import GridIndex
from gis.streetnumbers import scale_at

Floats = npt.NDArray[np.float64]

#: The index that answers for a reading: rules of jurisdiction may put another layer first there.
IndexOf = Callable[[AddressCandidate], GridIndex]

#: Places that stand for a candidate, each for the same share of its probability.
PLACES = 128
#: sigma = radius of 68 % / this, per axis (contract.md).
RADIUS_68 = 1.5096
#: A place known to so many metres is a place, as one that a phone reports; what is vaguer is a neighbourhood.
PRECISE_M = 75.0
#: A grid with less than this is no candidate.
LEAST = 0.02
#: Runners-up with this probability hear of a report whose grid is ambiguous.
TOLD = 0.1
#: The method that an address gives.
ADDRESS = METHODS[4]


@dataclass(frozen=True)
class AddressPlace:
    """Whose an address is: the assignment, the place that it was taken for, and what it may have meant."""

    assignment: Assignment
    lon: float | None
    lat: float | None
    radius_m: float | None
    answer: AddressAnswer

    @property
    def lon_lat(self) -> tuple[float, float] | None:
        """The place that the address was taken for; None without one."""
        return None if self.lon is None or self.lat is None else (self.lon, self.lat)

    def suggestions(self) -> list[dict[str, object]]:
        """The candidates of the address for the queue, the best first."""
        return [one.as_json() for one in self.answer.candidates]


def address_place(
    index: GridIndex,
    answer: AddressAnswer,
    *,
    sure_from: float = 0.8,
    score_from: float = 0.75,
    tell: float = TOLD,
    policy: str = "auto",
    index_of: IndexOf | None = None,
) -> AddressPlace:
    """Whose the address is: the likeliest grid where the place is sure or the grid is, else nobody and why.

    The readings that the words do not tell apart share the probability by their scores; each spreads over the grids by its 68 %
    radius (or its line or area). One precise place, as a crossing on a border, goes to the likeliest grid, `ambiguous` below
    `sure_from`; several places, or a vague one, only to a grid with that probability. The best must score `score_from`. What becomes
    of an ambiguous one is the policy's: `auto` the others of at least `tell` are told, `joint` they own it too, `ask` it is left to a
    person, reason "ambiguous". `index_of` names the index for each reading, with the same grids as `index`.
    """
    asked = index_of or (lambda _: index)
    nowhere = index.one(math.nan, math.nan)
    if not answer.candidates or not len(index):
        reason = answer.reason if len(index) else "no-boundaries"
        return AddressPlace(replace(nowhere, reason=reason), None, None, None, answer)
    best = answer.candidates[0]
    shares = grid_shares(asked, answer.rivals())
    listed = tuple(
        Candidate(grid, _layer_of(index, grid), round(p, 4), 0.0)
        for grid, p in sorted(shares.items(), key=lambda one: (-one[1], one[0]))
        if p >= LEAST
    )
    ambiguous = bool(listed) and (listed[0].probability or 0.0) < sure_from
    if not listed or best.score < score_from or (ambiguous and not (answer.sure and best.radius_m <= PRECISE_M)):
        return _open(nowhere, answer, _why(answer, listed), listed, ambiguous)
    if ambiguous and policy == "ask":
        return _open(nowhere, answer, AMBIGUOUS, listed, ambiguous)
    found, chosen = _assigned(asked, answer.rivals(), listed)
    others = tuple(c.grid for c in listed[1:] if (c.probability or 0.0) >= tell) if ambiguous else ()
    owners, told = ((*found.owners, *others), ()) if policy == "joint" else (found.owners, others)
    return AddressPlace(
        replace(found, ambiguous=ambiguous, owners=owners, told=told), chosen.lon, chosen.lat, chosen.radius_m, answer
    )


def _open(
    nowhere: Assignment, answer: AddressAnswer, reason: str, listed: tuple[Candidate, ...], ambiguous: bool
) -> AddressPlace:
    """Nobody's: a person has to say, and sees who may be meant."""
    found = replace(nowhere, reason=reason, candidates=listed, ambiguous=ambiguous)
    return AddressPlace(found, None, None, None, answer)


def grid_shares(index_of: IndexOf, readings: Sequence[AddressCandidate]) -> dict[str, float]:
    """Grid -> probability, over readings that share it by their scores; what falls outside all grids is missing from the sum."""
    shares: dict[str, float] = defaultdict(float)
    whole = sum(one.score for one in readings)
    for one in readings:
        lon, lat = places_of(one)
        located = index_of(one).locate(lon, lat, distance=False)
        for i in located.winner[located.winner >= 0].tolist():
            shares[located.codes[i]] += one.score / whole / len(lon)
    return dict(shares)


def places_of(one: AddressCandidate) -> tuple[Floats, Floats]:
    """PLACES places (lon, lat) that stand for a candidate: along its line, within its area, or by a Gaussian round its point."""
    if one.geometry is not None and one.geometry.geom_type.endswith("LineString"):
        at = shapely.line_interpolate_point(_joined(one.geometry), (np.arange(PLACES) + 0.5) / PLACES, normalized=True)
        held = shapely.get_coordinates(at)
    elif one.geometry is not None and one.geometry.geom_type.endswith("Polygon"):
        held = _within(one.geometry)
    else:
        east, north = scale_at(one.lat)
        held = (one.lon, one.lat) + _pattern() * (one.radius_m / RADIUS_68) / np.array([east, north])
    return held[:, 0].copy(), held[:, 1].copy()


@cache
def _pattern() -> Floats:
    """PLACES of a standard Gaussian in two dimensions, each for the same probability: a sunflower by Rayleigh's quantiles."""
    rank = (np.arange(PLACES) + 0.5) / PLACES
    angle = np.arange(PLACES) * math.pi * (3.0 - math.sqrt(5.0))
    distance = np.sqrt(-2.0 * np.log1p(-rank))
    return np.column_stack([distance * np.cos(angle), distance * np.sin(angle)])


def _joined(line: shapely.Geometry) -> shapely.Geometry:
    """One line through all parts, so that lengths along it can be told; jumps between parts are short."""
    merged = shapely.line_merge(line)
    if merged.geom_type == "LineString":
        return merged
    return shapely.LineString(shapely.get_coordinates(merged))


def _within(area: shapely.Geometry) -> Floats:
    """Places in an area on an even lattice, at least its inner point."""
    west, south, east, north = area.bounds
    side = math.ceil(math.sqrt(4 * PLACES))
    x = west + (east - west) * (np.arange(side) + 0.5) / side
    y = south + (north - south) * (np.arange(side) + 0.5) / side
    held = np.column_stack([a.ravel() for a in np.meshgrid(x, y)])
    inside = held[shapely.intersects_xy(area, held[:, 0], held[:, 1])]
    held = inside if len(inside) else shapely.get_coordinates(shapely.point_on_surface(area))
    return np.asarray(held, dtype=np.float64)


def _layer_of(index: GridIndex, grid: str) -> str:
    return str(index.layers[index.layer_of[index.codes.index(grid)]])


def _why(answer: AddressAnswer, listed: Sequence[Candidate]) -> str:
    if not listed:
        return "address-outside"
    if len(answer.rivals()) > 1:
        return "address-ambiguous"
    return "address-vague"


def _assigned(
    index_of: IndexOf, readings: Sequence[AddressCandidate], listed: tuple[Candidate, ...]
) -> tuple[Assignment, AddressCandidate]:
    """The assignment to the most probable grid, and the reading that leads there: the best one with a place in it."""
    winner = listed[0].grid
    for one in readings:
        lon, lat = (
            np.concatenate(([own], spread)) for own, spread in zip((one.lon, one.lat), places_of(one), strict=True)
        )
        index = index_of(one)
        inside = np.flatnonzero(np.array(index.locate(lon, lat, distance=False).grids(), dtype=object) == winner)
        if len(inside):
            break
    at = index.one(float(lon[inside[0]]), float(lat[inside[0]]))
    found = replace(
        at, method=ADDRESS, reason=None, probability=listed[0].probability, candidates=listed, distance_to_edge_m=None,
        owners=(winner,),
    )  # fmt: skip
    return found, one
