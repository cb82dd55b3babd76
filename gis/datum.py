"""Datum: the coordinate reference system that somebody declared, by one name; and what PROJ knows of it.

PROJ's objects must not be shared by threads, so transformers and CRS are kept one per thread; plain facts are shared.
"""

from __future__ import annotations

import re
import threading
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from gis.errors import DatumUnknown

if TYPE_CHECKING:
    import pyproj

Floats = npt.NDArray[np.float64]

ACCEPTED = "wgs84, cgcs2000, gcj02 (Amap, Tencent), bd09 (Baidu, degrees) or EPSG:n, for example EPSG:4549"

_NAMED_EPSG = {"wgs84": 4326, "cgcs2000": 4490}
_ALIASES = {
    "wgs84": "wgs84",
    "crs84": "wgs84",
    "ogc:crs84": "wgs84",
    "gcj02": "gcj02",
    "bd09": "bd09",
    "bd09ll": "bd09",
    "cgcs2000": "cgcs2000",
}
_EPSG = re.compile(
    r"(?:epsg:+|urn:ogc:def:crs:epsg:[\w.]*:|https?://www\.opengis\.net/def/crs/epsg/[\w.]+/)?([0-9]{4,6})"
)
_CRS84 = re.compile(r"(?:urn:ogc:def:crs:ogc:[\w.]*:|https?://www\.opengis\.net/def/crs/ogc/[\w.]+/)crs84")
_KEPT = 32  # transformers a thread keeps: a server is asked for few, but by anybody


@dataclass(frozen=True)
class Frame:
    """What PROJ knows of an EPSG code: its kind, its unit and where it is meant to be used (degrees)."""

    epsg: int
    title: str
    projected: bool
    metres_per_unit: float  # of a projected one; 1 for a geographic one
    west: float
    south: float
    east: float
    north: float

    def near(self, lon: Floats, lat: Floats, margin: float) -> npt.NDArray[np.bool_]:
        """True where a WGS 84 place lies in the area of use, widened by `margin` degrees; NaN and inf do not."""
        width = (self.east - self.west) % 360.0 or 360.0
        with np.errstate(invalid="ignore"):
            along = np.mod(lon - self.west + margin, 360.0)
            whole_round = width + 2.0 * margin >= 360.0
            across = (lat >= self.south - margin) & (lat <= self.north + margin) & (np.abs(lon) <= 180.0)
            return across & (whole_round | (along <= width + 2.0 * margin))


@dataclass(frozen=True)
class Datum:
    """A declared coordinate reference system: `wgs84`, `gcj02`, `bd09`, `cgcs2000` or `EPSG:<n>`; made by `parse_datum`."""

    name: str

    @property
    def epsg(self) -> int | None:
        """The EPSG code; None for gcj02 and bd09, which have none."""
        return int(self.name[5:]) if self.name.startswith("EPSG:") else _NAMED_EPSG.get(self.name)

    @property
    def projected(self) -> bool:
        """True if coordinates are easting and northing, not degrees."""
        return self.name.startswith("EPSG:") and frame(int(self.name[5:])).projected

    @property
    def lossy(self) -> bool:
        """True for gcj02 and bd09, whose conversion is an approximation of an unpublished transformation."""
        return self.name in {"gcj02", "bd09"}

    def __str__(self) -> str:
        return self.name


WGS84 = Datum("wgs84")
CGCS2000 = Datum("cgcs2000")
GCJ02 = Datum("gcj02")
BD09 = Datum("bd09")


@lru_cache(maxsize=256)
def parse_datum(text: str) -> Datum:
    """The Datum that a text names, case-insensitive: wgs84, WGS-84, EPSG:4326, 4490, gcj-02, bd09ll, EPSG:4549, an OGC URN.

    EPSG:4326 is `wgs84` and EPSG:4490 is `cgcs2000`, always lon before lat. Raises DatumUnknown for anything else.
    """
    lowered = str(text).strip().lower()
    named = _ALIASES.get(re.sub(r"[-_ ]", "", lowered))
    if named is not None:
        return Datum(named)
    if _CRS84.fullmatch(lowered):
        return WGS84
    match = _EPSG.fullmatch(lowered)
    if match is None:
        shown = str(text)[:60]
        raise DatumUnknown(f"unknown coordinate reference system {shown!r}; use {ACCEPTED}", crs=shown)
    epsg = int(match.group(1))
    for name, code in _NAMED_EPSG.items():
        if code == epsg:
            return Datum(name)
    frame(epsg)
    return Datum(f"EPSG:{epsg}")


@lru_cache(maxsize=256)
def frame(epsg: int) -> Frame:
    """What PROJ knows of this EPSG code; raises DatumUnknown if it is none, or neither geographic nor projected."""
    from pyproj import CRS
    from pyproj.exceptions import CRSError

    try:
        crs = CRS.from_epsg(epsg)
    except CRSError as error:
        raise DatumUnknown(f"there is no EPSG:{epsg}; use {ACCEPTED}", crs=f"EPSG:{epsg}") from error
    if not (crs.is_projected or crs.is_geographic):
        raise DatumUnknown(
            f"EPSG:{epsg} ({crs.name}) is not a map coordinate system; use {ACCEPTED}", crs=f"EPSG:{epsg}"
        )
    area = crs.area_of_use
    west, south, east, north = area.bounds if area else (-180.0, -90.0, 180.0, 90.0)
    unit = crs.axis_info[0].unit_conversion_factor if crs.is_projected and crs.axis_info else 1.0
    return Frame(epsg, crs.name, crs.is_projected, unit or 1.0, west, south, east, north)


class _PerThread(threading.local):
    """The PROJ objects of the running thread."""

    def __init__(self) -> None:
        self.transformers: dict[tuple[int, int], pyproj.Transformer] = {}
        self.crs: dict[int, pyproj.CRS] = {}


_mine = _PerThread()


def transform(source: int, target: int, x: Floats, y: Floats) -> tuple[Floats, Floats]:
    """Coordinates in `target` of coordinates in `source` (EPSG codes), east before north whatever EPSG says; inf where PROJ cannot."""
    key = (source, target)
    transformer = _mine.transformers.get(key)
    if transformer is None:
        from pyproj import Transformer

        if len(_mine.transformers) >= _KEPT:
            _mine.transformers.clear()
        transformer = _mine.transformers[key] = Transformer.from_crs(source, target, always_xy=True)
    east, north = transformer.transform(x, y)
    return np.asarray(east, dtype=np.float64), np.asarray(north, dtype=np.float64)


def crs_of(epsg: int) -> pyproj.CRS:
    """PROJ's CRS of this EPSG code, one per thread."""
    crs = _mine.crs.get(epsg)
    if crs is None:
        from pyproj import CRS

        crs = _mine.crs[epsg] = CRS.from_epsg(epsg)
    return crs
