"""Intake: what is accepted is there after the commit, once, with its receipt; a rehearsal says the same and leaves no trace."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from data.intake import Submission, accept
from data.report import clean
from gis.errors import KeyReused
from gis.store.keys import open_rehearsal
from gis.store.live import Live
from tests.town import drawn, place, published

NOW = datetime(2026, 11, 22, tzinfo=UTC)
TABLES = "SELECT (SELECT count(*) FROM event), (SELECT count(*) FROM assignment), (SELECT count(*) FROM event_key)"


def submission(column: float = 0.5, row: float = 0.5, key: str | None = None, **fields: Any) -> Submission:
    lon, lat = place(column, row)
    return Submission(clean({"lon": lon, "lat": lat, "channel": "hotline"} | fields, NOW), key)


@pytest.fixture
def town(engine: sa.Engine) -> sa.Engine:
    with engine.begin() as connection:
        published(connection, drawn("AB"))
    return engine


def counts(engine: sa.Engine) -> tuple[int, ...]:
    with engine.connect() as connection:
        return tuple(connection.execute(sa.text(TABLES)).one())


@pytest.mark.parametrize("rows", [1, 2, 3])
def test_what_was_accepted_is_there_after_the_commit(town: sa.Engine, rows: int) -> None:
    live = Live()
    for turn in range(8):  # the first call is unlike the later ones: the month is new, statements get prepared
        with town.connect() as connection:
            outcomes = accept(connection, live, [submission(key=f"{turn} {n}") for n in range(rows)], actor="t")
            connection.commit()
        assert {outcome.event is not None and outcome.error is None for outcome in outcomes} == {True}
        assert counts(town) == ((turn + 1) * rows,) * 3


def test_what_was_not_committed_is_nowhere(town: sa.Engine) -> None:
    for _ in range(3):
        with town.connect() as connection:
            accept(connection, Live(), [submission(key="a")], actor="t")
            connection.rollback()
    assert counts(town) == (0, 0, 0)


def test_one_and_many_are_decided_alike(town: sa.Engine) -> None:
    places = [(0.5, 0.5), (1.5, 0.5), (1.0, 0.5), (5.0, 5.0)]
    with town.begin() as connection:
        many = accept(connection, Live(), [submission(*one) for one in places], actor="t")
        ones = [accept(connection, Live(), [submission(*one)], actor="t")[0] for one in places]
    assert [one.assignment for one in many] == [one.assignment for one in ones]
    assert [one.assignment.grid for one in many if one.assignment] == ["A", "B", "A", None]


submissions = st.lists(
    st.tuples(st.sampled_from(["", "1", "2"]), st.sampled_from(["", "x", "y"]), st.sampled_from(["a", "b"])), max_size=6
)


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(submissions, max_size=3))
def test_a_rehearsal_has_the_outcomes_of_the_real_run(connection: sa.Connection, batches: list[Any]) -> None:
    savepoint = connection.begin_nested()
    published(connection, drawn("AB"))
    made = [
        [
            submission(key=f"key {key}" if key and not own else None, external_id=own, text=text)
            for own, key, text in batch
        ]
        for batch in batches
    ]
    open_rehearsal(connection)
    live = Live()
    rehearsed = [accept(connection, live, batch, actor="t", rehearse=True) for batch in made]
    assert connection.scalar(sa.text("SELECT count(*) FROM event")) == 0
    real = [accept(connection, live, batch, actor="t") for batch in made]

    def kinds(outcomes: Any) -> list[list[str]]:
        return [[f"{one.repeated}{type(one.error).__name__}" for one in batch] for batch in outcomes]

    assert kinds(rehearsed) == kinds(real)
    stored = sum(one.error is None and not one.repeated for batch in real for one in batch)
    assert connection.scalar(sa.text("SELECT count(*) FROM event")) == stored
    assert connection.scalar(sa.text("SELECT count(*) FROM assignment")) == stored
    again = [accept(connection, live, batch, actor="t") for batch in made]
    for before, after, batch in zip(real, again, made, strict=True):
        for one, other, sent in zip(before, after, batch, strict=True):
            assert (one.event, type(one.error)) == (other.event, type(other.error)) or not sent.keys
    savepoint.rollback()


def test_the_known_event_is_named_in_the_refusal(town: sa.Engine) -> None:
    with town.begin() as connection:
        (first,) = accept(connection, Live(), [submission(external_id="1")], actor="t")
        (other,) = accept(connection, Live(), [submission(external_id="1", text="other")], actor="t")
    assert isinstance(other.error, KeyReused)
    assert other.error.details == {"event": str(first.event)}
    assert counts(town) == (1, 1, 1)
