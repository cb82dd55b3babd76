"""A drawn town over HTTP: published in three generations, asked through the application itself.

    north  A2 | B2      A1, A2 lie in village V1 (west), B1, B2 in V2 (east); each square is 0.01 degrees wide.
           ---M---      M is a market (dedicated) over the corner where the four meet.
    south  A1 | B1

Generation 1, in effect from BEGUN: as drawn. Generation 2, from RENAMED: A1 is called 南桥. Generation 3, from MERGED: B1 and
B2 become B3.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import numpy as np
import shapely
from fastapi.testclient import TestClient

from api.app import create_app
from api.settings import DEMO_KEY, Settings
from gis.store import generations
from gis.store.engine import create_engine
from gis.store.generations import Publication
from gis.supersede import Incoming

LON, LAT = 121.2, 32.05
BEGUN, RENAMED, MERGED = (datetime(2025, month, 1, tzinfo=UTC) for month in (1, 4, 7))
KEYS = "v-key:vera:viewer,m-key:mia:member,d-key:dan:dispatcher"


def square(west: float, south: float, east: float, north: float) -> shapely.Polygon:
    """A box in hundredths of a degree from the town's south-west corner."""
    return shapely.box(LON + west / 100, LAT + south / 100, LON + east / 100, LAT + north / 100)


def incoming(grids: dict[str, tuple[str, str | None, Any]], layer: str = "general", level: str = "grid") -> Incoming:
    """Code -> (name, parent, shape) as a file would bring them."""
    shapes = np.empty(len(grids), dtype=object)
    shapes[:] = [shape for _, _, shape in grids.values()]
    names, parents = ([one[i] for one in grids.values()] for i in (0, 1))
    return Incoming(layer, level, tuple(grids), tuple(names), tuple(parents), shapes)


VILLAGES = {"V1": ("甲村", None, square(0, 0, 1, 2)), "V2": ("乙村", None, square(1, 0, 2, 2))}
WEST = {"A1": ("甲一", "V1", square(0, 0, 1, 1)), "A2": ("甲二", "V1", square(0, 1, 1, 2))}
EAST = {"B1": ("乙一", "V2", square(1, 0, 2, 1)), "B2": ("乙二", "V2", square(1, 1, 2, 2))}
MARKET = {"M": ("市场", None, square(0.75, 0.75, 1.25, 1.25))}
RENAMED_WEST = WEST | {"A1": ("南桥", *WEST["A1"][1:])}
#: With a vertex where the border between A1 and A2 meets it, as a valid partition has.
MERGED_EAST = {"B3": ("乙三", "V2", square(1, 0, 2, 1).union(square(1, 1, 2, 2)))}


@dataclass(frozen=True)
class Drawn:
    """What tests need of the town: the instants, and how to publish more of it."""

    url: str

    def publish(self, *parts: Incoming, effective_at: datetime | None = None, **more: Any) -> Any:
        """A generation is published in a transaction of its own."""
        engine = create_engine(self.url, pool_size=1)
        try:
            with engine.begin() as connection:
                return generations.publish(connection, Publication(parts, "test", "admin", effective_at, **more))
        finally:
            engine.dispose()


def settings_of(url: str, **changes: Any) -> Settings:
    return Settings(**({"database_url": url, "demo": True, "api_keys": KEYS, "pool_size": 4} | changes))


class Asking:
    """A client with a key; `anonymous` has none. A server error is an answer here, not an exception."""

    def __init__(self, url: str, **changes: Any) -> None:
        self.url = url
        self.app = create_app(settings_of(url, **changes))
        self.http = TestClient(self.app, raise_server_exceptions=False, headers={"Authorization": f"Bearer {DEMO_KEY}"})

    def as_(self, key: str | None) -> TestClient:
        """The same application, asked with another key or none."""
        headers = {} if key is None else {"X-API-Key": key}
        return TestClient(self.app, raise_server_exceptions=False, headers=headers)

    def query(self, statement: str, **values: Any) -> list[Any]:
        """Rows straight from the store."""
        import sqlalchemy as sa

        with self.app.state.engine.begin() as connection:
            result = connection.execute(sa.text(statement), values)
            return list(result.all()) if result.returns_rows else []

    def report(self, **fields: Any) -> Any:
        """One report in A1, unless told otherwise, is posted."""
        body = {"lon": LON + 0.005, "lat": LAT + 0.005, "channel": "hotline"} | fields
        return self.http.post("/v1/events", json={name: value for name, value in body.items() if value is not ...})


def publish_town(url: str) -> None:
    """The drawn town is in the store at `url`, three generations of it."""
    town = Drawn(url)
    town.publish(
        incoming(VILLAGES, level="community"), incoming(WEST | EAST), incoming(MARKET, "dedicated"), effective_at=BEGUN
    )
    town.publish(incoming(RENAMED_WEST | EAST), effective_at=RENAMED)
    town.publish(incoming(RENAMED_WEST | MERGED_EAST), effective_at=MERGED)
