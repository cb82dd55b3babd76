"""Open311 GeoReport v2: the neighbours' standard over the same events, in both forms, refusals included."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

import pytest

from gis.store.categories import Category, replace_scheme
from tests.asking import LAT, LON, Asking

BASE = "/open311/v2"
FORM = {"Content-Type": "application/x-www-form-urlencoded"}
CATEGORIES = [
    Category("demo", "06010", "暴露垃圾", "litter", "街面", ("垃圾", "清理")),
    Category("demo", "D0102", "路灯不亮", None, "街面"),
    Category("demo", "OLD", "旧类", active=False),
]


@pytest.fixture(scope="module")
def town(asking: Asking) -> Asking:
    with asking.app.state.engine.begin() as connection:
        replace_scheme(connection, "demo", CATEGORIES)
    return asking


def parsed(content: bytes) -> ET.Element:
    return ET.fromstring(content)  # noqa: S314 - our own answer


def form(**fields: Any) -> str:
    given = {"service_code": "06010", "lat": LAT + 0.005, "long": LON + 0.005, "description": "垃圾"} | fields
    return urlencode({name: value for name, value in given.items() if value is not ...})


def post(town: Asking, ending: str = "json", key: str | None = "m-key", **fields: Any) -> Any:
    return town.as_(key).post(f"{BASE}/requests.{ending}", content=form(**fields), headers=FORM)


def get(town: Asking, path: str, key: str | None = None, **params: Any) -> Any:
    return town.as_(key).get(f"{BASE}/{path}", params=params)


def test_services_are_the_active_categories(town: Asking) -> None:
    answer = get(town, "services.json")
    assert answer.headers["content-type"] == "application/json; charset=utf-8"
    assert [one["service_code"] for one in answer.json()] == ["06010", "D0102"]
    assert answer.json()[0] == {
        "service_code": "06010", "service_name": "暴露垃圾", "description": "litter", "metadata": False, "type": "realtime",
        "keywords": "垃圾,清理", "group": "街面",
    }  # fmt: skip


def test_services_in_xml_say_the_same(town: Asking) -> None:
    answer = get(town, "services.xml")
    assert answer.headers["content-type"] == "text/xml; charset=utf-8"
    assert answer.content.startswith(b'<?xml version="1.0" encoding="utf-8"?>')
    root = parsed(answer.content)
    assert root.tag == "services"
    first = {child.tag: child.text for child in root.findall("service")[0]}
    assert first["service_name"] == "暴露垃圾"
    assert first["metadata"] == "false"


def test_a_service_definition_asks_for_nothing_more(town: Asking) -> None:
    assert get(town, "services/06010.json").json() == {"service_code": "06010", "attributes": []}
    assert [child.tag for child in parsed(get(town, "services/06010.xml").content)] == [
        "service_code",
        "attributes",
    ]


@pytest.mark.parametrize("code", ["nothing", "OLD", "06010.5"])
def test_an_unknown_service_is_a_404_in_the_specifications_form(town: Asking, code: str) -> None:
    answer = get(town, f"services/{code}.json")
    assert answer.status_code == 404
    assert answer.json() == [{"code": 404, "description": f"no service has the code {code} (service_code)"}]
    error = parsed(get(town, f"services/{code}.xml").content)
    assert (error.tag, error[0].tag, error[0][0].text) == ("errors", "error", "404")


def test_discovery_names_this_endpoint(town: Asking) -> None:
    told = get(town, "discovery.json").json()
    assert told["endpoints"][0]["url"].endswith("/open311/v2")
    root = parsed(get(town, "discovery.xml").content)
    assert [one.text for one in root.findall("endpoints/endpoint/formats/format")] == ["text/xml", "application/json"]


def test_a_request_becomes_an_event_with_its_grid_and_receipt(town: Asking) -> None:
    answer = post(town, accuracy_m=12, email="wang@example.org", first_name="王", phone="1", api_key=...)
    assert answer.status_code == 201
    (told,) = answer.json()
    assert told["service_notice"] == "已受理，归属网格 A1"
    event = town.http.get(f"/v1/events/{told['service_request_id']}").json()
    assert (event["grid"], event["channel"], event["category"], event["category_scheme"]) == (
        "A1",
        "open311",
        "06010",
        "demo",
    )
    assert (event["text"], event["accuracy_m"], event["reporter"]) == ("垃圾", 12.0, "王, wang@example.org, 1")
    receipts = town.http.get(f"/v1/events/{told['service_request_id']}/assignments").json()["assignments"]
    assert [one["cause"] for one in receipts] == ["received"]


def test_the_key_may_come_in_the_form_and_is_not_kept(town: Asking) -> None:
    answer = post(town, key=None, api_key="m-key", device_id="d7", jurisdiction_id="example.org")
    assert answer.status_code == 201
    event = town.http.get(f"/v1/events/{answer.json()[0]['service_request_id']}").json()
    assert event["raw"]["open311"] == {"device_id": "d7"}
    assert "m-key" not in str(event["raw"])


def test_a_request_in_xml_answers_in_xml(town: Asking) -> None:
    answer = post(town, "xml")
    root = parsed(answer.content)
    assert (answer.status_code, root.tag, root[0].tag) == (201, "service_requests", "request")
    assert UUID(str(root.findtext("request/service_request_id")))


def test_a_request_with_an_address_alone_waits_in_the_queue(town: Asking) -> None:
    answer = post(town, lat=..., long=..., address_string="不存在路999号")
    assert answer.status_code == 201
    assert answer.json()[0]["service_notice"] == "已受理，待分配网格"


def test_the_same_idempotency_key_answers_with_the_same_request(town: Asking) -> None:
    client = town.as_("m-key")
    headers = FORM | {"Idempotency-Key": "once"}
    first, again = (client.post(f"{BASE}/requests.json", content=form(), headers=headers) for _ in range(2))
    assert (first.status_code, again.status_code) == (201, 200)
    assert first.json() == again.json()
    other = client.post(f"{BASE}/requests.json", content=form(description="x"), headers=headers)
    assert other.status_code == 409


BAD = [
    ({"service_code": ...}, 400, "service_code"), ({"service_code": "nope"}, 404, "nope"), ({"lat": ...}, 400, "lat"),
    ({"lat": ..., "long": ...}, 400, "address_string"), ({"lat": "north"}, 400, "lat"), ({"lat": 0, "long": 0}, 400, "0"),
    ({"lat": LON, "long": LAT}, 400, "swapped"), ({"accuracy_m": -1}, 400, "accuracy_m"),
    ({"description": "长" * 20_001}, 413, "text"), ({"description": "a\x00b"}, 400, "NUL"),
]  # fmt: skip


@pytest.mark.parametrize(("fields", "status", "word"), BAD)
def test_a_bad_request_is_refused_in_the_specifications_form(
    town: Asking, fields: dict[str, Any], status: int, word: str
) -> None:
    answer = post(town, **fields)
    assert answer.status_code == status, answer.text
    (error,) = answer.json()
    assert error["code"] == status
    assert word in error["description"]


@pytest.mark.parametrize("key", [None, "unknown", "v-key"])
def test_without_a_key_that_may_write_nothing_is_taken(town: Asking, key: str | None) -> None:
    answer = post(town, key=key)
    assert answer.status_code == 403
    assert answer.json()[0]["code"] == 403


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("application/json", b"{}"), ("multipart/form-data; boundary=x", b"--x--"), (FORM["Content-Type"], b"service_code=%ff"),
        (FORM["Content-Type"], b"lat=1&lat=2"), (FORM["Content-Type"], b"&".join(b"a%d=1" % i for i in range(300))),
        (FORM["Content-Type"], "description=垃圾".encode("gb18030")), ("", b""),
    ],
)  # fmt: skip
def test_another_body_than_a_form_is_refused(town: Asking, kind: str, body: bytes) -> None:
    answer = town.as_("m-key").post(f"{BASE}/requests.json", content=body, headers={"Content-Type": kind})
    assert answer.status_code == 400
    assert answer.json()[0]["code"] == 400


def test_personal_members_are_shown_to_those_who_may_see_them(town: Asking) -> None:
    told = post(town, description="王某家门口", address_string="幸福路1号").json()[0]["service_request_id"]
    (public,) = get(town, f"requests/{told}.json").json()
    (trusted,) = get(town, f"requests/{told}.json", api_key="m-key").json()
    assert (public["description"], public["address"], public["status_notes"]) == (None, None, None)
    assert (trusted["description"], trusted["address"]) == ("王某家门口", "幸福路1号")
    assert (public["lat"], public["long"], public["status"]) == (LAT + 0.005, LON + 0.005, "open")
    assert public["agency_responsible"].endswith("A1")
    assert public["service_name"] == "暴露垃圾"
    assert public["requested_datetime"].endswith("Z")


def test_what_xml_cannot_hold_is_replaced_and_markup_is_text(town: Asking) -> None:
    told = post(town, description="<b>&amp;\x0b]]>").json()[0]["service_request_id"]
    root = parsed(get(town, f"requests/{told}.xml", api_key="m-key").content)
    assert root.findtext("request/description") == "<b>&amp;\ufffd]]>"


def test_an_unknown_request_is_a_404(town: Asking) -> None:
    for name in (UUID(int=7), "nothing"):
        assert get(town, f"requests/{name}.json").status_code == 404


def test_requests_are_listed_by_id_over_all_other_filters(town: Asking) -> None:
    ids = [post(town).json()[0]["service_request_id"] for _ in range(2)]
    asked = ",".join([ids[1], str(UUID(int=7)), ids[0]])
    found = get(town, "requests.json", service_request_id=asked, status="closed").json()
    assert [one["service_request_id"] for one in found] == [ids[1], ids[0]]


def test_requests_are_listed_by_time_code_and_status_in_pages(alone: Asking) -> None:
    now = datetime.now(UTC).replace(microsecond=0)
    made = {}
    for days in (1, 5, 100):
        when = (now - timedelta(days=days)).isoformat()
        made[days] = alone.report(reported_at=when, category="06010").json()["id"]
    closed = alone.report(category="D0102").json()["id"]
    alone.http.patch(f"/v1/events/{closed}", json={"status": "closed", "reason": "修好了"})

    def listed(**params: Any) -> list[str]:
        return [one["service_request_id"] for one in get(alone, "requests.json", **params).json()]

    assert listed() == [closed, made[1], made[5]]
    assert listed(status="open") == [made[1], made[5]]
    assert listed(status="closed") == [closed]
    assert listed(status="open,closed", service_code="06010,nope") == [made[1], made[5]]
    assert listed(service_code="") == listed()
    assert listed(page=2, page_size=2) == [made[5]]
    long_ago = {
        "start_date": (now - timedelta(days=101)).isoformat(),
        "end_date": (now - timedelta(days=99)).isoformat(),
    }
    assert listed(**long_ago) == [made[100]]
    assert listed(start_date=(now - timedelta(days=101)).isoformat()) == [made[100]]  # 90 days from there
    assert get(alone, "requests.json", service_request_id=closed).json()[0]["updated_datetime"] >= now.strftime(
        "%Y-%m-%dT%H:%M:%SZ"
    )


@pytest.mark.parametrize(
    "params",
    [
        {"start_date": "2026-01-01T00:00:00Z", "end_date": "2026-06-01T00:00:00Z"}, {"start_date": "yesterday"},
        {"start_date": "2026-06-01T00:00:00Z", "end_date": "2026-01-01T00:00:00Z"}, {"status": "half"}, {"page": 0},
        {"page_size": 1001}, {"service_request_id": "a,b"}, {"updated_after": "2026-01-01T00:00:00Z"},
        {"start_date": "9999-12-30T00:00:00Z"}, {"end_date": "0001-01-02T00:00:00Z"}, {"service_code": "a\x00"},
    ],
)  # fmt: skip
def test_a_list_that_cannot_be_is_a_400_in_both_forms(town: Asking, params: dict[str, Any]) -> None:
    answer = get(town, "requests.json", **params)
    assert answer.status_code == 400, answer.text
    assert answer.json()[0]["code"] == 400
    assert parsed(get(town, "requests.xml", **params).content)[0].findtext("code") == "400"


def test_a_form_that_there_is_not_is_refused(town: Asking) -> None:
    assert get(town, "requests.yaml").status_code == 400


def test_where_anonymous_callers_may_nothing_open311_is_closed_too(alone: Asking) -> None:
    closed = Asking(alone.url, anonymous_role="none")
    assert closed.as_(None).get(f"{BASE}/services.json").status_code == 403
    assert closed.as_(None).get(f"{BASE}/services.json", params={"api_key": "v-key"}).status_code == 200
    closed.app.state.engine.dispose()
