"""Publishing: a plan, or a file, becomes the boundaries in force, and open events follow.

    base checked -> facts -> one transaction: shapes closed and opened, audit, open events reassigned, everybody told

What is published here is what `Draft` showed: the same operations on the boundaries in force, which give the same bytes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

from data.decide import Policy
from data.planfindings import plan_findings, refuse_errors
from data.plans import Draft, Drafts, on_newest, rebased
from data.reassign import Reassigned, reassign_due, refuse_rule
from gis.errors import FieldMissing, GenerationOrder, StateConflict
from gis.findings import Finding, summary
from gis.locate import GridIndex
from gis.partition import Boundaries, Partition
from gis.store import audit, generations, plans
from gis.store.boundaries import Moment, newest_generation, read_boundaries
from gis.store.engine import Connection, undone
from gis.store.generations import Generation, Publication
from gis.store.live import Live, State
from gis.store.plans import StoredPlan
from gis.supersede import Supersession, compare


@dataclass(frozen=True)
class Order:
    """Who publishes, from when on (None: now), what becomes of open events, and why; a correction may lie in the past."""

    actor: str
    role: str
    effective_at: datetime | None = None
    rule: str = "move"
    correction: bool = False
    reason: str | None = None

    def publication(self) -> Publication:
        """The order as the store takes it."""
        return Publication(
            (), self.actor, self.role, self.effective_at, self.correction, self.reason, self.rule
        )  # fmt: skip


@dataclass(frozen=True)
class Published:
    """A generation, what it was made of, and the reassignments that were done with it (none for one of the future)."""

    generation: Generation
    before: Boundaries
    after: Boundaries
    facts: Supersession
    reassigned: tuple[Reassigned, ...]
    plan: StoredPlan | None = None


def publish_incoming(
    connection: Connection, publication: Publication, policy: Policy | None = None, live: Live | None = None
) -> Generation:
    """Whole partitions, as files bring them, are in force when the caller commits, and open events follow by the rule.

    Raises what `gis.store.generations.publish` raises. `live` spares making the whole index anew when only borders moved; its
    transaction must not have published before.
    """
    refuse_rule(publication.rule)
    newest = newest_generation(connection)
    before, after, facts = generations.preview(connection, publication)
    profiles = {code: one.profile for one in publication.incoming for code in one.codes}
    prepared = _prepared(connection, publication, newest, before, after, facts, live)
    generation = generations.publish_facts(connection, publication, newest, facts, profiles)
    reassign_due(connection, policy, prepared)
    return generation


def publish_plan(
    connection: Connection,
    drafts: Drafts,
    plan: UUID,
    expected: int,
    order: Order,
    policy: Policy | None = None,
    live: Live | None = None,
) -> Published:
    """An approved plan is in force from `order.effective_at` on when the caller commits, and open events follow by the rule.

    Raises Stale; StateConflict when it is not approved, changes nothing, or what it changed has changed since; TopologyRefused
    with its findings; FieldMissing `reason` when there are warnings or a correction and no word on them; GenerationOrder.
    """
    held = plans.hold(connection, plan, expected)
    plans.refuse_unless(held, "approved")
    done = _publish(connection, drafts, held, order, policy, live)
    stored = plans.set_state(
        connection, replace(held, base=done.before.generation), "published", done.generation.number
    )
    detail = {"generation": done.generation.number, "base": held.base, "rule": order.rule, "reason": order.reason}
    audit.record(connection, order.actor, order.role, "publish plan", f"plan/{plan}", detail)
    return replace(done, plan=stored)


def rehearse_plan(
    connection: Connection,
    drafts: Drafts,
    plan: StoredPlan,
    order: Order,
    policy: Policy | None = None,
    live: Live | None = None,
) -> Published:
    """What `publish_plan` would do, with every figure, for a plan in any state; nothing of it is stored.

    Until the caller's transaction ends nobody else publishes and no report is received: end it at once.
    """
    with undone(connection):
        return _publish(connection, drafts, plan, order, policy, live)


def _publish(
    connection: Connection, drafts: Drafts, plan: StoredPlan, order: Order, policy: Policy | None, live: Live | None
) -> Published:
    refuse_rule(order.rule)
    newest = newest_generation(connection)
    refuse_time(connection, order)
    draft = _draft(connection, drafts, plan, order)
    _refuse_findings(plan_findings(connection, draft), order)
    return commit(connection, order, newest, draft.base, draft.boundaries, _facts(draft), policy, live)


def _draft(connection: Connection, drafts: Drafts, plan: StoredPlan, order: Order) -> Draft:
    """The plan on the boundaries that it will follow: the newest, or those of the instant that is corrected."""
    if not order.correction or order.effective_at is None:
        return on_newest(connection, drafts, plan)[1]
    moment = Moment(order.effective_at, generations.clock(connection))
    voided = generations.voided_codes(connection)
    draft = drafts.draft(connection, plan)
    corrected = rebased(connection, draft, read_boundaries(connection, moment), plan.base, voided=voided)
    _refuse_later(connection, corrected, order.effective_at)
    return corrected


def refuse_time(connection: Connection, order: Order) -> None:
    """Returns if something may take effect when the order says; GenerationOrder otherwise."""
    now = generations.clock(connection)
    effective_at = order.effective_at or now
    generations.refuse_disorder(connection, order.publication(), effective_at)
    if effective_at < now and not order.correction:
        raise GenerationOrder(
            f"{effective_at.isoformat()} lies in the past: publish for now or later, or as a correction with a reason",
            place="effective_at",
        )


def _refuse_later(connection: Connection, draft: Draft, at: datetime) -> None:
    """A correction holds until today, so what it changes must not have changed between its instant and today."""
    held = [uid for uid in draft.changed if uid in draft.base.units]
    later = generations.first_later(connection, held, at)
    if later is None:
        return
    uid, number, since = later
    code = draft.base.units[uid].code
    raise StateConflict(
        f"grid {code} changed again at {since.isoformat()} (generation {number}): a correction of an earlier instant cannot "
        "reach beyond; correct from then on",
        place=code,
        grid=code,
        operation=draft.step_of(uid),
        generation=number,
    )


def _refuse_findings(findings: list[Finding], order: Order) -> None:
    refuse_errors(findings)
    warnings = [finding for finding in findings if not finding.accepted]
    if warnings and not (order.reason or "").strip():
        counted = summary(warnings)
        raise FieldMissing(
            "the plan has warnings ("
            + ", ".join(f"{number} {kind}" for kind, number in counted.items())
            + "): say in a few "
            "words why it is published all the same",
            place="reason",
            summary=counted,
        )


def _facts(draft: Draft) -> Supersession:
    """The facts to open and close, with the lineage that the operations tell."""
    facts = compare(draft.base, draft.boundaries, draft.touched)
    own = (one for one in facts.lineage if one.predecessor == one.successor)
    return replace(facts, lineage=(*own, *draft.net))


def commit(
    connection: Connection,
    order: Order,
    newest: int,
    before: Boundaries,
    after: Boundaries,
    facts: Supersession,
    policy: Policy | None,
    live: Live | None,
) -> Published:
    """The facts, found on generation `newest`, are published when the caller commits, and open events of now have followed."""
    publication = order.publication()
    prepared = _prepared(connection, publication, newest, before, after, facts, live)
    generation = generations.publish_facts(connection, publication, newest, facts, _profiles(after, facts))
    done = reassign_due(connection, policy, prepared)
    return Published(generation, before, after, facts, tuple(done))


def _prepared(
    connection: Connection,
    publication: Publication,
    newest: int,
    before: Boundaries,
    after: Boundaries,
    facts: Supersession,
    live: Live | None,
) -> State | None:
    """The state that the next generation brings, made before anybody has to wait for it; None for one of the future or the past."""
    if (
        publication.effective_at is not None
        or publication.correction
        or not (facts.shapes or facts.codes or facts.retired)
    ):
        return None
    boundaries = replace(after, generation=newest + 1)
    index = None
    if live is not None and not (facts.created or facts.retired or facts.codes) and before.generation == newest:
        held = live.state(connection, live.now(connection))
        index = _moved(held.index, boundaries, facts) if held.boundaries.generation == newest else None
    return State(boundaries, index or GridIndex.build(boundaries), None)


def _moved(index: GridIndex, boundaries: Boundaries, facts: Supersession) -> GridIndex | None:
    """The index with the new shapes, which shares what did not change; None when none of its shapes did."""
    before = index
    codes = {boundaries.units[uid].code for uid in facts.shapes}
    for part in boundaries.assignable():
        rows = [i for i, code in enumerate(part.codes) if code in codes]
        if rows:
            names = tuple(part.names[i] for i in rows) if part.names else ()
            shapes = part.geometry[rows]
            changed = Partition(part.layer, part.level, tuple(part.codes[i] for i in rows), shapes, names)
            index = index.replaced(changed, boundaries)
    return None if index is before else index


def _profiles(after: Boundaries, facts: Supersession) -> Mapping[str, str]:
    """Code -> the form it has: cn15 where all codes of its layer and level have 15 digits, else external."""
    found: dict[str, str] = {}
    for part in after.partitions:
        digits = all(len(code) == 15 and code.isascii() and code.isdigit() for code in part.codes)
        found |= dict.fromkeys(part.codes, "cn15" if digits and part.level == "grid" else "external")
    return {code: found[code] for code in facts.codes.values() if code in found}
