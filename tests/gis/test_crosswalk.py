"""Crosswalk: the pieces between two states of drawn towns; a letter's square is STEP by STEP degrees."""

from __future__ import annotations

from collections import defaultdict

import numpy as np
import pytest
import shapely
from hypothesis import given

from gis.crosswalk import Pieces, crosswalk
from gis.ground import ground_m2
from gis.partition import partition_of
from tests.redrawn import plans
from tests.town import LAT, LON, STEP, shapes

#: The ground of one letter in the lowest row, by the definition of the area; rows differ by a hundred-thousandth.
LETTER_M2 = float(ground_m2(np.array([shapely.box(LON, LAT, LON + STEP, LAT + STEP)]))[0])


def walked(before: str, after: str, touched: set[str] | None = None) -> Pieces:
    return crosswalk(shapes(before), shapes(after), touched=touched)


def letters(pieces: Pieces) -> dict[tuple[str | None, str | None], float]:
    """What changed hands, in letters."""
    return {pair: round(m2 / LETTER_M2, 3) for pair, m2 in pieces.flows().items()}


def test_a_moved_border_is_one_piece_from_one_to_the_other() -> None:
    assert letters(walked("AAB\nAAB", "ABB\nABB")) == {("A", "B"): 2.0}


def test_the_same_town_has_no_flows_and_one_piece_a_grid() -> None:
    pieces = walked("AAB\nCCB", "AAB\nCCB")
    assert pieces.flows() == {}
    assert len(pieces) == 3


def test_what_nobody_had_or_has_is_outside() -> None:
    assert letters(walked("AA.", ".AA")) == {("A", None): 1.0, (None, "A"): 1.0}


def test_a_split_goes_to_the_parts_and_a_merge_comes_back() -> None:
    assert letters(walked("AAA", "XXY")) == {("A", "X"): 2.0, ("A", "Y"): 1.0}
    assert letters(walked("XXY", "AAA")) == {("X", "A"): 2.0, ("Y", "A"): 1.0}


def test_one_pair_is_one_piece_of_several_parts() -> None:
    pieces = walked("AAAAA", "ABABA".replace("B", "X"))
    assert letters(pieces) == {("A", "X"): 2.0}
    assert shapely.get_num_geometries(pieces.geometry[1]) == 2


def test_what_is_not_touched_passes_uncut_even_if_it_differs() -> None:
    pieces = walked("ABC", "BAC", touched={"C"})
    assert pieces.flows() == {}


def test_a_partition_goes_by_its_codes() -> None:
    before, after = (partition_of(list(s), list(s.values())) for s in (shapes("AAB"), shapes("ABB")))
    assert letters(crosswalk(before, after)) == {("A", "B"): 1.0}


def test_pieces_are_sorted_with_outside_last() -> None:
    pieces = walked("BA.", "AB.".replace("B", "C"))
    assert list(zip(pieces.before.tolist(), pieces.after.tolist(), strict=True)) == [(0, 1), (1, 0)]
    assert walked("A.", ".A").before.tolist() == [0, -1]


@given(plans, plans)
def test_the_pieces_of_every_grid_add_up_to_it(before: str, after: str) -> None:
    pieces = walked(before, after)
    for side, index, uids in ((before, pieces.before, pieces.before_uids), (after, pieces.after, pieces.after_uids)):
        drawn = shapes(side)
        for k, uid in enumerate(uids):
            whole = ground_m2(np.array([drawn[uid]]))[0]
            assert pieces.area_m2[index == k].sum() == pytest.approx(whole, rel=1e-6)


@given(plans, plans)
def test_pieces_do_not_overlap_and_lie_in_their_grids(before: str, after: str) -> None:
    pieces = walked(before, after)
    old, new = shapes(before), shapes(after)
    union = shapely.union_all(pieces.geometry)
    assert ground_m2(np.array([union]))[0] == pytest.approx(pieces.area_m2.sum(), rel=1e-9)
    for i, j, shape in zip(pieces.before, pieces.after, pieces.geometry, strict=True):
        inner = shape.representative_point()
        assert (i < 0) == (not any(s.covers(inner) for s in old.values()))
        assert i < 0 or old[pieces.before_uids[i]].covers(inner)
        assert j < 0 or new[pieces.after_uids[j]].covers(inner)


@given(plans, plans, plans)
def test_two_steps_bring_every_grid_as_much_as_one(one: str, two: str, three: str) -> None:
    def gains(pieces: Pieces) -> dict[str | None, float]:
        net: dict[str | None, float] = defaultdict(float)
        for (source, target), m2 in pieces.flows().items():
            net[source] -= m2
            net[target] += m2
        return net

    steps, leap = [gains(walked(one, two)), gains(walked(two, three))], gains(walked(one, three))
    for uid in "ABCD":
        assert sum(step[uid] for step in steps) == pytest.approx(leap[uid], abs=0.01)


@given(plans, plans)
def test_the_way_back_is_the_way_mirrored(before: str, after: str) -> None:
    there, back = walked(before, after).flows(), walked(after, before).flows()
    assert {(b, a): pytest.approx(m2, rel=1e-6) for (a, b), m2 in there.items()} == back
