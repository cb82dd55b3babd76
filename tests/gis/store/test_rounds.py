"""Spot checks and campaigns: what the store keeps, and the truths it keeps by itself, attacked by hand."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
import shapely
import sqlalchemy as sa

from gis.errors import CampaignTaken, CampaignUnknown, FieldMissing, SpotcheckUnknown
from gis.store import boundaries
from gis.store.campaigns import (
    NewCampaign,
    change_campaign,
    keep_campaign,
    list_campaigns,
    named_places,
    place_uids,
    places_about,
    read_campaign,
    visit_checkins,
)
from gis.store.ids import uuid7
from gis.store.members import NewMember, find_member, keep_member
from gis.store.spotchecks import (
    DrawnGrid,
    NewDraw,
    events_by_grid,
    keep_draw,
    last_checked,
    list_draws,
    note_outcome,
    read_draw,
)
from gis.store.visits import NewCheckin, NewPlace, keep_checkin, keep_places
from tests.gis.store.test_truths import refused
from tests.town import drawn, place, published, shapes

NOON = datetime(2026, 5, 3, 12, tzinfo=UTC)
DAY = timedelta(days=1)


@pytest.fixture
def town(connection: sa.Connection) -> sa.Connection:
    published(connection, drawn("AB\nCD"))
    return connection


def grid(connection: sa.Connection, code: str) -> str:
    return str(boundaries.find_grid(connection, boundaries.Moment(NOON, datetime.now(UTC)), code)["uid"])


def new_draw(connection: sa.Connection, codes: str = "AB", **more: Any) -> NewDraw:
    grids = tuple(
        DrawnGrid(grid(connection, code), code, rank, "s", 0.5, "因", "why") for rank, code in enumerate(codes, 1)
    )
    facts = {"at": NOON, "generation": 1, "layer": "general", "n": len(grids), "seed": 7, "strata": [{"stratum": "s", "grids": 4}],
             "parameters": {"method": "x"}, "frame": {"grid": ["u"], "stratum": ["s"], "weight": [1]}, "reason": "五月",
             "grids": grids}  # fmt: skip
    return NewDraw(**(facts | more))


# -- spot checks ------------------------------------------------------------------------------------------------------


def test_a_draw_is_read_as_it_was_stored(town: sa.Connection) -> None:
    uid = keep_draw(town, new_draw(town, "BA", n=9), "sam")
    held = read_draw(town, uid)
    assert (held["n"], held["drawn"], held["seed"], held["actor"], held["at"]) == (9, 2, 7, "sam", NOON)
    assert held["frame"] == {"grid": ["u"], "stratum": ["s"], "weight": [1]}
    assert (held["strata"], held["parameters"], held["checked"]) == ([{"stratum": "s", "grids": 4}], {"method": "x"}, 0)
    assert [(one["rank"], one["code"], one["outcome"]) for one in held["grids"]] == [(1, "B", None), (2, "A", None)]


def test_draws_are_listed_newest_first_in_pages(town: sa.Connection) -> None:
    uids = [keep_draw(town, new_draw(town), "sam") for _ in range(3)]
    assert sorted(uids) == uids
    assert [one["id"] for one in list_draws(town, 2)] == uids[:0:-1]
    assert [one["id"] for one in list_draws(town, before=uids[1])] == uids[:1]


def test_an_outcome_is_noted_corrected_and_counted(town: sa.Connection) -> None:
    uid = keep_draw(town, new_draw(town), "sam")
    before, after = note_outcome(town, uid, "A", "fault", "堆物", "sam")
    assert (before["outcome"], after["outcome"], after["note"], after["checked_by"]) == (None, "fault", "堆物", "sam")
    assert note_outcome(town, uid, "A", "fault", None, "eve") == (before | after, before | after)
    _, again = note_outcome(town, uid, "A", "fine", None, "eve")
    assert (again["outcome"], again["note"], again["checked_by"]) == ("fine", "堆物", "eve")
    note_outcome(town, uid, "B", "fault", "", "sam")
    assert {name: list_draws(town)[0][name] for name in ("drawn", "checked", "faults")} == {
        "drawn": 2,
        "checked": 2,
        "faults": 1,
    }


def test_words_need_an_outcome_and_a_grid_must_have_been_drawn(town: sa.Connection) -> None:
    uid = keep_draw(town, new_draw(town), "sam")
    with pytest.raises(FieldMissing):
        note_outcome(town, uid, "A", None, "words", "sam")
    with pytest.raises(SpotcheckUnknown):
        note_outcome(town, uid, "C", "fine", None, "sam")
    with pytest.raises(SpotcheckUnknown):
        read_draw(town, uuid7(NOON))


def test_a_grid_was_checked_when_its_outcome_was_noted_not_when_it_was_drawn(town: sa.Connection) -> None:
    uid = keep_draw(town, new_draw(town), "sam")
    _, after = note_outcome(town, uid, "A", "fine", None, "sam")
    assert last_checked(town, datetime.now(UTC) + DAY) == {grid(town, "A"): after["checked_at"]}
    assert last_checked(town, after["checked_at"] - timedelta(microseconds=1)) == {}


COPY = (
    "INSERT INTO spotcheck (id, made_at, actor, at, generation, layer, n, drawn, seed, strata, parameters, frame, reason) "
    "SELECT gen_random_uuid(), made_at, actor, at, {} FROM spotcheck"
)
GRID = (
    "INSERT INTO spotcheck_grid (spotcheck, grid, code, rank, stratum, probability, reason_zh, reason_en, outcome, checked_at) "
    "SELECT spotcheck, {} FROM spotcheck_grid WHERE rank = 1"
)
REST = "strata, parameters, frame, reason"
TOLD = "stratum, probability, reason_zh, reason_en, NULL, NULL"


@pytest.mark.parametrize(
    ("statement", "constraint"),
    [(COPY.format(f"generation, layer, 0, drawn, seed, {REST}"), "spotcheck_"),
     (COPY.format(f"generation, layer, n, 0, seed, {REST}"), "spotcheck_check"),
     (COPY.format(f"generation, layer, n, n + 1, seed, {REST}"), "spotcheck_check"),
     (COPY.format(f"generation, layer, n, drawn, -1, {REST}"), "spotcheck_seed_check"),
     (COPY.format(f"generation, layer, n, drawn, 9007199254740992, {REST}"), "spotcheck_seed_check"),
     (COPY.format(f"99, layer, n, drawn, seed, {REST}"), "spotcheck_generation_fkey"),
     (COPY.format(f"generation, 'none', n, drawn, seed, {REST}"), "spotcheck_layer_fkey"),
     (COPY.format("generation, layer, n, drawn, seed, '{}', parameters, frame, reason"), "spotcheck_strata_check"),
     (COPY.format("generation, layer, n, drawn, seed, strata, '[]', frame, reason"), "spotcheck_parameters_check"),
     (COPY.format("generation, layer, n, drawn, seed, strata, parameters, '1', reason"), "spotcheck_frame_check"),
     (COPY.format("generation, layer, n, drawn, seed, strata, parameters, frame, repeat('x', 2001)"), "spotcheck_reason_check"),
     (COPY.format(f"generation, layer, n, drawn, seed, {REST}"), "spotcheck_counts"),  # no grids
     ("UPDATE spotcheck SET seed = 8", "append-only"), ("DELETE FROM spotcheck", "append-only"),
     (GRID.format(f"'{UUID(int=1)}', 'Z', 2, {TOLD}"), "spotcheck_grid_rank"),
     (GRID.format(f"'{UUID(int=1)}', 'Z', 3, {TOLD}"), "spotcheck_line"),  # two were drawn
     (GRID.format(f"grid, 'Z', 2, {TOLD}"), "spotcheck_grid_"),
     ("UPDATE spotcheck_grid SET outcome = 'maybe', checked_by = 'x', checked_at = now() + interval '1 day'",
      "spotcheck_grid_outcome_check"),
     ("UPDATE spotcheck_grid SET outcome = 'fine'", "spotcheck_grid_outcome_is_somebodys"),
     ("UPDATE spotcheck_grid SET outcome = 'fine', checked_at = now() + interval '1 day'", "spotcheck_grid_outcome_is_somebodys"),
     ("UPDATE spotcheck_grid SET note = 'words'", "spotcheck_grid_note_has_an_outcome"),
     ("UPDATE spotcheck_grid SET outcome = 'fine', checked_by = 'x', checked_at = '2020-01-01'", "spotcheck_stays"),
     ("UPDATE spotcheck_grid SET outcome = 'fine', checked_by = '', checked_at = now() + interval '1 day'",
      "spotcheck_grid_checked_by_check"),
     ("UPDATE spotcheck_grid SET probability = 0.6", "spotcheck_stays"),
     ("UPDATE spotcheck_grid SET code = code || '1'", "spotcheck_stays"),
     ("UPDATE spotcheck_grid SET grid = gen_random_uuid()", "spotcheck_stays"), ("DELETE FROM spotcheck_grid", "spotcheck_stays")],
)  # fmt: skip
def test_the_store_refuses_spot_checks_that_are_none(town: sa.Connection, statement: str, constraint: str) -> None:
    keep_draw(town, new_draw(town), "sam")
    assert constraint in refused(town, statement)


@pytest.mark.parametrize(
    ("change", "constraint"),
    [({"probability": 0.0}, "spotcheck_grid_probability_check"), ({"probability": 1.1}, "spotcheck_grid_probability_check"),
     ({"rank": 0}, "spotcheck_grid_rank_check"), ({"grid": str(UUID(int=1))}, "spotcheck_grid_grid_fkey"),
     ({"code": ""}, "spotcheck_grid_code_check"),
     ({"stratum": ""}, "spotcheck_grid_stratum_check"), ({"reason_zh": ""}, "spotcheck_grid_reason_zh_check"),
     ({"reason_en": ""}, "spotcheck_grid_reason_en_check")],
)  # fmt: skip
def test_the_store_refuses_grids_that_cannot_be_drawn(
    town: sa.Connection, change: dict[str, Any], constraint: str
) -> None:
    one = new_draw(town, "A")
    wrong = DrawnGrid(**(vars(one.grids[0]) | change))
    with pytest.raises(sa.exc.IntegrityError) as caught, town.begin_nested():
        keep_draw(town, new_draw(town, "A", grids=(wrong,)), "sam")
    assert caught.value.orig.diag.constraint_name == constraint  # type: ignore[union-attr]


def test_a_noted_outcome_is_not_taken_back_to_nothing(town: sa.Connection) -> None:
    uid = keep_draw(town, new_draw(town), "sam")
    note_outcome(town, uid, "A", "fine", None, "sam")
    back = "UPDATE spotcheck_grid SET outcome = NULL, checked_at = NULL, checked_by = NULL WHERE code = 'A'"
    assert refused(town, back) == "spotcheck_stays"


def event(
    connection: sa.Connection, code: str, occurred: datetime, status: str = "open", closed: datetime | None = None
) -> UUID:
    connection.execute(sa.text("SELECT ensure_month(:at)"), {"at": occurred})
    uid = uuid7(occurred)
    connection.execute(
        sa.text("""
        INSERT INTO event (id, received_at, reported_at, occurred_at, channel, raw, crs, converter, geom, status, closed_at, grid, method,
                           generation, actor)
        VALUES (:id, :at, :at, :at, 'x', '{}', 'wgs84', '', ST_SetSRID(ST_MakePoint(121.2, 32.05), 4326), :status, :closed,
                CAST(:grid AS uuid), 'inside', 1, 'test')
    """),
        {"id": uid, "at": occurred, "status": status, "closed": closed, "grid": grid(connection, code)},
    )
    return uid


def test_events_count_as_they_were_at_the_instant(town: sa.Connection) -> None:
    """A: two open of which one is old, one closed later, one closed before; B: an old one closed long ago, and one that came later."""
    event(town, "A", NOON - 400 * DAY)
    event(town, "A", NOON - DAY)
    event(town, "A", NOON - 60 * DAY, "closed", NOON + DAY)
    event(town, "A", NOON - 3 * DAY, "closed", NOON - 2 * DAY)
    event(town, "B", NOON - 60 * DAY, "closed", NOON - 2 * DAY)
    event(town, "B", NOON + DAY)
    assert events_by_grid(town, NOON, NOON - 30 * DAY) == {grid(town, "A"): (3, 1)}
    assert events_by_grid(town, NOON + DAY, NOON - 30 * DAY) == {grid(town, "A"): (2, 1), grid(town, "B"): (1, 0)}


def test_linked_duplicates_count_once(town: sa.Connection) -> None:
    first, second = event(town, "A", NOON - DAY), event(town, "A", NOON)
    town.execute(sa.text("INSERT INTO event_duplicate VALUES (:second, :first)"), {"first": first, "second": second})
    assert events_by_grid(town, NOON, NOON - 30 * DAY) == {grid(town, "A"): (1, 0)}


# -- campaigns --------------------------------------------------------------------------------------------------------


def a_place(
    code: str, kind: str = "餐饮", since: datetime = NOON - 30 * DAY, until: datetime | None = None
) -> NewPlace:
    lon, lat = place(0.5, 0.5)
    return NewPlace(code, kind, code, lon, lat, "wgs84", "", since=since, until=until)


@pytest.fixture
def listed(town: sa.Connection) -> sa.Connection:
    """P and Q are restaurants, R is let; Q leaves the list on day 2."""
    keep_places(town, [a_place("P"), a_place("Q", until=NOON + 2 * DAY), a_place("R", "出租屋")])
    return town


def about(connection: sa.Connection, *codes: str, code: str = "gas", **more: Any) -> NewCampaign:
    uids = place_uids(connection, codes)
    facts = {"title": "燃气", "kind": "燃气", "begin": NOON, "end": NOON + 10 * DAY}
    return NewCampaign(code, **(facts | ({"places": tuple(uids[one] for one in codes)} if codes else {}) | more))


def codes(
    connection: sa.Connection, begin: datetime = NOON, end: datetime = NOON + DAY, code: str = "gas"
) -> list[str]:
    return [one["code"] for one in places_about(connection, read_campaign(connection, code), begin, end)]


def test_a_campaign_is_about_named_places_while_they_are_on_the_list(listed: sa.Connection) -> None:
    keep_campaign(listed, about(listed, "Q", "R"), "dan")
    held = read_campaign(listed, "gas")
    assert (held["about"], held["named"], held["begin"], held["end"], held["closed_at"]) == (
        "places",
        2,
        NOON,
        NOON + 10 * DAY,
        None,
    )
    assert codes(listed) == ["Q", "R"]
    assert codes(listed, NOON + 3 * DAY, NOON + 4 * DAY) == ["R"]


def test_a_campaign_about_kinds_has_places_as_they_come_and_go(listed: sa.Connection) -> None:
    keep_campaign(listed, about(listed, place_kinds=("餐饮", "学校")), "dan")
    assert codes(listed) == ["P", "Q"]
    keep_places(listed, [a_place("S", "学校", since=NOON + 5 * DAY)])
    assert codes(listed, NOON + 4 * DAY, NOON + 6 * DAY) == ["P", "S"]


def test_a_campaign_about_an_area_has_no_places(listed: sa.Connection) -> None:
    area = shapely.multipolygons([shapes("AB")["A"]])
    keep_campaign(listed, about(listed, area=area), "dan")
    held = read_campaign(listed, "gas")
    assert (held["about"], held["place_kinds"]) == ("area", None)
    assert shapely.equals_exact(held["area"], area)
    assert codes(listed) == []


def test_a_code_is_one_campaigns(listed: sa.Connection) -> None:
    first = keep_campaign(listed, about(listed, "P"), "dan")
    with pytest.raises(CampaignTaken) as caught:
        keep_campaign(listed, about(listed, "Q"), "dan")
    assert caught.value.details["standing"] == str(first)
    with pytest.raises(CampaignUnknown):
        read_campaign(listed, "none")


def test_campaigns_are_listed_newest_first_by_kind_and_while_they_go_on(listed: sa.Connection) -> None:
    for code, begin in (("a", NOON), ("b", NOON + DAY), ("c", NOON + 20 * DAY)):
        keep_campaign(
            listed,
            about(listed, "P", code=code, kind="防汛" if code == "a" else "燃气", begin=begin, end=begin + 2 * DAY),
            "dan",
        )
    found = list_campaigns(listed)
    assert [one["code"] for one in found] == ["c", "b", "a"]
    assert [one["code"] for one in list_campaigns(listed, 1, before=found[0]["id"])] == ["b"]
    assert [one["code"] for one in list_campaigns(listed, kind="防汛")] == ["a"]
    assert [one["code"] for one in list_campaigns(listed, at=NOON + DAY)] == ["b", "a"]
    assert [one["code"] for one in list_campaigns(listed, at=NOON + 2 * DAY)] == ["b"]


def test_a_campaign_is_changed_and_closed(listed: sa.Connection) -> None:
    keep_campaign(listed, about(listed, "P"), "dan")
    held, uids = read_campaign(listed, "gas", lock=True), place_uids(listed, ["P", "Q", "none"])
    closed = datetime.now(UTC) + DAY
    change_campaign(
        listed, held | {"title": "新", "end": NOON + 5 * DAY, "closed_at": closed}, [uids["Q"]], [uids["P"]]
    )
    after = read_campaign(listed, "gas")
    assert (after["title"], after["end"], after["closed_at"]) == ("新", NOON + 5 * DAY, closed)
    assert named_places(listed, held["id"]) == {uids["Q"]}
    assert set(uids) == {"P", "Q"}


INSERT = (
    "INSERT INTO campaign (id, code, title, kind, during, about, area, place_kinds, made_at, actor) "
    "SELECT gen_random_uuid(), 'new', title, kind, during, {}, made_at, actor FROM campaign"
)
SQUARE = "ST_Multi(ST_GeomFromText('POLYGON((0 0,0 1,1 1,0 0))', 4326))"
BOWTIE = "ST_Multi(ST_GeomFromText('POLYGON((0 0,1 1,1 0,0 1,0 0))', 4326))"


@pytest.mark.parametrize(
    ("statement", "constraint"),
    [(INSERT.format("'all', NULL, NULL"), "campaign_about_check"), (INSERT.format("'places', NULL, NULL"), "campaign_places"),
     (INSERT.format("'area', NULL, NULL"), "campaign_is_of_one_thing"), (INSERT.format("'kinds', NULL, NULL"), "campaign_is_of_one_thing"),
     (INSERT.format(f"'area', {SQUARE}, ARRAY['x']"), "campaign_is_of_one_thing"),
     (INSERT.format(f"'kinds', {SQUARE}, ARRAY['x']"), "campaign_is_of_one_thing"),
     (INSERT.format(f"'area', {BOWTIE}, NULL"), "campaign_area_check"),
     (INSERT.format("'area', ST_GeomFromText('MULTIPOLYGON EMPTY', 4326), NULL"), "campaign_area_check"),
     (INSERT.format("'kinds', NULL, ARRAY[]::text[]"), "campaign_place_kinds_check"),
     (INSERT.format("'kinds', NULL, ARRAY['x', NULL]"), "campaign_place_kinds_check"),
     (INSERT.format("'kinds', NULL, ARRAY['']"), "campaign_place_kinds_check"),
     (INSERT.format("'kinds', NULL, ARRAY['x']").replace("'new'", "code"), "campaign_code"),
     (INSERT.format("'kinds', NULL, ARRAY['x']").replace("'new'", "' x'"), "campaign_code_check"),
     ("UPDATE campaign SET during = 'empty'", "campaign_during_check"),
     ("UPDATE campaign SET during = tstzrange(lower(during), NULL)", "campaign_during_check1"),
     ("UPDATE campaign SET during = tstzrange(lower(during) - interval '1 day', upper(during))", "campaign_stays"),
     ("UPDATE campaign SET title = ' '", "campaign_title_check"),
     ("UPDATE campaign SET closed_at = made_at - interval '1 second'", "campaign_check"),
     ("UPDATE campaign SET note = repeat('x', 2001)", "campaign_note_check"),
     ("UPDATE campaign SET code = 'other'", "campaign_stays"), ("UPDATE campaign SET kind = 'other'", "campaign_stays"),
     ("UPDATE campaign SET actor = 'eve'", "campaign_stays"),
     ("UPDATE campaign SET about = 'kinds', place_kinds = ARRAY['x']", "campaign_stays"),
     ("DELETE FROM campaign", "campaign_stays"), ("DELETE FROM campaign_place", "campaign_places"),
     ("INSERT INTO campaign_place SELECT campaign, gen_random_uuid() FROM campaign_place", "campaign_place_place_fkey"),
     ("INSERT INTO campaign_place SELECT * FROM campaign_place", "campaign_place_pkey"),
     ("INSERT INTO campaign_place SELECT gen_random_uuid(), place FROM campaign_place", "campaign_place_campaign_fkey"),
     ("DELETE FROM place WHERE code = 'P'", "campaign_place_place_fkey")],
)  # fmt: skip
def test_the_store_refuses_campaigns_that_are_none(listed: sa.Connection, statement: str, constraint: str) -> None:
    keep_campaign(listed, about(listed, "P"), "dan")
    assert constraint in refused(listed, statement)


def test_no_place_is_named_in_a_campaign_about_kinds(listed: sa.Connection) -> None:
    keep_campaign(listed, about(listed, place_kinds=("餐饮",)), "dan")
    assert (
        refused(listed, "INSERT INTO campaign_place SELECT c.id, p.uid FROM campaign c, place p") == "campaign_places"
    )


def test_two_at_once_do_not_leave_a_campaign_without_a_place(engine: sa.Engine) -> None:
    """Each removes the place that the other keeps: the second one is refused, not the truth broken."""
    with engine.begin() as connection:
        published(connection, drawn("AB"))
        keep_places(connection, [a_place("P"), a_place("Q")])
        keep_campaign(connection, about(connection, "P", "Q"), "dan")
    remove = sa.text("DELETE FROM campaign_place USING place p WHERE p.uid = place AND p.code = :code")
    with engine.connect() as one, engine.connect() as other:
        one.execute(remove, {"code": "P"})
        other.execute(remove, {"code": "Q"})
        one.commit()
        with pytest.raises(sa.exc.IntegrityError, match="campaign"):
            other.commit()


def test_check_ins_of_the_kind_visit_are_told(listed: sa.Connection) -> None:
    keep_member(listed, NewMember("m", "张三"))
    member = find_member(listed, "m")
    lon, lat = place(0.5, 0.5)
    for hours, kind in ((0, "visit"), (1, "in"), (24, "visit")):
        keep_checkin(
            listed,
            NewCheckin(
                member["uid"],
                NOON + timedelta(hours=hours),
                kind,
                lon,
                lat,
                "wgs84",
                "",
                lon,
                lat,
                5.0,
                "",
                None,
                None,
                None,
                None,
                1,
            ),
        )
    (found,) = visit_checkins(listed, NOON, NOON + DAY)
    assert (found["member"], found["at"], found["lon"], found["lat"]) == (member["number"], NOON, lon, lat)
