"""Categories: a file is its schemes; a bad row refuses all of it; what left stays known."""

from __future__ import annotations

from pathlib import Path

import pytest
import sqlalchemy as sa

from gis.errors import CategoryUnknown
from gis.store.categories import active_categories, active_category
from tests.terminal import Terminal

HEAD = "scheme,code,name,name_en,group,keywords,active\n"
GOOD = HEAD + "demo,06010,暴露垃圾,litter,街面,垃圾，清理,\ndemo,D1,路灯不亮,,,,true\ndemo,D2,旧类,,,,否\n"


@pytest.fixture
def terminal(database: str, monkeypatch: pytest.MonkeyPatch) -> Terminal:
    return Terminal(database, monkeypatch)


def written(folder: Path, text: str) -> Path:
    path = folder / "categories.csv"
    path.write_text(text, encoding="gb18030")
    return path


def codes(engine: sa.Engine) -> list[str]:
    with engine.connect() as connection:
        return [one.code for one in active_categories(connection)]


def test_a_table_becomes_the_active_categories(terminal: Terminal, engine: sa.Engine, tmp_path: Path) -> None:
    path = written(tmp_path, GOOD)
    dry = terminal.run("load", "categories", path)
    assert (dry.code, codes(engine)) == (0, []), dry
    assert "scheme demo: 3 codes, 3 new, 0 changed, 0 left" in dry.out
    assert "dry run" in dry.out
    assert terminal.run("load", "categories", path, "--commit").code == 0
    assert codes(engine) == ["06010", "D1"]
    with engine.connect() as connection:
        one = active_category(connection, "06010")
        assert (one.name_zh, one.name_en, one.group, one.keywords) == ("暴露垃圾", "litter", "街面", ("垃圾", "清理"))
        with pytest.raises(CategoryUnknown):
            active_category(connection, "D2")


def test_what_left_a_scheme_is_inactive_and_other_schemes_stay(
    terminal: Terminal, engine: sa.Engine, tmp_path: Path
) -> None:
    terminal.run("load", "categories", written(tmp_path, GOOD), "--commit")
    terminal.run("load", "categories", written(tmp_path, "code,name\nX1,别的\n"), "--scheme", "other", "--commit")
    ran = terminal.run("load", "categories", written(tmp_path, HEAD + "demo,D1,路灯,,,,\n"), "--commit")
    assert "scheme demo: 1 codes, 0 new, 1 changed, 1 left" in ran.out
    assert codes(engine) == ["D1", "X1"]
    with engine.connect() as connection:
        assert connection.scalar(sa.text("SELECT count(*) FROM category")) == 4


def test_a_code_is_active_in_one_scheme_only(terminal: Terminal, engine: sa.Engine, tmp_path: Path) -> None:
    terminal.run("load", "categories", written(tmp_path, GOOD), "--commit")
    ran = terminal.run("load", "categories", written(tmp_path, "code,name\nD1,x\n"), "--scheme", "other", "--commit")
    assert ran.code == 1
    assert "code D1 is active in scheme demo" in ran.err
    assert codes(engine) == ["06010", "D1"]


@pytest.mark.parametrize(
    ("row", "word"),
    [
        ("demo,,x,,,,", "code"), ("demo,A,,,,,", "name"), (",A,x,,,,", "scheme"), ("demo,A,x,,,,perhaps", "active"),
        (f"demo,{'9' * 65},x,,,,", "code"), ("demo,06010,again,,,,", "twice"),
    ],
)  # fmt: skip
def test_a_bad_row_refuses_the_file(terminal: Terminal, engine: sa.Engine, tmp_path: Path, row: str, word: str) -> None:
    ran = terminal.run("load", "categories", written(tmp_path, GOOD + row + "\n"), "--commit")
    assert ran.code == 1, ran
    assert "4 rows, 1 rejected" in ran.out
    assert "row 4" in ran.out
    assert codes(engine) == []
