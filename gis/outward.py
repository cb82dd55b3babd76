"""Outward: stored shapes (WGS 84) in another datum, for files that leave the house; reading such a file back gives them again.

A straight edge in WGS 84 is none in GCJ-02, BD-09 or a projection. Edges so get vertices first, the same ones from both
sides of a border, and at most as far apart as `gis.crs` wants them when it reads: then nothing is added on the way back, and
every vertex comes back within nanometres. In between an edge bends by 1.5 mm in gcj02 and 5 mm in bd09, whose waves are shorter.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import numpy.typing as npt

from gis import gcj
from gis.crs import Datum, from_storage, metres_per_degree
from gis.densify import insert_vertices, redraw
from gis.errors import CoordinateInvalid, DatumOutside

Floats = npt.NDArray[np.float64]
Geometries = npt.NDArray[np.object_]

#: The longest edge in metres that a shape keeps on its way into a bent datum.
EDGE_M: Final = {"gcj02": 100.0, "bd09": 50.0}
EDGE_PROJECTED_M: Final = 100.0


def in_datum(geoms: Geometries, datum: Datum) -> Geometries:
    """The shapes with coordinates in `datum` (lon or easting first), two-dimensional; wgs84 and cgcs2000 bit for bit as they are.

    Raises DatumOutside where gcj02 or bd09 is not defined, CoordinateInvalid where a projection cannot show a place.
    """
    if datum.name in {"wgs84", "cgcs2000"}:
        return np.array(geoms, dtype=object)
    limit = EDGE_M.get(datum.name, EDGE_PROJECTED_M)
    bent = datum.lossy or datum.projected

    def change(points: Floats, owner: Any, _index: Any) -> tuple[Floats, Any]:
        if bent:
            points, owner, _ = insert_vertices(points, owner, _pieces(points, limit))
        return _each_once(points, datum), owner

    return redraw(geoms, change)


def _pieces(points: Floats, limit_m: float) -> Floats:
    """How many pieces no longer than `limit_m` each edge between consecutive points needs, whichever way it runs."""
    step = np.abs(np.diff(points, axis=0))
    lat = np.abs(points[:, 1])
    east = metres_per_degree(np.minimum(lat[1:], lat[:-1]))[0]
    north = metres_per_degree(np.maximum(lat[1:], lat[:-1]))[1]
    return np.ceil(np.hypot(step[:, 0] * east, step[:, 1] * north) / limit_m)


def _each_once(points: Floats, datum: Datum) -> Floats:
    """Coordinates in the datum, each distinct place converted once: equal ones stay equal bit for bit."""
    pairs = np.ascontiguousarray(points).view(np.complex128).ravel()
    distinct, back = np.unique(pairs, return_inverse=True)
    lon, lat = distinct.real.copy(), distinct.imag.copy()
    if datum.lossy and not gcj.covers(lon, lat).all():
        raise DatumOutside(f"{datum} is not defined for all of these shapes: write them in wgs84", crs=datum.name)
    x, y = from_storage(lon, lat, datum)
    if not (np.isfinite(x) & np.isfinite(y)).all():
        raise CoordinateInvalid(f"{datum} cannot show all of these shapes: write them in wgs84", crs=datum.name)
    return np.column_stack((x[back], y[back]))
