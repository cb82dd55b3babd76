"""The demo town's blocks: the plan's lines are noded and polygonised, and the blocks inside the outline are the town.

A block is what streets and water enclose; grids are merged from blocks, so every border runs along a street or water.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt
import shapely

from data.town_plan import WATER, Way

Geometries = npt.NDArray[np.object_]

#: Vertices of the noded lines lie on multiples of this many metres: far wider than the lattice in degrees.
SNAP_M = 0.25
#: How many of the pieces between two crossings are left out, so that blocks differ and some streets end blind.
_LEFT_OUT = {"ditch": 0.30, "lane": 0.12, "street": 0.04, "canal": 0.03}
#: How unwelcome a border along such a line is, per metre.
_BORDER_COST = {"river": 0.10, "arterial": 0.30, "canal": 0.60, "street": 0.75, "lane": 0.95, "ditch": 1.30}
_OUTLINE_WEST = ((-4050, -850), (-4150, 300), (-3850, 1150), (-3000, 1900), (-2050, 2550), (-700, 2950))
_OUTLINE_EAST = ((950, 2750), (2300, 2950), (3450, 2250), (4150, 1100), (4250, -100), (3600, -1250))
_OUTLINE_SOUTH = ((2700, -2150), (1300, -2800), (-500, -2450), (-1900, -2900), (-3100, -2250))


@dataclass(frozen=True)
class Link:
    """A piece of a way between two crossings, in metres."""

    way: Way
    line: shapely.LineString


@dataclass(frozen=True)
class Blocks:
    """The town's blocks with their neighbours: `cost[i][j]` is how unwelcome a border between them is."""

    polygons: Geometries
    links: tuple[Link, ...]
    cost: tuple[dict[int, float], ...]

    def centres(self) -> npt.NDArray[np.float64]:
        """The x and y of the centre of each block."""
        return np.asarray(shapely.get_coordinates(shapely.centroid(self.polygons)))


def make_blocks(ways: Sequence[Way], rng: np.random.Generator, joined: Sequence[tuple[float, float, float]]) -> Blocks:
    """The blocks inside the outline, from west to east; each place of `joined` (x, y, m2) is one block of about that size."""
    links = _thinned(_noded(ways), rng)
    cells = _polygonised(links)
    town = _connected(cells, _outline(rng))
    for x, y, area_m2 in joined:
        town = _join(town, x, y, area_m2)
    cost = _costs(town, links)
    kept = _near(links, shapely.union_all(town))
    return Blocks(town, tuple(kept), cost)


def _noded(ways: Sequence[Way]) -> list[Link]:
    """Every piece between two crossings with the way it belongs to, in an order that no library decides."""
    lines = np.array([way.line for way in ways], dtype=object)
    pieces = shapely.get_parts(shapely.union_all(lines, grid_size=SNAP_M))
    middles = shapely.line_interpolate_point(pieces, 0.5, normalized=True)
    owners = shapely.STRtree(lines).nearest(middles)
    merged: list[Link] = []
    for index in np.unique(owners):
        part = shapely.get_parts(shapely.line_merge(shapely.multilinestrings(pieces[owners == index])))
        merged += [Link(ways[int(index)], line) for line in part]
    return _cut_at_crossings(merged)


def _cut_at_crossings(links: Sequence[Link]) -> list[Link]:
    """Each link cut where another one meets it (merging joined them again)."""
    keys = [[_key(c) for c in link.line.coords] for link in links]
    seen: dict[tuple[int, int], int] = {}
    for ring in keys:
        for key in ring:
            seen[key] = seen.get(key, 0) + 1
    cut = []
    for link, ring in zip(links, keys, strict=True):
        coords = list(link.line.coords)
        stops = [0, *(i for i in range(1, len(ring) - 1) if seen[ring[i]] > 1), len(ring) - 1]
        cut += [Link(link.way, shapely.normalize(shapely.LineString(coords[a : b + 1]))) for a, b in pairwise(stops)]
    return sorted(cut, key=lambda link: tuple(link.line.coords))


def _key(xy: Sequence[float]) -> tuple[int, int]:
    return round(xy[0] / SNAP_M), round(xy[1] / SNAP_M)


def _thinned(links: Sequence[Link], rng: np.random.Generator) -> list[Link]:
    """Without the stubs of lines that reach past their end, and without some pieces by lot."""
    ends: dict[tuple[int, int], int] = {}
    for link in links:
        for end in (0, -1):
            key = _key(link.line.coords[end])
            ends[key] = ends.get(key, 0) + 1
    luck = rng.random(len(links))
    kept = []
    for link, chance in zip(links, luck, strict=True):
        loose = min(ends[_key(link.line.coords[end])] for end in (0, -1)) == 1
        if (loose and link.line.length < 30.0) or chance < _LEFT_OUT.get(link.way.kind, 0.0):
            continue
        kept.append(link)
    return kept


def _polygonised(links: Sequence[Link]) -> Geometries:
    collection = shapely.polygonize([link.line for link in links])
    cells: Geometries = shapely.normalize(shapely.get_parts(collection))
    return _ordered(cells)


def _ordered(cells: Geometries) -> Geometries:
    """From west to east, then from north to south."""
    bounds = shapely.bounds(cells)
    ordered: Geometries = cells[np.lexsort((-bounds[:, 3], bounds[:, 2], bounds[:, 0]))]
    return ordered


def _outline(rng: np.random.Generator) -> shapely.Polygon:
    corners = np.array([*_OUTLINE_WEST, *_OUTLINE_EAST, *_OUTLINE_SOUTH], dtype=np.float64)
    return shapely.Polygon(corners + rng.uniform(-130.0, 130.0, corners.shape))


def _connected(cells: Geometries, outline: shapely.Polygon) -> Geometries:
    """The cells whose inner point lies in the outline, in one piece, and everything that they enclose."""
    inside = cells[shapely.covers(outline, shapely.point_on_surface(cells))]
    pieces = shapely.get_parts(shapely.union_all(inside))
    largest = max(pieces, key=shapely.area)
    filled = shapely.Polygon(largest.exterior).buffer(0.01)
    town: Geometries = cells[shapely.covers(filled, cells)]
    return town


def _join(cells: Geometries, x: float, y: float, area_m2: float) -> Geometries:
    """The cells round a place become one, until it has about that area: a campus that no street cuts."""
    chosen = [block_at(cells, x, y)]
    whole = cells[chosen[0]]
    while whole.area < 0.75 * area_m2:
        touching = np.flatnonzero(shapely.length(shapely.intersection(cells, whole.boundary)) > 20.0)
        trials = [(int(i), shapely.union_all([whole, cells[i]])) for i in touching if int(i) not in chosen]
        fits = [
            (_compactness(t), i, t)
            for i, t in trials
            if t.area < 1.4 * area_m2 and not shapely.get_num_interior_rings(t)
        ]
        if not fits:
            break
        _, index, whole = max(fits, key=lambda fit: fit[:2])
        chosen.append(index)
    joined = shapely.normalize(shapely.coverage_union_all(cells[chosen]))
    return _ordered(np.append(np.delete(cells, chosen), joined))


def _compactness(shape: shapely.Polygon) -> float:
    """1 for a circle, 0.785 for a square (Polsby-Popper); 0 for what is not one polygon."""
    return 4.0 * np.pi * shape.area / shape.length**2 if shape.geom_type == "Polygon" else 0.0


def block_at(cells: Geometries, x: float, y: float) -> int:
    """The index of the block whose centre is nearest."""
    return int(np.argmin(shapely.distance(shapely.centroid(cells), shapely.Point(x, y))))


def _costs(cells: Geometries, links: Sequence[Link]) -> tuple[dict[int, float], ...]:
    """Between neighbours: length of the common border times the kind's cost."""
    price = {}
    for link in links:
        for a, b in pairwise(link.line.coords):
            price[frozenset((_key(a), _key(b)))] = _BORDER_COST[link.way.kind]
    sides: dict[frozenset[tuple[int, int]], list[tuple[int, float]]] = {}
    for i, cell in enumerate(cells):
        for a, b in pairwise(cell.exterior.coords):
            length = float(np.hypot(b[0] - a[0], b[1] - a[1]))
            sides.setdefault(frozenset((_key(a), _key(b))), []).append((i, length))
    cost: tuple[dict[int, float], ...] = tuple({} for _ in cells)
    for segment, owners in sides.items():
        if len(owners) == 2:
            (i, length), (j, _) = owners
            cost[i][j] = cost[j][i] = cost[i].get(j, 0.0) + length * price.get(segment, 1.3)
    return cost


def _near(links: Sequence[Link], town: shapely.Polygon) -> list[Link]:
    """Streets that touch the town, and water up to 500 m beyond it."""
    wide = town.buffer(500.0)
    kept = []
    for link in links:
        if link.way.kind in WATER:
            clipped = shapely.intersection(link.line, wide)
            kept += [Link(link.way, part) for part in shapely.get_parts(clipped) if part.length > 1.0]
        elif shapely.covers(town, link.line) or shapely.intersection(link.line, town).length > 20.0:
            kept.append(link)
    return kept
