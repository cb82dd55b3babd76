"""`/v1/events/batch`: every row is stored once or rejected with its number and reason; nothing is lost, nothing half stored."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import uuid4

import pytest

from gis.crs import from_storage, parse_datum
from tests.api.test_events import count, refused
from tests.asking import LAT, LON, Asking

NDJSON, CSV, GEOJSON = "application/x-ndjson", "text/csv", "application/geo+json"
A1 = {"lon": LON + 0.005, "lat": LAT + 0.005, "channel": "hotline"}


def send(asking: Asking, body: str | bytes, kind: str = NDJSON, **parameters: Any) -> Any:
    content = body.encode() if isinstance(body, str) else body
    return asking.http.post("/v1/events/batch", content=content, params=parameters, headers={"Content-Type": kind})


def sent(asking: Asking, body: str | bytes, kind: str = NDJSON, **parameters: Any) -> dict[str, Any]:
    answer = send(asking, body, kind, **parameters)
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


def lines(*reports: dict[str, Any]) -> str:
    return "\n".join(json.dumps(report) for report in reports)


def features(*reports: dict[str, Any], **more: Any) -> str:
    listed = [
        {"type": "Feature", "geometry": report.pop("geometry", None), "properties": report}
        for report in map(dict, reports)
    ]
    return json.dumps({"type": "FeatureCollection", **more, "features": listed})


def test_every_row_has_its_result_in_order(asking: Asking) -> None:
    answer = sent(asking, lines(A1, A1 | {"lon": 0, "lat": 0}, A1 | {"lon": 121.5}, {"channel": "x"}))
    assert (answer["rows"], answer["stored"], answer["repeated"], answer["rejected"]) == (4, 2, 0, 2)
    first, second, third, fourth = answer["results"]
    assert (first["row"], first["result"], first["grid"], first["method"]) == (1, "stored", "A1", "inside")
    assert (second["row"], second["result"], second["code"]) == (2, "rejected", "coordinate-invalid")
    assert (third["result"], third["grid"], third["reason"]) == ("stored", None, "beyond-tolerance")
    assert (fourth["code"], fourth["reason"][:4]) == ("field-missing", "lon:")
    assert asking.http.get(f"/v1/events/{first['id']}").json()["grid"] == "A1"


@pytest.mark.parametrize("kind", [NDJSON, CSV, GEOJSON, "application/json"])
def test_every_kind_of_body_stores_the_same_reports(asking: Asking, kind: str) -> None:
    reports = [A1 | {"text": f"{kind} {n}", "external_id": f"00{n}", "channel": kind} for n in range(3)]
    bodies = {
        NDJSON: lines(*reports),
        CSV: "\n".join([",".join(reports[0]), *(",".join(map(str, one.values())) for one in reports)]),
        GEOJSON: features(*(
            {"text": one["text"], "external_id": one["external_id"], "channel": kind,
             "geometry": {"type": "Point", "coordinates": [one["lon"], one["lat"], 12.5]}} for one in reports
        )),
        "application/json": json.dumps(reports),
    }  # fmt: skip
    assert sent(asking, bodies[kind], kind)["stored"] == 3
    page = asking.http.get("/v1/events", params={"channel": kind}).json()["features"]
    found = {(one["properties"]["external_id"], one["properties"]["text"], one["properties"]["grid"]) for one in page}
    assert found == {(f"00{n}", f"{kind} {n}", "A1") for n in range(3)}


def test_chinese_headings_are_understood_and_other_columns_kept(asking: Asking) -> None:
    text = f"工单号,经度,纬度,来源,内容,处置部门\n00017,{A1['lon']},{A1['lat']},热线,路灯不亮,城管\n"
    answer = sent(asking, text, CSV)
    event = asking.http.get(f"/v1/events/{answer['results'][0]['id']}").json()
    assert (event["external_id"], event["channel"], event["text"]) == ("00017", "热线", "路灯不亮")
    assert event["raw"]["处置部门"] == "城管"


def test_a_batch_repeated_stores_nothing_twice(asking: Asking) -> None:
    body = lines(*(A1 | {"external_id": f"twice {n}"} for n in range(5)))
    first, again = sent(asking, body), sent(asking, body)
    assert (first["stored"], again["stored"], again["repeated"]) == (5, 0, 5)
    assert [one["id"] for one in first["results"]] == [one["id"] for one in again["results"]]


def test_one_report_and_the_same_in_a_batch_are_the_same_report(asking: Asking) -> None:
    report = A1 | {"external_id": str(uuid4()), "unknown": {"a": [1, 2.5]}}
    event = asking.http.post("/v1/events", json=report).json()
    (row,) = sent(asking, lines(report))["results"]
    assert (row["result"], row["id"]) == ("repeated", event["id"])


def test_an_external_id_twice_in_a_batch_is_one_event_or_a_rejected_row(asking: Asking) -> None:
    one, other = (A1 | {"external_id": "inner", "text": text} for text in ("a", "b"))
    answer = sent(asking, lines(one, one, other))
    assert [row["result"] for row in answer["results"]] == ["stored", "repeated", "rejected"]
    assert answer["results"][0]["id"] == answer["results"][1]["id"]
    assert answer["results"][2]["code"] == "key-reused"


def test_a_row_with_a_known_id_and_other_content_is_rejected_and_the_rest_stored(asking: Asking) -> None:
    sent(asking, lines(A1 | {"external_id": "known"}))
    answer = sent(asking, lines(A1 | {"external_id": "known", "text": "other"}, A1))
    assert [row["result"] for row in answer["results"]] == ["rejected", "stored"]


def test_two_batches_with_the_same_ids_at_once_store_each_id_once(asking: Asking) -> None:
    bodies = [lines(*(A1 | {"external_id": f"both {n}"} for n in order)) for order in (range(200), range(199, -1, -1))]
    with ThreadPoolExecutor(2) as pool:
        answers = list(pool.map(lambda body: sent(asking, body), bodies))
    assert [answer["rejected"] for answer in answers] == [0, 0]
    assert sum(answer["stored"] for answer in answers) == 200
    assert asking.query("SELECT count(*) FROM event WHERE external_id LIKE 'both %'") == [(200,)]


def test_atomic_stores_all_rows_or_none(asking: Asking) -> None:
    before = count(asking)
    answer = send(asking, lines(A1, A1 | {"lat": 95}, A1), atomic="true")
    refused(answer, 422, "batch-refused")
    assert [row["row"] for row in answer.json()["results"]] == [2]
    assert count(asking) == before
    assert sent(asking, lines(A1, A1), atomic="true")["stored"] == 2


def test_broken_json_on_line_500_is_that_line_s_fault_alone(asking: Asking) -> None:
    good = json.dumps(A1)
    answer = sent(asking, "\n".join(good if n != 500 else good[:-5] for n in range(1, 1001)))
    assert (answer["stored"], answer["rejected"]) == (999, 1)
    (bad,) = [row for row in answer["results"] if row["result"] == "rejected"]
    assert (bad["row"], bad["code"]) == (500, "body-unreadable")


def test_blank_lines_count_and_are_no_rows(asking: Asking) -> None:
    answer = sent(asking, f"\n\n{json.dumps(A1)}\r\n\n")
    assert [(row["row"], row["result"]) for row in answer["results"]] == [(3, "stored")]


ROWS = [
    ('{"lon": 32.05, "lat": 121.2, "channel": "x"}', "coordinate-invalid"),
    ('{"lon": NaN, "lat": 32, "channel": "x"}', "body-unreadable"),
    ('{"lon": 1e400, "lat": 32, "channel": "x"}', "body-unreadable"),
    ('{"lon": "NaN", "lat": 32, "channel": "x"}', "coordinate-invalid"),
    ('{"lon": true, "lat": 32, "channel": "x"}', "coordinate-invalid"),
    ('{"lon": 519000, "lat": 3547000, "channel": "x"}', "datum-contradiction"),
    ('{"lon": 121.2, "lat": 32.05, "crs": "EPSG:4549", "channel": "x"}', "datum-contradiction"),
    ('{"lon": 121.2, "lat": 32.05, "crs": "venus", "channel": "x"}', "datum-unknown"),
    ('{"lon": 121.2, "lat": 32.05, "channel": "x", "occurred_at": "2026-05-03T08:00:00"}', "time-invalid"),
    ('{"lon": 121.2, "lat": 32.05, "channel": "x", "occurred_at": "2999-05-03T08:00:00Z"}', "time-invalid"),
    ('{"lon": 121.2, "lat": 32.05, "channel": "x", "accuracy_m": -1}', "parameter-invalid"),
    ('{"lon": 121.2, "lat": 32.05, "channel": "\\u0000"}', "body-unreadable"),
    ('{"lon": 121.2, "lat": 32.05, "channel": "\\ud800"}', "body-unreadable"),
    ('{"lon": 121.2, "lat": 32.05, "channel": "x", "text": "' + "长" * 20_001 + '"}', "body-too-large"),
    ('{"lon": 121.2, "lat": 32.05, "channel": "x", "deep": ' + "[" * 900 + "]" * 900 + "}", "body-unreadable"),
    ('{"lon": 121.2, "lat": 32.05, "channel": "x", "deep": ' + "[" * 90_000, "body-unreadable"),
    ("[1, 2]", "body-unreadable"),
    ("null", "body-unreadable"),
    ('"text"', "body-unreadable"),
    ("{}", "field-missing"),
]  # fmt: skip


@pytest.mark.parametrize(("row", "code"), ROWS)
def test_a_bad_line_is_rejected_with_its_number_and_the_others_stored(asking: Asking, row: str, code: str) -> None:
    answer = sent(asking, f"{json.dumps(A1)}\n{row}\n{json.dumps(A1)}")
    assert [(one["row"], one["result"], one.get("code")) for one in answer["results"]] == [
        (1, "stored", None), (2, "rejected", code), (3, "stored", None),
    ]  # fmt: skip


@pytest.mark.parametrize("row", [row for row, code in ROWS if code not in {"body-unreadable", "body-too-large"}])
def test_the_same_bad_row_in_a_json_array_is_rejected_by_its_number(asking: Asking, row: str) -> None:
    answer = sent(asking, f"[{json.dumps(A1)}, {row}]", "application/json")
    assert [(one["row"], one["result"]) for one in answer["results"]] == [(1, "stored"), (2, "rejected")]


@pytest.mark.parametrize(
    "member",
    ['"lon": "\\ud800"', '"occurred_at": "\\ud800"', '"note": "\\ud800"', '"\\ud800": 1', '"crs": "\\ud800"',
     '"meter": 123456789012345678901234567890'],
)  # fmt: skip
def test_what_the_store_cannot_keep_is_a_rejected_feature(asking: Asking, member: str) -> None:
    report = json.dumps(A1)
    broken = f'{{"lon": 121.2, "lat": 32.05, "channel": "x", {member}}}'
    answer = sent(asking, f"[{report}, {broken}, {report}]", "application/json")
    assert [one["result"] for one in answer["results"]] == ["stored", "rejected", "stored"]


def test_nan_in_a_member_is_an_empty_one(asking: Asking) -> None:
    answer = sent(asking, f'[{json.dumps(A1)[:-1]}, "accuracy_m": NaN, "note": NaN}}]', "application/json")
    event = asking.http.get(f"/v1/events/{answer['results'][0]['id']}").json()
    assert event["accuracy_m"] is None
    assert "note" not in event["raw"]


POINT = {"type": "Point", "coordinates": [A1["lon"], A1["lat"]]}
GEOMETRIES = [
    (POINT, "stored"),
    ({"type": "Point", "coordinates": [A1["lon"], A1["lat"], 7.5]}, "stored"),
    (None, "rejected"),
    ({"type": "Point", "coordinates": []}, "rejected"),
    ({"type": "Point", "coordinates": ["a", "b"]}, "rejected"),
    ({"type": "Point", "coordinates": [A1["lat"], A1["lon"]]}, "rejected"),
    ({"type": "LineString", "coordinates": [[121.2, 32.05], [121.21, 32.05]]}, "rejected"),
    ({"type": "Polygon", "coordinates": [[[121.2, 32.0], [121.3, 32.0], [121.3, 32.1], [121.2, 32.0]]]}, "rejected"),
    ({"type": "Point"}, "rejected"),
    ("POINT(1 2)", "rejected"),
    (5, "rejected"),
]


@pytest.mark.parametrize(("geometry", "result"), GEOMETRIES)
def test_a_feature_needs_a_point_or_an_address(asking: Asking, geometry: Any, result: str) -> None:
    answer = sent(asking, features({"channel": "x", "geometry": geometry}), GEOJSON)
    assert [one["result"] for one in answer["results"]] == [result]
    answer = sent(asking, features({"channel": "x", "address": "花园路1号", "geometry": None}), GEOJSON)
    assert answer["results"][0]["reason"] == "address-only"


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        ("", NDJSON), ("\n\n", NDJSON), ("", CSV), ("lon,lat,channel\n", CSV), ("", GEOJSON), ("[]", GEOJSON), ("{}", GEOJSON),
        (json.dumps(A1), "application/json"), ('{"type": "FeatureCollection", "features": []}', GEOJSON),
        ('{"type": "FeatureCollection", "features": 5}', GEOJSON), ("{", GEOJSON), ("[1", GEOJSON), ("nonsense", GEOJSON),
        (f"[{json.dumps(A1)}, ", GEOJSON), ("[" * 100_000, GEOJSON), ("[" + "9" * 5_000 + "]", GEOJSON),
        (json.dumps(A1), ""), (json.dumps(A1), "application/xml"), (json.dumps(A1), "multipart/form-data"),
        (json.dumps(A1), "application/x-ndjson; charset=utf-7"),
    ],
)  # fmt: skip
def test_a_body_that_is_no_batch_is_refused_and_nothing_stored(asking: Asking, body: str, kind: str) -> None:
    before = count(asking)
    answer = send(asking, body, kind)
    assert 400 <= answer.status_code < 500, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert count(asking) == before


def test_an_array_that_breaks_off_stores_nothing(asking: Asking) -> None:
    before = count(asking)
    body = "[" + ",".join([json.dumps(A1), *["{}"] * 20_000, json.dumps(A1)])  # more than one chunk
    assert send(asking, body, "application/json").status_code in {400, 422}
    assert count(asking) == before


def test_a_batch_larger_than_allowed_is_too_large(database: str) -> None:
    asking = Asking(database, max_batch_bytes=10_000)
    refused(send(asking, lines(*[A1] * 1_000)), 413, "body-too-large")
    asking.app.state.engine.dispose()


def test_a_text_of_ten_megabytes_is_one_rejected_row(asking: Asking) -> None:
    answer = sent(asking, lines(A1, A1 | {"text": "x" * 10_000_000}, A1))
    assert [row["result"] for row in answer["results"]] == ["stored", "rejected", "stored"]


# Encodings.

GB = f"lon,lat,来源,内容\n{A1['lon']},{A1['lat']},热线,道路积水\n"


@pytest.mark.parametrize("kind", [CSV, "text/csv; charset=gb18030", "text/csv; charset=GBK"])
def test_gb18030_is_read_as_what_it_is(asking: Asking, kind: str) -> None:
    answer = sent(asking, GB.encode("gb18030"), kind)
    event = asking.http.get(f"/v1/events/{answer['results'][0]['id']}").json()
    assert (event["channel"], event["text"]) == ("热线", "道路积水")


def test_gb18030_called_utf_8_is_refused_with_the_way_out(asking: Asking) -> None:
    answer = send(asking, GB.encode("gb18030"), "text/csv; charset=utf-8")
    refused(answer, 422, "file-unreadable")
    assert "GB18030" in answer.json()["detail"]


def test_json_lines_that_are_not_utf_8_are_rejected_rows(asking: Asking) -> None:
    bad = json.dumps(A1 | {"text": "道路积水"}, ensure_ascii=False).encode("gb18030")
    answer = sent(asking, bad + b"\n" + json.dumps(A1).encode())
    assert [row["result"] for row in answer["results"]] == ["rejected", "stored"]


def test_a_csv_row_with_too_many_cells_is_rejected(asking: Asking) -> None:
    answer = sent(asking, f"lon,lat,channel\n{A1['lon']},{A1['lat']},x,y\n{A1['lon']},{A1['lat']},x\n", CSV)
    assert [row["result"] for row in answer["results"]] == ["rejected", "stored"]


# Datums.


def test_crs_is_the_datum_of_rows_that_declare_none(asking: Asking) -> None:
    x, y = (float(axis[0]) for axis in from_storage([A1["lon"]], [A1["lat"]], parse_datum("gcj02")))
    mixed = lines({"lon": x, "lat": y, "channel": "x"}, A1 | {"crs": "wgs84"})
    answer = sent(asking, mixed, crs="gcj02")
    events = [asking.http.get(f"/v1/events/{row['id']}").json() for row in answer["results"]]
    assert [event["crs"] for event in events] == ["gcj02", "wgs84"]
    assert [event["lon"] for event in events] == pytest.approx([A1["lon"]] * 2, abs=1e-9)


def test_a_projected_file_that_is_called_something_else_is_refused(asking: Asking) -> None:
    tag = {"type": "name", "properties": {"name": "urn:ogc:def:crs:EPSG::4549"}}
    x, y = (float(axis[0]) for axis in from_storage([A1["lon"]], [A1["lat"]], parse_datum("EPSG:4549")))
    body = features({"channel": "x", "geometry": {"type": "Point", "coordinates": [x, y]}}, crs=tag)
    refused(send(asking, body, GEOJSON, crs="gcj02"), 422, "datum-contradiction")
    assert sent(asking, body, GEOJSON)["results"][0]["grid"] == "A1"
    assert sent(asking, body, GEOJSON, crs="EPSG:4549")["results"][0]["grid"] == "A1"


@pytest.mark.parametrize("name", ["EPSG:999999", "EPSG::0", "nonsense", "urn:ogc:def:crs:OGC:1.3:CRS84"])
def test_a_file_s_crs_that_nobody_knows_is_no_server_error(asking: Asking, name: str) -> None:
    body = features({"channel": "x", "geometry": POINT}, crs={"type": "name", "properties": {"name": name}})
    assert send(asking, body, GEOJSON).status_code in {200, 422}


def test_an_unknown_crs_parameter_refuses_the_batch(asking: Asking) -> None:
    refused(send(asking, lines(A1), crs="venus"), 422, "datum-unknown")


def test_members_that_appear_only_in_later_lines_are_taken(asking: Asking) -> None:
    many = "\n".join([json.dumps(A1), *["{}"] * 19_999])  # the reader's first chunk ends here
    answer = sent(asking, many + "\n" + json.dumps(A1 | {"occurred_at": "2026-05-03T00:00:00Z", "note": "late"}))
    event = asking.http.get(f"/v1/events/{answer['results'][-1]['id']}").json()
    assert event["occurred_at"] == "2026-05-03T00:00:00+00:00"
    assert event["raw"]["note"] == "late"
