"""Whose is it: drawn towns with answers worked out by hand, and laws against brute force."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import numpy.typing as npt
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from gis.crs import metres_per_degree
from gis.locate import GridIndex, Located
from gis.partition import Boundaries, Partition, Unit, partition_of

LON, LAT = 121.2, 32.05
EAST, NORTH = (float(scale[0]) for scale in metres_per_degree(np.array([LAT])))

# A town of four general grids and a market (M, dedicated) over the corner where they meet; one square = 0.01 degrees.
#
#     2 +-----+-----+
#       |  C  |  D  |
#       |   +---+   |
#     1 +---| M |---+
#       |   +---+   |
#       |  A  |  B  |
#     0 +-----+-----+
#       0     1     2


def square(west: float, south: float, east: float, north: float) -> shapely.Polygon:
    return shapely.box(LON + west / 100, LAT + south / 100, LON + east / 100, LAT + north / 100)


def town() -> tuple[Partition, Partition]:
    general = partition_of(
        ["D", "A", "C", "B"], [square(1, 1, 2, 2), square(0, 0, 1, 1), square(0, 1, 1, 2), square(1, 0, 2, 1)]
    )
    return partition_of(["M"], [square(0.75, 0.75, 1.25, 1.25)], "dedicated"), general


def at(index: GridIndex, x: float, y: float, **options: float) -> dict[str, object]:
    return index.one(LON + x / 100, LAT + y / 100, **options).as_json()


@pytest.fixture(scope="module")
def index() -> GridIndex:
    return GridIndex.of(town())


def test_a_place_inside_one_grid_has_that_grid_and_its_distance(index: GridIndex) -> None:
    answer = at(index, 0.2, 0.5)
    assert (answer["grid"], answer["method"], answer["reason"]) == ("A", "inside", None)
    assert answer["layers"] == {"dedicated": None, "general": "A"}
    assert answer["distance_to_edge_m"] == pytest.approx(0.002 * EAST, abs=0.2)
    assert answer["candidates"] == [{"grid": "A", "layer": "general", "probability": None, "distance_m": 0.0}]


def test_the_layer_with_the_smaller_priority_wins_and_the_other_is_named(index: GridIndex) -> None:
    answer = at(index, 0.9, 0.9)
    assert (answer["grid"], answer["method"]) == ("M", "inside")
    assert answer["layers"] == {"dedicated": "M", "general": "A"}


def test_a_place_on_a_shared_edge_belongs_to_the_lowest_code_at_distance_zero(index: GridIndex) -> None:
    answer = index.one(*edge_between_a_and_b()).as_json()
    assert (answer["grid"], answer["method"], answer["distance_to_edge_m"]) == ("A", "edge", 0.0)
    assert [c["grid"] for c in answer["candidates"]] == ["A", "B"]


def edge_between_a_and_b() -> tuple[float, float]:
    (lon, _), (_, lat) = shapely.get_coordinates(square(1, 0, 2, 0.5))[3], (0, LAT + 0.004)
    return lon, lat


def test_on_the_edge_of_a_general_grid_but_well_inside_the_market_is_inside(index: GridIndex) -> None:
    lon = shapely.get_coordinates(square(1, 0, 2, 1))[3][0]
    answer = index.one(lon, LAT + 0.0095)
    assert (answer.grid, answer.method) == ("M", "inside")
    assert answer.layers == {"dedicated": "M", "general": "A"}
    assert [c.grid for c in answer.candidates] == ["M", "A", "B"]


def test_the_corner_of_four_grids_belongs_to_the_first() -> None:
    index = GridIndex.of([town()[1]])
    lon, lat = shapely.get_coordinates(square(1, 1, 2, 2))[3]
    answer = index.one(lon, lat)
    assert (answer.grid, answer.method) == ("A", "edge")
    assert [c.grid for c in answer.candidates] == ["A", "B", "C", "D"]


def test_codes_are_ordered_by_bytes_and_not_by_the_alphabet() -> None:
    halves = [square(0, 0, 1, 1), square(1, 0, 2, 1)]
    on_edge = shapely.get_coordinates(halves[1])[3][0], LAT + 0.005
    assert GridIndex.of([partition_of(["a", "B"], halves)]).one(*on_edge).grid == "B"
    assert GridIndex.of([partition_of(["网2", "z"], halves)]).one(*on_edge).grid == "z"
    assert GridIndex.of([partition_of(["10", "9"], halves)]).one(*on_edge).grid == "10"


def test_outside_all_grids_is_said_and_a_neighbour_within_fifty_metres_is_named(index: GridIndex) -> None:
    far = at(index, 5, 5)
    assert (far["grid"], far["method"], far["reason"]) == (None, "none", "outside-all-grids")
    assert far["candidates"] == []
    assert far["layers"] == {"dedicated": None, "general": None}
    near = index.one(LON - 30 / EAST, LAT + 0.005)
    assert near.grid is None
    assert near.distance_to_edge_m is None
    assert [(c.grid, round(c.distance_m, 1)) for c in near.candidates] == [("A", 30.0)]


def test_within_the_tolerance_the_nearest_grid_gets_it_and_beyond_nobody(index: GridIndex) -> None:
    answer = index.one(LON - 30 / EAST, LAT + 0.005, tolerance_m=31)
    assert (answer.grid, answer.method) == ("A", "nearest")
    assert answer.distance_to_edge_m == pytest.approx(30.0, abs=0.01)
    assert answer.layers == {"dedicated": None, "general": None}
    beyond = index.one(LON - 30 / EAST, LAT + 0.005, tolerance_m=29)
    assert (beyond.grid, beyond.reason) == (None, "beyond-tolerance")


def test_a_winner_farther_than_the_candidates_are_is_still_listed(index: GridIndex) -> None:
    answer = index.one(LON - 300 / EAST, LAT + 0.005, tolerance_m=500, candidates_within_m=50)
    assert [c.grid for c in answer.candidates] == ["A"]


def test_equally_near_grids_are_settled_by_code() -> None:
    west, east = square(0, 0, 1, 1), square(2, 0, 3, 1)
    lon = (shapely.get_coordinates(east)[3][0] + shapely.get_coordinates(west)[0][0]) / 2
    for codes in (("p", "q"), ("q", "p")):
        answer = GridIndex.of([partition_of(codes, [west, east])]).one(lon, LAT + 0.005, tolerance_m=1000)
        distances = {c.grid: c.distance_m for c in answer.candidates}
        assert answer.grid == "p" or distances["q"] < distances["p"]


def test_a_hole_belongs_to_the_part_that_fills_it() -> None:
    hole = square(0.4, 0.4, 0.6, 0.6)
    ring = shapely.Polygon(square(0, 0, 1, 1).exterior, [hole.exterior])
    two_parts = shapely.MultiPolygon([hole, square(1, 0, 2, 1)])
    index = GridIndex.of([partition_of(["ring", "two"], [ring, two_parts])])
    assert at(index, 0.5, 0.5)["grid"] == "two"
    assert at(index, 1.5, 0.5)["grid"] == "two"
    assert at(index, 0.2, 0.5)["grid"] == "ring"
    wall = shapely.get_coordinates(hole)[0]
    assert (index.one(*wall).grid, index.one(*wall).method) == ("ring", "edge")


def test_overlapping_grids_of_one_layer_go_to_the_lowest_code() -> None:
    index = GridIndex.of([partition_of(["2", "1"], [square(0, 0, 1, 1), square(0.5, 0, 1.5, 1)])])
    assert [at(index, x, 0.5)["grid"] for x in (0.3, 0.7, 1.2)] == ["2", "1", "1"]


@pytest.mark.parametrize("place", [(np.nan, 32.0), (121.0, np.inf), (-np.inf, np.nan)])
def test_what_is_no_position_is_said_to_be_none(index: GridIndex, place: tuple[float, float]) -> None:
    answer = index.one(*place, tolerance_m=10)
    assert (answer.grid, answer.method, answer.reason, answer.candidates) == (None, "none", "no-position", ())


def test_without_boundaries_the_reason_says_so() -> None:
    empty = GridIndex.build(Boundaries(0, ()))
    answer = empty.one(LON, LAT, tolerance_m=10).as_json()
    expected = {
        "grid": None, "method": "none", "reason": "no-boundaries", "layers": {}, "path": [], "distance_to_edge_m": None,
        "probability": None, "ambiguous": False, "candidates": [], "generation": 0,
    }  # fmt: skip
    assert answer | expected == answer
    located = empty.locate(np.array([LON, np.nan]), np.array([LAT, 1.0]))
    assert located.reasons() == ["no-boundaries", "no-position"]
    assert located.grids() == [None, None]


def test_an_index_of_one_grid_answers() -> None:
    index = GridIndex.of([partition_of(["only"], [square(0, 0, 1, 1)])])
    assert at(index, 0.5, 0.5)["grid"] == "only"
    assert index.locate(np.empty(0), np.empty(0)).winner.shape == (0,)


def test_a_shape_that_is_empty_or_solid_is_no_obstacle() -> None:
    solid = shapely.force_3d(square(0, 0, 1, 1), 7.0)
    index = GridIndex.of([partition_of(["empty", "solid"], [shapely.Polygon(), solid])])
    assert at(index, 0.5, 0.5)["grid"] == "solid"
    assert index.locate(np.array([LON + 0.005]), np.array([LAT + 0.005]), tolerance_m=5).grids() == ["solid"]


def test_built_from_boundaries_it_knows_the_path_and_the_generation() -> None:
    units = [
        Unit("1", "320612", "通州区", "general", "district", None),
        Unit("2", "320612105", "二甲镇", "general", "subdistrict", "1"),
        Unit("3", "320612105001001", "长岸村第一网格", "general", "grid", "2"),
    ]
    partitions = (
        partition_of(["320612"], [square(0, 0, 9, 9)], level="district"),
        partition_of(["320612105"], [square(0, 0, 5, 5)], level="subdistrict"),
        partition_of(["320612105001001"], [square(0, 0, 1, 1)]),
    )
    index = GridIndex.build(Boundaries(4, partitions, {unit.uid: unit for unit in units}))
    answer = at(index, 0.5, 0.5)
    assert answer["generation"] == 4
    assert answer["grid"] == "320612105001001"
    assert answer["path"] == [
        {"level": "district", "code": "320612", "name": "通州区"},
        {"level": "subdistrict", "code": "320612105", "name": "二甲镇"},
        {"level": "grid", "code": "320612105001001", "name": "长岸村第一网格"},
    ]
    assert at(index, 4, 4)["grid"] is None  # the town covers it, but a town takes no reports


def test_a_deployment_may_turn_the_priorities_round() -> None:
    boundaries = Boundaries(1, town(), priorities={"general": 1, "dedicated": 2})
    assert at(GridIndex.build(boundaries), 0.9, 0.9)["grid"] == "A"


# --- laws -------------------------------------------------------------------------------------------------------------

Places = npt.NDArray[np.float64]


def quilt(seed: int) -> list[Partition]:
    """A random quilt: cells of a bent lattice, merged at random into grids with holes and several parts, under two overlays."""
    rng = np.random.default_rng(seed)
    n = 9
    x, y = np.meshgrid(np.arange(n + 1.0), np.arange(n + 1.0), indexing="ij")
    knots = np.stack([x, y], axis=-1) + rng.uniform(-0.3, 0.3, (n + 1, n + 1, 2))
    knots = np.round((knots * 0.002 + (LON, LAT)) * 2**24) / 2**24
    owner = rng.integers(0, 25, (n, n))
    grids = []
    for grid in range(25):
        cells = [
            shapely.Polygon([knots[i, j], knots[i + 1, j], knots[i + 1, j + 1], knots[i, j + 1]])
            for i, j in np.argwhere(owner == grid)
        ]
        if cells:
            grids.append(shapely.union_all(cells))
    codes = [str(code) for code in rng.permutation(len(grids) * 3)[: len(grids)]]
    centre = np.array((LON, LAT)) + rng.uniform(0.002, 0.016, (2, 2))
    overlays = [shapely.Point(c).buffer(0.002, quad_segs=5) for c in centre]
    return [partition_of(["x", "w"], overlays, "dedicated"), partition_of(codes, grids, "general")]


def awkward_places(partitions: list[Partition], rng: np.random.Generator) -> Places:
    """Vertices, exact midpoints, one ulp beside them, places within, around and nowhere."""
    rings = shapely.get_coordinates(np.concatenate([p.geometry for p in partitions]))
    middle = (rings[:-1] + rings[1:]) / 2
    beside = np.nextafter(middle, middle + rng.choice([-1.0, 1.0], middle.shape))
    around = rng.uniform((LON - 0.003, LAT - 0.003), (LON + 0.021, LAT + 0.021), (400, 2))
    nowhere = np.array([[np.nan, LAT], [LON, np.inf], [0.0, 0.0], [-LON, -LAT]])
    return np.concatenate([rings, middle, beside, around, nowhere])


def brute_force(partitions: list[Partition], places: Places) -> npt.NDArray[np.int32]:
    """Per layer the lowest grid that covers each place, by one unprepared predicate a pair; the first row is the winner."""
    rows, first = [], 0
    points = shapely.points(np.where(np.isfinite(places), places, 1e6))
    for partition in partitions:
        covers = np.array([shapely.covers(shapely.from_wkb(shapely.to_wkb(g)), points) for g in partition.geometry])
        rows.append(np.where(covers.any(axis=0), first + covers.argmax(axis=0), 2**31 - 1))
        first += len(partition)
    answer = np.array([np.min(rows, axis=0), *rows])
    return np.where(answer == 2**31 - 1, -1, answer).astype(np.int32)


def same(a: Located, b: Located, order: npt.NDArray[np.int64]) -> None:
    for mine, theirs in [
        (a.winner, b.winner),
        (a.method, b.method),
        (a.reason, b.reason),
        (a.distance_m, b.distance_m),
    ]:
        np.testing.assert_array_equal(mine[order], theirs)


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 2**32 - 1))
def test_every_place_has_the_grid_that_brute_force_finds(seed: int) -> None:
    partitions = quilt(seed)
    places = awkward_places(partitions, np.random.default_rng(seed))
    located = GridIndex.of(partitions).locate(*places.T)
    truth = brute_force(partitions, places)
    np.testing.assert_array_equal(located.winner, truth[0])
    np.testing.assert_array_equal(located.by_layer["dedicated"], truth[1])
    np.testing.assert_array_equal(located.by_layer["general"], truth[2])
    geometry = np.concatenate([p.geometry for p in partitions])
    found = np.flatnonzero(truth[0] >= 0)
    on_border = shapely.touches(geometry[truth[0][found]], shapely.points(places[found]))
    np.testing.assert_array_equal(located.method[found] == 1, on_border)
    assert (located.distance_m[found][on_border] == 0).all()
    assert np.isnan(located.distance_m[truth[0] < 0]).all()


@settings(max_examples=6, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), tolerance=st.sampled_from([0.0, 25.0, 400.0]))
def test_alone_shuffled_and_in_parts_every_place_has_the_same_answer(seed: int, tolerance: float) -> None:
    rng = np.random.default_rng(seed)
    partitions = quilt(seed)
    index = GridIndex.of(partitions)
    places = awkward_places(partitions, rng)
    whole = index.locate(*places.T, tolerance_m=tolerance)
    order = rng.permutation(len(places))
    same(whole, index.locate(*places[order].T, tolerance_m=tolerance), order)
    lost = np.array([[np.nan, 32.0], [121.0, np.inf]])
    asked = np.concatenate([lost[:1], places, lost[1:]])
    many = index.many(*asked.T, tolerance_m=tolerance)
    assert many == [index.one(*place, tolerance_m=tolerance) for place in asked.tolist()]
    for i in rng.choice(len(places), 60, replace=False).tolist():
        alone = index.locate(*places[i : i + 1].T, tolerance_m=tolerance)
        same(whole, alone, np.array([i]))
        answer = index.one(*places[i].tolist(), tolerance_m=tolerance)
        assert answer.grid == whole.grids()[i]
        assert answer.method == whole.methods()[i]
        assert answer.reason == whole.reasons()[i]
        assert answer.layers == {layer: whole.grids(layer)[i] for layer in index.layers}
        assert (answer.distance_to_edge_m is None) == bool(np.isnan(whole.distance_m[i]))
        assert answer.distance_to_edge_m is None or answer.distance_to_edge_m == whole.distance_m[i]


def test_a_fresh_index_asked_first_from_many_threads_gives_the_answers_of_one() -> None:
    partitions = quilt(3)
    places = awkward_places(partitions, np.random.default_rng(3))
    expected = GridIndex.of(quilt(3)).locate(*places.T, tolerance_m=50)
    fresh = GridIndex.of(partitions)
    with ThreadPoolExecutor(8) as pool:
        for located in pool.map(lambda _: fresh.locate(*places.T, tolerance_m=50), range(24)):
            same(expected, located, np.arange(len(places)))


def test_candidates_are_sorted_by_the_rule_and_end_at_the_distance_asked_for(index: GridIndex) -> None:
    lon = np.array([LON + 0.0099, LON - 20 / EAST, np.nan])
    lat = np.array([LAT + 0.002, LAT + 0.002, LAT])
    near = index.candidates(lon, lat, 50.0)
    assert near.place.tolist() == [0, 0, 1]
    assert [index.codes[g] for g in near.grid.tolist()] == ["A", "B", "A"]
    assert near.covers.tolist() == [True, False, False]
    np.testing.assert_allclose(near.distance_m, [0.0, 0.0001 * EAST, 20.0], atol=0.01)
