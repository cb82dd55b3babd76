"""Keys: the names under which a report may come again; each belongs to one event, whoever was first to commit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple, Protocol
from uuid import UUID

import sqlalchemy as sa

from gis.store import copyrows

#: Channel and key.
Name = tuple[str, str]


class Keyed(Protocol):
    """What brings keys: an event about to be stored, its id as a UUID or in hexadecimal digits."""

    @property
    def id(self) -> UUID | str:
        """Its id."""

    @property
    def channel(self) -> str:
        """Where it came by."""

    @property
    def keys(self) -> tuple[str, ...]:
        """The names under which it may come again."""

    @property
    def received_at(self) -> datetime:
        """The instant of its reception."""

    @property
    def body_hash(self) -> bytes:
        """What its body is compared by."""


class KeyedRow(NamedTuple):
    """The least that is `Keyed`."""

    id: str
    channel: str
    keys: tuple[str, ...]
    received_at: datetime
    body_hash: bytes


@dataclass(frozen=True)
class Claim:
    """What became of a key: the event that holds it, and whether its body was the same."""

    event: UUID
    received_at: datetime
    same_body: bool


#: Many keys come through a table of the connection's own: COPY reads them at a third of what arrays cost.
OFFER = "CREATE TEMP TABLE IF NOT EXISTS offered_key (LIKE event_key) ON COMMIT DELETE ROWS; TRUNCATE offered_key"
COPY_OFFER = "offered_key (channel, key, event, received_at, body_hash)"
#: In one order everywhere, so that two batches cannot wait for each other; by bytes, which is quick in any database.
CLAIM = """
    INSERT INTO {table} (channel, key, event, received_at, body_hash)
    SELECT channel, key, event, received_at, body_hash FROM offered_key ORDER BY channel COLLATE "C", key COLLATE "C"
    ON CONFLICT DO NOTHING
"""
#: Whoever offered a key that is another event's did not get it.
OTHERS = """
    SELECT k.channel, k.key, k.event, k.received_at, k.body_hash FROM offered_key o JOIN {table} k USING (channel, key)
    WHERE k.event <> o.event
"""
#: So many keys are sent as arrays: making a table ready costs more than they do.
FEW = 100
#: The same for few keys.
CLAIM_FEW = """
    INSERT INTO {table} (channel, key, event, received_at, body_hash)
    SELECT * FROM unnest(CAST(%s AS text[]), CAST(%s AS text[]), CAST(%s AS uuid[]), CAST(%s AS timestamptz[]),
                         CAST(%s AS bytea[])) AS offered (channel, key, event, received_at, body_hash)
    ORDER BY channel COLLATE "C", key COLLATE "C"
    ON CONFLICT DO NOTHING RETURNING channel, key
"""
#: The same for one key, at half the cost.
CLAIM_ONE = """
    INSERT INTO {table} (channel, key, event, received_at, body_hash) VALUES (%s, %s, %s, %s, %s)
    ON CONFLICT DO NOTHING RETURNING channel, key
"""
HELD = """
    SELECT k.channel, k.key, k.event, k.received_at, k.body_hash FROM {table} k
    JOIN unnest(CAST(:channels AS text[]), CAST(:keys AS text[])) AS asked (channel, key) USING (channel, key)
"""


def claim_keys(connection: sa.Connection, events: Sequence[Keyed]) -> dict[int, Claim]:
    """Position in `events` -> who holds its key already, in the store or earlier in `events`; the others hold theirs now.

    Waits for a concurrent transaction that is storing the same key. When one key of an event is held by another, its other
    keys lead to that one too (same body) or are let go (another body).
    """
    first = _first_of_each(events)
    held = _insert(connection, "event_key", events, first)
    claims = _claims(events, first, held)
    _settle(connection, events, claims, set(first) - set(held))
    return claims


def open_rehearsal(connection: sa.Connection) -> None:
    """This connection can rehearse afterwards: the keys seen are kept in a temporary table, so memory stays flat."""
    connection.execute(sa.text("CREATE TEMP TABLE IF NOT EXISTS rehearsed_key (LIKE event_key INCLUDING ALL)"))
    connection.execute(sa.text("TRUNCATE rehearsed_key"))


def rehearse_keys(connection: sa.Connection, events: Sequence[Keyed]) -> dict[int, Claim]:
    """What `claim_keys` would say, remembered for later chunks on this connection; the store stays as it is."""
    first = _first_of_each(events)
    stored = _look_up(connection, "event_key", list(first))
    new = {name: position for name, position in first.items() if name not in stored}
    held = stored | _insert(connection, "rehearsed_key", events, new)
    return _claims(events, first, held)


def _first_of_each(events: Sequence[Keyed]) -> dict[Name, int]:
    """(channel, key) -> position of the first event that brings it."""
    first: dict[Name, int] = {}
    for position, event in enumerate(events):
        for key in event.keys:
            first.setdefault((event.channel, key), position)
    return first


def _claims(events: Sequence[Keyed], first: dict[Name, int], held: dict[Name, Any]) -> dict[int, Claim]:
    if not held and len(first) == sum(len(event.keys) for event in events):
        return {}
    found = ((position, _claim_of(event, position, events, first, held)) for position, event in enumerate(events))
    return {position: claim for position, claim in found if claim is not None}


def _insert(connection: sa.Connection, table: str, events: Sequence[Keyed], first: dict[Name, int]) -> dict[Name, Any]:
    """Insert the keys; return those held by others."""
    if not first:
        return {}
    rows = [(*name, events[position]) for name, position in first.items()]
    cursor: Any = connection.connection.cursor()
    if len(rows) == 1:
        (channel, key, event), *_ = rows
        cursor.execute(CLAIM_ONE.format(table=table), (channel, key, event.id, event.received_at, event.body_hash))
        return {} if cursor.fetchall() else _look_up(connection, table, list(first))
    if len(rows) <= FEW:
        values = [(channel, key, event.id, event.received_at, event.body_hash) for channel, key, event in rows]
        cursor.execute(CLAIM_FEW.format(table=table), [list(column) for column in zip(*values, strict=True)])
        ours = set(cursor.fetchall())
        return _look_up(connection, table, [name for name in first if name not in ours])
    _offer(connection, rows)
    cursor.execute(CLAIM.format(table=table))
    if cursor.rowcount == len(rows):
        return {}
    return {(row.channel, row.key): row for row in connection.execute(sa.text(OTHERS.format(table=table)))}


def _offer(connection: sa.Connection, rows: Sequence[tuple[str, str, Keyed]]) -> None:
    """The keys are in `offered_key`, for the rest of this transaction."""
    cursor: Any = connection.connection.cursor()
    cursor.execute(OFFER)
    channels, keys, events = zip(*rows, strict=True)
    columns = (
        copyrows.texts(channels),
        copyrows.texts(keys),
        copyrows.uuids([event.id for event in events]),
        copyrows.instants([event.received_at for event in events]),
        copyrows.digests([event.body_hash for event in events]),
    )
    copyrows.copy(connection, COPY_OFFER, columns)


def _look_up(connection: sa.Connection, table: str, names: Sequence[Name]) -> dict[Name, Any]:
    if not names:
        return {}
    asked = {"channels": [channel for channel, _ in names], "keys": [key for _, key in names]}
    return {(row.channel, row.key): row for row in connection.execute(sa.text(HELD.format(table=table)), asked)}


def _claim_of(
    event: Keyed,
    position: int,
    events: Sequence[Keyed],
    first: dict[Name, int],
    held: dict[Name, Any],
) -> Claim | None:
    for key in event.keys:
        name = (event.channel, key)
        if name in held:
            row = held[name]
            return Claim(row.event, row.received_at, bytes(row.body_hash) == event.body_hash)
        if first[name] != position:
            earlier = events[first[name]]
            return Claim(UUID(str(earlier.id)), earlier.received_at, earlier.body_hash == event.body_hash)
    return None


def _settle(connection: sa.Connection, events: Sequence[Keyed], claims: dict[int, Claim], ours: set[Name]) -> None:
    """Keys that came new beside a known one: lead to the known event, or are let go."""
    for position, claim in claims.items():
        event = events[position]
        for key in event.keys:
            if (event.channel, key) not in ours:
                continue
            where = {"channel": event.channel, "key": key, "ours": event.id}
            if claim.same_body:
                connection.execute(
                    sa.text(
                        "UPDATE event_key SET event = :event, received_at = :received_at "
                        "WHERE channel = :channel AND key = :key AND event = :ours"
                    ),
                    where | {"event": claim.event, "received_at": claim.received_at},
                )
            else:
                connection.execute(
                    sa.text("DELETE FROM event_key WHERE channel = :channel AND key = :key AND event = :ours"), where
                )
