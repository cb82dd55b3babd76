"""The datum alarm on real data: Shenzhen's taxis on its streets, Shanghai's POI in its districts, each in the right and in a wrong datum.

A district border is far from most POI (0.3 % change side), so of Shanghai the evidence is thin, and stated as it is found.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import geopandas as gpd
import numpy as np
import numpy.typing as npt
import pandas as pd

from data.datumwatch import DatumWatch, Ground, ground_of
from gis.crs import from_storage, parse_datum
from gis.datumalarm import DatumReport, Streets
from gis.locate import GridIndex
from gis.partition import partition_of
from tests.acceptance.check import Check, at_least, at_most, equal

Floats = npt.NDArray[np.float64]


def run(shared: Path, work: Path) -> Iterator[Check]:
    """Silent as declared rightly, the alarm with the right name as declared wrongly."""
    yield from _shenzhen(shared)
    yield from _shanghai(shared / "shanghai")


def _report(lon: Floats, lat: Floats, sent: str, declared: str, ground: Ground) -> DatumReport:
    """What is said of WGS 84 places that are sent in one datum and declared in another."""
    watch = DatumWatch()
    watch.see(declared, *from_storage(lon, lat, parse_datum(sent)))
    (report,) = watch.reports(ground)
    return report


def _shenzhen(shared: Path) -> Iterator[Check]:
    trips = pd.read_csv(shared / "tracks/shenzhen_taxi_trips.csv.gz")
    segments = gpd.read_file(shared / "shenzhen_osm/street_segments_3km.geojson")
    ground = Ground(None, Streets(segments.geometry.to_numpy()))
    lon, lat = trips["Lng"].to_numpy(), trips["Lat"].to_numpy()
    for sent, declared, suspected in (
        ("wgs84", "wgs84", None),
        ("gcj02", "gcj02", None),
        ("wgs84", "gcj02", "wgs84"),
        ("wgs84", "bd09", "wgs84"),
        ("gcj02", "wgs84", "gcj02"),
        ("bd09", "wgs84", "bd09"),
    ):
        report = _report(lon, lat, sent, declared, ground)
        yield equal(f"Shenzhen taxis in {sent} declared {declared}: suspected", suspected, report.suspected)
    report = _report(lon, lat, "gcj02", "wgs84", ground)
    (streets,) = [one for one in report.grounds if one.datum == "gcj02"]
    yield at_most("Shenzhen taxis in gcj02 declared wgs84: median to a street as gcj02", 10.0, streets.other, "m")
    yield at_least("... as wgs84", 25.0, streets.declared, "m")
    yield at_most("... p", 1e-6, streets.p_value)


def _shanghai(folder: Path) -> Iterator[Check]:
    poi = pd.read_parquet(folder / "poi_39888.parquet")
    lon, lat = poi["lon"].to_numpy(), poi["lat"].to_numpy()
    districts = _served(folder / "districts_17.geojson")
    for sent, suspected in (("wgs84", None), ("gcj02", "gcj02"), ("bd09", "bd09")):
        report = _report(lon, lat, sent, "wgs84", districts)
        yield equal(f"Shanghai POI in {sent} declared wgs84, 17 districts: suspected", suspected, report.suspected)
    (area,) = _report(lon, lat, "gcj02", "wgs84", districts).grounds
    moved = f"{area.for_other} in, {area.against} out"
    yield equal("Shanghai POI in gcj02: of 20,000 places read as gcj02 some come in, few go out", "57 in, 0 out", moved)
    bund = _served(folder / "streets_7_bund.geojson")
    assert bund.covers is not None
    inside = bund.covers(lon, lat)
    yield equal(
        "Shanghai POI of 7 streets in gcj02 declared wgs84: suspected",
        "gcj02",
        _report(lon[inside], lat[inside], "gcj02", "wgs84", bund).suspected,
    )
    for sent in ("wgs84", "gcj02"):  # 3 % of the city's POI lie in them: the area of seven streets must not be asked
        report = _report(lon, lat, sent, "wgs84", bund)
        yield equal(f"Shanghai's POI all, in {sent}, against the 7 streets: suspected", None, report.suspected)
    roads = gpd.read_file(folder / "osm_bund_roads.geojson").geometry.to_numpy()
    report = _report(lon, lat, "gcj02", "wgs84", Ground(None, Streets(roads)))
    yield equal("Shanghai POI in gcj02 declared wgs84, roads of the Bund: suspected", "gcj02", report.suspected)


def _served(path: Path) -> Ground:
    shapes = list(gpd.read_file(path).geometry)
    return ground_of(GridIndex.of([partition_of([str(i) for i in range(len(shapes))], shapes)]))
