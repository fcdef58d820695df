"""Calibration: whether what is called 70 % likely comes true seven times in ten.

The expected calibration error with bins of equal width (Naeini et al. 2015; Guo et al. 2017, arXiv:1706.04599):

    ECE = sum over bins of (n_bin / n) |share that came true - mean probability|.

It is never 0 on a finite set, not even for perfect probabilities. Its null is therefore given beside it: with
outcomes that do come true at the given probabilities, a bin's deviation is nearly normal with the variance
sum p (1 - p) / n_bin^2, and the mean of its absolute value is sqrt(2 / pi) of its standard deviation.
"""

from __future__ import annotations

import numpy as np

__all__ = ["BINS", "calibration_error", "top_calls"]

BINS = 15
"""Guo et al. 2017."""


def calibration_error(
    probabilities: np.ndarray, came_true: np.ndarray, weights: np.ndarray | None = None, bins: int = BINS
) -> tuple[float, float]:
    """Expected calibration error, and what perfect probabilities would get on as many images.

    Parameters
    ----------
    probabilities : array, shape (n,)
        In [0, 1].
    came_true : array, shape (n,)
        1 or 0; NaN unknown (left out).
    weights : array, shape (n,), or None
        How often each counts.
    bins : int
        Of equal width, closed above; 0 falls into the first.

    Returns
    -------
    error, null : float
        In [0, 1]; NaN where nothing is known.

    Examples
    --------
    >>> import numpy as np
    >>> error, _ = calibration_error(np.array([0.9, 0.9, 0.9, 0.9]), np.array([1.0, 1.0, 1.0, 0.0]))
    >>> round(error, 3)
    0.15
    """
    came_true = np.asarray(came_true, dtype=np.float64)
    weights = np.ones(len(came_true)) if weights is None else np.asarray(weights, dtype=np.float64)
    weights = np.where(np.isnan(came_true), 0.0, weights)
    total = weights.sum()
    if total <= 0:
        return float("nan"), float("nan")
    probabilities = np.asarray(probabilities, dtype=np.float64)
    # Rounded, so that 0.6 lies in the bin that ends at 0.6 although 0.6 * 15 is a little more than 9.
    places = np.clip(np.ceil(np.round(probabilities * bins, 9)).astype(np.intp) - 1, 0, bins - 1)

    def summed(values: np.ndarray) -> np.ndarray:
        return np.bincount(places, weights * values, minlength=bins)

    deviation = np.abs(summed(np.nan_to_num(came_true) - probabilities))
    spread = np.sqrt(summed(probabilities * (1 - probabilities)).clip(min=0.0))
    return float(deviation.sum() / total), float(np.sqrt(2 / np.pi) * spread.sum() / total)


def top_calls(targets: np.ndarray, probabilities: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The likeliest class of each image: its probability, and whether it was right.

    Parameters
    ----------
    targets, probabilities : arrays, shape (n, K)
        Exclusive classes.

    Returns
    -------
    confidence, right : arrays, shape (n,)
        float64.
    """
    called = probabilities.argmax(axis=1)
    rows = np.arange(len(called))
    return probabilities[rows, called].astype(np.float64), targets[rows, called].astype(np.float64)
