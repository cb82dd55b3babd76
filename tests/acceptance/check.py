"""One line of the acceptance table."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol


@dataclass(frozen=True)
class Check:
    """A stated truth about real data, what was found, and whether it holds."""

    name: str
    expected: str
    got: str
    ok: bool


class Section(Protocol):
    """A module `accept_<noun>.py`: `run` yields its checks; `shared` is ../shared/data, `work` an empty folder of its own."""

    def run(self, shared: Path, work: Path) -> Iterable[Check]: ...


def equal(name: str, expected: object, got: object) -> Check:
    """A check that holds when both sides are equal."""
    return Check(name, str(expected), str(got), expected == got)


def at_most(name: str, limit: float, got: float, unit: str = "") -> Check:
    """A check that holds when the figure does not pass the limit (NaN never holds)."""
    return Check(name, f"<= {limit:g} {unit}".strip(), f"{got:.6g} {unit}".strip(), got <= limit)


def at_least(name: str, limit: float, got: float, unit: str = "") -> Check:
    """A check that holds when the figure reaches the limit (NaN never holds)."""
    return Check(name, f">= {limit:g} {unit}".strip(), f"{got:.6g} {unit}".strip(), got >= limit)
