"""Task: one operation being carried out on a drawing: who is meant, what new grids are called, what came of it."""

from __future__ import annotations

from collections.abc import Callable, Container, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from gis.codes import PROFILES, External
from gis.drawing import OVER_SEVERAL, Drawing
from gis.errors import CodeInvalid, CodeTaken, GridMissing, GridsBelow
from gis.operations import Operation
from gis.partition import Unit
from gis.supersede import Lineage


@dataclass(frozen=True)
class Outcome:
    """What completes the operation, and the lineage it makes."""

    members: dict[str, Any] = field(default_factory=dict)
    lineage: tuple[Lineage, ...] = ()


@dataclass(frozen=True)
class Task:
    """An operation, the drawing it changes, and where new uids and codes come from."""

    drawing: Drawing
    operation: Operation
    new_uid: Callable[[], str]
    voided: Container[str] = frozenset()
    profile: str | None = None

    @property
    def body(self) -> dict[str, Any]:
        """The members of the operation."""
        return self.operation.body

    @property
    def across(self) -> bool:
        """Whether the border between parents may move."""
        return bool(self.body.get("across_parent", False))

    def grid(self, member: str) -> Unit:
        """The grid that a member names; GridMissing when there is none."""
        return self.drawing.unit(self.body[member], member)

    def grids(self, member: str = "grids") -> list[Unit]:
        """The grids that a list names, all of one layer and level, each once."""
        found = [self.drawing.unit(name, f"{member}[{i}]") for i, name in enumerate(self.body[member])]
        for i, unit in enumerate(found[1:], start=1):
            self.same_level(found[0], unit, f"{member}[{i}]")
        return found

    def same_level(self, one: Unit, other: Unit, place: str) -> None:
        """GridMissing when two grids are not of one layer and level, or are the same."""
        if one.uid == other.uid:
            raise GridMissing(f"{other.code} stands twice: name another grid", place=place, grid=other.code)
        if (one.layer, one.level) != (other.layer, other.level):
            raise GridMissing(
                f"{other.code} is of layer {other.layer}, level {other.level}; {one.code} is of {one.layer}, {one.level}",
                place=place,
                grid=other.code,
            )

    def refuse_children(self, units: Sequence[Unit], place: str) -> None:
        """GridsBelow when one of these has grids below it in its own layer: their borders decide, not a line over them."""
        below = [c for c in self.drawing.children(u.uid for u in units) if c.layer == "general"]
        if below:
            raise GridsBelow(
                f"{len(below)} grids lie below, such as {below[0].code}: a {units[0].level} gets its border from them, "
                "so give grids another parent (reparent) or move their borders",
                place=place,
                grid=below[0].code,
            )

    @cached_property
    def _used(self) -> set[str]:
        return self.drawing.codes

    def new_code(self, given: str | None, kind: Unit, parent: str | None, place: str) -> str:
        """The code given, if it is free, else the profile's next under the parent; it is in use from now on.

        Raises CodeTaken for a code in use or void, CodeInvalid where the profile gives none.
        """
        code = given or self._proposed(kind, parent)
        if code in self._used:
            raise CodeTaken(f"code {code} is in use: give another", place=place, grid=code)
        if code in self.voided:
            raise CodeTaken(f"code {code} is void and never used again: give another", place=place, grid=code)
        PROFILES[self.profile or ("cn15" if self._digits(kind) == {15} else "plain")].validate(code)
        self._used.add(code)
        return code

    def _proposed(self, kind: Unit, parent: str | None) -> str:
        profile = PROFILES[self._profile(kind, parent)]
        if parent is None and not isinstance(profile, External):
            raise CodeInvalid("a grid without a parent gets no code by itself: give one", place="code")
        code = profile.next(parent or kind.level, self._used)
        passed = set(self._used)
        while code in self.voided:
            passed.add(code)
            code = profile.next(parent or kind.level, passed)
        return code

    def _profile(self, kind: Unit, parent: str | None) -> str:
        """The profile asked for, else cn15 where all codes of the layer and level have 15 digits and the parent's 12, else external."""
        below = parent is not None and len(parent) == 12 and parent.isascii() and parent.isdigit()
        return self.profile or ("cn15" if below and self._digits(kind) <= {15} else "external")

    def _digits(self, kind: Unit) -> set[int]:
        """How many digits the codes of a layer and level have; 0 for those with other characters."""
        held = self.drawing.before.partition(kind.layer, kind.level)
        codes = held.codes if held is not None else ()
        return {len(code) if code.isascii() and code.isdigit() else 0 for code in codes}

    def uid(self, given: str | None) -> str:
        """The uid given by a completed operation, else a new one."""
        uid = given or self.new_uid()
        if self.drawing.is_there(uid) or uid in self.drawing.before.units:
            raise CodeTaken(f"the uid {uid} is in use", place="uid")
        return uid


def follows_parents(unit: Unit) -> bool:
    """Whether a grid lies in one parent, whose border is its own where they meet; overlays lie where they lie."""
    return unit.layer not in OVER_SEVERAL
