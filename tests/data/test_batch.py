"""Rows become submissions: headings found, constants set, numbers kept, nothing of a row lost."""

from __future__ import annotations

import io
from datetime import UTC, datetime
from typing import Any

import pytest

from data.batch import RowPlan, plan_rows, plan_table, report_of, submissions_of
from data.rowchunk import Rejection, RowChunk
from data.tables import open_table
from gis.errors import DatumContradiction, FieldMissing, ParameterInvalid

NOW = datetime(2026, 11, 22, 9, 0, tzinfo=UTC)


def chunk(
    columns: dict[str, list[Any]], numbers: list[int] | None = None, rejected: list[Rejection] | None = None
) -> RowChunk:
    length = len(next(iter(columns.values())))
    return RowChunk(numbers or list(range(1, length + 1)), columns, rejected or [])


def table(text: str, kind: str = "csv") -> Any:
    return open_table(io.BytesIO(text.encode()), kind=kind)


@pytest.mark.parametrize(
    ("headings", "fed"),
    [
        (("经度", "纬度", "来源"), {"lon": "经度", "lat": "纬度", "channel": "来源"}),
        (("内容", "工单号", "发生时间"), {"text": "内容", "external_id": "工单号", "occurred_at": "发生时间"}),
        ((" LON ", "Latitude", "CHANNEL"), {"lon": " LON ", "lat": "Latitude", "channel": "CHANNEL"}),
        (("lng", "lat", "lon"), {"lon": "lon", "lat": "lat"}),
        (("编号", "工单号"), {"external_id": "工单号"}),
        (("a", "b"), {}),
    ],
)  # fmt: skip
def test_known_headings_find_their_fields(headings: tuple[str, ...], fed: dict[str, str]) -> None:
    assert plan_rows(headings).columns == fed


def test_what_the_caller_maps_or_sets_goes_before_what_is_guessed() -> None:
    plan = plan_rows(("lon", "lat", "x1", "来源"), mapped={"lon": "x1"}, constants={"channel": "热线"})
    assert plan.columns == {"lon": "x1", "lat": "lat"}
    assert report_of({"lon": 1, "lat": 2, "x1": 3, "来源": "其他"}, plan) == {
        "lon": 3, "lat": 2, "channel": "热线", "lon_input": 1, "来源": "其他",
    }  # fmt: skip


def test_a_field_or_column_that_is_not_there_is_refused_by_name() -> None:
    with pytest.raises(ParameterInvalid, match="there is no field lng"):
        plan_rows(("a",), mapped={"lng": "a"})
    with pytest.raises(ParameterInvalid, match="there is no field kanal"):
        plan_rows(("a",), constants={"kanal": "x"})
    with pytest.raises(FieldMissing, match="there is no column b; columns are a"):
        plan_rows(("a",), mapped={"lon": "b"})


def test_columns_that_feed_nothing_stay_in_the_raw_input() -> None:
    rows = chunk(
        {"lon": [121.2], "lat": [32.05], "channel": ["x"], "处置部门": ["城管"], "空": [None], "nan": [float("nan")]}
    )
    taken, refused = submissions_of(rows, plan_rows(tuple(rows.columns)), NOW)
    assert refused == []
    assert taken[0][1].report.raw == {"lon": 121.2, "lat": 32.05, "channel": "x", "处置部门": "城管"}


def test_rows_keep_their_numbers_and_rejections_their_place_among_them() -> None:
    rows = chunk(
        {"lon": [121.2, 0, 121.2], "lat": [32.05, 0, 32.05], "channel": ["x", "x", None]},
        [2, 5, 9],
        [Rejection(3, "c", "r")],
    )
    taken, refused = submissions_of(rows, plan_rows(tuple(rows.columns)), NOW)
    assert [number for number, _ in taken] == [2]
    assert [(one.row, one.code) for one in refused] == [(3, "c"), (5, "coordinate-invalid"), (9, "field-missing")]
    assert refused[1].record == {"lon": 0, "lat": 0, "channel": "x"}


def test_a_row_without_an_id_is_named_by_its_file_and_number() -> None:
    rows = chunk({"lon": [121.2] * 2, "lat": [32.05] * 2, "channel": ["x"] * 2, "external_id": [None, "17"]}, [7, 8])
    plan = plan_rows(tuple(rows.columns), source="a.csv", file_key="file:abc")
    keys = [submission.keys for _, submission in submissions_of(rows, plan, NOW)[0]]
    assert keys == [("key:file:abc:7",), ("id:17",)]
    assert submissions_of(rows, plan, NOW)[0][0][1].origin == {"file": "a.csv", "row": 7}


def test_a_spreadsheet_s_numbers_become_text_when_no_digit_is_lost() -> None:
    plan = RowPlan({name: name for name in ("external_id", "text")})
    assert report_of({"external_id": 42.0, "text": 3.5}, plan) == {"external_id": "42", "text": "3.5"}
    rows = chunk({"lon": [121.2], "lat": [32.05], "channel": ["x"], "external_id": [1.10105001001e17]})
    assert submissions_of(rows, plan_rows(tuple(rows.columns)), NOW)[1][0].code == "code-invalid"


def test_columns_of_later_chunks_find_their_fields_too() -> None:
    plan = plan_rows(("lon", "lat", "channel"))
    late = chunk(
        {"lon": [121.2], "lat": [32.05], "channel": ["x"], "发生时间": ["2026-05-03T00:00:00Z"], "text": ["t"]}
    )
    report = submissions_of(late, plan, NOW)[0][0][1].report
    assert (report.text, report.occurred_at) == ("t", datetime(2026, 5, 3, tzinfo=UTC))


def test_the_caller_s_crs_is_for_rows_that_declare_none() -> None:
    plan = plan_table(table("lon,lat,channel,坐标系\n1,2,x,wgs84\n"), "gcj02", place="a.csv", constants={})
    assert report_of({"lon": 1, "坐标系": "wgs84"}, plan)["crs"] == "wgs84"
    assert report_of({"lon": 1, "坐标系": None}, plan)["crs"] == "gcj02"


TAGGED = '{"type": "FeatureCollection", "crs": {"type": "name", "properties": {"name": "EPSG:4490"}}, "features": [%s]}'


def test_a_file_s_own_crs_holds_for_every_row_and_differs_from_nothing() -> None:
    feature = '{"type": "Feature", "geometry": {"type": "Point", "coordinates": [121.2, 32.05]}, "properties": {"crs": "bd09"}}'
    tagged = TAGGED % feature
    plan = plan_table(table(tagged, "json"), None, place="a.geojson", constants={})
    assert report_of({"lon": 1, "crs": "bd09"}, plan)["crs"] == "cgcs2000"
    assert plan_table(table(tagged, "json"), "gcj02", place="a", constants={}).constants["crs"] == "gcj02"
    with pytest.raises(DatumContradiction):
        plan_table(table(tagged, "json"), "EPSG:4549", place="a.geojson", constants={})
