"""Whatever is sent as a member, a span, a check-in, a visit or a fix, the answer is ours and never a 500."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

import orjson
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from tests.api.test_fuzz import assert_ours, texts, values
from tests.asking import LAT, LON, Asking

FEW = settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
T = "2026-05-03T08:00:00Z"
GOOD: dict[str, dict[str, Any]] = {
    "members": {"code": "f1", "name": "f1", "role": "lead", "active": True, "grids": ["A1"], "since": T},
    "shifts": {"member": "f1", "begin": T, "end": "2026-05-03T16:00:00Z", "external_id": "x"},
    "leave": {"member": "f1", "begin": T, "end": "2026-05-03T16:00:00Z", "kind": "病假"},
    "checkins": {
        "member": "f1",
        "lon": LON,
        "lat": LAT,
        "at": T,
        "kind": "in",
        "crs": "wgs84",
        "accuracy_m": 5,
        "note": "",
    },
    "visits": {"place": "P", "member": "f1", "event": "", "at": T, "outcome": "found", "note": ""},
}
FIX = {"member": "f1", "at": T, "lon": LON, "lat": LAT, "accuracy_m": 5, "crs": "wgs84"}


@pytest.mark.parametrize("path", GOOD)
@FEW
@given(data=st.data())
def test_a_body_with_anything_in_it_is_answered_by_us(asking: Asking, path: str, data: Any) -> None:
    changes = data.draw(st.dictionaries(st.sampled_from(sorted(GOOD[path])) | texts, values, max_size=3))
    assert_ours(asking.http.post(f"/v1/{path}", json=GOOD[path] | changes))


rows = st.lists(st.dictionaries(st.sampled_from(sorted(FIX)) | texts, values, max_size=3), min_size=1, max_size=5)


@FEW
@example(changes=[{"accuracy_m": 3.4028235677973366e38}])
@given(changes=rows)
def test_every_row_of_a_batch_of_anything_is_counted(asking: Asking, changes: list[dict[str, Any]]) -> None:
    body = b"\n".join(orjson.dumps(FIX | change) for change in changes if _fits(change))
    answer = asking.http.post("/v1/fixes", content=body, headers={"Content-Type": "application/x-ndjson"})
    assert_ours(answer)
    if answer.status_code == 200:
        assert sum(answer.json()["counts"].values()) == answer.json()["rows"] == len(body.splitlines())


def _fits(value: Any) -> bool:
    """Whether orjson can write it: integers of 64 bits."""
    try:
        orjson.dumps(value)
    except TypeError:
        return False
    return True


@FEW
@given(
    body=st.binary(max_size=200),
    media=st.sampled_from(["text/csv", "application/x-ndjson", "application/vnd.apache.arrow.stream"]),
)
def test_bytes_of_any_kind_are_answered_by_us(asking: Asking, body: bytes, media: str) -> None:
    assert_ours(asking.http.post("/v1/fixes", content=body, headers={"Content-Type": media}))


@FEW
@given(code=texts, begin=texts, end=texts, hold=texts)
def test_a_question_with_anything_in_it_is_answered_by_us(
    asking: Asking, code: str, begin: str, end: str, hold: str
) -> None:
    span = {"from": begin, "to": end, "hold_s": hold}
    assert_ours(asking.http.get(f"/v1/members/{quote(code, safe='')}/onpost", params=span))
    assert_ours(asking.http.get("/v1/members", params={"cursor": begin, "q": code, "grid": end, "limit": hold}))


#: Numbers as they are typed, in and out of range, and anything.
numbers = st.one_of(
    texts, st.floats().map(str), st.integers().map(str), st.sampled_from(["0", "0.5", "7", "25", "1e308"])
)
instants = st.one_of(
    texts, st.datetimes().map(lambda at: f"{at.isoformat()}Z"), st.sampled_from([T, "0001-01-01T00:00:00Z"])
)
WINDOW = {
    "from": instants, "to": instants, "known_at": instants, "layer": st.one_of(texts, st.just("general")), "revisit_days": numbers,
    "sight_m": st.one_of(texts, st.sampled_from(["25", "4", "501", "nan"])), "enough": numbers, "tracked_min": numbers,
}  # fmt: skip
MORE = {
    "/v1/coverage": {"by": st.sampled_from(["grid", "street", "place", "household", "cell", "x"]), "grid": texts, "cell_m": numbers,
                     "bbox": texts, "cursor": texts, "limit": numbers},
    "/v1/coverage/overdue": {"by": st.sampled_from(["place", "household", "street"]), "state": texts, "ahead_days": numbers,
                             "cursor": texts},
    "/v1/coverage/certificate": {"f": st.sampled_from(["json", "html", "xml"]), "lang": texts},
    "/maps/coverage": {"day": instants, "by": texts, "lang": texts},
    "/v1/members/f1/track": {},
}  # fmt: skip


@pytest.mark.parametrize("path", MORE)
@FEW
@given(data=st.data())
def test_coverage_asked_with_anything_is_answered_by_us(asking: Asking, path: str, data: Any) -> None:
    known = WINDOW | MORE[path]
    chosen = data.draw(st.lists(st.sampled_from(sorted(known)), unique=True, max_size=4))
    assert_ours(asking.http.get(path, params={name: data.draw(known[name]) for name in chosen}))
