"""Settle: a pin is moved, an officer says whose it is, an event is closed; each is held, decided, receipted and audited."""

from __future__ import annotations

from dataclasses import asdict, replace
from datetime import datetime
from typing import Any
from uuid import UUID

from data.decide import Decision, Place, Policy, Question, decide
from data.inforce import in_force
from data.intake import with_readings
from data.reassign import renew
from gis.assignment import Assignment
from gis.crs import CONVERTER
from gis.errors import FieldMissing, ParameterInvalid, StateConflict
from gis.locate import KERNEL
from gis.store import audit, owing, settling
from gis.store.boundaries import Moment, find_grid
from gis.store.engine import Connection
from gis.store.live import Live, State
from gis.store.settling import HeldEvent, NewReceipt

LONGEST_REASON = 2_000


def reason_of(value: Any) -> str:
    """An officer's reason: some words, not too many; FieldMissing without one."""
    if not isinstance(value, str) or not value.strip():
        raise FieldMissing("this needs a reason in words", place="reason")
    if len(value) > LONGEST_REASON or "\x00" in value:
        raise ParameterInvalid(f"the reason has at most {LONGEST_REASON} characters", place="reason")
    return value.strip()


def move(
    connection: Connection, live: Live, event: UUID, place: Place, policy: Policy, *, actor: str, role: str
) -> Assignment:
    """The event lies where `place` says and is decided anew, by the boundaries in force when it was received, as known now.

    An open event that was received before the last reassignment is decided by that one's boundaries, as all open events are.
    A place with an address alone is looked up in the gazetteer as it is now; the event then has no position any more.
    A grid that an officer named stays: the pin moves, the word holds.
    """
    held = settling.hold(connection, event)
    now = live.now(connection)
    moment = Moment(_decided_at(connection, held), now.known_at)
    state = live.state(connection, moment)
    (moved,) = with_readings(connection, live, [_moved(Question.of(held.grounds), place)])
    decision = decide(state, moved, in_force(connection, live, state, policy))
    assignment, uid = decision.assignment, _uid(state, decision.assignment.grid)
    if held.method == "override":
        assignment, uid = _kept(assignment, held), held.grid
    settling.set_place(connection, held, place.crs, place.accuracy_m, place.address)
    _receipt(connection, held, "moved", moment, now, assignment, uid, decision, actor)
    detail = {"place": asdict(place), "grid": assignment.grid}
    audit.record(connection, actor, role, "move", f"event/{event}", detail)
    return assignment


def _moved(asked: Question, place: Place) -> Question:
    """The question anew for another place; what was read out of the address, or known before, goes with what it was read from."""
    if place.address is not None:
        return replace(asked, place=place, readings=None, prior=None)
    return replace(asked, place=replace(place, address=asked.place.address), prior=None)


def _decided_at(connection: Connection, held: HeldEvent) -> datetime:
    """The instant whose boundaries an event is held to."""
    last = owing.last_paid(connection) if held.status == "open" else None
    return held.received_at if last is None else max(held.received_at, last.due_at)


def _kept(found: Assignment, held: HeldEvent) -> Assignment:
    """What the place says now, under the officer's grid."""
    answer = held.answer
    return replace(found, grid=answer["grid"], method="override", reason=answer["reason"], path=answer["path"])


def override(
    connection: Connection,
    live: Live,
    event: UUID,
    grid: str,
    reason: str,
    *,
    actor: str,
    role: str,
    cause: str = "override",
) -> Assignment:
    """The event belongs to the grid that an officer names, whatever its place says; raises GridUnknown, CodeVoided."""
    held = settling.hold(connection, event)
    now = live.now(connection)
    state = live.state(connection, now)
    row = find_grid(connection, now, grid)
    policy = Policy.of(held.grounds, lambda number: live.policy(connection, number))
    decision = decide(state, Question.of(held.grounds), policy)
    path = state.boundaries.path(row["code"])
    assignment = replace(decision.assignment, grid=row["code"], method="override", reason=reason, path=path)
    if cause == "resolved" and held.grid is not None:
        raise StateConflict(f"event {event} has a grid already; use override to change it", place=str(event))
    _receipt(connection, held, cause, now, now, assignment, row["uid"], decision, actor)
    audit.record(connection, actor, role, cause, f"event/{event}", {"grid": row["code"], "reason": reason})
    return assignment


def _uid(state: State, code: str | None) -> str | None:
    return None if code is None else state.boundaries.by_code[code].uid


def _receipt(
    connection: Connection,
    held: HeldEvent,
    cause: str,
    moment: Moment,
    now: Moment,
    assignment: Assignment,
    uid: str | None,
    decision: Decision,
    actor: str,
) -> None:
    lon, lat = decision.lon_lat or (None, None)
    receipt = NewReceipt(
        cause=cause,
        at=moment.at,
        known_at=moment.known_at,
        made_at=now.at,
        generation=assignment.generation,
        kernel=KERNEL,
        converter=CONVERTER,
        grid=uid,
        method=assignment.method,
        reason=assignment.reason,
        lon=lon,
        lat=lat,
        answer=assignment.as_json(),
        grounds=decision.grounds,
        actor=actor,
    )
    settling.add_receipt(connection, held, receipt)


def set_status(
    connection: Connection,
    event: UUID,
    status: str,
    reason: str,
    now: datetime,
    *,
    actor: str,
    role: str,
) -> None:
    """The event is open or closed afterwards; StateConflict when it is so already.

    One that is opened again has the grid that the boundaries say by now, with a receipt when it is another.
    """
    if status not in {"open", "closed"}:
        raise ParameterInvalid("status is open or closed", place="status")
    held = settling.hold(connection, event)
    if held.status == status:
        raise StateConflict(f"the event is {status} already", place="status")
    settling.set_status(connection, held, status, now if status == "closed" else None, reason)
    if status == "open":
        renew(connection, held.id, held.received_at)
    audit.record(connection, actor, role, f"status {status}", f"event/{event}", {"reason": reason})
