"""Codes: 15 digits or plain text, in sequence, never given twice, never a number."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gis.codes import PROFILES, Cn15, code_text, sequence
from gis.errors import CodeInvalid

CN15 = Cn15()
PLAIN, EXTERNAL = PROFILES["plain"], PROFILES["external"]
COMMUNITY = "110105001001"

digits = st.text("0123456789", min_size=12, max_size=12)


def test_there_are_three_profiles() -> None:
    assert {name: profile.name for name, profile in PROFILES.items()} == {n: n for n in ("cn15", "plain", "external")}


def test_a_code_is_built_from_its_parts_and_taken_apart_again() -> None:
    code = CN15.build("010105", "001", "023", 7)
    assert code == "010105001023007"
    assert CN15.parts(code) == {
        "district": "010105",
        "subdistrict": "001",
        "community": "023",
        "sequence": "007",
        "parent": "010105001023",
    }


@pytest.mark.parametrize(
    ("district", "subdistrict", "community", "number"),
    [
        ("10105", "001", "023", 7),
        ("110105", "1", "023", 7),
        ("110105", "001", "0２3", 7),
        ("110105", "001", "023", 0),
        ("110105", "001", "023", 1000),
    ],
)
def test_a_code_is_not_built_from_parts_that_do_not_fit(
    district: str, subdistrict: str, community: str, number: int
) -> None:
    with pytest.raises(CodeInvalid):
        CN15.build(district, subdistrict, community, number)


@pytest.mark.parametrize(
    ("code", "why"),
    [
        ("10105001001001", "leading zeros"),
        ("1101050010010011", "16 characters"),
        ("110105001001A01", "15 characters"),
        (" 110105001001001", "blank"),
        ("110105001001001\n", "blank"),
        ("１10105001001001", "full-width"),
        ("", "15 digits"),
        ("110105001001000", "begin at 001"),
    ],
)
def test_what_is_not_15_digits_is_refused_with_the_likely_reason(code: str, why: str) -> None:
    for call in (CN15.validate, CN15.parts):
        with pytest.raises(CodeInvalid, match=why):
            call(code)


def test_the_next_code_follows_the_highest_and_a_gap_is_not_filled() -> None:
    used = [COMMUNITY + n for n in ("001", "003")]
    assert CN15.next(COMMUNITY, []) == COMMUNITY + "001"
    assert CN15.next(COMMUNITY, used) == COMMUNITY + "004"


def test_a_voided_code_is_not_given_again() -> None:
    used, voided = [COMMUNITY + "001"], [COMMUNITY + "002"]
    assert CN15.next(COMMUNITY, [*used, *voided]) == COMMUNITY + "003"


def test_codes_of_other_communities_and_other_forms_do_not_matter() -> None:
    assert CN15.next(COMMUNITY, ["110105001002009", "A-7", COMMUNITY + "09", COMMUNITY + "0099"]) == COMMUNITY + "001"


def test_after_999_the_numbers_never_used_are_given_and_then_no_more() -> None:
    used = {f"{COMMUNITY}{n:03d}" for n in range(1, 1000) if n not in {5, 80}}
    for expected in ("005", "080"):
        code = CN15.next(COMMUNITY, used)
        assert code == COMMUNITY + expected
        used.add(code)
    with pytest.raises(CodeInvalid, match=f"all 999 codes of community {COMMUNITY} have been used"):
        CN15.next(COMMUNITY, used)


@pytest.mark.parametrize("parent", ["", "110105001", "110105001001001", "11010500100A"])
def test_only_a_community_has_a_next_code(parent: str) -> None:
    with pytest.raises(CodeInvalid, match="must have 12 digits"):
        CN15.next(parent, [])


@given(digits, st.sets(st.integers(1, 999), max_size=998))
def test_the_next_code_is_valid_new_and_under_its_parent(parent: str, numbers: set[int]) -> None:
    used = [f"{parent}{n:03d}" for n in numbers]
    code = CN15.next(parent, iter(used))
    CN15.validate(code)
    assert code not in used
    assert CN15.parts(code)["parent"] == parent
    assert len(numbers) == 0 or max(numbers) == 999 or code > max(used)


@pytest.mark.parametrize("code", ["A", "0042", "长岸村-03", "ANC 1A", "x" * 64, "1.5", "12E5"])
def test_a_plain_code_is_any_visible_text(code: str) -> None:
    PLAIN.validate(code)
    EXTERNAL.validate(code)
    assert PLAIN.parts(code) == {"code": code}


@pytest.mark.parametrize(
    ("code", "why"),
    [
        ("", "no code"),
        ("  ", "no code"),
        ("x" * 65, "65 characters"),
        (" A", "blank"),
        ("A\u3000", "blank"),
        ("A\tB", "U\\+0009"),
        ("A\x00", "U\\+0000"),
        ("A\u200bB", "U\\+200B"),
        ("\ufeffA", "U\\+FEFF"),
        ("\ud800", "U\\+D800"),
        ("A\n", "U\\+000A"),
    ],
)
def test_invisible_characters_and_blanks_at_the_ends_are_refused_in_plain_codes(code: str, why: str) -> None:
    for profile in (PLAIN, EXTERNAL):
        with pytest.raises(CodeInvalid, match=why) as raised:
            profile.validate(code)
        assert raised.value.message.encode()  # a lone surrogate must not break the answer
        assert (raised.value.place or "").encode() is not None


def test_the_next_plain_code_is_the_parent_s_with_a_number() -> None:
    assert PLAIN.next("A.1", []) == "A.1-01"
    assert PLAIN.next("A.1", ["A.1-01", "A.1-9", "A11-77", "A.1-x", "A.1-03-55"]) == "A.1-10"
    assert PLAIN.next("A", ["A-99"]) == "A-100"
    with pytest.raises(CodeInvalid, match="characters"):
        PLAIN.next("x" * 63, [])


def test_an_external_code_is_never_made_here() -> None:
    with pytest.raises(CodeInvalid, match="give the new code"):
        EXTERNAL.next("A", [])


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("010105001001001", "010105001001001"),
        (" A ", " A "),
        ("12E5", "12E5"),
        ("1.0", "1.0"),
        ("110105001001001.0", "110105001001001"),
        (110105001001001, "110105001001001"),
        (110105001001001.0, "110105001001001"),
        (1.10105e14, "110105000000000"),
        (np.float64(110105001001001), "110105001001001"),
        (np.int64(42), "42"),
        (42, "42"),
        (42.0, "42"),
        (0, "0"),
        (999999999999999, "999999999999999"),
    ],
)
def test_a_number_becomes_text_when_no_digit_is_lost(value: Any, text: str) -> None:
    assert code_text(value) == text


@pytest.mark.parametrize(
    ("value", "why"),
    [
        ("1.10105E+14", "shortened by a spreadsheet"),
        ("1.10105e+14 ", "shortened by a spreadsheet"),
        (1101050010010010, "more than 15 digits"),
        (1.1010500100100101e19, "more than 15 digits"),
        (42.5, "format Text"),
        (-7, "format Text"),
        (math.inf, "format Text"),
        (math.nan, "no code"),
        (None, "is no code"),
        (True, "is no code"),
        (b"42", "is no code"),
    ],
)
def test_a_code_that_lost_digits_is_refused_and_says_what_to_do(value: Any, why: str) -> None:
    with pytest.raises(CodeInvalid, match=why):
        code_text(value)


@given(st.integers(0, 10**15 - 1))
def test_whole_numbers_of_15_digits_survive_a_float(number: int) -> None:
    assert code_text(float(number)) == code_text(number) == str(number)


def test_sequence_runs_west_to_east_and_north_first_within_each_parent() -> None:
    #   lon   1  2  3        village of each:
    #   lat 2 d  b           a: Y, others X; b and c share their lon, b lies north
    #       1 a  c  e
    points = {"a": (1, 1), "b": (2, 2), "c": (2, 1), "d": (1, 2), "e": (3, 1)}
    parents = {"a": "Y", "b": "X", "c": "X", "d": "X", "e": None}
    names = list(points)
    in_order = [names[i] for i in sequence(list(points.values()), [parents[n] for n in names])]
    assert in_order == ["e", "d", "b", "c", "a"]
    assert [names[i] for i in sequence(list(points.values()))] == ["d", "a", "b", "c", "e"]


def test_sequence_of_nothing_is_empty_and_a_missing_point_comes_last() -> None:
    assert sequence(np.empty((0, 2))).tolist() == []
    assert sequence([(math.nan, math.nan), (5, 5)]).tolist() == [1, 0]
