"""Ground within sight of walks as buffers in PostGIS: a peer of the sweep in benchmarks, on temporary tables that nobody else sees."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import shapely
import sqlalchemy as sa

from gis.partition import Geometries

SWEPT = sa.text("""
    SELECT g.grid, ST_Area(ST_Intersection(g.shape, ST_Union(ST_Buffer(w.shape, :sight_m)))) / ST_Area(g.shape) AS share
    FROM bench_ground g JOIN bench_walk w ON ST_DWithin(w.shape, g.shape, :sight_m)
    WHERE g.grid = ANY(:some) GROUP BY g.grid, g.shape
""")


class SweptJoin:
    """Grids and walks in metres of one plane, in temporary tables with GiST, for as long as the connection's transaction lives."""

    def __init__(self, connection: sa.Connection, grounds: Geometries, walks: Geometries) -> None:
        self._connection = connection
        for table, shapes in (("bench_ground", grounds), ("bench_walk", walks)):
            self._do(f"CREATE TEMPORARY TABLE {table} (grid bigint, shape geometry) ON COMMIT DROP")
            self._copy(f"COPY {table} (grid, shape) FROM STDIN", shapes)
            self._do(f"CREATE INDEX ON {table} USING gist (shape)")
            self._do(f"ANALYZE {table}")
        self._do("SET LOCAL max_parallel_workers_per_gather = 0")

    def ask(self, some: npt.NDArray[np.int64], sight_m: float) -> npt.NDArray[np.float64]:
        """The share of each of these grids that is within sight of a walk."""
        rows = self._connection.execute(SWEPT, {"some": some.tolist(), "sight_m": sight_m})
        shares = {row.grid: row.share for row in rows}
        return np.array([shares.get(grid, 0.0) for grid in some.tolist()])

    def _do(self, statement: str) -> None:
        self._connection.execute(sa.text(statement))

    def _copy(self, statement: str, shapes: Geometries) -> None:
        driver: Any = self._connection.connection.driver_connection
        with driver.cursor().copy(statement) as copy:
            for row in enumerate(shapely.to_wkb(shapes, hex=True)):
                copy.write_row(row)
