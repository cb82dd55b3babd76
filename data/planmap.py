"""The view of a plan's map, gathered from the store: before and after, what moves, and what helps to find one's way."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import tzinfo
from typing import Any

import numpy as np

from data.mapview import CONTEXT_CAP
from data.plans import Draft, Drafts
from gis.errors import ParameterInvalid
from gis.impact import EVENTS, Impact, impact
from gis.loads import PointLoad
from gis.store import generations
from gis.store.context import read_context
from gis.store.engine import Connection
from gis.store.plans import StoredPlan
from gis.store.townloads import LiveLoads, TownLoads
from maps.grids import ContextShape
from maps.plan import MovedEvents, PlanView
from maps.planview import plan_view
from maps.words import Lang


@dataclass(frozen=True)
class PlanWish:
    """What a plan's map is asked to show: one layer or all, times in `zone`, in a language."""

    zone: tzinfo
    layer: str | None = None
    lang: Lang = "zh"


def plan_map(connection: Connection, drafts: Drafts, live: LiveLoads, plan: StoredPlan, wish: PlanWish) -> PlanView:
    """The plan as it is drawn on its own base, with the events of now. ParameterInvalid for a layer without grids."""
    draft, loads = drafts.draft(connection, plan), live.loads(connection)
    layers = {unit.layer for state in (draft.base, draft.boundaries) for unit in state.units.values()}
    if wish.layer is not None and wish.layer not in layers:
        raise ParameterInvalid(f"the plan has no grids of layer {wish.layer}", place="layer")
    told = impact(draft.base, draft.boundaries, loads.loads, touched=draft.touched)
    view = plan_view(
        draft.base, draft.boundaries, touched=draft.touched, lineage=draft.net, impact=told.as_json(),
        layer=wish.layer, lang=wish.lang,
    )  # fmt: skip
    effective_at = None
    if plan.generation is not None:
        (published, *_) = generations.list_generations(connection, 1, plan.generation + 1)
        effective_at = published.effective_at.astimezone(wish.zone)
    return replace(
        view,
        title=plan.title,
        state=plan.state,
        generation=plan.base,
        at=loads.as_of.astimezone(wish.zone),
        effective_at=effective_at,
        events=_moved(draft, told, loads),
        context=[ContextShape(one.kind, one.geometry, one.width) for one in read_context(connection, CONTEXT_CAP)],
    )


def _moved(draft: Draft, told: Impact, loads: TownLoads) -> MovedEvents:
    """The events that change their grid, by code before and after."""
    load = loads.loads[EVENTS]
    pairs = sorted(told.moves.pairs())
    if not isinstance(load, PointLoad) or not pairs:
        return MovedEvents()
    rows = np.array([row for row, _, _ in pairs], dtype=np.int64)
    return MovedEvents(
        load.lon[rows],
        load.lat[rows],
        [_code(draft.base.units, before) for _, before, _ in pairs],
        [_code(draft.boundaries.units, after) for _, _, after in pairs],
        [bool(one) for one in load.columns["open_events"][rows].tolist()],
    )


def _code(units: dict[str, Any], uid: str | None) -> str | None:
    return None if uid is None else units[uid].code
