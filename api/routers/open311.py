"""`/open311/v2`: Open311 GeoReport v2 over the same events."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Depends, Header, Query, Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from api import open311
from api.deps import (
    Connection,
    SettingsInForce,
    Turn,
    caller,
    caller_with,
    demand,
    known_parameters,
    live_of,
    policy_of,
    read_body,
    settings_of,
    transaction,
)
from api.settings import Caller
from data.intake import Submission, accept
from gis.errors import EventUnknown, FieldMissing
from gis.store.categories import active_categories, active_category
from gis.store.events import read_event
from gis.store.requests import find_requests, list_requests

Ignored = Annotated[str | None, Query(description="one jurisdiction is served: accepted, not looked at")]
Key = Annotated[str | None, Query(description="an API key; or Authorization: Bearer")]


async def common(jurisdiction_id: Ignored = None) -> None:
    """What every call takes."""


async def viewer(request: Request, api_key: Key = None) -> Caller:
    """Who reads."""
    return demand(caller_with(request, api_key) if api_key else caller(request), "viewer")


Reader = Annotated[Caller, Depends(viewer)]
Form = Literal["json", "xml"]

router = APIRouter(
    prefix="/open311/v2",
    tags=["open311"],
    route_class=open311.Open311Route,
    dependencies=[Depends(known_parameters), Depends(common)],
)


@router.get("/discovery.{form}", summary="Where the service is")
async def discovery(form: Form, request: Request, _: Reader) -> Response:
    """The endpoint and its formats."""
    formats = ["text/xml", "application/json"]
    endpoint = {
        "specification": "http://wiki.open311.org/GeoReport_v2",
        "url": str(request.base_url) + "open311/v2",
        "changeset": "2026-11-22T00:00:00Z",
        "type": "production",
        "formats": formats,
    }
    told = {
        "changeset": endpoint["changeset"],
        "contact": "/docs",
        "max_requests": open311.MOST,
        "endpoints": [endpoint],
    }
    return open311.written(form, "discovery", told)


@router.get("/services.{form}", summary="What can be reported")
def services(form: Form, connection: Connection, settings: SettingsInForce, _: Reader) -> Response:
    """Every active category."""
    listed = [open311.service(one, settings.language) for one in active_categories(connection)]
    return open311.written(form, "services", listed)


@router.get("/services/{code}.{form}", summary="What one service asks for")
def definition(form: Form, code: str, connection: Connection, _: Reader) -> Response:
    """No service asks for more than the form has."""
    found = active_category(connection, code)
    return open311.written(form, "service_definition", {"service_code": found.code, "attributes": []})


@router.get("/requests.{form}", summary="Requests")
def requests(
    form: Form,
    connection: Connection,
    settings: SettingsInForce,
    who: Reader,
    service_request_id: Annotated[str | None, Query(description="ids with commas; overrides all others")] = None,
    service_code: str | None = None,
    start_date: Annotated[str | None, Query(description="requested from; with end_date at most 90 days")] = None,
    end_date: Annotated[str | None, Query(description="requested before")] = None,
    status: Annotated[str | None, Query(description="open, closed or both")] = None,
    page: Annotated[int, Query(ge=1, le=open311.DEEPEST_PAGE)] = 1,
    page_size: Annotated[int, Query(ge=1, le=open311.MOST)] = open311.MOST,
) -> Response:
    """Newest requested first: those asked for by id, or of the last 90 days."""
    if service_request_id:
        rows = find_requests(connection, open311.ids_of(service_request_id))
    else:
        now = datetime.now(UTC)
        wanted = open311.filter_of(service_code, start_date, end_date, status, page, page_size, now)
        rows = list_requests(connection, wanted)
    return open311.written(form, "service_requests", [open311.request_of(row, who, settings.language) for row in rows])


@router.get("/requests/{event}.{form}", summary="One request")
def one_request(form: Form, event: str, connection: Connection, settings: SettingsInForce, who: Reader) -> Response:
    """A list of one, as the specification has it."""
    rows = find_requests(connection, [_id(event)])
    if not rows:
        raise EventUnknown(f"no request has the id {event}", place="service_request_id")
    return open311.written(form, "service_requests", [open311.request_of(row, who, settings.language) for row in rows])


def _id(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError:
        raise EventUnknown(f"no request has the id {text[:64]}", place="service_request_id") from None


_FIELDS = (
    "service_code", "lat", "long", "accuracy_m", "crs", "address_string", "description", "email", "first_name", "last_name",
    "phone", "device_id", "account_id", "media_url", "jurisdiction_id", "api_key",
)  # fmt: skip
_FORM: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            "application/x-www-form-urlencoded": {
                "schema": {
                    "type": "object",
                    "required": ["service_code"],
                    "properties": {name: {"type": "string"} for name in _FIELDS},
                }
            }
        },
    }
}


@router.post("/requests.{form}", status_code=201, summary="Report", openapi_extra=_FORM)
async def report(
    form: Form,
    request: Request,
    _: Turn,
    api_key: Key = None,
    idempotency_key: Annotated[str | None, Header(max_length=256)] = None,
) -> Response:
    """201 with the id: the report is stored as any other, with its assignment, keys and receipt."""
    body = await read_body(request, settings_of(request).max_body_bytes)
    fields = open311.read_form(request.headers.get("content-type", ""), body)
    key = fields.get("api_key") or api_key
    who = demand(caller_with(request, key) if key else caller(request), "member")
    return await run_in_threadpool(_store, request, form, who, fields, idempotency_key)


def _store(request: Request, form: str, who: Caller, fields: dict[str, str], key: str | None) -> Response:
    code = fields.get("service_code")
    if not code:
        raise FieldMissing("service_code was not provided", place="service_code")
    with transaction(request) as connection:
        category = active_category(connection, code)
        submission = Submission(open311.report_of(fields, category, datetime.now(UTC)), key)
        (outcome,) = accept(connection, live_of(request), [submission], actor=who.actor, policy=policy_of(request))
        if outcome.error is not None or outcome.event is None:
            raise outcome.error or EventUnknown("the request was not stored")
        grid = (
            outcome.assignment.grid if outcome.assignment else read_event(connection, outcome.event)["answer"]["grid"]
        )
    told = {
        "service_request_id": str(outcome.event),
        "service_notice": open311.notice(grid, settings_of(request).language),
        "account_id": None,
    }
    return open311.written(form, "service_requests", [told], 200 if outcome.repeated else 201)
