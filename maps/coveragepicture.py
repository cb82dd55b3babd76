"""The coverage map as a printed sheet: figures, map, overdue table, legend; what is no age has a hatch, so black and white suffice."""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from gis.errors import ParameterInvalid
from maps import placing
from maps.coverage import By, CoverageView
from maps.coveragepayload import coverage_payload
from maps.picture import LARGEST, SMALLEST, font_family
from maps.placing import Taken, around
from maps.plansheet import HEIGHT_MM, WIDTH_MM, shapes, window
from maps.style import COLOURS
from maps.words import Lang, both, word

_INCH: Final = 25.4
_POINT_MM: Final = _INCH / 72
#: Millimetres of the sheet that are not map: margin, headline with title, table below, legend at the right.
MARGIN: Final = 12.0
TOP: Final = 53.0
BOTTOM: Final = 76.0
SIDE: Final = 104.0
#: Class -> matplotlib's hatch, drawn in the class's mark.
HATCHES: Final = {"late": "--", "never": "xx", "unknown": "////"}
#: Class of streets -> [(colour, points, dashes)], from below to above.
LINES: Final[dict[str, list[tuple[str, float, Any]]]] = {
    "none": [("recency-none", 0.8, "solid")],
    "fresh": [("recency-fresh", 1.8, "solid")],
    "half": [("recency-half", 1.8, "solid")],
    "cycle": [("recency-cycle", 1.8, "solid")],
    "unknown": [("recency-none", 1.8, "solid"), ("recency-unknown-mark", 1.8, (0, (1.2, 1.6)))],
    "late": [("recency-late", 2.2, "solid"), ("recency-late-mark", 2.2, (0, (0.5, 2.5)))],
    "old": [("recency-old", 2.7, "solid")],
    "never": [("recency-never", 3.2, "solid"), ("recency-never-mark", 1.4, (0, (2.4, 2.4)))],
}
#: More grids than this have thin borders.
MANY: Final = 400
#: State of a place -> (marker, face, edge), alike on the page.
MARKS: Final = {
    "overdue": ("^", "recency-old", "halo"),
    "unknown": ("struck", "recency-unknown", "recency-unknown-mark"),
    "soon": ("^", "surface", "recency-late"),
}
#: More tracks than this would hide what they run over: on paper they are left out, and the legend says so.
TRACKS_CAP: Final = 100
#: A square with a stroke through it: a place of which nobody knows.
_STRUCK: Final = ((-0.5, -0.5), (0.5, -0.5), (0.5, 0.5), (-0.5, 0.5), (-0.5, -0.5), (-0.5, -0.5), (0.5, 0.5))
#: Of more places than this in a state each is drawn small.
CROWD: Final = 150


@dataclass
class Sheet:
    """One sheet being drawn: figure, the view and its payload, its size in millimetres (at least A3's in both)."""

    figure: Any
    view: CoverageView
    data: dict[str, Any]
    by: By
    width: float
    height: float

    @property
    def map_frame(self) -> tuple[float, float, float, float]:
        """Left, bottom, width, height of the map in millimetres."""
        return MARGIN, BOTTOM, self.width - MARGIN - SIDE - 8, self.height - TOP - BOTTOM

    def axes(self, frame: tuple[float, float, float, float]) -> Any:
        """Axes over a frame in millimetres, without ticks; their unit is the millimetre until they are given another."""
        left, bottom, width, height = frame
        made = self.figure.add_axes((left / self.width, bottom / self.height, width / self.width, height / self.height))
        made.set(xlim=(0, width), ylim=(0, height), xticks=[], yticks=[])
        return made

    def text(self, axes: Any, x: float, y: float, text: str, size: float = 9.0, **how: Any) -> Any:
        """A text in points; a dollar sign is a dollar sign."""
        how = {"color": COLOURS["ink"], "family": font_family(), "va": "center"} | how
        return axes.text(x, y, text, fontsize=size, parse_math=False, **how)


def draw(view: CoverageView, width: int, height: int, by: By = "grid") -> bytes:
    """A PNG of `width` x `height` pixels; equal views give equal bytes."""
    if not (SMALLEST <= width <= LARGEST and SMALLEST <= height <= LARGEST):
        raise ParameterInvalid(
            f"a picture has {SMALLEST} to {LARGEST} pixels a side, not {width} x {height}", place="width"
        )
    from maps.coveragemargin import draw_margin

    sheet = _sheet(view, width, height, by)
    frame = sheet.map_frame
    axes = sheet.axes(frame)
    degrees = window(axes, frame, _roomier(sheet.data["extent"], view.evidence))
    _map(sheet, axes)
    draw_margin(sheet, degrees)
    out = io.BytesIO()
    sheet.figure.savefig(out, format="png", dpi=sheet.figure.dpi, metadata={"Software": "Gridbeat"})
    return out.getvalue()


def _sheet(view: CoverageView, width: int, height: int, by: By) -> Sheet:
    """The sheet is A3, or longer on the side on which the picture is longer: texts keep their size."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    pixels_a_mm = min(width / WIDTH_MM, height / HEIGHT_MM)
    dpi = pixels_a_mm * _INCH
    # A tenth of a pixel more, so that rounding never loses one.
    figure = Figure(figsize=((width + 0.1) / dpi, (height + 0.1) / dpi), dpi=dpi, facecolor=COLOURS["surface"])
    FigureCanvasAgg(figure)
    data = coverage_payload(view)
    streets = bool(len(view.streets))
    return Sheet(figure, view, data, by if streets else "grid", width / pixels_a_mm, height / pixels_a_mm)


def _roomier(extent: list[float], evidence: bool) -> list[float]:
    """The extent with a margin; wider in the north where it must be said that there is no evidence."""
    west, south, east, north = extent
    margin = 0.02 * max(east - west, north - south)
    return [west - margin, south - margin, east + margin, north + margin + (0 if evidence else 0.22 * (north - south))]


# -- the map -----------------------------------------------------------------------------------------------------------


def _map(sheet: Sheet, axes: Any) -> None:
    axes.set_facecolor(COLOURS["paper"])
    for spine in axes.spines.values():
        spine.set(color=COLOURS["ink"], linewidth=1.2)
    grids = sheet.data["grids"]["features"]
    if not grids:
        said = f"{both('empty')}\ngridbeat load grids FILE --layer general --commit"
        sheet.text(axes, 0.5, 0.5, said, 16, ha="center", transform=axes.transAxes)
        return
    if sheet.by == "grid":
        _fills(axes, grids)
    _context(axes, sheet)
    thin = 0.35 if len(grids) > MANY else 0.9
    line = "community" if sheet.by == "grid" else "surface-line"
    shapes(axes, grids, 4, facecolors="none", edgecolors=COLOURS[line], linewidths=thin)
    if sheet.by == "street":
        quiet = {
            "facecolors": "none",
            "edgecolors": COLOURS["grid-border"],
            "linewidths": 1.4,
            "linestyles": [(0, (6, 3))],
        }
        shapes(axes, sheet.data["outlines"]["features"], 5, **quiet)
        _streets(axes, sheet.data["streets"])
    else:
        _outlines(axes, sheet.data["outlines"]["features"])
    _tracks(axes, sheet)
    _places(axes, sheet.data["places"]["rows"])
    _labels(sheet, axes, grids)
    if not sheet.view.evidence:
        _no_evidence(sheet, axes)


def _no_evidence(sheet: Sheet, axes: Any) -> None:
    box = {"boxstyle": "round,pad=0.6", "facecolor": COLOURS["warning-soft"], "edgecolor": COLOURS["warning"]}
    lines = [
        word("coverage.evidence.none", "zh"),
        word("coverage.evidence.none", "en"),
        "gridbeat load fixes FILE --commit",
    ]
    look: dict[str, Any] = {"ha": "center", "va": "top", "linespacing": 1.4, "color": COLOURS["warning"], "zorder": 12}
    sheet.text(axes, 0.5, 0.96, "\n".join(lines), 12, transform=axes.transAxes, bbox=box, **look)


def _fills(axes: Any, grids: list[Any]) -> None:
    for key in {feature["properties"]["class"] for feature in grids}:
        held = [feature for feature in grids if feature["properties"]["class"] == key]
        fill_class(shapes(axes, held, 2), key)


def fill_class(made: Any, key: str) -> None:
    """A collection or a patch is painted as its class: its colour and, for what is late, never or unknown, its hatch."""
    made.set(facecolor=COLOURS[f"recency-{key}"], edgecolor=COLOURS.get(f"recency-{key}-mark", "none"), linewidth=0)
    if key in HATCHES:
        made.set_hatch(HATCHES[key])
        made.set_hatch_linewidth(1.0)


def _outlines(axes: Any, features: list[Any]) -> None:
    for level, width in (("community", 1.8), ("subdistrict", 2.4), ("district", 3.0)):
        held = [f for f in features if f["properties"]["level"] == level]
        shapes(axes, held, 5, facecolors="none", edgecolors=COLOURS["community-casing"], linewidths=width + 1.6)
        shapes(axes, held, 5.1, facecolors="none", edgecolors=COLOURS["community"], linewidths=width)


def _context(axes: Any, sheet: Sheet) -> None:
    """Streets and water as lines alone: filled, water would be taken for a class, and beside streets a blue line would be, too."""
    water = ("surface-line", 0.6, 1.0) if sheet.by == "street" else ("water-line", 0.6, 0.5)
    looks = {"street": ("street", 1.0, 0.7), "water": water}
    for feature in sheet.data["context"]:
        kind, width = feature["properties"]["kind"], feature["properties"]["width"]
        if kind in looks and not (kind == "street" and sheet.by == "street"):
            colour, points, alpha = looks[kind]
            look = {"edgecolors": COLOURS[colour], "linewidths": points * width, "alpha": alpha}
            shapes(axes, [feature], 3, facecolors="none", **look)


def _streets(axes: Any, streets: dict[str, Any]) -> None:
    from matplotlib.collections import LineCollection

    held: dict[str, list[Any]] = {}
    for key, parts in zip(streets["class"], streets["lines"], strict=True):
        held.setdefault(key, []).extend(parts)
    for key, parts in held.items():
        casing = LineCollection(parts, colors=COLOURS["grid-border"], linewidths=LINES[key][0][1] + 0.9, zorder=6)
        axes.add_collection(casing, autolim=False)
    for key in LINES:
        for step, (colour, width, dashes) in enumerate(LINES[key]):
            look = {"colors": COLOURS[colour], "linewidths": width, "linestyles": [dashes], "capstyle": "butt"}
            if key in held:
                axes.add_collection(LineCollection(held[key], zorder=6.1 + 0.1 * step, **look), autolim=False)


def _tracks(axes: Any, sheet: Sheet) -> None:
    from matplotlib.collections import LineCollection

    if len(sheet.view.tracks) > TRACKS_CAP:
        return
    pieces = [np.asarray(piece).reshape(-1, 3) for track in sheet.data["day"]["tracks"] for piece in track["pieces"]]
    lines = [np.cumsum(piece[:, 1:], axis=0) / 1e6 for piece in pieces]
    for colour, width in (("halo", 2.0), ("track", 0.9)):
        axes.add_collection(LineCollection(lines, colors=COLOURS[colour], linewidths=width, zorder=7), autolim=False)


def _places(axes: Any, rows: list[dict[str, Any]]) -> None:
    for state in reversed(MARKS):
        at = np.array([row["at"] for row in rows if row["state"] == state]).reshape(-1, 2)
        mark_places(axes, state, at[:, 0], at[:, 1], 14 if len(at) > CROWD else 42)


def mark_places(axes: Any, state: str, x: Any, y: Any, size: float) -> None:
    """Places of one state stand as its shape."""
    from matplotlib.path import Path

    marker, face, edge = MARKS[state]
    struck = Path(_STRUCK, [Path.MOVETO, *[Path.LINETO] * 3, Path.CLOSEPOLY, Path.MOVETO, Path.LINETO])
    look = {"facecolors": COLOURS[face], "edgecolors": COLOURS[edge], "linewidths": 0.7 if state == "overdue" else 1.1}
    axes.scatter(x, y, s=size, marker=struck if marker == "struck" else marker, zorder=8, **look)


def age_text(p: dict[str, Any], lang: Lang) -> str:
    """What stands in a grid: its days, or never, or unknown; nothing where there is nothing to see."""
    if p["class"] in {"never", "unknown", "none"}:
        return "" if p["class"] == "none" else word(f"coverage.short.{p['class']}", lang)
    return word("coverage.days", lang, days="<1" if p["days"].startswith("0.") else p["days"])


def _labels(sheet: Sheet, axes: Any, grids: list[Any]) -> None:
    """Days and codes where there is room, nothing over anything else."""
    from matplotlib.patheffects import withStroke

    taken = Taken()
    a_point = 72.0 / sheet.figure.dpi
    south, north = axes.get_ylim()
    points_a_degree = axes.get_window_extent().height / (north - south) * a_point
    for feature in sorted(grids, key=lambda f: -f["properties"]["radius"]):
        p = feature["properties"]
        room = p["radius"] * points_a_degree
        said = age_text(p, sheet.view.lang) if sheet.by == "grid" else ""
        size = min(20.0, 0.8 * room, 1.8 * room / max(placing.text_width(said, 1.0), 0.1))
        dark = sheet.by == "grid" and p["class"] in {"never", "old"}
        ink, halo = ("surface", f"recency-{p['class']}") if dark else ("ink", "halo")
        x, y = axes.transData.transform(p["point"]) * a_point
        code = p["short"] if room > 16 or not said else ""
        for text, points, down in (
            (said, size, 0.3 if code else 0.0),
            (code, max(6.5, 0.5 * size), -0.75 if said else 0.0),
        ):
            width = placing.text_width(text, points)
            box = around(x, y + down * size, width, 1.1 * points)
            if not text or points < 6 or width > 2.2 * room or not taken.first_free([box]):
                continue
            effects = [withStroke(linewidth=4.0 if dark else 2.4, foreground=COLOURS[halo])]
            look: dict[str, Any] = {
                "ha": "center",
                "weight": "bold",
                "color": COLOURS[ink],
                "path_effects": effects,
                "zorder": 10,
            }
            east, up = axes.transData.inverted().transform((x / a_point, (y + down * size) / a_point))
            sheet.text(axes, east, up, text, points, clip_on=True, **look)


def table_rows(view: CoverageView) -> int:
    """How many places the table lists: those that are not in time."""
    return sum(place.state in MARKS for place in view.places)


def heading_line(view: CoverageView) -> str:
    """Generation and instant, as they stand on a sheet."""
    generation = both("generation", n=view.generation) if view.generation else both("generation.none")
    return f"{generation}　{word('at', 'zh', time=f'{view.at:%Y-%m-%d %H:%M}')}"
