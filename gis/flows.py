"""Flows: what goes from which grid to which, summed column by column; a table whose rows and columns add up."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

#: The row and the column of what belongs to nobody.
OUTSIDE = -1


@dataclass(frozen=True)
class FlowTable:
    """Pair k: what goes from `before[k]` to `after[k]` (-1: outside); what stays is there too, as before = after.

    Each pair stands once, sorted, outside last. `columns[name][k]` is its sum.
    """

    before: Ints
    after: Ints
    columns: dict[str, Floats]

    def total(self, name: str) -> float:
        """The sum of the whole table."""
        return float(self.columns[name].sum())

    def rows(self, name: str) -> dict[int, float]:
        """Grid before (-1: outside) -> the sum of its row."""
        return _sums(self.before, self.columns[name])

    def by_column(self, name: str) -> dict[int, float]:
        """Grid after (-1: outside) -> the sum of its column."""
        return _sums(self.after, self.columns[name])

    def changed(self) -> FlowTable:
        """Only what goes from one to another."""
        moving = self.before != self.after
        columns = {name: values[moving] for name, values in self.columns.items()}
        return FlowTable(self.before[moving], self.after[moving], columns)


def _sums(index: Ints, values: Floats) -> dict[int, float]:
    grids, at = np.unique(index, return_inverse=True)
    return dict(zip(grids.tolist(), np.bincount(at, values, minlength=len(grids)).tolist(), strict=True))


def _by_pair(pair_of: npt.NDArray[np.intp], values: npt.NDArray[np.generic], pairs: int) -> Floats:
    return np.asarray(np.bincount(pair_of, values.astype(np.float64), minlength=pairs), dtype=np.float64)


def flow_table(before: Ints, after: Ints, columns: Mapping[str, npt.NDArray[np.generic]]) -> FlowTable:
    """The sums of each column by pair: point i goes from grid `before[i]` to grid `after[i]` (any numbers, -1: outside)."""
    width = int(max(before.max(initial=OUTSIDE), after.max(initial=OUTSIDE))) + 2
    keys, pair_of = np.unique((before.astype(np.int64) + 1) * width + (after + 1), return_inverse=True)
    sums = {name: _by_pair(pair_of.reshape(-1), values, len(keys)) for name, values in columns.items()}
    ends = keys // width - 1, keys % width - 1
    last = np.iinfo(np.int64).max
    order = np.lexsort(tuple(np.where(end == OUTSIDE, last, end) for end in reversed(ends)))
    return FlowTable(ends[0][order], ends[1][order], {name: values[order] for name, values in sums.items()})
