"""One frame for the rows of two sets, in which every metric is a squared Euclidean distance that no precision spills.

Rows are mapped as their metric asks (see `fourfold.neighbors.distances`), the mean of the points becomes the origin,
since rounding errors grow with a row's distance to it, and a power of two, which rounds nothing, brings the longest
row to a length of at most 1, so that its square is finite in every precision.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from fourfold.neighbors.distances import mapped

__all__ = ["Frame", "parts"]

# Powers of two that are still ordinary numbers in float32 together with their inverse.
_PLAIN = 100
# Entries of a part of a set that is looked through.
_PART = 1 << 20


@dataclass(frozen=True)
class Frame:
    """How rows are carried over before they are multiplied.

    Parameters
    ----------
    metric : str
    origin : array, shape (d,)
        In the unit of the mapped rows, exact in float32; unused for Hamming.
    exponent : int
        Rows are multiplied by two to this power.
    """

    metric: str
    origin: np.ndarray
    exponent: int = 0

    @classmethod
    def around(cls, points: np.ndarray, metric: str, *others: np.ndarray) -> Frame:
        """The frame of checked points, shape (m, d), and of the sets that are to meet them, shapes (n, d)."""
        width = points.shape[1]
        origin = np.zeros(width)
        if metric == "hamming":
            return cls(metric, origin)
        for part in parts(points):
            rows = part if metric == "euclidean" else mapped(part, metric)
            origin += rows.sum(axis=0, dtype=np.float64) / len(points)
        if metric != "euclidean":
            return cls(metric, origin.astype(np.float32).astype(np.float64), -1)
        sets = (points, *(rows for rows in others if rows is not points))
        ends = (end for rows in sets for part in parts(rows) if part.size for end in (part.min(), part.max()))
        largest = max((abs(float(end)) for end in ends), default=0.0)
        exponent = -(math.frexp(largest)[1] + math.frexp(2.0 * math.sqrt(width))[1]) if largest > 0 else 0
        return cls(metric, _in_single(origin), max(-1000, min(exponent, 1000)))

    @classmethod
    def unmoved(cls, width: int) -> Frame:
        """For rows that are in their frame already."""
        return cls("euclidean", np.zeros(width))

    @property
    def width(self) -> int:
        """Length of the rows."""
        return len(self.origin)

    @property
    def still(self) -> bool:
        """Whether rows are in the frame as they are given."""
        return self.metric == "euclidean" and self.exponent == 0 and not self.origin.any()

    def rows(
        self, rows: np.ndarray, dtype: type[np.floating] = np.float64, out: np.ndarray | None = None
    ) -> np.ndarray:
        """Rows of shape (n, d) in this frame, off by no more than the rounding to `dtype`; in `out`, if given."""
        if self.metric == "hamming":
            # Codes far from zero would lose their identity in float32.
            return _into(out, np.ascontiguousarray(rows).astype(np.float64))
        plain = self.metric == "euclidean" and rows.dtype == np.float32 and abs(self.exponent) <= _PLAIN
        if plain and dtype == np.float32:
            moved = np.multiply(rows, np.float32(2.0**self.exponent), out=out)
            moved -= np.ldexp(self.origin, self.exponent).astype(np.float32)
            return moved
        moved = mapped(rows, self.metric) - self.origin
        moved *= 2.0**self.exponent
        return _into(out, moved.astype(dtype, copy=False))

    def squared(self, distances: np.ndarray) -> np.ndarray:
        """Distances of the metric as squared distances in this frame; differing positions for Hamming."""
        if self.metric == "euclidean":
            return np.ldexp(distances, self.exponent) ** 2
        if self.metric == "hamming":
            return distances * self.width
        return np.ldexp(2.0 * distances, 2 * self.exponent)


def parts(array: np.ndarray, rows: int | None = None) -> Iterator[np.ndarray]:
    """An array a few rows at a time, by default as many as make a small part of any memory."""
    rows = rows or max(1, _PART // max(array.shape[1], 1))
    for start in range(0, len(array), rows):
        yield array[start : start + rows]


def _into(out: np.ndarray | None, values: np.ndarray) -> np.ndarray:
    if out is None:
        return values
    out[:] = values
    return out


def _in_single(origin: np.ndarray) -> np.ndarray:
    highest = float(np.finfo(np.float32).max)
    # A mean that float32 cannot hold only costs precision of the screening where it is not subtracted.
    return np.where(np.abs(origin) < highest, origin, 0.0).astype(np.float32).astype(np.float64)
