"""Prior: what is known of a reporter before the report: where reports come from, where he is at home."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from gis.claims import Claims, Floats
from gis.crs import area_m2
from gis.errors import GridUnknown, ParameterInvalid


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


def households_prior(claims: Claims, households: Mapping[str, int], *, share: float = 0.5) -> Prior:
    """Reports come from households: a grid counts by its households per m2 against the mean of all grids that are named.

    `share` (0..1, below 1) of all reports follow the households, the rest comes from anywhere; so nowhere is impossible. Grids that are
    not named, and the outside, count as the mean.
    """
    if not 0.0 <= share < 1.0:
        raise ParameterInvalid("share must be at least 0 and below 1", place="share")
    index = claims.index
    named = np.array([i for i, code in enumerate(index.codes) if code in households], dtype=np.int64)
    weight = np.ones(len(index))
    if len(named):
        count = np.array([households[index.codes[i]] for i in named.tolist()], dtype=np.float64)
        area = np.maximum(area_m2(index.geometry[named]), 1e-6)
        mean = count.sum() / area.sum()
        if mean > 0.0:
            weight[named] = 1.0 - share + share * count / area / mean
    return Prior("households", weight)


def home_prior(claims: Claims, code: str, *, factor: float = 4.0) -> Prior:
    """Reporters mostly report from their own grid: its ground counts `factor` times any other. GridUnknown without such a grid."""
    if code not in claims.position:
        raise GridUnknown(f"no grid {code} to be at home in", place=code)
    weight = np.ones(len(claims.index))
    weight[claims.position[code]] = factor
    return Prior("home", weight)
