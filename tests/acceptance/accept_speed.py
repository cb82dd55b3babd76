"""Speed of the assignment on synthetic cities, beside its peers in the same run; every answer checked against GEOS.

Ratios hold on a noisy machine and are asked for in full. Figures that name microseconds, milliseconds, seconds or million places
are absolute: CPU time where the work is in this process, with the limits of design/performance.md.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from data.benchlocate import Line, alone, ask, ours, partitions_of, seconds, two_threads
from data.citygen import CITIES, City, city, points
from data.peers import PEERS, Floats, truth
from gis.locate import GridIndex
from tests.acceptance.check import Check, at_least, at_most, equal

#: Absolute speeds and a city of 100,000 grids: named explicitly, on a quiet machine.
ON_REQUEST = True

#: How many times a peer's speed ours must reach on city B.
TIMES = {"shapely pairs": 10.0, "SedonaDB": 40.0, "geopandas sjoin": 70.0, "polars-st": 70.0, "DuckDB spatial": 70.0}


def run(shared: Path, work: Path) -> Iterator[Check]:
    """City B beside the peers, then city C of 100,000 grids for memory and build; no real data is read."""
    del shared, work
    town = city(CITIES["B"])
    yield from _beside_peers(town, points(town, 1_000_000))
    yield from _hundred_thousand()


def _beside_peers(town: City, places: Floats) -> Iterator[Check]:
    right = truth(town.geometry, places)
    index = GridIndex.of(partitions_of(town))
    plain, ordered, _ = ours(index, places, right)
    yield equal("city B: wrong of 1 M places, of which 2 % on borders", 0, plain.wrong)
    yield at_least("city B: one core, M places a CPU second", 20.0, _rate(plain))
    yield at_least("city B: sorted places, times random order", 1.0, _rate(ordered) / _rate(plain))
    yield at_least("city B: two threads, times one", 1.6, float(two_threads(index, places).note.split()[0]))
    for peer in PEERS:
        line = ask(peer, town, places, right)
        if line.rate is None:
            yield Check(f"city B: beside {peer.name}", "present, or said to be missing", line.note, ok=True)
            continue
        yield at_least(f"city B: times {peer.name} ({line.wrong} wrong)", TIMES[peer.name], _rate(plain) / line.rate)
    single = alone(town, places)
    yield at_most("city B: one place, grid, method and layers, p50", 3.0, single.place_us, "us")
    yield at_most("city B: one place with candidates within 50 m and path, p50", 30.0, single.one_us, "us")
    yield at_most("city B: index built", 0.6, single.build_s, "s of CPU")
    yield at_most("city B: index after one moved border", 20.0, single.moved_ms, "ms of CPU")


def _hundred_thousand() -> Iterator[Check]:
    town = city(CITIES["C"])
    places = points(town, 1_000_000)
    parts = partitions_of(town)
    begun = time.process_time()
    index = GridIndex.of(parts)
    yield at_most("city C: index of 100,000 grids built", 8.0, time.process_time() - begun, "s of CPU")
    yield at_most("city C: memory of the index", 400.0, index.nbytes / 1e6, "MB")
    lon, lat = places.T.copy()
    yield at_least(
        "city C: one core, M places a CPU second", 7.0, 1.0 / seconds(lambda: index.locate(lon, lat, distance=False))
    )
    some = np.random.default_rng(1).choice(len(places), 100_000, replace=False)
    wrong = int((index.locate(lon[some], lat[some]).winner != truth(town.geometry, places[some])).sum())
    yield equal("city C: wrong of 100,000 places", 0, wrong)


def _rate(line: Line) -> float:
    return float("nan") if line.rate is None else line.rate
