"""Whose is it, on real data and on city B: official areas of Washington, and brute force on a million points."""

from __future__ import annotations

import time
import tracemalloc
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import shapely
import typer
from typer.testing import CliRunner

from api.commands.locate import register
from data.citygen import CITIES, City, city, points
from data.locating import partitions_of
from data.readers import read_grids
from data.tables import iter_table
from gis.locate import GridIndex
from gis.partition import partition_of
from tests.acceptance.check import Check, at_least, at_most, equal

POINTS = 1_000_000
ROUNDS = 5
NEAR_M = 1.0

Indices = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Official:
    """A layer of official areas, the column that reports name them in, and how the two spell them."""

    column: str
    grids: str
    code_field: str
    rows: int
    right: int
    prefix: str = ""


CRIMES = (
    Official("ANC", "anc_2013", "ANC_ID", 2898, 2898),
    Official("VOTING_PRECINCT", "voting_precinct_2012", "NAME", 2898, 2898),
    Official("CENSUS_TRACT", "tract_2010", "TRACT", 2895, 2895),
    Official("WARD", "ward_2012", "WARD_ID", 2898, 2892),
    Official("PSA", "psa", "NAME", 2895, 2769),
)
REQUESTS = (Official("WARD", "ward_2012", "WARD_ID", 22_427, 22_390),)


def run(shared: Path, work: Path) -> Iterable[Check]:
    """DC crimes, DC requests, city B in the kernel and by the command."""
    for file, layers in (("crime_30d", CRIMES), ("sr311_30d", REQUESTS)):
        rows = pq.read_table(shared / "dc" / f"{file}.parquet").to_pandas()
        for official in layers:
            yield from _official(f"DC {file} {official.column}", rows, official, shared / "dc")
    yield from _flat_memory(work)
    town = city(CITIES["B"])
    places = points(town, POINTS)
    truth = _brute_force(town, places)
    yield equal(
        "city B: general grids are a coverage",
        True,
        bool(shapely.coverage_is_valid(town.geometry[town.plan.dedicated :])),
    )
    yield from _kernel(town, places, truth)
    yield from _command(town, places, truth, work)


def _official(name: str, rows: pd.DataFrame, official: Official, folder: Path) -> Iterator[Check]:
    """The official area is found; where it is not, by less than a metre, it is among the candidates."""
    file = read_grids(folder / f"{official.grids}.parquet", layer="general", code_field=official.code_field)
    index = GridIndex.of(partitions_of(file)[0])
    named = rows[rows[official.column].notna() & rows[official.column].astype(str).str.strip().ne("")]
    lon, lat = (named[axis].to_numpy(dtype=np.float64) for axis in ("lon", "lat"))
    wanted = [str(value).strip() for value in named[official.column]]
    found = index.locate(lon, lat).grids()
    yield equal(f"{name}: rows that name one", official.rows, len(named))
    yield equal(f"{name}: official area found", official.right, sum(a == b for a, b in zip(found, wanted, strict=True)))
    missed = np.array([i for i, (a, b) in enumerate(zip(found, wanted, strict=True)) if a != b], dtype=np.int64)
    near = [i for i in missed.tolist() if _metres_to(index, wanted[i], lon[i], lat[i]) < NEAR_M]
    listed = sum(wanted[i] in {c.grid for c in index.one(lon[i], lat[i]).candidates} for i in near)
    yield equal(
        f"{name}: misses under 1 m with the official area among the candidates",
        f"{len(near)} of {len(near)}",
        f"{listed} of {len(near)}",
    )


def _metres_to(index: GridIndex, code: str, lon: float, lat: float) -> float:
    """Geodesic metres from a place to the area with a code, measured without the kernel's own arithmetic."""
    import pyproj

    area = index.geometry[index.codes.index(code)]
    # The nearest point of the area in degrees stretched to squares at this latitude.
    stretch = np.cos(np.radians(lat))
    squared = shapely.transform(area, lambda xy: xy * (stretch, 1.0))
    foot = shapely.get_coordinates(shapely.shortest_line(shapely.Point(lon * stretch, lat), squared))[1]
    return float(pyproj.Geod(ellps="WGS84").inv(lon, lat, foot[0] / stretch, foot[1])[2])


def _flat_memory(work: Path) -> Iterator[Check]:
    """A CSV of a million rows streams: what is held at a time does not grow with the file."""
    path = work / "million.csv"
    with path.open("w", encoding="utf-8") as file:
        file.write("编号,lon,lat,描述\n")
        file.writelines(f"{i:07d},{114.2 + i * 1e-7:.7f},22.7,暴露垃圾一处\n" for i in range(POINTS))
    tracemalloc.start()
    rows, first = 0, 0
    for chunk in iter_table(path):
        rows += len(chunk)
        first = first or tracemalloc.get_traced_memory()[1]
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    yield equal("CSV of 1 M rows: rows read", POINTS, rows)
    yield at_most("CSV of 1 M rows: peak memory after the first chunk's, times", 2.5, peak / first)
    yield at_most("CSV of 1 M rows: peak memory", 64.0, peak / 2**20, "MB")


def _brute_force(town: City, places: npt.NDArray[np.float64]) -> Indices:
    """The lowest polygon that covers each place, polygon by polygon over the places in its bounding box; -1 for none."""
    truth = np.full(len(places), -1)
    lon, lat = places.T
    by_lon = np.argsort(lon)
    ordered = lon[by_lon]
    for i, (polygon, box) in enumerate(zip(town.geometry, shapely.bounds(town.geometry), strict=True)):
        strip = by_lon[np.searchsorted(ordered, box[0], "left") : np.searchsorted(ordered, box[2], "right")]
        rows = strip[(lat[strip] >= box[1]) & (lat[strip] <= box[3]) & (truth[strip] < 0)]
        truth[rows[shapely.covers(polygon, shapely.points(places[rows]))]] = i
    return truth


def _kernel(town: City, places: npt.NDArray[np.float64], truth: Indices) -> Iterator[Check]:
    """The kernel equals brute force, edge points included, quickly enough on one core."""
    n = town.plan.dedicated
    parts = [
        partition_of(town.codes[:n], town.geometry[:n].tolist(), "dedicated"),
        partition_of(town.codes[n:], town.geometry[n:].tolist(), "general"),
    ]
    begun = time.perf_counter()
    index = GridIndex.of(parts)
    yield at_most("city B: index built", 5.0, time.perf_counter() - begun, "s")
    lon, lat = places.T.copy()
    index.locate(lon[:1000], lat[:1000])  # the compiled loop is loaded
    seconds = []
    for _ in range(ROUNDS):
        begun = time.process_time()
        located = index.locate(lon, lat)
        seconds.append(time.process_time() - begun)
    yield equal("city B: of 1 M points, another grid than brute force", 0, int((located.winner != truth).sum()))
    found = np.flatnonzero(truth >= 0)
    touching = shapely.touches(town.geometry[truth[found]], shapely.points(places[found]))
    yield equal("city B: points on an edge", int(touching.sum()), int((located.method == 1).sum()))
    yield at_least(
        "city B: grid, layers, method and distance, one core", 0.5, 1.0 / float(np.median(seconds)), "M points/s"
    )
    yield at_least(
        "city B: times the speed of geopandas sjoin on the same points",
        1.0,
        _sjoin_seconds(town, places) / float(np.median(seconds)),
    )


def _sjoin_seconds(town: City, places: npt.NDArray[np.float64]) -> float:
    """What geopandas takes for the bare join, extrapolated from a tenth of the points."""
    import geopandas as gpd

    grids = gpd.GeoDataFrame({"grid": np.arange(len(town.geometry))}, geometry=town.geometry, crs=4326)
    some = places[: POINTS // 10]
    begun = time.process_time()
    gpd.sjoin(gpd.GeoDataFrame(geometry=gpd.points_from_xy(*some.T), crs=4326), grids, predicate="covered_by")
    return 10.0 * (time.process_time() - begun)


def _command(town: City, places: npt.NDArray[np.float64], truth: Indices, work: Path) -> Iterator[Check]:
    """`gridbeat locate` on the same city as files."""
    import geopandas as gpd

    frame = gpd.GeoDataFrame({"code": town.codes, "layer": town.layers}, geometry=town.geometry, crs=4326)
    frame.to_parquet(work / "grids.parquet")
    pq.write_table(pa.table({"lon": places[:, 0], "lat": places[:, 1]}), work / "points.parquet")
    app = typer.Typer()
    app.callback()(lambda: None)
    register(app)
    words = f"--grids {work}/grids.parquet --code-field code --layer-field layer --priority dedicated,general -o {work}/out.parquet"
    result: Any = CliRunner().invoke(app, ["locate", f"{work}/points.parquet", *words.split()])
    yield equal("gridbeat locate, city B: exit", 0, result.exit_code)
    out = pq.read_table(work / "out.parquet")
    found = np.array([-1 if code is None else int(code) for code in out["grid"].to_pylist()])
    yield equal("gridbeat locate, city B: rows that differ from brute force", 0, int((found != truth).sum()))
    yield equal(
        "gridbeat locate, city B: input columns unchanged", True, bool((out["lon"].to_numpy() == places[:, 0]).all())
    )
