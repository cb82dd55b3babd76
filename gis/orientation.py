"""Orientation: on which side of an edge a place lies, exactly, in float64.

A fast product decides whenever its error bound allows it (Shewchuk 1997, the bound of `orient2d`); else the sign is taken
from exact sums of products. Exact as long as no product of two differences underflows, which differences above 1e-140 degrees
guarantee; degrees never overflow.
"""

from __future__ import annotations

import numpy as np

from gis.compiled import compiled, lean

#: (3 + 16 u) u with u = 2**-53: below this share of the summands the sign of the fast determinant may be wrong.
BOUND = 3.3306690738754716e-16

#: 2**27 + 1 splits a double into two halves whose products are exact (Dekker 1971).
_SPLIT = 134217729.0


@lean
def product(a: float, b: float) -> tuple[float, float]:
    """(rounded product, its error): their sum is a * b exactly."""
    rounded = a * b
    scaled = _SPLIT * a
    high_a = scaled - (scaled - a)
    low_a = a - high_a
    scaled = _SPLIT * b
    high_b = scaled - (scaled - b)
    low_b = b - high_b
    return rounded, low_a * low_b - (((rounded - high_a * high_b) - low_a * high_b) - high_a * low_b)


@lean
def difference(a: float, b: float) -> tuple[float, float]:
    """(rounded difference, its error): their sum is a - b exactly."""
    rounded = a - b
    virtual = a - rounded
    return rounded, (a - (rounded + virtual)) + (virtual - b)


@compiled
def _sign_of_sum(terms: np.ndarray) -> int:
    """The sign of an exact sum: the terms are added one by one to an expansion without overlap (Shewchuk's GROW-EXPANSION)."""
    parts = np.zeros(terms.size)
    for i in range(terms.size):
        carried = terms[i]
        for k in range(i):
            total = carried + parts[k]
            virtual = total - carried
            parts[k] = (carried - (total - virtual)) + (parts[k] - virtual)
            carried = total
        parts[i] = carried
    for i in range(terms.size - 1, -1, -1):
        if parts[i] != 0.0:
            return 1 if parts[i] > 0.0 else -1
    return 0


@compiled
def _sign_of_tails(left: np.ndarray, right: np.ndarray) -> int:
    """The sign of (u + u')(v + v') - (w + w')(z + z'), where `left` is u, u', v, v' and `right` w, w', z, z'."""
    terms = np.empty(16)
    at = 0
    for i in range(2):
        for k in range(2, 4):
            terms[at + 1], terms[at] = product(left[i], left[k])
            terms[at + 3], terms[at + 2] = product(-right[i], right[k])
            at += 4
    return _sign_of_sum(terms)


@compiled
def _exact(ax: float, ay: float, bx: float, by: float, x: float, y: float) -> int:
    u, u_tail = difference(bx, ax)
    v, v_tail = difference(y, ay)
    w, w_tail = difference(by, ay)
    z, z_tail = difference(x, ax)
    if u_tail != 0.0 or v_tail != 0.0 or w_tail != 0.0 or z_tail != 0.0:
        return _sign_of_tails(np.array([u, u_tail, v, v_tail]), np.array([w, w_tail, z, z_tail]))
    left, left_tail = product(u, v)
    right, right_tail = product(w, z)
    # Rounding is monotonous: unequal rounded products decide, else their errors do.
    if left == right:
        left, right = left_tail, right_tail
    return int(left > right) - int(left < right)


@lean
def orientation(ax: float, ay: float, bx: float, by: float, x: float, y: float) -> int:
    """1 when the place (x, y) lies left of the edge from a to b, -1 right of it, 0 exactly on its line."""
    left = (bx - ax) * (y - ay)
    right = (by - ay) * (x - ax)
    determinant = left - right
    bound = BOUND * (abs(left) + abs(right))
    if determinant > bound:
        return 1
    if determinant < -bound:
        return -1
    return _exact(ax, ay, bx, by, x, y)


@lean
def side(ax: float, ay: float, bx: float, by: float, x: float, y: float) -> int:
    """The orientation of a place moved up by e and right by e' << e, both as small as need be: 1 or -1, never 0."""
    found = orientation(ax, ay, bx, by, x, y)
    if found != 0:
        return found
    if bx != ax:
        return 1 if bx > ax else -1
    return -1 if by > ay else 1
