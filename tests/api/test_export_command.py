"""`gridbeat export grids`: what is in force, or was, as a file that loads again."""

from __future__ import annotations

from pathlib import Path

import pytest

from data.readers import read_grids
from tests.asking import Asking
from tests.terminal import Terminal


@pytest.fixture
def terminal(asking: Asking, monkeypatch: pytest.MonkeyPatch) -> Terminal:
    return Terminal(asking.url, monkeypatch)


def test_what_is_in_force_is_written_and_named(terminal: Terminal, asking: Asking, tmp_path: Path) -> None:
    out = tmp_path / "now.gpkg"
    ran = terminal.run("export", "grids", "-o", out, "--layer", "general", "--level", "grid")
    wanted = "g.layer = 'general' AND g.level = 'grid' AND upper_inf(c.valid) AND upper_inf(c.recorded)"
    sql = f"SELECT c.code FROM grid_code c JOIN grid g ON g.uid = c.grid WHERE {wanted} ORDER BY 1"
    codes = [code for (code,) in asking.query(sql)]
    assert (ran.code, read_grids(out, layer="general").codes) == (0, codes)
    assert "generation" in ran.out


def test_a_datum_without_a_tag_is_warned_of(terminal: Terminal, tmp_path: Path) -> None:
    ran = terminal.run("export", "grids", "-o", tmp_path / "a.zip", "--layer", "general", "--crs", "bd09")
    assert (ran.code, "read it with --crs bd09" in ran.out) == (0, True)


@pytest.mark.parametrize(
    "wrong", [["-o", "a.dxf"], ["-o", "a.kml", "--crs", "EPSG:4549"], ["-o", "a.csv", "--layer", "none"]]
)
def test_what_cannot_be_written_is_said_before_anything_is_read(terminal: Terminal, wrong: list[str]) -> None:
    ran = terminal.run("export", "grids", *wrong)
    assert (ran.code, ran.err.count("\n")) == (2, 1)


def test_before_the_first_generation_there_is_nothing(terminal: Terminal, tmp_path: Path) -> None:
    ran = terminal.run("export", "grids", "-o", tmp_path / "a.csv", "--at", "1999-01-01T00:00:00+08:00")
    assert (ran.code, "no grids to export" in ran.err) == (1, True)
