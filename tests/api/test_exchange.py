"""Boundaries as files over HTTP and from the terminal: out, edited elsewhere, and in again as operations of a plan."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import shapely

from tests.asking import LAT, LON, Asking
from tests.terminal import Terminal

KEYS = "p-key:pia:planner,v-key:vera:viewer"


@pytest.fixture(scope="module")
def asking(databases: Any, town_template: str) -> Iterator[Asking]:
    url = databases.make(town_template)
    asking = Asking(url, api_keys=KEYS)
    with asking.http:
        yield asking
    databases.drop(url)


@pytest.fixture
def terminal(alone: Asking, monkeypatch: pytest.MonkeyPatch) -> Terminal:
    return Terminal(alone.url, monkeypatch)


def exported(asking: Asking, **params: Any) -> dict[str, Any]:
    answer = asking.http.get("/v1/export/grids", params={"layer": "general", "level": "grid"} | params)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def edited(found: dict[str, Any]) -> dict[str, Any]:
    """A1 is divided in the middle and A2 renamed, as somebody would do it in another program."""
    by_code = {one["properties"]["code"]: one for one in found["features"]}
    shape = shapely.geometry.shape(by_code["A1"]["geometry"])
    west, east = (
        shapely.intersection(shape, shapely.box(LON + a / 100, LAT - 1, LON + b / 100, LAT + 1))
        for a, b in ((-1, 0.5), (0.5, 1))
    )
    parts = [
        {"type": "Feature", "geometry": shapely.geometry.mapping(part), "properties": {"code": code, "name": name}}
        for part, code, name in ((west, "A1W", "西"), (east, "A1E", "东"))
    ]
    by_code["A2"]["properties"]["name"] = "北桥"
    rest = [one for code, one in by_code.items() if code != "A1"]
    return found | {"features": [*rest, *parts]}


@pytest.mark.parametrize("f", ["geojson", "gpkg", "zip", "kml", "csv"])
def test_what_is_in_force_can_be_had_as_a_file(asking: Asking, f: str) -> None:
    answer = asking.as_("v-key").get("/v1/export/grids", params={"f": f})
    assert answer.status_code == 200, answer.text
    assert answer.headers["Content-Disposition"] == f'attachment; filename="grids-3.{f}"'
    assert len(answer.content) > 100


def test_a_file_in_another_datum_says_so_and_an_unknown_layer_is_refused(asking: Asking) -> None:
    inside, outside = (exported(asking, crs=crs)["features"][0]["geometry"] for crs in ("gcj02", "wgs84"))
    assert shapely.distance(*(shapely.geometry.shape(one).centroid for one in (inside, outside))) > 0.003
    assert asking.http.get("/v1/export/grids", params={"layer": "foo"}).json()["place"] == "layer"


def test_an_edited_file_becomes_the_operations_that_were_meant(asking: Asking) -> None:
    http = asking.as_("p-key")
    plan = http.post("/v1/plans", json={"title": "外部修改"}).json()["id"]
    body = json.dumps(edited(exported(asking))).encode()
    headers = {"If-Match": '"1"', "Content-Type": "application/geo+json"}
    params = {"layer": "general", "level": "grid"}
    answer = http.post(f"/v1/plans/{plan}/import", params=params, content=body, headers=headers)
    assert answer.status_code == 201, answer.text
    assert answer.json()["operations"] == {"rename": 1, "split": 1}
    drawn = http.get(f"/v1/plans/{plan}/export", params={"level": "grid", "layer": "general"}).json()["features"]
    assert {(one["properties"]["code"], one["properties"]["name"]) for one in drawn} >= {("A1W", "西"), ("A2", "北桥")}
    again = http.post(
        f"/v1/plans/{plan}/import", params=params, content=body, headers=headers | {"If-Match": answer.headers["ETag"]}
    )
    assert (again.status_code, again.json()["code"]) == (409, "state-conflict")


def test_a_file_with_errors_changes_nothing_and_they_are_answered(asking: Asking) -> None:
    http = asking.as_("p-key")
    plan = http.post("/v1/plans", json={"title": "坏文件"}).json()["id"]
    found = exported(asking)
    found["features"].append(found["features"][0] | {"properties": {"code": "again", "name": "again"}})
    headers = {"If-Match": '"1"', "Content-Type": "application/geo+json"}
    answer = http.post(f"/v1/plans/{plan}/import", content=json.dumps(found), headers=headers)
    assert answer.status_code == 422
    assert "overlap" in answer.json()["summary"]
    assert http.get(f"/v1/plans/{plan}").json()["operations"] == []


def test_a_file_rounded_to_six_decimals_says_only_what_was_meant(asking: Asking) -> None:
    found = exported(asking, crs="gcj02")
    for feature in found["features"]:
        shape = shapely.geometry.shape(feature["geometry"])
        feature["geometry"] = shapely.geometry.mapping(shapely.transform(shape, lambda xy: np.round(xy, 6)))
    found["features"][1]["properties"]["name"] = "新名"
    answer = sent(asking, json.dumps(found))
    assert (answer.status_code, answer.json()["operations"]) == (201, {"rename": 1}), answer.text
    assert "less than 0.08 m is taken for rounding" in answer.json()["notes"][-1]


def test_a_grid_that_the_file_leaves_out_does_not_end_unseen(asking: Asking) -> None:
    found = exported(asking)
    left = [one for one in found["features"] if one["properties"]["code"] != "B3"]
    answer = sent(asking, json.dumps(found | {"features": left}))
    assert (answer.status_code, answer.json()["notes"][-1]) == (201, "the file does not have B3: these grids end")


@pytest.mark.parametrize(
    ("body", "place", "said"),
    [
        ("hello", "sent.geojson", "cannot be read: sent.geojson not recognized as being in a supported file format"),
        ('{"type": "FeatureCollection", "features": []}', "code_field", "say which with code_field"),
    ],
)
def test_a_file_that_cannot_be_used_is_refused_in_the_words_of_http(
    asking: Asking, body: str, place: str, said: str
) -> None:
    answer = sent(asking, body)
    assert (answer.status_code, answer.json()["place"]) == (422, place)
    assert said in answer.json()["detail"]
    assert "/" not in answer.json()["detail"]


def sent(asking: Asking, body: str) -> Any:
    """The answer to the import of a file into a new plan, which is given up."""
    http = asking.as_("p-key")
    plan = http.post("/v1/plans", json={"title": "一次"}).json()["id"]
    headers = {"If-Match": '"1"', "Content-Type": "application/geo+json"}
    answer = http.post(f"/v1/plans/{plan}/import", content=body.encode(), headers=headers)
    seen = {"If-Match": http.get(f"/v1/plans/{plan}").headers["ETag"]}
    assert http.post(f"/v1/plans/{plan}/withdraw", json={"reason": "一次"}, headers=seen).status_code == 200
    return answer


def test_the_terminal_shows_first_and_keeps_when_told(terminal: Terminal, alone: Asking, tmp_path: Path) -> None:
    path = tmp_path / "edited.geojson"
    path.write_text(json.dumps(edited(exported(alone))), "utf-8")
    dry = terminal.run("plan", "import", path)
    assert (dry.code, "operations: rename 1, split 1" in dry.out, "dry run" in dry.out) == (0, True, True), dry.err
    assert "there are no plans" in terminal.run("plan", "list").out
    kept = terminal.run("plan", "import", path, "--title", "外部修改", "--commit")
    assert kept.code == 0, kept.err
    listed = terminal.run("plan", "list").out
    assert "外部修改" in listed
    plan = listed.split()[0]
    sheet = tmp_path / "sheet.pdf"
    assert terminal.run("plan", "sheet", plan, "-o", sheet).code == 0
    assert sheet.read_bytes().startswith(b"%PDF")
