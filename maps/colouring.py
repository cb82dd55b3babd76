"""Neighbours get different colours: a small graph colouring for polygons of one layer."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt


def neighbours(geometry: npt.NDArray[np.object_]) -> npt.NDArray[np.intp]:
    """Pairs (i < j) of polygons that touch or overlap, by true shape; shape (n, 2), sorted."""
    import shapely

    left, right = shapely.STRtree(geometry).query(geometry)
    once = left < right
    left, right = left[once], right[once]
    shapely.prepare(geometry)
    touch = shapely.intersects(geometry[left], geometry[right])
    pairs = np.column_stack([left[touch], right[touch]])
    return pairs[np.lexsort((pairs[:, 1], pairs[:, 0]))].astype(np.intp)


def colours(count: int, pairs: npt.NDArray[np.intp], palette: int) -> npt.NDArray[np.uint8]:
    """One palette index a polygon, so that the two of a pair differ; shape (count,).

    DSATUR (Brélaz 1979): the polygon with most colours around it goes next, ties by degree and then by index, so equal
    input gives equal colours. Planar partitions need at most five or six; where `palette` does not suffice the colour
    with the fewest equal neighbours is taken. Among the free colours the least used one wins, for a balanced sheet.
    """
    around: list[list[int]] = [[] for _ in range(count)]
    for a, b in pairs.tolist():
        around[a].append(b)
        around[b].append(a)
    given = np.full(count, 255, dtype=np.uint8)
    seen = np.zeros((count, palette), dtype=np.int32)
    used = np.zeros(palette, dtype=np.int64)
    for chosen in _saturation_order(around, seen):
        best = int(np.lexsort((np.arange(palette), used, seen[chosen]))[0])
        given[chosen] = best
        used[best] += 1
        seen[around[chosen], best] += 1
    return given


def _saturation_order(around: list[list[int]], seen: npt.NDArray[np.int32]) -> Any:
    """Yields every index once, most saturated first; `seen` is filled by the caller between two yields."""
    import heapq

    done = [False] * len(around)
    heap = [(0, -len(near), i) for i, near in enumerate(around)]
    heapq.heapify(heap)
    while heap:
        saturation, _, i = heapq.heappop(heap)
        if done[i] or -saturation < int((seen[i] > 0).sum()):
            continue  # an older entry: a newer one with more colours around it is in the heap
        done[i] = True
        yield i
        for j in around[i]:
            if not done[j]:
                heapq.heappush(heap, (-int((seen[j] > 0).sum()), -len(around[j]), j))
