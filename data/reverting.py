"""Reverting: what a generation changed is put back as it was, by a new generation; nothing that was ever known is lost."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from data.decide import Policy
from data.draftfindings import findings_after
from data.publishing import Order, Published, commit, refuse_time
from data.reassign import refuse_rule
from gis.errors import StateConflict
from gis.findings import has_errors
from gis.partition import Boundaries
from gis.plan import assembled, changed_since, same_ground
from gis.store import audit, generations
from gis.store.boundaries import Moment, newest_generation, read_boundaries
from gis.store.engine import Connection
from gis.store.live import Live
from gis.supersede import compare, same_shape


def revert(
    connection: Connection, number: int, order: Order, policy: Policy | None = None, live: Live | None = None
) -> Published:
    """What generation `number` changed is as it was before it, in a new generation when the caller commits; grids keep their uids.

    Grids that it created are retired, those that it retired come back under their codes. Raises StateConflict with `grid` and
    `generation` when one of them has changed since, or there is no such generation; GenerationOrder.
    """
    refuse_rule(order.rule)
    newest = newest_generation(connection)
    if not 1 <= number <= newest:
        raise StateConflict(f"there is no generation {number}", place="generation")
    refuse_time(connection, order)
    now = generations.clock(connection)
    present = read_boundaries(connection, Moment(order.effective_at or now, now))
    old, new, changed = _changed_by(connection, number)
    _refuse_changed_since(connection, new, present, changed, number)
    after = _put_back(present, old, new, changed)
    _refuse_broken(present, after, changed, number)
    facts = compare(present, after, changed)
    done = commit(connection, order, newest, present, after, facts, policy, live)
    detail = {"generation": done.generation.number, "rule": order.rule, "reason": order.reason}
    audit.record(connection, order.actor, order.role, "revert", f"generation/{number}", detail)
    return done


def _changed_by(connection: Connection, number: int) -> tuple[Boundaries, Boundaries, frozenset[str]]:
    """The boundaries without and with a generation, at its instant, and the uids that it changed."""
    generation = generations.list_generations(connection, 1, number + 1)[0]
    before = Moment(generation.effective_at, generation.published_at - timedelta(microseconds=1))
    old, new = (
        read_boundaries(connection, moment)
        for moment in (before, Moment(generation.effective_at, generation.published_at))
    )
    facts = compare(old, new)
    changed = (facts.created, facts.shapes, facts.codes, facts.names, facts.parents, facts.retired)
    return old, new, frozenset(uid for kind in changed for uid in kind)


def _refuse_changed_since(
    connection: Connection, new: Boundaries, present: Boundaries, changed: frozenset[str], number: int
) -> None:
    """What the generation changed must still be as it left it; what it retired must still be gone."""
    gone = changed_since(new, present, changed)
    back = [uid for uid in changed if uid not in new.units and uid in present.units]
    if gone or back:
        uid = (gone or back)[0]
        code = (new.units.get(uid) or present.units[uid]).code
        since = generations.changed_by(connection, uid, number)
        raise StateConflict(
            f"grid {code}, which generation {number} changed, was changed again by generation {since}: revert that one first",
            place=code,
            grid=code,
            generation=since,
        )


def _put_back(present: Boundaries, old: Boundaries, new: Boundaries, changed: frozenset[str]) -> Boundaries:
    """The boundaries with these uids as `old` has them."""
    units = {uid: unit for uid, unit in present.units.items() if uid not in changed}
    units |= {uid: old.units[uid] for uid in changed if uid in old.units}
    shapes = {uid: _shape_of(uid, present, old, new) if uid in changed else present.shapes[uid] for uid in units}
    taken: dict[str, str] = {}
    for uid, unit in units.items():
        if taken.setdefault(unit.code, uid) != uid:
            raise StateConflict(f"the code {unit.code} belongs to another grid now", place=unit.code, grid=unit.code)
    orphans = [unit for unit in units.values() if unit.parent is not None and unit.parent not in units]
    if orphans:
        raise StateConflict(
            f"grid {orphans[0].code} lies in a grid that would be gone: revert what made it first",
            place=orphans[0].code,
            grid=orphans[0].code,
        )
    return assembled(units, shapes, present)


def _shape_of(uid: str, present: Boundaries, old: Boundaries, new: Boundaries) -> Any:
    """The old shape; where only vertices in the border differ and others came since, the present one."""
    if uid not in new.units or same_shape(new.shapes[uid], present.shapes[uid]):
        return old.shapes[uid]
    return present.shapes[uid] if same_ground(old.shapes[uid], present.shapes[uid]) else old.shapes[uid]


def _refuse_broken(present: Boundaries, after: Boundaries, changed: frozenset[str], number: int) -> None:
    found = [finding for finding in findings_after(present, after, changed) if finding.severity == "error"]
    if has_errors(found):
        raise StateConflict(
            f"borders near those of generation {number} were redrawn since; put back as they were they would not meet "
            f"({found[0].message}): draw the change as a plan",
            place=found[0].grids[0] if found[0].grids else None,
            generation=number,
        )
