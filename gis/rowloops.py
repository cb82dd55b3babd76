"""Cells of many columns laid into rows: compiled loops. Importing this module loads numba, so it is imported late.

Cell i of column c is the bytes start[c, i] .. start[c, i] + size[c, i] - 1 of `data`; a size below 0 is no value at all.
"""

from __future__ import annotations

import numpy as np

from gis.compiled import compiled


@compiled
def lay_rows(data: np.ndarray, start: np.ndarray, size: np.ndarray, out: np.ndarray) -> int:
    """Row after row is in `out`: how many cells (16 bits), and each cell behind its size (32 bits). Returns the bytes written.

    Numbers have their highest byte first; no value is the size -1.
    """
    columns, rows = size.shape
    at = 0
    for i in range(rows):
        out[at], out[at + 1] = columns >> 8, columns & 255
        at += 2
        for c in range(columns):
            many, begin = size[c, i], start[c, i]
            out[at], out[at + 1] = (many >> 24) & 255, (many >> 16) & 255
            out[at + 2], out[at + 3] = (many >> 8) & 255, many & 255
            at += 4
            for k in range(many):
                out[at + k] = data[begin + k]
            at += max(many, 0)
    return at
