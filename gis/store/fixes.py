"""Fixes in the store: by day, 52 bytes each, written by COPY, found by BRIN; the same whatever the order in which they came.

    lock the members' days (rows of fix_day) -> part by part: read what of them overlaps -> settle old and new -> COPY what is new

What lies after everything that is known of a member's day, as fixes usually do, is written without reading anything.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import sqlalchemy as sa

from gis.compactfixes import DAY_MICROS, CompactFixes, Flags, Ints, instants_in, joined, known_in, settled
from gis.fixes import Duty, Fixes

#: PostgreSQL counts microseconds from 2000-01-01.
EPOCH_MICROS: Final = 946_684_800_000_000
_EPOCH: Final = date(1970, 1, 1)

#: A row in the binary format of COPY: the count of its fields, then length and value of each, big-endian.
_WIDTHS: Final = {"at": 8, "member": 4, "lon": 4, "lat": 4, "accuracy": 2, "datum": 2}
_ROW: Final = np.dtype(
    [("fields", ">i2"), *((f"{part}{name}", ">i4" if part else f">i{width}")
                          for name, width in _WIDTHS.items() for part in ("length_of_", ""))]
)  # fmt: skip
_HEAD: Final = b"PGCOPY\n\xff\r\n\0" + bytes(8)
_END: Final = b"\xff\xff"
#: Stored readings that new ones are settled with in one go: what bounds the memory.
MOST_HELD: Final = 500_000
#: Rows that are sent in one message.
_ROWS_A_MESSAGE: Final = 20_000

LOCK_DAYS: Final = sa.text("""
    INSERT INTO fix_day AS d (member, day)
    SELECT * FROM unnest(CAST(:members AS integer[]), CAST(:days AS date[])) AS given(member, day) ORDER BY member, day
    ON CONFLICT (member, day) DO UPDATE SET change = d.change
    RETURNING member, day, fixes, first_at, last_at
""")
NOTE_DAYS: Final = sa.text("""
    UPDATE fix_day AS d SET fixes = d.fixes + n.more, first_at = least(d.first_at, n.first_at),
        last_at = greatest(d.last_at, n.last_at), change = :change
    FROM unnest(CAST(:members AS integer[]), CAST(:days AS date[]), CAST(:more AS integer[]),
                CAST(:first AS timestamptz[]), CAST(:last AS timestamptz[])) AS n(member, day, more, first_at, last_at)
    WHERE d.member = n.member AND d.day = n.day
""")
DELETE: Final = sa.text("""
    DELETE FROM fix f USING unnest(CAST(:at AS timestamptz[]), CAST(:member AS integer[]), CAST(:lon AS integer[]),
                                   CAST(:lat AS integer[])) AS gone(at, member, lon, lat)
    WHERE f.at = gone.at AND f.member = gone.member AND f.lon = gone.lon AND f.lat = gone.lat
      AND f.at >= :begin AND f.at <= :end
""")
READ: Final = """
    COPY (SELECT at, member, lon, lat, accuracy, datum FROM fix
          WHERE at >= %(begin)s AND at < %(end)s {members}) TO STDOUT (FORMAT BINARY)
"""
DUTY: Final = sa.text("""
    WITH duty AS (SELECT member, range_agg(during) AS spans FROM shift WHERE during && tstzrange(:begin, :end, '[]') GROUP BY member),
         away AS (SELECT member, range_agg(during) AS spans FROM leave WHERE during && tstzrange(:begin, :end, '[]') GROUP BY member)
    SELECT m.number, lower(span) AS begin, upper(span) AS end
    FROM duty JOIN member m ON m.uid = duty.member LEFT JOIN away ON away.member = duty.member,
         unnest(duty.spans - coalesce(away.spans, '{}'::tstzmultirange)) AS span
    WHERE CAST(:members AS integer[]) IS NULL OR m.number = ANY(CAST(:members AS integer[]))
    ORDER BY m.number, begin
""")


@dataclass(frozen=True, eq=False)
class Stored:
    """What became of readings, row by row: `repeated` were known at their very place, `elsewhere` at that instant only at another.

    `added` rows came into the store, `removed` left it for better ones of the same instant.
    """

    repeated: Flags
    elsewhere: Flags
    added: int
    removed: int


@dataclass(frozen=True, eq=False)
class _Days:
    """Members' days of sorted readings, by member, then day: how many readings each has, the first and last instant."""

    member: npt.NDArray[np.int32]
    day: Ints
    count: Ints
    first: Ints
    last: Ints

    def rows_of(self, fixes: CompactFixes) -> Ints:
        """Which of these days each reading is of; all readings are of one of them."""
        found: Ints = np.searchsorted(_keys(self.member, self.day), _keys(fixes.member, fixes.at // DAY_MICROS))
        return found


@dataclass(frozen=True)
class _Standing:
    """What is stored of a member's day: how many readings, the first and the last instant (microseconds since 1970)."""

    fixes: int
    first: int
    last: int


def store_fixes(connection: sa.Connection, fixes: CompactFixes) -> Stored:
    """These readings are in the store, each once, by the rule of `gis.compactfixes`, when the caller commits.

    Their days exist afterwards. Readings of unknown members break `fix_member_fkey`. Writers of the same member's day wait for each other.
    Memory stays flat however much is stored already: old and new are settled a part at a time.
    """
    repeated, elsewhere = np.zeros(len(fixes), dtype=bool), np.zeros(len(fixes), dtype=bool)
    if not len(fixes):
        return Stored(repeated, elsewhere, 0, 0)
    new = settled(fixes)
    days = _days(new)
    for day in np.unique(days.day).tolist():
        connection.execute(sa.text("SELECT ensure_fix_day(:day)"), {"day": _date(day)})
    part = _parts(days, _locked(connection, days))
    of_new, of_told = (part[days.rows_of(some)] for some in (new, fixes))
    added, removed = _add(connection, new.take(of_new == 0)), 0
    for number in range(1, int(part.max()) + 1):
        held = _held(connection, days, part == number)
        told = np.flatnonzero(of_told == number)
        repeated[told], elsewhere[told] = known_in(fixes.take(told), held)
        came, went = _merge(connection, new.take(of_new == number), held)
        added, removed = added + came, removed + went
    return Stored(repeated, elsewhere, added, removed)


def _add(connection: sa.Connection, ordered: CompactFixes) -> int:
    """Readings that overlap with nothing stored are stored; returns how many."""
    if len(ordered):
        days = _days(ordered)
        _copy(connection, ordered)
        _note(connection, days, days.count)
    return len(ordered)


def _merge(connection: sa.Connection, new: CompactFixes, held: CompactFixes) -> tuple[int, int]:
    """Old and new are one settled set in the store; how many rows came and went."""
    fresh = new.take(~known_in(new, held, whole=True)[0])
    timed = instants_in(fresh, held) >= 0
    disputed, old = fresh.take(timed), held.take(instants_in(held, fresh.take(timed)) >= 0)
    wanted = settled(joined([old, disputed]))
    going = old.take(~known_in(old, wanted, whole=True)[0])
    coming = settled(joined([fresh.take(~timed), wanted.take(~known_in(wanted, old, whole=True)[0])]))
    if len(going):
        _delete(connection, going)
    if len(coming):  # nothing goes unless something better comes
        _copy(connection, coming)
        days = _days(coming)
        gone, count = np.unique(_keys(going.member, going.at // DAY_MICROS), return_counts=True)
        less = dict(zip(gone.tolist(), count.tolist(), strict=True))
        fewer = [less.get(key, 0) for key in _keys(days.member, days.day).tolist()]
        _note(connection, days, days.count - np.array(fewer, dtype=np.int64))
    return len(coming), len(going)


def _keys(member: npt.NDArray[np.int32], day: Ints) -> Ints:
    return member.astype(np.int64) << 24 | day


def _days(ordered: CompactFixes) -> _Days:
    day = ordered.at // DAY_MICROS
    begin = np.flatnonzero(np.diff(_keys(ordered.member, day), prepend=-1))
    end = np.append(begin[1:], len(ordered))
    return _Days(ordered.member[begin], day[begin], end - begin, ordered.at[begin], ordered.at[end - 1])


def _date(day: int) -> date:
    return _EPOCH + timedelta(days=day)


def _instant(micros: int) -> datetime:
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=micros)


def _micros(at: datetime) -> int:
    return (at - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)


def _locked(connection: sa.Connection, days: _Days) -> dict[tuple[int, date], _Standing]:
    """The members' days are ours until the transaction ends; what each has already, where it has fixes."""
    given = {"members": days.member.tolist(), "days": [_date(day) for day in days.day.tolist()]}
    rows = connection.execute(LOCK_DAYS, given).all()
    return {
        (row.member, row.day): _Standing(row.fixes, _micros(row.first_at), _micros(row.last_at))
        for row in rows
        if row.first_at is not None
    }


def _parts(days: _Days, known: dict[tuple[int, date], _Standing]) -> Ints:
    """In which part each member's day is settled with what is stored of it; 0: the times of old and new do not overlap.

    A part is of one day (UTC), so that one look into one table reads it, and has at most `MOST_HELD` stored readings, or one member's.
    """
    part = np.zeros(len(days.member), np.int64)
    number, fixes, begun = 0, 0, -1
    columns = [column.tolist() for column in (days.member, days.day, days.first, days.last)]
    for k in np.argsort(days.day, kind="stable").tolist():
        member, day, first, last = (column[k] for column in columns)
        held = known.get((member, _date(day)))
        if held is None or first > held.last or last < held.first:
            continue
        if day != begun or fixes + held.fixes > MOST_HELD:
            number, fixes, begun = number + 1, 0, day
        part[k] = number
        fixes += held.fixes
    return part


def _held(connection: sa.Connection, days: _Days, part: Flags) -> CompactFixes:
    """What is stored of the members of a part within the times of their new readings, settled."""
    begin, end = _instant(int(days.first[part].min())), _instant(int(days.last[part].max()) + 1)
    return settled(read_compact(connection, begin, end, days.member[part].tolist()))


def _copy(connection: sa.Connection, ordered: CompactFixes) -> None:
    """Sorted readings are copied, a day at a time, straight into its table."""
    day = ordered.at // DAY_MICROS
    for one in np.unique(day).tolist():
        rows = _packed(ordered.take(day == one))
        statement = f"COPY fix_{_date(one):%Y_%m_%d} (at, member, lon, lat, accuracy, datum) FROM STDIN (FORMAT BINARY)"
        cursor: Any = connection.connection.cursor()
        with cursor.copy(statement) as out:
            out.write(_HEAD)
            for begin in range(0, len(rows), _ROWS_A_MESSAGE):
                out.write(rows[begin : begin + _ROWS_A_MESSAGE].tobytes())
            out.write(_END)


def _packed(fixes: CompactFixes) -> npt.NDArray[np.void]:
    rows = np.empty(len(fixes), dtype=_ROW)
    rows["fields"] = len(_WIDTHS)
    for name, width in _WIDTHS.items():
        rows[f"length_of_{name}"] = width
        rows[name] = fixes.at - EPOCH_MICROS if name == "at" else getattr(fixes, name)
    return rows


def _delete(connection: sa.Connection, going: CompactFixes) -> None:
    at = [_instant(micros) for micros in going.at.tolist()]
    given = {name: getattr(going, name).tolist() for name in ("member", "lon", "lat")}
    connection.execute(DELETE, given | {"at": at, "begin": min(at), "end": max(at)})


def _note(connection: sa.Connection, days: _Days, more: Ints) -> None:
    """The members' days say how many fixes they have (`more` than before), from when to when, and that they changed."""
    connection.execute(
        NOTE_DAYS,
        {
            "members": days.member.tolist(),
            "days": [_date(day) for day in days.day.tolist()],
            "more": more.tolist(),
            "first": [_instant(at) for at in days.first.tolist()],
            "last": [_instant(at) for at in days.last.tolist()],
            "change": connection.execute(sa.text("SELECT nextval('fix_change')")).scalar_one(),
        },
    )


def read_compact(
    connection: sa.Connection, begin: datetime, end: datetime, members: Sequence[int] | None = None
) -> CompactFixes:
    """What is stored from `begin` until just before `end`, of these members (numbers) or of all; in no order."""
    narrowed = "" if members is None else "AND member = ANY(%(members)s)"
    cursor: Any = connection.connection.cursor()
    given = {"begin": begin, "end": end, "members": list(members or ())}
    with cursor.copy(READ.format(members=narrowed), given) as out:
        whole = b"".join(bytes(part) for part in out)
    rows = np.frombuffer(whole[len(_HEAD) : -len(_END)], dtype=_ROW)
    return CompactFixes(
        rows["member"].astype(np.int32),
        rows["at"].astype(np.int64) + EPOCH_MICROS,
        rows["lon"].astype(np.int32),
        rows["lat"].astype(np.int32),
        rows["accuracy"].astype(np.int16),
        rows["datum"].astype(np.int16),
    )


def read_fixes(
    connection: sa.Connection, begin: datetime, end: datetime, members: Sequence[int] | None = None
) -> Fixes:
    """The same in degrees and metres, sorted by member, time and place, ready for `gis.fixes.clean`."""
    return settled(read_compact(connection, begin, end, members)).fixes()


def duty_spans(connection: sa.Connection, begin: datetime, end: datetime, members: Sequence[int] | None = None) -> Duty:
    """Shifts without leave that touch the time from `begin` to `end`, of these members (numbers) or of all."""
    given = {"begin": begin, "end": end, "members": None if members is None else list(members)}
    rows = connection.execute(DUTY, given).all()
    at = [np.array([_micros(row[i]) for row in rows], dtype=np.int64).view("datetime64[us]") for i in (1, 2)]
    return Duty(np.array([row.number for row in rows], dtype=np.int32), *at)


def drop_fixes(connection: sa.Connection, before: date) -> int:
    """Whole days (UTC) before `before` are gone when the caller commits; returns how many fixes that were."""
    gone: int = connection.execute(sa.text("SELECT drop_fix_days(:before)"), {"before": before}).scalar_one()
    return gone
