"""Washington redrawn: SMD 2002 repaired and in force, 311 requests stored, SMD 2013 imported as a plan, published and reverted."""

from __future__ import annotations

import json
import re
import time
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pyarrow.parquet as pq
import shapely

from data.readers import read_grids
from gis.locate import GridIndex
from gis.partition import Partition
from gis.supersede import overlaps
from tests.acceptance.check import Check, at_most, equal
from tests.acceptance.stage import Http, Stage, stage

SINCE = "2002-01-01T00:00:00-05:00"
#: An instant of the past at which SMD 2002 was true, whenever it was known.
THEN = "2010-06-01T00:00:00-04:00"
GEOJSON = "application/geo+json"
IMPORT = "import?layer=general&level=grid&match={}&code_field=SMD_ID&name_field=NAME"
IMPORT_S, PUBLISH_S = 30.0, 30.0


def run(shared: Path, work: Path) -> Iterator[Check]:
    """One store; by area rehearsed and withdrawn, by code published and reverted."""
    with stage(work, "dcplan") as one:
        yield from _town(one, shared / "dc", work)
        with one.serving() as service:
            yield from _plans(Washington(service.http(), shared / "dc"))


def _town(one: Stage, folder: Path, work: Path) -> Iterator[Check]:
    """The old division, mended, and the requests; all open, so that a publication moves each of them."""
    fields = ("--code-field", "SMD_ID", "--name-field", "NAME")
    said = one.gridbeat("check", folder / "smd_2002.parquet", *fields, "--repair", work / "smd_2002.gpkg")
    changes = re.findall(r"Differences: \d+ of \d+ grids change", said.out)
    yield equal("SMD 2002: the repair lists", ["Differences: 9 of 286 grids change"], changes)
    load = ("load", "grids", work / "smd_2002.gpkg", "--layer", "general", "--profile", "external", *fields)
    said = one.gridbeat(*load, "--effective", SINCE, "--commit")
    yield equal("SMD 2002: 286 grids, in force since 2002", True, said.code == 0 and "286 grids" in said.out)
    pairs = (
        "external_id=SERVICEREQUESTID",
        "category=SERVICECODE",
        "occurred_at=SERVICEORDERDATE",
        "reported_at=ADDDATE",
    )
    columns = [word for pair in pairs for word in ("--map", pair)]
    said = one.gridbeat(
        "load", "events", folder / "sr311_30d.parquet", *columns, "--set", "channel=311", "--commit",
        "--rejected", work / "rejected.csv",
    )  # fmt: skip
    yield equal("requests: 22,576 stored of 22,577", True, "22576 stored" in said.out)


class Washington:
    """The town over HTTP, beside the official files."""

    def __init__(self, http: Http, folder: Path) -> None:
        self.http = http
        self.old, self.new = (
            read_grids(folder / f"smd_{year}.parquet", layer="general", code_field="SMD_ID", name_field="NAME")
            for year in (2002, 2013)
        )
        table = pq.read_table(folder / "sr311_30d.parquet", columns=["lon", "lat"]).to_pandas().astype(float)
        self.places = table.dropna().to_numpy()

    def official(self, year: int) -> list[str | None]:
        """Each request's district by the file of that year, as an index of its own says."""
        file = {2002: self.old, 2013: self.new}[year]
        index = GridIndex.of([Partition("general", "grid", tuple(file.codes), file.geometry)])
        return index.locate(self.places[:, 0], self.places[:, 1], distance=False).grids()

    def located(self, **asked: str) -> list[str | None]:
        """Each request's grid, as HTTP answers it."""
        answer = self.http.call("POST", "/v1/locate", {"points": self.places.tolist(), **asked})
        found: list[str | None] = answer.body["grid"]
        return found

    def past(self, known_at: str) -> str:
        """Every grid and the number of requests in it at an instant of the past, as known at another: one text."""
        asked = {"at": THEN, "known_at": known_at}
        counts = Counter(code or "" for code in self.located(**asked))
        shapes = self.http.call(
            "GET", f"/v1/export/grids?f=geojson&at={_quoted(THEN)}&known_at={_quoted(known_at)}"
        ).body
        return json.dumps([sorted(counts.items()), shapes])

    def events(self) -> dict[str, str | None]:
        """Every stored event's grid, by id."""
        return {one["id"]: one["properties"]["grid"] for one in self.http.features("/v1/events")}

    def plan(self, match: str) -> tuple[str, Any, float]:
        """A new plan that SMD 2013 was imported into, the answer, and how long it took."""
        plan = self.http.call("POST", "/v1/plans", {"title": f"SMD 2013 by {match}"}).body["id"]
        begun = time.perf_counter()
        answer = self.write(plan, IMPORT.format(match), self.geojson(), kind=GEOJSON)
        return plan, answer, time.perf_counter() - begun

    def geojson(self) -> bytes:
        """The file of 2013 as a planner would send it, coordinates to the bit."""
        columns = {"SMD_ID": self.new.codes, "NAME": self.new.names}
        frame = gpd.GeoDataFrame(columns, geometry=list(self.new.geometry), crs=4326)
        return str(frame.to_json()).encode()

    def write(self, plan: str, what: str, body: Any, kind: str = "application/json") -> Any:
        """The answer to a write of whoever has seen the newest revision; RuntimeError when it is refused."""
        seen = self.http.get(f"/v1/plans/{plan}")["revision"]
        answer = self.http.call("POST", f"/v1/plans/{plan}/{what}", body, If_Match=f'"{seen}"', Content_Type=kind)
        if answer.status not in {200, 201}:
            raise RuntimeError(f"{what} answers {answer.status}: {str(answer.body)[:400]}")
        return answer.body


def _quoted(instant: str) -> str:
    return instant.replace("+", "%2B")


def _plans(town: Washington) -> Iterator[Check]:
    known_at = datetime.now(UTC).isoformat()
    yield equal("2002 over HTTP is as the official file", 0, _apart(town.official(2002), town.located(at=THEN)))
    past = town.past(known_at)
    yield from _by_area(town)
    yield from _by_code(town, known_at, past)


def _apart(one: list[str | None], other: list[str | None]) -> int:
    return sum(a != b for a, b in zip(one, other, strict=True)) + abs(len(one) - len(other))


# -- by area -----------------------------------------------------------------------------------------------------------


def _by_area(town: Washington) -> Iterator[Check]:
    """Who a grid is follows the largest overlap, but for codes: one that a grid of 2002 has stays with that grid.

    So the 257 codes that both files have go on, and only grids under a new code are matched by ground. 5,187 requests change their grid by
    largest-overlap successor, many to one; each of the two rules adds some and spares some.
    """
    plan, answer, took = town.plan("area")
    yield at_most("SMD 2013 by area: imported in", IMPORT_S, took, "s")
    drawn = town.http.get(f"/v1/plans/{plan}/impact", fresh="true")
    rehearsed = town.http.get(f"/v1/plans/{plan}/impact", by="rehearsal")
    yield equal("  the rehearsal says the same of grids and flows", True, _figures(drawn) == _figures(rehearsed))
    told, (successor, overlap, kept) = _explained(town)
    yield equal("  requests that change by largest-overlap successor", 5_187, int(successor.sum()))
    yield equal(f"  --match area, one to one: 5,187 + {told[0]} - {told[1]}", 5_622, int(overlap.sum()))
    name = f"  the plan, where an old code stays with its grid: 5,622 + {told[2]} (code went elsewhere) - {told[3]} (code came)"
    yield equal(name, int(kept.sum()), drawn["events_moved"])
    yield equal(
        "  open events that its publication would move", drawn["events_moved"], rehearsed["reassigned"][0]["moved"]
    )
    town.write(plan, "withdraw", {"reason": "by code instead"})
    yield equal("  34 re-used codes are findings", 34, answer["summary"].get("reused_code", 0))


def _figures(impact: Any) -> Any:
    return impact["grids"], impact["flows"], impact["totals"], impact["events_moved"]


def _explained(town: Washington) -> tuple[list[int], list[Any]]:
    """What each rule adds to and takes from the one before; and which requests change by each of the three."""
    old, new = town.old, town.new
    i, j, share = overlaps(old.geometry, new.geometry)
    best = np.argsort(share, kind="stable")
    successor = dict(zip(i[best].tolist(), j[best].tolist(), strict=True))
    area = share * shapely.area(old.geometry)[i]
    overlap = _one_to_one(i, j, area, {})
    codes = {code: k for k, code in enumerate(old.codes)}
    kept = _one_to_one(i, j, area, {codes[code]: k for k, code in enumerate(new.codes) if code in codes})
    before, after = (_rows(file.codes, town.official(year)) for file, year in ((old, 2002), (new, 2013)))
    changes = [
        np.array([heir.get(a, -1) != b for a, b in zip(before, after, strict=True)])
        for heir in (successor, overlap, kept)
    ]
    told = [
        int((~one & other).sum()) if k % 2 == 0 else int((one & ~other).sum())
        for one, other in pairwise(changes)
        for k in (0, 1)
    ]
    return told, changes


def _one_to_one(i: Any, j: Any, area: Any, fixed: dict[int, int]) -> dict[int, int]:
    """Old row -> new row: the fixed ones, then the largest common ground first."""
    heir, taken = dict(fixed), set(fixed.values())
    for k in np.lexsort((j, i, -area)).tolist():
        if int(i[k]) not in heir and int(j[k]) not in taken:
            heir[int(i[k])] = int(j[k])
            taken.add(int(j[k]))
    return heir


def _rows(codes: Any, located: list[str | None]) -> list[int]:
    """Each request's row in a file; -1 for none."""
    row = {code: k for k, code in enumerate(codes)}
    return [row.get(code or "", -1) for code in located]


# -- by code -----------------------------------------------------------------------------------------------------------


def _by_code(town: Washington, known_at: str, past: str) -> Iterator[Check]:
    """Published, both official answers are given, and reverted all is as it was."""
    before = town.events()
    plan, answer, took = town.plan("code")
    yield at_most("SMD 2013 by code: imported in", IMPORT_S, took, "s")
    yield equal("  34 re-used codes are findings", 34, answer["summary"].get("reused_code", 0))
    impact = town.http.get(f"/v1/plans/{plan}/impact", fresh="true")
    yield equal("  requests that change code, by the impact", 9_011, impact["events_moved"])
    town.write(plan, "submit", {})
    town.write(plan, "approve", {"verdict": "approved", "words": ""})
    begun = time.perf_counter()
    done = town.write(plan, "publish", {"reason": "redistricting of 2013"})["published"]
    yield at_most("  published in", PUBLISH_S, time.perf_counter() - begun, "s")
    yield equal("  requests that change code, by the publication", 9_011, done["reassigned"][0]["moved"])
    at = done["effective_at"]
    changed = sum(before[key] != grid for key, grid in town.events().items())
    yield equal("  stored events with another code than before", 9_011, changed)
    yield equal("  at the instant: as the official file of 2013", 0, _apart(town.official(2013), town.located(at=at)))
    earlier = (datetime.fromisoformat(at) - timedelta(microseconds=1)).isoformat()
    yield equal("  a microsecond before: as that of 2002", 0, _apart(town.official(2002), town.located(at=earlier)))
    yield equal("  the past with the same known_at, bit for bit", True, town.past(known_at) == past)
    town.write(plan, "revert", {"reason": "acceptance"})
    yield equal("  reverted: as the official file of 2002 again", 0, _apart(town.official(2002), town.located()))
    yield equal("  reverted: every stored event has its grid again", True, town.events() == before)
    yield equal("  reverted: the past with the same known_at, bit for bit", True, town.past(known_at) == past)
    yield equal("  reverted: 2013 at its instant", 0, _apart(town.official(2013), town.located(at=at)))
