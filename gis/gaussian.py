"""How much of a circular Gaussian lies in a polygon: compiled loops. Importing this module loads numba, so it is imported late.

In units of sigma, with the centre at the origin, F = (1 - exp(-r²/2)) / (2π r²) · (x, y) has the divergence exp(-r²/2) / 2π, the
Gaussian's density, and is smooth everywhere. By Gauss's theorem the mass of a polygon is the sum over its directed edges of

    h / 2π ∫ (1 - exp(-(h² + s²)/2)) / (h² + s²) ds  =  sweep / 2π - [T(h, s₁/h) - T(h, s₀/h)],

h being the signed distance of the edge's line from the centre, s the place along it, sweep the angle under which the edge is seen
and T Owen's function (D. B. Owen, Ann. Math. Stat. 27, 1956, 1075-1090; the triangle form: A. R. DiDonato, M. G. Jarnagin and
R. K. Hageman, SIAM J. Sci. Stat. Comput. 1, 1980, 179-186). Beyond REACH only the sweep is left. An edge that crosses the whole
circle has the closed form sweep / 2π - sign(h) · erfc(|h|/√2) / 2; the others are integrated by Gauss and Legendre's rule. No
predicate is asked and no case is special: a centre on an edge or on a vertex is as good as any other. Shells run counter-clockwise,
holes clockwise.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from gis.compiled import compiled

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

#: Beyond so many sigmas nothing is counted: exp(-REACH²/2) = 1.5e-8.
REACH = 6.0

#: Nodes and weights of Gauss and Legendre's rule on -1..1, for pieces of at most so many sigmas; an edge's error stays below 1e-9.
_TINY, _SHORT, _LONG = 0.1, 0.5, 3.0
_NODES_2, _WEIGHTS_2 = np.polynomial.legendre.leggauss(2)
_NODES_3, _WEIGHTS_3 = np.polynomial.legendre.leggauss(3)
_NODES_8, _WEIGHTS_8 = np.polynomial.legendre.leggauss(8)

#: Below this r² the series of (1 - exp(-r²/2)) / r² is more exact than the difference.
_SERIES = 1e-4


@compiled
def _field(u: float) -> float:
    """(1 - exp(-u/2)) / u for u = r²."""
    return 0.5 - 0.125 * u if u < _SERIES else (1.0 - math.exp(-0.5 * u)) / u


@compiled
def _short(ax: float, ay: float, dx: float, dy: float, nodes: Floats, weights: Floats) -> float:
    """∫ (1 - exp(-r²/2)) / r² dt over the points a + t d, t from 0 to 1; times a × d it is what the edge adds, for h ds = a × d dt."""
    total = 0.0
    for node, weight in zip(nodes, weights):  # noqa: B905 - numba knows no strict
        t = 0.5 + 0.5 * node
        x, y = ax + t * dx, ay + t * dy
        total += weight * _field(x * x + y * y)
    return 0.5 * total


@compiled
def _integral(h: float, low: float, high: float) -> float:
    """∫ (1 - exp(-(h² + s²)/2)) / (h² + s²) ds from low to high."""
    pieces = math.ceil((high - low) / _LONG)
    half, total = 0.5 * (high - low) / pieces, 0.0
    for piece in range(pieces):
        middle = low + (2 * piece + 1) * half
        for node, weight in zip(_NODES_8, _WEIGHTS_8):  # noqa: B905
            s = middle + half * node
            total += weight * _field(h * h + s * s)
    return half * total


@compiled
def _long(ax: float, ay: float, bx: float, by: float, length: float) -> float:
    """2π times the mass that an edge of any length adds: within reach the integral or the closed form, beyond it the sweep."""
    cross, dot = ax * by - ay * bx, ax * bx + ay * by
    h, start = cross / length, (ax * (bx - ax) + ay * (by - ay)) / length
    end = start + length
    chord = math.sqrt(max(REACH * REACH - h * h, 0.0))
    low, high = max(start, -chord), min(end, chord)
    if low >= high:
        return math.atan2(cross, dot)
    if start < low and high < end:
        return math.atan2(cross, dot) - math.copysign(math.pi * math.erfc(abs(h) * math.sqrt(0.5)), cross)
    before = math.atan2(h * (low - start), h * h + start * low)
    after = math.atan2(h * (end - high), h * h + high * end)
    return before + h * _integral(h, low, high) + after


@compiled
def _edge(ax: float, ay: float, bx: float, by: float) -> float:
    """2π times the mass that the edge from a to b adds, in sigmas from the centre."""
    dx, dy = bx - ax, by - ay
    squared = dx * dx + dy * dy
    if squared <= _TINY * _TINY:
        return (ax * dy - ay * dx) * _short(ax, ay, dx, dy, _NODES_2, _WEIGHTS_2)
    if squared <= _SHORT * _SHORT:
        return (ax * dy - ay * dx) * _short(ax, ay, dx, dy, _NODES_3, _WEIGHTS_3)
    return _long(ax, ay, bx, by, math.sqrt(squared))


@compiled
def mass(vertices: Floats, runs: Ints, boxes: Floats, lon: float, lat: float, per_lon: float, per_lat: float) -> float:
    """The share of the Gaussian round (lon, lat) that lies in the polygon; `per_lon`, `per_lat`: sigmas a degree.

    `vertices`: (n, 2) lon, lat; run r goes from vertex runs[r, 0] to vertex runs[r, 1] within the box boxes[r] (west, south, east,
    north). A run whose box is out of reach is seen under the angle between its ends, for the box does not surround the centre.
    """
    total = 0.0
    for run in range(len(runs)):
        first, last = runs[run, 0], runs[run, 1]
        ax, ay = (vertices[first, 0] - lon) * per_lon, (vertices[first, 1] - lat) * per_lat
        x = max((boxes[run, 0] - lon) * per_lon, (lon - boxes[run, 2]) * per_lon, 0.0)
        y = max((boxes[run, 1] - lat) * per_lat, (lat - boxes[run, 3]) * per_lat, 0.0)
        if x * x + y * y > REACH * REACH:
            bx, by = (vertices[last, 0] - lon) * per_lon, (vertices[last, 1] - lat) * per_lat
            total += math.atan2(ax * by - ay * bx, ax * bx + ay * by)
            continue
        for k in range(first + 1, last + 1):
            bx, by = (vertices[k, 0] - lon) * per_lon, (vertices[k, 1] - lat) * per_lat
            total += _edge(ax, ay, bx, by)
            ax, ay = bx, by
    return min(max(total / (2.0 * math.pi), 0.0), 1.0)


@compiled
def masses(
    vertices: Floats, runs: Ints, boxes: Floats, lon: Floats, lat: Floats, per_lon: Floats, per_lat: Floats, out: Floats
) -> None:
    """`out[i]` is the mass round place i; the same bits as `mass` gives one by one."""
    for i in range(len(lon)):
        out[i] = mass(vertices, runs, boxes, lon[i], lat[i], per_lon[i], per_lat[i])
