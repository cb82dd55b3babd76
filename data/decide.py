"""Decide: whose a report is, and the grounds of it: everything that is needed to decide the same again.

A decision is a function of the place as it was given, the state of the boundaries and the policy; no clock, no store. So a
receipt that keeps its grounds can be replayed: `decide(state at its moment, Place.of(grounds), Policy.of(grounds))`.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import Any

from data.report import Report
from gis.assignment import Assignment
from gis.crs import one_to_storage, parse_datum
from gis.store.live import State


@dataclass(frozen=True)
class Policy:
    """How places near a border or outside are answered; distances in metres."""

    tolerance_m: float = 10.0
    candidates_within_m: float = 50.0

    @classmethod
    def of(cls, grounds: dict[str, Any]) -> Policy:
        """The policy that a receipt was decided by."""
        return cls(**grounds["policy"])

    def within_m(self, accuracy_m: float | None) -> float:
        """How far candidates are looked for: as configured, or as far as the device's doubt, at most a kilometre."""
        return max(self.candidates_within_m, min(accuracy_m or 0.0, 1_000.0))


@dataclass(frozen=True)
class Place:
    """A place as it was given: `x`, `y` in `crs` (None without a position), how sure the device was, and words."""

    x: float | None
    y: float | None
    crs: str = "wgs84"
    accuracy_m: float | None = None
    address: str | None = None

    @classmethod
    def of(cls, grounds: dict[str, Any]) -> Place:
        """The place that a receipt was decided for."""
        return cls(**grounds["place"])

    @classmethod
    def of_report(cls, report: Report) -> Place:
        """Where a report says it is."""
        return cls(report.x, report.y, report.datum.name, report.accuracy_m, report.address)

    def lon_lat(self) -> tuple[float, float] | None:
        """The position in WGS 84; None without one. Raises what `gis.crs.one_to_storage` raises."""
        if self.x is None or self.y is None:
            return None
        return one_to_storage(self.x, self.y, parse_datum(self.crs))


@dataclass(frozen=True)
class Decision:
    """The assignment, the position it was made for, and its grounds as the receipt keeps them (JSON values)."""

    assignment: Assignment
    lon_lat: tuple[float, float] | None
    grounds: dict[str, Any]


def decide(state: State, place: Place, policy: Policy) -> Decision:
    """Whose the place is; one with an address alone waits in the queue until somebody says."""
    position = place.lon_lat()
    grounds = {"place": asdict(place), "policy": asdict(policy)}
    if position is None:
        nowhere = state.index.one(float("nan"), float("nan"))
        return Decision(replace(nowhere, reason="address-only"), None, grounds)
    within_m = policy.within_m(place.accuracy_m)
    found = state.index.one(*position, tolerance_m=policy.tolerance_m, candidates_within_m=within_m)
    return Decision(found, position, grounds)
