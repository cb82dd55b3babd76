"""Alive, ready, documented; and what the caller sees when the database is gone."""

from __future__ import annotations

import re
import socket

import pytest

from api.settings import DEMO_KEY
from tests.api.test_events import refused
from tests.asking import Asking


@pytest.fixture
def nowhere() -> Asking:
    """An application whose database does not answer."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    return Asking(f"postgresql://gridbeat:secretword@127.0.0.1:{port}/gridbeat")


PATHS = [
    "/v1/locate?lon=121.2&lat=32.05", "/v1/events", "/v1/events/unassigned", "/v1/events/01a2046f-bc16-75a2-9fe6-568bf2d6d8df",
    "/v1/grids", "/v1/grids/A1", "/v1/grids/A1/history", "/v1/grids/A1/neighbours", "/v1/generations", "/maps/grids",
]  # fmt: skip


@pytest.mark.parametrize("path", PATHS)
def test_without_its_database_every_read_is_a_503_that_tells_nothing(nowhere: Asking, path: str) -> None:
    with nowhere.http:
        answer = nowhere.http.get(path)
        refused(answer, 503, "database-unavailable")
        assert answer.headers["retry-after"] == "5"
        assert not re.search("secretword|127.0.0.1|psycopg|refused|sqlalche", answer.text)


def test_without_its_database_a_report_is_a_503_and_a_bad_one_still_a_4xx(nowhere: Asking) -> None:
    refused(nowhere.report(), 503, "database-unavailable")
    refused(nowhere.http.post("/v1/events", content=b"{"), 400, "body-unreadable")
    refused(nowhere.as_(None).post("/v1/events", json={}), 401, "key-missing")


def test_health_asks_nothing_of_the_database(nowhere: Asking) -> None:
    with nowhere.http:
        answer = nowhere.http.get("/healthz")
        assert (answer.status_code, answer.json()) == (200, {"status": "ok"})
        assert answer.headers["cache-control"] == "no-store"


def test_not_ready_without_the_database(nowhere: Asking) -> None:
    answer = nowhere.http.get("/readyz")
    refused(answer, 503, "not-ready")
    assert "secretword" not in answer.text


def test_not_ready_before_the_migrations(empty_database: str) -> None:
    asking = Asking(empty_database)
    with asking.http:
        refused(asking.http.get("/readyz"), 503, "not-migrated")
        refused(asking.http.get("/v1/grids"), 503, "database-unavailable")


def test_ready_says_which_boundaries_are_loaded(asking: Asking) -> None:
    answer = asking.http.get("/readyz")
    assert answer.status_code == 200
    assert answer.json() == {
        "status": "ready", "generation": 3, "grids": {"dedicated/grid": 1, "general/community": 2, "general/grid": 3},
    }  # fmt: skip


def test_ready_over_an_empty_store(bare: Asking) -> None:
    assert bare.http.get("/readyz").json() == {"status": "ready", "generation": 0, "grids": {}}


def test_the_service_recovers_when_the_database_dropped_its_connections(asking: Asking) -> None:
    assert asking.http.get("/v1/grids").status_code == 200
    asking.query("""
        SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()""")
    assert asking.http.get("/v1/grids").status_code == 200
    assert asking.report().status_code == 201


def test_the_api_page_is_served_without_the_internet(asking: Asking) -> None:
    document = asking.http.get("/openapi.json").json()
    assert {"/v1/locate", "/v1/events", "/v1/events/batch", "/v1/grids", "/maps/grids", "/healthz"} <= set(
        document["paths"]
    )
    assert "requestBody" in document["paths"]["/v1/events"]["post"]
    assert DEMO_KEY not in str(document)
