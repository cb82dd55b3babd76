"""Households from a table: points with counts, in any datum."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from data.batch import rejection
from data.headings import columns_by_heading
from data.rowchunk import Rejection, RowChunk
from data.tables import Table
from gis.codes import code_text
from gis.crs import CONVERTER, Datum, one_to_storage, parse_datum
from gis.errors import FieldMissing, GridError, ParameterInvalid
from gis.store.engine import Engine
from gis.store.households import NewHousehold, store_households

HEADINGS: dict[str, tuple[str, ...]] = {
    "lon": ("lon", "longitude", "lng", "x", "经度"),
    "lat": ("lat", "latitude", "y", "纬度"),
    "households": ("households", "count", "户数"),
    "external_id": ("external_id", "编号"),
    "address": ("address", "地址"),
}


@dataclass(frozen=True)
class HouseholdPlan:
    """Which column feeds which field, and the datum of the places."""

    columns: Mapping[str, str]
    datum: Datum


@dataclass
class HouseholdsLoaded:
    """What became of a table of households; in a dry run, what would."""

    rows: int = 0
    points: int = 0
    households: int = 0
    rejected: int = 0


def plan_households(table: Table, mapped: Mapping[str, str], datum: Datum | None) -> HouseholdPlan:
    """The plan for a table; FieldMissing when there is no place or no count."""
    columns = columns_by_heading(table.columns, HEADINGS)
    if table.position is not None:
        columns["lon"], columns["lat"] = table.position
    found = columns | dict(mapped)
    for name, column in mapped.items():
        if name not in HEADINGS or column not in table.columns:
            raise ParameterInvalid(f"--map {name}={column}: no such field or column", place=name)
    for name in ("lon", "lat", "households"):
        if name not in found:
            raise FieldMissing(f"the table needs a column {name}; it has {', '.join(table.columns)}", place=name)
    return HouseholdPlan(found, datum or parse_datum("wgs84"))


def load_households(
    engine: Engine,
    chunks: Iterable[RowChunk],
    plan: HouseholdPlan,
    *,
    commit: bool,
    on_rejected: Callable[[list[Rejection]], None] = lambda _: None,
    on_progress: Callable[[int], None] = lambda _: None,
) -> HouseholdsLoaded:
    """Every usable row is a household point afterwards, all in one transaction; without `commit` only counted."""
    loaded = HouseholdsLoaded()
    with engine.begin() as connection:
        for chunk in chunks:
            taken, refused = _households(chunk, plan)
            loaded.rows += len(chunk.numbers) + len(chunk.rejected)
            loaded.points += len(taken)
            loaded.households += sum(one.households for one in taken)
            loaded.rejected += len(refused)
            on_rejected(refused)
            if commit:
                store_households(connection, taken)
            on_progress(loaded.rows)
    return loaded


def _households(chunk: RowChunk, plan: HouseholdPlan) -> tuple[list[NewHousehold], list[Rejection]]:
    taken: list[NewHousehold] = []
    refused = list(chunk.rejected)
    for number, row in zip(chunk.numbers, chunk.rows, strict=True):
        try:
            taken.append(_household({name: row.get(column) for name, column in plan.columns.items()}, plan.datum))
        except GridError as error:
            refused.append(rejection(number, error, row))
    return taken, sorted(refused, key=lambda one: one.row)


def _household(row: Mapping[str, Any], datum: Datum) -> NewHousehold:
    try:
        x, y, count = float(row["lon"]), float(row["lat"]), float(row["households"])
    except (TypeError, ValueError):
        raise FieldMissing("lon, lat and households are numbers", place="lon") from None
    if not count.is_integer() or not 0 <= count <= 1_000_000:
        raise ParameterInvalid(f"households is a whole number from 0, not {count:g}", place="households")
    lon, lat = one_to_storage(x, y, datum)
    texts = {name: None if row.get(name) in (None, "") else code_text(row[name]) for name in ("external_id", "address")}
    return NewHousehold(lon, lat, int(count), **texts, crs=datum.name, converter=CONVERTER)
