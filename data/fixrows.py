"""Fix rows: readings of a table as columns: Arrow as it comes, other tables value by value; no row is left out here.

A member is named by code; a time is a timestamp, a text with an offset (or in the zone that the caller names), or a number: seconds
since 1970, or milliseconds from 1e11 on.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, tzinfo
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from data.headings import columns_by_heading
from data.report import parse_time
from data.rowchunk import Rejection, RowChunk, Table
from data.tables import as_numbers
from gis.codes import code_text
from gis.crs import Datum, parse_datum
from gis.errors import BodyUnreadable, DatumUnknown, FieldMissing, ParameterInvalid, TimeInvalid

HEADINGS: Final[dict[str, tuple[str, ...]]] = {
    "member": ("member", "member_code", "网格员", "网格员编号", "工号", "user", "user_id", "device", "设备"),
    "at": ("at", "time", "timestamp", "fixed_at", "定位时间", "时间"),
    "lon": ("lon", "longitude", "lng", "x", "经度"),
    "lat": ("lat", "latitude", "y", "纬度"),
    "accuracy_m": ("accuracy_m", "accuracy", "精度", "定位精度"),
    "crs": ("crs", "datum", "坐标系"),
}
NEEDED: Final = ("member", "at", "lon", "lat")

#: From here on a number is milliseconds: as seconds it would lie in the year 5138.
MILLISECONDS_FROM: Final = 1e11
_NO_TIME: Final = np.iinfo(np.int64).min

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class FixPlan:
    """Which column feeds which field, one value for all rows of fields without a column, the datum, the zone of times without offset."""

    columns: Mapping[str, str]
    constants: Mapping[str, str] = field(default_factory=dict)
    datum: Datum | None = None
    zone: tzinfo | None = None


@dataclass(frozen=True, eq=False)
class FixRows:
    """n readings as told. `member[i]` indexes `codes` (-1: none told), `at` is microseconds since 1970 (the smallest int64: unreadable),
    `x`, `y` are in `datums[datum[i]]` (-1: a datum that nobody knows), NaN where no number stands. `rejected` are unreadable lines.
    """

    numbers: Ints
    codes: Sequence[str]
    member: Ints
    at: Ints
    x: Floats
    y: Floats
    accuracy_m: Floats
    datums: Sequence[Datum]
    datum: Ints
    rejected: Sequence[Rejection] = ()

    def __len__(self) -> int:
        return len(self.numbers)

    @property
    def timed(self) -> npt.NDArray[np.bool_]:
        """Whether each has a time."""
        known: npt.NDArray[np.bool_] = self.at != _NO_TIME
        return known

    def record(self, row: int) -> dict[str, Any]:
        """A row as a person may look for it."""
        member, at = int(self.member[row]), int(self.at[row])
        told = self.codes[member] if member >= 0 else None
        when = None if at == _NO_TIME else str(np.datetime64(at, "us")) + "Z"
        return {"member": told, "at": when, "lon": float(self.x[row]), "lat": float(self.y[row])}


def plan_fixes(
    names: Sequence[str],
    *,
    mapped: Mapping[str, str] | None = None,
    constants: Mapping[str, str] | None = None,
    datum: Datum | None = None,
    zone: tzinfo | None = None,
    position: tuple[str, str] | None = None,
) -> FixPlan:
    """The plan for a table with these columns. ParameterInvalid for a field or column that is not there, FieldMissing without
    member, time or place; one member for a whole file is the constant `member`.
    """
    columns = columns_by_heading(names, HEADINGS)
    if position is not None:
        columns["lon"], columns["lat"] = position
    given = dict(constants or {})
    _refuse_unknown(mapped or {}, given, names)
    columns |= dict(mapped or {})
    if "member" in given:
        columns.pop("member", None)
    missing = [name for name in NEEDED if name not in columns and name not in given]
    if missing:
        raise FieldMissing(f"fixes need a column {missing[0]}; there are {', '.join(names)}", place=missing[0])
    if datum is not None:
        columns.pop("crs", None)
    return FixPlan(columns, given, datum, zone)


def _refuse_unknown(mapped: Mapping[str, str], constants: Mapping[str, str], names: Sequence[str]) -> None:
    for name, column in mapped.items():
        if name not in HEADINGS or column not in names:
            raise ParameterInvalid(
                f"{name}={column}: no such field or column; columns are {', '.join(names)}", place=name
            )
    for name in set(constants) - {"member"}:
        raise ParameterInvalid(f"{name}: only member may be one for all rows", place=name)


def rows_of_chunk(chunk: RowChunk, plan: FixPlan) -> FixRows:
    """The readings of a chunk of any table."""
    n = len(chunk)
    held: dict[str, list[Any]] = {name: chunk.columns.get(column, [None] * n) for name, column in plan.columns.items()}
    codes, member = _members(held.get("member"), plan.constants.get("member"), n)
    datums, datum = _datums(held.get("crs"), plan.datum, n)
    return FixRows(
        np.array(chunk.numbers, dtype=np.int64),
        codes,
        member,
        _times(held["at"], plan.zone),
        as_numbers(held["lon"], n),
        as_numbers(held["lat"], n),
        as_numbers(held.get("accuracy_m"), n),
        datums,
        datum,
        chunk.rejected,
    )


def _members(values: list[Any] | None, constant: str | None, n: int) -> tuple[list[str], Ints]:
    if values is None:
        return [constant or ""], np.zeros(n, np.int64)
    told = [None if value in (None, "") else code_text(value) for value in values]
    known = {code: i for i, code in enumerate(dict.fromkeys(code for code in told if code is not None))}
    return list(known), np.array([-1 if code is None else known[code] for code in told], dtype=np.int64)


def _datums(values: list[Any] | None, given: Datum | None, n: int) -> tuple[list[Datum], Ints]:
    first = given or parse_datum("wgs84")
    if values is None:
        return [first], np.zeros(n, np.int64)
    told = [None if value in (None, "") else str(value) for value in values]
    datums: list[Datum] = [first]
    known: dict[str | None, int] = {None: 0}
    for name in dict.fromkeys(told):
        if name is not None:
            known[name] = _place_of(name, datums)
    return datums, np.array([known[name] for name in told], dtype=np.int64)


def _place_of(name: str, datums: list[Datum]) -> int:
    """Where the datum of this name stands in the list, put there if need be; -1 for one that nobody knows."""
    try:
        found = parse_datum(name)
    except DatumUnknown:
        return -1
    if found not in datums:
        datums.append(found)
    return datums.index(found)


def _times(values: Iterable[Any], zone: tzinfo | None) -> Ints:
    return np.array([_time(value, zone) for value in values], dtype=np.int64)


def _time(value: Any, zone: tzinfo | None) -> int:
    """Microseconds since 1970; the smallest number for what is no time."""
    number = _number(value)
    if number is not None:
        micros = number * (1e3 if abs(number) >= MILLISECONDS_FROM else 1e6)
        return round(micros) if abs(micros) < 9e18 else int(_NO_TIME)
    try:
        at = parse_time(value, "at", zone)
    except TimeInvalid:
        return int(_NO_TIME)
    return (at - datetime(1970, 1, 1, tzinfo=UTC)) // _MICROSECOND


_MICROSECOND: Final = datetime.resolution


def _number(value: Any) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return None
    return number if np.isfinite(number) else None


# -- Arrow ------------------------------------------------------------------------------------------------------------


def rows_of_arrow(table: Any, plan: FixPlan, first: int = 1) -> FixRows:
    """The readings of an Arrow table, its columns as they come; rows are numbered from `first`.

    A timestamp without a zone is of the plan's; TimeInvalid when there is none. BodyUnreadable for a column of another type.
    """
    import pyarrow as pa

    held = {name: table.column(column) for name, column in plan.columns.items()}
    n = table.num_rows
    try:
        codes, member = _arrow_members(held.get("member"), plan.constants.get("member"), n)
        datums, datum = _datums(held["crs"].to_pylist() if "crs" in held else None, plan.datum, n)
        return FixRows(
            np.arange(first, first + n, dtype=np.int64),
            codes,
            member,
            _arrow_times(held["at"], plan.zone),
            _floats(held["lon"]),
            _floats(held["lat"]),
            _floats(held["accuracy_m"]) if "accuracy_m" in held else np.full(n, np.nan),
            datums,
            datum,
        )
    except pa.ArrowException as error:
        raise BodyUnreadable(f"a column of the fixes cannot be used: {error}", place="body") from error


def _floats(column: Any) -> Floats:
    import pyarrow as pa

    numbers: Floats = column.cast(pa.float64()).to_numpy()
    return numbers


def _arrow_members(column: Any, constant: str | None, n: int) -> tuple[list[str], Ints]:
    import pyarrow as pa

    if column is None:
        return [constant or ""], np.zeros(n, np.int64)
    if not pa.types.is_dictionary(column.type):
        column = column.dictionary_encode()
    whole = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
    parts = whole.chunks if isinstance(whole, pa.ChunkedArray) else [whole]
    if len(parts) > 1:
        whole = pa.chunked_array(parts).unify_dictionaries().combine_chunks()
    elif parts:
        whole = parts[0]
    else:
        return [], np.zeros(0, np.int64)
    codes = [code_text(value) for value in whole.dictionary.to_pylist()]
    index = whole.indices.fill_null(-1).to_numpy(zero_copy_only=False).astype(np.int64)
    return codes, index


def _arrow_times(column: Any, zone: tzinfo | None) -> Ints:
    import pyarrow as pa
    import pyarrow.compute as pc

    if not pa.types.is_timestamp(column.type):
        return _times(column.to_pylist(), zone)
    if column.type.tz is None:
        if zone is None:
            raise TimeInvalid("the times have no zone: say which with tz", place="at")
        column = pc.assume_timezone(column, str(zone), ambiguous="earliest", nonexistent="earliest")
    micros = column.cast(pa.timestamp("us", tz="UTC"), safe=False).cast(pa.int64()).fill_null(_NO_TIME)
    whole: Ints = micros.to_numpy()
    return whole


def parquet_rows(path: Path, plan: FixPlan, batch_rows: int) -> Iterator[FixRows]:
    """The readings of a Parquet file without geometry, a batch at a time."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    number = 1
    columns = list(dict.fromkeys(plan.columns.values()))
    for batch in pq.ParquetFile(path).iter_batches(batch_size=batch_rows, columns=columns):
        table = pa.Table.from_batches([batch])
        yield rows_of_arrow(table, plan, number)
        number += table.num_rows


def table_rows(table: Table, **options: Any) -> Iterator[FixRows]:
    """The readings of any table, a chunk at a time; later rows may bring columns that the first ones lack. Raises as `plan_fixes`."""
    for chunk in table.chunks:
        names = tuple(dict.fromkeys([*table.columns, *chunk.columns]))
        yield rows_of_chunk(chunk, plan_fixes(names, position=table.position, **options))
