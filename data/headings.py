"""Headings: which column of a table feeds a field, by the names that people give their columns."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence


def columns_by_heading(names: Iterable[str], headings: Mapping[str, Sequence[str]]) -> dict[str, str]:
    """Field -> column: the first of the field's headings that a column has, whatever its case; of equal columns the first."""
    folded = {name.strip().lower(): name for name in reversed(list(names))}
    found = {field: next((folded[one] for one in known if one in folded), None) for field, known in headings.items()}
    return {field: column for field, column in found.items() if column is not None}
