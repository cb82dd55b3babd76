"""Patrols over HTTP: members, duty, check-ins, visits, fixes; every row stored once or counted under its reason."""

from __future__ import annotations

import io
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
import pyarrow as pa
import pytest

from gis.crs import from_storage, metres_per_degree_at, parse_datum
from tests.asking import LAT, LON, MERGED, RENAMED_WEST, Asking, Drawn, incoming, square

NOON = datetime(2026, 5, 3, 4, tzinfo=UTC)
MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)
IN_A1 = (LON + 0.003, LAT + 0.003)
ARROW = "application/vnd.apache.arrow.stream"


def member(asking: Asking, code: str = "m1", *grids: str, since: datetime = MERGED, **more: Any) -> Any:
    body = {"code": code, "name": f"name {code}", "grids": list(grids), "since": since.isoformat()}
    return asking.http.post("/v1/members", json=body | more)


def shift(
    asking: Asking, begin: datetime = NOON, hours: float = 8, code: str = "m1", path: str = "shifts", **more: Any
) -> Any:
    span = {"member": code, "begin": begin.isoformat(), "end": (begin + hours * HOUR).isoformat()}
    return asking.http.post(f"/v1/{path}", json=span | more)


def on_duty(asking: Asking) -> Asking:
    """m1 works A1 and is on duty for eight hours from noon; nobody else is known, and nothing was sent yet."""
    asking.query(
        "TRUNCATE fix, fix_day, checkin, visit, campaign_place, campaign, place, shift, leave, membership, member"
    )
    assert member(asking, "m1", "A1").status_code == 201
    assert shift(asking).status_code == 201
    return asking


@pytest.fixture
def post(asking: Asking) -> Asking:
    return on_duty(asking)


@pytest.fixture
def moving(alone: Asking) -> Asking:
    """The same in a town whose borders the test moves."""
    return on_duty(alone)


def fix(
    minute: float = 0, lon: float = IN_A1[0], lat: float = IN_A1[1], code: str = "m1", **more: Any
) -> dict[str, Any]:
    return {"member": code, "at": (NOON + minute * MINUTE).isoformat(), "lon": lon, "lat": lat} | more


def send(asking: Asking, *fixes: dict[str, Any], path: str = "/v1/fixes", status: int = 200) -> Any:
    body = b"\n".join(orjson.dumps(one) for one in fixes)
    answer = asking.http.post(path, content=body, headers={"Content-Type": "application/x-ndjson"})
    assert answer.status_code == status, answer.text
    return answer.json()


def counts(answer: dict[str, Any]) -> dict[str, int]:
    assert sum(answer["counts"].values()) == answer["rows"]
    return {word: n for word, n in answer["counts"].items() if n}


def stored(asking: Asking) -> list[Any]:
    return [
        tuple(row) for row in asking.query("SELECT at, member, lon, lat, accuracy, datum FROM fix ORDER BY 1, 2, 3, 4")
    ]


# -- members and duty -------------------------------------------------------------------------------------------------


def test_a_member_is_listed_with_the_grid_of_that_moment(post: Asking) -> None:
    assert member(post, "m1", "A2", since=NOON).json()["result"] == "changed"
    for at, grid in ((NOON - HOUR, "A1"), (NOON, "A2")):
        (found,) = post.http.get("/v1/members", params={"at": at.isoformat()}).json()["members"]
        assert (found["code"], found["grids"]) == ("m1", [grid])


def test_members_come_in_pages(post: Asking) -> None:
    member(post, "m2")
    first = post.http.get("/v1/members?limit=1").json()
    second = post.http.get("/v1/members", params={"limit": 1, "cursor": first["next"]}).json()
    assert [first["members"][0]["code"], second["members"][0]["code"], second["next"]] == ["m1", "m2", None]


def test_a_member_s_name_is_not_for_everybody(post: Asking) -> None:
    assert post.as_("v-key").get("/v1/members").status_code == 403
    assert post.as_("m-key").get("/v1/members").status_code == 200
    assert post.as_("m-key").post("/v1/members", json={"code": "x", "name": "x"}).status_code == 403


@pytest.mark.parametrize(
    ("body", "code"),
    [({"code": "x"}, "field-missing"), ({"name": "x"}, "field-missing"), ({"code": "x", "name": "x", "role": "boss"}, "parameter-invalid"),
     ({"code": "x", "name": "x", "grids": ["Z"]}, "grid-unknown"), ({"code": "x", "name": "x", "grid_s": []}, "parameter-invalid"),
     ({"code": "x", "name": "x", "grids": ["B1"]}, "code-voided"), ({"code": "x" * 65, "name": "x"}, "parameter-invalid"),
     ({"code": "x", "name": "x", "grids": [["A1"]]}, "parameter-invalid"), ({"code": "x", "name": "x\0"}, "parameter-invalid")],
)  # fmt: skip
def test_a_member_that_is_none_is_refused(asking: Asking, body: dict[str, Any], code: str) -> None:
    assert asking.http.post("/v1/members", json=body).json()["code"] == code


def test_shifts_that_overlap_are_refused_and_corrected_by_their_id(post: Asking) -> None:
    refused = shift(post, NOON + HOUR)
    assert (refused.status_code, refused.json()["code"]) == (409, "shift-overlaps")
    standing = refused.json()["standing"]
    assert shift(post).json() == {"id": standing, "result": "repeated"}
    assert post.http.delete(f"/v1/shifts/{standing}").status_code == 200
    assert post.http.delete(f"/v1/shifts/{standing}").json()["code"] == "shift-unknown"
    assert shift(post, NOON + HOUR, external_id="r1").status_code == 201
    assert shift(post, NOON + 2 * HOUR, external_id="r1").json()["result"] == "changed"


def test_leave_may_lie_inside_a_shift(post: Asking) -> None:
    leave = shift(post, NOON + HOUR, 1, path="leave", kind="病假")
    assert leave.status_code == 201
    assert post.http.delete(f"/v1/leave/{leave.json()['id']}").status_code == 200


@pytest.mark.parametrize(
    ("hours", "begin", "code"), [(0, NOON, "time-invalid"), (-1, NOON, "time-invalid"), (49, NOON, "time-invalid")]
)
def test_a_shift_that_is_none_is_refused(post: Asking, hours: float, begin: datetime, code: str) -> None:
    assert shift(post, begin + timedelta(days=9), hours).json()["code"] == code
    assert shift(post, begin, code="nobody").json()["code"] == "member-unknown"


# -- check-ins and visits ---------------------------------------------------------------------------------------------

EAST_EDGE = LON + 0.01
METRE = 1 / metres_per_degree_at(LAT + 0.003)[0]


def checkin(asking: Asking, lon: float = IN_A1[0], lat: float = LAT + 0.003, minute: float = 0, **more: Any) -> Any:
    body = {"member": "m1", "lon": lon, "lat": lat, "at": (NOON + minute * MINUTE).isoformat()} | more
    return asking.http.post("/v1/checkins", json=body)


@pytest.mark.parametrize(
    ("metres", "accuracy_m", "standing"),
    [(-5, None, "inside"), (5, None, "outside"), (-5, 4.9, "inside"), (5, 4.9, "outside"), (-5, 8, "edge"), (5, 8, "edge"),
     (0, None, "edge")],
)  # fmt: skip
def test_a_check_in_five_metres_inside_or_outside(
    post: Asking, metres: float, accuracy_m: float | None, standing: str
) -> None:
    more = {} if accuracy_m is None else {"accuracy_m": accuracy_m}
    found = checkin(post, EAST_EDGE + metres * METRE, **more)
    assert found.status_code == 201
    assert (found.json()["standing"], found.json()["grid"]) == (standing, "A1")
    assert found.json()["distance_m"] == pytest.approx(-metres, abs=0.01)
    assert found.json()["found"] == ("B3" if metres > 0 else "A1")


def test_a_check_in_is_judged_by_the_boundary_of_its_instant(moving: Asking) -> None:
    place = LON + 0.008
    west = RENAMED_WEST | {"A1": ("南桥", "V1", square(0, 0, 0.7, 1))}
    moved = {"B3": ("乙三", "V2", square(0.7, 0, 2, 1).union(square(1, 1, 2, 2)))}
    Drawn(moving.url).publish(incoming(west | moved), effective_at=NOON + 10 * MINUTE)
    before, after = checkin(moving, place, minute=5), checkin(moving, place, minute=15)
    assert [one.json()["standing"] for one in (before, after)] == ["inside", "outside"]
    assert [one.json()["found"] for one in (before, after)] == ["A1", "B3"]
    assert before.json()["generation"] < after.json()["generation"]


@pytest.mark.parametrize(
    ("day", "expected"), [(3, "inside inside inside outside"), (4, "inside outside outside outside")]
)
def test_a_check_in_five_metres_off_the_old_and_the_new_border_is_judged_by_its_day(
    moving: Asking, day: int, expected: str
) -> None:
    """A1's eastern border moves some 280 m west at the beginning of the fourth day."""
    west = RENAMED_WEST | {"A1": ("南桥", "V1", square(0, 0, 0.7, 1))}
    moved = {"B3": ("乙三", "V2", square(0.7, 0, 2, 1).union(square(1, 1, 2, 2)))}
    Drawn(moving.url).publish(incoming(west | moved), effective_at=NOON + 3 * 24 * HOUR)
    minute = (day - 1) * 24 * 60 + 30
    spots = [edge + metres * METRE for edge in (LON + 0.007, EAST_EDGE) for metres in (-5, 5)]
    found = [checkin(moving, lon, minute=minute + k).json() for k, lon in enumerate(spots)]
    assert " ".join(one["standing"] for one in found) == expected
    border = EAST_EDGE if day < 4 else LON + 0.007
    assert [one["distance_m"] for one in found] == pytest.approx([(border - lon) / METRE for lon in spots], abs=0.05)


def test_a_check_in_in_gcj02_is_where_it_is(post: Asking) -> None:
    x, y = (float(one[0]) for one in from_storage([EAST_EDGE - 5 * METRE], [LAT + 0.003], parse_datum("gcj02")))
    assert checkin(post, x, y, crs="gcj02").json()["standing"] == "inside"
    assert checkin(post, x, y, minute=1).json()["standing"] == "outside"


def test_a_check_in_is_stored_once_and_another_at_its_instant_refused(post: Asking) -> None:
    first = checkin(post)
    again = checkin(post)
    assert (again.status_code, again.json()["id"]) == (200, first.json()["id"])
    assert checkin(post, IN_A1[0] + 0.001).json()["code"] == "key-reused"
    assert checkin(post, kind="out").status_code == 201


def test_a_member_without_a_grid_has_no_standing(post: Asking) -> None:
    member(post, "m2")
    found = checkin(post, member="m2").json()
    assert (found["standing"], found["grid"], found["found"]) == (None, None, "A1")


@pytest.mark.parametrize(
    ("more", "code"),
    [({"member": "nobody"}, "member-unknown"), ({"kind": "maybe"}, "parameter-invalid"), ({"lon": 0, "lat": 0}, "coordinate-invalid"),
     ({"at": "2999-01-01T00:00:00Z"}, "time-invalid"), ({"at": "2026-05-03"}, "time-invalid"), ({"crs": "mars"}, "datum-unknown"),
     ({"accuracy_m": 0}, "parameter-invalid"), ({"lon": None}, "field-missing")],
)  # fmt: skip
def test_a_check_in_that_is_none_is_refused(post: Asking, more: dict[str, Any], code: str) -> None:
    assert checkin(post, **more).json()["code"] == code


def test_a_visit_is_stored_once_and_nothing_found_counts(post: Asking) -> None:
    post.query(
        "INSERT INTO place (uid, code, kind, name, geom, crs, converter, valid) VALUES (gen_random_uuid(), 'P', '出租屋', '', "
        "ST_SetSRID(ST_MakePoint(121.2, 32.05), 4326), 'wgs84', '', '[2026-01-01,)')"
    )
    body = {"place": "P", "member": "m1", "at": NOON.isoformat()}
    first = post.http.post("/v1/visits", json=body)
    assert (first.status_code, first.json()["result"]) == (201, "stored")
    assert post.http.post("/v1/visits", json=body).status_code == 200
    assert post.http.post("/v1/visits", json=body | {"outcome": "found"}).json()["code"] == "key-reused"
    assert post.http.post("/v1/visits", json={"place": "Q", "member": "m1"}).json()["code"] == "place-unknown"
    assert post.http.post("/v1/visits", json={"place": "P"}).json()["code"] == "field-missing"
    event = post.report().json()["id"]
    assert post.http.post("/v1/visits", json={"place": "P", "event": event, "outcome": "found"}).status_code == 201
    assert post.query("SELECT outcome, count(*) FROM visit GROUP BY 1 ORDER BY 1") == [("found", 1), ("nothing", 1)]


# -- fixes ------------------------------------------------------------------------------------------------------------


def test_every_fix_is_stored_or_counted_under_its_reason(post: Asking) -> None:
    far = LON + 0.02
    told = [
        fix(1), fix(1), fix(2), fix(2, lon=IN_A1[0] + 0.001), fix(3, accuracy_m=5_000), fix(4, accuracy_m=0), fix(-1),
        fix(5, code="nobody"),
        fix(6, lon=0, lat=0), fix(7) | {"at": "1970-01-01T00:00:00Z"}, fix(8) | {"at": "2999-01-01T00:00:00Z"}, fix(9) | {"at": "soon"},
        *(fix(10 + n / 6) for n in range(6)), fix(11.001, lon=far), fix(11.2), fix(11.4),
    ]  # fmt: skip
    found = send(post, *told)
    assert counts(found) == {
        "kept": 10, "no-position": 1, "ancient": 1, "future": 1, "accuracy": 1, "off-duty": 1, "duplicate": 1, "two-places": 2, "jump": 1,
        "no-time": 1, "unknown-member": 1,
    }  # fmt: skip
    assert (found["stored"], found["rejected"]) == (13, 6)
    assert [one["row"] for one in found["results"]] == [5, 8, 9, 10, 11, 12]
    assert len(stored(post)) == 13


def test_fixes_sent_again_in_any_order_and_cut_change_nothing(post: Asking) -> None:
    told = [fix(n, lon=IN_A1[0] + n * 1e-5, accuracy_m=8) for n in range(40)]
    send(post, *told[:20])
    send(post, *told[20:])
    whole = stored(post)
    assert counts(send(post, *reversed(told))) == {"duplicate": 40}
    assert counts(send(post, *told[10:30], fix(0.5))) == {"duplicate": 20, "kept": 1}
    assert [row for row in stored(post) if row[0] != NOON + 0.5 * MINUTE] == whole


def test_a_batch_that_comes_late_fits_in_before(post: Asking) -> None:
    send(post, fix(20), fix(30))
    assert counts(send(post, fix(10), fix(25))) == {"kept": 2}
    assert [(row[0] - NOON) / MINUTE for row in stored(post)] == [10, 20, 25, 30]


def test_another_place_at_the_same_instant_is_counted_whichever_comes_first(post: Asking) -> None:
    near = IN_A1[0] + 0.002
    send(post, fix(1, accuracy_m=30))
    assert counts(send(post, fix(1, lon=near, accuracy_m=5))) == {"two-places": 1}
    assert counts(send(post, fix(1, accuracy_m=30))) == {"two-places": 1}
    assert [row[2] for row in stored(post)] == [round(near * 1e7)]


def test_off_duty_and_on_leave_nothing_is_stored(post: Asking) -> None:
    shift(post, NOON + HOUR, 1, path="leave")
    assert counts(send(post, fix(30), fix(59.9), fix(60), fix(119), fix(120), fix(480))) == {"kept": 3, "off-duty": 3}


def test_the_switch_keeps_positions_off_duty(databases: Any, town_template: str) -> None:
    asking = Asking(databases.make(town_template), fixes_off_duty=True)
    with asking.http:
        member(asking)
        assert counts(send(asking, fix(1))) == {"kept": 1}


def test_older_fixes_than_are_kept_are_not_taken(databases: Any, town_template: str) -> None:
    asking = Asking(databases.make(town_template), fixes_off_duty=True, fixes_kept_days=30)
    now = datetime.now(UTC)
    with asking.http:
        member(asking)
        times = [(now - timedelta(days=days)).isoformat() for days in (0, 29, 32)]
        assert counts(send(asking, *(fix() | {"at": at} for at in times))) == {"kept": 2, "ancient": 1}


def test_fixes_in_gcj02_lie_where_they_were(post: Asking) -> None:
    x, y = (float(one[0]) for one in from_storage([IN_A1[0]], [IN_A1[1]], parse_datum("gcj02")))
    send(post, fix(1, lon=x, lat=y, crs="gcj02"), fix(2))
    send(post, fix(3, lon=x, lat=y), path="/v1/fixes?crs=gcj02")
    rows = stored(post)
    assert [row[5] for row in rows] == [2, 0, 2]
    assert {(row[2], row[3]) for row in rows} == {(round(IN_A1[0] * 1e7), round(IN_A1[1] * 1e7))}


def test_csv_and_arrow_say_the_same_as_ndjson(post: Asking) -> None:
    told = [fix(n, lon=IN_A1[0] + n * 1e-5, accuracy_m=8.5) for n in range(5)]
    send(post, *told)
    whole = stored(post)
    text = "网格员编号,时间,经度,纬度,精度\n" + "\n".join(",".join(str(one[name]) for name in told[0]) for one in told)
    again = post.http.post("/v1/fixes", content=text.encode(), headers={"Content-Type": "text/csv"})
    assert counts(again.json()) == {"duplicate": 5}
    assert counts(arrow(post, table(told))) == {"duplicate": 5}
    post.query("TRUNCATE fix, fix_day")
    assert counts(arrow(post, table(told))) == {"kept": 5}
    assert stored(post) == whole


def table(told: list[dict[str, Any]], kind: Any = None) -> pa.Table:
    at = pa.array([datetime.fromisoformat(one["at"]) for one in told], pa.timestamp("us", tz="UTC"))
    columns = {name: pa.array([one[name] for one in told]) for name in ("member", "lon", "lat", "accuracy_m")}
    return pa.table(columns | {"at": at if kind is None else at.cast(kind)})


def arrow(asking: Asking, given: pa.Table, query: str = "") -> Any:
    sink = io.BytesIO()
    with pa.ipc.new_stream(sink, given.schema) as writer:
        writer.write_table(given, max_chunksize=2)
    return asking.http.post(f"/v1/fixes{query}", content=sink.getvalue(), headers={"Content-Type": ARROW}).json()


def test_arrow_times_may_be_of_any_unit_and_of_a_zone_that_is_said(post: Asking) -> None:
    told = [fix(n, accuracy_m=8.5) for n in range(3)]
    for kind in (pa.timestamp("ms", tz="Asia/Shanghai"), pa.timestamp("ns", tz="UTC"), pa.int64()):
        given = table(told, kind)
        if kind == pa.int64():
            given = given.set_column(
                given.column_names.index("at"), "at", pa.array([one.as_py() // 1000 for one in given["at"]])
            )
        arrow(post, given)
    naive = table(told).set_column(
        4, "at", pa.array([NOON.replace(tzinfo=None) + 8 * HOUR + n * MINUTE for n in range(3)])
    )
    assert arrow(post, naive)["code"] == "time-invalid"
    assert counts(arrow(post, naive, "?tz=Asia/Shanghai")) == {"duplicate": 3}
    assert len(stored(post)) == 3


def test_one_member_may_be_said_for_all(post: Asking) -> None:
    told = [{name: value for name, value in fix(n).items() if name != "member"} for n in range(3)]
    assert counts(send(post, *told, path="/v1/fixes?member=m1")) == {"kept": 3}


@pytest.mark.parametrize(
    ("body", "media", "code"),
    [(b"", "application/x-ndjson", "body-unreadable"), (b"{}", "application/json", "body-unreadable"),
     (b"nonsense", ARROW, "body-unreadable"),
     (b'{"lon": 1}', "application/x-ndjson", "field-missing"), (b"a,b\n1,2\n", "text/csv", "field-missing")],
)  # fmt: skip
def test_a_body_without_fixes_is_refused(asking: Asking, body: bytes, media: str, code: str) -> None:
    assert asking.http.post("/v1/fixes", content=body, headers={"Content-Type": media}).json()["code"] == code


def eastern_walk(datum: str, count: int = 48) -> list[dict[str, Any]]:
    """All along the east of the town, as a device of this datum tells it: in GCJ-02 some 450 m farther east, where nobody's grid is."""
    lon = [LON + 0.0165 + n % 3 * 1.1e-3 for n in range(count)]
    lat = [LAT + 0.003 + n // 3 * 1.05e-3 for n in range(count)]
    x, y = from_storage(lon, lat, parse_datum(datum))
    return [fix(n, float(a), float(b)) for n, (a, b) in enumerate(zip(x, y, strict=True))]


def test_fixes_called_wgs84_that_are_gcj02_are_stored_with_a_warning(post: Asking) -> None:
    walk = eastern_walk("gcj02")
    (warning,) = send(post, *walk)["warnings"]
    told = {name: warning[name] for name in ("code", "declared", "suspected", "places")}
    assert told == {"code": "datum-suspected", "declared": "wgs84", "suspected": "gcj02", "places": 48}
    assert "datum alarm: 48 places declared wgs84 look like gcj02" in warning["reason"]
    assert len(stored(post)) == 48
    assert send(post, *walk, path="/v1/fixes?crs=gcj02")["warnings"] == []
    assert send(post, *eastern_walk("wgs84"))["warnings"] == []
    assert send(post, *eastern_walk("gcj02", 29))["warnings"] == []  # too few to say so


# -- on post ----------------------------------------------------------------------------------------------------------


def onpost(asking: Asking, hours: float = 8, code: str = "m1", **more: Any) -> Any:
    span = {"from": NOON.isoformat(), "to": (NOON + hours * HOUR).isoformat()}
    return asking.http.get(f"/v1/members/{code}/onpost", params=span | more)


def test_the_on_post_share_leaves_out_leave_and_calls_silence_unknown(post: Asking) -> None:
    shift(post, NOON + 2 * HOUR, 2, path="leave")
    outside = LON + 0.015
    # On post from the hour to 35 past (the last reading vouches for 5 minutes), elsewhere 4:00 to 4:15, silence else.
    send(post, *(fix(n, accuracy_m=5) for n in range(0, 31, 5)))
    send(post, *(fix(240 + n, lon=outside, accuracy_m=5) for n in (0, 5, 10)))
    found = onpost(post).json()
    minutes = {name: found[name] / 60 for name in ("due_s", "on_s", "elsewhere_s", "unknown_s", "leave_s")}
    assert minutes == {"due_s": 360, "on_s": 35, "elsewhere_s": 15, "unknown_s": 310, "leave_s": 120}
    assert found["share"] == pytest.approx(35 / 360)
    assert (found["share_of_known"], len(found["shifts"]), found["readings"]) == (0.7, 1, 10)


def test_a_border_that_moved_in_a_shift_counts_from_its_instant(moving: Asking) -> None:
    place = LON + 0.008
    send(moving, *(fix(n, lon=place) for n in range(0, 61, 5)))
    assert onpost(moving, 1).json()["on_s"] == 3600
    west = RENAMED_WEST | {"A1": ("南桥", "V1", square(0, 0, 0.7, 1))}
    moved = {"B3": ("乙三", "V2", square(0.7, 0, 2, 1).union(square(1, 1, 2, 2)))}
    Drawn(moving.url).publish(incoming(west | moved), effective_at=NOON + 30 * MINUTE, correction=True, reason="moved")
    found = onpost(moving, 1).json()
    # The reading of minute 30 is the first outside: the middle between it and minute 25 decides.
    assert (found["on_s"] / 60, found["elsewhere_s"] / 60) == (27.5, 32.5)


def test_check_ins_are_evidence_too(post: Asking) -> None:
    checkin(post, minute=60)
    found = onpost(post).json()
    assert (found["on_s"], found["unknown_s"]) == (600, 8 * 3600 - 600)


def test_without_shifts_there_is_no_share(post: Asking) -> None:
    member(post, "m2", "A1")
    found = onpost(post, code="m2").json()
    assert (found["due_s"], found["share"], found["shifts"]) == (0, None, [])


@pytest.mark.parametrize(
    ("more", "code"),
    [({"to": NOON.isoformat()}, "parameter-invalid"), ({"hold_s": 0}, "parameter-invalid"), ({"x": 1}, "parameter-invalid"),
     ({"to": "2027-01-01T00:00:00Z"}, "parameter-invalid")],
)  # fmt: skip
def test_a_question_that_is_none_is_refused(asking: Asking, more: dict[str, Any], code: str) -> None:
    assert onpost(asking, **more).json()["code"] == code
    assert onpost(asking, code="nobody").json()["code"] == "member-unknown"


def test_a_check_in_or_visit_by_a_clock_that_was_never_set_is_refused(post: Asking) -> None:
    body = {"member": "m1", "lon": LON, "lat": LAT, "at": "1970-01-01T00:00:00Z"}
    assert post.http.post("/v1/checkins", json=body).json()["code"] == "time-invalid"
    assert post.http.post(
        "/v1/visits", json={"place": "P", "member": "m1", "at": "1970-01-01T00:00:00Z"}
    ).status_code in {400, 404}
