"""The demo town's buildings, households and fields, in metres: houses in rows along streets and canals, strips of crops.

No building touches water, a street or a block's border, so no building is split by any grid.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import shapely

from data.town_blocks import Blocks, Link
from data.town_plan import WATER

Floats = npt.NDArray[np.float64]
Geometries = npt.NDArray[np.object_]

#: Frontage, depth and setback (m) and households per 10 m of frontage, by the kind of row.
_ROWS = {
    "arterial": ((18.0, 40.0), (11.0, 16.0), 9.0, 0.55),
    "street": ((11.0, 30.0), (9.0, 12.5), 5.0, 1.2),
    "lane": ((8.0, 17.0), (8.0, 11.0), 2.0, 1.3),
    "canal": ((11.0, 28.0), (9.0, 12.0), 13.0, 1.2),
}
_SLAB_M = (12.5, 27.0)  # depth of an apartment slab, and from one row to the next
_MOST = (9, 62)  # slabs and old houses behind the fronts of one block: no block outgrows a grid
_FULLEST_BLOCK = 215.0
_OLD_TOWN = (-110.0, 190.0)
CROPS = ("wheat", "rice", "rape", "vegetables", "fallow", "pond")


@dataclass(frozen=True)
class Built:
    """Footprints with the number of households in each (0: a shop or hall) and the block each lies in."""

    footprints: Geometries
    kinds: npt.NDArray[np.str_]
    counts: npt.NDArray[np.int64]
    blocks: npt.NDArray[np.int64]


@dataclass(frozen=True)
class _Rectangle:
    """One planned footprint: middle, unit vector along its front, frontage and depth, households."""

    x: float
    y: float
    ux: float
    uy: float
    front: float
    depth: float
    kind: str
    count: int


def build_town(blocks: Blocks, special: Mapping[int, str], households: int, rng: np.random.Generator) -> Built:
    """Footprints in every block, `households` in all; `special` blocks (dedicated grids) hold halls and few households."""
    planned = _halls(blocks, special) + _compounds(blocks, special, rng)
    for link in blocks.links:
        if link.way.kind in _ROWS:
            planned += _row(link, rng)
    shapes = _shapes(planned)
    owner = _owner(shapes, blocks)
    free = (owner >= 0) & _dry(shapes, blocks)
    free &= np.array([p.kind == "hall" or int(o) not in special for p, o in zip(planned, owner, strict=True)])
    keep = _apart(shapes, np.flatnonzero(free))
    counts = np.array([planned[i].count for i in keep], dtype=np.int64)
    kinds = np.array([planned[i].kind for i in keep], dtype=np.str_)
    return Built(shapes[keep], kinds, _balanced(counts, owner[keep], households), owner[keep])


def closeness(x: Floats | float, y: Floats | float) -> Floats:
    """1 in the old town, falling to 0 about 4.5 km away."""
    east, north = (np.asarray(x) - _OLD_TOWN[0]) / 4600.0, (np.asarray(y) - _OLD_TOWN[1]) / 3600.0
    return np.asarray(np.clip(1.0 - np.sqrt(east * east + north * north), 0.0, 1.0))


def _row(link: Link, rng: np.random.Generator) -> list[_Rectangle]:
    """Houses along both sides of a street, in stretches; along a canal on one bank only."""
    coords = shapely.get_coordinates(link.line)
    eastward = abs(coords[-1, 0] - coords[0, 0]) > abs(coords[-1, 1] - coords[0, 1])
    if link.way.kind == "canal" and not eastward:
        return []
    rows: list[_Rectangle] = []
    for side in (1.0,) if link.way.kind == "canal" else (1.0, -1.0):
        rows += _side(link, coords, side, eastward, rng)
    return rows


def _side(link: Link, coords: Floats, side: float, eastward: bool, rng: np.random.Generator) -> list[_Rectangle]:
    fronts, depths, setback, rate = _ROWS[link.way.kind]
    steps = np.diff(coords, axis=0)
    along = np.concatenate([[0.0], np.cumsum(np.sqrt((steps * steps).sum(axis=1)))])
    pitch = (fronts[0] + fronts[1]) / 2 + (2.0 if link.way.kind == "lane" else 7.0)
    slots = max(int((along[-1] - 12.0) // pitch), 0)
    luck = rng.random((slots, 4))
    stretch = rng.random(int(along[-1] // 75.0) + 2)
    at = 9.0 + (np.arange(slots) + 0.5) * pitch
    x, y = np.interp(at, along, coords[:, 0]), np.interp(at, along, coords[:, 1])
    wanted = _density(link.way.kind, eastward, closeness(x, y))
    settled = (stretch[(at // 75.0).astype(np.int64)] < wanted) & (luck[:, 0] < 0.93)
    piece = np.clip(np.searchsorted(along, at, side="right") - 1, 0, len(steps) - 1)
    planned = []
    for i in np.flatnonzero(settled):
        step = steps[piece[i]] / np.sqrt((steps[piece[i]] ** 2).sum())
        front = fronts[0] + (fronts[1] - fronts[0]) * luck[i, 1]
        depth = depths[0] + (depths[1] - depths[0]) * luck[i, 2]
        away = side * (link.way.width_m / 2 + setback + depth / 2 + 3.0 * luck[i, 3])
        count = int(rate * front / 10.0 + luck[i, 0])
        middle = float(x[i] - step[1] * away), float(y[i] + step[0] * away)
        kind = "house" if count else "shop"
        planned.append(_Rectangle(*middle, float(step[0]), float(step[1]), front, depth, kind, count))
    return planned


def _density(kind: str, eastward: bool, near: Floats) -> Floats:
    """Share of a row that is settled: rows that face south first, and more towards the centre."""
    if kind == "lane":
        return np.full_like(near, 0.95)
    base = {"arterial": 0.30, "street": 0.62 if eastward else 0.22, "canal": 0.34}[kind]
    return np.asarray(base + (0.97 - base) * np.clip(near * 1.45 - 0.45, 0.0, 1.0))


def _compounds(blocks: Blocks, special: Mapping[int, str], rng: np.random.Generator) -> list[_Rectangle]:
    """Behind the street fronts of the centre: apartment slabs in a third of the blocks, old houses in the others."""
    planned: list[_Rectangle] = []
    centres = blocks.centres()
    areas = shapely.area(blocks.polygons)
    luck = rng.random(len(areas))
    for i in range(len(areas)):
        near = float(closeness(*centres[i]))
        if i in special or near < 0.72 or areas[i] > 60_000:
            continue
        if areas[i] > 9_000 and luck[i] < 0.34:
            planned += _rows_in(shapely.buffer(blocks.polygons[i], -24.0), 44.0, _SLAB_M, "apartments", 14)[: _MOST[0]]
        else:
            cottages = _rows_in(shapely.buffer(blocks.polygons[i], -19.0), 13.0, (9.0, 17.0), "house", 2)
            standing = rng.random(len(cottages)) < 0.78
            planned += [c for c, stands in zip(cottages, standing, strict=True) if stands][: _MOST[1]]
    return planned


def _halls(blocks: Blocks, special: Mapping[int, str]) -> list[_Rectangle]:
    """Large halls in the blocks of dedicated grids; the campus has dormitories."""
    planned: list[_Rectangle] = []
    sizes = {"market": (34.0, (18.0, 27.0)), "station": (42.0, (24.0, 38.0)), "campus": (58.0, (16.0, 44.0))}
    for i in sorted(special):
        front, rows = sizes.get(special[i], (92.0, (46.0, 68.0)))
        count = {"campus": 6, "industry": 1}.get(special[i], 0)
        planned += _rows_in(shapely.buffer(blocks.polygons[i], -14.0), front, rows, "hall", count)
    return planned


def _rows_in(yard: shapely.Polygon, front: float, rows: tuple[float, float], kind: str, count: int) -> list[_Rectangle]:
    """Rectangles in rows from west to east that lie wholly in the yard."""
    if yard.is_empty:
        return []
    west, south, east, north = yard.bounds
    depth, step = rows
    gap = 9.0 if front > 20.0 else 2.5
    planned = [
        _Rectangle(float(x), float(y), 1.0, 0.0, front, depth, kind, count)
        for y in np.arange(south + depth / 2 + (north - south - depth) % step / 2, north - depth / 2, step)
        for x in np.arange(west + front / 2 + (east - west - front) % (front + gap) / 2, east - front / 2, front + gap)
    ]
    shapes = _shapes(planned)
    return [p for p, inside in zip(planned, shapely.covers(yard, shapes), strict=True) if inside]


def _shapes(planned: list[_Rectangle]) -> Geometries:
    if not planned:
        return np.empty(0, dtype=object)
    middle = np.array([(p.x, p.y) for p in planned])
    along = np.array([(p.ux, p.uy) for p in planned]) * np.array([[p.front / 2] for p in planned])
    across = np.array([(-p.uy, p.ux) for p in planned]) * np.array([[p.depth / 2] for p in planned])
    corners = [middle - along - across, middle + along - across, middle + along + across, middle - along + across]
    polygons: Geometries = shapely.polygons(np.stack(corners, axis=1))
    return polygons


def _owner(shapes: Geometries, blocks: Blocks) -> npt.NDArray[np.int64]:
    """The block that holds each footprint with a metre to spare, or -1."""
    owner = np.full(len(shapes), -1, dtype=np.int64)
    inset = shapely.buffer(blocks.polygons, -1.0)
    found, inside = shapely.STRtree(inset).query(shapes, predicate="within")
    owner[found] = inside
    return owner


def _dry(shapes: Geometries, blocks: Blocks) -> npt.NDArray[np.bool_]:
    """Whether a footprint keeps off every bank and kerb."""
    axes = np.array([link.line for link in blocks.links], dtype=object)
    widths = np.array([link.way.width_m / 2 + (2.5 if link.way.kind in WATER else 0.8) for link in blocks.links])
    beds = shapely.buffer(axes, widths, cap_style="flat")
    hit, _ = shapely.STRtree(beds).query(shapes, predicate="intersects")
    dry = np.ones(len(shapes), dtype=np.bool_)
    dry[hit] = False
    return dry


def _apart(shapes: Geometries, candidates: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """The candidates that touch no earlier kept one."""
    grown = shapely.buffer(shapes[candidates], 1.2, join_style="mitre")
    left, right = shapely.STRtree(grown).query(grown, predicate="intersects")
    later = left < right
    order = np.lexsort((right[later], left[later]))
    dropped = np.zeros(len(candidates), dtype=np.bool_)
    for a, b in zip(left[later][order], right[later][order], strict=True):
        if not dropped[a]:
            dropped[b] = True
    return candidates[~dropped]


def _balanced(counts: npt.NDArray[np.int64], owner: npt.NDArray[np.int64], total: int) -> npt.NDArray[np.int64]:
    """The counts scaled so that they add up to `total` and no block has many more than a grid could take in."""
    scaled = counts * (total / counts.sum())
    for _ in range(3):
        held = np.bincount(owner, scaled)
        scaled = scaled * np.minimum(1.0, _FULLEST_BLOCK / np.maximum(held, 1.0))[owner]
        scaled *= total / scaled.sum()
    whole = np.where(counts > 0, np.maximum(np.floor(scaled), 1.0), 0.0).astype(np.int64)
    short = total - int(whole.sum())
    order = np.argsort(-(scaled - whole), kind="stable") if short > 0 else np.argsort(-whole, kind="stable")
    order = order[counts[order] > 0]
    for k in range(abs(short)):
        whole[order[k % len(order)]] += 1 if short > 0 else -1
    return whole


def draw_fields(
    blocks: Blocks, built: Built, special: Mapping[int, str], rng: np.random.Generator
) -> tuple[Geometries, list[str]]:
    """Strips of crops in the open parts of every large block, with the crop of each."""
    strips: list[shapely.Polygon] = []
    crops: list[str] = []
    areas = shapely.area(blocks.polygons)
    for i in range(len(areas)):
        if areas[i] > 45_000 and i not in special:
            open_land = _open_land(blocks.polygons[i], built.footprints[built.blocks == i])
            for strip in _strips(open_land, rng):
                strips.append(strip)
                crops.append(CROPS[int(np.searchsorted((0.34, 0.62, 0.74, 0.90, 0.96), rng.random()))])
    shapes = np.empty(len(strips), dtype=object)
    shapes[:] = strips
    return shapes, crops


def _open_land(block: shapely.Polygon, footprints: Geometries) -> shapely.Geometry:
    """The block without its edges and without house yards."""
    land = shapely.buffer(block, -11.0, join_style="mitre")
    if not len(footprints):
        return land
    yards = shapely.buffer(footprints, 9.0, join_style="mitre", cap_style="square")
    return shapely.buffer(shapely.difference(land, shapely.union_all(yards)), -5.0, join_style="mitre")


def _strips(land: shapely.Geometry, rng: np.random.Generator) -> list[shapely.Polygon]:
    if land.is_empty:
        return []
    west, south, east, north = land.bounds
    tall = rng.random() < 0.75
    low, high = (west - 30.0, east) if tall else (south - 30.0, north)
    edges = low + np.concatenate([[0.0], np.cumsum(rng.uniform(26.0, 70.0, int((high - low) / 26.0) + 1))])
    edges = edges[edges < high + 70.0]
    lean = 0.045
    if tall:
        a, b, c, d = [(e + lean * south, south) for e in edges], [(e + lean * north, north) for e in edges], 2.5, 0.0
    else:
        a, b, c, d = [(west, e - lean * west) for e in edges], [(east, e - lean * east) for e in edges], 0.0, 2.5
    bands = [
        shapely.Polygon([a[k], b[k], (b[k + 1][0] - c, b[k + 1][1] - d), (a[k + 1][0] - c, a[k + 1][1] - d)])
        for k in range(len(edges) - 1)
    ]
    parts = shapely.get_parts(shapely.intersection(np.array(bands, dtype=object), land))
    return [p for p in parts if p.geom_type == "Polygon" and p.area > 900.0]
