"""Categories from a table: what kinds of reports there are, checked row by row."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from data.batch import rejection
from data.headings import columns_by_heading
from data.rowchunk import Rejection, RowChunk
from gis.codes import code_text
from gis.errors import CodeInvalid, FieldMissing, GridError, ParameterInvalid
from gis.store.categories import Category, SchemeChange, replace_scheme
from gis.store.engine import Engine

HEADINGS: dict[str, tuple[str, ...]] = {
    "scheme": ("scheme", "方案", "分类体系"),
    "code": ("code", "编码", "代码", "类别编码"),
    "name_zh": ("name_zh", "name", "名称", "类别", "类别名称"),
    "name_en": ("name_en", "英文名称"),
    "group": ("group", "分组", "大类"),
    "keywords": ("keywords", "关键词"),
    "active": ("active", "启用"),
}
LONGEST = {"scheme": 64, "code": 64, "name_zh": 200, "name_en": 200, "group": 200, "keywords": 2_000}
YES = frozenset({"", "true", "1", "yes", "是", "启用"})
NO = frozenset({"false", "0", "no", "否", "停用"})


@dataclass(frozen=True)
class CategoriesLoaded:
    """What became of a table of categories; in a dry run, what would. `changes` by scheme; empty when rows were rejected."""

    rows: int
    changes: dict[str, SchemeChange]
    rejected: list[Rejection]


def load_categories(
    engine: Engine, columns: Sequence[str], chunks: Iterable[RowChunk], *, scheme: str | None, commit: bool
) -> CategoriesLoaded:
    """Each scheme in the table is what the table says afterwards; nothing is stored when a row is rejected, or without `commit`.

    FieldMissing without a column for code, name or (unless `scheme` is told) scheme.
    """
    found = _columns(columns, scheme)
    taken: dict[tuple[str, str], Category] = {}
    unreadable: list[Rejection] = []
    rejected: list[Rejection] = []
    rows = 0
    for number, row in _rows(chunks, unreadable):
        rows += 1
        try:
            one = _category({name: row.get(column) for name, column in found.items()}, scheme)
            if (one.scheme, one.code) in taken:
                raise CodeInvalid(f"code {one.code} comes twice in scheme {one.scheme}", place="code")
            taken[one.scheme, one.code] = one
        except GridError as error:
            rejected.append(rejection(number, error, row))
    rejected = sorted([*unreadable, *rejected], key=lambda one: one.row)
    changes = {} if rejected else _stored(engine, list(taken.values()), commit=commit)
    return CategoriesLoaded(rows + len(unreadable), changes, rejected)


def _rows(chunks: Iterable[RowChunk], unreadable: list[Rejection]) -> Iterator[tuple[int, dict[str, Any]]]:
    for chunk in chunks:
        unreadable.extend(chunk.rejected)
        yield from zip(chunk.numbers, chunk.rows, strict=True)


def _stored(engine: Engine, categories: list[Category], *, commit: bool) -> dict[str, SchemeChange]:
    changes: dict[str, SchemeChange] = {}
    with engine.connect() as connection:
        transaction = connection.begin()
        for name in dict.fromkeys(one.scheme for one in categories):
            changes[name] = replace_scheme(connection, name, [one for one in categories if one.scheme == name])
        if commit:
            transaction.commit()
    return changes


def _columns(columns: Sequence[str], scheme: str | None) -> dict[str, str]:
    found = columns_by_heading(columns, HEADINGS)
    for name in ("code", "name_zh", *(() if scheme else ("scheme",))):
        if name not in found:
            hint = " (or say --scheme)" if name == "scheme" else ""
            raise FieldMissing(f"the table needs a column {name}{hint}; it has {', '.join(columns)}", place=name)
    return found


def _category(row: Mapping[str, Any], scheme: str | None) -> Category:
    texts = {name: _text(row, name) for name in LONGEST}
    wanted = scheme or texts["scheme"]
    code, name_zh = texts["code"], texts["name_zh"]
    if not wanted or not code or not name_zh:
        missing = "scheme" if not wanted else "code" if not code else "name"
        raise FieldMissing(f"a category needs its {missing}", place=missing)
    words = (texts["keywords"] or "").replace("，", ",").replace("、", ",").replace(";", ",").split(",")
    keywords = tuple(word.strip() for word in words if word.strip())
    return Category(wanted, code, name_zh, texts["name_en"], texts["group"], keywords, _active(row.get("active")))


def _text(row: Mapping[str, Any], name: str) -> str | None:
    value = row.get(name)
    if value is None:
        return None
    text = (code_text(value) if name == "code" else str(value)).strip()
    if len(text) > LONGEST[name] or not text.isprintable():
        raise ParameterInvalid(f"{name} is a line of at most {LONGEST[name]} characters", place=name)
    return text or None


def _active(value: Any) -> bool:
    text = "" if value is None else str(value).strip().lower()
    if text not in YES | NO:
        raise ParameterInvalid("active is true or false", place="active")
    return text in YES
