"""What stands round the coverage map on a sheet: figures to be read from afar, overdue table, legend, parameters, scale, north."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from maps.coveragepicture import (
    BOTTOM,
    LINES,
    MARGIN,
    MARKS,
    SIDE,
    TOP,
    TRACKS_CAP,
    fill_class,
    heading_line,
    mark_places,
    table_rows,
)  # fmt: skip
from maps.legend import bar_metres
from maps.payload import METRES_A_DEGREE
from maps.plantable import fitting
from maps.style import COLOURS
from maps.words import both, word

if TYPE_CHECKING:
    from maps.coveragepicture import Sheet

_ROW: Final = 5.4
_POINT_MM: Final = 25.4 / 72


def draw_margin(sheet: Sheet, degrees_a_mm: float) -> None:
    """Headline, table, legend, figures, parameters, scale and north stand round the map of so many degrees north a millimetre."""
    _heading(sheet)
    _table(sheet)
    side = sheet.axes((sheet.width - SIDE - 4, 12, SIDE - 4, sheet.height - TOP - 12))
    side.axis("off")
    y = _legend(sheet, side, sheet.height - TOP - 15)
    y = _totals(sheet, side, y - 3)
    _parameters(sheet, side, y - 3)
    _scale(sheet, side, degrees_a_mm)


def _heading(sheet: Sheet) -> None:
    view, width = sheet.view, sheet.width - 2 * MARGIN
    band = sheet.axes((MARGIN, sheet.height - TOP + 2, width, TOP - 8))
    band.axis("off")
    sheet.text(band, 0, 40, fitting(view.heading, (width - 150) / _POINT_MM, 23), 23, weight="bold")
    sheet.text(band, width, 42, heading_line(view), 10.5, ha="right")
    window = f"{both('coverage.window')} {sheet.data['begin']} – {sheet.data['end']}"
    sheet.text(band, width, 36.5, window, 9.5, ha="right", color=COLOURS["ink-quiet"])
    band.axhline(32.5, color=COLOURS["surface-line"], linewidth=0.8)
    _figures(sheet, band)
    foot = sheet.axes((MARGIN, 4, width, 6))
    foot.axis("off")
    lines = [word("made", view.lang), *view.notes]
    sheet.text(foot, 0, 3, "　".join(lines), 7.5, color=COLOURS["ink-quiet"])


def _figures(sheet: Sheet, band: Any) -> None:
    """The share that is known and, apart from it, how many are not: large enough for a wall."""
    r, counts = sheet.data["revisited"], sheet.data["places"]["counts"]
    known = r["known"] > 0
    sheet.text(band, 0, 16, r["percent"] if known else "–", 50, weight="bold")
    x = 74.0
    sheet.text(band, x, 23, word("coverage.headline", "zh"), 15, weight="bold")
    of = (
        both("coverage.of", visited=f"{r['visited']:,.0f}", known=f"{r['known']:,.0f}")
        if known
        else both("coverage.nothing")
    )
    sheet.text(band, x, 15.5, of, 12.5, weight="bold")
    sheet.text(band, x, 9, word("coverage.headline", "en"), 10, color=COLOURS["ink-quiet"])
    rows = [("missed", f"{r['missed']:,}", "recency-old"), ("unknown", f"{r['unknown']:,}", "recency-unknown-mark")]
    rows += [("none", f"{r['none']:,}", "ink-quiet"), ("overdue", f"{counts['overdue']:,}", "recency-old")]
    rows += [("oldest", sheet.data["oldest"], "recency-old")] if sheet.data["oldest"] else []
    step = (sheet.width - 2 * MARGIN - 166) / len(rows)
    for i, (key, value, colour) in enumerate(rows):
        left = 166 + i * step
        shift = _beside(band, key, left)
        sheet.text(band, left + shift, 19, value, 27, weight="bold", color=COLOURS[colour])
        sheet.text(band, left, 8.4, word(f"coverage.{key}", "zh"), 10.5)
        sheet.text(band, left, 3.6, word(f"coverage.{key}", "en"), 7.5, color=COLOURS["ink-quiet"])


def _beside(band: Any, key: str, left: float) -> float:
    """The sign of what is counted, before its number: how much room it took (mm)."""
    if key == "unknown":
        _box(band, left, 15.5, 11, 8, key)
        return 13.0
    if key == "overdue":
        mark_places(band, key, [left + 4], [19], 190)
        return 10.0
    return 0.0


def _box(axes: Any, x: float, y: float, width: float, height: float, key: str) -> None:
    from matplotlib.patches import Rectangle

    fill_class(axes.add_patch(Rectangle((x, y), width, height)), key)
    frame = Rectangle((x, y), width, height, facecolor="none", edgecolor=COLOURS["grid-border"], linewidth=0.8)
    axes.add_patch(frame)


# -- the table ---------------------------------------------------------------------------------------------------------


def _table(sheet: Sheet) -> None:
    """The first rows of the list; how many more there are is said."""
    width, height = sheet.map_frame[2], BOTTOM - 16.0
    axes = sheet.axes((MARGIN, 12, width, height))
    axes.axis("off")
    fit, total = int((height - 14) // _ROW), table_rows(sheet.view)
    left = [0.0, 7.0, 0.3 * width, 0.42 * width, 0.64 * width, 0.82 * width]
    sheet.text(axes, 0, height - 3, both("coverage.due.table"), 11, weight="bold")
    if not total:
        key = "coverage.list.clear" if sheet.view.places else "coverage.list.empty"
        sheet.text(axes, 0, height - 12, both(key), 10)
        return
    if total > fit:
        sheet.text(
            axes,
            width,
            height - 3,
            both("coverage.due.rest", n=f"{total - fit:,}"),
            8,
            ha="right",
            color=COLOURS["ink-quiet"],
        )
    heads = ("coverage.place", "coverage.place.kind", "report.grid", "coverage.place.last", "coverage.state")
    for x, key in zip(left[1:], heads, strict=True):
        sheet.text(axes, x, height - 9.5, both(key), 7.5, color=COLOURS["ink-quiet"])
    axes.axhline(height - 12.5, color=COLOURS["ink"], linewidth=0.8)
    names = {grid.code: grid.name for grid in sheet.view.grids}
    listed = [row for row in sheet.data["places"]["rows"] if row["state"] in MARKS][:fit]
    for i, row in enumerate(listed):
        y = height - 13.5 - _ROW * (i + 0.5)
        mark_places(axes, row["state"], [3], [y], 34)
        last = row["last"] or word("coverage.place.never", sheet.view.lang)
        texts = (
            row["name"],
            row["kind"],
            names.get(row["grid"], row["grid"] or "–"),
            last,
            over_text(row, sheet.view.lang),
        )
        for x, until, text in zip(left[1:], (*left[2:], width), texts, strict=True):
            sheet.text(axes, x, y, fitting(text, (until - x - 2) / _POINT_MM, 9), 9)


def over_text(row: dict[str, Any], lang: Any) -> str:
    """How late a place is, or how long there is still; with the forecast where there is one."""
    if not row["is_over"]:
        chance = f"　{row['likely']}" if row["likely"] else ""
        return word("coverage.left", lang, days=row["over"]) + chance
    return word("coverage.over.unknown" if row["state"] == "unknown" else "coverage.over", lang, days=row["over"])


# -- legend ------------------------------------------------------------------------------------------------------------


def _legend(sheet: Sheet, axes: Any, y: float) -> float:
    sheet.text(axes, 0, y, f"{both('coverage.legend')}　{both(f'coverage.by.{sheet.by}')}", 11, weight="bold")
    for one in sheet.data["classes"]:
        y -= 8.8
        _sample(sheet, axes, one["key"], y)
        limits = {"least": one["least"], "most": one["most"]}
        sheet.text(axes, 18, y + 1.5, word(f"coverage.class.{one['key']}", "zh", **limits), 10.5)
        sheet.text(
            axes, 18, y - 2.2, word(f"coverage.class.{one['key']}", "en", **limits), 7.5, color=COLOURS["ink-quiet"]
        )
    for state in MARKS:
        y -= 6.2
        mark_places(axes, state, [7.5], [y], 60)
        sheet.text(axes, 18, y, f"{word('coverage.place', 'zh')}：{word(f'coverage.due.{state}', 'zh')}", 8.5)
        sheet.text(axes, 50, y, f"place {word(f'coverage.due.{state}', 'en')}", 7, color=COLOURS["ink-quiet"])
    if sheet.data["day"]["tracks"]:
        y -= 6.2
        drawn = len(sheet.view.tracks) <= TRACKS_CAP
        if drawn:
            axes.plot([1, 14], [y, y], color=COLOURS["track"], linewidth=1.2)
        said = both("coverage.time", date=sheet.data["day"]["date"]) if drawn else both("coverage.time.many")
        sheet.text(axes, 18 if drawn else 0, y, said, 8 if drawn else 7)
    return y - 3


def _sample(sheet: Sheet, axes: Any, key: str, y: float) -> None:
    if sheet.by == "grid":
        _box(axes, 0.5, y - 3, 14, 6, key)
        return
    axes.plot(
        [0.5, 14.5], [y, y], color=COLOURS["grid-border"], linewidth=LINES[key][0][1] + 0.9, solid_capstyle="butt"
    )
    for colour, width, dashes in LINES[key]:
        axes.plot([0.5, 14.5], [y, y], color=COLOURS[colour], linewidth=width, linestyle=dashes, solid_capstyle="butt")


def _totals(sheet: Sheet, axes: Any, y: float) -> float:
    if not sheet.data["totals"]:
        return y
    sheet.text(axes, 0, y, both("coverage.figures.whole"), 9, weight="bold")
    for name, percent, fraction in sheet.data["totals"]:
        y -= 5.6
        sheet.text(axes, 0, y, fitting(both(f"coverage.figure.{name}"), 60 / _POINT_MM, 7.0), 7.0)
        sheet.text(axes, 80, y, fraction, 7.5, ha="right")
        sheet.text(axes, SIDE - 8, y, percent, 9, ha="right", weight="bold")
    return y - 2.6


def _parameters(sheet: Sheet, axes: Any, y: float) -> None:
    """Every parameter, in rows as high as the room above the scale allows."""
    sheet.text(axes, 0, y, both("coverage.parameters"), 9, weight="bold")
    rows = sheet.data["parameters"]
    step = min(5.4, (y - 28) / max(len(rows), 1))
    for name, value in rows:
        y -= step
        size = min(7.5, step / _POINT_MM * 0.8)
        shown = both(f"layer.{value}") if name == "layer" else value
        sheet.text(
            axes,
            0,
            y,
            fitting(both(f"coverage.parameter.{name}"), 58 / _POINT_MM, size),
            size,
            color=COLOURS["ink-quiet"],
        )
        sheet.text(axes, SIDE - 8, y, fitting(shown, 40 / _POINT_MM, size), size, ha="right")


def _scale(sheet: Sheet, axes: Any, degrees_a_mm: float) -> None:
    """A bar, its number, the ratio on paper of A3 width, and north."""
    from matplotlib.patches import Polygon, Rectangle

    metres_a_mm = degrees_a_mm * METRES_A_DEGREE
    metres = bar_metres(46 * metres_a_mm)
    length = metres / metres_a_mm
    for i in range(4):
        shade = COLOURS["ink"] if i % 2 == 0 else COLOURS["surface"]
        axes.add_patch(
            Rectangle((i * length / 4, 9), length / 4, 2.2, facecolor=shade, edgecolor=COLOURS["ink"], linewidth=0.7)
        )
    text = f"{metres // 1000} {both('km')}" if metres >= 1000 else f"{metres} {both('m')}"
    sheet.text(axes, 0, 14.6, "0", 8)
    sheet.text(axes, length, 14.6, text, 8, ha="center")
    sheet.text(axes, 0, 4, f"{both('scale')} 1:{float(f'{metres_a_mm * 1000:.2g}'):,.0f}", 8.5)
    axes.add_patch(Polygon([(88, 20), (84, 8), (88, 10.6), (92, 8)], closed=True, facecolor=COLOURS["ink"]))
    sheet.text(axes, 88, 4, both("north"), 9, ha="center", weight="bold")
