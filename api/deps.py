"""What routes ask for: a transaction, the caller, a moment, a checked body.

What only looks at the request is `async`, so that it runs where it is asked for: a plain function would cost a thread each.
"""

from __future__ import annotations

import asyncio
import base64
import hmac
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AbstractContextManager, asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

import orjson
from fastapi import Depends, Query, Request
from fastapi.dependencies.models import Dependant

from api.gathering import Gathering
from api.settings import Caller, Settings
from data.decide import Policy
from data.report import parse_time
from gis.errors import BodyTooLarge, BodyUnreadable, DatabaseUnavailable, KeyMissing, ParameterInvalid, RoleTooLow
from gis.store import engine
from gis.store.boundaries import Moment
from gis.store.live import Live

#: Seconds that a request waits for its turn at the store before it is told to come again.
PATIENCE_S = 10.0


def settings_of(request: Request) -> Settings:
    """The settings the application was made with."""
    found: Settings = request.app.state.settings
    return found


async def settings(request: Request) -> Settings:
    """`settings_of` as a dependency."""
    return settings_of(request)


def live_of(request: Request) -> Live:
    """The process's boundaries."""
    found: Live = request.app.state.live
    return found


async def live(request: Request) -> Live:
    """`live_of` as a dependency."""
    return live_of(request)


def policy_of(request: Request) -> Policy:
    """How places near a border or outside are answered here."""
    given = settings_of(request)
    return Policy(given.nearest_tolerance_m, given.candidates_within_m)


async def policy(request: Request) -> Policy:
    """`policy_of` as a dependency."""
    return policy_of(request)


async def _turn(request: Request) -> AsyncIterator[None]:
    """As many requests as there are connections go on; the others wait here, without a thread.

    Waiting in the pool instead would hold a thread each, and when all threads wait nobody could hand a connection back.
    """
    turns: asyncio.Semaphore = request.app.state.turns
    request.app.state.taking += 1
    try:
        await _taken(turns)
        try:
            yield
        finally:
            turns.release()
    finally:
        request.app.state.taking -= 1


async def _taken(turns: asyncio.Semaphore) -> None:
    try:
        async with asyncio.timeout(PATIENCE_S):
            await turns.acquire()
    except TimeoutError:
        raise DatabaseUnavailable("too many requests wait for the store; nothing was stored, come again") from None


turn = asynccontextmanager(_turn)
Turn = Annotated[None, Depends(_turn, scope="function")]


def gathering_of(request: Request) -> Gathering:
    """The process's line of reports."""
    found: Gathering = request.app.state.gathering
    return found


def in_a_rush(request: Request) -> bool:
    """Whether others are at the store, or wait for it: then what is not needed for an answer waits for a calmer moment."""
    taking: int = request.app.state.taking
    return taking + gathering_of(request).size > 0


def engine_of(request: Request) -> engine.Engine:
    """The process's engine, for what happens after the transaction of a request."""
    found: engine.Engine = request.app.state.engine
    return found


def transaction(request: Request) -> AbstractContextManager[engine.Connection]:
    """A transaction that is committed at the block's end, rolled back on any error. Its caller has taken a `Turn`."""
    opened: AbstractContextManager[engine.Connection] = request.app.state.engine.begin()
    return opened


def _connection(request: Request, _: Turn) -> Iterator[engine.Connection]:
    """One transaction: committed before the answer is sent, rolled back on any error."""
    with transaction(request) as connection:
        yield connection


#: `scope="function"`: with FastAPI's default the commit would follow the answer, and a failed one could not change it.
Connection = Annotated[engine.Connection, Depends(_connection, scope="function")]
LiveBoundaries = Annotated[Live, Depends(live)]
PolicyInForce = Annotated[Policy, Depends(policy)]
SettingsInForce = Annotated[Settings, Depends(settings)]


def _sent_key(request: Request) -> str | None:
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "basic" and request.method in {"GET", "HEAD"}:
        # A browser adds it to whatever asks us, a foreign page's form too: so it lets look, and never write.
        return password_of(token.strip())
    return token.strip() if scheme.lower() == "bearer" and token else request.headers.get("x-api-key")


def password_of(token: str) -> str:
    """The password of HTTP Basic (RFC 7617), which is a key here; the name before it may be anything. Empty where it cannot be read."""
    try:
        return base64.b64decode(token, validate=True).decode().partition(":")[2]
    except ValueError:  # no base64, or no UTF-8
        return ""


def caller(request: Request) -> Caller:
    """Who calls, by `Authorization: Bearer` or `X-API-Key`; without a key the anonymous role. KeyMissing for an unknown key."""
    return caller_with(request, _sent_key(request))


def caller_with(request: Request, sent: str | None) -> Caller:
    """Who has this key; the anonymous role without one, KeyMissing for an unknown one."""
    given = settings_of(request)
    if sent is None:
        return Caller("anonymous", given.anonymous_role)
    for key, known in given.callers.items():
        if hmac.compare_digest(key.encode(), sent.encode(errors="replace")):
            return known
    raise KeyMissing("this API key is not known")


def demand(found: Caller, role: str) -> Caller:
    """The caller, if the role suffices; KeyMissing without a key, RoleTooLow with too low a one."""
    if found.may(role):
        return found
    if found.actor == "anonymous":
        raise KeyMissing(f"this needs an API key with the role {role} or above")
    raise RoleTooLow(f"this needs the role {role} or above; the key has {found.role}")


def at_least(role: str) -> Callable[[Request], Awaitable[Caller]]:
    """A dependency that gives the caller as `demand` does."""

    async def check(request: Request) -> Caller:
        return demand(caller(request), role)

    return check


Viewer = Annotated[Caller, Depends(at_least("viewer"))]
Member = Annotated[Caller, Depends(at_least("member"))]
Dispatcher = Annotated[Caller, Depends(at_least("dispatcher"))]
Admin = Annotated[Caller, Depends(at_least("admin"))]
Supervisor = Annotated[Caller, Depends(at_least("supervisor"))]


def _names(dependant: Dependant) -> set[str]:
    own = {param.alias for param in dependant.query_params}
    return own.union(*(_names(inner) for inner in dependant.dependencies))


async def known_parameters(request: Request) -> None:
    """ParameterInvalid for a query parameter that the route does not have, one that comes twice, or a NUL in any of them."""
    known = _names(request.scope["route"].dependant)
    sent = [name for name, _ in request.query_params.multi_items()]
    for name in sent:
        if name not in known:
            raise ParameterInvalid(
                f"unknown parameter {name}; known are {', '.join(sorted(known)) or 'none'}", place=name
            )
        if sent.count(name) > 1:
            raise ParameterInvalid(f"parameter {name} comes more than once", place=name)
    for name, value in (*request.query_params.items(), *request.path_params.items()):
        if "\0" in str(value):
            raise ParameterInvalid(f"{name} holds a NUL character", place=name)


def moment(
    connection: Connection,
    boundaries: LiveBoundaries,
    at: Annotated[str | None, Query(description="true in the world at; RFC 3339 with offset")] = None,
    known_at: Annotated[str | None, Query(description="as the system knew it at; RFC 3339 with offset")] = None,
) -> Moment:
    """The moment a read is about: `at` and `known_at`, each now when left out."""
    now = boundaries.now(connection)
    return Moment(instant(at, "at") or now.at, instant(known_at, "known_at") or now.known_at)


AtMoment = Annotated[Moment, Depends(moment, scope="function")]


def instant(value: str | None, name: str) -> datetime | None:
    """A time parameter; a `+` that was not percent-encoded arrives as a blank and is forgiven."""
    if value is None:
        return None
    return parse_time(value.replace(" ", "+") if "T" in value else value, name)


LAST_INSTANT = datetime.max.replace(tzinfo=UTC) - timedelta(microseconds=1)


def interval(value: str | None) -> tuple[datetime | None, datetime | None]:
    """Begin and end of an OGC `datetime`, half-open: an open side is None; a single instant is itself alone."""
    if value is None:
        return None, None
    begin, slash, end = value.partition("/")
    first, last = (None if side in {"", ".."} else instant(side, "datetime") for side in (begin, end))
    if not slash:
        if first is None:
            raise ParameterInvalid("datetime is an instant or begin/end; an open side is ..", place="datetime")
        return first, min(first, LAST_INSTANT) + timedelta(microseconds=1)
    if first and last and first > last:
        raise ParameterInvalid("datetime begins after it ends", place="datetime")
    return first, last


async def bounding_box(
    bbox: Annotated[str | None, Query(description="west,south,east,north in degrees, WGS 84")] = None,
) -> tuple[float, float, float, float] | None:
    """The four numbers of `bbox`; ParameterInvalid when they are no box."""
    if bbox is None:
        return None
    try:
        west, south, east, north = (float(part) for part in bbox.split(","))
    except ValueError:
        raise ParameterInvalid("bbox is west,south,east,north in degrees", place="bbox") from None
    if not (-180 <= west <= east <= 180 and -90 <= south <= north <= 90):
        raise ParameterInvalid(
            "bbox is west,south,east,north in degrees, west <= east and south <= north", place="bbox"
        )
    return west, south, east, north


BBox = Annotated[tuple[float, float, float, float] | None, Depends(bounding_box)]


async def read_body(request: Request, longest: int) -> bytes:
    """The body, BodyTooLarge as soon as it is longer than `longest` bytes."""
    told = request.headers.get("content-length", "0")
    if told.isdecimal() and int(told) > longest:
        raise BodyTooLarge(f"the body has {told} bytes; at most {longest} are taken", limit=longest)
    chunks: list[bytes] = []
    size = 0
    stream: AsyncIterator[bytes] = request.stream()
    async for chunk in stream:
        size += len(chunk)
        if size > longest:
            raise BodyTooLarge(f"the body is longer than {longest} bytes", limit=longest)
        chunks.append(chunk)
    return b"".join(chunks)


def parse_object(body: bytes) -> dict[str, Any]:
    """The JSON object a body is; BodyUnreadable with the place of the fault."""
    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise BodyUnreadable(
            f"the body is not JSON: {error}", place=f"line {error.lineno} column {error.colno}"
        ) from error
    if not isinstance(value, dict):
        raise BodyUnreadable("the body is not a JSON object", place="body")
    return value


async def json_object(request: Request) -> dict[str, Any]:
    """The JSON object of a small body."""
    return parse_object(await read_body(request, settings_of(request).max_body_bytes))


async def bulk_body(request: Request) -> bytes:
    """The bytes of a large body."""
    return await read_body(request, settings_of(request).max_batch_bytes)


JsonObject = Annotated[dict[str, Any], Depends(json_object)]
BulkBody = Annotated[bytes, Depends(bulk_body)]
