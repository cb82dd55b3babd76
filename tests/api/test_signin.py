"""Signing in with a browser: the key is asked for, lets look and never write; nobody is led to another site."""

from __future__ import annotations

from base64 import b64encode

import pytest

from tests.asking import Asking


def basic(key: str, name: str = "anybody") -> dict[str, str]:
    return {"Authorization": f"Basic {b64encode(f'{name}:{key}'.encode()).decode()}"}


def test_a_browser_is_asked_for_a_key_and_led_on(asking: Asking) -> None:
    page = asking.as_(None)
    asked = page.get("/sign-in?next=/maps/coverage", follow_redirects=False)
    assert (asked.status_code, asked.headers["www-authenticate"].split()[0]) == (401, "Basic")
    assert page.get("/sign-in", headers=basic("nobody's"), follow_redirects=False).status_code == 401
    told = page.get("/sign-in?next=/maps/coverage?by=street", headers=basic("m-key"), follow_redirects=False)
    assert (told.status_code, told.headers["location"]) == (303, "/maps/coverage?by=street")


def test_a_key_shown_so_lets_look_and_not_write(asking: Asking) -> None:
    page = asking.as_(None)
    assert page.get("/v1/members").status_code == 401
    assert page.get("/v1/members", headers=basic("m-key")).status_code == 200
    assert page.get("/v1/members", headers=basic("v-key")).status_code == 403
    body = {"lon": 121.205, "lat": 32.055, "channel": "hotline"}
    assert page.post("/v1/events", json=body, headers=basic("m-key")).status_code == 401
    assert page.post("/v1/members", json={"code": "x", "name": "x"}, headers=basic("d-key")).status_code == 401


@pytest.mark.parametrize("token", ["", "====", "bm90aGluZw==", "/w==", "Og=="])
def test_what_is_no_name_and_key_is_an_unknown_key(asking: Asking, token: str) -> None:
    assert asking.as_(None).get("/v1/grids", headers={"Authorization": f"Basic {token}"}).status_code == 401


@pytest.mark.parametrize("to", ["https://example.org/", "//example.org", "/\\example.org", "maps", "", "javascript:x"])
def test_nobody_is_led_to_another_site(asking: Asking, to: str) -> None:
    answer = asking.as_(None).get("/sign-in", params={"next": to}, headers=basic("m-key"), follow_redirects=False)
    assert answer.status_code == 400
