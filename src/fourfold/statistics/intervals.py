"""Intervals for shares and means."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats

__all__ = ["clopper_pearson", "upper_bound", "variance_of_mean", "wilson"]


def wilson(successes: int, trials: int, level: float = 0.95) -> tuple[float, float]:
    """Wilson's score interval for a share.

    Parameters
    ----------
    successes, trials : int
        ``0 <= successes <= trials``, ``trials >= 1``.
    level : float
        Coverage in (0, 1).

    Returns
    -------
    (float, float)
        Within [0, 1]; ``(k + z^2/2 ± z sqrt(k (n - k) / n + z^2/4)) / (n + z^2)``.

    Raises
    ------
    ValueError
        If the counts or the level are out of range.

    References
    ----------
    E. B. Wilson, J. Am. Stat. Assoc. 22 (1927) 209.

    Examples
    --------
    >>> low, high = wilson(850, 1000)
    >>> round((low + high) / 2, 3), round((high - low) / 2, 3)
    (0.849, 0.022)
    """
    _check_counts(successes, trials, level)
    z = stats.norm.ppf(0.5 + level / 2)
    centre = (successes + z**2 / 2) / (trials + z**2)
    half = z / (trials + z**2) * np.sqrt(successes * (trials - successes) / trials + z**2 / 4)
    return max(0.0, float(centre - half)), min(1.0, float(centre + half))


def clopper_pearson(successes: int, trials: int, level: float = 0.95) -> tuple[float, float]:
    """Exact two-sided interval for a share, from the binomial distribution.

    Parameters
    ----------
    successes, trials : int
        ``0 <= successes <= trials``, ``trials >= 1``.
    level : float
        Least coverage, in (0, 1).

    Returns
    -------
    (float, float)
        Within [0, 1].

    Raises
    ------
    ValueError
        If the counts or the level are out of range.

    References
    ----------
    C. J. Clopper, E. S. Pearson, Biometrika 26 (1934) 404.

    Examples
    --------
    >>> [round(edge, 4) for edge in clopper_pearson(0, 100)]
    [0.0, 0.0362]
    """
    _check_counts(successes, trials, level)
    alpha = (1 - level) / 2
    low = 0.0 if successes == 0 else float(stats.beta.ppf(alpha, successes, trials - successes + 1))
    high = 1.0 if successes == trials else float(stats.beta.ppf(1 - alpha, successes + 1, trials - successes))
    return low, high


def upper_bound(successes: int, trials: int, level: float = 0.95) -> float:
    """Exact one-sided upper bound for a share; about 3 / n where nothing was found in n.

    Parameters and errors as in `clopper_pearson`.

    Examples
    --------
    >>> round(upper_bound(0, 1000), 4)
    0.003
    """
    return clopper_pearson(successes, trials, 2 * level - 1)[1]


def variance_of_mean(values: ArrayLike, groups: ArrayLike | None = None) -> float:
    """Variance of a mean whose terms come in groups (several images of one patient).

    Parameters
    ----------
    values : array, shape (n,)
    groups : array, shape (n,), or None
        Equal entries are one group; None for independent terms.

    Returns
    -------
    float
        ``G / (G - 1) sum_g (sum_{i in g} (x_i - mean))^2 / n^2``, G the number of groups; infinity for one group.

    References
    ----------
    K.-Y. Liang, S. L. Zeger, Biometrika 73 (1986) 13 (the sandwich estimate for a mean).

    Examples
    --------
    >>> variance_of_mean([1.0, 3.0])
    1.0
    """
    values = np.asarray(values, dtype=np.float64)
    residuals = values - values.mean()
    if groups is not None:
        _, inverse = np.unique(np.asarray(groups), return_inverse=True)
        residuals = np.bincount(inverse, weights=residuals)
    count = len(residuals)
    if count < 2:
        return float("inf")
    return float(count / (count - 1) * np.sum(residuals**2) / len(values) ** 2)


def _check_counts(successes: int, trials: int, level: float) -> None:
    if trials < 1 or not 0 <= successes <= trials:
        raise ValueError(f"need 0 <= successes <= trials and trials >= 1, got {successes} of {trials}")
    if not 0 < level < 1:
        raise ValueError(f"level must be in (0, 1), got {level}")
