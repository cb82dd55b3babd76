"""Coverage as it is answered: by grid, by piece of street, by place, by household, by cell."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
import numpy.typing as npt
import shapely

from data.coverage import TownCoverage
from data.evidence import utc
from gis.coverage import STATES
from gis.duetimes import seen_since
from gis.errors import ParameterInvalid
from gis.fixes import Flags, Floats, Ints
from gis.shares import Share, Shares

Box = tuple[float, float, float, float]


@dataclass(frozen=True)
class Narrowing:
    """Which rows are asked for: of one grid (code), in a box, after a key, at most so many."""

    grid: str | None = None
    bbox: Box | None = None
    after: int = 0
    limit: int = 1_000


def figure(numerator: float, denominator: float, unknown: float | None = None) -> dict[str, Any]:
    """One figure as JSON; value null for n/a, and where all of the denominator is unknown: never 0 for what nobody can say."""
    known = denominator > 0 and (unknown is None or unknown < denominator)
    told = {"numerator": numerator, "denominator": denominator, "value": numerator / denominator if known else None}
    return told if unknown is None else told | {"unknown": unknown}


def by_grid(coverage: TownCoverage, grid: str | None = None) -> dict[str, Any]:
    """Every grid of the layer with its figures, recency and state; the figures over all of them."""
    rows = [row for row in grid_rows(coverage) if grid is None or grid in {row["grid"], row["uid"]}]
    if grid is not None and not rows:
        raise ParameterInvalid(f"no grid {grid} of this layer was in force in the window", place="grid")
    return {**head(coverage, "grid"), **totals(coverage), "grids": rows}


def head(coverage: TownCoverage, by: str) -> dict[str, Any]:
    """What stands before the rows of every answer."""
    state = coverage.last.state
    return {"by": by, "generation": state.boundaries.generation, "parameters": coverage.parameters}


def totals(coverage: TownCoverage) -> dict[str, Any]:
    """Each figure over all grids, the share of grids fully re-visited on time, and how many grids have each state."""
    unknown = {name: float(_unknown(coverage, one).sum()) for name, one in coverage.figures.items()}
    return {
        "totals": {name: _unit(one, unknown[name]) for name, one in coverage.totals.items()},
        "on_time": _unit(coverage.revisits.on_time) | {"unknown": coverage.revisits.counts["unknown"]},
        "counts": coverage.revisits.counts,
    }


def _unit(share: Share, unknown: float = 0.0) -> dict[str, Any]:
    return {"unit": share.unit, **figure(share.numerator, share.denominator, min(unknown, share.denominator))}


def _unknown(coverage: TownCoverage, shares: Shares) -> Floats:
    """What of each grid's denominator nobody can speak of: what was not seen where the members were not tracked."""
    blind = ~coverage.watched(coverage.tracked) if shares.name != "tracked" else np.zeros(len(shares), dtype=bool)
    return np.where(blind, shares.denominator - shares.numerator, 0.0)


def grid_rows(coverage: TownCoverage) -> list[dict[str, Any]]:
    """A row per grid. Grids that went in the window stand at the end, with the time until which they were."""
    columns = {
        name: (one.numerator.tolist(), one.denominator.tolist(), _unknown(coverage, one).tolist())
        for name, one in coverage.figures.items()
    }
    revisits, recency = coverage.revisits, coverage.recency
    rows = []
    for i, uid in enumerate(coverage.keys):
        unit, until = _unit_of(coverage, uid)
        rows.append({
            "grid": unit.code, "uid": uid, "name": unit.name, "until": until,
            "state": STATES[revisits.state[i]] if STATES[revisits.state[i]] != "n/a" else None,
            "recency": recency[i],
            "places_revisited": figure(float(revisits.shares.numerator[i]), float(revisits.shares.denominator[i])),
            "figures": {name: figure(n[i], d[i], u[i]) for name, (n, d, u) in columns.items()},
        })  # fmt: skip
    return rows


def _unit_of(coverage: TownCoverage, uid: str) -> tuple[Any, datetime | None]:
    """The grid as it was last in the window, and until when it was; None: it still is."""
    for stretch in reversed(coverage.stretches):
        unit = stretch.state.boundaries.units.get(uid)
        if unit is not None:
            return unit, None if stretch is coverage.last else stretch.end
    raise ParameterInvalid(f"no grid {uid} in the window", place="grid")


def grid_codes(coverage: TownCoverage) -> list[str]:
    """The code of each row of `keys`."""
    return [_unit_of(coverage, uid)[0].code for uid in coverage.keys]


def row_of(coverage: TownCoverage, grid: str | None) -> int | None:
    """The row of a grid by its code or uid; None when none is asked for. ParameterInvalid for an unknown one."""
    if grid is None:
        return None
    for i, (code, uid) in enumerate(zip(grid_codes(coverage), coverage.keys, strict=True)):
        if grid in {code, uid}:
            return i
    raise ParameterInvalid(f"no grid {grid} of this layer was in force in the window", place="grid")


# -- streets ----------------------------------------------------------------------------------------------------------


def by_street(coverage: TownCoverage, wanted: Narrowing) -> tuple[list[dict[str, Any]], int | None]:
    """(features, the key after which the next page begins): pieces of street with the length seen, recency and state.

    A piece is `visited` where `enough` of its length was seen from one side, else missed or unknown as its grid was tracked.
    """
    rows = coverage.streets.rows
    picked = _picked([row["id"] for row in rows], _street_mask(coverage, wanted), wanted)
    figures = street_figures(coverage)
    features = []
    for i in picked[: wanted.limit].tolist():
        row, own = rows[i], {name: column[i] for name, column in figures.items()}
        features.append(feature(row["id"], row["geometry"], {
            "street": row["id"], "name": row["name"], "kind": row["kind"], "length_m": row["length_m"],
            "seen_one_side": figure(own["one"], own["metres"]), "seen_both_sides": figure(own["both"], own["metres"]),
            "recency": own["recency"], "state": own["state"],
        }))  # fmt: skip
    return features, rows[picked[wanted.limit - 1]]["id"] if len(picked) > wanted.limit else None


def street_figures(coverage: TownCoverage) -> dict[str, Any]:
    """Columns over streets: metres in the layer's grids, metres seen from one side and from both, recency, state, row of a grid.

    Pieces outside all grids of the layer count for nothing; a street wholly outside has the state n/a.
    """
    samples, count = coverage.streets.samples, len(coverage.streets.rows)
    inside = coverage.street_owner >= 0
    one, both = coverage.street_pieces_seen

    def metres(rows: Flags) -> Floats:
        return np.bincount(samples.street[rows], weights=samples.length_m[rows], minlength=count).astype(np.float64)

    total, seen = metres(inside), metres(inside & one)
    owner = np.where(inside, samples.street, -1)
    last = seen_since(owner, samples.length_m, coverage.street_last, count, coverage.wish.enough)
    watched, ever, lately = (
        _all_watched(samples.street, coverage.street_owner, coverage.watched(shares), count)
        for shares in (coverage.tracked, coverage.tracked_ever, coverage.tracked_cycle)
    )
    state = np.select([total <= 0, seen >= coverage.wish.enough * total * (1 - 1e-9), watched], [3, 0, 1], 2)
    return {
        "metres": total.tolist(), "one": seen.tolist(), "both": metres(inside & both).tolist(),
        "recency": coverage.recencies(last, ever, lately, total > 0),
        "state": [STATES[s] if s != 3 else None for s in state.tolist()],
    }  # fmt: skip


def _all_watched(street: Ints, owner: Ints, watched: Flags, count: int) -> Flags:
    """Whether all grids that have pieces of a street were tracked enough."""
    held = owner >= 0
    blind = np.zeros(count, dtype=bool)
    blind[street[held][~watched[owner[held]]]] = True
    return ~blind


def _street_mask(coverage: TownCoverage, wanted: Narrowing) -> Flags:
    mask = np.ones(len(coverage.streets.rows), dtype=bool)
    row = row_of(coverage, wanted.grid)
    if row is not None:
        mask[:] = False
        mask[coverage.streets.samples.street[coverage.street_owner == row]] = True
    if wanted.bbox is not None:
        mask &= shapely.intersects(coverage.streets.geometry, shapely.box(*wanted.bbox))
    return mask


# -- places and households --------------------------------------------------------------------------------------------


def by_site(coverage: TownCoverage, wanted: Narrowing, *, households: bool) -> tuple[list[dict[str, Any]], int | None]:
    """(features, next key): must-visit places on the list, or points with households, with their last visit and state."""
    town = coverage.found.town
    part = town.of_households if households else town.of_places
    sites, owner = coverage.found.evidence.ground.sites, part(coverage.site_owner)
    lon, lat = part(sites.lon), part(sites.lat)
    mask = np.ones(len(lon), dtype=bool) if households else coverage.listed.copy()
    row = row_of(coverage, wanted.grid)
    mask &= True if row is None else owner == row
    if wanted.bbox is not None:
        west, south, east, north = wanted.bbox
        mask &= (lon >= west) & (lon <= east) & (lat >= south) & (lat <= north)
    picked = _picked(range(1, len(lon) + 1), mask, wanted)
    chosen = picked[: wanted.limit]
    told = _household_rows(coverage) if households else place_rows(coverage)
    codes = grid_codes(coverage)
    features = [
        feature(i + 1, shapely.Point(lon[i], lat[i]), told[i] | {"grid": codes[owner[i]] if owner[i] >= 0 else None})
        for i in chosen.tolist()
    ]
    return features, int(chosen[-1]) + 1 if len(picked) > wanted.limit else None


def place_rows(coverage: TownCoverage) -> list[dict[str, Any]]:
    """A row per place, in order: what it is, its last visit, when it is due, its state in its interval."""
    last = coverage.found.town.of_places(coverage.last_visits)
    owner = coverage.found.town.of_places(coverage.site_owner)
    watched = np.append(coverage.watched(coverage.tracked_cycle), False)[owner]
    on_time = (coverage.place_due > coverage.end) & ~coverage.place_unsure
    watched &= ~coverage.place_unsure
    rows = []
    for i, place in enumerate(coverage.found.town.places):
        state = "visited" if on_time[i] else "missed" if watched[i] else "unknown"
        rows.append({
            "place": place["code"], "kind": place["kind"], "name": place["name"], "address": place["address"],
            "revisit_days": float(coverage.place_days[i]),
            "last": _at(last[i]), "due": _at(coverage.place_due[i]), "state": None if coverage.place_pending[i] else state,
        })  # fmt: skip
    return rows


def _household_rows(coverage: TownCoverage) -> list[dict[str, Any]]:
    last = coverage.found.town.of_households(coverage.last_visits)
    owner = coverage.found.town.of_households(coverage.site_owner)
    begin = np.datetime64(int(coverage.stretches[0].begin64.astype(np.int64)), "us")
    watched = np.append(coverage.watched(coverage.tracked), False)[owner]
    rows = []
    for i, one in enumerate(coverage.found.town.households):
        visited = not np.isnat(last[i]) and last[i] >= begin
        state = "visited" if visited else "missed" if watched[i] else "unknown"
        rows.append({
            "household": one.external_id or one.uid, "address": one.address, "households": one.households,
            "last": _at(last[i]), "state": state,
        })  # fmt: skip
    return rows


def _at(at: np.datetime64) -> datetime | None:
    return None if np.isnat(at) else utc(at)


# -- pages ------------------------------------------------------------------------------------------------------------


def _picked(keys: Iterable[int], mask: npt.NDArray[np.bool_], wanted: Narrowing) -> Ints:
    """The rows of a page and one more: those of the mask whose key is greater than the last page's."""
    number = np.fromiter(keys, np.int64, len(mask))
    return np.flatnonzero(mask & (number > wanted.after))[: wanted.limit + 1]


def feature(uid: Any, shape: Any, properties: Mapping[str, Any]) -> dict[str, Any]:
    """A GeoJSON Feature of a shape."""
    return {"type": "Feature", "id": uid, "geometry": shapely.geometry.mapping(shape), "properties": properties}
