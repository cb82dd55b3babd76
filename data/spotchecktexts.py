"""Why a grid is on the list of a spot check, in one Chinese and one English sentence."""

from __future__ import annotations

from collections.abc import Mapping
from math import isnan
from typing import Final

from gis.spotcheck import Frame, GridRisks, Parts, Sample

#: Class of risk -> (Chinese, English).
CLASSES: Final[dict[str, tuple[str, str]]] = {
    "unseen": ("逾期未巡查或情况不明", "not seen in time, or unknown"),
    "busy": ("事件多", "many events"),
    "unchecked": ("久未抽查", "no spot check for long"),
    "calm": ("一般", "nothing in particular"),
}
NO_COMMUNITY: Final = ("无上级", "no community")
STRATUM: Final = (
    "分层：{where}，{classes}，{grids}个网格抽{drawn}个",
    "stratum {where}, {classes}: {drawn} of {grids} grids",
)
UNSEEN: Final = (
    ("未巡查{part:.2f}（{days:.1f}天前）", "{part:.2f} unseen (last {days:.1f} days ago)"),
    ("未巡查{part:.2f}（从未或不明）", "{part:.2f} unseen (never, or unknown)"),
)
EVENTS: Final = (
    "事件{part:.2f}（未结{open}件，近期已结{recent}件）",
    "{part:.2f} events ({open} open, {recent} closed lately)",
)
WEIGHT: Final = ("权重{weight:.3f} = {sum}", "weight {weight:.3f} = {sum}")
RESTED: Final = (
    "权重{weight:.3f} = ({sum}) × {part:.2f}（{days:.0f}天前抽查过）",
    "weight {weight:.3f} = ({sum}) x {part:.2f} (spot-checked {days:.0f} days ago)",
)
CHANCE: Final = ("入样概率{chance:.1f}%", "probability {chance:.1f} %")
CERTAIN: Final = ("必抽", "certain to be drawn")


def reasons(
    risks: GridRisks, frame: Frame, parts: Parts, drawn: Sample, names: Mapping[str, str]
) -> list[tuple[str, str]]:
    """(Chinese, English) for each grid drawn, in the order of going: its stratum, what its weight is made of, its probability.

    `names` calls communities by name.
    """
    strata = {one.stratum: (one.grids, one.drawn) for one in drawn.strata}
    told = []
    for row in drawn.rows.tolist():
        community, count = risks.community[row], strata[frame.stratum[row]]
        where = names.get(community) or community
        label = frame.stratum[row].removeprefix(community).strip()
        zh, en = (
            (_stratum(where, label, count, lang), _weight(risks, frame, parts, row, lang), _chance(drawn, row, lang))
            for lang in (0, 1)
        )
        told.append(("；".join(zh) + "。", "; ".join(en) + "."))
    return told


def _stratum(where: str, label: str, count: tuple[int, int], lang: int) -> str:
    classes = ("、", " or ")[lang].join(CLASSES[risk][lang] for risk in label.split("+"))
    grids, drawn = count
    return STRATUM[lang].format(where=where or NO_COMMUNITY[lang], classes=classes, grids=grids, drawn=drawn)


def _weight(risks: GridRisks, frame: Frame, parts: Parts, row: int, lang: int) -> str:
    count = {"open": risks.open_events[row], "recent": risks.recent_events[row]}
    added = [EVENTS[lang].format(part=parts.events[row], **count)]
    if risks.unseen_days is not None:
        days = float(risks.unseen_days[row])
        added.insert(0, UNSEEN[isnan(days)][lang].format(part=parts.unseen[row], days=days))
    since, whole = float(risks.checked_days[row]), " + ".join(["1", *added])
    told = {"weight": frame.weight[row] / 1000, "sum": whole}
    if isnan(since):
        return WEIGHT[lang].format(**told)
    return RESTED[lang].format(**told, part=parts.rested[row], days=since)


def _chance(drawn: Sample, row: int, lang: int) -> str:
    chance = float(drawn.probability[row])
    return CERTAIN[lang] if chance >= 1.0 else CHANCE[lang].format(chance=min(100 * chance, 99.9))
