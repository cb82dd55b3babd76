"""Plans: from the stored operations to the boundaries they make, one edit after the other, on a base that may move on.

    base boundaries --operation--> ... --operation--> Draft        each step kept in `Drafts`, by its operation's id

An operation's row never changes, nor what stands before it, so its id names the boundaries it leads to: on the same base.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Container, Sequence
from dataclasses import dataclass, field, replace
from typing import Any
from uuid import UUID

from data.draftfindings import findings_after
from gis.errors import CodeTaken, GridError, InputError, StateConflict
from gis.findings import Finding
from gis.operations import Operation, parse_operation
from gis.partition import Boundaries
from gis.plan import changed_since, changes, net_lineage
from gis.redraw import Redrawn, redraw
from gis.store import generations, plans
from gis.store.boundaries import newest_generation, read_boundaries
from gis.store.engine import Connection
from gis.store.ids import uuid7
from gis.store.plans import StoredOperation, StoredPlan
from gis.supersede import Lineage


@dataclass(frozen=True)
class Draft:
    """The boundaries of a plan's base and those that its operations make of them.

    `touched` are the uids that got anything new, vertices in their border included; `changed` those of them with another ground,
    code, name or parent, or that are created or retired; `by_step[i]` those that operation i + 1 changed. `lineage` tells every
    operation; `net` what it comes to.
    """

    base: Boundaries
    boundaries: Boundaries
    touched: frozenset[str] = frozenset()
    changed: frozenset[str] = frozenset()
    lineage: tuple[Lineage, ...] = ()
    operations: tuple[Operation, ...] = ()
    by_step: tuple[frozenset[str], ...] = ()
    _found: list[tuple[Finding, ...]] = field(default_factory=list, compare=False, repr=False)

    @property
    def net(self) -> tuple[Lineage, ...]:
        """What became of whom from the base to the draft; grids that only changed are not named."""
        return net_lineage(self.lineage, self.base, self.boundaries)

    @property
    def findings(self) -> list[Finding]:
        """What is wrong or doubtful about the touched grids and those around them, worst first; only looked for once."""
        if not self._found:
            self._found.append(tuple(findings_after(self.base, self.boundaries, self.touched)))
        return list(self._found[0])

    def then(self, one: Redrawn) -> Draft:
        """The draft after one more operation."""
        changed = changes(self.boundaries, one.boundaries, one.touched, one.moved)
        after = replace(
            self,
            boundaries=one.boundaries,
            touched=self.touched | one.touched,
            changed=self.changed | changed,
            lineage=self.lineage + one.lineage,
            operations=(*self.operations, one.operation),
            by_step=(*self.by_step, changed),
            _found=[],
        )
        if self._found:  # only what this operation touched is looked at again
            known = findings_after(self.base, one.boundaries, one.touched, known=self._found[0], before=self.boundaries)
            after._found.append(tuple(known))
        return after

    def step_of(self, uid: str) -> int:
        """The first operation (from 1) that changed a grid."""
        return next(i for i, changed in enumerate(self.by_step, start=1) if uid in changed)


class Drafts:
    """The drafts of this process, at most `keep` of them, the longest unused dropped first. Safe in threads."""

    def __init__(self, keep: int = 64) -> None:
        self._keep = keep
        self._held: OrderedDict[tuple[int, UUID | None], Draft] = OrderedDict()
        self._lock = threading.Lock()

    def draft(self, connection: Connection, plan: StoredPlan) -> Draft:
        """The plan's boundaries as it stands, on its base, with what they touch and what is wrong with them."""
        line = plans.read_line_ids(connection, plan)
        known, found = self._nearest(connection, plan.base, line)
        for one in plans.read_operations(connection, line[known:]):
            found = found.then(_again(found.boundaries, one))
            self.keep(plan.base, one.id, found)
        return found

    def base(self, connection: Connection, number: int) -> Draft:
        """The boundaries that a plan on generation `number` begins with."""
        return self._nearest(connection, number, [])[1]

    def _nearest(self, connection: Connection, base: int, line: Sequence[UUID]) -> tuple[int, Draft]:
        """How many steps of the line the farthest draft that is kept has, and that draft."""
        for steps in range(len(line), 0, -1):
            found = self._kept(base, line[steps - 1])
            if found is not None:
                return steps, found
        found = self._kept(base, None)
        if found is None:
            boundaries = read_boundaries(connection, generations.moment_of(connection, base))
            found = Draft(boundaries, boundaries)
            if base:  # before the first generation there is nothing worth keeping, and it may come
                self.keep(base, None, found)
        return 0, found

    def _kept(self, base: int, head: UUID | None) -> Draft | None:
        with self._lock:
            found = self._held.get((base, head))
            if found is not None:
                self._held.move_to_end((base, head))
            return found

    def keep(self, base: int, head: UUID | None, draft: Draft) -> None:
        """The draft that an operation leads to is known from now on."""
        with self._lock:
            self._held[base, head] = draft
            while len(self._held) > self._keep:
                self._held.popitem(last=False)


def _again(boundaries: Boundaries, stored: StoredOperation) -> Redrawn:
    """A complete operation carried out once more."""
    return redraw(boundaries, parse_operation(stored.body), new_uid=_no_new_uid)


def _no_new_uid() -> str:
    """A complete operation names its uids; one that needs another was written by hand."""
    raise StateConflict("this operation is not complete: a new grid has no uid", place="operation")


@dataclass(frozen=True)
class Applied:
    """A plan after an operation, the operation as it was completed, and the draft."""

    plan: StoredPlan
    operation: StoredOperation
    draft: Draft


def begin(connection: Connection, title: str, author: str) -> StoredPlan:
    """An empty plan on the newest generation is stored when the caller commits."""
    return plans.create(connection, title.strip(), newest_generation(connection), author)


def apply(connection: Connection, drafts: Drafts, plan: UUID, given: Any, expected: int, author: str) -> Applied:
    """The operation stands at the end of the plan when the caller commits; what could be redone is out of the line.

    A plan whose base is not the newest generation is rebased first. Raises Stale, StateConflict (not a draft, or what it touched
    has changed since), and what `parse_operation` and `redraw` raise.
    """
    operation = parse_operation(given)
    held = plans.hold(connection, plan, expected)
    plans.refuse_unless(held, "draft")
    held, draft = on_newest(connection, drafts, held)
    now = generations.clock(connection)
    voided = generations.voided_codes(connection) | frozenset(draft.base.by_code)
    reserved = plans.reserved_codes(connection, plan) - voided
    try:
        one = redraw(draft.boundaries, operation, new_uid=lambda: str(uuid7(now)), voided=voided | reserved)
    except CodeTaken as error:
        code = error.details.get("grid")
        if code in reserved:
            message = f"another plan under way brings the code {code}: give another, or withdraw that plan"
            raise CodeTaken(message, place=error.place, grid=code) from error
        raise
    codes = _new_codes(draft.boundaries, one)
    stored, made = plans.append(connection, held, one.operation.as_json(), codes, author)
    after = draft.then(one)
    drafts.keep(stored.base, made.id, after)
    return Applied(stored, made, after)


def _new_codes(before: Boundaries, one: Redrawn) -> list[str]:
    there = (one.boundaries.units[uid].code for uid in one.touched if uid in one.boundaries.units)
    return sorted(code for code in there if code not in before.by_code)


def undo(connection: Connection, plan: UUID, expected: int, steps: int = 1) -> StoredPlan:
    """The last operations in force are so no longer; StateConflict when there are not so many. They can be redone."""
    held = plans.hold(connection, plan, expected)
    plans.refuse_unless(held, "draft")
    return plans.stand_at(connection, held, held.step - steps)


def redo(connection: Connection, plan: UUID, expected: int, steps: int = 1) -> StoredPlan:
    """The operations undone last are in force again; StateConflict when there are not so many."""
    held = plans.hold(connection, plan, expected)
    plans.refuse_unless(held, "draft")
    return plans.stand_at(connection, held, held.step + steps)


def fork(connection: Connection, plan: UUID, title: str, author: str, step: int | None = None) -> StoredPlan:
    """A new draft with the first `step` operations of a plan (those in force, unless told otherwise); the plan stays as it is."""
    found = plans.read(connection, plan)
    return plans.fork(connection, found, found.step if step is None else step, title.strip(), author)


def on_newest(connection: Connection, drafts: Drafts, plan: StoredPlan) -> tuple[StoredPlan, Draft]:
    """The plan on the newest generation and its draft there; not stored. StateConflict when what it touched has changed since."""
    newest = newest_generation(connection)
    draft = drafts.draft(connection, plan)
    if newest == plan.base:
        return plan, draft
    target = drafts.base(connection, newest).boundaries
    moved_on = rebased(connection, draft, target, plan.base, voided=generations.voided_codes(connection))
    ids = plans.read_line_ids(connection, plan)
    if ids:
        drafts.keep(newest, ids[-1], moved_on)
    return replace(plan, base=newest), moved_on


def rebased(
    connection: Connection, draft: Draft, target: Boundaries, base: int, *, voided: Container[str] = frozenset()
) -> Draft:
    """The draft's operations on other boundaries than its base's.

    Raises StateConflict with `grid`, `operation` (from 1) and `generation` when these differ in what the draft changed, or do
    not allow one of its operations.
    """
    gone = changed_since(draft.base, target, draft.changed)
    if gone:
        _refuse_changed(connection, draft, gone, base)
    after = Draft(target, target)
    for step, operation in enumerate(draft.operations, start=1):
        try:
            after = after.then(redraw(after.boundaries, operation, new_uid=_no_new_uid, voided=voided))
        except InputError as error:
            raise StateConflict(
                f"operation {step} cannot be carried out on the boundaries in force: {error.message}",
                place=error.details.get("grid") or error.place,
                operation=step,
                refusal=error.code,
                generation=newest_generation(connection),
            ) from error
    return after


def _refuse_changed(connection: Connection, draft: Draft, gone: Sequence[str], base: int) -> None:
    """The first of these grids by the plan's own order is named, all are listed."""
    first = min(gone, key=draft.step_of)
    code, step = draft.base.units[first].code, draft.step_of(first)
    number = generations.changed_by(connection, first, base)
    changed = "was another at the instant to be corrected than where this plan began"
    if number is not None:
        changed = f"was changed by generation {number} since this plan began"
    raise StateConflict(
        f"grid {code}, which operation {step} changes, {changed}",
        place=code,
        grid=code,
        operation=step,
        generation=number,
        grids=[draft.base.units[uid].code for uid in gone],
    )


@dataclass(frozen=True)
class Standing:
    """Whether a plan could be published on the newest generation: `conflict` says why not."""

    base: int
    newest: int
    conflict: dict[str, Any] | None


def standing(connection: Connection, drafts: Drafts, plan: StoredPlan) -> Standing:
    """How a plan stands to what was published since its base; nothing is written."""
    newest = newest_generation(connection)
    try:
        on_newest(connection, drafts, plan)
    except GridError as error:
        return Standing(plan.base, newest, {"code": error.code, "detail": error.message, **error.details})
    return Standing(plan.base, newest, None)
