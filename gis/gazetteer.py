"""Gazetteer: what things are called and where they are; an address in, candidates with score, place and doubt out.

Data in, candidates out: no store, no web. An address is read (`gis.addresswords`), then looked for from the most certain to the
vaguest: crossing, number in a street or a group, name, street or group as a whole, and last what is spelled or sounds alike.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import shapely

from gis.addressanswer import MOST, SAME_M, SURE_SCORE, AddressAnswer, AddressCandidate, by_admin, doubt, ranked
from gis.addresswords import AddressWords, normalised, read_address
from gis.similarnames import SimilarNames
from gis.streetcrossing import crossing_places, nearest_numbers
from gis.streetnumbers import Numbered, Standing, StreetNumbers, clumps, metres_between, scale_at
from gis.townnames import admin_forms, rank_of, spellings

#: Version of the reading and of the scores, written into receipts.
MATCHER = "gridbeat-address/1"

#: What an entry may be, and the 68 % radius in metres of what has only a point.
KINDS: dict[str, float] = {
    "building": 25.0,
    "poi": 40.0,
    "crossing": 25.0,
    "street": 300.0,
    "group": 150.0,
    "village": 700.0,
    "community": 400.0,
    "town": 2_000.0,
}

#: What a street or group as a whole is worth as an answer, and where a number in it was asked for and not found.
ALONG, MISSED = 0.8, 0.6
#: What is only spelled or sounds alike is a suggestion, never an answer.
ALIKE = 0.7


@dataclass(frozen=True)
class Entry:
    """One named thing. `geometry` in WGS 84; `admin` from the widest to the narrowest; `address` is where it stands in words.

    `radius_m` (68 %) overrides the doubt that its kind or its extent has.
    """

    name: str
    kind: str
    geometry: Any
    admin: tuple[str, ...] = ()
    aliases: tuple[str, ...] = ()
    address: str = ""
    external_id: str | None = None
    source: str = ""
    radius_m: float | None = None


@dataclass(frozen=True)
class _Where:
    """An entry's point, doubt and normalised admin names."""

    lon: float
    lat: float
    radius_m: float
    admin: tuple[str, ...]


@dataclass
class _Index:
    """What the entries are found by."""

    names: dict[str, list[tuple[int, float]]] = field(default_factory=lambda: defaultdict(list))
    numbers: dict[str, StreetNumbers] = field(default_factory=lambda: defaultdict(StreetNumbers))
    crossings: dict[frozenset[str], list[Numbered]] = field(default_factory=lambda: defaultdict(list))
    lines: dict[str, list[int]] = field(default_factory=lambda: defaultdict(list))
    admin: set[str] = field(default_factory=set)


class Gazetteer:
    """Entries ready to be asked, from any number of threads. Immutable: other entries are another gazetteer."""

    def __init__(self, entries: Sequence[Entry], version: int = 0) -> None:
        self.entries = tuple(entries)
        self.version = version
        self._index = _Index()
        self._where = _wheres(self.entries)
        for one in self._where:
            # A village in front of a group is no mere prefix.
            towns = (name for name in one.admin if rank_of(name) != "community")
            self._index.admin.update(form for name in towns for form in admin_forms(name))
        for i, entry in enumerate(self.entries):
            self._take(i, entry)
        self._settle_streets()
        self._similar = SimilarNames(dict.fromkeys([*self._index.names, *self._index.numbers, *self._index.lines]))

    def __len__(self) -> int:
        return len(self.entries)

    # -- building -----------------------------------------------------------------------------------------------------

    def _take(self, i: int, entry: Entry) -> None:
        for name in (entry.name, *entry.aliases):
            for spelled, worth in spellings(normalised(name), entry.kind):
                self._index.names[spelled].append((i, worth))
            if entry.kind == "street":
                self._index.lines[normalised(name)].append(i)
            elif entry.kind in {"building", "crossing", "group"}:
                self._take_words(i, self._within(entry, name))
        if entry.address:
            self._take_words(i, read_address(entry.address, self._index.admin))

    def _within(self, entry: Entry, name: str) -> AddressWords:
        """The words of a name; a group called 44组 alone is one of the village it lies in."""
        words = read_address(name, self._index.admin)
        if entry.kind == "group" and not words.group and entry.admin:
            return read_address(entry.admin[-1] + name, self._index.admin)
        return words

    def _take_words(self, i: int, words: AddressWords) -> None:
        where = self._where[i]
        lon, lat = moved(where.lon, where.lat, words, back=True)
        admin = tuple(dict.fromkeys((*where.admin, *words.admin)))
        known = Numbered(words.number or 0, lon, lat, admin, words.sub, i)
        for pair in words.crossings:
            self._index.crossings[frozenset(pair)].append(known)
        if words.group is not None:
            self._index.numbers[_group_key(words)].found.append(known)
        elif words.street and words.number is not None:
            self._index.numbers[words.street].found.append(known)

    def _settle_streets(self) -> None:
        """Numbers of 嘉定金沙路 go to 金沙路, where that is the better known name; then all are put in order."""
        for name in sorted(self._index.numbers, key=len, reverse=True):
            kept = self._known_part(name, at_least=len(self._index.numbers[name].found))
            if kept is not None:
                self._index.numbers[kept].found += self._index.numbers.pop(name).found
        for numbers in self._index.numbers.values():
            numbers.settle()

    def _known_part(self, name: str, at_least: int) -> str | None:
        """The longest end of a street's name, two characters shorter or more, that is known at least so well itself."""
        for start in range(2, len(name) - 2):
            held = self._index.numbers.get(name[start:])
            if name[start:] in self._index.lines or (held is not None and len(held.found) >= max(at_least, 2)):
                return name[start:]
        return None

    # -- asking -------------------------------------------------------------------------------------------------------

    def find(self, address: str, admin: Sequence[str] = ()) -> AddressAnswer:
        """What the address means. `admin`: names of where the asker is, which decide between things of one name.

        At most MOST candidates, the best first. A name that several things bear is never sure.
        """
        words = read_address(address, self._index.admin)
        if not words.text:
            return AddressAnswer(words, (), "address-empty")
        asked = tuple(dict.fromkeys((*(normalised(name) for name in admin), *words.admin)))
        found = ranked(by_admin(list(self._candidates(words)), asked))
        if not found:
            return AddressAnswer(words, (), "address-unknown")
        shifted = tuple(_offset(one, words) for one in found[:MOST])
        answer = AddressAnswer(words, shifted, None)
        return replace(answer, reason=doubt(answer))

    def _candidates(self, words: AddressWords) -> Iterator[AddressCandidate]:
        """From the most certain kind of evidence to the vaguest; the first kind that finds something good ends the search."""
        best = 0.0
        for kind in (self._at_crossing, self._at_number, self._at_name, self._at_named_part, self._along, self._alike):
            for one in kind(words):
                best = max(best, one.score)
                yield one
            if best >= SURE_SCORE:
                return

    def _at_crossing(self, words: AddressWords) -> Iterator[AddressCandidate]:
        for a, b in words.crossings:
            first, second = self._street(a), self._street(b)
            title = f"{first}与{second}路口"
            for clump in clumps(self._index.crossings.get(frozenset((first, second)), []), SAME_M * 2):
                yield self._clump(title, "crossing", clump)
            lines = [[self.entries[i].geometry for i in self._index.lines.get(name, ())] for name in (first, second)]
            for lon, lat, radius in crossing_places(*lines):
                yield AddressCandidate(title, "crossing", "crossing", lon, lat, radius, 1.0)
            if not all(lines) and first != second:
                sides = [self._index.numbers[name].found for name in (first, second) if name in self._index.numbers]
                for lon, lat, radius in nearest_numbers(*sides) if len(sides) == 2 else ():
                    yield AddressCandidate(title, "crossing", "between", lon, lat, radius, ALONG)

    def _at_number(self, words: AddressWords) -> Iterator[AddressCandidate]:
        name = _group_key(words) if words.group is not None else self._street(words.street)
        held = self._index.numbers.get(name)
        if held is None or words.number is None:
            return
        hints = words.street[: -len(name)] if words.group is None else ""
        for standing in held.standing(words.number, words.sub):
            if words.group is not None and standing.how != "number":
                continue  # the numbers of a group follow no line
            one = self._standing(f"{name}{words.number}号", "building", standing)
            yield replace(one, score=one.score * _hinted(hints, one.admin))

    def _at_name(self, words: AddressWords) -> Iterator[AddressCandidate]:
        """The whole text, or what is left of it after admin names, is a name."""
        for stage in dict.fromkeys((words.text, *words.stages)):
            yield from self._named(stage)

    def _at_named_part(self, words: AddressWords) -> Iterator[AddressCandidate]:
        """What remains beside a street or a group begins with a name: 蟠东路农商银行大同支行."""
        for end in range(len(words.name), 2, -1):
            found = list(self._named(words.name[:end], 0.9 if end == len(words.name) else 0.8))
            if found:
                yield from found
                return

    def _named(self, name: str, worth: float = 1.0) -> Iterator[AddressCandidate]:
        for i, spelled in self._index.names.get(name, ())[: 5 * MOST]:
            yield self._entry(i, worth * spelled, "name")

    def _along(self, words: AddressWords) -> Iterator[AddressCandidate]:
        """A group, a village or a street as a whole: where it is, as far as it reaches."""
        if words.group is not None:
            held = self._index.numbers.get(_group_key(words))
            for standing in held.whole() if held else ():
                # Houses are where people live; a group's fields and paths reach farther.
                radius = max(KINDS["group"], 1.25 * standing.radius_m)
                yield self._standing(_group_key(words), "group", replace(standing, score=0.9, radius_m=radius))
            for spelled, worth in spellings(words.village, "village"):
                for i, own in self._index.names.get(spelled, ()):
                    yield replace(self._entry(i, 0.6 * worth * own, "village"), kind="village")
            return
        # A street is no answer to a number or a crossing that cannot be found in it.
        worth = ALONG if words.street and words.number is None else MISSED
        for street in [words.street] if words.street else [side for pair in words.crossings[:1] for side in pair]:
            name = self._street(street)
            for i in self._index.lines.get(name, ())[:MOST]:
                yield self._entry(i, worth, "along")
            held = self._index.numbers.get(name)
            for standing in held.whole() if held and name not in self._index.lines else ():
                yield self._standing(name, "street", replace(standing, score=worth))

    def _alike(self, words: AddressWords) -> Iterator[AddressCandidate]:
        """Names spelled or sounding like what was written; the number or group is then looked for in them."""
        base = words.village if words.group is not None else words.street
        if base:
            for name, likeness in self._similar.like(base):
                other = replace(words, village=name) if words.group is not None else replace(words, street=name)
                for one in (*self._at_number(other), *self._along(other)):
                    yield replace(one, score=min(one.score * likeness, ALIKE), how="similar")
            return
        for stage in dict.fromkeys(words.stages):
            for name, likeness in self._similar.like(stage):
                yield from (
                    replace(one, score=min(one.score * likeness, ALIKE), how="similar") for one in self._named(name)
                )

    def _street(self, written: str) -> str:
        """What was written, or its longest known end: 内环中环之间剑河路 is 剑河路. One character in front makes another street."""
        for start in (0, *range(2, len(written) - 2)):
            if written[start:] in self._index.numbers or written[start:] in self._index.lines:
                return written[start:]
        return written

    # -- what candidates are made of ----------------------------------------------------------------------------------

    def _entry(self, i: int, score: float, how: str) -> AddressCandidate:
        entry, where = self.entries[i], self._where[i]
        shape = None if entry.geometry.geom_type == "Point" else entry.geometry
        return AddressCandidate(
            entry.name, entry.kind, how, where.lon, where.lat, where.radius_m, score, where.admin, shape, entry.external_id
        )  # fmt: skip

    def _standing(self, name: str, kind: str, one: Standing) -> AddressCandidate:
        admin = tuple(dict.fromkeys(name for witness in one.witnesses for name in witness.admin))
        return AddressCandidate(name, kind, one.how, one.lon, one.lat, one.radius_m, one.score, admin)

    def _clump(self, name: str, kind: str, clump: list[Numbered]) -> AddressCandidate:
        lon, lat = (float(np.median([getattr(one, axis) for one in clump])) for axis in ("lon", "lat"))
        away = max(metres_between((lon, lat), (one.lon, one.lat)) for one in clump)
        admin = tuple(dict.fromkeys(name for one in clump for name in one.admin))
        return AddressCandidate(name, kind, "crossing", lon, lat, max(KINDS["crossing"], away), 1.0, admin)


def _group_key(words: AddressWords) -> str:
    village = words.village if words.village.endswith(("村", "社区")) else f"{words.village}村"
    return f"{village}{words.group}组"


def _wheres(entries: Sequence[Entry]) -> list[_Where]:
    """Point and doubt of every entry: a line or an area is doubtful as far as it reaches."""
    shapes = np.empty(len(entries), dtype=object)
    shapes[:] = [entry.geometry for entry in entries]
    points = shapely.get_coordinates(shapely.point_on_surface(shapes)) if len(entries) else np.empty((0, 2))
    boxes = shapely.bounds(shapes) if len(entries) else np.empty((0, 4))
    found = []
    for entry, (lon, lat), (west, south, east, north) in zip(entries, points.tolist(), boxes.tolist(), strict=True):
        scale = scale_at(lat)
        reach = 0.34 * math.hypot((east - west) * scale[0], (north - south) * scale[1])
        radius = entry.radius_m or (reach if reach > 0.0 else KINDS[entry.kind])
        found.append(_Where(lon, lat, max(radius, 5.0), tuple(normalised(name) for name in entry.admin)))
    return found


def moved(lon: float, lat: float, words: AddressWords, *, back: bool = False) -> tuple[float, float]:
    """The place that lies where the offset says from a named one; `back`: the named one, from the place."""
    offset = words.offset
    if offset.bearing is None:
        return lon, lat
    east, north = scale_at(lat)
    metres = -offset.metres if back else offset.metres
    angle = math.radians(offset.bearing)
    return lon + metres * math.sin(angle) / east, lat + metres * math.cos(angle) / north


def _offset(one: AddressCandidate, words: AddressWords) -> AddressCandidate:
    """The candidate moved and widened as the words behind the name say."""
    if words.offset.bearing is None and not words.offset.doubt_m:
        return one
    lon, lat = moved(one.lon, one.lat, words)
    return replace(one, lon=lon, lat=lat, radius_m=math.hypot(one.radius_m, words.offset.doubt_m), geometry=None)


def _hinted(hint: str, admin: Sequence[str]) -> float:
    """What a leading word that is no street's (嘉定金沙路) is worth: nothing against, when an admin name begins so."""
    return 1.0 if not hint or any(name.startswith(hint) or hint.endswith(name) for name in admin) else 0.95


__all__ = ["KINDS", "MATCHER", "AddressAnswer", "AddressCandidate", "Entry", "Gazetteer"]
