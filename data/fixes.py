"""Fixes taken in: each row is stored, or counted under the reason why not; the answer does not depend on the order of arrival.

What a fix says by itself (time, place, accuracy, duty, member) decides whether it is stored. Whether a neighbour makes it
impossible (`jump`, `speed`) or contradicts it (`two-places`) is counted here as far as this batch and the store tell, and decided
whenever tracks are made, from all fixes there are then: a batch that comes later may prove it right.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from data.fixrows import FixRows
from data.rowchunk import Rejection
from gis.compactfixes import DATUMS, compacted
from gis.crs import problems, to_storage
from gis.fixes import (
    ACCURACY,
    ANCIENT,
    DUPLICATE,
    FUTURE,
    JUMP,
    KEPT,
    NO_POSITION,
    REASONS,
    SPEED,
    TWO_PLACES,
    Fixes,
    Limits,
    clean,
)
from gis.store.engine import Connection, Engine
from gis.store.fixes import Stored, drop_fixes, duty_spans, store_fixes
from gis.store.members import member_numbers

#: Reasons of our own behind those of `gis.fixes`.
NO_TIME, UNKNOWN_MEMBER, UNREADABLE = range(len(REASONS), len(REASONS) + 3)
WORDS: Final = (*REASONS, "no-time", "unknown-member", "unreadable")
#: What is stored: a fix that by itself can be true.
STORED: Final = (KEPT, DUPLICATE, TWO_PLACES, JUMP, SPEED)
#: Rows that somebody should look at; the others (off duty, known already) are only counted.
REJECTED: Final = (NO_POSITION, ANCIENT, FUTURE, ACCURACY, NO_TIME, UNKNOWN_MEMBER)

#: Rows of a file that are stored together.
PART_ROWS: Final = 500_000

Reasons = npt.NDArray[np.uint8]
Tell = Callable[[list[Rejection]], None]


@dataclass(frozen=True)
class FixPolicy:
    """What is believed and kept here: positions off duty only if `off_duty`; nothing older than `kept_days` (0: everything)."""

    off_duty: bool = False
    kept_days: int = 0
    limits: Limits = field(default_factory=Limits)

    def limits_at(self, now: datetime) -> Limits:
        """The limits with the oldest instant that is kept."""
        if not self.kept_days:
            return self.limits
        oldest = np.datetime64(_oldest_day(now, self.kept_days), "us")
        return Limits(**(vars(self.limits) | {"oldest": max(oldest, self.limits.oldest)}))


@dataclass
class FixesTaken:
    """What became of rows: `counts` under each reason add up to `rows`; `stored` are new in the store (in a dry run: would be)."""

    rows: int = 0
    stored: int = 0
    rejected: int = 0
    counts: Counter[str] = field(default_factory=Counter)

    def add(self, other: FixesTaken) -> None:
        """The figures of both."""
        self.rows += other.rows
        self.stored += other.stored
        self.rejected += other.rejected
        self.counts.update(other.counts)

    def as_json(self) -> dict[str, Any]:
        """The figures as JSON values, every reason named."""
        return {
            "rows": self.rows,
            "stored": self.stored,
            "rejected": self.rejected,
            "counts": {word: self.counts[word] for word in WORDS},
        }


def take_fixes(
    connection: Connection,
    rows: FixRows,
    policy: FixPolicy,
    now: datetime,
    *,
    commit: bool = True,
    tell: Tell | None = None,
) -> FixesTaken:
    """What of the rows can be stored is, in the caller's transaction (with `commit`); `tell` hears of the rejected rows, in order."""
    numbers = member_numbers(connection)
    fixes, datum = _fixes_of(rows, numbers)
    reason = _alone(rows, fixes)
    usable = np.flatnonzero(reason == KEPT)
    if len(usable):
        told = fixes.take(usable)
        duty = None if policy.off_duty else duty_spans(connection, *_span(told), np.unique(told.member).tolist())
        reason[usable] = clean(
            told, policy.limits_at(now), now=np.datetime64(now.replace(tzinfo=None), "us"), duty=duty
        ).reason
    keeping = np.flatnonzero(np.isin(reason, STORED))
    stored = 0
    if commit and len(keeping):
        found = store_fixes(connection, compacted(fixes.take(keeping), datum[keeping]))
        stored = found.added - found.removed
        reason[keeping] = _known(reason[keeping], found)
    elif len(keeping):
        stored = int(np.count_nonzero(np.isin(reason, (KEPT, JUMP, SPEED))))
    return _told(rows, reason, stored, tell)


def _known(reason: Reasons, found: Stored) -> Reasons:
    """The reasons, now that the store has said which were there."""
    told = reason.copy()
    fresh = reason != DUPLICATE
    told[fresh & found.elsewhere] = TWO_PLACES
    told[fresh & found.repeated] = DUPLICATE
    return told


def _fixes_of(rows: FixRows, numbers: dict[str, int]) -> tuple[Fixes, npt.NDArray[np.int16]]:
    """The rows in WGS 84 by the members' numbers (-1: nobody's), and what each was declared in."""
    by_code = np.array([*(numbers.get(code, -1) for code in rows.codes), -1], dtype=np.int32)
    lon, lat = np.full(len(rows), np.nan), np.full(len(rows), np.nan)
    declared = np.zeros(len(rows), np.int16)
    for index, datum in enumerate(rows.datums):
        own = np.flatnonzero(rows.datum == index)  # a row of -1 has no place
        lon[own], lat[own] = to_storage(rows.x[own], rows.y[own], datum)
        declared[own] = DATUMS.index(datum.name if datum.name in DATUMS else "projected")
    at = rows.at.view("datetime64[us]")
    with np.errstate(over="ignore"):  # what single precision cannot hold is infinite, and refused as too inaccurate
        accuracy_m = rows.accuracy_m.astype(np.float32)
    return Fixes(by_code[rows.member], at, lon, lat, accuracy_m), declared


def _alone(rows: FixRows, fixes: Fixes) -> Reasons:
    return np.select([fixes.member < 0, ~rows.timed], [UNKNOWN_MEMBER, NO_TIME], KEPT).astype(np.uint8)


def _span(fixes: Fixes) -> tuple[datetime, datetime]:
    """From the first instant to the last, as far as the calendar goes."""
    low, high = -62_135_596_800_000_000, 253_402_300_799_000_000
    first, last = (min(max(int(edge), low), high) for edge in (fixes.micros.min(), fixes.micros.max()))
    begin, end = (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=edge) for edge in (first, last))
    return begin, end


def _told(rows: FixRows, reason: Reasons, stored: int, tell: Tell | None) -> FixesTaken:
    found = np.bincount(reason, minlength=len(WORDS)).tolist()
    found[UNREADABLE] += len(rows.rejected)
    counts = Counter({word: count for word, count in zip(WORDS, found, strict=True) if count})
    bad = np.flatnonzero(np.isin(reason, REJECTED))
    if tell is not None:
        for begin in range(0, len(bad), 10_000):
            tell([_rejection(rows, int(row), int(reason[row])) for row in bad[begin : begin + 10_000]])
        tell(list(rows.rejected))
    return FixesTaken(len(rows) + len(rows.rejected), stored, len(bad) + len(rows.rejected), counts)


def _rejection(rows: FixRows, row: int, reason: int) -> Rejection:
    return Rejection(int(rows.numbers[row]), WORDS[reason], _why(rows, row, reason), rows.record(row))


def _why(rows: FixRows, row: int, reason: int) -> str:
    """The reason in a sentence that says what to do."""
    if reason == UNKNOWN_MEMBER:
        code = rows.codes[rows.member[row]] if rows.member[row] >= 0 else None
        return f"no member has the code {code}: load members first" if code else "the row names no member"
    if reason == NO_POSITION:
        if rows.datum[row] < 0:
            return "the row names a crs that nobody knows"
        fault = problems(rows.x[row : row + 1], rows.y[row : row + 1], rows.datums[rows.datum[row]])[0]
        return fault.message if fault is not None else "the row has no usable position"
    return {
        NO_TIME: "the time cannot be read, or has no offset and no zone was given",
        ANCIENT: "the time lies before everything that is kept: a clock that was never set, or older than the retention",
        FUTURE: "the time lies in the future: the device's clock is wrong",
        ACCURACY: f"the accuracy of {rows.accuracy_m[row]:g} m is no use",
    }[reason]


def load_fixes(
    engine: Engine,
    parts: Iterable[FixRows],
    policy: FixPolicy,
    *,
    commit: bool,
    tell: Tell | None = None,
    on_progress: Callable[[int], None] = lambda _: None,
) -> FixesTaken:
    """Every usable row of a file is stored once, committed part by part: a load that was cut off is repeated whole, safely.

    Without `commit` nothing is stored, and rows that are in the store already, or in an earlier part, are not recognised as such.
    """
    taken = FixesTaken()
    for rows in parts:
        with engine.begin() as connection:
            taken.add(take_fixes(connection, rows, policy, datetime.now(UTC), commit=commit, tell=tell))
        on_progress(taken.rows)
    return taken


def gathered(parts: Iterable[FixRows], rows: int = PART_ROWS) -> Iterator[FixRows]:
    """The same rows in parts of about so many; fewer, larger parts mean fewer looks into the store."""
    held: list[FixRows] = []
    for part in parts:
        held.append(part)
        if sum(map(len, held)) >= rows:
            yield _joined(held)
            held = []
    if held:
        yield _joined(held)


def _joined(parts: list[FixRows]) -> FixRows:
    if len(parts) == 1:
        return parts[0]
    codes = list(dict.fromkeys(code for part in parts for code in part.codes))
    datums = list(dict.fromkeys(datum for part in parts for datum in part.datums))
    whole: dict[str, Any] = {
        name: np.concatenate([getattr(part, name) for part in parts])
        for name in ("numbers", "at", "x", "y", "accuracy_m")
    }
    whole["member"] = np.concatenate([_again(part.member, part.codes, codes) for part in parts])
    whole["datum"] = np.concatenate([_again(part.datum, part.datums, datums) for part in parts])
    rejected = [one for part in parts for one in part.rejected]
    return FixRows(**whole, codes=codes, datums=datums, rejected=rejected)


def _again(index: npt.NDArray[np.int64], own: Iterable[Any], shared: list[Any]) -> npt.NDArray[np.int64]:
    """The index into the shared list; -1 stays."""
    known = {value: i for i, value in enumerate(shared)}
    moved = np.array([*(known[value] for value in own), -1], dtype=np.int64)
    return moved[index]


def _oldest_day(now: datetime, kept_days: int) -> Any:
    return (now.astimezone(UTC) - timedelta(days=kept_days)).date()


def expire_fixes(connection: Connection, kept_days: int, now: datetime) -> int:
    """Days older than `kept_days` are gone when the caller commits (0 keeps all); returns how many fixes that were."""
    return drop_fixes(connection, _oldest_day(now, kept_days)) if kept_days else 0
