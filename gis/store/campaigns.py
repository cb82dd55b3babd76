"""Campaigns: what they are about, when, and which places are named in them; what the store itself knows of visits to places."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import shapely
import sqlalchemy as sa

from gis.errors import CampaignTaken, CampaignUnknown
from gis.store.generations import clock
from gis.store.ids import uuid7


@dataclass(frozen=True)
class NewCampaign:
    """A campaign about one of three: places by uid, all places of some kinds, or an area (MultiPolygon, WGS 84)."""

    code: str
    title: str
    kind: str
    begin: datetime
    end: datetime
    note: str = ""
    places: tuple[str, ...] | None = None
    place_kinds: tuple[str, ...] | None = None
    area: Any = None

    @property
    def about(self) -> str:
        """What it is about: `places`, `kinds` or `area`."""
        return "area" if self.area is not None else "places" if self.place_kinds is None else "kinds"


INSERT = sa.text("""
    INSERT INTO campaign (id, code, title, kind, during, about, area, place_kinds, made_at, actor, note)
    VALUES (:id, :code, :title, :kind, tstzrange(:begin, :end), :about, ST_SetSRID(ST_GeomFromWKB(CAST(:shape AS bytea)), 4326),
            :place_kinds, :now, :actor, :note)
    ON CONFLICT (code) DO NOTHING
""")
COLUMNS = """
    SELECT c.id, c.code, c.title, c.kind, lower(c.during) AS begin, upper(c.during) AS end, c.about, c.place_kinds,
           ST_AsBinary(c.area) AS area, c.made_at, c.actor, c.closed_at, c.note,
           (SELECT count(*) FROM campaign_place p WHERE p.campaign = c.id) AS named
    FROM campaign c
"""
ONE = COLUMNS + "WHERE c.code = :code"
PAGE = sa.text(
    COLUMNS
    + """
    WHERE (CAST(:before AS uuid) IS NULL OR c.id < CAST(:before AS uuid))
      AND (CAST(:kind AS text) IS NULL OR c.kind = :kind)
      AND (CAST(:at AS timestamptz) IS NULL OR (c.during @> CAST(:at AS timestamptz) AND (c.closed_at IS NULL OR c.closed_at > :at)))
    ORDER BY c.id DESC LIMIT :limit
"""
)
CHANGE = sa.text("""
    UPDATE campaign SET title = :title, during = tstzrange(lower(during), :end), closed_at = :closed_at, note = :note WHERE id = :id
""")
ADD = sa.text("""
    INSERT INTO campaign_place (campaign, place) SELECT :campaign, unnest(CAST(:places AS uuid[])) ON CONFLICT DO NOTHING
""")
REMOVE = sa.text("DELETE FROM campaign_place WHERE campaign = :campaign AND place = ANY(CAST(:places AS uuid[]))")
UIDS = sa.text("SELECT code, uid::text AS uid FROM place WHERE code = ANY(:codes)")
#: Those on the list at some time of [begin, end): named in a campaign, of some kinds, or all.
PLACES = """
    SELECT p.uid::text AS uid, p.code, p.kind, p.name, ST_X(p.geom) AS lon, ST_Y(p.geom) AS lat, lower(p.valid) AS since,
           upper(p.valid) AS until
    FROM place p {narrowed} p.valid && tstzrange(:begin, :end) ORDER BY p.code
"""
NARROWED = {
    "places": "JOIN campaign_place n ON n.place = p.uid AND n.campaign = :campaign WHERE",
    "kinds": "WHERE p.kind = ANY(:place_kinds) AND",
    "all": "WHERE",
}
CHECKINS = sa.text("""
    SELECT m.number AS member, k.at, ST_X(k.geom) AS lon, ST_Y(k.geom) AS lat FROM checkin k JOIN member m ON m.uid = k.member
    WHERE k.kind = 'visit' AND k.at >= :begin AND k.at < :end ORDER BY k.at, k.id
""")


def keep_campaign(connection: sa.Connection, told: NewCampaign, actor: str) -> UUID:
    """The campaign is stored in the caller's transaction: its id. CampaignTaken when another one has the code."""
    now = clock(connection)
    values: dict[str, Any] = {
        name: getattr(told, name) for name in ("code", "title", "kind", "begin", "end", "about", "note")
    }
    values |= {"id": uuid7(now), "now": now, "actor": actor}
    values["place_kinds"] = None if told.place_kinds is None else list(told.place_kinds)
    values["shape"] = None if told.area is None else shapely.to_wkb(told.area)
    if connection.execute(INSERT, values).rowcount == 0:
        standing = read_campaign(connection, told.code)
        raise CampaignTaken(
            f"campaign {told.code} is there already: {standing['title']}", place="code", standing=str(standing["id"])
        )
    if told.places is not None:
        connection.execute(ADD, {"campaign": values["id"], "places": list(told.places)})
    uid: UUID = values["id"]
    return uid


def read_campaign(connection: sa.Connection, code: str, *, lock: bool = False) -> dict[str, Any]:
    """One campaign by code, `area` a shape or None, `named` the number of places named in it; CampaignUnknown when there is none.

    With `lock` nobody else changes it before the transaction ends.
    """
    row = connection.execute(sa.text(ONE + (" FOR UPDATE OF c" if lock else "")), {"code": code}).first()
    if row is None:
        raise CampaignUnknown(f"no campaign has the code {code}", place=code)
    return _campaign(row)


def list_campaigns(
    connection: sa.Connection,
    limit: int = 100,
    before: UUID | None = None,
    kind: str | None = None,
    at: datetime | None = None,
) -> list[dict[str, Any]]:
    """Campaigns, newest first, made before `before`: of a kind, or going on (and not closed) at an instant."""
    rows = connection.execute(PAGE, {"limit": limit, "before": before, "kind": kind, "at": at})
    return [_campaign(row) for row in rows]


def _campaign(row: Any) -> dict[str, Any]:
    found = dict(row._mapping)
    return found | {"area": None if found["area"] is None else shapely.from_wkb(bytes(found["area"]))}


def change_campaign(
    connection: sa.Connection, campaign: dict[str, Any], add: Collection[str] = (), remove: Collection[str] = ()
) -> None:
    """Title, end, note and closing are as told in the caller's transaction; these places (uids) are named in it, and those no more."""
    connection.execute(CHANGE, {name: campaign[name] for name in ("id", "title", "end", "note", "closed_at")})
    for statement, places in ((REMOVE, remove), (ADD, add)):
        if places:
            connection.execute(statement, {"campaign": campaign["id"], "places": list(places)})


def named_places(connection: sa.Connection, campaign: UUID) -> set[str]:
    """The uids of the places that are named in a campaign."""
    rows = connection.execute(
        sa.text("SELECT place::text FROM campaign_place WHERE campaign = :campaign"), {"campaign": campaign}
    )
    return set(rows.scalars())


def place_uids(connection: sa.Connection, codes: Sequence[str]) -> dict[str, str]:
    """Code -> uid of those must-visit places that there are, or were."""
    return {row.code: row.uid for row in connection.execute(UIDS, {"codes": list(codes)})}


def places_about(
    connection: sa.Connection, campaign: dict[str, Any], begin: datetime, end: datetime
) -> list[dict[str, Any]]:
    """The places of a campaign that are on the list at some time from `begin` until just before `end`, by code; none for an area.

    `campaign` tells `id`, `about` and `place_kinds`; with `about` = `all`, every place.
    """
    if campaign["about"] == "area":
        return []
    values = {"begin": begin, "end": end, "campaign": campaign.get("id"), "place_kinds": campaign.get("place_kinds")}
    rows = connection.execute(sa.text(PLACES.format(narrowed=NARROWED[campaign["about"]])), values)
    return [dict(row._mapping) for row in rows]


def visit_checkins(connection: sa.Connection, begin: datetime, end: datetime) -> list[dict[str, Any]]:
    """Check-ins of the kind `visit` from `begin` until just before `end`: member (number), at, lon, lat."""
    return [dict(row._mapping) for row in connection.execute(CHECKINS, {"begin": begin, "end": end})]
