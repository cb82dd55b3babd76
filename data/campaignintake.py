"""Campaigns as people tell them: each is stored, or refused with its reason; changes are told apart for the audit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import shapely

from data.members import text_of, time_of
from gis.codes import code_text
from gis.errors import (
    AreaOutside,
    FieldMissing,
    GeometryInvalid,
    OperationInvalid,
    ParameterInvalid,
    PlaceUnknown,
    StateConflict,
    TimeInvalid,
)
from gis.operations import check_area, shape_of
from gis.store.boundaries import Moment
from gis.store.campaigns import NewCampaign, change_campaign, named_places, place_uids, places_about, read_campaign
from gis.store.engine import Connection
from gis.store.generations import clock
from gis.store.live import Live

#: Places that one campaign may name; more are told by their kinds.
MOST_PLACES: Final = 100_000
MOST_KINDS: Final = 64
#: Unknown codes that a message spells out; its `unknown` names them all.
SHOWN: Final = 10

Row = Mapping[str, Any]


def campaign_of(connection: Connection, live: Live, row: Row) -> NewCampaign:
    """The campaign that a body tells. FieldMissing, ParameterInvalid, TimeInvalid, GeometryInvalid and AreaOutside name the member.

    PlaceUnknown names every code that no place has, and when none of the places, or none of the kinds, is on the list in the period.
    """
    code, title, kind = (
        text_of(row, name, most, needed=True) for name, most in (("code", 64), ("title", 200), ("kind", 64))
    )
    begin, end = (_needed_time(row, name) for name in ("begin", "end"))
    _refuse_reversed(begin, end)
    about = [name for name in ("places", "place_kinds", "area") if row.get(name) is not None]
    if len(about) != 1:
        raise ParameterInvalid(
            "a campaign is about one of places, place_kinds and area", place=(about or ["places"])[-1]
        )
    told = NewCampaign(
        code, title, kind, begin, end, text_of(row, "note", 2000),
        _places(connection, row["places"], "places") if about == ["places"] else None,
        _texts(row["place_kinds"], "place_kinds", MOST_KINDS) if about == ["place_kinds"] else None,
        _area(connection, live, row["area"], begin, end) if about == ["area"] else None,
    )  # fmt: skip
    _refuse_nothing(connection, told)
    return told


def _needed_time(row: Row, name: str) -> datetime:
    at = time_of(row, name)
    if at is None:
        raise FieldMissing(f"a campaign needs {name}, a time with its offset", place=name)
    return at


def _refuse_reversed(begin: datetime, end: datetime) -> None:
    if end <= begin:
        raise TimeInvalid("a campaign ends after it begins", place="end")


def _texts(value: Any, name: str, most: int) -> tuple[str, ...]:
    """A list of texts or whole numbers, each once."""
    usable = isinstance(value, list) and all(isinstance(one, str | int) and not isinstance(one, bool) for one in value)
    found = tuple(dict.fromkeys(code_text(one).strip() for one in value)) if usable else ()
    if not 0 < len(found) <= most or any(not one or len(one) > 64 or "\0" in one for one in found):
        raise ParameterInvalid(f"{name} is a list of 1 to {most:,} texts of 1 to 64 characters", place=name)
    return found


def _places(connection: Connection, value: Any, name: str) -> tuple[str, ...]:
    """The uids of the places with these codes."""
    codes = _texts(value, name, MOST_PLACES)
    known = place_uids(connection, codes)
    unknown = [code for code in codes if code not in known]
    if unknown:
        listed = ", ".join(unknown[:SHOWN]) + (" ..." if len(unknown) > SHOWN else "")
        raise PlaceUnknown(f"{len(unknown)} codes are of no must-visit place: {listed}", place=name, unknown=unknown)
    return tuple(known[code] for code in codes)


def _area(connection: Connection, live: Live, value: Any, begin: datetime, end: datetime) -> Any:
    """The area as a MultiPolygon, if it shares ground with a grid that is in force in the period."""
    try:
        check_area(value, "area")
    except OperationInvalid as error:
        raise GeometryInvalid(error.message, place=error.place) from None
    area = shapely.multipolygons(shapely.get_parts(shape_of(value)))
    now = clock(connection)
    geometry = live.state(connection, Moment(min(max(begin, now), end), now)).index.geometry
    near = shapely.STRtree(geometry).query(area, predicate="intersects")
    if not (shapely.area(shapely.intersection(geometry[near], area)) > 0).any():
        raise AreaOutside("the area lies outside all grids that are in force then", place="area")
    return area


def _refuse_nothing(connection: Connection, told: NewCampaign) -> None:
    """Returns if a campaign about places has one in its period; PlaceUnknown else."""
    if told.about == "area":
        return
    uids = set(told.places or ())
    asked = (
        {"about": "all"} if told.places is not None else {"about": "kinds", "place_kinds": list(told.place_kinds or ())}
    )
    listed = places_about(connection, asked, told.begin, told.end)
    if not any(told.places is None or one["uid"] in uids for one in listed):
        name = "place_kinds" if told.places is None else "places"
        raise PlaceUnknown("none of these is on the list of must-visit places in the period", place=name)


@dataclass(frozen=True)
class Changed:
    """A campaign as it was and as it is, and the codes of the places that are named in it from now on, and no more."""

    before: dict[str, Any]
    after: dict[str, Any]
    added: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()

    def as_json(self) -> dict[str, Any]:
        """What changed, for the audit: member -> [before, after], and the codes."""
        names = [name for name in ("title", "end", "closed_at", "note") if self.before[name] != self.after[name]]
        codes = {name: list(codes) for name, codes in (("added", self.added), ("removed", self.removed)) if codes}
        return {name: [self.before[name], self.after[name]] for name in names} | codes


def change(connection: Connection, code: str, row: Row) -> Changed:
    """What the body tells of title, end, closed, note and places (`{"add", "remove"}`) is stored in the caller's transaction.

    CampaignUnknown; StateConflict for a closed campaign that is not opened again, and where no place would be left.
    """
    before = read_campaign(connection, code, lock=True)
    closed = _closed(row.get("closed"), was=before["closed_at"] is not None)
    if (
        before["closed_at"] is not None
        and closed
        and any(row.get(name) is not None for name in ("title", "end", "places"))
    ):
        raise StateConflict(f"campaign {code} is closed: open it again with closed: false", place="closed")
    told = {
        name: text_of(row, name, most) for name, most in (("title", 200), ("note", 2000)) if row.get(name) is not None
    }
    if not told.get("title", "-"):
        raise FieldMissing("a campaign needs a title", place="title")
    closed_at = before["closed_at"] or clock(connection)
    after = before | told | {"end": time_of(row, "end") or before["end"], "closed_at": closed_at if closed else None}
    _refuse_reversed(after["begin"], after["end"])
    add, remove = _renamed(connection, before, row.get("places"))
    change_campaign(connection, after, add.values(), remove.values())
    return Changed(before, after, tuple(add), tuple(remove))


def _closed(value: Any, *, was: bool) -> bool:
    if value is not None and not isinstance(value, bool):
        raise ParameterInvalid("closed is true or false", place="closed")
    return was if value is None else value


def _renamed(connection: Connection, campaign: Row, value: Any) -> tuple[dict[str, str], dict[str, str]]:
    """(code -> uid of places that are named in addition, of those that are named no more)."""
    if value is None:
        return {}, {}
    if not isinstance(value, dict) or not set(value) <= {"add", "remove"}:
        raise ParameterInvalid('places is {"add": [codes], "remove": [codes]}', place="places")
    if campaign["about"] != "places":
        raise StateConflict(
            "this campaign names no places: what it is about follows from its kinds or its area", place="places"
        )
    add, remove = (_by_code(connection, value.get(name), f"places.{name}") for name in ("add", "remove"))
    if add.keys() & remove.keys():
        raise ParameterInvalid("a place is added or removed, not both", place="places")
    named = named_places(connection, campaign["id"])
    add = {code: uid for code, uid in add.items() if uid not in named}
    remove = {code: uid for code, uid in remove.items() if uid in named}
    if not 0 < len(named) + len(add) - len(remove) <= MOST_PLACES:
        raise StateConflict(f"a campaign about places names 1 to {MOST_PLACES:,} of them", place="places")
    return add, remove


def _by_code(connection: Connection, value: Sequence[Any] | None, name: str) -> dict[str, str]:
    if value is None or value == []:
        return {}
    codes = _texts(value, name, MOST_PLACES)
    return dict(zip(codes, _places(connection, list(codes), name), strict=True))
