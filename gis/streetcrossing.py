"""Where two streets meet, from their lines: dual carriageways meet several times and are still one crossing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import shapely

from gis.streetnumbers import Numbered, metres_between, scale_at

#: Streets whose lines end so near to each other meet; meetings so near are one crossing.
GAP_M, ONE_CROSSING_M = 40.0, 80.0
#: Numbers of two streets that are so near stand at their crossing.
NUMBERS_APART_M = 160.0
#: The doubt of a crossing in metres, at least.
LEAST_M = 15.0


def crossing_places(first: Sequence[Any], second: Sequence[Any]) -> list[tuple[float, float, float]]:
    """lon, lat and radius in metres of every crossing of two streets, each given as its lines in WGS 84."""
    lines = [[line for line in side if line.geom_type.endswith("LineString")] for side in (first, second)]
    if not all(lines):
        return []
    a, b = (shapely.union_all(side) for side in lines)
    meeting = shapely.get_coordinates(shapely.intersection(a, b)).tolist()
    if not meeting:
        ends = shapely.get_coordinates(shapely.shortest_line(a, b)).tolist()
        meeting = ends if metres_between(ends[0], ends[1]) <= GAP_M else []
    return [_middle(group) for group in _groups(meeting)]


def nearest_numbers(first: Sequence[Numbered], second: Sequence[Numbered]) -> list[tuple[float, float, float]]:
    """About where two streets meet whose lines nobody has: between their nearest recorded numbers, when these are near."""
    a, b = (np.array([(one.lon, one.lat) for one in side[:: len(side) // 400 + 1]]) for side in (first, second))
    scale = np.array(scale_at(float(a[0, 1])))
    apart = np.hypot(*((a[:, None, :] - b[None, :, :]) * scale).transpose(2, 0, 1))
    i, j = np.unravel_index(int(np.argmin(apart)), apart.shape)
    nearest = float(apart[i, j])
    if nearest > NUMBERS_APART_M:
        return []
    lon, lat = ((a[i] + b[j]) / 2).tolist()
    return [(lon, lat, max(60.0, nearest))]


def _groups(places: list[list[float]]) -> list[list[list[float]]]:
    """Places in groups by single link."""
    groups: list[list[list[float]]] = []
    for one in places[:400]:
        near = [g for g in groups if any(metres_between((one[0], one[1]), (o[0], o[1])) <= ONE_CROSSING_M for o in g)]
        joined = [one, *(member for g in near for member in g)]
        groups = [*(g for g in groups if all(g is not n for n in near)), joined]
    return groups


def _middle(group: list[list[float]]) -> tuple[float, float, float]:
    lon, lat = np.mean(np.array(group), axis=0).tolist()
    east, north = scale_at(lat)
    away = max(np.hypot((x - lon) * east, (y - lat) * north) for x, y in group)
    return lon, lat, max(LEAST_M, float(away))
