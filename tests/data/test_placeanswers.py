"""Answers by column say what each place alone is told: same words, same faults, same millimetres, however many threads."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from data.placeanswers import PER_THREAD, PlaceAnswers, answers_of, rounded
from gis.crs import Datum, parse_datum, problems, to_storage
from gis.crsfault import Fault
from gis.errors import GridError
from gis.locate import GridIndex, Located
from gis.nearby import Floats
from gis.partition import partition_of
from tests.town import LAT, LON, STEP, place, shapes

PLAN = """
    BBC.
    AAC.
"""


@pytest.fixture(scope="module")
def index() -> GridIndex:
    drawn = shapes(PLAN)
    return GridIndex.of([partition_of(list(drawn), list(drawn.values()))])


def asked(index: GridIndex, places: Any, crs: str = "wgs84", threads: int = 1) -> PlaceAnswers:
    x, y = np.array(places, dtype=np.float64).reshape(-1, 2).T.copy()

    def ask(lon: Floats, lat: Floats) -> Located:
        return index.locate(lon, lat, tolerance_m=5.0)

    return answers_of(ask, x, y, parse_datum(crs), threads=threads)


def test_every_place_has_its_words_or_the_code_of_its_fault(index: GridIndex) -> None:
    places = [
        place(0.5, 0.5),
        place(1, 1),
        place(3.01, 1),
        place(3.9, 1),
        (0, 0),
        (np.nan, 1),
        (31.0, 121.0),
        (5e5, 3e6),
    ]
    grid, method, metres, reason = asked(index, places).columns()
    assert grid == ["A", "A", "C", None, None, None, None, None]
    assert method == ["inside", "edge", "nearest", *["none"] * 5]
    assert reason[:4] == [None, None, None, "beyond-tolerance"]
    assert reason[4:] == ["coordinate-invalid"] * 3 + ["datum-contradiction"]
    assert (metres[1], metres[3:]) == (0.0, [None] * 5)


def test_arrow_columns_and_layers_say_the_same_as_lists(index: GridIndex) -> None:
    answers = asked(index, [place(0.5, 0.5), place(9, 9), (0, 0), place(2.5, 1.5)])
    assert [column.to_pylist() for column in answers.arrow()] == answers.columns()
    assert answers.layers() == {"general": ["A", None, None, "C"]}


def test_no_places_have_no_answers(index: GridIndex) -> None:
    assert asked(index, []).columns() == [[], [], [], []]
    assert [column.to_pylist() for column in asked(index, []).arrow()] == [[], [], [], []]


def test_threads_change_no_answer(index: GridIndex) -> None:
    rng = np.random.default_rng(7)
    places = np.column_stack(
        (LON + STEP * rng.uniform(-1, 5, 3 * PER_THREAD), LAT + STEP * rng.uniform(-1, 3, 3 * PER_THREAD))
    )
    places[::1000] = np.nan
    assert asked(index, places, threads=3).columns() == asked(index, places).columns()


NUMBERS = st.one_of(
    st.sampled_from([0.0, -0.0, 90.0, 180.0, -180.0, 121.0, 31.0, np.nan, np.inf, 5e5, 3.5e6]), st.floats(-200, 200)
)


@given(
    st.lists(st.tuples(NUMBERS, NUMBERS), min_size=1, max_size=6),
    st.sampled_from(["wgs84", "cgcs2000", "gcj02", "bd09", "EPSG:4549"]),
)
def test_faults_are_those_that_the_datum_has_with_a_place(places: list[tuple[float, float]], crs: str) -> None:
    x, y = np.array(places).T.copy()
    datum: Datum = parse_datum(crs)
    index = GridIndex.of([])
    answers = answers_of(index.locate, x, y, datum)
    codes = [error.code if isinstance(error, GridError) else "no-boundaries" for error in problems(x, y, datum)]
    usable = np.isfinite(to_storage(x, y, datum)[0])
    np.testing.assert_array_equal(answers.fault == 0, usable)
    assert answers.columns()[3] == codes


def test_faults_are_numbered_one_after_the_other() -> None:
    assert [int(kind) for kind in Fault] == list(range(1, len(Fault) + 1))  # `reason` counts on it


@given(st.lists(st.floats(0, 1e6), min_size=1))
def test_metres_are_rounded_as_python_rounds(metres: list[float]) -> None:
    assert rounded(np.array(metres)).tolist() == [round(one, 3) for one in metres]


@pytest.mark.parametrize("tie", [0.0005, 1.0005, 2.6745, 1234.5675, 0.0015])
def test_metres_half_way_are_rounded_as_python_rounds(tie: float) -> None:
    assert rounded(np.array([tie])).tolist() == [round(tie, 3)]
    assert np.isnan(rounded(np.array([np.nan]))).all()
