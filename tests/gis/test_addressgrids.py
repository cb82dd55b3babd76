"""An address becomes a grid: two squares A and B side by side, places told in words."""

from __future__ import annotations

import pytest
import shapely

from gis.addressanswer import AddressAnswer, AddressCandidate
from gis.addressgrids import PLACES, address_place, grid_shares, places_of
from gis.addresswords import AddressWords
from gis.locate import GridIndex
from gis.partition import partition_of
from gis.streetnumbers import metres_between
from tests.town import STEP, place, shapes


@pytest.fixture(scope="module")
def index() -> GridIndex:
    drawn = shapes("AB")
    return GridIndex.of([partition_of(list(drawn), list(drawn.values()), "general")])


def candidate(column: float, row: float, radius_m: float = 5.0, score: float = 1.0, **more: object) -> AddressCandidate:
    lon, lat = place(column, row)
    return AddressCandidate("某处", "poi", "name", lon, lat, radius_m, score, **more)  # type: ignore[arg-type]


def answer(*candidates: AddressCandidate, reason: str | None = None) -> AddressAnswer:
    return AddressAnswer(AddressWords("某处"), candidates, reason)


def test_68_of_100_places_lie_within_the_radius() -> None:
    lon, lat = places_of(candidate(0.5, 0.5, radius_m=40.0))
    centre = place(0.5, 0.5)
    within = sum(metres_between((x, y), centre) <= 40.0 for x, y in zip(lon.tolist(), lat.tolist(), strict=True))
    assert within / PLACES == pytest.approx(0.68, abs=0.01)


def test_a_place_well_inside_a_grid_is_that_grids(index: GridIndex) -> None:
    found = address_place(index, answer(candidate(0.5, 0.5)))
    assert (found.assignment.grid, found.assignment.method, found.assignment.probability) == ("A", "address", 1.0)
    assert found.assignment.distance_to_edge_m is None
    assert not found.assignment.ambiguous
    assert found.lon_lat == place(0.5, 0.5)


def test_a_precise_place_on_a_border_goes_to_one_and_names_both(index: GridIndex) -> None:
    found = address_place(index, answer(candidate(1.0, 0.5, radius_m=10.0))).assignment
    assert found.grid in {"A", "B"}
    assert found.ambiguous
    assert {one.grid for one in found.candidates} == {"A", "B"}
    assert {*found.owners, *found.told} == {"A", "B"}
    assert sum(one.probability or 0.0 for one in found.candidates) == pytest.approx(1.0, abs=0.01)


def test_joint_gives_a_place_on_a_border_to_both(index: GridIndex) -> None:
    found = address_place(index, answer(candidate(1.0, 0.5, radius_m=10.0)), policy="joint").assignment
    assert (found.owners, found.told) == ((found.grid, *({"A", "B"} - {found.grid})), ())


def test_ask_leaves_a_place_on_a_border_to_a_person(index: GridIndex) -> None:
    found = address_place(index, answer(candidate(1.0, 0.5, radius_m=10.0)), policy="ask")
    assert (found.assignment.grid, found.assignment.method, found.assignment.reason) == (None, "none", "ambiguous")
    assert {one.grid for one in found.assignment.candidates} == {"A", "B"}
    assert found.suggestions()
    sure = address_place(index, answer(candidate(0.5, 0.5)), policy="ask").assignment
    assert (sure.grid, sure.ambiguous) == ("A", False)


def test_the_threshold_says_what_is_ambiguous_and_tell_who_hears(index: GridIndex) -> None:
    near = answer(candidate(1.05, 0.5, radius_m=10.0))  # some 5 m inside B, which has three quarters of it
    told = address_place(index, near).assignment
    assert (told.grid, told.ambiguous, told.told) == ("B", True, ("A",))
    assert address_place(index, near, tell=0.4).assignment.told == ()
    enough = address_place(index, near, sure_from=0.5).assignment
    assert (enough.grid, enough.ambiguous, enough.told) == ("B", False, ())


def test_each_reading_is_answered_by_its_own_order_of_layers() -> None:
    general, market = shapes("AB"), shapes("MM")
    parts = {
        "market": partition_of(["M"], list(market.values()), "dedicated"),
        "town": partition_of(list(general), list(general.values()), "general"),
    }
    usual, turned = GridIndex.of([parts["market"], parts["town"]]), GridIndex.of([parts["town"], parts["market"]])
    east = place(1.0, 0.5)[0]
    two = answer(candidate(0.5, 0.5), candidate(1.5, 0.5), reason="address-ambiguous")
    found = address_place(usual, two, sure_from=0.4, index_of=lambda one: turned if one.lon > east else usual)
    assert {one.grid: one.probability for one in found.assignment.candidates} == {"M": 0.5, "B": 0.5}


def test_a_vague_place_on_a_border_waits_in_the_queue(index: GridIndex) -> None:
    found = address_place(index, answer(candidate(1.0, 0.5, radius_m=100.0), reason="address-vague"))
    assert (found.assignment.grid, found.assignment.method) == (None, "none")
    assert found.assignment.reason == "address-vague"
    assert {one.grid for one in found.assignment.candidates} == {"A", "B"}
    assert found.suggestions()


def test_two_places_in_one_grid_are_that_grids(index: GridIndex) -> None:
    two = answer(candidate(0.3, 0.5), candidate(0.6, 0.5), reason="address-ambiguous")
    assert address_place(index, two).assignment.grid == "A"


def test_two_places_in_two_grids_share_the_probability_by_score(index: GridIndex) -> None:
    two = answer(candidate(0.5, 0.5, score=1.0), candidate(1.5, 0.5, score=0.95), reason="address-ambiguous")
    assert grid_shares(lambda _: index, two.rivals()) == pytest.approx({"A": 1.0 / 1.95, "B": 0.95 / 1.95})
    assert address_place(index, two).assignment.reason == "address-ambiguous"


def test_the_grid_of_most_readings_wins_over_that_of_the_best(index: GridIndex) -> None:
    many = answer(
        candidate(0.5, 0.5), *(candidate(1.2 + 0.1 * i, 0.5, score=0.95) for i in range(6)), reason="address-ambiguous"
    )
    found = address_place(index, many)
    assert (found.assignment.grid, found.assignment.candidates[0].grid) == ("B", "B")
    assert found.lon_lat == place(1.2, 0.5)


def test_a_suggestion_is_never_assigned(index: GridIndex) -> None:
    found = address_place(index, answer(candidate(0.5, 0.5, score=0.7), reason="address-vague"))
    assert (found.assignment.grid, found.assignment.reason) == (None, "address-vague")


def test_a_place_outside_all_grids_says_so(index: GridIndex) -> None:
    found = address_place(index, answer(candidate(9.0, 9.0)))
    assert (found.assignment.grid, found.assignment.reason) == (None, "address-outside")


def test_an_unknown_address_keeps_its_reason(index: GridIndex) -> None:
    assert address_place(index, answer(reason="address-unknown")).assignment.reason == "address-unknown"


def test_without_boundaries_nothing_is_assigned() -> None:
    found = address_place(GridIndex.of([]), answer(candidate(0.5, 0.5)))
    assert (found.assignment.grid, found.assignment.reason) == (None, "no-boundaries")


def test_a_street_spreads_along_its_line(index: GridIndex) -> None:
    west, south = place(0.0, 0.5)
    line = shapely.LineString([(west, south), (west + 2 * STEP, south)])
    shares = grid_shares(lambda _: index, [candidate(1.0, 0.5, geometry=line)])
    assert shares == pytest.approx({"A": 0.5, "B": 0.5}, abs=0.02)


def test_an_area_spreads_within_itself(index: GridIndex) -> None:
    west, south = place(0.5, 0.0)
    area = shapely.box(west, south, west + STEP, south + STEP)
    shares = grid_shares(lambda _: index, [candidate(1.0, 0.5, geometry=area)])
    assert shares == pytest.approx({"A": 0.5, "B": 0.5}, abs=0.05)
