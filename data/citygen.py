"""Synthetic cities for benchmarks: grids with exactly shared, wiggly borders, and points of which some lie exactly on them.

Gap- and overlap-free by construction: the ridge a-b between the Voronoi sites p and q owns the quad (a, p, b, q). These quads are
interior-disjoint, so a curve from a to b that stays in its quad meets no other ridge. Each ridge gets a fractal offset, a
single-valued function along the chord, of at most 45 % of the quad's half width; about 30 % stay nearly straight (roads).
Every vertex is rounded once to a multiple of 2^-24 degree (6 mm) and shared by both sides, so the midpoint of two vertices is an
exact double: points truly on a border exist. 1 % of the general grids have an enclave of a neighbour (holes, multipolygons); 4 %
are dedicated overlays, which come first: the lowest index is the right answer. The same seed gives the same city everywhere.
Needs scipy (a dependency of development only).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import shapely

from gis.partition import Geometries

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

LON0, LAT0 = 114.25, 22.72
EAST = float(111_320 * np.cos(np.radians(LAT0)))
NORTH = 110_574.0
QUANTUM = 2.0**24

#: Amplitudes of the border's waves, by their number along a ridge.
_WAVES = ((1, 0.5), (2, 0.4), (3, 0.3), (5, 0.25), (9, 0.15), (17, 0.1), (31, 0.06))


@dataclass(frozen=True)
class Plan:
    """How large a city is: grids (of which `dedicated` overlays), area, mean vertices a grid, clusters of points."""

    grids: int
    area_km2: float
    seed: int
    vertices: int
    dedicated: int
    clusters: int
    spread: int = 1


CITIES = {
    "A": Plan(57, 62.0, 11, 260, 4, 12),
    "B": Plan(3000, 388.0, 12, 150, 120, 150),
    "C": Plan(100_000, 167_000.0, 13, 130, 4000, 4000, spread=4),
}


@dataclass(frozen=True)
class City:
    """The polygons of a city, the dedicated ones first, and its plan."""

    plan: Plan
    geometry: Geometries

    @property
    def codes(self) -> list[str]:
        """The index as seven digits: the lowest code is the lowest index."""
        return [f"{i:07d}" for i in range(len(self.geometry))]

    @property
    def layers(self) -> list[str]:
        """`dedicated` or `general`, per grid."""
        return ["dedicated" if i < self.plan.dedicated else "general" for i in range(len(self.geometry))]


@dataclass(frozen=True)
class _Web:
    """A Voronoi diagram: sites, its vertices, and per ridge the two vertices and the two sites."""

    sites: Floats
    vertices: Floats
    ends: Ints
    sides: Ints


def city(plan: Plan) -> City:
    """The city of a plan."""
    rng = np.random.default_rng(plan.seed)
    radius = float(np.sqrt(plan.area_km2 * 1e6 / np.pi))
    count = plan.grids - plan.dedicated
    web = _web(_sites(rng, count, radius), count, radius)
    curves = _curves(rng, web, plan, count)
    parts = _rings(web, curves, count)
    _add_enclaves(rng, web, parts, count)
    general = [_polygon(*part) for part in parts]
    geometry = np.empty(plan.grids, dtype=object)
    geometry[:] = [*_overlays(rng, web, plan, count), *general]
    return City(plan, geometry)


def degrees(x: Any, y: Any) -> tuple[Floats, Floats]:
    """Metres from the city's centre as lon, lat on the lattice of exact doubles."""
    return np.round((LON0 + x / EAST) * QUANTUM) / QUANTUM, np.round((LAT0 + y / NORTH) * QUANTUM) / QUANTUM


def _sites(rng: np.random.Generator, count: int, radius: float) -> Floats:
    """Centres of grids, from the middle outwards: 60 % evenly, 40 % round urban cores, within a lobed outline."""
    number = max(2, int(np.sqrt(count) / 6))
    cores = rng.normal(0, 0.45 * radius, (number, 2))
    spread = rng.uniform(0.06, 0.2, number) * radius
    n = int(count * 2.2) + 60
    urban = rng.random(n) < 0.4
    core = rng.integers(0, number, n)
    near = cores[core] + rng.normal(0, 1, (n, 2)) * spread[core][:, None]
    sites: Floats = np.where(urban[:, None], near, rng.uniform(-1.7 * radius, 1.7 * radius, (n, 2)))
    angle = np.arctan2(sites[:, 1], sites[:, 0])
    phase = rng.uniform(0, 6.28, 6)
    outline = 1 + sum(0.09 / (i + 1) * np.sin((i + 2) * angle + phase[i]) for i in range(6))
    return sites[np.argsort(np.hypot(*sites.T) / outline)]


def _web(sites: Floats, count: int, radius: float) -> _Web:
    """The Voronoi diagram after one step of relaxation, which makes tiny edges rarer; only ridges of the first `count` sites."""
    from scipy.spatial import Voronoi

    around = np.linspace(0, 6.28, 40)
    far = 8 * radius * np.column_stack([np.cos(around), np.sin(around)])
    first = Voronoi(np.vstack([sites, far]))
    moved = sites.copy()
    for i in range(count):
        region = first.regions[first.point_region[i]]
        if region and -1 not in region:
            moved[i] = 0.5 * sites[i] + 0.5 * first.vertices[region].mean(0)
    second = Voronoi(np.vstack([moved, far]))
    ends, sides = np.asarray(second.ridge_vertices), np.asarray(second.ridge_points)
    used = sides.min(1) < count
    return _Web(second.points, second.vertices, ends[used], sides[used])


def _fractal(rng: np.random.Generator, knots: int) -> tuple[Floats, Floats]:
    """Where along a ridge its knots lie (0..1) and how far aside (-1..1)."""
    t = np.arange(1, knots + 1) / (knots + 1)
    y = np.zeros(knots)
    for wave, amplitude in _WAVES:
        y += amplitude * rng.normal() * np.sin(2 * np.pi * wave * t / 2 + rng.uniform(0, 6.28))
    y += rng.normal(0, 0.05, knots)
    largest = np.abs(y).max()
    return t, y / largest if largest > 0 else y


def _curves(rng: np.random.Generator, web: _Web, plan: Plan, count: int) -> list[Floats]:
    """The inner vertices of every ridge, in degrees; none nearer to the next than about two metres."""
    start, end = web.vertices[web.ends[:, 0]], web.vertices[web.ends[:, 1]]
    length = np.hypot(*(start - end).T)
    wanted = plan.vertices / (2 * len(web.ends) / count) * (length / length.mean()) ** 0.6
    knots = np.clip(wanted * rng.lognormal(0, 0.45, len(length)), 1, 140).astype(int)
    straight = rng.random(len(length)) < 0.3
    curves = []
    for i in range(len(length)):
        n = min(knots[i], int(length[i] / 2.0))
        if n < 1:
            curves.append(np.empty((0, 2)))
            continue
        along, aside = _fractal(rng, n)
        curves.append(_curve(web, i, along, aside * 0.01 if straight[i] else aside))
    return curves


def _curve(web: _Web, ridge: int, along: Floats, aside: Floats) -> Floats:
    """A ridge's knots, pushed aside within the quad of its two sites."""
    start, chord = web.vertices[web.ends[ridge, 0]], np.diff(web.vertices[web.ends[ridge]], axis=0)[0]
    length = np.hypot(*chord)
    unit = chord / length
    normal = np.array([-unit[1], unit[0]])
    width = np.full(len(along), np.inf)
    for site in web.sites[web.sides[ridge]]:
        foot, height = (site - start) @ unit / length, abs((site - start) @ normal)
        before = along / max(foot, 1e-9) if foot > 0 else 9
        after = (1 - along) / max(1 - foot, 1e-9) if foot < 1 else 9
        width = np.minimum(width, height * np.minimum(before, after))
        width = np.minimum(width, height * np.minimum(along, 1 - along) * 2)
    knots = start + along[:, None] * chord + (0.45 * width * aside)[:, None] * normal
    return np.column_stack(degrees(knots[:, 0], knots[:, 1]))


#: Shell, holes, further parts.
_Part = tuple[Floats, list[Floats], list[Floats]]


def _rings(web: _Web, curves: list[Floats], count: int) -> list[_Part]:
    """The shell of every grid, walked ridge by ridge."""
    corners = np.column_stack(degrees(web.vertices[:, 0], web.vertices[:, 1]))
    ridges: list[list[int]] = [[] for _ in range(count)]
    for ridge, sides in enumerate(web.sides.tolist()):
        for side in sides:
            if side < count:
                ridges[side].append(ridge)
    return [(_ring(web, curves, corners, of_grid), [], []) for of_grid in ridges]


def _ring(web: _Web, curves: list[Floats], corners: Floats, ridges: Sequence[int]) -> Floats:
    at: dict[int, list[int]] = {}
    for ridge in ridges:
        for corner in web.ends[ridge].tolist():
            at.setdefault(corner, []).append(ridge)
    here = int(web.ends[ridges[0], 0])
    used: set[int] = set()
    pieces = []
    while len(used) < len(ridges):
        ridge = next(candidate for candidate in at[here] if candidate not in used)
        used.add(ridge)
        first, last = web.ends[ridge].tolist()
        pieces += [corners[here][None], curves[ridge] if first == here else curves[ridge][::-1]]
        here = last if first == here else first
    ring = np.vstack(pieces)
    return ring[np.r_[True, (np.diff(ring, axis=0) != 0).any(1)]]


def _add_enclaves(rng: np.random.Generator, web: _Web, parts: list[_Part], count: int) -> None:
    """1 % of the grids get a hole round their site that belongs to a neighbour."""
    neighbours: dict[int, list[tuple[float, int]]] = {}
    for i, j in web.sides.tolist():
        if i < count and j < count:
            apart = float(np.hypot(*(web.sites[i] - web.sites[j])))
            neighbours.setdefault(i, []).append((apart, j))
            neighbours.setdefault(j, []).append((apart, i))
    hosts = rng.choice(count, max(1, count // 100), replace=False)
    for host in hosts.tolist():
        near = min(neighbours[host])[0]
        owner = neighbours[host][rng.integers(len(neighbours[host]))][1]
        radius = 0.35 * near / 2 if near > 0 else 0.0
        if radius < 8 or owner in hosts:
            continue
        n = int(rng.integers(24, 80))
        angle = np.arange(n) / n * 2 * np.pi
        reach = radius * (0.75 + 0.2 * np.sin(3 * angle + rng.uniform(0, 6)) + 0.04 * rng.normal(size=n))
        x, y = web.sites[host]
        ring = np.column_stack(degrees(x + reach * np.cos(angle), y + reach * np.sin(angle)))
        parts[host][1].append(ring)
        parts[owner][2].append(ring)


def _polygon(ring: Floats, holes: list[Floats], parts: list[Floats]) -> shapely.Geometry:
    shell = shapely.Polygon(ring, holes)
    return shapely.MultiPolygon([shell, *map(shapely.Polygon, parts)]) if parts else shell


def _overlays(rng: np.random.Generator, web: _Web, plan: Plan, count: int) -> Iterator[shapely.Geometry]:
    """Dedicated grids: 40 % walled compounds with jittered walls, the others rounded."""
    size = float(np.sqrt(plan.area_km2 * 1e6 / plan.grids))
    centres = web.sites[rng.choice(count, plan.dedicated, replace=False)] + rng.normal(
        0, 0.3 * size, (plan.dedicated, 2)
    )
    for x, y in centres:
        n = int(rng.integers(50, 200))
        angle = np.arange(n) / n * 2 * np.pi
        radius = size * rng.uniform(0.15, 0.6)
        if rng.random() < 0.4:
            wall = np.maximum(abs(np.cos(angle)), abs(np.sin(angle)) * rng.uniform(1, 1.8))
            reach = 1 / wall * (1 + 0.002 * rng.normal(size=n))
        else:
            reach = 0.8 + 0.12 * np.sin(2 * angle + rng.uniform(0, 6)) + 0.08 * np.sin(5 * angle + rng.uniform(0, 6))
            reach += 0.01 * rng.normal(size=n)
        yield shapely.Polygon(
            np.column_stack(degrees(x + radius * reach * np.cos(angle), y + radius * reach * np.sin(angle)))
        )


def points(town: City, n: int, seed: int = 101) -> Floats:
    """Places in the city, shape (n, 2) lon, lat: 68 % clustered, 30 % even, 2 % on borders (vertices, exact midpoints, an ulp aside)."""
    rng = np.random.default_rng(seed)
    clustered, even = int(n * 0.68), int(n * 0.30)
    places = np.vstack(
        [
            _clustered(rng, town, clustered, town.plan.clusters, town.plan.spread),
            _even(rng, town, even),
            _on_borders(rng, town, n - clustered - even),
        ]
    )
    return np.ascontiguousarray(places[rng.permutation(n)])


def _clustered(rng: np.random.Generator, town: City, n: int, clusters: int, spread: int) -> Floats:
    hosts = rng.integers(0, len(town.geometry), clusters)
    centre = shapely.get_coordinates(shapely.centroid(town.geometry[hosts]))
    weight = rng.pareto(1.2, clusters) + 0.2
    sigma = rng.uniform(60, 900, clusters) * spread
    chosen = rng.choice(clusters, n, p=weight / weight.sum())
    lon = centre[chosen, 0] + rng.normal(size=n) * sigma[chosen] / EAST
    lat = centre[chosen, 1] + rng.normal(size=n) * sigma[chosen] / NORTH
    return np.column_stack([lon, lat])


def _even(rng: np.random.Generator, town: City, n: int) -> Floats:
    west, south, east, north = shapely.total_bounds(town.geometry).tolist()
    margin = 0.02 * (east - west)
    lon = rng.uniform(west - margin, east + margin, n)
    return np.column_stack([lon, rng.uniform(south - margin, north + margin, n)])


def _on_borders(rng: np.random.Generator, town: City, n: int) -> Floats:
    vertices, owner = shapely.get_coordinates(town.geometry, return_index=True)
    i = rng.integers(0, len(vertices) - 1, n)
    middle = np.where((owner[i] == owner[i + 1])[:, None], (vertices[i] + vertices[i + 1]) / 2, vertices[i])
    draw = rng.random(n)
    places: Floats = np.where((draw < 0.25)[:, None], vertices[i], middle)
    aside = np.nextafter(places[:, 0], places[:, 0] + rng.choice([-1, 1], n))
    places[:, 0] = np.where(draw > 0.75, aside, places[:, 0])
    return places
