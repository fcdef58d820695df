"""A score against the holdout scored as if it were synthetic, on the very same training set.

Value and null share the training set, so what is random between them is only which synthetic images and which
holdout patients were drawn. Only one side of the null is evidence: images that lie nearer to the training set than
fresh patients do may be copies, but images that lie further away are not thereby private (noise and blur move images
too). The intervals of privacy scores therefore reach to their null on the good side.
"""

from __future__ import annotations

from typing import Literal

import numpy as np

from fourfold.statistics import variance_of_mean

__all__ = ["Z_95", "clipped", "interval_of_mean", "one_sided"]

Z_95 = 1.959963984540054
"""Half-width of a 95 % interval in standard errors."""


def one_sided(interval: tuple[float, float], null: float, better: Literal["higher", "lower"]) -> tuple[float, float]:
    """The interval, stretched to the null where it lies wholly on the good side.

    Examples
    --------
    >>> one_sided((0.1, 0.2), 0.3, "lower")
    (0.1, 0.3)
    >>> one_sided((0.1, 0.2), 0.05, "lower")
    (0.1, 0.2)
    """
    low, high = interval
    return (low, max(high, null)) if better == "lower" else (min(low, null), high)


def interval_of_mean(
    synthetic: np.ndarray,
    holdout: np.ndarray | None,
    holdout_patients: np.ndarray | None = None,
    draws: np.ndarray | None = None,
    within: tuple[float, float] = (0.0, 1.0),
) -> tuple[tuple[float, float], tuple[float, float] | None]:
    """Interval of a mean over synthetic images, comparable with the same mean over the holdout.

    Parameters
    ----------
    synthetic, holdout : arrays, shapes (M,) and (H,)
        One number an image; `holdout` may be None.
    holdout_patients : array, shape (H,), or None
        Images of one patient are not independent.
    draws : array, shape (M,), or None
        Nor are equal synthetic images.
    within : (float, float)
        The range of the mean.

    Returns
    -------
    interval : (float, float)
        Holds the sampling of both.
    null_interval : (float, float) or None
        Band for the mean of M fresh real images, with the same number of images a patient as the holdout.
    """
    value = float(np.mean(synthetic))
    variance = _finite(variance_of_mean(synthetic, draws))
    null_band = None
    if holdout is not None and len(holdout):
        own = _finite(variance_of_mean(holdout, holdout_patients))
        null = float(np.mean(holdout))
        half = Z_95 * np.sqrt(own * (1 + len(holdout) / len(synthetic)))
        null_band = clipped((null - half, null + half), within)
        alone = variance_of_mean(holdout)
        # The null asks how fresh patients would score, and these come with several images each.
        likeness = own / alone if alone > 0 else 1.0
        variance = variance * max(1.0, likeness) + own
    half = Z_95 * np.sqrt(variance)
    return clipped((value - half, value + half), within), null_band


def clipped(interval: tuple[float, float], within: tuple[float, float]) -> tuple[float, float]:
    """An interval cut to the range of what it is about."""
    return float(max(interval[0], within[0])), float(min(interval[1], within[1]))


def _finite(variance: float) -> float:
    return variance if np.isfinite(variance) else 0.25
