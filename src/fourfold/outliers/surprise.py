"""One scale for the scores of gates that have nothing in common.

The largest of several scores is calibrated as a single one (`gates`). Any rising map of a score leaves the guarantee of
that as it is; which gates it listens to depends on the map. A fair one gives each gate the rarity of its score: what
lies beyond the median of images that were left out of the fit is taken for a generalised Pareto law, whose shape tells
a heavy tail from a light one. (A Pareto law for all has tails far too heavy for a distance in two components, and hides
it: noise of 1.3 times the level in hippocampus volumes has an area of 0.99 in its gate, and of 0.88 beside the
others under that map, 0.94 under this one.)
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

__all__ = ["Surprise", "fit_surprise"]

_EXPONENTIAL = 1e-6
"""Shapes below are taken for 0."""

_SMALLEST = 1e-200
"""Least centre: more than half of the fitted images may be copies of each other, at a distance of 0."""


@dataclass(frozen=True)
class Surprise:
    """About how many powers of e a fresh score is rarer than the median.

    With y = (score - centre) / scale that is ``log(1 + shape y) / shape`` above the centre, and y where the shape is 0;
    below the centre, where nothing is rare, the logarithm of the score goes on with the same slope.

    Parameters
    ----------
    centre : float
        Median of scores of images that were left out of the fit, above 0.
    scale : float
        Of the law beyond it, above 0.
    shape : float
        At least 0, an exponential tail; a Pareto tail with exponent 1 / shape above. Below 1.
    """

    centre: float
    scale: float
    shape: float

    def of(self, scores: np.ndarray) -> np.ndarray:
        """Surprise of each score, of which none is below 0; minus infinity for a distance of 0."""
        scores = np.asarray(scores, dtype=np.float64)
        beyond = np.maximum(scores - self.centre, 0.0) / self.scale
        rare = beyond if self.shape < _EXPONENTIAL else np.log1p(self.shape * beyond) / self.shape
        with np.errstate(divide="ignore"):
            common = self.centre / self.scale * np.log(np.minimum(scores / self.centre, 1.0))
        return rare + common


def fit_surprise(scores: np.ndarray) -> Surprise:
    """Median and upper tail of scores, shape (n,), of images that took no part in the fit that scores them.

    The tail is fitted by probability-weighted moments, which few images determine better than the likelihood does. A
    tail that would end somewhere is taken for an exponential one: there may be patients beyond it.

    References
    ----------
    J. Pickands, Ann. Stat. 3 (1975) 119; J. R. M. Hosking, J. R. Wallis, Technometrics 29 (1987) 339.

    Examples
    --------
    >>> pareto = (1 - (np.arange(1000) + 0.5) / 1000) ** -0.5
    >>> round(fit_surprise(pareto).shape, 1)
    0.5
    """
    scores = np.asarray(scores, dtype=np.float64)
    centre = max(float(np.median(scores)), _SMALLEST)
    beyond = np.sort(scores[scores > centre] - centre)
    if not len(beyond):
        return Surprise(centre, 1e-6 * centre, 0.0)
    mean = float(beyond.mean())
    # The mean of excess times the share above it, at the plotting positions of the source.
    weighted = float(np.mean(beyond * (1 - (np.arange(len(beyond)) + 0.65) / len(beyond))))
    shape = max(2 - mean / (mean - 2 * weighted), 0.0)
    return Surprise(centre, max(mean * (1 - shape), 1e-6 * centre), shape)
