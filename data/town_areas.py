"""The demo town's areas: blocks merged into grids and villages, in degrees, with codes, names and addresses.

Shared borders are the very same doubles on both sides; a village is exactly the union of its grids, the town that of its villages.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import shapely

from data import town_names as names
from data.town_blocks import Blocks
from data.town_buildings import Built, closeness
from data.town_division import Graph, divide, refine
from data.town_plan import BORDER_LATTICE, to_degrees

Geometries = npt.NDArray[np.object_]

#: General grids in each of the twelve villages: 53 in all.
GRIDS_PER_VILLAGE = (5, 4, 5, 4, 6, 4, 4, 5, 4, 5, 3, 4)
_ATTEMPTS = 8
_BALANCES = (1.0, 3.0)  # first a good compromise, then evenness before pretty borders
_WALL_M = 6.0  # a campus wall stands this far inside the street's centre line
_WALLED = ("campus", "station")


@dataclass(frozen=True)
class Area:
    """A district, town, village or grid with its code, name and shape (WGS 84 lon/lat)."""

    code: str
    name: str
    level: str
    layer: str
    parent_code: str | None
    geometry: shapely.Polygon


@dataclass(frozen=True)
class Areas:
    """Every area of the town; `grid_of[block]` and `village_of[block]` index into `grids` and `villages`."""

    district: Area
    subdistrict: Area
    villages: tuple[Area, ...]
    grids: tuple[Area, ...]
    dedicated: tuple[Area, ...]
    grid_of: npt.NDArray[np.int64]
    village_of: npt.NDArray[np.int64]


def divided(blocks: Blocks, built: Built, rng: np.random.Generator) -> list[list[list[int]]]:
    """The blocks of every grid of every village: the most even of several divisions with the village sizes shuffled."""
    households = np.bincount(built.blocks, built.counts, len(blocks.polygons)).astype(np.float64)
    quota = float(households.sum()) / sum(GRIDS_PER_VILLAGE)
    graph = Graph(households, blocks.centres(), blocks.cost, quota)
    best: tuple[float, list[list[list[int]]]] | None = None
    for _ in range(_ATTEMPTS):
        sizes = [int(n) for n in rng.permutation(np.array(GRIDS_PER_VILLAGE))]
        division = _division(graph, sizes)
        loads = np.array([households[grid].sum() for village in division for grid in village])
        uneven = float(np.abs(loads / quota - 1.0).max())
        if best is None or uneven < best[0]:
            best = uneven, division
        if uneven < 0.25:
            break
    assert best is not None  # noqa: S101 - there is at least one attempt
    return best[1]


def _division(graph: Graph, sizes: Sequence[int]) -> list[list[list[int]]]:
    villages = divide(graph, range(len(graph.households)), sizes)
    grids = [grid for village, n in zip(villages, sizes, strict=True) for grid in divide(graph, village, [1] * n)]
    families = [k for k, n in enumerate(sizes) for _ in range(n)]
    for weight in _BALANCES:
        grids = refine(replace(graph, balance=graph.balance * weight), grids, families)
    return [[g for g, f in zip(grids, families, strict=True) if f == k] for k in range(len(sizes))]


def make_areas(blocks: Blocks, division: Sequence[Sequence[Sequence[int]]], special: Mapping[int, str]) -> Areas:
    """Codes and names for every area: villages, then grids in each village, numbered from west to east, north first."""
    cells = to_degrees(blocks.polygons, BORDER_LATTICE)
    merged = [[_merged(cells[list(grid)]) for grid in village] for village in division]
    villages = [_merged(_array(grids)) for grids in merged]
    whole = _merged(_array(villages))
    district = Area(*names.DISTRICT, "district", "general", None, whole)
    town = Area(*names.SUBDISTRICT, "subdistrict", "general", district.code, whole)
    village_areas: list[Area] = []
    grid_areas: list[Area] = []
    dedicated: list[Area] = []
    grid_of, village_of = np.zeros(len(cells), dtype=np.int64), np.zeros(len(cells), dtype=np.int64)
    titles = _village_names(villages)
    for place, v in enumerate(sequence(villages)):
        village = Area(f"{town.code}{place + 201}", titles[v], "community", "general", town.code, villages[v])
        village_areas.append(village)
        for n, g in enumerate(sequence(merged[v]), start=1):
            members = list(division[v][g])
            grid_of[members], village_of[members] = len(grid_areas), place
            name = f"{village.name}第{n}网格"
            grid_areas.append(Area(f"{village.code}{n:03d}", name, "grid", "general", village.code, merged[v][g]))
        held = {block for grid in division[v] for block in grid}
        own = {block: kind for block, kind in special.items() if block in held}
        dedicated += _dedicated(village, len(merged[v]), blocks, own)
    return Areas(district, town, tuple(village_areas), tuple(grid_areas), tuple(dedicated), grid_of, village_of)


def _array(shapes: Sequence[shapely.Polygon]) -> Geometries:
    array = np.empty(len(shapes), dtype=object)
    array[:] = list(shapes)
    return array


def _merged(shapes: Geometries) -> shapely.Polygon:
    """One polygon, counter-clockwise, that keeps every vertex of the shapes' common outline."""
    union = shapely.get_parts(shapely.coverage_union_all(shapes))
    if len(union) != 1:
        raise ValueError(f"{len(shapes)} blocks do not make one polygon")
    return shapely.orient_polygons(shapely.normalize(union[0]))


def sequence(shapes: Sequence[shapely.Polygon]) -> list[int]:
    """The order of the shapes: west to east by an inner point, the northern one first when equal."""
    inner = shapely.get_coordinates(shapely.point_on_surface(_array(shapes)))
    return sorted(range(len(shapes)), key=lambda i: (inner[i, 0], -inner[i, 1]))


def _village_names(villages: Sequence[shapely.Polygon]) -> list[str]:
    """The four smallest villages bear the names of the old town, the others those of the country, from west to east."""
    small = set(sorted(range(len(villages)), key=lambda v: villages[v].area)[: len(names.CENTRE_VILLAGES)])
    centre, rural = iter(names.CENTRE_VILLAGES), iter(names.RURAL_VILLAGES)
    titles = [""] * len(villages)
    for v in sequence(villages):
        titles[v] = next(centre) if v in small else next(rural)
    return titles


def _dedicated(village: Area, taken: int, blocks: Blocks, special: Mapping[int, str]) -> list[Area]:
    """The dedicated grids of a village, numbered after its general ones; a campus or station lies behind its wall."""
    indices = sorted(special)
    shapes = [
        shapely.buffer(blocks.polygons[i], -_WALL_M, join_style="mitre")
        if special[i] in _WALLED
        else blocks.polygons[i]
        for i in indices
    ]
    degrees = [shapely.orient_polygons(shapely.normalize(s)) for s in to_degrees(_array(shapes), BORDER_LATTICE)]
    return [
        Area(
            f"{village.code}{taken + n:03d}",
            names.DEDICATED[special[indices[k]]],
            "grid",
            "dedicated",
            village.code,
            degrees[k],
        )
        for n, k in enumerate(sequence(degrees), start=1)
    ]


def addresses(blocks: Blocks, built: Built, areas: Areas) -> tuple[list[str], list[str]]:
    """For every building its address and its neighbourhood: street and number in the old town, village and group outside."""
    middles = shapely.centroid(built.footprints)
    xy = shapely.get_coordinates(middles)
    streets = [link for link in blocks.links if link.way.kind in {"arterial", "street", "lane"}]
    nearest = shapely.STRtree([link.line for link in streets]).nearest(middles)
    groups = _groups(blocks, built, areas)
    urban = closeness(xy[:, 0], xy[:, 1]) > 0.74
    used: dict[str, int] = {}
    full, short = [""] * len(xy), [""] * len(xy)
    for i in np.lexsort((-xy[:, 1], xy[:, 0])):
        block = int(built.blocks[i])
        base = f"{areas.villages[areas.village_of[block]].name}{names.numeral(groups[block])}组"
        street = streets[int(nearest[i])].way.name if urban[i] else base
        used[street] = used.get(street, 0) + 1
        full[i], short[i] = f"{names.TOWN}{street}{used[street]}号", base
    return full, short


def _groups(blocks: Blocks, built: Built, areas: Areas) -> dict[int, int]:
    """The number of each inhabited block's residents' group in its village, from west to east."""
    numbers: dict[int, int] = {}
    last: dict[int, int] = {}
    centres = blocks.centres()
    for block in sorted({int(b) for b in built.blocks}, key=lambda b: (centres[b, 0], centres[b, 1])):
        village = int(areas.village_of[block])
        numbers[block] = last[village] = last.get(village, 0) + 1
    return numbers
