"""A CoverageView as the plain data that the page reads: each shape once, streets by class, days as whole numbers, figures as texts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime, tzinfo
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from maps import figures, payload, style, words
from maps.coverage import AGES, CLASSES, DUE, FIGURES, CoverageView, DayTrack, DuePlace, Recency, age_limits, class_of
from maps.grids import GridShape
from maps.payload import Shift

#: Millionths of a degree, 0.1 m, is what tracks are drawn with.
MICRO: Final = 1_000_000


def coverage_payload(view: CoverageView) -> dict[str, Any]:
    """What the page's script reads: words, colours, classes, grids, streets, places, tracks, figures, parameters, extent."""
    shift = payload.shift_of(view.basemap)
    grids, simplified = grid_features(view, shift)
    revisited = view.revisited
    return {
        "lang": view.lang,
        "title": view.title,
        "words": words.table(),
        "colours": style.COLOURS,
        "generation": view.generation,
        **{name: payload.time_text(getattr(view, name)) for name in ("begin", "end", "at")},
        "classes": [{"key": key, "least": least, "most": most} for key, least, most in classes(view)],
        "grids": {"type": "FeatureCollection", "features": grids},
        "outlines": {"type": "FeatureCollection", "features": outline_features(view, shift)},
        "context": payload.context_features(view.context, shift),
        "streets": streets(view, shift),
        "places": places(view, shift),
        "day": day(view, shift),
        "revisited": {
            "percent": revisited.percent(), "visited": revisited.numerator, "known": revisited.denominator,
            "missed": view.counts.get("missed", 0), "unknown": view.counts.get("unknown", 0), "none": view.counts.get("n/a", 0),
        },
        "oldest": None if view.oldest_days is None else figures.days(view.oldest_days),
        "totals": told(view.totals),
        "parameters": parameters(view.parameters, view.at.tzinfo),
        "evidence": view.evidence,
        "simplified": simplified,
        "notes": list(view.notes),
        "withheld": list(view.withheld),
        "extent": extent(view, shift),
        "basemap": payload.basemap_json(view.basemap),
    }  # fmt: skip


def classes(view: CoverageView) -> list[tuple[str, str, str]]:
    """(class, more than, at most) of every class that the legend has, limits in days as text; empty where there is none."""

    def text(day: float) -> str:
        return f"{day:g}" if np.isfinite(day) else ""

    limits = age_limits(view.revisit_days)
    shown = [key for key in CLASSES if key in limits or key not in AGES]
    ends = [limits.get(key, (np.inf, np.inf)) for key in shown]
    return [(key, text(least), text(most)) for key, (least, most) in zip(shown, ends, strict=True)]


def recency_json(recency: Recency, view: CoverageView) -> dict[str, Any]:
    """Its class, and its age in days as people read it, or None."""
    return {
        "class": class_of(recency, view.revisit_days),
        "days": None if recency.days is None else figures.days(recency.days),
    }


def told(held: Mapping[str, tuple[float, float]]) -> list[tuple[str, str, str]]:
    """(name, per cent, numerator over denominator) of each figure, in the order of FIGURES, others after them."""
    order = [name for name in FIGURES if name in held] + sorted(set(held).difference(FIGURES))
    return [
        (name, figures.percent(*held[name]), figures.fraction(*held[name], FIGURES.get(name, ""))) for name in order
    ]


def parameters(held: Mapping[str, Any], zone: tzinfo | None) -> list[tuple[str, str]]:
    """(name, value as text) of every parameter; instants in `zone`, nothing is left out."""
    return [(name, _text(value, zone)) for name, value in held.items()]


def _text(value: Any, zone: tzinfo | None) -> str:
    if isinstance(value, datetime):
        return payload.time_text(value.astimezone(zone))
    if isinstance(value, float):
        return f"{value:g}"
    return "–" if value is None else str(value)


def grid_features(view: CoverageView, shift: Shift) -> tuple[list[dict[str, Any]], float | None]:
    """(one feature a grid with its class, age, state and figures; the tolerance of the display in metres, or None)."""
    shapes = [GridShape(grid.code, grid.name, "", "grid", grid.geometry, grid.path) for grid in view.grids]
    if not shapes:
        return [], None
    drawn, simplified = payload.display_shapes(shapes)
    points, radii = payload.label_points(drawn)
    points = np.round(shift(points), 6)
    rows = zip(view.grids, drawn, payload.short_codes(shapes), points.tolist(), radii.tolist(), strict=True)
    return [
        {
            "type": "Feature",
            "geometry": payload.geojson(shape, shift),
            "properties": {
                "code": grid.code, "name": grid.name, "path": grid.path, "short": short, "point": point, "radius": radius,
                **recency_json(grid.recency, view), "state": grid.state, "figures": told(grid.figures), "members": list(grid.members),
            },
        }
        for grid, shape, short, point, radius in rows
    ], simplified  # fmt: skip


def outline_features(view: CoverageView, shift: Shift) -> list[dict[str, Any]]:
    """One feature an outline, with its level."""
    drawn = payload.display_shapes(view.outlines)[0] if view.outlines else ()
    return [
        {"type": "Feature", "geometry": payload.geojson(shape, shift), "properties": {"level": one.level, "name": one.name}}
        for one, shape in zip(view.outlines, drawn, strict=True)
    ]  # fmt: skip


def streets(view: CoverageView, shift: Shift) -> dict[str, Any]:
    """Columns, one position a piece: name (an index into `names`), length, class, age, and `lines`, each a list of parts."""
    names: dict[str, int] = {}
    held = [recency_json(street.recency, view) for street in view.streets]
    return {
        "name": [names.setdefault(street.name, len(names)) for street in view.streets],
        "names": list(names),
        "length_m": [round(street.length_m) for street in view.streets],
        "class": [one["class"] for one in held],
        "days": [one["days"] for one in held],
        "lines": [_parts(street.geometry, shift) for street in view.streets],
    }


def _parts(geometry: Any, shift: Shift) -> list[npt.NDArray[np.float64]]:
    drawn = payload.geojson(geometry, shift)
    return list(drawn["coordinates"]) if drawn["type"] == "MultiLineString" else [drawn["coordinates"]]


def places(view: CoverageView, shift: Shift) -> dict[str, Any]:
    """`rows`, one a place in the order given, and `counts` by state; times in the offset of `view.at`."""
    at = np.round(shift(np.array([(place.lon, place.lat) for place in view.places]).reshape(-1, 2)), 6)
    counted = Counter(place.state for place in view.places)
    rows = zip(view.places, at.tolist(), strict=True)
    return {
        "rows": [place_row(p, lonlat, view) for p, lonlat in rows],
        "counts": {state: counted[state] for state in DUE},
    }


def place_row(place: DuePlace, at: Sequence[float], view: CoverageView) -> dict[str, Any]:
    """A place as the list tells it: how many days over (or, below 0 and as text, to go), when seen last, the forecast."""
    over = (view.at - place.due).total_seconds() / 86_400
    return {
        "code": place.code, "kind": place.kind, "name": place.name, "at": at, "grid": place.grid, "state": place.state,
        "over": figures.days(abs(over)), "is_over": over > 0, "due": moment(place.due, view), "last": moment(place.last, view),
        "likely": None if place.probability is None else f"{100 * place.probability:.0f} %",
    }  # fmt: skip


def moment(at: datetime | None, view: CoverageView) -> str:
    """Date and minute in the map's own offset, without naming it; empty for None."""
    return "" if at is None else f"{at.astimezone(view.at.tzinfo):%Y-%m-%d %H:%M}"


def day(view: CoverageView, shift: Shift) -> dict[str, Any]:
    """The day's date, its tracks, and where in it `view.at` lies (`now`, seconds; it may be another day)."""
    begin = view.day or view.at
    now = round((view.at - begin).total_seconds())
    return {"date": f"{begin:%Y-%m-%d}", "now": now, "tracks": [track(one, shift) for one in view.tracks]}


def track(one: DayTrack, shift: Shift) -> dict[str, Any]:
    """A member's day: each piece a flat list of (seconds, lon, lat) in whole seconds and millionths of a degree.

    The first triple is whole, every other the step from the one before it: a third of the bytes.
    """
    return {
        "member": one.member, "name": one.name, "grid": one.grid,
        "pieces": [_steps(np.asarray(piece, dtype=np.float64), shift) for piece in one.pieces if len(piece)],
    }  # fmt: skip


def _steps(piece: npt.NDArray[np.float64], shift: Shift) -> npt.NDArray[np.int64]:
    whole = np.column_stack([piece[:, :1], shift(piece[:, 1:]) * MICRO])
    rounded = np.round(whole).astype(np.int64)
    return np.ascontiguousarray(np.diff(rounded, axis=0, prepend=0).ravel())


def extent(view: CoverageView, shift: Shift) -> list[float]:
    """West, south, east, north of the grids, else of the outlines, else of China."""
    import shapely

    for shapes in (view.grids, view.outlines):
        if shapes:
            corners = np.reshape(shapely.total_bounds(np.array([s.geometry for s in shapes], dtype=object)), (2, 2))
            return [round(float(x), 6) for x in shift(corners).ravel()]
    return list(payload.NOWHERE)
