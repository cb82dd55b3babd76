"""Where badges and texts of a picture stand: greedy, in pixels, nothing over anything else; counts are never left out."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from maps.grids import GridShape

Box = tuple[float, float, float, float]


@dataclass
class Taken:
    """Boxes already in use, in a coarse lattice so that asking stays quick."""

    side: float = 96.0
    squares: dict[tuple[int, int], list[Box]] = field(default_factory=dict)

    def _keys(self, box: Box) -> list[tuple[int, int]]:
        columns = range(int(box[0] // self.side), int(box[2] // self.side) + 1)
        rows = range(int(box[1] // self.side), int(box[3] // self.side) + 1)
        return [(column, row) for column in columns for row in rows]

    def free(self, box: Box) -> bool:
        """No box in use overlaps this one; touching is free."""
        held = (other for key in self._keys(box) for other in self.squares.get(key, ()))
        return all(o[2] <= box[0] or o[0] >= box[2] or o[3] <= box[1] or o[1] >= box[3] for o in held)

    def add(self, box: Box) -> None:
        """The box is in use."""
        for key in self._keys(box):
            self.squares.setdefault(key, []).append(box)

    def first_free(self, boxes: Iterable[Box]) -> Box | None:
        """The first of `boxes` that is free, now in use; None when none is."""
        for box in boxes:
            if self.free(box):
                self.add(box)
                return box
        return None


def around(x: float, y: float, width: float, height: float) -> Box:
    """The box of that size with its middle at (x, y)."""
    return (x - width / 2, y - height / 2, x + width / 2, y + height / 2)


def text_width(text: str, size: float) -> float:
    """About how wide a text of one line is, in the unit of `size`: a Chinese sign is as wide as high, a Latin one 0.57."""
    return size * sum(1.0 if ord(sign) > 0x2E7F else 0.57 for sign in text)


@dataclass(frozen=True)
class Badge:
    """A count and where it stands (degrees); `grid` is the index of its grid, None for a sum, of `code` or of a square."""

    n: int
    lon: float
    lat: float
    radius: float
    name: str = ""
    grid: int | None = None
    code: str | None = None


#: This share of a community's grids must have room for their own badges, else they are summed.
ENOUGH = 0.75
#: With fewer grids than this share that have room, every community is summed.
MOSTLY = 0.5


def badges(
    grids: Sequence[Any], outlines: Sequence[Any], *, pixels_a_degree: float, smallest: float, square: float
) -> list[Badge]:
    """One badge a grid where grids have room (`smallest` pixels), else a sum by ancestor; without ancestors by square.

    `grids` and `outlines` are features of `payload`. The sum over all badges is the number of assigned reports shown.
    """
    own = [_own(i, feature["properties"]) for i, feature in enumerate(grids)]
    for level in ("community", "subdistrict", "district"):
        members = [_own(i, f["properties"]) for i, f in enumerate(outlines) if f["properties"]["level"] == level]
        if members and _roomy(members, smallest / pixels_a_degree):
            return _by_ancestor(own, grids, outlines, level, smallest / pixels_a_degree)
    if typical_radius(grids, pixels_a_degree) >= smallest:
        return [badge for badge in own if badge.n]
    return _by_square([badge for badge in own if badge.n], square / pixels_a_degree)


def _roomy(held: Sequence[Badge], radius: float) -> bool:
    """Enough of these have room for a badge of their own."""
    return sum(badge.radius >= radius for badge in held) >= ENOUGH * len(held)


def _own(i: int, p: dict[str, Any]) -> Badge:
    return Badge(p.get("n", 0), p["point"][0], p["point"][1], p["radius"], p["name"], i)


def typical_radius(features: Sequence[Any], pixels_a_degree: float) -> float:
    """The median radius, in pixels, of the circles that fit into these features."""
    radii = [feature["properties"]["radius"] for feature in features]
    return float(np.median(radii)) * pixels_a_degree if radii else 0.0


def _by_ancestor(
    own: list[Badge], grids: Sequence[Any], outlines: Sequence[Any], level: str, radius: float
) -> list[Badge]:
    """Single badges where an ancestor's grids have room, one sum where they have not."""
    by_code = {f["properties"]["code"]: f["properties"] for f in outlines}
    under: dict[str, list[Badge]] = {}
    found: list[Badge] = []
    for badge, feature in zip(own, grids, strict=True):
        up = by_code.get(feature["properties"]["parent"])
        while up is not None and up["level"] != level:
            up = by_code.get(up["parent"])
        # A dedicated grid over several communities, or one with room, keeps its own badge.
        own_badge = up is None or (feature["properties"]["layer"] == "dedicated" and badge.radius >= radius)
        (found if up is None or own_badge else under.setdefault(up["code"], [])).append(badge)
    single = sum(badge.radius >= radius for badge in own) >= MOSTLY * len(own)  # else a mixture would only confuse
    for code, held in under.items():
        if single and _roomy(held, radius):
            found.extend(held)
        else:
            p = by_code[code]
            found.append(Badge(sum(b.n for b in held), p["point"][0], p["point"][1], p["radius"], p["name"], code=code))
    return [badge for badge in found if badge.n]


def _by_square(own: list[Badge], side: float) -> list[Badge]:
    squares: dict[tuple[int, int], list[Badge]] = {}
    for badge in own:
        squares.setdefault((int(badge.lon // side), int(badge.lat // side)), []).append(badge)
    return [
        Badge(
            sum(badge.n for badge in held),
            sum(badge.lon for badge in held) / len(held),
            sum(badge.lat for badge in held) / len(held),
            0.0,
        )
        for held in squares.values()
    ]


def display_name(p: dict[str, Any], parents: dict[str, str]) -> str:
    """A grid's name without its community's, which stands on the map already."""
    name = str(p["name"])
    parent = parents.get(p["parent"] or "", "")
    if name == p["code"]:
        return ""
    return name[len(parent) :] if parent and name.startswith(parent) and len(name) > len(parent) else name


def parent_names(outlines: Sequence[GridShape]) -> dict[str, str]:
    """Code -> name of every outline."""
    return {outline.code: outline.name for outline in outlines}
