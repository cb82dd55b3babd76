"""The demo town's roster: 600 members, who works which grid, their shifts of four weeks, their leave.

The first four members of a grid are its core: two of them work each weekend, they are never on leave and their devices never fail,
so that what is planted elsewhere in the data is all that goes wrong.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Final

import numpy as np

from data.town_plants import PatrolGround, Plants
from gis.errors import ParameterInvalid

CORE: Final = 4
MORNING, AFTERNOON, NIGHT = range(3)
_HOURS: Final = {MORNING: time(8, 30), AFTERNOON: time(14, 0), NIGHT: time(21, 30)}
SHIFT_S: Final = 3 * 3_600
_AWAY_S: Final = 3_600  # leave within a shift
_SILENT_DAYS: Final = 9  # so long ago one of the silent grids told its last
_SURNAMES: Final = "赵钱孙李周吴郑王冯陈褚卫蒋沈韩杨朱秦尤许何吕施张孔曹严华金魏陶姜"
_GIVEN: Final = "伟芳娜敏静丽强磊军洋勇艳杰娟涛明超秀霞平刚桂英华建国志红梅兰玉春冬晓"


@dataclass(frozen=True)
class Person:
    """An invented member: where it works (grids by number; `moved` from half of the time on), and how its device behaves.

    `number` counts the members of a grid from 0. `every_s`: seconds from fix to fix.
    """

    code: str
    name: str
    role: str
    number: int
    grids: tuple[int, ...]
    moved: int | None
    works_nights: bool
    every_s: int
    tells_accuracy: bool
    datum: str
    is_silent: bool


@dataclass(frozen=True)
class Turn:
    """A shift of a member (by position) in a grid. `back`: days before today. `silent`: its device tells nothing."""

    member: int
    grid: int
    begin: datetime
    end: datetime
    back: int
    slot: int
    silent: bool


@dataclass(frozen=True)
class Away:
    """Leave of a member."""

    member: int
    begin: datetime
    end: datetime
    kind: str


def hire(ground: PatrolGround, plants: Plants, count: int, rng: np.random.Generator) -> list[Person]:
    """So many members, spread over all grids; ParameterInvalid for fewer than every grid needs."""
    grids = len(ground.grids)
    if count < (CORE + 1) * grids:
        raise ParameterInvalid(f"{grids} grids need {(CORE + 1) * grids} members at least", place="members")
    sizes = [count // grids + (grid < count % grids) for grid in range(grids)]
    people: list[Person] = []
    for grid, size in enumerate(sizes):
        for number in range(size):
            people.append(_person(ground, plants, grid, number, len(people) + 1, rng))
    return people


def _person(
    ground: PatrolGround, plants: Plants, grid: int, number: int, running: int, rng: np.random.Generator
) -> Person:
    """A member of a grid. The fifth has something of its own in grids without a fault: a second grid, nights, a device that is silent."""
    beside = _beside(ground, plants, grid)
    odd = grid % 6 if number == CORE and grid not in plants.special and beside is not None else -1
    grids = (grid, plants.elsewhere) if grid == plants.never else (grid,)
    luck = rng.random(6)
    name = _SURNAMES[int(luck[0] * len(_SURNAMES))] + "".join(_GIVEN[int(one * len(_GIVEN))] for one in luck[1:3])
    return Person(
        f"DEMO-M-{running:03d}",
        name,
        "lead" if number == 0 else "member",
        number,
        (grid, beside) if odd == 0 and beside is not None else grids,
        beside if odd == 1 else None,
        odd == 2,
        30 if luck[3] < 0.06 else 120 if luck[3] > 0.82 and number >= CORE and grid not in plants.special else 60,
        bool(luck[4] < 0.8),
        "gcj02" if odd == 3 else "wgs84",
        odd == 4,
    )


def _beside(ground: PatrolGround, plants: Plants, grid: int) -> int | None:
    """The neighbour without a fault with which a grid has the longest border."""
    others = [g for g in range(ground.general) if g != grid and g not in plants.special]
    if grid >= ground.general:
        return None
    lengths = [ground.grids[g].intersection(ground.grids[grid]).length for g in others]
    best = int(np.argmax(lengths))
    return others[best] if lengths[best] > 0 else None


def shifts_of(people: list[Person], plants: Plants, now: datetime, days: int) -> list[Turn]:
    """The shifts of so many days up to today, and tomorrow's; three hours each, a working day has one of every member."""
    turns = []
    for back in range(days - 1, -2, -1):
        day = now.date() - timedelta(days=back)
        for member, person in enumerate(people):
            slot = _slot(person, day)
            if slot is not None:
                begin = datetime.combine(day, _HOURS[slot], now.tzinfo)
                grid = _grid(person, plants, back, days)
                silent = _is_silent(person, plants, grid, back)
                turns.append(Turn(member, grid, begin, begin + timedelta(seconds=SHIFT_S), back, slot, silent))
    return turns


def _slot(person: Person, day: date) -> int | None:
    """Mornings and afternoons take turns by the week; at weekends two of the core work."""
    week = day.toordinal() // 7
    if day.weekday() > 4:
        works = person.number < CORE and person.number // 2 == week % 2
        return person.number % 2 if works else None
    if person.works_nights:
        return NIGHT
    return (person.number + week) % 2


def _grid(person: Person, plants: Plants, back: int, days: int) -> int:
    """Where a member walks that day: who has a second grid is in it every other day, who moved is in the new one."""
    if person.grids[0] == plants.never:
        return plants.elsewhere
    if person.moved is not None and back < days // 2:
        return person.moved
    return person.grids[back % len(person.grids)]


def _is_silent(person: Person, plants: Plants, grid: int, back: int) -> bool:
    if grid in plants.silent:
        return grid == plants.silent[-1] or back <= _SILENT_DAYS
    return person.is_silent and 3 <= back <= 10


def leave_of(people: list[Person], turns: list[Turn], rng: np.random.Generator) -> list[Away]:
    """Leave of members outside the core: some whole days, and some an hour within a shift."""
    found: list[Away] = []
    held: set[tuple[int, date]] = set()
    by_member: dict[int, list[Turn]] = {}
    for turn in turns:
        if people[turn.member].number >= CORE:
            by_member.setdefault(turn.member, []).append(turn)
    for member, own in by_member.items():
        luck = rng.random(4)
        if luck[0] < 0.22:
            first = own[int(luck[1] * len(own))].begin
            begin = first.replace(hour=0, minute=0)
            lasting = 1 + int(luck[2] * 3)
            found.append(
                Away(member, begin, begin + timedelta(days=lasting), ("年假", "病假", "事假")[int(luck[3] * 3)])
            )
            held |= {(member, (begin + timedelta(days=k)).date()) for k in range(-1, lasting)}
        found += _hours_off(own, held, rng)
    return sorted(found, key=lambda one: (one.begin, one.member))


def _hours_off(own: list[Turn], held: set[tuple[int, date]], rng: np.random.Generator) -> Iterator[Away]:
    luck = rng.random(len(own))
    for turn, chance in zip(own, luck.tolist(), strict=True):
        if chance < 0.012 and (turn.member, turn.begin.date()) not in held:
            begin = turn.begin + timedelta(seconds=SHIFT_S // 3)
            yield Away(turn.member, begin, begin + timedelta(seconds=_AWAY_S), "事假")
