"""The sheet of the coverage map: asked size, equal bytes, every class told apart in colour and in black and white."""

from __future__ import annotations

import io
from datetime import timedelta
from itertools import combinations
from typing import Any

import matplotlib.image
import numpy as np
import pytest

from gis.errors import ParameterInvalid
from maps import coveragemargin, coveragepicture, style
from maps.coverage import CLASSES, CoverageView, render_png
from maps.coveragepayload import coverage_payload
from tests.maps import covered
from tests.maps.drawn import AT
from tests.maps.test_style import SEEN_BY, lab, linear


def pixels(png: bytes) -> np.ndarray:
    return np.round(matplotlib.image.imread(io.BytesIO(png), format="png")[..., :3] * 255).astype(int)


def share(image: np.ndarray, colour: str) -> float:
    wanted = [int(colour[i : i + 2], 16) for i in (1, 3, 5)]
    return float((np.abs(image - wanted).max(axis=2) <= 3).mean())


@pytest.mark.parametrize(("width", "height"), [(1200, 849), (1600, 900), (900, 1200), (2400, 1697)])
def test_a_sheet_has_the_asked_size(width: int, height: int) -> None:
    assert pixels(render_png(covered.view(), width, height)).shape == (height, width, 3)


@pytest.mark.parametrize("by", ["grid", "street"])
def test_equal_views_give_equal_sheets(by: Any) -> None:
    assert render_png(covered.view(), 800, 566, by=by) == render_png(covered.view(), 800, 566, by=by)


def test_every_class_that_occurs_is_seen() -> None:
    image = pixels(render_png(covered.view(), 1600, 1131))
    seen = {key: share(image, style.COLOURS[f"recency-{key}"]) for key in CLASSES if key != "half"}
    assert min(seen.values()) > 0.004, seen


def test_by_street_the_grids_are_blank() -> None:
    by_grid, by_street = (pixels(render_png(covered.view(), 1600, 1131, by=by)) for by in ("grid", "street"))
    for key in ("fresh", "late", "never"):
        assert share(by_street, style.COLOURS[f"recency-{key}"]) < 0.3 * share(by_grid, style.COLOURS[f"recency-{key}"])
    assert share(by_street, style.COLOURS["recency-never"]) > 1e-4


def test_without_streets_it_is_drawn_by_grid() -> None:
    bare = covered.view(streets=())
    assert render_png(bare, 800, 566, by="street") == render_png(bare, 800, 566, by="grid")


def swatches(width: int = 1600) -> dict[str, np.ndarray]:
    """The inside of the legend's box of each class, in shades of grey."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 1), dpi=150)
    canvas = FigureCanvasAgg(figure)
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set(xlim=(0, 8), ylim=(0, 1))
    for i, key in enumerate(CLASSES):
        coveragemargin._box(axes, i, 0, 1, 1, key)
    canvas.draw()
    grey = np.asarray(canvas.buffer_rgba())[..., :3] @ [0.299, 0.587, 0.114]
    return {key: grey[15:-15, 150 * i + 15 : 150 * i + 135] for i, key in enumerate(CLASSES)}


def test_black_and_white_tells_every_class_from_every_other() -> None:
    found = {key: (float(np.median(box)), float(box.std()) > 8) for key, box in swatches().items()}
    assert {key for key, (_, marked) in found.items() if marked} == {"late", "never", "unknown"}
    for (one, (a, marked_a)), (other, (b, marked_b)) in combinations(found.items(), 2):
        assert marked_a != marked_b or abs(a - b) > 14, (one, other)


def test_what_is_older_is_darker() -> None:
    shades = [float(np.median(swatches()[key])) for key in ("none", "fresh", "half", "cycle", "late", "old", "never")]
    assert shades == sorted(shades, reverse=True)


@pytest.mark.parametrize("eye", SEEN_BY)
def test_classes_differ_to_every_eye(eye: str) -> None:
    seen = {key: lab(SEEN_BY[eye] @ linear(style.COLOURS[f"recency-{key}"])) for key in CLASSES}
    near = {pair: float(np.linalg.norm(seen[pair[0]] - seen[pair[1]])) for pair in combinations(CLASSES, 2)}
    assert min(near.values()) >= 14.0, min(near, key=lambda pair: near[pair])


@pytest.mark.parametrize("eye", SEEN_BY)
def test_a_dot_is_no_class_to_any_eye(eye: str) -> None:
    dot = lab(SEEN_BY[eye] @ linear(style.COLOURS["track-dot"]))
    others = [lab(SEEN_BY[eye] @ linear(style.COLOURS[f"recency-{key}"])) for key in CLASSES]
    assert min(float(np.linalg.norm(dot - other)) for other in others) >= 14.0


# -- what stands in the margin -----------------------------------------------------------------------------------------


def texts(view: CoverageView, **how: Any) -> list[str]:
    """Every text of the sheet."""
    from matplotlib.text import Text

    sheet = coveragepicture._sheet(view, 2400, 1697, how.pop("by", "grid"))
    axes = sheet.axes(sheet.map_frame)
    coveragepicture.window(axes, sheet.map_frame, sheet.data["extent"])
    coveragepicture._map(sheet, axes)
    coveragemargin.draw_margin(sheet, 1e-4)
    return [text.get_text() for text in sheet.figure.findobj(Text) if text.get_text()]


def test_the_legend_has_every_class_and_parameter_in_both_languages() -> None:
    said = texts(covered.view())
    for text in ("逾期：7–14 天", "overdue: 7–14 d", "不明（无人有轨迹）", "unknown (nobody was tracked)", "40.0 %"):
        assert text in said
    for name, value in coverage_payload(covered.view())["parameters"]:
        assert any(
            name in text or text.startswith(coveragemargin.both(f"coverage.parameter.{name}")) for text in said
        ), name
        assert any(value in text or coveragemargin.both(f"layer.{value}") == text for text in said), name


def test_the_table_lists_what_is_not_in_time_and_says_what_is_left_out() -> None:
    said = texts(covered.view())
    assert [name in said for name in ("P1号楼", "P2号楼", "P3号楼", "P4号楼")] == [True, True, True, False]
    many = texts(covered.view(places=[covered.places()[0]] * 50))
    assert "另有 42 个未列出 42 more are not listed" in many


def test_a_grid_says_its_age_or_what_there_is_instead() -> None:
    said = texts(covered.view())
    assert {"<1 天", "6 天", "9 天", "20 天", "从未", "不明"} <= set(said)


def test_without_evidence_the_sheet_says_what_to_load() -> None:
    assert any("gridbeat load fixes FILE --commit" in text for text in texts(covered.unseen()))
    assert not any("gridbeat load fixes" in text for text in texts(covered.view()))
    assert "还没有载入必访点 No must-visit places are loaded yet" in texts(covered.unseen())


def test_too_many_tracks_for_paper_are_left_out_and_that_is_said() -> None:
    many = covered.view(tracks=covered.tracks() * 51)
    assert any(text.startswith("轨迹太多") for text in texts(many))
    few, none = (share(pixels(render_png(view, 1600, 1131)), style.COLOURS["track"]) for view in (covered.view(), many))
    assert few > 1e-4 > none


def test_an_empty_town_and_dollar_signs_are_drawn() -> None:
    bare = CoverageView(
        [], begin=AT - timedelta(days=7), end=AT, at=AT, parameters={"revisit_days": 7.0}, title="$x_1$"
    )
    assert render_png(bare, 400, 320).startswith(b"\x89PNG")
    assert render_png(covered.view(grids=covered.grids("$a_{{n}}$ {name}"), title="50$ $"), 500, 354).startswith(
        b"\x89PNG"
    )


@pytest.mark.parametrize(("width", "height"), [(100, 800), (800, 90_000)])
def test_a_senseless_size_is_refused(width: int, height: int) -> None:
    with pytest.raises(ParameterInvalid):
        render_png(covered.view(), width, height)
