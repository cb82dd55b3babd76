"""Degrees: the shapes of grids are places on the globe, on one side of the antimeridian, or they are refused."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import shapely

from gis.errors import GeometryInvalid
from gis.partition import Geometries


def check_degrees(codes: Sequence[str], geometry: Geometries) -> None:
    """GeometryInvalid for the first grid that lies across the antimeridian, or whose coordinates are not finite or no degrees."""
    bounds = shapely.bounds(geometry).reshape(-1, 4)
    drawn = ~shapely.is_empty(geometry)
    with np.errstate(invalid="ignore"):
        degrees = (np.abs(bounds[:, ::2]) <= 180.0).all(axis=1) & (np.abs(bounds[:, 1::2]) <= 90.0).all(axis=1)
        wide = bounds[:, 2] - bounds[:, 0] > 180.0
        # One vertex that is not finite makes the length so, which is quicker than a copy of all coordinates.
        degrees &= np.isfinite(shapely.length(geometry))
    for i in np.flatnonzero(drawn & ~degrees)[:1].tolist():
        raise GeometryInvalid(f"grid {codes[i]} has coordinates that are no WGS 84 degrees", place=codes[i])
    for i in np.flatnonzero(drawn & wide)[:1].tolist():
        raise GeometryInvalid(
            f"grid {codes[i]} reaches over more than 180 degrees of longitude: one that lies across the antimeridian must "
            "be cut there into a grid on either side",
            place=codes[i],
        )
