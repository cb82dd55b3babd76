"""NextWalk: where a member should walk in the time that is left, so that the most debt is cleared; stop by stop, with reasons.

    most   sum of the weights of what is done
    where  walking there along the streets + what it takes there, over all of it, <= the minutes given

A stop is an Errand: a place, or a street that is walked from end to end in whichever direction suits. Weights are drawn up or down a
little by chance, so that things about equally overdue take turns and no member walks the same every day; what weighs over
(1 + variation) / (1 - variation) times as much as something else in the same spot still always comes first.
"""

from __future__ import annotations

import math
from typing import Final

import numpy as np

from gis.debts import Debts
from gis.errands import Choices, NextWalk, Outing, Place, choices_of, no_walk, walked
from gis.errors import ParameterInvalid
from gis.fixes import Flags, Floats, Ints
from gis.orienteering import ITERATIONS, Jobs, most_first
from gis.streetgraph import StreetGraph
from gis.walking import STRAIGHT_FACTOR, Walking, walking

#: Metres a second: an easy walk that looks about.
WALKING_MPS: Final = 1.2
#: Weights are drawn between 1 - this and 1 + this of themselves: about a day's difference after a week.
VARIATION: Final = 0.15
#: So many errands are weighed against each other; twice as many cleared no more on the streets of Wuhan.
CANDIDATES: Final = 120
#: What walking to an errand costs among others, in seconds, when candidates are chosen.
_ON_THE_WAY_S: Final = 120.0


def next_walk(
    graph: StreetGraph,
    debts: Debts,
    start: Place,
    minutes: float,
    *,
    rng: np.random.Generator,
    end: Place | None = None,
    walking_mps: float = WALKING_MPS,
    variation: float = VARIATION,
    candidates: int = CANDIDATES,
    iterations: int = ITERATIONS,
    straight_factor: float = STRAIGHT_FACTOR,
) -> NextWalk:
    """The walk from `start` (lon, lat) that clears the most debt in so many minutes, and is at `end` by then if there is one.

    Equal debts, in whatever order, and an equally seeded generator give the equal walk; a generator of the member and the day gives
    him the same answer all day. When more than `candidates` errands are within reach, only those are weighed that bring most for the
    time they take, counting less the later one gets there. Raises ParameterInvalid for a number that is none or out of range,
    CoordinateInvalid for a place that is none.
    """
    outing = _outing(graph, debts, minutes, walking_mps, start, end)
    if not (0.0 <= variation <= 0.5 and candidates >= 1 and iterations >= 1):
        raise ParameterInvalid("variation is 0 to 0.5, candidates and iterations are above 0", place="variation")
    order = debts.in_order()
    drawn = debts.weight.copy()
    drawn[order] *= 1.0 + variation * rng.uniform(-1.0, 1.0, len(order))
    seed = int(rng.integers(2**31))
    if not len(order):
        return no_walk(outing, "no-debts")
    every = choices_of(graph, outing, order)
    far = walking(graph, every.place, straight_factor=straight_factor)
    left, reached = _left_s(far, every, outing)
    if not reached.any():
        return no_walk(outing, _why(left, end))
    worth = drawn[every.debt] * every.share / (outing.service_s(every) + _ON_THE_WAY_S) * left
    few = every.only(_best(every, np.where(reached, worth, -1.0), candidates))
    near = walking(graph, few.place, straight_factor=straight_factor)
    jobs = _jobs(near, few, outing, drawn)
    done = most_first(jobs, seed=seed, iterations=iterations)
    return walked(near, few, outing, done, _debts_in(every, reached))


def nearest_walk(
    graph: StreetGraph,
    debts: Debts,
    start: Place,
    minutes: float,
    *,
    end: Place | None = None,
    walking_mps: float = WALKING_MPS,
    straight_factor: float = STRAIGHT_FACTOR,
) -> NextWalk:
    """The walk of one who always goes to the nearest debt that still fits into the time: what `next_walk` is measured against."""
    outing = _outing(graph, debts, minutes, walking_mps, start, end)
    order = debts.in_order()
    if not len(order):
        return no_walk(outing, "no-debts")
    every = choices_of(graph, outing, order)
    far = walking(graph, every.place, straight_factor=straight_factor)
    left, reached = _left_s(far, every, outing)
    service, home = outing.service_s(every), _home_m(far, every) / walking_mps
    open_, at, spent, taken = np.ones(len(every.debt), dtype=bool), 0, 0.0, list[int]()
    while True:
        metres = far.metres(np.array([at]), every.entry)[0]
        able = open_ & (spent + metres / walking_mps + service + home <= outing.budget_s)
        if not able.any():
            break
        best = int(np.argmin(np.where(able, metres, np.inf)))
        spent += float(metres[best] / walking_mps + service[best])
        open_ &= every.piece != every.piece[best]
        at = int(every.leave[best])
        taken.append(best)
    return walked(far, every, outing, taken, _debts_in(every, reached)) if taken else no_walk(outing, _why(left, end))


def _outing(
    graph: StreetGraph, debts: Debts, minutes: float, walking_mps: float, start: Place, end: Place | None
) -> Outing:
    if not (math.isfinite(minutes) and minutes >= 0):
        raise ParameterInvalid("the minutes left are a finite number from 0 on", place="minutes")
    if not (math.isfinite(walking_mps) and walking_mps > 0):
        raise ParameterInvalid("walking_mps is above 0", place="walking_mps")
    tips = np.array([start] if end is None else [start, end], np.float64)
    return Outing(debts, minutes, walking_mps, graph.metres(tips[:, 0], tips[:, 1]))


def _home_m(far: Walking, choices: Choices) -> Floats:
    """Metres from where each choice is over to the end; 0 without an end."""
    if choices.end < 0:
        return np.zeros(len(choices.debt))
    found: Floats = far.metres(np.array([choices.end]), choices.leave)[0]
    return found


def _left_s(far: Walking, choices: Choices, outing: Outing) -> tuple[Floats, Flags]:
    """(seconds left on arrival at each choice, less what the way from there to the end takes; whether it can be done in them)."""
    there = far.metres(np.array([0]), choices.entry)[0] + _home_m(far, choices)
    left = outing.budget_s - there / outing.walking_mps
    return left, left >= outing.service_s(choices)


def _debts_in(choices: Choices, reached: Flags) -> int:
    return len(np.unique(choices.debt[reached]))


def _why(left_s: Floats, end: Place | None) -> str:
    """Why nothing can be done: as one of NOTHING."""
    return "end-too-far" if end is not None and left_s.max() < 0 else "out-of-reach"


def _best(choices: Choices, worth: Floats, most: int) -> Ints:
    """The choices within reach of the pieces of greatest worth, in order."""
    top = np.full(int(choices.piece.max()) + 1, -1.0)
    np.maximum.at(top, choices.piece, worth)
    chosen = np.argsort(-top, kind="stable")[:most]
    return np.flatnonzero(np.isin(choices.piece, chosen) & (worth >= 0))


def _jobs(near: Walking, choices: Choices, outing: Outing, drawn: Floats) -> Jobs:
    """The question in whole seconds, each rounded up: what fits in them fits in the time."""
    sources, targets = np.append(choices.leave, 0), choices.entry
    rows, row = np.unique(sources, return_inverse=True)
    columns, column = np.unique(targets, return_inverse=True)
    metres = near.metres(rows, columns)[np.ix_(row, column)]
    home = np.zeros(len(sources)) if choices.end < 0 else near.metres(np.array([choices.end]), sources)[0]
    travel = np.ceil(np.column_stack([metres, home]) / outing.walking_mps).astype(np.int64)
    service = np.ceil(outing.service_s(choices)).astype(np.int64)
    return Jobs(travel, service, drawn[choices.debt] * choices.share, choices.piece, outing.budget_s)
