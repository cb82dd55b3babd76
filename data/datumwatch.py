"""Datum watch: the places of a file, a table or a channel by their declared datum, and what the ground says of each."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime

import numpy as np
import numpy.typing as npt

from data.batch import TableRows
from data.fixrows import FixRows
from data.intake import Submission
from data.rowchunk import RowChunk
from data.tables import as_numbers
from gis.crs import from_storage, parse_datum
from gis.datumalarm import MIN_DECIDING, Covers, DatumReport, Places, Streets, examine
from gis.errors import DatumUnknown
from gis.locate import GridIndex
from gis.store.channels import channel_places
from gis.store.engine import Connection
from gis.store.live import Live

#: The first so many rows of a table tell enough.
MOST_ROWS = 500_000

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Ground:
    """What places are compared with: the served area and the streets, each None where there is none."""

    covers: Covers | None = None
    streets: Streets | None = None


def ground_of(index: GridIndex | None, streets: Streets | None = None) -> Ground:
    """The ground that an index serves; one without grids serves nowhere."""
    if index is None or not len(index):
        return Ground(None, streets)

    def covers(lon: Floats, lat: Floats) -> npt.NDArray[np.bool_]:
        return index.locate(lon, lat, distance=False).winner >= 0

    return Ground(covers, streets)


def stored_ground(connection: Connection, live: Live) -> Ground:
    """The grids in force now and the streets that are loaded."""
    index = live.state(connection, live.now(connection)).index
    return ground_of(index, live.streets.streets(connection))


@dataclass
class DatumWatch:
    """The places seen so far by declared datum; memory stays flat however many there are."""

    places: dict[str, Places] = field(default_factory=lambda: defaultdict(Places))

    def see(self, datum: str, x: Floats, y: Floats) -> None:
        """These places are declared in this datum, as they came in."""
        self.places[datum].add(x, y)

    def see_fixes(self, rows: FixRows) -> None:
        """The places of these readings, each in its own datum; those of a datum that nobody knows are left out."""
        for index, datum in enumerate(rows.datums):
            own = rows.datum == index
            self.see(datum.name, rows.x[own], rows.y[own])

    @property
    def can_tell(self) -> bool:
        """Whether the places of any datum are enough to say something."""
        return any(len(places.x) >= MIN_DECIDING for places in self.places.values())

    def see_submissions(self, submissions: Iterable[Submission]) -> None:
        """The positions of these reports, each in its own datum."""
        held: dict[str, list[tuple[float, float]]] = defaultdict(list)
        for one in submissions:
            if one.report.x is not None and one.report.y is not None:
                held[one.report.datum.name].append((one.report.x, one.report.y))
        for datum, pairs in held.items():
            x, y = np.array(pairs, dtype=np.float64).T
            self.see(datum, x, y)

    def see_taken(self, rows: TableRows) -> None:
        """The positions of rows of a table that can be taken."""
        if rows.plain is not None:
            self.see(rows.plain.datum.name, np.array(rows.plain.x), np.array(rows.plain.y))
        self.see_submissions(submission for _, submission in rows.others)

    def see_rows(self, chunk: RowChunk, place: tuple[str, str], datum: str, crs_column: str | None = None) -> None:
        """The positions of these rows, declared in the datum of their `crs_column`, else in `datum`; unreadable ones are left out."""
        if sum(places.seen for places in self.places.values()) >= MOST_ROWS:
            return
        x, y = (as_numbers(chunk.columns.get(name), len(chunk)) for name in place)
        said = chunk.columns.get(crs_column or "", [None] * len(chunk))
        for name in set(said):
            rows = np.array([own == name for own in said], dtype=bool)
            try:
                own = parse_datum(str(name)).name if name is not None else datum
            except DatumUnknown:
                continue
            self.see(own, x[rows], y[rows])

    def reports(self, ground: Ground) -> list[DatumReport]:
        """What the ground says of each datum, by its name."""
        return [
            examine(self.places[datum], parse_datum(datum), covers=ground.covers, streets=ground.streets)
            for datum in sorted(self.places)
        ]

    def alarms(self, ground: Ground) -> list[DatumReport]:
        """Those of them that somebody should look at."""
        return [report for report in self.reports(ground) if report.alarm]


def channel_reports(
    connection: Connection, ground: Ground, channel: str | None = None, since: datetime | None = None
) -> list[tuple[str, DatumReport]]:
    """What the ground says of every channel's stored events (or of one's), for each datum it declared.

    Of a channel and datum the newest 50,000 positions count that nobody moved by hand; they are turned back into what was sent.
    """
    found = []
    for name, crs, lon, lat in channel_places(connection, channel, since):
        places = Places()
        places.add(*from_storage(lon, lat, parse_datum(crs)))
        found.append((name, examine(places, parse_datum(crs), covers=ground.covers, streets=ground.streets)))
    return found
