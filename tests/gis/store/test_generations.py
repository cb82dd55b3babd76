"""Generations and boundaries: two times, order, corrections, what readers see."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa

from gis.errors import CodeVoided, GenerationOrder, GridUnknown, StateConflict
from gis.store import audit
from gis.store.boundaries import GridFilter, Moment, find_grid, grid_history, list_grids, read_boundaries
from gis.store.engine import create_engine
from gis.store.generations import clock, list_generations, newest_generation, voided_codes
from tests.town import SINCE, drawn, place, published

YEAR = timedelta(days=365)
MERGED = SINCE + YEAR


def at(connection: sa.Connection, instant: datetime, known_at: datetime | None = None) -> Moment:
    return Moment(instant, known_at or clock(connection))


def codes(connection: sa.Connection, moment: Moment) -> set[str]:
    return set(read_boundaries(connection, moment).by_code)


def test_before_the_first_generation_there_is_nothing(connection: sa.Connection) -> None:
    boundaries = read_boundaries(connection, at(connection, SINCE))
    assert (boundaries.generation, boundaries.partitions) == (0, ())


def test_a_generation_holds_from_its_effective_instant_on(connection: sa.Connection) -> None:
    published(connection, drawn("AB"))
    assert codes(connection, at(connection, SINCE - timedelta(microseconds=1))) == set()
    assert codes(connection, at(connection, SINCE)) == {"A", "B"}
    assert codes(connection, at(connection, SINCE + 5 * YEAR)) == {"A", "B"}


def test_what_was_not_known_yet_is_not_answered(connection: sa.Connection) -> None:
    first = published(connection, drawn("AB"))
    before = first.published_at - timedelta(microseconds=1)
    assert codes(connection, at(connection, SINCE, before)) == set()
    assert codes(connection, at(connection, SINCE, first.published_at)) == {"A", "B"}


def test_a_merge_splits_time_and_keeps_what_was_known(connection: sa.Connection) -> None:
    first = published(connection, drawn("AB"))
    published(connection, drawn("BB"), at=MERGED)
    assert codes(connection, at(connection, MERGED - timedelta(seconds=1))) == {"A", "B"}
    assert codes(connection, at(connection, MERGED)) == {"B"}
    # Asked with what was known before the merge was published, the future still has both.
    assert codes(connection, at(connection, MERGED, first.published_at)) == {"A", "B"}


def test_the_shape_before_the_merge_is_the_old_one(connection: sa.Connection) -> None:
    published(connection, drawn("AB"))
    published(connection, drawn("BB"), at=MERGED)
    old = read_boundaries(connection, at(connection, MERGED - timedelta(seconds=1)))
    new = read_boundaries(connection, at(connection, MERGED))
    assert new.shapes[new.by_code["B"].uid].area == 2 * old.shapes[old.by_code["B"].uid].area
    assert new.by_code["B"].uid == old.by_code["B"].uid


def test_the_generation_number_is_the_newest_published_and_in_effect(connection: sa.Connection) -> None:
    published(connection, drawn("AB"))
    published(connection, drawn("BB"), at=MERGED)
    assert read_boundaries(connection, at(connection, SINCE)).generation == 1
    assert read_boundaries(connection, at(connection, MERGED)).generation == 2
    assert newest_generation(connection) == 2


def test_a_future_generation_waits_for_its_second(connection: sa.Connection) -> None:
    published(connection, drawn("AB"))
    tomorrow = clock(connection) + timedelta(days=1)
    published(connection, drawn("BB"), at=tomorrow)
    assert codes(connection, at(connection, clock(connection))) == {"A", "B"}
    assert codes(connection, at(connection, tomorrow)) == {"B"}


def test_published_for_now_is_effective_when_it_is_published(connection: sa.Connection) -> None:
    generation = published(connection, drawn("AB"), at=None)
    assert generation.effective_at == generation.published_at


def test_a_generation_may_not_take_effect_before_the_newest(connection: sa.Connection) -> None:
    published(connection, drawn("AB"), at=MERGED)
    with pytest.raises(GenerationOrder) as refused:
        published(connection, drawn("BB"), at=SINCE)
    assert refused.value.details["newest_effective_at"] == MERGED.isoformat()


def test_a_correction_needs_a_reason(connection: sa.Connection) -> None:
    published(connection, drawn("AB"), at=MERGED)
    with pytest.raises(GenerationOrder, match="reason"):
        published(connection, drawn("BB"), at=SINCE, correction=True, reason=" ")


def test_a_correction_changes_the_past_and_an_earlier_known_at_gives_the_old_answer(connection: sa.Connection) -> None:
    first = published(connection, drawn("AB"))
    published(connection, drawn("AB", names={"A": "later"}), at=MERGED)
    month = SINCE + timedelta(days=30)
    published(connection, drawn("BB"), at=month, correction=True, reason="surveyed wrongly")
    assert codes(connection, at(connection, month)) == {"B"}
    assert codes(connection, at(connection, month - timedelta(seconds=1))) == {"A", "B"}
    assert codes(connection, at(connection, month, first.published_at)) == {"A", "B"}


def test_nothing_to_change_is_refused(connection: sa.Connection) -> None:
    published(connection, drawn("AB"))
    with pytest.raises(StateConflict, match="nothing changes"):
        published(connection, drawn("AB"), at=MERGED)


def test_two_grids_may_swap_codes_at_one_instant(connection: sa.Connection) -> None:
    published(connection, drawn("AB"))
    published(connection, drawn("BA", match="area"), at=MERGED)
    old, new = (read_boundaries(connection, at(connection, when)) for when in (SINCE, MERGED))
    assert new.by_code["A"].uid == old.by_code["B"].uid


def test_a_void_code_is_gone_and_names_its_successor(connection: sa.Connection) -> None:
    published(connection, drawn("AB"))
    published(connection, drawn("BB"), at=MERGED)
    assert find_grid(connection, at(connection, SINCE), "A")["code"] == "A"
    with pytest.raises(CodeVoided) as gone:
        find_grid(connection, at(connection, MERGED), "A")
    assert gone.value.details["successors"] == ["B"]
    assert voided_codes(connection) == {"A"}


def test_a_recoded_grid_is_found_by_its_new_code_and_the_old_one_leads_there(connection: sa.Connection) -> None:
    published(connection, drawn("AB"))
    published(connection, drawn("XB", match="area"), at=MERGED)
    with pytest.raises(CodeVoided) as gone:
        find_grid(connection, at(connection, MERGED), "A")
    assert gone.value.details["successors"] == ["X"]


def test_an_unknown_code_is_unknown(connection: sa.Connection) -> None:
    published(connection, drawn("AB"))
    with pytest.raises(GridUnknown):
        find_grid(connection, at(connection, SINCE), "Z")


def test_history_tells_every_fact_ever_known(connection: sa.Connection) -> None:
    published(connection, drawn("AB"))
    published(connection, drawn("BB", names={"B": "big"}), at=MERGED)
    history = grid_history(connection, "B")
    names = [fact for fact in history["facts"] if fact["fact"] == "name"]
    # Known first: B for ever. Known now: B until the merge, big from then on.
    assert [(fact["value"], fact["valid_until"], fact["recorded_until"] is None) for fact in names] == [
        ("B", MERGED, True),
        ("B", None, False),
        ("big", None, True),
    ]
    assert {line["kind"] for line in history["lineage"]} == {"create", "merge", "reshape", "rename"}
    assert grid_history(connection, "A")["facts"]  # a void code still has its history


def test_lists_narrow_by_layer_level_parent_box_and_text(connection: sa.Connection) -> None:
    published(
        connection,
        drawn("VVWW", level="community"),
        drawn("ABCD", names={"A": "河东"}),
        drawn(".M..", layer="dedicated"),
    )
    now = at(connection, SINCE)

    def found(**wanted: object) -> str:
        return "".join(row["code"] for row in list_grids(connection, now, GridFilter(**wanted)))  # type: ignore[arg-type]

    assert found() == "ABCDMVW"
    assert found(level="community") == "VW"
    assert found(layer="dedicated") == "M"
    assert found(parent="V") == "ABM"
    assert found(q="河") == "A"
    assert found(limit=2, after="B") == "CD"
    west, south = place(2.5, 0.2)
    assert found(bbox=(west, south, west, south), level="grid") == "C"


def test_a_publication_stands_in_the_audit(connection: sa.Connection) -> None:
    generation = published(connection, drawn("AB"))
    (line,) = audit.read(connection, f"generation/{generation.number}")
    assert (line["actor"], line["role"], line["detail"]["created"]) == ("tester", "planner", 2)


def test_generations_are_listed_newest_first(connection: sa.Connection) -> None:
    published(connection, drawn("AB"))
    published(connection, drawn("BB"), at=MERGED, reason="merged")
    assert [(one.number, one.reason) for one in list_generations(connection)] == [(2, "merged"), (1, None)]


def test_of_two_publishers_at_once_one_is_told_to_look_again(database: str) -> None:
    engine = create_engine(database)
    with engine.begin() as connection:
        published(connection, drawn("AB"))
    ready, results = threading.Barrier(2), []

    def race(name: str) -> None:
        with engine.connect() as connection:
            ready.wait()
            try:
                published(connection, drawn("AB", names={"A": name}), at=None)
                connection.commit()
                results.append("published")
            except StateConflict:
                results.append("conflict")

    threads = [threading.Thread(target=race, args=(name,)) for name in ("one", "two")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with engine.connect() as connection:
        newest = newest_generation(connection)
    engine.dispose()
    # Both may also have gone one after the other; never is a generation lost or half there.
    assert newest == 1 + results.count("published")
    assert "published" in results


def test_a_reader_of_an_open_transaction_sees_no_mixture(database: str) -> None:
    engine = create_engine(database)
    with engine.begin() as connection:
        published(connection, drawn("AB"))
    with engine.connect() as writer, engine.connect() as reader:
        published(writer, drawn("XXYY", match="code"), at=None)
        assert codes(reader, Moment(datetime.now(UTC) + timedelta(minutes=1), datetime.now(UTC))) == {"A", "B"}
        writer.commit()
        assert codes(reader, at(reader, clock(reader))) == {"X", "Y"}
    engine.dispose()
