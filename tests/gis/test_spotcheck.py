"""Spot checks: drawn strata by hand; the told probabilities come true; a seed gives one sample, whatever the order of rows."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gis.coverage import STATES
from gis.errors import ParameterInvalid
from gis.spotcheck import Frame, GridRisks, Sample, Weighing, framed, sample

NAN = float("nan")


def chance(seed: int) -> np.random.Generator:
    return np.random.Generator(np.random.PCG64(seed))


def frame(**strata: list[int]) -> Frame:
    """Strata by name with the weights of their grids; uids are a1, a2, ... in each."""
    named = [(f"{name}{i}", name, weight) for name, held in strata.items() for i, weight in enumerate(held, 1)]
    uid, stratum, weight = zip(*named, strict=True)
    return Frame(uid, stratum, np.array(weight, np.int64))


def names(of: Frame, drawn: Sample) -> list[str]:
    return [of.uid[row] for row in drawn.rows.tolist()]


def risks(communities: str, **more: list[float]) -> GridRisks:
    """A grid a letter, in the community of that letter; nothing happened, everything was spot-checked today, unless told otherwise."""
    n = len(communities)
    events = {name: np.array(more.pop(name, [0] * n), np.int64) for name in ("open_events", "recent_events")}
    checked = np.array(more.pop("checked_days", [0.0] * n), np.float64)
    unseen = np.array(more["unseen_days"], np.float64) if "unseen_days" in more else None
    state = np.array(more["state"], np.uint8) if "state" in more else None
    uid = tuple(f"{i:02d}" for i in range(n))
    return GridRisks(uid, tuple(communities), events["open_events"], events["recent_events"], checked, unseen, state)


# --- weights and strata ----------------------------------------------------------------------------------------------------


def test_a_weight_is_one_and_what_was_not_seen_and_the_events_less_after_a_spot_check() -> None:
    told = risks(
        "aaaa",
        open_events=[0, 2, 6, 0],
        recent_events=[0, 2, 2, 4],
        unseen_days=[0, 3.5, NAN, 70],
        checked_days=[NAN, 400, 90, 0],
    )
    found, parts = framed(told, Weighing())
    assert parts.unseen.tolist() == [0.0, 0.5, 2.0, 2.0]  # in intervals of 7 days, 2 at most
    assert parts.events.tolist() == [0.0, 0.5, 1.0, 0.5]  # half of the count over its mean, which is 4
    assert parts.rested.tolist() == [1.0, 1.0, 0.55, 0.1]  # 0.1 + 0.9 x days / 180
    assert found.weight.tolist() == [1000, 2000, 2200, 350]


def test_a_grid_that_was_just_spot_checked_keeps_a_chance() -> None:
    found, _ = framed(risks("aa", checked_days=[0, NAN]), Weighing())
    assert found.weight.tolist() == [100, 1000]
    assert sample(found, 1, chance(1)).probability.tolist() == pytest.approx([1 / 11, 10 / 11])


def test_without_events_and_coverage_every_grid_has_the_same_weight() -> None:
    found, parts = framed(risks("aabb", checked_days=[NAN] * 4), Weighing())
    assert found.weight.tolist() == [1000] * 4
    assert not parts.events.any()
    assert not parts.unseen.any()


@pytest.mark.parametrize("state", STATES)
def test_missed_and_unknown_are_unseen_and_visited_is_not(state: str) -> None:
    number = STATES.index(state)
    found, parts = framed(risks("aa", state=[number, number]), Weighing())
    lacking = state in {"missed", "unknown"}
    assert parts.unseen.tolist() == [2.0 if lacking else 0.0] * 2
    assert set(found.stratum) == {"a unseen" if lacking else "a calm"}


def test_the_first_class_that_fits_names_the_stratum() -> None:
    told = risks("a" * 8, unseen_days=[7, NAN, 6.9, 0, 0, 0, 0, 0], recent_events=[9, 0, 9, 9, 0, 0, 0, 0],
                 checked_days=[0, 0, 0, 0, NAN, 180, 179, 0])  # fmt: skip
    assert framed(told, Weighing())[0].stratum == (
        "a unseen", "a unseen", "a busy", "a busy", "a unchecked", "a unchecked", "a calm", "a calm",
    )  # fmt: skip


def test_a_class_with_one_grid_joins_the_next_and_the_last_one_joins_the_one_before() -> None:
    told = risks("aaaabbbcd", unseen_days=[9, 0, 0, 0, 9, 9, 0, 9, 0], checked_days=[0, 0, 0, NAN, 0, 0, 0, 0, NAN])
    assert framed(told, Weighing())[0].stratum == (
        "a unseen+unchecked", "a calm", "a calm", "a unseen+unchecked", *["b unseen+calm"] * 3, "c unseen", "d unchecked",
    )  # fmt: skip


def test_a_grid_without_a_community_has_a_stratum_too() -> None:
    told = GridRisks(("x",), ("",), np.array([0]), np.array([0]), np.array([NAN]))
    assert framed(told, Weighing())[0].stratum == ("unchecked",)


@pytest.mark.parametrize(
    "wrong", [{"revisit_days": 0}, {"busy": 0}, {"rest_days": -1}, {"least": 0}, {"least": 1.5}, {"busy": NAN}]
)
def test_a_weighing_that_would_leave_a_grid_out_of_reach_is_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ParameterInvalid):
        Weighing(**wrong)


def test_a_frame_that_was_stored_is_the_same() -> None:
    found, _ = framed(risks("abca", open_events=[1, 2, 3, 4]), Weighing())
    again = Frame.of_json(found.as_json())
    assert (again.uid, again.stratum, again.weight.tolist()) == (found.uid, found.stratum, found.weight.tolist())


# --- how many of each stratum ----------------------------------------------------------------------------------------------


def counts(drawn: Sample) -> dict[str, int]:
    return {one.stratum: one.drawn for one in drawn.strata}


def test_strata_share_by_weight_with_one_each_and_the_rest_by_largest_remainder() -> None:
    """10 of weights 60, 28, 11, 1: 6.0, 2.8, 1.1, 0.1. With one for d and the others rounded down, 6 + 2 + 1 + 1 = 10."""
    of = frame(a=[10] * 6, b=[4] * 7, c=[1] * 11, d=[1])
    assert counts(sample(of, 10, chance(5))) == {"a": 6, "b": 2, "c": 1, "d": 1}
    assert counts(sample(of, 11, chance(5))) == {
        "a": 6,
        "b": 3,
        "c": 1,
        "d": 1,
    }  # 6.6, 3.08, 1.21, 0.11: a has no seventh


def test_what_minima_take_comes_from_those_who_have_most_above_their_share() -> None:
    """4 of weights 97, 1, 1, 1: 3.88, 0.04 ... give 3 + 1 + 1 + 1, one too many, and only a has one to give."""
    assert counts(sample(frame(a=[1] * 97, b=[1], c=[1], d=[1]), 4, chance(1))) == {"a": 1, "b": 1, "c": 1, "d": 1}
    assert counts(sample(frame(a=[1] * 97, b=[1], c=[1], d=[1]), 5, chance(1))) == {"a": 2, "b": 1, "c": 1, "d": 1}


def test_fewer_than_strata_are_rounded_by_chance_and_every_grid_stays_in_reach() -> None:
    of = frame(a=[1, 1], b=[1, 1], c=[1, 1], d=[2])
    found = [sample(of, 2, chance(seed)) for seed in range(200)]
    assert {tuple(counts(one).values()) for one in found} >= {(1, 0, 1, 0), (0, 1, 0, 1)}
    assert all(sum(counts(one).values()) == 2 for one in found)
    assert found[0].probability.tolist() == pytest.approx([0.25] * 6 + [0.5])


def test_a_stratum_never_gets_two_more_or_less_than_its_share() -> None:
    of = frame(**{f"s{i:02d}": [1] * (i + 1) for i in range(12)})
    for seed in range(100):
        for one in sample(of, 10, chance(seed)).strata:
            assert abs(one.drawn - 10 * one.weight / 78) < 1


# --- within a stratum --------------------------------------------------------------------------------------------------------


def test_probabilities_are_in_proportion_to_weight_and_who_comes_to_one_is_certain() -> None:
    """Two of 10, 3, 2, 1: 20/16 is over one, so the first is certain, and one of 3, 2, 1 is drawn."""
    drawn = sample(frame(a=[10, 3, 2, 1]), 2, chance(1))
    assert drawn.probability.tolist() == pytest.approx([1, 3 / 6, 2 / 6, 1 / 6])


def test_certainty_is_looked_at_again_when_somebody_is_certain() -> None:
    """Three of 20, 5, 4, 1: 60/30 -> certain; two of 5, 4, 1: 10/10 -> certain; one of 4, 1."""
    assert sample(frame(a=[20, 5, 4, 1]), 3, chance(1)).probability.tolist() == pytest.approx([1, 1, 0.8, 0.2])


def test_all_are_drawn_when_n_is_all_or_more() -> None:
    of = frame(a=[1, 5], b=[9])
    for n in (3, 4, 10**9):
        drawn = sample(of, n, chance(n))
        assert sorted(names(of, drawn)) == ["a1", "a2", "b1"]
        assert drawn.probability.tolist() == [1, 1, 1]


@pytest.mark.parametrize("n", [0, -1])
def test_nobody_draws_none(n: int) -> None:
    with pytest.raises(ParameterInvalid) as refused:
        sample(frame(a=[1]), n, chance(1))
    assert refused.value.place == "n"


def test_an_empty_frame_is_refused() -> None:
    with pytest.raises(ParameterInvalid) as refused:
        sample(Frame((), (), np.empty(0, np.int64)), 1, chance(1))
    assert refused.value.place == "layer"


# --- laws ------------------------------------------------------------------------------------------------------------------

frames = st.lists(st.tuples(st.sampled_from("abcd"), st.integers(1, 5000)), min_size=1, max_size=24).map(
    lambda rows: Frame(
        tuple(f"{i:02d}" for i in range(len(rows))),
        tuple(name for name, _ in rows),
        np.array([w for _, w in rows], np.int64),
    )
)


@settings(max_examples=200)
@given(frames, st.integers(1, 30), st.integers(0, 2**53 - 1))
def test_n_different_grids_are_drawn_as_many_of_each_stratum_as_told(of: Frame, n: int, seed: int) -> None:
    drawn = sample(of, n, chance(seed))
    chosen = drawn.rows.tolist()
    assert len(set(chosen)) == len(chosen) == min(n, len(of.uid))
    assert {one.stratum: one.drawn for one in drawn.strata} == {
        name: sum(of.stratum[row] == name for row in chosen) for name in set(of.stratum)
    }
    assert drawn.probability.sum() == pytest.approx(len(chosen))
    assert ((drawn.probability > 0) & (drawn.probability <= 1)).all()
    if n >= len(drawn.strata):
        assert min(one.drawn for one in drawn.strata) >= 1


@settings(max_examples=100)
@given(frames, st.integers(1, 30), st.integers(0, 2**53 - 1), st.randoms(use_true_random=False))
def test_the_order_of_rows_does_not_matter(of: Frame, n: int, seed: int, shuffle: object) -> None:
    order = list(range(len(of.uid)))
    shuffle.shuffle(order)  # type: ignore[attr-defined]
    other = Frame(tuple(of.uid[i] for i in order), tuple(of.stratum[i] for i in order), of.weight[order])
    one, two = sample(of, n, chance(seed)), sample(other, n, chance(seed))
    assert names(of, one) == names(other, two)
    assert one.strata == two.strata
    assert one.probability[order].tolist() == two.probability.tolist()


@settings(max_examples=100)
@given(frames, st.integers(1, 24))
def test_within_a_stratum_more_weight_is_never_less_chance(of: Frame, n: int) -> None:
    found = sample(of, n, chance(0)).probability
    for name in set(of.stratum):
        rows = [row for row in range(len(of.uid)) if of.stratum[row] == name]
        ordered = sorted(rows, key=lambda row: of.weight[row])
        assert all(found[a] <= found[b] + 1e-12 for a, b in pairwise(ordered))


@pytest.mark.parametrize("n", [1, 3, 7, 20, 29])
def test_over_two_thousand_seeds_each_grid_is_drawn_as_often_as_it_was_told(n: int) -> None:
    """Seven strata of unequal weights; within four standard errors, and exactly where it is certain. 3 < 7: both ways of sharing."""
    made = np.random.Generator(np.random.PCG64(11))
    of = frame(
        **{
            name: made.integers(100, 5001, size).tolist()
            for name, size in zip("abcdefg", (1, 2, 3, 4, 5, 7, 8), strict=True)
        }
    )
    seeds, drawn_of = 2000, np.zeros(len(of.uid))
    for seed in range(seeds):
        drawn = sample(of, n, chance(seed))
        drawn_of[drawn.rows] += 1
    told = drawn.probability
    error = np.sqrt(told * (1 - told) / seeds)
    assert (np.abs(drawn_of / seeds - told) <= 4 * error + 1e-12).all()


def test_every_place_in_the_order_of_going_is_as_likely() -> None:
    of, first = frame(a=[1] * 4), np.zeros(4)
    for seed in range(2000):
        first[sample(of, 4, chance(seed)).rows[0]] += 1
    assert np.abs(first / 2000 - 0.25).max() < 4 * np.sqrt(0.25 * 0.75 / 2000)


def test_a_seed_gives_this_very_sample_for_ever() -> None:
    """The raw words of PCG64 decide, whose stream numpy promises to keep: a change here breaks every stored draw."""
    of = frame(a=[1000, 2000, 1500, 300, 350], b=[1000] * 6, c=[4000, 100])
    assert names(of, sample(of, 5, chance(20260503))) == ["b4", "c1", "a2", "b6", "a3"]
