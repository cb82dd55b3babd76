"""Coverage by cell: squares of the town's metric plane, how much of each was seen, and when last."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import shapely

from data.coverage import TownCoverage
from data.coverageanswers import Box, Narrowing, feature, figure, row_of
from data.recency import recencies
from gis.cellframe import SIDE, CellFrame
from gis.errors import ParameterInvalid
from gis.fixes import MICRO, Flags, Ints, Times

#: Cells that are answered at once.
MOST_CELLS: Final = 5_000


def by_cell(coverage: TownCoverage, wanted: Narrowing, cell_m: float) -> list[dict[str, Any]]:
    """Squares of `cell_m` in the town's metric plane: the share of their ground of the layer that was seen in the window, and recency.

    `cell_m` is a multiple of the sweep's cells. Needs a grid or a box with at most MOST_CELLS squares: ParameterInvalid otherwise.
    """
    frame = coverage.found.evidence.ground.frame
    step = round(cell_m / frame.cell_m)
    if step < 1 or abs(step * frame.cell_m - cell_m) > 1e-9:
        raise ParameterInvalid(f"cell_m is a multiple of {frame.cell_m:g}", place="cell_m")
    row = row_of(coverage, wanted.grid)
    west, south, east, north = _cell_box(coverage, frame, wanted, row)
    columns, rows = np.arange(west // step, east // step + 1), np.arange(south // step, north // step + 1)
    if len(columns) * len(rows) > MOST_CELLS:
        raise ParameterInvalid(
            f"{len(columns) * len(rows):,} cells; at most {MOST_CELLS:,} are answered: a smaller bbox or larger cell_m",
            place="bbox",
        )
    return _cells(coverage, frame, step, columns, rows, row)


def _cell_box(coverage: TownCoverage, frame: CellFrame, wanted: Narrowing, row: int | None) -> list[int]:
    """The box of base cells that is asked about, within the frame."""
    if wanted.bbox is not None:
        box = wanted.bbox
    elif row is not None:
        box = _bounds_of(coverage, coverage.keys[row])
    else:
        raise ParameterInvalid("cells are answered for a grid or a bbox", place="bbox")
    x, y = frame.cells(np.array([box[0], box[2]]), np.array([box[1], box[3]]))
    limits = (frame.columns * SIDE - 1, frame.rows * SIDE - 1)
    return [int(np.clip(value, 0, limits[k % 2])) for k, value in enumerate((x[0], y[0], x[1], y[1]))]


def _bounds_of(coverage: TownCoverage, uid: str) -> Box:
    """The box of a grid as it was last in the window."""
    state = next(one.state for one in reversed(coverage.stretches) if uid in one.state.boundaries.units)
    west, south, east, north = state.boundaries.shapes[uid].bounds
    return west, south, east, north


@dataclass(frozen=True, eq=False)
class _Squares:
    """What squares hold, one position each: base cells of the layer's ground, those seen, when last seen, whose nobody was tracked."""

    ground: Ints
    covered: Ints
    newest: Times
    blind: Flags


def _cells(
    coverage: TownCoverage, frame: CellFrame, step: int, columns: Ints, rows: Ints, only: int | None
) -> list[dict[str, Any]]:
    held = _squares(coverage, frame, step, columns, rows, only)
    recency = recencies(held.newest, coverage.end, ~held.blind, held.ground > 0)
    features = []
    for k in np.flatnonzero(held.ground).tolist():
        west, south = int(columns[k % len(columns)]) * step, int(rows[k // len(columns)]) * step
        corners = np.array(
            [(west + i * step, south + j * step) for i, j in ((0, 0), (1, 0), (1, 1), (0, 1))], np.float64
        )
        shape = shapely.Polygon(frame.places(*np.ascontiguousarray(corners.T)))
        area = figure(float(held.covered[k]) * frame.cell_m2, float(held.ground[k]) * frame.cell_m2)
        features.append(feature(f"{west}/{south}", shape, {"seen_area": area, "recency": recency[k]}))
    return features


def _squares(
    coverage: TownCoverage, frame: CellFrame, step: int, columns: Ints, rows: Ints, only: int | None
) -> _Squares:
    x, y = np.meshgrid(*(np.arange(k[0] * step, (k[-1] + 1) * step) + 0.5 for k in (columns, rows)))
    x, y = x.ravel(), y.ravel()
    state, evidence = coverage.last.state, coverage.found.evidence
    lon, lat = np.ascontiguousarray(frame.places(x, y).T)
    owner = coverage.rows_of(coverage.last, state.index.locate(lon, lat, distance=False).by_layer[coverage.wish.layer])
    inside = owner >= 0 if only is None else owner == only
    seen = np.any([evidence.seen(one.begin64, one.end64).at(x, y) for one in coverage.stretches], axis=0)
    square = ((y // step).astype(np.int64) - rows[0]) * len(columns) + (x // step).astype(np.int64) - columns[0]
    count = len(columns) * len(rows)
    newest = np.zeros(count, np.int64)
    np.maximum.at(newest, square[inside], evidence.last_seen(coverage.end).at(x, y)[inside])
    watched = np.append(coverage.watched(coverage.tracked_ever), False)
    return _Squares(
        np.bincount(square[inside], minlength=count),
        np.bincount(square[inside & seen], minlength=count),
        np.where(newest > 0, newest * MICRO, np.iinfo(np.int64).min).view("datetime64[us]"),
        np.bincount(square[inside & ~watched[owner]], minlength=count) > 0,
    )
