"""Live: the process's boundaries are those of the store, at any moment, without being told."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta

import numpy as np
import pytest
import sqlalchemy as sa
from hypothesis import given, settings
from hypothesis import strategies as st

from gis.errors import ParameterInvalid
from gis.locate import GridIndex
from gis.partition import Boundaries, Partition, partition_of
from gis.store.boundaries import Moment
from gis.store.generations import clock
from gis.store.live import Live, State, following
from tests.gis.test_cells import moved, same
from tests.gis.test_locate import awkward_places, quilt
from tests.town import LAT, LON, SINCE, STEP, drawn, place, published

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


# --- what a publication costs the readers -----------------------------------------------------------------------------

PATIENCE_S = 20.0


def nobody_builds(*_: object) -> GridIndex:
    raise AssertionError("an index was built anew")


def town_places() -> np.ndarray:
    """Middles, corners and edges of a plan of 4 by 3 letters, and places around it."""
    column, row = np.meshgrid(np.arange(-1, 5.25, 0.25), np.arange(-1, 4.25, 0.25))
    return np.column_stack([LON + column.ravel() * STEP, LAT + row.ravel() * STEP])


def test_after_a_moved_border_the_index_is_made_from_the_one_before_and_answers_as_a_new_one(
    connection: sa.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    live = Live()
    published(connection, drawn("AABB\nAABB\nCCDD"), drawn("M...", layer="dedicated"))
    before = live.state(connection, live.now(connection)).index
    answers = before.locate(*town_places().T)
    published(connection, drawn("AAAB\nAABB\nCCDD"), at=LATER)
    with monkeypatch.context() as patched:
        patched.setattr(GridIndex, "build", nobody_builds)
        state = live.state(connection, live.now(connection))
    assert state.index.one(*place(2.5, 2.5)).grid == "A"
    assert state.index.generation == state.boundaries.generation == 2
    same(state.index.locate(*town_places().T), GridIndex.build(state.boundaries).locate(*town_places().T))
    same(before.locate(*town_places().T), answers)


def test_a_name_alone_shares_the_whole_index_and_is_answered(
    connection: sa.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    live = Live()
    published(connection, drawn("AB"))
    live.state(connection, live.now(connection))
    published(connection, drawn("AB", names={"A": "later"}), at=LATER)
    monkeypatch.setattr(GridIndex, "build", nobody_builds)
    answer = live.state(connection, live.now(connection)).index.one(*place(0.5, 0.5))
    assert (answer.path[-1]["name"], answer.generation) == ("later", 2)


@settings(max_examples=8, deadline=None)
@given(seed=st.integers(0, 2**32 - 1))
def test_an_index_made_from_the_one_before_answers_as_one_built_anew(seed: int) -> None:
    rng = np.random.default_rng(seed)
    before = quilt(seed)
    index = GridIndex.of(before)
    shapes = dict(zip(before[1].codes, before[1].geometry, strict=True))
    for _ in range(2):
        changed = moved(before[1], rng)
        shapes |= dict(zip(changed.codes, changed.geometry, strict=True))
    overlays = partition_of(before[0].codes, [before[0].geometry[1], before[0].geometry[0]], "dedicated")
    after = [overlays, partition_of(list(shapes), list(shapes.values()))]
    boundaries = GridIndex.of(after).boundaries
    places = awkward_places([*before, *after], rng)
    same(following(index, boundaries).locate(*places.T), GridIndex.build(boundaries).locate(*places.T))


def test_other_codes_layers_or_priorities_and_a_city_drawn_anew_are_built_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    boxes = [drawn("A").geometry[0]] * 40
    other = [drawn(".A").geometry[0]] * 40
    codes = [f"{i:02d}" for i in range(40)]
    market = partition_of(["M"], boxes[:1], "dedicated")
    parts: list[Partition] = [partition_of(codes, boxes), market]
    index = GridIndex.build(Boundaries(1, tuple(parts)))
    built: list[Boundaries] = []
    monkeypatch.setattr(GridIndex, "build", built.append)
    others = [
        Boundaries(2, (partition_of([*codes[:-1], "40"], boxes), market)),
        Boundaries(2, (parts[0],)),
        Boundaries(2, tuple(parts), priorities={"general": 1, "dedicated": 2}),
        Boundaries(2, (partition_of(codes, other), market)),
    ]
    for one in others:
        following(index, one)
    assert built == others


class Held(Live):
    """Live whose next states are only made when they may be."""

    def __init__(self) -> None:
        super().__init__()
        self.begun, self.may, self.made, self.fails = threading.Event(), threading.Event(), 0, 0

    def _made(self, connection: sa.Connection, moment: Moment, key: tuple[int, datetime | None]) -> State:
        self.begun.set()
        assert self.may.wait(PATIENCE_S)
        self.made += 1
        if self.made <= self.fails:
            raise ConnectionError("the store went away")
        return super()._made(connection, moment, key)


def test_who_asks_for_a_state_that_is_held_does_not_wait_for_one_that_is_being_made(engine: sa.Engine) -> None:
    live = Held()
    with engine.begin() as connection:
        published(connection, drawn("AB"))
        published(connection, drawn("BA", match="area"), at=LATER)
        now = clock(connection)
        live.may.set()
        held = live.state(connection, Moment(LATER, now))
    live.may.clear()
    live.begun.clear()

    def ask(moment: Moment) -> State:
        with engine.connect() as connection:
            return live.state(connection, moment)

    with ThreadPoolExecutor(3) as pool:
        try:
            first = pool.submit(ask, Moment(SINCE, now))
            assert live.begun.wait(PATIENCE_S)
            second = pool.submit(ask, Moment(SINCE, now))
            assert pool.submit(ask, Moment(LATER, now)).result(PATIENCE_S) is held
            assert not first.done()
        finally:
            live.may.set()
        assert first.result(PATIENCE_S) is second.result(PATIENCE_S)
    assert live.made == 2


def test_when_a_state_could_not_be_made_the_next_who_waits_makes_it(engine: sa.Engine) -> None:
    live = Held()
    live.fails = 1
    with engine.begin() as connection:
        published(connection, drawn("AB"))

    def ask(_: int) -> str | None:
        with engine.connect() as connection:
            try:
                return whose(live, connection)
            except ConnectionError:
                return "failed"

    with ThreadPoolExecutor(3) as pool:
        answers = pool.map(ask, range(3))
        live.may.set()
        assert sorted(str(answer) for answer in answers) == ["A", "A", "failed"]
    assert live.made == 2
