"""Spot checks over HTTP: drawn, told with reasons and probabilities, drawn again, noted; and what is refused."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest

from tests.asking import BEGUN, LAT, LON, RENAMED, Asking

KEYS = "s-key:sam:supervisor,d-key:dan:dispatcher,m-key:mia:member,v-key:vera:viewer"


def town(databases: Any, town_template: str) -> Iterator[Asking]:
    """General grids A1, A2 (in V1) and B3 (in V2), a market M."""
    url = databases.make(town_template)
    asking = Asking(url, api_keys=KEYS)
    with asking.http:
        yield asking
    databases.drop(url)


@pytest.fixture(scope="module")
def asking(databases: Any, town_template: str) -> Iterator[Asking]:
    """A town in which nothing is reported and no outcome of A1, A2 or B3 is noted."""
    yield from town(databases, town_template)


@pytest.fixture
def own(databases: Any, town_template: str) -> Iterator[Asking]:
    """A town for one test alone."""
    yield from town(databases, town_template)


def draw(asking: Asking, n: Any = 2, key: str | None = "s-key", **more: Any) -> Any:
    return asking.as_(key).post("/v1/spotchecks", json={"n": n, **more})


def codes(answer: Any) -> list[str]:
    assert answer.status_code in {200, 201}, answer.text
    return [one["code"] for one in answer.json()["grids"]]


# -- drawing ----------------------------------------------------------------------------------------------------------


def test_a_draw_is_stored_and_read_back(asking: Asking) -> None:
    made = draw(asking, 2, seed=5, reason="五月四不两直")
    assert made.status_code == 201
    told = made.json()
    assert made.headers["Location"] == f"/v1/spotchecks/{told['id']}"
    assert (told["n"], told["drawn"], told["seed"], told["layer"], told["generation"]) == (2, 2, 5, "general", 3)
    assert (told["actor"], told["reason"], told["frame"], told["complete"]) == ("sam", "五月四不两直", 3, False)
    assert [one["rank"] for one in told["grids"]] == [1, 2]
    assert asking.as_("d-key").get(made.headers["Location"]).json() == told


def test_every_grid_says_why_it_was_drawn(asking: Asking) -> None:
    """Three grids, two strata (V1: A1 and A2, V2: B3), n = 2: one of each, so B3 is certain and A1 has one chance in two."""
    grids = {one["code"]: one for one in draw(asking, 2, seed=5).json()["grids"]}
    assert grids["B3"]["probability"] == 1.0
    assert grids["B3"]["stratum"] == "V2 unchecked"
    assert (
        grids["B3"]["reason_zh"]
        == "分层：乙村，久未抽查，1个网格抽1个；权重1.000 = 1 + 事件0.00（未结0件，近期已结0件）；必抽。"
    )
    (other,) = set(grids) - {"B3"}
    assert grids[other]["probability"] == 0.5
    assert grids[other]["reason_en"] == (
        "stratum 甲村, no spot check for long: 1 of 2 grids; weight 1.000 = 1 + 0.00 events (0 open, 0 closed lately); "
        "probability 50.0 %."
    )
    assert (grids[other]["name"], grids[other]["path"]) in {("南桥", "甲村"), ("甲二", "甲村")}


def test_the_same_seed_draws_the_same_grids_and_others_draw_others(asking: Asking) -> None:
    at = datetime.now(UTC).isoformat()
    assert codes(draw(asking, 1, seed=7, at=at)) == codes(draw(asking, 1, seed=7, at=at))
    assert {codes(draw(asking, 1, seed=seed))[0] for seed in range(30)} == {"A1", "A2", "B3"}


def test_without_a_seed_one_is_drawn_and_told(asking: Asking) -> None:
    first, second = (draw(asking, 1).json() for _ in range(2))
    assert 0 <= first["seed"] < 2**53
    assert first["seed"] != second["seed"]
    assert codes(draw(asking, 1, seed=first["seed"])) == [one["code"] for one in first["grids"]]


def test_more_than_there_are_is_all_of_them_and_says_so(asking: Asking) -> None:
    told = draw(asking, 40).json()
    assert (told["n"], told["drawn"], told["complete"]) == (40, 3, True)
    assert {one["probability"] for one in told["grids"]} == {1.0}


def test_a_draw_of_the_past_has_the_grids_of_then(asking: Asking) -> None:
    told = draw(asking, 9, at=(RENAMED - timedelta(days=1)).isoformat()).json()
    assert sorted(one["code"] for one in told["grids"]) == ["A1", "A2", "B1", "B2"]
    assert {one["name"] for one in told["grids"]} == {"甲一", "甲二", "乙一", "乙二"}


def test_another_layer_is_drawn_from_when_it_is_named(asking: Asking) -> None:
    assert codes(draw(asking, 5, layer="dedicated")) == ["M"]


def test_events_make_a_grid_likelier(own: Asking) -> None:
    for _ in range(4):
        own.report(lon=LON + 0.005, lat=LAT + 0.015)  # in A2
    chance = {one["stratum"]: one["weight"] for one in draw(own, 3).json()["strata"]}
    assert chance == {
        "V1 busy+unchecked": 1000 + 2500,
        "V2 unchecked": 1000,
    }  # 4 over a mean of 4/3, half of it: 1.5 more


def test_a_grid_that_was_just_checked_is_drawn_less_often(own: Asking) -> None:
    first = draw(own, 1, seed=1).json()
    (code,) = [one["code"] for one in first["grids"]]
    own.as_("s-key").patch(f"/v1/spotchecks/{first['id']}/grids/{code}", json={"outcome": "fine"})
    again = {one["code"]: one for one in draw(own, 3).json()["grids"]}
    assert "× 0.10（0天前抽查过）" in again[code]["reason_zh"]
    assert sum("×" in one["reason_zh"] for one in again.values()) == 1


# -- drawing again ----------------------------------------------------------------------------------------------------


def test_a_stored_draw_is_drawn_again_whatever_happened_since(own: Asking) -> None:
    told = draw(own, 2).json()
    for _ in range(5):
        own.report()
    path = f"/v1/spotchecks/{told['id']}"
    assert own.as_("d-key").get(path, params={"verify": True}).json() == told | {"reproduced": True}


def test_a_draw_that_somebody_tampered_with_is_not_reproduced(own: Asking) -> None:
    told = draw(own, 1, seed=3).json()
    own.query("ALTER TABLE spotcheck_grid DISABLE TRIGGER USER")
    other = own.query("SELECT grid::text, code FROM grid_code WHERE code IN ('A1', 'A2') AND code <> :code LIMIT 1",
                         code=told["grids"][0]["code"])[0]  # fmt: skip
    own.query("UPDATE spotcheck_grid SET grid = CAST(:uid AS uuid), code = :code", uid=other[0], code=other[1])
    answer = own.as_("d-key").get(f"/v1/spotchecks/{told['id']}", params={"verify": True}).json()
    assert answer["reproduced"] is False


# -- reading ----------------------------------------------------------------------------------------------------------


def test_spot_checks_are_listed_newest_first_in_pages(own: Asking) -> None:
    ids = [draw(own, 1).json()["id"] for _ in range(3)]
    reader = own.as_("d-key")
    first = reader.get("/v1/spotchecks", params={"limit": 2}).json()
    second = reader.get("/v1/spotchecks", params={"limit": 2, "cursor": first["next"]}).json()
    assert [one["id"] for one in first["spotchecks"] + second["spotchecks"]] == ids[::-1]
    assert second["next"] is None
    assert {"drawn", "checked", "faults", "seed"} <= set(first["spotchecks"][0])


def test_the_inspectors_list_is_a_csv_that_a_spreadsheet_shows(asking: Asking) -> None:
    told = draw(asking, 3).json()
    answer = asking.as_("d-key").get(f"/v1/spotchecks/{told['id']}", params={"f": "csv"})
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    assert answer.content.startswith(b"\xef\xbb\xbf")
    rows = list(csv.DictReader(io.StringIO(answer.content.decode("utf-8-sig"))))
    assert [(row["rank"], row["code"], row["name"]) for row in rows] == [
        (str(one["rank"]), one["code"], one["name"]) for one in told["grids"]
    ]
    assert {row["outcome"] for row in rows} == {""}


# -- outcomes ---------------------------------------------------------------------------------------------------------


def test_an_outcome_is_noted_corrected_and_stands_in_the_audit(own: Asking) -> None:
    told = draw(own, 3).json()
    path = f"/v1/spotchecks/{told['id']}"
    for body in ({"outcome": "fault", "note": "堆物"}, {"outcome": "fault", "note": "堆物"}, {"outcome": "fine"}):
        answer = own.as_("s-key").patch(f"{path}/grids/A1", json=body)
        assert answer.status_code == 200
        assert answer.json()["outcome"] == body["outcome"]
    (held,) = [one for one in own.as_("d-key").get(path).json()["grids"] if one["code"] == "A1"]
    assert (held["outcome"], held["note"], held["checked_by"]) == ("fine", "堆物", "sam")
    audit = own.query(
        "SELECT action, detail FROM audit WHERE subject = :subject ORDER BY id", subject=f"spotcheck/{told['id']}"
    )
    assert [row[0] for row in audit] == ["spotcheck", "spotcheck outcome", "spotcheck outcome"]
    assert audit[2][1]["before"]["outcome"] == "fault"


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [({"outcome": "maybe"}, 400, "parameter-invalid"), ({"note": "x"}, 422, "field-missing"), ({}, 422, "field-missing"),
     ({"outcome": True}, 400, "parameter-invalid"), ({"outcome": "fine", "note": "x" * 2001}, 400, "parameter-invalid"),
     ({"outcome": "fine", "colour": "red"}, 400, "parameter-invalid")],
)  # fmt: skip
def test_an_outcome_that_is_none_is_refused(asking: Asking, body: dict[str, Any], status: int, code: str) -> None:
    told = draw(asking, 3).json()
    answer = asking.as_("s-key").patch(f"/v1/spotchecks/{told['id']}/grids/A1", json=body)
    assert (answer.status_code, answer.json()["code"]) == (status, code)


def test_what_is_not_there_is_a_404(asking: Asking) -> None:
    told, nobody = draw(asking, 3).json(), uuid4()
    answers = [
        asking.as_("s-key").get(f"/v1/spotchecks/{nobody}"),
        asking.as_("s-key").patch(f"/v1/spotchecks/{told['id']}/grids/M", json={"outcome": "fine"}),
        asking.as_("s-key").patch(f"/v1/spotchecks/{nobody}/grids/A1", json={"outcome": "fine"}),
    ]
    assert [(one.status_code, one.json()["code"]) for one in answers] == [(404, "spotcheck-unknown")] * 3


# -- refusals ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "status", "place"),
    [({}, 422, "n"), ({"n": 0}, 400, "n"), ({"n": -3}, 400, "n"), ({"n": 2.5}, 400, "n"), ({"n": "2"}, 400, "n"), ({"n": True}, 400, "n"),
     ({"n": 2**40}, 400, "n"), ({"n": 2, "seed": "abc"}, 400, "seed"), ({"n": 2, "seed": 1.0}, 400, "seed"),
     ({"n": 2, "seed": -1}, 400, "seed"), ({"n": 2, "seed": 2**53}, 400, "seed"), ({"n": 2, "seed": True}, 400, "seed"),
     ({"n": 2, "layer": "none"}, 400, "layer"), ({"n": 2, "layer": "micro"}, 400, "layer"), ({"n": 2, "layer": ["general"]}, 400, "layer"),
     ({"n": 2, "at": "yesterday"}, 422, "at"), ({"n": 2, "at": "2026-05-03T08:00:00"}, 422, "at"),
     ({"n": 2, "at": "2999-01-01T00:00:00Z"}, 422, "at"),
     ({"n": 2, "at": (BEGUN - timedelta(days=1)).isoformat()}, 400, "layer"), ({"n": 2, "reason": "x" * 2001}, 400, "reason"),
     ({"n": 2, "colour": "red"}, 400, "colour")],
)  # fmt: skip
def test_a_draw_that_cannot_be_made_is_refused_with_its_place(
    asking: Asking, body: dict[str, Any], status: int, place: str
) -> None:
    before = asking.query("SELECT count(*) FROM spotcheck")
    answer = asking.as_("s-key").post("/v1/spotchecks", json=body)
    assert (answer.status_code, answer.json()["place"]) == (status, place)
    assert asking.query("SELECT count(*) FROM spotcheck") == before


def test_a_store_without_grids_has_nothing_to_draw_from(bare: Asking) -> None:
    answer = bare.http.post("/v1/spotchecks", json={"n": 1})
    assert (answer.status_code, answer.json()["place"]) == (400, "layer")


def test_who_may_draw_note_and_read(own: Asking) -> None:
    told = draw(own, 3).json()
    path = f"/v1/spotchecks/{told['id']}"
    assert [draw(own, 1, key=key).status_code for key in (None, "v-key", "m-key", "d-key")] == [401, 403, 403, 403]
    note = {"outcome": "fine"}
    assert [own.as_(key).patch(f"{path}/grids/A1", json=note).status_code for key in (None, "d-key")] == [401, 403]
    for read in (path, "/v1/spotchecks"):
        assert [own.as_(key).get(read).status_code for key in (None, "m-key", "d-key", "s-key")] == [
            401,
            403,
            200,
            200,
        ]
