"""Addressing: a report with an address alone gets its readings from the gazetteer, and its grid from the readings.

Two steps, so that a receipt can be replayed: the gazetteer of that day may be gone, but the readings stand in the grounds.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from gis.addressanswer import AddressAnswer, AddressCandidate
from gis.addressgrids import AddressPlace, address_place
from gis.gazetteer import MATCHER, Gazetteer
from gis.jurisdiction import Choice, Facts, choose, order_by
from gis.locate import GridIndex
from gis.policy import PolicyDocument
from gis.store.live import State


def readings_of(gazetteer: Gazetteer, address: str | None) -> dict[str, Any] | None:
    """What the address may mean, as JSON for the grounds of a receipt; None without an address or without any gazetteer."""
    if not address or not len(gazetteer):
        return None
    return {"matcher": MATCHER, "gazetteer": gazetteer.version} | gazetteer.find(address).as_json()


def place_of(state: State, readings: dict[str, Any], document: PolicyDocument, facts: Facts) -> AddressPlace:
    """Whose the place is that the readings mean: method "address", or nobody's with the reason for the queue.

    As for a position, a rule of jurisdiction may put another layer first (asked where each reading lies), and the policy says what
    becomes of a place that is not sure.
    """

    def choice_at(lon: float, lat: float) -> Choice | None:
        return choose(state.index.layers_at(lon, lat), document.rules, facts, document.zone)

    def index_of(one: AddressCandidate) -> GridIndex:
        return state.in_order(order_by(choice_at(one.lon, one.lat), state.index.layers))

    entry = document.in_doubt(facts)
    found = address_place(
        state.index,
        AddressAnswer.of(readings),
        sure_from=entry.threshold,
        tell=entry.tell,
        policy=entry.policy,
        index_of=index_of if document.rules else None,
    )
    choice = None if found.lon_lat is None else choice_at(*found.lon_lat)
    if choice is None:
        return found
    rule = choice.rule.id if choice.rule is not None else None
    backup = choice.backup if choice.backup != found.assignment.grid else None
    return replace(found, assignment=replace(found.assignment, rule=rule, backup=backup))
