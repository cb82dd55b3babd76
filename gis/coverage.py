"""Coverage: what patrols saw of each grid in a window, and what nobody can say.

Five figures of one evidence, each with its own name and denominator: swept area, street length seen from one side or both,
places and households visited, recency, and grids fully re-visited on time. None of them is "the coverage".

Three states. `visited`: enough was covered. `missed`: it was not, and the members who should have been there were tracked.
`unknown`: it was not, as far as anybody knows, and they were not tracked: never missed, and never 0. Where there is nothing to
cover there is no state (n/a).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from gis.cellframe import LastSeen, Seen
from gis.cellowners import CellOwners, ground_seen
from gis.errors import ParameterInvalid
from gis.fixes import MICRO, Flags, Floats, Ints, Times, micros_of
from gis.locate import GridIndex
from gis.shares import Parameters, Share, Shares, summed, weighed

#: The states by number.
STATES: Final = ("visited", "missed", "unknown", "n/a")
VISITED, MISSED, UNKNOWN, NOTHING = range(len(STATES))

_DAY_S: Final = 86_400


@dataclass(frozen=True, eq=False)
class Credit:
    """A stretch of the window with its boundaries: whose each thing was (`owner`, -1: nobody's) and was it seen then."""

    owner: Ints
    done: Flags


def owners_of(index: GridIndex, layer: str, lon: Floats, lat: Floats, position: Mapping[str, int]) -> Ints:
    """Whose places are in a layer, as positions of codes (`position`: code -> number); -1: nobody's."""
    number = np.array([position.get(code, -1) for code in index.codes] + [-1], np.int64)
    found = index.locate(lon, lat, distance=False).by_layer.get(layer)
    return np.full(len(lon), -1, np.int64) if found is None else number[found]


def swept_area(
    spans: Sequence[tuple[CellOwners, Seen]], parameters: Parameters, keys: Sequence[Sequence[str]] | None = None
) -> Shares:
    """(a) `swept_area`, m2: the ground of each grid that was within sight, over its ground (without water where that was left out).

    `spans` as for `gis.cellowners.ground_seen`: each walk is credited to the grid of its time. Both are whole cells.
    """
    names, seen, cells = ground_seen(spans, keys)
    size = spans[0][0].frame.cell_m2 if spans else 0.0
    return Shares(
        "swept_area", "m2", names, seen.astype(np.float64) * size, cells.astype(np.float64) * size, parameters
    )


def credited(
    name: str, unit: str, keys: tuple[str, ...], spans: Sequence[Credit], weight: Floats, parameters: Parameters
) -> Shares:
    """Of each grid the weight of the things done while they were its own, over the weight of all that were at some time.

    For street pieces (metres; (b) `street_seen_one_side`, `street_seen_both_sides`), for must-visit places (weight 1; (c)
    `places_visited`) and households (`households_visited`). A thing that was a grid's in several spans counts once.
    """
    owner = np.concatenate([span.owner for span in spans]) if spans else np.empty(0, np.int64)
    done = np.concatenate([span.done for span in spans]) if spans else np.empty(0, dtype=bool)
    thing = np.tile(np.arange(len(weight)), len(spans))
    pair, row = np.unique(owner * len(weight) + thing, return_inverse=True)
    once = np.zeros(len(pair), dtype=bool)
    np.logical_or.at(once, row, done)
    whose, what = np.divmod(pair, max(len(weight), 1))
    return summed(name, unit, keys, whose, weight[what], once, parameters)


def tracked(keys: tuple[str, ...], owner: Ints, tracked_s: Floats, duty_s: Floats) -> Shares:
    """`tracked`, s: of each grid the duty of its members in which their way is known (`gis.tracks.tracked_s`), over all their duty.

    `owner[k]` is the grid of span k of duty, as a position in `keys`. Leave is no duty: leave it out.
    """
    return Shares("tracked", "s", keys, weighed(owner, tracked_s, len(keys)), weighed(owner, duty_s, len(keys)))


def states(shares: Shares, tracked: Shares, *, enough: float = 1.0, tracked_min: float = 0.8) -> npt.NDArray[np.uint8]:
    """The state of each key of `shares` as numbers of STATES.

    `visited` from `enough` of the denominator on, all of it by default; else `missed` where at least `tracked_min` of the duty was
    tracked; else `unknown`, also where there was no duty at all; n/a where there is nothing to cover.
    """
    if not (0.0 <= enough <= 1.0 and 0.0 < tracked_min <= 1.0):
        raise ParameterInvalid("enough and tracked_min are shares; tracked_min is above 0", place="enough")
    known = tracked.aligned(shares.keys)
    watched = (known.denominator > 0) & (known.numerator >= tracked_min * known.denominator)
    covered = shares.numerator >= enough * shares.denominator
    return np.select([shares.denominator <= 0, covered, watched], [NOTHING, VISITED, MISSED], UNKNOWN).astype(np.uint8)


@dataclass(frozen=True, eq=False)
class Revisits:
    """(e) Which grids were fully re-visited on time: the state per grid, and the figures over all of them."""

    shares: Shares
    state: npt.NDArray[np.uint8]

    @property
    def counts(self) -> dict[str, int]:
        """How many grids have each state."""
        return dict(zip(STATES, np.bincount(self.state, minlength=len(STATES)).tolist(), strict=True))

    @property
    def on_time(self) -> Share:
        """`grids_revisited`: grids fully re-visited over grids of which it is known; how many are unknown stands in the parameters."""
        counts = self.counts
        known = counts["visited"] + counts["missed"]
        more = {"unknown": counts["unknown"], "n/a": counts["n/a"]}
        return Share("grids_revisited", "grids", counts["visited"], known, {**self.shares.parameters, **more})

    def as_json(self) -> dict[str, Any]:
        """The figure over all grids, the counts of states, and each grid's figures with its state (null: nothing to visit)."""
        rows = self.shares.as_json()["shares"]
        for row, state in zip(rows, self.state.tolist(), strict=True):
            row["state"] = STATES[state] if state != NOTHING else None
        return {"on_time": self.on_time.as_json(), "counts": self.counts, "grids": rows}


def revisits(
    keys: tuple[str, ...], owner: Ints, last: Times, tracked: Shares, *,
    as_of: np.datetime64, revisit_days: float = 7.0, tracked_min: float = 0.8,
) -> Revisits:  # fmt: skip
    """Whether every place of each grid was visited in the `revisit_days` before `as_of`.

    `owner[i]` is the grid of place i as a position in `keys`, `last[i]` its newest visit before `as_of` (NaT: never). One place
    that was not visited makes a grid missed or, where its members were not tracked, unknown.
    """
    if not revisit_days > 0:
        raise ParameterInvalid("revisit_days is above 0", place="revisit_days")
    since = micros_of(as_of) - round(revisit_days * _DAY_S * MICRO)
    recent = ~np.isnat(last) & (last.view(np.int64) >= since) & (last.view(np.int64) < micros_of(as_of))
    parameters = {"revisit_days": revisit_days, "as_of": str(as_of)}
    return revisits_on_time(keys, owner, recent, tracked, parameters, tracked_min=tracked_min)


def revisits_on_time(
    keys: tuple[str, ...], owner: Ints, on_time: Flags, tracked: Shares, parameters: Parameters, *,
    tracked_min: float = 0.8, unsure: Flags | None = None,
) -> Revisits:  # fmt: skip
    """The same where the caller says of each place whether it was visited on time, as for places with intervals of their own.

    A place that is `unsure` (nobody can say: evidence is younger than its interval) makes its grid unknown, not missed.
    """
    shares = summed(
        "places_revisited",
        "places",
        keys,
        owner,
        np.ones(len(owner)),
        on_time,
        {**parameters, "tracked_min": tracked_min},
    )
    state = states(shares, tracked, tracked_min=tracked_min)
    if unsure is not None:
        late = np.zeros(len(keys), dtype=bool)
        late[owner[(owner >= 0) & ~on_time & ~unsure]] = True
        state[(state == MISSED) & ~late] = UNKNOWN
    return Revisits(shares, state)


def ground_ages(
    owners: CellOwners, last: LastSeen, as_of: np.datetime64, days: Sequence[float] = (1, 3, 7, 14)
) -> tuple[tuple[str, ...], Floats]:
    """(d) Recency of ground: per grid (n, len(days) + 2) m2 last seen less than so many days ago, longer ago, and never.

    The classes are disjoint; a row adds up to the grid's ground. `last` must be as of the same instant.
    """
    from gis.runloops import count_ages

    limits = np.array([micros_of(as_of) // MICRO - round(d * _DAY_S) for d in sorted(days)], np.int64)
    found = np.zeros((len(owners.codes), len(limits) + 2), np.int64)
    directory = last.directory.ravel().astype(np.int64)
    count_ages(owners.start, owners.begin, owners.end, owners.grid, directory, last.seconds, limits, found)
    return owners.codes, found.astype(np.float64) * owners.frame.cell_m2
