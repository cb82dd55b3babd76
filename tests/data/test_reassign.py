"""Reassigning: after a publication open events are where the boundaries say, by receipts; nothing else moves."""

from __future__ import annotations

import threading
import time
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
import sqlalchemy as sa

from data import reassign as reassigning
from data.decide import Place, Policy, Question, decide
from data.intake import Submission, accept
from data.reassign import BackgroundReassigner, catch_up, reassign_due, refuse_rule
from data.replay import replay
from data.report import clean
from data.settle import move, override, set_status
from gis.errors import ParameterInvalid, StateConflict
from gis.store import owing
from gis.store.boundaries import Moment
from gis.store.events import read_event, receipts
from gis.store.generations import clock
from gis.store.live import Live
from tests.town import drawn, place, published

WHO = {"actor": "officer", "role": "dispatcher"}


@pytest.fixture
def town(connection: sa.Connection) -> sa.Connection:
    published(connection, drawn("VVVV", level="community"), drawn("AABB\nAABB"))
    reassign_due(connection)
    return connection


def sent(connection: sa.Connection, column: float | None = 0.5, row: float = 0.5, **more: Any) -> UUID:
    where: dict[str, Any] = {"address": "somewhere"}
    if column is not None:
        where = dict(zip(("lon", "lat"), place(column, row), strict=True))
    report = clean(where | {"channel": "hotline"} | more, datetime.now(UTC))
    (outcome,) = accept(connection, Live(), [Submission(report)], actor="tester")
    assert outcome.event is not None
    return outcome.event


def grid_of(connection: sa.Connection, event: UUID) -> str | None:
    grid: str | None = read_event(connection, event)["answer"]["grid"]
    return grid


def causes(connection: sa.Connection, event: UUID) -> list[str]:
    return [one["cause"] for one in receipts(connection, event)]


def left_behind(connection: sa.Connection) -> list[UUID]:
    """Open events, no officer's, whose grid is not the one that the boundaries in force say."""
    now = clock(connection)
    state = Live().state(connection, Moment(now, now))
    rows = connection.execute(
        sa.text(
            "SELECT DISTINCT ON (e.id) e.id, e.grid::text AS grid, a.grounds FROM event e JOIN assignment a ON a.event = e.id "
            "WHERE status = 'open' AND e.method <> 'override' ORDER BY e.id, a.id DESC"
        )
    )
    wrong = set()
    for row in rows:
        found = decide(state, Question.of(row.grounds), Policy()).assignment.grid
        uid = state.boundaries.by_code[found].uid if found else None
        if uid != row.grid:
            wrong.add(row.id)
    return sorted(wrong)


def test_open_events_follow_a_moved_border_and_closed_ones_stay(town: sa.Connection) -> None:
    stays, moves, closed = sent(town, 0.5), sent(town, 1.5), sent(town, 1.5)
    set_status(town, closed, "closed", "done", clock(town), **WHO)
    published(town, drawn("ABBB\nABBB"), at=None)
    (done,) = reassign_due(town)
    assert (done.generation, done.rule, done.moved) == (2, "move", 1)
    assert [grid_of(town, event) for event in (stays, moves, closed)] == ["A", "B", "A"]
    assert [causes(town, event) for event in (stays, moves, closed)] == [
        ["received"],
        ["received", "published"],
        ["received"],
    ]
    assert left_behind(town) == []


def test_the_receipt_names_the_instant_and_the_generation_and_can_be_replayed(town: sa.Connection) -> None:
    event = sent(town, 1.5)
    generation = published(town, drawn("ABBB\nABBB"), at=None)
    reassign_due(town)
    last = receipts(town, event)[-1]
    assert (last["cause"], last["at"], last["generation"]) == ("published", generation.published_at, 2)
    assert read_event(town, event)["generation"] == 2
    differences: list[Any] = []
    found = replay(town, Live(), clock(town) - timedelta(hours=1), clock(town) + timedelta(hours=1), differences.append)
    assert (found.equal, differences) == (2, [])


def test_doing_it_twice_changes_nothing(town: sa.Connection) -> None:
    event = sent(town, 1.5)
    published(town, drawn("ABBB\nABBB"), at=None)
    assert len(reassign_due(town)) == 1
    assert reassign_due(town) == []
    assert causes(town, event) == ["received", "published"]


def test_a_retired_grids_events_go_to_whoever_has_their_place(town: sa.Connection) -> None:
    west, east = sent(town, 0.5), sent(town, 1.5)
    published(town, drawn("XYBB\nXYBB"), at=None)
    reassign_due(town)
    assert (grid_of(town, west), grid_of(town, east)) == ("X", "Y")


def test_ground_that_is_nobodys_any_more_leaves_its_events_to_the_queue(town: sa.Connection) -> None:
    event = sent(town, 0.5)
    published(town, drawn(".ABB\n.ABB"), at=None)
    reassign_due(town)
    row = read_event(town, event)
    assert (row["answer"]["grid"], row["reason"]) == (None, "beyond-tolerance")


def test_an_event_that_nobody_had_gets_the_grid_that_is_drawn_there(town: sa.Connection) -> None:
    event = sent(town, 5.5)
    assert grid_of(town, event) is None
    published(town, drawn("AABBCC\nAABBCC"), at=None)
    reassign_due(town)
    assert grid_of(town, event) == "C"


def test_a_new_overlay_takes_the_events_in_it(town: sa.Connection) -> None:
    event = sent(town, 1.5)
    published(town, drawn("....\n.M..", layer="dedicated"), at=None)
    reassign_due(town)
    assert grid_of(town, event) == "M"


def test_an_unsure_place_near_a_grid_that_grew_is_decided_anew(town: sa.Connection) -> None:
    # 7 m from the border that stays, in a grid that does not change; A and B above it become one and are likelier together.
    published(town, drawn("AABB\nCCCC"), at=None)
    event = sent(town, 2.0, 0.93, accuracy_m=20.0)
    assert grid_of(town, event) == "C"
    published(town, drawn("CCCC\nCCCC"), at=None)
    reassign_due(town)
    assert left_behind(town) == []


def test_of_many_places_under_two_layers_those_are_decided_anew_whose_layers_changed(
    town: sa.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    published(town, drawn("....\nMMMM", layer="dedicated"), at=None)
    reassign_due(town)
    events = [sent(town, column) for column in (0.5, 1.5, 3.5)]
    published(town, drawn("ABBB\nABBB"), at=None)
    monkeypatch.setattr(reassigning, "CHUNK", 1)
    compared: list[list[bool]] = []
    compare = reassigning._Task._as_before
    monkeypatch.setattr(
        reassigning._Task, "_as_before", lambda *given: (found := compare(*given), compared.append(found.tolist()))[0]
    )
    (done,) = reassign_due(town)
    assert (done.moved, [grid_of(town, event) for event in events]) == (0, ["M", "M", "M"])
    # The middle one lies on ground that went from A to B; the third too far from it to be looked at.
    assert compared == [[True, False]]
    assert left_behind(town) == []


def test_a_new_code_of_the_same_grid_is_told(town: sa.Connection) -> None:
    event = sent(town, 0.5)
    published(town, drawn("XXBB\nXXBB", match="area"), at=None)
    (done,) = reassign_due(town)
    assert (done.moved, grid_of(town, event), causes(town, event)) == (0, "X", ["received", "published"])


def test_a_code_that_changes_who_owns_the_border_moves_what_lies_on_it(town: sa.Connection) -> None:
    event = sent(town, 2.0)
    assert grid_of(town, event) == "A"  # the lower code of the two
    published(town, drawn("XXBB\nXXBB", match="area"), at=None)
    (done,) = reassign_due(town)
    assert (done.moved, grid_of(town, event)) == (1, "B")
    published(town, drawn("XXZZ\nXXZZ", match="area"), at=None)
    reassign_due(town)
    assert grid_of(town, event) == "X"
    assert left_behind(town) == []


def test_a_new_name_moves_nobody(town: sa.Connection) -> None:
    event = sent(town, 0.5)
    published(town, drawn("AABB\nAABB", names={"A": "later"}), at=None)
    (done,) = reassign_due(town)
    assert (done.looked_at, causes(town, event)) == (0, ["received"])


def test_an_officers_word_holds_while_its_grid_is_there(town: sa.Connection) -> None:
    event = sent(town, 1.5)
    override(town, Live(), event, "A", "always theirs", **WHO)
    published(town, drawn("ABBB\nABBB"), at=None)
    reassign_due(town)
    assert (grid_of(town, event), read_event(town, event)["method"]) == ("A", "override")


def test_a_single_heir_takes_an_officers_word_over(town: sa.Connection) -> None:
    event = sent(town, 3.5)
    override(town, Live(), event, "A", "always theirs", **WHO)
    published(town, drawn("XXBB\nXXBB"), at=None)
    reassign_due(town)
    row = read_event(town, event)
    assert (row["answer"]["grid"], row["method"], row["reason"]) == ("X", "override", "always theirs")


def test_with_several_heirs_the_place_decides_over_a_word_that_holds_no_more(town: sa.Connection) -> None:
    event = sent(town, 3.5)
    override(town, Live(), event, "A", "always theirs", **WHO)
    published(town, drawn("XYBB\nXYBB"), at=None)
    reassign_due(town)
    assert (grid_of(town, event), read_event(town, event)["method"]) == ("B", "inside")


def test_under_the_rule_stay_only_events_of_retired_grids_move(town: sa.Connection) -> None:
    kept, lost = sent(town, 1.5), sent(town, 2.5)
    published(town, drawn("ACCC\nACCC"), at=None, rule="stay")
    (done,) = reassign_due(town)
    assert (done.rule, done.moved) == ("stay", 1)
    assert (grid_of(town, kept), grid_of(town, lost)) == ("A", "C")


def test_rules_that_are_none_or_cannot_be_yet_are_refused() -> None:
    with pytest.raises(ParameterInvalid):
        refuse_rule("leave")
    with pytest.raises(StateConflict, match="members"):
        refuse_rule("follow_member")


def test_reports_after_the_instant_are_left_alone(town: sa.Connection) -> None:
    published(town, drawn("ABBB\nABBB"), at=None)
    event = sent(town, 1.5)
    (done,) = reassign_due(town)
    assert (grid_of(town, event), causes(town, event), done.looked_at) == ("B", ["received"], 0)


def test_a_future_generation_waits_and_what_was_missed_is_caught_up_in_order(town: sa.Connection) -> None:
    event = sent(town, 1.5)
    now = clock(town)
    published(town, drawn("ABBB\nABBB"), at=now + timedelta(seconds=0.2))
    published(town, drawn("AABB\nAABB"), at=now + timedelta(seconds=0.3))
    assert reassign_due(town) == []
    assert grid_of(town, event) == "A"
    time.sleep(0.35)
    assert [done.generation for done in reassign_due(town)] == [2, 3]
    told = [(one["cause"], one["generation"], one["answer"]["grid"]) for one in receipts(town, event)]
    assert told == [("received", 1, "A"), ("published", 2, "B"), ("published", 3, "A")]


def test_a_generation_takes_over_at_its_second_without_anyones_help(engine: sa.Engine) -> None:
    with engine.begin() as connection:
        published(connection, drawn("AABB"))
        event = sent(connection, 1.5)
        published(connection, drawn("ABBB"), at=clock(connection) + timedelta(seconds=0.5))
    reassigner = BackgroundReassigner(engine)
    reassigner.start()
    try:
        for _ in range(100):
            with engine.connect() as connection:
                if grid_of(connection, event) == "B":
                    break
            time.sleep(0.05)
    finally:
        reassigner.stop()
    with engine.connect() as connection:
        assert grid_of(connection, event) == "B"


def test_many_processes_do_it_once(engine: sa.Engine) -> None:
    with engine.begin() as connection:
        published(connection, drawn("AABB"))
        event = sent(connection, 1.5)
        published(connection, drawn("ABBB"), at=None)
    done: list[Any] = []
    threads = [threading.Thread(target=lambda: done.extend(catch_up(engine))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(one.generation for one in done) == [1, 2]
    with engine.connect() as connection:
        assert causes(connection, event) == ["received", "published"]


def test_a_pin_moved_after_a_publication_is_decided_by_the_new_boundaries(town: sa.Connection) -> None:
    event = sent(town, 0.5)
    published(town, drawn("AACC\nAACC"), at=None)
    reassign_due(town)
    moved = move(town, Live(), event, Place(*place(3.5, 0.5)), Policy(), **WHO)
    assert (moved.grid, moved.generation) == ("C", 2)


def test_an_event_that_is_opened_again_has_the_grid_of_now(town: sa.Connection) -> None:
    moved, kept, named = sent(town, 1.5), sent(town, 0.5), sent(town, 1.5)
    override(town, Live(), named, "A", "always theirs", **WHO)
    for event in (moved, kept, named):
        set_status(town, event, "closed", "done", clock(town), **WHO)
    published(town, drawn("ABBB\nABBB"), at=None)
    reassign_due(town)
    for event in (moved, kept, named):
        set_status(town, event, "open", "again", clock(town), **WHO)
    assert [grid_of(town, event) for event in (moved, kept, named)] == ["B", "A", "A"]
    assert [causes(town, event) for event in (moved, kept)] == [["received", "published"], ["received"]]
    assert left_behind(town) == []


def test_an_event_that_is_being_moved_is_not_missed(engine: sa.Engine) -> None:
    with engine.begin() as connection:
        published(connection, drawn("AABB"))
        reassign_due(connection)
        event = sent(connection, 0.5)
    told = threading.Event()

    def publish() -> None:
        with engine.begin() as connection:
            published(connection, drawn("ACCC"), at=None)
            told.set()
            reassign_due(connection)

    with engine.begin() as mover:
        move(mover, Live(), event, Place(*place(3.5, 0.5)), Policy(), **WHO)
        thread = threading.Thread(target=publish)
        thread.start()
        told.wait(5)
        time.sleep(0.1)
    thread.join()
    with engine.connect() as connection:
        assert grid_of(connection, event) == "C"
        assert left_behind(connection) == []


def test_the_store_refuses_to_do_it_again_or_to_forget_it(town: sa.Connection) -> None:
    for statement in ("UPDATE reassignment SET done_at = NULL, moved = NULL", "DELETE FROM reassignment"):
        with pytest.raises(sa.exc.IntegrityError), town.begin_nested():
            town.execute(sa.text(statement))
    assert owing.due(town) == []
