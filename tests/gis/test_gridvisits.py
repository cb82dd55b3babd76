"""Visits to grids: crossings on the line between two fixes, no flapping along a border, the boundaries of the day."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from gis.gridvisits import GridVisits, Span, grid_visits
from gis.locate import GridIndex
from gis.partition import partition_of
from gis.tracks import Tracks
from tests.gis.walks import DAY, at, fixes, frame, line, square, tracks


def index(*edges: float, codes: str = "abcdef", layer: str = "general") -> GridIndex:
    """Grids side by side from west to east, 800 m high, with these edges."""
    shapes = [square(west, 0, east, 800) for west, east in itertools.pairwise(edges)]
    return GridIndex.of([partition_of(list(codes[: len(shapes)]), shapes, layer)])


def whole(town: GridIndex) -> list[Span]:
    return [Span(at(-100_000), at(1_000_000), town)]


def told(found: GridVisits) -> list[tuple[str, float, float]]:
    begin, end = (((t - DAY).astype(np.int64) / 1e6).tolist() for t in (found.begin, found.end))
    names = [found.keys[g] if g >= 0 else "-" for g in found.grid.tolist()]
    return list(zip(names, begin, end, strict=True))


def near(*rows: tuple[str, float, float], within: float = 0.01) -> list[tuple[str, Any, Any]]:
    return [(name, pytest.approx(begin, abs=within), pytest.approx(end, abs=within)) for name, begin, end in rows]


def test_crossings_are_found_on_the_line_between_two_fixes() -> None:
    """Grid c has no fix in it at all."""
    town = index(0, 300, 500, 600, 1000)
    walk = tracks(fixes([(0, 100, 400), (100, 400, 400), (300, 800, 400)], accuracy=5.0))
    found = grid_visits(walk, whole(town), "general")
    assert told(found) == near(("a", 0, 200 / 3), ("b", 200 / 3, 150), ("c", 150, 200), ("d", 200, 300))
    assert found.entered.tolist() == [False, True, True, True]
    assert found.left.tolist() == [True, True, True, False]
    assert found.sure.all()
    assert found.dwell_by_grid_s() == pytest.approx([200 / 3, 150 - 200 / 3, 50, 100], abs=0.01)


def test_a_walk_along_a_border_is_one_visit() -> None:
    rng = np.random.default_rng(2)
    along = [(10.0 * k, 500 + e, 100 + 12.0 * k) for k, e in enumerate(rng.normal(0, 6, 50).tolist())]
    start = [(-60.0, 420.0, 100.0), (-30.0, 450.0, 100.0)]
    walk = tracks(fixes([*start, *along], accuracy=25.0))
    found = grid_visits(walk, whole(index(0, 500, 1000)), "general")
    assert [name for name, _, _ in told(found)] == ["a"]
    assert len(grid_visits(tracks(fixes([*start, *along], accuracy=0.01)), whole(index(0, 500, 1000)), "general")) > 10


def test_a_member_has_gone_over_since_the_crossing_once_it_is_deep_enough() -> None:
    rows = [(0, 400, 400), (60, 510, 400), (120, 495, 400), (180, 515, 400), (240, 600, 400)]
    found = grid_visits(tracks(fixes(rows, accuracy=20.0)), whole(index(0, 500, 1000)), "general")
    assert told(found) == near(("a", 0, 135), ("b", 135, 240))


def test_a_check_of_five_metres_on_either_side() -> None:
    for x, name in ((495.0, "a"), (505.0, "b"), (500.0, "a")):
        found = grid_visits(tracks(fixes([(0, x, 400)], accuracy=3.0)), whole(index(0, 500, 1000)), "general")
        assert told(found) == [(name, 0.0, 0.0)] or x == 500.0
        assert found.sure.tolist() == [x != 500.0]


def test_a_gap_ends_a_visit_and_leaving_town_is_known() -> None:
    rows = [(0, 100, 400), (60, 130, 400), (900, 140, 400), (960, 300, 400), (1020, 500, 400)]
    found = grid_visits(tracks(fixes(rows, accuracy=5.0)), whole(index(0, 200)), "general")
    assert told(found) == near(("a", 0, 60), ("a", 900, 922.5), ("-", 922.5, 1020))
    assert found.left.tolist() == [False, True, False]


def test_the_boundary_in_force_at_the_time_decides() -> None:
    spans = [Span(at(0), at(100), index(0, 500, 1000)), Span(at(100), at(10_000), index(0, 300, 1000))]
    walk = tracks(fixes([(40.0, 400.0, 400.0), (160.0, 400.0, 400.0)], accuracy=5.0))
    assert told(grid_visits(walk, spans, "general")) == [("a", 40.0, 100.0), ("b", 100.0, 160.0)]
    stayed = tracks(fixes([(40.0, 200.0, 400.0), (160.0, 200.0, 400.0)], accuracy=5.0))
    assert told(grid_visits(stayed, spans, "general")) == [("a", 40.0, 160.0)]
    assert told(grid_visits(stayed, spans[1:], "general")) == [("a", 100.0, 160.0)]


def test_keys_follow_a_grid_through_its_codes() -> None:
    spans = [
        Span(at(0), at(100), index(0, 500), ("uid",)),
        Span(at(100), at(200), index(0, 500, codes="z"), ("uid",)),
    ]
    walk = tracks(fixes([(0, 100, 400), (200, 100, 400)]))
    assert told(grid_visits(walk, spans, "general")) == [("uid", 0.0, 200.0)]


def test_another_layer_does_not_hide_one() -> None:
    both = [
        partition_of(["m"], [square(100, 100, 300, 300)], "dedicated"),
        partition_of(["a"], [square(0, 0, 500, 800)]),
    ]
    walk = tracks(fixes([(0, 50, 200), (100, 200, 200)], accuracy=5.0))
    town = whole(GridIndex.of(both))
    assert told(grid_visits(walk, town, "general")) == [("a", 0.0, 100.0)]
    assert told(grid_visits(walk, town, "dedicated")) == near(("-", 0, 100 / 3), ("m", 100 / 3, 100))


def test_no_tracks_and_no_spans_are_no_visits() -> None:
    assert len(grid_visits(tracks(fixes([])), whole(index(0, 500)), "general")) == 0
    assert len(grid_visits(tracks(fixes(line(1, 60, 10))), [], "general")) == 0


corner = st.tuples(st.floats(20, 980), st.floats(20, 780))


@settings(max_examples=60, deadline=None)
@given(ends=st.lists(corner, min_size=2, max_size=8), edge=st.floats(200, 800))
def test_time_in_grids_is_that_of_exact_intersections(ends: list[tuple[float, float]], edge: float) -> None:
    """Without doubt (accuracy 0.001 m) the dwell is the length of each leg inside, over its speed."""
    walk = tracks(fixes([(200.0 * k, *end) for k, end in enumerate(ends)], accuracy=0.001), max_gap_m=2000.0)
    town = index(0, edge, 1000)
    found = grid_visits(walk, whole(town), "general")
    assert found.dwell_s.sum() == pytest.approx(200.0 * (len(ends) - 1), abs=0.001)
    places = np.column_stack([walk.fixes.lon, walk.fixes.lat])
    legs = shapely.linestrings(np.stack([places[:-1], places[1:]], axis=1))
    shares = shapely.length(shapely.intersection(legs, town.geometry[0])) / np.maximum(shapely.length(legs), 1e-30)
    on_edge = shapely.length(legs) == 0
    if not on_edge.any():
        dwell = dict(zip(found.keys, found.dwell_by_grid_s().tolist(), strict=True))
        assert dwell.get("a", 0.0) == pytest.approx(200.0 * shares.sum(), abs=0.05)


def test_members_and_pieces_do_not_mix() -> None:
    def alone(m: int) -> Tracks:
        return tracks(fixes(line(2.0, 300, 20, x=100.0 + 90 * m), member=m, accuracy=4.0))

    town = whole(index(0, 300, 500, 1000))
    parts = [grid_visits(alone(m), town, "general") for m in range(3)]
    together = grid_visits(tracks(*(alone(m).fixes for m in range(3))), town, "general")
    assert told(together) == [row for part in parts for row in told(part)]
    assert together.member.tolist() == [m for m, part in enumerate(parts) for _ in range(len(part))]
    assert frame().cell_m == 5.0
