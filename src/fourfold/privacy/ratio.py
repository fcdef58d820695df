"""The patient-aware nearest-neighbour ratio, which asks whether one training patient is nearer than chance allows.

For an image, d1 is the distance to its nearest training image and d2 that to the nearest training image *of another
patient*. ``u = log(d2 / d1)`` is large where one patient stands out. In a locally homogeneous cloud of dimension D,
``(d1 / d2)^D`` is uniform whatever the number of images and however near they lie, so u does not depend on set sizes
and little on how smooth the images are; its null is read from real images all the same.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from fourfold.privacy.representations import View
from fourfold.statistics import SMALLEST_P, ParetoTail, fit_tail, tail_p_values

__all__ = ["IDENTICAL", "RatioNull", "TwoNearest", "log_ratio", "two_nearest"]

IDENTICAL = 1e-9
"""Distances 1 - r up to this are those of the same pixels, and become 0: float32 vectors of equal images that were
normalised in blocks of different sizes agree to about 1e-13."""

_LARGEST_BLOCK = 512


@dataclass(frozen=True)
class TwoNearest:
    """The nearest training image of each query, and the nearest one of another patient.

    Parameters
    ----------
    first, second : arrays of int64, shape (n,)
        Training rows; -1 where there is none.
    first_distance, second_distance : arrays of float64, shape (n,)
        1 - r, the smallest over the bank of warps, computed from differences in float64; infinity where there is none.
    """

    first: np.ndarray
    second: np.ndarray
    first_distance: np.ndarray
    second_distance: np.ndarray

    @property
    def log_ratio(self) -> np.ndarray:
        """u, shape (n,)."""
        return log_ratio(self.first_distance, self.second_distance)

    def take(self, rows: np.ndarray) -> TwoNearest:
        """The chosen queries."""
        columns = (self.first, self.second, self.first_distance, self.second_distance)
        return TwoNearest(*(column[rows] for column in columns))

    @property
    def identical(self) -> np.ndarray:
        """Which queries are a verbatim copy of one patient's image, shape (n,)."""
        return (self.first_distance <= IDENTICAL) & (self.second_distance > IDENTICAL)


def log_ratio(first: np.ndarray, second: np.ndarray, floor: float = IDENTICAL) -> np.ndarray:
    """``log(second / first)`` with both at least `floor`; 0 where there is no second patient."""
    ratio = np.log(np.maximum(second, floor)) - np.log(np.maximum(first, floor))
    return np.where(np.isfinite(second), np.nan_to_num(ratio), 0.0)


def two_nearest(
    view: View,
    queries: np.ndarray,
    training: np.ndarray,
    groups: np.ndarray,
    own_groups: np.ndarray | None = None,
    memory: int = 1 << 30,
    progress: Callable[[int, int], None] | None = None,
) -> TwoNearest:
    """Search a representation for the two nearest patients of each query.

    Parameters
    ----------
    view : View
    queries, training : arrays, shapes (n, planes, side, side) and (N, planes, side, side)
        Working images.
    groups : array of int, shape (N,)
        Patients of the training images.
    own_groups : array of int, shape (n,), or None
        A patient whose training images a query must not see: its own, for training images that serve as null.
    memory : int
        Bytes for one block.
    progress : callable or None
        Called with queries done and queries in all.
    """
    points = view.of(training)
    warps = view.representation.warps
    bytes_per_query = 4 * (3 * len(points) + 3 * len(warps) * points.shape[1])
    block = int(np.clip(memory // bytes_per_query, 1, _LARGEST_BLOCK))
    n = len(queries)
    found = TwoNearest(np.full(n, -1), np.full(n, -1), np.full(n, np.inf), np.full(n, np.inf))
    for start in range(0, n, block):
        rows = slice(start, min(start + block, n))
        columns = view.columns(queries[rows])
        bank = [view.vectors(columns, warp) for warp in warps]
        nearness = bank[0] @ points.T
        for vectors in bank[1:]:
            np.maximum(nearness, vectors @ points.T, out=nearness)
        if own_groups is not None:
            nearness[own_groups[rows][:, None] == groups[None, :]] = -np.inf
        stacked = np.stack(bank, axis=1)
        for where, distance in ((found.first, found.first_distance), (found.second, found.second_distance)):
            best = nearness.argmax(axis=1)
            valid = np.isfinite(nearness[np.arange(len(best)), best])
            where[rows] = np.where(valid, best, -1)
            distance[rows] = np.where(valid, _exact(stacked, points[best]), np.inf)
            nearness[groups[best][:, None] == groups[None, :]] = -np.inf
        if progress is not None:
            progress(rows.stop, n)
    # Rescoring in float64 can swap two that the float32 screening could not tell apart.
    swapped = found.second_distance < found.first_distance
    return TwoNearest(
        np.where(swapped, found.second, found.first),
        np.where(swapped, found.first, found.second),
        np.minimum(found.first_distance, found.second_distance),
        np.maximum(found.first_distance, found.second_distance),
    )


def _exact(bank: np.ndarray, points: np.ndarray) -> np.ndarray:
    """1 - r between each row of `points` and the nearest of its bank, shape (n, warps, d), as |a - b|^2 / 2."""
    nearest = np.einsum("nwd,nd->nw", bank, points, optimize=True).argmax(axis=1)
    chosen = bank[np.arange(len(bank)), nearest].astype(np.float64)
    distance = ((chosen - points) ** 2).sum(axis=1) / 2
    # A vector of zeros stands for an image without contrast: its correlation is undefined and counts as none.
    empty = ~chosen.any(axis=1) | ~points.any(axis=1)
    return np.where(empty, 1.0, np.where(distance <= IDENTICAL, 0.0, distance))


@dataclass(frozen=True)
class RatioNull:
    """The log-ratio of real images that are no copies, with its fitted tail.

    Parameters
    ----------
    values : array, shape (m,)
    tail : ParetoTail or None
        None where the sample is too small or the fit was refused; p-values then stop at 1 / (m + 1).
    """

    values: np.ndarray
    tail: ParetoTail | None

    @classmethod
    def fit(cls, values: np.ndarray) -> RatioNull:
        """Fit the tail to the top tenth of the values."""
        return cls(values, fit_tail(values))

    def p_values(self, found: TwoNearest) -> np.ndarray:
        """One-sided p-values, shape (n,); the smallest possible one for verbatim copies."""
        p = tail_p_values(found.log_ratio, self.values, self.tail)
        return np.where(found.identical, SMALLEST_P, p)
