"""The grids map: what a page or a picture of grids and their reports is made from, and the two ways to draw it.

Reports are counted by grid, not by distance on the screen: one badge a grid says whose they are. Simplification and the
cap on single marks are for display; every count is taken from all reports, and nothing here decides about a place.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import numpy.typing as npt

from gis.errors import ParameterInvalid
from maps import base
from maps.words import Lang, word

if TYPE_CHECKING:
    from maps.base import Assets, Basemap

#: Kinds of context, in the order in which they are drawn.
CONTEXT_KINDS: Final = ("field", "water", "building", "street")

#: More single reports than this are not sent to the page; the unassigned and the edge ones go first, then the newest.
SINGLE_CAP: Final = 20_000


@dataclass(frozen=True)
class GridShape:
    """One grid of any level as drawn: `geometry` is a (Multi)Polygon in WGS 84, `path` its ancestors as text.

    `households` and `lead` are None when nobody knows them (shown as unknown, never as zero); `parent` is a code.
    """

    code: str
    name: str
    layer: str
    level: str
    geometry: Any
    path: str = ""
    area_m2: float | None = None
    households: int | None = None
    lead: str | None = None
    parent: str | None = None


@dataclass(frozen=True)
class Reports:
    """Events as drawn, one position in every sequence each: `lon`/`lat` WGS 84 (NaN: no position), `grid` code or None.

    `received_at` are aware datetimes; `note` (a text, an address) may be empty or as long as the rest. Raises
    ParameterInvalid when lengths differ.
    """

    lon: npt.NDArray[np.float64] = field(default_factory=lambda: np.empty(0))
    lat: npt.NDArray[np.float64] = field(default_factory=lambda: np.empty(0))
    grid: Sequence[str | None] = ()
    method: Sequence[str] = ()
    category: Sequence[str] = ()
    channel: Sequence[str] = ()
    status: Sequence[str] = ()
    received_at: Sequence[datetime] = ()
    note: Sequence[str] = ()

    def __post_init__(self) -> None:
        wanted = len(self.lon)
        for name in ("lat", "grid", "method", "category", "channel", "status", "received_at"):
            if len(getattr(self, name)) != wanted:
                raise ParameterInvalid(f"reports: {name} has another length than lon ({wanted})", place=name)
        if len(self.note) not in {0, wanted}:
            raise ParameterInvalid(f"reports: note has another length than lon ({wanted})", place="note")

    def __len__(self) -> int:
        return len(self.lon)


@dataclass(frozen=True)
class ContextShape:
    """A line or polygon that helps to find one's way: `kind` is one of CONTEXT_KINDS, other kinds are left out.

    `width` is relative: 1 an ordinary street, 2 an arterial road, 0.6 a lane.
    """

    kind: str
    geometry: Any
    width: float = 1.0


@dataclass(frozen=True)
class GridsView:
    """Everything a grids map shows; drawn alike by `render_html` and `render_png`.

    `grids` are those that reports are assigned to, of all layers; `outlines` their ancestors (community, subdistrict,
    district). `at` is the instant shown and its offset the time zone of all times on the map. `title` defaults to the
    map's own name.
    """

    grids: Sequence[GridShape]
    outlines: Sequence[GridShape] = ()
    reports: Reports = field(default_factory=Reports)
    context: Sequence[ContextShape] = ()
    generation: int = 0
    at: datetime | None = None
    title: str | None = None
    lang: Lang = "zh"
    basemap: Basemap | None = None
    single_cap: int = SINGLE_CAP
    notes: Sequence[str] = ()

    @property
    def heading(self) -> str:
        """The title, or the map's own name."""
        return self.title or word("title.grids", self.lang)


def render_html(view: GridsView, assets: Assets = "static") -> str:
    """A whole HTML page that shows `view` and asks nobody for anything but `/static` (or, inline, nothing at all).

    Without grids the page says how to load some. Equal views give equal bytes.
    """
    from maps.payload import payload

    data = payload(view)
    west, south, east, north = data["extent"]
    page = base.folium_map(centre=((west + east) / 2, (south + north) / 2), zoom=12)
    head, body, code = base.folium_parts(page.get_root(), assets)
    own = [base.stylesheet("pages/grids.css", assets)]
    scripts = [
        base.script("pages/text.js", assets),
        base.script("pages/mapbase.js", assets),
        base.script("pages/labels.js", assets),
        base.script("pages/panel.js", assets),
        base.script("pages/grids.js", assets),
    ]
    return base.document(
        title=view.heading,
        lang=view.lang,
        head=[*head, *own],
        body=[
            f"<noscript>{word('noscript', view.lang)}</noscript>",
            base.embed_json(data, "gridbeat-data"),
            body,
            *scripts,
            f"<script>{code}\n{base.start_call('gridbeat.start')}</script>",
        ],
        assets=assets,
        basemap=view.basemap,
    )


def render_error(message: str, lang: Lang = "zh", assets: Assets = "static") -> str:
    """A page that says the map could not be drawn and why; `message` is escaped."""
    import html

    return base.document(
        title=word("error", lang),
        lang=lang,
        head=[base.stylesheet("pages/grids.css", assets)],
        body=[
            '<main class="state state-error" role="alert">',
            f"<h1>{word('error', lang)}</h1>",
            f"<p>{word('error.what', lang)}</p><p><code>{html.escape(message)}</code></p></main>",
        ],
        assets=assets,
    )


def render_png(view: GridsView, width: int = 1600, height: int = 1000) -> bytes:
    """A PNG of `width` x `height` pixels that shows `view` like a printed sheet (1600 x 1131 has the ratio of A3).

    Needs no browser and no display; safe in threads. Raises FileUnreadable when no Chinese font is installed.
    """
    from maps.picture import draw

    return draw(view, width, height)
