"""Graph colouring of neighbours."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from shapely.geometry import box

from maps.colouring import colours, neighbours


def squares(columns: int, rows: int) -> np.ndarray:
    found = np.empty(columns * rows, dtype=object)
    found[:] = [box(i, j, i + 1, j + 1) for i in range(columns) for j in range(rows)]
    return found


def test_squares_of_two_by_two_all_touch() -> None:
    assert neighbours(squares(2, 2)).tolist() == [[0, 1], [0, 2], [0, 3], [1, 2], [1, 3], [2, 3]]


def test_a_board_has_no_equal_neighbours_and_uses_the_palette_evenly() -> None:
    pairs = neighbours(squares(12, 10))
    given_colours = colours(120, pairs, 6)
    assert (given_colours[pairs[:, 0]] != given_colours[pairs[:, 1]]).all()
    counts = np.bincount(given_colours, minlength=6)
    assert counts.min() >= 10


def test_a_small_palette_is_shared_rather_than_refused() -> None:
    pairs = neighbours(squares(2, 2))
    assert sorted(colours(4, pairs, 3).tolist()) in ([0, 0, 1, 2], [0, 1, 1, 2], [0, 1, 2, 2])


def test_nothing_to_colour() -> None:
    assert colours(0, np.empty((0, 2), dtype=np.intp), 6).tolist() == []


@given(st.integers(2, 7), st.integers(2, 7))
def test_colours_depend_on_the_input_alone(columns: int, rows: int) -> None:
    pairs = neighbours(squares(columns, rows))
    assert (colours(columns * rows, pairs, 6) == colours(columns * rows, pairs, 6)).all()
