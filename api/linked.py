"""How duplicates look outside: those that are likely, and those that somebody linked."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any
from uuid import UUID

from api.settings import Caller
from gis.duplicates import Likeness
from gis.store.duplicates import group, links_of
from gis.store.engine import Connection


def duplicates_json(found: Iterable[Likeness] | None) -> list[dict[str, Any]] | None:
    """Likely duplicates, likeliest first; null when they could not be looked for."""
    return None if found is None else [one.as_json() for one in found]


def links_json(connection: Connection, event: UUID, who: Caller) -> dict[str, Any]:
    """`links` in force that name the event, the whole `group` they hold together, and the `representative` that counts for it.

    An event without links represents itself in an empty group. Who linked and why is shown to members, not to those who look.
    """
    hidden = set() if who.may("member") else {"reason", "actor"}
    links = [link.as_json() for link in links_of(connection, event)]
    held = group(connection, event)
    return {
        "links": [{name: value for name, value in link.items() if name not in hidden} for link in links],
        "group": held,
        "representative": held[0] if held else event,
    }
