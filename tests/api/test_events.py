"""`/v1/events`, one report at a time: stored once, read back, listed, queued; nobody sees more than their role."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest

from gis.crs import from_storage, parse_datum
from gis.store.ids import uuid7
from tests.api.test_locate import ASSIGNMENT
from tests.asking import LAT, LON, Asking

EVENT = {
    "id", "received_at", "reported_at", "occurred_at", "closed_at", "channel", "external_id", "category", "category_scheme",
    "text", "address", "reporter", "accuracy_m", "crs", "raw", "lon", "lat", "status", "status_reason", "suggestions", "grid",
    "method", "reason", "generation", "assignment",
}  # fmt: skip
PLACE = {"lon": LON + 0.005, "lat": LAT + 0.005}


def count(asking: Asking) -> int:
    return int(asking.query("SELECT count(*) FROM event")[0][0])


def refused(answer: Any, status: int, code: str, place: str | None = None) -> None:
    problem = answer.json()
    assert (answer.status_code, problem["code"]) == (status, code), answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert {"type", "title", "status", "detail"} <= set(problem)
    if place is not None:
        assert problem["place"] == place


def test_a_report_becomes_an_event_with_its_assignment(asking: Asking) -> None:
    answer = asking.report(text="路灯不亮", category="路灯", accuracy_m=12.5)
    event = answer.json()
    assert (answer.status_code, answer.headers["location"]) == (201, f"/v1/events/{event['id']}")
    assert set(event) == EVENT | {"duplicates"}
    assert set(event["assignment"]) == ASSIGNMENT
    assert (event["grid"], event["method"], event["status"], event["crs"]) == ("A1", "inside", "open", "wgs84")
    assert event["occurred_at"] == event["reported_at"] == event["received_at"]
    assert UUID(event["id"]).version == 7


def test_what_was_stored_can_be_read_back(asking: Asking) -> None:
    event = asking.report(text="积水 🌊 'quoted'; DROP TABLE event;--", unknown={"深": [1, None, True]}).json()
    answer = asking.http.get(f"/v1/events/{event['id']}")
    links = {"links": [], "group": [], "representative": event["id"]}
    del event["duplicates"]  # said once, with the answer to the report
    assert (answer.status_code, answer.json()) == (200, event | links)
    assert answer.json()["raw"]["unknown"] == {"深": [1, None, True]}


def test_the_times_default_to_each_other(asking: Asking) -> None:
    event = asking.report(reported_at="2026-05-03T08:00:00+08:00").json()
    assert event["occurred_at"] == event["reported_at"] == "2026-05-03T00:00:00+00:00"
    event = asking.report(occurred_at="2026-05-03T08:00:00.25+08:00").json()
    assert event["occurred_at"] == "2026-05-03T00:00:00.250000+00:00"
    assert event["reported_at"] == event["received_at"]


def test_a_closed_report_is_stored_closed(asking: Asking) -> None:
    event = asking.report(closed_at="2026-05-03T08:00:00Z").json()
    assert (event["status"], event["closed_at"]) == ("closed", "2026-05-03T08:00:00+00:00")
    refused(asking.report(closed_at="2026-05-03T08:00:00Z", status="open"), 400, "parameter-invalid", "closed_at")


def test_the_raw_input_and_its_datum_are_kept_beside_the_place(asking: Asking) -> None:
    x, y = (float(axis[0]) for axis in from_storage([PLACE["lon"]], [PLACE["lat"]], parse_datum("bd09")))
    event = asking.report(lon=x, lat=y, crs="BD-09").json()
    assert (event["crs"], event["raw"]["lon"], event["raw"]["lat"]) == ("bd09", x, y)
    assert event["lon"] == pytest.approx(PLACE["lon"], abs=1e-9)
    assert event["grid"] == "A1"


def test_a_report_outside_every_grid_is_stored_and_waits(asking: Asking) -> None:
    event = asking.report(lon=121.5).json()
    assert (event["grid"], event["reason"], event["method"]) == (None, "beyond-tolerance", "none")
    queue = asking.http.get("/v1/events/unassigned", params={"limit": 10_000}).json()
    assert event["id"] in {one["id"] for one in queue["features"]}


def test_a_report_with_an_address_alone_is_stored_and_waits(asking: Asking) -> None:
    event = asking.report(lon=..., lat=..., address="长岸村四十四组道路").json()
    assert (event["grid"], event["reason"], event["lon"]) == (None, "address-only", None)
    queue = asking.http.get("/v1/events/unassigned", params={"limit": 10_000}).json()
    (found,) = [one for one in queue["features"] if one["id"] == event["id"]]
    assert found["geometry"] is None
    assert found["properties"]["reason"] == "address-only"


def test_every_receipt_of_an_event_can_be_read(asking: Asking) -> None:
    event = asking.report().json()
    found = asking.http.get(f"/v1/events/{event['id']}/assignments").json()
    assert found["event"] == event["id"]
    (receipt,) = found["assignments"]
    assert receipt["answer"] == event["assignment"]
    assert (receipt["cause"], receipt["generation"], receipt["actor"], receipt["kernel"]) == (
        "received", 3, "demo", "gridbeat-locate/1",
    )  # fmt: skip
    assert receipt["at"] == receipt["known_at"] == event["received_at"]


# The same report again.


@pytest.mark.parametrize("by", ["header", "external_id", "both"])
def test_the_same_key_and_body_answer_with_the_same_event(asking: Asking, by: str) -> None:
    key = str(uuid4())
    headers = {} if by == "external_id" else {"Idempotency-Key": key}
    body = PLACE | {"channel": "hotline"} | ({} if by == "header" else {"external_id": key})
    first, again = (asking.http.post("/v1/events", json=body, headers=headers) for _ in range(2))
    assert (first.status_code, again.status_code) == (201, 200)
    assert first.json() == again.json()
    reordered = asking.http.post("/v1/events", json=dict(reversed(body.items())), headers=headers)
    assert (reordered.status_code, reordered.json()["id"]) == (200, first.json()["id"])


@pytest.mark.parametrize("by", ["header", "external_id"])
def test_the_same_key_with_another_body_is_a_conflict_and_stores_nothing(asking: Asking, by: str) -> None:
    key = str(uuid4())
    headers = {"Idempotency-Key": key} if by == "header" else {}
    body = PLACE | {"channel": "hotline"} | ({"external_id": key} if by == "external_id" else {})
    event = asking.http.post("/v1/events", json=body, headers=headers).json()
    before = count(asking)
    answer = asking.http.post("/v1/events", json=body | {"text": "another"}, headers=headers)
    refused(answer, 409, "key-reused")
    assert answer.json()["event"] == event["id"]
    assert count(asking) == before


def test_the_same_external_id_in_another_channel_is_another_report(asking: Asking) -> None:
    key = str(uuid4())
    assert asking.report(external_id=key).status_code == 201
    assert asking.report(external_id=key, channel="member").status_code == 201


def test_the_same_report_without_a_key_is_two_events(asking: Asking) -> None:
    assert asking.report().json()["id"] != asking.report().json()["id"]


def test_many_threads_with_one_key_store_once(asking: Asking) -> None:
    key = str(uuid4())
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: asking.report(external_id=key), range(16)))
    assert sorted(answer.status_code for answer in answers) == [200] * 15 + [201]
    assert len({answer.json()["id"] for answer in answers}) == 1


def test_many_threads_with_one_key_and_other_bodies_store_one_of_them(asking: Asking) -> None:
    key = str(uuid4())
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda n: asking.report(external_id=key, text=str(n)), range(8)))
    assert sorted(answer.status_code for answer in answers) == [201] + [409] * 7
    assert asking.query("SELECT count(*) FROM event WHERE external_id = :key", key=key) == [(1,)]


# What is refused.

BAD = [
    (422, "coordinate-invalid", "", {"lon": 32.05, "lat": 121.2}),
    (422, "coordinate-invalid", "", {"lon": 0, "lat": 0}),
    (422, "coordinate-invalid", "lon", {"lon": "nan"}),
    (422, "coordinate-invalid", "lon", {"lon": "12_1.2"}),
    (422, "coordinate-invalid", "lon", {"lon": True}),
    (422, "coordinate-invalid", "lon", {"lon": [121.2]}),
    (422, "coordinate-invalid", "lon", {"lon": {"a": 1}}),
    (422, "coordinate-invalid", "lat", {"lat": "north"}),
    (422, "coordinate-invalid", "", {"lon": 181}),
    (422, "datum-contradiction", "", {"lon": 519_000, "lat": 3_547_000}),
    (422, "datum-contradiction", "", {"crs": "EPSG:4549"}),
    (422, "datum-unknown", "", {"crs": "EPSG:999999"}),
    (422, "datum-unknown", "", {"crs": "火星"}),
    (422, "datum-outside", "", {"lon": 2.3, "lat": 48.8, "crs": "gcj02"}),
    (422, "field-missing", "channel", {"channel": ...}),
    (422, "field-missing", "channel", {"channel": "  "}),
    (422, "field-missing", "lat", {"lat": ...}),
    (422, "field-missing", "lon", {"lon": ..., "lat": ...}),
    (422, "field-missing", "lon", {"lon": None, "lat": None, "address": "   "}),
    (400, "parameter-invalid", "channel", {"channel": ["hotline"]}),
    (400, "parameter-invalid", "text", {"text": {"a": 1}}),
    (400, "parameter-invalid", "text", {"text": False}),
    (400, "parameter-invalid", "status", {"status": "done"}),
    (400, "parameter-invalid", "accuracy_m", {"accuracy_m": 0}),
    (400, "parameter-invalid", "accuracy_m", {"accuracy_m": -5}),
    (400, "parameter-invalid", "accuracy_m", {"accuracy_m": "NaN"}),
    (400, "parameter-invalid", "accuracy_m", {"accuracy_m": 1e300}),
    (400, "parameter-invalid", "accuracy_m", {"accuracy_m": True}),
    (422, "time-invalid", "occurred_at", {"occurred_at": "2026-05-03T08:00:00"}),
    (422, "time-invalid", "occurred_at", {"occurred_at": "2126-05-03T08:00:00Z"}),
    (422, "time-invalid", "occurred_at", {"occurred_at": "1889-05-03T08:00:00Z"}),
    (422, "time-invalid", "occurred_at", {"occurred_at": "0001-01-01T00:00:00+14:00"}),
    (422, "time-invalid", "occurred_at", {"occurred_at": "9999-12-31T23:59:59-12:00"}),
    (422, "time-invalid", "occurred_at", {"occurred_at": 1777777777}),
    (422, "time-invalid", "reported_at", {"reported_at": "2026/5/3 8:00"}),
    (400, "body-unreadable", "text", {"text": "a\0b"}),
    (413, "body-too-large", "text", {"text": "路" * 20_001}),
    (413, "body-too-large", "external_id", {"external_id": "x" * 257}),
]  # fmt: skip


@pytest.mark.parametrize(("status", "code", "place", "fields"), BAD)
def test_an_unusable_field_is_refused_by_name(
    asking: Asking, status: int, code: str, place: str, fields: dict[str, Any]
) -> None:
    before = count(asking)
    refused(asking.report(**fields), status, code, place or None)
    assert count(asking) == before


BODIES = [
    b"", b"{", b"[]", b"null", b'"text"', b"42", b"{'lon': 1}", b"\xff\xfe", b"lon,lat\n1,2\n",
    b'{"lon": NaN, "lat": 1, "channel": "x"}', b'{"lon": 1e400, "lat": 1, "channel": "x"}',
    b'{"lon": 121, "lat": 32, "channel": "\\ud800"}', b'{"lon": 121, "lat": 32, "channel": "x", "deep": ' + b"[" * 100_000,
    b'{"lon": 121, "lat": 32, "channel": "x", "deep": ' + b"[" * 1_000 + b"]" * 1_000 + b"}",
    '{"lon": 121.205, "lat": 32.055, "channel": "热线"}'.encode("gb18030"),
]  # fmt: skip


@pytest.mark.parametrize("body", BODIES)
def test_a_body_that_is_no_report_is_refused(asking: Asking, body: bytes) -> None:
    answer = asking.http.post("/v1/events", content=body, headers={"Content-Type": "application/json"})
    refused(answer, 400, "body-unreadable")


def test_a_body_of_ten_megabytes_is_too_large(asking: Asking) -> None:
    refused(asking.report(text="x" * 10_000_000), 413, "body-too-large")


def test_a_body_without_a_length_is_cut_off_when_it_grows_too_large(asking: Asking) -> None:
    pieces = (b" " * 65_536 for _ in range(100))
    refused(asking.http.post("/v1/events", content=pieces), 413, "body-too-large")


@pytest.mark.parametrize(
    "number", ["123456789012345678901234567890", "-9223372036854775809", "1e300", "1e-300", "0.1", "-0.0"]
)
def test_numbers_that_we_do_not_know_are_kept_and_given_back(asking: Asking, number: str) -> None:
    body = f'{{"lon": 121.205, "lat": 32.055, "channel": "x", "meter": {number}}}'
    answer = asking.http.post("/v1/events", content=body.encode())
    assert answer.status_code == 201, answer.text
    assert json.loads(answer.text)["raw"]["meter"] == pytest.approx(float(number), rel=1e-15)
    listed = asking.http.get("/v1/events", params={"limit": 1})
    assert listed.status_code == 200


def test_a_nul_in_a_member_that_we_do_not_know_does_not_lose_the_report(asking: Asking) -> None:
    assert asking.report(note="a\0b").json()["raw"]["note"] == "a\ufffdb"


@pytest.mark.parametrize("key", ["x" * 257, "x" * 10_000])
def test_a_key_that_is_too_long_is_refused(asking: Asking, key: str) -> None:
    answer = asking.http.post("/v1/events", json=PLACE | {"channel": "x"}, headers={"Idempotency-Key": key})
    refused(answer, 400, "parameter-invalid")


@pytest.mark.parametrize(("event", "status"), [("nonsense", 400), ("1", 400), (str(uuid4()), 404), (str(UUID(int=0)), 404),
                                               (str(UUID(int=2**128 - 1)), 404)])  # fmt: skip
@pytest.mark.parametrize("tail", ["", "/assignments"])
def test_an_id_that_nobody_has_is_not_found(asking: Asking, event: str, status: int, tail: str) -> None:
    answer = asking.http.get(f"/v1/events/{event}{tail}")
    refused(answer, status, "event-unknown" if status == 404 else "parameter-invalid")


def test_an_id_of_the_right_month_that_nobody_has_is_not_found(asking: Asking) -> None:
    refused(asking.http.get(f"/v1/events/{uuid7(datetime.now(UTC))}"), 404, "event-unknown")


# Lists.


@pytest.fixture(scope="module")
def year(asking: Asking) -> list[str]:
    """Twelve events, one a month of 2024, in channel `year`, odd ones closed; their ids, oldest first."""
    return [
        asking.report(
            channel="year", occurred_at=f"2024-{month:02d}-15T00:00:00Z", category="abc"[month % 3],
            status="closed" if month % 2 else "open", lat=LAT + (0.005 if month <= 6 else 0.015),
        ).json()["id"]
        for month in range(1, 13)
    ]  # fmt: skip


def ids(asking: Asking, **parameters: Any) -> list[str]:
    answer = asking.http.get("/v1/events", params={"channel": "year", "limit": 100} | parameters)
    assert answer.status_code == 200, answer.text
    return [one["id"] for one in answer.json()["features"]]


def test_events_are_listed_newest_received_first_as_geojson(asking: Asking, year: list[str]) -> None:
    answer = asking.http.get("/v1/events", params={"channel": "year"})
    page = answer.json()
    assert answer.headers["content-type"] == "application/geo+json"
    assert (page["type"], page["numberReturned"], page["next"]) == ("FeatureCollection", 12, None)
    assert [one["id"] for one in page["features"]] == year[::-1]
    newest = page["features"][0]
    assert newest["geometry"] == {"type": "Point", "coordinates": [LON + 0.005, LAT + 0.015]}
    assert set(newest["properties"]) == EVENT


def test_lists_are_narrowed(asking: Asking, year: list[str]) -> None:
    assert ids(asking, datetime="2024-03-15T00:00:00Z/2024-05-15T00:00:00Z") == year[2:4][::-1]
    assert ids(asking, datetime="../2024-02-01T00:00:00Z") == year[:1]
    assert ids(asking, datetime="2024-12-01T00:00:00Z/..") == year[11:]
    assert ids(asking, datetime="2024-12-01T00:00:00Z/") == year[11:]
    assert ids(asking, datetime="2024-03-15T08:00:00+08:00") == year[2:3]
    assert ids(asking, datetime="../..") == year[::-1]
    assert ids(asking, status="open") == year[1::2][::-1]
    assert ids(asking, category="a", status="open") == [year[11], year[5]]
    assert ids(asking, grid="A2") == year[6:][::-1]
    assert ids(asking, grid="B1") == []  # void by now, but a grid once
    refused(asking.http.get("/v1/events", params={"grid": "nobody"}), 404, "grid-unknown")
    refused(asking.http.get("/v1/events", params={"layer": "foo"}), 400, "parameter-invalid")
    assert ids(asking, layer="frontage") == []
    assert ids(asking, layer="dedicated") == []
    assert ids(asking, layer="general") == year[::-1]
    assert ids(asking, bbox=f"{LON},{LAT + 0.01},{LON + 0.01},{LAT + 0.02}") == year[6:][::-1]


@pytest.mark.parametrize("limit", [1, 2, 5, 11, 12, 13])
def test_pages_neither_lose_nor_repeat_an_event(asking: Asking, year: list[str], limit: int) -> None:
    found: list[str] = []
    parameters: dict[str, Any] = {"channel": "year", "limit": limit}
    while True:
        page = asking.http.get("/v1/events", params=parameters).json()
        found += [one["id"] for one in page["features"]]
        if page["next"] is None:
            break
        assert len(page["features"]) == limit
        parameters["cursor"] = page["next"]
    assert found == year[::-1]


def test_an_event_that_comes_in_while_paging_repeats_nothing(asking: Asking) -> None:
    made = [asking.report(channel="paged").json()["id"] for _ in range(4)]
    page = asking.http.get("/v1/events", params={"channel": "paged", "limit": 2}).json()
    asking.report(channel="paged")
    rest = asking.http.get("/v1/events", params={"channel": "paged", "limit": 10, "cursor": page["next"]}).json()
    assert [one["id"] for one in page["features"] + rest["features"]] == made[::-1]


LISTS = ["/v1/events", "/v1/events/unassigned", "/v1/grids", "/v1/generations"]


@pytest.mark.parametrize("path", LISTS)
@pytest.mark.parametrize(
    "cursor", ["x", "", "!!!!", "bnVsbA", "W10", "WzEsMl0", "WyIyMDI2LTAxLTAxIiwxXQ", "WyIwIiwiMCJd", "WzFlMzBd",
               "Wy0xXQ", "Wzk5OTk5OTk5OTk5XQ", "WyJhXHUwMDAwYiJd", "eyJhIjoxfQ", "é", "W3RydWVd", "W251bGxd"]
)  # fmt: skip
def test_a_cursor_that_we_did_not_make_is_refused(asking: Asking, path: str, cursor: str) -> None:
    refused(asking.http.get(path, params={"cursor": cursor}), 400, "parameter-invalid", "cursor")


@pytest.mark.parametrize("path", LISTS)
@pytest.mark.parametrize("limit", ["0", "-1", "1000000000", "many", "", "1.5", "1e3"])
def test_a_limit_that_is_no_limit_is_refused(asking: Asking, path: str, limit: str) -> None:
    refused(asking.http.get(path, params={"limit": limit}), 400, "parameter-invalid", "limit")


@pytest.mark.parametrize("path", LISTS)
def test_an_unknown_parameter_is_refused_by_name(asking: Asking, path: str) -> None:
    refused(asking.http.get(path, params={"limitt": 3}), 400, "parameter-invalid", "limitt")
    refused(asking.http.get(f"{path}?limit=3&limit=4"), 400, "parameter-invalid", "limit")


@pytest.mark.parametrize(
    "bbox", ["", "1,2,3", "1,2,3,4,5", "a,b,c,d", "170,0,-170,10", "0,10,10,0", "nan,nan,nan,nan", "0,0,181,1", "0,0,1,inf"]
)  # fmt: skip
def test_a_bbox_that_is_no_box_is_refused(asking: Asking, bbox: str) -> None:
    refused(asking.http.get("/v1/events", params={"bbox": bbox}), 400, "parameter-invalid", "bbox")
    refused(asking.http.get("/v1/grids", params={"bbox": bbox}), 400, "parameter-invalid", "bbox")


@pytest.mark.parametrize(
    "when", ["", "..", "now", "2026-05-03", "2026-05-03T08:00:00", "a/b", "2026-05-03T08:00:00Z/2026-05-02T08:00:00Z", "1/2/3"]
)  # fmt: skip
def test_a_datetime_that_is_none_is_refused(asking: Asking, when: str) -> None:
    answer = asking.http.get("/v1/events", params={"datetime": when})
    assert answer.status_code in {400, 422}, answer.text
    assert answer.json()["place"] == "datetime"


@pytest.mark.parametrize("when", ["0001-01-01T00:00:00Z", "9999-12-31T23:59:59.999999Z", "0001-01-01T00:00:00Z/.."])
def test_the_ends_of_the_calendar_are_datetimes(asking: Asking, when: str) -> None:
    assert asking.http.get("/v1/events", params={"datetime": when}).status_code == 200


# Who may.


def test_without_a_key_nobody_writes_and_the_body_is_not_even_read(asking: Asking) -> None:
    for path in ("/v1/events", "/v1/events/batch"):
        answer = asking.as_(None).post(path, content=b"{")
        refused(answer, 401, "key-missing")
        assert answer.headers["www-authenticate"] == "Bearer"


def test_an_unknown_key_is_refused_everywhere(asking: Asking) -> None:
    refused(asking.as_("nobody").get("/v1/events"), 401, "key-missing")
    refused(asking.as_("nobody").post("/v1/events", json={}), 401, "key-missing")


def test_a_viewer_may_look_and_not_write(asking: Asking) -> None:
    refused(asking.as_("v-key").post("/v1/events", json=PLACE | {"channel": "x"}), 403, "role-too-low")
    assert asking.as_("v-key").get("/v1/events").status_code == 200


def test_the_actor_of_a_write_is_the_key_s(asking: Asking) -> None:
    event = asking.as_("m-key").post("/v1/events", json=PLACE | {"channel": "x"}).json()
    assert asking.query("SELECT actor FROM event WHERE id = :id", id=event["id"]) == [("mia",)]
    receipts = asking.http.get(f"/v1/events/{event['id']}/assignments").json()["assignments"]
    assert [one["actor"] for one in receipts] == ["mia"]


@pytest.mark.parametrize("key", [None, "v-key"])
def test_people_s_words_are_hidden_from_those_who_only_look(asking: Asking, key: str | None) -> None:
    secret = {"text": "漏水-secret", "address": "花园路1号-secret", "reporter": "王一-secret", "note": "x-secret"}
    event = asking.report(channel="private", **secret).json()
    for path in (f"/v1/events/{event['id']}", "/v1/events?channel=private", "/maps/grids?channel=private"):
        seen = asking.as_(key).get(path)
        assert (seen.status_code, "secret" in seen.text) == (200, False), path
    assert "secret" in asking.as_("m-key").get(f"/v1/events/{event['id']}").text


def test_without_anonymous_access_nobody_reads_without_a_key(database: str) -> None:
    asking = Asking(database, anonymous_role="none")
    for path in ("/v1/events", "/v1/grids", "/v1/generations", "/v1/locate?lon=1&lat=1", "/maps/grids"):
        refused(asking.as_(None).get(path), 401, "key-missing")
    assert asking.as_("v-key").get("/v1/events").status_code == 200
    assert asking.as_(None).get("/healthz").status_code == 200
    asking.app.state.engine.dispose()


# A commit that fails.


@pytest.mark.parametrize("path", ["/v1/events", "/v1/events/batch"])
def test_a_failed_commit_is_a_server_error_and_stores_nothing(alone: Asking, path: str) -> None:
    alone.query("""
        CREATE FUNCTION fail_at_commit() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN RAISE EXCEPTION 'the disk is full of secrets'; END $$""")
    alone.query("""
        CREATE CONSTRAINT TRIGGER fail AFTER INSERT ON event_key DEFERRABLE INITIALLY DEFERRED
        FOR EACH ROW EXECUTE FUNCTION fail_at_commit()""")
    body = json.dumps(PLACE | {"channel": "x", "external_id": "1"})
    answer = alone.http.post(path, content=body.encode(), headers={"Content-Type": "application/x-ndjson"})
    refused(answer, 503, "database-unavailable")
    assert "secrets" not in answer.text
    assert count(alone) == 0
    alone.query("DROP TRIGGER fail ON event_key")
    assert alone.http.post("/v1/events", content=body.encode()).status_code == 201


def test_a_report_received_after_a_publication_is_of_the_new_boundary(alone: Asking, drawn: Any) -> None:
    from tests.asking import EAST, RENAMED_WEST, incoming

    assert alone.report(lon=LON + 0.015).json()["grid"] == "B3"
    drawn.publish(incoming(RENAMED_WEST | EAST))
    assert alone.report(lon=LON + 0.015).json()["grid"] == "B1"


def test_a_phone_s_clock_may_run_ahead_a_little(asking: Asking) -> None:
    ahead = datetime.now(UTC) + timedelta(minutes=5)
    assert asking.report(occurred_at=ahead.isoformat()).status_code == 201
