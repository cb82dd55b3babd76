"""Which jobs to do, in which order: the best of all orders where all can be tried, and the laws that hold everywhere."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest

from gis.orienteering import Jobs, best_rate_first, most_first, nearest_first


def drawn(seed: int, count: int, budget_s: int = 900, *, home: bool = False, pairs: bool = False) -> Jobs:
    """Jobs strewn over 600 m; with `pairs` two and two exclude each other."""
    rng = np.random.default_rng(seed)
    place = rng.uniform(0, 600, (count + 1, 2))
    travel = np.ceil(np.hypot(*np.moveaxis(place[:, None] - place[None], -1, 0))).astype(np.int64)
    end = travel[:, -1] if home else np.zeros(count + 1, np.int64)
    group = np.arange(count) // 2 if pairs else np.arange(count)
    return Jobs(
        np.column_stack([travel[:, :-1], end]), rng.integers(0, 200, count), rng.exponential(5, count), group, budget_s
    )


def prize(jobs: Jobs, order: list[int]) -> float:
    return float(jobs.prize[order].sum())


def best(jobs: Jobs) -> float:
    """By trying every order of every choice."""
    numbers = range(len(jobs))
    orders = (list(p) for size in range(len(jobs) + 1) for p in permutations(numbers, size))
    able = (o for o in orders if len(set(jobs.group[o].tolist())) == len(o) and jobs.seconds(o) <= jobs.budget_s)
    return max(prize(jobs, order) for order in able)


@pytest.mark.parametrize("seed", range(12))
def test_of_few_jobs_the_best_order_is_found(seed: int) -> None:
    jobs = drawn(seed, 7, home=seed % 2 == 1, pairs=seed % 3 == 0)
    assert prize(jobs, most_first(jobs, seed=seed)) == pytest.approx(best(jobs))


@pytest.mark.parametrize("seed", range(6))
def test_of_many_no_group_is_done_twice_and_time_is_kept(seed: int) -> None:
    jobs = drawn(seed, 60, home=seed % 2 == 1, pairs=seed % 3 == 0)
    order = most_first(jobs, seed=seed, iterations=500)
    assert len(set(jobs.group[order].tolist())) == len(order)
    assert jobs.seconds(order) <= jobs.budget_s
    assert prize(jobs, order) >= max(prize(jobs, best_rate_first(jobs)), prize(jobs, nearest_first(jobs)))
    assert order == most_first(jobs, seed=seed, iterations=500)


def test_seconds_are_ways_and_work() -> None:
    """Start to 0 takes 10, 0 to 1 takes 7, 1 to the end 5; the work 100 and 200."""
    jobs = Jobs(np.array([[0, 7, 9], [7, 0, 5], [10, 40, 20]]), np.array([100, 200]), np.ones(2), np.arange(2), 1000)
    assert jobs.seconds([0, 1]) == 322
    assert jobs.seconds([]) == 20


def test_the_nearest_is_taken_first_the_best_rate_first_and_neither_beyond_the_time() -> None:
    """A job worth 1 at 10 s, one worth 100 at 100 s on the other side; both fit only from the near to the far one and not back."""
    travel = np.array([[0, 110, 0], [110, 0, 0], [10, 100, 0]])
    jobs = Jobs(travel, np.zeros(2, np.int64), np.array([1.0, 100.0]), np.arange(2), 120)
    assert nearest_first(jobs) == [0, 1]
    assert best_rate_first(jobs) == [1]
    assert most_first(jobs, seed=0) == [0, 1]
    short = Jobs(travel, jobs.service_s, jobs.prize, jobs.group, 119)
    assert nearest_first(short) == [0]
    assert most_first(short, seed=0) == [1]


def test_without_jobs_or_without_time_to_reach_the_end_nothing_is_done() -> None:
    none = Jobs(np.array([[5]]), np.zeros(0, np.int64), np.zeros(0), np.zeros(0, np.int64), 100)
    assert most_first(none, seed=0) == []
    far = Jobs(np.array([[0, 0], [0, 200]]), np.zeros(1, np.int64), np.ones(1), np.arange(1), 100)
    assert most_first(far, seed=0) == []
    beyond = Jobs(np.array([[0, 0], [101, 0]]), np.zeros(1, np.int64), np.ones(1), np.arange(1), 100)
    assert most_first(beyond, seed=0) == []


def test_time_left_over_is_filled_with_what_brings_little() -> None:
    """The price of time alone would leave out the job that is worth a thousandth a second of the other."""
    travel = np.array([[0, 300, 0], [300, 0, 0], [10, 310, 0]])
    jobs = Jobs(travel, np.array([0, 600]), np.array([1000.0, 1.0]), np.arange(2), 1000)
    assert most_first(jobs, seed=0) == [0, 1]
