"""Frechet distance between two sets of feature vectors, each read as a Gaussian.

With means m and covariances S (divisor N - 1),

    FD = |m_x - m_y|^2 + tr S_x + tr S_y - 2 tr (S_x S_y)^(1/2)

(Dowson & Landau 1982; Heusel et al. 2017 for images). No matrix square root is taken. With any factors
S_x = A A^T and S_y = B B^T the last trace is the sum of the singular values of A^T B, real by construction:

* N, M > d: A is the Cholesky factor and the squares of the singular values are the eigenvalues of A^T S_y A;
* otherwise the centred rows themselves are a factor (or the triangle of their QR decomposition, where they are more
  than d), and the matrix to decompose has the size of the smaller set.

It answers whether first and second moments agree. It does not see more than those, it cannot tell a copy from a new
image, and it is biased upwards by about 1/N + 1/M: read it against its null, or extrapolate (`extrapolation`).
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from scipy import linalg
from scipy.linalg.lapack import dpotrf, dsygst

from fourfold.errors import InputError
from fourfold.fidelity.moments import Moments, PartMoments

__all__ = ["FrechetReference", "frechet_distance", "frechet_distance_from_moments", "frechet_distance_of_parts"]


def frechet_distance(x: np.ndarray, y: np.ndarray) -> float:
    """Frechet distance of two sets of features.

    Parameters
    ----------
    x : array, shape (N, d)
        Features of real images, N >= 2, finite.
    y : array, shape (M, d)
        Features of synthetic images, M >= 2, finite.

    Returns
    -------
    float
        At least 0, in the squared unit of the features. Where N or M is not larger than d the covariance is rank
        deficient: the value is still that of the formula, and strongly biased upwards.

    Raises
    ------
    InputError
        Where the shapes do not agree, a set has fewer than two rows, or a value is not finite.

    References
    ----------
    Heusel et al. 2017, "GANs trained by a two time-scale update rule converge to a local Nash equilibrium".

    Examples
    --------
    >>> import numpy as np
    >>> x = np.array([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0], [1.0, 1.0]])
    >>> round(frechet_distance(x, x + 2.0), 12)
    8.0
    """
    return FrechetReference(x).distance(y)


def frechet_distance_of_parts(x: np.ndarray, y: np.ndarray) -> Callable[[np.ndarray, np.ndarray], float]:
    """Frechet distances between many parts of two sets, for which most sums are taken once.

    Parameters
    ----------
    x, y : array, shapes (N, d) and (M, d)
        As for `frechet_distance`; they may be one object.

    Returns
    -------
    callable
        Row numbers in `x` and row numbers in `y`, each without repetition, to the distance between those rows.

    Raises
    ------
    InputError
        As for `frechet_distance`.

    Examples
    --------
    >>> import numpy as np
    >>> x = np.random.default_rng(0).normal(size=(60, 3))
    >>> first, second = np.arange(40), np.arange(40, 60)
    >>> bool(np.isclose(frechet_distance_of_parts(x, x)(first, second), frechet_distance(x[first], x[second])))
    True
    """
    of_x = PartMoments(_checked(x))
    of_y = of_x if y is x else PartMoments(_checked(y))

    def between(first: np.ndarray, second: np.ndarray) -> float:
        if min(len(first), len(second)) <= x.shape[1]:
            return frechet_distance(x[first], y[second])
        return FrechetReference.of_moments(of_x.of(first)).distance_to_moments(of_y.of(second))

    return between


class FrechetReference:
    """A real set prepared once, to be compared with many synthetic ones.

    Parameters
    ----------
    x : array, shape (N, d)
        Features of real images, N >= 2, finite.

    Raises
    ------
    InputError
        As for `frechet_distance`.

    Examples
    --------
    >>> import numpy as np
    >>> reference = FrechetReference(np.array([[0.0], [2.0]]))
    >>> [reference.distance(np.array([[low], [low + 2.0]])) for low in (0.0, 1.0)]
    [0.0, 1.0]
    """

    def __init__(self, x: np.ndarray) -> None:
        x = _checked(x)
        if len(x) > x.shape[1]:
            self._take(Moments.of(x))
        else:
            self.count, self.width = x.shape
            self._covariance = self._root = None
        if self._root is None:
            self.mean, self._root = _factor(x)

    @classmethod
    def of_moments(cls, moments: Moments) -> FrechetReference:
        """A real set of which only the moments are kept, of more images than features."""
        if moments.count <= moments.mean.size:
            raise _undetermined(moments.count, moments.mean.size)
        reference = cls.__new__(cls)
        reference._take(moments)
        return reference

    def _take(self, moments: Moments) -> None:
        self.count, self.width, self.mean = moments.count, moments.mean.size, moments.mean
        self._covariance = moments.covariance
        triangle, failed = dpotrf(self._covariance, lower=1)
        self._triangle, self._root = (None, None) if failed else (triangle, triangle.T)

    @property
    def determined(self) -> bool:
        """Whether sets of any number of images can be compared with what is kept."""
        return self._root is not None

    def distance(self, y: np.ndarray) -> float:
        """Frechet distance to the rows of `y`, shape (M, d); see `frechet_distance`."""
        y = _checked(y)
        if y.shape[1] != self.width:
            raise InputError(
                f"the sets have {self.width} and {y.shape[1]} features; compute both with one feature extractor"
            )
        if self._covariance is not None and len(y) > self.width:
            return self.distance_to_moments(Moments.of(y))
        if self._root is None:
            raise _undetermined(self.count, self.width)
        mean, root = _factor(y)
        shift = self.mean - mean
        traces = np.vdot(self._root, self._root) + np.vdot(root, root)
        # Not by eigenvalues of its square: where features differ in size by 1e8, the small ones would be lost.
        overlap = linalg.svdvals(root @ self._root.T, check_finite=False).sum()
        return float(max(shift @ shift + traces - 2.0 * overlap, 0.0))

    def distance_to_moments(self, moments: Moments) -> float:
        """Frechet distance to a set of which only the moments are kept, of more images than features."""
        if self._covariance is None or moments.count <= self.width:
            raise _undetermined(min(self.count, moments.count), self.width)
        covariance = moments.covariance
        shift = self.mean - moments.mean
        traces = np.trace(self._covariance) + np.trace(covariance)
        overlap = _trace_of_root(self._covariance, covariance, self._triangle)
        return float(max(shift @ shift + traces - 2.0 * overlap, 0.0))


def frechet_distance_from_moments(
    mean_x: np.ndarray, covariance_x: np.ndarray, mean_y: np.ndarray, covariance_y: np.ndarray
) -> float:
    """Frechet distance of two Gaussians.

    Parameters
    ----------
    mean_x, mean_y : array, shape (d,)
    covariance_x, covariance_y : array, shape (d, d)
        Symmetric positive semi-definite; rank-deficient ones are allowed.

    Returns
    -------
    float
        At least 0.

    Raises
    ------
    InputError
        Where the shapes do not agree or a value is not finite.

    Examples
    --------
    >>> import numpy as np
    >>> frechet_distance_from_moments(np.zeros(2), np.eye(2), np.array([3.0, 0.0]), 4 * np.eye(2))
    11.0
    """
    mean_x, mean_y = (np.atleast_1d(np.asarray(mean, dtype=np.float64)) for mean in (mean_x, mean_y))
    covariance_x, covariance_y = (
        np.atleast_2d(np.asarray(covariance, dtype=np.float64)) for covariance in (covariance_x, covariance_y)
    )
    d = mean_x.size
    if mean_y.shape != (d,) or covariance_x.shape != (d, d) or covariance_y.shape != (d, d):
        raise InputError(
            "means and covariances must have the shapes (d,) and (d, d) with one d, got "
            f"{mean_x.shape}, {covariance_x.shape}, {mean_y.shape} and {covariance_y.shape}"
        )
    shift = mean_x - mean_y
    traces = np.trace(covariance_x) + np.trace(covariance_y)
    squared = shift @ shift + traces
    if not np.isfinite(squared):
        raise InputError("means and covariances must be finite")
    return float(max(squared - 2.0 * _trace_of_root(covariance_x, covariance_y), 0.0))


def _trace_of_root(left: np.ndarray, right: np.ndarray, triangle: np.ndarray | None = None) -> float:
    """Trace of (left right)^(1/2), both semi-definite; `triangle` is the Cholesky factor of `left`."""
    failed = 0
    if triangle is None:
        triangle, failed = dpotrf(left, lower=1)
    if failed:
        left, right = right, left
        triangle, failed = dpotrf(left, lower=1)
    if failed:
        # Both are singular: the symmetric root from eigenvectors, without what is below rounding.
        values, vectors = linalg.eigh(left, check_finite=False)
        root = vectors * np.sqrt(np.where(values > _rounding(values), values, 0.0))
        product = root.T @ right @ root
    else:
        # The lower triangle of L^T right L, at half the cost of the two products.
        product, _ = dsygst(right, triangle, itype=2, lower=1)
    # In two stages where torch has the library for it: half the time of SciPy's.
    values = torch.linalg.eigvalsh(torch.from_numpy(product)).numpy()
    return float(np.sqrt(values[values > _rounding(values)]).sum())


def _undetermined(count: int, width: int) -> InputError:
    return InputError(
        f"moments of {count} images do not determine a covariance of {width} features; give the features themselves"
    )


def _rounding(values: np.ndarray) -> float:
    """The size below which an eigenvalue of a positive semi-definite matrix is rounding error."""
    return values.size * np.finfo(np.float64).eps * max(float(values.max(initial=0.0)), 0.0)


def _factor(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean of the rows and a matrix R of at most d rows with R^T R = covariance."""
    mean = x.mean(axis=0, dtype=np.float64)
    rows = (x - mean) / np.sqrt(len(x) - 1)
    if len(rows) > rows.shape[1]:
        rows = linalg.qr(rows, mode="r", overwrite_a=True, check_finite=False)[0][: rows.shape[1]]
    return mean, rows


def _checked(x: np.ndarray) -> np.ndarray:
    x = np.asarray(x)
    if x.ndim != 2 or x.shape[1] == 0:
        raise InputError(f"features must have the shape (N, d), got {x.shape}")
    if len(x) < 2:
        raise InputError(f"a Frechet distance needs at least 2 images in each set, got {len(x)}")
    if not np.isfinite(x).all():
        raise InputError("features must be finite; remove the images whose features are NaN or infinite")
    return x
