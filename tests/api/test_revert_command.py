"""`gridbeat revert`, `gridbeat reassign`, and what `load grids` does to open events."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.api.test_load_command import grids_file, load_grids
from tests.asking import EAST, LAT, LON, RENAMED_WEST, Asking, Drawn, incoming
from tests.terminal import Terminal


@pytest.fixture
def terminal(alone: Asking, monkeypatch: pytest.MonkeyPatch) -> Terminal:
    return Terminal(alone.url, monkeypatch)


def grid_of(asking: Asking, event: str) -> str:
    grid: str = asking.http.get(f"/v1/events/{event}").json()["grid"]
    return grid


def east(asking: Asking) -> str:
    """The id of a report in the south-east, B3's ground."""
    event: str = asking.report(lon=LON + 0.015, lat=LAT + 0.005).json()["id"]
    return event


def test_a_loaded_file_moves_open_events(terminal: Terminal, alone: Asking, tmp_path: Path) -> None:
    event = east(alone)
    assert load_grids(terminal, grids_file(tmp_path, RENAMED_WEST | EAST), "--commit").code == 0
    assert grid_of(alone, event) == "B1"


def test_a_generation_is_reverted_after_a_dry_run(terminal: Terminal, alone: Asking, tmp_path: Path) -> None:
    event = east(alone)
    load_grids(terminal, grids_file(tmp_path, RENAMED_WEST | EAST), "--commit")
    dry = terminal.run("revert", "4", "--reason", "protest")
    assert (dry.code, "dry run" in dry.out, grid_of(alone, event)) == (0, True, "B1"), dry.err
    assert "change: created 1, reshaped 0, renamed 0, recoded 0, reparented 0, retired 2" in dry.out
    assert "generation 5: 1 open events have another grid" in dry.out
    real = terminal.run("revert", "4", "--reason", "protest", "--commit")
    assert (real.code, "published generation 5" in real.out) == (0, True), real.err
    assert grid_of(alone, event) == "B3"
    again = terminal.run("revert", "4", "--reason", "protest", "--commit")
    assert again.code == 1
    assert "changed again by generation 5" in again.err


def test_what_is_owed_is_done_on_demand(terminal: Terminal, alone: Asking, drawn: Drawn) -> None:
    event = east(alone)
    drawn.publish(incoming(RENAMED_WEST | EAST))
    assert terminal.run("reassign").code == 0  # whether this or the server came first
    assert grid_of(alone, event) == "B1"
    assert "nothing was owed" in terminal.run("reassign").out


def test_a_rule_that_cannot_be_is_refused(terminal: Terminal, tmp_path: Path) -> None:
    ran = load_grids(terminal, grids_file(tmp_path, RENAMED_WEST | EAST), "--commit", "--rule", "follow_member")
    assert (ran.code, "members" in ran.err) == (1, True)
