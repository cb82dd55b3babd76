"""What a draft really changes, and its lineage from first to last."""

from __future__ import annotations

import shapely

from gis.plan import assembled, changed_since, changes, net_lineage, same_ground
from gis.supersede import Lineage
from tests.redrawn import town
from tests.town import LAT, LON, STEP, shapes

BEFORE, AFTER = town("AABB"), town("ACDB")


def test_a_vertex_more_is_the_same_ground_and_a_metre_is_not() -> None:
    (one,) = shapes("A").values()
    more = shapely.Polygon(
        [(LON, LAT), (LON + STEP / 3, LAT), (LON + STEP, LAT), (LON + STEP, LAT + STEP), (LON, LAT + STEP)]
    )
    wider = shapely.box(LON, LAT, LON + STEP + 1e-5, LAT + STEP)
    assert same_ground(one, more)
    assert not same_ground(one, wider)


def test_only_ground_code_name_parent_coming_and_going_are_changes() -> None:
    found = changes(BEFORE, AFTER, {"uA", "uB", "uC"}, {"uA"})
    assert found == {"uA", "uC"}  # uB only got a vertex


def test_what_changed_since_is_listed_by_code() -> None:
    assert changed_since(BEFORE, town("ACBB"), {"uB", "uA", "uZ"}) == ["uA"]
    assert changed_since(BEFORE, town("BBBB"), {"uB", "uA"}) == ["uA", "uB"]
    assert changed_since(BEFORE, BEFORE, {"uA", "uB"}) == []


def test_a_split_within_a_split_is_one_split_with_multiplied_shares() -> None:
    told = [
        Lineage("split", "uA", "x", 0.5), Lineage("split", "uA", "uC", 0.5), Lineage("reshape", "x", "x"),
        Lineage("split", "x", "uD", 0.5), Lineage("split", "x", "uE", 0.5),
    ]  # fmt: skip
    after = town("CDEB")
    assert set(net_lineage(told, BEFORE, after)) == {
        Lineage("split", "uA", "uC", 0.5),
        Lineage("split", "uA", "uD", 0.25),
        Lineage("split", "uA", "uE", 0.25),
    }


def test_what_is_split_and_merged_again_is_a_successor_with_the_whole() -> None:
    told = [
        Lineage("split", "uA", "x", 0.25), Lineage("split", "uA", "y", 0.75),
        Lineage("merge", "x", "uC", 1.0), Lineage("merge", "y", "uC", 1.0),
    ]  # fmt: skip
    assert net_lineage(told, BEFORE, town("CCBB")) == (Lineage("successor", "uA", "uC", 1.0),)


def test_a_grid_that_took_another_in_and_was_split_then_hands_both_on() -> None:
    told = [
        Lineage("merge", "uB", "uA", 1.0), Lineage("split", "uA", "uC", 0.5), Lineage("split", "uA", "uD", 0.5),
    ]  # fmt: skip
    found = {(one.kind, one.predecessor, one.successor, one.share) for one in net_lineage(told, BEFORE, town("CCDD"))}
    # From B it is only known that it went the way of A: half to each.
    assert found == {
        ("redistribute", "uB", "uC", 0.5), ("redistribute", "uB", "uD", 0.5), ("split", "uA", "uC", 0.5), ("split", "uA", "uD", 0.5),
    }  # fmt: skip


def test_grids_without_kin_are_created_and_retired() -> None:
    told = [
        Lineage("create", None, "uC"),
        Lineage("rename", "uB", "uB"),
        Lineage("create", None, "x"),
        Lineage("retire", "x", None),
    ]
    assert set(net_lineage(told, BEFORE, town(".CBB"))) == {
        Lineage("create", None, "uC"),
        Lineage("retire", "uA", None),
    }


def test_boundaries_can_be_put_together_from_units_and_shapes() -> None:
    whole = town("AABB", "MM", "VVVV")
    again = assembled(dict(whole.units), whole.shapes, whole)
    assert (again.units, again.shapes, again.generation, again.priorities) == (
        whole.units, whole.shapes, whole.generation, whole.priorities,
    )  # fmt: skip
    assert {(p.layer, p.level, p.codes) for p in again.partitions} == {
        (p.layer, p.level, p.codes) for p in whole.partitions
    }
