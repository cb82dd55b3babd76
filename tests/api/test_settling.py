"""Officers over HTTP: moving, naming, closing, the queue."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import pytest

from tests.asking import LAT, LON, Asking

REASON = "known to the village"


def posted(asking: Asking, **fields: Any) -> str:
    answer = asking.report(**fields)
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


def test_a_moved_pin_gets_its_new_grid(asking: Asking) -> None:
    event = posted(asking)
    moved = asking.http.patch(f"/v1/events/{event}", json={"lon": LON + 0.015, "lat": LAT + 0.005, "accuracy_m": 8})
    assert moved.status_code == 200, moved.text
    assert (moved.json()["accuracy_m"], moved.json()["crs"]) == (8, "wgs84")
    assert (moved.json()["grid"], moved.json()["lon"]) == ("B3", LON + 0.015)
    read = asking.http.get(f"/v1/events/{event}").json()
    assert read["grid"] == "B3"


def test_an_event_is_closed_with_a_reason(asking: Asking) -> None:
    event = posted(asking)
    closed = asking.http.patch(f"/v1/events/{event}", json={"status": "closed", "reason": "路灯已修复"}).json()
    assert (closed["status"], closed["status_reason"]) == ("closed", "路灯已修复")
    assert closed["closed_at"] is not None
    again = asking.http.patch(f"/v1/events/{event}", json={"status": "closed", "reason": "x"})
    assert (again.status_code, again.json()["code"]) == (409, "state-conflict")


def test_an_officers_word_wins(asking: Asking) -> None:
    event = posted(asking)
    named = asking.http.post(f"/v1/events/{event}/override", json={"grid": "M", "reason": REASON}).json()
    assert (named["grid"], named["assignment"]["method"], named["reason"]) == ("M", "override", REASON)
    causes = [one["cause"] for one in asking.http.get(f"/v1/events/{event}/assignments").json()["assignments"]]
    assert causes == ["received", "override"]


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({"grid": "B1", "reason": REASON}, 410, "code-voided"),
        ({"grid": "Z", "reason": REASON}, 404, "grid-unknown"),
        ({"grid": "M"}, 422, "field-missing"),
        ({"reason": REASON}, 422, "field-missing"),
        ({"grid": 7, "reason": REASON}, 422, "field-missing"),
        ({"grid": "M", "reason": "x" * 2001}, 400, "parameter-invalid"),
    ],
)
def test_a_word_that_cannot_hold_is_refused(asking: Asking, body: dict[str, Any], status: int, code: str) -> None:
    answer = asking.http.post(f"/v1/events/{posted(asking)}/override", json=body)
    assert (answer.status_code, answer.json()["code"]) == (status, code)


@pytest.mark.parametrize(
    ("body", "status"),
    [({}, 400), ({"text": "else"}, 400), ({"lon": 121.2}, 422), ({"lon": 32.05, "lat": 121.2}, 422),
     ({"status": "lost", "reason": REASON}, 400), ({"status": "closed"}, 422),
     ({"lon": 121.2, "lat": 32.05, "accuracy_m": -1}, 400), ({"address": ""}, 422), ({"address": None}, 422),
     ({"address": ["x"]}, 400), ({"address": "路" * 2_001}, 413), ({"address": "x", "accuracy_m": 5}, 400),
     ({"address": "x", "crs": "gcj02"}, 400), ({"address": "x", "lon": 121.2}, 422)],
)  # fmt: skip
def test_a_change_that_is_none_is_refused(asking: Asking, body: dict[str, Any], status: int) -> None:
    event = posted(asking)
    assert asking.http.patch(f"/v1/events/{event}", json=body).status_code == status
    assert len(asking.http.get(f"/v1/events/{event}/assignments").json()["assignments"]) == 1


def test_the_queue_is_settled_with_a_result_each(asking: Asking) -> None:
    waiting = [posted(asking, lon=..., lat=..., address=f"somewhere {i}") for i in range(2)]
    settled, unknown = posted(asking), str(uuid4())
    body = {"events": [*waiting, settled, unknown], "grid": "A1", "reason": "asked by phone"}
    answer = asking.http.post("/v1/events/unassigned/resolve", json=body).json()
    assert (answer["resolved"], answer["refused"]) == (2, 2)
    assert [one.get("code") for one in answer["results"]] == [None, None, "state-conflict", "event-unknown"]
    queue = asking.http.get("/v1/events/unassigned?limit=1000").json()["features"]
    assert not {one["id"] for one in queue} & set(waiting)


@pytest.mark.parametrize("events", [None, [], "x", ["x"], [str(uuid4())] * 2000 + [str(uuid4()) for _ in range(1001)]])
def test_a_queue_call_without_ids_is_refused(asking: Asking, events: Any) -> None:
    body = {"events": events, "grid": "A1", "reason": REASON}
    assert asking.http.post("/v1/events/unassigned/resolve", json=body).status_code in {400, 422}


@pytest.mark.parametrize(("key", "status"), [(None, 401), ("v-key", 403), ("m-key", 403), ("d-key", 200)])
def test_settling_needs_a_dispatcher(asking: Asking, key: str | None, status: int) -> None:
    event = posted(asking)
    client = asking.as_(key)
    assert client.post(f"/v1/events/{event}/override", json={"grid": "M", "reason": REASON}).status_code == status


def test_the_receipts_show_the_probabilities_they_were_decided_by(asking: Asking) -> None:
    event = posted(asking, accuracy_m=20)
    asking.http.patch(f"/v1/events/{event}", json={"lon": LON + 0.015, "lat": LAT + 0.005})
    first, moved = asking.http.get(f"/v1/events/{event}/assignments").json()["assignments"]
    assert (first["grounds"]["doubt"]["wins"], first["grounds"]["doubt"]["accuracy_m"]) == ({"A1": 1.0}, 20.0)
    assert "doubt" not in moved["grounds"]
