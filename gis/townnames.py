"""Names of towns, villages and communities: official endings, short forms, and the rank that an ending tells."""

from __future__ import annotations

import re
from functools import lru_cache

_VILLAGE = re.compile(r"(?:村民委员会|村委会|村委|村民委)$")
_COMMUNITY = re.compile(r"(?:社区居民委员会|社区居委会|社区居委|居民委员会|居委会|社区)$")
_OFFICE = re.compile(r"(?:街道办事处|街道办|街道)$")
_GOVERNMENT = re.compile(r"(?:人民政府|政府)$")

#: How much of an equal name a name with another ending is worth: 长岸村 for 长岸村委会, 长岸 for 长岸村.
OTHER_ENDING, WITHOUT_ENDING = 0.97, 0.86

_RANKS = (
    (re.compile(r"(?:省|自治区)$"), "province"),
    (re.compile(r"市$"), "city"),
    (re.compile(r"(?:区|县|旗)$"), "district"),
    (re.compile(r"(?:街道|街道办事处|镇|乡)$"), "town"),
    (re.compile(r"(?:村|社区|村委会|居委会)$"), "community"),
)


@lru_cache(maxsize=65_536)
def admin_forms(name: str) -> tuple[str, ...]:
    """The spellings under which an admin name counts as the same: 五三街道办事处 is also 五三街道."""
    if _OFFICE.search(name):
        stem = _OFFICE.sub("", name)
        return (f"{stem}街道", f"{stem}街道办事处")
    return tuple(dict.fromkeys((name, _GOVERNMENT.sub("", name))))


@lru_cache(maxsize=65_536)
def rank_of(name: str) -> str:
    """The rank that a name's ending tells: province, city, district, town, community; the name itself when none."""
    return next((rank for ending, rank in _RANKS if ending.search(name)), name)


def spellings(name: str, kind: str) -> tuple[tuple[str, float], ...]:
    """The ways a (normalised) name of this kind is written, each with its worth 0..1; the full name is worth 1."""
    if not name:
        return ()
    if kind not in {"village", "community", "town"}:
        return ((name, 1.0),)
    found = {name: 1.0}
    for stem, short in _stems(name):
        found.setdefault(short, OTHER_ENDING)
        if len(stem) >= 2:
            found.setdefault(stem, WITHOUT_ENDING)
    return tuple(found.items())


def _stems(name: str) -> list[tuple[str, str]]:
    """The name without its official ending, and with the short one: (长岸, 长岸村)."""
    found = []
    if ending := _VILLAGE.search(name):
        stem = name[: ending.start()].removesuffix("村")  # 长岸村委会 and 长岸村村民委员会 are both of 长岸
        found.append((stem, f"{stem}村"))
    elif ending := _COMMUNITY.search(name):
        stem = name[: ending.start()]
        found += [(stem, f"{stem}社区"), (stem, f"{stem}居委会")]
    elif ending := _OFFICE.search(name):
        stem = name[: ending.start()]
        found.append((stem, f"{stem}街道"))
    elif name[-1] in "村镇乡":
        found.append((name[:-1], name))
    return found
