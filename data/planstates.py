"""Plan states: a draft is submitted, judged, or given up; each step by somebody, in the audit.

draft --submit--> submitted --approved--> approved --publish--> published
  ^                   |  returned            |
  +-------------------+----------------------+            any of the first three --withdraw--> withdrawn
"""

from __future__ import annotations

from uuid import UUID

from data.planfindings import refuse_errors
from data.plans import Drafts, on_newest
from gis.errors import FieldMissing, ParameterInvalid, StateConflict
from gis.store import audit, plans
from gis.store.engine import Connection
from gis.store.plans import StoredPlan

VERDICTS = ("approved", "returned")


def submit(connection: Connection, drafts: Drafts, plan: UUID, expected: int, actor: str, role: str) -> StoredPlan:
    """The draft waits for a verdict, on the newest generation, when the caller commits.

    Raises Stale; StateConflict when it is no draft, changes nothing, or what it changed has changed since; TopologyRefused
    when findings are errors.
    """
    held = plans.hold(connection, plan, expected)
    plans.refuse_unless(held, "draft")
    held, draft = on_newest(connection, drafts, held)
    if not draft.changed:
        raise StateConflict("the plan changes nothing yet", place="operations")
    refuse_errors(draft.findings)
    after = plans.set_state(connection, held, "submitted")
    audit.record(connection, actor, role, "submit plan", f"plan/{plan}", {"revision": after.revision})
    return after


def judge(
    connection: Connection, plan: UUID, expected: int, verdict: str, words: str, actor: str, role: str
) -> StoredPlan:
    """A submitted plan is approved, or is a draft again with the reviewer's words; an approved one can still be returned."""
    if verdict not in VERDICTS:
        raise ParameterInvalid(f"the verdict is one of {', '.join(VERDICTS)}", place="verdict")
    if verdict == "returned" and not words.strip():
        raise FieldMissing("say in a few words what is to be changed", place="words")
    held = plans.hold(connection, plan, expected)
    plans.refuse_unless(held, *(("submitted",) if verdict == "approved" else ("submitted", "approved")))
    after = plans.review(connection, held, verdict, words.strip(), actor)
    audit.record(connection, actor, role, f"plan {verdict}", f"plan/{plan}", {"words": words.strip()})
    return after


def withdraw(connection: Connection, plan: UUID, expected: int, reason: str, actor: str, role: str) -> StoredPlan:
    """The plan is given up when the caller commits: it can be read and forked, and nothing else."""
    held = plans.hold(connection, plan, expected)
    plans.refuse_unless(held, "draft", "submitted", "approved")
    after = plans.set_state(connection, held, "withdrawn")
    audit.record(connection, actor, role, "withdraw plan", f"plan/{plan}", {"reason": reason})
    return after
