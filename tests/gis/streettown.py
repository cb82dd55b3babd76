"""Streets for tests: drawn in metres from a corner on the middle of a zone, where a metre of the map is a metre of the ground."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import shapely

from gis.datum import transform
from gis.debts import Debts, debts_of
from gis.fixes import Floats
from gis.streetgraph import StreetGraph, street_graph

#: The corner: CGCS2000, zone of 120 E.
EPSG, EAST, NORTH = 4549, 500_000.0, 3_540_000.0

Spot = tuple[float, float]


def lonlat(x: float, y: float) -> Spot:
    """WGS 84 of a spot so many metres east and north of the corner."""
    lon, lat = transform(EPSG, 4326, np.array([EAST + x]), np.array([NORTH + y]))
    return float(lon[0]), float(lat[0])


def line(*spots: Spot) -> Any:
    return shapely.LineString([lonlat(*spot) for spot in spots])


def lines(*drawn: Sequence[Spot]) -> Any:
    """Streets, each given by its spots."""
    found = np.empty(len(drawn), dtype=object)
    found[:] = [line(*spots) for spots in drawn]
    return found


def graph(*drawn: Sequence[Spot], **more: float) -> StreetGraph:
    return street_graph(lines(*drawn), **more)


def blocks(count: int, side: float = 100.0) -> StreetGraph:
    """So many square blocks each way; streets run right through, row 0 to `count` from south, then column 0 to `count` from west."""
    far = count * side
    rows = [[(0.0, k * side), (far, k * side)] for k in range(count + 1)]
    columns = [[(k * side, 0.0), (k * side, far)] for k in range(count + 1)]
    return graph(*rows, *columns)


def spots(metres: Floats) -> list[Spot]:
    """Metres of the graph as spots, to the centimetre."""
    return [(round(x - EAST, 2), round(y - NORTH, 2)) for x, y in np.asarray(metres).tolist()]


def metres(*drawn: Spot) -> Floats:
    """Spots as metres of the graph."""
    return np.array(drawn, np.float64).reshape(-1, 2) + np.array([EAST, NORTH])


def owed(*rows: tuple[str, float, float, float], minutes: float = 0.0, **more: Any) -> Debts:
    """Debts as (key, x, y, weight)."""
    where = [lonlat(x, y) for _, x, y, _ in rows]
    return debts_of(
        [row[0] for row in rows],
        [lon for lon, _ in where],
        [lat for _, lat in where],
        [row[3] for row in rows],
        np.full(len(rows), minutes),
        **more,
    )
