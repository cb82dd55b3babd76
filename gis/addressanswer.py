"""AddressAnswer: what an address may mean: candidates, which of them are rivals, and whether one is sure."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import shapely

from gis.addresswords import AddressWords
from gis.streetnumbers import metres_between
from gis.townnames import admin_forms, rank_of

#: Candidates whose score is less than this below the best are its rivals; what is worth less than LEAST is not said.
RIVAL, LEAST = 0.1, 0.4
#: An answer is sure when it has no rival, at least this score, and at most this radius.
SURE_SCORE, SURE_RADIUS_M = 0.75, 300.0
#: Most candidates an answer names.
MOST = 10
#: What a contradiction of admin names leaves of a score, and naming fewer of them than another candidate does.
CONTRADICTED, LESS_NAMED = 0.5, 0.85
#: How exactly an outline is kept (5 m), and how many vertices it may have.
OUTLINE_DEGREES, OUTLINE_VERTICES = 5e-5, 400
#: Two candidates nearer than this are one.
SAME_M = 60.0


@dataclass(frozen=True)
class AddressCandidate:
    """A place that an address may mean: `how` says by which evidence; `radius_m` is the 68 % radius.

    `score` is 0..1; `geometry` is set when the thing is a line or an area. `external_id` is the entry's.
    """

    name: str
    kind: str
    how: str
    lon: float
    lat: float
    radius_m: float
    score: float
    admin: tuple[str, ...] = ()
    geometry: Any = None
    external_id: str | None = None

    def as_json(self) -> dict[str, Any]:
        """The candidate as receipts and the queue keep it; metres and degrees rounded, lines and areas simplified."""
        return {
            "name": self.name,
            "kind": self.kind,
            "how": self.how,
            "lon": round(self.lon, 7),
            "lat": round(self.lat, 7),
            "radius_m": round(self.radius_m, 1),
            "score": round(self.score, 3),
            "admin": list(self.admin),
            "external_id": self.external_id,
            "geometry": _outline(self.geometry),
        }

    @classmethod
    def of(cls, kept: Mapping[str, Any]) -> AddressCandidate:
        """The candidate that `as_json` kept."""
        shape = kept["geometry"]
        geometry = None if shape is None else shapely.from_geojson(json.dumps(shape))
        return cls(**{**kept, "admin": tuple(kept["admin"]), "geometry": geometry})


@dataclass(frozen=True)
class AddressAnswer:
    """What an address means: `sure` when exactly one precise place remains, else `reason` says why not.

    Reasons: "address-empty", "address-unknown", "address-ambiguous" (several places), "address-vague" (a large or doubtful one).
    """

    words: AddressWords
    candidates: tuple[AddressCandidate, ...]
    reason: str | None

    @classmethod
    def of(cls, kept: Mapping[str, Any]) -> AddressAnswer:
        """The answer that `as_json` kept, without its words."""
        return cls(AddressWords(""), tuple(map(AddressCandidate.of, kept["candidates"])), kept["reason"])

    def as_json(self) -> dict[str, Any]:
        """The answer as receipts and the queue keep it."""
        return {"reason": self.reason, "candidates": [one.as_json() for one in self.candidates]}

    @property
    def sure(self) -> bool:
        """Whether the first candidate is the place."""
        return self.reason is None

    def rivals(self) -> tuple[AddressCandidate, ...]:
        """The candidates that the words do not tell apart."""
        return tuple(one for one in self.candidates if one.score > self.candidates[0].score - RIVAL)


def _outline(geometry: Any) -> dict[str, Any] | None:
    """A line or an area as GeoJSON, simple enough to be kept with every receipt; None for a point, or what stays too long."""
    if geometry is None or geometry.geom_type.endswith("Point"):
        return None
    simple = shapely.set_precision(shapely.simplify(geometry, OUTLINE_DEGREES), 1e-7)
    if shapely.is_empty(simple) or shapely.get_num_coordinates(simple) > OUTLINE_VERTICES:
        return None
    outline: dict[str, Any] = json.loads(shapely.to_geojson(simple))
    return outline


def by_admin(found: list[AddressCandidate], asked: tuple[str, ...]) -> list[AddressCandidate]:
    """The candidates with what the admin names of the address do to their scores."""
    if not asked:
        return found
    agreed = [_agreement(asked, one.admin) for one in found]
    most = max((named for named, _ in agreed), default=0)
    return [
        replace(one, score=one.score * CONTRADICTED**against * LESS_NAMED ** (most - named))
        for one, (named, against) in zip(found, agreed, strict=True)
    ]


def _agreement(asked: Sequence[str], admin: Sequence[str]) -> tuple[int, int]:
    """How many of the names asked for the candidate bears, and how many it contradicts: another name of the same rank."""
    forms = {form for name in admin for form in admin_forms(name)}
    ranks = {rank_of(name) for name in admin}
    named = sum(bool(forms & set(admin_forms(name))) for name in asked)
    against = sum(rank_of(name) in ranks and not forms & set(admin_forms(name)) for name in asked)
    return named, against


def ranked(found: Iterable[AddressCandidate]) -> list[AddressCandidate]:
    """The candidates by score, those of one thing or one place once."""
    kept: list[AddressCandidate] = []
    for one in sorted(found, key=lambda one: (-one.score, one.radius_m, one.name, one.external_id or "")):
        twin = next((k for k, other in enumerate(kept) if _same(one, other)), None)
        if one.score < LEAST or len(kept) == MOST:
            break
        if twin is None:
            kept.append(one)
        else:
            apart = metres_between((one.lon, one.lat), (kept[twin].lon, kept[twin].lat))
            kept[twin] = replace(kept[twin], radius_m=max(kept[twin].radius_m, 0.5 * apart))
    return kept


def _same(one: AddressCandidate, other: AddressCandidate) -> bool:
    """Whether two candidates are one thing: the same entry twice, or pieces of evidence for one number that touch."""
    if one.external_id is not None and other.external_id is not None:
        return one.external_id == other.external_id
    apart = metres_between((one.lon, one.lat), (other.lon, other.lat))
    derived = "name" not in (one.how, other.how) and (one.name, one.kind) == (other.name, other.kind)
    touching = derived and apart < one.radius_m + other.radius_m
    return touching or (apart < SAME_M and one.admin == other.admin)


def doubt(answer: AddressAnswer) -> str | None:
    """Why the first candidate is not simply the answer, None when it is."""
    best = answer.candidates[0]
    if len(answer.rivals()) > 1:
        return "address-ambiguous"
    return "address-vague" if best.score < SURE_SCORE or best.radius_m > SURE_RADIUS_M else None
