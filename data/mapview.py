"""The grids map's view, gathered from the store: grids in force, their outlines and households, and the reports upon them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, tzinfo
from typing import Any

import numpy as np

from gis.crs import area_m2
from gis.partition import LEVELS, Boundaries, Partition
from gis.prior import households_in
from gis.store.boundaries import Moment
from gis.store.context import read_context
from gis.store.engine import Connection
from gis.store.events import EventFilter, mapped_events
from gis.store.households import read_households
from gis.store.live import State
from maps.grids import ContextShape, GridShape, GridsView, Reports
from maps.words import Lang, word

#: More context than this makes a page heavy and a picture grey.
CONTEXT_CAP = 20_000
#: More events than this are not gathered: the newest are shown and counted, and the map says so.
EVENTS_CAP = 200_000


@dataclass(frozen=True)
class MapWish:
    """What a map is asked to show: one layer or all, events by filter, times in `zone`, in a language."""

    events: EventFilter
    zone: tzinfo
    layer: str | None = None
    lang: Lang = "zh"
    title: str | None = None
    notes: bool = False  # whether texts and addresses of citizens may be shown


def grids_view(connection: Connection, state: State, moment: Moment, wish: MapWish) -> GridsView:
    """Everything the grids map shows at `moment`. Counts are of all events the filter lets through, up to EVENTS_CAP.

    ParameterInvalid for a layer without grids.
    """
    if wish.layer is not None:
        state.demand(wish.layer)
    assignable = [p for p in state.boundaries.assignable() if wish.layer in {None, p.layer}]
    households = _households(connection, state)
    narrow = {(p.layer, p.level) for p in state.boundaries.assignable()}
    outlines = [p for p in state.boundaries.partitions if (p.layer, p.level) not in narrow]
    reports = _reports(connection, state, wish)
    capped = len(reports) == EVENTS_CAP
    return GridsView(
        grids=[shape for p in assignable for shape in _shapes(state.boundaries, p, households)],
        outlines=[shape for p in outlines for shape in _shapes(state.boundaries, p, {})],
        reports=reports,
        context=[ContextShape(one.kind, one.geometry, one.width) for one in read_context(connection, CONTEXT_CAP)],
        generation=state.boundaries.generation,
        at=moment.at.astimezone(wish.zone),
        title=wish.title or _title(outlines, wish.lang),
        lang=wish.lang,
        notes=(word("reports.newest", wish.lang, n=f"{EVENTS_CAP:,}"),) if capped else (),
    )


def _title(outlines: list[Partition], lang: Lang) -> str | None:
    """The narrowest area that is alone on its level names the map, such as the town; None when there is none."""
    alone = [p for p in outlines if len(p) == 1]
    narrowest = max(alone, key=lambda p: LEVELS.index(p.level), default=None)
    return f"{narrowest.names[0]} · {word('title.grids', lang)}" if narrowest is not None else None


def _shapes(boundaries: Boundaries, partition: Partition, households: dict[str, int]) -> list[GridShape]:
    areas = area_m2(partition.geometry)
    shapes = []
    for code, geometry, area in zip(partition.codes, partition.geometry, areas.tolist(), strict=True):
        unit = boundaries.by_code[code]
        parent = boundaries.units.get(unit.parent or "")
        path = " > ".join(step["name"] for step in boundaries.path(code)[:-1])
        shapes.append(
            GridShape(
                code=code,
                name=unit.name,
                layer=unit.layer,
                level=unit.level,
                geometry=geometry,
                path=path,
                area_m2=area,
                households=households.get(code),
                parent=parent.code if parent else None,
            )
        )
    return shapes


def _households(connection: Connection, state: State) -> dict[str, int]:
    """Code -> households, in every layer; empty when none were loaded: unknown is not zero."""
    lon, lat, count = read_households(connection)
    if not len(lon):
        return {}
    return households_in(state.index, lon, lat, count)


def _reports(connection: Connection, state: State, wish: MapWish) -> Reports:
    rows = mapped_events(connection, wish.events, EVENTS_CAP)[::-1]
    lon = np.array([np.nan if row.lon is None else row.lon for row in rows], dtype=np.float64)
    lat = np.array([np.nan if row.lat is None else row.lat for row in rows], dtype=np.float64)
    reports = Reports(
        lon=lon,
        lat=lat,
        grid=_codes(state, rows, lon, lat),
        method=[row.method for row in rows],
        category=[row.category or "" for row in rows],
        channel=[row.channel for row in rows],
        status=[row.status for row in rows],
        received_at=[_local(row.reported_at, wish.zone) for row in rows],
    )
    return replace(reports, note=[row.address or row.text or "" for row in rows]) if wish.notes else reports


def _codes(state: State, rows: Any, lon: Any, lat: Any) -> list[str | None]:
    """The code of each event's grid; where that grid is not in force at this moment, of the grid that has the place now."""
    units = state.boundaries.units
    codes = [units[row.grid].code if row.grid in units else None for row in rows]
    lost = [i for i, row in enumerate(rows) if row.grid is not None and codes[i] is None]
    if lost:
        for i, code in zip(lost, state.index.locate(lon[lost], lat[lost], distance=False).grids(), strict=True):
            codes[i] = code
    return codes


def _local(instant: datetime, zone: tzinfo) -> datetime:
    return instant.astimezone(zone)
