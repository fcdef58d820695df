"""How many vectors lie in the balls around others: the counts under precision, recall, density and coverage.

Screened a block at a time by bounds from below; pairs that the bound does not place are scored again in float64, so
that the strict comparison is that of a brute-force count. A set against itself takes half the blocks.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from fourfold.errors import InputError
from fourfold.neighbors.blocks import Blocks, checked
from fourfold.neighbors.distances import MetricName
from fourfold.neighbors.exclusion import Excluded
from fourfold.neighbors.frames import Frame
from fourfold.neighbors.narrowing import narrowed_count
from fourfold.neighbors.pruning import Pruning, PruningChoice
from fourfold.neighbors.sides import Side
from fourfold.neighbors.tally import BallCounts, Tally, turned

__all__ = ["ball_counts", "balls", "count_within", "mutual_ball_counts", "radii_of", "tallied"]


def ball_counts(
    queries: np.ndarray,
    points: np.ndarray,
    radii: np.ndarray,
    *,
    metric: MetricName = "euclidean",
    query_groups: np.ndarray | None = None,
    point_groups: np.ndarray | None = None,
    memory: int = 1 << 30,
    pruning: PruningChoice = "auto",
    device: str = "cpu",
) -> BallCounts:
    """Count the queries strictly inside the balls around points.

    Parameters
    ----------
    queries : array, shape (n, d)
    points : array, shape (m, d)
        Where it is the very object given as `queries`, half the products are done.
    radii : array, shape (m,)
        Radius of the ball around each point, in the unit of `metric`. A query is inside where its distance is
        strictly smaller.
    metric, query_groups, point_groups, memory, pruning, device
        As for `nearest`.

    Returns
    -------
    BallCounts

    Raises
    ------
    InputError
        As for `nearest`.
    """
    queries, points = checked(queries, points, metric)
    excluded = Excluded(query_groups, point_groups, False, len(queries), len(points))
    radii = radii_of(radii, len(points))
    if queries is points and excluded.symmetric:
        return _within(points, radii, metric, excluded, memory, pruning, device)
    return balls(queries, points, radii, None, metric, excluded, memory, pruning, device)[0]


def mutual_ball_counts(
    left: np.ndarray,
    right: np.ndarray,
    left_radii: np.ndarray,
    right_radii: np.ndarray,
    *,
    metric: MetricName = "euclidean",
    memory: int = 1 << 30,
    pruning: PruningChoice = "auto",
    device: str = "cpu",
) -> tuple[BallCounts, BallCounts]:
    """Both directions of `ball_counts` from one pass over the pairs.

    Parameters
    ----------
    left, right : arrays, shapes (n, d) and (m, d)
    left_radii, right_radii : arrays, shapes (n,) and (m,)
    metric, memory, pruning, device
        As for `nearest`.

    Returns
    -------
    (BallCounts, BallCounts)
        `right` in the balls around `left`, and `left` in the balls around `right`.
    """
    left, right = checked(left, right, metric)
    excluded = Excluded(None, None, False, len(left), len(right))
    radii = radii_of(right_radii, len(right)), radii_of(left_radii, len(left))
    around_right, around_left = balls(left, right, *radii, metric, excluded, memory, pruning, device)
    return turned(around_left), around_right


def count_within(
    queries: np.ndarray,
    points: np.ndarray,
    radii: np.ndarray,
    *,
    metric: MetricName = "euclidean",
    query_groups: np.ndarray | None = None,
    point_groups: np.ndarray | None = None,
    memory: int = 1 << 30,
    pruning: PruningChoice = "auto",
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
        pruning=pruning,
    ).containing


def radii_of(given: np.ndarray, size: int) -> np.ndarray:
    """Radii as float64, shape (size,); raises InputError for another shape."""
    radii = np.asarray(given, dtype=np.float64)
    if radii.shape != (size,):
        raise InputError(f"radii must have shape ({size},), got {radii.shape}")
    return radii


def balls(
    queries: np.ndarray,
    points: np.ndarray,
    point_radii: np.ndarray | None,
    query_radii: np.ndarray | None,
    metric: str,
    excluded: Excluded,
    memory: int,
    pruning: PruningChoice,
    device: str = "cpu",
) -> tuple[BallCounts, BallCounts]:
    """Both directions of the counts, by query and by point each: in the balls around points, and around queries."""
    tally, spared = tallied(queries, points, point_radii, query_radii, metric, excluded, memory, pruning, device=device)
    return replace(tally.around_points, pruning=spared), replace(tally.around_queries, pruning=spared)


def tallied(
    queries: np.ndarray,
    points: np.ndarray,
    point_radii: np.ndarray | None,
    query_radii: np.ndarray | None,
    metric: str,
    excluded: Excluded,
    memory: int,
    pruning: PruningChoice,
    keep: bool = False,
    query_reach: np.ndarray | None = None,
    device: str = "cpu",
) -> tuple[Tally, Pruning]:
    """Counts of all pairs of two sets, and what was spared."""
    frame = Frame.around(points, metric, queries)
    tally = Tally(queries, points, frame, point_radii, query_radii, memory, keep, query_reach)
    furthest = query_radii if query_reach is None else query_reach
    narrow, spared = narrowed_count(queries, points, frame, point_radii, furthest, pruning, memory, device)
    if len(queries) and len(points):
        sides = (
            () if narrow else (Side(queries, frame, 0, device=device), Side(points, frame, memory // 4, device=device))
        )
        blocks = narrow or Blocks(*sides, memory // 2)
        for rows, columns, block in blocks:
            excluded.spare(rows, columns, block)
            tally.take(rows, columns, block, np.inf if narrow else blocks.doubt(rows, columns))
    return tally, spared


def _within(
    points: np.ndarray,
    radii: np.ndarray,
    metric: str,
    excluded: Excluded,
    memory: int,
    pruning: PruningChoice,
    device: str,
) -> BallCounts:
    """A set in its own balls: a block above the diagonal counts for the one below it too."""
    frame = Frame.around(points, metric)
    across = Tally(points, points, frame, radii, radii, memory)
    along = Tally(points, points, frame, radii, None, memory)
    narrow, spared = narrowed_count(points, points, frame, radii, radii, pruning, memory, device)
    if len(points):
        side = None if narrow else Side(points, frame, memory // 4, device=device)
        blocks = narrow or Blocks(side, side, memory // 2)
        for rows, columns, block in blocks:
            excluded.spare(rows, columns, block)
            tally = along if rows.start == columns.start else across
            tally.take(rows, columns, block, np.inf if narrow else blocks.doubt(rows, columns))
    below = turned(across.around_queries)
    return BallCounts(
        along.around_points.containing + across.around_points.containing + below.containing,
        along.around_points.inside + across.around_points.inside + below.inside,
        spared,
    )
