"""Every refusal is RFC 9457, whoever refuses: we, the framework, or the unexpected."""

from __future__ import annotations

import inspect
from typing import Any

import pytest

from api.errors import problem_of, status_of
from gis import errors
from tests.asking import Asking

LEAVES = [kind for _, kind in inspect.getmembers(errors, inspect.isclass) if issubclass(kind, errors.GridError)]


@pytest.mark.parametrize("kind", LEAVES)
def test_every_refusal_has_a_status_and_a_code_of_its_own(kind: type[errors.GridError]) -> None:
    assert 400 <= status_of(kind("why")) < 600
    assert [other for other in LEAVES if other.code == kind.code] == [kind]


EXPECTED = {
    errors.CoordinateInvalid: 422, errors.ParameterInvalid: 400, errors.BodyUnreadable: 400, errors.BodyTooLarge: 413,
    errors.KeyReused: 409, errors.TopologyRefused: 409, errors.EventUnknown: 404, errors.CodeVoided: 410, errors.RoleTooLow: 403,
    errors.KeyMissing: 401, errors.DatabaseUnavailable: 503,
}  # fmt: skip


@pytest.mark.parametrize(("kind", "status"), EXPECTED.items())
def test_the_nearest_kind_decides_the_status(kind: type[errors.GridError], status: int) -> None:
    assert status_of(kind("why")) == status


def test_a_problem_has_the_members_of_the_standard_and_the_facts() -> None:
    answer = problem_of(errors.KeyReused("why", place="external_id", event="e"))
    assert answer.media_type == "application/problem+json"
    assert bytes(answer.body) == (
        b'{"type":"urn:gridbeat:problem:key-reused","title":"Conflict","status":409,"code":"key-reused","detail":"why",'
        b'"place":"external_id","event":"e"}'
    )


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [("GET", "/nowhere", 404), ("GET", "/v1", 404), ("DELETE", "/v1/events", 405), ("PUT", "/v1/locate", 405),
     ("GET", "/v1/events/batch", 400), ("GET", "/static/../../etc/passwd", 404), ("GET", "/static/%2e%2e/%2e%2e/pyproject.toml", 404)],
)  # fmt: skip
def test_the_framework_s_refusals_are_problems_too(asking: Asking, method: str, path: str, status: int) -> None:
    answer = asking.http.request(method, path)
    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json"), answer.text
    assert answer.json()["status"] == status
    assert answer.json()["code"]


def test_the_unexpected_is_a_500_that_tells_nothing(alone: Asking, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: Any, **__: Any) -> Any:
        raise RuntimeError("a secret of ours")

    monkeypatch.setattr("api.routers.grids.list_grids", broken)
    answer = alone.http.get("/v1/grids")
    assert (answer.status_code, answer.json()["code"]) == (500, "unexpected")
    assert answer.headers["content-type"] == "application/problem+json"
    assert "secret" not in answer.text


def test_a_message_with_a_broken_surrogate_is_still_a_problem() -> None:
    assert problem_of(errors.FieldMissing("no column \ud800", place="\ud800")).status_code == 422
