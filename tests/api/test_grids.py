"""`/v1/grids` and `/v1/generations`: boundaries at any moment, as known at any other."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
import shapely
from shapely.geometry import shape

from tests.api.test_events import refused
from tests.asking import BEGUN, EAST, LAT, LON, MERGED, MERGED_EAST, RENAMED, RENAMED_WEST, Asking, incoming, square

PROPERTIES = {
    "uid", "code", "name", "layer", "level", "parent", "area_m2", "valid_from", "valid_until", "generation",
}  # fmt: skip


def get(asking: Asking, path: str, **parameters: Any) -> dict[str, Any]:
    answer = asking.http.get(path, params=parameters)
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


def codes(asking: Asking, **parameters: Any) -> list[str]:
    return [one["id"] for one in get(asking, "/v1/grids", **parameters)["features"]]


def test_the_grids_in_force_are_listed_by_code_as_geojson(asking: Asking) -> None:
    answer = asking.http.get("/v1/grids")
    assert answer.headers["content-type"] == "application/geo+json"
    assert [one["id"] for one in answer.json()["features"]] == ["A1", "A2", "B3", "M", "V1", "V2"]
    first = answer.json()["features"][0]
    assert set(first["properties"]) == PROPERTIES
    assert (first["properties"]["name"], first["properties"]["parent"]) == ("南桥", "V1")
    assert shapely.normalize(shape(first["geometry"]).geoms[0]).equals_exact(square(0, 0, 1, 1).normalize(), 1e-9)
    assert first["properties"]["area_m2"] == pytest.approx(1_047_000, rel=0.01)


def test_grids_are_narrowed(asking: Asking) -> None:
    assert codes(asking, layer="dedicated") == ["M"]
    assert codes(asking, level="community") == ["V1", "V2"]
    assert codes(asking, parent="V1", layer="general") == ["A1", "A2"]
    uid = get(asking, "/v1/grids/V1")["properties"]["uid"]
    assert codes(asking, parent=uid, layer="general") == ["A1", "A2"]
    assert codes(asking, bbox=f"{LON},{LAT},{LON + 0.002},{LAT + 0.002}") == ["A1", "V1"]
    assert codes(asking, q="南") == ["A1"]
    assert codes(asking, q="b3") == ["B3"]
    assert codes(asking, q="%") == codes(asking, q="_") == []
    assert codes(asking, layer="frontage") == []


@pytest.mark.parametrize("limit", [1, 2, 4, 5, 6, 7])
def test_pages_of_grids_neither_lose_nor_repeat(asking: Asking, limit: int) -> None:
    found: list[str] = []
    parameters: dict[str, Any] = {"limit": limit}
    while True:
        page = get(asking, "/v1/grids", **parameters)
        found += [one["id"] for one in page["features"]]
        if page["next"] is None:
            break
        parameters["cursor"] = page["next"]
    assert found == ["A1", "A2", "B3", "M", "V1", "V2"]


def test_at_lists_the_grids_of_that_instant(asking: Asking) -> None:
    second = timedelta(seconds=1)
    assert codes(asking, at=(MERGED - second).isoformat(), level="grid") == ["A1", "A2", "B1", "B2", "M"]
    assert codes(asking, at=MERGED.isoformat(), level="grid") == ["A1", "A2", "B3", "M"]
    assert codes(asking, at=(BEGUN - second).isoformat()) == []
    assert get(asking, "/v1/grids/A1", at=(RENAMED - second).isoformat())["properties"]["name"] == "甲一"
    assert get(asking, "/v1/grids/A1", at=RENAMED.isoformat())["properties"]["name"] == "南桥"


def test_a_grid_is_found_by_code_and_by_uid_with_its_path(asking: Asking) -> None:
    by_code = get(asking, "/v1/grids/A1")
    assert get(asking, f"/v1/grids/{by_code['properties']['uid']}") == by_code
    assert [(step["level"], step["code"]) for step in by_code["properties"]["path"]] == [
        ("community", "V1"),
        ("grid", "A1"),
    ]


@pytest.mark.parametrize("tail", ["", "/neighbours"])
def test_a_voided_code_is_gone_with_its_successors(asking: Asking, tail: str) -> None:
    answer = asking.http.get(f"/v1/grids/B1{tail}")
    refused(answer, 410, "code-voided")
    assert answer.json()["successors"] == ["B3"]
    assert get(asking, f"/v1/grids/B1{tail}", at=RENAMED.isoformat())


@pytest.mark.parametrize("tail", ["", "/history", "/neighbours"])
@pytest.mark.parametrize("name", ["nobody", str(uuid4()), "南桥", "%27%3B--", "A1%20"])
def test_a_grid_that_never_was_is_not_found(asking: Asking, tail: str, name: str) -> None:
    refused(asking.http.get(f"/v1/grids/{name}{tail}"), 404, "grid-unknown")


@pytest.mark.parametrize("tail", ["", "/history", "/neighbours"])
def test_a_nul_in_a_name_is_refused(asking: Asking, tail: str) -> None:
    refused(asking.http.get(f"/v1/grids/A%00{tail}"), 400, "parameter-invalid")


def test_the_history_tells_every_fact_and_the_lineage(asking: Asking) -> None:
    history = get(asking, "/v1/grids/A1/history")
    names = [(fact["value"], fact["valid_from"][:10], fact["valid_until"]) for fact in history["facts"]
             if fact["fact"] == "name" and fact["recorded_until"] is None]  # fmt: skip
    assert names == [("甲一", "2025-01-01", "2025-04-01T00:00:00+00:00"), ("南桥", "2025-04-01", None)]
    assert "rename" in {one["kind"] for one in history["lineage"]}
    gone = get(asking, "/v1/grids/B1/history")
    (merge,) = [one for one in gone["lineage"] if one["kind"] == "merge"]
    assert merge["carries"] == "forward"
    assert merge["predecessor"] == gone["uid"]
    assert merge["share"] == pytest.approx(1)
    assert merge["successor"] == get(asking, "/v1/grids/B3")["properties"]["uid"]


def test_neighbours_come_with_the_border_they_share(asking: Asking) -> None:
    found = {one["grid"]: one["shared_m"] for one in get(asking, "/v1/grids/A1/neighbours")["neighbours"]}
    assert set(found) == {"A2", "B3"}
    assert found["A2"] == pytest.approx(944, abs=3)  # 0.01 degrees eastwards
    assert found["B3"] == pytest.approx(1_109, abs=3)  # and northwards
    before = get(asking, "/v1/grids/A1/neighbours", at=BEGUN.isoformat())["neighbours"]
    assert {one["grid"]: one["shared_m"] > 0 for one in before} == {"A2": True, "B1": True, "B2": False}
    assert get(asking, "/v1/grids/M/neighbours")["neighbours"] == []


def test_generations_are_listed_newest_first_in_pages(asking: Asking) -> None:
    page = get(asking, "/v1/generations", limit=2)
    assert [one["number"] for one in page["generations"]] == [3, 2]
    rest = get(asking, "/v1/generations", limit=2, cursor=page["next"])
    assert ([one["number"] for one in rest["generations"]], rest["next"]) == ([1], None)
    newest = page["generations"][0]
    assert set(newest) == {"number", "published_at", "effective_at", "correction", "reason", "actor", "summary"}
    assert (newest["effective_at"], newest["actor"]) == (MERGED.isoformat(), "test")
    assert newest["summary"]["retired"] == 2


def test_a_correction_changes_the_past_and_not_what_was_known(alone: Asking, drawn: Any) -> None:
    (known,) = alone.query("SELECT clock_timestamp()")[0]
    moved = EAST | {"B1": ("更正", *EAST["B1"][1:])}
    drawn.publish(incoming(RENAMED_WEST | moved), effective_at=RENAMED, correction=True, reason="误名")
    at = RENAMED.isoformat()
    assert get(alone, "/v1/grids/B1", at=at)["properties"]["name"] == "更正"
    assert get(alone, "/v1/grids/B1", at=at, known_at=known.isoformat())["properties"]["name"] == "乙一"
    assert get(alone, "/v1/grids/B3")["properties"]["name"] == "乙三"  # what came later stays


def test_without_any_grid_the_lists_are_empty(bare: Asking) -> None:
    assert get(bare, "/v1/grids")["features"] == []
    assert get(bare, "/v1/generations") == {"generations": [], "next": None}
    refused(bare.http.get("/v1/grids/A1"), 404, "grid-unknown")


def test_merging_again_leads_to_the_newest_successor(alone: Asking, drawn: Any) -> None:
    all_of = {"T": ("全村", None, square(0, 0, 2, 2))}
    drawn.publish(incoming(all_of))
    answer = alone.http.get("/v1/grids/B1")
    refused(answer, 410, "code-voided")
    assert answer.json()["successors"] == ["T"]
    assert set(MERGED_EAST) == {"B3"}
    refused(alone.http.get("/v1/grids/B3"), 410, "code-voided")
