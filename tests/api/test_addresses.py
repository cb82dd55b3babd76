"""Words instead of coordinates, from the file to the queue: `gridbeat load gazetteer`, reports with an address alone."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.asking import LAT, LON, Asking
from tests.terminal import Terminal

#: 人民路 runs east through A1; 44组 lies in B3; 桥村 lies twice, in A2 and in B3.
TABLE = f"""name,kind,admin,lon,lat
人民路10号,building,甲镇,{LON + 0.0030},{LAT + 0.005}
人民路20号,building,甲镇,{LON + 0.0036},{LAT + 0.005}
四十四组,group,甲镇/长岸村,{LON + 0.015},{LAT + 0.003}
桥村,village,甲镇,{LON + 0.004},{LAT + 0.016}
桥村,village,乙镇,{LON + 0.016},{LAT + 0.016}
没有坐标,poi,甲镇,,
"""


@pytest.fixture
def terminal(alone: Asking, monkeypatch: pytest.MonkeyPatch) -> Terminal:
    return Terminal(alone.url, monkeypatch)


@pytest.fixture
def table(tmp_path: Path) -> Path:
    path = tmp_path / "names.csv"
    path.write_text(TABLE, encoding="utf-8")
    return path


def report(asking: Asking, address: str) -> dict[str, Any]:
    event: dict[str, Any] = asking.report(lon=..., lat=..., address=address).json()
    return event


def test_a_dry_run_stores_nothing_and_names_the_bad_row(terminal: Terminal, alone: Asking, table: Path) -> None:
    ran = terminal.run("load", "gazetteer", table)
    assert ran.code == 1
    assert "6 rows, 5 entries (building 2, group 1, village 2)" in ran.out
    assert "row 6:" in ran.out
    assert "dry run" in ran.out
    assert alone.query("SELECT count(*) FROM gazetteer_entry")[0][0] == 0
    assert "没有坐标" in table.with_name("names.csv.rejected.csv").read_text("utf-8-sig")


def test_a_report_with_an_address_finds_its_grid_as_soon_as_the_gazetteer_is_loaded(
    terminal: Terminal, alone: Asking, table: Path
) -> None:
    assert report(alone, "甲镇人民路15号")["reason"] == "address-only"
    terminal.run("load", "gazetteer", table, "--commit")
    event = report(alone, "甲镇人民路１５号附近")
    assert (event["grid"], event["method"], event["reason"]) == ("A1", "address", None)
    assert event["assignment"]["probability"] > 0.8
    assert (event["lon"], event["suggestions"]) == (None, None)
    group = report(alone, "长岸村四十四组道路")
    assert (group["grid"], group["assignment"]["candidates"][0]["grid"]) == ("B3", "B3")


def test_a_name_that_two_villages_bear_waits_with_both_as_suggestions(
    terminal: Terminal, alone: Asking, table: Path
) -> None:
    terminal.run("load", "gazetteer", table, "--commit")
    event = report(alone, "桥村")
    assert (event["grid"], event["method"], event["reason"]) == (None, "none", "address-ambiguous")
    queue = alone.http.get("/v1/events/unassigned").json()
    (waiting,) = queue["features"]
    assert waiting["properties"]["suggestions"] == event["suggestions"]
    assert [one["admin"] for one in event["suggestions"]] == [["甲镇"], ["乙镇"]]


@pytest.mark.parametrize(
    ("address", "reason"),
    [("🙂🙂🙂", "address-empty"), ("12345", "address-unknown"), ("'; DROP TABLE event; --", "address-unknown"),
     ("路" * 2_000, "address-unknown")],
)  # fmt: skip
def test_an_address_that_says_nothing_is_kept_and_waits(
    terminal: Terminal, alone: Asking, table: Path, address: str, reason: str
) -> None:
    terminal.run("load", "gazetteer", table, "--commit")
    event = report(alone, address)
    assert (event["grid"], event["reason"], event["address"]) == (None, reason, address)


def test_an_address_of_ten_thousand_characters_is_refused(alone: Asking) -> None:
    answer = alone.report(lon=..., lat=..., address="路" * 10_000)
    assert (answer.status_code, answer.json()["code"]) == (413, "body-too-large")


def test_a_receipt_is_decided_the_same_again_when_the_gazetteer_is_gone(
    terminal: Terminal, alone: Asking, table: Path, tmp_path: Path
) -> None:
    terminal.run("load", "gazetteer", table, "--commit")
    event = report(alone, "人民路20号")
    other = tmp_path / "other.csv"
    other.write_text(f"name,lon,lat\n人民路20号,{LON + 0.015},{LAT + 0.015}\n", encoding="utf-8")
    terminal.run("load", "gazetteer", other, "--source", "names.csv", "--commit")
    assert report(alone, "人民路20号")["grid"] == "B3"
    (receipt,) = alone.http.get(f"/v1/events/{event['id']}/assignments").json()["assignments"]
    assert receipt["grounds"]["readings"]["gazetteer"] == 1
    assert "人民路20号" in receipt["explanation"]["zh"]
    now = datetime.now(UTC)
    day = timedelta(days=1)
    ran = terminal.run("replay", "--from", (now - day).isoformat(), "--to", (now + day).isoformat())
    assert ran.code == 0, ran.out + ran.err


def receipts(asking: Asking, event: dict[str, Any]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = asking.http.get(f"/v1/events/{event['id']}/assignments").json()["assignments"]
    return found


def replayed(terminal: Terminal) -> int:
    now, day = datetime.now(UTC), timedelta(days=1)
    return terminal.run("replay", "--from", (now - day).isoformat(), "--to", (now + day).isoformat()).code


def test_an_address_that_is_corrected_is_looked_up_and_receipted(
    terminal: Terminal, alone: Asking, table: Path
) -> None:
    terminal.run("load", "gazetteer", table, "--commit")
    event = report(alone, "桥村")
    change = {"address": "长岸村44组"}
    settled = alone.http.patch(f"/v1/events/{event['id']}", json=change).json()
    assert (settled["grid"], settled["method"], settled["address"]) == ("B3", "address", "长岸村44组")
    assert settled["suggestions"] is None
    first, second = receipts(alone, event)
    assert (first["cause"], second["cause"]) == ("received", "moved")
    assert (first["grounds"]["place"]["address"], second["grounds"]["place"]["address"]) == ("桥村", "长岸村44组")
    assert "长岸村44组" in second["explanation"]["zh"]
    assert replayed(terminal) == 0


def test_an_address_takes_the_place_of_a_pin(terminal: Terminal, alone: Asking, table: Path) -> None:
    terminal.run("load", "gazetteer", table, "--commit")
    event = alone.report(accuracy_m=20).json()
    assert event["grid"] == "A1"
    moved = alone.http.patch(f"/v1/events/{event['id']}", json={"address": "长岸村44组"}).json()
    assert (moved["grid"], moved["lon"], moved["accuracy_m"], moved["address"]) == ("B3", None, None, "长岸村44组")
    unknown = alone.http.patch(f"/v1/events/{event['id']}", json={"address": "没有的地方"}).json()
    assert (unknown["grid"], unknown["reason"]) == (None, "address-unknown")
    assert [one["id"] for one in alone.http.get("/v1/events/unassigned").json()["features"]] == [event["id"]]
    again = alone.http.patch(f"/v1/events/{event['id']}", json={"lon": LON + 0.005, "lat": LAT + 0.005}).json()
    assert (again["grid"], again["lon"], again["address"]) == ("A1", LON + 0.005, "没有的地方")
    assert replayed(terminal) == 0


def test_an_officers_word_holds_when_the_address_is_corrected(terminal: Terminal, alone: Asking, table: Path) -> None:
    terminal.run("load", "gazetteer", table, "--commit")
    event = report(alone, "桥村")
    alone.http.post(f"/v1/events/{event['id']}/override", json={"grid": "A2", "reason": "asked by phone"})
    moved = alone.http.patch(f"/v1/events/{event['id']}", json={"address": "长岸村44组"}).json()
    assert (moved["grid"], moved["method"], moved["assignment"]["candidates"][0]["grid"]) == ("A2", "override", "B3")


def test_an_address_is_located_and_nothing_is_stored(terminal: Terminal, alone: Asking, table: Path) -> None:
    terminal.run("load", "gazetteer", table, "--commit")
    answer = alone.http.get("/v1/locate", params={"address": "甲镇人民路15号"}).json()
    assert (answer["grid"], answer["method"], answer["path"][-1]["code"]) == ("A1", "address", "A1")
    assert answer["candidates"][0]["probability"] > 0.8
    assert (answer["suggestions"][0]["how"], len(answer["suggestions"])) == ("between", 1)
    two = alone.http.get("/v1/locate", params={"address": "桥村"}).json()
    assert (two["grid"], two["reason"]) == (None, "address-ambiguous")
    assert {one["grid"] for one in two["candidates"]} >= {"A2", "B3"}
    assert [one["admin"] for one in two["suggestions"]] == [["甲镇"], ["乙镇"]]
    assert alone.query("SELECT count(*) FROM event")[0][0] == 0


def test_an_address_is_located_in_one_layer_and_at_another_time(terminal: Terminal, alone: Asking, table: Path) -> None:
    before = alone.http.get("/v1/locate", params={"address": "长岸村44组"}).json()
    assert (before["reason"], before["suggestions"]) == ("address-only", [])
    terminal.run("load", "gazetteer", table, "--commit")
    then = {"address": "长岸村44组", "at": "2025-05-01T00:00:00Z"}
    assert alone.http.get("/v1/locate", params=then).json()["grid"] == "B1"
    general = alone.http.get("/v1/locate", params={"address": "长岸村44组", "layer": "general"}).json()
    assert (general["grid"], set(general["layers"])) == ("B3", {"general"})
    market = alone.http.get("/v1/locate", params={"address": "长岸村44组", "layer": "dedicated"}).json()
    assert (market["grid"], market["reason"]) == (None, "address-outside")
