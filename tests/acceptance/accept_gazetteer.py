"""Words instead of coordinates, on real data: Shanghai addresses asked by their text alone, villages of four cities, speed."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
import shapely

from data.addressing import readings_of
from data.readers import read_grids
from gis.addressanswer import AddressAnswer
from gis.addressgrids import address_place
from gis.gazetteer import Entry, Gazetteer
from gis.locate import GridIndex
from gis.partition import partition_of
from gis.streetnumbers import metres_between
from tests.acceptance.check import Check, at_least, at_most, equal

SEED = 20261122
#: 闸北 went into 静安; 崇明 became a 区.
SINCE_RENAMED = {"闸北区": "静安区", "崇明县": "崇明区"}
ENTRIES = 100_000


def run(shared: Path, work: Path) -> Iterable[Check]:
    """Shanghai POI, villages, a lookup among 100,000 entries."""
    rows = pd.read_parquet(shared / "shanghai" / "poi_39888.parquet")
    yield from _shanghai(rows, shared)
    villages = pd.read_parquet(shared / "cn_address" / "villages_seed_cities.parquet")
    towns = pd.read_parquet(shared / "cn_address" / "towns_gcj02.parquet").drop_duplicates("code")
    entries = _villages(villages, towns)
    filled = [*entries, *_towns(towns), *_poi(rows)]
    filled = [*filled, *filled[: ENTRIES - len(filled)]]
    begun = time.process_time()
    gazetteer = Gazetteer(filled)
    yield equal("gazetteer: entries", ENTRIES, len(gazetteer))
    yield at_most("gazetteer of 100,000 entries: built", 15.0, time.process_time() - begun, "s of CPU")
    yield from _by_town(villages, gazetteer)
    yield from _bare(villages, gazetteer)
    yield from _speed(rows, villages, gazetteer)
    yield from _bad_input(gazetteer)


def _shanghai(rows: pd.DataFrame, shared: Path) -> Iterator[Check]:
    """80 % of the distinct address strings make the index, the other 20 % are asked."""
    kept = rows[(rows["layer"] != "bus") & (rows["address"].fillna("").str.len() >= 4)]
    yield equal("Shanghai POI: without bus and addresses under 4 characters", 29_015, len(kept))
    addresses = np.array(sorted(kept["address"].unique()))
    rng = np.random.default_rng(SEED)
    asked = set(rng.permutation(addresses)[: len(addresses) // 5].tolist())
    held, unseen = kept[~kept["address"].isin(asked)], kept[kept["address"].isin(asked)]
    yield equal("Shanghai POI: address strings on both sides of the split", 0, len(set(held["address"]) & asked))
    districts = _districts(shared)
    answered, right, errors = _asked(Gazetteer(_poi(held)), unseen, districts)
    yield at_least(f"Shanghai: of {len(unseen)} addresses answered", 60.0, 100 * answered / len(unseen), "%")
    yield at_least("Shanghai: of these in the right district", 97.0, 100 * right / answered, "%")
    yield at_most("Shanghai: median error", 150.0, float(np.median(errors)), "m")
    places = rng.permutation(len(held))
    shuffled = held.assign(lon=held["lon"].to_numpy()[places], lat=held["lat"].to_numpy()[places])
    answered, right, _ = _asked(Gazetteer(_poi(shuffled)), unseen, districts)
    yield at_most("Shanghai, places permuted: right of the answered", 40.0, 100 * right / max(answered, 1), "%")
    yield at_most("Shanghai, places permuted: right of all", 40.0, 100 * right / len(unseen), "%")


def _districts(shared: Path) -> GridIndex:
    """The 16 districts of today as grids that are called by their names."""
    file = read_grids(shared / "shanghai" / "districts_17.geojson", layer="general", rows_as_codes=True)
    name = next(column for column in file.frame.columns if (file.frame[column].astype(str) == "浦东新区").any())
    today = np.array([SINCE_RENAMED.get(one, one) for one in file.frame[name]])
    shapes = {one: shapely.union_all(file.geometry[today == one]) for one in sorted(set(today.tolist()))}
    return GridIndex.of([partition_of(list(shapes), list(shapes.values()), "general")])


def _asked(
    gazetteer: Gazetteer, unseen: pd.DataFrame, districts: GridIndex
) -> tuple[int, int, npt.NDArray[np.float64]]:
    """How many addresses have one sure place, how many of these lie in their district, and how far they are off (m)."""
    right, errors = 0, []
    for address, district, lon, lat in unseen[["address", "adname", "lon", "lat"]].itertuples(index=False):
        readings = readings_of(gazetteer, address)
        found = address_place(districts, AddressAnswer.of(readings or {}))
        if found.answer.sure and found.lon_lat is not None:
            right += found.assignment.grid == district
            errors.append(metres_between(found.lon_lat, (lon, lat)))
    return len(errors), right, np.array(errors)


def _poi(rows: pd.DataFrame) -> list[Entry]:
    points = shapely.points(rows["lon"].to_numpy(), rows["lat"].to_numpy())
    facts = rows[["name", "address", "adname"]].fillna("").itertuples(index=False)
    return [
        Entry(name, "poi", point, ("上海市", district), address=address)
        for (name, address, district), point in zip(facts, points, strict=True)
    ]


def _villages(villages: pd.DataFrame, towns: pd.DataFrame) -> list[Entry]:
    """Every village; where the list has no place, its town's with a wider doubt, or (old codes) a made-up one."""
    at = {code[:9]: (lon, lat) for code, lon, lat in towns[["code", "lon", "lat"]].itertuples(index=False)}
    entries = []
    columns = ["code", "name", "city", "county", "town", "lon", "lat"]
    for n, (code, name, city, county, town, lon, lat) in enumerate(villages[columns].itertuples(index=False)):
        own = lon == lon
        place = (lon, lat) if own else at.get(code[:9], (100.0 + n * 1e-3, 30.0))
        radius = None if own else 2_000.0
        entries.append(
            Entry(name, "village", shapely.Point(*place), (city, county, town), external_id=code, radius_m=radius)
        )
    return entries


def _towns(towns: pd.DataFrame) -> list[Entry]:
    located = towns[towns["lon"].notna()]
    columns = ["code", "name", "province", "city", "county", "lon", "lat"]
    return [
        Entry(name, "town", shapely.Point(lon, lat), (province, city, county), external_id=code)
        for code, name, province, city, county, lon, lat in located[columns].itertuples(index=False)
    ]


def _by_town(villages: pd.DataFrame, gazetteer: Gazetteer) -> Iterator[Check]:
    right = 0
    for code, name, town in villages[["code", "name", "town"]].itertuples(index=False):
        answer = gazetteer.find(town + name)
        right += [one.external_id for one in answer.rivals()] == [code] if answer.candidates else False
    yield at_least(
        f"villages of four cities: town + name is that village alone, of {len(villages)}",
        99.0,
        100 * right / len(villages),
        "%",
    )


def _bare(villages: pd.DataFrame, gazetteer: Gazetteer) -> Iterator[Check]:
    """A name that several villages bear is answered with several candidates."""
    count = Counter(villages["name"])
    shared = sorted(name for name, n in count.items() if n > 1)
    answers = [gazetteer.find(name) for name in shared]
    single = [a for a in answers if a.sure or len(a.rivals()) < 2]
    yield equal(f"villages: of {len(shared)} names that are not unique, answered as one", 0, len(single))


def _speed(rows: pd.DataFrame, villages: pd.DataFrame, gazetteer: Gazetteer) -> Iterator[Check]:
    addresses = rows["address"].dropna().sample(2_000, random_state=SEED).tolist()
    names = villages["name"].sample(1_000, random_state=SEED).tolist()
    misspelt = [f"{name[:-2]}村{name[-1]}" for name in names[:500]]
    seconds = []
    for address in [*addresses, *names, *misspelt]:
        begun = time.thread_time()
        gazetteer.find(address)
        seconds.append(time.thread_time() - begun)
    milliseconds = 1e3 * np.array(seconds)
    yield at_most("a lookup among 100,000 entries: median", 10.0, float(np.median(milliseconds)), "ms of CPU")
    yield at_most(
        "a lookup among 100,000 entries: 99 of 100", 10.0, float(np.quantile(milliseconds, 0.99)), "ms of CPU"
    )


def _bad_input(gazetteer: Gazetteer) -> Iterator[Check]:
    """Long, empty and foreign addresses are answered at once, and never with a place."""
    bad: Sequence[str] = (
        "", "🙂" * 3_000, "路" * 10_000, "1" * 10_000, "'; DROP TABLE gazetteer_entry; --", "村1组" * 3_000, "路与" * 5_000,
    )  # fmt: skip
    begun = time.thread_time()
    answers = [gazetteer.find(address) for address in bad]
    yield at_most(
        "seven bad addresses of up to 15,000 characters", 100.0, 1e3 * (time.thread_time() - begun), "ms of CPU"
    )
    yield equal("seven bad addresses: answered with a sure place", 0, sum(a.sure for a in answers))
