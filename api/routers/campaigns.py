"""`/v1/campaigns`: must-visit places, or an area, that are to be gone through in a period, and how far that is done."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Query

from api import roundbodies
from api.answers import Json, id_cursor, to_cursor
from api.choices import one_of
from api.coveragedeps import CoverageKept
from api.deps import (
    BulkBody,
    Connection,
    Dispatcher,
    LiveBoundaries,
    Member,
    SettingsInForce,
    instant,
    known_parameters,
    parse_object,
)
from api.plandeps import only
from data.campaignevidence import TownCampaignEvidence, campaign_evidence
from data.campaignintake import campaign_of, change
from data.campaigns import campaign_json, outlined
from gis.partition import LAYERS
from gis.store import audit
from gis.store.campaigns import keep_campaign, list_campaigns, read_campaign

router = APIRouter(prefix="/v1/campaigns", tags=["rounds"], dependencies=[Depends(known_parameters)])

FIELDS = ("code", "title", "kind", "begin", "end", "places", "place_kinds", "area", "note")


def _evidence(
    connection: Connection, boundaries: LiveBoundaries, kept: CoverageKept, given: SettingsInForce
) -> TownCampaignEvidence | None:
    return campaign_evidence(connection, boundaries, kept, given.sight_m)


Evidence = Annotated[TownCampaignEvidence | None, Depends(_evidence, scope="function")]
Layer = Annotated[str, Query(description="whose grids are told: general, dedicated, micro, frontage or unit")]


@router.post("", status_code=201, summary="Begin a campaign", openapi_extra=roundbodies.CAMPAIGN)
def begin(
    body: BulkBody, connection: Connection, boundaries: LiveBoundaries, evidence: Evidence, who: Dispatcher
) -> Json:
    """About named `places`, all places of `place_kinds`, or an `area`. 409 `campaign-taken` when the code is in use; 404 names every code
    that no place has.
    """
    row = parse_object(body)
    only(row, *FIELDS)
    told = campaign_of(connection, boundaries, row)
    keep_campaign(connection, told, who.actor)
    audit.record(connection, who.actor, who.role, "campaign", f"campaign/{told.code}", row)
    return _whole(connection, boundaries, evidence, told.code, 201)


@router.get("", summary="Campaigns, newest first")
def listed(
    _: Member,
    connection: Connection,
    kind: str | None = None,
    at: Annotated[str | None, Query(description="those going on at; RFC 3339 with offset")] = None,
    limit: Annotated[int, Query(ge=1, le=1_000)] = 100,
    cursor: str | None = None,
) -> Json:
    """What each is about and when; `named` is the number of places that are named in it."""
    found = list_campaigns(connection, limit + 1, id_cursor(cursor), kind, instant(at, "at"))
    more = to_cursor(found[limit - 1]["id"]) if len(found) > limit else None
    return Json({"campaigns": [outlined(one) for one in found[:limit]], "next": more})


@router.get("/{code}", summary="A campaign, and how far it is done")
def read(
    _: Member,
    code: str,
    connection: Connection,
    boundaries: LiveBoundaries,
    evidence: Evidence,
    layer: Layer = "general",
) -> Json:
    """Its places or its ground by grid, and what of it was done in the period, each figure with its denominator."""
    one_of(layer, [name for name, _, _ in LAYERS], "layer")
    return _whole(connection, boundaries, evidence, code, layer=layer)


@router.patch("/{code}", summary="Change or close a campaign", openapi_extra=roundbodies.CAMPAIGN_CHANGE)
def amend(
    code: str, body: BulkBody, connection: Connection, boundaries: LiveBoundaries, evidence: Evidence, who: Dispatcher
) -> Json:
    """Title, end, note, `closed`, and the places named in it; what changed stands in the audit."""
    row = parse_object(body)
    only(row, "title", "end", "closed", "note", "places")
    changed = change(connection, code, row).as_json()
    if changed:
        audit.record(connection, who.actor, who.role, "change campaign", f"campaign/{code}", changed)
    return _whole(connection, boundaries, evidence, code)


def _whole(
    connection: Connection,
    boundaries: LiveBoundaries,
    evidence: TownCampaignEvidence | None,
    code: str,
    status: int = 200,
    layer: str = "general",
) -> Json:
    headers = {"Location": f"/v1/campaigns/{code}"} if status == 201 else None
    found = read_campaign(connection, code)
    return Json(campaign_json(connection, boundaries, found, evidence, layer=layer), status, headers)
