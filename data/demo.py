"""The demo town: a synthetic town of the Yangtze delta with 12 villages, 53 general and 4 dedicated grids, and 1,034 reports.

Everything is invented and says so: names, the division code 320699 (assigned to no district), persons, reports. Only the
figures imitate a town that the press described. The same seed draws the same town, bit for bit on one version of GEOS.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from itertools import combinations
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import shapely
from shapely.geometry import mapping

from data.town_areas import Area, Areas, addresses, divided, make_areas
from data.town_blocks import Blocks, block_at, make_blocks
from data.town_buildings import Built, draw_fields
from data.town_buildings import build_town as build_houses
from data.town_names import CATEGORIES, SCHEME, Category
from data.town_plan import BORDER_LATTICE, POINT_LATTICE, WATER, draw_ways, to_degrees
from data.town_reports import FIELDS, Ground, Spot, make_bad_reports, make_reports

if TYPE_CHECKING:
    from data.town_patrols import TownPatrols

SEED = 20261122
HOUSEHOLDS = 53 * 372
#: Where the dedicated grids lie (metres east and north of the origin) and about how large they are (m2).
_DEDICATED = {
    "industry": (2900.0, 1100.0, 350_000.0),
    "campus": (-430.0, 560.0, 42_000.0),
    "station": (-950.0, 80.0, 30_000.0),
    "market": (-60.0, 350.0, 15_000.0),
}
_NOTE = "synthetic demo town, not a real place / 合成演示数据，非真实地点"


@dataclass(frozen=True)
class Street:
    """A piece of street between two crossings; kind is arterial, street or lane."""

    name: str
    kind: str
    geometry: shapely.LineString


@dataclass(frozen=True)
class Water:
    """A piece of river, canal or ditch: its surface and the line along its middle."""

    name: str
    kind: str
    geometry: shapely.Polygon
    axis: shapely.LineString


@dataclass(frozen=True)
class Shape:
    """A building (house, shop, apartments, hall) or a field (its crop, or pond)."""

    kind: str
    geometry: shapely.Polygon


@dataclass(frozen=True)
class Crossing:
    """Where two named streets meet."""

    name: str
    lon: float
    lat: float


@dataclass(frozen=True)
class Household:
    """A residential building: how many households live at this point."""

    lon: float
    lat: float
    count: int
    external_id: str
    address: str


@dataclass(frozen=True)
class Town:
    """The whole synthetic town in WGS 84.

    `reports` are the 1,034 that are stored or queued, by time; `bad_reports` are six more that must be refused: each has
    the fields of a report and `expected` (the error's code) with `why`.
    """

    district: list[Area]
    subdistrict: list[Area]
    communities: list[Area]
    grids: list[Area]
    dedicated: list[Area]
    streets: list[Street]
    crossings: list[Crossing]
    water: list[Water]
    buildings: list[Shape]
    fields: list[Shape]
    households: list[Household]
    categories: list[Category]
    reports: list[dict[str, Any]]
    bad_reports: list[dict[str, Any]]
    note: str = _NOTE


def build_town(seed: int = SEED, *, now: datetime) -> Town:
    """The town of this seed with reports of the 30 days before `now` (with an offset); the map does not depend on `now`."""
    rng = np.random.default_rng([seed, 1])
    blocks = make_blocks(draw_ways(rng), rng, list(_DEDICATED.values()))
    special = {block_at(blocks.polygons, x, y): kind for kind, (x, y, _) in _DEDICATED.items()}
    built = build_houses(blocks, special, HOUSEHOLDS, rng)
    fields, crops = draw_fields(blocks, built, special, rng)
    areas = make_areas(blocks, divided(blocks, built, rng), special)
    full, short = addresses(blocks, built, areas)
    streets, crossings = _streets(blocks), _crossings(blocks)
    ground = _ground(blocks, built, areas, full, short, crossings, fields)
    return Town(
        district=[areas.district],
        subdistrict=[areas.subdistrict],
        communities=list(areas.villages),
        grids=list(areas.grids),
        dedicated=list(areas.dedicated),
        streets=streets,
        crossings=crossings,
        water=_water(blocks),
        buildings=_shapes(built.footprints, built.kinds),
        fields=_shapes(fields, crops),
        households=_households(built, full),
        categories=list(CATEGORIES),
        reports=make_reports(ground, now, np.random.default_rng([seed, 2])),
        bad_reports=make_bad_reports(ground, now),
    )


def _shapes(metres: npt.NDArray[np.object_], kinds: Iterable[str]) -> list[Shape]:
    return [Shape(str(k), g) for k, g in zip(kinds, to_degrees(metres, POINT_LATTICE), strict=True)]


def _streets(blocks: Blocks) -> list[Street]:
    """Every piece of street on dry land or on a bridge: only some roads cross the rivers."""
    rivers = [link.line.buffer(link.way.width_m / 2) for link in blocks.links if link.way.kind == "river"]
    river = shapely.union_all(rivers)
    pieces = []
    for link in blocks.links:
        if link.way.kind not in WATER:
            dry = link.line if link.way.bridged else shapely.difference(link.line, river)
            pieces += [(link.way, part) for part in shapely.get_parts(dry) if part.length > 5.0]
    lines = to_degrees(np.array([line for _, line in pieces], dtype=object), BORDER_LATTICE)
    return [Street(way.name, way.kind, line) for (way, _), line in zip(pieces, lines, strict=True)]


def _water(blocks: Blocks) -> list[Water]:
    links = [link for link in blocks.links if link.way.kind in WATER]
    axes = np.array([link.line for link in links], dtype=object)
    surfaces = shapely.buffer(axes, np.array([link.way.width_m / 2 for link in links]), quad_segs=2)
    pairs = zip(links, to_degrees(surfaces, POINT_LATTICE), to_degrees(axes, BORDER_LATTICE), strict=True)
    return [Water(link.way.name, link.way.kind, surface, axis) for link, surface, axis in pairs]


def _crossings(blocks: Blocks) -> list[Crossing]:
    """Every place where pieces of two streets end together, named by both."""
    meeting: dict[tuple[float, float], set[str]] = {}
    for link in blocks.links:
        if link.way.kind not in WATER:
            for end in (0, -1):
                meeting.setdefault(link.line.coords[end], set()).add(link.way.name)
    places = sorted((xy, pair) for xy, streets in meeting.items() for pair in combinations(sorted(streets), 2))
    points = shapely.get_coordinates(to_degrees(shapely.points([xy for xy, _ in places]), BORDER_LATTICE))
    return [Crossing(f"{a}与{b}路口", float(p[0]), float(p[1])) for (_, (a, b)), p in zip(places, points, strict=True)]


def _households(built: Built, full: Sequence[str]) -> list[Household]:
    points = shapely.get_coordinates(to_degrees(shapely.centroid(built.footprints), POINT_LATTICE))
    lived = [int(i) for i in np.flatnonzero(built.counts > 0)]
    return [
        Household(float(points[i, 0]), float(points[i, 1]), int(built.counts[i]), f"DEMO-H-{n:05d}", full[i])
        for n, i in enumerate(lived, start=1)
    ]


def _ground(
    blocks: Blocks,
    built: Built,
    areas: Areas,
    full: Sequence[str],
    short: Sequence[str],
    crossings: Sequence[Crossing],
    fields: npt.NDArray[np.object_],
) -> Ground:
    """What the reports need to know of the town."""
    middles = shapely.get_coordinates(shapely.centroid(built.footprints))
    spots = [
        Spot(float(x), float(y), full[i], short[i], int(areas.grid_of[built.blocks[i]]) + 1)
        for i, (x, y) in enumerate(middles)
    ]
    return Ground(
        spots=spots,
        weights=built.counts.astype(np.float64),
        links=blocks.links,
        fields=fields,
        crossings=[(c.name, c.lon, c.lat) for c in crossings],
        town=areas.subdistrict.geometry,
        grids=[(grid.name, grid.geometry) for grid in areas.grids],
        dedicated=[(grid.name.removesuffix("专属网格"), grid.geometry) for grid in areas.dedicated],
    )


def write_town(town: Town, folder: Path, patrols: TownPatrols | None = None) -> list[Path]:
    """The town, and its patrols where they are given, as files that `gridbeat check`, `load` and `locate` read; returns their paths.

    reports.csv holds the 1,034 reports and after them the bad rows 1,035 to 1,040, in the columns of a report.
    """
    folder.mkdir(parents=True, exist_ok=True)
    lines = [(s, {"name": s.name, "kind": s.kind}) for s in town.streets]
    surfaces = [(w, {"name": w.name, "kind": w.kind}) for w in town.water]
    households = [asdict(h) for h in town.households]
    rows = [*town.reports, *town.bad_reports]
    codes = [{"code": c.code, "name": c.name, "scheme": SCHEME} for c in town.categories]
    return [
        _write_areas(folder / "villages.geojson", town.communities),
        _write_areas(folder / "grids.geojson", town.grids),
        _write_areas(folder / "dedicated.geojson", town.dedicated),
        _write_features(folder / "streets.geojson", lines),
        _write_features(folder / "water.geojson", surfaces),
        _write_features(folder / "buildings.geojson", [(b, {"kind": b.kind}) for b in town.buildings]),
        _write_table(folder / "households.csv", households, list(households[0])),
        _write_table(folder / "reports.csv", rows, FIELDS),
        _write_table(folder / "categories.csv", codes, list(codes[0])),
        *_patrol_files(patrols, folder),
    ]


def _patrol_files(patrols: TownPatrols | None, folder: Path) -> list[Path]:
    from data.demopatrols import write_patrols

    return [] if patrols is None else write_patrols(patrols, folder)


def _write_areas(path: Path, areas: Sequence[Area]) -> Path:
    features = [
        (a, {"code": a.code, "name": a.name, "level": a.level, "layer": a.layer, "parent": a.parent_code})
        for a in areas
    ]
    return _write_features(path, features)


def _write_features(path: Path, rows: Sequence[tuple[Any, Mapping[str, Any]]]) -> Path:
    features = [
        {"type": "Feature", "properties": {**properties, "note": _NOTE}, "geometry": mapping(thing.geometry)}
        for thing, properties in rows
    ]
    collection = {"type": "FeatureCollection", "name": path.stem, "features": features}
    path.write_text(json.dumps(collection, ensure_ascii=False), encoding="utf-8")
    return path


def _write_table(path: Path, rows: Sequence[Mapping[str, Any]], columns: Sequence[str]) -> Path:
    """A UTF-8 CSV; numbers in the shortest form that reads back to the same double, empty where there is nothing."""
    with path.open("w", encoding="utf-8", newline="") as handle:
        writer = csv.DictWriter(handle, columns, extrasaction="ignore", lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    return path
