"""Rows of a table become submissions: columns find their fields, every row keeps its number, every refusal its reason."""

from __future__ import annotations

import math
from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, tzinfo
from typing import Any

from data.headings import columns_by_heading
from data.intake import Submission
from data.plainrows import PlainRows, given_of, plain_rows
from data.report import FIELDS, LENGTHS, clean
from data.rowchunk import Rejection, RowChunk, Table
from data.tabledatum import datum_of_table
from gis.codes import code_text
from gis.errors import FieldMissing, GridError, ParameterInvalid

#: Headings that tables from the field use for our fields.
HEADINGS: dict[str, tuple[str, ...]] = {
    "lon": ("lon", "longitude", "lng", "x", "经度"),
    "lat": ("lat", "latitude", "y", "纬度"),
    "crs": ("crs", "datum", "坐标系"),
    "accuracy_m": ("accuracy_m", "accuracy", "定位精度"),
    "occurred_at": ("occurred_at", "发生时间"),
    "reported_at": ("reported_at", "上报时间"),
    "closed_at": ("closed_at", "结案时间"),
    "status": ("status", "状态"),
    "category": ("category", "类别", "事件类别"),
    "category_scheme": ("category_scheme", "类别体系"),
    "channel": ("channel", "渠道", "来源"),
    "text": ("text", "description", "描述", "事件描述", "内容"),
    "address": ("address", "地址", "事发地址"),
    "external_id": ("external_id", "工单号", "事件编号", "编号"),
    "reporter": ("reporter", "上报人"),
    "asset_owner": ("asset_owner", "权属单位"),
}


@dataclass(frozen=True)
class RowPlan:
    """Which column feeds which field, and which fields have one value for all rows; times without offset are of `zone`."""

    columns: Mapping[str, str] = field(default_factory=dict)  # field -> column
    constants: Mapping[str, Any] = field(default_factory=dict)
    defaults: Mapping[str, Any] = field(default_factory=dict)  # for rows whose own column is empty
    names: frozenset[str] = frozenset()  # the columns known when the plan was made
    zone: tzinfo | None = None
    source: str | None = None  # what the file is called in the stored raw input
    file_key: str | None = None  # makes rows without an id of their own the same row when the file comes again


def plan_rows(
    names: Sequence[str],
    *,
    mapped: Mapping[str, str] | None = None,
    constants: Mapping[str, Any] | None = None,
    position: tuple[str, str] | None = None,
    **rest: Any,
) -> RowPlan:
    """The plan for a table with these column names: as mapped, else by known headings, else the file's own geometry.

    Raises ParameterInvalid for a field we do not have, FieldMissing for a mapped column that is not there.
    """
    mapped, constants = dict(mapped or {}), dict(constants or {})
    for name in (*mapped, *constants):
        if name not in FIELDS:
            raise ParameterInvalid(f"there is no field {name}; fields are {', '.join(sorted(FIELDS))}", place=name)
    for name, column in mapped.items():
        if column not in names:
            raise FieldMissing(f"there is no column {column}; columns are {', '.join(names)}", place=name)
    columns = _guessed(names, constants)
    if position is not None and "lon" not in mapped:
        columns["lon"], columns["lat"] = position
    return RowPlan(columns | mapped, constants, names=frozenset(names), **rest)


def plan_table(table: Table, crs: str | None, *, place: str, constants: Mapping[str, Any], **rest: Any) -> RowPlan:
    """`plan_rows` for an opened table. A crs that the file itself names holds for every row; one that only the caller names
    holds for the rows that declare none.

    Raises DatumContradiction as `datum_of_table` does.
    """
    datum = datum_of_table(table, crs, place=place)
    if datum is None:
        return plan_rows(table.columns, constants=constants, position=table.position, **rest)
    own = {"crs": datum.name}
    if table.crs_declared is not None:
        return plan_rows(table.columns, constants=own | dict(constants), position=table.position, **rest)
    return plan_rows(table.columns, constants=constants, position=table.position, defaults=own, **rest)


def _guessed(names: Iterable[str], given: Container[str]) -> dict[str, str]:
    """Field -> column by known headings, for the fields that are not given already."""
    return {name: column for name, column in columns_by_heading(names, HEADINGS).items() if name not in given}


def _widened(plan: RowPlan, chunk: RowChunk) -> RowPlan:
    """The plan for a chunk that brings columns which the first rows of the table did not have, as JSON lines may."""
    late = [name for name in chunk.columns if name not in plan.names]
    if not late:
        return plan
    columns = _guessed(late, {*plan.columns, *plan.constants}) | dict(plan.columns)
    return replace(plan, columns=columns, names=plan.names.union(late))


def report_of(row: Mapping[str, Any], plan: RowPlan) -> dict[str, Any]:
    """What one row reports: its fields, and under their own names the columns that feed none, so that the raw input is whole.

    A spreadsheet's numbers in text fields become text when nothing is lost.
    """
    fed = set(plan.columns.values())
    report = {
        f"{column}_input" if column in FIELDS else column: value
        for column, value in row.items()
        if column not in fed and not _empty(value)
    }
    report |= {**plan.defaults, **plan.constants}
    for name, column in plan.columns.items():
        value = row.get(column)
        if not _empty(value):
            report[name] = _as_text(name, value) if name in LENGTHS and isinstance(value, float) else value
    return report


def _as_text(name: str, value: float) -> str:
    """A spreadsheet's number in a text field; one that names something must have lost no digit."""
    return repr(value) if name in {"text", "address"} and not value.is_integer() else code_text(value)


def _empty(value: Any) -> bool:
    """Whether a cell says nothing; NaN is how number columns say so."""
    return value is None or value == "" or (isinstance(value, float) and math.isnan(value))


def submissions_of(
    chunk: RowChunk, plan: RowPlan, now: datetime
) -> tuple[list[tuple[int, Submission]], list[Rejection]]:
    """The rows that can be taken, numbered, and those that cannot, with the reason."""
    taken: list[tuple[int, Submission]] = []
    plan = _widened(plan, chunk)
    rejected = list(chunk.rejected)
    for number, row in zip(chunk.numbers, chunk.rows, strict=True):
        try:
            report = clean(report_of(row, plan), now, zone=plan.zone)
        except GridError as error:
            rejected.append(rejection(number, error, row))
            continue
        origin = {"file": plan.source, "row": number} if plan.source else None
        key = f"{plan.file_key}:{number}" if plan.file_key and not report.external_id else None
        taken.append((number, Submission(report, key, origin)))
    return taken, sorted(rejected, key=lambda one: one.row)


@dataclass(frozen=True)
class TableRows:
    """Rows of a chunk that can be taken: the plain ones as columns, the others one by one with their numbers."""

    chunk: RowChunk
    plan: RowPlan
    now: datetime
    plain: PlainRows | None
    others: list[tuple[int, Submission]]

    def __len__(self) -> int:
        return len(self.plain or ()) + len(self.others)

    def one_by_one(self) -> TableRows:
        """The same rows, none of them as plain."""
        if self.plain is None:
            return self
        taken, _ = submissions_of(self.chunk, self.plan, self.now)
        return replace(self, plain=None, others=taken)


def table_rows(chunk: RowChunk, plan: RowPlan, now: datetime) -> tuple[TableRows, list[Rejection]]:
    """What `submissions_of` says of a chunk, plain rows as columns."""
    plan = _widened(plan, chunk)
    given = given_of(chunk, plan.columns, {**plan.defaults, **plan.constants}, _empty)
    plain = plain_rows(chunk, given, now, plan.zone) if given else None
    others, refused = submissions_of(chunk if plain is None else _without(chunk, plain.at), plan, now)
    return TableRows(chunk, plan, now, plain, others), refused


def _without(chunk: RowChunk, at: Sequence[int]) -> RowChunk:
    """The chunk without the rows at these places."""
    if len(at) == len(chunk):
        return RowChunk([], {}, chunk.rejected)
    rest = sorted(set(range(len(chunk))).difference(at))
    columns = {name: [cells[i] for i in rest] for name, cells in chunk.columns.items()}
    return RowChunk([chunk.numbers[i] for i in rest], columns, chunk.rejected)


def row_of(chunk: RowChunk, number: int) -> dict[str, Any]:
    """The row with this number as it came."""
    at = chunk.numbers.index(number)
    return {name: values[at] for name, values in chunk.columns.items()}


def rejection(number: int, error: GridError, row: Mapping[str, Any] | None = None) -> Rejection:
    """A refused row as a Rejection."""
    where = f"{error.place}: " if error.place else ""
    return Rejection(number, error.code, f"{where}{error.message}", dict(row or {}))
