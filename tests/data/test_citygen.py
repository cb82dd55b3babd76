"""The synthetic city is what the benchmarks claim: a coverage with holes and overlays, and points truly on borders."""

from __future__ import annotations

import numpy as np
import pytest
import shapely

from data.citygen import CITIES, City, city, points
from gis.locate import GridIndex
from gis.partition import partition_of


@pytest.fixture(scope="module")
def town() -> City:
    return city(CITIES["A"])


def test_the_general_grids_leave_no_gap_and_no_overlap(town: City) -> None:
    general = town.geometry[town.plan.dedicated :]
    assert len(town.geometry) == 57
    assert shapely.is_valid(town.geometry).all()
    assert shapely.coverage_is_valid(general)
    assert town.layers.count("dedicated") == 4
    assert sorted(town.codes) == town.codes


def test_the_same_seed_gives_the_same_city_and_points(town: City) -> None:
    again = city(CITIES["A"])
    assert shapely.equals_exact(again.geometry, town.geometry, 0.0).all()
    np.testing.assert_array_equal(points(again, 500), points(town, 500))
    assert (points(town, 500, seed=102) != points(town, 500)).any()


def test_the_index_answers_as_brute_force_does_and_some_points_lie_on_edges(town: City) -> None:
    places = points(town, 4000)
    n = town.plan.dedicated
    index = GridIndex.of(
        [
            partition_of(town.codes[:n], town.geometry[:n].tolist(), "dedicated"),
            partition_of(town.codes[n:], town.geometry[n:].tolist(), "general"),
        ]
    )
    covers = np.array([shapely.covers(polygon, shapely.points(places)) for polygon in town.geometry])
    truth = np.where(covers.any(axis=0), covers.argmax(axis=0), -1)
    located = index.locate(*places.T)
    np.testing.assert_array_equal(located.winner, truth)
    assert (located.method == 1).sum() > 20
