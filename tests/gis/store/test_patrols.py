"""Members, duty, check-ins, visits: what the store keeps, and the truths it keeps by itself, attacked by hand."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pytest
import sqlalchemy as sa

from gis.errors import (
    CodeVoided,
    EventUnknown,
    GridUnknown,
    KeyReused,
    MemberUnknown,
    PlaceUnknown,
    ShiftOverlaps,
    ShiftUnknown,
    StateConflict,
)
from gis.store.boundaries import Moment
from gis.store.context import Context, LiveStreets, read_streets, replace_context
from gis.store.duty import Span, delete_span, keep_span, keep_spans, spans
from gis.store.ids import uuid7
from gis.store.members import NewMember, all_belongings, belongings, find_member, has_members, keep_member, list_members
from gis.store.visits import (
    NewCheckin,
    NewPlace,
    NewStreet,
    find_place,
    keep_checkin,
    keep_checkins,
    keep_places,
    keep_visit,
    read_places,
    read_street_pieces,
    read_visits,
    replace_streets,
)
from tests.gis.store.test_truths import refused
from tests.town import drawn, place, published, shapes

NOON = datetime(2026, 5, 3, 12, tzinfo=UTC)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)


@pytest.fixture
def town(connection: sa.Connection) -> sa.Connection:
    published(connection, drawn("AB"))
    keep_member(connection, NewMember("a", "张三", grids=("A",), since=NOON))
    return connection


def uid(connection: sa.Connection, code: str = "a") -> Any:
    return find_member(connection, code)["uid"]


def grids(connection: sa.Connection, at: datetime, code: str = "a") -> list[str]:
    return next(m["grids"] for m in list_members(connection, Moment(at, datetime.now(UTC))) if m["code"] == code)


# -- members ----------------------------------------------------------------------------------------------------------


def test_a_member_works_a_grid_from_an_instant_on(town: sa.Connection) -> None:
    assert grids(town, NOON - HOUR) == []
    assert grids(town, NOON) == ["A"]


def test_a_member_who_is_told_again_is_the_same_and_repeated(town: sa.Connection) -> None:
    before = uid(town)
    assert keep_member(town, NewMember("a", "张三", grids=("A",), since=NOON + HOUR)) == (before, "repeated")
    assert keep_member(town, NewMember("a", "张三丰", role="lead")) == (before, "changed")
    assert (find_member(town, "a")["name"], grids(town, NOON + DAY)) == ("张三丰", ["A"])


def test_a_member_who_moves_keeps_the_past(town: sa.Connection) -> None:
    keep_member(town, NewMember("a", "张三", grids=("B",), since=NOON + DAY))
    assert [grids(town, NOON + HOUR * h) for h in (0, 23, 24, 48)] == [["A"], ["A"], ["B"], ["B"]]
    held = belongings(town, uid(town), NOON, NOON + 2 * DAY)
    assert [(one.begin, one.end) for one in held] == [(NOON, NOON + DAY), (NOON + DAY, None)]


def test_a_member_may_work_two_grids_and_then_none(town: sa.Connection) -> None:
    keep_member(town, NewMember("a", "张三", grids=("B", "A"), since=NOON + DAY))
    keep_member(town, NewMember("a", "张三", grids=(), since=NOON + 2 * DAY))
    assert [grids(town, NOON + n * DAY) for n in range(3)] == [["A"], ["A", "B"], []]


def test_where_a_member_works_is_not_told_before_what_is_known_of_later(town: sa.Connection) -> None:
    with pytest.raises(StateConflict, match="2026-05-03"):
        keep_member(town, NewMember("a", "张三", grids=("B",), since=NOON - DAY))


def test_a_grid_that_is_not_there_is_named(town: sa.Connection) -> None:
    with pytest.raises(GridUnknown):
        keep_member(town, NewMember("b", "李四", grids=("Z",)))


def test_a_void_grid_names_its_successors(town: sa.Connection) -> None:
    published(town, drawn("CC"), at=NOON)
    with pytest.raises(CodeVoided) as caught:
        keep_member(town, NewMember("b", "李四", grids=("A",), since=NOON + HOUR))
    assert caught.value.details["successors"]


def test_members_are_listed_in_pages_and_narrowed(town: sa.Connection) -> None:
    for code in ("c", "b"):
        keep_member(town, NewMember(code, f"name {code}", active=code == "b"))
    now = Moment(NOON, datetime.now(UTC))
    assert [m["code"] for m in list_members(town, now, limit=2)] == ["a", "b"]
    assert [m["code"] for m in list_members(town, now, after="a")] == ["b", "c"]
    assert [m["code"] for m in list_members(town, now, active=False)] == ["c"]
    assert [m["code"] for m in list_members(town, now, grid="A")] == ["a"]
    assert [m["code"] for m in list_members(town, now, q="NAME B")] == ["b"]


def test_an_unknown_member_is_named(town: sa.Connection) -> None:
    with pytest.raises(MemberUnknown, match="nobody"):
        find_member(town, "nobody")


@pytest.mark.parametrize(
    ("statement", "constraint"),
    [("INSERT INTO member (uid, code, name, made_at, changed_at) SELECT gen_random_uuid(), code, name, made_at, changed_at FROM member",
      "member_code"),
     ("UPDATE member SET code = ' a'", "member_code_check"), ("UPDATE member SET code = ''", "member_code_check"),
     ("UPDATE member SET role = 'boss'", "member_role_check"), ("DELETE FROM member", "stays"),
     ("UPDATE member SET uid = gen_random_uuid()", "stays"),
     ("INSERT INTO membership (member, grid, valid) SELECT member, grid, valid FROM membership", "membership_once"),
     ("UPDATE membership SET valid = 'empty'", "membership_valid_check"),
     ("UPDATE membership SET grid = gen_random_uuid()", "membership_grid_fkey"),
     ("UPDATE membership SET member = gen_random_uuid()", "membership_member_fkey")],
)  # fmt: skip
def test_the_store_refuses_what_cannot_be_of_members(town: sa.Connection, statement: str, constraint: str) -> None:
    assert constraint in refused(town, statement)


# -- duty -------------------------------------------------------------------------------------------------------------


def test_a_shift_told_again_is_the_same(town: sa.Connection) -> None:
    first = keep_span(town, "shift", uid(town), Span(NOON, NOON + 4 * HOUR))
    assert first[1] == "stored"
    assert keep_span(town, "shift", uid(town), Span(NOON, NOON + 4 * HOUR)) == (first[0], "repeated")


def test_a_shift_that_overlaps_another_is_refused_and_the_other_named(town: sa.Connection) -> None:
    standing, _ = keep_span(town, "shift", uid(town), Span(NOON, NOON + 4 * HOUR))
    with pytest.raises(ShiftOverlaps) as caught:
        keep_span(town, "shift", uid(town), Span(NOON + 3 * HOUR, NOON + 6 * HOUR))
    assert caught.value.details["standing"] == str(standing)


def kept(connection: sa.Connection, keep: Any) -> Any:
    """What `keep` answers and leaves behind, or the error that it raises; undone afterwards."""
    savepoint = connection.begin_nested()
    try:
        became = [word for _, word in keep()]
        rows = connection.execute(
            sa.text("SELECT member, lower(during), upper(during), external_id FROM shift ORDER BY 1, 2")
        )
        return became, [tuple(row) for row in rows]
    except ShiftOverlaps as error:
        return str(error)
    finally:
        savepoint.rollback()


def test_many_spans_are_kept_as_one_after_the_other_would_be(town: sa.Connection) -> None:
    """60 rosters by lot over 30 hours: repeated, overlapping and corrected shifts among them, some meeting one that stands."""
    keep_member(town, NewMember("b", "李四"))
    members = [uid(town, "a"), uid(town, "b")]
    keep_span(town, "shift", members[0], Span(NOON, NOON + 2 * HOUR, "r0"))
    rng = np.random.default_rng(7)
    found = []
    for size in rng.integers(1, 7, 60).tolist():
        told = []
        for begin, hours, who, name in rng.integers([0, 1, 0, 0], [30, 4, 2, 9], (size, 4)).tolist():
            span = Span(NOON + begin * HOUR, NOON + (begin + hours) * HOUR, f"r{name}" if name < 5 else None)
            told.append((members[who], span))
        told += told[:1] * (size % 3 == 0)
        one_by_one = kept(town, lambda told=told: [keep_span(town, "shift", *one) for one in told])
        assert kept(town, lambda told=told: keep_spans(town, "shift", told)) == one_by_one
        found.append(type(one_by_one))
    assert {str, tuple} == set(found)  # some rosters were refused, some not


def test_no_spans_are_kept_where_none_are_told(town: sa.Connection) -> None:
    assert keep_spans(town, "leave", []) == []


def test_shifts_that_touch_do_not_overlap_nor_do_those_of_two_members(town: sa.Connection) -> None:
    keep_member(town, NewMember("b", "李四"))
    for member, begin in (("a", NOON), ("a", NOON + 4 * HOUR), ("b", NOON + HOUR)):
        assert keep_span(town, "shift", uid(town, member), Span(begin, begin + 4 * HOUR))[1] == "stored"


def test_a_roster_s_id_corrects_a_shift(town: sa.Connection) -> None:
    first, _ = keep_span(town, "shift", uid(town), Span(NOON, NOON + 4 * HOUR, "r1"))
    assert keep_span(town, "shift", uid(town), Span(NOON + HOUR, NOON + 5 * HOUR, "r1")) == (first, "changed")
    assert keep_span(town, "shift", uid(town), Span(NOON + HOUR, NOON + 5 * HOUR, "r1")) == (first, "repeated")
    (held,) = spans(town, "shift", uid(town), NOON, NOON + DAY)
    assert (held["begin"], held["end"]) == (NOON + HOUR, NOON + 5 * HOUR)


def test_leave_may_lie_in_a_shift_and_beside_it_and_goes_when_deleted(town: sa.Connection) -> None:
    keep_span(town, "shift", uid(town), Span(NOON, NOON + 4 * HOUR))
    inside, _ = keep_span(town, "leave", uid(town), Span(NOON + HOUR, NOON + 2 * HOUR, kind="病假"))
    keep_span(town, "leave", uid(town), Span(NOON + 20 * HOUR, NOON + 30 * HOUR))
    with pytest.raises(ShiftOverlaps, match="leave"):
        keep_span(town, "leave", uid(town), Span(NOON, NOON + 2 * HOUR))
    delete_span(town, "leave", inside)
    assert len(spans(town, "leave", uid(town), NOON, NOON + 2 * DAY)) == 1
    with pytest.raises(ShiftUnknown):
        delete_span(town, "leave", inside)


@pytest.mark.parametrize("table", ["shift", "leave"])
@pytest.mark.parametrize(
    ("change", "constraint"),
    [("SET during = 'empty'", "{}_during_check"), ("SET during = tstzrange(NULL, upper(during))", "{}_during_check1"),
     ("SET during = tstzrange(lower(during), NULL)", "{}_during_check1"), ("SET member = gen_random_uuid()", "{}_member_fkey")],
)  # fmt: skip
def test_the_store_refuses_spans_that_are_none(town: sa.Connection, table: Any, change: str, constraint: str) -> None:
    keep_span(town, table, uid(town), Span(NOON, NOON + HOUR))
    assert constraint.format(table) == refused(town, f"UPDATE {table} {change}")


@pytest.mark.parametrize("table", ["shift", "leave"])
def test_the_store_itself_keeps_spans_apart(town: sa.Connection, table: Any) -> None:
    keep_span(town, table, uid(town), Span(NOON, NOON + 2 * HOUR, "r1"))
    copy = f"INSERT INTO {table} (id, member, during, external_id) SELECT gen_random_uuid(), member, CAST(:d AS tstzrange), :e FROM {table}"
    assert refused(town, copy, d="[2026-05-03 13:00Z,2026-05-03 19:00Z)", e="r2") == f"{table}_once"
    assert refused(town, copy, d="[2027-01-01 08:00Z,2027-01-01 09:00Z)", e="r1") == f"{table}_external_id"


def test_no_shift_lasts_longer_than_two_days(town: sa.Connection) -> None:
    keep_span(town, "shift", uid(town), Span(NOON, NOON + 48 * HOUR))
    longer = "UPDATE shift SET during = tstzrange(lower(during), upper(during) + interval '1 second')"
    assert refused(town, longer) == "shift_is_no_longer_than_two_days"


# -- check-ins --------------------------------------------------------------------------------------------------------


def told(connection: sa.Connection, **change: Any) -> NewCheckin:
    lon, lat = place(0.5, 0.5)
    facts = {
        "member": uid(connection), "at": NOON, "kind": "in", "x": lon, "y": lat, "crs": "wgs84", "converter": "", "lon": lon, "lat": lat,
        "accuracy_m": 5.0, "note": "", "standing": None, "distance_m": None, "grid": None, "found": None, "generation": 1,
    }  # fmt: skip
    return NewCheckin(**(facts | change))


def test_many_check_ins_are_kept_as_one_after_the_other_would_be(town: sa.Connection) -> None:
    first = keep_checkin(town, told(town))
    found = keep_checkins(town, [told(town), told(town, kind="out"), told(town, kind="visit"), told(town, kind="out")])
    assert [word for _, word in found] == ["repeated", "stored", "stored", "repeated"]
    assert found[0][0] == first[0]
    assert found[3][0] == found[1][0]
    with pytest.raises(KeyReused):
        keep_checkins(town, [told(town, at=NOON + HOUR), told(town, x=121.0)])
    assert keep_checkins(town, []) == []


def test_where_members_work_at_any_time_is_told_for_many(town: sa.Connection) -> None:
    keep_member(town, NewMember("b", "李四", grids=("A", "B"), since=NOON))
    keep_member(town, NewMember("b", "李四", grids=("B",), since=NOON + DAY))
    members = [uid(town, "a"), uid(town, "b")]
    found = all_belongings(town, members)
    assert found == {one: list(belongings(town, one, NOON - DAY, NOON + 9 * DAY)) for one in members}
    assert len(found[members[1]]) == 2
    assert has_members(town)


def test_an_empty_store_has_no_members(connection: sa.Connection) -> None:
    assert not has_members(connection)


def test_a_check_in_told_again_is_the_same_and_another_is_refused(town: sa.Connection) -> None:
    first = keep_checkin(town, told(town))
    assert first[1] == "stored"
    assert keep_checkin(town, told(town)) == (first[0], "repeated")
    assert keep_checkin(town, told(town, kind="out"))[1] == "stored"
    with pytest.raises(KeyReused):
        keep_checkin(town, told(town, x=121.0))


@pytest.mark.parametrize(
    ("change", "constraint"),
    [("SET note = 'x'", "append-only"), ("", "append-only")],
)
def test_a_check_in_is_never_changed(town: sa.Connection, change: str, constraint: str) -> None:
    keep_checkin(town, told(town))
    assert constraint in refused(town, f"UPDATE checkin {change}" if change else "DELETE FROM checkin")


@pytest.mark.parametrize(
    ("change", "constraint"),
    [({"kind": "maybe"}, "checkin_kind_check"), ({"accuracy_m": 0.0}, "checkin_accuracy_m_check"),
     ({"standing": "inside"}, "checkin_standing_is_in_a_grid"), ({"member": uuid7(NOON)}, "checkin_member_fkey")],
)  # fmt: skip
def test_the_store_refuses_check_ins_that_are_none(
    town: sa.Connection, change: dict[str, Any], constraint: str
) -> None:
    with pytest.raises(sa.exc.IntegrityError) as caught, town.begin_nested():
        keep_checkin(town, told(town, **change))
    assert caught.value.orig.diag.constraint_name == constraint  # type: ignore[union-attr]


# -- places, visits, streets ------------------------------------------------------------------------------------------


def a_place(code: str = "P", **change: Any) -> NewPlace:
    lon, lat = place(0.5, 0.5)
    return NewPlace(**({"code": code, "kind": "出租屋", "name": "门店", "lon": lon, "lat": lat, "crs": "wgs84", "converter": "",
                        "since": NOON} | change))  # fmt: skip


def test_a_place_whose_code_is_known_is_changed_and_keeps_its_uid(town: sa.Connection) -> None:
    (first,) = keep_places(town, [a_place()])
    assert keep_places(town, [a_place(name="新名", revisit_days=7, since=None)]) == [first]
    (held,) = read_places(town, NOON, NOON + DAY)
    assert (held["name"], held["revisit_days"], held["since"], held["until"]) == ("新名", 7.0, NOON, None)


def test_a_place_is_on_the_list_while_it_is_valid(town: sa.Connection) -> None:
    keep_places(town, [a_place("P", until=NOON + DAY), a_place("Q")])
    assert [p["code"] for p in read_places(town, NOON + 2 * DAY, NOON + 3 * DAY)] == ["Q"]
    with pytest.raises(PlaceUnknown):
        find_place(town, "R")


def test_a_visit_counts_once_also_when_nothing_was_found(town: sa.Connection) -> None:
    (where,) = keep_places(town, [a_place()])
    first = keep_visit(town, where, uid(town), None, NOON, "nothing", "")
    assert keep_visit(town, where, uid(town), None, NOON, "nothing", "") == (first[0], "repeated")
    with pytest.raises(KeyReused):
        keep_visit(town, where, uid(town), None, NOON, "found", "")
    with pytest.raises(EventUnknown):
        keep_visit(town, where, None, uuid7(NOON), NOON, "found", "")
    (held,) = read_visits(town, NOON, NOON + HOUR)
    assert (held["place"], held["member"], held["outcome"]) == (str(where), find_member(town, "a")["number"], "nothing")


VISIT = "INSERT INTO visit (id, place, member, at, outcome, received_at) SELECT gen_random_uuid(), {}, '2026-05-03 12:00Z', 'found', now()"


@pytest.mark.parametrize(
    ("statement", "constraint"),
    [(VISIT.format("uid, NULL") + " FROM place", "visit_is_somebodys"),
     (VISIT.format("gen_random_uuid(), uid") + " FROM member", "visit_place_fkey"),
     (VISIT.format("p.uid, m.uid") + " FROM member m, place p", "visit_once"),
     ("UPDATE visit SET outcome = 'found'", "append-only"), ("DELETE FROM visit", "append-only"),
     ("UPDATE place SET revisit_days = 0", "place_revisit_days_check"), ("UPDATE place SET valid = 'empty'", "place_valid_check"),
     ("UPDATE place SET kind = ''", "place_kind_check"),
     ("INSERT INTO place SELECT gen_random_uuid(), code, kind, name, address, geom, crs, converter, revisit_days, valid FROM place",
      "place_code")],
)  # fmt: skip
def test_the_store_refuses_visits_and_places_that_are_none(
    town: sa.Connection, statement: str, constraint: str
) -> None:
    (where,) = keep_places(town, [a_place()])
    keep_visit(town, where, uid(town), None, NOON, "nothing", "")
    assert constraint in refused(town, statement)


def test_streets_of_a_source_are_replaced_and_others_stay(town: sa.Connection) -> None:
    line = shapes("AB")["A"].exterior
    replace_streets(town, "one", [NewStreet(line, 400.0, "人民路", "primary", "w1"), NewStreet(line, 400.0)])
    replace_streets(town, "two", [NewStreet(line, 400.0, "二")])
    replace_streets(town, "one", [NewStreet(line, 410.0, "解放路")])
    assert [(s["source"], s["name"], s["length_m"]) for s in read_street_pieces(town)] == [
        ("two", "二", 400.0), ("one", "解放路", 410.0),
    ]  # fmt: skip
    assert read_street_pieces(town)[0]["geometry"].geom_type == "MultiLineString"


def test_streets_that_were_loaded_go_before_those_that_are_drawn(town: sa.Connection) -> None:
    line = shapes("AB")["A"].exterior
    replace_context(town, [Context("street", line), Context("street", line)])
    assert len(read_streets(town)) == 2
    replace_streets(town, "one", [NewStreet(line, 400.0)])
    assert [shape.geom_type for shape in read_streets(town)] == ["MultiLineString"]


def test_the_streets_of_a_process_are_those_of_the_store_and_read_once(
    town: sa.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    reads: list[int] = []
    monkeypatch.setattr("gis.store.context.read_streets", lambda c: reads.append(1) or read_streets(c))
    live, line = LiveStreets(), shapes("AB")["A"].exterior
    assert live.streets(town) is None
    replace_context(town, [Context("street", line)])
    drawn = live.streets(town)
    assert live.streets(town) is drawn
    replace_streets(town, "one", [NewStreet(line, 400.0), NewStreet(line, 400.0)])
    both = live.streets(town)
    replace_streets(town, "one", [NewStreet(line, 400.0)])
    again = live.streets(town)
    replace_streets(town, "one", [])
    assert [len(one) for one in (drawn, both, again) if one is not None] == [1, 2, 1]
    assert live.streets(town) is not again
    assert len(reads) == 5
