"""`gridbeat blocks`: a street network and grids in, blocks out that load as unit grids."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import geopandas as gpd
import pytest
import shapely

from data.readers import read_grids
from gis.topology import check_raw
from tests.terminal import Ran, Terminal
from tests.town import place, shapes

PLAN = """
    AAAABBBB
    AAAABBBB
    AAAABBBB
"""


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Terminal:
    return Terminal("postgresql://nobody@127.0.0.1:1/none", monkeypatch)


def files(folder: Path, *streets: Any) -> tuple[Path, Path]:
    grids, roads = folder / "grids.geojson", folder / "roads.geojson"
    found = shapes(PLAN)
    gpd.GeoDataFrame({"code": list(found), "name": ["甲", "乙"]}, geometry=list(found.values()), crs=4326).to_file(
        grids
    )
    gpd.GeoDataFrame({"name": ["路"] * len(streets)}, geometry=list(streets), crs=4326).to_file(roads)
    return grids, roads


def cut(terminal: Terminal, folder: Path, *more: str) -> tuple[Ran, Path]:
    street = shapely.LineString([place(-1, 1), place(9, 1)])
    grids, roads = files(folder, street)
    out = folder / "blocks.geojson"
    return terminal.run("blocks", roads, "--within", grids, "-o", out, *more), out


def test_blocks_load_as_unit_grids(terminal: Terminal, tmp_path: Path) -> None:
    ran, out = cut(terminal, tmp_path)
    back = read_grids(out, layer="unit")
    assert (ran.code, back.codes, back.parents) == (0, ["A-01", "A-02", "B-01", "B-02"], ["A", "A", "B", "B"])
    assert (back.names[0], back.level) == ("甲 01", "micro_grid")
    assert check_raw(back.codes, back.geometry) == []
    assert "4 blocks in 2 grids" in ran.out


def test_thresholds_join_pieces(terminal: Terminal, tmp_path: Path) -> None:
    ran, out = cut(terminal, tmp_path, "--smallest-m2", "60000")
    assert (ran.code, read_grids(out, layer="unit").codes) == (0, ["A-01", "B-01"])


def test_a_file_without_lines_is_refused(terminal: Terminal, tmp_path: Path) -> None:
    grids, roads = files(tmp_path, shapely.Point(place(1, 1)))
    ran = terminal.run("blocks", roads, "--within", grids, "-o", tmp_path / "b.gpkg")
    assert (ran.code, "no lines" in ran.err) == (1, True)


def test_grids_that_overlap_are_refused(terminal: Terminal, tmp_path: Path) -> None:
    grids, roads = files(tmp_path, shapely.LineString([place(0, 0), place(1, 1)]))
    both = [shapely.box(*place(0, 0), *place(3, 3)), shapely.box(*place(2, 0), *place(5, 3))]
    gpd.GeoDataFrame({"code": ["A", "B"]}, geometry=both, crs=4326).to_file(grids)
    ran = terminal.run("blocks", roads, "--within", grids, "-o", tmp_path / "b.gpkg")
    assert (ran.code, "topology-refused" in ran.err) == (1, True)


@pytest.mark.parametrize("wrong", [["--narrowest-m", "-1"], ["--smallest-m2", "-5"]])
def test_a_senseless_threshold_is_wrong_usage(terminal: Terminal, tmp_path: Path, wrong: list[str]) -> None:
    assert cut(terminal, tmp_path, *wrong)[0].code == 2
