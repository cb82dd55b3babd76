"""Express: the plain case of `POST /v1/events` goes straight to its function, past routing and injection.

Those cost more than storing the report does. Whatever is not plain (a query, an odd key) takes the usual way, to the same
function; so both answer alike, and what a report may be is said once, at the route.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from api.deps import caller, demand, json_object
from api.errors import problem_of
from api.routers import events
from gis.errors import GridError
from gis.store.errors import DRIVER_ERRORS, translated

PATH: Final = "/v1/events"


class Express:
    """The application; plain reports are taken here."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request is answered."""
        if not is_plain(scope):
            await self.app(scope, receive, send)
            return
        answer = await answered(Request(scope, receive), take)
        await answer(scope, receive, send)


def is_plain(scope: Scope) -> bool:
    """Whether this is a report without parameters and with at most one Idempotency-Key of a usual length."""
    if scope["type"] != "http" or scope["path"] != PATH or scope["method"] != "POST" or scope["query_string"]:
        return False
    keys = [value for name, value in scope["headers"] if name == b"idempotency-key"]
    return not keys or (len(keys) == 1 and len(keys[0]) <= events.LONGEST_KEY)


async def take(request: Request) -> Response:
    """The route's answer, its arguments found in the order in which the route finds them."""
    who = demand(caller(request), "member")
    return await events.report(request, who, await json_object(request), request.headers.get("idempotency-key"))


async def answered(request: Request, taking: Callable[[Request], Awaitable[Response]]) -> Response:
    """The answer, or the problem document of a refusal; anything unexpected goes on to the application's own net."""
    try:
        return await taking(request)
    except GridError as error:
        return problem_of(error)
    except DRIVER_ERRORS as error:
        return problem_of(translated(error))
