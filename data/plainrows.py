"""Plain rows: reports of a table made certain a column at a time; what is unusual about a row is left to `data.report.clean`.

A row is plain when every field it has needs no second look: text that is text and has no blanks around it, a position without an
accuracy, times that can be read. Of such rows this says what `clean` says of each, at a fraction of the cost; the others are named.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, tzinfo
from itertools import compress
from operator import itemgetter
from typing import Any

import orjson

from data.report import CLOCK_SKEW, FIELDS, LENGTHS, OLDEST, TIMES, parse_time
from data.rowchunk import RowChunk
from gis.crs import Datum, one_to_storage, parse_datum
from gis.errors import GridError

Column = list[Any]

_OPTIONS = orjson.OPT_SORT_KEYS | orjson.OPT_NON_STR_KEYS


@dataclass(frozen=True)
class PlainRows:
    """Reports as columns, equally long. `at`: their places in the chunk. `texts`: every field of `LENGTHS`, and the JSON of each in
    `quoted` ("null" where there is none). `x`, `y` as given in `datum`; `lon`, `lat` in WGS 84. `raw`: the canonical JSON of each row.
    """

    at: list[int]
    numbers: list[int]
    texts: dict[str, list[str | None]]
    quoted: dict[str, list[str]]
    datum: Datum
    x: list[float]
    y: list[float]
    lon: list[float]
    lat: list[float]
    times: dict[str, list[datetime | None]]
    status: list[str]
    raw: list[str]
    hashes: list[bytes]

    def __len__(self) -> int:
        return len(self.at)


def plain_rows(chunk: RowChunk, given: Mapping[str, Column], now: datetime, zone: tzinfo | None) -> PlainRows | None:
    """The plain rows of a chunk; None when none is. `given`: what `data.batch.report_of` makes of the columns, None where empty."""
    rows = len(chunk)
    try:
        written = {name: _json(given[name]) for name in sorted(given)}
        keys = [orjson.dumps(name).decode() for name in written]
        named = next((one for one in given.get("crs", ()) if one is not None), "wgs84")
        if not isinstance(named, str):
            return None
        datum = parse_datum(named)
    except (TypeError, GridError):  # what JSON cannot hold, and no datum at all: each row for itself
        return None
    none: Column = [None] * rows
    texts = {name: given.get(name, none) for name in LENGTHS}
    plain = _Plain(rows)
    for name, longest in LENGTHS.items():
        plain.texts(texts[name], longest)
    plain.only(one is not None for one in texts["channel"])
    plain.only(one is None for one in given.get("accuracy_m", none))
    plain.datum(given.get("crs", none))
    x, y = (plain.numbers(given.get(name, none)) for name in ("lon", "lat"))
    lon, lat = plain.stored(x, y, datum)
    times = {name: plain.times(given.get(name, none), name, now, zone) for name in TIMES}
    status = plain.status(given.get("status", none), times["closed_at"])
    if not any(plain.rows):
        return None
    raw = _canonical(keys, list(written.values()))
    quoted = {name: ["null" if one is None else one for one in written.get(name, none)] for name in LENGTHS}
    keep = plain.kept
    return PlainRows(
        keep(range(rows)), keep(chunk.numbers), {name: keep(one) for name, one in texts.items()},
        {name: keep(one) for name, one in quoted.items()}, datum, keep(x), keep(y), keep(lon), keep(lat),
        {name: keep(one) for name, one in times.items()}, keep(status), keep(raw),
        [hashlib.sha256(one.encode()).digest() for one in keep(raw)],
    )  # fmt: skip


class _Plain:
    """Which rows are plain, as far as is known; every method looks at one thing, and reads it."""

    def __init__(self, rows: int) -> None:
        self.rows = [True] * rows
        self._every = True

    def only(self, good: Iterable[bool]) -> None:
        """Rows that are not good are not plain."""
        seen = list(good)
        if not all(seen):
            self.rows = [one and other for one, other in zip(self.rows, seen, strict=True)]
            self._every = False

    def kept(self, values: Sequence[Any]) -> Column:
        """Those of the plain rows."""
        return list(values) if self._every else list(compress(values, self.rows))

    def texts(self, values: Column, longest: int) -> None:
        """Text of at most so many characters, no blanks around it, nothing in it that is no text."""
        filled = [one for one in values if one is not None]
        if not filled:
            return
        usual = set(map(type, filled)) == {str} and max(map(len, filled)) <= longest and "\0" not in "".join(filled)
        if usual and list(map(str.strip, filled)) == filled:
            return
        self.only(
            one is None or (type(one) is str and len(one) <= longest and one == one.strip() and "\0" not in one)
            for one in values
        )

    def numbers(self, values: Column) -> list[float]:
        """Finite numbers; NaN for what is none."""
        try:
            if set(map(type, values)) <= {str, int, float} and not any(
                "_" in one for one in values if type(one) is str
            ):
                found = list(map(float, values))
                self.only(map(math.isfinite, found))
                return found
        except (ValueError, OverflowError):
            pass
        found = [_number(one) for one in values]
        self.only(map(math.isfinite, found))
        return found

    def datum(self, values: Column) -> None:
        """All in the datum of the first that names one, or none of them in any."""
        named = {one for one in values if isinstance(one, str)}
        if len(named) > 1 or (named and None in values):
            first = next(one for one in values if one is not None)
            self.only(one == first for one in values)

    def stored(self, x: list[float], y: list[float], datum: Datum) -> tuple[list[float], list[float]]:
        """The positions in WGS 84, NaN where they lie nowhere."""
        pairs = [_stored(e, n, datum) if good else _NOWHERE for e, n, good in zip(x, y, self.rows, strict=True)]
        self.only(pair is not _NOWHERE for pair in pairs)
        return list(map(itemgetter(0), pairs)), list(map(itemgetter(1), pairs))

    def times(self, values: Column, name: str, now: datetime, zone: tzinfo | None) -> list[datetime | None]:
        """Instants in UTC, neither before 1990 nor in the future."""
        if all(one is None for one in values):
            return values
        latest = now + CLOCK_SKEW
        found = [None if one is None else _moment(one, name, zone) for one in values]
        self.only(one is None or (one is not _NO_TIME and OLDEST <= one <= latest) for one in found)
        return found

    def status(self, values: Column, closed: list[datetime | None]) -> list[str]:
        """Open or closed, as said or as `closed_at` tells."""
        if any(one is not None for one in values):
            self.only(
                one is None or one == "closed" or (one == "open" and at is None)  # a set would want to hash a list
                for one, at in zip(values, closed, strict=True)
            )
        return [one or ("closed" if at else "open") for one, at in zip(values, closed, strict=True)]


_NOWHERE = (math.nan, math.nan)
_NO_TIME = OLDEST.replace(year=1)


def _number(value: Any) -> float:
    try:
        return float(value) if type(value) in {int, float} or (type(value) is str and "_" not in value) else math.nan
    except (ValueError, OverflowError):
        return math.nan


def _stored(x: float, y: float, datum: Datum) -> tuple[float, float]:
    try:
        return one_to_storage(x, y, datum)
    except GridError:
        return _NOWHERE


def _moment(value: Any, name: str, zone: tzinfo | None) -> datetime:
    try:
        return parse_time(value, name, zone)
    except GridError:
        return _NO_TIME


def _json(values: Column) -> list[str | None]:
    """The JSON of every value, None where there is none. Text that needs no escape, the usual thing, is found out all at once."""
    filled = [one for one in values if one is not None]
    if set(map(type, filled)) <= {str}:
        joined = "".join(filled)
        if "\0" in joined:
            raise TypeError("NUL")  # JSON in a database has none; rare enough for the slower path
        if len(orjson.dumps(joined)) == len(joined.encode()) + 2:
            return [None if one is None else f'"{one}"' for one in values]
    texts = [None if one is None else orjson.dumps(one, default=str, option=_OPTIONS).decode() for one in values]
    if any(one is not None and "\\u0000" in one for one in texts):
        raise TypeError("NUL")
    return texts


def _canonical(keys: Sequence[str], written: Sequence[list[str | None]]) -> list[str]:
    """The JSON of every row, as `data.report.canonical` writes it; `keys` and their columns are sorted."""
    members = [
        ["" if one is None else f",{key}:{one}" for one in column] for key, column in zip(keys, written, strict=True)
    ]
    return [f"{{{''.join(row)[1:]}}}" for row in zip(*members, strict=True)]


def given_of(
    chunk: RowChunk, columns: Mapping[str, str], values: Mapping[str, Any], empty: Callable[[Any], bool]
) -> dict[str, Column] | None:
    """What the rows of a chunk report, column by column, None where nothing; None when names meet that must not.

    `columns`: field -> column; `values`: what a field is where the row says nothing.
    """
    fed = set(columns.values())
    named = [(f"{name}_input" if name in FIELDS else name, name) for name in chunk.columns if name not in fed]
    keys = [key for key, _ in named]
    if len(set(keys)) < len(keys) or {"source", *columns, *values} & set(keys) or any(map(empty, values.values())):
        return None
    cells = {
        key: _filled(chunk.columns[name], empty) for key, name in (*named, *columns.items()) if name in chunk.columns
    }
    for name, value in values.items():
        cells[name] = [value if one is None else one for one in cells.get(name, [None] * len(chunk))]
    return {name: column for name, column in cells.items() if any(one is not None for one in column)}


def _filled(cells: Column, empty: Callable[[Any], bool]) -> Column:
    """The cells, None where one says nothing."""
    if set(map(type, cells)) <= {str, type(None)} and "" not in cells:
        return cells
    return [None if empty(one) else one for one in cells]
