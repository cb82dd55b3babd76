"""Edges by tile: which edges touch a tile, and which grids cover a whole tile or the corner of one.

Everything works on a `window` of tiles (first column, last column, first row, last row, all inclusive), the whole lattice or a
part of it; tiles are numbered row by row within the window.
"""

from __future__ import annotations

import numpy as np

from gis.celllayout import SIDE, columns_of, is_edge, rows_of
from gis.compiled import compiled, lean
from gis.orientation import side


@lean
def in_tiles(lon: float, scale: float, first: float) -> float:
    """A coordinate in tiles from the lattice's first one."""
    return (lon * scale - first) / SIDE


@lean
def extent(vertices: np.ndarray) -> tuple[float, float, float, float, float, float, int]:
    """(west, south, east, north, degrees that all edges run east or west, north or south, number of edges)."""
    west, south, east, north, wide, high, edges = np.inf, np.inf, -np.inf, -np.inf, 0.0, 0.0, 0
    for k in range(vertices.shape[0] - 1):
        x, y = vertices[k, 0], vertices[k, 1]
        if x == x:
            west, east, south, north = min(west, x), max(east, x), min(south, y), max(north, y)
        if is_edge(vertices, k):
            wide += abs(vertices[k + 1, 0] - x)
            high += abs(vertices[k + 1, 1] - y)
            edges += 1
    return west, south, east, north, wide, high, edges


@lean
def _list_edge(
    vertices: np.ndarray,
    k: int,
    grid: int,
    frame: np.ndarray,
    window: np.ndarray,
    start: np.ndarray,
    edge: np.ndarray,
    owner: np.ndarray,
) -> None:
    """Edge k is counted, or written, in every tile of the window that it may touch."""
    ax, bx = in_tiles(vertices[k, 0], frame[0], frame[2]), in_tiles(vertices[k + 1, 0], frame[0], frame[2])
    ay, by = in_tiles(vertices[k, 1], frame[1], frame[3]), in_tiles(vertices[k + 1, 1], frame[1], frame[3])
    low, high = rows_of(ay, by)
    left, right = rows_of(ax, bx)
    for row in range(max(low, window[2]), min(high, window[3]) + 1):
        west, east = left, right
        if left < right and low < high:  # slanting: not all columns in every row
            west, east = columns_of(ax, ay, bx, by, row)
        for column in range(max(west, window[0]), min(east, window[1]) + 1):
            tile = (row - window[2]) * (window[1] - window[0] + 1) + column - window[0]
            if edge.size == 0:
                start[tile + 2] += 1
            else:
                edge[start[tile + 1]] = k
                owner[start[tile + 1]] = grid
                start[tile + 1] += 1


@lean
def list_edges(
    vertices: np.ndarray,
    first: np.ndarray,
    stop: np.ndarray,
    grids: np.ndarray,
    frame: np.ndarray,
    window: np.ndarray,
    start: np.ndarray,
    edge: np.ndarray,
    owner: np.ndarray,
) -> None:
    """Tile t of the window has the edges `edge[start[t]:start[t + 1]]`, of grids `owner`, both ascending.

    Called twice: with empty `edge` it counts into `start` (tiles + 2 zeros) and adds up, so that the second call can fill.
    """
    for g in grids:
        for k in range(first[g], stop[g] - 1):
            if is_edge(vertices, k):
                _list_edge(vertices, k, g, frame, window, start, edge, owner)
    if edge.size == 0:
        for tile in range(2, start.size):
            start[tile] += start[tile - 1]


@lean
def _toggle(ax: float, ay: float, bx: float, by: float, frame: np.ndarray, box: np.ndarray, parity: np.ndarray) -> None:
    """Every corner row that the edge passes is marked at the first column that has the edge on its left; exact."""
    if ay > by:
        ax, ay, bx, by = bx, by, ax, ay
    low, high = rows_of(in_tiles(ay, frame[1], frame[3]), in_tiles(by, frame[1], frame[3]))
    for row in range(max(low + 1, box[2]), min(high, box[3]) + 1):
        y = (frame[3] + row * SIDE) / frame[1]
        if (ay > y) == (by > y):
            continue
        x = ax + (bx - ax) * ((y - ay) / (by - ay))
        column = int(np.floor(in_tiles(x, frame[0], frame[2]))) + 1
        while side(ax, ay, bx, by, (frame[2] + column * SIDE) / frame[0], y) > 0:
            column += 1
        while side(ax, ay, bx, by, (frame[2] + (column - 1) * SIDE) / frame[0], y) < 0:
            column -= 1
        if column <= box[1]:
            parity[row - box[2], max(column, box[0]) - box[0]] ^= 1


@compiled
def _box(vertices: np.ndarray, first: int, stop: int, frame: np.ndarray, window: np.ndarray) -> np.ndarray:
    """The tiles of the window that a grid's bounding box meets, as a window; empty when last < first."""
    west, east, south, north = np.inf, -np.inf, np.inf, -np.inf
    for k in range(first, stop):
        x, y = vertices[k, 0], vertices[k, 1]
        if x == x:
            west, east, south, north = min(west, x), max(east, x), min(south, y), max(north, y)
    box = np.empty(4, np.int64)
    box[0], box[1], box[2], box[3] = 0, -1, 0, -1
    if west <= east:
        box[0] = max(int(np.floor(in_tiles(west, frame[0], frame[2]))) - 1, window[0])
        box[1] = min(int(np.floor(in_tiles(east, frame[0], frame[2]))) + 1, window[1])
        box[2] = max(int(np.floor(in_tiles(south, frame[1], frame[3]))) - 1, window[2])
        box[3] = min(int(np.floor(in_tiles(north, frame[1], frame[3]))) + 1, window[3])
    return box


@lean
def _first_of(owner: np.ndarray, low: int, high: int, grid: int) -> int:
    """The first position in a tile's edges that belongs to a grid, or -1."""
    end = high
    while low < high:
        middle = (low + high) // 2
        if owner[middle] < grid:
            low = middle + 1
        else:
            high = middle
    return low if low < end and owner[low] == grid else -1


@compiled
def _parities(vertices: np.ndarray, first: int, stop: int, frame: np.ndarray, box: np.ndarray) -> np.ndarray:
    """1 where the south-west corner of a tile of the box lies inside the grid with these vertices; rows by columns."""
    parity = np.zeros((box[3] - box[2] + 1, box[1] - box[0] + 1), np.uint8)
    for k in range(first, stop - 1):
        if is_edge(vertices, k) and vertices[k, 1] != vertices[k + 1, 1]:
            _toggle(vertices[k, 0], vertices[k, 1], vertices[k + 1, 0], vertices[k + 1, 1], frame, box, parity)
    for row in range(parity.shape[0]):
        for column in range(1, parity.shape[1]):
            parity[row, column] ^= parity[row, column - 1]
    return parity


@compiled
def mark_inside(
    vertices: np.ndarray,
    first: np.ndarray,
    stop: np.ndarray,
    grids: np.ndarray,
    layer_of: np.ndarray,
    frame: np.ndarray,
    window: np.ndarray,
    start: np.ndarray,
    owner: np.ndarray,
    inside: np.ndarray,
    full: np.ndarray,
) -> None:
    """Every tile knows which grids cover its corner, or all of it.

    `inside[e]` tells of a grid's first edge e in a tile whether the tile's south-west corner lies inside the grid;
    `full[t, layer]` is the lowest grid that covers tile t and has no edge in it.
    """
    width = window[1] - window[0] + 1
    for g in grids:
        box = _box(vertices, first[g], stop[g], frame, window)
        if box[1] < box[0] or box[3] < box[2]:
            continue
        parity = _parities(vertices, first[g], stop[g], frame, box)
        for row in range(parity.shape[0]):
            for column in range(parity.shape[1]):
                tile = (row + box[2] - window[2]) * width + column + box[0] - window[0]
                at = _first_of(owner, start[tile], start[tile + 1], g)
                if at >= 0:
                    inside[at] = parity[row, column]
                elif parity[row, column] == 1 and g < full[tile, layer_of[g]]:
                    full[tile, layer_of[g]] = g
