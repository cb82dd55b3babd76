"""`/sign-in`: a browser asks for a key, and shows it with every page from then on."""

from __future__ import annotations

from typing import Annotated, Final
from urllib.parse import urlsplit

from fastapi import APIRouter, Depends, Query, Request
from starlette.responses import RedirectResponse, Response

from api.deps import caller, known_parameters
from api.errors import problem
from gis.errors import KeyMissing, ParameterInvalid

router = APIRouter(tags=["operations"], dependencies=[Depends(known_parameters)])

_ASK: Final = {"WWW-Authenticate": 'Basic realm="Gridbeat", charset="UTF-8"', "Cache-Control": "no-store"}


@router.get("/sign-in", summary="Ask the browser for a key", response_class=Response)
async def sign_in(
    request: Request,
    to: Annotated[str, Query(alias="next", max_length=2_000, description="a page of ours")] = "/maps/grids",
) -> Response:
    """401 until a known key comes as the password of HTTP Basic, then on to `next`. So signed in, a browser can look, not write."""
    where = urlsplit(to)
    if where.scheme or where.netloc or not where.path.startswith("/") or to.startswith("//") or "\\" in to:
        raise ParameterInvalid("next is a path of this service", place="next")
    try:
        known = caller(request).actor != "anonymous"
    except KeyMissing:
        known = False
    if not known:
        return problem(401, "key-missing", "type any name, and your API key as the password", None, _ASK)
    return RedirectResponse(to, 303, {"Cache-Control": "no-store"})
