"""Redrawn towns: two states of a drawn town as Boundaries, where a letter's uid is `u` and the letter; and random ones."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from hypothesis import strategies as st

from gis.partition import Boundaries, Partition, Unit
from tests.town import shapes

#: A town of four letters in five columns and four rows; a dot belongs to nobody.
plans = st.lists(st.text("ABCD.", min_size=5, max_size=5), min_size=4, max_size=4).map("\n".join)
overlay_plans = st.lists(st.text("MN...", min_size=5, max_size=5), min_size=4, max_size=4).map("\n".join)
#: Places in halves of a letter, so that many lie on edges and corners, and some beyond the town.
places = st.lists(st.tuples(st.integers(-1, 11), st.integers(-1, 9)), min_size=1, max_size=40)


def town(general: str, dedicated: str = "", wider: str = "", *, codes: Mapping[str, str] | None = None) -> Boundaries:
    """The boundaries of drawn layers: `wider` is the general layer's community level."""
    parts: list[Partition] = []
    units: dict[str, Unit] = {}
    for plan, layer, level in (
        (general, "general", "grid"),
        (dedicated, "dedicated", "grid"),
        (wider, "general", "community"),
    ):
        found = {(codes or {}).get(letter, letter): (letter, shape) for letter, shape in shapes(plan).items()}
        if found:
            geometry = np.empty(len(found), dtype=object)
            geometry[:] = [shape for _, shape in found.values()]
            parts.append(Partition(layer, level, tuple(found), geometry))
            units |= {f"u{letter}": Unit(f"u{letter}", code, code, layer, level) for code, (letter, _) in found.items()}
    return Boundaries(1, tuple(parts), units)
