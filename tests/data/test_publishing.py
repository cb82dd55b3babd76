"""Publishing and reverting: what was drawn is what is in force, open events follow, nothing known before is lost."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
import shapely
import sqlalchemy as sa

from data.plans import Applied, Drafts, begin
from data.publishing import Order, Published, publish_incoming, publish_plan, rehearse_plan
from data.reassign import reassign_due
from data.reverting import revert
from gis.errors import FieldMissing, GenerationOrder, Stale, StateConflict, TopologyRefused
from gis.partition import Boundaries
from gis.store import audit, owing, plans
from gis.store.boundaries import Moment, find_grid, grid_history, read_boundaries
from gis.store.events import EventFilter, list_events, receipts
from gis.store.generations import Publication, clock, newest_generation
from gis.store.live import Live
from gis.store.plans import StoredPlan
from tests.data.test_plans import RENAME_A, SPLIT_A, SPLIT_B, done, line, written
from tests.data.test_reassign import grid_of, left_behind, sent
from tests.town import SINCE, drawn, place

PLAN = "AABB\nAABB"
ORDER = Order("pia", "planner")
MOVE_BORDER = {"op": "reshape", "grids": ["A", "B"], "line": line((1, -1), (1, 3))}


@pytest.fixture
def town(connection: sa.Connection) -> sa.Connection:
    publish_incoming(connection, Publication((drawn(PLAN),), "tester", "planner", SINCE))
    return connection


@pytest.fixture
def drafts() -> Drafts:
    return Drafts()


def approved(connection: sa.Connection, drafts: Drafts, *operations: dict[str, Any]) -> Applied:
    """A plan with these operations that was submitted and approved."""
    applied = done(connection, drafts, begin(connection, "a plan", "ann"), *operations)
    plan = plans.review(connection, plans.set_state(connection, applied.plan, "submitted"), "approved", "", "bob")
    return replace(applied, plan=plan)


def publish(connection: sa.Connection, drafts: Drafts, plan: StoredPlan, order: Order = ORDER) -> Published:
    return publish_plan(connection, drafts, plan.id, plan.revision, order)


def in_force(connection: sa.Connection) -> Boundaries:
    now = clock(connection)
    return read_boundaries(connection, Moment(now, now))


def test_what_is_published_is_what_was_drawn(town: sa.Connection, drafts: Drafts) -> None:
    applied = approved(town, drafts, SPLIT_A, SPLIT_B, {"op": "rename", "grid": "B1", "name": "inner"})
    result = publish(town, drafts, applied.plan)
    assert result.generation.number == 2
    now = in_force(town)
    assert now.units == applied.draft.boundaries.units
    for uid, shape in applied.draft.boundaries.shapes.items():
        assert shapely.equals_identical(shapely.get_parts(now.shapes[uid])[0], shapely.get_parts(shape)[0])
    assert result.plan is not None
    assert (result.plan.state, result.plan.generation, result.plan.base) == ("published", 2, 1)
    (told,) = audit.read(town, f"plan/{applied.plan.id}")
    assert (told["action"], told["actor"], told["detail"]["generation"]) == ("publish plan", "pia", 2)


def test_lineage_is_what_the_operations_say(town: sa.Connection, drafts: Drafts) -> None:
    publish(town, drafts, approved(town, drafts, SPLIT_A).plan)
    lines = grid_history(town, "A1")["lineage"]
    assert [(one["kind"], one["share"]) for one in lines] == [("split", 0.5)]
    assert {one["kind"] for one in grid_history(town, "A")["lineage"]} == {"create", "split"}


def test_grids_that_came_and_went_within_a_plan_leave_no_trace(town: sa.Connection, drafts: Drafts) -> None:
    again = {"op": "merge", "grids": ["A2", "B"], "code": "C"}
    publish(
        town,
        drafts,
        approved(town, drafts, SPLIT_A, SPLIT_B | {"grid": "A1", "lines": [line((-1, 1), (2, 1))]}, again).plan,
    )
    assert set(in_force(town).by_code) == {"B1", "B2", "C"}
    kinds = {(one["kind"], round(one["share"], 3)) for one in grid_history(town, "A")["lineage"] if one["share"]}
    assert kinds == {("redistribute", 0.25), ("redistribute", 0.5)}


def test_open_events_follow_and_none_is_left_behind(town: sa.Connection, drafts: Drafts) -> None:
    west, middle, east = (sent(town, column) for column in (0.5, 1.5, 3.5))
    result = publish(town, drafts, approved(town, drafts, MOVE_BORDER).plan)
    (task,) = result.reassigned
    assert (task.rule, task.moved) == ("move", 1)
    assert [grid_of(town, event) for event in (west, middle, east)] == ["A", "B", "B"]
    assert left_behind(town) == []


def test_a_rehearsal_gives_the_figures_and_leaves_everything(town: sa.Connection, drafts: Drafts) -> None:
    event = sent(town, 1.5)
    plan = done(town, drafts, begin(town, "only drawn", "ann"), MOVE_BORDER).plan
    rehearsed = rehearse_plan(town, drafts, plan, ORDER)
    assert [one.moved for one in rehearsed.reassigned] == [1]
    assert (newest_generation(town), grid_of(town, event), plans.read(town, plan.id)) == (1, "A", plan)
    plan = plans.review(town, plans.set_state(town, plan, "submitted"), "approved", "", "bob")
    real = publish(town, drafts, plan)
    assert [(one.looked_at, one.moved, one.flows) for one in real.reassigned] == [
        (one.looked_at, one.moved, one.flows) for one in rehearsed.reassigned
    ]
    assert real.facts.summary() == rehearsed.facts.summary()


def test_only_an_approved_plan_is_published_and_only_as_it_was_seen(town: sa.Connection, drafts: Drafts) -> None:
    plan = done(town, drafts, begin(town, "hasty", "ann"), SPLIT_A).plan
    with pytest.raises(StateConflict, match="approved"):
        publish(town, drafts, plan)
    plan = approved(town, drafts, SPLIT_B).plan
    with pytest.raises(Stale):
        publish_plan(town, drafts, plan.id, plan.revision - 1, ORDER)
    done_once = publish(town, drafts, plan)
    assert done_once.plan is not None
    with pytest.raises(StateConflict, match="published"):
        publish(town, drafts, done_once.plan)


def test_an_empty_plan_changes_nothing_and_says_so(town: sa.Connection, drafts: Drafts) -> None:
    plan = begin(town, "empty", "ann")
    plan = plans.review(town, plans.set_state(town, plan, "submitted"), "approved", "", "bob")
    with pytest.raises(StateConflict, match="nothing changes"):
        publish(town, drafts, plan)


def test_errors_block_and_warnings_need_a_word(town: sa.Connection, drafts: Drafts) -> None:
    import json

    from tests.town import LAT, LON, STEP

    whole = shapely.box(LON, LAT, LON + 2 * STEP, LAT + 2 * STEP)
    hole = shapely.box(LON + STEP, LAT + STEP / 2, LON + 1.5 * STEP, LAT + STEP)
    shapes = {"A": json.loads(shapely.to_geojson(shapely.difference(whole, hole)))}
    with pytest.raises(TopologyRefused) as refused:
        publish(town, drafts, approved(town, drafts, {"op": "shapes", "shapes": shapes}).plan)
    assert refused.value.details["summary"] == {"gap": 1}
    apart = shapely.union(
        shapely.box(LON, LAT, LON + STEP, LAT + STEP / 4), shapely.box(LON, LAT + STEP, LON + STEP, LAT + 1.5 * STEP)
    )
    area = json.loads(shapely.to_geojson(apart))
    plan = approved(
        town, drafts, {"op": "create", "area": area, "layer": "dedicated", "level": "grid", "code": "D", "name": "two"}
    ).plan
    with pytest.raises(FieldMissing, match="multipart"):
        publish(town, drafts, plan)
    assert publish(town, drafts, plan, replace(ORDER, reason="two halls of one market")).generation.reason


def test_the_past_is_only_for_corrections(town: sa.Connection, drafts: Drafts) -> None:
    plan = approved(town, drafts, SPLIT_A).plan
    yesterday = clock(town) - timedelta(days=1)
    with pytest.raises(GenerationOrder, match="past"):
        publish(town, drafts, plan, replace(ORDER, effective_at=yesterday))
    with pytest.raises(GenerationOrder, match="reason"):
        publish(town, drafts, plan, replace(ORDER, effective_at=yesterday, correction=True))
    with pytest.raises(StateConflict, match="grid A, which operation 1 changes, was another at the instant"):
        publish(
            town, drafts, plan, replace(ORDER, effective_at=SINCE - timedelta(days=1), correction=True, reason="old")
        )
    with pytest.raises(StateConflict, match="members"):
        publish(town, drafts, plan, replace(ORDER, rule="follow_member"))


def test_two_plans_on_disjoint_ground_come_to_the_same_in_either_order(engine: sa.Engine, drafts: Drafts) -> None:
    states = []
    for order in ((0, 1), (1, 0)):
        with engine.connect() as connection:
            publish_incoming(connection, Publication((drawn(PLAN),), "tester", "planner", SINCE))
            uids = {unit.code: uid for uid, unit in in_force(connection).units.items()}
            made = [approved(connection, Drafts(), operation).plan for operation in (SPLIT_A, SPLIT_B)]
            for i in order:
                publish(connection, drafts if order == (0, 1) else Drafts(), made[i])
            states.append(written(in_force(connection)))
            assert set(uids) == {"A", "B"}
            connection.rollback()
    assert states[0] == states[1]


def test_a_plan_that_others_overtook_is_refused_with_what_changed(town: sa.Connection, drafts: Drafts) -> None:
    first, second = approved(town, drafts, MOVE_BORDER).plan, approved(town, drafts, RENAME_A, SPLIT_A).plan
    publish(town, drafts, first)
    with pytest.raises(StateConflict) as refused:
        publish(town, drafts, second)
    details = refused.value.details
    assert (details["grid"], details["operation"], details["generation"]) == ("A", 1, 2)


def test_of_two_publishers_at_once_one_is_told(engine: sa.Engine, drafts: Drafts) -> None:
    with engine.begin() as connection:
        publish_incoming(connection, Publication((drawn(PLAN),), "tester", "planner", SINCE))
        made = [approved(connection, drafts, operation).plan for operation in (MOVE_BORDER, SPLIT_A)]
    ready, told = threading.Barrier(2), []

    def race(plan: StoredPlan) -> None:
        ready.wait()
        try:
            with engine.begin() as connection:
                publish(connection, drafts, plan)
            told.append("published")
        except StateConflict:
            told.append("conflict")

    threads = [threading.Thread(target=race, args=(plan,)) for plan in made]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(told) == ["conflict", "published"]
    with engine.connect() as connection:
        assert newest_generation(connection) == 2
        states = [plans.read(connection, plan.id).state for plan in made]
        assert sorted(states) == ["approved", "published"]


def test_a_future_plan_is_seen_from_its_second_on(town: sa.Connection, drafts: Drafts) -> None:
    event = sent(town, 1.5)
    begins = clock(town) + timedelta(seconds=0.4)
    result = publish(town, drafts, approved(town, drafts, MOVE_BORDER).plan, replace(ORDER, effective_at=begins))
    assert result.reassigned == ()
    live = Live()
    known = clock(town)
    assert live.state(town, Moment(begins - timedelta(milliseconds=1), known)).index.one(*place(1.5, 0.5)).grid == "A"
    assert live.state(town, Moment(begins, known)).index.one(*place(1.5, 0.5)).grid == "B"
    time.sleep(0.45)
    assert [one.moved for one in reassign_due(town)] == [1]
    assert grid_of(town, event) == "B"


def test_readers_see_the_old_or_the_new_never_a_mixture(engine: sa.Engine, drafts: Drafts) -> None:
    with engine.begin() as connection:
        publish_incoming(connection, Publication((drawn(PLAN),), "tester", "planner", SINCE))
        events = [sent(connection, 1.5) for _ in range(40)]
    over, seen, wrong = threading.Event(), set(), []

    def read() -> None:
        live = Live()
        while not over.is_set():
            with engine.connect() as connection:
                state = live.state(connection, live.now(connection))
                codes = frozenset(state.boundaries.by_code)
                grids = {row["answer"]["grid"] for row in list_events(connection, EventFilter(limit=100))}
                seen.add(codes)
                if len(grids) != 1 or codes not in states.get(state.boundaries.generation, ()):
                    wrong.append((codes, grids, state.boundaries.generation))

    states: dict[int, list[frozenset[str]]] = {1: [frozenset("AB")]}
    names = ["A", "B"]
    for i in range(2, 8):
        names = [f"{name}{i}" for name in "AB"]
        states[i] = [frozenset(names)]
    readers = [threading.Thread(target=read) for _ in range(3)]
    for reader in readers:
        reader.start()
    try:
        held = ["A", "B"]
        for i in range(2, 8):
            new = [f"A{i}", f"B{i}"]
            operations = [{"op": "recode", "grid": old, "code": code} for old, code in zip(held, new, strict=True)]
            with engine.begin() as connection:
                publish(connection, drafts, approved(connection, drafts, *operations).plan)
            held = new
    finally:
        over.set()
        for reader in readers:
            reader.join()
    assert wrong == []
    assert len(events) == 40
    assert len(seen) > 1


def test_killed_in_the_middle_the_old_generation_stands(engine: sa.Engine, database: str, drafts: Drafts) -> None:
    with engine.begin() as connection:
        publish_incoming(connection, Publication((drawn(PLAN),), "tester", "planner", SINCE))
        event = sent(connection, 1.5)
        plan = approved(connection, drafts, MOVE_BORDER).plan
    program = (
        "import sys, time\n"
        "from uuid import UUID\n"
        "from data.plans import Drafts\n"
        "from data.publishing import Order, publish_plan\n"
        "from gis.store.engine import create_engine\n"
        "with create_engine(sys.argv[1]).begin() as connection:\n"
        "    publish_plan(connection, Drafts(), UUID(sys.argv[2]), int(sys.argv[3]), Order('pia', 'planner'))\n"
        "    print('written', flush=True)\n"
        "    time.sleep(60)\n"
    )
    words = [sys.executable, "-c", program, database, str(plan.id), str(plan.revision)]
    process = subprocess.Popen(words, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "written\n"
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    process.stdout.close()
    with engine.begin() as connection:
        assert newest_generation(connection) == 1
        assert (grid_of(connection, event), set(in_force(connection).by_code)) == ("A", {"A", "B"})
        assert owing.due(connection) == []
        publish(connection, drafts, plan)  # and nothing is in the way of doing it again
        assert grid_of(connection, event) == "B"


# -- the past -----------------------------------------------------------------------------------------------------------


def figures(connection: sa.Connection, moment: Moment) -> dict[str, int]:
    """Events by the grid that the boundaries of a moment give them."""
    boundaries = read_boundaries(connection, moment)
    index = Live().state(connection, moment).index
    counts = dict.fromkeys(sorted(boundaries.by_code), 0)
    for row in list_events(connection, EventFilter(limit=1000)):
        grid = index.one(row["lon"], row["lat"]).grid
        if grid is not None:
            counts[grid] += 1
    return counts


@pytest.fixture
def busy(town: sa.Connection) -> sa.Connection:
    for column in (0.5, 1.5, 1.6, 2.5, 3.5):
        sent(town, column)
    return town


def test_past_figures_with_the_same_known_at_are_the_same_for_ever(busy: sa.Connection, drafts: Drafts) -> None:
    now = clock(busy)
    asked = Moment(now, now)
    before, state = figures(busy, asked), written(read_boundaries(busy, asked))
    assert before == {"A": 3, "B": 2}
    month = SINCE + timedelta(days=30)
    publish(busy, drafts, approved(busy, drafts, MOVE_BORDER).plan)
    number = newest_generation(busy)
    revert(busy, number, replace(ORDER, reason="protest"))
    correction = replace(ORDER, effective_at=month, correction=True, reason="surveyed wrongly")
    with pytest.raises(StateConflict, match="changed again"):
        publish(busy, drafts, approved(busy, drafts, SPLIT_A).plan, correction)
    assert figures(busy, asked) == before
    assert written(read_boundaries(busy, asked)) == state
    assert left_behind(busy) == []


def test_a_correction_of_the_past_is_seen_from_now_on_and_rewrites_no_receipt(
    busy: sa.Connection, drafts: Drafts
) -> None:
    month, now = SINCE + timedelta(days=30), clock(busy)
    rows = busy.execute(sa.text("SELECT id::text, answer, grounds, at FROM assignment ORDER BY id")).all()
    order = replace(ORDER, effective_at=month, correction=True, reason="surveyed wrongly")
    result = publish(busy, drafts, approved(busy, drafts, MOVE_BORDER).plan, order)
    assert (result.generation.correction, result.generation.reason) == (True, "surveyed wrongly")
    later = clock(busy)
    assert figures(busy, Moment(month, later)) == {"A": 1, "B": 4}
    assert figures(busy, Moment(month, now)) == {"A": 3, "B": 2}
    assert figures(busy, Moment(month - timedelta(seconds=1), later)) == {"A": 3, "B": 2}
    after = busy.execute(sa.text("SELECT id::text, answer, grounds, at FROM assignment ORDER BY id")).all()
    assert after[: len(rows)] == rows
    assert [row.at for row in after[len(rows) :]] == 2 * [result.generation.published_at]
    assert left_behind(busy) == []


# -- reverting ----------------------------------------------------------------------------------------------------------


def test_a_reverted_split_brings_the_old_grid_back_under_its_code(busy: sa.Connection, drafts: Drafts) -> None:
    before, counts = in_force(busy), figures(busy, Moment(clock(busy), clock(busy)))
    publish(busy, drafts, approved(busy, drafts, SPLIT_A, {"op": "rename", "grid": "B", "name": "east"}).plan)
    result = revert(busy, 2, replace(ORDER, reason="not wanted"))
    assert result.generation.number == 3
    after = in_force(busy)
    assert (after.units, written(after)) == (before.units, written(before))
    assert figures(busy, Moment(clock(busy), clock(busy))) == counts
    now = Moment(clock(busy), clock(busy))
    assert find_grid(busy, now, "A")["uid"] == before.by_code["A"].uid
    assert {(one["kind"]) for one in grid_history(busy, "A1")["lineage"]} == {"split", "merge"}
    assert left_behind(busy) == []
    (line_of,) = [one for one in audit.read(busy, "generation/2") if one["action"] == "revert"]
    assert line_of["detail"]["generation"] == 3


def test_a_reverted_merge_brings_both_back(busy: sa.Connection, drafts: Drafts) -> None:
    before = in_force(busy)
    publish(busy, drafts, approved(busy, drafts, {"op": "merge", "grids": ["A", "B"], "code": "C"}).plan)
    assert set(in_force(busy).by_code) == {"C"}
    revert(busy, 2, ORDER)
    assert written(in_force(busy)) == written(before)
    assert left_behind(busy) == []


def test_what_changed_again_cannot_be_reverted_before_that(busy: sa.Connection, drafts: Drafts) -> None:
    before = written(in_force(busy))
    publish(busy, drafts, approved(busy, drafts, MOVE_BORDER).plan)
    publish(busy, drafts, approved(busy, drafts, RENAME_A).plan)
    with pytest.raises(StateConflict) as refused:
        revert(busy, 2, ORDER)
    assert (refused.value.details["grid"], refused.value.details["generation"]) == ("A", 3)
    revert(busy, 3, ORDER)
    revert(busy, 2, ORDER)  # which is now as it was left
    assert written(in_force(busy)) == before


def test_other_grids_may_have_changed_meanwhile(busy: sa.Connection, drafts: Drafts) -> None:
    publish(busy, drafts, approved(busy, drafts, RENAME_A).plan)
    publish(busy, drafts, approved(busy, drafts, SPLIT_B).plan)
    revert(busy, 2, ORDER)
    assert {unit.code: unit.name for unit in in_force(busy).units.values()}["A"] == "A"
    assert set(in_force(busy).by_code) == {"A", "B1", "B2"}


def test_there_is_no_generation_to_revert(town: sa.Connection) -> None:
    with pytest.raises(StateConflict, match="no generation 7"):
        revert(town, 7, ORDER)


def test_a_file_that_is_loaded_moves_open_events_too(town: sa.Connection) -> None:
    event: UUID = sent(town, 1.5)
    publish_incoming(town, Publication((drawn("ABBB\nABBB"),), "tester", "planner"))
    assert grid_of(town, event) == "B"
    assert [one["cause"] for one in receipts(town, event)] == ["received", "published"]


def test_moved_borders_reuse_the_index_of_the_process_and_say_the_same(engine: sa.Engine, drafts: Drafts) -> None:
    live = Live()
    with engine.begin() as connection:
        publish_incoming(
            connection, Publication((drawn(PLAN), drawn("....\n.M..", layer="dedicated")), "tester", "planner", SINCE)
        )
        events = [sent(connection, column) for column in (0.5, 1.2, 1.7, 2.5)]
        plan = approved(connection, drafts, MOVE_BORDER).plan
    with engine.begin() as connection:
        live.state(connection, live.now(connection))
        done = publish_plan(connection, drafts, plan.id, plan.revision, ORDER, live=live)
        assert [one.moved for one in done.reassigned] == [0]
        assert [grid_of(connection, event) for event in events] == ["A", "M", "M", "B"]
        taken = approved(connection, drafts, {"op": "retire", "grid": "M"}).plan
    with engine.begin() as connection:
        done = publish_plan(connection, drafts, taken.id, taken.revision, ORDER, live=live)
        assert [one.moved for one in done.reassigned] == [2]
        assert [grid_of(connection, event) for event in events] == ["A", "B", "B", "B"]
        assert left_behind(connection) == []
    with engine.begin() as connection:
        other = approved(connection, drafts, MOVE_BORDER | {"line": line((2, -1), (2, 3))}).plan
        publish_plan(connection, drafts, other.id, other.revision, ORDER, live=live)
        assert [grid_of(connection, event) for event in events] == ["A", "A", "A", "B"]
        assert left_behind(connection) == []
