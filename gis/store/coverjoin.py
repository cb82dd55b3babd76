"""The assignment as a plain join in PostGIS: a peer of the index in benchmarks, on temporary tables that nobody else sees."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import shapely
import sqlalchemy as sa

from gis.partition import Geometries


class CoverJoin:
    """Polygons in a temporary table with a GiST index, for as long as the connection's transaction lives."""

    def __init__(self, connection: sa.Connection, geometry: Geometries) -> None:
        self._connection = connection
        self._do("CREATE TEMPORARY TABLE bench_grid (grid bigint, shape geometry) ON COMMIT DROP")
        self._copy("COPY bench_grid (grid, shape) FROM STDIN", enumerate(shapely.to_wkb(geometry, hex=True)))
        self._do("CREATE INDEX ON bench_grid USING gist (shape)")
        self._do("ANALYZE bench_grid")
        self._do("SET LOCAL max_parallel_workers_per_gather = 0")
        self._do("CREATE TEMPORARY TABLE bench_place (place bigint, lon float8, lat float8) ON COMMIT DROP")

    def load(self, places: npt.NDArray[np.float64]) -> None:
        """The places asked for lie in the server."""
        self._do("TRUNCATE bench_place")
        rows = ((i, lon, lat) for i, (lon, lat) in enumerate(places.tolist()))
        self._copy("COPY bench_place (place, lon, lat) FROM STDIN", rows)
        self._do("ANALYZE bench_place")

    def ask(self) -> list[tuple[int, int]]:
        """(place, lowest grid that covers it), of the places that a grid covers."""
        rows = self._connection.execute(
            sa.text(
                """
                SELECT p.place, min(g.grid)
                FROM bench_place p
                JOIN bench_grid g ON ST_Covers(g.shape, ST_Point(p.lon, p.lat))
                GROUP BY p.place
                """
            )
        )
        return [(place, grid) for place, grid in rows]

    def _do(self, statement: str) -> None:
        self._connection.execute(sa.text(statement))

    def _copy(self, statement: str, rows: Any) -> None:
        driver: Any = self._connection.connection.driver_connection
        with driver.cursor().copy(statement) as copy:
            for row in rows:
                copy.write_row(row)
