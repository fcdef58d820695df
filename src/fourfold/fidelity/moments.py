"""Mean and scatter of feature vectors, accumulated batch by batch and merged across workers, in float64.

With n rows x_i, mean m and scatter S = sum_i (x_i - m)(x_i - m)^T, two parts combine exactly as

    n = n_a + n_b,   m = m_a + (n_b / n) (m_b - m_a),   S = S_a + S_b + (n_a n_b / n) (m_b - m_a)(m_b - m_a)^T

(Chan, Golub & LeVeque 1979, "Updating formulae and a pairwise algorithm for computing sample variances").
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from fourfold.errors import InputError
from fourfold.statistics.scatter import Scatter, in_double

__all__ = ["Moments", "PartMoments"]


@dataclass(frozen=True)
class Moments:
    """Count, mean and scatter of a set of vectors.

    Parameters
    ----------
    count : int
        Number of rows, at least 0.
    mean : array, shape (d,)
        float64.
    scatter : array, shape (d, d)
        float64, sum of outer products of the centred rows.

    Examples
    --------
    >>> import numpy as np
    >>> x = np.array([[0.0], [2.0], [4.0]])
    >>> moments = Moments.empty(1).update(x[:1]).update(x[1:])
    >>> moments.count, moments.mean.tolist(), moments.covariance.tolist()
    (3, [2.0], [[4.0]])
    """

    count: int
    mean: np.ndarray
    scatter: np.ndarray

    @classmethod
    def empty(cls, d: int) -> Moments:
        """Moments of no rows of width `d`."""
        return cls(0, np.zeros(d), np.zeros((d, d)))

    @classmethod
    def of(cls, x: np.ndarray) -> Moments:
        """Moments of the rows of `x`, shape (N, d)."""
        x = np.asarray(x)
        if x.ndim != 2:
            raise InputError(f"features must have the shape (N, d), got {x.shape}")
        if len(x) == 0:
            return cls.empty(x.shape[1])
        mean = x.mean(axis=0, dtype=np.float64)
        scatter = Scatter(x.shape[1])
        for _, block in in_double(x):
            block -= mean
            scatter.add(block)
        return cls(len(x), mean, scatter.matrix)

    def update(self, x: np.ndarray) -> Moments:
        """These moments with the rows of `x` added; the result does not depend on the size of the batches."""
        return self.merge(Moments.of(x))

    def merge(self, other: Moments) -> Moments:
        """The moments of both sets of rows together."""
        if self.mean.shape != other.mean.shape:
            raise InputError(
                f"moments of {self.mean.size} and of {other.mean.size} features cannot be merged; "
                "use one feature extractor for both"
            )
        count = self.count + other.count
        if count == 0:
            return self
        step = other.mean - self.mean
        mean = self.mean + step * (other.count / count)
        scatter = self.scatter + other.scatter + np.outer(step, step) * (self.count * other.count / count)
        return Moments(count, mean, scatter)

    def without(self, other: Moments) -> Moments:
        """The moments of the rows that are left where those of `other`, which are among them, are taken away."""
        count = self.count - other.count
        if count < 0:
            raise InputError(f"{other.count} images cannot be taken from {self.count}")
        if count == 0:
            return Moments.empty(self.mean.size)
        mean = self.mean + (self.mean - other.mean) * (other.count / count)
        step = other.mean - mean
        scatter = self.scatter - other.scatter - np.outer(step, step) * (count * other.count / self.count)
        return Moments(count, mean, scatter)

    @property
    def covariance(self) -> np.ndarray:
        """Covariance with the divisor N - 1, shape (d, d). Raises InputError for fewer than two rows."""
        if self.count < 2:
            raise InputError(f"a covariance needs at least 2 images, got {self.count}")
        return self.scatter / (self.count - 1)


class PartMoments:
    """Moments of any rows of a set; where most of its rows are asked for, by way of the others.

    Parameters
    ----------
    x : array, shape (N, d)
        Finite.

    Examples
    --------
    >>> import numpy as np
    >>> parts = PartMoments(np.array([[0.0], [2.0], [4.0], [9.0]]))
    >>> parts.of(np.array([0, 1, 2])).mean.tolist(), parts.of(np.array([3])).mean.tolist()
    ([2.0], [9.0])
    """

    def __init__(self, x: np.ndarray) -> None:
        self._x, self._whole = x, Moments.of(x)

    def of(self, rows: np.ndarray) -> Moments:
        """Moments of the rows of these numbers, shape (n,), each given once."""
        if 2 * len(rows) <= len(self._x):
            return Moments.of(self._x[rows])
        others = np.ones(len(self._x), dtype=bool)
        others[rows] = False
        return self._whole.without(Moments.of(self._x[others]))
