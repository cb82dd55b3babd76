"""Spot checks (四不两直): which grids are looked at unannounced: a sample by strata, each grid with the probability that it had.

    weight        (1 + unseen + events) x rested, in whole thousandths: what was not seen for long, what has many events, and less
                  what was spot-checked lately; never nothing
    strata        a community's grids of one class of risk; a class with a single grid joins the next one of its community
    between them  n is shared by the sums of weights: at least one each where n allows, the rest by largest remainder. Where n is
                  less than the number of strata, the fractions are rounded by chance, systematically along the strata, so that
                  communities still get their share and no grid is ever out of reach
    within one    systematic selection with probability proportional to weight, without replacement, from a list in random order
                  (W. G. Madow, Annals of Mathematical Statistics 20, 1949; H. O. Hartley and J. N. K. Rao, ibid. 33, 1962). Its
                  probabilities are exact: grids taken x weight / sum of weights; who comes to one or more is taken for certain
                  and the others share what is left

Whatever decides is reckoned in whole numbers, and chance are the raw words of the generator, whose stream numpy promises to keep. Grids
are put in the order of their uid first. So a seed and a frame give the same sample on every machine and from any order of rows.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from gis.coverage import MISSED, UNKNOWN
from gis.errors import ParameterInvalid
from gis.fixes import Flags, Floats, Ints

#: Classes of risk, the first that fits: not seen in time, missed or unknown; many events; no spot check for long; none of these.
RISKS: Final = ("unseen", "busy", "unchecked", "calm")

#: What weights are counted in.
_UNIT: Final = 1000
#: The most that not being seen and events add to a weight.
_MOST: Final = 2.0


@dataclass(frozen=True)
class Weighing:
    """What makes a grid likelier to be drawn.

    `revisit_days`: a grid that was not seen for so long is overdue, which adds 1, and in proportion up to 2; so do never and unknown.
    `busy`: so many times the mean number of events are many. `rest_days`: from a spot check on the weight rises from `least` (a share)
    to its whole in so many days. Raises ParameterInvalid.
    """

    revisit_days: float = 7.0
    busy: float = 2.0
    rest_days: float = 180.0
    least: float = 0.1

    def __post_init__(self) -> None:
        if not (self.revisit_days > 0 and self.busy > 0 and self.rest_days > 0 and 0.001 <= self.least <= 1):
            raise ParameterInvalid("days and busy are above 0, least is a share from 0.001 on", place="weighing")

    def as_json(self) -> dict[str, float]:
        """The parameters by name."""
        return asdict(self)


@dataclass(frozen=True, eq=False)
class GridRisks:
    """What is known of n grids: `open_events`, `recent_events` (closed ones of the last days), days since the last spot check (NaN: never).

    Where coverage is known, `unseen_days` since a grid was last seen (NaN: never, or nobody knows), and `state` as `gis.coverage` counts
    them. `community` names the grid above, "" where there is none.
    """

    uid: tuple[str, ...]
    community: tuple[str, ...]
    open_events: Ints
    recent_events: Ints
    checked_days: Floats
    unseen_days: Floats | None = None
    state: npt.NDArray[np.uint8] | None = None


@dataclass(frozen=True, eq=False)
class Parts:
    """What a weight is made of, per grid in the order it was told: (1 + unseen + events) x rested."""

    unseen: Floats
    events: Floats
    rested: Floats


@dataclass(frozen=True, eq=False)
class Frame:
    """All that can be drawn: `uid[i]` is in `stratum[i]` and has `weight[i]`, a whole number above 0. Any order."""

    uid: tuple[str, ...]
    stratum: tuple[str, ...]
    weight: Ints

    def as_json(self) -> dict[str, Any]:
        """The columns, to be stored with a draw."""
        return {"grid": list(self.uid), "stratum": list(self.stratum), "weight": self.weight.tolist()}

    @staticmethod
    def of_json(kept: Mapping[str, Any]) -> Frame:
        """The frame that `as_json` wrote."""
        return Frame(tuple(kept["grid"]), tuple(kept["stratum"]), np.array(kept["weight"], np.int64))


@dataclass(frozen=True)
class StratumDrawn:
    """How many of a stratum's grids were drawn."""

    stratum: str
    grids: int
    weight: int
    drawn: int


@dataclass(frozen=True, eq=False)
class Sample:
    """The grids drawn, as positions in the frame, in the order in which to go there (drawn too); and the chance of every grid of the frame.

    `probability` adds up to the number drawn.
    """

    rows: Ints
    probability: Floats
    strata: tuple[StratumDrawn, ...]


def framed(risks: GridRisks, weighing: Weighing) -> tuple[Frame, Parts]:
    """The frame of these grids and what their weights are made of."""
    unseen, is_unseen = _unseen(risks, weighing)
    count = (risks.open_events + risks.recent_events).astype(np.float64)
    mean = max(float(count.mean()), 1e-9) if len(count) else 1.0
    events = np.minimum(count / mean / 2, _MOST)
    since = np.where(np.isnan(risks.checked_days), np.inf, np.maximum(risks.checked_days, 0.0))
    rested = weighing.least + (1.0 - weighing.least) * np.minimum(since / weighing.rest_days, 1.0)
    weight = np.rint((1.0 + unseen + events) * rested * _UNIT).astype(np.int64)
    risk = np.select([is_unseen, count >= weighing.busy * mean, since >= weighing.rest_days], [0, 1, 2], 3)
    return Frame(risks.uid, _strata(risks.community, risk), weight), Parts(unseen, events, rested)


def _unseen(risks: GridRisks, weighing: Weighing) -> tuple[Floats, Flags]:
    """What not being seen adds, and whether it is a class of its own; nothing where nothing is known of anybody."""
    part, late = np.zeros(len(risks.uid)), np.zeros(len(risks.uid), dtype=bool)
    if risks.unseen_days is not None:
        days = np.where(np.isnan(risks.unseen_days), np.inf, np.maximum(risks.unseen_days, 0.0))
        part = np.minimum(days / weighing.revisit_days, _MOST)
        late = days >= weighing.revisit_days
    if risks.state is not None:
        lacking = (risks.state == MISSED) | (risks.state == UNKNOWN)
        part, late = np.where(lacking, _MOST, part), late | lacking
    return part, late


def _strata(community: Sequence[str], risk: Ints) -> tuple[str, ...]:
    """The stratum of each grid: its community and its class, or the classes that were joined because one has a single grid."""
    members: dict[str, dict[int, list[int]]] = {}
    for row, (name, kind) in enumerate(zip(community, risk.tolist(), strict=True)):
        members.setdefault(name, {}).setdefault(kind, []).append(row)
    found = [""] * len(community)
    for name, held in members.items():
        for kinds in _joined({kind: len(held[kind]) for kind in sorted(held)}):
            label = f"{name} {'+'.join(RISKS[kind] for kind in kinds)}".strip()
            for row in (row for kind in kinds for row in held[kind]):
                found[row] = label
    return tuple(found)


def _joined(sizes: Mapping[int, int]) -> list[list[int]]:
    """Classes put together until each group has two grids; what is left at the end joins the group before."""
    groups: list[list[int]] = [[]]
    for kind, size in sizes.items():
        groups[-1].append(kind)
        if size + sum(sizes[one] for one in groups[-1][:-1]) > 1:
            groups.append([])
    last = groups.pop()
    if last and groups:
        groups[-1] += last
    return groups if groups else [last]


def sample(frame: Frame, n: int, generator: np.random.Generator) -> Sample:
    """So many different grids of the frame are drawn, or all where it has fewer. ParameterInvalid for n below 1, or an empty frame."""
    if n < 1:
        raise ParameterInvalid("n is a whole number from 1 on", place="n")
    if not frame.uid:
        raise ParameterInvalid("there are no grids to draw from", place="layer")
    in_place, in_turn = _words(frame.uid, generator), _words(frame.uid, generator)
    strata = [rows[np.argsort(in_place[rows], kind="stable")] for rows in _members(frame)]
    size = np.array([len(rows) for rows in strata], np.int64)
    weight = np.array([frame.weight[rows].sum() for rows in strata], np.int64)
    share = (_expected if n < len(strata) else _at_least_one)(size, weight, min(n, len(frame.uid)))
    counts = _counted(*share, generator)
    probability, taken = np.zeros(len(frame.uid)), []
    for rows, count, least, more in zip(strata, counts.tolist(), *(one.tolist() for one in share[:2]), strict=True):
        probability[rows] = _chances(frame.weight[rows], least, more / share[2])
        taken.append(rows[_counted(*_expected(np.ones_like(rows), frame.weight[rows], count), generator) > 0])
    chosen = np.concatenate(taken)
    told = zip(
        (frame.stratum[rows[0]] for rows in strata), size.tolist(), weight.tolist(), counts.tolist(), strict=True
    )
    order = np.argsort(in_turn[chosen], kind="stable")
    return Sample(chosen[order], probability, tuple(StratumDrawn(*one) for one in told))


def _words(uid: Sequence[str], generator: np.random.Generator) -> npt.NDArray[np.uint64]:
    """A random word for each grid: the first of the generator for the lowest uid, and so on."""
    found = np.empty(len(uid), np.uint64)
    found[sorted(range(len(uid)), key=uid.__getitem__)] = generator.bit_generator.random_raw(len(uid))
    return found


def _members(frame: Frame) -> list[Ints]:
    """The rows of each stratum, strata by name."""
    held: dict[str, list[int]] = {}
    for row in sorted(range(len(frame.uid)), key=lambda row: (frame.stratum[row], frame.uid[row])):
        held.setdefault(frame.stratum[row], []).append(row)
    return [np.array(rows, np.int64) for rows in held.values()]


def _chances(weight: Ints, least: int, often: float) -> Floats:
    """The probability of each grid of a stratum of which `least` are taken, or with the probability `often` one more."""
    found = np.zeros(len(weight))
    for count, chance in ((least, 1.0 - often), (least + 1, often)):
        if chance > 0.0:
            whole, part, parts = _expected(np.ones_like(weight), weight, count)
            found += chance * (whole + part / parts)
    return np.minimum(found, 1.0)  # rounding


#: (least, more, total): of thing i at least `least[i]` are taken, and with probability more[i] / total one more.
_Expected = tuple[Ints, Ints, int]


def _expected(size: Ints, weight: Ints, n: int) -> _Expected:
    """How n is shared in proportion to weight, where thing i can have `size[i]` at most: what would get as many gets all."""
    full = np.zeros(len(size), dtype=bool)
    while True:
        left, total = n - int(size[full].sum()), max(int(weight[~full].sum()), 1)
        over = ~full & (left * weight >= size * total)
        if not over.any():
            break
        full |= over
    least, more = np.divmod(left * weight, total)
    return np.where(full, size, least), np.where(full, 0, more), total


def _at_least_one(size: Ints, weight: Ints, n: int) -> _Expected:
    """How n is shared in proportion to weight, one to `size[i]` each; the rest goes by largest remainder, then in order."""
    total = int(weight.sum())
    count = np.clip(n * weight // total, 1, size)
    while lacking := n - int(count.sum()):
        step = 1 if lacking > 0 else -1
        free = count < size if step > 0 else count > 1
        remainder = np.where(free, (n * weight - count * total) * step, np.iinfo(np.int64).min)
        count[np.argmax(remainder)] += step
    return count, np.zeros_like(count), 1


def _counted(least: Ints, more: Ints, total: int, generator: np.random.Generator) -> Ints:
    """How many of each are taken: one more where the running sum of `more`, begun at chance, passes a multiple of `total`."""
    steps = (np.cumsum(more) + _below(generator, total)) // total
    return least + np.diff(steps, prepend=0)


def _below(generator: np.random.Generator, bound: int) -> int:
    """A whole number from 0 to bound - 1, all equally likely; words above the last multiple of it are thrown away."""
    while (word := int(generator.bit_generator.random_raw())) >= (1 << 64) // bound * bound:
        pass
    return word % bound
