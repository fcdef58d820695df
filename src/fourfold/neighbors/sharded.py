"""Nearest neighbours over the workers of an engine, from arrays or from files that workers map themselves.

Each piece is an exact search of a block of queries in a range of points. A row's nearest among all points are the
nearest of those found in its ranges, by distance and row number: the result is that of `nearest`, bit for bit, however
the sets are cut. A worker needs no more memory than it is given, whatever the size of the sets, and what is sent to it
are row numbers.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import numpy as np

from fourfold.engine import Engine
from fourfold.errors import InputError
from fourfold.neighbors.distances import MetricName
from fourfold.neighbors.exact import Neighbors, searched
from fourfold.neighbors.pruning import Pruning, PruningChoice
from fourfold.neighbors.rows import Given
from fourfold.neighbors.sharding import Pairs, Piece, pairs_of, pieces
from fourfold.neighbors.two_ways import both_ways

__all__ = ["merged", "nearest_sharded"]


def nearest_sharded(
    queries: Given,
    points: Given,
    k: int,
    *,
    engine: Engine,
    metric: MetricName = "euclidean",
    query_groups: np.ndarray | None = None,
    point_groups: np.ndarray | None = None,
    exclude_self: bool = False,
    memory: int = 1 << 30,
    pruning: PruningChoice = "auto",
) -> Neighbors:
    """For each query, its `k` nearest points, searched by the workers of an engine.

    Parameters
    ----------
    queries, points : arrays, shapes (n, d) and (m, d), or paths of .npy files
        Files, and arrays mapped from files, are read where the worker is: each has to see them under the same path.
        Where both are one object or one file, each pair is multiplied once.
    k : int
        At least 1.
    engine : Engine
    metric, query_groups, point_groups, exclude_self, pruning
        As for `nearest`.
    memory : int
        Bytes that each worker may use above shared arrays.

    Returns
    -------
    Neighbors
        The same as from `nearest`. What was spared is the mean over pieces, by their size.

    Raises
    ------
    InputError
        As for `nearest`; where a file cannot be read.

    Examples
    --------
    >>> import numpy as np
    >>> from fourfold.engine import LOCAL
    >>> found = nearest_sharded(np.array([[0.0], [10.0]]), np.array([[1.0], [9.5], [4.0]]), 2, engine=LOCAL)
    >>> found.indices.tolist()
    [[0, 2], [1, 2]]
    """
    if k < 1:
        raise InputError(f"k must be at least 1, got {k}")
    pairs = pairs_of(
        queries,
        points,
        engine=engine,
        metric=metric,
        query_groups=query_groups,
        point_groups=point_groups,
        exclude_self=exclude_self,
        memory=memory,
        pruning=pruning,
        candidates=2 * k + 12,
    )
    best = _nothing(pairs.queries.shape[0], k)
    spared: list[tuple[float, Pruning]] = []
    todo = pieces(pairs, engine.workers)
    for piece, found in zip(todo, engine.map(partial(_nearest, pairs, k), todo), strict=True):
        for first, part in found:
            rows = slice(first, first + len(part.distances))
            both = merged(Neighbors(best.distances[rows], best.indices[rows]), part)
            best.distances[rows], best.indices[rows] = both.distances, both.indices
        spared.append((piece.size, found[0][1].pruning))
    return replace(best, pruning=_together(spared))


def merged(first: Neighbors, second: Neighbors) -> Neighbors:
    """The nearest of two lists a row, by distance and row number; as long as the first."""
    k = first.distances.shape[1]
    distances = np.concatenate([first.distances, second.distances], axis=1)
    indices = np.concatenate([first.indices, second.indices], axis=1)
    # -1 as an unsigned number is the largest there is: what is missing comes last.
    order = np.lexsort((indices.view(np.uint64), distances), axis=1)[:, :k]
    return Neighbors(np.take_along_axis(distances, order, axis=1), np.take_along_axis(indices, order, axis=1))


def _nearest(pairs: Pairs, k: int, piece: Piece) -> list[tuple[int, Neighbors]]:
    """What a worker finds: for the block of queries and, above the diagonal, for the points too."""
    best = _nothing(piece.rows[1] - piece.rows[0], k)
    spared: list[tuple[float, Pruning]] = []
    others: list[tuple[int, Neighbors]] = []
    for columns, block, shard, excluded in piece.shards(pairs):
        if pairs.halved and columns != piece.rows:
            groups = None if excluded.queries is None else (excluded.queries, excluded.points)
            found, back = both_ways(block, shard, k, pairs.metric, groups, pairs.memory, pairs.pruning)
            others.append((columns[0], _moved(back, piece.rows[0])))
        else:
            found = searched(
                block, shard, k, pairs.metric, excluded, block is shard, pairs.memory, pruning=pairs.pruning
            )
        spared.append((float(len(block) * len(shard)), found.pruning))
        best = merged(best, _moved(found, columns[0]))
    return [(piece.rows[0], replace(best, pruning=_together(spared))), *others]


def _nothing(n: int, k: int) -> Neighbors:
    return Neighbors(np.full((n, k), np.inf), np.full((n, k), -1, dtype=np.int64))


def _moved(found: Neighbors, first: int) -> Neighbors:
    return replace(found, indices=np.where(found.indices >= 0, found.indices + first, -1))


def _together(parts: list[tuple[float, Pruning]]) -> Pruning:
    """What several searches were spared, each with its weight."""
    whole = sum(weight for weight, _ in parts)
    if not whole:
        return Pruning(reason="there is nothing to search")
    return Pruning(
        tuple(sorted({count for _, one in parts for count in one.components})),
        skipped=sum(weight * one.skipped for weight, one in parts) / whole,
        settled=sum(weight * one.settled for weight, one in parts) / whole,
        seconds=sum(one.seconds for _, one in parts),
        reason=next((one.reason for _, one in parts if one.reason is not None), None),
    )
