"""Crosswalk and impact on real redrawings: Providence's precincts, Washington's single member districts; one edit in city B.

Providence and DC figures are CATALOG.md's and expected.json's. Kernel only: publishing has its own section.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterator
from dataclasses import replace
from itertools import count
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow.parquet as pq
import shapely

from data.citygen import CITIES, city, points
from data.readers import GridFile, read_grids
from gis.crosswalk import crosswalk
from gis.flows import OUTSIDE, flow_table
from gis.ground import ground_m2
from gis.impact import Impact, impact
from gis.loads import LineLoad, PointLoad, event_load
from gis.locate import GridIndex
from gis.partition import Boundaries, Geometries, Partition, Unit, partition_of
from gis.redrawrules import reused_codes
from gis.repair import Repair, repair
from gis.shapes import usable
from gis.supersede import Incoming, overlaps, receive
from tests.acceptance.check import Check, at_most, equal

EVENTS_IN_TOWN = 200_000
EDITS = 30
LIMIT_MS = 100.0

Ints = npt.NDArray[np.int64]


def run(shared: Path, work: Path) -> Iterator[Check]:
    """Providence, DC, then how long the impact of one edit takes."""
    del work
    yield from _providence(shared / "providence")
    yield from _dc(shared / "dc")
    yield from _speed()


def _boundaries(file: GridFile, geometry: Geometries) -> Boundaries:
    """The file's grids as the first generation."""
    return _received(Boundaries(0, ()), file, geometry, "code")


def _received(before: Boundaries, file: GridFile, geometry: Geometries, match: str) -> Boundaries:
    number = count(len(before.units))
    codes = tuple(file.codes)
    incoming = Incoming("general", "grid", codes, codes, (None,) * len(codes), geometry, match=match)
    return receive(before, incoming, lambda: f"uid {next(number):05d}")


def _located(state: Boundaries, load: PointLoad) -> Ints:
    """Grid of each point, as an index of the partition."""
    index = GridIndex.build(state)
    return index.locate(load.lon, load.lat, distance=False).winner.astype(np.int64)


def _worst(of: tuple[str, ...], index: Ints, m2: npt.NDArray[np.float64], drawn: Partition) -> float:
    """The largest relative error of a grid's pieces against the grid."""
    sums = np.bincount(index[index != OUTSIDE], m2[index != OUTSIDE], minlength=len(of))
    return float(np.abs(sums / ground_m2(drawn.geometry) - 1).max())


# -- Providence -------------------------------------------------------------------------------------------------------


def _providence(folder: Path) -> Iterator[Check]:
    old = read_grids(folder / "precincts.parquet", layer="general", code_field="NAME")
    new = read_grids(folder / "new_precincts.parquet", layer="general", code_field="GEOID20")
    blocks = read_grids(folder / "blocks.parquet", layer="general", code_field="GEOID10")
    mended = repair(old.codes, old.geometry)
    yield equal(
        "Providence precincts repaired: grids changed, errors left",
        (4, 0),
        (len(mended.changes), sum(finding.severity == "error" for finding in mended.remaining)),
    )
    before = _boundaries(old, mended.geometry)
    after = _received(before, new, new.geometry, "area")
    inner = shapely.point_on_surface(blocks.geometry)
    people = blocks.frame["TOTPOP"].to_numpy().astype(np.int64)
    load = PointLoad(shapely.get_x(inner), shapely.get_y(inner), {"population": people})
    yield equal("Providence: blocks", 3014, len(people))
    table = flow_table(_located(before, load), _located(after, load), load.columns)
    yield equal("Providence: the table with its row and column outside", 178_040, int(table.total("population")))
    rows, columns = table.rows("population"), table.by_column("population")
    inside = [int(sum(part.values()) - part.get(OUTSIDE, 0.0)) for part in (rows, columns)]
    yield equal("Providence: rows inside, columns inside", [127_831, 120_758], inside)
    found = impact(before, after, {"population": load})
    totals = [found.totals[part]["population"] for part in ("before", "after")]
    yield equal("Providence: impact's grids before, after", [127_831, 120_758], totals)
    yield from _areas("Providence", before, after)


def _areas(name: str, before: Boundaries, after: Boundaries) -> Iterator[Check]:
    """Every grid's pieces add up to the grid, on both sides."""
    old, new = before.partitions[0], after.partitions[0]
    pieces = crosswalk(old, new)
    worst = max(
        _worst(pieces.before_uids, pieces.before, pieces.area_m2, old),
        _worst(pieces.after_uids, pieces.after, pieces.area_m2, new),
    )
    yield at_most(f"{name}: a grid's pieces against the grid, relative error", 1e-6, worst)


# -- Washington -------------------------------------------------------------------------------------------------------


def _dc(folder: Path) -> Iterator[Check]:
    old = read_grids(folder / "smd_2002.parquet", layer="general", code_field="SMD_ID")
    new = read_grids(folder / "smd_2013.parquet", layer="general", code_field="SMD_ID")
    requests = _requests(folder / "sr311_30d.parquet")
    mended = repair(old.codes, old.geometry)
    yield from _dc_repair(old, mended, requests)
    before = _boundaries(old, mended.geometry)
    by_code, by_area = (_received(before, new, new.geometry, match) for match in ("code", "area"))
    located = int((_located(before, requests) != OUTSIDE).sum())
    moves = {name: len(_moved(before, after, requests).moves) for name, after in (("code", by_code), ("area", by_area))}
    yield equal("DC 2013 --match code: requests that change, of", (9_011, 22_576), (moves["code"], located))
    yield from _explained(before, by_area, requests, moves["area"])
    found = reused_codes(before.partitions[0], by_code.partitions[0])
    yield equal("DC 2013: re-used codes as findings", 34, len({finding.grids for finding in found}))
    yield from _areas("DC", before, by_area)


def _requests(path: Path) -> PointLoad:
    rows = pq.read_table(path, columns=["lon", "lat"]).to_pandas().astype(float)
    return PointLoad(rows["lon"].to_numpy(), rows["lat"].to_numpy(), {"events": np.ones(len(rows), dtype=np.int64)})


def _moved(before: Boundaries, after: Boundaries, requests: PointLoad) -> Impact:
    return impact(before, after, {"events": requests})


def _dc_repair(old: GridFile, mended: Repair, requests: PointLoad) -> Iterator[Check]:
    """The repair lists what it changes, and no request feels it."""
    invalid = int((~shapely.is_valid(old.geometry)).sum())
    listed = sum(change.after_m2 > 0 and bool(change.why) for change in mended.changes)
    yield equal("DC 2002: invalid rings; changes listed with m2 and reason", (1, 9), (invalid, listed))
    most = max(change.symmetric_difference_m2 for change in mended.changes)
    yield at_most("DC 2002: the largest change of a grid by the repair", 1.0, most, "m2")
    rows, shapes, _ = usable(old.codes, old.geometry)
    states = partition_of([old.codes[row] for row in rows], shapes), partition_of(old.codes, mended.geometry)
    places = np.isfinite(requests.lon)
    found = [GridIndex.of([state]).locate(requests.lon[places], requests.lat[places]).grids() for state in states]
    yield equal("DC 2002: requests whose grid the repair changes", 0, sum(a != b for a, b in zip(*found, strict=True)))


def _explained(before: Boundaries, after: Boundaries, requests: PointLoad, moved: int) -> Iterator[Check]:
    """The number by largest-overlap successor, many to one, and what one to one adds and takes.

    Many to one, a request stays when its new grid is the one that took most of its old one; so two old grids may both stay in
    one new grid. One to one, that new grid goes on as one of them, and the other's requests change (`more`); and a new grid
    goes on as an old one of which most went elsewhere, whose requests in it stay (`fewer`).
    """
    old, new = before.partitions[0], after.partitions[0]
    i, j, share = overlaps(old.geometry, new.geometry)
    successor = np.full(len(old), OUTSIDE)
    for k in np.argsort(share, kind="stable").tolist():
        successor[i[k]] = j[k]
    a, b = _located(before, requests), _located(after, requests)
    there = (a != OUTSIDE) & (b != OUTSIDE)
    a, b = a[there], b[there]
    many = successor[a] != b
    same = np.array(
        [before.by_code[old.codes[x]].uid == after.by_code[new.codes[y]].uid for x, y in zip(a, b, strict=True)]
    )
    more, fewer = int((~many & ~same).sum()), int((many & same).sum())
    yield equal("DC 2013: requests that change by largest-overlap successor", 5_187, int(many.sum()))
    name = f"DC 2013 --match area: requests that change = 5,187 + {more} (merged, one goes on) - {fewer} (most went elsewhere)"
    yield equal(name, (5_622, 5_187 + more - fewer), (moved, int((~same).sum())))


# -- speed ------------------------------------------------------------------------------------------------------------


def _speed() -> Iterator[Check]:
    """One moved border in city B with 200,000 events, households and streets; then the same by comparing all."""
    town, loads = _city_b()
    took, busy, wrong = [], [], 0
    for edited, touched in _edits(town):
        begun, worked = time.perf_counter(), time.process_time()
        found = impact(town, edited, loads, touched=touched)
        found.as_json()
        took.append(1000 * (time.perf_counter() - begun))
        busy.append(1000 * (time.process_time() - worked))
        wrong += found.as_json() != impact(town, edited, loads).as_json()
    yield equal("city B: edits measured", EDITS, len(took))
    yield equal("city B: impact of the touched grids differs from comparing all", 0, wrong)
    yield at_most("city B, 200,000 events: impact of one edit, median", LIMIT_MS, statistics.median(took), "ms")
    yield at_most("city B, 200,000 events: impact of one edit, slowest, processor time", LIMIT_MS, max(busy), "ms")


def _city_b() -> tuple[Boundaries, dict[str, PointLoad | LineLoad]]:
    plan = CITIES["B"]
    made = city(plan)
    parts, units = [], {}
    for layer, rows in (("dedicated", slice(0, plan.dedicated)), ("general", slice(plan.dedicated, None))):
        codes = tuple(made.codes[rows])
        parts.append(Partition(layer, "grid", codes, made.geometry[rows]))
        units |= {f"u{code}": Unit(f"u{code}", code, code, layer, "grid") for code in codes}
    rng = np.random.default_rng(4)
    lon, lat = points(made, EVENTS_IN_TOWN).T.copy()
    days = rng.integers(0, 200, len(lon)).astype("timedelta64[D]")
    until = np.datetime64("2026-11-22", "s")
    events = event_load(
        lon, lat, is_open=rng.random(len(lon)) < 0.1, category=[f"{n:05d}" for n in rng.integers(0, 60, len(lon))],
        occurred_at=until - days, until=until,
    )  # fmt: skip
    households = PointLoad(lon[:100_000], lat[:100_000], {"households": rng.integers(1, 30, 100_000)})
    start = np.column_stack((lon, lat))[:20_000]
    streets = LineLoad(shapely.linestrings(np.stack([start, start + rng.normal(0, 0.001, start.shape)], axis=1)))
    return Boundaries(1, tuple(parts), units), {"events": events, "households": households, "streets": streets}


def _edits(town: Boundaries) -> Iterator[tuple[Boundaries, frozenset[str]]]:
    """A bite out of a grid, given to a neighbour, in places all over town."""
    dedicated, general = town.partitions
    done = 0
    for row in np.random.default_rng(5).permutation(len(general)).tolist():
        beside = [one["grid"] for one in general.neighbours(general.codes[row]) if one["shared_m"] > 50]
        if not beside or done == EDITS:
            continue
        other = general.position[beside[0]]
        geometry = general.geometry.copy()
        border = shapely.centroid(shapely.intersection(geometry[row], geometry[other]))
        bite = shapely.intersection(geometry[row], shapely.buffer(border, 0.0008))
        geometry[row], geometry[other] = shapely.difference(geometry[row], bite), shapely.union(geometry[other], bite)
        if not shapely.is_empty(geometry[row]):
            done += 1
            edited = Partition("general", "grid", general.codes, geometry)
            uids = frozenset(f"u{general.codes[k]}" for k in (row, other))
            yield replace(town, partitions=(dedicated, edited), units=dict(town.units)), uids
