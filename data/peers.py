"""Peers: what else can say which grid covers a place, each in the form its own documentation recommends.

A peer is prepared outside the clock (polygons loaded into its own form) and then answers for an array of places: the lowest
index of all grids that cover each, -1 for none. A peer that is not installed, or cannot be had, says so in one sentence.
"""

from __future__ import annotations

import importlib.util
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import shapely

from gis.partition import Geometries

Floats = npt.NDArray[np.float64]
Indices = npt.NDArray[np.int64]

#: Places (n, 2) in, lowest covering grid out.
Asked = Callable[[Floats], Indices]

_FREE = np.iinfo(np.int64).max


class PeerMissing(Exception):
    """A peer cannot take part; the message says why."""


@dataclass(frozen=True)
class Peer:
    """A name, the places it is asked for (slow ones get fewer), what makes it ready, and the clock: CPU, or wall for a server."""

    name: str
    places: int
    prepare: Callable[[Geometries], Asked]
    clock: Callable[[], float] = time.process_time


def lowest(places: int, place: Any, grid: Any) -> Indices:
    """The lowest grid of every place, from pairs; -1 for none."""
    found = np.full(places, _FREE, dtype=np.int64)
    np.minimum.at(found, np.asarray(place, dtype=np.int64), np.asarray(grid, dtype=np.int64))
    found[found == _FREE] = -1
    return found


def truth(geometry: Geometries, places: Floats) -> Indices:
    """The right answers by GEOS's `covers`, one prepared polygon at a time over the places in its box."""
    points = shapely.points(places)
    shapely.prepare(geometry)
    tree = shapely.STRtree(geometry)
    place, grid = tree.query(points)
    covers = shapely.covers(geometry[grid], points[place])
    return lowest(len(places), place[covers], grid[covers])


def _needs(module: str) -> None:
    if importlib.util.find_spec(module) is None:
        raise PeerMissing(f"{module} is not installed (extra bench)")


def _shapely_pairs(geometry: Geometries) -> Asked:
    tree = shapely.STRtree(geometry)
    shapely.prepare(geometry)

    def ask(places: Floats) -> Indices:
        place, grid = tree.query(shapely.points(places))
        covers = shapely.intersects_xy(geometry[grid], places[place, 0], places[place, 1])
        return lowest(len(places), place[covers], grid[covers])

    ask(places=shapely.get_coordinates(shapely.point_on_surface(geometry)))  # prepared forms complete
    return ask


def _geopandas(geometry: Geometries) -> Asked:
    import geopandas as gpd

    grids = gpd.GeoDataFrame({"grid": np.arange(len(geometry))}, geometry=geometry, crs=4326)
    _ = grids.sindex

    def ask(places: Floats) -> Indices:
        frame = gpd.GeoDataFrame(geometry=gpd.points_from_xy(*places.T), crs=4326)
        joined = gpd.sjoin(frame, grids, predicate="covered_by")
        return lowest(len(places), joined.index, joined["grid"])

    return ask


def _sedona(geometry: Geometries) -> Asked:
    _needs("sedonadb")
    import geopandas as gpd
    import pyarrow as pa
    import sedonadb

    context = sedonadb.connect()
    grids = gpd.GeoDataFrame({"grid": np.arange(len(geometry))}, geometry=geometry, crs=4326)
    context.create_data_frame(grids).to_view("grids")

    def ask(places: Floats) -> Indices:
        table = pa.table({"place": np.arange(len(places)), "lon": places[:, 0], "lat": places[:, 1]})
        context.create_data_frame(table).to_view("places", overwrite=True)
        joined = pa.table(
            context.sql(
                "SELECT p.place, min(g.grid) AS grid FROM places p JOIN grids g"
                " ON ST_Covers(g.geometry, ST_SetSRID(ST_Point(p.lon, p.lat), 4326)) GROUP BY p.place"
            )
        )
        return lowest(len(places), joined["place"], joined["grid"])

    return ask


def _polars_st(geometry: Geometries) -> Asked:
    _needs("polars_st")
    import polars as pl
    import polars_st as st

    wkb = pl.Series("geometry", list(shapely.to_wkb(geometry)), dtype=pl.Binary)
    grids = st.GeoDataFrame(pl.DataFrame({"grid": np.arange(len(geometry))}).with_columns(wkb))

    def ask(places: Floats) -> Indices:
        table = pl.DataFrame({"place": np.arange(len(places)), "lon": places[:, 0], "lat": places[:, 1]})
        points = table.select("place", st.point(pl.concat_list("lon", "lat")).alias("geometry"))
        joined = points.st.sjoin(grids, on="geometry", predicate="covered_by")
        return lowest(len(places), joined["place"].to_numpy(), joined["grid"].to_numpy())

    return ask


def _duckdb(geometry: Geometries) -> Asked:
    _needs("duckdb")
    import duckdb

    connection = duckdb.connect()
    try:
        connection.execute("LOAD spatial")
    except duckdb.Error:
        raise PeerMissing("DuckDB's extension spatial is a download that this machine does not have") from None
    connection.execute("SET threads = 1")
    connection.execute("CREATE TABLE held (grid BIGINT, wkb BLOB)")
    connection.executemany("INSERT INTO held VALUES (?, ?)", list(enumerate(shapely.to_wkb(geometry))))
    connection.execute("CREATE TABLE grids AS SELECT grid, ST_GeomFromWKB(wkb) AS shape FROM held")

    def ask(places: Floats) -> Indices:
        import pyarrow as pa

        asked = pa.table({"place": np.arange(len(places)), "lon": places[:, 0], "lat": places[:, 1]})
        connection.register("asked", asked)
        pairs = connection.execute(
            "SELECT p.place, g.grid FROM asked p JOIN grids g ON ST_Covers(g.shape, ST_Point(p.lon, p.lat))"
        ).fetchnumpy()
        return lowest(len(places), pairs["place"], pairs["grid"])

    return ask


#: In the order in which they are asked; PostGIS, which needs the store's server, is added by who has one.
PEERS: tuple[Peer, ...] = (
    Peer("shapely pairs", 1_000_000, _shapely_pairs),
    Peer("SedonaDB", 1_000_000, _sedona),
    Peer("geopandas sjoin", 1_000_000, _geopandas),
    Peer("polars-st", 200_000, _polars_st),
    Peer("DuckDB spatial", 200_000, _duckdb),
)
