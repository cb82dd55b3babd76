"""Check-ins by the thousand, judged by the rules of `data.checkins`: each grid measured once, all of them stored together."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import numpy as np

from data.checkins import Standing, checkin_of, judged, shape_of, signed_distance_m, standing_at
from data.members import text_of
from gis.store.boundaries import Moment, newest_generation
from gis.store.engine import Connection
from gis.store.live import Live, State
from gis.store.members import all_belongings, find_member, member_uids
from gis.store.visits import NewCheckin, keep_checkins


def take_checkins(
    connection: Connection, live: Live, rows: Sequence[dict[str, Any]], now: datetime
) -> list[tuple[UUID, str]]:
    """The check-ins are stored as `take_checkin` would one after the other: of each its id and what became of it, in order.

    The first row that is refused is raised, as there; nothing is stored then that the caller commits.
    """
    uids = member_uids(connection)
    told = []
    for row in rows:
        code = text_of(row, "member", 64, needed=True)
        told.append(checkin_of(row, uids.get(code) or find_member(connection, code)["uid"], now))
    newest = newest_generation(connection)
    states = [live.state(connection, Moment(one.at, now), newest=newest) for one in told]
    standing = _standings(connection, told, states)
    found = _found(told, states)
    ready = [judged(one, standing.get(i), found[i], states[i].boundaries.generation) for i, one in enumerate(told)]
    return keep_checkins(connection, ready)


def _standings(connection: Connection, told: Sequence[NewCheckin], states: Sequence[State]) -> dict[int, Standing]:
    """Of each check-in the standing against the own grid that it lies deepest in, or nearest to."""
    own = all_belongings(connection, sorted({one.member for one in told}))
    asked: dict[tuple[int, str], list[int]] = {}
    for i, one in enumerate(told):
        for held in own[one.member]:
            if held.begin <= one.at and (held.end is None or held.end > one.at):
                asked.setdefault((id(states[i]), held.grid), []).append(i)
    best: dict[int, Standing] = {}
    for (_, grid), rows in asked.items():
        shape = shape_of(states[rows[0]].boundaries, grid)
        if shape is None:
            continue
        distance = signed_distance_m(*_places(told, rows), shape)
        for i, metres in zip(rows, distance.tolist(), strict=True):
            here = standing_at(metres, told[i].accuracy_m, grid)
            if i not in best or (metres, grid) > (best[i].distance_m, best[i].grid):
                best[i] = here
    return best


def _found(told: Sequence[NewCheckin], states: Sequence[State]) -> list[str | None]:
    """Of each check-in the uid of the grid in which it lies."""
    found: list[str | None] = [None] * len(told)
    by_state: dict[int, list[int]] = {}
    for i, state in enumerate(states):
        by_state.setdefault(id(state), []).append(i)
    for rows in by_state.values():
        state = states[rows[0]]
        codes = state.index.locate(*_places(told, rows), distance=False).grids()
        for i, code in zip(rows, codes, strict=True):
            found[i] = None if code is None else state.boundaries.by_code[code].uid
    return found


def _places(told: Sequence[NewCheckin], rows: Sequence[int]) -> tuple[Any, Any]:
    return np.array([told[i].lon for i in rows]), np.array([told[i].lat for i in rows])
