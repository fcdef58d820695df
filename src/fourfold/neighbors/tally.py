"""Counts of pairs in balls, filled while the blocks of a matrix of distances go by.

A block holds bounds from below; pairs that its bounds do not place are scored again in float64.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import torch

from fourfold.neighbors.blocks import pairwise
from fourfold.neighbors.frames import Frame
from fourfold.neighbors.pairs import ClosePairs, Collector, exactly
from fourfold.neighbors.pruning import Pruning

__all__ = ["BallCounts", "Tally", "turned"]

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
    query_reach : array, shape (n,), or None
        Up to which distance from each query pairs are kept, none smaller than its radius in `query_radii`; None where
        they are not kept.

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
        query_reach: np.ndarray | None = None,
    ) -> None:
        self._kept = Collector(memory // 8) if keep else None
        self._near = None if query_reach is None else Collector(memory // 8)
        self._query_reach = query_reach
        self._queries, self._points, self._frame, self._memory = (queries, points, frame, memory)
        self._point_radii, self._query_radii = point_radii, query_radii
        self.around_points, self.around_queries = (
            BallCounts(np.zeros(len(queries), dtype=np.int64), np.zeros(len(points), dtype=np.int64)) for _ in range(2)
        )
        highest = float(np.finfo(np.float32).max) / 2
        self._point_limits, self._query_limits = (
            None if radii is None else np.minimum(frame.squared(radii), highest) for radii in (point_radii, query_radii)
        )
        self._reach_limits = None if query_reach is None else np.minimum(frame.squared(query_reach), highest)

    @property
    def pairs(self) -> ClosePairs | None:
        """The pairs in the balls around points; None where they were not asked for or too many."""
        if self._kept is None or self._point_radii is None:
            return None
        return self._kept.pairs(self._queries, self._points, self._point_radii, self._frame, self._memory)

    @property
    def pairs_around_queries(self) -> ClosePairs | None:
        """The pairs within the reach of the queries, points first; None where they were not asked for or too many."""
        if self._near is None or self._query_reach is None:
            return None
        return self._near.pairs(self._points, self._queries, self._query_reach, self._frame, self._memory)

    def take(self, rows: slice, columns: slice, block: torch.Tensor, doubt: float) -> None:
        """Count the pairs of a block of bounds, which are too small by no more than `doubt`."""
        for top in range(0, len(block), _STRIPE):
            part = slice(rows.start + top, min(rows.start + top + _STRIPE, rows.stop))
            stripe = block[top : top + _STRIPE]
            if self._point_limits is not None and self._point_radii is not None:
                limits, radii = self._point_limits[None, columns], self._point_radii[None, columns]
                found = _low(stripe, limits)
                self._count(self.around_points, part, columns, found, doubt, limits, radii, self._kept)
            if self._query_limits is not None and self._query_radii is not None:
                limits, radii = self._query_limits[part, None], self._query_radii[part, None]
                if self._near is None or self._reach_limits is None:
                    found = _low(stripe, limits)
                else:
                    i, j, value = _low(stripe, self._reach_limits[part, None])
                    self._near.add(j + columns.start, i + part.start, *self._bounds(part, columns, i, j, value, doubt))
                    within = value <= limits[i, 0]
                    found = i[within], j[within], value[within]
                self._count(self.around_queries, part, columns, found, doubt, limits, radii)

    def _count(
        self,
        counts: BallCounts,
        rows: slice,
        columns: slice,
        found: tuple[np.ndarray, np.ndarray, np.ndarray],
        doubt: float,
        limits: np.ndarray,
        radii: np.ndarray,
        kept: Collector | None = None,
    ) -> None:
        i, j, value = found
        if not len(i):
            return
        shape = rows.stop - rows.start, columns.stop - columns.start
        hit = value < np.broadcast_to(limits, shape)[i, j] - doubt
        close = np.flatnonzero(~hit)
        a, b = i[close] + rows.start, j[close] + columns.start
        distances = pairwise(self._queries, self._points, a, b, self._frame.metric, self._memory)
        hit[close] = distances < np.broadcast_to(radii, shape)[i[close], j[close]]
        if kept is not None:
            low = value.astype(np.float64)
            highest = low + doubt
            low[close], highest[close] = exactly(distances, self._frame)
            kept.add((i + rows.start)[hit], (j + columns.start)[hit], low[hit], highest[hit])
        counts.containing[rows] += np.bincount(i[hit], minlength=shape[0])
        counts.inside[columns] += np.bincount(j[hit], minlength=shape[1])

    def _bounds(
        self, rows: slice, columns: slice, i: np.ndarray, j: np.ndarray, value: np.ndarray, doubt: float
    ) -> tuple[np.ndarray, np.ndarray]:
        """Bounds on the squared distances of some pairs of a block."""
        if np.isfinite(doubt):
            low = value.astype(np.float64)
            return low, low + doubt
        i, j = i + rows.start, j + columns.start
        return exactly(pairwise(self._queries, self._points, i, j, self._frame.metric, self._memory), self._frame)


def _low(block: torch.Tensor, limits: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Rows, columns and values of the entries of a block that are not above their limits."""
    high = torch.from_numpy(np.nextafter(limits.astype(np.float32), np.float32(np.inf))).to(block.device)
    if block.device.type != "cpu":
        places = (block <= high).nonzero(as_tuple=True)
        return *(place.cpu().numpy() for place in places), block[places].cpu().numpy()
    i, j = np.divmod(np.flatnonzero((block <= high).numpy()), block.shape[1])
    return i, j, block.numpy()[i, j]


def turned(counts: BallCounts) -> BallCounts:
    """The same counts with queries and points in each other's place."""
    return BallCounts(counts.inside, counts.containing, counts.pruning)
