"""Categories: what kinds of reports there are, a scheme each; what left a scheme stays known, inactive."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from gis.errors import CategoryUnknown, StateConflict


@dataclass(frozen=True)
class Category:
    """One kind of report; `group` gathers kinds in lists, `keywords` are further words for it."""

    scheme: str
    code: str
    name_zh: str
    name_en: str | None = None
    group: str | None = None
    keywords: tuple[str, ...] = ()
    active: bool = True


@dataclass(frozen=True)
class SchemeChange:
    """What loading a scheme does: how many codes it has then, are new, changed, or no longer active."""

    codes: int
    new: int
    changed: int
    left: int


OTHERS = sa.text("""
    SELECT scheme, code FROM category WHERE active AND scheme <> :scheme AND code = ANY(:codes) ORDER BY code LIMIT 1
""")
UPSERT = sa.text("""
    INSERT INTO category (scheme, code, name_zh, name_en, "group", keywords, active)
    VALUES (:scheme, :code, :name_zh, :name_en, :group, :keywords, :active)
    ON CONFLICT (scheme, code) DO UPDATE SET name_zh = excluded.name_zh, name_en = excluded.name_en,
        "group" = excluded."group", keywords = excluded.keywords, active = excluded.active
""")
LEFT = sa.text("UPDATE category SET active = false WHERE scheme = :scheme AND active AND NOT code = ANY(:codes)")


def replace_scheme(connection: sa.Connection, scheme: str, categories: Sequence[Category]) -> SchemeChange:
    """The scheme is these categories afterwards; others of it are inactive. StateConflict for a code active in another scheme."""
    known = {one.code: one for one in _read(connection, scheme)}
    active = [one.code for one in categories if one.active]
    taken = connection.execute(OTHERS, {"scheme": scheme, "codes": active}).first()
    if taken is not None:
        raise StateConflict(
            f"code {taken.code} is active in scheme {taken.scheme}: load that scheme without it first", place=taken.code
        )
    codes = [one.code for one in categories]
    left = connection.execute(LEFT, {"scheme": scheme, "codes": codes}).rowcount
    if categories:
        connection.execute(UPSERT, [vars(one) | {"keywords": list(one.keywords)} for one in categories])
    new = sum(one.code not in known for one in categories)
    changed = sum(one.code in known and known[one.code] != one for one in categories)
    return SchemeChange(len(codes), new, changed, left)


COLUMNS = 'SELECT scheme, code, name_zh, name_en, "group", keywords, active FROM category'


def _categories(rows: Any) -> list[Category]:
    return [Category(**dict(row._mapping) | {"keywords": tuple(row.keywords)}) for row in rows]


def _read(connection: sa.Connection, scheme: str) -> list[Category]:
    return _categories(connection.execute(sa.text(COLUMNS + " WHERE scheme = :scheme"), {"scheme": scheme}))


def active_categories(connection: sa.Connection) -> list[Category]:
    """All active ones, by scheme, group and code."""
    return _categories(connection.execute(sa.text(COLUMNS + ' WHERE active ORDER BY scheme, "group" NULLS LAST, code')))


def active_category(connection: sa.Connection, code: str) -> Category:
    """The active category with this code; CategoryUnknown when there is none."""
    found = _categories(connection.execute(sa.text(COLUMNS + " WHERE active AND code = :code"), {"code": code}))
    if not found:
        raise CategoryUnknown(f"no service has the code {code}", place="service_code")
    return found[0]
