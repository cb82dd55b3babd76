"""Assignment: the answer to "whose is it?", for one place; and the stable words that it uses."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

#: How a grid was found; arrays hold the index into this tuple (uint8). The last two are given by the address matcher and by an officer.
METHODS: tuple[str, ...] = ("inside", "edge", "nearest", "none", "address", "override")

INSIDE, EDGE, NEAREST, NONE = range(4)

#: Why no grid was found; arrays hold the index into this tuple (uint8), 0 where one was found.
REASONS: tuple[str | None, ...] = (None, "outside-all-grids", "beyond-tolerance", "no-boundaries", "no-position")

FOUND, OUTSIDE, BEYOND, NO_BOUNDARIES, NO_POSITION = range(5)


@dataclass(frozen=True)
class Candidate:
    """A grid that covers the place (`distance_m` 0) or lies near it; `probability` is None when no accuracy was given."""

    grid: str
    layer: str
    probability: float | None
    distance_m: float

    def as_json(self) -> dict[str, Any]:
        """The candidate as the contract spells it; the distance is rounded to the millimetre."""
        return {
            "grid": self.grid,
            "layer": self.layer,
            "probability": self.probability,
            "distance_m": round(self.distance_m, 3),
        }


@dataclass(frozen=True)
class Assignment:
    """Whose a place is: the winner, how it won, the grid of every layer, its ancestors, and who else is near.

    `grid` is None and `reason` one of REASONS when nobody is found. `layers` names every layer in force. `path` goes from
    the widest ancestor to the grid itself. `distance_to_edge_m` is in a metric plane at the place, to the winner's border.
    `candidates` stand in the order of the rule: covering grids by priority and code, then the others by distance.
    `rule` is the rule of jurisdiction that put the winner's layer first (None: the priorities did), `backup` who stands in.
    With an accuracy, `owners` share the report (the winner first), and `told` hear of it; both empty without one.
    """

    grid: str | None
    method: str
    reason: str | None
    layers: dict[str, str | None]
    path: list[dict[str, Any]]
    distance_to_edge_m: float | None
    probability: float | None
    ambiguous: bool
    candidates: tuple[Candidate, ...]
    generation: int
    rule: str | None = None
    backup: str | None = None
    owners: tuple[str, ...] = ()
    told: tuple[str, ...] = ()

    def as_json(self) -> dict[str, Any]:
        """The assignment exactly as the contract spells it; distances are rounded to the millimetre."""
        distance = self.distance_to_edge_m
        return {
            "grid": self.grid,
            "method": self.method,
            "reason": self.reason,
            "layers": dict(self.layers),
            "path": list(self.path),
            "distance_to_edge_m": None if distance is None else round(distance, 3),
            "probability": self.probability,
            "ambiguous": self.ambiguous,
            "candidates": [candidate.as_json() for candidate in self.candidates],
            "generation": self.generation,
            "rule": self.rule,
            "backup": self.backup,
            "owners": list(self.owners),
            "told": list(self.told),
        }
