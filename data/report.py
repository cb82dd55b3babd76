"""Report: what comes in, made certain: every field checked, times with an offset, the place still in its declared datum."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Any

from gis.crs import Datum, one_to_storage, parse_datum
from gis.errors import BodyTooLarge, BodyUnreadable, CoordinateInvalid, FieldMissing, ParameterInvalid, TimeInvalid

#: Text fields and how long each may be, in characters.
LENGTHS = {
    "channel": 64,
    "category": 64,
    "category_scheme": 64,
    "external_id": 256,
    "reporter": 256,
    "address": 2_000,
    "text": 20_000,
}
FIELDS = (*LENGTHS, "lon", "lat", "crs", "accuracy_m", "occurred_at", "reported_at", "closed_at", "status")

#: A phone's clock may run ahead of ours by this much.
CLOCK_SKEW = timedelta(minutes=10)
OLDEST = datetime(1990, 1, 1, tzinfo=UTC)
LARGEST_ACCURACY_M = 100_000.0


@dataclass(frozen=True)
class Report:
    """One report, checked. `x`, `y` are as given in `datum` (both None without a place); `lon`, `lat` are WGS 84."""

    raw: dict[str, Any]
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
    address: str | None = None
    text: str | None = None

    @property
    def body_hash(self) -> bytes:
        """SHA-256 of what was sent, independent of the order of its fields."""
        return hashlib.sha256(canonical(self.raw)).digest()


def canonical(raw: Mapping[str, Any]) -> bytes:
    """The JSON of a body with sorted keys: equal bodies give equal bytes."""
    return json.dumps(raw, sort_keys=True, ensure_ascii=True, separators=(",", ":"), default=str).encode()


def clean(raw: Mapping[str, Any], now: datetime, *, zone: tzinfo | None = None) -> Report:
    """The report that `raw` states, or an InputError leaf whose `place` is the field at fault.

    Needs `channel`, and `lon` with `lat` or `address`. Times must carry an offset unless a `zone` is given for those that
    do not; none may lie in the future of `now` (10 minutes of skew are forgiven) or before 1990. A place in another datum
    is converted to WGS 84. Fields that we do not know stay in `raw` alone.
    """
    texts = {name: _text(raw, name, length) for name, length in LENGTHS.items()}
    channel = texts.pop("channel")
    if not channel:
        raise FieldMissing("a report needs its channel, such as hotline or member", place="channel")
    times = {name: _time(raw, name, now, zone) for name in ("occurred_at", "reported_at", "closed_at")}
    datum = parse_datum(_text(raw, "crs", 64) or "wgs84")
    x, y = _number(raw, "lon"), _number(raw, "lat")
    if (x is None) != (y is None):
        raise FieldMissing("lon and lat come together", place="lat" if y is None else "lon")
    if x is None and not texts["address"]:
        raise FieldMissing("a report needs a place: lon and lat, or an address", place="lon")
    lon, lat = one_to_storage(x, y, datum) if x is not None and y is not None else (None, None)
    return Report(
        raw=dict(raw),
        channel=channel,
        datum=datum,
        x=x,
        y=y,
        lon=lon,
        lat=lat,
        accuracy_m=accuracy(raw.get("accuracy_m")),
        occurred_at=times["occurred_at"],
        reported_at=times["reported_at"],
        closed_at=times["closed_at"],
        status=_status(raw, times["closed_at"]),
        **texts,
    )


def with_external_id(report: Report, external_id: str) -> Report:
    """The same report under an id of its own."""
    return replace(report, external_id=external_id)


def _blank(value: Any) -> bool:
    return value is None or value == "" or (isinstance(value, float) and math.isnan(value))


def _text(raw: Mapping[str, Any], name: str, longest: int) -> str | None:
    value = raw.get(name)
    if value is None or value == "":
        return None
    if not isinstance(value, str | int) or isinstance(value, bool):
        raise ParameterInvalid(f"{name} is text", place=name)
    text = str(value)
    if len(text) > longest:
        raise BodyTooLarge(f"{name} has {len(text)} characters; at most {longest} are kept", place=name)
    if "\x00" in text or any("\ud800" <= c <= "\udfff" for c in text):
        raise BodyUnreadable(f"{name} holds characters that are no text (NUL or a broken surrogate)", place=name)
    return text.strip() or None


def _number(raw: Mapping[str, Any], name: str) -> float | None:
    value = raw.get(name)
    if value is None or value == "":
        return None
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise CoordinateInvalid(f"{name} is a number of degrees, or of metres in a projected crs", place=name)
    try:
        number = float(value)
    except (ValueError, OverflowError):
        raise CoordinateInvalid(f"{name} is not a number: {str(value)[:40]}", place=name) from None
    if not math.isfinite(number):
        raise CoordinateInvalid(f"{name} is not a finite number", place=name)
    return number


def accuracy(value: Any) -> float | None:
    """The 68 % radius in metres that a device told, None when it told none; ParameterInvalid when it cannot be one."""
    if _blank(value):
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


def parse_time(given: Any, name: str, zone: tzinfo | None = None) -> datetime:
    """The instant an RFC 3339 text or a datetime states, in UTC; TimeInvalid when unreadable or without an offset."""
    value = given
    if isinstance(value, str):
        try:
            value = datetime.fromisoformat(value.strip().replace("/", "-"))
        except ValueError:
            raise TimeInvalid(
                f"{name} is not a time such as 2026-05-03T08:00:00+08:00: {value[:40]}", place=name
            ) from None
    if not isinstance(value, datetime):
        raise TimeInvalid(f"{name} is not a time such as 2026-05-03T08:00:00+08:00", place=name)
    if value.tzinfo is None:
        if zone is None:
            raise TimeInvalid(f"{name} has no offset, such as +08:00", place=name)
        value = value.replace(tzinfo=zone)
    try:
        instant: datetime = value.astimezone(UTC)
    except OverflowError:
        raise TimeInvalid(f"{name} lies beyond the calendar", place=name) from None
    return instant


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
