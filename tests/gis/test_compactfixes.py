"""Compact fixes: what is kept of one instant, and that neither order nor batches nor repetition matter."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gis.compactfixes import CompactFixes, compacted, joined, known_in, settled
from gis.fixes import fixes_of

Row = tuple[int, int, int, int, int, int]  # member, at, lon, lat, accuracy, datum


def of(rows: list[Row]) -> CompactFixes:
    columns = list(zip(*rows, strict=True)) if rows else [()] * 6
    types = (np.int32, np.int64, np.int32, np.int32, np.int16, np.int16)
    return CompactFixes(*(np.array(column, kind) for column, kind in zip(columns, types, strict=True)))


def rows(fixes: CompactFixes) -> list[Row]:
    columns = (fixes.member, fixes.at, fixes.lon, fixes.lat, fixes.accuracy, fixes.datum)
    return list(zip(*(column.tolist() for column in columns), strict=True))


def test_the_same_reading_twice_is_one() -> None:
    assert rows(settled(of([(1, 5, 7, 8, 30, 0)] * 3))) == [(1, 5, 7, 8, 30, 0)]


def test_the_better_accuracy_of_one_instant_counts_and_none_is_worst() -> None:
    told = [(1, 5, 7, 8, 0, 0), (1, 5, 9, 9, 300, 0), (1, 5, 3, 3, 50, 0)]
    assert rows(settled(of(told))) == [(1, 5, 3, 3, 50, 0)]


def test_of_places_told_equally_exact_the_two_ends_stay() -> None:
    told = [(1, 5, lon, 0, 50, 0) for lon in (40, 10, 30, 20)]
    assert rows(settled(of(told))) == [(1, 5, 10, 0, 50, 0), (1, 5, 40, 0, 50, 0)]


def test_other_members_and_other_instants_are_other_readings() -> None:
    told = [(2, 5, 1, 1, 0, 0), (1, 6, 1, 1, 0, 0), (1, 5, 1, 1, 0, 0)]
    assert rows(settled(of(told))) == sorted(told)


few = st.integers(0, 2)
readings = st.lists(st.tuples(few, few, few, few, few, few), max_size=30)


@given(readings, st.randoms(use_true_random=False), st.integers(0, 30))
def test_order_batches_and_repetition_change_nothing(told: list[Row], chance: Any, cut: int) -> None:
    whole = rows(settled(of(told)))
    shuffled = told + told[:cut]
    chance.shuffle(shuffled)
    first, second = settled(of(shuffled[:cut])), settled(of(shuffled[cut:]))
    assert rows(settled(joined([first, second]))) == whole
    assert rows(settled(of(whole))) == whole


@given(readings)
def test_at_most_two_readings_of_an_instant_stay_and_one_always_does(told: list[Row]) -> None:
    kept = rows(settled(of(told)))
    instants = [(member, at) for member, at, *_ in kept]
    assert set(instants) == {(member, at) for member, at, *_ in told}
    assert max((instants.count(one) for one in instants), default=0) <= 2


@pytest.mark.parametrize("spread", [1, 2**44])  # the second does not fit one number a reading
@pytest.mark.parametrize("whole", [False, True])
@given(told=readings, held=readings)
def test_known_means_the_very_place_and_elsewhere_means_only_others(
    told: list[Row], held: list[Row], spread: int, whole: bool
) -> None:
    told, held = ([(member * 2**20, at * spread, *rest) for member, at, *rest in some] for some in (told, held))
    kept = settled(of(held))
    here, elsewhere = known_in(of(told), kept, whole=whole)
    fields = 6 if whole else 4
    places, instants = {row[:fields] for row in rows(kept)}, {row[:2] for row in rows(kept)}
    assert here.tolist() == [row[:fields] in places for row in told]
    assert elsewhere.tolist() == [row[:fields] not in places and row[:2] in instants for row in told]


def test_degrees_come_back_within_half_a_unit_and_accuracy_within_half_a_decimetre() -> None:
    fixes = fixes_of(
        [1, 1, 1], [1.7e9, 1.7e9 + 1, 1.7e9 + 2], [121.123456789, -180, 180], [31.1, -90, 90], [12.34, np.nan, 0.01]
    )
    back = compacted(fixes, np.zeros(3, np.int16)).fixes()
    assert np.abs(back.lon - fixes.lon).max() <= 5.1e-8
    assert np.allclose(back.accuracy_m, [12.3, np.nan, 0.1], equal_nan=True)
    assert (back.at == fixes.at).all()
