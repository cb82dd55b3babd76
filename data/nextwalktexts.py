"""Next walk texts: why each stop of a walk is on it, in one Chinese or one English sentence; and the whole walk in one."""

from __future__ import annotations

from typing import Final

from gis.errands import Errand, NextWalk
from maps.words import Lang

#: How a thing stands, by its due state -> (Chinese, English), with the days told and without.
DUE: Final[dict[str, tuple[str, str]]] = {
    "overdue": ("已逾期{days}天", "{days} days overdue"),
    "unknown": (
        "到期已{days}天，其间无轨迹、是否到访不明",
        "due {days} days ago, and nobody was tracked who could have visited it",
    ),
    "soon": ("{days}天后到期，照常恐难走到", "due in {days} days, and unlikely to be visited by then"),
    "due": ("{days}天后到期", "due in {days} days"),
}
DUE_UNDATED: Final[dict[str, tuple[str, str]]] = {
    "overdue": ("已逾期", "overdue"),
    "unknown": ("是否逾期不明", "overdue as far as anybody knows"),
    "soon": ("即将到期，照常恐难走到", "soon due, and unlikely to be visited by then"),
    "due": ("尚未到期", "not yet due"),
}
RISK: Final = ("，风险{risk}", ", of risk {risk}")
CLEARS: Final = ("，可消欠账{weight}", ": clears {weight}")
FIRST_WAY: Final = ("；从出发处走{metres}米", "; {metres} m from the start")
WAY: Final = ("；从上一站走{metres}米", "; {metres} m from the stop before")
STRAIGHT: Final = ("（其中{straight}米没有道路）", " ({straight} m of them along no street)")
ARRIVAL: Final = ("，出发后{arrival}分钟到", ", reached after {arrival} minutes")
ALONG: Final = ("，沿路走完{along}米", ", then {along} m along all of it")
DETOUR: Final = ("，为此多走{detour}米", "; the walk is {detour} m longer for it")
ON_THE_WAY: Final = ("，顺路", "; it lies on the way")

WALK: Final = (
    "{minutes}分钟内走{km}公里、办{count}件，可消欠账{cleared}，占全部{owed}的{percent}%，用时{used}分钟。",
    "In {minutes} minutes {km} km and {count} errands, which clears {cleared} of {owed} ({percent} %) and takes {used} minutes.",
)
NOTHING: Final[dict[str, tuple[str, str]]] = {
    "no-debts": ("没有要走访的欠账。", "Nothing is owed a visit."),
    "out-of-reach": ("{minutes}分钟内一件也办不成。", "Nothing can be done within {minutes} minutes."),
    "end-too-far": ("{minutes}分钟内走不到终点。", "The end cannot be reached within {minutes} minutes."),
}

#: Metres: less is no detour that anybody notices, and a place beside its street is not told apart from it.
UNNOTICED_M: Final = 10.0
BESIDE_M: Final = 50.0


def explained(walk: NextWalk, lang: Lang) -> list[str]:
    """For each errand of the walk, in order, the sentence that says why it is there."""
    at = 0 if lang == "zh" else 1
    return [_sentence(errand, at, FIRST_WAY if i == 0 else WAY) for i, errand in enumerate(walk.errands)]


def summed_up(walk: NextWalk, lang: Lang) -> str:
    """What the whole walk comes to, or why there is none."""
    at = 0 if lang == "zh" else 1
    if walk.nothing is not None:
        return NOTHING[walk.nothing][at].format(minutes=_figure(walk.minutes))
    return WALK[at].format(
        minutes=_figure(walk.minutes),
        km=f"{walk.metres / 1000:.1f}",
        count=len(walk.errands),
        cleared=_figure(walk.cleared),
        owed=_figure(walk.owed),
        percent=round(100 * walk.cleared / walk.owed),
        used=round(walk.used_s / 60),
    )


def _sentence(errand: Errand, lang: int, way: tuple[str, str]) -> str:
    due = DUE_UNDATED if errand.overdue_days is None else DUE
    parts = [
        due[errand.state],
        *([RISK] if errand.risk is not None else []),
        CLEARS,
        way,
        *([STRAIGHT] if errand.straight_m >= BESIDE_M else []),
        ARRIVAL,
        *([ALONG] if errand.is_street else []),
        DETOUR if errand.detour_m > UNNOTICED_M else ON_THE_WAY,
    ]
    text = "".join(part[lang] for part in parts).format(
        days=_figure(abs(errand.overdue_days or 0.0)),
        risk=_figure(errand.risk or 0.0),
        weight=_figure(errand.weight),
        metres=round(errand.metres),
        straight=round(errand.straight_m),
        along=round(errand.along_m),
        detour=round(errand.detour_m),
        arrival=round(errand.arrival_s / 60),
    )
    return f"{_named(errand, lang)}{text}。" if lang == 0 else f"{_named(errand, lang)} {text}."


def _named(errand: Errand, lang: int) -> str:
    """The name, or else the key, with the kind in brackets."""
    name = errand.name or errand.key
    if not errand.kind:
        return f"{name}：" if lang == 0 else f"{name}:"
    return f"{name}（{errand.kind}）：" if lang == 0 else f"{name} ({errand.kind}):"


def _figure(value: float) -> str:
    """The number with at most one decimal."""
    return f"{value:.1f}".removesuffix(".0")
