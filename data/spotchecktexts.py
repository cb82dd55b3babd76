"""Why a grid is on the list of a spot check, in one Chinese and one English sentence."""

from __future__ import annotations

from math import isnan
from typing import Final

from gis.spotcheck import RISKS, Frame, GridRisks, Parts, Sample

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
    ("未巡查+{part:.2f}（{days:.1f}天前）", "unseen +{part:.2f} (last {days:.1f} days ago)"),
    ("未巡查+{part:.2f}（从未或不明）", "unseen +{part:.2f} (never, or unknown)"),
)
EVENTS: Final = (
    "事件+{part:.2f}（未结{open}件，近期已结{recent}件）",
    "events +{part:.2f} ({open} open, {recent} closed lately)",
)
RESTED: Final = ("×{part:.2f}（{days:.0f}天前抽查过）", " x {part:.2f} (spot-checked {days:.0f} days ago)")
WEIGHT: Final = ("权重{weight:.3f} = (1{added}){rested}", "weight {weight:.3f} = (1{added}){rested}")
CHANCE: Final = ("入样概率{chance:.1f}%", "probability {chance:.1f} %")
CERTAIN: Final = ("必抽", "certain to be drawn")


def reasons(risks: GridRisks, frame: Frame, parts: Parts, drawn: Sample) -> list[tuple[str, str]]:
    """(Chinese, English) for each grid drawn, in the order of going: its stratum, what its weight is made of, its probability."""
    strata = {one.stratum: (one.grids, one.drawn) for one in drawn.strata}
    told = []
    for row in drawn.rows.tolist():
        zh, en = (
            (
                _stratum(risks, frame, strata, row, lang),
                _weight(risks, frame, parts, row, lang),
                _chance(drawn, row, lang),
            )
            for lang in (0, 1)
        )
        told.append(("；".join(zh) + "。", "; ".join(en) + "."))
    return told


def _stratum(risks: GridRisks, frame: Frame, strata: dict[str, tuple[int, int]], row: int, lang: int) -> str:
    label = frame.stratum[row].removeprefix(risks.community[row]).strip()
    classes = ("、", " or ")[lang].join(CLASSES[risk][lang] for risk in label.split("+") if risk in RISKS)
    grids, count = strata[frame.stratum[row]]
    return STRATUM[lang].format(
        where=risks.community[row] or NO_COMMUNITY[lang], classes=classes, grids=grids, drawn=count
    )


def _weight(risks: GridRisks, frame: Frame, parts: Parts, row: int, lang: int) -> str:
    count = {"open": risks.open_events[row], "recent": risks.recent_events[row]}
    added = [EVENTS[lang].format(part=parts.events[row], **count)]
    if risks.unseen_days is not None:
        days = float(risks.unseen_days[row])
        added.insert(0, UNSEEN[isnan(days)][lang].format(part=parts.unseen[row], days=days))
    since = float(risks.checked_days[row])
    rested = "" if isnan(since) else RESTED[lang].format(part=parts.rested[row], days=since)
    return WEIGHT[lang].format(
        weight=frame.weight[row] / 1000, added="".join(f" {one}" for one in added), rested=rested
    )


def _chance(drawn: Sample, row: int, lang: int) -> str:
    chance = float(drawn.probability[row])
    return CERTAIN[lang] if chance >= 1.0 else CHANCE[lang].format(chance=min(100 * chance, 99.9))
