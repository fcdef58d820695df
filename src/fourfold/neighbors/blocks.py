"""The matrix of squared distances, a block at a time; every entry is a bound from below."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

import numpy as np
import torch

from fourfold.errors import InputError
from fourfold.neighbors.distances import METRICS, mapped, pair_distances
from fourfold.neighbors.frames import Frame, parts
from fourfold.neighbors.sides import Side

__all__ = ["Blocks", "Onlooker", "checked", "pairwise"]

# Rows and columns of a block: square where products are long, wide where the choice among its entries costs as much.
_SQUARE, _WIDE, _LONG = (1280, 1280), (256, 8192), 640
# An accelerator starts a product anew for every block, and has no cache that a block should fit.
_ELSEWHERE = (8192, 8192)
_LEAST = 64
# Stripes of rows that are held at once, where columns are not.
_TOGETHER = 8


def checked(queries: np.ndarray, points: np.ndarray, metric: str) -> tuple[np.ndarray, np.ndarray]:
    """Both as arrays of equal width and finite values, one object where they were one; raises InputError."""
    if metric not in METRICS:
        raise InputError(f"metric must be one of {', '.join(METRICS)}, got {metric!r}")
    same = queries is points
    queries = np.asarray(queries)
    points = queries if same else np.asarray(points)
    for name, array in (("queries", queries), ("points", points)):
        if array.ndim != 2:
            raise InputError(f"{name} must have shape (n, d), got {array.shape}")
        if array.dtype.kind == "f" and not all(np.isfinite(part).all() for part in parts(array)):
            raise InputError(f"{name} hold NaN or infinite values")
    if queries.shape[1] != points.shape[1]:
        raise InputError(f"queries have {queries.shape[1]} columns and points have {points.shape[1]}")
    return queries, points


class Onlooker(Protocol):
    """Someone else who has a use for the products of a search."""

    def look(self, frame: Frame, rows: slice, columns: slice, products: np.ndarray) -> None:
        """Look at a block of minus twice the inner products of rows in the frame, which it must not change."""


class Blocks:
    """Bounds from below on squared distances in a frame, a block at a time.

    An entry is (|a|^2 + |b|^2)(1 - e) - 2ab, with e the largest error of the three terms over |a|^2 + |b|^2: no true
    distance is smaller, and none is larger by more than `doubt`. For Hamming it is the number of differing positions,
    less a quarter.

    Parameters
    ----------
    queries, points : Side
        In the same frame, precision and place. Where they are one object, only blocks on and above the diagonal are
        given.
    memory : int
        Bytes to use at most above those of the sides.
    slack : float
        What e must hold besides, where the rows themselves stand for others.
    onlooker : Onlooker or None
        Sees every block as well; not for Hamming, nor elsewhere than in the memory of the processor.
    """

    def __init__(
        self, queries: Side, points: Side, memory: int, *, slack: float = 0.0, onlooker: Onlooker | None = None
    ) -> None:
        self._onlooker = onlooker
        self.queries, self.points, self.same = queries, points, queries is points
        self.frame, self.precision = points.frame, points.precision
        self.height, self.breadth = self._shape(memory)
        stripe = self.precision.entries.itemsize * self.height * self.frame.width
        self._together = 1 if points.ready else max(1, min(_TOGETHER, memory // 4 // max(stripe, 1)))
        lost = queries.loss + points.loss + queries.loss * points.loss
        lost += self.precision.output_loss(points.device)
        self.error = slack + lost + self.precision.rounding(self.frame.width)
        self._floor = 16 * self.frame.width * torch.finfo(self.precision.entries).tiny
        self._lower_queries, self._lower_points = (
            (side.sizes * (1.0 - self.error) - self._floor).to(side.device, self.precision.entries)
            for side in (queries, points)
        )

    @property
    def multiplications(self) -> float:
        """Multiplications of one pass."""
        return self.queries.count * self.points.count * self.frame.width * (0.5 if self.same else 1.0)

    def _shape(self, memory: int) -> tuple[int, int]:
        size, width = self.precision.entries.itemsize, self.frame.width
        square = self.same or width > _LONG or self.frame.metric == "hamming"
        height, breadth = _SQUARE if square else _WIDE
        if self.points.device.type != "cpu":
            height, breadth = _ELSEWHERE
        while size * (4 * height * breadth + 2 * (height + breadth) * width) > memory // 2 and breadth > _LEAST:
            height, breadth = max(height // 2, _LEAST), max(breadth // 2, _LEAST)
        return height, breadth

    def doubt(self, rows: slice, columns: slice) -> float:
        """How much an entry of the block may be too small.

        For rows without direction, by the half that `pair_distances` adds too.
        """
        if self.frame.metric == "hamming":
            return 0.5
        sizes = float(self.queries.sizes[rows].max()) + float(self.points.sizes[columns].max())
        half = self.frame.metric != "euclidean" and self._directionless(rows, columns)
        return 2 * self.error * sizes + 4 * self._floor + (float(self.frame.squared(np.array(0.5))) if half else 0.0)

    def _directionless(self, rows: slice, columns: slice) -> bool:
        return any(
            not mapped(chunk, self.frame.metric).any(axis=1).all()
            for given in (self.queries.given(rows), self.points.given(columns))
            for chunk in parts(given, 1024)
        )

    def __iter__(self) -> Iterator[tuple[slice, slice, torch.Tensor]]:
        """Blocks one after the other; each is overwritten by the next."""
        # Fresh memory for every block would cost its page faults.
        space = torch.empty(0, dtype=self.precision.entries)
        for stripes, columns in self._order():
            right = self.points.rows(columns)
            for rows, left in stripes:
                if self.frame.metric == "hamming":
                    yield rows, columns, torch.cdist(left, right, p=0.0).float() - 0.25
                    continue
                shape = len(left), len(right)
                if space.shape != shape:
                    space = torch.empty(shape, dtype=self.precision.entries)
                block = self.precision.product(left, right, space)
                if self._onlooker is not None:
                    self._onlooker.look(self.frame, rows, columns, block.numpy())
                block += self._lower_points[columns]
                block += self._lower_queries[rows, None]
                yield rows, columns, block

    def _order(self) -> Iterator[tuple[list[tuple[slice, torch.Tensor]], slice]]:
        """Some stripes of rows, as they are multiplied, and columns that meet them, over and over.

        Columns that are brought into their frame anew whenever they are asked for serve several stripes at once.
        """
        factor = 1.0 if self.frame.metric == "hamming" else -2.0
        for top in range(0, self.queries.count, self.height * self._together):
            bottom = min(top + self.height * self._together, self.queries.count)
            stripes = [slice(i, min(i + self.height, bottom)) for i in range(top, bottom, self.height)]
            left = [(rows, self.queries.rows(rows) * factor) for rows in stripes]
            for j in range(top if self.same else 0, self.points.count, self.breadth):
                columns = slice(j, min(j + self.breadth, self.points.count))
                # Of one set, only what is on and above the diagonal.
                yield [one for one in left if not self.same or one[0].start <= j], columns


def pairwise(
    queries: np.ndarray, points: np.ndarray, i: np.ndarray, j: np.ndarray, metric: str, memory: int
) -> np.ndarray:
    """Distances of the pairs (i, j), a few at a time so that they stay in the cache."""
    chunk = max(1, min((1 << 19), memory // 8) // (8 * max(queries.shape[1], 1)))
    found = np.empty(len(i))
    for start in range(0, len(i), chunk):
        part = slice(start, start + chunk)
        found[part] = pair_distances(queries[i[part]], points[j[part]], metric)
    return found
