"""Likely duplicates in the answer to a report; links that officers make and take back; lists and maps that collapse them."""

from __future__ import annotations

from typing import Any
from uuid import UUID, uuid4

import pytest

from tests.asking import LAT, LON, Asking

REASON = "同一盏路灯"


def posted(asking: Asking, **fields: Any) -> dict[str, Any]:
    answer = asking.report(**fields)
    assert answer.status_code == 201, answer.text
    found: dict[str, Any] = answer.json()
    return found


def link(asking: Asking, one: str, other: str, reason: str = REASON, undo: str = "") -> Any:
    return asking.http.post(f"/v1/events/{one}/links{undo}", json={"event": other, "reason": reason})


def place(n: int) -> dict[str, float]:
    """A spot of its own for a test, far from those of the others."""
    return {"lon": LON + 0.0002 + 0.0015 * (n % 6), "lat": LAT + 0.0003 + 0.0015 * (n // 6)}


def test_the_answer_lists_likely_duplicates_with_their_reasons(alone: Asking) -> None:
    spot = place(0)
    first = posted(alone, **spot, category="06010", text="路灯不亮", address="幸福路3号")
    assert first["duplicates"] == []
    north = spot | {"lat": spot["lat"] + 10.0 / 110_900}
    second = posted(alone, **north, category="06010", text="路灯坏了，不亮", channel="member")
    (found,) = second["duplicates"]
    assert (found["event"], found["reasons"]) == (first["id"], ["near", "recent", "same-category", "similar-text"])
    assert found["score"] > 0.9
    assert found["distance_m"] == pytest.approx(10.0, abs=0.1)
    again = alone.http.get(f"/v1/events/{first['id']}/duplicates").json()["duplicates"]
    assert [one["event"] for one in again] == [second["id"]]


def test_what_is_far_late_or_of_another_kind_is_not_listed(alone: Asking) -> None:
    spot = place(0)
    posted(alone, **spot, category="06010", text="路灯不亮")
    assert posted(alone, **(spot | {"lat": spot["lat"] + 60 / 110_900}), category="06010")["duplicates"] == []
    assert posted(alone, **spot, category="06010", occurred_at="2026-01-01T08:00:00+08:00")["duplicates"] == []
    assert posted(alone, **spot, category="09012", text="消防通道被占用")["duplicates"] == []


def test_the_same_report_again_is_no_duplicate_of_itself(asking: Asking) -> None:
    body = place(7) | {"external_id": "dup-7"}
    first = posted(asking, **body)
    again = asking.report(**body)
    assert (again.status_code, again.json()["id"], again.json()["duplicates"]) == (200, first["id"], [])


def test_a_report_without_a_position_has_none_and_one_may_ask_not_to_look(asking: Asking) -> None:
    assert posted(asking, lon=..., lat=..., address="幸福路")["duplicates"] == []
    body = {"channel": "hotline", **place(8)}
    assert "duplicates" not in asking.http.post("/v1/events?duplicates=false", json=body).json()


def test_a_look_that_fails_does_not_fail_the_report(asking: Asking, monkeypatch: pytest.MonkeyPatch) -> None:
    from gis.store import duplicates

    monkeypatch.setattr(duplicates, "NEIGHBOURS", "SELECT 1 / 0 FROM nowhere WHERE %(lon)s > 0")
    stored = posted(asking, **place(9))
    assert stored["duplicates"] is None
    assert asking.http.get(f"/v1/events/{stored['id']}").status_code == 200
    assert asking.http.get(f"/v1/events/{stored['id']}/duplicates").json()["duplicates"] is None


def test_linking_is_shown_counted_once_and_undone(alone: Asking) -> None:
    a, b, c = (posted(alone, **place(10))["id"] for _ in range(3))
    made = link(alone, c, b)
    assert made.status_code == 201, made.text
    assert (made.json()["group"], made.json()["representative"]) == ([b, c], b)
    link(alone, b, a)
    shown = alone.http.get(f"/v1/events/{c}").json()
    assert (shown["group"], shown["representative"], shown["grid"]) == ([a, b, c], a, "A1")
    (direct,) = shown["links"]
    assert (direct["event"], direct["kind"], direct["reason"], direct["actor"]) == (b, "duplicate", REASON, "demo")
    assert alone.http.get(f"/v1/events/{a}/links").json()["group"] == [a, b, c]
    every = alone.http.get("/v1/events").json()["features"]
    collapsed = alone.http.get("/v1/events?collapse=true").json()["features"]
    assert [one["id"] for one in every] == sorted([a, b, c], reverse=True)
    assert [(one["id"], one["properties"]["stands_for"]) for one in collapsed] == [(a, 2)]
    undone = link(alone, a, b, "两盏灯", undo="/undo")
    assert (undone.status_code, undone.json()["group"], undone.json()["links"]) == (200, [], [])
    collapsed = alone.http.get("/v1/events?collapse=true").json()["features"]
    assert [(one["id"], one["properties"]["stands_for"]) for one in collapsed] == [(b, 1), (a, 0)]


def test_both_events_keep_who_linked_them_and_why(alone: Asking) -> None:
    a, b = (posted(alone, **place(11))["id"] for _ in range(2))
    link(alone, a, b)
    link(alone, b, a, "两盏灯", undo="/undo")
    for event, other in ((a, b), (b, a)):
        rows = alone.query(
            "SELECT action, actor, detail FROM audit WHERE subject = :subject ORDER BY id", subject=f"event/{event}"
        )
        assert [(row.action, row.actor, row.detail["event"], row.detail["reason"]) for row in rows] == [
            ("link", "demo", other, REASON),
            ("unlink", "demo", other, "两盏灯"),
        ]


def test_the_map_counts_linked_events_once(alone: Asking) -> None:
    from data.mapview import MapWish, grids_view
    from gis.store.events import EventFilter
    from gis.store.live import Live

    a, b = (posted(alone, **place(12))["id"] for _ in range(2))
    link(alone, a, b)
    live = Live(1)
    with alone.app.state.engine.begin() as connection:
        now = live.now(connection)
        state = live.state(connection, now)
        counts = []
        for collapse in (False, True):
            wish = MapWish(EventFilter(collapse=collapse), now.at.tzinfo)  # type: ignore[arg-type]
            counts.append(len(grids_view(connection, state, now, wish).reports.lon))
    assert counts == [2, 1]
    assert alone.http.get("/maps/grids?collapse=true&lang=en").status_code == 200
    assert alone.http.get("/maps/grids?collapse=perhaps").status_code == 400


def test_who_only_looks_sees_the_group_but_not_who_said_so(asking: Asking) -> None:
    a, b = (posted(asking, **place(13))["id"] for _ in range(2))
    link(asking, a, b)
    (direct,) = asking.as_("v-key").get(f"/v1/events/{a}").json()["links"]
    assert sorted(direct) == ["at", "event", "kind"]
    assert asking.as_("v-key").get(f"/v1/events/{a}/duplicates").status_code == 403


@pytest.mark.parametrize("undo", ["", "/undo"])
@pytest.mark.parametrize(("key", "status"), [(None, 401), ("v-key", 403), ("m-key", 403)])
def test_linking_needs_a_dispatcher(asking: Asking, key: str | None, status: int, undo: str) -> None:
    event = posted(asking, **place(14))["id"]
    answer = asking.as_(key).post(f"/v1/events/{event}/links{undo}", json={"event": event, "reason": REASON})
    assert answer.status_code == status


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({"reason": REASON}, 422, "field-missing"),
        ({"event": 7, "reason": REASON}, 422, "field-missing"),
        ({"event": "x", "reason": REASON}, 400, "parameter-invalid"),
        ({"event": str(uuid4())}, 422, "field-missing"),
        ({"event": str(uuid4()), "reason": " "}, 422, "field-missing"),
        ({"event": str(uuid4()), "reason": "x" * 2001}, 400, "parameter-invalid"),
        ({"event": str(uuid4()), "reason": REASON}, 404, "event-unknown"),
        ({"event": str(UUID(int=2**128 - 1)), "reason": REASON}, 404, "event-unknown"),
        ({"event": str(uuid4()), "reason": REASON, "kind": "cause"}, 400, "parameter-invalid"),
    ],
)
@pytest.mark.parametrize("undo", ["", "/undo"])
def test_a_link_that_cannot_be_is_refused(
    asking: Asking, body: dict[str, Any], status: int, code: str, undo: str
) -> None:
    event = posted(asking, **place(15))["id"]
    answer = asking.http.post(f"/v1/events/{event}/links{undo}", json=body)
    assert (answer.status_code, answer.json()["code"]) == (status, code)


def test_the_same_word_twice_is_a_conflict(asking: Asking) -> None:
    a, b = (posted(asking, **place(16))["id"] for _ in range(2))
    assert link(asking, a, a).json()["code"] == "state-conflict"
    assert link(asking, a, b, undo="/undo").json()["code"] == "state-conflict"
    assert link(asking, a, b).status_code == 201
    assert (link(asking, b, a).status_code, link(asking, b, a).json()["code"]) == (409, "state-conflict")


def test_links_of_an_unknown_event_are_unknown(asking: Asking) -> None:
    for path in ("links", "duplicates"):
        assert asking.http.get(f"/v1/events/{uuid4()}/{path}").status_code == 404
