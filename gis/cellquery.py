"""Query: whose is a place, by its cell; exact on every border, all layers in one pass. The packing is that of `gis.celllayout`."""

from __future__ import annotations

import numpy as np

from gis.assignment import EDGE, FOUND, INSIDE, NO_POSITION, NONE
from gis.celllayout import ALIGN, BITS, HEAD
from gis.compiled import compiled, lean
from gis.orientation import BOUND, orientation, side

#: Places are taken through the stages in blocks of so many, whose memory stays in the first cache.
BLOCK = 1024

#: What an edge says of a place: not crossed on the way to the cell's corner, crossed, or the place lies on it.
_CROSSED, _ON = 1, 2


@lean
def _way_crosses(ax: float, ay: float, bx: float, by: float, x: float, y: float, west: float, south: float) -> int:
    """Whether the way from the place, along its parallel to x = west and down to y = south, crosses an edge; or _ON.

    The way is moved up by e and right by e' << e, so it meets no vertex and runs along no edge.
    """
    straddles = (ay > y) != (by > y)
    across = (ax > west) != (bx > west)
    if not straddles and not across and ay != y and by != y:
        return 0
    left, right = (bx - ax) * (y - ay), (by - ay) * (x - ax)
    found = left - right
    if abs(found) <= BOUND * (abs(left) + abs(right)):  # rare: near the edge's line, or on it
        found = float(orientation(ax, ay, bx, by, x, y))
        if found == 0.0 and min(ax, bx) <= x <= max(ax, bx) and min(ay, by) <= y <= max(ay, by):
            return _ON
    if not across:
        return int(straddles & (ax > west) & ((found < 0.0) == (by > ay)))
    turn = side(ax, ay, bx, by, west, y)
    crossed = int(turn != side(ax, ay, bx, by, west, south))
    return crossed ^ int(straddles & ((turn > 0) != (found > 0.0)))


@lean
def _grid_covers(
    words: np.ndarray, at: int, vertices: np.ndarray, x: float, y: float, west: float, south: float
) -> tuple[int, int]:
    """(word after the grid's runs, 0 not covered, _CROSSED covered, _ON on its border) for the grid at word `at` of a record."""
    state = (words[at] >> 1) & 1
    at += 1
    while True:
        first, size = words[at], words[at + 1]
        at += 2
        if state != _ON:
            bx, by = vertices[first, 0], vertices[first, 1]
            for k in range(first + 1, first + (size >> 1) + 1):
                ax, ay = bx, by
                bx, by = vertices[k, 0], vertices[k, 1]
                crossed = _way_crosses(ax, ay, bx, by, x, y, west, south)
                if crossed == _ON:
                    state = _ON
                    break
                state ^= crossed
        if size & 1 == 0:
            return at, state


@lean
def _settle(
    words: np.ndarray,
    at: int,
    vertices: np.ndarray,
    layer_of: np.ndarray,
    x: float,
    y: float,
    west: float,
    south: float,
    by_layer: np.ndarray,
    place: int,
) -> tuple[int, int]:
    """(winner, method) of a place in a border cell whose record begins at word `at`; `by_layer[:, place]`, which holds the
    record's own row, becomes the lowest grid of every layer.
    """
    lowest, lowest_state = -1, 0
    settled = np.uint64(0)
    at += 1
    more = True
    while more:
        head = words[at]
        more = head & 1 == 1
        grid = head >> 2
        at, state = _grid_covers(words, at, vertices, x, y, west, south)
        layer = layer_of[grid]
        bit = np.uint64(1) << np.uint64(layer)
        if state != 0 and settled & bit == np.uint64(0):
            settled |= bit
            by_layer[layer, place] = grid
            if lowest < 0:
                lowest, lowest_state = grid, state
    winner = -1
    for layer in range(by_layer.shape[0]):
        grid = by_layer[layer, place]
        if grid >= 0 and (winner < 0 or grid < winner):
            winner = grid
    if winner < 0:
        return winner, NONE
    return winner, EDGE if winner == lowest and lowest_state == _ON else INSIDE


@lean
def _word_of(tile: int, column: int, row: int, words: np.ndarray, codes: np.ndarray) -> int:
    """Where the word of a cell stands; `tile` < 0 is the tile's entry, column and row count cells from the lattice's first."""
    area = np.int64((-1 - tile) >> 1) * ALIGN
    code = np.int64(codes[2 * area + ((row & 7) << BITS) + (column & 7)])
    if (-1 - tile) & 1 == 1:
        code <<= words[area + HEAD]
    return int(area + code)


@lean
def _cell(value: float, scale: float, first: float, tiles: float) -> int:
    """The column (or row) of a coordinate, counted from the lattice's first; what lies outside, and NaN, falls into its rim."""
    scaled = value * scale
    last = first + tiles * 8 - 1
    scaled = scaled if scaled > first else first
    scaled = scaled if scaled < last else last
    return int(np.floor(scaled) - first)


@lean
def _find_cells(
    lon: np.ndarray, lat: np.ndarray, begin: int, frame: np.ndarray, tiles: np.ndarray, words: np.ndarray,
    codes: np.ndarray, column: np.ndarray, row: np.ndarray, answer: np.ndarray, word: np.ndarray, open_: np.ndarray, size: int,
) -> int:  # fmt: skip
    """`answer[i]` is the row of `rows` for each of `size` places from `begin` on, final but for those listed in `open_`.

    Returns how many are listed. Stage after stage over the block, so that the loads of one stage overlap.
    """
    width = int(frame[4])
    for i in range(size):
        column[i] = _cell(lon[begin + i], frame[0], frame[2], frame[4])
        row[i] = _cell(lat[begin + i], frame[1], frame[3], frame[5])
    pending = 0
    for i in range(size):
        tile = tiles[(row[i] >> BITS) * width + (column[i] >> BITS)]
        answer[i] = tile
        open_[pending] = i
        pending += tile < 0
    for p in range(pending):
        i = open_[p]
        word[i] = _word_of(answer[i], column[i], row[i], words, codes)
    border = 0
    for p in range(pending):
        i = open_[p]
        found = words[word[i]]
        open_[border] = i
        border += found < 0
        answer[i] = found if found >= 0 else -1 - found
    return border


@lean
def _touch(words: np.ndarray, word: np.ndarray, vertices: np.ndarray, open_: np.ndarray, border: int) -> float:
    """The first run of every record is in the cache, all fetched at the same time; the sum keeps the loads from being left out."""
    total = 0.0
    for p in range(border):
        at = word[open_[p]] + 2
        first, last = words[at], words[at] + (words[at + 1] >> 1)
        total += vertices[first, 0] + vertices[last, 0]
    return total


@lean
def _answer(
    lon: np.ndarray,
    lat: np.ndarray,
    first: int,
    size: int,
    answer: np.ndarray,
    rows: np.ndarray,
    outside: int,
    winner: np.ndarray,
    method: np.ndarray,
    reason: np.ndarray,
    by_layer: np.ndarray,
) -> None:
    """The `size` places from `first` on have what the row `answer` of each says."""
    for i in range(size):
        grid = rows[answer[i], 0]
        place = first + i
        winner[place] = grid
        method[place] = INSIDE if grid >= 0 else NONE
        known = lon[place] - lon[place] == 0.0 and lat[place] - lat[place] == 0.0
        reason[place] = FOUND if grid >= 0 else (outside if known else NO_POSITION)
    for layer in range(by_layer.shape[0]):
        for i in range(size):
            by_layer[layer, first + i] = rows[answer[i], 1 + layer]


@lean
def _locate(
    lon: np.ndarray, lat: np.ndarray, begin: int, end: int,
    frame: np.ndarray, tiles: np.ndarray, words: np.ndarray, codes: np.ndarray, rows: np.ndarray,
    vertices: np.ndarray, layer_of: np.ndarray, outside: int,
    winner: np.ndarray, method: np.ndarray, reason: np.ndarray, by_layer: np.ndarray,
    column: np.ndarray, row: np.ndarray, answer: np.ndarray, open_: np.ndarray, word: np.ndarray,
) -> float:  # fmt: skip
    """What `locate` says; the last five arrays are scratch for a block."""
    touched = 0.0
    for first in range(begin, end, BLOCK):
        size = min(BLOCK, end - first)
        border = _find_cells(lon, lat, first, frame, tiles, words, codes, column, row, answer, word, open_, size)
        touched += _touch(words, word, vertices, open_, border)
        _answer(lon, lat, first, size, answer, rows, outside, winner, method, reason, by_layer)
        for p in range(border):
            i = open_[p]
            place = first + i
            west, south = (frame[2] + column[i]) / frame[0], (frame[3] + row[i]) / frame[1]
            winner[place], method[place] = _settle(
                words, word[i], vertices, layer_of, lon[place], lat[place], west, south, by_layer, place
            )  # fmt: skip
            reason[place] = FOUND if winner[place] >= 0 else outside
    return touched


@compiled
def locate(
    lon: np.ndarray,
    lat: np.ndarray,
    begin: int,
    end: int,
    frame: np.ndarray,
    tiles: np.ndarray,
    words: np.ndarray,
    codes: np.ndarray,
    rows: np.ndarray,
    vertices: np.ndarray,
    layer_of: np.ndarray,
    outside: int,
    winner: np.ndarray,
    method: np.ndarray,
    reason: np.ndarray,
    by_layer: np.ndarray,
) -> float:
    """The places `begin..end` have their winner, method, reason and the lowest grid of every layer.

    `outside` is the reason of a place that nobody covers; one that is not finite has NO_POSITION. What is returned means nothing.
    """
    column, row, answer, open_ = (
        np.empty(BLOCK, np.int32), np.empty(BLOCK, np.int32), np.empty(BLOCK, np.int32), np.empty(BLOCK + 1, np.int32)
    )  # fmt: skip
    word = np.empty(BLOCK, np.int64)
    return _locate(
        lon, lat, begin, end, frame, tiles, words, codes, rows, vertices, layer_of, outside,
        winner, method, reason, by_layer, column, row, answer, open_, word,
    )  # fmt: skip


@lean
def locate_one(
    lon: float,
    lat: float,
    frame: np.ndarray,
    tiles: np.ndarray,
    words: np.ndarray,
    codes: np.ndarray,
    rows: np.ndarray,
    vertices: np.ndarray,
    layer_of: np.ndarray,
    by_layer: np.ndarray,
) -> tuple[int, int]:
    """(winner, method) of one place; `by_layer`, of shape (layers, 1), holds the lowest grid of every layer."""
    column = _cell(lon, frame[0], frame[2], frame[4])
    row = _cell(lat, frame[1], frame[3], frame[5])
    tile = tiles[(row >> BITS) * int(frame[4]) + (column >> BITS)]
    word = 0
    answer = tile
    if tile < 0:
        word = _word_of(tile, column, row, words, codes)
        answer = words[word]
    own = rows[answer if answer >= 0 else -1 - answer]
    for layer in range(by_layer.shape[0]):
        by_layer[layer, 0] = own[1 + layer]
    if answer >= 0:
        return own[0], INSIDE if own[0] >= 0 else NONE
    west, south = (frame[2] + column) / frame[0], (frame[3] + row) / frame[1]
    return _settle(words, word, vertices, layer_of, lon, lat, west, south, by_layer, 0)
