"""Plans: operations one after the other, undone, redone, forked; rebased when others published elsewhere, refused when not."""

from __future__ import annotations

import json
import threading
from typing import Any
from uuid import uuid4

import pytest
import shapely
import sqlalchemy as sa

from data.plans import Applied, Drafts, apply, begin, fork, on_newest, redo, standing, undo
from gis.errors import CodeTaken, GridMissing, OperationInvalid, PlanUnknown, Stale, StateConflict
from gis.partition import Boundaries
from gis.store import plans
from gis.store.generations import clock
from gis.store.plans import StoredPlan
from tests.town import LAT, LON, STEP, drawn, place, published

PLAN = "AABB\nAABB"


def line(*vertices: tuple[float, float]) -> dict[str, Any]:
    return {"type": "LineString", "coordinates": [list(place(*vertex)) for vertex in vertices]}


#: Cuts the grid in the middle, from south to north.
SPLIT_A = {"op": "split", "grid": "A", "lines": [line((1, -1), (1, 3))], "codes": ["A1", "A2"]}
SPLIT_B = {"op": "split", "grid": "B", "lines": [line((3, -1), (3, 3))], "codes": ["B1", "B2"]}
RENAME_A = {"op": "rename", "grid": "A", "name": "west"}


@pytest.fixture
def town(connection: sa.Connection) -> sa.Connection:
    published(connection, drawn("VVWW\nVVWW", level="community"), drawn(PLAN))
    return connection


@pytest.fixture
def drafts() -> Drafts:
    return Drafts()


def done(connection: sa.Connection, drafts: Drafts, plan: StoredPlan, *operations: dict[str, Any]) -> Applied:
    """The plan after these operations."""
    for operation in operations:
        applied = apply(connection, drafts, plan.id, operation, plan.revision, "ann")
        plan = applied.plan
    return applied


def written(boundaries: Boundaries) -> dict[str, tuple[str, bytes]]:
    """Code -> name and exact bytes."""
    return {unit.code: (unit.name, shapely.to_wkb(boundaries.shapes[uid])) for uid, unit in boundaries.units.items()}


def test_a_plan_begins_empty_on_the_newest_generation(town: sa.Connection, drafts: Drafts) -> None:
    plan = begin(town, " new grids ", "ann")
    assert (plan.title, plan.base, plan.state, plan.revision, plan.step, plan.author) == (
        "new grids", 1, "draft", 1, 0, "ann",
    )  # fmt: skip
    draft = drafts.draft(town, plan)
    assert draft.boundaries is draft.base
    assert set(draft.base.by_code) == {"A", "B", "V", "W"}


def test_an_operation_is_stored_complete_and_the_draft_follows(town: sa.Connection, drafts: Drafts) -> None:
    plan = begin(town, "split", "ann")
    applied = done(town, drafts, plan, SPLIT_A)
    assert (applied.plan.revision, applied.plan.newest, applied.plan.step) == (2, 1, 1)
    assert set(applied.draft.boundaries.by_code) == {"A1", "A2", "B", "V", "W"}
    assert len(applied.operation.body["uids"]) == 2
    assert applied.operation.codes == ("A1", "A2")
    assert applied.draft.findings == []
    assert {one.kind for one in applied.draft.net} == {"split"}


def test_without_the_cache_the_same_draft_comes_out_bit_for_bit(town: sa.Connection, drafts: Drafts) -> None:
    applied = done(town, drafts, begin(town, "both", "ann"), SPLIT_A, SPLIT_B)
    again = Drafts().draft(town, applied.plan)
    assert written(again.boundaries) == written(applied.draft.boundaries)
    assert again.boundaries.units == applied.draft.boundaries.units
    assert again.touched == applied.draft.touched
    assert again.net == applied.draft.net


def test_undo_to_any_depth_and_redo(town: sa.Connection, drafts: Drafts) -> None:
    begun = begin(town, "both", "ann")
    first = done(town, drafts, begun, SPLIT_A)
    second = done(town, drafts, first.plan, SPLIT_B)
    plan = undo(town, begun.id, second.plan.revision)
    assert written(drafts.draft(town, plan).boundaries) == written(first.draft.boundaries)
    plan = undo(town, begun.id, plan.revision)
    assert drafts.draft(town, plan).boundaries.units == first.draft.base.units
    with pytest.raises(StateConflict, match="there is nothing that could be undone"):
        undo(town, begun.id, plan.revision)
    with pytest.raises(StateConflict, match="there are 2 operations that could be redone"):
        redo(town, begun.id, plan.revision, 3)
    plan = redo(town, begun.id, plan.revision, 2)
    assert written(drafts.draft(town, plan).boundaries) == written(second.draft.boundaries)
    with pytest.raises(StateConflict, match="redone"):
        redo(town, begun.id, plan.revision)
    assert plan.revision == second.plan.revision + 3


def test_a_new_operation_drops_what_could_be_redone_but_history_keeps_it(town: sa.Connection, drafts: Drafts) -> None:
    begun = begin(town, "changed my mind", "ann")
    plan = done(town, drafts, begun, SPLIT_A, SPLIT_B).plan
    plan = undo(town, begun.id, plan.revision, 2)
    applied = done(town, drafts, plan, RENAME_A, SPLIT_B)
    line_ops, undone = plans.read_line(town, applied.plan)
    assert ([one.op for one in line_ops], undone) == (["rename", "split"], [])
    assert [(one.number, one.step, one.op) for one in plans.read_history(town, applied.plan)] == [
        (1, 1, "split"), (2, 2, "split"), (3, 1, "rename"), (4, 2, "split"),
    ]  # fmt: skip
    assert set(drafts.draft(town, applied.plan).boundaries.by_code) == {"A", "B1", "B2", "V", "W"}


def test_a_write_that_has_not_seen_the_last_one_is_stale(town: sa.Connection, drafts: Drafts) -> None:
    begun = begin(town, "two editors", "ann")
    done(town, drafts, begun, SPLIT_A)
    with pytest.raises(Stale) as refused:
        apply(town, drafts, begun.id, SPLIT_B, begun.revision, "bob")
    assert refused.value.details["revision"] == 2
    with pytest.raises(Stale):
        undo(town, begun.id, begun.revision)


def test_a_refused_operation_leaves_the_plan_as_it_was(town: sa.Connection, drafts: Drafts) -> None:
    begun = begin(town, "wrong", "ann")
    for operation, error in (
        ({"op": "explode"}, OperationInvalid),
        ({"op": "rename", "grid": "Z", "name": "z"}, GridMissing),
    ):
        with pytest.raises(error):
            apply(town, drafts, begun.id, operation, begun.revision, "ann")
    assert plans.read(town, begun.id) == begun


def test_there_is_no_plan_of_another_id(town: sa.Connection) -> None:
    with pytest.raises(PlanUnknown):
        plans.read(town, uuid4())


def test_a_fork_begins_where_it_was_cut_off_and_goes_its_own_way(town: sa.Connection, drafts: Drafts) -> None:
    applied = done(town, drafts, begin(town, "one", "ann"), SPLIT_A, SPLIT_B)
    other = fork(town, applied.plan.id, "other", "bob", 1)
    assert (other.forked_from, other.forked_step, other.step, other.base) == (applied.plan.id, 1, 1, 1)
    assert set(drafts.draft(town, other).boundaries.by_code) == {"A1", "A2", "B", "V", "W"}
    done(town, drafts, other, {"op": "rename", "grid": "A1", "name": "mine"})
    assert drafts.draft(town, applied.plan).boundaries.by_code["A1"].name != "mine"
    with pytest.raises(StateConflict, match="2 operations"):
        fork(town, applied.plan.id, "too far", "bob", 3)


def test_comments_and_reviews_stand_on_the_plan(town: sa.Connection, drafts: Drafts) -> None:
    plan = done(town, drafts, begin(town, "discussed", "ann"), SPLIT_A).plan
    plan = plans.comment(town, plans.hold(town, plan.id, 2), "why here?", place(1, 1), "bob")
    assert plan.revision == 3
    (comment,) = plans.read_comments(town, plan.id)
    assert (comment["lon"], comment["lat"], comment["text"], comment["author"]) == (*place(1, 1), "why here?", "bob")
    plan = plans.set_state(town, plan, "submitted")
    plan = plans.review(town, plan, "returned", "not like this", "bob")
    assert plan.state == "draft"
    plan = plans.review(town, plans.set_state(town, plan, "submitted"), "approved", "", "bob")
    assert plan.state == "approved"
    assert [(one["verdict"], one["revision"], one["reviewer"]) for one in plans.read_reviews(town, plan.id)] == [
        ("returned", 4, "bob"),
        ("approved", 6, "bob"),
    ]
    with pytest.raises(StateConflict, match="approved"):
        apply(town, drafts, plan.id, SPLIT_B, plan.revision, "ann")


def test_what_was_published_elsewhere_rebases_a_plan_silently(town: sa.Connection, drafts: Drafts) -> None:
    plan = done(town, drafts, begin(town, "east", "ann"), SPLIT_B).plan
    published(town, drawn("XXBB\nXXBB", match="area"), at=None)
    assert standing(town, drafts, plan).conflict is None
    applied = done(town, drafts, plan, {"op": "rename", "grid": "B1", "name": "first"})
    assert applied.plan.base == 2
    assert set(applied.draft.boundaries.by_code) == {"X", "B1", "B2", "V", "W"}
    assert Drafts().draft(town, applied.plan).boundaries.units == applied.draft.boundaries.units


def test_what_was_published_on_the_same_grid_is_a_conflict_that_says_what(town: sa.Connection, drafts: Drafts) -> None:
    plan = done(town, drafts, begin(town, "west", "ann"), SPLIT_B, SPLIT_A).plan
    published(town, drawn("AABB\nAABB", names={"A": "renamed"}), at=None)
    with pytest.raises(StateConflict) as refused:
        apply(town, drafts, plan.id, {"op": "rename", "grid": "B1", "name": "x"}, plan.revision, "ann")
    details = refused.value.details
    assert (details["grid"], details["operation"], details["generation"], details["grids"]) == ("A", 2, 2, ["A"])
    found = standing(town, drafts, plan)
    assert (found.base, found.newest) == (1, 2)
    assert found.conflict is not None
    assert found.conflict["code"] == "state-conflict"


def test_a_vertex_that_a_neighbour_got_is_no_change_of_it(town: sa.Connection, drafts: Drafts) -> None:
    # The split of A ends on the border with B, which gets a vertex there; renaming B elsewhere does not hinder it.
    across = {"op": "split", "grid": "A", "lines": [line((-1, 1), (2.5, 1))], "codes": ["A1", "A2"]}
    applied = done(town, drafts, begin(town, "west", "ann"), across)
    east = applied.draft.base.by_code["B"].uid
    assert east in applied.draft.touched
    assert east not in applied.draft.changed
    published(town, drawn("AABB\nAABB", names={"B": "renamed"}), at=None)
    _, draft = on_newest(town, drafts, applied.plan)
    assert draft.boundaries.by_code["B"].name == "renamed"
    assert draft.findings == []


def test_two_plans_do_not_propose_the_same_code(connection: sa.Connection, drafts: Drafts) -> None:
    codes = {"A": "310101001001001", "B": "310101001001002", "V": "310101001001"}
    published(
        connection,
        drawn("VVVV\nVVVV", level="community", codes=codes),
        drawn(PLAN, codes=codes, parents={"A": codes["V"], "B": codes["V"]}),
    )
    made = []
    for letter, at in (("A", 1), ("B", 3)):
        split = {"op": "split", "grid": codes[letter], "lines": [line((at, -1), (at, 3))]}
        made.append(done(connection, drafts, begin(connection, letter, "ann"), split).operation.codes)
    assert made == [("310101001001003", "310101001001004"), ("310101001001005", "310101001001006")]


def test_a_code_that_another_plan_brings_is_refused_in_so_many_words(town: sa.Connection, drafts: Drafts) -> None:
    done(town, drafts, begin(town, "first", "ann"), SPLIT_A)
    other = begin(town, "second", "bob")
    with pytest.raises(CodeTaken, match="another plan under way brings the code A1"):
        apply(town, drafts, other.id, SPLIT_B | {"codes": ["A1", "B2"]}, other.revision, "bob")
    with pytest.raises(CodeTaken, match="in use"):
        apply(town, drafts, other.id, SPLIT_B | {"codes": ["A", "B2"]}, other.revision, "bob")


def test_findings_of_one_more_operation_are_those_of_the_whole(town: sa.Connection, drafts: Drafts) -> None:
    hole = shapely.box(LON + STEP, LAT + STEP / 2, LON + 1.5 * STEP, LAT + STEP)
    holed = shapely.difference(shapely.box(LON, LAT, LON + 2 * STEP, LAT + 2 * STEP), hole)
    begun = begin(town, "a hole", "ann")
    assert drafts.draft(town, begun).findings == []
    shapes = {"op": "shapes", "shapes": {"A": json.loads(shapely.to_geojson(holed))}}
    applied = done(town, drafts, begun, shapes, RENAME_A, {"op": "rename", "grid": "B", "name": "east"})
    assert [(one.kind, one.severity, one.grids) for one in applied.draft.findings] == [("gap", "error", ("A",))]
    assert [one.message for one in Drafts().draft(town, applied.plan).findings] == [
        one.message for one in applied.draft.findings
    ]


def test_ten_writers_at_once_are_one_after_the_other(engine: sa.Engine) -> None:
    drafts = Drafts()
    with engine.begin() as connection:
        published(connection, drawn(PLAN))
        plan = begin(connection, "crowded", "ann")
    ready, told = threading.Barrier(10), []

    def write(i: int) -> None:
        ready.wait()
        try:
            with engine.begin() as connection:
                apply(connection, drafts, plan.id, RENAME_A | {"name": f"name {i}"}, plan.revision, f"editor {i}")
            told.append("done")
        except Stale:
            told.append("stale")

    threads = [threading.Thread(target=write, args=(i,)) for i in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(told) == ["done"] + 9 * ["stale"]
    with engine.connect() as connection:
        assert plans.read(connection, plan.id).newest == 1


def test_a_reader_keeps_what_it_read_while_the_plan_goes_on(engine: sa.Engine) -> None:
    drafts = Drafts()
    with engine.begin() as connection:
        published(connection, drawn(PLAN))
        seen = done(connection, drafts, begin(connection, "read", "ann"), SPLIT_A).plan
    with engine.begin() as writer:
        plan = undo(writer, seen.id, seen.revision)
        plan = done(writer, drafts, plan, SPLIT_B).plan
        plans.set_state(writer, plan, "withdrawn")
    with engine.connect() as reader:
        assert set(Drafts().draft(reader, seen).boundaries.by_code) == {"A1", "A2", "B"}
        assert [one.op for one in plans.read_line(reader, seen)[0]] == ["split"]
        assert plans.read(reader, seen.id).state == "withdrawn"


def test_what_was_rolled_back_is_not_remembered(engine: sa.Engine) -> None:
    drafts = Drafts()
    with engine.begin() as connection:
        published(connection, drawn(PLAN))
        plan = begin(connection, "rolled back", "ann")
    with engine.connect() as connection:
        done(connection, drafts, plan, SPLIT_A)
        connection.rollback()
        other = done(connection, drafts, plan, RENAME_A).plan
        connection.commit()
        assert set(drafts.draft(connection, other).boundaries.by_code) == {"A", "B"}
        assert clock(connection) >= other.changed_at
