"""Areas: the cells of a tile that borders cross, packed as `gis.celllayout` says."""

from __future__ import annotations

import numpy as np

from gis.celllayout import ALIGN, BITS, CELLS, FREE, HEAD, SIDE, columns_of, row_number, rows_of
from gis.compiled import compiled
from gis.orientation import side

#: More edges than this in one layer of a cell are not searched for a grid that needs no test.
_FEW = 64


@compiled
def _sort_by_cell(
    vertices: np.ndarray, edge: np.ndarray, frame: np.ndarray, west: float, south: float
) -> tuple[np.ndarray, np.ndarray]:
    """(start, item): cell c of the tile is touched by the edges number `item[start[c]:start[c + 1]]` of `edge`, ascending."""
    start = np.zeros(CELLS + 2, np.int64)
    item = np.empty(0, np.int32)
    for turn in range(2):
        for number in range(edge.size):
            k = edge[number]
            ax, bx = (vertices[k, 0] - west) * frame[0], (vertices[k + 1, 0] - west) * frame[0]
            ay, by = (vertices[k, 1] - south) * frame[1], (vertices[k + 1, 1] - south) * frame[1]
            low, high = rows_of(ay, by)
            for row in range(max(low, 0), min(high, SIDE - 1) + 1):
                first, last = columns_of(ax, ay, bx, by, row)
                for column in range(max(first, 0), min(last, SIDE - 1) + 1):
                    cell = (row << BITS) + column
                    if turn == 0:
                        start[cell + 2] += 1
                    else:
                        item[start[cell + 1]] = number
                        start[cell + 1] += 1
        if turn == 0:
            for cell in range(2, CELLS + 2):
                start[cell] += start[cell - 1]
            item = np.empty(start[CELLS + 1], np.int32)
    return start, item


@compiled
def _corners_of_row(
    vertices: np.ndarray, edge: np.ndarray, frame: np.ndarray, west: float, y: float, south: float
) -> int:
    """Bit i: does the way from the tile's corner, up its west side and along row y to column i, cross an odd number of edges."""
    odd = 0
    for k in edge:
        ax, ay, bx, by = vertices[k, 0], vertices[k, 1], vertices[k + 1, 0], vertices[k + 1, 1]
        if ay > by:
            ax, ay, bx, by = bx, by, ax, ay
        if (ax > west) != (bx > west) and side(ax, ay, bx, by, west, y) != side(ax, ay, bx, by, west, south):
            odd ^= 0xFF
        if (ay > y) == (by > y):
            continue
        # The edge leads upwards. Where the row begins right of it, no corner of the row has it on its way.
        if side(ax, ay, bx, by, west, y) < 0:
            continue
        for column in range(1, SIDE):
            if side(ax, ay, bx, by, west + column / frame[0], y) < 0:
                odd ^= (0xFF << column) & 0xFF
                break
    return odd


@compiled
def _corners(
    vertices: np.ndarray, edge: np.ndarray, frame: np.ndarray, west: float, south: float, inside: int
) -> np.uint64:
    """Bit c: does the south-west corner of cell c lie inside the grid whose edges these are."""
    found = np.uint64(0)
    for row in range(SIDE):
        odd = _corners_of_row(vertices, edge, frame, west, south + row / frame[1], south)
        if inside == 1:
            odd ^= 0xFF
        found |= np.uint64(odd) << np.uint64(row << BITS)
    return found


@compiled
def _same_edge(vertices: np.ndarray, i: int, k: int) -> bool:
    """Whether two edges join the same two vertices, in either direction."""
    forth = backward = True
    for axis in range(2):
        forth &= vertices[i, axis] == vertices[k, axis] and vertices[i + 1, axis] == vertices[k + 1, axis]
        backward &= vertices[i, axis] == vertices[k + 1, axis] and vertices[i + 1, axis] == vertices[k, axis]
    return forth or backward


@compiled
def _paired(vertices: np.ndarray, edge: np.ndarray, number: np.ndarray) -> bool:
    """Whether every edge is there twice, each time once for each of two grids; `number[i]` is edge i's grid in the tile."""
    alone = np.ones(edge.size, np.uint8)
    for i in range(edge.size):
        if alone[i] == 0:
            continue
        found = False
        for k in range(i + 1, edge.size):
            if alone[k] == 1 and number[i] != number[k] and _same_edge(vertices, edge[i], edge[k]):
                alone[k] = 0
                found = True
                break
        if not found:
            return False
    return True


@compiled
def _needs_no_test(vertices: np.ndarray, edge: np.ndarray, number: np.ndarray, odd: np.ndarray) -> bool:
    """Whether the last of a layer's grids in a cell covers all that the others leave.

    So it is when some of the last grids share all their edges pairwise and an odd number of them covers the cell's corner: then
    everywhere an odd number does. On an edge of the last one there is another that covers, too.
    """
    if edge.size > _FEW:
        return False
    begin, last = 0, number[edge.size - 1]
    while number[begin] != last:
        inside, previous = 0, -1
        for i in range(begin, edge.size):
            if number[i] != previous:
                previous = number[i]
                inside ^= odd[previous]
        if inside == 1 and _paired(vertices, edge[begin:], number[begin:]):
            return True
        leading = number[begin]
        while number[begin] == leading:
            begin += 1
    return False


@compiled
def _write_runs(words: np.ndarray, at: int, edge: np.ndarray) -> int:
    """The runs of one grid's ascending edges stand from word `at` on; returns the word after them."""
    begin = 0
    for i in range(1, edge.size + 1):
        if i < edge.size and edge[i] == edge[i - 1] + 1:
            continue
        words[at] = edge[begin]
        words[at + 1] = 2 * (i - begin) + (1 if i < edge.size else 0)
        at += 2
        begin = i
    return at


@compiled
def _write_grids(
    words: np.ndarray, at: int, edge: np.ndarray, number: np.ndarray, grid: np.ndarray, odd: np.ndarray, previous: int
) -> tuple[int, int]:
    """The grids of one layer follow each other from word `at` on; returns the word after them and that of the last grid.

    `previous` is the word of the grid before them in the record, or -1: it learns that another one follows.
    """
    begin = 0
    for i in range(1, edge.size + 1):
        if i < edge.size and number[i] == number[begin]:
            continue
        if previous >= 0:
            words[previous] |= 1
        previous = at
        words[at] = grid[number[begin]] * 4 + odd[number[begin]] * 2
        at = _write_runs(words, at + 1, edge[begin:i])
        begin = i
    return at, previous


@compiled
def _write_cell(
    vertices: np.ndarray,
    words: np.ndarray,
    at: int,
    edge: np.ndarray,
    number: np.ndarray,
    grid: np.ndarray,
    layer_of: np.ndarray,
    odd: np.ndarray,
    answer: np.ndarray,
) -> int:
    """The record of one cell stands from word `at` on, all but its first word; `answer` becomes what that word says.

    `answer` comes in as the lowest grid of every layer that covers the whole cell. Returns the word after the record; it is
    `at + 1` when no grid needs a test.
    """
    end, previous = at + 1, -1
    begin = 0
    while begin < edge.size:
        layer = layer_of[grid[number[begin]]]
        stop, tested = begin, begin
        while stop < edge.size and layer_of[grid[number[stop]]] == layer:
            stop += 1
            if grid[number[stop - 1]] < answer[layer]:  # above a grid that covers everything nobody can win
                tested = stop
        if tested > begin:
            if answer[layer] == FREE and _needs_no_test(vertices, edge[begin:tested], number[begin:tested], odd):
                last = number[tested - 1]
                answer[layer] = grid[last]
                while number[tested - 1] == last:
                    tested -= 1
            end, previous = _write_grids(
                words, end, edge[begin:tested], number[begin:tested], grid, odd, previous
            )  # fmt: skip
        begin = stop
    return end


@compiled
def _grids_of(owner: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(grid, begin): the grids among a tile's edges and where each one's edges begin, with the end behind."""
    count = 1
    for k in range(1, owner.size):
        count += owner[k] != owner[k - 1]
    grid, begin = np.empty(count, np.int64), np.empty(count + 1, np.int64)
    at = 0
    for k in range(owner.size):
        if k == 0 or owner[k] != owner[k - 1]:
            grid[at], begin[at] = owner[k], k
            at += 1
    begin[count] = owner.size
    return grid, begin


@compiled
def _covered_cells(number: np.ndarray, start: np.ndarray, item: np.ndarray, corners: np.ndarray) -> np.ndarray:
    """Per grid the cells that it covers wholly, as bits: its corner lies inside and no edge of it touches the cell."""
    touched = np.zeros(corners.size, np.uint64)
    for cell in range(CELLS):
        for k in range(start[cell], start[cell + 1]):
            touched[number[item[k]]] |= np.uint64(1) << np.uint64(cell)
    return corners & ~touched


@compiled
def _uniform(words: np.ndarray, end: int, row: int, known: np.ndarray, count: int) -> tuple[int, int]:
    """The word that holds row `row` for cells of this area, written at `end` unless it is known; and the count known."""
    for k in range(count):
        if words[known[k]] == row:
            return known[k], count
    words[end] = row
    known[count] = end
    return end, count + 1


@compiled
def write_area(
    vertices: np.ndarray,
    edge: np.ndarray,
    owner: np.ndarray,
    inside: np.ndarray,
    full: np.ndarray,
    layer_of: np.ndarray,
    frame: np.ndarray,
    west: float,
    south: float,
    words: np.ndarray,
    codes: np.ndarray,
    area: int,
    rows: np.ndarray,
    slots: np.ndarray,
    used: np.ndarray,
) -> tuple[int, int]:
    """The area of one tile stands from word `area` on; returns (the word after it, 1 if it is wide), or (-1, 0) without room for it."""
    start, item = _sort_by_cell(vertices, edge, frame, west, south)
    grid, begin = _grids_of(owner)
    number = np.empty(edge.size, np.int32)
    corners = np.empty(grid.size, np.uint64)
    for g in range(grid.size):
        number[begin[g] : begin[g + 1]] = g
        corners[g] = _corners(vertices, edge[begin[g] : begin[g + 1]], frame, west, south, inside[begin[g]])
    covered = _covered_cells(number, start, item, corners)
    longest = HEAD + 2 * CELLS + 3 * item.size
    shift = 0
    while (longest + (CELLS << shift)) >> shift > 65535:
        shift += 1
    if area + longest + (CELLS << shift) > words.size:
        return -1, 0
    words[area + HEAD] = shift
    end, known, count = area + HEAD + min(shift, 1), np.empty(CELLS, np.int64), 0
    answer = np.empty(full.size, full.dtype)
    odd = np.empty(grid.size, np.int64)
    for cell in range(CELLS):
        answer[:] = full
        for g in range(grid.size):
            odd[g] = np.int64((corners[g] >> np.uint64(cell)) & np.uint64(1))
            if (covered[g] >> np.uint64(cell)) & np.uint64(1) and grid[g] < answer[layer_of[grid[g]]]:
                answer[layer_of[grid[g]]] = grid[g]
        end = area + (((end - area + (1 << shift) - 1) >> shift) << shift)
        here = item[start[cell] : start[cell + 1]]
        after = _write_cell(vertices, words, end, edge[here], number[here], grid, layer_of, odd, answer)
        row = row_number(answer, rows, slots, used)
        word, begun = end, after
        if after > end + 1:
            words[end] = -1 - row
        else:
            word, count = _uniform(words, end, row, known, count)
            begun = end + 1 if word == end else end
        codes[2 * area + cell] = (word - area) >> shift
        end = begun
    return area + -(-(end - area) // ALIGN) * ALIGN, min(shift, 1)


@compiled
def fill_tiles(
    vertices: np.ndarray,
    start: np.ndarray,
    edge: np.ndarray,
    owner: np.ndarray,
    inside: np.ndarray,
    full: np.ndarray,
    layer_of: np.ndarray,
    frame: np.ndarray,
    window: np.ndarray,
    tiles: np.ndarray,
    words: np.ndarray,
    codes: np.ndarray,
    rows: np.ndarray,
    slots: np.ndarray,
    used: np.ndarray,
    begin: int,
) -> int:
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
            tiles[at] = row_number(full[tile], rows, slots, used)
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
