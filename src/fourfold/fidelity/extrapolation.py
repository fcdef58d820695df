"""Frechet distance freed of its bias in the number of synthetic images.

The expectation of the distance is linear in 1/M to leading order, with a slope that depends on the generator, so that
equal M does not make two generators comparable. A line fitted to the distances of subsets of growing size is read off
at 1/M = 0. The share of the bias that comes from the N training images, about 1/N, stays.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from fourfold.errors import InputError
from fourfold.fidelity.frechet import FrechetReference
from fourfold.fidelity.moments import Moments, PartMoments

__all__ = ["extrapolated", "frechet_distance_infinity", "frechet_distance_infinity_of_parts"]

# Chong & Forsyth 2020: fifteen sizes, the smallest 5000 images or a tenth of the set.
SIZES = 15
_SMALLEST = 5000
# Synthetic images of which subsets of two sizes can be taken.
_FEWEST = 3


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
    return extrapolated(FrechetReference(x), y, seed=seed)


def frechet_distance_infinity_of_parts(
    x: np.ndarray, y: np.ndarray, *, seed: int = 0
) -> Callable[[np.ndarray, np.ndarray], float]:
    """`frechet_distance_infinity` between many parts of two sets; see `frechet_distance_of_parts`."""
    of_x = PartMoments(x)

    def between(first: np.ndarray, second: np.ndarray) -> float:
        if len(first) > x.shape[1] and len(second) >= _FEWEST:
            reference = FrechetReference.of_moments(of_x.of(first))
            if reference.determined:
                return extrapolated(reference, y[second], seed=seed)
        return frechet_distance_infinity(x[first], y[second], seed=seed)

    return between


def extrapolated(reference: FrechetReference, y: np.ndarray, *, seed: int = 0) -> float:
    """`frechet_distance_infinity` from a real set that is prepared; arguments as there."""
    y = np.asarray(y)
    if y.ndim != 2 or len(y) < _FEWEST:
        raise InputError(
            f"an extrapolated Frechet distance needs at least {_FEWEST} synthetic images, got the shape {y.shape}"
        )
    order = np.random.default_rng([seed, len(y)]).permutation(len(y))
    sizes = subset_sizes(len(y))
    return float(intercept_weights(sizes) @ _nested_distances(reference, y, order, sizes))


def _nested_distances(reference: FrechetReference, y: np.ndarray, order: np.ndarray, sizes: np.ndarray) -> np.ndarray:
    """Distances of the rows of `y` that come first, as many as `sizes` say; every row is summed once."""
    distances = np.empty(len(sizes))
    moments, done = Moments.empty(y.shape[1]), 0
    for place, size in enumerate(sizes):
        if min(reference.count, size) <= y.shape[1]:
            distances[place] = reference.distance(y[order[:size]])
            continue
        added = y[order[done:size]]
        if not np.isfinite(added).all():
            raise InputError("features must be finite; remove the images whose features are NaN or infinite")
        moments, done = moments.update(added), size
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
