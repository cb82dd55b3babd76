"""Duplicates: how likely two reports tell of one thing, and why one thinks so; whom a set of links holds together.

The score is a probability by judgement, not fitted to data: the evidence adds up in log odds and what is not known of either
report counts for neither side.

    log odds = -1 + 2 near + recent + category + text + address + reporter
    near      1 - distance / radius          recent    1 - minutes apart / window
    category  +1 the same, -1.5 another      text      3 (similarity - 0.4), from -1.2 to +1.8
    address   +1 the same                    reporter  +0.5 the same

So two reports of one category 5 m and an hour apart score 0.94, of two categories 0.56; at the radius and the window's end 0.5
and 0.08. Nothing is ever linked by a score: it is shown to people.
"""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

#: From this score on an event is named as a likely duplicate.
LIKELY: Final = 0.6
#: Texts are compared up to so many characters; below the least they say nothing.
LONGEST_TEXT: Final = 500
SHORTEST_TEXT: Final = 4
_SIMILAR: Final = 0.6


@dataclass(frozen=True)
class DuplicateRule:
    """How far apart in metres and minutes two reports may be told and still be asked about; `number` is its version."""

    radius_m: float
    minutes: float
    number: int = 0


#: What holds where nobody wrote a rule: 50 m and 24 h.
DEFAULT_RULE: Final = DuplicateRule(50.0, 1440.0)


@dataclass(frozen=True)
class Told:
    """What of a report is compared; None is not known."""

    event: UUID
    occurred_at: datetime
    category: str | None = None
    category_scheme: str | None = None
    text: str | None = None
    address: str | None = None
    reporter: str | None = None


@dataclass(frozen=True)
class Likeness:
    """An event that may tell of the same thing: the score (0..1), the words why, and how far apart they are."""

    event: UUID
    score: float
    reasons: tuple[str, ...]
    distance_m: float
    minutes: float

    def as_json(self) -> dict[str, Any]:
        """As answers spell it; metres to the decimetre, minutes to the tenth."""
        return {
            "event": self.event,
            "score": round(self.score, 3),
            "reasons": list(self.reasons),
            "distance_m": round(self.distance_m, 1),
            "minutes": round(self.minutes, 1),
        }


def likeness(one: Told, other: Told, distance_m: float, rule: DuplicateRule) -> Likeness:
    """How likely `other` tells of what `one` tells.

    `reasons`, in this order: `near` and `recent` (within half of radius and window), `same-category`, `similar-text`,
    `same-address`, `same-reporter`.
    """
    minutes = abs((one.occurred_at - other.occurred_at).total_seconds()) / 60.0
    near = max(0.0, 1.0 - distance_m / rule.radius_m)
    recent = max(0.0, 1.0 - minutes / rule.minutes)
    same = _same_category(one, other)
    alike = text_similarity(one.text, other.text)
    address, reporter = _same(one.address, other.address), _same(one.reporter, other.reporter)
    odds = -1.0 + 2.0 * near + recent + address + 0.5 * reporter
    odds += 0.0 if same is None else 1.0 if same else -1.5
    odds += 0.0 if alike is None else 3.0 * (alike - 0.4)
    holds = {
        "near": near >= 0.5,
        "recent": recent >= 0.5,
        "same-category": same is True,
        "similar-text": alike is not None and alike >= _SIMILAR,
        "same-address": address,
        "same-reporter": reporter,
    }
    score = 1.0 / (1.0 + math.exp(-odds))
    return Likeness(other.event, score, tuple(name for name, held in holds.items() if held), distance_m, minutes)


def likely(found: Iterable[Likeness], most: int = 10) -> list[Likeness]:
    """Those that score LIKELY or more, best first, the older event first on ties; at most `most`."""
    kept = [one for one in found if one.score >= LIKELY]
    return sorted(kept, key=lambda one: (-one.score, one.event))[:most]


def text_similarity(one: str | None, other: str | None) -> float | None:
    """The share of characters that two texts have in common in order (0..1); None when either says too little.

    Full and half width, case, blanks and punctuation make no difference. The ratio of the longest common subsequence to the
    mean length, by rapidfuzz: it needs no words, so it serves Chinese as it does English.
    """
    from rapidfuzz.fuzz import ratio

    first, second = plain(one), plain(other)
    if min(len(first), len(second)) < SHORTEST_TEXT:
        return None
    return ratio(first, second) / 100.0


def plain(text: str | None) -> str:
    """Letters and digits of the beginning of a text, in one width and case."""
    folded = unicodedata.normalize("NFKC", (text or "")[:LONGEST_TEXT]).casefold()
    return "".join(filter(str.isalnum, folded))


def _same_category(one: Told, other: Told) -> bool | None:
    """None when either has no category, or when they are of two schemes and cannot be compared."""
    if one.category is None or other.category is None or one.category_scheme != other.category_scheme:
        return None
    return one.category == other.category


def _same(one: str | None, other: str | None) -> bool:
    own = plain(one)
    return bool(own) and own == plain(other)


def groups(links: Iterable[tuple[UUID, UUID]]) -> list[list[UUID]]:
    """The events that pairs hold together, directly or through others; each group and the list begin with the earliest.

    Union-find with path halving; chains and cycles end in one group each.
    """
    above: dict[UUID, UUID] = {}

    def root(event: UUID) -> UUID:
        above.setdefault(event, event)
        while above[event] != event:
            above[event] = event = above[above[event]]
        return event

    for one, other in links:
        first, second = sorted((root(one), root(other)))
        above[second] = first
    members: dict[UUID, list[UUID]] = {}
    for event in sorted(above):
        members.setdefault(root(event), []).append(event)
    return list(members.values())
