"""A GridsView as the plain data that the page reads: each shape once, exact counts, single reports up to a cap."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import numpy.typing as npt

from maps import colouring, style, words
from maps.grids import CONTEXT_KINDS, ContextShape, GridShape, GridsView, Reports

if TYPE_CHECKING:
    from maps.base import Basemap

#: More border vertices than this are simplified for display, with the first tolerance (metres) that suffices.
VERTEX_BUDGET: Final = 240_000
TOLERANCES_M: Final = (2.0, 4.0, 8.0, 16.0)
METRES_A_DEGREE: Final = 111_320.0  # for display tolerances only

#: Where a map without anything on it looks: China.
NOWHERE: Final = (73.0, 18.0, 135.0, 54.0)
NOTE_LENGTH: Final = 160
WIDEST_FIRST: Final = ("dedicated", "frontage", "general", "micro", "unit")

Shift = Callable[[npt.NDArray[np.float64]], npt.NDArray[np.float64]]


def payload(view: GridsView) -> dict[str, Any]:
    """What the page's script reads: words, colours, grids and outlines as GeoJSON, context, reports, totals, extent.

    Coordinates have 6 decimals. Layers are listed with the one that wins first; `fill` is an index into `fills`.
    """
    shift = shift_of(view.basemap)
    grids, simplified = _features(view.grids, shift)
    outlines, _ = _features(view.outlines, shift)
    for feature, fill in zip(grids, fills(view.grids), strict=True):
        feature["properties"]["fill"] = fill
    for feature, text in zip(grids, short_codes(view.grids), strict=True):
        feature["properties"]["short"] = text
    counted = count_reports(view)
    for feature, counts in zip(grids, counted.pop("by_grid"), strict=True):
        feature["properties"].update(counts)
    return {
        "lang": view.lang,
        "title": view.title,
        "words": words.table(),
        "colours": style.COLOURS,
        "fills": style.FILLS,
        "generation": view.generation,
        "at": time_text(view.at),
        "grids": {"type": "FeatureCollection", "features": grids},
        "outlines": {"type": "FeatureCollection", "features": outlines},
        "layers": layers_present(view.grids),
        "context": context_features(view.context, shift),
        "reports": _single_reports(view.reports, view.single_cap, view, shift),
        "totals": counted,
        "simplified": simplified,
        "notes": list(view.notes),
        "extent": extent(view, shift),
        "basemap": basemap_json(view.basemap),
    }


def time_text(at: datetime | None) -> str:
    """An instant with its offset as people read it, or an empty text."""
    if at is None:
        return ""
    offset = f"{at:%z}"
    return f"{at:%Y-%m-%d %H:%M}" + (f" {offset[:3]}:{offset[3:]}" if offset else "")


def layers_present(grids: Sequence[GridShape]) -> list[str]:
    """The layers that have grids, the one that lies on top first."""
    held = {grid.layer for grid in grids}
    known = [layer for layer in WIDEST_FIRST if layer in held]
    return known + sorted(held.difference(known))


def fills(grids: Sequence[GridShape]) -> list[int]:
    """One index into `style.FILLS` a grid; neighbours of one layer differ."""
    given = [0] * len(grids)
    for layer in layers_present(grids):
        index = [i for i, grid in enumerate(grids) if grid.layer == layer]
        shapes = np.array([grids[i].geometry for i in index], dtype=object)
        found = colouring.colours(len(index), colouring.neighbours(shapes), len(style.FILLS))
        for i, colour in zip(index, found.tolist(), strict=True):
            given[i] = colour
    return given


def short_codes(grids: Sequence[GridShape]) -> list[str]:
    """The part of each code that tells a grid from its siblings: what follows the parent's code, else the common start.

    Never less than two characters, so a label still looks like a code.
    """
    by_parent: dict[tuple[str, str | None], list[str]] = {}
    for grid in grids:
        by_parent.setdefault((grid.layer, grid.parent), []).append(grid.code)
    common = {key: _common_start(codes) for key, codes in by_parent.items()}

    def short(grid: GridShape) -> str:
        if len(grid.code) <= 4:
            return grid.code
        if grid.parent and grid.code.startswith(grid.parent) and len(grid.code) > len(grid.parent):
            return grid.code[len(grid.parent) :]
        cut = min(common[grid.layer, grid.parent], len(grid.code) - 3)
        return grid.code[max(cut, 0) :].lstrip("-_./ ")

    return [short(grid) for grid in grids]


def _common_start(codes: Sequence[str]) -> int:
    """How many first characters all codes share."""
    low, high = min(codes), max(codes)
    differ = (i for i, (a, b) in enumerate(zip(low, high, strict=False)) if a != b)
    return next(differ, min(len(low), len(high)))


def label_points(shapes: npt.NDArray[np.object_]) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """(points (n, 2), radii (n,)) of a circle well inside each polygon's largest part, in degrees; where a label stands."""
    import shapely

    largest = np.array([_largest_part(shape) for shape in shapes], dtype=object)
    west, south, east, north = shapely.bounds(largest).T if len(largest) else np.empty((4, 0))
    size = np.maximum(np.minimum(east - west, north - south), 1e-7)
    lines = shapely.maximum_inscribed_circle(largest, size * 0.05)
    ends = shapely.get_coordinates(lines).reshape(-1, 2, 2)
    return np.round(ends[:, 0], 6), np.round(shapely.length(lines), 7)


def _uncovered(grids: Sequence[GridShape], shapes: npt.NDArray[np.object_]) -> npt.NDArray[np.object_]:
    """The shapes without what a dedicated grid covers, so that two labels do not stand in one place; never empty."""
    import shapely

    over = np.array([grid.layer == "dedicated" for grid in grids], dtype=bool)
    if not over.any() or over.all():
        return shapes
    free = shapes.copy()
    below, above = shapely.STRtree(shapes[over]).query(shapes[~over], predicate="intersects")
    index = np.flatnonzero(~over)
    for i in np.unique(below):
        rest = shapely.difference(shapes[index[i]], shapely.union_all(shapes[over][above[below == i]]))
        if rest.area > 0.15 * shapes[index[i]].area and rest.geom_type in {"Polygon", "MultiPolygon"}:
            free[index[i]] = rest
    return free


def _largest_part(shape: Any) -> Any:
    import shapely

    if shape.geom_type != "MultiPolygon":
        return shape
    parts = shapely.get_parts(shape)
    return parts[int(np.argmax(shapely.area(parts)))]


def count_reports(view: GridsView) -> dict[str, Any]:
    """Exact counts over all reports: `by_grid` (n, open, edge a grid), and the totals of the panel."""
    reports = view.reports
    index = {grid.code: i for i, grid in enumerate(view.grids)}
    where = np.array([-1 if code is None else index.get(code, -2) for code in reports.grid], dtype=np.int64)
    edge = np.array([method == "edge" for method in reports.method], dtype=bool)
    is_open = np.array([status != "closed" for status in reports.status], dtype=bool)
    placed = np.isfinite(reports.lon) & np.isfinite(reports.lat)

    def tally(mask: npt.NDArray[np.bool_]) -> list[int]:
        return [int(n) for n in np.bincount(where[mask & (where >= 0)], minlength=len(view.grids))]

    columns = zip(tally(np.ones(len(reports), bool)), tally(is_open), tally(edge), strict=True)
    return {
        "by_grid": [{"n": n, "open": o, "edge": e} for n, o, e in columns],
        "total": len(reports),
        "open": int(is_open.sum()),
        "assigned": int((where != -1).sum()),
        "edge": int((edge & (where != -1)).sum()),
        "unassigned": int((where == -1).sum()),
        "placed": int(placed.sum()),
        "unplaced": int((~placed).sum()),
    }


def display_shapes(grids: Sequence[GridShape]) -> tuple[npt.NDArray[np.object_], float | None]:
    """(shapes to draw, tolerance in metres or None): the borders themselves, or simplified alike on both sides.

    Only for drawing: the shapes of `grids` stay as they are.
    """
    import shapely

    full = np.array([grid.geometry for grid in grids], dtype=object)
    if int(shapely.get_num_coordinates(full).sum()) <= VERTEX_BUDGET:
        return full, None
    drawn = full
    for metres in TOLERANCES_M:
        drawn = _simplified(grids, full, metres)
        if int(shapely.get_num_coordinates(drawn).sum()) <= VERTEX_BUDGET:
            return drawn, metres
    return drawn, TOLERANCES_M[-1]


def _simplified(grids: Sequence[GridShape], full: npt.NDArray[np.object_], metres: float) -> npt.NDArray[np.object_]:
    import shapely

    drawn = full.copy()
    for layer in {(grid.layer, grid.level) for grid in grids}:
        index = np.array([i for i, grid in enumerate(grids) if (grid.layer, grid.level) == layer])
        drawn[index] = shapely.coverage_simplify(full[index], metres / METRES_A_DEGREE)
    lost = shapely.is_empty(drawn) | shapely.is_missing(drawn)
    drawn[lost] = full[lost]
    return drawn


def _features(grids: Sequence[GridShape], shift: Shift) -> tuple[list[dict[str, Any]], float | None]:
    if not grids:
        return [], None
    shapes, simplified = display_shapes(grids)
    points, radii = label_points(_uncovered(grids, shapes))
    points = np.round(shift(points), 6)
    features = [
        {
            "type": "Feature",
            "properties": _properties(grid) | {"point": point, "radius": radius},
            "geometry": geojson(shape, shift),
        }
        for grid, shape, point, radius in zip(grids, shapes, points.tolist(), radii.tolist(), strict=True)
    ]
    return features, simplified


def _properties(grid: GridShape) -> dict[str, Any]:
    return {
        "code": grid.code,
        "name": grid.name,
        "layer": grid.layer,
        "level": grid.level,
        "path": grid.path,
        "area_m2": None if grid.area_m2 is None else round(grid.area_m2),
        "households": grid.households,
        "lead": grid.lead,
        "parent": grid.parent,
    }


def geojson(shape: Any, shift: Shift) -> dict[str, Any]:
    """A geometry as GeoJSON with 6 decimals; coordinates are numpy arrays, which `embed_json` writes."""
    import shapely

    def ring(line: Any) -> npt.NDArray[np.float64]:
        return np.ascontiguousarray(np.round(shift(shapely.get_coordinates(line)), 6))

    def polygon(part: Any) -> list[npt.NDArray[np.float64]]:
        return [ring(part.exterior), *(ring(hole) for hole in part.interiors)]

    kind = shape.geom_type
    if kind == "Polygon":
        return {"type": kind, "coordinates": polygon(shape)}
    if kind == "MultiPolygon":
        return {"type": kind, "coordinates": [polygon(part) for part in shape.geoms]}
    if kind == "MultiLineString":
        return {"type": kind, "coordinates": [ring(part) for part in shape.geoms]}
    return {"type": "LineString", "coordinates": ring(shape)}


def context_features(context: Sequence[ContextShape], shift: Shift) -> list[dict[str, Any]]:
    """One feature a kind, width and dimension: thousands of streets and houses are few shapes to draw."""
    held: dict[tuple[int, str, float, str], list[Any]] = {}
    for shape in context:
        kind = shape.geometry.geom_type.removeprefix("Multi")
        if shape.kind in CONTEXT_KINDS and kind in {"Polygon", "LineString"} and not shape.geometry.is_empty:
            key = (CONTEXT_KINDS.index(shape.kind), shape.kind, shape.width, kind)
            parts = [shape.geometry] if kind == shape.geometry.geom_type else list(shape.geometry.geoms)
            held.setdefault(key, []).extend(parts)
    return [
        {
            "type": "Feature",
            "properties": {"kind": kind, "width": width},
            "geometry": {
                "type": f"Multi{form}",
                "coordinates": [geojson(part, shift)["coordinates"] for part in parts],
            },
        }
        for (_, kind, width, form), parts in sorted(held.items(), key=lambda item: item[0])
    ]


def chosen_singles(reports: Reports, cap: int) -> npt.NDArray[np.intp]:
    """Which reports are drawn singly: all placed ones, or `cap` of them: without a grid, on an edge, newest first."""
    placed = np.flatnonzero(np.isfinite(reports.lon) & np.isfinite(reports.lat))
    if len(placed) <= cap:
        return placed
    rows = placed.tolist()
    rank = [0 if reports.grid[i] is None else 1 if reports.method[i] == "edge" else 2 for i in rows]
    age = [-reports.received_at[i].timestamp() for i in rows]
    return np.sort(placed[np.lexsort((age, rank))[:cap]])


def _single_reports(reports: Reports, cap: int, view: GridsView, shift: Shift) -> dict[str, Any]:
    chosen = chosen_singles(reports, cap)
    index = {grid.code: i for i, grid in enumerate(view.grids)}
    places = np.round(shift(np.column_stack([reports.lon[chosen], reports.lat[chosen]])), 6)
    zone = view.at.tzinfo if view.at else None
    drawn: dict[str, Any] = {
        "lon": np.ascontiguousarray(places[:, 0]),
        "lat": np.ascontiguousarray(places[:, 1]),
        "grid": [-1 if (code := reports.grid[i]) is None else index.get(code, -2) for i in chosen],
        "received": [f"{reports.received_at[i].astimezone(zone):%Y-%m-%d %H:%M}" for i in chosen],
        "note": [str(reports.note[i])[:NOTE_LENGTH] for i in chosen] if len(reports.note) else [],
    }
    for name in ("method", "category", "channel", "status"):
        drawn[name] = _encoded(getattr(reports, name)[i] for i in chosen)
    return drawn


def _encoded(values: Iterable[str]) -> dict[str, Any]:
    """A column as its distinct values and one index each."""
    distinct: dict[str, int] = {}
    index = [distinct.setdefault(str(value), len(distinct)) for value in values]
    return {"values": list(distinct), "index": index}


def extent(view: GridsView, shift: Shift) -> list[float]:
    """West, south, east, north of the grids, else of the outlines, else of the reports, else of China."""
    import shapely

    for shapes in (view.grids, view.outlines):
        if shapes:
            corners = np.reshape(shapely.total_bounds(np.array([s.geometry for s in shapes], dtype=object)), (2, 2))
            return [round(float(x), 6) for x in shift(corners).ravel()]
    placed = np.isfinite(view.reports.lon) & np.isfinite(view.reports.lat)
    if placed.any():
        lon, lat = view.reports.lon[placed], view.reports.lat[placed]
        return [float(lon.min()), float(lat.min()), float(lon.max()), float(lat.max())]
    return list(NOWHERE)


def shift_of(basemap: Basemap | None) -> Shift:
    """Storage coordinates into those that the tiles are drawn in; the identity without a basemap."""
    if basemap is None or basemap.crs in {"wgs84", "cgcs2000"}:
        return lambda places: places
    from gis import crs

    datum = crs.parse_datum(basemap.crs)

    def shifted(places: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        lon, lat = crs.from_storage(places[:, 0], places[:, 1], datum)
        return np.column_stack([lon, lat])

    return shifted


def basemap_json(basemap: Basemap | None) -> dict[str, Any] | None:
    """What the page needs to know of its tiles; None without any."""
    if basemap is None:
        return None
    return {
        "url": basemap.url,
        "attribution": basemap.attribution,
        "approval": basemap.approval,
        "max_zoom": basemap.max_zoom,
    }


def metres_of(degrees: float, lat: float) -> float:
    """About how many metres east an angle spans at `lat`; for labels and scale bars only."""
    return degrees * METRES_A_DEGREE * math.cos(math.radians(lat))
