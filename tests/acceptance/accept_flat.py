"""Ten million fixes of one device in a file: `gridbeat load fixes` takes them in flat memory, in any order, Parquet and CSV."""

from __future__ import annotations

import re
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np

from gis.store.engine import create_engine
from gis.store.fixes import drop_fixes
from tests.acceptance.check import Check, at_most, equal
from tests.acceptance.stage import ROOT, Stage, stage

#: It takes ten minutes of a quiet machine and two gigabytes of disk.
ON_REQUEST = True

ROWS, CSV_ROWS = 10_000_000, 2_000_000
#: Peak memory of the command that holds whatever the file's length, in MB (10^6 bytes).
MOST_MB = 900.0


def run(shared: Path, work: Path) -> Iterator[Check]:
    """The first million, all of them, the same shuffled into an empty store, and CSV by two lengths."""
    table = _fixes()
    files = _written(table, work)
    with stage(work, "flat", GRIDBEAT_FIXES_OFF_DUTY="true") as one:
        (work / "members.csv").write_text("code,name,since\nd1,device,2000-01-01T00:00:00Z\n", "utf-8")
        one.do("load", "members", work / "members.csv", "--commit")
        peak = {}
        for name, rows in (("million.parquet", ROWS // 10), ("all.parquet", ROWS), ("shuffled.parquet", ROWS)):
            if name != "all.parquet":  # which finds a million of its rows there
                _emptied(one)
            peak[name], seconds, stored = _loaded(one, files[name])
            yield equal(f"{name}: rows in the store", rows, stored)
            yield at_most(f"{name}: {rows / seconds / 1e3:.0f} thousand rows/s; peak memory", MOST_MB, peak[name], "MB")
        yield at_most("ten times as many rows, times the memory", 1.3, peak["all.parquet"] / peak["million.parquet"])
        for name, rows in (("quarter.csv", CSV_ROWS // 4), ("two.csv", CSV_ROWS)):
            _emptied(one)
            peak[name], seconds, stored = _loaded(one, files[name])
            yield equal(f"{name}: rows in the store", rows, stored)
            yield at_most(f"{name}: {rows / seconds / 1e3:.0f} thousand rows/s; peak memory", MOST_MB, peak[name], "MB")
        a_row = max(0.0, peak["two.csv"] - peak["quarter.csv"]) / (CSV_ROWS - CSV_ROWS // 4)
        longer = peak["two.csv"] + a_row * (ROWS - CSV_ROWS)
        yield at_most("CSV of ten million rows, extrapolated from both: peak memory", MOST_MB, longer, "MB")


def _fixes() -> Any:
    """A fix a second for 115 days."""
    import pyarrow as pa

    rng, k = np.random.default_rng(1), np.arange(ROWS)
    at = np.datetime64("2026-01-05", "us") + k * np.timedelta64(1, "s")
    return pa.table(
        {
            "member": pa.repeat("d1", ROWS),
            "at": pa.array(at, pa.timestamp("us", tz="UTC")),
            "lon": (121.2 + 0.002 * np.sin(k / 900) + rng.normal(0, 3e-5, ROWS)).round(7),
            "lat": (32.05 + 0.002 * np.cos(k / 700) + rng.normal(0, 3e-5, ROWS)).round(7),
            "accuracy_m": rng.uniform(3, 30, ROWS).round(1),
        }
    )


def _written(table: Any, work: Path) -> dict[str, Path]:
    import pyarrow.compute as pc
    import pyarrow.csv as pacsv
    import pyarrow.parquet as pq

    files = {
        name: work / name for name in ("million.parquet", "all.parquet", "shuffled.parquet", "quarter.csv", "two.csv")
    }
    pq.write_table(table.slice(0, ROWS // 10), files["million.parquet"])
    pq.write_table(table, files["all.parquet"])
    pq.write_table(table.take(np.random.default_rng(2).permutation(ROWS)), files["shuffled.parquet"])
    some = table.slice(0, CSV_ROWS)
    some = some.set_column(1, "at", pc.strftime(some["at"], format="%Y-%m-%dT%H:%M:%SZ"))
    pacsv.write_csv(some.slice(0, CSV_ROWS // 4), files["quarter.csv"])
    pacsv.write_csv(some, files["two.csv"])
    return files


def _emptied(one: Stage) -> None:
    """No fix is in the store."""
    engine = create_engine(one.cluster.url, pool_size=1)
    try:
        with engine.begin() as connection:
            drop_fixes(connection, date(2100, 1, 1))
    finally:
        engine.dispose()


def _loaded(one: Stage, path: Path) -> tuple[float, float, int]:
    """(peak memory in MB, seconds, rows in the store afterwards) of a load of a file."""
    words = [sys.executable, "-m", "api.cli", "load", "fixes", str(path), "--commit"]
    begun, peak_kb = time.monotonic(), 0
    with (one.home.parent / "load.log").open("wb") as log:
        process = subprocess.Popen(
            words, cwd=ROOT, env=one.environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log
        )
        while process.poll() is None:
            with suppress(OSError, TypeError):
                told = Path(f"/proc/{process.pid}/status").read_text("ascii")
                peak_kb = max(peak_kb, int(re.search(r"VmHWM:\s+(\d+)", told)[1]))  # type: ignore[index]
            time.sleep(0.2)
    if process.returncode:
        raise RuntimeError((one.home.parent / "load.log").read_text("utf-8")[-1000:])
    seconds = time.monotonic() - begun
    return peak_kb * 1024 / 1e6, seconds, int(one.rows("SELECT coalesce(sum(fixes), 0) FROM fix_day")[0][0])
