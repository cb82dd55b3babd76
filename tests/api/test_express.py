"""A plain report goes past routing: it is answered exactly as by the route itself."""

from __future__ import annotations

import json
from typing import Any

import pytest

from api.express import is_plain
from tests.asking import LAT, LON, Asking

GOOD = {"lon": LON + 0.005, "lat": LAT + 0.005, "channel": "hotline"}
BODIES = [
    json.dumps(GOOD),
    json.dumps(GOOD | {"lon": 200}),
    json.dumps({"channel": "x"}),
    "{",
    "[]",
    "",
    '{"channel": 3}',
]
HEADERS: list[dict[str, str]] = [
    {"X-API-Key": "m-key"}, {"X-API-Key": "v-key"}, {}, {"X-API-Key": "wrong"}, {"Authorization": "Bearer m-key"},
    {"X-API-Key": "m-key", "Idempotency-Key": "k" * 256}, {"X-API-Key": "m-key", "Idempotency-Key": "k" * 257},
    {"X-API-Key": "m-key", "Idempotency-Key": ""},
]  # fmt: skip
#: What every answer has of its own.
OWN = ("id", "received_at", "reported_at", "occurred_at", "assignment", "duplicates")


def said(alone: Asking, path: str, body: str, headers: dict[str, str]) -> Any:
    answer = alone.as_(None).post(path, content=body, headers=headers)
    shown = {name: value for name, value in answer.json().items() if name not in OWN}
    return answer.status_code, answer.headers["content-type"], answer.headers.get("www-authenticate"), shown


@pytest.mark.parametrize("headers", HEADERS)
def test_a_plain_report_is_answered_as_by_the_route(alone: Asking, headers: dict[str, str]) -> None:
    for body in BODIES:
        plain = said(alone, "/v1/events", body, headers)
        assert plain == said(
            alone,
            "/v1/events?duplicates=false",
            body,
            {**headers, "Idempotency-Key": "other"} if plain[0] == 201 else headers,
        )


def test_an_unknown_parameter_is_refused_as_ever(alone: Asking) -> None:
    assert alone.http.post("/v1/events?lag=1", json=GOOD).json()["code"] == "parameter-invalid"


@pytest.mark.parametrize(
    ("changes", "plain"),
    [
        ({}, True), ({"method": "GET"}, False), ({"path": "/v1/events/batch"}, False), ({"query_string": b"a=1"}, False),
        ({"type": "websocket"}, False), ({"headers": [(b"idempotency-key", b"a")]}, True),
        ({"headers": [(b"idempotency-key", b"a")] * 2}, False), ({"headers": [(b"idempotency-key", b"a" * 257)]}, False),
    ],
)  # fmt: skip
def test_plain_is_a_report_without_parameters(changes: dict[str, Any], plain: bool) -> None:
    scope = {"type": "http", "method": "POST", "path": "/v1/events", "query_string": b"", "headers": []} | changes
    assert is_plain(scope) is plain
