"""Webhooks: others are told of events and assignments, signed, again and again until they accept, in order for each event."""

from __future__ import annotations

import hashlib
import hmac
import logging
import secrets
import threading
from collections import Counter
from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import orjson

from data.webhookpost import Answer, post
from data.webhooktarget import Allowed, Resolve, addresses, parse_target
from gis.errors import GridError, ParameterInvalid, StateConflict
from gis.store import audit, outbox
from gis.store.engine import Connection, Engine
from gis.store.errors import translating
from gis.store.generations import clock as store_clock
from gis.store.outbox import Claimed, Tried

log = logging.getLogger("gridbeat.webhooks")

TOPICS = ("event", "assignment")
SHORTEST_SECRET, LONGEST_SECRET = 16, 256

#: Waits between tries: 10 s, doubled each time up to an hour, then shortened by chance so that they do not come in step.
FIRST_WAIT = timedelta(seconds=10)
LONGEST_WAIT = timedelta(hours=1)
#: A notice that nobody accepted for so long is dead: listed, and sent again when an officer says so.
PATIENCE = timedelta(days=3)
#: Delivered notices are listed for so long.
KEPT = timedelta(days=7)

#: Notices of one webhook under way at once in one process; one alone while its target fails.
LANES = 4
POLL_S = 1.0
PURGE_S = 3_600.0


@dataclass(frozen=True)
class Registered:
    """A new webhook; the secret is never told again."""

    id: UUID
    secret: str


def register(
    connection: Connection,
    url: Any,
    topics: Any,
    secret: Any,
    allowed: Allowed,
    *,
    actor: str,
    role: str,
    lookup: Resolve | None = None,
) -> Registered:
    """The target is told of everything stored from now on; TargetRefused for an internal address, ParameterInvalid otherwise."""
    target = parse_target(url)
    addresses(target, allowed, lookup)
    wanted = _topics(topics)
    key = secrets.token_urlsafe(32) if secret is None else _secret(secret)
    if outbox.count_webhooks(connection) >= outbox.MOST_WEBHOOKS:
        raise StateConflict(f"there are {outbox.MOST_WEBHOOKS} webhooks already: remove one first", place="url")
    webhook = outbox.add_webhook(connection, url, wanted, key, actor)
    audit.record(connection, actor, role, "add webhook", f"webhook/{webhook}", {"url": url, "topics": wanted})
    return Registered(webhook, key)


def _topics(value: Any) -> list[str]:
    if not isinstance(value, list) or not value or not all(isinstance(one, str) for one in value):
        raise ParameterInvalid(f"topics is a list of {' and '.join(TOPICS)}", place="topics")
    unknown = sorted(set(value) - set(TOPICS))
    if unknown:
        raise ParameterInvalid(f"no topic {unknown[0][:40]!r}; there are {' and '.join(TOPICS)}", place="topics")
    return [topic for topic in TOPICS if topic in value]


def _secret(value: Any) -> str:
    if not isinstance(value, str) or not SHORTEST_SECRET <= len(value) <= LONGEST_SECRET or not value.isascii():
        raise ParameterInvalid(
            f"secret is {SHORTEST_SECRET} to {LONGEST_SECRET} ASCII characters; left out, one is made", place="secret"
        )
    if not value.isprintable():
        raise ParameterInvalid("secret is printable ASCII", place="secret")
    return value


def body_of(notice: dict[str, Any]) -> bytes:
    """What is sent: the same bytes at every try. It names no person, text or address: a key may ask for the event itself."""
    told = (
        "received_at",
        "reported_at",
        "occurred_at",
        "channel",
        "external_id",
        "category",
        "category_scheme",
        "accuracy_m",
    )
    event = {name: notice[name] for name in told}
    document: dict[str, Any] = {
        "id": notice["id"],
        "topic": notice["topic"],
        "notice": notice["notice"],
        "made_at": notice["made_at"],
        "event": {"id": notice["event"], "href": f"/v1/events/{notice['event']}"} | event | notice["detail"],
    }
    if notice["receipt"] is not None:
        document["event"] |= {"lon": notice["lon"], "lat": notice["lat"]}
        told_of = {"receipt": notice["receipt"], "cause": notice["cause"], "made_at": notice["assigned_at"]}
        document["assignment"] = told_of | notice["answer"]
    return orjson.dumps(document)


def signature(secret: str, moment: datetime, body: bytes) -> str:
    """`t=SECONDS,v1=HEX`: HMAC-SHA256 by the secret over SECONDS, a full stop and the body."""
    seconds = int(moment.timestamp())
    signed = hmac.new(secret.encode(), f"{seconds}.".encode() + body, hashlib.sha256)
    return f"t={seconds},v1={signed.hexdigest()}"


def next_wait(attempts: int, chance: float) -> timedelta:
    """How long after the `attempts`-th failure to try again; `chance` in 0..1 takes off up to half."""
    full = min(LONGEST_WAIT, FIRST_WAIT * (1 << min(attempts - 1, 20)))
    return full * (1 - chance / 2)


def _chance() -> float:
    return secrets.randbelow(1 << 20) / (1 << 20)


def _answer(landed: Future[Answer]) -> Answer:
    """What the target answered; a fault of ours is a failed try too, so that nothing is lost by it."""
    error = landed.exception()
    if error is None:
        return landed.result()
    log.error("a notice could not be made or sent", exc_info=error)
    return Answer(None, f"could not be sent: {type(error).__name__}")


class Sender:
    """Sends what is due. Several may run at once, in one process or many; `step` and `drain` belong to one thread.

    A thread a notice waits for its target, so that a hanging one holds up nobody but itself; the store is asked from the
    calling thread alone and is not kept waiting while a target is asked.
    """

    def __init__(
        self,
        engine: Engine,
        allowed: Allowed,
        *,
        clock: Callable[[Connection], datetime] = store_clock,
        chance: Callable[[], float] = _chance,
        lookup: Resolve | None = None,
    ) -> None:
        self.engine, self.allowed, self.clock, self.chance, self.lookup = engine, allowed, clock, chance, lookup
        self.counts: Counter[str] = Counter()
        self._pool = ThreadPoolExecutor(outbox.MOST_WEBHOOKS * LANES, thread_name_prefix="webhook")
        self._flying: dict[Future[Answer], Claimed] = {}

    def step(self) -> bool:
        """What came back is noted, what is due is on its way; False when nothing is under way."""
        landed = {future: claimed for future, claimed in self._flying.items() if future.done()}
        with translating(), self.engine.begin() as connection:
            now = self.clock(connection)
            for future, claimed in landed.items():
                outbox.settle(connection, self._tried(claimed, _answer(future), now), now)
            free = self._free(landed)
            taken = [
                claimed
                for webhook in outbox.ready_webhooks(connection, now)
                if (lanes := (1 if webhook.failures else LANES) - free[webhook.id]) > 0
                for claimed in outbox.claim(connection, webhook, now, lanes)
            ]
        for future in landed:
            del self._flying[future]
            self.counts["failed" if _answer(future).fault else "delivered"] += 1
        for claimed in taken:
            self._flying[self._pool.submit(self._send, claimed, now)] = claimed
        return bool(self._flying)

    def _free(self, landed: dict[Future[Answer], Claimed]) -> Counter[UUID]:
        """Lanes in use by webhook."""
        return Counter(claimed.webhook for future, claimed in self._flying.items() if future not in landed)

    def _tried(self, claimed: Claimed, answer: Answer, now: datetime) -> Tried:
        dead = answer.fault is not None and now - claimed.first_tried_at >= PATIENCE
        due_at = now + next_wait(claimed.attempts, self.chance())
        return Tried(claimed.number, claimed.webhook, answer.status, answer.fault, due_at, dead)

    def _send(self, claimed: Claimed, now: datetime) -> Answer:
        body = body_of(claimed.notice)
        headers = {
            "Content-Type": "application/json",
            "User-Agent": "Gridbeat",
            "Gridbeat-Delivery": str(claimed.id),
            "Gridbeat-Topic": claimed.notice["topic"],
            "Gridbeat-Signature": signature(claimed.secret, now, body),
        }
        return post(claimed.url, body, headers, self.allowed, self.lookup)

    def drain(self) -> Counter[str]:
        """Everything due has been tried once more; how many were delivered and how many failed."""
        while self.step():
            wait(self._flying, return_when=FIRST_COMPLETED)
        return self.counts

    def run(self, stop: threading.Event) -> None:
        """Sends until `stop` is set; a store that does not answer is asked again."""
        purge_in = 0.0
        while not stop.is_set():
            try:
                flying = self.step()
                if purge_in <= 0:
                    self._purge()
                    purge_in = PURGE_S
            except GridError as error:
                log.warning("webhooks: %s", error.message)
                flying = False
            if flying:
                wait(self._flying, timeout=0.25, return_when=FIRST_COMPLETED)
            else:
                stop.wait(POLL_S)
                purge_in -= POLL_S
        self.close()

    def _purge(self) -> None:
        with translating(), self.engine.begin() as connection:
            outbox.forget_old(connection, self.clock(connection) - KEPT)

    def close(self) -> None:
        """No further notice is sent from here. What is under way and not noted is sent again, under its id, by another sender."""
        wait(self._flying, timeout=1.0)
        if any(future.done() for future in self._flying):
            try:
                self._note_landed()
            except GridError as error:
                log.warning("webhooks: %s", error.message)
        self._flying.clear()
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _note_landed(self) -> None:
        with translating(), self.engine.begin() as connection:
            now = self.clock(connection)
            for future, claimed in self._flying.items():
                if future.done() and not future.cancelled():
                    outbox.settle(connection, self._tried(claimed, _answer(future), now), now)


class BackgroundSender:
    """A sender in a thread of its own, from `start` to `stop`."""

    def __init__(self, engine: Engine, allowed: Allowed) -> None:
        self._stop = threading.Event()
        self._sender = Sender(engine, allowed)
        self._thread = threading.Thread(target=self._sender.run, args=(self._stop,), name="webhook-sender", daemon=True)

    def start(self) -> None:
        """Sending goes on beside everything else afterwards."""
        self._thread.start()

    def stop(self) -> None:
        """The thread has ended afterwards, or was left to end by itself after a few seconds."""
        self._stop.set()
        if self._thread.ident is not None:
            self._thread.join(timeout=5.0)
