"""Lanes: parts worked on side by side come out in their order, and take their turns in it."""

from __future__ import annotations

import gc
import threading
from collections.abc import Iterator

import pytest
import sqlalchemy as sa

from data.batch import plan_rows
from data.lanes import Turn, in_lanes, unswept
from data.load import load_events
from data.rowchunk import chunk_of_rows
from gis.store.live import Live
from tests.town import drawn, place, published


def test_a_slow_part_comes_out_in_its_place() -> None:
    quick = threading.Event()

    def work(part: int, _: Turn) -> int:
        if part == 0:
            assert quick.wait(10)
        quick.set()
        return part * 10

    assert list(in_lanes(range(5), work)) == [(i, i * 10) for i in range(5)]


def test_turns_are_taken_in_the_order_of_the_parts() -> None:
    taken: list[int] = []
    later_waits = threading.Event()

    def work(part: int, turn: Turn) -> None:
        if part % 2 == 0:
            assert later_waits.wait(10)
        else:
            later_waits.set()
        with turn:
            taken.append(part)

    list(in_lanes(range(6), work))
    assert taken == list(range(6))


def test_a_part_that_fails_gives_up_its_turn_and_its_error_comes_in_its_place() -> None:
    def work(part: int, turn: Turn) -> int:
        if part == 1:
            raise ValueError("no")
        with turn:
            return part

    done: list[int] = []
    with pytest.raises(ValueError, match="no"):
        done.extend(result for _, result in in_lanes(range(4), work))
    assert done == [0]


def test_parts_are_read_no_faster_than_they_are_worked_on() -> None:
    read: list[int] = []

    def parts() -> Iterator[int]:
        for i in range(50):
            read.append(i)
            yield i

    for part, _ in in_lanes(parts(), lambda part, _: part):
        assert len(read) <= part + 4


def test_the_search_for_cycles_rests_and_is_back_afterwards() -> None:
    assert gc.isenabled()
    with unswept() as between:
        between()
        assert not gc.isenabled()
    assert gc.isenabled()


def test_of_rows_with_one_id_in_many_parts_the_first_is_stored(
    engine: sa.Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("data.load.CHUNK", 3)
    with engine.begin() as connection:
        published(connection, drawn("AB"))
    lon, lat = place(0.5, 0.5)
    rows = [
        (i, {"lon": lon, "lat": lat, "channel": "hotline", "external_id": f"{i % 10}", "text": f"row {i // 10}"})
        for i in range(1, 61)
    ]
    chunk = chunk_of_rows(rows, [])
    refused: list[int] = []
    loaded = load_events(
        engine, Live(), [chunk], plan_rows(tuple(chunk.columns)), actor="t", commit=True,
        on_rejected=lambda one: refused.append(one.row),
    )  # fmt: skip
    with engine.connect() as connection:
        kept = connection.execute(sa.text("SELECT external_id, text FROM event ORDER BY id")).all()
    assert [tuple(row) for row in kept] == [(str(i % 10), f"row {i // 10}") for i in range(1, 11)]
    assert (loaded.rows, loaded.stored, loaded.rejected, refused) == (60, 10, 50, list(range(11, 61)))
