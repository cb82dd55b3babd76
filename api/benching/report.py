"""`gridbeat bench report`: one report a request, stored before it is answered, beside minimal routes over the same store."""

from __future__ import annotations

import statistics
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace

from api.benching.callers import Figures, Message, call, post
from api.benching.serving import serving
from data.benchlocate import partitions_of
from data.benchstage import KEY, Stage
from data.citygen import points
from gis.locate import GridIndex

#: Connections at a time.
CONNECTIONS = (16, 256)
#: Reports that are sent round and round.
_REPORTS = 20_000

OURS = "Gridbeat"
PLAIN = "FastAPI def, SQLAlchemy Core"
ASYNC = "FastAPI async, asyncpg"
#: Who takes part: the application, and where it takes reports.
ROUTES = {
    OURS: ("api.app:create_app", "/v1/events"),
    PLAIN: ("api.benching.peers:create_plain", "/events"),
    ASYNC: ("api.benching.peers:create_async", "/events"),
}


@dataclass(frozen=True)
class Line:
    """One line of the table: the medians over the rounds; `times` is ours over this one's requests a second."""

    name: str
    workers: int
    connections: int
    per_second: float
    p50_ms: float
    p99_ms: float
    requests: int
    wrong: int
    times: float | None


def messages_of(stage: Stage, index: GridIndex, port: int, path: str) -> list[Message]:
    """Reports of the city with the grid that each of them has to get."""
    import orjson

    lon, lat = points(stage.town, _REPORTS).T.copy()
    grids = index.locate(lon, lat, tolerance_m=10.0, distance=False).grids()
    bodies = (
        {"lon": x, "lat": y, "channel": "bench", "category": "rubbish", "text": f"垃圾堆放 {i}"}
        for i, (x, y) in enumerate(zip(lon.tolist(), lat.tolist(), strict=True))
    )
    return [Message(post(port, path, KEY, orjson.dumps(body)), grid) for body, grid in zip(bodies, grids, strict=True)]


def rounds_of(
    stage: Stage, index: GridIndex, names: Sequence[str], *, workers: int, rounds: int, seconds: float
) -> Iterator[tuple[str, int, Figures]]:
    """(who, connections, figures) of every round; all take turns, so that a busy minute hits everybody."""
    with ExitStack() as stack:
        asked = {}
        for name in names:
            application, path = ROUTES[name]
            port = stack.enter_context(serving(application, stage.settings, workers=workers if name == OURS else 1))
            asked[name] = port, messages_of(stage, index, port, path)
        for _ in range(rounds):
            for connections in CONNECTIONS:
                for name, (port, messages) in asked.items():
                    yield name, connections, call(port, messages, connections, seconds)


def line_of(name: str, workers: int, connections: int, found: Sequence[Figures]) -> Line:
    """The medians of the rounds; every wrong answer counts."""

    def median(field: str) -> float:
        return float(statistics.median(getattr(one, field) for one in found))

    return Line(
        name, workers, connections, median("per_second"), median("p50_ms"), median("p99_ms"),
        sum(one.answered for one in found), sum(one.wrong for one in found), None,
    )  # fmt: skip


def run(stage: Stage, *, workers: int, rounds: int, seconds: float) -> list[Line]:
    """Ours, with one worker and with `workers`, and the peers; the last column is ours with one worker over theirs.

    A line of more workers says how many times one worker it reaches, as the inverse of that.
    """
    index = GridIndex.of(partitions_of(stage.town))
    lines = _lines(stage, index, list(ROUTES), 1, rounds, seconds)
    if workers > 1:
        lines += _lines(stage, index, [OURS], workers, rounds, seconds)
    first = {line.connections: line.per_second for line in lines if line.name == OURS and line.workers == 1}
    return [replace(line, times=first[line.connections] / line.per_second) for line in lines]


def _lines(
    stage: Stage, index: GridIndex, names: Sequence[str], workers: int, rounds: int, seconds: float
) -> list[Line]:
    found: dict[tuple[str, int], list[Figures]] = {}
    for name, connections, one in rounds_of(stage, index, names, workers=workers, rounds=rounds, seconds=seconds):
        sys.stderr.write(f"  {name}, {connections} callers: {one.per_second:,.0f} a second, p99 {one.p99_ms:.0f} ms\n")
        found.setdefault((name, connections), []).append(one)
    return [line_of(name, workers, connections, several) for (name, connections), several in found.items()]
