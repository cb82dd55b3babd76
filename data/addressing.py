"""Addressing: a report with an address alone gets its readings from the gazetteer, and its grid from the readings.

Two steps, so that a receipt can be replayed: the gazetteer of that day may be gone, but the readings stand in the grounds.
"""

from __future__ import annotations

from typing import Any

from gis.addressanswer import AddressAnswer
from gis.addressgrids import AddressPlace, address_place
from gis.gazetteer import MATCHER, Gazetteer
from gis.locate import GridIndex


def readings_of(gazetteer: Gazetteer, address: str | None) -> dict[str, Any] | None:
    """What the address may mean, as JSON for the grounds of a receipt; None without an address or without any gazetteer."""
    if not address or not len(gazetteer):
        return None
    return {"matcher": MATCHER, "gazetteer": gazetteer.version} | gazetteer.find(address).as_json()


def place_of(index: GridIndex, readings: dict[str, Any], *, sure_from: float = 0.8) -> AddressPlace:
    """Whose the place is that the readings mean: method "address", or nobody's with the reason for the queue."""
    return address_place(index, AddressAnswer.of(readings), sure_from=sure_from)
