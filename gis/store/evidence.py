"""What evidence of patrols is made from, and marks that tell whether any of it changed since it was read."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import shapely
import sqlalchemy as sa

from gis.fixes import Duty
from gis.store.generations import clock
from gis.store.households import newest_household
from gis.store.ids import span_of

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

#: Rows whose ids are older than this are committed or gone; younger ones are counted.
SETTLED: Final = timedelta(minutes=15)
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)

#: A member's `change` only grows, and each has a row a day (UTC): the sum grows with every change, whoever commits first. Of a span
#: only those days of members count whose fixes reach into it.
SPAN_MARKS = sa.text("""
    SELECT n.number, count(*) AS members, sum(d.change)::bigint AS changes
    FROM unnest(CAST(:numbers AS integer[]), CAST(:begins AS timestamptz[]), CAST(:ends AS timestamptz[])) AS n(number, first_at, last_at)
    JOIN fix_day d ON d.day BETWEEN (n.first_at AT TIME ZONE 'UTC')::date AND (n.last_at AT TIME ZONE 'UTC')::date
        AND d.last_at >= n.first_at AND d.first_at < n.last_at
    GROUP BY n.number
""")
MEMBER_CHANGES = sa.text("""
    SELECT member, day, change FROM fix_day
    WHERE day BETWEEN (CAST(:begin AS timestamptz) AT TIME ZONE 'UTC')::date AND (CAST(:end AS timestamptz) AT TIME ZONE 'UTC')::date
      AND last_at >= :begin AND first_at < :end
""")
#: An update leaves a new row version; nothing of these tables is deleted but whole sources of streets and all context shapes.
SITE_MARKS = sa.text("SELECT count(*), coalesce(sum(xmin::text::bigint), 0) FROM place")
HOUSEHOLD_COUNT = sa.text("SELECT count(*) FROM household")
STREET_MARKS = sa.text("SELECT count(*), coalesce(max(id), 0) FROM street")
WATER_MARKS = sa.text("SELECT count(*), coalesce(max(id), 0) FROM context_shape WHERE kind = 'water'")
#: Ids grow with time, but a row may be committed after one with a greater id: the latest minutes are counted.
TOLD_MARKS = """
    SELECT (SELECT id::text FROM {table} ORDER BY id DESC LIMIT 1), (SELECT count(*) FROM {table} WHERE id > :settled)
"""
HOUSEHOLDS = sa.text("""
    SELECT id::text AS uid, external_id, address, ST_X(geom) AS lon, ST_Y(geom) AS lat, households FROM household
    ORDER BY external_id COLLATE "C" NULLS LAST, id
""")
WATER = sa.text("SELECT ST_AsBinary(geom) FROM context_shape WHERE kind = 'water' ORDER BY id")
CHECKINS = sa.text("""
    SELECT m.number, k.at, ST_X(k.geom), ST_Y(k.geom) FROM checkin k JOIN member m ON m.uid = k.member
    WHERE k.at >= :begin AND k.at < :end ORDER BY k.at, k.id
""")
#: A report that a member sent in proves that they were there.
REPORTS = sa.text("""
    SELECT m.number, e.occurred_at, ST_X(e.geom), ST_Y(e.geom) FROM event e JOIN member m ON m.code = e.reporter
    WHERE e.occurred_at >= :begin AND e.occurred_at < :end AND e.geom IS NOT NULL AND e.received_at >= :begin
    ORDER BY e.occurred_at, e.id
""")
VISITS = sa.text("""
    SELECT p.code, coalesce(m.number, -1), v.at FROM visit v JOIN place p ON p.uid = v.place LEFT JOIN member m ON m.uid = v.member
    WHERE v.at >= :begin AND v.at < :end ORDER BY v.at, v.id
""")
EVENT_POSITIONS = sa.text("""
    SELECT ST_X(geom), ST_Y(geom) FROM event e
    WHERE occurred_at >= :begin AND occurred_at < :end AND received_at >= :begin AND geom IS NOT NULL
      AND NOT EXISTS (SELECT FROM event_duplicate d WHERE d.event = e.id)
""")
EARLIEST = sa.text("""
    SELECT coalesce((SELECT min(first_at) FROM fix_day WHERE day = (SELECT min(day) FROM fix_day)),
                    least((SELECT min(at) FROM checkin), (SELECT min(at) FROM visit)))
""")
#: Duty of a member, by the grid that they worked: a span for each.
GRID_DUTY = sa.text("""
    WITH duty AS (SELECT member, range_agg(during) AS spans FROM shift WHERE during && tstzrange(:begin, :end) GROUP BY member),
         away AS (SELECT member, range_agg(during) AS spans FROM leave WHERE during && tstzrange(:begin, :end) GROUP BY member)
    SELECT m.number, b.grid::text, greatest(lower(span), :begin), least(upper(span), :end)
    FROM duty JOIN member m ON m.uid = duty.member JOIN membership b ON b.member = m.uid AND b.valid && tstzrange(:begin, :end)
         LEFT JOIN away ON away.member = duty.member,
         unnest((duty.spans - coalesce(away.spans, '{}'::tstzmultirange)) * tstzmultirange(b.valid)
                * tstzmultirange(tstzrange(:begin, :end))) AS span
    ORDER BY 2, 1, 3
""")
GRID_MEMBERS = sa.text("""
    SELECT b.grid::text, m.code, m.name, m.role FROM membership b JOIN member m ON m.uid = b.member
    WHERE b.valid @> CAST(:at AS timestamptz) AND m.active ORDER BY 1, m.role, m.code
""")
MEMBERS = sa.text("""
    SELECT m.number, m.code, m.name, (SELECT b.grid::text FROM membership b WHERE b.member = m.uid
        AND b.valid @> CAST(:at AS timestamptz) ORDER BY lower(b.valid) DESC, b.grid LIMIT 1) AS grid
    FROM member m ORDER BY m.number
""")


@dataclass(frozen=True)
class TownMarks:
    """Equal marks: nothing changed. `told` are of check-ins, visits and events; days have marks of their own."""

    places: tuple[Any, ...]
    households: tuple[Any, ...]
    streets: tuple[Any, ...]
    water: tuple[Any, ...]
    told: tuple[Any, ...]


def town_marks(connection: sa.Connection) -> TownMarks:
    """The marks of everything but fixes."""
    settled = span_of(clock(connection) - SETTLED, _EPOCH)[0]
    told = [
        tuple(connection.execute(sa.text(TOLD_MARKS.format(table=table)), {"settled": settled}).one())
        for table in ("checkin", "visit", "event")
    ]
    first, streets, water = (tuple(connection.execute(one).one()) for one in (SITE_MARKS, STREET_MARKS, WATER_MARKS))
    households = (newest_household(connection), connection.execute(HOUSEHOLD_COUNT).scalar_one())
    return TownMarks(first, households, streets, water, tuple(told))


def span_marks(connection: sa.Connection, spans: Mapping[int, tuple[datetime, datetime]]) -> dict[int, tuple[int, int]]:
    """Number of a span -> mark of the fixes in it; one without any is left out."""
    numbers, ends = list(spans), list(spans.values())
    given = {"numbers": numbers, "begins": [one[0] for one in ends], "ends": [one[1] for one in ends]}
    return {row.number: (row.members, row.changes) for row in connection.execute(SPAN_MARKS, given)}


def earliest_evidence(connection: sa.Connection) -> datetime | None:
    """The first instant at which anybody is known to have been anywhere: by a fix, where there are none by a check-in or a visit."""
    found: datetime | None = connection.execute(EARLIEST).scalar_one()
    return found


def has_fixes(connection: sa.Connection) -> bool:
    """Whether any fix is stored."""
    found: bool = connection.execute(sa.text("SELECT EXISTS (SELECT FROM fix_day)")).scalar_one()
    return found


def member_changes(connection: sa.Connection, begin: datetime, end: datetime) -> dict[tuple[int, date], int]:
    """(member's number, day in UTC) -> mark of the member's fixes of that day, of those that reach into [begin, end)."""
    rows = connection.execute(MEMBER_CHANGES, {"begin": begin, "end": end})
    return {(row.member, row.day): row.change for row in rows}


@dataclass(frozen=True, eq=False)
class Told:
    """Where members were by their own word: number (-1: nobody's), instant, and a position or the code of a place."""

    member: npt.NDArray[np.int32]
    at: npt.NDArray[np.datetime64]
    lon: Floats
    lat: Floats


def read_checkins(connection: sa.Connection, begin: datetime, end: datetime) -> Told:
    """Check-ins of all members."""
    return _told(connection.execute(CHECKINS, {"begin": begin, "end": end}).all())


def read_member_reports(connection: sa.Connection, begin: datetime, end: datetime) -> Told:
    """Events that members reported (their code is the reporter), where and when they occurred."""
    return _told(connection.execute(REPORTS, {"begin": begin, "end": end}).all())


def read_told_visits(
    connection: sa.Connection, begin: datetime, end: datetime
) -> tuple[list[str], npt.NDArray[np.int32], npt.NDArray[np.datetime64]]:
    """(codes of places, members' numbers or -1, instants) of visits that were noted."""
    rows = connection.execute(VISITS, {"begin": begin, "end": end}).all()
    return [row[0] for row in rows], np.array([row[1] for row in rows], np.int32), instants(row[2] for row in rows)


def _told(rows: Sequence[Any]) -> Told:
    return Told(
        np.array([row[0] for row in rows], np.int32),
        instants(row[1] for row in rows),
        np.array([row[2] for row in rows], np.float64),
        np.array([row[3] for row in rows], np.float64),
    )


def instants(values: Iterable[datetime]) -> npt.NDArray[np.datetime64]:
    """Instants as numpy has them: UTC, microseconds."""
    micros = [(at - _EPOCH) // timedelta(microseconds=1) for at in values]
    return np.array(micros, np.int64).view("datetime64[us]")


def event_positions(connection: sa.Connection, begin: datetime, end: datetime) -> tuple[Floats, Floats]:
    """(lon, lat) of the events that occurred in [begin, end) and were received since `begin`, linked duplicates once."""
    rows = connection.execute(EVENT_POSITIONS, {"begin": begin, "end": end}).all()
    table = np.array([tuple(row) for row in rows], np.float64).reshape(-1, 2)
    return table[:, 0].copy(), table[:, 1].copy()


def read_household_sites(connection: sa.Connection) -> list[Any]:
    """Every point with households: uid, external_id, address, lon, lat, households; in a fixed order."""
    return list(connection.execute(HOUSEHOLDS).all())


def read_water(connection: sa.Connection) -> npt.NDArray[np.object_]:
    """Surfaces of water (polygons, WGS 84) of the context shapes; lines are left out."""
    shapes = np.asarray(shapely.from_wkb([bytes(shape) for shape in connection.execute(WATER).scalars()]), dtype=object)
    parts = shapely.get_parts(shapes) if len(shapes) else shapes
    flat: npt.NDArray[np.object_] = (
        parts[shapely.get_type_id(parts) == shapely.GeometryType.POLYGON] if len(parts) else parts
    )
    return flat


def grid_duty(connection: sa.Connection, begin: datetime, end: datetime) -> tuple[Duty, list[str]]:
    """(spans, grids): shifts less leave in [begin, end), of each member for each grid (uid) worked then."""
    rows = connection.execute(GRID_DUTY, {"begin": begin, "end": end}).all()
    duty = Duty(
        np.array([row[0] for row in rows], np.int32), instants(row[2] for row in rows), instants(row[3] for row in rows)
    )
    return duty, [row[1] for row in rows]


def grid_members(connection: sa.Connection, at: datetime) -> dict[str, list[Any]]:
    """Grid (uid) -> who works it at an instant: rows of code, name, role; leads first."""
    found: dict[str, list[Any]] = {}
    for grid, *member in connection.execute(GRID_MEMBERS, {"at": at}):
        found.setdefault(grid, []).append(tuple(member))
    return found


def members_by_number(connection: sa.Connection, at: datetime) -> dict[int, Any]:
    """Number -> code, name and grid (uid; the one begun last) of every member."""
    return {row.number: row for row in connection.execute(MEMBERS, {"at": at})}
