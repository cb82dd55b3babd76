"""Check-ins (打卡) judged against the member's own grid by the boundary of their instant; visits; the on-post share of a member."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any, Final
from uuid import UUID

import numpy as np
import numpy.typing as npt
import shapely

from data.members import text_of, time_of
from data.report import CLOCK_SKEW, place_of
from gis.crs import CONVERTER, metres_per_degree, one_to_storage
from gis.errors import FieldMissing, ParameterInvalid, TimeInvalid
from gis.fixes import Limits, clean
from gis.onpost import HOLD_S, OnPost, micros_of, on_post, spans_of
from gis.partition import Boundaries
from gis.store.boundaries import Moment
from gis.store.duty import spans
from gis.store.engine import Connection
from gis.store.fixes import read_fixes
from gis.store.generations import list_generations
from gis.store.live import Live, State
from gis.store.members import Belonging, belongings, find_member
from gis.store.visits import NewCheckin, checkins, find_place, keep_checkin, keep_visit, read_checkin

KINDS: Final = ("in", "out", "visit")
OUTCOMES: Final = ("nothing", "found")
#: As of fixes: what is told of before is a clock that was never set.
OLDEST: Final = datetime(2000, 1, 1, tzinfo=UTC)
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Standing:
    """Where a place lies against a grid: `distance_m` to its border, positive inside; `edge` when that is less than the accuracy."""

    standing: str
    distance_m: float
    grid: str


def standing_of(lon: float, lat: float, accuracy_m: float | None, shape: Any, grid: str) -> Standing:
    """inside, edge or outside. Without an accuracy only a place on the very border is `edge`."""
    return standing_at(float(signed_distance_m(np.array([lon]), np.array([lat]), shape)[0]), accuracy_m, grid)


def standing_at(distance_m: float, accuracy_m: float | None, grid: str) -> Standing:
    """The same, where the distance is known."""
    on_edge = abs(distance_m) <= (accuracy_m or 0.0)
    return Standing("edge" if on_edge else "inside" if distance_m > 0 else "outside", distance_m, grid)


def signed_distance_m(lon: Floats, lat: Floats, shape: Any) -> Floats:
    """Metres from each place to the border of a shape, negative outside; on a plane about the shape, good to 1e-3 within 10 km."""
    scale = np.array([float(one[0]) for one in metres_per_degree([shape.centroid.y])])
    flat = shapely.transform(shape, lambda xy: xy * scale)
    points = shapely.points(np.column_stack([lon, lat]) * scale)
    metres = shapely.distance(points, shapely.boundary(flat))
    inside = shapely.intersects_xy(shape, lon, lat)
    signed: Floats = np.where(inside, metres, -metres)
    return signed


def take_checkin(connection: Connection, live: Live, row: dict[str, Any], now: datetime) -> tuple[UUID, str]:
    """A check-in is stored with its standing: its id, and `stored` or `repeated`. InputError leaves, MemberUnknown, KeyReused."""
    member = find_member(connection, text_of(row, "member", 64, needed=True))
    told = checkin_of(row, member["uid"], now)
    state = live.state(connection, Moment(told.at, now))
    best = _best(connection, state.boundaries, member["uid"], told.at, (told.lon, told.lat, told.accuracy_m))
    return keep_checkin(connection, judged(told, best, _found(state, told.lon, told.lat), state.boundaries.generation))


def checkin_of(row: dict[str, Any], member: UUID, now: datetime) -> NewCheckin:
    """The check-in that a row tells, not yet judged; raises InputError leaves with the field at fault."""
    at = _past(row, now)
    kind = text_of(row, "kind", 16) or "in"
    if kind not in KINDS:
        raise ParameterInvalid(f"kind is one of {', '.join(KINDS)}", place="kind")
    x, y, datum, accuracy_m = place_of(row)
    lon, lat = one_to_storage(x, y, datum)
    note = text_of(row, "note", 2000)
    return NewCheckin(
        member, at, kind, x, y, datum.name, CONVERTER, lon, lat, accuracy_m, note, None, None, None, None, 0
    )


def judged(told: NewCheckin, best: Standing | None, found: str | None, generation: int) -> NewCheckin:
    """The check-in with its standing (None: the member works no grid then) and the grid in which it lies."""
    if best is None:
        return replace(told, found=found, generation=generation)
    return replace(
        told, standing=best.standing, distance_m=best.distance_m, grid=best.grid, found=found, generation=generation
    )


def checkin_json(connection: Connection, live: Live, uid: UUID, now: datetime) -> dict[str, Any]:
    """A stored check-in, its grids by the codes of its instant."""
    stored = read_checkin(connection, uid)
    units = live.state(connection, Moment(stored["at"], now)).boundaries.units
    codes = {name: units[stored[name]].code if stored[name] in units else None for name in ("grid", "found")}
    return stored | codes


def _past(row: dict[str, Any], now: datetime) -> datetime:
    at = time_of(row, "at")
    if at is None:
        return now
    if at > now + CLOCK_SKEW:
        raise TimeInvalid(f"at lies in the future: {at.isoformat()}", place="at")
    if at < OLDEST:
        raise TimeInvalid(f"at lies before {OLDEST.year}: a clock that was never set: {at.isoformat()}", place="at")
    return at


def _best(
    connection: Connection, boundaries: Boundaries, member: UUID, at: datetime, place: tuple[float, float, float | None]
) -> Standing | None:
    """The standing against the own grid that the place lies deepest in, or nearest to; None when the member works none then."""
    own = belongings(connection, member, at, at + timedelta(microseconds=1))
    shapes = {one.grid: shape_of(boundaries, one.grid) for one in own}
    found = [standing_of(*place, shape, grid) for grid, shape in shapes.items() if shape is not None]
    return max(found, key=lambda one: (one.distance_m, one.grid), default=None)


def shape_of(boundaries: Boundaries, uid: str) -> Any:
    """The shape of a grid in these boundaries; None when it is not in force."""
    unit = boundaries.units.get(uid)
    partition = None if unit is None else boundaries.partition(unit.layer, unit.level)
    return None if unit is None or partition is None else partition.geometry[partition.position[unit.code]]


def _found(state: State, lon: float, lat: float) -> str | None:
    """The uid of the grid in which a place lies; None when nobody covers it."""
    (code,) = state.index.locate(np.array([lon]), np.array([lat]), distance=False).grids()
    return None if code is None else state.boundaries.by_code[code].uid


def take_visit(connection: Connection, row: dict[str, Any], now: datetime) -> tuple[UUID, str]:
    """A visit to a must-visit place, by a member or by a report from there, is stored: its id, and `stored` or `repeated`."""
    place = find_place(connection, text_of(row, "place", 64, needed=True))
    code, event = text_of(row, "member", 64), text_of(row, "event", 64)
    if not code and not event:
        raise FieldMissing("a visit needs its member, or the event that was reported from there", place="member")
    outcome = text_of(row, "outcome", 16) or "nothing"
    if outcome not in OUTCOMES:
        raise ParameterInvalid(f"outcome is one of {', '.join(OUTCOMES)}", place="outcome")
    member = find_member(connection, code)["uid"] if code else None
    return keep_visit(connection, place, member, _uuid(event), _past(row, now), outcome, text_of(row, "note", 2000))


def _uuid(text: str) -> UUID | None:
    try:
        return UUID(text) if text else None
    except ValueError:
        raise ParameterInvalid("event is the id of an event", place="event") from None


# -- on post ----------------------------------------------------------------------------------------------------------


def on_post_of(
    connection: Connection, live: Live, code: str, begin: datetime, end: datetime, now: datetime, hold_s: float = HOLD_S
) -> dict[str, Any]:
    """The on-post share of a member from `begin` until just before `end`, in all and per shift.

    Evidence are fixes (cleaned) and check-ins; each is judged by the boundary in force at its own time and the grids that the
    member worked then; on the edge counts as on post. Without a grid nothing can be judged: those readings count for nothing.
    """
    member = find_member(connection, code)
    at, here = _evidence(connection, live, member, begin, end, now)
    window = spans_of([(begin, end)])
    leave = spans_of([(one["begin"], one["end"]) for one in spans(connection, "leave", member["uid"], begin, end)])
    shifts = [
        {"begin": max(one["begin"], begin), "end": min(one["end"], end)}
        for one in spans(connection, "shift", member["uid"], begin, end)
    ]
    whole = spans_of([(one["begin"], one["end"]) for one in shifts])
    for one in shifts:
        one |= on_post(spans_of([(one["begin"], one["end"])]), leave, at, here, hold_s).as_json()
    total: OnPost = on_post(whole, leave, at, here, hold_s)
    return {
        "member": code,
        "from": begin,
        "to": end,
        "hold_s": hold_s,
        "readings": int(np.count_nonzero((at >= window[0, 0]) & (at < window[0, 1]))),
        **total.as_json(),
        "shifts": shifts,
    }


def _evidence(
    connection: Connection, live: Live, member: dict[str, Any], begin: datetime, end: datetime, now: datetime
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.bool_]]:
    """When the member was seen, and whether in a grid of theirs."""
    raw = read_fixes(connection, begin, end, [member["number"]])
    fixes = clean(raw, Limits(), now=np.datetime64(now.replace(tzinfo=None), "us")).fixes
    at, here = fixes.micros, np.zeros(len(fixes), dtype=bool)
    judged = np.zeros(len(fixes), dtype=bool)
    slack = np.nan_to_num(fixes.accuracy_m.astype(np.float64), nan=0.0)
    for first, last, held in _pieces(connection, live, member["uid"], begin, end, now):
        rows = np.flatnonzero((at >= micros_of(first)) & (at < micros_of(last)))
        for shape in held:
            here[rows] |= signed_distance_m(fixes.lon[rows], fixes.lat[rows], shape) >= -slack[rows]
        judged[rows] |= bool(held)
    told = [one for one in checkins(connection, member["uid"], begin, end) if one["standing"] is not None]
    their = np.array([micros_of(one["at"]) for one in told], dtype=np.int64)
    inside = np.array([one["standing"] != "outside" for one in told], dtype=bool)
    return np.concatenate([at[judged], their]), np.concatenate([here[judged], inside])


def _pieces(
    connection: Connection, live: Live, member: UUID, begin: datetime, end: datetime, now: datetime
) -> Sequence[tuple[datetime, datetime, list[Any]]]:
    """The time cut where the member's grids or the boundaries change, with the shapes of the grids in each piece."""
    own: Sequence[Belonging] = belongings(connection, member, begin, end)
    edges = {begin, end, *(one.effective_at for one in list_generations(connection) if begin < one.effective_at < end)}
    edges |= {edge for one in own for edge in (one.begin, one.end) if edge is not None and begin < edge < end}
    cut = sorted(edges)
    pieces = []
    for first, last in pairwise(cut):
        working = [one.grid for one in own if one.begin <= first and (one.end is None or one.end > first)]
        boundaries = live.state(connection, Moment(first, now)).boundaries if working else None
        shapes = [shape_of(boundaries, grid) for grid in working] if boundaries is not None else []
        pieces.append((first, last, [shape for shape in shapes if shape is not None]))
    return pieces
