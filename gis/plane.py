"""Plane: the metric plane of a town, lon/lat to metres and back at the speed of arithmetic.

PROJ takes a microsecond a place, longer than all the rest of a sweep. Over one town its projection is a polynomial to within
a millimetre: fitted once, checked against PROJ on places between those it was fitted to, refused where it does not hold.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import numpy as np
import numpy.typing as npt

from gis.crs import metric_crs
from gis.datum import transform
from gis.errors import ParameterInvalid

Floats = npt.NDArray[np.float64]
Bounds = tuple[float, float, float, float]

#: The polynomial's places lie at most so far from PROJ's, in metres.
WITHIN_M: Final = 0.001
_DEGREES: Final = (5, 7, 9, 11)
_NODES: Final = 14


@dataclass(frozen=True, eq=False)
class Plane:
    """WGS 84 lon/lat within `bounds` (west, south, east, north) <-> metres east and north of the CRS `epsg`.

    `forth` and `back` hold a polynomial for each direction: its scale and its terms.
    """

    epsg: int
    bounds: Bounds
    forth: tuple[Floats, Floats]
    back: tuple[Floats, Floats]

    def metres(self, lon: Floats, lat: Floats) -> Floats:
        """(n, 2) metres east and north of places; beyond the bounds they drift, NaN stays NaN."""
        return _evaluated(lon, lat, self.forth)

    def degrees(self, east: Floats, north: Floats) -> Floats:
        """(n, 2) lon and lat of places given in metres."""
        return _evaluated(east, north, self.back)

    @property
    def extent(self) -> Bounds:
        """The box in metres that the bounds take up, as PROJ draws their rims."""
        east, north = transform(4326, self.epsg, *_lattice(self.bounds, np.linspace(-1.0, 1.0, _NODES)))
        return float(east.min()), float(north.min()), float(east.max()), float(north.max())


@lru_cache(maxsize=16)
def plane_of(bounds: Bounds) -> Plane:
    """The plane of a town whose WGS 84 box is (west, south, east, north), in the CRS of its middle (`gis.crs.metric_crs`).

    Raises ParameterInvalid where the box is empty or too wide for one plane, CoordinateInvalid for one that is not on the globe.
    """
    west, south, east, north = bounds
    if not (west < east and south < north):
        raise ParameterInvalid("the box of a town has no width or no height", place="bounds")
    epsg = int(metric_crs((west + east) / 2, (south + north) / 2).to_epsg() or 0)
    nodes = np.cos(np.pi * (2 * np.arange(_NODES) + 1) / (2 * _NODES))
    for degree in _DEGREES:
        plane = _fitted(bounds, epsg, nodes, degree)
        if _error_m(plane, (nodes[1:] + nodes[:-1]) / 2) <= WITHIN_M:
            return plane
    raise ParameterInvalid(
        "the town is too wide for one metric plane: divide it into areas of a few degrees", place="bounds"
    )


def _lattice(bounds: Bounds, nodes: Floats) -> tuple[Floats, Floats]:
    """Lon and lat of the lattice of nodes (-1..1) in a box."""
    west, south, east, north = bounds
    lon, lat = (west + east) / 2 + nodes * (east - west) / 2, (south + north) / 2 + nodes * (north - south) / 2
    x, y = np.meshgrid(lon, lat)
    return x.ravel(), y.ravel()


def _fitted(bounds: Bounds, epsg: int, nodes: Floats, degree: int) -> Plane:
    lon, lat = _lattice(bounds, nodes)
    x, y = transform(4326, epsg, lon, lat)
    return Plane(epsg, bounds, _polynomial(lon, lat, x, y, degree), _polynomial(x, y, lon, lat, degree))


def _polynomial(u: Floats, v: Floats, x: Floats, y: Floats, degree: int) -> tuple[Floats, Floats]:
    """(scale, terms[axis, a, b]) of the least squares fit of x and y by u^a v^b, a + b <= degree."""
    scale = np.array([u.mean(), 2 / np.ptp(u), v.mean(), 2 / np.ptp(v)])
    p, q = (u - scale[0]) * scale[1], (v - scale[2]) * scale[3]
    powers = [(a, b) for a in range(degree + 1) for b in range(degree + 1 - a)]
    basis = np.column_stack([p**a * q**b for a, b in powers])
    terms = np.zeros((2, degree + 1, degree + 1))
    for axis, wanted in enumerate((x, y)):
        found = np.linalg.lstsq(basis, wanted - wanted.mean(), rcond=None)[0]
        for (a, b), value in zip(powers, found.tolist(), strict=True):
            terms[axis, a, b] = value
        terms[axis, 0, 0] += wanted.mean()
    return scale, terms


def _error_m(plane: Plane, nodes: Floats) -> float:
    """How far the polynomials are from PROJ between their nodes, there and back, in metres."""
    lon, lat = _lattice(plane.bounds, nodes)
    x, y = transform(4326, plane.epsg, lon, lat)
    there = np.abs(plane.metres(lon, lat) - np.column_stack([x, y])).max()
    back = np.abs(plane.degrees(x, y) - np.column_stack([lon, lat])).max() * 111_320.0
    return float(max(there, back))


def _evaluated(u: Floats, v: Floats, polynomial: tuple[Floats, Floats]) -> Floats:
    from gis.planeloops import evaluate

    u, v = np.ascontiguousarray(u, np.float64), np.ascontiguousarray(v, np.float64)
    out = np.empty((len(u), 2))
    evaluate(u, v, *polynomial, out)
    return out
