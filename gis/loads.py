"""Loads: what grids carry and hand over with ground: events, households, members, streets. Prepared once, asked after each edit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any, Final, Protocol

import numpy as np
import numpy.typing as npt
import shapely

from gis.errors import ParameterInvalid
from gis.ground import edge_m, edges_of
from gis.partition import Geometries

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Columns = Mapping[str, npt.NDArray[Any]]

#: Boxes (west, south, east, north), one a row.
Boxes = Floats

#: More boxes than this are asked for as the one box around them all.
_FEW: Final = 500
#: Points are asked box by box when the boxes are so few; more boxes are first marked on a lattice of _SIDE by _SIDE.
_ONE_BY_ONE: Final = 8
_SIDE: Final = 256
#: How far beyond a border edge's end a street's edge is still cut by it, in lengths of the border edge.
_REACH: Final = 1e-9


@dataclass(frozen=True)
class Tally:
    """Counts by window and label: `label[i]` indexes `labels` (-1: none), `windows` says per name whether point i is in it."""

    labels: tuple[str, ...]
    label: Ints
    windows: Mapping[str, npt.NDArray[np.bool_]]


@dataclass(frozen=True)
class Sample:
    """What of a load lies in some boxes: place, its row in the load, and its columns."""

    row: Ints
    lon: Floats
    lat: Floats
    columns: Columns


class Load(Protocol):
    """Something that lies somewhere and weighs something, column by column."""

    @property
    def tally(self) -> Tally | None:
        """Its counts by window and label, where it has them."""

    @property
    def totals(self) -> dict[str, float]:
        """Column -> the sum over everything, wherever it lies."""

    @property
    def whole(self) -> frozenset[str]:
        """The columns that count in whole numbers."""

    def within(self, boxes: Boxes, borders: Geometries) -> Sample:
        """What lies in the boxes, lines cut at the borders so that each piece lies on one side."""


@dataclass(frozen=True)
class PointLoad:
    """n points (WGS 84 `lon`, `lat`; not finite: nowhere) and their weights by column, each of length n and finite.

    `columns={"households": counts}`; every point belongs to one grid, by the rule of `gis.locate`. Raises ParameterInvalid.
    """

    lon: Floats
    lat: Floats
    columns: Columns
    tally: Tally | None = None

    def __post_init__(self) -> None:
        for name in ("lon", "lat"):
            object.__setattr__(self, name, np.asarray(getattr(self, name), dtype=np.float64))
        object.__setattr__(self, "columns", {name: np.asarray(values) for name, values in self.columns.items()})
        if len(self.lon) != len(self.lat):
            raise ParameterInvalid("lon and lat differ in length", place="lon")
        for name, values in self.columns.items():
            if len(values) != len(self.lon) or not np.isfinite(values.astype(np.float64)).all():
                raise ParameterInvalid(f"{name} needs one number for each of {len(self.lon)} points", place=name)

    @cached_property
    def totals(self) -> dict[str, float]:
        """Column -> the sum over all points."""
        return {name: float(np.sum(values)) for name, values in self.columns.items()}

    @property
    def whole(self) -> frozenset[str]:
        """The columns of integers and truths."""
        return frozenset(name for name, values in self.columns.items() if values.dtype.kind in "iub")

    def within(self, boxes: Boxes, borders: Geometries) -> Sample:
        """The points in the boxes; the borders do not matter to them."""
        del borders
        row = self._within(few(boxes))
        return Sample(row, self.lon[row], self.lat[row], {name: values[row] for name, values in self.columns.items()})

    def _within(self, boxes: Boxes) -> Ints:
        if len(boxes) <= _ONE_BY_ONE:
            return np.flatnonzero(_in_any(self.lon, self.lat, boxes))
        rough = _roughly_in_any(self.lon, self.lat, boxes)
        return rough[_in_any(self.lon[rough], self.lat[rough], boxes)]


def _in_any(lon: Floats, lat: Floats, boxes: Boxes) -> npt.NDArray[np.bool_]:
    here = np.zeros(len(lon), dtype=bool)
    for west, south, east, north in boxes.tolist():
        here |= (lon >= west) & (lon <= east) & (lat >= south) & (lat <= north)
    return here


def _roughly_in_any(lon: Floats, lat: Floats, boxes: Boxes) -> Ints:
    """Points whose lattice square is met by a box: all that lie in one, and some beside."""
    low, high = boxes[:, :2].min(axis=0), boxes[:, 2:].max(axis=0)
    scale = _SIDE / np.maximum(high - low, 1e-12)
    row = np.flatnonzero(_in_any(lon, lat, np.concatenate([low, high])[None, :]))
    marked = np.zeros((_SIDE + 2, _SIDE + 2), dtype=bool)
    first, last = ((boxes[:, 2 * k : 2 * k + 2] - low) * scale for k in (0, 1))
    for (west, south), (east, north) in zip(first.astype(int).tolist(), last.astype(int).tolist(), strict=True):
        marked[west : east + 2, south : north + 2] = True
    column, line = (np.column_stack((lon[row], lat[row])) - low).T * scale[:, None]
    near: Ints = row[marked[column.astype(int), line.astype(int)]]
    return near


def few(boxes: Boxes) -> Boxes:
    """The boxes, or the one around them where there are hundreds."""
    if len(boxes) <= _FEW:
        return boxes
    return np.concatenate([boxes[:, :2].min(axis=0), boxes[:, 2:].max(axis=0)])[None, :]


@dataclass(frozen=True)
class LineLoad:
    """Lines (WGS 84) whose length in metres is the load: streets. `column` names it.

    Every bit of a line belongs to one grid: lines are cut at borders and each piece goes where its middle is, so lengths add up
    also where a street is the border itself. None and empty lines weigh nothing.
    """

    lines: Geometries
    column: str = "street_m"
    tally: Tally | None = None

    @cached_property
    def _edges(self) -> tuple[Floats, Floats, Ints, Floats]:
        start, stop, owner = edges_of(self.lines)
        return start, stop, owner.astype(np.int64), edge_m(start, stop)

    @property
    def totals(self) -> dict[str, float]:
        """The length of all lines."""
        return {self.column: float(self._edges[3].sum())}

    @property
    def whole(self) -> frozenset[str]:
        """Nothing: lengths are no whole numbers."""
        return frozenset()

    def within(self, boxes: Boxes, borders: Geometries) -> Sample:
        """The middles of the pieces, their lengths as the column; edges that meet no box are left out."""
        start, stop, owner, metres = self._edges
        near = np.flatnonzero(_meeting(np.minimum(start, stop), np.maximum(start, stop), few(boxes)))
        start, stop, owner, metres = start[near], stop[near], owner[near], metres[near]
        edge, begin, end = _pieces(start, stop, borders)
        middle = start[edge] + (stop - start)[edge] * ((begin + end) / 2)[:, None]
        return Sample(owner[edge], middle[:, 0], middle[:, 1], {self.column: metres[edge] * (end - begin)})


def _meeting(low: Floats, high: Floats, boxes: Boxes) -> npt.NDArray[np.bool_]:
    near = np.zeros(len(low), dtype=bool)
    for west, south, east, north in boxes.tolist():
        near |= (low[:, 0] <= east) & (high[:, 0] >= west) & (low[:, 1] <= north) & (high[:, 1] >= south)
    return near


def _pieces(start: Floats, stop: Floats, borders: Geometries) -> tuple[Ints, Floats, Floats]:
    """(edge, begin, end) of each piece as shares of its edge, the edges cut where border edges cross them or end on them."""
    number = np.arange(len(start))
    edge, share = _crossings(start, stop, borders)
    edge = np.concatenate([number, number, edge])
    share = np.concatenate([np.zeros(len(start)), np.ones(len(start)), share])
    order = np.lexsort((share, edge))
    edge, share = edge[order], share[order]
    piece = np.flatnonzero((edge[1:] == edge[:-1]) & (share[1:] > share[:-1]))
    return edge[piece], share[piece], share[piece + 1]


def _crossings(start: Floats, stop: Floats, borders: Geometries) -> tuple[Ints, Floats]:
    """(edge, share of its length) of every place where a border edge crosses it, and of the ends of those that run along it."""
    p, q, _ = edges_of(borders)
    if not len(p) or not len(start):
        return np.empty(0, dtype=np.int64), np.empty(0)
    tree = shapely.STRtree(shapely.linestrings(np.stack([start, stop], axis=1)))
    wall, edge = tree.query(shapely.linestrings(np.stack([p, q], axis=1)))
    along, side = (stop - start)[edge], (q - p)[wall]
    offset = p[wall] - start[edge]
    turn = _cross(along, side)
    with np.errstate(divide="ignore", invalid="ignore"):
        at, on_wall = _cross(offset, side) / turn, _cross(offset, along) / turn
        ends = [_dot(offset, along) / _dot(along, along), _dot(offset + side, along) / _dot(along, along)]
    parallel = np.abs(turn) <= 1e-9 * np.sqrt(_dot(along, along) * _dot(side, side))
    crossing = ~parallel & (on_wall >= -_REACH) & (on_wall <= 1 + _REACH)
    edges = np.concatenate([edge[crossing], edge[parallel], edge[parallel]])
    shares = np.concatenate([at[crossing], ends[0][parallel], ends[1][parallel]])
    inner = (shares > 0) & (shares < 1)
    return edges[inner].astype(np.int64), shares[inner]


def _cross(a: Floats, b: Floats) -> Floats:
    return np.asarray(a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0])


def _dot(a: Floats, b: Floats) -> Floats:
    return np.asarray((a * b).sum(axis=1))


def event_load(
    lon: Floats,
    lat: Floats,
    *,
    is_open: Sequence[bool] | npt.NDArray[np.bool_],
    category: Sequence[str | None] = (),
    occurred_at: npt.NDArray[np.datetime64] | None = None,
    until: datetime | np.datetime64 | None = None,
    windows_days: Sequence[int] = (7, 30, 90),
) -> PointLoad:
    """Events as a load: columns `events` and `open_events`, and counts by window and category where both are given.

    The window `30d` holds what occurred in the 30 days up to `until` (half-open: after until - 30 d). `occurred_at` and `until`
    are UTC without a zone. Events without a category count under "".
    """
    columns = {"events": np.ones(len(lon), dtype=np.int64), "open_events": np.asarray(is_open, dtype=np.int64)}
    if not len(category) and occurred_at is None:
        return PointLoad(lon, lat, columns)
    labels, label = np.unique(
        np.array([c or "" for c in category] or [""] * len(lon), dtype=object), return_inverse=True
    )
    windows = {"all": np.ones(len(lon), dtype=bool)}
    if occurred_at is not None and until is not None:
        end = np.datetime64(until.replace(tzinfo=None) if isinstance(until, datetime) else until)
        age = end - occurred_at
        windows |= {f"{days}d": (age >= np.timedelta64(0)) & (age < np.timedelta64(days, "D")) for days in windows_days}
    return PointLoad(lon, lat, columns, Tally(tuple(labels.tolist()), label.astype(np.int64), windows))


#: No borders to cut at.
NO_BORDERS: Final[Geometries] = np.empty(0, dtype=object)
