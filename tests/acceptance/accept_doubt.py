"""Do probabilities come true, what do they cost, and what do they say on real borders: random towns, city B, Washington."""

from __future__ import annotations

import math
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow.parquet as pq
import shapely

from data.citygen import CITIES, city, points
from data.locating import partitions_of
from data.readers import read_grids
from gis.claims import Claims
from gis.crs import metres_per_degree
from gis.doubt import SIGMAS_68, doubt_of, doubts_of, probabilities
from gis.locate import GridIndex
from gis.partition import partition_of
from tests.acceptance.check import Check, at_least, at_most, equal
from tests.calibration import Answers, random_town, simulate

Floats = npt.NDArray[np.float64]

#: (accuracy, grid size) in metres, and places simulated for each.
PAIRS = tuple((accuracy, grid) for accuracy in (5.0, 20.0, 40.0, 65.0) for grid in (100.0, 300.0, 1_000.0))
PLACES = 40_000
ACCURACIES = (5.0, 20.0, 65.0)
BUDGET_US = 100.0


def run(shared: Path, work: Path) -> Iterable[Check]:
    """Calibration in simulation, then city B, then DC."""
    yield from _calibration()
    yield from _worse_than_stated()
    yield from _city()
    yield from _wards(shared / "dc")


def _answers(accuracy: float, grid: float, noise: float = 1.0) -> Answers:
    rng = np.random.default_rng([3, int(accuracy), int(grid)])
    claims = Claims.of(random_town(rng, 10, grid))
    return simulate(rng, claims, 10 * grid, accuracy, PLACES, noise=noise)


def _calibration() -> Iterator[Check]:
    """Per pair: every band of what was said is right as often as it says, within 3 binomial standard errors."""
    for accuracy, grid in PAIRS:
        answers = _answers(accuracy, grid)
        bands = " ".join(f"{mean:.2f}:{share:.2f}" for _, mean, share, _ in answers.bands())
        name = f"said:right for {accuracy:g} m in grids of {grid:g} m, n = {PLACES} [{bands}]: worst band"
        yield at_most(name, 3.0, answers.worst(), "standard errors")


def _worse_than_stated() -> Iterator[Check]:
    """What is lost when the true noise is 1.3 times the stated one: reported, and seen by the same test."""
    for accuracy, grid in ((20.0, 100.0), (65.0, 300.0)):
        honest, worse = _answers(accuracy, grid), _answers(accuracy, grid, 1.3)
        said = f"noise x 1.3, {accuracy:g} m in {grid:g} m"
        yield at_most(f"{said}: calibration error ({honest.error:.4f} when stated truly)", 0.1, worse.error)
        yield at_most(f"{said}: log score ({honest.log_score:.4f} when stated truly)", 2.0, worse.log_score)
        yield at_least(f"{said}: the test of calibration sees it, worst band", 3.0, worse.worst(), "standard errors")


def _city() -> Iterator[Check]:
    """City B: cost of one place and of many, sums, against a fine lattice of places, 5 km."""
    town = city(CITIES["B"])
    n = town.plan.dedicated
    parts = [
        partition_of(town.codes[:n], town.geometry[:n].tolist(), "dedicated"),
        partition_of(town.codes[n:], town.geometry[n:].tolist(), "general"),
    ]
    begun = time.perf_counter()
    claims = Claims.of(GridIndex.of(parts))
    yield at_most("city B: claims made, compiled loops loaded", 30.0, time.perf_counter() - begun, "s")
    places = np.random.default_rng(1).permutation(points(town, 20_000))
    lon, lat = places.T.copy()
    core = shapely.buffer(shapely.union_all(town.geometry[n:]), -0.008)
    shapely.prepare(core)
    for accuracy in ACCURACIES:
        yield from _cost(claims, lon, lat, accuracy, core)
    yield equal(
        "city B: winners at 300 places against locate of 4,000 true places each, off by 4.5 errors",
        0,
        _drawn(claims, lon, lat),
    )
    begun = time.perf_counter()
    doubt = doubt_of(claims, float(lon[0]), float(lat[0]), 5_000.0)
    yield at_most("city B: one place known to 5 km", 1.0, time.perf_counter() - begun, "s")
    total = sum(doubt.wins.values()) + doubt.others + doubt.outside
    yield at_most("city B: 5 km, sum of all off 1", 1e-9, abs(total - 1.0))


def _cost(claims: Claims, lon: Floats, lat: Floats, accuracy: float, core: shapely.Geometry) -> Iterator[Check]:
    """Many places twice (the first time draws the outlines), then single ones; the sums, which 1 - outside hides."""
    probabilities(claims, lon, lat, accuracy)
    begun = time.process_time()
    found = probabilities(claims, lon, lat, accuracy)
    many = (time.process_time() - begun) / len(lon) * 1e6
    yield at_most(f"city B, {accuracy:g} m: a place among many, CPU", BUDGET_US, many, "us")
    single = []
    for x, y in zip(lon[:2_000].tolist(), lat[:2_000].tolist(), strict=True):
        begun = time.process_time()
        doubt_of(claims, x, y, accuracy)
        single.append(time.process_time() - begun)
    yield at_most(f"city B, {accuracy:g} m: one place alone, CPU, p50", BUDGET_US, float(np.median(single)) * 1e6, "us")
    total = np.bincount(found.place, found.wins, len(lon)) + found.outside
    yield at_most(f"city B, {accuracy:g} m: sum of winners and nobody off 1", 1e-6, float(np.abs(total - 1.0).max()))
    inner = shapely.covers(core, shapely.points(lon, lat))
    nobody = float(found.outside_of[-1][inner].max())
    yield at_most(
        f"city B, {accuracy:g} m: {inner.sum()} places 800 m inside: 1 - sum of the general layer", 1e-6, nobody
    )
    begun = time.process_time()
    doubts_of(claims, lon, lat, np.full(len(lon), accuracy))
    many = (time.process_time() - begun) / len(lon) * 1e6
    yield at_most(f"city B, {accuracy:g} m: a place among many, as Doubt, CPU", BUDGET_US, many, "us")


def _drawn(claims: Claims, lon: Floats, lat: Floats, places: int = 300, draws: int = 4_000) -> int:
    """How many probabilities of winners lie off the share that true places drawn at random have, by more than chance allows."""
    rng, off = np.random.default_rng(2), 0
    for x, y in zip(lon[:places].tolist(), lat[:places].tolist(), strict=True):
        doubt = doubt_of(claims, x, y, 65.0)
        east, north = (float(scale[0]) for scale in metres_per_degree(np.array([y])))
        dx, dy = rng.normal(0.0, 65.0 / SIGMAS_68, (2, draws))
        winner = claims.index.locate(x + dx / east, y + dy / north, distance=False).winner
        share = np.bincount(winner + 1, minlength=len(claims.index) + 1) / draws
        said = [(share[claims.position[code] + 1], p) for code, p in doubt.wins.items()]
        off += sum(abs(seen - p) > 4.5 * math.sqrt(p * (1.0 - p) / draws) + 2.0 / draws for seen, p in said)
    return off


def _wards(folder: Path) -> Iterator[Check]:
    """DC crimes: where the official ward is another one, by less than a metre, 20 m of accuracy call it likely and ambiguous."""
    file = read_grids(folder / "ward_2012.parquet", layer="general", code_field="WARD_ID")
    claims = Claims.of(GridIndex.of(partitions_of(file)[0]))
    rows: Any = pq.read_table(folder / "crime_30d.parquet").to_pandas()
    lon, lat = (rows[axis].to_numpy(dtype=np.float64) for axis in ("lon", "lat"))
    official = [str(value).strip() for value in rows["WARD"]]
    found = claims.index.locate(lon, lat).grids()
    missed = [i for i, (a, b) in enumerate(zip(found, official, strict=True)) if a != b]
    doubts = [doubt_of(claims, lon[i], lat[i], 20.0) for i in missed]
    named = sum(doubt.wins.get(official[i], 0.0) >= 0.1 for i, doubt in zip(missed, doubts, strict=True))
    yield equal("DC crimes: other ward than the official one", 6, len(missed))
    yield equal("DC crimes: of these, official ward told of at 20 m (p >= 0.1)", len(missed), named)
    many = probabilities(claims, lon, lat, 20.0)
    said = np.zeros(len(lon))
    codes = np.array(claims.index.codes)
    right = codes[many.grid] == np.array(official)[many.place]
    said[many.place[right]] = many.wins[right]
    yield at_least("DC crimes: mean probability of the official ward at 20 m", 0.95, float(said.mean()))
    whole = shapely.union_all(claims.index.geometry)
    inner = shapely.covers(shapely.buffer(whole, -0.002), shapely.points(lon, lat))
    yield at_most("DC crimes: 200 m inside the city, nobody's", 1e-6, float(many.outside[inner].max()))
