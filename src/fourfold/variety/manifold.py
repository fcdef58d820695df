"""Recall and coverage: whether every real image is represented among the synthetic ones.

    recall   = share of training images inside the ball of at least one synthetic image, the ball of a synthetic image
               reaching to its k-th nearest other synthetic image             (Kynkaanniemi et al. 2019)
    coverage = share of training images with at least one synthetic image inside their own ball, which reaches to
               their k-th nearest other training image                        (Naeem et al. 2020)

Inside is strict, a point equal to a centre is inside (`fourfold.neighbors.balls`). Recall rises with synthetic
outliers, since their balls are wide; coverage does not. Copying the training set gives full marks on both.
"""

from __future__ import annotations

import numpy as np

from fourfold.errors import InputError
from fourfold.neighbors import count_within, nearest
from fourfold.neighbors.balls import ball_radii
from fourfold.neighbors.distances import MetricName

__all__ = ["coverage", "expected_coverage", "recall"]


def recall(
    training: np.ndarray,
    synthetic: np.ndarray,
    k: int = 5,
    *,
    metric: MetricName = "euclidean",
    groups: np.ndarray | None = None,
    memory: int = 1 << 30,
) -> float:
    """Share of training images inside the ball of at least one synthetic image (improved recall).

    Parameters
    ----------
    training : array, shape (N, d)
    synthetic : array, shape (M, d)
        M > k.
    k : int
        The ball of a synthetic image reaches to its k-th nearest other one.
    metric : {"euclidean", "cosine", "correlation", "hamming"}
    groups : array of int, shape (M,), or None
        Groups of the synthetic images (for example the patients of a holdout set scored as if it were synthetic);
        images of one group are then not neighbours of each other.
    memory : int
        Bytes to use at most above inputs and result.

    Returns
    -------
    float
        In [0, 1]. It depends on M: compare it with a real sample of the same size.

    Raises
    ------
    InputError
        Where M <= k, the shapes do not agree, or a value is not finite.

    References
    ----------
    Kynkaanniemi et al. 2019, "Improved precision and recall metric for assessing generative models".

    Examples
    --------
    >>> import numpy as np
    >>> real = np.array([[0.0], [1.0], [9.0]])
    >>> round(recall(real, np.array([[0.5], [1.5]]), k=1), 3)
    0.667
    """
    radii = ball_radii(synthetic, k, metric=metric, groups=groups, memory=memory)
    return float((count_within(training, synthetic, radii, metric=metric, memory=memory) > 0).mean())


def coverage(
    training: np.ndarray,
    synthetic: np.ndarray,
    k: int = 5,
    *,
    metric: MetricName = "euclidean",
    groups: np.ndarray | None = None,
    memory: int = 1 << 30,
) -> float:
    """Share of training images with a synthetic image inside their ball.

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
        In [0, 1]; `expected_coverage` says what a fresh real sample would get.

    Raises
    ------
    InputError
        Where N <= k, the shapes do not agree, or a value is not finite.

    References
    ----------
    Naeem et al. 2020, "Reliable fidelity and diversity metrics for generative models".

    Examples
    --------
    >>> import numpy as np
    >>> real = np.array([[0.0], [1.0], [5.0], [9.0]])
    >>> coverage(real, np.array([[0.5], [4.0]]), k=1)
    0.75
    """
    radii = ball_radii(training, k, metric=metric, groups=groups, memory=memory)
    return float((nearest(training, synthetic, 1, metric=metric, memory=memory).distances[:, 0] < radii).mean())


def expected_coverage(n: int, m: int, k: int = 5) -> float:
    """Coverage that `m` fresh real images would reach on `n` training images, all independent.

    The k nearest of the n - 1 + m other images of a training image are all training images with probability
    prod_{j=1..k} (n - j) / (n + m - j), whatever the distribution: coverage fails only then.

    Parameters
    ----------
    n, m, k : int
        Training images, fresh images, neighbours; n > k >= 1, m >= 0.

    Returns
    -------
    float
        In [0, 1).

    Raises
    ------
    InputError
        Where n <= k, k < 1 or m < 0.

    References
    ----------
    Naeem et al. 2020, lemma 2.

    Examples
    --------
    >>> round(expected_coverage(500, 500, k=5), 3)
    0.969
    """
    if not 1 <= k < n or m < 0:
        raise InputError(f"expected coverage needs n > k >= 1 and m >= 0, got n={n}, m={m}, k={k}")
    j = np.arange(1, k + 1)
    return float(1.0 - np.prod((n - j) / (n + m - j)))
