"""The demo town goes into the store the way a user's files would: one generation, households, reports with their refusals."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np
import shapely

from data.batch import plan_rows
from data.demo import SEED, Town, build_town
from data.demopatrols import PatrolsLoaded, load_patrols
from data.fixes import FixPolicy
from data.load import EventsLoaded, load_events
from data.rowchunk import Rejection, chunk_of_rows
from data.town_areas import Area
from data.town_names import SCHEME
from data.town_patrols import DAYS, MEMBERS, build_patrols
from data.towngazetteer import SOURCE, town_entries
from gis.crs import CONVERTER
from gis.errors import StateConflict
from gis.store import generations
from gis.store.categories import Category, replace_scheme
from gis.store.context import Context, replace_context
from gis.store.engine import Connection, Engine
from gis.store.gazetteer import replace_source
from gis.store.generations import Publication
from gis.store.households import NewHousehold, store_households
from gis.store.live import Live
from gis.supersede import Incoming

ACTOR = "demo"
#: The town's boundaries hold from here on, so that `at` has something to look back at.
SINCE = datetime(2025, 1, 1, tzinfo=UTC)
GROUPS = {"house": "居住", "street": "街面", "water": "河道", "field": "农田", "market": "市场"}
WIDTHS = {"arterial": 2.0, "street": 1.0, "lane": 0.6}


@dataclass(frozen=True)
class DemoLoaded:
    """The town, and what became of its reports and patrols."""

    town: Town
    events: EventsLoaded
    rejected: list[Rejection]
    patrols: PatrolsLoaded


def is_loaded(connection: Connection) -> bool:
    """Whether the store holds the demo town; StateConflict when it holds something else, which the demo must not touch."""
    first = generations.first_actor(connection)
    if first is not None and first != ACTOR:
        raise StateConflict("the store holds grids that are not the demo's: give the demo a GRIDBEAT_HOME of its own")
    return first is not None


def load_town(
    engine: Engine,
    now: datetime,
    *,
    policy: FixPolicy | None = None,
    members: int = MEMBERS,
    days: int = DAYS,
    tell: Callable[[str], None] = lambda _: None,
) -> DemoLoaded:
    """The town is in the store afterwards: boundaries, households and context at once, then its reports, then its patrols.

    `policy` is that of the deployment's fixes; `tell` hears what is being done.
    """
    town = build_town(now=now)
    with engine.begin() as connection:
        publication = Publication(tuple(incoming(town)), ACTOR, "admin", SINCE, reason=town.note)
        generations.publish(connection, publication)
        store_households(connection, [
            NewHousehold(one.lon, one.lat, one.count, one.external_id, one.address, "wgs84", CONVERTER)
            for one in town.households
        ])  # fmt: skip
        replace_context(connection, context(town))
        replace_scheme(connection, SCHEME, categories(town))
        replace_source(connection, SOURCE, town_entries(town), actor=ACTOR)
    rejected: list[Rejection] = []
    rows = [
        *town.reports,
        *({k: v for k, v in row.items() if k not in {"expected", "why"}} for row in town.bad_reports),
    ]
    chunk = chunk_of_rows(list(enumerate(rows, start=1)), [])
    plan = plan_rows(tuple(chunk.columns), source="demo town", file_key="demo")
    events = load_events(engine, Live(1), [chunk], plan, actor=ACTOR, commit=True, on_rejected=rejected.append)
    return DemoLoaded(
        town, events, rejected, add_patrols(engine, town, now, policy=policy, members=members, days=days, tell=tell)
    )


def add_patrols(
    engine: Engine,
    town: Town,
    now: datetime,
    *,
    policy: FixPolicy | None = None,
    members: int = MEMBERS,
    days: int = DAYS,
    tell: Callable[[str], None] = lambda _: None,
) -> PatrolsLoaded:
    """The town in the store has patrols of the `days` before `now` afterwards, as a town of an earlier version has not."""
    tell(f"walking {days} days of patrols ...")
    patrols = build_patrols(town, SEED, now=now, members=members, days=days)
    tell(f"loading {len(patrols.fixes):,} fixes ...")
    return load_patrols(engine, town, patrols, policy)


def categories(town: Town) -> list[Category]:
    """The town's kinds of reports, gathered by where they happen."""
    return [Category(SCHEME, one.code, one.name, group=GROUPS[one.place]) for one in town.categories]


def incoming(town: Town) -> Iterable[Incoming]:
    """Every layer and level of the town as what a file would bring."""
    for areas in (town.district, town.subdistrict, town.communities, town.grids, town.dedicated):
        yield _incoming(areas)


def _incoming(areas: list[Area]) -> Incoming:
    geometry = np.empty(len(areas), dtype=object)
    geometry[:] = [area.geometry for area in areas]
    return Incoming(
        areas[0].layer,
        areas[0].level,
        tuple(area.code for area in areas),
        tuple(area.name for area in areas),
        tuple(area.parent_code for area in areas),
        geometry,
        profile="cn15" if areas[0].level == "grid" else "external",
    )


def context(town: Town) -> Iterable[Context]:
    """Streets, water, buildings and fields for the map."""
    for street in town.streets:
        yield Context("street", street.geometry, street.name, WIDTHS[street.kind])
    # One surface: the pieces overlap where they meet, which a half transparent fill would show.
    for surface in shapely.get_parts(shapely.union_all([water.geometry for water in town.water])):
        yield Context("water", surface)
    for field in town.fields:
        yield Context("field", field.geometry)
    for building in town.buildings:
        yield Context("building", building.geometry)
