"""Redraw: operations on drawn towns with answers computed by hand, and the laws on random ones."""

from __future__ import annotations

import json
from collections import defaultdict
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from gis import errors
from gis.operations import Operation, parse_operation
from gis.partition import Boundaries
from gis.redraw import Redrawn, redraw, redraw_all
from gis.supersede import Lineage, compare, receive_all
from tests import jittered
from tests.jittered import uids
from tests.town import STEP, drawn, place

TOWN = receive_all(
    Boundaries(0, ()), [drawn("VVVVWWWW\nVVVVWWWW", level="community"), drawn("AABBCCDD\nAABBCCDD")], uids()
)
ISLAND = receive_all(Boundaries(0, ()), [drawn("AAAA\nABBA\nAAAA")], uids())


def line(*places: tuple[float, float]) -> dict[str, Any]:
    return {"type": "LineString", "coordinates": [list(place(*one)) for one in places]}


def box(west: float, south: float, east: float, north: float) -> dict[str, Any]:
    polygon = shapely.box(*place(west, south), *place(east, north))
    return dict(json.loads(shapely.to_geojson(polygon)))


def done(before: Boundaries, **body: Any) -> Redrawn:
    """The operation carried out; new codes are plain ones."""
    return redraw(
        before, parse_operation(body), new_uid=uids(1 + max(map(_number, before.units), default=0)), profile="plain"
    )


def _number(uid: str) -> int:
    return int(uid[1:])


def refused(kind: type[errors.GridError], before: Boundaries = TOWN, **body: Any) -> errors.GridError:
    with pytest.raises(kind) as info:
        done(before, **body)
    assert isinstance(info.value, errors.InputError)  # all of them are a 422
    return info.value


def cells(boundaries: Boundaries, code: str) -> float:
    """The area of a grid in letters."""
    return float(shapely.area(boundaries.shapes[boundaries.by_code[code].uid]) / STEP**2)


def vertices(boundaries: Boundaries, code: str) -> set[tuple[float, float]]:
    shape = boundaries.shapes[boundaries.by_code[code].uid]
    return {((x - place(0, 0)[0]) / STEP, (y - place(0, 0)[1]) / STEP) for x, y in shapely.get_coordinates(shape)}


def parent(boundaries: Boundaries, code: str) -> str | None:
    above = boundaries.by_code[code].parent
    return boundaries.units[above].code if above else None


# -- split -------------------------------------------------------------------------------------------------------------


def test_a_split_gives_every_part_a_new_uid_code_and_name_west_to_east() -> None:
    now = done(TOWN, op="split", grid="B", lines=[line((3, -1), (3, 3))])
    after = now.boundaries
    assert "B" not in after.by_code
    assert [cells(after, code) for code in ("V-01", "V-02")] == [2.0, 2.0]
    west, east = after.by_code["V-01"], after.by_code["V-02"]
    assert (west.name, east.name, parent(after, "V-01"), parent(after, "V-02")) == ("B-1", "B-2", "V", "V")
    assert vertices(after, "V-01") == {(2, 0), (2, 2), (3, 0), (3, 2)}
    old = TOWN.by_code["B"].uid
    assert now.lineage == (Lineage("split", old, west.uid, 0.5), Lineage("split", old, east.uid, 0.5))
    assert now.operation.body["codes"] == ["V-01", "V-02"]
    assert now.operation.body["uids"] == [west.uid, east.uid]


def test_neighbours_and_the_level_above_get_the_new_vertices_and_nobody_else() -> None:
    now = done(TOWN, op="split", grid="B", lines=[line((1, 0.5), (5, 0.5))])
    after = now.boundaries
    assert vertices(after, "A") == vertices(TOWN, "A") | {(2, 0.5)}
    assert vertices(after, "C") == vertices(TOWN, "C") | {(4, 0.5)}
    assert vertices(after, "V") == vertices(TOWN, "V") | {(4, 0.5)}
    assert vertices(after, "W") == vertices(TOWN, "W") | {(4, 0.5)}
    assert after.shapes[after.by_code["D"].uid] is TOWN.shapes[TOWN.by_code["D"].uid]
    touched = {TOWN.by_code[code].uid for code in "ABCVW"} | {after.by_code[code].uid for code in ("V-01", "V-02")}
    assert now.touched == touched
    assert now.moved == {after.by_code[code].uid for code in ("V-01", "V-02")}


def test_a_new_vertex_is_the_nearest_double_of_the_exact_crossing() -> None:
    now = done(TOWN, op="split", grid="B", lines=[line((1.3, 0.1), (5.7, 1.7))])
    (ax, ay), (bx, by) = (tuple(map(Fraction, place(*one))) for one in ((1.3, 0.1), (5.7, 1.7)))
    x = Fraction(place(2, 0)[0])
    y = ay + (x - ax) / (bx - ax) * (by - ay)
    shape = now.boundaries.shapes[TOWN.by_code["A"].uid]
    assert [float(x), float(y)] in shapely.get_coordinates(shape).tolist()


def test_several_lines_make_any_number_of_parts() -> None:
    lines = [line((3, -1), (3, 3)), line((1, 1), (5, 1))]
    after = done(TOWN, op="split", grid="B", lines=lines, codes=["p", "q", "r", "s"]).boundaries
    assert [cells(after, code) for code in "pqrs"] == [1.0] * 4
    assert vertices(after, "p") == {(2, 1), (3, 1), (3, 2), (2, 2)}  # north first among equal lon
    assert vertices(after, "q") == {(2, 0), (3, 0), (3, 1), (2, 1)}


def test_a_line_may_end_on_another() -> None:
    lines = [line((3, 1), (5, 1)), line((3, -1), (3, 3))]
    after = done(TOWN, op="split", grid="B", lines=lines, codes=["p", "q", "r"]).boundaries
    assert [cells(after, code) for code in "pqr"] == [2.0, 1.0, 1.0]


def test_a_closed_line_cuts_out_an_island() -> None:
    ring = line((2.5, 0.5), (3.5, 0.5), (3.5, 1.5), (2.5, 1.5), (2.5, 0.5))
    after = done(TOWN, op="split", grid="B", lines=[ring], codes=["p", "q"]).boundaries
    assert sorted(cells(after, code) for code in "pq") == [1.0, 3.0]


def test_a_ring_is_divided_through_its_hole() -> None:
    after = done(ISLAND, op="split", grid="A", lines=[line((-1, 1.5), (5, 1.5))], codes=["p", "q"]).boundaries
    assert [cells(after, code) for code in "pq"] == [5.0, 5.0]
    assert vertices(after, "B") == vertices(ISLAND, "B") | {(1, 1.5), (3, 1.5)}


def test_a_line_from_border_to_hole_divides_nothing() -> None:
    assert (
        refused(errors.LineMisses, ISLAND, op="split", grid="A", lines=[line((-1, 1.5), (1.5, 1.5))]).place
        == "lines[0]"
    )


def test_a_line_through_vertices_divides_and_makes_none() -> None:
    after = done(TOWN, op="split", grid="B", lines=[line((2, 0), (4, 2))], codes=["p", "q"]).boundaries
    assert vertices(after, "p") == {(2, 0), (2, 2), (4, 2)}
    assert vertices(after, "A") == vertices(TOWN, "A")


def test_a_line_drawn_with_nine_digits_meets_the_vertices_it_means() -> None:
    ends = [[round(value, 9) for value in place(*one)] for one in ((2, 0), (4, 1.25), (4, 2))]
    body = {"op": "split", "grid": "B", "lines": [{"type": "LineString", "coordinates": ends}], "codes": ["p", "q"]}
    after = redraw(TOWN, parse_operation(body), new_uid=uids(100)).boundaries
    assert (2, 0) in vertices(after, "p") & vertices(after, "q")
    assert shapely.coverage_is_valid(after.partitions[1].geometry)
    assert len(vertices(after, "C") - vertices(TOWN, "C")) == 1


def test_a_line_that_stops_a_millimetre_short_is_led_on() -> None:
    short = 1e-8 / STEP
    after = done(TOWN, op="split", grid="B", lines=[line((2 + short, 1), (4 - short, 1))], codes=["p", "q"]).boundaries
    assert [cells(after, code) for code in "pq"] == [pytest.approx(2.0), pytest.approx(2.0)]
    assert (2, 1) in vertices(after, "A")


def test_only_the_grid_named_is_divided_by_a_line_across_three() -> None:
    after = done(TOWN, op="split", grid="B", lines=[line((-1, 1), (9, 1))], codes=["p", "q"]).boundaries
    assert {code for code in after.by_code if code in "ABCD"} == {"A", "C", "D"}
    assert vertices(after, "D") == vertices(TOWN, "D")


def test_a_body_that_no_line_divides_goes_with_the_nearest_part() -> None:
    before = receive_all(Boundaries(0, ()), [drawn("AABB.A")], uids())
    after = done(before, op="split", grid="A", lines=[line((1, -1), (1, 3))], codes=["p", "q"]).boundaries
    assert [cells(after, code) for code in "pq"] == [1.0, 2.0]


@pytest.mark.parametrize(
    ("drawn_line", "kind"),
    [
        ([(2.5, 0.5), (3.5, 0.5)], errors.LineMisses),
        ([(1, 0.5), (3.5, 0.5)], errors.LineMisses),
        ([(6, -1), (6, 3)], errors.LineMisses),
        ([(1, 3), (2, 2), (1, 1)], errors.LineMisses),  # touches a vertex and divides nothing
        ([(2, 0), (2, 2)], errors.LineAlongBorder),
        ([(2, -1), (2, 3)], errors.LineAlongBorder),
        ([(1, 0.5), (5, 1.5), (5, 0.5), (1, 1.5)], errors.LineCrossesItself),
        ([(2.00001, -1), (2.00001, 3)], errors.PieceTooSmall),
    ],
)
def test_lines_that_cannot_split(drawn_line: list[tuple[float, float]], kind: type[errors.GridError]) -> None:
    found = refused(kind, op="split", grid="B", lines=[line(*drawn_line)])
    assert found.place in {"lines", "lines[0]"}


def test_every_line_has_to_divide() -> None:
    lines = [line((3, -1), (3, 3)), line((2.2, 0.5), (2.8, 0.5))]
    assert refused(errors.LineMisses, op="split", grid="B", lines=lines).place == "lines[1]"


def test_there_are_as_many_codes_as_parts_and_none_twice_in_use_or_void() -> None:
    lines = [line((3, -1), (3, 3))]
    assert refused(errors.OperationInvalid, op="split", grid="B", lines=lines, codes=["p"]).place == "codes"
    assert refused(errors.CodeTaken, op="split", grid="B", lines=lines, codes=["p", "p"]).place == "codes[1]"
    assert refused(errors.CodeTaken, op="split", grid="B", lines=lines, codes=["A", "p"]).place == "codes[0]"
    assert refused(errors.CodeTaken, op="split", grid="B", lines=lines, codes=["B", "p"]).place == "codes[0]"
    body = parse_operation({"op": "split", "grid": "B", "lines": lines, "codes": ["p", "q"]})
    with pytest.raises(errors.CodeTaken, match="void"):
        redraw(TOWN, body, new_uid=uids(100), voided={"q"})


def test_a_proposed_code_is_never_a_void_one() -> None:
    body = parse_operation({"op": "split", "grid": "B", "lines": [line((3, -1), (3, 3))]})
    now = redraw(TOWN, body, new_uid=uids(100), voided={"V-01", "V-03"}, profile="plain")
    assert now.operation.body["codes"] == ["V-02", "V-04"]


def test_codes_from_outside_have_to_be_given() -> None:
    body = parse_operation({"op": "split", "grid": "B", "lines": [line((3, -1), (3, 3))]})
    with pytest.raises(errors.CodeInvalid, match="give the new code"):
        redraw(TOWN, body, new_uid=uids(100))


def test_a_community_with_grids_below_is_not_split_by_a_line() -> None:
    found = refused(errors.GridsBelow, op="split", grid="V", lines=[line((3, -1), (3, 3))])
    assert (found.place, "2 grids" in found.message) == ("grid", True)


def test_a_grid_that_is_not_there() -> None:
    assert refused(errors.GridMissing, op="split", grid="Z", lines=[line((3, -1), (3, 3))]).place == "grid"
    assert refused(errors.GridMissing, op="merge", grids=["A", "Z"]).place == "grids[1]"


# -- merge, retire -----------------------------------------------------------------------------------------------------


def test_merged_grids_become_a_new_one() -> None:
    now = done(TOWN, op="merge", grids=["A", "B"], name="west")
    made = now.boundaries.by_code["V-01"]
    assert (made.name, cells(now.boundaries, "V-01")) == ("west", 8.0)
    assert {(one.kind, one.predecessor, one.share) for one in now.lineage} == {
        ("merge", TOWN.by_code["A"].uid, 1.0), ("merge", TOWN.by_code["B"].uid, 1.0)
    }  # fmt: skip
    assert {one.successor for one in now.lineage} == {made.uid}


def test_merged_into_a_member_it_keeps_uid_code_and_name() -> None:
    now = done(TOWN, op="merge", grids=["A", "B"], into="B")
    assert now.boundaries.by_code["B"] == TOWN.by_code["B"]
    a, b = TOWN.by_code["A"].uid, TOWN.by_code["B"].uid
    assert now.lineage == (Lineage("merge", a, b, 1.0), Lineage("reshape", b, b))


def test_split_and_merge_of_the_halves_give_the_whole_back() -> None:
    halves = done(TOWN, op="split", grid="B", lines=[line((2.2, -1), (3.9, 3))]).boundaries
    whole = done(halves, op="merge", grids=["V-01", "V-02"], code="B", name="B").boundaries
    assert shapely.equals(whole.shapes[whole.by_code["B"].uid], TOWN.shapes[TOWN.by_code["B"].uid])


def test_grids_that_do_not_merge() -> None:
    assert refused(errors.GridsApart, ISLAND_AND_MORE, op="merge", grids=["A", "C"]).place == "grids[1]"
    assert refused(errors.ParentsDiffer, op="merge", grids=["B", "C"]).place == "grids"
    assert refused(errors.GridMissing, op="merge", grids=["A", "V"]).place == "grids[1]"
    assert refused(errors.GridMissing, op="merge", grids=["A", "B"], into="C").place == "into"
    same = TOWN.by_code["A"].uid
    assert refused(errors.GridMissing, op="merge", grids=["A", same]).place == "grids[1]"


def test_a_corner_is_no_border() -> None:
    before = receive_all(Boundaries(0, ()), [drawn("AB\nCD")], uids())
    refused(errors.GridsApart, before, op="merge", grids=["A", "D"])
    assert cells(done(before, op="merge", grids=["A", "D", "B"], code="E").boundaries, "E") == 3.0


ISLAND_AND_MORE = receive_all(Boundaries(0, ()), [drawn("AAABC\nAAABC")], uids())


def test_merged_communities_keep_their_grids() -> None:
    after = done(TOWN, op="merge", grids=["V", "W"], code="U").boundaries
    assert {parent(after, code) for code in "ABCD"} == {"U"}


def test_a_retired_grid_gives_its_ground_to_a_neighbour() -> None:
    now = done(TOWN, op="retire", grid="A", into="B")
    assert (cells(now.boundaries, "B"), "A" in now.boundaries.by_code) == (8.0, False)
    assert Lineage("merge", TOWN.by_code["A"].uid, TOWN.by_code["B"].uid, 1.0) in now.lineage


def test_ground_that_goes_to_another_parents_grid_moves_the_parents_border() -> None:
    found = refused(errors.ParentsDiffer, op="retire", grid="B", into="C")
    assert (found.place, found.details["parents"]) == ("across_parent", ["V", "W"])
    after = done(TOWN, op="retire", grid="B", into="C", across_parent=True).boundaries
    assert (cells(after, "V"), cells(after, "W"), cells(after, "C")) == (4.0, 12.0, 8.0)


def test_a_grid_is_retired_into_a_neighbour_only() -> None:
    assert refused(errors.GridsApart, op="retire", grid="A", into="D", across_parent=True).place == "into"
    assert refused(errors.OperationInvalid, op="retire", grid="A").place == "into"
    assert refused(errors.GridMissing, op="retire", grid="A", into="V").place == "into"
    assert refused(errors.GridMissing, op="retire", grid="A", into="A").place == "into"


# -- reshape, transfer -------------------------------------------------------------------------------------------------


def test_a_new_common_border() -> None:
    now = done(TOWN, op="reshape", grids=["A", "B"], line=line((1, -1), (1, 3)))
    assert (cells(now.boundaries, "A"), cells(now.boundaries, "B")) == (2.0, 6.0)
    assert {one.kind for one in now.lineage} == {"reshape"}
    assert vertices(now.boundaries, "A") == {(0, 0), (1, 0), (1, 2), (0, 2)}


def test_a_line_from_the_old_border_to_the_old_border_replaces_what_lies_between() -> None:
    after = done(TOWN, op="reshape", grids=["A", "B"], line=line((2, 0.5), (3, 0.5), (3, 1.5), (2, 1.5))).boundaries
    assert (cells(after, "A"), cells(after, "B")) == (5.0, 3.0)


def test_a_border_between_parents_moves_when_one_says_so() -> None:
    new = line((5, -1), (5, 3))
    assert refused(errors.ParentsDiffer, op="reshape", grids=["B", "C"], line=new).place == "across_parent"
    now = done(TOWN, op="reshape", grids=["B", "C"], line=new, across_parent=True)
    assert [cells(now.boundaries, code) for code in "BCVW"] == [6.0, 2.0, 10.0, 6.0]
    assert {one.predecessor for one in now.lineage} == {TOWN.by_code[code].uid for code in "BCVW"}


@pytest.mark.parametrize(
    ("drawn_line", "kind"),
    [
        ([(1, -1), (-1, -1)], errors.LineMisses),
        ([(0.5, 0.5), (1.5, 0.5)], errors.LineMisses),
        ([(0, -1), (0, 3)], errors.LineAlongBorder),
        ([(1, 0), (1, 3), (0, 3), (0, 1), (5, 1)], errors.LineCrossesItself),
    ],
)
def test_lines_that_make_no_border(drawn_line: list[tuple[float, float]], kind: type[errors.GridError]) -> None:
    assert refused(kind, op="reshape", grids=["A", "B"], line=line(*drawn_line)).place == "line"


def test_the_old_border_drawn_again_changes_nothing() -> None:
    after = done(TOWN, op="reshape", grids=["A", "B"], line=line((2, -1), (2, 3))).boundaries
    assert [vertices(after, code) for code in "AB"] == [vertices(TOWN, code) for code in "AB"]


def test_grids_apart_have_no_common_border() -> None:
    assert refused(errors.GridsApart, op="reshape", grids=["A", "C"], line=line((1, -1), (1, 3))).place == "grids"


def test_a_piece_changes_hands() -> None:
    after = done(TOWN, **{"op": "transfer", "from": "A", "to": "B", "area": box(1, 0, 2.5, 1)}).boundaries
    assert (cells(after, "A"), cells(after, "B")) == (3.0, 5.0)


@pytest.mark.parametrize(
    ("giver", "taker", "area", "kind", "where"),
    [
        ("A", "B", (5, 0, 6, 1), errors.AreaOutside, "area"),
        ("A", "B", (-1, -1, 3, 3), errors.GridSwallowed, "area"),
        ("A", "B", (0.5, 0.5, 1.5, 1.5), errors.GridsApart, "area"),
        ("A", "B", (1.99999, 0, 3, 1), errors.PieceTooSmall, "area"),
        ("B", "C", (3, 0, 4, 1), errors.ParentsDiffer, "across_parent"),
        ("B", "B", (3, 0, 4, 1), errors.GridMissing, "to"),
        ("V", "W", (3, 0, 4, 1), errors.GridsBelow, "from"),
    ],
)
def test_areas_that_do_not_change_hands(
    giver: str, taker: str, area: tuple[float, float, float, float], kind: type[errors.GridError], where: str
) -> None:
    assert refused(kind, **{"op": "transfer", "from": giver, "to": taker, "area": box(*area)}).place == where


# -- create ------------------------------------------------------------------------------------------------------------


def test_a_dedicated_grid_is_drawn_over_others() -> None:
    area = box(3.5, 0.5, 5, 1.5)
    now = done(TOWN, op="create", area=area, layer="dedicated", level="grid", name="mall")
    mall = now.boundaries.by_code["W-01"]
    assert (parent(now.boundaries, "W-01"), mall.further_parents) == ("W", (TOWN.by_code["V"].uid,))
    assert now.touched == {mall.uid}
    assert now.lineage == (Lineage("create", None, mall.uid),)


def test_a_dedicated_grid_is_carved_out_of_the_general_ones() -> None:
    area = box(1, 0.5, 3, 1.5)
    now = done(TOWN, op="create", area=area, layer="dedicated", level="grid", name="mall", mode="carve")
    assert [cells(now.boundaries, code) for code in ("A", "B", "V-01", "V")] == [3.0, 3.0, 2.0, 8.0]
    assert (2, 0.5) in vertices(now.boundaries, "V-01")  # where its border meets that of A and B


def test_a_general_grid_is_carved_out_of_others() -> None:
    now = done(TOWN, op="create", area=box(1, 0, 3, 1), layer="general", level="grid", name="new", mode="carve")
    assert [cells(now.boundaries, code) for code in ("A", "B", "V-01")] == [3.0, 3.0, 2.0]
    assert {one.kind for one in now.lineage} == {"create", "reshape"}


def test_carving_over_the_border_of_parents_moves_it() -> None:
    body = {
        "op": "create",
        "area": box(3, 0, 5, 1),
        "layer": "general",
        "level": "grid",
        "mode": "carve",
        "parent": "V",
    }
    assert refused(errors.AreaOutside, **body).place == "area"


def test_a_gap_is_filled_by_a_new_grid() -> None:
    before = receive_all(Boundaries(0, ()), [drawn("VVV", level="community"), drawn("A.C")], uids())
    now = done(before, op="create", area=box(1, 0, 2, 1), layer="general", level="grid", name="gap", parent="V")
    assert (cells(now.boundaries, "V-01"), parent(now.boundaries, "V-01")) == (1.0, "V")


def test_the_first_grids_come_from_nothing() -> None:
    one = done(
        Boundaries(0, ()), op="create", area=box(0, 0, 4, 4), layer="general", level="community", code="U", name="u"
    )
    two = done(
        one.boundaries, op="create", area=box(4, 0, 8, 4), layer="general", level="community", code="T", name="t"
    )
    assert two.boundaries.partitions[0].codes == ("T", "U")


@pytest.mark.parametrize(
    ("more", "kind", "where"),
    [
        ({"layer": "general"}, errors.GroundTaken, "area"),
        ({"area": box(20, 20, 21, 21)}, errors.AreaOutside, "area"),
        ({"area": box(20, 20, 21, 21), "mode": "carve"}, errors.AreaOutside, "area"),
        ({"area": box(-1, -1, 3, 3), "layer": "general", "mode": "carve", "parent": "V"}, errors.GridSwallowed, "area"),
        ({"area": box(1, 1, 1.0001, 1.0001)}, errors.PieceTooSmall, "area"),
        ({"parent": "A"}, errors.GridMissing, "parent"),
        ({"parent": "Q"}, errors.GridMissing, "parent"),
        ({"code": "A"}, errors.CodeTaken, "code"),
    ],
)
def test_areas_that_become_no_grid(more: dict[str, Any], kind: type[errors.GridError], where: str) -> None:
    body = {"op": "create", "area": box(1, 0, 3, 1), "layer": "dedicated", "level": "grid", "name": "new"} | more
    assert refused(kind, **body).place == where


def test_an_overlay_grid_just_ends() -> None:
    before = done(
        TOWN, op="create", area=box(1, 0, 3, 1), layer="dedicated", level="grid", code="M", name="mall"
    ).boundaries
    now = done(before, op="retire", grid="M")
    assert now.lineage == (Lineage("retire", before.by_code["M"].uid, None),)
    assert now.boundaries.partition("dedicated", "grid") is None


def test_an_overlay_follows_the_community_below_it() -> None:
    before = done(
        TOWN, op="create", area=box(4, 0, 5, 1), layer="dedicated", level="grid", code="M", name="mall"
    ).boundaries
    assert parent(before, "M") == "W"
    after = done(before, op="reshape", grids=["B", "C"], line=line((5.5, -1), (5.5, 3)), across_parent=True).boundaries
    assert parent(after, "M") == "V"


# -- rename, recode, reparent, shapes ----------------------------------------------------------------------------------


def test_names_and_codes_change_and_the_uid_stays() -> None:
    renamed = done(TOWN, op="rename", grid="A", name="river")
    assert renamed.boundaries.by_code["A"].name == "river"
    assert renamed.boundaries.partition("general", "grid").names[0] == "river"  # type: ignore[union-attr]
    recoded = done(TOWN, op="recode", grid="A", code="Z")
    uid = TOWN.by_code["A"].uid
    assert (recoded.boundaries.by_code["Z"].uid, recoded.lineage) == (uid, (Lineage("recode", uid, uid),))
    assert done(TOWN, op="recode", grid="A").operation.body["code"] == "V-01"
    assert refused(errors.CodeTaken, op="recode", grid="A", code="D").place == "code"


def test_a_grid_that_gets_another_parent_takes_its_ground_along() -> None:
    now = done(TOWN, op="reparent", grid="B", parent="W")
    assert (parent(now.boundaries, "B"), cells(now.boundaries, "V"), cells(now.boundaries, "W")) == ("W", 4.0, 12.0)
    assert refused(errors.GridsApart, op="reparent", grid="A", parent="W").place == "parent"
    assert refused(errors.GridMissing, op="reparent", grid="A", parent="B").place == "parent"
    only = done(TOWN, op="reparent", grid="B", parent="W").boundaries
    assert refused(errors.GridSwallowed, only, op="reparent", grid="A", parent="W").place == "parent"


def test_shapes_of_a_file_are_set_at_once() -> None:
    body = {
        "op": "shapes",
        "shapes": {"A": box(0, 0, 1, 2)},
        "create": [{"geometry": box(1, 0, 2, 2), "name": "new", "code": "N"}],
    }
    now = done(TOWN, **body)
    assert [cells(now.boundaries, code) for code in ("A", "N")] == [2.0, 2.0]
    assert parent(now.boundaries, "N") == "V"
    assert now.operation.body["create"][0]["uid"] == now.boundaries.by_code["N"].uid


def test_shapes_that_overlap_are_refused() -> None:
    assert refused(errors.PartitionBroken, op="shapes", shapes={"A": box(0, 0, 3, 2)}).place == "shapes"
    assert (
        refused(errors.GridMissing, op="shapes", shapes={"A": box(0, 0, 2, 2), "V": box(0, 0, 4, 2)}).place == "shapes"
    )
    assert refused(errors.OperationInvalid, op="shapes", shapes={"A": box(0, 0, 2, 2)}, retire=["A"]).place == "shapes"


# -- laws --------------------------------------------------------------------------------------------------------------

#: A planar square metre in square degrees, about, where the jittered towns lie.
M2 = 1 / (94_500 * 110_900)


def corners(shape: Any) -> set[tuple[float, ...]]:
    return set(map(tuple, shapely.get_coordinates(shape).tolist()))


def check_laws(before: Boundaries, now: Redrawn) -> None:
    """What holds after every operation on general grids in communities."""
    after = now.boundaries
    for partition in after.partitions:
        assert shapely.is_valid(partition.geometry).all()
        assert shapely.coverage_is_valid(partition.geometry)
    for level in ("grid", "community"):
        old, new = (shapely.union_all(b.partition("general", level).geometry) for b in (before, after))  # type: ignore[union-attr]
        assert shapely.area(shapely.symmetric_difference(old, new)) <= 0.01 * M2
    check_communities(after)
    for uid, unit in before.units.items():
        if uid not in now.touched:
            assert after.units[uid] == unit
            assert after.shapes[uid] is before.shapes[uid]
        elif uid in after.units and uid not in now.moved:
            assert corners(before.shapes[uid]) <= corners(after.shapes[uid])


def check_communities(after: Boundaries) -> None:
    children = defaultdict(list)
    for uid, unit in after.units.items():
        if (unit.layer, unit.level) == ("general", "grid"):
            children[unit.parent].append(after.shapes[uid])
    for uid, shapes in children.items():
        whole = shapely.normalize(shapely.coverage_union_all(shapes))
        assert shapely.equals_identical(whole, shapely.normalize(after.shapes[uid or ""]))


def same_bytes(one: Boundaries, other: Boundaries) -> bool:
    return one.units == other.units and all(
        (a.layer, a.level, a.codes, a.names) == (b.layer, b.level, b.codes, b.names)
        and (shapely.to_wkb(a.geometry) == shapely.to_wkb(b.geometry)).all()
        for a, b in zip(one.partitions, other.partitions, strict=True)
    )


def no_uid() -> str:
    raise AssertionError("a completed operation needs no new uid")


def some(boundaries: Boundaries, seed: int, number: int) -> list[tuple[Boundaries, Redrawn]]:
    """So many random operations that are possible, one after the other."""
    rng, new, carried_out = np.random.default_rng(seed), uids(1000), []
    for _ in range(4 * number):
        if len(carried_out) == number:
            break
        try:
            now = redraw(boundaries, next(jittered.operations(rng, boundaries)), new_uid=new)
        except errors.InputError:
            continue
        carried_out.append((boundaries, now))
        boundaries = now.boundaries
    return carried_out


SEEDS = st.integers(0, 2**32 - 1)


@settings(max_examples=40, deadline=None)
@given(SEEDS, st.sampled_from([0.0, 0.2, 0.35]))
def test_whatever_is_done_a_partition_stays_one_and_nothing_else_moves(seed: int, jitter: float) -> None:
    for before, now in some(jittered.town(seed, jitter=jitter), seed, 6):
        check_laws(before, now)


@settings(max_examples=25, deadline=None)
@given(SEEDS)
def test_a_completed_operation_gives_the_same_bytes_again(seed: int) -> None:
    before = jittered.town(seed)
    done_so_far = some(before, seed, 5)
    for old, now in done_so_far:
        again = redraw(old, parse_operation(json.loads(json.dumps(now.operation.as_json()))), new_uid=no_uid)
        assert same_bytes(again.boundaries, now.boundaries)
        assert (again.lineage, again.touched, again.operation) == (now.lineage, now.touched, now.operation)
    for kept in range(len(done_so_far)):  # undo: all but the last, to the very first
        replayed = redraw_all(before, [now.operation for _, now in done_so_far[:kept]], new_uid=no_uid)
        assert same_bytes(replayed.boundaries, done_so_far[kept][0])


@settings(max_examples=30, deadline=None)
@given(SEEDS)
def test_split_then_merge_gives_the_same_ground(seed: int) -> None:
    before, rng = jittered.town(seed), np.random.default_rng(seed)
    held = before.partition("general", "grid")
    assert held is not None
    row = int(rng.integers(len(held)))
    lines = [jittered.chord(rng, held.geometry[row]) for _ in range(2)]
    try:
        parts = redraw(
            before, parse_operation({"op": "split", "grid": held.codes[row], "lines": lines}), new_uid=uids(1000)
        )
        merge = {"op": "merge", "grids": parts.operation.body["codes"], "code": held.codes[row]}
        whole = redraw(parts.boundaries, parse_operation(merge), new_uid=uids(2000))
    except (errors.RedrawRefused, errors.OperationInvalid):
        return
    made = whole.boundaries.shapes[whole.boundaries.by_code[held.codes[row]].uid]
    assert corners(held.geometry[row]) <= corners(made)
    assert shapely.area(shapely.symmetric_difference(made, held.geometry[row])) <= 0.01 * M2
    assert sum(one.share or 0 for one in parts.lineage) == pytest.approx(1.0)


def within(boundaries: Boundaries, operation: Operation) -> set[str]:
    """The communities that an operation is about."""
    body = operation.body
    named = [body.get(key) for key in ("grid", "from", "to", "into", "parent")] + body.get("grids", [])
    units = [boundaries.by_code[code] for code in named if code in boundaries.by_code]
    return {unit.parent or unit.uid for unit in units if unit.level == "grid"}


@settings(max_examples=30, deadline=None)
@given(SEEDS)
def test_operations_in_different_communities_commute(seed: int) -> None:
    before, rng = jittered.town(seed, communities=4), np.random.default_rng(seed)
    kinds = {"split", "merge", "transfer", "rename", "recode"}
    chosen: dict[str, Operation] = {}
    for _ in range(60):
        operation = next(jittered.operations(rng, before))
        places = within(before, operation)
        if operation.op in kinds and len(places) == 1 and next(iter(places)) not in chosen:
            try:
                completed = redraw(before, operation, new_uid=uids(1000 * (1 + len(chosen)))).operation
            except errors.InputError:
                continue
            chosen[next(iter(places))] = completed
    both = list(chosen.values())[:2]
    one, other = (redraw_all(before, order, new_uid=no_uid).boundaries for order in (both, both[::-1]))
    assert one.units == other.units
    assert not compare(one, other)


@settings(max_examples=25, deadline=None)
@given(SEEDS)
def test_lineage_names_every_grid_whose_ground_moved(seed: int) -> None:
    for before, now in some(jittered.town(seed), seed, 4):
        facts = compare(before, now.boundaries)
        successors = {one.successor for one in now.lineage}
        predecessors = {one.predecessor for one in now.lineage}
        assert set(facts.created) <= successors
        assert set(facts.retired) <= predecessors
        assert set(facts.shapes) | set(facts.retired) <= now.touched | set(facts.created)
        assert now.moved & set(before.units) <= predecessors | successors
