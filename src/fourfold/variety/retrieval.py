"""Image retrieval score (IRS): how many of the training images are the nearest one of a synthetic image.

Each of n synthetic images retrieves its nearest training image; k is the number of different ones. If the generator
draws uniformly from s of the N training images' surroundings, k follows the occupancy law

    P(k | s, n) = S(n, k) s! / ((s - k)! s^n),     S(n, k) a Stirling number of the second kind.

IRS_alpha = k / N at the sampling rate alpha = n / N. IRS_infinity = s* / N, with s* the s of highest likelihood, is
what infinitely many images would reach, and the 5 % limits are the values of s that leave that much in a tail.

Real images do not retrieve uniformly either (some training images are everybody's neighbour), so that a perfect
generator stays below 1; dividing by the score of real holdout images in equal number takes that out. Copies score best.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.special import gammaln
from scipy.stats import norm

from fourfold.errors import InputError
from fourfold.neighbors import nearest
from fourfold.neighbors.distances import MetricName

__all__ = ["RetrievalScore", "image_retrieval_score", "occupancy_estimate", "occupancy_limits"]

# Probability in each tail outside of the limits (Dombrowski et al. 2025).
TAIL = 0.05
# Draws up to which probabilities are exact: Stirling numbers take the square of them in time.
_EXACT = 10_000


@dataclass(frozen=True)
class RetrievalScore:
    """The image retrieval score of one set of queries.

    Parameters
    ----------
    retrieved : int
        k, the number of different training images retrieved.
    queries, gallery : int
        n and N.
    alpha : float
        IRS_alpha = k / N.
    infinity : float
        IRS_infinity = s* / N, in (0, 1].
    limits : (float, float)
        5 % limits of IRS_infinity.
    """

    retrieved: int
    queries: int
    gallery: int
    alpha: float
    infinity: float
    limits: tuple[float, float]


def image_retrieval_score(
    training: np.ndarray, synthetic: np.ndarray, *, metric: MetricName = "euclidean", memory: int = 1 << 30
) -> RetrievalScore:
    """Image retrieval score of a synthetic set.

    Parameters
    ----------
    training : array, shape (N, d)
        The gallery.
    synthetic : array, shape (M, d)
        The queries.
    metric : {"euclidean", "cosine", "correlation", "hamming"}
    memory : int
        Bytes to use at most above inputs and result.

    Returns
    -------
    RetrievalScore

    Raises
    ------
    InputError
        Where a set is empty, the shapes do not agree, or a value is not finite.

    References
    ----------
    Dombrowski et al. 2025, "Image generation diversity issues and how to tame them", CVPR (arXiv 2411.16171).

    Examples
    --------
    >>> import numpy as np
    >>> gallery = np.array([[0.0], [1.0], [2.0], [3.0]])
    >>> found = image_retrieval_score(gallery, np.array([[0.1], [0.2], [1.1], [0.9]]))
    >>> found.retrieved, found.alpha, found.infinity
    (2, 0.5, 0.5)
    """
    if len(training) == 0 or len(synthetic) == 0:
        raise InputError("an image retrieval score needs at least one training and one synthetic image")
    found = nearest(synthetic, training, 1, metric=metric, memory=memory)
    return retrieval_score(found.indices[:, 0], len(training))


def retrieval_score(retrieved: np.ndarray, gallery: int) -> RetrievalScore:
    """Image retrieval score from the row numbers of the retrieved training images."""
    k, n = len(np.unique(retrieved)), len(retrieved)
    low, high = occupancy_limits(k, n, gallery)
    best = occupancy_estimate(k, n, gallery)
    return RetrievalScore(k, n, gallery, k / gallery, best / gallery, (low / gallery, high / gallery))


def occupancy_estimate(k: int, n: int, largest: int) -> int:
    """The number of cells s under which k occupied cells after n draws are most likely.

    Parameters
    ----------
    k, n : int
        Occupied cells and draws, 1 <= k <= n.
    largest : int
        No more cells than this; also the answer where every draw fell into a cell of its own.

    Returns
    -------
    int
        In [k, largest].

    Examples
    --------
    >>> occupancy_estimate(98, 250, 300)
    108
    """
    cells = np.arange(k, largest + 1, dtype=np.float64)
    return k + int(np.argmax(_log_arrangements(cells, k, n)))


def occupancy_limits(k: int, n: int, largest: int, tail: float = TAIL) -> tuple[int, int]:
    """The smallest and the largest number of cells that do not make k occupied cells a rarity.

    Parameters
    ----------
    k, n, largest
        As for `occupancy_estimate`.
    tail : float
        Numbers of cells under which at least, or at most, k are occupied with a lower probability are left out.

    Returns
    -------
    (int, int)
        Exact for up to 10 000 draws; beyond, occupied cells are taken as normal, with their exact mean and variance,
        which moves the limits by less than a thousandth.
    """
    if n > _EXACT:
        low = _first(k, largest, lambda s: _normal_tail(s, n, k, above=True) >= tail)
        high = _first(k, largest + 1, lambda s: s > largest or _normal_tail(s, n, k, above=False) < tail) - 1
        return min(low, largest), max(high, k)
    stirling = _log_stirling(n)

    def probability(s: int, counts: np.ndarray) -> float:
        counts = counts[counts <= s]
        logs = stirling[counts] + _log_arrangements(np.full(len(counts), float(s)), counts, n)
        return float(np.exp(logs).sum())

    at_least, at_most = np.arange(k, n + 1), np.arange(1, k + 1)
    low = _first(k, largest, lambda s: probability(s, at_least) >= tail)
    high = _first(k, largest + 1, lambda s: s > largest or probability(s, at_most) < tail) - 1
    return min(low, largest), max(high, k)


def _normal_tail(s: int, n: int, k: int, *, above: bool) -> float:
    """Probability that `n` draws occupy at least (or at most) `k` of `s` cells."""
    missed = math.exp(n * math.log1p(-1.0 / s)) if s > 1 else 0.0
    both = math.exp(n * math.log1p(-2.0 / s)) if s > 2 else 0.0
    mean, variance = s * (1.0 - missed), s * missed + s * (s - 1.0) * both - (s * missed) ** 2
    spread = math.sqrt(max(variance, 1e-9))
    return float(norm.sf((k - 0.5 - mean) / spread) if above else norm.cdf((k + 0.5 - mean) / spread))


def _first(low: int, high: int, holds: Callable[[int], bool]) -> int:
    """The smallest number in [low, high] for which a monotone predicate holds; `high` where none does."""
    while low < high:
        middle = (low + high) // 2
        if holds(middle):
            high = middle
        else:
            low = middle + 1
    return low


def _log_arrangements(s: np.ndarray, k: np.ndarray | int, n: int) -> np.ndarray:
    """Logarithm of s! / ((s - k)! s^n)."""
    return gammaln(s + 1.0) - gammaln(s - k + 1.0) - n * np.log(s)


def _log_stirling(n: int) -> np.ndarray:
    """Logarithm of S(n, k) for k = 0..n, by S(n + 1, k) = k S(n, k) + S(n, k - 1)."""
    logs = np.full(n + 1, -np.inf)
    logs[0] = 0.0
    steps = np.log(np.arange(1, n + 1))
    for size in range(1, n + 1):
        logs[1 : size + 1] = np.logaddexp(logs[1 : size + 1] + steps[:size], logs[:size])
        logs[0] = -np.inf
    return logs
