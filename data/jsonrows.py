"""NDJSON, GeoJSON and JSON arrays as streams of chunks: a broken line does not take the rest with it."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Iterator
from itertools import chain, islice
from typing import Any, BinaryIO

import orjson

from data.csvrows import opened
from data.rowchunk import PLACE, Rejection, RowChunk, Source, Table, chunk_of_rows, placed
from data.tableencoding import CODECS
from gis.errors import FileUnreadable

#: Longest line or feature in bytes.
MAX_ITEM = 16_000_000

_BLOCK = 1 << 20

Item = tuple[int, dict[str, Any] | Rejection]


class _Seen:
    """What a stream has shown so far: whether its rows have geometry, and the crs that a file names."""

    geometry = False
    crs: str | None = None


def open_ndjson(source: Source, *, chunk_rows: int, encoding: str | None = None) -> Table:
    """A file of one JSON object a line, opened; a Feature a line is taken as its properties with its place."""
    codec = CODECS.get((encoding or "utf-8").lower(), encoding or "utf-8")
    seen = _Seen()
    return _table("ndjson", _line_items(source, codec, seen), chunk_rows, seen)


def open_json(source: Source, *, chunk_rows: int) -> Table:
    """A GeoJSON FeatureCollection, or an array of objects or Features, opened; one after the other is read."""
    seen = _Seen()
    return _table("geojson", _array_items(source, seen), chunk_rows, seen)


def _table(kind: str, items: Iterator[Item], chunk_rows: int, seen: _Seen) -> Table:
    """The table with the columns of its first chunk; later rows may bring more."""
    chunks = _chunks(items, chunk_rows)
    first = list(islice(chunks, 1))
    columns = tuple(first[0].columns) if first else ()
    position = PLACE if seen.geometry else None
    return Table(kind, columns, chain(first, chunks), "utf-8", seen.crs, position)


def _chunks(items: Iterator[Item], chunk_rows: int) -> Iterator[RowChunk]:
    while batch := list(islice(items, chunk_rows)):
        rows = [(number, item) for number, item in batch if not isinstance(item, Rejection)]
        yield chunk_of_rows(rows, [item for _, item in batch if isinstance(item, Rejection)])


def _line_items(source: Source, codec: str, seen: _Seen) -> Iterator[Item]:
    """The lines of a file, numbered from 1; the usual block of lines holds an object each, and is read at once."""
    with opened(source) as file:
        first = 1
        while lines := _lines(file):
            values = _usual(lines, codec)
            numbers = range(first, first + len(lines))
            first = numbers.stop
            if values is not None:
                yield from zip(numbers, values, strict=True)
                continue
            for number, line in zip(numbers, lines, strict=True):
                if len(line) == MAX_ITEM and not line.endswith(b"\n"):
                    while (more := file.readline(MAX_ITEM)) and not more.endswith(b"\n"):
                        pass
                    yield number, Rejection(number, "body-too-large", f"the line is longer than {MAX_ITEM:,} bytes")
                elif line.strip():
                    yield number, _line_item(number, line, codec, seen)


def _lines(file: BinaryIO) -> list[bytes]:
    """The next lines, about a block of them; of one that is too long MAX_ITEM bytes, and it is the last."""
    lines = io.BytesIO(file.read(_BLOCK)).readlines()
    if lines and not lines[-1].endswith(b"\n"):
        lines[-1] += file.readline(MAX_ITEM - len(lines[-1]))
    return lines


def _usual(lines: list[bytes], codec: str) -> list[dict[str, Any]] | None:
    """The rows of lines that hold an object each, no Feature among them; None when any line is unusual."""
    if not codec.startswith("utf-8"):
        return None
    try:
        values = list(map(orjson.loads, lines))
    except orjson.JSONDecodeError:
        return None
    usual = set(map(type, values)) == {dict} and not any("geometry" in value for value in values)
    return values if usual else None


def _line_item(number: int, line: bytes, codec: str, seen: _Seen) -> dict[str, Any] | Rejection:
    try:
        return _item(number, orjson.loads(line.decode(codec).strip("\ufeff \t\r\n")), seen)
    except UnicodeDecodeError as error:
        hint = "JSON must be UTF-8" if codec.startswith("utf-8") else f"declared as {codec}"
        return Rejection(number, "body-unreadable", f"byte {error.start + 1} of the line cannot be read: {hint}")
    except orjson.JSONDecodeError as error:
        start = line[:80].decode(codec, errors="replace")
        return Rejection(number, "body-unreadable", f"the line is not JSON: {error}", {"line": start})


def _item(number: int, value: Any, seen: _Seen) -> dict[str, Any] | Rejection:
    """A row from a JSON value: an object as it is, a Feature as its properties, its id and its place."""
    if not isinstance(value, dict):
        return Rejection(number, "body-unreadable", f"a JSON object is needed, not {json.dumps(value)[:40]}")
    if value.get("type") != "Feature" or "geometry" not in value:
        return value
    seen.geometry = True
    properties = value.get("properties") or {}
    if not isinstance(properties, dict):
        return Rejection(number, "body-unreadable", "the properties of the feature are no object")
    named = {"id": value["id"]} if "id" in value and "id" not in properties else {}
    return placed(named | properties, *_place(value["geometry"]))


def _place(geometry: Any) -> tuple[float | None, float | None]:
    """The position of a Point; what is no point, or has no numbers, has none."""
    if isinstance(geometry, dict) and geometry.get("type") == "Point":
        match geometry.get("coordinates"):
            case [int() | float() as lon, int() | float() as lat, *_]:
                return float(lon), float(lat)
    return None, None


def _array_items(source: Source, seen: _Seen) -> Iterator[Item]:
    with opened(source) as file:
        text = io.TextIOWrapper(file, encoding="utf-8-sig")
        try:
            for number, value in enumerate(_Reader(text).values(seen), start=1):
                yield number, _item(number, value, seen)
        except UnicodeDecodeError as error:
            raise FileUnreadable("the file is not UTF-8, as JSON must be") from error
        finally:
            text.detach()


class _Reader:
    """The members of a long JSON array, one by one, from text of which only a window is held."""

    def __init__(self, text: io.TextIOWrapper) -> None:
        self.text = text
        self.window = ""
        self.at = 0
        self.ended = False
        self.decoder = json.JSONDecoder()

    def values(self, seen: _Seen) -> Iterator[Any]:
        """The members of the outermost array, or of `features` in the outermost object."""
        if self._next() == "[":
            yield from self._members()
            return
        self._expect("{")
        while self._next() != "}":
            name = self._value("the file")
            self._expect(":")
            if name == "features" and self._next() == "[":
                yield from self._members()
            else:
                value = self._value("the file")
                seen.crs = _crs_name(value) if name == "crs" else seen.crs
            self._comma("}")

    def _members(self) -> Iterator[Any]:
        self._expect("[")
        number = 0
        while self._next() != "]":
            number += 1
            yield self._value(f"feature {number}")
            self._comma("]")
        self._expect("]")

    def _next(self) -> str:
        """The next character that is no white space, not taken."""
        while True:
            while self.at < len(self.window) and self.window[self.at] in " \t\r\n":
                self.at += 1
            if self.at < len(self.window) or not self._more():
                return self.window[self.at : self.at + 1]

    def _expect(self, character: str) -> None:
        found = self._next()
        if found != character:
            raise FileUnreadable(f"the file is not GeoJSON: {character} is missing before {found or 'the end'!r}")
        self.at += 1

    def _comma(self, closing: str) -> None:
        if self._next() != closing:
            self._expect(",")

    def _value(self, what: str) -> Any:
        """The next whole JSON value; the window grows until it holds one."""
        self._next()
        while True:
            try:
                value, end = self.decoder.raw_decode(self.window, self.at)
            except json.JSONDecodeError as error:
                if len(self.window) - self.at > MAX_ITEM or not self._more():
                    raise FileUnreadable(f"{what} is not JSON: {error.msg}", place=what) from error
                continue
            except (RecursionError, ValueError) as error:
                raise FileUnreadable(f"{what} is nested too deep, or holds too long a number", place=what) from error
            if end == len(self.window) and self._more():
                continue  # a number at the very end may go on
            self.at = end
            return value

    def _more(self) -> bool:
        block = "" if self.ended else self.text.read(_BLOCK)
        self.ended = not block
        self.window, self.at = self.window[self.at :] + block, 0
        return not self.ended


def _crs_name(value: Any) -> str | None:
    """`EPSG:4490` from the crs member of old GeoJSON (`urn:ogc:def:crs:EPSG::4490`); CRS84 is EPSG:4326."""
    name = str(value.get("properties", {}).get("name", "")) if isinstance(value, dict) else ""
    if re.search(r"CRS84$", name):
        return "EPSG:4326"
    found = re.search(r"EPSG:.*?(\d+)$", name)
    return f"EPSG:{found[1]}" if found else None
