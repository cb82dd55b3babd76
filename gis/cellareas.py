"""Areas: the cells of a tile that borders cross, packed as `gis.celllayout` says."""

from __future__ import annotations

import numpy as np

from gis.celllayout import ALIGN, BITS, CELLS, FREE, HEAD, SIDE, columns_of, row_number, rows_of
from gis.compiled import compiled, lean
from gis.orientation import side

#: More edges than this in one layer of a cell are not searched for a grid that needs no test.
_FEW = 64


@lean
def _list_cells(
    vertices: np.ndarray, k: int, frame: np.ndarray, west: float, south: float, cells: np.ndarray, at: int
) -> int:
    """The cells of the tile that edge k may touch stand in `cells` from `at` on; returns the end of them."""
    ax, bx = (vertices[k, 0] - west) * frame[0], (vertices[k + 1, 0] - west) * frame[0]
    ay, by = (vertices[k, 1] - south) * frame[1], (vertices[k + 1, 1] - south) * frame[1]
    low, high = rows_of(ay, by)
    left, right = rows_of(ax, bx)
    for row in range(max(low, 0), min(high, SIDE - 1) + 1):
        first, last = left, right
        if left < right and low < high:  # slanting: not all columns in every row
            first, last = columns_of(ax, ay, bx, by, row)
        for column in range(max(first, 0), min(last, SIDE - 1) + 1):
            cells[at] = (row << BITS) + column
            at += 1
    return at


@compiled
def _sort_by_cell(
    vertices: np.ndarray, edge: np.ndarray, number: np.ndarray, frame: np.ndarray, west: float, south: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(start, edges, numbers): cell c of the tile is touched by `edges[start[c]:start[c + 1]]`, ascending, of the grids `numbers`."""
    start = np.zeros(CELLS + 2, np.int64)
    cells, until, used = np.empty(4 * edge.size + CELLS, np.uint8), np.empty(edge.size, np.int64), 0
    for i in range(edge.size):
        if used + CELLS > cells.size:
            more = np.empty(2 * cells.size, np.uint8)
            more[:used] = cells[:used]
            cells = more
        until[i] = _list_cells(vertices, edge[i], frame, west, south, cells, used)
        for k in range(used, until[i]):
            start[cells[k] + 2] += 1
        used = until[i]
    for cell in range(2, CELLS + 2):
        start[cell] += start[cell - 1]
    edges, numbers = np.empty(used, np.int32), np.empty(used, np.int32)
    first = 0
    for i in range(edge.size):
        for k in range(first, until[i]):
            at = start[cells[k] + 1]
            edges[at], numbers[at] = edge[i], number[i]
            start[cells[k] + 1] += 1
        first = until[i]
    return start, edges, numbers


@lean
def _first_column_right_of(ax: float, ay: float, bx: float, by: float, frame: np.ndarray, west: float, y: float) -> int:
    """The first of a tile's columns of corners that has the rising edge on its left at height y; SIDE for none."""
    x = ax + (bx - ax) * ((y - ay) / (by - ay))
    column = int(
        min(max(np.floor((x - west) * frame[0]) + 1.0, 0.0), float(SIDE))
    )  # a guess, made exact by what follows
    while column < SIDE and side(ax, ay, bx, by, west + column / frame[0], y) > 0:
        column += 1
    while column > 0 and side(ax, ay, bx, by, west + (column - 1) / frame[0], y) < 0:
        column -= 1
    return column


@lean
def _rows_beyond(ax: float, ay: float, bx: float, by: float, frame: np.ndarray, west: float, south: float) -> np.uint64:
    """All cells of the rows to which the way up the tile's west side crosses an edge, as bits."""
    below, found = side(ax, ay, bx, by, west, south), np.uint64(0)
    for row in range(1, SIDE):
        if side(ax, ay, bx, by, west, south + row / frame[1]) != below:
            found |= np.uint64(0xFF) << np.uint64(row << BITS)
    return found


@lean
def _corners(
    vertices: np.ndarray, edge: np.ndarray, begin: int, end: int, frame: np.ndarray, west: float,
    south: float, inside: int,
) -> np.uint64:  # fmt: skip
    """Bit c: does the south-west corner of cell c lie inside the grid whose edges are `edge[begin:end]`.

    The way leads from the tile's corner, which lies inside or not, up its west side and then along the row.
    """
    row_bits = np.uint64(0xFF)
    found = ~np.uint64(0) if inside == 1 else np.uint64(0)
    for i in range(begin, end):
        k = edge[i]
        ax, ay, bx, by = vertices[k, 0], vertices[k, 1], vertices[k + 1, 0], vertices[k + 1, 1]
        if ay > by:
            ax, ay, bx, by = bx, by, ax, ay
        if (ax > west) != (bx > west):
            found ^= _rows_beyond(ax, ay, bx, by, frame, west, south)
        low, high = rows_of((ay - south) * frame[1], (by - south) * frame[1])
        for row in range(max(low + 1, 0), min(high, SIDE - 1) + 1):
            y = south + row / frame[1]
            if (ay > y) == (by > y):
                continue
            # Where the row begins right of the edge (column 0), no corner of the row has it on its way.
            column = _first_column_right_of(ax, ay, bx, by, frame, west, y)
            if 0 < column < SIDE:
                found ^= ((row_bits << np.uint64(column)) & row_bits) << np.uint64(row << BITS)
    return found


@lean
def _same_edge(vertices: np.ndarray, i: int, k: int) -> bool:
    """Whether two edges join the same two vertices, in either direction."""
    x, y, u, v = vertices[i, 0], vertices[i, 1], vertices[i + 1, 0], vertices[i + 1, 1]
    if vertices[k, 0] == u and vertices[k, 1] == v and vertices[k + 1, 0] == x and vertices[k + 1, 1] == y:
        return True
    return bool(vertices[k, 0] == x and vertices[k, 1] == y and vertices[k + 1, 0] == u and vertices[k + 1, 1] == v)


@lean
def _paired(vertices: np.ndarray, edge: np.ndarray, number: np.ndarray, begin: int, end: int) -> bool:
    """Whether each of at most 64 edges is there twice, each time once for each of two grids; `number[i]` is edge i's grid."""
    paired = np.uint64(0)
    for i in range(begin, end):
        if (paired >> np.uint64(i - begin)) & np.uint64(1):
            continue
        found = False
        for k in range(i + 1, end):
            bit = np.uint64(1) << np.uint64(k - begin)
            if not paired & bit and number[i] != number[k] and _same_edge(vertices, edge[i], edge[k]):
                paired |= bit
                found = True
                break
        if not found:
            return False
    return True


@lean
def _odd(corners: np.ndarray, number: int, cell: int) -> int:
    """1 when the cell's corner lies inside the grid of this number."""
    return int((corners[number] >> np.uint64(cell)) & np.uint64(1))


@lean
def _needs_no_test(
    vertices: np.ndarray, edge: np.ndarray, number: np.ndarray, begin: int, end: int, corners: np.ndarray, cell: int
) -> bool:
    """Whether the last of a layer's grids in a cell, whose edges are `begin..end`, covers all that the others leave.

    So it is when some of the last grids share all their edges pairwise and an odd number of them covers the cell's corner: then
    everywhere an odd number does. On an edge of the last one there is another that covers, too.
    """
    if end - begin > _FEW:
        return False
    last = number[end - 1]
    while number[begin] != last:
        inside, previous = 0, -1
        for i in range(begin, end):
            if number[i] != previous:
                previous = number[i]
                inside ^= _odd(corners, previous, cell)
        if inside == 1 and _paired(vertices, edge, number, begin, end):
            return True
        leading = number[begin]
        while number[begin] == leading:
            begin += 1
    return False


@lean
def _write_runs(words: np.ndarray, at: int, edge: np.ndarray, begin: int, end: int) -> int:
    """The runs of one grid's ascending edges `begin..end` stand from word `at` on; returns the word after them."""
    for i in range(begin + 1, end + 1):
        if i < end and edge[i] == edge[i - 1] + 1:
            continue
        words[at] = edge[begin]
        words[at + 1] = 2 * (i - begin) + (1 if i < end else 0)
        at += 2
        begin = i
    return at


@lean
def _write_grids(
    words: np.ndarray, at: int, edge: np.ndarray, number: np.ndarray, begin: int, end: int, cell: int,
    grid: np.ndarray, corners: np.ndarray, previous: int,
) -> tuple[int, int]:  # fmt: skip
    """The grids of one layer follow each other from word `at` on; returns the word after them and that of the last grid.

    `previous` is the word of the grid before them in the record, or -1: it learns that another one follows.
    """
    while begin < end:
        own = begin
        while begin < end and number[begin] == number[own]:
            begin += 1
        if previous >= 0:
            words[previous] |= 1
        previous = at
        words[at] = grid[number[own]] * 4 + _odd(corners, number[own], cell) * 2
        at = _write_runs(words, at + 1, edge, own, begin)
    return at, previous


@lean
def _write_cell(
    vertices: np.ndarray, words: np.ndarray, at: int, edge: np.ndarray, number: np.ndarray, begin: int,
    end: int, cell: int, grid: np.ndarray, layer_of: np.ndarray, corners: np.ndarray, answer: np.ndarray,
) -> int:  # fmt: skip
    """The record of one cell, with edges `begin..end`, stands from word `at` on, all but its first word, which `answer` becomes.

    `answer` comes in as the lowest grid of every layer that covers the whole cell. Returns the word after the record; it is
    `at + 1` when no grid needs a test.
    """
    at, previous = at + 1, -1
    while begin < end:
        layer = layer_of[grid[number[begin]]]
        stop, tested = begin, begin
        while stop < end and layer_of[grid[number[stop]]] == layer:
            stop += 1
            if grid[number[stop - 1]] < answer[layer]:  # above a grid that covers everything nobody can win
                tested = stop
        if (
            tested > begin
            and answer[layer] == FREE
            and _needs_no_test(vertices, edge, number, begin, tested, corners, cell)
        ):
            last = number[tested - 1]
            answer[layer] = grid[last]
            while number[tested - 1] == last:
                tested -= 1
        at, previous = _write_grids(words, at, edge, number, begin, tested, cell, grid, corners, previous)
        begin = stop
    return at


@compiled
def _grids_of(owner: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(grid, begin, number): the grids among a tile's edges, where each one's edges begin, with the end behind, and each edge's grid."""
    count = 1
    for k in range(1, owner.size):
        count += owner[k] != owner[k - 1]
    grid, begin, number = np.empty(count, np.int64), np.empty(count + 1, np.int64), np.empty(owner.size, np.int32)
    at = -1
    for k in range(owner.size):
        if k == 0 or owner[k] != owner[k - 1]:
            at += 1
            grid[at], begin[at] = owner[k], k
        number[k] = at
    begin[count] = owner.size
    return grid, begin, number


@compiled
def _covered_cells(number: np.ndarray, start: np.ndarray, corners: np.ndarray) -> np.ndarray:
    """Per grid the cells that it covers wholly, as bits: its corner lies inside and no edge of it touches the cell."""
    covered = corners.copy()
    for cell in range(CELLS):
        rest = ~(np.uint64(1) << np.uint64(cell))
        for k in range(start[cell], start[cell + 1]):
            covered[number[k]] &= rest
    return covered


@lean
def _uniform(words: np.ndarray, end: int, row: int, known: np.ndarray, count: int) -> tuple[int, int]:
    """The word that holds row `row` for cells of this area, written at `end` unless it is known; and the count known."""
    for k in range(count - 1, -1, -1):
        if words[known[k]] == row:
            return known[k], count
    words[end] = row
    known[count] = end
    return end, count + 1


@lean
def _write_cells(
    vertices: np.ndarray, start: np.ndarray, edge: np.ndarray, number: np.ndarray, grid: np.ndarray,
    layer_of: np.ndarray, corners: np.ndarray, covered: np.ndarray, full: np.ndarray, words: np.ndarray,
    codes: np.ndarray, area: int, shift: int, rows: np.ndarray, slots: np.ndarray, used: np.ndarray,
    answer: np.ndarray, known: np.ndarray,
) -> int:  # fmt: skip
    """All cells of an area have their code and word; returns the word after the last record. `answer` and `known` are scratch."""
    end, row, count = area + HEAD + min(shift, 1), 0, 0
    for cell in range(CELLS):
        for layer in range(full.size):
            answer[layer] = full[layer]
        for g in range(grid.size):
            if _odd(covered, g, cell) and grid[g] < answer[layer_of[grid[g]]]:
                answer[layer_of[grid[g]]] = grid[g]
        end = area + (((end - area + (1 << shift) - 1) >> shift) << shift)
        word, begun = end, end + 1
        if start[cell] < start[cell + 1]:
            begun = _write_cell(
                vertices, words, end, edge, number, start[cell], start[cell + 1], cell, grid, layer_of, corners, answer
            )  # fmt: skip
        row = row_number(answer, rows, slots, used, row)
        if begun > end + 1:
            words[end] = -1 - row
        else:
            word, count = _uniform(words, end, row, known, count)
            begun = end + 1 if word == end else end
        codes[2 * area + cell] = (word - area) >> shift
        end = begun
    return end


@compiled
def write_area(
    vertices: np.ndarray, edge: np.ndarray, owner: np.ndarray, inside: np.ndarray, full: np.ndarray,
    layer_of: np.ndarray, frame: np.ndarray, west: float, south: float, words: np.ndarray, codes: np.ndarray,
    area: int, rows: np.ndarray, slots: np.ndarray, used: np.ndarray,
) -> tuple[int, int]:  # fmt: skip
    """The area of one tile stands from word `area` on; returns (the word after it, 1 if it is wide), or (-1, 0) without room for it."""
    grid, begin, number = _grids_of(owner)
    start, edges, numbers = _sort_by_cell(vertices, edge, number, frame, west, south)
    corners = np.empty(grid.size, np.uint64)
    for g in range(grid.size):
        corners[g] = _corners(vertices, edge, begin[g], begin[g + 1], frame, west, south, inside[begin[g]])
    covered = _covered_cells(numbers, start, corners)
    longest = HEAD + 2 * CELLS + 3 * edges.size
    shift = 0
    while (longest + (CELLS << shift)) >> shift > 65535:
        shift += 1
    if area + longest + (CELLS << shift) > words.size:
        return -1, 0
    words[area + HEAD] = shift
    end = _write_cells(
        vertices, start, edges, numbers, grid, layer_of, corners, covered, full, words, codes, area, shift,
        rows, slots, used, np.empty(full.size, full.dtype), np.empty(CELLS, np.int64),
    )  # fmt: skip
    return area + -(-(end - area) // ALIGN) * ALIGN, min(shift, 1)


@compiled
def fill_tiles(
    vertices: np.ndarray, start: np.ndarray, edge: np.ndarray, owner: np.ndarray, inside: np.ndarray,
    full: np.ndarray, layer_of: np.ndarray, frame: np.ndarray, window: np.ndarray, tiles: np.ndarray,
    words: np.ndarray, codes: np.ndarray, rows: np.ndarray, slots: np.ndarray, used: np.ndarray, begin: int,
) -> int:  # fmt: skip
    """The window's tiles from number `begin` on are settled; returns the first that is not, for want of room in `words` or `rows`.

    `used` counts the rows and the words in use.
    """
    width = window[1] - window[0] + 1
    for tile in range(begin, (window[3] - window[2] + 1) * width):
        if used[0] + CELLS + 1 > rows.shape[0]:
            return tile
        row, column = window[2] + tile // width, window[0] + tile % width
        low, high = start[tile], start[tile + 1]
        at = row * int(frame[4]) + column
        if low == high:
            tiles[at] = row_number(full[tile], rows, slots, used, 0)
            continue
        west, south = (frame[2] + column * SIDE) / frame[0], (frame[3] + row * SIDE) / frame[1]
        end, wide = write_area(
            vertices, edge[low:high], owner[low:high], inside[low:high], full[tile], layer_of, frame, west, south,
            words, codes, used[1], rows, slots, used,
        )  # fmt: skip
        if end < 0:
            return tile
        tiles[at] = -1 - (2 * (used[1] // ALIGN) + wide)
        used[1] = end
    return int((window[3] - window[2] + 1) * width)
