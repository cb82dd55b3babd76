"""Replay: receipts of a past window are decided again, from their grounds and the boundaries of then; they must agree."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from data.decide import Policy, Question, decide
from gis.locate import KERNEL
from gis.store.boundaries import Moment
from gis.store.engine import Connection
from gis.store.live import Live
from gis.store.settling import StoredReceipt, receipts_between

PAGE = 2_000


@dataclass
class Replayed:
    """What a replay found: receipts that agree, those an officer decided (not replayed), and those that differ."""

    equal: int = 0
    by_word: int = 0
    different: int = 0
    other_kernel: int = 0


@dataclass(frozen=True)
class Difference:
    """A receipt that is not decided the same again: member -> (then, now)."""

    receipt: StoredReceipt
    members: dict[str, tuple[Any, Any]]


def replay(
    connection: Connection, live: Live, begin: datetime, end: datetime, on_difference: Callable[[Difference], None]
) -> Replayed:
    """Every receipt made in [begin, end) is decided again at its own moment; memory stays flat."""
    found = Replayed()
    page = receipts_between(connection, begin, end, None, PAGE)
    while page:
        for receipt in page:
            _count(found, receipt, _difference(connection, live, receipt), on_difference)
        page = receipts_between(connection, begin, end, page[-1], PAGE)
    return found


def _count(
    found: Replayed,
    receipt: StoredReceipt,
    difference: Difference | None,
    on_difference: Callable[[Difference], None],
) -> None:
    found.other_kernel += receipt.kernel != KERNEL
    if receipt.answer["method"] == "override":
        found.by_word += 1
    elif difference is None:
        found.equal += 1
    else:
        found.different += 1
        on_difference(difference)


def _difference(connection: Connection, live: Live, receipt: StoredReceipt) -> Difference | None:
    if receipt.answer["method"] == "override":
        return None
    state = live.state(connection, Moment(receipt.at, receipt.known_at))
    policy = Policy.of(receipt.grounds, lambda number: live.policy(connection, number))
    decision = decide(state, Question.of(receipt.grounds), policy)
    again = decision.assignment.as_json() | dict(zip(("lon", "lat"), decision.lon_lat or (None, None), strict=True))
    then = receipt.answer | {"lon": receipt.lon, "lat": receipt.lat}
    if "doubt" in receipt.grounds:  # receipts from before probabilities were kept have none to compare
        again, then = again | {"doubt": decision.grounds.get("doubt")}, then | {"doubt": receipt.grounds["doubt"]}
    differing = {name: (then.get(name), again.get(name)) for name in then | again if then.get(name) != again.get(name)}
    return Difference(receipt, differing) if differing else None
