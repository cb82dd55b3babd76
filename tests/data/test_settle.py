"""Settling: moved pins, officers' words, closing; and a replay that agrees with every receipt."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
import sqlalchemy as sa

from data.decide import Place, Policy
from data.intake import Submission, accept
from data.replay import Difference, replay
from data.report import clean
from data.settle import move, override, reason_of, set_status
from gis.errors import CodeVoided, EventUnknown, FieldMissing, GridUnknown, StateConflict
from gis.store import audit
from gis.store.events import read_event, receipts
from gis.store.generations import clock
from gis.store.live import Live
from tests.town import drawn, place, published

WHO = {"actor": "officer", "role": "dispatcher"}


@pytest.fixture
def town(connection: sa.Connection) -> sa.Connection:
    published(connection, drawn("VVWW", level="community"), drawn("AABB"), drawn(".M..", layer="dedicated"))
    return connection


def sent(connection: sa.Connection, column: float | None = 0.5, **more: Any) -> UUID:
    """The id of a stored report, `column` letters from the west, or with an address alone."""
    where: dict[str, Any] = {"address": "somewhere"}
    if column is not None:
        where = dict(zip(("lon", "lat"), place(column, 0.5), strict=True))
    report = clean(where | {"channel": "hotline"} | more, datetime.now(UTC))
    (outcome,) = accept(connection, Live(), [Submission(report)], actor="tester")
    assert outcome.event is not None
    return outcome.event


def grid_of(connection: sa.Connection, event: UUID) -> str | None:
    answer: dict[str, Any] = read_event(connection, event)["answer"]
    return answer["grid"]


def test_a_moved_pin_is_decided_anew_and_both_receipts_stay(town: sa.Connection) -> None:
    event = sent(town, 0.5)
    assert grid_of(town, event) == "A"
    move(town, Live(), event, Place(*place(3.5, 0.5)), Policy(), **WHO)
    assert grid_of(town, event) == "B"
    assert [(one["cause"], one["answer"]["grid"]) for one in receipts(town, event)] == [
        ("received", "A"),
        ("moved", "B"),
    ]
    assert (read_event(town, event)["lon"], read_event(town, event)["lat"]) == place(3.5, 0.5)


def test_a_pin_is_moved_under_the_boundary_of_its_reception(town: sa.Connection) -> None:
    event = sent(town, 0.5)
    published(town, drawn("AAAA"), at=None)
    moved = move(town, Live(), event, Place(*place(3.5, 0.5)), Policy(), **WHO)
    assert (moved.grid, moved.generation) == ("B", 1)


def test_an_address_gets_a_pin(town: sa.Connection) -> None:
    event = sent(town, None)
    assert grid_of(town, event) is None
    assert move(town, Live(), event, Place(*place(1.5, 0.5)), Policy(), **WHO).grid == "M"


def test_an_officers_word_wins_and_is_logged(town: sa.Connection) -> None:
    event = sent(town, 0.5)
    override(town, Live(), event, "B", "known to the village", **WHO)
    assert grid_of(town, event) == "B"
    last = receipts(town, event)[-1]
    assert (last["cause"], last["method"], last["reason"], last["actor"]) == (
        "override", "override", "known to the village", "officer",
    )  # fmt: skip
    assert last["answer"]["path"][-1]["code"] == "B"
    assert last["answer"]["layers"]["general"] == "A"  # what the place says stays visible
    assert audit.read(town, f"event/{event}")[-1]["detail"] == {"grid": "B", "reason": "known to the village"}


def test_the_word_holds_when_the_pin_is_moved(town: sa.Connection) -> None:
    event = sent(town, 0.5)
    override(town, Live(), event, "M", "market's business", **WHO)
    moved = move(town, Live(), event, Place(*place(3.5, 0.5)), Policy(), **WHO)
    assert (moved.grid, moved.method, moved.layers["general"]) == ("M", "override", "B")
    assert grid_of(town, event) == "M"


def test_a_grid_that_is_void_or_unknown_is_refused(town: sa.Connection) -> None:
    event = sent(town, 0.5)
    published(town, drawn("AAAA"), at=None)
    with pytest.raises(CodeVoided):
        override(town, Live(), event, "B", "why not", **WHO)
    with pytest.raises(GridUnknown):
        override(town, Live(), event, "Z", "why not", **WHO)
    assert grid_of(town, event) == "A"


def test_the_queue_is_settled_once(town: sa.Connection) -> None:
    event = sent(town, None)
    override(town, Live(), event, "A", "asked by phone", cause="resolved", **WHO)
    assert grid_of(town, event) == "A"
    with pytest.raises(StateConflict):
        override(town, Live(), event, "B", "again", cause="resolved", **WHO)


def test_an_event_is_closed_and_opened_with_a_reason(town: sa.Connection) -> None:
    event = sent(town)
    now = clock(town)
    set_status(town, event, "closed", "lamp replaced", now, **WHO)
    row = read_event(town, event)
    assert (row["status"], row["closed_at"], row["status_reason"]) == ("closed", now, "lamp replaced")
    with pytest.raises(StateConflict):
        set_status(town, event, "closed", "twice", now, **WHO)
    set_status(town, event, "open", "dark again", now, **WHO)
    assert read_event(town, event)["closed_at"] is None


def test_an_event_that_is_not_there_is_unknown(town: sa.Connection) -> None:
    with pytest.raises(EventUnknown):
        override(town, Live(), uuid4(), "A", "why not", **WHO)


@pytest.mark.parametrize("words", [None, "", "  ", 7])
def test_a_reason_is_words(words: Any) -> None:
    with pytest.raises(FieldMissing):
        reason_of(words)


def replayed(connection: sa.Connection) -> tuple[dict[str, int], list[Difference]]:
    differences: list[Difference] = []
    now = clock(connection)
    found = replay(connection, Live(), now - timedelta(hours=1), now + timedelta(hours=1), differences.append)
    return vars(found), differences


def test_a_replay_agrees_with_every_receipt_whatever_happened_since(town: sa.Connection) -> None:
    events = [sent(town, column, accuracy_m=20) for column in (0.5, 1.0, 1.5, 2.0, 3.9, 4.05, 9.0)]
    sent(town, None)
    published(town, drawn("ABBB"), at=None)
    events += [sent(town, 1.5), sent(town, 2.5)]
    move(town, Live(), events[0], Place(*place(3.5, 0.5), accuracy_m=5), Policy(), **WHO)
    override(town, Live(), events[1], "B", "known to the village", **WHO)
    published(town, drawn("CCCC", names={"C": "one"}), at=None)
    found, differences = replayed(town)
    assert differences == []
    assert found == {"equal": 11, "by_word": 1, "different": 0, "other_kernel": 0}


def test_a_replay_sees_a_receipt_that_lies(town: sa.Connection) -> None:
    sent(town, 0.5)
    town.execute(sa.text("ALTER TABLE assignment DISABLE TRIGGER assignment_is_append_only"))
    town.execute(sa.text("""UPDATE assignment SET answer = jsonb_set(answer::jsonb, '{grid}', '"B"')"""))
    found, (difference,) = replayed(town)
    assert found["different"] == 1
    assert difference.members == {"grid": ("B", "A")}


def test_a_replay_sees_probabilities_that_lie(town: sa.Connection) -> None:
    event = sent(town, 1.9, accuracy_m=20)
    kept = receipts(town, event)[0]["grounds"]["doubt"]
    assert (kept["kernel"], kept["accuracy_m"], kept["prior"]) == ("gridbeat-doubt/1", 20, None)
    assert (set(kept["wins"]), set(kept["layers"]["general"])) == ({"B", "M"}, {"A", "B"})
    assert sum(kept["wins"].values()) + kept["outside"] == pytest.approx(1.0, abs=1e-5)
    town.execute(sa.text("ALTER TABLE assignment DISABLE TRIGGER assignment_is_append_only"))
    town.execute(sa.text("""UPDATE assignment SET grounds = jsonb_set(grounds::jsonb, '{doubt,wins,M}', '0.99')"""))
    found, (difference,) = replayed(town)
    assert (found["different"], list(difference.members)) == (1, ["doubt"])


def test_a_receipt_from_before_probabilities_were_kept_is_still_replayed(town: sa.Connection) -> None:
    event = sent(town, 1.9, accuracy_m=20)
    town.execute(sa.text("ALTER TABLE assignment DISABLE TRIGGER assignment_is_append_only"))
    town.execute(sa.text("UPDATE assignment SET grounds = grounds::jsonb - 'doubt'"))
    assert "doubt" not in receipts(town, event)[0]["grounds"]
    assert replayed(town) == ({"equal": 1, "by_word": 0, "different": 0, "other_kernel": 0}, [])


def test_without_an_accuracy_a_receipt_keeps_no_probabilities(town: sa.Connection) -> None:
    assert "doubt" not in receipts(town, sent(town, 1.9))[0]["grounds"]
