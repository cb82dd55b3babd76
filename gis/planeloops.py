"""Polynomials in two variables over many places: compiled loops. Importing this module loads numba, so it is imported late."""

from __future__ import annotations

import numpy as np

from gis.compiled import compiled


@compiled
def evaluate(u: np.ndarray, v: np.ndarray, scale: np.ndarray, terms: np.ndarray, out: np.ndarray) -> None:
    """`out[i]` is Σ terms[axis, a, b] U^a V^b for both axes, U = (u[i] - scale[0]) scale[1], V = (v[i] - scale[2]) scale[3]."""
    most = terms.shape[1]
    for i in range(u.size):
        p, q = (u[i] - scale[0]) * scale[1], (v[i] - scale[2]) * scale[3]
        for axis in range(2):
            total = 0.0
            for a in range(most - 1, -1, -1):
                inner = 0.0
                for b in range(most - 1 - a, -1, -1):
                    inner = inner * q + terms[axis, a, b]
                total = total * p + inner
            out[i, axis] = total
