"""DayEvidence: what one day's fixes prove: ground seen, stays at sites, when whose way is known. A day is a slot of the sweep.

    fixes of the day and of an hour round it -> clean -> tracks -> what of them lies in the day -> ground, stays, known pieces

The hour round it makes a day's evidence a function of fixes alone: neither of the order in which they came, nor of where days are
parted: a way across midnight counts in both days, each with its own part of it.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from gis.cellframe import CellFrame
from gis.errors import ParameterInvalid
from gis.fixes import MICRO, Fixes, Flags, Floats, Ints, Limits, clean, micros_of, together
from gis.places import PlaceVisits, all_visits, stays
from gis.sweep import Slot, Sweep
from gis.tracks import Gaps, Tracks, between, changed, known_pieces, stops_of, tracks_of, walked

#: Fixes of so many seconds before and after a day are looked at with it.
MARGIN_S: Final = 3_600


@dataclass(frozen=True, eq=False)
class Sites:
    """Where stays are looked for, WGS 84: must-visit places and households; site i is the caller's i-th."""

    lon: Floats
    lat: Floats


@dataclass(frozen=True)
class EvidenceRules:
    """What evidence is made by; all of it travels with every figure.

    A site is visited by a stay of `stay_minutes` within `within_m` of it, in which being away for up to `away_s` does not count.
    """

    sight_m: float = 25.0
    within_m: float = 30.0
    stay_minutes: float = 3.0
    away_s: float = 60.0
    stretch_s: float = 30.0
    limits: Limits = field(default_factory=Limits)
    gaps: Gaps = field(default_factory=Gaps)

    def as_json(self) -> dict[str, Any]:
        """The rules by name."""
        told = {name: getattr(self, name) for name in ("sight_m", "within_m", "stay_minutes", "away_s", "stretch_s")}
        gaps = {name: getattr(self.gaps, name) for name in ("max_gap_s", "max_gap_m", "max_speed_mps")}
        return told | gaps | {"max_accuracy_m": self.limits.max_accuracy_m}


@dataclass(frozen=True, eq=False)
class EvidenceGround:
    """On what evidence is laid: the cells of the town, where days begin, the sites, the rules."""

    frame: CellFrame
    origin: np.datetime64
    sites: Sites
    rules: EvidenceRules = field(default_factory=EvidenceRules)

    def sweep(self, slots: dict[int, Slot] | None = None) -> Sweep:
        """A sweep of this ground with these slots."""
        rules = self.rules
        return Sweep(self.frame, rules.sight_m, origin=self.origin, stretch_s=rules.stretch_s, slots=slots or {})

    @cached_property
    def days(self) -> Sweep:
        """An empty sweep: it numbers the days."""
        return self.sweep()

    def span(self, number: int) -> tuple[np.datetime64, np.datetime64]:
        """Begin and end of a day."""
        begin, end = (np.datetime64(self.days.begin_of(number + k), "us") for k in (0, 1))
        return begin, end

    def wanted(self, number: int) -> tuple[np.datetime64, np.datetime64]:
        """From when to when fixes are needed for a day."""
        begin, end = self.span(number)
        margin = np.timedelta64(MARGIN_S, "s")
        return begin - margin, end + margin


@dataclass(frozen=True, eq=False)
class DayEvidence:
    """What the fixes of day `number` prove. `stays` are those that touch the day; their `place` is a site.

    `known` are the pieces of way in the day (`gis.tracks.known_pieces`); `walks` the walked ways themselves, noise averaged out,
    None where they are not kept.
    """

    number: int
    slot: Slot
    stays: PlaceVisits
    known: Tracks
    walks: Tracks | None

    @property
    def is_empty(self) -> bool:
        """Whether nobody was anywhere."""
        return not self.slot.used

    def light(self) -> DayEvidence:
        """The same without the walks."""
        return replace(self, walks=None)


@dataclass(frozen=True, eq=False)
class _Ways:
    """One batch of members' ways in a day."""

    walks: Tracks
    known: Tracks
    stays: PlaceVisits


def day_evidence(ground: EvidenceGround, number: int, fixes: Fixes) -> DayEvidence:
    """The evidence of a day from the fixes of `ground.wanted(number)`, in any order."""
    ways = _ways(ground, number, fixes)
    sweep = ground.sweep()
    sweep.add(ways.walks)
    return DayEvidence(number, _slot(sweep, number), ways.stays, ways.known, ways.walks)


def with_members(ground: EvidenceGround, day: DayEvidence, members: Ints, fixes: Fixes) -> DayEvidence:
    """The evidence of the day when these members' fixes are these and no others: bit for bit what `day_evidence` makes of all.

    The old day stays as it was, and must have its walks.
    """
    if day.walks is None:
        raise ParameterInvalid("the day's walks are not kept: make its evidence from all fixes", place="day")
    ways = _ways(ground, day.number, fixes)
    theirs = np.isin(day.walks.fixes.member, members)
    gone, new = changed(_part(day.walks, theirs), ways.walks)
    walks = tracks_together([_part(day.walks, ~theirs), ways.walks])
    sweep = ground.sweep({day.number: _copied(day.slot)})
    if len(gone):
        sweep.exchange(gone, [walks])
    sweep.add(new)
    known = tracks_together([_part(day.known, ~np.isin(day.known.fixes.member, members)), ways.known])
    others = _visits_of(day.stays, ~np.isin(day.stays.member, members))
    return DayEvidence(day.number, _slot(sweep, day.number), all_visits([others, ways.stays]), known, walks)


def _ways(ground: EvidenceGround, number: int, fixes: Fixes) -> _Ways:
    rules, sites = ground.rules, ground.sites
    begin, end = ground.span(number)
    low, high = ground.wanted(number)
    near = fixes.take((fixes.at >= low) & (fixes.at < high))
    tracks = tracks_of(clean(near, rules.limits, now=high).fixes, rules.gaps)
    # A stop is drawn at its middle: one wider than the sight would leave out what a slow walker saw.
    walks = between(walked(tracks, stops_of(tracks, diameter_m=rules.sight_m)), begin, end)
    found = stays(tracks, sites.lon, sites.lat, ground.frame.plane, within_m=rules.within_m,
                  minutes=rules.stay_minutes, away_s=rules.away_s)  # fmt: skip
    first, last = micros_of(begin), micros_of(end)
    touching = (found.begin.view(np.int64) < last) & (found.end.view(np.int64) >= first)
    return _Ways(walks, known_pieces(between(tracks, begin, end)), all_visits([_visits_of(found, touching)]))


def _slot(sweep: Sweep, number: int) -> Slot:
    """The slot of the day, empty when nobody walked."""
    return sweep.slots.get(number) or Slot(sweep.begin_of(number), sweep.nowhere())


def _copied(slot: Slot) -> Slot:
    return Slot(slot.begin, slot.directory.copy(), slot.stamps.copy(), slot.bits.copy(), slot.used, slot.newest)


def _part(tracks: Tracks, rows: Flags) -> Tracks:
    """The tracks of some members: whole pieces."""
    return Tracks(tracks.fixes.take(rows), tracks.joined[rows], tracks.bridged[rows])


def tracks_together(parts: list[Tracks]) -> Tracks:
    """Tracks whose pieces do not overlap, in one, by member and time."""
    fixes = together([part.fixes for part in parts])
    joined = np.concatenate([part.joined for part in parts]) if parts else np.zeros(0, dtype=bool)
    bridged = np.concatenate([part.bridged for part in parts]) if parts else np.zeros(0, dtype=bool)
    order = np.lexsort((fixes.micros, fixes.member))
    return Tracks(fixes.take(order), joined[order], bridged[order])


def _visits_of(visits: PlaceVisits, rows: npt.NDArray[np.bool_]) -> PlaceVisits:
    return PlaceVisits(
        visits.place[rows], visits.member[rows], visits.begin[rows], visits.end[rows], visits.dwell_s[rows],
        visits.by[rows],
    )  # fmt: skip


def day_number(ground: EvidenceGround, at: np.datetime64) -> int:
    """The number of the day in which an instant lies."""
    return int((micros_of(at) - micros_of(ground.origin)) // (ground.days.slot_s * MICRO))
