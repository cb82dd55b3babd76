"""UUIDv7 (RFC 9562): ids that sort by time, so that an event's id tells its month."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from uuid import UUID

import numpy as np
import numpy.typing as npt

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def milliseconds(at: datetime) -> int:
    """Whole milliseconds since 1970, as a UUIDv7 carries them."""
    return (at - EPOCH) // timedelta(milliseconds=1)


def uuid7(at: datetime) -> UUID:
    """A new UUIDv7 whose timestamp is `at` to the millisecond."""
    random = int.from_bytes(os.urandom(10))
    value = (milliseconds(at) & 0xFFFF_FFFF_FFFF) << 80 | random
    value = value & ~(0xF << 76) | 0x7 << 76
    value = value & ~(0x3 << 62) | 0x2 << 62
    return UUID(int=value)


def uuids7(at: datetime, count: int) -> list[UUID]:
    """So many new UUIDv7 of one instant, ascending: rows that come together keep their order by id."""
    stamp = (milliseconds(at) & 0xFFFF_FFFF_FFFF) << 80 | 0x7 << 76 | 0x2 << 62
    chance = os.urandom(10 * count)
    drawn = sorted(int.from_bytes(chance[i : i + 10]) >> 6 for i in range(0, len(chance), 10))
    return [UUID(int=stamp | one >> 62 << 64 | one & 0x3FFF_FFFF_FFFF_FFFF) for one in drawn]


def octets7(at: datetime, count: int) -> npt.NDArray[np.uint8]:
    """`uuids7` as rows of 16 bytes: ids by the thousand are stored, not looked at."""
    drawn = np.frombuffer(os.urandom(16 * count), dtype=">u8").reshape(-1, 2)
    head = drawn[:, 0] & 0xFFF | (milliseconds(at) & 0xFFFF_FFFF_FFFF) << 16 | 0x7000
    tail = drawn[:, 1] >> 2 | 1 << 63
    order = np.lexsort((tail, head))
    return np.column_stack([head[order], tail[order]]).astype(">u8").view(np.uint8)


def hexes7(at: datetime, count: int) -> list[str]:
    """`uuids7` in hexadecimal digits."""
    every = octets7(at, count).tobytes().hex()
    return [every[i : i + 32] for i in range(0, len(every), 32)]


def span_of(begin: datetime, end: datetime) -> tuple[UUID, UUID]:
    """(below, until): every UUIDv7 of an instant from `begin` to `end` is greater than the one and at most the other."""
    first, last = (min(max(milliseconds(at), 0), 0xFFFF_FFFF_FFFF) for at in (begin, end))
    return UUID(int=first << 80), UUID(int=last << 80 | (1 << 80) - 1)


def made_at(uid: UUID) -> datetime:
    """The millisecond in which a UUIDv7 was made; other versions give a meaningless instant."""
    return EPOCH + timedelta(milliseconds=uid.int >> 80)
