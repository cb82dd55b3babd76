"""Every stop of a walk says why in one Chinese and one English sentence."""

from __future__ import annotations

from dataclasses import replace

import pytest

from data.nextwalktexts import explained, summed_up
from gis.duetimes import DUE_STATES
from gis.errands import NOTHING, Errand, NextWalk
from maps.words import Lang

PLACE = Errand(
    debt=0, key="p1", name="老桥", kind="桥梁", grid="G7", is_street=False, lon=120.0, lat=31.0, arrival_s=421.0, metres=480.4,
    straight_m=12.0, along_m=0.0, service_s=300.0, weight=15.6, overdue_days=5.2, risk=3.0, state="overdue", detour_m=120.0,
)  # fmt: skip
STREET = replace(
    PLACE, key="s9", name=None, kind=None, is_street=True, arrival_s=900.0, metres=80.0, straight_m=60.0, along_m=240.0,
    weight=4.0, overdue_days=None, risk=None, state="unknown", detour_m=0.0,
)  # fmt: skip
WALK = NextWalk((PLACE, STREET), 60.0, 3421.0, 4130.0, 0.0, 19.6, 98.0, 9, 5, None)


def test_each_stop_has_one_sentence_in_the_order_of_the_walk() -> None:
    assert explained(WALK, "zh") == [
        "老桥（桥梁）：已逾期5.2天，风险3，可消欠账15.6；从出发处走480米，出发后7分钟到，为此多走120米。",
        "s9：是否逾期不明，可消欠账4；从上一站走80米（其中60米没有道路），出发后15分钟到，沿路走完240米，顺路。",
    ]
    assert explained(WALK, "en") == [
        (
            "老桥 (桥梁): 5.2 days overdue, of risk 3: clears 15.6; 480 m from the start, reached after 7 minutes; "
            "the walk is 120 m longer for it."
        ),
        (
            "s9: overdue as far as anybody knows: clears 4; 80 m from the stop before (60 m of them along no street), "
            "reached after 15 minutes, then 240 m along all of it; it lies on the way."
        ),
    ]


@pytest.mark.parametrize("lang", ["zh", "en"])
@pytest.mark.parametrize("days", [None, 2.0, -2.0])
def test_every_state_is_told_apart_with_and_without_days(lang: Lang, days: float | None) -> None:
    stops = tuple(replace(PLACE, state=state, overdue_days=days) for state in DUE_STATES)
    told = explained(replace(WALK, errands=(PLACE, *stops)), lang)[1:]
    assert len(set(told)) == len(DUE_STATES)
    assert not any(mark in sentence for sentence in told for mark in "{}-")


def test_the_whole_walk_is_summed_up() -> None:
    assert summed_up(WALK, "zh") == "60分钟内走4.1公里、办2件，可消欠账19.6，占全部98的20%，用时57分钟。"
    assert summed_up(WALK, "en") == (
        "In 60 minutes 4.1 km and 2 errands, which clears 19.6 of 98 (20 %) and takes 57 minutes."
    )


def test_why_there_is_no_walk_is_told() -> None:
    none = replace(WALK, errands=(), nothing="end-too-far")
    assert summed_up(none, "zh") == "60分钟内走不到终点。"
    assert summed_up(none, "en") == "The end cannot be reached within 60 minutes."
    assert len({summed_up(replace(none, nothing=why), "en") for why in NOTHING}) == len(NOTHING)
    assert explained(none, "en") == []
