"""Rules in versions, neighbours in the store, links that hold groups together."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
import sqlalchemy as sa

from gis.crs import metres_per_degree
from gis.duplicates import DEFAULT_RULE, Told
from gis.errors import EventUnknown, StateConflict
from gis.store.duplicates import (
    Place,
    add_rule,
    group,
    links_of,
    neighbours,
    read_rules,
    rule_for,
    say_linked,
    stands_for,
)
from gis.store.events import EventFilter, count_by_grid, list_events
from gis.store.ids import uuid7

NOW = datetime(2026, 11, 22, 4, tzinfo=UTC)
LON, LAT = 121.2, 32.05
EAST, NORTH = (float(scale) for scale in metres_per_degree(LAT))

STORE = sa.text("""
    INSERT INTO event (id, received_at, reported_at, occurred_at, channel, category, raw, crs, converter, geom, method, reason,
                       generation, actor)
    VALUES (:id, :at, :at, :occurred_at, 'hotline', '06010', '{}', 'wgs84', 'test', ST_SetSRID(ST_MakePoint(:lon, :lat), 4326),
            'none', 'no-boundaries', 0, 'test')
""")
RECEIPT = sa.text("""
    INSERT INTO assignment (id, event, received_at, made_at, cause, at, known_at, generation, kernel, converter, method, reason,
                            answer, grounds, actor)
    VALUES (:id, :id, :at, :at, 'received', :at, :at, 0, 'test', 'test', 'none', 'no-boundaries', '{"grid": null}', '{}', 'test')
""")


def stored(
    connection: sa.Connection, east_m: float = 0.0, hours: float = 0.0, received_hours: float | None = None
) -> UUID:
    """An event so many metres east of the spot, told so many hours before now."""
    at = NOW - timedelta(hours=hours if received_hours is None else received_hours)
    connection.execute(sa.text("SELECT ensure_month(:at)"), {"at": at})
    row = {
        "id": uuid7(at),
        "at": at,
        "occurred_at": NOW - timedelta(hours=hours),
        "lon": LON + east_m / EAST,
        "lat": LAT,
    }
    connection.execute(STORE, row)
    connection.execute(RECEIPT, row)
    return UUID(str(row["id"]))


def asked(event: int = 1, category: str | None = "06010") -> tuple[Told, Place]:
    return Told(UUID(int=event), NOW, category), Place(LON, LAT, NOW)


def test_neighbours_lie_within_the_radius_and_the_window(engine: sa.Engine) -> None:
    with engine.begin() as connection:
        near, edge = stored(connection, 10.0, 1.0), stored(connection, -49.9, 23.9)
        for metres, hours in ((50.5, 1.0), (10.0, 24.1), (36.0, -24.1)):
            stored(connection, metres, hours, received_hours=max(hours, 0.0))
        late = stored(connection, 20.0, 10.0, received_hours=0.0)  # told late, and long before that it happened
    rule, found = neighbours(engine, *asked())
    assert rule == DEFAULT_RULE
    assert [one.told.event for one in found] == [near, late, edge]
    assert [one.distance_m for one in found] == pytest.approx([10.0, 20.0, 49.9], abs=1e-6)
    assert found[0].told.category == "06010"


def test_the_corner_of_the_box_is_no_neighbour_and_an_event_is_not_its_own(engine: sa.Engine) -> None:
    with engine.begin() as connection:
        own = stored(connection)
        corner = stored(connection, 40.0)
        connection.execute(
            sa.text("UPDATE event SET geom = ST_SetSRID(ST_MakePoint(:lon, :lat), 4326) WHERE id = :id"),
            {"id": corner, "lon": LON + 40.0 / EAST, "lat": LAT + 40.0 / NORTH},
        )
    told, place = asked()
    assert neighbours(engine, Told(own, told.occurred_at), place)[1] == []


def test_neighbours_of_an_earlier_month_are_found(engine: sa.Engine) -> None:
    with engine.begin() as connection:
        told = stored(connection, 5.0, 24 * 22)
    place = Place(LON, LAT, NOW - timedelta(hours=24 * 22 - 1))
    found = neighbours(engine, Told(UUID(int=1), place.occurred_at, None), place)[1]
    assert [one.told.event for one in found] == [told]


def test_the_newest_and_narrowest_rule_holds(connection: sa.Connection) -> None:
    def held(category: str | None, scheme: str | None = None) -> tuple[float, float]:
        rule = rule_for(connection.connection.cursor(), category, scheme)
        return rule.radius_m, rule.minutes

    def ruled(category: str, scheme: str, radius_m: float | None) -> int:
        minutes = None if radius_m is None else 60.0
        return add_rule(connection, category, scheme, radius_m, minutes, actor="test", reason="measured")

    assert held("06010") == held(None) == (50.0, 1440.0)
    first = ruled("", "", 80.0)
    assert held("06010") == held(None) == (80.0, 60.0)
    ruled("06010", "", 20.0)
    assert (held("06010"), held("06010", "gb"), held("09012")) == ((20.0, 60.0), (20.0, 60.0), (80.0, 60.0))
    ruled("06010", "gb", 30.0)
    assert (held("06010"), held("06010", "gb")) == ((20.0, 60.0), (30.0, 60.0))
    assert ruled("06010", "", 25.0) > first
    assert held("06010") == (25.0, 60.0)
    ruled("06010", "", None)
    assert (held("06010"), held("06010", "gb")) == ((80.0, 60.0), (30.0, 60.0))
    assert [(rule["category"], rule["radius_m"]) for rule in read_rules(connection)] == [("", 80.0), ("06010", 30.0)]


def test_a_radius_of_zero_looks_for_nobody(engine: sa.Engine) -> None:
    with engine.begin() as connection:
        stored(connection)
        add_rule(connection, "06010", "", 0.0, 0.0, actor="test", reason="counted apart")
    assert neighbours(engine, *asked())[1] == []
    assert len(neighbours(engine, *asked(category=None))[1]) == 1


@pytest.mark.parametrize(
    "broken",
    [
        "INSERT INTO duplicate_rule (radius_m, actor) VALUES (5, 'x')",
        "INSERT INTO duplicate_rule (radius_m, minutes, actor) VALUES (-1, 5, 'x')",
        "INSERT INTO duplicate_rule (radius_m, minutes, actor) VALUES ('NaN', 5, 'x')",
        "INSERT INTO duplicate_rule (radius_m, minutes, scheme, actor) VALUES (5, 5, 'gb', 'x')",
        "UPDATE duplicate_rule SET radius_m = 9",
        "DELETE FROM event_link",
        "UPDATE event_link SET linked = false",
        (
            "INSERT INTO event_link (event, event_received_at, other, other_received_at, linked, actor, reason)"
            " SELECT event, event_received_at, event, event_received_at, true, 'x', 'x' FROM event_link LIMIT 1"
        ),
        (
            "INSERT INTO event_link (event, event_received_at, other, other_received_at, linked, actor, reason)"
            " SELECT gen_random_uuid(), event_received_at, other, other_received_at, true, 'x', 'x' FROM event_link LIMIT 1"
        ),
        (
            "INSERT INTO event_link (event, event_received_at, other, other_received_at, linked, actor, reason)"
            " SELECT event, event_received_at, other, other_received_at, true, 'x', '' FROM event_link LIMIT 1"
        ),
        "INSERT INTO event_duplicate SELECT event, event FROM event_link LIMIT 1",
    ],
)
def test_the_database_refuses_what_cannot_be(connection: sa.Connection, broken: str) -> None:
    add_rule(connection, "", "", 5.0, 5.0, actor="test", reason="x")
    say_linked(connection, stored(connection), stored(connection), linked=True, actor="test", reason="x")
    with pytest.raises(sa.exc.IntegrityError), connection.begin_nested():
        connection.execute(sa.text(broken))


def linked(connection: sa.Connection, one: UUID, other: UUID, yes: bool = True) -> None:
    say_linked(connection, one, other, linked=yes, actor="dan", reason="one lamp")


def three(connection: sa.Connection) -> tuple[UUID, UUID, UUID]:
    a, b, c = (stored(connection, hours=hours) for hours in (3.0, 2.0, 1.0))
    return a, b, c


def counted(connection: sa.Connection) -> int:
    return len(list_events(connection, EventFilter(collapse=True)))


def test_a_chain_is_one_group_and_the_earliest_stands_for_it(connection: sa.Connection) -> None:
    a, b, c = three(connection)
    linked(connection, c, b)
    assert (group(connection, b), group(connection, a)) == ([b, c], [])
    linked(connection, b, a)
    assert group(connection, a) == group(connection, b) == group(connection, c) == [a, b, c]
    assert stands_for(connection, [a, b, c]) == {a: 2}
    assert [row["id"] for row in list_events(connection, EventFilter(collapse=True))] == [a]
    assert count_by_grid(connection) == {None: 3}
    assert count_by_grid(connection, collapse=True) == {None: 1}
    assert [link.event for link in links_of(connection, b)] == [c, a]
    assert (links_of(connection, a)[0].reason, links_of(connection, a)[0].actor) == ("one lamp", "dan")


def test_a_cycle_holds_when_one_link_is_taken_back_and_falls_apart_with_the_others(connection: sa.Connection) -> None:
    a, b, c = three(connection)
    for pair in ((a, b), (b, c), (c, a)):
        linked(connection, *pair)
    linked(connection, a, c, yes=False)
    assert (group(connection, c), counted(connection)) == ([a, b, c], 1)
    linked(connection, b, a, yes=False)
    assert (group(connection, a), group(connection, b), counted(connection)) == ([], [b, c], 2)
    linked(connection, b, c, yes=False)
    assert (group(connection, c), links_of(connection, c), counted(connection)) == ([], [], 3)
    linked(connection, b, c)
    assert group(connection, c) == [b, c]


def test_what_is_so_already_is_refused(connection: sa.Connection) -> None:
    a, b, _ = three(connection)
    with pytest.raises(StateConflict):
        linked(connection, a, a)
    with pytest.raises(StateConflict):
        linked(connection, a, b, yes=False)
    linked(connection, a, b)
    with pytest.raises(StateConflict):
        linked(connection, b, a)
    with pytest.raises(EventUnknown):
        linked(connection, a, uuid7(NOW))


def test_a_look_that_takes_too_long_is_given_up(engine: sa.Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    from data.duplicates import likely_duplicates
    from gis.store import duplicates

    with engine.begin() as connection:
        stored(connection)
        row = list_events(connection, EventFilter())[0] | {"id": UUID(int=1)}
    assert likely_duplicates(engine, row) != []
    monkeypatch.setattr(duplicates, "LOOK_MS", 20)
    monkeypatch.setattr(duplicates, "NEIGHBOURS", "SELECT pg_sleep(5), %(lon)s::float8")
    assert likely_duplicates(engine, row) is None
    assert likely_duplicates(engine, row | {"lon": None}) == []
