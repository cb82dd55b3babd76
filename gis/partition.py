"""Partition: all grids of one layer and level at one time; Boundaries: every partition at one instant, with names and parents."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
import shapely

from gis.crs import metres_per_degree
from gis.errors import CodeInvalid, GeometryInvalid

Geometries = npt.NDArray[np.object_]

#: Layers as deployed by default: name, priority (smaller wins), mode. A deployment may change priority and mode.
LAYERS: tuple[tuple[str, int, str], ...] = (
    ("dedicated", 10, "overlay"),
    ("frontage", 20, "overlay"),
    ("general", 30, "overlay"),
    ("micro", 40, "overlay"),
    ("unit", 50, "overlay"),
)

#: Levels from the widest to the narrowest.
LEVELS: tuple[str, ...] = ("district", "subdistrict", "community", "grid", "micro_grid")


def default_level(layer: str) -> str:
    """The level a file's grids have when nobody says it: `micro_grid` for the micro and unit layers, else `grid`."""
    return "micro_grid" if layer in {"micro", "unit"} else "grid"


@dataclass(frozen=True)
class Partition:
    """All grids of one layer and level at one time: `codes[i]` is drawn by `geometry[i]` (WGS 84 lon/lat, (Multi)Polygon).

    Sorted by code in UTF-8 byte order, so the lowest index that covers a point is the lowest code: the edge rule.
    `names` is empty or as long as `codes`. Immutable; the polygons may touch, overlap or leave gaps: `gis.topology` tells.
    Raises CodeInvalid for a code that stands twice, GeometryInvalid for what is not polygonal.
    """

    layer: str
    level: str
    codes: tuple[str, ...]
    geometry: Geometries
    names: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if len(self.codes) != len(self.geometry) or (self.names and len(self.names) != len(self.codes)):
            raise GeometryInvalid("codes, names and geometry differ in length")
        keys = [code.encode() for code in self.codes]
        order = sorted(range(len(keys)), key=keys.__getitem__)
        repeated = [self.codes[b] for a, b in itertools.pairwise(order) if keys[a] == keys[b]]
        if repeated:
            raise CodeInvalid(f"code {repeated[0]} stands twice in layer {self.layer}", place=repeated[0])
        geometry = np.empty(len(order), dtype=object)
        geometry[:] = [self.geometry[i] for i in order]
        object.__setattr__(self, "codes", tuple(self.codes[i] for i in order))
        object.__setattr__(self, "names", tuple(self.names[i] for i in order) if self.names else ())
        object.__setattr__(self, "geometry", geometry)
        geometry.flags.writeable = False

    def __len__(self) -> int:
        return len(self.codes)

    @cached_property
    def position(self) -> dict[str, int]:
        """Code -> index."""
        return {code: i for i, code in enumerate(self.codes)}

    def neighbours(self, code: str) -> list[dict[str, Any]]:
        """The grids that touch one: `{"grid", "shared_m"}` by code; `shared_m` is the border they share, 0 for a corner.

        Metres of a plane at the shared border's middle; exact for shared vertices, which a valid partition has.
        """
        own = self.geometry[self.position[code]]
        touched = np.sort(self.tree.query(own, predicate="intersects"))
        others = [i for i in touched.tolist() if self.codes[i] != code]
        borders = shapely.intersection(shapely.boundary(own), shapely.boundary(self.geometry[others]))
        return [
            {"grid": self.codes[i], "shared_m": round(_length_m(line), 2)}
            for i, line in zip(others, borders, strict=True)
        ]

    @cached_property
    def tree(self) -> shapely.STRtree:
        """The polygons by their boxes, ready for any number of threads."""
        made = shapely.STRtree(self.geometry)
        made.query(shapely.box(-180, -90, 180, 90))  # GEOS builds it now, which must not happen in two threads
        return made


def _length_m(line: Any) -> float:
    if shapely.length(line) == 0:
        return 0.0
    east, north = metres_per_degree(np.array([shapely.get_y(shapely.centroid(line))]))
    return float(shapely.length(shapely.transform(line, lambda xy: xy * [east[0], north[0]])))


@dataclass(frozen=True)
class Unit:
    """One grid of any level at one instant, without its shape: what a path or a list names."""

    uid: str
    code: str
    name: str
    layer: str
    level: str
    parent: str | None = None  # uid of the grid above
    further_parents: tuple[str, ...] = ()  # a dedicated grid may lie over several


@dataclass(frozen=True)
class Boundaries:
    """Every partition in force at one instant as known at another, with names and parents.

    `generation` is 0 before anything was published. `partitions` holds all layers and levels; `priorities` says which
    layer wins; `units` maps uid -> Unit.
    """

    generation: int
    partitions: tuple[Partition, ...]
    units: dict[str, Unit] = field(default_factory=dict)
    priorities: dict[str, int] = field(default_factory=lambda: {name: priority for name, priority, _ in LAYERS})

    @cached_property
    def by_code(self) -> dict[str, Unit]:
        """Code -> Unit; codes are unique over all layers at any instant."""
        return {unit.code: unit for unit in self.units.values()}

    @cached_property
    def shapes(self) -> dict[str, Any]:
        """Uid -> polygon."""
        by_code = self.by_code
        return {
            by_code[code].uid: shape
            for partition in self.partitions
            for code, shape in zip(partition.codes, partition.geometry, strict=True)
        }

    def partition(self, layer: str, level: str) -> Partition | None:
        """The partition of a layer and level, if it has grids."""
        return next((p for p in self.partitions if (p.layer, p.level) == (layer, level)), None)

    def above(self, level: str) -> Partition | None:
        """The partition on the next wider level present: where the parents of this level's grids are looked for."""
        wider = [p for p in self.partitions if p.layer == "general" and LEVELS.index(p.level) < LEVELS.index(level)]
        return max(wider, key=lambda p: LEVELS.index(p.level), default=None)

    def assignable(self) -> tuple[Partition, ...]:
        """The partitions that reports are assigned to: of each layer its narrowest level, by priority then layer name."""
        narrowest: dict[str, Partition] = {}
        for partition in self.partitions:
            held = narrowest.get(partition.layer)
            if held is None or LEVELS.index(partition.level) > LEVELS.index(held.level):
                narrowest[partition.layer] = partition
        return tuple(sorted(narrowest.values(), key=lambda p: (self.priorities.get(p.layer, 1000), p.layer)))

    def path(self, code: str) -> list[dict[str, Any]]:
        """The ancestors of a grid and the grid itself, widest first: `{"level", "code", "name"}` each; not to be written to."""
        known = self._paths.get(code)
        if known is None:
            known = [{"level": u.level, "code": u.code, "name": u.name} for u in reversed(list(self._upwards(code)))]
            self._paths[code] = known
        return known

    @cached_property
    def _paths(self) -> dict[str, list[dict[str, Any]]]:
        """The paths that were asked for: every report of a grid has the same one."""
        return {}

    def _upwards(self, code: str) -> Iterator[Unit]:
        unit = self.by_code.get(code)
        seen: set[str] = set()
        while unit is not None and unit.uid not in seen:
            yield unit
            seen.add(unit.uid)
            unit = self.units.get(unit.parent) if unit.parent else None


def partition_of(
    codes: Sequence[str], geometry: Sequence[Any], layer: str = "general", level: str = "grid"
) -> Partition:
    """A Partition from plain sequences, for files and tests."""
    array = np.empty(len(geometry), dtype=object)
    array[:] = list(geometry)
    return Partition(layer, level, tuple(codes), array)
