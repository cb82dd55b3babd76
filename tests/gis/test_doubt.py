"""How likely is each grid: closed forms, drawn towns, other arithmetic, and whether the probabilities come true."""

from __future__ import annotations

import math
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import numpy.typing as npt
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from gis import claims as room
from gis.assess import assess
from gis.claims import Claims
from gis.crs import metres_per_degree
from gis.doubt import (
    SIGMAS_68,
    Decision,
    Doubt,
    decide,
    doubt_of,
    doubts_of,
    probabilities,
)
from gis.errors import CoordinateInvalid, GridUnknown, ParameterInvalid
from gis.locate import GridIndex
from gis.partition import partition_of
from gis.prior import Prior, home_prior, households_prior
from tests.calibration import EAST, LAT, LON, NORTH, in_degrees, random_town, simulate

Floats = npt.NDArray[np.float64]

#: Sigma of 10 m.
ACCURACY = 10.0 * SIGMAS_68


def place(x: float, y: float) -> tuple[float, float]:
    """Metres from (LON, LAT) in degrees."""
    return LON + x / EAST, LAT + y / NORTH


def claims_of(*layers: dict[str, shapely.Geometry], overlaps: bool = False) -> Claims:
    """Layers named a, b, ... in order of priority, drawn in metres."""
    parts = [
        partition_of(list(layer), [in_degrees(shape) for shape in layer.values()], name)
        for name, layer in zip("abc", layers, strict=False)
    ]
    return Claims.of(GridIndex.of(parts), overlaps=overlaps)


def mass(shape: shapely.Geometry, x: float = 0.0, y: float = 0.0, sigma: float = 10.0) -> float:
    """What the kernel says of one grid; its scale is that of the place, so the drawing is made at that latitude."""
    lon, lat = place(x, y)
    east, north = (float(scale[0]) for scale in metres_per_degree(np.array([lat])))
    drawn = shapely.transform(shape, lambda xy: (xy - (x, y)) / (east, north) + (lon, lat))
    claims = Claims.of(GridIndex.of([partition_of(["A"], [drawn])]))
    found = doubt_of(claims, lon, lat, sigma * SIGMAS_68)
    wins = found.wins.get("A", 0.0)
    assert wins + found.outside == pytest.approx(1.0, abs=1e-12)
    return wins


def below(z: float) -> float:
    return 0.5 * math.erfc(-z / math.sqrt(2.0))


# -- closed forms -----------------------------------------------------------------------------------------------------

FAR = 5_000.0


@pytest.mark.parametrize("metres", [-45.0, -20.0, -3.0, -1e-9, 0.0, 1e-6, 0.5, 7.0, 31.0, 58.0])
@pytest.mark.parametrize("turn", [0.0, 30.0, 90.0, 217.3])
def test_near_one_straight_border_the_normal_distribution_function_answers(metres: float, turn: float) -> None:
    half = shapely.affinity.rotate(shapely.box(-FAR, -FAR, metres, FAR), turn, origin=(0, 0))
    assert mass(half) == pytest.approx(below(metres / 10.0), abs=1e-7)


def test_a_corner_of_a_square_has_a_quarter() -> None:
    assert mass(shapely.box(0, 0, FAR, FAR)) == pytest.approx(0.25, abs=1e-7)
    assert mass(shapely.box(-FAR, -FAR, FAR, FAR).difference(shapely.box(0, 0, FAR, FAR))) == pytest.approx(
        0.75, abs=1e-7
    )


@pytest.mark.parametrize("degrees", [3.0, 45.0, 135.0, 200.0, 359.0])
def test_a_wedge_has_its_angle(degrees: float) -> None:
    angle = np.radians(np.linspace(0.0, degrees, 40))
    wedge = shapely.Polygon([(0, 0), *(FAR * np.column_stack([np.cos(angle), np.sin(angle)]))])
    assert mass(wedge) == pytest.approx(degrees / 360.0, abs=1e-7)


@pytest.mark.parametrize("x", [0.0, 4.0, 10.0, -26.0])
def test_a_rectangle_is_a_product(x: float) -> None:
    expected = (below((10 - x) / 10.0) - below(-x / 10.0)) * (below(1.5) - below(-0.5))
    assert mass(shapely.box(0, -5, 10, 15), x, 0.0) == pytest.approx(expected, abs=1e-8)


def test_a_disc_of_a_hundred_thousand_vertices_has_its_rayleigh_share() -> None:
    angle = np.linspace(0.0, 2.0 * np.pi, 100_001)[:-1]
    disc = shapely.Polygon(15.0 * np.column_stack([np.cos(angle), np.sin(angle)]))
    assert mass(disc) == pytest.approx(1.0 - math.exp(-0.5 * 1.5**2), abs=1e-7)
    assert mass(disc, sigma=2_000.0) == pytest.approx(0.5 * (15.0 / 2_000.0) ** 2, rel=1e-4)
    assert mass(disc, sigma=0.001) == pytest.approx(1.0, abs=1e-7)


def test_the_stated_accuracy_holds_68_per_cent() -> None:
    angle = np.linspace(0.0, 2.0 * np.pi, 2_001)[:-1]
    disc = shapely.Polygon(25.0 * np.column_stack([np.cos(angle), np.sin(angle)]))
    assert mass(disc, sigma=25.0 / SIGMAS_68) == pytest.approx(0.68, abs=1e-4)


# -- other arithmetic -------------------------------------------------------------------------------------------------


def by_strips(shape: shapely.Geometry, sigma: float) -> float:
    """The mass round the origin as the line integral of Φ(x) φ(y) dy over all rings: another field than the kernel's."""
    from scipy.special import ndtr

    total = 0.0
    nodes, weights = np.polynomial.legendre.leggauss(20)
    for polygon in shapely.get_parts(shapely.orient_polygons(shape)):
        for ring in (polygon.exterior, *polygon.interiors):
            xy = shapely.get_coordinates(shapely.segmentize(ring, 0.5 * sigma)) / sigma
            start, step = xy[:-1], np.diff(xy, axis=0)
            t = 0.5 + 0.5 * nodes
            x, y = (start[:, axis, None] + t * step[:, axis, None] for axis in (0, 1))
            density = np.exp(-0.5 * y * y) / math.sqrt(2.0 * math.pi)
            total += float((0.5 * weights * ndtr(x) * density * step[:, 1, None]).sum())
    return total


@st.composite
def stars(draw: st.DrawFn) -> shapely.Geometry:
    """A star with wild rays, perhaps with a hole in the same form, perhaps with a part elsewhere."""
    n = draw(st.integers(3, 40))
    radii = np.array(draw(st.lists(st.floats(0.5, 80.0), min_size=n, max_size=n)))
    centre = np.array(draw(st.tuples(*[st.floats(-40.0, 40.0)] * 2)))
    angle = 2.0 * np.pi * np.arange(n) / n
    rays = radii[:, None] * np.column_stack([np.cos(angle), np.sin(angle)])
    holes = [0.5 * rays + centre] if draw(st.booleans()) else []
    star = shapely.Polygon(rays + centre, holes)
    if draw(st.booleans()):
        star = shapely.MultiPolygon([star, shapely.box(85, -20, 86 + draw(st.floats(0.0, 50.0)), 30).buffer(0)])
    return star if star.is_valid else shapely.make_valid(star)


@settings(max_examples=60, deadline=None)
@given(stars(), st.floats(2.0, 45.0))
def test_any_polygon_with_holes_and_parts_has_the_mass_of_another_integral(
    star: shapely.Geometry, sigma: float
) -> None:
    assert mass(star, sigma=sigma) == pytest.approx(by_strips(star, sigma), abs=1e-6)


@pytest.mark.parametrize("which", ["vertex", "edge", "hole"])
def test_a_place_on_a_vertex_or_edge_is_no_special_case(which: str) -> None:
    shape = shapely.Polygon([(-30, -30), (30, -20), (25, 40), (-5, 20)], [[(-5, -5), (5, -5), (0, 5)]])
    x, y = {"vertex": (25.0, 40.0), "edge": (0.0, -25.0), "hole": (0.0, -5.0)}[which]
    moved = shapely.affinity.translate(shape, -x, -y)
    assert mass(moved) == pytest.approx(by_strips(moved, 10.0), abs=1e-7)
    assert mass(shapely.affinity.translate(moved, 1e-7, 1e-7)) == pytest.approx(mass(moved), abs=1e-7)


# -- sums -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("accuracy_m", [5.0, 20.0, 65.0, 400.0])
def test_what_the_grids_of_a_layer_have_and_the_outside_add_up_to_one(accuracy_m: float) -> None:
    rng = np.random.default_rng(5)
    claims = Claims.of(random_town(rng, 8, 150.0))
    lon, lat = (np.array(axis) for axis in zip(*(place(*xy) for xy in rng.uniform(-200, 1_400, (500, 2))), strict=True))
    found = probabilities(claims, lon, lat, accuracy_m)
    assert np.allclose(np.bincount(found.place, found.wins, 500) + found.outside, 1.0, atol=1e-9)
    for layer in range(2):
        rows = claims.index.layer_of[found.grid] == layer
        lies = np.bincount(found.place[rows], found.lies[rows], 500)
        assert np.allclose(lies + found.outside_of[layer], 1.0, atol=1e-6)
    whole = shapely.union_all(claims.index.geometry)
    nobody = [1.0 - _mass_of(whole, x, y, accuracy_m) for x, y in zip(lon[:40], lat[:40], strict=True)]
    assert np.allclose(found.outside[:40], nobody, atol=1e-6)


def _mass_of(shape: shapely.Geometry, lon: float, lat: float, accuracy_m: float) -> float:
    return doubt_of(Claims.of(GridIndex.of([partition_of(["T"], [shape])])), lon, lat, accuracy_m).wins.get("T", 0.0)


# -- whose it is ------------------------------------------------------------------------------------------------------

# A and B share the border x = 0; the market M (its layer goes first) lies over it from x = -10 to 10 and above y = 0.
#
#            +---+
#        A   | M |   B
#            +---+
#              |
SIDES = {"A": shapely.box(-FAR, -FAR, 0, FAR), "B": shapely.box(0, -FAR, FAR, FAR)}
MARKET = {"M": shapely.box(-10, 0, 10, FAR)}


def test_the_winner_of_a_place_is_as_likely_as_the_ground_that_is_left_to_it() -> None:
    doubt = doubt_of(claims_of(MARKET, SIDES), LON, LAT, ACCURACY)
    market = 0.5 * (below(1.0) - below(-1.0))
    assert doubt.wins == pytest.approx({"M": market, "A": 0.5 - market / 2, "B": 0.5 - market / 2}, abs=1e-7)
    assert doubt.layers["a"] == pytest.approx({"M": market}, abs=1e-7)
    assert doubt.layers["b"] == pytest.approx({"A": 0.5, "B": 0.5}, abs=1e-7)
    assert doubt.outside_of == pytest.approx({"a": 1.0 - market, "b": 0.0}, abs=1e-7)
    assert doubt.outside == pytest.approx(0.0, abs=1e-7)


def test_a_grid_that_others_cover_wholly_never_wins() -> None:
    doubt = doubt_of(claims_of(SIDES, MARKET), LON, LAT, ACCURACY)
    assert "M" not in doubt.wins
    assert doubt.layers["b"]["M"] > 0.3


def test_where_grids_of_a_layer_overlap_the_lower_code_wins() -> None:
    overlapping = {"A": shapely.box(-FAR, -FAR, 5, FAR), "B": shapely.box(-5, -FAR, FAR, FAR)}
    doubt = doubt_of(claims_of(overlapping, overlaps=True), LON, LAT, ACCURACY)
    assert doubt.wins == pytest.approx({"A": below(0.5), "B": 1.0 - below(0.5)}, abs=1e-7)
    unsaid = doubt_of(claims_of(overlapping), LON, LAT, ACCURACY)
    assert (unsaid.wins, unsaid.outside) == ({"A": pytest.approx(0.5), "B": pytest.approx(0.5)}, 0.0)


def test_a_grid_that_crosses_itself_breaks_nothing() -> None:
    bow = shapely.Polygon([(-20, -20), (20, 20), (20, -20), (-20, 20)])
    doubt = doubt_of(claims_of({"M": bow}, {"A": shapely.box(-15, -15, 15, 15)}), LON, LAT, ACCURACY)
    assert 0.0 <= doubt.outside <= 1.0
    assert all(0.0 <= p <= 1.0 for p in doubt.wins.values())


def test_winners_are_as_likely_as_true_places_drawn_at_random_say() -> None:
    rng = np.random.default_rng(7)
    index = random_town(rng, 6, 100.0)
    claims = Claims.of(index)
    n, accuracy_m = 200_000, 60.0
    for x, y in rng.uniform(0.0, 600.0, (6, 2)):
        doubt = doubt_of(claims, *place(x, y), accuracy_m)
        drawn = rng.normal((x, y), accuracy_m / SIGMAS_68, (n, 2))
        winner = index.locate(*(np.ascontiguousarray(a) for a in place(*drawn.T)), distance=False).winner
        count = np.bincount(winner + 1, minlength=len(index) + 1) / n
        for code, p in doubt.wins.items():
            assert count[1 + claims.position[code]] == pytest.approx(p, abs=4.5 * math.sqrt(p * (1 - p) / n) + 1e-4)
        assert count[0] == pytest.approx(doubt.outside, abs=4.5 * math.sqrt(0.25 / n))


# -- one and many -----------------------------------------------------------------------------------------------------


def test_one_and_many_say_the_same_in_any_order_and_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "KEPT_VERTICES", 200)  # what is kept is thrown away again and again
    rng = np.random.default_rng(3)
    claims = Claims.of(random_town(rng, 7, 120.0))
    lon, lat = (np.ascontiguousarray(a) for a in place(*rng.uniform(-100.0, 900.0, (2, 300))))
    accuracy = rng.uniform(5.0, 65.0, 300)
    many = probabilities(claims, lon, lat, accuracy)
    shuffled = rng.permutation(300)
    again = probabilities(Claims.of(claims.index), lon[shuffled], lat[shuffled], accuracy[shuffled])
    assert (again.outside == many.outside[shuffled]).all()

    def one(i: int) -> bool:
        doubt = doubt_of(claims, lon[i], lat[i], accuracy[i])
        rows = many.place == i
        codes = [claims.index.codes[g] for g in many.grid[rows]]
        same = dict(zip(codes, many.wins[rows].tolist(), strict=True))
        listed = {code: p for code, p in list(same.items())[:20] if p >= 1e-9}
        assert list(doubt.wins.items()) == list(listed.items())
        return bool(doubt.outside == many.outside[i])

    with ThreadPoolExecutor(4) as pool:
        assert all(pool.map(one, range(300)))


def test_many_doubts_are_those_of_one_by_one_and_none_where_something_is_unknown() -> None:
    rng = np.random.default_rng(4)
    claims = Claims.of(random_town(rng, 6, 200.0))
    lon, lat = (np.ascontiguousarray(a) for a in place(*rng.uniform(-100.0, 1_300.0, (2, 50))))
    accuracy = rng.uniform(5.0, 40.0, 50)
    lon[3], accuracy[7] = np.nan, np.nan
    prior = home_prior(claims, "g00008")
    many = doubts_of(claims, lon, lat, accuracy, prior=prior)
    assert [i for i, doubt in enumerate(many) if doubt is None] == [3, 7]
    ones = [None if i in {3, 7} else doubt_of(claims, lon[i], lat[i], accuracy[i], prior=prior) for i in range(50)]
    for row, (doubt, one) in enumerate(zip(many, ones, strict=True)):
        if doubt is not None and one is not None:
            assert list(doubt.wins.items()) == list(one.wins.items())
            assert doubt.outside_of == one.outside_of
            where = (claims, float(lon[row]), float(lat[row]), float(accuracy[row]))
            given, own = assess(*where, doubt=doubt), assess(*where, prior=prior)
            assert given.assignment == own.assignment
            assert {k: list(v) for k, v in doubt.layers.items()} == {k: list(v) for k, v in one.layers.items()}


def test_five_kilometres_of_doubt_over_a_town_list_twenty_grids_and_sum_all() -> None:
    claims = Claims.of(random_town(np.random.default_rng(11), 30, 300.0))
    doubt = doubt_of(claims, *place(4_500.0, 4_500.0), 5_000.0)
    assert len(doubt.wins) == 20
    assert doubt.others > 0.5
    assert sum(doubt.wins.values()) + doubt.others + doubt.outside == pytest.approx(1.0, abs=1e-9)
    many = probabilities(claims, *(np.full(3, axis) for axis in place(4_500.0, 4_500.0)), 5_000.0)
    assert len(many.place) > 2_000
    assert many.outside == pytest.approx([doubt.outside] * 3, abs=1e-12)


def test_far_from_all_grids_and_without_any_it_is_nobodys() -> None:
    assert doubt_of(claims_of(SIDES), LON + 5.0, LAT, 65.0).outside == 1.0
    nothing = Claims.of(GridIndex.of([]))
    assert doubt_of(nothing, LON, LAT, 65.0) == Doubt(65.0, {}, 1.0, 0.0, {}, {})
    assert probabilities(nothing, np.array([LON]), np.array([LAT]), 65.0).best()[0].tolist() == [-1]
    assert len(probabilities(claims_of(SIDES), np.empty(0), np.empty(0), 65.0).outside) == 0


def test_a_place_at_a_pole_is_answered() -> None:
    assert doubt_of(claims_of(SIDES), 0.0, 90.0, 65.0).outside == 1.0


def test_a_place_that_is_not_finite_has_no_probability() -> None:
    found = probabilities(claims_of(SIDES), np.array([np.nan, LON]), np.array([LAT, LAT]), 20.0)
    assert np.isnan(found.outside).tolist() == [True, False]
    assert found.best()[0].tolist() == [-1, 0]
    assert np.isnan(found.best()[1][0])
    with pytest.raises(CoordinateInvalid):
        doubt_of(claims_of(SIDES), math.nan, LAT, 20.0)


@pytest.mark.parametrize("accuracy_m", [0.0, -1.0, math.nan, math.inf, -math.inf, 1e9])
def test_an_accuracy_that_is_no_distance_is_refused(accuracy_m: float) -> None:
    claims = claims_of(SIDES)
    with pytest.raises(ParameterInvalid, match="accuracy_m"):
        doubt_of(claims, LON, LAT, accuracy_m)
    with pytest.raises(ParameterInvalid, match="accuracy_m"):
        probabilities(claims, np.array([LON, LON]), np.array([LAT, LAT]), np.array([5.0, accuracy_m]))


def test_the_tiniest_accuracy_is_certain_off_the_border() -> None:
    assert doubt_of(claims_of(SIDES), *place(1.0, 0.0), 1e-300).wins == pytest.approx({"B": 1.0}, abs=1e-12)


# -- priors -----------------------------------------------------------------------------------------------------------


def test_at_home_counts_more() -> None:
    claims = claims_of(SIDES)
    doubt = doubt_of(claims, LON, LAT, ACCURACY, prior=home_prior(claims, "B", factor=4.0))
    assert doubt.wins == pytest.approx({"B": 0.8, "A": 0.2}, abs=1e-7)
    assert doubt.prior == "home"
    assert list(doubt.wins) == ["B", "A"]
    with pytest.raises(GridUnknown):
        home_prior(claims, "Z")


def test_households_draw_reports_but_nowhere_is_impossible() -> None:
    claims = claims_of(SIDES)
    prior = households_prior(claims, {"A": 300, "B": 100}, share=0.5)
    doubt = doubt_of(claims, LON, LAT, ACCURACY, prior=prior)
    assert doubt.wins == pytest.approx({"A": 0.625, "B": 0.375}, abs=1e-4)  # 0.5 + 0.5 * 1.5 against 0.5 + 0.5 * 0.5
    assert doubt_of(claims, LON, LAT, ACCURACY, prior=households_prior(claims, {"A": 1, "B": 0})).wins["B"] > 0.2
    assert doubt_of(claims, LON, LAT, ACCURACY, prior=households_prior(claims, {})).wins["A"] == pytest.approx(
        0.5, abs=1e-7
    )


def test_a_prior_weighs_the_outside_as_well_and_many_as_one() -> None:
    claims = claims_of({"A": SIDES["A"]})
    prior = Prior("town", np.ones(1), outside=0.0)
    assert doubt_of(claims, LON, LAT, ACCURACY, prior=prior).wins == pytest.approx({"A": 1.0}, abs=1e-12)
    many = probabilities(claims, np.array([LON, LON + 1.0]), np.array([LAT, LAT]), ACCURACY, prior=prior)
    assert many.wins == pytest.approx([1.0])
    assert many.outside == pytest.approx([0.0, 1.0])  # a prior that rules out all that is possible says nothing


@pytest.mark.parametrize("weight", [0.0, -1.0, math.nan, math.inf])
def test_weights_that_are_no_weights_are_refused(weight: float) -> None:
    with pytest.raises(ParameterInvalid):
        Prior("odd", np.array([weight]))


# -- policies ---------------------------------------------------------------------------------------------------------


def doubt_with(outside: float = 0.0, **wins: float) -> Doubt:
    return Doubt(20.0, wins, outside, 0.0, {}, {})


@pytest.mark.parametrize(
    ("policy", "expected"),
    [
        ("auto", Decision("A", ("A",), ("B", "C"), ambiguous=True, reason=None, probability=0.6)),
        ("joint", Decision("A", ("A", "B", "C"), (), ambiguous=True, reason=None, probability=0.6)),
        ("ask", Decision(None, (), (), ambiguous=True, reason="ambiguous", probability=None)),
    ],
)
def test_below_the_threshold_the_policy_decides(policy: str, expected: Decision) -> None:
    assert decide(doubt_with(A=0.6, B=0.2, C=0.1, D=0.09), policy) == expected


@pytest.mark.parametrize("policy", ["auto", "joint", "ask"])
def test_at_the_threshold_the_best_has_it_alone(policy: str) -> None:
    expected = Decision("A", ("A",), (), ambiguous=False, reason=None, probability=0.8)
    assert decide(doubt_with(A=0.8, B=0.2), policy) == expected


def test_threshold_and_share_that_is_told_are_settings() -> None:
    doubt = doubt_with(A=0.8, B=0.2)
    assert decide(doubt, "auto", 0.9, 0.25).told == ()
    assert decide(doubt, "auto", 0.9, 0.2).told == ("B",)


def test_where_outside_is_likeliest_the_rule_without_doubt_has_the_word() -> None:
    doubt = doubt_with(0.7, A=0.2, B=0.1)
    assert decide(doubt) == Decision(None, (), (), ambiguous=True, reason=None, probability=None)
    assert decide(doubt, otherwise="B") == Decision("B", ("B",), ("A",), ambiguous=True, reason=None, probability=0.1)
    assert decide(doubt, "ask", otherwise="B").reason == "ambiguous"
    assert decide(doubt_with(0.99, A=0.01)).ambiguous is False
    assert decide(doubt_with(1.0)) == Decision(None, (), (), ambiguous=False, reason=None, probability=None)


def test_unknown_policies_and_limits_are_refused() -> None:
    with pytest.raises(ParameterInvalid, match="auto, joint, ask"):
        decide(doubt_with(A=1.0), "guess")
    with pytest.raises(ParameterInvalid):
        decide(doubt_with(A=1.0), threshold=1.5)


# -- the whole answer -------------------------------------------------------------------------------------------------


def test_without_an_accuracy_probabilities_are_null() -> None:
    answer = assess(claims_of(SIDES), *place(3.0, 0.0), None)
    assert answer.doubt is None
    assert answer.decision is None
    assert answer.assignment.as_json()["probability"] is None
    assert [c.probability for c in answer.assignment.candidates] == [None, None]


def test_with_an_accuracy_every_candidate_has_its_probability_the_likeliest_first() -> None:
    answer = assess(claims_of(SIDES), *place(5.0, 0.0), ACCURACY).assignment.as_json()
    assert (answer["grid"], answer["method"], answer["ambiguous"]) == ("B", "inside", True)
    assert answer["probability"] == pytest.approx(below(0.5), abs=1e-7)
    assert [(c["grid"], c["probability"]) for c in answer["candidates"]] == [
        ("B", pytest.approx(below(0.5), abs=1e-6)),
        ("A", pytest.approx(below(-0.5), abs=1e-6)),
    ]
    assert answer["candidates"][1]["distance_m"] == pytest.approx(5.0, abs=1e-3)


def test_a_likely_grid_beyond_the_stated_distance_is_a_candidate_too() -> None:
    answer = assess(claims_of(SIDES), *place(60.0, 0.0), 60.0, candidates_within_m=50.0).assignment
    assert [c.grid for c in answer.candidates] == ["B", "A"]
    assert answer.candidates[1].distance_m == pytest.approx(60.0, abs=1e-3)


def test_the_likeliest_grid_has_the_report_also_when_it_does_not_cover_the_reported_place() -> None:
    strip = {"M": shapely.box(-1, -FAR, 1, FAR)}  # two metres wide, between sides that are hidden below it
    answer = assess(claims_of(strip, SIDES), *place(0.5, 0.0), ACCURACY).assignment
    assert (answer.grid, answer.method, answer.reason) == ("B", "inside", None)
    assert answer.layers == {"a": "M", "b": "B"}
    gap = {"A": shapely.box(-FAR, -FAR, -2, FAR), "B": shapely.box(1, -FAR, FAR, FAR)}
    answer = assess(claims_of(gap), *place(0.0, 0.0), ACCURACY).assignment
    assert (answer.grid, answer.method, answer.reason) == ("B", "nearest", None)
    assert answer.distance_to_edge_m == pytest.approx(1.0, abs=1e-3)
    assert answer.layers == {"a": "B"}
    assert [step["code"] for step in answer.path] == [
        step["code"] for step in claims_of(gap).index.boundaries.path("B")
    ]


def test_asking_leaves_the_report_in_the_queue_with_its_candidates() -> None:
    answer = assess(claims_of(SIDES), *place(2.0, 0.0), ACCURACY, policy="ask").assignment
    assert (answer.grid, answer.method, answer.reason, answer.ambiguous) == (None, "none", "ambiguous", True)
    assert [c.grid for c in answer.candidates] == ["B", "A"]
    assert answer.probability is None


def test_outside_all_grids_the_tolerance_still_counts() -> None:
    claims = claims_of({"A": SIDES["A"]})
    answer = assess(claims, *place(8.0, 0.0), ACCURACY)
    assert (answer.assignment.grid, answer.assignment.reason) == (None, "outside-all-grids")
    answer = assess(claims, *place(8.0, 0.0), ACCURACY, tolerance_m=10.0)
    assert (answer.assignment.grid, answer.assignment.method) == ("A", "nearest")
    assert answer.assignment.probability == pytest.approx(below(-0.8), abs=1e-7)


def test_a_place_that_is_not_finite_keeps_its_reason() -> None:
    assert assess(claims_of(SIDES), math.nan, LAT, 20.0).assignment.reason == "no-position"


def test_what_a_receipt_keeps_names_the_prior_and_the_kernel() -> None:
    claims = claims_of(SIDES)
    kept = doubt_of(claims, LON, LAT, ACCURACY, prior=home_prior(claims, "B")).as_json()
    assert kept["prior"] == "home"
    assert kept["kernel"] == "gridbeat-doubt/1"
    assert kept["wins"] == {"B": 0.8, "A": 0.2}
    assert kept["layers"] == {"a": {"B": 0.8, "A": 0.2}}


# -- does it come true ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("accuracy_m", "grid_m"), [(5.0, 100.0), (20.0, 200.0), (65.0, 100.0), (65.0, 1_000.0)])
def test_of_all_answers_given_with_p_the_share_p_is_right(accuracy_m: float, grid_m: float) -> None:
    rng = np.random.default_rng([2026, int(accuracy_m), int(grid_m)])
    claims = Claims.of(random_town(rng, 10, grid_m))
    answers = simulate(rng, claims, 10 * grid_m, accuracy_m, 20_000)
    assert answers.worst() <= 3.0


def test_reports_that_are_worse_than_they_say_are_seen_as_such() -> None:
    rng = np.random.default_rng(13)
    claims = Claims.of(random_town(rng, 10, 100.0))
    honest, boasting = (simulate(rng, claims, 1_000.0, 40.0, 20_000, noise=noise) for noise in (1.0, 1.3))
    assert honest.worst() <= 3.0 < boasting.worst()
    assert boasting.error > honest.error + 0.03
    assert boasting.log_score > honest.log_score


def test_nothing_is_compiled_before_claims_are_made() -> None:
    code = "import sys, gis.doubt, gis.assess; sys.exit('numba' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
