"""`gridbeat bench coverage`: ground, tracks and visits of a synthetic city's walks, beside shapely, PostGIS and movingpandas."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import asdict
from functools import partial

from api.benching.table import shown
from data.benchcoverage import SIGHT_M, Beat, Line, Swept, beat_of, run
from data.benchstage import served
from data.citygen import CITIES, city
from data.peers import PeerMissing
from gis.errors import GridError
from gis.store.engine import create_engine
from gis.store.sweptjoin import SweptJoin


def measured(name: str, tracks: int, *, postgis: bool, as_json: bool) -> None:
    """The lines for so many tracks over the city of this name are printed."""
    sys.stderr.write(f"city {name}: {CITIES[name].grids:,} grids, {tracks:,} tracks\n")
    beat = beat_of(city(CITIES[name]), tracks)
    lines = []
    for line in lines_of(beat, postgis=postgis):
        lines.append(line)
        taken = "-" if line.seconds is None else f"{line.seconds:.3g} s"
        sys.stderr.write(f"  {line.job}, {line.engine}: {taken} {line.note}\n")
    shown([asdict(line) for line in lines], f"{tracks:,} tracks, {len(beat.fixes):,} fixes, {SIGHT_M:g} m", as_json)


def lines_of(beat: Beat, *, postgis: bool) -> Iterator[Line]:
    """The lines as they are done; a PostGIS of their own is started when its turn comes, and gone at the end."""
    with ExitStack() as stack:
        yield from run(beat, partial(_server, stack) if postgis else _nobody)


def _nobody(_: Beat) -> Swept:
    raise PeerMissing("not asked for (--no-postgis)")


def _server(stack: ExitStack, beat: Beat) -> Swept:
    try:
        _, url = stack.enter_context(served())
    except GridError as refusal:
        raise PeerMissing(refusal.message) from refusal
    engine = create_engine(url, pool_size=1)
    stack.callback(engine.dispose)
    join = SweptJoin(stack.enter_context(engine.begin()), beat.grounds_m, beat.lines_m)
    return lambda some: join.ask(some, SIGHT_M)
