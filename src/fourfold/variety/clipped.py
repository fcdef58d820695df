"""Clipped coverage: coverage as the share of good synthetic images that would reach it.

With r_i the distance of training image i to its k-th nearest other one,

    raw = mean over training images of min(number of synthetic images in B(x_i, r_i), k) / k.

The mass of such a ball follows Beta(k, N - k) whatever the distribution, so that the number of m good images that fall
into it is beta-binomial, and the expectation of raw is a known function f of m alone:

    f(m) = 1 - sum_{t<k} (k - t)/k C(m, t) B(k + t, N - k + m - t) / B(k, N - k),     B the beta function.

Clipped coverage is min(f^-1(raw) / M, 1): 0.7 reads as "as many good images as 70 % of these". Synthetic outliers fall
into no ball and crowds count k times at most. Cut at 1, it is blind to anything better than a fresh sample, mild
truncation and copies included. Written from the formulas of the paper alone.
"""

from __future__ import annotations

import numpy as np
from scipy.special import betaln, gammaln

from fourfold.comparison import Comparison, Features
from fourfold.errors import InputError
from fourfold.neighbors import ball_counts
from fourfold.neighbors.balls import ball_radii
from fourfold.neighbors.distances import MetricName
from fourfold.resampling import calibrate
from fourfold.score import Metric, Score, register

__all__ = ["clipped_coverage", "expected_clipped_coverage"]

# Balls reach to this many neighbours (Salvy et al. 2026).
NEIGHBORS = 5
# The inverse is taken up to this many times the number of synthetic images.
_LARGEST_SHARE = 4


def clipped_coverage(
    training: np.ndarray,
    synthetic: np.ndarray,
    k: int = NEIGHBORS,
    *,
    metric: MetricName = "euclidean",
    groups: np.ndarray | None = None,
    memory: int = 1 << 30,
) -> float:
    """Coverage as the share of good synthetic images that would reach it.

    Parameters
    ----------
    training : array, shape (N, d)
        N > k.
    synthetic : array, shape (M, d)
        M >= 1.
    k : int
        The ball of a training image reaches to its k-th nearest other one.
    metric : {"euclidean", "cosine", "correlation", "hamming"}
    groups : array of int, shape (N,), or None
        Patients of the training images; images of one patient are then not neighbours of each other.
    memory : int
        Bytes to use at most above inputs and result.

    Returns
    -------
    float
        In [0, 1].

    Raises
    ------
    InputError
        Where N <= k, the shapes do not agree, or a value is not finite.

    References
    ----------
    Salvy, Talbot & Thirion 2026, "Enhanced generative model evaluation with clipped density and coverage", ICLR
    (arXiv 2507.01761).

    Examples
    --------
    >>> import numpy as np
    >>> rng = np.random.default_rng(0)
    >>> real, fresh = rng.normal(size=(2, 400, 2))
    >>> half_bad = np.concatenate([fresh[:200], fresh[:200] + 100])
    >>> abs(clipped_coverage(real, half_bad) - 0.5) < 0.1
    True
    """
    return min(_share_of_good(training, synthetic, k, metric, groups, memory), 1.0)


def expected_clipped_coverage(n: int, m: np.ndarray | int, k: int = NEIGHBORS) -> np.ndarray:
    """f(m): what m good images are expected to reach before calibration, all images independent.

    Parameters
    ----------
    n : int
        Training images, n > k.
    m : array of int or int
        Good synthetic images, at least 0.
    k : int
        Neighbours.

    Returns
    -------
    array of float64, shape of `m`
        In [0, 1), rising with m.

    Raises
    ------
    InputError
        Where n <= k or k < 1.

    Examples
    --------
    >>> expected_clipped_coverage(300, np.array([0, 300])).round(3).tolist()
    [0.0, 0.756]
    """
    if not 1 <= k < n:
        raise InputError(f"expected clipped coverage needs n > k >= 1, got n={n}, k={k}")
    m = np.asarray(m, dtype=np.float64)[..., None]
    t = np.arange(k, dtype=np.float64)
    possible = t <= m
    rest = np.where(possible, m - t, 0.0)
    logs = gammaln(m + 1) - gammaln(t + 1) - gammaln(rest + 1) + betaln(k + t, n - k + rest) - betaln(k, n - k)
    return 1.0 - ((k - t) / k * np.where(possible, np.exp(logs), 0.0)).sum(axis=-1)


def _share_of_good(
    training: np.ndarray, synthetic: np.ndarray, k: int, metric: MetricName, groups: np.ndarray | None, memory: int
) -> float:
    """Clipped coverage before the last cut."""
    if len(synthetic) < 1:
        raise InputError("clipped coverage needs at least one synthetic image")
    radii = ball_radii(training, k, metric=metric, groups=groups, memory=memory)
    inside = ball_counts(synthetic, training, radii, metric=metric, memory=memory).inside
    good = np.arange(_LARGEST_SHARE * len(synthetic) + 1)
    reached = np.minimum(inside, k).mean() / k
    return float(np.interp(reached, expected_clipped_coverage(len(radii), good, k), good) / len(synthetic))


def _clipped_coverage(comparison: Comparison) -> Score:
    def statistic(training: Features, other: Features) -> float:
        return _share_of_good(
            training.values, other.values, NEIGHBORS, comparison.distance, training.patients, comparison.memory
        )

    uncut = calibrate(statistic, comparison, analytic=lambda n, m: 1.0, limits=(0.0, float("inf")))
    details: dict[str, object] = {"k": NEIGHBORS}
    if uncut.value is not None:
        details |= {"before_the_cut": uncut.value}
    return uncut.at_most(1.0).score(CLIPPED_COVERAGE, comparison.space, details=details)


CLIPPED_COVERAGE = register(
    Metric(
        axis="variety",
        name="clipped_coverage",
        kind="features",
        better="higher",
        summary="coverage as the share of good synthetic images that would reach it",
        null="analytic: 1 for independent images; with patients, the holdout set scored as if it were synthetic",
        cost="O((N + M + H) N d)",
        source="Salvy et al. 2026",
        compute=_clipped_coverage,
        thorough=True,
    )
)
