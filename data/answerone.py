"""Answer one: whose a place is, told in numbers or in words; nothing is stored."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

from data.decide import Place, Policy, Question, decide
from data.inforce import in_force
from data.intake import with_readings
from data.report import address_of
from gis.addressanswer import AddressAnswer
from gis.addressgrids import address_place
from gis.assignment import Assignment
from gis.errors import ParameterInvalid
from gis.locate import GridIndex
from gis.store.engine import Connection
from gis.store.live import Live, State


def place_asked(x: float | None, y: float | None, address: str | None, *, crs: str, accuracy_m: float | None) -> Place:
    """The place that is asked about: a position or an address, not both; ParameterInvalid names what is missing or too much.

    Raises what `data.report.address_of` raises for an address that is empty or too long.
    """
    if address is None:
        missing = next((name for name, value in (("lon", x), ("lat", y)) if value is None), None)
        if missing is not None:
            raise ParameterInvalid("say where: lon and lat, or an address", place=missing)
        return Place(x, y, crs, accuracy_m)
    given = next(
        (name for name, value in (("lon", x), ("lat", y), ("accuracy_m", accuracy_m)) if value is not None), None
    )
    if given is not None:
        raise ParameterInvalid(f"{given} and address exclude each other", place=given)
    return Place(None, None, address=address_of({"address": address}))


def answer_one(
    connection: Connection, live: Live, state: State, question: Question, policy: Policy, layer: str | None = None
) -> dict[str, Any]:
    """The Assignment as JSON, by the rules in force now; one `layer` alone is asked without rules and probabilities.

    For an address also `suggestions`: what the gazetteer of now takes it for, the best first. Raises what `gis.crs.one_to_storage`
    raises, ParameterInvalid for a layer without grids.
    """
    (asked,) = with_readings(connection, live, [question])
    if layer is None:
        found = decide(state, asked, in_force(connection, live, state, policy)).assignment
    else:
        found = _in_layer(state.index_of(layer), asked, policy)
    if asked.place.x is not None:
        return found.as_json()
    return found.as_json() | {"suggestions": asked.readings["candidates"] if asked.readings else []}


def _in_layer(index: GridIndex, asked: Question, policy: Policy) -> Assignment:
    position = asked.place.lon_lat()
    if position is None and asked.readings is not None:
        return address_place(index, AddressAnswer.of(asked.readings)).assignment
    if position is None:
        return replace(index.one(math.nan, math.nan), reason="address-only")
    within_m = policy.within_m(asked.place.accuracy_m)
    return index.one(*position, tolerance_m=policy.tolerance_m, candidates_within_m=within_m)
