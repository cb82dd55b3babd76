"""Orienteering: in which order to do which jobs so that the most is gained before time is up.

Not all jobs can be done, so the question is which to leave out; it is NP-hard (Golden, Levy, Vohra 1987). PyVRP answers it by iterated
local search over the order, with prizes for jobs done and a limit on the time. How far it searches is a number of iterations, never a
clock, and its chance comes from a seed, so that equal questions have equal answers on a fast and on a busy machine.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from typing import Any, Final

import numpy as np

from gis.fixes import Flags, Floats, Ints

#: Iterations of the search in all: on real streets twice as many gained 1 % more.
ITERATIONS: Final = 3000
#: In the search a second costs these shares of what the best simple order gains in one. Without a price all orders of the same jobs
#: are equal, and nothing tightens them. A search stays near to where it begins, the more so where jobs exclude each other: several
#: short ones, from every simple order and with each price, gained 10 % more at best than one long one, and seldom less.
_PRICES: Final = (0.5, 1.0)
#: All prizes together, as whole numbers that the solver counts in.
_PRIZES: Final = 10**6
#: What a second over the time costs at most; PyVRP begins with half of it, and then no prize is worth a second.
_OVER_TIME: Final = 2 * _PRIZES
_NEVER: Final = 10**8


@dataclass(frozen=True, eq=False)
class Jobs:
    """Job j takes `service_s[j]` whole seconds, brings `prize[j]`, and of jobs with the same `group` one at most is done.

    `travel_s[a, b]`: whole seconds from job a to job b; the last row is from the start, the last column to the end.
    """

    travel_s: Ints
    service_s: Ints
    prize: Floats
    group: Ints
    budget_s: int

    def __len__(self) -> int:
        return len(self.service_s)

    def seconds(self, order: list[int]) -> int:
        """What jobs in this order take, from the start to the end."""
        stops = [-1, *order, -1]
        return int(self.travel_s[stops[:-1], stops[1:]].sum() + self.service_s[order].sum())

    def fits(self, at: int, spent_s: int, left: Flags) -> Flags:
        """Which of the jobs left can be done next, when `spent_s` are over at job `at` (-1: the start), and the end still be reached."""
        done = spent_s + self.travel_s[at, :-1] + self.service_s + self.travel_s[:-1, -1]
        found: Flags = left & (done <= self.budget_s)
        return found


def nearest_first(jobs: Jobs) -> list[int]:
    """The order of one who always takes the nearest job that still fits, whatever it brings; the lower of two as near."""
    return _one_by_one(jobs, -jobs.travel_s[:, :-1].astype(np.float64))


def best_rate_first(jobs: Jobs) -> list[int]:
    """The order of one who always takes the job that brings most for each second it costs to go there and do it."""
    return _one_by_one(jobs, jobs.prize / np.maximum(jobs.travel_s[:, :-1] + jobs.service_s, 1))


def _one_by_one(jobs: Jobs, worth: Floats) -> list[int]:
    """Always the job of the greatest `worth[from, job]` among those that fit."""
    order: list[int] = []
    left, at, spent = np.ones(len(jobs), dtype=bool), -1, 0
    while (able := np.flatnonzero(jobs.fits(at, spent, left))).size:
        job = int(able[np.argmax(worth[at, able])])
        spent += int(jobs.travel_s[at, job] + jobs.service_s[job])
        left &= jobs.group != jobs.group[job]
        order.append(job)
        at = job
    return order


def most_first(jobs: Jobs, *, seed: int, iterations: int = ITERATIONS) -> list[int]:
    """The order of the most prizes that was found; never worse than `best_rate_first` or `nearest_first`, never over the budget."""
    if not len(jobs) or int(jobs.travel_s[-1, -1]) > jobs.budget_s:
        return []

    def gained(order: list[int]) -> float:
        return float(jobs.prize[order].sum())

    simple = [nearest_first(jobs), best_rate_first(jobs), _filled(jobs, [])]
    rate = max(gained(order) for order in simple) / max(jobs.budget_s, 1)
    if not rate:
        return []
    searches = list(product(simple, _PRICES))
    each = -(-iterations // len(searches))
    found = [
        _filled(jobs, _searched(jobs, begun, price * rate, seed + i, each)) for i, (begun, price) in enumerate(searches)
    ]
    return max([*simple, *found], key=gained)


def _searched(jobs: Jobs, begun: list[int], price: float, seed: int, iterations: int) -> list[int]:
    """The order of the most prizes that PyVRP came by: one vehicle from the first depot to the second, every job an optional client.

    Its own best is the one that is best after the price of time; what is wanted is most prizes, so all that it tries are looked at.
    """
    from pyvrp import IteratedLocalSearchParams, PenaltyParams, Solution, SolveParams, solve
    from pyvrp.IteratedLocalSearch import IteratedLocalSearchCallbacks
    from pyvrp.stop import MaxIterations

    class Most(IteratedLocalSearchCallbacks):
        found: Any = None

        def on_iteration(self, _current: Any, candidate: Any, best: Any, _costs: Any) -> None:
            for tried in (candidate, best):
                if tried.prizes() > self.found.prizes() and tried.is_feasible():
                    self.found = tried

    asked, most = _asked(jobs, price), Most()
    most.found = Solution(asked, [begun])
    solve(
        asked,
        MaxIterations(iterations),
        seed=seed,
        collect_stats=False,
        params=SolveParams(
            ils=IteratedLocalSearchParams(callbacks=most), penalty=PenaltyParams(max_penalty=_OVER_TIME)
        ),
        initial_solution=most.found,
    )
    return [stop.idx for tour in most.found.routes() for stop in tour if stop.is_client()]


def _asked(jobs: Jobs, price: float) -> Any:
    """The question in PyVRP's words, a second at this price; place k is job k, then come start and end."""
    from pyvrp import Client, ClientGroup, Depot, Location, ProblemData, VehicleType

    count = len(jobs)
    scale = _PRIZES / float(jobs.prize.sum())
    between: Any = np.full((count + 2, count + 2), _NEVER)
    between[: count + 1, :count] = jobs.travel_s[:, :-1]
    between[: count + 1, count + 1] = jobs.travel_s[:, -1]
    np.fill_diagonal(between, 0)
    _, of, size = np.unique(jobs.group, return_inverse=True, return_counts=True)
    shared = np.flatnonzero(size > 1).tolist()
    number = {group: i for i, group in enumerate(shared)}
    clients = [
        Client(
            location=job,
            service_duration=int(jobs.service_s[job]),
            prize=max(1, round(float(jobs.prize[job]) * scale)),
            required=False,
            group=number.get(int(of[job])),
        )
        for job in range(count)
    ]
    groups = [ClientGroup(np.flatnonzero(of == group).tolist(), required=False) for group in shared]
    walker = VehicleType(
        end_depot=1,
        shift_duration=jobs.budget_s,
        unit_distance_cost=0,
        unit_duration_cost=max(1, int(price * scale)),
    )
    places = [Location(0, 0) for _ in range(count + 2)]
    depots = [Depot(count), Depot(count + 1)]
    return ProblemData(places, clients, depots, [walker], [np.zeros_like(between)], [between], groups)


def _filled(jobs: Jobs, order: list[int]) -> list[int]:
    """The order with jobs put in, the best rate first, as long as one fits: what the price of time left out."""
    order = list(order)
    while True:
        left = np.flatnonzero(~np.isin(jobs.group, jobs.group[order]))
        spare = jobs.budget_s - jobs.seconds(order)
        stops = np.array([-1, *order, -1])
        one, other = stops[:-1], stops[1:]
        extra = jobs.travel_s[one][:, left] + jobs.travel_s[left][:, other].T
        extra = extra - jobs.travel_s[one, other][:, None] + jobs.service_s[left]
        able = extra <= spare
        if not able.any():
            return order
        rate = np.where(able, jobs.prize[left] / np.maximum(extra, 1), -np.inf)
        gap, job = np.unravel_index(int(np.argmax(rate)), rate.shape)
        order.insert(int(gap), int(left[job]))
