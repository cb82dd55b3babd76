"""Reassign: once a generation is in effect, open events of changed areas get the grid that the boundaries now say.

    publish -> a row that says what is owed -> `reassign_due`, at once or when its second comes -> receipts, cause `published`

Every generation owes one reassignment, from the later of its two instants on; they are done in that order, each at that
instant, by the boundaries known then. So it does not matter who does it, when, or how often. Closed events stay as they are.

Rules: `move` the grid by the event's place; `stay` its present grid as long as there is one. An officer's word holds as long
as the grid it names; a single heir takes it over.
"""

from __future__ import annotations

import logging
import threading
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import numpy as np
import numpy.typing as npt

from data.decide import Decision, Policy, Question
from data.decidemany import decide_many
from data.inforce import in_force
from gis.assignment import Assignment
from gis.crs import CONVERTER
from gis.engine import Indices
from gis.errors import GridError, ParameterInvalid, StateConflict
from gis.locate import KERNEL
from gis.store import owing
from gis.store.boundaries import Moment
from gis.store.engine import Connection, Engine
from gis.store.errors import translating
from gis.store.generations import clock
from gis.store.live import Live, State
from gis.store.owing import Latest, OpenEvents, Owed, Receipts

log = logging.getLogger("gridbeat.reassign")

RULES = ("move", "stay", "follow_member")
#: Events that are decided and written together.
CHUNK = 5_000
#: Places so many metres around changed ground are looked at: the nearest grid of a place that nobody has may be another.
PAD_M = 50.0
POLL_S = 1.0


@dataclass(frozen=True)
class Reassigned:
    """What a reassignment did: open events that were looked at, those that have another grid now, and from whom to whom (uids)."""

    generation: int
    rule: str
    looked_at: int
    moved: int
    flows: dict[tuple[str | None, str | None], int] = field(default_factory=dict)


def refuse_rule(rule: str) -> None:
    """Returns if open events can be reassigned by this rule; ParameterInvalid or StateConflict otherwise."""
    if rule not in RULES:
        raise ParameterInvalid(f"the rule for open events is one of {', '.join(RULES)}", place="rule")
    if rule == "follow_member":
        raise StateConflict("no members are kept yet whom events could follow: choose move or stay", place="rule")


def reassign_due(
    connection: Connection, policy: Policy | None = None, prepared: State | None = None
) -> list[Reassigned]:
    """Everything owed and due is done when the caller commits, the earliest first; an empty list when nothing was.

    `prepared` is the state that a generation published for now in this transaction brings, when the caller has it at hand.

    Runs in the caller's transaction, which may be the one that publishes. Events are decided by the policies that their receipts
    name; of `policy` only how far the nearest grid may be is asked.
    """
    if not owing.due(connection):
        return []
    owing.settle_alone(connection)
    live = Live()  # its own: what this transaction sees nobody else may see before it commits
    held = [owing.take(connection, owed.generation) for owed in owing.due(connection)]
    return [_reassign(connection, live, one, policy or Policy(), prepared) for one in held if one is not None]


def _reassign(connection: Connection, live: Live, owed: Owed, policy: Policy, prepared: State | None) -> Reassigned:
    touched = owing.touched_by(connection, owed)
    found = owing.open_events(connection, owed.due_at, touched, max(policy.tolerance_m, PAD_M))
    flows: Counter[tuple[str | None, str | None]] = Counter()
    if len(found):
        known = prepared is not None and prepared.boundaries.generation == owed.generation
        state = prepared if prepared and known else live.state(connection, Moment(owed.due_at, owed.due_at))
        task = _Task(connection, live, state, owed, touched.recoded)
        rows = task.doubtful(found).tolist()
        for begin in range(0, len(rows), CHUNK):
            part = rows[begin : begin + CHUNK]
            task.settle([found.id[i] for i in part], [found.received_at[i] for i in part])
        flows = task.flows
    owing.paid(connection, owed.generation, flows.total())
    return Reassigned(owed.generation, owed.rule, len(found), flows.total(), dict(flows))


def renew(connection: Connection, event: UUID, received_at: datetime) -> None:
    """An event that is open again has the grid that it would have if it had been open all the time; the caller holds it."""
    last = owing.last_paid(connection)
    if last is None or received_at >= last.due_at:
        return
    live = Live()
    state = live.state(connection, Moment(last.due_at, last.due_at))
    _Task(connection, live, state, last).settle([event], [received_at])


class _Task:
    """One generation's reassignment in the state that it brought."""

    def __init__(
        self, connection: Connection, live: Live, state: State, owed: Owed, recoded: frozenset[str] = frozenset()
    ) -> None:
        self.connection, self.live, self.state, self.owed = connection, live, state, owed
        self.made_at = clock(connection)
        self.recoded = recoded
        self.heirs = owing.heirs(connection, owed.generation)
        self.flows: Counter[tuple[str | None, str | None]] = Counter()
        self.policies: dict[tuple[float, float, int], Policy] = {}

    def doubtful(self, found: OpenEvents) -> npt.NDArray[np.int64]:
        """The events that have to be decided anew; for the others the arrays say that nothing changes."""
        uids = _uids(self.state)
        alive = _among(found.grid, frozenset(uids[:-1]))
        if self.owed.rule == "stay":
            return np.flatnonzero(~alive)
        by_word = np.array([method == "override" for method in found.method], dtype=bool)
        plain = np.isfinite(found.lon) & np.isnan(found.accuracy_m) & ~by_word
        located = self.state.index.locate(found.lon, found.lat, distance=False)
        same = (located.winner >= 0) & (uids[located.winner] == np.array(found.grid, dtype=object))
        layered = np.sum([one >= 0 for one in located.by_layer.values()], axis=0) > 1
        settled = plain & same & ~layered
        # Where layers lie over each other, who stands in may be another: many such places are compared with the state before.
        rest = np.flatnonzero(plain & same & layered)
        if len(rest) > CHUNK:
            settled[rest] = self._as_before({name: one[rest] for name, one in located.by_layer.items()}, found, rest)
        return np.flatnonzero(_among(found.grid, self.recoded) | ~(settled | by_word & alive))

    def _as_before(
        self, now: dict[str, Indices], found: OpenEvents, rows: npt.NDArray[np.int64]
    ) -> npt.NDArray[np.bool_]:
        """Whether each of these places has the grids of every layer that it had just before."""
        instant = self.owed.due_at - timedelta(microseconds=1)
        earlier = self.live.state(self.connection, Moment(instant, instant))
        before = earlier.index.locate(found.lon[rows], found.lat[rows], distance=False).by_layer
        if before.keys() != now.keys():
            return np.zeros(len(rows), dtype=bool)
        then, here = _uids(earlier), _uids(self.state)
        same: npt.NDArray[np.bool_] = np.all([then[before[layer]] == here[now[layer]] for layer in now], axis=0)
        return same

    def settle(self, ids: Sequence[UUID], received_at: Sequence[datetime]) -> None:
        """These events have the grid of the new boundaries; `flows` counts those that had another one."""
        latest = owing.latest_receipts(self.connection, ids, received_at)
        answers = list(self._answers(latest))
        new = [(one, *answer) for one, answer in zip(latest, answers, strict=True) if self._is_news(one, *answer)]
        owing.add_receipts(self.connection, self._receipts(new))
        self.flows.update((one.grid, uid) for one, _, _, uid in new if uid != one.grid)

    def _answers(self, latest: list[Latest]) -> Iterator[tuple[Decision, Assignment, str | None]]:
        decided: dict[int, Decision] = {}
        by_policy: dict[tuple[float, float, int], list[int]] = {}
        for i, one in enumerate(latest):
            kept = one.grounds["policy"]
            by_policy.setdefault((kept["tolerance_m"], kept["candidates_within_m"], kept["number"]), []).append(i)
        for key, rows in by_policy.items():
            questions = [replace(Question.of(latest[i].grounds), prior=None) for i in rows]
            decided |= dict(zip(rows, decide_many(self.state, questions, self._policy(key)), strict=True))
        for i, one in enumerate(latest):
            yield self._answer(one, decided[i])

    def _policy(self, key: tuple[float, float, int]) -> Policy:
        """The policy that the earlier receipt names: only the boundaries are new."""
        if key not in self.policies:
            given = Policy(key[0], key[1])
            self.policies[key] = in_force(self.connection, self.live, self.state, given, key[2])
        return self.policies[key]

    def _answer(self, one: Latest, decision: Decision) -> tuple[Decision, Assignment, str | None]:
        """What the boundaries say, or the officer's word or the rule over it; and the uid of the grid."""
        boundaries, kept = self.state.boundaries, one.grid
        if one.method == "override" and kept not in boundaries.units:
            heirs = [uid for uid in self.heirs.get(kept or "", []) if uid in boundaries.units]
            kept = heirs[0] if len(heirs) == 1 else None
        if one.method == "override" and kept in boundaries.units:
            unit = boundaries.units[kept]
            word: dict[str, Any] = {
                "method": "override",
                "reason": one.answer["reason"],
                "path": boundaries.path(unit.code),
            }
            return decision, replace(decision.assignment, grid=unit.code, **word), unit.uid
        assignment = decision.assignment
        uid = None if assignment.grid is None else boundaries.by_code[assignment.grid].uid
        return decision, assignment, uid

    def _is_news(self, one: Latest, _: Decision, assignment: Assignment, uid: str | None) -> bool:
        """Whether the event has another grid, code, backup or set of owners than its newest receipt says."""
        answer = one.answer
        told = (answer["grid"], answer.get("backup"), answer.get("owners", []))
        return uid != one.grid or told != (assignment.grid, assignment.backup, list(assignment.owners))

    def _receipts(self, new: list[tuple[Latest, Decision, Assignment, str | None]]) -> Receipts:
        places = [decision.lon_lat or (None, None) for _, decision, _, _ in new]
        return Receipts(
            at=self.owed.due_at,
            known_at=self.owed.due_at,
            made_at=self.made_at,
            generation=self.state.boundaries.generation,
            kernel=KERNEL,
            converter=CONVERTER,
            actor=self.owed.actor,
            event=[one.id for one, *_ in new],
            received_at=[one.received_at for one, *_ in new],
            grid=[uid for *_, uid in new],
            method=[assignment.method for _, _, assignment, _ in new],
            reason=[assignment.reason for _, _, assignment, _ in new],
            lon=[lon for lon, _ in places],
            lat=[lat for _, lat in places],
            answer=[assignment.as_json() for _, _, assignment, _ in new],
            grounds=[decision.grounds for _, decision, _, _ in new],
        )


def _uids(state: State) -> npt.NDArray[np.object_]:
    """The uids of the index's grids; the last, which -1 finds, is nobody."""
    units = state.boundaries.by_code
    return np.array([*(units[code].uid for code in state.index.codes), None], dtype=object)


def _among(uids: list[str | None], some: frozenset[str]) -> npt.NDArray[np.bool_]:
    return np.fromiter((uid in some for uid in uids), dtype=bool, count=len(uids))


def catch_up(engine: Engine, policy: Policy | None = None) -> list[Reassigned]:
    """Whatever was owed and due is done and committed; quick when nothing was. Safe from many processes at once."""
    with translating(), engine.begin() as connection:
        return reassign_due(connection, policy)


class BackgroundReassigner:
    """Reassigns when a generation's second comes, in a thread of its own, from `start` to `stop`."""

    def __init__(self, engine: Engine, policy: Policy | None = None) -> None:
        self._engine, self._policy = engine, policy
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="reassign", daemon=True)

    def start(self) -> None:
        """What is owed is done from now on, what was missed first."""
        self._thread.start()

    def stop(self) -> None:
        """The thread has ended afterwards, or was left to end by itself after a few seconds."""
        self._stop.set()
        if self._thread.ident is not None:
            self._thread.join(timeout=5.0)

    def _run(self) -> None:
        while not self._stop.is_set():
            self._stop.wait(self._step())

    def _step(self) -> float:
        """What is due is done; how many seconds to wait."""
        try:
            with translating(), self._engine.connect() as connection:
                seconds = owing.seconds_to_next(connection)
            if seconds is not None and seconds <= 0.0:
                for done in catch_up(self._engine, self._policy):
                    log.info("generation %d: %d events moved", done.generation, done.moved)
        except GridError as error:
            log.warning("reassign: %s", error.message)
            seconds = None
        return POLL_S if seconds is None else min(POLL_S, max(seconds, 0.05))
