"""The margin of a printed sheet: title, legend in both languages, counts, scale bar, north arrow, generation and time."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from maps.payload import METRES_A_DEGREE
from maps.style import COLOURS, FILLS
from maps.words import both, word

if TYPE_CHECKING:
    from maps.picture import Sheet

_LINE = 0.043
_BILINGUAL = 0.052


def draw_margin(sheet: Sheet) -> None:
    """Title, legend, counts, scale and north stand round the map."""
    from maps.picture import LEGEND_SHARE, footer_line

    figure = sheet.figure
    _text(sheet, 0.018, 0.96, sheet.view.heading, 24, weight="bold", va="center")
    _text(sheet, 1 - 0.012, 0.96, footer_line(sheet.view), 12.5, ha="right", va="center", color=COLOURS["ink-quiet"])
    made = "　".join([word("made", "zh"), *sheet.view.notes])
    _text(sheet, 0.018, 0.012, made, 10, va="center", color=COLOURS["ink-quiet"])
    axes = figure.add_axes((1 - LEGEND_SHARE + 0.002, 0.045, LEGEND_SHARE - 0.014, 0.88))
    axes.set(xlim=(0, 1), ylim=(0, 1))
    axes.axis("off")
    y = _counts(sheet, axes, 0.985)
    _legend(sheet, axes, y - 0.03)
    _scale_bar(sheet, axes)
    _north(sheet, axes)


def _text(sheet: Sheet, x: float, y: float, text: str, size: float, **how: Any) -> None:
    from maps.picture import font_family

    how = {"color": COLOURS["ink"], "family": font_family()} | how
    sheet.figure.text(x, y, text, fontsize=size * sheet.unit, parse_math=False, **how)


def _write(sheet: Sheet, axes: Any, x: float, y: float, text: str, size: float = 13, **how: Any) -> None:
    from maps.picture import font_family

    how = {"color": COLOURS["ink"], "family": font_family(), "va": "center"} | how
    axes.text(x, y, text, fontsize=size * sheet.unit, parse_math=False, **how)


def _counts(sheet: Sheet, axes: Any, y: float) -> float:
    totals = sheet.data["totals"]
    if not totals["total"]:
        return y
    rows = [("reports.total", "total"), ("reports.assigned", "assigned"), ("reports.edge", "edge")]
    rows += [("reports.unassigned", "unassigned")] + ([("reports.unplaced", "unplaced")] if totals["unplaced"] else [])
    for key, name in rows:
        alarm = COLOURS["unassigned"] if name == "unassigned" else COLOURS["ink"]
        _write(sheet, axes, 0, y, word(key, "zh"), color=alarm)
        _write(sheet, axes, 0, y - 0.018, word(key, "en"), 9.5, color=COLOURS["ink-quiet"])
        _write(sheet, axes, 1, y - 0.004, f"{totals[name]:,}", 15, ha="right", weight="bold", color=alarm)
        y -= _LINE
    return y


def _legend(sheet: Sheet, axes: Any, y: float) -> None:
    _write(sheet, axes, 0, y, both("legend"), 14, weight="bold")
    y -= 0.042
    for symbol, key in _entries(sheet):
        _symbol(sheet, axes, symbol, y - 0.008)
        count = sum(1 for grid in sheet.view.grids if key == f"layer.{grid.layer}")
        _write(sheet, axes, 0.2, y, word(key, "zh") + (f" {count:,}" if count else ""))
        _write(sheet, axes, 0.2, y - 0.019, word(key, "en"), 9.5, color=COLOURS["ink-quiet"])
        y -= _BILINGUAL


def _entries(sheet: Sheet) -> list[tuple[str, str]]:
    data = sheet.data
    found = [(layer if layer in {"dedicated", "frontage"} else "general", f"layer.{layer}") for layer in data["layers"]]
    levels = {f["properties"]["level"] for f in data["outlines"]["features"]}
    found += [("community", f"level.{level}") for level in ("community", "subdistrict", "district") if level in levels]
    kinds = {f["properties"]["kind"] for f in data["context"]}
    found += [(kind, f"kind.{kind}") for kind in ("street", "water", "building") if kind in kinds]
    if data["totals"]["total"]:
        found += [("badge", "legend.badge")]
        found += [("badge", "legend.badge.printed")] if sheet.summed else []
        found += [("single", "legend.dot"), ("edge", "legend.edge")]
        found += [("unassigned", "legend.unassigned")]
    return found


def _symbol(sheet: Sheet, axes: Any, symbol: str, y: float) -> None:
    unit = sheet.unit
    if symbol in {"single", "edge", "unassigned"}:
        _mark(sheet, axes, symbol, y)
    elif symbol in {"community", "street"}:
        casing, line = {"community": (5.0, 2.8), "street": (4.4, 2.6)}[symbol]
        outer, inner = {"community": ("community-casing", "community"), "street": ("street-casing", "street")}[symbol]
        axes.plot([0.01, 0.15], [y, y], color=COLOURS[outer], linewidth=casing * unit)
        axes.plot([0.01, 0.15], [y, y], color=COLOURS[inner], linewidth=line * unit)
    elif symbol == "badge":
        from maps.picture import pill_box

        box = pill_box(COLOURS["badge"], unit)
        _write(sheet, axes, 0.08, y, "12", 12, ha="center", color=COLOURS["badge-text"], weight="bold", bbox=box)
    else:
        _area(sheet, axes, symbol, y)


def _mark(sheet: Sheet, axes: Any, symbol: str, y: float) -> None:
    unit = sheet.unit
    look: dict[str, dict[str, Any]] = {
        "single": {"s": (5.5 * unit) ** 2, "color": COLOURS["report"]},
        "edge": {"s": (8 * unit) ** 2, "facecolors": COLOURS["report-edge"], "edgecolors": COLOURS["report"]},
        "unassigned": {"s": (10 * unit) ** 2, "color": COLOURS["unassigned"], "marker": "D"},
    }
    axes.scatter([0.08], [y], linewidths=1.5 * unit, **look[symbol])


def _area(sheet: Sheet, axes: Any, symbol: str, y: float) -> None:
    from matplotlib.patches import Rectangle

    unit, low, high = sheet.unit, y - 0.012, 0.024
    if symbol == "general":
        for i, fill in enumerate(FILLS[:4]):
            axes.add_patch(Rectangle((0.01 + i * 0.035, low), 0.035, high, facecolor=fill))
    edge = {"general": "grid-border", "water": "water-line"}.get(symbol, symbol)
    face = COLOURS[symbol] if symbol in {"water", "building"} else "none"
    box = Rectangle((0.01, low), 0.14, high, facecolor=face, edgecolor=COLOURS[edge], linewidth=1.2 * unit)
    if symbol == "dedicated":
        box.set(hatch="////", linewidth=2.4 * unit)
        box.set_hatch_linewidth(0.8 * unit)
    axes.add_patch(box)


def bar_metres(widest: float) -> int:
    """The longest round length (1, 2 or 5 times a power of ten metres) that is not longer than `widest` metres."""
    power = 10 ** math.floor(math.log10(max(widest, 1.0)))
    return int(max(step * power for step in (1, 2, 5) if step * power <= max(widest, 1.0)))


def _scale_bar(sheet: Sheet, axes: Any) -> None:
    # One degree north is METRES_A_DEGREE at this precision; the frame has one scale east and north.
    metres_a_pixel = METRES_A_DEGREE / sheet.pixels_a_degree
    box = axes.get_window_extent()
    metres = bar_metres(0.62 * box.width * metres_a_pixel)
    length = metres / metres_a_pixel / box.width
    text = f"{metres // 1000} {both('km')}" if metres >= 1000 else f"{metres} {both('m')}"
    for i in range(4):
        shade = COLOURS["ink"] if i % 2 == 0 else COLOURS["surface"]
        axes.barh(
            0.025,
            length / 4,
            left=i * length / 4,
            height=0.008,
            color=shade,
            edgecolor=COLOURS["ink"],
            linewidth=0.8 * sheet.unit,
        )
    _write(sheet, axes, 0, 0.048, "0", 10.5, ha="left")
    _write(sheet, axes, length, 0.048, text, 10.5, ha="center" if length < 0.8 else "right")


def _north(sheet: Sheet, axes: Any) -> None:
    from matplotlib.patches import Polygon

    x, low, high = 0.9, 0.015, 0.06
    axes.add_patch(Polygon([(x, high), (x - 0.035, low), (x, low + 0.011)], closed=True, facecolor=COLOURS["ink"]))
    east = [(x, high), (x + 0.035, low), (x, low + 0.011)]
    axes.add_patch(
        Polygon(east, closed=True, facecolor=COLOURS["surface"], edgecolor=COLOURS["ink"], linewidth=sheet.unit)
    )
    _write(sheet, axes, x, 0.075, both("north"), 11, ha="center", weight="bold")
