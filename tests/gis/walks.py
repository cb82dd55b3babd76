"""Walks for tests: drawn in metres from a corner, at seconds of a day, turned into fixes that a device would send."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import shapely

from gis.cellframe import CellFrame, frame_of
from gis.fixes import Fixes, clean, fixes_of, together
from gis.plane import Plane
from gis.tracks import Gaps, Tracks, tracks_of
from tests.town import LAT, LON

Floats = npt.NDArray[np.float64]

#: Midnight of the first day, and long after.
DAY = np.datetime64("2026-03-02T00:00:00", "us")
LATER = np.datetime64("2027-01-01T00:00:00", "us")
#: The town: about 1.5 km by 1.7 km.
BOUNDS = (LON, LAT, LON + 0.015625, LAT + 0.015625)


def frame(**more: Any) -> CellFrame:
    return frame_of(BOUNDS, **more)


def corner(plane: Plane) -> Floats:
    return plane.metres(np.array([LON]), np.array([LAT]))[0]


def at(seconds: float) -> np.datetime64:
    """So many seconds after the first midnight."""
    return DAY + np.timedelta64(round(seconds * 1e6), "us")


def fixes(rows: Iterable[Sequence[float]], member: int = 0, accuracy: float = np.nan) -> Fixes:
    """Fixes of (seconds, metres east, metres north[, accuracy]) in the town's plane."""
    table = np.array([(*row, accuracy)[:4] for row in rows], np.float64).reshape(-1, 4)
    plane = frame().plane
    lon, lat = plane.degrees(*(table[:, 1:3] + corner(plane)).T).T
    times = DAY + np.rint(table[:, 0] * 1e6).astype("timedelta64[us]")
    return fixes_of(np.full(len(table), member), times, lon, lat, table[:, 3])


def tracks(*parts: Fixes, **gaps: Any) -> Tracks:
    return tracks_of(clean(together(parts), now=LATER).fixes, Gaps(**gaps))


def line(
    speed: float, seconds: float, step: float, y: float = 500.0, x: float = 200.0
) -> list[tuple[float, float, float]]:
    """A straight walk eastwards."""
    return [(t, x + speed * t, y) for t in np.arange(0.0, seconds + step / 2, step).tolist()]


def square(west: float, south: float, east: float, north: float) -> Any:
    """A box given in metres of the town's plane, in degrees."""
    return degrees(shapely.box(west, south, east, north))


def degrees(shape: Any) -> Any:
    """A shape given in metres of the town's plane, in degrees."""
    plane = frame().plane
    return shapely.transform(shape, lambda xy: plane.degrees(*(xy + corner(plane)).T))


def in_metres(shape: Any) -> Any:
    """A shape given in degrees, in metres of the town's plane."""
    plane = frame().plane
    return shapely.transform(shape, lambda xy: plane.metres(*np.ascontiguousarray(xy.T)) - corner(plane))
