"""A drawn town for the map tests: six squares in two villages, one dedicated grid over the middle, hand-counted reports.

north   A3 | B3        A = village 甲村 (left column), B = village 乙村 (right column); each square is 0.01 degree.
        A2 | B2        D = dedicated grid over the corner where A2, B2, A3, B3 meet.
south   A1 | B1
"""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import Any

import numpy as np
from shapely.geometry import LineString, box

from maps.grids import ContextShape, GridShape, GridsView, Reports

CHINA = timezone(timedelta(hours=8))
AT = datetime(2026, 11, 22, 9, 0, tzinfo=CHINA)
WEST, SOUTH, SIDE = 121.2, 32.05, 0.01
VILLAGES = (("320699101001", "甲村"), ("320699101002", "乙村"))


def square(column: int, row: int) -> Any:
    west, south = WEST + column * SIDE, SOUTH + row * SIDE
    return box(west, south, west + SIDE, south + SIDE)


def grids(name: str = "{village}第{n}网格") -> list[GridShape]:
    found = [
        GridShape(
            f"{code}{row + 1:03d}",
            name.format(village=village, n=row + 1),
            "general",
            "grid",
            square(column, row),
            f"示范区 > 示范镇 > {village}",
            1_041_000.0,
            None if row == 0 else 372,
            "王一",
            code,
        )
        for column, (code, village) in enumerate(VILLAGES)
        for row in range(3)
    ]
    middle = box(WEST + 0.007, SOUTH + 0.017, WEST + 0.013, SOUTH + 0.023)
    return [*found, GridShape("320699101900001", "市场", "dedicated", "grid", middle, "示范区 > 示范镇", 370_000.0)]


def outlines() -> list[GridShape]:
    return [
        GridShape(
            code, name, "general", "community", box(WEST + i * SIDE, SOUTH, WEST + (i + 1) * SIDE, SOUTH + 3 * SIDE)
        )
        for i, (code, name) in enumerate(VILLAGES)
    ]


def reports(note: str = "路面坑洼") -> Reports:
    """Nine: three in A1 (one on its edge), two in D, one in B3 (closed), two without a grid, one without a position."""
    rows = [
        (121.203, 32.053, "320699101001001", "inside", "open"),
        (121.204, 32.054, "320699101001001", "inside", "open"),
        (121.210, 32.055, "320699101001001", "edge", "open"),
        (121.209, 32.069, "320699101900001", "inside", "open"),
        (121.211, 32.071, "320699101900001", "inside", "open"),
        (121.215, 32.076, "320699101002003", "inside", "closed"),
        (121.230, 32.060, None, "none", "open"),
        (121.231, 32.061, None, "none", "open"),
        (float("nan"), float("nan"), None, "none", "open"),
    ]
    lon, lat, grid, method, status = zip(*rows, strict=True)
    return Reports(
        np.array(lon), np.array(lat), grid, method, ["道路破损"] * 9, ["member"] * 9, status,
        [AT - timedelta(minutes=i) for i in range(9)], [note] * 9,
    )  # fmt: skip


def view(**changes: Any) -> GridsView:
    context = [ContextShape("street", LineString([(121.2, 32.06), (121.22, 32.06)]), 2.0)]
    parts: dict[str, Any] = {
        "grids": grids(), "outlines": outlines(), "reports": reports(), "context": context, "generation": 3, "at": AT,
    }  # fmt: skip
    return GridsView(**(parts | changes))
