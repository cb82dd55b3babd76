"""Street joins: what makes one network of lines that nearly meet, and of networks that lie apart.

Two things are added to the lines of a file: short gaps, where a line ends beside the one it should meet, and jumps, straight lines
between parts of the network that nothing joins. Both are the shortest there are; metres throughout.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt
import shapely

from gis.fixes import Floats, Ints
from gis.partition import Geometries

#: A line that ends so near to another ends on it: what a computed place is off by, and more.
TOUCHING_M: Final = 0.01


def gaps(lines: Geometries, join_m: float) -> Geometries:
    """The straight lines from ends of lines to other lines that they miss by no more than `join_m`; none where they touch."""
    ends = np.concatenate([shapely.get_point(lines, 0), shapely.get_point(lines, -1)])
    at, other = shapely.STRtree(lines).query(ends, predicate="dwithin", distance=join_m)
    strange = at % len(lines) != other
    found: Geometries = shapely.shortest_line(ends[at[strange]], lines[other[strange]])
    missed: Geometries = found[shapely.length(found) > TOUCHING_M]
    return missed


def groups(count: int, pairs: Ints) -> Ints:
    """The lowest of all that each of 0 .. count - 1 hangs together with, itself included; `pairs` is (n, 2)."""
    import rustworkx as rx

    net = rx.PyGraph()
    net.add_nodes_from(range(count))
    net.add_edges_from_no_data([(int(a), int(b)) for a, b in pairs.tolist()])
    lowest = np.arange(count)
    for together in rx.connected_components(net):
        lowest[list(together)] = min(together)
    return lowest


def jumps(node: Floats, group: Ints) -> Ints:
    """The (k, 2) pairs of nodes whose straight lines join all groups with the fewest metres: a minimum spanning tree of the groups.

    The shortest line between two groups has no third node in the circle about it, so it is an edge of the Delaunay triangulation of
    the nodes (Gabriel 1969), and only these are looked at.
    """
    import rustworkx as rx

    names, number = np.unique(group, return_inverse=True)
    if len(names) < 2:
        return np.zeros((0, 2), np.int64)
    pairs = _neighbours(node)
    pairs = pairs[number[pairs[:, 0]] != number[pairs[:, 1]]]
    length = np.hypot(*(node[pairs[:, 0]] - node[pairs[:, 1]]).T)
    net = rx.PyGraph()
    net.add_nodes_from(range(len(names)))
    net.add_edges_from([(*number[pair].tolist(), i) for i, pair in enumerate(pairs)])
    taken = sorted(i for _, _, i in rx.minimum_spanning_edges(net, lambda i: float(length[i])))
    found: Ints = pairs[taken]
    return found


def _neighbours(node: Floats) -> Ints:
    """The (n, 2) pairs, lower first and in order, of nodes that are neighbours in the Delaunay triangulation; nodes are distinct.

    Four corners far outside make a triangulation also of nodes in one line; they lie in no circle about two nodes, so they take none
    of the pairs that matter.
    """
    middle = node - node.mean(axis=0)
    far = 4.0 * float(np.abs(middle).max()) + 1.0
    corners = far * np.array([[-1.0, -1.0], [-1.0, 1.0], [1.0, -1.0], [1.0, 1.0]])
    drawn = shapely.delaunay_triangles(shapely.multipoints(np.concatenate([middle, corners])), only_edges=True)
    ends = shapely.get_coordinates(shapely.get_parts(drawn)).view(np.complex128).reshape(-1, 2)
    spot = np.ascontiguousarray(middle).view(np.complex128).ravel()
    order = np.argsort(spot)
    at = np.minimum(np.searchsorted(spot[order], ends), len(spot) - 1)
    ours: npt.NDArray[np.bool_] = (spot[order][at] == ends).all(axis=1)
    return np.unique(np.sort(order[at[ours]], axis=1), axis=0)
