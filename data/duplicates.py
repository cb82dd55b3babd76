"""Likely duplicates of a report: its neighbours in the store, compared; shown to people, never acted upon."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

from gis.duplicates import Likeness, Told, likely, likeness
from gis.store.duplicates import Place, neighbours
from gis.store.engine import Engine
from gis.store.errors import DRIVER_ERRORS

log = logging.getLogger("gridbeat.duplicates")


def likely_duplicates(engine: Engine, event: Mapping[str, Any]) -> list[Likeness] | None:
    """The stored events that probably tell of the same thing as this one (a row of `read_event`), likeliest first.

    None when they could not be looked for (the store was busy or gone): whoever asks has stored the report already and must not
    be told otherwise. An event without a position has none.
    """
    if event["lon"] is None:
        return []
    told = Told(
        event["id"], event["occurred_at"], event["category"], event["category_scheme"], event["text"], event["address"],
        event["reporter"],
    )  # fmt: skip
    try:
        rule, near = neighbours(engine, told, Place(event["lon"], event["lat"], event["occurred_at"]))
    except DRIVER_ERRORS as error:
        log.warning("duplicates of %s were not looked for: %s", event["id"], str(error).partition("\n")[0])
        return None
    return likely(likeness(told, one.told, one.distance_m, rule) for one in near)
