"""Errands: what can be done about debts on a graph of streets, and the walk that doing some of it in an order comes to."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import shapely

from gis.debts import NO_STREET, Debts
from gis.duetimes import DUE_STATES
from gis.errors import ParameterInvalid
from gis.fixes import Floats, Ints
from gis.partition import Geometries
from gis.streetgraph import StreetGraph
from gis.walking import Walking, Way, without_repeats

Place = tuple[float, float]

#: Why a walk has no errand: nothing weighs anything, nothing fits into the time, the end alone is too far.
NOTHING: Final = ("no-debts", "out-of-reach", "end-too-far")


@dataclass(frozen=True, eq=False)
class Outing:
    """What a walk is planned for: the debts, the minutes there are, how quick one walks; `tips`: (1 or 2, 2) metres, start and end."""

    debts: Debts
    minutes: float
    walking_mps: float
    tips: Floats

    @property
    def budget_s(self) -> int:
        """The time in whole seconds."""
        return int(self.minutes * 60)

    def service_s(self, choices: Choices) -> Floats:
        """The seconds that each choice takes where it lies, with walking along its street."""
        found: Floats = self.debts.minutes[choices.debt] * choices.share * 60 + choices.along_m / self.walking_mps
        return found


@dataclass(frozen=True, eq=False)
class Choices:
    """Choice c does debt `debt[c]`, or the `share[c]` of it that is one piece of its street, and walks `along_m[c]` for it.

    It begins at row `entry[c]` of `place` (metres) and is over at row `leave[c]`; `line[c]` is walked between, None at a place. Both
    directions of a street have the same `piece`, of which one choice at most is taken. Row 0 is the start; row `end` the end, -1: none.
    """

    place: Floats
    end: int
    debt: Ints
    share: Floats
    piece: Ints
    entry: Ints
    leave: Ints
    along_m: Floats
    line: Geometries

    def only(self, kept: Ints) -> Choices:
        """These choices, in this order, with the places they need."""
        used = [0, self.end] if self.end >= 0 else [0]
        rows = np.unique(np.concatenate([used, self.entry[kept], self.leave[kept]]).astype(np.int64))
        at = np.searchsorted(rows, np.stack([self.entry[kept], self.leave[kept]]))
        columns = (self.debt[kept], self.share[kept], self.piece[kept], at[0], at[1], self.along_m[kept])
        return Choices(self.place[rows], self.end, *columns, self.line[kept])


def choices_of(graph: StreetGraph, outing: Outing, order: Ints) -> Choices:
    """All that can be done about these debts, in this order; a street in several pieces is as many errands.

    Raises ParameterInvalid for a street that the graph does not have, CoordinateInvalid for places that are none.
    """
    debts, tips = outing.debts, outing.tips
    places, streets = order[debts.street[order] == NO_STREET], order[debts.street[order] != NO_STREET]
    stands = graph.metres(debts.lon[places], debts.lat[places]).reshape(-1, 2)
    owner, line = _pieces(graph, debts, streets)
    ends = [shapely.get_coordinates(shapely.get_point(line, i)).reshape(-1, 2) for i in (0, -1)]
    place = np.concatenate([tips, stands, *ends])
    standing, first = len(tips) + np.arange(len(places)), len(tips) + len(places) + np.arange(len(line))
    entry, leave = np.concatenate([standing, first]), np.concatenate([standing, first + len(line)])
    drawn = np.concatenate([np.full(len(places), None), line])
    debt = np.concatenate([places, owner])
    along = np.nan_to_num(shapely.length(drawn))
    whole = np.bincount(debt, weights=along, minlength=len(debts))[debt]
    share = np.divide(along, whole, out=np.ones(len(debt)), where=whole > 0)
    two_way = np.flatnonzero((place[entry] != place[leave]).any(axis=1))
    both = np.concatenate([np.arange(len(debt)), two_way])
    return Choices(
        place, 1 if len(tips) > 1 else -1, debt[both], share[both], both,
        np.concatenate([entry, leave[two_way]]), np.concatenate([leave, entry[two_way]]), along[both],
        np.concatenate([drawn, shapely.reverse(drawn[two_way])]),
    )  # fmt: skip


def _pieces(graph: StreetGraph, debts: Debts, streets: Ints) -> tuple[Ints, Geometries]:
    """(debt, line in metres) of every piece of the streets of these debts."""
    number = debts.street[streets]
    known = (number >= 0) & (number < len(graph.lines))
    known[known] = shapely.length(graph.lines[number[known]]) > 0
    for debt in streets[~known].tolist():
        raise ParameterInvalid(f"{debts.key[debt]} is no street of the network", place="street")
    line, of = shapely.get_parts(graph.lines[number], return_index=True)
    long = shapely.length(line) > 0
    return streets[of[long]], line[long]


@dataclass(frozen=True)
class Errand:
    """One stop of a walk: debt `debt` is cleared, arriving `arrival_s` after the start over `metres` since the stop before.

    `straight_m` of the way there lie along no street. `along_m` are walked for a street itself, 0 at a place, and `service_s` is what
    all of it takes. `detour_m`: so much longer is the walk for this errand. `weight` is what it clears; `lon`, `lat` where it begins.
    """

    debt: int
    key: str
    name: str | None
    kind: str | None
    grid: str | None
    is_street: bool
    lon: float
    lat: float
    arrival_s: float
    metres: float
    straight_m: float
    along_m: float
    service_s: float
    weight: float
    overdue_days: float | None
    risk: float | None
    state: str
    detour_m: float

    def as_json(self) -> dict[str, Any]:
        """The errand for an answer: metres and seconds without fractions."""
        whole = {name: round(getattr(self, name)) for name in _WHOLE}
        days = None if self.overdue_days is None else round(self.overdue_days, 1)
        rest = {"lon": round(self.lon, 7), "lat": round(self.lat, 7), "weight": round(self.weight, 3)}
        named = {name: getattr(self, name) for name in ("key", "name", "kind", "grid", "is_street", "risk", "state")}
        return named | rest | {"overdue_days": days} | whole


_WHOLE: Final = ("arrival_s", "metres", "straight_m", "along_m", "service_s", "detour_m")


@dataclass(frozen=True)
class NextWalk:
    """A walk of `metres` that takes `used_s` of the `minutes` given and clears `cleared` of the `owed` debt, errand by errand.

    `within_reach` of the `debts` that weigh anything could be done at all in the time; `home_m` leads from the last errand to the end,
    0 without an end. `line` is the walk in WGS 84; a walk without errands has none, and `nothing` says why (one of NOTHING).
    """

    errands: tuple[Errand, ...]
    minutes: float
    used_s: float
    metres: float
    home_m: float
    cleared: float
    owed: float
    debts: int
    within_reach: int
    line: Any | None
    nothing: str | None = None

    def as_json(self) -> dict[str, Any]:
        """The walk for an answer, without its line."""
        return {
            "minutes": self.minutes,
            "used_s": round(self.used_s),
            "metres": round(self.metres),
            "home_m": round(self.home_m),
            "cleared": round(self.cleared, 3),
            "owed": round(self.owed, 3),
            "debts": self.debts,
            "within_reach": self.within_reach,
            "nothing": self.nothing,
            "errands": [errand.as_json() for errand in self.errands],
        }


def no_walk(outing: Outing, nothing: str) -> NextWalk:
    """The walk of one who stays where he is."""
    owing = int((outing.debts.weight > 0).sum())
    owed = math.fsum(outing.debts.weight.tolist())
    return NextWalk((), outing.minutes, 0.0, 0.0, 0.0, 0.0, owed, owing, 0, None, nothing)


def walked(walking: Walking, choices: Choices, outing: Outing, order: Sequence[int], within_reach: int) -> NextWalk:
    """The walk that does these choices in this order; `walking` knows their places."""
    taken = np.array(order, np.int64)
    leave, entry = np.append(0, choices.leave[taken]), choices.entry[taken]
    entry = np.append(entry, choices.end) if choices.end >= 0 else entry
    ways = [walking.way(one, other) for one, other in zip(leave.tolist(), entry.tolist(), strict=False)]
    legs, along, service = (
        np.array([way.metres for way in ways]),
        choices.along_m[taken],
        outing.service_s(choices)[taken],
    )
    arrival = np.cumsum(legs[: len(taken)] / outing.walking_mps) + np.cumsum(service) - service
    detour = _detours(walking, leave, entry, legs, along)
    errands = tuple(
        _errand(walking.graph, choices, outing, c, ways[i], float(arrival[i]), float(detour[i]))
        for i, c in enumerate(taken.tolist())
    )
    drawn = [shapely.get_coordinates(choices.line[c]) for c in taken.tolist()]
    debts = outing.debts
    return NextWalk(
        errands=errands,
        minutes=outing.minutes,
        used_s=float(legs.sum() / outing.walking_mps + service.sum()),
        metres=float(legs.sum() + along.sum()),
        home_m=float(legs[len(taken) :].sum()),
        cleared=math.fsum(errand.weight for errand in errands),
        owed=math.fsum(debts.weight.tolist()),
        debts=int((debts.weight > 0).sum()),
        within_reach=within_reach,
        line=_line(walking.graph, [piece for i, way in enumerate(ways) for piece in (way.line, *drawn[i : i + 1])]),
    )


def _detours(walking: Walking, leave: Ints, entry: Ints, legs: Floats, along: Floats) -> Floats:
    """How much longer the walk is for each errand: the way there and on, less the way past it; the last may have no way on."""
    past = [float(walking.metres(leave[[i]], entry[[i + 1]])[0, 0]) for i in range(len(entry) - 1)]
    way_on = np.append(legs[1:] - past, 0.0)[: len(along)]
    # A straight way across a yard may make the walk by way of a place the shorter one.
    found: Floats = np.maximum(legs[: len(along)] + along + way_on, 0.0)
    return found


def _errand(
    graph: StreetGraph, choices: Choices, outing: Outing, choice: int, way: Way, arrival_s: float, detour_m: float
) -> Errand:
    debts, debt, one = outing.debts, int(choices.debt[choice]), np.array([choice])
    lon, lat = graph.degrees(choices.place[choices.entry[one]])[0].tolist()
    return Errand(
        debt=debt,
        key=debts.key[debt],
        name=debts.name[debt],
        kind=debts.kind[debt],
        grid=debts.grid[debt],
        is_street=bool(debts.street[debt] != NO_STREET),
        lon=lon,
        lat=lat,
        arrival_s=arrival_s,
        metres=way.metres,
        straight_m=way.straight_m,
        along_m=float(choices.along_m[choice]),
        service_s=float(outing.service_s(choices)[choice]),
        weight=float(debts.weight[debt] * choices.share[choice]),
        overdue_days=_told(debts.overdue_days[debt]),
        risk=_told(debts.risk[debt]),
        state=DUE_STATES[debts.state[debt]],
        detour_m=detour_m,
    )


def _told(value: float) -> float | None:
    return None if np.isnan(value) else float(value)


def _line(graph: StreetGraph, pieces: list[Floats]) -> Any:
    """The line through these pieces (metres) in WGS 84; one who does not move has a line of two equal ends."""
    points = without_repeats(np.concatenate(pieces))
    return shapely.linestrings(graph.degrees(points if len(points) > 1 else points[[0, 0]]))
