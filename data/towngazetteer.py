"""The demo town's gazetteer: its streets, crossings, villages, groups, buildings with numbers and dedicated grids."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby

import shapely

from data.demo import Town
from data.town_names import TOWN
from gis.gazetteer import Entry

SOURCE = "demo town"


def town_entries(town: Town) -> list[Entry]:
    """Every name of the demo town that an address may use."""
    admin = (TOWN,)
    entries = [Entry(TOWN, "town", town.subdistrict[0].geometry, source=SOURCE)]
    entries += [Entry(one.name, "village", one.geometry, admin, source=SOURCE) for one in town.communities]
    entries += [
        Entry(one.name.removesuffix("专属网格"), "community", one.geometry, admin, source=SOURCE)
        for one in town.dedicated
    ]
    entries += _streets(town, admin)
    entries += [
        Entry(one.name, "crossing", shapely.Point(one.lon, one.lat), admin, source=SOURCE) for one in town.crossings
    ]
    for one in town.households:
        point = shapely.Point(one.lon, one.lat)
        entries.append(
            Entry(one.address.removeprefix(TOWN), "building", point, admin, external_id=one.external_id, source=SOURCE)
        )
    return entries


def _streets(town: Town, admin: tuple[str, ...]) -> Iterator[Entry]:
    """One entry a street: its pieces together."""
    for name, pieces in groupby(sorted(town.streets, key=lambda one: one.name), key=lambda one: one.name):
        line = shapely.line_merge(shapely.union_all([piece.geometry for piece in pieces]))
        yield Entry(name, "street", line, admin, source=SOURCE)
