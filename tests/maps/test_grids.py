"""The grids page as HTML: complete, the same every time, and no text of a citizen becomes code."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser

import pytest

from maps import base
from maps.grids import GridsView, render_error, render_html
from tests.maps import drawn
from tests.maps.test_base import addresses

WICKED = "</script><script>alert(1)</script>\"'`${1}<img src=x onerror=alert(2)>&lt;\u2028<!--"


class Tags(HTMLParser):
    """Every start tag with its attributes."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))


def data_of(page: str) -> dict[str, object]:
    found = re.search(r'<script type="application/json" id="gridbeat-data">(.*?)</script>', page, re.S)
    assert found
    return json.loads(found[1])


@pytest.mark.parametrize("assets", ["static", "inline"])
def test_the_page_names_no_outside_address(assets: base.Assets) -> None:
    assert addresses(render_html(drawn.view(), assets)) == []


@pytest.mark.parametrize("assets", ["static", "inline"])
def test_a_wicked_text_adds_no_element(assets: base.Assets) -> None:
    wicked = drawn.view(
        grids=drawn.grids(WICKED.replace("{1}", "")), reports=drawn.reports(WICKED), title=WICKED, notes=(WICKED,)
    )
    plain = drawn.view(title="x", notes=("x",))
    tags = Tags(render_html(wicked, assets)).found
    assert [tag for tag, _ in tags] == [tag for tag, _ in Tags(render_html(plain, assets)).found]
    assert not [name for _, attributes in tags for name in attributes if name.startswith("on")]


def test_a_wicked_text_arrives_unchanged() -> None:
    data = data_of(render_html(drawn.view(reports=drawn.reports(WICKED), title=WICKED)))
    assert data["title"] == WICKED
    assert data["reports"]["note"][0] == WICKED


def test_an_error_text_is_escaped() -> None:
    page = render_error(WICKED, "en")
    assert "<img" not in page
    assert "&lt;img src=x" in page


def test_equal_views_give_equal_pages() -> None:
    assert render_html(drawn.view()) == render_html(drawn.view())


def test_every_linked_file_is_served() -> None:
    routes = dict(base.static_routes())
    links = [
        a.get("src") or a.get("href") for tag, a in Tags(render_html(drawn.view())).found if tag in {"script", "link"}
    ]
    own = [link.partition("?")[0] for link in links if link and not link.startswith("data:")]
    assert len(own) == 8
    for link in own:
        prefix = next(prefix for prefix in routes if link.startswith(prefix))
        assert (routes[prefix] / link.removeprefix(prefix + "/")).is_file()


def test_an_inline_page_links_to_nothing() -> None:
    links = [a.get("src") or a.get("href") for _, a in Tags(render_html(drawn.view(), "inline")).found]
    assert [link for link in links if link and not link.startswith("data:")] == []


def test_the_reader_may_zoom_and_the_language_is_said() -> None:
    page = render_html(drawn.view(lang="en"))
    assert '<html lang="en">' in page
    assert "user-scalable" not in page


def test_a_town_without_grids_is_a_page_too() -> None:
    assert data_of(render_html(GridsView([])))["grids"] == {"type": "FeatureCollection", "features": []}
