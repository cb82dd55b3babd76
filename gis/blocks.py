"""Blocks: the pieces that streets cut grids into, each within one grid, together the grid again.

Streets and grid borders are noded together and polygonized (GEOS), so a street that leads nowhere bounds nothing. Pieces
too small or too narrow to be a block (the strip between two carriageways, between a street's centre line and a border
drawn along it) join the neighbour in their grid with which they share the longest border.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
import shapely

from gis.codes import sequence
from gis.crs import area_m2, metres_per_degree
from gis.partition import Geometries, Partition
from gis.segments import borders_shared, without_passings

Indices = npt.NDArray[np.intp]

#: A piece below this is no block.
SMALLEST_M2: Final = 400.0
#: A piece that is nowhere wider than this is no block.
NARROWEST_M: Final = 8.0


@dataclass(frozen=True)
class Blocks:
    """Blocks by code: `codes[i]` lies in the grid `grids[i]` and is drawn by `geometry[i]`; `joined` pieces were no blocks of their own."""

    codes: tuple[str, ...]
    grids: tuple[str, ...]
    geometry: Geometries
    joined: int

    def __len__(self) -> int:
        return len(self.codes)


def blocks(
    streets: Geometries,
    partition: Partition,
    *,
    smallest_m2: float = SMALLEST_M2,
    narrowest_m: float = NARROWEST_M,
) -> Blocks:
    """Every grid is the union of its blocks, which neither overlap nor leave a gap, and share every vertex of a border.

    `streets` are lines in WGS 84 (anything else is left out); the partition must be one: no overlaps. New vertices stand
    only where a block ends at another line. Codes are the grid's with a number from 01, from west to east of an inner
    point, north first on ties. A grid that is itself too small stays a block.
    """
    lines = _lines(streets)
    edges = np.concatenate((shapely.boundary(partition.geometry), lines))
    pieces, grid = _pieces(edges, partition)
    kept, kept_grid = _joined(pieces, grid, smallest_m2, narrowest_m)
    kept = without_passings(kept, shapely.get_coordinates(edges))
    owners = [partition.codes[i] for i in kept_grid.tolist()]
    order = sequence(shapely.get_coordinates(shapely.point_on_surface(kept)), owners).tolist()
    return Blocks(
        _codes([owners[i] for i in order]),
        tuple(owners[i] for i in order),
        kept[order],
        len(pieces) - len(kept),
    )


def _lines(streets: Geometries) -> Geometries:
    parts = shapely.get_parts(np.asarray(streets, dtype=object))
    lines: Geometries = parts[np.isin(shapely.get_type_id(parts), (1, 2)) & ~shapely.is_empty(parts)]
    return lines


def _pieces(edges: Geometries, partition: Partition) -> tuple[Geometries, Indices]:
    """All faces of the noded lines that lie in a grid, and the index of that grid."""
    faces = shapely.get_parts(shapely.polygonize(shapely.get_parts(shapely.unary_union(edges))))
    point, grid = shapely.STRtree(partition.geometry).query(shapely.point_on_surface(faces), predicate="intersects")
    point, first = np.unique(point, return_index=True)
    return faces[point], grid[first]


def _codes(owners: list[str]) -> tuple[str, ...]:
    """The owner's code and the number among its blocks, all of one grid equally wide: bytes then sort as numbers do."""
    width = {owner: max(len(str(n)), 2) for owner, n in Counter(owners).items()}
    given: Counter[str] = Counter()
    codes = []
    for owner in owners:
        given[owner] += 1
        codes.append(f"{owner}-{given[owner]:0{width[owner]}d}")
    return tuple(codes)


def _joined(pieces: Geometries, grid: Indices, smallest_m2: float, narrowest_m: float) -> tuple[Geometries, Indices]:
    """The pieces once no block is too small or too narrow that has a neighbour in its grid, and their grids."""
    while True:
        small = np.flatnonzero(_no_block(pieces, smallest_m2, narrowest_m))
        groups = _unions(pieces, grid, small[np.argsort(area_m2(pieces[small]), kind="stable")])
        if len(groups) == len(pieces):
            return pieces, grid
        grown = np.empty(len(groups), dtype=object)
        grown[:] = [
            pieces[group[0]] if len(group) == 1 else shapely.coverage_union_all(pieces[group]) for group in groups
        ]
        pieces, grid = grown, grid[[group[0] for group in groups]]


def _no_block(pieces: Geometries, smallest_m2: float, narrowest_m: float) -> npt.NDArray[np.bool_]:
    """True for what is too small, or gone when half the narrowest width is taken off all round."""
    lat = shapely.get_y(shapely.centroid(shapely.multipoints(shapely.point_on_surface(pieces))))
    east, north = metres_per_degree(np.array([lat]))
    flat = shapely.transform(pieces, lambda xy: xy * (east[0], north[0]))
    area = shapely.area(flat)
    refused: npt.NDArray[np.bool_] = area < smallest_m2
    # No ring encloses more than its length times half its width: most pieces are told apart without a buffer.
    narrow = np.flatnonzero(~refused & (area <= shapely.length(flat) * narrowest_m / 2))
    refused[narrow] = shapely.is_empty(shapely.buffer(flat[narrow], -narrowest_m / 2))
    return refused


def _unions(pieces: Geometries, grid: Indices, small: Indices) -> list[list[int]]:
    """Which pieces become one, each small one with the neighbour of its grid along the longest border; in order of first pieces."""
    beside: dict[int, dict[int, float]] = defaultdict(dict)
    for one, other, length in borders_shared(pieces):
        if grid[one] == grid[other]:
            beside[one][other] = beside[other][one] = length
    leader = list(range(len(pieces)))

    def leading(i: int) -> int:
        while leader[i] != i:
            i = leader[i]
        return i

    for i in small.tolist():
        near = [(length, -other) for other, length in beside[i].items() if leading(other) != leading(i)]
        if near:
            one, other = sorted((leading(i), leading(-max(near)[1])))
            leader[other] = one
    groups: dict[int, list[int]] = defaultdict(list)
    for i in range(len(pieces)):
        groups[leading(i)].append(i)
    return list(groups.values())
