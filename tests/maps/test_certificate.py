"""The certificate of a cycle: its figures add up, unknown stands apart, nothing is lost on further pages, and it prints."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gis.errors import ParameterInvalid
from gis.shares import Share
from maps import base, certificate, certificatesheet, words
from maps.certificate import CertificateView, GridRow, OldestPlace, render_html, render_pdf
from maps.glyphs import Glyphs, outline
from tests import browser
from tests.maps.drawn import AT
from tests.maps.test_base import addresses
from tests.maps.test_grids import WICKED, Tags

#: Three grids: all on time; one late of three known, one unknown; nothing to visit. 5 of 6 known, 1 of 7 unknown.
ROWS = (
    GridRow("320699101001001", "甲村第1网格", 3, 3, 0, 0, 6.5),
    GridRow("320699101001002", "甲村第2网格", 4, 2, 1, 1, None, never=True),
    GridRow("320699101001003", "320699101001003", 0, 0, 0, 0),
)
OLDEST = OldestPlace("P7", "7号楼", "甲村第2网格", AT - timedelta(days=31.5), 31.5)


def view(**changes: Any) -> CertificateView:
    parts: dict[str, Any] = {
        "begin": AT - timedelta(days=7), "end": AT, "layer": "general", "generation": 3,
        "on_time": Share("on_time", "places", 5, 6), "unknown": Share("unknown", "places", 1, 7), "oldest": OLDEST,
        "counts": {"visited": 5, "missed": 1, "unknown": 1}, "rows": ROWS,
        "parameters": {"revisit_days": 7.0, "layer": "general", "tracked_min": 0.8, "own_rule": "x"},
        "town": "示范镇", "made": AT,
    }  # fmt: skip
    return CertificateView(**(parts | changes))


def many(number: int) -> list[GridRow]:
    return [GridRow(f"G{i:05d}", f"第{i}网格", 4, 2, 1, 1, 9.0) for i in range(number)]


# -- what is said ------------------------------------------------------------------------------------------------------


def test_the_three_figures_are_those_of_the_cycle() -> None:
    assert certificate.headline(view()) == [
        ("on_time", "83.3 %", "5 / 6"),
        ("unknown", "14.3 %", "1 / 7"),
        ("oldest", "31 天 31 days", "7号楼\nP7 · 甲村第2网格\n2026-10-21 21:00 +08:00"),
    ]


def test_a_cycle_in_which_nothing_is_known_has_no_share_of_zero() -> None:
    blind = view(on_time=Share("", "", 0, 0), unknown=Share("", "", 7, 7), oldest=None)
    assert [large for _, large, _ in certificate.headline(blind)] == ["n/a", "100.0 %", "–"]


def test_a_place_that_was_never_visited_is_the_oldest_without_an_age() -> None:
    large, below = certificate.oldest(view(oldest=replace(OLDEST, last=None, age_days=None)))
    assert large == "从未 never"
    assert "not visited since the evidence begins" in below


def test_the_share_of_a_grid_is_of_its_known_places() -> None:
    assert [certificate.cells(row)[2:] for row in ROWS] == [
        ["3", "3", "0", "0", "100.0 %", "6"],
        ["4", "2", "1", "1", "66.7 %", "从未 never"],
        ["0", "0", "0", "0", "n/a", "–"],
    ]


def test_every_state_is_counted_also_without_any() -> None:
    assert [number for _, number in certificate.counted(view())] == ["5", "1", "1", "0"]


def test_figures_that_do_not_add_up_are_refused() -> None:
    with pytest.raises(ParameterInvalid):
        GridRow("G", "G", 4, 2, 1, 0)
    with pytest.raises(ParameterInvalid):
        GridRow("G", "G", 1, 2, -1, 0)
    with pytest.raises(ParameterInvalid):
        view(on_time=Share("on_time", "places", 5, 7))


# -- the page ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("assets", ["static", "inline"])
def test_the_page_names_no_outside_address(assets: base.Assets) -> None:
    assert addresses(render_html(view(), assets)) == []


def test_the_page_says_all_in_both_languages() -> None:
    page = re.sub(r"<[^>]+>", " ", render_html(view(), "inline"))
    for text in (
        "示范镇",
        "83.3 %",
        "5 / 6",
        "14.3 %",
        "31 天 31 days",
        "综合网格 General grids",
        "own_rule",
        "甲村第2网格",
        "Checked",
    ):
        assert text in page
    for key in ("on_time", "unknown", "oldest", "signed.approved", "rows", "parameters"):
        for lang in ("zh", "en"):
            assert words.word(f"certificate.{key}", lang) in page, key


def test_wicked_names_add_no_element() -> None:
    nasty = view(
        town=WICKED, notes=(WICKED,), parameters={"revisit_days": 7.0, WICKED: WICKED},
        rows=[replace(row, code=WICKED, name=WICKED) for row in ROWS], oldest=replace(OLDEST, name=WICKED, code=WICKED, grid=WICKED),
    )  # fmt: skip
    plain = view(town="x", notes=("x",), parameters={"revisit_days": 7.0, "y": "x"}, rows=ROWS)
    tags, others = (Tags(render_html(one, "inline")).found for one in (nasty, plain))
    assert [tag for tag, _ in tags] == [tag for tag, _ in others]


@pytest.mark.browser
def test_the_page_prints_on_a4_with_the_signatures_on_the_first_page(tmp_path: Path) -> None:
    (tmp_path / "c.html").write_text(render_html(view(rows=many(90)), "inline"), "utf-8")
    with browser.browser() as chromium, browser.page(chromium, 390, 844) as (page, seen):
        page.goto((tmp_path / "c.html").as_uri())
        assert page.evaluate("document.documentElement.scrollWidth") == 390
        printed = page.pdf(prefer_css_page_size=True)
        page.emulate_media(media="print")
        assert not page.is_visible("button")
        page.set_viewport_size({"width": 680, "height": 1000})  # 180 mm, as wide as the paper between its margins
        assert page.evaluate("document.querySelector('.signed').getBoundingClientRect().bottom") < 1000  # of 265 mm
        assert (seen.outside(), seen.errors) == ([], [])
    sizes = {
        tuple(round(float(x) / 72 * 25.4) for x in m)
        for m in re.findall(rb"/MediaBox \[0 0 ([\d.]+) ([\d.]+)\]", printed)
    }
    assert sizes == {(210, 297)}
    assert len(re.findall(rb"/Type /Page\b(?!s)", printed)) in {3, 4}


# -- the PDF -----------------------------------------------------------------------------------------------------------


def test_the_pdf_is_a4_and_equal_views_give_equal_bytes() -> None:
    one, other = render_pdf(view()), render_pdf(view())
    assert one == other
    width, height = map(float, re.search(rb"/MediaBox \[ ?0 0 ([\d.]+) ([\d.]+)", one).groups())  # type: ignore[union-attr]
    assert (round(width / 72 * 25.4), round(height / 72 * 25.4)) == (210, 297)
    assert one.count(b"/Type /Page /Parent") == 2


def test_a_long_table_goes_on_over_further_pages_and_loses_no_row() -> None:
    pages = certificatesheet.table_pages(3000)
    assert (pages[0], pages[-1], len(pages)) == ((0, 46), (2990, 3000), 66)
    assert all(end == begin for (_, end), (begin, _) in pairwise(pages))
    assert certificatesheet.table_pages(0) == []
    assert render_pdf(view(rows=many(100))).count(b"/Type /Page /Parent") == 4


def test_signs_without_an_outline_are_no_fault() -> None:
    rows = [replace(ROWS[0], name="甲\u200b 村\u3000$x_1$", code="")]
    assert render_pdf(view(rows=rows, town="50$ $", notes=("$",))).startswith(b"%PDF")


# -- outlines ----------------------------------------------------------------------------------------------------------


def test_a_text_of_outlines_is_as_wide_as_the_font_says() -> None:
    from matplotlib.font_manager import FontProperties
    from matplotlib.textpath import text_to_path

    from maps.picture import font_family

    text = "第12网格 3.4 %"
    wanted = text_to_path.get_text_width_height_descent(
        text, FontProperties(family=font_family(), size=8.0), ismath=False
    )[0]
    assert sum(outline(sign, 8.0)[1] for sign in text) == pytest.approx(wanted * 25.4 / 72, rel=0.03)


def test_a_text_may_end_where_it_is_said() -> None:
    written = Glyphs(8.0, "k")
    written.add(10.0, 5.0, "12", right=True)
    written.add(10.0, 5.0, "8 8")
    digit = outline("1", 8.0)[1]
    assert written.places["1"][0][0] == pytest.approx(10.0 - 2 * digit)
    assert [x for x, _ in written.places["8"]] == pytest.approx([10.0, 10.0 + digit + outline(" ", 8.0)[1]])
    assert " " not in written.places


def test_an_outline_is_as_high_as_a_digit_is_in_print() -> None:
    shape, _ = outline("8", 10.0)
    height = float(np.ptp(shape.vertices[:, 1]))
    assert 2.2 < height < 2.9  # millimetres: 0.63 to 0.82 of ten points


def test_every_word_of_the_certificate_is_used() -> None:
    sources = "".join(
        (Path(certificate.__file__).parent / f"{name}.py").read_text("utf-8")
        for name in ("certificate", "certificatesheet")
    )
    composed = {"certificate.signed." + key for key in certificate.SIGNED} | {
        f"certificate.{key}" for key, _ in certificate.COLUMNS
    }
    composed |= {f"certificate.count.{state}" for state in certificate.COUNTED}
    composed |= {f"certificate.{key}" for key, _, _ in certificate.headline(view())}
    keys = [key for key in words.MESSAGES if key.startswith("certificate.")]
    assert [
        key for key in keys if f'"{key}"' not in sources and f"'{key}'" not in sources and key not in composed
    ] == []
    assert composed <= set(keys)
