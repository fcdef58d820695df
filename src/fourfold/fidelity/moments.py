"""Mean and scatter of feature vectors, accumulated batch by batch and merged across workers, in float64.

With n rows x_i, mean m and scatter S = sum_i (x_i - m)(x_i - m)^T, two parts combine exactly as

    n = n_a + n_b,   m = m_a + (n_b / n) (m_b - m_a),   S = S_a + S_b + (n_a n_b / n) (m_b - m_a)(m_b - m_a)^T

(Chan, Golub & LeVeque 1979, "Updating formulae and a pairwise algorithm for computing sample variances").
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from fourfold.errors import InputError

__all__ = ["Moments"]

# Rows that are converted to float64 at a time: bounds the memory above the inputs.
_BLOCK = 4096


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
        scatter = np.zeros((x.shape[1], x.shape[1]))
        for start in range(0, len(x), _BLOCK):
            centred = x[start : start + _BLOCK] - mean
            scatter += centred.T @ centred
        return cls(len(x), mean, scatter)

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

    @property
    def covariance(self) -> np.ndarray:
        """Covariance with the divisor N - 1, shape (d, d). Raises InputError for fewer than two rows."""
        if self.count < 2:
            raise InputError(f"a covariance needs at least 2 images, got {self.count}")
        return self.scatter / (self.count - 1)
