"""Which way totals may be carried: every kind of lineage that the store keeps says it."""

from __future__ import annotations

import re
from pathlib import Path

from gis.supersede import CARRIES

MIGRATION = Path(__file__).parents[2] / "migrations" / "versions" / "0001_store.sql"


def test_every_kind_of_lineage_that_the_store_knows_says_which_way() -> None:
    (line,) = re.findall(r"kind text NOT NULL CHECK \(kind IN \(([^)]*split[^)]*)\)\)", MIGRATION.read_text("utf-8"))
    assert set(CARRIES) == set(re.findall(r"'(\w+)'", line))
    assert set(CARRIES.values()) == {"forward", "backward", "both", "neither"}
