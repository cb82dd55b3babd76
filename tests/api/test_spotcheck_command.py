"""`gridbeat spotcheck`: a dry run stores nothing and says how to repeat it; --commit stores; the list goes to a file."""

from __future__ import annotations

import csv
import re
from pathlib import Path

import pytest

from tests.asking import Asking
from tests.terminal import Terminal


@pytest.fixture
def terminal(alone: Asking, monkeypatch: pytest.MonkeyPatch) -> Terminal:
    return Terminal(alone.url, monkeypatch)


def stored(asking: Asking) -> int:
    return int(asking.query("SELECT count(*) FROM spotcheck")[0][0])


def test_a_dry_run_stores_nothing_and_its_repetition_with_commit_draws_the_same(
    alone: Asking, terminal: Terminal
) -> None:
    dry = terminal.run("spotcheck", "-n", 2)
    assert dry.code == 0, dry.err
    assert "2 of 3 grids, seed " in dry.out
    assert stored(alone) == 0
    again = re.findall(r"--seed \S+ --at \S+ --commit", dry.out)[0].split()
    real = terminal.run("spotcheck", "-n", 2, *again)
    assert real.code == 0, real.err
    assert real.out.splitlines()[:3] == dry.out.splitlines()[:3]
    assert "spot check " in real.out
    (row,) = alone.query("SELECT actor, n FROM spotcheck")
    assert row[0].startswith("terminal:")


def test_the_list_for_the_inspector_goes_to_a_file(terminal: Terminal, tmp_path: Path) -> None:
    out = tmp_path / "list.csv"
    ran = terminal.run("spotcheck", "-n", 40, "--seed", 1, "--reason", "五月", "-o", out)
    assert ran.code == 0, ran.err
    assert "40 were asked for; these are all there are" in ran.out
    with out.open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["rank"] for row in rows] == ["1", "2", "3"]
    assert {row["code"] for row in rows} == {"A1", "A2", "B3"}


@pytest.mark.parametrize(
    "words",
    [("-n", 0), ("-n", "many"), (), ("-n", 1, "--seed", -1), ("-n", 1, "--layer", "none"), ("-n", 1, "--layer", "micro"),
     ("-n", 1, "-o", "out.docx")],
)  # fmt: skip
def test_wrong_usage_is_two(asking: Asking, monkeypatch: pytest.MonkeyPatch, words: tuple[object, ...]) -> None:
    assert Terminal(asking.url, monkeypatch).run("spotcheck", *words).code == 2
