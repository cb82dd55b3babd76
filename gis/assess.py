"""Assess: whose is it, in the full form of the contract, when the place is known to so many metres only."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
import shapely

from gis.assignment import Assignment, Candidate
from gis.claims import Claims
from gis.doubt import Decision, Doubt, decide, doubt_of, one_sigma
from gis.nearby import border_distance_m, borders_of
from gis.prior import Prior

#: A grid beyond the stated distance is a candidate from this probability on.
WORTH_NAMING = 1e-3

#: No grid of this probability is farther than so many sigmas: exp(-3.72²/2) = 0.001. Up to _WIDE_M the index itself measures them.
_NEAR_SIGMAS, _WIDE_M = 3.72, 1_000.0


@dataclass(frozen=True)
class Assessment:
    """The assignment of a place, and on what it rests: `doubt` and `decision` are None when no accuracy was given."""

    assignment: Assignment
    doubt: Doubt | None = None
    decision: Decision | None = None


def assess(
    claims: Claims,
    lon: float,
    lat: float,
    accuracy_m: float | None,
    *,
    policy: str = "auto",
    threshold: float = 0.8,
    tell: float = 0.1,
    prior: Prior | None = None,
    tolerance_m: float = 0.0,
    candidates_within_m: float = 50.0,
    doubt: Doubt | None = None,
) -> Assessment:
    """Whose is this place: by the rule of `gis.locate` without an accuracy, by the likeliest winner and the policy with one.

    With an accuracy the assignment's `grid` and `probability` are the decision's. `method` says how the reported place lies to that
    grid: "inside" or "edge" when it covers it, else "nearest"; "none" without a grid. `layers` names the grids at the reported place, but
    in the layer of the winner the winner. `candidates`: those within `candidates_within_m` metres and all others of at least one in a
    thousand, each with its probability to be the winner, the likeliest first. A place that is not finite has no doubt, only a reason.
    `doubt` is what `doubts_of` said of this very place with many others; without it it is worked out here.
    """
    index = claims.index
    if accuracy_m is None or not (math.isfinite(lon) and math.isfinite(lat)):
        return Assessment(index.one(lon, lat, tolerance_m=tolerance_m, candidates_within_m=candidates_within_m))
    wide_m = max(candidates_within_m, min(_NEAR_SIGMAS * one_sigma(accuracy_m), _WIDE_M))
    plain = index.one(lon, lat, tolerance_m=tolerance_m, candidates_within_m=wide_m)
    if doubt is None:
        doubt = doubt_of(claims, lon, lat, accuracy_m, prior=prior)
    decision = decide(doubt, policy, threshold, tell, otherwise=plain.grid)
    candidates = _candidates(claims, plain, doubt, lon, lat, candidates_within_m)
    common = replace(plain, ambiguous=decision.ambiguous, probability=decision.probability, candidates=candidates)
    if decision.grid is None:
        open_for = decision.reason or plain.reason
        none = replace(common, grid=None, method="none", reason=open_for, path=[], distance_to_edge_m=None)
        return Assessment(none, doubt, decision)
    if decision.grid != plain.grid:
        common = _given_to(claims, common, decision.grid, lon, lat)
    return Assessment(common, doubt, decision)


def _given_to(claims: Claims, plain: Assignment, code: str, lon: float, lat: float) -> Assignment:
    """The assignment with another winner than the grid that covers the reported place, or is nearest to it."""
    index = claims.index
    grid = claims.position[code]
    metres = _metres(claims, [grid], lon, lat)[0]
    # It may cover the place as well, where a layer that goes first does so by a narrow strip.
    covers = bool(shapely.intersects_xy(index.geometry[grid], lon, lat))
    edge = covers and not shapely.contains_xy(index.geometry[grid], lon, lat)
    return replace(
        plain,
        grid=code,
        method="edge" if edge else "inside" if covers else "nearest",
        reason=None,
        layers={**plain.layers, index.layers[index.layer_of[grid]]: code},
        path=index.boundaries.path(code),
        distance_to_edge_m=0.0 if edge else metres,
    )


def _candidates(
    claims: Claims, plain: Assignment, doubt: Doubt, lon: float, lat: float, within_m: float
) -> tuple[Candidate, ...]:
    """Everybody near with a probability, and the likely ones from farther away, the likeliest first."""
    index, wins = claims.index, doubt.wins
    found = [
        Candidate(c.grid, c.layer, round(wins.get(c.grid, 0.0), 6), c.distance_m)
        for c in plain.candidates
        if c.distance_m <= within_m or wins.get(c.grid, 0.0) >= WORTH_NAMING or c.grid == plain.grid
    ]
    measured = {candidate.grid for candidate in found}
    far = [claims.position[code] for code, p in wins.items() if p >= WORTH_NAMING and code not in measured]
    for grid, metres in zip(far, _metres(claims, far, lon, lat), strict=True):
        code = index.codes[grid]
        found.append(Candidate(code, index.layers[index.layer_of[grid]], round(wins[code], 6), metres))
    return tuple(sorted(found, key=lambda c: (-wins.get(c.grid, 0.0), claims.position[c.grid])))


def _metres(claims: Claims, grids: list[int], lon: float, lat: float) -> list[float]:
    """From a place to the borders of some grids, as `gis.locate` measures."""
    if not grids:
        return []
    n = len(grids)
    borders = borders_of(claims.index.geometry[grids])
    metres: list[float] = border_distance_m(borders, np.arange(n), np.full(n, lon), np.full(n, lat)).tolist()
    return metres
