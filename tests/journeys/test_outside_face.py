"""Whole jobs as a district does them: a messy file becomes a map; grids change and the past stays; a report is found in the queue."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import geopandas as gpd
import pytest
import shapely

from tests.asking import LAT, LON, Asking, square
from tests.terminal import Ran, Terminal

TODAY = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)


def polygon(*corners: tuple[float, float]) -> shapely.Polygon:
    return shapely.Polygon([(LON + x / 100, LAT + y / 100) for x, y in corners])


#: Drawn by hand: 02 overlaps 01 by a metre or so, and a sliver of nothing lies between 02 and 03.
MESSY = {
    "0001": ("一网格", square(0, 0, 1, 1)),
    "0002": ("二网格", polygon((0.999, 0), (2, 0), (2, 1), (1, 1))),
    "0003": ("三网格", polygon((2, 0), (3, 0), (3, 1), (2, 1), (2.001, 0.5))),
}


@pytest.fixture
def town(database: str) -> Iterator[Asking]:
    asking = Asking(database)
    with asking.http:
        yield asking


@pytest.fixture
def terminal(town: Asking, monkeypatch: pytest.MonkeyPatch) -> Terminal:
    return Terminal(town.url, monkeypatch)


def file_of(folder: Path, grids: dict[str, tuple[str, Any]], name: str) -> Path:
    frame = gpd.GeoDataFrame(
        {"网格编码": list(grids), "网格名称": [one for one, _ in grids.values()]},
        geometry=[shape for _, shape in grids.values()],
        crs=4326,
    )
    frame.to_file(folder / name)
    return folder / name


def load(terminal: Terminal, path: Path, *words: object) -> Ran:
    return terminal.run("load", "grids", path, "--layer", "general", *words)


def test_a_messy_file_is_checked_repaired_loaded_and_shown(terminal: Terminal, town: Asking, tmp_path: Path) -> None:
    messy = file_of(tmp_path, MESSY, "messy.gpkg")
    checked = terminal.run("check", messy, "--repair", tmp_path / "mended.gpkg", "--report", tmp_path / "findings.json")
    assert checked.code == 1, checked.err
    summary = json.loads((tmp_path / "findings.json").read_text())["summary"]
    assert summary["overlap"] == 1
    refused = load(terminal, messy, "--commit")
    assert refused.code == 1
    assert "overlap" in refused.out
    assert town.http.get("/v1/generations").json()["generations"] == []

    mended = load(terminal, tmp_path / "mended.gpkg", "--commit")
    assert (mended.code, "published generation 1" in mended.out) == (0, True), mended.out + mended.err
    assert [one["id"] for one in town.http.get("/v1/grids").json()["features"]] == ["0001", "0002", "0003"]

    event = town.report(lon=LON + 0.015, text="积水", category="排水").json()
    assert (event["grid"], event["method"]) == ("0002", "inside")
    page = town.http.get("/maps/grids")
    assert (page.status_code, "二网格" in page.text) == (200, True)
    picture = town.http.get("/maps/grids", params={"f": "png", "width": 640, "height": 480})
    assert picture.content.startswith(b"\x89PNG")


def test_a_rename_and_a_later_merger_each_hold_from_their_instant(
    terminal: Terminal, town: Asking, tmp_path: Path
) -> None:
    """As Chongming was renamed and Zhabei went into Jing'an: what is asked with `at` and `known_at` stays true."""
    three = {code: (name, square(i, 0, i + 1, 1)) for i, (code, (name, _)) in enumerate(MESSY.items())}
    renamed = three | {"0001": ("新一网格", three["0001"][1])}
    merged = {"0001": renamed["0001"], "0023": ("东网格", square(1, 0, 3, 1))}
    instants = [TODAY - timedelta(days=days) for days in (90, 60, 30)]
    for grids, instant, name in zip((three, renamed, merged), instants, ("a", "b", "c"), strict=True):
        ran = load(terminal, file_of(tmp_path, grids, f"{name}.gpkg"), "--effective", instant.isoformat(), "--commit")
        assert ran.code == 0, ran.out + ran.err

    def located(instant: datetime, **more: str) -> tuple[str | None, str | None]:
        places = {"lon": LON + 0.015, "lat": LAT + 0.005, "at": instant.isoformat()}
        answer = town.http.get("/v1/locate", params=places | more).json()
        return answer["grid"], answer["path"][-1]["name"] if answer["path"] else None

    day = timedelta(days=1)
    assert [located(one) for one in instants] == [("0002", "二网格"), ("0002", "二网格"), ("0023", "东网格")]
    assert located(instants[2] - day) == ("0002", "二网格")
    assert located(instants[0] - day) == (None, None)
    names = [
        town.http.get("/v1/grids/0001", params={"at": (one + day).isoformat()}).json()["properties"]["name"]
        for one in instants
    ]
    assert names == ["一网格", "新一网格", "新一网格"]

    published = [one["published_at"] for one in town.http.get("/v1/generations").json()["generations"]][::-1]
    assert located(instants[2], known_at=published[1]) == ("0002", "二网格")
    gone = town.http.get("/v1/grids/0003")
    assert (gone.status_code, gone.json()["successors"]) == (410, ["0023"])
    history = town.http.get("/v1/grids/0003/history").json()
    assert [
        (one["kind"], round(one["share"], 6)) for one in history["lineage"] if one["predecessor"] == history["uid"]
    ] == [("merge", 1.0)]


def test_a_report_without_a_grid_waits_in_the_queue_and_is_never_lost(
    terminal: Terminal, town: Asking, tmp_path: Path
) -> None:
    before = town.report(lon=LON + 0.005, external_id="热-1").json()
    assert (before["grid"], before["reason"]) == (None, "no-boundaries")
    load(terminal, file_of(tmp_path, {"0001": MESSY["0001"]}, "one.gpkg"), "--commit")
    inside = town.report(lon=LON + 0.005, external_id="热-2").json()
    assert (inside["grid"], inside["assignment"]["generation"]) == ("0001", 1)
    address = town.report(lon=..., lat=..., address="长岸村四十四组道路").json()
    outside = town.report(lon=LON + 1).json()

    queue = town.http.get("/v1/events/unassigned").json()["features"]
    reasons = {one["id"]: one["properties"]["reason"] for one in queue}
    assert reasons == {address["id"]: "address-only", outside["id"]: "beyond-tolerance"}
    found = town.http.get(f"/v1/events/{before['id']}").json()  # the first grids took it out of the queue
    receipts = town.http.get(f"/v1/events/{before['id']}/assignments").json()["assignments"]
    assert (found["grid"], [one["cause"] for one in receipts]) == ("0001", ["received", "published"])
    assert receipts[0]["answer"] == before["assignment"]
    for event in (inside, address, outside):
        read = town.http.get(f"/v1/events/{event['id']}").json()
        told = {name: value for name, value in event.items() if name != "duplicates"}
        assert {name: read[name] for name in told} == told
        (receipt,) = town.http.get(f"/v1/events/{event['id']}/assignments").json()["assignments"]
        assert receipt["answer"] == event["assignment"]
    again = town.report(lon=LON + 0.005, external_id="热-1").json()  # sent again: the same event, as it stands now
    assert {name: again[name] for name in again if name != "duplicates"}.items() <= found.items()
    assert town.http.get("/v1/events").json()["numberReturned"] == 4
