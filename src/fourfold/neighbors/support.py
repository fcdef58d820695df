"""The support of a distribution, where a kernel density estimate of a sample lies above its own uncertainty.

With a compact kernel K of bandwidth h, p(z) = mean over x of K(|z - x| / h), K(t) = cos(pi t / 2) for t <= 1. Bootstrap
samples show how far p may be off at the sample's own points; the (1 - alpha)-quantile c of the largest deviation is a
confidence band, and the support is where p > c: what would be there in other samples too. A lone outlier, which only
its own kernel covers, is not (Kim et al. 2023, "TopP&R: robust support estimation approach for evaluating fidelity and
diversity in generative models", NeurIPS). Factors of K that depend on h and d alone cancel.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.spatial.distance import cdist

from fourfold.errors import InputError
from fourfold.neighbors.blocks import checked
from fourfold.neighbors.exact import nearest

__all__ = ["KernelSupport", "kernel_support", "projected", "share_of_support"]

# Neighbours a dimension that the bandwidth reaches to, and in all where dimensions are few; level and repetitions of
# the bootstrap; dimensions that features are projected to (Kim et al. 2023 and its code).
NEIGHBORS_A_DIMENSION, NEIGHBORS_IN_FEW_DIMENSIONS, FEW_DIMENSIONS = 5, 50, 3
ALPHA, BOOTSTRAPS = 0.1, 10
DIMENSIONS = 32
# No bandwidth reaches to more than this share of a sample, however many its dimensions.
_LARGEST_SHARE = 0.25


@dataclass(frozen=True)
class KernelSupport:
    """The estimated support of a sample.

    Parameters
    ----------
    points : array, shape (n, d)
        The sample, float64.
    bandwidth : float
        h, above 0.
    band : float
        c, the density above which a place belongs to the support.
    inside : array of bool, shape (n,)
        Which points of the sample lie in its support.
    """

    points: np.ndarray
    bandwidth: float
    band: float
    inside: np.ndarray

    def holds(self, queries: np.ndarray, *, memory: int = 1 << 30) -> np.ndarray:
        """Whether each query lies in the support, shape (m,); `memory` as for `kernel_support`."""
        weights = np.full((len(self.points), 1), 1.0 / len(self.points))
        return _densities(queries, self.points, self.bandwidth, weights, memory)[:, 0] > self.band


def kernel_support(
    points: np.ndarray,
    *,
    groups: np.ndarray | None = None,
    alpha: float = ALPHA,
    bootstraps: int = BOOTSTRAPS,
    seed: int = 0,
    memory: int = 1 << 30,
) -> KernelSupport:
    """Support of a sample from a kernel density estimate and its bootstrap band.

    Parameters
    ----------
    points : array, shape (n, d)
        n >= 2, finite.
    groups : array of int, shape (n,), or None
        Points of one group (images of one patient) are drawn together, and are not neighbours of each other.
    alpha : float
        One minus the confidence of the band.
    bootstraps : int
        Bootstrap samples, at least 1.
    seed : int
        Of the bootstrap.
    memory : int
        Bytes to use at most above inputs and result.

    Returns
    -------
    KernelSupport
        Its bandwidth is the median distance to the 5 d-th nearest other point (the 50th in up to 3 dimensions), or to
        the one a quarter of the sample away, where that is nearer.

    Raises
    ------
    InputError
        Where there are fewer than two points or groups, or a value is not finite.

    Examples
    --------
    >>> import numpy as np
    >>> sample = np.random.default_rng(0).normal(size=(300, 2))
    >>> kernel_support(sample).holds(np.array([[0.0, 0.0], [9.0, 9.0]])).tolist()
    [True, False]
    """
    points = np.asarray(points, dtype=np.float64)
    codes = np.arange(len(points)) if groups is None else np.unique(groups, return_inverse=True)[1]
    count = int(codes.max(initial=-1)) + 1
    if count < 2:
        what = "points" if groups is None else "groups"
        raise InputError(f"the support of a sample needs at least 2 {what}, got {count}")
    width = points.shape[1]
    reach = NEIGHBORS_IN_FEW_DIMENSIONS if width <= FEW_DIMENSIONS else NEIGHBORS_A_DIMENSION * width
    reach = max(1, min(reach, int(_LARGEST_SHARE * len(points))))
    found = nearest(
        points, points, reach, query_groups=groups, point_groups=groups, exclude_self=True, memory=memory
    ).distances
    # Where a large group leaves fewer neighbours than asked for, its farthest one is taken.
    distances = np.where(np.isfinite(found), found, -np.inf).max(axis=1)
    bandwidth = float(np.median(distances))
    if bandwidth <= 0:
        # Most points coincide: the nearest of those that do not says what near is.
        apart = distances[distances > 0]
        bandwidth = float(apart.min()) if len(apart) else 1.0
    rng = np.random.default_rng([seed, len(points)])
    times = np.stack([np.bincount(rng.integers(0, count, count), minlength=count) for _ in range(bootstraps)])
    weights = np.concatenate([np.ones((1, len(points))), times[:, codes]]).astype(np.float64)
    weights /= weights.sum(axis=1, keepdims=True)
    densities = _densities(points, points, bandwidth, weights.T, memory)
    largest = np.abs(densities[:, 1:] - densities[:, :1]).max(axis=0)
    band = float(np.quantile(largest, 1.0 - alpha))
    return KernelSupport(points, bandwidth, band, densities[:, 0] > band)


def share_of_support(of: KernelSupport, within: KernelSupport, *, memory: int = 1 << 30) -> float:
    """Share of the points of one sample, within its own support, that lie in the support of another.

    Raises
    ------
    InputError
        Where no point of the sample lies in its own support.
    """
    if not of.inside.any():
        raise InputError(
            f"none of {len(of.points)} images lies above the uncertainty of their density: too few to tell"
        )
    return float(within.holds(of.points[of.inside], memory=memory).mean())


def projected(first: np.ndarray, second: np.ndarray, *, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Two sets of shapes (n, d) and (m, d) in 32 dimensions by one random Gaussian projection; as float64.

    They stay as they are where d is at most 32. Raises InputError where shapes do not agree or a value is not finite.
    """
    first, second = (one.astype(np.float64) for one in checked(first, second, "euclidean"))
    width = first.shape[1]
    if width <= DIMENSIONS:
        return first, second
    axes = np.random.default_rng([seed, width]).normal(size=(width, DIMENSIONS)) / np.sqrt(DIMENSIONS)
    return first @ axes, second @ axes


def _densities(
    queries: np.ndarray, points: np.ndarray, bandwidth: float, weights: np.ndarray, memory: int
) -> np.ndarray:
    """Weighted kernel sums at each query, shape (n, columns of `weights`)."""
    step = max(1, memory // (8 * 4 * max(len(points), 1)))
    sums = np.empty((len(queries), weights.shape[1]))
    for start in range(0, len(queries), step):
        ratios = cdist(np.asarray(queries[start : start + step], dtype=np.float64), points) / bandwidth
        sums[start : start + step] = (
            np.where(ratios <= 1.0, np.cos(0.5 * np.pi * np.minimum(ratios, 1.0)), 0.0) @ weights
        )
    return sums
