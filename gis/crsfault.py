"""Why a coordinate cannot be used in the datum that was declared, in words that say what to do."""

from __future__ import annotations

import math
from enum import IntEnum

from gis import gcj
from gis.datum import Datum, frame
from gis.errors import CoordinateInvalid, DatumContradiction, DatumOutside, InputError

_LONGEST_EASTING = 46_000_000.0  # zone number 45 and its million


class Fault(IntEnum):
    """What is wrong with a row; 0 is nothing."""

    NOT_FINITE = 1
    ZERO = 2
    METRES = 3
    SWAPPED = 4
    RANGE = 5
    OUTSIDE_SWAPPED = 6
    OUTSIDE = 7
    DEGREES = 8
    AREA_SWAPPED = 9
    AREA = 10


def explain(fault: Fault, x: float, y: float, datum: Datum) -> InputError:
    """The error for this fault of one place, with the numbers as given and what to do about them."""
    kind, text = {
        Fault.NOT_FINITE: (CoordinateInvalid, _not_finite),
        Fault.ZERO: (CoordinateInvalid, _zero),
        Fault.METRES: (DatumContradiction, _metres),
        Fault.SWAPPED: (CoordinateInvalid, _swapped),
        Fault.RANGE: (CoordinateInvalid, _range),
        Fault.OUTSIDE_SWAPPED: (DatumOutside, _outside_swapped),
        Fault.OUTSIDE: (DatumOutside, _outside),
        Fault.DEGREES: (DatumContradiction, _degrees),
        Fault.AREA_SWAPPED: (CoordinateInvalid, _area_swapped),
        Fault.AREA: (CoordinateInvalid, _area),
    }[fault]
    return kind(text(x, y, datum), crs=datum.name)


def _number(value: float) -> str:
    return f"{value:.10g}"


def _not_finite(x: float, y: float, datum: Datum) -> str:
    first, second = ("easting", "northing") if datum.projected else ("lon", "lat")
    what = [
        f"{n} is {'missing or not a number' if math.isnan(v) else 'infinite'}"
        for n, v in ((first, x), (second, y))
        if not math.isfinite(v)
    ]
    return " and ".join(what)


def _zero(_x: float, _y: float, _datum: Datum) -> str:
    return "position 0/0 is a device's or a form's way to say that it has none: leave it out, or give an address"


def _metres(x: float, y: float, datum: Datum) -> str:
    text = f"{_number(x)}, {_number(y)} are no degrees, but {datum} was declared: these look like"
    if max(abs(x), abs(y)) > _LONGEST_EASTING:
        return f"{text} degrees times 1,000,000 or 10,000,000, too large even for metres: divide first"
    return f"{text} projected metres{_which(x, y)}"


def _which(x: float, y: float) -> str:
    """A guess at the projected CRS of these numbers, for the message only."""
    for east, north, note in ((x, y, ""), (y, x, ", and easting and northing seem to be swapped")):
        zone = int(east // 1_000_000)
        if 25 <= zone <= 45 and 0 < north < 6_500_000:
            return f" (easting with zone number {zone}: perhaps EPSG:{4488 + zone}{note})"
        if 100_000 <= east <= 900_000 and 1_000_000 <= north < 6_500_000:
            return f" (perhaps a 3-degree zone, EPSG:4534-4554, such as EPSG:4549 for 120° E{note})"
    if 8_000_000 <= x <= 15_300_000 and abs(y) <= 8_000_000:
        return " (perhaps EPSG:3857)"
    return ""


def _swapped(x: float, y: float, _datum: Datum) -> str:
    return f"lat {_number(y)} is out of range (-90 to 90): lon and lat look swapped; send lon {_number(y)}, lat {_number(x)}"


def _range(x: float, y: float, _datum: Datum) -> str:
    if abs(x) > 180.0:
        return f"lon {_number(x)} is out of range (-180 to 180)"
    return f"lat {_number(y)} is out of range (-90 to 90)"


def _outside(x: float, y: float, datum: Datum) -> str:
    limits = f"lon {gcj.WEST}-{gcj.EAST}, lat {gcj.SOUTH}-{gcj.NORTH}"
    return f"lon {_number(x)}, lat {_number(y)} lies outside {limits}, where {datum} is defined; declare wgs84 if that is what it is"


def _outside_swapped(x: float, y: float, datum: Datum) -> str:
    return f"{_outside(x, y, datum).split(';')[0]}; lon and lat look swapped"


def _degrees(x: float, y: float, datum: Datum) -> str:
    return (
        f"{_number(x)}, {_number(y)} look like degrees, but {_titled(datum)} has easting and northing in metres: "
        "declare wgs84, cgcs2000, gcj02 or bd09, whichever they are"
    )


def _titled(datum: Datum) -> str:
    return f"{datum} ({frame(datum.epsg or 0).title})"


def _area_swapped(x: float, y: float, datum: Datum) -> str:
    first, second = ("easting", "northing") if datum.projected else ("lon", "lat")
    return f"{first} {_number(x)}, {second} {_number(y)} lies far outside the area of {_titled(datum)}: {first} and {second} look swapped"


def _area(x: float, y: float, datum: Datum) -> str:
    first, second = ("easting", "northing") if datum.projected else ("lon", "lat")
    text = f"{first} {_number(x)}, {second} {_number(y)} lies far outside the area of {_titled(datum)}"
    epsg, zone = datum.epsg or 0, int(x // 1_000_000)
    if 4534 <= epsg <= 4554 and 25 <= zone <= 45:
        return f"{text}: the easting begins with zone number {zone}, declare EPSG:{4488 + zone}"
    if 4513 <= epsg <= 4533 and 0 < x < 1_000_000:
        return f"{text}: the easting lacks the zone number {epsg - 4488}, declare EPSG:{epsg + 21}"
    return text
