"""`/v1/plans/{id}/...`: what a plan would do, who approves it, and how it becomes the boundaries in force."""

from __future__ import annotations

from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Depends, Query

from api import planbodies
from api.answers import Json
from api.conditional import Expected
from api.deps import (
    Connection,
    JsonObject,
    LiveBoundaries,
    PolicyInForce,
    Supervisor,
    Viewer,
    instant,
    known_parameters,
)
from api.plandeps import DraftsKept, LoadsKept, Planner, only, whole_plan
from api.settings import Caller
from data import planstates
from data.planimpact import PlanImpact, plan_impact, rehearsed_impact
from data.publishing import Order, Published, publish_plan
from data.reassign import Reassigned
from data.reverting import revert as put_back
from data.settle import reason_of
from gis.errors import ParameterInvalid, RoleTooLow, StateConflict
from gis.store import plans
from gis.store.plans import StoredPlan

router = APIRouter(prefix="/v1/plans", tags=["plans"], dependencies=[Depends(known_parameters)])


@router.get("/{plan}/impact", summary="What a plan does before it does it")
def impact(
    who: Viewer,
    plan: UUID,
    connection: Connection,
    drafts: DraftsKept,
    loads: LoadsKept,
    boundaries: LiveBoundaries,
    policy: PolicyInForce,
    fresh: Annotated[bool, Query(description="true: events as of now, not as of some seconds ago")] = False,
    by: Annotated[
        Literal["drawing", "rehearsal"], Query(description="rehearsal: publish and take back; for planners")
    ] = "drawing",
) -> Json:
    """Per grid before and after, flows between grids, and which event moves where; `as_of` says how old the events are."""
    found = plans.read(connection, plan)
    if by == "drawing":
        return Json(_impact_json(plan_impact(connection, drafts, loads, found, fresh=fresh), found))
    if not who.may("planner"):
        raise RoleTooLow("a rehearsal holds up publications and reports for its time: it needs the role planner")
    order = Order(who.actor, who.role, reason="rehearsal")
    return Json(_impact_json(rehearsed_impact(connection, drafts, loads, found, order, policy, boundaries), found))


def _impact_json(found: PlanImpact, plan: StoredPlan) -> dict[str, Any]:
    return {
        "base": found.base,
        "revision": plan.revision,
        "as_of": found.as_of,
        **found.impact.as_json(),
        "events_moved": len(found.impact.moves),
        "moves": found.moves(),
        "reassigned": [_reassigned_json(one) for one in found.reassigned],
    }


def _reassigned_json(one: Reassigned) -> dict[str, Any]:
    """What open events did; grids are named by uid, for a code may pass from one to another in this very moment."""
    flows = [{"from_uid": before, "to_uid": after, "events": n} for (before, after), n in one.flows.items()]
    return {
        "generation": one.generation,
        "rule": one.rule,
        "looked_at": one.looked_at,
        "moved": one.moved,
        "flows": flows,
    }


@router.post("/{plan}/submit", summary="Ask for approval", openapi_extra=planbodies.EMPTY)
def submit(
    plan: UUID, body: JsonObject, seen: Expected, connection: Connection, drafts: DraftsKept, who: Planner
) -> Json:
    """The draft waits for a verdict and is not edited meanwhile. Errors among its findings refuse it."""
    only(body)
    planstates.submit(connection, drafts, plan, seen, who.actor, who.role)
    return whole_plan(connection, drafts, plan)


@router.post("/{plan}/approve", summary="Approve a plan, or return it", openapi_extra=planbodies.VERDICT)
def approve(
    plan: UUID, body: JsonObject, seen: Expected, connection: Connection, drafts: DraftsKept, who: Supervisor
) -> Json:
    """`returned` needs words, and makes the plan a draft again."""
    only(body, "verdict", "words")
    words = body.get("words", "")
    if not isinstance(words, str) or len(words) > 4_000 or "\0" in words:
        raise ParameterInvalid("words are a text of at most 4000 characters", place="words")
    planstates.judge(connection, plan, seen, str(body.get("verdict", "approved")), words, who.actor, who.role)
    return whole_plan(connection, drafts, plan)


@router.post("/{plan}/withdraw", summary="Give a plan up", openapi_extra=planbodies.REASON)
def withdraw(
    plan: UUID, body: JsonObject, seen: Expected, connection: Connection, drafts: DraftsKept, who: Planner
) -> Json:
    """The plan can be read and forked, and nothing else any more."""
    only(body, "reason")
    planstates.withdraw(connection, plan, seen, reason_of(body.get("reason")), who.actor, who.role)
    return whole_plan(connection, drafts, plan)


@router.post("/{plan}/publish", summary="Put a plan in force", openapi_extra=planbodies.PUBLISH)
def publish(
    plan: UUID,
    body: JsonObject,
    seen: Expected,
    connection: Connection,
    drafts: DraftsKept,
    boundaries: LiveBoundaries,
    policy: PolicyInForce,
    who: Supervisor,
) -> Json:
    """One transaction: a new generation at `effective_at` (now), open events follow by `rule`. Warnings and corrections need a
    `reason`.
    """
    only(body, "effective_at", "rule", "reason", "correction")
    done = publish_plan(connection, drafts, plan, seen, _order(body, who), policy, boundaries)
    return whole_plan(connection, drafts, plan, published=_published_json(done))


@router.post("/{plan}/revert", summary="Put back what a plan changed", openapi_extra=planbodies.REVERT)
def revert(
    plan: UUID,
    body: JsonObject,
    seen: Expected,
    connection: Connection,
    drafts: DraftsKept,
    boundaries: LiveBoundaries,
    policy: PolicyInForce,
    who: Supervisor,
) -> Json:
    """A new generation with the shapes, codes and names of before; nothing that was ever known is lost. Needs a `reason`."""
    only(body, "effective_at", "rule", "reason")
    held = plans.hold(connection, plan, seen)
    if held.generation is None:
        raise StateConflict(f"the plan is {held.state}: only a published one can be reverted", place="state")
    order = _order(body | {"reason": reason_of(body.get("reason"))}, who)
    done = put_back(connection, held.generation, order, policy, boundaries)
    return whole_plan(connection, drafts, plan, published=_published_json(done))


def _order(body: dict[str, Any], who: Caller) -> Order:
    given, rule, correction = body.get("effective_at"), body.get("rule", "move"), body.get("correction", False)
    if given is not None and not isinstance(given, str):
        raise ParameterInvalid("effective_at is a time such as 2026-12-01T00:00:00+08:00", place="effective_at")
    if not isinstance(rule, str):
        raise ParameterInvalid("rule is a text", place="rule")
    if not isinstance(correction, bool):
        raise ParameterInvalid("correction is true or false", place="correction")
    reason = reason_of(body["reason"]) if body.get("reason") is not None else None
    return Order(who.actor, who.role, instant(given, "effective_at"), rule, correction, reason)


def _published_json(done: Published) -> dict[str, Any]:
    generation = done.generation
    return {
        "generation": generation.number,
        "published_at": generation.published_at,
        "effective_at": generation.effective_at,
        "summary": generation.summary,
        "reassigned": [_reassigned_json(one) for one in done.reassigned],
    }
