"""Outbox: who is told of events and assignments, and what is still to be told; written with the receipts, by the store itself.

A notice is a row of `delivery`: made by a trigger in the transaction that stores the receipt or the status, so it is there if
and only if that is. Senders take rows with SKIP LOCKED and push `due_at` ahead: a row whose sender died comes due again by
itself. A notice is taken only when every earlier one of the same event and webhook was accepted (or given up by an officer).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from gis.errors import WebhookUnknown
from gis.store.generations import clock
from gis.store.ids import uuid7

#: More would let targets that hang hold up the others: a sender has a thread for each.
MOST_WEBHOOKS = 32
#: How long a sender may be silent about a notice before another tries it.
LEASE = timedelta(seconds=60)


@dataclass(frozen=True)
class Claimed:
    """A notice that this process is to send now: where, signed with what, and the facts that it tells."""

    number: int
    id: UUID
    webhook: UUID
    url: str
    secret: str
    attempts: int
    first_tried_at: datetime
    notice: dict[str, Any]


@dataclass(frozen=True)
class Tried:
    """What became of one try; `fault` is None when the target accepted it."""

    number: int
    webhook: UUID
    answered: int | None
    fault: str | None
    due_at: datetime
    dead: bool


ADD = sa.text("""
    INSERT INTO webhook (id, url, topics, secret, created_at, actor) VALUES (:id, :url, :topics, :secret, :created_at, :actor)
""")


def add_webhook(connection: sa.Connection, url: str, topics: Sequence[str], secret: str, actor: str) -> UUID:
    """The webhook is told of everything that is stored from the end of this transaction on; its id."""
    connection.execute(sa.text("SET LOCAL lock_timeout = '5s'"))
    connection.execute(sa.text("SELECT watch_receipts()"))
    now = clock(connection)
    webhook = uuid7(now)
    values = {"id": webhook, "url": url, "topics": list(topics), "secret": secret, "created_at": now, "actor": actor}
    connection.execute(ADD, values)
    return webhook


def count_webhooks(connection: sa.Connection) -> int:
    """How many are active."""
    return int(connection.scalar(sa.text("SELECT count(*) FROM webhook WHERE active")) or 0)


LIST = sa.text("""
    SELECT w.id, w.url, w.topics, w.created_at, w.actor, w.failures, w.resume_at,
           (SELECT count(*) FROM delivery d WHERE d.webhook = w.id AND d.state = 'waiting') AS waiting,
           (SELECT count(*) FROM delivery d WHERE d.webhook = w.id AND d.state = 'dead') AS dead
    FROM webhook w WHERE w.active ORDER BY w.id
""")


def list_webhooks(connection: sa.Connection) -> list[dict[str, Any]]:
    """All active ones with the number of notices that wait or are dead; never a secret."""
    return [dict(row._mapping) for row in connection.execute(LIST)]


def remove_webhook(connection: sa.Connection, webhook: UUID) -> None:
    """It is told of nothing any more, and what it was not told yet is forgotten; WebhookUnknown when there is none."""
    gone = sa.text("UPDATE webhook SET active = false, secret = '' WHERE id = :id AND active")
    if connection.execute(gone, {"id": webhook}).rowcount == 0:
        raise WebhookUnknown(f"no webhook has the id {webhook}", place=str(webhook))
    connection.execute(sa.text("DELETE FROM delivery WHERE webhook = :id"), {"id": webhook})
    connection.execute(sa.text("SET LOCAL lock_timeout = '5s'"))
    connection.execute(sa.text("SELECT unwatch_receipts()"))


def _known(connection: sa.Connection, webhook: UUID) -> None:
    if connection.scalar(sa.text("SELECT 1 FROM webhook WHERE id = :id AND active"), {"id": webhook}) is None:
        raise WebhookUnknown(f"no webhook has the id {webhook}", place=str(webhook))


READY = sa.text("""
    SELECT w.id, w.url, w.secret, w.failures FROM webhook w
    WHERE w.active AND (w.resume_at IS NULL OR w.resume_at <= :now)
      AND EXISTS (SELECT FROM delivery d WHERE d.webhook = w.id AND d.state = 'waiting' AND d.due_at <= :now)
    ORDER BY w.id
""")
TAKE = sa.text("""
    WITH due AS (
        SELECT d.number FROM delivery d
        WHERE d.webhook = :webhook AND d.state = 'waiting' AND d.due_at <= :now
          AND NOT EXISTS (SELECT FROM delivery earlier WHERE earlier.webhook = d.webhook AND earlier.event = d.event
                          AND earlier.number < d.number AND earlier.state IN ('waiting', 'dead'))
        ORDER BY d.due_at, d.number LIMIT :free FOR UPDATE OF d SKIP LOCKED
    )
    UPDATE delivery SET due_at = :until, attempts = attempts + 1, last_tried_at = :now,
           first_tried_at = coalesce(first_tried_at, :now)
    FROM due WHERE delivery.number = due.number RETURNING delivery.number
""")
FACTS = sa.text("""
    SELECT d.number, d.id, d.attempts, d.first_tried_at, d.topic, d.notice, d.made_at, d.detail, d.receipt, d.event,
           e.received_at, e.reported_at, e.occurred_at, e.channel, e.external_id, e.category, e.category_scheme, e.accuracy_m,
           a.made_at AS assigned_at, a.cause, a.lon, a.lat, a.answer
    FROM delivery d
    JOIN event e ON e.id = d.event AND e.received_at = d.received_at
    LEFT JOIN assignment a ON a.id = d.receipt AND a.received_at = d.received_at
    WHERE d.number = ANY(:numbers) ORDER BY d.number
""")


def ready_webhooks(connection: sa.Connection, now: datetime) -> list[Any]:
    """Webhooks with something due that may be tried now: id, url, secret and failures in a row."""
    return list(connection.execute(READY, {"now": now}))


def claim(connection: sa.Connection, webhook: Any, now: datetime, free: int) -> list[Claimed]:
    """Up to `free` notices of the webhook are this process's to send once the transaction ends, until LEASE is over."""
    values = {"webhook": webhook.id, "now": now, "until": now + LEASE, "free": free}
    numbers = list(connection.execute(TAKE, values).scalars())
    if not numbers:
        return []
    rows = connection.execute(FACTS, {"numbers": numbers})
    return [
        Claimed(
            row.number, row.id, webhook.id, webhook.url, webhook.secret, row.attempts, row.first_tried_at,
            dict(row._mapping),
        )
        for row in rows
    ]  # fmt: skip


ACCEPTED = sa.text("""
    UPDATE delivery SET state = 'delivered', delivered_at = :now, answered = :answered, fault = NULL
    WHERE number = :number AND state IN ('waiting', 'dead')
""")
REFUSED = sa.text("""
    UPDATE delivery SET due_at = :due_at, answered = :answered, fault = :fault, state = CASE WHEN :dead THEN 'dead' ELSE state END
    WHERE number = :number AND state = 'waiting'
""")
RECOVERED = sa.text("UPDATE webhook SET failures = 0, resume_at = NULL WHERE id = :webhook AND failures > 0")
#: From the fifth failure in a row on, a webhook is asked ever more rarely, at least once a minute; one success ends that.
FAILING = sa.text("""
    UPDATE webhook SET failures = failures + 1,
           resume_at = CASE WHEN failures >= 4 THEN
               CAST(:now AS timestamptz) + least(60, power(2, least(failures - 4, 6))) * interval '1 second' END
    WHERE id = :webhook
""")


def settle(connection: sa.Connection, tried: Tried, now: datetime) -> None:
    """The try is noted: delivered, to be tried again at `due_at`, or dead."""
    values = vars(tried) | {"now": now}
    accepted = tried.fault is None
    connection.execute(ACCEPTED if accepted else REFUSED, values)
    connection.execute(RECOVERED if accepted else FAILING, values)


DELIVERIES = sa.text("""
    SELECT d.number, d.id, d.topic, d.notice, d.event, d.receipt, d.made_at, d.state, d.attempts, d.first_tried_at,
           d.last_tried_at, d.delivered_at, CASE WHEN d.state = 'waiting' THEN d.due_at END AS due_at, d.answered, d.fault,
           (SELECT e.id FROM delivery e WHERE e.webhook = d.webhook AND e.event = d.event AND e.number < d.number
            AND e.state IN ('waiting', 'dead') AND d.state = 'waiting' ORDER BY e.number LIMIT 1) AS waits_for
    FROM delivery d
    WHERE d.webhook = :webhook AND (CAST(:state AS text) IS NULL OR d.state = :state)
      AND (CAST(:before AS bigint) IS NULL OR d.number < :before)
    ORDER BY d.number DESC LIMIT :limit
""")


def deliveries(
    connection: sa.Connection, webhook: UUID, state: str | None, limit: int, before: int | None
) -> list[dict[str, Any]]:
    """A page of a webhook's notices, newest first; WebhookUnknown when there is no such webhook."""
    _known(connection, webhook)
    values = {"webhook": webhook, "state": state, "limit": limit, "before": before}
    return [dict(row._mapping) for row in connection.execute(DELIVERIES, values)]


REPLAY = sa.text("""
    UPDATE delivery SET state = 'waiting', attempts = 0, first_tried_at = NULL, due_at = :now
    WHERE webhook = :webhook AND (id = :delivery OR (CAST(:delivery AS uuid) IS NULL AND state = 'dead'))
""")
AT_ONCE = sa.text("UPDATE webhook SET failures = 0, resume_at = NULL WHERE id = :webhook")


def replay(connection: sa.Connection, webhook: UUID, delivery: UUID | None) -> int:
    """The notice, whatever became of it, or all dead ones, will be sent again under their ids; how many."""
    _known(connection, webhook)
    values = {"webhook": webhook, "delivery": delivery, "now": clock(connection)}
    again = connection.execute(REPLAY, values).rowcount
    if delivery is not None and again == 0:
        raise WebhookUnknown(f"the webhook has no delivery {delivery}", place=str(delivery))
    connection.execute(AT_ONCE, values)
    return again


SKIP = sa.text(
    "UPDATE delivery SET state = 'skipped' WHERE webhook = :webhook AND id = :delivery AND state IN ('waiting', 'dead')"
)


def skip(connection: sa.Connection, webhook: UUID, delivery: UUID) -> None:
    """The notice is given up, so that later ones of its event are sent; WebhookUnknown when none of that id waits or is dead."""
    _known(connection, webhook)
    if connection.execute(SKIP, {"webhook": webhook, "delivery": delivery}).rowcount == 0:
        raise WebhookUnknown(f"no delivery {delivery} of the webhook waits or is dead", place=str(delivery))


def forget_old(connection: sa.Connection, before: datetime) -> int:
    """Notices delivered or given up before then, and those of removed webhooks, are gone; how many."""
    statement = sa.text("""
        DELETE FROM delivery d WHERE (d.state IN ('delivered', 'skipped') AND coalesce(d.delivered_at, d.made_at) < :before)
            OR NOT EXISTS (SELECT FROM webhook w WHERE w.id = d.webhook AND w.active)
    """)
    return connection.execute(statement, {"before": before}).rowcount


def backlog(connection: sa.Connection) -> dict[str, int]:
    """Number of notices that wait and that are dead, of all active webhooks."""
    rows = connection.execute(
        sa.text("""
        SELECT d.state, count(*) AS n FROM delivery d JOIN webhook w ON w.id = d.webhook AND w.active
        WHERE d.state IN ('waiting', 'dead') GROUP BY d.state
    """)
    )
    return {"waiting": 0, "dead": 0} | {row.state: row.n for row in rows}
