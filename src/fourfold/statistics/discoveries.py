"""Decisions over many hypotheses: p-values combined, and lists with a controlled share of false discoveries."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from fourfold.statistics.tails import SMALLEST_P

__all__ = ["benjamini_hochberg", "cauchy_combination", "holm"]


_LARGEST_P = 0.9


def benjamini_hochberg(p: ArrayLike, level: float = 0.05) -> tuple[np.ndarray, np.ndarray]:
    """Control of the false-discovery rate.

    Parameters
    ----------
    p : array, shape (n,)
        p-values in [0, 1], independent or positively dependent.
    level : float
        Accepted expected share of false discoveries.

    Returns
    -------
    discoveries : array of bool, shape (n,)
    adjusted : array of float64, shape (n,)
        The smallest level at which each would be discovered (q-value).

    Raises
    ------
    ValueError
        If a p-value is not in [0, 1].

    References
    ----------
    Y. Benjamini, Y. Hochberg, J. R. Stat. Soc. B 57 (1995) 289.

    Examples
    --------
    >>> benjamini_hochberg([0.01, 0.04, 0.03, 0.5])[1].round(4).tolist()
    [0.04, 0.0533, 0.0533, 0.5]
    """
    p = _check_p(p)
    n = len(p)
    order = np.argsort(p, kind="stable")
    stepped = p[order] * n / np.arange(1, n + 1)
    adjusted = np.empty(n)
    adjusted[order] = np.minimum(np.minimum.accumulate(stepped[::-1])[::-1], 1.0)
    return adjusted <= level, adjusted


def cauchy_combination(p: ArrayLike) -> np.ndarray:
    """One p-value from several tests of the same hypothesis, dependent or not.

    Parameters
    ----------
    p : array, shape (n, tests)
        p-values in [0, 1]; combined along the last axis with equal weights.

    Returns
    -------
    array of float64, shape (n,)
        Accurate in the small: ``1/2 - arctan(mean tan((1/2 - p) pi)) / pi``, with p-values above 0.9 counted as 0.9.
        A single p-value of 1 would otherwise outvote all the others (truncation after Fang et al. 2023).

    Raises
    ------
    ValueError
        If a p-value is not in [0, 1].

    References
    ----------
    Y. Liu, J. Xie, J. Am. Stat. Assoc. 115 (2020) 393; Y. Fang, C. Chang, Y. Park, G. C. Tseng, Stat. Sin. 33 (2023)
    1343.

    Examples
    --------
    >>> cauchy_combination([[0.01, 0.01], [0.02, 1.0]]).round(3).tolist()
    [0.01, 0.049]
    """
    p = np.clip(_check_p(p), SMALLEST_P, _LARGEST_P)
    # cot(pi p) equals tan((1/2 - p) pi) and keeps its digits for small p.
    mean = np.mean(1.0 / np.tan(np.pi * p), axis=-1)
    return np.where(mean > 0, np.arctan2(1.0, mean) / np.pi, 0.5 - np.arctan(mean) / np.pi)


def holm(p: ArrayLike, level: float = 0.05) -> tuple[np.ndarray, np.ndarray]:
    """Control of the chance of any false rejection, whatever the dependence of the tests.

    Parameters
    ----------
    p : array, shape (n,)
        p-values in [0, 1].
    level : float
        Accepted chance of one or more false rejections.

    Returns
    -------
    rejected : array of bool, shape (n,)
    adjusted : array of float64, shape (n,)
        The smallest level at which each would be rejected.

    Raises
    ------
    ValueError
        If a p-value is not in [0, 1].

    References
    ----------
    S. Holm, Scand. J. Stat. 6 (1979) 65.

    Examples
    --------
    >>> holm([0.01, 0.04, 0.03])[1].round(2).tolist()
    [0.03, 0.06, 0.06]
    """
    p = _check_p(p)
    n = len(p)
    order = np.argsort(p, kind="stable")
    adjusted = np.empty(n)
    adjusted[order] = np.minimum(np.maximum.accumulate(p[order] * np.arange(n, 0, -1)), 1.0)
    return adjusted <= level, adjusted


def _check_p(p: ArrayLike) -> np.ndarray:
    p = np.asarray(p, dtype=np.float64)
    if not np.all((p >= 0) & (p <= 1)):
        raise ValueError("p-values must be in [0, 1]")
    return p
