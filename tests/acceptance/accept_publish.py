"""City B with a million open events: moved borders and a whole new division are published, and no event is left behind."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import shapely
import sqlalchemy as sa

from data.citygen import CITIES, City, city, degrees, points
from data.intake import Submission, accept
from data.plans import Drafts, apply, begin
from data.publishing import Order, publish_incoming, publish_plan, rehearse_plan
from data.report import clean
from data.reverting import revert
from gis.crs import metres_per_degree_at
from gis.store import plans
from gis.store.cluster import Cluster
from gis.store.engine import create_engine, migrate
from gis.store.generations import Publication
from gis.store.live import Live
from gis.supersede import Incoming
from tests.acceptance.check import Check, at_most, equal

#: A million events are stored first, and seconds are asked for: named explicitly, on a quiet machine.
ON_REQUEST = True

EVENTS, CHUNK, BORDERS = 1_000_000, 5_000, 20
ORDER = Order("acceptance", "admin", reason="acceptance")


def run(shared: Path, work: Path) -> Iterator[Check]:
    """City B in a store of its own, whose every commit is on disk."""
    del shared
    home = work / "home"
    home.mkdir()
    home.chmod(0o711)
    work.chmod(0o711)
    cluster = Cluster.at(home)
    try:
        url = cluster.start()
        migrate(url)
        yield from _city(create_engine(url), city(CITIES["B"]))
    finally:
        cluster.stop()


def _city(engine: sa.Engine, town: City) -> Iterator[Check]:
    with engine.begin() as connection:
        publish_incoming(connection, Publication(_parts(town, town.geometry), "acceptance", "admin"))
    _store(engine, points(town, EVENTS))
    drafts, live = Drafts(), Live()
    plan = _drawn(engine, drafts, town)
    with engine.connect() as connection:
        live.state(connection, live.now(connection))  # as in a server that has answered
        begun = time.perf_counter()
        rehearsed = rehearse_plan(connection, drafts, plan, ORDER, live=live)
        connection.rollback()
        yield Check("20 moved borders rehearsed", "a figure", f"{time.perf_counter() - begun:.2f} s", ok=True)
    begun = time.perf_counter()
    with engine.begin() as connection:
        done = publish_plan(connection, drafts, plan.id, plan.revision, ORDER, live=live)
    yield at_most("20 moved borders published, open events moved", 3.0, time.perf_counter() - begun, "s")
    (task,) = done.reassigned
    yield Check("  of these looked at, moved", "some", f"{task.looked_at}, {task.moved}", ok=task.moved > 0)
    yield equal("  from whom to whom as rehearsed", True, [one.flows for one in rehearsed.reassigned] == [task.flows])
    yield equal("  open events left behind", 0, _left_behind(engine))
    begun = time.perf_counter()
    with engine.begin() as connection:
        back = revert(connection, done.generation.number, ORDER, live=live)
    yield at_most("reverted", 6.0, time.perf_counter() - begun, "s")
    yield equal("  events moved back", task.moved, back.reassigned[0].moved)
    begun = time.perf_counter()
    with engine.begin() as connection:
        publish_incoming(connection, Publication(_parts(town, _bent(town)), "acceptance", "admin"))
    yield at_most("3,000 new shapes published, open events moved", 60.0, time.perf_counter() - begun, "s")
    with engine.connect() as connection:
        moved = connection.scalar(sa.text("SELECT moved FROM reassignment ORDER BY generation DESC LIMIT 1"))
    yield Check("  of these moved", "some", str(moved), ok=bool(moved))
    yield equal("  open events left behind", 0, _left_behind(engine))


def _parts(town: City, geometry: Any) -> tuple[Incoming, ...]:
    cut = town.plan.dedicated
    rows = {"dedicated": slice(0, cut), "general": slice(cut, None)}
    found = []
    for layer, part in rows.items():
        codes = tuple(town.codes[part])
        found.append(
            Incoming(layer, "grid", codes, codes, (None,) * len(codes), np.asarray(geometry[part], dtype=object))
        )
    return tuple(found)


def _bent(town: City) -> Any:
    """Every shape under one smooth map that moves places by up to 12 m: no border stays, none is broken."""

    def bend(xy: Any) -> Any:
        x, y = xy[:, 0], xy[:, 1]
        east, north = 12.0 * np.sin(y * 700.0), 12.0 * np.sin(x * 700.0)
        lon0, lat0 = degrees(0.0, 0.0)
        lon, lat = degrees(east, north)
        return np.column_stack((x + lon - lon0, y + lat - lat0))

    return shapely.transform(town.geometry, bend)


def _store(engine: sa.Engine, places: Any) -> None:
    live, now = Live(), datetime.now(UTC)
    for begin_ in range(0, len(places), CHUNK):
        part = places[begin_ : begin_ + CHUNK].tolist()
        reports = [Submission(clean({"lon": lon, "lat": lat, "channel": "hotline"}, now)) for lon, lat in part]
        with engine.begin() as connection:
            accept(connection, live, reports, actor="acceptance")
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(sa.text("ANALYZE event"))


def _drawn(engine: sa.Engine, drafts: Drafts, town: City) -> plans.StoredPlan:
    """An approved plan that gives a bite of 60 m around the middle of a border to the other side, 20 times far apart."""
    cut = town.plan.dedicated
    rng = np.random.default_rng(5)
    tree = shapely.STRtree(town.geometry[cut:])
    with engine.begin() as connection:
        plan = begin(connection, "bites", "acceptance")
        used: set[int] = set()
        while len(used) < 2 * BORDERS:
            giver = int(rng.integers(len(town.geometry) - cut))
            near = [int(i) for i in tree.query(town.geometry[cut + giver], predicate="touches") if int(i) != giver]
            taker = next((i for i in near if _border(town, cut, giver, i).length > 2e-3), None)
            if taker is None or used & {giver, taker, *near}:
                continue
            border = shapely.line_merge(_border(town, cut, giver, taker))
            middle = shapely.line_interpolate_point(border, 0.5, normalized=True)
            area = shapely.buffer(middle, 60.0 / metres_per_degree_at(middle.y)[1])
            operation = {
                "op": "transfer", "from": town.codes[cut + giver], "to": town.codes[cut + taker],
                "area": json.loads(shapely.to_geojson(shapely.intersection(area, town.geometry[cut + giver]))),
            }  # fmt: skip
            plan = apply(connection, drafts, plan.id, operation, plan.revision, "acceptance").plan
            used |= {giver, taker}
        return plans.review(connection, plans.set_state(connection, plan, "submitted"), "approved", "", "acceptance")


def _border(town: City, cut: int, one: int, other: int) -> Any:
    return shapely.intersection(
        shapely.boundary(town.geometry[cut + one]), shapely.boundary(town.geometry[cut + other])
    )


def _left_behind(engine: sa.Engine) -> int:
    """Open events whose grid is not the one that the boundaries in force give their place."""
    with engine.connect() as connection:
        live = Live()
        state = live.state(connection, live.now(connection))
        rows = connection.execute(
            sa.text("SELECT grid::text, ST_X(geom), ST_Y(geom) FROM event WHERE status = 'open'")
        ).all()
    uids = np.array([*(state.boundaries.by_code[code].uid for code in state.index.codes), None], dtype=object)
    lon, lat = (np.array([row[i] for row in rows]) for i in (1, 2))
    located = state.index.locate(lon, lat, tolerance_m=10.0, distance=False)
    return int((uids[located.winner] != np.array([row[0] for row in rows], dtype=object)).sum())
