"""Cleaning: what cannot be true goes, each row for one reason; the order and the number of sendings do not matter."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gis.errors import ParameterInvalid
from gis.fixes import REASONS, Cleaned, Duty, Fixes, Limits, clean, fixes_of, on_duty, together
from tests.gis.walks import DAY, LATER, at, fixes, line


def cleaned(given: Fixes, **more: object) -> Cleaned:
    return clean(given, now=LATER, **more)  # type: ignore[arg-type]


def why(given: Fixes, **more: object) -> list[str]:
    return [REASONS[k] for k in cleaned(given, **more).reason.tolist()]


def same(one: Fixes, other: Fixes) -> bool:
    columns = ("member", "at", "lon", "lat", "accuracy_m")
    return all(np.array_equal(getattr(one, c), getattr(other, c), equal_nan=c == "accuracy_m") for c in columns)


def test_a_steady_walk_is_kept_whole() -> None:
    assert set(why(fixes(line(1.2, 600, 10)))) == {"kept"}


@pytest.mark.parametrize(
    ("lon", "lat", "seconds", "accuracy", "reason"),
    [
        (np.nan, 32.0, 1.77e9, 5.0, "no-position"),
        (0.0, 0.0, 1.77e9, 5.0, "no-position"),
        (121.2, 91.0, 1.77e9, 5.0, "no-position"),
        (121.2, 32.0, np.nan, 5.0, "no-position"),
        (121.2, 32.0, 1e300, 5.0, "no-position"),
        (121.2, 32.0, 0.0, 5.0, "ancient"),
        (121.2, 32.0, 1.9e9, 5.0, "future"),
        (121.2, 32.0, 1.77e9, 5000.0, "accuracy"),
        (121.2, 32.0, 1.77e9, -1.0, "accuracy"),
        (121.2, 32.0, 1.77e9, 0.0, "kept"),
        (121.2, 32.0, 1.77e9, np.nan, "kept"),
    ],
)
def test_a_fix_that_cannot_be_used_says_why(
    lon: float, lat: float, seconds: float, accuracy: float, reason: str
) -> None:
    assert why(fixes_of([0], [seconds], [lon], [lat], [accuracy])) == [reason]


def test_repeats_are_duplicates_and_everything_is_counted_once() -> None:
    walk = fixes(line(1.2, 60, 10))
    found = cleaned(together([walk, walk, walk]))
    assert found.counts["duplicate"] == 14
    assert sum(found.counts.values()) == 21
    assert same(found.fixes, walk)


def test_of_two_places_at_one_time_the_more_accurate_is_used() -> None:
    rows = [(0, 0, 0, 5.0), (10, 10, 0, 30.0), (10, 25, 0, 5.0), (20, 30, 0, 5.0)]
    assert why(fixes(rows)) == ["kept", "two-places", "kept", "kept"]


def test_of_two_equally_accurate_places_at_one_time_neither_is_used() -> None:
    assert why(fixes([(0, 0, 0), (10, 10, 0), (10, 80, 0), (20, 30, 0)])) == [
        "kept",
        "two-places",
        "two-places",
        "kept",
    ]


def test_a_spike_out_and_back_is_a_jump() -> None:
    rows = line(1.2, 100, 10)
    rows[4] = (40, 1400, 1400)
    assert [k for k, reason in enumerate(why(fixes(rows))) if reason == "jump"] == [4]


def test_a_first_fix_far_off_does_not_cost_the_walk() -> None:
    rows = [(0.0, 1500.0, 1600.0), *[(t + 5, x, y) for t, x, y in line(1.2, 200, 10)]]
    assert why(fixes(rows)) == ["speed", *["kept"] * 21]


def test_a_flight_is_left_out_and_what_lies_before_and_after_it_stays() -> None:
    before = line(1.2, 200, 10)
    flight = [(210.0 + 10 * k, 200.0 + 2500.0 * k, 500.0) for k in range(1, 40)]
    after = [(700.0 + t, 100_000.0 + x, y) for t, x, y in line(1.2, 200, 10)]
    found = why(fixes([*before, *flight, *after]))
    assert found[:21] == ["kept"] * 21
    assert found[-21:] == ["kept"] * 21
    assert set(found[22:-22]) == {"speed"}


def test_a_member_in_two_places_at_once_is_believed_in_one() -> None:
    here = fixes(line(1.2, 200, 10))
    there = fixes([(t + 5, x + 1200, y + 1000) for t, x, y in line(1.2, 150, 10)])
    found = cleaned(together([here, there]))
    assert same(found.fixes, here)
    assert found.counts["jump"] + found.counts["speed"] == len(there)


@pytest.mark.parametrize("wrong_s", [3600.0, -3600.0])
def test_while_a_device_s_clock_is_an_hour_off_its_fixes_are_not_believed(wrong_s: float) -> None:
    """A ride of three hours at 8 m/s; ten fixes of the middle are told an hour later or earlier than they were."""
    second = np.arange(0.0, 3 * 3600, 30)
    wrong = (second >= 5400) & (second < 5700)
    east = 121.0 + second * 8 / 94_000
    at = np.datetime64("2026-03-02", "us") + np.rint((second + wrong * wrong_s) * 1e6).astype("timedelta64[us]")
    found = cleaned(fixes_of(np.zeros(len(second)), at, east, np.full(len(second), 32.0), np.full(len(second), 5.0)))
    reasons = [REASONS[k] for k in found.reason[wrong].tolist()]
    assert set(reasons) <= {"jump", "two-places"}
    # At those ten instants two places are told alike exactly, so neither is believed; all else is.
    at_them = np.isin(at, at[wrong])
    assert set(found.reason[~at_them].tolist()) == {0}
    assert not np.isin(found.fixes.at, at[wrong]).any()


def test_a_clock_that_jumps_to_tomorrow_or_was_never_set_is_left_out_and_what_follows_is_kept() -> None:
    walk = fixes(line(1.2, 100, 10))
    at = walk.at.copy()
    at[3:5] += np.timedelta64(1, "D")
    at[7] = np.datetime64("1970-01-01T00:00:09", "us")
    told = Fixes(walk.member, at, walk.lon, walk.lat, walk.accuracy_m)
    found = clean(told, now=DAY + np.timedelta64(12, "h"))
    assert [REASONS[k] for k in found.reason.tolist()] == [
        "future" if k in (3, 4) else "ancient" if k == 7 else "kept" for k in range(11)
    ]


def test_off_duty_is_left_out_whatever_way_shifts_overlap() -> None:
    walk = fixes(line(1.2, 600, 60))  # 0, 60 ... 600
    spans = [(0, at(60), at(180)), (0, at(120), at(300)), (0, at(120), at(300)), (1, at(300), at(600))]
    member, begin, end = zip(*spans, strict=True)
    duty = Duty(np.array(member, np.int32), np.array(begin), np.array(end))
    assert [reason == "kept" for reason in why(walk, duty=duty)] == [False, *[True] * 4, *[False] * 6]
    other = fixes(line(1.2, 600, 60), member=1)
    assert on_duty(together([walk, other]), duty).tolist() == [
        *[False, *[True] * 4, *[False] * 6], *[False] * 5, *[True] * 5, False,
    ]  # fmt: skip


def test_an_accuracy_of_nothing_is_unknown_however_it_was_sent() -> None:
    sent = fixes([(0, 10, 10, np.nan), (0, 10, 10, 0.0)])
    one, other = cleaned(sent).fixes, cleaned(sent.take(np.array([1, 0]))).fixes
    assert np.isnan(one.accuracy_m).tolist() == np.isnan(other.accuracy_m).tolist() == [True]


def test_columns_of_different_lengths_are_refused() -> None:
    with pytest.raises(ParameterInvalid):
        fixes_of([0, 1], [1.0], [1.0], [1.0])


def test_no_fixes_are_no_error() -> None:
    assert len(cleaned(fixes([])).fixes) == 0
    assert len(cleaned(together([])).fixes) == 0


rows = st.tuples(
    st.sampled_from([0, 1]),
    st.integers(0, 12).map(lambda k: 10.0 * k),
    st.sampled_from([0.0, 5.0, 40.0, 900.0]),
    st.sampled_from([0.0, 12.0, 1300.0]),
    st.sampled_from([np.nan, 0.0, 5.0, 50.0, 5000.0]),
)


def of(table: list[tuple[int, float, float, float, float]]) -> Fixes:
    parts = [fixes([row[1:]], member=row[0]) for row in table]
    return together(parts) if parts else fixes([])


@settings(max_examples=150, deadline=None)
@given(table=st.lists(rows, max_size=25), data=st.data())
def test_any_order_and_any_repetition_clean_to_the_same(
    table: list[tuple[int, float, float, float, float]], data: st.DataObject
) -> None:
    once = of(table)
    again = data.draw(st.lists(st.sampled_from(range(len(table))), max_size=10)) if table else []
    order = data.draw(st.permutations([*range(len(table)), *again]))
    found, mixed = cleaned(once), cleaned(once.take(np.array(order, np.int64)))
    assert same(found.fixes, mixed.fixes)
    assert set(found.reason.tolist()) | {6} == set(mixed.reason.tolist()) | {6}
    assert same(cleaned(found.fixes).fixes, found.fixes) or found.counts["jump"] + found.counts["speed"] > 0


@settings(max_examples=50, deadline=None)
@given(table=st.lists(rows, max_size=25))
def test_what_is_kept_is_in_order_one_a_time_and_counted(table: list[tuple[int, float, float, float, float]]) -> None:
    found = cleaned(of(table), limits=Limits(max_accuracy_m=60))
    keys = list(zip(found.fixes.member.tolist(), found.fixes.micros.tolist(), strict=True))
    assert keys == sorted(set(keys))
    assert sum(found.counts.values()) == len(table)
    assert found.counts["kept"] == len(found.fixes)
    assert not (found.fixes.accuracy_m > 60).any()
    assert (found.fixes.at >= DAY).all()
