"""Choices: a word that must be one of a few, from the terminal and over HTTP."""

from __future__ import annotations

from collections.abc import Iterable

from gis.errors import ParameterInvalid


def one_of(value: str | None, allowed: Iterable[str], place: str) -> None:
    """Returns if the value is one of these, or left out; ParameterInvalid names the place otherwise."""
    known = list(allowed)
    if value is not None and value not in known:
        raise ParameterInvalid(f"{place} is one of {', '.join(known)}, not {value}", place=place)
