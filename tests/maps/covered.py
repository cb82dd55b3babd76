"""A drawn town for the coverage tests: the six squares of `drawn`, a seventh without anything to visit, and what was seen of them.

north   A3 old-ish 9 d | B3 unknown, 12 d as far as known
        A2 6 d         | B2 never
south   A1 half a day  | B1 20 d               | C1 nothing to visit
A cycle is 7 days: A1 and A2 were re-visited, A3, B1 and B2 were not, of B3 nobody knows. 2 of 5 known grids are 40 %.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import numpy as np
import numpy.typing as npt
from shapely.geometry import LineString

from maps.coverage import CoverageView, DayTrack, DuePlace, GridCoverage, Recency, StreetCoverage
from maps.grids import ContextShape
from tests.maps.drawn import AT, SIDE, SOUTH, WEST, outlines, square

DAY = AT.replace(hour=0, minute=0)
PARAMETERS = {
    "revisit_days": 7.0, "layer": "general", "sight_m": 25.0, "cell_m": 10.0, "enough": 1.0, "tracked_min": 0.8,
    "evidence_since": AT - timedelta(days=60), "own_rule": None,
}  # fmt: skip
#: name, column, row, recency, state, places visited of places.
SQUARES = (
    ("A1", 0, 0, Recency("seen", 0.5), "visited", (4, 4)),
    ("A2", 0, 1, Recency("seen", 6.0), "visited", (2, 2)),
    ("A3", 0, 2, Recency("seen", 9.0), "missed", (3, 4)),
    ("B1", 1, 0, Recency("seen", 20.0), "missed", (0, 3)),
    ("B2", 1, 1, Recency("never"), "missed", (0, 1)),
    ("B3", 1, 2, Recency("unknown", 12.0), "unknown", (1, 2)),
    ("C1", 2, 0, Recency("none"), None, (0, 0)),
)


def at(x: float, y: float) -> tuple[float, float]:
    """The place x squares east and y squares north of the town's corner."""
    return WEST + x * SIDE, SOUTH + y * SIDE


def grids(name: str = "{name}网格") -> list[GridCoverage]:
    return [
        GridCoverage(
            f"32069910100{i}", name.format(name=square_name), square(column, row), "示范区 > 示范镇", recency, state,
            {"places_visited": places, "street_seen_one_side": (45_590.0, 45_600.0), "tracked": (3.0 * 3600, 4.0 * 3600)},
            ("王一",) if i == 0 else (),
        )
        for i, (square_name, column, row, recency, state, places) in enumerate(SQUARES)
    ]  # fmt: skip


def streets() -> list[StreetCoverage]:
    """One kilometre each along the middle of three squares: seen today, overdue, never."""
    rows = ((0.5, Recency("seen", 0.5)), (1.5, Recency("seen", 9.0)), (2.5, Recency("never")))
    return [StreetCoverage(f"第{y}路", LineString([at(0.1, y), at(0.9, y)]), 1000.0, recency) for y, recency in rows]


def places() -> list[DuePlace]:
    """Ten days over; two and a half over as far as known; a day to go and likely late; five days to go."""
    rows = (
        ("P1", "overdue", 10.0, None),
        ("P2", "unknown", 2.5, None),
        ("P3", "soon", -1.0, 0.32),
        ("P4", "due", -5.0, None),
    )
    return [
        DuePlace(
            code, "出租屋", f"{code}号楼", *at(0.25 + 0.15 * i, 0.75), "320699101000",
            None if code == "P1" else AT - timedelta(days=7 + over), AT - timedelta(days=over), state, likely,
        )
        for i, (code, state, over, likely) in enumerate(rows)
    ]  # fmt: skip


def piece(begin: float, end: float, *ways: tuple[float, float]) -> npt.NDArray[np.float64]:
    """A piece at even speed from `begin` to `end` (hours of the day) through places."""
    return np.column_stack([np.linspace(begin, end, len(ways)) * 3600, [at(*way) for way in ways]])


def tracks() -> list[DayTrack]:
    """M1 walks A1 west to east from 8 to 9, is lost, and walks A3 from 10 to 11. M2 stands in B1 from 8 to 11."""
    return [
        DayTrack("M1", "王一", "320699101000", [piece(8, 9, (0.2, 0.2), (0.8, 0.2)), piece(10, 11, (0.2, 2.2), (0.8, 2.2))]),
        DayTrack("M2", "李二", "320699101003", [piece(8, 11, (1.5, 0.5), (1.5, 0.5))]),
    ]  # fmt: skip


def view(**changes: Any) -> CoverageView:
    parts: dict[str, Any] = {
        "grids": grids(), "streets": streets(), "places": places(), "tracks": tracks(), "day": DAY, "outlines": outlines(),
        "context": [ContextShape("street", LineString([at(0, 1), at(2, 1)]), 2.0), ContextShape("water", square(0, 1).buffer(-0.004))],
        "totals": {"places_visited": (10.0, 16.0), "grids_revisited": (2.0, 5.0)},
        "counts": {"visited": 2, "missed": 3, "unknown": 1, "n/a": 1},
        "begin": AT - timedelta(days=7), "end": AT, "at": AT, "parameters": PARAMETERS, "generation": 3,
    }  # fmt: skip
    return CoverageView(**(parts | changes))


def unseen(**changes: Any) -> CoverageView:
    """The town before anybody was tracked: all is unknown, but where there is nothing to visit."""
    blank = [
        GridCoverage(g.code, g.name, g.geometry, g.path, Recency("unknown" if g.state else "none"), g.state and "unknown", {})
        for g in grids()
    ]  # fmt: skip
    counts = {"visited": 0, "missed": 0, "unknown": 6, "n/a": 1}
    return view(
        **({"grids": blank, "streets": (), "places": (), "tracks": (), "totals": {}, "counts": counts} | changes)
    )
