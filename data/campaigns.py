"""Campaigns as they stand: what they are about, grid by grid, and what of it was done, by what people told and, where given, by tracks."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from typing import Any, Final, Protocol

import numpy as np
import shapely

from gis.campaign import Done, Stretch, ground_done, ground_of, places_done
from gis.cellframe import Seen
from gis.cellowners import CellOwners
from gis.coverage import owners_of
from gis.fixes import Floats, Ints, Times
from gis.onpost import micros_of
from gis.partition import Boundaries, Partition
from gis.places import latest, noted
from gis.plane import Bounds, plane_of
from gis.shares import Shares
from gis.store.boundaries import Moment
from gis.store.campaigns import places_about, visit_checkins
from gis.store.engine import Connection
from gis.store.generations import list_generations
from gis.store.live import Live, State
from gis.store.visits import read_visits

#: A check-in of the kind visit counts for the nearest place within so many metres.
WITHIN_M: Final = 30.0
#: Ground and places farther from all grids than so many degrees are nobody's.
_MARGIN: Final = 0.02


class CampaignEvidence(Protocol):
    """What is known of where members were. Grids and places are named by uid; the window is [begin, end)."""

    def visits(self, places: Sequence[str], begin: datetime, end: datetime) -> tuple[Ints, Times]:
        """Every visit to these places in the window: (a position in `places`, an instant of the visit in the window)."""

    def tracked(self, layer: str, grids: Sequence[str], begin: datetime, end: datetime) -> Shares:
        """Of each of these grids the seconds of duty in which its members' ways are known, over all their duty (`gis.coverage.tracked`)."""

    def ground(self, layer: str, begin: datetime, end: datetime) -> Sequence[tuple[CellOwners, Seen, Sequence[str]]]:
        """The window cut where boundaries change: whose cells are, which were seen, and the uid of each of the owners' codes."""


@dataclass(frozen=True)
class _Part:
    """A part of the campaign's window with one state of the boundaries."""

    begin: datetime
    end: datetime
    state: State


def campaign_json(
    connection: Connection,
    live: Live,
    campaign: Mapping[str, Any],
    evidence: CampaignEvidence | None = None,
    *,
    layer: str = "general",
) -> dict[str, Any]:
    """A campaign (as `gis.store.campaigns` reads it), its places or ground by the grids of a layer, and what of it was done so far.

    Done is what lies in the period, before its end, its closing and now. Without `evidence` only told visits and check-ins count:
    what they do not show is unknown, and of an area nothing is known (`done` is null).
    """
    now = live.now(connection).at
    end = min(campaign["end"], campaign["closed_at"] or campaign["end"], max(now, campaign["begin"]))
    parts = _parts(connection, live, campaign["begin"], max(end, campaign["begin"]), now)
    about = _ground if campaign["about"] == "area" else _places
    done, grids = about(connection, campaign, parts, evidence, layer)
    told = dict(campaign) | {
        "area": None if campaign["area"] is None else json.loads(shapely.to_geojson(campaign["area"]))
    }
    window = {"from": parts[0].begin, "to": parts[-1].end}
    return told | {
        "layer": layer,
        "window": window,
        "done": None if done is None else _by_code(done, parts),
        "grids": grids,
    }


def outlined(campaign: Mapping[str, Any]) -> dict[str, Any]:
    """What a campaign is about, without its places; the area as GeoJSON."""
    area = campaign["area"]
    return dict(campaign) | {"area": None if area is None else json.loads(shapely.to_geojson(area))}


def _parts(connection: Connection, live: Live, begin: datetime, end: datetime, now: datetime) -> list[_Part]:
    """The window cut where boundaries take effect, as known now; an empty one keeps the state at its beginning."""
    cuts = sorted(
        {one.effective_at for one in list_generations(connection) if begin < one.effective_at < end} | {begin, end}
    )
    pairs = list(pairwise(cuts)) or [(begin, end)]
    return [_Part(first, last, live.state(connection, Moment(first, now))) for first, last in pairs]


def _by_code(done: Done, parts: Sequence[_Part]) -> dict[str, Any]:
    """The figures with each grid's uid and the last code that it had in the window."""
    units = {uid: unit for part in parts for uid, unit in part.state.boundaries.units.items()}
    told = done.as_json()
    rows = [
        {"grid": units[row["key"]].code, "name": units[row["key"]].name, "uid": row.pop("key"), **row}
        for row in told["grids"]
    ]
    return told | {"grids": sorted(rows, key=lambda row: row["grid"].encode())}


def _partition(boundaries: Boundaries, layer: str) -> Partition | None:
    """The partition of a layer that things are assigned to; None when it has no grids."""
    return next((one for one in boundaries.assignable() if one.layer == layer), None)


def _uids(parts: Sequence[_Part], layer: str) -> dict[str, int]:
    """Uid -> number of every grid that the layer has at some time of the window."""
    found: dict[str, int] = {}
    for part in parts:
        partition = _partition(part.state.boundaries, layer)
        for code in partition.codes if partition is not None else ():
            found.setdefault(part.state.boundaries.by_code[code].uid, len(found))
    return found


# -- places -----------------------------------------------------------------------------------------------------------


def _places(
    connection: Connection,
    campaign: Mapping[str, Any],
    parts: Sequence[_Part],
    evidence: CampaignEvidence | None,
    layer: str,
) -> tuple[Done, list[dict[str, Any]]]:
    """What was done of a campaign about places, and its places by the grid that has them at the window's end."""
    begin, end = parts[0].begin, parts[-1].end
    places = places_about(connection, dict(campaign), campaign["begin"], campaign["end"])
    number = _uids(parts, layer)
    owners = [_owners(part.state, places, layer, number) for part in parts]
    stretches = [_stretch(part, places, owner) for part, owner in zip(parts, owners, strict=True)]
    place, at = told_visits(connection, [one["uid"] for one in places], parts[-1].state, begin, end)
    tracked = _unknown()
    if evidence is not None:
        more = evidence.visits([one["uid"] for one in places], begin, end)
        place, at = np.concatenate([place, more[0]]), np.concatenate([at, more[1]])
        tracked = evidence.tracked(layer, list(number), begin, end)
    parameters = {"campaign": campaign["code"], "checkin_within_m": WITHIN_M, "tracks": evidence is not None}
    done = places_done(tuple(number), stretches, place, at, tracked, parameters)
    newest = latest(place, at, len(places), _instants([end])[0])
    return done, _listed(parts[-1].state.boundaries, places, owners[-1], newest, list(number))


def _owners(state: State, places: Sequence[Mapping[str, Any]], layer: str, number: Mapping[str, int]) -> Ints:
    """The number of the grid that has each place in a layer; -1: none."""
    units = state.boundaries.by_code
    position = {code: number[units[code].uid] for code in state.index.codes if units[code].uid in number}
    return owners_of(state.index, layer, *_lon_lat(places), position=position)


def _lon_lat(rows: Sequence[Mapping[str, Any]]) -> tuple[Floats, Floats]:
    return np.array([one["lon"] for one in rows], np.float64), np.array([one["lat"] for one in rows], np.float64)


def _stretch(part: _Part, places: Sequence[Mapping[str, Any]], owner: Ints) -> Stretch:
    """A part of the window; places that are not on the list in it are nobody's. In an empty window all are on it."""
    begin, end = _instants([part.begin, part.end])
    listed = [one["since"] < part.end and (one["until"] is None or one["until"] > part.begin) for one in places]
    return Stretch(begin, end, np.where(np.array(listed, dtype=bool) | (begin == end), owner, -1))


def told_visits(
    connection: Connection, places: Sequence[str], state: State, begin: datetime, end: datetime
) -> tuple[Ints, Times]:
    """(position in `places`, instant) of the visits to places (uids) that people told from `begin` until just before `end`.

    Visits that name the place, and check-ins of the kind visit: those count for the nearest of all must-visit places, not only of these.
    """
    position = {uid: i for i, uid in enumerate(places)}
    told = [
        (position[one["place"]], one["at"]) for one in read_visits(connection, begin, end) if one["place"] in position
    ]
    place, at = np.array([where for where, _ in told], np.int64), _instants([when for _, when in told])
    checkins = visit_checkins(connection, begin, end)
    every = places_about(connection, {"about": "all"}, begin, end) if checkins and len(state.index) else []
    if not every:
        return place, at
    bounds = _bounds(state)
    rows, held = ([one for one in of if _within(one, bounds)] for of in (checkins, every))
    member, when = np.array([one["member"] for one in rows], np.int32), _instants([one["at"] for one in rows])
    near = noted("checkin", member, when, *_lon_lat(rows), *_lon_lat(held), plane=plane_of(bounds), within_m=WITHIN_M)
    found = np.array([position.get(held[row]["uid"], -1) for row in near.place.tolist()], np.int64)
    return np.concatenate([place, found[found >= 0]]), np.concatenate([at, near.begin[found >= 0]])


def _bounds(state: State) -> Bounds:
    west, south, east, north = shapely.total_bounds(state.index.geometry).tolist()
    return west - _MARGIN, south - _MARGIN, east + _MARGIN, north + _MARGIN


def _within(one: Mapping[str, Any], bounds: Bounds) -> bool:
    return bool(bounds[0] <= one["lon"] <= bounds[2] and bounds[1] <= one["lat"] <= bounds[3])


def _instants(at: Sequence[datetime]) -> Times:
    return np.array([micros_of(one) for one in at], np.int64).view("datetime64[us]")


def _unknown() -> Shares:
    """Nobody's way is known."""
    nothing: Floats = np.empty(0)
    return Shares("tracked", "s", (), nothing, nothing)


def _listed(
    boundaries: Boundaries, places: Sequence[Mapping[str, Any]], owner: Ints, newest: Times, uids: Sequence[str]
) -> list[dict[str, Any]]:
    """The places by grid, with when each was last visited in the window; those of no grid stand last."""
    found: dict[int, list[dict[str, Any]]] = {}
    for one, whose, at in zip(places, owner.tolist(), newest.astype(object).tolist(), strict=True):
        visited = None if at is None else f"{at.isoformat()}Z"
        found.setdefault(whose, []).append(
            {name: one[name] for name in ("code", "kind", "name")} | {"visited_at": visited}
        )
    rows = [(boundaries.units[uids[whose]].code if whose >= 0 else None, held) for whose, held in found.items()]
    ordered = sorted(rows, key=lambda row: (row[0] is None, (row[0] or "").encode()))
    return [{"grid": code, "places": held} for code, held in ordered]


# -- ground -----------------------------------------------------------------------------------------------------------


def _ground(
    _: Connection, campaign: Mapping[str, Any], parts: Sequence[_Part], evidence: CampaignEvidence | None, layer: str
) -> tuple[Done | None, list[dict[str, Any]]]:
    """What was done of a campaign about an area, and the grids of the window's end that have ground in it."""
    begin, end = parts[0].begin, parts[-1].end
    done = None
    if evidence is not None:
        held = evidence.ground(layer, begin, end)
        tracked = evidence.tracked(layer, list(_uids(parts, layer)), begin, end)
        spans = [(owners, seen) for owners, seen, _ in held]
        done = ground_done(
            spans, campaign["area"], tracked, {"campaign": campaign["code"]}, keys=[uids for *_, uids in held]
        )
    return done, _shares_of_area(parts[-1].state.boundaries, campaign["area"], layer)


def _shares_of_area(boundaries: Boundaries, area: Any, layer: str) -> list[dict[str, Any]]:
    """Of each grid with ground in the area how much that is, and which share of the grid."""
    partition = _partition(boundaries, layer)
    if partition is None:
        return []
    inside, whole = ground_of(partition, area)
    rows = zip(partition.codes, inside.tolist(), whole.tolist(), strict=True)
    return [{"grid": code, "area_m2": round(m2, 2), "share": m2 / ground} for code, m2, ground in rows if m2 > 0]
