"""Keys: the same report under the same name is one event, whoever asks, however often, and in a rehearsal too."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any

import pytest
import sqlalchemy as sa

from data.intake import Outcome, Submission, accept
from data.report import clean
from gis.errors import KeyReused
from gis.store.keys import open_rehearsal
from gis.store.live import Live

Accept = Callable[..., list[Outcome]]


def submission(key: str | None = None, **body: Any) -> Submission:
    raw = {"channel": "hotline", "address": "长岸村四十四组道路"} | body
    return Submission(clean(raw, datetime.now(UTC)), key)


def store(connection: sa.Connection, *submissions: Submission, **more: Any) -> list[Outcome]:
    return accept(connection, Live(), submissions, actor="tester", **more)


def count(connection: sa.Connection, table: str = "event") -> int:
    return int(connection.execute(sa.text(f"SELECT count(*) FROM {table}")).scalar_one())


def test_reports_without_a_key_are_all_stored(connection: sa.Connection) -> None:
    assert len({one.event for one in store(connection, submission(), submission())}) == 2
    assert (count(connection), count(connection, "assignment"), count(connection, "event_key")) == (2, 2, 0)


@pytest.mark.parametrize("sent", [submission("k1"), submission(external_id="7"), submission("k1", external_id="7")])
def test_the_same_key_and_body_is_the_same_event(connection: sa.Connection, sent: Submission) -> None:
    (first,) = store(connection, sent)
    (again,) = store(connection, sent)
    assert (again.event, again.repeated) == (first.event, True)
    assert (count(connection), count(connection, "assignment")) == (1, 1)


def test_another_body_under_a_known_key_is_refused_and_leaves_no_key(connection: sa.Connection) -> None:
    store(connection, submission(external_id="7"))
    (other,) = store(connection, submission("k2", external_id="7", text="else"))
    assert isinstance(other.error, KeyReused)
    assert (count(connection), count(connection, "event_key")) == (1, 1)
    (fresh,) = store(connection, submission("k2"))  # the refused report did not take k2 away
    assert fresh.event is not None
    assert not fresh.repeated


def test_a_new_key_beside_a_known_id_leads_to_the_known_event(connection: sa.Connection) -> None:
    (first,) = store(connection, submission(external_id="7"))
    (second,) = store(connection, submission("k1", external_id="7"))
    (third,) = store(connection, submission("k1", external_id="7"))
    assert first.event == second.event == third.event
    assert count(connection) == 1


def test_channels_have_their_own_ids(connection: sa.Connection) -> None:
    outcomes = store(connection, submission(external_id="7"), submission(external_id="7", channel="citizen"))
    assert [one.repeated for one in outcomes] == [False, False]


def test_within_one_batch_the_first_wins(connection: sa.Connection) -> None:
    one, same, other = store(
        connection, submission(external_id="7"), submission(external_id="7"), submission(external_id="7", text="else")
    )
    assert (same.event, same.repeated) == (one.event, True)
    assert isinstance(other.error, KeyReused)
    assert count(connection) == 1


def test_the_order_of_fields_does_not_matter(connection: sa.Connection) -> None:
    store(connection, submission(external_id="7", text="x"))
    raw = {"text": "x", "external_id": "7", "address": "长岸村四十四组道路", "channel": "hotline"}
    (again,) = store(connection, Submission(clean(raw, datetime.now(UTC))))
    assert again.repeated


def test_a_hundred_concurrent_retries_store_one_event(engine: sa.Engine) -> None:
    ready = threading.Barrier(8)
    live = Live()

    def send(_: int) -> list[Outcome]:
        ready.wait()
        with engine.begin() as connection:
            return accept(connection, live, [submission("same", external_id="7")], actor="tester")

    with ThreadPoolExecutor(8) as pool:
        outcomes = [one for found in pool.map(send, range(96)) for one in found]
    assert len({one.event for one in outcomes}) == 1
    assert sum(not one.repeated for one in outcomes) == 1
    with engine.connect() as connection:
        assert (count(connection), count(connection, "assignment")) == (1, 1)


def test_batches_with_the_same_keys_in_other_orders_do_not_block_each_other(engine: sa.Engine) -> None:
    ready = threading.Barrier(2)
    live = Live()
    sent = [submission(external_id=str(i)) for i in range(200)]

    def send(backwards: bool) -> list[Outcome]:
        ready.wait()
        with engine.begin() as connection:
            return accept(connection, live, sent[::-1] if backwards else sent, actor="tester")

    with ThreadPoolExecutor(2) as pool:
        outcomes = [one for found in pool.map(send, [False, True]) for one in found]
    assert sum(one.repeated for one in outcomes) == 200
    with engine.connect() as connection:
        assert count(connection) == 200


def test_a_rehearsal_says_what_would_happen_and_stores_nothing(connection: sa.Connection) -> None:
    store(connection, submission(external_id="7"))
    open_rehearsal(connection)
    known, fresh = store(connection, submission(external_id="7"), submission(external_id="8"), rehearse=True)
    later, other = store(
        connection, submission(external_id="8"), submission(external_id="8", text="else"), rehearse=True
    )
    assert (known.repeated, fresh.repeated, later.repeated) == (True, False, True)
    assert isinstance(other.error, KeyReused)
    assert (count(connection), count(connection, "event_key")) == (1, 1)
