"""`gridbeat bench locate`: our index and its peers on one synthetic city, in one run, each with its own count of wrong answers."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from data.citygen import City
from data.peers import Floats, Indices, Peer, PeerMissing, truth
from gis.locate import GridIndex
from gis.partition import Partition, partition_of

#: The median of so many runs; peers that take longer than PATIENCE_S a run are asked fewer times.
ROUNDS, PATIENCE_S = 5, 8.0


@dataclass(frozen=True)
class Line:
    """One line of the table: who, million places a second (None: did not take part), wrong answers of how many, a note."""

    name: str
    rate: float | None
    wrong: int | None
    places: int
    note: str = ""

    def as_json(self) -> dict[str, Any]:
        """The line for a program."""
        return {
            "name": self.name, "million_a_second": self.rate, "wrong": self.wrong, "places": self.places, "note": self.note
        }  # fmt: skip


@dataclass(frozen=True)
class Alone:
    """Microseconds for one place at the median: the bare kernel, the whole answer; and milliseconds for other jobs."""

    place_us: float
    one_us: float
    build_s: float
    moved_ms: float
    megabytes: float


def partitions_of(town: City) -> list[Partition]:
    """The city's layers in the order of their priority."""
    n = town.plan.dedicated
    return [
        partition_of(town.codes[:n], town.geometry[:n].tolist(), "dedicated"),
        partition_of(town.codes[n:], town.geometry[n:].tolist(), "general"),
    ]


def seconds(job: Callable[[], Any], rounds: int = ROUNDS, clock: Callable[[], float] = time.process_time) -> float:
    """The median time of a job, in seconds of this process's CPU so that a busy machine changes little; fewer rounds when slow."""
    taken: list[float] = []
    while len(taken) < rounds and (not taken or sum(taken) < PATIENCE_S):
        begun = clock()
        job()
        taken.append(clock() - begun)
    return statistics.median(taken)


def ours(index: GridIndex, places: Floats, right: Indices) -> Iterator[Line]:
    """Our index with one thread and two, in random and in sorted order, without and with distances."""
    lon, lat = places.T.copy()
    order = np.lexsort((lat, lon))
    ordered = lon[order], lat[order]
    wrong = int((index.locate(lon, lat, distance=False).winner != right).sum())
    jobs: list[tuple[str, Callable[[], Any]]] = [
        ("Gridbeat", lambda: index.locate(lon, lat, distance=False)),
        ("Gridbeat, sorted places", lambda: index.locate(*ordered, distance=False)),
        ("Gridbeat, with metres to the border", lambda: index.locate(lon, lat)),
    ]
    for name, job in jobs:
        yield Line(name, len(lon) / seconds(job) / 1e6, wrong, len(lon))


def two_threads(index: GridIndex, places: Floats) -> Line:
    """Our index with two threads, as a multiple of one: the best of rounds in turns, since others on the machine take cores away."""
    lon, lat = places.T.copy()
    one, two = [], []
    for _ in range(2 * ROUNDS):
        one.append(seconds(lambda: index.locate(lon, lat, distance=False), 1, time.perf_counter))
        two.append(seconds(lambda: index.locate(lon, lat, distance=False, threads=2), 1, time.perf_counter))
    times = min(one) / min(two)
    return Line("Gridbeat, two threads", len(lon) / min(two) / 1e6, None, len(lon), f"{times:.2f} x one")


def ask(peer: Peer, town: City, places: Floats, right: Indices) -> Line:
    """A peer's line; one that cannot take part is named with the reason."""
    some = places[: peer.places]
    try:
        asked = peer.prepare(town.geometry)
        wrong = int((asked(some) != right[: len(some)]).sum())
    except PeerMissing as missing:
        return Line(peer.name, None, None, 0, f"missing: {missing}")
    return Line(peer.name, len(some) / seconds(lambda: asked(some), clock=peer.clock) / 1e6, wrong, len(some))


def alone(town: City, places: Floats) -> Alone:
    """What one place, the index itself and a moved border cost."""
    parts = partitions_of(town)
    index = GridIndex.of(parts)
    build = seconds(lambda: GridIndex.of(parts))
    some = places[:3000].tolist()
    general = parts[1]
    grid = len(general) // 2
    smaller = partition_of([general.codes[grid]], [general.geometry[grid].buffer(-1e-5)], "general")
    return Alone(
        _median_us(index.place, some),
        _median_us(index.one, some),
        build,
        1e3 * seconds(lambda: index.replaced(smaller)),
        index.nbytes / 1e6,
    )


def _median_us(call: Callable[..., Any], places: Sequence[Sequence[float]]) -> float:
    call(*places[0])
    taken = []
    for place in places:
        begun = time.perf_counter_ns()
        call(*place)
        taken.append(time.perf_counter_ns() - begun)
    return statistics.median(taken) / 1e3


def run(town: City, places: Floats, peers: Sequence[Peer]) -> Iterator[Line]:
    """Our lines, then the peers' one by one as they are done."""
    right = truth(town.geometry, places)
    index = GridIndex.of(partitions_of(town))
    yield from ours(index, places, right)
    for peer in peers:
        yield ask(peer, town, places, right)
