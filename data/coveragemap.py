"""The coverage map's view, gathered from the coverage of a window: grids, streets, overdue places, the tracks of a day."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo
from itertools import pairwise
from typing import Any, Final

import numpy as np

from data.coverage import FIGURES, LiveCoverage, TownCoverage
from data.coverageanswers import grid_rows, street_figures
from data.evidence import instant64
from data.mapview import CONTEXT_CAP
from data.overdue import OverdueWish, deadlines, overdue_json
from gis.dayevidence import day_number
from gis.duetimes import DUE_STATES
from gis.partition import LEVELS
from gis.store.context import read_context
from gis.store.engine import Connection
from gis.store.evidence import grid_members, members_by_number
from gis.tracks import Tracks
from maps.coverage import CoverageView, DayTrack, DuePlace, GridCoverage, Recency, StreetCoverage
from maps.grids import ContextShape, GridShape
from maps.words import Lang, word

#: More places than this are not shown, the most urgent first.
PLACES_CAP: Final = 2_000


@dataclass(frozen=True)
class CoverageMapWish:
    """What a map may show and how: names of members and places (`names`), positions of a day (`positions`); `day`: any instant of it."""

    zone: tzinfo
    lang: Lang = "zh"
    names: bool = False
    positions: bool = False
    day: datetime | None = None


def coverage_view(
    connection: Connection, kept: LiveCoverage, found: TownCoverage, wish: CoverageMapWish
) -> CoverageView:
    """Everything the coverage map shows of a window."""
    boundaries = found.last.state.boundaries
    narrow = {(p.layer, p.level) for p in boundaries.assignable()}
    outlines = [p for p in boundaries.partitions if (p.layer, p.level) not in narrow]
    shapes = [
        GridShape(code, boundaries.by_code[code].name, p.layer, p.level, shape)
        for p in outlines
        for code, shape in zip(p.codes, p.geometry, strict=True)
    ]
    alone = [p for p in outlines if len(p) == 1]
    town = max(alone, key=lambda p: LEVELS.index(p.level), default=None)
    day = _day(found, wish)
    return CoverageView(
        grids=_grids(connection, found, wish),
        streets=_streets(found) if wish.names else [],
        places=_places(found, wish) if wish.names else [],
        tracks=_tracks(connection, kept, found, day) if wish.positions else [],
        day=day,
        outlines=shapes,
        context=[ContextShape(one.kind, one.geometry, one.width) for one in read_context(connection, CONTEXT_CAP)],
        totals=_totals(found),
        counts=found.revisits.counts,
        begin=found.wish.begin.astimezone(wish.zone),
        end=found.wish.end.astimezone(wish.zone),
        at=found.wish.end.astimezone(wish.zone),
        parameters=_parameters(found, wish.zone),
        generation=boundaries.generation,
        title=f"{town.names[0]} · {word('title.coverage', wish.lang)}" if town is not None else None,
        lang=wish.lang,
        withheld=tuple(
            name
            for name, shown in (("places", wish.names), ("streets", wish.names), ("tracks", wish.positions))
            if not shown
        ),
    )


def _parameters(found: TownCoverage, zone: tzinfo) -> Mapping[str, Any]:
    shown = {key: value for key, value in found.parameters.items() if key not in {"from", "to"}}
    return {key: value.astimezone(zone) if isinstance(value, datetime) else value for key, value in shown.items()}


def _told(figure: Mapping[str, Any]) -> tuple[float, float]:
    """Numerator and denominator; nothing to cover where nobody can say anything."""
    return (0.0, 0.0) if figure["value"] is None else (figure["numerator"], figure["denominator"])


def _grids(connection: Connection, found: TownCoverage, wish: CoverageMapWish) -> list[GridCoverage]:
    boundaries = found.last.state.boundaries
    members = grid_members(connection, found.wish.end) if wish.names else {}
    return [
        GridCoverage(
            code=row["grid"],
            name=row["name"],
            geometry=boundaries.shapes[row["uid"]],
            path=" > ".join(step["name"] for step in boundaries.path(row["grid"])[:-1]),
            recency=Recency(row["recency"]["kind"], row["recency"]["days"]),
            state=row["state"],
            figures={name: _told(row["figures"][name]) for name in FIGURES},
            members=tuple(name for _, name, _ in members.get(row["uid"], ())),
        )
        for row in grid_rows(found)[: found.count]
    ]


def _streets(found: TownCoverage) -> list[StreetCoverage]:
    figures = street_figures(found)
    return [
        StreetCoverage(row["name"], row["geometry"], row["length_m"], Recency(recency["kind"], recency["days"]))
        for row, recency in zip(found.streets.rows, figures["recency"], strict=True)
    ]


def _places(found: TownCoverage, wish: CoverageMapWish) -> list[DuePlace]:
    body, _ = overdue_json(deadlines(found, "place"), OverdueWish(DUE_STATES, limit=PLACES_CAP))
    return [
        DuePlace(
            code=row["place"], kind=row["kind"], name=row["name"], lon=row["lon"], lat=row["lat"], grid=row["grid"],
            last=None if row["last"] is None else row["last"].astimezone(wish.zone),
            due=row["due"].astimezone(wish.zone), state=row["state"], probability=row["probability"],
        )
        for row in body["items"]
    ]  # fmt: skip


def _totals(found: TownCoverage) -> dict[str, tuple[float, float]]:
    totals = {**found.totals, "grids_revisited": found.revisits.on_time}
    return {name: (one.numerator, one.denominator) for name, one in totals.items()}


# -- the tracks of a day ----------------------------------------------------------------------------------------------


def _day(found: TownCoverage, wish: CoverageMapWish) -> datetime:
    """Local midnight of the day whose tracks are shown: that of the window's last moment, unless another is asked for."""
    at = (wish.day or found.wish.end - timedelta(microseconds=1)).astimezone(wish.zone)
    return at.replace(hour=0, minute=0, second=0, microsecond=0)


def _tracks(connection: Connection, kept: LiveCoverage, found: TownCoverage, day: datetime) -> list[DayTrack]:
    """Who walked where on that day, as evidence has it: noise averaged out, gaps left open."""
    walks = kept.evidence.walks_of(connection, found.found, day_number(found.found.evidence.ground, instant64(day)))
    if walks is None or not len(walks):
        return []
    members = members_by_number(connection, found.wish.end)
    units = found.last.state.boundaries.units
    tracks = []
    for number, pieces in _pieces(walks, day).items():
        member = members.get(number)
        if member is not None:
            unit = units.get(member.grid or "")
            tracks.append(DayTrack(member.code, member.name, unit.code if unit else None, pieces))
    return tracks


def _pieces(walks: Tracks, day: datetime) -> dict[int, Sequence[Any]]:
    """Member's number -> pieces of (seconds since the day began, lon, lat)."""
    seconds = (walks.fixes.micros - instant64(day).astype(np.int64)) / 1e6
    columns = np.column_stack([seconds, walks.fixes.lon, walks.fixes.lat])
    found: dict[int, list[Any]] = {}
    for begin, end in pairwise(walks.first.tolist()):
        found.setdefault(int(walks.fixes.member[begin]), []).append(columns[begin:end])
    return dict(sorted(found.items()))
