"""The table of changes on a printed sheet: rows of one height, as many as fit, the rest on further pages."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from maps.placing import text_width
from maps.plan import Change
from maps.style import COLOURS
from maps.words import both, word

if TYPE_CHECKING:
    from maps.plansheet import Leaf

ROW_MM: Final = 6.2
HEAD_MM: Final = 17.0
#: Rows of a page that has nothing but the table.
A_PAGE: Final = 37
_POINT_MM: Final = 25.4 / 72
#: Shares of the width: code, name, what changed; the figures share the rest.
_COLUMNS: Final = (0.13, 0.15, 0.29)


def rows_on_first_page(height_mm: float) -> int:
    """How many rows stand below the maps."""
    return int((height_mm - HEAD_MM) // ROW_MM)


def table_pages(rows: int, first: int) -> list[tuple[int, int]]:
    """(begin, end) of the rows of each further page."""
    return [(begin, begin + A_PAGE) for begin in range(first, rows, A_PAGE)]


def draw_table(leaf: Leaf, frame: tuple[float, float, float, float], begin: int, end: int) -> None:
    """Rows `begin` to `end` of the view's changes stand in the frame (millimetres), with a heading in both languages."""
    axes, view = leaf.axes(frame), leaf.view
    axes.axis("off")
    width, height = frame[2], frame[3]
    title = both("plan.table") + (f"（{len(view.changes)}）" if view.changes else "")
    leaf.text(axes, 0, height - 3, title, 11, weight="bold")
    if not view.changes:
        leaf.text(axes, 0, height - 12, both("plan.none"), 10)
        return
    left, right = _edges(width, len(view.figures))
    _head(leaf, axes, height, left, right)
    for i, row in enumerate(view.changes[begin:end]):
        y = height - HEAD_MM - ROW_MM * (i + 0.5)
        if i % 2:
            axes.axhspan(y - ROW_MM / 2, y + ROW_MM / 2, color=COLOURS["surface-quiet"], linewidth=0)
        _row(leaf, axes, row, y, left, right)


def _edges(width: float, figures: int) -> tuple[list[float], list[float]]:
    """Left edges of the text columns, right edges of the figures' columns (before, after of each)."""
    code, name, change = (share * width for share in _COLUMNS)
    begin = code + name + change
    step = (width - begin) / max(2 * figures, 1)
    return [1.0, code, code + name, begin], [begin + step * (i + 1) - 1.5 for i in range(2 * figures)]


def _head(leaf: Leaf, axes: Any, height: float, left: list[float], right: list[float]) -> None:
    y = height - 9.0
    for x, key in zip(left, ("card.code", "plan.grid", "plan.change"), strict=False):
        leaf.text(axes, x, y, word(key, "zh"), 8.5, weight="bold")
        leaf.text(axes, x, y - 3.6, word(key, "en"), 6.5, color=COLOURS["ink-quiet"])
    for i, name in enumerate(leaf.view.figures):
        before, after = right[2 * i], right[2 * i + 1]
        leaf.text(axes, after, y + 1.8, word(f"plan.{name}", "zh"), 8, ha="right", weight="bold")
        leaf.text(axes, after, y - 0.8, word(f"plan.{name}", "en"), 6, ha="right", color=COLOURS["ink-quiet"])
        for x, key in ((before, "plan.before"), (after, "plan.after")):
            leaf.text(axes, x, y - 4.4, word(key, "zh"), 6.5, ha="right", color=COLOURS["ink-quiet"])
    axes.axhline(height - HEAD_MM + 0.6, color=COLOURS["ink"], linewidth=0.8)


def _row(leaf: Leaf, axes: Any, row: Change, y: float, left: list[float], right: list[float]) -> None:
    lang = leaf.view.lang
    comma = "、" if lang == "zh" else ", "
    said = comma.join([*(word(f"plan.change.{kind}", lang) for kind in row.kinds), *([row.note] if row.note else [])])
    texts = (row.code, "" if row.name == row.code else row.name, said)
    for x, until, text in zip(left, left[1:], texts, strict=False):
        leaf.text(axes, x, y, fitting(text, (until - x - 1.5) / _POINT_MM, 8.5), 8.5)
    for i, name in enumerate(leaf.view.figures):
        before, after = (_figure(name, side) for side in (row.before, row.after))
        changed = {"weight": "bold", "color": COLOURS["plan-line"]} if before != after else {}
        leaf.text(axes, right[2 * i], y, before, 8.5, ha="right")
        leaf.text(axes, right[2 * i + 1], y, after, 8.5, ha="right", **changed)


def _figure(name: str, figures: Any) -> str:
    """A figure as people read it: hectares with two decimals, a dash for no grid, a question mark for what nobody knows."""
    if figures is None:
        return "–"
    if name not in figures:
        return "?"
    value = figures[name]
    return f"{value / 1e4:,.2f}" if name == "area_m2" else f"{value:,.0f}"


def fitting(text: str, points: float, size: float) -> str:
    """The text, or its beginning with an ellipsis where it would be wider than `points`."""
    if text_width(text, size) <= points:
        return text
    while text and text_width(text + "…", size) > points:
        text = text[:-1]
    return text + "…"
