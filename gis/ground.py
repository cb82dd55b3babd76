"""Ground: areas and borders of shapes whose edges are straight in lon and lat, as `covers` takes them.

`gis.crs.area_m2` closes a ring with geodesics: an edge of 1 km bends 1.6 cm away at 40 degrees, and a border that is cut in two bends
differently, so areas of pieces do not add up. Here they do, whatever the edges are cut into; and arrays are measured at once.
"""

from __future__ import annotations

from math import comb
from typing import Final

import numpy as np
import numpy.typing as npt
import shapely

from gis.crs import metres_per_degree

Floats = npt.NDArray[np.float64]
Shapes = npt.NDArray[np.object_]

_AXIS: Final = 6378137.0
_E2: Final = 0.0066943799901413165  # WGS 84
_TERMS: Final = 5  # the sixth is 1e-13 of the first
_POLYGON: Final = 3


def _coefficients() -> tuple[float, ...]:
    """c[j] of Q(lat) = sum of c[j] sin((2j + 1) lat): the area from the equator to a parallel, per radian of longitude, in m2.

    Q = a2 (1 - e2) sum of (k + 1) e^2k sin^(2k+1) / (2k + 1), its powers of sines written as sines of multiples.
    """
    held = [0.0] * _TERMS
    for k in range(_TERMS):
        of_power = _AXIS**2 * (1.0 - _E2) * (k + 1) * _E2**k / (2 * k + 1)
        for j in range(k + 1):
            held[j] += of_power * (-1) ** j * comb(2 * k + 1, k - j) / 4**k
    return tuple(held)


_C: Final = _coefficients()


def _mean_q(a: Floats, b: Floats) -> Floats:
    """The mean of Q between two latitudes (radians): exact, also where they are equal."""
    middle, half = (a + b) / 2, (b - a) / 2
    terms = (
        c * np.sin(m * middle) * np.sinc(m * half / np.pi) for c, m in zip(_C, range(1, 2 * _TERMS, 2), strict=True)
    )
    return np.asarray(sum(terms), dtype=np.float64)


def ground_m2(shapes: Shapes) -> Floats:
    """The area in m2 of each shape on the WGS 84 ellipsoid, edges straight in lon and lat; 0 for None, empty ones, lines, points.

    Of every polygon the outer ring less its holes, whatever way they run. The integral of Q(lat) along the ring; relative error
    below 1e-10 for a grid of 100 m. Pieces of a shape add up to it.
    """
    parts, part_of = shapely.get_parts(np.asarray(shapes, dtype=object), return_index=True)
    flat = shapely.get_type_id(parts) == _POLYGON
    rings, polygon_of = shapely.get_rings(parts[flat], return_index=True)
    points, ring_of = shapely.get_coordinates(rings, return_index=True)
    lat = np.radians(points[:, 1])
    same = ring_of[1:] == ring_of[:-1]
    # Heights above the ring's own parallel keep the sums small; differences of degrees, unlike those of radians, are exact.
    first = np.flatnonzero(np.diff(ring_of, prepend=-1))
    height = _mean_q(lat[:-1], lat[1:]) - _mean_q(lat[first], lat[first])[ring_of[1:]]
    strips = np.radians(np.diff(points[:, 0])) * height
    area = np.abs(np.bincount(ring_of[1:][same], strips[same], minlength=len(rings)))
    outer = np.diff(polygon_of, prepend=-1) > 0
    owner = part_of[flat][polygon_of]
    return _sums(owner, np.where(outer, area, -area), len(shapes))


def _sums(owner: npt.NDArray[np.intp], values: Floats, owners: int) -> Floats:
    return np.asarray(np.bincount(owner, values, minlength=owners), dtype=np.float64)


def border_m(shapes: Shapes) -> Floats:
    """The length in metres of each shape's border, holes included; of lines their own length. Metres of a plane at each edge's middle."""
    start, stop, owner = edges_of(shapes)
    return _sums(owner, edge_m(start, stop), len(shapes))


def edges_of(shapes: Shapes) -> tuple[Floats, Floats, npt.NDArray[np.intp]]:
    """(start, stop, owner): every edge of rings and lines, (n, 2) lon and lat, and the index of its shape."""
    chains, owner = _chains(shapes)
    xy, chain = shapely.get_coordinates(chains, return_index=True)
    same = chain[1:] == chain[:-1]
    return xy[:-1][same], xy[1:][same], owner[chain[1:][same]]


def _chains(shapes: Shapes) -> tuple[Shapes, npt.NDArray[np.intp]]:
    """Every ring and line of shapes, and whose it is."""
    parts, owner = shapely.get_parts(np.asarray(shapes, dtype=object), return_index=True)
    flat = shapely.get_type_id(parts) == _POLYGON
    rings, polygon = shapely.get_rings(parts[flat], return_index=True)
    chains = np.concatenate([rings, parts[~flat]])
    return chains, np.concatenate([owner[flat][polygon], owner[~flat]])


def edge_m(start: Floats, stop: Floats) -> Floats:
    """The length in metres of each edge from `start[i]` to `stop[i]` (n, 2: lon, lat), in a plane at its middle latitude."""
    east, north = metres_per_degree((start[:, 1] + stop[:, 1]) / 2)
    step = stop - start
    return np.hypot(step[:, 0] * east, step[:, 1] * north)
