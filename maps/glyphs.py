"""Thousands of short texts on pages: the outline of a sign is made once and set wherever it stands, four times as fast as a text each.

For tables of a hundred pages. What is written so can be read and printed, and not be searched: the HTML beside it can.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Final

import numpy as np

from maps.picture import font_family

_POINT_MM: Final = 25.4 / 72
#: Middle of a digit above its base line, as a share of the size.
_MIDDLE: Final = 0.36


@lru_cache(maxsize=8192)
def outline(sign: str, points: float) -> tuple[Any, float]:
    """(outline, advance) of one sign in millimetres; the outline of a blank is None. No kerning."""
    from matplotlib.font_manager import FontProperties
    from matplotlib.path import Path
    from matplotlib.textpath import text_to_path

    font = FontProperties(family=font_family(), size=points)
    # A lone blank has no width: every sign is measured between two others.
    width = text_to_path.get_text_width_height_descent
    advance = width(f"0{sign}0", font, ismath=False)[0] - width("00", font, ismath=False)[0]
    vertices, codes = text_to_path.get_text_path(font, sign)
    scale = points / text_to_path.FONT_SCALE * _POINT_MM
    return Path(np.asarray(vertices) * scale, codes) if len(vertices) else None, advance * _POINT_MM


@dataclass
class Glyphs:
    """Texts of one size (points) and colour on axes whose unit is the millimetre; they stand after `draw`."""

    points: float
    colour: str
    places: dict[str, list[tuple[float, float]]] = field(default_factory=lambda: defaultdict(list))

    def add(self, x: float, y: float, text: str, *, right: bool = False) -> None:
        """The text begins at x, or ends there; its middle is at height y."""
        advances = [outline(sign, self.points)[1] for sign in text]
        at, low = x - sum(advances) if right else x, y - _MIDDLE * self.points * _POINT_MM
        for sign, advance in zip(text, advances, strict=True):
            if outline(sign, self.points)[0] is not None:
                self.places[sign].append((at, low))
            at += advance

    def draw(self, axes: Any) -> None:
        """Every sign stands on the axes, one collection for all places of the same sign."""
        from matplotlib.collections import PathCollection
        from matplotlib.transforms import Affine2D

        millimetres = Affine2D().scale(1 / 25.4) + axes.figure.dpi_scale_trans
        for sign, places in self.places.items():
            shape = outline(sign, self.points)[0]
            made = PathCollection(
                [shape], offsets=places, offset_transform=axes.transData, facecolors=self.colour, linewidths=0
            )
            made.set_transform(millimetres)
            axes.add_collection(made, autolim=False)
