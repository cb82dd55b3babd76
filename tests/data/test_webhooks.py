"""Webhooks: told once it is stored, signed, in order, again until accepted; nothing is lost, nobody is held up."""

from __future__ import annotations

import hashlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
import sqlalchemy as sa

from data.decide import Place, Policy
from data.intake import Submission, accept
from data.report import clean
from data.settle import move, set_status
from data.webhookpost import TOTAL_S
from data.webhooks import LONGEST_WAIT, PATIENCE, Sender, next_wait, register, signature
from data.webhooktarget import Allowed
from gis.store import outbox
from gis.store.engine import create_engine
from gis.store.live import Live
from tests.targets import Received, Target, serving
from tests.town import drawn, place, published

SECRET = "not-a-secret-of-anybody"


class Outside:
    """A store with the town AB, reports that come in, and senders whose clock the test holds."""

    def __init__(self, engine: sa.Engine) -> None:
        self.engine, self.live = engine, Live()
        self.now = datetime.now(UTC) + timedelta(seconds=1)  # after everything that the store makes by its own clock
        self.senders: list[Sender] = []
        with engine.begin() as connection:
            published(connection, drawn("AB"))

    def hook(self, *targets: Target, topics: tuple[str, ...] = ("event", "assignment")) -> list[UUID]:
        with self.engine.begin() as connection:
            return [
                register(connection, one.url, list(topics), SECRET, allowing(one), actor="t", role="admin").id
                for one in targets
            ]

    def report(self, number: int = 1) -> list[UUID]:
        lon, lat = place(0.5, 0.5)
        reports = [
            clean({"lon": lon, "lat": lat, "channel": "hotline", "text": f"{i}", "reporter": "王某"}, datetime.now(UTC))
            for i in range(number)
        ]
        with self.engine.begin() as connection:
            outcomes = accept(connection, self.live, [Submission(one) for one in reports], actor="tester")
        return [one.event for one in outcomes if one.event]

    def move(self, event: UUID) -> None:
        lon, lat = place(1.5, 0.5)
        with self.engine.begin() as connection:
            move(connection, self.live, event, Place(lon, lat), Policy(), actor="dan", role="dispatcher")

    def close(self, event: UUID) -> None:
        with self.engine.begin() as connection:
            set_status(connection, event, "closed", "修好了", datetime.now(UTC), actor="dan", role="dispatcher")

    def sender(self, *targets: Target) -> Sender:
        sender = Sender(self.engine, allowing(*targets), clock=lambda _: self.now, chance=lambda: 0.0)
        self.senders.append(sender)
        return sender

    def states(self) -> Counter[str]:
        return Counter(self.rows("SELECT state FROM delivery").scalars())

    def rows(self, statement: str) -> Any:
        with self.engine.connect() as connection:
            return connection.execute(sa.text(statement)).freeze()()

    def until(self, sender: Sender, condition: Any, seconds: float = 20.0) -> None:
        end = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < end
            sender.step()
            time.sleep(0.01)


def allowing(*targets: Target) -> Allowed:
    return Allowed.parse(",".join(one.allow for one in targets))


@pytest.fixture
def outside(engine: sa.Engine) -> Any:
    outside = Outside(engine)
    yield outside
    for sender in outside.senders:
        sender.close()


def test_a_report_is_told_with_its_assignment_and_signed(outside: Outside) -> None:
    with serving() as target:
        outside.hook(target)
        (event,) = outside.report()
        outside.sender(target).drain()
    assert [one.json["notice"] for one in target.got] == ["event.received", "assignment.received"]
    first, second = target.got
    assert all(one.is_signed_with(SECRET) and not one.is_signed_with("another") for one in target.got)
    assert first.json["event"]["id"] == second.json["event"]["id"] == str(event)
    assert first.json["event"]["status"] == "open"
    assert second.json["assignment"]["grid"] == "A"
    assert first.headers["content-type"] == "application/json"
    assert first.delivery == first.json["id"] != second.delivery


def test_a_notice_names_no_person_and_no_words(outside: Outside) -> None:
    with serving() as target:
        outside.hook(target)
        outside.report()
        outside.sender(target).drain()
    for one in target.got:
        assert not {"reporter", "text", "address", "raw"} & set(one.json["event"])
        assert "王某" not in one.body.decode()


def test_the_signature_is_the_hmac_that_the_documentation_says() -> None:
    moment = datetime(2026, 5, 3, tzinfo=UTC)
    import hmac as own

    expected = own.new(b"key", b"1777766400.{}", hashlib.sha256).hexdigest()
    assert signature("key", moment, b"{}") == f"t=1777766400,v1={expected}"


def test_what_was_rolled_back_is_told_to_nobody_and_what_was_stored_before_neither(outside: Outside) -> None:
    with serving() as target:
        outside.report()
        outside.hook(target)
        lon, lat = place(0.5, 0.5)
        with outside.engine.connect() as connection:
            report = clean({"lon": lon, "lat": lat, "channel": "hotline"}, datetime.now(UTC))
            accept(connection, outside.live, [Submission(report)], actor="tester")
            connection.rollback()
        assert outside.states() == {}


def test_a_topic_that_was_not_asked_for_is_not_told(outside: Outside) -> None:
    with serving() as events, serving() as assignments:
        outside.hook(events, topics=("event",))
        outside.hook(assignments, topics=("assignment",))
        (event,) = outside.report()
        outside.move(event)
        outside.close(event)
        outside.sender(events, assignments).drain()
    assert [one.json["notice"] for one in events.got] == ["event.received", "event.closed"]
    assert [one.json["notice"] for one in assignments.got] == ["assignment.received", "assignment.moved"]
    assert assignments.got[1].json["assignment"]["grid"] == "B"
    assert events.got[1].json["event"]["status"] == "closed"


def test_a_batch_is_told_row_by_row(outside: Outside) -> None:
    with serving() as target:
        outside.hook(target, topics=("event",))
        events = outside.report(30)
        assert outside.sender(target).drain() == {"delivered": 30}
    assert sorted(one.json["event"]["id"] for one in target.got) == sorted(map(str, events))


def test_a_later_notice_waits_for_the_earlier_one_and_other_events_go_on(outside: Outside) -> None:
    stuck: set[str] = set()

    def answer(one: Received) -> tuple[int, dict[str, str]]:
        return (500 if one.json["event"]["id"] in stuck and one.json["notice"] == "event.received" else 200), {}

    with serving(answer) as target:
        outside.hook(target)
        (held,) = outside.report()
        stuck.add(str(held))
        sender = outside.sender(target)
        sender.drain()
        outside.close(held)
        others = outside.report(5)
        for _ in range(4):
            outside.now += timedelta(minutes=2)
            sender.drain()
        told = [one.json for one in target.got if one.json["event"]["id"] == str(held)]
        assert {one["notice"] for one in told} == {"event.received"}
        assert len({one["id"] for one in told}) == 1
        assert {one.json["event"]["id"] for one in target.got} == {str(held), *map(str, others)}
        stuck.clear()
        outside.now += timedelta(hours=1)
        sender.drain()
    told = [one.json["notice"] for one in target.got if one.json["event"]["id"] == str(held)]
    assert told[-3:] == ["event.received", "assignment.received", "event.closed"]
    assert outside.states() == {"delivered": 13}


def test_a_target_that_answers_500_for_a_day_misses_nothing(outside: Outside) -> None:
    with serving(500) as target:
        outside.hook(target)
        sender = outside.sender(target)
        begun, tries = outside.now, []
        while outside.now < begun + timedelta(days=1):
            if len(tries) % 8 == 0 and len(tries) < 40:
                outside.report()
            sender.drain()
            tries.append(len(target.got))
            outside.now += timedelta(minutes=15)
        assert outside.states().keys() == {"waiting"}
        assert all(
            one.fault == "the target answered 500"
            for one in outside.rows("SELECT fault FROM delivery WHERE attempts > 0")
        )
        failed = len(target.got)
        target.answer = 200
        for _ in range(10):
            outside.now += timedelta(hours=1)
            sender.drain()
    assert outside.states() == {"delivered": 10}
    accepted = [one.json["notice"] for one in target.got[failed:]]
    assert Counter(accepted) == {"event.received": 5, "assignment.received": 5}
    bodies = {
        one.delivery: {other.body for other in target.got if other.delivery == one.delivery} for one in target.got
    }
    assert {len(same) for same in bodies.values()} == {1}


def test_waits_double_to_an_hour_and_chance_shortens_them_by_up_to_half() -> None:
    assert [next_wait(n, 0.0).total_seconds() for n in (1, 2, 3, 4)] == [10, 20, 40, 80]
    assert next_wait(500, 0.0) == LONGEST_WAIT
    assert next_wait(2, 1.0) == next_wait(2, 0.0) / 2


def test_after_three_days_a_notice_is_dead_and_an_officer_sends_it_again(outside: Outside) -> None:
    with serving(503) as target:
        (webhook,) = outside.hook(target, topics=("event",))
        (event,) = outside.report()
        sender = outside.sender(target)
        begun = outside.now
        while outside.now <= begun + PATIENCE + LONGEST_WAIT:
            assert outside.states() == {"waiting": 1} or outside.now >= begun + PATIENCE
            sender.drain()
            outside.now += timedelta(hours=1)
        assert outside.states() == {"dead": 1}
        outside.close(event)
        outside.now += timedelta(hours=1)
        sender.drain()
        assert outside.states() == {"dead": 1, "waiting": 1}  # the later notice waits for the earlier one
        with outside.engine.begin() as connection:
            later, dead = outbox.deliveries(connection, webhook, None, 10, None)
            assert (dead["state"], dead["answered"], dead["fault"]) == ("dead", 503, "the target answered 503")
            assert later["waits_for"] == dead["id"]
        target.answer = 200
        with outside.engine.begin() as connection:
            assert outbox.replay(connection, webhook, None) == 1
        sender.drain()
    assert outside.states() == {"delivered": 2}
    assert target.got[-2].delivery == target.got[0].delivery == str(dead["id"])


def test_two_senders_at_once_deliver_each_notice_once(outside: Outside) -> None:
    with serving() as target:
        outside.hook(target)
        outside.report(60)
        pair = [outside.sender(target), outside.sender(target)]
        threads = [threading.Thread(target=one.drain) for one in pair]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        while outside.states().keys() - {"delivered"}:  # the last of the one may be what the other waited for
            pair[0].drain()
    times = Counter(one.delivery for one in target.got)
    assert set(times.values()) == {1}
    assert len(times) == 120
    assert all(one.counts["delivered"] for one in pair)


def test_a_hanging_target_holds_up_nobody_else(outside: Outside) -> None:
    release = threading.Event()

    def hang(_: Received) -> tuple[int, dict[str, str]]:
        release.wait(30)
        return 200, {}

    with serving(hang) as hanging, serving() as quick:
        outside.hook(hanging, quick, topics=("event",))
        outside.report(20)
        sender = outside.sender(hanging, quick)
        begun = time.monotonic()
        outside.until(sender, lambda: len(quick.got) == 20)
        assert time.monotonic() - begun < TOTAL_S
        assert hanging.most_at_once <= 4
        release.set()


def test_a_target_that_drips_is_left_after_the_time_in_all(outside: Outside, monkeypatch: pytest.MonkeyPatch) -> None:
    import socket

    monkeypatch.setattr("data.webhookpost.TOTAL_S", 0.6)
    stop = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def drip() -> None:
            client, _ = listening.accept()
            with client:
                try:
                    client.sendall(b"HTTP/1.1 200 OK\r\nX-Long: ")
                    while not stop.wait(0.05):
                        client.sendall(b"x")
                except OSError:
                    pass

        thread = threading.Thread(target=drip)
        thread.start()
        target = Target(port=listening.getsockname()[1])
        outside.hook(target, topics=("event",))
        outside.report()
        assert outside.sender(target).drain() == {"failed": 1}
        stop.set()
        thread.join()
    (fault,) = outside.rows("SELECT fault FROM delivery").scalars()
    assert "no answer within" in fault


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_a_failure_that_says_so_and_leads_nowhere(outside: Outside, status: int) -> None:
    with serving() as secret, serving(lambda _: (status, {"Location": secret.url})) as target:
        outside.hook(target, topics=("event",))
        outside.report()
        assert outside.sender(target, secret).drain() == {"failed": 1}
        assert secret.got == []
    (row,) = outside.rows("SELECT answered, fault FROM delivery")
    assert row.answered == status
    assert "redirects are not followed" in row.fault


def test_nobody_at_home_is_a_failure_to_be_tried_again(outside: Outside) -> None:
    with serving() as target:
        outside.hook(target, topics=("event",))
    outside.report()
    sender = outside.sender(target)
    assert sender.drain() == {"failed": 1}
    assert outside.states() == {"waiting": 1}


def test_a_name_that_turns_inside_after_registration_is_not_connected_to(outside: Outside) -> None:
    with serving() as target:
        url = f"http://hooks.example.org:{target.port}/"
        with outside.engine.begin() as connection:
            register(
                connection,
                url,
                ["event"],
                SECRET,
                Allowed(),
                actor="t",
                role="admin",
                lookup=lambda *_: ["93.184.215.14"],
            )
        outside.report()
        sender = Sender(outside.engine, Allowed(), clock=lambda _: outside.now, lookup=lambda *_: ["127.0.0.1"])
        outside.senders.append(sender)
        assert sender.drain() == {"failed": 1}
        assert target.got == []
    (fault,) = outside.rows("SELECT fault FROM delivery").scalars()
    assert "lies inside (127.0.0.1)" in fault


def test_what_a_killed_sender_had_sent_is_sent_again_under_the_same_id(outside: Outside, database: str) -> None:
    process: list[subprocess.Popen[bytes]] = []

    def kill(_: Received) -> tuple[int, dict[str, str]]:
        if len(target.got) == 1:
            os.kill(process[0].pid, signal.SIGKILL)
        return 200, {}

    with serving(kill) as target:
        outside.hook(target, topics=("event",))
        outside.report()
        environment = os.environ | {"GRIDBEAT_DATABASE_URL": database, "GRIDBEAT_WEBHOOK_ALLOW": target.allow}
        command = [sys.executable, "-m", "api.cli", "webhooks", "send", "--once"]
        process.append(subprocess.Popen(command, cwd=Path(__file__).parents[2], env=environment))
        assert process[0].wait() == -signal.SIGKILL
        assert outside.states() == {"waiting": 1}
        sender = outside.sender(target)
        outside.now = datetime.now(UTC)
        sender.drain()
        assert len(target.got) == 1  # it may still be under way
        outside.now += outbox.LEASE
        assert sender.drain() == {"delivered": 1}
    assert len({one.delivery for one in target.got}) == 1
    assert len({one.body for one in target.got}) == 1
    assert outside.states() == {"delivered": 1}


def test_registering_waits_for_reports_that_are_being_stored_and_misses_none_after(outside: Outside) -> None:
    with serving() as target:
        stored = threading.Event()
        go = threading.Event()

        def report() -> None:
            lon, lat = place(0.5, 0.5)
            with outside.engine.begin() as connection:
                one = clean({"lon": lon, "lat": lat, "channel": "hotline"}, datetime.now(UTC))
                accept(connection, outside.live, [Submission(one)], actor="tester")
                stored.set()
                go.wait(10)

        thread = threading.Thread(target=report)
        thread.start()
        stored.wait(10)
        registering = threading.Thread(target=outside.hook, args=(target,))
        registering.start()
        registering.join(0.3)
        assert registering.is_alive()
        go.set()
        thread.join()
        registering.join()
        outside.report()
        outside.sender(target).drain()
    assert len(target.got) == 2


def test_without_webhooks_the_store_writes_no_notices_and_has_no_trigger(outside: Outside) -> None:
    triggers = "SELECT count(*) FROM pg_trigger WHERE tgname = 'assignment_tells_webhooks'"
    with serving() as target:
        assert outside.rows(triggers).scalar() == 0
        (webhook,) = outside.hook(target)
        assert outside.rows(triggers).scalar() == 1
        with outside.engine.begin() as connection:
            outbox.remove_webhook(connection, webhook)
    assert outside.rows(triggers).scalar() == 0
    outside.report()
    assert outside.states() == {}


def test_delivered_notices_are_forgotten_after_their_time_and_waiting_ones_never(outside: Outside) -> None:
    with serving() as target:
        outside.hook(target, topics=("event",))
        outside.report()
        outside.sender(target).drain()
        outside.report()
        with outside.engine.begin() as connection:
            assert outbox.forget_old(connection, outside.now - timedelta(days=1)) == 0
            assert outbox.forget_old(connection, outside.now + timedelta(days=400)) == 1
    assert outside.states() == {"waiting": 1}


def test_a_sender_lives_through_a_store_that_is_away(outside: Outside, caplog: pytest.LogCaptureFixture) -> None:
    away = create_engine("postgresql://nobody@127.0.0.1:1/none", pool_size=1)
    sender, stop = Sender(away, Allowed()), threading.Event()
    thread = threading.Thread(target=sender.run, args=(stop,))
    thread.start()
    time.sleep(0.2)
    assert thread.is_alive()
    stop.set()
    thread.join(10)
    assert not thread.is_alive()
    away.dispose()
    assert "the database does not answer" in caplog.text
