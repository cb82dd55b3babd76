"""Doubt: how likely is each grid, when a place is known to so many metres only; and who then gets the report.

`accuracy_m` is the radius that holds 68 % of a circular Gaussian round the true place: sigma = accuracy_m / 1.5096 on each axis,
for 1.5096 = √(-2 ln 0.32). Without further knowledge every true place is as likely as any other, so the true place, given the
reported one, has that Gaussian round the reported place; a grid's probability is the mass on its polygon (`gis.gaussian`), in the
plane of metres that touches the ellipsoid there (as `gis.nearby` measures distances).

Two questions, two answers. In a layer: which of its grids is the place in, or in none. For the winner: whose is the place by the
rule of `gis.locate`. That rule divides the plane: a grid has the ground that it covers and no grid that goes before it (a smaller
priority; a lower code). The probability that a grid is the winner is the mass on its ground. It is what candidates carry and what
decides; it can be checked: of all answers given with 0.7, seven in ten are right. "None" has a probability as well.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from gis.claims import MAX_ACCURACY_M, MIN_ACCURACY_M, Claims, Floats, Ints
from gis.crs import metres_per_degree, metres_per_degree_at
from gis.errors import CoordinateInvalid, ParameterInvalid
from gis.policy import POLICIES
from gis.prior import Prior

#: Version of the arithmetic, written into receipts.
KERNEL = "gridbeat-doubt/1"

#: The radius that holds 68 % of a circular Gaussian, in sigmas: √(-2 ln 0.32), as the contract rounds it.
SIGMAS_68 = 1.5096

#: The reason of a report that policy "ask" leaves to a person.
AMBIGUOUS = "ambiguous"

#: A Doubt lists so many grids a layer; what the others have is summed.
LISTED = 20

#: As `gis.gaussian`, which is not imported before it is needed.
_REACH = 6.0

#: Less than this is left out of the answers (not out of the sums): what lies beyond 6 sigma, 1.5e-8 in all, is not counted anyway.
_NOTHING = 1e-9

#: Pairs of a place and a grid that are held at a time.
_PAIRS = 1 << 20


@dataclass(frozen=True, eq=False)
class Probabilities:
    """The doubt about n places, ragged: pair k says that of place `place[k]` grid `grid[k]` is the winner with `wins[k]`.

    `lies[k]`: the probability that the place lies in the grid, within its layer. Sorted by place, then likeliest winner, then
    index; pairs below 1e-9 are left out. `outside[i]`: nobody's; `outside_of[j, i]`: in no grid of layer j. NaN for a place that
    is not finite. Per place, `wins` and `outside` add up to 1, and so do the `lies` of a layer and its `outside_of`.
    """

    place: Ints
    grid: Ints
    wins: Floats
    lies: Floats
    outside: Floats
    outside_of: Floats

    def best(self) -> tuple[Ints, Floats]:
        """The likeliest winner of every place (-1: no grid is possible) and its probability; equally likely: the lower index."""
        n = len(self.outside)
        grid, probability = np.full(n, -1, dtype=np.int64), np.where(np.isnan(self.outside), np.nan, 0.0)
        place, first = np.unique(self.place, return_index=True)
        grid[place], probability[place] = self.grid[first], self.wins[first]
        return grid, probability


@dataclass(frozen=True)
class Doubt:
    """The doubt about one place: code -> probability, likeliest first, of the LISTED likeliest.

    `wins`: whose it is; with `others` (all grids that are not listed) and `outside` (nobody's) it adds up to 1. `layers`: in which
    grid of a layer it lies; with `outside_of` and, beyond LISTED grids, the rest, it adds up to 1. `prior` is None or the
    prior's name.
    """

    accuracy_m: float
    wins: dict[str, float]
    outside: float
    others: float
    layers: dict[str, dict[str, float]]
    outside_of: dict[str, float]
    prior: str | None = None

    def as_json(self) -> dict[str, Any]:
        """What a receipt keeps: probabilities to six decimals, those of at least one in a thousand."""
        return {
            "kernel": KERNEL,
            "accuracy_m": self.accuracy_m,
            "prior": self.prior,
            "wins": _rounded(self.wins),
            "outside": round(self.outside, 6),
            "layers": {layer: _rounded(grids) for layer, grids in self.layers.items()},
        }


def _rounded(grids: Mapping[str, float]) -> dict[str, float]:
    return {code: round(p, 6) for code, p in grids.items() if p >= 1e-3}


def one_sigma(accuracy_m: float) -> float:
    """Sigma per axis in metres. ParameterInvalid when the accuracy is not above 0 and at most 100 km (NaN, 0, negative, infinite).

    Below a millimetre counts as a millimetre.
    """
    if not 0.0 < accuracy_m <= MAX_ACCURACY_M:
        limits = f"it must be above 0 and at most {MAX_ACCURACY_M:g} metres; leave it out when it is unknown"
        raise ParameterInvalid(f"accuracy_m is {accuracy_m:g}: {limits}", place="accuracy_m")
    return max(accuracy_m, MIN_ACCURACY_M) / SIGMAS_68


def sigma_of(accuracy_m: npt.ArrayLike) -> Floats:
    """`one_sigma` of every element; the first unusable one is named."""
    accuracy = np.asarray(accuracy_m, dtype=np.float64)
    wrong = ~((accuracy > 0.0) & (accuracy <= MAX_ACCURACY_M))
    if wrong.any():
        one_sigma(float(accuracy[wrong].flat[0]))
    return np.maximum(accuracy, MIN_ACCURACY_M) / SIGMAS_68


def probabilities(
    claims: Claims, lon: Floats, lat: Floats, accuracy_m: npt.ArrayLike, *, prior: Prior | None = None
) -> Probabilities:
    """Every place has the probability of every grid that it may belong to.

    `lon`, `lat`: n WGS 84 degrees; `accuracy_m`: one for all or n. The errors are `one_sigma`'s. Memory stays flat but for the answer.
    """
    lon, lat = np.ascontiguousarray(lon, dtype=np.float64), np.ascontiguousarray(lat, dtype=np.float64)
    sigma = np.broadcast_to(sigma_of(accuracy_m), lon.shape)
    finite = np.flatnonzero(np.isfinite(lon) & np.isfinite(lat))
    outside, outside_of = np.full(len(lon), np.nan), np.full((len(claims.index.layers), len(lon)), np.nan)
    parts = [(np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0), np.empty(0))]
    for rows in _blocks(claims, finite, sigma):
        place, grid, wins, lies = _many(claims, lon[rows], lat[rows], sigma[rows])
        outside[rows], outside_of[:, rows] = _settled(claims, place, grid, wins, lies, len(rows), prior)
        order = np.lexsort((grid, -wins, place))
        order = order[lies[order] >= _NOTHING]
        parts.append((rows[place[order]], grid[order], wins[order], lies[order]))
    place, grid, wins, lies = (np.concatenate(column) for column in zip(*parts, strict=True))
    return Probabilities(place, grid, wins, lies, outside, outside_of)


def doubt_of(claims: Claims, lon: float, lat: float, accuracy_m: float, *, prior: Prior | None = None) -> Doubt:
    """The doubt about one place: the same figures as `probabilities` gives for an array of one.

    Raises ParameterInvalid as `one_sigma`, CoordinateInvalid for a place that is not finite.
    """
    sigma = one_sigma(accuracy_m)
    if not (math.isfinite(lon) and math.isfinite(lat)):
        raise CoordinateInvalid("the place is not finite", place="lon, lat")
    grid, wins, lies = _one(claims, lon, lat, sigma)
    outside, outside_of = _settled(claims, np.zeros(len(grid), np.int64), grid, wins, lies, 1, prior)
    rows = sorted(zip((-wins).tolist(), grid.tolist(), lies.tolist(), strict=True))
    return _doubt(claims, float(accuracy_m), rows, float(outside[0]), outside_of[:, 0].tolist(), prior)


def doubts_of(
    claims: Claims, lon: Floats, lat: Floats, accuracy_m: Floats, *, prior: Prior | None = None
) -> list[Doubt | None]:
    """The doubt about every place, some times quicker than one by one; None where place or accuracy is NaN (unknown)."""
    accuracy = np.broadcast_to(np.asarray(accuracy_m, dtype=np.float64), np.shape(lon))
    known = np.flatnonzero(~(np.isnan(accuracy) | ~np.isfinite(lon) | ~np.isfinite(lat)))
    found = probabilities(claims, lon[known], lat[known], accuracy[known], prior=prior)
    pairs = list(zip((-found.wins).tolist(), found.grid.tolist(), found.lies.tolist(), strict=True))
    until = np.cumsum(np.bincount(found.place, minlength=len(known))).tolist()
    doubts: list[Doubt | None] = [None] * len(accuracy)
    columns = known.tolist(), accuracy[known].tolist(), found.outside.tolist(), found.outside_of.T.tolist()
    begin = 0
    for row, metres, outside, outside_of, end in zip(*columns, until, strict=True):
        doubts[row] = _doubt(claims, metres, pairs[begin:end], outside, outside_of, prior)
        begin = end
    return doubts


def _doubt(
    claims: Claims,
    accuracy_m: float,
    rows: list[tuple[float, int, float]],
    outside: float,
    outside_of: list[float],
    prior: Prior | None,
) -> Doubt:
    """The doubt from rows of (-wins, grid, lies) in their order."""
    index = claims.index
    wins = {index.codes[grid]: -less for less, grid, _ in rows[:LISTED] if less <= -_NOTHING}
    layers: dict[str, dict[str, float]] = {layer: {} for layer in index.layers}
    for _, grid, lies in sorted(rows, key=_likeliest_in_layer):
        held = layers[index.layers[index.layer_of[grid]]]
        if len(held) < LISTED and lies >= _NOTHING:
            held[index.codes[grid]] = lies
    others = max(0.0, -sum(row[0] for row in rows[LISTED:])) if len(rows) > LISTED else 0.0
    none = dict(zip(index.layers, outside_of, strict=True))
    return Doubt(accuracy_m, wins, outside, others, layers, none, prior.name if prior else None)


def _likeliest_in_layer(row: tuple[float, int, float]) -> tuple[float, int]:
    return -row[2], row[1]


@dataclass(frozen=True)
class Decision:
    """Who gets a report: `grid` leads, `owners` (it first) have it, `told` hear of it; `ambiguous` says that the best was not sure enough.

    Without a grid `owners` and `told` are empty and `reason` is "ambiguous" (a person decides) or None (outside is likeliest).
    `probability` is that of `grid` to be the winner.
    """

    grid: str | None
    owners: tuple[str, ...]
    told: tuple[str, ...]
    ambiguous: bool
    reason: str | None
    probability: float | None


def decide(
    doubt: Doubt, policy: str = "auto", threshold: float = 0.8, tell: float = 0.1, *, otherwise: str | None = None
) -> Decision:
    """The report has its grid, its owners, or is left to a person.

    The best grid has it when its probability is at least `threshold`. Below, the report is ambiguous: `auto` gives it to the best all
    the same and tells every other grid of at least `tell`; `joint` makes these owners too; `ask` leaves it open, reason "ambiguous".
    When outside all grids is likelier than any grid, the report goes to `otherwise`, the grid that the rule without doubt names
    (it covers the reported place, or is the nearest within the deployment's tolerance), and to nobody if there is none. Equally
    likely: the lower index. Raises ParameterInvalid for an unknown policy or limits beyond 0..1.
    """
    if policy not in POLICIES:
        raise ParameterInvalid(f"there is no policy {policy!r}: use {', '.join(POLICIES)}", place="policy")
    if not (0.0 <= threshold <= 1.0 and 0.0 <= tell <= 1.0):
        raise ParameterInvalid("threshold and tell lie between 0 and 1", place="threshold")
    best = next(iter(doubt.wins), None)
    if best is None or doubt.outside > doubt.wins[best]:
        best = otherwise
    if best is None:
        return Decision(None, (), (), doubt.outside < threshold, None, None)
    probability = doubt.wins.get(best, 0.0)
    if probability >= threshold:
        return Decision(best, (best,), (), ambiguous=False, reason=None, probability=probability)
    others = tuple(code for code, p in doubt.wins.items() if p >= tell and code != best)
    if policy == "ask":
        return Decision(None, (), (), ambiguous=True, reason=AMBIGUOUS, probability=None)
    owners, told = ((best, *others), ()) if policy == "joint" else ((best,), others)
    return Decision(best, owners, told, ambiguous=True, reason=None, probability=probability)


def _blocks(claims: Claims, rows: Ints, sigma: Floats) -> Iterator[Ints]:
    """The rows in blocks of about _PAIRS pairs, guessed from the usual size of a grid."""
    across = np.minimum(2.0 * _REACH * sigma[rows] / claims.typical_m + 2.0, 1e6)
    pairs = np.cumsum(np.minimum(across * across, max(len(claims.index), 1)))
    ends = np.searchsorted(pairs, np.arange(_PAIRS, pairs[-1] if len(rows) else 0, _PAIRS))
    yield from (block for block in np.split(rows, ends) if len(block))


def _many(claims: Claims, lon: Floats, lat: Floats, sigma: Floats) -> tuple[Ints, Ints, Floats, Floats]:
    """(place, grid, wins, lies) of all pairs that may be more than nothing, grid by grid."""
    from gis import gaussian

    per_lon, per_lat = _per_degree(lat, sigma)
    place, grid = claims.within(lon, lat, _REACH / per_lon, _REACH / per_lat)
    order = np.argsort(grid, kind="stable")
    place, grid = place[order], grid[order]
    grids, first = np.unique(grid, return_index=True)
    x, y, per_x, per_y = lon[place], lat[place], per_lon[place], per_lat[place]
    lies, wins = np.empty(len(grid)), np.empty(len(grid))
    drawn, last = claims.drawn(grids.tolist()), np.append(first[1:], len(grid))[: len(first)]
    for (shape, ground), begin, end in zip(drawn, first.tolist(), last.tolist(), strict=True):
        part = slice(begin, end)
        gaussian.masses(*shape, x[part], y[part], per_x[part], per_y[part], lies[part])
        wins[part] = lies[part]
        if ground is not None:
            gaussian.masses(*ground, x[part], y[part], per_x[part], per_y[part], wins[part])
    return place, grid, np.minimum(wins, lies), lies


def _one(claims: Claims, lon: float, lat: float, sigma: float) -> tuple[Ints, Floats, Floats]:
    """(grid, wins, lies) of the grids that may be more than nothing, for one place."""
    from gis.gaussian import mass

    place = lon, lat, *_per_degree_at(lat, sigma)
    grid = claims.at(lon, lat, _REACH / place[2], _REACH / place[3])
    drawn = claims.drawn(grid.tolist())
    lies = [mass(*shape, *place) for shape, _ in drawn]
    pairs = zip(drawn, lies, strict=True)
    wins = [whole if ground is None else min(mass(*ground, *place), whole) for (_, ground), whole in pairs]
    return grid, np.array(wins, dtype=np.float64), np.array(lies, dtype=np.float64)


def reach(claims: Claims, lon: float, lat: float, accuracy_m: float) -> Ints:
    """The grids, in order, whose weight in a prior can matter for a place: those whose bounding box comes within 6 sigma."""
    per_lon, per_lat = _per_degree_at(lat, one_sigma(accuracy_m))
    return claims.at(lon, lat, _REACH / per_lon, _REACH / per_lat)


def _per_degree_at(lat: float, sigma: float) -> tuple[float, float]:
    """`_per_degree` for one place."""
    east, north = metres_per_degree_at(lat)
    return max(east, 1.0) / sigma, north / sigma


def _per_degree(lat: Floats, sigma: Floats) -> tuple[Floats, Floats]:
    """Sigmas a degree eastwards and northwards; at a pole, where a degree has no length, as if it had a metre."""
    east, north = metres_per_degree(lat)
    return np.maximum(east, 1.0) / sigma, north / sigma


def _settled(
    claims: Claims, place: Ints, grid: Ints, wins: Floats, lies: Floats, n: int, prior: Prior | None
) -> tuple[Floats, Floats]:
    """(outside, outside_of): what the grids leave; `wins` and `lies` are weighed by the prior, in place, with all sums 1."""
    count = len(claims.index.layers)
    layer = claims.index.layer_of[grid].astype(np.int64)
    outside = _share(place, wins, n, grid, prior)
    of = _share(layer * n + place, lies, count * n, grid, prior)
    return outside, of.reshape(count, n)


def _share(group: Ints, masses: Floats, groups: int, grid: Ints, prior: Prior | None) -> Floats:
    """The share of none per group; `masses` become shares, in place. Without a prior they are shares already."""
    total: Floats = np.bincount(group, masses, groups).astype(np.float64)
    if (total > 1.0).any():
        # By rounding; or since a layer overlaps itself, which the caller did not say: nobody is left out, all get less.
        masses /= np.maximum(total, 1.0)[group]
    none: Floats = np.maximum(1.0 - total, 0.0)
    if prior is None:
        return none
    weighed = masses * prior.weight[grid]
    left = none * prior.outside
    total = left + np.bincount(group, weighed, groups)
    # A prior that rules out all that is possible (outside 0, and no grid in reach) says nothing.
    usable = total > 0.0
    masses[:] = np.where(usable[group], weighed / np.where(usable, total, 1.0)[group], masses)
    shares: Floats = np.where(usable, left / np.where(usable, total, 1.0), none)
    return shares
