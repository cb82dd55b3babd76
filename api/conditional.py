"""Conditional writes: the version that a caller has seen, by `If-Match`, and the `ETag` that names one."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, Header

from gis.errors import ParameterInvalid


def etag(number: int) -> dict[str, str]:
    """The header that names a version."""
    return {"ETag": f'"{number}"'}


async def expected(
    if_match: Annotated[str | None, Header(description="the ETag of the version that was read")] = None,
) -> int:
    """The version that the caller has seen; ParameterInvalid when none is named."""
    number = (if_match or "").strip().removeprefix("W/").strip('"')
    if not (number.isascii() and number.isdigit()) or len(number) > 9:
        raise ParameterInvalid('If-Match names the version that was read, as in If-Match: "3"', place="If-Match")
    return int(number)


Expected = Annotated[int, Depends(expected)]
