"""The map of a plan: before, after, the pieces that change hands, the events that move with them, a table of changes.

One `PlanView` is drawn as a page (`render_html`) and as a printed A3 sheet (`render_pdf`, `render_png`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from gis.errors import ParameterInvalid
from maps import base, payload, style, words
from maps.base import Assets, Basemap
from maps.grids import ContextShape, GridShape
from maps.words import Lang, word

#: What may become of a grid, in the order of the legend.
CHANGES: Final = ("created", "retired", "reshaped", "renamed", "recoded", "reparented")
#: Figures of the table, in this order; a view may have fewer.
FIGURES: Final = ("area_m2", "households", "events", "open_events")
#: Degrees, 1 mm: a border that moved by less is the same on a map.
_SAME: Final = 1e-8
#: More single events than this are not drawn; the counts are of all.
EVENTS_CAP: Final = 5_000


@dataclass(frozen=True)
class Change:
    """A row of the table: the grid by its code now (or, retired, its last), what became of it (of CHANGES), figures before and after.

    `before` and `after` are None where the grid was not there yet or is no longer; a figure nobody knows is absent. `note` says from
    or into which grids.
    """

    code: str
    name: str
    kinds: tuple[str, ...]
    before: Mapping[str, float] | None
    after: Mapping[str, float] | None
    note: str = ""


@dataclass(frozen=True)
class MovedPiece:
    """Ground that goes from one grid (code before; None: nobody's) to another (code after); empty where only events do."""

    geometry: Any
    source: str | None
    target: str | None
    area_m2: float
    events: int | None = None


@dataclass(frozen=True)
class MovedEvents:
    """Events that change their grid, one position in every sequence each: WGS 84 place, code before, code after, still open."""

    lon: npt.NDArray[np.float64] = field(default_factory=lambda: np.empty(0))
    lat: npt.NDArray[np.float64] = field(default_factory=lambda: np.empty(0))
    source: Sequence[str | None] = ()
    target: Sequence[str | None] = ()
    is_open: Sequence[bool] = ()

    def __post_init__(self) -> None:
        wanted = len(self.lon)
        for name in ("lat", "source", "target", "is_open"):
            if len(getattr(self, name)) != wanted:
                raise ParameterInvalid(f"moved events: {name} has another length than lon ({wanted})", place=name)

    def __len__(self) -> int:
        return len(self.lon)


@dataclass(frozen=True)
class PlanView:
    """Everything a map of a plan shows. `before` and `after` are the grids of the layers and level shown, whole.

    `generation` is the plan's base, `state` draft, submitted, approved, published or withdrawn, `at` the instant the figures are of.
    """

    before: Sequence[GridShape]
    after: Sequence[GridShape]
    pieces: Sequence[MovedPiece] = ()
    changes: Sequence[Change] = ()
    events: MovedEvents = field(default_factory=MovedEvents)
    outlines: Sequence[GridShape] = ()
    context: Sequence[ContextShape] = ()
    title: str = ""
    generation: int = 0
    state: str = "draft"
    at: datetime | None = None
    effective_at: datetime | None = None
    lang: Lang = "zh"
    basemap: Basemap | None = None
    notes: Sequence[str] = ()

    @property
    def heading(self) -> str:
        """The plan's title, or the map's own name."""
        return self.title or word("title.plan", self.lang)

    @property
    def figures(self) -> tuple[str, ...]:
        """The figures that some row of the table knows."""
        known = {name for row in self.changes for side in (row.before, row.after) if side for name in side}
        return tuple(name for name in FIGURES if name in known)

    @property
    def touched(self) -> frozenset[str]:
        """Codes of the grids in the table, as they were and as they will be."""
        return frozenset(row.code for row in self.changes)


def render_html(view: PlanView, assets: Assets = "static") -> str:
    """A whole HTML page that shows `view` and asks nobody for anything but `/static` (or, inline, nothing at all)."""
    data = plan_payload(view)
    west, south, east, north = data["extent"]
    page = base.folium_map(centre=((west + east) / 2, (south + north) / 2), zoom=13)
    head, body, code = base.folium_parts(page.get_root(), assets)
    return base.document(
        title=view.heading,
        lang=view.lang,
        head=[*head, base.stylesheet("pages/grids.css", assets), base.stylesheet("pages/plan.css", assets)],
        body=[
            f"<noscript>{word('noscript', view.lang)}</noscript>",
            base.embed_json(data, "gridbeat-data"),
            body,
            base.script("pages/text.js", assets),
            base.script("pages/plan.js", assets),
            base.script("pages/plantable.js", assets),
            f"<script>{code}\n{base.start_call('gridbeat.startPlan')}</script>",
        ],
        assets=assets,
        basemap=view.basemap,
    )


def render_pdf(view: PlanView) -> bytes:
    """An A3 sheet (420 x 297 mm): before, after, table of changes, legend, scale, date, generation; more pages where the table is long.

    Equal views give equal bytes. Raises FileUnreadable when no Chinese font is installed.
    """
    from maps.plansheet import draw_pdf

    return draw_pdf(view)


def render_png(view: PlanView, width: int = 2400) -> bytes:
    """The sheet's first page as a PNG of that width, in the ratio of A3."""
    from maps.plansheet import draw_png

    return draw_png(view, width)


def plan_payload(view: PlanView) -> dict[str, Any]:
    """What the page's script reads: words, colours, grids before and after, pieces, events, the table, extents."""
    shift = payload.shift_of(view.basemap)
    drawn = drawn_events(view.events)
    return {
        "lang": view.lang,
        "title": view.heading,
        "words": words.table(),
        "colours": style.COLOURS,
        "generation": view.generation,
        "state": view.state,
        "at": payload.time_text(view.at),
        "effective": payload.time_text(view.effective_at),
        "before": _grids(view.before, view, shift),
        "after": _grids(view.after, view, shift),
        **dict(
            zip(
                ("gone", "fresh"),
                ([_line(one, shift)] if not one.is_empty else [] for one in border_changes(view)),
                strict=True,
            )
        ),
        "outlines": _grids(view.outlines, view, shift),
        "context": payload.context_features(view.context, shift),
        "pieces": [
            {
                "type": "Feature",
                "geometry": payload.geojson(piece.geometry, shift),
                "properties": {
                    "from": piece.source,
                    "to": piece.target,
                    "area_m2": round(piece.area_m2, 1),
                    "events": piece.events,
                },
            }
            for piece in view.pieces
        ],
        "events": {
            "places": np.round(shift(np.column_stack((view.events.lon[drawn], view.events.lat[drawn]))), 6),
            "from": [view.events.source[i] for i in drawn],
            "to": [view.events.target[i] for i in drawn],
            "open": [bool(view.events.is_open[i]) for i in drawn],
            "total": len(view.events),
        },
        "figures": view.figures,
        "changes": [_row(change) for change in view.changes],
        "extent": _extent(view, shift),
        "basemap": payload.basemap_json(view.basemap),
        "notes": list(view.notes),
    }


def drawn_events(events: MovedEvents) -> list[int]:
    """Which events are drawn singly: those with a place, open ones first, up to EVENTS_CAP."""
    placed = np.flatnonzero(np.isfinite(events.lon) & np.isfinite(events.lat)).tolist()
    return sorted(sorted(placed, key=lambda i: not events.is_open[i])[:EVENTS_CAP])


def _grids(shapes: Sequence[GridShape], view: PlanView, shift: payload.Shift) -> list[dict[str, Any]]:
    if not shapes:
        return []
    drawn, _ = payload.display_shapes(shapes)
    points, radii = payload.label_points(drawn)
    return [
        {
            "type": "Feature",
            "geometry": payload.geojson(shape, shift),
            "properties": {
                "code": grid.code, "name": grid.name, "layer": grid.layer, "level": grid.level, "short": short,
                "touched": grid.code in view.touched, "point": point, "radius": radius,
            },
        }
        for grid, shape, short, point, radius in zip(
            shapes, drawn, payload.short_codes(shapes), np.round(shift(points), 6).tolist(), radii.tolist(), strict=True
        )
    ]  # fmt: skip


def border_changes(view: PlanView) -> tuple[Any, Any]:
    """(borders that vanish, borders that are new) of the grids concerned, as multilines; for drawing only."""
    import shapely

    old, new = (
        shapely.union_all(shapely.boundary([grid.geometry for grid in grids if grid.code in view.touched]))
        for grids in (view.before, view.after)
    )
    found = (shapely.difference(a, shapely.buffer(b, _SAME)) for a, b in ((old, new), (new, old)))
    one, other = (shapely.MultiLineString([p for p in shapely.get_parts(f) if p.length > 10 * _SAME]) for f in found)
    return one, other


def _line(shape: Any, shift: payload.Shift) -> dict[str, Any]:
    return {"type": "Feature", "properties": {}, "geometry": payload.geojson(shape, shift)}


def _row(change: Change) -> dict[str, Any]:
    return {
        "code": change.code, "name": change.name, "kinds": list(change.kinds), "note": change.note,
        "before": None if change.before is None else dict(change.before),
        "after": None if change.after is None else dict(change.after),
    }  # fmt: skip


def _extent(view: PlanView, shift: payload.Shift) -> list[float]:
    corners = np.reshape(extent_of(view), (2, 2))
    return [round(float(x), 6) for x in shift(corners).ravel()]


def extent_of(view: PlanView) -> tuple[float, float, float, float]:
    """West, south, east, north of what changes, with a margin; of all grids where nothing changes its ground."""
    import shapely

    shapes = [grid.geometry for grid in (*view.before, *view.after) if grid.code in view.touched]
    shapes += [piece.geometry for piece in view.pieces if not piece.geometry.is_empty]
    whole = [grid.geometry for grid in (*view.before, *view.after, *view.outlines)]
    if not whole:
        return payload.NOWHERE
    west, south, east, north = shapely.total_bounds(np.array(shapes or whole, dtype=object)).tolist()
    margin = 0.12 * max(east - west, north - south)
    return west - margin, south - margin, east + margin, north + margin
