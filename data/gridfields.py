"""Which column of a grids file holds the code, the name and the parent, and their values as text."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from gis.codes import code_text
from gis.errors import CodeInvalid, FieldMissing

#: Names of code columns, surer ones first; compared without case, blanks and underscores.
_CODES: Final = (
    (
        "code",
        "gridcode",
        "gridid",
        "gridno",
        "网格编码",
        "网格代码",
        "网格编号",
        "编码",
        "代码",
        "wgbm",
        "wgdm",
        "wgbh",
    ),
    ("id", "uid", "gid", "bm", "dm", "bh", "编号", "标识", "标识码"),
)
_CODES_KML: Final = (*_CODES, ("name",))
_NAMES: Final = ("name", "gridname", "网格名称", "名称", "网格名", "wgmc", "mc", "label", "title")
_PARENTS: Final = (
    "parent", "parentcode", "parentid", "上级编码", "上级网格", "上级", "所属社区编码", "所属社区", "communitycode", "社区编码",
)  # fmt: skip
_ROWS_SHOWN: Final = 5


def code_column(frame: Any, wanted: str | None, *, kml: bool = False) -> str | None:
    """The code column: the one that is named, else the one whose name says so; None where no name does.

    Raises FieldMissing when the named one is absent (the columns are listed) or several names say so.
    """
    if wanted is not None:
        return _named(frame, wanted, "--code-field")
    for tier in _CODES_KML if kml else _CODES:
        found = [column for column in columns_of(frame) if _plain(column) in tier and frame[column].notna().any()]
        if len(found) > 1:
            raise FieldMissing(
                f"several columns could hold the code: {', '.join(found)}; say which with --code-field", place=found[0]
            )
        if found:
            return found[0]
    return None


def optional_column(frame: Any, wanted: str | None, role: str) -> str | None:
    """The `name` or `parent` column: the one that is named, else the first whose name says so, else None."""
    if wanted is not None:
        return _named(frame, wanted, f"--{role}-field")
    known = _NAMES if role == "name" else _PARENTS
    by_name = {_plain(column): column for column in reversed(columns_of(frame))}
    return next((by_name[name] for name in known if name in by_name), None)


def columns_of(frame: Any) -> list[str]:
    """The columns apart from the geometry."""
    return [str(column) for column in frame.columns if column != frame.geometry.name]


def no_code_column(frame: Any) -> FieldMissing:
    """The error that says which columns there are to choose from."""
    held = ", ".join(columns_of(frame)) or "none at all"
    return FieldMissing(
        f"no column looks like a code; say which with --code-field (columns: {held})", place="--code-field"
    )


def codes_in(values: Sequence[object]) -> list[str]:
    """Every value as a code, text as it is and whole numbers lossless; raises CodeInvalid naming the rows (1-based) that have none."""
    codes: list[str] = []
    faults: list[tuple[int, CodeInvalid]] = []
    for row, value in enumerate(values, start=1):
        try:
            codes.append(_code(value))
        except CodeInvalid as error:
            faults.append((row, error))
    if faults:
        shown = "; ".join(f"row {row}: {error.message}" for row, error in faults[:_ROWS_SHOWN])
        more = f" (and {len(faults) - _ROWS_SHOWN} more rows)" if len(faults) > _ROWS_SHOWN else ""
        raise CodeInvalid(shown + more, place=f"row {faults[0][0]}", rows=[row for row, _ in faults])
    return codes


def _code(value: object) -> str:
    if value is None or (isinstance(value, str) and not value.strip()):
        raise CodeInvalid("a grid has no code: the cell is empty")
    return code_text(value.strip() if isinstance(value, str) else value)


def texts_in(values: Sequence[object]) -> list[str]:
    """Every value as a text, empty for what is missing; numbers without a trailing .0."""
    return [_text(value) for value in values]


def parents_in(values: Sequence[object]) -> list[str | None]:
    """Every value as a parent's code, None where the cell is empty."""
    return [None if _text(value) == "" else _code(value) for value in values]


def _text(value: object) -> str:
    if value is None or value != value:  # NaN
        return ""
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value).strip()


def _named(frame: Any, wanted: str, option: str) -> str:
    held = columns_of(frame)
    exact = [column for column in held if column == wanted] or [c for c in held if _plain(c) == _plain(wanted)]
    if len(exact) == 1:
        return exact[0]
    raise FieldMissing(f"no column {wanted} (columns: {', '.join(held) or 'none'})", place=option)


def _plain(column: str) -> str:
    return "".join(letter for letter in column.lower() if letter not in "_- ")
