"""Exact nearest neighbours by blocked matrix products.

Each block of the matrix of squared distances is screened at the speed of the matrix product, by entries that are
bounds from below on the distances. What the screening lets through is scored again in float64 from the rows
themselves, and a row is settled where its k-th distance is below the bounds of everything that was left out; where it
is not, the row is searched again with a closer bound: from a few components, then in float32, then in float64, then
pair by pair. So the result is that of a brute-force search in float64, and a verbatim copy is at distance 0.

Cost: 2 N M d floating-point operations (half of it for a set against itself, less where a bound from few components
settles rows), memory bounded by a parameter.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from fourfold.errors import InputError
from fourfold.neighbors.blocks import Onlooker, checked
from fourfold.neighbors.distances import MetricName
from fourfold.neighbors.exclusion import Excluded
from fourfold.neighbors.narrowing import narrowed
from fourfold.neighbors.precision import Screening, precision_named
from fourfold.neighbors.pruning import Pruning, PruningChoice
from fourfold.neighbors.searching import Search

__all__ = ["Neighbors", "merged", "nearest", "searched"]


@dataclass(frozen=True)
class Neighbors:
    """The nearest points of each query, nearest first.

    Parameters
    ----------
    distances : array, shape (n, k)
        float64; infinity where there are fewer than k points.
    indices : array, shape (n, k)
        int64 row numbers of the points; -1 where there are fewer.
    pruning : Pruning
        What the search was spared; it has no influence on the above.
    """

    distances: np.ndarray
    indices: np.ndarray
    pruning: Pruning = field(default=Pruning(), compare=False, repr=False)


def nearest(
    queries: np.ndarray,
    points: np.ndarray,
    k: int,
    *,
    metric: MetricName = "euclidean",
    query_groups: np.ndarray | None = None,
    point_groups: np.ndarray | None = None,
    exclude_self: bool = False,
    memory: int = 1 << 30,
    pruning: PruningChoice = "auto",
    screening: Screening = "float32",
    device: str = "cpu",
    onlooker: Onlooker | None = None,
) -> Neighbors:
    """For each query, its `k` nearest points.

    Parameters
    ----------
    queries : array, shape (n, d)
    points : array, shape (m, d)
    k : int
        At least 1.
    metric : {"euclidean", "cosine", "correlation", "hamming"}
    query_groups, point_groups : arrays of int, shapes (n,) and (m,), or None
        Pairs with equal numbers are left out (for example images of one patient). Both or neither.
    exclude_self : bool
        Leave out pairs of equal row numbers; for a set searched in itself.
    memory : int
        Bytes to use at most above inputs and result.
    pruning : {"auto", "always", "never"}
        Whether to try a bound from a few components first, see `fourfold.neighbors.pruning`: where the search is
        long and a trial says that it pays, in any case, or not at all. The result is the same.
    screening : {"float32", "bfloat16", "tf32"}
        Precision of the first products. The result is the same; which is the fastest depends on the processor.
    device : str
        Where products are done, as PyTorch names it.
    onlooker : Onlooker or None
        Sees the products of all pairs (of one set with itself, once), none of which are then left out.

    Returns
    -------
    Neighbors
        Ties are ordered by row number.

    Raises
    ------
    InputError
        Where shapes do not agree, values are not finite, or `k`, `metric`, `pruning` or `screening` is out of range.

    Examples
    --------
    >>> import numpy as np
    >>> found = nearest(np.array([[0.0], [10.0]]), np.array([[1.0], [9.5], [4.0]]), k=2)
    >>> found.indices.tolist()
    [[0, 2], [1, 2]]
    >>> found.distances.tolist()
    [[1.0, 4.0], [0.5, 6.0]]
    """
    queries, points = checked(queries, points, metric)
    if k < 1:
        raise InputError(f"k must be at least 1, got {k}")
    precision_named(screening)
    excluded = Excluded(query_groups, point_groups, exclude_self, len(queries), len(points))
    same = queries is points or (exclude_self and _alike(queries, points))
    return searched(queries, points, k, metric, excluded, same, memory, pruning, screening, device, onlooker)


def searched(
    queries: np.ndarray,
    points: np.ndarray,
    k: int,
    metric: MetricName,
    excluded: Excluded,
    same: bool,
    memory: int,
    pruning: PruningChoice = "auto",
    screening: Screening = "float32",
    device: str = "cpu",
    onlooker: Onlooker | None = None,
) -> Neighbors:
    """The search of `nearest` between checked sets, or parts of them, without the pairs that are left out.

    `same` tells that row numbers of queries and points count the same rows.
    """
    if len(queries) == 0 or len(points) == 0:
        empty = (np.full((len(queries), k), np.inf), np.full((len(queries), k), -1, dtype=np.int64))
        return Neighbors(*empty, Pruning(reason="there is nothing to search"))
    search = Search(queries, points, k, metric, excluded, same and excluded.symmetric, memory, device)
    spared = narrowed(search, pruning if onlooker is None else "never")
    search.run(precision_named(screening), onlooker)
    return Neighbors(search.distances, search.indices, spared.measured(search.multiplications, search.whole))


def merged(first: Neighbors, second: Neighbors, size: int) -> Neighbors:
    """The nearest points of two sets together, numbered in this order.

    Parameters
    ----------
    first, second : Neighbors
        Of the same queries, each among one of the sets; of neither is there a neighbour missing.
    size : int
        Points of the first set.

    Returns
    -------
    Neighbors
        As many as are known for certain: the smaller number that was found of either.
    """
    k = min(first.distances.shape[1], second.distances.shape[1])
    distances = np.concatenate([first.distances, second.distances], axis=1)
    indices = np.concatenate([first.indices, second.indices + size], axis=1)
    # Stable: of points at one distance those of the first set come first, as their row numbers do.
    order = np.argsort(distances, axis=1, kind="stable")[:, :k]
    return Neighbors(*(np.take_along_axis(values, order, axis=1) for values in (distances, indices)))


def _alike(queries: np.ndarray, points: np.ndarray) -> bool:
    """Whether both are the same rows of the same memory, in the same order."""
    views = ((one.ctypes.data, one.strides, one.shape, one.dtype) for one in (queries, points))
    return next(views) == next(views)
