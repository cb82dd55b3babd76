"""Shares: a figure of coverage is a numerator over a denominator, with its name, its unit and what it depends on. Never a bare number."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import floor
from typing import Any

import numpy as np
import numpy.typing as npt

from gis.fixes import Floats, Ints

Parameters = Mapping[str, Any]


@dataclass(frozen=True)
class Share:
    """One figure. `value` is None where there is nothing to cover: neither 0 nor 1."""

    name: str
    unit: str
    numerator: float
    denominator: float
    parameters: Parameters = field(default_factory=dict)

    @property
    def value(self) -> float | None:
        """Numerator over denominator, 0..1; None where the denominator is 0."""
        return self.numerator / self.denominator if self.denominator > 0 else None

    def percent(self, decimals: int = 1) -> str:
        """The value in per cent, or "n/a"; 100 only where nothing is missing, 0 only where nothing was covered."""
        if self.value is None:
            return "n/a"
        step = 10**decimals
        units = floor(self.value * 100 * step + 0.5)
        if self.numerator < self.denominator:
            units = min(units, 100 * step - 1)
        if self.numerator > 0:
            units = max(units, 1)
        return f"{units / step:.{decimals}f} %"

    def as_json(self) -> dict[str, Any]:
        """`{"name", "unit", "numerator", "denominator", "value", "parameters"}`; value null for n/a."""
        return {
            "name": self.name, "unit": self.unit, "numerator": self.numerator, "denominator": self.denominator,
            "value": self.value, "parameters": dict(self.parameters),
        }  # fmt: skip


@dataclass(frozen=True, eq=False)
class Shares:
    """One figure for each of many: `keys[i]` (a grid, a street) has numerator[i] over denominator[i]."""

    name: str
    unit: str
    keys: tuple[str, ...]
    numerator: Floats
    denominator: Floats
    parameters: Parameters = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.keys)

    @property
    def value(self) -> Floats:
        """Numerator over denominator; NaN, which is n/a, where the denominator is 0."""
        found = np.full(len(self.keys), np.nan)
        np.divide(self.numerator, self.denominator, out=found, where=self.denominator > 0)
        return found

    def one(self, key: str) -> Share:
        """The figure of one key; KeyError for an unknown one."""
        i = self._position[key]
        return Share(self.name, self.unit, float(self.numerator[i]), float(self.denominator[i]), self.parameters)

    @property
    def _position(self) -> dict[str, int]:
        return {key: i for i, key in enumerate(self.keys)}

    @property
    def total(self) -> Share:
        """The figure of all together: sums over sums, not a mean of shares."""
        return Share(self.name, self.unit, float(self.numerator.sum()), float(self.denominator.sum()), self.parameters)

    def aligned(self, keys: Sequence[str]) -> Shares:
        """The figures of these keys in this order; unknown ones have nothing to cover (0 over 0)."""
        position = self._position
        rows = np.array([position.get(key, -1) for key in keys], np.int64)
        columns = [np.append(column, 0.0)[rows] for column in (self.numerator, self.denominator)]
        return Shares(self.name, self.unit, tuple(keys), columns[0], columns[1], self.parameters)

    def as_json(self) -> dict[str, Any]:
        """The name, unit and parameters once, and `{"key", "numerator", "denominator", "value"}` per key; value null for n/a."""
        rows = zip(self.keys, self.numerator.tolist(), self.denominator.tolist(), strict=True)
        return {
            "name": self.name, "unit": self.unit, "parameters": dict(self.parameters), "total": self.total.as_json(),
            "shares": [{"key": k, "numerator": n, "denominator": d, "value": n / d if d > 0 else None} for k, n, d in rows],
        }  # fmt: skip


def summed(
    name: str,
    unit: str,
    keys: tuple[str, ...],
    owner: Ints,
    weight: Floats,
    done: npt.NDArray[np.bool_],
    parameters: Parameters,
) -> Shares:
    """Shares by owner: the weights of what is done over all weights; an owner of -1 is nobody."""
    return Shares(
        name,
        unit,
        keys,
        weighed(owner, np.where(done, weight, 0.0), len(keys)),
        weighed(owner, weight, len(keys)),
        parameters,
    )


def weighed(owner: Ints, weight: Floats, count: int) -> Floats:
    """The sum of weights of each of so many owners; -1 is nobody."""
    held = owner >= 0
    return np.bincount(owner[held], weights=weight[held], minlength=count).astype(np.float64)
