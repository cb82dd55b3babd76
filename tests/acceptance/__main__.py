"""Run every section on the real data and print one table; exit 1 on any miss. `sh scripts/accept` calls this."""

from __future__ import annotations

import importlib
import os
import sys
import tempfile
import time
import traceback
from pathlib import Path

from rich.console import Console
from rich.table import Table

from tests.acceptance.check import Check

HERE = Path(__file__).parent


def shared_data() -> Path:
    """Where the real data lies: GRIDBEAT_SHARED, else ../shared/data beside the project."""
    return Path(os.environ.get("GRIDBEAT_SHARED", HERE.parents[2] / "shared" / "data"))


def run_section(name: str, shared: Path) -> list[Check]:
    """The checks of one section; a crash is a miss that names itself."""
    done: list[Check] = []
    with tempfile.TemporaryDirectory(prefix="gridbeat-accept-", ignore_cleanup_errors=True) as work:
        Path(work).chmod(0o755)  # the unprivileged database user reads what is restored from here
        try:
            done.extend(importlib.import_module(f"tests.acceptance.{name}").run(shared, Path(work)))
        except Exception as error:  # noqa: BLE001 - the table must show the crash and go on
            traceback.print_exc()
            done.append(Check(f"{name}: ran to its end", "yes", f"{type(error).__name__}: {error}"[:120], ok=False))
    return done


def on_request(name: str) -> bool:
    """Whether a section runs only when it is named: it measures what a busy machine cannot show."""
    return "\nON_REQUEST = True" in (HERE / f"{name}.py").read_text("utf-8")


def main(wanted: list[str]) -> int:
    """Print the table; 0 when every check holds, 1 on a miss, 2 when there is no data or no such section."""
    console = Console(width=150)
    shared = shared_data()
    if not shared.is_dir():
        console.print(f"no real data at {shared}: nothing to accept")
        return 2
    names = sorted(path.stem for path in HERE.glob("accept_*.py"))
    chosen = [name for name in names if (name.removeprefix("accept_") in wanted if wanted else not on_request(name))]
    table = Table("", "check", "expected", "got", title="Acceptance on real data")
    checks: list[Check] = []
    for name in chosen:
        begun = time.monotonic()
        found = run_section(name, shared)
        console.print(f"{name}: {len(found)} checks in {time.monotonic() - begun:.0f} s", highlight=False)
        checks.extend(found)
    for check in checks:
        table.add_row(
            "ok" if check.ok else "MISS", check.name, check.expected, check.got, style=None if check.ok else "red"
        )
    console.print(table)
    missed = sum(not check.ok for check in checks)
    # In this form CI reads it as a test runner's closing line.
    sys.stdout.write(f"{len(checks) - missed} passed, {missed} failed\n")
    return 2 if not checks else int(missed > 0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
