"""`gridbeat check` through Typer's runner on a drawn town: four grids round a hole of one unit (10,472 m2).

A A B
D . B
D C C
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import shapely
import typer
from click.testing import Result
from shapely import Polygon
from typer.testing import CliRunner

from api.commands import check

WEST, SOUTH, STEP = 121.2, 32.05, 0.001
RING = {
    "A": [(0, 2), (1, 2), (2, 2), (2, 3), (0, 3)],
    "B": [(2, 1), (3, 1), (3, 3), (2, 3), (2, 2)],
    "C": [(1, 0), (3, 0), (3, 1), (2, 1), (1, 1)],
    "D": [(0, 0), (1, 0), (1, 1), (1, 2), (0, 2)],
}
HOLE = f"{WEST + 1.5 * STEP},{SOUTH + 1.5 * STEP}"
Corners = list[tuple[float, float]]


def polygon(corners: Corners) -> Polygon:
    return Polygon([(WEST + x * STEP, SOUTH + y * STEP) for x, y in corners])


def square(x0: float, y0: float, x1: float, y1: float) -> Corners:
    return [(x0, y0), (x1, y0), (x1, y1), (x0, y1)]


def town(path: Path, grids: dict[str, Corners], **columns: dict[str, object]) -> Path:
    features = [
        {
            "type": "Feature",
            "properties": {"code": code, **{name: values[code] for name, values in columns.items()}},
            "geometry": shapely.geometry.mapping(polygon(corners)),
        }
        for code, corners in grids.items()
    ]
    path.write_text(json.dumps({"type": "FeatureCollection", "features": features}), encoding="utf-8")
    return path


@pytest.fixture
def ring(tmp_path: Path) -> Path:
    return town(tmp_path / "ring.geojson", RING)


def run(*arguments: object) -> Result:
    app = typer.Typer()
    app.callback()(lambda: None)
    check.register(app)
    return CliRunner().invoke(app, ["check", *map(str, arguments)])


def test_a_town_that_fits_is_praised_and_exits_0(tmp_path: Path) -> None:
    result = run(town(tmp_path / "a.geojson", {"1": square(0, 0, 1, 1), "2": square(1, 0, 2, 1)}))
    assert result.exit_code == 0, result.output
    assert "2 grids" in result.output
    assert "No findings" in result.output
    assert "crs: wgs84" in result.output


def test_a_gap_exits_1_and_says_where_and_how_large(ring: Path) -> None:
    result = run(ring)
    assert result.exit_code == 1
    assert "gap" in result.output
    assert "121.201500, 32.051500" in result.output
    assert "10,472" in result.output
    assert "A, B, C, D" in result.output


def test_an_accepted_enclave_exits_0_even_when_strict(ring: Path) -> None:
    result = run(ring, "--enclave", HOLE, "--strict")
    assert result.exit_code == 0, result.output
    assert "0 errors, 0 warnings, 1 accepted" in result.output


def test_an_enclave_where_no_gap_is_is_told(ring: Path) -> None:
    result = run(ring, "--enclave", "121.2,32.05")
    assert result.exit_code == 1
    assert "no gap at --enclave 121.2,32.05" in result.output


def test_a_dedicated_layer_may_have_gaps(ring: Path) -> None:
    assert run(ring, "--layer", "dedicated").exit_code == 0


def test_warnings_fail_only_when_strict(ring: Path) -> None:
    """Each of the four has two units, 20,945 m2."""
    fitting = ("--enclave", HOLE, "--min-area-m2", "20900", "--max-area-m2", "21000")
    assert run(ring, *fitting, "--strict").exit_code == 0
    too_large = ("--enclave", HOLE, "--max-area-m2", "20900")
    assert run(ring, *too_large).exit_code == 0
    assert run(ring, *too_large, "--strict").exit_code == 1


def test_the_report_has_exactly_the_contracts_shape(ring: Path, tmp_path: Path) -> None:
    out = tmp_path / "report.json"
    run(ring, "--report", out)
    body = json.loads(out.read_text(encoding="utf-8"))
    assert set(body) == {"summary", "findings"}
    assert body["summary"] == {"gap": 1}
    [gap] = body["findings"]
    assert set(gap) == {"kind", "severity", "grids", "area_m2", "geometry", "message", "accepted"}
    assert (gap["kind"], gap["severity"], gap["grids"], gap["accepted"]) == (
        "gap",
        "error",
        ["A", "B", "C", "D"],
        False,
    )
    assert gap["area_m2"] == pytest.approx(10_472.4, rel=1e-4)
    assert shapely.geometry.shape(gap["geometry"]).equals(polygon(square(1, 1, 2, 2)))


def test_the_report_of_a_clean_town_is_empty(ring: Path, tmp_path: Path) -> None:
    out = tmp_path / "report.json"
    assert run(ring, "--layer", "frontage", "--report", out).exit_code == 0
    assert json.loads(out.read_text(encoding="utf-8")) == {"summary": {}, "findings": []}


@pytest.mark.parametrize("ending", [".geojson", ".gpkg", ".parquet", ".zip"])
def test_a_repair_lists_what_it_changes_keeps_columns_and_passes_the_check(tmp_path: Path, ending: str) -> None:
    grids = {"01": square(0, 0, 2, 1), "02": square(1.75, 0, 3, 1)}
    path = town(tmp_path / "a.geojson", grids, people={"01": 372, "02": 371})
    before = path.read_bytes()
    out = tmp_path / f"mended{ending}"
    result = run(path, "--repair", out)
    assert result.exit_code == 1
    assert "Differences" in result.output
    assert "2,618.1" in result.output  # a quarter of a unit
    assert "no errors" in result.output
    assert path.read_bytes() == before
    again = run(out)
    assert again.exit_code == 0, again.output
    assert "No findings" in again.output


def test_a_repair_keeps_other_columns(tmp_path: Path) -> None:
    path = town(
        tmp_path / "a.geojson", {"01": square(0, 0, 2, 1), "02": square(1.75, 0, 3, 1)}, people={"01": 372, "02": 371}
    )
    out = tmp_path / "mended.geojson"
    run(path, "--repair", out)
    rows = [feature["properties"] for feature in json.loads(out.read_text(encoding="utf-8"))["features"]]
    assert rows == [{"code": "01", "people": 372}, {"code": "02", "people": 371}]


def test_a_repaired_file_remembers_its_enclaves(ring: Path, tmp_path: Path) -> None:
    out = tmp_path / "mended.geojson"
    assert run(ring, "--enclave", HOLE, "--repair", out).exit_code == 0
    again = run(out)
    assert again.exit_code == 0, again.output
    assert "remembered by the file" in again.output


def test_a_hole_as_large_as_a_grid_is_left_open_and_said(tmp_path: Path) -> None:
    blocks = {f"{x}{y}": square(x, y, x + 1, y + 1) for x in range(4) for y in range(4)}
    for code in ("11", "12", "21"):
        del blocks[code]
    path = town(tmp_path / "a.geojson", blocks)
    result = run(path, "--repair", tmp_path / "b.geojson")
    assert "Left open" in result.output
    assert "1 errors remain" in result.output
    assert run(tmp_path / "b.geojson").exit_code == 1
    run(path, "--repair", tmp_path / "c.geojson", "--repair-gaps-m2", "40000")
    assert run(tmp_path / "c.geojson").exit_code == 0


def test_grids_are_checked_against_their_parents_file(tmp_path: Path) -> None:
    parents = town(tmp_path / "p.geojson", {"P": square(0, 0, 2, 2), "Q": square(2, 0, 4, 2)})
    grids = {"1": square(0, 0, 2, 2), "2": square(2, 0, 4.5, 2)}
    path = town(tmp_path / "g.geojson", grids, up={"1": "P", "2": "Q"})
    out = tmp_path / "report.json"
    assert run(path, "--parent", parents, "--parent-field", "up", "--report", out).exit_code == 1
    [finding] = json.loads(out.read_text(encoding="utf-8"))["findings"]
    assert (finding["kind"], finding["grids"]) == ("crosses_parent", ["2", "Q"])
    assert finding["area_m2"] == pytest.approx(10_472.4, rel=1e-4)


def test_a_parents_file_with_a_code_twice_is_refused(tmp_path: Path, ring: Path) -> None:
    parents = town(tmp_path / "p.geojson", {"P": square(0, 0, 2, 2), "Q": square(2, 0, 4, 2)}, id={"P": 1, "Q": 1})
    result = run(ring, "--parent", parents, "--parent-code-field", "id")
    assert result.exit_code == 1
    assert "stands twice" in result.output


def test_a_file_without_a_code_column_is_checked_by_row_and_says_so(tmp_path: Path) -> None:
    path = tmp_path / "a.geojson"
    path.write_text(town(tmp_path / "b.geojson", RING).read_text().replace('"code"', '"ward"'))
    result = run(path)
    assert result.exit_code == 1
    assert "row 1, row 2, row 3, row 4" in result.output
    assert "--code-field" in result.output
    assert "A, B, C, D" in run(path, "--code-field", "ward").output


def test_a_broken_row_does_not_hide_the_others(tmp_path: Path) -> None:
    grids = {"bow": [(0.0, 5.0), (2.0, 7.0), (2.0, 5.0), (0.0, 7.0)], **RING}
    out = tmp_path / "report.json"
    run(town(tmp_path / "a.geojson", grids), "--report", out)
    assert json.loads(out.read_text(encoding="utf-8"))["summary"] == {"invalid": 1, "gap": 1, "multipart": 1}


@pytest.mark.parametrize(
    "arguments",
    [
        ("--enclave", "121.2"),
        ("--enclave", "32.05,121.2"),
        ("--enclave", "here,there"),
        ("--crs", "gcj"),
        ("--layer", "special"),
        ("--repair", "out.dwg"),
        ("--parent", "nowhere.geojson"),
        ("--colour",),
    ],
)
def test_wrong_usage_exits_2(ring: Path, arguments: tuple[str, ...]) -> None:
    assert run(ring, *arguments).exit_code == 2


def test_a_file_that_is_not_there_is_wrong_usage(tmp_path: Path) -> None:
    assert run(tmp_path / "nothing.geojson").exit_code == 2


def test_the_proposal_may_not_overwrite_the_file(ring: Path) -> None:
    assert run(ring, "--repair", ring).exit_code == 2


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--code-field", "nr"), "no column nr"),
        (("--crs", "EPSG:4549"), "refused"),
        (("--layer-name", "x"), "there is no x"),
    ],
)
def test_a_refused_file_exits_1_and_says_why(ring: Path, arguments: tuple[str, ...], words: str) -> None:
    result = run(ring, *arguments)
    assert result.exit_code == 1
    assert words in result.output
    assert "Traceback" not in result.output


def test_crs_gcj02_moves_the_town_by_hundreds_of_metres(ring: Path, tmp_path: Path) -> None:
    out = tmp_path / "report.json"
    result = run(ring, "--crs", "gcj02", "--report", out)
    assert "crs: gcj02" in result.output
    [gap] = json.loads(out.read_text(encoding="utf-8"))["findings"]
    moved = shapely.geometry.shape(gap["geometry"]).centroid.distance(polygon(square(1, 1, 2, 2)).centroid)
    assert 0.003 < moved < 0.007
