"""What an address says, taken apart."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gis.addresswords import READ, AddressWords, normalised, read_address


@pytest.mark.parametrize(
    "written",
    ["铁匠巷130号", "铁匠巷１３０号", "铁匠巷一百三十号", " 铁匠巷 130 号。", "铁匠巷130号（二楼）", "🙂铁匠巷130号!", "铁匠巷130号;"],
)  # fmt: skip
def test_one_address_has_one_spelling(written: str) -> None:
    assert normalised(written) == "铁匠巷130号"


def test_the_village_group_of_the_press_report_is_read() -> None:
    for written in (
        "长岸村四十四组道路",
        "长岸村第44村民小组",
        "二甲镇长岸村44组",
        "江苏省南通市通州区二甲镇长岸村四十四组",
    ):
        words = read_address(written)
        assert (words.village, words.group, words.number, words.name) == ("长岸村", 44, None, "")
    assert words.admin == ("江苏省", "南通市", "通州区", "二甲镇")


def test_a_house_in_a_group_has_its_number() -> None:
    words = read_address("示范镇白鹭村十二组3号")
    assert (words.village, words.group, words.number) == ("白鹭村", 12, 3)


@pytest.mark.parametrize(
    ("written", "street", "number", "sub"),
    [("罗秀路1175弄38号", "罗秀路", 1175, 38), ("铁匠巷130号", "铁匠巷", 130, None), ("东川路800交通大学", "东川路", 800, None),
     ("武宁路101-103号", "武宁路", 101, None), ("中山东二路88号", "中山东二路", 88, None), ("鞍山四村123号", "鞍山四村", 123, None),
     ("上海市浦东新区世纪大道100号", "世纪大道", 100, None), ("市光路999号", "市光路", 999, None)],
)  # fmt: skip
def test_a_street_has_its_number(written: str, street: str, number: int, sub: int | None) -> None:
    words = read_address(written)
    assert (words.street, words.number, words.sub) == (street, number, sub)


@pytest.mark.parametrize(
    "written",
    ["郑密路与夏至路交叉口", "郑密路和夏至路路口", "郑密路×夏至路", "郑密路x夏至路", "郑密路、夏至路交汇处", "郑密路夏至路路口"],
)  # fmt: skip
def test_a_crossing_names_two_streets(written: str) -> None:
    assert ("郑密路", "夏至路") in read_address(written).crossings


def test_a_crossing_with_a_name_that_begins_like_a_joining_word_has_both_readings() -> None:
    assert set(read_address("人民路和平路口").crossings) == {("人民路", "平路"), ("人民路", "和平路")}


@pytest.mark.parametrize(
    ("written", "bearing", "metres"),
    [("郑密路与夏至路交叉口东50米", 90.0, 50.0), ("郑密路与夏至路交叉口东北侧", 45.0, 30.0), ("农贸市场向西约200米", 270.0, 200.0),
     ("农贸市场北侧", 0.0, 30.0), ("农贸市场附近", None, 0.0), ("农贸市场对面", None, 0.0), ("农贸市场", None, 0.0)],
)  # fmt: skip
def test_an_offset_leads_away_from_what_is_named(written: str, bearing: float | None, metres: float) -> None:
    offset = read_address(written).offset
    assert (offset.bearing, offset.metres) == (bearing, metres)
    assert (offset.doubt_m > 0) == (written != "农贸市场")


def test_known_admin_names_are_seen_where_no_rule_sees_them() -> None:
    assert read_address("如皋市蚕种场东村12组", {"如皋市蚕种场"}).admin == ("如皋市蚕种场",)
    assert read_address("大桥镇大桥镇中社区", {"大桥镇"}).stages == ("大桥镇大桥镇中社区", "大桥镇中社区", "中社区")


def test_a_name_alone_is_never_taken_for_an_admin_name_only() -> None:
    assert read_address("示范镇").stages == ("示范镇",)


@pytest.mark.parametrize("said", ["", "   ", "🙂🙂🙂", "。。。", "((("])
def test_an_address_that_says_nothing_has_no_text(said: str) -> None:
    assert read_address(said).text == ""


@given(st.text(max_size=300))
def test_reading_never_fails(text: str) -> None:
    words = read_address(text, {"示范镇"})
    assert isinstance(words, AddressWords)
    assert len(words.text) <= 4 * READ


@given(st.text(alphabet="镇市区路与和号组村东北12米四十0,、(", max_size=60))
def test_normalising_twice_is_normalising_once(text: str) -> None:
    once = normalised(text)
    assert normalised(once) == once
