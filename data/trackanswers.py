"""Where a member was: the pieces of way that are known, stops on them, gaps between them, and visits to grids of the time."""

from __future__ import annotations

from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any, Final

import numpy as np

from data.evidence import instant64, utc
from gis.dayevidence import MARGIN_S
from gis.errors import ParameterInvalid
from gis.fixes import Limits, clean
from gis.gridvisits import GridVisits, Span, grid_visits
from gis.store.boundaries import Moment
from gis.store.engine import Connection
from gis.store.fixes import read_fixes
from gis.store.generations import list_generations
from gis.store.live import Live, State
from gis.store.members import find_member
from gis.tracks import Stops, Tracks, between, length_m, stops_of, tracks_of, walked

#: A longer time is asked in parts.
MOST_DAYS: Final = 31
_MARGIN: Final = timedelta(seconds=MARGIN_S)


def track_json(
    connection: Connection, live: Live, code: str, begin: datetime, end: datetime, layer: str
) -> dict[str, Any]:
    """What the fixes of [begin, end) say of a member, judged with those of an hour round it; grids by the boundaries of each moment.

    Lengths are of walks whose noise is averaged out. MemberUnknown; ParameterInvalid for a time that is none or too long.
    """
    if not begin < end or (end - begin).days > MOST_DAYS:
        raise ParameterInvalid(f"to lies after from, by {MOST_DAYS} days at most", place="to")
    member = find_member(connection, code)
    raw = read_fixes(connection, begin - _MARGIN, end + _MARGIN, [member["number"]])
    cleaned = clean(raw, Limits(), now=instant64(end + _MARGIN))
    whole = tracks_of(cleaned.fixes)
    stops = stops_of(whole)
    tracks = between(whole, instant64(begin), instant64(end))
    walks = between(walked(whole, stops), instant64(begin), instant64(end))
    spans, states = _spans(connection, live, begin, end)
    visits = grid_visits(tracks, spans, layer) if spans and any(layer in one.index.layers for one in states) else None
    return {
        "member": code, "from": begin, "to": end, "layer": layer,
        "fixes": _counts(raw.at, cleaned.reason, begin, end),
        "length_m": round(float(length_m(walks).sum()), 1),
        "tracked_s": _tracked_s(tracks),
        "pieces": _pieces(walks),
        "stops": _stops(stops, begin, end),
        "gaps": [{"begin": utc(a), "end": utc(b)} for a, b in zip(tracks.gaps().begin, tracks.gaps().end, strict=True)],
        "visits": [] if visits is None else _visits(visits, states),
    }  # fmt: skip


def _spans(connection: Connection, live: Live, begin: datetime, end: datetime) -> tuple[list[Span], list[State]]:
    """The window cut where boundaries take effect, each part with its index and the identities of its grids."""
    known_at = live.now(connection).known_at
    edges = {one.effective_at for one in list_generations(connection) if begin < one.effective_at < end}
    spans, states = [], []
    for first, last in pairwise(sorted({begin, end, *edges})):
        state = live.state(connection, Moment(first, known_at))
        if len(state.index):
            uids = tuple(state.boundaries.by_code[code].uid for code in state.index.codes)
            spans.append(Span(instant64(first), instant64(last), state.index, uids))
            states.append(state)
    return spans, states


def _counts(at: Any, reason: Any, begin: datetime, end: datetime) -> dict[str, int]:
    """How many fixes of the window are used, and how many are not, by reason."""
    from gis.fixes import REASONS

    inside = (at >= instant64(begin)) & (at < instant64(end))
    found = np.bincount(reason[inside], minlength=len(REASONS)).tolist()
    return {word: count for word, count in zip(REASONS, found, strict=True) if count or word == "kept"}


def _tracked_s(tracks: Tracks) -> float:
    legs = np.diff(tracks.fixes.micros)[tracks.joined[:-1]] if len(tracks) else np.zeros(0)
    return float(legs.sum()) / 1e6


def _pieces(walks: Tracks) -> list[dict[str, Any]]:
    """Each piece as a line with the time of every place; a piece of one place is a point."""
    metres = length_m(walks)
    found = []
    for k, (first, last) in enumerate(pairwise(walks.first.tolist())):
        places = np.column_stack([walks.fixes.lon[first:last], walks.fixes.lat[first:last]]).round(7).tolist()
        shape: dict[str, Any] = {"type": "LineString", "coordinates": places}
        if len(places) == 1:
            shape = {"type": "Point", "coordinates": places[0]}
        bridged = walks.bridged[first : last - 1]
        lengths = np.diff(walks.fixes.micros[first:last])
        found.append({
            "begin": utc(walks.fixes.at[first]), "end": utc(walks.fixes.at[last - 1]), "length_m": round(float(metres[k]), 1),
            "bridged_s": float(lengths[bridged].sum()) / 1e6, "times": [utc(at) for at in walks.fixes.at[first:last]],
            "geometry": shape,
        })  # fmt: skip
    return found


def _stops(stops: Stops, begin: datetime, end: datetime) -> list[dict[str, Any]]:
    """Stops that touch the window, as long as they were."""
    inside = np.flatnonzero((stops.begin < instant64(end)) & (stops.end >= instant64(begin)))
    return [
        {
            "begin": utc(stops.begin[i]), "end": utc(stops.end[i]), "seconds": float(stops.seconds[i]),
            "lon": round(float(stops.lon[i]), 7), "lat": round(float(stops.lat[i]), 7),
        }
        for i in inside.tolist()
    ]  # fmt: skip


def _visits(visits: GridVisits, states: list[State]) -> list[dict[str, Any]]:
    """Visits to grids in order, each by the last code that the grid had in the window; time in no grid has none."""
    units = {uid: unit for state in states for uid, unit in state.boundaries.units.items()}
    rows = []
    for i in range(len(visits)):
        unit = units[visits.keys[visits.grid[i]]] if visits.grid[i] >= 0 else None
        rows.append({
            "grid": unit.code if unit else None, "name": unit.name if unit else None, "begin": utc(visits.begin[i]),
            "end": utc(visits.end[i]), "dwell_s": float(visits.dwell_s[i]), "entered": bool(visits.entered[i]),
            "left": bool(visits.left[i]), "sure": bool(visits.sure[i]),
        })  # fmt: skip
    return rows
