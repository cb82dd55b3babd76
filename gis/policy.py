"""The policy document: rules of jurisdiction and, by category and channel, what is done in doubt. Versioned as a whole.

    {"timezone": "Asia/Shanghai",
     "rules": [{"id", "first", "backup", "categories", "channels", "owners", "grids", "hours", "since", "until", "author", "reason"}],
     "doubt": [{"categories": ["06*"], "channels": ["hotline"], "policy": "auto" | "joint" | "ask", "threshold": 0.8, "tell": 0.1,
                "prior": "none" | "households"}],
     "redraw": {"max_households": 500, "min_compactness": 0.2, ...}}          what a redrawn grid should be: `gis.redrawrules`

The first entry of `doubt` that fits decides; without one the policy is `auto`, without a prior.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, tzinfo
from fnmatch import fnmatchcase
from typing import Any, Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from gis.errors import ParameterInvalid
from gis.jurisdiction import Facts, Rule, parse_rules
from gis.redrawrules import RuleLimits, parse_limits

POLICIES: Final = ("auto", "joint", "ask")
#: What may be known before a report; the first is nothing.
PRIORS: Final = ("none", "households")


@dataclass(frozen=True)
class InDoubt:
    """What is done when the best probability is below `threshold`; runners-up from `tell` on are named.

    `prior` names what weighs the grids before a place that is known to so many metres is looked at.
    """

    policy: str = "auto"
    threshold: float = 0.8
    tell: float = 0.1
    categories: tuple[str, ...] = ()
    channels: tuple[str, ...] = ()
    prior: str = "none"

    def fits(self, facts: Facts) -> bool:
        """Whether this entry speaks about these facts; an empty condition holds for everything."""
        pairs = ((self.categories, facts.category), (self.channels, facts.channel))
        return all(not patterns or any(fnmatchcase(value or "", p) for p in patterns) for patterns, value in pairs)


@dataclass(frozen=True)
class PolicyDocument:
    """One version of the policy; number 0 is the default that holds before any was published."""

    number: int = 0
    zone: tzinfo = UTC
    rules: tuple[Rule, ...] = ()
    doubt: tuple[InDoubt, ...] = field(default=())
    redraw: RuleLimits = field(default_factory=RuleLimits)

    @property
    def priors(self) -> frozenset[str]:
        """The priors that any entry asks for."""
        return frozenset(entry.prior for entry in self.doubt) - {"none"}

    def in_doubt(self, facts: Facts) -> InDoubt:
        """What is done in doubt for these facts."""
        return next((entry for entry in self.doubt if entry.fits(facts)), InDoubt())


def parse_policy(value: Any, layers: Sequence[str], number: int = 0) -> PolicyDocument:
    """The policy a JSON object states; ParameterInvalid names the member at fault."""
    if not isinstance(value, dict) or set(value) - {"timezone", "rules", "doubt", "redraw"}:
        raise ParameterInvalid("a policy has the members timezone, rules, doubt, redraw", place="policy")
    doubt = value.get("doubt", [])
    if not isinstance(doubt, list):
        raise ParameterInvalid("doubt is a list", place="doubt")
    return PolicyDocument(
        number,
        _zone(value.get("timezone", "Asia/Shanghai")),
        parse_rules(value.get("rules", []), layers),
        tuple(_in_doubt(entry, f"doubt[{i}]") for i, entry in enumerate(doubt)),
        parse_limits(value.get("redraw", {})),
    )


def _zone(name: Any) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, TypeError, OSError):
        raise ParameterInvalid("timezone is a name such as Asia/Shanghai", place="timezone") from None


def _in_doubt(value: Any, place: str) -> InDoubt:
    members = {"policy", "threshold", "tell", "categories", "channels", "prior"}
    if not isinstance(value, dict) or set(value) - members:
        raise ParameterInvalid(f"an entry of doubt has the members {', '.join(sorted(members))}", place=place)
    if value.get("policy") not in POLICIES:
        raise ParameterInvalid(f"policy is one of {', '.join(POLICIES)}", place=f"{place}.policy")
    if value.get("prior", "none") not in PRIORS:
        raise ParameterInvalid(f"prior is one of {', '.join(PRIORS)}", place=f"{place}.prior")
    shares = {name: value.get(name, getattr(InDoubt, name)) for name in ("threshold", "tell")}
    for name, share in shares.items():
        if isinstance(share, bool) or not isinstance(share, int | float) or not 0 <= share <= 1:
            raise ParameterInvalid(f"{name} lies between 0 and 1", place=f"{place}.{name}")
    lists = {name: value.get(name, []) for name in ("categories", "channels")}
    for name, patterns in lists.items():
        if not isinstance(patterns, list) or not all(isinstance(one, str) and one for one in patterns):
            raise ParameterInvalid("this is a list of texts", place=f"{place}.{name}")
    return InDoubt(
        value["policy"],
        shares["threshold"],
        shares["tell"],
        tuple(lists["categories"]),
        tuple(lists["channels"]),
        value.get("prior", "none"),
    )
