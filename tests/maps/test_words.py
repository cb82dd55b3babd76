"""The message table: both languages everywhere, the same blanks to fill, every key used and every used key there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from maps import words

PAGES = Path(words.__file__).parent / "web" / "pages"


@pytest.mark.parametrize("key", words.MESSAGES)
def test_both_languages_fill_the_same_blanks(key: str) -> None:
    chinese, english = words.MESSAGES[key]
    assert chinese.strip()
    assert english.strip()
    assert set(re.findall(r"\{(\w+)\}", chinese)) == set(re.findall(r"\{(\w+)\}", english))


def test_every_key_of_the_page_is_in_the_table() -> None:
    keys = {
        key for path in PAGES.glob("*.js") for key in re.findall(r"word\(\"([\w.]+)\"[,)]", path.read_text("utf-8"))
    }
    assert len(keys) > 30
    assert keys <= words.MESSAGES.keys()


def test_an_unknown_key_gives_its_last_part() -> None:
    assert words.word("layer.parking", "en") == "parking"


def test_both_says_it_twice() -> None:
    assert words.both("generation", n=7) == "第 7 版 Generation 7"


def test_every_message_is_used() -> None:
    files = [
        *Path(words.__file__).parent.glob("*.py"),
        *PAGES.glob("*.js"),
        Path(words.__file__).parents[1] / "api" / "docs_page.py",
        Path(words.__file__).parents[1] / "data" / "mapview.py",
    ]
    text = "".join(path.read_text("utf-8") for path in files if path.name not in {"words.py"})
    composed = ("layer.", "level.", "kind.", "status.", "method.", "plan.", "certificate.")
    composed += tuple(
        f"coverage.{part}." for part in ("by", "class", "due", "figure", "parameter", "short", "state", "withheld")
    )
    unused = [key for key in words.MESSAGES if not re.search(rf"[\"']{re.escape(key)}[\"']", text)]
    assert [key for key in unused if not key.startswith(composed)] == []
