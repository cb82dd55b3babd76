"""The bench counts wrong answers, names who is missing and why, and every installed peer is asked in earnest."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from typer.testing import CliRunner

from api.cli import app
from data.benchlocate import ask, partitions_of, run
from data.citygen import CITIES, City, city, points
from data.peers import PEERS, Asked, Floats, Indices, Peer, PeerMissing, truth
from gis.errors import ParameterInvalid
from gis.locate import GridIndex
from gis.partition import Geometries

SMALL = dataclasses.replace(CITIES["A"], grids=20, vertices=30, dedicated=2, clusters=3)


@pytest.fixture(scope="module")
def town() -> City:
    return city(SMALL)


@pytest.fixture(scope="module")
def places(town: City) -> Floats:
    return points(town, 2000)


def test_the_right_answers_are_those_of_the_index(town: City, places: Floats) -> None:
    right = truth(town.geometry, places)
    assert (right >= 0).sum() > 1000
    np.testing.assert_array_equal(GridIndex.of(partitions_of(town)).locate(*places.T).winner, right)


def always_first(_: Geometries) -> Asked:
    def asked(places: Floats) -> Indices:
        return np.zeros(len(places), dtype=np.int64)

    return asked


def absent(_: Geometries) -> Asked:
    raise PeerMissing("it is not here")


def test_a_peer_that_answers_wrongly_is_counted_and_a_missing_one_is_named(town: City, places: Floats) -> None:
    right = truth(town.geometry, places)
    lines = {
        line.name: line for line in run(town, places, [Peer("first", 1000, always_first), Peer("gone", 5, absent)])
    }
    assert lines["first"].wrong == int((right[:1000] != 0).sum())
    assert lines["first"].places == 1000
    assert (lines["gone"].rate, lines["gone"].note) == (None, "missing: it is not here")
    assert [line.wrong for name, line in lines.items() if name.startswith("Gridbeat")] == [0, 0, 0]


def test_shapely_and_geopandas_answer_as_they_should(town: City, places: Floats) -> None:
    right = truth(town.geometry, places)
    for peer in PEERS:
        if peer.name in {"shapely pairs", "geopandas sjoin"}:
            assert ask(peer, town, places, right).wrong == 0


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("redraw", "not there yet"),
        ("hotspot", "not there yet"),
        ("nonsense", "no bench nonsense"),
        ("locate --city D", "A, B or C"),
        ("locate --places 3", "1000"),
        ("coverage --city C", "A or B"),
    ],
)
def test_what_is_not_there_is_refused_before_anything_is_measured(words: str, said: str) -> None:
    result = CliRunner().invoke(app, ["bench", *words.split()])
    assert isinstance(result.exception, ParameterInvalid)
    assert said in result.exception.message
