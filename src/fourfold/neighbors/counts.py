"""How many vectors lie in the balls around others: the counts under precision, recall, density and coverage.

Screened in float32 a block at a time; pairs too close to the radius for the block's error bound are scored again in
float64, so that the strict comparison is that of a brute-force count.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from fourfold.errors import InputError
from fourfold.neighbors.blocks import Blocks, Excluded, checked, pairwise
from fourfold.neighbors.distances import MetricName

__all__ = ["BallCounts", "ball_counts", "count_within", "mutual_ball_counts"]


@dataclass(frozen=True)
class BallCounts:
    """How queries fall into the balls around points.

    Parameters
    ----------
    containing : array, shape (n,)
        For each query, the number of balls that contain it.
    inside : array, shape (m,)
        For each point, the number of queries inside its ball.
    """

    containing: np.ndarray
    inside: np.ndarray


def ball_counts(
    queries: np.ndarray,
    points: np.ndarray,
    radii: np.ndarray,
    *,
    metric: MetricName = "euclidean",
    query_groups: np.ndarray | None = None,
    point_groups: np.ndarray | None = None,
    memory: int = 1 << 30,
) -> BallCounts:
    """Count the queries strictly inside the balls around points.

    Parameters
    ----------
    queries : array, shape (n, d)
    points : array, shape (m, d)
    radii : array, shape (m,)
        Radius of the ball around each point, in the unit of `metric`. A query is inside where its distance is
        strictly smaller.
    metric, query_groups, point_groups, memory
        As for `nearest`.

    Returns
    -------
    BallCounts

    Raises
    ------
    InputError
        As for `nearest`.
    """
    return _balls(queries, points, radii, None, metric, query_groups, point_groups, memory)[0]


def mutual_ball_counts(
    left: np.ndarray,
    right: np.ndarray,
    left_radii: np.ndarray,
    right_radii: np.ndarray,
    *,
    metric: MetricName = "euclidean",
    memory: int = 1 << 30,
) -> tuple[BallCounts, BallCounts]:
    """Both directions of `ball_counts` from one pass over the pairs.

    Parameters
    ----------
    left, right : arrays, shapes (n, d) and (m, d)
    left_radii, right_radii : arrays, shapes (n,) and (m,)
    metric, memory
        As for `nearest`.

    Returns
    -------
    (BallCounts, BallCounts)
        `right` in the balls around `left`, and `left` in the balls around `right`.
    """
    around_right, around_left = _balls(left, right, right_radii, left_radii, metric, None, None, memory)
    return BallCounts(around_left.inside, around_left.containing), around_right


def count_within(
    queries: np.ndarray,
    points: np.ndarray,
    radii: np.ndarray,
    *,
    metric: MetricName = "euclidean",
    query_groups: np.ndarray | None = None,
    point_groups: np.ndarray | None = None,
    memory: int = 1 << 30,
) -> np.ndarray:
    """For each query, the number of points whose ball contains it; see `ball_counts`."""
    return ball_counts(
        queries,
        points,
        radii,
        metric=metric,
        query_groups=query_groups,
        point_groups=point_groups,
        memory=memory,
    ).containing


def _balls(
    queries: np.ndarray,
    points: np.ndarray,
    point_radii: np.ndarray | None,
    query_radii: np.ndarray | None,
    metric: str,
    query_groups: np.ndarray | None,
    point_groups: np.ndarray | None,
    memory: int,
) -> tuple[BallCounts, BallCounts]:
    """Pairs closer than the point's radius, and pairs closer than the query's, counted by query and by point."""
    queries, points = checked(queries, points, metric)
    excluded = Excluded(query_groups, point_groups, False, len(queries), len(points))
    found = tuple(
        BallCounts(np.zeros(len(queries), dtype=np.int64), np.zeros(len(points), dtype=np.int64)) for _ in range(2)
    )
    radii = tuple(
        None if given is None else _radii(given, size)
        for given, size in ((point_radii, len(points)), (query_radii, len(queries)))
    )
    if len(queries) == 0 or len(points) == 0:
        return found
    blocks = Blocks(queries, points, metric, memory, same=False)
    highest = float(np.finfo(np.float32).max)
    limits = tuple(None if given is None else np.minimum(blocks.squared(given), highest / 2) for given in radii)
    for rows, columns, squared in blocks:
        doubt = blocks.doubt(rows, columns)
        left_out = excluded.pairs(rows, columns)
        if left_out is not None:
            squared[left_out] = torch.inf
        for side, (counts, limit) in enumerate(zip(found, limits, strict=True)):
            if limit is None:
                continue
            own = limit[columns] if side == 0 else limit[rows][:, None]
            high = torch.from_numpy((own + doubt).astype(np.float32))
            # Stripes of rows bound the list of hits where nearly every pair is one.
            for top in range(0, len(squared), 256):
                stripe = squared[top : top + 256]
                near = stripe <= (high if side == 0 else high[top : top + 256])
                i, j = np.divmod(np.flatnonzero(near.numpy()), stripe.shape[1])
                if not len(i):
                    continue
                value = stripe.numpy()[i, j]
                i += top
                hit = value < (own[j] if side == 0 else own[i, 0]) - doubt
                close = np.flatnonzero(~hit)
                a, b = i[close] + rows.start, j[close] + columns.start
                reach = radii[0][b] if side == 0 else radii[1][a]
                hit[close] = pairwise(queries, points, a, b, metric, memory) < reach
                counts.containing[rows] += np.bincount(i[hit], minlength=rows.stop - rows.start)
                counts.inside[columns] += np.bincount(j[hit], minlength=columns.stop - columns.start)
    return found


def _radii(given: np.ndarray, size: int) -> np.ndarray:
    radii = np.asarray(given, dtype=np.float64)
    if radii.shape != (size,):
        raise InputError(f"radii must have shape ({size},), got {radii.shape}")
    return radii
