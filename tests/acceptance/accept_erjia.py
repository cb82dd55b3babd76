"""Erjia town: 12 villages drawn, divided into 53 grids and 4 dedicated ones by operations only, then redrawn 200 times and undone.

Names and codes of the villages are the register's (cn_address); their borders, which no source has, are drawn with the generator's ragged,
exactly shared curves round the town's place.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import shapely

from data.citygen import LAT0, LON0, Plan, city
from gis.codes import sequence
from gis.crs import metres_per_degree_at
from gis.errors import InputError
from gis.hierarchy import parent_findings
from gis.operations import Operation, parse_operation
from gis.partition import Boundaries
from gis.redraw import redraw
from gis.topology import check, has_errors
from tests.acceptance.check import Check, at_most, equal
from tests.jittered import operations

TOWN = "二甲镇"
LON, LAT = 121.1866, 32.022
GRIDS = (5, 5, 5, 5, 5, 4, 4, 4, 4, 4, 4, 4)
DEDICATED = ("工业园区", "集贸市场", "学校", "医院")
REDRAWN = 200


def run(shared: Path, work: Path) -> Iterator[Check]:
    """The figures of the press report, the contract's exactness, and undo bit for bit."""
    desk = Desk()
    shapes = _villages(desk, shared)
    _divide(desk)
    _dedicate(desk)
    yield from _divided(desk.now, shapes)
    yield equal(
        "Erjia: operations", {"create": 28, "split": 12}, dict(sorted(Counter(o.op for o in desk.operations).items()))
    )
    yield from _redrawn(desk)


class Desk:
    """A plan at work: the boundaries now, and the completed operations that led there."""

    def __init__(self) -> None:
        self.now = Boundaries(0, ())
        self.operations: list[Operation] = []
        self.ms: list[float] = []
        self._numbers = itertools.count()

    def do(self, **body: Any) -> Operation:
        """One more operation; InputError when it is refused."""
        return self.carry_out(parse_operation(json.loads(json.dumps(body))))

    def carry_out(self, operation: Operation) -> Operation:
        """The same for a parsed one."""
        begun = time.perf_counter()
        done = redraw(self.now, operation, new_uid=lambda: f"uid-{next(self._numbers)}")
        if operation.op not in {"rename", "recode"}:
            self.ms.append((time.perf_counter() - begun) * 1e3)
        self.now = done.boundaries
        self.operations.append(done.operation)
        return done.operation


def _villages(desk: Desk, shared: Path) -> list[Any]:
    register = pd.read_parquet(shared / "cn_address" / "villages_seed_cities.parquet")
    held = register[(register["town"] == TOWN) & (register["adcode"].astype(str) == "320612")].sort_values("code")
    drawn = city(Plan(len(held), 62.0, 2026, 400, 0, 1)).geometry
    shapes = shapely.transform(drawn, lambda places: np.add(places, (LON - LON0, LAT - LAT0)))
    for code, name, shape in zip(held["code"], held["name"], shapes, strict=True):
        desk.do(op="create", layer="general", level="community", area=_json(shape), code=str(code), name=str(name))
    return list(shapes)


def _json(shape: Any) -> dict[str, Any]:
    return dict(shapely.geometry.mapping(shape))


def _divide(desk: Desk) -> None:
    """Every village is one grid at first, then split by several lines at once into so many."""
    rng = np.random.default_rng(53)
    villages = desk.now.partition("general", "community")
    assert villages is not None
    for code, name, shape, number in zip(villages.codes, villages.names, villages.geometry, GRIDS, strict=True):
        whole = desk.do(
            op="create", layer="general", level="grid", area=_json(shape), parent=code, name=name.removesuffix("委会")
        )
        for _ in range(200):
            before = desk.now
            try:
                made = desk.do(op="split", grid=whole.body["code"], lines=_lines(rng, shape, number - 1))
            except InputError:
                continue
            if len(made.body["codes"]) == number:
                break
            desk.now = before  # a bent line came out and in again and made a part too many: undo
            desk.operations.pop()


def _lines(rng: np.random.Generator, shape: Any, number: int) -> list[dict[str, Any]]:
    """Bent lines across a village, side by side."""
    west, south, east, north = shapely.bounds(shape).tolist()
    middle, reach = np.array([(west + east) / 2, (south + north) / 2]), float(np.hypot(east - west, north - south))
    angle = rng.uniform(0, np.pi)
    along = np.array([np.cos(angle), np.sin(angle)])
    aside = np.array([-along[1], along[0]])
    lines = []
    for offset in np.linspace(-0.3, 0.3, number + 2)[1:-1]:
        steps = np.linspace(-0.8, 0.8, 12)
        bends = rng.normal(0, 0.01, len(steps)).cumsum() * 0.5
        places = middle + reach * (along * steps[:, None] + aside * (offset + bends)[:, None])
        lines.append({"type": "LineString", "coordinates": np.round(places, 9).tolist()})
    return lines


def _dedicate(desk: Desk) -> None:
    villages = desk.now.partition("general", "community")
    assert villages is not None
    for name, code, shape in zip(DEDICATED, villages.codes[::3], villages.geometry[::3], strict=True):
        x, y = shapely.get_coordinates(shapely.point_on_surface(shape))[0].tolist()
        area = shapely.intersection(shapely.box(x - 0.003, y - 0.002, x + 0.003, y + 0.002), shape)
        body = shapely.get_parts(area)[np.argmax(shapely.area(shapely.get_parts(area)))]
        desk.do(op="create", layer="dedicated", level="grid", area=_json(body), parent=code, name=name)


def _divided(now: Boundaries, shapes: list[Any]) -> Iterator[Check]:
    general, dedicated = now.partition("general", "grid"), now.partition("dedicated", "grid")
    villages = now.partition("general", "community")
    assert general is not None
    assert dedicated is not None
    assert villages is not None
    yield equal("Erjia: villages, grids, dedicated", (12, 53, 4), (len(villages), len(general), len(dedicated)))
    apart = shapely.area(shapely.symmetric_difference(shapely.union_all(shapes), shapely.union_all(general.geometry)))
    east, north = metres_per_degree_at(LAT)
    yield at_most("Erjia: union of grids against the villages drawn", 0.01, float(apart * east * north), "m2")
    valid = [bool(shapely.coverage_is_valid(p.geometry)) for p in now.partitions]
    yield equal("Erjia: coverage_is_valid at every layer and level", [True] * 3, valid)
    parent_of = {code: now.units[now.by_code[code].parent or ""].code for code in (*general.codes, *dedicated.codes)}
    for partition in (general, dedicated):
        found = parent_findings(partition.codes, partition.geometry, villages, parent_of)
        yield equal(f"Erjia: {partition.layer} grids outside or across their village", 0, len(found))
    yield equal(
        "Erjia: errors of gridbeat check", False, any(has_errors(check(p, parents=None)) for p in now.partitions)
    )
    yield equal("Erjia: villages that are the union of their grids, bit for bit", 12, _unions(now))
    yield equal(
        "Erjia: codes, and whether they stand in order",
        (57, True),
        (len(parent_of), _in_order(now) == sorted(parent_of)),
    )


def _unions(now: Boundaries) -> int:
    """How many villages have exactly the border of their grids."""
    same = 0
    for uid, unit in now.units.items():
        if unit.level == "community":
            below = [
                now.shapes[u] for u, child in now.units.items() if child.parent == uid and child.layer == "general"
            ]
            whole = shapely.normalize(shapely.coverage_union_all(below))
            same += bool(shapely.equals_identical(whole, shapely.normalize(now.shapes[uid])))
    return same


def _in_order(now: Boundaries) -> list[str]:
    """The codes by village, west to east of an inner point, north first on ties, dedicated last."""
    units = [unit for unit in now.units.values() if unit.level == "grid"]
    points = shapely.get_coordinates(
        shapely.point_on_surface(np.array([now.shapes[u.uid] for u in units], dtype=object))
    )
    parents = [f"{now.units[u.parent or ''].code} {u.layer == 'dedicated':d}" for u in units]
    return [units[i].code for i in sequence(points, parents)]


def _digest(boundaries: Boundaries) -> str:
    """Every byte of the boundaries: codes, names, parents, coordinates in their order."""
    told = hashlib.sha256(repr(sorted(boundaries.units.items())).encode())
    for partition in boundaries.partitions:
        told.update(repr((partition.layer, partition.level, partition.codes, partition.names)).encode())
        told.update(b"".join(shapely.to_wkb(partition.geometry)))
    return told.hexdigest()


def _redrawn(desk: Desk) -> Iterator[Check]:
    first, rng = desk.now, np.random.default_rng(200)
    states, broken, refused = [_digest(first)], 0, 0
    desk.operations, desk.ms = [], []
    while len(desk.operations) < REDRAWN and refused < 10 * REDRAWN:
        try:
            desk.carry_out(next(operations(rng, desk.now)))
        except InputError:
            refused += 1
            continue
        states.append(_digest(desk.now))
        broken += not all(shapely.coverage_is_valid(p.geometry) for p in desk.now.partitions)
    kinds = Counter(operation.op for operation in desk.operations)
    yield equal("Erjia: random operations carried out", REDRAWN, len(desk.operations))
    yield equal("Erjia: kinds among them", 9, len(kinds))
    yield equal("Erjia: states that are no valid coverage", 0, broken)
    yield equal("Erjia: villages still the union of their grids", 12, _unions(desk.now))
    yield equal(
        "Erjia: undone step by step to the first state, bit for bit", 0, _undone(first, desk.operations, states)
    )
    yield at_most("Erjia: one operation that draws, median", 50.0, float(np.median(desk.ms)), "ms")


def _undone(first: Boundaries, done: list[Operation], states: list[str]) -> int:
    """How many states differ: undo is to carry out all completed operations but the last from the first state on."""
    replayed, now = [_digest(first)], first
    for operation in done:
        read = parse_operation(json.loads(json.dumps(operation.as_json())))
        now = redraw(now, read, new_uid=str).boundaries
        replayed.append(_digest(now))
    return sum(a != b for a, b in zip(replayed, states, strict=True))
