"""Rows of a table become submissions: columns find their fields, every row keeps its number, every refusal its reason."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, tzinfo
from typing import Any

from data.intake import Submission
from data.report import FIELDS, LENGTHS, clean
from data.rowchunk import Rejection, RowChunk
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
}


@dataclass(frozen=True)
class RowPlan:
    """Which column feeds which field, and which fields have one value for all rows; times without offset are of `zone`."""

    columns: Mapping[str, str] = field(default_factory=dict)  # field -> column
    constants: Mapping[str, Any] = field(default_factory=dict)
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
    folded = {name.strip().lower(): name for name in reversed(names)}
    guessed = {
        name: next((folded[heading] for heading in headings if heading in folded), None)
        for name, headings in HEADINGS.items()
        if name not in constants
    }
    if position is not None and "lon" not in mapped:
        guessed["lon"], guessed["lat"] = position
    columns = {name: column for name, column in guessed.items() if column is not None} | mapped
    return RowPlan(columns, constants, **rest)


def report_of(row: Mapping[str, Any], plan: RowPlan) -> dict[str, Any]:
    """The fields of one report from one row; a spreadsheet's numbers in text fields become text when nothing is lost."""
    report = dict(plan.constants)
    for name, column in plan.columns.items():
        value = row.get(column)
        if value is None or value == "":
            continue
        report[name] = code_text(value) if name in LENGTHS and isinstance(value, float) else value
    return report


def submissions_of(
    chunk: RowChunk, plan: RowPlan, now: datetime
) -> tuple[list[tuple[int, Submission]], list[Rejection]]:
    """The rows that can be taken, numbered, and those that cannot, with the reason."""
    taken: list[tuple[int, Submission]] = []
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


def rejection(number: int, error: GridError, row: Mapping[str, Any] | None = None) -> Rejection:
    """A refused row as a Rejection."""
    where = f"{error.place}: " if error.place else ""
    return Rejection(number, error.code, f"{where}{error.message}", dict(row or {}))
