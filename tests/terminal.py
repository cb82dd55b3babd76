"""`gridbeat ...` as a person calls it: words in; exit code and both streams out."""

from __future__ import annotations

import io
import sys
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass

import pytest


@dataclass(frozen=True)
class Ran:
    """How a command ended and what it said."""

    code: int
    out: str
    err: str


@dataclass(frozen=True)
class Terminal:
    """Runs commands in this process against the store at `url`, which the environment names as for a user."""

    url: str
    monkeypatch: pytest.MonkeyPatch

    def run(self, *words: object) -> Ran:
        from api.cli import main

        self.monkeypatch.setenv("GRIDBEAT_DATABASE_URL", self.url)
        self.monkeypatch.setattr(sys, "argv", ["gridbeat", *map(str, words)])
        out, err = io.StringIO(), io.StringIO()
        with redirect_stdout(out), redirect_stderr(err):
            try:
                main()
                code = 0
            except SystemExit as ended:
                code = int(ended.code or 0)
        return Ran(code, out.getvalue(), err.getvalue())
