"""AddressWords: what an address says, taken apart: admin names, streets, numbers, village and group, name, offset.

Reading needs no gazetteer: every rule here is about how Chinese addresses are written. Which street is really meant by a run
of characters (内环中环之间剑河路) only a gazetteer can tell, so runs are kept whole and resolved there.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection
from dataclasses import dataclass, replace

from gis.numerals import in_digits

#: What is read of an address: the rest of a longer text is no address.
READ = 200

#: Metres meant when an offset names none; and the doubt that words such as 附近 add.
SIDE_M, NEAR_M, ACROSS_M = 30.0, 120.0, 40.0

#: No admin name is longer.
LONGEST_ADMIN = 15

#: Degrees clockwise from north.
BEARINGS = {"北": 0, "东北": 45, "东": 90, "东南": 135, "南": 180, "西南": 225, "西": 270, "西北": 315}

# A street's name ends so; 街道 is an office, 道路 any street, 路口 a crossing.
_END = r"(?:公路|大道|大街|胡同|弄堂|步行街|路|街(?!道|坊)|(?<![街轨隧车通行])道(?!路)|巷|里弄)"
# What follows a street's name as a part of it.
_PART = r"(?:[东西南北中]段|[一二三四五六七八九十]段|支路)?"
_STREET = rf"[^\d,;()#]{{1,16}}?{_END}{_PART}"
_NUMBER = re.compile(
    rf"^(?P<street>[^\d,;()#]{{1,24}}?(?:{_END}{_PART}|新?村|里|坊|宅|浜|街坊))(?P<number>\d{{1,5}})(?!米|组|队|路|弄堂)(?P<rest>.*)$"
)
_LANE = re.compile(
    r"^(?:[-~、,/&](?:\d+[a-z]?))*(?P<unit>支弄|弄|号|#)?(?:内)?(?:(?P<sub>\d{1,4})(?:[-~、,/]\d+)*号)?(?P<rest>.*)$"
)
_GROUP = re.compile(
    r"^(?P<village>[^\d,;()]{1,20}?)(?P<group>\d{1,3})(?:村民|居民|生产)?小?[组队](?:(?P<number>\d{1,4})(?:-\d+)?号?)?(?P<rest>.*)$"
)
_JOIN = r"(?:与|和|跟|及|同|、|/|×|x|\*|&|\+|-|—|近|靠近|到)"
_SURELY_JOINS = "与跟、/×*&+-"  # no name begins so, as names do with 和 and 同
_MEET = r"(?:的)?(?:十字|丁字|三岔)?(?:交叉路?口|交汇处?|交界处?|交叉处?|相交处?|汇合处|路口|岔口|口)"
_CROSSING = re.compile(rf"^(?P<a>{_STREET}){_JOIN}(?P<b>{_STREET})(?P<meet>{_MEET})?(?P<rest>.*)$")
_TOUCHING = re.compile(rf"^(?P<a>{_STREET})(?P<b>{_STREET})(?P<meet>{_MEET})?$")
_ALONG = re.compile(rf"^(?P<street>{_STREET})(?P<rest>.*)$")
_OFFSET = re.compile(
    r"(?:的|往|向|以|朝|偏)?(?P<bearing>东南|东北|西南|西北|东|南|西|北)"
    r"(?:(?:侧|边|面|首|方向?)?(?:约|大约)?(?P<metres>\d{1,4})(?:多)?(?:米|m)(?:左右|处|路[东西南北])*|(?:侧|边|面|首))$"
)
_NEAR = re.compile(r"(?:的|大约|的附近)?(?:附近|周边|周围|一带|旁边|旁|边上|隔壁|左右|不远处|处)$")
_ACROSS = re.compile(r"(?:的|斜|正)*(?:对面|对过)$")
_TAIL = re.compile(r"(?:的)?(?:门口|门前|内|里面|上|道路|路段|沿线|沿路)$")
_ADMIN = re.compile(
    r"^(?:[^\d]{2,7}?(?:自治区|特别行政区)|[^\d省市县区镇乡路街]{2,3}省|[^\d省市县区镇乡路街村]{2,6}市(?!场|民|政)"
    r"|[^\d市县区镇乡路街村]{1,6}?(?:自治县|新区(?!路|街)|县(?!前|后|府|东|西|南|北))"
    r"|[^\d市县区镇乡路街村小社园院]{1,4}区(?!域|间|政|府|委)"
    r"|[^\d市县区镇乡巷]{2,7}?街道(?:办事处)?|[^\d市县区镇乡路街村]{1,6}(?:民族)?(?:镇(?!政|府|[东西南北中前后][^村社]{0,3}[路街道])|乡(?!政|府|村)))"
)
_ASIDE = re.compile(r"[(\[【〔〈{][^()\[\]【】]*(?:[)\]】〕〉}]|$)")
_KEPT = re.compile(r"[^0-9a-z\u3400-\u9fff\uf900-\ufaff〇○,、/×&+*#~\-]")


@dataclass(frozen=True)
class Offset:
    """Where the place lies from what is named: `bearing` in degrees from north (None: unknown side), metres, further doubt."""

    bearing: float | None = None
    metres: float = 0.0
    doubt_m: float = 0.0


@dataclass(frozen=True)
class AddressWords:
    """An address taken apart; what it does not say is empty or None.

    `crossings` are the readings of a crossing as pairs of streets (人民路和平路口 has several); `street` with `number` (a house or
    lane number) and `sub` (the house in the lane); `village` with `group`; `name` is what remains: a building, shop or place.
    `stages` are what is left after each leading admin name, the whole first: names may begin like their town.
    """

    text: str
    admin: tuple[str, ...] = ()
    stages: tuple[str, ...] = ()
    crossings: tuple[tuple[str, str], ...] = ()
    street: str = ""
    number: int | None = None
    sub: int | None = None
    village: str = ""
    group: int | None = None
    name: str = ""
    offset: Offset = Offset()


def normalised(text: str) -> str:
    """One spelling: half width, lower case, counted numerals in digits, no blanks, no signs; brackets and what they hold are gone."""
    folded = (
        unicodedata.normalize("NFKC", text[: 4 * READ]).lower().replace("。", ",").replace(";", ",").replace("—", "-")
    )
    kept = _KEPT.sub("", _ASIDE.sub("", folded))
    return in_digits(kept[:READ].strip("-,、/~&+*()#"))


def read_address(text: str, admin_names: Collection[str] = ()) -> AddressWords:
    """The words of one address; never fails, an address that says nothing has an empty `text`.

    `admin_names`: normalised names of known provinces, cities, districts and towns, also those that no rule would see.
    """
    whole = normalised(text)
    rest, offset = _offset(whole)
    admin, stages = _admin(rest, admin_names)
    words = AddressWords(whole, admin, stages, offset=offset)
    rest = stages[-1]
    return _crossing(words, rest) or _group(words, rest) or _number(words, rest) or _along(words, rest)


def _offset(text: str) -> tuple[str, Offset]:
    """The text without the words behind what is named, and where these lead."""
    if found := _NEAR.search(text):
        return text[: found.start()], Offset(doubt_m=NEAR_M)
    if found := _ACROSS.search(text):
        return text[: found.start()], Offset(doubt_m=ACROSS_M)
    found = _OFFSET.search(text)
    if found is None or found.start() < 2:
        return text, Offset()
    metres = float(found["metres"] or SIDE_M)
    return text[: found.start()], Offset(float(BEARINGS[found["bearing"]]), metres, 20.0 + 0.25 * metres)


def _admin(text: str, known: Collection[str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The leading names of provinces, cities, districts and towns, and what was left before and after each."""
    names: list[str] = []
    stages = [text]
    while len(names) < 6 and (end := _admin_end(text, known)):
        names.append(text[:end])
        text = text[end:].lstrip(",、/-")
        stages.append(text)
    return tuple(dict.fromkeys(names)), tuple(stages)


def _admin_end(text: str, known: Collection[str]) -> int:
    """Where a leading admin name ends: the longest known one, else what the rules see; 0 without one or with nothing behind it."""
    for end in range(min(LONGEST_ADMIN, len(text) - 1), 1, -1) if known else ():
        if text[:end] in known:
            return end
    found = _ADMIN.match(text)
    return found.end() if found and found.end() < len(text) else 0


def _crossing(words: AddressWords, rest: str) -> AddressWords | None:
    """Two streets that meet: joined by a word (with 近 and - only where a crossing is named), or one after the other before 路口."""
    readings: list[tuple[str, str]] = []
    found = _CROSSING.match(rest)
    if found is not None:
        readings.append((found["a"], found["b"]))
    touching = _TOUCHING.match(rest)
    if touching is not None and touching["b"][0] not in _SURELY_JOINS:
        readings.append((touching["a"], touching["b"]))
    if not readings:
        return None
    return replace(words, crossings=tuple(dict.fromkeys(readings)), name=found["rest"] if found else "")


def _group(words: AddressWords, rest: str) -> AddressWords | None:
    found = _GROUP.match(rest)
    if found is None:
        return None
    number = int(found["number"]) if found["number"] else None
    return replace(
        words, village=found["village"], group=int(found["group"]), number=number, name=_trimmed(found["rest"])
    )


def _number(words: AddressWords, rest: str) -> AddressWords | None:
    found = _NUMBER.match(rest)
    if found is None:
        return None
    lane = _LANE.match(found["rest"])
    sub = int(lane["sub"]) if lane and lane["sub"] and lane["unit"] in {"弄", "支弄"} else None
    name = _trimmed(lane["rest"]) if lane else ""
    return replace(words, street=found["street"].lstrip(",、/-"), number=int(found["number"]), sub=sub, name=name)


def _along(words: AddressWords, rest: str) -> AddressWords:
    """A street without a number, or a name alone."""
    found = _ALONG.match(rest)
    if found is None:
        return replace(words, name=_trimmed(rest))
    return replace(words, street=found["street"], name=_trimmed(found["rest"]))


def _trimmed(text: str) -> str:
    return _TAIL.sub("", text).strip(",、/-~&+*#")
