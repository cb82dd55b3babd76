"""A PlanView out of two states of the boundaries and what was computed of them: no database, no clock."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from typing import Any, Final

import numpy as np
import shapely

from gis.crosswalk import Pieces, crosswalk
from gis.partition import Boundaries, Partition, Unit
from gis.supersede import Lineage
from maps.grids import GridShape
from maps.plan import Change, MovedPiece, PlanView
from maps.words import Lang, word

_NOWHERE: Final = shapely.MultiPolygon()
#: Ground of a grid that is redrawn by less than this (m2) is no new border to a reader.
LEAST_M2 = 1.0


def plan_view(
    before: Boundaries,
    after: Boundaries,
    *,
    touched: Collection[str] | None = None,
    lineage: Sequence[Lineage] = (),
    impact: Mapping[str, Any] | None = None,
    layer: str | None = None,
    lang: Lang = "zh",
) -> PlanView:
    """Grids before and after, the pieces between them, and the table; title, events and the rest are added with `dataclasses.replace`.

    Of the layers and levels that reports are assigned to, or of one `layer`. `impact` is the JSON of `gis.impact`: figures by grid
    and the events of each flow; without it the table has areas alone. `touched` are uids beyond which nothing changed.
    """
    states = [
        {(p.layer, p.level): p for p in state.assignable() if layer in {None, p.layer}} for state in (before, after)
    ]
    keys = list(dict.fromkeys([*states[0], *states[1]]))
    pieces: list[MovedPiece] = []
    areas: list[dict[str, float]] = [{}, {}]
    for key in keys:
        held = crosswalk(
            *(_by_uid(state, found.get(key)) for state, found in zip((before, after), states, strict=True)),
            touched=touched,
        )
        pieces += _moved(held, before, after, impact)
        for side, (index, uids) in enumerate(((held.before, held.before_uids), (held.after, held.after_uids))):
            sums = np.bincount(index[index >= 0], held.area_m2[index >= 0], minlength=len(uids))
            areas[side] |= dict(zip(uids, sums.tolist(), strict=True))
    pieces += _without_ground(pieces, impact)
    changes = _changes(before, after, areas, pieces, lineage, impact, lang)
    shown = [
        [_shape(state, p, code) for p in found.values() for code in p.codes]
        for state, found in zip((before, after), states, strict=True)
    ]
    outlines = [
        _shape(after, p, code)
        for p in after.partitions
        if p.layer == "general" and (p.layer, p.level) not in keys
        for code in p.codes
    ]
    return PlanView(shown[0], shown[1], pieces, changes, outlines=outlines, generation=before.generation, lang=lang)


def _by_uid(state: Boundaries, partition: Partition | None) -> dict[str, Any]:
    if partition is None:
        return {}
    return {state.by_code[code].uid: shape for code, shape in zip(partition.codes, partition.geometry, strict=True)}


def _shape(state: Boundaries, partition: Partition, code: str) -> GridShape:
    unit = state.by_code[code]
    parent = state.units.get(unit.parent or "")
    geometry = partition.geometry[partition.position[code]]
    return GridShape(code, unit.name, unit.layer, unit.level, geometry, parent=parent.code if parent else None)


def _moved(held: Pieces, before: Boundaries, after: Boundaries, impact: Mapping[str, Any] | None) -> list[MovedPiece]:
    events = {(flow["from"], flow["to"]): flow.get("events") for flow in (impact or {}).get("flows", ())}
    found = []
    for k in range(len(held)):
        one = held.before_uids[held.before[k]] if held.before[k] >= 0 else None
        other = held.after_uids[held.after[k]] if held.after[k] >= 0 else None
        if one != other and held.area_m2[k] >= LEAST_M2:
            source = before.units[one].code if one else None
            target = after.units[other].code if other else None
            counted = events.get((source or "outside", target or "outside"), 0 if events else None)
            found.append(MovedPiece(held.geometry[k], source, target, float(held.area_m2[k]), counted))
    return found


def _without_ground(pieces: Sequence[MovedPiece], impact: Mapping[str, Any] | None) -> list[MovedPiece]:
    """Events on a border go to another grid when a code changes, though no ground does: told too, so that the table adds up."""
    told = {(piece.source, piece.target) for piece in pieces}
    flows = [
        (*(None if flow[end] == "outside" else flow[end] for end in ("from", "to")), flow["events"])
        for flow in (impact or {}).get("flows", ())
        if flow.get("events")
    ]
    return [MovedPiece(_NOWHERE, a, b, 0.0, n) for a, b, n in flows if (a, b) not in told]


def _changes(
    before: Boundaries,
    after: Boundaries,
    areas: Sequence[Mapping[str, float]],
    pieces: Sequence[MovedPiece],
    lineage: Sequence[Lineage],
    impact: Mapping[str, Any] | None,
    lang: Lang,
) -> list[Change]:
    told = {grid["uid"]: grid for grid in (impact or {}).get("grids", ())}
    redrawn = {code for piece in pieces if piece.area_m2 for code in (piece.source, piece.target) if code}
    notes = _notes(before, after, lineage, lang)
    rows = []
    for uid in {*areas[0], *areas[1]}:
        old, new = before.units.get(uid), after.units.get(uid)
        kinds = _kinds(old, new, redrawn)
        unit = new or old
        if kinds and unit is not None:
            figures = told.get(uid, {})
            was, will = (
                _figures(figures.get(name), areas[side].get(uid)) for side, name in enumerate(("before", "after"))
            )
            rows.append(Change(unit.code, unit.name, kinds, was, will, notes.get(uid, "")))
    return sorted(rows, key=lambda row: row.code.encode())


def _kinds(old: Unit | None, new: Unit | None, redrawn: Collection[str]) -> tuple[str, ...]:
    if old is None or new is None:
        return ("created",) if old is None else ("retired",)
    facts = (
        ("reshaped", old.code in redrawn or new.code in redrawn),
        ("renamed", old.name != new.name),
        ("recoded", old.code != new.code),
        ("reparented", old.parent != new.parent),
    )
    return tuple(kind for kind, true in facts if true)


def _figures(told: Mapping[str, Any] | None, area_m2: float | None) -> dict[str, float] | None:
    if area_m2 is None:
        return None
    known = {
        name: told[name] for name in ("households", "events", "open_events") if told and told.get(name) is not None
    }
    return {"area_m2": round(area_m2, 1), **known}


def _notes(before: Boundaries, after: Boundaries, lineage: Sequence[Lineage], lang: Lang) -> dict[str, str]:
    """Uid -> into which grids a retired one went, from which a new one came; only those that are there at the end."""
    heirs: dict[str, set[str]] = defaultdict(set)
    origins: dict[str, set[str]] = defaultdict(set)
    for one in lineage:
        if one.predecessor in before.units and one.successor in after.units and one.predecessor != one.successor:
            heirs[one.predecessor or ""].add(after.units[one.successor or ""].code)
            origins[one.successor or ""].add(before.units[one.predecessor or ""].code)
    said = {uid: word("plan.of", lang, codes=_listed(codes)) for uid, codes in origins.items()}
    return said | {
        uid: word("plan.into", lang, codes=_listed(codes)) for uid, codes in heirs.items() if uid not in after.units
    }


def _listed(codes: Collection[str]) -> str:
    return ", ".join(sorted(codes))
