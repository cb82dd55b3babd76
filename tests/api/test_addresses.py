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
