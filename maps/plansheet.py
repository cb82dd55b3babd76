"""The printed sheet of a plan: A3, before beside after, the table of changes, legend, scale, date, generation; drawn by matplotlib."""

from __future__ import annotations

import io
import math
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from gis.errors import ParameterInvalid
from maps import payload, placing
from maps.legend import bar_metres
from maps.picture import LARGEST, SMALLEST, font_family, paths
from maps.placing import Taken, around
from maps.plan import PlanView, plan_payload
from maps.plantable import draw_table, rows_on_first_page, table_pages
from maps.style import COLOURS
from maps.words import both, word

#: Millimetres: A3, landscape, and the frames on it (left, bottom, width, height).
WIDTH_MM: Final = 420.0
HEIGHT_MM: Final = 297.0
MAPS_MM: Final = ((12.0, 101.0, 195.0, 165.0), (213.0, 101.0, 195.0, 165.0))
TABLE_MM: Final = (12.0, 17.0, 296.0, 78.0)
SIDE_MM: Final = (316.0, 17.0, 92.0, 78.0)
_INCH: Final = 25.4
#: A PDF without the hour of its making: equal plans give equal bytes.
_METADATA: Final = {"Creator": "Gridbeat", "Producer": "Gridbeat", "CreationDate": None}


@dataclass
class Leaf:
    """One page being drawn: its figure, the view, and what the page of HTML reads of it."""

    figure: Any
    view: PlanView
    data: dict[str, Any]

    def axes(self, frame: tuple[float, float, float, float]) -> Any:
        """Axes over a frame in millimetres, without ticks; their unit is the millimetre until they are given another."""
        left, bottom, width, height = frame
        made = self.figure.add_axes((left / WIDTH_MM, bottom / HEIGHT_MM, width / WIDTH_MM, height / HEIGHT_MM))
        made.set(xlim=(0, width), ylim=(0, height), xticks=[], yticks=[])
        return made

    def text(self, axes: Any, x: float, y: float, text: str, size: float = 9.0, **how: Any) -> Any:
        """A text in points; a dollar sign is a dollar sign."""
        how = {"color": COLOURS["ink"], "family": font_family(), "va": "center"} | how
        return axes.text(x, y, text, fontsize=size, parse_math=False, **how)


def draw_pdf(view: PlanView) -> bytes:
    """All pages as a PDF; equal views give equal bytes."""
    import matplotlib as mpl
    from matplotlib.backends.backend_pdf import PdfPages

    out = io.BytesIO()
    # Glyphs as outlines: the CJK fonts are collections, which cannot be embedded as TrueType.
    with mpl.rc_context({"pdf.fonttype": 3, "pdf.compression": 6}), PdfPages(out, metadata=dict(_METADATA)) as pages:
        for figure in figures(view):
            pages.savefig(figure)
    return out.getvalue()


def draw_png(view: PlanView, width: int) -> bytes:
    """The first page as a PNG. Raises ParameterInvalid for a senseless width."""
    if not SMALLEST <= width <= LARGEST:
        raise ParameterInvalid(f"a picture has {SMALLEST} to {LARGEST} pixels a side, not {width}", place="width")
    out = io.BytesIO()
    next(iter(figures(view))).savefig(
        out, format="png", dpi=width / (WIDTH_MM / _INCH), metadata={"Software": "Gridbeat"}
    )
    return out.getvalue()


def figures(view: PlanView) -> list[Any]:
    """The pages of the sheet: maps with the beginning of the table, then the rest of it."""
    data = plan_payload(view)
    first = _leaf(view, data)
    shown = rows_on_first_page(TABLE_MM[3])
    rest = table_pages(len(view.changes), shown)
    _heading(first, 1, 1 + len(rest))
    for frame, state in zip(MAPS_MM, ("before", "after"), strict=True):
        _map(first, frame, state)
    draw_table(first, TABLE_MM, 0, shown)
    _side(first)
    leaves = [first]
    for number, (begin, end) in enumerate(rest, start=2):
        leaf = _leaf(view, data)
        _heading(leaf, number, 1 + len(rest))
        draw_table(leaf, (12.0, 17.0, 396.0, 249.0), begin, end)
        leaves.append(leaf)
    return [leaf.figure for leaf in leaves]


def _leaf(view: PlanView, data: dict[str, Any]) -> Leaf:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(WIDTH_MM / _INCH, HEIGHT_MM / _INCH), facecolor=COLOURS["surface"])
    FigureCanvasAgg(figure)
    return Leaf(figure, view, data)


def _heading(leaf: Leaf, page: int, pages: int) -> None:
    view = leaf.view
    band = leaf.axes((12.0, 269.0, 396.0, 20.0))
    band.axis("off")
    leaf.text(band, 0, 12, view.heading, 24, weight="bold")
    said = [both(f"plan.state.{view.state}"), both("plan.base", n=view.generation)]
    if view.effective_at:
        said.append(word("plan.effective", view.lang, time=payload.time_text(view.effective_at)))
    leaf.text(band, 396, 15, "　".join(said), 11, ha="right")
    when = word("at", view.lang, time=payload.time_text(view.at)) if view.at else ""
    leaf.text(band, 396, 8, when, 10, ha="right", color=COLOURS["ink-quiet"])
    foot = leaf.axes((12.0, 6.0, 396.0, 8.0))
    foot.axis("off")
    leaf.text(foot, 0, 4, "　".join([word("made", view.lang), *view.notes]), 8, color=COLOURS["ink-quiet"])
    leaf.text(foot, 200, 4, word("plan.signed", view.lang), 10)
    leaf.text(foot, 396, 4, both("plan.page", n=page, of=pages), 8, ha="right", color=COLOURS["ink-quiet"])


# -- maps --------------------------------------------------------------------------------------------------------------


def _map(leaf: Leaf, frame: tuple[float, float, float, float], state: str) -> None:
    axes = leaf.axes(frame)
    window(axes, frame, leaf.data["extent"])
    axes.set_facecolor(COLOURS["paper"])
    for spine in axes.spines.values():
        spine.set(color=COLOURS["ink"], linewidth=1.2)
    grids = leaf.data[state]
    shade = [COLOURS["plan-touched"] if f["properties"]["touched"] else COLOURS["plan-quiet"] for f in grids]
    shapes(axes, grids, 1, facecolors=shade, edgecolors=COLOURS["grid-border"], linewidths=0.5)
    if state == "after":
        shapes(
            axes,
            leaf.data["pieces"],
            2,
            facecolors=COLOURS["plan-piece"],
            edgecolors=COLOURS["plan-line"],
            linewidths=0.5,
        )
    _context(axes, leaf.data["context"])
    shapes(axes, leaf.data["outlines"], 4, facecolors="none", edgecolors=COLOURS["community"], linewidths=1.6)
    shapes(
        axes, grids, 3.6, facecolors="none", edgecolors=COLOURS["grid-border"], linewidths=0.5, linestyles=[(0, (6, 3))]
    )
    touched = [f for f in grids if f["properties"]["touched"]]
    shapes(axes, touched, 4.4, facecolors="none", edgecolors=COLOURS["plan-before"], linewidths=1.2)
    _lines(axes, leaf.data["gone"], 5, "plan-before", 1.8 if state == "before" else 1.3, (0, (3.5, 2.5)))
    if state == "after":
        _lines(axes, leaf.data["fresh"], 5.2, "plan-after", 2.6, "solid")
    if state == "after":
        _events(leaf, axes)
    _names(leaf, axes, grids)
    box = {
        "boxstyle": "square,pad=0.35",
        "facecolor": COLOURS["surface"],
        "edgecolor": COLOURS["ink"],
        "linewidth": 1.0,
    }
    place: dict[str, Any] = {"transform": axes.transAxes, "bbox": box, "zorder": 12, "weight": "bold", "va": "top"}
    leaf.text(axes, 0.012, 0.985, both(f"plan.{state}"), 13, **place)


def _lines(axes: Any, features: list[Any], zorder: float, colour: str, width: float, style: Any) -> None:
    """The lines on a white casing, so that they stand out from whatever lies below."""
    shapes(axes, features, zorder - 0.1, facecolors="none", edgecolors=COLOURS["halo"], linewidths=width + 1.6)
    shapes(axes, features, zorder, facecolors="none", edgecolors=COLOURS[colour], linewidths=width, linestyles=[style])


def window(axes: Any, frame: tuple[float, float, float, float], extent: list[float]) -> float:
    """The axes show the extent, grown to fill the frame, east and north at one scale; returned: degrees north a millimetre."""
    west, south, east, north = extent
    squeeze = math.cos(math.radians((south + north) / 2))
    height = max((north - south), (east - west) * squeeze * frame[3] / frame[2], 1e-4)
    width = height * frame[2] / frame[3] / squeeze
    lon, lat = (west + east) / 2, (south + north) / 2
    axes.set(xlim=(lon - width / 2, lon + width / 2), ylim=(lat - height / 2, lat + height / 2))
    return height / frame[3]


def shapes(axes: Any, features: list[Any], zorder: float, **how: Any) -> Any:
    """The features stand on the axes as one collection, which is returned; None where there is nothing to draw."""
    from matplotlib.collections import PathCollection

    drawn = [paths(feature["geometry"]) for feature in features if feature["geometry"]["coordinates"]]
    return axes.add_collection(PathCollection(drawn, zorder=zorder, **how), autolim=False) if drawn else None


def _context(axes: Any, features: list[Any]) -> None:
    for feature in features:
        kind, width = feature["properties"]["kind"], feature["properties"]["width"]
        if kind == "water" and "Polygon" in feature["geometry"]["type"]:
            shapes(
                axes,
                [feature],
                2.5,
                facecolors=COLOURS["water"],
                edgecolors=COLOURS["water-line"],
                linewidths=0.2,
                alpha=0.45,
            )
        elif kind == "street":
            for step, (colour, wide) in enumerate((("street-casing", 1.8), ("street", 1.1))):
                look = {"edgecolors": COLOURS[colour], "linewidths": wide * width, "alpha": 0.7}
                shapes(axes, [feature], 3 + 0.1 * step, facecolors="none", **look)


def _events(leaf: Leaf, axes: Any) -> None:
    places, is_open = leaf.data["events"]["places"], np.array(leaf.data["events"]["open"], dtype=bool)
    for mask, face in ((is_open, "report"), (~is_open, "report-edge")):
        if mask.any():
            at = places[mask]
            axes.scatter(
                at[:, 0], at[:, 1], s=11, color=COLOURS[face], edgecolors=COLOURS["report"], linewidths=0.9, zorder=7
            )


def _names(leaf: Leaf, axes: Any, grids: list[Any]) -> None:
    """Codes where there is room, with names where the grid is concerned; nothing over anything else."""
    from matplotlib.patheffects import withStroke

    taken = Taken()
    scale = 72.0 / leaf.figure.dpi
    west, east = axes.get_xlim()
    a_degree = axes.get_window_extent().width / (east - west) * scale  # points
    order = sorted(
        grids, key=lambda f: (not f["properties"]["touched"], -f["properties"]["radius"], f["properties"]["code"])
    )
    for feature in order:
        p = feature["properties"]
        lon, lat = p["point"]
        x, y = axes.transData.transform((lon, lat)) * scale
        touched, name = p["touched"], p["name"] if p["name"] != p["code"] else ""
        for text in [f"{p['short']}\n{name}", p["short"]] if touched and name else [p["short"]]:
            size = 9.0 if touched else 7.0
            lines = text.split("\n")
            width = max(placing.text_width(line, size) for line in lines)
            if not touched and width > 2.2 * p["radius"] * a_degree:
                continue
            if taken.first_free([around(x, y, width + 3, 1.3 * size * len(lines))]):
                look: dict[str, Any] = {"weight": "bold"} if touched else {"color": COLOURS["ink-quiet"]}
                effects = [withStroke(linewidth=2.0, foreground=COLOURS["halo"])]
                leaf.text(
                    axes,
                    lon,
                    lat,
                    text,
                    size,
                    ha="center",
                    zorder=10,
                    clip_on=True,
                    path_effects=effects,
                    linespacing=1.1,
                    **look,
                )
                break


# -- legend, scale, overview -------------------------------------------------------------------------------------------


def _side(leaf: Leaf) -> None:
    axes = leaf.axes(SIDE_MM)
    axes.axis("off")
    leaf.text(axes, 0, 75, both("legend"), 11, weight="bold")
    rows = ("before", "after", "piece", "touched", "event")
    for i, key in enumerate(rows):
        y = 69 - 7.2 * i
        _symbol(axes, key, y)
        leaf.text(axes, 15, y + 1.2, word(f"plan.legend.{key}", "zh"), 8.5)
        leaf.text(axes, 15, y - 2.2, word(f"plan.legend.{key}", "en"), 6.5, color=COLOURS["ink-quiet"])
    _scale(leaf, axes)
    _overview(leaf)


def _symbol(axes: Any, key: str, y: float) -> None:
    from matplotlib.patches import Rectangle

    if key in {"before", "after"}:
        style = {"before": (0, (3.5, 2.5)), "after": "solid"}[key]
        axes.plot(
            [0.5, 12], [y, y], color=COLOURS[f"plan-{key}"], linewidth=1.8 if key == "before" else 2.6, linestyle=style
        )
    elif key == "event":
        for x, face in ((4, "report"), (9, "report-edge")):
            axes.scatter([x], [y], s=14, color=COLOURS[face], edgecolors=COLOURS["report"], linewidths=0.9)
    else:
        line = COLOURS["plan-line"] if key == "piece" else COLOURS["grid-border"]
        axes.add_patch(
            Rectangle((0.5, y - 2.2), 11.5, 4.4, facecolor=COLOURS[f"plan-{key}"], edgecolor=line, linewidth=0.6)
        )


def _scale(leaf: Leaf, axes: Any) -> None:
    """A bar, its number, and the ratio on paper; the frame's scale is that of both maps."""
    from matplotlib.patches import Polygon, Rectangle

    degrees = window(leaf.figure.axes[_first_map(leaf)], MAPS_MM[0], leaf.data["extent"])
    metres_a_mm = degrees * payload.METRES_A_DEGREE
    metres = bar_metres(36 * metres_a_mm)
    length = metres / metres_a_mm
    for i in range(4):
        shade = COLOURS["ink"] if i % 2 == 0 else COLOURS["surface"]
        axes.add_patch(
            Rectangle((i * length / 4, 14), length / 4, 1.8, facecolor=shade, edgecolor=COLOURS["ink"], linewidth=0.6)
        )
    text = f"{metres // 1000} {both('km')}" if metres >= 1000 else f"{metres} {both('m')}"
    leaf.text(axes, 0, 18.6, "0", 7.5)
    leaf.text(axes, length, 18.6, text, 7.5, ha="center" if length < 36 else "right")
    ratio = float(f"{metres_a_mm * 1000:.2g}")
    leaf.text(axes, 0, 9, f"{both('scale')} 1:{ratio:,.0f}", 8.5)
    axes.add_patch(Polygon([(48, 22), (45.4, 14), (48, 15.8), (50.6, 14)], closed=True, facecolor=COLOURS["ink"]))
    leaf.text(axes, 48, 10.5, both("north"), 8.5, ha="center", weight="bold")


def _first_map(leaf: Leaf) -> int:
    """Index of the first map's axes: after the heading's two."""
    return next(i for i, axes in enumerate(leaf.figure.axes) if axes.get_facecolor()[:3] != (1.0, 1.0, 1.0))


def _overview(leaf: Leaf) -> None:
    """Where in the whole area the maps lie."""
    import shapely
    from matplotlib.patches import Rectangle

    view, frame = leaf.view, (SIDE_MM[0] + 55.0, SIDE_MM[1] + 1.0, 37.0, 30.0)
    every = [grid.geometry for grid in (*view.after, *view.outlines)] or [grid.geometry for grid in view.before]
    if not every:
        return
    axes = leaf.axes(frame)
    whole = shapely.total_bounds(np.array(every, dtype=object)).tolist()
    window(axes, frame, [*(c - 1e-4 for c in whole[:2]), *(c + 1e-4 for c in whole[2:])])
    shapes(
        axes,
        leaf.data["after"] or leaf.data["before"],
        1,
        facecolors=COLOURS["plan-quiet"],
        edgecolors=COLOURS["grid-border"],
        linewidths=0.2,
    )
    shapes(axes, leaf.data["outlines"], 2, facecolors="none", edgecolors=COLOURS["community"], linewidths=0.6)
    main = leaf.figure.axes[_first_map(leaf)]
    (west, east), (south, north) = main.get_xlim(), main.get_ylim()
    axes.add_patch(
        Rectangle(
            (west, south),
            east - west,
            north - south,
            facecolor="none",
            edgecolor=COLOURS["plan-line"],
            linewidth=1.4,
            zorder=5,
        )
    )
    leaf.text(axes, 0.03, 0.97, both("plan.overview"), 6.5, transform=axes.transAxes, va="top")
