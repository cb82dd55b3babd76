"""Duplicates in the store: the rules in their versions, the neighbours of a report, the links that people made."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from gis.crs import metres_per_degree
from gis.duplicates import DEFAULT_RULE, LONGEST_TEXT, DuplicateRule, Told, groups
from gis.errors import StateConflict
from gis.store.engine import Engine
from gis.store.events import read_event

#: A look for neighbours that takes longer is given up: the report is stored, whatever the answer.
LOOK_MS = 250
#: The nearest so many are compared; more reports than this at one spot within a window are not told apart by looking.
MOST_NEIGHBOURS = 50


@dataclass(frozen=True)
class Place:
    """Where and when a report is: WGS 84 degrees and the instant it tells of."""

    lon: float
    lat: float
    occurred_at: datetime


@dataclass(frozen=True)
class Neighbour:
    """A stored event near a report, and how far it is in metres."""

    told: Told
    distance_m: float


#: The rule of a category and scheme, else of the category, else of all; a withdrawn one (no radius) gives way to the next.
RULE = """
    SELECT number, radius_m, minutes FROM (
        SELECT DISTINCT ON (category, scheme) number, category, scheme, radius_m, minutes FROM duplicate_rule
        WHERE category IN ('', %(category)s) AND scheme IN ('', %(scheme)s)
        ORDER BY category, scheme, number DESC
    ) newest
    WHERE radius_m IS NOT NULL ORDER BY category DESC, scheme DESC LIMIT 1
"""

#: The box is as wide as the radius, the circle is cut out of it in a local plane. No event occurs more than ten minutes after its
#: reception (a report from the future is refused), so `received_at` leads past the months that are too old. The window is written
#: as a range because no index serves it so: with BETWEEN the planner reads a whole day of the town beside the fifty metres.
NEIGHBOURS = f"""
    SELECT * FROM (
        SELECT id, occurred_at, category, category_scheme, left(text, {LONGEST_TEXT}) AS text, address, reporter,
               sqrt(((ST_X(geom) - %(lon)s) * %(east)s) ^ 2 + ((ST_Y(geom) - %(lat)s) * %(north)s) ^ 2) AS distance_m
        FROM event
        WHERE geom && ST_MakeEnvelope(%(lon)s - %(radius_m)s / %(east)s, %(lat)s - %(radius_m)s / %(north)s,
                                      %(lon)s + %(radius_m)s / %(east)s, %(lat)s + %(radius_m)s / %(north)s, 4326)
          AND tstzrange(%(occurred_at)s - make_interval(secs => %(minutes)s * 60),
                        %(occurred_at)s + make_interval(secs => %(minutes)s * 60), '[]') @> occurred_at
          AND received_at >= %(occurred_at)s - make_interval(secs => %(minutes)s * 60 + 660)
          AND id <> %(event)s
    ) near
    WHERE distance_m <= %(radius_m)s
    ORDER BY distance_m, id LIMIT {MOST_NEIGHBOURS}
"""  # noqa: S608 - constants


def rule_for(cursor: Any, category: str | None, scheme: str | None) -> DuplicateRule:
    """The rule in force for a category, the default where nobody wrote one."""
    cursor.execute(RULE, {"category": category or "", "scheme": scheme or ""})
    row = cursor.fetchone()
    return DEFAULT_RULE if row is None else DuplicateRule(row[1], row[2], row[0])


def neighbours(engine: Engine, told: Told, place: Place) -> tuple[DuplicateRule, list[Neighbour]]:
    """The rule for a report, and the stored events within its radius and window, nearest first, at most MOST_NEIGHBOURS.

    A transaction of its own that only reads and is given up after LOOK_MS. A radius of 0 looks for none.
    """
    with engine.begin() as connection:
        cursor: Any = connection.connection.cursor()
        # One message: the limit holds for this transaction alone.
        cursor.execute(f"SET LOCAL statement_timeout = {LOOK_MS}", prepare=False)
        rule = rule_for(cursor, told.category, told.category_scheme)
        if rule.radius_m <= 0.0 or rule.minutes <= 0.0:
            return rule, []
        cursor.execute(NEIGHBOURS, _values(told, place, rule))
        return rule, [Neighbour(Told(*row[:-1]), row[-1]) for row in cursor.fetchall()]


def _values(told: Told, place: Place, rule: DuplicateRule) -> dict[str, Any]:
    east, north = metres_per_degree(place.lat)
    scale = {"east": max(float(east), 1.0), "north": float(north)}
    return vars(place) | scale | {"radius_m": rule.radius_m, "minutes": rule.minutes, "event": told.event}


RULES = sa.text("""
    SELECT number, category, scheme, radius_m, minutes, made_at, actor, reason FROM (
        SELECT DISTINCT ON (category, scheme) * FROM duplicate_rule ORDER BY category, scheme, number DESC
    ) newest
    WHERE radius_m IS NOT NULL ORDER BY category, scheme
""")
ADD_RULE = sa.text("""
    INSERT INTO duplicate_rule (category, scheme, radius_m, minutes, actor, reason)
    VALUES (:category, :scheme, :radius_m, :minutes, :actor, :reason) RETURNING number
""")


def read_rules(connection: sa.Connection) -> list[dict[str, Any]]:
    """The rules in force; category and scheme are empty where a rule is for all. Where none fits, the default holds."""
    return [dict(row._mapping) for row in connection.execute(RULES)]


def add_rule(
    connection: sa.Connection,
    category: str,
    scheme: str,
    radius_m: float | None,
    minutes: float | None,
    *,
    actor: str,
    reason: str,
) -> int:
    """The newest version of the rule of a category and scheme, and its number; without a radius the rule is withdrawn."""
    values = {"category": category, "scheme": scheme, "radius_m": radius_m, "minutes": minutes, "actor": actor}
    number: int = connection.execute(ADD_RULE, values | {"reason": reason}).scalar_one()
    return number


@dataclass(frozen=True)
class Link:
    """Somebody's word that two events tell of one thing, seen from one of them."""

    event: UUID
    kind: str
    reason: str
    actor: str
    at: datetime

    def as_json(self) -> dict[str, Any]:
        """As answers spell it."""
        return vars(self)


#: Links are few and made by people: one lock for all of them keeps the groups true.
LOCK_LINKS = sa.text("SELECT pg_advisory_xact_lock(hashtext('gridbeat.event_link'))")
ADD_LINK = sa.text("""
    INSERT INTO event_link (event, event_received_at, other, other_received_at, linked, actor, reason)
    VALUES (:event, :event_received_at, :other, :other_received_at, :linked, :actor, :reason)
""")
IS_LINKED = sa.text("SELECT linked FROM event_link WHERE event = :event AND other = :other ORDER BY id DESC LIMIT 1")


def say_linked(connection: sa.Connection, one: UUID, other: UUID, *, linked: bool, actor: str, reason: str) -> None:
    """The two events are linked as duplicates afterwards, or (linked=False) no longer; their groups follow.

    Raises EventUnknown, StateConflict when it is so already or the two are one.
    """
    if one == other:
        raise StateConflict("an event is no duplicate of itself", place=str(one))
    connection.execute(LOCK_LINKS)
    earlier, later = sorted((one, other))
    received = {event: read_event(connection, event)["received_at"] for event in (earlier, later)}
    pair = {"event": later, "other": earlier}
    if bool(connection.scalar(IS_LINKED, pair)) == linked:
        raise StateConflict(f"the two events are {'linked already' if linked else 'not linked'}", place=str(other))
    times = {"event_received_at": received[later], "other_received_at": received[earlier]}
    touched = {one, other, *group(connection, one), *group(connection, other)}
    connection.execute(ADD_LINK, pair | times | {"linked": linked, "actor": actor, "reason": reason})
    _regroup(connection, sorted(touched))


PAIRS = """
    SELECT DISTINCT ON (event, other) event, other, linked, kind, reason, actor, at FROM event_link
    WHERE event = ANY(:events) OR other = ANY(:events) ORDER BY event, other, id DESC
"""
LINKED_PAIRS = sa.text(f"SELECT event, other FROM ({PAIRS}) newest WHERE linked")  # noqa: S608 - a constant
FORGET_GROUP = sa.text("DELETE FROM event_duplicate WHERE event = ANY(:events)")
KEEP_GROUP = sa.text("INSERT INTO event_duplicate (event, representative) VALUES (:event, :representative)")


def _regroup(connection: sa.Connection, events: Sequence[UUID]) -> None:
    """`event_duplicate` says of these events, which no link leaves, what their links come to."""
    pairs = [(row.event, row.other) for row in connection.execute(LINKED_PAIRS, {"events": list(events)})]
    connection.execute(FORGET_GROUP, {"events": list(events)})
    rows = [{"event": event, "representative": first} for first, *rest in groups(pairs) for event in rest]
    if rows:
        connection.execute(KEEP_GROUP, rows)


GROUP = sa.text("""
    SELECT d.event FROM event_duplicate d
    WHERE d.representative = coalesce((SELECT representative FROM event_duplicate WHERE event = :event), :event)
""")
REPRESENTATIVE = sa.text("SELECT representative FROM event_duplicate WHERE event = :event")
LINKS = sa.text(f"SELECT * FROM ({PAIRS}) newest WHERE linked ORDER BY at, event, other")  # noqa: S608 - a constant


def group(connection: sa.Connection, event: UUID) -> list[UUID]:
    """All events that links hold together with this one, itself too, the earliest first; empty for an event without links."""
    others = list(connection.execute(GROUP, {"event": event}).scalars())
    first = connection.scalar(REPRESENTATIVE, {"event": event}) or event
    return sorted({first, *others}) if others else []


def links_of(connection: sa.Connection, event: UUID) -> list[Link]:
    """The links in force that name this event, oldest first."""
    rows = connection.execute(LINKS, {"events": [event]})
    return [
        Link(row.other if row.event == event else row.event, row.kind, row.reason, row.actor, row.at) for row in rows
    ]


STANDS_FOR = sa.text("""
    SELECT representative, count(*) AS n FROM event_duplicate WHERE representative = ANY(:events) GROUP BY representative
""")


def stands_for(connection: sa.Connection, events: Sequence[UUID]) -> dict[UUID, int]:
    """How many further events each representative among these stands for."""
    return {row.representative: row.n for row in connection.execute(STANDS_FOR, {"events": list(events)})}
