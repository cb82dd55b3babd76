"""Figures as texts: a per cent that claims nothing that is not so, and a fraction that tells different numbers apart."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maps import figures


@pytest.mark.parametrize(
    ("numerator", "denominator", "unit", "said"),
    [
        (3, 4, "", "3 / 4"),
        (10_084, 19_716, "", "10,084 / 19,716"),
        (45_590, 45_600, "m", "45,590 / 45,600 m"),
        (12_300, 45_600, "m", "12.3 / 45.6 km"),
        (120, 800, "m", "120 / 800 m"),
        (5_000, 20_000, "m2", "0.50 / 2.00 ha"),
        (1e6, 3.3e6, "m2", "1.00 / 3.30 km²"),
        (1800, 7200, "s", "0.5 / 2.0 h"),
        (0, 0, "m", "n/a"),
    ],
)
def test_a_fraction_has_one_unit_for_both_numbers(numerator: float, denominator: float, unit: str, said: str) -> None:
    assert figures.fraction(numerator, denominator, unit) == said


@given(st.integers(0, 10**9), st.integers(1, 10**9), st.sampled_from(["", "m", "m2", "s"]))
def test_two_different_numbers_never_look_alike(numerator: int, denominator: int, unit: str) -> None:
    one, _, other = figures.fraction(numerator, denominator, unit).partition(" / ")
    assert (one == other.split(" ")[0]) == (numerator == denominator)


@given(st.integers(0, 10**6), st.integers(1, 10**6))
def test_a_hundred_per_cent_is_all_and_zero_is_nothing(numerator: int, denominator: int) -> None:
    said = figures.percent(min(numerator, denominator), denominator)
    assert (said == "100.0 %") == (numerator >= denominator)
    assert (said == "0.0 %") == (numerator == 0)


@pytest.mark.parametrize(
    ("value", "said"),
    [(0, "0"), (0.04, "0.1"), (0.5, "0.5"), (0.99, "0.9"), (1, "1"), (6.99, "6"), (1234.5, "1,234")],
)
def test_days_are_rounded_down(value: float, said: str) -> None:
    assert figures.days(value) == said
