"""Means over pairs with their intervals: patients, not images, are drawn anew."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy import stats

from fourfold.resampling import FEWEST, bootstrap_means, normal_interval
from fourfold.statistics import variance_of_mean

__all__ = ["DRAWS", "Mean", "mean_of_patients", "mean_of_unrelated"]

DRAWS = 2000
"""Bootstrap samples behind an interval; of 10 patients the ends are then the 17th smallest and largest."""


@dataclass(frozen=True)
class Mean:
    """A mean and its 95 % interval; None where there are too few patients for one."""

    value: float
    interval: tuple[float, float] | None = None


def mean_of_patients(values: np.ndarray, patients: np.ndarray, *, seed: int = 0, draws: int = DRAWS) -> Mean:
    """Mean over images, with the interval of a bootstrap that draws patients.

    The percentiles are widened as far as Student's t is wider than the normal distribution, since the bootstrap of few
    patients gives intervals that are too short. Equal `seed` and `patients` draw the same patients for all values.

    Parameters
    ----------
    values : array, shape (n,)
    patients : array, shape (n,)
        Equal entries are one patient.
    seed, draws : int

    Returns
    -------
    Mean
        Without an interval for fewer than 10 patients.

    References
    ----------
    Field and Welsh, "Bootstrapping clustered data", J. R. Statist. Soc. B 69 (2007) 369; the expanded percentile
    interval: Hesterberg, "What teachers should know about the bootstrap", Am. Statist. 69 (2015) 371.

    Examples
    --------
    >>> import numpy as np
    >>> found = mean_of_patients(np.arange(40.0), np.repeat(np.arange(20), 2))
    >>> found.value, found.interval[0] < 19.5 < found.interval[1]
    (19.5, True)
    """
    value = float(np.mean(values))
    count = len(np.unique(patients))
    if count < FEWEST:
        return Mean(value)
    reach = float(stats.t.ppf(0.975, count - 1)) * math.sqrt(count / (count - 1))
    tail = float(stats.norm.sf(reach))
    means = bootstrap_means(values, patients, draws=draws, seed=seed)
    low, high = np.quantile(means, [tail, 1 - tail])
    return Mean(value, (float(low), float(high)))


def mean_of_unrelated(
    values: np.ndarray, patients: np.ndarray, others: np.ndarray, limits: tuple[float, float] = (-math.inf, math.inf)
) -> Mean:
    """Mean over pairs of two patients each.

    Parameters
    ----------
    values : array, shape (n,)
    patients, others : arrays, shape (n,)
        Whose the images of either side are. Both scatter, and their variances add up, which is on the safe side.
    limits : (float, float)
        Range of the mean.

    Returns
    -------
    Mean
        Without an interval for fewer than 10 patients.
    """
    value = float(np.mean(values))
    if min(len(np.unique(patients)), len(np.unique(others))) < FEWEST:
        return Mean(value)
    variances = (variance_of_mean(values, patients), variance_of_mean(values, others))
    return Mean(value, normal_interval(value, *variances, limits=limits))
