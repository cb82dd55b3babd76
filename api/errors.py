"""The one table from refusal to status; every error leaves as RFC 9457 application/problem+json."""

from __future__ import annotations

import json
import logging
from http import HTTPStatus
from typing import Any, Literal

import orjson
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import Response

from gis import errors
from gis.store.errors import DRIVER_ERRORS, translated

log = logging.getLogger("gridbeat.api")

#: The nearest ancestor in this table decides.
STATUS: dict[type[errors.GridError], int] = {
    errors.GridError: 500,
    errors.InputError: 422,
    errors.ParameterInvalid: 400,
    errors.BodyUnreadable: 400,
    errors.BodyTooLarge: 413,
    errors.Conflict: 409,
    errors.Stale: 412,
    errors.NotFound: 404,
    errors.CodeVoided: 410,
    errors.NotAllowed: 403,
    errors.KeyMissing: 401,
    errors.Unavailable: 503,
}


def status_of(error: errors.GridError) -> int:
    """The HTTP status of a refusal."""
    return next(STATUS[kind] for kind in type(error).__mro__ if kind in STATUS)


def problem(
    status: int, code: str, detail: str, place: str | None = None, headers: dict[str, str] | None = None, **more: Any
) -> Response:
    """An RFC 9457 answer; `code` is stable, `place` says where the fault lies."""
    body = {
        "type": f"urn:gridbeat:problem:{code}",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "code": code,
        "detail": detail,
        **({"place": place} if place is not None else {}),
        **more,
    }
    try:
        content = orjson.dumps(body, default=str, option=orjson.OPT_NON_STR_KEYS)
    except TypeError:  # a quoted value may hold what UTF-8 cannot: a broken surrogate
        content = json.dumps(body, default=str).encode()
    return Response(content, status, headers, media_type="application/problem+json")


def problem_of(error: errors.GridError) -> Response:
    """The answer to a refusal of ours."""
    headers = {"WWW-Authenticate": "Bearer"} if isinstance(error, errors.KeyMissing) else None
    if isinstance(error, errors.Unavailable):
        headers = {"Retry-After": "5"}
    return problem(status_of(error), error.code, error.message, error.place, headers, **error.details)


async def _refused(request: Request, error: Exception) -> Response:
    assert isinstance(error, errors.GridError)  # noqa: S101 - registered for this class alone
    if isinstance(error, errors.EvidencePending) and "text/html" in request.headers.get("accept", ""):
        return _come_again(request)
    return problem_of(error)


def _come_again(request: Request) -> Response:
    """What a browser shows until the evidence is there: it asks again by itself."""
    from maps.coverage import render_pending

    lang: Literal["zh", "en"] = (
        "en" if request.query_params.get("lang", request.app.state.settings.language) == "en" else "zh"
    )
    return Response(render_pending(lang), 503, {"Refresh": "4", "Retry-After": "4"}, "text/html; charset=utf-8")


async def _invalid(_: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)  # noqa: S101
    first = error.errors()[0]
    place = ".".join(str(part) for part in first["loc"][1:]) or str(first["loc"][0])
    return problem(400, "parameter-invalid", f"{place}: {first['msg']}", place)


async def _http(_: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101
    code = HTTPStatus(error.status_code).phrase.lower().replace(" ", "-")
    return problem(error.status_code, code, str(error.detail), headers=dict(error.headers or {}))


async def _database(_: Request, error: Exception) -> Response:
    return problem_of(translated(error))


async def _unexpected(request: Request, error: Exception) -> Response:
    log.error("unexpected error at %s %s", request.method, request.url.path, exc_info=error)
    return problem(500, "unexpected", "an unexpected error; it was logged, nothing was stored")


def install(app: FastAPI) -> None:
    """Every error of `app` leaves as a problem document afterwards."""
    app.add_exception_handler(errors.GridError, _refused)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _http)
    for kind in DRIVER_ERRORS:
        app.add_exception_handler(kind, _database)
    app.add_exception_handler(Exception, _unexpected)
