"""Coordinates against other people's vectors, and county borders of one map provider against another's."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyproj
import shapely

from gis import crs, gcj
from gis.crs import BD09, GCJ02, WGS84, Datum
from tests.acceptance.check import Check, at_least, at_most, equal

Floats = npt.NDArray[np.float64]
SAMPLE_M = 250.0
GEOD = pyproj.Geod(ellps="WGS84")


def run(shared: Path, work: Path) -> Iterable[Check]:
    """Vectors, round trips, county borders."""
    yield from _eviltransform(pd.read_csv(shared / "crs_vectors/eviltransform_wgs_gcj.csv"))
    yield from _gcoord(pd.read_csv(shared / "crs_vectors/gcoord_china_cities.csv"))
    yield from _round_trips()
    yield from _one_place_in_every_datum()
    yield from _county_borders(shared / "cn_county")


def _worst_m(one: tuple[Any, Any], other: tuple[Any, Any]) -> float:
    return float(np.max(GEOD.inv(*one, *other)[2]))


def _eviltransform(table: pd.DataFrame) -> Iterator[Check]:
    yield equal("eviltransform: vectors", 6, len(table))
    lon, lat = crs.from_storage(table.wgs_lon, table.wgs_lat, GCJ02)
    worst = max(np.abs(lon - table.gcj_lon).max(), np.abs(lat - table.gcj_lat).max())
    yield at_most("eviltransform: WGS -> GCJ, worst of 6", 1e-9, float(worst), "degree")
    abroad = table[~gcj.covers(table.wgs_lon.to_numpy(), table.wgs_lat.to_numpy())]
    refused = crs.problems(abroad.wgs_lon, abroad.wgs_lat, GCJ02)
    yield equal(
        "eviltransform: refused as gcj02 abroad", ["datum-outside"] * 3, [p.code for p in refused if p is not None]
    )
    home = table.drop(abroad.index)
    back = crs.to_storage(home.gcj_lon, home.gcj_lat, GCJ02)
    worst = max(np.abs(back[0] - home.wgs_lon).max(), np.abs(back[1] - home.wgs_lat).max())
    yield at_most("eviltransform: GCJ -> WGS, worst of 3", 1e-9, float(worst), "degree")


def _gcoord(table: pd.DataFrame) -> Iterator[Check]:
    yield equal("gcoord: cities", 664, len(table))
    wgs, amap, baidu = (tuple(table[[f"{d}_x", f"{d}_y"]].to_numpy(float).T) for d in ("WGS84", "GCJ02", "BD09"))
    yield at_most("gcoord: WGS -> GCJ, worst", 1.0, _worst_m(crs.from_storage(*wgs, GCJ02), amap), "m")
    yield at_most("gcoord: GCJ -> WGS, worst", 1.0, _worst_m(crs.to_storage(*amap, GCJ02), wgs), "m")
    yield at_most("gcoord: GCJ -> BD, worst", 0.02, _worst_m(gcj.gcj02_to_bd09(*amap), baidu), "m")
    yield at_most("gcoord: BD -> GCJ, worst", 0.02, _worst_m(gcj.bd09_to_gcj02(*baidu), amap), "m")


def _round_trips() -> Iterator[Check]:
    """100,000 places anywhere in the formula's range, less a rim of 3 km where its offset ends in a step."""
    rng, rim = np.random.default_rng(20261122), 0.03
    lon = rng.uniform(gcj.WEST + rim, gcj.EAST - rim, 100_000)
    lat = rng.uniform(gcj.SOUTH + rim, gcj.NORTH - rim, 100_000)
    for datum in (GCJ02, BD09):
        back = crs.to_storage(*crs.from_storage(lon, lat, datum), datum)
        yield at_most(f"round trip of 100,000 places by {datum}, worst", 1e-6, _worst_m((lon, lat), back), "m")


def _one_place_in_every_datum() -> Iterator[Check]:
    """1,000 places of the demo town declared five ways are the same places, far closer than 1 cm."""
    rng = np.random.default_rng(4549)
    lon, lat = rng.uniform(121.15, 121.25, 1000), rng.uniform(32.0, 32.1, 1000)
    worst = 0.0
    for name in ("wgs84", "gcj02", "bd09", "cgcs2000", "EPSG:4549"):
        datum = crs.parse_datum(name)
        given = crs.from_storage(lon, lat, datum)
        one = np.array([crs.one_to_storage(x, y, datum) for x, y in zip(*map(np.ndarray.tolist, given), strict=True)])
        worst = max(worst, _worst_m((lon, lat), tuple(one.T)), _worst_m((lon, lat), crs.to_storage(*given, datum)))
    yield at_most("1,000 places declared in five datums, worst", 1e-6, worst, "m")


def _county_borders(folder: Path) -> Iterator[Check]:
    """Points every 250 m along each county's Amap border, their distances to the same county's Tianditu border.

    Counties are matched by their 6-digit code; distances in the 3-degree zone of the county's middle. The median over all
    points of all matched counties: coasts and re-drawn counties, where the maps differ by kilometres, cannot move it.
    """
    import geopandas as gpd

    amap = gpd.read_parquet(folder / "county_amap_gcj02_2016.parquet").set_index("adcode")
    frame = gpd.read_file(folder / "county_tianditu_cgcs2000.geojson").set_index("adcode")
    codes = sorted(set(amap.index) & set(frame.index))
    yield equal("counties in Amap and Tianditu", 99, len(codes))
    geometry, borders = amap.geometry[codes].to_numpy(), frame.geometry[codes].to_numpy()
    yield at_most("county borders, Amap as gcj02 to Tianditu, median", 110.0, _median_m(geometry, GCJ02, borders), "m")
    apart = _median_m(geometry, WGS84, borders)
    yield at_least("the same taken as WGS 84 (about 320 m), median", 280.0, apart, "m")
    yield at_most("the same taken as WGS 84 (about 320 m), median", 360.0, apart, "m")
    valid = shapely.is_valid(crs.convert_geometry(geometry, GCJ02))
    yield equal("converted counties that are valid", len(codes), int(valid.sum()))
    yield _still_shared(geometry)


def _median_m(geometry: Any, datum: Datum, borders: Any) -> float:
    drawn = crs.convert_geometry(geometry, datum)
    found = [_distances_m(one, other) for one, other in zip(drawn, borders, strict=True)]
    return float(np.median(np.concatenate(found)))


def _distances_m(shape: Any, other: Any) -> Floats:
    """The distances from points along one shape's border to the other's border."""
    middle = shapely.centroid(other)
    metric = pyproj.Transformer.from_crs(4326, crs.metric_crs(middle.x, middle.y), always_xy=True)

    def flat(points: Floats) -> Floats:
        return np.column_stack(metric.transform(points[:, 0], points[:, 1]))

    border, target = (shapely.transform(shapely.boundary(s), flat) for s in (shape, other))
    along = [
        shapely.line_interpolate_point(line, np.arange(0.0, shapely.length(line), SAMPLE_M))
        for line in shapely.get_parts(border)
    ]
    shapely.prepare(target)
    return np.asarray(shapely.distance(np.concatenate(along), target), dtype=np.float64)


def _still_shared(geometry: Any) -> Check:
    """Every edge that two counties draw alike in GCJ-02 becomes a chain of edges that both still draw alike, bit for bit."""
    lines = shapely.linestrings(_shared_edges(geometry))
    chains = crs.convert_geometry(lines, GCJ02)
    pieces = int((shapely.get_num_points(chains) - 1).sum())
    name = f"border edges shared bit for bit after conversion ({len(lines):,} before)"
    return equal(name, pieces, len(_shared_edges(crs.convert_geometry(geometry, GCJ02))))


def _shared_edges(geometry: Any) -> Floats:
    """The edges (n, 2, 2) that stand in more than one ring, bit for bit."""
    seen: dict[tuple[tuple[float, float], tuple[float, float]], int] = {}
    for ring in shapely.get_rings(shapely.get_parts(geometry)):
        for a, b in pairwise(map(tuple, shapely.get_coordinates(ring).tolist())):
            key = (min(a, b), max(a, b))
            seen[key] = seen.get(key, 0) + 1
    return np.array([key for key, times in seen.items() if times > 1])
