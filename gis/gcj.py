"""GCJ-02 and BD-09: the public formulas, forward and inverse, for one place and for arrays.

The formula is a reverse-engineered approximation that everybody uses; no survey accuracy is claimed. Constants: the
Krasovsky axis 6378245 m and e² = 0.00669342162296594323. It is the identity outside lon 72.004-137.8347,
lat 0.8293-55.8271: its own limit, and no statement about any border.

Every formula is written once over `ops`, the module that carries sin, cos, sqrt, atan2: `math` for one place (a few
microseconds), `numpy` for arrays. So both paths do the same operations in the same order.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

WEST, EAST = 72.004, 137.8347
SOUTH, NORTH = 0.8293, 55.8271

#: Fixed-point steps of the inverses. Measured: 2 steps 31 mm, 3 steps 0.2 mm, 5 steps 9 nm; 1 micrometre on the very
#: meridian 105 E, where the formula's √|lon - 105| has no slope to follow.
STEPS = 5

_AXIS = 6378245.0
_EE = 0.00669342162296594323
_BAIDU_LON, _BAIDU_LAT = 0.0065, 0.006
_BAIDU_PI = math.pi * 3000.0 / 180.0
_CHUNK = 1 << 14  # some thirty temporaries of this length stay in the cache


def covers(lon: Floats, lat: Floats) -> npt.NDArray[np.bool_]:
    """True where the formula is defined, its limits included; NaN is outside."""
    return (lon >= WEST) & (lon <= EAST) & (lat >= SOUTH) & (lat <= NORTH)


def covers_one(lon: float, lat: float) -> bool:
    """True if the formula is defined at this place."""
    return WEST <= lon <= EAST and SOUTH <= lat <= NORTH


def _offset(lon: Any, lat: Any, ops: Any) -> tuple[Any, Any]:
    """GCJ-02 minus WGS 84 at a WGS 84 place, in degrees (lon, lat), without a look at the limits."""
    x, y, pi, sin = lon - 105.0, lat - 35.0, math.pi, ops.sin
    root, product = ops.sqrt(abs(x)), 0.1 * x * y
    waves = 20.0 * sin(6.0 * pi * x) + 20.0 * sin(2.0 * pi * x)
    north = -100.0 + 2.0 * x + 3.0 * y + 0.2 * y * y + product + 0.2 * root
    north = north + (waves + 20.0 * sin(pi * y) + 40.0 * sin(pi / 3.0 * y)) * 2.0 / 3.0
    north = north + (160.0 * sin(pi / 12.0 * y) + 320.0 * sin(pi / 30.0 * y)) * 2.0 / 3.0
    east = 300.0 + x + 2.0 * y + 0.1 * x * x + product + 0.1 * root
    east = east + (waves + 20.0 * sin(pi * x) + 40.0 * sin(pi / 3.0 * x)) * 2.0 / 3.0
    east = east + (150.0 * sin(pi / 12.0 * x) + 300.0 * sin(pi / 30.0 * x)) * 2.0 / 3.0
    phi = pi / 180.0 * lat
    sine = sin(phi)
    magic = 1.0 - _EE * sine * sine
    root = ops.sqrt(magic)
    degree = 180.0 / (_AXIS * pi)
    return east * degree * root / ops.cos(phi), north * degree * magic * root / (1.0 - _EE)


def _baidu(lon: Any, lat: Any, ops: Any) -> tuple[Any, Any]:
    """BD-09 of a GCJ-02 place."""
    radius = ops.sqrt(lon * lon + lat * lat) + 0.00002 * ops.sin(lat * _BAIDU_PI)
    angle = ops.atan2(lat, lon) + 0.000003 * ops.cos(lon * _BAIDU_PI)
    return radius * ops.cos(angle) + _BAIDU_LON, radius * ops.sin(angle) + _BAIDU_LAT


def gcj02_to_wgs84_one(lon: Any, lat: Any, ops: Any = math) -> tuple[Any, Any]:
    """The WGS 84 place whose GCJ-02 coordinates are these, by fixed-point iteration; the caller checks the limits."""
    x, y = lon, lat
    for _ in range(STEPS):
        east, north = _offset(x, y, ops)
        x, y = lon - east, lat - north
    return x, y


def bd09_to_wgs84_one(lon: Any, lat: Any, ops: Any = math) -> tuple[Any, Any]:
    """The WGS 84 place whose BD-09 coordinates are these: BD-09 -> GCJ-02 iterated, then GCJ-02 -> WGS 84."""
    x, y = bd09_to_gcj02_one(lon, lat, ops)
    return gcj02_to_wgs84_one(x, y, ops)


def bd09_to_gcj02_one(lon: Any, lat: Any, ops: Any = math) -> tuple[Any, Any]:
    """The GCJ-02 place whose BD-09 coordinates are these, by fixed-point iteration."""
    x, y = lon - _BAIDU_LON, lat - _BAIDU_LAT
    for _ in range(STEPS):
        bd_lon, bd_lat = _baidu(x, y, ops)
        x, y = x + (lon - bd_lon), y + (lat - bd_lat)
    return x, y


def _forward(lon: Floats, lat: Floats, ops: Any) -> tuple[Floats, Floats]:
    east, north = _offset(lon, lat, ops)
    known = covers(lon, lat)
    return np.where(known, lon + east, lon), np.where(known, lat + north, lat)


def _in_chunks(formula: Any, lon: Floats, lat: Floats) -> tuple[Floats, Floats]:
    """The formula over arrays of any length, one cache-sized chunk after the other; NaN stays NaN."""
    out_lon, out_lat = np.empty(len(lon)), np.empty(len(lat))
    with np.errstate(invalid="ignore", over="ignore"):
        for start in range(0, len(lon), _CHUNK):
            part = slice(start, start + _CHUNK)
            out_lon[part], out_lat[part] = formula(lon[part], lat[part], np)
    return out_lon, out_lat


def wgs84_to_gcj02(lon: Floats, lat: Floats) -> tuple[Floats, Floats]:
    """GCJ-02 of WGS 84 places (1-D, degrees); the same coordinates outside the limits."""
    return _in_chunks(_forward, lon, lat)


def gcj02_to_wgs84(lon: Floats, lat: Floats) -> tuple[Floats, Floats]:
    """WGS 84 of GCJ-02 places (1-D, degrees) to some 10 nm of the formula; the caller checks the limits."""
    return _in_chunks(gcj02_to_wgs84_one, lon, lat)


def gcj02_to_bd09(lon: Floats, lat: Floats) -> tuple[Floats, Floats]:
    """BD-09 of GCJ-02 places (1-D, degrees)."""
    return _in_chunks(_baidu, lon, lat)


def bd09_to_gcj02(lon: Floats, lat: Floats) -> tuple[Floats, Floats]:
    """GCJ-02 of BD-09 places (1-D, degrees)."""
    return _in_chunks(bd09_to_gcj02_one, lon, lat)


def bd09_to_wgs84(lon: Floats, lat: Floats) -> tuple[Floats, Floats]:
    """WGS 84 of BD-09 places (1-D, degrees); the caller checks the limits."""
    return _in_chunks(bd09_to_wgs84_one, lon, lat)
