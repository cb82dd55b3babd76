"""The pages in Chromium: no request leaves, no error, and what a dispatcher does works."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from api.docs_page import docs_html
from maps import base
from maps.grids import GridsView, render_error, render_html
from tests import browser
from tests.maps import drawn
from tests.maps.test_grids import WICKED

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    with browser.browser() as opened:
        yield opened


@pytest.fixture
def opened(chromium: Any, tmp_path: Path) -> Iterator[Any]:
    """Opens a view from disk; after the test nothing was asked and nothing failed."""
    with browser.page(chromium) as (page, seen):

        def show(view: GridsView) -> Any:
            (tmp_path / "map.html").write_text(render_html(view, "inline"), "utf-8")
            page.goto((tmp_path / "map.html").as_uri())
            return page

        yield show
        assert seen.outside() == []
        assert seen.errors == []


def badges(page: Any) -> dict[str, int]:
    return dict(page.eval_on_selector_all(".chip[data-key]", "all => all.map(b => [b.dataset.key, +b.dataset.n])"))


def test_every_grid_with_reports_has_one_badge_with_its_count(opened: Any) -> None:
    page = opened(drawn.view())
    counted = {key: n for key, n in badges(page).items() if n}
    assert counted == {"320699101001001": 3, "320699101900001": 2, "320699101002003": 1}
    assert page.inner_text("#count-unassigned") == "3"
    assert page.inner_text("#count-unplaced") == "1"


def test_far_out_badges_are_summed_and_lose_nothing(opened: Any) -> None:
    page = opened(drawn.view())
    for zoom in (13, 12, 11, 8):
        page.evaluate(f"gridbeat.page.map.setZoom({zoom}, {{animate: false}}) && 0")
        assert sum(badges(page).values()) == 6, zoom
    assert page.get_attribute(".leaflet-labels-pane", "data-by") == "square"


def test_zoomed_in_single_reports_are_drawn(opened: Any) -> None:
    page = opened(drawn.view())
    page.evaluate("gridbeat.page.map.setView([32.055, 121.205], 16, {animate: false}) && 0")
    assert page.get_attribute(".leaflet-labels-pane", "data-singles") == "3"


def test_a_search_by_code_opens_the_card(opened: Any) -> None:
    page = opened(drawn.view())
    page.fill("#search", "320699101002003")
    page.keyboard.press("Enter")
    card = page.inner_text("#card")
    for text in ("乙村第3网格", "320699101002003", "示范区 > 示范镇 > 乙村", "1.04 km²", "372", "王一"):
        assert text in card
    page.keyboard.press("Escape")
    assert page.query_selector("#card") is None


def test_a_click_finds_the_dedicated_grid_and_those_below(opened: Any) -> None:
    page = opened(drawn.view())
    spot = page.evaluate(
        "(() => { const p = gridbeat.page.map.latLngToContainerPoint([32.0685, 121.2085]); return [p.x, p.y]; })()"
    )
    page.mouse.click(320 + spot[0], spot[1])
    assert page.inner_text("#card h2") == "市场"
    assert "甲村第2网格" in page.inner_text("#card .others")


def test_unknown_households_are_called_unknown(opened: Any) -> None:
    page = opened(drawn.view(lang="en"))
    page.fill("#search", "320699101001001")
    page.keyboard.press("Enter")
    assert "unknown" in page.inner_text("#card")


def test_the_language_changes_in_place(opened: Any) -> None:
    page = opened(drawn.view())
    assert "第 3 版" in page.inner_text("#generation")
    page.click("#language")
    assert "Generation 3" in page.inner_text("#generation")
    assert "Community and village borders" in page.inner_text("#panel")


def test_the_whole_area_is_one_click_away(opened: Any) -> None:
    page = opened(drawn.view())
    page.evaluate("gridbeat.page.map.setView([32.055, 121.205], 17, {animate: false}) && 0")
    page.click("#whole")
    page.wait_for_function("gridbeat.page.map.getBounds().contains([[32.05, 121.2], [32.08, 121.22]])")


def test_a_layer_can_be_hidden_with_its_badges(opened: Any) -> None:
    page = opened(drawn.view())
    page.uncheck('[data-show="layer.dedicated"]')
    assert "320699101900001" not in badges(page)


def test_wicked_names_stay_text(opened: Any) -> None:
    name = WICKED.replace("{1}", "")
    page = opened(drawn.view(grids=drawn.grids(name), reports=drawn.reports(WICKED), title=WICKED))
    page.on("dialog", lambda dialog: pytest.fail(f"a script ran: {dialog.message}"))
    page.fill("#search", "320699101001001")
    page.keyboard.press("Enter")
    assert page.inner_text("#card h2").startswith("</script><script>alert(1)")
    page.evaluate("gridbeat.reportCard(gridbeat.page, 0) && 0")
    assert "onerror=alert(2)" in page.inner_text("#card")
    assert page.query_selector("img[src='x']") is None


def test_a_cap_is_said_and_counts_stay(opened: Any) -> None:
    page = opened(drawn.view(single_cap=4))
    assert "4" in page.inner_text("#notes")
    assert page.inner_text("#count-total") == "9"
    assert sum(badges(page).values()) == 6


def test_no_grids_says_how_to_load_some(opened: Any) -> None:
    page = opened(GridsView([]))
    assert "gridbeat load grids" in page.inner_text(".state-empty")


def test_broken_data_is_said_on_the_page(chromium: Any, tmp_path: Path) -> None:
    whole = render_html(drawn.view(), "inline").replace('"grids":{', '"grids":[{', 1)
    (tmp_path / "broken.html").write_text(whole, "utf-8")
    with browser.page(chromium) as (page, seen):
        page.goto((tmp_path / "broken.html").as_uri())
        assert page.inner_text(".state-error h1")
        assert len(seen.errors) == 1


def test_an_error_page_asks_nothing(chromium: Any, tmp_path: Path) -> None:
    (tmp_path / "error.html").write_text(render_error("数据库没有应答", assets="inline"), "utf-8")
    with browser.page(chromium) as (page, seen):
        page.goto((tmp_path / "error.html").as_uri())
        assert "数据库没有应答" in page.inner_text(".state-error")
        assert (seen.outside(), seen.errors) == ([], [])


@pytest.mark.parametrize(("width", "height"), [(1920, 1080), (1366, 768), (390, 844)])
def test_the_linked_page_fits_every_screen(chromium: Any, tmp_path: Path, width: int, height: int) -> None:
    (tmp_path / "map.html").write_text(render_html(drawn.view()), "utf-8")
    with (
        browser.server(tmp_path, tuple(base.static_routes())) as address,
        browser.page(chromium, width, height) as (page, seen),
    ):
        page.goto(f"{address}/map.html")
        page.wait_for_selector(".chip")
        assert page.evaluate("document.documentElement.scrollWidth") == width
        assert (seen.outside(address), seen.errors) == ([], [])


def test_the_api_page_works_offline(chromium: Any, tmp_path: Path) -> None:
    api = {
        "openapi": "3.1.0",
        "info": {"title": "T", "version": "1"},
        "paths": {"/v1/locate": {"get": {"summary": "whose is it", "responses": {}}}},
    }
    (tmp_path / "openapi.json").write_text(json.dumps(api))
    (tmp_path / "docs.html").write_text(docs_html(), "utf-8")
    with browser.server(tmp_path, tuple(base.static_routes())) as address, browser.page(chromium) as (page, seen):
        page.goto(f"{address}/docs.html")
        page.wait_for_selector(".opblock")
        assert "/v1/locate" in page.inner_text("#swagger-ui").replace("\u200b", "")
        assert (seen.outside(address), seen.errors) == ([], [])
