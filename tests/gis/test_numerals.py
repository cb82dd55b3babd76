"""Chinese numerals in addresses."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from data.town_names import numeral
from gis.numerals import in_digits, number_of


@pytest.mark.parametrize(
    ("said", "number"),
    [("七", 7), ("十", 10), ("十二", 12), ("四十四", 44), ("一百二十三", 123), ("一百零五", 105), ("二〇五", 205),
     ("三六0", 360), ("两百", 200), ("一千零一十", 1010), ("130", 130), ("", None), ("东", None)],
)  # fmt: skip
def test_a_numeral_says_its_number(said: str, number: int | None) -> None:
    assert number_of(said) == number


@given(st.integers(1, 99))
def test_numerals_of_the_demo_town_are_read_back(number: int) -> None:
    assert number_of(numeral(number)) == number


@pytest.mark.parametrize(
    ("written", "read"),
    [("长岸村四十四组", "长岸村44组"), ("长岸村第44村民小组", "长岸村44村民小组"), ("铁匠巷一百二十三号", "铁匠巷123号"),
     ("四平路一千二百三十九号", "四平路1239号"), ("嘉园路三六0弄29号", "嘉园路360弄29号")],
)  # fmt: skip
def test_counted_numerals_become_digits(written: str, read: str) -> None:
    assert in_digits(written) == read


@pytest.mark.parametrize("name", ["四平路", "中山东一路", "五角场", "三林镇", "地铁一号线", "八一公路"])
def test_numerals_within_names_stay(name: str) -> None:
    assert in_digits(name) == name
