"""Campaigns over HTTP: about places, kinds or an area; what is done by grid; changed, closed, refused."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
import pytest
import shapely

from data.members import new_place
from gis.store.visits import keep_places
from tests.asking import LAT, LON, MERGED, Asking, square

KEYS = "d-key:dan:dispatcher,m-key:mia:member,v-key:vera:viewer"
BEGIN, END = datetime(2026, 5, 1, tzinfo=UTC), datetime(2026, 6, 1, tzinfo=UTC)
DAY = timedelta(days=1)
#: Code -> kind, hundredths of a degree east and north of the corner: P and Q in A1, R in A2, S in B3, T outside, U in A1 until day 2.
PLACES = {
    "P": ("餐饮", 0.2, 0.2),
    "Q": ("餐饮", 0.4, 0.2),
    "R": ("餐饮", 0.2, 1.6),
    "S": ("出租屋", 1.6, 0.2),
    "T": ("学校", 3, 3),
}


def town(databases: Any, town_template: str) -> Iterator[Asking]:
    """The town with its places, and a member m1."""
    url = databases.make(town_template)
    asking = Asking(url, api_keys=KEYS)
    rows = [{"code": code, "kind": kind, "name": code, "lon": LON + east / 100, "lat": LAT + north / 100, "since": BEGIN.isoformat()}
            for code, (kind, east, north) in PLACES.items()]  # fmt: skip
    with asking.http:
        with asking.app.state.engine.begin() as connection:
            keep_places(connection, [new_place(row) for row in rows])
        member = {"code": "m1", "name": "张三", "grids": ["A1"], "since": MERGED.isoformat()}
        assert asking.http.post("/v1/members", json=member).status_code == 201
        yield asking
    databases.drop(url)


@pytest.fixture(scope="module")
def asking(databases: Any, town_template: str) -> Iterator[Asking]:
    """A town in which no place is visited."""
    yield from town(databases, town_template)


@pytest.fixture
def own(databases: Any, town_template: str) -> Iterator[Asking]:
    """A town for one test alone."""
    yield from town(databases, town_template)


def tell(asking: Asking, code: str = "gas", /, key: str | None = "d-key", **more: Any) -> Any:
    body = {
        "code": code,
        "title": "燃气排查",
        "kind": "燃气",
        "begin": BEGIN.isoformat(),
        "end": END.isoformat(),
    } | more
    return asking.as_(key).post("/v1/campaigns", json={name: value for name, value in body.items() if value is not ...})


def told(answer: Any, status: int = 200) -> Any:
    assert answer.status_code == status, answer.text
    return answer.json()


def read(asking: Asking, code: str = "gas", **params: Any) -> Any:
    return told(asking.as_("m-key").get(f"/v1/campaigns/{code}", params=params))


def amend(asking: Asking, code: str = "gas", /, key: str = "d-key", **body: Any) -> Any:
    return asking.as_(key).patch(f"/v1/campaigns/{code}", json=body)


def visit(asking: Asking, place: str, at: datetime) -> None:
    body = {"place": place, "member": "m1", "at": at.isoformat()}
    assert asking.http.post("/v1/visits", json=body).status_code in {200, 201}


def checkin(asking: Asking, east: float, north: float, at: datetime, kind: str = "visit") -> None:
    body = {"member": "m1", "lon": LON + east / 100, "lat": LAT + north / 100, "at": at.isoformat(), "kind": kind}
    assert asking.http.post("/v1/checkins", json=body).status_code == 201


def figures(campaign: Any) -> dict[str, tuple[float, float, str]]:
    return {row["grid"]: (row["numerator"], row["denominator"], row["state"]) for row in campaign["done"]["grids"]}


def geojson(shape: Any) -> Any:
    return orjson.loads(shapely.to_geojson(shape))


# -- what a campaign is about -----------------------------------------------------------------------------------------


def test_a_campaign_names_its_places_and_lists_them_by_grid(asking: Asking) -> None:
    answer = tell(asking, "named", places=["S", "P", "Q", "T"])
    body = told(answer, 201)
    assert answer.headers["Location"] == "/v1/campaigns/named"
    assert (body["about"], body["named"], body["actor"], body["place_kinds"], body["area"]) == (
        "places",
        4,
        "dan",
        None,
        None,
    )
    assert [(row["grid"], [one["code"] for one in row["places"]]) for row in body["grids"]] == [
        ("A1", ["P", "Q"]), ("B3", ["S"]), (None, ["T"]),
    ]  # fmt: skip
    assert body == read(asking, "named") | {"window": body["window"]}


def test_nothing_told_is_unknown_and_neither_missed_nor_a_place_of_nobody(asking: Asking) -> None:
    told(tell(asking, "quiet", places=["P", "S", "T"]), 201)
    found = read(asking, "quiet")
    assert figures(found) == {"A1": (0, 1, "unknown"), "B3": (0, 1, "unknown")}
    assert found["done"]["counts"] == {"visited": 0, "missed": 0, "unknown": 2, "n/a": 1}
    assert (found["done"]["name"], found["done"]["unit"], found["done"]["parameters"]["tracks"]) == (
        "campaign_places",
        "places",
        True,
    )


def test_a_campaign_about_kinds_has_the_places_of_its_kinds(asking: Asking) -> None:
    body = told(tell(asking, "kinds", place_kinds=["餐饮", "学校"]), 201)
    assert (body["about"], body["place_kinds"], body["named"]) == ("kinds", ["餐饮", "学校"], 0)
    assert figures(body) == {"A1": (0, 2, "unknown"), "A2": (0, 1, "unknown")}


def test_another_layer_counts_what_lies_in_its_grids(asking: Asking) -> None:
    told(tell(asking, "layers", places=["P", "S"]), 201)
    found = read(asking, "layers", layer="dedicated")
    assert (found["layer"], found["done"]["grids"]) == ("dedicated", [])
    assert [row["grid"] for row in found["grids"]] == [None]


def test_a_campaign_about_an_area_tells_the_share_of_each_grid(asking: Asking) -> None:
    """The western half of A1 and A2 each, and nothing beyond the town."""
    body = told(tell(asking, "straw", kind="秸秆禁烧", area=geojson(square(-1, 0, 0.5, 2))), 201)
    assert (body["about"], body["area"]["type"]) == ("area", "MultiPolygon")
    assert {row["grid"]: (row["numerator"], row["state"]) for row in body["done"]["grids"]} == {
        "A1": (0, "unknown"), "A2": (0, "unknown"),
    }  # fmt: skip
    assert {row["grid"]: pytest.approx(row["share"], abs=1e-9) for row in body["grids"]} == {"A1": 0.5, "A2": 0.5}
    assert body["grids"][0]["area_m2"] == pytest.approx(0.005 * 94300 * 0.01 * 110900, rel=0.01)


# -- what is done -----------------------------------------------------------------------------------------------------


def test_visits_and_check_ins_in_the_period_are_done(own: Asking) -> None:
    told(tell(own, places=["P", "Q", "R", "S"]), 201)
    visit(own, "P", BEGIN + DAY)
    visit(own, "S", BEGIN - DAY)  # before it
    checkin(own, 0.4001, 0.2, BEGIN + 2 * DAY)  # a metre from Q
    checkin(own, 0.2, 1.6, BEGIN + 2 * DAY, kind="in")  # at R, on duty
    checkin(own, 1.7, 0.2, BEGIN + 3 * DAY)  # 94 m from S
    found = read(own)
    assert figures(found) == {"A1": (2, 2, "visited"), "A2": (0, 1, "unknown"), "B3": (0, 1, "unknown")}
    assert found["done"]["total"]["numerator"] == 2
    assert {one["code"]: one["visited_at"] for one in found["grids"][0]["places"]} == {
        "P": "2026-05-02T00:00:00Z", "Q": "2026-05-03T00:00:00Z",
    }  # fmt: skip


def test_a_check_in_at_another_place_next_door_does_not_count(own: Asking) -> None:
    """Only S is in the campaign; V, 10 m beside it, is nearer to the check-in."""
    with own.app.state.engine.begin() as connection:
        keep_places(connection, [new_place({"code": "V", "kind": "学校", "name": "V", "lon": LON + 0.0161, "lat": LAT + 0.002,
                                            "since": BEGIN.isoformat()})])  # fmt: skip
    told(tell(own, places=["S"]), 201)
    checkin(own, 1.609, 0.2, BEGIN + DAY)
    assert figures(read(own)) == {"B3": (0, 1, "unknown")}
    checkin(own, 1.601, 0.2, BEGIN + 2 * DAY)
    assert figures(read(own)) == {"B3": (1, 1, "visited")}


def test_what_was_visited_before_a_border_moved_counts_for_the_grid_of_then(own: Asking) -> None:
    """In this campaign of 2025 S lies in B1 until it is merged into B3; only the visit of then makes B1 visited."""
    period = {"begin": (MERGED - 10 * DAY).isoformat(), "end": (MERGED + 10 * DAY).isoformat()}
    with own.app.state.engine.begin() as connection:
        row = {"code": "S", "kind": "出租屋", "name": "S", "lon": LON + 0.016, "lat": LAT + 0.002}
        keep_places(connection, [new_place(row | {"since": "2025-01-01T00:00:00Z"})])
    told(tell(own, places=["S"], **period), 201)
    visit(own, "S", MERGED - DAY)
    assert figures(read(own)) == {"B1": (1, 1, "visited"), "B3": (0, 1, "unknown")}


def test_a_place_that_left_the_list_before_the_period_is_not_asked_for(own: Asking) -> None:
    with own.app.state.engine.begin() as connection:
        row = {
            "code": "U",
            "kind": "餐饮",
            "name": "U",
            "lon": LON + 0.002,
            "lat": LAT + 0.004,
            "since": "2026-01-01T00:00:00Z",
        }
        keep_places(connection, [new_place(row | {"until": BEGIN.isoformat()})])
    told(tell(own, place_kinds=["餐饮"]), 201)
    assert [one["code"] for row in read(own)["grids"] for one in row["places"]] == ["P", "Q", "R"]


def test_a_campaign_that_was_closed_early_ends_there(own: Asking) -> None:
    now = datetime.now(UTC)
    told(tell(own, places=["P"], begin=(now - DAY).isoformat(), end=(now + DAY).isoformat()), 201)
    closed = told(amend(own, closed=True))
    visit(own, "P", datetime.now(UTC))
    assert figures(read(own)) == {"A1": (0, 1, "unknown")}
    assert read(own)["window"]["to"] == closed["closed_at"]
    told(amend(own, closed=False))
    assert figures(read(own)) == {"A1": (1, 1, "visited")}


def test_a_campaign_that_has_not_begun_has_its_places_and_nothing_done(asking: Asking) -> None:
    now = datetime.now(UTC)
    body = told(
        tell(asking, "later", places=["P", "S"], begin=(now + DAY).isoformat(), end=(now + 2 * DAY).isoformat()), 201
    )
    assert figures(body) == {"A1": (0, 1, "unknown"), "B3": (0, 1, "unknown")}
    assert body["window"]["from"] == body["window"]["to"] == body["begin"]


# -- lists and changes ------------------------------------------------------------------------------------------------


def test_campaigns_are_listed_in_pages_by_kind_and_instant(own: Asking) -> None:
    for code, kind in (("a", "防汛"), ("b", "燃气"), ("c", "防汛")):
        told(tell(own, code, kind=kind, places=["P"]), 201)
    reader = own.as_("m-key")

    def listed(**params: Any) -> list[str]:
        return [one["code"] for one in told(reader.get("/v1/campaigns", params=params))["campaigns"]]

    assert listed() == ["c", "b", "a"]
    assert listed(kind="防汛") == ["c", "a"]
    assert (listed(at=BEGIN.isoformat()), listed(at=END.isoformat())) == (["c", "b", "a"], [])
    first = told(reader.get("/v1/campaigns", params={"limit": 2}))
    assert [listed(limit=2), listed(limit=2, cursor=first["next"])] == [["c", "b"], ["a"]]


def test_a_change_is_told_and_stands_in_the_audit(own: Asking) -> None:
    told(tell(own, places=["P", "Q"]), 201)
    later = (END + DAY).isoformat()
    body = told(amend(own, title="新题", end=later, note="延期", places={"add": ["R", "P"], "remove": ["Q", "S"]}))
    assert (body["title"], body["note"], body["named"]) == ("新题", "延期", 2)
    assert datetime.fromisoformat(body["end"]) == END + DAY
    assert [one["code"] for row in body["grids"] for one in row["places"]] == ["P", "R"]
    told(amend(own, title="新题"))  # says nothing new
    first, second = own.query("SELECT action, actor, detail FROM audit WHERE subject = 'campaign/gas' ORDER BY id")
    assert (first[0], second[0], second[1]) == ("campaign", "change campaign", "dan")
    assert second[2]["title"] == ["燃气排查", "新题"]
    assert (second[2]["added"], second[2]["removed"]) == (["R"], ["Q"])


def test_a_closed_campaign_changes_only_when_it_is_opened_again(own: Asking) -> None:
    told(tell(own, places=["P"]), 201)
    first = told(amend(own, closed=True))["closed_at"]
    assert told(amend(own, closed=True, note="完"))["closed_at"] == first
    refused = amend(own, title="新题")
    assert (refused.status_code, refused.json()["code"]) == (409, "state-conflict")
    body = told(amend(own, title="新题", closed=False))
    assert (body["title"], body["closed_at"]) == ("新题", None)


@pytest.mark.parametrize(
    ("change", "status", "code"),
    [({"end": BEGIN.isoformat()}, 422, "time-invalid"), ({"end": "soon"}, 422, "time-invalid"),
     ({"closed": "yes"}, 400, "parameter-invalid"),
     ({"title": " "}, 422, "field-missing"), ({"note": "x" * 2001}, 400, "parameter-invalid"),
     ({"code": "other"}, 400, "parameter-invalid"),
     ({"places": ["P"]}, 400, "parameter-invalid"), ({"places": {"add": "P"}}, 400, "parameter-invalid"),
     ({"places": {"drop": ["P"]}}, 400, "parameter-invalid"), ({"places": {"add": [["P"]]}}, 400, "parameter-invalid"),
     ({"places": {"add": ["nowhere"]}}, 404, "place-unknown"), ({"places": {"add": ["Q"], "remove": ["Q"]}}, 400, "parameter-invalid"),
     ({"places": {"remove": ["P"]}}, 409, "state-conflict")],
)  # fmt: skip
def test_a_change_that_cannot_be_is_refused(asking: Asking, change: dict[str, Any], status: int, code: str) -> None:
    tell(asking, "fixed", places=["P"])
    answer = amend(asking, "fixed", **change)
    assert (answer.status_code, answer.json()["code"]) == (status, code), answer.text
    assert [one["code"] for row in read(asking, "fixed")["grids"] for one in row["places"]] == ["P"]


def test_places_are_not_named_in_a_campaign_about_kinds(asking: Asking) -> None:
    tell(asking, "of-kinds", place_kinds=["餐饮"])
    answer = amend(asking, "of-kinds", places={"add": ["S"]})
    assert (answer.status_code, answer.json()["code"]) == (409, "state-conflict")


# -- refusals ---------------------------------------------------------------------------------------------------------

P = {"places": ["P"]}
RING = [[LON, LAT], [LON + 0.01, LAT], [LON + 0.01, LAT + 0.01], [LON, LAT]]


def polygon(*ring: Any) -> dict[str, Any]:
    return {"area": {"type": "Polygon", "coordinates": [list(ring)]}}


@pytest.mark.parametrize(
    ("change", "status", "code", "place"),
    [({}, 400, "parameter-invalid", "places"), (P | {"place_kinds": ["餐饮"]}, 400, "parameter-invalid", "place_kinds"),
     (P | polygon(*RING), 400, "parameter-invalid", "area"),
     (P | {"code": ...}, 422, "field-missing", "code"), (P | {"title": ""}, 422, "field-missing", "title"),
     (P | {"kind": None}, 422, "field-missing", "kind"),
     (P | {"begin": ...}, 422, "field-missing", "begin"), (P | {"end": "2026-06-01"}, 422, "time-invalid", "end"),
     (P | {"end": BEGIN.isoformat()}, 422, "time-invalid", "end"), (P | {"end": "2020-01-01T00:00:00Z"}, 422, "time-invalid", "end"),
     (P | {"code": "x" * 65}, 400, "parameter-invalid", "code"), (P | {"code": {"a": 1}}, 400, "parameter-invalid", "code"),
     (P | {"colour": "red"}, 400, "parameter-invalid", "colour"),
     ({"places": []}, 400, "parameter-invalid", "places"), ({"places": "P"}, 400, "parameter-invalid", "places"),
     ({"places": [True]}, 400, "parameter-invalid", "places"), ({"places": [{}]}, 400, "parameter-invalid", "places"),
     ({"places": ["P", ""]}, 400, "parameter-invalid", "places"), ({"places": ["a\0b"]}, 400, "parameter-invalid", "places"),
     ({"places": ["P", "x1", "x2"]}, 404, "place-unknown", "places"), ({"place_kinds": []}, 400, "parameter-invalid", "place_kinds"),
     ({"place_kinds": ["动物园"]}, 404, "place-unknown", "place_kinds"),
     (P | {"begin": "2024-01-01T00:00:00Z", "end": "2024-02-01T00:00:00Z"}, 404, "place-unknown", "places"),
     (polygon(*RING[:-1]), 422, "geometry-invalid", "area"), (polygon(), 422, "geometry-invalid", "area"),
     (polygon([LON, LAT], [LON + 1, LAT + 1], [LON + 1, LAT], [LON, LAT + 1], [LON, LAT]), 422, "geometry-invalid", "area"),
     (polygon([170, 30], [-170, 30], [-170, 31], [170, 30]), 422, "geometry-invalid", "area"),
     (polygon([200, 30], [201, 30], [201, 31], [200, 30]), 422, "geometry-invalid", "area"),
     (polygon([LON, None], *RING), 422, "geometry-invalid", "area"), ({"area": "A1"}, 422, "geometry-invalid", "area"),
     ({"area": {"type": "Point", "coordinates": [LON, LAT]}}, 422, "geometry-invalid", "area"),
     ({"area": {"type": "MultiPolygon", "coordinates": []}}, 422, "geometry-invalid", "area"),
     (polygon([10, 10], [11, 10], [11, 11], [10, 10]), 422, "area-outside", "area"),
     ({"area": geojson(square(2, 0, 3, 2))}, 422, "area-outside", "area")],
)  # fmt: skip
def test_a_campaign_that_cannot_be_is_refused_with_its_place(
    asking: Asking, change: dict[str, Any], status: int, code: str, place: str
) -> None:
    answer = tell(asking, "wrong", **change)
    assert (answer.status_code, answer.json()["code"], answer.json()["place"]) == (status, code, place), answer.text
    assert asking.as_("m-key").get("/v1/campaigns/wrong").status_code == 404


def test_every_unknown_code_is_named(asking: Asking) -> None:
    unknown = [f"x{i}" for i in range(30)]
    problem = tell(asking, "wrong", places=[*unknown, "P"]).json()
    assert problem["unknown"] == unknown
    assert "x9" in problem["detail"]
    assert "x10" not in problem["detail"]


def test_a_code_is_taken_once(asking: Asking) -> None:
    first = told(tell(asking, "once", **P), 201)
    answer = tell(asking, "once", **P)
    assert (answer.status_code, answer.json()["code"], answer.json()["standing"]) == (
        409,
        "campaign-taken",
        first["id"],
    )


def test_a_hundred_thousand_codes_are_answered_and_one_more_is_refused(asking: Asking) -> None:
    codes = [f"{i:06d}" for i in range(100_000)]
    answer = tell(asking, "many", places=codes)
    assert (answer.status_code, len(answer.json()["unknown"])) == (404, 100_000)
    assert tell(asking, "many", places=[*codes, "P"]).json()["code"] == "parameter-invalid"


def test_what_is_not_there_is_a_404(asking: Asking) -> None:
    answers = [asking.as_("d-key").get("/v1/campaigns/none"), amend(asking, "none", title="x")]
    assert [(one.status_code, one.json()["code"]) for one in answers] == [(404, "campaign-unknown")] * 2


def test_who_may_tell_change_and_read(asking: Asking) -> None:
    told(tell(asking, "rights", **P), 201)
    assert [tell(asking, "more", key=key, **P).status_code for key in (None, "v-key", "m-key")] == [401, 403, 403]
    assert amend(asking, "rights", key="m-key", title="x").status_code == 403
    for path in ("/v1/campaigns", "/v1/campaigns/rights"):
        assert [asking.as_(key).get(path).status_code for key in (None, "v-key", "m-key")] == [401, 403, 200]
