"""A planner's file becomes operations that do the same: recognised, carried out, compared with the file."""

from __future__ import annotations

import json
import random
from dataclasses import replace
from itertools import count
from typing import Any

import numpy as np
import pytest
import shapely
from hypothesis import example, given, settings
from hypothesis import strategies as st

from gis import recognise as room
from gis.errors import GridError, PartitionBroken
from gis.operations import parse_operation
from gis.partition import Boundaries, Partition, Unit
from gis.recognise import alike, recognise
from gis.recogniseguesses import geojson
from gis.redraw import redraw, redraw_all
from gis.snapping import NOISE, rounding, settled
from gis.supersede import Incoming, same_shape

WEST, EAST, SOUTH, NORTH = 121.195, 121.225, 31.995, 32.025


def array(shapes: list[Any]) -> Any:
    held = np.empty(len(shapes), dtype=object)
    held[:] = shapes
    return held


def town(seed: int = 3, grids: int = 16) -> Boundaries:
    """Grids of every form (Voronoi) in two villages, V0 in the west and V1 in the east."""
    places = np.random.default_rng(seed).random((grids, 2)) * 0.02 + (121.2, 32.0)
    cells = shapely.voronoi_polygons(shapely.multipoints(places), extend_to=shapely.box(WEST, SOUTH, EAST, NORTH))
    shapes = sorted(shapely.get_parts(cells), key=lambda cell: cell.centroid.x)
    west = len(shapes) // 2
    codes = tuple(f"G{i:02d}" for i in range(len(shapes)))
    names = tuple(f"第{i}网格" for i in range(len(shapes)))
    units = {f"v{i}": Unit(f"v{i}", f"V{i}", f"{name}村", "general", "community") for i, name in enumerate("西东")}
    for i, (code, name) in enumerate(zip(codes, names, strict=True)):
        units[f"u{i}"] = Unit(f"u{i}", code, name, "general", "grid", f"v{int(i >= west)}")
    villages = array([shapely.coverage_union_all(shapes[:west]), shapely.coverage_union_all(shapes[west:])])
    above = Partition("general", "community", ("V0", "V1"), villages, ("西村", "东村"))
    return Boundaries(1, (above, Partition("general", "grid", codes, array(shapes), names)), units)


def grids_of(boundaries: Boundaries) -> Partition:
    held = boundaries.partition("general", "grid")
    assert held is not None
    return held


def file_of(boundaries: Boundaries, decimals: int = 7, *, match: str = "code") -> Incoming:
    """What a planner's program writes: all grids, coordinates rounded."""
    held = grids_of(boundaries)
    rounded = shapely.transform(held.geometry, lambda xy: np.round(xy, decimals))
    return Incoming("general", "grid", held.codes, held.names, parents_of(boundaries), rounded, match=match)


def parents_of(boundaries: Boundaries) -> tuple[str, ...]:
    above = (boundaries.by_code[code].parent or "" for code in grids_of(boundaries).codes)
    return tuple(boundaries.units[uid].code for uid in above)


def carried_out(boundaries: Boundaries, bodies: list[dict[str, Any]]) -> Boundaries:
    """As the store does it: over JSON, with the codes of the base void."""
    numbers = count()
    operations = [parse_operation(json.loads(json.dumps(body))) for body in bodies]
    base = frozenset(boundaries.by_code)
    return redraw_all(boundaries, operations, new_uid=lambda: f"new-{next(numbers)}", voided=base).boundaries


def same(one: Boundaries, other: Boundaries) -> bool:
    """Codes, names, parents, and shapes up to noise; at both levels."""
    a, b = grids_of(one), grids_of(other)
    villages = zip(one.partitions[0].geometry, other.partitions[0].geometry, strict=True)
    return (
        (a.codes, a.names, parents_of(one)) == (b.codes, b.names, parents_of(other))
        and all(alike(*pair) for pair in (*zip(a.geometry, b.geometry, strict=True), *villages))
        and bool(shapely.coverage_is_valid(b.geometry))
    )


def neighbour(boundaries: Boundaries, code: str, *, village: bool = True) -> str:
    """A grid with a long common border, in the same village or in the other."""
    mine = boundaries.by_code[code].parent
    near = sorted(grids_of(boundaries).neighbours(code), key=lambda one: -one["shared_m"])
    return next(n["grid"] for n in near if (boundaries.by_code[n["grid"]].parent == mine) == village)


def across(shape: Any, *, lean: float = 0.0) -> dict[str, Any]:
    """A line from south to north through a shape, reaching beyond."""
    west, south, east, north = shape.bounds
    middle = (west + east) / 2
    points = [[middle - lean, south - 0.001], [middle, (south + north) / 2], [middle + lean, north + 0.001]]
    return {"type": "LineString", "coordinates": points}


def shape(boundaries: Boundaries, *codes: str) -> Any:
    held = grids_of(boundaries)
    return shapely.union_all([held.geometry[held.position[code]] for code in codes])


def planned(before: Boundaries) -> dict[str, dict[str, Any]]:
    """One operation of each kind."""
    other, beyond = neighbour(before, "G03"), neighbour(before, "G07", village=False)
    pair = sorted(("G03", other))
    border = shapely.intersection(shape(before, "G03"), shape(before, other))
    spot = geojson(shapely.buffer(shapely.line_interpolate_point(border, 0.5, normalized=True), 0.0006, quad_segs=2))
    return {
        "rename": {"op": "rename", "grid": "G03", "name": "新名"},
        "recode": {"op": "recode", "grid": "G03", "code": "R1"},
        "split": {"op": "split", "grid": "G03", "lines": [across(shape(before, "G03"))], "codes": ["S1", "S2"], "names": ["甲", "乙"]},
        "merge": {"op": "merge", "grids": pair, "code": "M1", "name": "合并"},
        "reshape": {"op": "reshape", "grids": pair, "line": across(shape(before, *pair), lean=0.0007)},
        "transfer": {"op": "transfer", "from": "G03", "to": other, "area": spot},
        "retire": {"op": "retire", "grid": "G07", "into": beyond, "across_parent": True},
        "create": {"op": "create", "mode": "carve", "area": spot, "layer": "general", "level": "grid", "code": "C1", "name": "新建"},
        "reparent": {"op": "reparent", "grid": "G07", "parent": "V1"},
    }  # fmt: skip


def test_a_file_that_nobody_changed_says_nothing() -> None:
    before = town()
    for decimals in (7, 9, 15):
        assert recognise(before, file_of(before, decimals)) == []


def test_vertices_moved_by_a_centimetre_dropped_or_added_are_no_change() -> None:
    before = town()
    shaken = file_of(before, 15)
    noisy = [
        shapely.transform(one, lambda xy, k=k: xy + 4e-8 * np.sin(1e9 * xy + k))
        for k, one in enumerate(shaken.geometry)
    ]
    closed = array(noisy)
    denser = shapely.segmentize(closed, 0.0004)
    assert recognise(before, replace(shaken, geometry=closed)) == []
    assert recognise(before, replace(shaken, geometry=denser)) == []


@pytest.mark.parametrize(
    "op", ["rename", "recode", "split", "merge", "reshape", "transfer", "retire", "create", "reparent"]
)
def test_one_operation_is_recognised_for_what_it_was(op: str) -> None:
    before = town()
    after = carried_out(before, [planned(before)[op]])
    told = recognise(before, file_of(after))
    plain = {"reshape": {"reshape", "transfer"}}.get(op, {op})
    assert {body["op"] for body in told} <= plain
    assert told
    assert same(after, carried_out(before, told))


def test_our_vertices_stay_and_only_the_new_ones_are_the_files() -> None:
    before = town()
    after = carried_out(before, [planned(before)["split"]])
    held, again = grids_of(before), grids_of(carried_out(before, recognise(before, file_of(after))))
    ours = {tuple(place) for place in shapely.get_coordinates(held.geometry)}
    theirs = {tuple(place) for place in shapely.get_coordinates(again.geometry)}
    assert ours <= theirs
    assert len(theirs - ours) == 3  # both ends on the border and the bend between


def test_the_lowest_guess_is_shapes() -> None:
    before = town()
    after = carried_out(before, [planned(before)[op] for op in ("transfer", "rename")] + [planned(before)["retire"]])
    wanted = file_of(after)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(room, "MOST_IN_GROUP", 0)
        told = recognise(before, wanted)
    assert [body["op"] for body in told] == ["shapes", "rename", "shapes"]  # the second sets the villages' border
    assert same(after, carried_out(before, told))


def test_where_no_groups_fit_all_of_the_file_is_set() -> None:
    before = town()
    after = carried_out(
        before, [planned(before)["split"], {"op": "retire", "grid": "G09", "into": neighbour(before, "G09")}]
    )

    def refused(*_: Any) -> Any:
        raise PartitionBroken("these do not meet vertex for vertex")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(room, "MOST_IN_GROUP", 0)
        patch.setattr(room, "_shapes", refused)
        told = recognise(before, file_of(after))
    assert [body["op"] for body in told] == ["shapes"]
    assert (len(told[0]["shapes"]), [one["code"] for one in told[0]["create"]], told[0]["retire"]) == (
        14,
        ["S1", "S2"],
        ["G03", "G09"],
    )
    assert same(after, carried_out(before, told))


def test_a_new_division_comes_to_the_bit_and_the_villages_follow_it() -> None:
    before = town()
    given = file_of(before)
    places = np.random.default_rng(8).random((14, 2)) * 0.02 + (121.2, 32.0)
    cells = shapely.voronoi_polygons(shapely.multipoints(places), extend_to=shapely.box(WEST, SOUTH, EAST, NORTH))
    shapes = array(sorted(shapely.get_parts(cells), key=lambda cell: cell.centroid.x))
    shaken = shapely.transform(shapes, lambda xy: xy + 4e-8 * np.sin(1e9 * xy))  # the outer border by less than noise
    parents = tuple("V0" if k < 7 else "V1" for k in range(14))
    told = recognise(
        before, replace(given, codes=given.codes[:14], names=given.names[:14], parents=parents, geometry=shaken)
    )
    after = carried_out(before, told)
    villages, grids = after.partitions
    assert all(same_shape(*pair) for pair in zip(shaken, grids.geometry, strict=True))
    unions = [shapely.coverage_union_all(grids.geometry[:7]), shapely.coverage_union_all(grids.geometry[7:])]
    assert all(same_shape(*pair) for pair in zip(unions, villages.geometry, strict=True))


def test_a_file_whose_vertices_lie_nearer_than_noise_is_still_a_partition() -> None:
    before = town()
    given = file_of(carried_out(before, [planned(before)["transfer"]]), 15)
    crowded = shapely.segmentize(given.geometry, 0.00002)  # every 2 m
    shaken = shapely.transform(crowded, lambda xy: xy + 1.2e-7 * np.sin(1e9 * xy))
    told = recognise(before, replace(given, geometry=shaken))
    assert shapely.coverage_is_valid(grids_of(carried_out(before, told)).geometry)


def test_a_file_without_names_and_parents_changes_none() -> None:
    before = town()
    given = file_of(before)
    bare = replace(given, names=given.codes, parents=(None,) * len(given.codes))
    assert recognise(before, bare) == []


def test_by_area_a_new_code_on_old_ground_is_the_same_grid() -> None:
    before = town()
    after = carried_out(before, [planned(before)["recode"]])
    moved = carried_out(
        after,
        [
            {
                "op": "reshape",
                "grids": ["R1", neighbour(after, "R1")],
                "line": across(shape(after, "R1", neighbour(after, "R1"))),
            }
        ],
    )
    told = recognise(before, file_of(moved, match="area"))
    assert {"op": "recode", "grid": "G03", "code": "R1"} in told
    assert same(moved, carried_out(before, told))


def test_grids_that_overlap_are_refused_with_their_place() -> None:
    before = town()
    given = file_of(before)
    broken = given.geometry.copy()
    broken[3] = shapely.buffer(broken[3], 0.0005)
    with pytest.raises(PartitionBroken):
        recognise(before, replace(given, geometry=broken))


def test_the_first_grids_of_a_level_are_created() -> None:
    before = town()
    empty = Boundaries(
        1, before.partitions[:1], {u: unit for u, unit in before.units.items() if unit.level == "community"}
    )
    told = recognise(empty, file_of(before))
    assert {body["op"] for body in told} <= {"create", "shapes"}
    assert grids_of(carried_out(empty, told)).codes == grids_of(before).codes


def proposed(rng: random.Random, now: Boundaries, number: int) -> dict[str, Any]:
    """A random edit; many are refused."""
    held = grids_of(now)
    code = rng.choice(held.codes)
    other = rng.choice([near["grid"] for near in held.neighbours(code) if near["shared_m"] > 0])
    border = shapely.intersection(shape(now, code), shape(now, other))
    spot = shapely.buffer(
        shapely.line_interpolate_point(border, rng.random(), normalized=True), rng.uniform(3e-4, 2e-3), quad_segs=3
    )
    pair, free, fresh = [code, other], {"across_parent": True}, [f"N{number}", f"M{number}"]
    place = {"layer": "general", "level": "grid", "code": fresh[0], "name": "新建"}
    return rng.choice(
        [
            {"op": "split", "grid": code, "lines": [across(shape(now, code), lean=rng.uniform(-1e-3, 1e-3))], "codes": fresh},
            {"op": "merge", "grids": pair, "code": f"N{number}", "name": f"合并{number}"},
            {"op": "merge", "grids": pair, "into": other},
            {"op": "reshape", "grids": pair, "line": across(shape(now, *pair), lean=rng.uniform(-1e-3, 1e-3)), **free},
            {"op": "transfer", "from": code, "to": other, "area": geojson(spot), **free},
            {"op": "rename", "grid": code, "name": f"新名{number}"},
            {"op": "recode", "grid": code, "code": f"N{number}"},
            {"op": "retire", "grid": code, "into": other, **free},
            {"op": "create", "mode": "carve", "area": geojson(spot), **place, **free},
        ]
    )  # fmt: skip


def edited(before: Boundaries, seed: int, operations: int) -> Boundaries:
    rng, numbers, now = random.Random(seed), count(), before  # noqa: S311 - no secret
    base = frozenset(before.by_code)
    for number in range(operations):
        for _ in range(20):
            try:
                body = parse_operation(proposed(rng, now, number))
                now = redraw(now, body, new_uid=lambda: f"x{next(numbers)}", voided=base).boundaries
                break
            except GridError:
                continue
    return now


@settings(max_examples=40)
@example(736, 4, 9, "area")  # a grid that is somewhere else altogether
@given(st.integers(0, 10_000), st.integers(1, 6), st.sampled_from([7, 9, 15]), st.sampled_from(["code", "area"]))
def test_whatever_was_edited_the_operations_give_the_files_partition(
    seed: int, operations: int, decimals: int, match: str
) -> None:
    before = town(seed % 50)
    after = edited(before, seed, operations)
    told = recognise(before, file_of(after, decimals, match=match))
    assert same(after, carried_out(before, told))


def test_rounding_is_less_than_a_unit_of_the_last_decimal() -> None:
    held = grids_of(town()).geometry
    expected = {5: 0.75e-5, 6: 0.75e-6, 7: NOISE, 15: NOISE}
    for decimals, degrees in expected.items():
        assert rounding(shapely.transform(held, lambda xy, d=decimals: np.round(xy, d))) == pytest.approx(degrees)
    assert rounding(shapely.transform(held, lambda xy: np.round(xy * 100_000, 2))) == NOISE  # metres
    assert rounding(np.array([None, shapely.Polygon()], dtype=object)) == NOISE


@pytest.mark.parametrize("decimals", [5, 6])
def test_a_file_of_few_decimals_laid_on_ours_tells_what_was_done(decimals: int) -> None:
    before = town()
    after = carried_out(before, [planned(before)["split"], planned(before)["rename"] | {"grid": "G05"}])
    given = file_of(after, decimals)
    laid = settled(given.geometry, grids_of(before).geometry, rounding(given.geometry))
    assert sorted(body["op"] for body in recognise(before, replace(given, geometry=laid))) == ["rename", "split"]


def test_settled_shapes_have_our_vertices_bit_for_bit() -> None:
    held = grids_of(town())
    back = settled(shapely.transform(held.geometry, lambda xy: np.round(xy, 7)), held.geometry)
    assert all(shapely.equals_identical(shapely.normalize(held.geometry), shapely.normalize(back)))
