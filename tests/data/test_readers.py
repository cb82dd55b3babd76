"""read_grids on files drawn here: two grids side by side near 121.2 E, 32.05 N, in every format, encoding and datum."""

from __future__ import annotations

import contextlib
import io
import json
import sqlite3
import struct
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path

import geopandas as gpd
import numpy as np
import pytest
import shapely
from shapely import Polygon, box

from data import archive
from data.enclaves import in_text
from data.gridwriter import write_grids
from data.readers import GridFile, read_grids
from gis.crs import from_storage, parse_datum
from gis.errors import (
    CodeInvalid,
    CoordinateInvalid,
    DatumContradiction,
    DatumUnknown,
    FieldMissing,
    FileUnreadable,
    GeometryInvalid,
)

WEST, SOUTH = 121.2, 32.05
LEFT, RIGHT = box(WEST, SOUTH, WEST + 0.001, SOUTH + 0.001), box(WEST + 0.001, SOUTH, WEST + 0.002, SOUTH + 0.001)


def town(crs: str | int | None = 4326, **columns: list[object]) -> gpd.GeoDataFrame:
    held = columns or {"code": ["001", "002"], "name": ["长岸村一组", "东街网格"]}
    return (
        gpd.GeoDataFrame(held, geometry=[LEFT, RIGHT], crs=4326).to_crs(crs)
        if crs
        else gpd.GeoDataFrame(held, geometry=[LEFT, RIGHT])
    )


def saved(path: Path, frame: gpd.GeoDataFrame, **more: object) -> Path:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if path.suffix == ".parquet":
            frame.to_parquet(path)
        else:
            frame.to_file(path, **more)
    return path


def geojson(path: Path, *rows: tuple[dict[str, object], object], **more: object) -> Path:
    features = [{"type": "Feature", "properties": properties, "geometry": shape} for properties, shape in rows]
    path.write_text(
        json.dumps({"type": "FeatureCollection", **more, "features": features}, ensure_ascii=False), encoding="utf-8"
    )
    return path


def mapped(shape: object) -> object:
    return shapely.geometry.mapping(shape)


def read(path: Path, **more: object) -> GridFile:
    return read_grids(path, layer="general", **more)  # type: ignore[arg-type]


def zipped(path: Path, folder: Path, names: Callable[[str], str] = lambda name: name) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as packed:
        for member in folder.iterdir():
            packed.write(member, names(member.name))
    return path


def shapefile(folder: Path, frame: gpd.GeoDataFrame, encoding: str = "UTF-8", stem: str = "grids") -> Path:
    folder.mkdir(exist_ok=True)
    return saved(folder / f"{stem}.shp", frame, encoding=encoding)


@pytest.mark.parametrize("name", ["a.geojson", "a.json", "a.gpkg", "a.fgb", "a.parquet", "a.shp"])
def test_every_format_gives_codes_names_and_shapes(tmp_path: Path, name: str) -> None:
    driver = {"driver": "GeoJSON"} if name == "a.json" else {}
    file = read(saved(tmp_path / name, town(), **driver))
    rows = dict(zip(file.codes, zip(file.names, file.geometry, strict=True), strict=True))  # FlatGeobuf sorts them
    assert {code: name for code, (name, _) in rows.items()} == {"001": "长岸村一组", "002": "东街网格"}
    assert shapely.hausdorff_distance(rows["001"][1], LEFT) < 1e-9
    assert shapely.hausdorff_distance(rows["002"][1], RIGHT) < 1e-9
    assert file.parents == [None, None]
    assert (file.layer, file.level, file.crs_used, len(file)) == ("general", "grid", "wgs84", 2)


def test_a_zipped_shapefile_may_lie_in_a_folder_of_the_archive(tmp_path: Path) -> None:
    shapefile(tmp_path / "parts", town())
    file = read(zipped(tmp_path / "grids.zip", tmp_path / "parts", lambda name: f"网格/{name.upper()}"))
    assert file.codes == ["001", "002"]
    assert any("网格/GRIDS.SHP" in note for note in file.notes)


def test_kml_takes_the_placemarks_name_for_the_code(tmp_path: Path) -> None:
    ring = " ".join(f"{lon},{lat},5" for lon, lat in LEFT.exterior.coords)
    kml = (
        '<?xml version="1.0" encoding="UTF-8"?><kml xmlns="http://www.opengis.net/kml/2.2"><Document><Folder><name>网格</name>'
        "<Placemark><name>001</name><Polygon><outerBoundaryIs><LinearRing><coordinates>"
        f"{ring}</coordinates></LinearRing></outerBoundaryIs></Polygon></Placemark></Folder></Document></kml>"
    )
    path = tmp_path / "a.kml"
    path.write_text(kml, encoding="utf-8")
    file = read(path)
    assert file.codes == ["001"]
    assert not shapely.has_z(file.geometry[0])
    assert any("height" in note for note in file.notes)


def test_a_geopackage_of_several_layers_wants_one_named(tmp_path: Path) -> None:
    path = saved(tmp_path / "a.gpkg", town(), layer="grids")
    saved(path, town(code=["7", "8"]), layer="communities", mode="a")
    with pytest.raises(FileUnreadable, match="grids, communities"):
        read(path)
    assert read(path, layer_name="communities").codes == ["7", "8"]
    with pytest.raises(FileUnreadable, match="there is no streets"):
        read(path, layer_name="streets")


def test_gb18030_without_cpg_is_found_out_and_noted(tmp_path: Path) -> None:
    path = shapefile(tmp_path, town(编码=["001", "002"], 名称=["长岸村一组", "东街网格"]), "GB18030")
    path.with_suffix(".cpg").unlink()
    file = read(path)
    assert file.codes == ["001", "002"]
    assert file.names == ["长岸村一组", "东街网格"]
    assert any("GB18030" in note for note in file.notes)


@pytest.mark.parametrize("lie", ["UTF-8", "ISO-8859-1", "no such encoding"])
def test_gb18030_under_a_wrong_cpg_is_found_out(tmp_path: Path, lie: str) -> None:
    path = shapefile(tmp_path, town(), "GB18030")
    path.with_suffix(".cpg").write_text(lie)
    assert read(path).names == ["长岸村一组", "东街网格"]


@pytest.mark.parametrize("lie", ["GBK", None])
def test_utf8_under_a_wrong_or_no_cpg_is_found_out(tmp_path: Path, lie: str | None) -> None:
    path = shapefile(tmp_path, town(), "UTF-8")
    path.with_suffix(".cpg").unlink()
    if lie:
        path.with_suffix(".cpg").write_text(lie)
    assert read(path).names == ["长岸村一组", "东街网格"]


def test_a_latin_shapefile_stays_latin(tmp_path: Path) -> None:
    path = shapefile(tmp_path, town(code=["1", "2"], name=["São João", "Évora"]), "ISO-8859-1")
    assert read(path).names == ["São João", "Évora"]


def test_a_character_cut_off_by_the_field_width_is_dropped_not_garbled(tmp_path: Path) -> None:
    path = shapefile(tmp_path, town(code=["1", "2"], name=["网" * 100, "东"]), "UTF-8")
    assert set(read(path).names[0]) == {"网"}


def test_bytes_of_no_known_encoding_are_refused(tmp_path: Path) -> None:
    path = shapefile(tmp_path, town(code=["1", "2"], name=["xxxx", "b"]))
    dbf = path.with_suffix(".dbf")
    dbf.write_bytes(dbf.read_bytes().replace(b"xxxx", b"\xff\xffxx"))
    with pytest.raises(FileUnreadable, match="neither UTF-8 nor GB18030"):
        read(path)


def test_a_geojson_in_gb18030_is_read_and_noted(tmp_path: Path) -> None:
    path = geojson(tmp_path / "a.geojson", ({"网格编码": "001", "名称": "长岸村"}, mapped(LEFT)))
    path.write_bytes(path.read_text(encoding="utf-8").encode("gb18030"))
    file = read(path)
    assert (file.codes, file.names) == (["001"], ["长岸村"])
    assert any("GB18030" in note for note in file.notes)


def test_a_byte_order_mark_does_no_harm(tmp_path: Path) -> None:
    path = geojson(tmp_path / "a.geojson", ({"code": "001"}, mapped(LEFT)))
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
    assert read(path).codes == ["001"]


@pytest.mark.parametrize(
    "content", ["", "{", '{"type": "FeatureCollection", "features": [{"type"', "grid,lon,lat\n1,2,3"]
)
def test_a_broken_geojson_is_refused(tmp_path: Path, content: str) -> None:
    path = tmp_path / "a.geojson"
    path.write_text(content)
    with pytest.raises(FileUnreadable, match=r"a\.geojson"):
        read(path)


@pytest.mark.parametrize("name", ["a.gpkg", "a.shp", "a.parquet", "a.fgb", "a.zip", "a.kml"])
def test_rubbish_under_a_known_ending_is_refused(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_bytes(b"\x00\x01rubbish")
    path.with_suffix(".dbf").write_bytes(b"rubbish")
    with pytest.raises(FileUnreadable):
        read(path)


def test_an_unknown_ending_and_a_missing_file_are_refused(tmp_path: Path) -> None:
    (tmp_path / "a.dwg").write_bytes(b"x")
    with pytest.raises(FileUnreadable, match=r"\.gpkg"):
        read(tmp_path / "a.dwg")
    with pytest.raises(FileUnreadable, match="no file"):
        read(tmp_path / "b.geojson")


def test_a_shapefile_without_its_table_is_refused(tmp_path: Path) -> None:
    path = shapefile(tmp_path, town())
    path.with_suffix(".dbf").unlink()
    with pytest.raises(FileUnreadable, match=r"\.dbf"):
        read(path)


def test_a_shapefile_without_prj_wants_crs(tmp_path: Path) -> None:
    path = shapefile(tmp_path, town())
    path.with_suffix(".prj").unlink()
    with pytest.raises(DatumUnknown, match="--crs"):
        read(path)
    file = read(path, crs="wgs84")
    assert (file.crs_declared, file.crs_used) == (None, "wgs84")


def test_a_parquet_with_null_crs_wants_crs_like_a_shapefile_without_prj(tmp_path: Path) -> None:
    path = saved(tmp_path / "a.parquet", town(None))
    with pytest.raises(DatumUnknown):
        read(path)
    assert read(path, crs="cgcs2000").crs_used == "cgcs2000"


@pytest.mark.parametrize("name", ["a.gpkg", "a.shp", "a.parquet"])
def test_a_projected_file_comes_out_in_degrees_at_its_place(tmp_path: Path, name: str) -> None:
    file = read(saved(tmp_path / name, town("EPSG:4549")))
    assert file.crs_used == "EPSG:4549"
    assert shapely.hausdorff_distance(file.geometry[0], LEFT) < 1e-9
    assert shapely.coverage_is_valid(file.geometry)


@pytest.mark.parametrize("crs", ["EPSG:4549", "epsg:4549", "4549"])
def test_the_same_crs_said_otherwise_is_no_difference(tmp_path: Path, crs: str) -> None:
    assert read(saved(tmp_path / "a.shp", town("EPSG:4549")), crs=crs).crs_used == "EPSG:4549"


@pytest.mark.parametrize(
    ("tag", "given"),
    [
        (4326, "EPSG:4549"),
        ("EPSG:4549", "wgs84"),
        ("EPSG:4549", "gcj02"),
        (4326, "cgcs2000"),
        ("EPSG:4549", "EPSG:4548"),
    ],
)
def test_a_tag_that_differs_from_crs_is_an_error(tmp_path: Path, tag: str | int, given: str) -> None:
    with pytest.raises(DatumContradiction, match="--crs says"):
        read(saved(tmp_path / "a.gpkg", town(tag)), crs=given)


@pytest.mark.parametrize("tag", [4326, 4490])
@pytest.mark.parametrize("given", ["gcj02", "bd09"])
def test_gcj02_and_bd09_override_a_tag_of_degrees_and_say_so(tmp_path: Path, tag: int, given: str) -> None:
    bent = shapely.transform(
        [LEFT, RIGHT], lambda p: np.column_stack(from_storage(p[:, 0], p[:, 1], parse_datum(given)))
    )
    frame = gpd.GeoDataFrame({"code": ["1", "2"]}, geometry=list(bent), crs=tag)
    file = read(saved(tmp_path / "a.gpkg", frame), crs=given)
    assert shapely.hausdorff_distance(file.geometry[0], LEFT) < 1e-7
    assert file.crs_declared == f"EPSG:{tag}"
    assert any("set aside" in note for note in file.notes)


def test_a_geojson_without_crs_is_wgs84(tmp_path: Path) -> None:
    file = read(geojson(tmp_path / "a.geojson", ({"code": "1"}, mapped(LEFT))))
    assert (file.crs_declared, file.crs_used) == (None, "wgs84")


def test_a_geojson_with_a_crs_member_keeps_to_it(tmp_path: Path) -> None:
    member = {"type": "name", "properties": {"name": "urn:ogc:def:crs:EPSG::4490"}}
    path = geojson(tmp_path / "a.geojson", ({"code": "1"}, mapped(LEFT)), crs=member)
    assert (read(path).crs_declared, read(path).crs_used) == ("EPSG:4490", "cgcs2000")
    with pytest.raises(DatumContradiction):
        read(path, crs="wgs84")


def test_metres_in_a_file_that_claims_degrees_are_told(tmp_path: Path) -> None:
    metres = box(500_000, 3_500_000, 500_100, 3_500_100)
    with pytest.raises(DatumContradiction, match=r"row 2.*metres.*--crs"):
        read(geojson(tmp_path / "a.geojson", ({"code": "1"}, mapped(LEFT)), ({"code": "2"}, mapped(metres))))


def test_degrees_under_a_projected_crs_are_told(tmp_path: Path) -> None:
    with pytest.raises(DatumContradiction, match="row 1"):
        read(geojson(tmp_path / "a.geojson", ({"code": "1"}, mapped(LEFT))), crs="EPSG:4549")


def test_lat_before_lon_is_told(tmp_path: Path) -> None:
    swapped = Polygon([(lat, lon) for lon, lat in LEFT.exterior.coords])
    with pytest.raises(CoordinateInvalid, match=r"row 1.*swap"):
        read(geojson(tmp_path / "a.geojson", ({"code": "1"}, mapped(swapped))))


@pytest.mark.parametrize("column", ["code", "CODE", "Grid_Code", "网格编码", "编码", "id", "ID"])
def test_the_code_column_is_known_by_its_name(tmp_path: Path, column: str) -> None:
    assert read(saved(tmp_path / "a.gpkg", town(**{column: ["001", "002"], "area": [1, 2]}))).codes == ["001", "002"]


def test_a_sure_name_wins_over_id(tmp_path: Path) -> None:
    assert read(saved(tmp_path / "a.geojson", town(id=[1, 2], code=["a", "b"]))).codes == ["a", "b"]


def test_two_columns_that_could_be_the_code_want_one_named(tmp_path: Path) -> None:
    path = saved(tmp_path / "a.gpkg", town(code=["1", "2"], 网格编码=["3", "4"]))
    with pytest.raises(FieldMissing, match="code, 网格编码"):
        read(path)
    assert read(path, code_field="网格编码").codes == ["3", "4"]


def test_no_column_that_looks_like_a_code_lists_the_columns(tmp_path: Path) -> None:
    path = saved(tmp_path / "a.gpkg", town(ward=[1, 2], people=[5, 6]))
    with pytest.raises(FieldMissing, match="ward, people"):
        read(path)
    file = read(path, rows_as_codes=True)
    assert (file.codes, file.coded) == (["row 1", "row 2"], False)


def test_a_named_column_that_is_not_there_lists_the_columns(tmp_path: Path) -> None:
    with pytest.raises(FieldMissing, match=r"no column wgbm.*code, name"):
        read(saved(tmp_path / "a.gpkg", town()), code_field="wgbm")


def test_numbers_are_codes_without_a_point_and_text_keeps_its_zeros(tmp_path: Path) -> None:
    assert read(saved(tmp_path / "a.gpkg", town(code=[110105001001001, 7]))).codes == ["110105001001001", "7"]
    assert read(saved(tmp_path / "b.gpkg", town(code=[1.0, 2.0]))).codes == ["1", "2"]
    assert read(saved(tmp_path / "c.gpkg", town(code=["0007", "007"]))).codes == ["0007", "007"]


@pytest.mark.parametrize("codes", [[1.5, 2.0], ["1", None], ["1", "  "]])
def test_a_row_without_a_usable_code_is_named(tmp_path: Path, codes: list[object]) -> None:
    with pytest.raises(CodeInvalid, match=r"row [12]"):
        read(saved(tmp_path / "a.gpkg", town(code=codes)))


def test_parents_come_as_codes_and_empty_cells_as_none(tmp_path: Path) -> None:
    file = read(saved(tmp_path / "a.gpkg", town(code=["1", "2"], parent=["031", None])))
    assert file.parents == ["031", None]
    assert file.parent_of() == {"1": "031"}
    assert read(saved(tmp_path / "b.gpkg", town(code=["1", "2"], sq=[31, 32])), parent_field="sq").parents == [
        "31",
        "32",
    ]
    assert read(saved(tmp_path / "c.gpkg", town())).parent_of() is None


def test_repeated_codes_and_unusable_shapes_are_left_for_the_check(tmp_path: Path) -> None:
    path = geojson(
        tmp_path / "a.geojson",
        ({"code": "1"}, mapped(LEFT)),
        ({"code": "1"}, None),
        ({"code": "2"}, {"type": "LineString", "coordinates": [[WEST, SOUTH], [WEST + 1, SOUTH]]}),
        ({"code": "3"}, {"type": "Polygon", "coordinates": []}),
    )
    file = read(path)
    assert file.codes == ["1", "1", "2", "3"]
    assert file.geometry[1] is None
    assert [getattr(shape, "geom_type", None) for shape in file.geometry] == ["Polygon", None, "LineString", "Polygon"]


def test_a_vertex_that_is_no_number_drops_that_shape_with_a_note(tmp_path: Path) -> None:
    with np.errstate(invalid="ignore"):
        broken = Polygon([(WEST, SOUTH), (np.nan, SOUTH), (WEST + 1, SOUTH + 1), (WEST, SOUTH + 1)])
        path = saved(tmp_path / "a.parquet", gpd.GeoDataFrame({"code": ["1", "2"]}, geometry=[LEFT, broken], crs=4326))
        file = read(path)
    assert file.geometry[0].equals(LEFT)
    assert file.geometry[1] is None
    assert any("row 2" in note for note in file.notes)


def test_curved_shapes_are_refused(tmp_path: Path) -> None:
    """A half-circle in place of the second row's shape: WKB CurvePolygon (10) with one CircularString (8) of five points."""
    path = saved(tmp_path / "a.gpkg", town())
    assert read(path).codes == ["001", "002"]
    points = [(121.2, 32.0), (121.25, 32.1), (121.3, 32.0), (121.25, 31.9), (121.2, 32.0)]
    circle = struct.pack("<BII", 1, 8, 5) + b"".join(struct.pack("<dd", *point) for point in points)
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as database:
        for (trigger,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
            database.execute(f'DROP TRIGGER "{trigger}"')
        [(head,)] = database.execute("SELECT substr(geom, 1, 40) FROM a WHERE code = '002'").fetchall()
        curved = head + struct.pack("<BII", 1, 10, 1) + circle
        database.execute("UPDATE a SET geom = ? WHERE code = '002'", (curved,))
    with pytest.raises(GeometryInvalid, match=r"row 2.*curved"):
        read(path)


def test_multipart_shapes_stay_multipart(tmp_path: Path) -> None:
    parts = shapely.MultiPolygon([LEFT, shapely.transform(RIGHT, lambda p: p + 0.01)])
    frame = gpd.GeoDataFrame({"code": ["1"]}, geometry=[parts], crs=4326)
    assert shapely.get_num_geometries(read(saved(tmp_path / "a.gpkg", frame)).geometry[0]) == 2


def bomb(path: Path, name: str, size: int) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as packed, packed.open(name, "w") as member:
        for _ in range(size // 2**20):
            member.write(bytes(2**20))
    return path


def test_a_zip_bomb_is_refused_before_anything_is_unpacked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = bomb(tmp_path / "bomb.zip", "grids.shp", 120 * 2**20)
    monkeypatch.setattr(zipfile.ZipFile, "open", lambda *_, **__: pytest.fail("unpacked"))
    with pytest.raises(FileUnreadable, match="zip bomb"):
        read(path)


def test_an_archive_beyond_the_size_limit_is_refused_whatever_its_ratio(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(archive, "MAX_UNPACKED", 1000)
    shapefile(tmp_path / "parts", town())
    with pytest.raises(FileUnreadable, match="zip bomb"):
        read(zipped(tmp_path / "a.zip", tmp_path / "parts"))


@pytest.mark.parametrize("name", ["../grids.shp", "/etc/grids.shp", "a/../../grids.shp", "..\\grids.shp"])
def test_a_member_that_points_outside_is_refused(tmp_path: Path, name: str) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as packed:
        packed.writestr(name, b"x")
    with pytest.raises(FileUnreadable, match="outside"):
        read(tmp_path / "a.zip")


def test_a_zip_in_a_zip_is_refused(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as packed:
        packed.writestr("inner.zip", io.BytesIO().getvalue())
    with pytest.raises(FileUnreadable, match="zip within"):
        read(tmp_path / "a.zip")


def test_an_archive_of_several_shapefiles_wants_one_named(tmp_path: Path) -> None:
    shapefile(tmp_path / "parts", town(), stem="grids")
    shapefile(tmp_path / "parts", town(code=["7", "8"]), stem="blocks")
    path = zipped(tmp_path / "a.zip", tmp_path / "parts")
    with pytest.raises(FileUnreadable, match=r"blocks\.shp, grids\.shp"):
        read(path)
    assert read(path, layer_name="blocks").codes == ["7", "8"]


@pytest.mark.parametrize("name", ["out.geojson", "out.gpkg", "out.parquet", "out.zip"])
def test_what_is_written_comes_back_with_all_columns_and_the_enclaves(tmp_path: Path, name: str) -> None:
    file = read(saved(tmp_path / "a.gpkg", town(code=["001", "002"], name=["东", "西"], people=[372, 371])))
    place = (121.2005, 32.0505)
    assert write_grids(tmp_path / name, file.frame, file.geometry, (place,)) == []
    again = read(tmp_path / name)
    assert (again.codes, again.names) == (file.codes, file.names)
    assert again.frame["people"].tolist() == [372, 371]
    assert all(a.equals(b) for a, b in zip(again.geometry, file.geometry, strict=True))
    assert again.enclaves == (place,)
    assert any("121.200500,32.050500" in note for note in again.notes)


def test_a_format_that_cannot_remember_enclaves_says_so(tmp_path: Path) -> None:
    file = read(saved(tmp_path / "a.gpkg", town()))
    [note] = write_grids(tmp_path / "out.fgb", file.frame, file.geometry, ((121.2, 32.0),))
    assert "--enclave" in note
    assert read(tmp_path / "out.fgb").codes == file.codes


def test_a_shapefile_says_which_column_names_it_cuts(tmp_path: Path) -> None:
    file = read(saved(tmp_path / "a.gpkg", town(code=["1", "2"], households_total=[1, 2])))
    [note] = write_grids(tmp_path / "out.zip", file.frame, file.geometry)
    assert "households_total" in note


@pytest.mark.parametrize(
    "text", [b'"gridbeat_enclaves": [[1]]', b'"gridbeat_enclaves": [["a", 2]]', b'"gridbeat_enclaves": 7', b"{}"]
)
def test_a_spoilt_memory_of_enclaves_is_no_memory(text: bytes) -> None:
    assert in_text(text) == ()
