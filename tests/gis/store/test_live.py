"""Live: the process's boundaries are those of the store, at any moment, without being told."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
import sqlalchemy as sa

from gis.errors import ParameterInvalid
from gis.store.boundaries import Moment
from gis.store.generations import clock
from gis.store.live import Live
from tests.town import SINCE, drawn, place, published

LATER = SINCE + timedelta(days=300)


def whose(live: Live, connection: sa.Connection, moment: Moment | None = None) -> str | None:
    state = live.state(connection, moment or live.now(connection))
    return state.index.one(*place(0.5, 0.5)).grid


def test_without_a_generation_nobody_is_found(connection: sa.Connection) -> None:
    live = Live()
    answer = live.state(connection, live.now(connection)).index.one(*place(0.5, 0.5))
    assert (answer.grid, answer.reason) == (None, "no-boundaries")


def test_a_publication_is_seen_by_the_next_call(connection: sa.Connection) -> None:
    live = Live()
    published(connection, drawn("AB"))
    assert whose(live, connection) == "A"
    published(connection, drawn("BA", match="area"), at=LATER)
    assert whose(live, connection) == "B"


def test_a_publication_of_another_connection_is_seen_by_the_next_call(engine: sa.Engine) -> None:
    live = Live()
    with engine.connect() as reader, engine.connect() as writer:
        published(writer, drawn("AB"))
        writer.commit()
        assert whose(live, reader) == "A"
        published(writer, drawn("XB"), at=None)
        writer.commit()
        assert whose(live, reader) == "X"


def test_the_past_and_what_was_known_are_answered_too(connection: sa.Connection) -> None:
    live = Live()
    first = published(connection, drawn("AB"))
    published(connection, drawn("BB"), at=LATER)
    now = clock(connection)
    assert whose(live, connection, Moment(SINCE, now)) == "A"
    assert whose(live, connection, Moment(LATER, now)) == "B"
    assert whose(live, connection, Moment(LATER, first.published_at)) == "A"


def test_moments_of_one_state_share_one_index(connection: sa.Connection) -> None:
    live = Live()
    published(connection, drawn("AB"))
    now = clock(connection)
    states = {id(live.state(connection, Moment(SINCE + timedelta(days=day), now))) for day in range(50)}
    assert len(states) == 1


def test_a_correction_of_the_past_leaves_two_states(connection: sa.Connection) -> None:
    live = Live()
    published(connection, drawn("AB"))
    published(connection, drawn("AB", names={"A": "later"}), at=LATER)
    published(connection, drawn("XB"), at=SINCE + timedelta(days=9), correction=True, reason="surveyed wrongly")
    now = clock(connection)
    corrected = live.state(connection, Moment(SINCE + timedelta(days=10), now)).boundaries
    assert "X" in corrected.by_code
    before = live.state(connection, Moment(SINCE, now)).boundaries
    assert "A" in before.by_code


def test_the_longest_unused_state_is_dropped(connection: sa.Connection) -> None:
    live = Live(keep=2)
    published(connection, drawn("AB"))
    for day in (1, 2, 3):
        published(connection, drawn("AB", names={"A": f"name {day}"}), at=SINCE + timedelta(days=day))
    now = clock(connection)
    moments = [Moment(SINCE + timedelta(days=day), now) for day in (0, 1, 2, 3)]
    first = live.state(connection, moments[0])
    for moment in moments[1:]:
        live.state(connection, moment)
    again = live.state(connection, moments[0])
    assert again is not first
    assert again.boundaries.by_code.keys() == first.boundaries.by_code.keys()


def test_one_layer_alone_can_be_asked(connection: sa.Connection) -> None:
    live = Live()
    published(connection, drawn("AB"), drawn("MM", layer="dedicated"))
    state = live.state(connection, live.now(connection))
    assert state.index.one(*place(0.5, 0.5)).grid == "M"
    assert state.index_of("general").one(*place(0.5, 0.5)).grid == "A"
    with pytest.raises(ParameterInvalid, match="frontage"):
        state.index_of("frontage")


def test_threads_get_one_state_built_once(engine: sa.Engine) -> None:
    live = Live()
    with engine.begin() as connection:
        published(connection, drawn("AB"))
    ready = threading.Barrier(6)

    def ask(_: int) -> int:
        with engine.connect() as connection:
            ready.wait()
            return id(live.state(connection, live.now(connection)))

    with ThreadPoolExecutor(6) as pool:
        assert len(set(pool.map(ask, range(6)))) == 1


def test_what_is_published_while_it_is_read_is_not_half_in_a_state(engine: sa.Engine) -> None:
    live, other = (
        Live(),
        sa.create_engine(engine.url, poolclass=sa.NullPool, connect_args={"options": "-c search_path=gridbeat,public"}),
    )
    with engine.begin() as connection:
        published(connection, drawn("AB"))
    pending = [drawn("XY")]

    def interrupt(_: object, __: object, statement: str, *___: object) -> None:
        if "ordinal > 0" in statement and pending:  # the shapes are read, the further parents are not
            with other.begin() as writer:
                published(writer, pending.pop(), at=None)

    sa.event.listen(engine, "before_cursor_execute", interrupt)
    with engine.connect() as connection:
        now = clock(connection)
        later = Moment(now + timedelta(minutes=1), now + timedelta(minutes=1))
        boundaries = live.state(connection, later).boundaries
        assert pending == []
        assert (boundaries.generation, set(boundaries.by_code)) == (2, {"X", "Y"})
        # What was known before is still what it was, and not what was read meanwhile.
        assert set(live.state(connection, Moment(now, now)).boundaries.by_code) == {"A", "B"}
    sa.event.remove(engine, "before_cursor_execute", interrupt)
    other.dispose()
