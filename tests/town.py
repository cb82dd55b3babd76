"""Drawn towns: an ASCII plan becomes grids, one square of 100 units a letter, so that answers can be computed by hand.

The plan's lower left corner stands at LON, LAT; one letter is STEP degrees wide and high (a power of two, so corners and
middles are exact doubles). A blank or a dot belongs to nobody.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import numpy as np
import shapely
import sqlalchemy as sa

from gis.store.generations import Generation, Publication, publish
from gis.supersede import Incoming

LON, LAT, STEP = 121.1875, 32.03125, 2.0**-10

SINCE = datetime(2025, 1, 1, tzinfo=UTC)


def shapes(plan: str) -> dict[str, Any]:
    """Letter -> its polygon."""
    rows = [row.strip() for row in plan.strip().splitlines()]
    cells: dict[str, list[Any]] = {}
    for j, row in enumerate(reversed(rows)):
        for i, letter in enumerate(row):
            if letter not in ". ":
                west, south = LON + i * STEP, LAT + j * STEP
                cells.setdefault(letter, []).append(shapely.box(west, south, west + STEP, south + STEP))
    return {letter: shapely.simplify(shapely.union_all(boxes), 0) for letter, boxes in cells.items()}


def place(column: float, row: float) -> tuple[float, float]:
    """lon, lat of a place of the plan, in letters from its lower left corner."""
    return LON + column * STEP, LAT + row * STEP


def drawn(
    plan: str,
    layer: str = "general",
    level: str = "grid",
    *,
    codes: Mapping[str, str] | None = None,
    names: Mapping[str, str] | None = None,
    parents: Mapping[str, str] | None = None,
    match: str = "code",
) -> Incoming:
    """The plan's grids as a file would bring them; a letter is its own code and name unless told otherwise."""
    found = shapes(plan)
    geometry = np.empty(len(found), dtype=object)
    geometry[:] = list(found.values())
    return Incoming(
        layer,
        level,
        tuple((codes or {}).get(letter, letter) for letter in found),
        tuple((names or {}).get(letter, letter) for letter in found),
        tuple((parents or {}).get(letter) for letter in found),
        geometry,
        match=match,
    )


def published(connection: sa.Connection, *incoming: Incoming, at: datetime | None = SINCE, **more: Any) -> Generation:
    """The generation that these partitions became."""
    return publish(connection, Publication(incoming, "tester", "planner", at, **more))
