"""How well a score ranks one class above another, where several observations belong to one patient.

The area under the ROC curve with a standard error that knows of patients, and the rate at which one class exceeds a
threshold that a separate sample of the other one set. Thresholds are order statistics of that sample: no grid, no
interpolation, and none at all where the sample is too small for the rate that was asked for.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats

__all__ = ["RankedArea", "control_threshold", "ranked_area"]


@dataclass(frozen=True)
class RankedArea:
    """An area under the ROC curve.

    Parameters
    ----------
    value : float
        Probability that a positive scores higher than a negative, ties counting half; in [0, 1].
    standard_error : float
        Of `value`, from the spread over clusters; infinity where a class has a single cluster.
    null_standard_error : float
        The same if positives and negatives did not differ, from the spread of all ranks over clusters.
    positives, negatives : int
        Clusters (patients) of each class.
    """

    value: float
    standard_error: float
    null_standard_error: float
    positives: int
    negatives: int

    def interval(self, level: float = 0.95) -> tuple[float, float]:
        """Two-sided interval, cut to [0, 1].

        Parameters
        ----------
        level : float
            Coverage in (0, 1).
        """
        return self._bound(-0.5 - level / 2), self._bound(0.5 + level / 2)

    def upper(self, level: float = 0.95) -> float:
        """One-sided upper bound, at most 1."""
        return self._bound(level)

    def lower(self, level: float = 0.95) -> float:
        """One-sided lower bound, at least 0."""
        return self._bound(-level)

    def _bound(self, level: float) -> float:
        reach = math.copysign(float(stats.norm.ppf(abs(level))), level)
        return float(np.clip(self.value + reach * self.standard_error, 0.0, 1.0))


def ranked_area(
    positives: ArrayLike,
    negatives: ArrayLike,
    positive_clusters: ArrayLike | None = None,
    negative_clusters: ArrayLike | None = None,
) -> RankedArea:
    """Area under the ROC curve, with the standard error for clustered observations.

    Parameters
    ----------
    positives, negatives : arrays, shapes (n,) and (m,)
        Scores; higher means rather positive.
    positive_clusters, negative_clusters : arrays, shapes (n,) and (m,), or None
        Equal entries are observations of one patient; a number in both is one patient with observations in both
        classes. None where every observation is a patient of its own: the standard error is then DeLong's.

    Returns
    -------
    RankedArea

    Raises
    ------
    ValueError
        Where a class is empty, a score is not finite, or only one of the clusters is given.

    References
    ----------
    N. A. Obuchowski, Biometrics 53 (1997) 567; E. R. DeLong, D. M. DeLong, D. L. Clarke-Pearson, Biometrics 44
    (1988) 837.

    Examples
    --------
    >>> area = ranked_area([3.0, 4.0, 5.0, 2.0], [1.0, 2.0, 3.5])
    >>> round(area.value, 4), round(area.standard_error, 4)
    (0.7917, 0.1954)
    """
    positives, negatives = np.asarray(positives, dtype=np.float64), np.asarray(negatives, dtype=np.float64)
    if not len(positives) or not len(negatives):
        raise ValueError(f"both classes need an observation, got {len(positives)} and {len(negatives)}")
    if not (np.isfinite(positives).all() and np.isfinite(negatives).all()):
        raise ValueError("scores must be finite")
    if (positive_clusters is None) != (negative_clusters is None):
        raise ValueError("give the clusters of both classes, or of neither")
    n, m = len(positives), len(negatives)
    if positive_clusters is None or negative_clusters is None:
        positive_clusters, negative_clusters = np.arange(n), np.arange(n, n + m)
    names, owner = np.unique(
        np.concatenate([np.asarray(positive_clusters), np.asarray(negative_clusters)]), return_inverse=True
    )
    owner = owner.reshape(-1)
    ranks = stats.rankdata(np.concatenate([positives, negatives]))
    # The share of the other class below each observation: its rank among all, less that among its own.
    above = (ranks[:n] - stats.rankdata(positives)) / m
    below = 1 - (ranks[n:] - stats.rankdata(negatives)) / n
    value = float(above.mean())
    first = np.bincount(owner[:n], above - value, len(names))
    second = np.bincount(owner[n:], below - value, len(names))
    in_first, in_second = (np.bincount(part, minlength=len(names)) > 0 for part in (owner[:n], owner[n:]))
    k, j = int(in_first.sum()), int(in_second.sum())
    variance = math.inf
    if k > 1 and j > 1:
        variance = k / (k - 1) * float(first @ first) / n**2 + j / (j - 1) * float(second @ second) / m**2
        shared = len(names) / (len(names) - 1) * float(first @ second) / (n * m)
        variance = max(0.0, variance + 2 * shared)
    centred = np.bincount(owner, (ranks - ranks.mean()) / (n + m), len(names))
    spread = len(names) / max(len(names) - 1, 1) * float(centred @ centred) / (n + m)
    return RankedArea(value, math.sqrt(variance), math.sqrt(spread * (1 / n + 1 / m)), k, j)


def control_threshold(controls: ArrayLike, rate: float) -> float | None:
    """The threshold that a fresh control exceeds with a probability of at most `rate`.

    Parameters
    ----------
    controls : array, shape (n,)
        Scores of the negative class, one a patient, of patients that are counted nowhere else.
    rate : float
        False-positive rate in (0, 1).

    Returns
    -------
    float or None
        The r-th largest control, ``r = floor(rate (n + 1))``: a fresh exchangeable control lies strictly above it with
        probability r / (n + 1) at most. None where r would be 0: ``n < 1 / rate - 1``.

    Raises
    ------
    ValueError
        If the rate is not in (0, 1).

    References
    ----------
    S. S. Wilks, Ann. Math. Stat. 12 (1941) 91 (order statistics as tolerance limits).

    Examples
    --------
    >>> control_threshold(range(1, 100), 0.01)
    99.0
    >>> control_threshold(range(1, 99), 0.01) is None
    True
    """
    if not 0 < rate < 1:
        raise ValueError(f"the rate must be in (0, 1), got {rate}")
    ordered = np.sort(np.asarray(controls, dtype=np.float64))
    # 0.01 * 100 is a hair above 1 in binary, 0.07 * 100 a hair below 7.
    rank = math.floor(rate * (len(ordered) + 1) + 1e-9)
    return float(ordered[-rank]) if rank else None
