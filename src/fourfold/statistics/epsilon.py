"""From the success of an attack to a lower bound on epsilon, the unit of differential privacy.

A mechanism that is (epsilon, delta)-private obeys ``TPR <= exp(epsilon) FPR + delta`` for every attack, so one that
does better refutes that epsilon. The bounds hold for a threshold, and a number of guesses, that were fixed before the
counted observations were seen: a maximum over thresholds is no bound.
"""

from __future__ import annotations

import math

import numpy as np
from scipy import stats

from fourfold.statistics.intervals import clopper_pearson

__all__ = ["bailey_ratio_bound", "epsilon_lower_bound", "katz_ratio_bound", "one_run_epsilon"]


def epsilon_lower_bound(
    true_positives: int,
    positives: int,
    false_positives: int,
    negatives: int,
    delta: float = 0.0,
    level: float = 0.95,
) -> float:
    """Lower bound on epsilon from one threshold.

    Parameters
    ----------
    true_positives, positives : int
        Members above the threshold, and members.
    false_positives, negatives : int
        Non-members above the threshold, and non-members.
    delta : float
        In [0, 1).
    level : float
        Confidence of the bound, in (0, 1); each of the two rates has one-sided confidence ``(1 + level) / 2``.

    Returns
    -------
    float
        ``log((TPR_low - delta) / FPR_high)``, both Clopper-Pearson; 0 where that is negative.

    Raises
    ------
    ValueError
        If counts, delta or level are out of range.

    References
    ----------
    P. Kairouz, S. Oh, P. Viswanath, ICML 2015, theorem 2.1; M. Jagielski, J. Ullman, A. Oprea, NeurIPS 2020.

    Examples
    --------
    >>> round(epsilon_lower_bound(100, 100, 0, 100), 3)
    3.281
    """
    if not 0 <= delta < 1:
        raise ValueError(f"delta must be in [0, 1), got {delta}")
    low = clopper_pearson(true_positives, positives, level)[0] - delta
    high = clopper_pearson(false_positives, negatives, level)[1]
    return max(0.0, math.log(low / high)) if low > 0 else 0.0


def one_run_epsilon(correct: int, guesses: int, level: float = 0.95) -> float:
    """Lower bound on epsilon from one run, where each canary was included by the toss of a fair coin.

    Parameters
    ----------
    correct, guesses : int
        Of the canaries whose membership was guessed, how many correctly; abstentions are left out. How many to guess
        must not depend on which guesses are right.
    level : float
        Confidence of the bound, in (0, 1).

    Returns
    -------
    float
        The largest epsilon with ``P[Bin(r, e^eps / (1 + e^eps)) >= v] <= 1 - level``, delta = 0; 0 where there is none.

    Raises
    ------
    ValueError
        If counts or level are out of range.

    References
    ----------
    T. Steinke, M. Nasr, M. Jagielski, Privacy Auditing with One (1) Training Run, NeurIPS 2023, theorem 2.1.

    Examples
    --------
    >>> [round(one_run_epsilon(v, 100), 2) for v in (100, 90, 60)]
    [3.49, 1.63, 0.05]
    """
    # The binomial tail grows with the rate, so the largest refuted rate is Clopper and Pearson's one-sided bound.
    rate = clopper_pearson(correct, guesses, 2 * level - 1)[0]
    return max(0.0, math.log(rate / (1 - rate))) if rate > 0 else 0.0


def katz_ratio_bound(
    true_positives: int, positives: int, false_positives: int, negatives: int, level: float = 0.95
) -> float:
    """One-sided lower bound on TPR / FPR, by the normal approximation of its logarithm.

    Parameters
    ----------
    true_positives, positives, false_positives, negatives, level
        As for `epsilon_lower_bound`.

    Returns
    -------
    float
        ``R exp(-z sqrt(1/x - 1/n + 1/y - 1/m))``; 0 where no member, infinity where no non-member is above the
        threshold: the approximation needs both.

    Raises
    ------
    ValueError
        If counts or level are out of range.

    References
    ----------
    D. Katz, J. Baptista, S. P. Azen, M. C. Pike, Biometrics 34 (1978) 469.

    Examples
    --------
    >>> round(katz_ratio_bound(100, 110, 10, 80), 8)
    4.45958661
    """
    ratio = _ratio(true_positives, positives, false_positives, negatives, level)
    if not 0 < ratio < math.inf:
        return ratio
    spread = 1 / true_positives - 1 / positives + 1 / false_positives - 1 / negatives
    return ratio * math.exp(-float(stats.norm.ppf(level)) * math.sqrt(spread))


def bailey_ratio_bound(
    true_positives: int, positives: int, false_positives: int, negatives: int, level: float = 0.95
) -> float:
    """One-sided lower bound on TPR / FPR, by the normal approximation of its cube root.

    Parameters
    ----------
    true_positives, positives, false_positives, negatives, level
        As for `epsilon_lower_bound`.

    Returns
    -------
    float
        ``R ((1 - z/3 sqrt(q/x + p/y - z^2 q p / (9 x y))) / (1 - z^2 p / (9 y)))^3`` with q and p the shares of members
        and non-members below the threshold; 0 and infinity as for `katz_ratio_bound`.

    Raises
    ------
    ValueError
        If counts or level are out of range.

    References
    ----------
    B. J. R. Bailey, J. R. Stat. Soc. C 36 (1987) 96.

    Examples
    --------
    >>> round(bailey_ratio_bound(100, 110, 10, 80), 8)
    4.61953896
    """
    ratio = _ratio(true_positives, positives, false_positives, negatives, level)
    if not 0 < ratio < math.inf:
        return ratio
    z = float(stats.norm.ppf(level))
    member = (1 - true_positives / positives) / true_positives
    other = (1 - false_positives / negatives) / false_positives
    inner = member + other - z**2 * member * other / 9
    return ratio * max(0.0, (1 - z / 3 * math.sqrt(max(inner, 0.0))) / (1 - z**2 * other / 9)) ** 3


def _ratio(true_positives: int, positives: int, false_positives: int, negatives: int, level: float) -> float:
    for count, size in ((true_positives, positives), (false_positives, negatives)):
        if size < 1 or not 0 <= count <= size:
            raise ValueError(f"need 0 <= count <= size and size >= 1, got {count} of {size}")
    if not 0 < level < 1:
        raise ValueError(f"level must be in (0, 1), got {level}")
    if not true_positives:
        return 0.0
    if not false_positives:
        return float(np.inf)
    return (true_positives / positives) / (false_positives / negatives)
