"""Intake: checked reports in, stored events with their assignment and receipt out; the same path for one and for many."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

from data.addressing import readings_of
from data.decide import Decision, Policy, Question
from data.decidemany import decide_many
from data.inforce import in_force
from data.report import Report
from gis.assignment import Assignment
from gis.crs import CONVERTER
from gis.errors import GridError, KeyReused
from gis.locate import KERNEL
from gis.store import events, keys
from gis.store.boundaries import Moment
from gis.store.engine import Connection
from gis.store.ids import uuids7
from gis.store.live import Live, State


@dataclass(frozen=True)
class Submission:
    """A report; its Idempotency-Key, if the caller gave one; the file and row it came from, if any; who brings it."""

    report: Report
    idempotency_key: str | None = None
    origin: dict[str, Any] | None = None
    actor: str | None = None

    @property
    def keys(self) -> tuple[str, ...]:
        """The names under which the same report may come again within its channel."""
        own = f"id:{self.report.external_id}" if self.report.external_id else None
        sent = f"key:{self.idempotency_key}" if self.idempotency_key else None
        return tuple(key for key in (sent, own) if key)


@dataclass(frozen=True)
class Outcome:
    """What became of one report: stored now, known already (`repeated`), or refused."""

    event: UUID | None
    assignment: Assignment | None = None
    repeated: bool = False
    error: GridError | None = None
    stored: events.NewEvent | None = None


def accept(
    connection: Connection,
    live: Live,
    submissions: Sequence[Submission],
    *,
    actor: str,
    policy: Policy | None = None,
    rehearse: bool = False,
    turn: AbstractContextManager[None] | None = None,
) -> list[Outcome]:
    """Every submission is stored once, with its receipt, when the caller's transaction commits; one Outcome each, in order.

    The boundary in force at `received_at` decides: no generation can be published between that instant and the commit.
    A key that is known answers with its event (same body) or KeyReused (another body). With `rehearse` nothing is stored
    or locked, and the outcomes are those that storing would have had. Keys are claimed within `turn`, if there is one.
    """
    if (
        not connection.in_transaction()
    ):  # what goes past SQLAlchemy's own calls begins none, and its commit would do nothing
        connection.begin()
    admission = events.admit(connection, hold=not rehearse)
    moment = Moment(admission.received_at, admission.received_at)
    state = live.state(connection, moment, newest=admission.newest)
    by = in_force(connection, live, state, policy or Policy(), admission.policy)
    asked = with_readings(
        connection, live, [Question.of_report(one.report, admission.received_at) for one in submissions]
    )
    decisions = decide_many(state, asked, by)
    ids = uuids7(admission.received_at, len(submissions))
    fresh = [
        new_event(uid, submission, decision, state, admission, submission.actor or actor)
        for uid, submission, decision in zip(ids, submissions, decisions, strict=True)
    ]
    if rehearse:
        claims = keys.rehearse_keys(connection, fresh)
    else:
        with turn or nullcontext():
            claims = keys.claim_keys(connection, fresh)
        new = [event for i, event in enumerate(fresh) if i not in claims]
        if new:
            events.ensure_month(connection, admission)
            events.store_events(connection, new)
    return [_outcome(event, decisions[i].assignment, claims.get(i)) for i, event in enumerate(fresh)]


def with_readings(connection: Connection, live: Live, asked: Sequence[Question]) -> list[Question]:
    """The questions; those with an address and no position know what the gazetteer makes of it."""
    if all(one.place.x is not None for one in asked):
        return list(asked)
    gazetteer = live.gazetteer.now(connection)
    read = (readings_of(gazetteer, one.place.address) if one.place.x is None else None for one in asked)
    return [replace(one, readings=found) for one, found in zip(asked, read, strict=True)]


def new_event(
    uid: UUID, submission: Submission, decision: Decision, state: State, admission: events.Admission, actor: str
) -> events.NewEvent:
    """The event that a decided submission becomes."""
    report, assignment = submission.report, decision.assignment
    reported_at = report.reported_at or admission.received_at
    winner = state.boundaries.by_code[assignment.grid].uid if assignment.grid is not None else None
    return events.NewEvent(
        id=uid,
        received_at=admission.received_at,
        reported_at=reported_at,
        occurred_at=report.occurred_at or reported_at,
        channel=report.channel,
        external_id=report.external_id,
        category=report.category,
        category_scheme=report.category_scheme,
        text=report.text,
        address=report.address,
        reporter=report.reporter,
        accuracy_m=report.accuracy_m,
        raw=report.raw | ({"source": submission.origin} if submission.origin else {}),
        crs=report.datum.name,
        converter=CONVERTER,
        lon=report.lon,
        lat=report.lat,
        status=report.status,
        closed_at=report.closed_at,
        grid=winner,
        method=assignment.method,
        reason=assignment.reason,
        generation=assignment.generation,
        actor=actor,
        answer=assignment.as_json(),
        grounds=decision.grounds,
        kernel=KERNEL,
        body_hash=report.body_hash,
        keys=submission.keys,
    )


def _outcome(event: events.NewEvent, assignment: Assignment, claim: keys.Claim | None) -> Outcome:
    if claim is None:
        return Outcome(event.id, assignment, stored=event)
    if claim.same_body:
        return Outcome(claim.event, repeated=True)
    return Outcome(None, error=refusal(event.channel, claim))


def refusal(channel: str, claim: keys.Claim) -> KeyReused:
    """Why a report is not stored whose key an event with another body holds."""
    return KeyReused(
        f"channel {channel} has stored another report under its Idempotency-Key or its external_id",
        place="external_id",
        event=str(claim.event),
    )
