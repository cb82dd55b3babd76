"""Street-bounded blocks: each within one grid, together the grid again; numbered from west to east."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from gis.blocks import Blocks, blocks
from gis.partition import Partition, partition_of
from gis.supersede import same_shape
from tests.town import STEP, place, shapes

#: A letter's square in m2. Planar on purpose: a geodesic between two vertices is not the straight line of the plan.
SQUARE_M2 = 10_000.0

TWO = """
    AAAABBBB
    AAAABBBB
    AAAABBBB
"""


def partition(plan: str) -> Partition:
    found = shapes(plan)
    return partition_of(list(found), list(found.values()))


def street(*points: tuple[float, float]) -> Any:
    return shapely.LineString([place(*point) for point in points])


def lines(*streets: Any) -> Any:
    held = np.empty(len(streets), dtype=object)
    held[:] = streets
    return held


def cells(one: Any) -> float:
    """The area in squares of the plan (about 10,000 m2 each)."""
    return round(one.area / STEP**2, 6)


def test_without_streets_every_grid_is_one_block() -> None:
    plan = partition(TWO)
    made = blocks(lines(), plan)
    assert (made.codes, made.grids, made.joined) == (("A-01", "B-01"), ("A", "B"), 0)
    assert all(same_shape(*pair) for pair in zip(made.geometry, plan.geometry, strict=True))


def test_a_street_through_both_grids_cuts_both() -> None:
    made = blocks(lines(street((-1, 1), (9, 1))), partition(TWO))
    assert made.codes == ("A-01", "A-02", "B-01", "B-02")
    assert [cells(one) for one in made.geometry] == [8, 4, 8, 4]  # north first
    assert shapely.coverage_is_valid(made.geometry)


def test_blocks_are_numbered_from_west_to_east() -> None:
    crossing = lines(street((2, -1), (2, 4)), street((1, -1), (1, 4)))
    made = blocks(crossing, partition(TWO))
    assert [(code, cells(one)) for code, one in zip(made.codes, made.geometry, strict=True)] == [
        ("A-01", 3), ("A-02", 3), ("A-03", 6), ("B-01", 12),
    ]  # fmt: skip


def test_a_street_that_leads_nowhere_bounds_nothing_and_leaves_no_trace() -> None:
    plan = partition(TWO)
    blind = lines(street((-1, 1.3), (2.7, 1.7)), street((3.1, 1.1), (6.3, 1.9)))
    made = blocks(blind, plan)
    assert made.codes == ("A-01", "B-01")
    assert all(same_shape(*pair) for pair in zip(made.geometry, plan.geometry, strict=True))


def test_the_strip_between_two_carriageways_is_no_block() -> None:
    made = blocks(lines(street((-1, 1), (9, 1)), street((-1, 1.05), (9, 1.05))), partition(TWO))  # 5 m apart
    assert ([round(cells(one), 1) for one in made.geometry], made.joined) == ([7.8, 4.2, 7.8, 4.2], 2)
    wide = blocks(lines(street((-1, 1), (9, 1)), street((-1, 1.2), (9, 1.2))), partition(TWO))  # 20 m apart
    assert (len(wide), wide.joined) == (6, 0)


def test_the_strip_between_a_street_and_the_border_it_follows_joins_its_own_grid() -> None:
    made = blocks(lines(street((3.97, -1), (4.02, 4))), partition(TWO))
    assert (made.codes, [cells(one) for one in made.geometry]) == (("A-01", "B-01"), [12, 12])


def test_a_corner_below_the_threshold_joins_the_neighbour_along_the_longest_border() -> None:
    corner = lines(street((-0.1, 0.2), (0.2, -0.1)), street((1, -1), (1, 4)))
    made = blocks(corner, partition(TWO))
    assert [cells(one) for one in made.geometry] == [3, 9, 12]
    kept = blocks(corner, partition(TWO), smallest_m2=0, narrowest_m=0)
    assert (len(kept), kept.joined) == (4, 0)


def test_a_grid_that_is_itself_too_small_stays() -> None:
    made = blocks(lines(), partition("AAB"), smallest_m2=1e9)
    assert made.codes == ("A-01", "B-01")


def test_a_hole_belongs_to_nobody() -> None:
    made = blocks(lines(street((-1, 1.5), (9, 1.5))), partition("AAAA\nA..A\nAAAA"))
    assert (len(made), sum(cells(one) for one in made.geometry)) == (2, 10)


def test_more_than_99_blocks_have_numbers_of_three_digits() -> None:
    many = lines(*(street((i / 25, -1), (i / 25, 4)) for i in range(1, 100)))
    made = blocks(many, partition("AAAA\nAAAA"), smallest_m2=0, narrowest_m=0)
    assert (made.codes[0], made.codes[-1], list(made.codes)) == ("A-001", "A-100", sorted(made.codes))


@pytest.mark.parametrize("odd", [shapely.Point(*place(1, 1)), shapely.Polygon(), shapely.GeometryCollection()])
def test_what_is_no_line_bounds_nothing(odd: Any) -> None:
    assert len(blocks(lines(odd), partition(TWO))) == 2


point = st.tuples(st.floats(-1, 9), st.floats(-1, 4))
roads = st.lists(st.lists(point, min_size=2, max_size=5), max_size=8)


def whole(made: Blocks, plan: Partition) -> None:
    assert set(made.grids) == set(plan.codes)
    assert shapely.is_valid(made.geometry).all()
    assert shapely.coverage_is_valid(made.geometry)
    for code, shape in zip(plan.codes, plan.geometry, strict=True):
        held = made.geometry[[i for i, grid in enumerate(made.grids) if grid == code]]
        beside = shapely.symmetric_difference(shapely.union_all(held), shape)
        assert shapely.area(beside) * SQUARE_M2 / STEP**2 <= 0.01


@settings(max_examples=80)
@given(roads)
def test_whatever_the_streets_the_blocks_of_a_grid_are_the_grid(drawn: list[list[tuple[float, float]]]) -> None:
    plan = partition("AAAABBBB\nAACCCCBB\nDDCCCCBB")
    plan = partition_of(plan.codes, list(shapely.coverage_clean(plan.geometry)))
    whole(blocks(lines(*(street(*points) for points in drawn)), plan), plan)


@settings(max_examples=40)
@given(roads)
def test_the_order_and_direction_of_streets_do_not_matter(drawn: list[list[tuple[float, float]]]) -> None:
    plan = partition(TWO)
    one = blocks(lines(*(street(*points) for points in drawn)), plan)
    other = blocks(lines(*(street(*points[::-1]) for points in reversed(drawn))), plan)
    assert (one.codes, one.joined) == (other.codes, other.joined)
    assert np.allclose(shapely.area(one.geometry), shapely.area(other.geometry), atol=1e-15)
