"""Whatever is sent, the answer is ours: never a 500, always a problem that says why, and a 201 can be read back."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from data.report import LENGTHS
from tests.asking import LAT, LON, Asking

FEW = settings(max_examples=120, suppress_health_check=[HealthCheck.function_scoped_fixture])

texts = st.text(max_size=12) | st.sampled_from(
    [
        "",
        "wgs84",
        "gcj02",
        "EPSG:4549",
        "2026-05-03T08:00:00Z",
        "2026-05-03T08:00:00",
        "-inf",
        "nan",
        "open",
        "closed",
        "a\0b",
        "';--",
        "🌊",
    ]
)
scalars = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | texts
values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3), max_leaves=8
)
NAMES = ["lon", "lat", "crs", "accuracy_m", "occurred_at", "reported_at", "closed_at", "status", *LENGTHS]
members = st.dictionaries(st.sampled_from(NAMES) | texts, values, max_size=5)
GOOD = {"lon": LON + 0.005, "lat": LAT + 0.005, "channel": "x"}


def assert_ours(answer: Any) -> None:
    assert answer.status_code < 500, answer.text
    if answer.request.url.path.startswith("/open311/"):  # errors in that standard's own form
        assert answer.headers["content-type"].split(";")[0] in {
            "application/json",
            "text/xml",
            "application/problem+json",
        }
    elif answer.status_code >= 400:
        assert answer.headers["content-type"] == "application/problem+json"
        problem = answer.json()
        assert problem["status"] == answer.status_code
        assert problem["detail"]


def doubles(answer: Any) -> Any:
    """The JSON of an answer as most clients read it: every number a double."""
    return json.loads(answer.text, parse_int=float)


@FEW
@given(members)
def test_any_report_is_stored_or_refused(asking: Asking, body: dict[str, Any]) -> None:
    answer = asking.http.post("/v1/events", params={"duplicates": False}, json=GOOD | body)
    assert_ours(answer)
    assert answer.status_code in {200, 201, 400, 409, 413, 422}
    if answer.status_code in {200, 201}:
        uid = answer.json()["id"]
        read = asking.http.get(f"/v1/events/{uid}")
        assert doubles(read) == doubles(answer) | {"links": [], "group": [], "representative": uid}


@FEW
@given(values | members)
def test_any_json_is_a_report_or_a_problem(asking: Asking, body: Any) -> None:
    for path in ("/v1/events", "/v1/locate"):
        assert_ours(asking.http.post(path, json=body))


@FEW
@given(st.lists(values | members.map(lambda body: GOOD | body), max_size=4), st.booleans())
def test_every_line_of_a_batch_has_its_result(asking: Asking, rows: list[Any], atomic: bool) -> None:
    body = "\n".join(map(json.dumps, rows))
    kind = {"Content-Type": "application/x-ndjson"}
    answer = asking.http.post("/v1/events/batch", content=body.encode(), headers=kind, params={"atomic": atomic})
    assert_ours(answer)
    if answer.status_code == 200:
        assert [one["row"] for one in answer.json()["results"]] == list(range(1, len(rows) + 1))
    array = asking.http.post(
        "/v1/events/batch", content=json.dumps(rows).encode(), headers={"Content-Type": "application/json"}
    )
    assert_ours(array)
    if array.status_code == 200:
        assert array.json()["rows"] == len(rows)


@FEW
@given(st.binary(max_size=60), st.sampled_from(["application/x-ndjson", "text/csv", "application/geo+json", "application/json",
                                               "application/vnd.apache.arrow.stream", "text/csv; charset=utf-8"]))  # fmt: skip
def test_any_bytes_are_read_or_refused(asking: Asking, body: bytes, kind: str) -> None:
    for path in ("/v1/events", "/v1/events/batch", "/v1/locate"):
        assert_ours(asking.http.post(path, content=body, headers={"Content-Type": kind}))


@FEW
@given(st.lists(st.lists(texts | st.floats().map(str), min_size=1, max_size=5), max_size=5))
def test_any_table_is_read_or_refused(asking: Asking, cells: list[list[str]]) -> None:
    body = "\n".join(["lon,lat,channel,text,external_id", *(",".join(row) for row in cells)])
    for path in ("/v1/events/batch", "/v1/locate"):
        assert_ours(asking.http.post(path, content=body.encode(), headers={"Content-Type": "text/csv"}))


def routes() -> list[tuple[str, str, tuple[str, ...]]]:
    """Every route with its query parameters, as the application itself describes them."""
    from api.app import create_app
    from tests.asking import settings_of

    paths = create_app(settings_of("postgresql://nobody@127.0.0.1:1/none")).openapi()["paths"]
    return [
        (method, path, tuple(one["name"] for one in operation.get("parameters", []) if one["in"] == "query"))
        for path, methods in paths.items()
        for method, operation in methods.items()
    ]


ROUTES = routes()
TIMES = [
    "2026-05-03T08:00:00Z",
    "0001-01-01T00:00:00Z",
    "9999-12-31T23:59:59.999999Z",
    "2026-05-03T08:00:00Z/..",
    "../..",
]
NUMBERS = ["1", "0", "-1", "1e400", "nan", "400", "121.2", "32.05", "121.2,32.05,121.21,32.06"]
WORDS = ["general", "A1", "B1", "WyJBMSJd", "true", "png", "en", "%", "\0", "wgs84"]
words = st.sampled_from([*TIMES, *NUMBERS, *WORDS]) | texts


def test_the_routes_are_those_of_the_contract() -> None:
    events = {f"/v1/events{tail}" for tail in ("", "/batch", "/unassigned", "/{event}", "/{event}/assignments")}
    grids = {f"/v1/grids{tail}" for tail in ("", "/{name}", "/{name}/history", "/{name}/neighbours")}
    others = {"/v1/locate", "/v1/generations", "/maps/grids", "/healthz", "/readyz"}
    assert {path for _, path, _ in ROUTES} >= events | grids | others


@pytest.mark.parametrize(("method", "path", "names"), ROUTES)
@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_any_parameter_of_any_route_is_used_or_refused(
    asking: Asking, method: str, path: str, names: tuple[str, ...], data: st.DataObject
) -> None:
    parameters = data.draw(st.dictionaries(st.sampled_from([*names, "unknown"]), words, max_size=4))
    if "{" in path:
        start, _, rest = path.partition("{")
        path = start + quote(data.draw(words), safe="") + rest.partition("}")[2]
    if path == "/maps/grids":
        parameters |= {"width": "400", "height": "300", "channel": "nobody"}
    assert_ours(asking.http.request(method.upper(), path, params=parameters))
