"""What a member should walk next: debts of the grids they work, from their deadlines; the walk that clears the most; why, stop by stop.

debt of a place = how overdue x how much happens there x the minutes it takes
debt of a street = the same, its minutes being those of walking along it
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo
from typing import Any, Final

import numpy as np
import shapely

from data.coverage import CoverageWish, LiveCoverage, TownCoverage, town_coverage
from data.evidence import instant64
from data.nextwalktexts import explained, summed_up
from data.overdue import Deadlines, deadlines
from gis.dayevidence import day_number
from gis.debts import NO_STREET, Debts, debts_of
from gis.errors import ParameterInvalid, StateConflict
from gis.fixes import Floats, Ints
from gis.nextwalk import VARIATION, WALKING_MPS, next_walk
from gis.store.duty import spans
from gis.store.engine import Connection
from gis.store.evidence import event_positions
from gis.store.live import Live
from gis.store.members import belongings, find_member
from gis.streetgraph import StreetGraph, street_graph

#: What is due within so many days is a debt too, a smaller one.
AHEAD_DAYS: Final = 1.0
#: More than so many days overdue weigh no more: one place nobody ever found must not outweigh a street of others.
MOST_DAYS: Final = 30.0
#: Events of so many days within so many metres make the risk.
RISK_DAYS: Final = 30
RISK_M: Final = 100.0
#: Streets within so many degrees of the grids may be walked on.
_ROUND: Final = 0.005
_MICRO: Final = timedelta(microseconds=1)


@dataclass(frozen=True)
class NextWish:
    """Who, and from where, how long, by which chance; None: the last known place, what is left of the shift, the day's own seed.

    `is_seen`: whether the asker may see where the member is; else the walk begins in the middle of a grid.
    """

    code: str
    minutes: float | None = None
    start: tuple[float, float] | None = None
    seed: int | None = None
    service_minutes: float = 5.0
    is_seen: bool = True


def asked_for(now: datetime, layer: str, revisit_days: float, sight_m: float) -> CoverageWish:
    """The coverage that deadlines are taken from: how things stand now."""
    return CoverageWish(now - timedelta(days=min(revisit_days, 7.0)), now, layer, revisit_days, sight_m)


def next_walk_json(
    connection: Connection, live: Live, kept: LiveCoverage, wish: NextWish, asked: CoverageWish, zone: tzinfo
) -> dict[str, Any]:
    """The walk as it is answered. `asked` is the coverage that deadlines are taken from; its end is now.

    MemberUnknown; StateConflict for a member who works no grid now, or a town without streets; ParameterInvalid where minutes or a
    start are needed.
    """
    member = find_member(connection, wish.code)
    now = asked.end
    grids = [one.grid for one in belongings(connection, member["uid"], now, now + _MICRO)]
    coverage = town_coverage(connection, live, kept, asked)
    rows = [coverage.position[uid] for uid in grids if uid in coverage.position]
    if not rows:
        raise StateConflict(f"{wish.code} works no grid of layer {asked.layer} now", place="member")
    if not coverage.streets.rows:
        raise StateConflict("no streets are known to walk on: gridbeat load streets", place="streets")
    minutes = _minutes(connection, member, now) if wish.minutes is None else wish.minutes
    start, known_by = _start(connection, kept, coverage, member["number"], rows, wish, zone)
    graph, near = _network(coverage, rows, start)
    debts = _debts(connection, coverage, rows, near, wish)
    seed = _seed(member["number"], now, zone) if wish.seed is None else wish.seed
    walk = next_walk(graph, debts, start, minutes, rng=np.random.default_rng(seed))
    told = walk.as_json()
    for errand, zh, en in zip(told["errands"], explained(walk, "zh"), explained(walk, "en"), strict=True):
        errand |= {"reason_zh": zh, "reason_en": en}
    return {
        "member": wish.code, "at": now, "start": {"lon": start[0], "lat": start[1], "known_by": known_by}, **told,
        "summary_zh": summed_up(walk, "zh"), "summary_en": summed_up(walk, "en"),
        "geometry": None if walk.line is None else shapely.geometry.mapping(walk.line),
        "parameters": coverage.parameters | {
            "seed": seed, "walking_mps": WALKING_MPS, "variation": VARIATION, "service_minutes": wish.service_minutes,
            "ahead_days": AHEAD_DAYS, "most_days": MOST_DAYS, "risk_days": RISK_DAYS, "risk_m": RISK_M,
        },
    }  # fmt: skip


def _seed(number: int, now: datetime, zone: tzinfo) -> int:
    """One of the member and the local day: all day the same answer, another day another."""
    return number * 100_000 + now.astimezone(zone).date().toordinal() % 100_000


def _minutes(connection: Connection, member: dict[str, Any], now: datetime) -> float:
    """What is left of the shift, or of it until leave begins."""
    turns = spans(connection, "shift", member["uid"], now, now + _MICRO)
    away = spans(connection, "leave", member["uid"], now, now + timedelta(days=2))
    if not turns or (away and away[0]["begin"] <= now):
        raise ParameterInvalid(f"{member['code']} is not on duty now: say how many minutes", place="minutes")
    until = min(turns[0]["end"], *(one["begin"] for one in away[:1]), turns[0]["end"])
    return float((until - now) / timedelta(minutes=1))


def _start(
    connection: Connection, kept: LiveCoverage, coverage: TownCoverage, number: int, rows: Sequence[int], wish: NextWish, zone: tzinfo
) -> tuple[tuple[float, float], str]:  # fmt: skip
    """(place, how it is known): as asked, the member's last fix of today, or the middle of a grid of theirs."""
    if wish.start is not None:
        return wish.start, "asked"
    ground = coverage.found.evidence.ground
    midnight = coverage.wish.end.astimezone(zone).replace(hour=0, minute=0, second=0, microsecond=0)
    walks = kept.evidence.walks_of(connection, coverage.found, day_number(ground, instant64(midnight)))
    if walks is not None and wish.is_seen:
        own = np.flatnonzero((walks.fixes.member == number) & (walks.fixes.at < coverage.end))
        if len(own):
            return (float(walks.fixes.lon[own[-1]]), float(walks.fixes.lat[own[-1]])), "fix"
    middle = coverage.last.state.boundaries.shapes[coverage.keys[rows[0]]].representative_point()
    return (float(middle.x), float(middle.y)), "grid"


def _network(coverage: TownCoverage, rows: Sequence[int], start: tuple[float, float]) -> tuple[StreetGraph, Ints]:
    """(the streets round the grids and the start as a network, which of the town's streets these are)."""
    shapes = [coverage.last.state.boundaries.shapes[coverage.keys[row]] for row in rows]
    west, south, east, north = shapely.total_bounds(np.array([*shapes, shapely.Point(start)], dtype=object)).tolist()
    box = shapely.box(west - _ROUND, south - _ROUND, east + _ROUND, north + _ROUND)
    lines = coverage.streets.geometry
    near = np.flatnonzero(shapely.intersects(lines, box))
    if not len(near):
        raise StateConflict("no streets are known round the grids of this member", place="streets")
    return street_graph(lines[near]), near


def _debts(connection: Connection, coverage: TownCoverage, rows: Sequence[int], near: Ints, wish: NextWish) -> Debts:
    """The debts of these grids: places on the list, and streets that lie in them."""
    lon, lat = event_positions(connection, coverage.wish.end - timedelta(days=RISK_DAYS), coverage.wish.end)
    places, streets = deadlines(coverage, "place"), deadlines(coverage, "street")
    chosen = _theirs(places, rows)
    site = coverage.found.evidence.ground.sites
    pairs = (coverage.found.town.of_places(site.lon)[chosen], coverage.found.town.of_places(site.lat)[chosen])
    risk = _risk(coverage, pairs, (lon, lat))
    urgency = _urgency(places.times.overdue_days[chosen])
    town = coverage.found.town.places
    position = {street: i for i, street in enumerate(near.tolist())}
    lanes = np.array([i for i in _theirs(streets, rows).tolist() if i in position], np.int64)
    middle = shapely.line_interpolate_point(coverage.streets.geometry[lanes], 0.5, normalized=True)
    middles = (shapely.get_x(middle), shapely.get_y(middle))
    lane_risk = _risk(coverage, middles, (lon, lat))
    metres = np.array([coverage.streets.rows[i]["length_m"] for i in lanes.tolist()])
    lane_weight = _urgency(streets.times.overdue_days[lanes]) * lane_risk * metres / WALKING_MPS / 60
    codes = [coverage.last.state.boundaries.units[coverage.keys[row]].code for row in range(coverage.count)]
    held = [coverage.streets.rows[i] for i in lanes.tolist()]
    return debts_of(
        [*(town[i]["code"] for i in chosen.tolist()), *(f"street {row['id']}" for row in held)],
        np.concatenate([pairs[0], middles[0]]),
        np.concatenate([pairs[1], middles[1]]),
        np.concatenate([urgency * risk * wish.service_minutes, lane_weight]),
        np.concatenate([np.full(len(chosen), wish.service_minutes), np.zeros(len(lanes))]),
        street=np.concatenate([np.full(len(chosen), NO_STREET), [position[i] for i in lanes.tolist()]]).astype(
            np.int64
        ),
        overdue_days=np.concatenate([places.times.overdue_days[chosen], streets.times.overdue_days[lanes]]),
        risk=np.round(np.concatenate([risk, lane_risk]), 2),
        state=np.concatenate([places.times.state[chosen], streets.times.state[lanes]]),
        name=[*(town[i]["name"] for i in chosen.tolist()), *(row["name"] for row in held)],
        kind=[*(town[i]["kind"] for i in chosen.tolist()), *("道路" for _ in held)],
        grid=[codes[i] for i in np.concatenate([places.things.owner[chosen], streets.things.owner[lanes]]).tolist()],
    )


def _theirs(found: Deadlines, rows: Sequence[int]) -> Ints:
    return np.flatnonzero(found.things.listed & np.isin(found.things.owner, list(rows)))


def _urgency(overdue_days: Floats) -> Floats:
    """1 for what is due now, a day more for each day since, less for what is due within a day, 0 for all that is due later.

    By full hours, so that who asks again a minute later gets the same walk.
    """
    overdue_days = np.floor(overdue_days * 24) / 24
    before = np.clip(1.0 + overdue_days / AHEAD_DAYS, 0.0, 1.0)
    found: Floats = np.where(overdue_days >= 0, 1.0 + np.minimum(overdue_days, MOST_DAYS), before)
    return found


def _risk(coverage: TownCoverage, at: tuple[Floats, Floats], events: tuple[Floats, Floats]) -> Floats:
    """1 + ln(1 + events near each place)."""
    plane = coverage.found.evidence.ground.frame.plane
    if not len(at[0]) or not len(events[0]):
        return np.ones(len(at[0]))
    tree = shapely.STRtree(shapely.points(plane.metres(*events)))
    near = tree.query(shapely.points(plane.metres(*at)), predicate="dwithin", distance=RISK_M)[0]
    counts = np.bincount(near, minlength=len(at[0]))
    found: Floats = 1.0 + np.log1p(counts)
    return found
