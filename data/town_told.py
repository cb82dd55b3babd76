"""What the demo town's members tell themselves: check-ins at the begin and end of shifts and at places, and visits that they note."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import shapely

from data.town_places import Spot, apart_from
from data.town_plan import METRES_PER_DEGREE, ORIGIN
from data.town_plants import PatrolGround, to_metres
from data.town_roster import Away, Person, Turn

Floats = npt.NDArray[np.float64]

#: Check-ins are told of the last days, notes of visits of some more.
CHECKIN_DAYS: Final = 7
_NOTED_DAYS: Final = 10
#: Nearer than this to a place with a story nobody checks in: it would count as a visit.
_STORY_M: Final = 60.0
_REPORT_M: Final = 45.0
_FOUND: Final = ("灭火器过期，已要求更换", "电线私拉乱接", "通道堆放杂物", "台账未更新")


@dataclass(frozen=True)
class Called:
    """A stay at a must-visit place (by position) in a shift (by position): seconds since 1970, and how long it lasts."""

    turn: int
    spot: int
    at: int
    seconds: float


@dataclass(frozen=True, eq=False)
class Desk:
    """What check-ins are told from: people, their shifts and leave, the places, and where each grid's members meet (metres)."""

    ground: PatrolGround
    people: Sequence[Person]
    turns: Sequence[Turn]
    leave: Sequence[Away]
    spots: Sequence[Spot]
    codes: Sequence[str]
    posts: Mapping[int, Floats]
    now: datetime


def tell_checkins(desk: Desk, calls: Sequence[Called], rng: np.random.Generator) -> list[dict[str, Any]]:
    """Check-ins of the last week in the fields of the intake: nearly all inside, some on the edge, some outside."""
    storied = [np.array([spot.x, spot.y]) for spot in desk.spots if spot.story]
    away: dict[int, list[Away]] = {}
    for one in desk.leave:
        away.setdefault(one.member, []).append(one)
    rows: list[dict[str, Any]] = []
    for turn in desk.turns:
        if not 0 <= turn.back <= CHECKIN_DAYS:
            continue
        luck = rng.random(8)
        for kind, at in (("in", turn.begin.timestamp() + 240 * luck[0]), ("out", turn.end.timestamp() - 240 * luck[1])):
            is_told = at <= desk.now.timestamp() and (kind == "in" or luck[2] < 0.75)
            on_leave = any(one.begin.timestamp() <= at < one.end.timestamp() for one in away.get(turn.member, ()))
            if is_told and not on_leave:
                xy, accuracy_m = _stand(desk, turn, storied, luck[3:])
                rows.append(_checkin(desk.people[turn.member].code, int(at), kind, xy, accuracy_m, desk.now))
    for call in calls:
        turn, spot = desk.turns[call.turn], desk.spots[call.spot]
        if turn.back <= CHECKIN_DAYS and not spot.story and rng.random() < 0.12:
            code = desk.people[turn.member].code
            rows.append(_checkin(code, call.at + 60, "visit", np.array([spot.x, spot.y]), 8.0, desk.now))
    return sorted(rows, key=lambda row: (row["at"], row["member"]))


def _stand(desk: Desk, turn: Turn, storied: list[Floats], luck: Floats) -> tuple[Floats, float | None]:
    """Where a member checks in: at the post, now and then on the grid's border or beyond it."""
    post = desk.posts[turn.grid] + 16.0 * (luck[1:3] - 0.5)
    accuracy_m = round(4.0 + 14.0 * float(luck[3]), 1)
    border = desk.ground.grids[turn.grid].exterior
    edge = np.array(border.interpolate(float(luck[4]), normalized=True).coords[0])
    outward = edge - shapely.get_coordinates(desk.ground.grids[turn.grid].centroid)[0]
    beyond = edge + outward / max(float(np.hypot(*outward)), 1.0) * 260.0
    told = edge if luck[0] < 0.03 else beyond if luck[0] < 0.05 else post
    if told is post or not apart_from(told, storied, _STORY_M):
        return post, accuracy_m
    return told, 30.0 if told is edge else accuracy_m


def _checkin(member: str, at: int, kind: str, xy: Floats, accuracy_m: float | None, now: datetime) -> dict[str, Any]:
    lon, lat = (np.asarray(ORIGIN) + xy / np.asarray(METRES_PER_DEGREE)).round(7).tolist()
    when = datetime.fromtimestamp(at, now.tzinfo).isoformat()
    return {
        "member": member,
        "at": when,
        "kind": kind,
        "lon": lon,
        "lat": lat,
        "crs": "wgs84",
        "accuracy_m": accuracy_m,
    }


def tell_visits(
    desk: Desk, calls: Sequence[Called], reports: Sequence[Mapping[str, Any]], rng: np.random.Generator
) -> list[dict[str, Any]]:
    """Visits that members noted, and those that a report from beside a place proves (`report`: its external id)."""
    rows: list[dict[str, Any]] = []
    for call in calls:
        turn = desk.turns[call.turn]
        if turn.back <= _NOTED_DAYS and not desk.spots[call.spot].story:
            luck = rng.random(3)
            if luck[0] < 0.3:
                note = _FOUND[int(luck[2] * len(_FOUND))] if luck[1] < 0.12 else ""
                rows.append({
                    "place": desk.codes[call.spot], "member": desk.people[turn.member].code, "report": None,
                    "at": datetime.fromtimestamp(call.at + 120, desk.now.tzinfo).isoformat(),
                    "outcome": "found" if note else "nothing", "note": note,
                })  # fmt: skip
    return rows + _reported(desk, reports)


def _reported(desk: Desk, reports: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    own = [one for one in reports if one["channel"] == "member" and one["crs"] == "wgs84"]
    plain = [i for i, spot in enumerate(desk.spots) if not spot.story]
    if not own:
        return []
    told = to_metres(np.array([(one["lon"], one["lat"]) for one in own]))
    points = shapely.points([(desk.spots[i].x, desk.spots[i].y) for i in plain])
    near = shapely.STRtree(points).query_nearest(shapely.points(told), max_distance=_REPORT_M, all_matches=False)
    return [
        {
            "place": desk.codes[plain[int(spot)]], "member": None, "report": own[int(row)]["external_id"],
            "at": own[int(row)]["occurred_at"], "outcome": "found", "note": own[int(row)]["text"],
        }
        for row, spot in near.T
        if datetime.fromisoformat(own[int(row)]["occurred_at"]).astimezone(UTC) <= desk.now
    ]  # fmt: skip
