"""Numbers along a street, on a line of 10 m a number; and names that are nearly right."""

from __future__ import annotations

import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st

from gis.crs import metres_per_degree
from gis.similarnames import SimilarNames, sound_of
from gis.streetcrossing import crossing_places
from gis.streetnumbers import Numbered, StreetNumbers, clumps, metres_between
from gis.townnames import admin_forms, rank_of, spellings

LON, LAT = 121.0, 32.0
EAST, NORTH = (float(scale) for scale in metres_per_degree(LAT))


def numbered(number: int, x: float, sub: int | None = None) -> Numbered:
    return Numbered(number, LON + x / EAST, LAT, (), sub, number)


def street(*found: Numbered) -> StreetNumbers:
    numbers = StreetNumbers(list(found))
    numbers.settle()
    return numbers


def east_of(lon: float) -> float:
    return (lon - LON) * EAST


@given(st.integers(10, 30).filter(lambda n: n not in {10, 30}))
def test_between_two_numbers_the_place_is_on_their_line_by_share(number: int) -> None:
    (one,) = street(numbered(10, 100), numbered(30, 300)).standing(number)
    assert one.how == "between"
    assert east_of(one.lon) == pytest.approx(10 * number, abs=0.01)


def test_beyond_the_last_number_the_last_stands_for_it_ever_worse() -> None:
    numbers = street(numbered(10, 100), numbered(12, 120))
    near, far = numbers.standing(16)[0], numbers.standing(80)[0]
    assert (near.how, east_of(near.lon)) == ("beyond", pytest.approx(120, abs=0.01))
    assert near.score > far.score
    assert near.radius_m < far.radius_m
    assert numbers.standing(500) == []


def test_the_house_in_the_lane_is_preferred() -> None:
    numbers = street(numbered(100, 0, sub=1), numbered(100, 60, sub=38), numbered(100, 90))
    (one,) = numbers.standing(100, 38)
    assert east_of(one.lon) == pytest.approx(60, abs=0.01)


def test_streets_of_one_name_far_apart_are_several_answers() -> None:
    numbers = street(numbered(10, 0), numbered(20, 100), numbered(11, 9000), numbered(21, 9100))
    found = numbers.standing(15)
    assert sorted(round(east_of(one.lon)) for one in found) == [50, 9040]


def test_clumps_are_joined_by_chains() -> None:
    places = [numbered(1, x) for x in (0, 90, 180, 1000)]
    assert [len(group) for group in clumps(places, 100.0)] == [3, 1]


def test_metres_between_two_places() -> None:
    assert metres_between((LON, LAT), (LON + 300 / EAST, LAT + 400 / NORTH)) == pytest.approx(500, rel=1e-3)


def test_a_dual_carriageway_crosses_once() -> None:
    first = [shapely.LineString([(LON - 0.01, LAT + d / NORTH), (LON + 0.01, LAT + d / NORTH)]) for d in (0, 20)]
    second = [shapely.LineString([(LON, LAT - 0.01), (LON, LAT + 0.01)])]
    ((lon, lat, radius),) = crossing_places(first, second)
    assert ((lon - LON) * EAST, (lat - LAT) * NORTH) == (pytest.approx(0, abs=0.1), pytest.approx(10, abs=0.1))
    assert radius == 15.0


def test_streets_that_end_just_before_each_other_meet_and_far_ones_do_not() -> None:
    first = [shapely.LineString([(LON - 0.01, LAT), (LON, LAT)])]
    near, far = ([shapely.LineString([(LON + d / EAST, LAT - 0.01), (LON + d / EAST, LAT + 0.01)])] for d in (30, 60))
    assert len(crossing_places(first, near)) == 1
    assert crossing_places(first, far) == []


def test_streets_that_cross_twice_have_two_crossings() -> None:
    first = [shapely.LineString([(LON - 0.01, LAT), (LON + 0.01, LAT)])]
    bow = [
        shapely.LineString(
            [(LON - 0.005, LAT + 0.01), (LON - 0.004, LAT - 0.01), (LON + 0.004, LAT - 0.01), (LON + 0.005, LAT + 0.01)]
        )
    ]
    assert len(crossing_places(first, bow)) == 2


def test_names_are_like_by_characters_and_by_sound() -> None:
    names = SimilarNames(["铁匠巷", "人民路", "长岸村", "华府社区五号楼", "路"])
    assert names.like("铁将巷")[0][0] == "铁匠巷"
    assert names.like("华府社区六号楼")[0][0] == "华府社区五号楼"
    assert names.like("解放路") == []
    assert names.like("路") == []


def test_what_the_ear_cannot_tell_apart_sounds_the_same() -> None:
    assert sound_of("张镇") == sound_of("脏阵")
    assert sound_of("人民路") != sound_of("解放路")


@pytest.mark.parametrize(
    ("name", "also"),
    [("长岸村委会", {"长岸村", "长岸"}), ("长岸村村民委员会", {"长岸村", "长岸"}), ("育才社区居委会", {"育才社区", "育才"}),
     ("中村村委会", {"中村"}), ("白鹭村", {"白鹭"})],
)  # fmt: skip
def test_a_village_is_called_without_its_official_ending(name: str, also: set[str]) -> None:
    assert also <= {spelled for spelled, _ in spellings(name, "village")}


def test_a_shop_has_one_name() -> None:
    assert spellings("渔家村", "poi") == (("渔家村", 1.0),)


def test_admin_names_have_forms_and_ranks() -> None:
    assert set(admin_forms("五三街道办事处")) == set(admin_forms("五三街道"))
    assert [rank_of(name) for name in ("江苏省", "南通市", "通州区", "二甲镇", "长岸村")] == [
        "province", "city", "district", "town", "community",
    ]  # fmt: skip
