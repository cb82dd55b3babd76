"""Plan impact: what a plan does to grids and to what they carry, while it is drawn and as its publication would do it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from data.decide import Policy
from data.plans import Drafts, on_newest
from data.publishing import Order, rehearse_plan
from data.reassign import Reassigned
from gis.impact import Impact, impact
from gis.store.engine import Connection
from gis.store.live import Live
from gis.store.plans import StoredPlan
from gis.store.townloads import LiveLoads, TownLoads

#: An answer names so many events that move; their number is always whole.
LISTED = 1_000


@dataclass(frozen=True)
class PlanImpact:
    """The impact of a plan on generation `base`, of loads as of an instant; `reassigned` when it was rehearsed as a publication."""

    impact: Impact
    loads: TownLoads
    base: int
    reassigned: tuple[Reassigned, ...] = ()

    @property
    def as_of(self) -> datetime:
        """When the loads were read."""
        return self.loads.as_of

    def moves(self, limit: int = LISTED) -> list[dict[str, Any]]:
        """Which event goes from which grid (uid) to which, oldest first."""
        pairs = sorted(self.impact.moves.pairs())[:limit]
        return [{"event": self.loads.events[row], "from_uid": before, "to_uid": after} for row, before, after in pairs]


def plan_impact(
    connection: Connection, drafts: Drafts, live: LiveLoads, plan: StoredPlan, *, fresh: bool = False
) -> PlanImpact:
    """What the plan changes as it is drawn, on the newest generation; loads may be some seconds old unless `fresh`.

    Of a plan that is published, what it changed on its own base.
    """
    if plan.state == "published":
        found, draft = plan, drafts.draft(connection, plan)
    else:
        found, draft = on_newest(connection, drafts, plan)
    loads = live.loads(connection, fresh=fresh)
    told = impact(draft.base, draft.boundaries, loads.loads, touched=draft.touched)
    return PlanImpact(told, loads, found.base)


def rehearsed_impact(
    connection: Connection,
    drafts: Drafts,
    live: LiveLoads,
    plan: StoredPlan,
    order: Order,
    policy: Policy,
    boundaries: Live | None = None,
) -> PlanImpact:
    """The same figures from a publication that is carried out and taken back; holds up everybody else until it is over."""
    loads = live.loads(connection, fresh=True)
    done = rehearse_plan(connection, drafts, plan, order, policy, boundaries)
    told = impact(done.before, done.after, loads.loads)
    return PlanImpact(told, loads, done.before.generation, done.reassigned)
