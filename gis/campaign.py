"""Campaigns (秸秆禁烧, 防汛, 燃气 ...): what of their places or their area was done, grid by grid, in their period.

A campaign is about must-visit places, or about the ground of an area. A place is done when it was visited in the period, ground when it
was seen in it; both count for the grid that had them at that time. What is not done is missed where the members of the grid were
tracked, and unknown else (`gis.coverage`); a grid with nothing of the campaign in it is n/a.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import shapely

from gis.cellframe import Seen
from gis.cellowners import CellOwners, owners_within
from gis.coverage import NOTHING, STATES, Credit, credited, states, swept_area
from gis.findings import polygonal_each
from gis.fixes import Flags, Floats, Ints, Times, micros_of
from gis.ground import ground_m2
from gis.partition import Partition
from gis.shares import Parameters, Shares


@dataclass(frozen=True, eq=False)
class Stretch:
    """A part [begin, end) of the period with its boundaries: whose each place of the campaign was, as a position of keys; -1: nobody's."""

    begin: np.datetime64
    end: np.datetime64
    owner: Ints


@dataclass(frozen=True, eq=False)
class Done:
    """What was done per grid, and the state of each as numbers of `gis.coverage.STATES`."""

    shares: Shares
    state: npt.NDArray[np.uint8]

    @property
    def counts(self) -> dict[str, int]:
        """How many grids have each state."""
        return dict(zip(STATES, np.bincount(self.state, minlength=len(STATES)).tolist(), strict=True))

    def as_json(self) -> dict[str, Any]:
        """The figure of all together, the counts of states, and the figures of each grid that has something of the campaign in it."""
        told = self.shares.as_json()
        rows = zip(told.pop("shares"), self.state.tolist(), strict=True)
        grids = [row | {"state": STATES[state]} for row, state in rows if state != NOTHING]
        return told | {"counts": self.counts, "grids": grids}


def places_done(
    keys: tuple[str, ...], stretches: Sequence[Stretch], place: Ints, at: Times, tracked: Shares, parameters: Parameters, *,
    tracked_min: float = 0.8,
) -> Done:  # fmt: skip
    """`campaign_places`: of each grid its places of the campaign that were visited while they were its own, over all that were.

    Visit v was to place `place[v]` (as in the stretches' `owner`) at `at[v]`; any order, any repetition. Only all of them are `visited`.
    """
    count = len(stretches[0].owner) if stretches else 0
    spans = [Credit(one.owner, _visited(place, at, count, one)) for one in stretches]
    shares = credited("campaign_places", "places", keys, spans, np.ones(count), parameters)
    return Done(shares, states(shares, tracked, tracked_min=tracked_min))


def _visited(place: Ints, at: Times, count: int, within: Stretch) -> Flags:
    micros = at.astype("datetime64[us]").view(np.int64)
    inside = (micros >= micros_of(within.begin)) & (micros < micros_of(within.end)) & ~np.isnat(at)
    found = np.zeros(count, dtype=bool)
    found[place[inside]] = True
    return found


def ground_done(
    spans: Sequence[tuple[CellOwners, Seen]], area: Any, tracked: Shares, parameters: Parameters, *,
    keys: Sequence[Sequence[str]] | None = None, enough: float = 0.8, tracked_min: float = 0.8,
) -> Done:  # fmt: skip
    """`campaign_ground`, m2: of each grid its ground within the area (a polygon, WGS 84) that was seen, over all of that; whole cells.

    `spans` and `keys` as for `gis.cellowners.ground_seen`. A grid is `visited` from the share `enough` on.
    """
    within = [(owners_within(owners, area), seen) for owners, seen in spans]
    found = swept_area(within, {**parameters, "enough": enough}, keys)
    shares = Shares("campaign_ground", found.unit, found.keys, found.numerator, found.denominator, found.parameters)
    return Done(shares, states(shares, tracked, enough=enough, tracked_min=tracked_min))


def ground_of(grids: Partition, area: Any) -> tuple[Floats, Floats]:
    """(m2 of each grid's ground within the area, m2 of all its ground), edges straight in lon and lat."""
    inside = np.zeros(len(grids))
    near = np.sort(grids.tree.query(area, predicate="intersects"))
    inside[near] = ground_m2(polygonal_each(shapely.intersection(grids.geometry[near], area)))
    return inside, ground_m2(grids.geometry)
