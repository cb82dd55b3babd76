"""Plan findings: what is wrong with a draft, and what breaks the rules of the town's policy; both about what it touched only."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from data.plans import Draft
from gis.errors import TopologyRefused
from gis.findings import Finding, has_errors, ordered, summary
from gis.loads import Floats, Ints
from gis.locate import GridIndex
from gis.partition import Partition
from gis.redrawrules import RuleLimits, rule_warnings
from gis.store.engine import Connection
from gis.store.households import read_households
from gis.store.policies import newest_policy, read_policy

Households = tuple[Floats, Floats, Ints]


def plan_findings(connection: Connection, draft: Draft) -> list[Finding]:
    """The findings of the draft and the warnings of the newest policy's rules, worst first."""
    limits = read_policy(connection, newest_policy(connection)).document().redraw
    counted = limits.min_households is not None or limits.max_households is not None
    households = read_households(connection) if counted else None
    told = {(one.kind, one.grids) for one in draft.findings}
    rules = (one for one in _broken_rules(draft, limits, households) if (one.kind, one.grids) not in told)
    return ordered([*draft.findings, *rules])


def refuse_errors(findings: Sequence[Finding]) -> None:
    """Returns if no finding is an error; TopologyRefused with their counts otherwise."""
    if has_errors(findings):
        counted = summary(finding for finding in findings if finding.severity == "error" and not finding.accepted)
        raise TopologyRefused(
            "the plan has errors: " + ", ".join(f"{number} {kind}" for kind, number in counted.items()),
            place="findings",
            summary=counted,
        )


def _broken_rules(draft: Draft, limits: RuleLimits, households: Households | None) -> list[Finding]:
    """The rules speak of the grids that people work in: the narrowest level of the layers that tile the ground."""
    after = draft.boundaries
    found: list[Finding] = []
    for part in after.assignable():
        codes = {after.units[uid].code for uid in draft.changed if uid in after.units} & set(part.codes)
        if not codes or part.layer in {"dedicated", "frontage"}:
            continue
        counts = None if households is None else _counts(part, codes, households)
        communities = after.partition("general", "community")
        found += rule_warnings(part, limits=limits, communities=communities, households=counts, only=codes)
    return found


def _counts(part: Partition, codes: set[str], households: Households) -> dict[str, float]:
    """Households in each of these grids."""
    rows = [i for i, code in enumerate(part.codes) if code in codes]
    named = [part.codes[i] for i in rows]
    index = GridIndex.of([Partition(part.layer, part.level, tuple(named), part.geometry[rows])])
    lon, lat, weight = households
    winner = index.locate(lon, lat, distance=False).winner
    sums = np.bincount(winner[winner >= 0], weights=weight[winner >= 0], minlength=len(named))
    return dict(zip(index.codes, sums.tolist(), strict=True))
