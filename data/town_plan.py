"""The synthetic demo town's plan: the local plane, the river, canals and streets as lines in metres.

Nothing here is a real place: the plan only imitates the flat delta country north of the Yangtze (straight canals, linear
villages, a dense old centre by the river). x is metres east, y metres north of `ORIGIN`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import numpy.typing as npt
import shapely

from data import town_names as names

Floats = npt.NDArray[np.float64]
Points = Sequence[tuple[float, float]]

#: Longitude and latitude of the plane's origin.
ORIGIN = (121.2, 32.05)
#: Metres per degree of longitude and of latitude at the origin (WGS 84 ellipsoid).
METRES_PER_DEGREE = (94441.82712572577, 110887.68478861397)
#: Border vertices lie on multiples of this many degrees (2.3 cm east, 2.6 cm north). A power of two, so that the middle
#: of a border is an exact double and lies exactly on it.
BORDER_LATTICE = 2.0**-22
#: Everything else (households, reports, buildings) lies on this lattice.
POINT_LATTICE = 2.0**-24

_RIVER = ((-6200, -420), (-4700, -520), (-3500, -230), (-2400, -640), (-1300, -390), (-400, -130), (450, -400))
_RIVER_EAST = ((1500, -180), (2600, 230), (3700, 20), (4800, 260), (6200, 180))
_ARTERIAL = ((-6200, 420), (-3900, 330), (-2300, 190), (-700, 230), (300, 210), (1400, 360), (2700, 800), (6200, 900))
_CROSSING_ARTERIAL = ((-420, 4600), (-330, 2400), (-180, 900), (-110, 215), (-90, -300), (-210, -1300), (-60, -4600))
_OLD_ROADS = (
    ((560, -690), (900, -1010), (1500, -1240), (2050, -1750), (2500, -1890), (3300, -2500), (4200, -3000)),
    ((-1180, 760), (-1560, 1120), (-2150, 1330), (-2500, 1800), (-3300, 2120), (-4100, 2900)),
)
_OLD_RIVER = ((455, -402), (520, 120), (640, 700), (500, 1500), (680, 2300), (560, 3300), (620, 4600))
#: Between these x the old town has its own narrow streets.
_CENTRE = (-1240.0, 1010.0)
_SOUTH_CENTRE = (-720.0, 640.0)
_TILT = 0.045  # how far the canal system leans to the east, metres per metre north
_REACH = 5200.0  # lines are drawn this far, the town is cut out of them


@dataclass(frozen=True)
class Way:
    """One river, canal, ditch or street of the plan; `width_m` from bank to bank or kerb to kerb; the line in metres."""

    name: str
    kind: str  # river, canal, ditch | arterial, street, lane
    width_m: float
    line: shapely.LineString
    bridged: bool = False


WATER = ("river", "canal", "ditch")
WIDTH_M = {"river": 52.0, "old river": 30.0, "canal": 15.0, "ditch": 4.0, "arterial": 24.0, "street": 9.0, "lane": 5.0}


def smooth(points: Points | Floats, rounds: int = 3) -> Floats:
    """The polyline's corners are cut (Chaikin); only additions and products, so it is the same on every machine."""
    line: Floats = np.asarray(points, dtype=np.float64)
    for _ in range(rounds):
        near, far = 0.75 * line[:-1] + 0.25 * line[1:], 0.25 * line[:-1] + 0.75 * line[1:]
        line = np.concatenate([line[:1], np.stack([near, far], axis=1).reshape(-1, 2), line[-1:]])
    return line


def to_degrees(geometry: npt.NDArray[np.object_], lattice: float) -> npt.NDArray[np.object_]:
    """The geometries as WGS 84 lon/lat with every vertex on the lattice; equal vertices stay equal."""

    def convert(xy: Floats) -> Floats:
        degrees = np.asarray(ORIGIN) + xy / np.asarray(METRES_PER_DEGREE)
        return np.asarray(np.round(degrees / lattice) * lattice)

    converted: npt.NDArray[np.object_] = shapely.transform(geometry, convert)
    return converted


class Plan:
    """The curves that every other line follows, and how far canals and roads lie from them."""

    def __init__(self, rng: np.random.Generator) -> None:
        self.rng = rng
        self.river = smooth(self.jitter((*_RIVER, *_RIVER_EAST), 45.0))
        self.arterial = smooth(self.jitter(_ARTERIAL, 25.0))
        self.crossing_arterial = smooth(self.jitter(_CROSSING_ARTERIAL, 15.0))
        self.old_river = smooth(self.jitter(_OLD_RIVER, 20.0, keep_first=True))
        self.north = self._offsets(650.0, 8)
        self.south = self._offsets(430.0, 8)

    def jitter(self, points: Points, size: float, *, keep_first: bool = False) -> Floats:
        """The points, each moved by lot up to `size` metres either way."""
        moved = np.asarray(points, dtype=np.float64) + self.rng.uniform(-size, size, (len(points), 2))
        if keep_first:
            moved[0] = points[0][0], self.river_y(points[0][0])
        return moved

    def _offsets(self, first: float, count: int) -> Floats:
        return first + np.concatenate([[0.0], np.cumsum(self.rng.uniform(370.0, 540.0, count - 1))])

    def river_y(self, x: float | Floats) -> Floats:
        """The river's y at x."""
        return np.asarray(np.interp(x, self.river[:, 0], self.river[:, 1]))

    def arterial_y(self, x: float | Floats) -> Floats:
        """The main road's y at x."""
        return np.asarray(np.interp(x, self.arterial[:, 0], self.arterial[:, 1]))

    def north_y(self, x: float | Floats, offset: float) -> Floats:
        """The y of an eastward line `offset` north of the main road; it flattens with distance."""
        return offset + self.arterial_y(x) * (1.0 - offset / 5200.0)

    def south_y(self, x: float | Floats, offset: float) -> Floats:
        """The y of an eastward line `offset` south of the river."""
        return self.river_y(x) * (1.0 - offset / 3000.0 if offset < 3000.0 else 0.0) - offset

    def between_y(self, x: float | Floats, share: float) -> Floats:
        """The y of a line between river (0) and main road (1)."""
        return self.river_y(x) + share * (self.arterial_y(x) - self.river_y(x))


def draw_ways(rng: np.random.Generator) -> list[Way]:
    """Every river, canal, ditch and street of the plan, the wide ones first; lines cross or meet, and are not yet noded."""
    plan = Plan(rng)
    ways = [*_main_lines(plan), *_eastward(plan), *_northward(plan), *_old_town(plan)]
    return _named(ways)


def _main_lines(plan: Plan) -> Iterator[Way]:
    yield Way("清源河", "river", WIDTH_M["river"], shapely.LineString(plan.river))
    yield Way("老沙河", "river", WIDTH_M["old river"], shapely.LineString(plan.old_river))
    yield Way("人民路", "arterial", WIDTH_M["arterial"], shapely.LineString(plan.arterial), bridged=True)
    line = shapely.LineString(plan.crossing_arterial)
    yield Way("振兴路", "arterial", WIDTH_M["arterial"], line, bridged=True)
    for name, road in zip(("老官路", "西渡路"), _OLD_ROADS, strict=True):
        line = shapely.LineString(smooth(plan.jitter(road, 40.0), 2))
        yield Way(name, "street", WIDTH_M["street"], line, bridged=True)


def _eastward(plan: Plan) -> Iterator[Way]:
    """Canals and village roads in turn, parallel to the main road in the north and to the river in the south."""
    x = np.arange(-_REACH, _REACH + 1.0, 325.0)
    for side, offsets in (("north", plan.north), ("south", plan.south)):
        for k, offset in enumerate(offsets):
            y = plan.north_y(x, offset) if side == "north" else plan.south_y(x, offset)
            y = y + plan.rng.uniform(-9.0, 9.0, len(x))
            canal = (k % 2 == 0) == (side == "north")
            kind = "canal" if canal else "street"
            yield Way("", kind, WIDTH_M[kind], _line(x, y), bridged=not canal)


def _northward(plan: Plan) -> Iterator[Way]:
    """Canals, village roads and ditches in turn; they end at the river and need not go on beyond it."""
    for side in ("north", "south"):
        x0 = -_REACH + plan.rng.uniform(0.0, 120.0)
        for k in range(40):
            x0 += plan.rng.uniform(285.0, 430.0)
            if x0 > _REACH - 100.0:
                break
            if not _crowded(x0, side):
                yield from _north_line(plan, x0, side, canal=k % 2 == 0)
    for at in (-2650.0 + plan.rng.uniform(-60, 60), 2420.0 + plan.rng.uniform(-60, 60), -690.0):
        y = np.array([plan.south_y(at, plan.south[0]) - 4.0, plan.river_y(at), plan.arterial_y(at) + 4.0])
        yield Way("", "street", WIDTH_M["street"], _line(at + _TILT * y, y), bridged=True)


def _crowded(x0: float, side: str) -> bool:
    """Whether a line here would run along an arterial, the old river or a bridge road."""
    near = [(-200.0, 190.0), (-2650.0, 150.0), (2420.0, 150.0)]
    near += [(545.0, 170.0)] if side == "north" else [(-690.0, 90.0)]
    return any(abs(x0 - at) < gap for at, gap in near)


def _north_line(plan: Plan, x0: float, side: str, *, canal: bool) -> Iterator[Way]:
    levels = _levels(plan, x0, side)
    x = x0 + _TILT * levels + plan.rng.uniform(-11.0, 11.0, len(levels))
    if canal:
        yield Way("", "canal", WIDTH_M["canal"], _line(x, levels))
        return
    turn = int(plan.rng.integers(2, len(levels)))
    kinds = [("street", slice(0, turn + 1)), ("ditch", slice(turn, None))]
    for kind, part in kinds:
        if len(levels[part]) > 1:
            yield Way("", kind, WIDTH_M[kind], _overshoot(x[part], levels[part]))


def _levels(plan: Plan, x0: float, side: str) -> Floats:
    """The y at which a northward line bends: the river first, then every eastward line."""
    if side == "south":
        ys = [float(plan.south_y(x0 - 0.045 * offset, offset)) for offset in plan.south]
        start = [] if _SOUTH_CENTRE[0] < x0 < _SOUTH_CENTRE[1] else [float(plan.river_y(x0))]
        return np.array([*start, *ys])
    ys = [float(plan.north_y(x0 + 0.045 * offset, offset)) for offset in plan.north]
    if _CENTRE[0] < x0 < _CENTRE[1]:
        return np.array(ys)
    return np.array([float(plan.river_y(x0)), float(plan.arterial_y(x0)), *ys])


def _old_town(plan: Plan) -> Iterator[Way]:
    yield from _riverside(plan)
    for x0 in _spaced(plan, *_CENTRE, avoid=((-170.0, 65.0), (545.0, 75.0), (-690.0, 60.0))):
        yield from _centre_northward(plan, x0)
    for offset in (135.0, 265.0, 390.0, 520.0):
        low, high = _CENTRE[0] + plan.rng.uniform(0, 420.0), _CENTRE[1] - plan.rng.uniform(0, 380.0)
        yield _centre_eastward(plan, partial(plan.north_y, offset=offset), low, high)
    for share in (0.42, 0.70):
        low, high = _CENTRE[0] + plan.rng.uniform(0, 350.0), _CENTRE[1] - plan.rng.uniform(0, 350.0)
        yield _centre_eastward(plan, partial(plan.between_y, share=share), low, high)
    for offset in (120.0, 265.0):
        yield _centre_eastward(plan, partial(plan.south_y, offset=offset), *_SOUTH_CENTRE)
    for x0 in _spaced(plan, *_SOUTH_CENTRE, avoid=((-90.0, 65.0),)):
        y = np.array([float(plan.river_y(x0)) - 30.0, float(plan.south_y(x0, plan.south[0])) - 4.0])
        yield _narrow(plan, x0, y)


def _riverside(plan: Plan) -> Iterator[Way]:
    """A road along each bank in the centre: between it and the water lies the quay."""
    x = np.arange(_CENTRE[0] - 160.0, _CENTRE[1] + 60.0, 60.0)
    yield Way("滨河北路", "street", WIDTH_M["street"], _line(x, plan.river_y(x) + 62.0), bridged=True)
    x = np.arange(_SOUTH_CENTRE[0] - 40.0, _SOUTH_CENTRE[1] + 90.0, 60.0)
    yield Way("滨河南路", "street", WIDTH_M["street"], _line(x, plan.river_y(x) - 56.0), bridged=True)


def _spaced(plan: Plan, low: float, high: float, avoid: Points) -> Iterator[float]:
    x0 = low
    while x0 < high:
        if not any(abs(x0 - at) < gap for at, gap in avoid):
            yield x0
        x0 += plan.rng.uniform(95.0, 175.0)


def _centre_northward(plan: Plan, x0: float) -> Iterator[Way]:
    """A narrow street from the quay or the main road up to the northern canal; some stop half-way."""
    quay, road = float(plan.river_y(x0)) + 58.0, float(plan.arterial_y(x0))
    stops = [quay, road, *(float(plan.north_y(x0, o)) for o in (265.0, 390.0, 650.0))]
    first = int(plan.rng.integers(0, 3) == 0)
    last = int(plan.rng.choice([2, 3, 4, 4]))
    yield _narrow(plan, x0, np.array(stops[first : last + 1]))


def _narrow(plan: Plan, x0: float, y: Floats) -> Way:
    kind = "street" if plan.rng.random() < 0.4 else "lane"
    x = x0 + _TILT * y + plan.rng.uniform(-13.0, 13.0, len(y))
    return Way("", kind, WIDTH_M[kind], _overshoot(x, y))


def _centre_eastward(plan: Plan, curve: Callable[[Floats], Floats], low: float, high: float) -> Way:
    kind = "street" if plan.rng.random() < 0.45 else "lane"
    x = np.arange(low, high, 140.0)
    y = curve(x) + plan.rng.uniform(-11.0, 11.0, len(x))
    return Way("", kind, WIDTH_M[kind], _line(x, y), bridged=True)


def _line(x: Floats, y: Floats) -> shapely.LineString:
    return shapely.LineString(np.column_stack([x, y]))


def _overshoot(x: Floats, y: Floats) -> shapely.LineString:
    """The line with both ends 4 m longer, so that it surely meets the line at which it ends."""
    xy = np.column_stack([x, y]).astype(np.float64)
    for end, before in ((0, 1), (-1, -2)):
        step = xy[end] - xy[before]
        xy[end] = xy[end] + step * (4.0 / np.sqrt((step * step).sum()))
    return shapely.LineString(xy)


def _named(ways: Sequence[Way]) -> list[Way]:
    """Every way has a name that no other line of its kind bears."""
    roads, lanes, canals = names.street_names(), names.lane_names(), names.canal_names()
    sources = {"street": roads, "lane": lanes, "canal": canals}
    named = []
    for way in ways:
        name = way.name or (next(sources[way.kind]) if way.kind in sources else "田间沟")
        named.append(Way(name, way.kind, way.width_m, way.line, way.bridged))
    return named
