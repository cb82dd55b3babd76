"""Tables as streams: what comes out of every format, encoding and broken row."""

from __future__ import annotations

import io
import json
import struct
import zipfile
from pathlib import Path

import numpy as np
import pytest
import shapely

from data.rejected import RejectedWriter
from data.tabledatum import datum_of_table
from data.tables import RowChunk, Table, as_numbers, fields_of, find_place, iter_table, kind_of, open_table
from gis.errors import DatumContradiction, FieldMissing, FileUnreadable

ROWS = [
    {"code": "007", "lon": "121.2", "lat": "32.05", "text": "长岸村四十四组道路积水"},
    {"code": "0080", "lon": "121.3", "lat": "32.06", "text": '占道, "经营"\n第二行'},
]
CSV = 'code,lon,lat,text\n007,121.2,32.05,长岸村四十四组道路积水\n0080,121.3,32.06,"占道, ""经营""\n第二行"\n'


def written(folder: Path, name: str, content: bytes | str) -> Path:
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def only(path: Path, **options: object) -> RowChunk:
    chunks = list(iter_table(path, **options))  # type: ignore[arg-type]
    assert len(chunks) == 1
    return chunks[0]


# --- CSV --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030", "utf-16"])
def test_a_csv_reads_the_same_in_every_encoding_and_its_codes_keep_their_zeros(tmp_path: Path, encoding: str) -> None:
    chunk = only(written(tmp_path, "a.csv", CSV.encode(encoding)))
    assert chunk.rows == ROWS
    assert chunk.numbers == [1, 2]
    assert chunk.rejected == []


def test_the_encoding_is_named_when_it_is_not_plain_utf8(tmp_path: Path) -> None:
    table = open_table(written(tmp_path, "a.csv", CSV.encode("gbk")))
    assert table.encoding == "gb18030"
    assert table.notes == ("read as GB18030",)
    assert open_table(written(tmp_path, "b.csv", CSV)).encoding == "utf-8"
    assert open_table(written(tmp_path, "c.csv", CSV.encode("utf-8-sig"))).encoding == "utf-8-sig"


def test_gb18030_called_utf8_is_refused_with_line_and_advice(tmp_path: Path) -> None:
    path = written(tmp_path, "a.csv", CSV.encode("gb18030"))
    with pytest.raises(FileUnreadable, match=r"line 2: the text is not utf-8; the bytes look like GB18030") as caught:
        open_table(path, encoding="utf-8")
    assert caught.value.details["line"] == 2
    assert only(path, encoding="GBK").rows == ROWS


def test_chinese_that_begins_late_is_found_before_the_first_row(tmp_path: Path) -> None:
    late = "a,b\n" + "1,x\n" * 400_000 + "2,暴露垃圾\n"
    table = open_table(written(tmp_path, "a.csv", late.encode("gb18030")))
    assert table.encoding == "gb18030"
    assert list(table.chunks)[-1].rows[-1] == {"a": "2", "b": "暴露垃圾"}


@pytest.mark.parametrize(
    "content",
    [
        (CSV * 3).encode()[:-40] + b"\xe5\n",  # UTF-8 with one broken character
        "name,place\nrené,café crème\nélan,déjà vu\n".encode("latin-1"),
        b"a,b\n1,\xff\xff\xff\n",
    ],
)
def test_what_is_neither_utf8_nor_gb18030_is_refused_and_never_mojibake(tmp_path: Path, content: bytes) -> None:
    with pytest.raises(FileUnreadable, match="neither UTF-8 nor GB18030"):
        open_table(written(tmp_path, "a.csv", content))


@pytest.mark.parametrize("delimiter", [",", "\t", ";", "|"])
def test_the_separator_is_found(tmp_path: Path, delimiter: str) -> None:
    text = "\n".join(delimiter.join(row) for row in [["a", "b", "c"], ["1", "x,y" if delimiter != "," else "xy", "3"]])
    assert list(only(written(tmp_path, "a.csv", text)).columns) == ["a", "b", "c"]


def test_a_title_above_the_header_is_no_data_and_rows_are_counted_below_the_header(tmp_path: Path) -> None:
    table = open_table(
        written(tmp_path, "a.csv", "二甲镇八月上报表,,\n\n经度,纬度,描述\n121.2,32.05,甲\n\n121.3,32.06,乙\n")
    )
    chunk = next(table.chunks)
    assert table.columns == ("经度", "纬度", "描述")
    assert table.notes == ("the first 1 lines are a title, not data",)
    assert chunk.numbers == [1, 3]


def test_without_a_header_the_columns_have_numbers_and_the_first_row_is_data(tmp_path: Path) -> None:
    chunk = only(written(tmp_path, "a.csv", "甲,121.2,32.05\n乙,121.3,32.06\n"))
    assert chunk.rows[0] == {"column_1": "甲", "column_2": "121.2", "column_3": "32.05"}
    assert len(chunk) == 2
    assert len(only(tmp_path / "a.csv", header=1)) == 1


def test_equal_and_empty_headings_get_names_of_their_own(tmp_path: Path) -> None:
    assert list(only(written(tmp_path, "a.csv", "a,,a\nx,y,z\n")).columns) == ["a", "column_2", "a_3"]


def test_short_rows_are_filled_and_long_ones_rejected_with_number_and_reason(tmp_path: Path) -> None:
    chunk = only(written(tmp_path, "a.csv", "a,b,c\n1,2\n1,2,3,4\n5,6,7,,\n"))
    assert chunk.numbers == [1, 3]
    assert chunk.rows[0] == {"a": "1", "b": "2", "c": None}
    (rejected,) = chunk.rejected
    assert (rejected.row, rejected.code) == (2, "body-unreadable")
    assert "4 cells and the header 3" in rejected.reason
    assert rejected.record == {"a": "1", "b": "2", "c": "3", "column_4": "4"}


def test_a_ten_megabyte_cell_is_a_rejected_row_and_the_rest_goes_on(tmp_path: Path) -> None:
    chunk = only(written(tmp_path, "a.csv", f"a,b\n1,x\n2,{'长' * 3_500_000}\n3,z\n"))
    assert chunk.numbers == [1, 3]
    assert chunk.rejected[0].row == 2
    assert "131,072" in chunk.rejected[0].reason


def test_a_quotation_mark_that_never_closes_names_the_lines_it_swallowed(tmp_path: Path) -> None:
    text = "a,b\n1,x\n" + '2,"open\n' + "3,filler\n" * 50_000
    chunks = list(iter_table(written(tmp_path, "a.csv", text)))
    rejected = [rejection for chunk in chunks for rejection in chunk.rejected]
    assert rejected[0].row == 2
    assert rejected[0].reason.startswith("lines 3 to 14")
    assert sum(map(len, chunks)) > 30_000


@pytest.mark.parametrize("content", ["", "\n\n"])
def test_an_empty_file_is_refused(tmp_path: Path, content: str) -> None:
    with pytest.raises(FileUnreadable, match="no rows"):
        open_table(written(tmp_path, "a.csv", content))


def test_an_open_file_is_read_like_a_path_and_stays_open() -> None:
    file = io.BytesIO(CSV.encode("gb18030"))
    assert next(iter_table(file, kind="csv")).rows == ROWS
    assert not file.closed


def test_chunks_follow_each_other_without_a_gap_in_the_numbers(tmp_path: Path) -> None:
    path = written(tmp_path, "a.csv", "a\n" + "".join(f"x{i}\n" for i in range(25)))
    chunks = list(iter_table(path, chunk_rows=10))
    assert [chunk.first_row for chunk in chunks] == [1, 11, 21]
    assert [len(chunk) for chunk in chunks] == [10, 10, 5]


# --- NDJSON, GeoJSON --------------------------------------------------------------------------------------------------


def test_a_broken_line_500_is_rejected_and_the_rest_goes_on(tmp_path: Path) -> None:
    lines = [json.dumps({"n": i, "text": "积水"}, ensure_ascii=False) for i in range(1, 1001)]
    lines[499] = '{"n": 500, "text": '
    chunk = only(written(tmp_path, "a.ndjson", "\n".join(lines)))
    assert len(chunk) == 999
    (rejected,) = chunk.rejected
    assert (rejected.row, rejected.code) == (500, "body-unreadable")
    assert rejected.reason.startswith("the line is not JSON")
    assert chunk.rows[499] == {"n": 501, "text": "积水"}
    assert chunk.numbers[499] == 501


def test_lines_that_are_no_objects_or_no_utf8_are_rejected_each_for_itself(tmp_path: Path) -> None:
    content = b'[1]\n{"a": "' + "积水".encode("gb18030") + b'"}\n\n{"a": NaN}\n{"b": 1}\n'
    chunk = only(written(tmp_path, "a.jsonl", content))
    assert [rejection.row for rejection in chunk.rejected] == [1, 2, 4]
    assert "JSON must be UTF-8" in chunk.rejected[1].reason
    assert chunk.numbers == [5]


def feature(lon: object, lat: object, /, **properties: object) -> dict[str, object]:
    return {"type": "Feature", "geometry": {"type": "Point", "coordinates": [lon, lat]}, "properties": properties}


def test_features_stream_with_their_place_and_the_crs_of_the_file(tmp_path: Path) -> None:
    features = [feature(121 + i / 10_000, 32.0, code=f"0{i}", text="长" * 300) for i in range(4000)]
    crs = {"type": "name", "properties": {"name": "urn:ogc:def:crs:EPSG::4490"}}
    whole = {"type": "FeatureCollection", "crs": crs, "features": features, "after": [1, 2]}
    table = open_table(written(tmp_path, "a.geojson", json.dumps(whole, ensure_ascii=False, indent=1)), chunk_rows=1500)
    assert table.position == ("lon", "lat")
    assert table.crs_declared == "EPSG:4490"
    rows = [row for chunk in table.chunks for row in chunk.rows]
    assert len(rows) == 4000
    assert rows[3999] == {"code": "03999", "text": "长" * 300, "lon": 121.3999, "lat": 32.0}


def test_what_is_no_point_has_no_place_and_a_property_called_lon_steps_aside(tmp_path: Path) -> None:
    line = {"type": "Feature", "geometry": {"type": "LineString", "coordinates": [[1, 2], [3, 4]]}, "properties": {}}
    features = [feature(121, 32, lon="east"), line, {"type": "Feature", "geometry": None, "properties": None}]
    chunk = only(written(tmp_path, "a.json", json.dumps({"type": "FeatureCollection", "features": features})))
    assert chunk.rows[0] == {"property_lon": "east", "lon": 121.0, "lat": 32.0}
    assert [row["lon"] for row in chunk.rows] == [121.0, None, None]


def test_an_array_of_objects_is_a_table_too(tmp_path: Path) -> None:
    assert only(written(tmp_path, "a.json", '[{"a": 1}, {"b": 2}]')).rows == [{"a": 1, "b": None}, {"a": None, "b": 2}]


@pytest.mark.parametrize(
    "cut", ['{"type": "FeatureCollection", "features": [{"a": 1}, {"b": ', "[1 2]", '{"a"', "[", "nonsense"]
)
def test_a_geojson_that_breaks_off_is_refused(tmp_path: Path, cut: str) -> None:
    with pytest.raises(FileUnreadable):
        list(iter_table(written(tmp_path, "a.geojson", cut)))


# --- XLSX, Parquet, GDAL ----------------------------------------------------------------------------------------------


def test_a_workbook_keeps_text_codes_numbers_and_blank_rows_in_the_count(tmp_path: Path) -> None:
    from openpyxl import Workbook

    book = Workbook()
    sheet = book.active
    for row in [["上报表"], [], ["编号", "经度", "纬度"], ["007", 121.2, 32.05], [], ["0080", 121.3, 32, "extra"]]:
        sheet.append(row)
    book.create_sheet("second").append(["a", "b"])
    book.save(tmp_path / "a.xlsx")
    table = open_table(tmp_path / "a.xlsx")
    chunk = next(table.chunks)
    assert table.columns == ("编号", "经度", "纬度")
    assert chunk.numbers == [1, 3]
    assert chunk.rows[0] == {"编号": "007", "经度": 121.2, "纬度": 32.05, "column_4": None}
    assert chunk.rows[1]["column_4"] == "extra"
    with pytest.raises(FieldMissing, match="no sheet is called third"):
        open_table(tmp_path / "a.xlsx", sheet="third")
    assert open_table(tmp_path / "a.xlsx", sheet="second").columns == ("a", "b")


def test_a_zip_bomb_is_refused_before_it_is_unpacked(tmp_path: Path) -> None:
    path = tmp_path / "bomb.xlsx"
    with (
        zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive,
        archive.open("xl/worksheets/sheet1.xml", "w") as member,
    ):
        for _ in range(120):
            member.write(b" " * 1_000_000)
    with pytest.raises(FileUnreadable, match="zip bomb"):
        open_table(path)
    bomb = bytearray(path.read_bytes())
    at = bomb.rindex(b"PK\x01\x02")
    bomb[at + 24 : at + 28] = struct.pack("<I", 4_000_000_000)  # states 4 GB
    with pytest.raises(FileUnreadable, match="zip bomb"):
        open_table(io.BytesIO(bytes(bomb)), kind="xlsx")


@pytest.mark.parametrize("name", ["a.xlsx", "a.parquet", "a.gpkg", "a.zip"])
def test_a_file_that_is_not_what_its_ending_says_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(FileUnreadable):
        open_table(written(tmp_path, name, "lon,lat\n1,2\n"))


def test_parquet_keeps_its_types_and_streams_in_batches(tmp_path: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    pq.write_table(
        pa.table({"code": ["01", None, "03"], "n": [1, 2, 3], "lon": [121.2, 121.3, None]}), tmp_path / "a.parquet"
    )
    table = open_table(tmp_path / "a.parquet", chunk_rows=2)
    assert table.schema.types == [pa.string(), pa.int64(), pa.float64()]
    assert table.position is None
    rows = [row for chunk in table.chunks for row in chunk.rows]
    assert rows[1] == {"code": None, "n": 2, "lon": 121.3}
    assert rows[2]["lon"] is None


@pytest.mark.parametrize("name", ["a.parquet", "a.gpkg", "a.fgb"])
def test_the_points_of_a_geographic_file_become_lon_and_lat(tmp_path: Path, name: str) -> None:
    import geopandas as gpd

    frame = gpd.GeoDataFrame(
        {"code": ["01", "02"]}, geometry=[shapely.Point(121.2, 32.05), shapely.Point(121.3, 32)], crs=4490
    )
    if name.endswith("parquet"):
        frame.to_parquet(tmp_path / name)
    else:
        frame.to_file(tmp_path / name, SPATIAL_INDEX="NO")
    table = open_table(tmp_path / name)
    assert table.position == ("lon", "lat")
    assert table.crs_declared == "EPSG:4490"
    assert {row["code"]: (row["lon"], row["lat"]) for row in next(table.chunks).rows} == {
        "01": (121.2, 32.05),
        "02": (121.3, 32.0),
    }


@pytest.mark.parametrize(
    ("encoding", "labelled"), [("gb18030", False), ("utf-8", False), ("gb18030", True), ("utf-8", True)]
)
def test_the_texts_of_a_shapefile_are_chinese_with_and_without_a_label(
    tmp_path: Path, encoding: str, labelled: bool
) -> None:
    import geopandas as gpd

    frame = gpd.GeoDataFrame(
        {"name": ["长岸村", "占道经营"]}, geometry=[shapely.Point(121.2, 32.05), shapely.Point(121.3, 32)], crs=4326
    )
    (tmp_path / "s").mkdir()
    frame.to_file(tmp_path / "s" / "a.shp", encoding=encoding)
    if not labelled:
        (tmp_path / "s" / "a.cpg").unlink()
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        for member in (tmp_path / "s").iterdir():
            archive.write(member, member.name)
    for path in (tmp_path / "s" / "a.shp", tmp_path / "a.zip"):
        table = open_table(path)
        assert [row["name"] for row in next(table.chunks).rows] == ["长岸村", "占道经营"]
        assert table.position == ("lon", "lat")


# --- fields -----------------------------------------------------------------------------------------------------------


def test_mapped_columns_take_the_fields_name_and_constants_fill_what_is_empty(tmp_path: Path) -> None:
    path = written(tmp_path, "a.csv", "类别,channel,text\n积水,,x\n道路,hotline,y\n")
    chunk = only(
        path,
        mapping={"category": "类别"},
        constants={"channel": "member", "crs": "gcj02"},
    )
    assert chunk.rows == [
        {"category": "积水", "channel": "member", "text": "x", "crs": "gcj02"},
        {"category": "道路", "channel": "hotline", "text": "y", "crs": "gcj02"},
    ]
    with pytest.raises(FieldMissing, match="no column is called 类型; there are 类别, channel, text"):
        fields_of(open_table(path), {"category": "类型"}, {})


@pytest.mark.parametrize(
    ("header", "place"),
    [
        ("Longitude,Latitude", ("Longitude", "Latitude")),
        ("经度,纬度", ("经度", "纬度")),
        ("lng,lat", ("lng", "lat")),
        ("X,Y", ("X", "Y")),
    ],
)
def test_the_usual_names_of_a_place_are_known(tmp_path: Path, header: str, place: tuple[str, str]) -> None:
    assert find_place(open_table(written(tmp_path, "a.csv", f"{header}\na,b\n"))) == place


def test_an_unknown_place_says_which_columns_there_are(tmp_path: Path) -> None:
    path = written(tmp_path, "a.csv", "east,north\na,b\n")
    with pytest.raises(FieldMissing, match="there are east, north"):
        find_place(open_table(path))
    assert find_place(open_table(path), "east", "north") == ("east", "north")
    with pytest.raises(FieldMissing, match="--lat"):
        find_place(open_table(path), "east", "nord")


def test_what_is_no_number_is_nan() -> None:
    assert as_numbers(["1.5", "2"], 2).tolist() == [1.5, 2.0]
    np.testing.assert_array_equal(
        as_numbers(["1.5", None, "", "west", True, 3, [1]], 7), [1.5, *[np.nan] * 4, 3.0, np.nan]
    )
    assert np.isnan(as_numbers(None, 2)).all()


def named(declared: str | None, given: str | None) -> str | None:
    table = Table("csv", ("lon", "lat"), iter(()), crs_declared=declared)
    datum = datum_of_table(table, given, place="points.csv")
    return datum.name if datum else None


def test_the_callers_crs_overrides_a_tag_only_where_the_file_could_not_say_it() -> None:
    assert named(None, None) is None  # each row may then declare its own
    assert named(None, "gcj02") == "gcj02"
    assert named("EPSG:4326", "gcj02") == "gcj02"
    assert named("EPSG:4490", "bd09") == "bd09"
    assert named("EPSG:4549", None) == "EPSG:4549"
    with pytest.raises(DatumContradiction):
        named("EPSG:4549", "wgs84")


def test_an_ending_that_no_table_has_is_refused() -> None:
    with pytest.raises(FileUnreadable, match=r"a table ends in one of \.csv"):
        kind_of("report.docx")


def test_rejected_rows_are_written_with_number_reason_and_their_columns(tmp_path: Path) -> None:
    chunk = only(written(tmp_path, "a.csv", "a,b\n1,2,长\n"))
    with RejectedWriter(tmp_path / "r.csv", ["a", "b"]) as rejected:
        rejected.write(chunk.rejected)
    assert rejected.count == 1
    header, row = only(tmp_path / "r.csv").columns, only(tmp_path / "r.csv").rows[0]
    assert list(header) == ["row", "reason", "code", "a", "b", "rest"]
    assert (row["row"], row["code"], row["a"], row["b"]) == ("1", "body-unreadable", "1", "2")
    assert json.loads(row["rest"]) == {"column_3": "长"}


def test_without_a_rejected_row_there_is_no_file_not_even_yesterdays(tmp_path: Path) -> None:
    path = written(tmp_path, "r.csv", "old")
    with RejectedWriter(path):
        pass
    assert not path.exists()
