"""Households: points with counts, for load and exposure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import sqlalchemy as sa

from gis.store.generations import clock
from gis.store.ids import uuid7


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


UPSERT = sa.text("""
    INSERT INTO household (id, external_id, geom, households, address, crs, converter, loaded_at)
    VALUES (:id, :external_id, ST_SetSRID(ST_MakePoint(:lon, :lat), 4326), :households, :address, :crs, :converter, :loaded_at)
    ON CONFLICT (external_id) DO UPDATE SET geom = excluded.geom, households = excluded.households, address = excluded.address,
        crs = excluded.crs, converter = excluded.converter, loaded_at = excluded.loaded_at
""")


def store_households(connection: sa.Connection, households: Sequence[NewHousehold]) -> None:
    """The households are stored in the caller's transaction; one with a known external id replaces the older."""
    if households:
        now = clock(connection)
        connection.execute(UPSERT, [vars(one) | {"id": uuid7(now), "loaded_at": now} for one in households])


def read_households(
    connection: sa.Connection,
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64], npt.NDArray[np.int64]]:
    """lon, lat and count of every household point."""
    rows = connection.execute(sa.text("SELECT ST_X(geom), ST_Y(geom), households FROM household")).all()
    table = np.array([tuple(row) for row in rows], dtype=np.float64).reshape(-1, 3)
    return table[:, 0].copy(), table[:, 1].copy(), table[:, 2].astype(np.int64)
