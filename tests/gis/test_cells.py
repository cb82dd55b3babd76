"""The cell lattice: the same answers as GEOS and as exact arithmetic, on every border, however awkward; and after a moved border."""

from __future__ import annotations

import itertools
from concurrent.futures import ThreadPoolExecutor
from fractions import Fraction
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from gis import cellareas, celledges, celllayout, cellquery, nearquery
from gis.assignment import EDGE, INSIDE, NONE
from gis.cellengine import CellEngine
from gis.compiled import ALONE, KERNELS, compiled, source_stamp
from gis.errors import CodeInvalid, GeometryInvalid
from gis.locate import GridIndex, Located, compile_kernels
from gis.orientation import orientation, side
from gis.partition import Partition, partition_of
from tests.gis.test_locate import awkward_places, quilt

Places = npt.NDArray[np.float64]
Ring = list[tuple[Fraction, Fraction]]

# --- the predicate ----------------------------------------------------------------------------------------------------

coordinate = st.one_of(
    st.floats(-180, 180, allow_subnormal=False).filter(lambda x: x == 0 or abs(x) > 1e-60),
    st.integers(-4, 4).map(lambda k: 114.0 + k * 2.0**-46),
    st.sampled_from([0.1, 0.2, 0.3, 1e-12, 114.25, 22.72]),
)


def exact_sign(a: tuple[float, float], b: tuple[float, float], p: tuple[float, float]) -> int:
    (ax, ay), (bx, by), (x, y) = ((Fraction(u), Fraction(v)) for u, v in (a, b, p))
    value = (bx - ax) * (y - ay) - (by - ay) * (x - ax)
    return (value > 0) - (value < 0)


@settings(max_examples=200, deadline=None)
@given(a=st.tuples(coordinate, coordinate), b=st.tuples(coordinate, coordinate), p=st.tuples(coordinate, coordinate))
def test_the_orientation_is_that_of_exact_fractions(
    a: tuple[float, float], b: tuple[float, float], p: tuple[float, float]
) -> None:
    assert orientation(*a, *b, *p) == exact_sign(a, b, p)


@settings(max_examples=200, deadline=None)
@given(a=st.tuples(coordinate, coordinate), b=st.tuples(coordinate, coordinate), t=st.floats(0, 1))
def test_a_place_computed_along_an_edge_is_on_the_side_where_rounding_put_it(
    a: tuple[float, float], b: tuple[float, float], t: float
) -> None:
    p = a[0] + t * (b[0] - a[0]), a[1] + t * (b[1] - a[1])
    assert orientation(*a, *b, *p) == exact_sign(a, b, p)
    assert a == b or side(*a, *b, *p) == -side(*b, *a, *p)


# --- brute force in exact arithmetic ----------------------------------------------------------------------------------


def rings_of(geometry: shapely.Geometry) -> list[Ring]:
    polygons = getattr(geometry, "geoms", [geometry])
    rings = [ring for polygon in polygons for ring in (polygon.exterior, *polygon.interiors)]
    return [[(Fraction(x), Fraction(y)) for x, y in ring.coords] for ring in rings]


def exactly(rings: list[Ring], place: tuple[float, float]) -> int:
    """INSIDE, EDGE or NONE by crossings of a ray, in fractions."""
    x, y = Fraction(place[0]), Fraction(place[1])
    odd = False
    for ring in rings:
        for (ax, ay), (bx, by) in itertools.pairwise(ring):
            value = (bx - ax) * (y - ay) - (by - ay) * (x - ax)
            if value == 0 and min(ax, bx) <= x <= max(ax, bx) and min(ay, by) <= y <= max(ay, by):
                return EDGE
            odd ^= ((ay > y) != (by > y)) and (value > 0) == (by > ay)
    return INSIDE if odd else NONE


def truth(partitions: list[Partition], places: Places) -> tuple[list[int], list[int], list[list[int]]]:
    """(winner, method, lowest grid per layer) of every place."""
    grids = [(layer, rings_of(g)) for layer, p in enumerate(partitions) for g in p.geometry]
    winners, methods, lowest = [], [], []
    for place in places.tolist():
        how = [exactly(rings, tuple(place)) for _, rings in grids]
        covering = [i for i, state in enumerate(how) if state != NONE]
        layers = [min((i for i in covering if grids[i][0] == k), default=-1) for k in range(len(partitions))]
        winners.append(min(covering, default=-1))
        methods.append(how[winners[-1]] if covering else NONE)
        lowest.append(layers)
    return winners, methods, lowest


def agrees(partitions: list[Partition], places: Places) -> GridIndex:
    """The index over the partitions, whose every answer is that of exact arithmetic, in an array and alone."""
    index = GridIndex.of(partitions)
    winner, method, lowest = truth(partitions, places)
    located = index.locate(*places.T)
    assert located.winner.tolist() == winner
    assert located.method.tolist() == method
    assert np.array(list(located.by_layer.values())).T.tolist() == lowest
    alone = [index.place(*place) for place in places.tolist()]
    assert alone == list(zip(winner, method, lowest, strict=True))
    return index


def places_at(geometry: npt.ArrayLike, rng: np.random.Generator, most: int = 250) -> Places:
    """Vertices, middles, an ulp beside both, and places around, at most so many."""
    rings = shapely.get_coordinates(geometry)
    middle = (rings[:-1] + rings[1:]) / 2
    on = np.concatenate([rings, middle])
    beside = np.nextafter(on, on + rng.choice([-1.0, 1.0], on.shape))
    low, high = rings.min(axis=0), rings.max(axis=0)
    around = rng.uniform(low - (high - low) / 4, high + (high - low) / 4, (60, 2))
    places = np.concatenate([on, beside, around])
    return places[rng.permutation(len(places))[:most]]


def fan(rng: np.random.Generator, centre: tuple[float, float], size: float, n: int) -> list[shapely.Polygon]:
    """Thin slivers between rays of a star: neighbours share rays, some are narrower than 1e-12 degree."""
    angle = np.sort(np.concatenate([rng.uniform(0, 2 * np.pi, n), rng.uniform(0, 2 * np.pi, 2) + 1e-12]))
    tips = np.column_stack([centre[0] + size * np.cos(angle), centre[1] + size * np.sin(angle)])
    pairs = zip(tips, np.roll(tips, -1, axis=0), strict=True)
    return [shapely.Polygon([centre, a, b]) for a, b in pairs if (a != b).any()]


@settings(max_examples=12, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), size=st.sampled_from([1e-12, 1e-9, 1e-4, 0.02]))
def test_slivers_and_grids_of_a_billionth_degree_are_told_apart_exactly(seed: int, size: float) -> None:
    rng = np.random.default_rng(seed)
    centre = (114.25 + float(rng.uniform(0, 1e-3)), 22.72)
    slivers = [s for s in fan(rng, centre, size, 9) if not s.is_empty]
    codes = [f"{i:02d}" for i in rng.permutation(len(slivers))]
    over = shapely.Polygon(places_at(slivers, rng, 3).tolist())
    parts = [partition_of(["over"], [over], "dedicated"), partition_of(codes, slivers)]
    agrees(parts, places_at(np.array([over, *slivers]), rng))


@settings(max_examples=3, deadline=None)
@given(seed=st.integers(0, 2**32 - 1))
def test_a_quilt_with_holes_parts_and_overlays_is_answered_exactly(seed: int) -> None:
    partitions = quilt(seed)
    rng = np.random.default_rng(seed)
    agrees(partitions, places_at(np.concatenate([p.geometry for p in partitions]), rng, 120))


@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), layers=st.integers(1, 4))
def test_shapes_that_overlap_and_cross_themselves_follow_the_same_rule(seed: int, layers: int) -> None:
    rng = np.random.default_rng(seed)
    partitions = []
    for layer in range(layers):
        # Vertices on a coarse lattice: shared vertices, overlapping collinear edges, spikes, edges along cell borders.
        stars = [shapely.Polygon(np.round(rng.uniform(0, 8, (6, 2))) / 64 + (114, 22)) for _ in range(5)]
        partitions.append(partition_of([f"{layer}{i}" for i in range(5)], stars, f"layer {layer}"))
    agrees(partitions, places_at(np.concatenate([p.geometry for p in partitions]), rng))


def test_the_equator_and_the_zero_meridian_run_through_a_grid() -> None:
    parts = [partition_of(["w", "e"], [shapely.box(-0.01, -0.01, 0, 0.01), shapely.box(0, -0.01, 0.01, 0.01)])]
    places = np.array(
        [[0.0, 0.0], [-0.0, 0.005], [-1e-20, 0.0], [1e-20, -1e-20], [0.01, 0.01], [0.0, 0.010000000000000002]]
    )
    index = agrees(parts, places)
    assert index.locate(*places.T).grids() == ["e", "e", "w", "e", "e", None]


# --- the same as GEOS -------------------------------------------------------------------------------------------------


def same(mine: Located, theirs: Located) -> None:
    for name in ("winner", "method", "reason"):
        np.testing.assert_array_equal(getattr(mine, name), getattr(theirs, name), err_msg=name)
    for layer in mine.by_layer:
        np.testing.assert_array_equal(mine.by_layer[layer], theirs.by_layer[layer])
    np.testing.assert_array_equal(mine.distance_m, theirs.distance_m)


@settings(max_examples=6, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), tolerance=st.sampled_from([0.0, 300.0]), threads=st.sampled_from([1, 3]))
def test_both_engines_give_the_same_answers_to_the_last_bit(seed: int, tolerance: float, threads: int) -> None:
    partitions = quilt(seed)
    places = awkward_places(partitions, np.random.default_rng(seed))
    many = np.tile(places, (1 + 30_000 // len(places), 1)) if threads > 1 else places
    cells, geos = GridIndex.of(partitions), GridIndex.of(partitions, engine="geos")
    theirs = geos.locate(*many.T, tolerance_m=tolerance)
    same(cells.locate(*many.T, tolerance_m=tolerance, threads=threads), theirs)
    for place in places[::97].tolist():
        assert cells.one(*place, tolerance_m=tolerance) == geos.one(*place, tolerance_m=tolerance)
    near, expected = cells.candidates(*places.T, 120.0), geos.candidates(*places.T, 120.0)
    for name in ("place", "grid", "distance_m", "covers"):
        np.testing.assert_array_equal(getattr(near, name), getattr(expected, name), err_msg=name)


def star(vertices: int, radius: float = 0.05) -> shapely.Polygon:
    angle = np.linspace(0, 2 * np.pi, vertices, endpoint=False)
    reach = radius * (1 + 0.2 * np.sin(40 * angle) + 0.01 * np.sin(9001 * angle))
    return shapely.Polygon(np.column_stack([114 + reach * np.cos(angle), 22 + reach * np.sin(angle)]))


def test_a_grid_of_a_hundred_thousand_vertices_answers_as_geos_does() -> None:
    polygon = star(100_000)
    partitions = [partition_of(["star"], [polygon])]
    rng = np.random.default_rng(1)
    places = np.concatenate([places_at(polygon, rng, 20_000), rng.uniform((113.9, 21.9), (114.1, 22.1), (20_000, 2))])
    cells, geos = GridIndex.of(partitions), GridIndex.of(partitions, engine="geos")
    same(cells.locate(*places.T, distance=False), geos.locate(*places.T, distance=False))


def test_a_grid_of_a_hundred_thousand_vertices_within_one_tile_of_a_wide_layer_is_still_exact() -> None:
    # 100,000 edges in a few cells need more words than 16-bit codes can count one by one.
    tiny = shapely.transform(star(100_000), lambda xy: (xy - (114, 22)) * 1e-4 + (114, 22))
    wide = [shapely.box(60 + 10 * i, 10, 70 + 10 * i, 30) for i in range(6)]
    partitions = [partition_of(["tiny"], [tiny], "dedicated"), partition_of([str(i) for i in range(6)], wide)]
    places = places_at(tiny, np.random.default_rng(2), 300)
    cells, geos = GridIndex.of(partitions), GridIndex.of(partitions, engine="geos")
    same(cells.locate(*places.T, distance=False), geos.locate(*places.T, distance=False))


def test_a_layer_without_grids_and_one_with_empty_shapes_only_find_nobody() -> None:
    empty = partition_of([], [], "dedicated")
    square = partition_of(["a"], [shapely.box(114, 22, 115, 23)])
    located = GridIndex.of([empty, square]).locate(np.array([114.5]), np.array([22.5]))
    assert (located.grids(), located.grids("dedicated")) == (["a"], [None])
    nothing = GridIndex.of([partition_of(["a", "b"], [shapely.Polygon(), shapely.MultiPolygon()])])
    assert (
        nothing.locate(np.array([0.0, 114.5]), np.array([0.0, 22.5]), tolerance_m=1e3).reasons()
        == ["beyond-tolerance"] * 2
    )


def test_a_hundred_thousand_grids_are_found_each_at_its_place() -> None:
    column, row = np.divmod(np.arange(100_000), 250)
    west, south = 100 + column / 256, 20 + row / 256
    boxes = shapely.box(west, south, west + 1 / 256, south + 1 / 256)
    index = GridIndex.of([partition_of([f"{i:06d}" for i in range(100_000)], boxes)])
    np.testing.assert_array_equal(index.locate(west + 1e-3, south + 1e-3).winner, np.arange(100_000))
    corner = index.locate(
        west, south, distance=False
    ).winner  # shared with those to the west and south, whose codes are lower
    expected = np.maximum(column - 1, 0) * 250 + np.maximum(row - 1, 0)
    np.testing.assert_array_equal(corner, expected)


# --- what is refused --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("polygon", "words"),
    [
        (shapely.Polygon([(179.9, 0), (-179.9, 0), (-179.9, 1), (179.9, 1)]), "antimeridian"),
        (shapely.box(179.9, 0, 180.1, 1), "no WGS 84 degrees"),
        (shapely.box(500_000, 3_000_000, 500_100, 3_000_100), "no WGS 84 degrees"),
        (shapely.Polygon([(0, 0), (1, 0), (np.inf, 1)]), "no WGS 84 degrees"),
    ],
)
def test_what_crosses_the_antimeridian_or_is_no_degrees_is_refused_by_name(
    polygon: shapely.Polygon, words: str
) -> None:
    with pytest.raises(GeometryInvalid, match=words) as refusal:
        GridIndex.of([partition_of(["fine", "far"], [shapely.box(0, 0, 1, 1), polygon])])
    assert refusal.value.place == "far"


@pytest.mark.filterwarnings("ignore:invalid value encountered in linearrings")
@pytest.mark.parametrize("axis", [0, 1])
@pytest.mark.parametrize("wrong", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("vertex", range(8))
def test_one_vertex_that_is_not_finite_is_found_wherever_it_stands(vertex: int, wrong: float, axis: int) -> None:
    outer, hole = [(0.0, 0.0), (4.0, 0.0), (4.0, 4.0), (0.0, 3.0)], [(1.0, 1.0), (1.5, 2.0), (2.0, 2.0), (2.0, 1.0)]
    rings = np.array([outer, hole])
    rings[vertex // 4, vertex % 4, axis] = wrong
    closed = [np.vstack([ring, ring[:1]]) for ring in rings]
    if vertex % 4 == 0 and np.isnan(wrong):
        with pytest.raises(shapely.errors.GEOSException, match="closed"):
            shapely.Polygon(closed[0], [closed[1]])
        return
    polygon = shapely.MultiPolygon([shapely.box(5, 5, 6, 6), shapely.Polygon(closed[0], [closed[1]])])
    with pytest.raises(GeometryInvalid, match="grid far has coordinates that are no WGS 84 degrees"):
        GridIndex.of([partition_of(["fine", "far"], [shapely.box(0, 0, 1, 1), polygon])])


def test_grids_on_either_side_of_the_antimeridian_are_answered() -> None:
    index = GridIndex.of([partition_of(["e", "w"], [shapely.box(179, 0, 180, 1), shapely.box(-180, 0, -179, 1)])])
    assert index.locate(np.array([180.0, -180.0, 179.5, 0.0]), np.full(4, 0.5)).grids() == ["e", "w", "e", None]


# --- a moved border ---------------------------------------------------------------------------------------------------


def moved(partition: Partition, rng: np.random.Generator) -> Partition:
    """Two neighbouring grids of a quilt with their shared border elsewhere."""
    first = int(rng.integers(len(partition)))
    area = partition.geometry[first]
    other = max(
        (i for i in range(len(partition)) if i != first),
        key=lambda i: shapely.length(shapely.intersection(area, partition.geometry[i])),
    )
    both = shapely.union(area, partition.geometry[other])
    west, south, east, north = shapely.bounds(both)
    half = shapely.box(west, south, west + (east - west) * float(rng.uniform(0.3, 0.7)), north)
    pieces = [shapely.intersection(both, half), shapely.difference(both, half)]
    return partition_of([partition.codes[first], partition.codes[other]], pieces, partition.layer)


@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 2**32 - 1))
def test_an_index_with_moved_borders_answers_as_one_built_anew_and_the_old_one_as_before(seed: int) -> None:
    rng = np.random.default_rng(seed)
    partitions = quilt(seed)
    places = awkward_places(partitions, rng)
    index = old = GridIndex.of(partitions)
    before = old.locate(*places.T)
    for _ in range(4):
        changed = moved(partitions[1], rng)
        shapes = dict(zip(partitions[1].codes, partitions[1].geometry, strict=True))
        shapes |= dict(zip(changed.codes, changed.geometry, strict=True))
        partitions[1] = partition_of(list(shapes), list(shapes.values()))
        index = index.replaced(changed)
        extra = np.concatenate([places, awkward_places([partitions[1]], rng)])
        same(index.locate(*extra.T), GridIndex.of(partitions, engine="geos").locate(*extra.T))
    same(old.locate(*places.T), before)


def test_a_grid_moved_out_of_the_lattice_or_emptied_is_answered_where_it_is_now() -> None:
    town = partition_of(["a", "b"], [shapely.box(114, 22, 114.01, 22.01), shapely.box(114.01, 22, 114.02, 22.01)])
    index = GridIndex.of([town])
    far = index.replaced(partition_of(["b"], [shapely.box(120, 30, 121, 31)]))
    lon, lat = np.array([114.005, 114.015, 120.5]), np.array([22.005, 22.005, 30.5])
    assert far.locate(lon, lat).grids() == ["a", None, "b"]
    assert far.replaced(partition_of(["b"], [shapely.Polygon()])).locate(lon, lat).grids() == ["a", None, None]
    assert index.locate(lon, lat).grids() == ["a", "b", None]
    assert far.boundaries.partitions[0].geometry[1].bounds == (120, 30, 121, 31)


def test_only_known_grids_can_be_drawn_anew() -> None:
    index = GridIndex.of([partition_of(["a"], [shapely.box(0, 0, 1, 1)])])
    for changed in (
        partition_of(["x"], [shapely.box(0, 0, 1, 1)]),
        partition_of(["a"], [shapely.box(0, 0, 1, 1)], "micro"),
    ):
        with pytest.raises(CodeInvalid, match="drawn anew"):
            index.replaced(changed)


def test_what_many_changes_leave_behind_is_cleared_away() -> None:
    partitions = quilt(5)
    index = GridIndex.of(partitions)
    sizes = []
    for k in range(60):
        index = index.replaced(moved(partitions[1], np.random.default_rng(k)))
        assert isinstance(index._engine, CellEngine)
        sizes.append(index._engine.nbytes)
    assert max(sizes) < 4 * sizes[0] + 4_000_000


def test_readers_see_the_old_state_or_the_new_one_and_never_a_mixture() -> None:
    # The whole town belongs to grid k alone in state k: an answer with two winners would be a mixture.
    town, nothing = shapely.box(114, 22, 114.05, 22.05), shapely.Polygon()
    index = GridIndex.of([partition_of(["0", "1"], [town, nothing])])
    lon, lat = np.random.default_rng(4).uniform((114, 22), (114.05, 22.05), (5_000, 2)).T
    current = [index]
    seen: set[frozenset[str | None]] = set()

    def read(_: int) -> None:
        for _ in range(40):
            seen.add(frozenset(current[0].locate(lon, lat, distance=False).grids()))

    with ThreadPoolExecutor(3) as pool:
        readers = pool.map(read, range(2))
        for k in range(1, 40):
            shapes = [nothing, town] if k % 2 else [town, nothing]
            current[0] = current[0].replaced(partition_of(["0", "1"], shapes))
        list(readers)
    assert seen <= {frozenset({"0"}), frozenset({"1"})}


# --- compiled once ----------------------------------------------------------------------------------------------------


def compiled_so_far() -> int:
    modules = (cellareas, celledges, celllayout, cellquery, nearquery)
    loops = [loop for module in modules for loop in vars(module).values() if hasattr(loop, "signatures")]
    assert len(loops) > 25
    return sum(len(loop.signatures) for loop in loops)


def test_no_request_waits_for_the_compiler_once_the_kernels_are_compiled() -> None:
    compile_kernels()
    before = compiled_so_far()
    partitions = quilt(1)
    index = GridIndex.of(partitions)
    places = awkward_places(partitions, np.random.default_rng(1))
    fixed = places[:, 0].copy()
    fixed.flags.writeable = False
    for lon, lat in (
        places.T,
        (fixed, places[:, 1]),
        (np.array([114]), np.array([22])),
        (places[::3, 0], places[::3, 1]),
    ):
        index.locate(lon, lat, tolerance_m=5, threads=2)
        index.candidates(lon, lat, 10)
    many = np.tile(places, (40, 1))
    index.locate(*many.T, threads=3)
    index.one(114, 22, tolerance_m=7)
    index.one(np.float64(114.0), np.float32(22.0), candidates_within_m=100_000)  # type: ignore[arg-type]
    index.replaced(moved(partitions[1], np.random.default_rng(1))).one(114.0, 22.0)
    GridIndex.of([]).locate(many[:, 0], many[:, 1], tolerance_m=1)
    assert compiled_so_far() == before


def test_a_change_in_any_module_of_kernels_compiles_all_anew() -> None:
    names = {
        path.stem for path in Path(cellquery.__file__).parent.glob("*.py") if "@compiled" in path.read_text("utf-8")
    }
    assert names <= {*KERNELS, *ALONE}
    assert cellquery.locate._cache._cache_file._source_stamp == source_stamp()  # type: ignore[attr-defined]


def test_without_a_folder_for_machine_code_every_process_compiles_for_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    import numba

    whole = numba.njit

    def refusing(**options: bool) -> object:
        if options.get("cache"):
            raise RuntimeError("cannot cache function: no locator available")
        return whole(**options)

    monkeypatch.setattr(numba, "njit", refusing)

    @compiled
    def doubled(x: float) -> float:
        return 2.0 * x

    assert doubled(4.0) == 8.0
