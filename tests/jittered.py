"""Jittered towns: a lattice of shared, random vertices becomes grids with ragged borders, holes and several bodies, in communities.

Every border is shared vertex for vertex, at both levels. The same seed gives the same town; random operations on it come from a
generator as well.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import suppress
from itertools import count
from typing import Any

import numpy as np
import shapely

from gis.errors import OperationInvalid
from gis.operations import Operation, parse_operation
from gis.partition import Boundaries, Partition, Unit

LON, LAT, STEP = 121.1875, 32.03125, 0.002


def uids(first: int = 0) -> Any:
    """A maker of new uids: u0, u1, ..."""
    numbers = count(first)
    return lambda: f"u{next(numbers)}"


def town(
    seed: int, columns: int = 8, rows: int = 6, grids: int = 12, communities: int = 3, jitter: float = 0.35
) -> Boundaries:
    """Communities of whole grids; a grid is some cells of the lattice that a random growth gave it, here and there with a hole."""
    rng = np.random.default_rng(seed)
    x, y = np.meshgrid(np.arange(columns + 1.0), np.arange(rows + 1.0))
    aside = rng.uniform(-jitter, jitter, (2, rows + 1, columns + 1))
    lon, lat = LON + (x + aside[0]) * STEP, LAT + (y + aside[1]) * STEP
    cells = {
        (i, j): shapely.Polygon([(lon[b, a], lat[b, a]) for a, b in ((i, j), (i + 1, j), (i + 1, j + 1), (i, j + 1))])
        for i in range(columns)
        for j in range(rows)
    }
    owner = _grown(rng, list(cells), grids)
    if rng.random() < 0.5:  # an exclave: one cell goes to a grid far away
        owner[list(cells)[rng.integers(len(cells))]] = int(rng.integers(grids))
    shapes = {g: _joined([cells[c] for c in cells if owner[c] == g]) for g in sorted(set(owner.values()))}
    west = sorted(shapes, key=lambda g: (shapes[g].centroid.x, g))
    parent = {g: k * communities // len(west) for k, g in enumerate(west)}
    above = {v: _joined([shapes[g] for g in shapes if parent[g] == v]) for v in sorted(set(parent.values()))}
    new = uids()
    units = {v: Unit(new(), _community(v), f"village {v}", "general", "community") for v in above}
    below = {
        g: Unit(new(), f"{_community(parent[g])}{g + 1:03d}", f"grid {g}", "general", "grid", units[parent[g]].uid)
        for g in shapes
    }
    return Boundaries(
        1,
        (
            _partition("community", units, above),
            _partition("grid", below, shapes),
        ),
        {unit.uid: unit for unit in (*units.values(), *below.values())},
    )


def _community(number: int) -> str:
    return f"320612101{number + 1:03d}"


def _joined(shapes: list[Any]) -> Any:
    return shapely.coverage_union_all(shapes)


def _partition(level: str, units: dict[int, Unit], shapes: dict[int, Any]) -> Partition:
    geometry = np.empty(len(shapes), dtype=object)
    geometry[:] = [shapes[key] for key in units]
    return Partition(
        "general", level, tuple(u.code for u in units.values()), geometry, tuple(u.name for u in units.values())
    )


def _grown(rng: np.random.Generator, cells: list[tuple[int, int]], grids: int) -> dict[tuple[int, int], int]:
    """Cell -> grid: seeds that take free neighbours in random order."""
    seeds = rng.choice(len(cells), grids, replace=False)
    owner = {cells[seed]: grid for grid, seed in enumerate(seeds.tolist())}
    border = list(owner)
    while border:
        i, j = border[rng.integers(len(border))]
        free = [c for c in ((i + 1, j), (i - 1, j), (i, j + 1), (i, j - 1)) if c in set(cells) and c not in owner]
        if free:
            cell = free[rng.integers(len(free))]
            owner[cell] = owner[i, j]
            border.append(cell)
        else:
            border.remove((i, j))
    return owner


def operations(rng: np.random.Generator, boundaries: Boundaries) -> Iterator[Operation]:
    """Random operations on these boundaries, most of them possible; no end."""
    kinds = ("split", "split", "merge", "reshape", "transfer", "create", "retire", "reparent", "rename", "recode")
    while True:
        body = _DRAWN[kinds[rng.integers(len(kinds))]](rng, boundaries)
        if body is not None:
            with suppress(OperationInvalid):  # a line of one place
                yield parse_operation(json.loads(json.dumps(body)))


def _grid(rng: np.random.Generator, boundaries: Boundaries, layer: str = "general") -> tuple[Unit, Any] | None:
    held = boundaries.partition(layer, "grid")
    if held is None:
        return None
    i = int(rng.integers(len(held)))
    return boundaries.by_code[held.codes[i]], held.geometry[i]


def _neighbour(rng: np.random.Generator, boundaries: Boundaries, unit: Unit) -> tuple[Unit, Any] | None:
    held = boundaries.partition(unit.layer, unit.level)
    assert held is not None
    near = [one["grid"] for one in held.neighbours(unit.code) if one["shared_m"] > 1]
    if not near:
        return None
    code = near[rng.integers(len(near))]
    return boundaries.by_code[code], held.geometry[held.position[code]]


def chord(rng: np.random.Generator, shape: Any) -> dict[str, Any]:
    """A line through an inner point of a shape, bent at random, from beyond it to beyond it; or from a vertex of it to another."""
    west, south, east, north = shapely.bounds(shape)
    reach = np.hypot(east - west, north - south)
    if rng.random() < 0.3:  # through vertices and middles of edges, with 9 digits as the API gives them
        vertices = shapely.get_coordinates(shape)
        chosen = vertices[rng.integers(len(vertices), size=int(rng.integers(2, 5)))]
        middle = (vertices[:-1] + vertices[1:])[rng.integers(len(vertices) - 1)] / 2
        inner = shapely.get_coordinates(shapely.point_on_surface(shape))[0]
        bends = [[], [inner], [middle], [inner, middle], [chosen.mean(axis=0)]][rng.integers(5)]
        return _line([*chosen[:-1], *bends, chosen[-1]])
    middle = shapely.get_coordinates(shapely.point_on_surface(shape))[0] + rng.normal(0, 0.05, 2) * reach
    angle = rng.uniform(0, np.pi)
    way = np.array([np.cos(angle), np.sin(angle)])
    aside = np.array([-way[1], way[0]])
    steps = np.linspace(-1.1, 1.1, int(rng.integers(2, 9)))
    bends = rng.normal(0, 0.03, len(steps))
    return _line([middle + way * reach * s + aside * reach * b for s, b in zip(steps, bends, strict=True)])


def _line(vertices: Any) -> dict[str, Any]:
    digits = 9
    return {
        "type": "LineString",
        "coordinates": [[round(float(x), digits), round(float(y), digits)] for x, y in vertices],
    }


def blob(rng: np.random.Generator, x: float, y: float, size: float) -> dict[str, Any]:
    """A round, ragged area."""
    corners = int(rng.integers(3, 14))
    angles = np.sort(rng.uniform(0, 2 * np.pi, corners)) if corners > 5 else np.arange(corners) / corners * 2 * np.pi
    radius = size * rng.uniform(0.6, 1.1, corners)
    ring = shapely.buffer(
        shapely.Polygon(np.column_stack([x + radius * np.cos(angles), y + radius * np.sin(angles)])), 0
    )
    return dict(shapely.geometry.mapping(shapely.normalize(ring)))


def _split(rng: np.random.Generator, boundaries: Boundaries) -> dict[str, Any] | None:
    unit, shape = _grid(rng, boundaries) or (None, None)
    if unit is None:
        return None
    return {"op": "split", "grid": unit.code, "lines": [chord(rng, shape) for _ in range(int(rng.integers(1, 4)))]}


def _merge(rng: np.random.Generator, boundaries: Boundaries) -> dict[str, Any] | None:
    unit, _ = _grid(rng, boundaries) or (None, None)
    other = _neighbour(rng, boundaries, unit) if unit is not None else None
    if unit is None or other is None:
        return None
    into = {"into": unit.code} if rng.random() < 0.5 else {}
    return {"op": "merge", "grids": [unit.code, other[0].code], **into}


def _reshape(rng: np.random.Generator, boundaries: Boundaries) -> dict[str, Any] | None:
    unit, shape = _grid(rng, boundaries) or (None, None)
    other = _neighbour(rng, boundaries, unit) if unit is not None else None
    if unit is None or other is None:
        return None
    if rng.random() < 0.5:
        line = chord(rng, shapely.union(shape, other[1]))
    else:
        common = shapely.line_merge(shapely.intersection(shapely.boundary(shape), shapely.boundary(other[1])))
        parts = [p for p in shapely.get_parts(common) if p.geom_type == "LineString"]
        ends = shapely.get_coordinates(parts[0])[[0, -1]] if parts else shapely.get_coordinates(shape)[:2]
        bend = ends.mean(axis=0) + rng.normal(0, 0.3, 2) * np.hypot(*np.ptp(ends, axis=0))
        line = _line([ends[0], bend, ends[1]])
    return {"op": "reshape", "grids": [unit.code, other[0].code], "line": line, "across_parent": True}


def _transfer(rng: np.random.Generator, boundaries: Boundaries) -> dict[str, Any] | None:
    unit, shape = _grid(rng, boundaries) or (None, None)
    other = _neighbour(rng, boundaries, unit) if unit is not None else None
    if unit is None or other is None:
        return None
    common = shapely.intersection(shapely.boundary(shape), shapely.boundary(other[1]))
    x, y = shapely.get_coordinates(shapely.line_interpolate_point(shapely.get_parts(common)[0], 0.5, normalized=True))[
        0
    ]
    area = blob(rng, x, y, rng.uniform(0.1, 0.5) * np.sqrt(shapely.area(shape)))
    return {
        "op": "transfer",
        "from": unit.code,
        "to": other[0].code,
        "area": area,
        "across_parent": bool(rng.random() < 0.8),
    }


def _create(rng: np.random.Generator, boundaries: Boundaries) -> dict[str, Any] | None:
    unit, shape = _grid(rng, boundaries) or (None, None)
    if unit is None:
        return None
    x, y = shapely.get_coordinates(shapely.point_on_surface(shape))[0]
    area = blob(rng, x, y, rng.uniform(0.1, 0.7) * np.sqrt(shapely.area(shape)))
    layer, mode = (("general", "carve"), ("dedicated", "overlay"))[int(rng.integers(2))]
    return {
        "op": "create", "area": area, "layer": layer, "level": "grid", "mode": mode, "name": "new", "across_parent": True,
    }  # fmt: skip


def _retire(rng: np.random.Generator, boundaries: Boundaries) -> dict[str, Any] | None:
    if rng.random() < 0.3:
        mall = _grid(rng, boundaries, "dedicated")
        return {"op": "retire", "grid": mall[0].code} if mall else None
    unit, _ = _grid(rng, boundaries) or (None, None)
    other = _neighbour(rng, boundaries, unit) if unit is not None else None
    if unit is None or other is None:
        return None
    return {"op": "retire", "grid": unit.code, "into": other[0].code, "across_parent": True}


def _reparent(rng: np.random.Generator, boundaries: Boundaries) -> dict[str, Any] | None:
    unit, _ = _grid(rng, boundaries) or (None, None)
    villages = boundaries.partition("general", "community")
    assert villages is not None
    return (
        {"op": "reparent", "grid": unit.code, "parent": villages.codes[rng.integers(len(villages))]} if unit else None
    )


def _rename(rng: np.random.Generator, boundaries: Boundaries) -> dict[str, Any] | None:
    unit, _ = _grid(rng, boundaries) or (None, None)
    return {"op": "rename", "grid": unit.code, "name": f"name {rng.integers(1000)}"} if unit else None


def _recode(rng: np.random.Generator, boundaries: Boundaries) -> dict[str, Any] | None:
    unit, _ = _grid(rng, boundaries) or (None, None)
    return {"op": "recode", "grid": unit.code} if unit else None


_DRAWN = {
    "split": _split, "merge": _merge, "reshape": _reshape, "transfer": _transfer, "create": _create, "retire": _retire,
    "reparent": _reparent, "rename": _rename, "recode": _recode,
}  # fmt: skip
