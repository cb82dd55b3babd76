"""crs: coordinates in a declared datum in, storage coordinates out (WGS 84 lon/lat, degrees); the metric CRS of a place.

A declared datum decides, never a guess: what contradicts it is refused with a message that says what it looks like.
CGCS2000 is taken as WGS 84 (PROJ knows no other relation than identity); any other EPSG code goes through PROJ, always
east before north, although EPSG:4490, 4547 and 4549 are defined north first. GCJ-02 and BD-09: `gis.gcj`.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from gis import gcj
from gis.crsfault import Fault, explain
from gis.datum import BD09, CGCS2000, GCJ02, WGS84, Datum, crs_of, frame, parse_datum, transform
from gis.errors import CoordinateInvalid, GridError

if TYPE_CHECKING:
    import pyproj

__all__ = [
    "BD09",
    "CGCS2000",
    "CONVERTER",
    "GCJ02",
    "WGS84",
    "Datum",
    "area_m2",
    "convert_geometry",
    "examined",
    "from_storage",
    "metres_per_degree",
    "metric_crs",
    "one_to_storage",
    "parse_datum",
    "problems",
    "shape_problems",
    "to_storage",
]

#: Goes into every receipt; changes whenever a formula, a constant or the number of steps does.
CONVERTER = "gridbeat-crs/1"

#: Edges of shapes in a bent datum get vertices at most this far apart before conversion; what still bends between them
#: is 0.6 cm in gcj02, 2 cm in bd09 (whose waves are shorter), nothing to speak of in a projected one.
EDGE_M = 200.0
EDGE_BD09_M = 100.0

_LOOKS_METRIC = 10_000.0  # beyond: metres; -9999 and the like are plain nonsense
_LOOKS_DEGREES = 180.0
_MARGIN = 10.0  # degrees by which a place may lie outside a CRS's area of use
_WGS84_AXIS, _WGS84_E2 = 6378137.0, 0.0066943799901413165

Floats = npt.NDArray[np.float64]
Faults = npt.NDArray[np.uint8]
Geometries = npt.NDArray[np.object_]


def to_storage(x: npt.ArrayLike, y: npt.ArrayLike, datum: Datum) -> tuple[Floats, Floats]:
    """WGS 84 lon and lat of coordinates in a datum (1-D; x is lon or easting, y lat or northing); NaN where `problems` has one."""
    lon, lat, _ = _examine(*_columns(x, y), datum)
    return lon, lat


def examined(x: npt.ArrayLike, y: npt.ArrayLike, datum: Datum) -> tuple[Floats, Floats, Faults]:
    """`to_storage` and, per row, the `gis.crsfault.Fault` that `problems` would explain (0: none), in one go."""
    return _examine(*_columns(x, y), datum)


def problems(x: npt.ArrayLike, y: npt.ArrayLike, datum: Datum) -> Geometries:
    """Per row None, or the error that says why it cannot be used (1-D, dtype object).

    CoordinateInvalid: not finite, 0/0, out of range, lon and lat swapped. DatumOutside: gcj02 or bd09 where the formula is
    not defined. DatumContradiction: metres in a geographic datum, degrees in a projected one.
    """
    east, north = _columns(x, y)
    fault = _examine(east, north, datum)[2]
    found = np.full(len(fault), None, dtype=object)
    for i in np.flatnonzero(fault):
        found[i] = explain(Fault(int(fault[i])), float(east[i]), float(north[i]), datum)
    return found


def one_to_storage(x: float, y: float, datum: Datum) -> tuple[float, float]:
    """WGS 84 lon and lat of one place; raises what `problems` would say of it. Microseconds, and no PROJ, for all but EPSG:n."""
    name = datum.name
    if x == 0.0 == y:
        pass
    elif name in {"wgs84", "cgcs2000"}:
        if -180.0 <= x <= 180.0 and -90.0 <= y <= 90.0:
            return float(x), float(y)
    elif name in {"gcj02", "bd09"} and gcj.covers_one(x, y):
        inverse = gcj.gcj02_to_wgs84_one if name == "gcj02" else gcj.bd09_to_wgs84_one
        lon, lat = inverse(float(x), float(y))
        return lon, lat
    east, north = _columns([x], [y])
    lons, lats, fault = _examine(east, north, datum)
    if fault[0]:
        raise explain(Fault(int(fault[0])), float(x), float(y), datum)
    return float(lons[0]), float(lats[0])


def from_storage(lon: npt.ArrayLike, lat: npt.ArrayLike, datum: Datum) -> tuple[Floats, Floats]:
    """Coordinates in a datum of WGS 84 places (1-D): for display, where the basemap needs it; NaN where there are none.

    Outside the formula's limits GCJ-02 is WGS 84 itself, and such coordinates do not come back through `to_storage`.
    """
    x, y = _columns(lon, lat)
    if datum.lossy:
        x, y = gcj.wgs84_to_gcj02(x, y)
        return (x, y) if datum.name == "gcj02" else gcj.gcj02_to_bd09(x, y)
    if datum in {WGS84, CGCS2000}:
        return x.copy(), y.copy()
    east, north = transform(4326, datum.epsg or 4326, x, y)
    lost = ~(np.isfinite(east) & np.isfinite(north))
    east[lost] = north[lost] = np.nan
    return east, north


def _columns(x: npt.ArrayLike, y: npt.ArrayLike) -> tuple[Floats, Floats]:
    return np.atleast_1d(np.asarray(x, dtype=np.float64)), np.atleast_1d(np.asarray(y, dtype=np.float64))


def _examine(x: Floats, y: Floats, datum: Datum, *, zero: bool = True) -> tuple[Floats, Floats, Faults]:
    """Storage lon and lat (NaN at faults) and the fault of each row; `zero=False` lets 0/0 pass (a shape's vertex may be there)."""
    fault = np.zeros(len(x), dtype=np.uint8)
    if zero and _all_good(x, y, datum):  # the usual case, in a fifth of the time
        return x.copy(), y.copy(), fault

    def mark(kind: Fault, where: npt.NDArray[np.bool_]) -> None:
        fault[where & (fault == 0)] = kind

    mark(Fault.NOT_FINITE, ~(np.isfinite(x) & np.isfinite(y)))
    if zero:
        mark(Fault.ZERO, (x == 0.0) & (y == 0.0))
    far, wide = np.abs(x), np.abs(y)
    if datum.projected:
        mark(Fault.DEGREES, (far <= _LOOKS_DEGREES) & (wide <= _LOOKS_DEGREES) & ((x != 0.0) | (y != 0.0)))
    else:
        mark(Fault.METRES, (far > _LOOKS_METRIC) | (wide > _LOOKS_METRIC))
        mark(Fault.SWAPPED, (wide > 90.0) & (wide <= 180.0) & (far <= 90.0))
        mark(Fault.RANGE, (far > 180.0) | (wide > 90.0))
    if datum.lossy:
        mark(Fault.OUTSIDE_SWAPPED, ~gcj.covers(x, y) & gcj.covers(y, x))
        mark(Fault.OUTSIDE, ~gcj.covers(x, y))
    good = fault == 0
    lon, lat = np.full(len(x), np.nan), np.full(len(y), np.nan)
    lon[good], lat[good], fault[good] = _convert(x[good], y[good], datum)
    lon[fault > 0] = lat[fault > 0] = np.nan
    return lon, lat, fault


def _all_good(x: Floats, y: Floats, datum: Datum) -> bool:
    """Whether all are degrees that are stored as they come."""
    if datum not in {WGS84, CGCS2000} or not len(x):
        return False
    # min and max of an array with a NaN are NaN, which is within no limits.
    within = x.min() >= -180.0 and x.max() <= 180.0 and y.min() >= -90.0 and y.max() <= 90.0
    return bool(within) and not bool(((x == 0.0) & (y == 0.0)).any())


def _convert(x: Floats, y: Floats, datum: Datum) -> tuple[Floats, Floats, Faults]:
    """Storage lon and lat of coordinates that look right, and the fault that only conversion shows."""
    fault = np.zeros(len(x), dtype=np.uint8)
    if datum in {WGS84, CGCS2000}:
        return x, y, fault
    if datum.lossy:
        lon, lat = gcj.gcj02_to_wgs84(x, y) if datum.name == "gcj02" else gcj.bd09_to_wgs84(x, y)
        return lon, lat, fault
    known = frame(datum.epsg or 0)
    lon, lat = transform(known.epsg, 4326, x, y)
    lost = np.flatnonzero(~known.near(lon, lat, _MARGIN))
    if len(lost):
        swapped = known.near(*transform(known.epsg, 4326, y[lost], x[lost]), 1.0)
        fault[lost] = np.where(swapped, Fault.AREA_SWAPPED, Fault.AREA)
    return lon, lat, fault


def metric_crs(lon: float, lat: float) -> pyproj.CRS:
    """The CRS in metres for a WGS 84 place: CGCS2000 3-degree Gauss-Krüger (EPSG:4534-4554) inside 73-135.5 E, 3-54 N, else UTM.

    North first by definition: always use it with `always_xy=True`. One object per thread. Raises CoordinateInvalid.
    """
    if not (-180.0 <= lon <= 180.0 and -90.0 <= lat <= 90.0):
        raise CoordinateInvalid(f"no metric coordinate system for lon {lon!r}, lat {lat!r}")
    if 73.0 <= lon <= 135.5 and 3.0 <= lat <= 54.0:
        return crs_of(4534 + min(max(math.floor((lon - 73.5) / 3.0), 0), 20))
    zone = min(math.floor((lon + 180.0) / 6.0), 59) + 1
    return crs_of((32600 if lat >= 0.0 else 32700) + zone)


def metres_per_degree(lat: npt.ArrayLike) -> tuple[Floats, Floats]:
    """The length in metres of a degree eastwards and of a degree northwards at a latitude, on the WGS 84 ellipsoid.

    a cos φ / √(1 - e² sin² φ) and a (1 - e²) / (1 - e² sin² φ)^1.5, times π/180.
    """
    phi = np.radians(np.asarray(lat, dtype=np.float64))
    root = np.sqrt(1.0 - _WGS84_E2 * np.sin(phi) ** 2)
    degree = _WGS84_AXIS * math.pi / 180.0
    return degree * np.cos(phi) / root, degree * (1.0 - _WGS84_E2) / root**3


def metres_per_degree_at(lat: float) -> tuple[float, float]:
    """`metres_per_degree` at one latitude, with the same bits and a fifth of the overhead."""
    phi = np.radians(lat)
    root = np.sqrt(1.0 - _WGS84_E2 * np.square(np.sin(phi)))
    degree = _WGS84_AXIS * math.pi / 180.0
    return float(degree * np.cos(phi) / root), float(degree * (1.0 - _WGS84_E2) / np.power(root, 3))


def convert_geometry(geoms: Geometries, datum: Datum) -> Geometries:
    """The shapes in WGS 84 lon/lat, two-dimensional; None and empty ones stay as they are.

    Edges of gcj02, bd09 and projected shapes first get vertices at most 200 m apart (bd09: 100 m), the same ones from both sides, so
    neighbours that share a border still share it bit for bit. Raises the problem of the first unusable vertex (`place`
    counts shapes from 1, `details["index"]` from 0): CoordinateInvalid, DatumOutside or DatumContradiction.
    """
    from gis.densify import insert_vertices, redraw

    def change(points: Floats, owner: Any, index: Any) -> tuple[Floats, Any]:
        converted, fault = _each_once(points, datum)
        if fault.any():
            raise _shape_problem(points, fault, index, int(np.argmax(fault > 0)), datum)
        if not (datum.lossy or datum.projected):
            return converted, owner
        dense, owner, new = insert_vertices(points, owner, _pieces(points, datum))
        result = np.empty_like(dense)
        result[~new] = converted
        result[new] = _each_once(dense[new], datum)[0]
        return result, owner

    return redraw(geoms, change)


def shape_problems(geoms: Geometries, datum: Datum) -> Geometries:
    """Per shape None, or the error of its first vertex that cannot be used in this datum (dtype object)."""
    import shapely

    points, index = shapely.get_coordinates(np.asarray(geoms, dtype=object), return_index=True)
    fault = _each_once(points, datum)[1]
    found = np.full(len(geoms), None, dtype=object)
    bad = np.flatnonzero(fault)
    shapes, first = np.unique(index[bad], return_index=True)
    for shape, at in zip(shapes, bad[first], strict=True):
        found[shape] = _shape_problem(points, fault, index, int(at), datum)
    return found


def _shape_problem(points: Floats, fault: Faults, index: Any, at: int, datum: Datum) -> GridError:
    problem = explain(Fault(int(fault[at])), float(points[at, 0]), float(points[at, 1]), datum)
    problem.place = f"shape {int(index[at]) + 1}"
    problem.details["index"] = int(index[at])
    return problem


def _each_once(points: Floats, datum: Datum) -> tuple[Floats, Faults]:
    """Storage coordinates and faults of (n, 2) points, each distinct point converted once: equal ones stay equal bit for bit."""
    pairs = np.ascontiguousarray(points).view(np.complex128).ravel()
    distinct, back = np.unique(pairs, return_inverse=True, equal_nan=False)
    lon, lat, fault = _examine(distinct.real.copy(), distinct.imag.copy(), datum, zero=False)
    return np.column_stack((lon[back], lat[back])), fault[back]


def _pieces(points: Floats, datum: Datum) -> Floats:
    """How many pieces no longer than the datum allows each edge between consecutive points needs."""
    step = np.abs(np.diff(points, axis=0))
    if datum.projected:
        unit = frame(datum.epsg or 0).metres_per_unit
        return np.ceil(np.hypot(step[:, 0], step[:, 1]) * unit / EDGE_M)
    limit = EDGE_BD09_M if datum.name == "bd09" else EDGE_M
    lat = np.abs(points[:, 1])
    # The wider scale of both ends, so that no piece is longer than the limit.
    east = metres_per_degree(np.minimum(lat[1:], lat[:-1]))[0]
    north = metres_per_degree(np.maximum(lat[1:], lat[:-1]))[1]
    return np.ceil(np.hypot(step[:, 0] * east, step[:, 1] * north) / limit)


def area_m2(geoms: Geometries) -> Floats:
    """The geodesic area of each shape on the WGS 84 ellipsoid, in m2; 0 for None, empty shapes, lines and points.

    Of every polygon the outer ring less its holes, whatever way the rings run.
    """
    import shapely
    from pyproj import Geod

    geod = Geod(ellps="WGS84")
    total = np.zeros(len(geoms))
    parts, part_of = shapely.get_parts(np.asarray(geoms, dtype=object), return_index=True)
    flat = shapely.get_type_id(parts) == 3
    for part, owner in zip(parts[flat], part_of[flat], strict=True):
        rings = [shapely.get_coordinates(ring) for ring in (part.exterior, *part.interiors)]
        areas = [abs(geod.polygon_area_perimeter(ring[:, 0], ring[:, 1])[0]) for ring in rings if len(ring)]
        total[owner] += areas[0] - sum(areas[1:]) if areas else 0.0
    return total
