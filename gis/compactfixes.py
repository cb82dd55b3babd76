"""Compact fixes: readings as the store keeps them, in whole numbers, and the one rule by which batches become one set.

    of one member at one instant the best told accuracy counts (not told is worst); of the places told that exactly,
    the first and the last by lon, then lat, are kept: one row where all agree, two where they do not

"Best", "first" and "last" do not depend on an order, so the set after any number of batches is the same however they were cut,
shuffled or sent again. Whether one of two places is believed is `gis.fixes.clean`'s to say, when tracks are made.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from gis.fixes import Fixes

Ints = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]

#: Degrees are counted in 1e-7 (11 mm), accuracy in decimetres up to 3,276.7 m; 0 means that it was not told.
PER_DEGREE: Final = 10_000_000
PER_METRE: Final = 10
MOST_DECIMETRES: Final = 32_767
DAY_MICROS: Final = 86_400_000_000

#: What a fix was declared in, by number, as the store writes it; every projected one is "projected".
DATUMS: Final = ("wgs84", "cgcs2000", "gcj02", "bd09", "projected")

_FIELDS: Final = ("member", "at", "lon", "lat", "accuracy", "datum")


@dataclass(frozen=True, eq=False)
class CompactFixes:
    """n readings: `at` in microseconds since 1970 (int64), `lon`, `lat` in 1e-7 degrees (int32), `accuracy` in 0.1 m (int16),
    `datum` by number (int16), `member` by its number in the store (int32).
    """

    member: npt.NDArray[np.int32]
    at: Ints
    lon: npt.NDArray[np.int32]
    lat: npt.NDArray[np.int32]
    accuracy: npt.NDArray[np.int16]
    datum: npt.NDArray[np.int16]

    def __len__(self) -> int:
        return len(self.member)

    def take(self, rows: Ints | Flags | slice) -> CompactFixes:
        """These rows, in this order."""
        return CompactFixes(*(getattr(self, name)[rows] for name in _FIELDS))

    def fixes(self) -> Fixes:
        """The readings in degrees and metres; the accuracy is NaN where it was not told."""
        metres = np.where(self.accuracy == 0, np.float32(np.nan), self.accuracy.astype(np.float32) / PER_METRE)
        return Fixes(
            self.member,
            self.at.view("datetime64[us]"),
            self.lon / float(PER_DEGREE),
            self.lat / float(PER_DEGREE),
            metres.astype(np.float32),
        )


def compacted(fixes: Fixes, datum: npt.NDArray[np.int16]) -> CompactFixes:
    """Usable readings (finite, on earth, a time) in whole numbers, in their order; accuracies below 0.1 m count as 0.1 m."""
    told = np.nan_to_num(fixes.accuracy_m.astype(np.float64), nan=0.0)
    rounded = np.clip(np.rint(told * PER_METRE), 1, MOST_DECIMETRES)
    return CompactFixes(
        fixes.member,
        fixes.micros,
        np.rint(fixes.lon * PER_DEGREE).astype(np.int32),
        np.rint(fixes.lat * PER_DEGREE).astype(np.int32),
        np.where(told > 0.0, rounded, 0).astype(np.int16),
        datum.astype(np.int16),
    )


def joined(parts: Sequence[CompactFixes]) -> CompactFixes:
    """All readings of several sets (at least one), one after the other."""
    columns: list[Any] = [np.concatenate([getattr(part, name) for part in parts]) for name in _FIELDS]
    return CompactFixes(*columns)


def settled(fixes: CompactFixes) -> CompactFixes:
    """The readings that the rule keeps, sorted by member, time, lon and lat. Settling again, or in parts first, changes nothing."""
    order = np.lexsort((fixes.at, fixes.member))
    ordered = fixes.take(order)
    again = _same(ordered)
    if not again.any():
        return ordered
    shared = again.copy()
    shared[:-1] |= again[1:]
    kept = joined([ordered.take(~shared), _one_instant(ordered.take(shared))])
    return kept.take(np.lexsort((kept.lat, kept.lon, kept.at, kept.member)))


def _same(ordered: CompactFixes) -> Flags:
    """Whether each has the member and instant of the one before it."""
    same = np.zeros(len(ordered), dtype=bool)
    same[1:] = (ordered.member[1:] == ordered.member[:-1]) & (ordered.at[1:] == ordered.at[:-1])
    return same


def _one_instant(fixes: CompactFixes) -> CompactFixes:
    """The rule, for readings whose member and instant others share."""
    accuracy = np.where(fixes.accuracy == 0, MOST_DECIMETRES + 1, fixes.accuracy.astype(np.int32))
    order = np.lexsort((fixes.datum, fixes.lat, fixes.lon, accuracy, fixes.at, fixes.member))
    ordered, accuracy = fixes.take(order), accuracy[order]
    same = _same(ordered)
    begins = np.flatnonzero(~same)
    best = np.repeat(accuracy[begins], np.diff(np.append(begins, len(ordered))))
    ordered = ordered.take(accuracy == best)
    repeated = _same(ordered)
    repeated[1:] &= (ordered.lon[1:] == ordered.lon[:-1]) & (ordered.lat[1:] == ordered.lat[:-1])
    ordered = ordered.take(~repeated)
    same = _same(ordered)
    last = np.ones(len(ordered), dtype=bool)
    last[:-1] = ~same[1:]
    return ordered.take(~same | last)


def known_in(fixes: CompactFixes, held: CompactFixes, *, whole: bool = False) -> tuple[Flags, Flags]:
    """Per reading: whether `held`, which is settled, has its member and instant at its very place, and whether only elsewhere.

    With `whole`, the same place means every field equal.
    """
    first = instants_in(fixes, held)
    timed = first >= 0
    placed = np.zeros(len(fixes), dtype=bool)
    names = _FIELDS if whole else _FIELDS[:4]
    for step in (0, 1):  # settled: at most two of an instant
        at = np.minimum(first + step, len(held) - 1)
        same = timed.copy()
        for name in names:
            same &= getattr(held, name)[at] == getattr(fixes, name) if len(held) else False
        placed |= same
    return placed, timed & ~placed


def instants_in(fixes: CompactFixes, held: CompactFixes) -> Ints:
    """Per reading the first row of `held`, which is settled, with its member and instant; -1 where there is none."""
    if not len(held) or not len(fixes):
        return np.full(len(fixes), -1, np.int64)
    own, known = _keys(fixes, held)
    first = np.searchsorted(known, own)
    found: Ints = np.where(known[np.minimum(first, len(held) - 1)] == own, first, -1)
    return found


def _keys(fixes: CompactFixes, held: CompactFixes) -> tuple[Ints, Ints]:
    """A number per reading that orders them by member, then time, alike in both."""
    lowest = min(int(fixes.at.min()), int(held.at.min()))
    bits = (max(int(fixes.at.max()), int(held.at.max())) - lowest).bit_length()
    most = max(int(fixes.member.max()), int(held.member.max()))
    if bits + most.bit_length() <= 62:
        own, known = (one.member.astype(np.int64) << bits | (one.at - lowest) for one in (fixes, held))
        return own, known
    both = joined([fixes, held])
    order = np.lexsort((both.at, both.member))
    changed = ~_same(both.take(order))
    ranks = np.empty(len(order), np.int64)
    ranks[order] = np.cumsum(changed)
    return ranks[: len(fixes)], ranks[len(fixes) :]
