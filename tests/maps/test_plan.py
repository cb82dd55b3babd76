"""The map of a plan: what changed is told, drawn and counted; as a page and as an A3 sheet."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Iterator
from dataclasses import replace
from itertools import count
from typing import Any

import matplotlib.image
import numpy as np
import pytest
from shapely.geometry import LineString

from gis.impact import impact
from gis.loads import event_load
from gis.operations import parse_operation
from gis.partition import Boundaries
from gis.redraw import Redrawn, redraw_all
from gis.supersede import receive_all
from maps import plan, plansheet, plantable, style
from maps.grids import ContextShape
from maps.plan import Change, MovedEvents, PlanView, border_changes, plan_payload, render_html, render_pdf, render_png
from maps.planview import plan_view
from tests import browser
from tests.maps.drawn import AT
from tests.maps.test_style import SEEN_BY, lab, linear
from tests.town import STEP, drawn, place

#: One letter is about 9,989 m2. B goes to A but for its eastern half; C and D become one; E is called otherwise.
PLAN = """
    AABBCC
    AABBDD
    EEEEEE
"""
LETTER_M2 = 9_989.0


def before() -> Boundaries:
    numbers = count()
    village = drawn("VVVVVV\n" * 3, level="community", codes={"V": "320699101001"}, names={"V": "甲村"})
    codes = {letter: f"32069910100100{i}" for i, letter in enumerate("ABCDE", start=1)}
    names = {letter: f"第{i}网格" for i, letter in enumerate("ABCDE", start=1)}
    grids = drawn(PLAN, codes=codes, names=names, parents=dict.fromkeys("ABCDE", "320699101001"))
    done = receive_all(Boundaries(0, ()), [village, grids], lambda: f"u{next(numbers)}")
    return replace(done, generation=3)


def square(west: float, south: float, east: float, north: float) -> dict[str, Any]:
    (a, b), (c, d) = place(west, south), place(east, north)
    return {"type": "Polygon", "coordinates": [[[a, b], [c, b], [c, d], [a, d], [a, b]]]}


OPERATIONS = (
    {"op": "transfer", "from": "320699101001002", "to": "320699101001001", "area": square(1, 1, 3, 4)},
    {"op": "merge", "grids": ["320699101001003", "320699101001004"], "code": "320699101001009", "name": "合并"},
    {"op": "rename", "grid": "320699101001005", "name": "河南网格"},
)


def after(state: Boundaries) -> Redrawn:
    numbers = count()
    return redraw_all(state, [parse_operation(one) for one in OPERATIONS], new_uid=lambda: f"n{next(numbers)}")


def view(**more: Any) -> PlanView:
    """Three events: one in the ground that B loses, one in C, one in E that stays."""
    old = before()
    new = after(old)
    lon, lat = np.array([place(2.5, 2.5), place(5.5, 2.5), place(0.5, 0.5)]).T
    told = impact(
        old, new.boundaries, {"events": event_load(lon, lat, is_open=[True, False, True])}, touched=new.touched
    )
    made = plan_view(old, new.boundaries, touched=new.touched, lineage=new.lineage, impact=told.as_json())
    pairs = told.moves.pairs()
    events = MovedEvents(
        lon[[row for row, *_ in pairs]],
        lat[[row for row, *_ in pairs]],
        [old.units[source].code if source else None for _, source, _ in pairs],
        [new.boundaries.units[target].code if target else None for *_, target in pairs],
        [row == 0 for row, *_ in pairs],
    )
    street = ContextShape("street", LineString([place(-1, 1), place(7, 1)]))
    return replace(made, title="甲村调整方案", events=events, at=AT, context=[street], **more)


def embedded(html: str) -> dict[str, Any]:
    found = re.search(r'id="gridbeat-data">(.*?)</script>', html, re.DOTALL)
    assert found
    held: dict[str, Any] = json.loads(found[1])
    return held


# -- what is told ------------------------------------------------------------------------------------------------------


def test_the_table_tells_what_became_of_each_grid() -> None:
    rows = {row.code[-3:]: row for row in view().changes}
    assert {code: row.kinds for code, row in rows.items()} == {
        "001": ("reshaped",), "002": ("reshaped",), "003": ("retired",), "004": ("retired",), "005": ("renamed",), "009": ("created",),
    }  # fmt: skip
    assert (rows["003"].note, rows["009"].note) == ("并入 320699101001009", "来自 320699101001003, 320699101001004")
    assert (rows["003"].after, rows["009"].before) == (None, None)


def test_figures_are_those_of_the_impact_and_the_ground() -> None:
    rows = {row.code[-3:]: row for row in view().changes}
    a, b = rows["001"], rows["002"]
    assert a.before is not None
    assert a.after is not None
    assert b.after is not None
    assert a.after["area_m2"] / a.before["area_m2"] == pytest.approx(1.5, rel=1e-4)
    assert a.before["area_m2"] == pytest.approx(4 * LETTER_M2, rel=0.001)
    assert (a.before["events"], a.after["events"], b.after["events"]) == (0, 1, 0)
    assert view().figures == ("area_m2", "events", "open_events")


def test_the_pieces_are_the_ground_that_changes_hands() -> None:
    pieces = {(piece.source[-3:], piece.target[-3:]): piece for piece in view().pieces if piece.source and piece.target}
    assert set(pieces) == {("002", "001"), ("003", "009"), ("004", "009")}
    assert pieces["002", "001"].geometry.area == pytest.approx(2 * STEP**2)
    assert (pieces["002", "001"].events, pieces["004", "009"].events) == (1, 0)


def test_an_event_on_a_border_that_goes_without_ground_is_told() -> None:
    old = before()
    new = redraw_all(
        old, [parse_operation({"op": "recode", "grid": "320699101001001", "code": "320699101001099"})], new_uid=str
    )
    lon, lat = np.array([place(2, 2.5)]).T  # on the border of A and B: the lower code had it
    told = impact(old, new.boundaries, {"events": event_load(lon, lat, is_open=[True])}, touched=new.touched)
    made = plan_view(old, new.boundaries, touched=new.touched, impact=told.as_json())
    assert [(p.source, p.target, p.area_m2, p.events) for p in made.pieces] == [
        ("320699101001001", "320699101001002", 0.0, 1)
    ]
    assert {row.code[-3:]: row.kinds for row in made.changes} == {"099": ("recoded",)}
    assert render_pdf(made)


def test_borders_that_stay_are_neither_new_nor_gone() -> None:
    gone, fresh = border_changes(view())
    assert gone.length == pytest.approx(4 * STEP, rel=1e-4)  # B's west, and between C and D
    assert fresh.length == pytest.approx(2 * STEP, rel=1e-4)


def test_without_an_impact_the_table_has_areas_alone() -> None:
    old = before()
    made = plan_view(old, after(old).boundaries)
    assert made.figures == ("area_m2",)
    assert {piece.events for piece in made.pieces} == {None}


def test_a_plan_that_changes_nothing_is_drawn_whole() -> None:
    old = before()
    made = plan_view(old, old)
    assert (made.changes, made.pieces) == ([], [])
    west, south, east, north = plan.extent_of(made)
    assert (west < place(0, 0)[0], north > place(0, 3)[1], east > place(6, 0)[0], south < place(0, 0)[1]) == (True,) * 4
    assert render_html(made, "inline")
    assert render_pdf(made).startswith(b"%PDF")


def test_the_extent_is_that_of_what_changes() -> None:
    rows = [row for row in view().changes if row.code.endswith("009")]
    west, *_ = plan.extent_of(replace(view(), changes=rows, pieces=()))
    assert west > place(3, 0)[0]


# -- the page ----------------------------------------------------------------------------------------------------------


def test_the_page_asks_for_nothing_and_holds_all() -> None:
    wicked = "</script><b>网&格'\""
    html = render_html(replace(view(), title=wicked), "inline")
    data = embedded(html)
    assert (data["title"], len(data["changes"]), len(data["pieces"]), data["events"]["total"]) == (wicked, 6, 3, 2)
    assert "/static/" not in html
    assert wicked not in html


def test_every_word_of_the_page_is_in_the_table() -> None:
    data = plan_payload(view())
    scripts = "".join((plan.base.PAGES / name).read_text("utf-8") for name in ("plan.js", "plantable.js"))
    used = set(re.findall(r'word\("([\w.]+)"', scripts)) - {"plan.state.", "plan.legend.", "plan.change.", "plan."}
    assert used <= set(data["words"]["zh"])
    assert all(f"plan.change.{kind}" in data["words"]["en"] for kind in plan.CHANGES)


def test_more_events_than_the_cap_are_counted_and_the_open_ones_drawn() -> None:
    many = plan.EVENTS_CAP + 10
    is_open = np.arange(many) >= many - 5
    events = MovedEvents(np.full(many, 121.2), np.full(many, 32.0), ["A"] * many, ["B"] * many, is_open.tolist())
    drawn_ones = plan.drawn_events(events)
    assert (len(drawn_ones), set(range(many - 5, many)) <= set(drawn_ones)) == (plan.EVENTS_CAP, True)


@pytest.mark.parametrize("eye", SEEN_BY)
def test_what_is_new_differs_from_all_else_to_every_eye(eye: str) -> None:
    def seen(name: str) -> Any:
        return lab(SEEN_BY[eye] @ linear(style.COLOURS[name]))

    others = ("plan-piece", "plan-before", "plan-touched", "plan-quiet", "community", "street", "water", "grid-border")
    assert min(float(np.linalg.norm(seen("plan-after") - seen(other))) for other in others) >= 14
    assert float(np.linalg.norm(seen("plan-piece") - seen("plan-touched"))) >= 20


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    with browser.browser() as opened:
        yield opened


@pytest.mark.browser
def test_a_planner_looks_before_after_and_at_a_row(chromium: Any, tmp_path: Any) -> None:
    (tmp_path / "plan.html").write_text(render_html(view(), "inline"), "utf-8")
    with browser.page(chromium) as (page, seen):
        page.goto((tmp_path / "plan.html").as_uri())
        codes = page.eval_on_selector_all("#changes button", "all => all.map(b => b.textContent)")
        assert [code[-3:] for code in codes] == ["001", "002", "003", "004", "005", "009"]
        assert (
            page.eval_on_selector_all("[data-code]", "all => all.map(c => c.dataset.code.slice(-3)).sort()")[-1]
            == "009"
        )
        page.check("input[value=before]", force=True)
        assert "003" in page.eval_on_selector_all("[data-code]", "all => all.map(c => c.dataset.code.slice(-3))")
        page.click("#flows button")
        assert page.evaluate("gridbeat.page.mark.getLayers().length") == 1
        page.click("#language")
        assert page.inner_text("#moved") == "2 events change their grid, 2 are drawn"
    assert (seen.errors, seen.outside()) == ([], [])


# -- the sheet ---------------------------------------------------------------------------------------------------------


def many_rows(number: int) -> list[Change]:
    return [
        Change(f"G{i:03d}", f"第{i}网格", ("reshaped",), {"area_m2": 1e4 * i}, {"area_m2": 1e4}) for i in range(number)
    ]


def test_the_sheet_is_a3_and_equal_views_give_equal_bytes() -> None:
    one, other = render_pdf(view()), render_pdf(view())
    assert one == other
    width, height = map(float, re.search(rb"/MediaBox \[ ?0 0 ([\d.]+) ([\d.]+)", one).groups())  # type: ignore[union-attr]
    assert (round(width / 72 * 25.4), round(height / 72 * 25.4)) == (420, 297)


def test_a_long_table_goes_on_over_further_pages_and_loses_no_row() -> None:
    first = plantable.rows_on_first_page(plansheet.TABLE_MM[3])
    pages = plantable.table_pages(100, first)
    assert [first, *(min(end, 100) - begin for begin, end in pages)] == [9, 37, 37, 17]
    assert render_pdf(replace(view(), changes=many_rows(12))).count(b"/Type /Page /Parent") == 2


def test_the_picture_shows_pieces_new_borders_and_grids_concerned() -> None:
    image = matplotlib.image.imread(io.BytesIO(render_png(view(), 1600)), format="png")[..., :3]
    assert image.shape == (1131, 1600, 3)
    for name, least in (("plan-piece", 0.005), ("plan-touched", 0.01), ("plan-after", 0.0003)):
        wanted = [int(style.COLOURS[name][i : i + 2], 16) for i in (1, 3, 5)]
        assert float((np.abs(np.round(image * 255) - wanted).max(axis=2) <= 3).mean()) > least, name


@pytest.mark.parametrize(("value", "said"), [({"area_m2": 12_345.0}, "1.23"), (None, "–"), ({}, "?")])
def test_an_unknown_figure_is_no_zero(value: Any, said: str) -> None:
    assert plantable._figure("area_m2", value) == said


def test_a_text_too_wide_for_its_column_ends_in_an_ellipsis() -> None:
    assert plantable.fitting("网格网格网格", 30, 10) == "网格…"
    assert plantable.fitting("abc", 30, 10) == "abc"


def test_moved_events_of_unequal_length_are_refused() -> None:
    with pytest.raises(plan.ParameterInvalid):
        MovedEvents(np.zeros(2), np.zeros(1), ["A"], ["B"], [True])
