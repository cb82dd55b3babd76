"""Addresses asked of a drawn town.

Metres east and north of the origin; 人民路 runs east through it, 铁匠巷 north, they cross at (0, 0):

            铁匠巷
              |  130号 (0, 300)
    人民路 ---+--------------- 20号 (200, 10)   40号 (400, 10)
           长岸村 round (2000, 0), its 44组 at (2000, 500)
"""

from __future__ import annotations

import math

import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st

from gis.addressanswer import AddressAnswer, AddressCandidate
from gis.crs import metres_per_degree
from gis.gazetteer import Entry, Gazetteer

LON, LAT = 121.0, 32.0
EAST, NORTH = (float(scale) for scale in metres_per_degree(LAT))
ADMIN = ("南通市", "通州区", "二甲镇")


def at(x: float, y: float) -> tuple[float, float]:
    return LON + x / EAST, LAT + y / NORTH


def point(x: float, y: float) -> shapely.Point:
    return shapely.Point(*at(x, y))


def line(*places: tuple[float, float]) -> shapely.LineString:
    return shapely.LineString([at(*place) for place in places])


def metres(one: AddressCandidate, x: float, y: float) -> float:
    lon, lat = at(x, y)
    return math.hypot((one.lon - lon) * EAST, (one.lat - lat) * NORTH)


TOWN = [
    Entry("人民路", "street", line((-500, 0), (600, 0)), ADMIN),
    Entry("铁匠巷", "street", line((0, -500), (0, 500)), ADMIN),
    Entry("人民路20号", "building", point(200, 10), ADMIN),
    Entry("人民路40号", "building", point(400, 10), ADMIN),
    Entry("铁匠巷130号", "building", point(0, 300), ADMIN),
    Entry("长岸村村民委员会", "village", point(2000, 0), ADMIN),
    Entry("四十四组", "group", point(2000, 500), (*ADMIN, "长岸村")),
    Entry("长岸村四十四组7号", "building", point(2030, 520), ADMIN),
    Entry("农贸市场", "poi", point(100, 100), ADMIN, aliases=("老菜场",), address="人民路10号"),
    Entry("东风村委会", "village", point(5000, 0), ("南通市", "通州区", "东社镇"), external_id="a"),
    Entry("东风村委会", "village", point(-5000, 0), ("南通市", "通州区", "石港镇"), external_id="b"),
]


@pytest.fixture(scope="module")
def gazetteer() -> Gazetteer:
    return Gazetteer(TOWN, 3)


def test_a_recorded_number_is_where_it_was_recorded(gazetteer: Gazetteer) -> None:
    for written in (
        "铁匠巷130号",
        "铁匠巷一百三十号",
        "江苏省南通市通州区二甲镇铁匠巷１３０号",
        "二甲镇铁匠巷130号3楼",
    ):
        answer = gazetteer.find(written)
        assert answer.sure
        assert metres(answer.candidates[0], 0, 300) < 1
        assert answer.candidates[0].how == "number"


def test_a_number_between_two_recorded_ones_stands_between_them(gazetteer: Gazetteer) -> None:
    answer = gazetteer.find("人民路30号")
    assert answer.sure
    assert answer.candidates[0].how == "between"
    assert metres(answer.candidates[0], 300, 10) < 1
    assert answer.candidates[0].radius_m == pytest.approx(0.25 * 200 + 0.1 * 200, abs=1)


def test_a_shop_lends_its_street_number(gazetteer: Gazetteer) -> None:
    assert metres(gazetteer.find("人民路10号").candidates[0], 100, 100) < 1


def test_a_number_far_beyond_all_recorded_ones_is_not_sure(gazetteer: Gazetteer) -> None:
    answer = gazetteer.find("人民路900号")
    assert answer.reason == "address-vague"
    assert answer.candidates[0].name == "人民路"


def test_streets_cross_where_their_lines_do(gazetteer: Gazetteer) -> None:
    for written in ("人民路与铁匠巷交叉口", "铁匠巷×人民路", "铁匠巷人民路路口"):
        answer = gazetteer.find(written)
        assert answer.sure
        assert metres(answer.candidates[0], 0, 0) < 0.1
        assert (answer.candidates[0].kind, answer.candidates[0].how) == ("crossing", "crossing")


def test_an_offset_moves_the_place_and_widens_the_doubt(gazetteer: Gazetteer) -> None:
    here = gazetteer.find("人民路与铁匠巷交叉口").candidates[0]
    moved = gazetteer.find("人民路与铁匠巷交叉口东50米").candidates[0]
    assert metres(moved, 50, 0) < 0.1
    assert moved.radius_m > here.radius_m
    near = gazetteer.find("农贸市场附近").candidates[0]
    assert metres(near, 100, 100) < 1
    assert near.radius_m > 120


def test_a_group_of_a_village_is_found_however_its_number_is_written(gazetteer: Gazetteer) -> None:
    for written in ("长岸村四十四组道路", "二甲镇长岸村第44村民小组", "长岸44组", "长岸村44组"):
        answer = gazetteer.find(written)
        assert answer.candidates[0].kind == "group"
        assert metres(answer.candidates[0], 2015, 510) < 30


def test_a_house_of_a_group_is_found_by_its_number(gazetteer: Gazetteer) -> None:
    answer = gazetteer.find("长岸村44组7号")
    assert answer.sure
    assert metres(answer.candidates[0], 2030, 520) < 1


def test_an_unknown_group_leads_to_its_village_which_is_vague(gazetteer: Gazetteer) -> None:
    answer = gazetteer.find("长岸村九组")
    assert answer.reason == "address-vague"
    assert answer.candidates[0].name == "长岸村村民委员会"


def test_a_village_is_found_without_its_official_ending(gazetteer: Gazetteer) -> None:
    for written in ("长岸村", "长岸村委会", "二甲镇长岸村", "长岸"):
        assert gazetteer.find(written).candidates[0].name == "长岸村村民委员会"


def test_an_alias_is_a_name(gazetteer: Gazetteer) -> None:
    assert gazetteer.find("老菜场").candidates[0].name == "农贸市场"


def test_a_bare_name_that_two_villages_bear_is_never_one(gazetteer: Gazetteer) -> None:
    answer = gazetteer.find("东风村")
    assert answer.reason == "address-ambiguous"
    assert {one.external_id for one in answer.rivals()} == {"a", "b"}


def test_a_town_in_front_or_around_the_asker_decides_between_them(gazetteer: Gazetteer) -> None:
    assert [one.external_id for one in gazetteer.find("石港镇东风村").rivals()] == ["b"]
    assert [one.external_id for one in gazetteer.find("东风村", admin=("东社镇",)).rivals()] == ["a"]


def test_a_street_of_another_city_is_not_ours(gazetteer: Gazetteer) -> None:
    answer = gazetteer.find("北京市朝阳区铁匠巷130号")
    assert not answer.sure
    assert answer.candidates == ()


def test_what_only_sounds_or_looks_alike_is_a_suggestion(gazetteer: Gazetteer) -> None:
    for written in ("铁将巷130号", "农茂市场"):
        answer = gazetteer.find(written)
        assert not answer.sure
        assert answer.candidates[0].how == "similar"
        assert answer.candidates[0].score <= 0.7


@pytest.mark.parametrize(
    ("said", "reason"),
    [("", "address-empty"), ("🙂" * 3000, "address-empty"), ("12345", "address-unknown"),
     ("'; DROP TABLE gazetteer_entry; --", "address-unknown"), ("路" * 10_000, "address-unknown")],
)  # fmt: skip
def test_what_is_no_address_has_no_candidate(gazetteer: Gazetteer, said: str, reason: str) -> None:
    answer = gazetteer.find(said)
    assert (answer.candidates, answer.reason) == ((), reason)


def test_an_empty_gazetteer_knows_nothing() -> None:
    assert Gazetteer(()).find("铁匠巷130号").reason == "address-unknown"


def test_permuted_places_of_one_number_are_not_sure() -> None:
    there = [Entry(f"店{i}", "poi", point(3000 * i, 0), address="人民路20号") for i in range(4)]
    assert Gazetteer(there).find("人民路20号").reason == "address-ambiguous"


def test_a_single_outlier_does_not_outvote_many() -> None:
    places = [(0, 0), (10, 0), (0, 10), (5, 5), (9000, 0)]
    there = [Entry(f"店{i}", "poi", point(*place), address="人民路20号") for i, place in enumerate(places)]
    answer = Gazetteer(there).find("人民路20号")
    assert answer.sure
    assert metres(answer.candidates[0], 5, 5) < 15


def test_a_street_with_its_district_in_front_belongs_to_the_street() -> None:
    there = [Entry(f"店{i}", "poi", point(10 * i, 0), ("嘉定区",), address=f"金沙路{10 + 2 * i}号") for i in range(5)]
    odd = Entry("新店", "poi", point(60, 0), ("嘉定区",), address="嘉定金沙路22号")
    answer = Gazetteer([*there, odd]).find("金沙路22号")
    assert answer.sure
    assert metres(answer.candidates[0], 60, 0) < 1


@given(st.text(alphabet="人民路铁匠巷长岸村四十号组与东50米附近和口1234", max_size=30))
def test_any_answer_can_be_kept_and_read_again(text: str) -> None:
    answer = Gazetteer(TOWN).find(text) if not text else HELD.find(text)
    kept = answer.as_json()
    again = AddressAnswer.of(kept)
    assert again.as_json() == kept
    assert [one.score for one in answer.candidates] == sorted((one.score for one in answer.candidates), reverse=True)
    assert answer.sure <= bool(answer.candidates)


HELD = Gazetteer(TOWN)
