"""Households: points with counts, for load and exposure."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

import numpy as np
import numpy.typing as npt
import sqlalchemy as sa

from gis.locate import GridIndex
from gis.prior import household_weights
from gis.store.generations import clock
from gis.store.ids import made_at, uuid7


@dataclass(frozen=True)
class NewHousehold:
    """Households at one place; `lon`, `lat` are WGS 84, `crs` and `converter` say where they came from."""

    lon: float
    lat: float
    households: int
    external_id: str | None = None
    address: str | None = None
    crs: str = "wgs84"
    converter: str = ""


#: Loads take their turns, so that the newest id tells of every one that is committed; readers are not held up.
LOCK = sa.text("LOCK TABLE household IN EXCLUSIVE MODE")
NEWEST = sa.text("SELECT id FROM household ORDER BY id DESC LIMIT 1")
UPSERT = sa.text("""
    INSERT INTO household (id, external_id, geom, households, address, crs, converter, loaded_at)
    VALUES (:id, :external_id, ST_SetSRID(ST_MakePoint(:lon, :lat), 4326), :households, :address, :crs, :converter, :loaded_at)
    ON CONFLICT (external_id) DO UPDATE SET id = excluded.id, geom = excluded.geom, households = excluded.households,
        address = excluded.address, crs = excluded.crs, converter = excluded.converter, loaded_at = excluded.loaded_at
""")


def store_households(connection: sa.Connection, households: Sequence[NewHousehold]) -> None:
    """The households are stored in the caller's transaction; one with a known external id replaces the older.

    Their ids are greater than all earlier ones, also those of the same millisecond: a change shows in the newest id.
    """
    if households:
        connection.execute(LOCK)
        now, newest = clock(connection), newest_household(connection)
        later = now if newest is None else max(now, made_at(newest) + timedelta(milliseconds=1))
        connection.execute(UPSERT, [vars(one) | {"id": uuid7(later), "loaded_at": now} for one in households])


def newest_household(connection: sa.Connection) -> UUID | None:
    """The id that was given last; None without households."""
    newest: UUID | None = connection.execute(NEWEST).scalar()
    return newest


def read_households(
    connection: sa.Connection,
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64], npt.NDArray[np.int64]]:
    """lon, lat and count of every household point."""
    rows = connection.execute(sa.text("SELECT ST_X(geom), ST_Y(geom), households FROM household")).all()
    table = np.array([tuple(row) for row in rows], dtype=np.float64).reshape(-1, 3)
    return table[:, 0].copy(), table[:, 1].copy(), table[:, 2].astype(np.int64)


class LiveHouseholds:
    """The weights of households in the indices of this process, counted anew when other households are stored. Safe in threads."""

    def __init__(self, keep: int = 6) -> None:
        self._keep = keep
        self._held: OrderedDict[int, tuple[GridIndex, UUID, Mapping[str, float]]] = OrderedDict()
        self._lock = threading.Lock()

    def weights(self, connection: sa.Connection, index: GridIndex) -> Mapping[str, float] | None:
        """Code -> weight as `gis.prior.household_weights` counts it, as stored now; None when no households are known."""
        newest = newest_household(connection)
        if newest is None:
            return None
        with self._lock:
            index_held, counted, weights = self._held.get(id(index), (None, None, {}))
            if index_held is not index or counted != newest:
                weights = household_weights(index, *read_households(connection))
                self._held[id(index)] = index, newest, weights
                while len(self._held) > self._keep:
                    self._held.popitem(last=False)
            self._held.move_to_end(id(index))
            return weights
