"""The bench of coverage asks its peers in earnest, counts how far our shares are off, and names who is missing and why."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import sqlalchemy as sa

from api.benching.coverage import lines_of
from data import benchcoverage, coveragepeers
from data.benchcoverage import GAPS, GROUND, SIGHT_M, STOPS, Beat, Line, Swept, run, tracks_of_member, walks, window
from data.citygen import CITIES, city
from data.peers import PeerMissing
from gis.cellowners import cell_owners
from gis.fixes import fixes_of
from gis.store.sweptjoin import SweptJoin

TOWN = dataclasses.replace(CITIES["A"], grids=14, area_km2=2.0, vertices=30, dedicated=2, clusters=3)


@pytest.fixture(scope="module")
def beat() -> Beat:
    shapes = city(TOWN).geometry[TOWN.dedicated :]
    return Beat(shapes, walks(shapes, np.random.default_rng(1), 6, fixes=300))


def nobody(_: Beat) -> Swept:
    raise PeerMissing("it is not here")


def by_name(lines: list[Line]) -> dict[tuple[str, str], Line]:
    return {(line.job, line.engine): line for line in lines}


def test_postgis_and_shapely_say_the_same_ground_and_ours_is_near(beat: Beat, connection: sa.Connection) -> None:
    some = np.arange(len(beat.shapes))
    join = SweptJoin(connection, beat.grounds_m, beat.lines_m)
    server, exact = join.ask(some, SIGHT_M), benchcoverage._shapely(beat)(some)
    seen, cells = window(beat.sweep(beat.tracks()), cell_owners(beat.frame, beat.index, "general"), 0.0, 14.0)
    assert exact.max() > 0.1
    assert server == pytest.approx(exact, abs=0.002)  # circles of 32 corners and of 64
    assert seen / cells == pytest.approx(exact, abs=0.01)  # the smallest has 330 cells
    assert np.abs(seen / cells - exact).mean() < 0.002


def test_every_job_has_its_line_and_a_missing_peer_says_why(beat: Beat) -> None:
    lines = by_name(list(run(beat, nobody)))
    missing = lines.pop((GROUND, "PostGIS buffers"))
    assert (missing.seconds, missing.note) == (None, "missing: it is not here")
    assert min(line.seconds or 0.0 for line in lines.values()) > 0.0
    for job in (GAPS, STOPS):
        ours, theirs = lines[job, "Gridbeat"].seconds, lines[job, "movingpandas"].seconds
        assert lines[job, "movingpandas"].times == (theirs or 0.0) / (ours or 1.0)
        assert "4 of 6 tracks" in lines[job, "movingpandas"].note


def test_without_movingpandas_its_lines_say_so(beat: Beat, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(coveragepeers.importlib.util, "find_spec", lambda _: None)
    lines = by_name(list(lines_of(beat, postgis=False)))
    assert "extra bench" in lines[STOPS, "movingpandas"].note
    assert "not asked for" in lines[GROUND, "PostGIS buffers"].note


@pytest.mark.cluster
def test_a_postgis_of_its_own_is_asked_and_gone_afterwards(beat: Beat) -> None:
    line = by_name(list(lines_of(beat, postgis=True)))[GROUND, "PostGIS buffers"]
    assert (line.seconds or 0.0) > 0.0
    assert "12 of 12 grids" in line.note


def test_movingpandas_tells_gaps_and_stops_as_stretches() -> None:
    """Two minutes at one spot, six of silence, then on; a second member of one fix."""
    second = [0.0, 60.0, 120.0, 480.0, 500.0]
    fixes = fixes_of([0] * 5 + [1], [*second, 0.0], np.zeros(6) + 1.0, np.zeros(6) + 1.0)
    metres = np.array([[0, 0], [1, 0], [2, 0], [500, 0], [900, 0], [0, 0]], np.float64)
    told = coveragepeers.trajectories_of(fixes, metres, 32631)
    assert coveragepeers.gaps_of(told, 300.0) == [
        (0, *np.array([120, 480]).astype("datetime64[s]").astype("datetime64[us]"))
    ]
    assert [stop[1:] for stop in coveragepeers.stays_of(told, 30.0, 100.0)] == [
        tuple(np.array([0, 120]).astype("datetime64[s]").astype("datetime64[us]"))
    ]


def test_walks_are_the_same_for_the_same_seed_and_members_do_not_mix(beat: Beat) -> None:
    again = walks(beat.shapes, np.random.default_rng(1), 6, fixes=300)
    assert np.array_equal(again.lon, beat.fixes.lon)
    own = tracks_of_member(beat.tracks(), 3)
    assert set(own.fixes.member.tolist()) == {3}
    assert len(own) > 290
