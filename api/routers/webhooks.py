"""`/v1/webhooks`: who else is told of events and assignments, and what became of each notice."""

from __future__ import annotations

from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, Depends, Query
from starlette.responses import Response

from api import bodies
from api.answers import NO_CURSOR, Json, from_cursor, to_cursor
from api.deps import Admin, Connection, JsonObject, SettingsInForce, known_parameters
from data.webhooks import register
from gis.errors import ParameterInvalid
from gis.store import audit, outbox

router = APIRouter(prefix="/v1/webhooks", tags=["webhooks"], dependencies=[Depends(known_parameters)])

FIELDS = frozenset({"url", "topics", "secret"})


@router.post("", status_code=201, summary="Tell somebody", openapi_extra=bodies.WEBHOOK)
def add(body: JsonObject, connection: Connection, settings: SettingsInForce, who: Admin) -> Json:
    """201 with the id and the secret, which is shown this once; events stored from now on are told."""
    unknown = sorted(set(body) - FIELDS)
    if unknown:
        raise ParameterInvalid("a webhook has url, topics and, if you like, secret", place=unknown[0])
    allowed = settings.webhook_targets
    made = register(
        connection, body.get("url"), body.get("topics"), body.get("secret"), allowed, actor=who.actor, role=who.role
    )
    shown = {"id": made.id, "url": body["url"], "topics": body["topics"], "secret": made.secret}
    return Json(shown, 201, {"Location": f"/v1/webhooks/{made.id}/deliveries", "Cache-Control": "no-store"})


@router.get("", summary="Who is told")
def webhooks(_: Admin, connection: Connection) -> Json:
    """Every webhook with the number of notices that wait or are dead; secrets are not shown."""
    return Json({"webhooks": outbox.list_webhooks(connection)})


@router.delete("/{webhook}", status_code=204, summary="Tell it no more")
def remove(webhook: UUID, connection: Connection, who: Admin) -> Response:
    """Nothing is sent to it from now on; notices it has not accepted yet are forgotten."""
    outbox.remove_webhook(connection, webhook)
    audit.record(connection, who.actor, who.role, "remove webhook", f"webhook/{webhook}", {})
    return Response(status_code=204)


@router.get("/{webhook}/deliveries", summary="What became of its notices")
def deliveries(
    webhook: UUID,
    connection: Connection,
    _: Admin,
    state: Literal["waiting", "delivered", "dead", "skipped"] | None = None,
    limit: Annotated[int, Query(ge=1, le=1_000)] = 100,
    cursor: str | None = None,
) -> Json:
    """Newest first: state, tries, the last answer or fault, when it is tried next, and which earlier notice it waits for."""
    rows = outbox.deliveries(connection, webhook, state, limit + 1, _before(cursor))
    shown = rows[:limit]
    more = to_cursor(shown[-1]["number"]) if len(rows) > limit else None
    return Json({"deliveries": shown, "next": more})


@router.post("/{webhook}/deliveries/replay", summary="Send all dead notices again")
def replay_dead(webhook: UUID, connection: Connection, who: Admin) -> Json:
    """Every dead notice waits again, under its id and in its order, and the target is tried at once."""
    again = outbox.replay(connection, webhook, None)
    audit.record(connection, who.actor, who.role, "replay", f"webhook/{webhook}", {"deliveries": again})
    return Json({"replayed": again})


@router.post("/{webhook}/deliveries/{delivery}/replay", summary="Send one notice again")
def replay_one(webhook: UUID, delivery: UUID, connection: Connection, who: Admin) -> Json:
    """The notice, whatever became of it, waits again under its id."""
    again = outbox.replay(connection, webhook, delivery)
    audit.record(connection, who.actor, who.role, "replay", f"webhook/{webhook}", {"delivery": str(delivery)})
    return Json({"replayed": again})


@router.post("/{webhook}/deliveries/{delivery}/skip", summary="Give one notice up")
def skip(webhook: UUID, delivery: UUID, connection: Connection, who: Admin) -> Json:
    """The notice is given up; later ones of its event go on."""
    outbox.skip(connection, webhook, delivery)
    audit.record(connection, who.actor, who.role, "skip", f"webhook/{webhook}", {"delivery": str(delivery)})
    return Json({"skipped": delivery})


def _before(cursor: str | None) -> int | None:
    parts = from_cursor(cursor, int)
    if parts and not 0 <= parts[0] < 1 << 63:
        raise ParameterInvalid(NO_CURSOR, place="cursor")
    return parts[0] if parts else None
