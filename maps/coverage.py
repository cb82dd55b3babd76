"""The coverage map: who saw what when, what is overdue, where nobody can say; one `CoverageView` drawn as a page and as a picture.

Three things are kept apart everywhere, by pattern and by words as well as by colour: long ago, never, and unknown.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import KW_ONLY, dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final, Literal

import numpy as np
import numpy.typing as npt

from gis.errors import ParameterInvalid
from gis.shares import Share
from maps import base
from maps.grids import ContextShape, GridShape
from maps.words import Lang, word

if TYPE_CHECKING:
    from maps.base import Assets, Basemap

By = Literal["grid", "street"]

#: How recently something was seen. `seen`: `days` says how long ago. `never`: its members were tracked, and it was not seen since
#: the evidence begins. `unknown`: not seen as far as anybody knows, and nobody was tracked there. `none`: nothing to see.
RECENCIES: Final = ("seen", "never", "unknown", "none")
#: States of a grid in the window; None is n/a.
STATES: Final = ("visited", "missed", "unknown")
#: States of a must-visit place, most urgent first. `unknown`: overdue as far as known, and its members were not tracked; `soon`: the
#: forecast says that it will be overdue.
DUE: Final = ("overdue", "unknown", "soon", "due")
#: Figures and their units, in the order in which they are told.
FIGURES: Final = {
    "grids_revisited": "", "places_visited": "", "households_visited": "", "street_seen_one_side": "m",
    "street_seen_both_sides": "m", "swept_area": "m2", "tracked": "s",
}  # fmt: skip
#: Classes of what was seen, by age, and of what has no age, in the order of the legend.
AGES: Final = ("fresh", "half", "cycle", "late", "old")
CLASSES: Final = (*AGES, "never", "unknown", "none")

#: What a view may withhold: names and places, streets, positions of members.
WITHHELD: Final = ("places", "streets", "tracks")

Figures = Mapping[str, tuple[float, float]]


@dataclass(frozen=True)
class Recency:
    """How recently something was seen: `kind` of RECENCIES, `days` its age.

    An `unknown` may have `days` too: the age of what is known, when something is. Raises ParameterInvalid for another kind, for
    `seen` without an age and for an age below 0.
    """

    kind: str
    days: float | None = None

    def __post_init__(self) -> None:
        if self.kind not in RECENCIES:
            raise ParameterInvalid(f"a recency is one of {', '.join(RECENCIES)}, not {self.kind!r}", place="recency")
        if (self.kind == "seen" and self.days is None) or not (self.days is None or self.days >= 0):
            raise ParameterInvalid(f"{self.kind} is no recency with an age of {self.days}", place="recency.days")


@dataclass(frozen=True)
class GridCoverage:
    """One grid: `geometry` a WGS 84 (Multi)Polygon, `path` its ancestors as text, `state` of STATES or None, its figures.

    `figures` have names of FIGURES; a denominator of 0 is n/a. `members` are the names of who works it now; empty for nobody, or
    for names that are not to be shown.
    """

    code: str
    name: str
    geometry: Any
    path: str
    recency: Recency
    state: str | None
    figures: Figures
    members: tuple[str, ...] = ()


@dataclass(frozen=True)
class StreetCoverage:
    """One piece of street: WGS 84 (Multi)LineString, its length and when it was seen."""

    name: str
    geometry: Any
    length_m: float
    recency: Recency


@dataclass(frozen=True)
class DuePlace:
    """A must-visit place: last visit (None: none since the evidence begins), when the next is due, `state` of DUE.

    `grid` is a code; `probability` is the forecast that it will be visited in time, for `soon`.
    """

    code: str
    kind: str
    name: str
    lon: float
    lat: float
    grid: str | None
    last: datetime | None
    due: datetime
    state: str
    probability: float | None = None


@dataclass(frozen=True)
class DayTrack:
    """A member's day: code, name, grid, and pieces of (n, 3): seconds since the day began, lon, lat.

    Between two pieces nothing is known: they are never joined.
    """

    member: str
    name: str
    grid: str | None
    pieces: Sequence[npt.NDArray[np.float64]]


@dataclass(frozen=True)
class CoverageView:
    """Everything a coverage map shows.

    `places` are sorted, most overdue first. `tracks` are of the day that begins at `day`; empty for callers who may not see
    positions. `withheld` names what this caller may not see, of WITHHELD: an empty list then says nothing. `totals` are the figures
    over all grids with `grids_revisited`, of which unknown grids are no part; `counts` are grids by state (visited, missed, unknown,
    n/a). `begin`, `end` and `at` have the deployment's offset. `parameters` all stand in the legend; ParameterInvalid where
    `revisit_days` is not among them or not above 0.
    """

    grids: Sequence[GridCoverage]
    _: KW_ONLY
    streets: Sequence[StreetCoverage] = ()
    places: Sequence[DuePlace] = ()
    tracks: Sequence[DayTrack] = ()
    day: datetime | None = None
    outlines: Sequence[GridShape] = ()
    context: Sequence[ContextShape] = ()
    totals: Figures = field(default_factory=dict)
    counts: Mapping[str, int] = field(default_factory=dict)
    begin: datetime
    end: datetime
    at: datetime
    parameters: Mapping[str, Any]
    generation: int = 0
    title: str | None = None
    lang: Lang = "zh"
    basemap: Basemap | None = None
    notes: tuple[str, ...] = ()
    withheld: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not self.parameters.get("revisit_days", 0) > 0:
            raise ParameterInvalid("a coverage map needs revisit_days, above 0", place="parameters.revisit_days")

    @property
    def heading(self) -> str:
        """The title, or the map's own name."""
        return self.title or word("title.coverage", self.lang)

    @property
    def revisit_days(self) -> float:
        """The cycle that ages are classed by."""
        return float(self.parameters["revisit_days"])

    @property
    def revisited(self) -> Share:
        """Grids re-visited over grids of which it is known; the unknown are no part of it."""
        known = self.counts.get("visited", 0) + self.counts.get("missed", 0)
        numerator, denominator = self.totals.get("grids_revisited", (self.counts.get("visited", 0), known))
        return Share("grids_revisited", "grids", numerator, denominator)

    @property
    def oldest_days(self) -> float | None:
        """The age of the grid that was seen longest ago, of those that were seen; None without any."""
        return max((grid.recency.days or 0.0 for grid in self.grids if grid.recency.kind == "seen"), default=None)

    @property
    def evidence(self) -> bool:
        """Somebody was tracked, or something was visited: not everything is unknown for want of positions."""
        recencies = [*(grid.recency for grid in self.grids), *(street.recency for street in self.streets)]
        known = any(recency.kind in {"seen", "never"} for recency in recencies)
        return known or bool(self.tracks) or any(place.last for place in self.places)


def age_limits(revisit_days: float) -> dict[str, tuple[float, float]]:
    """Class of AGES -> (more than, at most) days, only those that can occur; the last has no upper limit (infinity).

    `fresh` is up to one day, `half` up to half the cycle, `cycle` within it, `late` up to two cycles. An age on a limit is in the
    earlier class. A cycle of one day or less has no class between fresh and late.
    """
    ends = {
        "fresh": min(1.0, revisit_days), "half": revisit_days / 2, "cycle": revisit_days, "late": 2 * revisit_days, "old": np.inf,
    }  # fmt: skip
    limits, begin = {}, 0.0
    for key, end in ends.items():
        if end > begin:
            limits[key] = (begin, float(end))
            begin = float(end)
    return limits


def class_of(recency: Recency, revisit_days: float) -> str:
    """The class of CLASSES that a recency has in a cycle of so many days."""
    if recency.kind != "seen":
        return recency.kind
    days = recency.days or 0.0
    return next(key for key, (_, most) in age_limits(revisit_days).items() if days <= most)


def render_html(view: CoverageView, assets: Assets = "static", *, by: By = "grid") -> str:
    """A whole HTML page that shows `view` and asks nobody for anything but `/static` (or, inline, nothing at all).

    It opens coloured by grid or by street, as `by` says. Without grids the page says how to load some, without evidence that
    everything is unknown and what to load. Equal views give equal bytes.
    """
    from maps.coveragepayload import coverage_payload

    data = coverage_payload(view) | {"by": by, "served": assets == "static"}
    west, south, east, north = data["extent"]
    page = base.folium_map(centre=((west + east) / 2, (south + north) / 2), zoom=12)
    head, body, code = base.folium_parts(page.get_root(), assets)
    names = ("text", "panel", "mapbase", "coverage", "coveragepanel", "coveragelist", "coveragetime")
    return base.document(
        title=view.heading,
        lang=view.lang,
        head=[*head, base.stylesheet("pages/grids.css", assets), base.stylesheet("pages/coverage.css", assets)],
        body=[
            f"<noscript>{word('noscript', view.lang)}</noscript>",
            base.embed_json(data, "gridbeat-data"),
            body,
            *(base.script(f"pages/{name}.js", assets) for name in names),
            f"<script>{code}\n{base.start_call('gridbeat.startCoverage')}</script>",
        ],
        assets=assets,
        basemap=view.basemap,
    )


def render_pending(lang: Lang = "zh", assets: Assets = "static") -> str:
    """A page that says that the weeks before are being read; whoever serves it lets the browser ask again."""
    words = [f"<h1>{word('coverage.pending', lang)}</h1>", f"<p>{word('coverage.pending.what', lang)}</p>"]
    return base.document(
        title=word("title.coverage", lang),
        lang=lang,
        head=[base.stylesheet("pages/grids.css", assets)],
        body=['<main class="state" role="status">', *words, "</main>"],
        assets=assets,
    )


def render_png(view: CoverageView, width: int = 2400, height: int = 1697, *, by: By = "grid") -> bytes:
    """A PNG of `width` x `height` pixels that shows `view` like a printed sheet; 2400 x 1697 has the ratio of A3.

    Coloured by grid or by street. Legible in black and white. Needs no browser and no display; safe in threads. Raises
    FileUnreadable when no Chinese font is installed, ParameterInvalid for a senseless size.
    """
    from maps.coveragepicture import draw

    return draw(view, width, height, by)
