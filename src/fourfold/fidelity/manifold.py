"""Precision, density and realism: whether the synthetic images lie where real images lie.

The real manifold is the union of balls around the N training features, each reaching to its k-th nearest neighbour,
r_i = NND_k(x_i). A synthetic feature y is judged by the balls that hold it (see `fourfold.neighbors.balls`; strict
inequality, a point equal to a centre is inside):

    precision = share of y inside at least one ball                          (Kynkaanniemi et al. 2019)
    density   = mean number of balls that hold y, divided by k               (Naeem et al. 2020)
    realism   = max over balls with r_i at most the median of r_i / |x_i - y| (Kynkaanniemi et al. 2019)

None of them sees whether all of the training set is represented, and a copy is the most realistic image there is.
One outlier among the real images widens precision; density counts overlaps instead and exceeds 1 for sets that are
drawn in towards the dense regions.
"""

from __future__ import annotations

import numpy as np

from fourfold.neighbors import count_within
from fourfold.neighbors.balls import ball_radii, depth_in_balls
from fourfold.neighbors.distances import MetricName

__all__ = ["density", "precision", "realism"]


def precision(
    training: np.ndarray,
    synthetic: np.ndarray,
    k: int = 5,
    *,
    metric: MetricName = "euclidean",
    groups: np.ndarray | None = None,
    memory: int = 1 << 30,
) -> float:
    """Share of synthetic images inside the ball of at least one training image (improved precision).

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
        In [0, 1]. A fresh real sample does not reach 1: between 0.65 (256 dimensions) and 0.999 (one dimension) for
        normal features.

    Raises
    ------
    InputError
        Where N <= k, the shapes do not agree, or a value is not finite.

    References
    ----------
    Kynkaanniemi et al. 2019, "Improved precision and recall metric for assessing generative models".

    Examples
    --------
    >>> import numpy as np
    >>> real = np.array([[0.0], [1.0], [2.0], [3.0]])
    >>> precision(real, np.array([[0.5], [9.0]]), k=1)
    0.5
    """
    return float((_counts(training, synthetic, k, metric, groups, memory) > 0).mean())


def density(
    training: np.ndarray,
    synthetic: np.ndarray,
    k: int = 5,
    *,
    metric: MetricName = "euclidean",
    groups: np.ndarray | None = None,
    memory: int = 1 << 30,
) -> float:
    """Mean number of training balls that hold a synthetic image, divided by k.

    Parameters
    ----------
    training, synthetic, k, metric, groups, memory
        As for `precision`.

    Returns
    -------
    float
        In [0, N / k]. Its expectation is exactly 1 where synthetic and training images come from one distribution
        and all images are independent. Two identical sets of constant images score N / k.

    Raises
    ------
    InputError
        As for `precision`.

    References
    ----------
    Naeem et al. 2020, "Reliable fidelity and diversity metrics for generative models".

    Examples
    --------
    >>> import numpy as np
    >>> real = np.array([[0.0], [1.0], [2.0], [3.0]])
    >>> density(real, np.array([[0.5], [9.0]]), k=1)
    1.0
    """
    return float(_counts(training, synthetic, k, metric, groups, memory).mean() / k)


def realism(
    training: np.ndarray,
    synthetic: np.ndarray,
    k: int = 5,
    *,
    metric: MetricName = "euclidean",
    groups: np.ndarray | None = None,
    memory: int = 1 << 30,
) -> np.ndarray:
    """How deep each synthetic image lies within the balls of typical training images.

    Parameters
    ----------
    training, synthetic, k, metric, groups, memory
        As for `precision`.

    Returns
    -------
    array, shape (M,)
        float64, above 0; at least 1 inside of a ball, infinity for an exact copy of a training image. Only balls with
        at most the median radius count.

    Raises
    ------
    InputError
        As for `precision`.

    References
    ----------
    Kynkaanniemi et al. 2019, "Improved precision and recall metric for assessing generative models", eq. 3.

    Examples
    --------
    >>> import numpy as np
    >>> real = np.array([[0.0], [1.0], [2.0], [3.0]])
    >>> realism(real, np.array([[0.5], [5.0]]), k=1).tolist()
    [2.0, 0.5]
    """
    radii = ball_radii(training, k, metric=metric, groups=groups, memory=memory)
    typical = radii <= np.median(radii)
    return depth_in_balls(synthetic, np.asarray(training)[typical], radii[typical], metric=metric, memory=memory)


def _counts(
    training: np.ndarray, synthetic: np.ndarray, k: int, metric: MetricName, groups: np.ndarray | None, memory: int
) -> np.ndarray:
    """For each synthetic image, the number of training balls that hold it."""
    radii = ball_radii(training, k, metric=metric, groups=groups, memory=memory)
    return count_within(synthetic, training, radii, metric=metric, memory=memory)
