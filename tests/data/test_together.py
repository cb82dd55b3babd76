"""Together: several callers' reports in one transaction; what befalls one befalls nobody else."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import psycopg
import pytest
import sqlalchemy as sa

from data.decide import Policy
from data.together import Kept, keep_together
from gis.errors import KeyReused
from gis.store.errors import CONNECTION_LOST
from gis.store.live import Live
from tests.data.test_intake import counts, submission, town

__all__ = ["town"]


def kept(engine: sa.Engine, *texts: str, **fields: Any) -> list[Any]:
    reports = [replace(submission(text=text, **fields), actor=f"caller {text}") for text in texts]
    return keep_together(engine, Live(), reports, Policy())


def transactions(engine: sa.Engine) -> int:
    with engine.connect() as connection:
        return int(connection.execute(sa.text("SELECT count(DISTINCT xmin::text) FROM event")).scalar_one())


def break_on(engine: sa.Engine, text: str, when: str) -> None:
    """Afterwards an event with this text is refused by the store, at once or at the commit."""
    with engine.begin() as connection:
        connection.execute(
            sa.text("""
            CREATE FUNCTION refuse_it() RETURNS trigger LANGUAGE plpgsql AS $$
            BEGIN RAISE EXCEPTION 'no' USING ERRCODE = 'check_violation'; END $$""")
        )
        connection.execute(
            sa.text(f"""
            CREATE CONSTRAINT TRIGGER refuse_it AFTER INSERT ON event DEFERRABLE INITIALLY {when}
            FOR EACH ROW WHEN (NEW.text = '{text}') EXECUTE FUNCTION refuse_it()""")
        )


def test_several_reports_share_one_transaction_and_keep_their_callers(town: sa.Engine) -> None:
    found = kept(town, "a", "b", "c")
    assert [(one.row["text"], one.repeated) for one in found] == [("a", False), ("b", False), ("c", False)]
    assert transactions(town) == 1
    with town.connect() as connection:
        rows = connection.execute(sa.text("SELECT text, actor FROM event ORDER BY text")).all()
    assert rows == [("a", "caller a"), ("b", "caller b"), ("c", "caller c")]


def test_the_same_report_twice_in_one_transaction_is_one_event(town: sa.Engine) -> None:
    first, second = kept(town, "a", "a", external_id="1")
    assert (first.repeated, second.repeated) == (False, True)
    assert first.row["id"] == second.row["id"]
    assert counts(town) == (1, 1, 1)


def test_another_body_under_a_key_is_refused_to_its_caller_alone(town: sa.Engine) -> None:
    first, second = kept(town, "a", "b", external_id="1")
    assert isinstance(first, Kept)
    assert isinstance(second, KeyReused)
    assert counts(town) == (1, 1, 1)


@pytest.mark.parametrize("when", ["IMMEDIATE", "DEFERRED"])
def test_one_that_breaks_the_transaction_takes_nobody_with_it(town: sa.Engine, when: str) -> None:
    break_on(town, "poison", when)
    before, poison, after = kept(town, "before", "poison", "after")
    assert (before.row["text"], after.row["text"]) == ("before", "after")
    assert isinstance(poison, sa.exc.IntegrityError | psycopg.errors.IntegrityError)
    assert counts(town) == (2, 2, 0)


def test_when_the_connection_is_lost_all_are_told_and_nothing_is_tried_again(
    town: sa.Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    def lose(connection: sa.Connection, *_: Any, **__: Any) -> None:
        attempts.append(1)
        connection.execute(sa.text("SELECT pg_terminate_backend(pg_backend_pid())"))

    attempts: list[int] = []
    monkeypatch.setattr("data.together.accept", lose)
    found = kept(town, "a", "b")
    assert [isinstance(one, CONNECTION_LOST) for one in found] == [True, True]
    assert (attempts, counts(town)) == ([1], (0, 0, 0))
