"""Plans over HTTP: drawn, undone, judged, published and reverted; what every step answers."""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.asking import LAT, LON, Asking

KEYS = "p-key:pia:planner,s-key:sam:supervisor,v-key:vera:viewer,d-key:dan:dispatcher"


def town(databases: Any, template: str) -> Iterator[Asking]:
    url = databases.make(template)
    asking = Asking(url, api_keys=KEYS)
    with asking.http:
        yield asking
    databases.drop(url)


@pytest.fixture(scope="module")
def asking(databases: Any, town_template: str) -> Iterator[Asking]:
    """A town that nobody publishes in."""
    yield from town(databases, town_template)


@pytest.fixture
def own(databases: Any, town_template: str) -> Iterator[Asking]:
    """A town for one test alone."""
    yield from town(databases, town_template)


class Planning:
    """A plan and the revision that was seen last."""

    def __init__(self, asking: Asking, title: str = "城南调整") -> None:
        self.asking, self.http = asking, asking.as_("p-key")
        self.take(self.http.post("/v1/plans", json={"title": title}))

    def take(self, answer: Any) -> Any:
        if answer.status_code < 300 and "ETag" in answer.headers:
            body = answer.json()
            self.id = body.get("id") or body["plan"]["id"]
            self.etag = answer.headers["ETag"]
        return answer

    def post(self, call: str, body: Any = None, key: str = "p-key", etag: str | None = None) -> Any:
        headers = {"If-Match": etag or self.etag}
        sent = self.asking.as_(key).post(f"/v1/plans/{self.id}/{call}", json=body or {}, headers=headers)
        return self.take(sent)

    def get(self, call: str = "", **params: Any) -> Any:
        return self.http.get(f"/v1/plans/{self.id}{call}", params=params)


def line(*points: tuple[float, float]) -> dict[str, Any]:
    """A line through points in hundredths of a degree from the town's corner."""
    return {"type": "LineString", "coordinates": [[LON + x / 100, LAT + y / 100] for x, y in points]}


NUMBERS = itertools.count(1)


def split() -> dict[str, Any]:
    """A1 is divided; the codes are new, for those of other plans under way are taken."""
    codes = [f"A1-{next(NUMBERS)}", f"A1-{next(NUMBERS)}"]
    return {"op": "split", "grid": "A1", "lines": [line((0.5, -0.1), (0.5, 1.1))], "codes": codes}


def test_a_plan_begins_empty_on_the_newest_generation(asking: Asking) -> None:
    planning = Planning(asking)
    body = planning.get().json()
    assert (body["title"], body["state"], body["base"], body["operations"]) == ("城南调整", "draft", 3, [])
    assert body["standing"] == {"base": 3, "newest_generation": 3, "conflict": None}
    assert planning.get().headers["ETag"] == '"1"'


def test_a_split_answers_the_completed_operation_and_shows_in_the_draft_alone(asking: Asking) -> None:
    planning = Planning(asking)
    given = split()
    answer = planning.post("operations", given)
    assert answer.status_code == 201, answer.text
    body = answer.json()
    assert body["operation"]["op"] == "split"
    assert (body["operation"]["operation"]["codes"], body["changed"]) == (
        given["codes"],
        ["A1", *given["codes"]],
    )
    drawn = planning.get("/grids", changed=True, level="grid").json()["features"]
    assert [one["properties"]["change"] for one in drawn] == ["created", "created", "retired"]
    assert planning.get("/findings").json()["summary"] == {"crosses_parent": 1}  # the market, before and after
    assert asking.http.get("/v1/grids/A1").status_code == 200


def test_undo_and_redo_walk_the_line(asking: Asking) -> None:
    planning = Planning(asking)
    planning.post("operations", split())
    planning.post("operations", {"op": "rename", "grid": "A2", "name": "北桥"})
    undone = planning.post("undo", {"steps": 2}).json()
    assert (undone["operations"], len(undone["redoable"])) == ([], 2)
    redone = planning.post("redo").json()
    assert [one["op"] for one in redone["operations"]] == ["split"]
    assert planning.post("undo", {"steps": 5}).status_code == 409
    assert planning.get("/grids", level="town").json()["place"] == "level"


def test_a_stale_write_is_refused_and_one_without_a_version_too(asking: Asking) -> None:
    planning = Planning(asking)
    seen = planning.etag
    planning.post("operations", split())
    late = planning.post("operations", {"op": "rename", "grid": "A2", "name": "北桥"}, etag=seen)
    assert (late.status_code, late.json()["code"]) == (412, "stale")
    none = asking.as_("p-key").post(f"/v1/plans/{planning.id}/undo", json={})
    assert (none.status_code, none.json()["place"]) == (400, "If-Match")


@pytest.mark.parametrize(
    ("operation", "status"),
    [
        ({"op": "split", "grid": "A1", "lines": [line((3, 3), (4, 4))]}, 422),
        ({"op": "split", "grid": "ZZ", "lines": [line((0.5, -0.1), (0.5, 1.1))]}, 422),
        ({"op": "merge", "grids": ["A1", "B3"]}, 422),
        ({"op": "fly"}, 422),
        ({"op": "rename", "grid": "A1"}, 422),
    ],
)
def test_an_operation_that_cannot_be_says_where_it_is_at_fault(
    asking: Asking, operation: dict[str, Any], status: int
) -> None:
    answer = Planning(asking).post("operations", operation)
    assert answer.status_code == status, answer.text
    assert answer.json()["place"]


def test_the_impact_says_which_event_moves_and_a_rehearsal_says_the_same(own: Asking) -> None:
    west = own.report(lon=LON + 0.002).json()["id"]
    east = own.report(lon=LON + 0.008).json()["id"]
    planning = Planning(own)
    planning.post("operations", split())
    drawing, rehearsal = (planning.get("/impact", by=by, fresh=True).json() for by in ("drawing", "rehearsal"))
    assert {one["event"] for one in drawing["moves"]} == {west, east}
    assert (drawing["events_moved"], drawing["totals"]["before"]["events"]) == (2, 2)
    told = ("grids", "flows", "totals", "wider", "moves", "events_moved", "base")
    assert {name: drawing[name] for name in told} == {name: rehearsal[name] for name in told}
    assert [one["moved"] for one in rehearsal["reassigned"] if one["generation"] == 4] == [2]
    assert planning.get().json()["state"] == "draft"
    assert own.http.get(f"/v1/events/{west}").json()["grid"] == "A1"


def published(asking: Asking, **body: Any) -> tuple[Planning, Any]:
    planning = Planning(asking)
    planning.post("operations", split())
    assert planning.post("submit").status_code == 200
    assert planning.post("approve", {"words": "好"}, key="s-key").status_code == 200
    return planning, planning.post("publish", {"reason": "新小区"} | body, key="s-key")


def test_a_published_plan_is_in_force_and_open_events_follow_with_a_receipt(own: Asking) -> None:
    event = own.report(lon=LON + 0.002).json()["id"]
    closed = own.report(lon=LON + 0.008, status="closed").json()["id"]
    _, answer = published(own)
    assert answer.status_code == 200, answer.text
    done = answer.json()["published"]
    assert (done["generation"], [one["moved"] for one in done["reassigned"] if one["generation"] == 4]) == (4, [1])
    assert answer.json()["state"] == "published"
    assert own.http.get("/v1/grids/A1").status_code == 410
    moved = own.http.get(f"/v1/events/{event}").json()
    assert moved["grid"] not in {"A1", None}
    assert moved["generation"] == 4
    causes = [one["cause"] for one in own.http.get(f"/v1/events/{event}/assignments").json()["assignments"]]
    assert causes == ["received", "published"]
    assert own.http.get(f"/v1/events/{closed}").json()["grid"] == "A1"


def test_a_reverted_plan_gives_the_old_grid_back(own: Asking) -> None:
    event = own.report(lon=LON + 0.002).json()["id"]
    planning, _ = published(own)
    without = planning.post("revert", {}, key="s-key")
    assert without.json()["place"] == "reason"
    answer = planning.post("revert", {"reason": "居民反对"}, key="s-key")
    assert answer.status_code == 200, answer.text
    assert answer.json()["published"]["generation"] == 5
    assert own.http.get("/v1/grids/A1").status_code == 200
    assert own.http.get(f"/v1/events/{event}").json()["grid"] == "A1"


def test_who_may_what(asking: Asking) -> None:
    assert asking.as_("v-key").post("/v1/plans", json={"title": "x"}).status_code == 403
    assert asking.as_(None).post("/v1/plans", json={"title": "x"}).status_code == 401
    planning = Planning(asking)
    planning.post("operations", split())
    planning.post("submit")
    assert planning.post("approve", {}).status_code == 403
    assert asking.as_("v-key").get(f"/v1/plans/{planning.id}").status_code == 200
    assert asking.as_("v-key").get(f"/v1/plans/{planning.id}/impact?by=rehearsal").status_code == 403


def test_a_returned_plan_can_be_edited_again_and_a_withdrawn_one_only_read_and_forked(asking: Asking) -> None:
    planning = Planning(asking)
    planning.post("operations", split())
    planning.post("submit")
    assert planning.post("operations", {"op": "rename", "grid": "A2", "name": "x"}).status_code == 409
    assert planning.post("approve", {"verdict": "returned"}, key="s-key").json()["place"] == "words"
    returned = planning.post("approve", {"verdict": "returned", "words": "请避开学校"}, key="s-key").json()
    assert (returned["state"], returned["reviews"][0]["words"]) == ("draft", "请避开学校")
    assert planning.post("withdraw", {"reason": "not needed"}).json()["state"] == "withdrawn"
    assert planning.post("undo").status_code == 409
    fork = planning.http.post(f"/v1/plans/{planning.id}/fork", json={"title": "方案二"})
    assert (fork.status_code, len(fork.json()["operations"])) == (201, 1)
    listed = asking.http.get("/v1/plans", params={"limit": 1}).json()
    assert [one["title"] for one in listed["plans"]] == ["方案二"]
    rest = asking.http.get("/v1/plans", params={"cursor": listed["next"]}).json()
    assert rest["plans"][0]["state"] == "withdrawn"


def test_comments_stand_at_their_place(asking: Asking) -> None:
    planning = Planning(asking)
    planning.post("comments", {"text": "学校在这里", "lon": LON, "lat": LAT})
    planning.post("comments", {"text": "总体同意"})
    found = planning.get("/comments").json()["features"]
    assert [(one["properties"]["text"], one["geometry"] is None) for one in found] == [
        ("学校在这里", False),
        ("总体同意", True),
    ]
    assert planning.post("comments", {"text": "x", "lon": 500, "lat": 0}).json()["place"] == "lon"


def test_an_unknown_plan_is_a_404(asking: Asking) -> None:
    answer = asking.http.get("/v1/plans/01900000-0000-7000-8000-000000000000")
    assert (answer.status_code, answer.json()["code"]) == (404, "plan-unknown")


def test_the_towns_rules_warn_and_want_a_word_at_publication(own: Asking) -> None:
    limits = {"redraw": {"max_area_m2": 500_000, "min_households": 1}}
    headers = {"If-Match": '"0"'}
    put = own.as_("s-key").put("/v1/policy", json={"policy": limits, "reason": "标准"}, headers=headers)
    assert put.status_code == 200, put.text
    planning = Planning(own)
    answer = planning.post("operations", split()).json()
    told = [(one["kind"], one["severity"]) for one in answer["findings"]]
    assert told.count(("size", "warning")) == 4, answer["findings"]  # two halves, both too large and without households
    planning.post("submit")
    planning.post("approve", key="s-key")
    refused = planning.post("publish", {}, key="s-key")
    assert (refused.json()["place"], refused.json()["summary"]["size"]) == ("reason", 4)
    assert planning.post("publish", {"reason": "暂时如此"}, key="s-key").status_code == 200


@pytest.mark.parametrize(
    "wrong", [{"max_area_m2": -1}, {"min_compactness": "x"}, {"colour": 1}, {"min_members": 9, "max_members": 1}]
)
def test_rules_that_cannot_be_meant_are_refused(asking: Asking, wrong: dict[str, Any]) -> None:
    body = {"policy": {"redraw": wrong}, "reason": "x"}
    answer = asking.as_("s-key").put("/v1/policy", json=body, headers={"If-Match": '"0"'})
    assert answer.status_code in {400, 422}
    assert answer.json()["place"].startswith("redraw")


def test_ground_carved_out_for_a_dedicated_grid_is_no_gap(asking: Asking) -> None:
    planning = Planning(asking)
    ring = line((0.2, 0.2), (0.4, 0.2), (0.4, 0.4), (0.2, 0.4), (0.2, 0.2))["coordinates"]
    area = {"type": "Polygon", "coordinates": [ring]}
    carve = {
        "op": "create",
        "area": area,
        "layer": "dedicated",
        "level": "grid",
        "parent": "V1",
        "code": f"S{next(NUMBERS)}",
    }
    answer = planning.post("operations", carve | {"name": "学校", "mode": "carve"})
    assert answer.status_code == 201, answer.text
    gaps = [one for one in answer.json()["findings"] if one["kind"] == "gap"]
    assert [(one["severity"], one["accepted"]) for one in gaps] == [("warning", True)]
    assert planning.post("submit").status_code == 200


@pytest.mark.parametrize(("f", "begins"), [("html", b"<!DOCTYPE html>"), ("png", b"\x89PNG"), ("pdf", b"%PDF-")])
def test_a_plan_has_a_map_in_every_form(asking: Asking, f: str, begins: bytes) -> None:
    asking.report(lon=LON + 0.002)
    planning = Planning(asking, "图上方案")
    planning.post("operations", split())
    answer = asking.http.get(f"/maps/plans/{planning.id}", params={"f": f})
    assert answer.status_code == 200, answer.text
    assert answer.content.lstrip().startswith(begins)
    if f == "html":
        assert "图上方案" in answer.text
    assert asking.http.get(f"/maps/plans/{planning.id}", params={"layer": "foo"}).json()["place"] == "layer"


def test_a_plan_for_later_takes_over_at_its_second_and_the_server_moves_events_by_itself(own: Asking) -> None:
    event = own.report(lon=LON + 0.002).json()["id"]
    later = datetime.now(UTC) + timedelta(seconds=2)
    _, answer = published(own, effective_at=later.isoformat())
    assert answer.status_code == 200, answer.text
    assert own.http.get("/v1/grids/A1").status_code == 200
    assert own.http.get(f"/v1/events/{event}").json()["grid"] == "A1"
    deadline = time.monotonic() + 20
    while own.http.get(f"/v1/events/{event}").json()["grid"] == "A1":
        assert time.monotonic() < deadline, "nobody moved the event"
        time.sleep(0.1)
    assert datetime.now(UTC) >= later
    assert own.http.get("/v1/grids/A1").status_code == 410
