"""Check-ins, must-visit places, visits to them, and the streets that patrols are measured against."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import numpy as np
import shapely
import sqlalchemy as sa

from gis.errors import EventUnknown, KeyReused, PlaceUnknown
from gis.store.generations import clock
from gis.store.ids import uuid7, uuids7


@dataclass(frozen=True)
class NewCheckin:
    """A check-in as told and judged: `x`, `y` as given in `crs`, `lon`, `lat` WGS 84; `standing` and `distance_m` against `grid`."""

    member: UUID
    at: datetime
    kind: str
    x: float
    y: float
    crs: str
    converter: str
    lon: float
    lat: float
    accuracy_m: float | None
    note: str
    standing: str | None
    distance_m: float | None
    grid: str | None
    found: str | None
    generation: int


@dataclass(frozen=True)
class NewPlace:
    """A must-visit place; `lon`, `lat` are WGS 84. `since` None: from now on. `revisit_days` None: as often as the deployment asks."""

    code: str
    kind: str
    name: str
    lon: float
    lat: float
    crs: str
    converter: str
    address: str | None = None
    revisit_days: float | None = None
    since: datetime | None = None
    until: datetime | None = None


@dataclass(frozen=True)
class NewStreet:
    """A piece of road: `geometry` a line or lines in WGS 84, `length_m` along them."""

    geometry: Any
    length_m: float
    name: str = ""
    kind: str = ""
    external_id: str | None = None


CHECKIN = sa.text("""
    INSERT INTO checkin (id, member, at, kind, geom, accuracy_m, x, y, crs, converter, note, standing, distance_m, grid, found,
                         generation, received_at)
    VALUES (:id, :member, :at, :kind, ST_SetSRID(ST_MakePoint(:lon, :lat), 4326), :accuracy_m, :x, :y, :crs, :converter, :note,
            :standing, :distance_m, CAST(:grid AS uuid), CAST(:found AS uuid), :generation, :now)
    ON CONFLICT ON CONSTRAINT checkin_once DO NOTHING RETURNING id
""")
CHECKIN_ALL = sa.text("""
    INSERT INTO checkin (id, member, at, kind, geom, accuracy_m, x, y, crs, converter, note, standing, distance_m, grid, found,
                         generation, received_at)
    SELECT id, member, at, kind, ST_SetSRID(ST_MakePoint(lon, lat), 4326), accuracy_m, x, y, crs, converter, note,
           standing, distance_m, grid, found, generation, :now
    FROM unnest(CAST(:id AS uuid[]), CAST(:member AS uuid[]), CAST(:at AS timestamptz[]), CAST(:kind AS text[]),
                CAST(:lon AS float8[]), CAST(:lat AS float8[]), CAST(:accuracy_m AS float8[]), CAST(:x AS float8[]),
                CAST(:y AS float8[]), CAST(:crs AS text[]), CAST(:converter AS text[]), CAST(:note AS text[]),
                CAST(:standing AS text[]), CAST(:distance_m AS float8[]), CAST(:grid AS uuid[]), CAST(:found AS uuid[]),
                CAST(:generation AS integer[]))
         AS t(id, member, at, kind, lon, lat, accuracy_m, x, y, crs, converter, note, standing, distance_m, grid, found, generation)
    ON CONFLICT ON CONSTRAINT checkin_once DO NOTHING RETURNING id
""")
SAME_CHECKIN = sa.text("""
    SELECT id, (x, y, crs, note) = (:x, :y, :crs, :note) AND accuracy_m IS NOT DISTINCT FROM CAST(:accuracy_m AS float8) AS is_same
    FROM checkin WHERE member = :member AND at = :at AND kind = :kind
""")
READ_CHECKIN = sa.text("""
    SELECT k.id, m.code AS member, k.at, k.kind, ST_X(k.geom) AS lon, ST_Y(k.geom) AS lat, k.accuracy_m, k.note, k.standing,
           k.distance_m, k.grid::text AS grid, k.found::text AS found, k.generation
    FROM checkin k JOIN member m ON m.uid = k.member WHERE k.id = :id
""")
CHECKINS = sa.text("""
    SELECT at, kind, standing FROM checkin WHERE member = :member AND at >= :begin AND at < :end ORDER BY at, kind
""")
PLACE = sa.text("""
    INSERT INTO place (uid, code, kind, name, address, geom, crs, converter, revisit_days, valid)
    VALUES (:uid, :code, :kind, :name, :address, ST_SetSRID(ST_MakePoint(:lon, :lat), 4326), :crs, :converter, :revisit_days,
            tstzrange(coalesce(:since, :now), :until))
    ON CONFLICT (code) DO UPDATE SET kind = excluded.kind, name = excluded.name, address = excluded.address, geom = excluded.geom,
        crs = excluded.crs, converter = excluded.converter, revisit_days = excluded.revisit_days,
        valid = tstzrange(coalesce(:since, lower(place.valid)), :until)
    RETURNING uid
""")
FIND_PLACE = sa.text("SELECT uid FROM place WHERE code = :code")
READ_PLACES = sa.text("""
    SELECT uid::text AS uid, code, kind, name, address, ST_X(geom) AS lon, ST_Y(geom) AS lat, revisit_days,
           lower(valid) AS since, upper(valid) AS until
    FROM place WHERE valid && tstzrange(:begin, :end, '[]') ORDER BY code
""")
VISIT = sa.text("""
    INSERT INTO visit (id, place, member, event, at, outcome, note, received_at)
    VALUES (:id, :place, :member, :event, :at, :outcome, :note, :now) ON CONFLICT DO NOTHING RETURNING id
""")
SAME_VISIT = sa.text("""
    SELECT id, (outcome, note, at) = (:outcome, :note, :at) AS is_same FROM visit
    WHERE place = :place AND ((member = :member AND at = :at) OR event = :event) LIMIT 1
""")
READ_VISITS = sa.text("""
    SELECT p.uid::text AS place, m.number AS member, v.event, v.at, v.outcome FROM visit v
    JOIN place p ON p.uid = v.place LEFT JOIN member m ON m.uid = v.member
    WHERE v.at >= :begin AND v.at < :end ORDER BY v.at, v.id
""")
STREET = sa.text("""
    INSERT INTO street (source, external_id, name, kind, length_m, geom)
    VALUES (:source, :external_id, :name, :kind, :length_m, ST_Multi(ST_SetSRID(ST_GeomFromWKB(:geom), 4326)))
""")


def keep_checkin(connection: sa.Connection, told: NewCheckin) -> tuple[UUID, str]:
    """The check-in is stored in the caller's transaction: its id, and `stored` or `repeated`.

    KeyReused when the member has checked in like this at that instant from another place or with another note.
    """
    now = clock(connection)
    uid = connection.execute(CHECKIN, vars(told) | {"id": uuid7(now), "now": now}).scalar()
    if uid is not None:
        return uid, "stored"
    row = connection.execute(SAME_CHECKIN, vars(told)).one()
    if not row.is_same:
        raise KeyReused(
            "the member has another check-in of this kind at this instant; the first one stands", place="at"
        )
    return row.id, "repeated"


def keep_checkins(connection: sa.Connection, told: Sequence[NewCheckin]) -> list[tuple[UUID, str]]:
    """The check-ins are stored as `keep_checkin` would one after the other: of each its id and what became of it, in order."""
    now = clock(connection)
    ids = uuids7(now, len(told))
    columns = {name: [getattr(one, name) for one in told] for name in NewCheckin.__dataclass_fields__}
    fresh = set(connection.execute(CHECKIN_ALL, columns | {"id": ids, "now": now}).scalars()) if told else set()
    return [
        (uid, "stored") if uid in fresh else keep_checkin(connection, one) for uid, one in zip(ids, told, strict=True)
    ]


def read_checkin(connection: sa.Connection, uid: UUID) -> dict[str, Any]:
    """A stored check-in with the uids of its grids."""
    return dict(connection.execute(READ_CHECKIN, {"id": uid}).one()._mapping)


def checkins(connection: sa.Connection, member: UUID, begin: datetime, end: datetime) -> Sequence[dict[str, Any]]:
    """The member's check-ins from `begin` until just before `end`: at, kind, standing."""
    rows = connection.execute(CHECKINS, {"member": member, "begin": begin, "end": end})
    return [dict(row._mapping) for row in rows]


def keep_places(connection: sa.Connection, places: Sequence[NewPlace]) -> list[UUID]:
    """The places are as told when the caller commits; one whose code is known is changed. Their uids, in order."""
    now = clock(connection)
    return [connection.execute(PLACE, vars(one) | {"uid": uuid7(now), "now": now}).scalar_one() for one in places]


def find_place(connection: sa.Connection, code: str) -> UUID:
    """The uid of a must-visit place by its code; PlaceUnknown when there is none."""
    uid: UUID | None = connection.execute(FIND_PLACE, {"code": code}).scalar()
    if uid is None:
        raise PlaceUnknown(f"no must-visit place has the code {code}", place="place")
    return uid


def read_places(connection: sa.Connection, begin: datetime, end: datetime) -> list[dict[str, Any]]:
    """Every place that is on the list at some time from `begin` to `end`, by code."""
    return [dict(row._mapping) for row in connection.execute(READ_PLACES, {"begin": begin, "end": end})]


def keep_visit(
    connection: sa.Connection,
    place: UUID,
    member: UUID | None,
    event: UUID | None,
    at: datetime,
    outcome: str,
    note: str,
) -> tuple[UUID, str]:
    """The visit is stored in the caller's transaction: its id, and `stored` or `repeated`. KeyReused when it is told otherwise now."""
    now = clock(connection)
    values = {"place": place, "member": member, "event": event, "at": at, "outcome": outcome, "note": note}
    if (
        event is not None
        and connection.execute(sa.text("SELECT FROM event WHERE id = :id"), {"id": event}).first() is None
    ):
        raise EventUnknown(f"no event has the id {event}", place="event")
    uid = connection.execute(VISIT, values | {"id": uuid7(now), "now": now}).scalar()
    if uid is not None:
        return uid, "stored"
    row = connection.execute(SAME_VISIT, values).one()
    if not row.is_same:
        raise KeyReused(
            "this visit was told already, with another outcome, note or time; the first one stands", place="at"
        )
    return row.id, "repeated"


def read_visits(connection: sa.Connection, begin: datetime, end: datetime) -> list[dict[str, Any]]:
    """Visits from `begin` until just before `end`: place (uid), member (number), event, at, outcome."""
    return [dict(row._mapping) for row in connection.execute(READ_VISITS, {"begin": begin, "end": end})]


def replace_streets(connection: sa.Connection, source: str, streets: Sequence[NewStreet]) -> None:
    """The streets of this source are these and no others, once the caller's transaction commits."""
    connection.execute(sa.text("DELETE FROM street WHERE source = :source"), {"source": source})
    shapes = np.empty(len(streets), dtype=object)
    shapes[:] = [street.geometry for street in streets]
    rows = [
        vars(street) | {"source": source, "geom": shape}
        for street, shape in zip(streets, shapely.to_wkb(shapely.force_2d(shapes)), strict=True)
    ]
    if rows:
        connection.execute(STREET, rows)


def read_street_pieces(connection: sa.Connection) -> list[dict[str, Any]]:
    """Every stored street: id, source, external_id, name, kind, length_m and geometry (WGS 84)."""
    rows = connection.execute(
        sa.text(
            "SELECT id, source, external_id, name, kind, length_m, ST_AsBinary(geom) AS shape FROM street ORDER BY id"
        )
    )
    found = [dict(row._mapping) for row in rows]
    shapes = shapely.from_wkb([bytes(row.pop("shape")) for row in found])
    return [row | {"geometry": shape} for row, shape in zip(found, shapes, strict=True)]
