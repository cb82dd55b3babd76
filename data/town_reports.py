"""The demo town's reports: 1,034 that are stored or queued, 478 of them by members, and six that must be refused.

All are invented. Of the 1,034: 24 lie exactly on borders (16 on the middle of an edge, 8 on a corner of three or more grids), 21 are
declared gcj02, 4 bd09, 6 cgcs2000 and 6 EPSG:4549 (rightly), 10 lie outside all grids, 26 have an address only.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt
import shapely

from data import town_names as names
from data.town_blocks import Link
from data.town_plan import POINT_LATTICE, WATER, to_degrees
from gis.crs import from_storage, parse_datum
from gis.errors import TimeInvalid

Floats = npt.NDArray[np.float64]

FIELDS = (
    "lon", "lat", "crs", "accuracy_m", "occurred_at", "reported_at", "category", "category_scheme", "channel", "text", "address",
    "external_id", "reporter", "status", "closed_at",
)  # fmt: skip
#: Reports by channel: 478 by members, 556 by citizens and micro-grid members.
CHANNELS = {"member": 478, "citizen": 331, "micro_member": 147, "hotline": 78}
DAYS = 30
EDGE_MIDDLES, EDGE_CORNERS, OUTSIDE = 16, 8, 10
#: Who declares which datum, or knows an address only: (channels, how many).
DECLARED = {
    "gcj02": (("citizen", "hotline"), 21),
    "bd09": (("citizen",), 4),
    "cgcs2000": (("member",), 6),
    "EPSG:4549": (("member",), 6),
    "address": (("hotline", "citizen"), 26),
}
_CHINA = timezone(timedelta(hours=8))
#: Weight of each hour of the day.
_MEMBER_DAY = (0, 0, 0, 0, 0, 1, 4, 10, 26, 30, 26, 12, 6, 10, 24, 28, 24, 14, 6, 5, 3, 1, 0, 0)
_PUBLIC_DAY = (1, 1, 0, 0, 1, 3, 8, 16, 18, 16, 15, 12, 10, 10, 12, 13, 14, 17, 20, 22, 17, 10, 5, 2)
_WEEKEND = {"member": 0.55, "hotline": 0.8}
_PREFIX = {"member": "M", "citizen": "C", "micro_member": "W", "hotline": "R"}
_ACCURACY = {"member": (3.0, 12.0), "citizen": (6.0, 45.0), "micro_member": (4.0, 25.0)}


@dataclass(frozen=True)
class Spot:
    """A building where reports may come from: metres, its address, its neighbourhood (village and group), its grid's number."""

    x: float
    y: float
    address: str
    group: str
    grid: int


@dataclass(frozen=True)
class Ground:
    """What reports need to know of the town; spots, links and fields in metres, the rest in degrees."""

    spots: Sequence[Spot]
    weights: Floats
    links: Sequence[Link]
    fields: npt.NDArray[np.object_]
    crossings: Sequence[tuple[str, float, float]]
    town: shapely.Polygon
    grids: Sequence[tuple[str, shapely.Polygon]]
    dedicated: Sequence[tuple[str, shapely.Polygon]]


def make_reports(ground: Ground, now: datetime, rng: np.random.Generator) -> list[dict[str, Any]]:
    """The 1,034 reports of the 30 days before `now`, by the time they were reported."""
    now = local(now)
    channels = [c for c, n in CHANNELS.items() for _ in range(n)]
    homes = rng.choice(len(ground.spots), len(channels), p=ground.weights / ground.weights.sum())
    kinds = [_category(channel, rng) for channel in channels]
    lon, lat, places = _located(ground, kinds, homes, rng)
    rhythm = {channel: _rhythm(channel, now) for channel in CHANNELS}
    rows = []
    for i, (channel, kind) in enumerate(zip(channels, kinds, strict=True)):
        row: dict[str, Any] = {"lon": float(lon[i]), "lat": float(lat[i]), "crs": "wgs84"}
        row["accuracy_m"] = _accuracy(channel, rng)
        row |= _times(now, rhythm[channel], rng)
        text = kind.texts[int(rng.integers(len(kind.texts)))].format(at=places[i])
        row |= {"category": kind.code, "category_scheme": names.SCHEME, "channel": channel, "text": text}
        row |= {"address": names.TOWN + places[i], "reporter": _reporter(channel, ground.spots[homes[i]].grid, rng)}
        rows.append(row)
    _make_special(ground, rows, rng)
    rows.sort(key=lambda row: (row["reported_at"], row["reporter"], row["text"]))
    return _numbered(rows)


def local(now: datetime) -> datetime:
    """The instant in China's time, to the second; TimeInvalid without an offset."""
    if now.tzinfo is None:
        raise TimeInvalid("the demo town needs the time with an offset, such as 2026-11-22T12:00:00+08:00", place="now")
    return now.astimezone(_CHINA).replace(microsecond=0)


def _numbered(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    counts: dict[str, int] = {}
    for row in rows:
        channel = row["channel"]
        counts[channel] = counts.get(channel, 0) + 1
        row["external_id"] = f"DEMO-{_PREFIX[channel]}-{counts[channel]:04d}"
    return [{name: row[name] for name in FIELDS} for row in rows]


def _category(channel: str, rng: np.random.Generator) -> names.Category:
    """A category by weight; only members call on old people who live alone."""
    open_to = [c for c in names.CATEGORIES if channel == "member" or c.code != "D0402"]
    weights = np.array([c.weight for c in open_to], dtype=np.float64)
    return open_to[int(rng.choice(len(open_to), p=weights / weights.sum()))]


def _accuracy(channel: str, rng: np.random.Generator) -> float | None:
    """The radius a phone would report; the hotline's pin on a map has none."""
    if channel not in _ACCURACY:
        return None
    low, high = _ACCURACY[channel]
    return round(low + (high - low) * float(rng.random()) ** 2, 1)


def _reporter(channel: str, grid: int, rng: np.random.Generator) -> str:
    """An invented identity: members and micro-grid members belong to a grid, citizens come back now and then."""
    if channel == "member":
        return f"demo-member-{grid:02d}-{int(rng.integers(1, 5))}"
    if channel == "micro_member":
        return f"demo-micro-{grid:02d}-{int(rng.integers(1, 9))}"
    return f"demo-{channel}-{int(rng.integers(1, 260 if channel == 'citizen' else 7)):03d}"


def _rhythm(channel: str, now: datetime) -> Floats:
    """The share of a channel's reports in each of the hours before now, the oldest first: by hour of the day and weekday."""
    day = _MEMBER_DAY if channel == "member" else _PUBLIC_DAY
    hours = [now - timedelta(hours=h) for h in range(DAYS * 24, 0, -1)]
    weights = np.array([(_WEEKEND.get(channel, 1.1) if h.weekday() > 4 else 1.0) * day[h.hour] for h in hours])
    return weights / float(weights.sum())


def _times(now: datetime, rhythm: Floats, rng: np.random.Generator) -> dict[str, Any]:
    """When it happened, was reported and closed; nearly all older reports are closed."""
    start = now - timedelta(days=DAYS)
    reported = (
        start + timedelta(hours=int(rng.choice(len(rhythm), p=rhythm))) + timedelta(seconds=int(rng.integers(0, 3600)))
    )
    occurred = max(start, reported - timedelta(seconds=int(60 + 5400 * rng.random() ** 3)))
    closed = reported + timedelta(seconds=int(1800 + 86_400 * 4 * rng.random() ** 2))
    done = closed <= now and rng.random() < 0.95
    return {
        "occurred_at": occurred.isoformat(),
        "reported_at": reported.isoformat(),
        "status": "closed" if done else "open",
        "closed_at": closed.isoformat() if done else None,
    }


def _located(
    ground: Ground, kinds: Sequence[names.Category], homes: npt.NDArray[np.int64], rng: np.random.Generator
) -> tuple[Floats, Floats, list[str]]:
    """Longitude and latitude near the homes, on the street, by the water, in a field or market, with the place in words."""
    home = np.array([(ground.spots[h].x, ground.spots[h].y) for h in homes])
    noise = rng.uniform(-1.0, 1.0, (len(kinds), 2))
    street, street_names = _nearest(ground, home, streets=True)
    water, water_names = _nearest(ground, home, streets=False)
    middles = shapely.get_coordinates(shapely.point_on_surface(ground.fields))
    xy = home + noise * 9.0
    places = [ground.spots[h].address.removeprefix(names.TOWN) for h in homes]
    for i, kind in enumerate(kinds):
        group = ground.spots[homes[i]].group
        if kind.place in {"street", "market"}:
            xy[i], places[i] = street[i] + noise[i] * 3.5, street_names[i]
        elif kind.place == "water":
            xy[i], places[i] = water[i] + noise[i] * 6.0, f"{group}{water_names[i]}边"
        elif kind.place == "field":
            field = int(np.argmin(np.abs(middles - home[i]).sum(axis=1)))
            xy[i], places[i] = middles[field] + noise[i] * 8.0, f"{group}田间"
    return _in_degrees(ground, xy, home, kinds, homes, places, rng)


def _in_degrees(
    ground: Ground,
    xy: Floats,
    home: Floats,
    kinds: Sequence[names.Category],
    homes: npt.NDArray[np.int64],
    places: list[str],
    rng: np.random.Generator,
) -> tuple[Floats, Floats, list[str]]:
    degrees = shapely.get_coordinates(to_degrees(shapely.points(xy), POINT_LATTICE))
    at_home = shapely.get_coordinates(to_degrees(shapely.points(home), POINT_LATTICE))
    astray = ~shapely.intersects_xy(ground.town, degrees)
    degrees[astray] = at_home[astray]
    crossing_tree = shapely.STRtree(shapely.points([(x, y) for _, x, y in ground.crossings]))
    nearest, distance = crossing_tree.query_nearest(shapely.points(degrees), return_distance=True, all_matches=False)
    for i, kind in enumerate(kinds):
        if kind.place == "market" and rng.random() < 0.75:
            name, area = ground.dedicated[int(rng.integers(len(ground.dedicated)))]
            degrees[i], places[i] = _within(area, rng), f"{name}内"
        elif kind.place in {"street", "market"}:
            crossing = ground.crossings[int(nearest[1][i])][0]
            rural = ground.spots[homes[i]].group in ground.spots[homes[i]].address
            places[i] = (
                crossing if distance[i] < 0.0006 else f"{ground.spots[homes[i]].group}道路" if rural else places[i]
            )
    return degrees[:, 0], degrees[:, 1], places


def _nearest(ground: Ground, home: Floats, *, streets: bool) -> tuple[Floats, list[str]]:
    """The nearest place on a street (or water) of each home, and its name."""
    links = [link for link in ground.links if (link.way.kind not in WATER) == streets and link.way.kind != "ditch"]
    lines = np.array([link.line for link in links], dtype=object)
    points = shapely.points(home)
    index = shapely.STRtree(lines).nearest(points)
    chosen = lines[index]
    found = shapely.line_interpolate_point(chosen, shapely.line_locate_point(chosen, points))
    return shapely.get_coordinates(found), [links[int(i)].way.name for i in index]


def _within(area: shapely.Polygon, rng: np.random.Generator) -> Floats:
    """A place inside an area, on the lattice."""
    west, south, east, north = area.bounds
    while True:
        drawn = np.array([west + (east - west) * rng.random(), south + (north - south) * rng.random()])
        place = np.asarray(np.round(drawn / POINT_LATTICE) * POINT_LATTICE)
        if shapely.contains_xy(area, *place):
            return place


def _make_special(ground: Ground, rows: list[dict[str, Any]], rng: np.random.Generator) -> None:
    """Some rows move onto borders or outside, some are told in another datum, some lose their coordinates; none twice."""
    free = [int(i) for i in rng.permutation(len(rows))]
    borders = [(p, _meeting(ground.grids, p)) for p in _border_places([g for _, g in ground.grids], rng)]
    for place, words in [*borders, *((p, "镇界外路段") for p in _outside_places(ground, rng))]:
        _move(rows[free.pop()], place, words, rng)
    for declared, (channels, wanted) in DECLARED.items():
        chosen = [i for i in free if rows[i]["channel"] in channels][:wanted]
        free = [i for i in free if i not in set(chosen)]
        for i in chosen:
            _declare(rows[i], declared)


def _meeting(grids: Sequence[tuple[str, shapely.Polygon]], place: tuple[float, float]) -> str:
    touching = [name for name, grid in grids if shapely.intersects_xy(grid, *place)]
    return f"{'与'.join(touching[:2])}交界处"


def _move(row: dict[str, Any], place: tuple[float, float], words: str, rng: np.random.Generator) -> None:
    """The report is now about that place, and its words say so."""
    streets = [category for category in names.CATEGORIES if category.place == "street"]
    kind = streets[int(rng.integers(len(streets)))]
    row |= {"lon": place[0], "lat": place[1], "address": f"{names.TOWN}{words}"}
    row |= {"category": kind.code, "text": kind.texts[0].format(at=words)}


def _declare(row: dict[str, Any], declared: str) -> None:
    if declared == "address":
        row["lon"] = row["lat"] = row["accuracy_m"] = None
        row["crs"] = None
        return
    x, y = from_storage([row["lon"]], [row["lat"]], parse_datum(declared))
    digits = 3 if declared.startswith("EPSG") else 8
    row["lon"], row["lat"], row["crs"] = round(float(x[0]), digits), round(float(y[0]), digits), declared


def _border_places(grids: Sequence[shapely.Polygon], rng: np.random.Generator) -> list[tuple[float, float]]:
    """Middles of edges that two grids share and corners where at least three meet: exact doubles, exactly on the border."""
    edges: dict[tuple[tuple[float, float], ...], int] = {}
    corners: dict[tuple[float, float], int] = {}
    for grid in grids:
        ring = list(grid.exterior.coords)
        for corner in set(ring):
            corners[corner] = corners.get(corner, 0) + 1
        for edge in pairwise(ring):
            key = tuple(sorted(edge))
            edges[key] = edges.get(key, 0) + 1
    shared = sorted(edge for edge, owners in edges.items() if owners == 2)
    meeting = sorted(corner for corner, owners in corners.items() if owners >= 3)
    middles = [shared[int(i)] for i in rng.choice(len(shared), EDGE_MIDDLES, replace=False)]
    points = [((a[0] + b[0]) / 2, (a[1] + b[1]) / 2) for a, b in middles]
    return points + [meeting[int(i)] for i in rng.choice(len(meeting), EDGE_CORNERS, replace=False)]


def _outside_places(ground: Ground, rng: np.random.Generator) -> list[tuple[float, float]]:
    """Places 100 to 700 m or so beyond the town's border."""
    near, far = ground.town.buffer(0.0012), ground.town.buffer(0.007)
    ring = far.difference(near)
    return [(float(p[0]), float(p[1])) for p in (_within(ring, rng) for _ in range(OUTSIDE))]


def make_bad_reports(ground: Ground, now: datetime) -> list[dict[str, Any]]:
    """Six rows as they come in from careless forms; each with the code of its refusal (`expected`) and `why`."""
    reported = (local(now) - timedelta(hours=5)).isoformat()
    _, lon, lat = ground.crossings[len(ground.crossings) // 2]
    east, north = (round(float(v[0]), 3) for v in from_storage([lon], [lat], parse_datum("EPSG:4549")))
    faults = [
        (lat, lon, "wgs84", "coordinate-invalid", "经纬度颠倒 / lon and lat swapped"),
        (east, north, "wgs84", "datum-contradiction", "米制坐标声明为wgs84 / metres declared wgs84"),
        (0.0, 0.0, "wgs84", "coordinate-invalid", "坐标为0 / 0/0 of a device without a fix"),
        (lon, lat, "EPSG:4549", "datum-contradiction", "经纬度声明为投影坐标 / degrees declared EPSG:4549"),
        (lon, lat, "地方坐标系", "datum-unknown", "未知坐标系 / a crs that nobody knows"),
        (round(lon / 10, 6), lat, "gcj02", "datum-outside", "超出GCJ-02范围 / gcj02 outside its limits, a lost digit"),
    ]
    rows = []
    for n, (x, y, crs, expected, why) in enumerate(faults, start=1):
        row = dict.fromkeys(FIELDS) | {"lon": x, "lat": y, "crs": crs, "occurred_at": reported, "reported_at": reported}
        row |= {"category": "06010", "category_scheme": names.SCHEME, "channel": "citizen", "status": "open"}
        row |= {"text": f"坏数据示例：{why}", "external_id": f"DEMO-BAD-{n}", "reporter": "demo-citizen-bad"}
        rows.append({**row, "expected": expected, "why": why})
    return rows
