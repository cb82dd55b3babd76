"""Impact on drawn towns with hand-counted answers, and its laws against counting everything anew."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from datetime import UTC, datetime
from itertools import count
from random import Random

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from gis.errors import ParameterInvalid
from gis.impact import Flow, Impact, Weights, impact
from gis.loads import LineLoad, Load, PointLoad, event_load
from gis.locate import GridIndex
from gis.operations import parse_operation
from gis.partition import Boundaries
from gis.redraw import redraw
from tests.redrawn import overlay_plans, places, plans, town
from tests.town import place

Spots = list[tuple[float, float]]


def points(spots: Spots, **columns: list[int]) -> PointLoad:
    lon, lat = np.array([place(x, y) for x, y in spots]).reshape(-1, 2).T
    return PointLoad(lon, lat, columns)


def events(spots: Spots) -> PointLoad:
    return points(spots, events=[1] * len(spots))


def lines(*drawn: Spots) -> LineLoad:
    held = np.empty(len(drawn), dtype=object)
    held[:] = [shapely.LineString([place(x, y) for x, y in spots]) for spots in drawn]
    return LineLoad(held)


def flows(found: Impact, column: str) -> dict[tuple[str, str], float]:
    return {(flow["from"], flow["to"]): flow[column] for flow in found.as_json()["flows"]}


def figures(found: Impact, code: str, column: str) -> tuple[float | None, float | None]:
    """A figure of a grid before and after."""
    (grid,) = (grid for grid in found.grids if grid.code == code)
    return tuple(side[column] if side else None for side in (grid.before, grid.after))  # type: ignore[return-value]


# -- drawn ------------------------------------------------------------------------------------------------------------


def test_a_moved_border_takes_what_lies_on_its_ground() -> None:
    loads = {"events": events([(0.5, 0.5), (1.5, 0.5), (1.5, 0.6), (2.5, 0.5)])}
    found = impact(town("AAB"), town("ABB"), loads)
    assert flows(found, "events") == {("A", "B"): 2}
    assert (figures(found, "A", "events"), figures(found, "B", "events")) == ((3, 1), (1, 3))
    assert found.moves.pairs() == [(1, "uA", "uB"), (2, "uA", "uB")]


def test_grids_that_keep_everything_are_not_told_of() -> None:
    found = impact(town("AABC"), town("ABBC"), {"events": events([(3.5, 0.5)])})
    assert [grid.code for grid in found.grids] == ["A", "B"]


def test_the_same_boundaries_have_no_impact() -> None:
    found = impact(town("AB", "M."), town("AB", "M."), {"events": events([(0.5, 0.5)])})
    assert (found.grids, found.flows, len(found.moves), found.wider) == ((), (), 0, ())
    assert found.as_json()["totals"]["before"] == {"area_m2": 0.0, "events": 0}


def test_a_point_on_the_border_goes_by_the_rule_of_locate() -> None:
    found = impact(town("AAB"), town("ABB"), {"events": events([(1, 0.5), (2, 0.5)])})
    assert found.moves.pairs() == [
        (1, "uA", "uB")
    ]  # on the old border the lower code A had it; on the new one A has it still


def test_a_recode_may_change_who_owns_the_border() -> None:
    found = impact(town("AB"), town("AB", codes={"A": "Z"}), {"events": events([(1, 0.5)])})
    assert found.moves.pairs() == [(0, "uA", "uB")]
    assert [(grid.code_before, grid.code) for grid in found.grids] == [("B", "B"), ("A", "Z")]
    assert flows(found, "area_m2") == {("A", "B"): 0.0}


def test_created_and_retired_grids_have_one_side_only() -> None:
    found = impact(town("AA"), town("XY"), {"events": events([(0.5, 0.5), (1.5, 0.5), (1.7, 0.5)])})
    assert figures(found, "A", "events") == (3, None)
    assert (figures(found, "X", "events"), figures(found, "Y", "events")) == ((None, 1), (None, 2))
    assert flows(found, "events") == {("A", "X"): 1, ("A", "Y"): 2}


def test_what_leaves_the_town_goes_outside() -> None:
    found = impact(town("AA"), town("A."), {"households": points([(1.5, 0.5)], households=[40])})
    assert flows(found, "households") == {("A", "outside"): 40}
    assert found.totals["to_outside"]["households"] == 40
    assert found.moved["households"].pairs() == [(0, "uA", None)]


def test_a_new_dedicated_grid_takes_from_those_beneath_it() -> None:
    loads = {"events": events([(0.5, 0.5), (1.5, 0.5), (2.5, 0.5)])}
    found = impact(town("AABB"), town("AABB", ".MM."), loads, touched=frozenset({"uM"}))
    assert flows(found, "events") == {("A", "M"): 1, ("B", "M"): 1, ("outside", "M"): 0}
    assert flows(found, "area_m2")["A", "M"] == 0  # as drawn, A keeps its ground
    assert [grid.code for grid in found.grids] == ["M", "A", "B"]  # the winning layer first


def test_dedicated_grids_cut_by_a_border_are_counted() -> None:
    found = impact(town("AAABBB", "..MM.."), town("AABBBB", "..MM.."), {})
    assert (figures(found, "A", "dedicated_cut"), figures(found, "B", "dedicated_cut")) == ((1, 0), (1, 0))


def test_a_dedicated_grid_that_is_drawn_over_a_border_counts_for_both_sides_though_nothing_moves() -> None:
    found = impact(town("AABB"), town("AABB", ".MM."), {}, touched=frozenset({"uM"}))
    assert {g.code: g.after["dedicated_cut"] for g in found.grids if g.after and g.layer == "general"} == {
        "A": 1,
        "B": 1,
    }


def test_streets_are_cut_at_the_borders_and_keep_their_length() -> None:
    street = lines([(0.5, 0.5), (2.5, 0.5)])
    found = impact(town("AAB"), town("ABB"), {"streets": street})
    whole = street.totals["street_m"]
    assert figures(found, "A", "street_m") == (pytest.approx(whole * 0.75), pytest.approx(whole * 0.25))
    assert flows(found, "street_m") == {("A", "B"): pytest.approx(whole / 2)}


def test_a_street_on_the_border_belongs_to_one_side() -> None:
    street = lines([(1, 0), (1, 2)])
    found = impact(town("AB\nAB"), town("AA\nAB"), {"streets": street})
    before = [figures(found, code, "street_m")[0] for code in "AB"]
    assert sorted(before) == [0, pytest.approx(street.totals["street_m"])]


def test_wider_levels_are_told_apart() -> None:
    loads = {"households": points([(1.5, 0.5)], households=[7])}
    found = impact(town("AABB", wider="VVWW"), town("ABBB", wider="VWWW"), loads)
    ((layer, level, section),) = found.wider
    assert (layer, level) == ("general", "community")
    assert [(f.source_code, f.target_code, f.figures["households"]) for f in section.flows] == [("V", "W", 7)]
    assert found.as_json()["wider"][0]["level"] == "community"


def test_windows_and_categories_are_counted_before_and_after_and_flow() -> None:
    lon, lat = np.array([place(0.5, 0.5), place(1.5, 0.5), place(1.5, 0.5)]).T
    occurred = np.array(["2026-11-01", "2026-11-20", "2026-10-01"], dtype="datetime64[s]")
    load = event_load(
        lon, lat, is_open=[True, False, True], category=["06010", "06010", None], occurred_at=occurred,
        until=datetime(2026, 11, 22, tzinfo=UTC), windows_days=(7, 30),
    )  # fmt: skip
    found = impact(town("AAB"), town("ABB"), {"events": load})
    assert flows(found, "open_events") == {("A", "B"): 1}
    assert flows(found, "events_by") == {
        ("A", "B"): {"all": {"": 1, "06010": 1}, "7d": {"06010": 1}, "30d": {"06010": 1}}
    }  # fmt: skip
    assert figures(found, "A", "events_by")[1] == {"all": {"06010": 1}, "30d": {"06010": 1}}


def test_a_load_index_of_one_is_the_average_grid() -> None:
    loads = {"households": points([(0.5, 0.5), (1.5, 0.5)], households=[30, 10]), "events": events([(1.5, 0.5)])}
    found = impact(town("AB"), town("AA"), loads)
    # households: 30 of a mean of 20; events: 0 of a mean of 0.5
    assert figures(found, "A", "load_index") == (0.75, 2.0)
    heavier = impact(town("AB"), town("AA"), loads, weights=Weights({"households": 3.0, "events": 1.0}))
    assert figures(heavier, "A", "load_index") == (1.125, 2.0)


def test_without_loads_the_load_index_is_unknown_not_zero() -> None:
    assert figures(impact(town("AB"), town("AA"), {}), "A", "load_index") == (None, None)


def test_loads_are_checked() -> None:
    with pytest.raises(ParameterInvalid, match="households needs one number"):
        points([(0, 0), (1, 1)], households=[1])
    with pytest.raises(ParameterInvalid, match="households needs one number"):
        PointLoad(np.zeros(1), np.zeros(1), {"households": np.array([np.nan])})
    with pytest.raises(ParameterInvalid, match="differ in length"):
        PointLoad(np.zeros(1), np.zeros(2), {})
    with pytest.raises(ParameterInvalid, match="there already"):
        impact(town("A"), town("A"), {"one": events([]), "two": events([])})


def test_a_point_without_a_place_belongs_to_nobody() -> None:
    load = PointLoad(np.array([np.nan]), np.array([32.0]), {"events": np.array([1])})
    assert len(impact(town("AB"), town("BA"), {"events": load}).moves) == 0


def test_the_answer_is_json_and_stable() -> None:
    loads = {"events": events([(0.5, 0.5), (1.5, 0.5)]), "streets": lines([(0, 0.5), (3, 0.5)])}
    said = impact(town("AAB", ".M."), town("ABB", "M.."), loads).as_json()
    assert json.loads(json.dumps(said, allow_nan=False)) == said
    assert list(said) == ["grids", "flows", "totals", "wider", "weights"]
    again = impact(town("AAB", ".M."), town("ABB", "M.."), loads).as_json()
    assert json.dumps(again) == json.dumps(said)


@pytest.mark.parametrize("grids", [3, 80, 300])  # boxes one by one, on a lattice, and the one around all
def test_many_edits_at_once_are_still_right(grids: int) -> None:
    letters = "".join(chr(0x4E00 + i) for i in range(grids))
    unmoved = ".\n" + "U" * (grids + 9)
    before, after = town(letters + unmoved), town(letters[::-1] + unmoved)
    street = lines([(0, 1.5), (grids, 1.5)])
    spots = events([(i + 0.5, j + 0.5) for i in range(grids) for j in (0, 1)])
    found = impact(before, after, {"events": spots, "streets": street}, touched=frozenset({*before.units} - {"uU"}))
    assert len(found.moves) == grids - grids % 2
    assert found.totals["after"]["street_m"] == pytest.approx(street.totals["street_m"])


OPERATIONS: dict[str, dict[str, object]] = {
    "split": {"grid": "A", "codes": ["A1", "A2"], "lines": [
        {"type": "LineString", "coordinates": [[*place(0.9, -1)], [*place(1.2, 4)]]}
    ]},
    "merge": {"grids": ["C", "D"], "into": "C"},
    "rename": {"grid": "B", "name": "river"},
    "create": {
        "layer": "dedicated", "level": "grid", "name": "park", "code": "P",
        "area": {"type": "Polygon", "coordinates": [
            [[*place(x, y)] for x, y in ((0.5, 0.5), (1.5, 0.5), (1.5, 1.5), (0.5, 1.5), (0.5, 0.5))]
        ]},
    },
}  # fmt: skip


@pytest.mark.parametrize("op", OPERATIONS)
def test_what_an_operation_says_it_touched_is_enough(op: str) -> None:
    before = town("AABBC\nAABBC\nDDDCC", ".MM..\n.....\n.....")
    number = count()
    operation = parse_operation({"op": op, **OPERATIONS[op]})
    redrawn = redraw(before, operation, new_uid=lambda: f"n{next(number)}")
    loads = {
        "events": events([(x / 7, y / 7) for x in range(35) for y in range(21)]),
        "streets": lines(*([(x, 0.1), (x + 0.7, 2.9)] for x in range(4))),
    }
    told = impact(before, redrawn.boundaries, loads, touched=redrawn.touched)
    assert told.as_json() == impact(before, redrawn.boundaries, loads).as_json()
    assert {grid.uid for grid in told.grids} >= redrawn.touched


# -- laws -------------------------------------------------------------------------------------------------------------


@st.composite
def edits(draw: st.DrawFn) -> tuple[Boundaries, Boundaries, dict[str, Load]]:
    before, after = (town(draw(plans), draw(overlay_plans)) for _ in range(2))
    spots = [(x / 2, y / 2) for x, y in draw(places)]
    counts = draw(st.lists(st.integers(0, 50), min_size=len(spots), max_size=len(spots)))
    lanes = [[(x + 0.25, y + 0.3), (y / 2 + 0.6, x / 2 + 0.15)] for x, y in spots[:5]]
    return (
        before,
        after,
        {"events": events(spots), "households": points(spots, households=counts), "streets": lines(*lanes)},
    )


Edit = tuple[Boundaries, Boundaries, dict[str, Load]]


def owners(state: Boundaries, load: PointLoad) -> list[str | None]:
    """Who has each point, asked of the whole town."""
    if not state.partitions:
        return [None] * len(load.lon)
    codes = GridIndex.build(state, engine="geos").locate(load.lon, load.lat, distance=False).grids()
    return [state.by_code[code].uid if code else None for code in codes]


@settings(max_examples=30)
@given(edits())
def test_it_is_what_counting_everything_anew_gives(edit: Edit) -> None:
    before, after, loads = edit
    found = impact(before, after, loads)
    households = loads["households"]
    assert isinstance(households, PointLoad)
    old, new = owners(before, households), owners(after, households)
    assert found.moves.pairs() == [(i, a, b) for i, (a, b) in enumerate(zip(old, new, strict=True)) if a != b]
    counts = households.columns["households"].tolist()
    for grid in found.grids:
        for side, who in ((grid.before, old), (grid.after, new)):
            if side is not None:
                assert side["households"] == sum(n for n, uid in zip(counts, who, strict=True) if uid == grid.uid)
                assert side["events"] == who.count(grid.uid)


@settings(max_examples=30)
@given(edits())
def test_everything_before_is_everything_after(edit: Edit) -> None:
    found = impact(*edit)
    for column in ("area_m2", "households", "events", "street_m"):
        totals = {part: figures[column] for part, figures in found.totals.items()}
        came, left = totals["before"] + totals["from_outside"], totals["after"] + totals["to_outside"]
        assert came == pytest.approx(left, rel=1e-6, abs=1e-3)


@settings(max_examples=30)
@given(edits())
def test_every_grid_becomes_what_it_was_and_what_flowed(edit: Edit) -> None:
    found = impact(*edit)

    def gain(flow: Flow, uid: str, column: str) -> float:
        return flow.figures[column] * ((flow.target == uid) - (flow.source == uid))

    for grid in found.grids:
        for column in ("area_m2", "households", "events", "street_m"):
            was, now = ((side or {}).get(column, 0) for side in (grid.before, grid.after))
            assert was + sum(gain(flow, grid.uid, column) for flow in found.flows) == pytest.approx(now, abs=1e-3)


@settings(max_examples=30)
@given(edits(), st.randoms(use_true_random=False))
def test_the_order_of_points_does_not_matter(edit: Edit, chance: Random) -> None:
    before, after, loads = edit
    order = list(range(len(loads["events"].lon)))  # type: ignore[attr-defined]
    chance.shuffle(order)

    def shuffled(load: Load) -> Load:
        if not isinstance(load, PointLoad):
            return load
        return PointLoad(load.lon[order], load.lat[order], {name: v[order] for name, v in load.columns.items()})

    mixed: Mapping[str, Load] = {name: shuffled(load) for name, load in loads.items()}
    assert impact(before, after, mixed).as_json() == impact(before, after, loads).as_json()


@settings(max_examples=30)
@given(edits(), plans)
def test_two_steps_move_every_event_where_one_does(edit: Edit, third: str) -> None:
    before, middle, loads = edit
    after = town(third)
    place_of: dict[int, str | None] = {}
    for one, other in ((before, middle), (middle, after)):
        place_of |= {row: target for row, _, target in impact(one, other, loads).moves.pairs()}
    leap = {row: target for row, _, target in impact(before, after, loads).moves.pairs()}
    still = owners(before, loads["events"])  # type: ignore[arg-type]
    assert {row: uid for row, uid in place_of.items() if uid != still[row]} == leap


@settings(max_examples=30)
@given(edits())
def test_more_named_as_touched_than_changed_moves_nothing_more(edit: Edit) -> None:
    before, after, loads = edit
    everyone = frozenset({*before.units, *after.units})
    told, found = impact(before, after, loads, touched=everyone), impact(before, after, loads)
    assert told.flows == found.flows
    assert {grid.uid for grid in found.grids} <= {grid.uid for grid in told.grids} == everyone
    assert all(math.isfinite(flow.figures["area_m2"]) for flow in told.flows)
