"""movingpandas as a peer of tracks and stops, in the form that its documentation recommends: metres of a plane, one member a Trajectory."""

from __future__ import annotations

import importlib.util
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from data.peers import PeerMissing
from gis.fixes import Fixes

Floats = npt.NDArray[np.float64]

#: (member, begin, end) of a stretch of time.
Stretch = tuple[int, np.datetime64, np.datetime64]


@contextmanager
def _tools() -> Iterator[Any]:
    """The package, its own warnings unheard (extras that it lacks, what pandas is to lose); PeerMissing when it is not installed."""
    if importlib.util.find_spec("movingpandas") is None:
        raise PeerMissing("movingpandas is not installed (extra bench)")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import movingpandas

        yield movingpandas


def trajectories_of(fixes: Fixes, metres: Floats, epsg: int) -> list[Any]:
    """A Trajectory of each member's fixes, sorted by member and time, at these metres; one fix alone makes none. Raises PeerMissing."""
    import geopandas as gpd
    import pandas as pd

    begins = np.flatnonzero(np.diff(fixes.member, prepend=-1))
    found = []
    with _tools() as tools:
        for begin, end in zip(begins.tolist(), [*begins[1:].tolist(), len(fixes)], strict=True):
            if end - begin > 1:
                points = gpd.points_from_xy(*metres[begin:end].T)
                times = pd.DatetimeIndex(fixes.at[begin:end])
                frame = gpd.GeoDataFrame({"member": fixes.member[begin:end]}, index=times, geometry=points, crs=epsg)
                found.append(tools.Trajectory(frame, int(fixes.member[begin])))
    return found


def gaps_of(trajectories: Sequence[Any], seconds: float) -> list[Stretch]:
    """The gaps of more than so many seconds at which ObservationGapSplitter cuts; it throws pieces of one fix away.

    On either side of such a piece it so tells one gap, from the piece before to the piece after.
    """
    found: list[Stretch] = []
    with _tools() as tools:
        for one in trajectories:
            cut = tools.ObservationGapSplitter(one).split(gap=timedelta(seconds=seconds))
            pieces = [piece.df.index for piece in cut]
            found += [(int(one.id), _instant(a[-1]), _instant(b[0])) for a, b in pairwise(pieces)]
    return found


def stays_of(trajectories: Sequence[Any], diameter_m: float, at_least_s: float) -> list[Stretch]:
    """The stops that TrajectoryStopDetector finds."""
    asked = {"max_diameter": diameter_m, "min_duration": timedelta(seconds=at_least_s)}
    with _tools() as tools:
        return [
            (int(one.id), _instant(stop.t_0), _instant(stop.t_n))
            for one in trajectories
            for stop in tools.TrajectoryStopDetector(one).get_stop_time_ranges(**asked)
        ]


def _instant(told: Any) -> np.datetime64:
    return np.datetime64(told, "us")
