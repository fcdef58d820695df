"""How many vectors lie in the balls around others: the counts under precision, recall, density and coverage.

Screened a block at a time by bounds from below; pairs that the bound does not place are scored again in float64, so
that the strict comparison is that of a brute-force count. A set against itself takes half the blocks.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
import torch

from fourfold.errors import InputError
from fourfold.neighbors.blocks import Blocks, checked, pairwise
from fourfold.neighbors.distances import MetricName
from fourfold.neighbors.exclusion import Excluded
from fourfold.neighbors.frames import Frame
from fourfold.neighbors.narrowing import narrowed_count
from fourfold.neighbors.pairs import ClosePairs, Collector, exactly
from fourfold.neighbors.pruning import Pruning, PruningChoice
from fourfold.neighbors.sides import Side

__all__ = [
    "BallCounts",
    "Tally",
    "ball_counts",
    "balls",
    "count_within",
    "mutual_ball_counts",
    "radii_of",
    "tallied",
    "turned",
]

# Stripes of rows bound the list of hits where nearly every pair is one.
_STRIPE = 256


@dataclass(frozen=True)
class BallCounts:
    """How queries fall into the balls around points.

    Parameters
    ----------
    containing : array, shape (n,)
        For each query, the number of balls that contain it.
    inside : array, shape (m,)
        For each point, the number of queries inside its ball.
    pruning : Pruning
        What the count was spared; it has no influence on the above.
    """

    containing: np.ndarray
    inside: np.ndarray
    pruning: Pruning = field(default=Pruning(), compare=False, repr=False)


class Tally:
    """Both directions of the counts between two sets, filled while the blocks of their distances go by.

    Parameters
    ----------
    queries, points : arrays, shapes (n, d) and (m, d)
    frame : Frame
    point_radii, query_radii : arrays, shapes (m,) and (n,), or None
        Radii of the balls around points and around queries; None where those are not asked for.
    memory : int
    keep : bool
        Whether the pairs in the balls around points are kept, see `pairs`.

    Attributes
    ----------
    around_points : BallCounts
        Queries in the balls around points.
    around_queries : BallCounts
        The same pairs in the balls around queries, still by query (`containing`) and by point (`inside`).
    """

    def __init__(
        self,
        queries: np.ndarray,
        points: np.ndarray,
        frame: Frame,
        point_radii: np.ndarray | None,
        query_radii: np.ndarray | None,
        memory: int,
        keep: bool = False,
    ) -> None:
        self._kept = Collector(memory // 8) if keep else None
        self._queries, self._points, self._frame, self._memory = (queries, points, frame, memory)
        self._point_radii, self._query_radii = point_radii, query_radii
        self.around_points, self.around_queries = (
            BallCounts(np.zeros(len(queries), dtype=np.int64), np.zeros(len(points), dtype=np.int64)) for _ in range(2)
        )
        highest = float(np.finfo(np.float32).max) / 2
        self._point_limits, self._query_limits = (
            None if radii is None else np.minimum(frame.squared(radii), highest) for radii in (point_radii, query_radii)
        )

    @property
    def pairs(self) -> ClosePairs | None:
        """The pairs in the balls around points; None where they were not asked for or too many."""
        if self._kept is None or self._point_radii is None:
            return None
        return self._kept.pairs(self._queries, self._points, self._point_radii, self._frame, self._memory)

    def take(self, rows: slice, columns: slice, block: torch.Tensor, doubt: float) -> None:
        """Count the pairs of a block of bounds, which are too small by no more than `doubt`."""
        for top in range(0, len(block), _STRIPE):
            part = slice(rows.start + top, min(rows.start + top + _STRIPE, rows.stop))
            stripe = block[top : top + _STRIPE]
            if self._point_limits is not None and self._point_radii is not None:
                limits, radii = self._point_limits[None, columns], self._point_radii[None, columns]
                self._count(self.around_points, part, columns, stripe, doubt, limits, radii, self._kept)
            if self._query_limits is not None and self._query_radii is not None:
                limits, radii = self._query_limits[part, None], self._query_radii[part, None]
                self._count(self.around_queries, part, columns, stripe, doubt, limits, radii)

    def _count(
        self,
        counts: BallCounts,
        rows: slice,
        columns: slice,
        block: torch.Tensor,
        doubt: float,
        limits: np.ndarray,
        radii: np.ndarray,
        kept: Collector | None = None,
    ) -> None:
        high = torch.from_numpy(np.nextafter(limits.astype(np.float32), np.float32(np.inf))).to(block.device)
        i, j = np.divmod(np.flatnonzero((block <= high).cpu().numpy()), block.shape[1])
        if not len(i):
            return
        value = block[i, j].cpu().numpy() if block.device.type != "cpu" else block.numpy()[i, j]
        hit = value < np.broadcast_to(limits, block.shape)[i, j] - doubt
        close = np.flatnonzero(~hit)
        a, b = i[close] + rows.start, j[close] + columns.start
        distances = pairwise(self._queries, self._points, a, b, self._frame.metric, self._memory)
        hit[close] = distances < np.broadcast_to(radii, block.shape)[i[close], j[close]]
        if kept is not None:
            low = value.astype(np.float64)
            highest = low + doubt
            low[close], highest[close] = exactly(distances, self._frame)
            kept.add((i + rows.start)[hit], (j + columns.start)[hit], low[hit], highest[hit])
        counts.containing[rows] += np.bincount(i[hit], minlength=rows.stop - rows.start)
        counts.inside[columns] += np.bincount(j[hit], minlength=columns.stop - columns.start)


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
    metric, query_groups, point_groups, memory, pruning
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
        return _within(points, radii, metric, excluded, memory, pruning)
    return balls(queries, points, radii, None, metric, excluded, memory, pruning)[0]


def mutual_ball_counts(
    left: np.ndarray,
    right: np.ndarray,
    left_radii: np.ndarray,
    right_radii: np.ndarray,
    *,
    metric: MetricName = "euclidean",
    memory: int = 1 << 30,
    pruning: PruningChoice = "auto",
) -> tuple[BallCounts, BallCounts]:
    """Both directions of `ball_counts` from one pass over the pairs.

    Parameters
    ----------
    left, right : arrays, shapes (n, d) and (m, d)
    left_radii, right_radii : arrays, shapes (n,) and (m,)
    metric, memory, pruning
        As for `nearest`.

    Returns
    -------
    (BallCounts, BallCounts)
        `right` in the balls around `left`, and `left` in the balls around `right`.
    """
    left, right = checked(left, right, metric)
    excluded = Excluded(None, None, False, len(left), len(right))
    radii = radii_of(right_radii, len(right)), radii_of(left_radii, len(left))
    around_right, around_left = balls(left, right, *radii, metric, excluded, memory, pruning)
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


def turned(counts: BallCounts) -> BallCounts:
    """The same counts with queries and points in each other's place."""
    return BallCounts(counts.inside, counts.containing, counts.pruning)


def balls(
    queries: np.ndarray,
    points: np.ndarray,
    point_radii: np.ndarray | None,
    query_radii: np.ndarray | None,
    metric: str,
    excluded: Excluded,
    memory: int,
    pruning: PruningChoice,
) -> tuple[BallCounts, BallCounts]:
    """Both directions of the counts, by query and by point each: in the balls around points, and around queries."""
    tally, spared = tallied(queries, points, point_radii, query_radii, metric, excluded, memory, pruning)
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
) -> tuple[Tally, Pruning]:
    """Counts of all pairs of two sets, and what was spared."""
    frame = Frame.around(points, metric, queries)
    tally = Tally(queries, points, frame, point_radii, query_radii, memory, keep)
    narrow, spared = narrowed_count(queries, points, frame, point_radii, query_radii, pruning, memory)
    if len(queries) and len(points):
        blocks = narrow or Blocks(Side(queries, frame, 0), Side(points, frame, memory // 4), memory // 2)
        for rows, columns, block in blocks:
            excluded.spare(rows, columns, block)
            tally.take(rows, columns, block, np.inf if narrow else blocks.doubt(rows, columns))
    return tally, spared


def _within(
    points: np.ndarray, radii: np.ndarray, metric: str, excluded: Excluded, memory: int, pruning: PruningChoice
) -> BallCounts:
    """A set in its own balls: a block above the diagonal counts for the one below it too."""
    frame = Frame.around(points, metric)
    across = Tally(points, points, frame, radii, radii, memory)
    along = Tally(points, points, frame, radii, None, memory)
    narrow, spared = narrowed_count(points, points, frame, radii, radii, pruning, memory)
    if len(points):
        side = None if narrow else Side(points, frame, memory // 4)
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
