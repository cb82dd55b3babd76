"""Decide: whose a report is, and the grounds of it: everything that is needed to decide the same again.

A decision is a function of the question as it was put, the state of the boundaries and the policy; no clock, no store. So a
receipt that keeps its grounds can be replayed: the same question, the state at its moment, the policy of its number.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

import numpy as np
import numpy.typing as npt

from data.addressing import place_of
from data.report import Report
from gis.assess import assess
from gis.assignment import Assignment
from gis.claims import Claims
from gis.crs import one_to_storage, parse_datum
from gis.doubt import reach
from gis.jurisdiction import Facts, choose, order_by
from gis.locate import Located
from gis.nearby import Floats
from gis.policy import InDoubt, PolicyDocument
from gis.prior import kept_prior
from gis.store.live import State

#: A place so unsure that more grids than this are in reach is decided without a prior: its receipt would keep all their weights.
IN_REACH = 200


@dataclass(frozen=True)
class Policy:
    """How places are answered: distances in metres for borders and the outside, and the version of the policy document.

    `households`: code -> weight where households live, for a document that has this prior; None when nothing is known of them.
    """

    tolerance_m: float = 10.0
    candidates_within_m: float = 50.0
    document: PolicyDocument = field(default_factory=PolicyDocument)
    households: Mapping[str, float] | None = None

    @classmethod
    def of(cls, grounds: dict[str, Any], version: Callable[[int], PolicyDocument]) -> Policy:
        """The policy that a receipt was decided by; `version` finds its document."""
        kept = grounds["policy"]
        return cls(kept["tolerance_m"], kept["candidates_within_m"], version(kept["number"]))

    def as_grounds(self) -> dict[str, Any]:
        """What a receipt keeps of it."""
        return {
            "tolerance_m": self.tolerance_m,
            "candidates_within_m": self.candidates_within_m,
            "number": self.document.number,
        }

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

    def lon_lat(self) -> tuple[float, float] | None:
        """The position in WGS 84; None without one. Raises what `gis.crs.one_to_storage` raises."""
        if self.x is None or self.y is None:
            return None
        return one_to_storage(self.x, self.y, parse_datum(self.crs))


@dataclass(frozen=True)
class Question:
    """A place and the facts, to ask whose it is; without a position, what the gazetteer of then made of the address.

    `prior`: what was known before, when a receipt answers the question again; a new question has none, the policy has.
    """

    place: Place
    facts: Facts
    readings: dict[str, Any] | None = None
    prior: dict[str, Any] | None = None

    @classmethod
    def of_report(cls, report: Report, at: datetime) -> Question:
        """The question a report puts when it is received."""
        place = Place(report.x, report.y, report.datum.name, report.accuracy_m, report.address)
        return cls(place, Facts(at, report.category, report.channel, report.asset_owner))

    @classmethod
    def of(cls, grounds: dict[str, Any]) -> Question:
        """The question that a receipt answered."""
        facts = grounds["facts"] | {"at": datetime.fromisoformat(grounds["facts"]["at"])}
        return cls(Place(**grounds["place"]), Facts(**facts), grounds.get("readings"), grounds.get("prior"))

    def as_grounds(self) -> dict[str, Any]:
        """What a receipt keeps of it."""
        kept = {"place": dict(vars(self.place)), "facts": vars(self.facts) | {"at": self.facts.at.isoformat()}}
        return kept if self.readings is None else kept | {"readings": self.readings}


@dataclass(frozen=True)
class Decision:
    """The assignment, the position it was made for, and its grounds as the receipt keeps them (JSON values).

    With an accuracy the grounds have `doubt`, the probabilities (`gis.doubt.Doubt.as_json`), and `prior`, the name and the weights
    of the grids in reach, when one was used.
    """

    assignment: Assignment
    lon_lat: tuple[float, float] | None
    grounds: dict[str, Any]


def decide(state: State, question: Question, policy: Policy) -> Decision:
    """Whose the place is; one with an address alone by its readings, or it waits in the queue until somebody says."""
    position = question.place.lon_lat()
    grounds = question.as_grounds() | {"policy": policy.as_grounds()}
    if position is None and question.readings is not None:
        found = place_of(state, question.readings, policy.document, question.facts)
        return Decision(found.assignment, None, grounds)
    if position is None:
        nowhere = state.index.one(float("nan"), float("nan"))
        return Decision(replace(nowhere, reason="address-only"), None, grounds)
    assignment, likely = _at(state, position, question, policy)
    return Decision(assignment, position, grounds | likely)


def _at(
    state: State, position: tuple[float, float], question: Question, policy: Policy
) -> tuple[Assignment, dict[str, Any]]:
    """By the priorities unless a rule of jurisdiction puts another layer first; with an accuracy by the likeliest winner.

    Second, what the grounds keep of the probabilities; empty without any.
    """
    accuracy_m, document = question.place.accuracy_m, policy.document
    likely: dict[str, Any] = {}
    choice = choose(state.index.layers_at(*position), document.rules, question.facts, document.zone)
    rule = choice.rule.id if choice is not None and choice.rule is not None else None
    layers = order_by(choice, state.index.layers)
    if accuracy_m is not None and len(state.index):
        found, likely = _in_doubt(state.claims(layers), position, accuracy_m, question, policy)
    else:
        distances = {"tolerance_m": policy.tolerance_m, "candidates_within_m": policy.within_m(accuracy_m)}
        found = state.in_order(layers).one(*position, **distances)
    backup = choice.backup if choice and choice.backup != found.grid else None
    return replace(found, rule=rule, backup=backup), likely


def _in_doubt(
    claims: Claims, position: tuple[float, float], accuracy_m: float, question: Question, policy: Policy
) -> tuple[Assignment, dict[str, Any]]:
    """The likeliest winner, what the policy makes of it, who else owns it or hears of it; and `doubt`, `prior` for the grounds."""
    entry = policy.document.in_doubt(question.facts)
    prior = question.prior or _known_before(claims, position, accuracy_m, entry, policy)
    found = assess(
        claims,
        *position,
        accuracy_m,
        policy=entry.policy,
        threshold=entry.threshold,
        tell=entry.tell,
        prior=kept_prior(claims, **prior) if prior else None,
        tolerance_m=policy.tolerance_m,
        candidates_within_m=policy.within_m(accuracy_m),
    )
    if found.decision is None or found.doubt is None:
        return found.assignment, {}
    likely = {"doubt": found.doubt.as_json()} | ({"prior": prior} if prior else {})
    return replace(found.assignment, owners=found.decision.owners, told=found.decision.told), likely


def _known_before(
    claims: Claims, position: tuple[float, float], accuracy_m: float, entry: InDoubt, policy: Policy
) -> dict[str, Any] | None:
    """The prior that the policy's entry names, as the grounds keep it: the weights of the grids that can matter, no others.

    None without one, where nothing is known of households, and where more than IN_REACH grids can matter.
    """
    if entry.prior == "none" or policy.households is None:
        return None
    codes = [claims.index.codes[grid] for grid in reach(claims, *position, accuracy_m).tolist()]
    if len(codes) > IN_REACH:
        return None
    return {"name": entry.prior, "weights": {code: policy.households.get(code, 1.0) for code in codes}}


def locate_by_rules(state: State, lon: Floats, lat: Floats, policy: Policy, facts: Facts) -> Located:
    """`decide` for many places of the same facts, without candidates and paths: the same winners, as arrays.

    Only places that several layers cover are looked at one by one, and only when there are rules at all.
    """
    located = state.index.locate(lon, lat, tolerance_m=policy.tolerance_m)
    if not policy.document.rules:
        return located
    by_layer = np.array([located.by_layer[layer] for layer in state.index.layers]).reshape(
        len(state.index.layers), len(lon)
    )
    first: dict[str, list[int]] = {}
    for row in np.flatnonzero((by_layer >= 0).sum(axis=0) > 1).tolist():
        layers = {
            layer: located.codes[i] if i >= 0 else None
            for layer, i in zip(state.index.layers, by_layer[:, row].tolist(), strict=True)
        }
        choice = choose(layers, policy.document.rules, facts, policy.document.zone)
        if choice is not None and choice.rule is not None:
            first.setdefault(choice.layer, []).append(row)
    for layer, rows in first.items():
        _put_first(state, layer, np.array(rows), lon, lat, located)
    return located


def _put_first(
    state: State, layer: str, rows: npt.NDArray[np.int64], lon: Floats, lat: Floats, located: Located
) -> None:
    """The rows are answered by `layer`, written in place; only layers that cover them come here."""
    found = state.in_order((layer,)).locate(lon[rows], lat[rows])
    position = {code: i for i, code in enumerate(located.codes)}
    located.winner[rows] = [position[found.codes[i]] for i in found.winner.tolist()]
    located.method[rows] = found.method
    located.distance_m[rows] = found.distance_m
