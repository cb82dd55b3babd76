"""Prior: what is known of a reporter before the report: where reports come from, where he is at home."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from gis.claims import Claims, Floats, Ints
from gis.crs import area_m2
from gis.errors import GridUnknown, ParameterInvalid
from gis.locate import GridIndex

#: So many of all reports follow the households, the others come from anywhere.
SHARE = 0.5


@dataclass(frozen=True, eq=False)
class Prior:
    """How much likelier a true place is on each grid's ground than elsewhere, before any report: a density, not a sum.

    `weight[i]` > 0 stands for grid i of the index, `outside` >= 0 for the ground of no grid; only ratios count. `name` goes into
    the receipt. Raises ParameterInvalid for other values.
    """

    name: str
    weight: Floats
    outside: float = 1.0

    def __post_init__(self) -> None:
        if not (np.isfinite(self.weight).all() and (self.weight > 0.0).all() and 0.0 <= self.outside < math.inf):
            raise ParameterInvalid(f"the weights of prior {self.name} must be positive numbers", place="prior")


def households_prior(claims: Claims, households: Mapping[str, int], *, share: float = SHARE) -> Prior:
    """Reports come from households: a grid counts by its households per m2 against the mean of all grids that are named.

    `share` (0..1, below 1) of all reports follow the households, the rest comes from anywhere; so nowhere is impossible. Grids that are
    not named, and the outside, count as the mean.
    """
    if not 0.0 <= share < 1.0:
        raise ParameterInvalid("share must be at least 0 and below 1", place="share")
    return Prior("households", _by_density(claims.index, households, share))


def _by_density(index: GridIndex, households: Mapping[str, int], share: float) -> Floats:
    named = np.array([i for i, code in enumerate(index.codes) if code in households], dtype=np.int64)
    weight = np.ones(len(index))
    if len(named):
        count = np.array([households[index.codes[i]] for i in named.tolist()], dtype=np.float64)
        area = np.maximum(area_m2(index.geometry[named]), 1e-6)
        mean = count.sum() / area.sum()
        if mean > 0.0:
            weight[named] = 1.0 - share + share * count / area / mean
    return weight


def households_in(index: GridIndex, lon: Floats, lat: Floats, households: Ints) -> dict[str, int]:
    """Code -> households, in every layer, of points with counts; a grid without any has 0."""
    located = index.locate(lon, lat, distance=False)
    total = np.zeros(len(located.codes), dtype=np.int64)
    for grid in located.by_layer.values():
        np.add.at(total, grid[grid >= 0], households[grid >= 0])
    return dict(zip(located.codes, total.tolist(), strict=True))


def household_weights(index: GridIndex, lon: Floats, lat: Floats, households: Ints) -> dict[str, float]:
    """Code -> weight of `households_prior`, to four decimals, so that a receipt keeps it as it was used."""
    weight = _by_density(index, households_in(index, lon, lat, households), SHARE)
    return dict(zip(index.codes, np.round(weight, 4).tolist(), strict=True))


def kept_prior(claims: Claims, name: str, weights: Mapping[str, float]) -> Prior:
    """The prior that a receipt kept: grids that it does not name, and the outside, count 1."""
    weight = np.ones(len(claims.index))
    for code, kept in weights.items():
        if code in claims.position:
            weight[claims.position[code]] = kept
    return Prior(name, weight)


def home_prior(claims: Claims, code: str, *, factor: float = 4.0) -> Prior:
    """Reporters mostly report from their own grid: its ground counts `factor` times any other. GridUnknown without such a grid."""
    if code not in claims.position:
        raise GridUnknown(f"no grid {code} to be at home in", place=code)
    weight = np.ones(len(claims.index))
    weight[claims.position[code]] = factor
    return Prior("home", weight)
