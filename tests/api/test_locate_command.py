"""`gridbeat locate` on a drawn town: files in, files out, nothing lost, no database."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import shapely
import typer
from typer.testing import CliRunner, Result

from api.commands.locate import register
from data.tables import open_table
from gis.crs import from_storage, parse_datum

# A general grid 01 west and 02 east of 121.25 E, and a market M (dedicated) over their border.
GRIDS = {
    "01": ("general", shapely.box(121.2, 32.0, 121.25, 32.1)),
    "02": ("general", shapely.box(121.25, 32.0, 121.3, 32.1)),
    "M": ("dedicated", shapely.box(121.24, 32.04, 121.26, 32.06)),
}
LAYERED = ("--code-field", "code", "--layer-field", "layer", "--priority", "dedicated,general")

# Inside 01, on the common border, in the market, outside everything.
PLACES = [("0001", 121.21, 32.01), ("0002", 121.25, 32.01), ("0003", 121.25, 32.05), ("0004", 121.4, 32.05)]
ANSWERS = [("01", "inside"), ("01", "edge"), ("M", "inside"), (None, "none")]


@pytest.fixture
def grids(tmp_path: Path) -> Path:
    layers, shapes = zip(*GRIDS.values(), strict=True)
    frame = gpd.GeoDataFrame({"code": list(GRIDS), "layer": layers}, geometry=list(shapes), crs=4326)
    frame.to_parquet(tmp_path / "grids.parquet")
    return tmp_path / "grids.parquet"


def run(*words: object) -> Result:
    app = typer.Typer()
    app.callback()(lambda: None)
    register(app)
    return CliRunner().invoke(app, ["locate", *map(str, words)])


def points_csv(folder: Path, extra: str = "", encoding: str = "utf-8") -> Path:
    path = folder / "points.csv"
    rows = "".join(f"{code},{lon!r},{lat!r},积水\n" for code, lon, lat in PLACES)
    path.write_text(f"编号,lon,lat,描述\n{rows}{extra}", encoding=encoding)
    return path


def rows_of(path: Path) -> list[dict[str, Any]]:
    return [row for chunk in open_table(path).chunks for row in chunk.rows]


@pytest.mark.parametrize("ending", ["csv", "parquet", "geojson", "ndjson", "xlsx"])
def test_order_and_columns_stay_and_the_answers_are_added_in_every_format(
    tmp_path: Path, grids: Path, ending: str
) -> None:
    out = tmp_path / f"out.{ending}"
    result = run(points_csv(tmp_path), "--grids", grids, *LAYERED, "-o", out)
    assert result.exit_code == 0, result.output
    rows = rows_of(out)
    assert [row["编号"] for row in rows] == ["0001", "0002", "0003", "0004"]
    assert [row["描述"] for row in rows] == ["积水"] * 4
    assert [(row["grid"], row["method"]) for row in rows] == ANSWERS
    assert float(rows[1]["distance_to_edge_m"]) == 0.0
    assert rows[3]["distance_to_edge_m"] is None
    assert [row["reason"] for row in rows] == [None, None, None, "outside-all-grids"]
    assert "4 rows: 3 have a grid (2 inside, 1 on an edge, 0 nearest), 1 lie in none" in result.output


def test_a_csv_has_its_columns_first_and_then_the_answer(tmp_path: Path, grids: Path) -> None:
    run(points_csv(tmp_path), "--grids", grids, *LAYERED, "-o", tmp_path / "out.csv")
    with (tmp_path / "out.csv").open(encoding="utf-8", newline="") as file:
        header, first, *_ = csv.reader(file)
    assert header == ["编号", "lon", "lat", "描述", "grid", "method", "distance_to_edge_m", "reason"]
    assert first[:6] == ["0001", "121.21", "32.01", "积水", "01", "inside"]


def test_geojson_out_holds_the_place_in_wgs84_and_null_without_one(tmp_path: Path, grids: Path) -> None:
    path = points_csv(tmp_path, extra="0005,,,无坐标\n")
    assert run(path, "--grids", grids, *LAYERED, "-o", tmp_path / "out.geojson").exit_code == 1
    features = json.loads((tmp_path / "out.geojson").read_text())["features"]
    assert features[0]["geometry"] == {"type": "Point", "coordinates": [121.21, 32.01]}
    assert features[4]["geometry"] is None
    assert features[4]["properties"]["reason"] == "coordinate-invalid"


def test_rows_without_a_usable_place_are_kept_counted_and_explained(tmp_path: Path, grids: Path) -> None:
    bad = "0005,,,\n0006,32.05,121.25,swapped\n0007,0,0,\n0008,west,32,\n"
    result = run(points_csv(tmp_path, extra=bad), "--grids", grids, *LAYERED, "-o", tmp_path / "out.csv")
    assert result.exit_code == 1
    rows = rows_of(tmp_path / "out.csv")
    assert [row["grid"] for row in rows] == ["01", "01", "M", None, None, None, None, None]
    assert [row["reason"] for row in rows[4:]] == ["coordinate-invalid"] * 4
    assert "8 rows: 3 have a grid" in result.output
    assert "4 have no usable place" in result.output


def test_a_row_that_cannot_be_read_goes_to_the_rejected_file(tmp_path: Path, grids: Path) -> None:
    path = tmp_path / "points.ndjson"
    lines = [json.dumps({"id": code, "lon": lon, "lat": lat}) for code, lon, lat in PLACES]
    path.write_text("\n".join([*lines[:2], '{"id": "broken', *lines[2:]]))
    result = run(path, "--grids", grids, *LAYERED, "-o", tmp_path / "out.csv")
    assert result.exit_code == 1
    assert [row["id"] for row in rows_of(tmp_path / "out.csv")] == ["0001", "0002", "0003", "0004"]
    (rejected,) = rows_of(tmp_path / "out.rejected.csv")
    assert rejected["row"] == "3"
    assert "1 rows could not be read" in result.output


def test_keys_that_only_later_lines_have_are_columns_too(tmp_path: Path, grids: Path) -> None:
    path = tmp_path / "points.ndjson"
    rows = [{"lon": 121.21, "lat": 32.01, "n": 1}, {"lon": 121.21, "lat": 32.01, "n": 2.5, "late": {"a": [1]}}]
    path.write_text("\n".join(map(json.dumps, rows)))
    assert run(path, "--grids", grids, *LAYERED, "-o", tmp_path / "out.parquet").exit_code == 0
    table = pq.read_table(tmp_path / "out.parquet")
    assert table.column("n").to_pylist() == [1.0, 2.5]
    assert table.column("late").to_pylist() == [None, '{"a": [1]}']


def test_parquet_keeps_its_own_types(tmp_path: Path, grids: Path) -> None:
    lon, lat = np.array([p[1] for p in PLACES]), np.array([p[2] for p in PLACES])
    when = pa.array([0, 1, 2, None], type=pa.timestamp("s", tz="UTC"))
    pq.write_table(
        pa.table({"n": pa.array([1, 2, 3, 4], pa.int16()), "when": when, "lon": lon, "lat": lat}),
        tmp_path / "p.parquet",
    )
    assert run(tmp_path / "p.parquet", "--grids", grids, *LAYERED, "-o", tmp_path / "out.parquet").exit_code == 0
    schema = pq.read_schema(tmp_path / "out.parquet")
    assert schema.types[:3] == [pa.int16(), pa.timestamp("ms", tz="UTC"), pa.float64()]
    assert schema.names[4:] == ["grid", "method", "distance_to_edge_m", "reason"]


def test_the_declared_datum_decides_and_a_wrong_one_answers_differently(tmp_path: Path, grids: Path) -> None:
    place = tmp_path / "gcj.csv"
    lon, lat = from_storage([121.2497], [32.02], parse_datum("gcj02"))
    place.write_text(f"经度,纬度\n{lon[0]},{lat[0]}\n")
    run(place, "--grids", grids, *LAYERED, "--crs", "gcj02", "-o", tmp_path / "right.csv")
    run(place, "--grids", grids, *LAYERED, "-o", tmp_path / "wrong.csv")
    assert rows_of(tmp_path / "right.csv")[0]["grid"] == "01"
    assert rows_of(tmp_path / "wrong.csv")[0]["grid"] == "02"


def test_gb18030_comes_in_and_goes_out_readable_for_a_spreadsheet(tmp_path: Path, grids: Path) -> None:
    run(points_csv(tmp_path, encoding="gb18030"), "--grids", grids, *LAYERED, "-o", tmp_path / "out.csv")
    assert (tmp_path / "out.csv").read_bytes().startswith(b"\xef\xbb\xbf" + "编号".encode())


def test_within_the_tolerance_the_nearest_grid_is_given(tmp_path: Path, grids: Path) -> None:
    path = tmp_path / "p.csv"
    path.write_text("lon,lat\n121.3001,32.05\n")
    run(path, "--grids", grids, *LAYERED, "--tolerance-m", 20, "-o", tmp_path / "out.csv")
    row = rows_of(tmp_path / "out.csv")[0]
    assert (row["grid"], row["method"]) == ("02", "nearest")
    assert 9 < float(row["distance_to_edge_m"]) < 10


def test_an_answer_of_yesterday_steps_aside(tmp_path: Path, grids: Path) -> None:
    path = tmp_path / "p.csv"
    path.write_text("grid,lon,lat\nold,121.21,32.01\n")
    run(path, "--grids", grids, *LAYERED, "-o", tmp_path / "out.csv")
    row = rows_of(tmp_path / "out.csv")[0]
    assert (row["grid_input"], row["grid"]) == ("old", "01")


def test_threads_do_not_change_a_byte(tmp_path: Path, grids: Path) -> None:
    rng = np.random.default_rng(2)
    lon, lat = rng.uniform(121.19, 121.31, 45_000), rng.uniform(31.99, 32.11, 45_000)
    pq.write_table(pa.table({"lon": lon, "lat": lat}), tmp_path / "p.parquet")
    for threads in (1, 4):
        run(
            tmp_path / "p.parquet",
            "--grids",
            grids,
            *LAYERED,
            "-o",
            tmp_path / f"{threads}.parquet",
            "--threads",
            threads,
        )
    assert (tmp_path / "1.parquet").read_bytes() == (tmp_path / "4.parquet").read_bytes()


def test_one_layer_needs_no_priority(tmp_path: Path) -> None:
    shapes = {code: shape for code, (layer, shape) in GRIDS.items() if layer == "general"}
    frame = gpd.GeoDataFrame({"code": list(shapes)}, geometry=list(shapes.values()), crs=4326)
    frame.to_file(tmp_path / "g.geojson")
    run(points_csv(tmp_path), "--grids", tmp_path / "g.geojson", "-o", tmp_path / "out.csv")
    assert [row["grid"] for row in rows_of(tmp_path / "out.csv")] == ["01", "01", "01", None]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--layer-field", "layer"), "belong together"),
        (("--layer-field", "layer", "--priority", "general"), "must name the layers dedicated, general"),
        (("--layer-field", "kind", "--priority", "general"), "no column kind"),
        (("--lon", "east", "--lat", "north"), "no column is called east"),
        (("--crs", "mars"), "mars"),
        (("--output", "out.docx"), "the result can end in"),
        (("--output", "points.csv"), "is an input"),
    ],
)
def test_wrong_usage_is_exit_2_and_says_what_to_do(
    tmp_path: Path, grids: Path, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...], said: str
) -> None:
    monkeypatch.chdir(tmp_path)
    path = points_csv(tmp_path)
    out = () if "--output" in words else ("-o", "out.csv")
    result = run(path, "--grids", grids, "--code-field", "code", *words, *out)
    assert result.exit_code == 2
    assert said in " ".join(result.output.replace("│", " ").split())
    assert not (tmp_path / "out.csv").exists()


def test_a_refused_file_is_exit_1_and_leaves_no_result_behind(tmp_path: Path, grids: Path) -> None:
    path = tmp_path / "p.csv"
    path.write_bytes(b"lon,lat\n1,\xff\xff\n")
    result = run(path, "--grids", grids, *LAYERED, "-o", tmp_path / "out.csv")
    assert result.exit_code == 1
    assert "refused: line 2" in result.output
    assert sorted(p.name for p in tmp_path.iterdir()) == ["grids.parquet", "p.csv"]


def test_every_row_may_declare_its_own_datum(tmp_path: Path) -> None:
    grids = tmp_path / "square.geojson"
    square = [[121.1, 32.0], [121.2, 32.0], [121.2, 32.1], [121.1, 32.1], [121.1, 32.0]]
    feature = {"type": "Feature", "properties": {"code": "A"}, "geometry": {"type": "Polygon", "coordinates": [square]}}
    grids.write_text(json.dumps({"type": "FeatureCollection", "features": [feature]}), encoding="utf-8")
    # 100 m west of the eastern border in WGS 84; in GCJ-02 the same numbers lie some 450 m further west.
    points = tmp_path / "points.csv"
    points.write_text(
        "lon,lat,crs\n121.199,32.05,\n121.203,32.05,gcj02\n121.203,32.05,wgs84\n121.15,32.05,mars\n", "utf-8"
    )
    out = tmp_path / "out.csv"
    result = run(points, "--grids", grids, "-o", out)
    assert result.exit_code == 1, result.output
    with out.open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [(row["grid"], row["reason"]) for row in rows] == [
        ("A", ""), ("A", ""), ("", "outside-all-grids"), ("", "datum-unknown"),
    ]  # fmt: skip
