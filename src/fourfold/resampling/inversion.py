"""Interval of a squared distance: all distances at which the value that was found would not surprise.

An unbiased estimate of a squared distance D is

    found = D + Q + L,    Var L = rate * D,

where Q is its error under the null, quadratic in the errors of the samples and skewed, and L a term that is linear in
them and vanishes with the distance: for two means that are delta apart, L is 2 delta times the error of their
difference. Since L is large where D is, an interval whose width is measured at the value found and put on both its
sides grows with every value that chance made large; near the null it hardly ever lets go of it. As Wilson's interval
does for a share, this one takes at each of its ends the error that belongs to the distance there:

    found - low = sqrt(above^2 + z^2 rate low),    high - found = sqrt(below^2 + z^2 rate high),

with the null's own reach above and below its mean. The null, D = 0, is in it exactly where the value lies within that
reach.
"""

from __future__ import annotations

import math
from dataclasses import replace

from scipy import stats

from fourfold.resampling.estimate import Estimate

__all__ = ["excess_interval", "facing_null", "linear_rate"]


def excess_interval(
    found: float, above: float, below: float, rate: float, *, freedom: int | None = None, level: float = 0.95
) -> tuple[float, float]:
    """Interval of how far a squared distance exceeds its null.

    Parameters
    ----------
    found : float
        The value minus the mean of its null.
    above, below : float
        How far above and below that mean the null reaches at this level; at least 0.
    rate : float
        Variance of the linear term per unit of distance, at least 0 (`linear_rate`).
    freedom : int or None
        Degrees of freedom behind the rate; None for the normal distribution.
    level : float

    Returns
    -------
    (float, float)
        It holds 0 exactly where ``-below <= found <= above``. An end at which the distance would be negative is taken
        with the null's reach alone.

    References
    ----------
    Wilson 1927, "Probable inference, the law of succession, and statistical inference", for the idea.

    Examples
    --------
    >>> excess_interval(1.0, 2.0, 1.0, 0.5)[0]
    -1.0
    >>> low, high = excess_interval(100.0, 2.0, 1.0, 0.01)
    >>> round(low, 2), round(high, 2)
    (97.22, 102.22)
    """
    tail = (1 + level) / 2
    reach = float(stats.norm.ppf(tail) if freedom is None else stats.t.ppf(tail, max(freedom, 1)))
    linear = reach**2 * rate
    low, high = found - above, found + below
    if low > 0:
        low = found + linear / 2 - math.sqrt(linear**2 / 4 + linear * found + above**2)
    if high > 0:
        # The larger root exists for a value below the null as well, as long as the null's reach holds it.
        high = found + linear / 2 + math.sqrt(max(linear**2 / 4 + linear * found + below**2, 0.0))
    return low, high


def linear_rate(excess: float, variance: float, null_mean: float, null_variance: float, reach: float) -> float:
    """Variance of the linear term of a squared distance per unit of it, from a jackknife and what that shows at null.

    A jackknife takes the sampling error of a distance, which is biased, for distance: at the null it shows
    `null_variance` of a mean `null_mean`, whose ratio is the rate along the errors themselves. What it shows beyond
    that, over the distance beyond that, is the rate along the difference of the two sets; both are uncertain by as much
    as the null reaches, and the rate of the null steadies them. It is never taken to be less than that: chance that
    hides a difference hides its rate too.

    Parameters
    ----------
    excess : float
        The (biased) distance minus its mean under the null.
    variance : float
        What the jackknife shows.
    null_mean, null_variance : float
        Mean of the distance, and what the jackknife shows, under the null.
    reach : float
        How far above its mean the null reaches.

    Returns
    -------
    float
        At least 0.

    Examples
    --------
    >>> linear_rate(0.0, 2.0, 1.0, 2.0, 0.5), linear_rate(99.5, 1002.0, 1.0, 2.0, 0.5)
    (2.0, 10.01)
    """
    of_null = null_variance / null_mean if null_mean > 0 else 0.0
    if excess + reach <= 0:
        return of_null
    return max(of_null, (variance - null_variance + of_null * reach) / (excess + reach))


def facing_null(estimate: Estimate, *, limits: tuple[float, float] = (-math.inf, math.inf)) -> Estimate:
    """The estimate with an interval that has, towards its null, the error that fresh real samples have there.

    For scores that are a length rather than the square of one. Around their null they are folded, and subsamples of a
    set, which lie off the fold, vary more than fresh samples do. The variance of the end that faces the null grows from
    the null's to that of the subsamples over as much as the null reaches.

    Parameters
    ----------
    estimate : Estimate
        With both intervals symmetric, except where they are cut at the limits.
    limits : (float, float)
        Range of the metric.

    Returns
    -------
    Estimate
        Its interval holds the null exactly where the null's interval, uncut, holds the value.

    Examples
    --------
    >>> near = Estimate(0.7, 1.0, (-1.3, 2.7), (0.5, 1.5))
    >>> low, high = facing_null(near).interval
    >>> low < 0.2, high
    (True, 1.2)
    """
    if None in (estimate.value, estimate.null, estimate.interval, estimate.null_interval):
        return estimate
    excess = estimate.value - estimate.null
    half, of_null = (
        max(centre - low, high - centre)
        for centre, (low, high) in (
            (estimate.value, estimate.interval),
            (estimate.null, estimate.null_interval),
        )
    )
    half = max(half, of_null)
    low, high = abs(excess) - half, abs(excess) + half
    if low < of_null:
        rate = (half**2 - of_null**2) / float(stats.norm.ppf(0.975)) ** 2 / of_null if of_null > 0 else 0.0
        low, _ = excess_interval(abs(excess), of_null, of_null, rate)
    if excess < 0:
        low, high = -high, -low
    return replace(estimate, interval=(max(estimate.null + low, limits[0]), min(estimate.null + high, limits[1])))
