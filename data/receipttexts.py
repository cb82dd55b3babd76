"""Receipt texts: what `data.decide.decide` says of plain rows, at once in the JSON that a receipt keeps.

Rows that lie in the same grids have most of their answer in common, and it is spelled once a state; the rest is numbers.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import numpy as np
import orjson

from data.decide import Place, Policy, Question
from data.plainrows import PlainRows
from gis.assignment import METHODS, REASONS, Assignment, Candidate
from gis.jurisdiction import Facts, choose
from gis.store.audit import as_json
from gis.store.live import State


@dataclass(frozen=True)
class Decided:
    """Answers to plain rows: the code and uid of the grid (None without one), and the JSON of answer and grounds."""

    grid: list[str | None]
    uid: list[str | None]
    method: list[str]
    reason: list[str | None]
    answer: list[str]
    grounds: list[str]


def numbers(values: Sequence[float | None]) -> list[str]:
    """The JSON of finite numbers; null for None."""
    return orjson.dumps(values).decode()[1:-1].split(",") if len(values) else []


def decided(state: State, rows: PlainRows, policy: Policy, at: datetime) -> Decided:
    """What `decide` says of every row that is received at this instant, by a policy without rules of jurisdiction."""
    index = state.index
    found = index.listed(
        np.array(rows.lon),
        np.array(rows.lat),
        tolerance_m=policy.tolerance_m,
        candidates_within_m=policy.within_m(None),
    )
    spelled = _spelling_of(state)
    answers = found.answers
    kinds = list(
        zip(
            answers.winner.tolist(),
            answers.method.tolist(),
            answers.reason.tolist(),
            *answers.by_layer.tolist(),
            strict=True,
        )
    )
    known = spelled.answers(kinds)
    metres = _distances(found.metres.tolist())
    near = _candidates(spelled, found.place, found.grid, found.distance_m, len(rows))
    return Decided(
        grid=[one.grid for one in known],
        uid=[one.uid for one in known],
        method=[one.method for one in known],
        reason=[one.reason for one in known],
        answer=[
            f"{one.head}{far}{one.middle}{who}{one.tail}" for one, far, who in zip(known, metres, near, strict=True)
        ],
        grounds=_grounds(rows, policy, at),
    )


@dataclass(frozen=True)
class _Spelled:
    """What answers of one kind have in common: the text before the distance, before the candidates and behind them."""

    grid: str | None
    uid: str | None
    method: str
    reason: str | None
    head: str
    middle: str
    tail: str


#: So many kinds of answers are kept a state; where borders cross each other so often, the spelling begins anew.
_MOST_KINDS = 100_000

_Kind = tuple[int, ...]


class _Spelling:
    """What has been spelled of a state's answers: kinds by winner, method, reason and the grid of every layer; grids as candidates.

    Several threads may spell at once: what two of them spell is the same.
    """

    def __init__(self, state: State) -> None:
        self._boundaries, self._index = state.boundaries, state.index
        self._known: dict[_Kind, _Spelled] = {}
        self._heads: dict[int, str] = {}

    def answers(self, kinds: Sequence[_Kind]) -> list[_Spelled]:
        """One for each, by a policy without rules of jurisdiction."""
        known = self._known if len(self._known) < _MOST_KINDS else {}
        for kind in set(kinds):
            if kind not in known:
                known[kind] = self._spelled(*kind)
        self._known = known
        return [known[kind] for kind in kinds]

    def _spelled(self, winner: int, method: int, reason: int, *lowest: int) -> _Spelled:
        boundaries, index = self._boundaries, self._index
        code = index.codes[winner] if winner >= 0 else None
        layers = {layer: index.codes[i] if i >= 0 else None for layer, i in zip(index.layers, lowest, strict=True)}
        choice = choose(layers, (), _ANY, UTC)
        backup = choice.backup if choice is not None and choice.backup != code else None
        why = REASONS[reason] if winner < 0 else None
        path = boundaries.path(code) if code is not None else []
        how = METHODS[method] if winner >= 0 else "none"
        head, middle, tail = _parts(
            Assignment(
                code, how, why, layers, path, _DISTANCE, None, ambiguous=False, candidates=(_NOBODY,),
                generation=index.generation, backup=backup,
            )
        )  # fmt: skip
        uid = boundaries.by_code[code].uid if code is not None else None
        return _Spelled(code, uid, how, why, head, middle, tail)

    def head(self, grid: int) -> str:
        """The JSON of a candidate before its distance."""
        found = self._heads.get(grid)
        if found is None:
            index = self._index
            one = as_json(Candidate(index.codes[grid], index.layers[index.layer_of[grid]], None, 0.0).as_json())
            found = self._heads[grid] = one.removesuffix("0.0}")
        return found


def _spelling_of(state: State) -> _Spelling:
    """The one of this state, made once."""
    found: _Spelling = state.derived.setdefault(_Spelling, _Spelling(state))
    return found


#: Without rules nobody looks at the facts.
_ANY = Facts(datetime.min.replace(tzinfo=UTC))

#: Marks in the text of an answer for what differs from row to row: numbers that no distance is.
_DISTANCE = -4.0e15
_NOBODY = Candidate("", "", None, -5.0e15)


def _parts(answer: Assignment) -> tuple[str, str, str]:
    """The text of an answer before and behind its distance, and behind its candidates."""
    text = as_json(answer.as_json())
    head, rest = text.split(f'"distance_to_edge_m":{numbers([_DISTANCE])[0]},')
    middle, tail = rest.split(as_json(_NOBODY.as_json()))
    return f'{head}"distance_to_edge_m":', f",{middle}", tail


def _distances(metres: list[float]) -> list[str]:
    """Distances to the millimetre; null where there is none."""
    return numbers([None if math.isnan(far) else round(far, 3) for far in metres])


def _candidates(spelled: _Spelling, place: Any, grid: Any, distance_m: Any, rows: int) -> list[str]:
    """The JSON of every row's candidates, without the brackets."""
    heads = {i: spelled.head(i) for i in np.unique(grid).tolist()}
    far = numbers([round(one, 3) for one in distance_m.tolist()])
    each = [f"{heads[i]}{metres}}}" for i, metres in zip(grid.tolist(), far, strict=True)]
    until = np.searchsorted(place, np.arange(rows), side="right").tolist()
    begins = [0, *until]
    return [
        ",".join(each[begin:end]) if end - begin != 1 else each[begin]
        for begin, end in zip(begins, until, strict=False)
    ]


def _grounds(rows: PlainRows, policy: Policy, at: datetime) -> list[str]:
    """The JSON of what the receipt keeps of place, facts and policy."""
    kept = Question(Place(0.0, 0.0, rows.datum.name), Facts(at)).as_grounds() | {"policy": policy.as_grounds()}
    place, facts = kept["place"], kept["facts"]
    crs, instant, rule = (as_json(one) for one in (place["crs"], facts["at"], kept["policy"]))
    quoted = rows.quoted
    each = zip(
        numbers(rows.x), numbers(rows.y), quoted["address"], quoted["category"], quoted["channel"], quoted["asset_owner"],
        strict=True,
    )  # fmt: skip
    return [
        f'{{"place":{{"x":{x},"y":{y},"crs":{crs},"accuracy_m":null,"address":{address}}},"facts":{{"at":{instant},'
        f'"category":{category},"channel":{channel},"owner":{owner}}},"policy":{rule}}}'
        for x, y, address, category, channel, owner in each
    ]
