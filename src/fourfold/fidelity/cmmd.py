"""CMMD: the maximum mean discrepancy of directions, with a Gaussian kernel, for any feature extractor.

With rows scaled to length 1, k(a, b) = exp(-|a - b|^2 / (2 sigma^2)) and means over all pairs, an image with itself
included, CMMD = 1000 (mean k(x, x') + mean k(y, y') - 2 mean k(x, y)).

That is the published score, where sigma = 10 belongs to CLIP embeddings. Rows of length 1 are never farther apart than
2, so that the kernel lies between 0.98 and 1 and is next to linear: CMMD is hardly more than 1000 / sigma^2 times the
squared distance of the two mean directions, it sees little of spread and nothing of collapse about the same mean.
What is scored here says so and takes the extractor in use: with CLIP's features it is CMMD, with others its formula.

Since pairs of an image with itself are in the means, a fresh real sample does not score 0 but about
(1/N + 1/M) (1000 / sigma^2) times the variance of the directions. The null is that bias: the score minus its unbiased
form, which is 0 in expectation (`fourfold.fidelity.kernel`, whose variance is that of the score as well).
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from fourfold.comparison import Comparison, Features
from fourfold.errors import InputError
from fourfold.fidelity.kernel import kernel_distance_with_variance
from fourfold.fidelity.kernel_interval import kernel_interval, kernel_null
from fourfold.resampling import Estimate, too_few
from fourfold.score import Metric, Score, register

__all__ = ["cmmd"]

# Width of the kernel and factor of the score (Jayasumana et al. 2024).
SIGMA, FACTOR = 10.0, 1000.0


def cmmd(x: np.ndarray, y: np.ndarray) -> float:
    """CMMD of two sets of features.

    Parameters
    ----------
    x : array, shape (N, d)
        Features of real images, N >= 2, finite, no row of zeros; scaled to length 1 here.
    y : array, shape (M, d)
        Features of synthetic images, M >= 2.

    Returns
    -------
    float
        At least 0, at most about 40; lower is better. Biased upwards by about 1/N + 1/M.

    Raises
    ------
    InputError
        Where the shapes do not agree, a set has fewer than two rows, a value is not finite or a row is zero.

    References
    ----------
    Jayasumana et al. 2024, "Rethinking FID: towards a better evaluation metric for image generation", CVPR.

    Examples
    --------
    >>> import numpy as np
    >>> x = np.array([[1.0, 0.0], [0.0, 2.0]])
    >>> cmmd(x, x), round(cmmd(x, -x), 3)
    (0.0, 19.801)
    """
    x, y = _directions(x), _directions(y)
    found = kernel_distance_with_variance(x, y, kernel=_departure)
    return FACTOR * (found.value + _of_own_pairs(x, y))


def _departure(products: np.ndarray, width: int) -> np.ndarray:
    """The kernel minus 1, which no difference of means feels, for rows of length 1: nothing is lost to rounding."""
    products -= 1.0
    products *= 1.0 / SIGMA**2
    return np.expm1(products, out=products)


def _directions(rows: np.ndarray) -> np.ndarray:
    rows = np.asarray(rows, dtype=np.float64)
    lengths = np.linalg.norm(rows, axis=-1, keepdims=True)
    if not lengths.all():
        raise InputError("CMMD needs features with a direction; remove the images whose features are all 0")
    return rows / lengths


def _of_own_pairs(x: np.ndarray, y: np.ndarray) -> float:
    """What the pairs of an image with itself, where the kernel minus 1 is 0, add to the unbiased distance."""
    return -sum(_mean_of_others(one) / len(one) for one in (x, y))


def _mean_of_others(rows: np.ndarray) -> float:
    """Mean of the kernel minus 1 over pairs of different rows, a block at a time."""
    total = 0.0
    for start in range(0, len(rows), 1024):
        for other in range(0, len(rows), 1024):
            total += _departure(rows[start : start + 1024] @ rows[other : other + 1024].T, rows.shape[1]).sum()
    return float(total) / (len(rows) * (len(rows) - 1))


def _cmmd(comparison: Comparison) -> Score:
    training, synthetic = comparison.training, comparison.synthetic
    try:
        x, y = _directions(training.values), _directions(synthetic.values)
        value = cmmd(x, y)
        unbiased = kernel_distance_with_variance(
            x, y, x_groups=training.patients, y_groups=synthetic.patients, kernel=_departure
        )
    except InputError as problem:
        return Estimate(None, reason=str(problem)).score(CMMD, comparison.space)
    estimate = Estimate(value, value - FACTOR * unbiased.value, null_source="analytic")
    scarce = too_few(training, synthetic)
    if scarce is not None:
        return estimate.because(scarce).score(CMMD, comparison.space)
    shape = kernel_null(Features(x, training.patients), _departure, seed=comparison.seed)
    # Both are of the unbiased distance, whose null is 0.
    around, band = (tuple(estimate.null + FACTOR * end for end in ends) for ends in kernel_interval(unbiased, shape))
    estimate = replace(estimate, interval=around, null_interval=band)
    means = float(((x.mean(axis=0) - y.mean(axis=0)) ** 2).sum())
    details = {"sigma": SIGMA, "unbiased": FACTOR * unbiased.value, "of_means_alone": FACTOR / SIGMA**2 * means}
    return estimate.score(CMMD, comparison.space, details=details)


CMMD = register(
    Metric(
        axis="fidelity",
        name="cmmd",
        kind="features",
        better="lower",
        summary="nearly the squared distance of the mean directions: a wide Gaussian kernel on features of length 1",
        null="analytic: the bias of the published form",
        cost="O((N + M)^2 d)",
        source="Jayasumana et al. 2024",
        compute=_cmmd,
        thorough=True,
    )
)
