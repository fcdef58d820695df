"""The pairs that lie near each other, kept once, so that every count in balls no larger is read from them."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from fourfold.neighbors.blocks import pairwise
from fourfold.neighbors.frames import Frame

__all__ = ["ClosePairs", "Collector", "exactly"]

# What a float64 square may be off by, relative to itself.
_ROUNDING = 1e-12
# Bytes that one pair takes.
_BYTES = 24


@dataclass(frozen=True)
class ClosePairs:
    """All pairs of a query and a point that lie within the point's radius, and some that do not.

    Parameters
    ----------
    rows, columns : arrays of int32, shape (p,)
        Row numbers of queries and of points.
    low, high : arrays of float64, shape (p,)
        Bounds on the squared distance in the frame.
    radii : array, shape (m,)
        Up to which the pairs are complete, by point.
    queries, points : arrays, shapes (n, d) and (m, d)
    frame : Frame
    memory : int
        Bytes for the scoring of pairs that the bounds do not place.
    """

    rows: np.ndarray
    columns: np.ndarray
    low: np.ndarray
    high: np.ndarray
    radii: np.ndarray
    queries: np.ndarray = field(repr=False)
    points: np.ndarray = field(repr=False)
    frame: Frame = field(repr=False)
    memory: int = 1 << 30

    def reach(self, radii: np.ndarray) -> bool:
        """Whether every pair within these radii, shape (m,), is among those kept."""
        return bool((radii <= self.radii).all())

    def within(self, radii: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Row numbers of queries and of points of the pairs that are strictly nearer than the point's radius.

        Parameters
        ----------
        radii : array, shape (m,)
            None larger than `self.radii`; see `reach`.

        Returns
        -------
        (array of int32, array of int32)
            The same pairs that a brute-force comparison in float64 finds.
        """
        limits = self.frame.squared(radii)[self.columns]
        hit = self.high < limits * (1.0 - _ROUNDING)
        close = np.flatnonzero(~hit & (self.low <= limits * (1.0 + _ROUNDING)))
        i, j = self.rows[close], self.columns[close]
        hit[close] = pairwise(self.queries, self.points, i, j, self.frame.metric, self.memory) < radii[j]
        return self.rows[hit], self.columns[hit]


class Collector:
    """Gathers pairs while the blocks of a matrix go by, and gives up where they are too many.

    Parameters
    ----------
    memory : int
        Bytes for the pairs at most.
    """

    def __init__(self, memory: int) -> None:
        self._left = memory // _BYTES
        self._parts: list[tuple[np.ndarray, ...]] = []

    def add(self, rows: np.ndarray, columns: np.ndarray, low: np.ndarray, high: np.ndarray) -> None:
        """Keep some pairs with their bounds."""
        self._left -= len(rows)
        if self._left < 0:
            self._parts.clear()
            return
        self._parts.append((rows.astype(np.int32), columns.astype(np.int32), low, high))

    def pairs(
        self, queries: np.ndarray, points: np.ndarray, radii: np.ndarray, frame: Frame, memory: int
    ) -> ClosePairs | None:
        """The pairs, complete up to these radii; None where they were too many."""
        if self._left < 0:
            return None
        empty = np.zeros(0, dtype=np.int32), np.zeros(0, dtype=np.int32), np.zeros(0), np.zeros(0)
        columns = (np.concatenate(column) for column in zip(empty, *self._parts, strict=True))
        return ClosePairs(*columns, radii, queries, points, frame, memory)


def exactly(distances: np.ndarray, frame: Frame) -> tuple[np.ndarray, np.ndarray]:
    """Bounds on squared distances in the frame, from the distances of the metric themselves."""
    squared = frame.squared(distances)
    return squared * (1.0 - _ROUNDING), squared * (1.0 + _ROUNDING)
