"""Counts in balls over the workers of an engine: each counts its own pairs, and the counts add up."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import numpy as np

from fourfold.engine import Engine, Shared
from fourfold.neighbors.counts import ball_counts, balls, radii_of
from fourfold.neighbors.distances import MetricName
from fourfold.neighbors.pruning import PruningChoice
from fourfold.neighbors.rows import Given
from fourfold.neighbors.sharding import Pairs, Piece, pairs_of, part_of, pieces, shared
from fourfold.neighbors.tally import BallCounts, turned

__all__ = ["ball_counts_sharded", "count_within_sharded", "mutual_ball_counts_sharded"]


def ball_counts_sharded(
    queries: Given,
    points: Given,
    radii: np.ndarray,
    *,
    engine: Engine,
    metric: MetricName = "euclidean",
    query_groups: np.ndarray | None = None,
    point_groups: np.ndarray | None = None,
    memory: int = 1 << 30,
    pruning: PruningChoice = "auto",
) -> BallCounts:
    """Count the queries strictly inside the balls around points, over the workers of an engine.

    Parameters
    ----------
    queries, points, engine, memory
        As for `nearest_sharded`.
    radii, metric, query_groups, point_groups, pruning
        As for `ball_counts`.

    Returns
    -------
    BallCounts
        The same as from `ball_counts`.

    Raises
    ------
    InputError
        As for `nearest_sharded`.
    """
    pairs = pairs_of(
        queries,
        points,
        engine=engine,
        metric=metric,
        query_groups=query_groups,
        point_groups=point_groups,
        exclude_self=False,
        memory=memory,
        pruning=pruning,
    )
    radii = radii_of(radii, pairs.points.shape[0])
    return _counted(pairs, radii, radii if pairs.halved else None, engine)[0]


def count_within_sharded(
    queries: Given,
    points: Given,
    radii: np.ndarray,
    *,
    engine: Engine,
    metric: MetricName = "euclidean",
    query_groups: np.ndarray | None = None,
    point_groups: np.ndarray | None = None,
    memory: int = 1 << 30,
    pruning: PruningChoice = "auto",
) -> np.ndarray:
    """For each query, the number of points whose ball contains it; see `ball_counts_sharded`."""
    return ball_counts_sharded(
        queries,
        points,
        radii,
        engine=engine,
        metric=metric,
        query_groups=query_groups,
        point_groups=point_groups,
        memory=memory,
        pruning=pruning,
    ).containing


def mutual_ball_counts_sharded(
    left: Given,
    right: Given,
    left_radii: np.ndarray,
    right_radii: np.ndarray,
    *,
    engine: Engine,
    metric: MetricName = "euclidean",
    memory: int = 1 << 30,
    pruning: PruningChoice = "auto",
) -> tuple[BallCounts, BallCounts]:
    """Both directions of `ball_counts` from one pass over the pairs, over the workers of an engine.

    Parameters
    ----------
    left, right, engine, memory
        As for `nearest_sharded`.
    left_radii, right_radii, metric, pruning
        As for `mutual_ball_counts`.

    Returns
    -------
    (BallCounts, BallCounts)
        `right` in the balls around `left`, and `left` in the balls around `right`.

    Raises
    ------
    InputError
        As for `nearest_sharded`.
    """
    pairs = pairs_of(
        left,
        right,
        engine=engine,
        metric=metric,
        query_groups=None,
        point_groups=None,
        exclude_self=False,
        memory=memory,
        pruning=pruning,
    )
    of_left, of_right = radii_of(left_radii, pairs.queries.shape[0]), radii_of(right_radii, pairs.points.shape[0])
    around_right, around_left = _counted(replace(pairs, halved=False), of_right, of_left, engine)
    return turned(around_left), around_right


def _counted(
    pairs: Pairs, point_radii: np.ndarray, query_radii: np.ndarray | None, engine: Engine
) -> tuple[BallCounts, BallCounts]:
    """Both directions of the counts; of a halved set, those around points alone."""
    n, m = pairs.queries.shape[0], pairs.points.shape[0]
    around_points, around_queries = (
        BallCounts(np.zeros(n, dtype=np.int64), np.zeros(m, dtype=np.int64)) for _ in range(2)
    )
    of_points, of_queries = shared(point_radii, engine), shared(query_radii, engine)
    todo = pieces(pairs, engine.workers)
    for piece, found in zip(todo, engine.map(partial(_count, pairs, of_points, of_queries), todo), strict=True):
        rows, columns = slice(*piece.rows), slice(*piece.columns)
        for total, part in zip((around_points, around_queries), found, strict=True):
            total.containing[rows] += part.containing
            total.inside[columns] += part.inside
    if pairs.halved:
        # A pair above the diagonal was counted in the balls of either end.
        around_points.containing[:] += around_queries.inside
        around_points.inside[:] += around_queries.containing
    return around_points, around_queries


def _count(pairs: Pairs, of_points: Shared, of_queries: Shared | None, piece: Piece) -> tuple[BallCounts, BallCounts]:
    """What a worker counts: its pairs in the balls around points, and around queries."""
    around_points, around_queries = [], []
    own = part_of(of_queries, piece.rows)
    for columns, block, shard, excluded in piece.shards(pairs):
        radii = part_of(of_points, columns)
        if block is shard:
            groups = excluded.queries, excluded.points
            counted = ball_counts(
                block,
                shard,
                radii,
                metric=pairs.metric,
                query_groups=groups[0],
                point_groups=groups[1],
                memory=pairs.memory,
                pruning=pairs.pruning,
            )
            both = counted, BallCounts(np.zeros_like(counted.containing), np.zeros_like(counted.inside))
        else:
            both = balls(block, shard, radii, own, pairs.metric, excluded, pairs.memory, pairs.pruning)
        around_points.append(both[0])
        around_queries.append(both[1])
    return _side_by_side(around_points, piece), _side_by_side(around_queries, piece)


def _side_by_side(parts: list[BallCounts], piece: Piece) -> BallCounts:
    containing = np.zeros(piece.rows[1] - piece.rows[0], dtype=np.int64)
    for part in parts:
        containing += part.containing
    return BallCounts(containing, np.concatenate([part.inside for part in parts]))
