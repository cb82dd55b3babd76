"""Report: what comes in, made certain: every field checked, times with an offset, the place still in its declared datum."""

from __future__ import annotations

import hashlib
import math
import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Any, NamedTuple

import orjson

from gis.crs import Datum, one_to_storage, parse_datum
from gis.errors import BodyTooLarge, BodyUnreadable, CoordinateInvalid, FieldMissing, ParameterInvalid, TimeInvalid

#: Text fields and how long each may be, in characters.
LENGTHS = {
    "channel": 64,
    "category": 64,
    "category_scheme": 64,
    "external_id": 256,
    "reporter": 256,
    "asset_owner": 256,
    "address": 2_000,
    "text": 20_000,
}
TIMES = ("occurred_at", "reported_at", "closed_at")
FIELDS = (*LENGTHS, "lon", "lat", "crs", "accuracy_m", *TIMES, "status")

#: What no text holds: NUL, which PostgreSQL cannot keep, and halves of surrogate pairs.
_NO_TEXT = re.compile("[\x00\ud800-\udfff]")

#: A phone's clock may run ahead of ours by this much.
CLOCK_SKEW = timedelta(minutes=10)
OLDEST = datetime(1990, 1, 1, tzinfo=UTC)
LARGEST_ACCURACY_M = 100_000.0


class Report(NamedTuple):
    """One report, checked. `x`, `y` are as given in `datum` (both None without a place); `lon`, `lat` are WGS 84.

    `body_hash` is the SHA-256 of what was sent, independent of the order of its fields.
    """

    raw: dict[str, Any]
    body_hash: bytes
    channel: str
    datum: Datum
    x: float | None
    y: float | None
    lon: float | None
    lat: float | None
    accuracy_m: float | None
    occurred_at: datetime | None
    reported_at: datetime | None
    closed_at: datetime | None
    status: str
    category: str | None = None
    category_scheme: str | None = None
    external_id: str | None = None
    reporter: str | None = None
    asset_owner: str | None = None
    address: str | None = None
    text: str | None = None


def canonical(raw: Mapping[str, Any]) -> bytes:
    """The JSON of a body with sorted keys: equal bodies give equal bytes. BodyUnreadable for what JSON cannot hold."""
    try:
        return orjson.dumps(dict(raw), default=str, option=orjson.OPT_SORT_KEYS | orjson.OPT_NON_STR_KEYS)
    except TypeError as error:
        raise BodyUnreadable(
            f"the report holds what JSON cannot keep (a broken surrogate, too deep nesting, too large a number): {error}",
            place="body",
        ) from None


def clean(raw: Mapping[str, Any], now: datetime, *, zone: tzinfo | None = None) -> Report:
    """The report that `raw` states, or an InputError leaf whose `place` is the field at fault.

    Needs `channel`, and `lon` with `lat` or `address`. Times must carry an offset unless a `zone` is given for those that
    do not; none may lie in the future of `now` (10 minutes of skew are forgiven) or before 1990. A place in another datum
    is converted to WGS 84. Fields that we do not know stay in `raw` alone.
    """
    texts = {name: _text(raw, name, length) if name in raw else None for name, length in LENGTHS.items()}
    channel = texts.pop("channel")
    if not channel:
        raise FieldMissing("a report needs its channel, such as hotline or member", place="channel")
    occurred_at, reported_at, closed_at = (_time(raw, name, now, zone) if name in raw else None for name in TIMES)
    datum = parse_datum(_text(raw, "crs", 64) or "wgs84")
    x, y = _pair(raw)
    if x is None and not texts["address"]:
        raise FieldMissing("a report needs a place: lon and lat, or an address", place="lon")
    lon, lat = one_to_storage(x, y, datum) if x is not None and y is not None else (None, None)
    return Report(
        raw=dict(raw),
        body_hash=hashlib.sha256(canonical(raw)).digest(),
        channel=channel,
        datum=datum,
        x=x,
        y=y,
        lon=lon,
        lat=lat,
        accuracy_m=accuracy(raw.get("accuracy_m")),
        occurred_at=occurred_at,
        reported_at=reported_at,
        closed_at=closed_at,
        status=_status(raw, closed_at),
        **texts,
    )


def place_of(raw: Mapping[str, Any]) -> tuple[float, float, Datum, float | None]:
    """lon, lat as given, their datum and the accuracy in metres; raises as `clean` does, also without a position."""
    datum = parse_datum(_text(raw, "crs", 64) or "wgs84")
    x, y = _pair(raw)
    if x is None or y is None:
        raise FieldMissing("lon and lat are needed", place="lon")
    one_to_storage(x, y, datum)  # refuses what lies nowhere
    return x, y, datum, accuracy(raw.get("accuracy_m"))


def address_of(raw: Mapping[str, Any]) -> str:
    """The address in words; FieldMissing without one, else raises as `clean` does."""
    address = _text(raw, "address", LENGTHS["address"])
    if address is None:
        raise FieldMissing("the address says nothing", place="address")
    return address


def _pair(raw: Mapping[str, Any]) -> tuple[float | None, float | None]:
    x, y = _number(raw, "lon"), _number(raw, "lat")
    if (x is None) != (y is None):
        raise FieldMissing("lon and lat come together", place="lat" if y is None else "lon")
    return x, y


def _text(raw: Mapping[str, Any], name: str, longest: int) -> str | None:
    value = raw.get(name)
    if value is None or value == "":
        return None
    if not isinstance(value, str | int) or isinstance(value, bool):
        raise ParameterInvalid(f"{name} is text", place=name)
    text = str(value)
    if len(text) > longest:
        raise BodyTooLarge(f"{name} has {len(text)} characters; at most {longest} are kept", place=name)
    if _NO_TEXT.search(text):
        raise BodyUnreadable(f"{name} holds characters that are no text (NUL or a broken surrogate)", place=name)
    return text.strip() or None


def _number(raw: Mapping[str, Any], name: str) -> float | None:
    value = raw.get(name)
    if value is None or value == "":
        return None
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise CoordinateInvalid(f"{name} is a number of degrees, or of metres in a projected crs", place=name)
    try:
        number = math.nan if isinstance(value, str) and "_" in value else float(value)
    except (ValueError, OverflowError):
        raise CoordinateInvalid(f"{name} is not a number: {_shown(value)}", place=name) from None
    if not math.isfinite(number):
        raise CoordinateInvalid(f"{name} is not a finite number", place=name)
    return number


def accuracy(value: Any) -> float | None:
    """The 68 % radius in metres that a device told, None when it told none; ParameterInvalid when it cannot be one."""
    if value is None or value == "":
        return None
    try:
        metres = _number({"accuracy_m": value}, "accuracy_m")
    except CoordinateInvalid:
        metres = None
    if metres is None or not 0.0 < metres <= LARGEST_ACCURACY_M:
        raise ParameterInvalid(
            f"accuracy_m is the radius in metres that holds 68 % of readings: above 0, at most {LARGEST_ACCURACY_M:g}; "
            "leave it out when the device does not tell",
            place="accuracy_m",
        )
    return metres


def _shown(value: Any) -> str:
    """The beginning of a value, fit to be quoted in a message."""
    return str(value)[:40].encode(errors="replace").decode()


#: Times as spreadsheets write them: 2026/5/3 8:00, 2026-5-3 8:00:05, 2026年5月3日 8时30分, and days alone.
_SHEET_TIME = re.compile(
    r"(\d{4})[-/.年](\d{1,2})[-/.月](\d{1,2})日?(?:[ T]*(\d{1,2})[:时](\d{1,2})分?(?::?(\d{1,2})秒?)?)?", re.ASCII
)


def _moment_of(text: str, name: str, zone: tzinfo | None) -> datetime:
    """What a text says; the loose forms of spreadsheets only where a zone stands for their offset."""
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        loose = _SHEET_TIME.fullmatch(text) if zone is not None else None
    try:
        if loose is not None:
            return datetime(*(int(part or 0) for part in loose.groups()))  # type: ignore[arg-type]  # noqa: DTZ001 - its zone comes later
    except ValueError:
        pass
    raise TimeInvalid(f"{name} is not a time such as 2026-05-03T08:00:00+08:00: {_shown(text)}", place=name)


def parse_time(given: Any, name: str, zone: tzinfo | None = None) -> datetime:
    """The instant an RFC 3339 text or a datetime states, in UTC; TimeInvalid when unreadable or without an offset.

    With a `zone`, times without an offset are of it, and the forms of spreadsheets (2026/5/3 8:00) are read too.
    """
    value = _moment_of(given.strip(), name, zone) if isinstance(given, str) else given
    if not isinstance(value, datetime):
        raise TimeInvalid(f"{name} is not a time such as 2026-05-03T08:00:00+08:00", place=name)
    if value.tzinfo is None:
        if zone is None:
            raise TimeInvalid(f"{name} has no offset, such as +08:00", place=name)
        value = value.replace(tzinfo=zone)
    try:
        return value.astimezone(UTC)
    except OverflowError:
        raise TimeInvalid(f"{name} lies beyond the calendar", place=name) from None


def _time(raw: Mapping[str, Any], name: str, now: datetime, zone: tzinfo | None) -> datetime | None:
    value = raw.get(name)
    if value is None or value == "":
        return None
    instant = parse_time(value, name, zone)
    if instant > now + CLOCK_SKEW:
        raise TimeInvalid(f"{name} lies in the future: {instant.isoformat()}", place=name)
    if instant < OLDEST:
        raise TimeInvalid(f"{name} lies before 1990: {instant.isoformat()}", place=name)
    return instant


def _status(raw: Mapping[str, Any], closed_at: datetime | None) -> str:
    status = _text(raw, "status", 64) or ("closed" if closed_at else "open")
    if status not in {"open", "closed"}:
        raise ParameterInvalid("status is open or closed", place="status")
    if status == "open" and closed_at:
        raise ParameterInvalid("an open report has no closed_at", place="closed_at")
    return status
