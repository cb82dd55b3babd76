"""The coverage page in Chromium: what stands in the headline, a real mouse on the slider and the list, patterns, empty towns."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import matplotlib.image
import numpy as np
import pytest
from shapely.affinity import translate

from maps.coverage import CoverageView, DayTrack, DuePlace, GridCoverage, Recency, StreetCoverage, render_html
from tests import browser
from tests.maps import covered
from tests.maps.drawn import AT
from tests.maps.test_coverage import wicked
from tests.maps.test_style import contrast

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    with browser.browser() as opened:
        yield opened


@pytest.fixture
def opened(chromium: Any, tmp_path: Path) -> Iterator[Callable[..., Any]]:
    """Opens a view from disk; after the test nothing was asked and nothing failed."""
    with browser.page(chromium) as (page, seen):

        def show(view: CoverageView, **how: Any) -> Any:
            (tmp_path / "map.html").write_text(render_html(view, "inline", **how), "utf-8")
            page.goto((tmp_path / "map.html").as_uri())
            return page

        yield show
        assert seen.outside() == []
        assert seen.errors == []


def spot(page: Any, x: float, y: float) -> tuple[float, float]:
    """Where on the screen a place of the drawn town stands."""
    lon, lat = covered.at(x, y)
    found = page.evaluate(
        "([lon, lat]) => { const p = gridbeat.page.map.latLngToContainerPoint([lat, lon]),"
        " b = gridbeat.page.map.getContainer().getBoundingClientRect(); return [b.left + p.x, b.top + p.y]; }",
        [lon, lat],
    )
    return float(found[0]), float(found[1])


def patch(page: Any, x: float, y: float, half: int = 10) -> np.ndarray:
    """The pixels round a place, (n, 3) of 0..255."""
    across, down = spot(page, x, y)
    clip = {"x": across - half, "y": down - half, "width": 2 * half, "height": 2 * half}
    image = matplotlib.image.imread(io.BytesIO(page.screenshot(clip=clip)), format="png")[..., :3]
    return np.round(image * 255).reshape(-1, 3)


# -- the headline ------------------------------------------------------------------------------------------------------


def test_the_headline_counts_the_unknown_apart(opened: Any) -> None:
    page = opened(covered.view())
    assert page.inner_text("#share") == "40.0 %"
    assert page.inner_text("#share-of") == "2 / 5 个网格"
    shown = {
        kind: page.inner_text(f".figure-{kind} b").strip()
        for kind in ("missed", "unknown", "none", "overdue", "oldest")
    }
    assert shown == {"missed": "3", "unknown": "1", "none": "1", "overdue": "1", "oldest": "20"}


@pytest.mark.parametrize(("width", "height", "least"), [(1600, 950, 48), (3840, 2160, 110)])
def test_the_share_is_large_enough_for_a_wall(
    chromium: Any, tmp_path: Path, width: int, height: int, least: int
) -> None:
    (tmp_path / "map.html").write_text(render_html(covered.view(), "inline"), "utf-8")
    with browser.page(chromium, width, height) as (page, _):
        page.goto((tmp_path / "map.html").as_uri())
        size = page.evaluate("parseFloat(getComputedStyle(document.getElementById('share')).fontSize)")
        assert size >= least  # 1/35 of the width: 3 cm on a screen of 1.2 m, read from 4 m
        assert page.evaluate("document.getElementById('headline').getBoundingClientRect().height") < 0.12 * height


@pytest.mark.parametrize(("width", "height"), [(1600, 950), (1024, 700), (390, 844), (3840, 2160)])
def test_the_page_fits_every_screen_and_the_map_is_beside_the_rest(
    chromium: Any, tmp_path: Path, width: int, height: int
) -> None:
    (tmp_path / "map.html").write_text(render_html(covered.view(lang="en"), "inline"), "utf-8")
    with browser.page(chromium, width, height) as (page, seen):
        page.goto((tmp_path / "map.html").as_uri())
        page.wait_for_function("() => gridbeat.page.labelled !== undefined")
        assert page.evaluate("document.documentElement.scrollWidth") == width
        sides = "(e) => { const b = e.getBoundingClientRect(); return [b.left, b.top, b.right, b.bottom]; }"
        boxes = {name: page.eval_on_selector(name, sides) for name in (".folium-map", "#headline", "#timebar")}
        (_, top, right, bottom), head, foot = boxes[".folium-map"], boxes["#headline"], boxes["#timebar"]
        assert abs(top - head[3]) <= 1
        assert abs(bottom - foot[1]) <= 1
        assert (right, foot[3]) == (width, height)
        assert bottom - top > 0.4 * height
        inside = page.evaluate("gridbeat.page.map.getBounds().contains(L.geoJSON(gridbeat.data.grids).getBounds())")
        assert inside
        assert seen.errors == []


# -- classes on the map ------------------------------------------------------------------------------------------------


def test_never_unknown_and_old_differ_without_colour(opened: Any) -> None:
    page = opened(covered.view(places=(), tracks=(), context=(), outlines=()))
    page.evaluate("document.querySelectorAll('.own-canvas').forEach((c) => c.remove())")
    grey = {
        name: patch(page, x, y) @ [0.299, 0.587, 0.114]
        for name, x, y in (("old", 1.5, 0.8), ("never", 1.5, 1.8), ("unknown", 1.5, 2.8), ("late", 0.5, 2.8), ("fresh", 0.5, 0.8))
    }  # fmt: skip
    marked = {name: float(values.std()) > 8 for name, values in grey.items()}
    assert marked == {"old": False, "never": True, "unknown": True, "late": True, "fresh": False}
    middle = {name: float(np.median(values)) for name, values in grey.items()}
    assert middle["never"] < 40 < middle["old"] < 90 < middle["late"] < 160 < middle["unknown"]
    assert middle["fresh"] > 210


def test_every_grid_with_room_says_its_age(opened: Any) -> None:
    page = opened(covered.view())
    assert page.evaluate("gridbeat.page.labelled") == 7
    said = page.evaluate("gridbeat.data.grids.features.map((f) => gridbeat.ageText(f.properties))")
    assert said == ["<1 天", "6 天", "9 天", "20 天", "从未", "不明", ""]


def test_the_legend_has_every_class_with_its_count(opened: Any) -> None:
    page = opened(covered.view(lang="en"))
    row = "(row) => [row.dataset.class, row.querySelector('.count').innerText]"
    rows = page.eval_on_selector_all("#legend [data-class]", f"all => all.map({row})")
    assert dict(rows) == {
        "fresh": "1", "half": "0", "cycle": "1", "late": "1", "old": "1", "never": "1", "unknown": "1", "none": "1"
    }  # fmt: skip
    text = page.inner_text("#legend")
    assert "overdue: 7–14 d" in text
    assert "unknown (nobody was tracked)" in text


def test_by_street_the_streets_have_the_classes(opened: Any) -> None:
    page = opened(covered.view(places=(), tracks=()))
    assert page.evaluate("gridbeat.page.map.hasLayer(gridbeat.page.groups.seen[0])") is False
    page.check("input[value=street]", force=True)
    assert page.evaluate("gridbeat.page.groups.seen.every((one) => gridbeat.page.map.hasLayer(one))")
    assert page.evaluate("gridbeat.page.map.hasLayer(gridbeat.page.groups.fill[0])") is False
    assert "1 km" in page.inner_text("#legend [data-class=never]")
    page.mouse.click(*spot(page, 0.4, 1.5))
    assert page.inner_text("#card h2") == "第1.5路"
    assert "9 天前" in page.inner_text("#card")


def test_a_page_opens_by_street_when_asked(opened: Any) -> None:
    page = opened(covered.view(), by="street")
    assert page.is_checked("input[value=street]")


# -- figures -----------------------------------------------------------------------------------------------------------


def test_a_click_on_a_grid_shows_numerators_and_denominators(opened: Any) -> None:
    page = opened(covered.view(places=(), tracks=()))
    page.mouse.click(*spot(page, 0.9, 2.9))
    card = page.inner_text("#card")
    for text in ("A3网格", "320699101002", "9 天前", "未按期走访", "3 / 4", "75.0 %", "45,590 / 45,600 m", "99.9 %"):
        assert text in card
    page.keyboard.press("Escape")
    assert page.query_selector("#card") is None


def test_the_pointer_over_a_grid_shows_its_figures(opened: Any) -> None:
    page = opened(covered.view(places=(), tracks=()))
    page.mouse.move(*spot(page, 1.9, 2.9))
    page.wait_for_selector("#hover")
    text = page.inner_text("#hover")
    for said in ("B3网格", "不明；已知最近一次在 12 天前", "50.0 %", "1 / 2"):
        assert said in text
    page.mouse.move(*spot(page, 2.9, 2.9))
    page.wait_for_selector("#hover", state="detached")


def test_on_a_wall_the_figures_stand_beside_the_pointer_and_the_card_within_the_map(
    chromium: Any, tmp_path: Path
) -> None:
    (tmp_path / "map.html").write_text(render_html(covered.view(places=(), tracks=()), "inline"), "utf-8")
    with browser.page(chromium, 3840, 2160) as (page, _):
        page.goto((tmp_path / "map.html").as_uri())
        for x in (0.9, 2.95):
            across, down = spot(page, x, 0.9)
            page.mouse.move(across, down)
            page.wait_for_timeout(100)
            box = page.locator("#hover").bounding_box()
            assert 0 <= box["x"] - across <= 40 or box["x"] + box["width"] <= 3840
            assert 0 <= box["y"] - down <= 40
        page.mouse.click(*spot(page, 0.9, 0.9))
        card, share = page.locator("#card").bounding_box(), page.locator("#headline").bounding_box()
        assert card["width"] > 700
        assert share["height"] < card["y"] < share["height"] + 60
        assert card["x"] + card["width"] <= 3840
        hidden = page.eval_on_selector("#card", "(card) => card.scrollHeight - card.clientHeight")
        assert hidden <= 1


def test_members_stand_on_the_card_and_nobody_is_left_blank(opened: Any) -> None:
    page = opened(covered.view(places=(), tracks=()))
    page.mouse.click(*spot(page, 0.9, 0.9))
    assert "王一" in page.inner_text("#card")
    page.mouse.click(*spot(page, 1.9, 0.9))
    assert "网格员" not in page.inner_text("#card")


# -- the list ----------------------------------------------------------------------------------------------------------


def test_a_click_in_the_list_flies_to_the_place(opened: Any) -> None:
    page = opened(covered.view())
    names = page.eval_on_selector_all("#overdue-list .name", "all => all.map((b) => b.textContent)")
    assert names == ["P1号楼", "P2号楼", "P3号楼"]
    box = page.locator("#overdue-list button").nth(1).bounding_box()
    page.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    lon, lat = covered.at(0.4, 0.75)
    page.wait_for_function(
        "([lon, lat]) => { const map = gridbeat.page.map, c = map.getCenter();"
        " return map.getZoom() >= 16.4 && Math.hypot(c.lng - lon, c.lat - lat) < 1e-4; }",
        arg=[lon, lat],
    )
    for text in ("P2号楼", "到期 2 天，情况不明", "2026-11-12 21:00", "A1网格"):
        assert text in page.inner_text("#card")


def test_states_of_places_differ_by_shape(opened: Any) -> None:
    page = opened(covered.view())
    shapes = page.evaluate(
        "['overdue', 'unknown', 'soon', 'due'].map((state) => { const c = document.createElement('canvas').getContext('2d');"
        " gridbeat.paintMark(c, state, 50, 50, 20); const d = c.getImageData(0, 0, 100, 100).data;"
        " return Array.from({ length: 10000 }, (_, i) => (d[4 * i + 3] > 128 ? 1 : 0)).join('') + ':' + d[4 * (50 * 100 + 50)]; })"
    )
    assert len(set(shapes)) == 4
    outlines = [shape.split(":")[0] for shape in shapes]
    assert outlines[0] != outlines[1]
    full, empty = (int(shapes[i].split(":")[1]) for i in (0, 2))
    assert (full < 150, empty > 240) == (True, True)  # one triangle is full, the other is not


def test_the_list_is_filtered_and_walked_by_keyboard(opened: Any) -> None:
    page = opened(covered.view())
    page.focus("#overdue-list button")
    page.keyboard.press("ArrowDown")
    assert page.evaluate("document.activeElement.dataset.place") == "P2"
    page.keyboard.press("Enter")
    assert page.inner_text("#card h2") == "P2号楼"
    page.check("input[name=due][value=soon]", force=True)
    assert page.eval_on_selector_all("#overdue-list [data-place]", "all => all.map((b) => b.dataset.place)") == ["P3"]
    assert "32 %" in page.inner_text("#overdue-list")


def test_a_long_list_is_shown_by_parts_and_loses_none(opened: Any) -> None:
    many = [replace(covered.places()[0], code=f"P{i}", name=f"{i}号") for i in range(150)]
    page = opened(covered.view(places=many))
    counts = []
    for _ in range(3):
        counts.append(page.locator("#overdue-list li").count())
        if page.is_visible("#more"):
            page.click("#more")
    assert counts == [60, 120, 150]
    assert not page.is_visible("#more")


def test_a_click_on_a_place_on_the_map_opens_its_card(opened: Any) -> None:
    page = opened(covered.view(tracks=()))
    page.mouse.click(*spot(page, 0.25, 0.75))
    assert page.inner_text("#card h2") == "P1号楼"
    assert "自有轨迹以来未到" in page.inner_text("#card")


# -- tracks ------------------------------------------------------------------------------------------------------------


def slide(page: Any, share: float) -> None:
    """A real mouse takes the slider's thumb and leaves it at a share of its way."""
    box = page.locator("#slider").bounding_box()
    thumb = 8.0
    now = page.evaluate(
        "(() => { const s = document.getElementById('slider'); return (s.value - s.min) / (s.max - s.min); })()"
    )
    across, down = box["width"] - 2 * thumb, box["y"] + box["height"] / 2
    page.mouse.move(box["x"] + thumb + now * across, down)
    page.mouse.down()
    page.mouse.move(box["x"] + thumb + share * across, down, steps=5)
    page.mouse.up()


def test_the_slider_moves_the_members(opened: Any) -> None:
    page = opened(covered.view())
    slide(page, 1 / 6)  # of 8:00 to 11:00
    assert abs(page.evaluate("gridbeat.page.time.at") - 8.5 * 3600) <= 120
    page.evaluate("gridbeat.page.time.set(8.5 * 3600)")
    assert page.inner_text("#clock") == "08:30"
    dots = dict(page.evaluate("gridbeat.page.time.dots.map(([t, x, y]) => [t.member, [x, y]])"))
    box = page.evaluate(
        "(() => { const b = gridbeat.page.map.getContainer().getBoundingClientRect(); return [b.left, b.top]; })()"
    )
    for member, place in (("M1", (0.5, 0.2)), ("M2", (1.5, 0.5))):
        assert np.hypot(*(np.array(dots[member]) + box - spot(page, *place))) < 1.5
    assert page.inner_text("#count") == "2 人位置已知，0 人暂无定位"


def test_the_slider_obeys_the_keyboard(opened: Any) -> None:
    page = opened(covered.view())
    page.evaluate("gridbeat.page.time.set(9 * 3600)")
    page.focus("#slider")
    page.keyboard.press("ArrowRight")
    assert page.inner_text("#clock") == "09:01"
    assert page.get_attribute("#slider", "aria-valuetext") == "09:01"


def test_a_gap_is_not_joined(opened: Any) -> None:
    page = opened(covered.view(places=(), context=(), outlines=()))
    page.evaluate("gridbeat.page.time.set(9.25 * 3600)")
    known = dict(page.evaluate("gridbeat.page.time.dots.map(([t, x, y, here]) => [t.member, here.known])"))
    assert known == {"M1": False, "M2": True}
    page.evaluate("gridbeat.page.time.set(9.75 * 3600)")
    assert page.evaluate("gridbeat.page.time.dots.map(([t]) => t.member)") == ["M2"]
    page.select_option("#member", "M1")
    page.wait_for_timeout(1200)  # the flight
    page.evaluate("gridbeat.page.zoomToAll(false)")
    ink = (
        "([lon, lat]) => { const p = gridbeat.page.map.latLngToContainerPoint([lat, lon]),"
        " c = document.querySelector('.leaflet-tracks-pane canvas').getContext('2d'),"
        " d = c.getImageData(Math.round(p.x) - 3, Math.round(p.y) - 3, 7, 7).data; return d.some((v) => v > 0); }"
    )
    ways = {"first piece": (0.5, 0.2), "second piece": (0.5, 2.2), "between": (0.5, 1.2)}
    drawn = {name: page.evaluate(ink, covered.at(*way)) for name, way in ways.items()}
    assert drawn == {"first piece": True, "second piece": True, "between": False}


def test_play_goes_on_until_it_is_paused(opened: Any) -> None:
    page = opened(covered.view())
    page.evaluate("gridbeat.page.time.set(8 * 3600)")
    page.click("#play")
    page.wait_for_function("() => gridbeat.page.time.at > 8.1 * 3600")
    assert page.get_attribute("#play", "aria-label") == "暂停"
    page.click("#play")
    at = page.evaluate("gridbeat.page.time.at")
    page.wait_for_timeout(150)
    assert page.evaluate("gridbeat.page.time.at") == at < 11 * 3600


def test_a_click_on_a_dot_says_who_it_is(opened: Any) -> None:
    page = opened(covered.view(places=()))
    page.evaluate("gridbeat.page.time.set(8.5 * 3600)")
    page.mouse.click(*spot(page, 1.5, 0.5))
    assert page.inner_text("#card h2") == "李二"
    assert "08:30 的位置" in page.inner_text("#member-at")
    assert page.input_value("#member") == "M2"
    page.mouse.click(*spot(page, -0.3, 1.5))
    assert page.query_selector("#card") is None
    assert page.input_value("#member") == ""


def test_the_page_opens_at_the_instant_shown_where_it_is_of_that_day(opened: Any) -> None:
    assert opened(covered.view()).inner_text("#clock") == "09:00"
    other = covered.view(day=covered.DAY.replace(day=20))
    assert opened(other).inner_text("#clock") == "10:00"  # of 8 to 9 and 10 to 11, when both are known, the middle


# -- language, empty, wrong --------------------------------------------------------------------------------------------


def test_the_language_changes_in_place(opened: Any) -> None:
    page = opened(covered.view())
    page.mouse.click(*spot(page, 0.9, 2.9))
    page.click("#language")
    assert page.inner_text("#share-of") == "2 of 5 grids"
    assert "9 days ago" in page.inner_text("#card")
    assert page.inner_text("#tracks-of") == "Tracks of 2026-11-22"
    for chinese in ("网格员", "逾期", "天"):
        texts = page.inner_text("#panel") + page.inner_text("#timebar") + page.inner_text("#headline")
        assert chinese not in texts
    page.click("#language")
    assert page.inner_text("#share-of") == "2 / 5 个网格"


def test_without_evidence_everything_is_unknown_and_it_says_what_to_load(opened: Any) -> None:
    page = opened(covered.unseen())
    assert page.inner_text("#share") == "–"
    assert page.inner_text(".figure-unknown b").strip() == "6"
    assert "gridbeat load fixes FILE --commit" in page.inner_text("#noevidence")
    assert "gridbeat load streets FILE --commit" in page.inner_text("#nostreets")
    assert page.is_disabled("input[value=street]")
    assert "gridbeat load places FILE --commit" in page.inner_text("#noplaces")
    assert "没有可显示的轨迹" in page.inner_text("#notes")
    assert page.query_selector("#timebar") is None
    assert page.evaluate("gridbeat.page.labelled") == 7


def test_with_evidence_nothing_of_the_kind_is_said(opened: Any) -> None:
    page = opened(covered.view())
    assert page.query_selector("#noevidence, #nostreets, #noplaces, #notes") is None


def test_when_all_is_in_time_the_list_says_so(opened: Any) -> None:
    page = opened(covered.view(places=covered.places()[3:]))
    assert page.inner_text("#clear") == "没有逾期，也没有将逾期的必访点"


def test_no_grids_says_how_to_load_some(opened: Any) -> None:
    bare = CoverageView([], begin=AT, end=AT, at=AT, parameters={"revisit_days": 7.0})
    page = opened(bare)
    assert "gridbeat load grids" in page.inner_text(".state-empty")
    page.click("#language")
    assert "No grids are loaded yet" in page.inner_text(".state-empty")


def test_broken_data_is_said_on_the_page(chromium: Any, tmp_path: Path) -> None:
    whole = render_html(covered.view(), "inline").replace('"grids":{', '"grids":[{', 1)
    (tmp_path / "broken.html").write_text(whole, "utf-8")
    with browser.page(chromium) as (page, seen):
        page.goto((tmp_path / "broken.html").as_uri())
        assert page.inner_text(".state-error h1")
        assert len(seen.errors) == 1


def test_wicked_names_stay_text(opened: Any) -> None:
    page = opened(wicked())
    page.on("dialog", lambda dialog: pytest.fail(f"a script ran: {dialog.message}"))
    page.click("#overdue-list button")
    assert "onerror=alert(2)" in page.inner_text("#card")
    page.evaluate("gridbeat.page.choose(gridbeat.data.grids.features[0])")
    assert page.inner_text("#card h2").startswith("</script><script>alert(1)")
    page.select_option("#member", "M1")
    assert page.query_selector("img[src='x']") is None


def test_the_search_finds_a_grid(opened: Any) -> None:
    page = opened(covered.view())
    page.fill("#search", "B2")
    page.keyboard.press("Enter")
    assert page.inner_text("#card h2") == "B2网格"
    assert "从未到过" in page.inner_text("#card")


# -- size --------------------------------------------------------------------------------------------------------------


def city(side: int = 30) -> CoverageView:
    """900 grids, 3,000 pieces of street, 900 places, 200 members with 100 fixes each."""
    rng = np.random.default_rng(1)
    kinds = [Recency("seen", 2.0), Recency("seen", 9.0), Recency("never"), Recency("unknown")]
    squares = [(i % side, i // side) for i in range(side * side)]
    grid, street, place = covered.grids()[0].geometry, covered.streets()[0].geometry, covered.places()[0]

    def moved(shape: Any, x: float, y: float) -> Any:
        return translate(shape, x * covered.SIDE, y * covered.SIDE)

    def walk() -> list[Any]:
        way = np.cumsum(rng.normal(0, 1e-4, (100, 2)), axis=0) + covered.at(*rng.uniform(0, side, 2))
        return [np.column_stack([30_000 + 60.0 * np.arange(100), way])]

    return covered.view(
        grids=[
            GridCoverage(f"{i:05d}", f"{i}", moved(grid, x, y), "", kinds[i % 4], "visited", {})
            for i, (x, y) in enumerate(squares)
        ],
        streets=[
            StreetCoverage("路", moved(street, *rng.uniform(0, side, 2)), 1000.0, kinds[i % 4]) for i in range(3000)
        ],
        places=[
            DuePlace(f"P{i}", "", f"{i}", *covered.at(x, y), None, None, place.due, "overdue")
            for i, (x, y) in enumerate(squares)
        ],
        tracks=[DayTrack(f"M{i}", f"{i}", None, walk()) for i in range(200)],
        outlines=(),
    )


def test_a_city_is_drawn_on_canvases_without_an_element_a_feature(opened: Any) -> None:
    page = opened(city())
    assert page.evaluate("document.getElementById('map_gridbeat').querySelectorAll('*').length") < 60
    assert page.evaluate("document.querySelectorAll('#panel *').length") < 700
    assert page.evaluate("gridbeat.page.groups.seen.length") < 16
    assert page.evaluate("gridbeat.page.time.dots.length") == 200


def test_the_time_of_day_costs_less_than_the_map(opened: Any) -> None:
    page = opened(city())
    spent = "(act) => { const begin = performance.now(); for (let i = 0; i < 10; i++) act(i); return performance.now() - begin; }"
    moving = page.evaluate(f"({spent})((i) => gridbeat.page.time.set(30000 + 300 * i))")
    drawing = page.evaluate(f"({spent})((i) => gridbeat.page.show(i % 2 ? 'grid' : 'street'))")
    assert moving < drawing


def test_small_texts_of_the_page_are_readable(opened: Any) -> None:
    page = opened(covered.view())
    found = page.evaluate(
        "[...document.querySelectorAll('.quiet, .due .when, .count, #timebar span, .key')].map((e) => getComputedStyle(e).color)"
    )
    colours = {"#{:02x}{:02x}{:02x}".format(*(int(v) for v in text[4:-1].split(","))) for text in found}
    assert colours
    assert min(contrast(colour, "#ffffff") for colour in colours) >= 4.5


def test_what_a_caller_may_not_see_is_told_from_what_is_not_there(opened: Any) -> None:
    page = opened(covered.view(places=(), tracks=(), withheld=("places", "tracks")))
    assert page.locator("#withheld-places").count() == page.locator("#withheld-tracks").count() == 1
    assert page.locator("#noplaces").count() == 0
    assert page.locator("a.signin").count() == 0  # a file on a disk has nobody to ask


def test_a_served_page_leads_to_signing_in(opened: Any) -> None:
    page = opened(covered.view(places=(), withheld=("places",)))
    page.evaluate("() => { gridbeat.data.served = true; }")
    link = page.evaluate("() => gridbeat.withheld('places').querySelector('a').getAttribute('href')")
    assert link.startswith("/sign-in?next=%2F")
