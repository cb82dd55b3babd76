"""Jurisdiction: who answers first where several layers cover a place, by category, channel, asset owner and time of day.

Without a rule the layer with the smallest priority that covers the place wins. A rule that fits names the layer that answers
first instead, and the one that backs it up; the first fitting rule in the list decides. A rule whose layers do not cover the
place does not fit: no rule can leave a covered place without a grid. Every rule has an author, a reason and an expiry.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, time, tzinfo
from fnmatch import fnmatchcase
from typing import Any

from gis.errors import ParameterInvalid

WEEK = frozenset(range(1, 8))


@dataclass(frozen=True)
class Hours:
    """A window of local time on some ISO weekdays (1 = Monday); one that ends before it begins runs over midnight."""

    begin: time
    end: time
    days: frozenset[int] = WEEK

    def covers(self, local: datetime) -> bool:
        """Whether a local time lies in [begin, end); after midnight the window belongs to the day it began on."""
        clock, day = local.timetz().replace(tzinfo=None), local.isoweekday()
        if self.begin <= self.end:
            return day in self.days and self.begin <= clock < self.end
        yesterday = day - 1 or 7
        return (day in self.days and clock >= self.begin) or (yesterday in self.days and clock < self.end)


@dataclass(frozen=True)
class Facts:
    """What rules look at beside the place: `at` is the instant that decides (reception), with its offset."""

    at: datetime
    category: str | None = None
    channel: str | None = None
    owner: str | None = None


@dataclass(frozen=True)
class Rule:
    """One rule; an empty condition holds for everything, and category patterns may end in `*`."""

    id: str
    first: str
    author: str
    reason: str
    until: datetime | None
    since: datetime | None = None
    backup: str | None = None
    categories: tuple[str, ...] = ()
    channels: tuple[str, ...] = ()
    owners: tuple[str, ...] = ()
    grids: tuple[str, ...] = ()
    hours: Hours | None = None

    def fits(self, facts: Facts, layers: Mapping[str, str | None], zone: tzinfo) -> bool:
        """Whether the rule speaks about these facts at a place whose grids by layer are `layers`."""
        if (self.since and facts.at < self.since) or (self.until and facts.at >= self.until):
            return False
        if self.hours is not None and not self.hours.covers(facts.at.astimezone(zone)):
            return False
        if self.grids and not set(self.grids) & set(layers.values()):
            return False
        named = (
            _named(self.categories, facts.category),
            _named(self.channels, facts.channel),
            _named(self.owners, facts.owner),
        )
        return all(named) and any(layers.get(layer) for layer in (self.first, self.backup) if layer)


def _named(patterns: tuple[str, ...], value: str | None) -> bool:
    return not patterns or (value is not None and any(fnmatchcase(value, pattern) for pattern in patterns))


@dataclass(frozen=True)
class Choice:
    """The layer that answers, who backs it up (a code), and the rule that said so; None when the priorities did."""

    layer: str
    backup: str | None = None
    rule: Rule | None = None


def choose(layers: Mapping[str, str | None], rules: Sequence[Rule], facts: Facts, zone: tzinfo) -> Choice | None:
    """Who answers at a place; `layers` in order of priority, None where no grid of the layer covers it. None: nobody covers it."""
    covering = [layer for layer, code in layers.items() if code is not None]
    if not covering:
        return None
    rule = next((rule for rule in rules if rule.fits(facts, layers, zone)), None)
    order = [layer for layer in ((rule.first, rule.backup) if rule else ()) if layer in covering]
    order += [layer for layer in covering if layer not in order]
    return Choice(order[0], layers[order[1]] if len(order) > 1 else None, rule)


def order_by(choice: Choice | None, layers: tuple[str, ...]) -> tuple[str, ...]:
    """The layers in the order in which they answer: that of the priorities, with the layer that a rule names in front."""
    if choice is None or choice.rule is None:
        return layers
    return (choice.layer, *(layer for layer in layers if layer != choice.layer))


def parse_rules(value: Any, layers: Sequence[str]) -> tuple[Rule, ...]:
    """The rules a JSON list states; ParameterInvalid names the rule and the member at fault."""
    if not isinstance(value, list):
        raise ParameterInvalid("rules is a list", place="rules")
    rules = tuple(_parse_rule(one, i, layers) for i, one in enumerate(value))
    ids = [rule.id for rule in rules]
    if len(set(ids)) != len(ids):
        raise ParameterInvalid("each rule has an id of its own", place="rules")
    return rules


MEMBERS = frozenset(
    {
        "id",
        "first",
        "backup",
        "categories",
        "channels",
        "owners",
        "grids",
        "hours",
        "since",
        "until",
        "author",
        "reason",
    }
)


def _parse_rule(value: Any, i: int, layers: Sequence[str]) -> Rule:
    place = f"rules[{i}]"
    if not isinstance(value, dict) or set(value) - MEMBERS:
        raise ParameterInvalid(f"a rule has the members {', '.join(sorted(MEMBERS))}", place=place)
    for member in ("id", "first", "author", "reason"):
        if not isinstance(value.get(member), str) or not value[member].strip():
            raise ParameterInvalid(f"a rule needs {member}, a text", place=f"{place}.{member}")
    if "until" not in value:
        raise ParameterInvalid("a rule needs until: when it expires, or null for never", place=f"{place}.until")
    for member in ("first", "backup"):
        if value.get(member) not in {None, *layers}:
            raise ParameterInvalid(f"{member} is a layer: {', '.join(layers)}", place=f"{place}.{member}")
    lists = {name: _texts(value.get(name), f"{place}.{name}") for name in ("categories", "channels", "owners", "grids")}
    times = {name: _instant(value.get(name), f"{place}.{name}") for name in ("since", "until")}
    hours = None if value.get("hours") is None else _parse_hours(value["hours"], f"{place}.hours")
    return Rule(
        value["id"], value["first"], value["author"], value["reason"], times["until"], times["since"], value.get("backup"),
        **lists, hours=hours,
    )  # fmt: skip


def _texts(value: Any, place: str) -> tuple[str, ...]:
    if value is None:
        return ()
    if not isinstance(value, list) or not all(isinstance(one, str) and one for one in value):
        raise ParameterInvalid("this is a list of texts", place=place)
    return tuple(value)


def _instant(value: Any, place: str) -> datetime | None:
    if value is None:
        return None
    try:
        instant = datetime.fromisoformat(value)
    except (TypeError, ValueError):
        instant = None
    if instant is None or instant.tzinfo is None:
        raise ParameterInvalid("this is a time with offset, such as 2026-12-31T00:00:00+08:00", place=place)
    return instant


def _parse_hours(value: Any, place: str) -> Hours:
    try:
        begin, end = time.fromisoformat(value["from"]), time.fromisoformat(value["to"])
        days = frozenset(value.get("days", WEEK))
    except (TypeError, KeyError, ValueError, AttributeError):
        raise ParameterInvalid('hours is {"from": "22:00", "to": "06:00", "days": [1, ..., 7]}', place=place) from None
    if not days or not days <= WEEK or begin == end or begin.tzinfo or end.tzinfo:
        raise ParameterInvalid("days are 1 (Monday) to 7; from and to differ and have no offset", place=place)
    return Hours(begin, end, days)
