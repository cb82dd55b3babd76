"""The demo town's patrols go into the store the way a user's files would, and out as such files."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from data.checkinmany import take_checkins
from data.checkins import take_visit
from data.fixes import FixesTaken, FixPolicy, take_fixes
from data.fixrows import FixRows
from data.members import keep_all_duty, keep_member_row, new_place
from data.town_patrols import TownPatrols, street_id
from gis.crs import parse_datum
from gis.fixes import MICRO
from gis.store.engine import Connection, Engine
from gis.store.events import reports_named
from gis.store.live import Live
from gis.store.members import has_members
from gis.store.visits import NewStreet, keep_places, replace_streets

if TYPE_CHECKING:
    from data.demo import Town

#: What the town's streets are an edition of.
SOURCE: Final = "demo town"
#: Fixes are stored in parts of so many days, which begin when nobody is on duty: a fault and its neighbours come together.
_PART_DAYS: Final = 5
_PART_BEGINS: Final = 4  # o'clock


@dataclass(frozen=True)
class PatrolsLoaded:
    """What became of the patrols: fixes by reason, shifts and leave, check-ins and visits by what became of them."""

    patrols: TownPatrols
    fixes: FixesTaken
    duty: Counter[str]
    told: Counter[str]


def patrols_loaded(connection: Connection) -> bool:
    """Whether the store holds the demo town's patrols: an earlier version's town has none."""
    return has_members(connection)


def load_patrols(engine: Engine, town: Town, patrols: TownPatrols, policy: FixPolicy | None = None) -> PatrolsLoaded:
    """The patrols are in the store afterwards, all of them or, where anything is refused, none; the town must be there."""
    live, fixes = Live(1), FixesTaken()
    with engine.begin() as connection:
        now = live.now(connection).at
        replace_streets(connection, SOURCE, streets_of(town))
        for row in patrols.members:
            keep_member_row(connection, row)
        duty = keep_all_duty(connection, "shift", patrols.shifts) + keep_all_duty(connection, "leave", patrols.leave)
        keep_places(connection, [new_place(row) for row in patrols.places])
        for part in fix_parts(patrols):
            fixes.add(take_fixes(connection, part, policy or FixPolicy(), now))
        told = Counter(became for _, became in take_checkins(connection, live, patrols.checkins, now))
        told.update(_take_visits(connection, patrols.visits, now))
    return PatrolsLoaded(patrols, fixes, duty, told)


def streets_of(town: Town) -> list[NewStreet]:
    """The town's streets as patrols are measured against them."""
    from pyproj import Geod

    geod = Geod(ellps="WGS84")
    return [
        NewStreet(one.geometry, float(geod.geometry_length(one.geometry)), one.name, one.kind, street_id(number))
        for number, one in enumerate(town.streets)
    ]


def _take_visits(connection: Connection, rows: Sequence[Mapping[str, Any]], now: datetime) -> Counter[str]:
    """Visits that members noted, and those by reports that the store has as they are told here."""
    stored = reports_named(connection, [row["report"] for row in rows if row["report"]])
    became: Counter[str] = Counter()
    for row in rows:
        event, occurred = stored.get(row["report"], (None, None))
        if row["report"] is None or occurred == datetime.fromisoformat(row["at"]):
            became[take_visit(connection, {**row, "event": event and str(event)}, now)[1]] += 1
    return became


# -- fixes ------------------------------------------------------------------------------------------------------------


def fix_parts(patrols: TownPatrols) -> Iterator[FixRows]:
    """The fixes in parts of some days, as a file that was read."""
    fixes, zone = patrols.fixes, patrols.now.tzinfo
    if not len(fixes):
        return
    first = datetime.fromtimestamp(int(fixes.at[0]), zone).replace(hour=_PART_BEGINS, minute=0, second=0)
    begin = int((first - timedelta(days=1)).timestamp())
    edges = np.arange(begin, int(fixes.at[-1]) + _PART_DAYS * 86_400 + 1, _PART_DAYS * 86_400)
    rows = np.searchsorted(fixes.at, edges)
    for low, high in zip(rows[:-1].tolist(), rows[1:].tolist(), strict=True):
        if high > low:
            yield fix_rows(patrols, low, high)


def fix_rows(patrols: TownPatrols, low: int, high: int) -> FixRows:
    """The fixes from row `low` until before `high`."""
    fixes = patrols.fixes
    return FixRows(
        np.arange(low + 1, high + 1, dtype=np.int64),
        patrols.codes,
        fixes.member[low:high],
        fixes.at[low:high] * MICRO,
        fixes.x[low:high],
        fixes.y[low:high],
        fixes.accuracy_m[low:high],
        (parse_datum("wgs84"), parse_datum("gcj02")),
        fixes.is_gcj[low:high].astype(np.int64),
    )


# -- files ------------------------------------------------------------------------------------------------------------


def write_patrols(patrols: TownPatrols, folder: Path, fix_days: int = 1) -> list[Path]:
    """members.csv, shifts.csv (with leave), places.csv and fixes.parquet (of the last days) as `gridbeat load` reads them; their paths."""
    folder.mkdir(parents=True, exist_ok=True)
    members = [{**row, "grids": ",".join(row["grids"])} for row in patrols.members]
    places = [{name: value for name, value in row.items() if value is not None} for row in patrols.places]
    return [
        _write(folder / "members.csv", members, ("code", "name", "role", "grids", "since")),
        _write(
            folder / "shifts.csv",
            [*patrols.shifts, *patrols.leave],
            ("member", "begin", "end", "external_id", "kind", "leave"),
        ),
        _write(folder / "places.csv", places, tuple(patrols.places[0])),
        _write_fixes(patrols, folder / "fixes.parquet", fix_days),
    ]


def _write(path: Path, rows: Sequence[Mapping[str, Any]], columns: Sequence[str]) -> Path:
    with path.open("w", encoding="utf-8", newline="") as handle:
        writer = csv.DictWriter(handle, columns, restval="", lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    return path


def _write_fixes(patrols: TownPatrols, path: Path, days: int) -> Path:
    import pyarrow as pa
    import pyarrow.parquet as pq

    fixes = patrols.fixes
    since = (patrols.now - timedelta(days=days)).astimezone(UTC).timestamp()
    own = fixes.take(np.flatnonzero(fixes.at >= since))
    codes = pa.DictionaryArray.from_arrays(pa.array(own.member, pa.int32()), pa.array(patrols.codes))
    datums = pa.DictionaryArray.from_arrays(pa.array(own.is_gcj.astype(np.int32)), pa.array(["wgs84", "gcj02"]))
    columns = {
        "member": codes, "at": pa.array(own.at * MICRO, pa.int64()).cast(pa.timestamp("us", tz="UTC")),
        "lon": own.x, "lat": own.y, "accuracy_m": pa.array(own.accuracy_m, from_pandas=True), "crs": datums,
    }  # fmt: skip
    pq.write_table(pa.table(columns), path)
    return path
