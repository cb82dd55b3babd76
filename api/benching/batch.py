"""`gridbeat bench batch`: many reports end to end, beside a bare binary COPY of the same rows into the same tables."""

from __future__ import annotations

import http.client
import statistics
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from api.benching.serving import run as command
from api.benching.serving import serving
from data.benchstage import KEY, Stage
from data.citygen import points
from gis.store import benchcopy
from gis.store.engine import create_engine

ROUNDS = 3
COPY = "binary COPY, nothing assigned"


@dataclass(frozen=True)
class Line:
    """One line of the table: the median; `share` is its rows a second as a part of what a bare COPY takes."""

    name: str
    rows: int
    per_second: float
    share: float | None


def run(stage: Stage, rows: int) -> list[Line]:
    """Every way in, then COPY. RuntimeError when a way does not store every row with its receipt."""
    files = written(stage, rows)
    engine = create_engine(stage.url, pool_size=2)
    try:
        taken = {}
        for name, way in _ways(stage, files):
            taken[name] = statistics.median(_timed(engine, rows, name, way) for _ in range(ROUNDS))
        kept = benchcopy.taken(engine)
        taken[COPY] = statistics.median(_again(engine, kept) for _ in range(ROUNDS))
    finally:
        engine.dispose()
    return [Line(name, rows, rows / seconds, taken[COPY] / seconds) for name, seconds in taken.items()]


def _timed(engine: Any, rows: int, name: str, way: Callable[[], float]) -> float:
    benchcopy.empty(engine)
    seconds = way()
    if benchcopy.count(engine) != (rows, rows):
        raise RuntimeError(f"{name}: {benchcopy.count(engine)} events and receipts for {rows} rows")
    return seconds


def _again(engine: Any, kept: dict[str, bytes]) -> float:
    benchcopy.empty(engine)
    return benchcopy.copied(engine, kept)


def _ways(stage: Stage, files: dict[str, Path]) -> Iterator[tuple[str, Callable[[], float]]]:
    """(name, what takes the time): commands with their start-up, and one request."""

    def loaded(path: Path) -> float:
        begun = time.perf_counter()
        command(["load", "events", str(path), "--commit"], stage.settings)
        return time.perf_counter() - begun

    for kind, path in files.items():
        yield f"gridbeat load events, {kind}", partial(loaded, path)
    with serving("api.app:create_app", stage.settings) as port:
        body = files["NDJSON"].read_bytes()
        yield "POST /v1/events/batch, NDJSON", lambda: _posted(port, body)


def _posted(port: int, body: bytes) -> float:
    begun = time.perf_counter()
    line = http.client.HTTPConnection("127.0.0.1", port, timeout=600)
    line.request(
        "POST", "/v1/events/batch", body, {"Content-Type": "application/x-ndjson", "Authorization": f"Bearer {KEY}"}
    )
    answer = line.getresponse()
    said = answer.read()
    if answer.status != 200:
        raise RuntimeError(f"the batch is refused: {said[:500].decode(errors='replace')}")
    return time.perf_counter() - begun


def written(stage: Stage, rows: int) -> dict[str, Path]:
    """The same reports as CSV, NDJSON and Parquet in the stage's home."""
    import orjson
    import pyarrow as pa
    import pyarrow.csv as pacsv
    import pyarrow.parquet as parquet

    lon, lat = points(stage.town, rows).T.copy()
    numbers = range(rows)
    columns = {
        "external_id": [f"B{i:08d}" for i in numbers],
        "lon": lon.tolist(),
        "lat": lat.tolist(),
        "channel": ["bench"] * rows,
        "category": [f"{i % 40:05d}" for i in numbers],
        "text": [f"垃圾堆放 {i}" for i in numbers],
    }
    table = pa.table(columns)
    files = {kind: stage.home / f"reports.{kind.lower()}" for kind in ("CSV", "NDJSON", "Parquet")}
    pacsv.write_csv(table, files["CSV"])
    files["NDJSON"].write_bytes(b"\n".join(orjson.dumps(row) for row in table.to_pylist()) + b"\n")
    parquet.write_table(table, files["Parquet"])
    return files
