"""StreetSamples: streets cut into pieces of a few metres, each asked whether one or both of its sides were within sight."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import shapely

from gis.cellframe import CellFrame, LastSeen, Seen
from gis.errors import ParameterInvalid
from gis.fixes import Flags, Floats, Ints
from gis.partition import Geometries


@dataclass(frozen=True, eq=False)
class StreetSamples:
    """Piece k of street `street[k]`, `length_m[k]` long, its middle at `lon`, `lat`; n pieces of `count` streets.

    `middle`, `left` and `right` are (2, n) columns and rows in cells of the frame; left and right lie `side_m` off the line.
    """

    count: int
    street: Ints
    length_m: Floats
    lon: Floats
    lat: Floats
    middle: Floats
    left: Floats
    right: Floats

    def seen(self, seen: Seen) -> tuple[Flags, Flags]:
        """(one, both): was at least one side of each piece within sight, were both."""
        left, right = seen.at(*self.left), seen.at(*self.right)
        return left | right | seen.at(*self.middle), left & right

    def last_seen(self, last: LastSeen) -> Ints:
        """When each piece was last within sight, on either side: seconds since 1970, 0: never."""
        found: Ints = np.maximum(np.maximum(last.at(*self.left), last.at(*self.right)), last.at(*self.middle))
        return found


def street_samples(streets: Geometries, frame: CellFrame, *, step_m: float = 5.0, side_m: float = 6.0) -> StreetSamples:
    """The pieces of streets (WGS 84 lines), each at most `step_m` long; None and empty streets have none.

    `side_m` is how far from the line its sides are looked at: half the street's width. Raises ParameterInvalid.
    """
    if not (step_m > 0 and side_m >= 0):
        raise ParameterInvalid("step_m is above 0 and side_m not below it", place="step_m")
    parts, owner = shapely.get_parts(np.asarray(streets, dtype=object), return_index=True)
    points, of = shapely.get_coordinates(parts, return_index=True)
    x, y = frame.cells(np.ascontiguousarray(points[:, 0]), np.ascontiguousarray(points[:, 1]))
    begin = np.flatnonzero(of[1:] == of[:-1])
    dx, dy = x[begin + 1] - x[begin], y[begin + 1] - y[begin]
    length = np.hypot(dx, dy)
    long = length > 0
    begin, dx, dy, length = begin[long], dx[long], dy[long], length[long]
    pieces = np.maximum(np.ceil(length * frame.cell_m / step_m).astype(np.int64), 1)
    row = np.repeat(np.arange(len(begin)), pieces)
    share = (np.arange(len(row)) - np.repeat(np.cumsum(pieces) - pieces, pieces) + 0.5) / pieces[row]
    middle = np.stack([x[begin[row]] + share * dx[row], y[begin[row]] + share * dy[row]])
    aside = np.stack([-dy[row], dx[row]]) / length[row] * (side_m / frame.cell_m)
    lon, lat = np.ascontiguousarray(frame.places(*middle).T)
    street = owner[of[begin]][row].astype(np.int64)
    metres = (length * frame.cell_m / pieces)[row]
    return StreetSamples(len(streets), street, metres, lon, lat, middle, middle + aside, middle - aside)
