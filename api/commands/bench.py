"""`gridbeat bench [JOB ...]`: how quick this installation is, beside the peers that are installed; ratios of one run."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Any

import typer

from api.session import opened
from api.settings import Settings
from gis.errors import GridError, ParameterInvalid

if TYPE_CHECKING:
    from data.benchlocate import Alone, Line
    from data.citygen import City
    from data.peers import Peer
    from gis.partition import Geometries

#: What there is to measure, and what is planned.
JOBS = ("locate", "report", "batch", "coverage")
PLANNED = ("hotspot", "redraw")

#: PostGIS takes tens of microseconds a place.
_POSTGIS_PLACES = 50_000


def register(app: typer.Typer) -> None:
    """`bench` is part of `app`."""

    @app.command("bench")
    def bench(
        jobs: Annotated[
            list[str] | None, typer.Argument(help="What to measure: locate (the default), report, batch, coverage")
        ] = None,
        city: Annotated[str, typer.Option("--city", help="Synthetic city: A 57 grids, B 3,000, C 100,000")] = "B",
        places: Annotated[int, typer.Option("--places", help="Places asked for, at least 1,000")] = 1_000_000,
        postgis: Annotated[bool, typer.Option("--postgis/--no-postgis", help="Ask PostGIS as well")] = True,
        workers: Annotated[int, typer.Option("--workers", help="report: also with so many workers", min=1, max=8)] = 1,
        seconds: Annotated[float, typer.Option("--seconds", help="report: of every round", min=0.5, max=60)] = 4.0,
        rows: Annotated[int, typer.Option("--rows", help="batch: reports in a file", min=100)] = 100_000,
        tracks: Annotated[int, typer.Option("--tracks", help="coverage: walks of 3,000 fixes", min=10)] = 1000,
        as_json: Annotated[bool, typer.Option("--json", help="One JSON object a line instead of a table")] = False,
    ) -> None:
        """How quick this installation is, beside its peers, on a synthetic city: ratios of one run."""
        asked = jobs or ["locate"]
        _refuse_unknown(asked, city, places)
        if "locate" in asked:
            _locate(city, places, postgis, as_json)
        if "coverage" in asked:
            from api.benching.coverage import measured

            with _one_core():
                measured(city, tracks, postgis=postgis, as_json=as_json)
        if "report" in asked or "batch" in asked:
            from api.benching.table import staged_jobs

            staged_jobs(asked, city, workers=workers, seconds=seconds, rows=rows, as_json=as_json)


def _refuse_unknown(jobs: list[str], city: str, places: int) -> None:
    """ParameterInvalid for a job that is not there, an unknown city, too few places, or a missing extra."""
    for job in jobs:
        if job in PLANNED:
            raise ParameterInvalid(f"bench {job} is not there yet; there is: {', '.join(JOBS)}", place="JOB")
        if job not in JOBS:
            raise ParameterInvalid(f"there is no bench {job}; there is: {', '.join(JOBS)}", place="JOB")
    if city not in ("A", "B", "C"):
        raise ParameterInvalid("--city is A, B or C", place="--city")
    if city == "C" and "coverage" in jobs:
        raise ParameterInvalid("bench coverage takes city A or B: C has seven thousand million cells", place="--city")
    if places < 1000:
        raise ParameterInvalid("--places is at least 1000", place="--places")
    from importlib.util import find_spec

    if find_spec("scipy") is None:
        raise ParameterInvalid("the synthetic cities need scipy: install the extra bench (sh scripts/setup does)")


def _locate(name: str, number: int, postgis: bool, as_json: bool) -> None:
    from data import benchlocate
    from data.citygen import CITIES, city, points
    from data.peers import PEERS
    from gis.locate import GridIndex

    sys.stderr.write(f"city {name}: drawing {CITIES[name].grids:,} grids and {number:,} places\n")
    town = city(CITIES[name])
    places = points(town, number)
    with _one_core(), _postgis(postgis) as server:
        lines = []
        for line in benchlocate.run(town, places, [*PEERS, server]):
            lines.append(line)
            sys.stderr.write(f"  {line.name}: {'-' if line.rate is None else f'{line.rate:.3g} M/s'} {line.note}\n")
        single = benchlocate.alone(town, places)
    lines.insert(1, benchlocate.two_threads(GridIndex.of(benchlocate.partitions_of(town)), places))
    _print_json(lines, single) if as_json else _print_table(name, town, lines, single)


@contextmanager
def _one_core() -> Iterator[None]:
    """Everything begun within runs on one core, so that engines with threads of their own have no other."""
    if not hasattr(os, "sched_setaffinity"):
        yield
        return
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(before)})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


@contextmanager
def _postgis(wanted: bool) -> Iterator[Peer]:
    """PostGIS as a peer, over the store's server; missing when there is none."""
    from data.peers import Asked, Peer, PeerMissing

    def missing(reason: str) -> Peer:
        def prepare(_: Geometries) -> Asked:
            raise PeerMissing(reason)

        return Peer("PostGIS", 0, prepare)

    if not wanted:
        yield missing("not asked for (--no-postgis)")
        return
    try:
        with opened(Settings()) as engine, engine.begin() as connection:
            yield _server(connection)
    except GridError as refusal:
        yield missing(refusal.message)


def _server(connection: Any) -> Peer:
    from data.peers import Asked, Floats, Indices, Peer, lowest
    from gis.store.coverjoin import CoverJoin

    def prepare(geometry: Geometries) -> Asked:
        join = CoverJoin(connection, geometry)
        loaded: list[int] = []

        def ask(places: Floats) -> Indices:
            if not loaded:  # loading is not part of the join
                join.load(places)
                loaded.append(len(places))
            pairs = join.ask()
            return lowest(len(places), [place for place, _ in pairs], [grid for _, grid in pairs])

        return ask

    return Peer("PostGIS", _POSTGIS_PLACES, prepare, time.perf_counter)


def _print_json(lines: list[Line], single: Alone) -> None:
    import orjson

    for record in [*(line.as_json() for line in lines), {"name": "one place and the index", **vars(single)}]:
        typer.echo(orjson.dumps(record).decode())


def _print_table(name: str, town: City, lines: list[Line], single: Alone) -> None:
    from rich.console import Console
    from rich.table import Table

    first = lines[0].rate or 0.0
    table = Table(
        "engine",
        "M places/s",
        "Gridbeat is",
        "wrong",
        "of",
        "",
        title=f"City {name}: {len(town.geometry):,} grids, one core",
    )
    for line in lines:
        rate, ratio = ("-", "-") if not line.rate else (f"{line.rate:.3g}", f"{first / line.rate:.3g} x")
        wrong = "-" if line.wrong is None else f"{line.wrong:,}"
        table.add_row(line.name, rate, ratio, wrong, f"{line.places:,}" if line.places else "-", line.note)
    Console(width=130).print(table)
    typer.echo(
        f"one place: {single.place_us:.2f} us for grid, method and layers; {single.one_us:.1f} us with candidates and path\n"
        f"index: built in {single.build_s:.2f} s, after one moved border {single.moved_ms:.1f} ms, {single.megabytes:.0f} MB"
    )
