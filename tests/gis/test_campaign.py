"""Campaigns: places and ground that were done in the period, by the grid of that time; unknown is not missed; n/a is not 0."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from gis.campaign import Done, Stretch, ground_done, ground_of, places_done
from gis.cellframe import SIDE
from gis.cellowners import CellOwners, cell_owners, owners_within
from gis.ground import ground_m2
from gis.locate import GridIndex
from gis.partition import partition_of
from gis.shares import Shares
from gis.sweep import Sweep
from tests.gis.walks import DAY, at, degrees, fixes, frame, line, square, tracks

DAYS = 86_400
KEYS = ("a", "b", "c")


def tracked(**seconds: tuple[float, float]) -> Shares:
    """Tracked and duty seconds by grid; nobody's else."""
    return Shares("tracked", "s", tuple(seconds), *np.array(list(seconds.values()), np.float64).reshape(-1, 2).T)


NOBODY = tracked()


def stretch(owner: list[int], begin: float = 0, end: float = 10) -> Stretch:
    """From day `begin` until day `end`."""
    return Stretch(at(begin * DAYS), at(end * DAYS), np.array(owner, np.int64))


def done(stretches: list[Stretch], visits: list[tuple[int, float]], watched: Shares = NOBODY) -> Done:
    """Visits are (place, day)."""
    place = np.array([one for one, _ in visits], np.int64)
    when = np.array([at(day * DAYS) for _, day in visits], "datetime64[us]")
    return places_done(KEYS, stretches, place, when, watched, {"campaign": "straw"})


def figures(found: Done) -> list[tuple[float, float]]:
    return list(zip(found.shares.numerator.tolist(), found.shares.denominator.tolist(), strict=True))


# --- places ------------------------------------------------------------------------------------------------------------------


def test_a_place_is_done_once_it_was_visited_in_the_period_however_often() -> None:
    found = done([stretch([0, 0, 1, -1])], [(0, 3), (0, 4), (2, 5), (3, 5)])
    assert figures(found) == [(1, 2), (1, 1), (0, 0)]
    assert (found.shares.name, found.shares.unit, found.shares.parameters) == (
        "campaign_places",
        "places",
        {"campaign": "straw"},
    )


def test_the_period_is_half_open() -> None:
    found = done([stretch([0, 0, 0, 0], 1, 2)], [(0, 0.9999), (1, 1), (2, 1.9999), (3, 2)])
    assert figures(found)[0] == (2, 4)


def test_who_was_not_tracked_is_unknown_and_who_was_missed_it() -> None:
    watched = tracked(a=(90, 100), b=(10, 100))
    found = done([stretch([0, 1, 2])], [(2, 1)], watched)
    assert found.as_json()["counts"] == {"visited": 1, "missed": 1, "unknown": 1, "n/a": 0}
    assert [row["state"] for row in found.as_json()["grids"]] == ["missed", "unknown", "visited"]


def test_a_grid_without_a_place_of_the_campaign_is_not_told() -> None:
    told = done([stretch([0])], []).as_json()
    assert [row["key"] for row in told["grids"]] == ["a"]
    assert told["counts"]["n/a"] == 2
    assert told["total"]["value"] == 0.0


def test_a_visit_counts_for_the_grid_that_had_the_place_then() -> None:
    """Place 0 goes from a to b on day 5: visited on day 3 it is done in a and not in b; place 1 stays and counts once."""
    spans = [stretch([0, 0], 0, 5), stretch([1, 0], 5, 10)]
    assert figures(done(spans, [(0, 3), (1, 7)])) == [(2, 2), (0, 1), (0, 0)]
    assert figures(done(spans, [(0, 7), (1, 7), (1, 3)])) == [(1, 2), (1, 1), (0, 0)]


def test_a_campaign_without_a_place_or_a_stretch_has_nothing_to_do() -> None:
    for spans in ([], [stretch([])]):
        assert figures(done(spans, [])) == [(0, 0)] * 3


@settings(max_examples=100)
@given(
    st.lists(st.integers(-1, 2), min_size=1, max_size=8),
    st.lists(st.tuples(st.integers(0, 7), st.floats(-2, 12)), max_size=20),
    st.integers(0, 5),
)
def test_shares_are_those_of_counting_by_hand(owner: list[int], visits: list[tuple[int, float]], begin: int) -> None:
    visits = [(place % len(owner), day) for place, day in visits]
    found = done([stretch(owner, begin, begin + 5)], visits)
    was = {place for place, day in visits if at(begin * DAYS) <= at(day * DAYS) < at((begin + 5) * DAYS)}
    assert figures(found) == [
        (sum(who == key and place in was for place, who in enumerate(owner)), owner.count(key)) for key in range(3)
    ]


# --- ground ------------------------------------------------------------------------------------------------------------------


def halves() -> GridIndex:
    """a: the western 500 m, b: the eastern 500 m, 800 m high; c beside them."""
    shapes = [square(0, 0, 500, 800), square(500, 0, 1000, 800), square(1000, 0, 1200, 800)]
    return GridIndex.of([partition_of(list(KEYS), shapes)])


def owner_of_cells(owners: CellOwners) -> dict[tuple[int, int], int]:
    """(column, row) of a cell -> its grid, read run by run."""
    found = {}
    for one in range(len(owners.start) - 1):
        tile, row = divmod(one, SIDE)
        tile_row, tile_column = divmod(tile, owners.frame.columns)
        for run in range(owners.start[one], owners.start[one + 1]):
            for cell in range(owners.begin[run], owners.end[run] + 1):
                found[tile_column * SIDE + cell, tile_row * SIDE + row] = int(owners.grid[run])
    return found


AREAS = {
    "a box over the border": square(400, 100, 630, 333),
    "a triangle": degrees(shapely.Polygon([(20, 30), (900, 60), (450, 700)])),
    "with a hole": degrees(shapely.box(100, 100, 900, 700) - shapely.box(300, 300, 600, 500)),
    "in two parts": shapely.union_all([square(0, 0, 50, 50), square(700, 700, 1300, 1000)]),
    "three tiles and more": square(-50, -50, 1100, 900),
    "all": square(-100, -100, 1400, 1400),
    "none of it": square(300, 900, 400, 1000),
}


@pytest.mark.parametrize("name", AREAS)
def test_owners_within_an_area_are_those_of_the_cells_whose_centre_it_covers(name: str) -> None:
    owners = cell_owners(frame(), halves(), "general")
    inside = owner_of_cells(owners_within(owners, AREAS[name]))
    every = owner_of_cells(owners)
    centre = owners.frame.places(*(np.array(list(every), np.float64) + 0.5).T)
    covered = shapely.intersects_xy(AREAS[name], *centre.T)
    assert inside == {cell: grid for (cell, grid), here in zip(every.items(), covered.tolist(), strict=True) if here}
    assert (len(inside) > 0) == (name != "none of it")


def seen(*walks: Any) -> Any:
    made = Sweep(frame(), 25.0, origin=DAY)
    for walk in walks:
        made.add(walk)
    return made.seen(DAY, at(DAYS))


def test_ground_is_done_where_it_lies_in_the_area_and_was_seen() -> None:
    """A walk along y = 400 m from x = 200 to 800 sees 50 m across: of the area's 300 m by 100 m in a all but the walk's beginning."""
    area = square(300, 350, 600, 450)
    walk = tracks(fixes(line(1.0, 600, 10, y=400.0)))
    found = ground_done([(cell_owners(frame(), halves(), "general"), seen(walk))], area, tracked(a=(1, 1)), {})
    assert (found.shares.name, found.shares.unit) == ("campaign_ground", "m2")
    assert found.shares.denominator.tolist() == [200 * 100, 100 * 100, 0]
    assert found.shares.value[:2].tolist() == pytest.approx([0.5, 0.5], abs=0.01)
    assert [row["state"] for row in found.as_json()["grids"]] == ["missed", "unknown"]
    assert found.shares.parameters == {"enough": 0.8}


def test_enough_of_the_ground_is_visited() -> None:
    walk = tracks(fixes(line(1.0, 600, 10, y=400.0)))
    spans = [(cell_owners(frame(), halves(), "general"), seen(walk))]
    found = ground_done(spans, square(300, 350, 400, 450), NOBODY, {}, enough=0.4)
    assert found.counts == {"visited": 1, "missed": 0, "unknown": 0, "n/a": 2}


def test_the_ground_of_an_area_by_grid_adds_up() -> None:
    (grids,), area = halves().boundaries.partitions, AREAS["with a hole"]
    inside, whole = ground_of(grids, area)
    assert whole.tolist() == ground_m2(grids.geometry).tolist()
    assert inside[:2].sum() == pytest.approx(float(ground_m2(np.array([area], dtype=object))[0]), rel=1e-9)
    assert inside.tolist() == pytest.approx([400 * 600 - 200 * 200, 400 * 600 - 100 * 200, 0], rel=2e-3)


def test_an_area_that_only_touches_a_grid_has_none_of_its_ground() -> None:
    a = partition_of(["a"], [shapely.box(121.0, 32.0, 121.01, 32.01)])
    inside, _ = ground_of(a, shapely.box(121.01, 32.0, 121.02, 32.01))
    assert inside.tolist() == [0.0]
