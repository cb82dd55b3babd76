"""Together: reports of several callers are stored in one transaction; each caller is told what became of the own one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from data.decide import Policy
from data.intake import Outcome, Submission, accept
from gis.errors import EventUnknown
from gis.store.engine import Connection, Engine
from gis.store.errors import CONNECTION_LOST
from gis.store.events import as_read, read_event
from gis.store.live import Live


@dataclass(frozen=True)
class Kept:
    """A report that is in the store: its row as `read_event` gives it, and whether it was there before."""

    row: dict[str, Any]
    repeated: bool


def keep_together(
    engine: Engine, live: Live, submissions: Sequence[Submission], policy: Policy
) -> list[Kept | Exception]:
    """Every report is committed, or its place in the list holds why it is not; in order. Each names its `actor`.

    One that breaks the shared transaction takes nobody with it: then each is stored in a transaction of its own. When the
    connection is lost nobody knows what was committed: all are told so, and nothing is tried again behind their backs.
    """
    try:
        with engine.begin() as connection:
            outcomes = accept(connection, live, submissions, actor="nobody", policy=policy)
            return [_kept(connection, outcome) for outcome in outcomes]
    except CONNECTION_LOST as error:
        return [error] * len(submissions)
    except Exception as error:  # noqa: BLE001 - whatever it is, the callers must hear it
        if len(submissions) == 1:
            return [error]
        return [keep_together(engine, live, [one], policy)[0] for one in submissions]


def _kept(connection: Connection, outcome: Outcome) -> Kept | Exception:
    if outcome.stored is not None:
        return Kept(as_read(outcome.stored), repeated=False)
    if outcome.event is not None:
        return Kept(read_event(connection, outcome.event), repeated=True)
    return outcome.error or EventUnknown("the report was not stored")
