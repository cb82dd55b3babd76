"""`/v1/locate` on the drawn town: one place and many, by every rule of the contract."""

from __future__ import annotations

import csv
import io
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from api.bulk import ARROW
from gis.crs import from_storage, metres_per_degree, parse_datum
from tests.asking import BEGUN, LAT, LON, MERGED, RENAMED, Asking

EAST, NORTH = (float(scale[0]) for scale in metres_per_degree(np.array([LAT + 0.005])))
ASSIGNMENT = {
    "grid", "method", "reason", "layers", "path", "distance_to_edge_m", "probability", "ambiguous", "candidates", "generation",
    "rule", "backup", "owners", "told",
}  # fmt: skip


def at(asking: Asking, x: float, y: float, **parameters: Any) -> dict[str, Any]:
    """The answer for a place in hundredths of a degree from the town's corner."""
    answer = asking.http.get("/v1/locate", params={"lon": LON + x / 100, "lat": LAT + y / 100} | parameters)
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "application/json"
    return dict(answer.json())


def refused(asking: Asking, status: int, code: str, **parameters: Any) -> dict[str, Any]:
    answer = asking.http.get("/v1/locate", params=parameters)
    problem = answer.json()
    assert (answer.status_code, problem["code"]) == (status, code), answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    return dict(problem)


def test_an_answer_has_exactly_the_members_of_the_contract(asking: Asking) -> None:
    answer = at(asking, 0.5, 0.5)
    assert set(answer) == ASSIGNMENT
    assert (answer["grid"], answer["method"], answer["reason"]) == ("A1", "inside", None)
    assert answer["layers"] == {"dedicated": None, "general": "A1"}
    assert answer["path"] == [
        {"level": "community", "code": "V1", "name": "甲村"}, {"level": "grid", "code": "A1", "name": "南桥"},
    ]  # fmt: skip
    assert answer["distance_to_edge_m"] == pytest.approx(0.005 * EAST, abs=0.1)
    assert (answer["probability"], answer["ambiguous"], answer["generation"]) == (None, False, 3)
    assert answer["candidates"] == [{"grid": "A1", "layer": "general", "probability": None, "distance_m": 0.0}]


def test_the_dedicated_grid_wins_and_every_layer_is_named(asking: Asking) -> None:
    answer = at(asking, 0.8, 0.8)
    assert (answer["grid"], answer["layers"]) == ("M", {"dedicated": "M", "general": "A1"})
    assert [one["grid"] for one in answer["candidates"]] == ["M", "A1"]


def test_one_layer_can_be_asked_alone(asking: Asking) -> None:
    assert at(asking, 0.8, 0.8, layer="general")["grid"] == "A1"
    assert at(asking, 0.2, 0.2, layer="dedicated")["reason"] == "beyond-tolerance"
    assert "frontage" in refused(asking, 400, "parameter-invalid", lon=LON, lat=LAT, layer="frontage")["detail"]


def test_a_place_on_a_shared_edge_belongs_to_the_lowest_code_and_names_the_other(asking: Asking) -> None:
    answer = at(asking, 0.5, 1)
    assert (answer["grid"], answer["method"], answer["distance_to_edge_m"]) == ("A1", "edge", 0.0)
    assert [(one["grid"], one["distance_m"]) for one in answer["candidates"]] == [("A1", 0.0), ("A2", 0.0)]


def test_outside_goes_to_the_nearest_within_the_tolerance_and_else_to_nobody(asking: Asking) -> None:
    near = at(asking, 0.5, -0.008)
    assert (near["grid"], near["method"]) == ("A1", "nearest")
    assert near["distance_to_edge_m"] == pytest.approx(0.00008 * NORTH, abs=0.01)
    beyond = at(asking, 0.5, -0.02)
    assert (beyond["grid"], beyond["method"], beyond["reason"], beyond["path"]) == (
        None,
        "none",
        "beyond-tolerance",
        [],
    )
    assert [one["grid"] for one in beyond["candidates"]] == ["A1"]  # 22 m away
    assert at(asking, 0.5, -5)["candidates"] == []


def test_candidates_are_those_within_fifty_metres_or_within_the_accuracy(asking: Asking) -> None:
    assert [one["grid"] for one in at(asking, 0.5, 0.956)["candidates"]] == ["A1", "A2"]  # 48.8 m from A2
    assert [one["grid"] for one in at(asking, 0.5, 0.954)["candidates"]] == ["A1"]  # 51 m
    assert [one["grid"] for one in at(asking, 0.5, 0.954, accuracy_m=60)["candidates"]] == ["A1", "A2"]


def test_at_gives_the_boundary_of_that_instant(asking: Asking) -> None:
    before, between, after = (at(asking, 1.5, 0.5, at=instant.isoformat()) for instant in (BEGUN, RENAMED, MERGED))
    assert [one["grid"] for one in (before, between, after)] == ["B1", "B1", "B3"]
    assert [one["generation"] for one in (before, between, after)] == [1, 2, 3]
    names = [at(asking, 0.5, 0.5, at=instant.isoformat())["path"][-1]["name"] for instant in (BEGUN, RENAMED)]
    assert names == ["甲一", "南桥"]
    nothing = at(asking, 1.5, 0.5, at="2024-12-31T23:59:59.999Z")
    assert (nothing["reason"], nothing["generation"]) == ("no-boundaries", 0)


def test_known_at_gives_what_the_system_knew(asking: Asking) -> None:
    published = [row[0] for row in asking.query("SELECT published_at FROM generation ORDER BY number")]
    grids = [at(asking, 1.5, 0.5, known_at=instant.isoformat())["grid"] for instant in published]
    assert grids == ["B1", "B1", "B3"]
    assert at(asking, 1.5, 0.5, known_at="2024-01-01T00:00:00Z")["reason"] == "no-boundaries"


def test_a_plus_sign_that_was_not_encoded_is_forgiven(asking: Asking) -> None:
    answer = asking.http.get(f"/v1/locate?lon={LON + 0.015}&lat={LAT + 0.005}&at=2025-07-01T07:59:59+08:00")
    assert answer.json()["grid"] == "B1"  # one second before the merger, which is at 08:00 in China


@pytest.mark.parametrize("crs", ["wgs84", "gcj02", "bd09", "cgcs2000", "EPSG:4549"])
def test_a_place_declared_in_any_datum_is_the_same_place(asking: Asking, crs: str) -> None:
    x, y = (float(axis[0]) for axis in from_storage([LON + 0.0031], [LAT + 0.0031], parse_datum(crs)))
    answer = asking.http.get("/v1/locate", params={"lon": repr(x), "lat": repr(y), "crs": crs}).json()
    assert answer["grid"] == "A1"
    assert answer["distance_to_edge_m"] == pytest.approx(0.0031 * EAST, abs=0.02)


BAD = [
    (422, "coordinate-invalid", {"lon": 32.05, "lat": 121.2}),
    (422, "coordinate-invalid", {"lon": "nan", "lat": 32}),
    (422, "coordinate-invalid", {"lon": "1e400", "lat": 32}),
    (422, "coordinate-invalid", {"lon": 0, "lat": 0}),
    (422, "coordinate-invalid", {"lon": 181, "lat": 10}),
    (422, "datum-unknown", {"lon": 121, "lat": 32, "crs": "mars2000"}),
    (422, "datum-unknown", {"lon": 121, "lat": 32, "crs": ""}),
    (422, "datum-contradiction", {"lon": 519_000, "lat": 3_547_000}),
    (422, "datum-contradiction", {"lon": 121.2, "lat": 32.05, "crs": "EPSG:4549"}),
    (422, "datum-outside", {"lon": 2.35, "lat": 48.85, "crs": "gcj02"}),
    (400, "parameter-invalid", {"lon": 121.2}),
    (400, "parameter-invalid", {"lat": 32}),
    (400, "parameter-invalid", {}),
    (400, "parameter-invalid", {"lon": 121.2, "lat": 32, "address": "人民路1号"}),
    (400, "parameter-invalid", {"lat": 32, "address": "人民路1号"}),
    (400, "parameter-invalid", {"accuracy_m": 8, "address": "人民路1号"}),
    (422, "field-missing", {"address": " "}),
    (413, "body-too-large", {"address": "路" * 2_001}),
    (400, "parameter-invalid", {"lon": "east", "lat": 32}),
    (400, "parameter-invalid", {"lon": 121.2, "lat": 32, "lng": 3}),
    (400, "parameter-invalid", {"lon": ["121.2", "121.3"], "lat": 32}),
    (400, "parameter-invalid", {"lon": 121.2, "lat": 32, "layer": "a\0b"}),
    (400, "parameter-invalid", {"lon": 121.2, "lat": 32, "accuracy_m": -1}),
    (400, "parameter-invalid", {"lon": 121.2, "lat": 32, "accuracy_m": 0}),
    (400, "parameter-invalid", {"lon": 121.2, "lat": 32, "accuracy_m": "nan"}),
    (400, "parameter-invalid", {"lon": 121.2, "lat": 32, "accuracy_m": "inf"}),
    (422, "time-invalid", {"lon": 121.2, "lat": 32, "at": "2026-05-03T08:00:00"}),
    (422, "time-invalid", {"lon": 121.2, "lat": 32, "at": "yesterday"}),
    (422, "time-invalid", {"lon": 121.2, "lat": 32, "at": "2026/5/3 8:00"}),
    (422, "time-invalid", {"lon": 121.2, "lat": 32, "at": ""}),
    (422, "time-invalid", {"lon": 121.2, "lat": 32, "at": "0001-01-01T00:00:00+08:00"}),
    (422, "time-invalid", {"lon": 121.2, "lat": 32, "known_at": "10000-01-01T00:00:00Z"}),
]  # fmt: skip


@pytest.mark.parametrize(("status", "code", "parameters"), BAD)
def test_what_cannot_be_used_is_a_problem_that_says_so(
    asking: Asking, status: int, code: str, parameters: dict[str, Any]
) -> None:
    problem = refused(asking, status, code, **parameters)
    assert {"type", "title", "status", "detail", "code"} <= set(problem)
    assert problem["status"] == status


def test_swapped_coordinates_are_called_swapped(asking: Asking) -> None:
    assert "swapped" in refused(asking, 422, "coordinate-invalid", lon=32.05, lat=121.2)["detail"]


@pytest.mark.parametrize("instant", ["0001-01-01T00:00:00Z", "9999-12-31T23:59:59.999999Z"])
def test_the_ends_of_the_calendar_are_instants_like_others(asking: Asking, instant: str) -> None:
    assert at(asking, 1.5, 0.5, at=instant)["grid"] == (None if instant.startswith("0") else "B3")


# Many places.

POINTS = [[LON + x / 100, LAT + y / 100] for x, y in ((0.5, 0.5), (0.8, 0.8), (0.5, 1), (0.5, -0.008), (0.5, -5))]
GRIDS = ["A1", "M", "A1", "A1", None]
METHODS = ["inside", "inside", "edge", "nearest", "none"]


def test_many_points_come_back_as_arrays(asking: Asking) -> None:
    answer = asking.http.post("/v1/locate", json={"points": POINTS}).json()
    assert (answer["grid"], answer["method"]) == (GRIDS, METHODS)
    assert answer["reason"] == [None] * 4 + ["beyond-tolerance"]
    assert answer["layers"] == {"dedicated": [None, "M", None, None, None], "general": ["A1"] * 3 + [None] * 2}
    assert answer["distance_to_edge_m"][2:] == [0.0, pytest.approx(8.87, abs=0.1), None]
    assert answer["generation"] == 3


def test_many_points_give_what_each_alone_gives(asking: Asking) -> None:
    many = asking.http.post("/v1/locate", json={"points": POINTS}).json()
    ones = [asking.http.get("/v1/locate", params={"lon": lon, "lat": lat}).json() for lon, lat in POINTS]
    for name in ("grid", "method", "reason", "distance_to_edge_m"):
        assert many[name] == [one[name] for one in ones]


def test_no_points_have_no_answers(asking: Asking) -> None:
    assert asking.http.post("/v1/locate", json={"points": []}).json()["grid"] == []


def test_many_points_have_a_datum_an_instant_and_a_layer(asking: Asking) -> None:
    x, y = from_storage([LON + 0.015], [LAT + 0.0099], parse_datum("gcj02"))
    body = {"points": [[x[0], y[0]]], "crs": "gcj02", "at": BEGUN.isoformat(), "layer": "general", "accuracy_m": 5}
    assert asking.http.post("/v1/locate", json=body).json()["grid"] == ["B1"]


BODIES = [
    (b"", 400), (b"{", 400), (b"[]", 400), (b"null", 400), (b"{}", 400), (b'{"points": 3}', 400),
    (b'{"points": [1, 2]}', 400), (b'{"points": [[1, 2, 3]]}', 400), (b'{"points": [["121.2", "32.05"]]}', 400),
    (b'{"points": [[true, false]]}', 400), (b'{"points": [[null, 1]]}', 400), (b'{"points": [[121.2, 32.05], [1]]}', 400),
    (b'{"points": [[NaN, 1]]}', 400), (b'{"points": [[1e400, 1]]}', 400), (b'{"points": [[32.05, 121.2]]}', 422),
    (b'{"points": [], "at": 5}', 400), (b'{"points": [], "layer": ["general"]}', 400), (b'{"points": [], "crs": {}}', 400),
    (b'{"points": [], "lag": "x"}', 400), (b'{"points": [], "at": "2026-05-03T08:00:00"}', 422),
    (b'{"points": [], "accuracy_m": -3}', 400), (b'{"points": [[123456789012345678901234567890, 1]]}', 422),
    (b"[" * 100_000, 400), (b'{"points": [], "crs": "\\ud800"}', 400),
]  # fmt: skip


@pytest.mark.parametrize(("body", "status"), BODIES)
def test_a_body_that_is_no_question_is_refused(asking: Asking, body: bytes, status: int) -> None:
    answer = asking.http.post("/v1/locate", content=body, headers={"Content-Type": "application/json"})
    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json"), answer.text


def test_a_bad_point_is_named_by_its_row(asking: Asking) -> None:
    answer = asking.http.post("/v1/locate", json={"points": [*POINTS, [32.05, 121.2]]})
    assert (answer.status_code, answer.json()["place"]) == (422, "row 6")


def test_a_parameter_and_a_member_may_not_differ(asking: Asking) -> None:
    answer = asking.http.post("/v1/locate?crs=wgs84", json={"points": [], "crs": "gcj02"})
    assert (answer.status_code, answer.json()["place"]) == (400, "crs")


def in_csv(asking: Asking, text: str, **parameters: str) -> list[dict[str, str]]:
    answer = asking.http.post(
        "/v1/locate", content=text.encode(), params=parameters, headers={"Content-Type": "text/csv"}
    )
    assert answer.status_code == 200, answer.text
    return list(csv.DictReader(io.StringIO(answer.text)))


def test_csv_comes_back_with_its_rows_and_their_grids(asking: Asking) -> None:
    rows = in_csv(
        asking, "编号,经度,纬度\n" + "".join(f"00{i},{lon!r},{lat!r}\n" for i, (lon, lat) in enumerate(POINTS))
    )
    assert [row["编号"] for row in rows] == ["000", "001", "002", "003", "004"]
    assert [row["grid"] or None for row in rows] == GRIDS
    assert [row["method"] for row in rows] == METHODS


def test_csv_rows_without_a_usable_place_keep_their_line_and_get_a_reason(asking: Asking) -> None:
    rows = in_csv(asking, f"lon,lat\n{LON + 0.005},{LAT + 0.005}\n,\n32.05,121.2\nhere,there\n0,0\n")
    assert [row["reason"] for row in rows] == ["", *["coordinate-invalid"] * 3]  # the line without any cell is blank
    assert [row["grid"] for row in rows] == ["A1", "", "", ""]


def test_csv_has_its_datum_and_instant_in_the_address(asking: Asking) -> None:
    x, y = from_storage([LON + 0.015], [LAT + 0.0099], parse_datum("EPSG:4549"))
    text = f"x,y\n{x[0]},{y[0]}\n"
    assert in_csv(asking, text, crs="EPSG:4549", at=BEGUN.isoformat())[0]["grid"] == "B1"
    assert in_csv(asking, text)[0]["reason"] == "datum-contradiction"


def test_csv_columns_that_are_called_like_the_answer_step_aside(asking: Asking) -> None:
    (row,) = in_csv(asking, f"lon,lat,grid\n{LON + 0.005},{LAT + 0.005},old\n")
    assert (row["grid_input"], row["grid"]) == ("old", "A1")


@pytest.mark.parametrize("text", ["", "a,b\n1,2\n", "lon,lat\n1,2,3\n"])
def test_csv_that_is_no_table_of_places_is_refused(asking: Asking, text: str) -> None:
    answer = asking.http.post("/v1/locate", content=text.encode(), headers={"Content-Type": "text/csv"})
    assert answer.status_code in {400, 422}, answer.text


def in_arrow(asking: Asking, table: pa.Table, **parameters: str) -> Any:
    sink = io.BytesIO()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return asking.http.post("/v1/locate", content=sink.getvalue(), params=parameters, headers={"Content-Type": ARROW})


def test_arrow_comes_back_with_its_rows_and_their_grids(asking: Asking) -> None:
    lon, lat = zip(*POINTS, strict=True)
    table = pa.table({"id": [1, 2, 3, 4, 5], "lon": lon, "lat": lat, "grid": ["x"] * 5})
    answer = in_arrow(asking, table)
    assert answer.headers["content-type"] == ARROW
    found = pa.ipc.open_stream(answer.content).read_all().to_pydict()
    assert (found["id"], found["grid"], found["method"], found["grid_input"]) == (
        [1, 2, 3, 4, 5],
        GRIDS,
        METHODS,
        ["x"] * 5,
    )


def test_arrow_rows_without_a_place_have_a_reason(asking: Asking) -> None:
    answer = in_arrow(asking, pa.table({"lon": [None, float("nan"), 121.205], "lat": [1.0, 2.0, 32.055]}))
    found = pa.ipc.open_stream(answer.content).read_all().to_pydict()
    assert (found["grid"], found["reason"]) == ([None, None, "A1"], ["coordinate-invalid", "coordinate-invalid", None])


@pytest.mark.parametrize(
    "table",
    [
        pa.table({"lon": ["a"], "lat": ["b"]}),
        pa.table({"x": [1.0]}),
        pa.table({"lon": [[1.0]], "lat": [[2.0]]}),
        pa.table({"lon": [{"a": 1}], "lat": [{"a": 1}]}),
    ],
)
def test_arrow_without_numbers_for_a_place_is_refused(asking: Asking, table: pa.Table) -> None:
    assert in_arrow(asking, table).json()["code"] == "body-unreadable"


def test_arrow_keeps_columns_of_every_kind_and_several_parts(asking: Asking) -> None:
    part = pa.table(
        {"lon": pa.array([LON + 0.005, 0.0], pa.float32()), "lat": [LAT + 0.005, 0.0], "tags": [["a"], None]}
    )
    answer = in_arrow(asking, pa.concat_tables([part, part]))
    found = pa.ipc.open_stream(answer.content).read_all()
    assert found.column_names == ["lon", "lat", "tags", "grid", "method", "distance_to_edge_m", "reason"]
    assert found.drop_columns(["distance_to_edge_m"]).to_pylist()[2:] == [
        {"lon": part["lon"][0].as_py(), "lat": LAT + 0.005, "tags": ["a"], "grid": "A1", "method": "inside", "reason": None},
        {"lon": 0.0, "lat": 0.0, "tags": None, "grid": None, "method": "none", "reason": "coordinate-invalid"},
    ]  # fmt: skip


def test_arrow_without_rows_has_the_columns_of_the_answer(asking: Asking) -> None:
    answer = in_arrow(asking, pa.table({"lon": pa.array([], pa.float64()), "lat": pa.array([], pa.float64())}))
    found = pa.ipc.open_stream(answer.content).read_all()
    assert (len(found), found.column_names[2:]) == (0, ["grid", "method", "distance_to_edge_m", "reason"])


def test_arrow_whose_texts_point_outside_the_body_is_refused(asking: Asking) -> None:
    offsets = np.array([0, 1_000_000_000, 1], dtype=np.int32)
    wild = pa.StringArray.from_buffers(2, pa.py_buffer(offsets), pa.py_buffer(b"x"))
    assert (
        in_arrow(asking, pa.table({"lon": [121.2] * 2, "lat": [32.0] * 2, "text": wild})).json()["code"]
        == "body-unreadable"
    )


@pytest.mark.parametrize("kind", [ARROW, "image/png", "text/plain", ""])
def test_bytes_of_another_kind_are_refused(asking: Asking, kind: str) -> None:
    answer = asking.http.post("/v1/locate", content=b"\x00\x01\x02", headers={"Content-Type": kind})
    assert answer.status_code == 400


def test_nothing_is_stored_by_asking(alone: Asking) -> None:
    at(alone, 0.5, 0.5)
    alone.http.post("/v1/locate", json={"points": POINTS})
    assert alone.query("SELECT (SELECT count(*) FROM event), (SELECT count(*) FROM assignment)") == [(0, 0)]


def test_without_any_grid_every_answer_says_so(bare: Asking) -> None:
    answer = at(bare, 0.5, 0.5)
    assert (answer["grid"], answer["reason"], answer["layers"], answer["generation"]) == (None, "no-boundaries", {}, 0)
    many = bare.http.post("/v1/locate", json={"points": POINTS}).json()
    assert (many["grid"], many["reason"]) == ([None] * 5, ["no-boundaries"] * 5)


def test_the_interval_of_a_scheduled_generation_begins_in_the_future(alone: Asking, drawn: Any) -> None:
    from datetime import timedelta

    from tests.asking import EAST as OLD_EAST
    from tests.asking import RENAMED_WEST, incoming

    (now,) = alone.query("SELECT clock_timestamp()")[0]
    then = now + timedelta(days=30)
    drawn.publish(incoming(RENAMED_WEST | OLD_EAST), effective_at=then)
    assert at(alone, 1.5, 0.5)["grid"] == "B3"
    assert at(alone, 1.5, 0.5, at=then.isoformat())["grid"] == "B1"
    assert at(alone, 1.5, 0.5, at=then.isoformat(), known_at=now.isoformat())["grid"] == "B3"


def test_many_places_known_to_so_many_metres_are_answered_as_one_would_be(asking: Asking) -> None:
    points = [[LON + 0.005, LAT + 0.005], [LON + 0.01, LAT + 0.003], [LON - 1, LAT]]
    many = asking.http.post("/v1/locate", json={"points": points, "accuracy_m": 20}).json()
    one = [asking.http.get("/v1/locate", params={"lon": x, "lat": y, "accuracy_m": 20}).json() for x, y in points]
    for name in ("grid", "method", "reason", "probability", "ambiguous", "distance_to_edge_m"):
        assert many[name] == [answer[name] for answer in one]
    assert many["probability"][1] == pytest.approx(0.5, abs=0.01)
    assert many["ambiguous"] == [False, True, False]
