"""`/v1/policy`: the rules of jurisdiction and what is done in doubt, by version."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query

from api import bodies
from api.answers import Json
from api.conditional import Expected, etag
from api.deps import Connection, JsonObject, Supervisor, Viewer, known_parameters
from data.settle import reason_of
from gis.errors import ParameterInvalid
from gis.store.policies import StoredPolicy, newest_policy, publish_policy, read_policy

router = APIRouter(prefix="/v1/policy", tags=["policy"], dependencies=[Depends(known_parameters)])


@router.get("", summary="The policy in force, or an earlier version")
def policy(connection: Connection, _: Viewer, number: Annotated[int | None, Query(ge=0)] = None) -> Json:
    """The version with its document; the `ETag` is what `If-Match` wants."""
    return _answer(read_policy(connection, newest_policy(connection) if number is None else number))


@router.put("", summary="Publish the next version", openapi_extra=bodies.POLICY)
def publish(
    body: JsonObject,
    connection: Connection,
    who: Supervisor,
    seen: Expected,
) -> Json:
    """`{"policy": {...}, "reason": "..."}` is in force for reports received from now on; 412 when somebody was quicker."""
    if set(body) != {"policy", "reason"}:
        raise ParameterInvalid("the body has the members policy and reason", place="body")
    stored = publish_policy(
        connection, body["policy"], seen, actor=who.actor, role=who.role, reason=reason_of(body["reason"])
    )
    return _answer(stored)


def _answer(stored: StoredPolicy) -> Json:
    content: dict[str, Any] = {
        "number": stored.number,
        "published_at": stored.published_at,
        "actor": stored.actor,
        "reason": stored.reason,
        "policy": stored.body,
    }
    return Json(content, headers=etag(stored.number))
