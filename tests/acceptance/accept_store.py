"""Reports and boundaries in the store, by the command line and HTTP: DC's requests, and Shanghai before, between and after two changes."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import shapely

from tests.acceptance.check import Check, equal
from tests.acceptance.stage import Http, Stage, grid_path, stage

ADDRESSES = 500

#: The districts' file; 崇明县 renamed; 闸北 merged into 静安: each in force from its instant on.
FIRST, RENAMED, MERGED = "2014-01-01T00:00:00+08:00", "2015-06-01T00:00:00+08:00", "2015-11-04T00:00:00+08:00"
BEFORE, BETWEEN, AFTER = "2015-01-01T00:00:00+08:00", "2015-08-01T00:00:00+08:00", "2016-01-01T00:00:00+08:00"


def run(shared: Path, work: Path) -> Iterable[Check]:
    """DC, then Shanghai, each in a store of its own."""
    with stage(work, "dc") as one:
        yield from _requests(one, shared / "dc", work)
    with stage(work, "shanghai") as one:
        yield from _districts(one, shared / "shanghai", work)


def _figures(said: str) -> str:
    """The line of a load that counts."""
    found = re.search(r"^\d+ rows: .*$", said, re.MULTILINE)
    return found[0] if found else said[-200:]


def _requests(one: Stage, folder: Path, work: Path) -> Iterator[Check]:
    """22,577 requests: a dry run, for real, and once more."""
    grids = ("load", "grids", folder / "ward_2012.parquet", "--layer", "general", "--level", "district")
    one.do(*grids, "--code-field", "WARD_ID", "--name-field", "NAME", "--effective", "2012-01-01T00:00:00Z", "--commit")
    pairs = (
        "external_id=SERVICEREQUESTID", "category=SERVICECODE", "text=SERVICECODEDESCRIPTION", "address=STREETADDRESS",
        "occurred_at=SERVICEORDERDATE", "reported_at=ADDDATE", "closed_at=RESOLUTIONDATE",
    )  # fmt: skip
    columns = [word for pair in pairs for word in ("--map", pair)]
    load = (
        "load",
        "events",
        folder / "sr311_30d.parquet",
        *columns,
        "--set",
        "channel=311",
        "--rejected",
        work / "rejected.csv",
    )
    dry, real, again = one.gridbeat(*load), one.gridbeat(*load, "--commit"), one.gridbeat(*load, "--commit")
    yield equal("DC 311: dry run", "22577 rows: 22576 would be stored, 0 known already, 1 rejected", _figures(dry.out))
    yield equal("DC 311: stored", "22577 rows: 22576 stored, 0 known already, 1 rejected", _figures(real.out))
    yield equal("DC 311: the same again", "22577 rows: 0 stored, 22576 known already, 1 rejected", _figures(again.out))
    yield equal("DC 311: exit of each (a row was rejected)", [1, 1, 1], [dry.code, real.code, again.code])
    rejected = pd.read_csv(work / "rejected.csv", dtype=str)
    reason = "lon: a report needs a place: lon and lat, or an address"
    yield equal("DC 311: rejected data row (20,755 from 0)", f"20756 {reason}", " ".join(rejected.iloc[0, [0, 1]]))
    with one.serving() as service:
        http = service.http()
        yield from _wards(http.features("/v1/events"), folder)
        yield from _addresses(one, http, work)


def _wards(events: list[Any], folder: Path) -> Iterator[Check]:
    """The ward of every stored request against the ward it names."""
    yield equal("DC 311: events listed over HTTP", 22_576, len({event["id"] for event in events}))
    grid = {event["properties"]["external_id"]: event["properties"]["grid"] for event in events}
    table = pq.read_table(folder / "sr311_30d.parquet", columns=["SERVICEREQUESTID", "WARD"]).to_pandas()
    named = table[table.WARD.notna() & table.WARD.astype(str).str.strip().ne("")]
    right = sum(grid.get(key) == ward.strip() for key, ward in zip(named.SERVICEREQUESTID, named.WARD, strict=True))
    yield equal("DC 311: official WARD found, of 22,427", 22_390, right)
    yield equal("DC 311: requests that name a ward", 22_427, len(named))


def _addresses(one: Stage, http: Http, work: Path) -> Iterator[Check]:
    """A spreadsheet of addresses alone, as an office saves it: Chinese headings, GB18030."""
    rows = pd.DataFrame({
        "工单号": [f"Q-{n}" for n in range(ADDRESSES)],
        "事发地址": [f"长岸村{n + 1}组道路" for n in range(ADDRESSES)],
        "描述": ["路灯不亮"] * ADDRESSES,
    })  # fmt: skip
    rows.to_csv(work / "addresses.csv", index=False, encoding="gb18030")
    said = one.gridbeat("load", "events", work / "addresses.csv", "--set", "channel=hotline", "--commit")
    yield equal("500 addresses: stored", "500 rows: 500 stored, 0 known already, 0 rejected", _figures(said.out))
    queue = http.features("/v1/events/unassigned")
    waiting = {(e["properties"]["external_id"], e["properties"]["reason"], e["properties"]["address"]) for e in queue}
    meant = {(n, "address-only", address) for n, address in zip(rows["工单号"], rows["事发地址"], strict=True)}
    yield equal(
        "500 addresses: in the queue with reason address-only and their address", ADDRESSES, len(waiting & meant)
    )


def _districts(one: Stage, folder: Path, work: Path) -> Iterator[Check]:
    """Three generations by file, and the official district of 39,888 places at instants before, between and after."""
    said = [one.do(*_load(path), "--effective", since, "--commit") for path, since in _files(folder, work)]
    changes = [re.search(r"change: (.*)", text)[1] for text in said]  # type: ignore[index]
    yield equal(
        "Shanghai: 崇明县 -> 崇明区", "created 0, reshaped 0, renamed 1, recoded 0, reparented 0, retired 0", changes[1]
    )
    yield equal(
        "Shanghai: 闸北 -> 静安", "created 0, reshaped 1, renamed 0, recoded 0, reparented 0, retired 1", changes[2]
    )
    places = pd.read_parquet(folder / "poi_39888.parquet")
    with one.serving() as service:
        http = service.http()
        published = {g["number"]: g["published_at"] for g in http.get("/v1/generations")["generations"]}
        for title, at, known_at, right in (
            ("before both: 91.1 %", BEFORE, None, 36_354),
            ("between: 96.6 %", BETWEEN, None, 38_538),
            ("after both: 99.6 %", AFTER, None, 39_739),
            ("after both, as known before the merge was published: 96.6 %", AFTER, published[2], 38_538),
            ("after both, as known before the rename was published: 91.1 %", AFTER, published[1], 36_354),
        ):
            yield equal(f"Shanghai: right of 39,888, {title}", right, _right(http, places, at, known_at))
        yield from _voided(http, published)


def _files(folder: Path, work: Path) -> Iterator[tuple[Path, str]]:
    """The districts as three files, and since when each is in force."""
    yield folder / "districts_17.geojson", FIRST
    districts = gpd.read_file(folder / "districts_17.geojson")
    districts.loc[districts.NAME == "崇明县", "NAME"] = "崇明区"
    districts.to_file(work / "renamed.geojson")
    yield work / "renamed.geojson", RENAMED
    merged = districts.NAME.isin(["闸北区", "静安区"])
    union = shapely.coverage_union_all(districts.geometry[merged].to_numpy())
    districts.loc[districts.NAME == "静安区", "geometry"] = union
    districts[districts.NAME != "闸北区"].to_file(work / "merged.geojson")
    yield work / "merged.geojson", MERGED


def _load(path: Path) -> tuple[str | Path, ...]:
    fields = ("--code-field", "ADMINCODE", "--name-field", "NAME")
    return "load", "grids", path, "--layer", "general", "--level", "district", *fields


def _right(http: Http, places: pd.DataFrame, at: str, known_at: str | None) -> int:
    """How many places get a grid that has, at that moment, the name of the district they name."""
    asked = {"at": at} | ({"known_at": known_at} if known_at else {})
    names = {f["properties"]["code"]: f["properties"]["name"] for f in http.features("/v1/grids", **asked)}
    answer = http.call("POST", "/v1/locate", {"points": places[["lon", "lat"]].to_numpy().tolist(), **asked})
    found = np.array([names.get(code, "") for code in answer.body["grid"]])
    return int((found == places.adname.to_numpy(str)).sum())


def _voided(http: Http, published: dict[int, str]) -> Iterator[Check]:
    """闸北's code once it is void."""
    gone = http.call("GET", grid_path("310108"))
    yield equal(
        "Shanghai: 闸北 now",
        "410 code-voided ['310106']",
        f"{gone.status} {gone.body['code']} {gone.body['successors']}",
    )
    then = http.get(grid_path("310108"), at=BETWEEN)["properties"]["name"]
    yield equal("Shanghai: 闸北 between", "闸北区", then)
    believed = http.get(grid_path("310108"), at=AFTER, known_at=published[2])["properties"]["name"]
    yield equal("Shanghai: 闸北 after, as known before the merge was published", "闸北区", believed)
