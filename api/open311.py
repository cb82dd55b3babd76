"""Open311 GeoReport v2: its forms read, its answers and errors written, in JSON and XML."""

from __future__ import annotations

import html
import re
from collections.abc import Callable, Coroutine, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from urllib.parse import parse_qsl
from uuid import UUID

from fastapi import Request
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from starlette.responses import Response

from api.answers import Json
from api.deps import instant
from api.errors import status_of
from api.settings import Caller
from data.report import clean
from gis.errors import BodyUnreadable, FieldMissing, GridError, KeyMissing, NotAllowed, ParameterInvalid
from gis.store.categories import Category
from gis.store.errors import DRIVER_ERRORS, translated
from gis.store.requests import RequestFilter

#: The specification's own limits of a list.
LONGEST_SPAN: Final = timedelta(days=90)
MOST: Final = 1_000
MOST_FIELDS: Final = 200
DEEPEST_PAGE: Final = 100

#: Fields of the form that say who reports: kept with the event, shown to nobody here.
PERSON = ("first_name", "last_name", "email", "phone")
#: Fields that become fields of a report; all others are kept in `raw` as they came.
RENAMED = {
    "lat": "lat",
    "long": "lon",
    "crs": "crs",
    "accuracy_m": "accuracy_m",
    "address_string": "address",
    "description": "text",
}

NOTICES = {
    "zh": ("已受理，归属网格 {grid}", "已受理，待分配网格"),
    "en": ("received; it belongs to grid {grid}", "received; its grid is still to be found"),
}
#: What XML 1.0 cannot hold.
NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


# -- written ----------------------------------------------------------------------------------------------------------


def to_xml(name: str, value: Any, items: Mapping[str, str]) -> str:
    """`value` as an element; `items` says what the members of a list are called. None is an empty element."""
    if value is None:
        return f"<{name}/>"
    if isinstance(value, dict):
        inner = "".join(to_xml(key, member, items) for key, member in value.items())
    elif isinstance(value, list):
        inner = "".join(to_xml(items[name], member, items) for member in value)
    else:
        text = str(value).lower() if isinstance(value, bool) else str(value)
        inner = html.escape(NOT_XML.sub("\ufffd", text))
    return f"<{name}>{inner}</{name}>"


ITEMS = {
    "services": "service",
    "service_requests": "request",
    "attributes": "attribute",
    "errors": "error",
    "endpoints": "endpoint",
    "formats": "format",
}


def written(form: str, root: str, value: Any, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    """The answer in the form that was asked for; `root` is the outermost element of the XML."""
    if form == "xml":
        text = '<?xml version="1.0" encoding="utf-8"?>\n' + to_xml(root, value, ITEMS)
        return Response(text.encode(), status, headers, media_type="text/xml; charset=utf-8")
    return Json(value, status, headers, media_type="application/json; charset=utf-8")


def stamp(moment: datetime | None) -> str | None:
    """A time with its offset, to the second, as the specification's examples have it."""
    return None if moment is None else moment.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def service(category: Category, language: str) -> dict[str, Any]:
    """A category as a service."""
    name = (category.name_en or category.name_zh) if language == "en" else category.name_zh
    other = category.name_zh if language == "en" else category.name_en
    return {
        "service_code": category.code,
        "service_name": name,
        "description": other or name,
        "metadata": False,
        "type": "realtime",
        "keywords": ",".join(category.keywords),
        "group": category.group or category.scheme,
    }


def request_of(row: dict[str, Any], who: Caller, language: str) -> dict[str, Any]:
    """An event as a service request; words, address and reasons are shown to those who may see them elsewhere, too."""
    trusted = who.may("member")
    answer = row["answer"]
    return {
        "service_request_id": str(row["id"]),
        "status": row["status"],
        "status_notes": row["status_reason"] if trusted else None,
        "service_name": (row["name_en"] or row["name_zh"]) if language == "en" else row["name_zh"],
        "service_code": row["category"],
        "description": row["text"] if trusted else None,
        "agency_responsible": responsible(answer),
        "service_notice": None,
        "requested_datetime": stamp(row["reported_at"]),
        "updated_datetime": stamp(row["updated_at"]),
        "expected_datetime": None,
        "address": row["address"] if trusted else None,
        "address_id": None,
        "zipcode": None,
        "lat": row["lat"],
        "long": row["lon"],
        "media_url": None,
        "accuracy_m": row["accuracy_m"],
    }


def responsible(answer: dict[str, Any]) -> str | None:
    """The names above the grid and its code; None without a grid."""
    if answer["grid"] is None:
        return None
    return " ".join([*(one["name"] for one in answer["path"] if one["code"] != answer["grid"]), answer["grid"]])


def notice(grid: str | None, language: str) -> str:
    """What the reporter is told at once."""
    found, waiting = NOTICES[language]
    return waiting if grid is None else found.format(grid=grid)


# -- errors -----------------------------------------------------------------------------------------------------------


def status_here(error: GridError) -> int:
    """The specification knows no 422, and answers a missing or unknown key with 403."""
    status = status_of(error)
    if isinstance(error, KeyMissing | NotAllowed):
        return 403
    return 400 if status == 422 else status


def refused(request: Request, error: GridError) -> Response:
    """A refusal as the specification has it: a list of code (the status) and description."""
    status = status_here(error)
    where = f" ({error.place})" if error.place else ""
    form = "json" if request.url.path.endswith(".json") else "xml"
    headers = {"Retry-After": "5"} if status == 503 else None
    return written(form, "errors", [{"code": status, "description": f"{error.message}{where}"}], status, headers)


class Open311Route(APIRoute):
    """A route whose refusals leave in the specification's form."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """The handler, with refusals of its parameters, its key and its work turned into answers."""
        inner = super().get_route_handler()

        async def handle(request: Request) -> Response:
            try:
                return await inner(request)
            except GridError as error:
                return refused(request, error)
            except RequestValidationError as error:
                first = error.errors()[0]
                place = str(first["loc"][-1])
                return refused(request, ParameterInvalid(f"{place}: {first['msg']}", place=place))
            except DRIVER_ERRORS as error:
                return refused(request, translated(error))

        return handle


# -- read -------------------------------------------------------------------------------------------------------------


def read_form(kind: str, body: bytes) -> dict[str, str]:
    """The fields of a form, empty ones left out; BodyUnreadable for another kind of body, or a field that comes twice.

    `attribute[...]` may come as often as it likes: its values are joined by commas.
    """
    if kind.partition(";")[0].strip().lower() != "application/x-www-form-urlencoded":
        raise BodyUnreadable("the body is a form, application/x-www-form-urlencoded in UTF-8", place="content-type")
    try:
        pairs = parse_qsl(body.decode("utf-8"), errors="strict", max_num_fields=MOST_FIELDS)
    except UnicodeDecodeError:
        raise BodyUnreadable("the form is not UTF-8", place="body") from None
    except ValueError:
        raise BodyUnreadable(f"the form has more than {MOST_FIELDS} fields", place="body") from None
    form: dict[str, str] = {}
    for name, value in pairs:
        if name not in form:
            form[name] = value
        elif name.startswith("attribute["):
            form[name] += f",{value}"
        else:
            raise BodyUnreadable(f"{name} comes more than once", place=name)
    return form


def report_of(form: Mapping[str, str], category: Category, now: datetime) -> Any:
    """The report that a form makes, checked; what the specification has beside is kept in `raw`, but never the key."""
    if "lat" not in form and "long" not in form and "address_string" not in form:
        raise FieldMissing(
            "a request needs lat and long, or address_string; there are no address ids here", place="lat"
        )
    raw: dict[str, Any] = {"channel": "open311", "category": category.code, "category_scheme": category.scheme}
    raw |= {RENAMED[name]: value for name, value in form.items() if name in RENAMED}
    person = ", ".join(form[name] for name in PERSON if name in form)
    if person:
        raw["reporter"] = person[:256]
    known = {*RENAMED, "api_key", "service_code", "jurisdiction_id"}
    kept = {name: value for name, value in form.items() if name not in known}
    return clean(raw | ({"open311": kept} if kept else {}), now)


def filter_of(
    service_code: str | None,
    start_date: str | None,
    end_date: str | None,
    status: str | None,
    page: int,
    page_size: int,
    now: datetime,
) -> RequestFilter:
    """The filter of a list: the last 90 days unless told; ParameterInvalid for a longer span or an unknown status."""
    start, end = instant(start_date or None, "start_date"), instant(end_date or None, "end_date")
    try:
        end = end or (start + LONGEST_SPAN if start else now + timedelta(minutes=10))
        start = start or end - LONGEST_SPAN
    except OverflowError:
        raise ParameterInvalid("start_date and end_date lie within the calendar", place="start_date") from None
    if start > end:
        raise ParameterInvalid("start_date lies after end_date", place="start_date")
    if end - start > LONGEST_SPAN + timedelta(minutes=10):
        raise ParameterInvalid("start_date and end_date span at most 90 days", place="end_date")
    statuses = _listed(status)
    if set(statuses) - {"open", "closed"}:
        raise ParameterInvalid("status is open, closed or both with a comma", place="status")
    offset = (page - 1) * page_size
    return RequestFilter(start, end, _listed(service_code), statuses, page_size, offset)


def _listed(value: str | None) -> list[str]:
    return [part.strip() for part in (value or "").split(",") if part.strip()]


def ids_of(value: str) -> list[UUID]:
    """The ids of a comma separated list; ParameterInvalid for one that cannot be an id, or too many."""
    parts = _listed(value)
    if len(parts) > MOST:
        raise ParameterInvalid(f"at most {MOST} ids are asked for at once", place="service_request_id")
    try:
        return [UUID(part) for part in dict.fromkeys(parts)]
    except ValueError:
        raise ParameterInvalid(
            "service_request_id is a list of ids of this service", place="service_request_id"
        ) from None
