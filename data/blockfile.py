"""Street-bounded blocks of a file of grids, as a file that loads as unit grids."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from data.gridwriter import refuse_ending, write_grids
from data.readers import GridFile, read_shapes
from gis.blocks import NARROWEST_M, SMALLEST_M2, Blocks, blocks
from gis.crs import area_m2
from gis.errors import GeometryInvalid, ParameterInvalid, TopologyRefused
from gis.findings import ordered
from gis.partition import Partition
from gis.topology import check_raw, has_errors, mode_of


@dataclass(frozen=True)
class Cut:
    """The blocks that were written, of how many streets, and what a user should know."""

    blocks: Blocks
    streets: int
    notes: list[str] = field(default_factory=list)


def write_blocks(
    roads: Path,
    within: GridFile,
    out: Path,
    *,
    roads_layer: str | None = None,
    crs: str | None = None,
    smallest_m2: float = SMALLEST_M2,
    narrowest_m: float = NARROWEST_M,
) -> Cut:
    """`out` holds the blocks with code, name, parent (the grid's code) and area_m2, in WGS 84.

    Raises TopologyRefused for grids with errors, GeometryInvalid for a file without lines, ParameterInvalid for a senseless
    threshold, and what the readers and the writer raise.
    """
    refuse_ending(out)
    if smallest_m2 < 0 or narrowest_m < 0:
        raise ParameterInvalid(
            "a threshold is 0 or more", place="--smallest-m2" if smallest_m2 < 0 else "--narrowest-m"
        )
    partition = _partition(within)
    _, shapes, _datum, notes = read_shapes(roads, layer_name=roads_layer, crs=crs)
    streets = _streets(shapes, roads)
    made = blocks(streets, partition, smallest_m2=smallest_m2, narrowest_m=narrowest_m)
    frame, geometry = _frame(made, dict(zip(partition.codes, partition.names, strict=True)))
    return Cut(made, len(streets), [*notes, *write_grids(out, frame, geometry)])


def _partition(within: GridFile) -> Partition:
    findings = check_raw(within.codes, within.geometry, enclaves=within.enclaves, mode=mode_of(within.layer))
    if has_errors(findings):
        worst = ordered(findings)[0]
        raise TopologyRefused(
            f"the grids have errors ({worst.message}): mend them first, gridbeat check GRIDS --repair OUT proposes how",
            place=worst.grids[0] if worst.grids else None,
        )
    return Partition(within.layer, within.level, tuple(within.codes), within.geometry, tuple(within.names))


def _streets(shapes: Any, roads: Path) -> Any:
    import shapely

    streets = shapes[np.array([shape is not None and "LineString" in shape.geom_type for shape in shapes], dtype=bool)]
    if not len(streets):
        raise GeometryInvalid(f"{roads.name} has no lines: blocks are bounded by lines of streets", place=roads.name)
    return streets[~shapely.is_empty(streets)]


def _frame(made: Blocks, names: dict[str, str]) -> tuple[Any, Any]:
    import geopandas

    numbers = [code.rpartition("-")[2] for code in made.codes]
    columns = {
        "code": made.codes,
        "name": [f"{names[grid] or grid} {number}" for grid, number in zip(made.grids, numbers, strict=True)],
        "parent": made.grids,
        "area_m2": np.round(area_m2(made.geometry), 1),
    }
    return geopandas.GeoDataFrame(columns, geometry=list(made.geometry), crs=4326), made.geometry
