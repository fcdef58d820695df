"""The patient-aware nearest-neighbour ratio, which asks whether one training patient is nearer than chance allows.

For an image, d1 is the distance to its nearest training image and d2 that to the nearest training image *of another
patient*. ``u = log(d2 / d1)`` is large where one patient stands out. In a locally homogeneous cloud of dimension D,
``(d1 / d2)^D`` is uniform whatever the number of images and however near they lie, so u does not depend on set sizes
and little on how smooth the images are; its null is read from real images all the same.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from fourfold.statistics import SMALLEST_P, ParetoTail, fit_tail, tail_p_values

__all__ = ["IDENTICAL", "RatioNull", "TwoNearest", "log_ratio"]

IDENTICAL = 1e-9
"""Distances 1 - r up to this are those of the same pixels, and become 0: float32 vectors of equal images that were
normalised in blocks of different sizes agree to about 1e-13."""

_CAUTION = 0.5
"""Standard errors by which the shape of the tail is raised. The log-ratio is exponential where the cloud is locally
homogeneous; half a standard error keeps p-values of 0.0001 honest up to a shape of 0.15, whatever the sample."""


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
        return cls(values, fit_tail(values, caution=_CAUTION))

    def p_values(self, found: TwoNearest) -> np.ndarray:
        """One-sided p-values, shape (n,); the smallest possible one for verbatim copies."""
        p = tail_p_values(found.log_ratio, self.values, self.tail)
        return np.where(found.identical, SMALLEST_P, p)
