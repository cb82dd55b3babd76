"""The stored gazetteer: by source, by version, and never behind in a process."""

from __future__ import annotations

import pytest
import shapely
import sqlalchemy as sa

from gis.gazetteer import Entry
from gis.store.gazetteer import LiveGazetteer, gazetteer_version, read_entries, replace_source

LANE = Entry(
    "铁匠巷",
    "street",
    shapely.LineString([(121.0, 32.0), (121.001, 32.0)]),
    ("南通市", "二甲镇"),
    ("打铁巷",),
    "",
    "w1",
    "道路",
)
HOUSE = Entry("铁匠巷130号", "building", shapely.Point(121.0, 32.0), source="门牌", radius_m=12.5)


def test_entries_come_back_as_they_were(connection: sa.Connection) -> None:
    replace_source(connection, "道路", [LANE], actor="tester")
    replace_source(connection, "门牌", [HOUSE], actor="tester")
    assert read_entries(connection) == [LANE, HOUSE]


def test_loading_a_source_again_replaces_its_entries_alone(connection: sa.Connection) -> None:
    assert gazetteer_version(connection) == 0
    replace_source(connection, "道路", [LANE], actor="tester")
    replace_source(connection, "门牌", [HOUSE, HOUSE], actor="tester")
    assert replace_source(connection, "门牌", [HOUSE], actor="tester") == 3
    assert read_entries(connection) == [LANE, HOUSE]
    assert gazetteer_version(connection) == 3


def test_emptying_a_source_is_a_new_version(connection: sa.Connection) -> None:
    replace_source(connection, "道路", [LANE], actor="tester")
    assert replace_source(connection, "道路", [], actor="tester") == 2
    assert read_entries(connection) == []


def test_a_process_sees_another_load_at_its_next_question(engine: sa.Engine) -> None:
    live = LiveGazetteer()
    with engine.connect() as reader:
        assert live.now(reader).find("铁匠巷130号").reason == "address-unknown"
        with engine.begin() as writer:
            replace_source(writer, "门牌", [HOUSE], actor="tester")
        reader.rollback()
        assert live.now(reader).find("铁匠巷130号").sure
        assert live.now(reader) is live.now(reader)


@pytest.mark.parametrize(
    "change",
    [
        "name = ''",
        "kind = 'shop'",
        "radius_m = 0",
        "geom = NULL",
        "geom = ST_GeomFromText('POINT EMPTY', 4326)",
        "source = 'x'",
    ],
)
def test_the_database_refuses_what_is_no_entry(connection: sa.Connection, change: str) -> None:
    replace_source(connection, "门牌", [HOUSE], actor="tester")
    with pytest.raises(sa.exc.IntegrityError), connection.begin_nested():
        connection.execute(sa.text(f"UPDATE gazetteer_entry SET {change}"))
