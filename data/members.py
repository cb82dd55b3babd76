"""Members, shifts, leave, places, check-ins and visits as people and rosters tell them: each row is stored, or refused with its reason.

A shift that overlaps another of the same member is refused and the standing one named: merging would hide a slip of the roster. A
roster corrects a shift by its `external_id`.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, tzinfo
from typing import Any, Final
from uuid import UUID

from data.batch import rejection
from data.headings import columns_by_heading
from data.report import parse_time, place_of
from data.rowchunk import Rejection, RowChunk, Table
from gis.codes import code_text
from gis.crs import CONVERTER, Datum, one_to_storage
from gis.errors import FieldMissing, GridError, ParameterInvalid, TimeInvalid
from gis.store.duty import Kind, Span, keep_span, keep_spans
from gis.store.engine import Connection, Engine, savepoint
from gis.store.errors import translating
from gis.store.members import NewMember, find_member, keep_member, member_uids
from gis.store.visits import NewPlace, keep_places

HEADINGS: Final[dict[str, dict[str, tuple[str, ...]]]] = {
    "members": {
        "code": ("code", "member", "网格员编号", "工号", "编号"),
        "name": ("name", "姓名", "网格员"),
        "role": ("role", "角色", "职务"),
        "active": ("active", "在职"),
        "grids": ("grids", "grid", "网格", "网格编码", "所属网格"),
        "since": ("since", "from", "起始时间", "上岗时间"),
    },
    "shifts": {
        "member": ("member", "code", "网格员编号", "工号"),
        "begin": ("begin", "from", "start", "开始时间", "上班时间"),
        "end": ("end", "to", "until", "结束时间", "下班时间"),
        "external_id": ("external_id", "id", "编号", "班次编号"),
        "kind": ("kind", "类别", "类型", "请假类型"),
        "leave": ("leave", "请假"),
    },
    "places": {
        "code": ("code", "external_id", "id", "编号", "编码"),
        "kind": ("kind", "类别", "类型"),
        "name": ("name", "名称"),
        "address": ("address", "地址"),
        "lon": ("lon", "longitude", "lng", "x", "经度"),
        "lat": ("lat", "latitude", "y", "纬度"),
        "crs": ("crs", "datum", "坐标系"),
        "revisit_days": ("revisit_days", "走访周期"),
        "since": ("since", "from", "起始时间"),
        "until": ("until", "to", "结束时间"),
    },
}
NEEDED: Final = {
    "members": ("code", "name"),
    "shifts": ("member", "begin", "end"),
    "places": ("code", "kind", "lon", "lat"),
}

_LIST: Final = re.compile(r"[;；、|,，\s]+")
_YES: Final = frozenset({"true", "1", "yes", "y", "是", "在职"})
_NO: Final = frozenset({"false", "0", "no", "n", "否", "离职"})
_ROLES: Final = {"member": "member", "网格员": "member", "lead": "lead", "网格长": "lead"}

Row = Mapping[str, Any]
#: Stores one row; says what became of it: stored, changed or repeated.
Keep = Callable[[Connection, Row], str]


@dataclass(frozen=True)
class RowsPlan:
    """Which column feeds which field of a kind of table, one value for all rows of others, the datum and the zone of all rows."""

    kind: str
    columns: Mapping[str, str]
    constants: Mapping[str, Any] = field(default_factory=dict)
    datum: Datum | None = None
    zone: tzinfo | None = None

    def row(self, given: Row) -> dict[str, Any]:
        """The fields of a row; empty ones are left out."""
        told = {name: given.get(column) for name, column in self.columns.items()}
        told = dict(self.constants) | {name: value for name, value in told.items() if value not in (None, "")}
        return told | ({"crs": self.datum.name} if self.datum is not None and self.kind == "places" else {})


@dataclass
class RowsKept:
    """What became of a table's rows; in a dry run, what would."""

    rows: int = 0
    rejected: int = 0
    results: Counter[str] = field(default_factory=Counter)


def plan_of(
    kind: str,
    table: Table,
    *,
    mapped: Mapping[str, str],
    constants: Mapping[str, Any],
    datum: Datum | None = None,
    zone: tzinfo | None = None,
) -> RowsPlan:
    """The plan for a table of `members`, `shifts` or `places`; ParameterInvalid, FieldMissing."""
    known = HEADINGS[kind]
    for name in (*mapped, *constants):
        if name not in known:
            raise ParameterInvalid(f"{kind} have no field {name}; fields are {', '.join(known)}", place=name)
    for name, column in mapped.items():
        if column not in table.columns:
            raise ParameterInvalid(f"{name}={column}: no such column; there are {', '.join(table.columns)}", place=name)
    columns = columns_by_heading(table.columns, known)
    if table.position is not None and "lon" in known:
        columns["lon"], columns["lat"] = table.position
    columns |= dict(mapped)
    for name in NEEDED[kind]:
        if name not in columns and name not in constants:
            raise FieldMissing(f"{kind} need a column {name}; there are {', '.join(table.columns)}", place=name)
    return RowsPlan(kind, columns, dict(constants), datum, zone)


def load_rows(
    engine: Engine,
    chunks: Iterable[RowChunk],
    plan: RowsPlan,
    *,
    commit: bool,
    on_rejected: Callable[[list[Rejection]], None] = lambda _: None,
    on_progress: Callable[[int], None] = lambda _: None,
) -> RowsKept:
    """Every usable row is stored, all in one transaction; without `commit` it is undone, and the figures are those of the real run."""
    kept = RowsKept()
    keep = {"members": keep_member_row, "shifts": keep_shift_row, "places": keep_place_row}[plan.kind]
    with engine.connect() as connection:
        transaction = connection.begin()
        for chunk in chunks:
            refused = [*chunk.rejected, *_keep(connection, chunk, plan, keep, kept)]
            kept.rows += len(chunk.numbers) + len(chunk.rejected)
            kept.rejected += len(refused)
            on_rejected(sorted(refused, key=lambda one: one.row))
            on_progress(kept.rows)
        if commit:
            transaction.commit()
        else:
            transaction.rollback()
    return kept


def _keep(
    connection: Connection, chunk: RowChunk, plan: RowsPlan, keep: Callable[..., str], kept: RowsKept
) -> list[Rejection]:
    refused = []
    for number, row in zip(chunk.numbers, chunk.rows, strict=True):
        try:
            with translating(), savepoint(connection):
                kept.results[keep(connection, plan.row(row), plan.zone)] += 1
        except GridError as error:
            refused.append(rejection(number, error, row))
    return refused


def keep_member_row(connection: Connection, row: Row, zone: tzinfo | None = None) -> str:
    """The member that a row tells is stored: `stored`, `changed` or `repeated`. Grids are a list, or codes parted by commas."""
    return keep_member(connection, member_of(row, zone))[1]


def member_of(row: Row, zone: tzinfo | None = None) -> NewMember:
    """The member that a row tells; raises InputError leaves with the field at fault."""
    return NewMember(
        text_of(row, "code", 64, needed=True),
        text_of(row, "name", 200, needed=True),
        _role(row.get("role")),
        _yes(row.get("active")),
        _codes(row.get("grids")),
        time_of(row, "since", zone),
    )


def keep_shift_row(connection: Connection, row: Row, zone: tzinfo | None = None) -> str:
    """The shift, or with `leave` the leave, that a row tells is stored."""
    table: Kind = "leave" if _yes(row.get("leave"), without=False) else "shift"
    return keep_duty(connection, table, row, zone)[1]


def keep_duty(connection: Connection, table: Kind, row: Row, zone: tzinfo | None = None) -> tuple[UUID, str]:
    """A span of duty or leave is stored: its id, and what became of it. MemberUnknown, ShiftOverlaps, InputError leaves."""
    member = find_member(connection, text_of(row, "member", 64, needed=True))["uid"]
    return keep_span(connection, table, member, span_of(table, row, zone))


def keep_all_duty(connection: Connection, table: Kind, rows: Sequence[Row], zone: tzinfo | None = None) -> Counter[str]:
    """Spans of duty or leave are stored as `keep_duty` would one after the other: how many were stored, changed, repeated."""
    uids = member_uids(connection)
    told = []
    for row in rows:
        code = text_of(row, "member", 64, needed=True)
        told.append((uids.get(code) or find_member(connection, code)["uid"], span_of(table, row, zone)))
    return Counter(became for _, became in keep_spans(connection, table, told))


def span_of(table: Kind, row: Row, zone: tzinfo | None = None) -> Span:
    """The span of duty or leave that a row tells; raises InputError leaves with the field at fault."""
    begin, end = (_needed_time(row, name, zone) for name in ("begin", "end"))
    if end <= begin:
        raise TimeInvalid(f"a {table} ends after it begins", place="end")
    if table == "shift" and (end - begin).total_seconds() > 48 * 3600:
        raise TimeInvalid("a shift lasts at most 48 hours", place="end")
    kind = text_of(row, "kind", 64) if table == "leave" else ""
    return Span(begin, end, text_of(row, "external_id", 256) or None, kind)


def keep_place_row(connection: Connection, row: Row, zone: tzinfo | None = None) -> str:
    """The must-visit place that a row tells is stored."""
    keep_places(connection, [new_place(row, zone)])
    return "stored"


def new_place(row: Row, zone: tzinfo | None = None) -> NewPlace:
    """The must-visit place that a row tells; raises InputError leaves with the field at fault."""
    code, kind = (text_of(row, name, 64, needed=True) for name in ("code", "kind"))
    x, y, datum, _ = place_of(row)
    lon, lat = one_to_storage(x, y, datum)
    since, until = (time_of(row, name, zone) for name in ("since", "until"))
    if since and until and until <= since:
        raise TimeInvalid("a place is taken off the list after it was put on it", place="until")
    return NewPlace(
        code, kind, text_of(row, "name", 200), lon, lat, datum.name, CONVERTER, text_of(row, "address", 2000) or None,
        _days(row.get("revisit_days")), since, until,
    )  # fmt: skip


def text_of(row: Row, name: str, longest: int, *, needed: bool = False) -> str:
    """A field as text without blanks around it, "" when it is empty; FieldMissing, ParameterInvalid."""
    value = row.get(name)
    if isinstance(value, bool | list | dict):
        raise ParameterInvalid(f"{name} is text", place=name)
    text = "" if value is None else code_text(value).strip()
    if not text and needed:
        raise FieldMissing(f"this needs {name}", place=name)
    if len(text) > longest or "\0" in text:
        raise ParameterInvalid(f"{name} has at most {longest} characters and no NUL", place=name)
    return text


def time_of(row: Row, name: str, zone: tzinfo | None = None) -> datetime | None:
    """A field as an instant; None when it is empty, TimeInvalid when it is none."""
    value = row.get(name)
    return None if value in (None, "") else parse_time(value, name, zone)


def _needed_time(row: Row, name: str, zone: tzinfo | None) -> datetime:
    at = time_of(row, name, zone)
    if at is None:
        raise FieldMissing(f"this needs {name}, a time with its offset", place=name)
    return at


def _role(value: Any) -> str:
    role = _ROLES.get(str(value).strip().lower() if value not in (None, "") else "member")
    if role is None:
        raise ParameterInvalid("role is member or lead", place="role")
    return role


def _yes(value: Any, *, without: bool = True) -> bool:
    if value in (None, ""):
        return without
    word = str(value).strip().lower()
    if word not in _YES | _NO:
        raise ParameterInvalid(f"this is true or false, not {word[:40]}", place="active")
    return word in _YES


def _codes(value: Any) -> tuple[str, ...] | None:
    if value is None or value == "":
        return None
    parts: Sequence[Any] = value if isinstance(value, list | tuple) else _LIST.split(code_text(value))
    if not all(isinstance(part, str | int) for part in parts):
        raise ParameterInvalid("grids is a list of codes", place="grids")
    return tuple(dict.fromkeys(code_text(part).strip() for part in parts if part != ""))


def _days(value: Any) -> float | None:
    if value in (None, ""):
        return None
    try:
        days = float(value)
    except (TypeError, ValueError):
        days = -1.0
    if not 0.0 < days <= 3660.0:
        raise ParameterInvalid("revisit_days is a number of days above 0", place="revisit_days")
    return days
