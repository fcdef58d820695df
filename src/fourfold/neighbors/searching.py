"""A search under way: what was asked, what is found, and which rows are not settled yet."""

from __future__ import annotations

import numpy as np

from fourfold.neighbors.blocks import Blocks, Onlooker
from fourfold.neighbors.exclusion import Excluded
from fourfold.neighbors.frames import Frame
from fourfold.neighbors.precision import DOUBLE, SINGLE, Precision
from fourfold.neighbors.scoring import brute_force, first_at_zero, scored
from fourfold.neighbors.selection import Smallest
from fourfold.neighbors.sides import Side

__all__ = ["Search"]


class Search:
    """The search for the `k` nearest points of each query.

    Parameters
    ----------
    queries, points : arrays, shapes (n, d) and (m, d)
        Checked; neither is empty.
    k : int
    metric : str
    excluded : Excluded
    same : bool
        Queries and points are one set, and a pair is left out in both directions or in neither.
    memory : int
    device : str
    frame : Frame or None
        Where it is shared with other searches.
    points_as : Side or None
        The points, where they are prepared already.

    Attributes
    ----------
    distances, indices : arrays, shape (n, k)
        Of the rows that are settled, as in `Neighbors`; of the others, the best so far.
    pending : array of int
        Rows that are not settled.
    multiplications : float
        Done so far.
    """

    def __init__(
        self,
        queries: np.ndarray,
        points: np.ndarray,
        k: int,
        metric: str,
        excluded: Excluded,
        same: bool,
        memory: int,
        device: str = "cpu",
        frame: Frame | None = None,
        points_as: Side | None = None,
    ) -> None:
        self.queries, self.points, self.k, self.metric = queries, points, k, metric
        self.excluded, self.same, self.memory, self.device = (excluded, same, memory, device)
        self.frame = frame or (points_as.frame if points_as else Frame.around(points, metric, queries))
        self.distances = np.full((len(queries), k), np.inf)
        self.indices = np.full((len(queries), k), -1, dtype=np.int64)
        self.pending = np.arange(len(queries))
        self.multiplications = 0.0
        self._points = {} if points_as is None else {points_as.precision.name: points_as}

    @property
    def whole(self) -> float:
        """Multiplications of one pass over all pairs."""
        return len(self.queries) * len(self.points) * self.frame.width * (0.5 if self.same else 1.0)

    def run(self, precision: Precision, onlooker: Onlooker | None = None) -> None:
        """Settle every pending row, in this precision first; the onlooker sees the products of that first turn."""
        if not len(self.points):
            self.pending = self.pending[:0]
        for step in dict.fromkeys((precision, SINGLE, DOUBLE)):
            if step.unit > precision.unit or not self.pending.size:
                continue
            few = self.k + (max(2, self.k // 2) if step in (SINGLE, DOUBLE) else max(16, self.k))
            # A set against itself needs half the products, but only while all its rows are asked for.
            halved = self.same and 2 * len(self.pending) > len(self.queries)
            rows = np.arange(len(self.queries)) if halved else self.pending
            points = self.point_side(step)
            queries = points if halved else self.query_side(rows, step)
            self.screen(Blocks(queries, points, self.memory // 2, onlooker=onlooker), rows, few)
            onlooker = None
            # Other precisions have no use for this copy of the points.
            self._points.pop(step.name, None)
        for row in self.pending:
            self.distances[row], self.indices[row] = brute_force(
                self.queries, self.points, int(row), self.k, self.metric, self.excluded
            )
        self.pending = self.pending[:0]

    def point_side(self, precision: Precision) -> Side:
        """The points in a precision, made once."""
        if precision.name not in self._points:
            self._points[precision.name] = Side(
                self.points, self.frame, self.memory // 4, precision=precision, device=self.device
            )
        return self._points[precision.name]

    def query_side(self, rows: np.ndarray, precision: Precision) -> Side:
        """Some of the queries in a precision; they are used once, and not kept in memory."""
        chosen = None if len(rows) == len(self.queries) else rows
        return Side(self.queries, self.frame, 0, chosen=chosen, precision=precision, device=self.device)

    def screen(self, blocks: Blocks, rows: np.ndarray, kept: int) -> None:
        """Search for the neighbours of some rows among the `kept` points with the smallest bounds of each.

        Parameters
        ----------
        blocks : Blocks
            Bounds between these rows and all points.
        rows : array of int, ascending
        kept : int
            At least `k`.
        """
        kept = min(kept, len(self.points))
        smallest = Smallest(len(rows), kept, blocks.precision.entries, blocks.points.device)
        excluded = self.excluded if len(rows) == len(self.queries) else self.excluded.take(rows)
        for part, columns, block in blocks:
            excluded.spare(part, columns, block)
            smallest.take(part, columns, block)
            if blocks.same and part.start != columns.start:
                smallest.take_transposed(columns, part, block)
        self.multiplications += blocks.multiplications
        self.settle(rows, smallest)

    def settle(self, rows: np.ndarray, smallest: Smallest) -> None:
        """Score what was kept of some rows, and settle those where nothing that was left out can come before it.

        Parameters
        ----------
        rows : array of int, ascending
        smallest : Smallest
            The points with the smallest bounds of each of these rows; no excluded ones.
        """
        bounds, candidates = (smallest.values.double().cpu().numpy(), smallest.columns.cpu().numpy())
        self.distances[rows], self.indices[rows] = scored(
            self.queries, self.points, rows, bounds, candidates, self.k, self.frame, self.memory
        )
        self.pending = np.setdiff1d(self.pending, rows, assume_unique=True)
        if smallest.kept == len(self.points):
            return
        furthest, last = self.distances[rows, self.k - 1], bounds[:, -1]
        unsure = ~(np.isinf(last) | (last > self.frame.squared(furthest)))
        # Copies beyond those kept cannot be nearer, but may come first.
        for row in rows[unsure & (furthest == 0)]:
            self.indices[row] = first_at_zero(self.queries, self.points, int(row), self.k, self.metric, self.excluded)
        self.pending = np.union1d(self.pending, rows[unsure & (furthest > 0)])
