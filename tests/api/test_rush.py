"""More callers at once than the store has connections: everybody is answered, or told to come again."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.asking import LAT, LON, Asking

CALLERS = 60


@pytest.fixture
def narrow(databases: Any, town_template: str) -> Iterator[Asking]:
    """The drawn town behind an application with a single connection."""
    url = databases.make(town_template)
    asking = Asking(url, pool_size=1)
    with asking.http:
        yield asking
    databases.drop(url)


def test_sixty_callers_over_one_connection_are_all_answered(narrow: Asking) -> None:
    with ThreadPoolExecutor(CALLERS) as pool:
        reports = [pool.submit(narrow.report, external_id=str(n)) for n in range(CALLERS)]
        questions = [pool.submit(narrow.http.get, f"/v1/locate?lon={LON + 0.005}&lat={LAT + 0.005}") for _ in range(60)]
        assert {one.result().status_code for one in reports} == {201}
        assert {one.result().json()["grid"] for one in questions} == {"A1"}
    assert narrow.query("SELECT count(*), count(DISTINCT external_id) FROM event") == [(CALLERS, CALLERS)]
    assert narrow.query("SELECT count(*), count(DISTINCT event) FROM assignment") == [(CALLERS, CALLERS)]


def test_each_of_many_callers_at_once_hears_of_the_own_report(narrow: Asking) -> None:
    keys = ["m-key", "d-key"]

    def send(n: int) -> Any:
        body = {"lon": LON + 0.005, "lat": LAT + 0.005, "channel": "x", "text": str(n)}
        return narrow.http.post("/v1/events", json=body, headers={"Authorization": f"Bearer {keys[n % 2]}"}).json()

    with ThreadPoolExecutor(CALLERS) as pool:
        answers = list(pool.map(send, range(CALLERS)))
    assert [one["text"] for one in answers] == [str(n) for n in range(CALLERS)]
    rows = narrow.query("SELECT text, id::text, actor FROM event")
    assert {(one["text"], one["id"]) for one in answers} == {(text, event) for text, event, _ in rows}
    assert {(int(text) % 2, actor) for text, _, actor in rows} == {(0, "mia"), (1, "dan")}


def test_who_waits_too_long_for_a_turn_is_told_to_come_again(narrow: Asking, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("api.deps.PATIENCE_S", 0.05)
    monkeypatch.setattr(narrow.app.state, "turns", asyncio.Semaphore(0))
    answer = narrow.http.get("/v1/grids")
    assert (answer.status_code, answer.json()["code"]) == (503, "database-unavailable")
    assert answer.headers["Retry-After"] == "5"
    assert narrow.http.get("/healthz").status_code == 200


def test_a_stored_report_is_answered_though_nobody_can_look_for_duplicates(
    narrow: Asking, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("api.deps.PATIENCE_S", 0.05)
    monkeypatch.setattr(narrow.app.state, "turns", asyncio.Semaphore(0))
    answer = narrow.report()
    assert (answer.status_code, answer.json()["duplicates"]) == (201, None)


def test_a_refused_request_gives_its_turn_back(narrow: Asking) -> None:
    assert {narrow.report(lon=None, lat=None).status_code for _ in range(5)} == {422}
    assert {narrow.http.get("/v1/events/00000000-0000-7000-8000-000000000000").status_code for _ in range(5)} == {404}
    assert narrow.report().status_code == 201


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"accuracy_m": 12.5, "category": "06010", "text": "路灯\n不亮", "reporter": "王"},
        {"lon": 0.0, "lat": 51.5},
        {"lon": ..., "lat": ..., "address": "长岸村四十四组道路"},
        {"status": "closed", "closed_at": "2026-05-03T08:00:00.123456+08:00", "occurred_at": "2026-05-01T00:00:00Z"},
        {"own": {"z": 1.10, "a": [1e15, 12345678901234567890, None, True, "\x00"], "n": {}}},
    ],
)
def test_the_answer_to_a_report_is_what_is_read_back(asking: Asking, fields: dict[str, Any]) -> None:
    answer = asking.report(**fields).json()
    answer.pop("duplicates", None)
    read = asking.http.get(f"/v1/events/{answer['id']}").json()
    assert answer == {name: read[name] for name in answer}
