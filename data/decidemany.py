"""Decide many: what `data.decide.decide` says of each question, for a whole batch at a fraction of the cost.

Questions that need nothing special (a position, no accuracy, no rule that changes the order of the layers) are answered by arrays;
every other one by `decide` itself, so that there is one definition of an answer.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from data.decide import Decision, Policy, Question, decide
from gis.assignment import Assignment
from gis.jurisdiction import choose
from gis.store.live import State

#: Fewer questions than this are answered one by one.
_FEW = 8


def decide_many(state: State, questions: Sequence[Question], policy: Policy) -> list[Decision]:
    """One Decision a question, in order: equal to `decide(state, question, policy)`.

    Raises what `gis.crs.one_to_storage` raises for a place that lies nowhere.
    """
    if len(questions) < _FEW:
        return [decide(state, question, policy) for question in questions]
    positions = [question.place.lon_lat() for question in questions]
    plain = [
        i
        for i, (question, position) in enumerate(zip(questions, positions, strict=True))
        if position is not None and question.place.accuracy_m is None
    ]
    places = np.array([positions[i] for i in plain], dtype=np.float64).reshape(-1, 2)
    answers = state.index.many(
        places[:, 0],
        places[:, 1],
        tolerance_m=policy.tolerance_m,
        candidates_within_m=policy.within_m(None),
    )
    known = {i: _ruled(answer, questions[i], policy) for i, answer in zip(plain, answers, strict=True)}
    kept = policy.as_grounds()
    decisions = []
    for i, (question, position) in enumerate(zip(questions, positions, strict=True)):
        answer = known.get(i)
        if answer is None:
            decisions.append(decide(state, question, policy))
        else:
            decisions.append(Decision(answer, position, question.as_grounds() | {"policy": kept}))
    return decisions


def _ruled(answer: Assignment, question: Question, policy: Policy) -> Assignment | None:
    """The answer with its rule and backup; None where a rule puts another layer first than the priorities do."""
    rules = policy.document.rules
    if not rules and sum(code is not None for code in answer.layers.values()) < 2:
        return answer
    choice = choose(answer.layers, rules, question.facts, policy.document.zone)
    if choice is None:
        return answer
    if choice.rule is not None:
        return None
    return replace(answer, backup=choice.backup if choice.backup != answer.grid else None)
