"""What to walk next on real streets, Wuhan's centre and 3 km of Shenzhen: the debt cleared against that of nearest first in equal time."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import shapely

from gis.debts import Debts, debts_of
from gis.nextwalk import nearest_walk, next_walk
from gis.streetgraph import StreetGraph, street_graph
from tests.acceptance.check import Check, at_least, at_most, equal

SEEDS = 20
#: Places and streets that are owed a visit, in all of the town.
OWED = {
    "Wuhan": (2000, 0),
    "Wuhan with streets": (1000, 1000),
    "Shenzhen": (300, 0),
    "Shenzhen with streets": (150, 150),
}


def run(shared: Path, work: Path) -> Iterator[Check]:
    """20 seeds each: start, minutes and debts by lot, all within the time; the median and the least ratio."""
    wuhan = gpd.read_parquet(shared / "wuhan/streets_central.parquet").geometry.to_numpy()
    shenzhen = gpd.read_file(shared / "shenzhen_osm/street_segments_3km.geojson").geometry.to_numpy()
    towns = {"Wuhan": street_graph(wuhan), "Shenzhen": street_graph(shenzhen)}
    yield from _network(towns["Wuhan"], towns["Shenzhen"])
    for name, (places, streets) in OWED.items():
        yield from _ratios(name, towns[name.split()[0]], places, streets)


def _network(wuhan: StreetGraph, shenzhen: StreetGraph) -> Iterator[Check]:
    """Both directions are drawn in places, so the edges are not longer than the lines; nine parts lie apart in Wuhan."""
    yield at_most(
        "Wuhan: km of edges that are streets", 559.0, float(wuhan.length_m[~wuhan.is_jump].sum()) / 1000, "km"
    )
    yield equal("Wuhan: jumps between parts that no street joins", 9, int(wuhan.is_jump.sum()))
    yield equal("Shenzhen: jumps", 0, int(shenzhen.is_jump.sum()))


def _ratios(name: str, town: StreetGraph, places: int, streets: int) -> Iterator[Check]:
    ratios, equals, late, cpu = [], [], [], []
    for seed in range(SEEDS):
        rng = np.random.default_rng(seed)
        debts = _debts(town, rng, places, streets)
        start, minutes = _place(town, rng), float(rng.choice([60, 120, 180, 240]))
        plain = nearest_walk(town, debts, start, minutes)
        begun = time.process_time()
        found = next_walk(town, debts, start, minutes, rng=np.random.default_rng(seed))
        cpu.append(time.process_time() - begun)
        again = next_walk(town, debts, start, minutes, rng=np.random.default_rng(seed)) if seed < 3 else found
        equals.append(found.as_json() == again.as_json())
        ratios.append(found.cleared / plain.cleared)
        late.append(max(found.used_s, plain.used_s) - minutes * 60)
    yield at_least(f"{name}: debt cleared, times that of nearest first, least of {SEEDS}", 1.3, min(ratios))
    yield at_least("... median", 1.8, float(np.median(ratios)))
    yield at_most("... seconds over the time", 1e-6, max(late), "s")
    yield equal("... the same seed gives the same walk", {True}, set(equals))
    yield at_most("... CPU seconds a walk, median", 4.0, float(np.median(cpu)), "s")


def _place(town: StreetGraph, rng: np.random.Generator) -> tuple[float, float]:
    lon, lat = town.degrees(town.node[[rng.integers(len(town.node))]])[0].tolist()
    return lon, lat


def _debts(town: StreetGraph, rng: np.random.Generator, places: int, streets: int) -> Debts:
    """Places 15 m about the streets, 2 to 8 minutes each; streets without stopping; days overdue exponential, mean 5; risk 1 to 3."""
    real = np.flatnonzero(~town.is_jump)
    line: Any = town.line[rng.choice(real, places, p=town.length_m[real] / town.length_m[real].sum())]
    beside = shapely.get_coordinates(shapely.line_interpolate_point(line, rng.random(places), normalized=True))
    where = np.full((places + streets, 2), np.nan)
    where[:places] = town.degrees(beside + rng.normal(0, 15, (places, 2)))
    count = places + streets
    days, risk = rng.exponential(5, count), rng.integers(1, 4, count)
    street = np.append(np.full(places, -1), rng.choice(len(town.lines), streets, replace=False)).astype(np.int64)
    minutes = np.append(rng.integers(2, 9, places), np.zeros(streets))
    return debts_of(
        [f"d{i:04d}" for i in range(count)], where[:, 0], where[:, 1], days * risk, minutes,
        street=street, overdue_days=days, risk=risk,
    )  # fmt: skip
