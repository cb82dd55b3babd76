"""Whatever is sent as a spot check, an outcome or a campaign, the answer is ours and never a 500."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from data.members import new_place
from gis.store.visits import keep_places
from tests.api.test_fuzz import assert_ours, texts, values
from tests.asking import LAT, LON, Asking

FEW = settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
RING = [[LON, LAT], [LON + 0.01, LAT], [LON + 0.01, LAT + 0.01], [LON, LAT]]
CAMPAIGN = {
    "code": "c",
    "title": "t",
    "kind": "k",
    "begin": "2026-05-01T00:00:00Z",
    "end": "2026-06-01T00:00:00Z",
    "note": "",
}
ABOUT: list[dict[str, Any]] = [
    {"places": ["P"]}, {"place_kinds": ["餐饮"]}, {"area": {"type": "Polygon", "coordinates": [RING]}},
]  # fmt: skip
DRAW = {"n": 2, "seed": 1, "layer": "general", "at": "2026-05-03T08:00:00Z", "reason": ""}
CHANGE = {
    "title": "t",
    "end": "2026-07-01T00:00:00Z",
    "closed": False,
    "note": "",
    "places": {"add": ["P"], "remove": []},
}
NOTE = {"outcome": "fine", "note": "x"}


@pytest.fixture(scope="module")
def rounds(asking: Asking) -> Iterator[Asking]:
    """The town with a place and a campaign `kept`."""
    place = {
        "code": "P",
        "kind": "餐饮",
        "name": "P",
        "lon": LON + 0.002,
        "lat": LAT + 0.002,
        "since": "2026-01-01T00:00:00Z",
    }
    with asking.app.state.engine.begin() as connection:
        keep_places(connection, [new_place(place)])
    assert asking.http.post("/v1/campaigns", json=CAMPAIGN | ABOUT[0] | {"code": "kept"}).status_code == 201
    return asking


@FEW
@given(
    about=st.sampled_from(ABOUT),
    change=st.dictionaries(st.sampled_from([*CAMPAIGN, "places", "place_kinds", "area"]) | texts, values, max_size=3),
)
def test_any_campaign_is_answered_by_us(rounds: Asking, about: dict[str, Any], change: dict[str, Any]) -> None:
    answer = rounds.http.post("/v1/campaigns", json=CAMPAIGN | about | change)
    assert_ours(answer)
    if answer.status_code == 201:
        assert_ours(rounds.http.get(answer.headers["Location"]))


numbers = st.lists(
    st.lists(st.lists(st.floats(-200, 200) | st.none() | st.integers(), max_size=4), max_size=6), max_size=3
)


@FEW
@given(
    kind=st.sampled_from(["Polygon", "MultiPolygon", "Point"]) | texts,
    coordinates=numbers | st.lists(numbers, max_size=2) | values,
)
def test_any_area_is_answered_by_us(rounds: Asking, kind: str, coordinates: Any) -> None:
    area = {"area": {"type": kind, "coordinates": coordinates}}
    assert_ours(rounds.http.post("/v1/campaigns", json=CAMPAIGN | area))


@FEW
@given(code=st.just("kept") | texts, change=st.dictionaries(st.sampled_from([*CHANGE]) | texts, values, max_size=3))
def test_any_change_of_a_campaign_is_answered_by_us(rounds: Asking, code: str, change: dict[str, Any]) -> None:
    assert_ours(rounds.http.patch(f"/v1/campaigns/{quote(code, safe='')}", json=CHANGE | change))


@FEW
@given(change=st.dictionaries(st.sampled_from([*DRAW]) | texts, values, max_size=3))
def test_any_draw_is_answered_by_us(rounds: Asking, change: dict[str, Any]) -> None:
    answer = rounds.http.post("/v1/spotchecks", json=DRAW | change)
    assert_ours(answer)
    if answer.status_code == 201:
        verified = rounds.http.get(answer.headers["Location"], params={"verify": True})
        assert verified.json()["reproduced"] is True


@FEW
@given(
    code=st.sampled_from(["A1", "B3"]) | texts,
    change=st.dictionaries(st.sampled_from([*NOTE]) | texts, values, max_size=3),
)
def test_any_outcome_is_answered_by_us(rounds: Asking, code: str, change: dict[str, Any]) -> None:
    path = rounds.http.post("/v1/spotchecks", json={"n": 3}).headers["Location"]
    assert_ours(rounds.http.patch(f"{path}/grids/{quote(code, safe='')}", json=NOTE | change))


@FEW
@given(body=st.binary(max_size=60), code=texts)
def test_any_bytes_are_answered_by_us(rounds: Asking, body: bytes, code: str) -> None:
    for method, path in (("POST", "/v1/campaigns"), ("POST", "/v1/spotchecks"), ("PATCH", "/v1/campaigns/kept")):
        assert_ours(rounds.http.request(method, path, content=body))
    assert_ours(rounds.http.get("/v1/campaigns", params={"kind": code, "at": code, "cursor": code}))
