"""Town loads: what grids carry, read whole from the store as arrays: events, households, streets.

Reading takes a second or so a million rows; `LiveLoads` keeps what it read for a moment, so that a planner who draws does not wait.
Every answer says as of when it is.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

import numpy as np
import sqlalchemy as sa

from gis.loads import LineLoad, Load, PointLoad, event_load
from gis.store.context import read_streets
from gis.store.generations import clock
from gis.store.households import read_households

#: Loads that were read within this time are given again, unless fresh ones are asked for.
KEEP: Final = timedelta(seconds=30)

EVENTS: Final = sa.text("""
    SELECT id, ST_X(geom) AS lon, ST_Y(geom) AS lat, status = 'open' AS is_open, category, occurred_at AT TIME ZONE 'UTC' AS occurred
    FROM event e WHERE geom IS NOT NULL AND NOT EXISTS (SELECT FROM event_duplicate d WHERE d.event = e.id)
    ORDER BY id
""")


@dataclass(frozen=True)
class TownLoads:
    """What lies where in town, as the store had it at `as_of`; `events[i]` is the id of row i of the load `events`."""

    as_of: datetime
    loads: dict[str, Load]
    events: Sequence[UUID]


def read_loads(connection: sa.Connection) -> TownLoads:
    """Everything that a redraw moves: events with a position (linked duplicates once), households, streets."""
    now = clock(connection)
    rows = connection.execute(EVENTS).all()
    ids, lon, lat, is_open, category, occurred = zip(*rows, strict=True) if rows else ((),) * 6
    loads: dict[str, Load] = {
        "events": event_load(
            np.array(lon, dtype=np.float64),
            np.array(lat, dtype=np.float64),
            is_open=np.array(is_open, dtype=bool),
            category=category,
            occurred_at=np.array(occurred, dtype="datetime64[us]"),
            until=now,
        )
    }
    place_lon, place_lat, counts = read_households(connection)
    if len(counts):
        loads["households"] = PointLoad(place_lon, place_lat, {"households": counts})
    streets = read_streets(connection)
    if len(streets):
        loads["streets"] = LineLoad(streets)
    return TownLoads(now, loads, ids)


class LiveLoads:
    """The loads of this process, read again when they are older than `keep`. Safe in threads."""

    def __init__(self, keep: timedelta = KEEP) -> None:
        self._keep = keep
        self._held: TownLoads | None = None
        self._lock = threading.Lock()

    def loads(self, connection: sa.Connection, *, fresh: bool = False) -> TownLoads:
        """The loads, at most `keep` old; with `fresh` as the store has them now."""
        with self._lock:
            held = self._held
            if fresh or held is None or clock(connection) - held.as_of > self._keep:
                held = self._held = read_loads(connection)
            return held
