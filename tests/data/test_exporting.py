"""What is exported comes back through our own readers: codes, names and shapes, in every format and datum."""

from __future__ import annotations

import csv
import io
import json
import zipfile
from pathlib import Path

import numpy as np
import pytest
import shapely

from data.exporting import COLUMNS, MEDIA_TYPES, Wanted, export_grids, exported, rows_of
from data.readers import GridFile, read_grids
from gis.crs import parse_datum
from gis.errors import DatumContradiction, DatumOutside, DatumUnknown, GridUnknown, ParameterInvalid
from gis.outward import in_datum
from gis.partition import Boundaries, Partition, Unit
from gis.supersede import receive_all, same_shape
from tests.town import drawn

SHAPED = [ending for ending in MEDIA_TYPES if ending != ".csv"]
#: Chinese of every kind: simplified, traditional, beyond the basic plane; and signs that XML, JSON and SQL care for.
NAMES = {"A": "长岸村第一网格", "B": '金沙鎭<第二>&"網格"', "C": "𠀀𪚥苑 'c'", "D": "市场"}


def town() -> Boundaries:
    """Village V in four grids; C has a hole, A is in two parts; a dedicated grid M lies over A and B."""
    plan = """
        AABBBB
        AABCCB
        ABBCDC
        AABCCC
        DAABBB
        DDDBBB
    """
    numbers = iter(range(100))
    village = drawn("VVVVVV\n" * 6, level="community", names={"V": "二甲镇长岸村"})
    grids = drawn(plan, names=NAMES, parents=dict.fromkeys("ABCD", "V"))
    market = drawn(".MM...\n......", layer="dedicated", names={"M": "专属网格"})
    return receive_all(Boundaries(0, ()), [village, grids, market], lambda: f"u{next(numbers)}")


def read(path: Path, crs: str | None = None) -> GridFile:
    return read_grids(path, layer="general", crs=crs)


@pytest.mark.parametrize("ending", SHAPED)
def test_in_wgs84_a_file_comes_back_bit_for_bit(ending: str, tmp_path: Path) -> None:
    before = town()
    notes = export_grids(before, tmp_path / f"out{ending}", Wanted("general", "grid"))
    back = read(tmp_path / f"out{ending}")
    held = before.partition("general", "grid")
    assert held is not None
    assert (tuple(back.codes), tuple(back.names), notes) == (held.codes, held.names, [])
    assert set(back.parents) == {"V"}
    assert all(same_shape(one, other) for one, other in zip(held.geometry, back.geometry, strict=True))
    assert [str(column).lower() for column in back.frame.columns if column in COLUMNS] == list(
        COLUMNS
    ) or ending == ".kml"


@pytest.mark.parametrize("ending", SHAPED)
@pytest.mark.parametrize("crs", ["cgcs2000", "gcj02", "bd09", "EPSG:4549"])
def test_in_another_datum_a_file_comes_back_within_a_millimetre(ending: str, crs: str, tmp_path: Path) -> None:
    before, path = town(), tmp_path / f"out{ending}"
    if (ending, crs) == (".kml", "EPSG:4549"):
        with pytest.raises(ParameterInvalid):
            export_grids(before, path, Wanted("general", "grid", parse_datum(crs)))
        return
    notes = export_grids(before, path, Wanted("general", "grid", parse_datum(crs)))
    told = crs if crs in {"gcj02", "bd09"} else None
    back = read(path, told)
    held = before.partition("general", "grid")
    assert held is not None
    assert (tuple(back.codes), tuple(back.names), bool(told)) == (
        held.codes,
        held.names,
        crs in "".join(notes) and bool(told),
    )
    metres = shapely.hausdorff_distance(held.geometry, back.geometry) * 111_320
    assert metres.max() < 0.001


@pytest.mark.parametrize("ending", [".gpkg", ".zip", ".fgb", ".parquet"])
def test_a_gcj02_file_without_a_place_to_say_so_is_not_read_without_a_datum(ending: str, tmp_path: Path) -> None:
    export_grids(town(), tmp_path / f"out{ending}", Wanted("general", "grid", parse_datum("gcj02")))
    with pytest.raises(DatumUnknown):
        read(tmp_path / f"out{ending}")


@pytest.mark.parametrize("ending", [".geojson", ".kml"])
def test_a_gcj02_file_that_can_say_so_is_read_as_gcj02(ending: str, tmp_path: Path) -> None:
    path = tmp_path / f"out{ending}"
    export_grids(town(), path, Wanted("general", "grid", parse_datum("gcj02")))
    assert read(path).crs_used == "gcj02"
    with pytest.raises(DatumContradiction):
        read(path, "bd09")


def test_a_shapefile_says_gb18030_in_both_of_its_places(tmp_path: Path) -> None:
    export_grids(town(), tmp_path / "out.zip", Wanted("general"))
    with zipfile.ZipFile(tmp_path / "out.zip") as archive:
        assert sorted(archive.namelist()) == [f"grids.{part}" for part in ("cpg", "dbf", "prj", "shp", "shx")]
        assert (archive.read("grids.cpg"), archive.read("grids.dbf")[29]) == (b"GB18030", 0x4D)
        assert "𠀀𪚥苑".encode("gb18030") in archive.read("grids.dbf")


def named(name: str) -> Boundaries:
    shape = np.array([shapely.box(121.0, 32.0, 121.01, 32.01)], dtype=object)
    return Boundaries(
        1, (Partition("general", "grid", ("A",), shape, (name,)),), {"u": Unit("u", "A", name, "general", "grid")}
    )


def test_a_name_that_a_shapefile_would_cut_is_refused(tmp_path: Path) -> None:
    export_grids(named("网" * 127), tmp_path / "fits.zip")
    assert read(tmp_path / "fits.zip").names == ["网" * 127]
    with pytest.raises(ParameterInvalid, match="GeoPackage"):
        export_grids(named("网" * 128), tmp_path / "long.zip")


def test_the_codes_stand_in_a_table_that_a_spreadsheet_reads(tmp_path: Path) -> None:
    export_grids(town(), tmp_path / "codes.csv")
    raw = (tmp_path / "codes.csv").read_bytes()
    rows = list(csv.DictReader(io.StringIO(raw.decode("utf-8-sig"))))
    assert raw.startswith(b"\xef\xbb\xbf")
    assert [row["code"] for row in rows] == ["V", "A", "B", "C", "D", "M"]
    assert (rows[1]["parent"], rows[1]["path"], rows[0]["path"]) == ("V", "二甲镇长岸村", "")
    areas = [float(row["area_m2"]) for row in rows]
    assert areas[0] == pytest.approx(sum(areas[1:5]), rel=1e-6)


def test_all_layers_stand_in_one_file_widest_first() -> None:
    body = json.loads(exported(town(), "geojson").body)
    assert [feature["properties"]["level"] for feature in body["features"]] == ["community", *["grid"] * 5]
    assert "crs" not in body


def test_the_same_bytes_serve_http() -> None:
    made = exported(town(), ".kml", Wanted("general"), stem="二甲")
    assert (made.media_type, made.filename) == ("application/vnd.google-earth.kml+xml", "二甲.kml")
    assert made.body.startswith(b"<?xml")
    with pytest.raises(ParameterInvalid, match="exported as"):
        exported(town(), "dxf")


def test_what_is_not_there_is_no_empty_file(tmp_path: Path) -> None:
    with pytest.raises(GridUnknown):
        export_grids(town(), tmp_path / "none.csv", Wanted("micro"))
    assert not (tmp_path / "none.csv").exists()


@pytest.mark.parametrize("crs", ["gcj02", "bd09", "EPSG:4549"])
def test_neighbours_share_their_border_bit_for_bit_in_every_datum(crs: str) -> None:
    lon, lat = np.random.default_rng(7).random((2, 60)) * 0.03
    cells = shapely.voronoi_polygons(shapely.multipoints(np.column_stack((121.2 + lon, 32 + lat))))
    before = shapely.get_parts(cells)
    after = in_datum(before, parse_datum(crs))
    assert shapely.coverage_is_valid(before)
    assert shapely.coverage_is_valid(after)
    assert shapely.get_num_coordinates(after).sum() > 2 * shapely.get_num_coordinates(before).sum()


def test_gcj02_is_refused_where_it_is_not_defined() -> None:
    with pytest.raises(DatumOutside):
        in_datum(np.array([shapely.box(-77, 38, -76, 39)], dtype=object), parse_datum("gcj02"))


def test_rows_carry_the_columns_in_order() -> None:
    rows, geometry = rows_of(town(), Wanted())
    assert (tuple(rows), len(geometry)) == (COLUMNS, 6)
