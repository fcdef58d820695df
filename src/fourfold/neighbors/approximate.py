"""Nearest neighbours that are not all the nearest, for sets too large to search in full; and how many of them are.

An index proposes points for each query; their distances are scored in float64 as those of `nearest` are, so that what
is reported is true of the pair, if not always the nearest pair. A random sample of the queries is searched exactly
too, and tells the recall. It is never chosen for a user, and its result is never handed on without that measure.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from fourfold.errors import InputError
from fourfold.neighbors.approximate_index import ApproximateIndex, IndexName, IndexOptions, indexed
from fourfold.neighbors.blocks import checked
from fourfold.neighbors.distances import MetricName
from fourfold.neighbors.exact import Neighbors, searched
from fourfold.neighbors.exclusion import Excluded
from fourfold.neighbors.rows import ranges
from fourfold.neighbors.scoring import scored
from fourfold.statistics import clopper_pearson

__all__ = ["ApproximateNeighbors", "SearchQuality", "candidates_of", "nearest_approximate"]

# Queries that are searched exactly as well.
SAMPLE = 1000
# The most points of a query's own patient that are made room for among its candidates.
_OWN = 512


@dataclass(frozen=True)
class SearchQuality:
    """How much of the truth an approximate search found, on a random sample of its queries.

    Parameters
    ----------
    index : {"ivf", "hnsw"}
    options : IndexOptions
    sample : int
        Queries that were searched exactly too.
    recall : float
        Share of their true neighbours that were found, in [0, 1]; points as near as the furthest of them count.
    interval : (float, float)
        95 % interval of the recall by Clopper and Pearson's bounds, each query counted as one trial: neighbours of
        one query are missed together, and a share between 0 and 1 varies no more than a coin of the same mean.
    first : float
        Share of the sample whose very nearest point was found: what copies are told by.
    excess : float
        Mean of (found - true) / true of the k-th distance, at least 0.
    searched_exactly : int
        Queries, of all, with too few candidates outside their own patient, which were searched exactly.
    """

    index: IndexName
    options: IndexOptions
    sample: int
    recall: float
    interval: tuple[float, float]
    first: float
    excess: float
    searched_exactly: int


@dataclass(frozen=True)
class ApproximateNeighbors:
    """Points near each query, and how often they are the nearest.

    Parameters
    ----------
    neighbors : Neighbors
        Distances are true ones; no k-th distance is smaller than that of the exact search.
    quality : SearchQuality
    """

    neighbors: Neighbors
    quality: SearchQuality


def nearest_approximate(
    queries: np.ndarray,
    points: np.ndarray,
    k: int,
    *,
    index: IndexName | ApproximateIndex = "ivf",
    options: IndexOptions | None = None,
    metric: MetricName = "euclidean",
    query_groups: np.ndarray | None = None,
    point_groups: np.ndarray | None = None,
    exclude_self: bool = False,
    sample: int = SAMPLE,
    seed: int = 0,
    memory: int = 1 << 30,
) -> ApproximateNeighbors:
    """For each query, `k` of its nearest points, most of them the nearest.

    Parameters
    ----------
    queries, points, k, query_groups, point_groups, exclude_self
        As for `nearest`. Pairs that are left out there never appear here either.
    index : {"ivf", "hnsw"} or ApproximateIndex
        One that was made of the same points, to be used again; `options` and `metric` are then its own.
    options : IndexOptions or None
    metric : {"euclidean", "cosine", "correlation"}
    sample : int
        Queries that are searched exactly too, at least 1.
    seed : int
        Of that sample.
    memory : int
        Bytes to use above inputs, result and index, which takes as much as the points in float32.

    Returns
    -------
    ApproximateNeighbors

    Raises
    ------
    InputError
        As for `nearest` and `indexed`; where there are no queries, or the index is one of other points.
    MissingExtra
        Where faiss is not installed.

    Examples
    --------
    >>> import numpy as np
    >>> rows = np.random.default_rng(0).normal(size=(500, 8)).astype(np.float32)
    >>> found = nearest_approximate(rows, rows, 3, exclude_self=True, options=IndexOptions(lists=8, probes=8))
    >>> found.quality.recall, found.neighbors.indices.shape
    (1.0, (500, 3))
    """
    if k < 1 or sample < 1:
        raise InputError(f"k and sample must be at least 1, got {k} and {sample}")
    made = index if isinstance(index, ApproximateIndex) else indexed(points, index, metric=metric, options=options)
    metric = made.frame.metric
    queries, points = checked(queries, points, metric)
    if not len(queries):
        raise InputError("there are no queries to search for")
    if points.shape != made.points.shape:
        raise InputError(f"the index holds points of shape {made.points.shape}, got {points.shape}: make one of these")
    excluded = Excluded(query_groups, point_groups, exclude_self, len(queries), len(points))
    found = Neighbors(np.full((len(queries), k), np.inf), np.full((len(queries), k), -1, dtype=np.int64))
    short = []
    for rows, candidates in candidates_of(queries, made, excluded, _room(excluded, k), memory):
        numbers = np.arange(*rows)
        found.distances[numbers], found.indices[numbers] = scored(
            queries, points, numbers, np.zeros(candidates.shape), candidates, k, made.frame, memory
        )
        short.append(numbers[(candidates >= 0).sum(axis=1) < k])
    few = np.concatenate(short)
    _search_exactly(found, few, queries, points, metric, excluded, memory)
    quality = _measured(found, queries, made, excluded, min(sample, len(queries)), seed, len(few), memory)
    return ApproximateNeighbors(found, quality)


def candidates_of(
    queries: np.ndarray, index: ApproximateIndex, excluded: Excluded, count: int, memory: int
) -> Iterator[tuple[tuple[int, int], np.ndarray]]:
    """Points proposed for all queries, a block at a time: row numbers and candidates, last -1 for what is missing."""
    count = min(count, len(index.points))
    step = max(1, memory // (4 * (48 * count + 8 * index.frame.width)))
    for rows in ranges(0, len(queries), step):
        candidates = index.candidates(queries[slice(*rows)], count)
        candidates[excluded.among(slice(*rows), candidates)] = -1
        # What is missing goes to the end, where the scoring stops.
        order = np.argsort(candidates < 0, axis=1, kind="stable")
        yield rows, np.take_along_axis(candidates, order, axis=1)


def _room(excluded: Excluded, k: int) -> int:
    own = 0 if excluded.points is None else int(np.unique(excluded.points, return_counts=True)[1].max(initial=0))
    return k + max(2, k // 2) + (excluded.own is not None) + min(own, _OWN)


def _search_exactly(
    found: Neighbors,
    rows: np.ndarray,
    queries: np.ndarray,
    points: np.ndarray,
    metric: MetricName,
    excluded: Excluded,
    memory: int,
) -> None:
    if len(rows):
        k = found.distances.shape[1]
        exact = searched(queries[rows], points, k, metric, excluded.take(rows), False, memory)
        found.distances[rows], found.indices[rows] = exact.distances, exact.indices


def _measured(
    found: Neighbors,
    queries: np.ndarray,
    index: ApproximateIndex,
    excluded: Excluded,
    sample: int,
    seed: int,
    searched_exactly: int,
    memory: int,
) -> SearchQuality:
    k = found.distances.shape[1]
    rows = np.sort(np.random.default_rng([seed, len(queries)]).choice(len(queries), sample, replace=False))
    exact = searched(queries[rows], index.points, k, index.frame.metric, excluded.take(rows), False, memory).distances
    got, there = found.distances[rows], np.isfinite(exact)
    furthest = np.where(there, exact, -np.inf).max(axis=1, keepdims=True)
    number = there.sum(axis=1)
    share = np.divide((got <= furthest).sum(axis=1), number, out=np.ones(sample), where=number > 0)
    last = there[:, -1] & (exact[:, -1] > 0)
    excess = got[last, -1] / exact[last, -1] - 1.0
    return SearchQuality(
        index.name,
        index.options,
        sample,
        float(share.mean()),
        (
            clopper_pearson(math.floor(share.sum()), sample)[0],
            clopper_pearson(math.ceil(share.sum()), sample)[1],
        ),
        float((got[:, 0] == exact[:, 0]).mean()),
        float(excess.mean()) if len(excess) else 0.0,
        searched_exactly,
    )
