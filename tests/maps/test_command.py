"""`gridbeat map grids`."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from api.commands.map import MapRequest, register
from gis.errors import DatabaseUnavailable
from maps.grids import GridsView
from tests.maps import drawn


def run(*arguments: str, asked: list[MapRequest] | None = None, fault: Exception | None = None) -> tuple[int, str]:
    def source(request: MapRequest) -> GridsView:
        if asked is not None:
            asked.append(request)
        if fault:
            raise fault
        return drawn.view(lang=request.lang)

    app = typer.Typer()
    register(app, source)
    done = CliRunner().invoke(app, ["map", "grids", *arguments])
    return done.exit_code, done.output


def test_a_page_is_written_that_opens_from_disk(tmp_path: Path) -> None:
    asked: list[MapRequest] = []
    out = tmp_path / "town.html"
    code, said = run("-o", str(out), "--at", "2026-11-22T09:00:00+08:00", "--lang", "en", asked=asked)
    assert (code, asked[0].at, asked[0].lang) == (0, datetime.fromisoformat("2026-11-22T09:00:00+08:00"), "en")
    assert "/static/" not in out.read_text("utf-8")
    assert "town.html" in said


def test_a_picture_is_written_in_the_asked_size(tmp_path: Path) -> None:
    assert run("-o", str(tmp_path / "town.png"), "--size", "500x354")[0] == 0
    assert (tmp_path / "town.png").read_bytes()[16:24] == (500).to_bytes(4, "big") + (354).to_bytes(4, "big")


@pytest.mark.parametrize(
    "wrong",
    [
        ["-o", "town.pdf"],
        ["-o", "town.png", "--size", "big"],
        ["-o", "town.png", "--lang", "fr"],
        ["-o", "no/such/town.png"],
    ],
)
def test_a_wrong_option_is_exit_2_and_writes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, wrong: list[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run(*wrong)[0] == 2
    assert list(tmp_path.iterdir()) == []


def test_a_time_without_offset_is_refused(tmp_path: Path) -> None:
    code, said = run("-o", str(tmp_path / "a.html"), "--at", "2026-11-22T09:00:00")
    assert code == 1
    assert "offset" in said


def test_no_database_is_exit_1_with_the_reason(tmp_path: Path) -> None:
    code, said = run("-o", str(tmp_path / "a.html"), fault=DatabaseUnavailable("run `gridbeat db start`"))
    assert (code, "gridbeat db start" in said) == (1, True)
    assert list(tmp_path.iterdir()) == []
