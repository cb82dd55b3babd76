"""The truths that the database keeps of plans: each is attacked by hand."""

from __future__ import annotations

from typing import Any

import pytest
import sqlalchemy as sa

from gis.errors import StateConflict
from gis.store import plans
from gis.store.plans import StoredPlan
from tests.gis.store.test_truths import refused
from tests.town import drawn, published

RENAME = {"op": "rename", "grid": "A", "name": "x"}


@pytest.fixture
def plan(connection: sa.Connection) -> StoredPlan:
    published(connection, drawn("AB"))
    plan = plans.create(connection, "a plan", 1, "ann")
    for _ in range(2):
        plan, _ = plans.append(connection, plan, RENAME, [], "ann")
    return plan


def insert(number: Any, step: Any, plan: str = ":id") -> str:
    return (
        "INSERT INTO plan_operation (id, plan, number, step, op, body, author, made_at) "
        f"VALUES (gen_random_uuid(), {plan}, {number}, {step}, 'rename', '{{}}', 'eve', now())"
    )


@pytest.mark.parametrize(
    ("changed", "constraint"),
    [
        ("title = ' '", "plan_title_check"),
        ("state = 'secret'", "plan_states"),
        ("state = 'published'", "plan_states"),
        ("generation = 1", "plan_published_names_its_generation"),
        ("state = 'approved'", "plan_states"),
        ("state = 'published', generation = 1", "plan_states"),
        ("step = 3", "plan_check"),
        ("step = -1", "plan_check"),
        ("newest = 1, step = 1", "plan_revisions"),
        ("newest = 9", "plan_counts"),
        ("author = 'eve'", "plan_revisions"),
        ("forked_from = id, forked_step = 1", "plan_revisions"),
        ("base = 7", "plan_base_fkey"),
    ],
)
def test_a_plan_is_never_this(connection: sa.Connection, plan: StoredPlan, changed: str, constraint: str) -> None:
    assert (
        refused(connection, f"UPDATE plan SET revision = revision + 1, {changed} WHERE id = :id", id=plan.id)
        == constraint
    )


@pytest.mark.parametrize("revision", ["revision", "revision + 2", "revision - 1"])
def test_every_write_counts_one_up(connection: sa.Connection, plan: StoredPlan, revision: str) -> None:
    assert refused(connection, f"UPDATE plan SET revision = {revision} WHERE id = :id", id=plan.id) == "plan_revisions"


def test_what_was_withdrawn_stays_so(connection: sa.Connection, plan: StoredPlan) -> None:
    gone = plans.set_state(connection, plan, "withdrawn")
    statement = "UPDATE plan SET revision = revision + 1, state = 'draft' WHERE id = :id"
    assert refused(connection, statement, id=gone.id) == "plan_states"
    assert refused(connection, insert(3, 3), id=gone.id) == "plan_line"


def test_only_a_draft_is_drawn_on(connection: sa.Connection, plan: StoredPlan) -> None:
    plans.set_state(connection, plan, "submitted")
    assert refused(connection, insert(3, 3), id=plan.id) == "plan_line"
    statement = "UPDATE plan SET revision = revision + 1, step = 1 WHERE id = :id"
    assert refused(connection, statement, id=plan.id) == "plan_states"


@pytest.mark.parametrize(
    ("number", "step", "constraint"),
    [
        (2, 2, "plan_line"),
        (4, 3, "plan_line"),
        (3, 0, "plan_operation_check"),
        (3, 4, "plan_line"),
        (3, 3, "plan_counts"),
    ],
)
def test_operations_stand_in_line(
    connection: sa.Connection, plan: StoredPlan, number: int, step: int, constraint: str
) -> None:
    statement = "WITH made AS (" + insert(number, step) + ") UPDATE plan SET revision = revision + 1 WHERE id = :id"
    assert refused(connection, statement, id=plan.id) == constraint


def test_an_operation_belongs_to_a_plan(connection: sa.Connection, plan: StoredPlan) -> None:
    assert refused(connection, insert(1, 1, "gen_random_uuid()")) == "plan_line"
    assert plan.newest == 2


@pytest.mark.parametrize("table", ["plan", "plan_operation", "plan_comment", "plan_review"])
def test_nothing_of_a_plan_is_ever_deleted(connection: sa.Connection, plan: StoredPlan, table: str) -> None:
    plan = plans.comment(connection, plan, "a word", None, "bob")
    plans.review(connection, plans.set_state(connection, plan, "submitted"), "approved", "", "bob")
    assert "append-only" in refused(connection, f"DELETE FROM {table}")
    if table != "plan":
        assert "append-only" in refused(connection, f"UPDATE {table} SET made_at = now()")


@pytest.mark.parametrize(
    ("verdict", "words", "constraint"),
    [("returned", " ", "plan_returned_says_why"), ("liked", "", "plan_review_verdict_check")],
)
def test_a_review_is_a_verdict_and_a_return_has_a_reason(
    connection: sa.Connection, plan: StoredPlan, verdict: str, words: str, constraint: str
) -> None:
    statement = (
        "INSERT INTO plan_review (id, plan, revision, reviewer, verdict, words, made_at) "
        "VALUES (gen_random_uuid(), :id, 1, 'bob', :verdict, :words, now())"
    )
    assert refused(connection, statement, id=plan.id, verdict=verdict, words=words) == constraint


def test_a_comment_says_something(connection: sa.Connection, plan: StoredPlan) -> None:
    statement = (
        "INSERT INTO plan_comment (id, plan, text, author, made_at) VALUES (gen_random_uuid(), :id, '  ', 'bob', now())"
    )
    assert refused(connection, statement, id=plan.id) == "plan_comment_text_check"


def test_a_fork_names_the_step_it_was_cut_off_at(connection: sa.Connection, plan: StoredPlan) -> None:
    statement = (
        "INSERT INTO plan (id, title, author, made_at, changed_at, forked_from) "
        "VALUES (gen_random_uuid(), 'fork', 'bob', now(), now(), :id)"
    )
    assert refused(connection, statement, id=plan.id) == "plan_fork_is_whole"


def test_a_plan_becomes_one_generation_and_no_other_plan_the_same(connection: sa.Connection, plan: StoredPlan) -> None:
    for one in (plan, plans.create(connection, "another", 1, "bob")):
        ready = plans.review(connection, plans.set_state(connection, one, "submitted"), "approved", "", "eve")
        if one is plan:
            plans.set_state(connection, ready, "published", 1)
    statement = "UPDATE plan SET revision = revision + 1, state = 'published', generation = 1 WHERE id = :id"
    assert refused(connection, statement, id=ready.id) == "plan_generation_key"


def test_a_reassignment_is_of_a_generation_once_by_a_known_rule(connection: sa.Connection, plan: StoredPlan) -> None:
    assert plan.base == 1
    add = "INSERT INTO reassignment (generation, rule, due_at) VALUES ({}, '{}', now())"
    assert refused(connection, add.format(1, "move")) == "reassignment_pkey"
    assert refused(connection, add.format(9, "move")) == "reassignment_generation_fkey"
    assert refused(connection, add.format(9, "leave")) == "reassignment_rule_check"
    early = "UPDATE reassignment SET done_at = due_at - interval '1 hour', moved = 0"
    assert refused(connection, early) == "reassignment_check"
    assert refused(connection, "UPDATE reassignment SET done_at = due_at") == "reassignment_done_says_what"
    assert refused(connection, "UPDATE reassignment SET rule = 'stay'") == "reassignment_once"


def test_what_is_not_there_cannot_be_undone_redone_or_forked(connection: sa.Connection, plan: StoredPlan) -> None:
    for step in (-1, 3):
        with pytest.raises(StateConflict):
            plans.stand_at(connection, plan, step)
        with pytest.raises(StateConflict):
            plans.fork(connection, plan, step, "fork", "bob")


def test_plans_are_listed_newest_first_by_state(connection: sa.Connection, plan: StoredPlan) -> None:
    other = plans.create(connection, "another", 0, "bob")
    assert [one.id for one in plans.list_plans(connection)] == [other.id, plan.id]
    assert [one.id for one in plans.list_plans(connection, limit=1, before=other.id)] == [plan.id]
    plans.set_state(connection, other, "withdrawn")
    assert [one.title for one in plans.list_plans(connection, "draft")] == ["a plan"]
    assert other.base == 0
