"""In force: the policy as the store has it at this moment, with all that its document asks for."""

from __future__ import annotations

from dataclasses import replace

from data.decide import Policy
from gis.store.engine import Connection
from gis.store.live import Live, State


def in_force(connection: Connection, live: Live, state: State, policy: Policy, number: int | None = None) -> Policy:
    """The distances of `policy` with the document of that number, the newest without one.

    Where the document has the prior `households`, their weights in this state, as they are known now; else they are not asked for.
    """
    document = live.policy(connection, number)
    known = live.households.weights(connection, state.index) if "households" in document.priors else None
    return replace(policy, document=document, households=known)
