"""Guesses at what made a group of grids what a file says, the plainest first; `gis.recognise` tries them."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import chain
from typing import Any

import shapely

from gis.codes import sequence
from gis.findings import polygonal
from gis.noding import edges_of, lines_of
from gis.snapping import NOISE

Body = dict[str, Any]


@dataclass(frozen=True)
class Group:
    """Grids that exchanged ground: `old` and `new` map codes to shapes; a code in both is one grid, before and after.

    `created` are codes of `new` that are new grids, `retired` codes of `old` that are gone. `across`: the old ones have several
    parents, so a border between them is also their parents'.
    """

    layer: str
    level: str
    old: Mapping[str, Any]
    new: Mapping[str, Any]
    created: frozenset[str]
    retired: tuple[str, ...]
    names: Mapping[str, str]
    parents: Mapping[str, str]
    across: bool

    @property
    def flag(self) -> Body:
        """The member that lets parents' borders move with their children's, where they might."""
        return {"across_parent": True} if self.across else {}

    def named(self, split: Body, parts: Mapping[str, Any]) -> Body:
        """The split with each part called what the file calls it; `parts` are its shapes under the codes tried."""
        codes = [most_shared(self.new, parts[code]) for code in split["codes"]]
        return split | {"codes": codes, "names": [self.names[code] for code in codes]}


def geojson(shape: Any) -> Body:
    """A shape as JSON would give it back: lists, and every double whole."""
    held: Body = json.loads(json.dumps(shapely.geometry.mapping(shape)))
    return held


def guesses(group: Group) -> Iterator[list[Body]]:
    """Lists of operations, each of which may be what was done; transfers may still be missing at the end."""
    if not group.old:
        yield [_create(group, code, "overlay") for code in sorted(group.created)]
    elif not group.new:
        yield [{"op": "retire", "grid": code} for code in group.retired]
    else:
        yield from _plain(group)
        yield from _mixed(group)


def _plain(group: Group) -> Iterator[list[Body]]:
    """One grid has another code or became several, several became one, or two have another border."""
    if len(group.old) == len(group.new) == 1 and group.retired:
        yield [{"op": "recode", "grid": group.retired[0], "code": next(iter(group.new))}]
    if len(group.old) == 1 and len(group.new) > 1 and group.retired:
        lines = _lines(group.new)
        if lines:
            codes = list(group.new)
            order = sequence(shapely.get_coordinates(shapely.point_on_surface(list(group.new.values()))))
            yield [{"op": "split", "grid": group.retired[0], "lines": lines, "codes": [codes[k] for k in order]}]
    if len(group.new) == 1 and len(group.old) > 1:
        code = next(iter(group.new))
        if code in group.old:
            yield [{"op": "merge", "grids": list(group.old), "into": code}]
        else:
            yield [{"op": "merge", "grids": list(group.old), "code": code, "name": group.names[code]}]
    if not group.created and not group.retired and len(group.new) == 2 and _both_ways(group):
        lines = _lines(group.new)
        if len(lines) == 1:
            yield [{"op": "reshape", "grids": sorted(group.new), "line": lines[0], **group.flag}]


def _mixed(group: Group) -> Iterator[list[Body]]:
    """Vanished grids become the new one that has most of them, or go to the old one that has; other new ones are carved out.

    The rest is for transfers.
    """
    heirs = {code: most_shared(group.new, group.old[code]) for code in group.retired}
    first: list[Body] = []
    carved = []
    for code in sorted(group.created):
        mine = [old for old, heir in heirs.items() if heir == code]
        if len(mine) > 1:
            first.append({"op": "merge", "grids": mine, "code": code, "name": group.names[code]})
        elif mine:
            first.append({"op": "recode", "grid": mine[0], "code": code})
        else:
            carved.append(_create(group, code, "carve") | group.flag)
    given = [
        {"op": "retire", "grid": code, "into": heir, **group.flag}
        for code, heir in heirs.items()
        if heir not in group.created
    ]
    yield [*first, *carved, *given]
    if given:
        yield [*given, *first, *carved]
    yield [_create(group, code, "carve") | group.flag for code in sorted(group.created)] + [
        {"op": "retire", "grid": code, "into": heir, **group.flag} for code, heir in heirs.items()
    ]


def _create(group: Group, code: str, mode: str) -> Body:
    parent = {"parent": group.parents[code]} if code in group.parents else {}
    return {
        "op": "create", "area": geojson(group.new[code]), "layer": group.layer, "level": group.level,
        "code": code, "name": group.names[code], "mode": mode, **parent,
    }  # fmt: skip


def transfers(group: Group, shapes: Mapping[str, Any]) -> list[Body]:
    """What still has to change hands, given the shapes as they are: the largest pieces first."""
    found: list[tuple[float, Body]] = []
    for code, new in group.new.items():
        area = geojson(new)
        for other, shape in shapes.items():
            if other != code and code in shapes and (size := _shared(new, shape)):
                found.append((-size, {"op": "transfer", "from": other, "to": code, "area": area, **group.flag}))
    return [body for _, body in sorted(found, key=lambda pair: (pair[0], pair[1]["from"], pair[1]["to"]))]


def _shared(one: Any, other: Any) -> float:
    """The ground two shapes share, 0 where it is noise."""
    if not shapely.intersects(one, other):
        return 0.0
    common = polygonal(shapely.intersection(one, other))
    left = shapely.buffer(common, -NOISE, join_style="mitre")
    return 0.0 if shapely.is_empty(left) else float(shapely.area(common))


def most_shared(shapes: Mapping[str, Any], one: Any) -> str:
    """The code of the shape that shares most ground with another; the first in order where none does."""
    return max(sorted(shapes), key=lambda code: _shared(shapes[code], one))


def _both_ways(group: Group) -> bool:
    one, other = sorted(group.new)
    if not {one, other} <= set(
        group.old
    ):  # a grid that is somewhere else altogether: its old ground is another group's
        return False
    return bool(_shared(group.old[one], group.new[other]) and _shared(group.old[other], group.new[one]))


def _lines(shapes: Mapping[str, Any]) -> list[Body]:
    """The borders between shapes that meet vertex for vertex, as GeoJSON lines from junction to junction."""
    counted = Counter(chain.from_iterable(map(edges_of, shapes.values())))
    inner = [one for one, times in counted.items() if times == 2]
    if not inner:
        return []
    merged = shapely.get_parts(shapely.line_merge(shapely.multilinestrings(lines_of(inner))))
    return [{"type": "LineString", "coordinates": shapely.get_coordinates(line).tolist()} for line in merged]
