"""ImpactAnswer: what an edit of the boundaries does, as values that HTTP writes as they are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Final

import numpy as np

from gis.loads import Ints

#: What a flow calls the ground of nobody.
OUTSIDE_WORD: Final = "outside"
#: The load whose moves are `Impact.moves`.
EVENTS: Final = "events"

Figures = dict[str, Any]


@dataclass(frozen=True)
class Weights:
    """How heavy a grid is: the mean of its figures, each as a multiple of the city's average grid, weighted.

        load_index = sum of w[c] * x[c] / mean[c]  /  sum of w[c]

    over the columns c that have a weight and were given; mean[c] = everything of c in town by the number of grids before
    the edit, for before and after alike: 1 is an average grid. Columns that nobody gave take no part (unknown is not zero).
    """

    of: Mapping[str, float] = field(
        default_factory=lambda: MappingProxyType(
            {"households": 1.0, "events": 1.0, "street_m": 1.0, "patrol_minutes": 1.0}
        )
    )


@dataclass(frozen=True)
class GridImpact:
    """One grid before and after; None where it was not, or is no longer. `code_before` differs from `code` after a recode."""

    uid: str
    layer: str
    level: str
    code: str
    code_before: str | None
    name: str
    before: Figures | None
    after: Figures | None

    def as_json(self) -> dict[str, Any]:
        """The grid as HTTP writes it."""
        return {
            "uid": self.uid, "layer": self.layer, "level": self.level, "code": self.code,
            "code_before": self.code_before, "name": self.name, "before": self.before, "after": self.after,
        }  # fmt: skip


@dataclass(frozen=True)
class Flow:
    """What goes from one grid (uid and code before; None: outside) to another (uid and code after), column by column."""

    source: str | None
    target: str | None
    source_code: str | None
    target_code: str | None
    figures: Figures

    def as_json(self) -> dict[str, Any]:
        """The flow as HTTP writes it: `from` and `to` are codes, or `outside`."""
        return {"from": self.source_code or OUTSIDE_WORD, "to": self.target_code or OUTSIDE_WORD, **self.figures}


@dataclass(frozen=True)
class Moves:
    """What changes its grid: row `index[k]` of the load goes from `uids[before[k]]` to `uids[after[k]]` (-1: nobody's)."""

    index: Ints
    before: Ints
    after: Ints
    uids: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.index)

    def pairs(self) -> list[tuple[int, str | None, str | None]]:
        """(row of the load, uid before, uid after) each; None for nobody."""
        named = (*self.uids, None)
        return [
            (row, named[before], named[after])
            for row, before, after in zip(self.index.tolist(), self.before.tolist(), self.after.tolist(), strict=True)
        ]


NO_MOVES: Final = Moves(np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0, np.int64), ())


@dataclass(frozen=True)
class Section:
    """The impact on the grids of one level: grids and flows in the order of layer priority, level and code, outside last.

    `totals` adds the grids up: for every column but the indices, before + from_outside = after + to_outside.
    """

    grids: tuple[GridImpact, ...]
    flows: tuple[Flow, ...]
    totals: dict[str, Figures]
    moved: Mapping[str, Moves]

    def as_json(self) -> dict[str, Any]:
        """Grids, flows and totals as HTTP writes them."""
        return {
            "grids": [grid.as_json() for grid in self.grids],
            "flows": [flow.as_json() for flow in self.flows],
            "totals": self.totals,
        }


@dataclass(frozen=True)
class Impact(Section):
    """The impact on the grids that reports are assigned to; `wider` are those above them whose shapes change, level by level.

    `moved` says per load which of its rows change their grid (for lines a row may stand several times, piece by piece).
    """

    wider: tuple[tuple[str, str, Section], ...] = ()
    weights: Weights = Weights()

    @property
    def moves(self) -> Moves:
        """Which event goes from which grid to which: rows of the load `events`."""
        return self.moved.get(EVENTS, NO_MOVES)

    def as_json(self) -> dict[str, Any]:
        """Everything as HTTP writes it, in a stable order; numbers are finite, counts whole, the rest rounded to 1e-6."""
        wider = [{"layer": layer, "level": level, **section.as_json()} for layer, level, section in self.wider]
        return {**super().as_json(), "wider": wider, "weights": dict(self.weights.of)}
