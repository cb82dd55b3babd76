"""Receipts in words: one sentence a language, for every way to come to an answer."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from data.explain import explain
from gis.assignment import METHODS, REASONS

ZONE = ZoneInfo("Asia/Shanghai")
PATH = [{"level": "community", "code": "V", "name": "老街村"}, {"level": "grid", "code": "A", "name": "老街村第2网格"}]


def receipt(**answer: Any) -> dict[str, Any]:
    told = {"grid": "A", "method": "inside", "reason": None, "path": PATH, "distance_to_edge_m": 67.355} | answer
    return {
        "answer": told,
        "grounds": {"place": {"address": "长岸村四十四组"}},
        "actor": "officer",
        "generation": 3,
        "at": datetime(2026, 5, 3, 0, 0, tzinfo=UTC),
    }


def test_inside_is_told_with_the_distance_the_generation_and_local_time() -> None:
    assert explain(receipt(), ZONE) == {
        "zh": "位置在老街村第2网格 (A)内，距边界67.4米（依据第3版网格，2026-05-03 08:00:00）。",
        "en": "The place lies in 老街村第2网格 (A), 67.4 m from its border (by generation 3 of the grids, at 2026-05-03 08:00:00).",
    }


@pytest.mark.parametrize("method", METHODS)
def test_every_method_has_its_sentence(method: str) -> None:
    told = explain(
        receipt(method=method, grid=None if method == "none" else "A", reason="why" if method == "none" else None), ZONE
    )
    assert told["zh"].endswith("。")
    assert told["en"].endswith(".")


@pytest.mark.parametrize("reason", [reason for reason in REASONS if reason])
def test_every_reason_is_put_in_words(reason: str) -> None:
    told = explain(receipt(grid=None, method="none", reason=reason, path=[]), ZONE)
    assert reason not in told["zh"]
    assert reason not in told["en"]


def test_a_rule_and_a_probability_are_named() -> None:
    told = explain(receipt(rule="drains", probability=0.934), ZONE)
    assert "按规则“drains”，可能性93%" in told["zh"]
    assert "by the rule “drains”, with a probability of 93 %" in told["en"]


def test_braces_in_what_people_wrote_stay_text() -> None:
    told = explain(receipt(method="override", reason="{metres} {0} {"), ZONE)
    assert "{metres} {0} {" in told["zh"]
