"""Explain: a receipt in one Chinese and one English sentence, for the person who has to answer "why us?"."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import tzinfo
from typing import Any, Final

#: What happened -> (Chinese, English); the blanks are those of `_values`.
SENTENCES: Final[dict[str, tuple[str, str]]] = {
    "inside": ("位置在{grid}内，距边界{metres}米", "the place lies in {grid}, {metres} m from its border"),
    "edge": (
        "位置正好压在{grid}的边界上，共边时归编码最小者",
        "the place lies exactly on the border of {grid}; on a shared border the lowest code has it",
    ),
    "nearest": (
        "位置不在任何网格内，最近的是{grid}，相距{metres}米",
        "no grid covers the place; the nearest is {grid}, {metres} m away",
    ),
    "address": ("按地址“{address}”归属{grid}", "by the address “{address}” it belongs to {grid}"),
    "override": ("由{actor}指定归属{grid}，理由：{reason}", "{actor} named {grid}, for this reason: {reason}"),
    "none": ("未归属：{why}", "it has no grid: {why}"),
}
WHY: Final[dict[str, tuple[str, str]]] = {
    "outside-all-grids": ("位置在所有网格之外", "the place lies outside all grids"),
    "beyond-tolerance": (
        "位置在所有网格之外，且超出就近归属的距离",
        "the place lies outside all grids, farther than the tolerance",
    ),
    "no-boundaries": ("当时没有生效的网格", "no grids were in force"),
    "no-position": ("没有可用的坐标", "it has no usable position"),
    "address-only": ("只有地址、没有坐标", "it has an address and no position"),
    "address-empty": ("地址里没有可查的内容", "the address says nothing that could be looked for"),
    "address-unknown": ("地名库里查不到这个地址", "the gazetteer does not know the address"),
    "address-ambiguous": (
        "地址对应多处地点，需人工选定",
        "the address may mean several places; a person has to say which",
    ),
    "address-vague": (
        "地址只说到大致范围，需人工确认",
        "the address names only a wider area; a person has to say where",
    ),
    "address-outside": ("地址所指的地点在所有网格之外", "the place that the address means lies outside all grids"),
    "ambiguous": ("定位误差较大，需人工确认", "the position is too unsure; a person has to say"),
}
RULE: Final = ("，按规则“{rule}”", ", by the rule “{rule}”")
PROBABILITY: Final = ("，可能性{percent}%", ", with a probability of {percent} %")
PRIOR: Final[dict[str, tuple[str, str]]] = {
    "households": ("，已计入住户分布", ", counting where households live"),
}
SINCE: Final = ("（依据第{generation}版网格，{at}）", " (by generation {generation} of the grids, at {at})")


def explain(receipt: Mapping[str, Any], zone: tzinfo) -> dict[str, str]:
    """`{"zh", "en"}`: how this receipt came to its answer; times in `zone`."""
    return {lang: _sentence(receipt, zone, i) for i, lang in enumerate(("zh", "en"))}


def _sentence(receipt: Mapping[str, Any], zone: tzinfo, lang: int) -> str:
    answer = receipt["answer"]
    values = _values(receipt, zone, lang)
    method = answer["method"] if answer["grid"] is not None else "none"
    parts = [SENTENCES[method][lang]]
    if answer.get("rule"):
        parts.append(RULE[lang])
    if answer.get("probability") is not None:
        parts.append(PROBABILITY[lang])
        parts.extend([PRIOR[prior][lang]] if (prior := _prior(receipt)) in PRIOR else [])
    text = "".join(part.format(**values) for part in (*parts, SINCE[lang]))
    return f"{text}。" if lang == 0 else f"{text[0].upper()}{text[1:]}."


def _prior(receipt: Mapping[str, Any]) -> str | None:
    """The name of the prior that weighed the grids."""
    named: str | None = receipt["grounds"].get("doubt", {}).get("prior")
    return named


def _values(receipt: Mapping[str, Any], zone: tzinfo, lang: int) -> dict[str, Any]:
    answer = receipt["answer"]
    metres, probability = answer["distance_to_edge_m"], answer.get("probability")
    why = WHY.get(answer["reason"] or "", (answer["reason"],) * 2)[lang]
    return {
        "grid": _named(answer),
        "metres": "?" if metres is None else f"{metres:.1f}",
        "address": (receipt["grounds"]["place"].get("address") or "")[:80],
        "actor": receipt["actor"],
        "reason": answer["reason"],
        "why": why,
        "rule": answer.get("rule"),
        "percent": None if probability is None else round(100 * probability),
        "generation": receipt["generation"],
        "at": receipt["at"].astimezone(zone).strftime("%Y-%m-%d %H:%M:%S"),
    }


def _named(answer: Mapping[str, Any]) -> str | None:
    """The grid's name with its code."""
    code: str | None = answer["grid"]
    name = answer["path"][-1]["name"] if answer["path"] else code
    return code if name == code else f"{name} ({code})"
