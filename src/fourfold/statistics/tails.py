"""p-values against a sample of the null, continued beyond its reach by a generalised Pareto tail.

An empirical p-value cannot fall below 1 / (m + 1) for a null sample of m, too coarse to list a few copies among
thousands of images. The tail above the top tenth of the null is therefore fitted, refused where it does not fit,
and kept without an end (shape >= 0) so that the extrapolation errs to the careful side.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy import optimize

__all__ = ["SMALLEST_P", "ParetoTail", "empirical_p_values", "fit_tail", "tail_p_values"]

SMALLEST_P = 1e-16
"""No p-value below: beyond this an extrapolated tail says nothing."""

_LEAST_EXCEEDANCES = 30
_MOST_EXCEEDANCES = 500
_KS_GATE = 1.3
"""Largest accepted sqrt(n) times the Kolmogorov distance between exceedances and fitted tail: about the 1 %
point for an exponential with estimated mean (Stephens 1974, 1.308), below it for two estimated parameters."""


def empirical_p_values(values: ArrayLike, null: ArrayLike) -> np.ndarray:
    """Share of the null at or above each value, counting the value itself.

    Parameters
    ----------
    values : array, shape (n,)
        Large values are evidence against the null.
    null : array, shape (m,)

    Returns
    -------
    array of float64, shape (n,)
        ``(1 + #{null >= value}) / (m + 1)``: valid for any m, never below ``1 / (m + 1)``.

    Examples
    --------
    >>> empirical_p_values([3.5, 0.0], [1, 2, 3, 4]).tolist()
    [0.4, 1.0]
    """
    values, null = np.asarray(values, dtype=np.float64), np.sort(np.asarray(null, dtype=np.float64))
    at_or_above = len(null) - np.searchsorted(null, values, side="left")
    return (1.0 + at_or_above) / (len(null) + 1.0)


@dataclass(frozen=True)
class ParetoTail:
    """A generalised Pareto tail above a threshold.

    ``P(X > threshold + y) = share (1 + shape y / scale)^(-1 / shape)``, exponential for shape 0.

    Parameters
    ----------
    threshold, share : float
        Share of the null above the threshold.
    shape, scale : float
        ``shape >= 0``: a tail without an end, raised by its standard error, so that the extrapolation errs to the
        careful side.
    exceedances : int
        Size of the sample it was fitted to.
    distance : float
        sqrt(exceedances) times the Kolmogorov distance of the fit.
    """

    threshold: float
    share: float
    shape: float
    scale: float
    exceedances: int
    distance: float

    def survival(self, values: ArrayLike) -> np.ndarray:
        """P(X > value) for values at or above the threshold."""
        excess = np.maximum(np.asarray(values, dtype=np.float64) - self.threshold, 0.0)
        return self.share * _pareto_survival(excess, self.shape, self.scale)


def fit_tail(null: ArrayLike, share: float = 0.1, caution: float = 1.0) -> ParetoTail | None:
    """Fit a generalised Pareto distribution to the top of a sample, by maximum likelihood with shape >= 0.

    Parameters
    ----------
    null : array, shape (m,)
    share : float
        Share of the sample that counts as its tail, at most 500 values, and up to twice the share where it holds fewer
        than 30; halved, twice at most, while the fit is refused.
    caution : float
        Standard errors, ``(1 + shape) / sqrt(exceedances)`` each, by which the shape is raised after the fit: far
        beyond the sample the uncertainty of the shape is what a p-value hangs on.

    Returns
    -------
    ParetoTail or None
        None where fewer than 30 values are left or no fit passes the Kolmogorov gate.

    References
    ----------
    J. Pickands, Ann. Stat. 3 (1975) 119; S. D. Grimshaw, Technometrics 35 (1993) 185 (profile likelihood);
    T. A. Knijnenburg et al., Bioinformatics 25 (2009) i161 (p-values from fitted tails).
    """
    null = np.sort(np.asarray(null, dtype=np.float64))
    # A small sample lends up to twice the share, so that there is a tail to fit at all.
    least = min(_LEAST_EXCEEDANCES, int(2 * share * len(null)))
    largest = min(max(int(share * len(null)), least), _MOST_EXCEEDANCES)
    for size in (largest, largest // 2, largest // 4):
        if size < _LEAST_EXCEEDANCES:
            return None
        threshold = float(null[-size - 1])
        excess = null[-size:] - threshold
        if excess[0] < 0 or excess.mean() <= 0:
            continue
        shape, scale = _fit_pareto(excess)
        fitted = 1.0 - _pareto_survival(excess, shape, scale)
        steps = np.arange(size)
        gap = max(np.max(fitted - steps / size), np.max((steps + 1) / size - fitted))
        distance = float(np.sqrt(size) * gap)
        if distance <= _KS_GATE:
            shape += caution * (1.0 + shape) / np.sqrt(size)
            return ParetoTail(threshold, size / len(null), shape, scale, size, distance)
    return None


def tail_p_values(values: ArrayLike, null: ArrayLike, tail: ParetoTail | None) -> np.ndarray:
    """Empirical p-values, continued beyond the null's reach by its fitted tail.

    Parameters
    ----------
    values : array, shape (n,)
        Large values are evidence against the null.
    null : array, shape (m,)
    tail : ParetoTail or None
        As `fit_tail` gave it; None leaves the empirical p-values alone.

    Returns
    -------
    array of float64, shape (n,)
        Within [1e-16, 1].
    """
    values = np.asarray(values, dtype=np.float64)
    p = empirical_p_values(values, null)
    if tail is not None:
        above = values > tail.threshold
        p[above] = tail.survival(values[above])
    return np.clip(p, SMALLEST_P, 1.0)


def _fit_pareto(excess: np.ndarray) -> tuple[float, float]:
    mean = float(excess.mean())

    def loss(log_theta: float) -> float:
        theta = np.exp(log_theta)
        shape = np.mean(np.log1p(theta * excess))
        return float(np.log(shape / theta) + shape + 1.0)

    span = (np.log(1e-6 / mean), np.log(1e4 / mean))
    found = optimize.minimize_scalar(loss, bounds=span, method="bounded")
    # The exponential is the limit theta -> 0; its loss is log(mean) + 1.
    if found.fun >= np.log(mean) + 1.0:
        return 0.0, mean
    theta = float(np.exp(found.x))
    shape = float(np.mean(np.log1p(theta * excess)))
    return shape, shape / theta


def _pareto_survival(excess: np.ndarray, shape: float, scale: float) -> np.ndarray:
    if shape < 1e-9:
        return np.exp(-excess / scale)
    return np.exp(-np.log1p(shape * excess / scale) / shape)
