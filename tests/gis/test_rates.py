"""One walk at several rates of fixes: what noise and silence between fixes do to its length and to the ground it saw.

The walk: an hour at 1.2 m/s through streets, straight for one to two minutes, a turn at most corners, and at six of ten corners two to
four minutes at a door. The noise: normal, 5 m in each direction (a 68 % radius of 7.5 m), of every fix anew, which is the worst for
length: real receivers' errors follow each other.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
import numpy.typing as npt
import pytest
import shapely

from gis.sweep import Sweep
from gis.tracks import Tracks, length_m, stops_of, walked
from tests.gis.walks import DAY, at, fixes, frame, tracks

Floats = npt.NDArray[np.float64]
SIGHT_M, NOISE_M, WALKS = 25.0, 5.0, 12


def walk(seed: int) -> Floats:
    """(3,601, 2) metres: where one is in each second."""
    rng = np.random.default_rng(seed)
    heading, place = 0.0, np.array([700.0, 700.0])
    found = [place]
    while len(found) <= 3600:
        heading += rng.choice([-1, 1]) * np.pi / 2 if rng.random() < 0.7 else 0.0
        for _ in range(int(rng.integers(60, 121))):
            place = np.clip(place + 1.2 * np.array([np.cos(heading), np.sin(heading)]), 100, 1300)
            found.append(place)
        if rng.random() < 0.6:
            found += [place] * int(rng.integers(120, 241))
    return np.array(found[:3601])


@dataclass(frozen=True)
class Figures:
    """Over the truth, means of several walks: raw and averaged length; ground by discs round the fixes, by raw and by averaged legs."""

    raw_length: float
    length: float
    discs: float
    raw_ground: float
    ground: float
    bridged: float


@cache
def figures(step: int) -> Figures:
    return Figures(*np.mean([_of_one(seed, step) for seed in range(WALKS)], axis=0).tolist())


def _of_one(seed: int, step: int) -> list[float]:
    places, rng = walk(seed), np.random.default_rng(100 + seed)
    told = places[::step] + rng.normal(0, NOISE_M, (len(places[::step]), 2))
    raw = tracks(fixes([(float(k * step), *place) for k, place in enumerate(told.tolist())]))
    steady = walked(raw, stops_of(raw))
    length = float(np.hypot(*np.diff(places, axis=0).T).sum())
    ground = shapely.area(shapely.buffer(shapely.LineString(places), SIGHT_M))
    discs = shapely.area(shapely.buffer(shapely.MultiPoint(told), SIGHT_M))
    lengths = [float(length_m(some).sum()) / length for some in (raw, steady)]
    return [*lengths, discs / ground, *(_seen_m2(some) / ground for some in (raw, steady)), raw.bridged.mean()]


def _seen_m2(some: Tracks) -> float:
    made = Sweep(frame(), SIGHT_M, origin=DAY)
    made.add(some)
    return made.seen(DAY, at(86_400)).count * frame().cell_m2


def test_raw_length_is_tripled_by_noise_at_five_seconds_and_ours_is_not() -> None:
    assert figures(5).raw_length > 3.0
    assert figures(5).length == pytest.approx(1.0, abs=0.03)


@pytest.mark.parametrize("step", [5, 10, 30])
def test_length_and_ground_are_the_truth_within_two_and_three_percent_up_to_thirty_seconds(step: int) -> None:
    assert figures(step).ground == pytest.approx(1.0, abs=0.02)
    assert figures(step).length == pytest.approx(1.0, abs=0.03)


def test_a_hundred_and_twenty_seconds_cut_corners_are_marked_and_never_claim_more() -> None:
    """144 m between fixes: a tenth of the ground is not seen to be seen; discs round the fixes would find half of it."""
    found = figures(120)
    assert 0.8 < found.ground < 0.97
    assert 0.8 < found.length < 1.0
    assert found.discs < 0.65
    assert found.bridged > 0.95


def test_legs_find_what_discs_round_the_fixes_miss() -> None:
    shares = {step: (figures(step).discs, figures(step).ground) for step in (30, 120)}
    assert shares[120][1] > 1.5 * shares[120][0]
    assert figures(5).discs > 1.1  # and noise makes discs too many where fixes are dense
    assert figures(5).raw_ground > 1.1
