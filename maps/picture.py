"""The grids map as a PNG that looks like a printed sheet: drawn by matplotlib's Agg canvas, without browser or display."""

from __future__ import annotations

import io
import math
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from gis.errors import FileUnreadable, ParameterInvalid
from maps import payload, placing
from maps.placing import Taken, around
from maps.style import COLOURS, FILLS
from maps.words import both, word

if TYPE_CHECKING:
    from maps.grids import GridsView

#: Families with Chinese signs, the mainland's forms first; the first that is installed is used.
FAMILIES: Final = (
    "Noto Sans CJK SC",
    "Noto Sans SC",
    "Source Han Sans SC",
    "WenQuanYi Micro Hei",
    "WenQuanYi Zen Hei",
    "Noto Sans CJK JP",
)
APT_LINE: Final = "apt-get install fonts-noto-cjk"
SMALLEST, LARGEST = 320, 8000
LEGEND_SHARE: Final = 0.2
SINGLE_DOTS: Final = 6_000
#: More diamonds than this are drawn small, else they cover the map.
CROWD: Final = 300
#: Where a badge may step, in its own widths and heights, when its place is taken.
_ASIDE: Final = ((0, 0), (0, -0.5), (0, 0.5), (0.5, 0), (-0.5, 0), (0, -1), (0, 1), (1, 0), (-1, 0))
#: Radius (design pixels) of the circle in a grid from which the grid has room for its own badge.
SMALLEST_RADIUS: Final = 12.0


@dataclass
class Sheet:
    """One picture being drawn: figure, map axes, the size of one unit of design (1/1600 of the sheet), and the places taken."""

    figure: Any
    axes: Any
    unit: float
    taken: Taken
    view: GridsView
    data: dict[str, Any]
    pixels_a_degree: float = 1.0
    summed: set[str] = field(default_factory=set)  # communities that have one badge for all their grids

    def text(self, x: float, y: float, text: str, size: float, **how: Any) -> Any:
        """A text on the map in pixels of the design; a dollar sign is a dollar sign."""
        from matplotlib.patheffects import withStroke

        halo = how.pop("halo", True)
        effects = [withStroke(linewidth=2.6 * self.unit, foreground=COLOURS["halo"])] if halo else []
        how = {"ha": "center", "va": "center", "color": COLOURS["ink"], "family": font_family()} | how
        return self.axes.text(x, y, text, fontsize=size * self.unit, parse_math=False, path_effects=effects, **how)

    def pixel(self, lon: float, lat: float) -> tuple[float, float]:
        """A place in display pixels."""
        x, y = self.axes.transData.transform((lon, lat))
        return float(x), float(y)


@lru_cache(maxsize=1)
def font_family() -> str:
    """The name of an installed font with Chinese signs. Raises FileUnreadable, with the apt line, when there is none."""
    from matplotlib import font_manager

    for path in font_manager.findSystemFonts():  # a font that was installed after matplotlib's own list was made
        if "CJK" in path and path not in {str(entry.fname) for entry in font_manager.fontManager.ttflist}:
            font_manager.fontManager.addfont(path)
    return first_family({entry.name for entry in font_manager.fontManager.ttflist})


def first_family(installed: set[str]) -> str:
    """The best of `FAMILIES` among those installed. Raises FileUnreadable with the apt line when there is none."""
    for family in FAMILIES:
        if family in installed:
            return family
    raise FileUnreadable(f"no font with Chinese signs is installed: {APT_LINE}", place="fonts-noto-cjk")


def draw(view: GridsView, width: int, height: int) -> bytes:
    """A PNG of `width` x `height` pixels that shows `view`; equal views give equal bytes."""
    if not (SMALLEST <= width <= LARGEST and SMALLEST <= height <= LARGEST):
        raise ParameterInvalid(
            f"a picture has {SMALLEST} to {LARGEST} pixels a side, not {width} x {height}", place="width"
        )
    sheet = _sheet(view, width, height)
    if view.grids:
        _grids(sheet)
        _context(sheet, ("water", "building", "street"), 3.0)
        _outlines(sheet)
        _reports(sheet)
        _names(sheet, _badges(sheet))
    else:
        sheet.axes.text(
            0.5, 0.5, f"{both('empty')}\ngridbeat load grids FILE --layer general --commit",
            transform=sheet.axes.transAxes, ha="center", va="center", family=font_family(),
            fontsize=18 * sheet.unit, color=COLOURS["ink"],
        )  # fmt: skip
    from maps.legend import draw_margin

    draw_margin(sheet)
    out = io.BytesIO()
    sheet.figure.savefig(out, format="png", dpi=100, metadata={"Software": "Gridbeat"})
    return out.getvalue()


def _sheet(view: GridsView, width: int, height: int) -> Sheet:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width / 100, height / 100), dpi=100, facecolor=COLOURS["surface"])
    FigureCanvasAgg(figure)
    # One unit is 1/1600 of a sheet of A3's ratio; points at 100 dpi are 0.72 pixels.
    unit = min(width / 1600, height / 1000) * 0.72
    top = 0.075
    axes = figure.add_axes((0.018, 0.045, 1 - LEGEND_SHARE - 0.03, 1 - top - 0.045))
    sheet = Sheet(figure, axes, unit, Taken(), view, payload.payload(view))
    _frame(sheet, sheet.data["extent"])
    return sheet


def _frame(sheet: Sheet, extent: list[float]) -> None:
    """The map's window: the extent with a margin, grown to fill the frame, east and north at one scale."""
    west, south, east, north = extent
    squeeze = math.cos(math.radians((south + north) / 2))
    box = sheet.axes.get_window_extent()
    half_lat = max((north - south) / 2, (east - west) * squeeze / 2 * box.height / box.width, 1e-4) * 1.06
    half_lon = half_lat * box.width / box.height / squeeze
    lon, lat = (west + east) / 2, (south + north) / 2
    sheet.axes.set(xlim=(lon - half_lon, lon + half_lon), ylim=(lat - half_lat, lat + half_lat))
    sheet.axes.set_facecolor(COLOURS["paper"])
    sheet.axes.tick_params(
        labelsize=9 * sheet.unit, length=4 * sheet.unit, width=0.8 * sheet.unit, colors=COLOURS["ink-quiet"], pad=2
    )
    sheet.axes.ticklabel_format(useOffset=False, style="plain")
    sheet.axes.locator_params(nbins=6)
    sheet.axes.grid(visible=True, color=COLOURS["graticule"], linewidth=0.8 * sheet.unit, zorder=0)
    for spine in sheet.axes.spines.values():
        spine.set(color=COLOURS["ink"], linewidth=1.4 * sheet.unit)
    for label in sheet.axes.get_xticklabels() + sheet.axes.get_yticklabels():
        label.set_family(font_family())
    for label in sheet.axes.get_yticklabels():
        label.set(rotation=90, va="center")
    sheet.pixels_a_degree = box.height / (2 * half_lat)


def paths(geometry: dict[str, Any]) -> Any:
    """A compound matplotlib path of a GeoJSON geometry, holes included."""
    from matplotlib.path import Path

    kind, coordinates = geometry["type"], geometry["coordinates"]
    if kind == "LineString":
        return Path(coordinates)
    if kind == "MultiLineString":
        return Path.make_compound_path(*(Path(part) for part in coordinates))
    rings = coordinates if kind == "Polygon" else [ring for part in coordinates for ring in part]
    return Path.make_compound_path(*(Path(np.asarray(ring), closed=True) for ring in rings))


def _collection(sheet: Sheet, features: list[Any], zorder: float, **how: Any) -> None:
    from matplotlib.collections import PathCollection

    if features:
        shapes = [paths(feature["geometry"]) for feature in features]
        sheet.axes.add_collection(PathCollection(shapes, zorder=zorder, **how), autolim=False)


def _context(sheet: Sheet, kinds: tuple[str, ...], zorder: float) -> None:
    unit = sheet.unit
    looks: dict[str, list[dict[str, Any]]] = {
        "water": [{"facecolors": COLOURS["water"], "edgecolors": COLOURS["water-line"], "linewidths": unit}],
        "building": [{"facecolors": COLOURS["building"], "alpha": 0.6}],
        "street": [
            {"facecolors": "none", "edgecolors": COLOURS["street-casing"], "linewidths": 3.2 * unit, "alpha": 0.6},
            {"facecolors": "none", "edgecolors": COLOURS["street"], "linewidths": 1.9 * unit},
        ],
    }
    for kind in kinds:
        for step, look in enumerate(looks[kind]):
            for feature in sheet.data["context"]:
                if feature["properties"]["kind"] == kind:
                    _collection(sheet, [feature], zorder + 0.1 * step, **_scaled(look, feature))


def _scaled(look: dict[str, Any], feature: dict[str, Any]) -> dict[str, Any]:
    """The look of a context feature: lines are as wide as their street is important, and never filled."""
    if "Line" not in feature["geometry"]["type"]:
        return look
    width = look.get("linewidths", 1.0) * feature["properties"]["width"]
    return look | {"facecolors": "none", "linewidths": width}


def _grids(sheet: Sheet) -> None:
    from matplotlib.patches import PathPatch

    features = sheet.data["grids"]["features"]
    overlay = {"dedicated", "frontage"}
    plain = [f for f in features if f["properties"]["layer"] not in overlay]
    fills = [FILLS[f["properties"]["fill"]] for f in plain]
    _collection(sheet, plain, 2.0, facecolors=fills, edgecolors="none")
    thin = {"facecolors": "none", "edgecolors": COLOURS["grid-border"], "linewidths": 1.2 * sheet.unit}
    _collection(sheet, plain, 4.0, linestyles=[(0, (5, 3))] if sheet.data["context"] else "solid", **thin)
    for feature in features:
        layer = feature["properties"]["layer"]
        if layer not in overlay:
            continue
        look = {"edgecolor": COLOURS[layer], "linewidth": 2.6 * sheet.unit, "facecolor": "none", "zorder": 6}
        patch = PathPatch(paths(feature["geometry"]), hatch="////" if layer == "dedicated" else None, **look)
        patch.set_hatch_linewidth(0.8 * sheet.unit)
        sheet.axes.add_patch(patch)


def _outlines(sheet: Sheet) -> None:
    for level, width in (("community", 2.8), ("subdistrict", 3.6), ("district", 4.6)):
        held = [f for f in sheet.data["outlines"]["features"] if f["properties"]["level"] == level]
        width *= sheet.unit
        _collection(sheet, held, 5.0, facecolors="none", edgecolors=COLOURS["community-casing"], linewidths=width + 2.4)
        _collection(sheet, held, 5.1, facecolors="none", edgecolors=COLOURS["community"], linewidths=width)


def _reports(sheet: Sheet) -> None:
    drawn = sheet.data["reports"]
    grid = np.array(drawn["grid"], dtype=int)
    methods = np.array(drawn["method"]["values"], dtype=object)[drawn["method"]["index"]] if len(grid) else np.array([])
    edge = (methods == "edge") & (grid != -1)
    plain = (grid != -1) & ~edge
    unit = sheet.unit

    def dots(mask: Any, size: float, **how: Any) -> None:
        if mask.any():
            sheet.axes.scatter(drawn["lon"][mask], drawn["lat"][mask], s=(size * unit) ** 2, **how)

    if plain.sum() <= SINGLE_DOTS:
        dots(plain, 4.2, color=COLOURS["report"], alpha=0.55, linewidths=0, zorder=7)
    dots(edge, 6.5, facecolors=COLOURS["report-edge"], edgecolors=COLOURS["report"], linewidths=1.5 * unit, zorder=7.2)
    lost = grid == -1
    crowd = lost.sum() > CROWD
    look = {"color": COLOURS["unassigned"], "edgecolors": COLOURS["report-line"], "linewidths": 0 if crowd else unit}
    dots(lost, 4.0 if crowd else 9.0, marker="D", zorder=7.4, **look)


def _badges(sheet: Sheet) -> dict[int, tuple[float, float]]:
    """Every badge stands; returned is where that of each grid does, in pixels."""
    scale = sheet.unit / 0.72
    features, outlines = sheet.data["grids"]["features"], sheet.data["outlines"]["features"]
    found = placing.badges(
        features, outlines, pixels_a_degree=sheet.pixels_a_degree, smallest=SMALLEST_RADIUS * scale, square=70 * scale
    )
    stand: dict[int, tuple[float, float]] = {}
    for badge in sorted(found, key=lambda b: -b.n):
        text = f"{badge.n:,}"
        x, y = sheet.pixel(badge.lon, badge.lat)
        width, height = placing.text_width(text, 12 * scale) + 16 * scale, 21 * scale
        steps = [(dx * width, dy * height) for dx, dy in _ASIDE]
        box = sheet.taken.first_free(around(x + dx, y + dy, width, height) for dx, dy in steps) or around(
            x, y, width, height
        )
        x, y = (box[0] + box[2]) / 2, (box[1] + box[3]) / 2
        dedicated = badge.grid is not None and features[badge.grid]["properties"]["layer"] == "dedicated"
        _pill(sheet, x, y, text, COLOURS["dedicated" if dedicated else "badge"])
        if badge.grid is not None:
            stand[badge.grid] = (x, y)
        elif badge.code is not None:
            _beside(sheet, x, y - 20 * scale, badge.name)
            sheet.summed.add(badge.code)
    return stand


def _pill(sheet: Sheet, x: float, y: float, text: str, colour: str) -> None:
    look = pill_box(colour, sheet.unit)
    white = COLOURS["badge-text"]
    sheet.text(x, y, text, 12, halo=False, transform=None, color=white, weight="bold", bbox=look, zorder=9)


def pill_box(colour: str, unit: float) -> dict[str, Any]:
    """Matplotlib's words for the rounded box of a badge."""
    style = "round,pad=0.28,rounding_size=0.8"
    return {"boxstyle": style, "facecolor": colour, "edgecolor": COLOURS["halo"], "linewidth": unit}


def _beside(sheet: Sheet, x: float, y: float, text: str) -> None:
    scale = sheet.unit / 0.72
    box = around(x, y, placing.text_width(text, 13 * scale) + 4, 16 * scale)
    if sheet.taken.first_free([box]):
        sheet.text(x, y, text, 13, transform=None, weight="bold", zorder=8)


def _names(sheet: Sheet, stand: dict[int, tuple[float, float]]) -> None:
    features = sheet.data["grids"]["features"]
    if placing.typical_radius(features, sheet.pixels_a_degree) < SMALLEST_RADIUS * sheet.unit / 0.72:
        return
    _community_names(sheet, stand)
    parents = placing.parent_names(sheet.view.outlines)
    order = sorted(
        range(len(features)), key=lambda i: (features[i]["properties"]["layer"] != "dedicated", i not in stand)
    )
    for i in order:
        p = features[i]["properties"]
        if p["n"] and i not in stand:
            continue  # counted in the sum of its community
        x, y = stand.get(i) or sheet.pixel(*p["point"])
        _grid_name(sheet, p, placing.display_name(p, parents), x, y, below=i in stand)


def _community_names(sheet: Sheet, stand: dict[int, tuple[float, float]]) -> None:
    scale = sheet.unit / 0.72
    codes = Taken()  # where the codes below badges will want to stand
    for x, y in stand.values():
        codes.add(around(x, y - 19 * scale, 28 * scale, 15 * scale))
    for feature in sheet.data["outlines"]["features"]:
        p = feature["properties"]
        room = p["radius"] * sheet.pixels_a_degree
        width = placing.text_width(p["name"], 17 * scale) + 8 * scale
        if p["level"] != "community" or p["code"] in sheet.summed or width > room * 3:
            continue
        x, y = sheet.pixel(*p["point"])
        steps = [dy * scale for dy in (0, 28, -28, 46, -46, 64, -64, 84, -84) if abs(dy * scale) <= room]
        boxes = (around(x, y + dy, width, 24 * scale) for dy in steps)
        box = sheet.taken.first_free(box for box in boxes if codes.free(box))
        if box:
            sheet.text(x, (box[1] + box[3]) / 2, p["name"], 17, transform=None, weight="bold", zorder=8.5)


def _grid_name(sheet: Sheet, p: dict[str, Any], name: str, x: float, y: float, *, below: bool) -> None:
    scale = sheet.unit / 0.72
    room = p["radius"] * sheet.pixels_a_degree
    dedicated = p["layer"] == "dedicated"
    variants = (
        [f"{p['short']}\n{name}", name, p["short"]] if dedicated and name else [f"{p['short']}\n{name}", p["short"]]
    )
    for text in variants:
        lines = [line for line in text.split("\n") if line]
        width = max((placing.text_width(line, 11.5 * scale) for line in lines), default=0.0) + 4 * scale
        height = 15 * scale * len(lines)
        if not lines or width > room * (6 if dedicated else 2.3):
            continue
        middle = y - 12 * scale - height / 2 if below else y
        if sheet.taken.first_free([around(x, middle, width, height)]):
            colour = COLOURS["dedicated" if dedicated else "ink"]
            sheet.text(x, middle, "\n".join(lines), 11.5, transform=None, color=colour, linespacing=1.15, zorder=8)
            return


def footer_line(view: GridsView) -> str:
    """Generation and time in both languages, as they stand on a sheet."""
    generation = both("generation", n=view.generation) if view.generation else both("generation.none")
    when = payload.time_text(view.at)
    return f"{generation}　{word('at', 'zh', time=when)}" if when else generation
