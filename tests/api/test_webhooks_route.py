"""`/v1/webhooks`: administered by admins, secrets shown once, sent by the server's own thread."""

from __future__ import annotations

import threading
from typing import Any
from uuid import UUID

import pytest

from tests.asking import Asking
from tests.targets import serving
from tests.terminal import Terminal

OUTSIDE = "https://hooks.example.org/gridbeat"


@pytest.fixture(autouse=True)
def _no_name_service(monkeypatch: pytest.MonkeyPatch) -> None:
    """No test asks a name service: example.org stands for an outside address, all else is taken literally."""
    from data import webhooktarget

    real = webhooktarget.resolve

    def lookup(host: str, port: int) -> list[str]:
        return ["93.184.215.14"] if host.endswith("example.org") else real(host, port)

    monkeypatch.setattr("data.webhooktarget.resolve", lookup)


@pytest.fixture
def silent(databases: Any, town_template: str) -> Any:
    """The town behind an application that sends nothing."""
    url = databases.make(town_template)
    asking = Asking(url, webhook_sender=False)
    with asking.http:
        yield asking
    databases.drop(url)


def test_a_webhook_is_made_listed_without_its_secret_and_removed(silent: Asking) -> None:
    made = silent.http.post("/v1/webhooks", json={"url": OUTSIDE, "topics": ["event", "assignment"]})
    assert made.status_code == 201, made.text
    assert UUID(made.json()["id"])
    assert len(made.json()["secret"]) >= 32
    silent.report()
    (listed,) = silent.http.get("/v1/webhooks").json()["webhooks"]
    assert (listed["url"], listed["waiting"], listed["dead"]) == (OUTSIDE, 2, 0)
    assert made.json()["secret"] not in silent.http.get("/v1/webhooks").text
    assert silent.http.delete(f"/v1/webhooks/{listed['id']}").status_code == 204
    assert silent.http.get("/v1/webhooks").json() == {"webhooks": []}
    assert silent.http.delete(f"/v1/webhooks/{listed['id']}").status_code == 404
    assert silent.query("SELECT count(*) FROM delivery")[0][0] == 0
    actions = [
        row.action for row in silent.query("SELECT action FROM audit WHERE subject LIKE 'webhook/%' ORDER BY id")
    ]
    assert actions == ["add webhook", "remove webhook"]


@pytest.mark.parametrize(("key", "status"), [(None, 401), ("v-key", 403), ("d-key", 403)])
def test_only_admins_may(silent: Asking, key: str | None, status: int) -> None:
    client = silent.as_(key)
    assert client.get("/v1/webhooks").status_code == status
    assert client.post("/v1/webhooks", json={"url": OUTSIDE, "topics": ["event"]}).status_code == status


BAD = [
    ({}, 422, "target-refused"), ({"url": OUTSIDE}, 400, "parameter-invalid"), ({"url": OUTSIDE, "topics": []}, 400, "parameter-invalid"),
    ({"url": OUTSIDE, "topics": ["fix"]}, 400, "parameter-invalid"), ({"url": OUTSIDE, "topics": [7]}, 400, "parameter-invalid"),
    ({"url": OUTSIDE, "topics": ["event"], "secret": "short"}, 400, "parameter-invalid"),
    ({"url": OUTSIDE, "topics": ["event"], "secret": "密" * 20}, 400, "parameter-invalid"),
    ({"url": OUTSIDE, "topics": ["event"], "more": 1}, 400, "parameter-invalid"),
    ({"url": "http://127.0.0.1:80/", "topics": ["event"]}, 422, "target-refused"),
    ({"url": "http://[::ffff:169.254.169.254]/latest", "topics": ["event"]}, 422, "target-refused"),
]  # fmt: skip


@pytest.mark.parametrize(("body", "status", "code"), BAD)
def test_a_webhook_that_cannot_be_is_refused(asking: Asking, body: dict[str, Any], status: int, code: str) -> None:
    answer = asking.http.post("/v1/webhooks", json=body)
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert asking.query("SELECT count(*) FROM webhook")[0][0] == 0


def test_deliveries_are_paged_and_one_is_skipped_and_replayed(silent: Asking) -> None:
    made = silent.http.post("/v1/webhooks", json={"url": OUTSIDE, "topics": ["event", "assignment"]}).json()
    base = f"/v1/webhooks/{made['id']}/deliveries"
    silent.report()
    first = silent.http.get(base, params={"limit": 1}).json()
    (second,) = silent.http.get(base, params={"limit": 1, "cursor": first["next"]}).json()["deliveries"]
    (later,) = first["deliveries"]
    assert (later["notice"], second["notice"]) == ("assignment.received", "event.received")
    assert later["waits_for"] == second["id"]
    assert silent.http.post(f"{base}/{second['id']}/skip").json() == {"skipped": second["id"]}
    assert silent.http.post(f"{base}/{second['id']}/skip").status_code == 404
    assert [one["id"] for one in silent.http.get(base, params={"state": "skipped"}).json()["deliveries"]] == [
        second["id"]
    ]
    assert silent.http.post(f"{base}/{second['id']}/replay").json() == {"replayed": 1}
    assert silent.http.post(f"{base}/replay").json() == {"replayed": 0}
    for path in (base, f"{base}/replay", f"{base}/{second['id']}/replay"):
        unknown = path.replace(made["id"], str(UUID(int=7)))
        method = "GET" if path == base else "POST"
        assert silent.http.request(method, unknown).json()["code"] == "webhook-unknown"
    assert silent.http.get(base, params={"cursor": "x"}).status_code == 400


def test_the_servers_own_thread_sends_and_ends_with_it(databases: Any, town_template: str) -> None:
    url = databases.make(town_template)
    before = threading.enumerate()
    with serving() as target:
        asking = Asking(url, webhook_allow=target.allow)
        with asking.http:
            secret = "a-secret-that-we-brought"
            body = {"url": target.url, "topics": ["event", "assignment"], "secret": secret}
            assert asking.http.post("/v1/webhooks", json=body).json()["secret"] == secret
            event = asking.report().json()["id"]
            target.wait_for(2)
            assert all(one.is_signed_with(secret) for one in target.got)
            assert {one.json["event"]["id"] for one in target.got} == {event}
        assert not [one for one in threading.enumerate() if one.name == "webhook-sender" and one not in before]
    databases.drop(url)


def test_the_terminal_sends_once_what_is_due(silent: Asking, monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Terminal(silent.url, monkeypatch)
    with serving() as target:
        monkeypatch.setenv("GRIDBEAT_WEBHOOK_ALLOW", target.allow)
        allowing = Asking(silent.url, webhook_allow=target.allow)
        made = allowing.http.post("/v1/webhooks", json={"url": target.url, "topics": ["event"]})
        allowing.app.state.engine.dispose()
        assert made.status_code == 201
        silent.report()
        ran = terminal.run("webhooks", "send", "--once")
        assert (ran.code, ran.out) == (0, "1 delivered, 0 failed; 0 wait, 0 are dead\n"), ran.err
        target.answer = 500
        silent.report()
        ran = terminal.run("webhooks", "send", "--once")
        assert (ran.code, ran.out) == (1, "0 delivered, 1 failed; 1 wait, 0 are dead\n"), ran.err
    assert len(target.got) == 2


def test_an_unreadable_list_of_exceptions_stops_the_start(silent: Asking) -> None:
    from gis.errors import ParameterInvalid

    with pytest.raises(ParameterInvalid, match="neither host:port"):
        Asking(silent.url, webhook_allow="everything")
