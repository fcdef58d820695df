"""Which values differ beyond their errors, and the ranks that leaves possible.

A rank is a count of pairwise comparisons: at least 1 + the values that are certainly better, at most the number of
values less those that are certainly worse. Where all comparisons hold at once with a confidence of 95 %, so do all
ranks that follow from them (Mogstad, Romano, Shaikh, Wilhelm 2024). The comparisons are made one after the other as in
Romano and Wolf (2005): what is told apart leaves the others a lower threshold.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

__all__ = ["rank_ranges", "told_apart"]

_DRAWS = 4000
# Pairs whose studentised differences are drawn at once.
_BLOCK = 2_000_000


def told_apart(values: ArrayLike, errors: ArrayLike, *, level: float = 0.95, seed: int = 0) -> np.ndarray:
    """Which of several values lie above which others, with all statements true at once.

    Parameters
    ----------
    values : array, shape (n,)
        Finite.
    errors : array, shape (n,)
        Standard errors, at least 0, taken as independent: errors that values share (the same real patients) make the
        comparison a careful one.
    level : float
        Confidence that no statement is wrong, in (0, 1).
    seed : int
        Of the draws that the threshold is read from.

    Returns
    -------
    array of bool, shape (n, n)
        True where the value of the row is larger than that of the column.

    Raises
    ------
    ValueError
        Where a value is not finite, an error negative, or the level out of range.

    References
    ----------
    M. Mogstad, J. P. Romano, A. M. Shaikh, D. Wilhelm, Rev. Econ. Stud. 91 (2024) 476; J. P. Romano, M. Wolf,
    Econometrica 73 (2005) 1237.

    Examples
    --------
    >>> told_apart([0.9, 0.5, 0.51], [0.02, 0.02, 0.02]).astype(int).tolist()
    [[0, 1, 1], [0, 0, 0], [0, 0, 0]]
    """
    values, errors = np.asarray(values, dtype=np.float64), np.asarray(errors, dtype=np.float64)
    if not np.isfinite(values).all() or not (errors >= 0).all():
        raise ValueError("values must be finite and errors at least 0")
    if not 0 < level < 1:
        raise ValueError(f"level must be in (0, 1), got {level}")
    n = len(values)
    first, second = np.triu_indices(n, 1)
    above = np.zeros((n, n), dtype=bool)
    if not len(first):
        return above
    spread = np.hypot(errors[first], errors[second])
    gap = values[first] - values[second]
    known = spread > 0
    size = np.divide(np.abs(gap), spread, out=np.where(gap == 0, 0.0, np.inf), where=known)
    left = np.ones(len(first), dtype=bool)
    draws = np.random.default_rng([seed, n]).standard_normal((_DRAWS, n)) * errors
    while left.any():
        threshold = _threshold(draws, first[left], second[left], spread[left], level)
        told = left & (size > threshold)
        if not told.any():
            break
        left &= ~told
    apart = ~left
    above[first[apart & (gap > 0)], second[apart & (gap > 0)]] = True
    above[second[apart & (gap < 0)], first[apart & (gap < 0)]] = True
    return above


def rank_ranges(better: ArrayLike) -> np.ndarray:
    """The ranks that pairwise comparisons leave possible.

    Parameters
    ----------
    better : array of bool, shape (n, n)
        True where the row is better than the column, as `told_apart` gives it.

    Returns
    -------
    array of int, shape (n, 2)
        First and last possible rank; 1 is the best.

    Examples
    --------
    >>> rank_ranges(told_apart([0.9, 0.5, 0.51], [0.02, 0.02, 0.02])).tolist()
    [[1, 1], [2, 3], [2, 3]]
    """
    better = np.asarray(better, dtype=bool)
    return np.stack([1 + better.sum(axis=0), len(better) - better.sum(axis=1)], axis=1)


def _threshold(draws: np.ndarray, first: np.ndarray, second: np.ndarray, spread: np.ndarray, level: float) -> float:
    """The quantile of the largest studentised difference of values that are all equal."""
    scale = np.divide(1.0, spread, out=np.zeros_like(spread), where=spread > 0)
    block = max(1, _BLOCK // len(first))
    largest = [
        (np.abs(part[:, first] - part[:, second]) * scale).max(axis=1)
        for part in np.array_split(draws, -(-len(draws) // block))
    ]
    return float(np.quantile(np.concatenate(largest), level))
