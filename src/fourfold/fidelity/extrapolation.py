"""Frechet distance freed of its bias in the number of synthetic images.

The expectation of the distance is linear in 1/M to leading order, with a slope that depends on the generator, so that
equal M does not make two generators comparable. A line fitted to the distances of subsets of growing size is read off
at 1/M = 0. The share of the bias that comes from the N training images, about 1/N, stays.
"""

from __future__ import annotations

import numpy as np

from fourfold.errors import InputError
from fourfold.fidelity.frechet import FrechetReference
from fourfold.fidelity.moments import Moments

__all__ = ["frechet_distance_infinity"]

# Chong & Forsyth 2020: fifteen sizes, the smallest 5000 images or a tenth of the set.
SIZES = 15
_SMALLEST = 5000


def frechet_distance_infinity(x: np.ndarray, y: np.ndarray, *, seed: int = 0) -> float:
    """Frechet distance extrapolated to infinitely many synthetic images (FD-infinity).

    Parameters
    ----------
    x : array, shape (N, d)
        Features of real images, N >= 2, finite.
    y : array, shape (M, d)
        Features of synthetic images, M >= 3, finite.
    seed : int
        Decides the order in which the nested subsets of `y` are drawn.

    Returns
    -------
    float
        May be slightly negative. Where the smallest subset is not larger than d the distance is not linear in 1/M
        and the extrapolation overshoots; its null does too.

    Raises
    ------
    InputError
        Where the shapes do not agree, a set is too small, or a value is not finite.

    References
    ----------
    Chong & Forsyth 2020, "Effectively unbiased FID and Inception Score and where to find them".

    Examples
    --------
    >>> import numpy as np
    >>> rng = np.random.default_rng(0)
    >>> x, y = rng.normal(size=(4000, 8)), rng.normal(size=(400, 8))
    >>> bool(abs(frechet_distance_infinity(x, y)) < 0.05)
    True
    """
    y = np.asarray(y)
    if y.ndim != 2 or len(y) < 3:
        raise InputError(f"an extrapolated Frechet distance needs at least 3 synthetic images, got the shape {y.shape}")
    reference = FrechetReference(x)
    order = np.random.default_rng([seed, len(y)]).permutation(len(y))
    sizes = subset_sizes(len(y))
    return float(intercept_weights(sizes) @ _nested_distances(reference, y[order], sizes))


def _nested_distances(reference: FrechetReference, y: np.ndarray, sizes: np.ndarray) -> np.ndarray:
    """Distances of the first rows of `y`, as many as `sizes` say; every row is summed once."""
    distances = np.empty(len(sizes))
    moments, done = Moments.empty(y.shape[1]), 0
    for place, size in enumerate(sizes):
        if min(reference.count, size) <= y.shape[1]:
            distances[place] = reference.distance(y[:size])
            continue
        if not np.isfinite(y[done:size]).all():
            raise InputError("features must be finite; remove the images whose features are NaN or infinite")
        moments, done = moments.update(y[done:size]), size
        distances[place] = reference.distance_to_moments(moments)
    return distances


def subset_sizes(m: int) -> np.ndarray:
    """The sizes of the subsets of `m` images, increasing; at least two different ones for m >= 3."""
    smallest = min(_SMALLEST, max(m // 10, 2))
    return np.unique(np.linspace(smallest, m, SIZES).astype(np.int64))


def intercept_weights(sizes: np.ndarray) -> np.ndarray:
    """Weights w with w @ distances = the intercept of the least-squares line on 1 / sizes."""
    design = np.stack([np.ones(len(sizes)), 1.0 / sizes], axis=1)
    return np.linalg.pinv(design)[0]
