"""StreetGraph: streets as a file has them become a network to walk on: nodes where they meet, edges of street between these.

Lines of streets are rarely a network. They run on through a junction, end half a metre beside the street they should meet, are drawn
once for each direction, or lie apart from all others. Here lines that meet, cross, overlap or end beside each other are joined, and
what is still apart is joined by the shortest straight jumps (`gis.streetjoins`), so that every place can be walked to. Lines that
cross are taken to meet: lines alone tell no bridge from a junction. Everything inside is in metres of one CRS.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import shapely

from gis.crs import metric_crs
from gis.datum import transform
from gis.errors import CoordinateInvalid, GeometryInvalid, ParameterInvalid
from gis.fixes import Flags, Floats, Ints
from gis.partition import Geometries
from gis.streetjoins import TOUCHING_M, gaps, groups, jumps

#: Lines that end no farther than this from another are joined to it.
JOIN_M: Final = 1.0
#: The street of an edge that lies on none: a straight jump between parts of the network.
JUMP: Final = -1

_LINES: Final = (1, 5)  # shapely's numbers for a line and for several


@dataclass(frozen=True, eq=False)
class StreetGraph:
    """Edge k runs along `line[k]` from node `ends[k, 0]` to `ends[k, 1]`, `length_m[k]` long, and is of street `street[k]` (or JUMP).

    `node` is (n, 2) metres east and north of the CRS `epsg`; `lines[i]` is street i as it was given, in metres, joined where its
    pieces meet. All nodes hang together. Neither nodes nor edges depend on the order or direction of the streets.
    """

    epsg: int
    node: Floats
    ends: Ints
    street: Ints
    length_m: Floats
    line: Geometries
    lines: Geometries

    @property
    def is_jump(self) -> Flags:
        """Which edges are straight jumps, along no street."""
        found: Flags = self.street == JUMP
        return found

    @property
    def jump_m(self) -> float:
        """Metres of straight jumps in all."""
        return float(self.length_m[self.is_jump].sum())

    def metres(self, lon: npt.ArrayLike, lat: npt.ArrayLike) -> Floats:
        """(n, 2) metres of WGS 84 places; raises CoordinateInvalid for one that is not on the globe or that this CRS cannot tell."""
        x, y = np.atleast_1d(np.asarray(lon, np.float64)), np.atleast_1d(np.asarray(lat, np.float64))
        if not bool(((np.abs(x) <= 180.0) & (np.abs(y) <= 90.0)).all()):
            raise CoordinateInvalid("a place is no longitude and latitude in degrees", place="lon")
        found = np.column_stack(transform(4326, self.epsg, x, y))
        if not bool(np.isfinite(found).all()):
            raise CoordinateInvalid("a place lies too far from the streets", place="lon")
        return found

    def degrees(self, metres: Floats) -> Floats:
        """(n, 2) lon and lat of places given in metres."""
        return np.column_stack(transform(self.epsg, 4326, metres[:, 0], metres[:, 1]))

    def footings(self, place: Floats) -> Footings:
        """Where each of these places (metres) meets the nearest street; of two as near, the lower edge."""
        points = shapely.points(place)
        at, near = self._tree.query_nearest(points, all_matches=True)
        edge = np.full(len(place), len(self.line))
        np.minimum.at(edge, at, self._streets[near])
        along = shapely.line_locate_point(self.line[edge], points)
        foot = shapely.get_coordinates(shapely.line_interpolate_point(self.line[edge], along))
        return Footings(place, edge, along, foot, np.hypot(*(place - foot).T))

    @cached_property
    def _streets(self) -> Ints:
        return np.flatnonzero(~self.is_jump)

    @cached_property
    def _tree(self) -> Any:
        return shapely.STRtree(self.line[self._streets])


@dataclass(frozen=True, eq=False)
class Footings:
    """Place i meets its nearest street on edge `edge[i]`, `along_m[i]` from the edge's first node, at `foot[i]`, `off_m[i]` away."""

    place: Floats
    edge: Ints
    along_m: Floats
    foot: Floats
    off_m: Floats


def street_graph(streets: Geometries, *, join_m: float = JOIN_M) -> StreetGraph:
    """The network of streets: WGS 84 lines, each a LineString or MultiLineString; None and empty ones have no edges.

    Lines are cut where they touch, cross or come within `join_m` of an end; an edge that several streets share is of the lowest. A
    second line for the other direction is the same edge. Raises ParameterInvalid without any street, GeometryInvalid for what is no
    line, CoordinateInvalid for coordinates that are no degrees.
    """
    if not (np.isfinite(join_m) and join_m >= 0):
        raise ParameterInvalid("join_m is a length in metres, not below 0", place="join_m")
    given = _checked(streets)
    middle = shapely.get_coordinates(given).mean(axis=0)
    epsg = int(metric_crs(float(middle[0]), float(middle[1])).to_epsg() or 0)
    lines = shapely.line_merge(
        shapely.transform(given, lambda xy: np.column_stack(transform(4326, epsg, xy[:, 0], xy[:, 1])))
    )
    parts, owner = shapely.get_parts(lines, return_index=True)
    edges, street = _noded(parts, owner, join_m)
    return _network(epsg, edges, street, lines, join_m)


def _checked(streets: Geometries) -> Geometries:
    given: Geometries = shapely.force_2d(np.asarray(streets, dtype=object))
    drawn = ~(shapely.is_missing(given) | shapely.is_empty(given))
    strange = np.flatnonzero(drawn & ~np.isin(shapely.get_type_id(given), _LINES))
    if len(strange):
        raise GeometryInvalid(f"street {strange[0]} is no line", place="streets")
    places = shapely.get_coordinates(given)
    if not bool((np.abs(places) <= (180.0, 90.0)).all()):
        raise CoordinateInvalid("the streets have coordinates that are no WGS 84 degrees", place="streets")
    if not bool((shapely.length(given) > 0).any()):
        raise ParameterInvalid("there are no streets to walk on", place="streets")
    given[~drawn] = None
    return given


def _noded(parts: Geometries, owner: Ints, join_m: float) -> tuple[Geometries, Ints]:
    """(edges, the street of each): the parts cut where they meet, each stretch once; JUMP marks the gaps that were closed.

    Noding is GEOS's snap rounding to TOUCHING_M, which is robust and moves no vertex farther; of an edge the middle tells whose it is.
    """
    parts, owner = _in_order(parts, owner)
    drawn = np.concatenate([parts, gaps(parts, join_m)])
    edges = shapely.normalize(shapely.get_parts(shapely.union_all(drawn, grid_size=TOUCHING_M)))
    middle = shapely.line_interpolate_point(edges, 0.5, normalized=True)
    tree = shapely.STRtree(drawn)
    (at, _), far = tree.query_nearest(middle, all_matches=False, return_distance=True)
    reach = np.zeros(len(edges))
    reach[at] = far + TOUCHING_M
    at, near = tree.query(middle, predicate="dwithin", distance=reach)
    last = np.iinfo(np.int64).max
    whose = np.concatenate([owner, np.full(len(drawn) - len(parts), last)])
    street = np.full(len(edges), last)
    np.minimum.at(street, at, whose[near])
    return edges, np.where(street == last, JUMP, street)


def _in_order(parts: Geometries, owner: Ints) -> tuple[Geometries, Ints]:
    """The parts that have a length, each once, turned and sorted by what they are: no rounding may depend on who comes first."""
    long = shapely.length(parts) > TOUCHING_M
    turned = shapely.normalize(parts[long])
    _, first = np.unique(shapely.to_wkb(turned), return_index=True)
    return turned[first], owner[long][first]


def _network(epsg: int, edges: Geometries, street: Ints, lines: Geometries, join_m: float) -> StreetGraph:
    """The graph of edges: nodes that a closed gap joins are one, what hangs apart is joined by jumps, all in one order."""
    tips = np.stack([shapely.get_coordinates(shapely.get_point(edges, i)) for i in (0, -1)], axis=1)
    node, ends = np.unique(tips.reshape(-1, 2), axis=0, return_inverse=True)
    closed = street == JUMP
    ends = groups(len(node), ends.reshape(-1, 2)[closed])[ends.reshape(-1, 2)]
    length = shapely.length(edges)
    kept = np.flatnonzero(~closed & ((ends[:, 0] != ends[:, 1]) | (length > join_m)))
    kept = kept[np.lexsort((length[kept], ends[kept].max(axis=1), ends[kept].min(axis=1)))]
    used, ends = np.unique(ends[kept], return_inverse=True)
    node, ends = node[used], ends.reshape(-1, 2)
    leaps = jumps(node, groups(len(node), ends))
    drawn = np.concatenate([edges[kept], np.asarray(shapely.linestrings(node[leaps]), dtype=object).reshape(-1)])
    whose = np.concatenate([street[kept], np.full(len(leaps), JUMP)])
    return StreetGraph(epsg, node, np.concatenate([ends, leaps]), whose, shapely.length(drawn), drawn, lines)
