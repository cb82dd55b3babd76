"""The jobs of `gridbeat bench` that need a store and servers: run on a stage of their own, shown as tables or JSON lines."""

from __future__ import annotations

import signal
import sys
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from gis.errors import ParameterInvalid

#: Rounds of which the median counts.
ROUNDS = 5


def staged_jobs(jobs: Sequence[str], city: str, *, workers: int, seconds: float, rows: int, as_json: bool) -> None:
    """The lines of `report` and `batch` are printed; ParameterInvalid without the extra bench."""
    from importlib.util import find_spec

    from data.benchstage import staged
    from data.citygen import CITIES
    from data.citygen import city as drawn

    if "report" in jobs and find_spec("asyncpg") is None:
        raise ParameterInvalid(
            "bench report needs asyncpg: install the extra bench (sh scripts/setup does)", place="JOB"
        )
    sys.stderr.write(f"city {city}: a PostGIS of its own, {CITIES[city].grids:,} grids\n")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that servers and files are gone then too
    with staged(drawn(CITIES[city])) as stage:
        for job in jobs:
            if job == "report":
                from api.benching import report

                lines = report.run(stage, workers=workers, rounds=ROUNDS, seconds=seconds)
                shown([asdict(line) for line in lines], "One report a request, stored before it is answered", as_json)
            elif job == "batch":
                from api.benching import batch

                shown([asdict(line) for line in batch.run(stage, rows)], f"{rows:,} reports at once", as_json)


def shown(lines: Sequence[dict[str, Any]], title: str, as_json: bool) -> None:
    """The lines as a table, or one JSON object a line."""
    if as_json:
        import orjson

        sys.stdout.writelines(orjson.dumps(line).decode() + "\n" for line in lines)
        return
    from rich.console import Console
    from rich.table import Table

    table = Table(*lines[0], title=title)
    for line in lines:
        table.add_row(*map(_cell, line.values()))
    Console(width=130).print(table)


def _cell(value: Any) -> str:
    if value is None:
        return "-"
    if isinstance(value, float):
        return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"
    return f"{value:,}" if isinstance(value, int) else str(value)
